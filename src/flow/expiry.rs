//! When to look at a flow again. A packet costs nothing here: the flow waits at its old deadline, and is put off from there if it was heard of since.

use std::collections::{BTreeMap, VecDeque};

use crate::time::Timestamp;

/// Flows by the second at which they are to be looked at, those of one second in the order in which they were entered.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    seconds: BTreeMap<i64, VecDeque<u32>>,
}

impl Agenda {
    /// Enters a flow for the second in which `deadline` lies; that second, for the flow to remember: an entry of another second is stale.
    pub fn enter(&mut self, slot: u32, deadline: Timestamp) -> i64 {
        let second = second_of(deadline);
        self.seconds.entry(second).or_default().push_back(slot);
        second
    }

    /// Takes the flows of the earliest second, if that is before `now`.
    pub fn due(&mut self, now: Timestamp) -> Option<(i64, Vec<u32>)> {
        let first = self.seconds.first_entry()?;
        (*first.key() < second_of(now)).then(|| first.remove_entry()).map(|(second, slots)| (second, slots.into()))
    }

    /// Takes the first flow of the earliest second. In a flood all of them may be of one, and the last is the one that an answer is on its way to.
    pub fn nearest(&mut self) -> Option<(i64, u32)> {
        loop {
            let mut first = self.seconds.first_entry()?;
            let second = *first.key();
            if let Some(slot) = first.get_mut().pop_front() {
                return Some((second, slot));
            }
            first.remove();
        }
    }
}

/// The second since the epoch in which a moment lies.
pub(super) fn second_of(time: Timestamp) -> i64 {
    time.nanos().div_euclid(1_000_000_000)
}
