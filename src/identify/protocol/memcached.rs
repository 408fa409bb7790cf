//! How a Memcached server took its client: a password in clear text (`-Y`, its protocol.txt) or by SASL (its binary protocol).

use crate::identify::wire::{Cursor, Length, Messages, begins, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::{Side, Transport};

use super::talk::Talk;
use super::{Appetite, Piece, Reader, Said};

/// Reads replies until one serves. Whoever is refused may give another password, so a refusal is told together with the first reply that is none.
#[derive(Debug, Default)]
pub(super) struct Replies {
    talk: Talk,
    binary: Messages,
    /// Whether replies are of the binary protocol, once one was seen.
    is_binary: Option<bool>,
    refused: bool,
}

impl Reader for Replies {
    fn held(&self) -> usize {
        self.talk.held() + self.binary.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            return Appetite::Hungry;
        }
        said.believe(Evidence::BothOpenings);
        // Passwords are given in connections.
        if piece.transport == Transport::UDP || piece.missing > 0 {
            return Appetite::Full;
        }
        let served = if *self.is_binary.get_or_insert(piece.bytes.first() == Some(&REPLY)) { self.frames(&piece, said) } else { self.lines(&piece, said) };
        if served || self.binary.is_broken() { Appetite::Full } else { Appetite::Hungry }
    }
}

impl Replies {
    /// Whether one of the lines serves.
    fn lines(&mut self, piece: &Piece<'_>, said: &mut Said<'_>) -> bool {
        for (line, _) in self.talk.hear(piece) {
            if SHUT_OUT.iter().any(|word| line.eq_ignore_ascii_case(word)) {
                self.refuse(0, &line, said);
            } else if ![b"ERROR".as_slice(), b"CLIENT_ERROR", b"SERVER_ERROR"].iter().any(|word| begins(&line, word)) {
                self.accept(&line, said);
                return true;
            }
        }
        false
    }

    /// Whether one of the replies serves.
    fn frames(&mut self, piece: &Piece<'_>, said: &mut Said<'_>) -> bool {
        let mut rest = piece.bytes;
        let length = |bytes: &[u8]| match bytes.first_chunk::<HEADER>() {
            Some([REPLY, .., a, b, c, d, _, _, _, _, _, _, _, _, _, _, _, _]) => Length::Is(HEADER as u64 + u64::from(u32::from_be_bytes([*a, *b, *c, *d]))),
            Some(_) => Length::Wrong,
            None => Length::Unknown,
        };
        while let Some(reply) = self.binary.next(&mut rest, length) {
            let mut at = Cursor::new(&reply);
            let (Some(_), Some(command), Some(_), Some(_), Some(status)) = (at.u8(), at.u8(), at.be16(), at.be16(), at.be16()) else { return true };
            match (command, status) {
                // What can be asked before the login, and a login that goes on.
                (LIST_MECHANISMS | VERSION, _) | (_, CONTINUES) => {}
                (_, NOT_LET_IN) => self.refuse(status.into(), b"authentication error", said),
                _ => {
                    self.accept(b"no error", said);
                    return true;
                }
            }
        }
        false
    }

    /// The first refusal says what was wrong.
    fn refuse(&mut self, code: u32, text: &[u8], said: &mut Said<'_>) {
        if !std::mem::replace(&mut self.refused, true) {
            said.say(Fact::answer(AnswerKind::Refused, code, printable(text)));
        }
    }

    fn accept(&mut self, text: &[u8], said: &mut Said<'_>) {
        if self.refused {
            said.say(Fact::answer(AnswerKind::Accepted, 0, printable(text)));
        }
    }
}

/// What is said to who has not given a password, or a wrong one.
const SHUT_OUT: &[&[u8]] = &[b"CLIENT_ERROR unauthenticated", b"CLIENT_ERROR authentication failure"];
/// A reply of the binary protocol begins so, and has so long a header.
const REPLY: u8 = 0x81;
const HEADER: usize = 24;
/// Commands and states of the binary protocol.
const VERSION: u8 = 0x0b;
const LIST_MECHANISMS: u8 = 0x20;
const NOT_LET_IN: u16 = 0x20;
const CONTINUES: u16 = 0x21;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::stores::MEMCACHED;
    use crate::identify::protocol::testing::{hex, read, survives};
    use crate::net::Side::{Client, Server};

    fn told(dialogue: &[(Side, &[u8])]) -> Vec<(AnswerKind, u32, String)> {
        survives(&MEMCACHED, Transport::TCP, 11211, dialogue);
        let told = |fact: &Fact| if let Fact::Answer { kind, code, text, .. } = fact { Some((*kind, *code, text.to_string())) } else { None };
        read(&MEMCACHED, Transport::TCP, 11211, dialogue).facts.iter().filter_map(told).collect()
    }

    // memcached 1.6.18 -Y
    #[test]
    fn a_password_in_clear_is_refused_until_one_is_taken() {
        let asks: [(Side, &[u8]); 4] = [
            (Client, b"get a\r\n"),
            (Server, b"CLIENT_ERROR unauthenticated\r\n"),
            (Client, b"set a 0 0 9\r\nbob wrong\r\n"),
            (Server, b"CLIENT_ERROR authentication failure\r\n"),
        ];
        let refused = (AnswerKind::Refused, 0, "CLIENT_ERROR unauthenticated".to_owned());
        assert_eq!(told(&asks), std::slice::from_ref(&refused));
        let again = [&asks[..], &[(Client, b"set a 0 0 9\r\nbob right\r\n"), (Server, b"STORED\r\n")]].concat();
        assert_eq!(told(&again), [refused, (AnswerKind::Accepted, 0, "STORED".to_owned())]);
        // A command that the server does not know, and a value that says what a refusal says, are everyday.
        let value: &[u8] = b"ERROR\r\nVALUE a 0 28\r\nCLIENT_ERROR unauthenticated\r\nEND\r\n";
        assert!(told(&[(Client, b"get a\r\n"), (Server, value)]).is_empty());
    }

    // python-binary-memcached asks for the mechanisms first
    #[test]
    fn a_login_by_sasl_is_refused_by_its_state() {
        let asks = hex("80 20 0000 00 00 0000 00000000 00000000 0000000000000000");
        let mechanisms = hex("81 20 0000 00 00 0000 00000005 00000000 0000000000000000 504c41494e");
        let login = hex("80 21 0005 00 00 0000 0000000f 00000000 0000000000000000 504c41494e 00626f620077726f6e67");
        let refused = hex("81 21 0000 00 00 0020 0000000a 00000000 0000000000000000 4175746820 6661696c21");
        let let_in = hex("81 21 0000 00 00 0000 00000002 00000000 0000000000000000 4f4b");
        let begins: [(Side, &[u8]); 4] = [(Client, &asks), (Server, &mechanisms), (Client, &login), (Server, &refused)];
        assert_eq!(told(&begins), [(AnswerKind::Refused, 0x20, "authentication error".to_owned())]);
        assert_eq!(told(&[&begins[..], &[(Client, &login), (Server, &let_in)]].concat())[1].0, AnswerKind::Accepted);
        assert!(told(&[(Client, &asks), (Server, &mechanisms), (Client, &login), (Server, &let_in)]).is_empty());
    }
}
