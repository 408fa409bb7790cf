//! A PowerShell script for the hosts' own firewalls: each host runs the parts of its roles.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use ipnet::IpNet;

use crate::judge::policy::{End, Opening, Zone};
use crate::net::Transport;
use crate::report::rules::{FAMILIES, Family, Ruleset, address, by_name, clean, comments, ids, patterns, ports, protocol};
use crate::signature::PortRange;

pub(super) fn write(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    let parts = parts(ruleset);
    comments(out, "# ", &ruleset.preface(PREFACE, MISSING))?;
    writeln!(out, "param([Parameter(Mandatory)][string[]]$On)\n")?;
    let known: Vec<String> = parts.keys().map(|part| quoted(part)).collect();
    writeln!(out, "$parts = @({})", known.join(", "))?;
    writeln!(out, "$On | Where-Object {{ $parts -notcontains $_ }} | ForEach-Object {{ throw \"no part '$_'; there are: $($parts -join '; ')\" }}")?;
    if ruleset.found.is_none() {
        writeln!(out, "Remove-NetFirewallRule -Group '{GROUP}' -ErrorAction SilentlyContinue")?;
    }
    for (name, part) in &parts {
        writeln!(out, "\n# {}", part.who.iter().map(String::as_str).collect::<Vec<_>>().join("; "))?;
        writeln!(out, "if ($On -contains {}) {{", quoted(name))?;
        part.lines.iter().try_for_each(|line| writeln!(out, "{}", format!("    {line}").trim_end()))?;
        writeln!(out, "}}")?;
    }
    let notes: Vec<String> = ruleset.notes().into_iter().map(|note| format!("- {note}")).collect();
    if !notes.is_empty() {
        writeln!(out, "\n# No rule:")?;
    }
    comments(out, "# ", &notes)
}

/// Parts by the addresses of their hosts.
type Parts = BTreeMap<String, Part>;

/// What some hosts let pass.
#[derive(Default)]
struct Part {
    who: BTreeSet<String>,
    lines: Vec<String>,
}

impl Part {
    fn begin(&mut self, story: &[String]) {
        self.lines.push(String::new());
        self.lines.extend(story.iter().map(|line| format!("# {line}")));
    }
}

fn parts(ruleset: &Ruleset<'_>) -> Parts {
    let mut parts = Parts::new();
    for closing in &ruleset.policy.closings {
        both_ends(ruleset, closing, "Block", &ruleset.story(closing, None), &mut parts);
    }
    for (opening, gap) in ruleset.openings() {
        both_ends(ruleset, opening, "Allow", &ruleset.story(opening, gap), &mut parts);
    }
    if ruleset.found.is_none() {
        for opening in &ruleset.policy.discovery {
            let Some(part) = part(ruleset, &mut parts, &opening.from) else { continue };
            part.begin(&ruleset.story(opening, None));
            for (direction, field) in [("Inbound", "LocalPort"), ("Outbound", "RemotePort")] {
                let port = of_ports(field, &opening.ports);
                part.lines.push(rule(opening, direction, "Allow", &format!("{port} -RemoteAddress LocalSubnet")));
            }
        }
    }
    parts
}

fn both_ends(ruleset: &Ruleset<'_>, opening: &Opening, action: &str, story: &[String], parts: &mut Parts) {
    if let Some(part) = part(ruleset, parts, &opening.to) {
        part.begin(story);
        let ports = format!("{}{}", of_ports("LocalPort", &opening.ports), of_ports("RemotePort", &opening.client_ports));
        part.lines.push(rule(opening, "Inbound", action, &format!("{ports}{}", remote(ruleset, &opening.from.zone))));
    }
    if let Some(part) = part(ruleset, parts, &opening.from) {
        part.begin(story);
        let ports = format!("{}{}", of_ports("RemotePort", &opening.ports), of_ports("LocalPort", &opening.client_ports));
        if opening.names().is_some() {
            part.lines.extend(by_name(opening).into_iter().map(|line| format!("# {line}")));
            part.lines.extend(by_keyword(opening, &ports));
        } else {
            part.lines.push(rule(opening, "Outbound", action, &format!("{ports}{}", remote(ruleset, &opening.to.zone))));
        }
    }
}

