//! Stores: Redis, Memcached, MongoDB, Kafka.

use crate::identify::wire::{Cursor, Held, begins, hold, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::{Side, Transport};

use super::supervision::opens_session;
use super::talk::opens_with;
use super::{Appetite, Confirm, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Redis (its serialization protocol): a counted array of counted words.
pub static REDIS: Known = Known {
    name: "redis",
    over: Over::Streams,
    ask: redis_ask,
    answer: Some(redis_answer),
    strength: Strength::Structure,
    reader: || Box::<RedisReplies>::default(),
};

/// Memcached (its protocol.txt and binary protocol): a text command and its answer, or binary headers.
pub static MEMCACHED: Known = Known {
    name: "memcached",
    over: Over::Either(Gate::Passes(|bytes| matches!(bytes, [_, _, _, _, _, _, 0, 0, b'A'..=b'Z' | b'a'..=b'z' | 0x80 | 0x81, ..]))),
    ask: |opening, bytes| memcached_ask(after_frame(opening, bytes)),
    answer: Some(|opening, bytes| match memcached_answer(after_frame(opening, bytes)) {
        Look::Weak(..) if opening.client.starts_with(b"version") && !bytes.starts_with(b"VERSION ") => Look::No,
        look => look,
    }),
    strength: Strength::Structure,
    reader: || Box::<super::memcached::Replies>::default(),
};

/// MongoDB (its wire protocol): length, numbers, a known operation.
pub static MONGODB: Known = Known {
    name: "mongodb",
    over: Over::Streams,
    ask: |_, bytes| mongodb(bytes, &[2001, 2002, 2004, 2005, 2006, 2007, 2010, 2012, 2013], true),
    answer: Some(|_, bytes| mongodb(bytes, &[1, 2011, 2012, 2013], false)),
    strength: Strength::Structure,
    reader: || Confirm::of(&MONGODB),
};

/// Kafka (its protocol guide): length, known request and version, then the client's name; the answer repeats the request's number.
pub static KAFKA: Known = Known {
    name: "kafka",
    over: Over::Streams,
    ask: |opening, bytes| if opens_session(bytes) { Look::No } else { kafka(bytes).weak_unless_at(opening, &[9092]) },
    answer: Some(|opening, bytes| {
        let mut at = Cursor::new(bytes);
        match (at.be32(), at.be32()) {
            (Some(len), Some(number)) => {
                Look::when((4..1 << 27).contains(&len) && opening.client.get(8..12) == Some(&number.to_be_bytes()), 8, "Kafka response").weak()
            }
            _ => Look::Short,
        }
    }),
    strength: Strength::Structure,
    reader: || Confirm::of(&KAFKA),
};

fn redis_ask(_: &Opening<'_>, bytes: &[u8]) -> Look {
    // "*N CRLF $L CRLF" and as many bytes.
    match bytes {
        [b'*', rest @ ..] => {
            let mut lines = rest.splitn(3, |byte| *byte == b'\n');
            let number = |line: Option<&[u8]>, sign: &[u8]| {
                line.and_then(|line| line.strip_prefix(sign)?.strip_suffix(b"\r")).and_then(|text| std::str::from_utf8(text).ok()?.parse::<u32>().ok())
            };
            let (many, size, word) = (number(lines.next(), b""), number(lines.next(), b"$"), lines.next());
            match (many, size, word) {
                (Some(1..), Some(1..), Some(_)) => Look::Yes(0, 4, "Redis command"),
                _ if bytes.len() < 16 && rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'\r' | b'\n' | b'$')) => Look::Short,
                _ => Look::Weak(0, 1, "Redis command, malformed"),
            }
        }
        [b'+' | b'-' | b':' | b'$', rest @ ..] if is_line(rest) => Look::Weak(0, 1, "Redis value sent by a client"),
        _ => {
            let commands = &["PING", "INFO", "AUTH", "COMMAND", "HELLO", "SELECT", "CONFIG"];
            Look::weakly(opens_with(bytes, commands), 4, "Redis command in a line")
        }
    }
}

