//! IP fragments, gathered until their datagram is whole (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Each fragment is counted for its flow as it comes, by the ports of the first fragment once that was seen; the payload is handed over once, with the
//! fragment that completes the datagram. So a datagram that never completes still counts, and nothing waits for its end.
//!
//! Overlaps: a fragment that repeats what is there is ignored. One that overlaps with other bytes spoils its datagram, as RFC 5722 demands for IPv6 and
//! Linux does for IPv4: hosts differ in which bytes they take, so nothing can be said about the content.

use std::collections::VecDeque;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::decode::{Content, Fragment, Header, Ip, Packet};
use crate::limit::{DATAGRAM_BYTES, DATAGRAM_GAPS, DATAGRAMS_GATHERED, FRAGMENT_BYTES, FRAGMENT_TIMEOUT};
use crate::net::Transport;
use crate::time::Timestamp;

/// The incomplete datagrams of a shard.
#[derive(Debug, Default)]
pub struct Fragments {
    datagrams: HashMap<Key, Datagram, FixedState>,
    /// Keys in the order their datagrams began, with the birth that tells a reused key.
    order: VecDeque<(Key, u64)>,
    births: u64,
    bytes: usize,
    /// The datagram completed last.
    whole: Vec<u8>,
    counts: FragmentCounts,
}

/// What became of fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounts {
    /// Fragments met.
    pub fragments: u64,
    /// Datagrams completed.
    pub whole: u64,
    /// Datagrams of which a part never came, within the time that hosts wait.
    pub incomplete: u64,
    /// Datagrams with overlaps that disagree, beyond the length of a datagram, or in too many pieces.
    pub spoiled: u64,
    /// Datagrams put out at a bound.
    pub evicted: u64,
    /// Fragments whose first fragment never came: of no flow.
    pub without_ports: u64,
}

impl FragmentCounts {
    /// Adds what another shard counted.
    pub fn merge(&mut self, other: Self) {
        self.fragments += other.fragments;
        self.whole += other.whole;
        self.incomplete += other.incomplete;
        self.spoiled += other.spoiled;
        self.evicted += other.evicted;
        self.without_ports += other.without_ports;
    }
}

/// What a fragment is for its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathered<'a> {
    /// The transport header of the datagram's first fragment; none as long as that was not seen.
    pub header: Option<Header>,
    /// Fragments that came before the first one and belong to the same flow; told once.
    pub earlier: Earlier,
    /// The datagram, with the fragment that completes it.
    pub whole: Option<Whole<'a>>,
}

/// Fragments to count with the first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Packets.
    pub packets: u64,
    /// IP bytes, headers included.
    pub bytes: u64,
}

/// What all fragments of a datagram carry together, transport header first: input of [`decode::datagram`](crate::decode::datagram).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole<'a> {
    /// The bytes, as far as captured without a gap.
    pub bytes: &'a [u8],
    /// The length on the wire.
    pub wire_len: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    ident: u32,
    transport: Transport,
}

#[derive(Debug)]
struct Datagram {
    birth: u64,
    begun: Timestamp,
    header: Option<Header>,
    earlier: Earlier,
    bytes: Vec<u8>,
    /// Parts of the datagram that came, in order, apart from one another.
    parts: SmallVec<[(u32, u32); 2]>,
    /// Length, once the last fragment came.
    len: Option<u32>,
    /// Where the snap length cut bytes off first.
    cut: u32,
    spoiled: bool,
}

impl Fragments {
    /// Takes a fragment: a packet whose [`Ip::fragment`] is set, of which [`Packet::payload`] is all that follows the IP header.
    /// None where the packet is no fragment. `now` is the latest time of any packet so far.
    ///
    /// Count the packet for the flow of `header`'s ports (and `earlier` with it); feed payload and transport state only from `whole`.
    pub fn add<'a>(&'a mut self, packet: &Packet<'a>, now: Timestamp) -> Option<Gathered<'a>> {
        let Content::Ip(ip, header) = packet.content else { return None };
        let fragment = ip.fragment?;
        self.counts.fragments += 1;
        if fragment.offset == 0 && !fragment.more {
            // RFC 6946: an atomic fragment is a datagram of its own.
            let whole = Whole { bytes: packet.payload, wire_len: packet.payload_len };
            return Some(Gathered { header: Some(header), earlier: Earlier::default(), whole: Some(whole) });
        }
        let key = Key { source: ip.source, destination: ip.destination, ident: ip.ident, transport: ip.transport };
        self.expire(now);
        self.begin(key, now);
        let datagram = self.datagrams.get_mut(&key)?;
        let (before, was_spoiled) = (datagram.bytes.len(), datagram.spoiled);
        datagram.put(fragment, packet);
        self.counts.spoiled += u64::from(datagram.spoiled && !was_spoiled);
        let (first, earlier) = datagram.ports(fragment, header, ip);
        self.bytes = self.bytes.saturating_add(datagram.bytes.len()).saturating_sub(before);
        let done = datagram.is_whole();
        if done && let Some(datagram) = self.datagrams.remove(&key) {
            return Some(Gathered { header: first, earlier, whole: Some(self.complete(datagram)) });
        }
        self.hold_bound();
        Some(Gathered { header: first, earlier, whole: None })
    }

