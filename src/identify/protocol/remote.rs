//! SSH, Telnet and RFB (VNC): consoles (RFC 4253, RFC 854, RFC 6143).

use crate::identify::wire::{Cursor, Held, hold, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact, Lines};
use crate::limit;
use crate::net::Side;

use super::ssh_keys::{Packet, disagreement, packet};
use super::{Appetite, Confirm, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by the version line that both sides send first (RFC 4253 section 4.2).
pub static SSH: Known = Known {
    name: "ssh",
    over: Over::Streams,
    ask: |_, bytes| ssh_version(bytes, "SSH client version"),
    answer: Some(|_, bytes| ssh_greeting(bytes)),
    strength: Strength::Magic,
    reader: || Box::new(Versions::default()),
};

/// Told by option negotiations (RFC 854): three of them by one side, or one by each.
pub static TELNET: Known =
    Known { name: "telnet", over: Over::Streams, ask: telnet, answer: None, strength: Strength::Structure, reader: || Confirm::of(&TELNET) };

/// Told by the 12 bytes of version that the server sends first and the client sends back (RFC 6143 section 7.1.1).
pub static RFB: Known =
    Known { name: "rfb", over: Over::Streams, ask: rfb_version, answer: None, strength: Strength::Magic, reader: || Box::new(Screen::default()) };

/// X11: byte order, version 11, lengths of what shows that the client may come in; the server says the version again (X Window System Protocol, "Connection Setup").
pub static X11: Known = Known {
    name: "x11",
    over: Over::Streams,
    ask: |_, bytes| match bytes.first_chunk::<12>() {
        Some([b'l', _, 11, 0, 0, 0, name, 0, data, 0, _, _] | [b'B', _, 0, 11, 0, 0, 0, name, 0, data, _, _]) => {
            Look::when((*name == 0) == (*data == 0) && *name <= 32, 8, "X11 byte order and version")
        }
        None if matches!(bytes, [b'l' | b'B'] | [b'l', _] | [b'B', _] | [b'l', _, 11, ..] | [b'B', _, 0, ..]) => Look::Before(12),
        _ => Look::No,
    },
    answer: Some(|_, bytes| match bytes {
        [0..=2, _, 11, 0, 0, 0, ..] | [0..=2, _, 0, 11, 0, 0, ..] => Look::Weak(0, 6, "X11 version of the server"),
        [0..=2, ..] if bytes.len() < 6 => Look::Short,
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Box::<Display>::default(),
};

fn ssh_version(bytes: &[u8], rule: &'static str) -> Look {
    match bytes.strip_prefix(b"SSH-") {
        Some([b'1' | b'2', b'.', ..]) => Look::Yes(0, 6, rule),
        Some([] | [b'1' | b'2']) => Look::Short,
        None if b"SSH-".starts_with(bytes) => Look::Short,
        _ => Look::No,
    }
}

/// A server may send other lines of text before its version.
fn ssh_greeting(bytes: &[u8]) -> Look {
    let rule = "SSH server version";
    let head = bytes.get(..LINES_BEFORE).unwrap_or(bytes);
    let is_text = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r' | b'\n');
    match ssh_version(bytes, rule) {
        // Looked at without a branch a byte.
        Look::No if head.chunks(64).all(|part| part.iter().fold(true, |text, byte| text & is_text(byte))) => match memchr::memmem::find(head, b"\nSSH-") {
            Some(at) => match ssh_version(bytes.get(at + 1..).unwrap_or_default(), rule) {
                Look::Yes(_, len, rule) => Look::Yes(at as u32 + 1, len, rule),
                look => look,
            },
            None if bytes.len() < LINES_BEFORE => Look::Short,
            None => Look::No,
        },
        look => look,
    }
}

/// Bytes of other lines that are looked through for a version.
const LINES_BEFORE: usize = 1024;

/// Commands only, or commands and then a banner: at least one negotiation, and every 0xff followed by a command.
fn telnet(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    telnet_options(bytes).weak_unless_at(opening, &[23])
}

fn telnet_options(bytes: &[u8]) -> Look {
    let (mut at, mut options) = (Cursor::new(bytes), 0);
    if bytes.first() != Some(&0xff) {
        return Look::No;
    }
    while let Some(byte) = at.u8() {
        if byte != 0xff {
            continue;
        }
        match (at.u8(), at.u8()) {
            (Some(0xfb..=0xfe), Some(0..=50 | 255)) => options += 1,
            (Some(0xf0..=0xfa | 0xff), _) => (),
            (None, _) | (Some(0xfb..=0xfe), None) => break,
            _ => return Look::No,
        }
    }
    match options {
        0 if bytes.len() < 3 => Look::Short,
        0 => Look::No,
        1 | 2 => Look::Weak(0, 3, "Telnet option negotiation"),
        _ => Look::Yes(0, 9, "Telnet option negotiations"),
    }
}

fn rfb_version(_: &super::Opening<'_>, bytes: &[u8]) -> Look {
    match bytes.first_chunk::<12>() {
        Some([b'R', b'F', b'B', b' ', a, b, c, b'.', d, e, f, b'\n']) => {
            Look::when([a, b, c, d, e, f].iter().all(|digit| digit.is_ascii_digit()), 12, "RFB protocol version")
        }
        Some(_) => Look::No,
        None if may_begin(bytes, b"RFB ") => Look::Short,
        None => Look::No,
    }
}

/// The whole line that begins with `SSH-`, and where it ends.
fn version_line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let mut end = 0;
    bytes.split_inclusive(|byte| *byte == b'\n').find_map(|line| {
        end += line.len();
        (line.starts_with(b"SSH-") && line.ends_with(b"\n")).then_some((line, end))
    })
}

/// Reads both version lines, and what both sides offer after them.
#[derive(Debug, Default)]
struct Versions {
    held: [Held; 2],
    told: [bool; 2],
}

impl Versions {
    /// Takes the version out of what that side sent so far, so that what follows it is left; false where none will come any more.
    fn tell(&mut self, from: Side, said: &mut Said<'_>) -> bool {
        let held = &mut self.held[from as usize];
        let Some((line, end)) = version_line(held.as_slice().get(..limit::SSH_VERSION_KEPT).unwrap_or(held)) else {
            return held.len() < limit::SSH_VERSION_KEPT;
        };
        said.say(Fact::Software { of: from, text: printable(line.trim_ascii_end()) });
        let rest = held.as_slice().get(end..).unwrap_or_default().to_vec();
        held.clear();
        held.extend_from_slice(&rest);
        self.told[from as usize] = true;
        if self.told == [true, true] {
            said.believe(Evidence::BothOpenings);
            said.say(Fact::Encrypted);
        }
        true
    }
}

impl Reader for Versions {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let side = piece.from as usize;
        if piece.missing > 0 && self.told[side] {
            return Appetite::Full;
        }
        hold(&mut self.held[side], piece.bytes, limit::MESSAGE_KEPT);
        if !self.told[side] && !self.tell(piece.from, said) {
            return Appetite::Full;
        }
        if self.told != [true, true] {
            return Appetite::Hungry;
        }
        match [0, 1].map(|side| packet(&self.held[side])) {
            [Packet::Offer(client), Packet::Offer(server)] => {
                said.facts.extend(disagreement(&client, &server));
                Appetite::Full
            }
            [Packet::Other, _] | [_, Packet::Other] => Appetite::Full,
            _ => Appetite::Hungry,
        }
    }
}

/// Reads whether an X server lets its client in.
#[derive(Debug, Default)]
struct Display {
    held: Held,
}

impl Reader for Display {
    fn held(&self) -> usize {
        self.held.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            return Appetite::Hungry;
        }
        if piece.missing > 0 {
            return Appetite::Full;
        }
        hold(&mut self.held, piece.bytes, limit::LINE_KEPT + 8);
        let held = self.held.as_slice();
        let (Some([verdict, len, ..]), Some(_)) = (held.first_chunk::<2>(), held.get(5)) else { return Appetite::Hungry };
        said.believe(Evidence::Dialogue);
        let reason = match (verdict, held.get(8..8 + usize::from(*len))) {
            // The reason follows the lengths.
            (0, None) => return Appetite::Hungry,
            (0, Some(reason)) => reason,
            (2, _) => b"further authentication is wanted",
            _ => {
                said.say(Fact::answer(AnswerKind::Accepted, 0, "connected"));
                return Appetite::Full;
            }
        };
        said.say(Fact::answer(AnswerKind::Refused, 0, printable(reason.trim_ascii_end())));
        Appetite::Full
    }
}

