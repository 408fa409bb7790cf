//! MQTT 3.1, 3.1.1 and 5 (OASIS MQTT 3.1.1 and 5.0, section 3.1 and 3.2).

use crate::identify::wire::{Cursor, Length, Messages, printable};

use super::{Appetite, Evidence, Fact, Known, Look, Opening, Over, Piece, Reader, Said, Side, Strength};
use crate::identify::AnswerKind;

/// MQTT.
pub static MQTT: Known =
    Known { name: "mqtt", over: Over::Streams, ask: connect, answer: Some(connack), strength: Strength::Magic, reader: || Box::<MqttReader>::default() };

/// Packet type 1, remaining length, protocol name and its level, reserved flag clear.
fn connect(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    let Some((&0x10, rest)) = bytes.split_first() else {
        return if bytes.is_empty() { Look::Short } else { later(opening, bytes, SENT_BY_CLIENTS) };
    };
    let mut at = Cursor::new(rest);
    let remaining = match remaining_length(&mut at) {
        Some(Some(remaining)) => remaining,
        Some(None) => return Look::No,
        None => return Look::Short,
    };
    let name_at = at.at();
    let body = at.rest();
    let names: [(&[u8], &[u8]); 2] = [(b"\0\x04MQTT", &[4, 5]), (b"\0\x06MQIsdp", &[3])];
    for (name, levels) in names {
        let shared = body.len().min(name.len());
        if body[..shared] != name[..shared] {
            continue;
        }
        return match body.get(name.len()..) {
            Some([level, flags, ..]) => {
                let len = u32::try_from(1 + name_at + name.len() + 2).unwrap_or(u32::MAX);
                // Bridges of mosquitto set the top bit of the level.
                Look::when(levels.contains(&(level & 0x7f)) && flags & 1 == 0 && remaining >= 10, len, "MQTT CONNECT")
            }
            _ => Look::Short,
        };
    }
    Look::No
}

/// Alone four loose bytes; it confirms.
fn connack(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        [] | [0x20] | [0x20, _] | [0x20, _, _] => Look::Short,
        [0x20, 2, 0 | 1, 0..=5, ..] => Look::Weak(0, 4, "MQTT CONNACK"),
        [0x20, 3..=0x7f, 0 | 1, 0 | 0x80..=0x9f, ..] => Look::Weak(0, 4, "MQTT 5 CONNACK"),
        _ => later(opening, bytes, SENT_BY_SERVERS),
    }
}

/// Players and sensors stay connected for days, so most captures begin after CONNECT. At MQTT's port a message to a topic shows it, and what else may come must
/// fit on both sides, as a ping and its answer do.
fn later(opening: &Opening<'_>, bytes: &[u8], sent: &[u8]) -> Look {
    if !opening.midstream || !opening.is_at(&[1883]) {
        return Look::No;
    }
    let mut at = Cursor::new(bytes);
    let mut publishes = false;
    while let Some(first) = at.u8() {
        let kind = first >> 4;
        let flags_fit = match kind {
            PUBLISH => first & 6 != 6,
            6 | 8 | 10 => first & 0xf == 2,
            _ => first & 0xf == 0,
        };
        if !sent.contains(&kind) || !flags_fit {
            return Look::No;
        }
        let remaining = match remaining_length(&mut at) {
            Some(Some(remaining)) => remaining,
            Some(None) => return Look::No,
            None => break,
        };
        let Some(body) = at.take(remaining as usize) else {
            publishes |= kind == PUBLISH && names_topic(at.rest());
            break;
        };
        match kind {
            PUBLISH if names_topic(body) => publishes = true,
            12 | 13 if body.is_empty() => {}
            // An identifier of two bytes at least, or a reason to leave.
            14 | 4..=11 if kind == 14 || body.len() >= 2 => {}
            _ => return Look::No,
        }
    }
    match publishes {
        true => Look::Yes(0, 4, "MQTT PUBLISH at its port, CONNECT not seen"),
        false if bytes.len() < 2 => Look::Short,
        false => Look::Weak(0, 2, "MQTT packets at its port, CONNECT not seen"),
    }
}

/// Whether a PUBLISH begins with the name of a topic (MQTT 5.0 section 3.3.2.1): readable and without a wildcard.
fn names_topic(body: &[u8]) -> bool {
    let mut at = Cursor::new(body);
    let Some(len @ 1..) = at.be16() else { return false };
    let topic = at.take(usize::from(len)).and_then(|topic| std::str::from_utf8(topic).ok());
    topic.is_some_and(|topic| topic.chars().all(|letter| !letter.is_control() && !matches!(letter, '+' | '#')))
}

