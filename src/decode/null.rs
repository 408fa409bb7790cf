//! BSD loopback: a 4-byte address family, then the packet.

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::Packet;
use crate::decode::{ethernet, ipv4, ipv6};

/// `LINKTYPE_NULL`: the family is in the byte order of the capturing host. Families are small, so the order shows.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<4>() else { return packet.short(Layer::Null, 4, &at) };
    let (big, little) = (u32::from_be_bytes(*head), u32::from_le_bytes(*head));
    family(big.min(little), at, packet)
}

/// `LINKTYPE_LOOP`: the family is in network byte order.
pub(super) fn read_network_order<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<4>() else { return packet.short(Layer::Null, 4, &at) };
    family(u32::from_be_bytes(*head), at, packet)
}

/// `AF_INET6` is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on Darwin, 23 on Windows. Some writers put an EtherType there.
fn family<'a>(family: u32, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let rest = at.skip(4);
    match family {
        2 => ipv4::read(rest, packet),
        10 | 23 | 24 | 28 | 30 => ipv6::read(rest, packet),
        0x0600..=0xffff => ethernet::ether_type(family as u16, rest, packet),
        _ => packet.stop(Layer::Null, What::UnknownFamily(family), &at),
    }
}
