//! A flow while its packets come. What every packet touches is small and together; the rest is boxed.

use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::decode::{Content, Packet, TunnelPath, VlanStack};
use crate::flow::direction::Opening;
use crate::flow::key::{Key, Keyed};
use crate::flow::table::Settings;
use crate::flow::tcp::Connection;
use crate::flow::{ConnState, Direction, End, Ended, Flow, History, Parties, Rejection, TcpStory};
use crate::limit::REJECTIONS_KEPT;
use crate::net::{Mac, Side, Transport};
use crate::time::Timestamp;

/// A live flow.
#[derive(Debug)]
pub(super) struct Live {
    pub ends: Ends,
    /// Whether a whole datagram of client, of server was seen.
    heard: [bool; 2],
    /// Whether the observer wants payload.
    pub wanted: bool,
    /// Whether it waits in the agenda to be looked at.
    is_entered: bool,
    /// For which second, its low half: no two that are held against each other lie 68 years apart.
    second: u32,
    last_frame: FrameId,
    /// What client and server sent.
    sent: [Sent; 2],
    pub tcp: Option<Box<Connection>>,
    pub cold: Box<Cold>,
}

/// A key, and who of its ends is who.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub key: Key,
    /// Whether the client is the key's lower end.
    client_is_low: bool,
}

impl Ends {
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

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    packets: u64,
    bytes: u64,
    payload: u64,
    last: Timestamp,
}

/// What only the first packets of a flow touch, and its end.
#[derive(Debug)]
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
        let cold = Cold {
            first: packet.time,
            first_frame: packet.frame,
            interface: packet.interface,
            vlan: packet.vlan,
            tunnel: packet.tunnel,
            link: packet.mac,
            direction: opening.direction,
            icmp,
            opener: if opening.flipped { Side::Server } else { Side::Client },
            answer: None,
            ttl: [0; 2],
            history,
            rejections: ThinVec::new(),
        };
        Self {
            ends: Ends { key: keyed.key, client_is_low: keyed.from_low != opening.flipped },
            heard: [false; 2],
            wanted: true,
            is_entered: false,
            second: 0,
            last_frame: packet.frame,
            sent: [Sent::default(); 2],
            tcp: is_tcp.then(Box::default),
            cold: Box::new(cold),
        }
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
        self.last_frame = packet.frame;
    }

    /// Whether `side` is heard for the first time, in a whole datagram.
    pub fn is_first_datagram(&mut self, side: Side) -> bool {
        !std::mem::replace(&mut self.heard[side as usize], true)
    }

    /// Packets that `side` sent.
    pub fn packets(&self, side: Side) -> u64 {
        self.sent[side as usize].packets
    }

    /// Notes that it waits in the agenda for that second.
    pub fn enter(&mut self, second: i64) {
        (self.is_entered, self.second) = (true, second as u32);
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
        sent.packets > 0 && time.nanos_since(sent.last) <= idle && self.tcp.as_ref().is_none_or(|connection| connection.closed.is_none())
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
        silent || !self.cold.rejections.is_empty() || self.tcp.as_ref().is_some_and(|connection| connection.closed.is_some())
    }

    /// The flow at its end.
    pub fn into_flow(mut self, ended: Ended) -> Flow {
        let state = self.state();
        let (history, rejections) = (std::mem::take(&mut self.cold.history), std::mem::take(&mut self.cold.rejections));
        let story = self.tcp.take().map(|connection| Box::new(connection.story()));
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
        let Cold { first, link, opener, answer, ttl, .. } = &*self.cold;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_flow_stays_as_small_as_the_bound_on_flows_says() {
        let (live, cold, connection) = (size_of::<Option<Live>>(), size_of::<Cold>(), size_of::<Connection>());
        assert!(live <= 144, "every packet touches {live} bytes");
        // Sizes that an allocator has blocks of: a few bytes more would cost a quarter more of each.
        assert!(connection <= 320 && cold <= 112, "{connection} and {cold} bytes are boxed");
        assert!(live + cold + connection <= crate::limit::LIVE_FLOW_BYTES, "{live} + {cold} + {connection}");
    }
}