/// MQTT section 2.2.3: none where it is not all there, `Some(None)` where it never ends.
fn remaining_length(at: &mut Cursor<'_>) -> Option<Option<u32>> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = at.u8()?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(Some(value));
        }
    }
    Some(None)
}

fn length(bytes: &[u8]) -> Length {
    let mut at = Cursor::new(bytes);
    if at.u8().is_none() {
        return Length::Unknown;
    }
    match remaining_length(&mut at) {
        Some(Some(remaining)) => Length::Is(at.at() as u64 + u64::from(remaining)),
        Some(None) => Length::Wrong,
        None => Length::Unknown,
    }
}

/// Reads CONNECT and CONNACK.
#[derive(Debug, Default)]
struct MqttReader {
    sides: [Messages; 2],
    level: u8,
    connected: bool,
    /// The client was let in; what it asks for may be refused all the same.
    accepted: bool,
    refused: bool,
}

impl Reader for MqttReader {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let mut rest = piece.bytes;
        if piece.missing > 0 {
            return Appetite::Full;
        }
        while let Some(packet) = self.sides[piece.from as usize].next(&mut rest, length) {
            let mut at = Cursor::new(&packet);
            let first = at.u8().unwrap_or_default();
            let kind = first >> 4;
            remaining_length(&mut at);
            match kind {
                1 => self.connect(&mut at, said).unwrap_or_default(),
                2 if !self.connack(&mut at, piece.from, said) => return Appetite::Full,
                3..=5 | 9 | 12 | 14 if self.accepted && self.goes_on(first, at, piece.from, said) == Appetite::Full => return Appetite::Full,
                _ => {}
            }
        }
        if self.sides[piece.from as usize].is_broken() { Appetite::Full } else { Appetite::Hungry }
    }
}

impl MqttReader {
    fn connect(&mut self, at: &mut Cursor<'_>, said: &mut Said<'_>) -> Option<()> {
        let name = at.be16()?;
        at.take(usize::from(name))?;
        self.level = at.u8()? & 0x7f;
        self.connected = true;
        said.detail(
            "mqtt",
            "version",
            match self.level {
                3 => "3.1",
                4 => "3.1.1",
                _ => "5",
            },
        );
        let _flags = at.u8()?;
        said.detail("mqtt", "keep_alive", at.be16()?);
        if self.level == 5 {
            let properties = remaining_length(at)??;
            at.take(properties as usize)?;
        }
        let len = at.be16()?;
        let name = at.take(usize::from(len))?;
        said.detail("mqtt", "client_id", printable(name));
        // Who gives none gets one.
        if !name.is_empty() {
            said.say(Fact::Session(printable(name)));
        }
        Some(())
    }

    /// Whether the client was let in.
    fn connack(&mut self, at: &mut Cursor<'_>, from: Side, said: &mut Said<'_>) -> bool {
        let (Some(_flags), Some(code)) = (at.u8(), at.u8()) else { return false };
        let kind = match code {
            0 => AnswerKind::Accepted,
            3 if self.level < 5 => AnswerKind::Failed,
            0x88 | 0x89 => AnswerKind::Failed,
            0x9c | 0x9d => AnswerKind::Redirected,
            _ => AnswerKind::Refused,
        };
        said.say(Fact::Answer { kind, code: u32::from(code), text: reason(self.level, code).into(), by: from });
        said.believe(if self.connected { Evidence::Dialogue } else { Evidence::OneOpening });
        self.accepted = code == 0 && self.connected;
        self.accepted
    }

    /// What becomes of the first thing that a client asks for once it was let in: a broker that grants or delivers anything serves, one that refuses says why
    /// (MQTT 3.1.1 section 3.9.3, MQTT 5 section 2.4). Who publishes without an answer, or only keeps the connection open, learns nothing.
    fn goes_on(&mut self, first: u8, mut at: Cursor<'_>, from: Side, said: &mut Said<'_>) -> Appetite {
        let (what, code) = match (first >> 4, from) {
            (3, Side::Server) => ("delivered", Some(0)),
            (4 | 5, Side::Server) => {
                at.be16();
                ("publication refused", at.u8().or(Some(0)))
            }
            (9, Side::Server) => {
                at.be16();
                if self.level == 5 {
                    remaining_length(&mut at).flatten().and_then(|properties| at.take(properties as usize));
                }
                ("subscription refused", at.rest().iter().min().copied())
            }
            (14, Side::Server) => ("disconnected", at.u8().filter(|code| *code >= REFUSES)),
            // With a quality of service that is answered, it waits for that.
            (3, Side::Client) if first & 6 != 0 => return Appetite::Hungry,
            (4 | 5, Side::Client) => return Appetite::Hungry,
            _ => return Appetite::Full,
        };
        let Some(code) = code else { return Appetite::Full };
        if code >= REFUSES {
            self.refused = true;
            let text = format!("{what} ({})", reason(self.level, code));
            said.say(Fact::Answer { kind: AnswerKind::Refused, code: u32::from(code), text: text.into(), by: from });
            return Appetite::Hungry;
        }
        if self.refused {
            said.say(Fact::Answer { kind: AnswerKind::Accepted, code: 0, text: "granted".into(), by: from });
        }
        Appetite::Full
    }
}

