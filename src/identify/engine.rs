//! Follows every live flow from its first bytes to the protocols it speaks. One identifier a shard; its flows lie in the table's slots.

mod glance;
mod kinds;
mod resting;
#[cfg(test)]
mod tests;
mod torn;
mod turned;

use std::hint::black_box;
use std::{fmt, mem};

use smallvec::SmallVec;
use thin_vec::ThinVec;

use self::resting::Known;
use self::torn::is_torn;
use self::turned::Turned;
use crate::capture::FrameId;
use crate::flow::{Data, Direction, Flow, Neighbour, Observer, Parties, Slot, Want};
use crate::identify::evidence::Recognised;
use crate::identify::foreign;
use crate::identify::gather::{Gathered, Setting};
use crate::identify::protocol::{Appetite, Piece, Reader, Said};
use crate::identify::{Begun, Books, Detail, Evidence, Fact, Identified, Spoken, Torn};
use crate::limit;
use crate::net::{Side, Transport, is_group};
use crate::time::Timestamp;

/// Identifies the flows of one shard.
pub struct Identifier<'b> {
    desk: Desk<'b>,
    flows: Known,
    closed: Vec<Box<Identified>>,
    neighbours: Vec<Neighbour>,
    /// Bytes that flows may still hold until they are recognised, and their readers.
    budget: usize,
    given_up: u64,
}

impl<'b> Identifier<'b> {
    /// An identifier that writes what it learns about others into `books`.
    pub fn new(books: &'b Books) -> Self {
        Self {
            desk: Desk { books, said: Vec::new(), stated: Some(Vec::new()), dropped: 0 },
            flows: Known::default(),
            closed: Vec::new(),
            neighbours: Vec::new(),
            budget: limit::OPENINGS_BYTES_HELD,
            given_up: 0,
        }
    }

    /// Whether readers are to state what only flow records print; they do unless this says no.
    #[must_use]
    pub fn with_details(mut self, wanted: bool) -> Self {
        self.desk.stated = wanted.then(Vec::new);
        self
    }

    /// The flows that ended and were not taken out yet, in the order they ended.
    pub const fn ended(&mut self) -> &mut Vec<Box<Identified>> {
        &mut self.closed
    }

    /// What was said since about who is on the links, in order.
    pub const fn neighbours(&mut self) -> &mut Vec<Neighbour> {
        &mut self.neighbours
    }

    /// At most so many bytes are held of flows that are not recognised yet, and by the readers of those that are; a flow that would hold more is given up.
    #[must_use]
    pub const fn within(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }

    /// Flows of which no more was read at that bound.
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Reads from all that these flows consist of, one kind of it after the other, before anything is asked of any: they have left the caches, and so their misses overlap.
    /// Those of one alone have nothing to overlap with.
    fn touch(&self, slots: &[Slot]) {
        if slots.len() < 2 {
            return;
        }
        let kinds: [fn(&Known, u32) -> usize; 3] = [Known::touch_place, Known::touch, Known::touch_behind];
        black_box(kinds.into_iter().fold(0, |sum, touch| slots.iter().map(|slot| touch(&self.flows, slot.0)).fold(sum, usize::wrapping_add)));
    }

    /// Facts dropped beyond [`limit::FACTS_KEPT`] a flow.
    pub const fn facts_dropped(&self) -> u64 {
        self.desk.dropped
    }
}

