//! Reading fields, lines and messages from bytes that may end anywhere. Nothing here knows a protocol.

use std::borrow::Cow;
use std::ops::Deref;

use crate::limit;

/// A place in some bytes. Every step gives `None` where the bytes end first, and then stays where it was.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the first byte.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were passed.
    #[inline]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What is left.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// The next `many` bytes.
    #[inline]
    pub fn take(&mut self, many: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..many)?;
        self.at += many;
        Some(taken)
    }

    /// The next `N` bytes, as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = *self.rest().first_chunk()?;
        self.at += N;
        Some(taken)
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Two bytes, big endian.
    #[inline]
    pub fn be16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three bytes, big endian.
    #[inline]
    pub fn be24(&mut self) -> Option<u32> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Four bytes, big endian.
    #[inline]
    pub fn be32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Two bytes, little endian.
    #[inline]
    pub fn le16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Three bytes, little endian.
    pub fn le24(&mut self) -> Option<u32> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Four bytes, little endian.
    #[inline]
    pub fn le32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Bytes up to a NUL, which is passed too.
    pub fn until_nul(&mut self) -> Option<&'a [u8]> {
        let len = memchr::memchr(0, self.rest())?;
        let text = self.take(len)?;
        self.at += 1;
        Some(text)
    }
}

/// Text from the wire for people: what is not [printable](is_unprintable) and broken UTF-8 replaced, ends trimmed, at most [`limit::TEXT_KEPT`] bytes read.
pub fn printable(bytes: &[u8]) -> Box<str> {
    shown(bytes).into()
}

/// The same text, for whoever makes a longer one of it: lent where it needs no change.
pub fn shown(bytes: &[u8]) -> Cow<'_, str> {
    let cut = bytes.get(..limit::TEXT_KEPT).unwrap_or(bytes);
    if is_plain(cut)
        && let Ok(text) = std::str::from_utf8(cut)
    {
        return Cow::Borrowed(text.trim_ascii());
    }
    let text: String = String::from_utf8_lossy(cut).chars().map(|c| if is_unprintable(c) { ' ' } else { c }).collect();
    match text.trim() {
        all if all.len() == text.len() => Cow::Owned(text),
        trimmed => Cow::Owned(trimmed.to_owned()),
    }
}

/// [`printable`] of what is text already.
pub fn printable_text(text: &str) -> Box<str> {
    shown_text(text).into()
}

/// [`shown`] of what is text already.
pub fn shown_text(text: &str) -> Cow<'_, str> {
    let cut = text.get(..limit::TEXT_KEPT).unwrap_or(text);
    if cut.len() <= limit::TEXT_KEPT && is_plain(cut.as_bytes()) { Cow::Borrowed(cut.trim_ascii()) } else { shown(text.as_bytes()) }
}

/// Nearly all text is plain ASCII; looked at without a branch a byte.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, byte| plain & matches!(byte, 0x20..0x7f))
}

