//! What the messages of IKE tell that are encrypted: which exchange they belong to, which payload comes first in them, and how much there is room for.

use std::time::Duration;

use crate::identify::wire::Cursor;
use crate::identify::{AnswerKind, Fact, Step};
use crate::net::Side;
use crate::time::Timestamp;

use super::{Piece, Said};

/// Stands for the code of a login that is refused behind encryption: more than the sixteen bits that such a code has.
pub const IKE_NO_LOGIN: u32 = 0x1_0000;
/// The same, where the login is fine and no tunnel comes of it.
pub const IKE_NO_TUNNEL: u32 = 0x1_0001;
/// The same, where the initiator ends what was answered.
pub const IKE_ENDED: u32 = 0x1_0002;
/// The same, where another way to log in may have failed.
pub const IKE_EAP_FAILS: u32 = 0x1_0003;

/// How far the two have come.
#[derive(Debug, Default)]
pub(super) struct Turns {
    turn: Turn,
    /// The association that this is about, by the initiator's number for it: two ends may have an older one.
    of: [u8; 8],
}

#[derive(Clone, Copy, Debug, Default)]
enum Turn {
    #[default]
    Opening,
    /// Version 2: the responder's answer to a login.
    Login { message: u32, first: u8, len: u32, at: Timestamp },
    /// The responder took nothing of the login that had this number; of version 1 it is zero.
    NoLogin { message: u32 },
    /// The initiator ended it by this message, at once.
    Ended { message: u32 },
    /// Version 1: keys are exchanged, nothing is encrypted yet; or the initiator said who it is and has no answer.
    Main { named: bool },
    /// Version 1: the responder gave its proof first, in clear (aggressive mode).
    Aggressive,
    /// Version 1: the responder said who it is; and notified the initiator of something since.
    Known { notified: bool },
    /// Version 1: after that, the initiator asked for a tunnel.
    Quick { refused: bool },
    /// Data passes, or the two go on with something else.
    Over,
}

/// A message, as far as it is in clear (RFC 7296 section 3.1, RFC 2408 section 3.1).
struct Message {
    initiator: [u8; 8],
    version: u8,
    exchange: u8,
    flags: u8,
    number: u32,
    len: u32,
    /// The payload that holds the others, and the first of these (RFC 7296 section 3.14).
    outer: u8,
    first: u8,
}

impl Message {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut at = Cursor::new(bytes);
        let (initiator, _) = (at.array()?, at.array::<8>()?);
        let (outer, version, exchange, flags) = (at.u8()?, at.u8()?, at.u8()?, at.u8()?);
        Some(Self { initiator, version, exchange, flags, number: at.be32()?, len: at.be32()?, outer, first: at.u8().unwrap_or(0) })
    }
}

impl Turns {
    /// Whether nothing more is to be learned.
    pub(super) const fn are_over(&self) -> bool {
        matches!(self.turn, Turn::Over)
    }

    /// A datagram of IKE, or at port 4500 what passes through the tunnel (RFC 3948 section 2).
    pub(super) fn hear(&mut self, piece: &Piece<'_>) {
        let at_4500 = piece.ends.client.port == 4500 || piece.ends.server.port == 4500;
        let body = match piece.bytes {
            [0, 0, 0, 0, rest @ ..] if at_4500 => rest,
            // A keep-alive for translators is one byte.
            bytes if at_4500 && bytes.len() >= 8 => {
                self.turn = Turn::Over;
                return;
            }
            bytes => bytes,
        };
        let Some(message) = Message::read(body) else { return };
        if self.of != message.initiator {
            let begins = piece.from == Side::Client && matches!(message.exchange, SA_INIT | IKE_AUTH | MAIN | AGGRESSIVE);
            if !begins && self.of != [0; 8] {
                return;
            }
            (self.turn, self.of) = (Turn::Opening, message.initiator);
        }
        self.turn = match message.version {
            0x20 => self.second(&message, piece),
            0x10 => self.first(&message, piece.from),
            _ => self.turn,
        };
    }