impl Observer for Identifier<'_> {
    fn opened(&mut self, slot: Slot) {
        self.flows.open(slot.0);
    }

    // Where it is called: what a piece is made of would be moved otherwise, and each move waits for what was just written.
    #[inline(always)]
    fn data(&mut self, slot: Slot, parties: &Parties, data: Data<'_>) -> Want {
        let Some(live) = self.flows.awake(slot.0) else { return Want::Nothing };
        let want = live.take(parties, data, &mut self.desk);
        // What it held before is given back first: the budget counts what is there now.
        self.budget += mem::replace(&mut live.held, u32::try_from(live.stage.held()).unwrap_or(u32::MAX)) as usize;
        let Some(left) = self.budget.checked_sub(live.held as usize) else {
            (live.stage, live.held) = (Stage::Done, 0);
            self.given_up += 1;
            return Want::Nothing;
        };
        self.budget = left;
        want
    }

    fn closing(&mut self, slots: &[Slot]) {
        self.touch(slots);
    }

    fn closed(&mut self, slot: Slot, flow: Flow) {
        let live = self.flows.take(slot.0);
        self.budget += live.as_ref().map_or(0, |live| live.held as usize);
        // A flow is large: it is put where it stays before anything is said of it, and moved once.
        let mut identified = Box::write(Box::new_uninit(), Identified { flow, spoken: None, announced: None });
        if let Some(live) = live {
            live.conclude(&mut identified, &mut self.desk);
        }
        self.closed.push(identified);
    }

    fn rested(&mut self, slots: &[Slot]) {
        self.touch(slots);
        slots.iter().for_each(|slot| self.flows.rest(slot.0));
    }

    fn neighbour(&mut self, neighbour: &Neighbour) {
        let has_room = self.neighbours.len() < limit::NEIGHBOURS_HELD;
        self.neighbours.extend(has_room.then_some(*neighbour));
        self.desk.dropped += u64::from(!has_room);
    }
}

/// Where what readers say is put.
pub(super) struct Desk<'a> {
    books: &'a Books,
    /// What a reader says of the present piece, until it is kept; empty between pieces.
    said: Vec<Fact>,
    /// The same of details; none where nobody prints them.
    stated: Option<Vec<Detail>>,
    /// Facts and details that found no room.
    dropped: u64,
}

impl Desk<'_> {
    /// Where a reader puts what it learned.
    fn said<'s>(&'s mut self, evidence: &'s mut Evidence) -> Said<'s> {
        Said { facts: &mut self.said, evidence, details: self.stated.as_mut() }
    }

    /// Most pieces say nothing.
    fn is_empty(&self) -> bool {
        self.said.is_empty() && self.stated.as_ref().is_none_or(|stated| stated.is_empty())
    }
}

/// A flow that sent payload: one block from its first piece to its judgement. Its table never swaps the ends of a live flow; content may, at the end.
#[derive(Default)]
pub struct Live<S = Spoken> {
    /// Nothing any more of a flow that is over.
    stage: Stage,
    /// What it showed so far, which is all that the judge asks of it. Behind the facts that are kept of any flow lies the latest answer that found no room among them.
    spoken: S,
    /// Where the present protocol begins in each side's stream.
    base: [u32; 2],
    /// How far the present protocol's reader has come in each side's stream.
    read_to: [u64; 2],
    /// Who is the client by content.
    client: Option<Side>,
    /// Pieces so far, as far as they count.
    pieces: u8,
    midstream: bool,
    /// Bytes that the stage held after the last piece.
    held: u32,
}

#[derive(Default)]
enum Stage {
    /// Nothing seen of the present protocol.
    #[default]
    Fresh,
    /// Not recognised yet.
    Unknown(Box<Gathered>),
    /// Recognised; the reader reads on.
    Read(Box<dyn Reader>),
    /// Enough is known, or nobody will know more.
    Done,
}

impl Stage {
    fn held(&self) -> usize {
        match self {
            Self::Fresh | Self::Done => 0,
            Self::Unknown(gathered) => gathered.held(),
            Self::Read(reader) => reader.held(),
        }
    }
}

impl Live {
    /// A flow of which nothing was seen yet. Field by field: put together elsewhere, a block as large as this would be moved twice.
    fn blank() -> Box<Self> {
        let spoken = Spoken {
            protocol: SmallVec::new(),
            evidence: Evidence::None,
            matches: SmallVec::new(),
            facts: ThinVec::new(),
            details: ThinVec::new(),
            retries: 0,
            torn: Torn::Nowhere,
            stopped_early: false,
            opening: [Begun::new_const(), Begun::new_const()],
        };
        Box::write(Box::new_uninit(), Self { stage: Stage::Fresh, spoken, base: [0; 2], read_to: [0; 2], client: None, pieces: 0, midstream: false, held: 0 })
    }

