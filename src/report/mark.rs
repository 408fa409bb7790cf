//! Numbers by which logs join their events: the same in every run, different for two connections between the same ends.

use sha1::{Digest, Sha1};
use smallvec::SmallVec;

use crate::time::Timestamp;

/// The mark of a flow: a digest of its Community ID and of the time of its first packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark([u8; 20]);

impl Mark {
    /// The mark of the flow with this Community ID that began then.
    pub fn new(id: &str, first: Timestamp) -> Self {
        // Gathered first, as hashing piece by piece costs more.
        let mut hashed: SmallVec<[u8; 64]> = SmallVec::from_slice(id.as_bytes());
        hashed.extend_from_slice(&first.nanos().to_be_bytes());
        Self(Sha1::digest(&hashed).into())
    }

    /// As a number that every reader of JSON keeps exactly: 53 bits, as those of IEEE 754 doubles (RFC 8259, section 6).
    pub fn number(self) -> u64 {
        let [a, b, c, d, e, f, g, ..] = self.0;
        u64::from_be_bytes([0, a, b, c, d, e, f, g]) >> 3
    }

    /// As Zeek's uids look: `C` and 96 bits in base 62.
    pub fn uid(self) -> String {
        let number = self.0.iter().take(12).fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
        let mut uid = String::with_capacity(18);
        uid.push('C');
        // Ten digits are divided off at once, as dividing 128 bits takes a hundred instructions. The lowest digit comes first; the highest is none.
        let (mut low, mut high) = ((number % TEN_DIGITS) as u64, (number / TEN_DIGITS) as u64);
        let mut lowest = if high > 0 { 10 } else { 0 };
        while low > 0 || lowest > 0 {
            uid.push(char::from(LETTERS[(low % 62) as usize]));
            (low, lowest) = (low / 62, if lowest > 0 { lowest - 1 } else { 0 });
        }
        while high > 0 {
            uid.push(char::from(LETTERS[(high % 62) as usize]));
            high /= 62;
        }
        uid
    }
}

/// The first number that has more than ten digits in base 62.
const TEN_DIGITS: u128 = 62_u128.pow(10);
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_the_number_in_base_62_lowest_digit_first() {
        let uid = |number: u128| {
            let mut mark = [0xff; 20];
            mark[..12].copy_from_slice(&number.to_be_bytes()[4..]);
            Mark(mark).uid()
        };
        assert_eq!([uid(0), uid(1), uid(61), uid(62), uid(62 * 62 + 10)], ["C", "C1", "Cz", "C01", "CA01"]);
        assert_eq!(uid(62_u128.pow(10) - 1), format!("C{}", "z".repeat(10)));
        assert_eq!(uid(62_u128.pow(10)), format!("C{}1", "0".repeat(10)));
        assert_eq!(uid(62_u128.pow(10) * 62 + 5), format!("C5{}01", "0".repeat(9)));
        assert_eq!(uid((1 << 96) - 1).len(), 18);
    }

    #[test]
    fn the_same_ends_at_another_time_have_another_mark() {
        let mark = |nanos| Mark::new("1:LQU9qZlK+B5F3KDmev6m5PMibrg=", Timestamp::from_nanos(nanos));
        assert_eq!(mark(1).uid(), mark(1).uid());
        assert_ne!(mark(1).uid(), mark(2).uid());
        assert_ne!(mark(1).number(), mark(2).number());
        assert!(mark(1).number() < 1 << 53);
        assert!(mark(1).uid().starts_with('C') && mark(1).uid().len() <= 18);
    }
}
