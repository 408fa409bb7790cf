//! Gathers judged flows, and works out at the end what they show of the site together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::capture::FrameId;
use crate::flow::End;
use crate::judge::claim::is_background;
use crate::judge::learned::{Group, Host, Learned, Moving, Seen, Stranger};
use crate::judge::{Confidence, Judged, Outcome, Reason, Shown, Site};
use crate::limit;
use crate::net::{Mac, Transport, is_group, is_private};
use crate::signature::{MarkKind, RoleId, RoleKind, ServiceId, Signatures};
use crate::time::Timestamp;

/// Hears judged flows, in any order.
#[derive(Debug)]
pub struct Learner<'a> {
    signatures: &'a Signatures,
    site: Site,
    hosts: BTreeMap<IpAddr, Heard>,
    /// Addresses that each hardware address sends from: a router's are many.
    links: BTreeMap<Mac, BTreeSet<IpAddr>>,
    /// Hardware addresses that asked for an address while they had none.
    asking: BTreeMap<Mac, FrameId>,
    strangers: BTreeMap<(Transport, u16, Vec<&'static str>, bool), Stranger>,
    moving: BTreeSet<Moving>,
    noise: BTreeMap<IpAddr, u64>,
    span: Option<(Timestamp, Timestamp)>,
    dropped: u64,
}

/// A host, as far as it was heard.
#[derive(Debug, Default)]
struct Heard {
    host: Host,
    sent: bool,
    vlan: Vec<u16>,
    shown: BTreeMap<(RoleId, &'static str, String), Shown>,
}

impl<'a> Learner<'a> {
    /// Nothing heard yet. `site` is what the operator said already: roles, and what is inside.
    pub fn new(signatures: &'a Signatures, site: Site) -> Self {
        Self {
            signatures,
            site,
            hosts: BTreeMap::new(),
            links: BTreeMap::new(),
            asking: BTreeMap::new(),
            strangers: BTreeMap::new(),
            moving: BTreeSet::new(),
            noise: BTreeMap::new(),
            span: None,
            dropped: 0,
        }
    }

    /// Enters a judged flow; it must tell all that its ends show ([`Telling::Everything`](crate::judge::Telling)).
    pub fn add(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        self.span = Some(self.span.map_or((flow.first, flow.last), |(first, last)| (first.min(flow.first), last.max(flow.last))));
        if judged.outcome == Outcome::ScanNoise {
            if self.noise.len() < limit::HOSTS_LEARNED {
                *self.noise.entry(flow.client.endpoint.ip).or_default() += 1;
            }
            return;
        }
        let is_dhcp = judged.identified.protocol.first().is_some_and(|protocol| ["dhcp", "dhcpv6"].contains(protocol));
        let asks = is_dhcp && flow.client.endpoint.port != DHCP_SERVER;
        for (side, end) in [&flow.client, &flow.server].into_iter().enumerate() {
            self.end(judged, side, end, asks && side == 0);
        }
        self.row(judged);
    }

    fn end(&mut self, judged: &Judged, side: usize, end: &End, asks: bool) {
        let (flow, ip) = (&judged.identified.flow, end.endpoint.ip);
        let mac = end.mac.filter(|_| end.packets > 0);
        if let Some(mac) = mac.filter(|_| asks && self.asking.len() < limit::HOSTS_LEARNED) {
            self.asking.entry(mac).or_insert(flow.first_frame);
        }
        if is_group(ip) || ip.is_unspecified() || ip.is_loopback() {
            return;
        }
        if let Some(mac) = mac.filter(|mac| self.links.len() < limit::HOSTS_LEARNED || self.links.contains_key(mac)) {
            let from = self.links.entry(mac).or_default();
            if from.len() < ADDRESSES_OF_A_ROUTER {
                from.insert(ip);
            }
        }
        let Some(heard) = self.heard(ip) else { return };
        heard.sent |= end.packets > 0;
        if end.packets > 0 && heard.vlan.is_empty() {
            heard.vlan = flow.vlan.ids().to_vec();
        }
        if asks {
            heard.host.asked.get_or_insert(flow.first_frame);
        }
        heard.host.macs.extend(mac);
        for shown in &judged.shown[side] {
            heard.shown.insert((shown.role, shown.by, shown.what.clone()), shown.clone());
        }
        let by_itself: BTreeSet<RoleId> = judged.shown[side].iter().filter(|shown| shown.counts).map(|shown| shown.role).collect();
        heard.host.given.extend(judged.roles[side].iter().filter(|role| !by_itself.contains(role)));
    }

