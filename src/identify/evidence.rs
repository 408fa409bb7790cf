//! Which protocol an opening shows, and how far that is to be believed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{LazyLock, OnceLock};

use crate::identify::Evidence;
use crate::identify::protocol::{self, Gate, Hit, Opening, PROTOCOLS, Passes, Piece, Probe, Protocol};
use crate::net::{Side, Transport};

/// A protocol that said an opening is its own.
#[derive(Clone, Copy)]
pub(super) struct Recognised {
    pub(super) protocol: &'static dyn Protocol,
    pub(super) evidence: Evidence,
    pub(super) hit: Hit,
    pub(super) client: Option<Side>,
}

/// All protocols, those with the strongest kind of probe first: whoever is asked first and recognises an opening as well as can be need not be held against the rest.
static ASKED: LazyLock<Vec<&'static dyn Protocol>> = LazyLock::new(|| {
    let mut asked = PROTOCOLS.to_vec();
    asked.sort_by_key(|protocol| protocol.strength());
    asked
});

/// Which protocols have said that a stream cannot be theirs: one bit each, in the order of [`ASKED`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused(u128);

impl Refused {
    /// Those that have not refused, in order, each with its bit.
    fn others(self) -> impl Iterator<Item = (u128, &'static dyn Protocol)> {
        let (asked, mut left) = (&**ASKED, !self.0);
        std::iter::from_fn(move || {
            let protocol = asked.get(left.trailing_zeros() as usize)?;
            let bit = left & left.wrapping_neg();
            left ^= bit;
            Some((bit, *protocol))
        })
    }

    /// Refusals for all that no end of a stream tells: whoever of them would be told has been.
    pub(super) fn but_late(self) -> Self {
        Self(self.0 | *NEVER_LATE)
    }

    /// Refusals of a stream for its first bytes: a refusal is for good however the stream goes on, and nobody is as quick to refuse as the one who was asked about
    /// a byte or four before. Worked out when a first byte is met, and of four bytes as [remembered](Self::remember_beginning).
    pub(super) fn by_beginning(piece: &Piece<'_>, midstream: bool) -> Self {
        if let Some((_, key)) = key_of(piece, midstream)
            && let Some((known, refused)) = place_of(key).get()
            && *known == key
        {
            return *refused;
        }
        Self::by_first_byte(piece, midstream)
    }

    fn by_first_byte(piece: &Piece<'_>, midstream: bool) -> Self {
        Beginning::of(piece.bytes, piece.from, midstream).map_or_else(Self::default, |beginning| beginning.refused)
    }

    /// The first four bytes of a stream that was recognised by its first piece: most streams to come begin like one that came, `GET `, or a TLS record of some length.
    /// Random bytes are never recognised, so they take no places; where two share one the first has it.
    pub(super) fn remember_beginning(piece: &Piece<'_>, midstream: bool) {
        if let Some((four, key)) = key_of(piece, midstream) {
            place_of(key).get_or_init(|| (key, Self::by_first_byte(piece, midstream).of_beginning(&beginning(four, piece.from, midstream))));
        }
    }

    /// Who refuses a stream that begins like that, beside those that refuse it anyway.
    fn of_beginning(mut self, opening: &Opening<'_>) -> Self {
        self.add_strangers(opening.transport);
        for (bit, protocol) in self.others() {
            if protocol.probe(opening) == Probe::NotForUs {
                self.0 |= bit;
            }
        }
        debug_assert_eq!(self.doubts(&Opening { anywhere: false, ..*opening }), None, "refuses a stream because it runs at its port");
        self
    }

