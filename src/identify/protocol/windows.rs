//! Protocols of Windows networks and their kin: Kerberos, DCE/RPC, RDP, and Sun's RPC with NFS.

use crate::identify::wire::{Cursor, Length, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::{Side, Transport};

use super::exchange::Exchange;
use super::{Appetite, Confirm, Gate, Known, Look, Opening, Over, Piece, Said, Strength, ber, profinet};

/// Told by message type, version 5 and lengths (RFC 4120 section 5.4); over TCP behind a length (section 7.2.2).
pub static KERBEROS: Known = Known {
    name: "kerberos",
    over: Over::Either(Gate::Bytes(&[0x60..=0x7e])),
    ask: |opening, bytes| kerberos(opening, bytes, &[10, 12, 14], "Kerberos request"),
    answer: Some(|opening, bytes| kerberos(opening, bytes, &[11, 13, 15, 30], "Kerberos answer")),
    strength: Strength::Structure,
    // A client that hears nothing sends the same again (RFC 4120 section 7.2.1).
    reader: || Exchange::asking(kerberos_length, kerberos_message),
};

/// Told by version 5 and a bind, or over UDP by version 4 (C706 chapter 12).
pub static DCERPC: Known = Known {
    name: "dcerpc",
    over: Over::Either(Gate::Bytes(&[4..=4])),
    ask: |opening, bytes| dcerpc(opening, bytes, &[11, 14, 0, 16], "DCE/RPC bind"),
    answer: Some(|opening, bytes| dcerpc(opening, bytes, &[12, 13, 15, 2, 3], "DCE/RPC answer")),
    strength: Strength::Structure,
    reader: || Exchange::of(dcerpc_length, dcerpc_message),
};

/// Told by a connection request of X.224 with the cookie or negotiation of RDP (MS-RDPBCGR 2.2.1.1).
pub static RDP: Known = Known {
    name: "rdp",
    over: Over::Streams,
    ask: |opening, bytes| match bytes {
        [3, 0, _, _, _, 0xe0, 0, 0, _, _, 0, rest @ ..] => {
            let negotiates = rest.windows(4).any(|part| matches!(part, [1, _, 8, 0])) || rest.starts_with(b"Cookie: ");
            // The oldest clients ask for nothing; then the port has to help.
            if negotiates {
                Look::Yes(0, 11, "RDP connection request")
            } else {
                Look::when(bytes.get(3) == Some(&11) && opening.is_at(&[3389]), 11, "X.224 connection request at the port of RDP")
            }
        }
        [3] | [3, 0, ..] if bytes.len() < 11 => Look::Short,
        _ => Look::No,
    },
    answer: Some(|_, bytes| match bytes {
        [3, 0, 0, _, _, 0xd0, ..] => Look::Weak(0, 6, "X.224 connection confirm"),
        [3] | [3, 0, ..] if bytes.len() < 6 => Look::Short,
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Exchange::of(tpkt_length, rdp_message),
};

/// Told by a call to program 100003 and its reply (RFC 5531 section 9; RFC 1813).
pub static NFS: Known = Known {
    name: "nfs",
    over: Over::Either(Gate::Zeros(&[4, 5, 6])),
    ask: |opening, bytes| rpc_call(opening, bytes, |program| program == 100_003),
    answer: Some(rpc_reply),
    strength: Strength::Magic,
    // The same call has the same number (RFC 5531 section 9).
    reader: || Confirm::asking(&NFS, |bytes| bytes.get(..4).unwrap_or(bytes)),
};

/// Told by a call to another of Sun's programs (port mapper, mount, lock manager ...) and its reply.
pub static RPC: Known = Known {
    name: "rpc",
    over: Over::Either(Gate::Zeros(&[4, 5, 6])),
    ask: |opening, bytes| rpc_call(opening, bytes, |program| program != 100_003 && ((100_000..=100_999).contains(&program) || program == KADMIN)),
    answer: Some(rpc_reply),
    strength: Strength::Magic,
    // The same call has the same number (RFC 5531 section 9).
    reader: || Confirm::asking(&RPC, |bytes| bytes.get(..4).unwrap_or(bytes)),
};

/// The program by which Kerberos is administered (MIT's `kadm_rpc.h`), beside those of Sun.
const KADMIN: u32 = 2112;

fn kerberos(opening: &Opening<'_>, bytes: &[u8], kinds: &[u8], rule: &'static str) -> Look {
    let (body, at) = if opening.transport == Transport::TCP { (bytes.get(4..).unwrap_or_default(), 4) } else { (bytes, 0) };
    if opening.transport == Transport::TCP && bytes.len() < 20 {
        return if bytes.first().is_none_or(|byte| *byte == 0) { Look::Short } else { Look::No };
    }
    let Some(kind) = kerberos_kind(body).filter(|kind| kinds.contains(kind)) else { return Look::No };
    let framed = opening.transport == Transport::UDP
        || Cursor::new(bytes).be32().zip(ber::header(body)).is_some_and(|(len, (head, own))| u64::from(len) == head as u64 + own);
    let same = body.first().is_some_and(|tag| tag & 0x1f == kind);
    Look::when(framed && same, 12 + at, rule)
}

/// The message type: application tag, sequence, version 5 in `[0]` or `[1]`, type in `[1]` or `[2]`.
fn kerberos_kind(body: &[u8]) -> Option<u8> {
    let tag = body.first()?;
    let (head, _) = ber::header(body)?;
    let inner = body.get(head..)?;
    let (seq, _) = ber::header(inner).filter(|_| inner.first() == Some(&ber::SEQUENCE))?;
    match inner.get(seq..)? {
        [0xa0 | 0xa1, 3, 2, 1, 5, 0xa1 | 0xa2, 3, 2, 1, kind, ..] if (0x60..=0x7e).contains(tag) => Some(*kind),
        _ => None,
    }
}

fn kerberos_length(_: Side, bytes: &[u8]) -> Length {
    match Cursor::new(bytes).be32() {
        Some(len) if len < 1 << 24 => Length::Is(u64::from(len) + 4),
        Some(_) => Length::Wrong,
        None => Length::Unknown,
    }
}

fn kerberos_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let body = if piece.transport == Transport::TCP { bytes.get(4..).unwrap_or_default() } else { bytes };
    let Some(kind) = kerberos_kind(body) else { return Appetite::Hungry };
    match kind {
        11 | 13 | 15 => {
            said.believe(Evidence::Dialogue);
            said.say(Fact::Answer { kind: AnswerKind::Accepted, code: 0, text: "ticket".into(), by: piece.from });
            Appetite::Hungry
        }
        30 => {
            said.believe(Evidence::Dialogue);
            // error-code is field [6] (RFC 4120 section 5.9.1).
            let code = memchr::memmem::find(body, &[0xa6, 3, 2, 1]).and_then(|at| body.get(at + 4)).copied().unwrap_or_default();
            // 25 asks for pre-authentication, 52 for TCP: both are steps of a login that works.
            let kind = if matches!(code, 25 | 52) { AnswerKind::Redirected } else { AnswerKind::Refused };
            said.say(Fact::Answer { kind, code: u32::from(code), text: kerberos_error(code).into(), by: piece.from });
            Appetite::Hungry
        }
        _ => Appetite::Hungry,
    }
}

/// RFC 4120 section 7.5.9.
fn kerberos_error(code: u8) -> &'static str {
    match code {
        6 => "KDC_ERR_C_PRINCIPAL_UNKNOWN",
        7 => "KDC_ERR_S_PRINCIPAL_UNKNOWN",
        14 => "KDC_ERR_ETYPE_NOSUPP",
        18 => "KDC_ERR_CLIENT_REVOKED",
        23 => "KDC_ERR_KEY_EXPIRED",
        24 => "KDC_ERR_PREAUTH_FAILED",
        25 => "KDC_ERR_PREAUTH_REQUIRED",
        37 => "KRB_AP_ERR_SKEW",
        52 => "KRB_ERR_RESPONSE_TOO_BIG",
        68 => "KDC_ERR_WRONG_REALM",
        _ => "KRB_ERROR",
    }
}

fn dcerpc(opening: &Opening<'_>, bytes: &[u8], kinds: &[u8], rule: &'static str) -> Look {
    if opening.transport == Transport::UDP {
        let asks = matches!(bytes.get(1), Some(0 | 1 | 8)) == kinds.contains(&11);
        return Look::when(asks && is_connectionless(bytes), 80, rule);
    }
    match bytes {
        [5, 0 | 1, kind, _, order @ (0 | 0x10), 0, 0, 0, a, b, ..] => {
            let number = |bytes| if *order == 0 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
            let (len, later) = (number([*a, *b]), |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk().copied()).map(number));
            let begins = matches!(kind, 11..=15);
            // Who binds says how large fragments it sends and takes: 1,432 bytes everybody must be able to take (C706, MustRecvFragSize).
            let large = |at| later(at).is_none_or(|size| MUST_TAKE <= size);
            let fragments = !matches!(kind, 11 | 12 | 14 | 15) || large(16) && large(18);
            // What proves the sender stands behind eight bytes of its own within the fragment (C706 section 13.2.6.1).
            let proven = later(10).is_none_or(|proof| proof == 0 || len.checked_sub(16 + 8).is_some_and(|room| proof <= room));
            // A request alone may open only what was joined midway.
            let fits = kinds.contains(kind) && len >= 16 && fragments && proven;
            if begins { Look::when(fits, 10, rule) } else { Look::when(fits, 10, rule).weak_unless_at(opening, &[135]) }
        }
        [5] | [5, 0 | 1] | [5, 0 | 1, _, ..] if bytes.len() < 10 => Look::Short,
        _ => Look::No,
    }
}