    /// The host, if it is one of those kept.
    fn heard(&mut self, ip: IpAddr) -> Option<&mut Heard> {
        if self.hosts.len() >= limit::HOSTS_LEARNED && !self.hosts.contains_key(&ip) {
            self.dropped += 1;
            return None;
        }
        Some(self.hosts.entry(ip).or_default())
    }

    /// What the flow says of the rows of documents: served, switched on, or none that knows it.
    fn row(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        let (server, protocol) = (flow.server.endpoint, &judged.identified.protocol);
        let answered = flow.server.packets > 0 && flow.server.payload_bytes > 0;
        match judged.service {
            Some(id) if judged.outcome == Outcome::Ok => {
                let row = self.signatures.service(id);
                let products: Vec<RoleId> = row.server.iter().copied().filter(|role| self.signatures.role(*role).kind == RoleKind::Product).collect();
                let (off, frame) = (row.default_on == Some(false), flow.first_frame);
                let Some(heard) = self.heard(server.ip) else { return };
                if let [role] = products.as_slice() {
                    heard.host.serves.entry(*role).or_default().entry(id).or_insert(frame);
                }
                if off {
                    heard.host.on.entry(id).or_insert(frame);
                }
            }
            None if answered && judged.identified.announced.is_none() && !is_group(server.ip) && !is_background(server.port, protocol) => self.stranger(judged),
            _ => {}
        }
    }

    fn stranger(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        let place = (flow.transport, flow.server.endpoint.port);
        let inward = self.site.is_local(flow.server.endpoint.ip);
        let key = (place.0, place.1, judged.identified.protocol.to_vec(), inward);
        if self.strangers.len() >= limit::PAIRS_GATHERED && !self.strangers.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let known = self.strangers.entry(key).or_insert_with(|| Stranger {
            place,
            protocol: judged.identified.protocol.to_vec(),
            clients: BTreeSet::new(),
            servers: BTreeSet::new(),
            flows: 0,
            frame: flow.first_frame,
            reasons: BTreeSet::new(),
        });
        known.flows += 1;
        known.frame = known.frame.min(flow.first_frame);
        known.reasons.extend(judged.reasons.iter().filter(|reason| **reason != Reason::NotCovered));
        for (hosts, ip) in [(&mut known.clients, flow.client.endpoint.ip), (&mut known.servers, flow.server.endpoint.ip)] {
            if hosts.len() < limit::HOSTS_LEARNED_OF_A_SERVICE {
                hosts.insert(ip);
            }
        }
    }

    /// What all of it shows.
    pub fn finish(mut self) -> Learned {
        let inside: BTreeSet<IpAddr> = self.hosts.iter().filter(|(ip, heard)| self.is_inside(**ip, heard)).map(|(ip, _)| *ip).collect();
        let outside = self.hosts.iter().filter(|(ip, heard)| heard.sent && !inside.contains(ip)).count();
        self.hosts.retain(|ip, _| inside.contains(ip));
        for heard in self.hosts.values_mut() {
            heard.host.macs.retain(|mac| self.links.get(mac).is_some_and(is_of_one_host));
            let asked = heard.host.macs.iter().find_map(|mac| self.asking.get(mac).copied());
            heard.host.asked = heard.host.asked.or(asked);
            heard.host.shown = std::mem::take(&mut heard.shown).into_values().collect();
            heard.host.shown.sort_by(|a, b| b.confidence.cmp(&a.confidence).then(a.role.cmp(&b.role)).then(a.by.cmp(b.by)).then(a.what.cmp(&b.what)));
        }
        self.switched_on();
        let (networks, mut groups) = (self.networks(), self.groups());
        let sure = || groups.iter().filter(|group| group.sure);
        let role_of: BTreeMap<IpAddr, Vec<RoleId>> = sure().flat_map(|group| group.hosts.keys().map(|ip| (*ip, group.roles.clone()))).collect();
        let vendor = |role: &RoleId| self.signatures.document(self.signatures.role(*role).document).vendor.clone();
        let vendors: BTreeSet<String> = sure().flat_map(|group| &group.roles).map(vendor).collect();
        let (unknown, hinted) = self.unknown(&role_of);
        hint(&mut groups, hinted);
        let mut noise: Vec<(IpAddr, u64)> = self.noise.into_iter().collect();
        noise.sort_by_key(|(ip, flows)| (std::cmp::Reverse(*flows), *ip));
        noise.truncate(limit::LEARNED_ENTRIES);
        let lasted = self.span.map_or(Duration::ZERO, |(first, last)| last.since(first));
        Learned { networks, groups, moved: self.moving.into_iter().collect(), unknown, noise, vendors, outside, lasted, dropped: self.dropped }
    }

