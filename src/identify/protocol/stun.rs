//! STUN and TURN (RFC 8489, RFC 8656, classic RFC 3489), and what shares their port: DTLS and RTP (RFC 7983).

use crate::identify::wire::{Cursor, Length, Messages, printable};

use super::dtls::Dtls;
use super::{Appetite, Evidence, Fact, Gate, Hit, Opening, Piece, Probe, Protocol, Reader, Said, Side, Strength, Transport};
use crate::identify::AnswerKind;
use crate::limit;

/// STUN.
#[derive(Debug)]
pub struct Stun;

impl Protocol for Stun {
    fn name(&self) -> &'static str {
        "stun"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::UDP, Transport::TCP]
    }

    fn strength(&self) -> Strength {
        Strength::Magic
    }

    fn gate(&self) -> Gate {
        Gate::BytesAnd(&[0..=0x3f], has_header)
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let datagrams = opening.transport == Transport::UDP;
        let message = |side| Message::read(opening.side(side), datagrams.then(|| opening.wire_len(side)));
        let (client, server) = (message(Side::Client), message(Side::Server));
        let found = |side, evidence, rule, asks| Probe::Found { evidence, hit: Hit { side, offset: 0, len: 20, rule }, client: asks };
        let roles = |side: Side, message: &Message<'_>| match message.class() {
            Class::Request | Class::Indication => Some(side),
            Class::Success | Class::Failure => Some(side.other()),
        };
        match (&client, &server) {
            (Some(a), Some(b)) if a.cookie && b.cookie => found(Side::Client, Evidence::BothOpenings, MODERN, roles(Side::Client, a)),
            // Without the cookie: a request and its answer, by type and by all 16 bytes of the identifier.
            (Some(a), Some(b)) if a.id == b.id && a.method() == b.method() && a.class() != b.class() => {
                found(Side::Client, Evidence::BothOpenings, CLASSIC, roles(Side::Client, a))
            }
            (Some(a), _) if a.cookie => found(Side::Client, Evidence::OneOpening, MODERN, roles(Side::Client, a)),
            (_, Some(b)) if b.cookie => found(Side::Server, Evidence::OneOpening, MODERN, roles(Side::Server, b)),
            (Some(_), None) if opening.server.is_empty() && !opening.complete => Probe::NeedMore,
            (None, _) if !datagrams && opening.client.len() < 20 && opening.client.first().is_none_or(|byte| *byte < 2) && !opening.complete => Probe::NeedMore,
            _ => Probe::NotForUs,
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<StunReader>::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Request,
    Indication,
    Success,
    Failure,
}

/// Whether a datagram may be a [`Message`]: by the cookie, or by a type of RFC 3489, and a length of whole words.
fn has_header(bytes: &[u8]) -> bool {
    match bytes {
        [_, _, _, low, 0x21, 0x12, 0xa4, 0x42, ..] | [0, 1 | 2, _, low, ..] | [1, 1 | 2 | 0x11 | 0x12, _, low, ..] => low.is_multiple_of(4),
        _ => false,
    }
}

/// A message whose length agrees with its attributes.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    kind: u16,
    cookie: bool,
    id: &'a [u8],
    attributes: &'a [u8],
}

impl<'a> Message<'a> {
    /// `whole` is the length of the datagram; of streams, messages follow one another.
    fn read(bytes: &'a [u8], whole: Option<usize>) -> Option<Self> {
        let mut at = Cursor::new(bytes);
        let (kind, len) = (at.be16()?, usize::from(at.be16()?));
        let id = at.take(16)?;
        let cookie = id.starts_with(&[0x21, 0x12, 0xa4, 0x42]);
        // Methods from 0x80 up, which set the higher bits of the first byte, are given to nobody yet (IANA, STUN Methods): a stream is told sooner without them.
        let fits = kind & 0xc000 == 0 && (whole.is_some() || kind < 0x0200) && len.is_multiple_of(4) && whole.is_none_or(|whole| whole == len + 20);
        if !fits {
            return None;
        }
        let message = Self { kind, cookie, id, attributes: at.rest().get(..len).unwrap_or(at.rest()) };
        let complete = message.attributes.len() == len;
        // Classic messages have no cookie: their type must be one of RFC 3489, and their attributes must fill them.
        let classic = || matches!(kind, 0x0001 | 0x0101 | 0x0111 | 0x0002 | 0x0102 | 0x0112) && complete && message.fills();
        (cookie && kind & 0x3eef != 0 || classic()).then_some(message)
    }

