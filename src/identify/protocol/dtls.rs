//! Datagram TLS 1.0, 1.2 and 1.3 (RFC 6347, RFC 9147, connection ids by RFC 9146).

use std::borrow::Cow;

use crate::identify::wire::Cursor;
use crate::time::Timestamp;

use super::certificate;
use super::hello::{Carrier, ClientHello, Numbers, ServerHello, alert_name};
use super::unheard::Unheard;
use super::{Appetite, Evidence, Fact, Gate, Hit, Opening, Piece, Probe, Protocol, Reader, Said, Side, Transport};
use crate::identify::{AnswerKind, Step};
use crate::limit;

/// DTLS.
#[derive(Debug)]
pub struct Dtls;

impl Protocol for Dtls {
    fn name(&self) -> &'static str {
        "dtls"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::UDP]
    }

    fn gate(&self) -> Gate {
        Gate::BytesAnd(&[CHANGE_CIPHER_SPEC..=CONNECTION_ID], |bytes| matches!(bytes, [_, 0xfe, 0xff | 0xfd, ..] | [_, 1, 0, ..]))
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let looks = [Side::Client, Side::Server].map(|side| look(opening.side(side), opening.wire_len(side)));
        let Some(side) = [Side::Client, Side::Server].into_iter().find(|side| looks[*side as usize].is_some()) else { return Probe::NotForUs };
        let (rule, sender) = looks[side as usize].unwrap_or_default();
        let client = sender.map(|role| if role == Side::Client { side } else { side.other() });
        let evidence = if looks.iter().all(Option::is_some) { Evidence::BothOpenings } else { Evidence::OneOpening };
        Probe::Found { evidence, hit: Hit { side, offset: 0, len: if sender.is_some() { 25 } else { 13 }, rule }, client }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<DtlsReader>::default()
    }
}

/// What a datagram is and which role sends it; none where it is no DTLS.
type Seen = Option<(&'static str, Option<Side>)>;

/// The first record, and that its length agrees: with the handshake message in it, or with the datagram.
fn look(bytes: &[u8], wire_len: usize) -> Seen {
    if bytes.first() == Some(&CONNECTION_ID) {
        return (1..=limit::CONNECTION_ID).any(|len| fills_with_id(bytes, wire_len, len)).then_some(("DTLS record with a connection id, hello not seen", None));
    }
    let record = Record::read(&mut Cursor::new(bytes), 0)?;
    if record.kind == HANDSHAKE && record.epoch == 0 {
        let message = Message::read(&mut Cursor::new(record.body))?;
        let inside = message.offset.checked_add(message.part).is_some_and(|end| end <= message.len) && message.part as usize + 12 <= record.len;
        return match message.kind {
            CLIENT_HELLO if inside && message.len >= 41 => Some(("DTLS handshake record with ClientHello", Some(Side::Client))),
            SERVER_HELLO if inside && message.len >= 38 => Some(("DTLS handshake record with ServerHello", Some(Side::Server))),
            HELLO_VERIFY_REQUEST if inside && message.len >= 3 => Some(("DTLS handshake record with HelloVerifyRequest", Some(Side::Server))),
            11..=22 if inside => Some(("DTLS handshake record", None)),
            _ => None,
        };
    }
    let mut at = Cursor::new(bytes);
    let mut whole = 0;
    while let Some(record) = Record::read(&mut at, 0) {
        whole = at.at();
        let short = record.body.len() < record.len;
        let agrees = match record.kind {
            CHANGE_CIPHER_SPEC => record.len == 1,
            ALERT if record.epoch == 0 => record.len == 2,
            _ => record.epoch > 0,
        } && record.early;
        if !agrees {
            return None;
        }
        if short {
            whole = wire_len;
            break;
        }
    }
    (whole == wire_len).then_some(("DTLS records that fill the datagram, hello not seen", None))
}

/// Whether a record with a connection id of this length fills the datagram: an early epoch, and room for the inner type and a tag (RFC 9146 section 4).
fn fills_with_id(bytes: &[u8], wire_len: usize, id: usize) -> bool {
    let Some(record) = Record::read(&mut Cursor::new(bytes), id) else { return false };
    (1..16).contains(&record.epoch) && record.len >= 9 && bytes.get(5..7) == Some(&[0, 0]) && 13 + id + record.len == wire_len
}

/// A record (RFC 6347 section 4.1). Its body may be cut short.
#[derive(Clone, Copy, Debug)]
struct Record<'a> {
    kind: u8,
    epoch: u16,
    len: usize,
    /// Version, epoch and number are such as a session has that is not older than months.
    early: bool,
    body: &'a [u8],
}