const MUST_TAKE: u16 = 1432;

/// Whether a datagram is a message of version 4 (C706 section 12.5.2): a known type, the flags that are reserved for later clear, an order of integers with ASCII, a known
/// format of floating point, a reserved zero, an interface whose UUID is of the variant that C706 defines (appendix A), and the length of the body that follows.
fn is_connectionless(bytes: &[u8]) -> bool {
    let Some(&[4, 0..=10, _, 0..=3, order @ (0 | 0x10), 0..=3, 0, ..]) = bytes.first_chunk::<80>() else { return false };
    let [Some(0x80..=0xbf), Some(high), Some(low)] = [32, 74, 75].map(|at| bytes.get(at).copied()) else { return false };
    let len = if order == 0 { [high, low] } else { [low, high] };
    usize::from(u16::from_be_bytes(len)) + 80 == bytes.len()
}

fn dcerpc_length(_: Side, bytes: &[u8]) -> Length {
    match bytes {
        [5, _, _, _, 0, _, _, _, a, b, ..] => Length::Is(u64::from(u16::from_be_bytes([*a, *b])).max(16)),
        [5, _, _, _, _, _, _, _, a, b, ..] => Length::Is(u64::from(u16::from_le_bytes([*a, *b])).max(16)),
        _ if bytes.len() < 10 => Length::Unknown,
        _ => Length::Wrong,
    }
}

