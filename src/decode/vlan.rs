//! VLAN tags: IEEE 802.1Q, 802.1ad and the older 0x9100.

use crate::decode::cursor::Cursor;
use crate::decode::ethernet;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::Packet;

/// A tag after its EtherType: priority and drop bits, 12 bits of VLAN identifier, then the EtherType of what it tags.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(tag) = at.head::<4>() else { return packet.short(Layer::Vlan, 4, &at) };
    if !packet.vlan.push(u16::from_be_bytes([tag[0], tag[1]]) & 0x0fff) {
        packet.stop(Layer::Vlan, What::TooManyTags, &at);
    }
    ethernet::ether_type(u16::from_be_bytes([tag[2], tag[3]]), at.skip(4), packet)
}
