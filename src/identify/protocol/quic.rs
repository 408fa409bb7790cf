//! QUIC (RFC 9000, RFC 9369, drafts): told by its long header; the client's Initial packets are opened for server name, ALPN and JA4.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use arrayvec::ArrayVec;

use super::hello::{Carrier, ClientHello, ServerHello, alert_name};
use super::quic_initial::{Frame, Kind, Long, Opener, each_frame, is_known, is_reserved, open, version_name};
use super::{Appetite, Evidence, Fact, Gate, Hit, Opening, Piece, Probe, Protocol, Reader, Said, Side, Strength, Transport};
use crate::identify::{AnswerKind, Step};
use crate::limit;

/// QUIC.
#[derive(Debug)]
pub struct Quic;

impl Protocol for Quic {
    fn name(&self) -> &'static str {
        "quic"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::UDP]
    }

    fn strength(&self) -> Strength {
        Strength::Magic
    }

    fn gate(&self) -> Gate {
        // Long headers, and the public headers of Google's own versions.
        Gate::BytesAnd(&[0x09..=0x09, 0x0d..=0x0d, 0x19..=0x19, 0x1d..=0x1d, 0x29..=0x29, 0x39..=0x39, 0x80..=0xff], has_version)
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let looks = [Side::Client, Side::Server].map(|side| look(opening.side(side), opening.wire_len(side)));
        let side = match (looks[0], looks[1]) {
            (Some(_), _) => Side::Client,
            (None, Some(_)) => Side::Server,
            (None, None) => return Probe::NotForUs,
        };
        let Some((rule, sender)) = looks[side as usize] else { return Probe::NotForUs };
        // A Retry has no lengths: little more than a version, without the Initial that it answers.
        if rule == RETRY && looks[side.other() as usize].is_none() {
            return if opening.complete { Probe::NotForUs } else { Probe::NeedMore };
        }
        let client = match sender {
            Sender::Client => Some(side),
            Sender::Server => Some(side.other()),
            Sender::Unknown => None,
        };
        let both = looks.iter().all(Option::is_some);
        let evidence = if both { Evidence::BothOpenings } else { Evidence::OneOpening };
        Probe::Found { evidence, hit: Hit { side, offset: 0, len: 7, rule }, client }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<QuicReader>::default()
    }
}

/// Who sends such a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Client,
    Server,
    Unknown,
}

fn look(bytes: &[u8], wire_len: usize) -> Option<(&'static str, Sender)> {
    if let Some(rule) = google(bytes, wire_len) {
        return Some((rule, Sender::Client));
    }
    let header = Long::read(bytes)?;
    let fits = header.len <= wire_len;
    match header.kind {
        // RFC 9000 section 14.1: a client pads to 1200 bytes, and chooses at least 8 for the id (section 7.2).
        Kind::Initial if fits && wire_len >= 1200 && header.destination.len() >= 8 => {
            Some(("QUIC long header, Initial of 1200 bytes or more", Sender::Unknown))
        }
        Kind::Initial if fits && !is_reserved(header.version) && (is_standard(header.version) || wire_len >= 1000) => {
            Some(("QUIC long header, Initial", Sender::Unknown))
        }
        Kind::Handshake | Kind::ZeroRtt if fits => Some(("QUIC long header", Sender::Unknown)),
        Kind::Retry => Some((RETRY, Sender::Server)),
        Kind::Negotiation if all_versions(bytes, &header) => Some(("QUIC Version Negotiation", Sender::Server)),
        _ => None,
    }
}

fn is_standard(version: u32) -> bool {
    is_known(version) && !matches!(version, 0x5130_0000..=0x5430_ffff)
}

