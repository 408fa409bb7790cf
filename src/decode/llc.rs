//! IEEE 802.2 LLC and SNAP (RFC 1042).

use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{ethernet, ipv4};

/// Destination and source service access point, control, and for 0xaa the SNAP header: an organisation and its protocol number.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<3>() else { return packet.short(Layer::Llc, 3, &at) };
    let [destination, source, control] = *head;
    match (destination, source, control) {
        (0xaa, 0xaa, 0x03) => organisation(at.skip(3), packet),
        (0x06, _, 0x03) => ipv4::read(at.skip(3), packet),
        (0xff, 0xff, _) => packet.other(Content::Other(OtherKind::Named("ipx"))),
        _ => packet.other(Content::Other(named(destination))),
    }
}

/// The SNAP header: organisation 0 and RFC 1042's bridge-tunnel encapsulation (00-00-f8) carry EtherTypes, 00-80-c2 a bridged frame, 00-00-0c Cisco's protocols.
pub(super) fn organisation<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([a, b, c, high, low]) = at.head::<5>() else { return packet.short(Layer::Llc, 5, &at) };
    let (protocol, rest) = (u16::from_be_bytes([*high, *low]), at.skip(5));
    let name = match ([*a, *b, *c], protocol) {
        ([0, 0, 0 | 0xf8], 0x0600..) => return ethernet::ether_type(protocol, rest, packet),
        ([0x00, 0x80, 0xc2], 0x0001) => return bridged(rest.skip(2), packet),
        ([0x00, 0x80, 0xc2], 0x0007) => return bridged(rest, packet),
        ([0x00, 0x80, 0xc2], 0x000e) => "stp",
        ([0x00, 0x00, 0x0c], 0x2000) => "cdp",
        ([0x00, 0x00, 0x0c], 0x2003) => "vtp",
        ([0x00, 0x00, 0x0c], 0x2004) => "dtp",
        ([0x00, 0x00, 0x0c], 0x010b) => "pvst",
        ([0x00, 0x00, 0x0c], 0x0111) => "udld",
        ([0x00, 0x00, 0x0c], 0x0104) => "pagp",
        ([0x00, 0x40, 0x96], _) => "wlccp",
        ([0x08, 0x00, 0x07], 0x809b) => "appletalk",
        ([0x00, 0xe0, 0x2b], _) => "edp",
        _ => "snap",
    };
    packet.other(Content::Other(OtherKind::Named(name)))
}

fn bridged<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    at.deeper().is_some_and(|inner| ethernet::read(inner, packet))
}

/// IEEE 802.2 service access points in use.
fn named(point: u8) -> OtherKind {
    match point {
        0x42 => OtherKind::Named("stp"),
        0xe0 => OtherKind::Named("ipx"),
        0xf0 => OtherKind::Named("netbeui"),
        0xfe => OtherKind::Named("osi"),
        0xf8 | 0xfc => OtherKind::Named("hp-rpl"),
        0x04 | 0x05 | 0x08 => OtherKind::Named("sna"),
        other => OtherKind::Llc(other),
    }
}
