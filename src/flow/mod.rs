//! From packets to flows: who talked to whom, how the conversation went, and its payload in order.
//!
//! Nothing here knows what a port or a byte means. Payload is lent to an [`Observer`] (the next room) as it comes into order;
//! a [`Flow`] is handed over when it ends.

mod clock;
mod community;
mod crossings;
mod direction;
mod duplicates;
mod expiry;
mod fragments;
mod key;
mod legs;
mod live;
mod lone;
mod membership;
mod neighbour;
mod packing;
mod resting;
mod slab;
mod stacks;
mod story;
mod stream;
mod table;
mod tcp;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trace;
mod unreachable;

use std::net::IpAddr;
use std::num::NonZeroU64;

use smallvec::SmallVec;
use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::decode::{TunnelPath, VlanStack};
use crate::net::{Endpoint, Mac, Side, Transport};
use crate::time::Timestamp;

pub use community::{CommunityId, community_id, community_id_of};
pub use duplicates::{DuplicateKind, Duplicates};
pub use fragments::{Earlier, FragmentCounts, Fragments, Gathered, Whole};
pub use key::Shard;
pub use neighbour::{Neighbour, NeighbourWord};
pub use packing::{Packer, Packing, Unpacker, present};
pub use stacks::{Spot, Stacks};
pub use story::Missed;
pub use table::{Counts, FlowTable, Settings};

/// All packets of one conversation.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The transport protocol.
    pub transport: Transport,
    /// Who opened it, as far as packets without their content tell.
    pub client: End,
    /// Who was asked.
    pub server: End,
    /// How sure client and server are, by the handshake.
    pub direction: Direction,
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet.
    pub last: Timestamp,
    /// First frame.
    pub first_frame: FrameId,
    /// Last frame.
    pub last_frame: FrameId,
    /// Zeek's history letters: upper case from the client, `^` where the ends were swapped after the fact.
    pub history: History,
    /// Zeek's `conn_state`. Other than of TCP and UDP flows it is always `OTH`.
    pub state: Option<ConnState>,
    /// VLAN identifiers of its first packet.
    pub vlan: VlanStack,
    /// Encapsulations of its first packet.
    pub tunnel: TunnelPath,
    /// Capture interface of its first packet.
    pub interface: u32,
    /// MAC addresses that its first packet went between, source first: the path it takes where one tap sees several links. [`Mac::UNKNOWN`] where the link tells the
    /// sender alone.
    pub link: Option<(Mac, Mac)>,
    /// What a TCP connection did beyond its history; none for other transports, and while the flow is live.
    pub tcp: Option<Box<TcpStory>>,
    /// ICMP errors that quote this flow, in order, at most [`limit::REJECTIONS_KEPT`](crate::limit::REJECTIONS_KEPT).
    pub rejections: ThinVec<Rejection>,
    /// Packets of client, of server since the other one was last heard; zero for whoever was heard before the other.
    pub alone: [u16; 2],
    /// Type and code, where this is an ICMP flow (the ports hold what Community ID puts there).
    pub icmp: Option<(u8, u8)>,
    /// Why it ended.
    pub ended: Ended,
}

impl Flow {
    /// Between whom it is.
    pub const fn parties(&self) -> Parties {
        Parties { transport: self.transport, client: self.client.endpoint, server: self.server.endpoint }
    }

    /// Whether answers belong to it: to all but ICMP messages that have none.
    pub fn is_two_way(&self) -> bool {
        self.icmp.is_none_or(|(kind, code)| key::icmp_ports(self.transport, kind, code).2)
    }

    /// Whether of what the server sent only fragments came that never became a datagram.
    pub fn is_torn(&self) -> bool {
        let nothing_whole = self.server.packets > 0 && self.server.payload_bytes == 0 && !self.history.has('d');
        self.transport == Transport::UDP && nothing_whole && self.history.has('D')
    }

