//! A table of nftables: `nft -f` loads it, again and again.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::judge::policy::{Opening, Zone};
use crate::report::rules::{FAMILIES, Family, Ruleset, address, by_name, comments, ids, patterns, ports, protocol};

pub(super) fn write(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "#!/usr/sbin/nft -f")?;
    comments(out, "# ", &ruleset.preface(PREFACE, MISSING))?;
    if ruleset.found.is_none() {
        writeln!(out, "table inet portbook\ndelete table inet portbook\n")?;
    }
    writeln!(out, "table inet portbook {{")?;
    let names = sets(ruleset);
    local(ruleset, out)?;
    name_sets(&names, out)?;
    helpers(ruleset, out)?;
    if ruleset.found.is_none() {
        base(out)?;
    }
    writeln!(out, "\tchain documents {{")?;
    for closing in &ruleset.policy.closings {
        comments(out, "\t\t# ", &ruleset.story(closing, None))?;
        lines(ruleset, closing, &names, "drop").iter().try_for_each(|line| writeln!(out, "\t\t{line}"))?;
    }
    for (opening, gap) in ruleset.openings() {
        writeln!(out)?;
        comments(out, "\t\t# ", &ruleset.story(opening, gap))?;
        if let Some(follows) = &opening.follows {
            writeln!(
                out,
                "\t\t# The helper \"{}\" opens these ports as they are announced. Where it cannot read along (TLS), take the # away:",
                follows.helper
            )?;
        }
        let mark = if opening.follows.is_some() { "#" } else { "" };
        lines(ruleset, opening, &names, "accept").iter().try_for_each(|line| writeln!(out, "\t\t{mark}{line}"))?;
    }
    let asking = ruleset.asking_names();
    if !asking.is_empty() {
        writeln!(out, "\n\t\t# Names must be looked up first. Where the resolver is not this device, put its address here and take the # away:")?;
        for family in FAMILIES {
            if let Some(from) = set(&family.of(&asking)) {
                let (word, resolver) = if family == Family::V4 { ("ip", "192.0.2.53") } else { ("ip6", "2001:db8::53") };
                writeln!(out, "\t\t#{word} saddr {from} {word} daddr {resolver} meta l4proto {{ tcp, udp }} th dport 53 counter accept")?;
            }
        }
    }
    writeln!(out, "\t}}\n}}")?;
    let notes = ruleset.notes();
    if !notes.is_empty() {
        writeln!(out, "\n# No rule:")?;
    }
    comments(out, "# - ", &notes)
}

