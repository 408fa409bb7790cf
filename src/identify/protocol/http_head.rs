//! The head of an HTTP/1 message (RFC 9112 sections 2 to 5): its first line, its fields and its end, found in one go.

use arrayvec::ArrayVec;

/// The head with which some bytes begin.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// Its first line; none where these bytes begin with none.
    pub(super) first: Option<First<'a>>,
    /// Its header fields; none where it is not whole, or one of them is wrong.
    pub(super) fields: Fields<'a>,
}

/// What the first line of a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First<'a> {
    Request { method: &'a str, target: &'a str },
    Response { code: u16, reason: &'a str },
}

/// Header fields of one message.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// Name and value, without the blanks around it.
    all: ArrayVec<(&'a [u8], &'a [u8]), FIELDS>,
    /// A bit for each kind of name that is there: most that are asked for are not.
    kinds: u64,
}

impl<'a> Head<'a> {
    /// Nothing yet.
    // Where it is called: it is large, and would be moved.
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Self { first: None, fields: Fields { all: ArrayVec::new_const(), kinds: 0 } }
    }

    /// Reads as much of a head as is there and right; how long it is, with the empty line behind it, where all of it is.
    pub(super) fn read(&mut self, bytes: &'a [u8]) -> Option<usize> {
        let (first, rest) = if bytes.starts_with(b"HTTP/") { status_line(bytes)? } else { request_line(bytes)? };
        self.first = Some(first);
        let len = self.fields.read(rest?).map(|left| bytes.len() - left);
        if len.is_none_or(|len| has_del(bytes.get(..len).unwrap_or(bytes))) {
            self.fields.all.clear();
            self.fields.kinds = 0;
        }
        len
    }
}

impl<'a> Fields<'a> {
    /// Reads fields up to the empty line, with which no name begins; how many bytes are left behind it.
    fn read(&mut self, mut rest: &'a [u8]) -> Option<usize> {
        while let Some(len) = name_len(rest) {
            let (name, [b':', after @ ..]) = rest.split_at_checked(len)? else { return None };
            let (value, after) = line(after)?;
            self.kinds |= kind_of(name);
            self.all.try_push((name, trimmed(value))).ok()?;
            rest = after;
        }
        after_newline(rest).map(<[u8]>::len)
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.all.iter().copied()
    }

    /// The value of the first field of that name, if it is text.
    // Where it is called: then the name's kind is known when this is compiled.
    #[inline]
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        if self.kinds & kind_of(name.as_bytes()) == 0 { None } else { self.find(name.as_bytes()) }
    }

    #[inline(never)]
    fn find(&self, name: &[u8]) -> Option<&'a str> {
        let (_, value) = self.all.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let text = std::str::from_utf8(value).ok()?;
        // ASCII's blanks are taken away; others are rare.
        let is_trim = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
        Some(if is_trim(value.first()) && is_trim(value.last()) { text } else { text.trim() })
    }

    /// Whether that field contains the word, whatever its case.
    #[inline]
    pub(super) fn has(&self, name: &str, word: &str) -> bool {
        self.text(name).is_some_and(|value| value.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())))
    }
}

/// `METHOD SP target SP HTTP/1.x`, and what follows that line; none of that where the version is wrong, or is not there yet.
fn request_line(bytes: &[u8]) -> Option<(First<'_>, Option<&[u8]>)> {
    let (method, [b' ', rest @ ..]) = bytes.split_at_checked(token(bytes)?)? else { return None };
    let (target, [b' ', rest @ ..]) = rest.split_at_checked(below::<0x21>(rest)?)? else { return None };
    let is_target = !target.is_empty() && !has_del(target);
    let first = First::Request { method: std::str::from_utf8(method).ok()?, target: std::str::from_utf8(target).ok().filter(|_| is_target)? };
    Some((first, after_version(rest).and_then(after_newline)))
}

/// `HTTP/1.x SP code SP reason`, the reason and its blank maybe left out, and what follows that line.
fn status_line(bytes: &[u8]) -> Option<(First<'_>, Option<&[u8]>)> {
    let [b' ', rest @ ..] = after_version(bytes)? else { return None };
    let (digits, rest) = rest.split_first_chunk::<3>()?;
    let code = digits.iter().try_fold(0, |code, digit| digit.is_ascii_digit().then(|| code * 10 + u16::from(digit - b'0')))?;
    let (reason, rest) = match rest {
        [b' ', rest @ ..] => line(rest).unzip(),
        _ => (None, after_newline(rest)),
    };
    let reason = reason.filter(|reason| reason.is_ascii() && !has_del(reason)).and_then(|reason| std::str::from_utf8(reason).ok());
    Some((First::Response { code, reason: reason.unwrap_or_default() }, rest))
}

