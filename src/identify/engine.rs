//! Follows every live flow from its first bytes to the protocols it speaks. One identifier a shard; its flows lie in the table's slots.

mod glance;

use std::mem;

use smallvec::SmallVec;
use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::flow::{Data, Direction, Flow, Neighbour, Observer, Parties, Slot, Want};
use crate::identify::evidence::Recognised;
use crate::identify::gather::{Gathered, Setting};
use crate::identify::protocol::{Appetite, Piece, Reader, Said};
use crate::identify::{Begun, Books, Evidence, Fact, Identified, Match};
use crate::limit;
use crate::net::{Endpoint, Side, Transport};
use crate::time::Timestamp;

/// Identifies the flows of one shard.
pub struct Identifier<'b> {
    books: &'b Books,
    flows: Vec<Option<Box<Live>>>,
    closed: Vec<Identified>,
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
    pub const fn ended(&mut self) -> &mut Vec<Identified> {
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
        let live = place.get_or_insert_with(|| Box::new(Live { details: self.details, ..Live::default() }));
        let want = live.take(parties, data, self.books);
        self.facts_dropped += u64::from(mem::take(&mut live.dropped));
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
            Some(live) => live.conclude(flow, self.books, &mut self.facts_dropped),
            None => Identified::unknown(flow),
        });
    }

    fn neighbour(&mut self, neighbour: &Neighbour) {
        let has_room = self.neighbours.len() < limit::NEIGHBOURS_HELD;
        self.neighbours.extend(has_room.then_some(*neighbour));
        self.facts_dropped += u64::from(!has_room);
    }
}

