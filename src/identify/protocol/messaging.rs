//! Messages between programs: STOMP and ZeroMQ.

use crate::identify::wire::{Held, begins, hold, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::Side;

use super::{Appetite, Confirm, Known, Look, Over, Piece, Reader, Said, Strength};

/// STOMP (its specification 1.2): a command in a line of its own, headers, and a zero at the end.
pub static STOMP: Known = Known {
    name: "stomp",
    over: Over::Streams,
    ask: |_, bytes| match command(bytes, &[b"STOMP", b"CONNECT"]) {
        // An empty frame is fine in version 1.0; any other line begins with a header.
        Look::Weak(at, len, rule) => {
            let rest = bytes.get(len as usize..).unwrap_or_default();
            let line = rest.split(|byte| matches!(byte, b'\n' | 0)).next().unwrap_or_default();
            match line.iter().position(|byte| *byte == b':') {
                Some(1..) => Look::Yes(at, len, rule),
                _ if line.len() == rest.len() && rest.len() < 64 => Look::Short,
                _ if rest.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n' | 0)) => Look::Weak(at, len, rule),
                _ => Look::No,
            }
        }
        look => look,
    },
    answer: Some(|_, bytes| command(bytes, &[b"CONNECTED", b"ERROR"])),
    strength: Strength::Text,
    reader: || Box::<Frames>::default(),
};

/// ZeroMQ (ZMTP 3.1, section 3.2, and those before it): both sides begin with a signature of ten bytes, then the version.
pub static ZMTP: Known = Known {
    name: "zmtp",
    over: Over::Streams,
    ask: |_, bytes| match bytes {
        [0xff, 0, 0, 0, 0, 0, 0, 0, 0 | 1, 0x7f, ..] => Look::Yes(0, 10, "ZMTP signature"),
        [0xff, rest @ ..] if rest.len() < 9 && rest.iter().take(7).all(|byte| *byte == 0) && rest.get(7).is_none_or(|byte| *byte < 2) => Look::Before(10),
        _ => Look::No,
    },
    answer: None,
    strength: Strength::Magic,
    reader: || Confirm::of(&ZMTP),
};

/// One of these commands, alone in its line.
fn command(bytes: &[u8], commands: &[&[u8]]) -> Look {
    for command in commands {
        let rest = if begins(bytes, command) { bytes.get(command.len()..).unwrap_or_default() } else { &[] };
        let end = match rest {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => continue,
        };
        return Look::Weak(0, (command.len() + end) as u32, "STOMP command");
    }
    let unfinished = |command: &&[u8]| may_begin(bytes, command) && matches!(bytes.get(command.len()..), None | Some([] | [b'\r']));
    if commands.iter().any(unfinished) { Look::Short } else { Look::No }
}

/// Reads whether the server lets the client in.
#[derive(Debug, Default)]
struct Frames {
    held: Held,
}

impl Reader for Frames {
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
        let room = hold(&mut self.held, piece.bytes, limit::MESSAGE_KEPT);
        let held = self.held.as_slice();
        let whole = held.iter().position(|byte| *byte == 0).and_then(|end| held.get(..end));
        let Some(frame) = whole else { return if room < piece.bytes.len() { Appetite::Full } else { Appetite::Hungry } };
        said.believe(Evidence::Dialogue);
        let mut lines = frame.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let (kind, text) = match lines.next() {
            Some(b"CONNECTED") => (AnswerKind::Accepted, &b"CONNECTED"[..]),
            Some(b"ERROR") => (AnswerKind::Refused, lines.find_map(|line| line.strip_prefix(b"message:")).unwrap_or(b"ERROR")),
            _ => return Appetite::Full,
        };
        said.say(Fact::answer(kind, 0, printable(text)));
        Appetite::Full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    #[test]
    fn stomp_lets_in_or_says_why_not() {
        let ask: &[u8] = b"STOMP\naccept-version:1.1\nlogin:a\n\n\0";
        let open: &[u8] = b"CONNECTED\nversion:1.1\n\n\0";
        assert_eq!(evidence(decide(&STOMP, Transport::TCP, 50_001, ask, b"")), Evidence::OneOpening);
        assert_eq!(evidence(decide(&STOMP, Transport::TCP, 50_001, b"CONNECT\r\n\r\n\0", open)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&STOMP, Transport::TCP, 61613, b"CONNECT a.example:443 HTTP/1.1\r\n", b"")), Evidence::None);
        let served = read(&STOMP, Transport::TCP, 61613, &[(Client, ask), (Server, open)]);
        assert!(served.says(&Fact::answer(AnswerKind::Accepted, 0, "CONNECTED")));
        let refused: &[u8] = b"ERROR\nmessage:Bad login\ncontent-length:3\n\nno!\0";
        let told = read(&STOMP, Transport::TCP, 61613, &[(Client, ask), (Server, refused)]);
        assert!(told.says(&Fact::answer(AnswerKind::Refused, 0, "Bad login")));
        survives(&STOMP, Transport::TCP, 61613, &[(Client, ask), (Server, refused)]);
        prefixes_never_match_anything_else("stomp", Transport::TCP, ask, open);
    }

    #[test]
    fn zeromq_is_told_by_its_signature() {
        let signature = hex("ff00000000000000017f 03");
        assert_eq!(evidence(decide(&ZMTP, Transport::TCP, 50_001, &signature, &signature)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&ZMTP, Transport::TCP, 50_001, &signature[..9], &[])), Evidence::None);
        survives(&ZMTP, Transport::TCP, 50_001, &[(Client, &signature), (Server, &signature)]);
        prefixes_never_match_anything_else("zmtp", Transport::TCP, &signature, &signature);
    }
}
