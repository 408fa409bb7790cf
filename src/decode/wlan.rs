//! IEEE 802.11 data frames in clear, and the pseudo-headers that captures put before them: radiotap, PPI, Prism, AVS.

use crate::capture::LinkType;
use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{link, llc};
use crate::net::Mac;

/// A frame as it was in the air. The frame check sequence, where captured, lies beyond what IP counts.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(control) = at.head::<2>() else { return packet.short(Layer::Wlan, 2, &at) };
    frame(at, *control, false, packet)
}

/// A frame in a CAPWAP tunnel. Cisco's controllers send the two bytes of frame control swapped; as it is data that is tunnelled, its type shows which.
pub(super) fn read_from_controller<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match at.head::<2>() {
        Some([flags, first @ (0x08 | 0x88)]) => frame(at, [*first, *flags], false, packet),
        _ => read(at, packet),
    }
}

/// A frame whose header radios padded to a multiple of 4 bytes where `padded`.
fn frame<'a>(at: Cursor<'a>, [first, flags]: [u8; 2], padded: bool, packet: &mut Packet<'a>) -> bool {
    let subtype = first >> 4;
    match (first & 3, first >> 2 & 3) {
        (0, 2) if subtype & NO_DATA != 0 => packet.other(Content::Other(OtherKind::Named("wlan-null"))),
        (0, 2) if flags & PROTECTED != 0 => packet.other(Content::Other(OtherKind::Named("wlan-encrypted"))),
        (0, 2) => data(at, subtype & QOS != 0, flags, padded, packet),
        (0, 0) => packet.other(Content::Other(OtherKind::Named("wlan-management"))),
        (0, _) => packet.other(Content::Other(OtherKind::Named("wlan-control"))),
        _ => packet.stop(Layer::Wlan, What::BadVersion, &at),
    }
}

/// Frame control, duration, three addresses, sequence control; a fourth address between access points; QoS and HT control.
fn data<'a>(at: Cursor<'a>, qos: bool, flags: u8, padded: bool, packet: &mut Packet<'a>) -> bool {
    let addresses = if flags & BETWEEN_POINTS == BETWEEN_POINTS { 30 } else { 24 };
    let exact = addresses + if qos { 2 } else { 0 } + if qos && flags & ORDER != 0 { 4 } else { 0 };
    let len: usize = if padded { (exact + 3) & !3 } else { exact };
    let (Some(header), true) = (at.head::<24>(), at.bytes.len() >= len) else { return packet.short(Layer::Wlan, len, &at) };
    if packet.mac.is_none() {
        packet.mac = ends(header, at, flags);
    }
    if header[22] & 0x0f != 0 {
        return packet.other(Content::Other(OtherKind::Named("wlan-fragment")));
    }
    let body = at.skip(len);
    if qos && at.u8(addresses).is_some_and(|control| control & AGGREGATE != 0) {
        return aggregate(body, packet);
    }
    llc::read(body, packet)
}

/// An A-MSDU: destination, source, length, then the packet, padded to 4 bytes. A frame gives one packet here, so the others are a fault.
fn aggregate<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(length) = at.u16(12) else { return packet.short(Layer::Wlan, 14, &at) };
    let rest = at.skip(14);
    if u32::from(length) + 4 + 14 <= rest.wire {
        packet.stop(Layer::Wlan, What::Several, &at);
    }
    llc::read(if u32::from(length) <= rest.wire { rest.limit(u32::from(length)) } else { rest }, packet)
}

/// Sender and receiver: which of the addresses they are depends on the way through the distribution system.
fn ends(header: &[u8; 24], at: Cursor<'_>, flags: u8) -> Option<(Mac, Mac)> {
    let address = |place: usize| header.get(place..)?.first_chunk().copied().map(Mac);
    let (one, two, three) = (address(4)?, address(10)?, address(16)?);
    Some(match flags & BETWEEN_POINTS {
        0 => (two, one),
        1 => (two, three),
        2 => (three, one),
        _ => (Mac(*at.bytes.get(24..)?.first_chunk()?), three),
    })
}

/// Radiotap (radiotap.org): version 0, its length, and words that say which fields follow; the flags field tells of a padded header.
pub(super) fn radiotap<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([0, _, low, high, present @ ..]) = at.head::<8>() else { return packet.short(Layer::Wlan, 8, &at) };
    let present = u32::from_le_bytes(*present);
    let words = at.bytes.get(4..).unwrap_or_default().chunks_exact(4).take_while(|word| word[3] & 0x80 != 0).count();
    let fields = 8 + 4 * words;
    let flags_at = if present & 1 != 0 { fields.next_multiple_of(8) + 8 } else { fields };
    let padded = present & 2 != 0 && at.u8(flags_at).is_some_and(|flags| flags & 0x20 != 0);
    let inner = at.skip(usize::from(u16::from_le_bytes([*low, *high])));
    let Some(control) = inner.head::<2>() else { return packet.short(Layer::Wlan, 2, &inner) };
    frame(inner, *control, padded, packet)
}

/// PPI (CACE "Per-Packet Information"): version, flags, length, the link type of the frame after it.
pub(super) fn per_packet_information<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([_, _, low, high, link @ ..]) = at.head::<8>() else { return packet.short(Layer::Wlan, 8, &at) };
    let Some(rest) = at.skip(usize::from(u16::from_le_bytes([*low, *high]))).deeper() else { return packet.stop(Layer::Wlan, What::TooDeep, &at) };
    let link = LinkType(u16::try_from(u32::from_le_bytes(*link)).unwrap_or(u16::MAX));
    link::read(link, rest, packet)
}

/// Prism headers have 144 bytes; AVS headers, which share its link type, begin with a version and state their length.
pub(super) fn prism<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([version @ .., a, b, c, d]) = at.head::<8>() else { return packet.short(Layer::Wlan, 8, &at) };
    let avs = version[..2] == [0x80, 0x21];
    let length = if avs { u32::from_be_bytes([*a, *b, *c, *d]) } else { 144 };
    read(at.skip(length as usize), packet)
}

const NO_DATA: u8 = 0x4;
const QOS: u8 = 0x8;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
const AGGREGATE: u8 = 0x80;
/// To and from the distribution system.
const BETWEEN_POINTS: u8 = 0x03;
