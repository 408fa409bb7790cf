//! A connection seen on both sides of a firewall that gives it other sequence numbers: Cisco's ASA does so unless told otherwise (TCP sequence number randomization), OpenBSD's pf
//! where a rule says `modulate state`, and SonicWall's.
//!
//! Each side of the firewall is a leg. Their packets have the same addresses and identification and are copies of each other, but for numbers that differ by as much throughout. That is learned
//! of the handshake: a SYN with another number that comes from elsewhere within the window of copies, or a SYN-ACK that answers such a SYN. Of a connection that was there before the capture it
//! is learned of the first packet that comes from elsewhere within that window, the same but for its numbers. From then on each packet is given the numbers of the
//! first leg, and the second of two that are then equal is a copy. A packet of one leg alone, as the firewall let it no further or sent it itself, is taken in like any other.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use thin_vec::ThinVec;

use crate::decode::{Ip, Packet, Tcp, TcpFlags};
use crate::flow::Packing;
use crate::flow::duplicates::REMEMBERED;
use crate::flow::live::Live;
use crate::flow::tcp::{Connection, Numbers};
use crate::limit::{DUPLICATE_WINDOW, JOINED_LOOKED_AT, LEG_PACKETS_REMEMBERED, LEGS_KEPT};
use crate::net::{Mac, Side};
use crate::time::Timestamp;

/// The legs of one connection, the first one with the numbers that the flow goes by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Legs {
    legs: ThinVec<Leg>,
    /// Packets of the last moments, in order of capture.
    recent: ThinVec<Recent>,
}

/// What is added, modulo 2^32, to a side's numbers to have those of the first leg.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Leg {
    client: u32,
    /// None until a SYN-ACK told.
    server: Option<u32>,
}

/// A packet, in the numbers of the first leg.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Recent {
    time: Timestamp,
    side: Side,
    sequence: u32,
    acknowledgment: u32,
    len: u32,
    ident: u32,
    flags: TcpFlags,
    /// A bit for each leg that it was seen on.
    seen: u8,
    /// Where it was captured, where no other leg is known yet.
    place: u32,
}

/// What a packet is to its flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    /// A packet like any other.
    Own,
    /// The same, with the numbers of the first leg.
    As(Tcp),
    /// One that was seen on another leg.
    Copy,
}

impl Live {
    /// What a TCP packet of `side` is, by the legs of its connection. `now` is the latest time of any packet so far.
    pub fn renumber(&mut self, side: Side, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp, now: Timestamp) -> Told {
        if self.legs.is_none() && !tcp.flags.has(TcpFlags::SYN) {
            return Told::Own;
        }
        let Some([Some(client), server]) = self.tcp.as_ref().and_then(Connection::numbers) else { return Told::Own };
        if self.tcp.as_ref().is_some_and(Connection::was_joined) && tcp.flags.has(TcpFlags::SYN) {
            // Another connection between the same ends.
            return Told::Own;
        }
        let mut known = self.legs.take();
        if let Some(legs) = known.as_deref_mut().filter(|legs| legs.legs.len() == 1) {
            let newest = Recent { place: place_of(packet, ip), ..Recent::of(side, packet, ip, tcp) };
            let learned = legs.learn(&newest, now);
            if learned || packet.time.since(self.order().0) <= JOINED_LOOKED_AT {
                self.legs = known;
            }
            return if learned { Told::Copy } else { Told::Own };
        }
        if let Some(leg) = self.leg_of_handshake(known.as_deref(), side, packet, ip, tcp) {
            let first = Leg { client: 0, server: server.is_some().then_some(0) };
            let legs = known.get_or_insert_with(|| Box::new(Legs { legs: [first].into_iter().collect(), recent: ThinVec::new() }));
            legs.legs.push(leg);
            // The one that it is a copy of came before any leg was known.
            if legs.recent.is_empty() && (side == Side::Client || server.is_some()) {
                self.legs = known;
                return Told::Copy;
            }
        }
        let told = known.as_deref_mut().map_or(Told::Own, |legs| legs.tell(side, (packet, ip, tcp), (&client, server.as_ref()), now));
        self.legs = known;
        told
    }

