//! By what a frame begins with: its link type (tcpdump.org, "Link-layer header types").

use crate::capture::LinkType;
use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{cooked, device, ethernet, frame_relay, ip, lan, llc, nflog, null, ppp, wlan};

#[inline]
pub(super) fn read<'a>(link: LinkType, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    if link == LinkType::ETHERNET {
        return ethernet::read(at, packet);
    }
    match link {
        LinkType::NULL => null::read(at, packet),
        LinkType::LOOP => null::read_network_order(at, packet),
        // Some writers put the other version under the link types of one.
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => ip::read(at, packet),
        LinkType::LINUX_SLL => cooked::read(at, packet),
        LinkType::LINUX_SLL2 => cooked::read_v2(at, packet),
        LinkType(number) => read_rare(number, at, packet),
    }
}

#[inline(never)]
fn read_rare<'a>(number: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match number {
        6 => lan::token_ring(at, packet),
        8 => ip::read(at.skip(16), packet), // SLIP, after 16 bytes of direction and compressed header
        9 => ppp::read(at, packet),
        10 => lan::fddi(at, packet),
        50 => ppp::read_serial(at, packet),
        51 => ppp::read_session(at, packet),
        100 => llc::read(at, packet),
        104 => ppp::read_cisco(at, packet),
        105 => wlan::read(at, packet),
        107 => frame_relay::read(at, packet),
        119 | 163 => wlan::prism(at, packet),
        123 => llc::read(at.skip(4), packet), // SunATM, after type, path and circuit
        127 => wlan::radiotap(at, packet),
        129 => lan::arcnet(at, packet),
        178 => lan::juniper(at, packet),
        192 => wlan::per_packet_information(at, packet),
        197 => device::erf(at, packet),
        204 => ppp::read_with_direction(at, packet),
        205 => ppp::read_cisco(at.skip(1), packet), // after one byte of direction, as the next
        206 => frame_relay::read(at.skip(1), packet),
        239 => nflog::read(at, packet),
        240 => device::net_analyzer(0, at, packet),
        241 => device::net_analyzer(8, at, packet),
        242 => lan::infiniband(at, packet),
        258 => device::pktap(at, packet),
        274 => device::mpacket(at, packet),
        281 | 284 => lan::tagged(4, at, packet),
        282 => ethernet::read(at.skip(4), packet), // Broadcom's tag before the frame
        285 => lan::tagged(8, at, packet),
        _ => refuse(number, at, packet),
    }
}

/// Links that carry no IP, or none that is worth reading here, are named; any other number is a fault that shows it.
fn refuse<'a>(number: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match NAMED.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => packet.other(Content::Other(OtherKind::Named(name))),
        None => packet.stop(Layer::Link, What::UnknownLink(number), &at),
    }
}

/// Sorted by number.
const NAMED: &[(u16, &str)] = &[
    (147, "user0"),
    (177, "linux-lapd"),
    (186, "usb"),
    (187, "bluetooth"),
    (189, "usb"),
    (190, "can"),
    (195, "ieee802.15.4"),
    (201, "bluetooth"),
    (215, "ieee802.15.4"),
    (220, "usb"),
    (227, "can"),
    (230, "ieee802.15.4"),
    (248, "sctp-chunks"),
    (249, "usb"),
    (251, "bluetooth-le"),
    (252, "wireshark-upper-pdu"),
    (253, "netlink"),
    (254, "bluetooth"),
    (255, "bluetooth"),
    (256, "bluetooth-le"),
    (266, "usb"),
    (272, "nordic-ble"),
    (283, "ieee802.15.4"),
    (288, "usb"),
    (292, "usb"),
    (293, "usb"),
    (294, "usb"),
    (295, "usb"),
];
