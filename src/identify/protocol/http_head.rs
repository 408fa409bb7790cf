//! The head of an HTTP/1 message (RFC 9112 sections 2 to 5): its first line, its fields and its end, read by httparse.

use std::mem::MaybeUninit;

use arrayvec::ArrayVec;
use httparse::{Header, ParserConfig, Request, Response, Status};

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
    all: ArrayVec<Header<'a>, FIELDS>,
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
        // What comes before the first line is a head of its own: see `head_end`.
        if begins_empty(bytes) {
            return None;
        }
        let mut room = [const { MaybeUninit::uninit() }; FIELDS];
        let (status, fields) = if bytes.starts_with(b"HTTP/") {
            let mut response = Response::new(&mut []);
            let status = ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut room);
            self.first = response.code.map(|code| First::Response { code, reason: response.reason.unwrap_or_default() });
            (status, &*response.headers)
        } else {
            let mut request = Request::new(&mut []);
            let status = request.parse_with_uninit_headers(bytes, &mut room);
            self.first = request.method.zip(request.path).map(|(method, target)| First::Request { method, target });
            (status, &*request.headers)
        };
        let Ok(Status::Complete(len)) = status else { return None };
        self.fields.all.extend(fields.iter().copied());
        self.fields.kinds = fields.iter().fold(0, |kinds, field| kinds | kind_of(field.name.as_bytes()));
        Some(len)
    }
}

impl<'a> Fields<'a> {
    /// Names and values of all of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.all.iter().map(|field| (field.name.as_bytes(), field.value))
    }

    /// The value of the first field of that name, if it is text.
    // Where it is called: then the name's kind is known when this is compiled.
    #[inline]
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        if self.kinds & kind_of(name.as_bytes()) == 0 { None } else { self.find(name) }
    }

    #[inline(never)]
    fn find(&self, name: &str) -> Option<&'a str> {
        let field = self.all.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        let text = std::str::from_utf8(field.value).ok()?;
        // httparse has taken ASCII's blanks away; others are rare.
        let is_trim = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
        Some(if is_trim(field.value.first()) && is_trim(field.value.last()) { text } else { text.trim() })
    }

    /// Whether that field contains the word, whatever its case.
    #[inline]
    pub(super) fn has(&self, name: &str, word: &str) -> bool {
        self.text(name).is_some_and(|value| value.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())))
    }
}

/// One of 64 bits for a field's name, whatever its case: by its length and first letter.
const fn kind_of(name: &[u8]) -> u64 {
    let first = if let [first, ..] = name { first.to_ascii_lowercase() } else { 0 };
    1 << ((name.len() * 5 + first as usize) % 64)
}

/// Whether an empty line, or the beginning of one, comes first.
fn begins_empty(head: &[u8]) -> bool {
    head.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Where the empty line after a head ends, looking from a little before `from`: whatever the head is like.
pub(super) fn head_end(head: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    let is_empty = begins_empty(head);
    loop {
        at += memchr::memchr(b'\n', head.get(at..)?)? + 1;
        if is_empty {
            return Some(at);
        }
        if let [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] = head.get(at..)? {
            return Some(head.len() - rest.len());
        }
    }
}

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
        let wrong: [&'static [u8]; 10] = [
            b"GET /a HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\n: c\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\0b\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\x7fb\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\r\n",
            b"GET /a HTTP/1.2\r\nHost: a\r\n\r\n",
            b"GET /a HTTP",
        ];
        for bytes in wrong {
            assert_eq!(read(bytes), (get(), vec![], None), "{}", bytes.escape_ascii());
        }
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