    /// Swaps client and server and all that is told by side; the history says so. For whoever learns from content that the guess was wrong.
    pub fn flip(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
        self.alone.swap(0, 1);
        self.history = self.history.flipped();
        self.state = self.state.map(|state| state.flipped(self.transport));
        if let Some(story) = &mut self.tcp {
            story.flip();
        }
        for rejection in &mut self.rejections {
            rejection.to = rejection.to.other();
        }
    }
}

/// One end of a flow and what it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Address and port.
    pub endpoint: Endpoint,
    /// Packets it sent, retransmissions included.
    pub packets: u64,
    /// IP bytes it sent, headers included, on the wire.
    pub bytes: u64,
    /// Transport payload it sent, on the wire, retransmissions included.
    pub payload_bytes: u64,
    /// Time to live of its first packet.
    pub ttl: u8,
    /// MAC address its packets came from on the captured link (a router's, where the host is further away).
    pub mac: Option<Mac>,
    /// Time of its first packet.
    pub first: Option<Timestamp>,
    /// Time of its last packet.
    pub last: Option<Timestamp>,
}

/// Who is the client, and on what that rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// A SYN or SYN-ACK was seen, or a UDP exchange began with the client's packet after the capture had begun.
    Certain,
    /// By content, by the documents, or by port classes.
    Likely,
    /// Nothing tells; the client is the first sender.
    Unknown,
}

/// Zeek's `conn_state` (scripts/base/protocols/conn/main.zeek).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnState {
    /// Attempt seen, no reply.
    S0,
    /// Established, not terminated.
    S1,
    /// Normal establishment and termination.
    SF,
    /// Attempt rejected.
    Rej,
    /// Established, close attempt by the client, no reply from the server.
    S2,
    /// Established, close attempt by the server, no reply from the client.
    S3,
    /// Established, client aborted.
    Rsto,
    /// Server aborted.
    Rstr,
    /// Client sent a SYN and then a RST, no SYN-ACK seen.
    Rstos0,
    /// Server sent a SYN-ACK and then a RST, no SYN seen.
    Rstrh,
    /// Client sent a SYN and then a FIN, no SYN-ACK seen.
    Sh,
    /// Server sent a SYN-ACK and then a FIN, no SYN seen.
    Shr,
    /// No SYN, midstream traffic.
    Oth,
}

impl ConnState {
    /// Zeek's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::SF => "SF",
            Self::Rej => "REJ",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::Rsto => "RSTO",
            Self::Rstr => "RSTR",
            Self::Rstos0 => "RSTOS0",
            Self::Rstrh => "RSTRH",
            Self::Sh => "SH",
            Self::Shr => "SHR",
            Self::Oth => "OTH",
        }
    }
}

impl ConnState {
    /// The state of the same packets seen with client and server swapped. Attempts stay what they are: a SYN leaves no doubt who opened the flow.
    fn flipped(self, transport: Transport) -> Self {
        match self {
            Self::S2 => Self::S3,
            Self::S3 => Self::S2,
            Self::Rsto => Self::Rstr,
            Self::Rstr => Self::Rsto,
            Self::Sh => Self::Shr,
            Self::Shr if transport == Transport::TCP => Self::Sh,
            Self::Shr => Self::S0,
            Self::S0 if transport != Transport::TCP => Self::Shr,
            Self::Rstrh => Self::Oth,
            other => other,
        }
    }
}

/// Zeek's history: one ASCII letter for each kind of event, upper case from the client, `^` for swapped ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(SmallVec<[u8; 16]>);

impl History {
    /// Adds a letter; at the bound nothing more is added, as each kind of letter has its own bound already.
    pub fn push(&mut self, letter: u8) {
        if self.0.len() < crate::limit::HISTORY_LETTERS {
            self.0.push(letter);
        }
    }

    /// Whether the letter is in it.
    pub fn has(&self, letter: char) -> bool {
        self.0.iter().any(|known| char::from(*known) == letter)
    }