    /// Looks whether a connection that begins with this packet of `side`, which acknowledges something, is seen with other numbers, too.
    pub fn look_for_legs(&mut self, side: Side, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp) {
        let first = Recent { place: place_of(packet, ip), ..Recent::of(side, packet, ip, tcp) };
        let legs = [Leg { client: 0, server: Some(0) }].into_iter().collect();
        self.legs = Some(Box::new(Legs { legs, recent: [first].into_iter().collect() }));
    }

    /// Forgets what is so old that no packet to come can be its copy.
    pub fn forget_legs(&mut self, now: Timestamp) {
        let is_looked_at = now.since(self.order().0) <= JOINED_LOOKED_AT;
        if let Some(legs) = self.legs.as_mut() {
            legs.forget(now);
        }
        self.legs.take_if(|legs| legs.legs.len() == 1 && !is_looked_at);
    }

    /// The leg that a packet of the handshake is of, where it is of one that is not known.
    fn leg_of_handshake(&self, known: Option<&Legs>, side: Side, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp) -> Option<Leg> {
        let connection = self.tcp.as_ref().filter(|_| tcp.flags.has(TcpFlags::SYN))?;
        let [client, server] = connection.numbers()?;
        let client = client?;
        if known.is_some_and(|known| known.legs.len() >= LEGS_KEPT || known.leg_of(side, tcp, &client, server.as_ref()).is_some()) {
            return None;
        }
        let apart = packet.time.since(self.last_of(side)).max(self.last_of(side).since(packet.time));
        let is_copy = apart <= DUPLICATE_WINDOW && connection.last_ident(side) == ip.ident as u16 && self.is_elsewhere(side, packet, ip);
        let leg = match (side, tcp.flags.has(TcpFlags::ACK), server) {
            (Side::Client, false, None) if is_copy => Leg { client: client.start.wrapping_sub(tcp.sequence), server: None },
            (Side::Server, true, server) => {
                let client = client.start.wrapping_add(1).wrapping_sub(tcp.acknowledgment);
                match server {
                    // It answers a SYN that was not captured.
                    None if self.is_elsewhere(side, packet, ip) => Leg { client, server: None },
                    Some(server) if is_copy => Leg { client, server: Some(server.start.wrapping_sub(tcp.sequence)) },
                    _ => return None,
                }
            }
            _ => return None,
        };
        // The numbers of the first leg are the flow's own.
        Some(leg).filter(|leg| leg.client != 0 || leg.server.unwrap_or(0) != 0)
    }

    /// Whether a packet was captured elsewhere than that side's first, as far as it is known, or the flow's first.
    fn is_elsewhere(&self, side: Side, packet: &Packet<'_>, ip: &Ip) -> bool {
        let (place, ttl) = (self.place(), self.first_ttl(side));
        let is_other_link = |(from, to): (Mac, Mac)| match (place.link, self.answering_mac()) {
            (Some((first_from, first_to)), _) if side == place.opener => from != first_from && to != first_to,
            // Of the first answer it is known who sent it, not to whom.
            (_, Some(answering)) => from != answering,
            (Some((first_from, first_to)), None) => from != first_to && to != first_from,
            (None, None) => false,
        };
        let is_other_hop = ip.ident != 0 && ttl.is_some_and(|ttl| ttl.abs_diff(ip.ttl) == 1);
        packet.interface != place.interface
            || packet.vlan != place.vlan
            || packet.tunnel != place.tunnel
            || is_other_hop
            || packet.mac.is_some_and(is_other_link)
    }
}

impl Legs {
    /// Whether a packet is one of the first leg's, captured elsewhere with other numbers, by which the second leg is known from now on. It is remembered.
    fn learn(&mut self, newest: &Recent, now: Timestamp) -> bool {
        self.forget(now);
        if let Some(same) = self.recent.iter_mut().rev().find(|recent| recent.is_elsewhere(newest)) {
            same.seen |= 2;
            let [own, other] = [same.sequence.wrapping_sub(newest.sequence), same.acknowledgment.wrapping_sub(newest.acknowledgment)];
            let (client, server) = if newest.side == Side::Client { (own, other) } else { (other, own) };
            self.legs.push(Leg { client, server: Some(server) });
            return true;
        }
        self.remember(newest);
        false
    }

