//! HTTP/2 in clear (RFC 9113): prior knowledge, or after an upgrade. Records print it as `http`, version 2.

use crate::identify::wire::{Cursor, Length, Messages};

use crate::limit;

use super::{Appetite, Evidence, Fact, Gate, Known, Look, Opening, Piece, Reader, Said, Strength, Transport};
use crate::identify::AnswerKind;

/// HTTP/2 over TCP.
pub static HTTP2: Known = Known {
    name: "http",
    carriers: &[Transport::TCP],
    gate: Gate::Any,
    ask: preface,
    answer: Some(settings),
    strength: Strength::Magic,
    reader: || Box::<Http2Reader>::default(),
};

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

/// Reads frames until both sides have settled, or one goes away.
#[derive(Debug, Default)]
struct Http2Reader {
    sides: [Messages; 2],
    settled: [bool; 2],
    frames: u8,
}

impl Reader for Http2Reader {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let side = piece.from as usize;
        let mut rest = piece.bytes;
        while let Some(frame) = self.sides[side].next(&mut rest, length) {
            self.frames = self.frames.saturating_add(1);
            match frame.get(3) {
                _ if frame.starts_with(PREFACE) => said.detail("http", "version", "2"),
                Some(&SETTINGS) => self.settled[side] = true,
                Some(&GO_AWAY) => {
                    let code = frame.get(13..).and_then(|rest| rest.first_chunk()).map_or(0, |code| u32::from_be_bytes(*code));
                    if code != 0 {
                        said.say(Fact::Answer { kind: AnswerKind::Failed, code, text: "GOAWAY".into(), by: piece.from });
                    }
                    return Appetite::Full;
                }
                _ => {}
            }
        }
        if self.settled == [true, true] {
            said.believe(Evidence::Dialogue);
        }
        if self.frames >= limit::HTTP2_FRAMES || self.sides[side].is_broken() { Appetite::Full } else { Appetite::Hungry }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;

#[cfg(test)]
mod tests {
    use super::super::Side;
    use super::super::testing::{decide, evidence, prefixes_never_match_anything_else, read_all, survives};
    use super::*;

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
}
