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
    /// TLS 1.3: what follows the ServerHello is encrypted, alerts too; and how many bytes the suite's digest has.
    hides_alerts: bool,
    digest: u16,
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
        // In TLS 1.3 a ChangeCipherSpec of the client ends nothing (RFC 8446 appendix D.4): Java's sends it before it looks at the certificate.
        let nothing_hidden = if self.shared.hides_alerts { client.encrypted == 0 } else { !client.is_encrypted() };
        let is_silent = nothing_hidden && !client.lost && matches!(client.kind, HANDSHAKE | CHANGE_CIPHER_SPEC) && !self.shared.client_answered;
        if self.shared.server_hello && is_silent && !server.lost && server.left == 0 {
            said.say(Fact::Reached(self.shared.step()));
        }
        // Up to TLS 1.2 each side's first encrypted record ends the handshake.
        let awaits = if self.shared.hides_alerts { self.shared.turns.awaits() } else { client.encrypted > 1 && server.changed && server.encrypted == 1 };
        if self.shared.server_hello && awaits && self.sides.iter().all(|side| !side.lost && side.left == 0) {
            said.say(Fact::Awaited);
        }
        if let Some(step) = self.unused() {
            said.say(Fact::Reached(step));
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

impl TlsReader {
    /// How far a client came that ended the handshake and asked nothing.
    fn unused(&self) -> Option<Step> {
        let [client, server] = &self.sides;
        let is_whole = self.shared.server_hello && self.sides.iter().all(|side| !side.lost && side.left == 0);
        let is_ended = client.changed && client.encrypted == 1 && server.changed && server.encrypted <= MOST_UNASKED;
        self.shared.turns.unused(!self.shared.hides_alerts && is_ended).filter(|_| is_whole && !self.shared.alert_told)
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
            ALERT if len != 2 => {
                shared.turns.closes(from);
                said.detail("tls", "encrypted_alert", from);
            }
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
        self.turns.hidden(from, len, self.digest);
        if from == Side::Client && self.hides_alerts {
            self.hidden_bytes = self.hidden_bytes.saturating_add(len);
        }
        // Only who was asked for a certificate, and has none, says that.
        if from == Side::Client && self.hides_alerts && first && len == EMPTY_CERTIFICATE {
            said.say(Fact::Reached(Step::ClientCertificate));
        }
        // Whoever closes is answered by closing (section 6.1), which is no refusal.
        self.server_replied |= from == Side::Client && self.turns.is_alert(len);
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
                        self.digest = if hello.cipher == AES_256_GCM_SHA384 { 48 } else { 32 };
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
/// Up to TLS 1.2, records of a server with the one that ends the handshake: beyond, it sends what its client came for.
const MOST_UNASKED: u8 = 3;
/// The one suite of TLS 1.3 with a digest of 48 bytes (RFC 8446 appendix B.4).
const AES_256_GCM_SHA384: u16 = 0x1302;
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
mod tests;
