//! What outcomes rest on, gathered segment by segment: who tried how often, who reset, what was never acknowledged.

mod again;
mod missing;

use std::num::NonZeroU64;

use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::decode::{Ip, Packet, Tcp, TcpFlags};
use crate::flow::packing::present;
use crate::flow::story::again::note_again;
use crate::flow::story::missing::Missing;
use crate::flow::stream::FIRST;
use crate::flow::{Moment, OpenSegment, Packing, Repeats, Reset, TcpStory};
use crate::limit::SYNS_KEPT;
use crate::net::Side;
use crate::time::Timestamp;

pub use missing::Missed;

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
    /// See [`TcpStory::heard_out`].
    heard_out: bool,
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
    missing: Option<Box<Missing>>,
    resets: u32,
    retransmissions: [u32; 2],
    cut_bytes: u32,
    zero_windows: [u32; 2],
    repeats: [Repeats; 2],
    reset_contradicted: bool,
    /// Whose packet came last, where it was an acknowledgment alone.
    acknowledged_by: Option<Side>,
}

impl Story {
    /// Reads from every line of memory of its own.
    pub fn touch(&self) -> u64 {
        let Self { payload: [payload, _], silence_before: [silence, _], open_segment: [open, _], last, syns, .. } = self;
        [*silence, open.end.cast_unsigned(), last.nanos().cast_unsigned(), u64::from(*syns)].into_iter().fold(*payload, u64::wrapping_add)
    }

    /// Whether the initial sequence numbers were seen: SYN and SYN-ACK either name both.
    pub fn is_midstream(&self) -> bool {
        self.syns == 0 && self.syn_acks == 0
    }

    /// When it was last heard.
    pub const fn heard(&self) -> Timestamp {
        self.last
    }

    /// Whether a SYN of the client was seen.
    pub const fn has_syn(&self) -> bool {
        self.syns > 0
    }

    /// The low half of the IP identification of that side's last packet.
    pub const fn last_ident(&self, side: Side) -> u16 {
        self.ident[side as usize]
    }

    /// Whether nobody has reset the connection, so far.
    pub fn is_smooth(&self) -> bool {
        self.begun && self.reset().is_none()
    }

    /// Bytes of that side were never captured, which shows at `time`, when so many of both were `acknowledged`.
    #[cold]
    pub fn missed(&mut self, side: Side, bytes: u64, time: Timestamp, acknowledged: u64) {
        self.trouble().missing.get_or_insert_default().note(side, bytes, time, acknowledged);
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
            heard_out: self.heard_out,
            retransmissions: trouble.retransmissions,
            missed_bytes: trouble.missing.as_ref().map_or([0; 2], |missing| missing.bytes),
            missed: trouble.missing.as_ref().map(|missing| missing.stretches.clone()).unwrap_or_default(),
            cut_bytes: trouble.cut_bytes,
            zero_windows: trouble.zero_windows,
            stalled: self.stalled,
            midstream: self.midstream,
            acknowledged,
            untold: [0; 2],
            payload: self.payload,
            first_data: self.first_data,
            last_data: self.last_data,
            ttl: self.ttl,
            largest_acknowledged: self.largest_acknowledged,
            open_segment: self.open_segment,
            reset_contradicted: trouble.reset_contradicted,
            repeats: trouble.repeats,
            silence_before: self.silence_before,
            ident: self.ident,
            last: self.last,
            starts: [None; 2],
            crossed: None,
            begun: self.begun,
        }
    }

    /// Packs it, or takes it out. `sent` is the payload that client and server sent.
    pub fn pack(&mut self, sent: [u64; 2], packing: &mut impl Packing) {
        let Self { syn, syn_ack_delay, payload, first_data, last_data, open_segment, silence_before, last, trouble, largest_acknowledged, .. } = self;
        let Self { syns, ident, syn_acks, syn_ack_ttl, ttl, fins, heard_out, stalled, same_isn, established, midstream, begun, partial, seen, .. } = self;
        let ([f0, f1], [s0, s1], [n0, n1]) = (fins, stalled, seen);
        packing.flags([f0, f1, s0, s1, same_isn, established, midstream, begun]);
        let (mut has_syn, mut has_delay, mut has_trouble, mut has_ttl) = (syn.is_some(), syn_ack_delay.is_some(), trouble.is_some(), syn_ack_ttl.is_some());
        packing.flags([partial, n0, n1, heard_out, &mut has_syn, &mut has_delay, &mut has_trouble, &mut has_ttl]);
        let [mut a, mut b, mut c, mut d] = [&first_data[0], &first_data[1], &last_data[0], &last_data[1]].map(Option::is_some);
        let ([mut t0, mut t1], [mut o0, mut o1]) = (ttl.map(|ttl| ttl.is_some()), open_segment.map(|open| open != OpenSegment::default()));
        packing.flags([&mut a, &mut b, &mut c, &mut d, &mut t0, &mut t1, &mut o0, &mut o1]);
        let [first_client, first_server] = first_data;
        let [last_client, last_server] = last_data;
        for (is_there, moment) in [(has_syn, syn), (a, first_client), (b, first_server), (c, last_client), (d, last_server)] {
            present(is_there, moment, Moment::none).into_iter().for_each(|moment| moment.pack(packing));
        }
        packing.time(last);
        if let Some(delay) = present(has_delay, syn_ack_delay, || NonZeroU64::MIN) {
            let mut nanos = delay.get();
            packing.span(&mut nanos);
            *delay = NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN);
        }
        present(has_ttl, syn_ack_ttl, || 0).into_iter().for_each(|ttl| packing.byte(ttl));
        for (is_there, ttl) in [t0, t1].into_iter().zip(ttl) {
            if let Some((low, high)) = present(is_there, ttl, || (0, 0)) {
                let mut wider = high.wrapping_sub(*low);
                packing.byte(low);
                packing.byte(&mut wider);
                *high = low.wrapping_add(wider);
            }
        }
        for (_, open) in [o0, o1].into_iter().zip(open_segment).filter(|(is_there, _)| *is_there) {
            packing.count(&mut open.len);
            packing.count(&mut open.again);
            packing.signed(&mut open.end);
        }
        for (payload, sent) in payload.iter_mut().zip(sent) {
            let mut bytes = payload.cast_signed();
            packing.near(&mut bytes, sent.cast_signed());
            *payload = bytes.cast_unsigned();
        }
        silence_before.iter_mut().for_each(|silence| packing.span(silence));
        largest_acknowledged.iter_mut().chain([syns]).for_each(|count| packing.count(count));
        ident.iter_mut().for_each(|ident| packing.half(ident));
        packing.short(syn_acks);
        present(has_trouble, trouble, Box::default).into_iter().for_each(|trouble| trouble.pack(packing));
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

