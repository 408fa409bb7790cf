//! What the site file itself allows and denies, as openings and closings.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::judge::policy::rows::{shortened, sorted};
use crate::judge::policy::{End, LeftOut, Maker, Opening, Why, Zone, networks};
use crate::judge::{Stance, Who};
use crate::net::Transport;
use crate::signature::{PortRange, RoleKind};

/// A transport with its ports: what an entry is about.
type Target = (Option<Transport>, Vec<PortRange>);

impl Maker<'_> {
    /// Adds what an entry of `allow` lets pass.
    pub(super) fn allowed(&mut self, entry: &Stance, openings: &mut Vec<Opening>) {
        let (targets, from, to) = (self.targets(entry), self.meant(&entry.client), self.meant(&entry.server));
        if targets.is_empty() {
            let protocol = entry.protocol.as_deref().unwrap_or_default();
            return self.entry_left_out("allow", entry, format!("it goes by what is spoken ({protocol}); name transport and ports, as firewalls go by these"));
        }
        if entry.client.is_empty() && entry.server.is_empty() {
            return self.entry_left_out("allow", entry, "it names neither client nor server: too wide for a firewall".to_owned());
        }
        for from in &from {
            for to in &to {
                openings.extend(targets.iter().map(|target| opening("allow", entry, from.clone(), to.clone(), target)));
            }
        }
    }

    /// Takes out what an entry of `deny` forbids. What it forbids of a wider opening is given back, to be closed first.
    pub(super) fn denied(&mut self, entry: &Stance, openings: &mut Vec<Opening>) -> Vec<Opening> {
        let (targets, from, to) = (self.targets(entry), self.meant(&entry.client), self.meant(&entry.server));
        if entry.protocol.is_some() {
            self.entry_left_out("deny", entry, "it goes by what is spoken, which a rule by ports cannot tell".to_owned());
            return Vec::new();
        }
        let mut closings: Vec<Opening> = Vec::new();
        for from in &from {
            for to in &to {
                closings.extend(targets.iter().map(|target| opening("deny", entry, from.clone(), to.clone(), target)));
            }
        }
        let (local, mut forbidden) = (self.local.clone(), BTreeSet::new());
        let rows = |why: &Why| entry.services.is_empty() || why.service.is_some_and(|service| entry.services.contains(&service));
        for opening in openings.iter_mut() {
            let covered = closings.iter().any(|closing| closing.covers(opening, &local));
            let (out, left) = std::mem::take(&mut opening.whys).into_iter().partition(|why| covered && rows(why));
            opening.whys = left;
            forbidden.extend(Vec::into_iter(out).map(|why: Why| (why.id, why.says)));
        }
        openings.retain(|opening| !opening.whys.is_empty());
        let found = !forbidden.is_empty();
        for (id, says) in forbidden {
            self.left_out.push(LeftOut { id, says, because: format!("the site denies it: {} ({})", entry.reason, entry.written) });
        }
        closings.retain(|closing| openings.iter().any(|opening| opening.whys.iter().any(rows) && closing.meets(opening, &local)));
        if closings.is_empty() && !found {
            self.entry_left_out("deny", entry, "no rule here lets pass what it forbids".to_owned());
        }
        closings
    }

    /// Transports and ports that an entry is about; none where it goes by what is spoken alone.
    fn targets(&self, entry: &Stance) -> Vec<Target> {
        if !entry.services.is_empty() {
            let rows = entry.services.iter().map(|id| self.signatures.service(*id));
            let mut targets: Vec<Target> = rows
                .flat_map(|row| {
                    row.transports.iter().map(|transport| (Some(*transport), if entry.ports.is_empty() { row.ports.clone() } else { entry.ports.clone() }))
                })
                .filter(|(transport, _)| entry.transport.is_none() || *transport == entry.transport)
                .map(|(transport, ports)| (transport, sorted(ports)))
                .collect();
            targets.sort();
            targets.dedup();
            return targets;
        }
        match (entry.transport, entry.ports.is_empty(), &entry.protocol) {
            (Some(transport), ..) => vec![(Some(transport), sorted(entry.ports.clone()))],
            (None, false, _) => [Transport::TCP, Transport::UDP].map(|transport| (Some(transport), sorted(entry.ports.clone()))).to_vec(),
            (None, true, Some(_)) => Vec::new(),
            (None, true, None) => vec![(None, Vec::new())],
        }
    }

    /// Whom a list means; anybody where it is empty, nobody where its roles have no hosts here.
    fn meant(&self, list: &[Who]) -> Vec<End> {
        if list.is_empty() {
            return vec![End { zone: Zone::Any, who: BTreeSet::from(["anybody".to_owned()]) }];
        }
        let (mut hosts, mut names, mut ends) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut wide = |zone: Zone, who: &str| ends.push(End { zone, who: BTreeSet::from([who.to_owned()]) });
        for who in list {
            match who {
                Who::Network(network) => {
                    hosts.push(*network);
                    names.insert(self.name_of(network));
                }
                Who::Role(role) if self.is_given(*role) => {
                    hosts.extend(self.hosts(*role));
                    names.insert(self.signatures.role(*role).name.clone());
                }
                Who::Role(role) => {
                    let role = self.signatures.role(*role);
                    match role.kind {
                        RoleKind::Anyone => wide(Zone::Any, &role.name),
                        RoleKind::Local => wide(Zone::Local, &role.name),
                        RoleKind::External => wide(Zone::Internet, &role.name),
                        RoleKind::Product | RoleKind::Group => {}
                    }
                }
                Who::Local => wide(Zone::Local, "local"),
                Who::Internet => wide(Zone::Internet, "internet"),
            }
        }
        if !hosts.is_empty() {
            ends.push(End { zone: Zone::Networks(networks::merged(hosts)), who: names });
        }
        ends
    }

    /// What the site file calls a network; the network itself where it does not.
    fn name_of(&self, network: &IpNet) -> String {
        let place = self.roles.site().places.iter().find(|place| place.networks.contains(network));
        place.map_or_else(|| network.to_string(), |place| place.name.clone())
    }

    fn entry_left_out(&mut self, id: &str, entry: &Stance, because: String) {
        self.left_out.push(LeftOut { id: id.to_owned(), says: format!("{} ({})", entry.reason, entry.written), because });
    }
}

