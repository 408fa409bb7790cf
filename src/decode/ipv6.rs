//! IPv6 and its extension headers (RFC 8200, RFC 2675).

use std::net::IpAddr;

use etherparse::{Ipv6FragmentHeaderSlice, Ipv6HeaderSlice};

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Fragment, Ip, Packet};
use crate::decode::{ah, ip};
use crate::limit;
use crate::net::Transport;

pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    if at.bytes.len() < 40 {
        return packet.short(Layer::Ipv6, 40, &at);
    }
    let Ok(header) = Ipv6HeaderSlice::from_slice(at.bytes) else { return packet.stop(Layer::Ipv6, What::BadVersion, &at) };
    let len = match u32::from(header.payload_length()) {
        0 => jumbo(header.next_header().0, at.skip(40)).unwrap_or(at.wire),
        carried => carried + 40,
    };
    let ip = Ip {
        source: IpAddr::V6(header.source_addr()),
        destination: IpAddr::V6(header.destination_addr()),
        ttl: header.hop_limit(),
        ident: 0,
        len,
        transport: Transport(header.next_header().0),
        fragment: None,
        dont_fragment: false,
    };
    extensions(ip, at.limit(len).skip(40), packet)
}

/// Walks the extension headers to the transport header. Each begins with the number of the next; most are counted in units of 8 bytes beyond the first.
pub(super) fn extensions<'a>(mut ip: Ip, mut at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    for _ in 0..limit::IPV6_EXTENSIONS {
        match ip.transport.0 {
            HOP_BY_HOP | ROUTING | DESTINATION | HIP | SHIM6 => {
                let Some(head) = at.head::<2>() else { return cut(ip, 8, at, packet) };
                let len = (usize::from(head[1]) + 1) * 8;
                if at.bytes.len() < len {
                    return cut(ip, len, at, packet);
                }
                ip.transport = Transport(head[0]);
                at = at.skip(len);
            }
            AUTHENTICATION => {
                let Some((next, rest)) = ah::read(at, packet) else { return ip::headless(ip, packet) };
                ip.transport = next;
                at = rest;
            }
            FRAGMENT => {
                let Ok(header) = Ipv6FragmentHeaderSlice::from_slice(at.bytes) else { return cut(ip, 8, at, packet) };
                let place = Fragment { offset: u32::from(header.fragment_offset().value()) * 8, more: header.more_fragments() };
                ip.ident = header.identification();
                ip.transport = Transport(header.next_header().0);
                at = at.skip(8);
                // An atomic fragment (RFC 6946) is a whole datagram.
                if place.more || place.offset > 0 {
                    return ip::content(Ip { fragment: Some(place), ..ip }, at, packet);
                }
            }
            _ => return ip::content(ip, at, packet),
        }
    }
    packet.stop(Layer::Ipv6, What::TooDeep, &at);
    ip::headless(ip, packet)
}

fn cut<'a>(ip: Ip, need: usize, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    packet.short(Layer::Ipv6, need, &at);
    ip::headless(ip, packet)
}

/// The packet length by a jumbo payload option: the first option of a hop-by-hop header, as its alignment demands (RFC 2675 section 2).
fn jumbo(next: u8, at: Cursor<'_>) -> Option<u32> {
    let options = at.head::<8>().filter(|_| next == HOP_BY_HOP)?;
    let [_, _, kind, length, a, b, c, d] = *options;
    let carried = u32::from_be_bytes([a, b, c, d]);
    (kind == 0xc2 && length == 4 && carried > 65_535).then(|| carried.saturating_add(40))
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const HIP: u8 = 139;
const SHIM6: u8 = 140;
