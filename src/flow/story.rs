//! What outcomes rest on, gathered segment by segment: who tried how often, who reset, what was never acknowledged.

use std::num::NonZeroU64;

use thin_vec::ThinVec;

use crate::decode::{Ip, Packet, Tcp, TcpFlags};
use crate::flow::stream::FIRST;
use crate::flow::{Moment, OpenSegment, Reset, TcpStory};
use crate::limit::SYNS_KEPT;
use crate::net::Side;
use crate::time::Timestamp;

/// What is kept of a live connection until its [`TcpStory`] is told. What few connections need is boxed.
#[derive(Debug, Default)]
#[cfg_attr(debug_assertions, derive(Clone, PartialEq))]
pub(super) struct Story {
    /// The client's first SYN.
    syn: Option<Moment>,
    syn_ack_delay: Option<NonZeroU64>,
    payload: [u64; 2],
    first_data: [Option<Moment>; 2],
    last_data: [Option<Moment>; 2],
    open_segment: [OpenSegment; 2],
    silence_before: [u64; 2],
    last: Timestamp,
    trouble: Option<Box<Trouble>>,
    largest_acknowledged: [u32; 2],
    syns: u32,
    ident: [u16; 2],
    syn_acks: u16,
    syn_ack_ttl: Option<u8>,
    ttl: [Option<(u8, u8)>; 2],
    fins: [bool; 2],
    stalled: [bool; 2],
    same_isn: bool,
    established: bool,
    midstream: bool,
    begun: bool,
    /// No SYN of the client was seen.
    pub partial: bool,
    /// Whether a packet of the client, of the server was seen.
    pub seen: [bool; 2],
}

/// What the letters of one end's history go by, of what few connections have.
#[derive(Debug, Default)]
#[cfg_attr(debug_assertions, derive(Clone, PartialEq))]
pub(super) struct Lettered {
    pub retransmissions: u32,
    pub zero_windows: u32,
    pub gaps: u32,
    /// The last SYN's position, its low half, where that is not the first of all.
    pub syn: u32,
    /// The last FIN's, where that of the end's close does not tell it: a segment that is more than a FIN came after it.
    pub fin: Option<u32>,
}

/// What a connection has that does not go smoothly.
#[derive(Debug, Default)]
#[cfg_attr(debug_assertions, derive(Clone, PartialEq))]
struct Trouble {
    /// Of client and server; most resets come without.
    letters: Option<Box<[Lettered; 2]>>,
    /// Positions of the last RST of client, of server, their low halves.
    rst: [u32; 2],
    /// SYNs after the first.
    more_syns: ThinVec<Moment>,
    reset: Option<Box<Reset>>,
    missed_bytes: [u64; 2],
    resets: u32,
    retransmissions: [u32; 2],
    cut_bytes: u32,
    zero_windows: [u32; 2],
    data_after_reset: u16,
    resets_differ: bool,
}

impl Story {
    /// Whether the initial sequence numbers were seen: SYN and SYN-ACK either name both.
    pub fn is_midstream(&self) -> bool {
        self.syns == 0 && self.syn_acks == 0
    }

    /// Whether nobody has reset the connection, so far.
    pub fn is_smooth(&self) -> bool {
        self.begun && self.reset().is_none()
    }

    /// Bytes of that side were never captured.
    pub fn missed(&mut self, side: Side, bytes: u64) {
        if bytes > 0 {
            self.trouble().missed_bytes[side as usize] += bytes;
        }
    }

    /// The snap length cut so many bytes off.
    pub fn cut(&mut self, bytes: u32) {
        if bytes > 0 {
            let cut = &mut self.trouble().cut_bytes;
            *cut = cut.saturating_add(bytes);
        }
    }

