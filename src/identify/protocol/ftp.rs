//! FTP control connections (RFC 959, RFC 2228, RFC 2428, RFC 4217).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::identify::wire::{printable, shown};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::{Endpoint, Side, Transport};
use crate::signature::PromiseKind;

use super::talk::{Talk, opens_with, reply, verb};
use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by the client's verb together with the server's reply, or by a greeting that says FTP: 220 alone may be SMTP.
pub static FTP: Known =
    Known { name: "ftp", over: Over::Streams, ask, answer: Some(answer), strength: Strength::Text, reader: || Box::new(Control::default()) };

fn ask(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    match opens_with(bytes, VERBS) {
        Some(true) if is_login_of_mail(bytes) => Look::No,
        Some(true) if opening.midstream && bytes.ends_with(b"\r\n") && opening.is_at(&[21]) => Look::Yes(0, 4, "FTP command at its port, greeting not seen"),
        Some(true) => Look::Weak(0, 4, "FTP command"),
        Some(false) => Look::No,
        None => Look::Short,
    }
}

/// `AUTH` with what is no security mechanism of FTP (RFC 2228 section 3, RFC 4217 section 4): a way to log in, as mail has. A line that is not there whole yet may become one.
fn is_login_of_mail(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let (word, rest) = verb(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default());
    let mechanism = verb(rest).0;
    let fits = |known: &&str| if end.is_some() { **known == mechanism } else { known.starts_with(&mechanism) };
    word == "AUTH" && !MECHANISMS.iter().any(fits)
}

fn answer(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return if bytes.len() < 512 && (bytes.len() < 4 || reply(bytes).is_some()) { Look::Short } else { Look::No };
    };
    let line = bytes.get(..end).unwrap_or_default().to_ascii_uppercase();
    let says = |word: &[u8]| memchr::memmem::find(&line, word).is_some();
    match reply(line.trim_ascii_end()) {
        Some((220, _)) if says(b"SMTP") => Look::No,
        Some((220 | 421, _)) if says(b"FTP") => Look::Yes(0, 3, "FTP greeting"),
        // In the middle of a connection: replies whose form no other protocol has.
        Some((227, _)) if announced_by(&line).is_some() => Look::Yes(0, 3, "FTP passive reply"),
        Some((229, _)) if extended_passive(&line).is_some() => Look::Yes(0, 3, "FTP passive reply"),
        Some((120 | 125 | 150 | 200 | 211 | 213..=215 | 220 | 226 | 230 | 234 | 250 | 257 | 331 | 421 | 500 | 502 | 530 | 534 | 550, _)) => {
            Look::Weak(0, 3, "FTP reply")
        }
        _ => Look::No,
    }
}

/// Reads commands and replies.
#[derive(Debug, Default)]
struct Control {
    talk: Talk,
    greeted: bool,
    /// The last command, and whether its answer was a believable one before.
    command: String,
    /// Stream offset behind the client's AUTH command.
    secure_at: u64,
    spoken: bool,
    logged_in: bool,
    promises: u32,
    /// The last transfer had no data connection, or lost it.
    data_failed: bool,
}

impl Reader for Control {
    fn held(&self) -> usize {
        self.talk.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        for (line, end) in self.talk.hear(&piece) {
            if piece.from == Side::Client {
                self.command(&line, end, &piece, said);
            } else if let Some(over) = self.reply(&line, end, &piece, said) {
                return over;
            }
        }
        if self.promises >= limit::FTP_PROMISES { Appetite::Full } else { Appetite::Hungry }
    }
}

impl Control {
    fn command(&mut self, line: &[u8], end: u64, piece: &Piece<'_>, said: &mut Said<'_>) {
        let (word, rest) = verb(line);
        match word.as_str() {
            "AUTH" => self.secure_at = end,
            "RETR" | "STOR" | "LIST" | "MLSD" | "NLST" | "APPE" | "DELE" => {
                said.say(Fact::request(&word, &shown(rest)));
            }
            _ => (),
        }
        let place = match word.as_str() {
            "PORT" => six_numbers(rest),
            "EPRT" => extended_port(rest),
            _ => None,
        };
        if let Some(place) = place {
            self.promise(PromiseKind::FtpActive, place, piece.ends.server.ip, piece, said);
        }
        self.command = word;
    }