    fn class(&self) -> Class {
        match (self.kind & 0x0100 != 0, self.kind & 0x0010 != 0) {
            (false, false) => Class::Request,
            (false, true) => Class::Indication,
            (true, false) => Class::Success,
            (true, true) => Class::Failure,
        }
    }

    /// RFC 8489 section 5: the bits around the class.
    const fn method(&self) -> u16 {
        self.kind & 0x3eef
    }

    fn fills(&self) -> bool {
        let mut at = Cursor::new(self.attributes);
        while let (Some(_), Some(len)) = (at.be16(), at.be16()) {
            if at.take(usize::from(len).next_multiple_of(4)).is_none() {
                return false;
            }
        }
        at.is_empty()
    }

    fn attribute(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut at = Cursor::new(self.attributes);
        while let (Some(kind), Some(len)) = (at.be16(), at.be16()) {
            let padded = at.take(usize::from(len).next_multiple_of(4))?;
            if kind == wanted {
                return padded.get(..usize::from(len));
            }
        }
        None
    }
}

/// Reads requests and answers, and what else comes over the same ports.
#[derive(Default)]
struct StunReader {
    /// Over TCP: what is between two messages.
    streams: [Messages; 2],
    asked: Option<(Side, [u8; 16])>,
    /// Whether that request bore credentials.
    signed: bool,
    dtls: Option<Box<dyn Reader>>,
    /// Last sequence number and source of what may be RTP, by side.
    media: [Option<(u16, u32)>; 2],
    media_told: bool,
    /// Datagrams, or messages of a stream.
    pieces: u16,
}

impl Reader for StunReader {
    fn held(&self) -> usize {
        self.dtls.as_ref().map_or(0, |dtls| dtls.held())
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let broken = if piece.transport == Transport::UDP {
            self.datagram(piece, said);
            false
        } else {
            self.stream(&piece, said)
        };
        if broken || self.pieces >= limit::STUN_PIECES { Appetite::Full } else { Appetite::Hungry }
    }

    fn finish(&self, said: &mut Said<'_>) {
        if let Some(dtls) = &self.dtls {
            dtls.finish(said);
        }
    }
}

/// Over TCP messages follow one another, and TURN's channel data in between is padded to four bytes (RFC 8656 section 12.5).
fn stream_length(bytes: &[u8]) -> Length {
    match bytes {
        [0..=0x3f, _, a, b, ..] => Length::Is(u64::from(u16::from_be_bytes([*a, *b])) + 20),
        [0x40..=0x7f, _, a, b, ..] => Length::Is(u64::from(u16::from_be_bytes([*a, *b])).next_multiple_of(4) + 4),
        [] | [0..=0x7f, ..] => Length::Unknown,
        _ => Length::Wrong,
    }
}

impl StunReader {
    fn datagram(&mut self, piece: Piece<'_>, said: &mut Said<'_>) {
        self.pieces = self.pieces.saturating_add(1);
        let whole = piece.bytes.len().saturating_add(usize::try_from(piece.missing).unwrap_or(usize::MAX));
        match (Message::read(piece.bytes, Some(whole)), piece.bytes.first()) {
            (Some(message), _) => self.message(&message, piece.from, said),
            (None, Some(20..=63)) => self.secure(piece, said),
            (None, Some(128..=191)) => self.media(&piece, said),
            _ => {}
        }
    }

    /// Whether the stream makes no more sense.
    fn stream(&mut self, piece: &Piece<'_>, said: &mut Said<'_>) -> bool {
        let (side, mut rest) = (piece.from as usize, piece.bytes);
        while let Some(bytes) = self.streams[side].next(&mut rest, stream_length) {
            self.pieces = self.pieces.saturating_add(1);
            if let Some(message) = Message::read(&bytes, None) {
                self.message(&message, piece.from, said);
            }
        }
        piece.missing > 0 || self.streams[side].is_broken()
    }