    /// The story as it stands, with the payload of client and server that the other end acknowledged.
    pub fn told(&self, acknowledged: [u64; 2]) -> TcpStory {
        let smooth = Trouble::default();
        let trouble = self.trouble.as_deref().unwrap_or(&smooth);
        TcpStory {
            syn_times: self.syn.iter().chain(&trouble.more_syns).map(|syn| (syn.time(), syn.frame())).collect(),
            syns: self.syns,
            same_isn: self.same_isn,
            syn_acks: self.syn_acks,
            syn_ack_ttl: self.syn_ack_ttl,
            syn_ack_delay: self.syn_ack_delay,
            established: self.established,
            reset: trouble.reset.clone(),
            resets: trouble.resets,
            fins: self.fins,
            retransmissions: trouble.retransmissions,
            missed_bytes: trouble.missed_bytes,
            cut_bytes: trouble.cut_bytes,
            zero_windows: trouble.zero_windows,
            stalled: self.stalled,
            midstream: self.midstream,
            acknowledged,
            payload: self.payload,
            first_data: self.first_data,
            last_data: self.last_data,
            ttl: self.ttl,
            largest_acknowledged: self.largest_acknowledged,
            open_segment: self.open_segment,
            resets_differ: trouble.resets_differ,
            data_after_reset: trouble.data_after_reset,
            silence_before: self.silence_before,
            ident: self.ident,
            last: self.last,
            begun: self.begun,
        }
    }

    /// What the letters of that end go by, to be changed.
    pub fn letters(&mut self, of: usize) -> &mut Lettered {
        &mut self.trouble().letters.get_or_insert_default()[of]
    }

    /// The same as it stands; none where all of it is zero.
    pub fn letters_so_far(&self, of: usize) -> Option<&Lettered> {
        self.trouble.as_ref()?.letters.as_ref().map(|letters| &letters[of])
    }

    /// Where that end's last RST was; zero where there was none.
    pub fn rst(&self, of: usize) -> u32 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.rst[of])
    }

    /// Notes where that end's last RST was.
    pub fn note_rst(&mut self, of: usize, at: u32) {
        self.trouble().rst[of] = at;
    }

    fn trouble(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }

    fn reset(&self) -> Option<&Reset> {
        self.trouble.as_ref()?.reset.as_deref()
    }

    fn last_syn(&self) -> Option<Moment> {
        self.trouble.as_ref().and_then(|trouble| trouble.more_syns.last().copied()).or(self.syn)
    }
}

/// A segment with its place in the connection.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub side: Side,
    pub packet: &'a Packet<'a>,
    pub ip: &'a Ip,
    pub tcp: &'a Tcp,
    /// Its position.
    pub at: i64,
    /// By how much it ends beyond all its sender sent before.
    pub advance: i64,
    /// The position of the other end's stream that it acknowledges.
    pub peer_position: i64,
}

/// Adds a segment to the story.
pub(super) fn tell(story: &mut Story, told: &Told<'_>) {
    let (side, flags) = (told.side as usize, told.tcp.flags);
    if !story.begun {
        story.midstream = !flags.has(TcpFlags::SYN);
        story.same_isn = true;
    }
    let silence = note_time(story, told);
    if flags.has(TcpFlags::SYN) {
        note_syn(story, told);
    }
    if flags.has(TcpFlags::RST) {
        note_reset(story, told, silence);
    } else {
        if told.packet.payload_len > 0 && story.reset().is_some_and(|reset| reset.from == told.side) {
            let after = &mut story.trouble().data_after_reset;
            *after = after.saturating_add(1);
        }
        if told.tcp.window == 0 {
            let windows = &mut story.trouble().zero_windows[side];
            *windows = windows.saturating_add(1);
        }
        note_content(story, told, silence);
    }
    story.fins[side] |= flags.has(TcpFlags::FIN);
}

/// Adds a segment as most are: no SYN, FIN or RST, with a window that is open, in a connection that nobody has reset.
pub(super) fn tell_next(story: &mut Story, told: &Told<'_>) {
    let silence = note_time(story, told);
    note_content(story, told, silence);
}

/// What any segment but a reset says.
fn note_content(story: &mut Story, told: &Told<'_>, silence: u64) {
    let (side, ttl) = (told.side as usize, told.ip.ttl);
    story.ttl[side] = Some(story.ttl[side].map_or((ttl, ttl), |(low, high)| (low.min(ttl), high.max(ttl))));
    story.ident[side] = told.ip.ident as u16;
    story.stalled[side] = told.tcp.window == 0;
    note_payload(story, told, silence);
    note_acknowledgment(story, told);
}

