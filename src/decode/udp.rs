//! UDP (RFC 768) and UDP-Lite (RFC 3828).

use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::ip::Segment;
use crate::decode::packet::Header;

/// Source and destination port, length, checksum. UDP-Lite has its checksum coverage where UDP has the length.
pub(super) fn segment(lite: bool, at: Cursor<'_>) -> Segment<'_> {
    let Some([a, b, c, d]) = at.head::<4>() else { return Segment::short(Header::None, Layer::Udp, 8, at) };
    let header = Header::Udp { source: u16::from_be_bytes([*a, *b]), destination: u16::from_be_bytes([*c, *d]) };
    let Some(length) = at.u16(4).filter(|_| at.bytes.len() >= 8) else { return Segment::short(header, Layer::Udp, 8, at) };
    // 0 is a jumbogram's or an offloaded datagram's; a length beyond the IP packet's is bounded by that.
    let bounded = if (8..at.wire).contains(&u32::from(length)) && !lite { at.limit(u32::from(length)) } else { at };
    Segment::whole(header, 8, bounded)
}
