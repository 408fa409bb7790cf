//! Transport Layer Security over TCP (RFC 8446, RFC 5246, RFC 6101) and the SSLv2 hello that old clients open with.

use arrayvec::ArrayVec;

use crate::identify::wire::Held;

use super::certificate;
use super::hello::{Carrier, ClientHello, Numbers, ServerHello, alert_name};
use super::tls_chain::chain;
use super::tls_look::{Look, is_record, look, tell_if_no_tls};
use super::tls_turns::Turns;
use super::{Appetite, Evidence, Fact, Hit, Opening, Piece, Probe, Protocol, Reader, Said, Side, Transport};
use crate::identify::{AnswerKind, Step};
use crate::limit;

/// TLS.
#[derive(Debug)]
pub struct Tls;

impl Protocol for Tls {
    fn name(&self) -> &'static str {
        "tls"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::TCP]
    }

    /// Records to the last byte.
    fn is_told_late(&self) -> bool {
        true
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let sides = [Side::Client, Side::Server].map(|side| (side, look(opening.side(side))));
        if let Some((side, rule)) = sides.iter().find_map(|(side, seen)| Some((*side, seen.hello()?))) {
            let other = look(opening.side(side.other())).hello();
            let evidence = if other.is_some_and(|other| other != rule) { Evidence::BothOpenings } else { Evidence::OneOpening };
            let client = if rule == SERVER_HELLO { side.other() } else { side };
            let len = if rule == SSL2_HELLO { 5 } else { 11 };
            return Probe::Found { evidence, hit: Hit { side, offset: 0, len, rule }, client: Some(client) };
        }
        // Joined in the middle of a record: the next piece, or the other side's, may begin with one.
        if opening.midstream {
            return match chain(opening) {
                Some(hit) => Probe::Found { evidence: Evidence::OneOpening, hit, client: None },
                None if opening.complete => Probe::NotForUs,
                None => Probe::NeedMore,
            };
        }
        let hopeful = |side: Side, seen: Look| opening.side(side).is_empty() || seen == Look::Short;
        if sides.iter().all(|(side, seen)| hopeful(*side, *seen)) { Probe::NeedMore } else { Probe::NotForUs }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<TlsReader>::default()
    }
}

/// Reads both sides' records until they are encrypted.
#[derive(Debug, Default)]
struct TlsReader {
    sides: [Records; 2],
    shared: Shared,
}

/// What the sides know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// Cipher suites of the client, as they stand in its hello.
    offered: Box<[u8]>,
    /// Mark of what the client offered.
    offer: u64,
    client_hello: bool,
    /// A HelloRetryRequest came, so both hellos are due once more.
    retried: bool,
    server_hello: bool,
    certificates: [bool; 2],
    /// The client sent a message in clear after its hello.
    client_answered: bool,
    /// The server asked for a certificate of the client.
    asked: bool,
    /// TLS 1.3: what follows the ServerHello is encrypted, alerts too.
    hides_alerts: bool,
    /// An encrypted record of the client was seen; and one of the server after it, or the client closed, so that the server's next alert only answers that.
    client_went_on: bool,
    server_replied: bool,
    /// TLS 1.3: bytes in encrypted records of the client; and an alert among them was told.
    hidden_bytes: u16,
    alert_told: bool,
    turns: Turns,
}

/// One side's records. `left` bytes of the present one are still to come.
#[derive(Debug, Default)]
struct Records {
    /// Bytes of a handshake message that is not whole yet, or of an alert.
    held: Held,
    left: u32,
    /// Of a record whose header is not whole yet.
    header: ArrayVec<u8, 5>,
    kind: u8,
    changed: bool,
    encrypted: u8,
    lost: bool,
    begun: bool,
}

