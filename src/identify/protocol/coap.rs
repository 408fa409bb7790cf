//! CoAP over UDP (RFC 7252) and over TCP (RFC 8323).

use crate::identify::wire::{Cursor, Length, Messages, host_name, printable};

use super::{Appetite, Evidence, Fact, Gate, Hit, NameSource, Opening, Piece, Probe, Protocol, Reader, Said, Side, Transport};
use crate::identify::AnswerKind;
use crate::limit;
use crate::net::is_group;

/// CoAP.
#[derive(Debug)]
pub struct Coap;

impl Protocol for Coap {
    fn name(&self) -> &'static str {
        "coap"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::UDP, Transport::TCP]
    }

    fn gate(&self) -> Gate {
        Gate::BytesAnd(&[0x40..=0x7f], has_header)
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        if opening.transport == Transport::UDP { datagrams(opening) } else { stream(opening) }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<CoapReader>::default()
    }
}

/// One message alone is too weak away from its port: two that belong together are needed.
fn datagrams(opening: &Opening<'_>) -> Probe {
    let whole = |side| Message::read(opening.side(side)).filter(|_| opening.cut[side as usize] == 0);
    let (client, server) = (whole(Side::Client), whole(Side::Server));
    let found = |side, evidence, rule, asks| Probe::Found { evidence, hit: Hit { side, offset: 0, len: 4, rule }, client: Some(asks) };
    let known = |message: &Message<'_>| message.is_request() && (opening.is_at(PORTS) || is_all_nodes(opening)) && message.knows_its_options();
    match (&client, &server) {
        (Some(a), Some(b)) if b.answers(a) => found(Side::Client, Evidence::BothOpenings, PAIR, Side::Client),
        (Some(a), Some(b)) if a.answers(b) => found(Side::Server, Evidence::BothOpenings, PAIR, Side::Server),
        (Some(a), _) if known(a) => found(Side::Client, Evidence::OneOpening, REQUEST, Side::Client),
        (_, Some(b)) if known(b) => found(Side::Server, Evidence::OneOpening, REQUEST, Side::Server),
        (Some(a), None) if opening.is_at(PORTS) && opening.server.is_empty() && a.is_response() && a.knows_its_options() => {
            found(Side::Client, Evidence::OneOpening, "CoAP response, options to the end", Side::Server)
        }
        _ if (client.is_some() || server.is_some()) && !opening.complete => Probe::NeedMore,
        _ => Probe::NotForUs,
    }
}

/// 224.0.1.187, ff02::fd, ff05::fd (RFC 7252 section 12.8).
fn is_all_nodes(opening: &Opening<'_>) -> bool {
    match opening.ends.1.ip {
        std::net::IpAddr::V4(ip) => ip.octets() == [224, 0, 1, 187],
        std::net::IpAddr::V6(ip) => ip.is_multicast() && ip.segments()[1..] == [0, 0, 0, 0, 0, 0, 0xfd],
    }
}

/// Both sides must open with a Capabilities and Settings Message (RFC 8323 section 5.3); one is enough at the port.
fn stream(opening: &Opening<'_>) -> Probe {
    let looks = [opening.client, opening.server].map(settings);
    let hit = Hit { side: Side::Client, offset: 0, len: 2, rule: "CoAP over TCP, Capabilities and Settings Message" };
    match looks {
        [Some(true), Some(true)] => Probe::Found { evidence: Evidence::BothOpenings, hit, client: None },
        [Some(true), _] if opening.is_at(PORTS) => Probe::Found { evidence: Evidence::OneOpening, hit, client: None },
        [Some(false), _] | [_, Some(false)] => Probe::NotForUs,
        _ if opening.complete => Probe::NotForUs,
        _ => Probe::NeedMore,
    }
}

/// Whether a side opens so; none where that cannot be said yet.
fn settings(bytes: &[u8]) -> Option<bool> {
    // The code stands near the start, and tells most streams.
    if bytes.get(code_place(*bytes.first()?)).is_some_and(|code| *code != SETTINGS) {
        return Some(false);
    }
    match framed(bytes) {
        Some(Length::Is(len)) if len <= 64 => {
            let message = bytes.get(..usize::try_from(len).ok()?)?;
            let (code, rest) = code_and_options(message)?;
            let mut options = 0;
            let walked = each_option(rest, |number, _| options += u32::from(!matches!(number, 2 | 4)));
            Some(code == SETTINGS && walked.is_some() && options == 0)
        }
        Some(Length::Unknown) | None => None,
        Some(_) => Some(false),
    }
}