    /// The leg that a packet is of: by its own number and by what it acknowledges, whichever lies nearest to where the connection has come to.
    fn leg_of(&self, side: Side, tcp: &Tcp, client: &Numbers, server: Option<&Numbers>) -> Option<usize> {
        let (is_syn, is_ack) = (tcp.flags.has(TcpFlags::SYN), tcp.flags.has(TcpFlags::ACK));
        let opens = |leg: &Leg| match (side, leg.server, server) {
            (Side::Client, ..) => tcp.sequence.wrapping_add(leg.client) == client.start,
            (Side::Server, Some(more), Some(server)) if tcp.sequence.wrapping_add(more) != server.start => false,
            (Side::Server, ..) => tcp.acknowledgment.wrapping_add(leg.client) == client.start.wrapping_add(1),
        };
        if is_syn {
            return self.legs.iter().position(opens);
        }
        let away = |number: u32, from: u32| u64::from(number.wrapping_sub(from).min(from.wrapping_sub(number)));
        let distance = |leg: &Leg| {
            let by_client = |number: u32, from: u32| away(number.wrapping_add(leg.client), from);
            let by_server =
                |number: u32, from: fn(&Numbers) -> u32| leg.server.zip(server).map_or(0, |(more, server)| away(number.wrapping_add(more), from(server)));
            let acknowledged = |by: u64| if is_ack { by } else { 0 };
            match side {
                Side::Client => by_client(tcp.sequence, client.next) + acknowledged(by_server(tcp.acknowledgment, |server| server.acknowledged)),
                Side::Server => by_server(tcp.sequence, |server| server.next) + acknowledged(by_client(tcp.acknowledgment, client.acknowledged)),
            }
        };
        (0..self.legs.len()).min_by_key(|leg| distance(&self.legs[*leg]))
    }