impl Reader for TlsReader {
    fn held(&self) -> usize {
        let [client, server] = &self.sides;
        client.held.capacity() + server.held.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let side = &mut self.sides[piece.from as usize];
        side.miss(piece.missing);
        if piece.from == Side::Server && !side.begun && !side.lost && self.shared.client_hello {
            tell_if_no_tls(piece.bytes, said);
        }
        side.walk(piece.bytes, piece.from, &mut self.shared, said);
        let [client, server] = &self.sides;
        if self.shared.server_hello && client.is_encrypted() && server.is_encrypted() {
            said.believe(Evidence::Dialogue);
        }
        let through = |side: &Records| side.lost || side.encrypted >= limit::TLS_RECORDS;
        let replied = self.shared.server_replied && self.shared.turns.is_over() || !self.shared.hides_alerts;
        if through(client) && through(server) && replied || client.encrypted >= limit::TLS_RECORDS_ONE_SIDED || server.encrypted >= limit::TLS_RECORDS_ONE_SIDED
        {
            return Appetite::Full;
        }
        Appetite::Hungry
    }

    /// A hello that was cut short still names its server; and where the client said nothing more after the server's flight, not even that it ends the handshake, this
    /// is how far it came.
    fn finish(&self, said: &mut Said<'_>) {
        let [client, server] = &self.sides;
        let is_silent = !client.is_encrypted() && !client.lost && client.kind == HANDSHAKE && !self.shared.client_answered;
        if self.shared.server_hello && is_silent && !server.lost && server.left == 0 {
            said.say(Fact::Reached(self.shared.step()));
        }
        // Up to TLS 1.2 each side's first encrypted record ends the handshake.
        let awaits = if self.shared.hides_alerts { self.shared.turns.awaits() } else { client.encrypted > 1 && server.changed && server.encrypted == 1 };
        if self.shared.server_hello && awaits && self.sides.iter().all(|side| !side.lost && side.left == 0) {
            said.say(Fact::Awaited);
        }
        // Whatever the client said is too short to end the handshake: some pad their alerts.
        let too_short = (1..ENCRYPTED_FINISHED).contains(&self.shared.hidden_bytes) && client.left == 0 && !client.lost;
        if self.shared.client_hello && self.shared.hides_alerts && too_short && !self.shared.alert_told {
            said.say(Fact::Answer { kind: AnswerKind::Refused, code: HIDDEN_ALERT, text: HIDDEN_ALERT_TEXT.into(), by: Side::Client });
        }
        let held = &client.held;
        if let ([CLIENT_HELLO, _, _, _, body @ ..], false) = (held.as_slice(), self.shared.client_hello)
            && let Some(hello) = ClientHello::read(body, Carrier::Tls)
        {
            hello.tell("tls", Carrier::Tls, Side::Client, said);
        }
    }
}

impl Records {
    fn is_encrypted(&self) -> bool {
        self.changed || self.encrypted > 0
    }