/// Every version listed is one that is known or reserved (RFC 9000 section 15), so that four zero bytes alone never match.
fn all_versions(bytes: &[u8], header: &Long<'_>) -> bool {
    let list = bytes.get(7 + header.destination.len() + header.source.len()..).unwrap_or_default();
    let versions = list.chunks_exact(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    let known = |version: u32| is_known(version) || is_reserved(version) || version >> 24 == u32::from(b'Q');
    versions.clone().count() > 0 && versions.clone().all(known) && versions.clone().any(|version| !is_reserved(version))
}

/// Whether a version stands where it should: one that is known or reserved, none at all of a Version Negotiation, or Google's.
fn has_version(bytes: &[u8]) -> bool {
    match bytes {
        [0x80..=0xff, a, b, c, d, ..] => matches!(u32::from_be_bytes([*a, *b, *c, *d]), version if version == 0 || is_known(version) || is_reserved(version)),
        _ => matches!(bytes.get(9..), Some([b'Q', b'0', ..])),
    }
}

/// Google's QUIC up to Q043: public flags with version, an 8-byte connection id, `Q0nn`, and a packet number.
fn google(bytes: &[u8], wire_len: usize) -> Option<&'static str> {
    let (flags, version) = (bytes.first()?, bytes.get(9..13)?);
    let fits = matches!(flags, 0x09 | 0x0d | 0x19 | 0x1d | 0x29 | 0x39) && wire_len >= 1000;
    (fits && matches!(version, [b'Q', b'0', b'0'..=b'9', b'0'..=b'9'])).then_some("Google QUIC public header with version")
}

/// Opens the Initial packets of both sides.
#[derive(Debug, Default)]
struct QuicReader {
    /// The client's first destination, from which the keys follow.
    first_id: Option<ArrayVec<u8, 20>>,
    opener: Option<Box<Opener>>,
    client: Option<Side>,
    crypto: [Crypto; 2],
    version: u32,
    datagrams: u8,
    seen: [bool; 2],
    done: [bool; 2],
}

/// Handshake bytes that came in any order.
#[derive(Debug, Default)]
struct Crypto {
    /// One piece behind the other.
    held: Vec<u8>,
    /// Where what begins at an offset lies among them.
    parts: BTreeMap<u64, Range<usize>>,
    told: bool,
}

impl Reader for QuicReader {
    fn held(&self) -> usize {
        self.crypto.iter().map(|side| side.held.capacity()).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        self.datagrams = self.datagrams.saturating_add(1);
        let mut rest = piece.bytes;
        // RFC 9000 section 12.2: several packets may share a datagram.
        while let Some(header) = Long::read(rest) {
            self.packet(rest, &header, piece.from, said);
            rest = rest.get(header.len..).unwrap_or_default();
        }
        if matches!(piece.bytes.first(), Some(0x40..=0x7f)) {
            self.done[piece.from as usize] = true;
        }
        self.seen[piece.from as usize] = true;
        if self.seen == [true, true] {
            said.believe(Evidence::BothOpenings);
        }
        if self.done == [true, true] {
            return Appetite::Full;
        }
        if self.datagrams < limit::QUIC_DATAGRAMS {
            return Appetite::Hungry;
        }
        self.finish(said);
        Appetite::Full
    }

    /// Where the server answered and the client sent its first packets alone, this is how far the handshake came.
    fn finish(&self, said: &mut Said<'_>) {
        if self.seen == [true, true] && !self.done[Side::Client as usize] {
            said.say(Fact::Reached(Step::ClientHello));
        }
    }
}

impl QuicReader {
    fn packet(&mut self, bytes: &[u8], header: &Long<'_>, from: Side, said: &mut Said<'_>) {
        if self.version != header.version && header.version != 0 {
            self.version = header.version;
            said.say(Fact::Encrypted);
            if said.wants_details() {
                said.detail("quic", "version", version_name(header.version));
            }
        }
        match header.kind {
            Kind::Initial => self.initial(bytes, header, from, said),
            Kind::Handshake if self.seen[from.other() as usize] => {
                said.believe(Evidence::Dialogue);
                self.done[from as usize] = true;
            }
            Kind::Retry => {
                self.first_id = header.source.try_into().ok();
                self.crypto = Default::default();
                said.detail("quic", "retry", true);
            }
            Kind::Negotiation => said.detail("quic", "version_negotiation", true),
            _ => {}
        }
    }

