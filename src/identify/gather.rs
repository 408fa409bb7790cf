//! The first bytes of a flow whose protocol is not recognised yet.

use std::ops::Range;

use smallvec::SmallVec;

use crate::capture::FrameId;
use crate::flow::Parties;
use crate::identify::evidence::{Recognised, Refused, ask, at_home, recognise};
use crate::identify::protocol::{Head, Opening, Piece};
use crate::limit;
use crate::net::{Side, Transport};
use crate::time::Timestamp;

/// A flow as probes are told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    pub(super) transport: Transport,
    pub(super) ends: &'a Parties,
    pub(super) midstream: bool,
}

/// The pieces so far. Streams: the contiguous beginning of each side; datagrams: each with its own bounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    /// A few bytes lie beside their lengths.
    bytes: [SmallVec<[u8; 16]>; 2],
    /// Most unknown flows send one or two pieces.
    pieces: SmallVec<[Kept; 2]>,
    /// Of datagrams, and of streams whose start was not seen.
    heads: SmallVec<[Head; 1]>,
    asked: Asked,
    /// A gap: what follows on that side is not its beginning.
    torn: [bool; 2],
    /// Pieces that found no room.
    passed: usize,
}

/// What the protocols said of a stream, or of the latest datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    refused: Refused,
    /// Bytes of client and server, one of which it must have before it is worth asking again.
    due: [u16; 2],
}

/// A piece that was kept.
#[derive(Clone, Debug)]
struct Kept {
    offset: u64,
    missing: u64,
    time: Timestamp,
    frame: FrameId,
    /// Where its bytes begin among its side's, and how many they are: [`limit::OPENING_TRIED`] is far below what this counts.
    start: u16,
    len: u16,
    from: Side,
}

impl Asked {
    /// Whether nobody is left to ask.
    pub(super) fn is_nobodys(&self) -> bool {
        self.refused.is_everyone()
    }
}

impl Kept {
    fn range(&self) -> Range<usize> {
        let start = usize::from(self.start);
        start..start + usize::from(self.len)
    }
}

impl Gathered {
    /// Asks the protocols about a flow's first piece, without keeping it.
    pub(super) fn ask_first(piece: &Piece<'_>, setting: &Setting<'_>) -> Result<Recognised, Asked> {
        let (Setting { transport, midstream, .. }, ends) = (*setting, setting.ends.both());
        let (mut sides, mut cut): ([&[u8]; 2], [u32; 2]) = Default::default();
        sides[piece.from as usize] = piece.bytes;
        cut[piece.from as usize] = lacking(piece);
        let newest = (transport != Transport::TCP || midstream).then(|| head(piece));
        let ([client, server], latest, heads) = (sides, (piece.from, piece.bytes), newest.as_slice());
        let opening = Opening { transport, client, server, ends, anywhere: false, first: piece.from, midstream, complete: false, latest, cut, heads };
        if let Some(found) = at_home(&opening) {
            return Ok(found);
        }
        if transport != Transport::TCP {
            let mut refused = Refused::default();
            return recognise(&opening, &mut refused).ok_or(Asked { refused, due: [0; 2] });
        }
        let (mut refused, mut due) = (Refused::by_beginning(piece, midstream), [0; 2]);
        debug_assert_eq!(refused.hides(&opening), None, "a stream is refused for its first bytes by a protocol that it is");
        let found = ask(&opening, &mut refused, &mut due);
        if found.is_some() {
            Refused::remember_beginning(piece, midstream);
            debug_assert_eq!(Refused::by_beginning(piece, midstream).hides(&opening), None, "refuses the beginning of what it takes");
        }
        found.ok_or(Asked { refused, due: in_opening(due) })
    }

    /// Begins with a piece that the protocols were [asked](Self::ask_first) about.
    pub(super) fn begin(piece: &Piece<'_>, setting: &Setting<'_>, asked: Asked) -> Box<Self> {
        // It is put where it stays at once.
        let (mut gathered, datagrams) = (Box::write(Box::new_uninit(), Self { asked, ..Self::default() }), piece.transport != Transport::TCP);
        if datagrams || setting.midstream {
            gathered.heads.push(head(piece));
        }
        gathered.keep(piece, datagrams);
        gathered
    }