fn after_version(bytes: &[u8]) -> Option<&[u8]> {
    if let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', rest @ ..] = bytes { Some(rest) } else { None }
}

#[inline]
fn after_newline(bytes: &[u8]) -> Option<&[u8]> {
    if let [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] = bytes { Some(rest) } else { None }
}

/// What stands before the end of a line, and what follows it; none where no end is there, or a control character other than a tab before it. DEL is not looked for.
#[inline(always)]
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = below::<0x20>(bytes)?;
    let end = if bytes.get(end)? == &b'\t' { end_behind_tabs(bytes, end)? } else { end };
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((line, after_newline(rest)?))
}

#[cold]
fn end_behind_tabs(bytes: &[u8], mut tab: usize) -> Option<usize> {
    while bytes.get(tab)? == &b'\t' {
        tab += 1 + below::<0x20>(bytes.get(tab + 1..)?)?;
    }
    Some(tab)
}

/// Looked at without a branch a byte.
fn has_del(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |has, byte| has | (*byte == DEL))
}

/// A value without blanks around it: most have one before it.
#[inline]
fn trimmed(value: &[u8]) -> &[u8] {
    match value {
        [b' ', value @ ..] if matches!(value, [b'!'..=0xff, .., b'!'..=0xff]) => value,
        _ => value.trim_ascii(),
    }
}

/// Where the first byte stands that is less than that. Sixteen bytes are looked at together: of those that a subtraction marks, the lowest one is right.
#[inline]
fn below<const LEAST: u8>(bytes: &[u8]) -> Option<usize> {
    const ONES: u128 = u128::from_le_bytes([1; 16]);
    let (words, rest) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u128::from_le_bytes(*word);
        let marked = word.wrapping_sub(ONES * LEAST as u128) & !word & (ONES << 7);
        if marked != 0 {
            return Some(at * 16 + marked.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| *byte < LEAST).map(|place| words.len() * 16 + place)
}

/// How long the token is with which the bytes begin (RFC 9110 section 5.6.2); none where there is none, or its end.
#[inline(never)]
fn token(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| !IN_TOKENS[usize::from(*byte)]).filter(|len| *len > 0)
}

/// The same of the name of a field: most are letters and hyphens before a colon.
#[inline(always)]
fn name_len(bytes: &[u8]) -> Option<usize> {
    for (at, word) in bytes.as_chunks().0.iter().enumerate() {
        let others = other_than_letters(u64::from_le_bytes(*word));
        if others != 0 {
            let len = at * 8 + others.trailing_zeros() as usize / 8;
            return if bytes.get(len) == Some(&b':') && len > 0 { Some(len) } else { token(bytes) };
        }
    }
    token(bytes)
}

/// The highest bit of each of eight bytes that is no letter and no hyphen.
#[inline]
const fn other_than_letters(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // Sums that do not reach into the next byte: whether it is `a` or more, more than `z`, anything but a hyphen.
    let small = (word | (ONES * 0x20)) & (ONES * 0x7f);
    let (from_a, beyond_z) = (small + ONES * (0x80 - b'a' as u64), small + ONES * (0x7f - b'z' as u64));
    let no_hyphen = ((word ^ (ONES * b'-' as u64)) & (ONES * 0x7f)) + ONES * 0x7f;
    (((!from_a | beyond_z) & no_hyphen) | word) & (ONES << 7)
}

/// Whether a byte stands in tokens.
const IN_TOKENS: [bool; 256] = {
    let mut stands = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        stands[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~');
        byte += 1;
    }
    stands
};

/// One of 64 bits for a field's name, whatever its case: by its length and first letter.
const fn kind_of(name: &[u8]) -> u64 {
    let first = if let [first, ..] = name { first.to_ascii_lowercase() } else { 0 };
    1 << ((name.len() * 5 + first as usize) % 64)
}

/// Where the empty line after a head ends, looking from a little before `from`: whatever the head is like.
pub(super) fn head_end(head: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    let begins_empty = head.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n'));
    loop {
        at += memchr::memchr(b'\n', head.get(at..)?)? + 1;
        if begins_empty {
            return Some(at);
        }
        if let Some(rest) = head.get(at..).and_then(after_newline) {
            return Some(head.len() - rest.len());
        }
    }
}