    /// What it showed.
    pub(super) const fn shown(&self) -> &Spoken {
        &self.spoken
    }

    /// The same, to be changed.
    pub(super) const fn shown_mut(&mut self) -> &mut Spoken {
        &mut self.spoken
    }

    #[inline(always)]
    fn take(&mut self, parties: &Parties, data: Data<'_>, desk: &mut Desk<'_>) -> Want {
        let Data { from, bytes, offset, missing, time, frame, .. } = data;
        if self.pieces == 0 {
            self.midstream = data.midstream;
        }
        self.pieces = self.pieces.saturating_add(1);
        self.keep_opening(from, bytes, (parties.transport == Transport::TCP).then_some(offset));
        let whole = || Piece { from, bytes, offset, missing, time, frame, ends: parties, transport: parties.transport };
        match self.stage {
            Stage::Done => {}
            // Most pieces are the flow's first protocol's, and change nothing.
            Stage::Read(_) if self.base == [0, 0] => {
                self.read(whole(), desk);
                if matches!(self.stage, Stage::Fresh) {
                    self.feed(&whole(), &self.setting(parties), desk);
                }
            }
            _ => self.feed(&whole(), &self.setting(parties), desk),
        }
        let silent = self.spoken.opening.iter().any(|opening| opening.is_empty()) && usize::from(self.pieces) < limit::PIECES_TRIED;
        if !matches!(self.stage, Stage::Done) || silent {
            return Want::More;
        }
        // Nothing more will be said of it while it lives, which may be hours.
        self.spoken.shrink();
        Want::Nothing
    }

