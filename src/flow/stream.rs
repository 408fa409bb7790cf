//! One side's bytes of a TCP connection, put in order: retransmissions told from new data, overlaps trimmed (the first copy wins), gaps skipped once
//! the other side acknowledges what lies beyond them, or at a bound.

use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::flow::packing::present;
use crate::flow::{Data, Packing, Want};
use crate::limit::{STREAM_BYTES_HELD, STREAM_PIECES_HELD};
use crate::net::Side;
use crate::time::Timestamp;

/// A side's stream. Positions count from the initial sequence number: the first payload byte is at 1.
#[derive(Debug)]
#[cfg_attr(debug_assertions, derive(Clone, PartialEq))]
pub(super) struct Stream {
    /// The next position that was neither delivered nor skipped.
    next: i64,
    /// Only where it does not come in order and whole: most streams do.
    broken: Option<Box<Broken>>,
}

/// What is to be remembered of a stream that was not captured in order, or not whole.
#[derive(Debug, Default)]
#[cfg_attr(debug_assertions, derive(Clone, PartialEq))]
struct Broken {
    /// Positions skipped since something was delivered.
    skipped: u64,
    /// What came ahead of its turn, in order, without overlaps.
    waiting: ThinVec<Piece>,
    /// Bytes that `waiting` holds.
    held: u32,
    /// The snap length cut bytes off that are not acknowledged yet.
    cut: bool,
}

#[derive(Debug)]
#[cfg_attr(debug_assertions, derive(Clone, PartialEq))]
struct Piece {
    from: i64,
    to: i64,
    bytes: Box<[u8]>,
    seen: Seen,
}

/// A segment's payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub from: i64,
    /// Length on the wire; `bytes` may be fewer.
    pub len: u32,
    pub bytes: &'a [u8],
    pub seen: Seen,
}

/// Where payload came from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub time: Timestamp,
    pub frame: FrameId,
    pub ttl: u8,
}

/// Bytes whose turn has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready<'a> {
    pub from: Side,
    pub bytes: &'a [u8],
    pub offset: u64,
    pub missing: u64,
    pub seen: Seen,
}

impl<'a> Ready<'a> {
    /// As the observer gets it.
    #[inline]
    pub fn into_data(self, midstream: bool) -> Data<'a> {
        let Self { from, bytes, offset, missing, seen: Seen { time, frame, ttl } } = self;
        Data { from, bytes, offset, missing, midstream, time, frame, ttl }
    }
}

/// Where ready bytes go, and what all streams of a table share.
pub(super) struct Outlet<'a> {
    /// Whose stream is worked on.
    pub from: Side,
    /// Takes the bytes.
    pub deliver: &'a mut dyn FnMut(Ready<'_>) -> Want,
    /// Whether anybody wants them. Nothing is buffered otherwise, but gaps are still counted.
    pub wanted: bool,
    /// Bytes that all streams may still hold together, [`PIECE`] for each piece beside its own included.
    pub budget: &'a mut usize,
}

/// Gaps met, and bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    /// Separate holes.
    pub holes: u32,
    /// Bytes never captured.
    pub bytes: u64,
}

impl Default for Stream {
    fn default() -> Self {
        Self { next: FIRST, broken: None }
    }
}

impl Stream {
    /// Positions count from another sequence number now. What waits under the old count is of no use, but keeps its place in the budget
    /// until the buffers are given back.
    pub fn restart(&mut self) {
        self.next = FIRST;
        for piece in self.broken.iter_mut().flat_map(|broken| &mut broken.waiting) {
            (piece.from, piece.to) = (FIRST, FIRST);
        }
    }

