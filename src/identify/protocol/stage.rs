//! What drives lights, effects and building gear: Art-Net, sACN, OSC, KNXnet/IP.

use crate::identify::wire::{Length, printable};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::{Side, Transport, is_group};

use super::exchange::{Exchange, Sent};
use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Art-Net: its name, then an operation (Art-Net 4 specification, "Packet Definition"). What nodes answer to a poll goes to the port that all of them listen at.
pub static ARTNET: Known = Known {
    name: "artnet",
    over: Over::Datagrams(Gate::BytesAnd(&[b'A'..=b'A'], |bytes| bytes.starts_with(ARTNET_ID))),
    ask: |_, bytes| Look::when(bytes.starts_with(ARTNET_ID) && bytes.len() >= 10, 8, "Art-Net identifier"),
    answer: Some(|_, _| Look::No),
    strength: Strength::Magic,
    reader: || Box::new(Sent),
};

/// Streaming ACN (ANSI E1.31 section 5): the preamble of ACN over UDP and its identifier.
pub static SACN: Known = Known {
    name: "sacn",
    over: Over::Datagrams(Gate::BytesAnd(&[0..=0], |bytes| bytes.starts_with(ACN_ID))),
    ask: |_, bytes| Look::when(bytes.starts_with(ACN_ID), 16, "ACN packet identifier"),
    answer: Some(|_, _| Look::No),
    strength: Strength::Magic,
    reader: || Box::new(Universe),
};

/// Open Sound Control 1.0: an address and the types of what follows, each filled up to four bytes, or a bundle of such. It knows no answers.
pub static OSC: Known = Known {
    name: "osc",
    over: Over::Datagrams(Gate::BytesAnd(&[b'/'..=b'/', b'#'..=b'#'], is_osc)),
    ask: |_, bytes| Look::when(is_osc(bytes), 4, "OSC message"),
    answer: Some(|_, _| Look::No),
    strength: Strength::Structure,
    reader: || Box::new(Sent),
};

/// KNXnet/IP (ISO 22510 section 5, EN 13321-2): length of the header, version, kind of service, length of all.
pub static KNXNET_IP: Known = Known {
    name: "knxnet_ip",
    over: Over::Either(Gate::BytesAnd(&[6..=6], |bytes| matches!(bytes, [6, 0x10, ..]))),
    ask: |opening, bytes| knx(opening, bytes, KNX_ASKS),
    answer: Some(|opening, bytes| knx(opening, bytes, KNX_ANSWERS)),
    strength: Strength::Structure,
    reader: || Exchange::asking(knx_length, knx_message),
};

/// Says which universe is sent by whom (E1.31 section 6.2).
#[derive(Debug)]
struct Universe;

impl Reader for Universe {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        said.say(Fact::OneWay);
        if let (Some([0, 0, 0, 2]), Some(name), Some([high, low])) = (piece.bytes.get(40..44), piece.bytes.get(44..108), piece.bytes.get(113..115)) {
            said.detail("sacn", "universe", u16::from_be_bytes([*high, *low]));
            said.detail("sacn", "source", printable(name.split(|byte| *byte == 0).next().unwrap_or(name)));
        }
        Appetite::Full
    }
}

/// Whether these bytes are a message with its types, or the head of a bundle.
fn is_osc(bytes: &[u8]) -> bool {
    if !bytes.len().is_multiple_of(4) {
        return false;
    }
    if bytes.starts_with(b"#bundle\0") {
        // Seconds and fractions, then elements with a length each.
        return match bytes.get(16..20) {
            Some([a, b, c, d]) => (4..=bytes.len() - 20).contains(&(u32::from_be_bytes([*a, *b, *c, *d]) as usize)),
            _ => bytes.len() == 16,
        };
    }
    let Some(end) = bytes.iter().take(OSC_ADDRESS).position(|byte| *byte == 0) else { return false };
    let (address, types) = (&bytes[..end], bytes.get(end / 4 * 4 + 4..).unwrap_or_default());
    let is_address = address.len() > 1 && address[0] == b'/' && address.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    let mut tags = types.iter().take_while(|byte| **byte != 0);
    let filled = bytes[end..].iter().take(4 - end % 4).all(|byte| *byte == 0);
    is_address && filled && tags.next() == Some(&b',') && tags.all(|tag| OSC_TYPES.contains(tag))
}