fn dcerpc_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let kind = if piece.transport == Transport::UDP { bytes.get(1) } else { bytes.get(2) };
    if piece.transport == Transport::UDP && profinet::is_context_manager(bytes) {
        said.say(Fact::Inner("profinet"));
    }
    if piece.from == Side::Client {
        return Appetite::Hungry;
    }
    said.believe(Evidence::Dialogue);
    match kind {
        Some(13) => said.say(Fact::answer(AnswerKind::Refused, 13, "bind refused")),
        Some(3) => {
            let status = bytes.get(24..).and_then(|rest| Cursor::new(rest).le32()).unwrap_or_default();
            said.say(Fact::answer(AnswerKind::Refused, status, format!("fault {status:#010x}")));
        }
        _ => (),
    }
    Appetite::Full
}

/// A packet of ISO transport over TCP (RFC 1006 section 6).
pub(super) fn tpkt_length(_: Side, bytes: &[u8]) -> Length {
    match bytes {
        [3, _, a, b, ..] => Length::Is(u64::from(u16::from_be_bytes([*a, *b])).max(4)),
        [] | [3] | [3, _] | [3, _, _] => Length::Unknown,
        _ => Length::Wrong,
    }
}

fn rdp_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    if piece.from == Side::Client {
        if let Some(cookie) = bytes.get(11..).and_then(|rest| rest.strip_prefix(b"Cookie: mstshash=")) {
            said.detail("rdp", "cookie", printable(cookie.split(|byte| *byte == b'\r').next().unwrap_or_default()));
        }
        return Appetite::Hungry;
    }
    said.believe(Evidence::Dialogue);
    // Instead of taking the client in, the server takes its leave (T.125 section 7: DisconnectProviderUltimatum, behind the header of X.224 data).
    if let Some([2, 0xf0, 0x80, 0x20 | 0x21]) = bytes.get(4..8) {
        said.say(Fact::answer(AnswerKind::Refused, 0, "by ending the connection, as where it wants TLS"));
        return Appetite::Full;
    }
    let mut answer = Cursor::new(bytes.get(11..).unwrap_or_default());
    let (kind, _, _, code) = (answer.u8(), answer.u8(), answer.le16(), answer.le32());
    match (kind, code) {
        // TLS or CredSSP follows (MS-RDPBCGR 2.2.1.2.1).
        (Some(2), Some(1 | 2 | 8 | 16)) => Appetite::HandOver { client: 0, server: 0 },
        (Some(3), Some(code)) => {
            let reason = RDP_FAILURES.iter().find(|(known, _)| *known == code).map_or("negotiation failure", |(_, name)| *name);
            said.say(Fact::answer(AnswerKind::Refused, code, reason));
            Appetite::Full
        }
        // Confirmed without a word on security, as it was asked for.
        _ if bytes.get(5) == Some(&0xd0) => Appetite::Hungry,
        _ => Appetite::Full,
    }
}