/// MQTT 3.1.1 table 3.1, MQTT 5 section 3.2.2.2.
fn reason(level: u8, code: u8) -> &'static str {
    match (level, code) {
        (_, 0) => "accepted",
        (3 | 4, 1) | (_, 0x84) => "unsupported protocol version",
        (3 | 4, 2) | (_, 0x85) => "client identifier not valid",
        (3 | 4, 3) | (_, 0x88) => "server unavailable",
        (3 | 4, 4) | (_, 0x86) => "bad user name or password",
        (3 | 4, 5) | (_, 0x87) => "not authorized",
        (_, 0x80) => "unspecified error",
        (_, 0x81) => "malformed packet",
        (_, 0x82) => "protocol error",
        (_, 0x83) => "implementation specific error",
        (_, 0x89) => "server busy",
        (_, 0x8a) => "banned",
        (_, 0x8b) => "server shutting down",
        (_, 0x8d) => "keep alive timeout",
        (_, 0x8e) => "session taken over",
        (_, 0x8f) => "topic filter invalid",
        (_, 0x8c) => "bad authentication method",
        (_, 0x90) => "topic name invalid",
        (_, 0x95) => "packet too large",
        (_, 0x97) => "quota exceeded",
        (_, 0x9c) => "use another server",
        (_, 0x9d) => "server moved",
        (_, 0x9f) => "connection rate exceeded",
        _ => "unknown reason",
    }
}

