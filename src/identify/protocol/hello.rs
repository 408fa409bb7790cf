//! The hellos of TLS, which DTLS and QUIC share: what is read of them, and JA4.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use arrayvec::ArrayString;
use foldhash::fast::RandomState;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::identify::Lines;
use crate::identify::wire::{Cursor, host_name, in_hex, printable};
use crate::limit;

use super::{Fact, NameSource, Said, Side};

/// What a ClientHello states (RFC 8446 section 4.1.2), where it stands. Fields beyond a cut are empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClientHello<'a> {
    pub(super) legacy_version: u16,
    pub(super) random: &'a [u8],
    pub(super) cookie: &'a [u8],
    pub(super) ciphers: Numbers<'a>,
    /// Kinds, lengths and contents; the list without its own length.
    extensions: &'a [u8],
    server_name: Option<&'a [u8]>,
    /// The list with its length.
    alpn: &'a [u8],
    versions: Numbers<'a>,
    signature_algorithms: Numbers<'a>,
    pub(super) connection_id: Option<u8>,
}

/// A list of 16-bit numbers, as it stands in a hello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers<'a>(pub(super) &'a [u8]);

/// What a ServerHello states (RFC 8446 section 4.1.3).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ServerHello<'a> {
    pub(super) version: u16,
    pub(super) retry: bool,
    pub(super) cipher: u16,
    pub(super) alpn: Option<&'a [u8]>,
    pub(super) connection_id: Option<u8>,
    /// Mark of what it looks like: version, cipher suite, extensions in order.
    pub(super) shape: u64,
}

/// Over what a hello came: the first letter of JA4, and whether it has a cookie field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Tls,
    Dtls,
    Quic,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of a ClientHello; none where not even its cipher suites are there.
    pub(super) fn read(body: &'a [u8], carrier: Carrier) -> Option<Self> {
        let mut at = Cursor::new(body);
        let mut hello = Self { legacy_version: at.be16()?, random: at.take(32)?, ..Self::default() };
        let session = at.u8()?;
        at.take(usize::from(session))?;
        if carrier == Carrier::Dtls {
            let cookie = at.u8()?;
            hello.cookie = at.take(usize::from(cookie))?;
        }
        let ciphers = at.be16()?;
        hello.ciphers = Numbers(at.take(usize::from(ciphers))?);
        let compressions = at.u8()?;
        at.take(usize::from(compressions))?;
        if at.be16().is_some() {
            hello.read_extensions(at.rest());
        }
        Some(hello)
    }

    fn read_extensions(&mut self, bytes: &'a [u8]) {
        self.extensions = bytes;
        for (kind, body) in extensions(bytes) {
            match kind {
                SERVER_NAME => self.server_name = host_of(body),
                ALPN => self.alpn = body,
                SIGNATURE_ALGORITHMS => self.signature_algorithms = Numbers(body.get(2..).unwrap_or_default()),
                SUPPORTED_VERSIONS => self.versions = Numbers(body.get(1..).unwrap_or_default()),
                CONNECTION_ID => self.connection_id = body.first().copied(),
                _ => {}
            }
        }
    }

    /// The kinds of its extensions in order.
    fn kinds(&self) -> impl Iterator<Item = u16> {
        extensions(self.extensions).map(|(kind, _)| kind)
    }

    /// The highest version offered.
    pub(super) fn version(&self) -> u16 {
        let newest = |a: &u16, b: &u16| newness(*a).cmp(&newness(*b));
        self.versions.plain().max_by(newest).unwrap_or(self.legacy_version)
    }

    /// Whether it offers Encrypted Client Hello (or only pretends to, which cannot be told): then the visible name may be that of a front.
    fn offers_ech(&self) -> bool {
        self.kinds().any(|kind| matches!(kind, ENCRYPTED_CLIENT_HELLO | ENCRYPTED_SERVER_NAME))
    }

    /// Mark of what it offers, whatever its name, its padding and the order, which some clients throw dice for.
    pub(super) fn shape(&self) -> u64 {
        let names = alpn_names(self.alpn).flatten().map(|byte| u16::from(*byte));
        [
            marks::<1>(self.ciphers.iter()),
            marks::<2>(self.kinds().filter(|kind| *kind != PADDING)),
            marks::<3>(self.versions.iter()),
            marks::<4>(self.signature_algorithms.iter()),
            marks::<5>(names),
        ]
        .into_iter()
        .fold(u64::from(self.legacy_version), u64::wrapping_add)
    }

    /// JA4 (FoxIO, "JA4: TLS Client Fingerprinting").
    pub(super) fn ja4(&self, carrier: Carrier) -> String {
        let plain = |list: Numbers<'_>| -> SmallVec<[u16; 32]> { list.plain().collect() };
        let (mut ciphers, extensions) = (plain(self.ciphers), self.kinds().filter(|kind| !is_grease(*kind)).collect::<SmallVec<[u16; 32]>>());
        let letter = match carrier {
            Carrier::Tls => "t",
            Carrier::Dtls => "d",
            Carrier::Quic => "q",
        };
        let named = if extensions.contains(&SERVER_NAME) { "d" } else { "i" };
        let mut kept: SmallVec<[u16; 32]> = extensions.iter().copied().filter(|kind| !matches!(*kind, SERVER_NAME | ALPN)).collect();
        ciphers.sort_unstable();
        kept.sort_unstable();
        let algorithms = plain(self.signature_algorithms);
        let (few_ciphers, few_extensions) = (two_digits(ciphers.len()), two_digits(extensions.len()));
        let (version, alpn) = (ja4_version(self.version()), ja4_alpn(alpn_names(self.alpn).next().unwrap_or_default()));
        let (few_ciphers, few_extensions) = (few_ciphers.as_str(), few_extensions.as_str());
        // Formatted piece by piece it would take longer than all the rest.
        [letter, version, named, few_ciphers, few_extensions, &alpn, "_", &digest(&ciphers, &[]), "_", &digest(&kept, &algorithms)].concat()
    }

    /// Says what it states under the protocol's name. It is from the side `from`.
    pub(super) fn tell(&self, protocol: &'static str, carrier: Carrier, from: Side, said: &mut Said<'_>) {
        said.say(Fact::Encrypted);
        // Old clients put the time into the first bytes (RFC 5246 section 7.4.1.2): the last ones are random in all.
        if let Some(mark) = self.random.last_chunk() {
            said.say(Fact::Hello(u64::from_be_bytes(*mark)));
        }
        if let Some(name) = self.server_name.and_then(host_name) {
            said.named(from.other(), name, NameSource::Sni);
        }
        if said.wants_details() {
            self.describe(protocol, carrier, said);
        }
        if let Some(inner) = common_inner(alpn_names(self.alpn)) {
            said.say(Fact::Inner(inner));
        }
    }

    fn describe(&self, protocol: &'static str, carrier: Carrier, said: &mut Said<'_>) {
        said.detail(protocol, "offered", version_name(self.version()));
        if alpn_names(self.alpn).next().is_some() {
            let names: Lines = alpn_names(self.alpn).take(limit::LIST_KEPT).map(printable).collect();
            said.detail(protocol, "alpn", names);
        }
        said.detail(protocol, "ja4", self.ja4(carrier));
        if self.offers_ech() {
            said.detail(protocol, "ech", true);
        }
    }
}