/// How long the connection had been silent, in nanoseconds.
fn note_time(story: &mut Story, told: &Told<'_>) -> u64 {
    let time = told.packet.time;
    let silence = if story.begun { time.nanos_since(story.last) } else { 0 };
    (story.last, story.begun) = (if story.begun { story.last.max(time) } else { time }, true);
    silence
}

fn note_syn(story: &mut Story, told: &Told<'_>) {
    let (time, frame) = (told.packet.time, told.packet.frame);
    if told.tcp.flags.has(TcpFlags::ACK) {
        if told.side == Side::Server {
            story.syn_acks = story.syn_acks.saturating_add(1);
            story.syn_ack_ttl.get_or_insert(told.ip.ttl);
            let asked = story.last_syn().map(|asked| NonZeroU64::new(time.nanos_since(asked.time())).unwrap_or(NonZeroU64::MIN));
            story.syn_ack_delay = story.syn_ack_delay.or(asked);
        }
    } else if told.side == Side::Client {
        story.same_isn &= story.syns == 0 || told.advance <= 0;
        story.syns = story.syns.saturating_add(1);
        if story.syn.is_none() {
            story.syn = Some(Moment::new(time, frame));
        } else if story.syns as usize <= SYNS_KEPT {
            story.trouble().more_syns.push(Moment::new(time, frame));
        }
    }
}

fn note_reset(story: &mut Story, told: &Told<'_>, silence: u64) {
    let answers_syn = told.side == Side::Server && story.syns > 0 && story.syn_acks == 0 && !story.established;
    let reset = Reset {
        from: told.side,
        time: told.packet.time,
        frame: told.packet.frame,
        ttl: told.ip.ttl,
        ident: told.ip.ident,
        ident_before: story.ident[told.side as usize],
        after_silence: silence,
        sequence: told.tcp.sequence,
        with_ack: told.tcp.flags.has(TcpFlags::ACK),
        answers_syn,
        client_payload: story.payload[0],
        server_payload: story.payload[1],
    };
    let trouble = story.trouble();
    trouble.resets = trouble.resets.saturating_add(1);
    match &trouble.reset {
        None => trouble.reset = Some(Box::new(reset)),
        Some(first) => trouble.resets_differ |= first.sequence != reset.sequence || first.from != reset.from,
    }
}

fn note_payload(story: &mut Story, told: &Told<'_>, silence: u64) {
    let (side, len) = (told.side as usize, told.packet.payload_len);
    if len == 0 {
        return;
    }
    story.payload[side] = story.payload[side].saturating_add(u64::from(len));
    let moment = Moment::new(told.packet.time, told.packet.frame);
    story.first_data[side].get_or_insert(moment);
    story.last_data[side] = Some(moment);
    let is_keep_alive = len == 1 && told.advance == 0;
    if told.advance <= 0 && !is_keep_alive {
        let again = &mut story.trouble().retransmissions[side];
        *again = again.saturating_add(1);
    }
    let (end, open) = (told.at.saturating_add(i64::from(len)), &mut story.open_segment[side]);
    if (open.len, open.end) == (len, end) {
        open.again = open.again.saturating_add(1);
    } else if len > open.len {
        *open = OpenSegment { len, end, again: 0 };
        story.silence_before[side] = silence;
    }
}

fn note_acknowledgment(story: &mut Story, told: &Told<'_>) {
    let flags = told.tcp.flags;
    if !flags.has(TcpFlags::ACK) {
        return;
    }
    let peer = told.side.other() as usize;
    let OpenSegment { len, end, .. } = story.open_segment[peer];
    if len > 0 && told.peer_position >= end {
        story.largest_acknowledged[peer] = story.largest_acknowledged[peer].max(len);
        story.open_segment[peer] = OpenSegment::default();
    }
    let goes_on = !flags.has(TcpFlags::SYN) && told.tcp.acknowledgment != 0;
    let shows = match told.side {
        Side::Client => told.peer_position >= FIRST,
        Side::Server => told.packet.payload_len > 0,
    };
    story.established |= goes_on && shows;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_was_reset_takes_little_more_than_others() {
        let sizes = (size_of::<Trouble>(), size_of::<Reset>());
        assert!(sizes.0 <= 80 && sizes.1 <= 64, "{sizes:?}");
    }
}