    /// What became of the fragments so far.
    pub fn counts(&self) -> FragmentCounts {
        self.counts
    }

    /// No more packets will come: what is incomplete is counted as that.
    pub fn finish(&mut self) -> FragmentCounts {
        while let Some((key, birth)) = self.order.pop_front() {
            self.drop_if(key, birth, false);
        }
        self.counts
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.bytes
    }

    /// Begins a datagram, unless one of that key is being gathered.
    fn begin(&mut self, key: Key, now: Timestamp) {
        if self.datagrams.contains_key(&key) {
            return;
        }
        self.births += 1;
        let birth = self.births;
        let (parts, bytes) = (SmallVec::new(), Vec::new());
        let datagram = Datagram { birth, begun: now, header: None, earlier: Earlier::default(), bytes, parts, len: None, cut: u32::MAX, spoiled: false };
        self.datagrams.insert(key, datagram);
        self.order.push_back((key, birth));
    }

    /// Drops datagrams that hosts have given up.
    fn expire(&mut self, now: Timestamp) {
        while let Some((key, birth)) = self.order.front().copied() {
            let live = self.datagrams.get(&key).filter(|datagram| datagram.birth == birth);
            if live.is_some_and(|datagram| now.since(datagram.begun) <= FRAGMENT_TIMEOUT) {
                break;
            }
            self.order.pop_front();
            self.drop_if(key, birth, false);
        }
    }

    /// At a bound the oldest datagrams go.
    fn hold_bound(&mut self) {
        while self.bytes > FRAGMENT_BYTES || self.datagrams.len() > DATAGRAMS_GATHERED {
            let Some((key, birth)) = self.order.pop_front() else { break };
            self.drop_if(key, birth, true);
        }
    }

    fn drop_if(&mut self, key: Key, birth: u64, evicted: bool) {
        if self.datagrams.get(&key).is_none_or(|datagram| datagram.birth != birth) {
            return;
        }
        let Some(datagram) = self.datagrams.remove(&key) else { return };
        self.bytes = self.bytes.saturating_sub(datagram.bytes.len());
        self.counts.without_ports += datagram.earlier.packets;
        match (datagram.spoiled, evicted) {
            (true, _) => {}
            (false, true) => self.counts.evicted += 1,
            (false, false) => self.counts.incomplete += 1,
        }
    }

    fn complete(&mut self, datagram: Datagram) -> Whole<'_> {
        if self.order.len() > 2 * self.datagrams.len() + SETTLED {
            let datagrams = &self.datagrams;
            self.order.retain(|(key, birth)| datagrams.get(key).is_some_and(|datagram| datagram.birth == *birth));
        }
        self.bytes = self.bytes.saturating_sub(datagram.bytes.len());
        self.counts.whole += 1;
        let wire_len = datagram.len.unwrap_or_default();
        self.whole = datagram.bytes;
        self.whole.truncate(wire_len.min(datagram.cut) as usize);
        Whole { bytes: &self.whole, wire_len }
    }
}

impl Datagram {
    /// Puts a fragment's bytes in their place.
    fn put(&mut self, fragment: Fragment, packet: &Packet<'_>) {
        let (start, Some(end)) = (fragment.offset, fragment.offset.checked_add(packet.payload_len)) else { return self.spoil() };
        if self.spoiled || end > DATAGRAM_BYTES || (fragment.more && packet.payload_len == 0) {
            return self.spoil();
        }
        if !fragment.more && *self.len.get_or_insert(end) != end {
            return self.spoil();
        }
        let captured = packet.payload.get(..(end - start) as usize).unwrap_or(packet.payload);
        if !self.agrees(start, captured) {
            return self.spoil();
        }
        let captured_end = start as usize + captured.len();
        if captured_end < end as usize {
            self.cut = self.cut.min(captured_end as u32);
        }
        if self.bytes.len() < captured_end {
            self.bytes.resize(captured_end, 0);
        }
        if let Some(place) = self.bytes.get_mut(start as usize..captured_end) {
            place.copy_from_slice(captured);
        }
        self.add_part(start, end);
        if self.parts.len() > DATAGRAM_GAPS || self.len.is_some_and(|len| self.parts.last().is_some_and(|(_, last)| *last > len)) {
            self.spoil();
        }
    }

