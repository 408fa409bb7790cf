//! Which protocol an opening shows, and how far that is to be believed.

use std::cmp::Reverse;

use crate::identify::Evidence;
use crate::identify::protocol::{Hit, Opening, PROTOCOLS, Probe, Protocol, Strength};
use crate::net::Side;

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
    fn has(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
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
    for (index, protocol) in PROTOCOLS.iter().copied().enumerate() {
        if refused.has(index) {
            continue;
        }
        if !protocol.carriers().contains(&opening.transport) {
            refused.add(index);
            continue;
        }
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
