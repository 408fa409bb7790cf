//! HTTP/2 in clear (RFC 9113): prior knowledge, or after an upgrade. Records print it as `http`, version 2.

use crate::identify::AnswerKind;
use crate::identify::wire::{Cursor, Length, Messages, printable};
use crate::limit;

use super::hpack::Fields;
use super::http::{answer_kind, host_only};
use super::{Appetite, Evidence, Fact, Known, Look, NameSource, Opening, Over, Piece, Reader, Said, Side, Strength};

/// HTTP/2 over TCP.
pub static HTTP2: Known =
    Known { name: "http", over: Over::Streams, ask: preface, answer: Some(settings), strength: Strength::Magic, reader: || Box::<Http2Reader>::default() };

fn preface(_: &Opening<'_>, bytes: &[u8]) -> Look {
    if bytes.starts_with(PREFACE) {
        return Look::Yes(0, 24, "HTTP/2 connection preface");
    }
    if PREFACE.starts_with(bytes) { Look::Short } else { Look::No }
}

/// Section 3.4: the server's first frame is SETTINGS. Nine bytes, most of them zero: it confirms.
fn settings(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(len), Some(kind), Some(flags), Some(stream)) = (at.be24(), at.u8(), at.u8(), at.be32()) else { return Look::Short };
    Look::when(kind == SETTINGS && flags == 0 && stream == 0 && len.is_multiple_of(6) && len <= 600, 9, "HTTP/2 SETTINGS frame").weak()
}

fn length(bytes: &[u8]) -> Length {
    if PREFACE.starts_with(bytes.get(..24).unwrap_or(bytes)) {
        return Length::Is(24);
    }
    let mut at = Cursor::new(bytes);
    match (at.be24(), at.u8()) {
        (Some(len), Some(0..=16)) => Length::Is(9 + u64::from(len)),
        (Some(_), Some(_)) => Length::Wrong,
        _ => Length::Unknown,
    }
}

/// Reads frames until the server has served, or one goes away: what comes after that refuses nobody.
#[derive(Debug, Default)]
struct Http2Reader {
    sides: [Messages; 2],
    settled: [bool; 2],
    frames: u16,
    /// The server's header fields, which all of its blocks are needed for.
    fields: Fields,
    asked: bool,
    /// gRPC, whose answers are told behind their content.
    is_grpc: bool,
    served: bool,
}

impl Reader for Http2Reader {
    fn held(&self) -> usize {
        self.sides.iter().map(Messages::held).sum::<usize>() + self.fields.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let side = piece.from as usize;
        let mut rest = piece.bytes;
        while let Some(frame) = self.sides[side].next(&mut rest, length) {
            self.frames = self.frames.saturating_add(1);
            let code = |at: usize| frame.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |code| u32::from_be_bytes(*code));
            match frame.get(3) {
                _ if frame.starts_with(PREFACE) => said.detail("http", "version", "2"),
                Some(&SETTINGS) => self.settled[side] = true,
                Some(&HEADERS) if piece.from == Side::Client => self.request(&frame, said),
                // A block in several frames is not put together, and without it no later one can be read.
                Some(&HEADERS) if self.answer(&frame, said).is_none() => return Appetite::Full,
                Some(&(PUSH_PROMISE | CONTINUATION)) if piece.from == Side::Server => return Appetite::Full,
                Some(&RST_STREAM) if piece.from == Side::Server => failed("RST_STREAM", code(9), piece.from, said),
                Some(&GO_AWAY) => {
                    failed("GOAWAY", code(13), piece.from, said);
                    return Appetite::Full;
                }
                _ => {}
            }
        }
        if self.settled == [true, true] {
            said.believe(Evidence::Dialogue);
        }
        let is_over = self.served && self.settled == [true, true] || self.frames >= limit::HTTP2_FRAMES || self.sides[side].is_broken();
        if is_over { Appetite::Full } else { Appetite::Hungry }
    }
}

