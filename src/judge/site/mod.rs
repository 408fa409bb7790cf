//! What the operator says about the network. The operator's word goes before the document's, and the document's before a guess.

mod read;
mod toml_file;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::judge::{Judged, Severity};
use crate::net::{Mac, Transport, is_private};
use crate::signature::{PortRange, RoleId, ServiceId};
use crate::time::Timestamp;

#[cfg(feature = "schema")]
pub use toml_file::SiteFile;
pub use toml_file::{DateWord, network};

/// What the operator says about the network. What is not said stays open; the default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// What people call it; empty where nobody said.
    pub name: String,
    /// Networks (or single hosts) and the role their hosts play: those of `places`, then those given otherwise.
    pub roles: Vec<(RoleId, IpNet)>,
    /// Vendors whose documents apply; empty for all.
    pub products: Vec<String>,
    /// Networks that are inside, beside those of `places`; empty for the addresses that no public network uses.
    pub local: Vec<IpNet>,
    /// The networks and hosts of the file, in its order: networks first.
    pub places: Vec<Place>,
    /// Rows that were switched on, and where; no networks for everywhere.
    pub switched_on: Vec<(ServiceId, Vec<IpNet>)>,
    /// Rows on other ports than the document's.
    pub moved: Vec<Moved>,
    /// What is right here, whatever the documents say.
    pub allow: Vec<Stance>,
    /// What is forbidden here, whatever the documents say.
    pub deny: Vec<Stance>,
    /// What is no finding.
    pub ignore: Vec<Stance>,
    /// How much findings matter here.
    pub severities: Vec<Weight>,
}

/// Hosts that have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What people call them.
    pub name: String,
    /// A network segment, not some hosts of one.
    pub is_segment: bool,
    /// Where they are.
    pub networks: Vec<IpNet>,
    /// What they are.
    pub roles: Vec<RoleId>,
    /// Version or firmware of the product.
    pub version: Option<String>,
    /// Edition of the product.
    pub edition: Option<String>,
    /// Whether their addresses are static.
    pub static_addresses: Option<bool>,
    /// Their hardware addresses.
    pub macs: Vec<Mac>,
}

/// A row on other ports than its document's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The row, and those that tell the same service from another product's side.
    pub services: Vec<ServiceId>,
    /// The server ports that it has here, instead of the document's.
    pub ports: Vec<PortRange>,
    /// Where; empty for everywhere.
    pub servers: Vec<Who>,
}

/// Whom an entry means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Hosts of a network.
    Network(IpNet),
    /// Hosts of a role.
    Role(RoleId),
    /// Everybody inside.
    Local,
    /// Everybody outside.
    Internet,
}

/// A word of the operator on some traffic. All that is given must fit; lists mean any of theirs, empty ones anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stance {
    /// Who opens.
    pub client: Vec<Who>,
    /// Who is asked.
    pub server: Vec<Who>,
    /// The row, and those that tell the same service from another product's side.
    pub services: Vec<ServiceId>,
    /// The transport.
    pub transport: Option<Transport>,
    /// Server ports.
    pub ports: Vec<PortRange>,
    /// A protocol in the bytes.
    pub protocol: Option<String>,
    /// Why.
    pub reason: String,
    /// The last moment at which it holds.
    pub until: Option<Timestamp>,
    /// Where it is written: `office.toml:12`.
    pub written: String,
}

/// How much findings of one kind matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The finding's rule.
    pub finding: String,
    /// Only about this row, and those that tell the same service from another product's side.
    pub services: Vec<ServiceId>,
    /// What it is here.
    pub severity: Severity,
}