    fn initial(&mut self, bytes: &[u8], header: &Long<'_>, from: Side, said: &mut Said<'_>) {
        for (role, is_first) in [(Side::Client, true), (Side::Client, false), (Side::Server, true)] {
            if self.client.is_some_and(|client| (client == from) != (role == Side::Client)) {
                continue;
            }
            let Some(id) = (if is_first { self.first_id.as_deref() } else { Some(header.destination) }) else { continue };
            let Some(payload) = open(bytes, header, id, role, &mut self.opener) else { continue };
            if role == Side::Client {
                if !is_first {
                    self.first_id = header.destination.try_into().ok();
                }
                if self.client.is_none() {
                    said.say(Fact::Speaks { client: from });
                }
                self.client = Some(from);
            }
            self.frames(&payload, role, from, said);
            return;
        }
    }

    fn frames(&mut self, payload: &[u8], role: Side, from: Side, said: &mut Said<'_>) {
        let answered = self.seen[from.other() as usize];
        let crypto = &mut self.crypto[role as usize];
        let (mut closed, mut again, mut at_once) = (None, false, None);
        each_frame(payload, |frame| match frame {
            // The beginning again, although it was understood, and no answer: it did not arrive, or the answer did not.
            Frame::Crypto(0, _) if crypto.told && role == Side::Client && !answered => again = true,
            Frame::Crypto(0, bytes) if !crypto.told && crypto.parts.is_empty() && message(bytes).is_some() => at_once = message(bytes),
            Frame::Crypto(offset, bytes) => crypto.add(offset, bytes),
            Frame::Close(code) => closed = Some(code),
        });
        if again {
            said.say(Fact::Retry);
        }
        if let Some(message) = at_once.map(Cow::Borrowed).or_else(|| crypto.message().map(Cow::Owned)) {
            *crypto = Crypto { told: true, ..Crypto::default() };
            tell(&message, role, said);
        }
        if let Some(code) = closed.filter(|code| (0x100..0x200).contains(code)) {
            let alert = (code & 0xff) as u8;
            said.say(Fact::Answer { kind: AnswerKind::Refused, code: u32::from(alert), text: alert_name(alert).into(), by: from });
        }
    }
}

fn tell(message: &[u8], role: Side, said: &mut Said<'_>) {
    let body = message.get(4..).unwrap_or_default();
    match role {
        Side::Client => {
            if let Some(hello) = ClientHello::read(body, Carrier::Quic) {
                // The handshake inside QUIC is that of TLS (RFC 9001).
                said.say(Fact::Inner("tls"));
                hello.tell("quic", Carrier::Quic, role, said);
            }
        }
        Side::Server => {
            if ServerHello::read(body).is_some() {
                said.believe(Evidence::Dialogue);
            }
        }
    }
}

/// The first handshake message, once it is whole.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let [1 | 2, a, b, c] = *bytes.first_chunk()? else { return None };
    bytes.get(..4 + u32::from_be_bytes([0, a, b, c]) as usize)
}

impl Crypto {
    fn add(&mut self, offset: u64, bytes: &[u8]) {
        let known = self.parts.get(&offset).is_some_and(|part| part.len() >= bytes.len());
        let (start, end) = (self.held.len(), self.held.len().saturating_add(bytes.len()));
        if self.told || known || bytes.is_empty() || end > limit::HANDSHAKE_KEPT {
            return;
        }
        self.held.extend_from_slice(bytes);
        self.parts.insert(offset, start..end);
    }

    /// The first handshake message, once all of it came.
    fn message(&self) -> Option<Vec<u8>> {
        let mut whole: Vec<u8> = Vec::with_capacity(self.held.len());
        for (offset, part) in &self.parts {
            let Some(skip) = (whole.len() as u64).checked_sub(*offset) else { break };
            let part = self.held.get(part.clone()).unwrap_or_default();
            whole.extend_from_slice(part.get(usize::try_from(skip).unwrap_or(usize::MAX)..).unwrap_or_default());
        }
        let len = message(&whole)?.len();
        whole.truncate(len);
        Some(whole)
    }
}

const RETRY: &str = "QUIC Retry";

#[cfg(test)]
mod tests {
    use super::super::testing::{hex, prefixes_never_match_anything_else, read_all, survives};
    use super::*;

