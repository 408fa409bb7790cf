//! LDAP over TCP and, for domain controllers, over UDP (RFC 4511; MS-ADTS section 6.3.3).

use crate::identify::wire::{Length, Messages, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::{Side, Transport};

use super::ber;
use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by a message whose number and operation fit its length.
pub static LDAP: Known = Known {
    name: "ldap",
    over: Over::Either(Gate::Bytes(&[0x30..=0x30])),
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
    /// What the last bind asks for, and the last request of another kind, as clients mostly wait for the answer. A bind is answered by what answers nothing else (RFC 4511
    /// section 4.2.2), so neither a request that follows at once nor an answer that was not captured is taken for its own.
    binds: Asks,
    asks: Asks,
    /// A login was refused, and nothing was granted since.
    shut_out: bool,
    /// What nobody need log in for, or another login was not asked for: said where nothing more comes and no login was refused.
    granted: Option<Grant>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asks {
    /// To be let in by name.
    Login,
    /// What every server gives everybody: no name (RFC 4513 section 5.1.1), and what the server can do (RFC 4512 section 5.1).
    Open,
    #[default]
    Content,
}

/// What was granted before anybody logged in, or to somebody without a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grant {
    Open,
    Content,
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
                self.finish(said);
                return over;
            }
        }
        let done = self.streams[side].is_broken() || piece.missing > 0 || self.results >= limit::LDAP_RESULTS;
        if done {
            self.finish(said);
            return Appetite::Full;
        }
        Appetite::Hungry
    }

    fn finish(&self, said: &mut Said<'_>) {
        if self.granted.is_some() {
            said.say(Fact::answer(AnswerKind::Accepted, 0, name(0)));
        }
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
            *if tag == BIND { &mut self.binds } else { &mut self.asks } = asks(tag, body);
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
        let asks = match (tag, self.binds) {
            (BOUND, Asks::Open) => Asks::Open,
            (BOUND, _) => Asks::Login,
            _ => self.asks,
        };
        self.result(asks, code, &diagnostic, from, said);
        let client = self.secure.take().filter(|_| tag == 0x78 && code == 0)?;
        Some(Appetite::HandOver { client, server: end })
    }

    fn result(&mut self, asks: Asks, code: u32, diagnostic: &str, by: Side, said: &mut Said<'_>) {
        let kind = match code {
            // The login goes on (RFC 4511 section 4.2.1).
            14 => return,
            0 | 5 | 6 => AnswerKind::Accepted,
            10 => AnswerKind::Redirected,
            1 | 2 | 3 | 51..=54 | 80 => AnswerKind::Failed,
            _ => AnswerKind::Refused,
        };
        let refuses = matches!(kind, AnswerKind::Refused | AnswerKind::Failed);
        match asks {
            Asks::Login => self.shut_out = refuses,
            // What is open to all is also to whoever was refused.
            Asks::Open | Asks::Content if kind == AnswerKind::Accepted && !self.shut_out => {
                let grant = if asks == Asks::Open { Grant::Open } else { Grant::Content };
                self.granted = self.granted.max(Some(grant));
                return;
            }
            Asks::Open if !refuses => return,
            // An entry that is not there, a request that is too large: everyday, but where only a login, or another, would help.
            Asks::Open | Asks::Content if refuses && (self.granted == Some(Grant::Content) || self.is_everyday(code, kind)) => return,
            Asks::Open | Asks::Content => {}
        }
        self.granted = None;
        let text = if diagnostic.is_empty() { name(code).to_owned() } else { format!("{}: {diagnostic}", name(code)) };
        said.say(Fact::Answer { kind, code, text: text.into(), by });
    }
}

impl Directory {
    /// What says nothing of the service: refusals that another login would not help; and what failed where something else had been answered.
    fn is_everyday(&self, code: u32, kind: AnswerKind) -> bool {
        !FOR_OTHERS.contains(&code) && (kind == AnswerKind::Refused || self.granted.is_some())
    }
}

fn name(code: u32) -> &'static str {
    CODES.iter().find(|(known, _)| *known == code).map_or("other", |(_, name)| *name)
}

