//! What a TCP connection does, told in Zeek's words: endpoint states, history letters, `conn_state`; and the story that outcomes rest on.
//!
//! The rules are those of Zeek's TCP analyser (src/packet_analysis/protocol/tcp, scripts/base/protocols/conn/main.zeek), so that both say the same of the
//! same packets. Where portbook differs the reason stands at the place.

mod ahead;
mod beginning;
mod letters;
mod packing;
mod stragglers;

use std::num::NonZeroI64;

use self::letters::{Letters, counted, is_aborted_attempt};
use crate::decode::{Ip, Packet, Tcp, TcpFlags};
use crate::flow::story::{self, Story};
use crate::flow::stream::{FIRST, Gaps, Outlet, Seen, Segment, Stream};
use crate::flow::{ConnState, History, TcpStory};
use crate::net::Side;
use crate::time::Timestamp;

/// A live connection.
#[derive(Debug, Default)]
#[cfg_attr(debug_assertions, derive(Clone, PartialEq))]
pub(super) struct Connection {
    /// Client and server.
    ends: [Half; 2],
    /// From when on it counts as over: the moment of closing and a while for stragglers.
    pub closed: Option<Timestamp>,
    /// What outcomes rest on.
    story: Story,
}

/// One end of a connection. Positions count from its initial sequence number.
#[derive(Debug, Default)]
#[cfg_attr(debug_assertions, derive(Clone, PartialEq))]
pub(super) struct Half {
    /// One past the highest position sent.
    last: i64,
    /// Highest position acknowledged by the other end.
    acknowledged: i64,
    /// One past the FIN.
    fin: Option<NonZeroI64>,
    stream: Stream,
    /// Initial sequence number, as seen, or what it must have been.
    start: u32,
    state: State,
    previous: State,
    /// Kinds of letters already written.
    written: u8,
    /// Its close was noted.
    closed: bool,
}

/// Zeek's endpoint states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Inactive,
    SynSent,
    SynAckSent,
    Partial,
    Established,
    Closed,
    Reset,
}

/// What a segment means for its flow beyond the connection itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effect {
    /// The connection is over from now on.
    pub finished: bool,
    /// Where its payload begins.
    payload_at: i64,
    /// What it acknowledges of the other side's stream.
    acknowledges: Option<i64>,
    /// A RST: neither its payload nor its acknowledgment is to be believed.
    is_reset: bool,
    seen: Seen,
}

impl Half {
    fn relative(&self, sequence: u32, near: i64) -> i64 {
        let expected = self.start.wrapping_add(near as u32);
        near.saturating_add(i64::from(sequence.wrapping_sub(expected) as i32))
    }

    fn begin(&mut self, start: u32, last: i64) {
        if start != self.start {
            self.stream.restart();
        }
        self.start = start;
        self.acknowledged = 0;
        self.last = last;
    }

    fn enter(&mut self, state: State) {
        if state != self.state {
            self.previous = self.state;
            self.state = state;
        }
    }

    /// Payload bytes sent, as far as sequence numbers tell.
    fn size(&self, peer: &Self) -> i64 {
        let aborted = self.previous == State::SynSent && self.state == State::Reset && peer.state == State::Inactive;
        if aborted && self.acknowledged > 0 {
            return 0;
        }
        let syn_and_fin = 1 + i64::from(self.fin.is_some());
        (self.last.max(self.acknowledged) - syn_and_fin).max(0)
    }

    /// The FIN's own position, its low half, as far as what is kept of it tells; zero where there was none.
    fn fin_mark(&self) -> u32 {
        self.fin.map_or(0, |fin| fin.get().wrapping_sub(1) as u32)
    }

    fn is_clean(&self) -> bool {
        self.state == State::Established || (self.state == State::Closed && self.previous == State::Established)
    }
}

/// An end's sequence numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    /// The initial one.
    pub start: u32,
    /// One past the highest sent.
    pub next: u32,
    /// The highest that the other end acknowledged.
    pub acknowledged: u32,
}

