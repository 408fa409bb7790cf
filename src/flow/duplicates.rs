//! Copies of packets that a mirror port made: the same packet captured twice is one packet.
//!
//! A copy is recognised by what a router and a switch leave alone: addresses, identification, transport header, payload. What they change - time to live,
//! MAC addresses, VLAN tags, interface - says which kind of copy it is. A retransmission is a new packet: hosts give it a new identification.
//!
//! IPv4 senders may leave the identification 0 on packets that must not be fragmented (RFC 6864 section 4.1), and IPv6 has none. Then two equal packets
//! seen at the same place are two packets (repeated acknowledgments, SSDP searches), and only one seen at another place is a copy.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

use foldhash::fast::FixedState;
use thin_vec::ThinVec;

use crate::decode::{Content, Header, Ip, Packet, TunnelPath, VlanStack};
use crate::limit::{COPIES_OF_A_PACKET, DUPLICATE_WINDOW, DUPLICATES_REMEMBERED};
use crate::net::Mac;
use crate::time::Timestamp;

/// What kind of copy a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DuplicateKind {
    /// The same in everything: mirrored on its way in and on its way out.
    Exact,
    /// Captured before and after a router: time to live one less, other MAC addresses.
    Routed,
    /// With another VLAN tag, or with one and without.
    Vlan,
    /// Captured on two interfaces.
    Interface,
    /// Bare and in a tunnel, or in two.
    Tunnel,
    /// With other sequence numbers, captured before and after a firewall that changes them ([`legs`](super::legs)).
    Renumbered,
}

/// As reports print it.
impl fmt::Display for DuplicateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Routed => "routed",
            Self::Vlan => "vlan",
            Self::Interface => "interface",
            Self::Tunnel => "tunnel",
            Self::Renumbered => "renumbered",
        })
    }
}

/// The packets of the last moments of a shard.
///
/// Entries are numbered as they come, and lie in a ring by their number. A bucket holds the number of its newest entry, and each entry that of the one before it in
/// its bucket, so that what has left need not be taken out: its number is too old. This is done for every packet, and most find nothing.
#[derive(Debug, Default)]
pub struct Duplicates {
    /// By the low bits of their numbers; a power of two of places.
    ring: Vec<Seen>,
    /// The number of the newest entry by the low bits of its fingerprint; as many as there are places.
    newest: Vec<u32>,
    /// The number of the oldest entry, and the next one to be given. Numbers wrap.
    first: u32,
    next: u32,
    hasher: FixedState,
}

/// A packet and the places where it was captured.
#[derive(Clone, Debug, Default)]
struct Seen {
    fingerprint: u64,
    time: Timestamp,
    /// Number of the entry before it in its bucket.
    before: u32,
    sighting: Sighting,
    /// Of copies, where they were captured.
    copies: ThinVec<Sighting>,
}

/// Where a packet was captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sighting {
    interface: u32,
    ttl: u8,
    vlan: VlanStack,
    tunnel: TunnelPath,
    mac: Option<(Mac, Mac)>,
}

impl Duplicates {
    /// Whether the packet is a copy of one that came before, within [`DUPLICATE_WINDOW`] of packet time. Call it once for every packet, fragments
    /// before they are gathered; packets of both directions between two addresses must come to the same instance. `now` is the latest time of any packet so far,
    /// those of other shards included: so the answer does not depend on what else this one holds. `ends` is a hash of the packet's flow and direction, where it has
    /// a flow and is no fragment.
    pub fn is_copy(&mut self, packet: &Packet<'_>, now: Timestamp, ends: Option<u64>) -> Option<DuplicateKind> {
        let Content::Ip(ip, header) = &packet.content else { return None };
        let fingerprint = self.fingerprint(packet, ip, header, ends);
        let Some(number) = self.find(fingerprint) else {
            self.remember(fingerprint, packet, ip);
            return None;
        };
        let sighting = Sighting::of(packet, ip);
        // Without a header to compare, equal bytes cut short may be two packets.
        let told_apart = ip.ident != 0 && (*header != Header::None || ip.fragment.is_some() || !packet.payload.is_empty());
        let place = self.place(number);
        let seen = self.ring.get_mut(place)?;
        let apart = packet.time.since(seen.time).max(seen.time.since(packet.time));
        // They are forgotten now and then, and one that came late may lie behind others.
        let is_remembered = now.nanos_since(seen.time) <= REMEMBERED;
        let kind = if is_remembered && apart <= DUPLICATE_WINDOW { seen.kind_of(&sighting, told_apart) } else { None };
        if kind.is_none() {
            // Found before the older one from now on.
            self.remember(fingerprint, packet, ip);
        } else if seen.copies.len() + 1 < COPIES_OF_A_PACKET && !seen.has(&sighting) {
            seen.copies.push(sighting);
        }
        kind
    }