    /// The letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The letters as they read once client and server have changed places: cases swapped, `^` in front or taken away.
    pub fn flipped(&self) -> Self {
        let (already, letters) = match self.0.as_slice() {
            [b'^', rest @ ..] => (true, rest),
            all => (false, all),
        };
        let swap = |letter: &u8| if letter.is_ascii_uppercase() { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() };
        let mark = if already { None } else { Some(b'^') };
        Self(mark.into_iter().chain(letters.iter().map(swap)).collect())
    }
}

/// What a TCP connection did, as far as an outcome rests on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpStory {
    /// SYNs by the client, first to last, without copies that came late, at most [`limit::SYNS_KEPT`](crate::limit::SYNS_KEPT) kept; `syns` counts all.
    pub syn_times: SmallVec<[(Timestamp, FrameId); 1]>,
    /// SYNs by the client, retransmissions included.
    pub syns: u32,
    /// Whether all SYNs had the first one's sequence number.
    pub same_isn: bool,
    /// SYN-ACKs by the server.
    pub syn_acks: u16,
    /// Time to live of the first SYN-ACK.
    pub syn_ack_ttl: Option<u8>,
    /// Time from SYN to the first SYN-ACK, in nanoseconds.
    pub syn_ack_delay: Option<NonZeroU64>,
    /// Whether the client acknowledged the SYN-ACK, or went on as if it had.
    pub established: bool,
    /// The first RST: who sent it, when, in which frame, its time to live, and whether it answered a SYN.
    pub reset: Option<Box<Reset>>,
    /// RSTs in all.
    pub resets: u32,
    /// FIN by client, by server.
    pub fins: [bool; 2],
    /// Whether who closed first had got, by then, all that the other end said.
    pub heard_out: bool,
    /// Payload segments sent again, by client, by server.
    pub retransmissions: [u32; 2],
    /// Bytes that were acknowledged or skipped but never captured, by client, by server.
    pub missed_bytes: [u64; 2],
    /// When it showed that they were, in order.
    pub missed: ThinVec<Missed>,
    /// Those of them, of both sides, that came and were not kept: what the snap length cut off, repetitions included.
    pub cut_bytes: u32,
    /// Zero windows announced, by client, by server.
    pub zero_windows: [u32; 2],
    /// Whether the last window that client, that server announced was zero: it takes no more.
    pub stalled: [bool; 2],
    /// Whether the first packet seen was neither SYN nor SYN-ACK.
    pub midstream: bool,
    /// Payload bytes of the client, of the server that the other end acknowledged.
    pub acknowledged: [u64; 2],
    /// Payload bytes that a FIN of client, of server says were sent, and that neither came nor were acknowledged.
    pub untold: [u64; 2],
    /// Payload bytes sent by client, by server, retransmissions included.
    pub payload: [u64; 2],
    /// The first payload segment of client, of server.
    pub first_data: [Option<Moment>; 2],
    /// The last one, retransmissions included.
    pub last_data: [Option<Moment>; 2],
    /// Lowest and highest time to live of the client's, of the server's packets other than RSTs: what a forged RST is held against.
    pub ttl: [Option<(u8, u8)>; 2],
    /// Largest payload segment of client, of server that was acknowledged, or more: what was acknowledged at once behind one that had come again.
    pub largest_acknowledged: [u32; 2],
    /// Of the payload segments of client, of server that are not acknowledged, the one that comes again, or else the first of the largest; of length zero where there is none.
    pub open_segment: [OpenSegment; 2],
    /// Whether what came later shows that the first RST was not its sender's own: payload of that end, or a RST of the other end or with another sequence number, as forgers send several.
    pub reset_contradicted: bool,
    /// What client, what server says again without getting any further.
    pub repeats: [Repeats; 2],
    /// How long the connection had been silent when that segment, or the first of what is not answered, was sent, in nanoseconds.
    pub silence_before: [u64; 2],
    /// Identification of the last packet of client, of server that was no RST; zero where it had none (IPv6) or sets none.
    pub ident: [u16; 2],
    /// Time of the last packet.
    pub last: Timestamp,
    /// Initial sequence numbers of client and server, seen or told by what answers them; none of who was not heard, and where the opening was not captured.
    pub starts: [Option<u32>; 2],
    /// SYNs, SYN-ACKs and resets of client, of server that were captured on both sides of a router; none where that is not known.
    pub crossed: Option<[u8; 2]>,
    /// Whether any packet was seen.
    pub begun: bool,
}

