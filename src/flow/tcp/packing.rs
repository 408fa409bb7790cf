//! A connection in few bytes while nothing is heard of it.

use std::num::NonZeroI64;

use super::{Connection, Half, State};
use crate::flow::Packing;
use crate::flow::packing::present;
use crate::time::Timestamp;

impl Connection {
    /// Packs it, or takes it out. `sent` is the payload that client and server sent.
    pub fn pack(&mut self, sent: [u64; 2], packing: &mut impl Packing) {
        let Self { ends, closed, story } = self;
        ends.iter_mut().for_each(|end| end.pack(packing));
        story.pack(sent, packing);
        let mut is_closed = closed.is_some();
        packing.flags([&mut is_closed]);
        present(is_closed, closed, || Timestamp::EPOCH).into_iter().for_each(|time| packing.time(time));
    }
}

impl Half {
    fn pack(&mut self, packing: &mut impl Packing) {
        let Self { last, acknowledged, fin, stream, start, state, previous, written, closed } = self;
        let mut has_fin = fin.is_some();
        packing.flags([closed, &mut has_fin]);
        packing.word(start);
        packing.signed(last);
        packing.near(acknowledged, *last);
        if let Some(fin) = present(has_fin, fin, || NonZeroI64::MIN) {
            let mut position = fin.get();
            packing.near(&mut position, *last);
            *fin = NonZeroI64::new(position).unwrap_or(NonZeroI64::MIN);
        }
        stream.pack(*last, packing);
        let mut states = *state as u8 * STATES.len() as u8 + *previous as u8;
        packing.byte(&mut states);
        let at = |number: u8| STATES.get(usize::from(number)).copied().unwrap_or_default();
        (*state, *previous) = (at(states / STATES.len() as u8), at(states % STATES.len() as u8));
        packing.byte(written);
    }
}

/// Each at its own number.
const STATES: [State; 7] = [State::Inactive, State::SynSent, State::SynAckSent, State::Partial, State::Established, State::Closed, State::Reset];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_stands_at_its_own_number() {
        assert!(STATES.iter().enumerate().all(|(number, state)| *state as usize == number), "{STATES:?}");
    }
}
