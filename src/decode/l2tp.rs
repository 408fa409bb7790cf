//! L2TP version 2 over UDP (RFC 2661) and version 3 over IP (RFC 3931).

use crate::decode::cursor::Cursor;
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ethernet, ppp};

/// A data message: flags and version, length, tunnel and session, sequence numbers and padding as the flags say; then PPP.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(flags) = at.u16(0).filter(|flags| flags & VERSION == 2 && flags & CONTROL == 0) else { return false };
    let mut len = 6;
    len += if flags & LENGTH != 0 { 2 } else { 0 };
    len += if flags & SEQUENCE != 0 { 4 } else { 0 };
    if flags & OFFSET != 0 {
        let Some(padding) = at.u16(len) else { return false };
        len += 2 + usize::from(padding);
    }
    packet.inside(Tunnel::L2tp, at.skip(len), ppp::read)
}

/// A session identifier, then a cookie of 0, 4 or 8 bytes and a sublayer of 0 or 4 that only the control connection tells:
/// the frame is where an Ethernet header with a whole IP header behind it stands.
pub(super) fn read_over_ip<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    if at.head::<4>().is_none_or(|session| *session == [0; 4]) {
        return false;
    }
    let frame = [4, 8, 12, 16].into_iter().map(|len| at.skip(len)).find(|inner| ethernet::plausible(*inner));
    frame.is_some_and(|inner| packet.inside(Tunnel::L2tp, inner, ethernet::read))
}

const CONTROL: u16 = 0x8000;
const LENGTH: u16 = 0x4000;
const SEQUENCE: u16 = 0x0800;
const OFFSET: u16 = 0x0200;
const VERSION: u16 = 0x000f;
