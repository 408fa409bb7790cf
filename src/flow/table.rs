//! The table of live flows. Packets come in batches and are worked on in passes, so that the cache misses of different packets overlap.

mod ahead;
mod ending;
mod errors;
mod legs;
mod rest;
mod taking;

use std::collections::VecDeque;
use std::time::Duration;

use self::ahead::Ahead;
use self::errors::Unclaimed;
use self::legs::LegsLookedFor;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::count::Tally;
use crate::decode::{self, Content, Header, Layer, OtherKind, Packet, TcpFlags, What};
use crate::flow::clock::Clock;
use crate::flow::crossings::Crossings;
use crate::flow::expiry::{Agenda, second_of};
use crate::flow::key::{self, Key, Keyed, tag_of};
use crate::flow::live::{Live, Weight};
use crate::flow::lone::Lone;
use crate::flow::resting::{Flows, Seen};
use crate::flow::slab::Slab;
use crate::flow::{DuplicateKind, Duplicates, Ended, FragmentCounts, Fragments, Neighbour, Observer, Shard, Slot, direction};
use crate::limit::{BATCH, FLOWS_AWAKE, LIVE_FLOW_BYTES, LIVE_FLOWS, LONE_FLOW_BYTES, STREAMS_BYTES_HELD};
use crate::net::Transport;
use crate::time::Timestamp;

/// When flows end, and how many may live.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A TCP attempt without answer ends after this silence. Longer than the 64 s between the last SYNs of a Linux client (RFC 6298 doubles the wait), so
    /// that one series of retries is one flow. Zeek begins a new connection after 5 s.
    pub attempt: Duration,
    /// A TCP connection ends after this silence. Firewalls forget a connection after 5 to 60 minutes; what comes after such a silence must still
    /// belong to the flow, or a connection that was cut by idling could not be told. Zeek gives up after 5 minutes.
    pub tcp_idle: Duration,
    /// A closed or reset connection still takes in stragglers for this long (Zeek's `tcp_close_delay`).
    pub tcp_linger: Duration,
    /// A UDP flow ends after this silence (Zeek's `udp_inactivity_timeout`).
    pub udp_idle: Duration,
    /// Any other flow ends after this silence (Zeek's `icmp_inactivity_timeout`).
    pub other_idle: Duration,
    /// Flows live at once, at [`LIVE_FLOW_BYTES`] each; of those that are but one SYN so far there is room for some seven in place of one. Beyond, whichever is nearest
    /// to its timeout is put out and counted; in a flood, the oldest of those single SYNs.
    pub live_flows: usize,
    /// Of those, how many lie open for their packets; the others, of which nothing was heard for longest, are packed until something comes.
    pub awake_flows: usize,
    /// Bytes held of all connections together while bytes before them are missing.
    pub streams_bytes: usize,
    /// Takes copies that a mirror made for packets of their own.
    pub keep_duplicates: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(75),
            tcp_idle: Duration::from_secs(3_900),
            tcp_linger: Duration::from_secs(5),
            udp_idle: Duration::from_secs(60),
            other_idle: Duration::from_secs(60),
            live_flows: LIVE_FLOWS,
            awake_flows: FLOWS_AWAKE,
            streams_bytes: STREAMS_BYTES_HELD,
            keep_duplicates: false,
        }
    }
}

/// What a table saw and what it could not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets pushed.
    pub packets: u64,
    /// Packets that belong to a flow; fragments too, and the packets of [`tunnelled`](Self::tunnelled).
    pub in_flows: u64,
    /// Of those, packets that were found inside datagrams gathered from fragments, beyond the frames captured.
    pub tunnelled: u64,
    /// Copies that a mirror made of packets, by kind. They are counted here and nowhere else.
    pub duplicates: Tally<DuplicateKind>,
    /// What became of fragments.
    pub fragments: FragmentCounts,
    /// Flows opened.
    pub opened: u64,
    /// Flows put out because too many were live.
    pub evicted: u64,
    /// ICMP errors that quote no live flow, or too little of its packet.
    pub errors_without_flow: u64,
    /// ICMP errors beyond those kept of one flow.
    pub errors_not_kept: u64,
    /// ARP packets.
    pub arp: u64,
    /// Frames of other protocols than IP, by name.
    pub without_ip: Tally<OtherKind>,
    /// IP packets whose ends could not be named, by transport, as their headers were cut off. Fragments have their own count.
    pub without_ends: Tally<Transport>,
    /// Packets of which nothing was understood; the faults say why.
    pub not_understood: u64,
    /// Where and why decoding stopped.
    pub faults: Tally<(Layer, What)>,
}