impl<'a> Record<'a> {
    /// The next record; `id` is the length of the connection id that one of kind 25 carries.
    fn read(at: &mut Cursor<'a>, id: usize) -> Option<Self> {
        let kind = at.u8().filter(|kind| (CHANGE_CIPHER_SPEC..=CONNECTION_ID).contains(kind))?;
        let version = at.be16()?;
        let epoch = at.be16()?;
        let number = at.take(if kind == CONNECTION_ID { 6 + id } else { 6 })?;
        let early = version != 0x0100 && epoch < 64 && number.starts_with(&[0]);
        let len = usize::from(at.be16()?);
        let fits = matches!(version, 0xfeff | 0xfefd | 0x0100) && (1..=16_384 + 2048).contains(&len) && (kind != CONNECTION_ID || id > 0 && version == 0xfefd);
        fits.then(|| at.take(len.min(at.rest().len()))).flatten().map(|body| Self { kind, epoch, len, early, body })
    }
}

/// A handshake message or a part of one (RFC 6347 section 4.2.2).
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    kind: u8,
    len: u32,
    sequence: u16,
    offset: u32,
    part: u32,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(at: &mut Cursor<'a>) -> Option<Self> {
        let (kind, len, sequence, offset, part) = (at.u8()?, at.be24()?, at.be16()?, at.be24()?, at.be24()?);
        let body = at.take((part as usize).min(at.rest().len()))?;
        Some(Self { kind, len, sequence, offset, part, body })
    }
}

/// Reads both sides' handshakes.
#[derive(Debug, Default)]
struct DtlsReader {
    assembly: [Assembly; 2],
    /// Cipher suites of the client, as they stand in its hello.
    offered: Box<[u8]>,
    hello: Option<[u8; 32]>,
    cookie: bool,
    answered: bool,
    encrypted: [u8; 2],
    datagrams: u8,
    /// Lengths of the connection ids that the client's and the server's records carry: each end names the one it wants to receive.
    ids: [u8; 2],
    certificates: [bool; 2],
    /// How often the client sent its key exchange, with which its part of the handshake ends.
    keys: u8,
    /// The server ended its part, too.
    server_ended: bool,
    /// Who greets is on the server's side of the flow: an answer was captured before its question, so who is the client is not known yet.
    turned: bool,
    /// The hello without cookie, by its random; and when the datagram that is read came.
    unheard: Unheard,
    time: Option<Timestamp>,
}

/// A message whose parts come in order; others are dropped, the sender will repeat them.
#[derive(Debug, Default)]
struct Assembly {
    kind: u8,
    sequence: u16,
    held: Vec<u8>,
}

impl Reader for DtlsReader {
    fn held(&self) -> usize {
        self.assembly.iter().map(|side| side.held.capacity()).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        self.datagrams = self.datagrams.saturating_add(1);
        self.time = Some(piece.time);
        let mut at = Cursor::new(piece.bytes);
        // RFC 9147 section 4: the unified header of DTLS 1.3.
        if matches!(piece.bytes.first(), Some(0x20..=0x3f)) {
            self.encrypted(piece.from, said);
        }
        while let Some(record) = Record::read(&mut at, usize::from(self.ids[piece.from as usize])) {
            match record.kind {
                HANDSHAKE if record.epoch == 0 => self.handshake(record.body, piece.from, said),
                ALERT if record.epoch == 0 => alert(record.body, piece.from, said),
                CHANGE_CIPHER_SPEC => self.server_ended |= self.role(piece.from) == Side::Server,
                _ if record.epoch > 0 => self.encrypted(piece.from, said),
                _ => {}
            }
        }
        let enough = self.encrypted.iter().all(|many| *many >= 2) || self.datagrams >= limit::DTLS_DATAGRAMS;
        if enough { Appetite::Full } else { Appetite::Hungry }
    }

