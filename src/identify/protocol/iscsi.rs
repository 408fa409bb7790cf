//! iSCSI: disks over TCP, as shared storage has them (RFC 7143).

use crate::identify::wire::{Length, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::Side;

use super::exchange::Exchange;
use super::{Appetite, Known, Look, Over, Piece, Said, Strength};

/// Told by the header of a login: operation, versions, and what is reserved there (RFC 7143 sections 11.12 and 11.13).
pub static ISCSI: Known = Known {
    name: "iscsi",
    over: Over::Streams,
    ask: |_, bytes| login(bytes, 0x43, 32..48, "iSCSI login request"),
    answer: Some(|_, bytes| login(bytes, 0x23, 38..48, "iSCSI login response")),
    strength: Strength::Structure,
    reader: || Exchange::of(length, message),
};

/// A header of 48 bytes whose last ones are reserved.
fn login(bytes: &[u8], operation: u8, reserved: std::ops::Range<usize>, rule: &'static str) -> Look {
    // Of the flags two bits are reserved, of the stages the second is not given; both versions are zero, nothing is added to the header, and texts are short.
    match bytes {
        [first, ..] if *first != operation => Look::No,
        [_, flags, ..] if flags & 0x30 != 0 || flags >> 2 & 3 == 2 => Look::No,
        [_, _, rest @ ..] if rest.iter().take(4).any(|byte| *byte != 0) => Look::No,
        _ if bytes.len() < HEADER => Look::Short,
        _ => Look::when(bytes.get(reserved).is_some_and(|rest| rest.iter().all(|byte| *byte == 0)), HEADER as u32, rule),
    }
}

/// Header, what is added to it, and data filled up to four bytes. Digests come only after the login.
fn length(_: Side, bytes: &[u8]) -> Length {
    match bytes {
        [0x40 | 0x43 | 3 | 0x23, _, _, _, added, a, b, c, ..] => {
            let data = u64::from(u32::from_be_bytes([0, *a, *b, *c]));
            Length::Is(HEADER as u64 + u64::from(*added) * 4 + data.next_multiple_of(4))
        }
        _ if bytes.len() < 8 => Length::Unknown,
        _ => Length::Wrong,
    }
}

/// Reads the login to its end.
fn message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let data = bytes.get(HEADER..).unwrap_or_default();
    if piece.from == Side::Client {
        let target = key(data, b"TargetName=").or_else(|| key(data, b"SessionType="));
        if let Some(target) = target {
            said.say(Fact::request("login", &target));
        }
        if let Some(name) = key(data, b"InitiatorName=") {
            said.detail("iscsi", "initiator", name);
        }
        return Appetite::Hungry;
    }
    said.believe(Evidence::Dialogue);
    let (Some(flags), Some(status)) = (bytes.get(1), bytes.get(36..38)) else { return Appetite::Full };
    let (kind, text): (_, Box<str>) = match status {
        // To the stage of full features, and so let in.
        [0, _] if flags & 0x83 == 0x83 => (AnswerKind::Accepted, "login accepted".into()),
        [0, _] => return Appetite::Hungry,
        [1, _] => (AnswerKind::Redirected, "the target moved".into()),
        [class, detail] => {
            let number = u16::from_be_bytes([*class, *detail]);
            let name = STATUSES.iter().find(|(known, _)| *known == number).map_or("login failed", |(_, name)| *name);
            (if *class == 2 { AnswerKind::Refused } else { AnswerKind::Failed }, format!("{name} {number:#06x}").into())
        }
        _ => return Appetite::Full,
    };
    said.say(Fact::answer(kind, 0, text));
    Appetite::Full
}

/// The value of a key: texts end with a zero (RFC 7143 section 6.1).
fn key(data: &[u8], name: &[u8]) -> Option<Box<str>> {
    data.split(|byte| *byte == 0).find_map(|pair| pair.strip_prefix(name)).map(printable)
}

const HEADER: usize = 48;
/// RFC 7143 section 11.13.5.
const STATUSES: &[(u16, &str)] = &[
    (0x0200, "initiator error"),
    (0x0201, "authentication failure"),
    (0x0202, "authorization failure"),
    (0x0203, "target not found"),
    (0x0204, "target removed"),
    (0x0205, "unsupported version"),
    (0x0206, "too many connections"),
    (0x0207, "missing parameter"),
    (0x0208, "cannot include in session"),
    (0x0209, "session type not supported"),
    (0x020a, "session does not exist"),
    (0x020b, "invalid during login"),
    (0x0300, "target error"),
    (0x0301, "service unavailable"),
    (0x0302, "out of resources"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// libiscsi to tgtd, the keys shortened.
    fn ask() -> Vec<u8> {
        let keys = b"InitiatorName=iqn.2007-10.com.example:a\0TargetName=iqn.2026-11.com.example:b\0";
        let head = hex("43870000 0000004d 803167dd00000000 35a12749 00000000 1d26aff4 00000001");
        [head, vec![0; 16], keys.to_vec(), vec![0; 3]].concat()
    }

    fn answer(flags: &str, status: &str) -> Vec<u8> {
        hex(&format!("23{flags}0000 00000000 000000000000 0000 35a12749 00000000 00000000 00000000 00000000 {status} 00000000000000000000"))
    }

    #[test]
    fn a_login_is_told_by_its_header_and_is_accepted_or_refused() {
        let (ask, refused) = (ask(), answer("04", "0203"));
        assert_eq!(evidence(decide(&ISCSI, Transport::TCP, 50_001, &ask, &refused)), Evidence::BothOpenings);
        let told = |answers: &[&[u8]]| {
            let dialogue: Vec<(Side, &[u8])> = answers.iter().flat_map(|answer| [(Client, &ask[..]), (Server, *answer)]).collect();
            survives(&ISCSI, Transport::TCP, 3260, &dialogue);
            let heard = read(&ISCSI, Transport::TCP, 3260, &dialogue);
            assert_eq!(heard.evidence, Evidence::Dialogue);
            assert!(heard.facts.contains(&Fact::request("login", "iqn.2026-11.com.example:b")));
            let answered = |fact: &Fact| if let Fact::Answer { kind, text, .. } = fact { Some((*kind, text.to_string())) } else { None };
            heard.facts.iter().filter_map(answered).collect::<Vec<_>>()
        };
        assert_eq!(told(&[&refused]), [(AnswerKind::Refused, "target not found 0x0203".into())]);
        // The login goes on by CHAP, then it is accepted, or the password is wrong.
        let goes_on = answer("81", "0000");
        assert_eq!(told(&[&goes_on, &answer("87", "0000")]), [(AnswerKind::Accepted, "login accepted".into())]);
        assert_eq!(told(&[&goes_on, &answer("00", "0201")]), [(AnswerKind::Refused, "authentication failure 0x0201".into())]);
        assert_eq!(told(&[&answer("00", "0301")]), [(AnswerKind::Failed, "service unavailable 0x0301".into())]);
        prefixes_never_match_anything_else("iscsi", Transport::TCP, &ask, &refused);
    }

    #[test]
    fn what_only_begins_like_a_login_is_none() {
        let mut other = ask();
        other[40] = 7;
        assert_eq!(evidence(decide(&ISCSI, Transport::TCP, 3260, &other, &[])), Evidence::None);
        assert_eq!(evidence(decide(&ISCSI, Transport::TCP, 3260, b"CONNECT a:443 HTTP/1.1\r\n\r\n", &[])), Evidence::None);
    }
}