impl Http2Reader {
    /// The first request: names and kinds hardly change on a connection.
    fn request(&mut self, frame: &[u8], said: &mut Said<'_>) {
        if std::mem::replace(&mut self.asked, true) {
            return;
        }
        let (mut method, mut path) = (Box::<str>::default(), Box::<str>::default());
        let (is_grpc, read) = (&mut self.is_grpc, block(frame));
        read.and_then(|block| {
            Fields::default().read(block, |name, value| match name {
                b":method" => method = printable(value),
                b":path" => path = printable(value),
                b":authority" => {
                    if let Some(host) = str::from_utf8(value).ok().and_then(host_only) {
                        said.named(Side::Server, host, NameSource::Host);
                    }
                }
                b"user-agent" => said.say(Fact::Software { of: Side::Client, text: printable(value) }),
                b"content-type" => *is_grpc |= value.starts_with(GRPC),
                _ => {}
            })
        });
        if *is_grpc {
            said.say(Fact::Inner("grpc"));
        }
        if !method.is_empty() {
            said.say(Fact::request(&method, &path));
        }
    }

    /// An answer's first fields, or those behind its content; none where they cannot be read.
    fn answer(&mut self, frame: &[u8], said: &mut Said<'_>) -> Option<()> {
        let (mut status, mut grpc, mut message) = (None, None, Box::<str>::default());
        let is_grpc = &mut self.is_grpc;
        self.fields.read(block(frame)?, |name, value| match name {
            b":status" => status = decimal(value),
            b"content-type" => *is_grpc |= value.starts_with(GRPC),
            b"grpc-status" => grpc = decimal(value),
            b"grpc-message" => message = printable(value),
            b"server" => said.say(Fact::Software { of: Side::Server, text: printable(value) }),
            _ => {}
        })?;
        let by = Side::Server;
        let answer = match (grpc, status) {
            (Some(code), _) => Some((grpc_kind(code), code, [GRPC_CODES.get(code as usize).copied().unwrap_or("unknown status"), &*message].join(" "))),
            // What gRPC came to stands behind its content.
            (None, Some(200..300)) if *is_grpc => None,
            (None, Some(status @ 200..)) => Some((answer_kind(status as u16), status, "(HTTP/2)".to_owned())),
            (None, _) => None,
        };
        if let Some((kind, code, text)) = answer {
            said.say(Fact::Answer { kind, code, text: text.trim_end().into(), by });
            self.served |= matches!(kind, AnswerKind::Accepted | AnswerKind::Redirected);
        }
        Some(())
    }
}

/// The fields of a HEADERS frame that has all of them and came whole (RFC 9113 section 6.2).
fn block(frame: &[u8]) -> Option<&[u8]> {
    let mut at = Cursor::new(frame);
    let (len, _, flags, _) = (at.be24()?, at.u8()?, at.u8()?, at.be32()?);
    if flags & END_HEADERS == 0 || at.rest().len() != len as usize {
        return None;
    }
    let padding = if flags & PADDED != 0 { usize::from(at.u8()?) } else { 0 };
    if flags & PRIORITY != 0 {
        at.take(5)?;
    }
    let rest = at.rest();
    rest.get(..rest.len().checked_sub(padding)?)
}

/// An error that ends a stream or the connection (RFC 9113 section 7); neither the end of a connection nor what somebody no longer wants is one.
fn failed(frame: &str, code: u32, by: Side, said: &mut Said<'_>) {
    if let Some(name) = ERRORS.get(code as usize).filter(|_| !matches!(code, 0 | 5 | 8)) {
        said.say(Fact::Answer { kind: AnswerKind::Failed, code, text: format!("{frame} {name}").into(), by });
    }
}

/// gRPC's `codes` (grpc/doc/statuscodes.md): who may not, what is not there to be called, and what fails; the others are about what was asked.
const fn grpc_kind(code: u32) -> AnswerKind {
    match code {
        7 | 16 => AnswerKind::Refused,
        2 | 8 | 12..=15 => AnswerKind::Failed,
        _ => AnswerKind::Accepted,
    }
}