fn knx(opening: &Opening<'_>, bytes: &[u8], kinds: &[u16]) -> Look {
    let [6, 0x10, a, b, c, d, ..] = *bytes else {
        return if bytes.len() < 6 && [6, 0x10].starts_with(bytes.get(..2).unwrap_or(bytes)) { Look::Short } else { Look::No };
    };
    let (kind, len) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
    // A stream may bring the rest later.
    let comes = opening.transport == Transport::TCP && kinds.contains(&kind) && (8..=KNX_LONGEST).contains(&len) && len > bytes.len();
    if comes {
        return Look::Short;
    }
    Look::when(kinds.contains(&kind) && (8..=bytes.len()).contains(&len), 6, "KNXnet/IP header")
}

fn knx_length(_: Side, bytes: &[u8]) -> Length {
    match bytes {
        [6, 0x10, _, _, high, low, ..] => Length::Is(u64::from(u16::from_be_bytes([*high, *low])).max(6)),
        _ if bytes.len() < 6 => Length::Unknown,
        _ => Length::Wrong,
    }
}

/// What is said to all, and how a connection is answered (ISO 22510 section 5.4).
fn knx_message(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    if is_group(piece.receiver().ip) {
        said.say(Fact::OneWay);
    }
    let kind = bytes.get(2..4).map(|kind| u16::from_be_bytes([kind[0], kind[1]]));
    if piece.from == Side::Server && kind.is_some_and(|kind| KNX_ANSWERS.contains(&kind)) {
        said.believe(Evidence::Dialogue);
    }
    if let (Some(CONNECT_RESPONSE), Some(code)) = (kind, bytes.get(7)) {
        let (kind, text) = match code {
            0 => (AnswerKind::Accepted, "connected"),
            0x22 => (AnswerKind::Refused, "E_CONNECTION_TYPE"),
            0x23 => (AnswerKind::Refused, "E_CONNECTION_OPTION"),
            0x24 => (AnswerKind::Refused, "E_NO_MORE_CONNECTIONS"),
            0x25 => (AnswerKind::Refused, "E_NO_MORE_UNIQUE_CONNECTIONS"),
            0x29 => (AnswerKind::Refused, "E_TUNNELLING_LAYER"),
            _ => (AnswerKind::Refused, "connection refused"),
        };
        said.say(Fact::Answer { kind, code: u32::from(*code), text: text.into(), by: piece.from });
    }
    Appetite::Hungry
}

