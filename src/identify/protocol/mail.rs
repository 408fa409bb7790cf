//! SMTP, IMAP and POP3: server-first dialogues in lines, each with its STARTTLS (RFC 5321, 3207; RFC 9051; RFC 1939, 2595).

use crate::identify::wire::{begins, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::Side;

use super::talk::{Talk, opens_with, reply, verb};
use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by greeting and HELO, or by a greeting that says SMTP.
pub static SMTP: Known = Known {
    name: "smtp",
    over: Over::Streams,
    ask: smtp_command,
    answer: Some(smtp_greeting),
    strength: Strength::Text,
    reader: || Box::new(Mail::of(Kind::Smtp)),
};

/// Told by greeting and tagged command, or by a greeting that says IMAP.
pub static IMAP: Known = Known {
    name: "imap",
    over: Over::Streams,
    ask: |_, bytes| imap_command(bytes),
    answer: Some(|_, bytes| greeting(bytes, &[b"* OK", b"* PREAUTH", b"* BYE"], b"IMAP", "IMAP greeting")),
    strength: Strength::Text,
    reader: || Box::new(Mail::of(Kind::Imap)),
};

/// Told by greeting and command, or by a greeting that says POP3.
pub static POP3: Known = Known {
    name: "pop3",
    over: Over::Streams,
    ask: |_, bytes| Look::weakly(opens_with(bytes, &["USER", "APOP", "CAPA", "STLS", "AUTH"]), 4, "POP3 command"),
    answer: Some(|_, bytes| greeting(bytes, &[b"+OK", b"-ERR"], b"POP", "POP3 greeting")),
    strength: Strength::Text,
    reader: || Box::new(Mail::of(Kind::Pop3)),
};

fn first_line(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some(bytes.get(..end)?.trim_ascii_end().to_ascii_uppercase())
}

/// A hello; where the start was not seen any command, of which who names an envelope shows SMTP by itself (RFC 5321 section 4.1.1).
fn smtp_command(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    if !opening.midstream {
        return Look::weakly(opens_with(bytes, HELLOS), 4, "SMTP hello");
    }
    match opens_with(bytes, COMMANDS) {
        Some(true) if begins(bytes, b"MAIL FROM:") || begins(bytes, b"RCPT TO:") => Look::Yes(0, 8, "SMTP envelope, greeting not seen"),
        fits => Look::weakly(fits, 4, "SMTP command"),
    }
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
        Some((221 | 235 | 250 | 334 | 354, _)) if opening.midstream => Look::Weak(0, 3, "SMTP reply"),
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
            Look::weakly(opens_with(bytes.get(tag + 1..).unwrap_or_default(), commands), 4, "IMAP command")
        }
        _ => Look::No,
    }
}

const HELLOS: &[&str] = &["EHLO", "HELO", "LHLO"];
const COMMANDS: &[&str] = &["EHLO", "HELO", "LHLO", "AUTH", "MAIL", "RCPT", "DATA", "RSET"];

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
    /// The client asked to be let in and was not answered yet: its tag where it gives any.
    login: Option<Vec<u8>>,
    /// The client said that it goes.
    leaves: bool,
    /// The client asked to send a message.
    data: bool,
    /// What an SMTP server said who let the client in and refused nothing since: said where nothing more comes.
    let_in: Option<Box<str>>,
    enough: bool,
}

impl Mail {
    const fn new(kind: Kind, talk: Talk) -> Self {
        Self { kind, talk, greeted: false, asked: false, spoken: false, secure: None, login: None, leaves: false, data: false, let_in: None, enough: false }
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
        if self.enough {
            self.finish(said);
            return Appetite::Full;
        }
        Appetite::Hungry
    }

    fn finish(&self, said: &mut Said<'_>) {
        if let Some(text) = &self.let_in {
            said.say(Fact::answer(AnswerKind::Accepted, LET_IN, text.clone()));
        }
    }
}

