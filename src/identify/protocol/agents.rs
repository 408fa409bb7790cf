//! What agents are asked, and what they send: NRPE and Bacula; StatsD and Graphite.

use crate::identify::wire::{Cursor, Length, begins, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::Side;

use super::exchange::Exchange;
use super::exchange::Sent;
use super::{Appetite, Gate, Known, Look, Over, Piece, Said, Strength};

/// Nagios's remote executor: packets with a version, a kind, and a checksum over all of it (NRPE's `common.h`).
pub static NRPE: Known = Known {
    name: "nrpe",
    over: Over::Streams,
    ask: |_, bytes| nrpe(bytes, 1, "NRPE query with its checksum"),
    answer: Some(|_, bytes| nrpe(bytes, 2, "NRPE response with its checksum")),
    strength: Strength::Magic,
    reader: || Exchange::of(nrpe_length, nrpe_message),
};

/// Bacula's daemons: counted lines, of which the first says hello and who calls (Bacula developer's guide, "Daemon Protocol").
pub static BACULA: Known = Known {
    name: "bacula",
    over: Over::Streams,
    ask: |_, bytes| match bacula_line(bytes) {
        Counted::Whole(line) => Look::when(begins(line, b"Hello ") && memchr::memmem::find(line, b" calling").is_some(), 10, "Bacula hello"),
        Counted::Short if may_begin(bytes.get(4..).unwrap_or_default(), b"Hello ") || begins(bytes.get(4..).unwrap_or_default(), b"Hello ") => Look::Short,
        _ => Look::No,
    },
    answer: Some(|_, bytes| match bacula_line(bytes) {
        Counted::Whole(line) => Look::when(begins(line, b"auth cram-md5") || reply_code(line).is_some(), 8, "Bacula answer").weak(),
        Counted::Short => Look::Short,
        Counted::No => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Exchange::of(bacula_length, bacula_message),
};

/// StatsD: names, values and kinds of measurements, in lines that fill the datagram (statsd's `docs/metric_types.md`). Nobody answers.
pub static STATSD: Known = Known {
    name: "statsd",
    over: Over::Datagrams(Gate::BytesAnd(&[b'A'..=b'Z', b'a'..=b'z', b'_'..=b'_'], |bytes| memchr::memchr(b'|', bytes).is_some())),
    ask: |_, bytes| {
        let lines = || bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let holds = bytes.first().is_some_and(|byte| begins_name(*byte)) && lines().all(|line| line.is_empty() || is_measurement(line));
        Look::when(holds, 4, "StatsD measurements")
    },
    answer: Some(|_, _| Look::No),
    strength: Strength::Text,
    reader: || Box::new(Sent),
};

/// Graphite's plain text: a path, a value, and a time in seconds, a line each (Graphite documentation, "Feeding In Your Data"). Nobody answers.
pub static GRAPHITE: Known = Known {
    name: "graphite",
    over: Over::Either(Gate::BytesAnd(&[b'0'..=b'9', b'A'..=b'Z', b'a'..=b'z', b'_'..=b'_'], |bytes| memchr::memchr2(b'\n', b' ', bytes).is_some())),
    ask: |_, bytes| match bytes.split_inclusive(|byte| *byte == b'\n').next() {
        Some([first, ..]) if !(first.is_ascii_digit() || begins_name(*first)) => Look::No,
        Some([line @ .., b'\n']) => Look::when(is_point(line.trim_ascii_end()), 4, "Graphite path, value and time"),
        Some(line) if line.len() < LONGEST_POINT && line.iter().take_while(|byte| **byte != b' ').all(|byte| is_path(*byte)) => Look::Short,
        _ => Look::No,
    },
    answer: Some(|_, _| Look::No),
    strength: Strength::Text,
    reader: || Box::new(Sent),
};

/// Version, kind, checksum, result, and a text: of version 2 in 1,024 bytes and two more, of those after it counted. The sum is made with zeros in its place.
fn nrpe(bytes: &[u8], kind: u8, rule: &'static str) -> Look {
    let [0, 2..=4, 0, said, ..] = bytes else { return if may_begin_nrpe(bytes) { Look::Short } else { Look::No } };
    if *said != kind {
        return Look::No;
    }
    let whole = match nrpe_length(Side::Client, bytes) {
        Length::Is(whole) if whole <= NRPE_TRIED => whole as usize,
        Length::Unknown => return Look::Short,
        _ => return Look::No,
    };
    let Some(packet) = bytes.get(..whole) else { return Look::Before(whole as u32) };
    let (Some((head, sum)), Some(rest)) = (packet.get(..8).and_then(|head| head.split_first_chunk::<4>()), packet.get(8..)) else { return Look::No };
    let mut crc = crc32fast::Hasher::new();
    [&head[..], &[0; 4], rest].into_iter().for_each(|part| crc.update(part));
    Look::when(sum == crc.finalize().to_be_bytes(), 8, rule)
}

fn may_begin_nrpe(bytes: &[u8]) -> bool {
    matches!(bytes, [0] | [0, 2..=4] | [0, 2..=4, 0])
}

fn nrpe_length(_: Side, bytes: &[u8]) -> Length {
    match bytes {
        [0, 2, ..] => Length::Is(NRPE_2),
        [0, 3 | 4, ..] => match bytes.get(12..).and_then(|rest| Cursor::new(rest).be32()) {
            Some(len) if len <= 1 << 16 => Length::Is(16 + u64::from(len)),
            Some(_) => Length::Wrong,
            None => Length::Unknown,
        },
        [] | [0] => Length::Unknown,
        _ => Length::Wrong,
    }
}

fn nrpe_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let text = if bytes.get(1) == Some(&2) { bytes.get(10..) } else { bytes.get(16..) }.unwrap_or_default();
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if piece.from == Side::Client {
        // What follows the command are its arguments.
        let command = text.split(|byte| *byte == b'!').next().unwrap_or_default();
        said.say(Fact::request("check", &printable(command)));
        return Appetite::Hungry;
    }
    said.believe(Evidence::Dialogue);
    // The executor's own words; a check that it ran has its own (UNKNOWN is 3).
    let refused = bytes.get(8..10) == Some(&[0, 3]) && begins(text, b"NRPE: ");
    let (kind, text) = if refused { (AnswerKind::Refused, text) } else { (AnswerKind::Accepted, &b"ran"[..]) };
    said.say(Fact::answer(kind, 0, printable(text)));
    Appetite::Full
}

/// A line behind its length.
enum Counted<'a> {
    Whole(&'a [u8]),
    Short,
    No,
}

fn bacula_line(bytes: &[u8]) -> Counted<'_> {
    match Cursor::new(bytes).be32() {
        Some(len @ 4..=512) => bytes.get(4..4 + len as usize).map_or(Counted::Short, Counted::Whole),
        Some(_) => Counted::No,
        None if bytes.iter().all(|byte| *byte == 0) => Counted::Short,
        None => Counted::No,
    }
}

/// A negative length is a signal that stands alone.
fn bacula_length(_: Side, bytes: &[u8]) -> Length {
    match Cursor::new(bytes).be32() {
        Some(len) if len < 1 << 24 => Length::Is(4 + u64::from(len)),
        Some(0xffff_ff00..) => Length::Is(4),
        Some(_) => Length::Wrong,
        None => Length::Unknown,
    }
}

/// The four digits that an answer begins with.
fn reply_code(line: &[u8]) -> Option<u32> {
    let (digits, rest) = line.split_at_checked(4)?;
    let code = digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok())?;
    code.filter(|_| rest.first() == Some(&b' '))
}