/// MS-RDPBCGR 2.2.1.2.2. CredSSP is what its users know as network level authentication.
const RDP_FAILURES: &[(u32, &str)] = &[
    (1, "SSL_REQUIRED_BY_SERVER"),
    (2, "SSL_NOT_ALLOWED_BY_SERVER"),
    (3, "SSL_CERT_NOT_ON_SERVER"),
    (4, "INCONSISTENT_FLAGS"),
    (5, "HYBRID_REQUIRED_BY_SERVER (network level authentication)"),
    (6, "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER"),
];

/// Transaction, call (0), RPC version 2, program, version; over TCP behind a record mark (RFC 5531 section 11).
fn rpc_call(opening: &Opening<'_>, bytes: &[u8], program: fn(u32) -> bool) -> Look {
    let mut at = Cursor::new(bytes);
    let mark = if opening.transport == Transport::TCP { at.be32() } else { Some(1 << 31) };
    let (Some(mark), Some(_), Some(kind)) = (mark, at.be32(), at.be32()) else {
        return if opening.transport == Transport::TCP && bytes.first().is_none_or(|byte| *byte == 0x80) { Look::Short } else { Look::No };
    };
    // A call is one fragment, the last, and far from 16 MiB long (RFC 5531 section 11).
    if mark >> 24 != 0x80 || kind != 0 {
        return Look::No;
    }
    match (at.be32(), at.be32(), at.be32(), at.be32()) {
        (Some(2), Some(number), Some(version), Some(procedure)) => {
            Look::when(program(number) && version <= 10 && procedure < 100, 24, "RPC call of a known program")
        }
        (Some(2), ..) if opening.transport == Transport::TCP => Look::Short,
        _ => Look::No,
    }
}

