//! One file for `iptables-restore` and `ip6tables-restore`: each skips the lines of the other family (`-4`, `-6`).

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::judge::policy::{Opening, Zone};
use crate::report::rules::{FAMILIES, Family, Ruleset, address, by_name, comments, ids, patterns, ports, protocol};
use crate::signature::PortRange;

pub(super) fn write(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    comments(out, "# ", &ruleset.preface(PREFACE, MISSING))?;
    writeln!(out)?;
    helpers(ruleset, out)?;
    let body = body(ruleset);
    writeln!(out, "*filter")?;
    if ruleset.found.is_none() {
        writeln!(out, ":FORWARD DROP [0:0]\n:{CHAIN} - [0:0]")?;
    }
    body.chains.iter().try_for_each(|chain| writeln!(out, ":{} - [0:0]", chain.name()))?;
    if ruleset.found.is_none() {
        writeln!(out, "-A FORWARD -j {CHAIN}\n\n# Answers to what may pass, errors about it, and what a helper saw announced.")?;
        writeln!(out, "-A {CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n-A {CHAIN} -m conntrack --ctstate INVALID -j DROP")?;
    }
    body.lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    if !body.chains.is_empty() {
        writeln!(out, "\n# What is inside; the Internet is the rest.")?;
    }
    for chain in &body.chains {
        inside(ruleset, chain).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    writeln!(out, "COMMIT")?;
    let notes = ruleset.notes();
    if !notes.is_empty() {
        writeln!(out, "\n# No rule:")?;
    }
    comments(out, "# - ", &notes)
}

/// A chain that takes a packet if one of its addresses is inside, or outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Chain {
    /// Its source is looked at, not its destination.
    source: bool,
    /// Inside is meant, not outside.
    local: bool,
    /// What becomes of it.
    target: &'static str,
}

impl Chain {
    fn name(self) -> String {
        let (way, place) = (if self.source { "FROM" } else { "TO" }, if self.local { "LOCAL" } else { "INTERNET" });
        format!("{CHAIN}-{way}-{place}{}", if self.target == "DROP" { "-NOT" } else { "" })
    }
}

#[derive(Default)]
struct Body {
    lines: Vec<String>,
    chains: BTreeSet<Chain>,
}

fn body(ruleset: &Ruleset<'_>) -> Body {
    let mut body = Body::default();
    let close = |body: &mut Body| {
        for closing in &ruleset.policy.closings {
            body.lines.push(String::new());
            body.lines.extend(ruleset.story(closing, None).into_iter().map(|line| format!("# {line}")));
            add(ruleset, closing, "DROP", "", body);
        }
    };
    // What is put in front of all others last stands first.
    if ruleset.found.is_none() {
        close(&mut body);
    }
    for (opening, gap) in ruleset.openings() {
        body.lines.push(String::new());
        body.lines.extend(ruleset.story(opening, gap).into_iter().map(|line| format!("# {line}")));
        if opening.names().is_some() {
            body.lines.extend(by_name(opening).into_iter().map(|line| format!("# {line}")));
            by_set(ruleset, opening, &mut body);
            continue;
        }
        if let Some(follows) = &opening.follows {
            body.lines.push(format!(
                "# The helper \"{}\" opens these ports as they are announced. Where it cannot read along (TLS), take the # away:",
                follows.helper
            ));
        }
        add(ruleset, opening, "ACCEPT", if opening.follows.is_some() { "#" } else { "" }, &mut body);
    }
    if ruleset.found.is_some() {
        close(&mut body);
    }
    let asking = ruleset.asking_names();
    if !asking.is_empty() {
        body.lines.push("\n# Names must be looked up first. Where the resolver is not this device, put its address here and take the # away:".to_owned());
        for (family, network) in FAMILIES.into_iter().flat_map(|family| family.of(&asking).into_iter().map(move |network| (family, network))) {
            let resolver = if family == Family::V4 { "192.0.2.53" } else { "2001:db8::53" };
            let line =
                |transport: &str| format!("#{} {} -s {} -d {resolver} -p {transport} --dport 53 -j ACCEPT", flag(family), into(ruleset), address(&network));
            body.lines.extend(["tcp", "udp"].map(line));
        }
    }
    body
}