    /// Adds a piece and asks the protocols.
    pub(super) fn add(&mut self, piece: &Piece<'_>, setting: &Setting<'_>) -> Option<Recognised> {
        let datagrams = piece.transport != Transport::TCP;
        if (datagrams || setting.midstream) && self.heads.len() < limit::PIECES_TRIED {
            make_room(&mut self.heads);
            self.heads.push(head(piece));
        }
        self.keep(piece, datagrams);
        if datagrams {
            return self.ask_by_datagram(piece, setting);
        }
        // Who writes byte by byte is not asked about at every byte.
        let is_due = self.bytes.iter().zip(self.asked.due).any(|(bytes, due)| bytes.len() >= usize::from(due));
        debug_assert!(is_due || self.clone().ask(setting, false).is_none(), "told before it was due");
        if is_due { self.ask(setting, false) } else { None }
    }

    /// Asks the protocols for the last time.
    pub(super) fn conclude(&mut self, setting: &Setting<'_>) -> Option<Recognised> {
        self.ask(setting, true)
    }

    /// Whether all that came is at most one datagram of each side, kept whole.
    fn is_first_of_each(&self) -> bool {
        let is_each = match self.pieces.as_slice() {
            [_] => true,
            [one, other] => one.from != other.from,
            _ => false,
        };
        is_each && self.passed == 0 && self.room() > 0
    }

    /// Bytes that it takes.
    pub(super) fn held(&self) -> usize {
        let lists = self.pieces.capacity() * size_of::<Kept>() + self.heads.capacity() * size_of::<Head>();
        let [client, server] = &self.bytes;
        client.capacity() + server.capacity() + lists
    }

    /// Whether nothing to come could change the answer.
    pub(super) fn is_hopeless(&self, transport: Transport) -> bool {
        let tried = self.pieces.len() + self.passed >= limit::PIECES_TRIED;
        // A stream that was joined in its middle may show itself at the beginning of any piece.
        let is_over = self.heads.is_empty() && (self.room() == 0 || self.torn == [true, true]);
        tried || transport == Transport::TCP && (self.asked.is_nobodys() || is_over)
    }

    /// The frame that holds that byte of that side.
    pub(super) fn frame_of(&self, side: Side, offset: u32) -> Option<FrameId> {
        let covers = |kept: &&Kept| kept.from == side && u32::from(kept.start) <= offset;
        self.pieces.iter().rfind(covers).or_else(|| self.pieces.iter().find(|kept| kept.from == side)).map(|kept| kept.frame)
    }

    /// The pieces in order of arrival, as readers take them.
    pub(super) fn pieces<'a>(&'a self, setting: &Setting<'a>) -> impl Iterator<Item = Piece<'a>> {
        let Setting { ends, transport, .. } = *setting;
        self.pieces.iter().map(move |kept| Piece {
            from: kept.from,
            bytes: self.bytes[kept.from as usize].get(kept.range()).unwrap_or_default(),
            offset: kept.offset,
            missing: kept.missing,
            time: kept.time,
            frame: kept.frame,
            ends,
            transport,
        })
    }

    fn keep(&mut self, piece: &Piece<'_>, datagrams: bool) {
        let side = piece.from as usize;
        let torn = !datagrams && piece.missing > 0 && !self.bytes[side].is_empty();
        self.torn[side] |= torn;
        let room = self.room();
        let taken = piece.bytes.get(..room).unwrap_or(piece.bytes);
        if self.torn[side] || self.pieces.len() >= limit::PIECES_TRIED || taken.is_empty() {
            self.passed += 1;
            return;
        }
        let start = self.bytes[side].len();
        // Most unknown flows send little more: hardly any room is kept ahead, and none beyond what is tried.
        if self.bytes[side].capacity() - start < taken.len() {
            self.bytes[side].reserve_exact(taken.len().max(start.min(AHEAD).min(room)));
        }
        self.bytes[side].extend_from_slice(taken);
        let left = (piece.bytes.len() - taken.len()) as u64;
        let missing = if datagrams { piece.missing.saturating_add(left) } else { piece.missing };
        // The rest of a stream's piece is as good as lost: nothing may be taken for its continuation.
        self.torn[side] |= !datagrams && left > 0;
        let (start, len, Piece { from, offset, time, frame, .. }) = (start as u16, taken.len() as u16, *piece);
        make_room(&mut self.pieces);
        self.pieces.push(Kept { offset, missing, time, frame, start, len, from });
    }

    fn room(&self) -> usize {
        limit::OPENING_TRIED.saturating_sub(self.bytes[0].len() + self.bytes[1].len())
    }