    /// Takes a segment in. The bytes that the snap length cut off, and those skipped at a bound, are the gaps.
    pub fn segment(&mut self, segment: &Segment<'_>, outlet: &mut Outlet<'_>) -> Gaps {
        let mut gaps = Gaps::default();
        if segment.from > self.next {
            self.hold(segment, outlet);
            while self.held() as usize > STREAM_BYTES_HELD || self.waiting().len() > STREAM_PIECES_HELD || *outlet.budget < PIECE {
                let Some(first) = self.waiting().first() else { break };
                let to = first.from;
                self.skip(to, &mut gaps);
                gaps.bytes += self.drain(outlet);
            }
        } else {
            gaps.bytes += self.advance(segment, outlet);
            gaps.bytes += self.drain(outlet);
        }
        self.mend(outlet);
        gaps
    }

    /// Whether all before `position` came, in order and whole, and nothing beyond it.
    pub fn is_whole_to(&self, position: i64) -> bool {
        self.next == position && self.broken.is_none()
    }

    /// How many bytes before `position` did not come; none where some wait for others.
    pub fn short_of(&self, position: i64) -> u64 {
        let short = if self.broken.is_none() { position.saturating_sub(self.next) } else { 0 };
        u64::try_from(short).unwrap_or(0)
    }

    /// Whether the other side's acknowledgment of all before `position` tells nothing new: that came, in order and whole.
    pub fn is_whole_from(&self, position: i64) -> bool {
        self.next >= position && self.broken.is_none()
    }

    /// Takes a whole segment in that begins where the stream [ends](Self::is_whole_to).
    pub fn next(&mut self, bytes: &[u8], seen: Seen, outlet: &mut Outlet<'_>) {
        if outlet.wanted {
            let offset = u64::try_from(self.next.saturating_sub(FIRST)).unwrap_or(0);
            outlet.wanted = (outlet.deliver)(Ready { from: outlet.from, bytes, offset, missing: 0, seen }) == Want::More;
        }
        self.next = self.next.saturating_add(bytes.len() as i64);
    }

    /// The other side acknowledged everything before `position`: what is missing there will not come.
    pub fn acknowledged(&mut self, position: i64, outlet: &mut Outlet<'_>) -> Gaps {
        let mut gaps = Gaps::default();
        if let Some(broken) = &mut self.broken {
            gaps.holes += u32::from(std::mem::take(&mut broken.cut));
        }
        while self.next < position {
            let to = self.waiting().first().map_or(position, |piece| piece.from.min(position));
            self.skip(to, &mut gaps);
            gaps.bytes += self.drain(outlet);
        }
        self.mend(outlet);
        gaps
    }

    /// The flow is over: delivers what still waits.
    pub fn flush(&mut self, outlet: &mut Outlet<'_>) -> Gaps {
        let end = self.waiting().last().map_or(self.next, |piece| piece.to);
        let is_held = self.held() > 0 && outlet.wanted;
        if is_held { self.acknowledged(end, outlet) } else { Gaps::default() }
    }

    /// Nothing more is wanted: gives the bytes back. Which pieces there are is still known, so that gaps are counted.
    pub fn release(&mut self, budget: &mut usize) {
        let Some(broken) = &mut self.broken else { return };
        *budget += std::mem::take(&mut broken.held) as usize;
        for piece in &mut broken.waiting {
            piece.bytes = Box::default();
        }
    }

    /// The flow is over: gives all back.
    pub fn end(&mut self, budget: &mut usize) {
        self.release(budget);
        *budget += self.waiting().len() * PIECE;
        self.broken = None;
    }

    /// Packs it, or takes it out; `last` is how far its end has sent.
    pub fn pack(&mut self, last: i64, packing: &mut impl Packing) {
        let mut is_broken = self.broken.is_some();
        packing.flags([&mut is_broken]);
        packing.near(&mut self.next, last);
        if let Some(Broken { skipped, waiting, held, cut }) = present(is_broken, &mut self.broken, Box::default).map(|broken| &mut **broken) {
            packing.flags([cut]);
            packing.number(skipped);
            packing.count(held);
            packing.list(waiting, Piece::none, |packing, piece| piece.pack(packing));
        }
    }

    fn waiting(&self) -> &[Piece] {
        self.broken.as_ref().map_or(&[], |broken| &broken.waiting)
    }