    /// Version 2. Its first exchange is in clear; in the next ones the client says who it is and what tunnel it wants (RFC 7296 section 1.2).
    fn second(&self, message: &Message, piece: &Piece<'_>) -> Turn {
        let is_answer = message.flags & RESPONSE != 0;
        match (message.exchange, piece.from, self.turn) {
            (IKE_AUTH, Side::Server, _) if is_answer => {
                // In parts (RFC 7383 section 2.5), it has room for all that is due.
                let len = if message.outer == ENCRYPTED { message.len } else { u32::MAX };
                let login = Turn::Login { message: message.number, first: message.first, len, at: piece.time };
                if message.first == NOTIFY && len <= NOTIFICATION { Turn::NoLogin { message: message.number } } else { login }
            }
            // The same number is sent again, or was captured behind its answer.
            (IKE_AUTH, Side::Client, Turn::Login { message: known, .. } | Turn::NoLogin { message: known }) if message.number != known => Turn::Opening,
            (INFORMATIONAL_2, Side::Client, Turn::Login { message: login, at, .. }) if !is_answer => {
                let at_once = piece.time.since(at) <= AT_ONCE && message.number == login.wrapping_add(1);
                match message.first {
                    NOTIFY if at_once && message.len <= NOTIFICATION => Turn::Ended { message: message.number },
                    // Who says farewell had nothing against it.
                    _ => Turn::Over,
                }
            }
            (INFORMATIONAL_2, Side::Client, Turn::Ended { message: known }) if !is_answer && message.number != known => Turn::Over,
            (CREATE_CHILD_SA, ..) => Turn::Over,
            (_, _, turn) => turn,
        }
    }

    /// Version 1 (RFC 2409 section 5): messages that are encrypted have a flag.
    fn first(&self, message: &Message, from: Side) -> Turn {
        let sealed = message.flags & SEALED != 0;
        match (message.exchange, from, self.turn) {
            (MAIN, Side::Server, _) if sealed => Turn::Known { notified: false },
            (MAIN, Side::Client, Turn::Opening | Turn::Main { .. }) => Turn::Main { named: sealed },
            (INFORMATIONAL_1, Side::Server, Turn::Main { .. }) if sealed => Turn::NoLogin { message: 0 },
            (AGGRESSIVE, Side::Server, _) => Turn::Aggressive,
            (AGGRESSIVE, Side::Client, Turn::Aggressive) => Turn::Known { notified: false },
            (INFORMATIONAL_1, Side::Client, Turn::Aggressive) => Turn::Ended { message: message.number },
            (INFORMATIONAL_1, Side::Server, Turn::Known { .. }) => Turn::Known { notified: true },
            (QUICK, Side::Client, Turn::Known { notified }) => Turn::Quick { refused: notified },
            (QUICK, Side::Server, _) => Turn::Over,
            (INFORMATIONAL_1, Side::Server, Turn::Quick { .. }) => Turn::Quick { refused: true },
            (_, _, turn) => turn,
        }
    }

    /// What the flow ended with.
    pub(super) fn finish(&self, said: &mut Said<'_>) {
        let (code, text, by) = match self.turn {
            Turn::NoLogin { .. } => (IKE_NO_LOGIN, "an encrypted notification instead of its own proof", Side::Server),
            // Of other ways to log in (RFC 7296 section 2.16), each answer but the last one has another question.
            Turn::Login { first: EAP, len, .. } if len <= NOTIFICATION => (IKE_EAP_FAILS, "a last word on the login", Side::Server),
            Turn::Login { message: 1, first: RESPONDER, len, .. } if len < LEAST_WITH_TUNNEL => (IKE_NO_TUNNEL, "no room for a tunnel", Side::Server),
            Turn::Quick { refused: true } => (IKE_NO_TUNNEL, "a notification instead of a tunnel", Side::Server),
            Turn::Ended { .. } => (IKE_ENDED, "an encrypted notification", Side::Client),
            Turn::Main { named: true } => return said.say(Fact::Reached(Step::ClientFinished)),
            _ => return,
        };
        said.say(Fact::Answer { kind: AnswerKind::Refused, code, text: text.into(), by });
    }
}

