//! Teredo (RFC 4380 section 5.1.1).

use crate::decode::cursor::Cursor;
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ip, ipv6};

/// An IPv6 packet, after authentication data (0001) and an origin indication (0000), where there are any.
pub(super) fn read<'a>(mut at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    if let Some([0, 1, identifier, value]) = at.head::<4>() {
        at = at.skip(4 + usize::from(*identifier) + usize::from(*value) + NONCE_AND_CONFIRMATION);
    }
    if at.bytes.starts_with(&[0, 0]) {
        at = at.skip(8);
    }
    let is_v6 = at.u8(0).is_some_and(|first| first >> 4 == 6);
    is_v6 && ip::plausible(at) && packet.inside(Tunnel::Teredo, at, ipv6::read)
}

const NONCE_AND_CONFIRMATION: usize = 9;
