//! Industrial protocols: Modbus, DNP3, S7comm, OPC UA, EtherNet/IP, BACnet, IEC 60870-5-104. Each is told by lengths that fit and known codes.

use crate::identify::wire::{Cursor, Length, may_begin};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::{Side, Transport};

use super::exchange::Exchange;
use super::windows::tpkt_length;
use super::{Appetite, Confirm, Gate, Known, Look, Opening, Over, Piece, Said, Strength};

/// Modbus/TCP (Modbus Messaging on TCP/IP Implementation Guide section 3.1).
pub static MODBUS: Known = Known {
    name: "modbus",
    over: Over::Either(Gate::Zeros(&[2, 3])),
    ask: |opening, bytes| modbus(opening, bytes, false),
    answer: Some(|opening, bytes| modbus(opening, bytes, true)),
    strength: Strength::Structure,
    reader: || Exchange::of(modbus_length, modbus_message),
};

/// DNP3 (IEEE 1815): start bytes, length, and a checksum over the header.
pub static DNP3: Known =
    Known { name: "dnp3", over: Over::Either(Gate::Bytes(&[5..=5])), ask: dnp3, answer: None, strength: Strength::Magic, reader: || Confirm::of(&DNP3) };

/// Siemens S7 over ISO on TCP (RFC 1006, ISO 8073): a connection with rack and slot, or data with protocol 0x32 or 0x72.
pub static S7COMM: Known = Known {
    name: "s7comm",
    over: Over::Streams,
    ask: s7_ask,
    answer: Some(s7_answer),
    strength: Strength::Structure,
    reader: || Exchange::of(tpkt_length, s7_message),
};

/// EtherNet/IP encapsulation (ODVA CIP volume 2 section 2-3).
pub static ETHERNETIP: Known = Known {
    name: "ethernetip",
    over: Over::Either(Gate::Bytes(&[4..=4, 0x63..=0x66, 0x6f..=0x70])),
    ask: enip,
    answer: None,
    strength: Strength::Structure,
    reader: || Exchange::of(enip_length, enip_message),
};

/// BACnet/IP (ASHRAE 135 annex J): type 0x81, function, length of the datagram, version 1 behind it.
pub static BACNET: Known = Known {
    name: "bacnet",
    over: Over::Datagrams(Gate::Bytes(&[0x81..=0x81])),
    ask: |opening, bytes| if apdu(bytes).is_some_and(|kind| kind > UNCONFIRMED) { Look::No } else { bacnet(opening, bytes) },
    answer: Some(|opening, bytes| if apdu(bytes).is_some_and(|kind| kind == CONFIRMED) { Look::No } else { bacnet(opening, bytes) }),
    strength: Strength::Structure,
    reader: || Confirm::asking(&BACNET, confirmed),
};

/// IEC 60870-5-104: start byte, length, control fields of the three formats (section 5).
pub static IEC104: Known =
    Known { name: "iec104", over: Over::Streams, ask: iec104, answer: None, strength: Strength::Structure, reader: || Confirm::of(&IEC104) };

fn modbus(opening: &Opening<'_>, bytes: &[u8], response: bool) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(_), Some(protocol), Some(len), Some(_), Some(function)) = (at.be16(), at.be16(), at.be16(), at.u8(), at.u8()) else {
        return if opening.transport == Transport::TCP && bytes.get(2..4).is_none_or(|protocol| protocol == [0, 0]) { Look::Before(8) } else { Look::No };
    };
    if protocol != 0 || !(2..=254).contains(&len) {
        return Look::No;
    }
    let code = function & 0x7f;
    let known = matches!(code, 1..=8 | 11 | 12 | 15 | 16 | 17 | 20..=24 | 43 | 65..=72 | 90 | 100..=110);
    let data = usize::from(len).saturating_sub(2);
    let size = match code {
        // Reads and single writes ask with address and quantity; a read's answer counts its bytes.
        _ if function & 0x80 != 0 => response && data == 1,
        1..=4 if response => at.u8().is_some_and(|count| usize::from(count) + 1 == data),
        1..=6 => data == 4,
        _ => true,
    };
    let whole = usize::from(len) + 6;
    // What follows is another message.
    let next = bytes.get(whole..).and_then(|next| next.get(2..4)).is_none_or(|protocol| protocol == [0, 0]);
    let fits = known && size && next && (opening.transport == Transport::TCP || whole == bytes.len()) && bytes.len() >= whole.min(8);
    Look::when(fits, 8, "Modbus header whose length fits its function").weak_unless_at(opening, &[502])
}