    fn reply(&mut self, line: &[u8], end: u64, piece: &Piece<'_>, said: &mut Said<'_>) -> Option<Appetite> {
        let (code, last) = reply(line)?;
        let text = line.get(4..).unwrap_or_default();
        if !std::mem::replace(&mut self.greeted, true) && code == 220 {
            said.say(Fact::Software { of: Side::Server, text: printable(text) });
        }
        if !last {
            return None;
        }
        if !self.command.is_empty() && !std::mem::replace(&mut self.spoken, true) {
            said.believe(Evidence::Dialogue);
        }
        // What only who is let in is given (RFC 959 section 5.4): the login's own answer may not have been captured.
        if matches!(code, 125 | 150 | 213 | 226 | 227 | 229 | 250 | 257) && !std::mem::replace(&mut self.logged_in, true) {
            said.say(answer_of(AnswerKind::Accepted, code, text));
        }
        match code {
            227 => {
                let place = announced_by(text)?;
                self.promise(PromiseKind::FtpPassive, place, piece.ends.client.ip, piece, said);
            }
            229 => {
                let port = extended_passive(text)?;
                self.promise(PromiseKind::FtpPassive, Endpoint { ip: piece.ends.server.ip, port }, piece.ends.client.ip, piece, said);
            }
            // Only AUTH and the protocols of RFC 2228 are accepted with 234.
            234 if self.secure_at > 0 => {
                let (client, server) = (piece.ends.client.ip, piece.ends.server.ip);
                said.promise_hidden(piece, PromiseKind::FtpPassive, Transport::TCP, server, Some(client), limit::PROMISE_HOLDS);
                said.promise_hidden(piece, PromiseKind::FtpActive, Transport::TCP, client, Some(server), limit::PROMISE_HOLDS);
                return Some(Appetite::HandOver { client: self.secure_at, server: end });
            }
            230 if std::mem::replace(&mut self.logged_in, true) => (),
            230 => said.say(answer_of(AnswerKind::Accepted, code, text)),
            // Whoever breaks a transfer off is told so (RFC 959 section 4.1.3).
            426 if self.command == "ABOR" => (),
            425 | 426 => {
                self.data_failed = true;
                said.say(answer_of(AnswerKind::Failed, code, text));
            }
            226 | 250 if std::mem::take(&mut self.data_failed) => said.say(answer_of(AnswerKind::Accepted, code, text)),
            421 | 450..=452 => said.say(answer_of(AnswerKind::Failed, code, text)),
            530 | 532 | 534 | 550 | 552 | 553 => said.say(answer_of(AnswerKind::Refused, code, text)),
            _ => (),
        }
        None
    }

    /// Announces a data connection. Behind address translation the address in the reply is not the one the client uses: then the control
    /// peer's own is announced, too.
    fn promise(&mut self, kind: PromiseKind, place: Endpoint, client: IpAddr, piece: &Piece<'_>, said: &mut Said<'_>) {
        self.promises += 1;
        let peer = if kind == PromiseKind::FtpPassive { piece.ends.server.ip } else { piece.ends.client.ip };
        let mut places = vec![place];
        if place.ip != peer {
            places.push(Endpoint { ip: peer, port: place.port });
        }
        for server in places {
            said.promise(piece, kind, Transport::TCP, server, Some(client), DATA_WITHIN);
        }
    }
}

fn answer_of(kind: AnswerKind, code: u32, text: &[u8]) -> Fact {
    Fact::answer(kind, code, printable(text))
}

/// The place in a 227 reply: six numbers, mostly in brackets.
fn announced_by(text: &[u8]) -> Option<Endpoint> {
    let numbers = text.iter().position(|byte| *byte == b'(').and_then(|at| text.get(at + 1..)).or_else(|| text.strip_prefix(b"227 ")).unwrap_or(text);
    let digit = numbers.iter().position(u8::is_ascii_digit).unwrap_or(0);
    six_numbers(numbers.get(digit..)?)
}

/// `h1,h2,h3,h4,p1,p2` (RFC 959 section 4.1.2).
fn six_numbers(text: &[u8]) -> Option<Endpoint> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let mut numbers = [0_u8; 6];
    let mut parts = text.split(',');
    for number in &mut numbers {
        let part = parts.next()?.trim();
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        *number = part.get(..digits)?.parse().ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    let port = u16::from_be_bytes([high, low]);
    (port > 0).then(|| Endpoint { ip: Ipv4Addr::new(a, b, c, d).into(), port })
}

/// `|1|132.235.1.2|6275|`, with any delimiter (RFC 2428 section 2).
fn extended_port(text: &[u8]) -> Option<Endpoint> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let delimiter = text.chars().next()?;
    let mut parts = text.split(delimiter).skip(2);
    let (ip, port) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (port > 0).then_some(Endpoint { ip, port })
}

