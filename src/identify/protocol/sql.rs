//! Databases that speak SQL: TDS with the SQL Server Browser, PostgreSQL, MySQL, Oracle TNS.

use std::time::Duration;

use crate::identify::wire::{Cursor, Held, Length, hold, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::{Endpoint, Side, Transport};
use crate::signature::PromiseKind;

use super::exchange::Exchange;
use super::hello::{Carrier, ClientHello};
use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by a packet header whose length and option list fit (MS-TDS 2.2.3.1, 2.2.6.5).
pub static TDS: Known = Known {
    name: "tds",
    over: Over::Streams,
    ask: |opening, bytes| match bytes {
        [0x12, 1, _, _, 0, 0, 0 | 1, 0, rest @ ..] => tds_options(bytes, rest, "TDS prelogin"),
        // TDS 4.2 and 7.0 clients log in at once.
        [0x10, 1, a, b, 0, 0, 0 | 1, 0, rest @ ..] => Look::when(tds_login(u16::from_be_bytes([*a, *b]), rest), 12, "TDS login"),
        // In the middle: a batch or a call with the headers of TDS 7.2 and later, the transaction descriptor among them (MS-TDS 2.2.5.3).
        [1 | 3 | 14, _, a, b, 0, 0, _, 0, 22, 0, 0, 0, 18, 0, 0, 0, 2, 0, ..] => {
            Look::when(u16::from_be_bytes([*a, *b]) >= 30, 18, "TDS request with transaction header")
        }
        [1 | 3 | 14, 0 | 1 | 8 | 9, a, b, 0, 0, _, 0, ..] if usize::from(u16::from_be_bytes([*a, *b])) == bytes.len() && opening.is_at(&[1433]) => {
            Look::Yes(0, 8, "TDS request")
        }
        [1 | 3 | 14, rest @ ..] if bytes.len() < 18 && rest.iter().skip(3).take(2).all(|byte| *byte == 0) => Look::Short,
        [0x10 | 0x12] | [0x10 | 0x12, 1] | [0x10 | 0x12, 1, _] => Look::Short,
        [0x10 | 0x12, 1, _, _, tail @ ..] if bytes.len() < 9 && tail.iter().take(2).all(|byte| *byte == 0) => Look::Short,
        _ => Look::No,
    },
    answer: Some(|_, bytes| match bytes {
        [4, 1, a, b, _, _, _, _, ..] => Look::when(u16::from_be_bytes([*a, *b]) >= 9, 8, "TDS response").weak(),
        [4] | [4, 1, ..] => Look::Short,
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Exchange::of(tds_length, tds_message),
};

/// Told by a request to port 1434, or by an answer with its length and `ServerName` (MC-SQLR 2.2).
pub static SSRP: Known = Known {
    name: "ssrp",
    over: Over::Datagrams(Gate::BytesAnd(&[2..=5, 0x0f..=0x0f], |bytes| matches!(bytes, [2 | 3] | [4, .., 0] | [0x0f, 1, .., 0] | [5, _, _, b'S', ..]))),
    ask: |opening, bytes| {
        let fits = match bytes {
            [2 | 3] => true,
            [4, name @ .., 0] | [0x0f, 1, name @ .., 0] => (1..=32).contains(&name.len()) && !name.contains(&0),
            _ => false,
        };
        Look::when(fits, 1, "SQL Server Browser request").weak_unless_at(opening, &[1434])
    },
    answer: Some(|_, bytes| match bytes {
        [5, a, b, rest @ ..] => {
            Look::when(rest.starts_with(b"ServerName;") && usize::from(u16::from_le_bytes([*a, *b])) == rest.len(), 14, "SQL Server Browser answer")
        }
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Box::new(Browser),
};

/// Told by a start-up or SSL request, or by what a server says first (PostgreSQL documentation, "Message Formats").
pub static POSTGRESQL: Known = Known {
    name: "postgresql",
    over: Over::Streams,
    ask: postgres_start,
    answer: Some(|_, bytes| match bytes {
        [b'S' | b'N' | b'G'] => Look::Weak(0, 1, "PostgreSQL answer to an encryption request"),
        [b'R', 0, 0, 0, len, ..] if *len >= 8 => Look::Weak(0, 5, "PostgreSQL authentication request"),
        [b'E', 0, 0, _, _, b'S' | b'M' | b'F', ..] => Look::Weak(0, 5, "PostgreSQL error"),
        [b'E', b'F' | b'E', ..] => Look::Weak(0, 2, "PostgreSQL error"),
        // Encryption begins in the same segment, or the connection went on in clear.
        [b'S', 0x16, ..] | [b'N', b'R' | b'E', ..] => Look::Weak(0, 2, "PostgreSQL answer to an encryption request"),
        [b'R' | b'E', 0, ..] | [b'R' | b'E'] if bytes.len() < 6 => Look::Short,
        _ => Look::No,
    }),
    strength: Strength::Magic,
    reader: || Box::new(Postgres::default()),
};

/// Told by the greeting or the refusal that the server sends first (MySQL internals, "Protocol::HandshakeV10", "ERR_Packet").
pub static MYSQL: Known = Known {
    name: "mysql",
    over: Over::Streams,
    ask: |_, bytes| match bytes {
        [a, b, 0, 1, ..] => Look::when((32..4096).contains(&u16::from_le_bytes([*a, *b])), 4, "MySQL login").weak(),
        _ if bytes.len() < 4 => Look::Before(4),
        _ => Look::No,
    },
    answer: Some(mysql_greeting),
    strength: Strength::Structure,
    reader: || Exchange::of(mysql_length, mysql_message),
};

/// Told by a connect packet with its header and description (Wireshark, "TNS"; protocols.md section 1.5).
pub static ORACLE_TNS: Known = Known {
    name: "oracle_tns",
    over: Over::Streams,
    ask: |_, bytes| match bytes {
        [_, _, 0, 0, 1, _, _, _, rest @ ..] => {
            let connect = memchr::memmem::find(bytes, b"(DESCRIPTION=").is_some() || memchr::memmem::find(bytes, b"(CONNECT_").is_some();
            if connect {
                Look::Yes(0, 8, "TNS connect with description")
            } else if rest.len() < 500 {
                Look::Short
            } else {
                Look::No
            }
        }
        // A header, and the least of what is looked for.
        [_, _, 0, 0] | [_, _, 0] | [_, _] | [_] | [_, _, 0, 0, 1, ..] => Look::Before(14),
        _ => Look::No,
    },
    answer: Some(|_, bytes| match bytes {
        [_, _, 0, 0, 2 | 4 | 5 | 11, 0, ..] => Look::Weak(0, 6, "TNS answer"),
        _ if bytes.len() < 6 => Look::Before(6),
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Exchange::of(tns_length, tns_message),
};

/// Prelogin options: token, offset, length, ended by 0xff; every value lies inside the packet.
fn tds_options(bytes: &[u8], body: &[u8], rule: &'static str) -> Look {
    let len = usize::from(u16::from_be_bytes([bytes.get(2).copied().unwrap_or(0), bytes.get(3).copied().unwrap_or(0)]));
    let mut at = Cursor::new(body);
    if body.is_empty() {
        return Look::Short;
    }
    for turn in 0..10 {
        match at.u8() {
            Some(0xff) => return Look::when(turn > 0, 8, rule),
            Some(0..=9) => {
                let (Some(offset), Some(size)) = (at.be16(), at.be16()) else { return Look::Short };
                if usize::from(offset) + usize::from(size) + 8 > len {
                    return Look::No;
                }
            }
            None if bytes.len() < len => return Look::Short,
            _ => return Look::No,
        }
    }
    Look::No
}

/// A login of TDS 7 begins with its own length and version; of TDS 4 and 5 it has a fixed length (MS-TDS 2.2.6.4).
fn tds_login(len: u16, body: &[u8]) -> bool {
    let mut at = Cursor::new(body);
    let (own, version) = (at.le32().unwrap_or(0), at.be32().unwrap_or(0));
    own == u32::from(len).wrapping_sub(8) && matches!(version.to_be_bytes(), [_, _, 0, 0x70..=0x74] | [_, 0, _, 0x70..=0x74])
}

fn tds_length(_: Side, bytes: &[u8]) -> Length {
    match bytes {
        [0x16, ..] => Length::Wrong,
        [_, _, a, b, ..] => match u16::from_be_bytes([*a, *b]) {
            len @ 8.. => Length::Is(u64::from(len)),
            _ => Length::Wrong,
        },
        _ => Length::Unknown,
    }
}

/// Reads the answer to prelogin and login: token 0xaa is an error, 0xad a login acknowledged (MS-TDS 2.2.7).
fn tds_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    // The handshake of TLS comes inside prelogin packets, before encryption leaves them (MS-TDS 3.2.5.2).
    if let [0x12, _, _, _, _, _, _, _, 0x16, 3, _, _, _, inside @ ..] = bytes {
        said.say(Fact::Inner("tls"));
        said.say(Fact::Encrypted);
        if let Some(hello) = inside.strip_prefix(&[1]).and_then(|rest| ClientHello::read(rest.get(3..)?, Carrier::Tls)) {
            hello.tell("tls", Carrier::Tls, Side::Client, said);
        }
    }
    if piece.from == Side::Client {
        return Appetite::Hungry;
    }
    said.believe(Evidence::BothOpenings);
    let Some(body) = bytes.get(8..) else { return Appetite::Hungry };
    let mut at = Cursor::new(body);
    match at.u8() {
        Some(0xaa) => {
            let (_, number, _) = (at.le16(), at.le32(), at.le16());
            let text: Vec<u8> =
                at.le16().and_then(|len| at.take(usize::from(len) * 2)).unwrap_or_default().chunks_exact(2).filter_map(|pair| pair.first().copied()).collect();
            said.believe(Evidence::Dialogue);
            said.say(Fact::answer(AnswerKind::Refused, number.unwrap_or(0), printable(&text)));
            Appetite::Full
        }
        Some(0xad | 0xe3 | 0xab) => {
            said.believe(Evidence::Dialogue);
            said.say(Fact::answer(AnswerKind::Accepted, 0, "login"));
            Appetite::Full
        }
        _ => Appetite::Hungry,
    }
}

/// Reads where instances listen.
#[derive(Debug)]
struct Browser;

impl Reader for Browser {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let Some(text) = piece.bytes.strip_prefix(&[5]).and_then(|rest| rest.get(2..)) else { return Appetite::Hungry };
        said.believe(Evidence::Dialogue);
        let text = String::from_utf8_lossy(text);
        // Instances are parted by ";;", words by ";" (MC-SQLR 2.2.5).
        for instance in text.split(";;").filter(|part| !part.is_empty()).take(limit::SSRP_INSTANCES) {
            let words: Vec<&str> = instance.split(';').collect();
            let value = |key: &str| words.iter().position(|word| word.eq_ignore_ascii_case(key)).and_then(|at| words.get(at + 1)).copied();
            if let Some(name) = value("InstanceName") {
                said.detail("ssrp", "instance", printable(name.as_bytes()));
            }
            if let Some(port) = value("tcp").and_then(|port| port.parse().ok()) {
                let ip = piece.sender().ip;
                said.promise(&piece, PromiseKind::SqlBrowser, Transport::TCP, Endpoint { ip, port }, None, INSTANCE_LASTS);
            }
        }
        Appetite::Hungry
    }
}

fn postgres_start(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    match (at.be32(), at.be32()) {
        (Some(8), Some(80_877_103 | 80_877_104)) => Look::Yes(0, 8, "PostgreSQL encryption request"),
        (Some(16), Some(80_877_102)) => Look::Yes(0, 8, "PostgreSQL cancel request"),
        (Some(len @ 9..=10_000), Some(0x0003_0000..=0x0003_0002)) => match at.take(5) {
            // The first parameter's name; which of them is the user is seen where the message is whole.
            Some(name) => {
                let named = name.iter().take_while(|byte| **byte != 0).all(|byte| byte.is_ascii_lowercase() || *byte == b'_') && name.first() != Some(&0);
                let cut = bytes.len() < len as usize;
                Look::when(named && (cut || memchr::memmem::find(bytes, b"user\0").is_some()), 8, "PostgreSQL start-up")
            }
            None => Look::Short,
        },
        (Some(8..=10_000), None) | (None, _) => Look::Short,
        _ => Look::No,
    }
}

/// Reads the answer to an encryption request, and how the login went.
#[derive(Debug, Default)]
struct Postgres {
    client: u64,
    from_server: Held,
    /// The password was right; a database that is not there, or the last free connection, is told after that.
    authenticated: bool,
}

impl Reader for Postgres {
    fn held(&self) -> usize {
        self.from_server.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            if piece.offset == 0 && piece.bytes.get(4..8).is_some_and(|code| matches!(code, [4, 0xd2, 0x16, 0x2f | 0x30])) {
                self.client = 8;
            }
            // A cancel request is answered by the end of the connection ("Canceling Requests in Progress").
            if piece.offset == 0 && piece.bytes.get(4..8) == Some(&[4, 0xd2, 0x16, 0x2e]) {
                said.say(Fact::OneWay);
                return Appetite::Full;
            }
            return Appetite::Hungry;
        }
        let room = hold(&mut self.from_server, piece.bytes, limit::POSTGRES_KEPT);
        let held = self.from_server.as_slice();
        let held = match held {
            [b'S' | b'G', ..] if self.client > 0 => {
                said.believe(Evidence::Dialogue);
                return Appetite::HandOver { client: self.client, server: 1 };
            }
            [b'N', rest @ ..] if self.client > 0 => rest,
            _ => held,
        };
        let (over, authenticated) = login(held, room == 0, said);
        self.authenticated = authenticated;
        over
    }

    fn finish(&self, said: &mut Said<'_>) {
        if self.authenticated {
            let_in(said);
        }
    }
}

/// Reads the server's messages until it is ready for a query or says why it never will be ("Start-up"): authentication request 0 is success; an error's
/// fields are letter and text, `C` the code and `M` the message. Whether the login went well and nothing more was said, too.
fn login(held: &[u8], full: bool, said: &mut Said<'_>) -> (Appetite, bool) {
    let mut at = Cursor::new(held);
    let mut authenticated = false;
    while let (Some(kind), Some(len)) = (at.u8(), at.be32()) {
        let Some(body) = (len as usize).checked_sub(4).and_then(|len| at.take(len)) else { break };
        match kind {
            b'E' => {
                let field = |letter: u8| body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(&[letter]));
                let text = format!("{} {}", printable(field(b'C').unwrap_or_default()), printable(field(b'M').unwrap_or_default()));
                said.believe(Evidence::Dialogue);
                said.say(Fact::answer(AnswerKind::Refused, 0, text));
                return (Appetite::Full, false);
            }
            b'R' => {
                said.believe(Evidence::Dialogue);
                authenticated |= body == [0; 4];
            }
            // Parameters, the key to cancel with, notices.
            b'S' | b'K' | b'N' if authenticated => (),
            _ => {
                if authenticated {
                    let_in(said);
                }
                return (Appetite::Full, false);
            }
        }
    }
    if !full {
        return (Appetite::Hungry, authenticated);
    }
    if authenticated {
        let_in(said);
    }
    (Appetite::Full, false)
}

fn let_in(said: &mut Said<'_>) {
    said.say(Fact::answer(AnswerKind::Accepted, 0, "authenticated"));
}

fn mysql_greeting(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(len), Some(sequence), Some(kind)) = (at.le24(), at.u8(), at.u8()) else {
        // A version is two bytes at least, and ended by a zero.
        return if bytes.get(3).is_none_or(|sequence| *sequence == 0) { Look::Before(8) } else { Look::No };
    };
    if sequence != 0 || !(8..=1024).contains(&len) {
        return Look::No;
    }
    match kind {
        10 => match at.until_nul() {
            Some(version) => {
                let sane = version.first().is_some_and(u8::is_ascii_digit)
                    && version.contains(&b'.')
                    && version.len() < 64
                    && version.iter().all(u8::is_ascii_graphic);
                Look::when(sane, 5, "MySQL greeting with version")
            }
            None if bytes.len() < 70 => Look::Short,
            None => Look::No,
        },
        0xff => {
            let code = at.le16();
            let whole = bytes.len() as u64 == u64::from(len) + 4;
            Look::when(
                whole && code.is_some_and(|code| (1000..5000).contains(&code)) && at.rest().iter().all(|byte| *byte >= b' '),
                7,
                "MySQL error instead of a greeting",
            )
        }
        _ => Look::No,
    }
}

fn mysql_length(_: Side, bytes: &[u8]) -> Length {
    Cursor::new(bytes).le24().map_or(Length::Unknown, |len| Length::Is(u64::from(len) + 4))
}

fn mysql_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let (sequence, body) = (bytes.get(3).copied().unwrap_or_default(), bytes.get(4..).unwrap_or_default());
    let mut at = Cursor::new(body);
    match (piece.from, sequence, at.u8()) {
        (Side::Server, 0, Some(10)) => {
            said.say(Fact::Software { of: Side::Server, text: format!("MySQL {}", printable(at.until_nul().unwrap_or_default())).into() });
            Appetite::Hungry
        }
        // The client asks for TLS with a login that stops before the user name (SSLRequest, 32 bytes); TLS follows at once.
        (Side::Client, 1, _) if body.len() == 32 => Appetite::HandOver { client: 0, server: 0 },
        (Side::Server, _, Some(0xff)) => {
            let code = at.le16().unwrap_or_default();
            said.believe(Evidence::Dialogue);
            // From protocol 4.1 on the five letters of its SQLSTATE come first, behind a mark ("ERR_Packet").
            let text = match at.rest() {
                [b'#', state @ ..] if state.len() >= 5 => {
                    state.split_at_checked(5).map(|(state, text)| format!("{} {}", printable(state), printable(text)).into())
                }
                text => Some(printable(text)),
            };
            said.say(Fact::answer(AnswerKind::Refused, u32::from(code), text.unwrap_or_default()));
            Appetite::Full
        }
        (Side::Server, 2.., Some(0)) => {
            said.believe(Evidence::Dialogue);
            said.say(Fact::answer(AnswerKind::Accepted, 0, "authenticated"));
            Appetite::Full
        }
        _ => Appetite::Hungry,
    }
}

fn tns_length(_: Side, bytes: &[u8]) -> Length {
    match Cursor::new(bytes).be16() {
        Some(len @ 8..) => Length::Is(u64::from(len)),
        Some(_) => Length::Wrong,
        None => Length::Unknown,
    }
}

/// Packet types: 2 accept, 4 refuse, 5 redirect, 11 resend.
fn tns_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    if piece.from == Side::Client {
        return Appetite::Hungry;
    }
    let kind = match bytes.get(4) {
        Some(2) => AnswerKind::Accepted,
        Some(4) => AnswerKind::Refused,
        Some(5) => AnswerKind::Redirected,
        _ => return Appetite::Hungry,
    };
    let text = bytes.iter().position(|byte| *byte == b'(').and_then(|at| bytes.get(at..)).unwrap_or_default();
    said.believe(Evidence::Dialogue);
    said.say(Fact::answer(kind, u32::from(bytes.get(4).copied().unwrap_or_default()), printable(text)));
    Appetite::Full
}