impl Counts {
    /// Adds what another table counted.
    pub fn merge(&mut self, other: Self) {
        self.packets += other.packets;
        self.in_flows += other.in_flows;
        self.tunnelled += other.tunnelled;
        self.not_understood += other.not_understood;
        self.duplicates.merge(other.duplicates);
        self.fragments.merge(other.fragments);
        self.opened += other.opened;
        self.evicted += other.evicted;
        self.errors_without_flow += other.errors_without_flow;
        self.errors_not_kept += other.errors_not_kept;
        self.arp += other.arp;
        self.without_ip.merge(other.without_ip);
        self.without_ends.merge(other.without_ends);
        self.faults.merge(other.faults);
    }
}

/// All live flows of one shard.
pub struct FlowTable {
    settings: Settings,
    shard: Shard,
    /// Tags and places in `flows`. Found by tag first, so that many packets can be looked up before any flow is touched.
    index: HashTable<(u32, u32)>,
    flows: Flows,
    /// Slots of flows that are not packed, those that were asked last whether they could be at the end; and of some that are gone.
    awake: VecDeque<u32>,
    /// Flows that are but one SYN so far. Their places have [`LONE`] set in the index.
    lone: Slab<Lone>,
    seed: RandomState,
    agenda: Agenda,
    /// When the lone SYNs are over.
    attempts: Agenda,
    duplicates: Duplicates,
    crossings: Crossings,
    fragments: Fragments,
    clock: Clock,
    /// Where the second after that begins: flows are looked for that are over once a second.
    next_second: Timestamp,
    /// Bytes that streams may still hold.
    budget: usize,
    /// Segments that came before what they answer.
    ahead: Ahead,
    /// ICMP errors that came before what they quote.
    unclaimed: Unclaimed,
    /// Nanoseconds of the shortest timeout.
    shortest_idle: u64,
    /// Whether a flow left its slot, or a connection closed, since the flows of this batch were looked up.
    moved: bool,
    legs: LegsLookedFor,
    counts: Counts,
}

/// Where a packet of a batch belongs.
#[derive(Clone, Copy)]
enum Whither {
    /// To the flow of its address.
    Flow,
    /// To be gathered with the others of its datagram first.
    Fragment,
    /// To no flow: it says who is on the link.
    Link,
    /// To no flow; it was counted.
    Nowhere,
}

/// A packet on its way through the passes of a batch. Written in its place, field by field: put together elsewhere and then moved, it would stall the processor.
#[derive(Clone, Copy)]
struct Address {
    place: Whither,
    keyed: Keyed,
    tag: u32,
    /// Where the flow lies; at first, a slot with that tag, which may hold another one.
    slot: Option<u32>,
    /// Whether the flow surely lives when the packet comes, unless it [moves](FlowTable::moved) before.
    is_busy: bool,
}

impl Address {
    const NOWHERE: Self = Self { place: Whither::Nowhere, keyed: Keyed::BLANK, tag: 0, slot: None, is_busy: false };
}

impl FlowTable {
    /// An empty table.
    pub fn new(settings: Settings) -> Self {
        let budget = settings.streams_bytes;
        let shortest_idle = [settings.attempt, settings.tcp_idle, settings.udp_idle, settings.other_idle].into_iter().min().unwrap_or_default();
        Self {
            settings,
            shard: Shard::ALL,
            index: HashTable::new(),
            flows: Flows::default(),
            awake: VecDeque::new(),
            lone: Slab::default(),
            seed: RandomState::default(),
            agenda: Agenda::default(),
            attempts: Agenda::default(),
            duplicates: Duplicates::default(),
            crossings: Crossings::default(),
            fragments: Fragments::default(),
            clock: Clock::default(),
            next_second: Clock::NEVER,
            budget,
            ahead: Ahead::default(),
            unclaimed: Unclaimed::default(),
            shortest_idle: u64::try_from(shortest_idle.as_nanos()).unwrap_or(u64::MAX),
            moved: false,
            legs: LegsLookedFor::default(),
            counts: Counts::default(),
        }
    }

