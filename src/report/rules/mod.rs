//! Firewall rules of a site, one writer per syntax. To add one: one file, one line in [`SYNTAXES`].
//!
//! What may stand in a comment comes from documents and site files: it is made one line of what can be printed, so that no comment becomes a rule.

mod cisco;
mod csv;
mod iptables;
mod nftables;
mod windows;

use std::io::{self, Write};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::capture::{CaptureFile, FrameId};
use crate::judge::Outcome;
use crate::judge::policy::{Found, Gap, Opening, Policy, Ruleless, Zone, outside_networks};
use crate::net::Transport;
use crate::report::frames::numbers;
use crate::report::paragraph::shown;
use crate::report::record::word;
use crate::signature::{PortRange, Signatures};

/// What the rules are written from.
#[derive(Clone, Copy, Debug)]
pub struct Ruleset<'a> {
    /// What must pass at the site.
    pub policy: &'a Policy,
    /// What captures show to be missing; none where all rules are wanted.
    pub found: Option<&'a Found>,
    /// The documents, to name rows that got no rule.
    pub signatures: &'a Signatures,
    /// The captures, for frame numbers.
    pub files: &'a [CaptureFile],
}

/// A firewall's language.
#[derive(Clone, Copy, Debug)]
pub struct Syntax {
    /// What `--to` takes.
    pub name: &'static str,
    /// For `--help`.
    pub about: &'static str,
    write: fn(&Ruleset<'_>, &mut dyn Write) -> io::Result<()>,
}

/// Every syntax, in the order `--help` lists them.
pub const SYNTAXES: &[Syntax] = &[
    Syntax { name: "nftables", about: "a table of its own for nft -f, IPv4 and IPv6", write: nftables::write },
    Syntax { name: "iptables", about: "one file for iptables-restore and ip6tables-restore", write: iptables::write },
    Syntax { name: "cisco-ios", about: "named extended access lists, IPv4 and IPv6", write: cisco::write },
    Syntax { name: "windows", about: "PowerShell (New-NetFirewallRule), by host", write: windows::write },
    Syntax { name: "csv", about: "a line for each rule and row, for spreadsheets", write: csv::write },
];

impl Syntax {
    /// The syntax of that name.
    pub fn named(name: &str) -> Option<Self> {
        SYNTAXES.iter().find(|syntax| syntax.name == name).copied()
    }

    /// Writes the rules.
    ///
    /// # Errors
    /// Whatever the output answers.
    pub fn write(&self, ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
        (self.write)(ruleset, out)
    }
}

/// The two families, as filters keep them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Family {
    fn has(self, network: &IpNet) -> bool {
        matches!((self, network), (Self::V4, IpNet::V4(_)) | (Self::V6, IpNet::V6(_)))
    }

    /// The networks of this family.
    fn of(self, networks: &[IpNet]) -> Vec<IpNet> {
        networks.iter().copied().filter(|network| self.has(network)).collect()
    }
}

impl<'a> Ruleset<'a> {
    /// The openings to write, each with what shows that it is missing.
    fn openings(&self) -> Vec<(&'a Opening, Option<&'a Gap>)> {
        match self.found {
            Some(found) => found.missing.iter().map(|gap| (&gap.opening, Some(gap))).collect(),
            None => self.policy.openings.iter().map(|opening| (opening, None)).collect(),
        }
    }

    /// What the file is, and how it is used: of all rules, or of what is missing.
    fn preface(&self, whole: &[&str], missing: &[&str]) -> Vec<String> {
        let site = if self.policy.site.is_empty() { String::new() } else { format!(" for \"{}\"", clean(&self.policy.site)) };
        let what = match self.found {
            None => "what the vendors' documents ask for between the hosts of the site file, and what it allows itself",
            Some(found) if found.missing.is_empty() && !found.ruleless.is_empty() => {
                "no rule: what the captures show not to get through is between hosts without a role (below)"
            }
            Some(found) if found.missing.is_empty() => "nothing is missing: no documented flow was seen that does not get through",
            Some(_) => "only what the captures show to be missing; what gets through already is not repeated",
        };
        let begun = [
            format!("portbook rules{site}: {what}."),
            "Each rule is from who opens to who is asked. Above it: the rows that ask for it and the sentences they come from.".to_owned(),
        ];
        let used = if self.found.is_some() { missing } else { whole };
        begun.into_iter().chain(used.iter().map(|line| (*line).to_owned())).collect()
    }

