//! Syslog: log messages over UDP and TCP, which nobody answers (RFC 5424, RFC 3164, RFC 6587).

use arrayvec::ArrayVec;

use crate::identify::Fact;
use crate::identify::wire::{host_name, printable};
use crate::net::Transport;

use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by a priority up to 191 and what follows it: version and time, month and day, or anything at port 514.
pub static SYSLOG: Known = Known {
    name: "syslog",
    over: Over::Either(Gate::Bytes(&[b'0'..=b'9', b'<'..=b'<'])),
    ask: look,
    answer: Some(|_, _| Look::No),
    strength: Strength::Text,
    reader: || Box::new(Log),
};

fn look(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    let Some((at, message)) = after_priority(bytes) else {
        let short =
            opening.transport == Transport::TCP && bytes.len() < 12 && bytes.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'<' | b'>' | b' '));
        return if short { Look::Short } else { Look::No };
    };
    if opening.transport == Transport::TCP && may_be_dated(message) {
        return Look::Short;
    }
    let rule = "syslog priority and header";
    let text = message.iter().take(40).all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r' | 0));
    let dated =
        matches!(message, [b'1', b' ', b'-' | b'0'..=b'9', ..]) || MONTHS.iter().any(|month| message.starts_with(month) && message.get(3) == Some(&b' '));
    if dated && text { Look::Yes(at, 5, rule) } else { Look::when(text && !message.is_empty() && opening.is_at(PORTS), 5, rule) }
}

/// Whether more of a message may show its date.
fn may_be_dated(message: &[u8]) -> bool {
    b"1 ".starts_with(message) || MONTHS.iter().any(|month| month.starts_with(message))
}

/// What follows `<PRI>`, and where that began: a stream may count its messages first (RFC 6587 section 3.4.1).
fn after_priority(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let digits = bytes.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let at = if digits > 0 && bytes.get(digits) == Some(&b' ') { digits + 1 } else { 0 };
    let rest = bytes.get(at..)?.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|byte| *byte == b'>').filter(|end| *end > 0)?;
    let priority: u16 = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
    (priority <= 191).then_some((at as u32, rest.get(end + 1..)?))
}

/// Reads the first message's host and program.
#[derive(Debug)]
struct Log;

impl Reader for Log {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        said.say(Fact::OneWay);
        let [host, program] = after_priority(piece.bytes).map(|(_, rest)| origin(rest)).unwrap_or_default();
        if let Some(host) = host.and_then(host_name).filter(|host| &**host != NIL) {
            said.detail("syslog", "host", host);
        }
        if let Some(program) = program.map(printable).filter(|program| !program.is_empty() && &**program != NIL) {
            said.detail("syslog", "program", program);
        }
        Appetite::Full
    }
}

/// Host and program. After version 1 and a time they are the next two fields (RFC 5424 section 6.2); after month, day and time (RFC 3164 section 4.1), or a time by RFC 3339 as
/// rsyslog forwards, a host, which some leave out, and a tag. Without a time all is content (RFC 3164 section 4.3.3).
fn origin(message: &[u8]) -> [Option<&[u8]>; 2] {
    let words: ArrayVec<&[u8], 5> = message.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).take(5).collect();
    let (first, second) = match words[..] {
        [b"1", _, host, ref program @ ..] => return [Some(host), program.first().copied()],
        [month, day, time, first, ref rest @ ..] if MONTHS.contains(&month) && day.iter().all(u8::is_ascii_digit) && time.contains(&b':') => {
            (first, rest.first())
        }
        [[_, _, _, _, b'-', _, _, b'-', _, _, b'T', ..], first, ref rest @ ..] => (first, rest.first()),
        _ => return [None, None],
    };
    let is_tag = first.ends_with(b":") || first.contains(&b'[');
    let (host, tag) = if is_tag { (None, Some(first)) } else { (Some(first), second.copied()) };
    [host, tag.and_then(|tag| tag.split(|byte| matches!(byte, b'[' | b':')).next())]
}

