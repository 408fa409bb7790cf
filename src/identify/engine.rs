//! Follows every live flow from its first bytes to the protocols it speaks. One identifier a shard; its flows lie in the table's slots.

mod glance;
#[cfg(test)]
mod tests;

use std::mem;

use crate::capture::FrameId;
use crate::flow::{Data, Direction, Flow, Neighbour, Observer, Parties, Slot, Want};
use crate::identify::evidence::Recognised;
use crate::identify::gather::{Gathered, Setting};
use crate::identify::protocol::{Appetite, Piece, Reader, Said};
use crate::identify::{Books, Fact, Identified, Spoken};
use crate::limit;
use crate::net::{Endpoint, Side, Transport};
use crate::time::Timestamp;

/// Identifies the flows of one shard.
pub struct Identifier<'b> {
    books: &'b Books,
    flows: Vec<Option<Box<Live>>>,
    closed: Vec<Box<Identified>>,
    /// What a reader says of a piece, until it is kept.
    said: Vec<Fact>,
    neighbours: Vec<Neighbour>,
    facts_dropped: u64,
    details: bool,
    /// Bytes that flows may still hold until they are recognised, and their readers.
    budget: usize,
    given_up: u64,
}

impl<'b> Identifier<'b> {
    /// An identifier that writes what it learns about others into `books`.
    pub const fn new(books: &'b Books) -> Self {
        Self {
            books,
            flows: Vec::new(),
            closed: Vec::new(),
            said: Vec::new(),
            neighbours: Vec::new(),
            facts_dropped: 0,
            details: true,
            budget: limit::OPENINGS_BYTES_HELD,
            given_up: 0,
        }
    }

    /// Whether readers are to state what only flow records print; they do unless this says no.
    #[must_use]
    pub const fn with_details(mut self, wanted: bool) -> Self {
        self.details = wanted;
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

    /// Facts dropped beyond [`limit::FACTS_KEPT`] a flow.
    pub const fn facts_dropped(&self) -> u64 {
        self.facts_dropped
    }
}

impl Observer for Identifier<'_> {
    fn opened(&mut self, slot: Slot) {
        let index = slot.0 as usize;
        if self.flows.len() <= index {
            self.flows.resize_with(index + 1, || None);
        }
        self.flows[index] = None;
    }

    fn data(&mut self, slot: Slot, parties: &Parties, data: Data<'_>) -> Want {
        let Some(place) = self.flows.get_mut(slot.0 as usize) else { return Want::Nothing };
        let live = place.get_or_insert_default();
        let mut desk = Desk { books: self.books, said: &mut self.said, dropped: &mut self.facts_dropped, details: self.details };
        let want = live.take(parties, data, &mut desk);
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

    fn closed(&mut self, slot: Slot, flow: Flow) {
        let live = self.flows.get_mut(slot.0 as usize).and_then(Option::take);
        self.budget += live.as_ref().map_or(0, |live| live.held as usize);
        self.closed.push(match live {
            Some(live) => {
                let mut desk = Desk { books: self.books, said: &mut self.said, dropped: &mut self.facts_dropped, details: self.details };
                live.conclude(flow, &mut desk)
            }
            None => Box::new(Identified::unknown(flow)),
        });
    }

    fn neighbour(&mut self, neighbour: &Neighbour) {
        let has_room = self.neighbours.len() < limit::NEIGHBOURS_HELD;
        self.neighbours.extend(has_room.then_some(*neighbour));
        self.facts_dropped += u64::from(!has_room);
    }
}

/// Where what readers say is put.
pub(super) struct Desk<'a> {
    books: &'a Books,
    /// Of the present piece; empty between pieces.
    said: &'a mut Vec<Fact>,
    /// Facts that found no room.
    dropped: &'a mut u64,
    /// Whether details are stated.
    details: bool,
}

/// A flow that sent payload. Its table never swaps the ends of a live flow; content may, at the end.
#[derive(Default)]
struct Live {
    stage: Stage,
    /// What it showed so far, which goes on to the judge. Behind the facts that are kept of any flow lies the latest answer that found no room among them.
    spoken: Box<Spoken>,
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
    fn take(&mut self, parties: &Parties, data: Data<'_>, desk: &mut Desk<'_>) -> Want {
        let setting = self.setting(parties);
        let Data { from, bytes, offset, missing, time, frame, .. } = data;
        if self.pieces == 0 {
            self.midstream = data.midstream;
        }
        self.pieces = self.pieces.saturating_add(1);
        self.keep_opening(from, bytes, offset);
        if !matches!(self.stage, Stage::Done) {
            let piece = Piece { from, bytes, offset, missing, time, frame, ends: setting.ends, transport: setting.transport };
            self.feed(piece, Setting { midstream: self.midstream, ..setting }, desk);
        }
        let silent = self.spoken.opening.iter().any(|opening| opening.is_empty()) && usize::from(self.pieces) < limit::PIECES_TRIED;
        if !matches!(self.stage, Stage::Done) || silent {
            return Want::More;
        }
        // Nothing more will be said of it while it lives, which may be hours.
        self.spoken.shrink();
        Want::Nothing
    }