    /// RFC 6347 section 4.2.4: a flight is sent again where the next one does not come. Some lose one, and hardly any lose three; but records that do not open with the
    /// key that both should have are dropped without a word (section 4.1.2.7).
    fn finish(&self, said: &mut Said<'_>) {
        self.unheard.tell(said);
        if self.keys > 2 && !self.server_ended {
            said.say(Fact::Reached(Step::ClientFinished));
        }
    }
}

impl DtlsReader {
    /// What a side of the flow is in the handshake.
    fn role(&self, from: Side) -> Side {
        if self.turned { from.other() } else { from }
    }

    fn encrypted(&mut self, from: Side, said: &mut Said<'_>) {
        self.server_ended |= self.role(from) == Side::Server;
        let many = &mut self.encrypted[from as usize];
        *many = many.saturating_add(1);
        said.say(Fact::Encrypted);
        if self.encrypted.iter().all(|many| *many > 0) {
            said.believe(Evidence::Dialogue);
        }
    }

    fn handshake(&mut self, body: &[u8], from: Side, said: &mut Said<'_>) {
        let mut at = Cursor::new(body);
        while let Some(part) = Message::read(&mut at) {
            match part.kind {
                CLIENT_HELLO => self.turned = from == Side::Server,
                SERVER_HELLO | HELLO_VERIFY_REQUEST => self.turned = from == Side::Client,
                _ => {}
            }
            if part.kind == CLIENT_KEY_EXCHANGE && part.offset == 0 && self.role(from) == Side::Client {
                self.keys = self.keys.saturating_add(1);
                if self.keys > 1 && !self.server_ended {
                    said.say(Fact::Retry);
                }
            }
            if let Some((kind, message)) = self.assembly[from as usize].add(&part) {
                self.message(kind, &message, from, said);
            }
        }
    }

    fn message(&mut self, kind: u8, body: &[u8], from: Side, said: &mut Said<'_>) {
        match kind {
            CLIENT_HELLO => self.client_hello(body, from, said),
            HELLO_VERIFY_REQUEST => {
                self.is_answered();
                said.believe(if self.hello.is_some() { Evidence::BothOpenings } else { Evidence::OneOpening });
                said.detail("dtls", "hello_verify_request", true);
            }
            SERVER_HELLO => {
                let Some(hello) = ServerHello::read(body) else { return };
                self.is_answered();
                said.believe(if self.hello.is_some() { Evidence::BothOpenings } else { Evidence::OneOpening });
                if Numbers(&self.offered).contains(hello.cipher) {
                    said.believe(Evidence::Dialogue);
                }
                if !hello.retry {
                    said.say(Fact::Reached(Step::ServerHello));
                    hello.tell("dtls", said);
                }
                match hello.connection_id {
                    Some(len) => {
                        self.ids[from.other() as usize] = len;
                        said.detail("dtls", "connection_id", true);
                    }
                    // Asked for in vain: records stay without.
                    None => self.ids = [0; 2],
                }
            }
            CERTIFICATE if !self.certificates[from as usize] => self.certificates[from as usize] = certificate::tell("dtls", body, from, self.role(from), said),
            CERTIFICATE_REQUEST if self.role(from) == Side::Server => said.detail("dtls", "client_certificate_requested", true),
            _ => {}
        }
    }

    fn is_answered(&mut self) {
        self.answered = true;
        if let Some(time) = self.time {
            self.unheard.answered(mark(self.hello), time);
        }
    }

    fn client_hello(&mut self, body: &[u8], from: Side, said: &mut Said<'_>) {
        let Some(hello) = ClientHello::read(body, Carrier::Dtls) else { return };
        self.ids[from.other() as usize] = hello.connection_id.unwrap_or_default();
        let random = hello.random.first_chunk().copied();
        // With a cookie it is another message.
        if let Some(time) = self.time {
            self.unheard.asked(|| if hello.cookie.is_empty() { mark(random) } else { 0 }, time);
        }
        match (self.hello, hello.cookie.is_empty()) {
            (None, _) => hello.tell("dtls", Carrier::Dtls, from, said),
            // The cookie came back: whatever was seen of the answer, it arrived.
            (Some(_), false) if !self.cookie => {
                self.cookie = true;
                said.say(Fact::Reached(Step::CookieReturned));
                said.believe(Evidence::Dialogue);
            }
            (Some(known), true) if Some(known) == random && !self.answered => said.say(Fact::Retry),
            (Some(known), false) if Some(known) == random => said.say(Fact::Retry),
            _ => {}
        }
        self.hello = random;
        self.offered = hello.ciphers.0.into();
    }
}