    fn miss(&mut self, missing: u64) {
        if missing == 0 {
            return;
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        self.held = Held::new();
        if self.header.is_empty() && missing <= self.left {
            self.left -= missing;
        } else {
            self.lost = true;
        }
    }

    fn walk(&mut self, bytes: &[u8], from: Side, shared: &mut Shared, said: &mut Said<'_>) {
        let mut rest = bytes;
        if !self.begun {
            self.begun = true;
            rest = self.pass_ssl2(rest, said);
        }
        while !rest.is_empty() && !self.lost {
            if self.left == 0 {
                let Some(header) = self.header(&mut rest) else { return };
                self.begin(header, from, shared, said);
                continue;
            }
            let (body, after) = rest.split_at_checked(self.left as usize).unwrap_or((rest, &[]));
            self.left = self.left.saturating_sub(u32::try_from(body.len()).unwrap_or(u32::MAX));
            rest = after;
            self.body(body, from, shared, said);
        }
    }

    fn pass_ssl2<'a>(&mut self, bytes: &'a [u8], said: &mut Said<'_>) -> &'a [u8] {
        let Look::Hello(SSL2_HELLO) = look(bytes) else { return bytes };
        let (Some(high), Some(low), Some(version)) = (bytes.first(), bytes.get(1), bytes.get(3..5)) else { return bytes };
        said.say(Fact::Encrypted);
        said.detail("tls", "offered", super::hello::version_name(u16::from_be_bytes([version[0], version[1]])));
        let len = 2 + (usize::from(high & 0x7f) << 8 | usize::from(*low));
        self.lost = len > bytes.len();
        bytes.get(len..).unwrap_or_default()
    }

    /// Takes the header of the next record off; none where it is not whole yet.
    fn header(&mut self, rest: &mut &[u8]) -> Option<[u8; 5]> {
        // Most come whole.
        if self.header.is_empty()
            && let Some((header, after)) = rest.split_first_chunk()
        {
            *rest = after;
            return Some(*header);
        }
        let (taken, after) = rest.split_at_checked(self.header.remaining_capacity()).unwrap_or((rest, &[]));
        *rest = after;
        self.header.extend(taken.iter().copied());
        self.header.is_full().then(|| self.header.take().into_inner().ok())?
    }

    fn begin(&mut self, [kind, major, minor, high, low]: [u8; 5], from: Side, shared: &mut Shared, said: &mut Said<'_>) {
        let len = u16::from_be_bytes([high, low]);
        if !is_record(kind, major, minor, len) {
            self.lost = true;
            return;
        }
        if kind != self.kind {
            self.held = Held::new();
        }
        (self.kind, self.left) = (kind, u32::from(len));
        match kind {
            CHANGE_CIPHER_SPEC => self.changed = true,
            APPLICATION_DATA => {
                shared.hidden(from, len, self.encrypted == 0, said);
                self.encrypted = self.encrypted.saturating_add(1);
            }
            ALERT if len != 2 => said.detail("tls", "encrypted_alert", from),
            _ => {}
        }
    }

    fn body(&mut self, bytes: &[u8], from: Side, shared: &mut Shared, said: &mut Said<'_>) {
        // In TLS 1.3 a ChangeCipherSpec changes nothing, but nothing follows it in clear either, but for what comes before there are keys.
        let clear = match self.kind {
            HANDSHAKE => !self.changed || shared.awaits_hellos() || from == Side::Client && !shared.client_hello,
            ALERT => !self.changed || shared.awaits_hellos(),
            _ => false,
        };
        if !clear {
            if self.kind == HANDSHAKE && self.left == 0 {
                self.encrypted = self.encrypted.saturating_add(1);
            }
            return;
        }
        match self.kind {
            ALERT => self.alert(bytes, from, shared, said),
            _ => self.handshake(bytes, from, shared, said),
        }
        if self.held.len() > limit::HANDSHAKE_KEPT {
            self.held = Held::new();
            self.lost = true;
        }
    }

    fn alert(&mut self, bytes: &[u8], from: Side, shared: &Shared, said: &mut Said<'_>) {
        self.held.extend_from_slice(bytes);
        let [level, code] = self.held[..] else { return };
        self.held.clear();
        if !matches!(level, 1 | 2) {
            return;
        }
        if code != CLOSE_NOTIFY {
            let kind = if matches!(code, INTERNAL_ERROR) { AnswerKind::Failed } else { AnswerKind::Refused };
            said.say(Fact::Answer { kind, code: u32::from(code), text: alert_name(code).into(), by: from });
            said.say(Fact::Reached(shared.step()));
        }
        if from == Side::Server && shared.client_hello {
            said.believe(Evidence::Dialogue);
        }
    }

    /// Reads the messages that are whole, and holds what is left of them: most are read where they are.
    fn handshake(&mut self, bytes: &[u8], from: Side, shared: &mut Shared, said: &mut Said<'_>) {
        let mut held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            held.extend_from_slice(bytes);
        }
        let all = if held.is_empty() { bytes } else { &held };
        let mut at = 0;
        while let Some([kind, a, b, c]) = all.get(at..).and_then(|rest| rest.first_chunk()).copied() {
            let len = u32::from_be_bytes([0, a, b, c]) as usize;
            if len > limit::HANDSHAKE_KEPT {
                self.lost = true;
                at = 0;
                break;
            }
            let Some(body) = all.get(at + 4..at + 4 + len) else { break };
            shared.message(kind, body, from, said);
            at += 4 + len;
        }
        if at == 0 && !held.is_empty() {
            self.held = held;
        } else if let Some(left) = all.get(at..).filter(|left| !left.is_empty()) {
            self.held = left.into();
        }
    }
}