fn redis_answer(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        [b'-', rest @ ..]
            if [b"ERR unknown command".as_slice(), b"ERR Protocol error", b"NOAUTH ", b"WRONGPASS "].iter().any(|word| rest.starts_with(word)) =>
        {
            Look::Yes(0, 8, "Redis error")
        }
        [b'-', rest @ ..] if [b"ERR".as_slice(), b"NOAUTH", b"WRONGPASS", b"DENIED", b"MOVED", b"LOADING"].iter().any(|word| may_begin(rest, word)) => {
            Look::Weak(0, 4, "Redis error")
        }
        [b'+', b'P' | b'O' | b'Q' | b'F' | b'C' | b'B', rest @ ..] if is_line(rest) => Look::Weak(0, 2, "Redis status"),
        [b'$' | b':' | b'*' | b'%' | b'~', b'0'..=b'9' | b'-', rest @ ..] if is_line(rest) => Look::Weak(0, 2, "Redis value"),
        [b'-' | b'+' | b'$' | b':' | b'*' | b'%' | b'~'] => Look::Short,
        _ => Look::No,
    }
}

/// Whether the beginning of a line is text, as all but the contents of strings are (RESP protocol description).
fn is_line(rest: &[u8]) -> bool {
    rest.iter().take(16).take_while(|byte| **byte != b'\r').all(|byte| matches!(byte, 0x20..0x7f))
}

/// Over UDP eight bytes come first: request, sequence, datagrams, reserved (zero).
fn after_frame<'a>(opening: &Opening<'_>, bytes: &'a [u8]) -> &'a [u8] {
    match bytes {
        [_, _, _, _, _, many, 0, 0, rest @ ..] if *many > 0 && opening.transport == Transport::UDP => rest,
        _ if opening.transport == Transport::UDP => &[0],
        _ => bytes,
    }
}

fn memcached_ask(bytes: &[u8]) -> Look {
    if let Some([0x80, command, _, _, extras, 0, _, _, a, b, c, d, ..]) = bytes.first_chunk::<24>() {
        return Look::when(*command <= 0x34 && u32::from_be_bytes([*a, *b, *c, *d]) >= u32::from(*extras) && *extras <= 24, 24, "Memcached binary request")
            .weak();
    }
    let words = &[
        "get",
        "gets",
        "set",
        "add",
        "replace",
        "append",
        "prepend",
        "cas",
        "delete",
        "incr",
        "decr",
        "touch",
        "gat",
        "stats",
        "version",
        "flush_all",
        "mg",
        "ms",
    ];
    match opens_with(bytes, words) {
        // It asks for nothing else.
        Some(true) if bytes.starts_with(b"version") && !bytes.starts_with(b"version\r\n") => Look::No,
        Some(true) if bytes.first().is_some_and(u8::is_ascii_lowercase) => Look::Weak(0, 3, "Memcached command"),
        None if bytes.first().is_none_or(u8::is_ascii_lowercase) => Look::Short,
        _ => Look::No,
    }
}

fn memcached_answer(bytes: &[u8]) -> Look {
    if let Some([0x81, command, ..]) = bytes.first_chunk::<24>() {
        return Look::when(*command <= 0x34, 24, "Memcached binary answer").weak();
    }
    let words: &[&[u8]] = &[
        b"STORED\r",
        b"NOT_STORED\r",
        b"END\r",
        b"VALUE ",
        b"STAT ",
        b"VERSION ",
        b"DELETED\r",
        b"NOT_FOUND\r",
        b"OK\r",
        b"ERROR\r",
        b"CLIENT_ERROR ",
        b"TOUCHED\r",
        b"EXISTS\r",
    ];
    // Nearly all begin otherwise than all of the words.
    let first = bytes.first().map(u8::to_ascii_uppercase);
    match words.iter().find(|word| (first.is_none() || word.first().copied() == first) && may_begin(bytes, word)) {
        Some(word) if bytes.len() >= word.len() => Look::Weak(0, word.len() as u32, "Memcached answer"),
        Some(_) => Look::Short,
        None => Look::No,
    }
}