    /// The header of RFC 9001 appendix A.2, unprotected bits as sent, padded to the length it claims.
    fn client_initial() -> Vec<u8> {
        let mut packet = hex("c000000001088394c8f03e5157080000449e7b9aec34");
        packet.resize(1200, 0);
        packet
    }

    #[test]
    fn an_initial_of_a_client_is_told_by_version_ids_and_lengths() {
        let packet = client_initial();
        assert!(matches!(Quic.probe(&Opening::of(Transport::UDP, &packet, &[])), Probe::Found { evidence: Evidence::OneOpening, .. }));
        for (place, value) in [(0, 0x40), (1, 0x12), (5, 21), (15, 0x90)] {
            let mut wrong = packet.clone();
            wrong[place] = value;
            assert_eq!(Quic.probe(&Opening::of(Transport::UDP, &wrong, &[])), Probe::NotForUs, "byte {place}");
        }
    }

    // RFC 9000 sections 6.3 and 15
    #[test]
    fn a_client_may_open_with_a_version_that_nobody_has() {
        let mut packet = client_initial();
        packet[1..5].copy_from_slice(&[0x0a; 4]);
        assert!(matches!(Quic.probe(&Opening::of(Transport::UDP, &packet, &[])), Probe::Found { evidence: Evidence::OneOpening, .. }));
        // Nothing but an Initial of full length.
        assert_eq!(Quic.probe(&Opening::of(Transport::UDP, &packet[..1199], &[])), Probe::NotForUs);
        packet[0] |= 0x20;
        assert_eq!(Quic.probe(&Opening::of(Transport::UDP, &packet, &[])), Probe::NotForUs);
    }

    #[test]
    fn handshake_bytes_come_in_any_order() {
        let message = [&[1, 0, 0, 10][..], &[7; 10]].concat();
        let mut crypto = Crypto::default();
        crypto.add(9, &message[9..]);
        crypto.add(0, &message[..3]);
        assert_eq!(crypto.message(), None);
        crypto.add(2, &message[2..11]);
        assert_eq!(crypto.message(), Some(message));
    }

    #[test]
    fn handshake_frames_without_bytes_take_no_room() {
        let mut crypto = Crypto::default();
        (0..100).for_each(|offset| crypto.add(offset, b""));
        assert!(crypto.parts.is_empty());
    }

    #[test]
    fn a_version_negotiation_lists_versions() {
        let packet = hex("80 00000000 00 08 f067a5502a4262b5 00000001 6b3343cf 0a1a2a3a");
        assert!(matches!(Quic.probe(&Opening::of(Transport::UDP, &packet, &[])), Probe::Found { client: Some(Side::Server), .. }));
        let zeros = [&[0x80][..], &[0; 40]].concat();
        assert_eq!(Quic.probe(&Opening::of(Transport::UDP, &zeros, &[])), Probe::NotForUs);
    }

    // RFC 9000 sections 17.2.4 and 17.3.1: Handshake packets, and those of short headers, follow the Initials
    #[test]
    fn a_client_that_sends_nothing_but_initials_came_no_further() {
        let (initial, short) = (client_initial(), [&[0x41][..], &[7; 1300]].concat());
        let handshake = [hex("e0000000010008f067a5502a4262b520"), vec![7; 32]].concat();
        let stalls = |dialogue: &[(Side, &[u8])]| read_all(&Quic, dialogue).says(&Fact::Reached(Step::ClientHello));
        let asked = (Side::Client, initial.as_slice());
        assert!(stalls(&[asked, (Side::Server, &handshake), asked, asked]) && stalls(&[&[asked, (Side::Server, &handshake)][..], &[asked; 30]].concat()));
        for further in [&short, &handshake] {
            assert!(!stalls(&[asked, (Side::Server, &handshake), (Side::Client, further), asked]));
        }
        assert!(!stalls(&[asked, asked]), "nobody answered");
    }

    #[test]
    fn no_prefix_of_an_initial_is_anything_else() {
        survives(&Quic, Transport::UDP, 443, &[(Side::Client, &client_initial()[..60])]);
        prefixes_never_match_anything_else("quic", Transport::UDP, &client_initial(), &[]);
    }
}