fn modbus_length(_: Side, bytes: &[u8]) -> Length {
    match bytes {
        [_, _, 0, 0, a, b, ..] => Length::Is(u64::from(u16::from_be_bytes([*a, *b])) + 6),
        _ if bytes.len() < 6 => Length::Unknown,
        _ => Length::Wrong,
    }
}

fn modbus_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let Some(function) = bytes.get(7) else { return Appetite::Hungry };
    if piece.from == Side::Client {
        said.detail("modbus", "function", *function);
        return Appetite::Hungry;
    }
    said.believe(Evidence::Dialogue);
    if function & 0x80 == 0 {
        said.say(Fact::answer(AnswerKind::Accepted, 0, "answer"));
        return Appetite::Full;
    }
    // One register that a device does not have says nothing of the others; each kind of exception is told once.
    let code = bytes.get(8).copied().unwrap_or_default();
    let text = MODBUS_EXCEPTIONS.iter().find(|(known, _)| *known == code).map_or("exception", |(_, name)| *name);
    let answer = Fact::answer(AnswerKind::Refused, u32::from(code), text);
    if code != ACKNOWLEDGE && !said.facts.contains(&answer) {
        said.say(answer);
    }
    Appetite::Hungry
}

/// That a request takes long (MODBUS Application Protocol V1.1b3 section 7).
const ACKNOWLEDGE: u8 = 5;
/// The same section.
const MODBUS_EXCEPTIONS: &[(u8, &str)] = &[
    (1, "illegal function"),
    (2, "illegal data address"),
    (3, "illegal data value"),
    (4, "server device failure"),
    (6, "server device busy"),
    (8, "memory parity error"),
    (10, "gateway path unavailable"),
    (11, "gateway target device failed to respond"),
];

fn bacnet(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        [0x81, function @ 0..=0x0c, a, b, rest @ ..] => {
            let fits = usize::from(u16::from_be_bytes([*a, *b])) == bytes.len();
            let network = matches!(function, 4 | 9 | 10 | 11);
            let version = if *function == 4 { rest.get(6) } else { rest.first() };
            Look::when(fits && (!network || version == Some(&1)), 4, "BACnet/IP header")
        }
        _ => Look::No,
    }
}

/// A confirmed request, which a device answers or a client asks again with its number (ASHRAE 135 clauses 5.4.4 and 20.1.2); nothing of any other message.
fn confirmed(bytes: &[u8]) -> &[u8] {
    if apdu(bytes) == Some(CONFIRMED) { bytes } else { &[] }
}

/// The kind of an application's message (ASHRAE 135 clause 20.1.1), in the upper four bits behind BACnet/IP's header and a version, where it has no addresses of other
/// networks.
fn apdu(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [0x81, 0x0a, _, _, 1, control, kind, ..] if control & 0xa8 == 0 => Some(kind >> 4),
        _ => None,
    }
}

fn dnp3(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes.first_chunk::<10>() {
        Some([0x05, 0x64, len, ..]) => {
            let (head, sum) = bytes.split_at_checked(8).unwrap_or_default();
            let sum = Cursor::new(sum).le16();
            Look::when(*len >= 5 && sum == Some(dnp3_checksum(head)), 10, "DNP3 link header with its checksum")
        }
        Some(_) => Look::No,
        None if opening.transport == Transport::TCP && may_begin(bytes, &[0x05, 0x64]) => Look::Short,
        None => Look::No,
    }
}

