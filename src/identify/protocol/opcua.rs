//! OPC UA binary (OPC 10000-6 section 7.1): whether a server lets a client in, where it can be read.

use crate::identify::wire::{Cursor, Length, Messages, may_begin, printable, shown};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::Side;

use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by the kind and the length that a message begins with.
pub static OPCUA: Known = Known {
    name: "opcua",
    over: Over::Streams,
    ask: |_: &Opening<'_>, bytes| look(bytes, &[b"HEL", b"RHE", b"OPN", b"MSG", b"CLO"]),
    answer: Some(|_, bytes| look(bytes, &[b"ACK", b"ERR", b"OPN", b"MSG", b"CLO"])),
    strength: Strength::Magic,
    reader: || Box::<Session>::default(),
};

fn look(bytes: &[u8], kinds: &[&[u8]]) -> Look {
    match bytes {
        [a, b, c, b'F' | b'C' | b'A', size @ ..] if size.len() >= 4 => {
            let len = Cursor::new(size).le32().unwrap_or_default();
            Look::when(kinds.contains(&[*a, *b, *c].as_slice()) && (8..1 << 24).contains(&len), 8, "OPC UA message header")
        }
        _ if bytes.len() < 8 && kinds.iter().any(|kind| may_begin(bytes, kind) && may_begin(bytes.get(..3).unwrap_or(bytes), kind)) => Look::Short,
        _ => Look::No,
    }
}

fn length(bytes: &[u8]) -> Length {
    match bytes.get(4..).map(|rest| Cursor::new(rest).le32()) {
        Some(Some(len @ 8..)) => Length::Is(u64::from(len)),
        Some(Some(_)) => Length::Wrong,
        _ => Length::Unknown,
    }
}

/// Reads until the server has let its client in, or what they say is sealed. Whoever is refused may give another password in the same session (OPC 10000-4 section 5.6.3).
#[derive(Debug, Default)]
struct Session {
    streams: [Messages; 2],
    /// The number of the client's latest request to be let in that is not answered yet.
    asked: Option<u32>,
    /// The server's next piece of a message goes on with one.
    goes_on: bool,
}

impl Reader for Session {
    fn held(&self) -> usize {
        self.streams.iter().map(Messages::held).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let side = piece.from as usize;
        let mut rest = piece.bytes;
        while let Some(message) = self.streams[side].next(&mut rest, length) {
            let enough = match piece.from {
                Side::Client => self.request(&message, said),
                Side::Server => self.response(&message, said),
            };
            if enough {
                return Appetite::Full;
            }
        }
        if self.streams[side].is_broken() { Appetite::Full } else { Appetite::Hungry }
    }
}

impl Session {
    /// Whether nothing more can be learned.
    fn request(&mut self, message: &[u8], said: &mut Said<'_>) -> bool {
        match message.get(..3) {
            Some(b"HEL") => message.get(32..).into_iter().for_each(|url| said.say(Fact::request("hello", &shown(url)))),
            Some(b"MSG") => match body(message) {
                Some(Body { kind: CREATE_SESSION | ACTIVATE_SESSION, number, .. }) => self.asked = Some(number),
                Some(_) => {}
                None => return true,
            },
            _ => {}
        }
        false
    }

    fn response(&mut self, message: &[u8], said: &mut Said<'_>) -> bool {
        said.believe(Evidence::Dialogue);
        let refused = |code, text: Box<str>| Fact::answer(AnswerKind::Refused, code, text);
        match message.get(..4) {
            Some(b"ERRF") => {
                let mut at = Cursor::new(message.get(8..).unwrap_or_default());
                let (code, _) = (at.le32().unwrap_or_default(), at.le32());
                said.say(refused(code, printable(at.rest())));
                return true;
            }
            Some([b'M', b'S', b'G', chunk]) => {
                if std::mem::replace(&mut self.goes_on, *chunk == b'C') {
                    return false;
                }
                let Some(Body { kind, number, result }) = body(message) else { return true };
                let is_due = self.asked == Some(number) && matches!(kind, FAULT | SESSION_CREATED | SESSION_ACTIVATED);
                if is_due && result & BAD != 0 {
                    said.say(refused(result, name(result)));
                } else if is_due && kind == SESSION_ACTIVATED {
                    said.say(Fact::answer(AnswerKind::Accepted, 0, "Good"));
                    return true;
                }
            }
            _ => {}
        }
        false
    }
}

/// How a message that is not sealed begins (OPC 10000-6 sections 5.2.2.9, 6.7.2 and 7.1.2): channel, token, sequence, number of the request; what kind it is; of answers,
/// behind time and handle, the result.
struct Body {
    kind: u16,
    number: u32,
    result: u32,
}

fn body(message: &[u8]) -> Option<Body> {
    let mut at = Cursor::new(message.get(20..)?);
    let number = at.le32()?;
    // A kind is a number below 65536 of the name space 0.
    at.be16().filter(|form| *form == 0x0100)?;
    let kind = at.le16()?;
    at.take(12)?;
    Some(Body { kind, number, result: at.le32().unwrap_or_default() })
}