/// When a packet was captured, and in which frame: in 16 bytes, be it there or not, as every live connection has five of them. Ordered by time, then by frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    time: Timestamp,
    frame: FrameId,
}

impl Moment {
    /// That moment.
    pub const fn new(time: Timestamp, frame: FrameId) -> Self {
        Self { time, frame }
    }

    /// When.
    pub const fn time(self) -> Timestamp {
        self.time
    }

    /// Where.
    pub const fn frame(self) -> FrameId {
        self.frame
    }
}

/// A payload segment that is not acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenSegment {
    /// Its length.
    pub len: u32,
    /// How often it was sent again.
    pub again: u32,
    /// Where it ends in the stream, counted from the initial sequence number.
    pub end: i64,
}

/// How often one end says what it has said before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// Segments by timeout, one after the other, though the other end had acknowledged them; none where it showed since that it had heard of that.
    pub acknowledged: u8,
    /// Keep-alives and FINs since the other end was last heard.
    pub unanswered: u8,
    /// Its open segment, before the other end was last heard, which had not taken it.
    pub untaken: u8,
}

impl OpenSegment {
    /// How many bytes of the stream lie before it; none where it begins before the stream does.
    pub fn before(&self) -> Option<u64> {
        // The initial sequence number is the SYN's.
        u64::try_from(self.end.saturating_sub(i64::from(self.len)).saturating_sub(1)).ok()
    }
}

impl TcpStory {
    /// Whether that side's open segment lies behind what was acknowledged, and near enough to what was to be on its way still. A mirror that shows a connection
    /// twice, once with other sequence numbers, leaves segments far beyond all that was sent; one that loses packets did not show all of it.
    pub fn is_next(&self, side: Side) -> bool {
        let (acknowledged, sent) = (self.acknowledged[side as usize], self.payload[side as usize]);
        let near = acknowledged..=sent.max(acknowledged).saturating_add(IN_FLIGHT);
        self.open_segment[side as usize].before().is_some_and(|before| near.contains(&before))
    }

    fn flip(&mut self) {
        self.fins.swap(0, 1);
        self.retransmissions.swap(0, 1);
        self.missed_bytes.swap(0, 1);
        self.zero_windows.swap(0, 1);
        self.stalled.swap(0, 1);
        self.acknowledged.swap(0, 1);
        self.payload.swap(0, 1);
        self.untold.swap(0, 1);
        self.first_data.swap(0, 1);
        self.last_data.swap(0, 1);
        self.ttl.swap(0, 1);
        self.largest_acknowledged.swap(0, 1);
        self.open_segment.swap(0, 1);
        self.silence_before.swap(0, 1);
        self.repeats.swap(0, 1);
        self.ident.swap(0, 1);
        self.starts.swap(0, 1);
        if let Some(crossed) = &mut self.crossed {
            crossed.swap(0, 1);
        }
        if let Some(reset) = &mut self.reset {
            reset.from = reset.from.other();
            std::mem::swap(&mut reset.client_payload, &mut reset.server_payload);
        }
    }
}

/// More than most windows are.
const IN_FLIGHT: u64 = 4 << 20;