    /// The one of them that would not refuse the stream.
    fn doubts(self, opening: &Opening<'_>) -> Option<&'static str> {
        let refused = Self(self.0 & !STRANGERS[usize::from(opening.transport.0)].0);
        let mut asked = ASKED.iter().enumerate().filter(|(index, _)| refused.0 >> index & 1 == 1);
        asked.find(|(_, protocol)| protocol.probe(opening) != Probe::NotForUs).map(|(_, protocol)| protocol.name())
    }

    /// Refusals for all that do not run on the transport.
    fn add_strangers(&mut self, transport: Transport) {
        self.0 |= STRANGERS[usize::from(transport.0)].0;
    }

    /// The one of them that would recognise the opening after all.
    pub(super) fn hides(self, opening: &Opening<'_>) -> Option<&'static str> {
        let would = |protocol: &dyn Protocol| matches!(protocol.probe(opening), Probe::Found { .. });
        let refused = |index: usize| self.0 >> index & 1 == 1;
        let mut hidden = ASKED.iter().enumerate().filter(|(index, protocol)| refused(*index) && protocol.carriers().contains(&opening.transport));
        hidden.find(|(_, protocol)| would(**protocol)).map(|(_, protocol)| protocol.name())
    }

    /// Those that have not refused in `other`.
    pub(super) fn beyond(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn add(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    /// Whether nobody is left to ask.
    pub(super) fn is_everyone(self) -> bool {
        self.0.trailing_ones() as usize == PROTOCOLS.len()
    }
}

/// A stream of which nothing but its first bytes is known, wherever it runs, as a port is at best a reason to believe.
fn beginning(bytes: &[u8], from: Side, midstream: bool) -> Opening<'_> {
    let (client, server) = if from == Side::Client { (bytes, &[][..]) } else { (&[][..], bytes) };
    Opening { midstream, first: from, anywhere: true, ..Opening::of(Transport::TCP, client, server) }
}

/// What the protocols say of a stream for the first byte of one side.
struct Beginning {
    refused: Refused,
    /// Who can say nothing before that side has sent more.
    patient: Vec<Patient>,
}

/// Protocols that [wait](Probe::NotBefore) for as many bytes.
struct Patient {
    bits: u128,
    /// Of the side whose first byte it is, and of the other one.
    due: [u32; 2],
}

impl Beginning {
    /// Worked out when that byte is first met.
    fn of(bytes: &[u8], from: Side, midstream: bool) -> Option<&'static Self> {
        let first = bytes.first()?;
        Some(FIRST_BYTES[usize::from(midstream)][from as usize][usize::from(*first)].get_or_init(|| {
            let opening = beginning(std::slice::from_ref(first), from, midstream);
            let refused = Refused::default().of_beginning(&opening);
            let mut by_due: BTreeMap<[u32; 2], u128> = BTreeMap::new();
            for (bit, protocol) in refused.others() {
                if let Probe::NotBefore(due) = protocol.probe(&opening) {
                    *by_due.entry([due[from as usize], due[from.other() as usize]]).or_default() |= bit;
                }
            }
            Self { refused, patient: by_due.into_iter().map(|(due, bits)| Patient { bits, due }).collect() }
        }))
    }

    /// Those who wait for more than `len` bytes of that side.
    fn waiting(&self, len: usize) -> impl Iterator<Item = &Patient> {
        self.patient.iter().filter(move |patient| len < patient.due[0] as usize)
    }
}

/// Protocols that need not be asked about a stream, as what they said of the first byte of each side there is holds until one of them has sent more; and of how many bytes
/// of client and server, as far as one of `open` waits for them.
fn waiting(opening: &Opening<'_>, open: u128) -> (u128, [u32; 2]) {
    let of = |side: Side| Beginning::of(opening.side(side), side, opening.midstream);
    let bits = |side: Side, beginning: &Beginning| beginning.waiting(opening.side(side).len()).fold(0, |bits, patient| bits | patient.bits);
    let (client, server) = (of(Side::Client), of(Side::Server));
    let waiting = match (client, server) {
        (Some(client), Some(server)) => bits(Side::Client, client) & bits(Side::Server, server),
        (Some(client), None) => bits(Side::Client, client),
        (None, Some(server)) => bits(Side::Server, server),
        (None, None) => 0,
    };
    let mut due = [u32::MAX; 2];
    for (side, beginning) in [(Side::Client, client), (Side::Server, server)] {
        let is_alone = opening.side(side.other()).is_empty();
        for patient in beginning.into_iter().flat_map(|beginning| &beginning.patient).filter(|patient| patient.bits & waiting & open != 0) {
            due[side as usize] = due[side as usize].min(patient.due[0]);
            if is_alone {
                due[side.other() as usize] = due[side.other() as usize].min(patient.due[1]);
            }
        }
    }
    (waiting, due)
}

/// Asks the protocol that is at home at the lower of both ports about a first piece, which mostly makes asking all others needless: it is that one's also where another
/// could say as much. None where it does not find all that there is to find.
pub(super) fn at_home(opening: &Opening<'_>) -> Option<Recognised> {
    let protocol = protocol::at_home(opening.transport, opening.ends.0.port.min(opening.ends.1.port))?;
    match protocol.probe(opening) {
        Probe::Found { evidence, hit, client } if evidence == best_there_is(opening) => Some(Recognised { protocol, evidence, hit, client }),
        _ => None,
    }
}

/// What the openings of both sides, or of one where only that has come, can show at best.
const fn best_there_is(opening: &Opening<'_>) -> Evidence {
    if opening.client.is_empty() || opening.server.is_empty() { Evidence::OneOpening } else { Evidence::BothOpenings }
}

/// Asks the protocols that have not refused yet. Of several that match, the one with the strongest evidence, then with the strongest kind of
/// probe, then the first by name.
pub(super) fn recognise(opening: &Opening<'_>, refused: &mut Refused) -> Option<Recognised> {
    ask(opening, refused, &mut [u32::MAX; 2])
}

/// The same. Where it is nobody's yet `due` becomes the numbers of bytes of client and server, one of which a stream must have before anybody can say more.
pub(super) fn ask(opening: &Opening<'_>, refused: &mut Refused, due: &mut [u32; 2]) -> Option<Recognised> {
    let mut best: Option<Recognised> = None;
    *due = [u32::MAX; 2];
    refused.add_strangers(opening.transport);
    if refused.is_everyone() {
        return None;
    }
    let is_stream = opening.transport == Transport::TCP;
    let asked = if is_stream { *refused } else { Refused(GATES.closed(opening, refused.0)) };
    debug_assert_eq!(asked.beyond(*refused).hides(opening), None, "a gate is too narrow");
    *refused = asked;
    let (waiting, waits) = if is_stream { waiting(opening, !asked.0) } else { (0, [u32::MAX; 2]) };
    debug_assert_eq!(Refused(waiting & !asked.0).hides(opening), None, "told before it was due");
    *due = waits;
    let best_there_is = best_there_is(opening);
    for (bit, protocol) in Refused(asked.0 | waiting).others() {
        match protocol.probe(opening) {
            Probe::NotForUs => refused.0 |= bit,
            Probe::NeedMore => *due = [0; 2],
            Probe::NotBefore([client, server]) => *due = [due[0].min(client), due[1].min(server)],
            Probe::Found { evidence, hit, client } => {
                debug_assert!(evidence <= best_there_is, "{} sees more than there is", protocol.name());
                if best.as_ref().is_none_or(|known| known.evidence < evidence) {
                    best = Some(Recognised { protocol, evidence, hit, client });
                }
                if evidence == best_there_is {
                    break;
                }
            }
        }
    }
    best
}

/// Which datagrams each protocol is asked about: a bit each, worked out once.
struct Gates {
    /// By first byte: protocols that ask for others.
    bytes: [u128; 256],
    /// By first byte: which of the glances are left to throw.
    left: [u32; 256],
    /// What protocols look at beyond that.
    glances: Vec<Glance>,
    /// Which of the first eight bytes must be zero, and for whom.
    zeros: Vec<(u64, u128)>,
    /// Protocols that ask for ports, and which of them by port, in ascending order.
    ports: (u128, Vec<(u16, u128)>),
    /// Whether any of these ports ends in these six bits: hardly any port does.
    marks: u64,
}

/// What a protocol looks at, and at which ports it need not.
struct Glance {
    bit: u128,
    passes: Passes,
    ports: &'static [u16],
}

impl Gates {
    fn of_all() -> Self {
        let mut gates = Self { bytes: [0; 256], left: [0; 256], glances: Vec::new(), zeros: Vec::new(), ports: (0, Vec::new()), marks: 0 };
        let (mut by_port, mut zeros): (BTreeMap<u16, u128>, BTreeMap<u64, u128>) = Default::default();
        for (index, protocol) in ASKED.iter().enumerate() {
            let bit = 1 << index;
            match protocol.gate() {
                Gate::Any => {}
                Gate::Ports(ports) => {
                    gates.ports.0 |= bit;
                    ports.iter().for_each(|port| *by_port.entry(*port).or_default() |= bit);
                }
                Gate::Bytes(ranges) => gates.close_by_first(ranges, bit),
                Gate::BytesAnd(ranges, passes) => {
                    gates.close_by_first(ranges, bit);
                    gates.glances.push(Glance { bit, passes, ports: &[] });
                }
                Gate::Passes(passes) => gates.glances.push(Glance { bit, passes, ports: &[] }),
                Gate::PassesAway(passes, ports) => gates.glances.push(Glance { bit, passes, ports }),
                Gate::Zeros(places) => *zeros.entry(places.iter().fold(0, |mask, place| mask | 0xff << (8 * place))).or_default() |= bit,
            }
        }
        gates.marks = by_port.keys().fold(0, |marks, port| marks | mark(*port));
        gates.ports.1 = by_port.into_iter().collect();
        gates.zeros = zeros.into_iter().collect();
        for (left, closed) in gates.left.iter_mut().zip(gates.bytes) {
            let open = gates.glances.iter().enumerate().filter(|(_, glance)| closed & glance.bit == 0);
            *left = open.fold(0, |left, (place, _)| left | 1 << place);
        }
        gates
    }

    /// Closes a gate to all first bytes but these.
    fn close_by_first(&mut self, ranges: &[RangeInclusive<u8>], bit: u128) {
        let closed = |byte: u8| !ranges.iter().any(|range| range.contains(&byte));
        (0..=u8::MAX).zip(&mut self.bytes).filter(|(byte, _)| closed(*byte)).for_each(|(_, bits)| *bits |= bit);
    }

    /// Protocols whose gate is closed to what both sides sent, and those that are not asked anyway.
    fn closed(&self, opening: &Opening<'_>, refused: u128) -> u128 {
        let (asking, by_port) = &self.ports;
        let at = |port: u16| match self.marks & mark(port) {
            0 => 0,
            _ => by_port.binary_search_by_key(&port, |(port, _)| *port).map_or(0, |found| by_port[found].1),
        };
        let open = if opening.anywhere { u128::MAX } else { at(opening.ends.0.port) | at(opening.ends.1.port) };
        let closed = refused | asking & !open;
        match (opening.client, opening.server) {
            ([], []) => closed,
            (client, []) => self.closed_to(client, opening, closed),
            ([], server) => self.closed_to(server, opening, closed),
            (client, server) => self.closed_to(client, opening, closed) & self.closed_to(server, opening, closed),
        }
    }

    /// Protocols whose gate is closed to one side's datagram, beside those that are closed anyway.
    fn closed_to(&self, bytes: &[u8], opening: &Opening<'_>, closed: u128) -> u128 {
        let Some(first) = bytes.first() else { return u128::MAX };
        let mut closed = closed | self.bytes[usize::from(*first)];
        let head = bytes.first_chunk().map_or_else(|| padded(bytes), |head| u64::from_le_bytes(*head));
        for (zeros, bits) in &self.zeros {
            if head & zeros != 0 {
                closed |= bits;
            }
        }
        let mut left = self.left[usize::from(*first)];
        while let Some(glance) = self.glances.get(left.trailing_zeros() as usize) {
            left &= left.wrapping_sub(1);
            if closed & glance.bit == 0 && !(glance.passes)(bytes) && !opening.is_at(glance.ports) {
                closed |= glance.bit;
            }
        }
        closed
    }
}

/// The bit of the last six bits of a port.
const fn mark(port: u16) -> u64 {
    1 << (port & 63)
}

/// The first bytes of a datagram that has not eight of them: none of those that it lacks is zero.
#[cold]
fn padded(bytes: &[u8]) -> u64 {
    let mut head = [u8::MAX; size_of::<u64>()];
    head.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    u64::from_le_bytes(head)
}

/// Who is [not told late](Protocol::is_told_late).
static NEVER_LATE: LazyLock<u128> = LazyLock::new(|| {
    let never = ASKED.iter().enumerate().filter(|(_, protocol)| !protocol.is_told_late());
    never.fold(0, |bits, (index, _)| bits | 1 << index)
});

/// The first four bytes of a piece, where there are so many, with a number for them, who sent them and whether the start was seen.
fn key_of<'a>(piece: &Piece<'a>, midstream: bool) -> Option<(&'a [u8], u64)> {
    let four = piece.bytes.first_chunk::<4>()?;
    Some((four, u64::from(u32::from_be_bytes(*four)) << 2 | u64::from(midstream) << 1 | piece.from as u64))
}

/// Where what is known of the streams with that number lies. Its bits are spread by a multiplication with the golden ratio.
fn place_of(key: u64) -> &'static OnceLock<(u64, Refused)> {
    &BEGINNINGS[(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BEGINNINGS_BITS)) as usize]
}

