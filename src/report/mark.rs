//! Numbers by which logs join their events: the same in every run, different for two connections between the same ends.

use sha1::{Digest, Sha1};

use crate::time::Timestamp;

/// The mark of a flow: a digest of its Community ID and of the time of its first packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark([u8; 20]);

impl Mark {
    /// The mark of the flow with this Community ID that began then.
    pub fn new(id: &str, first: Timestamp) -> Self {
        Self(Sha1::new().chain_update(id).chain_update(first.nanos().to_be_bytes()).finalize().into())
    }

    /// As a number that every reader of JSON keeps exactly: 53 bits, as those of IEEE 754 doubles (RFC 8259, section 6).
    pub fn number(self) -> u64 {
        let [a, b, c, d, e, f, g, ..] = self.0;
        u64::from_be_bytes([0, a, b, c, d, e, f, g]) >> 3
    }

    /// As Zeek's uids look: `C` and 96 bits in base 62.
    pub fn uid(self) -> String {
        let mut rest = self.0.iter().take(12).fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
        let mut letters = vec![b'C'];
        while rest > 0 {
            letters.push(LETTERS[(rest % 62) as usize]);
            rest /= 62;
        }
        letters.into_iter().map(char::from).collect()
    }
}

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

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