/// Names as Windows itself can look them up, with Microsoft Defender's network protection; else a proxy.
fn by_keyword(opening: &Opening, ports: &str) -> Vec<String> {
    let mut lines = vec![
        "# Windows allows all that goes out unless told otherwise; where it was, use a proxy's allow list, or dynamic keywords (Windows 11 or".to_owned(),
        "# Windows 10 21H2, with network protection of Microsoft Defender):".to_owned(),
    ];
    for name in patterns(opening).0 {
        lines.push("# $id = '{' + (New-Guid) + '}'".to_owned());
        lines.push(format!("# New-NetFirewallDynamicKeywordAddress -Id $id -Keyword {} -AutoResolve $true", quoted(&name)));
        lines.push(format!("# {}", rule(opening, "Outbound", "Allow", &format!("{ports} -RemoteDynamicKeywordAddresses $id"))));
    }
    lines
}

fn rule(opening: &Opening, direction: &str, action: &str, rest: &str) -> String {
    let name = format!("{GROUP} {}", ids(opening, LONGEST_NAME));
    let protocol = match opening.transport {
        None => "Any".to_owned(),
        Some(Transport::TCP) => "TCP".to_owned(),
        Some(Transport::UDP) => "UDP".to_owned(),
        Some(Transport::SCTP) => "132".to_owned(),
        Some(other) => protocol(other),
    };
    format!("New-NetFirewallRule -Group '{GROUP}' -DisplayName {} -Direction {direction} -Action {action} -Protocol {protocol}{rest} | Out-Null", quoted(&name))
}

fn of_ports(field: &str, ranges: &[PortRange]) -> String {
    if ranges.is_empty() {
        return String::new();
    }
    let each: Vec<String> = ranges.iter().map(|range| format!("'{}'", ports(&[*range], "-", ""))).collect();
    format!(" -{field} {}", each.join(","))
}

/// The other end; nothing where it is anybody.
fn remote(ruleset: &Ruleset<'_>, zone: &Zone) -> String {
    let list = |texts: Vec<String>| format!(" -RemoteAddress {}", texts.iter().map(|text| format!("'{text}'")).collect::<Vec<_>>().join(","));
    match zone {
        Zone::Networks(networks) => list(networks.iter().map(address).collect()),
        Zone::Local => list(ruleset.policy.local.iter().map(IpNet::to_string).collect()),
        Zone::Internet => list(FAMILIES.into_iter().flat_map(|family| stretches(ruleset, family)).collect()),
        Zone::Any | Zone::Names(_) => String::new(),
    }
}

fn stretches(ruleset: &Ruleset<'_>, family: Family) -> Vec<String> {
    let all = crate::judge::policy::outside(&ruleset.policy.local, family == Family::V6);
    all.into_iter().map(|(first, last)| format!("{first}-{last}")).collect()
}

/// The part of some hosts of the site, by where they are; none for hosts outside.
fn part<'p>(ruleset: &Ruleset<'_>, parts: &'p mut Parts, end: &End) -> Option<&'p mut Part> {
    let Zone::Networks(networks) = &end.zone else { return None };
    let inside = |network: &IpNet| ruleset.policy.local.iter().any(|local| local.contains(network));
    let name = networks.iter().map(address).collect::<Vec<_>>().join(", ");
    let part = networks.iter().all(inside).then(|| parts.entry(name).or_default())?;
    part.who.extend(end.who.iter().map(|who| clean(who)));
    Some(part)
}

/// PowerShell's literal text; it takes typographic quotes for plain ones.
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        out.push(c);
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            out.push(c);
        }
    }
    out.push('\'');
    out
}

const PREFACE: &[&str] = &[
    "Run on each host as administrator, with the parts that it belongs to: .\\rules.ps1 -On '10.1.0.0/24'. It replaces the",
    "rules of its own group and no others. Answers pass by themselves, as Windows Firewall keeps state. Inbound is closed by default on Windows,",
    "outbound is open: the outbound rules matter where somebody closed it (Set-NetFirewallProfile -DefaultOutboundAction Block).",
];
const MISSING: &[&str] = &[
    "Run on each host as administrator, with the parts that it belongs to: .\\rules.ps1 -On '10.1.0.0/24'. It adds to the rules that are there. Answers",
    "pass by themselves, as Windows Firewall keeps state.",
];
const GROUP: &str = "portbook";
/// Of a rule's display name: more is cut in the management console.
const LONGEST_NAME: usize = 100;
