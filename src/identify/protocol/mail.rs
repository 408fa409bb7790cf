//! SMTP, IMAP and POP3: server-first dialogues in lines, each with its STARTTLS (RFC 5321, 3207; RFC 9051; RFC 1939, 2595).

use crate::identify::wire::{begins, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::{Side, Transport};

use super::talk::{Talk, opens_with, reply, verb};
use super::{Appetite, Gate, Known, Look, Opening, Piece, Reader, Said, Strength};

/// Told by greeting and HELO, or by a greeting that says SMTP.
pub static SMTP: Known = Known {
    name: "smtp",
    carriers: &[Transport::TCP],
    gate: Gate::Any,
    ask: |_, bytes| by_words(opens_with(bytes, &["EHLO", "HELO", "LHLO"]), "SMTP hello"),
    answer: Some(smtp_greeting),
    strength: Strength::Text,
    reader: || Box::new(Mail::of(Kind::Smtp)),
};

/// Told by greeting and tagged command, or by a greeting that says IMAP.
pub static IMAP: Known = Known {
    name: "imap",
    carriers: &[Transport::TCP],
    gate: Gate::Any,
    ask: |_, bytes| imap_command(bytes),
    answer: Some(|_, bytes| greeting(bytes, &[b"* OK", b"* PREAUTH", b"* BYE"], b"IMAP", "IMAP greeting")),
    strength: Strength::Text,
    reader: || Box::new(Mail::of(Kind::Imap)),
};

/// Told by greeting and command, or by a greeting that says POP3.
pub static POP3: Known = Known {
    name: "pop3",
    carriers: &[Transport::TCP],
    gate: Gate::Any,
    ask: |_, bytes| by_words(opens_with(bytes, &["USER", "APOP", "CAPA", "STLS", "AUTH"]), "POP3 command"),
    answer: Some(|_, bytes| greeting(bytes, &[b"+OK", b"-ERR"], b"POP", "POP3 greeting")),
    strength: Strength::Text,
    reader: || Box::new(Mail::of(Kind::Pop3)),
};

fn by_words(fits: Option<bool>, rule: &'static str) -> Look {
    match fits {
        Some(true) => Look::Weak(0, 4, rule),
        Some(false) => Look::No,
        None => Look::Short,
    }
}

fn first_line(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some(bytes.get(..end)?.trim_ascii_end().to_ascii_uppercase())
}

fn smtp_greeting(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    let Some(line) = first_line(bytes) else {
        return if bytes.len() < 512 && (bytes.len() < 4 || reply(bytes).is_some()) { Look::Short } else { Look::No };
    };
    let says = |word: &[u8]| memchr::memmem::find(&line, word).is_some();
    match reply(&line) {
        Some((220, _)) if says(b"SMTP") => Look::Yes(0, 3, "SMTP greeting"),
        Some((220, _)) if says(b"FTP") => Look::No,
        Some((220, _)) => Look::Weak(0, 3, "SMTP greeting"),
        Some((421 | 450 | 521 | 550 | 554, _)) => Look::Yes(0, 3, "SMTP greeting that refuses").weak_unless_at(opening, &[25, 465, 587]),
        _ => Look::No,
    }
}

fn greeting(bytes: &[u8], words: &[&[u8]], name: &[u8], rule: &'static str) -> Look {
    match first_line(bytes) {
        Some(line) if !words.iter().any(|word| begins(&line, word)) => Look::No,
        Some(line) if memchr::memmem::find(&line, name).is_some() => Look::Yes(0, 3, rule),
        Some(_) => Look::Weak(0, 3, rule),
        None if bytes.len() < 1024 && words.iter().any(|word| may_begin(bytes, word)) => Look::Short,
        None => Look::No,
    }
}

/// A tag of letters and digits, then a command (RFC 9051 section 6).
fn imap_command(bytes: &[u8]) -> Look {
    let tag = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count();
    match bytes.get(tag) {
        None if tag <= 16 => Look::Short,
        Some(b' ') if (1..=16).contains(&tag) => {
            let commands = &["CAPABILITY", "LOGIN", "STARTTLS", "AUTHENTICATE", "NOOP", "LOGOUT", "ID", "ENABLE", "SELECT", "EXAMINE", "LIST", "NAMESPACE"];
            by_words(opens_with(bytes.get(tag + 1..).unwrap_or_default(), commands), "IMAP command")
        }
        _ => Look::No,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Smtp,
    Imap,
    Pop3,
}

/// Reads a dialogue until it is encrypted, refused, or carries mail.
#[derive(Debug)]
struct Mail {
    kind: Kind,
    talk: Talk,
    greeted: bool,
    asked: bool,
    spoken: bool,
    /// Stream offset behind the client's STARTTLS, and its tag.
    secure: Option<(u64, Vec<u8>)>,
    login: bool,
    enough: bool,
}

impl Mail {
    const fn new(kind: Kind, talk: Talk) -> Self {
        Self { kind, talk, greeted: false, asked: false, spoken: false, secure: None, login: false, enough: false }
    }

    fn of(kind: Kind) -> Self {
        Self::new(kind, Talk::default())
    }
}

impl Reader for Mail {
    fn held(&self) -> usize {
        self.talk.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        for (line, end) in self.talk.hear(&piece) {
            if piece.from == Side::Client {
                self.command(&line, end);
            } else if let Some(over) = self.reply(&line, end, said) {
                return over;
            }
        }
        if self.enough { Appetite::Full } else { Appetite::Hungry }
    }
}

impl Mail {
    fn command(&mut self, line: &[u8], end: u64) {
        self.asked = true;
        let (tag, (word, _)) = match self.kind {
            Kind::Imap => {
                let tag = verb(line);
                (tag.0.into_bytes(), verb(tag.1))
            }
            _ => (Vec::new(), verb(line)),
        };
        match word.as_str() {
            "STARTTLS" | "STLS" => self.secure = Some((end, tag)),
            "LOGIN" | "AUTHENTICATE" | "PASS" | "APOP" | "AUTH" => self.login = true,
            "DATA" | "BDAT" | "SELECT" | "RETR" => self.enough = true,
            _ => (),
        }
    }

    fn reply(&mut self, line: &[u8], end: u64, said: &mut Said<'_>) -> Option<Appetite> {
        if !std::mem::replace(&mut self.greeted, true) {
            said.say(Fact::Software { of: Side::Server, text: printable(line.get(4..).unwrap_or_default()) });
        }
        if self.asked && !std::mem::replace(&mut self.spoken, true) {
            said.believe(Evidence::Dialogue);
        }
        let answer = |kind, code| Fact::Answer { kind, code, text: printable(line.get(4..).unwrap_or(line)), by: Side::Server };
        let good = match self.kind {
            Kind::Smtp => {
                let (code, last) = reply(line)?;
                match code {
                    235 => said.say(answer(AnswerKind::Accepted, code)),
                    421 | 450..=454 => said.say(answer(AnswerKind::Failed, code)),
                    521 | 530..=554 => said.say(answer(AnswerKind::Refused, code)),
                    _ => (),
                }
                last && code == 220
            }
            Kind::Pop3 => {
                if begins(line, b"-ERR") {
                    said.say(answer(AnswerKind::Refused, 0));
                }
                begins(line, b"+OK")
            }
            Kind::Imap => {
                let (tag, rest) = verb(line);
                let own = self.secure.as_ref().is_some_and(|(_, asked)| *asked == tag.into_bytes());
                if self.login && (begins(rest, b"NO") || begins(rest, b"BAD")) || begins(line, b"* BYE") {
                    said.say(answer(AnswerKind::Refused, 0));
                }
                own && begins(rest, b"OK")
            }
        };
        let (client, _) = self.secure.as_ref().filter(|_| good)?;
        Some(Appetite::HandOver { client: *client, server: end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, read, survives};
    use crate::net::Side::{Client, Server};

    /// RFC 3207 section 5, shortened.
    const STARTTLS: &[(Side, &[u8])] = &[
        (Server, b"220 mail.imc.org SMTP service ready\r\n"),
        (Client, b"EHLO mail.example.com\r\n"),
        (Server, b"250-mail.imc.org\r\n250 STARTTLS\r\n"),
        (Client, b"STARTTLS\r\n"),
        (Server, b"220 Go ahead\r\n"),
    ];

    #[test]
    fn smtp_hands_over_behind_go_ahead() {
        let sent = |side| STARTTLS.iter().filter(|(from, _)| *from == side).map(|(_, bytes)| bytes.len() as u64).sum();
        assert_eq!(evidence(decide(&SMTP, Transport::TCP, 25, STARTTLS[1].1, STARTTLS[0].1)), Evidence::BothOpenings);
        let heard = read(&SMTP, Transport::TCP, 25, STARTTLS);
        assert_eq!(heard.appetite, Appetite::HandOver { client: sent(Client), server: sent(Server) });
        assert_eq!(heard.evidence, Evidence::Dialogue);
        survives(&SMTP, Transport::TCP, 25, STARTTLS);
    }

    #[test]
    fn a_sender_may_be_refused() {
        let heard = read(&SMTP, Transport::TCP, 25, &[STARTTLS[0], (Client, b"MAIL FROM:<a@b>\r\n"), (Server, b"554 5.7.1 blocked\r\n")]);
        assert!(heard.facts.contains(&Fact::Answer { kind: AnswerKind::Refused, code: 554, text: "5.7.1 blocked".into(), by: Server }));
    }

    #[test]
    fn imap_answers_its_own_tag() {
        let dialogue: &[(Side, &[u8])] = &[(Server, b"* OK ready\r\n"), (Client, b"a1 STARTTLS\r\n"), (Server, b"a1 OK begin\r\n")];
        assert_eq!(evidence(decide(&IMAP, Transport::TCP, 143, dialogue[1].1, dialogue[0].1)), Evidence::BothOpenings);
        assert_eq!(read(&IMAP, Transport::TCP, 143, dialogue).appetite, Appetite::HandOver { client: 13, server: 25 });
        survives(&IMAP, Transport::TCP, 143, dialogue);
    }

    #[test]
    fn pop3_refuses_a_password() {
        let dialogue: &[(Side, &[u8])] = &[(Server, b"+OK POP3 ready\r\n"), (Client, b"USER a\r\nPASS b\r\n"), (Server, b"+OK\r\n-ERR no\r\n")];
        assert_eq!(evidence(decide(&POP3, Transport::TCP, 110, b"", dialogue[0].1)), Evidence::OneOpening);
        let heard = read(&POP3, Transport::TCP, 110, dialogue);
        assert!(heard.facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Refused, .. })));
        survives(&POP3, Transport::TCP, 110, dialogue);
    }

    #[test]
    fn look_alikes_are_none_of_them() {
        assert_eq!(evidence(decide(&SMTP, Transport::TCP, 25, b"USER a\r\n", b"220 ready\r\n")), Evidence::None);
        assert_eq!(evidence(decide(&POP3, Transport::TCP, 6379, b"*1\r\n$4\r\nPING\r\n", b"+OK\r\n")), Evidence::None);
        assert_eq!(evidence(decide(&IMAP, Transport::TCP, 143, b"GET / HTTP/1.1\r\n", b"* OK\r\n")), Evidence::None);
    }
}
