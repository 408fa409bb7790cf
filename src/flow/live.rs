//! A flow while its packets come. The fields that every packet touches are few and lie together; the rest is boxed.

use std::net::{IpAddr, Ipv4Addr};

use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::decode::{Content, Packet, Tunnel, TunnelPath, VlanStack};
use crate::flow::direction::Opening;
use crate::flow::key::{Key, Keyed};
use crate::flow::legs::Legs;
use crate::flow::packing::present;
use crate::flow::table::Settings;
use crate::flow::tcp::Connection;
use crate::flow::{ConnState, Direction, End, Ended, Flow, History, Packing, Parties, Rejection, TcpStory};
use crate::limit::REJECTIONS_KEPT;
use crate::net::{Mac, Side, Transport};
use crate::time::Timestamp;

/// A live flow.
#[derive(Debug)]
#[cfg_attr(debug_assertions, derive(PartialEq))]
pub(super) struct Live {
    pub ends: Ends,
    /// Whether a whole datagram of client, of server was seen.
    heard: [bool; 2],
    /// Packets of client, of server since the other one was last heard.
    alone: [u16; 2],
    /// Whether the observer wants payload.
    pub wanted: bool,
    /// Whether a packet came since it was last asked whether it could be [packed](super::resting).
    pub is_heard: bool,
    /// Whether it waits in the agenda to be looked at.
    is_entered: bool,
    /// For which second, its low half: no two that are held against each other lie 68 years apart.
    second: u32,
    last_frame: FrameId,
    /// What client and server sent.
    sent: [Sent; 2],
    /// Here and not boxed: every segment touches it.
    pub tcp: Option<Connection>,
    /// Where it was seen with several sequence numbers.
    pub legs: Option<Box<Legs>>,
    pub cold: Cold,
}

/// A key, and who of its ends is who.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ends {
    pub key: Key,
    /// Whether the client is the key's lower end.
    pub client_is_low: bool,
}

impl Ends {
    /// Of nobody, to be overwritten.
    pub const BLANK: Self = Self { key: Keyed::BLANK.key, client_is_low: false };

    /// Who talks to whom.
    pub fn parties(&self) -> Parties {
        Parties { transport: self.key.transport(), client: self.key.end(self.client_is_low), server: self.key.end(!self.client_is_low) }
    }
}

/// What a packet counts for its flow. A datagram put together from fragments brings its payload; the fragments were counted as they came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    pub packets: u64,
    /// IP bytes.
    pub bytes: u64,
    /// Transport payload.
    pub payload: u64,
}

impl Weight {
    /// Of a packet that is no fragment.
    pub fn of(packet: &Packet<'_>) -> Self {
        let bytes = if let Content::Ip(ip, _) = packet.content { ip.len } else { 0 };
        Self { packets: 1, bytes: u64::from(bytes), payload: u64::from(packet.payload_len) }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sent {
    packets: u64,
    bytes: u64,
    payload: u64,
    last: Timestamp,
}

/// Where a flow's first packet was captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub interface: u32,
    pub vlan: VlanStack,
    pub tunnel: TunnelPath,
    /// From which MAC address to which.
    pub link: Option<(Mac, Mac)>,
    /// Who sent it.
    pub opener: Side,
}

/// What only the first packets of a flow touch, and its end.
#[derive(Debug)]
#[cfg_attr(debug_assertions, derive(PartialEq))]
pub(super) struct Cold {
    first: Timestamp,
    first_frame: FrameId,
    interface: u32,
    vlan: VlanStack,
    tunnel: TunnelPath,
    link: Option<(Mac, Mac)>,
    direction: Direction,
    icmp: Option<(u8, u8)>,
    /// Who sent the first packet. Its time and MAC address are the flow's.
    opener: Side,
    /// Time and MAC address of the other side's first packet.
    answer: Option<(Timestamp, Option<Mac>)>,
    /// Time to live of the first packet of client, of server.
    ttl: [u8; 2],
    pub history: History,
    rejections: ThinVec<Rejection>,
}

impl Live {
    /// A flow about to receive its first packet.
    pub fn new(keyed: Keyed, packet: &Packet<'_>, opening: Opening, icmp: Option<(u8, u8)>) -> Self {
        let mut history = History::default();
        let is_tcp = keyed.key.transport() == Transport::TCP;
        if opening.flipped && (is_tcp || keyed.key.transport() == Transport::UDP) {
            history.push(b'^');
        }
        let ends = Ends { key: keyed.key, client_is_low: keyed.from_low != opening.flipped };
        let cold = Cold {
            interface: packet.interface,
            vlan: packet.vlan,
            tunnel: packet.tunnel,
            link: packet.mac,
            direction: opening.direction,
            icmp,
            opener: if opening.flipped { Side::Server } else { Side::Client },
            history,
            ..Cold::blank(packet.time, packet.frame)
        };
        Self { tcp: is_tcp.then(Connection::default), cold, ..Self::blank(ends, packet.time, packet.frame) }
    }

