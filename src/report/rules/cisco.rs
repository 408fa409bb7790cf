//! Named extended access lists of Cisco IOS, one a family, to be applied inbound at every interface of the router.

use std::io::{self, Write};

use ipnet::IpNet;

use crate::judge::policy::{Opening, Zone};
use crate::net::Transport;
use crate::report::rules::{FAMILIES, Family, Ruleset, by_name, comments, ports, protocol};
use crate::signature::PortRange;

pub(super) fn write(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    let plain = |lines: &[String]| lines.iter().map(|line| ascii(line)).collect::<Vec<_>>();
    comments(out, "! ", &plain(&ruleset.preface(PREFACE, MISSING)))?;
    writeln!(out, "!")?;
    groups(ruleset, out)?;
    for family in FAMILIES {
        list(ruleset, family, out)?;
    }
    let notes = ruleset.notes();
    if !notes.is_empty() {
        writeln!(out, "!\n! No rule:")?;
    }
    comments(out, "! - ", &plain(&notes))
}

/// Object groups of what is inside and outside, for IPv4; lists for IPv6 name networks, as older releases have no groups for them.
fn groups(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    let asks = |wanted: &dyn Fn(&Zone) -> bool| {
        let openings = ruleset.openings();
        let all =
            openings.iter().map(|(opening, _)| *opening).chain(&ruleset.policy.closings).filter(|opening| ruleset.families(opening).any(|of| of == Family::V4));
        all.into_iter().any(|opening| wanted(&opening.from.zone) || wanted(&opening.to.zone))
    };
    let mut told = false;
    for (name, networks, wanted) in [
        (LOCAL, Family::V4.of(&ruleset.policy.local), asks(&|zone| matches!(zone, Zone::Local))),
        (INTERNET, ruleset.outside(Family::V4), asks(&|zone| matches!(zone, Zone::Internet))),
    ] {
        if wanted {
            writeln!(out, "object-group network {name}")?;
            told = true;
            for network in networks {
                if let IpNet::V4(v4) = network {
                    let line = if v4.prefix_len() == 32 { format!("host {}", v4.addr()) } else { format!("{} {}", v4.network(), v4.netmask()) };
                    writeln!(out, " {line}")?;
                }
            }
        }
    }
    if told { writeln!(out, "!") } else { Ok(()) }
}

fn list(ruleset: &Ruleset<'_>, family: Family, out: &mut dyn Write) -> io::Result<()> {
    let openings: Vec<_> = ruleset.openings().into_iter().filter(|(opening, _)| ruleset.families(opening).any(|of| of == family)).collect();
    let closings: Vec<_> = ruleset.policy.closings.iter().filter(|closing| ruleset.families(closing).any(|of| of == family)).collect();
    // Names stand for addresses of both families; of hosts that have one of them only, lists of the other say nothing.
    if openings.is_empty() && closings.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", if family == Family::V4 { format!("ip access-list extended {LIST}") } else { format!("ipv6 access-list {LIST}6") })?;
    if ruleset.found.is_none() && openings.iter().any(|(opening, _)| opening.transport.is_none_or(|transport| transport == Transport::TCP)) {
        remarks(out, &["An access list keeps no state. Answers over TCP:".to_owned()])?;
        writeln!(out, " permit tcp any any established")?;
    }
    if ruleset.found.is_none() {
        remarks(out, &["Errors about what may pass: without them large packets vanish (path MTU).".to_owned()])?;
        let errors: &[&str] = if family == Family::V4 { &["unreachable", "time-exceeded"] } else { &["unreachable", "packet-too-big", "time-exceeded"] };
        errors.iter().try_for_each(|error| writeln!(out, " permit icmp any any {error}"))?;
    }
    let answered = |is_udp: bool| {
        let all = openings.iter().map(|(opening, _)| *opening).filter(|opening| opening.names().is_none());
        let mut lines: Vec<String> = all
            .filter(|opening| opening.transport.is_some_and(|transport| transport != Transport::TCP && is_udp == (transport == Transport::UDP)))
            .flat_map(|opening| entries(ruleset, opening, family, "permit", true))
            .collect();
        lines.sort();
        lines.dedup();
        lines
    };
    for (lines, remark) in [(answered(true), "Answers over UDP, by the server's port:"), (answered(false), "The way back of other protocols:")] {
        if !lines.is_empty() {
            remarks(out, &[remark.to_owned()])?;
            lines.iter().try_for_each(|line| writeln!(out, " {line}"))?;
        }
    }
    for closing in closings {
        remarks(out, &ruleset.story(closing, None))?;
        entries(ruleset, closing, family, "deny", false).iter().try_for_each(|line| writeln!(out, " {line}"))?;
    }
    for (opening, gap) in openings {
        remarks(out, &ruleset.story(opening, gap))?;
        if opening.names().is_some() {
            remarks(out, &by_name(opening))?;
            remarks(out, &BY_NAME.map(str::to_owned))?;
            continue;
        }
        let mark = if opening.follows.is_some() {
            remarks(out, &["Announced ports: have the router inspect FTP; where it cannot read along (TLS), take the ! away:".to_owned()])?;
            "!"
        } else {
            " "
        };
        entries(ruleset, opening, family, "permit", false).iter().try_for_each(|line| writeln!(out, "{mark}{line}"))?;
    }
    writeln!(out, "!")
}

