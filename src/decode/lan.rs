//! Local networks before Ethernet won, and switch tags inside Ethernet: a few bytes each before something known.

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{ethernet, ipv4, llc};
use crate::net::Mac;

/// FDDI: frame control, destination, source, then LLC. Frame control 01CCxxxx is LLC.
pub(super) fn fddi<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<13>() else { return packet.short(Layer::Link, 13, &at) };
    if head[0] & 0xc0 != 0x40 {
        return packet.other(Content::Other(OtherKind::Named("fddi-management")));
    }
    llc::read(at.skip(13), packet)
}

/// IEEE 802.5: access and frame control, destination, source, a routing field where the source's first bit is set, then LLC.
pub(super) fn token_ring<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<14>() else { return packet.short(Layer::Link, 14, &at) };
    if head[1] & 0xc0 != 0x40 {
        return packet.other(Content::Other(OtherKind::Named("token-ring-management")));
    }
    let routing = if head[8] & 0x80 != 0 { usize::from(at.u8(14).unwrap_or_default() & 0x1f) } else { 0 };
    llc::read(at.skip(14 + routing), packet)
}

/// IP over InfiniBand as libpcap stores it: 40 bytes of global routing header, then an EtherType and two reserved bytes (RFC 4391).
pub(super) fn infiniband<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match at.u16(40) {
        Some(kind) if at.bytes.len() >= 44 => ethernet::ether_type(kind, at.skip(44), packet),
        _ => packet.short(Layer::Link, 44, &at),
    }
}

/// `LINKTYPE_ARCNET_LINUX`: source, destination, two bytes of offset, protocol; RFC 1201 protocols have a split flag and a sequence number next.
pub(super) fn arcnet<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match at.u8(4) {
        Some(240) => ipv4::read(at.skip(5), packet),
        Some(212) => ipv4::read(at.skip(8), packet),
        Some(213 | 241) => packet.other(Content::Other(OtherKind::Named("arcnet-arp"))),
        Some(205) => packet.other(Content::Other(OtherKind::Named("bacnet"))),
        Some(_) => packet.other(Content::Other(OtherKind::Named("arcnet"))),
        None => packet.short(Layer::Link, 5, &at),
    }
}

/// Ethernet with `tag` bytes of a switch's tag between addresses and EtherType (Linux DSA drivers).
pub(super) fn tagged<'a>(tag: usize, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5]) = at.head::<12>() else { return packet.short(Layer::Ethernet, 12, &at) };
    packet.mac = Some((Mac([*s0, *s1, *s2, *s3, *s4, *s5]), Mac([*d0, *d1, *d2, *d3, *d4, *d5])));
    match at.u16(12 + tag) {
        Some(kind) => ethernet::ether_type(kind, at.skip(14 + tag), packet),
        None => packet.short(Layer::Ethernet, 14 + tag, &at),
    }
}

/// Ethernet as Juniper's routers capture it: a magic, flags, and with the highest one the length of extensions; then the frame.
pub(super) fn juniper<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match at.head::<4>() {
        Some([b'M', b'G', b'C', flags]) if flags & 0x80 != 0 => match at.u16(4) {
            Some(length) => ethernet::read(at.skip(6 + usize::from(length)), packet),
            None => packet.short(Layer::Link, 6, &at),
        },
        Some([b'M', b'G', b'C', _]) => ethernet::read(at.skip(4), packet),
        Some(_) => packet.stop(Layer::Link, What::BadVersion, &at),
        None => packet.short(Layer::Link, 4, &at),
    }
}
