//! Brokers: NATS, AMQP.

use crate::identify::wire::{Cursor, Length, begins, may_begin, printable};
use crate::identify::{AnswerKind, DetailValue, Evidence, Fact};
use crate::net::Side;

use super::exchange::Exchange;
use super::talk::{Talk, verb};
use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// NATS (its client protocol): the server says INFO with a JSON object first.
pub static NATS: Known = Known {
    name: "nats",
    over: Over::Streams,
    ask: |_, bytes| Look::word(bytes, b"CONNECT {", "NATS connect").weak(),
    answer: Some(|_, bytes| Look::word(bytes, b"INFO {", "NATS information")),
    strength: Strength::Text,
    reader: || Box::<Nats>::default(),
};

/// AMQP 0-9-1 and 1.0: the protocol header (AMQP 0-9-1 section 4.2.2, AMQP 1.0 section 2.2).
pub static AMQP: Known = Known {
    name: "amqp",
    over: Over::Streams,
    ask: amqp_header,
    answer: Some(|opening, bytes| match bytes {
        // connection.start: method frame on channel 0, class 10, method 10.
        [1, 0, 0, _, _, _, _, 0, 10, 0, 10, ..] => Look::Yes(0, 11, "AMQP connection.start"),
        [1] | [1, 0, ..] if bytes.len() < 11 => Look::Short,
        _ => amqp_header(opening, bytes),
    }),
    strength: Strength::Magic,
    reader: || Exchange::of(amqp_length, amqp_message),
};

fn amqp_header(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes.first_chunk::<8>() {
        // 0-9-1; 1.0 plain, in TLS, with SASL; 0-8, 0-9, 0-10.
        Some(
            [b'A', b'M', b'Q', b'P', 0, 0, 9, 1]
            | [b'A', b'M', b'Q', b'P', 0 | 2 | 3, 1, 0, 0]
            | [b'A', b'M', b'Q', b'P', 1, 1, 8, 0]
            | [b'A', b'M', b'Q', b'P', 1, 1, 0, 9 | 10],
        ) => Look::Yes(0, 8, "AMQP protocol header"),
        None if may_begin(bytes, b"AMQP") || bytes.starts_with(b"AMQP") => Look::Before(8),
        _ => Look::No,
    }
}

/// A protocol header has 8 bytes; a frame of 0-9-1 type, channel, length, and an end behind its payload (AMQP 0-9-1 section 4.2.3); one of 1.0 begins with
/// its own length (AMQP 1.0 section 2.3.1), which no peer lets grow to 16 MiB.
fn amqp_length(_: Side, bytes: &[u8]) -> Length {
    let mut at = Cursor::new(bytes);
    match bytes {
        [b'A', ..] => Length::Is(8),
        [0, ..] => at.be32().map_or(Length::Unknown, |len| if len >= 8 { Length::Is(u64::from(len)) } else { Length::Wrong }),
        [1..=4 | 8, ..] => {
            at.take(3);
            at.be32().map_or(Length::Unknown, |len| Length::Is(u64::from(len) + 8))
        }
        // TLS, which begins before the server's header was seen.
        [0x16, ..] | [] => Length::Unknown,
        _ => Length::Wrong,
    }
}

/// Reads until the client is let in or refused. Methods of 0-9-1 by class and number: 10, 41 opens the virtual host, 10, 50 closes (section 1.4 of its
/// reference); of 1.0 the outcome of the login, and what ends a connection (AMQP 1.0 sections 5.3.3.6 and 2.7.9).
fn amqp_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    if piece.from == Side::Client {
        return Appetite::Hungry;
    }
    said.believe(Evidence::BothOpenings);
    match bytes {
        [b'A', _, _, _, version @ ..] => {
            said.detail("amqp", "server_header", DetailValue::Bytes(version.into()));
            // Protocol 2 is TLS, which both headers agree on (AMQP 1.0 section 5.2).
            if version.first() == Some(&2) {
                said.believe(Evidence::Dialogue);
                return Appetite::HandOver { client: 0, server: 0 };
            }
        }
        [1, _, _, _, _, _, _, 0, 10, 0, 30, ..] => said.believe(Evidence::Dialogue),
        [1, _, _, _, _, _, _, 0, 10, 0, 41, ..] => {
            said.believe(Evidence::Dialogue);
            said.say(Fact::answer(AnswerKind::Accepted, 0, "open"));
            return Appetite::Full;
        }
        [1, _, _, _, _, _, _, 0, 10, 0, 50, a, b, len, text @ ..] => {
            said.believe(Evidence::Dialogue);
            let text = text.get(..usize::from(*len)).unwrap_or_default();
            said.say(Fact::answer(AnswerKind::Refused, u32::from(u16::from_be_bytes([*a, *b])), printable(text)));
            return Appetite::Full;
        }
        [0, _, _, _, doff, ..] => return amqp_performative(bytes.get(usize::from(*doff) * 4..).unwrap_or_default(), said),
        _ => (),
    }
    Appetite::Hungry
}

