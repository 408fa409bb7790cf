//! MPLS label stacks (RFC 3032), and Ethernet pseudowires in them (RFC 4448).

use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{Tunnel, ethernet, ip};

/// Labels of 4 bytes to the one with the bottom-of-stack bit. What follows is not named: IP shows by its version nibble, a pseudowire
/// by 0 (control word) or by an Ethernet header that holds up.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    packet.inside(Tunnel::Mpls, at, labels)
}

/// Whether labels and a whole IP header behind them begin here: for places where nothing else announces them.
pub(super) fn plausible(at: Cursor<'_>) -> bool {
    bottom(at).is_ok_and(ip::plausible)
}

fn labels<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let inner = match bottom(at) {
        Ok(inner) => inner,
        Err(label) => return packet.short(Layer::Mpls, 4, &label),
    };
    match inner.u8(0).map(|first| first >> 4) {
        Some(4 | 6) if ip::plausible(inner) => ip::read(inner, packet),
        Some(0) if ethernet::plausible(inner.skip(4)) => ethernet::read(inner.skip(4), packet),
        Some(_) if ethernet::plausible(inner) => ethernet::read(inner, packet),
        Some(4 | 6) => ip::read(inner, packet),
        _ => packet.other(Content::Other(OtherKind::Named("mpls"))),
    }
}

/// What follows the bottom of the stack, or the label that was cut.
fn bottom(mut at: Cursor<'_>) -> Result<Cursor<'_>, Cursor<'_>> {
    loop {
        let label = at.head::<4>().ok_or(at)?;
        at = at.skip(4);
        if label[2] & 1 == 1 {
            return Ok(at);
        }
    }
}