    fn setting(&self, parties: &Parties) -> Setting {
        let Parties { transport, client, server } = *parties;
        Setting { transport, ends: (client, server), midstream: self.midstream }
    }

    fn keep_opening(&mut self, from: Side, bytes: &[u8], offset: u64) {
        let kept = &mut self.spoken.opening[from as usize];
        if offset == kept.len() as u64 {
            let room = kept.remaining_capacity().min(bytes.len());
            let _ = kept.try_extend_from_slice(&bytes[..room]);
        }
    }

    /// Gives a piece, whose offset counts from the start of the flow, to whoever is due. What lies beyond a hand-over goes to the next protocol.
    fn feed(&mut self, whole: Piece<'_>, setting: Setting, desk: &mut Desk<'_>) {
        for _ in 0..=limit::LAYERS {
            let Some(piece) = self.of_layer(whole) else { return };
            match mem::take(&mut self.stage) {
                Stage::Done => return self.stage = Stage::Done,
                Stage::Fresh => return self.begin(piece, setting, desk),
                Stage::Unknown(mut gathered) => {
                    let found = gathered.add(&piece, setting);
                    return self.settle(gathered, found, Some(piece), setting, desk);
                }
                Stage::Read(mut reader) => {
                    let piece = self.with_gap(piece);
                    let appetite = self.listen(&piece, desk, |said| reader.read(piece, said));
                    self.follow(appetite, reader);
                }
            }
            if !matches!(self.stage, Stage::Fresh) {
                return;
            }
        }
    }