/// What tells a hello from others.
fn mark(random: Option<[u8; 32]>) -> u64 {
    random.as_ref().and_then(|random| random.first_chunk()).map_or(0, |first| u64::from_le_bytes(*first) | 1)
}

fn alert(body: &[u8], from: Side, said: &mut Said<'_>) {
    let [level @ (1 | 2), code] = *body else { return };
    if code != 0 && (level == 2 || from == Side::Server) {
        said.say(Fact::Answer { kind: AnswerKind::Refused, code: u32::from(code), text: alert_name(code).into(), by: from });
    }
}

impl Assembly {
    /// Adds a part; the message, once it is whole. Most come in one.
    fn add<'a>(&mut self, part: &Message<'a>) -> Option<(u8, Cow<'a, [u8]>)> {
        let beyond = part.offset.saturating_add(part.part) > part.len;
        if part.len as usize > limit::HANDSHAKE_KEPT || beyond || part.body.len() < part.part as usize {
            return None;
        }
        if part.offset == 0 {
            *self = Self { kind: part.kind, sequence: part.sequence, held: Vec::new() };
            if part.part == part.len {
                return Some((part.kind, Cow::Borrowed(part.body)));
            }
        }
        let next = (self.kind, self.sequence, self.held.len()) == (part.kind, part.sequence, part.offset as usize);
        if !next {
            return None;
        }
        self.held.extend_from_slice(part.body);
        (self.held.len() == part.len as usize).then(|| (self.kind, Cow::Owned(std::mem::take(&mut self.held))))
    }
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// tls12_cid, RFC 9146: its header holds a connection id of a length that only the hellos tell.
const CONNECTION_ID: u8 = 25;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const CLIENT_KEY_EXCHANGE: u8 = 16;

