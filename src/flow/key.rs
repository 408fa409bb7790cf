//! What makes packets one flow: transport, addresses and ports, in an order that does not depend on the direction.

use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::{Content, Header, Ip, Packet, Quote};
use crate::flow::unreachable;
use crate::net::{Endpoint, Transport};

/// Transport, addresses and ports of a flow. VLANs and tunnels are no part of it: the same inner flow by two ways is one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Addresses as numbers of 128 bits, the highest word first; IPv4's are mapped (RFC 4291 section 2.5.5.2).
    low: [u32; 4],
    high: [u32; 4],
    low_port: u16,
    high_port: u16,
    /// Of an ICMP error: the address pair it quotes, hashed. It keeps each such flow in the shard of the flow that it is about.
    about: u32,
    transport: Transport,
    v6: bool,
}

/// A key, and whether the packet it was made of came from the key's lower end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyed {
    pub key: Key,
    pub from_low: bool,
}

impl Keyed {
    /// Of no packet, to be overwritten.
    pub const BLANK: Self =
        Self { key: Key { low: [0; 4], high: [0; 4], low_port: 0, high_port: 0, about: 0, transport: Transport(0), v6: false }, from_low: false };
}

impl Key {
    /// The lower or the higher end.
    pub fn end(&self, low: bool) -> Endpoint {
        let (words, port) = if low { (&self.low, self.low_port) } else { (&self.high, self.high_port) };
        Endpoint { ip: address(words, self.v6), port }
    }

    /// The transport protocol.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// A hash of all of it. IPv4 addresses differ in their last word alone.
    #[inline(always)]
    pub fn hash(&self, seed: &impl BuildHasher) -> u64 {
        let ([a, b, c, low], [d, e, f, high]) = (self.low, self.high);
        let ports = u64::from(self.low_port) << 48 | u64::from(self.high_port) << 32 | u64::from(self.about);
        let mut hasher = seed.build_hasher();
        if self.v6 {
            [(a, b), (d, e), (c, f)].into_iter().for_each(|(one, other)| hasher.write_u64(pair(one, other)));
        }
        hasher.write_u64(pair(low, high));
        hasher.write_u64(ports.rotate_left(8) ^ u64::from(self.transport.0));
        hasher.finish()
    }

    /// Where the index of the table files the key.
    pub fn tag(&self, seed: &impl BuildHasher) -> u32 {
        tag_of(self.hash(seed))
    }

    /// The key of the flow that a packet quoted by an ICMP error belongs to; none where its ends are not quoted.
    pub fn of_quote(quote: &Quote) -> Option<Keyed> {
        let (source, destination, two_way) = match (quote.ports, quote.icmp) {
            (Some((source, destination)), _) => (source, destination, true),
            (None, Some((kind, code, _))) => icmp_ports(quote.transport, kind, code),
            (None, None) if quote.transport.has_ports() || is_icmp(quote.transport) => return None,
            (None, None) => (0, 0, true),
        };
        Some(Self::between(quote.transport, (quote.source, source), (quote.destination, destination), two_way, 0))
    }

    /// Puts it behind other bytes, as short as it may be.
    pub fn put(&self, bytes: &mut Vec<u8>) {
        if self.is_short() {
            bytes.push(SHORT);
            bytes.extend_from_slice(&self.short());
        } else {
            bytes.push(LONG);
            bytes.extend_from_slice(&self.long());
        }
    }