    const fn setting<'a>(&self, parties: &'a Parties) -> Setting<'a> {
        Setting { transport: parties.transport, ends: parties, midstream: self.midstream }
    }

    /// What a side began with: its first bytes, as a stream goes on, or those of its first datagram that has any. `offset` is that in the stream.
    fn keep_opening(&mut self, from: Side, bytes: &[u8], offset: Option<u64>) {
        let kept = &mut self.spoken.opening[from as usize];
        if offset.map_or(kept.is_empty(), |offset| offset == kept.len() as u64) {
            let room = kept.remaining_capacity().min(bytes.len());
            let _ = kept.try_extend_from_slice(&bytes[..room]);
        }
    }

    /// Gives a piece, whose offset counts from the start of the flow, to whoever is due. What lies beyond a hand-over goes to the next protocol. Who goes on as before
    /// stays where it is: most pieces change nothing.
    fn feed(&mut self, whole: &Piece<'_>, setting: &Setting<'_>, desk: &mut Desk<'_>) {
        for _ in 0..=limit::LAYERS {
            let part;
            let piece = match self.base_of(whole) {
                0 => whole,
                base => match after(base, whole) {
                    Some(rest) => {
                        part = rest;
                        &part
                    }
                    None => return,
                },
            };
            match &mut self.stage {
                Stage::Done => return,
                Stage::Fresh => return self.begin(piece, setting, desk),
                Stage::Unknown(gathered) => {
                    let found = gathered.add(piece, setting);
                    if (found.is_some() || gathered.is_hopeless(setting.transport))
                        && let Stage::Unknown(gathered) = mem::take(&mut self.stage)
                    {
                        self.settle(gathered, found, Some(piece), setting, desk);
                    }
                    return;
                }
                Stage::Read(_) => self.read(*piece, desk),
            }
            if !matches!(self.stage, Stage::Fresh) {
                return;
            }
        }
    }

    /// Gives a piece, whose offset counts from where the present protocol begins, to its reader.
    #[inline(always)]
    fn read(&mut self, mut piece: Piece<'_>, desk: &mut Desk<'_>) {
        let Stage::Read(reader) = &mut self.stage else { return };
        let torn = piece.transport == Transport::TCP && is_torn(&mut piece, &mut self.read_to, reader.as_ref());
        let (at, ends, from) = ((piece.time, piece.frame), piece.ends, piece.from);
        let appetite = reader.read(piece, &mut desk.said(&mut self.spoken.evidence));
        if torn || appetite == Appetite::Full {
            self.spoken.tear(torn, from, &desk.said, appetite);
        }
        if !desk.is_empty() {
            self.keep_facts(desk, ends, at);
        }
        if appetite != Appetite::Hungry {
            self.follow(appetite);
        }
    }

    /// Where the present protocol begins in the stream that a piece belongs to; datagrams begin nowhere else.
    fn base_of(&self, piece: &Piece<'_>) -> u64 {
        if piece.transport == Transport::TCP { u64::from(self.base[piece.from as usize]) } else { 0 }
    }

    /// The same piece, counted from the start of the flow again.
    fn of_flow<'a>(&self, piece: &Piece<'a>) -> Piece<'a> {
        Piece { offset: piece.offset.saturating_add(self.base_of(piece)), ..*piece }
    }

    /// Most flows are told by their first piece: then nothing need be kept.
    fn begin(&mut self, piece: &Piece<'_>, setting: &Setting<'_>, desk: &mut Desk<'_>) {
        match Gathered::ask_first(piece, setting) {
            Ok(found) => {
                self.stage = Stage::Read(self.enter(found, piece.frame, setting.transport));
                let whole = self.of_flow(piece);
                self.read(*piece, desk);
                if matches!(self.stage, Stage::Fresh) {
                    self.feed(&whole, setting, desk);
                }
            }
            // Nobody is left to ask: nothing need be kept.
            Err(asked) if setting.transport == Transport::TCP && asked.is_nobodys() => self.stage = Stage::Done,
            Err(asked) => self.settle(Gathered::begin(piece, setting, asked), None, Some(piece), setting, desk),
        }
    }

    /// Starts the reader of a protocol that was recognised; else goes on gathering, while there is hope.
    fn settle(&mut self, mut gathered: Box<Gathered>, found: Option<Recognised>, newest: Option<&Piece<'_>>, setting: &Setting<'_>, desk: &mut Desk<'_>) {
        let hopeless = gathered.is_hopeless(setting.transport);
        let Some(found) = found.or_else(|| if hopeless { gathered.conclude(setting) } else { None }) else {
            self.stage = if hopeless || newest.is_none() { Stage::Done } else { Stage::Unknown(gathered) };
            return;
        };
        let newest_frame = newest.filter(|piece| setting.transport != Transport::TCP && piece.from == found.hit.side).map(|piece| piece.frame);
        let frame = newest_frame.or_else(|| gathered.frame_of(found.hit.side, found.hit.offset)).or(newest.map(|piece| piece.frame)).unwrap_or_default();
        let base = self.base.map(u64::from);
        self.stage = Stage::Read(self.enter(found, frame, setting.transport));
        let mut last = None;
        for piece in gathered.pieces(setting) {
            last = Some((piece.frame, piece.offset, piece.bytes.len()));
            self.feed(&Piece { offset: piece.offset.saturating_add(base[piece.from as usize]), ..piece }, setting, desk);
        }
        // The newest piece may not have been kept, or not whole.
        if let Some(piece) = newest {
            let read = match last {
                Some((frame, offset, len)) if frame == piece.frame && offset == piece.offset => len,
                _ => 0,
            };
            let rest = piece.bytes.get(read..).unwrap_or_default();
            if !rest.is_empty() && (read == 0 || piece.transport == Transport::TCP) {
                let offset = piece.offset.saturating_add(read as u64).saturating_add(base[piece.from as usize]);
                self.feed(&Piece { bytes: rest, offset, ..*piece }, setting, desk);
            }
        }
    }

    fn enter(&mut self, found: Recognised, frame: FrameId, transport: Transport) -> Box<dyn Reader> {
        let Recognised { protocol, evidence, mut hit, client } = found;
        hit.offset = hit.offset.saturating_add(self.base[hit.side as usize]);
        self.read_to = [0; 2];
        let spoken = &mut self.spoken;
        spoken.protocol.push(protocol.name());
        spoken.matches.push(hit.at(frame));
        spoken.evidence = if spoken.protocol.len() == 1 { evidence } else { spoken.evidence.max(evidence) };
        self.client = self.client.or(client);
        let reader = protocol.reader();
        // A stream says by its handshake who opened it, and readers of one whose start was not seen find out for themselves.
        if transport != Transport::TCP && self.client == Some(Side::Server) { Box::new(Turned(reader)) } else { reader }
    }

    /// What becomes of the flow once its reader has said how much more it wants.
    fn follow(&mut self, appetite: Appetite) {
        self.stage = match appetite {
            Appetite::Hungry => return,
            Appetite::Full => Stage::Done,
            Appetite::HandOver { client, server } if self.spoken.protocol.len() < limit::LAYERS => {
                let further = |base: u32, by: u64| u64::from(base).checked_add(by).and_then(|base| u32::try_from(base).ok());
                match (further(self.base[0], client), further(self.base[1], server)) {
                    (Some(client), Some(server)) => {
                        self.base = [client, server];
                        Stage::Fresh
                    }
                    // Nobody hands over behind four gigabytes.
                    _ => Stage::Done,
                }
            }
            Appetite::HandOver { .. } => Stage::Done,
        };
    }

    fn keep_facts(&mut self, desk: &mut Desk<'_>, ends: &Parties, (time, frame): (Timestamp, FrameId)) {
        let Desk { books, said, stated, dropped } = desk;
        let spoken = &mut self.spoken;
        // Facts are kept or dropped where they lie: taken out one by one they would be moved three times.
        let many = said.len();
        spoken.hear(said);
        for n in 0..many {
            let Some(fact) = said.get_mut(n) else { break };
            books.learn(fact, ends, (time, frame, u32::try_from(n).unwrap_or(u32::MAX).saturating_mul(STAMPS_A_FACT)));
            if let Fact::Inner(name) = fact {
                if !spoken.protocol.contains(name) && spoken.protocol.len() < limit::LAYERS {
                    spoken.protocol.push(name);
                }
            } else if spoken.knows(fact) {
            } else if spoken.facts.len() >= limit::FACTS_KEPT {
                *dropped += u64::from(!spoken.finds_last_place(mem::replace(fact, Fact::OneWay)));
            } else {
                if let Fact::Speaks { client } = fact {
                    self.client = Some(*client);
                }
                // A flow states two or three: room for more would be most of what it holds.
                if spoken.facts.len() == spoken.facts.capacity() {
                    spoken.facts.reserve_exact((spoken.facts.len() / 2).max(many - n).clamp(2, limit::FACTS_KEPT));
                }
                spoken.facts.push(mem::replace(fact, Fact::OneWay));
            }
        }
        said.clear();
        if let Some(stated) = stated {
            stated.drain(..).for_each(|detail| *dropped += u64::from(!spoken.keep_detail(detail)));
        }
    }

    /// Asks for the last time, and lets the reader say what it held back.
    fn end(&mut self, flow: &Flow, desk: &mut Desk<'_>) {
        let parties = flow.parties();
        let setting = self.setting(&parties);
        match mem::take(&mut self.stage) {
            Stage::Unknown(mut gathered) => {
                let found = gathered.conclude(&setting);
                self.settle(gathered, found, None, &setting, desk);
            }
            stage => self.stage = stage,
        }
        if let Stage::Read(reader) = mem::take(&mut self.stage) {
            reader.finish(&mut desk.said(&mut self.spoken.evidence));
            if !desk.is_empty() {
                self.keep_facts(desk, setting.ends, (flow.last, flow.last_frame));
            }
        }
    }

    /// Tells of the flow, which is over, what was found out.
    fn conclude(mut self: Box<Self>, identified: &mut Identified, desk: &mut Desk<'_>) {
        let flow = &mut identified.flow;
        flow.tcp.iter().for_each(|tcp| self.tell_torn(tcp));
        if !matches!(self.stage, Stage::Done | Stage::Fresh) {
            self.end(flow, desk);
        }
        let Self { spoken, client, midstream, .. } = &mut *self;
        let client = *client;
        if *midstream {
            spoken.evidence = spoken.evidence.lowered();
        } else if flow.transport == Transport::TCP {
            foreign::tell(spoken);
        }
        // That a datagram's sender is the client rests on ports, and who asks may have any: what both say tells more. What goes to a group answers nobody there.
        let is_proven =
            flow.direction == Direction::Certain && (flow.transport == Transport::TCP || flow.server.packets == 0 || is_group(flow.server.endpoint.ip));
        let turn = client == Some(Side::Server) && !is_proven;
        if turn || client.is_some() && flow.direction == Direction::Unknown {
            flow.direction = Direction::Likely;
        }
        // Where no opening tells, the judge weighs other flows and ports; content is better than these.
        let speaks = client.filter(|_| flow.direction != Direction::Certain).map(|client| Fact::Speaks { client });
        if let Some(speaks) = speaks.filter(|speaks| !spoken.facts.contains(speaks)) {
            spoken.facts.reserve_exact(1);
            spoken.facts.push(speaks);
        }
        // It waits for its judgement.
        spoken.shrink();
        identified.spoken = Some(self);
        if turn {
            identified.turn();
        }
    }
}

