//! Packets that Linux netfilter logged: the nflog link type, and the same messages in a netlink capture.

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{ipv4, ipv6};

/// Address family, version 0, resource; then attributes of length and type in the capturing host's byte order, padded to 4 bytes.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([family, ..]) = at.head::<4>() else { return packet.short(Layer::Nflog, 4, &at) };
    let mut rest = at.skip(4);
    while let Some([a, b, c, d]) = rest.head::<4>() {
        let little = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
        let big = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
        let (length, kind) = if u32::from(little.0) <= rest.wire { little } else { big };
        if length < 4 {
            return packet.stop(Layer::Nflog, What::BadLength, &rest);
        }
        if kind & 0x7fff == PAYLOAD {
            let inner = rest.limit(u32::from(length)).skip(4);
            return match *family {
                2 => ipv4::read(inner, packet),
                10 => ipv6::read(inner, packet),
                _ => packet.other(Content::Other(OtherKind::Named("nflog"))),
            };
        }
        rest = rest.skip(usize::from(length).next_multiple_of(4));
    }
    packet.other(Content::Other(OtherKind::Named("nflog")))
}

/// A netlink message of the netfilter family: 16 bytes of header, in which type 0x0400 is a logged packet.
pub(super) fn read_netlink<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match at.head::<16>() {
        Some(header) if matches!(header[4..6], [0x00, 0x04] | [0x04, 0x00]) => read(at.skip(16), packet),
        Some(_) => packet.other(Content::Other(OtherKind::Named("netlink"))),
        None => packet.short(Layer::Nflog, 16, &at),
    }
}

/// `NFULA_PAYLOAD`.
const PAYLOAD: u16 = 9;