impl<'a> ServerHello<'a> {
    /// Reads the body of a ServerHello or HelloRetryRequest.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let mut at = Cursor::new(body);
        let version = at.be16()?;
        let random = at.take(32)?;
        let session = at.u8()?;
        at.take(usize::from(session))?;
        let mut hello = Self { version, retry: random == RETRY_RANDOM, cipher: at.be16()?, ..Self::default() };
        at.u8()?;
        let mut shape = mixed(u64::from(version), hello.cipher);
        if at.be16().is_some() {
            for (kind, body) in extensions(at.rest()) {
                shape = mixed(shape, kind);
                match kind {
                    SUPPORTED_VERSIONS => hello.version = Cursor::new(body).be16().unwrap_or(hello.version),
                    ALPN => hello.alpn = alpn_names(body).next(),
                    CONNECTION_ID => hello.connection_id = body.first().copied(),
                    _ => {}
                }
            }
        }
        hello.shape = shape;
        Some(hello)
    }

    /// Says what it states under the protocol's name.
    pub(super) fn tell(&self, protocol: &'static str, said: &mut Said<'_>) {
        said.detail(protocol, "version", version_name(self.version));
        if let Some(chosen) = self.alpn {
            said.detail(protocol, "alpn_chosen", printable(chosen));
            if let Some(inner) = inner_of(chosen) {
                said.say(Fact::Inner(inner));
            }
        }
    }
}

impl<'a> Numbers<'a> {
    fn iter(self) -> impl Iterator<Item = u16> {
        self.0.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))
    }

    /// Without those that mean nothing.
    fn plain(self) -> impl Iterator<Item = u16> {
        self.iter().filter(|value| !is_grease(*value))
    }

    /// Whether the number is among them.
    pub(super) fn contains(self, number: u16) -> bool {
        self.iter().any(|one| one == number)
    }
}

