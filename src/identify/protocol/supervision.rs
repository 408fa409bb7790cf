//! What watches over machines and hands out work: Zabbix, Munin, collectd, NetFlow and IPFIX; ZooKeeper, Gearman, beanstalkd.

use crate::identify::wire::{Cursor, Held, begins, hold, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::Side;

use super::exchange::Sent;
use super::talk::opens_with;
use super::{Appetite, Confirm, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Zabbix: a header of four letters, flags and a length, on both sides (Zabbix manual, "Header and data length").
pub static ZABBIX: Known = Known {
    name: "zabbix",
    over: Over::Streams,
    ask: |_, bytes| match bytes {
        [b'Z', b'B', b'X', b'D', 1..=7, ..] => Look::Yes(0, 5, "Zabbix header"),
        _ if may_begin(bytes, b"ZBXD") && bytes.len() < 5 => Look::Short,
        _ => Look::No,
    },
    answer: None,
    strength: Strength::Magic,
    reader: || Confirm::of(&ZABBIX),
};

/// Munin's node greets in a line of its own (Munin's "Data exchange between master and node").
pub static MUNIN: Known = Known {
    name: "munin",
    over: Over::Streams,
    ask: |_, bytes| {
        let commands = &["cap", "list", "nodes", "config", "fetch", "version", "quit", "starttls"];
        Look::weakly(opens_with(bytes, commands), 3, "Munin command")
    },
    answer: Some(|_, bytes| Look::word(bytes, b"# munin node at ", "Munin greeting")),
    strength: Strength::Text,
    reader: || Confirm::of(&MUNIN),
};

/// collectd's binary protocol: parts with a known type and a length each, host or time first, that fill the datagram. Nobody answers.
pub static COLLECTD: Known = Known {
    name: "collectd",
    over: Over::Datagrams(Gate::BytesAnd(&[0..=0], begins_with_source)),
    ask: collectd,
    answer: Some(|_, _| Look::No),
    strength: Strength::Structure,
    reader: || Box::new(Sent),
};

/// Exports of flows: NetFlow version 5, version 9 (RFC 3954 section 5) and IPFIX (RFC 7011 section 3). Nobody answers.
pub static NETFLOW: Known = Known {
    name: "netflow",
    over: Over::Datagrams(Gate::BytesAnd(&[0..=0], |bytes| matches!(bytes, [0, 5 | 9 | 10, ..]))),
    ask: netflow,
    answer: Some(|_, _| Look::No),
    strength: Strength::Structure,
    reader: || Box::new(Sent),
};

/// ZooKeeper: a session is asked for in a request of fixed lengths, with a password of 16 bytes, and answered likewise (its `zookeeper.jute`, ConnectRequest).
pub static ZOOKEEPER: Known = Known {
    name: "zookeeper",
    over: Over::Streams,
    ask: |_, bytes| match FOUR_LETTERS.iter().find(|word| may_begin(bytes, word) && bytes.len() <= 4 || is_word(bytes, word)) {
        Some(_) if bytes.len() < 4 => Look::Short,
        Some(_) => Look::Weak(0, 4, "ZooKeeper word of four letters"),
        None => session(bytes, false),
    },
    answer: Some(|_, bytes| match FOUR_LETTER_ANSWERS.iter().find(|answer| begins(bytes, answer)) {
        Some(answer) => Look::Weak(0, answer.len() as u32, "ZooKeeper answer to four letters"),
        None if FOUR_LETTER_ANSWERS.iter().any(|answer| may_begin(bytes, answer)) => Look::Short,
        // A word that is switched off is told so.
        None if bytes.get(4..).is_some_and(|rest| begins(rest, NOT_LISTED)) => Look::Weak(4, 16, "ZooKeeper refusal of four letters"),
        None => session(bytes, true).weak(),
    }),
    strength: Strength::Structure,
    reader: || Box::new(FourLetters { openings: Some(Confirm::of(&ZOOKEEPER)), answer: Some(Held::new()) }),
};

/// Gearman's binary protocol: a zero and three letters, a known type, a length (Gearman's PROTOCOL, "Binary Packet").
pub static GEARMAN: Known = Known {
    name: "gearman",
    over: Over::Streams,
    ask: |_, bytes| gearman(bytes, b"\0REQ"),
    answer: Some(|_, bytes| gearman(bytes, b"\0RES")),
    strength: Strength::Magic,
    reader: || Confirm::of(&GEARMAN),
};

/// beanstalkd: commands in lines and their answers (beanstalkd's `protocol.txt`).
pub static BEANSTALKD: Known = Known {
    name: "beanstalkd",
    over: Over::Streams,
    ask: |_, bytes| {
        let words =
            &["put", "use", "reserve", "reserve-with-timeout", "watch", "ignore", "delete", "release", "bury", "peek-ready", "stats", "list-tubes", "kick"];
        match opens_with(bytes, words) {
            Some(true) if bytes.first().is_some_and(u8::is_ascii_lowercase) => Look::Weak(0, 3, "beanstalkd command"),
            None if bytes.first().is_some_and(u8::is_ascii_lowercase) => Look::Short,
            _ => Look::No,
        }
    },
    answer: Some(|_, bytes| {
        let words: &[&[u8]] =
            &[b"INSERTED ", b"USING ", b"RESERVED ", b"WATCHING ", b"TIMED_OUT\r\n", b"DEADLINE_SOON\r\n", b"NOT_IGNORED\r\n", b"KICKED ", b"BURIED"];
        if words.iter().any(|word| begins(bytes, word)) {
            Look::Weak(0, 6, "beanstalkd answer")
        } else if words.iter().any(|word| may_begin(bytes, word)) {
            Look::Short
        } else {
            Look::No
        }
    }),
    strength: Strength::Text,
    reader: || Confirm::of(&BEANSTALKD),
};

/// A host, or a time, comes first; names of hosts are not long.
fn begins_with_source(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0 | 1 | 8, 0, 5..=100, ..])
}