impl Connection {
    /// The numbers of the client and, once it was heard, of the server; of both where it was there before the capture; none where it begins with a SYN-ACK.
    pub fn numbers(&self) -> Option<[Option<Numbers>; 2]> {
        let of = |end: &Half| Numbers {
            start: end.start,
            next: end.start.wrapping_add(end.last as u32),
            acknowledged: end.start.wrapping_add(end.acknowledged as u32),
        };
        let is_joined = self.was_joined();
        (self.story.has_syn() || is_joined).then(|| self.ends.each_ref().map(|end| (is_joined || end.state != State::Inactive).then(|| of(end))))
    }

    /// Whether it was there before the capture.
    pub fn was_joined(&self) -> bool {
        self.story.is_midstream()
    }

    /// The low half of the IP identification of that side's last packet.
    pub const fn last_ident(&self, side: Side) -> u16 {
        self.story.last_ident(side)
    }

    /// Reads from every line of memory of its own.
    pub fn touch(&self) -> u64 {
        let [client, server] = &self.ends;
        [client.last, server.last, server.acknowledged].into_iter().fold(self.story.touch(), |sum, position| sum.wrapping_add(position.cast_unsigned()))
    }

    /// Whether a SYN of `side` opens another connection between the same ends.
    pub fn is_reuse(&self, side: Side, tcp: &Tcp) -> bool {
        if !tcp.flags.has(TcpFlags::SYN) {
            return false;
        }
        let [client, server] = &self.ends;
        let opener = match (tcp.flags.has(TcpFlags::ACK), client.state) {
            // Zeek takes this for another connection; it is a simultaneous open (RFC 9293 section 3.5).
            (false, State::SynSent) if side == Side::Server && server.state == State::Inactive => return false,
            (false, _) => client,
            (true, State::Inactive) => server,
            (true, _) => return false,
        };
        (client.closed && server.closed) || tcp.sequence != opener.start
    }

    /// Whether no answer to a SYN was seen yet.
    pub fn is_attempt(&self) -> bool {
        let [client, server] = &self.ends;
        client.state.is_handshake() && server.state.is_handshake()
    }

    /// Takes in a segment as most are, if it is one: of an established connection, whole, in order, with nothing new but payload and what it acknowledges. Of such a
    /// one this does what [`segment`](Self::segment) does, which only asks more; [`next_payload`](Self::next_payload) comes afterwards.
    pub fn goes_on(&mut self, side: Side, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp) -> bool {
        #[cfg(debug_assertions)]
        let mut before = self.clone();
        let goes_on = self.takes_next(side, packet, ip, tcp);
        #[cfg(debug_assertions)]
        if goes_on {
            let mut history = History::default();
            before.segment(side, packet, ip, tcp, &mut history);
            assert!(before == *self && history == History::default(), "{packet:?}\n{before:?}\n{self:?}");
        }
        goes_on
    }