    fn held(&self) -> u32 {
        self.broken.as_ref().map_or(0, |broken| broken.held)
    }

    fn broken(&mut self) -> &mut Broken {
        self.broken.get_or_insert_default()
    }

    /// In order and whole again: nothing need be remembered. What was skipped is told with what is delivered next, if anybody wants that.
    fn mend(&mut self, outlet: &Outlet<'_>) {
        if self.broken.as_ref().is_some_and(|broken| broken.waiting.is_empty() && !broken.cut && (broken.skipped == 0 || !outlet.wanted)) {
            self.broken = None;
        }
    }

    fn skip(&mut self, to: i64, gaps: &mut Gaps) {
        let many = u64::try_from(to.saturating_sub(self.next)).unwrap_or(0);
        if many > 0 {
            gaps.holes += 1;
            gaps.bytes += many;
            self.broken().skipped += many;
            self.next = to;
        }
    }

    /// Delivers what is new of a segment whose turn has come; the bytes that the snap length cut off.
    fn advance(&mut self, segment: &Segment<'_>, outlet: &mut Outlet<'_>) -> u64 {
        let to = segment.from.saturating_add(i64::from(segment.len));
        if to <= self.next {
            return 0;
        }
        let known = usize::try_from(self.next.saturating_sub(segment.from)).unwrap_or(0);
        let bytes = segment.bytes.get(known..).unwrap_or_default();
        let new = u64::try_from(to.saturating_sub(self.next)).unwrap_or(0);
        let cut = new.saturating_sub(bytes.len() as u64);
        if outlet.wanted && !bytes.is_empty() {
            let offset = u64::try_from(self.next.saturating_sub(FIRST)).unwrap_or(0);
            let want = (outlet.deliver)(Ready {
                from: outlet.from,
                bytes,
                offset,
                missing: self.broken.as_mut().map_or(0, |broken| std::mem::take(&mut broken.skipped)),
                seen: segment.seen,
            });
            outlet.wanted = want == Want::More;
        }
        self.next = to;
        if cut > 0 {
            let broken = self.broken();
            broken.skipped += cut;
            broken.cut = true;
        }
        cut
    }

    fn drain(&mut self, outlet: &mut Outlet<'_>) -> u64 {
        let Some(broken) = &mut self.broken else { return 0 };
        let ready = broken.waiting.iter().take_while(|piece| piece.from <= self.next).count();
        if ready == 0 {
            return 0;
        }
        let mut cut = 0;
        let later = broken.waiting.split_off(ready);
        let pieces = std::mem::replace(&mut broken.waiting, later);
        broken.held -= pieces.iter().map(|piece| piece.bytes.len() as u32).sum::<u32>();
        for piece in pieces {
            *outlet.budget += PIECE + piece.bytes.len();
            let len = u32::try_from(piece.to.saturating_sub(piece.from)).unwrap_or(u32::MAX);
            if piece.bytes.is_empty() {
                self.next = self.next.max(piece.to);
            } else {
                cut += self.advance(&Segment { from: piece.from, len, bytes: &piece.bytes, seen: piece.seen }, outlet);
            }
        }
        cut + self.drain(outlet)
    }

    /// Keeps what no earlier piece covers, as far as there is room for pieces.
    fn hold(&mut self, segment: &Segment<'_>, outlet: &mut Outlet<'_>) {
        let end = segment.from.saturating_add(i64::from(segment.len));
        let mut at = segment.from;
        let broken = self.broken();
        let mut index = broken.waiting.partition_point(|piece| piece.to <= at);
        while at < end && *outlet.budget >= PIECE {
            let (covered_from, covered_to) = broken.waiting.get(index).map_or((end, end), |piece| (piece.from, piece.to));
            let to = covered_from.min(end);
            if at < to {
                let piece = cut_out(segment, at, to, outlet);
                broken.held += piece.bytes.len() as u32;
                broken.waiting.insert(index, piece);
                index += 1;
            }
            at = covered_to.max(to);
            index += 1;
        }
    }
}