/// Whether the length of the token and the code are such as a [`Message`] has, and an empty message is empty.
fn has_header(bytes: &[u8]) -> bool {
    match bytes {
        [first, code, ..] if first & 0x0f <= 8 => match code >> 5 {
            0 if *code == 0 => bytes.len() == 4,
            0 => *code <= 7,
            class => matches!(class, 2 | 4 | 5),
        },
        _ => false,
    }
}

/// A message over UDP whose options end where the datagram does.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    kind: u8,
    code: u8,
    id: u16,
    token: &'a [u8],
    options: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut at = Cursor::new(bytes);
        let (first, code, id) = (at.u8()?, at.u8()?, at.be16()?);
        let token = at.take(usize::from(first & 0x0f))?;
        let message = Self { kind: first >> 4 & 3, code, id, token, options: at.rest() };
        let sound = match code >> 5 {
            // Empty messages are four bytes; an empty NON makes no sense (table 1).
            0 if code == 0 => bytes.len() == 4 && message.kind != 1,
            0 => code <= 7 && message.kind < 2,
            2 | 4 | 5 => message.kind < 3 && is_answer_code(code),
            _ => false,
        };
        (first >> 6 == 1 && first & 0x0f <= 8 && sound && each_option(message.options, |_, _| {}).is_some()).then_some(message)
    }

    const fn is_request(&self) -> bool {
        self.code >= 1 && self.code <= 7
    }

    const fn is_response(&self) -> bool {
        self.code >= 0x40
    }

    /// Whether this is an answer to that request: an acknowledgment or reset of its message, or a response with its token.
    fn answers(&self, request: &Self) -> bool {
        let same_token = !request.token.is_empty() && self.token == request.token;
        let acknowledges = self.kind >= 2 && self.id == request.id && (self.code == 0 || self.token == request.token);
        request.is_request() && (acknowledges && !self.is_request() || self.is_response() && same_token)
    }

    /// Whether it has options, all of them registered.
    fn knows_its_options(&self) -> bool {
        let mut known = true;
        let fits = |number: u32, value: &[u8]| match OPTIONS.binary_search_by_key(&number, |(known, ..)| *known) {
            Ok(place) => OPTIONS[place].1.contains(&value.len()) && (!OPTIONS[place].2 || is_text(value)),
            Err(_) => false,
        };
        each_option(self.options, |number, value| known &= fits(number, value)).is_some() && known
    }
}

/// Response codes (IANA "CoAP Response Codes").
const fn is_answer_code(code: u8) -> bool {
    matches!((code >> 5, code & 31), (2, 1..=5 | 31) | (4, 0..=6 | 8 | 9 | 12 | 13 | 15 | 22 | 29) | (5, 0..=8))
}

/// UTF-8 without control characters.
fn is_text(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// Shows the options; none where they do not end with the bytes, or the payload marker is followed by nothing (RFC 7252 section 3).
fn each_option<'a>(bytes: &'a [u8], mut see: impl FnMut(u32, &'a [u8])) -> Option<()> {
    let mut at = Cursor::new(bytes);
    let mut number = 0u32;
    while let Some(first) = at.u8() {
        if first == 0xff {
            return (!at.is_empty()).then_some(());
        }
        let delta = extended(first >> 4, &mut at)?;
        let len = extended(first & 0x0f, &mut at)?;
        number = number.checked_add(delta).filter(|number| *number <= 65_535)?;
        see(number, at.take(usize::try_from(len).ok()?)?);
    }
    Some(())
}

fn extended(nibble: u8, at: &mut Cursor<'_>) -> Option<u32> {
    match nibble {
        13 => at.u8().map(|more| u32::from(more) + 13),
        14 => at.be16().map(|more| u32::from(more) + 269),
        15 => None,
        small => Some(u32::from(small)),
    }
}

/// Length of a message over TCP (RFC 8323 section 3.2).
fn framed(bytes: &[u8]) -> Option<Length> {
    let mut at = Cursor::new(bytes);
    let Some(first) = at.u8() else { return Some(Length::Unknown) };
    if first & 0x0f > 8 {
        return Some(Length::Wrong);
    }
    let more = match first >> 4 {
        13 => at.u8().map(|more| u64::from(more) + 13),
        14 => at.be16().map(|more| u64::from(more) + 269),
        15 => at.be32().map(|more| u64::from(more) + 65_805),
        small => Some(u64::from(small)),
    };
    Some(more.map_or(Length::Unknown, |options| Length::Is(at.at() as u64 + 1 + u64::from(first & 0x0f) + options)))
}

/// Where the code of a message over TCP stands: behind its length.
const fn code_place(first: u8) -> usize {
    match first >> 4 {
        13 => 2,
        14 => 3,
        15 => 5,
        _ => 1,
    }
}

fn code_and_options(message: &[u8]) -> Option<(u8, &[u8])> {
    let mut at = Cursor::new(message);
    let first = *message.first()?;
    at.take(code_place(first))?;
    let code = at.u8()?;
    at.take(usize::from(first & 0x0f))?;
    Some((code, at.rest()))
}

/// Reads requests and their answers.
#[derive(Debug, Default)]
struct CoapReader {
    frames: [Messages; 2],
    asked: Option<(Side, u16, Vec<u8>)>,
    messages: u16,
}

impl Reader for CoapReader {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.transport == Transport::UDP {
            if let Some(message) = Message::read(piece.bytes) {
                self.datagram(&message, &piece, said);
            }
        } else if piece.missing > 0 {
            return Appetite::Full;
        } else {
            let mut rest = piece.bytes;
            while let Some(message) = self.frames[piece.from as usize].next(&mut rest, |bytes| framed(bytes).unwrap_or(Length::Wrong)) {
                if let Some((code, options)) = code_and_options(&message) {
                    self.said(code, options, piece.from, said);
                }
            }
        }
        self.messages = self.messages.saturating_add(1);
        if self.messages >= limit::COAP_MESSAGES { Appetite::Full } else { Appetite::Hungry }
    }
}

