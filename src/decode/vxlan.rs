//! VXLAN (RFC 7348) and its generic protocol extension.

use crate::decode::cursor::Cursor;
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ethernet, ipv4, ipv6};

/// Flags with the I bit, a network identifier; then an Ethernet frame.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    at.head::<8>().is_some_and(|head| head[0] & VALID_IDENTIFIER != 0) && packet.inside(Tunnel::Vxlan, at.skip(8), ethernet::read)
}

/// With the P bit the fourth byte names what follows (draft-ietf-nvo3-vxlan-gpe).
pub(super) fn read_generic<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<8>().filter(|head| head[0] & VALID_IDENTIFIER != 0) else { return false };
    let next = if head[0] & NAMES_NEXT != 0 { head[3] } else { 3 };
    match next {
        1 => packet.inside(Tunnel::Vxlan, at.skip(8), ipv4::read),
        2 => packet.inside(Tunnel::Vxlan, at.skip(8), ipv6::read),
        3 => packet.inside(Tunnel::Vxlan, at.skip(8), ethernet::read),
        _ => false,
    }
}

const VALID_IDENTIFIER: u8 = 0x08;
const NAMES_NEXT: u8 = 0x04;