/// Types and lengths of all parts (collectd's "Binary protocol"): texts end with a zero, times take eight bytes, values are counted.
fn collectd(_: &Opening<'_>, bytes: &[u8]) -> Look {
    if !begins_with_source(bytes) {
        return Look::No;
    }
    let (mut at, mut parts) = (Cursor::new(bytes), 0);
    while !at.is_empty() {
        let (Some(kind), Some(len)) = (at.be16(), at.be16()) else { return Look::No };
        let Some(body) = usize::from(len).checked_sub(4).and_then(|len| at.take(len)) else { return Look::No };
        let fits = match kind {
            0 | 2..=5 | 0x100 => body.last() == Some(&0),
            1 | 7 | 8 | 9 | 0x101 => body.len() == 8,
            6 => body.split_first_chunk::<2>().is_some_and(|(many, values)| usize::from(u16::from_be_bytes(*many)) * 9 == values.len()),
            _ => false,
        };
        if !fits {
            return Look::No;
        }
        parts += 1;
    }
    Look::when(parts >= 3, 4, "collectd parts that fill the datagram")
}

fn netflow(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let rule = "flow export header and sets that fill the datagram";
    let mut at = Cursor::new(bytes);
    let (Some(version), Some(many)) = (at.be16(), at.be16()) else { return Look::No };
    let sets = |first: usize| {
        let mut at = Cursor::new(bytes.get(first..).unwrap_or_default());
        let mut sets = 0;
        while !at.is_empty() {
            let (Some(id), Some(len)) = (at.be16(), at.be16()) else { return false };
            // Templates, options templates, and data by the number of a template (RFC 3954 section 5.2, RFC 7011 section 3.3.2).
            let known = if version == 9 { matches!(id, 0 | 1 | 256..) } else { matches!(id, 2 | 3 | 256..) };
            if !known || usize::from(len).checked_sub(4).and_then(|len| at.take(len)).is_none() {
                return false;
            }
            sets += 1;
        }
        sets > 0
    };
    let fits = match version {
        // A header of 24 bytes and records of 48.
        5 => (1..=30).contains(&many) && bytes.len() == 24 + 48 * usize::from(many),
        9 => (1..=1024).contains(&many) && sets(20),
        10 => usize::from(many) == bytes.len() && sets(16),
        _ => false,
    };
    Look::when(fits, 4, rule)
}