/// Whether a character commands a terminal or rearranges what stands around it instead of being seen: controls, line and paragraph separators,
/// zero-width and bidirectional formatting, tags (Unicode general categories Cc, Zl, Zp and Cf).
pub fn is_unprintable(c: char) -> bool {
    let formats = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || formats || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Bytes in hexadecimal, two lower-case digits each.
pub fn in_hex(bytes: &[u8]) -> String {
    let mut text = vec![0; 2 * bytes.len()];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        (pair[0], pair[1]) = (HEX_DIGITS[usize::from(byte >> 4)], HEX_DIGITS[usize::from(byte & 0x0f)]);
    }
    // Digits are ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// The digit of a number below 16.
pub fn hex_digit(nibble: u8) -> char {
    char::from(HEX_DIGITS[usize::from(nibble & 0x0f)])
}

/// Bytes kept until there are more: eight bytes while there are none, as is most of the time.
#[derive(Clone, Debug, Default)]
#[expect(clippy::box_collection, reason = "a vector has three times the size, and most flows never hold anything; a thin vector takes bytes one by one")]
pub struct Held(Option<Box<Vec<u8>>>);

impl Held {
    /// Nothing.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Bytes that there is room for.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |bytes| bytes.capacity())
    }

    /// What is held.
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Adds bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.get_or_insert_default().extend_from_slice(bytes);
        }
    }

    /// Makes room for so many more, and for no others.
    pub fn reserve_exact(&mut self, more: usize) {
        if more > 0 {
            self.0.get_or_insert_default().reserve_exact(more);
        }
    }

    /// Keeps the first so many.
    pub fn truncate(&mut self, len: usize) {
        if let Some(bytes) = &mut self.0 {
            bytes.truncate(len);
        }
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// The bytes.
    pub fn into_vec(self) -> Vec<u8> {
        self.0.map(|bytes| *bytes).unwrap_or_default()
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl From<&[u8]> for Held {
    fn from(bytes: &[u8]) -> Self {
        let mut held = Self::new();
        held.reserve_exact(bytes.len());
        held.extend_from_slice(bytes);
        held
    }
}

/// Adds to what is held as much of the bytes as `most` allows; how much room there was before.
pub fn hold(held: &mut Held, bytes: &[u8], most: usize) -> usize {
    let room = most.saturating_sub(held.len());
    held.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    room
}

/// A host name from the wire as the name book wants it: lower case, no trailing dot; none where the bytes are no name.
pub fn host_name(bytes: &[u8]) -> Option<Box<str>> {
    std::str::from_utf8(host_part(bytes)?).ok().and_then(host_name_of)
}

/// The same of what is text already.
pub fn host_name_of(text: &str) -> Option<Box<str>> {
    let text = text.get(..host_part(text.as_bytes())?.len())?;
    if text.bytes().all(|byte| IN_HOST_NAMES[usize::from(byte)]) {
        return Some(text.to_ascii_lowercase().into());
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!text.is_ascii() && text.chars().all(allowed)).then(|| text.to_lowercase().into())
}

/// The same of a text that nobody else wants: mostly it is the name as it stands.
pub fn as_host_name(text: Box<str>) -> Option<Box<str>> {
    let is_one = host_part(text.as_bytes())?.len() == text.len() && text.bytes().all(|byte| IN_HOST_NAMES[usize::from(byte)] && !byte.is_ascii_uppercase());
    if is_one { Some(text) } else { host_name_of(&text) }
}

/// The bytes without the zeros and dots behind them, where they may be a name.
fn host_part(bytes: &[u8]) -> Option<&[u8]> {
    let without = |bytes: &[u8], end: u8| bytes.iter().rposition(|byte| *byte != end).map_or(0, |last| last + 1);
    let bytes = bytes.get(..without(bytes, 0))?;
    bytes.get(..without(bytes, b'.')).filter(|bytes| (1..=253).contains(&bytes.len()))
}

/// Whether a byte stands in host names.
const IN_HOST_NAMES: [bool; 256] = {
    let mut stands = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        stands[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        byte += 1;
    }
    stands
};

/// The host of an absolute `http:` or `https:` address, without port, in lower case: a name or an address; none where there is none.
pub fn host_of_url(url: &str) -> Option<Box<str>> {
    let rest = ["http://", "https://"].iter().find(|scheme| begins(url.as_bytes(), scheme.as_bytes())).and_then(|scheme| url.get(scheme.len()..))?;
    let place = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let bracketed = place.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let host = bracketed.unwrap_or_else(|| place.split(':').next().unwrap_or(place));
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if is_address { Some(host.to_lowercase().into()) } else { host_name(host.as_bytes()) }
}

/// Whether the bytes begin with the word, whatever its case.
pub fn begins(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// Whether the bytes are the beginning of the word, or begin with it; without case.
pub fn may_begin(bytes: &[u8], word: &[u8]) -> bool {
    let len = bytes.len().min(word.len());
    bytes.get(..len).zip(word.get(..len)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// The lines of a message that is there whole, without their LF.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let all = rest?;
        let (line, after) = match memchr::memchr(b'\n', all).and_then(|end| all.split_at_checked(end)) {
            Some((line, after)) => (line, after.get(1..)),
            None => (all, None),
        };
        rest = after;
        Some(line)
    })
}

/// Cuts one side's stream into lines. Keeps an unfinished line, at most [`limit::LINE_KEPT`] bytes of it; the rest of a longer one is dropped.
#[derive(Debug, Default)]
pub struct Lines {
    held: Held,
}

impl Lines {
    /// Bytes kept of an unfinished line.
    pub fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Takes the next whole line off `rest`, without its CR LF; none where the line is not finished yet (it is kept for the next call).
    pub fn next<'a>(&mut self, rest: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let bytes = *rest;
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.hold(bytes);
            *rest = &[];
            return None;
        };
        let (line, after) = bytes.split_at_checked(end)?;
        *rest = after.get(1..).unwrap_or_default();
        if self.held.is_empty() {
            let kept = line.get(..limit::LINE_KEPT).unwrap_or(line);
            return Some(Cow::Borrowed(kept.strip_suffix(b"\r").unwrap_or(kept)));
        }
        self.hold(line);
        let mut whole = std::mem::take(&mut self.held).into_vec();
        if whole.last() == Some(&b'\r') {
            whole.pop();
        }
        Some(Cow::Owned(whole))
    }

    /// Forgets an unfinished line, because bytes of it were lost.
    pub fn lost(&mut self) {
        self.held = Held::new();
    }

    fn hold(&mut self, bytes: &[u8]) {
        hold(&mut self.held, bytes, limit::LINE_KEPT);
    }
}