/// The opening as rules, one for each pair of networks.
fn add(ruleset: &Ruleset<'_>, opening: &Opening, target: &'static str, mark: &str, body: &mut Body) {
    for family in ruleset.families(opening) {
        // Of two ends that are no networks the first is written out, as a rule can go to one chain only.
        let both = matches!(opening.from.zone, Zone::Local | Zone::Internet) && matches!(opening.to.zone, Zone::Local | Zone::Internet);
        let from = match &opening.from.zone {
            Zone::Networks(networks) => family.of(networks),
            Zone::Local if both => family.of(&ruleset.policy.local),
            Zone::Internet if both => ruleset.outside(family),
            _ => Vec::new(),
        };
        let to = if let Zone::Networks(networks) = &opening.to.zone { family.of(networks) } else { Vec::new() };
        let chain = match (&opening.from.zone, &opening.to.zone) {
            (_, Zone::Local) => Some(Chain { source: false, local: true, target }),
            (_, Zone::Internet) => Some(Chain { source: false, local: false, target }),
            (Zone::Local, _) => Some(Chain { source: true, local: true, target }),
            (Zone::Internet, _) => Some(Chain { source: true, local: false, target }),
            _ => None,
        };
        body.chains.extend(chain);
        let target = chain.map_or_else(|| target.to_owned(), Chain::name);
        let matched = packet(opening);
        for source in some(&from, "-s") {
            for destination in some(&to, "-d") {
                for packet in &matched {
                    let comment = format!("-m comment --comment \"{}\"", ids(opening, LONGEST_COMMENT));
                    let parts = [flag(family), into(ruleset), &source, &destination, packet, &comment, "-j", &target];
                    let line: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                    body.lines.push(format!("{mark}{}", line.join(" ")));
                }
            }
        }
    }
}

/// The opening by a set of addresses that a resolver fills, for who has one.
fn by_set(ruleset: &Ruleset<'_>, opening: &Opening, body: &mut Body) {
    let (own, _) = patterns(opening);
    let name: String = own
        .first()
        .map_or("", |name| name.trim_start_matches("*."))
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(LONGEST_SET)
        .collect();
    let domains: Vec<&str> = own.iter().map(|pattern| pattern.trim_start_matches("*.")).collect();
    body.lines.push(
        "# Use the allow list of a proxy, a firewall with objects by name (FQDN), or a set that this site's resolver fills. With dnsmasq (its own line):"
            .to_owned(),
    );
    body.lines.push(format!("# ipset=/{}/{name}_v4,{name}_v6", domains.join("/")));
    body.lines.push(format!("# ipset create {name}_v4 hash:ip family inet timeout 86400; ipset create {name}_v6 hash:ip family inet6 timeout 86400"));
    body.lines.push("# Where these sets are made, take the # away:".to_owned());
    let from = if let Zone::Networks(networks) = &opening.from.zone { networks.clone() } else { ruleset.policy.local.clone() };
    for family in ruleset.families(opening) {
        for network in family.of(&from) {
            for packet in packet(opening) {
                let set = format!("{name}_{}", if family == Family::V4 { "v4" } else { "v6" });
                body.lines.push(format!("#{} {} -s {} {packet} -m set --match-set {set} dst -j ACCEPT", flag(family), into(ruleset), address(&network)));
            }
        }
    }
}

