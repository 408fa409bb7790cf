//! Packet time: nanoseconds since 1970-01-01T00:00:00Z, as captures stamp it.
//!
//! Nothing here reads a clock. The wall clock belongs to live capture alone.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A moment of packet time, in nanoseconds since the Unix epoch (UTC, no leap seconds, as pcap files count).
///
/// Covers the years 1677 to 2262; a capture that stamps beyond them is held at the edge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// The nanoseconds with their sign bit turned over, which keeps their order. The first of all moments is left out: so one that may be missing takes no more
    /// room than one that is there, and every live flow has some of these.
    NonZeroU64,
);

impl Timestamp {
    /// The epoch.
    pub const EPOCH: Self = Self::from_nanos(0);

    /// The moment `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        match NonZeroU64::new(nanos as u64 ^ SIGN) {
            Some(turned) => Self(turned),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// Seconds and nanoseconds after the epoch, held at the edge of the range.
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self::from_nanos(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos))
    }

    /// Midnight (UTC) of a day of the Gregorian calendar, the first month and day being 1; none where there is no such month, or the day is beyond 31.
    pub const fn from_date(year: i64, month: i64, day: i64) -> Option<Self> {
        if year < 0 || year > 9_999 || month < 1 || month > 12 || day < 1 || day > 31 {
            return None;
        }
        Some(Self::from_parts(days_from_civil(year, month, day) * SECONDS_PER_DAY, 0))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        (self.0.get() ^ SIGN) as i64
    }

    /// Whole minutes since the epoch.
    pub const fn minute(self) -> i64 {
        self.nanos().div_euclid(60 * NANOS_PER_SECOND)
    }

    /// Seconds since the epoch with nine fractional digits, as Wireshark prints `frame.time_epoch`: `1795222228.704927000`.
    pub fn epoch(self) -> String {
        let nanos = self.nanos().unsigned_abs();
        let sign = if self.nanos() < 0 { "-" } else { "" };
        format!("{sign}{}.{:09}", nanos / NANOS_PER_SECOND.unsigned_abs(), nanos % NANOS_PER_SECOND.unsigned_abs())
    }

    /// To the second, for people: `2026-11-20 15:24:54 UTC`.
    pub fn clock(self) -> String {
        self.rfc3339().as_str().get(..19).unwrap_or_default().replace('T', " ") + " UTC"
    }

    /// RFC 3339 in UTC with nine fractional digits, as it is displayed: for records, which have some of these for each flow.
    pub fn rfc3339(self) -> Rfc3339 {
        // Six numbers formatted one by one take as long as judging a flow. Years have four digits, as the range says.
        let (seconds, nanos) = (self.nanos().div_euclid(NANOS_PER_SECOND), self.nanos().rem_euclid(NANOS_PER_SECOND) as u32);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
        let (year, billionths) = (year as u32, nanos / 10);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        #[rustfmt::skip]
        let parts = [
            (0, year / 100), (2, year % 100), (5, month as u32), (8, day as u32), (11, second / 3600), (14, second / 60 % 60), (17, second % 60),
            (20, billionths / 1_000_000), (22, billionths / 10_000 % 100), (24, billionths / 100 % 100), (26, billionths % 100),
        ];
        for (place, number) in parts {
            [text[place], text[place + 1]] = two_digits(number);
        }
        text[28] = two_digits(nanos % 10)[1];
        Rfc3339(text)
    }

    /// Time since `earlier`; zero where `earlier` is later, as captures are not always in order.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The same in nanoseconds, for what is asked of every packet: a [`Duration`] is made by a division.
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        let nanos = self.nanos().saturating_sub(earlier.nanos());
        if nanos < 0 { 0 } else { nanos as u64 }
    }
}

impl Default for Timestamp {
    /// The epoch.
    fn default() -> Self {
        Self::from_nanos(0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.nanos()).finish()
    }
}

/// Nanoseconds of a length, as far as they can be counted.
const fn nanos(length: Duration) -> i64 {
    let seconds = if length.as_secs() > i64::MAX as u64 { i64::MAX } else { length.as_secs() as i64 };
    seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(length.subsec_nanos() as i64)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, length: Duration) -> Self {
        Self::from_nanos(self.nanos().saturating_add(nanos(length)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, length: Duration) -> Self {
        Self::from_nanos(self.nanos().saturating_sub(nanos(length)))
    }
}

/// RFC 3339 in UTC with nine fractional digits: `2026-11-20T15:24:54.277296000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rfc3339().as_str())
    }
}

/// The same, for records.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.rfc3339().as_str())
    }
}

/// A moment as text, without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339([u8; 30]);

impl Rfc3339 {
    /// The text.
    pub fn as_str(&self) -> &str {
        // Digits and signs.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A number below 100.
#[inline(always)]
fn two_digits(number: u32) -> [u8; 2] {
    PAIRS.get(number as usize).copied().unwrap_or(*b"00")
}

const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut number) = ([[0; 2]; 100], 0);
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01.
///
/// Counts in eras of 400 years (146,097 days) that begin on 1 March, so that the leap day is the last of its year.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date; the other way round of [`civil_from_days`].
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month_from_march) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SIGN: u64 = 1 << 63;
const SECONDS_PER_DAY: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_rfc_3339_with_nanoseconds() {
        let shown = |seconds, nanos| Timestamp::from_parts(seconds, nanos).to_string();
        assert_eq!(shown(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(shown(951_782_400, 1), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(shown(4_102_444_799, 999_999_999), "2099-12-31T23:59:59.999999999Z");
        assert_eq!(shown(-1, 0), "1969-12-31T23:59:59.000000000Z");
        assert_eq!(Timestamp::from_parts(1_795_222_494, 277_296_000).clock(), "2026-11-21 00:54:54 UTC");
    }

    #[test]
    fn seconds_since_the_epoch_have_nine_digits_behind_the_point() {
        let shown = |nanos| Timestamp::from_nanos(nanos).epoch();
        assert_eq!([shown(1_795_222_228_704_927_000), shown(1), shown(-1_500_000_000)], ["1795222228.704927000", "0.000000001", "-1.500000000"]);
    }

    #[test]
    fn a_date_is_midnight_of_its_day() {
        for (year, month, day, shown) in [(1970, 1, 1, "1970-01-01"), (2000, 2, 29, "2000-02-29"), (1999, 12, 31, "1999-12-31"), (2100, 3, 1, "2100-03-01")] {
            let date = Timestamp::from_date(year, month, day).map(|date| date.to_string());
            assert_eq!(date, Some(format!("{shown}T00:00:00.000000000Z")));
        }
        assert_eq!([Timestamp::from_date(2000, 13, 1), Timestamp::from_date(2000, 1, 0)], [None, None]);
    }

    #[test]
    fn time_since_a_later_moment_is_zero() {
        let (one, two) = (Timestamp::from_nanos(1), Timestamp::from_nanos(2));
        assert_eq!(two.since(one), Duration::from_nanos(1));
        assert_eq!(one.since(two), Duration::ZERO);
    }

    #[test]
    fn the_edges_of_the_range_hold() {
        let end = Timestamp::from_parts(i64::MAX, 1);
        assert_eq!(end + Duration::MAX, end);
        assert!(Timestamp::from_nanos(i64::MIN).to_string().starts_with("1677-09-21T"));
    }
}