impl Mail {
    fn command(&mut self, line: &[u8], end: u64) {
        self.asked = true;
        let (tag, (word, rest)) = match self.kind {
            Kind::Imap => {
                let tag = verb(line);
                (tag.0.into_bytes(), verb(tag.1))
            }
            _ => (Vec::new(), verb(line)),
        };
        // Nobody waits for the answer, or it was not captured: this is the message.
        self.enough |= self.data;
        match word.as_str() {
            "STARTTLS" | "STLS" => self.secure = Some((end, tag)),
            // In POP3 the word alone asks for a list.
            "AUTH" if self.kind == Kind::Pop3 && rest.is_empty() => self.login = None,
            "LOGIN" | "AUTHENTICATE" | "PASS" | "APOP" | "AUTH" | "USER" => self.login = Some(tag),
            "DATA" => self.data = true,
            "BDAT" | "SELECT" | "RETR" => self.enough = true,
            "LOGOUT" => self.leaves = true,
            // What it asks besides, such as a list of what the server can do, may be refused without harm.
            "CAPA" | "STAT" | "LIST" | "UIDL" if self.kind == Kind::Pop3 => self.login = None,
            _ => (),
        }
    }

    fn reply(&mut self, line: &[u8], end: u64, said: &mut Said<'_>) -> Option<Appetite> {
        // The first reply that was seen of a dialogue whose start was not is no greeting.
        let greets = !std::mem::replace(&mut self.greeted, true) && !self.asked;
        if greets && !(self.kind == Kind::Smtp && line.starts_with(b"25")) {
            said.say(Fact::Software { of: Side::Server, text: printable(line.get(4..).unwrap_or_default()) });
        }
        if self.asked && !std::mem::replace(&mut self.spoken, true) {
            said.believe(Evidence::Dialogue);
        }
        let answer = |kind, code, text: &[u8]| Fact::answer(kind, code, printable(text));
        let good = match self.kind {
            Kind::Smtp => {
                let (code, last) = reply(line)?;
                let text = line.get(4..).unwrap_or(line);
                let weighs = code == 354 || code == 421 || (450..=454).contains(&code) || code == 521 || (530..=554).contains(&code);
                if weighs {
                    self.let_in = None;
                }
                match code {
                    // Who is let in may still have every message refused.
                    LET_IN => self.let_in = Some(printable(text)),
                    // The message may come: of several recipients at least one was taken (RFC 5321 section 3.3).
                    354 => {
                        said.say(answer(AnswerKind::Accepted, code, text));
                        self.enough = true;
                    }
                    421 | 450..=454 => said.say(answer(AnswerKind::Failed, code, text)),
                    521 | 530..=554 => said.say(answer(AnswerKind::Refused, code, text)),
                    _ => (),
                }
                last && code == 220
            }
            Kind::Pop3 => {
                // Most lines are of messages: nothing is made of these.
                if begins(line, b"-ERR") && (greets || self.login.is_some()) {
                    said.say(answer(AnswerKind::Refused, 0, verb(line).1));
                }
                begins(line, b"+OK")
            }
            Kind::Imap => self.imap_reply(line, said),
        };
        let (client, _) = self.secure.as_ref().filter(|_| good)?;
        Some(Appetite::HandOver { client: *client, server: end })
    }

    /// Whether this is the server's consent to STARTTLS.
    fn imap_reply(&mut self, line: &[u8], said: &mut Said<'_>) -> bool {
        let (tag, rest) = verb(line);
        let tag = tag.into_bytes();
        let answer = |kind| Fact::answer(kind, 0, printable(rest));
        if begins(rest, b"BYE") && tag == b"*" {
            // Who logs out is told BYE before OK (RFC 9051 section 6.1.3).
            if !self.leaves {
                said.say(answer(AnswerKind::Refused));
            }
        } else if self.login.as_ref() == Some(&tag) {
            // What is refused in a session that goes on is everyday.
            self.login = None;
            said.say(answer(if begins(rest, b"OK") { AnswerKind::Accepted } else { AnswerKind::Refused }));
        }
        let own = self.secure.as_ref().is_some_and(|(_, asked)| *asked == tag);
        own && begins(rest, b"OK")
    }
}

