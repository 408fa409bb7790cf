//! IEEE 802.1AE.

use crate::decode::cursor::Cursor;
use crate::decode::ethernet;
use crate::decode::fault::Layer;
use crate::decode::packet::{Content, OtherKind, Packet};

/// Control bits, short length, packet number, a channel identifier where its bit is set. What is only authenticated is in clear behind it.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(control) = at.u8(0) else { return packet.short(Layer::Macsec, 6, &at) };
    if control & (ENCRYPTED | CHANGED) != 0 {
        return packet.other(Content::Other(OtherKind::Named("macsec")));
    }
    let len = if control & CHANNEL != 0 { 14 } else { 6 };
    match at.u16(len) {
        Some(kind) => ethernet::ether_type(kind, at.skip(len + 2), packet),
        None => packet.short(Layer::Macsec, len + 2, &at),
    }
}

const CHANNEL: u8 = 0x20;
const ENCRYPTED: u8 = 0x08;
const CHANGED: u8 = 0x04;