    /// A table that shares the traffic with others. Each is told of all packets and keeps its own; all go by the time of all packets, and gather all
    /// fragments, as what is inside may be another's: so what a flow becomes does not depend on how many tables there are.
    #[must_use]
    pub const fn sharing(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// Takes packets in, in order of capture, and tells the observer what became of them.
    pub fn push(&mut self, packets: &[Packet<'_>], observer: &mut impl Observer) {
        for batch in packets.chunks(BATCH) {
            let (mut clock, mut latest, mut earliest) = (self.clock, self.clock.now(), Timestamp::from_nanos(i64::MAX));
            self.duplicates.forget(clock.now());
            let mut addresses = [Address::NOWHERE; BATCH];
            for (packet, address) in batch.iter().zip(&mut addresses) {
                (latest, earliest) = (latest.max(packet.time), earliest.min(packet.time));
                let was_in_doubt = clock.is_in_doubt();
                clock.hear(packet.time);
                if was_in_doubt {
                    self.duplicates.doubt_is_over(clock.now());
                }
                self.place(packet, clock.now(), address);
            }
            let is_of_flow = |address: &&mut Address| matches!(address.place, Whither::Flow);
            for address in addresses.iter_mut().filter(is_of_flow) {
                address.slot = self.index.find(spread(address.tag), |(tag, _)| *tag == address.tag).map(|(_, slot)| *slot);
            }
            // A packet out of order may take back how long its flow lives.
            let is_in_order = latest.nanos_since(earliest) <= self.shortest_idle;
            for (address, packet) in addresses.iter_mut().zip(batch) {
                let Some(slot) = address.slot else { continue };
                match self.awake(slot).filter(|flow| flow.key() == &address.keyed.key) {
                    Some(flow) => address.is_busy = is_in_order && flow.is_busy(flow.side(address.keyed.from_low), packet.time, self.shortest_idle),
                    None if self.holds(slot, &address.keyed.key) => {}
                    None => address.slot = None,
                }
            }
            self.moved = false;
            for (packet, address) in batch.iter().zip(&addresses) {
                if self.clock.hear(packet.time) {
                    self.advance(packet.time, observer);
                }
                match address.place {
                    Whither::Flow => self.take(packet, address, Weight::of(packet), observer),
                    Whither::Fragment => self.take_fragment(packet, observer),
                    Whither::Link => Neighbour::each_of(packet, &mut |neighbour| observer.neighbour(neighbour)),
                    Whither::Nowhere => {}
                }
            }
            self.rest(observer);
        }
    }

    /// Time has come to `now`, with no packet that shows it: ends the flows that are over.
    pub fn advance(&mut self, now: Timestamp, observer: &mut impl Observer) {
        self.clock.advance(now);
        if now >= self.next_second {
            self.next_second = Timestamp::from_parts(second_of(now).saturating_add(1), 0);
            self.expire(now, observer);
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Flows live now.
    pub fn live(&self) -> usize {
        self.index.len()
    }

    /// Whether all buffers were given back.
    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        self.index.is_empty() && self.budget == self.settings.streams_bytes
    }

    /// Bytes of the flows that are packed.
    #[cfg(test)]
    pub(super) fn resting_bytes(&self) -> usize {
        self.flows.packed_bytes()
    }

    /// How many flows are listed as open, those that ended meanwhile included.
    #[cfg(test)]
    pub(super) fn listed_awake(&self) -> usize {
        self.awake.len()
    }

    /// Counts a packet, if it is this table's, and finds out where it belongs.
    #[inline(always)]
    fn place(&mut self, packet: &Packet<'_>, now: Timestamp, to: &mut Address) {
        let is_mine = self.shard.keeps(packet);
        if !is_mine && !packet.is_fragment() {
            return;
        }
        self.counts.packets += u64::from(is_mine);
        if is_mine && let Some(fault) = packet.fault {
            self.counts.faults.one((fault.layer, fault.what));
        }
        let keyed = if packet.is_fragment() { None } else { key::of_packet(packet) };
        let hash = keyed.map(|keyed| keyed.key.hash(&self.seed));
        if let (Some(keyed), Some(hash)) = (keyed, hash) {
            (to.place, to.keyed, to.tag) = (Whither::Flow, keyed, tag_of(hash));
        }
        if !self.settings.keep_duplicates
            && let Some(kind) = self.duplicates.is_copy(packet, now, hash.map(|hash| hash ^ u64::from(to.keyed.from_low)))
        {
            to.place = Whither::Nowhere;
            if is_mine {
                self.counts.duplicates.one(kind);
                if kind == DuplicateKind::Routed {
                    self.crossings.note(packet);
                }
            }
        } else if hash.is_none() {
            to.place = self.place_of_other(packet);
        }
    }

    /// Where a packet belongs that names no flow of its own.
    fn place_of_other(&mut self, packet: &Packet<'_>) -> Whither {
        match &packet.content {
            Content::Ip(ip, _) if ip.fragment.is_some() => return Whither::Fragment,
            Content::Ip(ip, _) => self.counts.without_ends.one(ip.transport),
            Content::Arp(_) => {
                self.counts.arp += 1;
                return Whither::Link;
            }
            Content::Other(kind) => self.counts.without_ip.one(*kind),
            Content::Nothing => self.counts.not_understood += 1,
            Content::Elsewhere => {}
        }
        Whither::Nowhere
    }

    fn address(&self, keyed: Keyed) -> Address {
        Address { place: Whither::Flow, tag: keyed.key.tag(&self.seed), keyed, slot: None, is_busy: false }
    }

    /// Counts a fragment for its flow once that is known, and takes in the datagram that it completes: what is inside may be a tunnel.
    fn take_fragment(&mut self, packet: &Packet<'_>, observer: &mut impl Observer) {
        // Out of the table while the datagram is lent from it.
        let mut fragments = std::mem::take(&mut self.fragments);
        if let (Some(gathered), Content::Ip(ip, _)) = (fragments.add(packet, self.clock.now()), packet.content) {
            let named = gathered.header.map(|header| Packet { content: Content::Ip(ip, header), payload: &[], payload_len: 0, ..*packet });
            let outer = named.as_ref().and_then(key::of_packet);
            match (named.filter(|_| self.shard.keeps(packet)), outer) {
                (Some(named), Some(keyed)) => {
                    let (packets, bytes) = (1 + gathered.earlier.packets, u64::from(ip.len) + gathered.earlier.bytes);
                    self.take(&named, &self.address(keyed), Weight { packets, bytes, payload: 0 }, observer);
                }
                (Some(_), None) => self.counts.without_ends.add(ip.transport, 1 + gathered.earlier.packets),
                (None, _) => {}
            }
            let whole = gathered.whole.map(|whole| decode::datagram(packet, whole.bytes, whole.wire_len)).filter(|whole| self.shard.keeps(whole));
            if let Some(keyed) = whole.as_ref().and_then(key::of_packet)
                && let Some(whole) = &whole
            {
                let is_outer = outer.is_some_and(|outer| outer.key == keyed.key);
                self.counts.tunnelled += u64::from(!is_outer);
                let weight = if is_outer { Weight { packets: 0, bytes: 0, payload: u64::from(whole.payload_len) } } else { Weight::of(whole) };
                self.take(whole, &self.address(keyed), weight, observer);
            }
        }
        self.fragments = fragments;
    }

    /// The slot of the packet's flow, and whether that is new: there was none, or the one there was is over. None where it begins a flow that it was noted for.
    fn live_slot(&mut self, packet: &Packet<'_>, header: &Header, address: &Address, observer: &mut impl Observer) -> Option<(u32, bool)> {
        let opens = matches!(header, Header::Tcp(tcp) if tcp.flags.has(TcpFlags::SYN));
        if let Some((slot, _)) = self.busy(address).filter(|_| !opens) {
            return Some((slot, false));
        }
        let is_there = |slot: &u32| !self.moved || self.holds(*slot, &address.keyed.key);
        let found = address.slot.filter(is_there).or_else(|| self.find(address.tag, &address.keyed.key));
        if let Some(slot) = found {
            let slot = self.wake(slot, observer)?;
            match self.is_over(slot, packet, header, address) {
                None => return Some((slot, false)),
                Some(ended) => self.close(slot, ended, observer),
            }
        }
        self.counts.opened += 1;
        let is_refused = self.unclaimed.has(&address.keyed.key, packet.time, self.clock.now());
        if !is_refused && let Some(lone) = Lone::of(packet) {
            self.make_room(LONE_FLOW_BYTES, observer);
            self.note(lone, address.tag);
            return None;
        }
        self.make_room(LIVE_FLOW_BYTES, observer);
        Some((self.open(packet, header, address), true))
    }

    /// The flow that surely lives when this packet comes, if it was one when its batch was looked up and still is, with its slot.
    #[inline(always)]
    fn busy(&self, address: &Address) -> Option<(u32, &Live)> {
        let slot = address.slot.filter(|_| address.is_busy)?;
        let flow = self.awake(slot)?;
        let is_still = !self.moved || (flow.key() == &address.keyed.key && !flow.is_closed());
        is_still.then_some((slot, flow))
    }

    /// Keeps a flow's first packet until more is heard of it.
    fn note(&mut self, lone: Lone, tag: u32) {
        let deadline = lone.deadline(&self.settings);
        let slot = self.lone.insert(lone) | LONE;
        self.attempts.enter(slot, deadline);
        self.file(tag, slot);
    }

    /// Makes a flow of what was noted of it; where that is.
    fn grow(&mut self, slot: u32, observer: &mut impl Observer) -> Option<u32> {
        let lone = self.lone.remove(slot & !LONE)?;
        self.moved = true;
        self.make_room(LIVE_FLOW_BYTES, observer);
        let (noted, slot) = (slot, self.insert(lone.live()));
        if let Some((_, known)) = self.index.find_mut(spread(lone.key().tag(&self.seed)), |(_, known)| *known == noted) {
            *known = slot;
        }
        observer.opened(Slot(slot));
        self.schedule(slot);
        Some(slot)
    }

    /// Where a flow lies that was found, awake now.
    fn wake(&mut self, slot: u32, observer: &mut impl Observer) -> Option<u32> {
        if is_lone(slot) {
            return self.grow(slot, observer);
        }
        if self.flows.wake(slot)? {
            self.awake.push_back(slot);
        }
        Some(slot)
    }

    fn insert(&mut self, live: Box<Live>) -> u32 {
        let slot = self.flows.insert(live);
        self.awake.push_back(slot);
        slot
    }

    fn file(&mut self, tag: u32, slot: u32) {
        self.index.insert_unique(spread(tag), (tag, slot), |(tag, _)| spread(*tag));
    }

    /// Why a found flow takes no more packets, if so.
    fn is_over(&self, slot: u32, packet: &Packet<'_>, header: &Header, address: &Address) -> Option<Ended> {
        let flow = self.awake(slot)?;
        let side = flow.side(address.keyed.from_low);
        match (header, &flow.tcp) {
            _ if flow.deadline(&self.settings) < packet.time => self.ending(slot, packet.time),
            (Header::Tcp(tcp), Some(connection)) if connection.is_reuse(side, tcp) => self.ending(slot, packet.time).or(Some(Ended::Reused)),
            _ => None,
        }
    }

    fn open(&mut self, packet: &Packet<'_>, header: &Header, address: &Address) -> u32 {
        let icmp = match header {
            Header::Icmp { kind, code, .. } => Some((*kind, *code)),
            _ => None,
        };
        let mut live = Box::new(Live::new(address.keyed, packet, direction::of_first(packet), icmp));
        if let (Content::Ip(ip, _), Header::Tcp(tcp)) = (&packet.content, header) {
            self.look_for_legs(&mut live, address, packet, ip, tcp);
        }
        let slot = self.insert(live);
        self.file(address.tag, slot);
        slot
    }

    /// Enters the flow into the agenda where it is not, or where its end has moved nearer.
    fn schedule(&mut self, slot: u32) {
        let Some(flow) = self.flows.awake_mut(slot) else { return };
        let deadline = flow.deadline(&self.settings);
        if !flow.is_entered_by(second_of(deadline)) {
            flow.enter(self.agenda.enter(slot, deadline));
        }
    }

    fn find(&self, tag: u32, key: &Key) -> Option<u32> {
        self.index.find(spread(tag), |(known, slot)| *known == tag && self.holds(*slot, key)).map(|(_, slot)| *slot)
    }

    fn holds(&self, slot: u32, key: &Key) -> bool {
        if is_lone(slot) { self.noted(slot).is_some_and(|lone| lone.key() == *key) } else { self.flow(slot).is_some_and(|flow| flow.is_of(key)) }
    }

    fn flow(&self, slot: u32) -> Option<Seen<'_>> {
        self.flows.get(slot)
    }

    fn awake(&self, slot: u32) -> Option<&Live> {
        self.flows.awake(slot)
    }

    fn awake_mut(&mut self, slot: u32) -> Option<&mut Live> {
        self.flows.awake_mut(slot)
    }

    fn noted(&self, slot: u32) -> Option<&Lone> {
        self.lone.get(slot & !LONE)
    }
}

/// Whether a place in the index is that of a lone SYN.
const fn is_lone(slot: u32) -> bool {
    slot & LONE != 0
}

/// The index takes its bucket from the low bits and its check from the high ones.
fn spread(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Set in the index for places in [`FlowTable::lone`].
const LONE: u32 = 1 << 31;
/// How far behind the latest packet a packet may be and still find its flow: a capture of several interfaces is not quite in order.
const SLACK: Duration = Duration::from_secs(5);
