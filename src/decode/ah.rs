//! IPsec authentication header (RFC 4302): what it protects is in clear.

use crate::decode::Tunnel;
use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::Packet;
use crate::net::Transport;

/// The next protocol and where it begins. The header counts its length in words of 4 bytes, less 2.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> Option<(Transport, Cursor<'a>)> {
    let len = at.u8(1).map_or(12, |words| (usize::from(words) + 2) * 4).max(12);
    let Some(next) = at.u8(0).filter(|_| at.bytes.len() >= len) else {
        packet.short(Layer::Ah, len, &at);
        return None;
    };
    if !packet.tunnel.push(Tunnel::Ah) {
        packet.stop(Layer::Ah, What::TooDeep, &at);
        return None;
    }
    Some((Transport(next), at.skip(len)))
}