/// The chain that the kernel asks.
fn base(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\tchain forward {{\n\t\ttype filter hook forward priority filter; policy drop;")?;
    writeln!(out, "\t\t# Answers to what may pass, errors about it, and what a helper saw announced.\n\t\tct state established,related accept")?;
    writeln!(out, "\t\tct state invalid drop\n\t\tjump documents\n\t}}\n")
}

/// The sets of what is inside, where a rule asks for them.
fn local(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    let openings = ruleset.openings();
    let all = || openings.iter().map(|(opening, _)| *opening).chain(&ruleset.policy.closings);
    for family in FAMILIES {
        let asks = |opening: &&Opening| {
            let by_local = [&opening.from.zone, &opening.to.zone].iter().any(|zone| matches!(zone, Zone::Local | Zone::Internet));
            by_local && ruleset.families(opening).any(|of| of == family)
        };
        if all().any(|opening| asks(&opening)) {
            let networks: Vec<String> = family.of(&ruleset.policy.local).iter().map(address).collect();
            writeln!(out, "\t# What is inside; the Internet is the rest.\n\tset local_{} {{\n\t\ttype {}; flags interval;", tail(family), kind(family))?;
            writeln!(out, "\t\telements = {{ {} }}\n\t}}\n", networks.join(", "))?;
        }
    }
    Ok(())
}

/// Sets of names by their patterns.
type Sets = BTreeMap<Vec<String>, String>;

fn sets(ruleset: &Ruleset<'_>) -> Sets {
    let mut sets = Sets::new();
    for (opening, _) in ruleset.openings() {
        let (own, _) = patterns(opening);
        let Some(first) = own.first().filter(|_| !sets.contains_key(&own)) else { continue };
        let mut name: String = first.trim_start_matches("*.").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(LONGEST_NAME).collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || sets.values().any(|known| *known == name) {
            name = format!("names_{}_{name}", sets.len() + 1);
        }
        sets.insert(own, name);
    }
    sets
}

fn name_sets(sets: &Sets, out: &mut dyn Write) -> io::Result<()> {
    for (own, name) in sets {
        writeln!(out, "\t# Addresses of {}, as this site's resolver hands them out. dnsmasq fills the sets (its own line, in dnsmasq.conf):", own.join(", "))?;
        let domains: Vec<&str> = own.iter().map(|pattern| pattern.trim_start_matches("*.")).collect();
        writeln!(out, "\t# nftset=/{}/4#inet#portbook#{name}_v4,6#inet#portbook#{name}_v6", domains.join("/"))?;
        writeln!(out, "\t# Hosts must use that resolver. A proxy's allow list or a firewall with objects by name (FQDN) does the same.")?;
        for family in FAMILIES {
            writeln!(out, "\tset {name}_{} {{\n\t\ttype {}; flags timeout; timeout 1d;\n\t}}\n", tail(family), kind(family))?;
        }
    }
    Ok(())
}

/// Connection tracking helpers, each told which connections to read: the announcing ones.
fn helpers(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut told: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    for follows in ruleset.openings().into_iter().filter_map(|(opening, _)| opening.follows.as_ref()) {
        for control in &follows.controls {
            let lines = told.entry((follows.helper, control.transport.map_or_else(String::new, protocol))).or_default();
            for family in ruleset.families(control) {
                let line = format!("{} ct helper set \"{}\"", pattern(control, family, &Sets::new()), follows.helper);
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
    }
    for (helper, transport) in told.keys() {
        writeln!(out, "\t# Reads what these connections announce (kernel module nf_conntrack_{helper}).")?;
        writeln!(out, "\tct helper {helper} {{\n\t\ttype \"{helper}\" protocol {transport};\n\t}}\n")?;
    }
    if !told.is_empty() {
        writeln!(out, "\tchain helpers {{\n\t\ttype filter hook prerouting priority filter; policy accept;")?;
        told.values().flatten().try_for_each(|line| writeln!(out, "\t\t{line}"))?;
        writeln!(out, "\t}}\n")?;
    }
    Ok(())
}

/// The opening as statements, one for each family.
fn lines(ruleset: &Ruleset<'_>, opening: &Opening, sets: &Sets, verdict: &str) -> Vec<String> {
    let mut told = if opening.names().is_some() { by_name(opening).into_iter().map(|line| format!("# {line}")).collect() } else { Vec::new() };
    for family in ruleset.families(opening) {
        let pattern = pattern(opening, family, sets);
        told.push(format!("{pattern} counter {verdict} comment \"{}\"", ids(opening, LONGEST_COMMENT)).trim_start().to_owned());
    }
    told
}

/// What a packet must be: addresses, transport, ports.
fn pattern(opening: &Opening, family: Family, sets: &Sets) -> String {
    let word = if family == Family::V4 { "ip" } else { "ip6" };
    let mut parts = Vec::new();
    for (zone, field) in [(&opening.from.zone, "saddr"), (&opening.to.zone, "daddr")] {
        match zone {
            Zone::Networks(networks) => parts.extend(set(&family.of(networks)).map(|set| format!("{word} {field} {set}"))),
            Zone::Local => parts.push(format!("{word} {field} @local_{}", tail(family))),
            Zone::Internet => parts.push(format!("{word} {field} != @local_{}", tail(family))),
            Zone::Names(_) => {
                let set = sets.get(&patterns(opening).0).map_or("", String::as_str);
                parts.push(format!("{word} {field} @{set}_{}", tail(family)));
            }
            Zone::Any => {}
        }
    }
    if parts.is_empty() {
        parts.push(format!("meta nfproto {}", if family == Family::V4 { "ipv4" } else { "ipv6" }));
    }
    let of_ports = |ranges: &[_], field: &str, transport: &str| {
        let text = ports(ranges, "-", ", ");
        if ranges.len() > 1 { format!("{transport} {field} {{ {text} }}") } else { format!("{transport} {field} {text}") }
    };
    if let Some(transport) = opening.transport {
        let name = protocol(transport);
        if opening.ports.is_empty() && opening.client_ports.is_empty() {
            parts.push(format!("meta l4proto {name}"));
        }
        if !opening.client_ports.is_empty() {
            parts.push(of_ports(&opening.client_ports, "sport", &name));
        }
        if !opening.ports.is_empty() {
            parts.push(of_ports(&opening.ports, "dport", &name));
        }
    }
    parts.join(" ")
}

/// `10.1.0.0/24`, `{ 10.1.0.2, 10.2.0.0/24 }`.
fn set(networks: &[ipnet::IpNet]) -> Option<String> {
    let texts: Vec<String> = networks.iter().map(address).collect();
    match texts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("{{ {} }}", many.join(", "))),
    }
}

const fn tail(family: Family) -> &'static str {
    match family {
        Family::V4 => "v4",
        Family::V6 => "v6",
    }
}

const fn kind(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    }
}

const PREFACE: &[&str] = &[
    "Check with nft -c -f FILE, load with nft -f FILE: it replaces its own table and no other. Whatever is forwarded and stands not here is dropped;",
    "where other traffic has to pass, add its rules to the chain `documents`. A packet passes only if no other table drops it.",
];
const MISSING: &[&str] = &[
    "Check with nft -c -f FILE. nft -f FILE adds these rules to the chain `documents` of the table that portbook rules makes without captures. To rules of",
    "another make, copy the lines into the chain that filters there, before what drops, with the sets that they name.",
];
/// nftables takes 128 bytes with the closing zero.
const LONGEST_COMMENT: usize = 120;
/// Of a set's name; nftables takes much more, people do not.
const LONGEST_NAME: usize = 40;
