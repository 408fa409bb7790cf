//! Deciding by the openings of both sides: what most protocols' probes have in common.

use std::hash::BuildHasher;

use crate::identify::wire::{Held, begins, hold, may_begin};
use crate::identify::{Evidence, Fact};
use crate::limit;
use crate::net::{Side, Transport};

use super::{Appetite, Gate, Hit, Opening, Piece, Probe, Protocol, Reader, Said, Strength};

/// What one side's first bytes look like: where, how many bytes, and what about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Not like this protocol, whatever follows.
    No,
    /// Like it so far; too short to say.
    Short,
    /// The same, and there is nothing that would be believed of it before it has so many bytes.
    Before(u32),
    /// Like it, but too weak to be believed without the other side.
    Weak(u32, u32, &'static str),
    /// Proof by itself.
    Yes(u32, u32, &'static str),
}

impl Look {
    /// `Yes` with the rule where the condition holds for `len` bytes from the start, else `No`.
    pub const fn when(holds: bool, len: u32, rule: &'static str) -> Self {
        if holds { Self::Yes(0, len, rule) } else { Self::No }
    }

    /// `Yes` where the bytes begin with the word, whatever its case; `Short` while they may become it.
    pub fn word(bytes: &[u8], word: &[u8], rule: &'static str) -> Self {
        if begins(bytes, word) {
            Self::Yes(0, u32::try_from(word.len()).unwrap_or(u32::MAX), rule)
        } else if may_begin(bytes, word) {
            Self::Short
        } else {
            Self::No
        }
    }

    /// `Weak` with the rule where `len` bytes from the start [fit](super::talk::opens_with); `Short` where that cannot be said yet.
    pub const fn weakly(fit: Option<bool>, len: u32, rule: &'static str) -> Self {
        match fit {
            Some(true) => Self::Weak(0, len, rule),
            Some(false) => Self::No,
            None => Self::Short,
        }
    }

    /// The same, in need of the other side.
    pub const fn weak(self) -> Self {
        match self {
            Self::Yes(at, len, rule) => Self::Weak(at, len, rule),
            other => other,
        }
    }

    /// The same, proof only where an end has one of the protocol's ports.
    pub fn weak_unless_at(self, opening: &Opening<'_>, ports: &[u16]) -> Self {
        if opening.is_at(ports) { self } else { self.weak() }
    }

    const fn hit(self) -> Option<(u32, u32, &'static str)> {
        match self {
            Self::Weak(at, len, rule) | Self::Yes(at, len, rule) => Some((at, len, rule)),
            Self::No | Self::Short | Self::Before(_) => None,
        }
    }

    /// How many bytes there must be of what has `len` before more can be said of it; none where something was.
    fn least(self, len: usize) -> Option<u32> {
        match self {
            Self::Short => Some(u32::try_from(len).unwrap_or(u32::MAX).saturating_add(1)),
            Self::Before(least) => Some(least),
            _ => None,
        }
    }
}

impl Opening<'_> {
    /// Whether an end has one of these ports.
    #[inline]
    pub fn is_at(&self, ports: &[u16]) -> bool {
        let (client, server) = (self.ends.0.port, self.ends.1.port);
        self.anywhere || ports.iter().any(|port| *port == client || *port == server)
    }

    /// Whether it may begin with an answer, so that its sender was taken for the client.
    const fn may_be_turned(&self) -> bool {
        self.midstream || matches!(self.transport, Transport::UDP)
    }
}

/// What the opening of one side looks like.
pub type Rule = fn(&Opening<'_>, &[u8]) -> Look;

/// What a protocol runs on, and what all of its datagrams pass.
#[derive(Clone, Copy, Debug)]
pub enum Over {
    /// TCP.
    Streams,
    /// UDP.
    Datagrams(Gate),
    /// TCP or UDP.
    Either(Gate),
}

/// A protocol that is told by the openings of its two sides.
#[derive(Debug)]
pub struct Known {
    /// The name that records print.
    pub name: &'static str,
    /// What it runs on.
    pub over: Over,
    /// How the client opens.
    pub ask: Rule,
    /// How the server opens; none where both sides open alike, so that an opening does not tell whose it is.
    pub answer: Option<Rule>,
    /// What the rules rest on.
    pub strength: Strength,
    /// Reads on.
    pub reader: fn() -> Box<dyn Reader>,
}

impl Protocol for Known {
    fn name(&self) -> &'static str {
        self.name
    }

    fn carriers(&self) -> &'static [Transport] {
        match self.over {
            Over::Streams => &[Transport::TCP],
            Over::Datagrams(_) => &[Transport::UDP],
            Over::Either(_) => &[Transport::TCP, Transport::UDP],
        }
    }

    fn gate(&self) -> Gate {
        match self.over {
            Over::Streams => Gate::Any,
            Over::Datagrams(gate) | Over::Either(gate) => gate,
        }
    }

    fn strength(&self) -> Strength {
        self.strength
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        match self.together(opening, (opening.client, opening.server), Side::Client) {
            // Where both sides open alike, what was said of the only one there is was said of it either way.
            Probe::NotForUs if opening.may_be_turned() && !(opening.server.is_empty() && self.is_symmetric()) => {
                self.together(opening, (opening.server, opening.client), Side::Server)
            }
            straight => straight,
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        (self.reader)()
    }
}

impl Piece<'_> {
    /// The opening that rules see when a reader holds a later piece against them.
    const fn as_opening(&self, complete: bool) -> Opening<'_> {
        let empty: &[u8] = &[];
        let latest = (self.from, self.bytes);
        Opening {
            transport: self.transport,
            client: empty,
            server: empty,
            ends: self.ends.both(),
            anywhere: false,
            first: Side::Client,
            midstream: false,
            complete,
            latest,
            cut: [0; 2],
            heads: &[],
        }
    }
}