/// Alone in its connection, perhaps with the end of a line.
fn is_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.strip_prefix(word).is_some_and(|rest| matches!(rest, [] | [b'\n'] | [b'\r', b'\n']))
}

/// Length, version of the protocol (zero), then of a request the last transaction, timeout, session, and a password of 16 bytes; of its answer the same
/// without the transaction. A flag for a read-only session may follow.
fn session(bytes: &[u8], answers: bool) -> Look {
    let (least, password) = if answers { (36_u32, 20) } else { (44, 28) };
    let mut at = Cursor::new(bytes);
    let Some(len) = at.be32() else { return if bytes.iter().all(|byte| *byte == 0) { Look::Short } else { Look::No } };
    if len != least && len != least + 1 {
        return Look::No;
    }
    let whole = len as usize + 4;
    let (Some(version), Some(counted)) = (bytes.get(4..8), bytes.get(password..password + 4)) else { return Look::Before(whole as u32) };
    Look::when(version == [0; 4] && counted == [0, 0, 0, 16] && bytes.len() >= whole, 32, "ZooKeeper session with a password of 16 bytes")
}

/// Whether this opens a session of ZooKeeper, whose zeros others read as their own.
pub fn opens_session(bytes: &[u8]) -> bool {
    matches!(session(bytes, false), Look::Yes(..))
}

fn gearman(bytes: &[u8], magic: &[u8; 4]) -> Look {
    match bytes.split_first_chunk::<4>() {
        Some((head, rest)) if head == magic => match rest.split_first_chunk::<4>() {
            Some((kind, _)) => Look::when((1..=42).contains(&u32::from_be_bytes(*kind)), 8, "Gearman packet"),
            None => Look::Short,
        },
        None if may_begin(bytes, magic) => Look::Short,
        _ => Look::No,
    }
}

/// What is asked in clear, and how answers begin (ZooKeeper Administrator's Guide, "The Four Letter Words").
const FOUR_LETTERS: &[&[u8]] = &[b"ruok", b"stat", b"srvr", b"mntr", b"conf", b"cons", b"envi", b"dump", b"isro", b"wchs"];
const FOUR_LETTER_ANSWERS: &[&[u8]] = &[
    b"imok",
    b"Zookeeper version: ",
    b"zk_version\t",
    b"clientPort=",
    b"Environment:\n",
    b"SessionTracker dump:",
    b"This ZooKeeper instance",
    b"rw",
    b"ro",
    b"null",
];
const LONGEST_REFUSAL: usize = 80;
const NOT_SERVING: &[u8] = b"This ZooKeeper instance is not currently serving requests";
const NOT_LISTED: &[u8] = b" is not executed because it is not in the whitelist";

/// Confirms the openings, and hears why a word got no answer: it is switched off, or the server is alone (its `FourLetterCommands`, `AbstractFourLetterCommand`).
struct FourLetters {
    openings: Option<Box<dyn Reader>>,
    /// How the server answers, until its line is whole, or is none of these.
    answer: Option<Held>,
}

impl Reader for FourLetters {
    fn held(&self) -> usize {
        self.openings.as_ref().map_or(0, |openings| openings.held()) + self.answer.as_ref().map_or(0, Held::capacity)
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Server
            && let Some(mut line) = self.answer.take()
        {
            hold(&mut line, piece.bytes, LONGEST_REFUSAL);
            let may_be = |at: usize, words: &[u8]| line.get(at..).is_none_or(|rest| begins(rest, words) || may_begin(rest, words));
            if memchr::memchr(b'\n', &line).is_none() && (may_be(4, NOT_LISTED) || may_be(0, NOT_SERVING)) && line.len() < LONGEST_REFUSAL {
                self.answer = Some(line);
            } else if let Some(kind) = refusal(&line) {
                said.believe(Evidence::Dialogue);
                said.say(Fact::Answer { kind, code: 0, text: printable(line.trim_ascii_end()), by: piece.from });
            }
        }
        let appetite = self.openings.as_mut().map_or(Appetite::Full, |openings| openings.read(piece, said));
        if appetite == Appetite::Full {
            self.openings = None;
        }
        if self.openings.is_none() && self.answer.is_none() { Appetite::Full } else { Appetite::Hungry }
    }
}

