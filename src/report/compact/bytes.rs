//! Room for a record's bytes, and texts in it.

use std::io::{self, Write};

use serde_json::Error;

/// Bytes in the making, with room beyond them that holds whatever was there before. A list that grows looks after its length and its memory at each
/// piece; here a piece of known length is a comparison and a few moves.
#[derive(Debug, Default)]
pub(super) struct Text {
    room: Vec<u8>,
    /// How many of them are written.
    len: usize,
}

impl Text {
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    #[inline(always)]
    pub(super) fn put(&mut self, piece: &[u8]) {
        if let Some(room) = self.take(piece.len()) {
            room.copy_from_slice(piece);
        }
    }

    /// The next bytes, to be written over. There is always room; that it is none where there is not spares looking for it again.
    #[inline(always)]
    pub(super) fn take(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let (begin, end) = (self.len, self.len + bytes);
        if end > self.room.len() {
            self.grow(end);
        }
        self.len = end;
        self.room.get_mut(begin..end)
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, least: usize) {
        self.room.resize(least.next_power_of_two().max(LEAST_ROOM), 0);
    }

    pub(super) fn written(&self) -> &[u8] {
        &self.room[..self.len]
    }

    /// The text; everything that is put here is one.
    pub(super) fn into_string(mut self) -> String {
        self.room.truncate(self.len);
        String::from_utf8(self.room).unwrap_or_default()
    }
}

/// For what serde_json writes.
impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A flow's record is seldom longer.
const LEAST_ROOM: usize = 2_048;

/// A word of ours, which needs no escape.
pub(super) fn word(out: &mut Text, word: &'static str) {
    quoted(out, word.as_bytes());
}

#[inline(always)]
fn quoted(out: &mut Text, text: &[u8]) {
    if let Some([begin, middle @ .., end]) = out.take(text.len() + 2) {
        (*begin, *end) = (b'"', b'"');
        copy(text, middle);
    }
}

/// Copies a text to room of its length. Most are a few bytes of a length that only their list knows: two moves that overlap are done before the library's copy is
/// called and has looked how to go about it.
#[inline(always)]
fn copy(text: &[u8], room: &mut [u8]) {
    if !(text.len() <= 32 && (copy_ends::<16>(text, room) || copy_ends::<8>(text, room) || copy_ends::<4>(text, room) || copy_ends::<2>(text, room))) {
        room.copy_from_slice(text);
    }
}

/// The first bytes and the last ones; whether there are as many, and none between them.
#[inline(always)]
fn copy_ends<const N: usize>(text: &[u8], room: &mut [u8]) -> bool {
    let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) else { return false };
    if text.len() > 2 * N {
        return false;
    }
    if let Some(begin) = room.first_chunk_mut() {
        *begin = *first;
    }
    if let Some(end) = room.last_chunk_mut() {
        *end = *last;
    }
    true
}

/// Any text.
///
/// # Errors
/// None: serde_json meets none here.
pub(super) fn text(out: &mut Text, text: &str) -> Result<(), Error> {
    if !is_plain(text.as_bytes()) {
        return serde_json::to_writer(out, text);
    }
    quoted(out, text.as_bytes());
    Ok(())
}

/// Whether a text stands in JSON as it is (RFC 8259, section 7): a piece at a time, the last one once more with some bytes of those before it.
fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<16>() {
        let (pieces, _) = text.as_chunks::<16>();
        return are_plain(last) && pieces.iter().all(are_plain);
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return to_escape(u64::from_le_bytes(*first)) | to_escape(u64::from_le_bytes(*last)) == 0;
    }
    // Of a text of fewer than eight, the rest is blank.
    to_escape(text.iter().fold(BLANKS, |word, byte| word << 8 | u64::from(*byte))) == 0
}

/// The same of sixteen bytes, written so that the compiler compares all of them at once.
#[inline(always)]
fn are_plain(bytes: &[u8; 16]) -> bool {
    !bytes.iter().fold(false, |found, byte| found | (*byte < b' ') | (*byte == b'"') | (*byte == b'\\'))
}

/// Not zero where one of the eight bytes is a control, a quotation mark or a backslash. A byte below `n` borrows when `n` is taken from it, and its own
/// highest bit was not set; what is borrowed further up changes nothing where nothing was found.
const fn to_escape(word: u64) -> u64 {
    let (quote, backslash) = (word ^ (EACH * b'"' as u64), word ^ (EACH * b'\\' as u64));
    ((word.wrapping_sub(BLANKS) & !word) | (quote.wrapping_sub(EACH) & !quote) | (backslash.wrapping_sub(EACH) & !backslash)) & (EACH * 0x80)
}

/// One in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;
/// Eight blanks, the first that needs no escape.
const BLANKS: u64 = EACH * b' ' as u64;
