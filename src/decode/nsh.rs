//! Network Service Header (RFC 8300).

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ethernet, ipv4, ipv6, mpls};

/// Version, time to live and the header's length in words, metadata type, next protocol; then service path and metadata.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([first, second, _, next]) = at.head::<4>() else { return packet.short(Layer::Nsh, 8, &at) };
    let len = usize::from(second & 0x3f) * 4;
    if first >> 6 != 0 || len < 8 {
        return packet.stop(Layer::Nsh, What::BadVersion, &at);
    }
    let inner = at.skip(len);
    match next {
        1 => packet.inside(Tunnel::Nsh, inner, ipv4::read),
        2 => packet.inside(Tunnel::Nsh, inner, ipv6::read),
        3 => packet.inside(Tunnel::Nsh, inner, ethernet::read),
        5 => packet.inside(Tunnel::Nsh, inner, mpls::read),
        _ => false,
    }
}
