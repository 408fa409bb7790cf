//! TaZmen Sniffer Protocol, as wireless sniffers and MikroTik routers send it.

use crate::capture::LinkType;
use crate::decode::cursor::Cursor;
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, link};

/// Version 1, type, what is encapsulated; then tagged fields up to the end tag, then the frame.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([1, 0 | 1, a, b]) = at.head::<4>() else { return false };
    let link = match u16::from_be_bytes([*a, *b]) {
        1 => LinkType::ETHERNET,
        0x12 => LinkType(105),
        0x77 => LinkType(119),
        0x7f => LinkType(163),
        _ => return false,
    };
    let mut fields = at.skip(4);
    loop {
        match (fields.u8(0), fields.u8(1)) {
            (Some(1), _) => break,
            (Some(0), _) => fields = fields.skip(1),
            (Some(_), Some(length)) => fields = fields.skip(2 + usize::from(length)),
            _ => return false,
        }
    }
    packet.inside(Tunnel::Tzsp, fields.skip(1), |inner, packet| link::read(link, inner, packet))
}