/// What a frame of AMQP 1.0 carries, by its number: sasl-outcome with its code; open, begin, close.
fn amqp_performative(body: &[u8], said: &mut Said<'_>) -> Appetite {
    match body {
        [0, 0x53, 0x44, 0xc0, _, _, 0x50, code, ..] => {
            said.believe(Evidence::Dialogue);
            said.say(match code {
                // What follows a login that was accepted may still be refused.
                0 => return Appetite::Hungry,
                1 => Fact::answer(AnswerKind::Refused, 1, "SASL: credentials refused"),
                _ => Fact::answer(AnswerKind::Failed, u32::from(*code), "SASL: the server failed"),
            });
            Appetite::Full
        }
        [0, 0x53, 0x10, ..] => {
            said.believe(Evidence::Dialogue);
            Appetite::Hungry
        }
        // A session begins: the connection was not closed for what its opening said.
        [0, 0x53, 0x11, ..] => {
            said.say(Fact::answer(AnswerKind::Accepted, 0, "begin"));
            Appetite::Full
        }
        [0, 0x53, 0x18, rest @ ..] => {
            // Its error names itself by a symbol: 0xa3, length, text (section 1.6.21).
            let named = memchr::memmem::find(rest, b"amqp:").and_then(|at| Some((rest.get(at..)?, *rest.get(at.checked_sub(1)?)?)));
            if let Some((name, len)) = named {
                said.say(Fact::answer(AnswerKind::Refused, 0, printable(name.get(..usize::from(len)).unwrap_or(name))));
            }
            Appetite::Full
        }
        _ => Appetite::Hungry,
    }
}

/// Reads whether the client is let in (NATS client protocol: `-ERR 'Authorization Violation'` closes the connection), and where TLS begins.
#[derive(Debug, Default)]
struct Nats {
    talk: Talk,
    /// Behind the server's first INFO.
    informed: Option<u64>,
    asked: bool,
}

impl Reader for Nats {
    fn held(&self) -> usize {
        self.talk.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            match (piece.bytes, self.informed) {
                // What the information demands, a client does before it says anything.
                ([0x16, ..], Some(server)) if piece.offset == 0 => return Appetite::HandOver { client: 0, server },
                _ => self.asked |= begins(piece.bytes, b"CONNECT "),
            }
        } else {
            for (line, end) in self.talk.hear(&piece) {
                let (word, text) = verb(&line);
                match word.as_str() {
                    "INFO" => self.informed = self.informed.or(Some(end)),
                    "-ERR" => {
                        let text = text.trim_ascii().strip_prefix(b"'").and_then(|text| text.strip_suffix(b"'")).unwrap_or(text);
                        said.say(Fact::answer(AnswerKind::Refused, 0, printable(text)));
                        return self.over(said);
                    }
                    // The server asks whether the client is still there, let in or not.
                    "PING" => (),
                    word => {
                        if matches!(word, "+OK" | "PONG") {
                            said.say(Fact::answer(AnswerKind::Accepted, 0, word));
                        }
                        return self.over(said);
                    }
                }
            }
        }
        if self.asked && self.informed.is_some() {
            said.believe(Evidence::BothOpenings);
        }
        Appetite::Hungry
    }
}

impl Nats {
    fn over(&self, said: &mut Said<'_>) -> Appetite {
        said.believe(if self.asked { Evidence::Dialogue } else { Evidence::OneOpening });
        Appetite::Full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    const HEADER: &[u8] = b"AMQP\0\0\x09\x01";
    const INFO: &[u8] = b"INFO {\"server_id\":\"NCYE\",\"version\":\"2.9.10\",\"proto\":1,\"auth_required\":true} \r\n";

    #[test]
    fn brokers_are_told_by_their_headers() {
        let start = hex("01 0000 00000010 000a 000a 0009");
        assert_eq!(evidence(decide(&AMQP, Transport::TCP, 5672, HEADER, &start)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&AMQP, Transport::TCP, 5672, b"AMQP over", b"")), Evidence::None);
        assert_eq!(evidence(decide(&NATS, Transport::TCP, 4222, b"", b"INFO {\"server_id\"")), Evidence::OneOpening);
        survives(&AMQP, Transport::TCP, 5672, &[(Client, HEADER), (Server, &start)]);
        survives(&AMQP, Transport::TCP, 5672, &[(Client, HEADER), (Server, b"AMQP\0\x01\0\0")]);
        survives(&NATS, Transport::TCP, 4222, &[(Server, INFO), (Client, b"CONNECT {\"verbose\":false}\r\n")]);
    }