    fn takes_next(&mut self, side: Side, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp) -> bool {
        let Self { ends, story, .. } = self;
        let [client, server] = ends;
        let (me, peer) = if side == Side::Client { (client, server) } else { (server, client) };
        let (len, captured) = (packet.payload_len, packet.payload.len());
        let letter = if len > 0 { WROTE_DATA } else { WROTE_ACK };
        let is_plain = tcp.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST | TcpFlags::ACK) == TcpFlags::ACK && tcp.window > 0;
        let is_established = (me.state, peer.state) == (State::Established, State::Established) && me.written & letter > 0;
        let is_smooth = !story.partial && story.seen[side as usize] && peer.fin.is_none() && story.is_smooth();
        let in_order = tcp.sequence == me.start.wrapping_add(me.last as u32) && me.stream.is_whole_to(me.last) && captured == len as usize;
        if !(is_plain && is_established && is_smooth && in_order) {
            return false;
        }
        let at = me.last;
        let further = tcp.acknowledgment.wrapping_sub(peer.start.wrapping_add(peer.acknowledged as u32)) as i32;
        let position = peer.acknowledged.saturating_add(i64::from(further));
        if further < 0 || tcp.acknowledgment == 0 || !peer.stream.is_whole_from(position) {
            return false;
        }
        peer.acknowledged = position;
        me.last = at.saturating_add(i64::from(len));
        story::tell_next(
            story,
            &story::Told { side, packet, ip, tcp, at, advance: i64::from(len), peer_position: position, acknowledged: me.acknowledged, late: false },
        );
        true
    }

    /// Delivers the payload of a segment that [`goes_on`](Self::goes_on).
    pub fn next_payload(&mut self, packet: &Packet<'_>, ip: &Ip, outlet: &mut Outlet<'_>) {
        if packet.payload_len > 0 {
            self.ends[outlet.from as usize].stream.next(packet.payload, Seen { time: packet.time, frame: packet.frame, ttl: ip.ttl }, outlet);
        }
    }

    /// Takes in a segment by `side`: letters, states, story. Payload comes afterwards, with [`payload`](Self::payload).
    pub fn segment(&mut self, side: Side, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp, history: &mut History) -> Effect {
        let (me, other) = (side as usize, side.other() as usize);
        self.note_partial(side, tcp.flags);
        let len = packet.payload_len;
        let taken = i64::from(tcp.flags.has(TcpFlags::SYN)) + i64::from(tcp.flags.has(TcpFlags::FIN));
        let taken = taken + if tcp.flags.has(TcpFlags::RST) { 0 } else { i64::from(len) };
        self.begin(me, tcp, taken);
        let at = self.ends[me].relative(tcp.sequence, self.ends[me].last);
        let mut letters = Letters { history, side };
        self.write_letters(&mut letters, me, tcp, at, len);
        if tcp.flags.has(TcpFlags::FIN) {
            self.note_fin(me, tcp.flags, at.saturating_add(taken));
        }
        let acknowledges = self.acknowledge(other, tcp);
        let advance = self.note_sent(&mut letters, me, tcp, at.saturating_add(taken), len);
        self.tell(side, packet, ip, tcp, at, advance);
        let closes = self.step(me, tcp.flags, len);
        self.story.seen[me] = true;
        let finished = closes && self.close(me);
        let payload_at = if tcp.flags.has(TcpFlags::SYN) { at + 1 } else { at };
        let seen = Seen { time: packet.time, frame: packet.frame, ttl: ip.ttl };
        Effect { finished, payload_at, acknowledges, is_reset: tcp.flags.has(TcpFlags::RST), seen }
    }

    /// Puts the payload of the segment just taken in into order.
    pub fn payload(&mut self, side: Side, packet: &Packet<'_>, effect: &Effect, history: &mut History, outlet: &mut Outlet<'_>) {
        if effect.is_reset {
            return;
        }
        let (me, other) = (side as usize, side.other() as usize);
        if let Some(position) = effect.acknowledges {
            let position = self.ends[other].fin.map_or(position, |fin| position.min(fin.get() - 1));
            // Where no SYN was seen the first acknowledgment may be for what came before the capture.
            let is_guess = position <= FIRST + 1 && self.story.partial;
            if !is_guess {
                outlet.from = side.other();
                let gaps = self.ends[other].stream.acknowledged(position, outlet);
                self.note_gaps(side.other(), gaps, packet.time, history);
            }
        }
        if packet.payload_len > 0 && effect.payload_at >= FIRST {
            let cut = packet.payload_len.saturating_sub(u32::try_from(packet.payload.len()).unwrap_or(u32::MAX));
            self.story.cut(cut);
            let segment = Segment { from: effect.payload_at, len: packet.payload_len, bytes: packet.payload, seen: effect.seen };
            outlet.from = side;
            let gaps = self.ends[me].stream.segment(&segment, outlet);
            self.note_missed(side, gaps.bytes, packet.time);
        }
    }

    /// The connection is over: delivers what still waits for bytes that did not come.
    pub fn flush(&mut self, outlet: &mut Outlet<'_>) {
        for side in [Side::Client, Side::Server] {
            outlet.from = side;
            let gaps = self.ends[side as usize].stream.flush(outlet);
            self.note_missed(side, gaps.bytes, self.story.heard());
        }
    }

    /// No more payload is wanted: gives the buffers back.
    pub fn release(&mut self, budget: &mut usize) {
        for end in &mut self.ends {
            end.stream.release(budget);
        }
    }

    /// The connection is over: gives all back.
    pub fn end(&mut self, budget: &mut usize) {
        for end in &mut self.ends {
            end.stream.end(budget);
        }
    }

    /// Whether payload is counted from the first byte captured, as neither SYN nor SYN-ACK was seen: either names both initial sequence numbers.
    pub fn is_midstream(&self) -> bool {
        self.story.is_midstream()
    }

    /// Zeek's `conn_state`.
    pub fn state(&self, history: &History) -> ConnState {
        let [client, server] = &self.ends;
        let (no_client, no_server) = (client.state.is_unknown(), server.state.is_unknown());
        match (client.state, server.state) {
            (State::SynSent | State::SynAckSent, State::Reset) => ConnState::Rej,
            (State::Reset, State::Reset) if client.size(server) == 0 && server.size(client) == 0 => ConnState::Rej,
            (_, State::Reset) if no_client => ConnState::Rstrh,
            (_, State::Reset) => ConnState::Rstr,
            (State::Reset, _) if no_server => {
                if is_aborted_attempt(history) {
                    ConnState::Rstos0
                } else {
                    ConnState::Oth
                }
            }
            (State::Reset, _) => ConnState::Rsto,
            (State::Closed, State::Closed) => ConnState::SF,
            (State::Closed, _) if no_server => ConnState::Sh,
            (State::Closed, _) => ConnState::S2,
            (_, State::Closed) if no_client => ConnState::Shr,
            (_, State::Closed) => ConnState::S3,
            (State::SynSent, State::Inactive) => ConnState::S0,
            (State::Established, State::Established) => ConnState::S1,
            _ => ConnState::Oth,
        }
    }

    /// The story as it stands.
    pub fn story(&self) -> TcpStory {
        let starts = if self.story.is_midstream() { [None; 2] } else { self.ends.each_ref().map(|end| (end.state != State::Inactive).then_some(end.start)) };
        TcpStory { untold: self.untold(), starts, ..self.story.told(self.acknowledged_payload()) }
    }

    fn acknowledged_payload(&self) -> [u64; 2] {
        self.ends.each_ref().map(|end| {
            let payload_end = end.fin.map_or(end.acknowledged, |fin| end.acknowledged.min(fin.get() - 1));
            u64::try_from(payload_end - FIRST).unwrap_or(0)
        })
    }

    fn note_partial(&mut self, side: Side, flags: TcpFlags) {
        let Story { partial, seen, .. } = &mut self.story;
        if seen[side as usize] {
            return;
        }
        match side {
            Side::Client => *partial = !flags.is_syn(),
            Side::Server => *partial = *partial || !flags.has(TcpFlags::SYN),
        }
    }

    fn write_letters(&mut self, letters: &mut Letters<'_>, me: usize, tcp: &Tcp, at: i64, len: u32) {
        let flags = tcp.flags;
        let control = [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST].iter().filter(|flag| flags.has(**flag)).count();
        let peer_closed = self.ends[1 - me].state == State::Closed;
        let marks = self.marks(me);
        let end = &mut self.ends[me];
        match control {
            0 if len > 0 => letters.once(end, WROTE_DATA, b'D'),
            0 if flags.has(TcpFlags::ACK) => letters.once(end, WROTE_ACK, b'A'),
            0 => {}
            1 if flags.has(TcpFlags::SYN) => {
                letters.each(end, WROTE_SYN, marks.syn, at, if flags.has(TcpFlags::ACK) { b'H' } else { b'S' });
                if marks.syn != at as u32 {
                    self.story.letters(me).syn = at as u32;
                }
            }
            // Its place is kept with the FIN's own.
            1 if flags.has(TcpFlags::FIN) => letters.each(end, WROTE_FIN, marks.fin, at.saturating_add(i64::from(len)), b'F'),
            1 => {
                letters.each(end, WROTE_RST, marks.rst, at, b'R');
                self.story.note_rst(me, at as u32);
            }
            _ if flags.has(TcpFlags::FIN) && flags.has(TcpFlags::RST) => letters.once(end, WROTE_FIN_RST, b'I'),
            _ => letters.once(end, WROTE_MULTI, b'Q'),
        }
        if tcp.window == 0 && !flags.has(TcpFlags::RST) && !peer_closed && self.ends[me].state != State::Reset {
            letters.scaled(counted(&mut self.story.letters(me).zero_windows), b'W');
        }
    }

    /// Where an end's last SYN, FIN and RST were, as letters went.
    fn marks(&self, me: usize) -> Marks {
        let rare = self.story.letters_so_far(me);
        let fin = rare.and_then(|rare| rare.fin).unwrap_or_else(|| self.ends[me].fin_mark());
        Marks { syn: rare.map_or(0, |rare| rare.syn), fin, rst: self.story.rst(me) }
    }

    /// Notes one past the FIN. A segment that is more than that has a letter of its own, so its place is none to hold the next FIN against.
    fn note_fin(&mut self, me: usize, flags: TcpFlags, to: i64) {
        let mark = if flags.has(TcpFlags::SYN | TcpFlags::RST) { self.marks(me).fin } else { to.wrapping_sub(1) as u32 };
        self.ends[me].fin = NonZeroI64::new(to);
        if self.ends[me].fin_mark() != mark || self.story.letters_so_far(me).is_some_and(|rare| rare.fin.is_some()) {
            self.story.letters(me).fin = Some(mark);
        }
    }

    /// Notes what an acknowledgment says of the other end; the position it acknowledges.
    fn acknowledge(&mut self, other: usize, tcp: &Tcp) -> Option<i64> {
        if !tcp.flags.has(TcpFlags::ACK) {
            return None;
        }
        let peer = &mut self.ends[other];
        if peer.state == State::Inactive {
            peer.begin(tcp.acknowledgment.wrapping_sub(1), 0);
            return Some(FIRST);
        }
        let position = peer.relative(tcp.acknowledgment, peer.acknowledged);
        if position < 0 {
            return None;
        }
        // A keep-alive has the number before its end's next (RFC 9293 section 3.8.4). Where it is the first that was captured of that end, the stream begins behind it.
        if self.story.partial && position == FIRST + 1 && peer.last == FIRST && peer.stream.is_whole_to(FIRST) {
            peer.begin(tcp.acknowledgment.wrapping_sub(1), FIRST);
            peer.acknowledged = FIRST;
            return Some(FIRST);
        }
        let is_broken = tcp.acknowledgment == 0 && position - peer.acknowledged > FAR;
        if !tcp.flags.has(TcpFlags::RST) && !is_broken {
            peer.acknowledged = peer.acknowledged.max(position);
        }
        Some(position)
    }

    /// Notes how far an end has sent, and retransmissions; by how much the segment went beyond the end before it.
    fn note_sent(&mut self, letters: &mut Letters<'_>, me: usize, tcp: &Tcp, to: i64, len: u32) -> i64 {
        let end = &mut self.ends[me];
        let advance = to - end.last;
        let is_wild = tcp.flags.has(TcpFlags::SYN | TcpFlags::RST) && advance.abs() > FAR;
        if is_wild {
        } else if (tcp.flags.has(TcpFlags::FIN) && end.last == FIRST) || (advance > 0 && end.state != State::Reset) {
            end.last = to;
        } else if end.state != State::Reset && len > 0 {
            letters.scaled(counted(&mut self.story.letters(me).retransmissions), b'T');
        }
        advance
    }

    fn tell(&mut self, side: Side, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp, at: i64, advance: i64) {
        let other = &self.ends[side.other() as usize];
        let (peer_position, acknowledged) = (other.relative(tcp.acknowledgment, other.acknowledged), self.ends[side as usize].acknowledged);
        let told = story::Told { side, packet, ip, tcp, at, advance, peer_position, acknowledged, late: false };
        story::tell(&mut self.story, &told);
    }

    fn note_missed(&mut self, of: Side, bytes: u64, time: Timestamp) {
        if bytes > 0 {
            let acknowledged = self.ends.each_ref().map(|end| end.acknowledged.max(0).cast_unsigned());
            self.story.missed(of, bytes, time, acknowledged[0].saturating_add(acknowledged[1]));
        }
    }

    fn note_gaps(&mut self, of: Side, gaps: Gaps, time: Timestamp, history: &mut History) {
        let side = of as usize;
        self.note_missed(of, gaps.bytes, time);
        if self.ends.iter().all(Half::is_clean) {
            for _ in 0..gaps.holes {
                Letters { history, side: of }.scaled(counted(&mut self.story.letters(side).gaps), b'G');
            }
        }
    }

    /// Steps the sender's state; whether it closed its end.
    fn step(&mut self, me: usize, flags: TcpFlags, len: u32) -> bool {
        let peer = self.ends[1 - me].state;
        match self.ends[me].state {
            State::Inactive => self.step_inactive(me, flags, len),
            State::SynSent | State::SynAckSent => {
                if flags.has(TcpFlags::FIN) {
                    self.ends[me].enter(State::Closed);
                }
                if flags.has(TcpFlags::RST) {
                    self.ends[me].enter(State::Reset);
                }
                flags.has(TcpFlags::FIN | TcpFlags::RST)
            }
            State::Established | State::Partial => self.step_established(me, flags),
            State::Closed if flags.has(TcpFlags::RST) && peer != State::Closed => {
                self.ends[me].enter(State::Reset);
                !self.ends[me].closed
            }
            State::Closed | State::Reset => false,
        }
    }

    fn step_inactive(&mut self, me: usize, flags: TcpFlags, len: u32) -> bool {
        if flags.has(TcpFlags::SYN) {
            self.step_syn(me, flags);
        }
        let peer = self.ends[1 - me].state;
        if flags.has(TcpFlags::FIN) {
            self.ends[me].enter(State::Closed);
        }
        if flags.has(TcpFlags::RST) {
            self.ends[me].enter(State::Reset);
        }
        if self.ends[me].state == State::Inactive {
            let answers_early = me == SERVER && len == 0 && peer == State::SynSent;
            if flags.has(TcpFlags::ACK) && peer == State::Established {
                // The SYN was missed, but not the SYN-ACK.
                self.ends[me].enter(State::Established);
                self.story.partial = false;
            } else if !answers_early {
                self.ends[me].enter(State::Partial);
            }
        }
        flags.has(TcpFlags::FIN | TcpFlags::RST)
    }

    fn step_syn(&mut self, me: usize, flags: TcpFlags) {
        let peer = self.ends[1 - me].state;
        let state = match (me, flags.has(TcpFlags::ACK)) {
            (CLIENT, true) => State::SynAckSent,
            // Zeek leaves the client at its SYN when the SYN-ACK was captured first; the handshake is whole all the same.
            (CLIENT, false) if peer == State::Established => State::Established,
            (CLIENT, false) => State::SynSent,
            _ => {
                if matches!(peer, State::SynSent | State::SynAckSent) {
                    self.ends[1 - me].enter(State::Established);
                }
                State::Established
            }
        };
        self.ends[me].enter(state);
    }

    fn step_established(&mut self, me: usize, flags: TcpFlags) -> bool {
        let [one, two] = &mut self.ends;
        let (end, peer) = if me == CLIENT { (one, two) } else { (two, one) };
        if flags.is_syn() && end.state == State::Partial && peer.state == State::Inactive {
            end.enter(State::SynSent);
        }
        if flags.has(TcpFlags::FIN) && !flags.has(TcpFlags::RST) {
            end.enter(State::Closed);
            if peer.state == State::Reset && peer.previous == State::Closed {
                // A RST after its own FIN: a normal end after all.
                peer.enter(State::Closed);
            }
        }
        if flags.has(TcpFlags::RST) {
            end.enter(State::Reset);
        }
        flags.has(TcpFlags::FIN | TcpFlags::RST)
    }

    /// Notes that an end has closed; whether that closes the connection.
    fn close(&mut self, me: usize) -> bool {
        let peer = &self.ends[1 - me];
        let complete = self.ends[me].state == State::Reset || peer.closed || peer.state == State::Inactive;
        let is_new = !self.ends[me].closed;
        self.ends[me].closed = true;
        is_new && complete
    }
}

impl State {
    fn is_handshake(self) -> bool {
        matches!(self, Self::Inactive | Self::SynSent | Self::SynAckSent)
    }

    fn is_unknown(self) -> bool {
        matches!(self, Self::Inactive | Self::Partial)
    }
}

/// Positions of the last SYN, FIN and RST of an end, their low halves: the same flag is a new letter only elsewhere.
#[derive(Clone, Copy)]
struct Marks {
    syn: u32,
    fin: u32,
    rst: u32,
}

const CLIENT: usize = Side::Client as usize;
const SERVER: usize = Side::Server as usize;
/// Sequence numbers of SYN and RST further away than this are not believed (Zeek's TOO_LARGE_SEQ_DELTA).
const FAR: i64 = 1_048_576;
const WROTE_SYN: u8 = 1;
const WROTE_FIN: u8 = 2;
const WROTE_RST: u8 = 4;
const WROTE_DATA: u8 = 8;
const WROTE_ACK: u8 = 16;
const WROTE_FIN_RST: u8 = 32;
const WROTE_MULTI: u8 = 64;