/// Reads versions, security types, why a server refuses, and whether it took the password.
#[derive(Debug, Default)]
struct Screen {
    /// Which side the RFB server is: who speaks first, whoever connected.
    server: Option<Side>,
    held: [Held; 2],
    told: bool,
    offered: bool,
}

impl Reader for Screen {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let server = *self.server.get_or_insert_with(|| {
            if piece.from == Side::Client {
                said.say(Fact::Speaks { client: Side::Server });
            }
            piece.from
        });
        let held = &mut self.held[piece.from as usize];
        hold(held, piece.bytes, limit::RFB_KEPT);
        let (mine, yours) = (&self.held[usize::from(server == Side::Server)], &self.held[usize::from(server == Side::Client)]);
        let (Some(version), Some(agreed)) = (mine.get(4..11), yours.get(4..11)) else { return Appetite::Hungry };
        if !std::mem::replace(&mut self.told, true) {
            said.believe(Evidence::BothOpenings);
            said.detail("rfb", "version", printable(version.min(agreed)));
        }
        let Some(rest) = mine.get(12..) else { return Appetite::Hungry };
        let full = mine.len() >= limit::RFB_KEPT;
        // Version 3.3: the server decides, in four bytes; later: it offers types, counted in one byte (section 7.1.2).
        let old = agreed.min(version) < b"003.007".as_slice();
        let refused = match rest {
            [0, 0, 0, 0, reason @ ..] if old => Some(reason),
            [0, 0, 0, kind, login @ ..] if old => {
                offer(&mut self.offered, &[*kind], said);
                return result(*kind, login, false, server, said).unwrap_or(if full { Appetite::Full } else { Appetite::Hungry });
            }
            [0, reason @ ..] if !old => Some(reason),
            [many, types @ ..] if !old && *many > 0 && types.len() >= usize::from(*many) => {
                let (types, login) = types.split_at(usize::from(*many));
                offer(&mut self.offered, types, said);
                let explains = agreed.min(version) >= b"003.008".as_slice();
                let told = yours.get(12).and_then(|chosen| result(*chosen, login, explains, server, said));
                return told.unwrap_or(if full { Appetite::Full } else { Appetite::Hungry });
            }
            _ => None,
        };
        let reason = refused.and_then(|reason| {
            let mut at = Cursor::new(reason);
            let len = at.be32()? as usize;
            if full { Some(at.rest()) } else { at.take(len) }
        });
        if let Some(reason) = reason {
            said.believe(Evidence::Dialogue);
            said.say(Fact::Answer { kind: AnswerKind::Refused, code: 0, text: printable(reason), by: server });
            return Appetite::Full;
        }
        if full { Appetite::Full } else { Appetite::Hungry }
    }
}

