//! Frame Relay (RFC 2427, and Cisco's encapsulation).

use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{ethernet, ipv4, ipv6, llc};

/// A Q.922 address of 2 to 4 bytes, the last of which is odd; then UI (03) and a network layer identifier, or Cisco's EtherType.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(last) = at.bytes.iter().take(4).position(|byte| byte & 1 == 1) else { return packet.short(Layer::FrameRelay, 4, &at) };
    let rest = at.skip(last + 1);
    match rest.bytes {
        // One byte of padding puts what follows on an even place.
        [0x03, 0x00, identifier, ..] => network(*identifier, rest.skip(3), packet),
        [0x03, identifier, ..] => network(*identifier, rest.skip(2), packet),
        [high, low, ..] if u16::from_be_bytes([*high, *low]) >= 0x0600 => ethernet::ether_type(u16::from_be_bytes([*high, *low]), rest.skip(2), packet),
        [_, _, ..] => packet.other(Content::Other(OtherKind::Named("frame-relay"))),
        _ => packet.short(Layer::FrameRelay, 2, &rest),
    }
}

/// ISO/IEC TR 9577 network layer protocol identifiers.
fn network<'a>(identifier: u8, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match identifier {
        0xcc => ipv4::read(at, packet),
        0x8e => ipv6::read(at, packet),
        0x80 => llc::organisation(at, packet),
        _ => packet.other(Content::Other(OtherKind::Named("frame-relay"))),
    }
}