/// What RFC 5424 writes for a field that has no value (section 6).
const NIL: &str = "-";
const MONTHS: &[&[u8]] = &[b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// Syslog over UDP, over TCP as commonly set up, and by RFC 6587's examples.
const PORTS: &[u16] = &[514, 601, 1514];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::Evidence;
    use crate::identify::protocol::testing::{decide, evidence, read, survives};
    use crate::identify::protocol::{Probe, Protocol};
    use crate::net::Side::Client;

    #[test]
    fn messages_of_both_formats_are_told_and_expect_no_answer() {
        // RFC 3164 section 5.4 and RFC 5424 section 6.5, first examples.
        let old = b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed".as_slice();
        let new = b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - failed".as_slice();
        for message in [old, new] {
            assert_eq!(evidence(decide(&SYSLOG, Transport::UDP, 5140, message, &[])), Evidence::OneOpening);
            let heard = read(&SYSLOG, Transport::UDP, 514, &[(Client, message)]);
            assert!(heard.facts.contains(&Fact::OneWay));
            assert_eq!(heard.detail("syslog", "program"), Some("su".to_owned().into()));
            survives(&SYSLOG, Transport::UDP, 514, &[(Client, message)]);
        }
    }

    // rsyslog's second connection of a capture: what is refused for its first bytes is refused for good
    #[test]
    fn a_message_of_which_little_has_come_is_not_refused() {
        let messages = ["<13>Nov 28 10:00:00 host app: line 0", "<165>1 - - - - - - Nothing is known", "37 <13>Nov 28 10:00:00 host app: line 0"];
        for message in messages {
            for len in 1..message.len() {
                assert_ne!(SYSLOG.probe(&Opening::of(Transport::TCP, &message.as_bytes()[..len], &[])), Probe::NotForUs, "{message} {len}");
            }
        }
        for other in [b"<b>Nov".as_slice(), b"<13>hello", b"<13>1 a", b"<13>Nova"] {
            assert_eq!(SYSLOG.probe(&Opening::of(Transport::TCP, other, &[])), Probe::NotForUs);
        }
    }

    #[test]
    fn only_a_message_with_a_time_names_its_host_and_program() {
        for (message, host, program) in [
            ("<34>Oct 11 22:14:15 mymachine su: 'su root' failed", Some("mymachine"), Some("su")),
            ("<133>Apr  5 12:56:51 robin[7]: Hello, syslog!", None, Some("robin")),
            ("<133>Apr  5 12:56:51 robin: Hello, syslog!", None, Some("robin")),
            ("<13>2013-09-12T19:16:34.457849+04:00 localhost su[7]: failed", Some("localhost"), Some("su")),
            // RFC 3164 section 4.3.3: no time, so all of it is content, as Cisco's devices send it.
            ("<166>%PIX-6-305011: Built dynamic TCP translation from inside:10.0.0.1/1067", None, None),
            ("<191>17888: Mar 26 16:38:02.801: %DOT11-7-AUTH_FAILED: Station", None, None),
            ("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - failed", Some("mymachine.example.com"), Some("su")),
            ("<165>1 - - - - - - Nothing is known", None, None),
        ] {
            let heard = read(&SYSLOG, Transport::UDP, 514, &[(Client, message.as_bytes())]);
            assert_eq!(["host", "program"].map(|field| heard.detail("syslog", field)), [host, program].map(|text| text.map(Into::into)), "{message}");
        }
    }

    #[test]
    fn xml_and_too_large_priorities_are_no_syslog() {
        assert_eq!(evidence(decide(&SYSLOG, Transport::UDP, 514, b"<192>1 2003", &[])), Evidence::None);
        assert_eq!(evidence(decide(&SYSLOG, Transport::UDP, 514, b"<root>", &[])), Evidence::None);
        assert_eq!(evidence(decide(&SYSLOG, Transport::UDP, 9999, b"<34>hello", &[])), Evidence::None);
    }
}
