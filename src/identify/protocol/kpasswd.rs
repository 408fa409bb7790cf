//! Kerberos' change of passwords (RFC 3244): over UDP, or over TCP behind four bytes of length.

use crate::identify::wire::{Cursor, Length};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::{Side, Transport};

use super::exchange::Exchange;
use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Said, Strength};

/// Told by a length that fits, a known version, and a ticket or an error of Kerberos where their length says.
pub static KPASSWD: Known = Known {
    name: "kpasswd",
    over: Over::Either(Gate::Passes(|bytes| matches!(bytes, [_, _, 0, 1, ..] | [_, _, 0xff, 0x80, ..]))),
    ask: |opening, bytes| look(opening, bytes, false),
    answer: Some(|opening, bytes| look(opening, bytes, true)),
    strength: Strength::Structure,
    reader: || Exchange::asking(length, message),
};

fn look(opening: &Opening<'_>, bytes: &[u8], answers: bool) -> Look {
    let stream = opening.transport != Transport::UDP;
    let body = match bytes.split_first_chunk::<4>() {
        _ if !stream => bytes,
        Some(([0, 0, ..], body)) => body,
        None if bytes.iter().take(2).all(|byte| *byte == 0) => return Look::Before(11),
        _ => return Look::No,
    };
    let mut at = Cursor::new(body);
    let (Some(len), Some(version), Some(ticket)) = (at.be16(), at.be16(), at.be16()) else { return if stream { Look::Before(11) } else { Look::No } };
    let counted = if stream { bytes.get(2..4) == Some(&len.to_be_bytes()) } else { usize::from(len) == body.len() };
    let fits = counted && matches!(version, 1 | 0xff80) && u32::from(ticket) + 6 <= u32::from(len);
    if !fits {
        return Look::No;
    }
    // An application's request, its reply, or, of no length, an error (RFC 3244 section 2, RFC 4120 section 5.10).
    match at.u8() {
        Some(first) if !answers => Look::when(first == 0x6e && ticket > 0, 6, "request for a change of a Kerberos password"),
        Some(first) => Look::when(first == 0x6f && ticket > 0 || first == 0x7e && ticket == 0, 6, "answer to a change of a Kerberos password"),
        None if stream => Look::Before(11),
        None => Look::No,
    }
}

fn length(_: Side, bytes: &[u8]) -> Length {
    Cursor::new(bytes).be32().map_or(Length::Unknown, |len| Length::Is(u64::from(len) + 4))
}

/// An error says that the change was refused before it was looked at; the reply's own verdict is encrypted.
fn message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    if piece.from == Side::Client {
        return Appetite::Hungry;
    }
    said.believe(Evidence::BothOpenings);
    let body = if piece.transport == Transport::UDP { bytes } else { bytes.get(4..).unwrap_or_default() };
    if let [_, _, _, _, 0, 0, 0x7e, ..] = body {
        said.say(Fact::answer(AnswerKind::Refused, 0, "an error of Kerberos"));
    }
    Appetite::Full
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read, survives};
    use crate::net::Side::{Client, Server};

    // RFC 3244 section 2: length, version, length of the request of the application, that, and a private message
    #[test]
    fn a_change_is_told_and_that_it_is_asked_again() {
        let ask = hex("0010 ff80 0004 6e020500 750405000000");
        let answer = hex("0010 0001 0004 6f020500 750405000000");
        let error = hex("000a 0001 0000 7e020500");
        assert_eq!(evidence(decide(&KPASSWD, Transport::UDP, 50_001, &ask, &answer)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&KPASSWD, Transport::UDP, 464, &ask[..15], &[])), Evidence::None);
        assert!(read(&KPASSWD, Transport::UDP, 464, &[(Client, &ask), (Client, &ask)]).says(&Fact::Retry));
        assert!(!read(&KPASSWD, Transport::UDP, 464, &[(Client, &ask), (Server, &answer), (Client, &ask)]).says(&Fact::Retry));
        let told = read(&KPASSWD, Transport::UDP, 464, &[(Client, &ask), (Server, &error)]);
        assert!(told.facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Refused, .. })));
        survives(&KPASSWD, Transport::UDP, 464, &[(Client, &ask), (Server, &error)]);
        let counted = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
        let (ask, answer) = (counted(&ask), counted(&answer));
        assert_eq!(evidence(decide(&KPASSWD, Transport::TCP, 50_001, &ask, &answer)), Evidence::BothOpenings);
        survives(&KPASSWD, Transport::TCP, 464, &[(Client, &ask), (Server, &answer)]);
        prefixes_never_match_anything_else("kpasswd", Transport::TCP, &ask, &answer);
    }
}
