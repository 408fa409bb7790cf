//! GRE (RFC 2784, 2890), PPTP's variant (RFC 2637), NVGRE (RFC 7637) and ERSPAN.

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::Packet;
use crate::decode::{Tunnel, ethernet, ip, ppp, wlan};

/// Flags and version, the protocol inside; then checksum, key and sequence number, as the flags say.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some([high, low, a, b]) = at.head::<4>() else { return packet.short(Layer::Gre, 4, &at) };
    let (flags, protocol) = (u16::from_be_bytes([*high, *low]), u16::from_be_bytes([*a, *b]));
    match flags & VERSION {
        0 if flags & ROUTING == 0 => version_0(flags, protocol, at, packet),
        1 => pptp(flags, at, packet),
        _ => packet.stop(Layer::Gre, What::BadVersion, &at),
    }
}

fn version_0<'a>(flags: u16, protocol: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let words = [CHECKSUM, KEY, SEQUENCE].iter().filter(|flag| flags & **flag != 0).count();
    let len = 4 + 4 * words;
    if at.bytes.len() < len {
        return packet.short(Layer::Gre, len, &at);
    }
    let rest = at.skip(len);
    match protocol {
        0x88be if flags & SEQUENCE == 0 => packet.inside(Tunnel::Erspan, rest, ethernet::read),
        0x88be | 0x22eb => erspan(rest, packet),
        0x6558 if flags & (CHECKSUM | KEY | SEQUENCE) == KEY => packet.inside(Tunnel::Nvgre, rest, ethernet::read),
        0x880b => packet.inside(Tunnel::Gre, rest, ppp::read),
        // WCCP: version 2 has a redirect header of 4 bytes, version 1 none; IP shows by its version nibble.
        0x883e if rest.u8(0).is_some_and(|first| first >> 4 == 4) => packet.inside(Tunnel::Gre, rest, ip::read),
        0x883e => packet.inside(Tunnel::Gre, rest.skip(4), ip::read),
        // Aruba's access points tunnel 802.11 frames under a range of numbers of their own.
        0x8200..=0x837f | 0x9000 => packet.inside(Tunnel::Gre, rest, wlan::read),
        0x0600.. => packet.inside(Tunnel::Gre, rest, |inner, packet| ethernet::ether_type(protocol, inner, packet)),
        _ => false,
    }
}

/// The ERSPAN header behind a GRE sequence number: version 1 is type II with 8 bytes, version 2 is type III with 12, and 8 more where its last bit is set.
fn erspan<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match (at.u8(0).map(|first| first >> 4), at.u8(11)) {
        (Some(1), _) => packet.inside(Tunnel::Erspan, at.skip(8), ethernet::read),
        (Some(2), Some(last)) => {
            let rest = at.skip(if last & 1 == 1 { 20 } else { 12 });
            let bare_ip = at.u8(10).is_some_and(|kind| kind >> 2 & 0x1f == 2);
            packet.inside(Tunnel::Erspan3, rest, if bare_ip { ip::read } else { ethernet::read })
        }
        (Some(0 | 3..), _) => packet.stop(Layer::Gre, What::BadVersion, &at),
        _ => packet.short(Layer::Gre, 12, &at),
    }
}

/// Payload length and call identifier in the key's place; then sequence and acknowledgment number, as the flags say.
fn pptp<'a>(flags: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(length) = at.u16(4) else { return packet.short(Layer::Gre, 8, &at) };
    let words = [SEQUENCE, ACKNOWLEDGMENT].iter().filter(|flag| flags & **flag != 0).count();
    let rest = at.skip(8 + 4 * words);
    if flags & SEQUENCE == 0 || length == 0 {
        return false;
    }
    let bounded = if u32::from(length) <= rest.wire { rest.limit(u32::from(length)) } else { rest };
    packet.inside(Tunnel::Pptp, bounded, ppp::read)
}

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACKNOWLEDGMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;