const PUBLISH: u8 = 3;
/// Packet types that a client may send once it is connected (MQTT 5.0 section 2.1.2).
const SENT_BY_CLIENTS: &[u8] = &[PUBLISH, 4, 5, 6, 7, 8, 10, 12, 14];
/// And a server.
const SENT_BY_SERVERS: &[u8] = &[PUBLISH, 4, 5, 6, 7, 9, 11, 13, 14];
/// Reason codes from which on nothing was done; so is the only failure that MQTT 3.1.1 has for a subscription.
const REFUSES: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::super::testing::{decide, evidence, prefixes_never_match_anything_else, read_all, survives};
    use super::super::{Probe, Protocol};
    use super::*;
    use crate::net::Transport;

    fn packet(level: u8) -> Vec<u8> {
        let properties: &[u8] = if level == 5 { &[0] } else { &[] };
        let body = [b"\0\x04MQTT", &[level, 2, 0, 60][..], properties, b"\0\x06player"].concat();
        [&[0x10, body.len() as u8][..], &body].concat()
    }

    #[test]
    fn connect_names_version_and_client_and_connack_answers() {
        for (level, connack, version) in [(4, &[0x20, 2, 0, 5][..], "3.1.1"), (5, &[0x20, 3, 0, 0x87, 0][..], "5")] {
            let told = read_all(&MQTT, &[(Side::Client, &packet(level)), (Side::Server, connack)]);
            assert_eq!((told.detail("mqtt", "version"), told.detail("mqtt", "client_id")), (Some(version.into()), Some("player".into())));
            assert!(told.says(&Fact::Session("player".into())));
            let code = u32::from(connack[3]);
            assert!(told.says(&Fact::answer(AnswerKind::Refused, code, "not authorized")));
            assert_eq!(told.evidence, Evidence::Dialogue);
            survives(&MQTT, Transport::TCP, 1883, &[(Side::Client, &packet(level)), (Side::Server, connack)]);
        }
    }

    // mosquitto with an access list: MQTT 5 names the reason, 3.1.1 has one failure for all (its section 3.9.3).
    #[test]
    fn a_broker_that_lets_in_and_grants_nothing_refuses_until_it_grants_or_delivers() {
        let refusals: [(u8, &[u8], u32, &str); 4] = [
            (5, &[0x90, 4, 0, 1, 0, 0x87], 0x87, "subscription refused (not authorized)"),
            (4, &[0x90, 3, 0, 1, 0x80], 0x80, "subscription refused (unspecified error)"),
            (5, &[0x40, 3, 0, 1, 0x87], 0x87, "publication refused (not authorized)"),
            (5, &[0xe0, 2, 0x8e, 0], 0x8e, "disconnected (session taken over)"),
        ];
        for (level, refusal, code, text) in refusals {
            let connack: &[u8] = if level == 5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] };
            let connect = packet(level);
            let begun = [(Side::Client, &connect[..]), (Side::Server, connack), (Side::Client, &[0x82, 6, 0, 1, 0, 1, b'a', 1]), (Side::Server, refusal)];
            let refused = Fact::answer(AnswerKind::Refused, code, text);
            let told = read_all(&MQTT, &begun);
            assert_eq!((told.facts.last(), told.appetite), (Some(&refused), Appetite::Hungry));
            survives(&MQTT, Transport::TCP, 1883, &begun);
            // A message that comes shows that something was granted; one of two topics is enough.
            let granted = read_all(&MQTT, &[&begun[..], &[(Side::Server, &[0x30, 4, 0, 1, b'a', b'x'])]].concat());
            assert!(matches!(granted.facts.last(), Some(Fact::Answer { kind: AnswerKind::Accepted, .. })) && granted.appetite == Appetite::Full);
        }
        let some = read_all(&MQTT, &[(Side::Client, &packet(4)), (Side::Server, &[0x20, 2, 0, 0]), (Side::Server, &[0x90, 4, 0, 1, 0x80, 0])]);
        assert!(some.facts.iter().all(|fact| !matches!(fact, Fact::Answer { kind: AnswerKind::Refused, .. })));
        // Who only keeps the connection open is left in peace.
        assert_eq!(read_all(&MQTT, &[(Side::Client, &packet(4)), (Side::Server, &[0x20, 2, 0, 0]), (Side::Client, &[0xc0, 0])]).appetite, Appetite::Full);
    }

    // What `mosquitto_sub` and `mosquitto_pub` send once they are connected.
    #[test]
    fn a_connection_that_was_there_before_the_capture_is_told_at_its_port_by_messages_or_by_pings() {
        let at = |port, client: &[u8], server: &[u8]| {
            let opening = Opening { midstream: true, ..crate::identify::protocol::testing::opening(Transport::TCP, port, client, server) };
            MQTT.probe(&opening)
        };
        // To topic `a/b`, quality 1, identifier 7; its acknowledgment; one that is cut off behind its topic.
        let (publish, puback, long) = ([0x32, 8, 0, 3, b'a', b'/', b'b', 0, 7, b'x'], [0x40, 2, 0, 7], [0x30, 0xc8, 1, 0, 3, b'a', b'/', b'b', b'x']);
        let (ping, pong) = ([0xc0, 0], [0xd0, 0]);
        assert_eq!(evidence(at(1883, &publish, &[])), Evidence::OneOpening);
        assert_eq!(evidence(at(1883, &long, &[])), Evidence::OneOpening);
        assert_eq!(evidence(at(1883, &publish, &puback)), Evidence::BothOpenings);
        assert!(matches!(at(1883, &ping, &pong), Probe::Found { client: Some(Side::Client), .. }));
        // The broker was heard first.
        assert!(matches!(at(1883, &pong, &ping), Probe::Found { client: Some(Side::Server), .. }));
        assert_eq!(at(1883, &ping, &[]), Probe::NeedMore);
        for (port, client, server) in [
            (9_999, &publish[..], &puback[..]),
            (1883, &ping, &ping),
            // A wildcard is no topic that is published to; quality 3 is none.
            (1883, &[0x30, 5, 0, 3, b'a', b'/', b'#'], &[]),
            (1883, &[0x36, 8, 0, 3, b'a', b'/', b'b', 0, 7, b'x'], &[]),
            (1883, &[0x30, 5, 0, 3, b'a', b'/', 7], &[]),
            (1883, &[0xc0, 1, 0], &pong),
        ] {
            assert_eq!(at(port, client, server), Probe::NotForUs, "{port} {client:x?}");
        }
        let opened = crate::identify::protocol::testing::opening(Transport::TCP, 1883, &publish, &puback);
        assert_eq!(MQTT.probe(&opened), Probe::NotForUs, "its start was seen");
    }

    #[test]
    fn a_connack_alone_or_a_reserved_flag_is_no_mqtt() {
        assert_eq!(evidence(decide(&MQTT, Transport::TCP, 1883, &[], &[0x20, 2, 0, 0])), Evidence::None);
        let mut wrong = packet(4);
        wrong[9] |= 1;
        assert_eq!(evidence(decide(&MQTT, Transport::TCP, 1883, &wrong, &[])), Evidence::None);
        assert_eq!(evidence(decide(&MQTT, Transport::TCP, 1883, &packet(4), &[])), Evidence::OneOpening);
        prefixes_never_match_anything_else("mqtt", Transport::TCP, &packet(4), &[0x20, 2, 0, 0]);
    }
}