    /// A flow of which no more is known than this.
    pub fn blank(ends: Ends, first: Timestamp, first_frame: FrameId) -> Self {
        Self {
            ends,
            heard: [false; 2],
            alone: [0; 2],
            wanted: true,
            is_heard: true,
            is_entered: false,
            second: 0,
            last_frame: first_frame,
            sent: [Sent::default(); 2],
            tcp: None,
            legs: None,
            cold: Cold::blank(first, first_frame),
        }
    }

    /// Between which MAC addresses its first packet went, where that is known.
    pub fn link(&mut self) -> &mut Option<(Mac, Mac)> {
        &mut self.cold.link
    }

    /// Packs all but ends and first packet and when it is to be looked at, or takes it out; its link, too, where that is kept for it.
    pub fn pack(&mut self, keeps_link: bool, packing: &mut impl Packing) {
        let Self { ends: _, heard: [client, server], alone, wanted, is_heard: _, is_entered: _, second: _, last_frame, sent, tcp, legs, cold } = self;
        let (mut is_tcp, [mut c, mut s], mut has_legs) = (tcp.is_some(), sent.map(|sent| sent != Sent::default()), legs.is_some());
        packing.flags([client, server, wanted, &mut is_tcp, &mut c, &mut s, &mut has_legs]);
        cold.pack(keeps_link, packing);
        for (_, sent) in [c, s].into_iter().zip(sent.iter_mut()).filter(|(has_sent, _)| *has_sent) {
            packing.number(&mut sent.packets);
            packing.number(&mut sent.payload);
            let (mut bytes, headers) = (sent.bytes.cast_signed(), sent.packets.wrapping_mul(USUAL_HEADERS));
            packing.near(&mut bytes, sent.payload.wrapping_add(headers).cast_signed());
            sent.bytes = bytes.cast_unsigned();
        }
        present(is_tcp, tcp, Connection::default).into_iter().for_each(|tcp| tcp.pack(sent.map(|sent| sent.payload), packing));
        for (_, sent) in [c, s].into_iter().zip(sent).filter(|(has_sent, _)| *has_sent) {
            packing.time(&mut sent.last);
        }
        alone.iter_mut().for_each(|alone| packing.short(alone));
        packing.frame(last_frame);
        present(has_legs, legs, Legs::blank).into_iter().for_each(|legs| legs.pack(packing));
    }

    /// Reads from every line of memory that packing it reads, but for the connection's.
    pub fn touch(&self) -> u64 {
        let Self { ends, second, sent: [client, server], tcp, cold, .. } = self;
        let lines =
            [u64::from(*second), client.packets, server.payload, cold.first.nanos().cast_unsigned(), cold.history.0.len() as u64, cold.rejections.len() as u64];
        lines.into_iter().fold(u64::from(ends.client_is_low) + u64::from(tcp.is_some()), u64::wrapping_add)
    }

    /// Who sent a packet with this key.
    pub fn side(&self, from_low: bool) -> Side {
        if from_low == self.ends.client_is_low { Side::Client } else { Side::Server }
    }