#[cfg(test)]
mod tests {
    use super::super::testing::{prefixes_never_match_anything_else, read_all, survives};
    use super::*;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &(body.len() as u16).to_be_bytes(), body].concat()
    }

    fn part(kind: u8, sequence: u8, body: &[u8], offset: usize, len: usize) -> Vec<u8> {
        let three = |value: usize| [(value >> 16) as u8, (value >> 8) as u8, value as u8];
        [&[kind][..], &three(body.len()), &[0, sequence], &three(offset), &three(len), &body[offset..offset + len]].concat()
    }

    fn hello_body(cookie: &[u8]) -> Vec<u8> {
        [&[0xfe, 0xfd][..], &[7; 32], &[0, cookie.len() as u8], cookie, &[0, 2, 0xc0, 0xa8, 1, 0]].concat()
    }

    fn client_hello(sequence: u8, cookie: &[u8]) -> Vec<u8> {
        let body = hello_body(cookie);
        record(HANDSHAKE, &part(CLIENT_HELLO, sequence, &body, 0, body.len()))
    }

    #[test]
    fn a_hello_without_cookie_sent_again_is_a_retry() {
        let told = read_all(&Dtls, &[(Side::Client, &client_hello(0, b"")), (Side::Client, &client_hello(0, b""))]);
        assert!(told.says(&Fact::Retry));
        assert_eq!(told.detail("dtls", "offered"), Some("1.2".into()));
    }

    #[test]
    fn a_hello_that_comes_again_after_each_answer_was_never_heard_of() {
        let verify = record(HANDSHAKE, &part(HELLO_VERIFY_REQUEST, 0, &[0xfe, 0xff, 6, b'c', b'o', b'o', b'k', b'i', b'e'], 0, 9));
        let (hello, back) = (client_hello(0, b""), client_hello(1, b"cookie"));
        let (ask, answer) = ((Side::Client, hello.as_slice()), (Side::Server, verify.as_slice()));
        assert!(read_all(&Dtls, &[ask, answer, ask, answer, ask, answer]).says(&Fact::Unheard));
        // One may be lost; two copies on their way get two answers; and who gives the cookie back has it.
        assert!(!read_all(&Dtls, &[ask, answer, ask, answer]).says(&Fact::Unheard));
        assert!(!read_all(&Dtls, &[ask, ask, ask, answer, answer, answer]).says(&Fact::Unheard));
        assert!(!read_all(&Dtls, &[ask, answer, ask, answer, ask, answer, (Side::Client, &back)]).says(&Fact::Unheard));
    }

    #[test]
    fn a_hello_with_its_cookie_sent_again_is_a_retry_at_that_step() {
        let hellos = [client_hello(0, b""), client_hello(1, b"cookie"), client_hello(1, b"cookie")];
        let told = read_all(&Dtls, &hellos.each_ref().map(|hello| (Side::Client, hello.as_slice())));
        assert!(told.says(&Fact::Retry) && told.says(&Fact::Reached(Step::CookieReturned)));
        assert!(!told.says(&Fact::Reached(Step::ServerHello)));
    }

    #[test]
    fn a_cookie_that_comes_back_proves_an_answer() {
        let told = read_all(&Dtls, &[(Side::Client, &client_hello(0, b"")), (Side::Client, &client_hello(1, b"cookie"))]);
        assert!(!told.says(&Fact::Retry));
        assert_eq!(told.evidence, Evidence::Dialogue);
    }

    #[test]
    fn a_hello_in_parts_is_put_together() {
        let body = hello_body(b"");
        let first = record(HANDSHAKE, &part(CLIENT_HELLO, 0, &body, 0, 20));
        let second = record(HANDSHAKE, &part(CLIENT_HELLO, 0, &body, 20, body.len() - 20));
        assert!(matches!(Dtls.probe(&Opening::of(Transport::UDP, &first, &[])), Probe::Found { client: Some(Side::Client), .. }));
        assert!(read_all(&Dtls, &[(Side::Client, &first), (Side::Client, &second)]).says(&Fact::Encrypted));
    }

    #[test]
    fn a_part_that_reaches_beyond_its_message_is_not_held() {
        let (mut assembly, zeros) = (Assembly::default(), [0; 1000]);
        assembly.add(&Message { kind: 1, len: 10, sequence: 0, offset: 0, part: 5, body: &zeros[..5] });
        for offset in [5, 1005, 2005] {
            assembly.add(&Message { kind: 1, len: 10, sequence: 0, offset, part: 1000, body: &zeros });
        }
        assert!(assembly.held.len() <= 10, "{}", assembly.held.len());
    }

    #[test]
    fn a_length_that_disagrees_is_no_dtls() {
        let mut wrong = client_hello(0, b"");
        wrong[12] = 5;
        assert_eq!(Dtls.probe(&Opening::of(Transport::UDP, &wrong, &[])), Probe::NotForUs);
        let mut data = record(23, &[1; 40]);
        data[4] = 1;
        assert!(matches!(Dtls.probe(&Opening::of(Transport::UDP, &data, &[])), Probe::Found { client: None, .. }));
        data.push(0);
        assert_eq!(Dtls.probe(&Opening::of(Transport::UDP, &data, &[])), Probe::NotForUs);
    }

    #[test]
    fn no_prefix_of_a_hello_is_anything_else() {
        survives(&Dtls, Transport::UDP, 5684, &[(Side::Client, &client_hello(0, b"")), (Side::Client, &client_hello(1, b"cookie"))]);
        prefixes_never_match_anything_else("dtls", Transport::UDP, &client_hello(0, b""), &[]);
    }

    /// Extension 54 with an id of that length; what goes behind the compression methods, or behind the server's choices.
    fn with_id(mut body: Vec<u8>, id: &[u8]) -> Vec<u8> {
        let extension = [&[0, 54, 0, id.len() as u8 + 1, id.len() as u8][..], id].concat();
        body.extend([0, extension.len() as u8]);
        body.extend(extension);
        body
    }

    fn with_id_record(id: &[u8], body: &[u8]) -> Vec<u8> {
        [&[25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1][..], id, &(body.len() as u16).to_be_bytes(), body].concat()
    }

    #[test]
    fn records_with_connection_ids_are_read_by_the_lengths_of_the_hellos() {
        let ask = with_id(hello_body(b""), b"");
        let answer = with_id([&[0xfe, 0xfd][..], &[8; 32], &[0, 0xc0, 0xa8, 0]].concat(), b"ids");
        let hello = |kind, body: &[u8]| record(HANDSHAKE, &part(kind, 0, body, 0, body.len()));
        let mut ordinary = record(23, &[9; 40]);
        ordinary[4] = 1;
        // The client wants none in what it receives, the server three bytes.
        let dialogue = [
            (Side::Client, hello(CLIENT_HELLO, &ask)),
            (Side::Server, hello(SERVER_HELLO, &answer)),
            (Side::Client, with_id_record(b"ids", &[9; 40])),
            (Side::Server, ordinary),
        ];
        let dialogue: Vec<_> = dialogue.iter().map(|(from, bytes)| (*from, bytes.as_slice())).collect();
        let told = read_all(&Dtls, &dialogue);
        assert_eq!(told.detail("dtls", "connection_id"), Some(true.into()));
        assert_eq!(told.evidence, Evidence::Dialogue);
    }

    // openssl and GnuTLS with a wrong PSK: RFC 6347 section 4.1.2.7 has the server drop what it cannot open
    #[test]
    fn a_client_that_ends_the_handshake_again_and_again_is_not_understood() {
        let cookie = b"cookie";
        let server = record(HANDSHAKE, &part(SERVER_HELLO, 1, &[&[0xfe, 0xfd][..], &[9; 32], &[0, 0xc0, 0xa8, 0]].concat(), 0, 38));
        let keys = record(HANDSHAKE, &part(CLIENT_KEY_EXCHANGE, 2, &[0, 2, 109, 101], 0, 4));
        let changed = record(CHANGE_CIPHER_SPEC, &[1]);
        let told = |rest: &[(Side, &[u8])]| {
            let hello = client_hello(1, cookie);
            let told = read_all(&Dtls, &[&[(Side::Client, hello.as_slice()), (Side::Server, &server)][..], rest].concat());
            (told.says(&Fact::Reached(Step::ClientFinished)), told.facts.iter().filter(|fact| **fact == Fact::Retry).count())
        };
        let (keys, changed) = ((Side::Client, keys.as_slice()), changed.as_slice());
        assert_eq!(told(&[keys, (Side::Client, changed), keys, (Side::Client, changed), keys]), (true, 2));
        assert_eq!(told(&[keys, (Side::Client, changed), keys, keys, (Side::Server, changed)]), (false, 2));
        assert_eq!(told(&[keys, (Side::Client, changed), keys]), (false, 1));
        assert_eq!(told(&[keys, (Side::Client, changed)]), (false, 0));
        // The server's answers were captured first, so who is the client is not known until they are read.
        let hello = client_hello(1, cookie);
        let turned = [&[(Side::Client, server.as_slice()), (Side::Server, &hello)][..], &[(Side::Server, keys.1), (Side::Server, changed)].repeat(3)].concat();
        let told = read_all(&Dtls, &turned);
        assert!(told.says(&Fact::Reached(Step::ClientFinished)) && told.says(&Fact::Retry));
    }

    #[test]
    fn a_record_with_a_connection_id_alone_must_fill_its_datagram() {
        let whole = with_id_record(&[7; 8], &[9; 40]);
        assert!(matches!(Dtls.probe(&Opening::of(Transport::UDP, &whole, &[])), Probe::Found { evidence: Evidence::OneOpening, client: None, .. }));
        for wrong in [&whole[..whole.len() - 1], &[&whole[..], &[0]].concat(), &with_id_record(&[7; 21], &[9; 40])] {
            assert_eq!(Dtls.probe(&Opening::of(Transport::UDP, wrong, &[])), Probe::NotForUs);
        }
    }

    #[test]
    fn the_version_of_dtls_1_3_stands_in_an_extension() {
        // RFC 9147 section 5.3: the legacy version stays 1.2, supported_versions (43) offers 0xfefc; the unified header follows.
        let hello = [hello_body(b""), vec![0, 7, 0, 43, 0, 3, 2, 0xfe, 0xfc]].concat();
        let hello = record(HANDSHAKE, &part(CLIENT_HELLO, 0, &hello, 0, hello.len()));
        let told = read_all(&Dtls, &[(Side::Client, &hello), (Side::Server, &[0x2e, 1, 2, 0, 40]), (Side::Client, &[0x2e, 1, 2, 0, 40])]);
        assert_eq!(told.detail("dtls", "offered"), Some("1.3".into()));
        assert_eq!(told.evidence, Evidence::Dialogue);
    }
}