/// Authentication succeeded (RFC 4954 section 6).
const LET_IN: u32 = 235;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::Protocol;
    use crate::identify::protocol::testing::{decide, evidence, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

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

    // smtplib to aiosmtpd
    #[test]
    fn a_login_does_not_outweigh_that_every_recipient_is_refused() {
        let told = |rest: &[(Side, &'static [u8])]| {
            let login: &[(Side, &[u8])] = &[(Client, b"AUTH PLAIN AGEAYg==\r\n"), (Server, b"235 2.7.0 Authentication successful\r\n")];
            let dialogue = [&STARTTLS[..3], login, rest].concat();
            survives(&SMTP, Transport::TCP, 25, &dialogue);
            let facts = read(&SMTP, Transport::TCP, 25, &dialogue).facts;
            facts.iter().filter_map(|fact| if let Fact::Answer { code, .. } = fact { Some(*code) } else { None }).collect::<Vec<_>>()
        };
        let to = |answer: &'static [u8]| [(Client, b"RCPT TO:<c@d>\r\n".as_slice()), (Server, answer)];
        let (no, yes) = (to(b"550 5.7.1 relaying denied\r\n"), to(b"250 OK\r\n"));
        assert_eq!(told(&[]), [235]);
        assert_eq!(told(&no), [550]);
        assert_eq!(told(&[&no[..], &yes, &[(Client, b"DATA\r\n"), (Server, b"354 go on\r\n")]].concat()), [550, 354]);
    }

    #[test]
    fn a_sender_may_be_refused() {
        let heard = read(&SMTP, Transport::TCP, 25, &[STARTTLS[0], (Client, b"MAIL FROM:<a@b>\r\n"), (Server, b"554 5.7.1 blocked\r\n")]);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 554, "5.7.1 blocked")));
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

    // RFC 9051 sections 6.1.3 and 7.1.5: the untagged BYE is how every LOGOUT is answered
    #[test]
    fn a_session_that_logs_out_was_not_refused() {
        let dialogue: &[(Side, &[u8])] = &[
            (Server, b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n"),
            (Client, b"A002 AUTHENTICATE PLAIN AGFsaWNlAHB3\r\n"),
            (Server, b"* CAPABILITY IMAP4rev1\r\nA002 OK Logged in\r\n"),
            (Client, b"A003 STATUS nope (MESSAGES)\r\n"),
            (Server, b"A003 NO Mailbox doesn't exist: nope\r\n"),
            (Client, b"A004 LOGOUT\r\n"),
            (Server, b"* BYE Logging out\r\nA004 OK Logout completed.\r\n"),
        ];
        assert_eq!(answers(&IMAP, 143, dialogue), [(AnswerKind::Accepted, "OK Logged in".into())]);
        survives(&IMAP, Transport::TCP, 143, dialogue);
    }

    #[test]
    fn imap_refuses_a_login_and_says_goodbye_unasked() {
        let refused: &[(Side, &[u8])] =
            &[(Server, b"* OK ready\r\n"), (Client, b"a1 LOGIN x y\r\n"), (Server, b"a1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n")];
        assert_eq!(answers(&IMAP, 143, refused), [(AnswerKind::Refused, "NO [AUTHENTICATIONFAILED] Authentication failed.".into())]);
        let full: &[(Side, &[u8])] = &[(Server, b"* BYE Too many connections\r\n")];
        assert_eq!(answers(&IMAP, 143, full), [(AnswerKind::Refused, "BYE Too many connections".into())]);
    }

    // RFC 2449 section 5: servers without CAPA answer -ERR, and clients go on
    #[test]
    fn a_pop3_server_that_does_not_know_capa_refuses_nobody() {
        let dialogue: &[(Side, &[u8])] = &[(Server, b"+OK POP3 ready\r\n"), (Client, b"CAPA\r\n"), (Server, b"-ERR unknown command\r\n")];
        assert!(answers(&POP3, 110, dialogue).is_empty());
        let full: &[(Side, &[u8])] = &[(Server, b"-ERR too many connections\r\n")];
        assert_eq!(answers(&POP3, 110, full), [(AnswerKind::Refused, "too many connections".into())]);
    }

    #[test]
    fn smtp_is_told_in_its_middle_and_is_no_ftp() {
        let probe = |protocol: &Known, client: &[u8], server: &[u8]| {
            protocol.probe(&Opening { midstream: true, complete: true, ..crate::identify::protocol::testing::opening(Transport::TCP, 25, client, server) })
        };
        // RFC 4954 section 4: the capture begins behind EHLO, or within its answer.
        let (login, let_in): (&[u8], &[u8]) = (b"AUTH PLAIN AGEAYg==\r\n", b"235 2.7.0 Authentication successful\r\n");
        for server in [let_in, b"250-PIPELINING\r\n250 8BITMIME\r\n"] {
            assert_eq!(evidence(probe(&SMTP, login, server)), Evidence::BothOpenings);
            assert_eq!(evidence(probe(&super::super::ftp::FTP, login, server)), Evidence::None);
        }
        assert_eq!(evidence(probe(&SMTP, b"MAIL FROM:<a@b.example>\r\n", b"")), Evidence::OneOpening);
        assert_eq!(evidence(probe(&SMTP, b"MAIL is here\r\n", b"")), Evidence::None);
        assert_eq!(evidence(decide(&SMTP, Transport::TCP, 25, login, let_in)), Evidence::None);
        // FTP's own: a way to encrypt (RFC 4217 section 4).
        assert_eq!(evidence(probe(&super::super::ftp::FTP, b"AUTH TLS\r\n", b"234 go\r\n")), Evidence::BothOpenings);
        let heard = read(&SMTP, Transport::TCP, 25, &[(Server, b"250 8BITMIME\r\n"), (Client, login), (Server, let_in)]);
        assert!(!heard.facts.iter().any(|fact| matches!(fact, Fact::Software { .. })), "{:?}", heard.facts);
    }

    // RFC 5321 section 3.3: one recipient of two is refused, and the message is asked for
    #[test]
    fn a_message_that_is_taken_for_one_of_its_recipients_is_taken() {
        let dialogue: &[(Side, &[u8])] = &[
            STARTTLS[0],
            (Client, b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<nobody@c>\r\nRCPT TO:<d@c>\r\nDATA\r\n"),
            (Server, b"250 ok\r\n250 ok\r\n550 5.1.1 unknown\r\n250 ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"),
        ];
        let told = answers(&SMTP, 25, dialogue);
        assert_eq!(told.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [AnswerKind::Refused, AnswerKind::Accepted]);
    }

    fn answers(protocol: &'static Known, port: u16, dialogue: &[(Side, &[u8])]) -> Vec<(AnswerKind, Box<str>)> {
        let facts = read(protocol, Transport::TCP, port, dialogue).facts;
        facts.into_iter().filter_map(|fact| if let Fact::Answer { kind, text, .. } = fact { Some((kind, text)) } else { None }).collect()
    }

    #[test]
    fn look_alikes_are_none_of_them() {
        assert_eq!(evidence(decide(&SMTP, Transport::TCP, 25, b"USER a\r\n", b"220 ready\r\n")), Evidence::None);
        assert_eq!(evidence(decide(&POP3, Transport::TCP, 6379, b"*1\r\n$4\r\nPING\r\n", b"+OK\r\n")), Evidence::None);
        assert_eq!(evidence(decide(&IMAP, Transport::TCP, 143, b"GET / HTTP/1.1\r\n", b"* OK\r\n")), Evidence::None);
    }
}