impl CoapReader {
    fn datagram(&mut self, message: &Message<'_>, piece: &Piece<'_>, said: &mut Said<'_>) {
        let to = piece.receiver().ip;
        if message.is_request() {
            if message.kind == NON_CONFIRMABLE || is_group(to) {
                said.say(Fact::OneWay);
            }
            let same = self.asked.as_ref().is_some_and(|(from, id, token)| (*from, *id, token.as_slice()) == (piece.from, message.id, message.token));
            if same && message.kind == CONFIRMABLE {
                said.say(Fact::Retry);
            }
            self.asked = Some((piece.from, message.id, message.token.to_vec()));
        } else if self.asked.as_ref().is_some_and(|(from, id, token)| *from != piece.from && (*id == message.id || !token.is_empty() && token == message.token))
        {
            said.believe(Evidence::Dialogue);
        }
        if message.code == 0 && message.kind == RESET {
            said.say(Fact::Answer { kind: AnswerKind::Refused, code: 0, text: "reset".into(), by: piece.from });
        }
        self.said(message.code, message.options, piece.from, said);
    }

    fn said(&mut self, code: u8, options: &[u8], from: Side, said: &mut Said<'_>) {
        let (mut path, mut host, mut hidden) = (String::new(), None, false);
        each_option(options, |number, value| match number {
            URI_HOST => host = host_name(value),
            URI_PATH if path.len() < limit::TEXT_KEPT => path = format!("{path}/{}", printable(value)),
            OSCORE => hidden = true,
            _ => {}
        });
        if hidden {
            said.detail("coap", "oscore", true);
            said.say(Fact::Encrypted);
        }
        match code {
            1..=7 => {
                let path = if path.is_empty() { "/" } else { &path };
                said.say(Fact::request(METHODS[usize::from(code) - 1], path));
                if let Some(host) = host.filter(|host| host.parse::<std::net::IpAddr>().is_err()) {
                    said.name(from.other(), &host, NameSource::Host);
                }
            }
            0x40..=0xbf => {
                let kind = match code >> 5 {
                    2 => AnswerKind::Accepted,
                    4 => AnswerKind::Refused,
                    _ => AnswerKind::Failed,
                };
                let number = u32::from(code >> 5) * 100 + u32::from(code & 0x1f);
                said.say(Fact::Answer { kind, code: number, text: format!("{}.{:02}", code >> 5, code & 0x1f).into(), by: from });
            }
            _ => {}
        }
    }
}

/// RFC 7252 section 6, RFC 6282 and RFC 7400 for the compressible ones.
const PORTS: &[u16] =
    &[5683, 5684, 61_616, 61_617, 61_618, 61_619, 61_620, 61_621, 61_622, 61_623, 61_624, 61_625, 61_626, 61_627, 61_628, 61_629, 61_630, 61_631];

const CONFIRMABLE: u8 = 0;
const NON_CONFIRMABLE: u8 = 1;
const RESET: u8 = 3;

/// 7.01, RFC 8323 section 5.3.
const SETTINGS: u8 = 0xe1;
const URI_HOST: u32 = 3;
const URI_PATH: u32 = 11;
/// RFC 8613.
const OSCORE: u32 = 9;