    /// Rows that are off unless switched on, at hosts whose role is sure only now that all was heard: their flows were judged before, as no document's.
    fn switched_on(&mut self) {
        let mut on = Vec::new();
        for stranger in self.strangers.values().filter(|stranger| !stranger.protocol.is_empty()) {
            let rows = self.signatures.at(stranger.place.0, stranger.place.1).map(|id| (id, self.signatures.service(id)));
            let off: Vec<_> = rows.filter(|(_, row)| row.default_on == Some(false) && row.accepts(&stranger.protocol)).collect();
            for ip in stranger.servers.iter().filter(|_| !off.is_empty()) {
                let sure = self.hosts.get(ip).map_or_else(Vec::new, |heard| self.roles(*ip, heard).0);
                let served = off.iter().filter(|(_, row)| row.server.iter().any(|role| sure.contains(role)));
                on.extend(served.map(|(id, _)| (*ip, *id, stranger.frame)));
            }
        }
        for (ip, id, frame) in on {
            if let Some(heard) = self.hosts.get_mut(&ip) {
                heard.host.on.entry(id).or_insert(frame);
            }
        }
    }

    /// Whether a host is one of the site's: by the operator's word, by its address, or as an appliance whose own hardware address is seen here.
    fn is_inside(&self, ip: IpAddr, heard: &Heard) -> bool {
        let is_own = |mac: &Mac| self.links.get(mac).is_some_and(is_of_one_host) && (self.is_certain(*mac) || is_made_of(ip, *mac));
        self.site.is_local(ip) || !heard.host.given.is_empty() || heard.host.macs.iter().any(is_own)
    }

    /// Whether a mark that only an appliance has stands for the hardware address.
    fn is_certain(&self, mac: Mac) -> bool {
        let text = mac.to_string();
        let mut marks = self.signatures.roles.iter().flat_map(|role| &role.marks);
        marks.any(|mark| mark.certain && mark.kind == MarkKind::MacPrefix && text.starts_with(&mark.pattern))
    }

    /// Networks of 256 addresses (64 bits of IPv6) in which hosts were heard; those of one link, where each host has a hardware address of its own, are one.
    fn networks(&self) -> Vec<Seen> {
        let mut networks: BTreeMap<IpNet, BTreeSet<IpAddr>> = BTreeMap::new();
        let mut links: BTreeMap<(bool, &[u16]), BTreeSet<IpNet>> = BTreeMap::new();
        for (ip, heard) in self.hosts.iter().filter(|(ip, heard)| heard.sent && !is_link_local(**ip)) {
            let Ok(network) = IpNet::new(*ip, if ip.is_ipv4() { 24 } else { 64 }) else { continue };
            networks.entry(network.trunc()).or_default().insert(*ip);
            if !heard.host.macs.is_empty() {
                links.entry((ip.is_ipv6(), &heard.vlan)).or_default().insert(network.trunc());
            }
        }
        for on_link in links.into_values().filter(|on_link| on_link.len() > 1) {
            let widest = |network: &IpNet| network.prefix_len() >= if network.addr().is_ipv4() { 16 } else { 48 };
            let Some(wide) = on_link.into_iter().reduce(together).filter(widest) else { continue };
            let within: Vec<IpNet> = networks.keys().copied().filter(|network| wide.contains(network)).collect();
            let hosts = within.iter().filter_map(|network| networks.remove(network)).flatten().collect();
            networks.insert(wide, hosts);
        }
        let own = |ip: &IpAddr| self.hosts.get(ip).is_some_and(|heard| !heard.host.macs.is_empty());
        networks.into_iter().map(|(network, hosts)| Seen { network, on_one_link: hosts.iter().all(own), hosts }).collect()
    }