    /// What stays the same in every copy of a packet. Fields are hashed a word at a time: this is done for every packet.
    fn fingerprint(&self, packet: &Packet<'_>, ip: &Ip, header: &Header, ends: Option<u64>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match ends {
            Some(ends) => hasher.write_u64(ends),
            None => hash_ends(ip, header, &mut hasher),
        }
        hasher.write_u64(word(ip.ident, ip.len));
        match header {
            Header::Tcp(tcp) => {
                hasher.write_u64(word(tcp.sequence, tcp.acknowledgment));
                let rest = u32::from(tcp.window) << 16 | u32::from(tcp.flags.0) << 8 | u32::from(tcp.header_len);
                hasher.write_u64(word(packet.payload_len, rest));
            }
            Header::Sctp { chunk, .. } => hasher.write_u64(word(packet.payload_len, chunk.map_or(0, |chunk| 1 + u32::from(chunk)))),
            Header::Icmp { kind, code, rest } => {
                hasher.write_u64(word(packet.payload_len, u32::from_be_bytes([0, 0, *kind, *code])));
                hasher.write_u32(u32::from_be_bytes(*rest));
            }
            Header::Udp { .. } | Header::Ports { .. } | Header::None => hasher.write_u32(packet.payload_len),
        }
        // A change within a payload of equal length shows at its end, if not in its first bytes.
        let payload = packet.payload;
        if let (Some(first), Some(last)) = (payload.first_chunk::<PAYLOAD_COMPARED>(), payload.last_chunk::<PAYLOAD_COMPARED>()) {
            for [low, high] in [halves(*first), halves(*last)] {
                hasher.write_u64(low);
                hasher.write_u64(high);
            }
        } else {
            hasher.write(payload);
        }
        hasher.finish()
    }

    /// The number of the newest entry with that fingerprint.
    fn find(&self, fingerprint: u64) -> Option<u32> {
        let mut number = *self.newest.get(self.bucket(fingerprint))?;
        let mut newer = self.next;
        loop {
            // What is not older than the one that led here has left, and its number was given again.
            let seen = self.ring.get(self.place(number)).filter(|_| self.age(number) < self.age(newer))?;
            if seen.fingerprint == fingerprint {
                return Some(number);
            }
            (number, newer) = (seen.before, number);
        }
    }

    /// How many came before an entry of those that are remembered; of one that has left or is to come, more than there are.
    const fn age(&self, number: u32) -> u32 {
        number.wrapping_sub(self.first)
    }

    fn len(&self) -> usize {
        self.age(self.next) as usize
    }

    fn place(&self, number: u32) -> usize {
        number as usize & self.ring.len().wrapping_sub(1)
    }

    fn bucket(&self, fingerprint: u64) -> usize {
        fingerprint as usize & self.newest.len().wrapping_sub(1)
    }

    fn remember(&mut self, fingerprint: u64, packet: &Packet<'_>, ip: &Ip) {
        if self.len() >= DUPLICATES_REMEMBERED {
            self.first = self.first.wrapping_add(1);
        }
        if self.len() >= self.ring.len() {
            self.resize((2 * self.ring.len()).max(LEAST_RING));
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let (bucket, place) = (self.bucket(fingerprint), self.place(number));
        let before = self.newest.get_mut(bucket).map_or(number, |newest| std::mem::replace(newest, number));
        if let Some(to) = self.ring.get_mut(place) {
            *to = Seen { fingerprint, time: packet.time, before, sighting: Sighting::of(packet, ip), copies: ThinVec::new() };
        }
    }

    /// Other numbers of places and buckets: bursts fill many, quiet captures never need them.
    fn resize(&mut self, room: usize) {
        let old = std::mem::replace(&mut self.ring, vec![Seen::default(); room]);
        // Numbers of nobody: just older than the oldest.
        self.newest = vec![self.first.wrapping_sub(1); room];
        let oldest = self.first as usize & old.len().wrapping_sub(1);
        let mut numbers = self.first;
        for mut seen in old.iter().cycle().skip(oldest).take(self.len()).cloned() {
            let (bucket, place) = (self.bucket(seen.fingerprint), self.place(numbers));
            seen.before = std::mem::replace(&mut self.newest[bucket], numbers);
            self.ring[place] = seen;
            numbers = numbers.wrapping_add(1);
        }
    }

    /// It was told by the next packet of all whether the last one, which was dated far ahead, has the right date. With a wrong one nothing is a copy of it, and it
    /// must not keep all that comes after it. Not left to [`forget`](Self::forget), which is called at other packets where there are other shards.
    pub fn doubt_is_over(&mut self, now: Timestamp) {
        let place = self.place(self.next.wrapping_sub(1));
        if let Some(newest) = self.ring.get_mut(place).filter(|newest| newest.time.nanos_since(now) > REMEMBERED) {
            newest.time = Timestamp::from_nanos(i64::MIN);
        }
    }

    /// Forgets what is so old that no packet to come can be its copy; and gives room back that a burst took, which would only be walked round and round, far from any
    /// cache. To be called now and then.
    pub fn forget(&mut self, now: Timestamp) {
        let is_old = |seen: &Seen| now.nanos_since(seen.time) > REMEMBERED;
        while self.first != self.next && self.ring.get(self.place(self.first)).is_some_and(is_old) {
            self.first = self.first.wrapping_add(1);
        }
        if self.ring.len() > LEAST_RING && self.len() < self.ring.len() / ROOMY {
            self.resize(self.ring.len() / 2);
        }
    }
}