    /// Counts a packet of `side`.
    pub fn count(&mut self, side: Side, packet: &Packet<'_>, ttl: u8, weight: Weight) {
        let sent = &mut self.sent[side as usize];
        if sent.packets == 0 {
            self.cold.ttl[side as usize] = ttl;
            if side != self.cold.opener {
                self.cold.answer = Some((packet.time, packet.mac.map(|(from, _)| from)));
            }
        }
        sent.packets += weight.packets;
        sent.bytes += weight.bytes;
        sent.payload += weight.payload;
        sent.last = packet.time;
        self.alone[side as usize] = self.alone[side as usize].saturating_add(1);
        self.alone[side.other() as usize] = 0;
        // One that waited for what it answers is taken in after others that came later.
        if packet.frame.file() != self.last_frame.file() || packet.frame.number() > self.last_frame.number() {
            self.last_frame = packet.frame;
        }
        self.is_heard = true;
    }

    /// Whether `side` is heard for the first time, in a whole datagram.
    pub fn is_first_datagram(&mut self, side: Side) -> bool {
        !std::mem::replace(&mut self.heard[side as usize], true)
    }

    /// When `side` sent its last packet.
    pub fn last_of(&self, side: Side) -> Timestamp {
        self.sent[side as usize].last
    }

    /// Where its first packet was captured.
    pub fn place(&self) -> Place {
        let Cold { interface, vlan, tunnel, link, opener, .. } = self.cold;
        Place { interface, vlan, tunnel, link, opener }
    }

    /// Time to live of the first packet of `side`.
    pub fn first_ttl(&self, side: Side) -> Option<u8> {
        (self.packets(side) > 0).then_some(self.cold.ttl[side as usize])
    }

    /// MAC address that the first answer came from.
    pub fn answering_mac(&self) -> Option<Mac> {
        self.cold.answer.and_then(|(_, mac)| mac)
    }

    /// Packets that `side` sent.
    pub fn packets(&self, side: Side) -> u64 {
        self.sent[side as usize].packets
    }

    /// Notes that it waits in the agenda for that second.
    pub fn enter(&mut self, second: i64) {
        (self.is_entered, self.second) = (true, second as u32);
    }

    /// Whether it waits in the agenda, and for which second.
    pub fn entered(&self) -> (bool, u32) {
        (self.is_entered, self.second)
    }

    /// Whether its connection has closed.
    pub fn is_closed(&self) -> bool {
        self.tcp.as_ref().is_some_and(|connection| connection.closed.is_some())
    }

    /// Whether it waits in the agenda for that second.
    pub fn is_entered_for(&self, second: i64) -> bool {
        self.is_entered && self.second == second as u32
    }

    /// Whether it waits in the agenda for that second or an earlier one.
    pub fn is_entered_by(&self, second: i64) -> bool {
        self.is_entered && (second as u32).wrapping_sub(self.second).cast_signed() >= 0
    }

    /// When the flow is over unless another packet comes: its connection's end, or its idle timeout.
    pub fn deadline(&self, settings: &Settings) -> Timestamp {
        let idle = match (self.ends.key.transport(), &self.tcp) {
            (_, Some(connection)) => match connection.closed {
                Some(closed) => return closed,
                None if connection.is_attempt() => settings.attempt,
                None => settings.tcp_idle,
            },
            (Transport::UDP, None) => settings.udp_idle,
            _ => settings.other_idle,
        };
        self.last() + idle
    }

    /// Whether a packet of `side` at `time` surely finds the flow living: it comes within `idle` nanoseconds, the shortest of all timeouts, of that side's packet before.
    pub fn is_busy(&self, side: Side, time: Timestamp, idle: u64) -> bool {
        let sent = &self.sent[side as usize];
        sent.packets > 0 && time.nanos_since(sent.last) <= idle && !self.is_closed()
    }

    /// Keeps an ICMP error about this flow; false where the bound is reached.
    pub fn reject(&mut self, rejection: Rejection) -> bool {
        let has_room = self.cold.rejections.len() < REJECTIONS_KEPT;
        if has_room {
            self.cold.rejections.push(rejection);
        }
        has_room
    }

    /// Time and number of the first packet, by which flows are put in order.
    pub fn order(&self) -> (Timestamp, FrameId) {
        (self.cold.first, self.cold.first_frame)
    }

    /// Who talks to whom.
    pub fn parties(&self) -> Parties {
        self.ends.parties()
    }

    /// The key it is filed under.
    pub fn key(&self) -> &Key {
        &self.ends.key
    }

