//! The packet that an ICMP error quotes (RFC 792, RFC 4443 section 3): which flow the error is about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::flow::key::icmp_ports;
use crate::net::Transport;

/// The head of a quoted packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    /// Whose packet it was.
    pub source: IpAddr,
    /// Where it was bound.
    pub destination: IpAddr,
    /// Its transport protocol.
    pub transport: Transport,
    /// Its ports, or what stands for them.
    pub ports: (u16, u16),
    /// Whether answers belong to the same flow.
    pub two_way: bool,
    /// Its time to live when it was rejected.
    pub ttl: u8,
}

/// Whether messages of this type quote a packet: unreachable, source quench, redirect, time exceeded, parameter problem, packet too big.
pub(super) fn is_error(icmp: Transport, kind: u8) -> bool {
    matches!((icmp, kind), (Transport::ICMP, 3 | 4 | 5 | 11 | 12) | (Transport::ICMP6, 1..=4))
}

/// What an ICMP error of this type quotes; none where the type is no error, or too little of the packet is there.
///
/// `payload` begins after the 8-byte ICMP header.
pub(super) fn quoted(icmp: Transport, kind: u8, payload: &[u8]) -> Option<Quote> {
    match icmp {
        _ if !is_error(icmp, kind) => None,
        Transport::ICMP => quoted_v4(payload),
        _ => quoted_v6(payload),
    }
}

/// Next-hop MTU of "fragmentation needed" (RFC 1191: 16 bits) and of "packet too big" (RFC 4443: 32 bits); routers older than RFC 1191 say 0.
pub(super) fn next_hop_mtu(icmp: Transport, kind: u8, code: u8, rest: [u8; 4]) -> Option<u32> {
    let [_, _, high, low] = rest;
    let mtu = match (icmp, kind, code) {
        (Transport::ICMP, 3, 4) => u32::from(u16::from_be_bytes([high, low])),
        (Transport::ICMP6, 2, _) => u32::from_be_bytes(rest),
        _ => return None,
    };
    (mtu > 0).then_some(mtu)
}

fn quoted_v4(packet: &[u8]) -> Option<Quote> {
    let header: &[u8; 20] = packet.first_chunk()?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || header_len < header.len() {
        return None;
    }
    let is_first = u16::from_be_bytes([header[6], header[7]]) & 0x1fff == 0;
    let address = |at: usize| Some(IpAddr::V4(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?)));
    let transport = Transport(header[9]);
    let (one, other, two_way) = ports(transport, packet.get(header_len..)?, is_first)?;
    Some(Quote { source: address(12)?, destination: address(16)?, transport, ports: (one, other), two_way, ttl: header[8] })
}

fn quoted_v6(packet: &[u8]) -> Option<Quote> {
    let header: &[u8; 40] = packet.first_chunk()?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let address = |at: usize| Some(IpAddr::V6(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?)));
    let (transport, rest, is_first) = after_extensions(Transport(header[6]), packet.get(40..)?)?;
    let (one, other, two_way) = ports(transport, rest, is_first)?;
    Some(Quote { source: address(8)?, destination: address(24)?, transport, ports: (one, other), two_way, ttl: header[7] })
}

/// Passes the IPv6 extension headers (RFC 8200 section 4): the transport, what follows, and whether it begins there.
fn after_extensions(mut next: Transport, mut rest: &[u8]) -> Option<(Transport, &[u8], bool)> {
    let mut is_first = true;
    for _ in 0..EXTENSIONS {
        let len = match next.0 {
            HOP_BY_HOP | ROUTING | DESTINATION => (usize::from(*rest.get(1)?) + 1) * 8,
            FRAGMENT => {
                is_first &= u16::from_be_bytes(*rest.get(2..)?.first_chunk()?) & 0xfff8 == 0;
                8
            }
            _ => return Some((next, rest, is_first)),
        };
        next = Transport(*rest.first()?);
        rest = rest.get(len..)?;
    }
    None
}

fn ports(transport: Transport, header: &[u8], is_first: bool) -> Option<(u16, u16, bool)> {
    let known = transport.has_ports() || matches!(transport, Transport::ICMP | Transport::ICMP6);
    if !known {
        return Some((0, 0, true));
    }
    let [a, b, c, d] = *header.first_chunk::<4>().filter(|_| is_first)?;
    if transport.has_ports() { Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), true)) } else { Some(icmp_ports(transport, a, b)) }
}

/// Extension headers passed in a quotation: RFC 8200 names five kinds, each at most once but destination options twice.
const EXTENSIONS: usize = 6;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;
