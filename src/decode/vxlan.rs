//! VXLAN (RFC 7348) and its generic protocol extension.

use crate::decode::cursor::Cursor;
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ethernet, ipv4, ipv6, nsh};

/// Flags with the I bit, a network identifier; then an Ethernet frame.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    at.head::<8>().is_some_and(|head| head[0] & VALID_IDENTIFIER != 0) && packet.inside(Tunnel::Vxlan, at.skip(8), ethernet::read)
}

/// The fourth byte names what follows (draft-ietf-nvo3-vxlan-gpe). The P bit that should say so is ignored, as Wireshark does: senders forget it.
pub(super) fn read_generic<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<8>().filter(|head| head[0] & VALID_IDENTIFIER != 0) else { return false };
    match head[3] {
        1 => packet.inside(Tunnel::Vxlan, at.skip(8), ipv4::read),
        2 => packet.inside(Tunnel::Vxlan, at.skip(8), ipv6::read),
        0 | 3 => packet.inside(Tunnel::Vxlan, at.skip(8), ethernet::read),
        4 => packet.inside(Tunnel::Vxlan, at.skip(8), nsh::read),
        _ => false,
    }
}

const VALID_IDENTIFIER: u8 = 0x08;