/// Entries of an opening, one for each pair of networks and each range of ports; `back`: of its answers.
fn entries(ruleset: &Ruleset<'_>, opening: &Opening, family: Family, action: &str, back: bool) -> Vec<String> {
    let transport = opening.transport.map_or_else(|| if family == Family::V4 { "ip".to_owned() } else { "ipv6".to_owned() }, protocol);
    let (from, to) = (ends(ruleset, &opening.from.zone, family), ends(ruleset, &opening.to.zone, family));
    // Ports of SCTP cannot be named in these lists.
    let by_port = matches!(opening.transport, Some(Transport::TCP | Transport::UDP));
    let of = |ranges: &[PortRange]| if by_port { operators(ranges) } else { vec![String::new()] };
    let (client_ports, server_ports) = (of(&opening.client_ports), of(&opening.ports));
    let mut lines = Vec::new();
    for client in &from {
        for server in &to {
            for client_port in &client_ports {
                for server_port in &server_ports {
                    let (asks, answers) = (format!("{client}{client_port}"), format!("{server}{server_port}"));
                    let line = if back { format!("{action} {transport} {answers} {asks}") } else { format!("{action} {transport} {asks} {answers}") };
                    lines.push(line);
                }
            }
        }
    }
    lines
}

fn ends(ruleset: &Ruleset<'_>, zone: &Zone, family: Family) -> Vec<String> {
    let each = |networks: &[IpNet]| networks.iter().map(written).collect::<Vec<_>>();
    match (zone, family) {
        (Zone::Networks(networks), _) => each(&family.of(networks)),
        (Zone::Local, Family::V4) => vec![format!("object-group {LOCAL}")],
        (Zone::Internet, Family::V4) => vec![format!("object-group {INTERNET}")],
        (Zone::Local, Family::V6) => each(&family.of(&ruleset.policy.local)),
        (Zone::Internet, Family::V6) => each(&ruleset.outside(family)),
        (Zone::Any | Zone::Names(_), _) => vec!["any".to_owned()],
    }
}

/// `10.1.0.0 0.0.0.255`, `host 10.1.0.2`, `2001:db8::/64`.
fn written(network: &IpNet) -> String {
    match network {
        IpNet::V4(v4) if v4.prefix_len() == 32 => format!("host {}", v4.addr()),
        IpNet::V6(v6) if v6.prefix_len() == 128 => format!("host {}", v6.addr()),
        network if network.prefix_len() == 0 => "any".to_owned(),
        IpNet::V4(v4) => format!("{} {}", v4.network(), v4.hostmask()),
        IpNet::V6(v6) => v6.trunc().to_string(),
    }
}

fn operators(ranges: &[PortRange]) -> Vec<String> {
    if ranges.is_empty() {
        return vec![String::new()];
    }
    let one = |range: &PortRange| if range.low == range.high { format!(" eq {}", range.low) } else { format!(" range {}", ports(&[*range], " ", "")) };
    ranges.iter().map(one).collect()
}

fn remarks(out: &mut dyn Write, lines: &[String]) -> io::Result<()> {
    for line in lines {
        let mut text = String::new();
        for word in ascii(line)
            .split_whitespace()
            .flat_map(|word| word.as_bytes().chunks(LONGEST_REMARK).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect::<Vec<_>>())
        {
            if !text.is_empty() && text.len() + 1 + word.len() > LONGEST_REMARK {
                writeln!(out, " remark {text}")?;
                text.clear();
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&word);
        }
        writeln!(out, " remark {text}")?;
    }
    Ok(())
}

/// Consoles take ASCII; a question mark would call for help.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if c == '?' || !(c.is_ascii_graphic() || c == ' ') { '.' } else { c }).collect()
}

const PREFACE: &[&str] = &[
    "Apply inbound at every interface between the networks: ip access-group PORTBOOK in, and for IPv6: ipv6 traffic-filter PORTBOOK6 in.",
    "What stands not here is dropped by the list's implicit end, also what goes to the router itself: routing protocols, DHCP relay, management.",
    "With a zone-based firewall, put the permits into a class map and inspect them; then leave the lines for answers out.",
    "Lines are added to a list of the same name: take an old one away first (no ip access-list extended PORTBOOK; no ipv6 access-list PORTBOOK6).",
];
const MISSING: &[&str] =
    &["Lines for lists that are there already: put them before what denies, in the list's own name. That answers over TCP pass is taken for granted."];
const BY_NAME: [&str; 2] =
    ["Use the allow list of a proxy, or a firewall with objects by name (FQDN) in front of this router.", "Until then nothing here lets it pass."];
const LIST: &str = "PORTBOOK";
const LOCAL: &str = "PORTBOOK-LOCAL";
const INTERNET: &str = "PORTBOOK-INTERNET";
/// Characters of a remark that IOS keeps.
const LONGEST_REMARK: usize = 100;