/// The result's name before its number, or that alone.
fn name(result: u32) -> Box<str> {
    let known = RESULTS.iter().find(|(known, _)| *known == result & 0xffff_0000).map_or("bad", |(_, name)| name);
    format!("{known} {result:#010x}").into()
}

/// Kinds of messages, as they are encoded (OPC 10000-6 annex A).
const FAULT: u16 = 397;
const CREATE_SESSION: u16 = 461;
const SESSION_CREATED: u16 = 464;
const ACTIVATE_SESSION: u16 = 467;
const SESSION_ACTIVATED: u16 = 470;
/// The severity of results that are errors (OPC 10000-4 section 7.39).
const BAD: u32 = 0x8000_0000;
/// What a server may have against a client (OPC 10000-6 annex A).
const RESULTS: &[(u32, &str)] = &[
    (0x8002_0000, "BadInternalError"),
    (0x800b_0000, "BadServiceUnsupported"),
    (0x800c_0000, "BadShutdown"),
    (0x800e_0000, "BadServerHalted"),
    (0x8012_0000, "BadCertificateInvalid"),
    (0x8013_0000, "BadSecurityChecksFailed"),
    (0x8014_0000, "BadCertificateTimeInvalid"),
    (0x8016_0000, "BadCertificateHostNameInvalid"),
    (0x8017_0000, "BadCertificateUriInvalid"),
    (0x801a_0000, "BadCertificateUntrusted"),
    (0x801f_0000, "BadUserAccessDenied"),
    (0x8020_0000, "BadIdentityTokenInvalid"),
    (0x8021_0000, "BadIdentityTokenRejected"),
    (0x8024_0000, "BadNonceInvalid"),
    (0x8025_0000, "BadSessionIdInvalid"),
    (0x804f_0000, "BadServerUriInvalid"),
    (0x8054_0000, "BadSecurityModeRejected"),
    (0x8055_0000, "BadSecurityPolicyRejected"),
    (0x8056_0000, "BadTooManySessions"),
    (0x8057_0000, "BadUserSignatureInvalid"),
    (0x8058_0000, "BadApplicationSignatureInvalid"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    fn told(dialogue: &[(Side, &[u8])]) -> Vec<(AnswerKind, u32, String)> {
        survives(&OPCUA, Transport::TCP, 4840, dialogue);
        let told = |fact: &Fact| if let Fact::Answer { kind, code, text, .. } = fact { Some((*kind, *code, text.to_string())) } else { None };
        read(&OPCUA, Transport::TCP, 4840, dialogue).facts.iter().filter_map(told).collect()
    }

    fn hello() -> [Vec<u8>; 2] {
        [hex("48454c46 0c000000 00000000"), hex("41434b46 08000000")]
    }

    #[test]
    fn a_message_is_told_by_its_header() {
        let [hello, ack] = hello();
        assert_eq!(evidence(decide(&OPCUA, Transport::TCP, 4840, &hello, &ack)), Evidence::BothOpenings);
        survives(&OPCUA, Transport::TCP, 4840, &[(Client, &hello), (Server, &ack)]);
    }

    // asyncua 2.1: a password that the server does not know, and one that it does
    #[test]
    fn a_session_that_is_not_activated_is_refused_until_one_is() {
        let [hello, ack] = hello();
        let asks = hex("4d534746 2c000000 06000000 0d000000 03000000 03000000 0100d301 0100e903f40a5f02e77edd01 03000000 00000000");
        let fault = hex("4d534746 34000000 06000000 0d000000 03000000 03000000 01008d01 06355f02e77edd01 03000000 00001f80 00000000 00000000");
        let let_in = hex("4d534746 34000000 06000000 0d000000 03000000 03000000 0100d601 72e2c400e77edd01 03000000 00000000 00000000 00000000");
        let refused = (AnswerKind::Refused, 0x801f_0000, "BadUserAccessDenied 0x801f0000".to_owned());
        let begins: [(Side, &[u8]); 4] = [(Client, &hello), (Server, &ack), (Client, &asks), (Server, &fault)];
        assert_eq!(told(&begins), std::slice::from_ref(&refused));
        let again = [&begins[..], &[(Client, &asks), (Server, &let_in)]].concat();
        assert_eq!(told(&again), [refused, (AnswerKind::Accepted, 0, "Good".to_owned())]);
        // What is not found, or not allowed, in a session is everyday; and who reads is no more than a reader.
        let reads = hex("4d534746 2c000000 06000000 0d000000 04000000 04000000 01007702 0100e903caf0c400e77edd01 04000000 00000000");
        let mut denied = fault.clone();
        denied[20] = 4;
        assert!(told(&[(Client, &hello), (Server, &ack), (Client, &reads), (Server, &denied)]).is_empty());
    }

    #[test]
    fn what_is_sealed_is_not_read() {
        let [hello, ack] = hello();
        let sealed = hex("4d534746 34000000 06000000 0d000000 7a119c03 03aa0400 9f8d0106 06355f02e77edd01 03000000 00001f80 00000000 00000000");
        assert!(told(&[(Client, &hello), (Server, &ack), (Client, &sealed), (Server, &sealed)]).is_empty());
    }
}
