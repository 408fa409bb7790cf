//! A row of a document as openings between the hosts that the site gives its roles to.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::judge::policy::{End, Follows, LeftOut, Maker, Opening, Why, Zone, networks};
use crate::judge::version;
use crate::judge::{Moved, Who};
use crate::limit;
use crate::net::Transport;
use crate::signature::{Basis, Citation, Direction, HostPattern, PortRange, PromiseKind, RoleId, RoleKind, RuleEffect, Service, ServiceId};

/// Zones of one side of a row, and whether the site gives their hosts a role; with who stands in each.
type Side = BTreeMap<(Zone, bool), BTreeSet<String>>;

impl Maker<'_> {
    /// Adds what the row asks for. A row in which no role of the site plays asks for nothing here.
    pub(super) fn row(&mut self, id: ServiceId, openings: &mut Vec<Opening>, discovery: &mut Vec<Opening>) {
        let row = self.signatures.service(id);
        if !self.applies(row) || !row.client.iter().chain(&row.server).any(|role| self.is_given(*role)) {
            return;
        }
        if let Some(because) = without_rule(row) {
            return self.leave_out(row, because);
        }
        let Some(on) = self.switched_on(id, row) else {
            return self.leave_out(row, "it is off unless somebody switches it on; where it is on, name it in `services_on` of the site file".to_owned());
        };
        if row.direction == Direction::Discovery {
            return self.found(id, row, discovery);
        }
        let (mut clients, mut servers) = (self.side(id, row, false), self.side(id, row, true));
        if let Some(on) = on {
            // What is switched on is the server's; where the server is not of the site, the client's.
            let of_site = servers.keys().any(|(_, given)| *given);
            let side = if of_site { &mut servers } else { &mut clients };
            *side = std::mem::take(side).into_iter().filter_map(|((zone, given), who)| Some(((here(zone, given, &on)?, given), who))).collect();
        }
        if clients.is_empty() || servers.is_empty() {
            return self.nobody(row);
        }
        for ((from, from_given), from_who) in &clients {
            // One end at least is a host of the site's: what others do among themselves no document asks for.
            for ((zone, _), to_who) in servers.iter().filter(|((_, to_given), _)| *from_given || *to_given) {
                for (to, ports) in self.by_ports(id, row, zone) {
                    if !is_one_host(from, &to) {
                        let (from, to) = (End { zone: from.clone(), who: from_who.clone() }, End { zone: to, who: to_who.clone() });
                        self.open(id, row, &from, &to, &ports, openings);
                    }
                }
            }
        }
    }

    /// Adds an opening for each transport of the row; for TCP and UDP where it names none. Of a row without ports only transports that have none can be opened.
    fn open(&self, id: ServiceId, row: &Service, from: &End, to: &End, ports: &[PortRange], openings: &mut Vec<Opening>) {
        let transports = if row.transports.is_empty() { &[Transport::TCP, Transport::UDP][..] } else { &row.transports };
        let can_be_told = |transport: &&Transport| !ports.is_empty() || helper(row).is_some() || !transport.has_ports();
        openings.extend(transports.iter().filter(can_be_told).map(|transport| Opening {
            from: from.clone(),
            to: to.clone(),
            transport: Some(*transport),
            ports: ports.to_vec(),
            client_ports: row.client_ports.clone(),
            follows: helper(row).map(|helper| Follows { helper, controls: Vec::new() }),
            whys: vec![self.why(id, row, *transport, ports)],
        }));
    }

    /// Adds a discovery row: its hosts, and everybody on their network.
    fn found(&mut self, id: ServiceId, row: &Service, discovery: &mut Vec<Opening>) {
        let given = || row.client.iter().chain(&row.server).copied().filter(|role| self.is_given(*role));
        let hosts = networks::merged(given().flat_map(|role| self.able(role, row, false)).collect());
        if hosts.is_empty() {
            return self.nobody(row);
        }
        let from = End { zone: Zone::Networks(hosts), who: given().map(|role| self.signatures.role(role).name.clone()).collect() };
        let ports = documented_ports(row);
        for transport in &row.transports {
            discovery.push(Opening {
                from: from.clone(),
                to: End { zone: Zone::Local, who: BTreeSet::from(["the same network".to_owned()]) },
                transport: Some(*transport),
                ports: ports.clone(),
                client_ports: Vec::new(),
                follows: None,
                whys: vec![self.why(id, row, *transport, &ports)],
            });
        }
    }

    fn applies(&self, row: &Service) -> bool {
        let products = &self.roles.site().products;
        products.is_empty() || products.contains(&self.signatures.document(row.document).vendor)
    }

    pub(super) fn is_given(&self, role: RoleId) -> bool {
        self.roles.site().roles.iter().any(|(given, _)| *given == role)
    }

    /// Where the row is on: everywhere (`Some(None)`), in some networks, or nowhere (`None`).
    #[allow(clippy::option_option, reason = "the three answers are these")]
    fn switched_on(&self, id: ServiceId, row: &Service) -> Option<Option<Vec<IpNet>>> {
        let mut entries = self.roles.site().switched_on.iter().filter(|(service, _)| *service == id).map(|(_, networks)| networks).peekable();
        if row.default_on != Some(false) {
            return Some(None);
        }
        entries.peek()?;
        let all: Vec<&Vec<IpNet>> = entries.collect();
        Some((!all.iter().any(|networks| networks.is_empty())).then(|| networks::merged(all.into_iter().flatten().copied().collect())))
    }

    /// Who may stand on one side of the row.
    fn side(&self, id: ServiceId, row: &Service, is_server: bool) -> Side {
        let mut side = Side::new();
        let (mut hosts, mut hosts_who) = (Vec::new(), BTreeSet::new());
        for role in if is_server { &row.server } else { &row.client } {
            let name = self.signatures.role(*role).name.clone();
            if self.is_given(*role) {
                let able = self.able(*role, row, !is_server);
                if !able.is_empty() {
                    hosts.extend(able);
                    hosts_who.insert(name);
                }
            } else if let Some(zone) = if is_server { self.asked(id, row, *role) } else { self.asking(id, *role) } {
                side.entry((zone, false)).or_default().insert(name);
            }
        }
        if !hosts.is_empty() {
            side.insert((Zone::Networks(networks::merged(hosts)), true), hosts_who);
        }
        side
    }

    /// Hosts of a role whose version and edition have the row; as clients of DHCP none that have static addresses.
    fn able(&self, role: RoleId, row: &Service, is_client: bool) -> Vec<IpNet> {
        let asks_for_an_address = is_client && row.protocols.iter().flatten().any(|name| name == "dhcp");
        let entries = self.roles.site().roles.iter().filter(|(of, network)| *of == role && !crate::net::is_group(network.addr()));
        let pieces = entries.map(|(_, network)| self.alone(*network));
        let able = pieces.filter(|pieces| {
            let Some(host) = pieces.first().map(IpNet::addr) else { return false };
            let is_static =
                || self.roles.site().narrowest(host, |place| place.static_addresses.is_some()).is_some_and(|place| place.static_addresses == Some(true));
            version::lacks_as(self.signatures, &self.roles, host, role, row).is_none() && !(asks_for_an_address && is_static())
        });
        able.flatten().collect()
    }

    /// Where clients of a role are that the site gives to nobody.
    fn asking(&self, id: ServiceId, role: RoleId) -> Option<Zone> {
        let if_wanted = self.signatures.rules.iter().any(|rule| rule.effect == RuleEffect::OnlyIfWanted && rule.services.contains(&id));
        let wanted = || self.roles.site().switched_on.iter().any(|(service, _)| *service == id);
        match self.signatures.role(role).kind {
            RoleKind::Anyone if if_wanted && wanted() => Some(Zone::Any),
            RoleKind::Anyone | RoleKind::Local => Some(Zone::Local),
            RoleKind::External => Some(Zone::Internet),
            RoleKind::Product | RoleKind::Group => None,
        }
    }

    /// Where servers of a role are that the site gives to nobody. A source beside the document does not open more than the inside.
    fn asked(&self, id: ServiceId, row: &Service, role: RoleId) -> Option<Zone> {
        let kind = self.signatures.role(role).kind;
        let names = self.names(id, row);
        let on_the_lan = row.server.iter().any(|role| self.signatures.role(*role).kind == RoleKind::Group);
        let out = matches!(row.direction, Direction::Out | Direction::OutOnly) && row.basis != Basis::Supplement && !on_the_lan;
        match kind {
            RoleKind::Product | RoleKind::Group => None,
            RoleKind::Local => Some(Zone::Local),
            RoleKind::Anyone | RoleKind::External if !row.addresses.is_empty() => {
                Some(Zone::Networks(networks::merged(row.addresses.iter().copied().map(IpNet::from).collect())))
            }
            RoleKind::Anyone | RoleKind::External if !names.is_empty() => Some(Zone::Names(names)),
            RoleKind::External => Some(Zone::Internet),
            RoleKind::Anyone if out => Some(Zone::Any),
            RoleKind::Anyone => Some(Zone::Local),
        }
    }

    /// Names that the row's servers go by: its own, else those of the rows beside which its document says that addresses change.
    fn names(&self, id: ServiceId, row: &Service) -> Vec<HostPattern> {
        let mut names: BTreeSet<HostPattern> = row.hosts.iter().cloned().collect();
        if names.is_empty() {
            let rules = self.signatures.rules.iter().filter(|rule| rule.effect == RuleEffect::NamesNotAddresses && rule.services.contains(&id));
            let beside = rules.flat_map(|rule| &rule.services).map(|other| self.signatures.service(*other));
            names.extend(beside.filter(|other| other.client.iter().any(|role| row.client.contains(role))).flat_map(|other| other.hosts.iter().cloned()));
        }
        names.into_iter().collect()
    }

    /// The zone in parts that have the row on the same ports: what the site moved, and the rest.
    fn by_ports(&self, id: ServiceId, row: &Service, zone: &Zone) -> Vec<(Zone, Vec<PortRange>)> {
        let (mut rest, mut parts) = (zone.clone(), Vec::new());
        for moved in self.roles.site().moved.iter().filter(|moved| moved.services.contains(&id)) {
            let ports = sorted(moved.ports.clone());
            let Some(there) = self.moved_at(moved) else {
                parts.push((rest, ports));
                return parts;
            };
            match rest {
                Zone::Networks(networks) => {
                    let at = networks::common(&networks, &there);
                    if !at.is_empty() {
                        parts.push((Zone::Networks(at), ports));
                    }
                    rest = Zone::Networks(networks::merged(networks::without(&networks, &there)));
                }
                other if there.is_empty() => rest = other,
                other => {
                    parts.push((Zone::Networks(there), ports));
                    rest = other;
                }
            }
        }
        if rest != Zone::Networks(Vec::new()) {
            parts.push((rest, documented_ports(row)));
        }
        parts
    }

    /// Where an entry moves its row; none for everywhere.
    fn moved_at(&self, moved: &Moved) -> Option<Vec<IpNet>> {
        let networks = |who: &Who| match who {
            Who::Network(network) => vec![*network],
            Who::Role(role) => self.hosts(*role),
            Who::Local => self.local.clone(),
            Who::Internet => Vec::new(),
        };
        (!moved.servers.is_empty()).then(|| networks::merged(moved.servers.iter().flat_map(networks).collect()))
    }

    fn why(&self, id: ServiceId, row: &Service, transport: Transport, ports: &[PortRange]) -> Why {
        let lent = ports.iter().filter_map(|range| row.port_basis(transport, range.low)).any(|basis| basis == Basis::Supplement);
        let basis = if lent { Basis::Supplement } else { row.basis };
        Why {
            service: Some(id),
            id: row.id.clone(),
            says: row.name.clone(),
            basis: basis.name(),
            citation: self.citation(row, lent),
            hints: self.hints(id, row),
        }
    }

    /// Document, section and the beginning of the sentence; what a supplement lends says so itself.
    fn citation(&self, row: &Service, lent: bool) -> String {
        let document = self.signatures.document(row.document);
        let Citation { section, quote, verbatim, url } = &row.citation;
        let begun = shortened(quote);
        let words = if *verbatim { format!("\"{begun}\"") } else { begun };
        let source = match (row.basis, url) {
            (Basis::Supplement, Some(url)) => url.clone(),
            _ => [document.vendor_name.as_str(), &document.title, section].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
        };
        let lender = row.supplement.as_ref().filter(|_| lent);
        let lender = lender.map_or_else(String::new, |lender| format!("; the number is not in it: {}", shortened(&lender.url)));
        format!("{source}: {words}{lender}")
    }

    fn hints(&self, id: ServiceId, row: &Service) -> Vec<String> {
        let mut hints = Vec::new();
        let rules = self.signatures.rules.iter().filter(|rule| rule.services.contains(&id));
        hints.extend(rules.filter(|rule| rule.effect == RuleEffect::NoInterception).map(|rule| rule.says.clone()));
        if row.transports.is_empty() {
            hints.push("Which transport it is the document does not say: close the other.".to_owned());
        }
        let open = |roles: &[RoleId]| {
            roles.iter().copied().filter(|role| !self.is_given(*role) && self.signatures.role(*role).kind == RoleKind::Anyone).collect::<Vec<_>>()
        };
        let (clients, servers) = (open(&row.client), open(&row.server));
        let ids = |roles: &[RoleId]| roles.iter().map(|role| format!("`{}`", self.signatures.role(*role).id)).collect::<BTreeSet<_>>();
        let by_name = !self.names(id, row).is_empty();
        if by_name && !servers.is_empty() {
            let names = servers.iter().map(|role| self.signatures.role(*role).name.as_str()).collect::<Vec<_>>().join(" and ");
            hints.push(format!("Whose names the document does not tell: {names}; add those in use."));
        }
        let mut wide = ids(&clients);
        wide.extend(ids(if by_name { &[] } else { &servers }));
        let wide: Vec<String> = wide.into_iter().collect();
        if !wide.is_empty() && row.direction != Direction::Discovery {
            hints.push(format!("To narrow it, give hosts the role {} in the site file.", wide.join(" or ")));
        }
        hints
    }

    fn leave_out(&mut self, row: &Service, because: String) {
        self.left_out.push(LeftOut { id: row.id.clone(), says: row.name.clone(), because });
    }

    /// Hosts have the role, and none of them has the row.
    fn nobody(&mut self, row: &Service) {
        let since = row.since.as_ref().map(|since| format!("{} {}", since.what, since.version));
        let lacking = since.or_else(|| row.only_in.clone());
        let given = |roles: &[RoleId]| roles.iter().any(|role| self.is_given(*role));
        let because = match lacking {
            Some(needed) if given(&row.client) || given(&row.server) => {
                format!("no host of the site has it or is asked for it: it needs {needed}, or its other end has no hosts in the site file")
            }
            _ if row.protocols.iter().flatten().any(|name| name == "dhcp") => "the site's hosts have static addresses".to_owned(),
            _ => "the site has hosts for one of its ends only; give the other end its role in the site file".to_owned(),
        };
        self.leave_out(row, because);
    }
}

