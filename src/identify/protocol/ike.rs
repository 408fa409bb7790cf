//! IKE, versions 1 and 2, and the ESP of which no exchange of keys was captured. What its messages tell that are encrypted is in `ike_turns.rs`.

use crate::identify::wire::Cursor;
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::{Side, Transport};

use super::ike_turns::Turns;
use super::{Appetite, Confirm, Gate, Head, Hit, Known, Look, Opening, Over, Piece, Probe, Protocol, Reader, Said, Strength};

/// IKE (RFC 7296 section 3.1, RFC 2408 section 3.1), at port 4500 behind four zero bytes (RFC 3948).
pub static IKE: Known = Known {
    name: "ike",
    over: Over::Datagrams(Gate::Passes(has_ike_version)),
    ask: |opening, bytes| ike(opening, bytes, false),
    answer: Some(|opening, bytes| ike(opening, bytes, true)),
    strength: Strength::Structure,
    reader: || Box::<Exchanges>::default(),
};

/// ESP inside UDP at port 4500 (RFC 3948), joined after its IKE: three datagrams of one security association whose numbers follow.
pub static ESP: Esp = Esp;

/// Confirms the openings, and hears what is refused: in clear, or by what messages show that are encrypted.
struct Exchanges {
    openings: Option<Box<dyn Reader>>,
    turns: Turns,
}

impl Default for Exchanges {
    fn default() -> Self {
        // RFC 7296 section 2.1: a retransmission is the same, byte by byte.
        Self { openings: Some(Confirm::asking(&IKE, |bytes| bytes)), turns: Turns::default() }
    }
}

impl Reader for Exchanges {
    fn held(&self) -> usize {
        self.openings.as_ref().map_or(0, |openings| openings.held())
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if let Some((code, text)) = refusal(piece.bytes).filter(|_| piece.from == Side::Server) {
            said.believe(Evidence::Dialogue);
            said.say(Fact::answer(AnswerKind::Refused, code, text));
        }
        if let Some(mut openings) = self.openings.take() {
            self.openings = (openings.read(piece, said) == Appetite::Hungry).then_some(openings);
        }
        self.turns.hear(&piece);
        if self.turns.are_over() { Appetite::Full } else { Appetite::Hungry }
    }

    fn finish(&self, said: &mut Said<'_>) {
        self.turns.finish(said);
    }
}

/// The error that a notification in clear is about, where it is the message's first payload (RFC 7296 section 3.10, RFC 2408 section 3.14).
fn refusal(bytes: &[u8]) -> Option<(u32, &'static str)> {
    let body = bytes.strip_prefix(&[0; 4]).unwrap_or(bytes);
    let (next, version, flags) = (*body.get(16)?, *body.get(17)?, *body.get(19)?);
    let mut at = Cursor::new(body.get(28..)?);
    at.be32()?;
    match (version, next) {
        (0x20, NOTIFY) => (),
        // Behind its domain of interpretation, and not where the flags say that all of it is encrypted.
        (0x10, NOTIFY_1) if flags & 1 == 0 => at.be32().map(|_| ())?,
        _ => return None,
    }
    at.be16()?;
    let code = at.be16()?;
    let only_first = if version == 0x10 { ERRORS_1 } else { &[] };
    ERRORS.iter().chain(only_first).find(|(known, _)| *known == code).map(|(code, text)| (u32::from(*code), *text))
}

/// Whether one of IKE's versions stands where it must, behind the four bytes of port 4500 or not.
fn has_ike_version(bytes: &[u8]) -> bool {
    [17, 21].iter().any(|place| matches!(bytes.get(*place), Some(0x10 | 0x20)))
}

fn ike(opening: &Opening<'_>, bytes: &[u8], response: bool) -> Look {
    let body = if opening.is_at(&[4500]) { bytes.strip_prefix(&[0; 4]).unwrap_or(bytes) } else { bytes };
    let mut at = Cursor::new(body);
    let (Some(initiator), Some(responder), Some(next), Some(version), Some(exchange), Some(flags)) =
        (at.array::<8>(), at.array::<8>(), at.u8(), at.u8(), at.u8(), at.u8())
    else {
        return Look::No;
    };
    let (Some(_message), Some(len)) = (at.be32(), at.be32()) else { return Look::No };
    let is_first = responder == [0; 8];
    let known = match version {
        // Either end may ask; the flag says who began (RFC 7296 section 3.1).
        0x20 => (34..=44).contains(&exchange) && flags & 0xc7 == 0 && (flags & INITIATOR == 0) == response,
        // The first two messages offer and choose, the first one to nobody's cookie (RFC 2408 section 4); what follows, from another port where addresses are
        // translated (RFC 3947 section 4), is either end's.
        0x10 => {
            let is_chosen = next == ASSOCIATION && exchange < INFORMATIONAL && flags & 1 == 0;
            let sent = if response { !is_first } else { is_first || !is_chosen };
            matches!(exchange, 1..=INFORMATIONAL | 6 | 32..=34) && flags & 0xf8 == 0 && (sent || exchange == INFORMATIONAL)
        }
        _ => false,
    };
    // Non-ESP marker or not, the length covers header and payloads; of the end a snap length may have cut some. Which side this is the other may turn out to be.
    let is_whole = [0, opening.cut[0], opening.cut[1]].iter().any(|cut| body.len().saturating_add(*cut as usize) == len as usize);
    let fits = known && initiator != [0; 8] && is_whole;
    Look::when(fits, 28, "IKE header")
}