impl Seen {
    /// What kind of copy an equal packet is, by where it was captured; none where it is a packet of its own.
    fn kind_of(&self, sighting: &Sighting, told_apart: bool) -> Option<DuplicateKind> {
        if self.has(sighting) {
            return told_apart.then_some(DuplicateKind::Exact);
        }
        self.copies.iter().rev().chain([&self.sighting]).find_map(|before| before.kind_of(sighting, told_apart))
    }

    /// Whether it was captured just there before.
    fn has(&self, sighting: &Sighting) -> bool {
        self.sighting == *sighting || self.copies.contains(sighting)
    }
}

impl Sighting {
    fn of(packet: &Packet<'_>, ip: &Ip) -> Self {
        Self { interface: packet.interface, ttl: ip.ttl, vlan: packet.vlan, tunnel: packet.tunnel, mac: packet.mac }
    }

    /// What kind of copy lies between two sightings that differ.
    fn kind_of(&self, later: &Self, told_apart: bool) -> Option<DuplicateKind> {
        if self.ttl != later.ttl {
            return self.is_before_router(later, told_apart).then_some(DuplicateKind::Routed);
        }
        if self.tunnel != later.tunnel {
            return Some(DuplicateKind::Tunnel);
        }
        if self.vlan != later.vlan {
            return Some(DuplicateKind::Vlan);
        }
        if self.interface != later.interface {
            return Some(DuplicateKind::Interface);
        }
        // Only MAC addresses differ: a cluster or a bridge that rewrites them.
        told_apart.then_some(DuplicateKind::Exact)
    }

    /// Whether one router lies between. Without an identification both MAC addresses must have changed, as a router changes them:
    /// a probe that counts its time to live down would pass otherwise. A mirror may deliver the two in either order.
    fn is_before_router(&self, later: &Self, told_apart: bool) -> bool {
        let both_changed = match (self.mac, later.mac) {
            // `tcpdump -i any` notes whence a packet came, and not whither.
            (Some((from, to)), Some((later_from, later_to))) => from != later_from && (to != later_to || to == Mac::UNKNOWN),
            _ => false,
        };
        let forwarded = later.ttl.checked_add(1) == Some(self.ttl);
        let reversed = self.ttl.checked_add(1) == Some(later.ttl);
        (forwarded && (told_apart || both_changed)) || (reversed && told_apart && both_changed)
    }
}

/// Of a fragment, or of a packet whose ends are not all known.
#[inline(never)]
fn hash_ends(ip: &Ip, header: &Header, hasher: &mut impl Hasher) {
    (ip.source, ip.destination, ip.transport.0, header.ports()).hash(hasher);
    if let Some(fragment) = ip.fragment {
        hasher.write_u64(word(fragment.offset, u32::from(fragment.more)));
    }
}

fn halves(bytes: [u8; PAYLOAD_COMPARED]) -> [u64; 2] {
    let both = u128::from_ne_bytes(bytes);
    [both as u64, (both >> u64::BITS) as u64]
}