impl Trouble {
    fn pack(&mut self, packing: &mut impl Packing) {
        let Self { letters, rst, more_syns, reset, missing, resets, retransmissions, cut_bytes, zero_windows, repeats, reset_contradicted, acknowledged_by } =
            self;
        let (mut has_letters, mut is_reset) = (letters.is_some(), reset.is_some());
        // A reset that comes once comes mostly alone.
        let mut is_plain = missing.is_none() && *retransmissions == [0; 2] && *zero_windows == [0; 2] && *cut_bytes == 0;
        let mut is_heard = *repeats == [Repeats::default(); 2];
        let [mut by_client, mut by_server] = [Side::Client, Side::Server].map(|side| *acknowledged_by == Some(side));
        packing.flags([&mut has_letters, &mut is_reset, reset_contradicted, &mut is_plain, &mut is_heard, &mut by_client, &mut by_server]);
        *acknowledged_by = by_client.then_some(Side::Client).or(by_server.then_some(Side::Server));
        if !is_heard {
            let counts = repeats.iter_mut().flat_map(|Repeats { acknowledged, unanswered, untaken }| [acknowledged, unanswered, untaken]);
            counts.for_each(|count| packing.byte(count));
        }
        for letters in present(has_letters, letters, Box::default).into_iter().flat_map(|both| both.iter_mut()) {
            letters.pack(packing);
        }
        packing.list(more_syns, Moment::none, |packing, moment| moment.pack(packing));
        present(is_reset, reset, || Box::new(Reset::none())).into_iter().for_each(|reset| reset.pack(packing));
        rst.iter_mut().chain([resets]).for_each(|count| packing.count(count));
        if !is_plain {
            let mut is_missing = missing.is_some();
            packing.flags([&mut is_missing]);
            present(is_missing, missing, Box::default).into_iter().for_each(|missing| missing.pack(packing));
            retransmissions.iter_mut().chain(zero_windows).chain([cut_bytes]).for_each(|count| packing.count(count));
        }
    }
}

impl Lettered {
    fn pack(&mut self, packing: &mut impl Packing) {
        let Self { retransmissions, zero_windows, gaps, syn, fin } = self;
        let mut has_fin = fin.is_some();
        packing.flags([&mut has_fin]);
        [retransmissions, zero_windows, gaps, syn].into_iter().for_each(|count| packing.count(count));
        present(has_fin, fin, || 0).into_iter().for_each(|fin| packing.word(fin));
    }
}

impl Moment {
    /// A blank one.
    const fn none() -> Self {
        Self { time: Timestamp::EPOCH, frame: FrameId::new(0, 0) }
    }

