//! How HTTP/1 begins (RFC 9112 section 2.1, RFC 1945 section 4.1): what first lines look like, and what shows it in the middle of a stream.

use crate::identify::wire::begins;
use crate::limit;

use super::{Evidence, Hit, Opening, Probe};

/// What the first line of a side looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    No,
    Short,
    Request,
    /// A request of HTTP/0.9: method and path, no version.
    Simple,
    Response,
}

pub(super) fn look(bytes: &[u8], complete: bool) -> Look {
    let Some(first) = bytes.first() else { return Look::Short };
    // Methods and the version alike.
    if !may_be_in_method(*first) {
        return Look::No;
    }
    if is_status(bytes) {
        return Look::Response;
    }
    if bytes.len() < 13 && may_be_status(bytes) {
        return Look::Short;
    }
    let head = bytes.get(..limit::OPENING_TRIED).unwrap_or(bytes);
    // Whatever follows: the first word of every request is a method.
    match first_word(head) {
        Some(method) if !is_method(method) => return Look::No,
        None if head.len() > LONGEST_METHOD => return Look::No,
        _ => {}
    }
    match memchr::memchr(b'\n', head) {
        Some(end) if is_request_line(head.get(..end).unwrap_or_default()) => Look::Request,
        Some(end) if is_simple(head.get(..end).unwrap_or_default()) => Look::Simple,
        Some(_) => Look::No,
        // A target longer than what is kept: a known method and a path are enough then.
        None if complete && head.len() >= LONG_LINE && method_and_path(head) == Look::Request => Look::Request,
        None if !complete && method_and_path(head) != Look::No => Look::Short,
        None => Look::No,
    }
}

/// `HTTP/1.1 200 `, or the reason left out.
pub(super) fn is_status(bytes: &[u8]) -> bool {
    matches!(bytes, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'\r' | b'\n', ..])
}

fn may_be_status(bytes: &[u8]) -> bool {
    b"HTTP/1.1 ".starts_with(bytes)
        || b"HTTP/1.0 ".starts_with(bytes)
        || (bytes.starts_with(b"HTTP/1.") && bytes.get(9..).unwrap_or_default().iter().all(u8::is_ascii_digit))
}

/// `METHOD SP target SP HTTP/1.x`, with or without CR.
fn is_request_line(line: &[u8]) -> bool {
    let line = without_cr(line);
    let Some(rest) = [b" HTTP/1.0", b" HTTP/1.1"].iter().find_map(|version| line.strip_suffix(*version)) else { return false };
    let Some(space) = memchr::memchr(b' ', rest) else { return false };
    let (method, target) = rest.split_at(space);
    // All bytes are looked at without a branch each: nearly all targets are right.
    is_method(method) && target.len() > 1 && target.iter().fold(true, |right, byte| right & (*byte >= b' ') & (*byte != 0x7f))
}

/// `GET SP path`, and nothing more.
fn is_simple(line: &[u8]) -> bool {
    let path = without_cr(line).strip_prefix(b"GET /");
    path.is_some_and(|path| path.iter().all(u8::is_ascii_graphic))
}

/// A document of HTTP/0.9 has no head: it begins with its first tag.
pub(super) fn is_document(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    [b"<!DOCTYPE".as_slice(), b"<HTML", b"<HEAD", b"<TITLE", b"<BODY", b"<?XML"].iter().any(|tag| begins(text, tag))
}

/// The bytes before the first blank, where a method could end there.
fn first_word(head: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b' ', head.get(..=LONGEST_METHOD).unwrap_or(head))?;
    head.get(..end)
}

fn is_method(method: &[u8]) -> bool {
    (3..=LONGEST_METHOD).contains(&method.len()) && method.iter().all(|byte| may_be_in_method(*byte))
}

const fn may_be_in_method(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_')
}

/// Whether a request of a known method begins here: as much of its line as tells it from a body's text.
pub(super) fn is_request(bytes: &[u8]) -> bool {
    let head = bytes.get(..64).unwrap_or(bytes);
    match memchr::memchr(b'\n', head).and_then(|end| head.get(..end)) {
        Some(line) => is_request_line(line) && method_and_path(without_cr(line)) == Look::Request,
        None => method_and_path(head) == Look::Request,
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn method_and_path(head: &[u8]) -> Look {
    match first_word(head) {
        None if head.len() <= LONGEST_METHOD && head.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-') => Look::Short,
        None => Look::No,
        Some(method) => {
            let target = head.get(method.len() + 1..).unwrap_or_default();
            let plausible = is_method(method) && target.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
            let known = METHODS.contains(&method) && matches!(target, [b'/', ..] | [b'h', b't', b't', b'p', ..]);
            match (plausible, known) {
                (false, _) => Look::No,
                (true, true) => Look::Request,
                (true, false) => Look::Short,
            }
        }
    }
}

pub(super) fn line_len(bytes: &[u8]) -> u32 {
    u32::try_from(memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)).unwrap_or(u32::MAX)
}

/// A stream whose start was not seen: some later piece begins with a status line, or a request line of a known method.
pub(super) fn later(opening: &Opening<'_>) -> Probe {
    // No head begins otherwise, be it of a response or of a request of a known method.
    for head in opening.heads.iter().filter(|head| head.bytes[0].is_ascii_uppercase()) {
        let offset = 0;
        if is_status(&head.bytes) {
            let hit = Hit { side: head.from, offset, len: 13, rule: "piece that begins with an HTTP/1 status line" };
            return Probe::Found { evidence: Evidence::OneOpening, hit, client: Some(head.from.other()) };
        }
        let line = head.bytes[..16].split(|byte| *byte == b'\n').next().unwrap_or_default();
        if method_and_path(without_cr(line)) == Look::Request && memchr::memmem::find(&head.bytes, b" HTTP/1.").is_some() {
            let hit = Hit { side: head.from, offset, len: 24, rule: "piece that begins with an HTTP/1 request line" };
            return Probe::Found { evidence: Evidence::OneOpening, hit, client: Some(head.from) };
        }
    }
    if opening.complete { Probe::NotForUs } else { Probe::NeedMore }
}

const LONGEST_METHOD: usize = 20;
/// Bytes of a first line without end after which a known method and a path are taken for a request.
const LONG_LINE: usize = 256;

#[rustfmt::skip]
const METHODS: &[&[u8]] = &[
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH", b"CONNECT", b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE",
    b"LOCK", b"UNLOCK", b"REPORT", b"SUBSCRIBE", b"UNSUBSCRIBE", b"NOTIFY", b"RPC_IN_DATA", b"RPC_OUT_DATA",
];