    /// The rows and sentences behind an opening, and what to know of it.
    fn story(&self, opening: &Opening, gap: Option<&Gap>) -> Vec<String> {
        let mut lines = Vec::new();
        for why in &opening.whys {
            lines.push(format!("{}: {} [{}]", clean(&why.id), clean(&why.says), why.basis));
            lines.push(format!("  {}", clean(&why.citation)));
            lines.extend(why.hints.iter().map(|hint| format!("  {}", clean(hint))));
        }
        lines.dedup();
        lines.extend(gap.map(|gap| format!("seen: {}", self.seen(gap))));
        lines
    }

    /// What shows that an opening is missing.
    fn seen(&self, gap: &Gap) -> String {
        self.fails(gap.flows, gap.outcome, gap.pair, gap.pairs, &gap.frames)
    }

    fn fails(&self, flows: u64, outcome: Outcome, pair: (IpAddr, IpAddr), pairs: usize, frames: &[FrameId]) -> String {
        let flows = if flows == 1 { "one flow does".to_owned() } else { format!("{flows} flows do") };
        let more = if pairs > 1 { format!(" and {} more pairs of hosts", pairs - 1) } else { String::new() };
        let frames = clean(&numbers(self.files, frames));
        let frames = if frames.is_empty() { String::new() } else { format!(", frames {frames}") };
        format!("{flows} not get through ({}): {} to {}{more}{frames}", word(&outcome), pair.0, pair.1)
    }

    /// The row's id.
    fn row_of(&self, without: &Ruleless) -> &str {
        &self.signatures.service(without.service).id
    }

    /// What does not get through though there is no rule for it, and why there is none.
    fn without_a_rule(&self, without: &Ruleless) -> String {
        let fails = self.fails(without.flows, without.outcome, without.pair, without.pairs, &without.frames);
        let id = self.row_of(without);
        let known = self.policy.left_out.iter().find(|left| left.id == id).map(|left| left.because.clone());
        let roles = || {
            let row = self.signatures.service(without.service);
            let roles: Vec<String> = row.client.iter().chain(&row.server).map(|role| format!("`{}`", self.signatures.role(*role).id)).collect();
            format!("give its hosts their roles ({}) to have one made", roles.join(", "))
        };
        format!("{fails}; no rule: {}", known.unwrap_or_else(roles))
    }

