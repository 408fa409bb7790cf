//! IRC: whether the server takes who registers (RFC 2812).

use crate::identify::wire::{begins, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::Side;

use super::talk::{Talk, opens_with};
use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by registration of the client, prefixed replies of the server (sections 2.3 and 3.1).
pub static IRC: Known =
    Known { name: "irc", over: Over::Streams, ask, answer: Some(answer), strength: Strength::Text, reader: || Box::<Registration>::default() };

fn ask(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match opens_with(bytes, &["NICK", "USER", "PASS", "CAP", "ISON", "JOIN", "PRIVMSG", "PING", "PONG", "STARTTLS"]) {
        Some(true) => {
            let says = |word: &[u8]| bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(word));
            let both = says(b"NICK ") && says(b"USER ");
            if both { Look::Yes(0, 5, "IRC registration") } else { Look::Weak(0, 4, "IRC command") }
        }
        Some(false) => Look::No,
        None => Look::Short,
    }
}

fn answer(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        [b':', rest @ ..] => {
            let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let word = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
            let known =
                word.len() == 3 && word.iter().all(u8::is_ascii_digit) || [b"NOTICE".as_slice(), b"CAP", b"PONG", b"JOIN", b"PRIVMSG", b"MODE"].contains(&word);
            if known {
                Look::Weak(0, 1, "IRC reply")
            } else if rest.len() < 128 && !rest.contains(&b'\n') {
                Look::Short
            } else {
                Look::No
            }
        }
        _ => Look::weakly(opens_with(bytes, &["NOTICE", "PING", "ERROR"]), 4, "IRC notice"),
    }
}

/// Reads until the server welcomes its client, or does not.
#[derive(Debug, Default)]
struct Registration {
    talk: Talk,
    /// Behind the last line of each side.
    read_to: [u64; 2],
    heard: [bool; 2],
    /// The client was heard to register: in the middle of a session `ERROR` is a farewell.
    registers: bool,
}

impl Reader for Registration {
    fn held(&self) -> usize {
        self.talk.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let side = piece.from as usize;
        // The welcome may have been in what is missing.
        if piece.missing > 0 && piece.from == Side::Server && self.registers {
            return Appetite::Full;
        }
        for (line, end) in self.talk.hear(&piece) {
            (self.read_to[side], self.heard[side]) = (end, true);
            if self.heard == [true, true] {
                said.believe(Evidence::BothOpenings);
            }
            self.registers |= piece.from == Side::Client && begins(&line, b"USER ");
            if piece.from == Side::Server
                && let appetite @ (Appetite::Full | Appetite::HandOver { .. }) = self.reply(line.trim_ascii_end(), said)
            {
                return appetite;
            }
        }
        Appetite::Hungry
    }
}

impl Registration {
    /// A line of the server: perhaps a prefix, a command or number, parameters, of which the last may have blanks (section 2.3.1).
    fn reply(&self, line: &[u8], said: &mut Said<'_>) -> Appetite {
        let unprefixed = match line {
            [b':', rest @ ..] => rest.splitn(2, |byte| *byte == b' ').nth(1).unwrap_or_default(),
            _ => line,
        };
        let mut words = unprefixed.splitn(2, |byte| *byte == b' ');
        let (command, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let text = memchr::memmem::find(rest, b":").and_then(|at| rest.get(at + 1..)).unwrap_or(rest);
        let answer = |kind, code| Fact::answer(kind, code, printable(text));
        let fact = match command {
            b"001" => answer(AnswerKind::Accepted, 1),
            // No permission for the host, a wrong password, banned (section 5.2).
            b"463" => answer(AnswerKind::Refused, 463),
            b"464" => answer(AnswerKind::Refused, 464),
            b"465" => answer(AnswerKind::Refused, 465),
            // What ends a connection (section 3.7.4).
            b"ERROR" if self.registers => answer(AnswerKind::Refused, 0),
            // TLS begins (IRCv3 "tls Extension").
            b"670" => return Appetite::HandOver { client: self.read_to[0], server: self.read_to[1] },
            _ => return Appetite::Hungry,
        };
        said.believe(Evidence::Dialogue);
        said.say(fact);
        Appetite::Full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, read, read_torn, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    const REGISTERS: &[u8] = b"NICK bob\r\nUSER bob 0 * :bob\r\n";

    #[test]
    fn irc_needs_both_sides_or_a_whole_registration() {
        assert_eq!(evidence(decide(&IRC, Transport::TCP, 6667, b"NICK a\r\nUSER a 0 * :a\r\n", b"")), Evidence::OneOpening);
        assert_eq!(evidence(decide(&IRC, Transport::TCP, 6667, b"NICK a\r\n", b":irc.x 001 a :Welcome\r\n")), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&IRC, Transport::TCP, 21, b"USER a\r\n", b"220 ready\r\n")), Evidence::None);
    }

    fn told(reply: &[u8]) -> Vec<Fact> {
        let dialogue: &[(Side, &[u8])] = &[(Client, REGISTERS), (Server, reply)];
        survives(&IRC, Transport::TCP, 6667, dialogue);
        let heard = read(&IRC, Transport::TCP, 6667, dialogue);
        assert!(heard.evidence >= Evidence::BothOpenings);
        heard.facts
    }

    // RFC 2812 sections 5.1 and 5.2; ngircd 26.1 to a client without the password of the server says ERROR alone
    #[test]
    fn a_server_welcomes_or_refuses() {
        assert_eq!(told(b"NOTICE * :Looking up\r\n:irc.x 001 bob :Welcome\r\n"), [Fact::answer(AnswerKind::Accepted, 1, "Welcome")]);
        assert_eq!(told(b":irc.x 464 * :Password incorrect\r\nERROR :Closing Link\r\n"), [Fact::answer(AnswerKind::Refused, 464, "Password incorrect")]);
        assert_eq!(told(b":irc.x 465 bob :You are banned\r\n"), [Fact::answer(AnswerKind::Refused, 465, "You are banned")]);
        assert_eq!(told(b"ERROR :Access denied: Bad password?\r\n"), [Fact::answer(AnswerKind::Refused, 0, "Access denied: Bad password?")]);
        assert!(told(b":irc.x 433 * bob :Nickname is already in use\r\n").is_empty());
    }

    #[test]
    fn a_farewell_in_a_session_whose_welcome_was_not_captured_refuses_nothing() {
        let farewell: &[u8] = b":irc.x 372 bob :- news\r\nERROR :Closing connection\r\n";
        assert!(read(&IRC, Transport::TCP, 6667, &[(Client, b"QUIT\r\n"), (Server, farewell)]).facts.is_empty());
        assert!(read_torn(&IRC, Transport::TCP, 6667, &[(Client, 0, REGISTERS), (Server, 120, farewell)]).facts.is_empty());
    }

    #[test]
    fn tls_begins_where_the_server_says_so() {
        let dialogue: &[(Side, &[u8])] = &[(Client, b"STARTTLS\r\n"), (Server, b":irc.x 670 * :STARTTLS successful\r\n")];
        assert_eq!(read(&IRC, Transport::TCP, 6667, dialogue).appetite, Appetite::HandOver { client: 10, server: 34 + 1 });
    }
}