    fn pack(&mut self, packing: &mut impl Packing) {
        packing.time(&mut self.time);
        packing.frame(&mut self.frame);
    }
}

impl Reset {
    /// A blank one.
    const fn none() -> Self {
        Self {
            from: Side::Client,
            time: Timestamp::EPOCH,
            frame: FrameId::new(0, 0),
            ttl: 0,
            ident: 0,
            ident_before: 0,
            after_silence: 0,
            sequence: 0,
            with_ack: false,
            answers_syn: false,
            client_payload: 0,
            server_payload: 0,
        }
    }

    fn pack(&mut self, packing: &mut impl Packing) {
        let Self { from, time, frame, ttl, ident, ident_before, after_silence, sequence, with_ack, answers_syn, client_payload, server_payload } = self;
        let mut is_server = *from == Side::Server;
        packing.flags([&mut is_server, with_ack, answers_syn]);
        *from = if is_server { Side::Server } else { Side::Client };
        packing.time(time);
        packing.frame(frame);
        packing.byte(ttl);
        packing.count(ident);
        packing.short(ident_before);
        packing.word(sequence);
        packing.span(after_silence);
        [client_payload, server_payload].into_iter().for_each(|number| packing.number(number));
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
    /// Up to where the other end has acknowledged its sender's stream so far.
    pub acknowledged: i64,
    /// It was sent before others of its sender that came earlier: a copy that another tap took, whose clock is another, or one that was overtaken.
    pub late: bool,
}

/// Adds a segment to the story.
pub(super) fn tell(story: &mut Story, told: &Told<'_>) {
    let told = &Told { late: is_late(story, told), ..*told };
    let (side, flags) = (told.side as usize, told.tcp.flags);
    if !story.begun {
        story.midstream = !flags.has(TcpFlags::SYN);
        story.same_isn = true;
    }
    let silence = note_time(story, told);
    let paused = silence >= TIMED_OUT || is_answered_early(story, told);
    if flags.has(TcpFlags::SYN) {
        note_syn(story, told);
    }
    if flags.has(TcpFlags::RST) {
        note_reset(story, told, silence);
    } else {
        if told.packet.payload_len > 0 && story.reset().is_some_and(|reset| reset.from == told.side) {
            story.trouble().reset_contradicted = true;
        }
        if told.tcp.window == 0 {
            let windows = &mut story.trouble().zero_windows[side];
            *windows = windows.saturating_add(1);
        }
        note_content(story, told, silence);
        note_acknowledged_before(story, told);
        note_again(story, told, silence, paused);
    }
    note_close(story, told);
}

/// A FIN that comes while something is on its way to its sender was sent without it.
fn note_close(story: &mut Story, told: &Told<'_>) {
    let (side, other, closes) = (told.side as usize, told.side.other() as usize, told.tcp.flags.has(TcpFlags::FIN));
    if closes && story.fins == [false, false] {
        story.heard_out = story.open_segment[other].len == 0;
    }
    story.heard_out &= told.packet.payload_len == 0 || !story.fins[other];
    story.fins[side] |= closes;
}

/// Adds a segment as most are: no SYN, FIN or RST, with a window that is open, in a connection that nobody has reset.
pub(super) fn tell_next(story: &mut Story, told: &Told<'_>) {
    let silence = note_time(story, told);
    note_content(story, told, silence);
    note_acknowledged_before(story, told);
    // What comes in order is no repetition, however long its sender paused.
    note_again(story, told, silence, false);
}

/// What any segment but a reset says.
fn note_content(story: &mut Story, told: &Told<'_>, silence: u64) {
    let (side, ttl) = (told.side as usize, told.ip.ttl);
    story.ttl[side] = Some(story.ttl[side].map_or((ttl, ttl), |(low, high)| (low.min(ttl), high.max(ttl))));
    if !told.late {
        story.ident[side] = told.ip.ident as u16;
    }
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
            // The reset that answers it may have been captured before it.
            let refusal = story.trouble.as_mut().and_then(|trouble| trouble.reset.as_mut()).filter(|reset| reset.from == Side::Server);
            refusal.into_iter().for_each(|reset| reset.answers_syn |= reset.with_ack && reset.sequence == 0);
            story.syn = Some(Moment::new(time, frame));
        } else if story.syns as usize <= SYNS_KEPT && !told.late {
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
        Some(first) => trouble.reset_contradicted |= first.sequence != reset.sequence || first.from != reset.from,
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
    if told.advance <= 0 && !is_keep_alive && !told.late {
        let again = &mut story.trouble().retransmissions[side];
        *again = again.saturating_add(1);
    }
    if !told.late {
        note_open(story, told, len, silence);
    }
}

/// Of what is not acknowledged the first of the largest segments, as paths may carry smaller ones only; once something comes again, what comes again, which is what the other end waits for.
fn note_open(story: &mut Story, told: &Told<'_>, len: u32, silence: u64) {
    let side = told.side as usize;
    let (end, open, silence_before) = (told.at.saturating_add(i64::from(len)), &mut story.open_segment[side], &mut story.silence_before[side]);
    let begin = open.end.saturating_sub(i64::from(open.len));
    let is_awaited = |at: i64| at == told.acknowledged;
    if (open.len, open.end) == (len, end) {
        open.again = open.again.saturating_add(1);
    } else if told.advance <= 0 && is_awaited(told.at) {
        // Another length than before: its sender put together, or its card took apart, what it sends again.
        let before = if begin == told.at { open.again } else { 0 };
        *open = OpenSegment { len, end, again: before.saturating_add(1) };
    } else if told.advance <= 0 && len < open.len && told.at == begin {
        // Captured on its host, before the card took it apart: what is sent again is its first piece.
        *open = OpenSegment { len, end, again: 1 };
    } else if len > open.len && !(open.again > 0 && is_awaited(begin)) {
        *silence_before = if open.len == 0 { silence } else { silence.max(*silence_before) };
        *open = OpenSegment { len, end, again: 0 };
    }
}

/// Where the clocks of two cards differ, a connection may be joined by the acknowledgment of what comes a moment later: that hangs no more.
fn note_acknowledged_before(story: &mut Story, told: &Told<'_>) {
    let open = &mut story.open_segment[told.side as usize];
    if open.len > 0 && open.end <= told.acknowledged {
        let largest = &mut story.largest_acknowledged[told.side as usize];
        *largest = open.len.max(*largest);
        *open = OpenSegment::default();
    }
}

fn note_acknowledgment(story: &mut Story, told: &Told<'_>) {
    let flags = told.tcp.flags;
    if !flags.has(TcpFlags::ACK) {
        return;
    }
    let peer = told.side.other() as usize;
    let OpenSegment { len, end, again } = story.open_segment[peer];
    if len > 0 && told.peer_position >= end {
        // Behind what came again there may have been larger ones.
        let behind = if again > 0 { u32::try_from(told.peer_position.saturating_sub(end)).unwrap_or(0) } else { 0 };
        story.largest_acknowledged[peer] = story.largest_acknowledged[peer].max(len).max(behind);
        story.open_segment[peer] = OpenSegment::default();
        // Who acknowledges something new has heard what was said to it.
        if let Some(trouble) = &mut story.trouble {
            trouble.repeats[told.side as usize].acknowledged = 0;
        }
    }
    let goes_on = !flags.has(TcpFlags::SYN) && told.tcp.acknowledgment != 0;
    let shows = match told.side {
        Side::Client => told.peer_position >= FIRST,
        Side::Server => told.packet.payload_len > 0,
    };
    story.established |= goes_on && shows;
}

/// Whether what says nothing new bears an identification that its sender had used before: whoever sends again counts on (RFC 6864 section 4). Where none is set, as in IPv6, nothing tells it.
fn is_late(story: &Story, told: &Told<'_>) -> bool {
    let (before, ident) = (story.ident[told.side as usize], told.ip.ident as u16);
    // Content, SYN, FIN, or a keep-alive without garbage.
    let says_again = told.packet.payload_len > 0 || told.advance < 0 || told.tcp.flags.has(TcpFlags::SYN | TcpFlags::FIN);
    says_again && told.advance <= 0 && before != 0 && ident != 0 && before.wrapping_sub(ident) < COUNTED
}

/// Whether nobody had sent content for long, but an acknowledgment came just before: where the clocks of two cards differ, what answers a repetition bears an earlier time than it.
fn is_answered_early(story: &Story, told: &Told<'_>) -> bool {
    let by_other = story.trouble.as_ref().is_some_and(|trouble| trouble.acknowledged_by == Some(told.side.other()));
    by_other && story.last_data.iter().flatten().all(|last| told.packet.time.nanos_since(last.time()) >= TIMED_OUT)
}

/// Packets of one sender, or of all that its host sends where it counts them together, between a packet and its copy.
const COUNTED: u16 = 4096;
/// Who sends again so long after anything was heard has run into a timeout, of which 200 ms is the shortest in wide use; what reordering makes a sender repeat comes at once.
const TIMED_OUT: u64 = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_was_reset_takes_little_more_than_others() {
        let sizes = (size_of::<Trouble>(), size_of::<Reset>());
        assert!(sizes.0 <= 80 && sizes.1 <= 64, "{sizes:?}");
    }
}