impl Shared {
    /// How far the handshake came.
    fn step(&self) -> Step {
        match self {
            Self { certificates: [true, _], .. } => Step::ClientCertificate,
            Self { asked: true, .. } => Step::CertificateAsked,
            Self { certificates: [_, true], .. } => Step::ServerCertificate,
            Self { server_hello: true, .. } => Step::ServerHello,
            _ => Step::ClientHello,
        }
    }

    /// Whether second hellos are due: a server sends its ChangeCipherSpec right after a HelloRetryRequest, its ServerHello comes behind that (RFC 8446 appendix D.4).
    const fn awaits_hellos(&self) -> bool {
        self.retried && !self.server_hello
    }

    /// An encrypted record of TLS 1.3. Nothing that a handshake begins with, and no answer to a request, is as short as an alert (RFC 8446 section 5.2:
    /// two bytes, the inner type, a tag of 16); a side whose first record is one ended the handshake, for a reason that is not visible.
    fn hidden(&mut self, from: Side, len: u16, first: bool, said: &mut Said<'_>) {
        let is_reply = from == Side::Server && self.client_went_on && !std::mem::replace(&mut self.server_replied, self.client_went_on);
        self.client_went_on |= from == Side::Client;
        self.turns.hidden(from, len);
        if from == Side::Client && self.hides_alerts {
            self.hidden_bytes = self.hidden_bytes.saturating_add(len);
        }
        // Only who was asked for a certificate, and has none, says that.
        if from == Side::Client && self.hides_alerts && first && len == EMPTY_CERTIFICATE {
            said.say(Fact::Reached(Step::ClientCertificate));
        }
        // Whoever closes is answered by closing (section 6.1), which is no refusal.
        self.server_replied |= from == Side::Client && len == ENCRYPTED_ALERT;
        if self.hides_alerts && len == ENCRYPTED_ALERT && (first || is_reply) {
            self.alert_told = true;
            said.say(Fact::Answer { kind: AnswerKind::Refused, code: HIDDEN_ALERT, text: HIDDEN_ALERT_TEXT.into(), by: from });
        }
    }

    fn message(&mut self, kind: u8, body: &[u8], from: Side, said: &mut Said<'_>) {
        self.client_answered |= from == Side::Client && kind != CLIENT_HELLO;
        match kind {
            CLIENT_HELLO if !self.client_hello => {
                if let Some(hello) = ClientHello::read(body, Carrier::Tls) {
                    self.client_hello = true;
                    hello.tell("tls", Carrier::Tls, from, said);
                    self.offer = hello.shape();
                    self.offered = hello.ciphers.0.into();
                }
            }
            SERVER_HELLO_KIND => {
                if let Some(hello) = ServerHello::read(body) {
                    said.believe(if self.client_hello { Evidence::BothOpenings } else { Evidence::OneOpening });
                    if Numbers(&self.offered).contains(hello.cipher) {
                        said.believe(Evidence::Dialogue);
                    }
                    self.retried |= hello.retry;
                    if !hello.retry {
                        self.server_hello = true;
                        self.hides_alerts = hello.version == TLS_1_3;
                        hello.tell("tls", said);
                        if self.client_hello {
                            said.say(Fact::Shapes { asked: self.offer, answered: hello.shape });
                        }
                        said.say(Fact::Encrypted);
                    }
                    self.offered = Box::default();
                }
            }
            CERTIFICATE if !self.certificates[from as usize] => self.certificates[from as usize] = certificate::tell("tls", body, from, from, said),
            CERTIFICATE_REQUEST => {
                self.asked = true;
                said.detail("tls", "client_certificate_requested", true);
            }
            _ => {}
        }
    }
}

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO_KIND: u8 = 2;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;