/// See [`ESP`].
#[derive(Debug)]
pub struct Esp;

impl Protocol for Esp {
    fn name(&self) -> &'static str {
        "esp"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::UDP]
    }

    fn gate(&self) -> Gate {
        Gate::Ports(&[4500])
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        if !opening.is_at(&[4500]) {
            return Probe::NotForUs;
        }
        // Security parameters index, never zero, and sequence number; 18 bytes are the least that padding and a short tag leave (RFC 4303 section 2).
        let numbers = |head: &Head, from: Side| {
            let mut at = Cursor::new(&head.bytes);
            (head.from == from && head.len >= 18).then(|| at.be32().filter(|index| *index > 255).zip(at.be32())).flatten()
        };
        for side in [Side::Client, Side::Server] {
            let seen: Vec<(u32, u32)> = opening.heads.iter().filter_map(|head| numbers(head, side)).collect();
            let follow = |pair: &[(u32, u32)]| matches!(pair, [a, b] if a.0 == b.0 && (1..=8).contains(&b.1.wrapping_sub(a.1)));
            if seen.len() >= 3 && seen.windows(2).all(follow) {
                let hit = Hit { side, offset: 0, len: 8, rule: "ESP in UDP: one index, numbers that follow, exchange of keys not seen" };
                return Probe::Found { evidence: Evidence::OneOpening, hit, client: None };
            }
        }
        if opening.complete { Probe::NotForUs } else { Probe::NeedMore }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Payload)
    }
}

/// Everything is encrypted.
#[derive(Debug)]
struct Payload;

impl Reader for Payload {
    fn read(&mut self, _: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        said.say(Fact::Encrypted);
        Appetite::Full
    }
}

