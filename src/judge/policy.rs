//! What firewalls must let pass at a site so that the documents' services work there, and no more.
//!
//! Each row in which a role of the site plays becomes an opening between the hosts of its roles. What the site says goes first: what is moved, switched on or off,
//! too old, allowed or denied. What must stay on its own network, cannot be told by addresses, or needs no opening is said, not opened.

mod gaps;
mod networks;
mod rows;
mod stated;

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::judge::Site;
use crate::judge::role::Roles;
use crate::net::{Transport, is_group};
use crate::signature::{HostPattern, PortRange, RoleId, ServiceId, Signatures};

pub use gaps::{Found, Gap, Gaps, Ruleless};
pub use networks::{outside, outside_networks};

/// The openings of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What people call the site.
    pub site: String,
    /// Networks that are inside, merged, in order.
    pub local: Vec<IpNet>,
    /// What the site forbids though an opening below would let it pass: to be asked first.
    pub closings: Vec<Opening>,
    /// What must pass, in order of ends, transport and ports.
    pub openings: Vec<Opening>,
    /// What stays on its own network: no device between networks has to let it pass, the hosts' own filters have.
    pub discovery: Vec<Opening>,
    /// Rows of the site's roles, and entries of the site, that got no rule, each with the reason.
    pub left_out: Vec<LeftOut>,
}

/// Connections, or exchanges of datagrams, that one end may open to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Who opens.
    pub from: End,
    /// Who is asked.
    pub to: End,
    /// The transport; none for whatever runs over IP.
    pub transport: Option<Transport>,
    /// Server ports, merged, in order; empty for any.
    pub ports: Vec<PortRange>,
    /// Client ports, where the document fixes them; empty for any.
    pub client_ports: Vec<PortRange>,
    /// How a firewall that reads along opens it by itself.
    pub follows: Option<Follows>,
    /// What asks for it, at least one, in the order of the documents.
    pub whys: Vec<Why>,
}

/// One end of an opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Which addresses.
    pub zone: Zone,
    /// Roles of the documents, or words of the site file, that it stands for.
    pub who: BTreeSet<String>,
}

/// Some addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// Hosts of these networks: merged, in order, never empty.
    Networks(Vec<IpNet>),
    /// All that is inside.
    Local,
    /// All that is not.
    Internet,
    /// Whatever address.
    Any,
    /// Hosts of these names: their addresses change, so that none may stand in a rule.
    Names(Vec<HostPattern>),
}

/// Connections that another one announces: a firewall with a helper for that protocol opens them by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follows {
    /// The helper, as connection tracking of Linux calls it: `ftp`.
    pub helper: &'static str,
    /// The announcing connections.
    pub controls: Vec<Opening>,
}

/// What asks for an opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The row; none for an entry of the site.
    pub service: Option<ServiceId>,
    /// The row's id, or `allow` or `deny`.
    pub id: String,
    /// What it is for.
    pub says: String,
    /// `document`, `supplement`, `user`, or `site`.
    pub basis: &'static str,
    /// Where it is written: document, section and the beginning of the sentence; for an entry of the site its file and line.
    pub citation: String,
    /// What to know before it is opened.
    pub hints: Vec<String>,
}

/// What got no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The row's id, or `allow` or `deny`.
    pub id: String,
    /// What it is for.
    pub says: String,
    /// Why there is no rule, and what to do instead.
    pub because: String,
}

impl Policy {
    /// The openings that these documents ask for at this site.
    pub fn of(signatures: &Signatures, site: &Site) -> Self {
        let maker = Maker { signatures, roles: Roles::new(signatures, site.clone()), local: networks::local(site), left_out: Vec::new() };
        maker.policy()
    }

    /// Whether the address lies in the zone. Names have whatever address outside.
    pub fn holds(&self, zone: &Zone, ip: std::net::IpAddr) -> bool {
        let inside = || self.local.iter().any(|network| network.contains(&ip));
        match zone {
            Zone::Networks(networks) => networks.iter().any(|network| network.contains(&ip)),
            Zone::Local => inside(),
            Zone::Internet => !inside(),
            Zone::Any | Zone::Names(_) => true,
        }
    }
}