    /// Whether the bytes are those that are there already, where some are.
    fn agrees(&self, start: u32, bytes: &[u8]) -> bool {
        let end = start.saturating_add(bytes.len() as u32);
        self.parts.iter().all(|(part_start, part_end)| {
            // What the snap length cut off is unknown, and agrees with anything.
            let known_end = (*part_end).min(self.cut).min(end);
            let from = start.max(*part_start);
            if from >= known_end {
                return true;
            }
            let there = self.bytes.get(from as usize..known_end as usize);
            there == bytes.get((from - start) as usize..(known_end - start) as usize)
        })
    }

    /// Enters a part and joins it with those it touches.
    fn add_part(&mut self, mut start: u32, mut end: u32) {
        self.parts.retain(|(part_start, part_end)| {
            let touches = *part_start <= end && start <= *part_end;
            if touches {
                start = start.min(*part_start);
                end = end.max(*part_end);
            }
            !touches
        });
        let place = self.parts.partition_point(|(part_start, _)| *part_start < start);
        self.parts.insert(place, (start, end));
    }

    /// Notes the ports of a first fragment; says those known now, and what came before they were.
    fn ports(&mut self, fragment: Fragment, header: Header, ip: Ip) -> (Option<Header>, Earlier) {
        if fragment.offset == 0 {
            let known = *self.header.get_or_insert(header);
            return (Some(known), std::mem::take(&mut self.earlier));
        }
        if self.header.is_none() {
            self.earlier.packets += 1;
            self.earlier.bytes += u64::from(ip.len);
        }
        (self.header, Earlier::default())
    }

    fn spoil(&mut self) {
        self.spoiled = true;
        self.bytes = Vec::new();
        self.parts.clear();
    }

    fn is_whole(&self) -> bool {
        !self.spoiled && self.len.is_some_and(|len| self.parts.as_slice() == [(0, len)])
    }
}