    fn message(&mut self, message: &Message<'_>, from: Side, said: &mut Said<'_>) {
        let Some(id) = message.id.first_chunk().copied() else { return };
        if let Some(software) = message.attribute(SOFTWARE) {
            said.say(Fact::Software { of: from, text: printable(software) });
        }
        if (3..=9).contains(&message.method()) {
            said.say(Fact::Inner("turn"));
        }
        let answers = self.asked.is_some_and(|(asker, asked)| asker != from && asked == id);
        match message.class() {
            Class::Request => {
                if self.asked == Some((from, id)) {
                    said.say(Fact::Retry);
                }
                // A check of one pair of addresses among several (RFC 8445 section 7.1.1).
                if message.attribute(PRIORITY).is_some() {
                    said.say(Fact::Inner("ice"));
                }
                self.asked = Some((from, id));
                self.signed = message.attribute(MESSAGE_INTEGRITY).or(message.attribute(MESSAGE_INTEGRITY_SHA256)).is_some();
            }
            Class::Success if answers => {
                said.believe(Evidence::Dialogue);
                said.say(Fact::Answer { kind: AnswerKind::Accepted, code: 0, text: "success".into(), by: from });
            }
            Class::Failure if answers => {
                said.believe(Evidence::Dialogue);
                let error = message.attribute(ERROR_CODE).unwrap_or_default();
                let code = error.get(2..4).map_or(0, |digits| u32::from(digits[0] & 7) * 100 + u32::from(digits[1]));
                let text = printable(error.get(4..).unwrap_or_default());
                // 401 and 438 only ask for credentials, as every TURN client expects (RFC 8489 section 9.2.4); after these were given, 401 says that they are wrong (9.2.5).
                if code != 438 && (code != 401 || self.signed) {
                    said.say(Fact::Answer { kind: AnswerKind::Refused, code, text, by: from });
                }
            }
            Class::Indication => said.say(Fact::OneWay),
            _ => {}
        }
    }

    fn secure(&mut self, piece: Piece<'_>, said: &mut Said<'_>) {
        if self.dtls.is_none() {
            let (client, server) = if piece.from == Side::Client { (piece.bytes, &[][..]) } else { (&[][..], piece.bytes) };
            let opening = Opening { ends: piece.ends.both(), ..Opening::of(Transport::UDP, client, server) };
            if !matches!(Dtls.probe(&opening), Probe::Found { .. }) {
                return;
            }
            said.say(Fact::Inner("dtls"));
            self.dtls = Some(Dtls.reader());
        }
        if let Some(dtls) = &mut self.dtls {
            dtls.read(piece, said);
        }
    }

    /// Two packets of one source, one number apart (RFC 3550 section 5.1).
    fn media(&mut self, piece: &Piece<'_>, said: &mut Said<'_>) {
        let mut at = Cursor::new(piece.bytes);
        let (Some(_), Some(kind), Some(sequence), Some(_), Some(source)) = (at.u8(), at.u8(), at.be16(), at.be32(), at.be32()) else { return };
        // RFC 5761 section 4: RTCP.
        if (64..96).contains(&(kind & 0x7f)) {
            return;
        }
        let last = self.media[piece.from as usize].replace((sequence, source));
        let follows = last.is_some_and(|(before, of)| of == source && (1..=8).contains(&sequence.wrapping_sub(before)));
        if follows && !self.media_told {
            self.media_told = true;
            said.say(Fact::Inner("rtp"));
        }
    }
}

const MODERN: &str = "STUN header with magic cookie";
const CLASSIC: &str = "STUN request and answer with the same identifier (RFC 3489)";
const ERROR_CODE: u16 = 0x0009;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
const PRIORITY: u16 = 0x0024;
const SOFTWARE: u16 = 0x8022;