/// `(|||6446|)` (RFC 2428 section 3).
fn extended_passive(text: &[u8]) -> Option<u16> {
    let at = text.iter().position(|byte| *byte == b'(')?;
    let text = std::str::from_utf8(text.get(at + 1..)?).ok()?;
    let delimiter = text.chars().next()?;
    text.split(delimiter).nth(3)?.parse().ok().filter(|port| *port > 0)
}

/// Commands that open an FTP session or follow soon after (RFC 959 section 4.1, RFC 2228, RFC 2389).
const VERBS: &[&str] = &[
    "USER", "AUTH", "FEAT", "OPTS", "SYST", "CWD", "PWD", "XPWD", "TYPE", "PASV", "EPSV", "PORT", "EPRT", "LIST", "NLST", "MLSD", "RETR", "STOR", "SIZE",
    "MDTM", "HOST", "CLNT", "PBSZ", "PROT", "PASS", "ACCT", "MKD", "RMD", "DELE", "REIN", "STAT",
];
/// Security mechanisms that `AUTH` may ask for (RFC 2228 section 8, RFC 4217 section 17; the last two are from before it).
const MECHANISMS: &[&str] = &["TLS", "SSL", "GSSAPI", "KERBEROS_V4", "TLS-C", "TLS-P"];
/// Data connections are opened at once; a minute covers a slow firewall.
const DATA_WITHIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::Protocol;
    use crate::identify::protocol::testing::{decide, ends, evidence, read, survives};
    use crate::net::Side::{Client, Server};

    const GREETING: &[u8] = b"220 Welcome\r\n";

    fn promised(facts: &[Fact]) -> Vec<(PromiseKind, String, Option<IpAddr>)> {
        let told = |fact: &Fact| match fact {
            Fact::Promise(promise) => Some((promise.kind, promise.server.to_string(), promise.client)),
            _ => None,
        };
        facts.iter().filter_map(told).collect()
    }

    #[test]
    fn a_passive_reply_announces_its_port_and_the_control_peers_address() {
        // RFC 959 section 4.1.2: port is p1 * 256 + p2; 78 * 256 + 33 = 20001.
        let dialogue: &[(Side, &[u8])] = &[
            (Server, GREETING),
            (Client, b"USER cms\r\n"),
            (Server, b"331 Password\r\n"),
            (Client, b"PASS x\r\nPASV\r\n"),
            (Server, b"230 In\r\n227 Entering Passive Mode (192,168,1,5,78,33).\r\n"),
        ];
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"USER cms\r\n", GREETING)), Evidence::BothOpenings);
        let heard = read(&FTP, Transport::TCP, 21, dialogue);
        assert_eq!(heard.evidence, Evidence::Dialogue);
        let client = Some(ends(21).0.ip);
        let expected = [(PromiseKind::FtpPassive, "192.168.1.5:20001".to_owned(), client), (PromiseKind::FtpPassive, "10.0.0.2:20001".to_owned(), client)];
        assert_eq!(promised(&heard.facts), expected);
        survives(&FTP, Transport::TCP, 21, dialogue);
    }

    #[test]
    fn extended_passive_and_active_announcements_are_read() {
        let dialogue: &[(Side, &[u8])] = &[
            (Server, GREETING),
            (Client, b"EPSV\r\n"),
            (Server, b"229 Entering Extended Passive Mode (|||6446|)\r\n"),
            (Client, b"EPRT |2|2001:db8::1|5282|\r\nPORT 10,0,0,1,4,1\r\n"),
        ];
        let heard = promised(&read(&FTP, Transport::TCP, 21, dialogue).facts);
        let servers: Vec<&str> = heard.iter().map(|(_, server, _)| server.as_str()).collect();
        assert_eq!(servers, ["10.0.0.2:6446", "[2001:db8::1]:5282", "10.0.0.1:5282", "10.0.0.1:1025"]);
        assert!(heard.iter().skip(1).all(|(kind, ..)| *kind == PromiseKind::FtpActive));
        survives(&FTP, Transport::TCP, 21, dialogue);
    }

    #[test]
    fn auth_tls_hands_over_behind_the_reply_and_a_login_may_be_refused() {
        let secure = read(&FTP, Transport::TCP, 21, &[(Server, GREETING), (Client, b"AUTH TLS\r\n"), (Server, b"234 go\r\n")]);
        assert_eq!(secure.appetite, Appetite::HandOver { client: 10, server: 13 + 8 });
        // What follows is announced where nobody can read it: any port of the server, and in active mode any of the client.
        let (client, server) = (ends(21).0.ip, ends(21).1.ip);
        let hidden = [(PromiseKind::FtpPassive, "10.0.0.2:0".to_owned(), Some(client)), (PromiseKind::FtpActive, "10.0.0.1:0".to_owned(), Some(server))];
        assert_eq!(promised(&secure.facts), hidden);
        let refused = read(&FTP, Transport::TCP, 21, &[(Server, GREETING), (Client, b"USER a\r\nPASS b\r\n"), (Server, b"530 Login incorrect.\r\n")]);
        assert!(refused.facts.contains(&Fact::answer(AnswerKind::Refused, 530, "Login incorrect.")));
    }

    #[test]
    fn a_control_connection_that_began_before_the_capture_is_known_by_what_it_announces() {
        let reply: &[u8] = b"227 Entering Passive Mode (10,0,0,2,78,33).\r\n";
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"", reply)), Evidence::OneOpening);
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"PASV\r\n", reply)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"", b"229 Entering Extended Passive Mode (|||6446|)\r\n")), Evidence::OneOpening);
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"", b"227 articles follow (not at all)\r\n")), Evidence::None);
        let heard = promised(&read(&FTP, Transport::TCP, 21, &[(Client, b"PASV\r\n"), (Server, reply)]).facts);
        assert_eq!(heard.iter().map(|(_, server, _)| server.as_str()).collect::<Vec<_>>(), ["10.0.0.2:20001"]);
    }

    #[test]
    fn a_mail_server_is_no_ftp_server() {
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"EHLO a\r\n", GREETING)), Evidence::None);
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"", b"220 mx ESMTP\r\n")), Evidence::None);
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"", GREETING)), Evidence::None);
        assert_eq!(evidence(decide(&FTP, Transport::TCP, 21, b"", b"220 (vsFTPd 3.0.5)\r\n")), Evidence::OneOpening);
    }

    // RFC 4422: any name of up to twenty letters is a mechanism of SASL
    #[test]
    fn auth_that_asks_for_no_security_is_no_command_of_ftp() {
        let told = |client: &[u8]| evidence(decide(&FTP, Transport::TCP, 2121, client, b"234 go on\r\n"));
        for login in [b"AUTH EXTERNAL =\r\n".as_slice(), b"AUTH PLAIN AGEAYg==\r\n", b"AUTH X-OWN\r\n", b"AUTH\r\n"] {
            assert_eq!(told(login), Evidence::None);
        }
        for secure in [b"AUTH TLS\r\n".as_slice(), b"auth ssl\r\n", b"AUTH GSSAPI\r\n", b"AUTH TL"] {
            assert_eq!(told(secure), Evidence::BothOpenings);
        }
    }

    #[test]
    fn a_command_without_its_greeting_is_told_at_its_port_only() {
        let probe = |port, midstream, client: &[u8]| {
            evidence(FTP.probe(&Opening { midstream, complete: true, ..crate::identify::protocol::testing::opening(Transport::TCP, port, client, &[]) }))
        };
        assert_eq!(probe(21, true, b"RETR readme.txt\r\n"), Evidence::OneOpening);
        for (port, midstream, client) in
            [(21, false, b"RETR readme.txt\r\n".as_slice()), (2121, true, b"RETR readme.txt\r\n"), (21, true, b"RETRO readme.txt\r\n")]
        {
            assert_eq!(probe(port, midstream, client), Evidence::None);
        }
    }

    #[test]
    fn what_became_of_data_connections_is_told_by_the_last_reply_about_one() {
        let login: &[(Side, &[u8])] = &[(Server, GREETING), (Client, b"USER a\r\n"), (Server, b"331 ?\r\n"), (Client, b"PASS x\r\n"), (Server, b"230 In\r\n")];
        let told = |transfers: &[(Side, &[u8])]| {
            let heard = read(&FTP, Transport::TCP, 21, &[login, transfers].concat());
            heard.facts.iter().filter_map(|fact| if let Fact::Answer { code, .. } = fact { Some(*code) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!(told(&[(Client, b"RETR f\r\n"), (Server, b"425 No data connection\r\n")]), [230, 425]);
        assert_eq!(told(&[(Client, b"RETR f\r\n"), (Server, b"425 No\r\n"), (Client, b"RETR f\r\n"), (Server, b"150 Ok\r\n226 Done\r\n")]), [230, 425, 226]);
        // RFC 959 section 4.1.3: after ABOR the transfer's own reply is 426, then comes 226.
        assert_eq!(told(&[(Client, b"RETR f\r\n"), (Server, b"150 Ok\r\n"), (Client, b"ABOR\r\n"), (Server, b"426 Aborted\r\n226 Done\r\n")]), [230]);
    }
}