/// Beginnings of four bytes, by the number of their key.
static BEGINNINGS: [OnceLock<(u64, Refused)>; 1 << BEGINNINGS_BITS] = [const { OnceLock::new() }; 1 << BEGINNINGS_BITS];
/// A thousand beginnings: few kinds of streams are met, and each begins in some ways.
const BEGINNINGS_BITS: u32 = 10;

/// By whether the start was seen, who spoke, and the byte.
static FIRST_BYTES: [[[OnceLock<Beginning>; 256]; 2]; 2] = [const { [const { [const { OnceLock::new() }; 256] }; 2] }; 2];

static GATES: LazyLock<Gates> = LazyLock::new(Gates::of_all);

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
        ASKED.iter().enumerate().filter(|(_, protocol)| runs_elsewhere(protocol)).for_each(|(index, _)| strangers.add(index));
    }
    strangers
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refuses_a_first_byte_at_its_port_refuses_it_anywhere() {
        let ways = [Side::Client, Side::Server].into_iter().flat_map(|from| [(from, false), (from, true)]);
        for (from, midstream) in ways {
            for first in 0..=u8::MAX {
                let byte = [first];
                let opening = Opening { anywhere: false, ..beginning(&byte, from, midstream) };
                let refused = Beginning::of(&byte, from, midstream).unwrap().refused;
                assert_eq!(refused.doubts(&opening), None, "{first:#04x} of the {from}");
            }
        }
    }

    #[test]
    fn who_waits_for_a_whole_header_is_asked_once_it_came_and_not_before() {
        // MongoDB wire protocol, "Standard Message Header": length, request, what it answers, OP_MSG (2013); little-endian.
        let header: [u8; 16] = [0x30, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0xdd, 0x07, 0, 0];
        let mongodb = ASKED.iter().position(|protocol| protocol.name() == "mongodb").map(|index| 1 << index).unwrap();
        for len in 1..=header.len() {
            let opening = Opening::of(Transport::TCP, &header[..len], &[]);
            let (bits, due) = waiting(&opening, mongodb);
            let found = recognise(&opening, &mut Refused::default()).map(|found| found.protocol.name());
            let expected = if len < header.len() { (mongodb, [16, 1], None) } else { (0, [u32::MAX; 2], Some("mongodb")) };
            assert_eq!((bits & mongodb, due, found), expected, "{len} bytes");
        }
    }
}