fn refusal(line: &[u8]) -> Option<AnswerKind> {
    let is_off = line.get(4..).is_some_and(|rest| begins(rest, NOT_LISTED));
    if is_off { Some(AnswerKind::Refused) } else { begins(line, NOT_SERVING).then_some(AnswerKind::Failed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::stores::KAFKA;
    use crate::identify::protocol::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    #[test]
    fn a_session_of_zookeeper_is_none_of_kafkas() {
        let ask = [hex("0000002d 00000000 0000000000000000 00000fa0 0000000000000000 00000010"), vec![0; 17]].concat();
        let answer = [hex("00000025 00000000 00000fa0 0100044ff28a0000 00000010"), vec![7; 16], vec![0]].concat();
        assert_eq!(evidence(decide(&KAFKA, Transport::TCP, 2181, &ask, &answer)), Evidence::None);
        assert_eq!(evidence(decide(&ZOOKEEPER, Transport::TCP, 2181, &ask, &answer)), Evidence::BothOpenings);
        // Old clients leave the flag out.
        let old = [hex("0000002c 00000000 0000000000000000 00000fa0 0000000000000000 00000010"), vec![0; 16]].concat();
        assert_eq!(evidence(decide(&ZOOKEEPER, Transport::TCP, 2181, &old, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&ZOOKEEPER, Transport::TCP, 2181, &old[..40], &[])), Evidence::None);
        survives(&ZOOKEEPER, Transport::TCP, 2181, &[(Client, &ask), (Server, &answer)]);
    }

    // Recorded of ZooKeeper 3.8: "dump", which is not on its list; the other one is what it says without a quorum.
    #[test]
    fn a_zookeeper_that_does_not_answer_a_word_says_why() {
        for (kind, answer) in [
            (AnswerKind::Refused, &b"dump is not executed because it is not in the whitelist.\n"[..]),
            (AnswerKind::Failed, b"This ZooKeeper instance is not currently serving requests\n"),
        ] {
            let told = read(&ZOOKEEPER, Transport::TCP, 2181, &[(Client, b"dump\n"), (Server, answer)]);
            assert!(matches!(told.facts.as_slice(), [Fact::Answer { kind: said, code: 0, by: Server, .. }] if *said == kind), "{:?}", told.facts);
        }
        assert!(read(&ZOOKEEPER, Transport::TCP, 2181, &[(Client, b"ruok"), (Server, b"imok")]).facts.is_empty());
    }

    #[test]
    fn four_letters_need_their_answer() {
        for (word, answer) in
            [(&b"ruok"[..], &b"imok"[..]), (b"mntr\n", b"zk_version\t3.8.0-1\n"), (b"stat", b"stat is not executed because it is not in the whitelist.\n")]
        {
            assert_eq!(evidence(decide(&ZOOKEEPER, Transport::TCP, 2181, word, answer)), Evidence::BothOpenings);
            assert_eq!(evidence(decide(&ZOOKEEPER, Transport::TCP, 2181, word, b"")), Evidence::None);
            survives(&ZOOKEEPER, Transport::TCP, 2181, &[(Client, word), (Server, answer)]);
            prefixes_never_match_anything_else("zookeeper", Transport::TCP, word, answer);
        }
        assert_eq!(evidence(decide(&ZOOKEEPER, Transport::TCP, 2181, b"stats\r\n", b"STAT pid 1\r\n")), Evidence::None);
    }

    #[test]
    fn agents_jobs_and_queues_are_told_by_their_openings() {
        let ask = b"ZBXD\x01\x0a\0\0\0\0\0\0\0agent.ping";
        assert_eq!(evidence(decide(&ZABBIX, Transport::TCP, 50_001, ask, b"ZBXD\x01\x01\0\0\0\0\0\0\x001")), Evidence::BothOpenings);
        survives(&ZABBIX, Transport::TCP, 10050, &[(Client, ask)]);
        prefixes_never_match_anything_else("zabbix", Transport::TCP, ask, b"");
        let greeting = b"# munin node at host.example\n";
        assert_eq!(evidence(decide(&MUNIN, Transport::TCP, 50_001, b"list\n", greeting)), Evidence::BothOpenings);
        survives(&MUNIN, Transport::TCP, 4949, &[(Server, greeting), (Client, b"list\n")]);
        prefixes_never_match_anything_else("munin", Transport::TCP, b"list\n", greeting);
        let job = hex("00524551 00000007 00000004 72657600");
        assert_eq!(evidence(decide(&GEARMAN, Transport::TCP, 50_001, &job, &hex("00524553 00000008 00000000"))), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&GEARMAN, Transport::TCP, 4730, &hex("00524551 0000ff07 00000004"), &[])), Evidence::None);
        survives(&GEARMAN, Transport::TCP, 4730, &[(Client, &job)]);
        prefixes_never_match_anything_else("gearman", Transport::TCP, &job, &[]);
        assert_eq!(evidence(decide(&BEANSTALKD, Transport::TCP, 50_001, b"use tube\r\n", b"USING tube\r\n")), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&BEANSTALKD, Transport::TCP, 11300, b"use tube\r\n", b"ERROR\r\n")), Evidence::None);
        survives(&BEANSTALKD, Transport::TCP, 11300, &[(Client, b"use tube\r\n"), (Server, b"USING tube\r\n")]);
        prefixes_never_match_anything_else("beanstalkd", Transport::TCP, b"use tube\r\n", b"USING tube\r\n");
    }

    #[test]
    fn exports_and_measurements_fill_their_datagrams_and_are_not_answered() {
        let five = [hex("0005 0001 00000001 5f5e1000 00000000 00000000 00 00 0000"), vec![0; 48]].concat();
        let nine = hex("0009 0001 00000001 5f5e1000 00000000 00000000  0000 000c 0100 0001 0008 0004");
        let ten = hex("000a 001c 5f5e1000 00000000 00000000  0002 000c 0100 0001 0008 0004");
        for export in [&five, &nine, &ten] {
            assert_eq!(evidence(decide(&NETFLOW, Transport::UDP, 50_001, export, &[])), Evidence::OneOpening);
            assert_eq!(evidence(decide(&NETFLOW, Transport::UDP, 50_001, &export[..export.len() - 1], &[])), Evidence::None);
            assert!(read(&NETFLOW, Transport::UDP, 2055, &[(Client, export)]).says(&Fact::OneWay));
            survives(&NETFLOW, Transport::UDP, 2055, &[(Client, export)]);
            prefixes_never_match_anything_else("netflow", Transport::UDP, export, &[]);
        }
        let measured = hex("0000 0006 6800  0008 000c 16d0000000000000  0006 000f 0001 01 3ff0000000000000");
        assert_eq!(evidence(decide(&COLLECTD, Transport::UDP, 50_001, &measured, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&COLLECTD, Transport::UDP, 25826, &measured[..18], &[])), Evidence::None);
        // A message first, which is no measurement's source: the gate does not let it pass either.
        let message = hex("0100 0006 6800  0008 000c 16d0000000000000  0006 000f 0001 01 3ff0000000000000");
        assert_eq!(evidence(decide(&COLLECTD, Transport::UDP, 25826, &message, &[])), Evidence::None);
        assert!(read(&COLLECTD, Transport::UDP, 25826, &[(Client, &measured)]).says(&Fact::OneWay));
        survives(&COLLECTD, Transport::UDP, 25826, &[(Client, &measured)]);
        prefixes_never_match_anything_else("collectd", Transport::UDP, &measured, &[]);
    }
}