/// How long a message is, as far as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// This many bytes, header included.
    Is(u64),
    /// The header is not there yet.
    Unknown,
    /// These bytes are no header.
    Wrong,
}

/// Cuts one side's stream into messages that begin with their length. Keeps at most [`limit::MESSAGE_KEPT`] bytes of one; the rest passes unread.
#[derive(Debug, Default)]
pub struct Messages {
    /// Of a message that is not whole yet; nothing between messages.
    held: Held,
    skip: u64,
    broken: bool,
}

impl Messages {
    /// Bytes kept of an unfinished message.
    pub fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Takes the next message off `rest`: all of it, or its first [`limit::MESSAGE_KEPT`] bytes. None where more bytes must come first,
    /// or where `length` did not understand them (then [`Messages::is_broken`], and everything after is swallowed).
    pub fn next<'a>(&mut self, rest: &mut &'a [u8], length: impl Fn(&[u8]) -> Length) -> Option<Cow<'a, [u8]>> {
        self.pass(rest);
        while !self.broken && self.skip == 0 && (!rest.is_empty() || !self.held.is_empty()) {
            match length(if self.held.is_empty() { rest } else { &self.held }) {
                Length::Is(whole) if whole > 0 => {
                    let wanted = whole.min(limit::MESSAGE_KEPT as u64) as usize;
                    let message = self.take(rest, wanted)?;
                    self.skip = whole - wanted as u64;
                    self.pass(rest);
                    return Some(message);
                }
                Length::Unknown if rest.is_empty() || self.held.len() >= limit::HEADER_TRIED => {
                    self.broken |= self.held.len() >= limit::HEADER_TRIED;
                    return None;
                }
                Length::Unknown => self.fill(rest, self.held.len() + 1),
                _ => self.broken = true,
            }
        }
        if self.broken {
            *rest = &[];
            self.held = Held::new();
        }
        None
    }

    /// So many bytes of what is held and what follows; where they are not all there, what there is is held.
    fn take<'a>(&mut self, rest: &mut &'a [u8], wanted: usize) -> Option<Cow<'a, [u8]>> {
        // Most messages come whole: they are read where they are.
        if self.held.is_empty()
            && let Some((message, after)) = rest.split_at_checked(wanted)
        {
            *rest = after;
            return Some(Cow::Borrowed(message));
        }
        self.fill(rest, wanted);
        if self.held.len() < wanted {
            return None;
        }
        // A header may have been looked for further than its message goes.
        let tail = self.held.get(wanted..).map(Held::from).unwrap_or_default();
        let mut whole = std::mem::replace(&mut self.held, tail);
        whole.truncate(wanted);
        Some(Cow::Owned(whole.into_vec()))
    }

    /// Whether the stream stopped making sense.
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    fn pass(&mut self, rest: &mut &[u8]) {
        let many = self.skip.min(rest.len() as u64);
        self.skip -= many;
        *rest = rest.get(many as usize..).unwrap_or_default();
    }

    fn fill(&mut self, rest: &mut &[u8], wanted: usize) {
        let many = wanted.saturating_sub(self.held.len()).min(rest.len());
        if let Some((taken, after)) = rest.split_at_checked(many) {
            self.held.extend_from_slice(taken);
            *rest = after;
        }
    }
}

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_absolute_address_is_told_without_port_user_and_path() {
        let hosts =
            ["http://Portal.Example:8080/login?x=1", "https://10.1.0.1/", "http://user@a.example", "http://[2001:db8::1]:80/", "/login", "ftp://a.example"];
        let due = [Some("portal.example"), Some("10.1.0.1"), Some("a.example"), Some("2001:db8::1"), None, None];
        assert_eq!(hosts.map(|url| host_of_url(url).map(String::from)), due.map(|host| host.map(str::to_owned)));
    }

    fn one_byte_length(bytes: &[u8]) -> Length {
        match bytes {
            [] => Length::Unknown,
            [0, ..] => Length::Wrong,
            [len, ..] => Length::Is(u64::from(*len)),
        }
    }

    #[test]
    fn a_line_is_whole_however_it_was_split() {
        let text = b"220 hello\r\nUSER a\nrest";
        for cut in 0..text.len() {
            let (mut lines, mut got) = (Lines::default(), Vec::new());
            for part in [&text[..cut], &text[cut..]] {
                let mut rest = part;
                while let Some(line) = lines.next(&mut rest) {
                    got.push(line.into_owned());
                }
            }
            assert_eq!(got, [b"220 hello".to_vec(), b"USER a".to_vec()], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_end_is_kept_to_its_bound_only() {
        let mut lines = Lines::default();
        for _ in 0..10 {
            assert!(lines.next(&mut [b'x'; 500].as_slice()).is_none());
        }
        assert_eq!(lines.next(&mut b"y\n".as_slice()).map(|line| line.len()), Some(limit::LINE_KEPT));
    }

    #[test]
    fn a_message_is_whole_however_it_was_split() {
        let bytes = [3, 1, 2, 1, 4, 9, 9, 9, 5, 5];
        for cut in 0..bytes.len() {
            let (mut messages, mut got) = (Messages::default(), Vec::new());
            for part in [&bytes[..cut], &bytes[cut..]] {
                let mut rest = part;
                while let Some(message) = messages.next(&mut rest, one_byte_length) {
                    got.push(message.into_owned());
                }
                assert!(rest.is_empty());
            }
            assert_eq!(got, [vec![3, 1, 2], vec![1], vec![4, 9, 9, 9]], "cut at {cut}");
        }
    }

    #[test]
    fn what_has_no_length_breaks_the_stream_and_is_swallowed() {
        let mut messages = Messages::default();
        let mut rest = [1, 0, 7, 7].as_slice();
        assert_eq!(messages.next(&mut rest, one_byte_length).as_deref(), Some(&[1][..]));
        assert_eq!(messages.next(&mut rest, one_byte_length), None);
        assert!(messages.is_broken() && rest.is_empty());
    }

    #[test]
    fn a_long_message_is_cut_and_the_next_one_found() {
        let length = |bytes: &[u8]| match Cursor::new(bytes).be16() {
            Some(len) => Length::Is(u64::from(len)),
            None => Length::Unknown,
        };
        let long = limit::MESSAGE_KEPT + 100;
        let mut bytes = vec![0; long];
        bytes[..2].copy_from_slice(&(long as u16).to_be_bytes());
        bytes.extend_from_slice(&[0, 3, 7]);
        let mut messages = Messages::default();
        let mut rest = bytes.as_slice();
        assert_eq!(messages.next(&mut rest, length).map(|m| m.len()), Some(limit::MESSAGE_KEPT));
        assert_eq!(messages.next(&mut rest, length).as_deref(), Some(&[0, 3, 7][..]));
    }

    #[test]
    fn names_are_lower_case_and_text_has_no_control_characters() {
        assert_eq!(host_name(b"Player-1.Local.").as_deref(), Some("player-1.local"));
        assert_eq!(host_name(b"two words"), None);
        assert_eq!(&*printable(b"\x1b[2Jhello\r\n"), "[2Jhello");
        assert_eq!(&*printable("gpj.\u{202e}exe\u{9b}".as_bytes()), "gpj. exe");
    }
}