impl Piece {
    /// A blank one.
    fn none() -> Self {
        Self { from: FIRST, to: FIRST, bytes: Box::default(), seen: Seen { time: Timestamp::EPOCH, frame: FrameId::new(0, 0), ttl: 0 } }
    }

    fn pack(&mut self, packing: &mut impl Packing) {
        let Self { from, to, bytes, seen: Seen { time, frame, ttl } } = self;
        packing.signed(from);
        packing.near(to, *from);
        packing.text(bytes);
        packing.time(time);
        packing.frame(frame);
        packing.byte(ttl);
    }
}

fn cut_out(segment: &Segment<'_>, from: i64, to: i64, outlet: &mut Outlet<'_>) -> Piece {
    let place = |position: i64| usize::try_from(position.saturating_sub(segment.from)).unwrap_or(0).min(segment.bytes.len());
    *outlet.budget -= PIECE;
    let bytes = segment.bytes.get(place(from)..place(to)).filter(|bytes| outlet.wanted && bytes.len() <= *outlet.budget).unwrap_or_default();
    *outlet.budget -= bytes.len();
    Piece { from, to, bytes: bytes.into(), seen: segment.seen }
}

/// Bytes that a piece takes beside what it holds: a flood of single bytes must not cost a hundred times what is counted.
const PIECE: usize = size_of::<Piece>() + ALLOCATION;
/// What an allocator adds to a small allocation, and the room that a growing vector has to spare.
const ALLOCATION: usize = 48;
/// Position of the first payload byte: SYN takes the one before.
pub(super) const FIRST: i64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: i64, bytes: &[u8]) -> Segment<'_> {
        let seen = Seen { time: Timestamp::default(), frame: FrameId::default(), ttl: 64 };
        Segment { from, len: bytes.len() as u32, bytes, seen }
    }

    /// What the streams hold, in bytes of memory.
    fn memory(streams: &[Stream]) -> usize {
        streams.iter().map(|stream| stream.waiting().iter().map(|piece| size_of::<Piece>() + piece.bytes.len()).sum::<usize>()).sum()
    }

    #[test]
    fn single_bytes_apart_from_each_other_cost_the_budget_what_they_cost_in_memory() {
        for wanted in [true, false] {
            let mut budget = 100_000;
            let mut streams: Vec<Stream> = (0..200).map(|_| Stream::default()).collect();
            for place in 0..STREAM_PIECES_HELD as i64 {
                for stream in &mut streams {
                    let mut outlet = Outlet { from: Side::Client, deliver: &mut |_| Want::More, wanted, budget: &mut budget };
                    stream.segment(&segment(3 + 2 * place, b"x"), &mut outlet);
                }
                assert!(memory(&streams) <= 100_000, "{} bytes are held", memory(&streams));
            }
            assert!(memory(&streams) > 50_000, "the budget is used");
            streams.iter_mut().for_each(|stream| stream.end(&mut budget));
            assert_eq!((budget, memory(&streams)), (100_000, 0));
        }
    }

    #[test]
    fn without_room_for_pieces_the_gap_is_told_and_what_comes_in_order_is_read_on() {
        let (mut budget, mut stream, mut read) = (0, Stream::default(), Vec::new());
        let mut deliver = |ready: Ready<'_>| {
            read.push((ready.offset, ready.missing, ready.bytes.to_vec()));
            Want::More
        };
        let mut outlet = Outlet { from: Side::Client, deliver: &mut deliver, wanted: true, budget: &mut budget };
        stream.segment(&segment(1, b"ab"), &mut outlet);
        stream.segment(&segment(5, b"ef"), &mut outlet);
        assert_eq!(stream.acknowledged(7, &mut outlet), Gaps { holes: 1, bytes: 4 });
        stream.segment(&segment(7, b"gh"), &mut outlet);
        assert_eq!(read, [(0, 0, b"ab".to_vec()), (6, 4, b"gh".to_vec())]);
    }
}
