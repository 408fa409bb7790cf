//! SCTP (RFC 9260).

use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::ip::Segment;
use crate::decode::packet::Header;

/// Ports, verification tag, checksum; then chunks, which begin with their type.
pub(super) fn segment(at: Cursor<'_>) -> Segment<'_> {
    let Some([a, b, c, d]) = at.head::<4>() else { return Segment::short(Header::None, Layer::Sctp, 12, at) };
    let header = Header::Sctp { source: u16::from_be_bytes([*a, *b]), destination: u16::from_be_bytes([*c, *d]), chunk: at.u8(12) };
    if at.bytes.len() < 12 {
        return Segment::short(header, Layer::Sctp, 12, at);
    }
    Segment::whole(header, 12, at)
}