    /// The piece with what its reader must miss in front of it, be it lost or dropped while nobody knew the protocol.
    fn with_gap<'a>(&mut self, piece: Piece<'a>) -> Piece<'a> {
        if piece.transport != Transport::TCP {
            return piece;
        }
        let read_to = &mut self.read_to[piece.from as usize];
        let missing = piece.offset.saturating_sub(*read_to);
        *read_to = piece.offset.saturating_add(piece.bytes.len() as u64);
        Piece { missing, ..piece }
    }

    /// The same piece, counted from the start of the flow again.
    fn of_flow<'a>(&self, piece: Piece<'a>) -> Piece<'a> {
        let base = if piece.transport == Transport::TCP { self.base[piece.from as usize] } else { 0 };
        Piece { offset: piece.offset.saturating_add(u64::from(base)), ..piece }
    }

    /// The part of a piece that belongs to the present protocol, counted from where that begins; none where all of it lies before.
    fn of_layer<'a>(&self, piece: Piece<'a>) -> Option<Piece<'a>> {
        let base = u64::from(self.base[piece.from as usize]);
        if piece.transport != Transport::TCP {
            return Some(piece);
        }
        if base <= piece.offset {
            return Some(Piece { offset: piece.offset - base, ..piece });
        }
        let before = usize::try_from(base - piece.offset).ok()?;
        let bytes = piece.bytes.get(before..).filter(|rest| !rest.is_empty())?;
        Some(Piece { bytes, offset: 0, missing: 0, ..piece })
    }

    /// Most flows are told by their first piece: then nothing need be kept.
    fn begin(&mut self, piece: Piece<'_>, setting: Setting, desk: &mut Desk<'_>) {
        let (found, refused) = Gathered::ask_first(&piece, setting);
        match found {
            Some(found) => {
                self.stage = Stage::Read(self.enter(found, piece.frame));
                self.feed(self.of_flow(piece), setting, desk);
            }
            None => self.settle(Box::new(Gathered::begin(&piece, refused)), None, Some(piece), setting, desk),
        }
    }

    /// Starts the reader of a protocol that was recognised; else goes on gathering, while there is hope.
    fn settle(&mut self, mut gathered: Box<Gathered>, found: Option<Recognised>, newest: Option<Piece<'_>>, setting: Setting, desk: &mut Desk<'_>) {
        let hopeless = gathered.is_hopeless(setting.transport);
        let Some(found) = found.or_else(|| if hopeless { gathered.conclude(setting) } else { None }) else {
            self.stage = if hopeless || newest.is_none() { Stage::Done } else { Stage::Unknown(gathered) };
            return;
        };
        let newest_frame = newest.filter(|piece| setting.transport != Transport::TCP && piece.from == found.hit.side).map(|piece| piece.frame);
        let frame = newest_frame.or_else(|| gathered.frame_of(found.hit.side, found.hit.offset)).or(newest.map(|piece| piece.frame)).unwrap_or_default();
        let base = self.base.map(u64::from);
        self.stage = Stage::Read(self.enter(found, frame));
        let mut last = None;
        for piece in gathered.pieces(setting) {
            last = Some((piece.frame, piece.offset, piece.bytes.len()));
            self.feed(Piece { offset: piece.offset.saturating_add(base[piece.from as usize]), ..piece }, setting, desk);
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
                self.feed(Piece { bytes: rest, offset, ..piece }, setting, desk);
            }
        }
    }

    fn enter(&mut self, found: Recognised, frame: FrameId) -> Box<dyn Reader> {
        let Recognised { protocol, evidence, mut hit, client } = found;
        hit.offset = hit.offset.saturating_add(self.base[hit.side as usize]);
        self.read_to = [0; 2];
        let spoken = &mut *self.spoken;
        spoken.protocol.push(protocol.name());
        spoken.matches.push(hit.at(frame));
        spoken.evidence = if spoken.protocol.len() == 1 { evidence } else { spoken.evidence.max(evidence) };
        self.client = self.client.or(client);
        protocol.reader()
    }

    fn follow(&mut self, appetite: Appetite, reader: Box<dyn Reader>) {
        self.stage = match appetite {
            Appetite::Hungry => Stage::Read(reader),
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

    /// Lets a reader speak and keeps what it says.
    fn listen<T>(&mut self, at: &Piece<'_>, desk: &mut Desk<'_>, speak: impl FnOnce(&mut Said<'_>) -> T) -> T {
        let result = speak(&mut Said { facts: desk.said, evidence: &mut self.spoken.evidence, wants_details: desk.details });
        // Most pieces say nothing.
        if !desk.said.is_empty() {
            self.keep_facts(desk, at.ends, (at.time, at.frame));
        }
        result
    }

    fn keep_facts(&mut self, desk: &mut Desk<'_>, ends: (Endpoint, Endpoint), (time, frame): (Timestamp, FrameId)) {
        let Desk { books, said, dropped, .. } = desk;
        let spoken = &mut *self.spoken;
        for (n, fact) in (0u32..).zip(said.drain(..)) {
            books.learn(&fact, ends, (time, frame, n.saturating_mul(STAMPS_A_FACT)));
            match fact {
                Fact::Inner(name) => {
                    if !spoken.protocol.contains(&name) && spoken.protocol.len() < limit::LAYERS {
                        spoken.protocol.push(name);
                    }
                }
                fact if spoken.knows(&fact) => {}
                fact if spoken.facts.len() >= limit::FACTS_KEPT => **dropped += u64::from(!spoken.finds_last_place(fact)),
                fact => {
                    if let Fact::Speaks { client } = fact {
                        self.client = Some(client);
                    }
                    // A flow states two or three: room for more would be most of what it holds.
                    if spoken.facts.len() == spoken.facts.capacity() {
                        spoken.facts.reserve_exact((spoken.facts.len() / 2).max(2));
                    }
                    spoken.facts.push(fact);
                }
            }
        }
    }

    fn conclude(mut self, mut flow: Flow, desk: &mut Desk<'_>) -> Box<Identified> {
        let setting = self.setting(&flow.parties());
        let stage = mem::take(&mut self.stage);
        if let Stage::Unknown(mut gathered) = stage {
            let found = gathered.conclude(setting);
            self.settle(gathered, found, None, setting, desk);
        } else {
            self.stage = stage;
        }
        if let Stage::Read(reader) = mem::take(&mut self.stage) {
            reader.finish(&mut Said { facts: desk.said, evidence: &mut self.spoken.evidence, wants_details: desk.details });
            self.keep_facts(desk, setting.ends, (flow.last, flow.last_frame));
        }
        let Self { mut spoken, client, midstream, .. } = self;
        if midstream {
            spoken.evidence = spoken.evidence.lowered();
        }
        let turn = client == Some(Side::Server) && flow.direction != Direction::Certain;
        if client.is_some() && flow.direction == Direction::Unknown {
            flow.direction = Direction::Likely;
        }
        // Where no opening tells, the judge weighs other flows and ports; content is better than these.
        let speaks = client.filter(|_| flow.direction != Direction::Certain).map(|client| Fact::Speaks { client });
        spoken.facts.extend(speaks.filter(|speaks| !spoken.facts.contains(speaks)));
        // It waits for its judgement.
        spoken.shrink();
        let mut identified = Box::new(Identified { flow, spoken, announced: None });
        if turn {
            identified.turn();
        }
        identified
    }
}

impl Identified {
    /// A flow that showed no payload.
    fn unknown(flow: Flow) -> Self {
        Self { flow, spoken: Box::default(), announced: None }
    }
}

impl Spoken {
    /// Whether the same was stated before; a request sent again is counted.
    fn knows(&mut self, fact: &Fact) -> bool {
        self.retries = self.retries.saturating_add(u32::from(*fact == Fact::Retry));
        self.facts.iter().take(limit::FACTS_KEPT).any(|known| known == fact)
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

    /// Gives back what room was kept for more.
    fn shrink(&mut self) {
        self.protocol.shrink_to_fit();
        self.matches.shrink_to_fit();
        self.facts.shrink_to_fit();
    }
}

/// Places in a frame's order that one fact takes: a name and its addresses.
const STAMPS_A_FACT: u32 = 256;
