//! CAPWAP data (RFC 5415 section 4.3).

use crate::decode::cursor::Cursor;
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ethernet, wlan};

/// A preamble (0; 1 is DTLS), the header length in words, flags: T says that the frame is 802.11 rather than Ethernet, F that it is a fragment.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([0, length, binding, flags, ..]) = at.head::<8>() else { return false };
    let (native, fragment, keep_alive) = (binding & 1 != 0, flags & 0x80 != 0, flags & 0x08 != 0);
    let len = usize::from(length >> 3) * 4;
    if len < 8 || fragment || keep_alive {
        return false;
    }
    packet.inside(Tunnel::Capwap, at.skip(len), if native { wlan::read_from_controller } else { ethernet::read })
}