    /// The key that was [put](Self::put) there.
    pub fn get(bytes: &[u8]) -> Self {
        let mut words = bytes.get(1..).unwrap_or_default().chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_le_bytes));
        let mut word = || words.next().unwrap_or(0);
        let ports = word();
        let is_short = bytes.first() == Some(&SHORT);
        let mut end = || if is_short { mapped(word()) } else { [word(), word(), word(), word()] };
        let (low, high) = (end(), end());
        let about = if is_short { 0 } else { word() };
        let [transport, v6] = [0, 1].map(|at| bytes.get(Self::len_at(bytes) - 2 + at).copied().unwrap_or(0));
        Self { low, high, low_port: ports as u16, high_port: (ports >> 16) as u16, about, transport: Transport(transport), v6: v6 > 0 }
    }

    /// Whether it is the one that was [put](Self::put) there.
    pub fn is_at(&self, bytes: &[u8]) -> bool {
        match bytes {
            [SHORT, rest @ ..] => self.is_short() && rest.starts_with(&self.short()),
            [_, rest @ ..] => !self.is_short() && rest.starts_with(&self.long()),
            [] => false,
        }
    }

    /// How many bytes the key takes that was [put](Self::put) there.
    pub fn len_at(bytes: &[u8]) -> usize {
        1 + if bytes.first() == Some(&SHORT) { SHORT_KEY } else { LONG_KEY }
    }

    /// Whether its addresses are IPv4's, and it is no ICMP error.
    fn is_short(&self) -> bool {
        !self.v6 && self.about == 0
    }

    fn short(&self) -> [u8; SHORT_KEY] {
        let ([.., low], [.., high]) = (self.low, self.high);
        let mut bytes = [0; SHORT_KEY];
        self.lay(&[low, high], &mut bytes);
        bytes
    }

    fn long(&self) -> [u8; LONG_KEY] {
        let ([a, b, c, d], [e, f, g, h]) = (self.low, self.high);
        let mut bytes = [0; LONG_KEY];
        self.lay(&[a, b, c, d, e, f, g, h, self.about], &mut bytes);
        bytes
    }

    /// Ports, these words, transport and version.
    fn lay(&self, words: &[u32], bytes: &mut [u8]) {
        let ports = u32::from(self.high_port) << 16 | u32::from(self.low_port);
        for (place, word) in bytes.chunks_exact_mut(4).zip([&ports].into_iter().chain(words)) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        if let [.., transport, v6] = bytes {
            (*transport, *v6) = (self.transport.0, u8::from(self.v6));
        }
    }

    /// The key of a TCP segment.
    pub fn of_segment(source: (IpAddr, u16), destination: (IpAddr, u16)) -> Keyed {
        Self::between(Transport::TCP, source, destination, true, 0)
    }

    /// Apart for IPv4, as nearly all is, and as numbers from the start: addresses that are compared and exchanged as they are stall the processor at each step.
    #[inline(always)]
    fn between(transport: Transport, source: (IpAddr, u16), destination: (IpAddr, u16), two_way: bool, about: u32) -> Keyed {
        let ports = (source.1, destination.1);
        match (source.0, destination.0) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let (from, to) = (from.to_bits(), to.to_bits());
                let from_low = !two_way || (from, ports.0) <= (to, ports.1);
                let (low, high) = if from_low { (from, to) } else { (to, from) };
                let (low_port, high_port) = if from_low { ports } else { (ports.1, ports.0) };
                let key = Self { low: mapped(low), high: mapped(high), low_port, high_port, about, transport, v6: false };
                Keyed { key, from_low }
            }
            (from, to) => Self::between_others(transport, (words(from), ports.0), (words(to), ports.1), two_way, about, source.0.is_ipv6()),
        }
    }

    #[inline(never)]
    fn between_others(transport: Transport, source: ([u32; 4], u16), destination: ([u32; 4], u16), two_way: bool, about: u32, v6: bool) -> Keyed {
        let from_low = !two_way || (number(source.0), source.1) <= (number(destination.0), destination.1);
        let ((low, low_port), (high, high_port)) = if from_low { (source, destination) } else { (destination, source) };
        Keyed { key: Self { low, high, low_port, high_port, about, transport, v6 }, from_low }
    }
}

/// The place in the index of a key with that hash. 32 bits are enough: whoever finds the same tag compares the keys.
pub(super) const fn tag_of(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// The key of a packet; none where its ends cannot be named: no IP, a fragment without its header, a header cut off.
#[inline(always)]
pub(super) fn of_packet(packet: &Packet<'_>) -> Option<Keyed> {
    let Content::Ip(ip, header) = &packet.content else { return None };
    let mut about = 0;
    let (source, destination, two_way) = match header {
        Header::Tcp(tcp) => (tcp.source, tcp.destination, true),
        Header::Udp { source, destination } | Header::Sctp { source, destination, .. } | Header::Ports { source, destination } => (*source, *destination, true),
        Header::Icmp { kind, code, .. } => {
            about = quote_of(packet).map_or(0, |quote| pair_hash(quote.source, quote.destination) as u32);
            icmp_ports(ip.transport, *kind, *code)
        }
        Header::None if ip.transport.has_ports() || is_icmp(ip.transport) => return None,
        Header::None => (0, 0, true),
    };
    Some(Key::between(ip.transport, (ip.source, source), (ip.destination, destination), two_way, about))
}

/// Which part of the traffic a table keeps, where several share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 0.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl Shard {
    /// All of it.
    pub const ALL: Self = Self { number: 0, of: 1 };

    /// Whether it is this table that keeps the packet.
    pub fn keeps(self, packet: &Packet<'_>) -> bool {
        self.of <= 1 || shard_of(packet, self.of) == Some(self.number)
    }

    /// The number of the one that keeps what these two say to each other.
    #[inline]
    pub fn of_pair(one: IpAddr, other: IpAddr, shards: usize) -> usize {
        // The highest bits decide, as a division would take as long as all the rest.
        (((pair_hash(one, other) >> 32) * shards as u64) >> 32) as usize
    }
}

