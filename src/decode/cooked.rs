//! Linux "cooked" captures, versions 1 and 2 (tcpdump.org, `LINKTYPE_LINUX_SLL` and `LINKTYPE_LINUX_SLL2`).

use crate::capture::LinkType;
use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::fault::What;
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{ethernet, link, llc, nflog};
use crate::net::Mac;

/// Version 1: packet type, ARPHRD type, address length, address, protocol; 16 bytes.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<16>() else { return packet.short(Layer::Cooked, 16, &at) };
    let hardware = u16::from_be_bytes([head[2], head[3]]);
    packet.mac = sender(hardware, u16::from_be_bytes([head[4], head[5]]), [head[6], head[7], head[8], head[9], head[10], head[11]]);
    protocol(hardware, u16::from_be_bytes([head[14], head[15]]), at.skip(16), packet)
}

/// Version 2: protocol, interface index, ARPHRD type, packet type, address length, address; 20 bytes.
pub(super) fn read_v2<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<20>() else { return packet.short(Layer::Cooked, 20, &at) };
    let hardware = u16::from_be_bytes([head[8], head[9]]);
    packet.mac = sender(hardware, u16::from(head[11]), [head[12], head[13], head[14], head[15], head[16], head[17]]);
    protocol(hardware, u16::from_be_bytes([head[0], head[1]]), at.skip(20), packet)
}

/// Of Ethernet and what passes itself off as it.
fn sender(hardware: u16, length: u16, address: [u8; 6]) -> Option<(Mac, Mac)> {
    (hardware == ARPHRD_ETHER && length == 6).then_some((Mac(address), Mac::UNKNOWN))
}

/// Numbers under 0x0600 are Linux's own (`ETH_P_802_3` 1, `ETH_P_802_2` 4, `ETH_P_CAN` 12), and mean something else for netlink.
fn protocol<'a>(hardware: u16, protocol: u16, rest: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match (hardware, protocol) {
        (ARPHRD_NETLINK, NETLINK_NETFILTER) => nflog::read_netlink(rest, packet),
        (ARPHRD_RADIOTAP, _) => match rest.deeper() {
            Some(inner) => link::read(LinkType(127), inner, packet),
            None => packet.stop(Layer::Cooked, What::TooDeep, &rest),
        },
        (ARPHRD_NETLINK, _) => packet.other(Content::Other(OtherKind::Named("netlink"))),
        (_, 0x0600..) => ethernet::ether_type(protocol, rest, packet),
        (_, 1) => packet.other(Content::Other(OtherKind::Named("ipx"))),
        (_, 4) => llc::read(rest, packet),
        (_, 12 | 13) => packet.other(Content::Other(OtherKind::Named("can"))),
        _ => packet.other(Content::Other(OtherKind::EtherType(protocol))),
    }
}

const ARPHRD_ETHER: u16 = 1;
const ARPHRD_RADIOTAP: u16 = 803;
const ARPHRD_NETLINK: u16 = 824;
const NETLINK_NETFILTER: u16 = 12;