/// RFC 7252 section 5.8, RFC 8132.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"];
/// IANA "CoAP Option Numbers", those of RFC 7252, 7641, 7959, 8613, 8768, 7967, 9175, 9177, 9668 and OCF, sorted: number, bytes that its value may have, whether that is text.
#[rustfmt::skip]
const OPTIONS: &[(u32, std::ops::RangeInclusive<usize>, bool)] = &[
    (1, 0..=8, false), (3, 1..=255, true), (4, 1..=8, false), (5, 0..=0, false), (6, 0..=3, false), (7, 0..=2, false), (8, 0..=255, true),
    (9, 0..=255, false), (11, 0..=255, true), (12, 0..=2, false), (14, 0..=4, false), (15, 0..=255, true), (16, 1..=1, false), (17, 0..=2, false),
    (19, 0..=3, false), (20, 0..=255, true), (21, 0..=0, false), (23, 0..=3, false), (27, 0..=3, false), (28, 0..=4, false), (31, 0..=3, false), (35, 1..=1034, true),
    (39, 1..=255, true), (60, 0..=4, false), (252, 1..=40, false), (258, 0..=1, false), (292, 0..=8, false),
    (2049, 0..=2, false), (2053, 0..=2, false),
];

const PAIR: &str = "CoAP request and answer, by message id or token";
const REQUEST: &str = "CoAP request at its port, options to the end";

#[cfg(test)]
mod tests {
    use super::super::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read_all, survives};
    use super::*;

    /// RFC 7252 figure 16: GET /temperature, confirmable, and the piggybacked 2.05.
    fn exchange() -> [Vec<u8>; 2] {
        [hex("40017d34 bb 74656d7065726174757265"), hex("60457d34 ff 32322e332043")]
    }

    #[test]
    fn options_are_sorted() {
        assert!(OPTIONS.is_sorted_by_key(|(number, ..)| *number));
    }

    #[test]
    fn an_option_whose_value_has_the_wrong_length_or_is_no_text_does_not_count() {
        // Observe with four bytes; a path with a control character; Accept with three.
        for wrong in ["40017d34 64 00000000", "40017d34 b1 01", "40017d34 d3 04 000000"] {
            assert_eq!(evidence(decide(&Coap, Transport::UDP, 5683, &hex(wrong), &[])), Evidence::None, "{wrong}");
        }
    }

    #[test]
    fn a_request_names_its_path_and_its_answer_fits() {
        let [request, answer] = exchange();
        let told = read_all(&Coap, &[(Side::Client, &request), (Side::Server, &answer)]);
        assert!(told.says(&Fact::request("GET", "/temperature")));
        assert!(told.says(&Fact::answer(AnswerKind::Accepted, 205, "2.05")));
        assert_eq!(told.evidence, Evidence::Dialogue);
        survives(&Coap, Transport::UDP, 5683, &[(Side::Client, &request), (Side::Server, &answer)]);
        prefixes_never_match_anything_else("coap", Transport::UDP, &request, &answer);
    }

    #[test]
    fn away_from_its_port_a_request_needs_its_answer() {
        let [request, answer] = exchange();
        assert_eq!(evidence(decide(&Coap, Transport::UDP, 9999, &request, &[])), Evidence::None);
        assert_eq!(evidence(decide(&Coap, Transport::UDP, 5683, &request, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&Coap, Transport::UDP, 9999, &request, &answer)), Evidence::BothOpenings);
        let mut other = answer.clone();
        other[3] ^= 1;
        assert_eq!(evidence(decide(&Coap, Transport::UDP, 9999, &request, &other)), Evidence::None);
    }

    #[test]
    fn a_confirmable_request_sent_again_is_a_retry() {
        let [request, _] = exchange();
        assert!(read_all(&Coap, &[(Side::Client, &request), (Side::Client, &request)]).says(&Fact::Retry));
    }

    #[test]
    fn options_that_do_not_end_with_the_datagram_are_no_coap() {
        for wrong in ["40017d34 bb 74656d70", "40017d34 ff", "40007d34 00", "49017d34 000000000000000000", "40617d34", "50007d34"] {
            assert_eq!(evidence(decide(&Coap, Transport::UDP, 5683, &hex(wrong), &[])), Evidence::None, "{wrong}");
        }
    }

    #[test]
    fn over_tcp_both_sides_open_with_their_settings() {
        let (client, server) = (hex("00e1"), hex("30e1 22 0480"));
        assert_eq!(evidence(decide(&Coap, Transport::TCP, 9999, &client, &server)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&Coap, Transport::TCP, 9999, &client, &[])), Evidence::None);
        assert_eq!(evidence(decide(&Coap, Transport::TCP, 5683, &client, &[])), Evidence::OneOpening);
    }
}