/// Where a policy is worked out.
struct Maker<'a> {
    signatures: &'a Signatures,
    roles: Roles<'a>,
    local: Vec<IpNet>,
    left_out: Vec<LeftOut>,
}

impl Maker<'_> {
    fn policy(mut self) -> Policy {
        let (mut openings, mut discovery) = (Vec::new(), Vec::new());
        for (id, _) in self.signatures.services() {
            self.row(id, &mut openings, &mut discovery);
        }
        let allow = self.roles.site().allow.clone();
        allow.iter().for_each(|entry| self.allowed(entry, &mut openings));
        let deny = self.roles.site().deny.clone();
        let closings = deny.iter().flat_map(|entry| self.denied(entry, &mut openings)).collect();
        self.follow(&mut openings);
        openings.iter_mut().chain(&mut discovery).for_each(|opening| self.write_as_the_site_does(opening));
        let mut left_out = self.left_out;
        left_out.sort_by(|a, b| (&a.id, &a.because).cmp(&(&b.id, &b.because)));
        left_out.dedup();
        let site = self.roles.site().name.clone();
        let local = self.local;
        Policy { site, closings, openings: merged(openings, &local), discovery: merged(discovery, &local), left_out, local }
    }

    /// Connections that others announce get the announcing ones beside them; where the document has none they are openings like any other.
    fn follow(&mut self, openings: &mut Vec<Opening>) {
        let before = openings.clone();
        for opening in openings.iter_mut() {
            let Some(follows) = &mut opening.follows else { continue };
            let documents: Vec<u16> = opening.whys.iter().filter_map(|why| Some(self.signatures.service(why.service?).document)).collect();
            let announces = |other: &&Opening| {
                let rows = other.whys.iter().filter_map(|why| why.service).map(|id| self.signatures.service(id));
                let mut speaking = rows.filter(|row| row.protocols.iter().flatten().any(|name| name == follows.helper));
                speaking.any(|row| documents.contains(&row.document))
            };
            follows.controls = before.iter().filter(announces).cloned().collect();
            if follows.controls.is_empty() {
                opening.follows = None;
            }
        }
        // Any port at all is nothing that a document asks for; what has no ports is another matter.
        let any_port = |opening: &Opening| opening.ports.is_empty() && opening.transport.is_none_or(Transport::has_ports);
        for opening in openings.extract_if(.., |opening| opening.follows.is_none() && any_port(opening) && opening.whys.iter().any(|why| why.service.is_some()))
        {
            let because = "its port is told by another exchange, which no row here lets pass".to_owned();
            self.left_out.extend(opening.whys.into_iter().map(|why| LeftOut { id: why.id, says: why.says, because: because.clone() }));
        }
    }

    /// Networks as people know them: those that the site file names where all of one is meant, and what is left beside them.
    fn write_as_the_site_does(&self, opening: &mut Opening) {
        let site = self.roles.site();
        for zone in [&mut opening.from.zone, &mut opening.to.zone] {
            let Zone::Networks(networks) = zone else { continue };
            let all = networks::merged(networks.clone());
            let named = site.roles.iter().map(|(_, network)| *network).chain(site.places.iter().flat_map(|place| place.networks.iter().copied()));
            let mut written: Vec<IpNet> = named.filter(|network| all.iter().any(|wide| wide.contains(network))).collect();
            written.extend(networks::without(&all, &written));
            written.sort_unstable();
            written.dedup();
            let within = |network: &IpNet| written.iter().any(|other| other != network && other.contains(network));
            *networks = written.iter().copied().filter(|network| !within(network)).collect();
        }
    }

    /// Hosts of a role by the site: its networks without what narrower entries say of some of them. Groups are no hosts.
    fn hosts(&self, role: RoleId) -> Vec<IpNet> {
        let entries = &self.roles.site().roles;
        let own = entries.iter().filter(|(of, network)| *of == role && !is_group(network.addr())).map(|(_, network)| *network);
        networks::merged(own.flat_map(|network| self.alone(network)).collect())
    }

    /// A network of the site without the narrower ones in it that have roles of their own.
    fn alone(&self, network: IpNet) -> Vec<IpNet> {
        let narrower = self.roles.site().roles.iter().map(|(_, other)| *other).filter(|other| *other != network && network.contains(other));
        networks::without(&[network], &narrower.collect::<Vec<_>>())
    }
}