pub(super) const CLOSE_NOTIFY: u8 = 0;
const INTERNAL_ERROR: u8 = 80;

const TLS_1_3: u16 = 0x0304;
/// Length of an encrypted record that holds an alert.
const ENCRYPTED_ALERT: u16 = 19;
/// Length of one that holds a Certificate without any: a header of 4 bytes, no context, an empty list (RFC 8446 section 4.4.2), the inner type, a tag of 16.
const EMPTY_CERTIFICATE: u16 = 25;
/// Length of the shortest record that holds the message with which a client ends its part of the handshake: a header of 4 bytes, a digest of 32 (RFC 8446 section 4.4.4), the
/// inner type, the shortest tag of 8 (appendix B.4).
const ENCRYPTED_FINISHED: u16 = 45;
/// Stands for the code of an alert that is not visible: one more than a byte can say.
pub const HIDDEN_ALERT: u32 = 256;
/// Its name.
pub(super) const HIDDEN_ALERT_TEXT: &str = "an encrypted alert";

/// Stands for the code of an alert where the server answers in another protocol.
pub const NO_TLS: u32 = 257;

pub(super) const CLIENT_HELLO_RULE: &str = "TLS handshake record with ClientHello";
pub(super) const SERVER_HELLO: &str = "TLS handshake record with ServerHello";
pub(super) const SSL2_HELLO: &str = "SSLv2 ClientHello";

#[cfg(test)]
mod tests {
    use super::super::NameSource;
    use super::super::testing::{prefixes_never_match_anything_else, read_all, survives};
    use super::*;
    use crate::identify::Lines;

