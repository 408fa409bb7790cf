//! The time of live packets. It goes on evenly, whatever somebody does to the clock on the wall.
//!
//! The kernel stamps packets with the wall clock. When that is stepped, by an hour say, timeouts would all fire at once, or never: the step is taken out of
//! the packets' times, and given back slowly, a tenth of the time that passes, until the times are the clock's again.
//!
//! A machine that slept has not been stepped: that time has passed for everybody else, too.

#[cfg(not(target_os = "linux"))]
use std::time::Instant;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// A clock without steps.
#[derive(Debug)]
pub struct Clock {
    /// When the two clocks were last looked at: the steady one, and the one on the wall, in nanoseconds since the epoch.
    looked: (i64, i64),
    correction: Correction,
}

/// What is taken out of the wall clock's time. All in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Correction {
    /// How far the wall clock was stepped ahead, as far as that was not given back.
    ahead: i64,
    /// The same before the last step: packets that waited in the kernel bear the old time.
    before: i64,
    /// Steps so far.
    steps: u64,
}

impl Clock {
    /// A clock that agrees with the one on the wall.
    pub fn start() -> Self {
        Self { looked: (steady(), wall()), correction: Correction::default() }
    }

    /// Looks at the clocks; the time.
    pub fn now(&mut self) -> Timestamp {
        let (steady, on_the_wall) = (steady(), wall());
        let passed = steady.saturating_sub(self.looked.0);
        self.looked.0 = steady;
        self.moved(passed, on_the_wall.saturating_sub(self.looked.1))
    }

    /// The time when so much has passed on the steady clock, and was shown by the one on the wall. Nanoseconds.
    pub(crate) fn moved(&mut self, passed: i64, shown: i64) -> Timestamp {
        self.correction.pass(passed, shown);
        self.looked.1 = self.looked.1.saturating_add(shown);
        Timestamp::from_nanos(self.looked.1.saturating_sub(self.correction.ahead))
    }

    /// A clock for tests, whose wall clock shows that time.
    #[cfg(test)]
    pub(crate) fn standing_at(wall: i64) -> Self {
        Self { looked: (steady(), wall), ..Self::start() }
    }

    /// The time of a packet that the kernel stamped with `nanos`.
    pub fn of_packet(&self, nanos: i64) -> Timestamp {
        Timestamp::from_nanos(self.correction.of_packet(nanos, self.looked.1))
    }

    /// How often the clock on the wall was stepped.
    pub const fn steps(&self) -> u64 {
        self.correction.steps
    }
}

impl Correction {
    /// `passed` on the steady clock, and `shown` by the wall clock meanwhile.
    fn pass(&mut self, passed: i64, shown: i64) {
        let jump = shown.saturating_sub(passed);
        if jump.abs() > STEP {
            self.before = self.ahead;
            self.ahead = self.ahead.saturating_add(jump);
            self.steps += 1;
        }
        let given_back = (passed / SLOWLY).min(self.ahead.abs());
        self.ahead -= given_back * self.ahead.signum();
    }

    fn of_packet(&self, nanos: i64, wall: i64) -> i64 {
        let now = wall.saturating_sub(self.ahead);
        let times = [self.ahead, self.before].map(|correction| nanos.saturating_sub(correction));
        times.into_iter().min_by_key(|time| time.abs_diff(now)).unwrap_or(nanos)
    }
}

/// A clock that nobody steps, and that goes on while the machine sleeps. Nanoseconds since whenever.
#[cfg(target_os = "linux")]
fn steady() -> i64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

/// Elsewhere whether it goes on while the machine sleeps is the system's affair.
#[cfg(not(target_os = "linux"))]
fn steady() -> i64 {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    i64::try_from(BEGUN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(i64::MAX)
}

fn wall() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, i64::wrapping_neg),
    }
}

/// A difference between the clocks beyond this is a step. Whoever disciplines a clock steps it for more than an eighth of a second (NTP), and slews it for less.
const STEP: i64 = 1_000_000_000;
/// One part in so many of the time that passes is given back.
const SLOWLY: i64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const HOUR: i64 = 3600 * SECOND;

    #[test]
    fn a_step_of_an_hour_is_taken_out_and_given_back_by_a_tenth_of_the_time() {
        for jump in [HOUR, -HOUR] {
            let mut correction = Correction::default();
            let (mut wall, mut last) = (1_000 * HOUR, 1_000 * HOUR);
            for second in 0..20_i64 {
                let shown = if second == 5 { SECOND + jump } else { SECOND };
                wall += shown;
                correction.pass(SECOND, shown);
                let passed = wall - correction.ahead - last;
                assert!((SECOND - SECOND / 10..=SECOND + SECOND / 10).contains(&passed), "second {second}: {passed}");
                last = wall - correction.ahead;
            }
            assert_eq!(correction.steps, 1);
            (0..36_000).for_each(|_| correction.pass(SECOND, SECOND));
            assert_eq!(correction.ahead, 0);
        }
    }

    // `suspend` stops CLOCK_MONOTONIC and not CLOCK_BOOTTIME (clock_gettime(2)).
    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_that_a_machine_sleeps_passes() {
        use rustix::time::{ClockId, clock_gettime};
        let boot = || clock_gettime(ClockId::Boottime);
        let (before, now, after) = (boot(), steady(), boot());
        let nanos = |time: rustix::time::Timespec| time.tv_sec * SECOND + time.tv_nsec;
        assert!((nanos(before)..=nanos(after)).contains(&now));
        let mut correction = Correction::default();
        correction.pass(8 * HOUR, 8 * HOUR);
        assert_eq!((correction.ahead, correction.steps), (0, 0));
    }

    #[test]
    fn a_packet_that_waited_through_a_step_keeps_its_place() {
        let mut correction = Correction::default();
        correction.pass(SECOND, SECOND + HOUR);
        let wall = 1_000 * HOUR + HOUR;
        let old = correction.of_packet(1_000 * HOUR - SECOND / 2, wall);
        let new = correction.of_packet(wall, wall);
        assert!((0..SECOND).contains(&(new - old)), "{}", new - old);
    }
}