/// CRC of DNP3: polynomial 0x3d65, least significant bit first, inverted at the end.
fn dnp3_checksum(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0_u16, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xa6bc } else { crc >> 1 }))
}

fn s7_ask(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        // Connection request whose parameters name the called and the calling side (rack and slot, two bytes).
        [3, 0, 0, len, _, 0xe0, 0, 0, ..] => {
            let parameters = bytes.windows(2).filter(|pair| matches!(pair, [0xc1 | 0xc2, 2])).count() >= 2;
            Look::when(usize::from(*len) <= bytes.len() && parameters, 8, "ISO connection request with rack and slot").weak_unless_at(opening, &[102])
        }
        // Data that is none acknowledges (ISO 8073 section 13.7): that is how a capture that begins in the middle may begin.
        [3, 0, 0, 7, 2, 0xf0, 0, rest @ ..] if opening.midstream => match rest.len() {
            0..9 => Look::Short,
            _ => s7_data(rest),
        },
        [3, 0, ..] if bytes.len() < 8 => Look::Short,
        [3] => Look::Short,
        _ => s7_data(bytes),
    }
}

fn s7_answer(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        [3, 0, 0, _, _, 0xd0, ..] => Look::Weak(0, 6, "ISO connection confirm"),
        _ => match s7_ask(opening, bytes) {
            Look::Yes(..) | Look::Weak(..) if bytes.get(5) == Some(&0xe0) => Look::No,
            other => other,
        },
    }
}

fn s7_data(bytes: &[u8]) -> Look {
    let kinds = matches!(bytes, [3, 0, _, _, 2, 0xf0, 0x80, 0x32, 1 | 2 | 3 | 7, ..] | [3, 0, _, _, 2, 0xf0, 0x80, 0x72, 1..=4 | 0xfe, ..]);
    Look::when(kinds, 9, "S7 message over ISO on TCP")
}

/// Reads until something was read or written: a PLC refuses single items, and whoever polls others is served all the same.
fn s7_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    if piece.from == Side::Client {
        return Appetite::Hungry;
    }
    let refused = |code: u32, text: &str| Fact::answer(AnswerKind::Refused, code, text);
    match bytes {
        [3, 0, _, _, _, 0xd0, ..] => said.believe(Evidence::BothOpenings),
        // A disconnection instead of a confirmation (ISO 8073 section 13.5): the rack and slot that were asked for, as a rule.
        [3, 0, _, _, _, 0x80, _, _, _, _, reason, ..] => {
            said.believe(Evidence::Dialogue);
            said.say(refused(u32::from(*reason), "ISO disconnect request"));
            return Appetite::Full;
        }
        // Data that acknowledges: lengths of parameters and data, an error, the function, the items.
        [3, 0, _, _, 2, 0xf0, 0x80, 0x32, 3, _, _, _, _, high, low, _, _, class, error, body @ ..] => {
            said.believe(Evidence::Dialogue);
            if *class != 0 {
                said.say(refused(u32::from(u16::from_be_bytes([*class, *error])), "error class and code"));
                return Appetite::Hungry;
            }
            let data = body.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
            match (body.first(), data.first()) {
                (Some(4 | 5), Some(0xff)) => {
                    said.say(Fact::answer(AnswerKind::Accepted, 0, "item"));
                    return Appetite::Full;
                }
                (Some(4 | 5), Some(code)) => said.say(refused(u32::from(*code), s7_error(*code))),
                _ => (),
            }
        }
        // S7 of newer controllers says nothing in clear.
        [3, 0, _, _, 2, 0xf0, 0x80, 0x72, ..] => {
            said.believe(Evidence::BothOpenings);
            return Appetite::Full;
        }
        _ => (),
    }
    Appetite::Hungry
}

/// Return codes of items, as Wireshark and snap7 name them.
const fn s7_error(code: u8) -> &'static str {
    match code {
        1 => "hardware error",
        3 => "access to the object not allowed",
        5 => "address out of range",
        6 => "data type not supported",
        7 => "data type inconsistent",
        10 => "object does not exist",
        _ => "item refused",
    }
}