fn mongodb(bytes: &[u8], operations: &[u32], asks: bool) -> Look {
    let mut at = Cursor::new(bytes);
    match (at.le32(), at.le32(), at.le32(), at.le32()) {
        (Some(_), Some(_), Some(_), Some(operation)) if operation > 2013 => Look::No,
        (Some(len), Some(_), Some(answers), Some(operation)) => {
            let fits = (17..48_000_000).contains(&len) && operations.contains(&operation) && (!asks || answers == 0 || operation == 2012);
            let look = Look::when(fits && (asks || operation != 1 || answers != 0), 16, "MongoDB message header");
            // OP_REPLY is a small number: too little without its question.
            if operation == 1 { look.weak() } else { look }
        }
        _ if bytes.get(12).is_none_or(|low| operations.iter().any(|operation| operation.to_le_bytes()[0] == *low)) => Look::Before(16),
        _ => Look::No,
    }
}

fn kafka(bytes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(len), Some(key), Some(version), Some(_), Some(name)) = (at.be32(), at.be16(), at.be16(), at.be32(), at.be16()) else {
        return if bytes.first().is_none_or(|byte| *byte == 0) { Look::Short } else { Look::No };
    };
    // A client may leave its name empty or out (-1); then the request must end with the bytes.
    let whole = bytes.len() == (len as usize).saturating_add(4);
    let nameless = matches!(name, 0 | 0xffff) && whole;
    let name = if name == 0xffff { 0 } else { name };
    let client = nameless || at.take(usize::from(name)).is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic));
    // The first requests of a client: produce, fetch, offsets, metadata, group ones, SASL, versions.
    let known = matches!(key, 0..=3 | 8..=20 | 22 | 32 | 36) && version <= 17;
    Look::when(known && client && (10..1 << 20).contains(&len) && usize::from(name) + 10 <= len as usize, 14, "Kafka request")
}

/// Whether an error of Redis keeps its client out, or all of its commands. Others are about one command (an old server does not know `CLIENT SETINFO`, with which libraries begin), or send the
/// client on to where a key is (`MOVED`).
fn refuses(line: &[u8]) -> bool {
    REFUSALS.iter().any(|word| begins(line, word))
}

/// Reads how a server took the first commands. Whoever is refused for want of a password may give it next (a replica asks PING first), so refusals are told
/// together with the first reply that is none.
#[derive(Debug, Default)]
struct RedisReplies {
    held: Held,
    refused: bool,
}

impl Reader for RedisReplies {
    fn held(&self) -> usize {
        self.held.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            return Appetite::Hungry;
        }
        said.believe(Evidence::BothOpenings);
        let room = hold(&mut self.held, piece.bytes, limit::LINE_KEPT);
        let full = piece.missing > 0 || room <= piece.bytes.len();
        let mut rest = self.held.as_slice();
        // Errors are lines, so that replies are told from each other as long as there are only errors.
        while let [b'-', text @ ..] = rest {
            let end = memchr::memchr(b'\n', text);
            if end.is_none() && !full {
                self.held = rest.into();
                return Appetite::Hungry;
            }
            let (line, after) = text.split_at_checked(end.map_or(text.len(), |end| end + 1)).unwrap_or_default();
            // The first one says what was wrong.
            if refuses(text) && !std::mem::replace(&mut self.refused, true) {
                said.say(Fact::answer(AnswerKind::Refused, 0, printable(line.trim_ascii_end())));
            }
            rest = after;
        }
        if !full && (rest.is_empty() || self.refused && !rest.contains(&b'\n')) {
            self.held = rest.into();
            return Appetite::Hungry;
        }
        if self.refused && !rest.is_empty() {
            let line = rest.split(|byte| *byte == b'\r').next().unwrap_or_default();
            said.say(Fact::answer(AnswerKind::Accepted, 0, printable(line)));
        }
        Appetite::Full
    }
}

