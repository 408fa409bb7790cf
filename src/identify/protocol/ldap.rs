//! LDAP over TCP and, for domain controllers, over UDP (RFC 4511; MS-ADTS section 6.3.3).

use crate::identify::wire::{Length, Messages, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::{Side, Transport};

use super::ber;
use super::{Appetite, Gate, Known, Look, Opening, Piece, Reader, Said, Strength};

/// Told by a message whose number and operation fit its length.
pub static LDAP: Known = Known {
    name: "ldap",
    carriers: &[Transport::TCP, Transport::UDP],
    gate: Gate::Bytes(&[0x30..=0x30]),
    ask: |opening, bytes| look(opening, bytes, REQUESTS, "LDAP request"),
    answer: Some(|opening, bytes| look(opening, bytes, RESPONSES, "LDAP response")),
    strength: Strength::Structure,
    reader: || Box::new(Directory::default()),
};

fn look(opening: &Opening<'_>, bytes: &[u8], operations: &[u8], rule: &'static str) -> Look {
    let short = if opening.transport == Transport::TCP { Look::Short } else { Look::No };
    let len = match ber::length(bytes, ber::SEQUENCE) {
        Length::Is(len) if opening.transport == Transport::TCP || len == bytes.len() as u64 => len,
        Length::Unknown => return short,
        _ => return Look::No,
    };
    let Some((head, _)) = ber::header(bytes) else { return short };
    let mut rest = bytes.get(head..).unwrap_or_default();
    // Number (at most 2^31 - 1), then the operation, whose own length must fit into the message.
    let number = match rest {
        [] | [2] => return short,
        [2, 1..=4, ..] if rest.len() < 9 && (bytes.len() as u64) < len => return short,
        [2, 1..=4, ..] => ber::next_int(&mut rest),
        _ => return Look::No,
    };
    let (Some(number), Some(tag), Some((inner, inner_len))) = (number, rest.first(), ber::header(rest)) else { return Look::No };
    let used = (bytes.len() - rest.len()) as u64 + inner as u64 + inner_len;
    let fits = number >= 0
        && operations.contains(tag)
        && used <= len
        && len - used <= CONTROLS
        && (used == len || rest.get(inner + inner_len as usize).is_none_or(|tag| *tag == 0xa0));
    if *tag == BIND && fits {
        // Version 2 or 3 comes first in a bind, which no other protocol shares.
        return Look::when(matches!(rest.get(inner..), Some([2, 1, 2 | 3, ..])), 9, "LDAP bind request");
    }
    let proof = matches!(*tag, SEARCH | EXTENDED);
    let seen = Look::when(fits, 9, rule);
    if proof { seen } else { seen.weak_unless_at(opening, PORTS) }
}

/// Reads requests and results until a bind or search was answered.
#[derive(Debug, Default)]
struct Directory {
    streams: [Messages; 2],
    told: bool,
    /// Offset behind a StartTLS request.
    secure: Option<u64>,
    results: u32,
}

impl Reader for Directory {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.transport == Transport::UDP {
            self.message(piece.bytes, 0, piece.from, said);
            return Appetite::Hungry;
        }
        let side = piece.from as usize;
        let mut rest = piece.bytes;
        while let Some(whole) = self.streams[side].next(&mut rest, |bytes| ber::length(bytes, ber::SEQUENCE)) {
            let end = piece.offset + (piece.bytes.len() - rest.len()) as u64;
            if let Some(over) = self.message(&whole, end, piece.from, said) {
                return over;
            }
        }
        let done = self.streams[side].is_broken() || piece.missing > 0 || self.results >= limit::LDAP_RESULTS;
        if done { Appetite::Full } else { Appetite::Hungry }
    }
}

impl Directory {
    fn message(&mut self, bytes: &[u8], end: u64, from: Side, said: &mut Said<'_>) -> Option<Appetite> {
        // A long message is there in part only; its number and operation stand in front.
        let (head, _) = ber::header(bytes)?;
        let mut rest = bytes.get(head..)?;
        ber::next_int(&mut rest)?;
        let tag = *rest.first()?;
        let (inner, _) = ber::header(rest)?;
        let mut body = rest.get(inner..)?;
        if REQUESTS.contains(&tag) {
            if !std::mem::replace(&mut self.told, true) {
                said.say(Fact::request(operation(tag), &target(tag, body).unwrap_or_default()));
            }
            if tag == EXTENDED && ber::next_of(&mut body, 0x80) == Some(START_TLS) {
                self.secure = Some(end);
            }
            return None;
        }
        if self.told {
            said.believe(Evidence::Dialogue);
        }
        if !matches!(tag, 0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78) {
            return None;
        }
        self.results += 1;
        let code = u32::try_from(ber::next_int(&mut body)?).ok()?;
        ber::next_of(&mut body, ber::OCTETS)?;
        let diagnostic = printable(ber::next_of(&mut body, ber::OCTETS).unwrap_or_default());
        self.result(code, &diagnostic, from, said);
        let client = self.secure.take().filter(|_| tag == 0x78 && code == 0)?;
        Some(Appetite::HandOver { client, server: end })
    }

    fn result(&self, code: u32, diagnostic: &str, by: Side, said: &mut Said<'_>) {
        let name = CODES.iter().find(|(known, _)| *known == code).map_or("other", |(_, name)| *name);
        let kind = match code {
            0 | 5 | 6 | 14 => AnswerKind::Accepted,
            10 => AnswerKind::Redirected,
            1 | 2 | 3 | 51..=54 | 80 => AnswerKind::Failed,
            _ => AnswerKind::Refused,
        };
        let text = if diagnostic.is_empty() { name.to_owned() } else { format!("{name}: {diagnostic}") };
        said.say(Fact::Answer { kind, code, text: text.into(), by });
    }
}

