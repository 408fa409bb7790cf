//! MPLS label stacks (RFC 3032), and Ethernet pseudowires in them (RFC 4448).

use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{Tunnel, ethernet, ip};

/// Labels of 4 bytes to the one with the bottom-of-stack bit. What follows is not named: IP shows by its version nibble, a pseudowire
/// by 0 (control word) or by an Ethernet header that holds up.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    packet.inside(Tunnel::Mpls, at, labels)
}

fn labels<'a>(mut at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    loop {
        let Some(label) = at.head::<4>() else { return packet.short(Layer::Mpls, 4, &at) };
        at = at.skip(4);
        if label[2] & 1 == 1 {
            break;
        }
    }
    match at.u8(0).map(|first| first >> 4) {
        Some(4 | 6) if ip::plausible(at) => ip::read(at, packet),
        Some(0) if ethernet::plausible(at.skip(4)) => ethernet::read(at.skip(4), packet),
        Some(_) if ethernet::plausible(at) => ethernet::read(at, packet),
        Some(4 | 6) => ip::read(at, packet),
        _ => packet.other(Content::Other(OtherKind::Named("mpls"))),
    }
}
