//! What capture devices put before the frames they record: Apple's PKTAP, Endace's ERF, Hilscher's netANALYZER, and preambles of preemptible Ethernet.

use crate::capture::LinkType;
use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{ethernet, ip, link, ppp};

/// `LINKTYPE_PKTAP`, little-endian: the header's length, what follows it (1: a packet), and that packet's link type; then more of no interest.
pub(super) fn pktap<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([a, b, c, d, kind @ .., e, f, g, h]) = at.head::<12>() else { return packet.short(Layer::Link, 12, &at) };
    if *kind != [1, 0, 0, 0] {
        return packet.other(Content::Other(OtherKind::Named("pktap")));
    }
    let (len, link) = (u32::from_le_bytes([*a, *b, *c, *d]), u32::from_le_bytes([*e, *f, *g, *h]));
    let Some(inner) = at.skip(len as usize).deeper() else { return packet.stop(Layer::Link, What::TooDeep, &at) };
    link::read(LinkType(u16::try_from(link).unwrap_or(u16::MAX)), inner, packet)
}

/// `LINKTYPE_ERF`: time stamp, type, flags, lengths and losses in 16 bytes; extension headers of 8, as long as the first bit of the type and then of each says
/// that one follows; before an Ethernet frame two bytes of padding.
pub(super) fn erf<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(kind) = at.u8(8).filter(|_| at.bytes.len() >= 16) else { return packet.short(Layer::Link, 16, &at) };
    let (mut rest, mut more) = (at.skip(16), kind & MORE != 0);
    while more {
        let Some(first) = rest.u8(0) else { return packet.short(Layer::Link, 8, &rest) };
        (rest, more) = (rest.skip(8), first & MORE != 0);
    }
    match kind & !MORE {
        1 | 10 | 15 => ppp::read_serial(rest, packet),
        2 | 11 | 16 => ethernet::read(rest.skip(2), packet),
        22 | 23 => ip::read(rest, packet),
        _ => packet.other(Content::Other(OtherKind::Named("erf"))),
    }
}

/// `LINKTYPE_NETANALYZER`: four bytes before the frame; `preamble` bytes more in its transparent mode.
pub(super) fn net_analyzer<'a>(preamble: usize, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    ethernet::read(at.skip(4 + preamble), packet)
}

/// `LINKTYPE_ETHERNET_MPACKET` (IEEE 802.3br): a preamble whose last byte says whether a frame begins or one that was interrupted goes on.
pub(super) fn mpacket<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match at.u8(7) {
        Some(0xd5 | 0xe6 | 0x4c | 0x7f | 0xb3) => ethernet::read(at.skip(8), packet),
        Some(_) => packet.other(Content::Other(OtherKind::Named("mpacket-continuation"))),
        None => packet.short(Layer::Link, 8, &at),
    }
}

const MORE: u8 = 0x80;