/// Version, name and password of a bind (RFC 4511 section 4.2); base and scope of a search (section 4.5.1).
fn asks(tag: u8, mut body: &[u8]) -> Asks {
    match tag {
        BIND => {
            let name = ber::next_int(&mut body).and_then(|_| ber::next_of(&mut body, ber::OCTETS));
            if name == Some(&[]) && matches!(body, [0x80, 0, ..]) { Asks::Open } else { Asks::Login }
        }
        SEARCH => {
            let base = ber::next_of(&mut body, ber::OCTETS);
            if base == Some(&[]) && body.starts_with(&[0x0a, 1, 0]) { Asks::Open } else { Asks::Content }
        }
        // StartTLS and who the client is (RFC 4532) are no content either.
        EXTENDED => Asks::Open,
        _ => Asks::Content,
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
const BOUND: u8 = 0x61;
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
/// What is refused to who has no name, and would be given to others: operationsError is how domain controllers say it.
const FOR_OTHERS: &[u32] = &[1, 8, 13, 48, 49, 50, 53];
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
    use crate::identify::protocol::testing::{decide, evidence, hex, read, read_torn, survives};
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
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 49, "invalidCredentials")));
        survives(&LDAP, Transport::TCP, 1389, &[(Client, &bind), (Server, &refused)]);
    }

    /// A search under "dc=a", and what says that there is nothing (32) or that it is not for this client (50).
    const SEARCH_REQUEST: &str = "301f 020102 631a 0404 64633d61 0a0102 0a0100 020100 020100 010100 8700 3000";
    const NOT_FOUND: &str = "300c 020102 6507 0a0120 0400 0400";
    const NOT_FOR_IT: &str = "300c 020102 6507 0a0132 0400 0400";

    // ldapsearch with the bind and the search in one segment, as some libraries send them
    #[test]
    fn a_login_that_is_refused_is_told_where_the_client_did_not_wait_for_the_answer() {
        let (asked, answered) = ([hex(BIND_REQUEST), hex(SEARCH_REQUEST)].concat(), [hex(BIND_REFUSED), hex(NOT_FOUND)].concat());
        let kinds = |answered: &[u8]| {
            let facts = read(&LDAP, Transport::TCP, 1389, &[(Client, &asked), (Server, answered)]).facts;
            facts.iter().filter_map(|fact| if let Fact::Answer { kind, code, .. } = fact { Some((*kind, *code)) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&answered)[0], (AnswerKind::Refused, 49));
        let mut let_in = answered.clone();
        let_in[9] = 0;
        assert_eq!(kinds(&let_in), [(AnswerKind::Accepted, 0)]);
        assert_eq!(kinds(&[hex(BIND_REFUSED), hex(NOT_FOR_IT)].concat()), [(AnswerKind::Refused, 49), (AnswerKind::Refused, 50)]);
    }

    #[test]
    fn what_answers_a_search_whose_request_was_not_captured_is_no_answer_to_the_login() {
        let torn = read_torn(&LDAP, Transport::TCP, 1389, &[(Client, 0, &hex(BIND_REQUEST)), (Server, 14, &hex(NOT_FOUND))]);
        assert!(!torn.facts.iter().any(|fact| matches!(fact, Fact::Answer { .. })), "{:?}", torn.facts);
    }

    /// The code of each answer that is told of a dialogue of requests and the code that each is answered with.
    fn told(dialogue: &[(&str, u8)]) -> Vec<u32> {
        let whole = |tag: u8, content: Vec<u8>| [&[tag, content.len() as u8][..], &content].concat();
        let numbered = |number: u8, operation: Vec<u8>| whole(0x30, [vec![2, 1, number], operation].concat());
        let pieces: Vec<(Side, Vec<u8>)> = (1..)
            .zip(dialogue)
            .flat_map(|(number, (ask, code))| {
                let ask = hex(ask);
                let answer = if ask[0] == SEARCH { 0x65 } else { (ask[0] + 1) | 0x20 };
                [(Client, numbered(number, ask)), (Server, numbered(number, whole(answer, vec![0x0a, 1, *code, 4, 0, 4, 0])))]
            })
            .collect();
        let pieces: Vec<(Side, &[u8])> = pieces.iter().map(|(side, bytes)| (*side, &bytes[..])).collect();
        survives(&LDAP, Transport::TCP, 389, &pieces);
        let facts = read(&LDAP, Transport::TCP, 389, &pieces).facts;
        facts.iter().filter_map(|fact| if let Fact::Answer { code, .. } = fact { Some(*code) } else { None }).collect()
    }

    const NO_NAME: &str = "6007 020103 0400 8000";
    const BY_NAME: &str = "600d 020103 0404 636e3d61 8002 7878";
    /// GSS-SPNEGO without a name, as clients of domain controllers do.
    const BY_SASL: &str = "6013 020103 0400 a30c 040a 4753532d53504e45474f";
    /// What the server can do; what is below "dc=a"; "cn=a" is to be deleted.
    const ABILITIES: &str = "6319 0400 0a0100 0a0100 020100 020100 010100 8701 61 3000";
    const BELOW: &str = "631d 0404 64633d61 0a0102 0a0100 020100 020100 010100 8701 61 3000";
    const DELETE: &str = "4a04 636e3d61";

    // Windows and JNDI read what a server can do before they log in, and a login by SASL takes several steps.
    #[test]
    fn a_refused_login_is_not_outweighed_by_what_everybody_may_ask() {
        assert_eq!(told(&[(ABILITIES, 0), (BY_SASL, 14), (BY_SASL, 49)]), [49]);
        assert_eq!(told(&[(NO_NAME, 0), (BELOW, 0), (BY_NAME, 49)]), [49]);
        assert_eq!(told(&[(BY_NAME, 49), (NO_NAME, 0), (ABILITIES, 0)]), [49]);
        assert_eq!(told(&[(BY_NAME, 49), (BELOW, 0)]), [49, 0], "who goes on without a name is served");
        assert_eq!(told(&[(BY_NAME, 49), (BY_NAME, 0), (BELOW, 32)])[1], 0);
        assert_eq!(told(&[(BY_SASL, 14), (BY_SASL, 0)]), [0]);
        // Who asks for others' passwords logs in by its own name first.
        assert_eq!(told(&[(BY_NAME, 0), (BELOW, 0), (BY_NAME, 49)])[0], 0);
    }

    // slapd: "modifications require authentication"; a domain controller: "a successful bind must be completed"
    #[test]
    fn what_needs_a_login_is_refused_to_who_has_no_name_and_an_entry_that_is_not_there_is_everyday() {
        assert_eq!(told(&[(NO_NAME, 0), (DELETE, 8)]), [8]);
        assert_eq!(told(&[(NO_NAME, 0), (ABILITIES, 0), (BELOW, 1)]), [1]);
        assert_eq!(told(&[(NO_NAME, 0), (BELOW, 32)]), [0]);
        assert_eq!(told(&[(NO_NAME, 0), (BELOW, 0), (BELOW, 50)]), [0]);
        assert_eq!(told(&[(BELOW, 0)]), [0]);
        // Of a session that was joined late nothing is known but this.
        assert!(told(&[(BELOW, 32)]).is_empty());
        assert_eq!(told(&[(BELOW, 52)]), [52]);
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
