//! Finds rows without a scan.
//!
//! Ports are kept in a binary tree over the 65,536 numbers, one per transport. A range is stored at the at most 30 nodes that
//! together cover exactly its ports; a lookup walks from the port's leaf to the root and meets every range that holds it, and
//! nothing else. So its cost is 17 nodes and the rows found, however many rows there are.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use crate::net::Transport;
use crate::signature::{PortRange, PromiseKind, Role, RoleId, Service, ServiceId};

/// Where everything is.
#[derive(Clone, Debug, Default)]
pub struct Index {
    ports: HashMap<(Transport, u32), Vec<ServiceId>, FixedState>,
    exact_hosts: HashMap<String, Vec<ServiceId>, FixedState>,
    host_suffixes: HashMap<String, Vec<ServiceId>, FixedState>,
    /// Looks of the names, of the suffixes: most names that are asked about look like none of them.
    looks: [Looks; 2],
    promises: BTreeMap<PromiseKind, Vec<ServiceId>>,
    protocols: HashMap<String, Vec<ServiceId>, FixedState>,
    by_role: HashMap<RoleId, Vec<ServiceId>, FixedState>,
    service_ids: HashMap<String, ServiceId, FixedState>,
    role_ids: HashMap<String, RoleId, FixedState>,
}

impl Index {
    /// Indexes checked rows and roles.
    pub fn new(services: &[Service], roles: &[Role]) -> Self {
        let mut index = Self::default();
        for (id, role) in (0..).map(RoleId).zip(roles) {
            index.role_ids.insert(role.id.clone(), id);
        }
        for (id, service) in (0..).map(ServiceId).zip(services) {
            index.service_ids.insert(service.id.clone(), id);
            index.add_ports(id, service);
            index.add_words(id, service);
        }
        index
    }

    fn add_ports(&mut self, id: ServiceId, service: &Service) {
        let transports = if service.transports.is_empty() { PORT_TRANSPORTS } else { &service.transports };
        for range in joined(&service.ports) {
            for node in cover(range) {
                for transport in transports {
                    self.ports.entry((*transport, node)).or_default().push(id);
                }
            }
        }
    }

    fn add_words(&mut self, id: ServiceId, service: &Service) {
        for host in &service.hosts {
            let (map, looks, key) = match host.pattern.strip_prefix("*.") {
                Some(suffix) => (&mut self.host_suffixes, &mut self.looks[1], suffix),
                None => (&mut self.exact_hosts, &mut self.looks[0], host.pattern.as_str()),
            };
            looks.add(key);
            enter(map.entry(key.to_owned()).or_default(), id);
        }
        for kind in &service.learned_from {
            enter(self.promises.entry(*kind).or_default(), id);
        }
        for word in service.protocols.iter().flatten().cloned().chain(words(&service.protocol_name)) {
            enter(self.protocols.entry(word).or_default(), id);
        }
        for role in service.client.iter().chain(&service.server) {
            enter(self.by_role.entry(*role).or_default(), id);
        }
    }

    pub fn at(&self, transport: Transport, port: u16) -> impl Iterator<Item = ServiceId> {
        path(port).filter_map(move |node| self.ports.get(&(transport, node))).flatten().copied()
    }

    pub fn named(&self, name: &str) -> Vec<ServiceId> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) };
        let [names, suffixes] = &self.looks;
        let exact = if names.may_have(&name) { self.exact_hosts.get(&*name) } else { None };
        let mut found: Vec<ServiceId> = exact.into_iter().flatten().copied().collect();
        for (dot, _) in name.bytes().enumerate().filter(|(_, byte)| *byte == b'.') {
            let suffix = &name[dot + 1..];
            if !suffixes.may_have(suffix) {
                continue;
            }
            for id in self.host_suffixes.get(suffix).into_iter().flatten() {
                if !found.contains(id) {
                    found.push(*id);
                }
            }
        }
        found
    }

    pub fn has_name(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let [names, suffixes] = &self.looks;
        let mut above = memchr::memchr_iter(b'.', name.as_bytes()).filter_map(|dot| name.get(dot + 1..));
        // Looks rule out most names; what they do not goes the longer way.
        (names.may_have(name) || above.any(|suffix| suffixes.may_have(suffix))) && !self.named(name).is_empty()
    }

    pub fn learned(&self, kind: PromiseKind) -> &[ServiceId] {
        self.promises.get(&kind).map_or(&[], Vec::as_slice)
    }

    pub fn speaking(&self, protocol: &str) -> &[ServiceId] {
        self.protocols.get(protocol).map_or(&[], Vec::as_slice)
    }

    pub fn of_role(&self, role: RoleId) -> &[ServiceId] {
        self.by_role.get(&role).map_or(&[], Vec::as_slice)
    }

    pub fn service(&self, id: &str) -> Option<ServiceId> {
        self.service_ids.get(id).copied()
    }

    pub fn role(&self, id: &str) -> Option<RoleId> {
        self.role_ids.get(id).copied()
    }
}

