//! What time it is, by the packets: a single one with a wrong date does not decide it.

use std::time::Duration;

use crate::time::Timestamp;

/// The latest moment that packets agree on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    now: Timestamp,
    /// The time of the last packet, where that was not believed.
    doubted: Timestamp,
}

impl Default for Clock {
    fn default() -> Self {
        Self { now: Self::NEVER, doubted: Self::NEVER }
    }
}

impl Clock {
    /// Before all packets.
    pub const NEVER: Timestamp = Timestamp::from_nanos(i64::MIN);

    /// The latest moment.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether it was one packet alone that said it is much later.
    pub fn is_in_doubt(&self) -> bool {
        self.doubted != Self::NEVER
    }

    /// Takes in a packet's time; whether it is believed. One that is far ahead of all before it may have a wrong date, and would end every flow: it is believed once
    /// the very next packet agrees.
    #[inline(always)]
    pub fn hear(&mut self, time: Timestamp) -> bool {
        let is_believed = time <= self.now + LEAP || self.doubted != Self::NEVER || self.now == Self::NEVER;
        self.doubted = if is_believed { Self::NEVER } else { time };
        if is_believed {
            self.now = self.now.max(time);
        }
        is_believed
    }

    /// No packet follows: nobody can speak against the last one.
    pub fn end(&mut self) {
        self.now = self.now.max(self.doubted);
    }

    /// It is surely as late as that.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }
}

/// How far ahead of all packets before it a single packet may be: longer than the pauses of a network, and nobody waits for a flow's end so long in vain.
const LEAP: Duration = Duration::from_secs(3_600);