/// One opening for all that ask for the same; one that lies in another is part of it.
fn merged(mut openings: Vec<Opening>, local: &[IpNet]) -> Vec<Opening> {
    openings.sort_by(|a, b| a.place().cmp(&b.place()));
    let mut kept: Vec<Opening> = Vec::new();
    // The widest first, so that what lies in another finds it.
    let mut order: Vec<usize> = (0..openings.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(openings[*at].width()), *at));
    for at in order {
        let opening = &openings[at];
        match kept.iter_mut().find(|wide| wide.includes(opening, local)) {
            Some(wide) => wide.take_whys(opening),
            None => kept.push(opening.clone()),
        }
    }
    kept.sort_by(|a, b| a.place().cmp(&b.place()));
    kept
}

impl Opening {
    /// What it is sorted by.
    fn place(&self) -> (&Zone, &Zone, Option<Transport>, &[PortRange], &[PortRange]) {
        (&self.from.zone, &self.to.zone, self.transport, &self.ports, &self.client_ports)
    }

    fn width(&self) -> (u8, u8, u32) {
        let ports = self.ports.iter().map(|range| range.width()).sum::<u32>();
        (self.from.zone.width(), self.to.zone.width(), if self.ports.is_empty() { u32::MAX } else { ports })
    }

    /// Whether all that the other lets pass this one does. What a firewall follows by itself stands alone.
    fn includes(&self, other: &Self, local: &[IpNet]) -> bool {
        let ports = |ours: &[PortRange], theirs: &[PortRange]| {
            ours.is_empty() || !theirs.is_empty() && theirs.iter().all(|range| ours.iter().any(|wide| wide.low <= range.low && range.high <= wide.high))
        };
        self.follows.is_some() == other.follows.is_some()
            && (self.transport.is_none() || self.transport == other.transport)
            && ports(&self.ports, &other.ports)
            && ports(&self.client_ports, &other.client_ports)
            && self.from.zone.includes(&other.from.zone, local)
            && self.to.zone.includes(&other.to.zone, local)
    }

    fn take_whys(&mut self, other: &Self) {
        self.from.who.extend(other.from.who.iter().cloned());
        self.to.who.extend(other.to.who.iter().cloned());
        for why in &other.whys {
            if !self.whys.contains(why) {
                self.whys.push(why.clone());
            }
        }
        self.whys.sort_by_key(|why| why.service);
    }

    /// Names of the server, where it goes by names.
    pub fn names(&self) -> Option<&[HostPattern]> {
        match &self.to.zone {
            Zone::Names(names) => Some(names),
            _ => None,
        }
    }
}

impl Zone {
    const fn width(&self) -> u8 {
        match self {
            Self::Names(_) | Self::Networks(_) => 0,
            Self::Local | Self::Internet => 1,
            Self::Any => 2,
        }
    }

    /// Whether all of the other lies in it for sure. Names never lie in addresses: that they are asked for by name is worth its line.
    fn includes(&self, other: &Self, local: &[IpNet]) -> bool {
        let within = |narrow: &[IpNet], wide: &[IpNet]| narrow.iter().all(|network| wide.iter().any(|wide| wide.contains(network)));
        match (self, other) {
            (Self::Networks(wide), Self::Networks(narrow)) => within(narrow, wide),
            (Self::Local, Self::Networks(narrow)) => within(narrow, local),
            (Self::Any, other) => !matches!(other, Self::Names(_)),
            (one, other) => one == other,
        }
    }
}

#[cfg(test)]
mod tests;