/// `1.2`, `1.3`, `SSL 3.0` ..., or the number.
pub(super) fn version_name(version: u16) -> Cow<'static, str> {
    match version {
        0x0002 => "SSL 2.0".into(),
        0x0300 => "SSL 3.0".into(),
        0x0301 => "1.0".into(),
        0x0302 => "1.1".into(),
        0x0303 => "1.2".into(),
        0x0304 => "1.3".into(),
        0xfeff => "1.0".into(),
        0xfefd => "1.2".into(),
        0xfefc => "1.3".into(),
        // Drafts of TLS 1.3, and Facebook's.
        0x7f00..=0x7fff | 0xfb17..=0xfb1a => "1.3".into(),
        other => format!("0x{other:04x}").into(),
    }
}

/// The name of an alert (RFC 8446 section 6, RFC 5246 section 7.2, RFC 9849).
pub(super) fn alert_name(code: u8) -> &'static str {
    match ALERTS.binary_search_by_key(&code, |(known, _)| *known) {
        Ok(place) => ALERTS[place].1,
        Err(_) => "unknown alert",
    }
}

/// Whether an answer with this code and text is an alert, as TLS states them, be it in clear or not: told by the text where TLS lies inside another protocol, which
/// has answers of its own.
pub fn is_alert(code: u32, text: &str) -> bool {
    match u8::try_from(code) {
        Ok(code) => code != super::tls::CLOSE_NOTIFY && text == alert_name(code),
        Err(_) => code == super::tls::HIDDEN_ALERT && text == super::tls::HIDDEN_ALERT_TEXT,
    }
}

/// The protocol that an ALPN name stands for (IANA "TLS Application-Layer Protocol Negotiation (ALPN) Protocol IDs"; AWS IoT for `x-amzn-`).
fn inner_of(alpn: &[u8]) -> Option<&'static str> {
    // Most offer these two.
    if matches!(alpn, b"h2" | b"http/1.1") {
        return Some("http");
    }
    // Drafts of HTTP/3, and HTTP/0.9 over QUIC as interoperability tests speak it.
    if alpn.starts_with(b"h3-") || alpn.starts_with(b"hq-") {
        return Some("http");
    }
    INNER.binary_search_by_key(&alpn, |(known, _)| known.as_bytes()).ok().map(|place| INNER[place].1)
}

/// The one protocol that all offered names stand for.
fn common_inner<'a>(mut offered: impl Iterator<Item = &'a [u8]>) -> Option<&'static str> {
    let first = inner_of(offered.next()?)?;
    offered.all(|name| inner_of(name) == Some(first)).then_some(first)
}

/// Kind and content of each extension; the last one's may be cut short.
fn extensions(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let ([first, second, high, low], after) = rest.split_first_chunk()?;
        let body;
        (body, rest) = after.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))).unwrap_or((after, &[]));
        Some((u16::from_be_bytes([*first, *second]), body))
    })
}

/// The first host_name of a server name list (RFC 6066 section 3).
fn host_of(body: &[u8]) -> Option<&[u8]> {
    let mut at = Cursor::new(body);
    at.be16()?;
    (at.u8()? == 0).then_some(())?;
    let len = at.be16()?;
    at.take(usize::from(len))
}

/// The names in a list that begins with its length (RFC 7301 section 3.1).
fn alpn_names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = Cursor::new(list);
    at.be16();
    std::iter::from_fn(move || at.u8().and_then(|len| at.take(usize::from(len))))
}

/// A number and what came before it, mixed (the finalizer of MurmurHash3, which leaves no two inputs alike).
#[inline]
const fn mixed(before: u64, value: u16) -> u64 {
    let mut mark = before.rotate_left(17) ^ (value as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mark = (mark ^ mark >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mark ^ mark >> 33
}

/// Mark of numbers of a kind, in whatever order.
#[inline]
fn marks<const KIND: u64>(numbers: impl Iterator<Item = u16>) -> u64 {
    numbers.fold(0, |sum: u64, number| if is_grease(number) { sum } else { sum.wrapping_add(mixed(KIND, number)) })
}

/// RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa.
#[inline]
const fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// DTLS counts versions down.
fn newness(version: u16) -> u16 {
    if version >= 0xfe00 { !version } else { version }
}

/// The first twelve hexadecimal digits of the SHA-256 of the first list, with the second behind it where that is not empty; zeros where there is nothing.
/// Clients of one make send the same lists again and again, so some of the last are kept.
fn digest(list: &[u16], behind: &[u16]) -> ArrayString<12> {
    thread_local! {
        static KEPT: RefCell<HashMap<Box<[u16]>, ArrayString<12>, RandomState>> = RefCell::default();
    }
    // 0x0a0a is GREASE, which no list has any more.
    let key: SmallVec<[u16; 64]> = list.iter().copied().chain([0x0a0a]).chain(behind.iter().copied()).collect();
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.get(key.as_slice()) {
            return *known;
        }
        let made = digest_anew(list, behind);
        if kept.len() >= limit::JA4_LISTS {
            kept.clear();
        }
        // A long one is nobody's habit, and would let strangers choose how much is kept.
        if !key.spilled() {
            kept.insert(key.as_slice().into(), made);
        }
        made
    })
}

