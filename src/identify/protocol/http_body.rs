//! Where an HTTP/1 message ends (RFC 9112 section 6): counted, chunked, or with its connection.

use crate::identify::wire::{Held, hold};
use crate::limit;

use super::{Fact, Piece};

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The answer has no body.
    pub(super) head: bool,
    pub(super) connect: bool,
    pub(super) upgrade: bool,
    /// Where the request ended in its stream.
    pub(super) end: u64,
}

impl Asked {
    /// At most one of them in bits 8 to 11 and 32 to 63 of a number; none where there are more, or it ended far from the stream's beginning.
    pub(super) fn packed(asked: &[Self]) -> Option<u64> {
        match *asked {
            [] => Some(0),
            [Self { head, connect, upgrade, end }] if end <= u32::MAX.into() => {
                Some(end << 32 | [true, head, connect, upgrade].iter().rev().fold(0, |marks, mark| marks << 1 | u64::from(*mark)) << 8)
            }
            _ => None,
        }
    }

    /// The one that was packed, if there was one.
    pub(super) fn taken_out(number: u64) -> Option<Self> {
        let [is_there, head, connect, upgrade] = [8, 9, 10, 11].map(|bit| number >> bit & 1 == 1);
        is_there.then_some(Self { head, connect, upgrade, end: number >> 32 })
    }
}

/// One side's messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) head: Held,
    pub(super) body: Body,
    /// Beginning of the present message's body, where it is of use.
    pub(super) kept: Option<Box<(BodyKind, Held)>>,
    /// Messages were lost: the next one begins with a piece.
    pub(super) lost: bool,
    /// The present body is a stream that nobody ends in order, or may be none: an answer to nobody knows what, perhaps to HEAD.
    pub(super) endless: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
    /// Between messages, or in a head.
    #[default]
    None,
    Left(u64),
    /// In the size line of a chunk: the size so far, and whether digits are over.
    ChunkSize(u64, bool),
    Chunk(u64),
    /// After the data of a chunk, up to the end of the line.
    ChunkEnd,
    /// After the last chunk, up to an empty line; whether the present line is empty so far.
    Trailer(bool),
    ToTheEnd,
}

/// Why a body is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    Upnp,
    Json,
    /// The page behind a 400.
    BadRequest,
}

impl Messages {
    /// Bytes kept of a head or a body that is not whole yet.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.head.capacity() + self.kept.as_ref().map_or(0, |kept| kept.1.capacity())
    }

    /// Whether nothing of a message is still to come.
    pub(super) fn is_between(&self) -> bool {
        self.head.is_empty() && self.body == Body::None && self.kept.is_none()
    }

    /// Bytes of the present body that are still to come, where their number was told.
    pub(super) fn due(&self) -> Option<u64> {
        if let Body::Left(left) = self.body { Some(left).filter(|left| *left > 0 && !self.lost && !self.endless) } else { None }
    }

    /// Whether the last chunk of the present body is still to come (RFC 9112 section 7.1).
    fn is_in_chunks(&self) -> bool {
        !self.lost && !self.endless && matches!(self.body, Body::ChunkSize(..) | Body::Chunk(_) | Body::ChunkEnd | Body::Trailer(_))
    }

    /// An answer, or a request, that says how long it is (RFC 9112 section 6.3), or an answer that would say where it ends, and of which the rest never came. `reversed`: the
    /// server asks.
    pub(super) fn unfinished(sides: &[Self; 2], reversed: bool) -> Option<Fact> {
        let [asking, answering] = if reversed { [1, 0] } else { [0, 1] }.map(|side: usize| &sides[side]);
        let in_chunks = || answering.is_in_chunks().then_some(Fact::Unfinished(0));
        answering.due().map(Fact::Unfinished).or_else(|| asking.due().map(Fact::HalfAsked)).or_else(in_chunks)
    }

    /// Passes a piece that lies inside a body which nobody looks at, as most do; whether it does.
    #[inline]
    pub(super) fn is_inside(&mut self, piece: &Piece<'_>) -> bool {
        let len = piece.bytes.len() as u64;
        match &mut self.body {
            Body::Left(left) if len < *left && piece.missing == 0 && self.kept.is_none() && !self.lost => {
                *left -= len;
                true
            }
            Body::ToTheEnd => self.kept.is_none() && !self.lost,
            _ => false,
        }
    }

    /// Whether so many bytes, which were not captured, lie inside the present body.
    pub(super) fn has_in_body(&self, missing: u64) -> bool {
        match self.body {
            Body::Left(left) => missing <= left && !self.lost,
            Body::ToTheEnd => true,
            _ => false,
        }
    }

    pub(super) fn miss(&mut self, missing: u64) {
        if missing == 0 {
            return;
        }
        self.kept = None;
        match self.body {
            Body::Left(left) if missing <= left => self.body = if missing == left { Body::None } else { Body::Left(left - missing) },
            Body::ToTheEnd => {}
            _ => {
                self.lost = true;
                self.head.clear();
                self.body = Body::None;
            }
        }
    }

    /// Passes what belongs to the body; gives back the rest.
    pub(super) fn pass<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match self.body {
            Body::None => bytes,
            Body::ToTheEnd => {
                self.keep(bytes);
                &[]
            }
            Body::Left(left) => {
                let (rest, left) = self.pass_some(bytes, left);
                self.body = if left == 0 { Body::None } else { Body::Left(left) };
                rest
            }
            Body::Chunk(left) => {
                let (rest, left) = self.pass_some(bytes, left);
                self.body = if left == 0 { Body::ChunkEnd } else { Body::Chunk(left) };
                rest
            }
            Body::ChunkSize(..) | Body::ChunkEnd | Body::Trailer(_) => {
                let Some((byte, rest)) = bytes.split_first() else { return &[] };
                self.step(*byte);
                rest
            }
        }
    }

    /// One byte of chunk framing (RFC 9112 section 7.1).
    fn step(&mut self, byte: u8) {
        self.body = match (self.body, byte) {
            (Body::ChunkSize(0, _), b'\n') => Body::Trailer(true),
            (Body::ChunkSize(size, _), b'\n') => Body::Chunk(size),
            (Body::ChunkSize(size, false), byte) => match char::from(byte).to_digit(16) {
                Some(digit) => Body::ChunkSize(size.saturating_mul(16).saturating_add(u64::from(digit)), false),
                None => Body::ChunkSize(size, true),
            },
            (Body::ChunkEnd, b'\n') => Body::ChunkSize(0, false),
            (Body::Trailer(true), b'\n') => Body::None,
            (Body::Trailer(_), b'\n') => Body::Trailer(true),
            (Body::Trailer(empty), byte) => Body::Trailer(empty && byte == b'\r'),
            (body, _) => body,
        };
    }

    fn pass_some<'a>(&mut self, bytes: &'a [u8], left: u64) -> (&'a [u8], u64) {
        let many = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (body, rest) = bytes.split_at(many);
        self.keep(body);
        (rest, left - many as u64)
    }

    fn keep(&mut self, body: &[u8]) {
        if let Some(kept) = &mut self.kept {
            hold(&mut kept.1, body, limit::HTTP_BODY);
        }
    }
}

