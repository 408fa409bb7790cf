//! SRT: secure reliable transport (draft-sharabayko-srt-01 section 3).

use crate::identify::wire::{Cursor, printable};
use crate::identify::{AnswerKind, Evidence, Fact, Step};
use crate::net::{Side, Transport};

use super::unheard::Unheard;
use super::{Appetite, Gate, Head, Hit, Known, Look, Opening, Over, Piece, Probe, Protocol, Reader, Said, Strength};

/// Told by a handshake, or in the middle of a stream by its control packets.
pub static SRT: Srt = Srt;

/// SRT and, until the listener has answered, UDT.
#[derive(Debug)]
pub struct Srt;

static HANDSHAKE: Known = Known {
    name: "srt",
    over: Over::Datagrams(Gate::Bytes(&[0x80..=0x80])),
    ask: |_, bytes| handshake_look(bytes, false),
    answer: Some(|_, bytes| handshake_look(bytes, true)),
    strength: Strength::Magic,
    reader: || Box::new(Stream::default()),
};

impl Protocol for Srt {
    fn name(&self) -> &'static str {
        HANDSHAKE.name
    }

    fn carriers(&self) -> &'static [Transport] {
        HANDSHAKE.carriers()
    }

    fn strength(&self) -> Strength {
        HANDSHAKE.strength
    }

    fn gate(&self) -> Gate {
        HANDSHAKE.gate()
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        match HANDSHAKE.probe(opening) {
            Probe::NotForUs if midway(opening.heads) => {
                let hit = Hit { side: opening.latest.0, offset: 0, len: 16, rule: "SRT control packets in the middle of a stream" };
                Probe::Found { evidence: Evidence::OneOpening, hit, client: None }
            }
            other => other,
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        HANDSHAKE.reader()
    }
}

/// A handshake packet (section 3.2.1); offsets are those of the datagram.
#[derive(Debug)]
struct Handshake<'a> {
    version: u32,
    extension: u16,
    encryption: u16,
    kind: u32,
    /// The sender's socket.
    from: u32,
    cookie: u32,
    rest: &'a [u8],
}

fn handshake(bytes: &[u8]) -> Option<Handshake<'_>> {
    let mut at = Cursor::new(bytes);
    let (control, _info, _time, _to) = (at.be32()?, at.be32()?, at.be32()?, at.be32()?);
    let (version, encryption, extension) = (at.be32()?, at.be16()?, at.be16()?);
    let (sequence, segment, window, kind) = (at.be32()?, at.be32()?, at.be32()?, at.be32()?);
    let (from, cookie) = (at.be32()?, at.be32()?);
    at.take(16)?;
    let sane = control == 0x8000_0000
        && matches!(version, 4 | 5)
        && sequence >> 31 == 0
        && (76..=65_535).contains(&segment)
        && (1..=1 << 24).contains(&window)
        && from != 0;
    sane.then_some(Handshake { version, extension, encryption, kind, from, cookie, rest: at.rest() })
}

fn handshake_look(bytes: &[u8], answers: bool) -> Look {
    let Some(handshake) = handshake(bytes) else { return Look::No };
    let induction = handshake.kind == INDUCTION && handshake.version == 4 && handshake.cookie == 0 && bytes.len() == 64;
    let asks = induction && handshake.extension == 2 || handshake.kind == CONCLUSION || handshake.kind == WAVE;
    let reply = handshake.kind == INDUCTION && handshake.extension == MAGIC
        || handshake.kind == CONCLUSION
        || handshake.kind >= 1000 && handshake.kind < 1 << 20
        || handshake.kind == WAVE
        || handshake.kind == AGREEMENT;
    let rule = if answers { "SRT handshake reply" } else { "SRT handshake" };
    Look::when(if answers { reply } else { asks }, 48, rule)
}

/// Acknowledgments, their acknowledgments and keep-alives of the right lengths, at least three, with data in one direction at most.
fn midway(heads: &[Head]) -> bool {
    let control = |head: &&Head| {
        let [a, b, c, d, ..] = head.bytes;
        let reserved = [c, d] == [0, 0];
        match (a, b) {
            (0x80, 0x02) => reserved && (16..=44).contains(&head.len) && head.len.is_multiple_of(4),
            (0x80, 0x06) => reserved && (16..=20).contains(&head.len),
            (0x80, 0x01) => reserved && (16..=20).contains(&head.len),
            (0x80, 0x03) => reserved && head.len >= 20 && head.len.is_multiple_of(4),
            _ => false,
        }
    };
    let same_socket = |side: Side| {
        let mut ids = heads.iter().filter(|head| head.from == side).map(|head| head.bytes.get(12..16));
        let first = ids.next();
        first.is_none_or(|first| first != Some(&[0; 4]) && ids.all(|id| id == first))
    };
    let controls = heads.iter().filter(control).count();
    // Keep-alives alone could be anybody's.
    let acknowledges = heads.iter().filter(control).any(|head| head.bytes[1] == 2);
    controls >= 3 && acknowledges && same_socket(Side::Client) && same_socket(Side::Server)
}