impl Site {
    /// Whether an address is inside. What the site names is, and its local networks; where it names none, what no public network uses.
    pub fn is_local(&self, ip: IpAddr) -> bool {
        let listed = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&ip));
        let named = || self.places.iter().any(|place| listed(&place.networks));
        if self.local.is_empty() { is_private(ip) || named() } else { listed(&self.local) || named() }
    }

    /// The segment that an address lies in: the narrowest of the file's networks.
    pub fn segment(&self, ip: IpAddr) -> Option<&Place> {
        self.narrowest(ip, |place| place.is_segment)
    }

    /// The narrowest place that holds the address and of which something is true; of equally narrow ones the first.
    pub fn narrowest(&self, ip: IpAddr, is: impl Fn(&Place) -> bool) -> Option<&Place> {
        let width = |place: &Place| place.networks.iter().filter(|network| network.contains(&ip)).map(|network| network.prefix_len()).max();
        let holding = self.places.iter().filter(|place| is(place)).filter_map(|place| Some((width(place)?, place)));
        holding.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, place)| place)
    }

    /// Whether the row was switched on at that host.
    pub fn is_switched_on(&self, service: ServiceId, host: IpAddr) -> bool {
        let here = |networks: &[IpNet]| networks.is_empty() || networks.iter().any(|network| network.contains(&host));
        self.switched_on.iter().any(|(row, networks)| *row == service && here(networks))
    }

    /// Whether the file places both addresses, in different segments.
    pub fn is_between_segments(&self, one: IpAddr, other: IpAddr) -> bool {
        matches!((self.segment(one), self.segment(other)), (Some(one), Some(other)) if !std::ptr::eq(one, other))
    }

    /// Rows that were moved to this server port somewhere.
    pub fn moved_to(&self, port: u16) -> impl Iterator<Item = ServiceId> {
        self.moved.iter().filter(move |moved| moved.ports.iter().any(|range| range.contains(port))).flat_map(|moved| moved.services.iter().copied())
    }

    /// The ports that the row was moved to at a host of these roles; none where the document's stand.
    pub fn ports_of(&self, service: ServiceId, host: IpAddr, roles: &[RoleId]) -> Option<&[PortRange]> {
        let here = |moved: &&Moved| moved.services.contains(&service) && (moved.servers.is_empty() || self.is_one_of(&moved.servers, host, roles));
        self.moved.iter().find(here).map(|moved| moved.ports.as_slice())
    }

    /// The place that names the hardware address.
    pub fn place_of_mac(&self, mac: Mac) -> Option<&Place> {
        self.places.iter().find(|place| place.macs.contains(&mac))
    }

    /// Whether it says of any flow what it is to be judged as: then what no document covers may be a finding.
    pub fn takes_sides(&self) -> bool {
        let lists = [&self.allow, &self.deny, &self.ignore];
        lists.iter().any(|list| !list.is_empty()) || self.places.iter().any(|place| place.static_addresses.is_some())
    }

    /// How much a finding matters here, where the file says so: an entry about the row goes before one about all.
    pub fn severity(&self, finding: &str, service: Option<ServiceId>) -> Option<Severity> {
        let mut about = self.severities.iter().filter(|weight| weight.finding == finding);
        let row = |weight: &&Weight| service.is_some_and(|service| weight.services.contains(&service));
        about.clone().find(row).or_else(|| about.find(|weight| weight.services.is_empty())).map(|weight| weight.severity)
    }

    /// Whether the entry is about the flow, expired or not.
    pub(in crate::judge) fn is_about(&self, entry: &Stance, judged: &Judged) -> bool {
        let flow = &judged.identified.flow;
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        (entry.client.is_empty() || self.is_one_of(&entry.client, client.ip, &judged.roles[0]))
            && (entry.server.is_empty() || self.is_one_of(&entry.server, server.ip, &judged.roles[1]))
            && entry.transport.is_none_or(|transport| transport == flow.transport)
            && (entry.ports.is_empty() || entry.ports.iter().any(|range| range.contains(server.port)))
            && entry.protocol.as_ref().is_none_or(|protocol| judged.identified.protocol.iter().any(|seen| seen == protocol))
            && (entry.services.is_empty() || judged.service.is_some_and(|service| entry.services.contains(&service)))
    }

    /// The networks and hosts of the file by name.
    pub fn named(&self) -> impl Iterator<Item = (&str, &[IpNet])> + Clone {
        self.places.iter().map(|place| (place.name.as_str(), place.networks.as_slice()))
    }

    /// Whether a host of these roles is among those meant.
    pub fn is_one_of(&self, meant: &[Who], host: IpAddr, roles: &[RoleId]) -> bool {
        meant.iter().any(|who| match who {
            Who::Network(network) => network.contains(&host),
            Who::Role(role) => roles.contains(role),
            Who::Local => self.is_local(host),
            Who::Internet => !self.is_local(host),
        })
    }
}

impl Stance {
    /// Whether it still holds at that time.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.until.is_none_or(|until| at <= until)
    }
}

/// What findings are called: the contract's words for reasons and outcomes, and what is neither.
pub const FINDINGS: &[&str] = &[
    "app_refused",
    "blocked_by_proxy",
    "denied_by_site",
    "dns_blocked",
    "dns_failed",
    "idle_dropped",
    "inbound_from_outside",
    "intermittent",
    "left_the_lan",
    "not_announced",
    "not_encrypted",
    "optional_service_active",
    "outside_announced_range",
    "pmtu_blackhole",
    "refused_by_host",
    "rejected_by_network",
    "reset_by_middlebox",
    "return_path_broken",
    "server_silent",
    "silent_drop",
    "tls_failed",
    "tls_intercepted",
    "undocumented_path",
    "undocumented_service",
    "unexpectedly_encrypted",
    "unknown_name",
    "unreachable",
    "unsupported_by_product",
    "version_too_old",
    "wrong_direction",
    "wrong_protocol",
    "wrong_role",
];