/// The flag of who sent the first message (RFC 7296 section 3.1).
const INITIATOR: u8 = 8;
/// Version 1: the payload of what is offered and chosen, and the exchange that either side begins (RFC 2408 section 3.1).
const ASSOCIATION: u8 = 1;
const INFORMATIONAL: u8 = 5;
/// Payload types of notifications of version 2 and 1.
const NOTIFY: u8 = 41;
const NOTIFY_1: u8 = 11;
/// Errors with which a responder ends it; another group or a cookie it only asks for (RFC 7296 section 3.10.1; both versions number these alike).
const ERRORS: &[(u16, &str)] = &[(5, "INVALID_MAJOR_VERSION"), (7, "INVALID_SYNTAX"), (14, "NO_PROPOSAL_CHOSEN"), (24, "AUTHENTICATION_FAILED")];
/// Those of version 1 alone (RFC 2408 section 3.14.1).
const ERRORS_1: &[(u16, &str)] = &[(16, "PAYLOAD-MALFORMED"), (18, "INVALID-ID-INFORMATION"), (23, "INVALID-HASH-INFORMATION"), (25, "INVALID-SIGNATURE")];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    #[test]
    fn a_header_is_told_by_version_flags_and_length() {
        let init = hex("0102030405060708 0000000000000000 21 20 22 08 00000000 0000001c");
        assert_eq!(evidence(decide(&IKE, Transport::UDP, 500, &init, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&IKE, Transport::UDP, 500, &init[..27], &[])), Evidence::None);
        survives(&IKE, Transport::UDP, 500, &[(Client, &init)]);
    }

    // `tcpdump -s 96` leaves 54 bytes of a datagram.
    #[test]
    fn a_message_that_was_cut_short_is_told_by_the_length_that_it_had() {
        let header = "0102030405060708 1112131415161718 2e 20 23 08 00000001 00000140 24000124 5a5a5a5a 5a5a5a5a 5a5a5a5a";
        let (marked, bare) = (hex(&format!("00000000 {header}")), hex(header));
        let probe = |port, bytes: &[u8], cut| {
            let opening = crate::identify::protocol::testing::opening(Transport::UDP, port, bytes, &[]);
            evidence(super::super::Protocol::probe(&IKE, &Opening { cut, complete: true, ..opening }))
        };
        let lost = 0x140 - bare.len() as u32;
        assert_eq!([probe(4500, &marked, [lost, 0]), probe(500, &bare, [lost, 0])], [Evidence::OneOpening; 2]);
        assert_eq!([probe(4500, &marked, [0; 2]), probe(4500, &marked, [lost - 4, 0]), probe(500, &bare, [lost + 1, 0])], [Evidence::None; 3]);
    }

    #[test]
    fn who_began_is_the_client_whatever_was_captured_first() {
        let began = |first: &str| match decide(&IKE, Transport::UDP, 4500, &hex(first), &[]) {
            Probe::Found { client, .. } => client,
            probe => panic!("{probe:?}"),
        };
        // Version 2: the responder's answer, what the initiator asks, and what the responder does (RFC 7296 section 1.4).
        assert_eq!(began("0102030405060708 1112131415161718 21 20 22 20 00000000 0000001c"), Some(Server));
        assert_eq!(began("0102030405060708 1112131415161718 2e 20 25 08 00000002 0000001c"), Some(Client));
        assert_eq!(began("0102030405060708 1112131415161718 2e 20 25 00 00000000 0000001c"), Some(Server));
        // Version 1, main mode: what is offered, what is chosen, and the fifth message, the first one at port 4500 (RFC 3947 section 4), or the sixth.
        assert_eq!(began("0102030405060708 0000000000000000 01 10 02 00 00000000 0000001c"), Some(Client));
        assert_eq!(began("0102030405060708 1112131415161718 01 10 02 00 00000000 0000001c"), Some(Server));
        assert_eq!(began("0102030405060708 1112131415161718 05 10 02 01 00000000 0000001c"), None);
    }

    // RFC 7296 section 2.1: bit for bit the same; the next request has another number, or the cookie that it was asked for.
    #[test]
    fn what_is_sent_again_before_an_answer_is_a_retry() {
        let retries = |dialogue: &[(Side, &[u8])]| read(&IKE, Transport::UDP, 500, dialogue).facts.iter().filter(|fact| **fact == Fact::Retry).count();
        let init = hex("0102030405060708 0000000000000000 21 20 22 08 00000000 0000001c");
        let next = hex("0102030405060708 0000000000000000 29 20 22 08 00000000 00000024 0000000800000000");
        let answer = hex("0102030405060708 1112131415161718 21 20 22 20 00000000 0000001c");
        assert_eq!(retries(&[(Client, &init), (Client, &init), (Client, &init)]), 2);
        assert_eq!(retries(&[(Client, &init), (Client, &next)]), 0);
        assert_eq!(retries(&[(Client, &init), (Server, &answer), (Client, &init)]), 0);
    }

    #[test]
    fn a_responder_that_takes_no_proposal_refuses() {
        let told = |request: &str, answer: &str| read(&IKE, Transport::UDP, 500, &[(Client, &hex(request)), (Server, &hex(answer))]).facts;
        let no_proposal = Fact::answer(AnswerKind::Refused, 14, "NO_PROPOSAL_CHOSEN");
        // Recorded of strongSwan 5.9; its request cut to a header.
        let request = "30f8fc0883c6bd02 0000000000000000 21 20 22 08 00000000 0000001c";
        assert!(told(request, "30f8fc0883c6bd02 0000000000000000 29 20 22 20 00000000 00000024 00000008 0000 000e").contains(&no_proposal));
        // INVALID_KE_PAYLOAD (17) and COOKIE (16390) are answered by another request (RFC 7296 sections 1.2 and 2.6).
        for asks in ["00000026 0000000a 0000 0011 0013", "00000028 0000000c 0000 4006 01020304"] {
            let facts = told(request, &format!("30f8fc0883c6bd02 0000000000000000 29 20 22 20 00000000 {asks}"));
            assert!(!facts.iter().any(|fact| matches!(fact, Fact::Answer { .. })), "{facts:?}");
        }
        // Version 1: an informational exchange in clear (RFC 2408 section 3.14), domain 1, protocol 1.
        let request = "0102030405060708 0000000000000000 01 10 02 00 00000000 0000001c";
        assert!(told(request, "0102030405060708 1112131415161718 0b 10 05 00 0a0b0c0d 00000028 0000000c 00000001 0100 000e").contains(&no_proposal));
    }

    #[test]
    fn esp_inside_udp_is_told_by_three_numbers_that_follow() {
        let head = |index: u8, number: u8| Head::of(Client, &[0xc1, 2, 3, index, 0, 0, 0, number, 9, 9, 9, 9], 120);
        let probe = |port, heads: &[Head]| {
            let opening = Opening { heads, midstream: true, complete: true, ..crate::identify::protocol::testing::opening(Transport::UDP, port, &[1], &[]) };
            evidence(ESP.probe(&opening))
        };
        assert_eq!(probe(4500, &[head(4, 7), head(4, 8), head(4, 10)]), Evidence::OneOpening);
        assert_eq!(probe(4501, &[head(4, 7), head(4, 8), head(4, 10)]), Evidence::None);
        assert_eq!(probe(4500, &[head(4, 7), head(4, 8)]), Evidence::None);
        assert_eq!(probe(4500, &[head(4, 7), head(5, 8), head(4, 9)]), Evidence::None);
        assert_eq!(probe(4500, &[head(4, 7), head(4, 8), head(4, 8)]), Evidence::None);
    }
}