/// Reads the handshake and why it fails.
#[derive(Debug, Default)]
struct Stream {
    asked: [u32; 2],
    told: bool,
    /// The caller's first step, by its socket: what comes after it has heard the answer.
    caller: u64,
    unheard: Unheard,
}

impl Reader for Stream {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let Some(handshake) = handshake(piece.bytes) else {
            // Data or control: the connection stands.
            return if self.told || self.asked == [0, 0] { Appetite::Full } else { Appetite::Hungry };
        };
        match handshake.kind {
            INDUCTION if handshake.extension == MAGIC => {
                said.believe(Evidence::Dialogue);
                self.asked[0] = 0;
                self.unheard.answered(self.caller, piece.time);
            }
            INDUCTION => {
                self.caller = u64::from(handshake.from);
                self.unheard.asked(|| self.caller, piece.time);
                self.again(0, said);
            }
            CONCLUSION if self.asked[1] == 0 || piece.from == Side::Client => {
                self.unheard = Unheard::default();
                if piece.from == Side::Client && handshake.cookie != 0 {
                    said.say(Fact::Reached(Step::CookieReturned));
                }
                self.again(1, said);
                extensions(&handshake, piece.from, said);
            }
            CONCLUSION => return self.accepted(&handshake, piece.from, said),
            1000.. if handshake.kind < 1 << 20 => {
                said.believe(Evidence::Dialogue);
                let text = REASONS.get((handshake.kind - 1000) as usize).copied().unwrap_or("application's own reason");
                said.say(Fact::Answer { kind: AnswerKind::Refused, code: handshake.kind, text: text.into(), by: piece.from });
                return Appetite::Full;
            }
            _ => (),
        }
        Appetite::Hungry
    }

    fn finish(&self, said: &mut Said<'_>) {
        self.unheard.tell(said);
    }
}

impl Stream {
    fn again(&mut self, step: usize, said: &mut Said<'_>) {
        self.asked[step] += 1;
        if self.asked[step] > 1 {
            said.say(Fact::Retry);
        }
    }

    fn accepted(&mut self, handshake: &Handshake<'_>, by: Side, said: &mut Said<'_>) -> Appetite {
        self.told = true;
        said.believe(Evidence::Dialogue);
        extensions(handshake, by, said);
        said.say(Fact::Answer { kind: AnswerKind::Accepted, code: 0, text: "connected".into(), by });
        Appetite::Full
    }
}

/// Version, stream id and whether it is encrypted: type and length in words before each (section 3.2.1.1).
fn extensions(handshake: &Handshake<'_>, of: Side, said: &mut Said<'_>) {
    let mut at = Cursor::new(handshake.rest);
    if handshake.encryption > 0 {
        said.say(Fact::Encrypted);
    }
    while let (Some(kind), Some(words)) = (at.be16(), at.be16()) {
        let Some(value) = at.take(usize::from(words) * 4) else { return };
        match kind {
            1 | 2 => {
                let Some([_, major, minor, patch]) = value.first_chunk() else { continue };
                said.say(Fact::Software { of, text: format!("SRT {major}.{minor}.{patch}").into() });
            }
            5 => {
                // Each word's bytes are written in reverse.
                let text: Vec<u8> = value.as_chunks().0.iter().flat_map(|[a, b, c, d]: &[u8; 4]| [*d, *c, *b, *a]).collect();
                let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                said.detail("srt", "stream_id", printable(text.get(..end).unwrap_or(&text)));
            }
            _ => (),
        }
    }
}