/// Why the row gets no rule whoever its ends are.
fn without_rule(row: &Service) -> Option<String> {
    if row.needs_no_opening() {
        return Some("the document says that no firewall needs an opening for it: whoever uses it is on the same network".to_owned());
    }
    if !row.ports.is_empty() || helper(row).is_some() || row.transports.iter().any(|transport| !transport.has_ports()) {
        return None;
    }
    let by = row.hosts.iter().map(|host| host.pattern.as_str()).collect::<Vec<_>>().join(", ");
    Some(match (row.learned_from.is_empty(), by.is_empty()) {
        (false, _) => {
            "its port is told by another exchange each time: let a device that reads along open it, or have the port fixed and moved in the site file"
                .to_owned()
        }
        (true, false) => format!("the document states no port; it goes by name: {by}"),
        (true, true) => "the document states no port; where you know it, name it in `[[ports]]` of the site file".to_owned(),
    })
}

/// The connection tracking helper that opens the row's connections by itself.
fn helper(row: &Service) -> Option<&'static str> {
    row.learned_from.iter().find_map(|kind| HELPERS.iter().find(|(known, _)| known == kind)).map(|(_, helper)| *helper)
}

/// The server ports that the document means. Where it names the client's own port and another source the server's, the client's is none of them.
fn documented_ports(row: &Service) -> Vec<PortRange> {
    let lent = row.supplement.as_ref().is_some_and(|supplement| !supplement.ports.is_empty());
    let own: Vec<PortRange> = row.ports.iter().copied().filter(|range| !lent || !row.client_ports.contains(range)).collect();
    sorted(if own.is_empty() { row.ports.clone() } else { own })
}