    /// Whether something may have gone wrong with it already: refused, over, or asked more than once and not answered.
    pub fn is_telling(&self) -> bool {
        let silent = self.packets(Side::Server) == 0 && self.packets(Side::Client) > 1;
        silent || !self.cold.rejections.is_empty() || self.is_closed()
    }

    /// The flow at its end.
    pub fn into_flow(mut self: Box<Self>, ended: Ended) -> Flow {
        let state = self.state();
        let (history, rejections) = (std::mem::take(&mut self.cold.history), std::mem::take(&mut self.cold.rejections));
        let story = self.tcp.as_ref().map(|connection| Box::new(connection.story()));
        self.told(ended, state, history, rejections, story)
    }

    /// A copy of the flow as it stands, as if it had ended so.
    pub fn as_it_stands(&self, ended: Ended) -> Flow {
        let story = self.tcp.as_ref().map(|connection| Box::new(connection.story()));
        self.told(ended, self.state(), self.cold.history.clone(), self.cold.rejections.clone(), story)
    }

    fn told(&self, ended: Ended, state: ConnState, history: History, rejections: ThinVec<Rejection>, tcp: Option<Box<TcpStory>>) -> Flow {
        Flow {
            transport: self.ends.key.transport(),
            client: self.end(Side::Client),
            server: self.end(Side::Server),
            direction: self.cold.direction,
            first: self.cold.first,
            last: self.last(),
            first_frame: self.cold.first_frame,
            last_frame: self.last_frame,
            state: Some(state),
            history,
            vlan: self.cold.vlan,
            tunnel: self.cold.tunnel,
            interface: self.cold.interface,
            link: self.cold.link,
            rejections,
            alone: self.alone,
            icmp: self.cold.icmp,
            ended,
            tcp,
        }
    }

    fn last(&self) -> Timestamp {
        let [client, server] = &self.sent;
        if client.packets == 0 {
            server.last
        } else if server.packets == 0 {
            client.last
        } else {
            client.last.max(server.last)
        }
    }

    fn end(&self, side: Side) -> End {
        let sent = self.sent[side as usize];
        let Cold { first, link, opener, answer, ttl, .. } = &self.cold;
        let first = if side == *opener { Some((*first, link.map(|(from, _)| from))) } else { *answer };
        End {
            endpoint: self.ends.key.end(self.ends.client_is_low == (side == Side::Client)),
            packets: sent.packets,
            bytes: sent.bytes,
            payload_bytes: sent.payload,
            ttl: ttl[side as usize],
            mac: first.and_then(|(_, mac)| mac),
            first: first.map(|(time, _)| time),
            last: first.map(|_| sent.last),
        }
    }

    fn state(&self) -> ConnState {
        match &self.tcp {
            Some(connection) => connection.state(&self.cold.history),
            None if self.ends.key.transport() == Transport::UDP => match self.sent.map(|sent| sent.packets > 0) {
                [true, true] => ConnState::SF,
                [true, false] => ConnState::S0,
                [false, true] => ConnState::Shr,
                [false, false] => ConnState::Oth,
            },
            None => ConnState::Oth,
        }
    }
}

impl Cold {
    fn blank(first: Timestamp, first_frame: FrameId) -> Self {
        Self {
            first,
            first_frame,
            interface: 0,
            vlan: VlanStack::default(),
            tunnel: TunnelPath::default(),
            link: None,
            direction: Direction::Unknown,
            icmp: None,
            opener: Side::Client,
            answer: None,
            ttl: [0; 2],
            history: History::default(),
            rejections: ThinVec::new(),
        }
    }

