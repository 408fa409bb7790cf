//! UDP (RFC 768) and UDP-Lite (RFC 3828).

use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::ip::Segment;
use crate::decode::packet::{Header, Packet};
use crate::decode::{Tunnel, capwap, ethernet, geneve, gtp, l2tp, mpls, teredo, tzsp, vxlan};

/// Source and destination port, length, checksum. UDP-Lite has its checksum coverage where UDP has the length.
#[inline]
pub(super) fn segment(lite: bool, at: Cursor<'_>) -> Segment<'_> {
    let Some([a, b, c, d]) = at.head::<4>() else { return Segment::short(Header::None, Layer::Udp, 8, at) };
    let header = Header::Udp { source: u16::from_be_bytes([*a, *b]), destination: u16::from_be_bytes([*c, *d]) };
    let Some(length) = at.u16(4).filter(|_| at.bytes.len() >= 8) else { return Segment::short(header, Layer::Udp, 8, at) };
    // 0 is a jumbogram's or an offloaded datagram's; a length beyond the IP packet's is bounded by that.
    let bounded = if (8..at.wire).contains(&u32::from(length)) && !lite { at.limit(u32::from(length)) } else { at };
    Segment::whole(header, 8, bounded)
}

/// Looks for a tunnel by port, the receiver's first. Any program may use these ports, so what does not read as that tunnel
/// with an IP packet in it is no fault: the datagram stays what it is.
pub(super) fn follow<'a>(source: u16, destination: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    if !may_be_tunnel(source) && !may_be_tunnel(destination) {
        return false;
    }
    let fault = packet.fault;
    let found = by_port(destination, at, packet) || (source != destination && by_port(source, at, packet));
    if !found {
        packet.fault = fault;
    }
    found
}

/// Whether datagrams from or to this port are [looked into](by_port).
pub(super) const fn may_be_tunnel(port: u16) -> bool {
    matches!(port, 1701 | 2152 | 3544 | 4789 | 4790 | 5247 | 6081 | 6635 | HP_MIRROR | 8472 | 37008)
}

fn by_port<'a>(port: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match port {
        1701 => l2tp::read(at, packet),
        2152 => gtp::read(at, packet),
        3544 => teredo::read(at, packet),
        4789 | 8472 => vxlan::read(at, packet),
        4790 => vxlan::read_generic(at, packet),
        5247 => capwap::read(at, packet),
        6081 => geneve::read(at, packet),
        6635 if mpls::plausible(at) => mpls::read(at, packet),
        HP_MIRROR if ethernet::plausible(at.skip(12)) => packet.inside(Tunnel::HpMirror, at.skip(12), ethernet::read),
        37008 => tzsp::read(at, packet),
        _ => false,
    }
}

const HP_MIRROR: u16 = 7932;