/// jsonrpc.org specification section 4: an object, or a batch of them, with that member.
pub(super) fn is_json_rpc(body: &[u8]) -> bool {
    let text = body.trim_ascii_start();
    matches!(text.first(), Some(b'{' | b'[')) && memchr::memmem::find(text, b"\"jsonrpc\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::super::http::Http;
    use super::super::testing::read_all;
    use crate::identify::Fact;
    use crate::net::Side;

    const GET: &[u8] = b"GET /big HTTP/1.1\r\nHost: a.example\r\n\r\n";

    fn due(answer: &[u8], rest: &[u8]) -> Option<u64> {
        let told = read_all(&Http, &[(Side::Client, GET), (Side::Server, answer), (Side::Server, rest)]);
        told.facts.into_iter().find_map(|fact| if let Fact::Unfinished(due) = fact { Some(due) } else { None })
    }

    // RFC 9112 section 6.3
    #[test]
    fn an_answer_that_ends_before_its_length_is_unfinished() {
        assert_eq!(due(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"123"), Some(7));
        assert_eq!(due(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"1234567890"), None);
        // Of what nobody knows what it answers ("HEAD /HTTP/1.1" of old) it is not known whether it has a body.
        let strange = [(Side::Client, b"HEAD /HTTP/1.1\r\n\r\n".as_slice()), (Side::Server, b"HTTP/1.0 400 Bad Request\r\nContent-Length: 925\r\n\r\n")];
        assert!(!read_all(&Http, &strange).facts.iter().any(|fact| matches!(fact, Fact::Unfinished(_))));
        // What ends with the connection says nothing about its length.
        assert_eq!(due(b"HTTP/1.1 200 OK\r\n\r\n", b"123"), None);
        let upload = b"PUT /big HTTP/1.1\r\nContent-Length: 10\r\n\r\n123".as_slice();
        assert!(read_all(&Http, &[(Side::Client, upload)]).says(&Fact::HalfAsked(7)));
    }

    // RFC 9112 section 8: what is chunked is incomplete without its zero-sized chunk
    #[test]
    fn an_answer_in_chunks_is_unfinished_before_its_last_chunk_and_the_line_behind_it() {
        let chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
        for rest in [b"".as_slice(), b"5\r\n12", b"5\r\n12345\r\n", b"5\r\n12345\r\n0\r\n"] {
            assert_eq!(due(chunked, rest), Some(0), "{}", rest.escape_ascii());
        }
        assert_eq!(due(chunked, b"5\r\n12345\r\n0\r\n\r\n"), None);
        // Of events and of a camera's pictures nobody sends the last.
        for kind in ["text/event-stream", "Text/Event-Stream; charset=utf-8", "multipart/x-mixed-replace; boundary=a"] {
            let events = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
            assert_eq!(due(events.as_bytes(), b"5\r\n12345\r\n"), None, "{kind}");
        }
    }

    #[test]
    fn a_later_request_without_an_answer_is_awaited_unless_the_one_before_said_that_it_is_the_last() {
        let awaits = |answer: &[u8], pipelined: bool| {
            let (before, behind): (&[u8], &[u8]) = if pipelined { (GET, &[]) } else { (&[], GET) };
            let parts = [(Side::Client, GET), (Side::Client, before), (Side::Server, answer), (Side::Client, behind)];
            read_all(&Http, &parts.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect::<Vec<_>>()).says(&Fact::Awaited)
        };
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".as_slice();
        assert!(awaits(answer, true) && awaits(answer, false));
        assert!(!read_all(&Http, &[(Side::Client, GET), (Side::Server, answer)]).says(&Fact::Awaited));
        // RFC 9112 section 9.6: who says that closes, and answers nothing that was asked behind it.
        let last = b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n".as_slice();
        assert!(!awaits(last, true));
    }
}
