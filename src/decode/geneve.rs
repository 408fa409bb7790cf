//! GENEVE (RFC 8926).

use crate::decode::cursor::Cursor;
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ethernet};

/// Version 0, the length of the options in words, an EtherType; then network identifier and options.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([first, _, a, b, ..]) = at.head::<8>() else { return false };
    let (version, options) = (first >> 6, usize::from(first & 0x3f) * 4);
    let protocol = u16::from_be_bytes([*a, *b]);
    let inner = at.skip(8 + options);
    version == 0 && protocol >= 0x0600 && packet.inside(Tunnel::Geneve, inner, |inner, packet| ethernet::ether_type(protocol, inner, packet))
}