fn enip(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(command), Some(len), Some(session), Some(status), Some(_), Some(options)) = (at.le16(), at.le16(), at.le32(), at.le32(), at.take(8), at.le32())
    else {
        let begins = bytes.first().is_none_or(|byte| matches!(byte, 0 | 1 | 4 | 0x63..=0x66 | 0x6f | 0x70)) && bytes.get(1).is_none_or(|byte| *byte == 0);
        return if opening.transport == Transport::TCP && begins { Look::Short } else { Look::No };
    };
    let known = match command {
        0x65 => len == 4,
        0x66 => len == 0,
        0x6f | 0x70 => session != 0 && len >= 6,
        0x04 | 0x63 | 0x64 => true,
        _ => false,
    };
    let fits = known
        && options == 0
        && matches!(status, 0 | 1 | 2 | 3 | 0x64 | 0x65 | 0x69)
        && (opening.transport == Transport::TCP || usize::from(len) + 24 == bytes.len());
    let looks = Look::when(fits, 24, "EtherNet/IP encapsulation header");
    if matches!(command, 0x65 | 0x6f | 0x70) { looks } else { looks.weak_unless_at(opening, &[44818]) }
}

fn enip_length(_: Side, bytes: &[u8]) -> Length {
    match bytes {
        [_, _, low, high, ..] => Length::Is(24 + u64::from(u16::from_le_bytes([*low, *high]))),
        _ => Length::Unknown,
    }
}

/// Reads until an object of the device answered: it may refuse some that not every device has.
fn enip_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let mut at = Cursor::new(bytes);
    let (Some(command @ (4 | 0x63..=0x66 | SEND_RR_DATA | SEND_UNIT_DATA)), Some(_), Some(_), Some(status)) = (at.le16(), at.le16(), at.le32(), at.le32())
    else {
        return Appetite::Full;
    };
    if piece.from == Side::Client {
        return Appetite::Hungry;
    }
    said.believe(Evidence::BothOpenings);
    let refused = |code: u32, text: &str| Fact::answer(AnswerKind::Refused, code, text);
    if status != 0 {
        said.say(refused(status, enip_error(status)));
        return Appetite::Hungry;
    }
    if piece.transport == Transport::UDP {
        return Appetite::Full;
    }
    let Some(code) = matches!(command, SEND_RR_DATA | SEND_UNIT_DATA).then(|| cip_status(bytes)).flatten() else { return Appetite::Hungry };
    said.believe(Evidence::Dialogue);
    // What does not fit into one answer is served, too.
    if matches!(code, 0 | CIP_PARTIAL) {
        said.say(Fact::answer(AnswerKind::Accepted, 0, "CIP"));
        return Appetite::Full;
    }
    said.say(refused(u32::from(code), "CIP general status"));
    Appetite::Hungry
}

/// The general status of the object that answers (ODVA CIP volume 1 section 2-4.2), behind the header, handle and timeout, and the items before it (volume 2 section 2-6).
fn cip_status(bytes: &[u8]) -> Option<u8> {
    let mut at = Cursor::new(bytes.get(24 + 6..)?);
    for _ in 0..at.le16()?.min(4) {
        let (kind, len) = (at.le16()?, at.le16()?);
        let item = at.take(usize::from(len))?;
        let answer = match kind {
            UNCONNECTED => item,
            // Behind a number of its own.
            CONNECTED => item.get(2..)?,
            _ => continue,
        };
        // The service that was asked for, with the bit that makes it an answer.
        return match answer {
            [service, 0, status, ..] if service & 0x80 != 0 => Some(*status),
            _ => None,
        };
    }
    None
}

/// ODVA CIP volume 2 section 2-3.5.
const fn enip_error(status: u32) -> &'static str {
    match status {
        1 => "unsupported command",
        2 => "insufficient memory",
        3 => "incorrect data",
        0x64 => "invalid session handle",
        0x65 => "invalid length",
        0x69 => "unsupported protocol revision",
        _ => "encapsulation error",
    }
}

