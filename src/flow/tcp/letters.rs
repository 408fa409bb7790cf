//! Which letters a segment adds to its flow's history.

use super::Half;
use crate::flow::History;
use crate::net::Side;

/// One more than before.
pub(super) fn counted(count: &mut u32) -> u32 {
    *count = count.saturating_add(1);
    *count
}

/// Writes the letters of one side.
pub(super) struct Letters<'a> {
    pub history: &'a mut History,
    pub side: Side,
}

impl Letters<'_> {
    fn write(&mut self, letter: u8) {
        self.history.push(if self.side == Side::Client { letter } else { letter.to_ascii_lowercase() });
    }

    /// The first of its kind.
    pub fn once(&mut self, end: &mut Half, kind: u8, letter: u8) {
        if end.written & kind == 0 {
            end.written |= kind;
            self.write(letter);
        }
    }

    /// The first of its kind, and each at another place than the one before.
    pub fn each(&mut self, end: &mut Half, kind: u8, mark: u32, at: i64, letter: u8) {
        if end.written & kind == 0 || mark != at as u32 {
            self.write(letter);
        }
        end.written |= kind;
    }

    /// The first, the tenth, the hundredth ... of its kind.
    pub fn scaled(&mut self, count: u32, letter: u8) {
        if count > 0 && 10_u32.checked_pow(count.ilog10()) == Some(count) {
            self.write(letter);
        }
    }
}

/// Zeek's pattern `\^?S[^HAFGIQ]*R.*`: a SYN and a RST of the client, and nothing in between that says more.
pub(super) fn is_aborted_attempt(history: &History) -> bool {
    let letters = history.as_str();
    let Some(after) = letters.strip_prefix('^').unwrap_or(letters).strip_prefix('S') else { return false };
    after.find('R').is_some_and(|reset| !after[..reset].contains(['H', 'A', 'F', 'G', 'I', 'Q']))
}