    /// Hosts by what they show, the sure ones first.
    fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<_, Group> = BTreeMap::new();
        for (ip, heard) in &self.hosts {
            let (likely, weak) = self.roles(*ip, heard);
            for (roles, sure) in [(likely, true), (weak, false)] {
                if roles.is_empty() {
                    continue;
                }
                let told = heard.host.shown.iter().filter(|shown| sure && roles.contains(&shown.role));
                let version = told.filter_map(|shown| shown.version.clone()).max();
                let of_roles = |id: &ServiceId| self.signatures.service(*id).server.iter().any(|role| roles.contains(role));
                let on: BTreeSet<ServiceId> = heard.host.on.keys().copied().filter(|id| sure && of_roles(id)).collect();
                let asks_for_addresses = heard.host.asked.is_some();
                let key = (!sure, roles.clone(), version.clone(), on.clone(), asks_for_addresses);
                let group = groups.entry(key).or_insert_with(|| Group { roles, sure, hosts: BTreeMap::new(), version, on, asks_for_addresses });
                group.hosts.insert(*ip, heard.host.clone());
            }
        }
        groups.into_values().collect()
    }

    /// Roles of a host that are sure enough to be judged by, and those that are hinted at.
    fn roles(&self, ip: IpAddr, heard: &Heard) -> (Vec<RoleId>, Vec<RoleId>) {
        let (mut sure, mut weak) = (heard.host.given.clone(), BTreeSet::new());
        for shown in &heard.host.shown {
            if shown.counts || shown.confidence >= Confidence::Medium {
                sure.insert(shown.role)
            } else {
                weak.insert(shown.role)
            };
        }
        for (role, rows) in heard.host.serves.iter().filter(|(role, _)| weak.contains(role)) {
            // Two ports that are both as one document has them are no accident; one may be.
            let ports: BTreeSet<_> = rows.keys().filter_map(|id| self.signatures.service(*id).ports.first()).collect();
            if ports.len() > 1 && self.site.is_local(ip) {
                sure.insert(*role);
            }
        }
        weak.retain(|role| !sure.contains(role));
        (sure.into_iter().collect(), weak.into_iter().collect())
    }

    /// What no document knows at hosts of roles. What speaks as a row of theirs does on another port is told as moved; who answers as a row of their document has it
    /// may be that row's product, and is given back as a hint.
    fn unknown(&mut self, role_of: &BTreeMap<IpAddr, Vec<RoleId>>) -> (Vec<Stranger>, Vec<Hint>) {
        let (mut unknown, mut hinted) = (Vec::new(), Vec::new());
        for stranger in std::mem::take(&mut self.strangers).into_values() {
            let roles = |hosts: &BTreeSet<IpAddr>| hosts.iter().filter_map(|ip| role_of.get(ip)).flatten().copied().collect::<BTreeSet<RoleId>>();
            let (clients, servers) = (roles(&stranger.clients), roles(&stranger.servers));
            if clients.is_empty() && servers.is_empty() {
                continue;
            }
            // Judged when the roles were not known yet.
            let rows: Vec<ServiceId> =
                self.signatures.at(stranger.place.0, stranger.place.1).filter(|id| self.signatures.service(*id).accepts(&stranger.protocol)).collect();
            let plays = |played: &BTreeSet<RoleId>, wanted: &[RoleId]| wanted.iter().any(|role| played.contains(role));
            let knows = |id: &ServiceId| plays(&clients, &self.signatures.service(*id).client) || plays(&servers, &self.signatures.service(*id).server);
            if rows.iter().any(knows) {
                continue;
            }
            let moving = self.moving(&stranger, role_of);
            let hints = self.hints(&stranger, &rows, clients.union(&servers).copied().collect(), role_of);
            if moving.is_empty() && hints.is_empty() {
                unknown.push(stranger);
            }
            self.moving.extend(moving);
            hinted.extend(hints);
        }
        unknown.sort_by_key(|stranger| (std::cmp::Reverse(stranger.flows), stranger.place, stranger.protocol.clone()));
        self.dropped += u64::try_from(unknown.len().saturating_sub(limit::LEARNED_ENTRIES)).unwrap_or(0);
        unknown.truncate(limit::LEARNED_ENTRIES);
        unknown.sort_by_key(|stranger| (stranger.place, stranger.protocol.clone()));
        (unknown, hinted)
    }

    /// Servers that speak as a row of one of their roles does, on another port.
    fn moving(&self, stranger: &Stranger, role_of: &BTreeMap<IpAddr, Vec<RoleId>>) -> Vec<Moving> {
        let Some(protocol) = stranger.protocol.last() else { return Vec::new() };
        let roles = stranger.servers.iter().flat_map(|server| role_of.get(server).into_iter().flatten().map(move |role| (*server, *role)));
        let told = |(server, role)| {
            let service = self.moved(role, stranger)?;
            Some(Moving { service, server, place: stranger.place, protocol: (*protocol).to_owned(), frame: stranger.frame })
        };
        roles.filter_map(told).collect()
    }