    fn pack(&mut self, keeps_link: bool, packing: &mut impl Packing) {
        let Self { first: _, first_frame: _, interface, vlan, tunnel, link, direction, icmp, opener, answer, ttl, history, rejections } = self;
        let (mut is_wrapped, mut has_link, mut is_icmp) = (!vlan.ids().is_empty() || !tunnel.is_empty(), link.is_some(), icmp.is_some());
        let (mut is_answered, mut is_rejected, mut by_server) = (answer.is_some(), !rejections.is_empty(), *opener == Side::Server);
        // Who answers has mostly the hardware address that was written to.
        let answering = answer.and_then(|(_, mac)| mac);
        let (mut has_mac, mut is_usual) = (answering.is_some(), answering == link.map(|(_, to)| to));
        packing.flags([&mut is_wrapped, &mut has_link, &mut is_icmp, &mut is_answered, &mut is_rejected, &mut by_server, &mut has_mac, &mut is_usual]);
        *opener = if by_server { Side::Server } else { Side::Client };
        packing.one_of(direction, &[Direction::Certain, Direction::Likely, Direction::Unknown]);
        packing.count(interface);
        if is_wrapped {
            pack_wrapping(vlan, tunnel, packing);
        }
        for mac in present(has_link && !keeps_link, link, Default::default).into_iter().flat_map(|(from, to)| [from, to]) {
            packing.bytes(&mut mac.0);
        }
        for number in present(is_icmp, icmp, || (0, 0)).into_iter().flat_map(|(kind, code)| [kind, code]) {
            packing.byte(number);
        }
        if let Some((time, mac)) = present(is_answered, answer, || (Timestamp::EPOCH, None)) {
            packing.time(time);
            let mac = present(has_mac, mac, || link.map_or(Mac::default(), |(_, to)| to));
            mac.filter(|_| !is_usual).into_iter().for_each(|mac| packing.bytes(&mut mac.0));
        }
        packing.bytes(ttl);
        history.pack(packing);
        if is_rejected {
            packing.list(rejections, Rejection::blank, |packing, rejection| rejection.pack(packing));
        }
    }
}

/// VLANs and tunnels, each with how many there are.
fn pack_wrapping(vlan: &mut VlanStack, tunnel: &mut TunnelPath, packing: &mut impl Packing) {
    let (mut ids, mut path) = (ThinVec::from(vlan.ids()), tunnel.iter().collect::<ThinVec<Tunnel>>());
    packing.list(&mut ids, || 0, |packing, id| packing.short(id));
    packing.list(&mut path, || Tunnel::Gre, |packing, tunnel| packing.one_of(tunnel, &Tunnel::ALL));
    (*vlan, *tunnel) = (VlanStack::default(), TunnelPath::default());
    ids.into_iter().for_each(|id| _ = vlan.push(id));
    path.into_iter().for_each(|one| _ = tunnel.push(one));
}

impl History {
    fn pack(&mut self, packing: &mut impl Packing) {
        let mut len = self.0.len() as u8;
        packing.byte(&mut len);
        self.0.resize(usize::from(len), 0);
        packing.bytes(&mut self.0);
    }
}

impl Rejection {
    fn blank() -> Self {
        let by = Ipv4Addr::UNSPECIFIED.into();
        Self { by, to: Side::Client, v6: false, kind: 0, code: 0, mtu: None, quoted_ttl: 0, time: Timestamp::EPOCH, frame: FrameId::default() }
    }

    fn pack(&mut self, packing: &mut impl Packing) {
        let Self { by, to, v6, kind, code, mtu, quoted_ttl, time, frame } = self;
        let (mut is_server, mut has_mtu, mut is_v4) = (*to == Side::Server, mtu.is_some(), by.is_ipv4());
        packing.flags([&mut is_server, &mut has_mtu, &mut is_v4, v6]);
        *to = if is_server { Side::Server } else { Side::Client };
        if is_v4 {
            let mut octets = if let IpAddr::V4(v4) = by { v4.octets() } else { [0; 4] };
            packing.bytes(&mut octets);
            *by = octets.into();
        } else {
            let mut octets = if let IpAddr::V6(v6) = by { v6.octets() } else { [0; 16] };
            packing.bytes(&mut octets);
            *by = octets.into();
        }
        [kind, code, quoted_ttl].into_iter().for_each(|number| packing.byte(number));
        present(has_mtu, mtu, || 0).into_iter().for_each(|mtu| packing.count(mtu));
        packing.time(time);
        packing.frame(frame);
    }
}

/// Bytes of headers that most segments have: IPv4 and TCP with timestamps.
const USUAL_HEADERS: u64 = 52;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_flow_stays_as_small_as_the_bound_on_flows_says() {
        let (live, connection) = (size_of::<Live>(), size_of::<Connection>());
        // Of those that are awake, which have a bound of their own.
        assert!(live <= 576 && connection <= 320, "{live} and {connection} bytes");
    }
}