/// Exchanges of version 2, and the flag of its answers (RFC 7296 section 3.1).
const SA_INIT: u8 = 34;
const IKE_AUTH: u8 = 35;
const CREATE_CHILD_SA: u8 = 36;
const INFORMATIONAL_2: u8 = 37;
const RESPONSE: u8 = 0x20;
/// Payloads of version 2 (section 3.2): all the others in one, the responder's name, a notification, the messages of another way to log in.
const ENCRYPTED: u8 = 46;
const RESPONDER: u8 = 36;
const NOTIFY: u8 = 41;
const EAP: u8 = 48;
/// Exchanges of version 1, and its flag of what is encrypted (RFC 2408 section 3.1, RFC 2409 section 5.5).
const MAIN: u8 = 2;
const AGGRESSIVE: u8 = 4;
const INFORMATIONAL_1: u8 = 5;
const QUICK: u8 = 32;
const SEALED: u8 = 1;
/// The longest message that holds no more than one notification of 8 bytes: two headers of 28 and 4 bytes, 16 of an initialization vector, 16 with padding, 32 of the longest
/// digest (RFC 7296 section 3.14).
const NOTIFICATION: u32 = 96;
/// The shortest answer with a tunnel in it, but for one byte: headers of 32 bytes, 8 of a vector, a name of 9, a proof of 24 by the shortest digest, a security association of
/// 36, selectors of 24 on either side, 1 of padding, 8 of the shortest tag.
const LEAST_WITH_TUNNEL: u32 = 166;
/// Within this time who does not take an answer ends it.
const AT_ONCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::super::ike::IKE;
    use super::*;
    use crate::identify::protocol::testing::{Heard, read, read_spaced, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// A message of version 2 behind the mark of port 4500: exchange, flags, number, the outer and the first payload, its whole length.
    fn second(exchange: u8, flags: u8, number: u8, outer: u8, first: u8, len: u8) -> Vec<u8> {
        let mut bytes = [&[0; 4][..], &[1; 8], &[2; 8], &[outer, 0x20, exchange, flags, 0, 0, 0, number, 0, 0, 0, len, first]].concat();
        bytes.resize(usize::from(len) + 4, 0x5a);
        bytes
    }

    /// Of version 1.
    fn first(exchange: u8, flags: u8, number: u8, len: u8) -> Vec<u8> {
        let mut bytes = [&[0; 4][..], &[1; 8], &[2; 8], &[8, 0x10, exchange, flags, 0, 0, 0, number, 0, 0, 0, len]].concat();
        bytes.resize(usize::from(len) + 4, 0x5a);
        bytes
    }

    fn told(heard: &Heard) -> Option<(u32, Side)> {
        heard.facts.iter().find_map(|fact| if let Fact::Answer { code, by, .. } = fact { Some((*code, *by)) } else { None })
    }

    fn ends_in(dialogue: &[(Side, &[u8])]) -> Option<(u32, Side)> {
        survives(&IKE, Transport::UDP, 4500, dialogue);
        told(&read(&IKE, Transport::UDP, 4500, dialogue))
    }

    // Lengths as strongSwan 5.9 sends them: CBC with SHA-256, and GCM.
    #[test]
    fn a_login_that_is_answered_by_a_notification_is_refused() {
        let login = second(35, 8, 1, 46, 35, 240);
        for len in [80, 65, 96] {
            let answer: &[u8] = &second(35, 0x20, 1, 46, 41, len);
            assert_eq!(ends_in(&[(Client, &login), (Server, answer)]), Some((IKE_NO_LOGIN, Server)), "{len}");
            // As cards whose clocks differ have it.
            assert_eq!(ends_in(&[(Server, answer), (Client, &login)]), Some((IKE_NO_LOGIN, Server)), "{len}");
        }
        let data = [0xc1, 2, 3, 4, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
        assert_eq!(ends_in(&[(Client, &login), (Server, &second(35, 0x20, 1, 46, 36, 240)), (Client, &data)]), None);
    }

    // With a name, a proof and notifications alone it had 160 bytes; with a tunnel 240, or 214 by GCM.
    #[test]
    fn an_answer_without_room_for_a_tunnel_has_none() {
        let login = second(35, 8, 1, 46, 35, 240);
        let answered = |len| (Server, second(35, 0x20, 1, 46, 36, len));
        let told = |then: &[(Side, Vec<u8>)]| {
            let dialogue: Vec<(Side, &[u8])> =
                std::iter::once((Client, login.as_slice())).chain(then.iter().map(|(from, bytes)| (*from, bytes.as_slice()))).collect();
            ends_in(&dialogue)
        };
        assert_eq!(told(&[answered(160)]), Some((IKE_NO_TUNNEL, Server)));
        assert_eq!(told(&[answered(214)]), None);
        // In parts; before another way to log in goes on; where the tunnel is asked for apart (RFC 6023 section 3).
        assert_eq!(told(&[(Server, second(35, 0x20, 1, 53, 36, 160))]), None);
        assert_eq!(told(&[answered(96), (Client, second(35, 8, 2, 46, 48, 80))]), None);
        assert_eq!(told(&[answered(120), (Client, second(36, 8, 2, 46, 33, 200))]), None);
    }

    // RFC 7296 section 2.16: success is followed by a proof, failure by nothing.
    #[test]
    fn another_way_to_log_in_may_fail_in_its_last_answer() {
        let rounds = [
            (Client, second(35, 8, 1, 46, 35, 200)),
            (Server, second(35, 0x20, 1, 46, 36, 130)),
            (Client, second(35, 8, 2, 46, 48, 80)),
            (Server, second(35, 0x20, 2, 46, 48, 80)),
        ];
        let mut dialogue: Vec<(Side, &[u8])> = rounds.iter().map(|(from, bytes)| (*from, bytes.as_slice())).collect();
        assert_eq!(ends_in(&dialogue), Some((IKE_EAP_FAILS, Server)));
        let (proof, done) = (second(35, 8, 3, 46, 39, 96), second(35, 0x20, 3, 46, 39, 200));
        dialogue.extend([(Client, proof.as_slice()), (Server, done.as_slice())]);
        assert_eq!(ends_in(&dialogue), None);
    }

    // RFC 7296 section 2.21.2: who does not take the responder's proof says so in an exchange of its own. To ask later whether it is there is none of that.
    #[test]
    fn an_initiator_that_notifies_at_once_ends_it() {
        let login: &[u8] = &second(35, 8, 1, 46, 35, 240);
        let (answer, ends, asks): (&[u8], &[u8], &[u8]) = (&second(35, 0x20, 1, 46, 36, 240), &second(37, 8, 2, 46, 41, 80), &second(37, 8, 2, 46, 0, 80));
        assert_eq!(ends_in(&[(Client, login), (Server, answer), (Client, ends)]), Some((IKE_ENDED, Client)));
        assert_eq!(ends_in(&[(Client, login), (Server, answer), (Client, asks)]), None);
        let later = read_spaced(&IKE, Transport::UDP, 4500, Duration::from_secs(10), &[(Client, 0, login), (Server, 0, answer), (Client, 0, ends)]);
        assert_eq!(told(&later), None);
        let goes_on: &[u8] = &second(37, 8, 3, 46, 0, 80);
        assert_eq!(ends_in(&[(Client, login), (Server, answer), (Client, ends), (Client, goes_on)]), None);
    }

    // RFC 2409 section 5: six messages, the last two encrypted; then three more for the tunnel. strongSwan 5.9 meets another pre-shared key with a notification.
    #[test]
    fn version_1_refuses_by_an_exchange_of_its_own() {
        let main = |from, flags| (from, first(2, flags, 0, 124));
        let told = |dialogue: &[(Side, Vec<u8>)]| ends_in(&dialogue.iter().map(|(from, bytes)| (*from, bytes.as_slice())).collect::<Vec<_>>());
        let keys = [main(Client, 0), main(Server, 0), main(Client, 0), main(Server, 0)];
        let notified = |from| (from, first(5, 1, 9, 92));
        let then = |rest: &[(Side, Vec<u8>)]| [keys.as_slice(), rest].concat();
        assert_eq!(told(&then(&[main(Client, 1), notified(Server)])), Some((IKE_NO_LOGIN, Server)));
        // The identity went to port 4500, and its refusal came from port 500.
        assert_eq!(told(&then(&[notified(Server)])), Some((IKE_NO_LOGIN, Server)));
        // A farewell of an older association is none.
        let mut older = first(5, 1, 9, 92);
        older[4..12].fill(7);
        assert_eq!(told(&then(&[(Server, older)])), None);
        let known = then(&[main(Client, 1), main(Server, 1)]);
        assert_eq!(told(&[known.clone(), vec![notified(Server)]].concat()), None);
        let quick = |from| (from, first(32, 1, 7, 188));
        assert_eq!(told(&[known.clone(), vec![quick(Client), notified(Server)]].concat()), Some((IKE_NO_TUNNEL, Server)));
        assert_eq!(told(&[known, vec![quick(Client), notified(Server), quick(Server), quick(Client), notified(Server)]].concat()), None);
        let aggressive = [(Client, first(4, 0, 0, 200)), (Server, first(4, 0, 0, 250))];
        assert_eq!(told(&[aggressive.as_slice(), &[notified(Client)]].concat()), Some((IKE_ENDED, Client)));
        assert_eq!(told(&[aggressive.as_slice(), &[(Client, first(4, 1, 0, 90)), notified(Client)]].concat()), None);
    }

    #[test]
    fn an_identity_of_version_1_that_nobody_answers_is_told() {
        let named = first(2, 1, 0, 124);
        assert!(read(&IKE, Transport::UDP, 4500, &[(Client, &named), (Client, &named)]).facts.contains(&Fact::Reached(Step::ClientFinished)));
    }
}