#[cfg(test)]
mod tests {
    use super::super::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read_all, survives};
    use super::*;

    /// RFC 5769 section 2.1 and 2.2, without their integrity attributes.
    fn message(kind: u16, attributes: &str) -> Vec<u8> {
        let attributes = hex(attributes);
        [&kind.to_be_bytes()[..], &(attributes.len() as u16).to_be_bytes(), &hex("2112a442 b7e7a701bc34d686fa87dfae"), &attributes].concat()
    }

    const REQUEST_ATTRIBUTES: &str = "80220010 5354554e207465737420636c69656e74 00240004 6e0001ff";
    const ANSWER_ATTRIBUTES: &str = "8022000b 7465737420766563746f7220 00200008 0001a147e112a643";

    // Found by guided fuzzing: refused for its first byte alone, and recognised whole.
    #[test]
    fn a_stream_with_a_method_that_nobody_has_is_refused_whole_as_by_its_first_byte() {
        let message = [&[0x12, 0xff, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
        let probe = |bytes| Stun.probe(&crate::identify::protocol::testing::opening(Transport::TCP, 3478, bytes, &[]));
        assert_eq!((probe(&message[..1]), probe(&message)), (Probe::NotForUs, Probe::NotForUs));
    }

    #[test]
    fn a_binding_request_and_its_answer_are_a_dialogue() {
        let (request, answer) = (message(1, REQUEST_ATTRIBUTES), message(0x0101, ANSWER_ATTRIBUTES));
        let told = read_all(&Stun, &[(Side::Client, &request), (Side::Server, &answer)]);
        assert_eq!(told.evidence, Evidence::Dialogue);
        assert!(told.says(&Fact::Software { of: Side::Client, text: "STUN test client".into() }));
        // RFC 5769 section 2.1: it has a priority, and so is a check of ICE.
        assert!(told.says(&Fact::Inner("ice")) && !read_all(&Stun, &[(Side::Client, &message(1, ""))]).says(&Fact::Inner("ice")));
        survives(&Stun, Transport::UDP, 3478, &[(Side::Client, &request), (Side::Server, &answer)]);
        survives(&Stun, Transport::TCP, 3478, &[(Side::Client, &request), (Side::Server, &answer)]);
        prefixes_never_match_anything_else("stun", Transport::UDP, &request, &answer);
    }

    #[test]
    fn an_error_tells_its_number_and_its_words() {
        let (request, answer) = (message(3, ""), message(0x0113, "0009000d 00000403 466f7262696464656e 000000"));
        let told = read_all(&Stun, &[(Side::Client, &request), (Side::Server, &answer)]);
        assert!(told.says(&Fact::answer(AnswerKind::Refused, 403, "Forbidden")));
        assert!(told.says(&Fact::Inner("turn")));
    }

    // RFC 8489 section 9.2: an Allocate without credentials, one with them (their digest is not read), and 401 after each.
    #[test]
    fn an_answer_that_asks_for_credentials_refuses_only_whoever_gave_them() {
        let digest = format!("00080014 {}", "5a".repeat(20));
        let (bare, signed) = (message(3, ""), message(3, &format!("00060001 75000000 {digest}")));
        let unauthorized = message(0x0113, "00090010 00000401 556e617574686f72697a6564");
        let refusals = |dialogue: &[(Side, &[u8])]| read_all(&Stun, dialogue).says(&Fact::answer(AnswerKind::Refused, 401, "Unauthorized"));
        assert!(!refusals(&[(Side::Client, &bare), (Side::Server, &unauthorized)]));
        assert!(refusals(&[(Side::Client, &bare), (Side::Server, &unauthorized), (Side::Client, &signed), (Side::Server, &unauthorized)]));
    }

    #[test]
    fn without_the_cookie_both_sides_must_agree() {
        let old = |kind: u16, id: u8| [&kind.to_be_bytes()[..], &[0, 0], &[id; 16]].concat();
        assert_eq!(evidence(decide(&Stun, Transport::UDP, 3478, &old(1, 7), &[])), Evidence::None);
        assert_eq!(evidence(decide(&Stun, Transport::UDP, 3478, &old(1, 7), &old(0x0101, 8))), Evidence::None);
        assert_eq!(evidence(decide(&Stun, Transport::UDP, 3478, &old(1, 7), &old(0x0101, 7))), Evidence::BothOpenings);
    }

    #[test]
    fn a_length_that_disagrees_with_the_datagram_is_no_stun() {
        let mut request = message(1, REQUEST_ATTRIBUTES);
        request.push(0);
        assert_eq!(evidence(decide(&Stun, Transport::UDP, 3478, &request, &[])), Evidence::None);
    }
}
