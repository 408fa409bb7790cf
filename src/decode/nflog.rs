//! Packets that Linux netfilter logged: the nflog link type, and the same messages in a netlink capture.

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{ethernet, ipv4, ipv6};

/// `LINKTYPE_NFLOG`, whose payload attribute is `NFULA_PAYLOAD`.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    message(LOGGED, at, packet)
}

/// A netlink message of the netfilter family: 16 bytes of header, in which the type names the subsystem (4 log, 3 queue) and its message 0, a packet.
pub(super) fn read_netlink<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(header) = at.head::<16>() else { return packet.short(Layer::Nflog, 16, &at) };
    match header[4..6] {
        [0x00, 0x04] | [0x04, 0x00] => message(LOGGED, at.skip(16), packet),
        [0x00, 0x03] | [0x03, 0x00] => message(QUEUED, at.skip(16), packet),
        _ => packet.other(Content::Other(OtherKind::Named("netlink"))),
    }
}

/// Address family, version 0, resource; then attributes of length and type in the capturing host's byte order, padded to 4 bytes.
fn message<'a>(payload: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([family, ..]) = at.head::<4>() else { return packet.short(Layer::Nflog, 4, &at) };
    let (mut rest, mut ether_type) = (at.skip(4), 0);
    while let Some([a, b, c, d]) = rest.head::<4>() {
        let little = (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
        let big = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
        let (length, kind) = if u32::from(little.0) <= rest.wire { little } else { big };
        if length < 4 {
            return packet.stop(Layer::Nflog, What::BadLength, &rest);
        }
        match kind & 0x7fff {
            // Both subsystems begin with what protocol the link carried; the queue puts a packet number of 4 bytes before it.
            HEADER => ether_type = rest.u16(if payload == QUEUED { 8 } else { 4 }).unwrap_or(0),
            found if found == payload => return content(*family, ether_type, rest.limit(u32::from(length)).skip(4), packet),
            _ => {}
        }
        rest = rest.skip(usize::from(length).next_multiple_of(4));
    }
    packet.other(Content::Other(OtherKind::Named("nflog")))
}

/// By address family: Linux's `AF_INET` 2 and `AF_INET6` 10, and `AF_BRIDGE` 7, where the link's protocol tells.
fn content<'a>(family: u8, ether_type: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match family {
        2 => ipv4::read(at, packet),
        10 => ipv6::read(at, packet),
        7 if ether_type >= 0x0600 => ethernet::ether_type(ether_type, at, packet),
        _ => packet.other(Content::Other(OtherKind::Named("nflog"))),
    }
}

/// `NFULA_PACKET_HDR`, `NFQA_PACKET_HDR`.
const HEADER: u16 = 1;
/// `NFULA_PAYLOAD`.
const LOGGED: u16 = 9;
/// `NFQA_PAYLOAD`.
const QUEUED: u16 = 10;
