//! Following a dialogue in lines.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::identify::wire::Lines;

use super::Piece;

/// Both sides' lines, and how far each has spoken.
#[derive(Debug, Default)]
pub struct Talk {
    lines: [Lines; 2],
}

impl Talk {
    /// Bytes kept of unfinished lines.
    pub fn held(&self) -> usize {
        self.lines.iter().map(Lines::held).sum()
    }

    /// The lines that this piece completes, each with the stream offset behind it.
    pub fn hear<'a>(&mut self, piece: &Piece<'a>) -> SmallVec<[(Cow<'a, [u8]>, u64); 2]> {
        let lines = &mut self.lines[piece.from as usize];
        if piece.missing > 0 {
            lines.lost();
        }
        let (mut rest, mut heard) = (piece.bytes, SmallVec::new());
        while let Some(line) = lines.next(&mut rest) {
            heard.push((line, piece.offset + (piece.bytes.len() - rest.len()) as u64));
        }
        heard
    }
}

/// The three-digit code that a reply line of FTP or SMTP begins with, and whether it is the last line of its reply (RFC 959 section 4.2).
pub fn reply(line: &[u8]) -> Option<(u32, bool)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?.parse().ok()?;
    match rest.first() {
        None | Some(b' ') => Some((code, true)),
        Some(b'-') => Some((code, false)),
        Some(_) => None,
    }
}

/// The word that a line begins with, in upper case, and what follows its blank.
pub fn verb(line: &[u8]) -> (String, &[u8]) {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    (String::from_utf8_lossy(word).to_ascii_uppercase(), rest.get(1..).unwrap_or_default())
}

/// Whether the first line is one of these words, alone or before a blank; `None` while it may still become one.
pub fn opens_with(bytes: &[u8], words: &[&str]) -> Option<bool> {
    debug_assert!(words.iter().all(|word| (1..=LONGEST_WORD).contains(&word.len())), "a word is longer than what is looked at, or empty");
    debug_assert!(words.iter().all(|word| word.as_bytes()[0].is_ascii_alphabetic()), "a word begins with no letter");
    // Nearly all openings begin otherwise than all of the words.
    let first = bytes.first()?.to_ascii_uppercase();
    let begins_so = |word: &&&str| word.as_bytes().first().is_some_and(|letter| letter & !CASE == first);
    if !first.is_ascii_uppercase() || !words.iter().any(|word| begins_so(&word)) {
        return Some(false);
    }
    let end = bytes.iter().take(LONGEST_WORD + 1).position(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let head = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    let fits = |word: &&str| {
        let word = word.as_bytes();
        if end.is_some() { head.eq_ignore_ascii_case(word) } else { crate::identify::wire::may_begin(head, word) && head.len() <= word.len() }
    };
    match (words.iter().filter(begins_so).any(fits), end) {
        (true, None) => None,
        (fits, _) => Some(fits),
    }
}

/// What tells a small letter from a large one.
const CASE: u8 = b'a' ^ b'A';
/// No command of any protocol is longer.
const LONGEST_WORD: usize = 24;