fn word(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Bytes compared at each end of a payload. They hold what tells datagrams without identification apart: ids, sequence numbers and times at the front (DNS, RTP,
/// SNMP), checks at the end (QUIC, DTLS); and so many are hashed in few steps.
const PAYLOAD_COMPARED: usize = 16;
/// Places of the smallest ring.
const LEAST_RING: usize = 256;
/// The ring shrinks when fewer than one in so many places are used: well below the half that it has when it has just grown.
const ROOMY: usize = 8;
/// Nanoseconds that a packet is remembered.
pub(super) const REMEMBERED: u64 = (DUPLICATE_WINDOW.as_nanos() + PATIENCE.as_nanos()) as u64;
/// Remembered so much longer than the window for captures that are slightly out of order.
const PATIENCE: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Tcp, TcpFlags, Tunnel};
    use crate::net::Transport;

    const ACK: Tcp = Tcp {
        source: 40_000,
        destination: 443,
        sequence: 1,
        acknowledgment: 2,
        flags: TcpFlags(TcpFlags::ACK),
        window: 512,
        header_len: 20,
        mss: None,
        window_scale: None,
    };

    /// A TCP packet with an identification, `micros` after the first.
    fn packet(ident: u32, payload: &[u8], micros: i64) -> Packet<'_> {
        let ip = Ip {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            ttl: 64,
            ident,
            len: 40 + payload.len() as u32,
            transport: Transport::TCP,
            fragment: None,
            dont_fragment: true,
        };
        Packet {
            frame: Default::default(),
            interface: 0,
            time: Timestamp::from_nanos(1_000_000_000 + micros * 1_000),
            mac: Some((Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]))),
            vlan: VlanStack::default(),
            tunnel: TunnelPath::default(),
            content: Content::Ip(ip, Header::Tcp(ACK)),
            payload,
            payload_len: payload.len() as u32,
            fault: None,
        }
    }

    fn with_ttl(mut packet: Packet<'_>, ttl: u8, mac: u8) -> Packet<'_> {
        if let Content::Ip(ip, _) = &mut packet.content {
            ip.ttl = ttl;
        }
        packet.mac = Some((Mac([2, 0, 0, 0, mac, 1]), Mac([2, 0, 0, 0, mac, 2])));
        packet
    }

    fn with_vlan(mut packet: Packet<'_>, id: u16) -> Packet<'_> {
        packet.vlan.push(id);
        packet
    }

    fn kinds(packets: &[Packet<'_>]) -> Vec<Option<DuplicateKind>> {
        let mut duplicates = Duplicates::default();
        packets.iter().map(|packet| duplicates.is_copy(packet, packet.time, None)).collect()
    }

    #[test]
    fn d03_a_packet_mirrored_twice_is_one_packet() {
        assert_eq!(kinds(&[packet(7, b"data", 0), packet(7, b"data", 40)]), [None, Some(DuplicateKind::Exact)]);
        assert_eq!(kinds(&[packet(7, b"", 0), packet(7, b"", 40), packet(7, b"", 80)]), [None, Some(DuplicateKind::Exact), Some(DuplicateKind::Exact)]);
    }

    #[test]
    fn a_retransmission_has_another_identification_and_is_no_copy() {
        assert_eq!(kinds(&[packet(7, b"data", 0), packet(8, b"data", 500)]), [None, None]);
    }

    #[test]
    fn a_retransmission_with_the_same_identification_comes_after_the_window() {
        assert_eq!(kinds(&[packet(7, b"data", 0), packet(7, b"data", 200_000)]), [None, None]);
        assert_eq!(kinds(&[packet(7, b"data", 0), packet(7, b"data", 10_001), packet(7, b"data", 10_050)]), [None, None, Some(DuplicateKind::Exact)]);
    }

    #[test]
    fn without_an_identification_equal_packets_at_one_place_are_two_packets() {
        assert_eq!(kinds(&[packet(0, b"", 0), packet(0, b"", 1), packet(0, b"", 2)]), [None, None, None]);
        assert_eq!(kinds(&[packet(0, b"data", 0), packet(0, b"data", 1)]), [None, None]);
    }

    #[test]
    fn a_vlan_copy_is_known_without_an_identification_too() {
        for ident in [0, 7] {
            let copy = with_vlan(packet(ident, b"data", 3), 20);
            assert_eq!(kinds(&[packet(ident, b"data", 0), copy]), [None, Some(DuplicateKind::Vlan)]);
        }
    }

    #[test]
    fn two_acknowledgments_each_seen_in_two_vlans_are_two_packets() {
        let seen = [packet(0, b"", 0), with_vlan(packet(0, b"", 1), 20), packet(0, b"", 2), with_vlan(packet(0, b"", 3), 20)];
        assert_eq!(kinds(&seen), [None, Some(DuplicateKind::Vlan), None, Some(DuplicateKind::Vlan)]);
    }

    #[test]
    fn a_routed_copy_has_one_hop_less_and_other_mac_addresses() {
        let before = with_ttl(packet(7, b"data", 0), 64, 1);
        assert_eq!(kinds(&[before, with_ttl(packet(7, b"data", 30), 63, 2)]), [None, Some(DuplicateKind::Routed)]);
        let without_ident = with_ttl(packet(0, b"data", 0), 64, 1);
        assert_eq!(kinds(&[without_ident, with_ttl(packet(0, b"data", 30), 63, 2)]), [None, Some(DuplicateKind::Routed)]);
    }

    #[test]
    fn a_probe_that_counts_its_time_to_live_up_or_down_is_no_copy() {
        let up: Vec<_> = (1..5).map(|ttl| with_ttl(packet(0, b"", i64::from(ttl)), ttl, 1)).collect();
        let down: Vec<_> = (1..5).map(|ttl| with_ttl(packet(0, b"", i64::from(ttl)), 9 - ttl, 1)).collect();
        assert_eq!((kinds(&up), kinds(&down)), (vec![None; 4], vec![None; 4]));
    }

    // IPv6, and what Linux answers a SYN with, have no identification
    #[test]
    fn a_router_that_records_both_its_sides_shows_each_packet_once() {
        let by = |ttl: u8, from: u8, micros: i64| {
            let mut cooked = with_ttl(packet(0, b"data", micros), ttl, from);
            cooked.mac = cooked.mac.map(|(from, _)| (from, Mac::UNKNOWN));
            cooked
        };
        assert_eq!(kinds(&[by(64, 1, 0), by(63, 2, 10)]), [None, Some(DuplicateKind::Routed)]);
        // A probe of the same host, and what it sends again.
        assert_eq!(kinds(&[by(64, 1, 0), by(63, 1, 10)]), [None, None]);
        assert_eq!(kinds(&[by(64, 1, 0), by(64, 1, 10)]), [None, None]);
    }

    #[test]
    fn the_same_packet_on_two_interfaces_and_in_a_tunnel_is_one_packet() {
        let mut other = packet(7, b"data", 5);
        other.interface = 1;
        let mut tunnelled = packet(7, b"data", 6);
        tunnelled.tunnel.push(Tunnel::Vxlan);
        assert_eq!(kinds(&[packet(7, b"data", 0), other, tunnelled]), [None, Some(DuplicateKind::Interface), Some(DuplicateKind::Tunnel)]);
    }

    #[test]
    fn a_difference_anywhere_in_the_headers_or_at_an_end_of_the_payload_is_another_packet() {
        let mut newer = packet(7, b"", 1);
        newer.content = match newer.content {
            Content::Ip(ip, _) => Content::Ip(ip, Header::Tcp(Tcp { window: 513, ..ACK })),
            other => other,
        };
        assert_eq!(kinds(&[packet(7, b"", 0), newer]), [None, None]);
        let (mut one, mut other) = ([0; 1000], [0; 1000]);
        (one[999], other[999]) = (1, 2);
        assert_eq!(kinds(&[packet(7, &one, 0), packet(7, &other, 1)]), [None, None]);
    }

    #[test]
    fn the_answer_does_not_depend_on_what_else_the_shard_holds() {
        let pair = |other: bool| {
            let mut duplicates = Duplicates::default();
            let mut found = Vec::new();
            for step in 0..20_000_i64 {
                if other {
                    let mut noise = packet(1 + (step % 60_000) as u32, b"noise", step * 10);
                    if let Content::Ip(ip, _) = &mut noise.content {
                        ip.source = [10, 9, 9, 9].into();
                    }
                    duplicates.is_copy(&noise, noise.time, None);
                }
                if step % 7 == 0 {
                    let packet = packet(5 + (step / 70) as u32, b"data", step * 10);
                    found.push(duplicates.is_copy(&packet, packet.time, None));
                }
            }
            found
        };
        let alone = pair(false);
        assert_eq!(alone, pair(true));
        assert!(alone.contains(&Some(DuplicateKind::Exact)) && alone.contains(&None));
    }

    #[test]
    fn memory_stays_at_its_bound() {
        let mut duplicates = Duplicates::default();
        for ident in 0..200_000 {
            let packet = packet(ident, b"", 0);
            duplicates.is_copy(&packet, packet.time, None);
        }
        assert!(duplicates.len() == DUPLICATES_REMEMBERED && duplicates.ring.len() == DUPLICATES_REMEMBERED);
    }
}