/// Both ends prove themselves to each other; then whoever was called says hello, or that it lets nobody in.
fn bacula_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    if piece.from == Side::Client {
        return Appetite::Hungry;
    }
    said.believe(Evidence::Dialogue);
    let line = bytes.get(4..).unwrap_or_default();
    let Some(code) = reply_code(line) else { return Appetite::Hungry };
    let text = line.get(5..).unwrap_or_default().trim_ascii_end();
    let kind = match code % 1000 {
        999 => AnswerKind::Refused,
        0 if begins(text, b"OK Hello") || begins(text, b"OK:") => AnswerKind::Accepted,
        _ => return Appetite::Hungry,
    };
    said.say(Fact::answer(kind, code, printable(text)));
    Appetite::Full
}

/// `name:value|kind`, perhaps with a sample rate and tags behind.
fn is_measurement(line: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b':', line) else { return false };
    let (name, rest) = (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default());
    let mut parts = rest.split(|byte| *byte == b'|');
    let (value, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let named = name.first().is_some_and(|byte| begins_name(*byte)) && name.iter().all(u8::is_ascii_graphic);
    // A set counts whatever it is given.
    let valued = is_number(value.strip_prefix(b"+").unwrap_or(value)) || kind == b"s" && !value.is_empty();
    named && valued && [&b"c"[..], b"g", b"ms", b"h", b"s", b"m", b"d"].contains(&kind) && parts.all(|part| matches!(part, [b'@' | b'#' | b'c' | b'T', ..]))
}

const fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_number(text: &[u8]) -> bool {
    std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite)
}

const fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b';' | b'=' | b':' | b'%' | b'/' | b'~')
}

/// Path, value, time: one of this century in ten digits, or of whoever receives it.
fn is_point(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(path), Some(value), Some(time), None) = (words.next(), words.next(), words.next(), words.next()) else { return false };
    let pathed = path.contains(&b'.') && path.iter().all(|byte| is_path(*byte));
    pathed
        && (is_number(value) || value == b"nan")
        && (time == b"-1" || matches!(time, [b'1'..=b'9', ..] if time.len() == 10 && time.iter().all(u8::is_ascii_digit)))
}

/// A packet of version 2, and as many bytes of a later one as are tried.
const NRPE_2: u64 = 1036;
const NRPE_TRIED: u64 = 1200;
/// Paths of Graphite are file names.
const LONGEST_POINT: usize = 320;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, prefixes_never_match_anything_else, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// A packet of NRPE (`common.h`): of version 2 with 1,024 bytes of text and two of padding, else with the text's length.
    fn packet(version: u8, kind: u8, result: u8, text: &str) -> Vec<u8> {
        let mut body = [text.as_bytes(), &[0]].concat();
        let counted = match version {
            2 => {
                body.resize(1026, 0);
                vec![]
            }
            _ => [vec![0, 0], (body.len() as u32).to_be_bytes().to_vec()].concat(),
        };
        let rest = [&[0, result][..], &counted, &body].concat();
        let sum = crc32fast::hash(&[&[0, version, 0, kind, 0, 0, 0, 0][..], &rest].concat());
        [&[0, version, 0, kind][..], &sum.to_be_bytes(), &rest].concat()
    }

    #[test]
    fn nrpe_is_told_by_its_checksum_and_says_what_it_does_not_run() {
        for version in [2, 3, 4] {
            let (ask, ran) = (packet(version, 1, 0, "check_load!5!9"), packet(version, 2, 2, "CRITICAL - load average: 9"));
            assert_eq!(evidence(decide(&NRPE, Transport::TCP, 50_001, &ask, &[])), Evidence::OneOpening);
            assert_eq!(evidence(decide(&NRPE, Transport::TCP, 5666, &ask, &ran)), Evidence::BothOpenings);
            let broken = [&ask[..20], &[1], &ask[21..]].concat();
            assert_eq!(evidence(decide(&NRPE, Transport::TCP, 5666, &broken, &[])), Evidence::None);
            let served: &[(Side, &[u8])] = &[(Client, &ask), (Server, &ran)];
            survives(&NRPE, Transport::TCP, 5666, served);
            let told = read(&NRPE, Transport::TCP, 5666, served).facts;
            assert!(
                told.contains(&Fact::request("check", "check_load")) && told.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Accepted, .. }))
            );
            let unknown = packet(version, 2, 3, "NRPE: Command 'nope' not defined");
            let refused = Fact::answer(AnswerKind::Refused, 0, "NRPE: Command 'nope' not defined");
            assert!(read(&NRPE, Transport::TCP, 5666, &[(Client, &ask), (Server, &unknown)]).facts.contains(&refused));
            prefixes_never_match_anything_else("nrpe", Transport::TCP, &ask, &ran);
        }
    }

    fn line(text: &str) -> Vec<u8> {
        [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
    }

    // Bacula 9.6: a director to a file daemon that has another password for it
    #[test]
    fn bacula_says_hello_and_lets_in_or_not() {
        let (hello, proof) = (line("Hello Director d-dir calling 10002 tlspsk=1\n"), line("auth cram-md5 <936877124.1795786965@h-fd> ssl=0\n"));
        assert_eq!(evidence(decide(&BACULA, Transport::TCP, 50_001, &hello, &proof)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&BACULA, Transport::TCP, 9102, &line("Hello world\n"), &[])), Evidence::None);
        let told = |last: &str| {
            let last = line(last);
            let dialogue: &[(Side, &[u8])] = &[(Client, &hello), (Server, &proof), (Client, &line("1vj3+W+fV7/Fp5Uqt++o/C")), (Server, &last)];
            survives(&BACULA, Transport::TCP, 9102, dialogue);
            read(&BACULA, Transport::TCP, 9102, dialogue).facts
        };
        assert_eq!(told("1999 Authorization failed.\n"), [Fact::answer(AnswerKind::Refused, 1999, "Authorization failed.")]);
        assert_eq!(told("2000 OK Hello 214\n"), [Fact::answer(AnswerKind::Accepted, 2000, "OK Hello 214")]);
        assert!(told("1000 OK auth\n").is_empty());
        prefixes_never_match_anything_else("bacula", Transport::TCP, &hello, &proof);
    }

    #[test]
    fn measurements_are_told_by_their_lines_and_not_answered() {
        let whole: &[u8] = b"web.hits:1|c\nweb.time:320|ms|@0.1|#host:a\nusers:alice|s\ntemp:-3.5|g\n";
        assert_eq!(evidence(decide(&STATSD, Transport::UDP, 8125, whole, &[])), Evidence::OneOpening);
        for other in [&b"web.hits:1|x"[..], b"GET / HTTP|c", b"a:b|c", b"INFO: started | ok", b"\n"] {
            assert_eq!(evidence(decide(&STATSD, Transport::UDP, 8125, other, &[])), Evidence::None, "{other:?}");
        }
        let point: &[u8] = b"h.load.load.shortterm 3.646972656250 1795786929\r\nh.load.load.midterm 4.2 1795786929\r\n";
        for transport in [Transport::TCP, Transport::UDP] {
            assert_eq!(evidence(decide(&GRAPHITE, transport, 2003, point, &[])), Evidence::OneOpening);
            for other in [&b"h.load 3.6 17957\n"[..], b"hello big world\n", b"load 1 1795786929\n", b"a.b x 1795786929\n"] {
                assert_eq!(evidence(decide(&GRAPHITE, transport, 2003, other, &[])), Evidence::None, "{other:?}");
            }
            survives(&GRAPHITE, transport, 2003, &[(Client, point)]);
            assert!(read(&GRAPHITE, transport, 2003, &[(Client, point)]).says(&Fact::OneWay));
        }
        assert!(read(&STATSD, Transport::UDP, 8125, &[(Client, whole)]).says(&Fact::OneWay));
        survives(&STATSD, Transport::UDP, 8125, &[(Client, whole)]);
        prefixes_never_match_anything_else("graphite", Transport::TCP, point, &[]);
    }
}
