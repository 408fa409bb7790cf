//! Deciding by the openings of both sides: what most protocols' probes have in common.

use crate::identify::Evidence;
use crate::net::{Side, Transport};

use super::{Appetite, Hit, Opening, Piece, Probe, Protocol, Reader, Said, Strength};

/// What one side's first bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Not like this protocol, whatever follows.
    No,
    /// Like it so far; too short to say.
    Short,
    /// Like it: where, how many bytes, and what about them.
    Yes(u32, u32, &'static str),
}

impl Look {
    /// `Yes` with the rule where the condition holds for `len` bytes from the start, else `No`.
    pub const fn when(holds: bool, len: u32, rule: &'static str) -> Self {
        if holds { Self::Yes(0, len, rule) } else { Self::No }
    }
}

/// How much must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Either side's opening is proof by itself.
    Either,
    /// The client's opening is proof; the server's only confirms it.
    Client,
    /// Both openings must match, because each alone is too weak.
    Both,
    /// Both, or one where an end has one of these ports.
    BothOrPort(&'static [u16]),
}

/// A protocol that is told by the openings of its two sides.
#[derive(Debug)]
pub struct Known {
    /// The name that records print.
    pub name: &'static str,
    /// Transports it runs on.
    pub carriers: &'static [Transport],
    /// How the client opens.
    pub ask: fn(&Opening<'_>, &[u8]) -> Look,
    /// How the server opens.
    pub answer: fn(&Opening<'_>, &[u8]) -> Look,
    /// How much of it must match.
    pub needs: Needs,
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
        self.carriers
    }

    fn strength(&self) -> Strength {
        self.strength
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let straight = self.settle(opening, opening.client, opening.server, Side::Client);
        // A capture may begin with an answer: then its sender was taken for the client.
        let turned = opening.midstream || opening.transport == Transport::UDP;
        match straight {
            Probe::NotForUs if turned => self.settle(opening, opening.server, opening.client, Side::Server),
            other => other,
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
            ends: self.ends,
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
    fn settle(&self, opening: &Opening<'_>, client: &[u8], server: &[u8], asks: Side) -> Probe {
        let look = |bytes: &[u8], rule: fn(&Opening<'_>, &[u8]) -> Look| match rule(opening, bytes) {
            _ if bytes.is_empty() => Look::Short,
            Look::Short if opening.complete => Look::No,
            said => said,
        };
        let at_port = |ports: &[u16]| ports.contains(&opening.ends.0.port) || ports.contains(&opening.ends.1.port);
        let one_will_do = |side| match self.needs {
            Needs::Either => true,
            Needs::Client => side == asks,
            Needs::Both => false,
            Needs::BothOrPort(ports) => at_port(ports),
        };
        let found = |evidence, side, (offset, len, rule)| {
            let symmetric = std::ptr::fn_addr_eq(self.ask, self.answer);
            Probe::Found { evidence, hit: Hit { side, offset, len, rule }, client: (!symmetric).then_some(asks) }
        };
        match (look(client, self.ask), look(server, self.answer)) {
            (Look::Yes(a, b, c), Look::Yes(..)) => found(Evidence::BothOpenings, asks, (a, b, c)),
            (Look::Yes(a, b, c), _) if one_will_do(asks) => found(Evidence::OneOpening, asks, (a, b, c)),
            (Look::Short, Look::Yes(a, b, c)) if one_will_do(asks.other()) => found(Evidence::OneOpening, asks.other(), (a, b, c)),
            (Look::No, _) | (_, Look::No) => Probe::NotForUs,
            _ if opening.complete => Probe::NotForUs,
            _ => Probe::NeedMore,
        }
    }
}

/// The reader of a protocol of which only the openings are of use: raises the evidence once the other side opened as it should, then stops.
#[derive(Debug)]
pub struct Confirm {
    protocol: &'static Known,
    held: [Vec<u8>; 2],
    seen: [bool; 2],
}

impl Confirm {
    /// A reader for a flow of this protocol.
    pub fn of(protocol: &'static Known) -> Box<dyn Reader> {
        Box::new(Self { protocol, held: Default::default(), seen: [false; 2] })
    }
}

impl Reader for Confirm {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let side = usize::from(piece.from == Side::Server);
        if self.seen[side] || piece.bytes.is_empty() {
            return Appetite::Hungry;
        }
        let room = CONFIRM_KEPT.saturating_sub(self.held[side].len());
        self.held[side].extend_from_slice(piece.bytes.get(..room).unwrap_or(piece.bytes));
        let opening = piece.as_opening(room < piece.bytes.len());
        let rule = if side == 0 { self.protocol.ask } else { self.protocol.answer };
        match rule(&opening, if opening.transport == Transport::UDP { piece.bytes } else { &self.held[side] }) {
            Look::Yes(..) => self.seen[side] = true,
            Look::Short if room > 0 => return Appetite::Hungry,
            _ => return Appetite::Full,
        }
        self.held[side] = Vec::new();
        if self.seen == [true, true] {
            said.believe(Evidence::BothOpenings);
            return Appetite::Full;
        }
        Appetite::Hungry
    }
}

/// Opening bytes of one side that [`Confirm`] keeps: more than any rule looks at before it decides.
const CONFIRM_KEPT: usize = 512;