const MAGIC: u16 = 0x4a17;
const WAVE: u32 = 0;
const INDUCTION: u32 = 1;
const CONCLUSION: u32 = u32::MAX;
const AGREEMENT: u32 = u32::MAX - 1;
/// Rejection reasons from 1000 on (Haivision SRT, docs/API/rejection-codes.md).
const REASONS: &[&str] = &[
    "unknown reason",
    "system error",
    "peer rejected",
    "resource allocation",
    "rogue peer",
    "listener's backlog exceeded",
    "internal program error",
    "socket is closed",
    "peer is too old",
    "rendezvous cookie collision",
    "bad passphrase",
    "passphrase required on both sides or none",
    "message API",
    "congestion controller",
    "packet filter",
    "group",
    "connection timeout",
    "crypto mode",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    /// Version, encryption, extension, request type, cookie in an otherwise usual handshake; then extensions.
    fn packet(version: u32, fields: (u16, u16), kind: u32, cookie: u32, extensions: &str) -> Vec<u8> {
        let mut bytes = hex("80000000 00000000 00000001 00000000");
        bytes.extend(version.to_be_bytes());
        bytes.extend(fields.0.to_be_bytes());
        bytes.extend(fields.1.to_be_bytes());
        bytes.extend(hex("12345678 000005dc 00002000"));
        bytes.extend(kind.to_be_bytes());
        bytes.extend(hex("0000abcd"));
        bytes.extend(cookie.to_be_bytes());
        bytes.extend(hex("0100007f 00000000 00000000 00000000"));
        bytes.extend(hex(extensions));
        bytes
    }

    #[test]
    fn a_caller_is_accepted_and_names_its_stream() {
        // HSREQ with version 1.4.3; stream id "abc" in one word, reversed.
        let dialogue = [
            (Client, packet(4, (0, 2), INDUCTION, 0, "")),
            (Server, packet(5, (0, MAGIC), INDUCTION, 77, "")),
            (Client, packet(5, (0, 5), CONCLUSION, 77, "0001 0003 00010403 000000bf 00780078 0005 0001 00636261")),
            (Server, packet(5, (0, 1), CONCLUSION, 77, "0002 0003 00010403 000000bf 00780078")),
        ];
        let dialogue: Vec<(Side, &[u8])> = dialogue.iter().map(|(side, bytes)| (*side, bytes.as_slice())).collect();
        assert_eq!(evidence(decide(&SRT, Transport::UDP, 5421, dialogue[0].1, dialogue[1].1)), Evidence::BothOpenings);
        let heard = read(&SRT, Transport::UDP, 5421, &dialogue);
        assert_eq!((heard.evidence, heard.appetite), (Evidence::Dialogue, Appetite::Full));
        assert_eq!(heard.detail("srt", "stream_id"), Some("abc".into()));
        survives(&SRT, Transport::UDP, 5421, &dialogue);
    }

    #[test]
    fn a_wrong_passphrase_is_refused_and_silence_is_retried() {
        let refused = packet(5, (0, 0), 1010, 77, "");
        let heard = read(&SRT, Transport::UDP, 5421, &[(Client, &packet(5, (2, 5), CONCLUSION, 77, "")), (Server, &refused)]);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 1010, "bad passphrase")));
        assert!(heard.facts.contains(&Fact::Reached(Step::CookieReturned)));
        let induction = packet(4, (0, 2), INDUCTION, 0, "");
        assert!(read(&SRT, Transport::UDP, 5421, &[(Client, &induction), (Client, &induction)]).facts.contains(&Fact::Retry));
    }

    #[test]
    fn a_call_that_comes_again_after_each_answer_was_never_heard_of() {
        let (call, cookie) = (packet(4, (0, 2), INDUCTION, 0, ""), packet(5, (0, MAGIC), INDUCTION, 77, ""));
        let concluded = packet(5, (0, 5), CONCLUSION, 77, "");
        let (ask, answer) = ((Client, call.as_slice()), (Server, cookie.as_slice()));
        let unheard = |dialogue: &[(Side, &[u8])]| read(&SRT, Transport::UDP, 5421, dialogue).facts.contains(&Fact::Unheard);
        assert!(unheard(&[ask, answer, ask, answer, ask, answer]));
        assert!(!unheard(&[ask, answer, ask, answer]));
        assert!(!unheard(&[ask, answer, ask, answer, ask, answer, (Client, &concluded)]));
    }

    #[test]
    fn acknowledgments_alone_tell_a_stream_and_rtp_is_none() {
        let ack = Head::of(Server, &hex("80020000 00000001 00000001 0000abcd 00000005"), 44);
        let back = Head::of(Client, &hex("80060000 00000001 00000001 0000dcba 00000005"), 16);
        assert!(midway(&[ack, back, ack]));
        assert!(!midway(&[back, back, back]));
        let rtp = Head::of(Client, &hex("80600001 00000001 00000001 0000dcba 00000005"), 200);
        assert!(!midway(&[rtp, rtp, rtp]));
        assert_eq!(evidence(decide(&SRT, Transport::UDP, 5421, &packet(4, (0, 2), INDUCTION, 0, "")[..60], &[])), Evidence::None);
    }
}