    fn tell(&mut self, side: Side, (packet, ip, tcp): (&Packet<'_>, &Ip, &Tcp), (client, server): (&Numbers, Option<&Numbers>), now: Timestamp) -> Told {
        let Some(number) = self.leg_of(side, tcp, client, server) else { return Told::Own };
        let leg = &mut self.legs[number];
        if side == Side::Server && tcp.flags.has(TcpFlags::SYN) && leg.server.is_none() {
            leg.server = Some(server.map_or(0, |server| server.start.wrapping_sub(tcp.sequence)));
        }
        // The client may be seen to go on before the answer that it goes on from. As long as the server said nothing else there is nothing else to acknowledge.
        if side == Side::Client && tcp.flags.has(TcpFlags::ACK) && leg.server.is_none() {
            let silent = server.filter(|server| server.next == server.start.wrapping_add(1));
            leg.server = silent.map(|server| server.next.wrapping_sub(tcp.acknowledgment));
        }
        let (own, other) = match side {
            Side::Client => (leg.client, leg.server.unwrap_or(0)),
            Side::Server => (leg.server.unwrap_or(0), leg.client),
        };
        // What is no acknowledgment has none to change.
        let other = if tcp.flags.has(TcpFlags::ACK) { other } else { 0 };
        let tcp = Tcp { sequence: tcp.sequence.wrapping_add(own), acknowledgment: tcp.acknowledgment.wrapping_add(other), ..*tcp };
        let (Tcp { mut sequence, mut acknowledgment, .. }, seen) = (tcp, 1 << number);
        // Where the server did not name its numbers, as where it refuses, these cannot be compared.
        if leg.server.is_none() {
            *(if side == Side::Server { &mut sequence } else { &mut acknowledgment }) = 0;
        }
        let newest = Recent { sequence, acknowledgment, seen, ..Recent::of(side, packet, ip, &tcp) };
        if self.is_copy(&newest, now) { Told::Copy } else { Told::As(tcp) }
    }

    /// Whether the packet was seen on another leg; it is remembered.
    fn is_copy(&mut self, newest: &Recent, now: Timestamp) -> bool {
        self.forget(now);
        let is_same = |recent: &&mut Recent| {
            let apart = newest.time.since(recent.time).max(recent.time.since(newest.time));
            let is_other_leg = recent.seen & newest.seen == 0 && apart <= DUPLICATE_WINDOW;
            is_other_leg && Recent { time: recent.time, seen: recent.seen, place: recent.place, ..*newest } == **recent
        };
        if let Some(same) = self.recent.iter_mut().rev().find(is_same) {
            same.seen |= newest.seen;
            return true;
        }
        self.remember(newest);
        false
    }

    fn remember(&mut self, newest: &Recent) {
        self.recent.drain(..(self.recent.len() + 1).saturating_sub(LEG_PACKETS_REMEMBERED));
        self.recent.push(*newest);
    }

    fn forget(&mut self, now: Timestamp) {
        self.recent.retain(|recent| now.nanos_since(recent.time) <= REMEMBERED);
    }

    /// Of nobody, to be overwritten.
    pub fn blank() -> Box<Self> {
        Box::new(Self { legs: ThinVec::new(), recent: ThinVec::new() })
    }

    /// Packs them, or takes them out.
    pub fn pack(&mut self, packing: &mut impl Packing) {
        let Self { legs, recent } = self;
        packing.list(legs, Leg::default, |packing, Leg { client, server }| {
            let (mut is_told, mut more) = (server.is_some(), server.unwrap_or(0));
            packing.flags([&mut is_told]);
            packing.word(client);
            packing.word(&mut more);
            *server = is_told.then_some(more);
        });
        packing.list(recent, Recent::blank, |packing, Recent { time, side, sequence, acknowledgment, len, ident, flags, seen, place }| {
            let mut is_server = *side == Side::Server;
            packing.flags([&mut is_server]);
            *side = if is_server { Side::Server } else { Side::Client };
            packing.time(time);
            [sequence, acknowledgment, len, ident, place].into_iter().for_each(|number| packing.word(number));
            packing.byte(&mut flags.0);
            packing.byte(seen);
        });
    }
}

impl Recent {
    const fn blank() -> Self {
        Self { time: Timestamp::EPOCH, side: Side::Client, sequence: 0, acknowledgment: 0, len: 0, ident: 0, flags: TcpFlags(0), seen: 0, place: 0 }
    }

    /// A packet of the first leg.
    const fn of(side: Side, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp) -> Self {
        let Tcp { sequence, acknowledgment, flags, .. } = *tcp;
        Self { time: packet.time, side, sequence, acknowledgment, len: packet.payload_len, ident: ip.ident, flags, seen: 1, place: 0 }
    }

    /// Whether a later one is the same, captured elsewhere with other numbers. Where no identification tells them apart, with numbers that no window spans.
    fn is_elsewhere(&self, later: &Self) -> bool {
        let numbers = |of: &Self| (of.sequence, of.acknowledgment);
        let is_same = (self.side, self.len, self.ident, self.flags) == (later.side, later.len, later.ident, later.flags);
        let apart = later.time.since(self.time).max(self.time.since(later.time));
        let is_told_apart = self.ident != 0 || self.sequence.wrapping_sub(later.sequence).cast_signed().unsigned_abs() > BEYOND_WINDOWS;
        is_same && self.place != later.place && numbers(self) != numbers(later) && apart <= DUPLICATE_WINDOW && is_told_apart
    }
}

/// A number for where a packet was captured: the same for all packets of one side on one link.
fn place_of(packet: &Packet<'_>, ip: &Ip) -> u32 {
    FixedState::default().hash_one((packet.interface, packet.vlan, packet.tunnel, packet.mac, ip.ttl)) as u32
}

/// No window lets so much be on its way at once: what is further apart is not of one stream.
const BEYOND_WINDOWS: u32 = 1 << 26;