/// Entries of completed datagrams that may stand in the order before it is cleaned.
const SETTLED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{TunnelPath, VlanStack, datagram};

    /// A fragment of datagram `ident` with `bytes` at `offset`, `wire` bytes long on the wire, at `seconds`.
    fn fragment(ident: u32, offset: u32, more: bool, bytes: &[u8], wire: u32, seconds: i64) -> Packet<'_> {
        let ip = Ip {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            ttl: 64,
            ident,
            len: 20 + wire,
            transport: Transport::UDP,
            fragment: Some(Fragment { offset, more }),
            dont_fragment: false,
        };
        let header = if offset == 0 { PORTS } else { Header::None };
        Packet {
            frame: Default::default(),
            interface: 0,
            time: Timestamp::from_parts(seconds, 0),
            mac: None,
            vlan: VlanStack::default(),
            tunnel: TunnelPath::default(),
            content: Content::Ip(ip, header),
            payload: bytes,
            payload_len: wire,
            fault: None,
        }
    }

    fn add_at(fragments: &mut Fragments, packet: Packet<'_>) {
        fragments.add(&packet, packet.time);
    }

    fn add(fragments: &mut Fragments, offset: u32, more: bool, bytes: &[u8]) -> Option<Vec<u8>> {
        let packet = fragment(1, offset, more, bytes, bytes.len() as u32, 0);
        fragments.add(&packet, packet.time).unwrap().whole.map(|whole| whole.bytes.to_vec())
    }

    const PORTS: Header = Header::Udp { source: 0x1234, destination: 53 };
    /// UDP 4660 to 53, 24 bytes with the header.
    const DATAGRAM: [u8; 24] = *b"\x12\x34\x00\x35\x00\x18\x00\x00abcdefghijklmnop";

    #[test]
    fn a_datagram_is_whole_in_any_order_of_its_fragments() {
        let parts = [(0, true), (8, true), (16, false)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut fragments = Fragments::default();
            let whole: Vec<_> =
                order.into_iter().map(|place: usize| add(&mut fragments, parts[place].0, parts[place].1, &DATAGRAM[place * 8..place * 8 + 8])).collect();
            assert_eq!(whole, [None, None, Some(DATAGRAM.to_vec())], "{order:?}");
            assert_eq!((fragments.held(), fragments.counts().whole), (0, 1));
        }
    }

    #[test]
    fn the_whole_datagram_decodes_with_its_transport_header() {
        let mut fragments = Fragments::default();
        add(&mut fragments, 0, true, &DATAGRAM[..16]);
        let last = fragment(1, 16, false, &DATAGRAM[16..], 8, 0);
        let whole = fragments.add(&last, last.time).unwrap().whole.unwrap();
        let packet = datagram(&last, whole.bytes, whole.wire_len);
        assert_eq!((packet.payload, packet.payload_len), (&b"abcdefghijklmnop"[..], 16));
        assert!(matches!(packet.content, Content::Ip(Ip { fragment: None, .. }, PORTS)));
    }

    #[test]
    fn later_fragments_take_the_ports_of_the_first_and_earlier_ones_are_told_with_it() {
        let mut fragments = Fragments::default();
        let late = fragment(1, 16, false, &DATAGRAM[16..], 8, 0);
        assert_eq!(fragments.add(&late, late.time).unwrap().header, None);
        let first = fragment(1, 0, true, &DATAGRAM[..8], 8, 0);
        let gathered = fragments.add(&first, first.time).unwrap();
        assert_eq!((gathered.header, gathered.earlier), (Some(PORTS), Earlier { packets: 1, bytes: 28 }));
        let again = fragments.add(&late, late.time).unwrap();
        assert_eq!((again.header, again.earlier, again.whole), (Some(PORTS), Earlier::default(), None));
    }

    #[test]
    fn a_repeated_fragment_is_ignored_and_one_that_disagrees_spoils_the_datagram() {
        let mut fragments = Fragments::default();
        add(&mut fragments, 0, true, &DATAGRAM[..16]);
        add(&mut fragments, 8, true, &DATAGRAM[8..16]);
        assert_eq!(add(&mut fragments, 16, false, &DATAGRAM[16..]), Some(DATAGRAM.to_vec()));

        add(&mut fragments, 0, true, &DATAGRAM[..16]);
        assert_eq!(add(&mut fragments, 8, false, b"ABCDEFGHIJKLMNOP"), None);
        assert_eq!(add(&mut fragments, 16, false, &DATAGRAM[16..]), None);
        assert_eq!(fragments.finish(), FragmentCounts { fragments: 6, whole: 1, spoiled: 1, ..FragmentCounts::default() });
    }

    #[test]
    fn a_datagram_longer_than_a_length_field_can_say_is_spoiled() {
        let mut fragments = Fragments::default();
        assert_eq!(add(&mut fragments, 65_528, false, &[0; 8]), None);
        assert_eq!((fragments.counts().spoiled, fragments.held()), (1, 0));
    }

    #[test]
    fn what_the_snap_length_cut_ends_the_bytes_but_not_the_datagram() {
        let mut fragments = Fragments::default();
        add_at(&mut fragments, fragment(1, 0, true, &DATAGRAM[..12], 16, 0));
        let last = fragment(1, 16, false, &DATAGRAM[16..], 8, 0);
        let whole = fragments.add(&last, last.time).unwrap().whole.unwrap();
        assert_eq!((whole.bytes, whole.wire_len), (&DATAGRAM[..12], 24));
    }

    #[test]
    fn an_identification_used_again_after_the_timeout_is_another_datagram() {
        let mut fragments = Fragments::default();
        add_at(&mut fragments, fragment(1, 0, true, &DATAGRAM[..16], 16, 0));
        let late = fragment(1, 16, false, &DATAGRAM[16..], 8, 31);
        assert_eq!(fragments.add(&late, late.time).unwrap().whole, None);
        assert_eq!(fragments.finish().incomplete, 2);
    }

    #[test]
    fn memory_stays_at_its_bound_and_the_oldest_datagram_goes() {
        let mut fragments = Fragments::default();
        let bytes = vec![0; 32_000];
        for ident in 0..2_000 {
            add_at(&mut fragments, fragment(ident, 0, true, &bytes, 32_000, 0));
            assert!(fragments.held() <= FRAGMENT_BYTES);
        }
        let evicted = fragments.counts().evicted;
        assert_eq!(evicted, 2_000 - (FRAGMENT_BYTES / 32_000) as u64);
        assert_eq!(fragments.finish().incomplete, 2_000 - evicted);
    }

    #[test]
    fn a_flood_of_single_bytes_with_gaps_is_bounded() {
        let mut fragments = Fragments::default();
        for place in 0..4_000 {
            add(&mut fragments, place * 16, true, &[0; 8]);
        }
        assert_eq!((fragments.counts().spoiled, fragments.held()), (1, 0));
    }
}