const SEND_RR_DATA: u16 = 0x6f;
const SEND_UNIT_DATA: u16 = 0x70;
const UNCONNECTED: u16 = 0xb2;
const CONNECTED: u16 = 0xb1;
const CIP_PARTIAL: u8 = 6;

fn iec104(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    frames(bytes).weak_unless_at(opening, &[2404])
}

/// Both sides open alike.
fn frames(bytes: &[u8]) -> Look {
    let mut rest = bytes;
    let mut many = 0;
    while let [0x68, len @ 4..=253, a, b, c, d, ..] = rest {
        let fits = match a & 3 {
            // Supervisory and unnumbered frames have four control bytes and nothing more.
            1 => *len == 4 && *a == 1 && *b == 0 && c & 1 == 0,
            3 => *len == 4 && [*b, *c, *d] == [0; 3] && matches!(a, 0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83),
            _ => *len >= 10 && c & 1 == 0 && rest.get(6).is_none_or(|kind| *kind > 0 && *kind < 128),
        };
        if !fits {
            return Look::No;
        }
        many += 1;
        rest = rest.get(usize::from(*len) + 2..).unwrap_or_default();
    }
    match (many, rest) {
        (0, [] | [0x68] | [0x68, _] | [0x68, _, _] | [0x68, _, _, _] | [0x68, _, _, _, _]) => Look::Short,
        (0, _) => Look::No,
        (_, [] | [0x68, ..]) => Look::Yes(0, 6, "IEC 104 frame"),
        _ => Look::No,
    }
}
/// Kinds of BACnet's messages: who asks sends these two, and a device that tells of itself the second; every other answers.
const CONFIRMED: u8 = 0;
const UNCONFIRMED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::Probe;
    use crate::identify::protocol::Protocol;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    #[test]
    fn modbus_reads_and_its_exceptions_are_told() {
        let (ask, refused) = (hex("0001 0000 0006 01 03 0000 000a"), hex("0001 0000 0003 01 83 02"));
        assert_eq!(evidence(decide(&MODBUS, Transport::TCP, 502, &ask, &refused)), Evidence::BothOpenings);
        assert!(
            read(&MODBUS, Transport::TCP, 502, &[(Client, &ask), (Server, &refused)]).facts.iter().any(|fact| matches!(fact, Fact::Answer { code: 2, .. }))
        );
        assert_eq!(evidence(decide(&MODBUS, Transport::TCP, 502, &hex("0001 0000 0007 01 03 0000 000a"), &[])), Evidence::None);
        assert_eq!(evidence(decide(&MODBUS, Transport::TCP, 9000, &ask, &[])), Evidence::None);
        survives(&MODBUS, Transport::TCP, 502, &[(Client, &ask), (Server, &refused)]);
    }

    // pymodbus: a register that the device does not have, then one that it has
    #[test]
    fn a_modbus_device_that_answers_one_of_several_questions_serves() {
        let (ask, refused, read_it) = (hex("0001 0000 0006 01 03 0384 0002"), hex("0001 0000 0003 01 83 02"), hex("0002 0000 0007 01 03 04 00010001"));
        let kinds = |dialogue: &[(Side, &[u8])]| {
            survives(&MODBUS, Transport::TCP, 502, dialogue);
            let facts = read(&MODBUS, Transport::TCP, 502, dialogue).facts;
            facts.iter().filter_map(|fact| if let Fact::Answer { kind, text, .. } = fact { Some((*kind, text.to_string())) } else { None }).collect::<Vec<_>>()
        };
        let no = (AnswerKind::Refused, "illegal data address".to_owned());
        assert_eq!(kinds(&[(Client, &ask), (Server, &refused), (Client, &ask), (Server, &refused)]), std::slice::from_ref(&no));
        assert_eq!(kinds(&[(Client, &ask), (Server, &refused), (Client, &ask), (Server, &read_it)]), [no, (AnswerKind::Accepted, "answer".into())]);
    }

    #[test]
    fn a_dnp3_header_has_a_checksum() {
        // Reset link states from 1 to 1024, with the checksum that Wireshark's sample shows.
        let mut header = hex("0564 05 c0 0100 0004");
        let sum = dnp3_checksum(&header);
        header.extend(sum.to_le_bytes());
        assert_eq!(evidence(decide(&DNP3, Transport::TCP, 20_000, &header, &[])), Evidence::OneOpening);
        header[9] ^= 1;
        assert_eq!(evidence(decide(&DNP3, Transport::TCP, 20_000, &header, &[])), Evidence::None);
        // CRC-16/DNP of "123456789" is 0xea82 (CRC catalogue).
        assert_eq!(dnp3_checksum(b"123456789"), 0xea82);
        survives(&DNP3, Transport::TCP, 20_000, &[(Client, &header)]);
    }

    #[test]
    fn s7_connects_with_rack_and_slot_and_rdp_does_not() {
        let (ask, answer) = (hex("03000016 11e00000 000100 c1020100 c2020102 c0010a"), hex("03000016 11d00001 000600 c0010a c1020100 c2020102"));
        assert_eq!(evidence(decide(&S7COMM, Transport::TCP, 102, &ask, &answer)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&S7COMM, Transport::TCP, 3389, &hex("03000013 0ee00000 000000 01 00 0800 03000000"), &[])), Evidence::None);
        survives(&S7COMM, Transport::TCP, 102, &[(Client, &ask), (Server, &answer)]);
        // In its middle, behind an acknowledgment: a job that reads a variable.
        let job = hex("03000007 02f000 0300001f 02f080 32010000000100 0e0000 0401 120a1002 00040003 84 001f50");
        let probe = |midstream, bytes: &[u8]| S7COMM.probe(&Opening { midstream, ..Opening::of(Transport::TCP, bytes, &[]) });
        assert_eq!(probe(true, &job[..15]), Probe::NeedMore);
        assert_eq!((evidence(probe(true, &job)), evidence(probe(false, &job))), (Evidence::OneOpening, Evidence::None));
    }

    #[test]
    fn enip_bacnet_and_iec104_are_told_by_their_headers() {
        let register = hex("6500 0400 00000000 00000000 0000000000000000 00000000 01000000");
        assert_eq!(evidence(decide(&ETHERNETIP, Transport::TCP, 44818, &register, &register)), Evidence::BothOpenings);
        survives(&ETHERNETIP, Transport::TCP, 44818, &[(Client, &register)]);
        let who = hex("810b000c 0120ffff00ff1008");
        assert_eq!(evidence(decide(&BACNET, Transport::UDP, 47808, &who, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&BACNET, Transport::UDP, 47808, &who[..11], &[])), Evidence::None);
        // I-Am of device 1 as a unicast answer (ASHRAE 135 clause 16.10).
        let iam = hex("810a0014 0100 1000 c402000001 2205c4 9103 21ff");
        assert_eq!(evidence(decide(&BACNET, Transport::UDP, 47808, &who, &iam)), Evidence::BothOpenings);
        survives(&BACNET, Transport::UDP, 47808, &[(Client, &who)]);
        // ReadProperty of device 55 (clause 20.1.2.11), sent again with its number; Who-Is need not be answered.
        let again = |bytes: &[u8]| read(&BACNET, Transport::UDP, 47808, &[(Client, bytes), (Client, bytes)]).facts.contains(&Fact::Retry);
        let ask = hex("810a0011 0104 0005010c 0c02000037 194d");
        assert!(again(&ask) && !again(&who));
        // Its answer, a ComplexACK (clause 20.1.5), is the device's, whichever was captured first; either may say who it is.
        let answer = hex("810a0017 0100 30010c 0c02000037 194d 3e 44 42c80000 3f");
        let client = |first: &[u8]| match decide(&BACNET, Transport::UDP, 47808, first, &[]) {
            Probe::Found { client, .. } => client,
            probe => panic!("{probe:?}"),
        };
        assert_eq!([&ask, &answer, &iam].map(|first| client(first)), [Some(Client), Some(Server), None]);
        let (start, confirm) = (hex("680407000000"), hex("68040b000000"));
        assert_eq!(evidence(decide(&IEC104, Transport::TCP, 2404, &start, &confirm)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&IEC104, Transport::TCP, 9999, &start, &[])), Evidence::None);
        // Either station may start data transfer first (IEC 60870-5-104 section 5.3): its frame does not tell whose it is, whatever a compiler makes of two equal rules.
        assert!(matches!(decide(&IEC104, Transport::TCP, 2404, &start, &[]), Probe::Found { client: None, .. }));
        survives(&IEC104, Transport::TCP, 2404, &[(Client, &start), (Server, &confirm)]);
    }

    // snap7's client and server: connection, setup, a read of a data block that is not there, and of one that is
    #[test]
    fn a_plc_refuses_items_and_serves_who_gets_others() {
        let (ask, confirm) = (hex("0300001611e00000000100c1020100c2020101c0010a"), hex("0300001611d00001000100c0010ac1020100c2020101"));
        let setup = hex("0300001b02f080320300000001000800000000f0000001000101e0");
        let absent = hex("0300001902f08032030000000200020004000004010a000000");
        let there = hex("0300002302f0803203000000020002000e00000401ff04005000000000000000000000");
        let told = |answers: &[&[u8]]| {
            let dialogue: Vec<(Side, &[u8])> = [(Client, &ask[..])].into_iter().chain(answers.iter().map(|answer| (Server, *answer))).collect();
            survives(&S7COMM, Transport::TCP, 102, &dialogue);
            let heard = read(&S7COMM, Transport::TCP, 102, &dialogue);
            assert_eq!(heard.evidence, Evidence::Dialogue);
            heard.facts
        };
        let refused = |code, text: &str| Fact::answer(AnswerKind::Refused, code, text);
        assert_eq!(told(&[&confirm, &setup, &absent]), [refused(10, "object does not exist")]);
        assert!(told(&[&confirm, &setup, &absent, &there]).iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Accepted, .. })));
        assert!(told(&[&confirm, &setup]).is_empty());
        // Error class and code (no resource available, 0x85 0x04), and ISO 8073's DR with reason 2: session entity not attached to the address.
        assert_eq!(told(&[&confirm, &hex("0300001302f080320300000001000000008504")]), [refused(0x8504, "error class and code")]);
        assert_eq!(told(&[&hex("0300000b06800001000002")]), [refused(2, "ISO disconnect request")]);
    }

    // cpppo's client and server; general status 5 is "path destination unknown" (ODVA CIP volume 1 appendix B)
    #[test]
    fn a_device_refuses_by_the_status_of_its_encapsulation_or_of_its_object() {
        let ask = hex("65000400000000000000000000000000000000000000000001000000");
        let session = hex("65000400cfe2ebf60000000000000000000000000000000001000000");
        let refuses = hex("6f000000cfe2ebf603000000300000000000000000000000");
        let object = |status: &str| hex(&format!("6f001400cfe2ebf600000000300000000000000000000000 000000000800 0200 00000000 b2000400 cd00{status}00"));
        let told = |answers: &[&[u8]]| {
            let dialogue: Vec<(Side, &[u8])> = [(Client, &ask[..])].into_iter().chain(answers.iter().map(|answer| (Server, *answer))).collect();
            survives(&ETHERNETIP, Transport::TCP, 44818, &dialogue);
            read(&ETHERNETIP, Transport::TCP, 44818, &dialogue).facts
        };
        let refused = |code, text: &str| Fact::answer(AnswerKind::Refused, code, text);
        assert_eq!(told(&[&session, &refuses]), [refused(3, "incorrect data")]);
        assert_eq!(told(&[&session, &object("05")]), [refused(5, "CIP general status")]);
        assert!(told(&[&session, &object("05"), &object("00")]).iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Accepted, .. })));
        assert!(told(&[&session]).is_empty());
    }
}
