//! Bytes that were never captured, by when that showed.

use thin_vec::ThinVec;

use crate::flow::Packing;
use crate::net::Side;
use crate::time::Timestamp;

/// What of a connection was never captured in one stretch of time, both sides together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// The first and the last [minute](Timestamp::minute) in which that showed.
    pub minutes: [i64; 2],
    /// Bytes that were not captured.
    pub bytes: u64,
    /// Bytes that had been acknowledged when the first of them were missed, and when the last were.
    pub acknowledged: [u64; 2],
}

/// The same of all its life.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Missing {
    /// Bytes of client, of server.
    pub bytes: [u64; 2],
    pub stretches: ThinVec<Missed>,
}

impl Missing {
    /// Bytes of that side were never captured, which shows at `time`, when so many were `acknowledged`.
    pub fn note(&mut self, side: Side, bytes: u64, time: Timestamp, acknowledged: u64) {
        self.bytes[side as usize] = self.bytes[side as usize].saturating_add(bytes);
        let minute = time.minute();
        if let Some(latest) = self.stretches.last_mut().filter(|latest| minute <= latest.minutes[1]) {
            latest.bytes = latest.bytes.saturating_add(bytes);
            latest.acknowledged[1] = latest.acknowledged[1].max(acknowledged);
            return;
        }
        if self.stretches.len() >= STRETCHES {
            self.coarsen();
        }
        self.stretches.push(Missed { minutes: [minute; 2], bytes, acknowledged: [acknowledged; 2] });
    }

    pub fn pack(&mut self, packing: &mut impl Packing) {
        self.bytes.iter_mut().for_each(|bytes| packing.number(bytes));
        packing.list(&mut self.stretches, Missed::default, |packing, Missed { minutes, bytes, acknowledged }| {
            minutes.iter_mut().for_each(|minute| packing.signed(minute));
            [bytes].into_iter().chain(acknowledged).for_each(|bytes| packing.number(bytes));
        });
    }

    /// Two stretches become one.
    fn coarsen(&mut self) {
        let join = |pair: &[Missed]| match *pair {
            [one, other] => Missed {
                minutes: [one.minutes[0], other.minutes[1]],
                bytes: one.bytes.saturating_add(other.bytes),
                acknowledged: [one.acknowledged[0], other.acknowledged[1]],
            },
            _ => pair.first().copied().unwrap_or_default(),
        };
        self.stretches = self.stretches.chunks(2).map(join).collect();
    }
}

/// Stretches kept of a connection. One that misses something for longer than so many minutes keeps coarser ones.
const STRETCHES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> Timestamp {
        Timestamp::from_nanos(number * 60_000_000_000 + 1)
    }

    #[test]
    fn what_was_missed_in_one_minute_is_one_stretch() {
        let mut missing = Missing::default();
        missing.note(Side::Server, 1448, minute(3), 5_000);
        missing.note(Side::Client, 100, minute(3), 9_000);
        // A clock that goes back.
        missing.note(Side::Server, 10, minute(2), 9_500);
        missing.note(Side::Server, 1, minute(7), 10_000);
        assert_eq!(missing.bytes, [100, 1459]);
        let [first, second] = missing.stretches[..] else { panic!("{missing:?}") };
        assert_eq!(first, Missed { minutes: [3, 3], bytes: 1558, acknowledged: [5_000, 9_500] });
        assert_eq!(second, Missed { minutes: [7, 7], bytes: 1, acknowledged: [10_000, 10_000] });
    }

    #[test]
    fn a_connection_that_misses_something_for_hours_keeps_coarser_stretches_and_every_byte() {
        let mut missing = Missing::default();
        for number in 0..1_000 {
            missing.note(Side::Client, 7, minute(number), 100 * number.cast_unsigned());
        }
        assert!(missing.stretches.len() <= STRETCHES);
        assert_eq!(missing.stretches.iter().map(|missed| missed.bytes).sum::<u64>(), 7_000);
        assert_eq!((missing.stretches[0].minutes[0], missing.stretches.last().unwrap().minutes[1]), (0, 999));
        assert!(missing.stretches.windows(2).all(|pair| pair[0].minutes[1] < pair[1].minutes[0]));
    }
}