/// Tells the security types that were offered, once.
fn offer(told: &mut bool, types: &[u8], said: &mut Said<'_>) {
    if !std::mem::replace(told, true) {
        said.believe(Evidence::Dialogue);
        let names: Lines = types.iter().take(limit::LIST_KEPT).map(|kind| security_name(*kind)).collect();
        said.detail("rfb", "security", names);
    }
}

/// What comes after the security type was agreed: of a password the server tells whether it was right (sections 7.1.3 and 7.2.2), since version 3.8 in
/// words. None where that is still to come; other types are not looked into.
fn result(kind: u8, login: &[u8], explains: bool, server: Side, said: &mut Said<'_>) -> Option<Appetite> {
    if kind != PASSWORD {
        return Some(Appetite::Full);
    }
    let mut at = Cursor::new(login.get(CHALLENGE..)?);
    let code = at.be32()?;
    if code > 0 {
        let reason = if explains { at.be32().and_then(|len| at.take(len as usize))? } else { b"authentication failed" };
        said.say(Fact::Answer { kind: AnswerKind::Refused, code, text: printable(reason), by: server });
    }
    Some(Appetite::Full)
}

/// The security type "VNC Authentication", and its challenge's length (section 7.2.2).
const PASSWORD: u8 = 2;
const CHALLENGE: usize = 16;

