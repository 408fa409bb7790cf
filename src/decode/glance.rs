//! Between whom a frame is, without reading all of it: for those who take a share of the traffic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::capture::{Frame, LinkType};
use crate::decode::udp;
use crate::net::Transport;

/// Source and destination of a frame that is plainly a TCP segment or a datagram that is no tunnel's, no fragment, right behind its IP header, as most are. Whatever
/// else is wrong with it, decoding finds these two.
#[inline(always)]
pub fn between(frame: &Frame<'_>) -> Option<(IpAddr, IpAddr)> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let (kind, rest) = frame.bytes.get(12..)?.split_first_chunk()?;
    match u16::from_be_bytes(*kind) {
        IPV4 => v4(rest),
        IPV6 => v6(rest),
        VLAN => {
            let ([_, _, kind @ ..], rest) = rest.split_first_chunk::<4>()?;
            if u16::from_be_bytes(*kind) == IPV4 { v4(rest) } else { None }
        }
        _ => None,
    }
}

#[inline(always)]
fn v4(bytes: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let (header, rest) = bytes.split_first_chunk::<20>()?;
    let [first, _, _, _, _, _, flags, offset, _, transport, _, _, a, b, c, d, e, f, g, h] = *header;
    let plain = first == 0x45 && flags & 0x3f == 0 && offset == 0 && is_innermost(transport, rest);
    plain.then(|| (Ipv4Addr::new(a, b, c, d).into(), Ipv4Addr::new(e, f, g, h).into()))
}

#[inline(always)]
fn v6(bytes: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let (header, rest) = bytes.split_first_chunk::<40>()?;
    let (source, destination) = (header[8..].first_chunk::<16>()?, header[24..].first_chunk::<16>()?);
    let plain = header[0] >> 4 == 6 && is_innermost(header[6], rest);
    plain.then(|| (Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into()))
}

#[inline(always)]
fn is_innermost(transport: u8, rest: &[u8]) -> bool {
    let ports = || rest.first_chunk::<4>().map(|[a, b, c, d]| [u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])]);
    transport == Transport::TCP.0 || transport == Transport::UDP.0 && ports().is_some_and(|ports| !ports.into_iter().any(udp::may_be_tunnel))
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