    /// What gets no rule, each in one line.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(found) = self.found {
            for gap in &found.unsure {
                let id = gap.opening.whys.first().map_or("", |why| &why.id);
                let (from, to) = gap.pair;
                notes.push(format!("{id}: {from} tried it with {to}; the captures do not show whether it gets through ({})", word(&gap.outcome)));
            }
            notes.extend(found.ruleless.iter().map(|without| format!("{}: {}", self.row_of(without), clean(&self.without_a_rule(without)))));
            if found.dropped > 0 {
                notes.push(format!("{} flows were passed over, as more pairs of hosts tried than are kept", found.dropped));
            }
            return notes;
        }
        for opening in &self.policy.discovery {
            let ids: Vec<&str> = opening.whys.iter().map(|why| why.id.as_str()).collect();
            notes.push(format!(
                "{}: {} finds hosts of the same network by multicast or broadcast, and must not leave it; no device between networks has to let it pass",
                ids.join(", "),
                place(opening)
            ));
        }
        notes.extend(self.policy.left_out.iter().map(|left| format!("{} ({}): {}", clean(&left.id), clean(&left.says), clean(&left.because))));
        notes
    }

    /// Hosts that look names up, as some of their rules go by names.
    fn asking_names(&self) -> Vec<IpNet> {
        let mut hosts: Vec<IpNet> = Vec::new();
        for (opening, _) in self.openings().into_iter().filter(|(opening, _)| opening.names().is_some()) {
            if let Zone::Networks(networks) = &opening.from.zone {
                hosts.extend(networks.iter().filter(|network| !hosts.contains(network)).copied().collect::<Vec<_>>());
            }
        }
        hosts.sort_unstable();
        hosts
    }

    /// What is not inside, as networks; groups of hosts are no part of it.
    fn outside(&self, family: Family) -> Vec<IpNet> {
        outside_networks(&self.policy.local, family == Family::V6)
    }

    /// Families in which both ends have addresses.
    fn families(&self, opening: &Opening) -> impl Iterator<Item = Family> {
        let local = &self.policy.local;
        let has = move |zone: &Zone, family: Family| match zone {
            Zone::Networks(networks) => networks.iter().any(|network| family.has(network)),
            Zone::Local => local.iter().any(|network| family.has(network)),
            Zone::Internet | Zone::Any | Zone::Names(_) => true,
        };
        // Each family has an ICMP of its own.
        let alone = match opening.transport {
            Some(Transport::ICMP | Transport::IGMP) => Some(Family::V4),
            Some(Transport::ICMP6) => Some(Family::V6),
            _ => None,
        };
        FAMILIES
            .into_iter()
            .filter(move |family| alone.is_none_or(|alone| alone == *family) && has(&opening.from.zone, *family) && has(&opening.to.zone, *family))
    }
}

/// Patterns that the row's own servers go by, and those that half the Internet shares.
fn patterns(opening: &Opening) -> (Vec<String>, Vec<String>) {
    let (broad, own): (Vec<_>, Vec<_>) = opening.names().into_iter().flatten().partition(|name| name.broad);
    let texts = |names: Vec<&crate::signature::HostPattern>| names.into_iter().map(|name| clean(&name.pattern)).collect();
    // Where a row has no other names, these are what there is.
    if own.is_empty() { (texts(broad), Vec::new()) } else { (texts(own), texts(broad)) }
}

/// Why no address stands in a rule that goes by names.
fn by_name(opening: &Opening) -> Vec<String> {
    let (own, broad) = patterns(opening);
    let mut lines =
        vec![format!("By name, never by address: {}. What these names resolve to changes by the minute and is shared, so a rule with", own.join(", "))];
    lines.push("addresses would cut the service off one day, or let through what it should not.".to_owned());
    if !broad.is_empty() {
        lines.push(format!(
            "Left out, as half the Internet is behind these names: {}. A resolver that follows aliases needs the own names only.",
            broad.join(", ")
        ));
    }
    lines
}

/// `tcp 80, 443`, `udp`, `any protocol`.
fn place(opening: &Opening) -> String {
    let transport = opening.transport.map_or_else(|| "any protocol".to_owned(), |transport| transport.to_string());
    if opening.ports.is_empty() { transport } else { format!("{transport} {}", ports(&opening.ports, "-", ", ")) }
}

/// `80, 6900-6909`, with the syntax's own signs.
fn ports(ranges: &[PortRange], dash: &str, comma: &str) -> String {
    let texts: Vec<String> =
        ranges.iter().map(|range| if range.low == range.high { range.low.to_string() } else { format!("{}{dash}{}", range.low, range.high) }).collect();
    texts.join(comma)
}

/// Ids of the rows, as many as fit.
fn ids(opening: &Opening, room: usize) -> String {
    let mut text = String::new();
    for why in &opening.whys {
        let id = clean(&why.id);
        if !text.is_empty() && text.len() + 2 + id.len() > room {
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&id);
    }
    text.retain(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\') || c == ' ');
    text.truncate(room);
    text
}

/// A number or name that filters take for a transport.
fn protocol(transport: Transport) -> String {
    if transport.has_ports() { transport.to_string() } else { transport.0.to_string() }
}

/// A single address without its prefix length.
fn address(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// One line of what can be printed.
fn clean(text: &str) -> String {
    shown(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes each text as a comment.
fn comments(out: &mut dyn Write, mark: &str, lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{}", format!("{mark}{line}").trim_end()))
}