const ARTNET_ID: &[u8] = b"Art-Net\0";
const ACN_ID: &[u8] = b"\x00\x10\x00\x00ASC-E1.17\x00\x00\x00";
/// An address longer than this is none.
const OSC_ADDRESS: usize = 256;
/// OSC 1.0, "OSC Type Tag String", with those that are not standard.
const OSC_TYPES: &[u8] = b"ifsbhtdScrmTFNI[]";
/// Frames of the bus have at most 255 bytes; what wraps them, and lists of a search's answer, little more.
const KNX_LONGEST: usize = 1_024;
const CONNECT_RESPONSE: u16 = 0x206;
/// Searches, questions for a description, connections and their state, disconnections, configuration, tunnelling, routing, secured ones.
const KNX_ASKS: &[u16] = &[0x201, 0x203, 0x205, 0x207, 0x209, 0x20b, 0x310, 0x420, 0x530, 0x531, 0x532, 0x533, 0x950, 0x951, 0x955];
/// Their answers; a server asks through its tunnels, too.
const KNX_ANSWERS: &[u16] = &[0x202, 0x204, CONNECT_RESPONSE, 0x208, 0x20a, 0x20c, 0x311, 0x420, 0x421, 0x950, 0x952, 0x954];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::detail::DetailValue;
    use crate::identify::protocol::testing::{decide, evidence, hex, opening, read, survives};
    use crate::identify::protocol::{Probe, Protocol};
    use crate::net::Side::{Client, Server};

    #[test]
    fn light_is_known_by_its_identifiers_and_has_no_answer() {
        // Art-Net 4, ArtDmx: operation 0x5000, version 14, universe 1, two channels.
        let dmx = [ARTNET_ID.to_vec(), hex("0050 000e 01 00 0100 0002 ff80")].concat();
        assert_eq!(evidence(decide(&ARTNET, Transport::UDP, 6_454, &dmx, &[])), Evidence::OneOpening);
        assert!(read(&ARTNET, Transport::UDP, 6_454, &[(Client, &dmx)]).says(&Fact::OneWay));
        survives(&ARTNET, Transport::UDP, 6_454, &[(Client, &dmx)]);
        // ANSI E1.31 table 4-1: universe 7 of "desk".
        let mut data = [ACN_ID.to_vec(), hex("726e 00000004"), vec![9; 16], hex("7258 00000002"), b"desk".to_vec(), vec![0; 60]].concat();
        data.extend(hex("64 0000 01 00 0007 720b 02 a1 0000 0001 0201 00"));
        data.extend([0; 512]);
        assert_eq!(data.len(), 638);
        assert_eq!(evidence(decide(&SACN, Transport::UDP, 5_568, &data, &[])), Evidence::OneOpening);
        let told = read(&SACN, Transport::UDP, 5_568, &[(Client, &data)]);
        assert_eq!((told.detail("sacn", "universe"), told.detail("sacn", "source")), (Some(DetailValue::Number(7)), Some("desk".to_owned().into())));
        survives(&SACN, Transport::UDP, 5_568, &[(Client, &data)]);
    }

    // Open Sound Control 1.0, "Examples".
    #[test]
    fn osc_is_an_address_and_types_in_words_of_four_bytes() {
        let message = [b"/oscillator/4/frequency\0".to_vec(), b",f\0\0".to_vec(), hex("43dc0000")].concat();
        let bundle = [b"#bundle\0".to_vec(), hex("0000000000000001 00000020"), vec![0; 32]].concat();
        for datagram in [&message, &bundle] {
            assert_eq!(evidence(decide(&OSC, Transport::UDP, 9_000, datagram, &[])), Evidence::OneOpening);
            survives(&OSC, Transport::UDP, 9_000, &[(Client, datagram)]);
        }
        for other in [&message[..30], b"/dev/null not a message!", b"/a\0\0no types here....", b"/\0\0\0,f\0\0....", b"#bundle\0........\xff\0\0\0"] {
            assert_eq!(evidence(decide(&OSC, Transport::UDP, 9_000, other, &[])), Evidence::None, "{other:?}");
        }
    }

    // ISO 22510 sections 7.8.1 and 7.8.2: a tunnel is asked for, and refused as the gateway has no more of them.
    #[test]
    fn a_gateway_without_a_free_tunnel_refuses() {
        let ask = hex("0610 0205 001a 0801 0a010028 0e57 0801 0a010028 0e57 0404 0200");
        let (refused, connected) = (hex("0610 0206 0008 00 24"), hex("0610 0206 0014 15 00 0801 c000020a 0e57 0404 1101"));
        for answer in [&refused, &connected] {
            assert_eq!(evidence(decide(&KNXNET_IP, Transport::UDP, 3_671, &ask, answer)), Evidence::BothOpenings);
            survives(&KNXNET_IP, Transport::UDP, 3_671, &[(Client, &ask), (Server, answer)]);
        }
        let told = |answer: &[u8]| read(&KNXNET_IP, Transport::UDP, 3_671, &[(Client, &ask), (Server, answer)]);
        assert!(told(&refused).says(&Fact::answer(AnswerKind::Refused, 0x24, "E_NO_MORE_CONNECTIONS")));
        assert!(told(&connected).says(&Fact::answer(AnswerKind::Accepted, 0, "connected")));
        assert!(read(&KNXNET_IP, Transport::UDP, 3_671, &[(Client, &ask), (Client, &ask)]).says(&Fact::Retry));
        // Over TCP it may come in pieces.
        assert_eq!(evidence(decide(&KNXNET_IP, Transport::TCP, 3_671, &ask, &connected)), Evidence::BothOpenings);
        assert!(matches!(KNXNET_IP.probe(&opening(Transport::TCP, 3_671, &ask[..20], &[])), Probe::NeedMore | Probe::NotBefore(_)));
        survives(&KNXNET_IP, Transport::TCP, 3_671, &[(Client, &ask), (Server, &connected)]);
        // Longer than the datagram, and no kind of service.
        assert_eq!(evidence(decide(&KNXNET_IP, Transport::UDP, 3_671, &ask[..20], &[])), Evidence::None);
        assert_eq!(evidence(decide(&KNXNET_IP, Transport::UDP, 3_671, &hex("0610 0999 0008 0000"), &[])), Evidence::None);
    }
}