impl Clone for Live {
    /// What it showed, and how far its reading has come, but for its stage.
    fn clone(&self) -> Self {
        self.with(self.spoken.clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for Live<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spoken.fmt(f)
    }
}

impl Identified {
    /// A flow that showed no payload.
    fn unknown(flow: Flow) -> Self {
        Self { flow, spoken: None, announced: None }
    }
}

impl Spoken {
    /// Whether the same was stated before; a request sent again is counted.
    fn knows(&mut self, fact: &Fact) -> bool {
        self.retries = self.retries.saturating_add(u32::from(matches!(fact, Fact::Retry)));
        let kind = mem::discriminant(fact);
        let kept = self.facts.get(..limit::FACTS_KEPT).unwrap_or(&self.facts);
        kept.iter().any(|known| mem::discriminant(known) == kind && known == fact)
    }

    /// Whether a fact that finds no room among those that are kept is an answer, and takes the last place of all, the first to do so: how a long dialogue ended must not
    /// be lost for how it began, so the latest answer has that place.
    fn finds_last_place(&mut self, fact: Fact) -> bool {
        let is_answer = matches!(fact, Fact::Answer { .. });
        match self.facts.get_mut(limit::FACTS_KEPT) {
            Some(last) if is_answer => *last = fact,
            None if is_answer => {
                self.facts.reserve_exact(1);
                self.facts.push(fact);
                return true;
            }
            _ => {}
        }
        false
    }