    /// Servers without a role that answer where a document of the others' roles has one product alone.
    fn hints(&self, stranger: &Stranger, rows: &[ServiceId], roles: BTreeSet<RoleId>, role_of: &BTreeMap<IpAddr, Vec<RoleId>>) -> Vec<Hint> {
        let documents: BTreeSet<u16> = roles.into_iter().map(|role| self.signatures.role(role).document).collect();
        let own = rows.iter().filter(|id| documents.contains(&self.signatures.service(**id).document));
        let products: BTreeSet<(RoleId, ServiceId)> = own
            .filter_map(|id| match self.signatures.service(*id).server.as_slice() {
                [role] if self.signatures.role(*role).kind == RoleKind::Product => Some((*role, *id)),
                _ => None,
            })
            .collect();
        let Some((role, service)) = products.first().copied().filter(|(first, _)| products.iter().all(|(role, _)| role == first)) else { return Vec::new() };
        let unknown = stranger.servers.iter().filter(|ip| !role_of.contains_key(ip) && self.hosts.contains_key(ip));
        unknown.map(|ip| Hint { role, host: *ip, service, frame: stranger.frame }).collect()
    }

    /// The row of that role whose protocol it is, though not its port. What everybody speaks says nothing.
    fn moved(&self, role: RoleId, stranger: &Stranger) -> Option<ServiceId> {
        let protocol = stranger.protocol.last().copied().filter(|protocol| !COMMON.contains(protocol))?;
        let fits = |id: &&ServiceId| {
            let row = self.signatures.service(**id);
            row.server.contains(&role) && (row.transports.is_empty() || row.transports.contains(&stranger.place.0))
        };
        self.signatures.speaking(protocol).iter().find(fits).copied()
    }
}

/// A host that may be a product, by one row that it answers on.
struct Hint {
    role: RoleId,
    host: IpAddr,
    service: ServiceId,
    frame: FrameId,
}

/// Adds hints to the groups that are no more either.
fn hint(groups: &mut Vec<Group>, hinted: Vec<Hint>) {
    for Hint { role, host, service, frame } in hinted {
        let at = groups.iter().position(|group| !group.sure && group.roles == [role]).unwrap_or_else(|| {
            groups.push(Group { roles: vec![role], sure: false, hosts: BTreeMap::new(), version: None, on: BTreeSet::new(), asks_for_addresses: false });
            groups.len() - 1
        });
        groups[at].hosts.entry(host).or_default().serves.entry(role).or_default().entry(service).or_insert(frame);
    }
}

/// Whether a hardware address is one host's: few addresses, at most one of IPv4 and none of a public network of it. A router's are many.
fn is_of_one_host(from: &BTreeSet<IpAddr>) -> bool {
    let v4: Vec<&IpAddr> = from.iter().filter(|ip| ip.is_ipv4()).collect();
    v4.len() <= 1 && from.len() <= ADDRESSES_OF_A_HOST && v4.iter().all(|ip| is_private(**ip))
}

/// Whether an IPv6 address was made from the hardware address (RFC 4291, appendix A).
fn is_made_of(ip: IpAddr, Mac([a, b, c, d, e, f]): Mac) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.octets()[8..] == [a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The narrowest network that holds both.
fn together(one: IpNet, other: IpNet) -> IpNet {
    let mut wide = one;
    while !wide.contains(&other) {
        match wide.supernet() {
            Some(wider) => wide = wider,
            None => return wide,
        }
    }
    wide
}

/// Protocols that anything may speak anywhere: on another port they show no moved service.
const COMMON: &[&str] = &["dns", "dtls", "http", "jsonrpc", "quic", "soap", "ssh", "stun", "tls", "upnp", "webdav", "websocket"];
/// Addresses of one host: one of IPv4, and of IPv6 what privacy extensions leave (RFC 8981).
const ADDRESSES_OF_A_HOST: usize = 12;
/// Addresses kept of one hardware address: enough to know a router.
const ADDRESSES_OF_A_ROUTER: usize = ADDRESSES_OF_A_HOST + 4;
/// Port of DHCP servers and relays (RFC 2131, section 4.1).
const DHCP_SERVER: u16 = 67;
