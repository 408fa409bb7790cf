//! ARP for IPv4 over Ethernet (RFC 826).

use std::net::{IpAddr, Ipv4Addr};

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Arp, Content, Packet};
use crate::net::Mac;

/// Hardware type, protocol type, their address lengths, operation, then sender's and target's addresses; 28 bytes.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(arp) = at.head::<28>() else { return packet.short(Layer::Arp, 28, &at) };
    if arp[2..6] != [0x08, 0x00, 6, 4] {
        return packet.stop(Layer::Arp, What::BadLength, &at);
    }
    let mac = |place: usize| Mac([arp[place], arp[place + 1], arp[place + 2], arp[place + 3], arp[place + 4], arp[place + 5]]);
    // In a tunnel it takes the place of the packet around it, as an inner IP packet does: a mirror's tunnel is not what the mirror shows.
    (packet.payload, packet.payload_len) = (&[], 0);
    packet.content = Content::Arp(Arp {
        operation: u16::from_be_bytes([arp[6], arp[7]]),
        sender_mac: mac(8),
        sender: address([arp[14], arp[15], arp[16], arp[17]]),
        target_mac: mac(18),
        target: address([arp[24], arp[25], arp[26], arp[27]]),
    });
    true
}

fn address(octets: [u8; 4]) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(octets))
}