    /// Keeps what is stated once, with others of its field, and its protocol: as records print it; whether there was room.
    fn keep_detail(&mut self, detail: Detail) -> bool {
        if self.details.contains(&detail) {
            return true;
        }
        let after = |is: &dyn Fn(&Detail) -> bool| self.details.iter().rposition(is).map(|last| last + 1);
        let (protocol, field) = detail.key;
        let place = after(&|known| known.key == (protocol, field)).or_else(|| after(&|known| known.key.0 == protocol));
        let has_room = self.details.len() < limit::DETAILS_KEPT;
        if has_room {
            // Most flows state two or six.
            if self.details.len() == self.details.capacity() {
                self.details.reserve_exact((self.details.len() / 2).max(2));
            }
            self.details.insert(place.unwrap_or(self.details.len()), detail);
        }
        has_room
    }

    /// Gives back what room was kept for more; that for one more is not worth another block.
    fn shrink(&mut self) {
        self.protocol.shrink_to_fit();
        self.matches.shrink_to_fit();
        if self.facts.capacity() > self.facts.len() + 1 {
            self.facts.shrink_to_fit();
        }
    }
}

/// The part of a piece that belongs to the protocol which begins at `base`, counted from there; none where all of it lies before.
fn after<'a>(base: u64, piece: &Piece<'a>) -> Option<Piece<'a>> {
    if base <= piece.offset {
        return Some(Piece { offset: piece.offset - base, ..*piece });
    }
    let before = usize::try_from(base - piece.offset).ok()?;
    let bytes = piece.bytes.get(before..).filter(|rest| !rest.is_empty())?;
    Some(Piece { bytes, offset: 0, missing: 0, ..*piece })
}

/// Places in a frame's order that one fact takes: a name and its addresses.
const STAMPS_A_FACT: u32 = 256;
