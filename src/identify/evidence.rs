//! Which protocol an opening shows, and how far that is to be believed.

use std::cmp::Reverse;
use std::sync::{LazyLock, OnceLock};

use crate::identify::Evidence;
use crate::identify::protocol::{Gate, Hit, Opening, PROTOCOLS, Piece, Probe, Protocol, Strength};
use crate::net::{Side, Transport};

/// A protocol that said an opening is its own.
#[derive(Clone, Copy)]
pub(super) struct Recognised {
    pub(super) protocol: &'static dyn Protocol,
    pub(super) evidence: Evidence,
    pub(super) hit: Hit,
    pub(super) client: Option<Side>,
}

/// Which protocols have said that a stream cannot be theirs: one bit each, in the order of [`PROTOCOLS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused(u128);

impl Refused {
    /// Those that have not refused, in order.
    fn others(self) -> impl Iterator<Item = usize> {
        let mut left = !self.0;
        std::iter::from_fn(move || {
            let index = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (index < PROTOCOLS.len()).then_some(index)
        })
    }

    /// Refusals of a stream for its first byte: a refusal is for good however the stream goes on, and nobody is as quick to refuse as the one who was asked about
    /// a byte before. Worked out when a byte is first met.
    pub(super) fn by_first_byte(piece: &Piece<'_>, midstream: bool) -> Self {
        let Some((first, _)) = piece.bytes.split_first() else { return Self::default() };
        let refused = &FIRST_BYTES[usize::from(midstream)][piece.from as usize][usize::from(*first)];
        *refused.get_or_init(|| {
            let bytes = std::slice::from_ref(first);
            let (client, server) = if piece.from == Side::Client { (bytes, &[][..]) } else { (&[][..], bytes) };
            let (mut at_home, mut away) = (Self::default(), Self::default());
            let opening = Opening { midstream, first: piece.from, ..Opening::of(Transport::TCP, client, server) };
            recognise(&Opening { anywhere: true, ..opening }, &mut at_home);
            recognise(&opening, &mut away);
            Self(at_home.0 & away.0)
        })
    }

    /// Refusals for all that do not run on the transport.
    fn add_strangers(&mut self, transport: Transport) {
        self.0 |= STRANGERS[usize::from(transport.0)].0;
    }

    /// Whether one of them would recognise the opening after all.
    pub(super) fn hides(self, opening: &Opening<'_>) -> bool {
        let would = |protocol: &dyn Protocol| matches!(protocol.probe(opening), Probe::Found { .. });
        let refused = |index: usize| self.0 >> index & 1 == 1;
        PROTOCOLS.iter().enumerate().any(|(index, protocol)| refused(index) && protocol.carriers().contains(&opening.transport) && would(*protocol))
    }

    fn add(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    /// Whether nobody is left to ask.
    pub(super) fn is_everyone(self) -> bool {
        self.0.count_ones() as usize == PROTOCOLS.len()
    }
}

/// Asks every protocol that has not refused yet. Of several that match, the one with the strongest evidence, then with the strongest kind of
/// probe, then the first by name.
pub(super) fn recognise(opening: &Opening<'_>, refused: &mut Refused) -> Option<Recognised> {
    let mut best: Option<(Rank, Recognised)> = None;
    refused.add_strangers(opening.transport);
    let asked = if opening.transport == Transport::TCP { *refused } else { Refused(refused.0 | GATES.closed(opening)) };
    debug_assert!(!Refused(asked.0 & !refused.0).hides(opening), "a gate is too narrow");
    for index in asked.others() {
        let protocol = PROTOCOLS[index];
        match protocol.probe(opening) {
            Probe::NotForUs => refused.add(index),
            Probe::NeedMore => {}
            Probe::Found { evidence, hit, client } => {
                let rank = (evidence, Reverse(protocol.strength()), Reverse(index));
                if best.as_ref().is_none_or(|(known, _)| *known < rank) {
                    best = Some((rank, Recognised { protocol, evidence, hit, client }));
                }
            }
        }
    }
    best.map(|(_, recognised)| recognised)
}

/// Which datagrams each protocol is asked about: a bit each, worked out once.
struct Gates {
    /// By first byte: protocols that ask for others.
    bytes: [u128; 256],
    /// Protocols that ask for ports.
    ports: Vec<(u128, &'static [u16])>,
}

impl Gates {
    fn of_all() -> Self {
        let mut gates = Self { bytes: [0; 256], ports: Vec::new() };
        for (index, protocol) in PROTOCOLS.iter().enumerate() {
            match protocol.gate() {
                Gate::Any => {}
                Gate::Ports(ports) => gates.ports.push((1 << index, ports)),
                Gate::Bytes(ranges) => {
                    let closed = |byte: u8| !ranges.iter().any(|range| range.contains(&byte));
                    (0..=u8::MAX).zip(&mut gates.bytes).filter(|(byte, _)| closed(*byte)).for_each(|(_, bits)| *bits |= 1 << index);
                }
            }
        }
        gates
    }

    /// Protocols whose gate is closed to what both sides sent.
    fn closed(&self, opening: &Opening<'_>) -> u128 {
        let of_side = |bytes: &[u8]| bytes.first().map_or(u128::MAX, |byte| self.bytes[usize::from(*byte)]);
        let by_bytes = match (opening.client, opening.server) {
            ([], []) => 0,
            (client, server) => of_side(client) & of_side(server),
        };
        self.ports.iter().filter(|(_, ports)| !opening.is_at(ports)).fold(by_bytes, |closed, (bit, _)| closed | bit)
    }
}

/// By whether the start was seen, who spoke, and the byte.
static FIRST_BYTES: [[[OnceLock<Refused>; 256]; 2]; 2] = [const { [const { [const { OnceLock::new() }; 256] }; 2] }; 2];

static GATES: LazyLock<Gates> = LazyLock::new(Gates::of_all);

type Rank = (Evidence, Reverse<Strength>, Reverse<usize>);

impl Evidence {
    /// One class less, as for a flow whose start was not seen; bytes that were seen stay one opening.
    pub(super) const fn lowered(self) -> Self {
        match self {
            Self::Dialogue => Self::BothOpenings,
            Self::BothOpenings => Self::OneOpening,
            other => other,
        }
    }
}

/// Who does not run on a transport, by its number: worked out once, as every flow would ask eighty protocols.
static STRANGERS: LazyLock<[Refused; 256]> = LazyLock::new(|| {
    let mut strangers = [Refused::default(); 256];
    for (number, strangers) in (0..=u8::MAX).zip(&mut strangers) {
        let runs_elsewhere = |protocol: &&dyn Protocol| !protocol.carriers().contains(&Transport(number));
        PROTOCOLS.iter().enumerate().filter(|(_, protocol)| runs_elsewhere(protocol)).for_each(|(index, _)| strangers.add(index));
    }
    strangers
});