const DEL: u8 = 0x7f;
/// Header fields that are read; a message with more tells its first line only.
const FIELDS: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    /// First line, fields and length.
    type Told = (Option<First<'static>>, Vec<(&'static str, &'static str)>, Option<usize>);

    fn read(bytes: &'static [u8]) -> Told {
        let mut head = Head::new();
        let len = head.read(bytes);
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or("no text");
        (head.first, head.fields.iter().map(|(name, value)| (text(name), text(value))).collect(), len)
    }

    fn get() -> Option<First<'static>> {
        Some(First::Request { method: "GET", target: "/a" })
    }

    #[test]
    fn a_head_ends_with_an_empty_line_and_tells_its_fields() {
        let fields = vec![("Host", "a"), ("X-2_b", "c\td"), ("Empty", "")];
        let bytes = b"GET /a HTTP/1.1\r\nHost: a\r\nX-2_b:\t c\td \r\nEmpty: \r\n\r\nbody\r\n\r\n";
        assert_eq!(read(bytes), (get(), fields.clone(), Some(bytes.len() - 8)));
        assert_eq!(read(b"GET /a HTTP/1.0\nHost:a\nX-2_b: c\td\nEmpty:\n\n"), (get(), fields, Some(42)));
        assert_eq!(read(b"GET /a HTTP/1.1\r\n\r\n"), (get(), vec![], Some(19)));
    }

    #[test]
    fn a_field_that_is_wrong_or_not_there_yet_leaves_the_first_line_alone() {
        let wrong: [&'static [u8]; 9] = [
            b"GET /a HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\n: c\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\0b\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\n",
            b"GET /a HTTP/1.2\r\nHost: a\r\n\r\n",
            b"GET /a HTTP",
        ];
        for bytes in wrong {
            assert_eq!(read(bytes), (get(), vec![], None), "{}", bytes.escape_ascii());
        }
        assert_eq!(read(b"GET /a HTTP/1.1\r\nHost: a\x7fb\r\n\r\n"), (get(), vec![], Some(30)));
    }

    #[test]
    fn a_message_with_too_many_fields_tells_its_first_line() {
        for (many, told) in [(FIELDS, FIELDS), (FIELDS + 1, 0)] {
            let bytes = format!("GET /a HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(many));
            let mut head = Head::new();
            assert_eq!(head.read(bytes.as_bytes()).is_some(), told > 0);
            assert_eq!((head.first, head.fields.iter().count()), (get(), told));
        }
    }

    #[test]
    fn a_status_line_may_lack_its_reason_and_text_that_is_none_is_left_out() {
        let told = |bytes| match read(bytes).0 {
            Some(First::Response { code, reason }) => Some((code, reason)),
            _ => None,
        };
        assert_eq!(told(b"HTTP/1.1 404 Not Found\r\n\r\n"), Some((404, "Not Found")));
        for bytes in
            [b"HTTP/1.0 404\r\n\r\n".as_slice(), b"HTTP/1.0 404 \n\n", b"HTTP/1.1 404 \xe4\r\n\r\n", b"HTTP/1.1 404 a\x7f\r\n\r\n", b"HTTP/1.1 404x\r\n\r\n"]
        {
            assert_eq!(told(bytes), Some((404, "")), "{}", bytes.escape_ascii());
        }
        for bytes in [b"HTTP/1.1 40".as_slice(), b"HTTP/1.1 4x4 a\r\n\r\n", b"HTTP/1.2 404 a\r\n\r\n", b"\r\nHTTP/1.1 404 a\r\n\r\n"] {
            assert_eq!(told(bytes), None);
        }
    }

    #[test]
    fn no_request_line_without_a_method_and_a_target() {
        for bytes in [
            b"GET\r\n\r\n".as_slice(),
            b"GET /a\r\n\r\n",
            b"G(T /a HTTP/1.1\r\n\r\n",
            b"GET  HTTP/1.1\r\n\r\n",
            b"GET /\x7f HTTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(read(bytes), (None, vec![], None), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_end_of_any_head_is_found_however_it_came() {
        for (head, end) in [(&b"a\r\n\r\nb"[..], 5), (b"a\n\nb", 3), (b"a\n\r\n\n", 4), (b"a\r\n\n", 4), (b"\r\na\r\n\r\n", 2), (b"\ra\nb", 3)] {
            for from in 0..end {
                assert_eq!(head_end(head, from), Some(end));
            }
            assert_eq!(head_end(&head[..end - 1], 0), None);
        }
    }
}