    #[test]
    fn after_the_header_of_tls_both_sides_of_amqp_speak_tls() {
        let header = b"AMQP\x02\x01\0\0";
        let heard = read(&AMQP, Transport::TCP, 5671, &[(Client, header), (Server, header)]);
        assert_eq!(heard.appetite, Appetite::HandOver { client: 8, server: 8 });
    }

    // RabbitMQ 3.10 to a wrong password: connection.start, start-ok, connection.close 403 in answer to 10, 11
    #[test]
    fn a_broker_refuses_a_password_in_its_own_words() {
        let start = hex("01 0000 00000006 000a000a0009 ce");
        let text = b"ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.";
        let close = [&hex("01 0000 00000053 000a0032 0193"), &[text.len() as u8][..], text, &hex("000a000b ce")].concat();
        let dialogue: &[(Side, &[u8])] = &[(Client, HEADER), (Server, &start), (Client, &hex("01 0000 00000004 000a000b ce")), (Server, &close)];
        let refused = Fact::answer(AnswerKind::Refused, 403, printable(text));
        assert_eq!(read(&AMQP, Transport::TCP, 5672, dialogue).facts, [refused]);
        survives(&AMQP, Transport::TCP, 5672, dialogue);
    }

    // AMQP 0-9-1, connection.open-ok: what is closed later, such as a channel for a queue that is not there, is everyday
    #[test]
    fn a_broker_that_opened_its_virtual_host_serves() {
        let dialogue: &[(Side, &[u8])] = &[(Client, HEADER), (Server, &hex("01 0000 00000005 000a002900 ce"))];
        assert_eq!(read(&AMQP, Transport::TCP, 5672, dialogue).facts, [Fact::answer(AnswerKind::Accepted, 0, "open")]);
    }

    // RabbitMQ 3.10 to qpid-proton with a wrong password, and with the right one
    #[test]
    fn an_outcome_of_sasl_refuses_a_password() {
        let header = hex("414d5150 03 010000");
        let mechanisms = hex("0000003402010000005340c02701e02403b300000009414e4f4e594d4f555300000005504c41494e00000008414d51504c41494e");
        let init = hex("0000002002010000005341c01302a305504c41494ea009006775657374006e6f");
        let outcome = |code: u8| [&hex("0000001102010000005344c0040250")[..], &[code, 0x40]].concat();
        let answers = |code| {
            read(&AMQP, Transport::TCP, 5672, &[(Client, &header), (Server, &header), (Server, &mechanisms), (Client, &init), (Server, &outcome(code))]).facts
        };
        assert_eq!(answers(1), [Fact::answer(AnswerKind::Refused, 1, "SASL: credentials refused")]);
        assert!(answers(0).is_empty());
        survives(&AMQP, Transport::TCP, 5672, &[(Client, &header), (Server, &header), (Server, &mechanisms), (Client, &init), (Server, &outcome(1))]);
    }

    // nats-server 2.9 to a wrong password
    #[test]
    fn nats_refuses_in_words_and_lets_in_with_pong() {
        let connect: &[u8] = b"CONNECT {\"user\":\"u\",\"pass\":\"q\"}\r\nPING\r\n";
        let facts = |answer: &[u8]| read(&NATS, Transport::TCP, 4222, &[(Server, INFO), (Client, connect), (Server, answer)]).facts;
        let said = |kind, text: &str| [Fact::answer(kind, 0, text)];
        assert_eq!(facts(b"-ERR 'Authorization Violation'\r\n"), said(AnswerKind::Refused, "Authorization Violation"));
        assert_eq!(facts(b"PONG\r\n"), said(AnswerKind::Accepted, "PONG"));
        survives(&NATS, Transport::TCP, 4222, &[(Server, INFO), (Client, connect), (Server, b"-ERR 'Authorization Violation'\r\n")]);
    }

    #[test]
    fn after_its_information_nats_may_go_on_in_tls() {
        let heard = read(&NATS, Transport::TCP, 4222, &[(Server, INFO), (Client, &hex("16030100 05 010000010303"))]);
        assert_eq!(heard.appetite, Appetite::HandOver { client: 0, server: INFO.len() as u64 });
    }
}
