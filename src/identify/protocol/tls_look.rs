//! What the first bytes of a side of TLS look like, or of what answers it.

use crate::identify::AnswerKind;
use crate::identify::wire::{Cursor, printable};
use crate::limit;

use super::tls::{APPLICATION_DATA, CHANGE_CIPHER_SPEC, CLIENT_HELLO, CLIENT_HELLO_RULE, HANDSHAKE, NO_TLS, SERVER_HELLO, SERVER_HELLO_KIND, SSL2_HELLO};
use super::{Fact, Said};

/// What the first bytes of a side look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    No,
    Short,
    Hello(&'static str),
    /// A record, but no hello.
    Records,
}

impl Look {
    pub(super) fn hello(self) -> Option<&'static str> {
        if let Self::Hello(rule) = self { Some(rule) } else { None }
    }
}

pub(super) fn look(bytes: &[u8]) -> Look {
    let Some([kind, major, minor, high, low]) = bytes.first_chunk().copied() else {
        return if short_record(bytes) || matches!(bytes, [0x80, ..]) { Look::Short } else { Look::No };
    };
    if kind & 0x80 != 0 {
        return ssl2_hello(bytes);
    }
    let len = u16::from_be_bytes([high, low]);
    if !is_record(kind, major, minor, len) {
        return Look::No;
    }
    if kind != HANDSHAKE {
        return Look::Records;
    }
    let Some([what, a, b, c, version_major, version_minor]) = bytes.get(5..).and_then(|rest| rest.first_chunk()).copied() else { return Look::Short };
    let message = u32::from_be_bytes([0, a, b, c]);
    let fits = version_major == 3 && version_minor <= 4 && (38..=limit::HANDSHAKE_CLAIMED).contains(&message);
    match what {
        CLIENT_HELLO if fits => Look::Hello(CLIENT_HELLO_RULE),
        SERVER_HELLO_KIND if fits => Look::Hello(SERVER_HELLO),
        _ => Look::Records,
    }
}

fn short_record(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [] | [CHANGE_CIPHER_SPEC..=APPLICATION_DATA] | [CHANGE_CIPHER_SPEC..=APPLICATION_DATA, 3] | [CHANGE_CIPHER_SPEC..=APPLICATION_DATA, 3, 0..=4, ..]
    )
}

/// RFC 8446 section 5.1: at most 2^14 bytes, and 2048 more once encrypted (RFC 5246 section 6.2.3).
pub(super) fn is_record(kind: u8, major: u8, minor: u8, len: u16) -> bool {
    (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) && major == 3 && minor <= 4 && (1..=16_384 + 2048).contains(&len)
}

/// RFC 6101 appendix E.1: length, message type 1, version, and three lengths that add up.
fn ssl2_hello(bytes: &[u8]) -> Look {
    let Some([high, low, kind, major, minor]) = bytes.first_chunk().copied() else { return Look::Short };
    let version = u16::from_be_bytes([major, minor]);
    if kind != 1 || !(version == 2 || (0x0300..=0x0303).contains(&version)) {
        return Look::No;
    }
    let mut at = Cursor::new(bytes.get(5..).unwrap_or_default());
    let (Some(ciphers), Some(session), Some(challenge)) = (at.be16(), at.be16(), at.be16()) else { return Look::Short };
    let sum = 9 + u32::from(ciphers) + u32::from(session) + u32::from(challenge);
    let len = u32::from(high & 0x7f) << 8 | u32::from(low);
    let agrees = sum == len && ciphers > 0 && ciphers.is_multiple_of(3) && matches!(session, 0 | 16) && (16..=32).contains(&challenge);
    if agrees { Look::Hello(SSL2_HELLO) } else { Look::No }
}

/// What answers a hello begins with a record (RFC 8446 section 5.1) or, of old servers, an SSLv2 hello. Anything else is another protocol, as of a service that
/// speaks in clear at this port: it is told by its first line.
pub(super) fn tell_if_no_tls(bytes: &[u8], said: &mut Said<'_>) {
    let is_ssl2 = matches!(bytes, [0x80..=0xff] | [0x80..=0xff, _] | [0x80..=0xff, _, 4, ..]);
    let is_tls = is_ssl2 || matches!(bytes, [] | [CHANGE_CIPHER_SPEC..=APPLICATION_DATA] | [CHANGE_CIPHER_SPEC..=APPLICATION_DATA, 3, ..]);
    if !is_tls {
        let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let text = printable(line.get(..limit::FOREIGN_LINE).unwrap_or(line));
        said.say(Fact::answer(AnswerKind::Refused, NO_TLS, text));
    }
}