/// What errors that refuse begin with (redis.io "Redis serialization protocol specification", "ACL", "Handling of client connections", "Replication", "Cluster specification").
const REFUSALS: &[&[u8]] = &[
    b"NOAUTH",
    b"WRONGPASS",
    b"NOPERM",
    b"DENIED",
    b"ERR invalid password",
    b"ERR operation not permitted",
    b"ERR max number of clients",
    b"ERR Client sent AUTH",
    b"ERR AUTH ",
    b"ERR Protocol error",
    b"ERR unknown command",
    b"LOADING",
    b"MASTERDOWN",
    b"MISCONF",
    b"CLUSTERDOWN",
    b"OOM",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    #[test]
    fn redis_commands_are_told_and_may_be_refused() {
        let ask = b"*1\r\n$4\r\nPING\r\n";
        assert_eq!(evidence(decide(&REDIS, Transport::TCP, 6379, ask, b"+PONG\r\n")), Evidence::BothOpenings);
        let heard = read(&REDIS, Transport::TCP, 6379, &[(Client, ask), (Server, b"-NOAUTH Authentication required.\r\n")]);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 0, "NOAUTH Authentication required.")));
        survives(&REDIS, Transport::TCP, 6379, &[(Client, ask), (Server, b"-NOAUTH Authentication required.\r\n")]);
        assert_eq!(evidence(decide(&REDIS, Transport::TCP, 110, b"PING\r\n", b"")), Evidence::None);
    }

    // What redis-server sends as a replica whose master wants a password: PING first, then AUTH (replication.c, syncWithMaster)
    #[test]
    fn a_replica_that_gives_its_password_second_is_let_in() {
        let dialogue: &[(Side, &[u8])] = &[
            (Client, b"*1\r\n$4\r\nPING\r\n"),
            (Server, b"-NOAUTH Authentication required.\r\n"),
            (Client, b"*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"),
            (Server, b"+OK\r\n"),
        ];
        let answer = |kind, text: &str| Fact::answer(kind, 0, text);
        let heard = read(&REDIS, Transport::TCP, 6379, dialogue);
        assert_eq!(heard.facts, [answer(AnswerKind::Refused, "NOAUTH Authentication required."), answer(AnswerKind::Accepted, "+OK")]);
        // Commands and replies may come together, and be cut anywhere.
        let together = b"-NOAUTH Authentication required.\r\n+OK\r\n+PONG\r\n".as_slice();
        for cut in 0..together.len() {
            let heard = read(&REDIS, Transport::TCP, 6379, &[(Client, dialogue[0].1), (Server, &together[..cut]), (Server, &together[cut..])]);
            assert_eq!(heard.facts.iter().filter(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Accepted, .. })).count(), 1, "{cut}");
        }
        survives(&REDIS, Transport::TCP, 6379, dialogue);
    }

    // What redis-py says first to Redis 7.0, which does not know it; and a node of a cluster that has other keys
    #[test]
    fn an_error_about_one_command_of_redis_refuses_nobody() {
        let info = b"*4\r\n$6\r\nCLIENT\r\n$7\r\nSETINFO\r\n$8\r\nLIB-NAME\r\n$8\r\nredis-py\r\n".as_slice();
        let unknown = b"-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n".as_slice();
        let refused = |answers: &[&[u8]]| {
            let dialogue: Vec<_> = std::iter::once((Client, info)).chain(answers.iter().map(|answer| (Server, *answer))).collect();
            survives(&REDIS, Transport::TCP, 6379, &dialogue);
            let told = read(&REDIS, Transport::TCP, 6379, &dialogue).facts;
            told.iter().find_map(|fact| if let Fact::Answer { kind: AnswerKind::Refused, text, .. } = fact { Some(text.to_string()) } else { None })
        };
        assert_eq!(refused(&[unknown, unknown]), None);
        assert_eq!(refused(&[b"-MOVED 3999 10.1.0.9:6381\r\n"]), None);
        // Where a password is due, that is why.
        assert_eq!(refused(&[unknown, unknown, b"-NOAUTH Authentication required.\r\n"]).as_deref(), Some("NOAUTH Authentication required."));
        assert_eq!(
            refused(&[b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"]).as_deref(),
            Some("WRONGPASS invalid username-password pair or user is disabled.")
        );
    }

    #[test]
    fn single_signs_before_bytes_that_are_no_text_are_no_redis() {
        for (client, server) in [(b"$\x8e\x91\x02", b":4\xf1\xcc"), (b"+\x01\xff\x10", b"+P\x90\x07")] {
            assert_eq!(evidence(decide(&REDIS, Transport::TCP, 50_002, client, server)), Evidence::None);
        }
        assert_eq!(evidence(decide(&REDIS, Transport::TCP, 6379, b"$4\r\nPING\r\n", b":1\r\n")), Evidence::BothOpenings);
    }

    #[test]
    fn stores_are_told_by_their_headers() {
        let query = hex("3a000000 01000000 00000000 d4070000 00000000");
        assert_eq!(evidence(decide(&MONGODB, Transport::TCP, 27017, &query, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&MONGODB, Transport::TCP, 27017, &hex("3a000000 01000000 00000000 d5080000"), &[])), Evidence::None);
        let versions = hex("00000013 0012 0000 00000007 0007 6b61666b613031");
        assert_eq!(evidence(decide(&KAFKA, Transport::TCP, 19092, &versions, &hex("00000006 00000007 0000"))), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&KAFKA, Transport::TCP, 19092, &versions, &hex("00000006 00000008 0000"))), Evidence::None);
        assert_eq!(evidence(decide(&MEMCACHED, Transport::TCP, 11211, b"get a\r\n", b"END\r\n")), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&MEMCACHED, Transport::TCP, 11211, b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n")), Evidence::None);
        survives(&MONGODB, Transport::TCP, 27017, &[(Client, &query), (Server, &hex("24000000 02000000 01000000 01000000 00000000"))]);
        survives(&KAFKA, Transport::TCP, 19092, &[(Client, &versions), (Server, &hex("00000006 00000007 0000"))]);
        survives(&MEMCACHED, Transport::TCP, 11211, &[(Client, b"get a\r\n"), (Server, b"END\r\n")]);
        survives(&MEMCACHED, Transport::UDP, 11211, &[(Client, b"\0\x01\0\0\0\x01\0\0get a\r\n"), (Server, b"\0\x01\0\0\0\x01\0\0END\r\n")]);
    }

    #[test]
    fn an_operation_of_one_is_no_mongodb_without_its_question() {
        // From the middle of a DCE/RPC stream (Zeek's "mapi"): length 17,760,771, operation 1.
        let other = hex("03020f01 00001c42 100b0000 01000000 00060000");
        assert_eq!(evidence(decide(&MONGODB, Transport::TCP, 1076, &[], &other)), Evidence::None);
        let query = hex("3a000000 01000000 00000000 d4070000 00000000");
        let reply = hex("24000000 02000000 01000000 01000000 08000000");
        assert_eq!(evidence(decide(&MONGODB, Transport::TCP, 27017, &query, &reply)), Evidence::BothOpenings);
    }

    #[test]
    fn a_request_of_kafka_without_a_clients_name_must_be_whole() {
        // Arkime's "kafka": list offsets, version 0, of one topic, shortened to "ab".
        let request = hex("0000002a 0002 0000 00000000 0000 ffffffff 00000001 0002 6162 00000001 00000000 ffffffffffffffff 00000001");
        assert_eq!(evidence(decide(&KAFKA, Transport::TCP, 9092, &request, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&KAFKA, Transport::TCP, 9092, &request[..45], &[])), Evidence::None);
        assert_eq!(evidence(decide(&KAFKA, Transport::TCP, 50_001, &request, &[])), Evidence::None);
    }
}