    /// A ClientHello of TLS 1.2 with SNI, ALPN and one suite, built by RFC 5246 section 7.4.1.2.
    pub(super) fn client_hello(name: &str, alpn: &[&str]) -> Vec<u8> {
        let vector = |body: &[u8]| [&(body.len() as u16).to_be_bytes()[..], body].concat();
        let host = vector(&[&[0][..], &vector(name.as_bytes())].concat());
        let names: Vec<u8> = alpn.iter().flat_map(|name| [&[name.len() as u8][..], name.as_bytes()].concat()).collect();
        let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &vector(body)].concat();
        let extensions = vector(&[extension(0, &host), extension(16, &vector(&names))].concat());
        let body = [&[3, 3][..], &[7; 32], &[0], &vector(&[0xc0, 0x2f]), &[1, 0], &extensions].concat();
        record(HANDSHAKE, &message(CLIENT_HELLO, &body))
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 0, (body.len() >> 8) as u8, body.len() as u8][..], body].concat()
    }

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
    }

    fn server_hello() -> Vec<u8> {
        record(HANDSHAKE, &message(2, &[&[3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0]].concat()))
    }

    #[test]
    fn a_hello_split_at_any_byte_names_the_server() {
        let hello = client_hello("Broker.Example", &["mqtt"]);
        for cut in 1..hello.len() {
            let told = read_all(&Tls, &[(Side::Client, &hello[..cut]), (Side::Client, &hello[cut..])]);
            assert!(told.says(&Fact::Name { of: Side::Server, name: "broker.example".into(), source: NameSource::Sni }), "cut at {cut}");
            assert!(told.says(&Fact::Inner("mqtt")) && told.says(&Fact::Hello(u64::from_be_bytes([7; 8]))));
            assert_eq!(told.detail("tls", "offered"), Some("1.2".into()));
        }
    }

    #[test]
    fn names_of_protocols_are_told_in_print_and_no_more_of_them_than_anybody_offers() {
        let many: Vec<String> = (0..40).map(|n| format!("\u{1b}[2J{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &many))]);
        let printed: Lines = (0..limit::LIST_KEPT).map(|n| format!("[2J{n}")).collect();
        assert_eq!(told.detail("tls", "alpn"), Some(printed.into()));
    }

    #[test]
    fn a_server_hello_that_takes_an_offered_suite_makes_a_dialogue() {
        let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &[])), (Side::Server, &server_hello())]);
        assert_eq!(told.evidence, Evidence::Dialogue);
        assert_eq!(told.detail("tls", "version"), Some("1.2".into()));
    }

    #[test]
    fn an_alert_in_clear_is_an_answer_with_its_name() {
        let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &[])), (Side::Server, &record(ALERT, &[2, 40]))]);
        assert!(told.says(&Fact::answer(AnswerKind::Refused, 40, "handshake_failure")));
        assert!(told.says(&Fact::Reached(Step::ClientHello)));
    }

    #[test]
    fn an_encrypted_alert_is_told_by_its_length_where_a_handshake_or_an_answer_is_longer() {
        // supported_versions (43) with 1.3, RFC 8446 section 4.2.1.
        let hello = record(HANDSHAKE, &message(2, &[&[3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat()));
        let client = client_hello("a.example", &[]);
        let sealed = |len: usize| record(23, &vec![7; len]);
        let told = |rest: &[(Side, &[u8])]| {
            let dialogue = [&[(Side::Client, client.as_slice()), (Side::Server, hello.as_slice())][..], rest].concat();
            let answers = read_all(&Tls, &dialogue).facts.into_iter().filter_map(|fact| match fact {
                Fact::Answer { code, by, .. } => Some((code, by)),
                _ => None,
            });
            answers.collect::<Vec<_>>()
        };
        let (flight, finished, alert, data) = (sealed(900), sealed(53), sealed(19), sealed(120));
        assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &alert)]), [(HIDDEN_ALERT, Side::Client)]);
        assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &finished), (Side::Server, &alert)]), [(HIDDEN_ALERT, Side::Server)]);
        assert_eq!(told(&[(Side::Server, &alert)]), [(HIDDEN_ALERT, Side::Server)]);
        // mosquitto_sub without a certificate, at a broker that requires one.
        let none = [(Side::Client, client.as_slice()), (Side::Server, hello.as_slice()), (Side::Client, &sealed(25)), (Side::Client, &finished)];
        assert!(read_all(&Tls, &none).says(&Fact::Reached(Step::ClientCertificate)));
        assert_eq!(told(&[(Side::Client, &sealed(25)), (Side::Client, &finished), (Side::Server, &alert)]), [(HIDDEN_ALERT, Side::Server)]);
        // Java 17 pads its alerts (RFC 8446 section 5.4); GnuTLS may send an empty certificate before.
        let padded = sealed(35);
        assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &padded)]), [(HIDDEN_ALERT, Side::Client)]);
        assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &padded), (Side::Client, &finished), (Side::Server, &data)]), []);
        assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &finished)]), []);
        // psql, whom the server's name does not suit, closes right after the handshake, and the server does the same.
        assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &finished), (Side::Client, &alert), (Side::Server, &alert)]), []);
        assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &alert), (Side::Server, &alert)]), [(HIDDEN_ALERT, Side::Client)]);
        // close_notify at the end of a connection that was used.
        assert_eq!(told(&[(Side::Server, &flight), (Side::Client, &finished), (Side::Server, &data), (Side::Server, &alert), (Side::Client, &alert)]), []);
    }

    // curl to nginx's port 80, a client of XMPP that tries TLS first
    #[test]
    fn an_answer_in_another_protocol_is_told_by_its_first_line() {
        let told = |answer: &[u8]| {
            let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &[])), (Side::Server, answer)]);
            told.facts
                .into_iter()
                .find_map(|fact| if let Fact::Answer { code: NO_TLS, text, by: Side::Server, .. } = fact { Some(text.to_string()) } else { None })
        };
        assert_eq!(told(b"HTTP/1.1 400 Bad Request\r\nServer: a\r\n").as_deref(), Some("HTTP/1.1 400 Bad Request"));
        assert!(told(&[0, 0, 18, 4, 0, 0, 0]).is_some(), "HTTP/2 in clear");
        for tls in [server_hello(), record(ALERT, &[2, 40]), vec![0x80, 30, 4], vec![22]] {
            assert_eq!(told(&tls), None);
        }
    }

    #[test]
    fn a_client_that_says_nothing_after_the_servers_flight_came_no_further() {
        let (client, flight) = (client_hello("a.example", &[]), [server_hello(), record(23, &[7; 900])].concat());
        let told = |rest: &[(Side, &[u8])]| read_all(&Tls, &[&[(Side::Client, client.as_slice()), (Side::Server, flight.as_slice())][..], rest].concat());
        assert!(told(&[]).says(&Fact::Reached(Step::ServerHello)));
        for more in [record(CHANGE_CIPHER_SPEC, &[1]), record(23, &[7; 53]), record(HANDSHAKE, &message(11, &[0; 7]))] {
            assert!(!told(&[(Side::Client, &more)]).says(&Fact::Reached(Step::ServerHello)));
        }
    }

    #[test]
    fn after_a_hello_retry_request_the_server_hello_is_read_behind_its_change_cipher_spec() {
        // RFC 8446 section 4.1.4 (the random that marks it), appendix D.4 (where ChangeCipherSpec records stand).
        let hello = |random: &[u8]| record(HANDSHAKE, &message(2, &[&[3, 3][..], random, &[0, 0xc0, 0x2f, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat()));
        let retry = [
            0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
            0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
        ];
        let (client, changed) = (client_hello("a.example", &[]), record(CHANGE_CIPHER_SPEC, &[1]));
        let (asked, again) = ([hello(&retry), changed.clone()].concat(), [changed, client.clone()].concat());
        let told = |rest: &[(Side, &[u8])]| {
            read_all(&Tls, &[&[(Side::Client, client.as_slice()), (Side::Server, asked.as_slice()), (Side::Client, again.as_slice())][..], rest].concat())
        };
        let (flight, alert) = ([hello(&[9; 32]), record(23, &[7; 900])].concat(), record(23, &[7; 19]));
        let refused = told(&[(Side::Server, &flight), (Side::Client, &alert)]);
        assert_eq!(refused.detail("tls", "version"), Some("1.3".into()));
        assert!(refused.says(&Fact::Answer { kind: AnswerKind::Refused, code: HIDDEN_ALERT, text: "an encrypted alert".into(), by: Side::Client }));
        let denied = told(&[(Side::Server, &record(ALERT, &[2, 40]))]);
        assert!(denied.says(&Fact::answer(AnswerKind::Refused, 40, "handshake_failure")));
    }

    #[test]
    fn a_certificate_request_is_told_up_to_tls_1_2() {
        let request = record(HANDSHAKE, &message(CERTIFICATE_REQUEST, &[1, 1, 0, 0, 0, 0]));
        let told = read_all(&Tls, &[(Side::Client, &client_hello("a.example", &[])), (Side::Server, &[server_hello(), request].concat())]);
        assert_eq!(told.detail("tls", "client_certificate_requested"), Some(true.into()));
    }

    #[test]
    fn an_sslv2_hello_is_told_by_lengths_that_add_up() {
        let hello = [&[0x80, 9 + 3 + 16, 1, 3, 1, 0, 3, 0, 0, 0, 16, 1, 0, 0x80][..], &[5; 16]].concat();
        assert!(matches!(Tls.probe(&Opening::of(Transport::TCP, &hello, &[])), Probe::Found { .. }));
        let mut wrong = hello.clone();
        wrong[1] += 1;
        assert_eq!(Tls.probe(&Opening::of(Transport::TCP, &wrong, &[])), Probe::NotForUs);
    }

    #[test]
    fn no_prefix_of_a_hello_is_anything_else() {
        let hello = client_hello("a.example", &["h2"]);
        survives(&Tls, Transport::TCP, 443, &[(Side::Client, &hello), (Side::Server, &server_hello()), (Side::Server, &record(ALERT, &[2, 40]))]);
        prefixes_never_match_anything_else("tls", Transport::TCP, &client_hello("a.example", &["h2", "http/1.1"]), &server_hello());
    }
}