impl Known {
    fn answer_rule(&self) -> Rule {
        self.answer.unwrap_or(self.ask)
    }

    fn is_symmetric(&self) -> bool {
        self.answer.is_none()
    }

    /// What the openings of whoever asks and of whoever answers show together. Most flows are none of most protocols': a look at either side tells.
    #[inline(always)]
    fn together(&self, opening: &Opening<'_>, (client, server): (&[u8], &[u8]), asks: Side) -> Probe {
        let ask = look(opening, client, self.ask);
        if matches!(ask, Look::No) {
            return Probe::NotForUs;
        }
        let answer = look(opening, server, self.answer_rule());
        if matches!(answer, Look::No) && !matches!(ask, Look::Yes(..)) {
            return Probe::NotForUs;
        }
        // Few of those that are left are told yet.
        let (Some(client), Some(server)) = (ask.least(client.len()), answer.least(server.len())) else {
            return self.settle(opening, &ask, &answer, asks);
        };
        // Where this is refused the other way round is tried, which may tell sooner.
        match opening.complete {
            true => Probe::NotForUs,
            false if opening.may_be_turned() => Probe::NeedMore,
            // Nobody asks but the client where nothing is turned.
            false => Probe::NotBefore([client, server]),
        }
    }

    /// The same, of openings that were looked at, and one of which shows something.
    #[inline(never)]
    fn settle(&self, opening: &Opening<'_>, ask: &Look, answer: &Look, asks: Side) -> Probe {
        let (client, server) = (opening.side(asks), opening.side(asks.other()));
        // What either side could have sent does not tell who is who.
        let either = || {
            let fits = |bytes: &[u8], rule| !bytes.is_empty() && look(opening, bytes, rule) != Look::No;
            self.is_symmetric() || (client.is_empty() || fits(client, self.answer_rule())) && (server.is_empty() || fits(server, self.ask))
        };
        let found = |evidence, side, (offset, len, rule)| Probe::Found { evidence, hit: Hit { side, offset, len, rule }, client: (!either()).then_some(asks) };
        match (ask, answer, ask.hit(), answer.hit()) {
            (_, _, Some(hit), Some(_)) => found(Evidence::BothOpenings, asks, hit),
            (Look::Yes(..), _, Some(hit), _) => found(Evidence::OneOpening, asks, hit),
            (Look::Short | Look::Before(_), Look::Yes(..), _, Some(hit)) => found(Evidence::OneOpening, asks.other(), hit),
            (_, Look::No, ..) => Probe::NotForUs,
            _ if opening.complete => Probe::NotForUs,
            _ => Probe::NeedMore,
        }
    }
}

/// What one side's bytes look like by a rule.
#[inline(always)]
fn look(opening: &Opening<'_>, bytes: &[u8], rule: Rule) -> Look {
    if bytes.is_empty() {
        return Look::Short;
    }
    match rule(opening, bytes) {
        Look::Short | Look::Before(_) if opening.complete => Look::No,
        said => said,
    }
}

/// The reader of a protocol of which only the openings are of use: raises the evidence once the other side opened as it should, then stops.
#[derive(Debug)]
pub struct Confirm {
    protocol: &'static Known,
    held: [Held; 2],
    seen: [bool; 2],
    same: Option<SameRule>,
    /// What is the same of the client's first datagram.
    asked: Option<u64>,
}

/// Of a datagram, what is the same where it is sent again because nothing came; nothing of one that need not be answered.
pub type SameRule = fn(&[u8]) -> &[u8];

impl Confirm {
    /// A reader for a flow of this protocol.
    pub fn of(protocol: &'static Known) -> Box<dyn Reader> {
        Box::new(Self { protocol, held: Default::default(), seen: [false; 2], same: None, asked: None })
    }

    /// The same, and it tells what the client asks again before it was answered.
    pub fn asking(protocol: &'static Known, same: SameRule) -> Box<dyn Reader> {
        Box::new(Self { protocol, held: Default::default(), seen: [false; 2], same: Some(same), asked: None })
    }

    /// Whether the client's first datagram comes again.
    fn is_asked_again(&mut self, piece: &Piece<'_>) -> bool {
        let Some(same) = self.same.filter(|_| piece.from == Side::Client && piece.transport == Transport::UDP) else { return false };
        let same = same(piece.bytes);
        if same.is_empty() {
            return false;
        }
        let asks = foldhash::fast::FixedState::default().hash_one(same);
        *self.asked.get_or_insert(asks) == asks && self.seen[0]
    }
}

impl Reader for Confirm {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let side = piece.from as usize;
        if self.is_asked_again(&piece) {
            said.say(Fact::Retry);
        }
        if self.seen[side] || piece.bytes.is_empty() {
            return Appetite::Hungry;
        }
        let room = hold(&mut self.held[side], piece.bytes, limit::OPENING_TRIED);
        let opening = piece.as_opening(room < piece.bytes.len());
        let rule = if side == 0 { self.protocol.ask } else { self.protocol.answer_rule() };
        match rule(&opening, if opening.transport == Transport::UDP { piece.bytes } else { &self.held[side] }) {
            Look::Yes(..) | Look::Weak(..) => self.seen[side] = true,
            Look::Short | Look::Before(_) if room > 0 => return Appetite::Hungry,
            _ => return Appetite::Full,
        }
        self.held[side] = Held::new();
        if self.seen == [true, true] {
            said.believe(Evidence::BothOpenings);
            return Appetite::Full;
        }
        Appetite::Hungry
    }
}