pub(super) fn sorted(mut ports: Vec<PortRange>) -> Vec<PortRange> {
    ports.sort_unstable();
    let mut merged: Vec<PortRange> = Vec::with_capacity(ports.len());
    for range in ports {
        match merged.last_mut().filter(|last| u32::from(range.low) <= u32::from(last.high) + 1) {
            Some(last) => last.high = last.high.max(range.high),
            None => merged.push(range),
        }
    }
    merged
}

/// What is left of a side's hosts where only those networks count.
fn here(zone: Zone, given: bool, networks: &[IpNet]) -> Option<Zone> {
    match zone {
        Zone::Networks(all) if given => Some(networks::common(&all, networks)).filter(|some| !some.is_empty()).map(Zone::Networks),
        other => Some(other),
    }
}

/// One host and itself: nothing passes any device.
fn is_one_host(from: &Zone, to: &Zone) -> bool {
    matches!((from, to), (Zone::Networks(a), Zone::Networks(b)) if a == b && matches!(a.as_slice(), [one] if one.prefix_len() == one.max_prefix_len()))
}

/// The beginning of a text, up to a word's end.
pub(super) fn shortened(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= limit::QUOTE_OF_A_RULE {
        return text;
    }
    let cut: String = text.chars().take(limit::QUOTE_OF_A_RULE).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    format!("{} ...", &cut[..end])
}

/// Announcements that connection tracking of Linux follows.
const HELPERS: &[(PromiseKind, &str)] = &[(PromiseKind::FtpPassive, "ftp"), (PromiseKind::FtpActive, "ftp"), (PromiseKind::Tftp, "tftp")];