/// Clients connect at once, and again while the instance keeps its port.
const INSTANCE_LASTS: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::super::{Probe, Protocol};
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    #[test]
    fn a_batch_in_the_middle_of_a_tds_stream_is_not_refused_while_it_is_short() {
        // MS-TDS 2.2.3.1 and 2.2.5.3: type 1, length 190; all headers 22 bytes, one of 18, the transaction descriptor.
        let batch = hex("0101 00be 0000 0100 16000000 12000000 0200 00000000");
        let probe = |len: usize| TDS.probe(&Opening { midstream: true, ..Opening::of(Transport::TCP, &batch[..len], &[]) });
        assert!((1..18).all(|len| matches!(probe(len), Probe::NeedMore)));
        assert!(matches!(probe(batch.len()), Probe::Found { .. }));
    }

    #[test]
    fn tds_prelogin_is_told_by_its_options() {
        // VERSION at 11 (6 bytes), ENCRYPTION at 17 (1 byte), end (MS-TDS 4.1).
        let ask = hex("1201001a 00000100 00000b0006 0100110001 ff 09000000000001");
        let answer = hex("0401001a 00000100 00000b0006 0100110001 ff 10000000000001");
        assert_eq!(evidence(decide(&TDS, Transport::TCP, 50_002, &ask, &answer)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&TDS, Transport::TCP, 50_002, &answer, &ask)), Evidence::None);
        survives(&TDS, Transport::TCP, 1433, &[(Client, &ask), (Server, &answer)]);
    }

    #[test]
    fn the_browser_announces_an_instances_port() {
        let text = b"ServerName;DB;InstanceName;CINEGY;IsClustered;No;Version;15.0;tcp;49712;;";
        let answer = [&[5][..], &(text.len() as u16).to_le_bytes(), text].concat();
        let dialogue: &[(Side, &[u8])] = &[(Client, b"\x04CINEGY\0"), (Server, &answer)];
        assert_eq!(evidence(decide(&SSRP, Transport::UDP, 1434, dialogue[0].1, &answer)), Evidence::BothOpenings);
        let heard = read(&SSRP, Transport::UDP, 1434, dialogue);
        assert!(heard.facts.iter().any(|fact| matches!(fact, Fact::Promise(promise) if promise.server.to_string() == "10.0.0.2:49712")));
        survives(&SSRP, Transport::UDP, 1434, dialogue);
        assert_eq!(evidence(decide(&SSRP, Transport::UDP, 9999, &[3], &[])), Evidence::None);
    }

    #[test]
    fn an_instance_at_port_0_is_not_announced() {
        let text = b"ServerName;DB;InstanceName;A;tcp;0;;";
        let answer = [&[5][..], &(text.len() as u16).to_le_bytes(), text].concat();
        assert!(!read(&SSRP, Transport::UDP, 1434, &[(Server, &answer)]).facts.iter().any(|fact| matches!(fact, Fact::Promise(_))));
    }

    #[test]
    fn a_start_up_without_the_name_of_a_parameter_is_no_postgresql() {
        // Length 300 and version 3.0, of which the first bytes were captured.
        let start = |name: &[u8]| [&hex("0000012c 00030000"), name].concat();
        assert_eq!(evidence(decide(&POSTGRESQL, Transport::TCP, 50_002, &start(b"\x00\x02\x00\x00\x01\x07"), &[])), Evidence::None);
        assert_eq!(evidence(decide(&POSTGRESQL, Transport::TCP, 50_002, &start(b"client_encoding"), &[])), Evidence::OneOpening);
    }

    #[test]
    fn postgresql_switches_to_tls_or_refuses() {
        let request = hex("00000008 04d2162f");
        let secure = read(&POSTGRESQL, Transport::TCP, 5432, &[(Client, &request), (Server, b"S")]);
        assert_eq!(secure.appetite, Appetite::HandOver { client: 8, server: 1 });
        let start = [hex("00000011 00030000"), b"user\0pg\0\0".to_vec()].concat();
        let error = [b"E\0\0\0\x20".as_slice(), b"SFATAL\0C28P01\0Mwrong pass\0\0\0"].concat();
        let dialogue: &[(Side, &[u8])] = &[(Client, &start), (Server, &error)];
        assert_eq!(evidence(decide(&POSTGRESQL, Transport::TCP, 5432, &start, &error)), Evidence::BothOpenings);
        survives(&POSTGRESQL, Transport::TCP, 5432, dialogue);
    }

    // PostgreSQL 15 to psql with "dbname=nope": authentication ok, and then FATAL 3D000 in the place of the parameters
    #[test]
    fn a_database_that_is_not_there_is_refused_after_the_password() {
        let start = [hex("00000011 00030000"), b"user\0pg\0\0".to_vec()].concat();
        let error = [b"E\0\0\0\x31".as_slice(), b"SFATAL\0C3D000\0Mdatabase \"nope\" does not exist"].concat();
        let error = [&error[..1], &(error.len() as u32 + 1).to_be_bytes(), &error[5..], b"\0\0"].concat();
        let ready = hex("53 0000000b 61003100 6200 00 5a 00000005 49");
        let answers = |after: &[u8]| {
            let facts = read(&POSTGRESQL, Transport::TCP, 5432, &[(Client, &start), (Server, &hex("52 00000008 00000000")), (Server, after)]).facts;
            facts.into_iter().filter_map(|fact| if let Fact::Answer { kind, text, .. } = fact { Some((kind, text)) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!(answers(&error), [(AnswerKind::Refused, "3D000 database \"nope\" does not exist".into())]);
        assert_eq!(answers(&ready), [(AnswerKind::Accepted, "authenticated".into())]);
        // The capture ends there.
        assert_eq!(answers(&[]), [(AnswerKind::Accepted, "authenticated".into())]);
    }

    // PostgreSQL documentation, "Canceling Requests in Progress": the server closes, no reply is made
    #[test]
    fn nobody_answers_a_cancel_request() {
        let cancel = hex("00000010 04d2162e 0000162e 7a2b11f0");
        assert!(read(&POSTGRESQL, Transport::TCP, 5432, &[(Client, &cancel)]).says(&Fact::OneWay));
    }

    // MariaDB 10.11 to a wrong password
    #[test]
    fn the_sqlstate_of_a_refusal_stands_apart_from_its_words() {
        let said = b"#28000Access denied for user 'u'@'10.1.0.2' (using password: YES)";
        let refused = [&[said.len() as u8 + 3, 0, 0, 2, 0xff, 0x15, 4][..], said].concat();
        let heard = read(&MYSQL, Transport::TCP, 3306, &[(Server, &refused)]);
        let text = "28000 Access denied for user 'u'@'10.1.0.2' (using password: YES)";
        assert!(heard.says(&Fact::answer(AnswerKind::Refused, 1045, text)), "{:?}", heard.facts);
    }

    #[test]
    fn mysql_greets_or_refuses_the_host() {
        let greeting = [hex("14000000 0a"), b"8.0.36\0".to_vec(), vec![7; 12]].concat();
        assert_eq!(evidence(decide(&MYSQL, Transport::TCP, 3306, &[], &greeting)), Evidence::OneOpening);
        let text = b"Host 'x' is not allowed";
        let refused = [&[text.len() as u8 + 3, 0, 0, 0, 0xff, 0x6a, 0x04][..], text].concat();
        let heard = read(&MYSQL, Transport::TCP, 3306, &[(Server, &refused)]);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 1130, "Host 'x' is not allowed")));
        survives(&MYSQL, Transport::TCP, 3306, &[(Server, &greeting), (Server, &refused)]);
        assert_eq!(evidence(decide(&MYSQL, Transport::TCP, 3306, &[], b"220 ftp\r\n")), Evidence::None);
    }

    #[test]
    fn a_listener_refuses_a_connect() {
        let connect = [hex("00360000 01000000"), b"(DESCRIPTION=(CONNECT_DATA=(SID=x)))12345678".to_vec()].concat();
        let refuse = [hex("00210000 04000000 22000015"), b"(DESCRIPTION=(ERR=12))".to_vec()].concat();
        let dialogue: &[(Side, &[u8])] = &[(Client, &connect), (Server, &refuse)];
        assert_eq!(evidence(decide(&ORACLE_TNS, Transport::TCP, 1521, &connect, &refuse)), Evidence::BothOpenings);
        survives(&ORACLE_TNS, Transport::TCP, 1521, dialogue);
    }

    #[test]
    fn tls_inside_prelogin_packets_is_told_with_the_name_it_asks_for() {
        // A ClientHello with the extension server_name "db", in a record, in a packet of type 0x12.
        let body = [&[3, 3][..], &[7; 32], &hex("00 0002 c02f 01 00 000b 0000 0007 0005 00 0002 6462")].concat();
        let record = [&[0x16, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8][..], &body].concat();
        let packet = [&[0x12, 1, 0, record.len() as u8 + 8, 0, 0, 0, 0][..], &record].concat();
        let heard = read(&TDS, Transport::TCP, 1433, &[(Client, &hex("1201001a 00000100 00000b0006 0100110001 ff 10000000000001")), (Client, &packet)]);
        assert!(heard.says(&Fact::Inner("tls")) && heard.says(&Fact::Encrypted));
        assert!(heard.says(&Fact::Name { of: Server, name: "db".into(), source: crate::identify::NameSource::Sni }), "{:?}", heard.facts);
    }
}