/// Transport and ports; more ports than one match takes are several rules.
fn packet(opening: &Opening) -> Vec<String> {
    let Some(transport) = opening.transport else { return vec![String::new()] };
    let begin = format!("-p {}", protocol(transport));
    let of = |ranges: &[PortRange], word: &str| -> Vec<String> {
        match ranges {
            [] => vec![String::new()],
            [_] => vec![format!(" --{word} {}", ports(ranges, ":", ","))],
            // A range takes two of its places.
            many => many.chunks(MULTIPORT / 2).map(|some| format!(" -m multiport --{word}s {}", ports(some, ":", ","))).collect(),
        }
    };
    let (clients, servers) = (of(&opening.client_ports, "sport"), of(&opening.ports, "dport"));
    clients.iter().flat_map(|client| servers.iter().map(|server| format!("{begin}{client}{server}")).collect::<Vec<_>>()).collect()
}

/// What a chain does with addresses inside.
fn inside(ruleset: &Ruleset<'_>, chain: &Chain) -> Vec<String> {
    let field = if chain.source { "-s" } else { "-d" };
    let target = if chain.local { chain.target } else { "RETURN" };
    let networks = FAMILIES.into_iter().flat_map(|family| family.of(&ruleset.policy.local).into_iter().map(move |network| (family, network)));
    let mut lines: Vec<String> =
        networks.map(|(family, network)| format!("{} -A {} {field} {} -j {target}", flag(family), chain.name(), address(&network))).collect();
    if !chain.local {
        lines.push(format!("-A {} -j {}", chain.name(), chain.target));
    }
    lines
}

/// Connection tracking helpers for the announcing connections.
fn helpers(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut lines: Vec<String> = Vec::new();
    for follows in ruleset.openings().into_iter().filter_map(|(opening, _)| opening.follows.as_ref()) {
        for control in &follows.controls {
            for family in ruleset.families(control) {
                let networks = |zone: &Zone| if let Zone::Networks(networks) = zone { family.of(networks) } else { Vec::new() };
                for (source, destination) in pairs(&some(&networks(&control.from.zone), "-s"), &some(&networks(&control.to.zone), "-d")) {
                    for packet in packet(control) {
                        let parts = [flag(family), "-A PREROUTING", &source, &destination, &packet, "-j CT --helper", follows.helper];
                        let line = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
                        if !lines.contains(&line) {
                            lines.push(line);
                        }
                    }
                }
            }
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "# Reads what these connections announce (kernel modules nf_conntrack_ftp and its like).\n*raw")?;
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    writeln!(out, "COMMIT\n")
}

fn pairs(one: &[String], other: &[String]) -> Vec<(String, String)> {
    one.iter().flat_map(|a| other.iter().map(|b| (a.clone(), b.clone()))).collect()
}

/// Each network behind its flag; nothing where any will do.
fn some(networks: &[ipnet::IpNet], flag: &str) -> Vec<String> {
    if networks.is_empty() { vec![String::new()] } else { networks.iter().map(|network| format!("{flag} {}", address(network))).collect() }
}

/// Where a rule goes: into the chain of its own, or, where something is missing in other rules, in front of these.
const fn into(ruleset: &Ruleset<'_>) -> &'static str {
    if ruleset.found.is_none() { "-A PORTBOOK" } else { "-I FORWARD" }
}

const fn flag(family: Family) -> &'static str {
    match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    }
}

const PREFACE: &[&str] = &[
    "Check with iptables-restore --test < FILE, load with iptables-restore --noflush < FILE, and the same file with ip6tables-restore: each takes",
    "the lines of its own family. The chains below are emptied first. FORWARD gets its one line again with each load: take the old one away before",
    "(iptables -D FORWARD -j PORTBOOK). Whatever is forwarded and stands not here is dropped.",
];
const MISSING: &[&str] = &[
    "Check with iptables-restore --test < FILE, load with iptables-restore --noflush < FILE, and the same file with ip6tables-restore: each takes",
    "the lines of its own family. The rules are put in front of those that FORWARD has already.",
];
const CHAIN: &str = "PORTBOOK";
/// Ports that one multiport match takes.
const MULTIPORT: usize = 15;
/// A comment may have 255 characters.
const LONGEST_COMMENT: usize = 120;
/// Names of an ipset have 31 characters, of which three tell the family.
const LONGEST_SET: usize = 28;