fn digest_anew(list: &[u16], behind: &[u16]) -> ArrayString<12> {
    let hex = |values: &[u16]| values.iter().map(|value| in_hex(&value.to_be_bytes())).collect::<Vec<_>>().join(",");
    let text = if behind.is_empty() { hex(list) } else { format!("{}_{}", hex(list), hex(behind)) };
    let digits = if text.is_empty() { in_hex(&[0; 6]) } else { in_hex(&Sha256::digest(text.as_bytes())[..6]) };
    ArrayString::from(&digits).unwrap_or_default()
}

/// A number of things, as far as two digits can say it.
fn two_digits(many: usize) -> ArrayString<2> {
    let mut text = ArrayString::new();
    let many = many.min(99) as u8;
    // There is room for two.
    let _ = [many / 10, many % 10].into_iter().try_for_each(|digit| text.try_push(char::from(b'0' + digit)));
    text
}

fn ja4_version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of the first ALPN name, of its hexadecimal form where one of them is not alphanumeric.
fn ja4_alpn(name: &[u8]) -> String {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return "00".into() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)].iter().collect();
    }
    format!("{:x}{:x}", first >> 4, last & 0x0f)
}

const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
/// RFC 7685.
const PADDING: u16 = 21;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
/// RFC 9146.
const CONNECTION_ID: u16 = 54;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
const ENCRYPTED_SERVER_NAME: u16 = 0xffce;

/// The random of a HelloRetryRequest: SHA-256 of that word.
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e,
    0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const ALERTS: &[(u8, &str)] = &[
    (0, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (21, "decryption_failed"),
    (22, "record_overflow"),
    (30, "decompression_failure"),
    (40, "handshake_failure"),
    (41, "no_certificate"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (52, "too_many_cids_requested"),
    (60, "export_restriction"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (90, "user_canceled"),
    (100, "no_renegotiation"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (111, "certificate_unobtainable"),
    (112, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (114, "bad_certificate_hash_value"),
    (115, "unknown_psk_identity"),
    (116, "certificate_required"),
    (120, "no_application_protocol"),
    (121, "ech_required"),
];

/// Sorted by ALPN name.
const INNER: &[(&str, &str)] = &[
    ("amqp", "amqp"),
    ("coap", "coap"),
    ("doq", "dns"),
    ("dot", "dns"),
    ("ftp", "ftp"),
    ("h2", "http"),
    ("h3", "http"),
    ("http/1.0", "http"),
    ("http/1.1", "http"),
    ("imap", "imap"),
    ("irc", "irc"),
    ("mqtt", "mqtt"),
    ("pop3", "pop3"),
    ("postgresql", "postgresql"),
    ("smb", "smb"),
    ("stun.nat-discovery", "stun"),
    ("stun.turn", "stun"),
    ("tds/8.0", "tds"),
    ("x-amzn-http-ca", "http"),
    ("x-amzn-mqtt-ca", "mqtt"),
    ("xmpp-client", "xmpp"),
    ("xmpp-server", "xmpp"),
];

#[cfg(test)]
mod tests {
    use super::super::testing::hex;
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(ALERTS.is_sorted_by_key(|(code, _)| *code));
        assert!(INNER.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    /// The worked example of the JA4 description: its cipher and extension lists and the two hashes it prints for them.
    #[test]
    fn ja4_of_the_published_example() {
        let ciphers = "8a8a 1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035";
        let extensions = "1a1a 001b 0000 0033 0010 4469 0017 002d 000d 0005 0023 0012 002b ff01 000b 000a 0015";
        let extensions: Vec<u8> = hex(extensions).chunks(2).flat_map(|kind| [kind[0], kind[1], 0, 0]).collect();
        let (ciphers, algorithms) = (hex(ciphers), hex("0403 0804 0401 0503 0805 0501 0806 0601"));
        let hello = ClientHello {
            ciphers: Numbers(&ciphers),
            extensions: &extensions,
            alpn: b"\x00\x0c\x02h2\x08http/1.1",
            versions: Numbers(&[0x5a, 0x5a, 3, 4, 3, 3]),
            signature_algorithms: Numbers(&algorithms),
            ..ClientHello::default()
        };
        assert_eq!(hello.ja4(Carrier::Tls), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }
}