/// IANA "RFB Security Types".
fn security_name(kind: u8) -> String {
    let name = match kind {
        1 => "none",
        2 => "vnc",
        5 => "ra2",
        16 => "tight",
        18 => "tls",
        19 => "vencrypt",
        20 => "sasl",
        30 => "apple",
        _ => return format!("type {kind}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::ssh_keys::tests::{USUAL, kexinit};
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    #[test]
    fn both_ssh_versions_are_read() {
        let dialogue: &[(Side, &[u8])] = &[(Server, b"SSH-2.0-OpenSSH_9.6\r\n"), (Client, b"SSH-2.0-x\r\n\0\0\x05")];
        assert_eq!(evidence(decide(&SSH, Transport::TCP, 443, dialogue[1].1, dialogue[0].1)), Evidence::BothOpenings);
        assert!(read(&SSH, Transport::TCP, 22, dialogue).facts.contains(&Fact::Software { of: Server, text: "SSH-2.0-OpenSSH_9.6".into() }));
        assert_eq!(evidence(decide(&SSH, Transport::TCP, 22, b"SSH is not spoken here\n", b"")), Evidence::None);
        survives(&SSH, Transport::TCP, 22, dialogue);
    }

    // RFC 4253 section 7.1: without a common algorithm both sides must disconnect; neither needs to say why
    #[test]
    fn ssh_without_a_common_cipher_is_refused() {
        let (mut client, server) = (USUAL, kexinit(USUAL));
        (client[2], client[3]) = ("aes128-gcm@openssh.com", "3des-cbc");
        let client = kexinit(client);
        let dialogue: &[(Side, &[u8])] = &[(Server, b"SSH-2.0-OpenSSH_9.6\r\n"), (Client, b"SSH-2.0-x\r\n"), (Client, &client), (Server, &server)];
        let told = read(&SSH, Transport::TCP, 22, dialogue);
        assert!(told.facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Refused, code: 3, text, .. } if text.contains("cipher"))));
        survives(&SSH, Transport::TCP, 22, dialogue);
        let agreed = [dialogue[0], dialogue[1], (Client, &server), (Server, &server)];
        assert!(!read(&SSH, Transport::TCP, 22, &agreed).facts.iter().any(|fact| matches!(fact, Fact::Answer { .. })));
    }

    #[test]
    fn telnet_negotiates_and_one_such_triple_alone_is_not_enough() {
        let (ask, answer): (&[u8], &[u8]) = (&[0xff, 0xfb, 0x18], &[0xff, 0xfd, 0x18, 0xff, 0xfd, 0x20]);
        assert_eq!(evidence(decide(&TELNET, Transport::TCP, 2323, ask, answer)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&TELNET, Transport::TCP, 2323, ask, b"")), Evidence::None);
        assert_eq!(evidence(decide(&TELNET, Transport::TCP, 23, &[0xff, 0xd8, 0xff, 0xe0], b"")), Evidence::None);
        survives(&TELNET, Transport::TCP, 23, &[(Server, answer), (Client, ask)]);
    }

    #[test]
    fn a_screen_offers_security_types_or_says_why_not() {
        let version: &[u8] = b"RFB 003.008\n";
        let offers: &[(Side, &[u8])] = &[(Server, version), (Client, version), (Server, &[2, 2, 16])];
        assert_eq!(evidence(decide(&RFB, Transport::TCP, 5900, version, version)), Evidence::BothOpenings);
        let heard = read(&RFB, Transport::TCP, 5900, offers);
        assert_eq!(heard.detail("rfb", "security"), Some(Lines::from_iter(["vnc", "tight"]).into()));
        survives(&RFB, Transport::TCP, 5900, offers);
        let refuses: &[(Side, &[u8])] = &[(Server, version), (Client, version), (Server, b"\0\0\0\0\x08Too many")];
        let heard = read(&RFB, Transport::TCP, 5900, refuses);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 0, "Too many")));
        survives(&RFB, Transport::TCP, 5900, refuses);
    }

    #[test]
    fn a_wrong_password_is_the_screens_own_refusal() {
        let (old, new): (&[u8], &[u8]) = (b"RFB 003.003\n", b"RFB 003.008\n");
        let by_old: &[(Side, &[u8])] =
            &[(Server, new), (Client, old), (Server, &[0, 0, 0, 2]), (Server, &[7; 16]), (Client, &[8; 16]), (Server, &[0, 0, 0, 1])];
        let refused = |text: &str| Fact::answer(AnswerKind::Refused, 1, text);
        assert!(read(&RFB, Transport::TCP, 5900, by_old).facts.contains(&refused("authentication failed")));
        survives(&RFB, Transport::TCP, 5900, by_old);
        let reason = b"\0\0\0\x01\0\0\0\x03bad";
        let by_new: &[(Side, &[u8])] =
            &[(Server, new), (Client, new), (Server, &[1, 2]), (Client, &[2]), (Server, &[7; 16]), (Client, &[8; 16]), (Server, reason)];
        assert!(read(&RFB, Transport::TCP, 5900, by_new).facts.contains(&refused("bad")));
        survives(&RFB, Transport::TCP, 5900, by_new);
        let right: &[(Side, &[u8])] =
            &[(Server, new), (Client, new), (Server, &[1, 2]), (Client, &[2]), (Server, &[7; 16]), (Client, &[8; 16]), (Server, &[0; 4])];
        assert!(!read(&RFB, Transport::TCP, 5900, right).facts.iter().any(|fact| matches!(fact, Fact::Answer { .. })));
    }

    // X Window System Protocol, "Connection Setup": lengths of name and data, the reason's length before the version
    #[test]
    fn a_display_lets_in_or_says_why_not() {
        let (little, big) = (hex("6c00 0b00 0000 0000 0000 0000"), hex("4200 000b 0000 0012 0010 0000"));
        let welcome = hex("01 00 0b00 0000 0200 0102030405060708");
        let refuses = [&hex("00 0e 0b00 0000 0400")[..], b"No way in here", &[0; 2]].concat();
        for ask in [&little, &big] {
            assert_eq!(evidence(decide(&X11, Transport::TCP, 50_001, ask, b"")), Evidence::OneOpening);
        }
        assert_eq!(evidence(decide(&X11, Transport::TCP, 6001, &little, &welcome)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&X11, Transport::TCP, 6001, b"login: anyone", b"")), Evidence::None);
        let answer = |bytes: &[u8]| read(&X11, Transport::TCP, 6001, &[(Client, &little), (Server, bytes)]).facts;
        assert!(answer(&refuses).contains(&Fact::answer(AnswerKind::Refused, 0, "No way in here")));
        assert!(answer(&welcome).iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Accepted, .. })));
        survives(&X11, Transport::TCP, 6001, &[(Client, &little), (Server, &refuses)]);
    }

    #[test]
    fn a_reverse_connection_makes_the_opener_the_server_by_content() {
        let version: &[u8] = b"RFB 003.003\n";
        let heard = read(&RFB, Transport::TCP, 5500, &[(Client, version), (Server, version), (Client, &[0, 0, 0, 2])]);
        assert!(heard.facts.contains(&Fact::Speaks { client: Server }));
        assert_eq!(evidence(decide(&RFB, Transport::TCP, 5900, b"", b"RFB 003x008\n")), Evidence::None);
    }
}