impl Opening {
    /// Whether all of the other is of its kind.
    fn covers(&self, other: &Self, local: &[IpNet]) -> bool {
        let names = |zone: &Zone| matches!(zone, Zone::Names(_));
        let to = self.to.zone.includes(&other.to.zone, local) || names(&other.to.zone) && matches!(self.to.zone, Zone::Any | Zone::Internet);
        let ports = self.ports.is_empty()
            || !other.ports.is_empty() && other.ports.iter().all(|range| self.ports.iter().any(|wide| wide.low <= range.low && range.high <= wide.high));
        (self.transport.is_none() || self.transport == other.transport) && ports && self.from.zone.includes(&other.from.zone, local) && to
    }

    /// Whether some packet may be of both.
    pub(super) fn meets(&self, other: &Self, local: &[IpNet]) -> bool {
        let same_transport = self.transport.is_none() || other.transport.is_none() || self.transport == other.transport;
        let touch = |a: &PortRange, b: &PortRange| a.low <= b.high && b.low <= a.high;
        let ports = self.ports.is_empty() || other.ports.is_empty() || self.ports.iter().any(|range| other.ports.iter().any(|theirs| touch(range, theirs)));
        same_transport && ports && meet(&self.from.zone, &other.from.zone, local) && meet(&self.to.zone, &other.to.zone, local)
    }
}

/// Whether some address may be in both.
fn meet(one: &Zone, other: &Zone, local: &[IpNet]) -> bool {
    match (one, other) {
        (Zone::Networks(one), Zone::Networks(other)) => !networks::common(one, other).is_empty(),
        (Zone::Networks(some), Zone::Local) | (Zone::Local, Zone::Networks(some)) => !networks::common(some, local).is_empty(),
        (Zone::Networks(some), Zone::Internet | Zone::Names(_)) | (Zone::Internet | Zone::Names(_), Zone::Networks(some)) => {
            !networks::without(some, local).is_empty()
        }
        (Zone::Local, Zone::Internet | Zone::Names(_)) | (Zone::Internet | Zone::Names(_), Zone::Local) => false,
        _ => true,
    }
}

fn opening(word: &str, entry: &Stance, from: End, to: End, (transport, ports): &Target) -> Opening {
    let until = entry.until.map(|until| until.to_string().replace('T', " ")).and_then(|until| until.get(..SECONDS_OF_A_TIME).map(str::to_owned));
    let until = until.map(|until| format!("It holds until {until} UTC: take it out then."));
    let both =
        (entry.transport.is_none() && entry.services.is_empty() && !ports.is_empty()).then(|| "The entry names no transport: TCP and UDP both.".to_owned());
    let why = Why {
        service: None,
        id: word.to_owned(),
        says: shortened(&entry.reason),
        basis: "site",
        citation: entry.written.clone(),
        hints: until.into_iter().chain(both).collect(),
    };
    Opening { from, to, transport: *transport, ports: ports.clone(), client_ports: Vec::new(), follows: None, whys: vec![why] }
}

/// `2027-01-31 23:59:59`.
const SECONDS_OF_A_TIME: usize = 19;
