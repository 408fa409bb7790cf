//! GTP-U version 1 (3GPP TS 29.281).

use crate::decode::cursor::Cursor;
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ip};

/// A G-PDU: flags, type 255, length, tunnel endpoint; four optional bytes with the E, S or PN flag; extension headers; then an IP packet.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([flags, 0xff, a, b, ..]) = at.head::<8>() else { return false };
    if flags >> 4 != VERSION_1_GTP {
        return false;
    }
    let length = u32::from(u16::from_be_bytes([*a, *b]));
    let rest = at.skip(8);
    let mut inner = if length <= rest.wire { rest.limit(length) } else { rest };
    if flags & OPTIONAL != 0 {
        let next = inner.u8(3).filter(|_| flags & EXTENSION != 0);
        inner = inner.skip(4);
        match extensions(next.unwrap_or(0), inner) {
            Some(after) => inner = after,
            None => return false,
        }
    }
    ip::plausible(inner) && packet.inside(Tunnel::Gtpu, inner, ip::read)
}

/// Each has its length in words of 4 bytes first and the type of the next last.
fn extensions(mut next: u8, mut at: Cursor<'_>) -> Option<Cursor<'_>> {
    while next != 0 {
        let len = usize::from(at.u8(0).filter(|words| *words > 0)?) * 4;
        next = at.u8(len - 1)?;
        at = at.skip(len);
    }
    Some(at)
}

const VERSION_1_GTP: u8 = 0x3;
const OPTIONAL: u8 = 0x07;
const EXTENSION: u8 = 0x04;
