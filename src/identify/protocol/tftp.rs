//! TFTP (RFC 1350, RFC 2347): the request goes to port 69, the answer comes from a new port.

use std::time::Duration;

use crate::identify::wire::{Cursor, printable, shown};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::Transport;
use crate::signature::PromiseKind;

use super::{Appetite, Gate, Known, Look, Over, Piece, Reader, Said, Strength};

/// Told by a request with file name and mode; the data flow by its blocks from both sides.
pub static TFTP: Known = Known {
    name: "tftp",
    over: Over::Datagrams(Gate::Bytes(&[0..=0])),
    ask: |opening, bytes| {
        let acknowledges = matches!(bytes, [0, 4, 0, 0 | 1]);
        if acknowledges {
            Look::Weak(0, 4, "TFTP acknowledgment")
        } else {
            Look::when(request(bytes).is_some(), 2, "TFTP request").weak_unless_at(opening, &[69])
        }
    },
    answer: Some(|_, bytes| match bytes {
        [0, 3, 0, 1, data @ ..] if data.len() <= 1468 => Look::Weak(0, 4, "TFTP data block 1"),
        [0, 4, 0, 0] => Look::Weak(0, 4, "TFTP acknowledgment of a request"),
        [0, 5, 0, 0..=8, .., 0] => Look::Weak(0, 4, "TFTP error"),
        [0, 6, .., 0] => Look::Weak(0, 2, "TFTP option acknowledgment"),
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Box::new(Transfer::default()),
};

/// Operation and file name of a read or write request.
fn request(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let mut at = Cursor::new(bytes);
    let operation = at.be16().filter(|operation| matches!(operation, 1 | 2))?;
    let (file, mode) = (at.until_nul()?, at.until_nul()?);
    let known = [b"netascii".as_slice(), b"octet", b"mail"].iter().any(|word| mode.eq_ignore_ascii_case(word));
    (known && !file.is_empty() && file.iter().all(|byte| *byte >= b' ')).then_some((operation, file))
}

/// Reads the request, and an error.
#[derive(Debug, Default)]
struct Transfer {
    asked: Option<Vec<u8>>,
}

impl Reader for Transfer {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if let Some((operation, file)) = request(piece.bytes) {
            let kept = piece.bytes.get(..limit::LINE_KEPT).unwrap_or(piece.bytes);
            if self.asked.as_deref() == Some(kept) {
                said.say(Fact::Retry);
                return Appetite::Hungry;
            }
            self.asked = Some(kept.to_vec());
            said.say(Fact::request(if operation == 1 { "read" } else { "write" }, &shown(file)));
            let (asks, asked) = (piece.sender(), piece.receiver());
            said.promise(&piece, PromiseKind::Tftp, Transport::UDP, asks, Some(asked.ip), ANSWER_WITHIN);
            return Appetite::Hungry;
        }
        match piece.bytes {
            [0, 5, 0, code, text @ ..] => {
                said.say(Fact::Answer {
                    kind: AnswerKind::Refused,
                    code: u32::from(*code),
                    text: printable(text.strip_suffix(&[0]).unwrap_or(text)),
                    by: piece.from,
                });
                Appetite::Full
            }
            _ => {
                said.believe(Evidence::BothOpenings);
                Appetite::Full
            }
        }
    }
}

/// Requests are repeated for half a minute at most by common clients.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, ends, evidence, parties, read, survives};
    use crate::net::Side::{Client, Server};

    const READ: &[u8] = b"\0\x01boot.bin\0octet\0";

    #[test]
    fn a_request_announces_an_answer_from_a_new_port() {
        assert_eq!(evidence(decide(&TFTP, Transport::UDP, 69, READ, &[])), Evidence::OneOpening);
        let heard = read(&TFTP, Transport::UDP, 69, &[(Client, READ), (Client, READ)]);
        assert!(heard.facts.contains(&Fact::request("read", "boot.bin")) && heard.facts.contains(&Fact::Retry));
        assert!(heard.facts.iter().any(|fact| matches!(fact, Fact::Promise(promise) if promise.server == ends(69).0 && promise.client == Some(ends(69).1.ip))));
        survives(&TFTP, Transport::UDP, 69, &[(Client, READ), (Server, b"\0\x05\0\x01File not found\0")]);
    }

    #[test]
    fn a_request_of_kilobytes_is_not_kept_whole() {
        let mut transfer = Transfer::default();
        let long = [b"\0\x01".as_slice(), &[b'x'; 60_000], b"\0octet\0"].concat();
        let (mut facts, mut evidence) = (Vec::new(), Evidence::None);
        let piece = Piece {
            from: Client,
            bytes: &long,
            offset: 0,
            missing: 0,
            time: Default::default(),
            frame: Default::default(),
            ends: &parties(Transport::UDP, 69),
            transport: Transport::UDP,
        };
        transfer.read(piece, &mut Said { facts: &mut facts, evidence: &mut evidence, details: None });
        assert!(transfer.asked.is_some_and(|asked| asked.len() <= limit::LINE_KEPT));
    }

    #[test]
    fn a_block_alone_and_an_unknown_mode_are_not_enough() {
        assert_eq!(evidence(decide(&TFTP, Transport::UDP, 4000, &[0, 3, 0, 1, 7], &[])), Evidence::None);
        assert_eq!(evidence(decide(&TFTP, Transport::UDP, 69, b"\0\x01boot\0other\0", &[])), Evidence::None);
        assert_eq!(evidence(decide(&TFTP, Transport::UDP, 4000, &[0, 4, 0, 1], &[0, 3, 0, 1, 7])), Evidence::BothOpenings);
    }
}