    fn ask(&mut self, setting: &Setting<'_>, complete: bool) -> Option<Recognised> {
        let (Setting { transport, midstream, .. }, ends) = (*setting, setting.ends.both());
        let is_stream = transport == Transport::TCP;
        // Of datagrams it says who refused what was asked about last, which is what is asked about now where there is no more.
        let before = if is_stream || self.is_first_of_each() { self.asked.refused } else { Refused::default() };
        let mut refused = if complete && is_stream && !midstream { before.but_late() } else { before };
        // Nobody is left, as of most flows that end; tests hold what came against those who refused.
        if refused.is_everyone() && !cfg!(debug_assertions) {
            self.asked.refused = refused;
            return None;
        }
        let whole = |side| if is_stream { (self.bytes[side as usize].as_slice(), 0) } else { self.datagram(side, false) };
        let ((client, cut_client), (server, cut_server)) = (whole(Side::Client), whole(Side::Server));
        let latest = self.pieces.last().map_or((Side::Client, client), |kept| (kept.from, self.datagram(kept.from, true).0));
        let first = self.pieces.first().map_or(Side::Client, |kept| kept.from);
        let (cut, heads) = ([cut_client, cut_server], self.heads.as_slice());
        let opening = Opening { transport, client, server, ends, anywhere: false, first, midstream, complete, latest, cut, heads };
        debug_assert_eq!(if is_stream { refused.beyond(before) } else { refused }.hides(&opening), None, "told late after all");
        let mut due = [0; 2];
        let found = ask(&opening, &mut refused, &mut due);
        self.asked = Asked { refused, due: in_opening(due) };
        found
    }

    /// First with the first datagram of each side, then with the latest.
    fn ask_by_datagram(&mut self, piece: &Piece<'_>, setting: &Setting<'_>) -> Option<Recognised> {
        let (Setting { transport, midstream, .. }, ends) = (*setting, setting.ends.both());
        let first = self.pieces.first().map_or(piece.from, |kept| kept.from);
        // What a side's first datagram shows was asked when it came.
        let is_first = !self.pieces.iter().rev().skip(1).any(|kept| kept.from == piece.from);
        for newest in [false, true].into_iter().skip(usize::from(!is_first)) {
            let mut sides = [Side::Client, Side::Server].map(|side| self.datagram(side, newest));
            if newest || sides[piece.from as usize].0.is_empty() {
                sides[piece.from as usize] = (piece.bytes, lacking(piece));
            }
            let [(client, cut_client), (server, cut_server)] = sides;
            let (latest, cut, heads) = ((piece.from, piece.bytes), [cut_client, cut_server], self.heads.as_slice());
            let opening = Opening { transport, client, server, ends, anywhere: false, first, midstream, complete: false, latest, cut, heads };
            let mut refused = Refused::default();
            let found = recognise(&opening, &mut refused);
            self.asked.refused = refused;
            // At first the newest of each side is its first.
            if found.is_some() || self.heads.len() < 2 || self.is_first_of_each() {
                return found;
            }
        }
        None
    }

    /// The first or the newest datagram of that side, and how much of it is missing.
    fn datagram(&self, side: Side, newest: bool) -> (&[u8], u32) {
        let of_side = |kept: &&Kept| kept.from == side;
        let kept = if newest { self.pieces.iter().rfind(of_side) } else { self.pieces.iter().find(of_side) };
        let bytes = kept.and_then(|kept| self.bytes[side as usize].get(kept.range())).unwrap_or_default();
        (bytes, kept.map_or(0, |kept| u32::try_from(kept.missing).unwrap_or(u32::MAX)))
    }
}

/// Makes room for one more, and where some came already for some more: a flow is asked about after ten pieces for the last time.
fn make_room<T, const N: usize>(list: &mut SmallVec<[T; N]>) {
    if list.len() == list.capacity() {
        let most = limit::PIECES_TRIED.saturating_sub(list.len()).max(1);
        list.reserve_exact((2 * list.len()).clamp(1, most));
    }
}

/// Bytes for which there is room ahead where a side sends many small pieces.
const AHEAD: usize = 64;

/// Numbers of bytes of client and server, which matter as far as an opening is kept.
fn in_opening([client, server]: [u32; 2]) -> [u16; 2] {
    [client.min(u16::MAX.into()) as u16, server.min(u16::MAX.into()) as u16]
}

/// Bytes that the snap length cut off a datagram.
fn lacking(piece: &Piece<'_>) -> u32 {
    if piece.transport == Transport::TCP { 0 } else { u32::try_from(piece.missing).unwrap_or(u32::MAX) }
}

fn head(piece: &Piece<'_>) -> Head {
    Head::of(piece.from, piece.bytes, piece.bytes.len().saturating_add(lacking(piece) as usize))
}