/// A RST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Whose address it carries.
    pub from: Side,
    /// When.
    pub time: Timestamp,
    /// In which frame.
    pub frame: FrameId,
    /// Its time to live.
    pub ttl: u8,
    /// Its IPv4 identification.
    pub ident: u32,
    /// The same of the packet before it in its sender's name; zero where there was none or it had none.
    pub ident_before: u16,
    /// How long the connection had been silent before it, in nanoseconds.
    pub after_silence: u64,
    /// Its sequence number.
    pub sequence: u32,
    /// Whether it carries ACK. A closed port answers a SYN with RST and ACK (RFC 9293 section 3.5.2).
    pub with_ack: bool,
    /// Whether only SYNs had gone before.
    pub answers_syn: bool,
    /// Payload bytes the client had sent by then.
    pub client_payload: u64,
    /// Payload bytes the server had sent by then.
    pub server_payload: u64,
}

/// An ICMP or ICMPv6 error that quotes a packet of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Who sent the error.
    pub by: IpAddr,
    /// Whose packet it quotes.
    pub to: Side,
    /// ICMPv6 rather than ICMP.
    pub v6: bool,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Next-hop MTU, of type 3 code 4 and of packet too big.
    pub mtu: Option<u32>,
    /// Time to live of the quoted packet when it was rejected.
    pub quoted_ttl: u8,
    /// When.
    pub time: Timestamp,
    /// In which frame.
    pub frame: FrameId,
}

/// Why a flow is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ended {
    /// Both sides closed, or a reset.
    Closed,
    /// No packet for its idle timeout, by packet time.
    Idle,
    /// The capture ended first.
    CaptureEnd,
    /// A SYN opened another connection between the same ends.
    Reused,
    /// Put out at a bound; counted.
    Evicted,
}

/// Index of a live flow in its table; the next room keeps its own state under the same number. Used again after the flow has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// Payload that came into order, or a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// Who sent it.
    pub from: Side,
    /// New bytes in order (TCP), or the captured bytes of one datagram.
    pub bytes: &'a [u8],
    /// Place of the first byte in the sender's stream (0 = first after SYN, or first seen when `midstream`); of datagrams, how many packets of that side went before.
    pub offset: u64,
    /// Bytes before these that were never captured (TCP), or that the snap length cut off the end (datagrams).
    pub missing: u64,
    /// No SYN of this sender was seen, so the offset counts from the first byte captured.
    pub midstream: bool,
    /// When its last packet was captured.
    pub time: Timestamp,
    /// In which frame.
    pub frame: FrameId,
    /// Time to live it arrived with.
    pub ttl: u8,
}

/// What the observer wants of a flow from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The payload to come.
    More,
    /// No more payload; counters go on.
    Nothing,
}

/// Between whom a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parties {
    /// The transport protocol.
    pub transport: Transport,
    /// Who opened it.
    pub client: Endpoint,
    /// Who was asked.
    pub server: Endpoint,
}

impl Parties {
    /// Client and server.
    pub const fn both(&self) -> (Endpoint, Endpoint) {
        (self.client, self.server)
    }
}

/// Who sits in the next room. A table calls it in packet order.
pub trait Observer {
    /// A flow was opened in `slot`.
    fn opened(&mut self, slot: Slot);

    /// Payload of the flow in `slot`.
    fn data(&mut self, slot: Slot, parties: &Parties, data: Data<'_>) -> Want;

    /// Nothing was heard of the flows in these slots for a while: what is known of them may be put away, but not lost.
    fn rested(&mut self, _: &[Slot]) {}

    /// The flows in these slots may be about to end, one after the other: what is known of them was last used long ago, and may be fetched for all of them at once.
    fn closing(&mut self, _: &[Slot]) {}

    /// The flow that was in `slot` is over.
    fn closed(&mut self, slot: Slot, flow: Flow);

    /// A packet says who is on its link. Most observers do not care.
    fn neighbour(&mut self, _: &Neighbour) {}
}
