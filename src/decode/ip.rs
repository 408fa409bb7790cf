//! What IPv4 and IPv6 have in common: the version, and the protocol number that says what they carry.

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Fault, Layer, What};
use crate::decode::packet::{Content, Fragment, Header, Ip, Packet};
use crate::decode::{Tunnel, ah, ethernet, gre, icmp, ipv4, ipv6, l2tp, mpls, sctp, tcp, udp};
use crate::net::Transport;

/// A transport header and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The header, as far as it was captured.
    pub header: Header,
    /// The payload that was captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire.
    pub payload_len: u32,
    /// Where understanding stopped early; offsets count from the start of the bytes given.
    pub fault: Option<Fault>,
}

/// The transport header at the start of `bytes`, which were `wire_len` long on the wire. Tunnels are not followed; [`datagram`] does.
pub fn transport(protocol: Transport, bytes: &[u8], wire_len: u32) -> Segment<'_> {
    segment(protocol, Cursor::new(bytes, wire_len))
}

/// The packet that a whole datagram makes, put together from fragments: `of` is the packet of one fragment, `bytes` what its IP header carries,
/// `wire_len` how long that was on the wire. Tunnels in it are followed, as those in fragments are not. `Ip::len` stays that of the fragment.
pub fn datagram<'a>(of: &Packet<'_>, bytes: &'a [u8], wire_len: u32) -> Packet<'a> {
    let (frame, interface, time, mac, vlan, tunnel) = (of.frame, of.interface, of.time, of.mac, of.vlan, of.tunnel);
    let mut packet = Packet { frame, interface, time, mac, vlan, tunnel, content: of.content, payload: bytes, payload_len: wire_len, fault: None };
    if let Content::Ip(ip, _) = of.content {
        let (whole, at) = (Ip { fragment: None, ..ip }, Cursor::new(bytes, wire_len));
        if ip.source.is_ipv6() {
            ipv6::extensions(whole, at, &mut packet)
        } else {
            content(whole, at, &mut packet)
        };
    }
    packet
}

/// Raw IP: the version nibble decides.
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match at.u8(0).map(|first| first >> 4) {
        Some(4) => ipv4::read(at, packet),
        Some(6) => ipv6::read(at, packet),
        Some(_) => packet.stop(Layer::Ip, What::BadVersion, &at),
        None => packet.short(Layer::Ip, 20, &at),
    }
}

/// Whether a whole IP header begins here whose length fits what is around it: for places where nothing else announces one.
pub(super) fn plausible(at: Cursor<'_>) -> bool {
    match at.u8(0).map(|first| (first >> 4, u32::from(first & 0x0f) * 4)) {
        Some((4, header)) => at.u16(2).is_some_and(|total| header >= 20 && (header..=at.wire).contains(&u32::from(total))),
        Some((6, _)) => at.u16(4).is_some_and(|carried| (1..=at.wire.saturating_sub(40)).contains(&u32::from(carried))),
        _ => false,
    }
}

/// Notes the packet whose header is `ip` and whose content begins at `at`, then follows what it carries. True: an IP packet was found.
#[inline(always)]
pub(super) fn content<'a>(ip: Ip, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let whole = ip.transport == Transport::TCP && ip.fragment.is_none() && whole_tcp(|place| *place = ip, at, packet);
    whole || contained(ip, at, packet)
}

/// Notes a TCP segment whose header is whole, as most packets are. `fill` writes the IP header in its place: put together elsewhere from
/// small pieces and then moved, it would stall the processor for as long as all the rest takes.
#[inline(always)]
pub(super) fn whole_tcp<'a>(fill: impl FnOnce(&mut Ip), at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(tcp) = tcp::whole(at) else { return false };
    packet.content = Content::Ip(Ip::BLANK, Header::Tcp(tcp));
    if let Content::Ip(ip, _) = &mut packet.content {
        fill(ip);
    }
    let rest = at.skip(usize::from(tcp.header_len));
    packet.payload = rest.bytes;
    packet.payload_len = rest.wire;
    true
}

/// [`content`] for all but whole TCP segments.
#[inline(never)]
pub(super) fn contained<'a>(ip: Ip, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let part = match ip.fragment {
        None if ip.transport == Transport::AH => return authenticated(ip, at, packet),
        None => segment(ip.transport, at),
        Some(place) => fragment(ip.transport, place, at),
    };
    packet.content = Content::Ip(ip, part.header);
    packet.payload = part.payload;
    packet.payload_len = part.payload_len;
    if let Some(fault) = part.fault {
        packet.fault.get_or_insert(fault);
    }
    if ip.fragment.is_none() {
        follow(ip.transport, part.header, at, packet);
    }
    true
}

/// A piece of a datagram: its bytes are payload, header included, so that they can be put together. The first piece names the ends.
fn fragment(protocol: Transport, place: Fragment, at: Cursor<'_>) -> Segment<'_> {
    let header = if place.offset == 0 { segment(protocol, at).header } else { Header::None };
    Segment { header, payload: at.bytes, payload_len: at.wire, fault: None }
}

/// Looks for an inner packet, which takes the place of the one noted.
fn follow<'a>(protocol: Transport, header: Header, at: Cursor<'a>, packet: &mut Packet<'a>) {
    match (protocol.0, header) {
        (1 | 58, _) => false,
        (17, Header::Udp { source, destination }) => udp::follow(source, destination, at.skip(8).limit(packet.payload_len), packet),
        (4 | 94, _) => packet.inside(Tunnel::IpInIp, at, ipv4::read),
        (41, _) => packet.inside(Tunnel::IpInIp, at, ipv6::read),
        (47, _) => gre::read(at, packet),
        (97, _) => packet.inside(Tunnel::EtherIp, at.skip(2), ethernet::read),
        (115, _) => l2tp::read_over_ip(at, packet),
        (137, _) => mpls::read(at, packet),
        _ => false,
    };
}

fn authenticated<'a>(ip: Ip, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match ah::read(at, packet) {
        Some((transport, rest)) => content(Ip { transport, ..ip }, rest, packet),
        None => headless(ip, packet),
    }
}

/// Notes a packet of which no more than the header could be read.
pub(super) fn headless(ip: Ip, packet: &mut Packet<'_>) -> bool {
    packet.content = Content::Ip(ip, Header::None);
    packet.payload = &[];
    packet.payload_len = 0;
    true
}

#[inline]
fn segment(protocol: Transport, at: Cursor<'_>) -> Segment<'_> {
    match protocol {
        Transport::TCP => tcp::segment(at),
        Transport::UDP | UDP_LITE => udp::segment(protocol == UDP_LITE, at),
        Transport::ICMP | Transport::ICMP6 => icmp::segment(at),
        Transport::SCTP => sctp::segment(at),
        _ => Segment { header: Header::None, payload: at.bytes, payload_len: at.wire, fault: None },
    }
}

impl<'a> Segment<'a> {
    /// A header of `len` bytes, whole.
    pub(super) fn whole(header: Header, len: usize, at: Cursor<'a>) -> Self {
        let rest = at.skip(len);
        Self { header, payload: rest.bytes, payload_len: rest.wire, fault: None }
    }

    /// A header of `need` bytes that gave no more than `header` before it ended.
    pub(super) fn short(header: Header, layer: Layer, need: usize, at: Cursor<'a>) -> Self {
        let what = if at.wire as usize >= need { What::Truncated } else { What::TooShort };
        Self { header, payload: &[], payload_len: at.skip(need).wire, fault: Some(Fault { layer, what, offset: at.offset }) }
    }
}

const UDP_LITE: Transport = Transport(136);
