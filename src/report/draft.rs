//! A draft of a site file from what captures show: every line with its reason, what is a hint and no more behind a `#`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;

use crate::capture::{CaptureFile, FrameId};
use crate::count::counted;
use crate::judge::learned::{Group, Host, Learned, Moving, Seen, Stranger};
use crate::judge::{Confidence, Shown};
use crate::limit;
use crate::report::frames::numbers;
use crate::report::paragraph::{count, listed, shown};
use crate::report::record::word;
use crate::report::text::length;
use crate::signature::{RoleId, ServiceId, Signatures};

/// What a draft is written from.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The documents.
    pub signatures: &'a Signatures,
    /// What was learned.
    pub learned: &'a Learned,
    /// The captures.
    pub files: &'a [CaptureFile],
}

impl Draft<'_> {
    /// Writes the file.
    ///
    /// # Errors
    /// Whatever the output answers.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.head(out)?;
        let learned = self.learned;
        learned.networks.iter().try_for_each(|network| self.network(network, out))?;
        for (number, group) in (1..).zip(&learned.groups) {
            self.group(number, group, out)?;
        }
        learned.moved.iter().try_for_each(|moving| self.moving(moving, out))?;
        learned.unknown.iter().try_for_each(|stranger| self.stranger(stranger, out))?;
        for (ip, flows) in &learned.noise {
            writeln!(
                out,
                "\n# {ip} asked many hosts or ports in vain, {} taken for noise. If it is a scanner of your own, say so and take the # away:",
                count(*flows, "flow")
            )?;
            writeln!(out, "#[[ignore]]\n#client = [\"{ip}\"]\n#reason = \"who scans, and why\"")?;
        }
        if learned.groups.iter().all(|group| !group.sure) {
            writeln!(out, "\n# No host showed beyond doubt what it is. Give hosts the roles that you know: `portbook signatures list` prints them.")?;
        }
        if learned.dropped > 0 {
            writeln!(out, "\n# {} hosts or kinds of flows more than are kept were left out.", learned.dropped)?;
        }
        Ok(())
    }

    fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        let learned = self.learned;
        let packets: u64 = self.files.iter().map(|file| file.frames).sum();
        let from = match self.files {
            [one] => clean(&one.path),
            many => format!("{} captures", many.len()),
        };
        writeln!(out, "# A site file drafted by portbook learn from {from}: {} in {}.", counted(packets, "packet"), length(learned.lasted.as_secs_f64()))?;
        writeln!(
            out,
            "# It reads as it is (--site). Every line says why it is there. What stands behind a # alone is a hint and no more: take the # away if it is right."
        )?;
        writeln!(out, "# Captures show what happened, not what should: read it before you believe it.\n\n[site]")?;
        writeln!(out, "name = \"\" # captures do not tell: what people call the site")?;
        if !learned.vendors.is_empty() {
            let vendors: Vec<String> = learned.vendors.iter().map(|vendor| quoted(vendor)).collect();
            writeln!(
                out,
                "#products = [{}] # hosts of these products showed themselves; products that did not would no longer be looked for",
                vendors.join(", ")
            )?;
        }
        let outside = match learned.outside {
            0 => "nobody outside took part".to_owned(),
            many => format!("{} outside took part", count_addresses(many)),
        };
        writeln!(out, "local = [] # the networks below, and what no public network uses; {outside}")
    }

    fn network(&self, seen: &Seen, out: &mut dyn Write) -> io::Result<()> {
        let hosts = hosts(seen.hosts.iter());
        let bits = if seen.network.addr().is_ipv4() { 24 } else { 64 };
        let width = match (seen.network.prefix_len() == bits, seen.on_one_link) {
            (false, _) => "as wide as it must be to hold them, as they are on one link",
            (true, true) => "its width is a guess; they are on the link of the capture",
            (true, false) => "its width is a guess, packets do not tell",
        };
        writeln!(out, "\n# Heard there: {hosts}.\n[[networks]]")?;
        writeln!(out, "name = \"{}\" # its address; write what people call it", seen.network)?;
        writeln!(out, "addresses = [\"{}\"] # {} heard; {width}", seen.network, count(seen.hosts.len(), "host"))?;
        // What all its hosts are may be said of the network; that those to come are it, too, is a guess.
        let all = self
            .learned
            .groups
            .iter()
            .filter(|group| group.sure)
            .find(|group| seen.hosts.len() > 1 && seen.hosts.iter().all(|ip| group.hosts.contains_key(ip)));
        match all {
            Some(group) => writeln!(out, "#roles = [{}] # all hosts heard there show it", self.roles(&group.roles)),
            None => Ok(()),
        }
    }

    fn group(&self, number: usize, group: &Group, out: &mut dyn Write) -> io::Result<()> {
        let mark = if group.sure { "" } else { "#" };
        let names: Vec<&str> = group.roles.iter().map(|role| self.signatures.role(*role).name.as_str()).collect();
        let how = if group.sure { "" } else { ": a hint and no more" };
        writeln!(out, "\n# {} by what they show{how}:", listed(&names, "and"))?;
        for (ip, host) in &group.hosts {
            for why in self.evidence(group, host) {
                writeln!(out, "#   {ip}: {why}")?;
            }
        }
        writeln!(out, "{mark}[[hosts]]")?;
        let base = self.signatures.role(group.roles[0]).id.replace('.', " ");
        writeln!(out, "{mark}name = {} # after their role; write what people call them", quoted(&format!("{base} {number}")))?;
        let addresses: Vec<String> = group.hosts.keys().map(|ip| format!("\"{ip}\"")).collect();
        writeln!(out, "{mark}addresses = [{}] # {}, see above", addresses.join(", "), count(group.hosts.len(), "host"))?;
        let sure = match group.confidence() {
            _ if group.hosts.values().any(|host| !host.given.is_empty()) => "as you said",
            Confidence::High => "high confidence: nobody else shows it",
            Confidence::Medium => "medium confidence: few others show it",
            Confidence::Low if group.sure => "medium confidence: several ports are as its document has them",
            Confidence::Low => "low confidence: one port is as its document has it, which may be an accident",
        };
        writeln!(out, "{mark}roles = [{}] # {sure}", self.roles(&group.roles))?;
        if let Some(version) = &group.version {
            writeln!(out, "{mark}version = {} # they say so themselves, see above", quoted(version))?;
        }
        if group.sure {
            self.details(group, out)?;
        }
        Ok(())
    }

    fn details(&self, group: &Group, out: &mut dyn Write) -> io::Result<()> {
        if group.asks_for_addresses {
            let asked: Vec<FrameId> = group.hosts.values().filter_map(|host| host.asked).collect();
            writeln!(out, "static_addresses = false # they asked a DHCP server for their addresses (frame {})", self.frame(asked.into_iter().min()))?;
        } else {
            let lasted = length(self.learned.lasted.as_secs_f64());
            writeln!(out, "#static_addresses = true # none of them asked for an address in {lasted}; what they have may have been given before")?;
        }
        let macs: BTreeSet<String> = group.hosts.values().flat_map(|host| &host.macs).map(ToString::to_string).collect();
        if !macs.is_empty() {
            let macs: Vec<String> = macs.iter().map(|mac| quoted(mac)).collect();
            writeln!(out, "macs = [{}] # what they sent themselves came from there, and nobody else's did", macs.join(", "))?;
        }
        if !group.on.is_empty() {
            let ids: Vec<String> = group.on.iter().map(|id| quoted(&self.signatures.service(*id).id)).collect();
            let first = |id: &ServiceId| group.hosts.values().filter_map(|host| host.on.get(id)).min().copied();
            let frames: Vec<String> = group.on.iter().map(|id| self.frame(first(id))).collect();
            writeln!(out, "services_on = [{}] # off unless switched on, and it was answered (frame {})", ids.join(", "), frames.join(", "))?;
        }
        Ok(())
    }

    /// What shows that a host is what its group is.
    fn evidence(&self, group: &Group, host: &Host) -> Vec<String> {
        let mut lines: Vec<String> =
            group.roles.iter().filter(|role| host.given.contains(role)).map(|role| format!("you said so: {}", self.signatures.role(*role).id)).collect();
        let of_group = |shown: &&Shown| group.roles.contains(&shown.role);
        for shown in host.shown.iter().filter(of_group) {
            let version = shown.version.as_ref().map_or_else(String::new, |version| format!(", version {}", clean(version)));
            let (by, what) = (shown.by.replace('_', " "), clean(&shown.what));
            lines.push(format!("{by} {what}{version} ({} confidence, frame {})", word(&shown.confidence), self.frame(Some(shown.frame))));
        }
        for (role, rows) in host.serves.iter().filter(|(role, _)| group.roles.contains(role)) {
            // One of them stands above already, as evidence.
            if rows.len() > 1 || !host.shown.iter().any(|shown| shown.role == *role) {
                let served: Vec<String> =
                    rows.iter().map(|(id, frame)| format!("{} (frame {})", self.signatures.service(*id).id, self.frame(Some(*frame)))).collect();
                lines.push(format!("answers on {}", listed(&served, "and")));
            }
        }
        lines
    }

    fn moving(&self, moving: &Moving, out: &mut dyn Write) -> io::Result<()> {
        let Moving { service, server, place: (transport, port), protocol, frame } = moving;
        let row = self.signatures.service(*service);
        let ports: Vec<String> = row.ports.iter().map(ToString::to_string).collect();
        let frame = self.frame(Some(*frame));
        writeln!(
            out,
            "\n# {server} speaks {protocol} on {port}/{transport} (frame {frame}), as {} does, which its document has on {}. If it was moved there:",
            row.id,
            ports.join(", ")
        )?;
        writeln!(out, "#[[ports]]\n#service = {}\n#ports = [{port}]\n#servers = [\"{server}\"]", quoted(&row.id))
    }

    fn stranger(&self, stranger: &Stranger, out: &mut dyn Write) -> io::Result<()> {
        let (transport, port) = stranger.place;
        let spoken = if stranger.protocol.is_empty() { "nothing recognised".to_owned() } else { stranger.protocol.join(", ") };
        let reasons: Vec<String> = stranger.reasons.iter().map(|reason| word(reason).replace('_', " ")).collect();
        let against = if reasons.is_empty() { "no document mentions it".to_owned() } else { reasons.join(", ") };
        let (clients, servers) = (hosts(stranger.clients.iter()), hosts(stranger.servers.iter()));
        let frame = self.frame(Some(stranger.frame));
        writeln!(out, "\n# {clients} asked {servers} on {port}/{transport} ({spoken}), {}, first in frame {frame}: {against}.", count(stranger.flows, "flow"))?;
        writeln!(out, "# If it is wanted, say by whom and take the # away; if not, see portbook analyze:")?;
        writeln!(out, "#[[allow]]\n#client = [{}]\n#server = [{}]", self.ends(&stranger.clients), self.ends(&stranger.servers))?;
        writeln!(out, "#transport = \"{transport}\"")?;
        if transport.has_ports() {
            writeln!(out, "#ports = [{port}]")?;
        }
        if let Some(protocol) = stranger.protocol.last() {
            writeln!(out, "#protocol = \"{protocol}\"")?;
        }
        writeln!(out, "#reason = \"who wants it, and why\"")
    }

    /// Some addresses for an entry; where there are more, what they have in common.
    fn ends(&self, hosts: &BTreeSet<IpAddr>) -> String {
        if hosts.len() <= limit::NEAREST_SHOWN {
            return hosts.iter().map(|ip| format!("\"{ip}\"")).collect::<Vec<_>>().join(", ");
        }
        let inside = |ip: &IpAddr| self.learned.networks.iter().any(|seen| seen.network.contains(ip));
        let networks: Vec<String> =
            self.learned.networks.iter().filter(|seen| hosts.iter().any(|ip| seen.network.contains(ip))).map(|seen| format!("\"{}\"", seen.network)).collect();
        if hosts.iter().all(inside) {
            networks.join(", ")
        } else if networks.is_empty() {
            "\"internet\"".to_owned()
        } else {
            format!("{}, \"internet\"", networks.join(", "))
        }
    }

    fn roles(&self, roles: &[RoleId]) -> String {
        roles.iter().map(|role| quoted(&self.signatures.role(*role).id)).collect::<Vec<_>>().join(", ")
    }

    fn frame(&self, frame: Option<FrameId>) -> String {
        frame.map_or_else(|| "?".to_owned(), |frame| clean(&numbers(self.files, &[frame])))
    }
}

/// Some of the hosts, and how many more.
fn hosts<'a>(all: impl ExactSizeIterator<Item = &'a IpAddr>) -> String {
    let many = all.len();
    let some: Vec<String> = all.take(limit::NEAREST_SHOWN).map(ToString::to_string).collect();
    if many > some.len() { format!("{} and {} more", some.join(", "), many - some.len()) } else { some.join(", ") }
}

fn count_addresses(many: usize) -> String {
    if many == 1 { "one address".to_owned() } else { format!("{many} addresses") }
}

/// One line of what can be printed: names and versions come from the wire.
fn clean(text: &str) -> String {
    shown(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A basic string of TOML.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