fn decimal(value: &[u8]) -> Option<u32> {
    str::from_utf8(value).ok()?.parse().ok().filter(|code| *code < 1000)
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const GRPC: &[u8] = b"application/grpc";
/// Kinds of frames, and flags of HEADERS (RFC 9113 section 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;
/// RFC 9113 section 7.
const ERRORS: &[&str] = &[
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];
const GRPC_CODES: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[cfg(test)]
mod tests {
    use super::super::testing::{decide, evidence, prefixes_never_match_anything_else, read_all, survives};
    use super::*;
    use crate::net::Transport;

    #[test]
    fn a_preface_and_settings_are_http_version_2() {
        let client = [PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
        let server = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100];
        assert_eq!(evidence(decide(&HTTP2, Transport::TCP, 80, &client, &server)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&HTTP2, Transport::TCP, 80, &[], &server)), Evidence::None);
        let told = read_all(&HTTP2, &[(Side::Client, &client), (Side::Server, &server)]);
        assert_eq!((told.detail("http", "version"), told.evidence), (Some("2".into()), Evidence::Dialogue));
        survives(&HTTP2, Transport::TCP, 80, &[(Side::Client, &client), (Side::Server, &server)]);
        prefixes_never_match_anything_else("http", Transport::TCP, &client, &server);
    }

    /// A frame of this kind with all its header fields.
    fn headers(stream: u8, fields: &[u8]) -> Vec<u8> {
        [&[0, 0, fields.len() as u8, HEADERS, END_HEADERS, 0, 0, 0, stream][..], fields].concat()
    }

    /// A literal field that is kept (RFC 7541 section 6.2.1).
    fn literal(name: &str, value: &str) -> Vec<u8> {
        [&[0x40, name.len() as u8][..], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    }

    fn told(content: Option<&str>, answers: &[Vec<u8>]) -> crate::identify::protocol::testing::Heard {
        let settings = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
        let kind = content.map(|content| literal("content-type", content)).unwrap_or_default();
        // POST, http, a path.
        let asks = headers(1, &[&[0x83, 0x86, 0x44, 2, b'/', b'a'][..], &kind].concat());
        let client = [PREFACE, &settings, &asks].concat();
        let server = [&settings[..], &answers.concat()].concat();
        survives(&HTTP2, Transport::TCP, 80, &[(Side::Client, &client), (Side::Server, &server)]);
        read_all(&HTTP2, &[(Side::Client, &client), (Side::Server, &server)])
    }

    #[test]
    fn grpc_says_behind_its_content_that_it_refuses() {
        let begins = [&[0x88][..], &literal("content-type", "application/grpc")].concat();
        let refused = headers(1, &[&begins[..], &literal("grpc-status", "7"), &literal("grpc-message", "no way")].concat());
        let heard = told(Some("application/grpc"), std::slice::from_ref(&refused));
        assert!(
            heard.says(&Fact::answer(AnswerKind::Refused, 7, "PERMISSION_DENIED no way"))
                && heard.says(&Fact::Inner("grpc"))
                && heard.says(&Fact::request("POST", "/a"))
        );
        // The second time by the table: status 200, then the three fields that were kept, the newest first.
        let again = headers(3, &[0x88, 0xc0, 0xbf, 0xbe]);
        let twice = told(Some("application/grpc"), &[refused, again]);
        assert_eq!(twice.facts.iter().filter(|fact| **fact == Fact::answer(AnswerKind::Refused, 7, "PERMISSION_DENIED no way")).count(), 2);
        let served = told(Some("application/grpc"), &[headers(1, &begins), headers(1, &literal("grpc-status", "0"))]);
        assert!(served.says(&Fact::answer(AnswerKind::Accepted, 0, "OK")) && served.appetite == Appetite::Full);
        assert!(told(Some("application/grpc+proto"), &[headers(1, &literal("grpc-status", "5"))]).says(&Fact::answer(AnswerKind::Accepted, 5, "NOT_FOUND")));
    }

    #[test]
    fn a_status_refuses_and_so_does_an_error_of_a_stream_or_of_all() {
        // 403 as a literal whose name is in the table, 404 by the table.
        assert!(told(None, &[headers(1, &[0x08, 3, b'4', b'0', b'3'])]).says(&Fact::answer(AnswerKind::Refused, 403, "(HTTP/2)")));
        assert!(told(None, &[headers(1, &[0x8d])]).says(&Fact::answer(AnswerKind::Refused, 404, "(HTTP/2)")));
        assert!(told(None, &[vec![0, 0, 4, RST_STREAM, 0, 0, 0, 0, 1, 0, 0, 0, 7]]).says(&Fact::answer(AnswerKind::Failed, 7, "RST_STREAM REFUSED_STREAM")));
        assert!(told(None, &[vec![0, 0, 8, GO_AWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11]]).says(&Fact::answer(
            AnswerKind::Failed,
            11,
            "GOAWAY ENHANCE_YOUR_CALM"
        )));
        let quiet = told(None, &[vec![0, 0, 4, RST_STREAM, 0, 0, 0, 0, 1, 0, 0, 0, 8]]);
        assert!(!quiet.facts.iter().any(|fact| matches!(fact, Fact::Answer { .. })));
    }
}