/// A bit for each look that one of some texts has: its length and its first letter.
#[derive(Clone, Copy, Debug, Default)]
struct Looks([u64; 4]);

impl Looks {
    fn add(&mut self, text: &str) {
        let (word, bit) = Self::place(text);
        self.0[word] |= bit;
    }

    /// Whether one of the texts may be this one, upper case or lower.
    fn may_have(&self, text: &str) -> bool {
        let (word, bit) = Self::place(text);
        self.0[word] & bit != 0
    }

    fn place(text: &str) -> (usize, u64) {
        let first = text.bytes().next().unwrap_or_default().to_ascii_lowercase();
        let look = text.len().wrapping_mul(37) ^ usize::from(first);
        (look / 64 % 4, 1 << (look % 64))
    }
}

/// Rows are entered in order of their ids, so a repeated one is the last of its list.
fn enter(list: &mut Vec<ServiceId>, id: ServiceId) {
    if list.last() != Some(&id) {
        list.push(id);
    }
}

/// Lower-case words of a protocol's name in the document, alone and together: `Shared Variables` has `shared`, `variables` and `shared_variables`.
fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    if words.len() > 1 {
        words.push(words.join("_"));
    }
    words
}

/// The same ports in ranges that neither touch nor overlap, so that no port finds its row twice.
fn joined(ranges: &[PortRange]) -> Vec<PortRange> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut joined: Vec<PortRange> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.low <= last.high.saturating_add(1) => last.high = last.high.max(range.high),
            _ => joined.push(range),
        }
    }
    joined
}

/// Nodes from a port's leaf to the root. The root is 1, the children of n are 2n and 2n + 1, the leaf of a port is 65,536 + port.
fn path(port: u16) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(LEAVES + u32::from(port)), |node| (*node > 1).then_some(node / 2))
}

/// The fewest nodes that cover exactly the ports of a range.
fn cover(range: PortRange) -> Vec<u32> {
    let (mut low, mut high) = (LEAVES + u32::from(range.low), LEAVES + u32::from(range.high) + 1);
    let mut nodes = Vec::new();
    while low < high {
        if low % 2 == 1 {
            nodes.push(low);
            low += 1;
        }
        if high % 2 == 1 {
            high -= 1;
            nodes.push(high);
        }
        (low, high) = (low / 2, high / 2);
    }
    nodes
}

const LEAVES: u32 = 1 << 16;
/// Where a document names ports and no transport, the row is looked for on all that have ports.
const PORT_TRANSPORTS: &[Transport] = &[Transport::TCP, Transport::UDP, Transport::SCTP];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_port_of_a_range_meets_it_exactly_once_and_no_other_port_does(a: u16, b: u16, port: u16) {
            let range = PortRange { low: a.min(b), high: a.max(b) };
            let nodes = cover(range);
            let met = path(port).filter(|node| nodes.contains(node)).count();
            prop_assert_eq!(met, usize::from(range.contains(port)));
            prop_assert!(nodes.len() <= 30);
        }
    }

    #[test]
    fn a_lookup_walks_seventeen_nodes_whatever_the_port() {
        assert!([0, 1, 443, 8883, u16::MAX].into_iter().all(|port| path(port).count() == 17));
    }

    #[test]
    fn touching_and_overlapping_ranges_are_joined() {
        let range = |low, high| PortRange { low, high };
        assert_eq!(joined(&[range(90, 95), range(80, 84), range(85, 91)]), [range(80, 95)]);
        assert_eq!(joined(&[range(65535, 65535), range(0, 65535)]), [range(0, 65535)]);
    }
}