fn rpc_reply(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    let skip = if opening.transport == Transport::TCP { 4 } else { 0 };
    match bytes.get(skip + 4..skip + 12) {
        Some([0, 0, 0, 1, 0, 0, 0, 0 | 1]) => Look::Weak(skip as u32, 12, "RPC reply"),
        None if opening.transport == Transport::TCP => Look::Short,
        _ => Look::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    #[test]
    fn kerberos_asks_and_is_told_to_authenticate_first() {
        // AS-REQ up to its body; KRB-ERROR 25 (RFC 4120 sections 5.4.1, 5.9.1).
        let ask = hex("6a0e 300c a103020105 a20302010a 3000");
        let error = hex("7e13 3011 a003020105 a10302011e a603020119 3000");
        let dialogue: &[(Side, &[u8])] = &[(Client, &ask), (Server, &error)];
        assert_eq!(evidence(decide(&KERBEROS, Transport::UDP, 88, &ask, &error)), Evidence::BothOpenings);
        assert!(
            read(&KERBEROS, Transport::UDP, 88, dialogue).facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Redirected, code: 25, .. }))
        );
        survives(&KERBEROS, Transport::UDP, 88, dialogue);
        assert_eq!(evidence(decide(&KERBEROS, Transport::UDP, 88, &hex("6a0e 300c a103020104 a20302010a 3000"), &[])), Evidence::None);
    }

    // A server that wants network level authentication (MS-RDPBCGR 4.1.2 with a failure of 2.2.1.2.2); xrdp, which has TLS alone, to FreeRDP without it
    #[test]
    fn rdp_that_is_refused_for_its_security_is_told_why() {
        let ask = hex("0300001f 1ae00000000000 436f6f6b69653a206d737473686173683d780d0a");
        let told = |answers: &[&str]| {
            let answers: Vec<Vec<u8>> = answers.iter().map(|answer| hex(answer)).collect();
            let dialogue: Vec<(Side, &[u8])> = std::iter::once((Client, &ask[..])).chain(answers.iter().map(|answer| (Server, &answer[..]))).collect();
            survives(&RDP, Transport::TCP, 3389, &dialogue);
            let facts = read(&RDP, Transport::TCP, 3389, &dialogue).facts;
            facts.iter().filter_map(|fact| if let Fact::Answer { code, text, .. } = fact { Some((*code, text.to_string())) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!(told(&["03000013 0ed00000123400 03000800 05000000"]), [(5, "HYBRID_REQUIRED_BY_SERVER (network level authentication)".into())]);
        assert_eq!(told(&["0300000b 06d00000123400", "03000009 02f080 2180"])[0].0, 0);
        // MCS Connect-Response: taken in.
        assert!(told(&["0300000b 06d00000123400", "0300000a 02f080 7f6600"]).is_empty());
    }

    #[test]
    fn rdp_negotiates_tls_and_s7_does_not() {
        let ask = hex("03000013 0ee00000 000000 01 00 0800 03000000");
        let answer = hex("03000013 0ed00000 123400 02 00 0800 01000000");
        let dialogue: &[(Side, &[u8])] = &[(Client, &ask), (Server, &answer)];
        assert_eq!(evidence(decide(&RDP, Transport::TCP, 3389, &ask, &answer)), Evidence::BothOpenings);
        assert_eq!(read(&RDP, Transport::TCP, 3389, dialogue).appetite, Appetite::HandOver { client: 19, server: 19 });
        survives(&RDP, Transport::TCP, 3389, dialogue);
        let s7 = hex("03000016 11e00000 000100 c1020100 c2020102 c0010a");
        assert_eq!(evidence(decide(&RDP, Transport::TCP, 102, &s7, &[])), Evidence::None);
    }

    #[test]
    fn a_bind_for_fragments_of_a_few_bytes_is_no_dcerpc() {
        let bind = |size: &str| hex(&format!("05000b03 10000000 4800 0000 01000000 {size} {size} 00000000 01000000"));
        assert_eq!(
            ["d016", "9805", "0300"].map(|size| evidence(decide(&DCERPC, Transport::TCP, 50_002, &bind(size), &[])) > Evidence::None),
            [true, true, false]
        );
    }

    #[test]
    fn a_bind_whose_proof_does_not_fit_its_fragment_is_no_dcerpc() {
        let bind = |proof: &str| hex(&format!("05000b03 10000000 4800 {proof} 01000000 d016 d016 00000000 01000000"));
        let seen = ["0000", "3000", "3100"].map(|proof| evidence(decide(&DCERPC, Transport::TCP, 50_002, &bind(proof), &[])) > Evidence::None);
        assert_eq!(seen, [true, true, false]);
    }

    #[test]
    fn a_datagram_that_sets_what_is_reserved_or_names_no_interface_is_no_dcerpc() {
        // A request to the endpoint mapper, e1af8308-5d1f-11c9-91a4-08002b14a0fa, integers little endian (C706 section 12.5.2, appendix O).
        let ask = [
            hex("04 00 20 00 10 00 00 00"),
            vec![0; 16],
            hex("0883afe1 1f5d c911 91a4 08002b14a0fa"),
            hex("11111111 2222 3333 8444 555555555555"),
            hex("00000000 03000000 00000000 0300 ffff ffff 0400 0000 00 00"),
            hex("01020304"),
        ]
        .concat();
        let with = |at: usize, byte: u8| {
            let mut other = ask.clone();
            other[at] = byte;
            evidence(decide(&DCERPC, Transport::UDP, 50_002, &other, &[])) > Evidence::None
        };
        // Type, second flags, integers and characters, floating point, its reserved neighbour, variant of the interface's UUID, length.
        assert_eq!([(1, 0), (1, 8), (3, 2), (5, 1), (32, 0xbf)].map(|(at, byte)| with(at, byte)), [true; 5]);
        assert_eq!([(0, 5), (1, 11), (3, 4), (4, 0x11), (4, 0x20), (5, 4), (6, 1), (32, 0), (74, 5)].map(|(at, byte)| with(at, byte)), [false; 9]);
    }

    #[test]
    fn kerberos_is_administered_by_calls_too() {
        let call = hex("80000028 6a0eacfe 00000000 00000002 00000840 00000002 00000000");
        assert_eq!(evidence(decide(&RPC, Transport::TCP, 749, &call, &hex("8000001c 6a0eacfe 00000001 00000000"))), Evidence::BothOpenings);
    }

    #[test]
    fn binds_and_calls_are_told_by_their_headers() {
        let bind = hex("05000b03 10000000 4800 0000 01000000");
        let ack = hex("05000c03 10000000 3c00 0000 01000000");
        assert_eq!(evidence(decide(&DCERPC, Transport::TCP, 135, &bind, &ack)), Evidence::BothOpenings);
        survives(&DCERPC, Transport::TCP, 135, &[(Client, &bind), (Server, &ack)]);
        let call = hex("00000001 00000000 00000002 000186a3 00000003 00000000");
        assert_eq!(evidence(decide(&NFS, Transport::UDP, 2049, &call, &hex("00000001 00000001 00000000"))), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&RPC, Transport::UDP, 2049, &call, &[])), Evidence::None);
        survives(&RPC, Transport::UDP, 111, &[(Client, &hex("00000001 00000000 00000002 000186a0 00000002 00000003"))]);
        survives(&NFS, Transport::TCP, 2049, &[(Client, &call)]);
    }

    #[test]
    fn a_call_whose_record_would_have_gigabytes_is_none() {
        let call = |mark: &str| hex(&format!("{mark} 00000001 00000000 00000002 000186a3 00000003 00000000"));
        let seen = ["80000018", "ae000018"].map(|mark| evidence(decide(&NFS, Transport::TCP, 50_002, &call(mark), &[])));
        assert_eq!(seen, [Evidence::OneOpening, Evidence::None]);
    }
}