/// Base of a search, name of a bind, identifier of an extended request.
fn target(tag: u8, mut body: &[u8]) -> Option<Box<str>> {
    match tag {
        BIND => {
            ber::next_int(&mut body)?;
            ber::next_of(&mut body, ber::OCTETS).map(printable)
        }
        EXTENDED => ber::next_of(&mut body, 0x80).map(printable),
        _ => ber::next_of(&mut body, ber::OCTETS).map(printable),
    }
}

fn operation(tag: u8) -> &'static str {
    match tag {
        BIND => "bind",
        SEARCH => "search",
        0x66 => "modify",
        0x68 => "add",
        0x4a => "delete",
        0x6c => "modifydn",
        0x6e => "compare",
        EXTENDED => "extended",
        _ => "unbind",
    }
}

const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const EXTENDED: u8 = 0x77;
/// RFC 4511 section 4.2 to 4.12: bind, unbind, search, modify, add, delete, modify DN, compare, abandon, extended.
const REQUESTS: &[u8] = &[BIND, 0x42, SEARCH, 0x66, 0x68, 0x4a, 0x6c, 0x6e, 0x50, EXTENDED];
const RESPONSES: &[u8] = &[0x61, 0x64, 0x65, 0x67, 0x69, 0x6b, 0x6d, 0x6f, 0x73, 0x78, 0x79];
/// Registered, global catalogue, and Open Cobalt's.
const PORTS: &[u16] = &[389, 1389, 3268];
/// Controls may follow the operation; they are short.
const CONTROLS: u64 = 4096;
/// 1.3.6.1.4.1.1466.20037, RFC 4511 section 4.14.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// RFC 4511 appendix A.
const CODES: &[(u32, &str)] = &[
    (0, "success"),
    (1, "operationsError"),
    (2, "protocolError"),
    (3, "timeLimitExceeded"),
    (4, "sizeLimitExceeded"),
    (7, "authMethodNotSupported"),
    (8, "strongerAuthRequired"),
    (10, "referral"),
    (13, "confidentialityRequired"),
    (14, "saslBindInProgress"),
    (32, "noSuchObject"),
    (34, "invalidDNSyntax"),
    (48, "inappropriateAuthentication"),
    (49, "invalidCredentials"),
    (50, "insufficientAccessRights"),
    (51, "busy"),
    (52, "unavailable"),
    (53, "unwillingToPerform"),
    (80, "other"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    /// Simple bind as "cn=a" with a wrong password, and the answer invalidCredentials (49).
    const BIND_REQUEST: &str = "3012 020101 600d 020103 0404 636e3d61 8002 7878";
    const BIND_REFUSED: &str = "300c 020101 6107 0a0131 0400 0400";

    #[test]
    fn a_bind_may_be_refused() {
        let (bind, refused) = (hex(BIND_REQUEST), hex(BIND_REFUSED));
        assert_eq!(evidence(decide(&LDAP, Transport::TCP, 1389, &bind, &refused)), Evidence::BothOpenings);
        let heard = read(&LDAP, Transport::TCP, 1389, &[(Client, &bind), (Server, &refused)]);
        assert!(heard.facts.contains(&Fact::request("bind", "cn=a")));
        assert!(heard.facts.contains(&Fact::Answer { kind: AnswerKind::Refused, code: 49, text: "invalidCredentials".into(), by: Server }));
        survives(&LDAP, Transport::TCP, 1389, &[(Client, &bind), (Server, &refused)]);
    }

    #[test]
    fn a_domain_controller_is_asked_by_datagram() {
        // Root search for the attribute "netlogon" (MS-ADTS section 6.3.3), and searchResDone without entries.
        let ask = hex("3024 020101 631f 0400 0a0100 0a0100 020100 020100 010100 8700 300a 0408 6e65746c6f676f6e");
        let done = hex("300c 020101 6507 0a0100 0400 0400");
        let dialogue: &[(Side, &[u8])] = &[(Client, &ask), (Server, &done)];
        assert_eq!(evidence(decide(&LDAP, Transport::UDP, 389, &ask, &done)), Evidence::BothOpenings);
        let heard = read(&LDAP, Transport::UDP, 389, dialogue);
        assert_eq!(heard.evidence, Evidence::Dialogue);
        assert!(heard.facts.contains(&Fact::request("search", "")), "{:?}", heard.facts);
        survives(&LDAP, Transport::UDP, 389, dialogue);
    }

    #[test]
    fn lengths_in_four_bytes_are_read_and_start_tls_hands_over() {
        let start = hex("30840000001d 020101 7718 8016 312e332e362e312e342e312e313436362e3230303337");
        let yes = hex("300c 020101 7807 0a0100 0400 0400");
        let heard = read(&LDAP, Transport::TCP, 389, &[(Client, &start), (Server, &yes)]);
        assert_eq!(heard.appetite, Appetite::HandOver { client: 35, server: 14 });
    }

    #[test]
    fn snmp_is_no_ldap() {
        let get = hex("3026 020101 0406 7075626c6963 a019 020101 020100 020100 300e 300c 0608 2b06010201010100 0500");
        assert_eq!(evidence(decide(&LDAP, Transport::UDP, 389, &get, &[])), Evidence::None);
    }
}
