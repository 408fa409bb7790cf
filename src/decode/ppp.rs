//! PPP (RFC 1661, 1662, 1990) and what frames it: PPPoE (RFC 2516) and Cisco HDLC.

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{Tunnel, ethernet, ipv4, ipv6, mpls};

/// A PPP frame, with its address and control bytes (ff 03) or without, its protocol number in two bytes or, where odd, in one.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let at = if at.bytes.starts_with(&[0xff, 0x03]) { at.skip(2) } else { at };
    match (at.u8(0), at.u16(0)) {
        (Some(first), _) if first & 1 == 1 => protocol(u16::from(first), at.skip(1), packet),
        (_, Some(number)) => protocol(number, at.skip(2), packet),
        _ => packet.short(Layer::Ppp, 2, &at),
    }
}

/// `LINKTYPE_PPP_WITH_DIR`: one byte of direction before the frame.
pub(super) fn read_with_direction<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    read(at.skip(1), packet)
}

/// `LINKTYPE_PPP_HDLC`: PPP, or Cisco HDLC where the first byte says so.
pub(super) fn read_serial<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    if matches!(at.u8(0), Some(0x0f | 0x8f)) { read_cisco(at, packet) } else { read(at, packet) }
}

/// Cisco HDLC: address 0x0f or 0x8f, control 0, then an EtherType.
pub(super) fn read_cisco<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<4>() else { return packet.short(Layer::Hdlc, 4, &at) };
    match u16::from_be_bytes([head[2], head[3]]) {
        0x8035 => packet.other(Content::Other(OtherKind::Named("slarp"))),
        kind @ 0x0600.. => ethernet::ether_type(kind, at.skip(4), packet),
        kind => packet.other(Content::Other(OtherKind::EtherType(kind))),
    }
}

/// A PPPoE session: version and type 1, code 0, session identifier, length; then PPP.
pub(super) fn read_session<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(head) = at.head::<6>() else { return packet.short(Layer::Ppp, 6, &at) };
    if head[0] != 0x11 {
        return packet.stop(Layer::Ppp, What::BadVersion, &at);
    }
    if head[1] != 0 {
        return packet.other(Content::Other(OtherKind::Named("pppoe-discovery")));
    }
    let length = u32::from(u16::from_be_bytes([head[4], head[5]]));
    let rest = at.skip(6);
    packet.inside(Tunnel::Pppoe, if length <= rest.wire { rest.limit(length) } else { rest }, read)
}

fn protocol<'a>(number: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match number {
        0x0021 => ipv4::read(at, packet),
        0x0057 => ipv6::read(at, packet),
        0x0281 | 0x0283 => mpls::read(at, packet),
        0x003d => multilink(at, packet),
        _ => packet.other(Content::Other(named(number))),
    }
}

/// Multilink with long sequence numbers: only a fragment that both begins and ends a packet can be read alone.
fn multilink<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match (at.u8(0), at.deeper()) {
        (Some(flags), Some(inner)) if flags & 0xc0 == 0xc0 => read(inner.skip(4), packet),
        _ => packet.other(Content::Other(OtherKind::Named("ppp-multilink"))),
    }
}

/// IANA "PPP DLL Protocol Numbers".
fn named(number: u16) -> OtherKind {
    OtherKind::Named(match number {
        0x002b => "ipx",
        0x002d | 0x002f => "ppp-compressed-tcp",
        0x00fd => "ppp-compressed",
        0x0053 => "ppp-encrypted",
        0x0207 => "cdp",
        0x8021 => "ipcp",
        0x8057 => "ipv6cp",
        0x8053 => "ecp",
        0x80fd => "ccp",
        0xc021 => "lcp",
        0xc023 => "pap",
        0xc025 => "lqr",
        0xc223 => "chap",
        0xc227 => "eap",
        other => return OtherKind::Ppp(other),
    })
}
