//! PPTP's control connection (RFC 2637), whose tunnel is GRE between the same hosts, and L2TP's (RFC 2661), whose tunnel is taken apart where packets are decoded.

use crate::identify::wire::{Cursor, Length, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::Side;

use super::exchange::Exchange;
use super::{Appetite, Confirm, Gate, Known, Look, Over, Piece, Said, Strength};

/// Told by the header of a control message: its length, type 1, the magic cookie, and a control message whose length that is.
pub static PPTP: Known = Known {
    name: "pptp",
    over: Over::Streams,
    ask: |_, bytes| look(bytes, &[START_REQUEST, ECHO_REQUEST, CALL_REQUEST]),
    answer: Some(|_, bytes| look(bytes, &[START_REPLY, ECHO_REPLY, CALL_REPLY])),
    strength: Strength::Magic,
    reader: || Exchange::of(length, message),
};

/// Told by a control message (sections 3.1 and 4.1): a length that fits, version 2, and the message's type first of all that it says.
pub static L2TP: Known = Known {
    name: "l2tp",
    over: Over::Datagrams(Gate::BytesAnd(&[0xc8..=0xc8], |bytes| matches!(bytes, [0xc8, 2, ..]))),
    ask: |_, bytes| tunnel(bytes, &[1, 3, 4, 6]),
    answer: Some(|_, bytes| tunnel(bytes, &[2, 4, 6])),
    strength: Strength::Structure,
    // Whoever is not acknowledged sends the same again (section 5.8).
    reader: || Confirm::asking(&L2TP, |bytes| bytes),
};

fn tunnel(bytes: &[u8], kinds: &[u16]) -> Look {
    let rule = "L2TP control message";
    let mut at = Cursor::new(bytes);
    let (head, len) = (at.be16(), at.be16());
    if head != Some(0xc802) || len.map(usize::from) != Some(bytes.len()) {
        return Look::No;
    }
    // Tunnel, session, two numbers.
    at.take(8);
    match (at.be16(), at.be32(), at.be16()) {
        (Some(0x8008), Some(0), Some(kind)) => Look::when(kinds.contains(&kind), 20, rule),
        // An acknowledgment says nothing.
        (None, ..) if bytes.len() == 12 => Look::Weak(0, 4, rule),
        _ => Look::No,
    }
}

fn look(bytes: &[u8], kinds: &[u16]) -> Look {
    match bytes.first_chunk::<12>() {
        Some([high, low, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, a, b, 0, 0]) => {
            let (len, kind) = (u16::from_be_bytes([*high, *low]), u16::from_be_bytes([*a, *b]));
            Look::when(kinds.contains(&kind) && (12..=220).contains(&len), 12, "PPTP control message with magic cookie")
        }
        None if matches!(bytes, [] | [0] | [0, _] | [0, _, 0, ..]) && bytes.len() < 12 => Look::Short,
        _ => Look::No,
    }
}

fn length(_: Side, bytes: &[u8]) -> Length {
    match Cursor::new(bytes).be16() {
        Some(len @ 12..=220) => Length::Is(u64::from(len)),
        Some(_) => Length::Wrong,
        None => Length::Unknown,
    }
}

/// Sections 2.2 and 2.8: result 1 is success; both ends of the control connection name their product.
fn message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let kind = bytes.get(8..).and_then(|rest| Cursor::new(rest).be16()).unwrap_or_default();
    let product = || printable(bytes.get(92..156).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default());
    let (result, text) = match kind {
        START_REQUEST | START_REPLY => {
            if !product().is_empty() {
                said.say(Fact::Software { of: piece.from, text: product() });
            }
            (bytes.get(14).filter(|_| kind == START_REPLY), "control connection")
        }
        CALL_REPLY => (bytes.get(16), "call"),
        _ => (None, ""),
    };
    let Some(result) = result.copied() else { return Appetite::Hungry };
    said.believe(Evidence::Dialogue);
    let accepted = result == 1;
    let answer = if accepted { AnswerKind::Accepted } else { AnswerKind::Refused };
    said.say(Fact::Answer { kind: answer, code: u32::from(result), text: text.into(), by: piece.from });
    if kind == CALL_REPLY || !accepted { Appetite::Full } else { Appetite::Hungry }
}

const START_REQUEST: u16 = 1;
const START_REPLY: u16 = 2;
const ECHO_REQUEST: u16 = 5;
const ECHO_REPLY: u16 = 6;
const CALL_REQUEST: u16 = 7;
const CALL_REPLY: u16 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// A start request or reply (sections 2.1 and 2.2) with result, host name and product.
    fn start(kind: u8, result: u8, product: &str) -> Vec<u8> {
        let mut message = [hex("009c 0001 1a2b3c4d 00"), vec![kind], hex("0000 0100"), vec![result, 0], hex("00000001 00000001 0000 0001")].concat();
        message.resize(92, 0);
        message.extend(product.as_bytes());
        message.resize(156, 0);
        message
    }

    // RFC 2661 section 6.1 (SCCRQ), 6.2 (SCCRP), 5.8
    #[test]
    fn a_tunnel_is_asked_for_and_asked_for_again() {
        let ask = hex("c802 001c 0000 0000 0000 0000 8008 0000 0000 0001 8008 0000 0002 0100");
        let answer = hex("c802 0014 7a59 0000 0000 0001 8008 0000 0000 0002");
        assert_eq!(evidence(decide(&L2TP, Transport::UDP, 1701, &ask, &answer)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&L2TP, Transport::UDP, 1701, &ask[..27], &[])), Evidence::None);
        assert!(read(&L2TP, Transport::UDP, 1701, &[(Client, &ask), (Client, &ask)]).says(&Fact::Retry));
        survives(&L2TP, Transport::UDP, 1701, &[(Client, &ask), (Server, &answer)]);
        prefixes_never_match_anything_else("l2tp", Transport::UDP, &ask, &answer);
    }

    #[test]
    fn a_control_connection_names_its_ends_and_may_refuse_a_call() {
        let call = hex("0020 0001 1a2b3c4d 0008 0000 0001 0002 02 00 0000 00000000 0000 0000 00000000");
        let (ask, reply) = (start(1, 0, "MS Windows NT"), start(2, 1, "Linux PPTP"));
        let dialogue: &[(Side, &[u8])] = &[(Client, &ask), (Server, &reply), (Server, &call)];
        assert_eq!(evidence(decide(&PPTP, Transport::TCP, 1723, &ask, &reply)), Evidence::BothOpenings);
        let heard = read(&PPTP, Transport::TCP, 1723, dialogue);
        assert!(heard.facts.contains(&Fact::Software { of: Server, text: "Linux PPTP".into() }), "{:?}", heard.facts);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Accepted, 1, "control connection")));
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 2, "call")));
        survives(&PPTP, Transport::TCP, 1723, dialogue);
        prefixes_never_match_anything_else("pptp", Transport::TCP, &ask, &reply);
    }

    #[test]
    fn without_the_cookie_it_is_nobodys() {
        let mut ask = start(1, 0, "x");
        ask[4] = 0;
        assert_eq!(evidence(decide(&PPTP, Transport::TCP, 1723, &ask, &[])), Evidence::None);
    }
}