/// Which of `shards` tables a packet belongs to: by its address pair, an ICMP error by the pair it quotes. So a control flow and its data flows,
/// a flow and its fragments, a flow and the errors about it meet in one table. Packets without IP go to the first;
/// those that were not looked at are another's.
fn shard_of(packet: &Packet<'_>, shards: usize) -> Option<usize> {
    let (source, destination) = match packet.content {
        Content::Ip(Ip { source, destination, .. }, _) => quote_of(packet).map_or((source, destination), |quote| (quote.source, quote.destination)),
        Content::Elsewhere => return None,
        Content::Arp(_) | Content::Other(_) | Content::Nothing => return Some(0),
    };
    Some(Shard::of_pair(source, destination, shards))
}

/// The two numbers that stand for ports in an ICMP flow, and whether answers belong to it: type and counterpart type, else type and code
/// (Community ID v1; Zeek does the same).
pub(super) fn icmp_ports(transport: Transport, kind: u8, code: u8) -> (u16, u16, bool) {
    let pairs = if transport == Transport::ICMP6 { COUNTERPARTS_V6 } else { COUNTERPARTS_V4 };
    match pairs.iter().find(|(known, _)| *known == kind) {
        Some((_, counterpart)) => (u16::from(kind), u16::from(*counterpart), true),
        None => (u16::from(kind), u16::from(code), false),
    }
}

/// Whether an ICMP type asks, of those that have a counterpart: its sender is the client.
pub(super) fn icmp_asks(transport: Transport, kind: u8) -> bool {
    if transport == Transport::ICMP6 { matches!(kind, 128 | 130 | 133 | 135 | 139 | 144) } else { matches!(kind, 8 | 10 | 13 | 15 | 17) }
}

fn quote_of(packet: &Packet<'_>) -> Option<Quote> {
    unreachable::of_packet(packet)?.quote
}

fn is_icmp(transport: Transport) -> bool {
    matches!(transport, Transport::ICMP | Transport::ICMP6)
}

/// A hash of an address pair that is the same in both directions, in every run and for any number of shards.
#[inline]
fn pair_hash(one: IpAddr, other: IpAddr) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let (one, other) = (one.to_bits(), other.to_bits());
            hasher.write_u64(pair(one.min(other), one.max(other)));
        }
        (one, other) => {
            let (one, other) = (number(words(one)), number(words(other)));
            hasher.write_u128(one.min(other));
            hasher.write_u128(one.max(other));
        }
    }
    hasher.finish()
}

fn words(ip: IpAddr) -> [u32; 4] {
    match ip {
        IpAddr::V4(v4) => mapped(v4.to_bits()),
        IpAddr::V6(v6) => {
            let all = v6.to_bits();
            [all >> 96, all >> 64, all >> 32, all].map(|word| word as u32)
        }
    }
}

const fn mapped(v4: u32) -> [u32; 4] {
    [0, 0, 0xffff, v4]
}

fn address(words: &[u32; 4], v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::from_bits(number(*words)).into() } else { Ipv4Addr::from_bits(words[3]).into() }
}

fn number([a, b, c, d]: [u32; 4]) -> u128 {
    u128::from(pair(a, b)) << 64 | u128::from(pair(c, d))
}

const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// What stands before a key of short form, and how many bytes that takes: ports, two addresses, transport and version.
const SHORT: u8 = 0;
const SHORT_KEY: usize = 4 + 2 * 4 + 2;
/// The same of the other form: ports, two addresses, what it is about, transport and version.
const LONG: u8 = 1;
const LONG_KEY: usize = 4 + 2 * 16 + 4 + 2;

/// ICMP types that have an answer, with the answer's type (Community ID v1).
const COUNTERPARTS_V4: &[(u8, u8)] = &[(0, 8), (8, 0), (9, 10), (10, 9), (13, 14), (14, 13), (15, 16), (16, 15), (17, 18), (18, 17)];
/// The same for ICMPv6.
const COUNTERPARTS_V6: &[(u8, u8)] =
    &[(128, 129), (129, 128), (130, 131), (131, 130), (133, 134), (134, 133), (135, 136), (136, 135), (139, 140), (140, 139), (144, 145), (145, 144)];