/// What is known of a flow that sent payload. Its table never swaps the ends of a live flow; content may, at the end.
#[derive(Default)]
struct Live {
    stage: Stage,
    /// One is all that most flows have.
    layers: SmallVec<[&'static str; 1]>,
    evidence: Evidence,
    matches: SmallVec<[Match; 1]>,
    facts: ThinVec<Fact>,
    /// The latest answer beyond the facts kept.
    last_answer: Option<Box<Fact>>,
    /// How often a request was sent again.
    retries: u32,
    opening: [Begun; 2],
    /// Where the present protocol begins in each side's stream.
    base: [u32; 2],
    /// How far the present protocol's reader has come in each side's stream.
    read_to: [u64; 2],
    /// Who is the client by content.
    client: Option<Side>,
    /// Pieces so far, as far as they count.
    pieces: u8,
    midstream: bool,
    /// Whether details are stated.
    details: bool,
    /// Bytes that the stage held after the last piece.
    held: u32,
    dropped: u16,
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
    fn take(&mut self, parties: &Parties, data: Data<'_>, books: &Books) -> Want {
        let setting = self.setting(parties);
        let Data { from, bytes, offset, missing, time, frame, .. } = data;
        if self.pieces == 0 {
            self.midstream = data.midstream;
        }
        self.pieces = self.pieces.saturating_add(1);
        self.keep_opening(from, bytes, offset);
        let piece = Piece { from, bytes, offset, missing, time, frame, ends: setting.ends, transport: setting.transport };
        self.feed(piece, Setting { midstream: self.midstream, ..setting }, books);
        let silent = self.opening.iter().any(|opening| opening.is_empty()) && usize::from(self.pieces) < limit::PIECES_TRIED;
        if !matches!(self.stage, Stage::Done) || silent {
            return Want::More;
        }
        // Nothing more will be said of it while it lives, which may be hours.
        self.facts.shrink_to_fit();
        self.matches.shrink_to_fit();
        Want::Nothing
    }

    fn setting(&self, parties: &Parties) -> Setting {
        let Parties { transport, client, server } = *parties;
        Setting { transport, ends: (client, server), midstream: self.midstream }
    }

    fn keep_opening(&mut self, from: Side, bytes: &[u8], offset: u64) {
        let kept = &mut self.opening[from as usize];
        if offset == kept.len() as u64 {
            let room = kept.remaining_capacity().min(bytes.len());
            let _ = kept.try_extend_from_slice(&bytes[..room]);
        }
    }

    /// Gives a piece, whose offset counts from the start of the flow, to whoever is due. What lies beyond a hand-over goes to the next protocol.
    fn feed(&mut self, whole: Piece<'_>, setting: Setting, books: &Books) {
        for _ in 0..=limit::LAYERS {
            let Some(piece) = self.of_layer(whole) else { return };
            match mem::take(&mut self.stage) {
                Stage::Done => return self.stage = Stage::Done,
                Stage::Fresh => return self.begin(piece, setting, books),
                Stage::Unknown(mut gathered) => {
                    let found = gathered.add(&piece, setting);
                    return self.settle(gathered, found, Some(piece), setting, books);
                }
                Stage::Read(mut reader) => {
                    let piece = self.with_gap(piece);
                    let appetite = self.listen(piece, books, |said| reader.read(piece, said));
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
    fn begin(&mut self, piece: Piece<'_>, setting: Setting, books: &Books) {
        let (found, refused) = Gathered::ask_first(&piece, setting);
        match found {
            Some(found) => {
                self.stage = Stage::Read(self.enter(found, piece.frame));
                self.feed(self.of_flow(piece), setting, books);
            }
            None => self.settle(Box::new(Gathered::begin(&piece, refused)), None, Some(piece), setting, books),
        }
    }

    /// Starts the reader of a protocol that was recognised; else goes on gathering, while there is hope.
    fn settle(&mut self, mut gathered: Box<Gathered>, found: Option<Recognised>, newest: Option<Piece<'_>>, setting: Setting, books: &Books) {
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
            self.feed(Piece { offset: piece.offset.saturating_add(base[piece.from as usize]), ..piece }, setting, books);
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
                self.feed(Piece { bytes: rest, offset, ..piece }, setting, books);
            }
        }
    }

    fn enter(&mut self, found: Recognised, frame: FrameId) -> Box<dyn Reader> {
        let Recognised { protocol, evidence, mut hit, client } = found;
        hit.offset = hit.offset.saturating_add(self.base[hit.side as usize]);
        self.read_to = [0; 2];
        self.layers.push(protocol.name());
        self.matches.push(hit.at(frame));
        self.evidence = if self.layers.len() == 1 { evidence } else { self.evidence.max(evidence) };
        self.client = self.client.or(client);
        protocol.reader()
    }

    fn follow(&mut self, appetite: Appetite, reader: Box<dyn Reader>) {
        self.stage = match appetite {
            Appetite::Hungry => Stage::Read(reader),
            Appetite::Full => Stage::Done,
            Appetite::HandOver { client, server } if self.layers.len() < limit::LAYERS => {
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
    fn listen<T>(&mut self, at: Piece<'_>, books: &Books, speak: impl FnOnce(&mut Said<'_>) -> T) -> T {
        let mut facts = Vec::new();
        let result = speak(&mut Said { facts: &mut facts, evidence: &mut self.evidence, wants_details: self.details });
        // Most pieces say nothing.
        if !facts.is_empty() {
            self.keep_facts(facts, at.ends, (at.time, at.frame), books);
        }
        result
    }

    fn keep_facts(&mut self, facts: Vec<Fact>, ends: (Endpoint, Endpoint), (time, frame): (Timestamp, FrameId), books: &Books) {
        for (n, fact) in (0u32..).zip(facts) {
            books.learn(&fact, ends, (time, frame, n.saturating_mul(STAMPS_A_FACT)));
            match fact {
                Fact::Inner(name) => {
                    if !self.layers.contains(&name) && self.layers.len() < limit::LAYERS {
                        self.layers.push(name);
                    }
                }
                fact if self.is_known(&fact) => {}
                fact if self.facts.len() >= limit::FACTS_KEPT => self.pass_over(fact),
                fact => {
                    if let Fact::Speaks { client } = fact {
                        self.client = Some(client);
                    }
                    // A flow states two or three: room for more would be most of what it holds.
                    if self.facts.len() == self.facts.capacity() {
                        self.facts.reserve_exact(self.facts.len().max(2));
                    }
                    self.facts.push(fact);
                }
            }
        }
    }

    /// A fact that finds no room. The latest answer has a place of its own: how a long dialogue ended must not be lost for how it began.
    fn pass_over(&mut self, fact: Fact) {
        let is_answer = matches!(fact, Fact::Answer { .. });
        let lost = if is_answer { self.last_answer.replace(Box::new(fact)).is_some() } else { true };
        self.dropped = self.dropped.saturating_add(u16::from(lost));
    }

    /// Whether the same was stated before; a request sent again is counted.
    fn is_known(&mut self, fact: &Fact) -> bool {
        self.retries = self.retries.saturating_add(u32::from(*fact == Fact::Retry));
        self.facts.contains(fact)
    }

    fn conclude(mut self, mut flow: Flow, books: &Books, dropped: &mut u64) -> Identified {
        let setting = self.setting(&flow.parties());
        let stage = mem::take(&mut self.stage);
        if let Stage::Unknown(mut gathered) = stage {
            let found = gathered.conclude(setting);
            self.settle(gathered, found, None, setting, books);
        } else {
            self.stage = stage;
        }
        if let Stage::Read(reader) = mem::take(&mut self.stage) {
            let mut facts = Vec::new();
            reader.finish(&mut Said { facts: &mut facts, evidence: &mut self.evidence, wants_details: self.details });
            self.keep_facts(facts, setting.ends, (flow.last, flow.last_frame), books);
        }
        *dropped += u64::from(self.dropped);
        let Self { layers: mut protocol, evidence, mut matches, mut facts, last_answer, retries, opening, client, midstream, .. } = self;
        let evidence = if midstream { evidence.lowered() } else { evidence };
        let turn = client == Some(Side::Server) && flow.direction != Direction::Certain;
        if client.is_some() && flow.direction == Direction::Unknown {
            flow.direction = Direction::Likely;
        }
        facts.extend(last_answer.map(|last| *last));
        // Held until the last packet of the capture: room that was kept for more is given back.
        protocol.shrink_to_fit();
        matches.shrink_to_fit();
        facts.shrink_to_fit();
        let mut identified = Identified { flow, protocol, evidence, matches, facts, retries, announced: None, opening };
        if turn {
            identified.turn();
        }
        identified
    }
}

impl Identified {
    /// A flow that showed no payload.
    fn unknown(flow: Flow) -> Self {
        let opening = Default::default();
        Self {
            flow,
            protocol: SmallVec::new(),
            evidence: Evidence::None,
            matches: SmallVec::new(),
            facts: ThinVec::new(),
            retries: 0,
            announced: None,
            opening,
        }
    }
}

/// Places in a frame's order that one fact takes: a name and its addresses.
const STAMPS_A_FACT: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{End, Ended, History};

    fn flow(transport: Transport, direction: Direction) -> Flow {
        let end = |host, port| {
            let endpoint = Endpoint { ip: std::net::IpAddr::from([10, 0, 0, host]), port };
            End { endpoint, packets: 1, bytes: 0, payload_bytes: 0, ttl: 64, mac: None, first: None, last: None }
        };
        let (time, frame) = (Timestamp::default(), FrameId::default());
        Flow {
            transport,
            client: end(1, 50_000),
            server: end(2, 50_001),
            direction,
            first: time,
            last: time,
            first_frame: frame,
            last_frame: frame,
            history: History::default(),
            state: None,
            vlan: Default::default(),
            tunnel: Default::default(),
            interface: 0,
            link: None,
            tcp: None,
            rejections: Vec::new(),
            icmp: None,
            ended: Ended::CaptureEnd,
        }
    }

    /// Runs a dialogue of one flow; the frames count from 1.
    fn run(flow: &Flow, midstream: bool, dialogue: &[(Side, &[u8])]) -> (Identified, Vec<Want>, Books) {
        let books = Books::default();
        let (mut identifier, mut offsets, mut wants) = (Identifier::new(&books), [0u64; 2], Vec::new());
        identifier.opened(Slot(3));
        for (number, (from, bytes)) in (1..).zip(dialogue) {
            let offset = offsets[*from as usize];
            offsets[*from as usize] += if flow.transport == Transport::TCP { bytes.len() as u64 } else { 1 };
            let (time, frame) = (Timestamp::from_parts(number as i64, 0), FrameId { file: 0, number });
            wants.push(identifier.data(Slot(3), &flow.parties(), Data { from: *from, bytes, offset, missing: 0, midstream, time, frame, ttl: 64 }));
        }
        identifier.closed(Slot(3), flow.clone());
        let identified = identifier.ended().remove(0);
        (identified, wants, books)
    }

    fn hello() -> Vec<u8> {
        let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0]].concat();
        [&[22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8][..], &body].concat()
    }

    const CONNECT: &[u8] = b"CONNECT broker.example:8883 HTTP/1.1\r\n\r\n";
    const CONNECTED: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

    #[test]
    fn what_a_reader_held_back_is_said_at_the_end_of_its_flow() {
        let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01";
        let mut asked = flow(Transport::UDP, Direction::Certain);
        asked.server.endpoint.port = 53;
        assert!(run(&asked, false, &[(Side::Client, question)]).0.facts.contains(&Fact::Unanswered { name: "a.example".into() }));
    }

    #[test]
    fn what_is_known_of_a_live_flow_fits_a_block_that_allocators_have() {
        assert!(size_of::<Live>() <= 240, "{} bytes", size_of::<Live>());
    }

    #[test]
    fn behind_a_proxy_the_inner_protocol_is_found_where_it_begins() {
        let hello = hello();
        for cut in 1..hello.len() {
            let dialogue = [(Side::Client, CONNECT), (Side::Server, CONNECTED), (Side::Client, &hello[..cut]), (Side::Client, &hello[cut..])];
            let (identified, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &dialogue);
            assert_eq!(*identified.protocol, ["http", "tls"], "cut at {cut}");
            assert_eq!(identified.matches[1].offset, CONNECT.len() as u32);
        }
    }

    #[test]
    fn an_opening_in_single_bytes_is_found_and_read_from_its_beginning() {
        let pieces: Vec<_> = CONNECT.chunks(5).map(|piece| (Side::Client, piece)).collect();
        let (identified, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &pieces);
        assert_eq!(*identified.protocol, ["http"]);
        assert!(identified.facts.contains(&Fact::Request { method: "CONNECT".into(), path: "broker.example:8883".into() }));
        assert_eq!(&*identified.opening[0], &CONNECT[..limit::OPENING_KEPT]);
    }

    #[test]
    fn content_turns_a_flow_whose_direction_is_not_certain() {
        let dialogue = [(Side::Client, b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n".as_slice())];
        let (turned, ..) = run(&flow(Transport::TCP, Direction::Unknown), true, &dialogue);
        assert_eq!((turned.flow.client.endpoint.port, turned.flow.direction), (50_001, Direction::Likely));
        assert!(turned.facts.contains(&Fact::Software { of: Side::Server, text: "x".into() }));
        assert_eq!((turned.matches[0].side, turned.opening[1].len()), (Side::Server, dialogue[0].1.len()));
        let (kept, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &dialogue);
        assert_eq!(kept.flow.client.endpoint.port, 50_000);
    }

    #[test]
    fn how_a_long_dialogue_was_refused_at_last_is_kept_beyond_the_bound() {
        let asked: Vec<String> = (0..2 * limit::FACTS_KEPT).map(|n| format!("GET /{n} HTTP/1.1\r\n\r\n")).collect();
        let refusals = ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"];
        let asks = asked.iter().map(|text| (Side::Client, text.as_bytes()));
        let dialogue: Vec<_> = asks.chain(refusals.iter().map(|text| (Side::Server, text.as_bytes()))).collect();
        let (identified, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &dialogue);
        assert_eq!(identified.facts.len(), limit::FACTS_KEPT + 1);
        assert!(matches!(identified.facts.last(), Some(Fact::Answer { code: 403, .. })), "{:?}", identified.facts.last());
    }

    #[test]
    fn a_flow_whose_start_was_not_seen_is_believed_one_class_less() {
        let dialogue = [(Side::Client, CONNECT), (Side::Server, CONNECTED)];
        assert_eq!(run(&flow(Transport::TCP, Direction::Certain), false, &dialogue).0.evidence, Evidence::Dialogue);
        assert_eq!(run(&flow(Transport::TCP, Direction::Certain), true, &dialogue).0.evidence, Evidence::BothOpenings);
    }

    #[test]
    fn a_flow_that_nobody_knows_is_given_up_and_keeps_its_opening() {
        let junk = [0xf5u8; 600];
        let dialogue: Vec<_> = (0..12).map(|n| (if n % 2 == 0 { Side::Client } else { Side::Server }, junk.as_slice())).collect();
        for transport in [Transport::TCP, Transport::UDP] {
            let (identified, wants, _) = run(&flow(transport, Direction::Certain), false, &dialogue);
            assert_eq!((identified.protocol.len(), identified.evidence), (0, Evidence::None));
            assert_eq!(wants.last(), Some(&Want::Nothing));
            assert_eq!(identified.opening.each_ref().map(|kept| kept.len()), [limit::OPENING_KEPT; 2]);
        }
    }

    #[test]
    fn what_openings_hold_together_has_a_bound_and_is_given_back() {
        let books = Books::default();
        let mut identifier = Identifier::new(&books).within(10_000);
        let flow = flow(Transport::UDP, Direction::Certain);
        let junk = [0xf5_u8; 1_000];
        let piece = |number: u64| {
            let (time, frame) = (Timestamp::from_parts(number as i64, 0), FrameId { file: 0, number });
            Data { from: Side::Client, bytes: &junk, offset: number, missing: 0, midstream: false, time, frame, ttl: 64 }
        };
        for slot in 0..20 {
            identifier.opened(Slot(slot));
            identifier.data(Slot(slot), &flow.parties(), piece(0));
        }
        // Each takes a thousand bytes and its lists.
        assert!((10..20).contains(&identifier.given_up()), "{}", identifier.given_up());
        (0..20).for_each(|slot| identifier.closed(Slot(slot), flow.clone()));
        assert_eq!(identifier.budget, 10_000);
    }

    #[test]
    fn a_datagram_after_others_that_say_nothing_is_still_found() {
        let announcement = b"NOTIFY * HTTP/1.1\r\nLOCATION: http://10.0.0.9:80/\r\nNT: x\r\n\r\n";
        let (identified, _, books) = run(&flow(Transport::UDP, Direction::Certain), false, &[(Side::Client, &[0xf5; 40]), (Side::Client, announcement)]);
        assert_eq!((identified.protocol.as_slice(), identified.matches[0].frame.number), (&["ssdp"][..], 2));
        let (anyone, server) = (std::net::IpAddr::from([10, 0, 0, 77]), Endpoint { ip: std::net::IpAddr::from([10, 0, 0, 9]), port: 80 });
        assert!(books.announced(Transport::TCP, anyone, server, Timestamp::from_parts(3, 0)).is_some());
        assert!(books.announced(Transport::TCP, anyone, server, Timestamp::from_parts(1, 0)).is_none());
    }
}
