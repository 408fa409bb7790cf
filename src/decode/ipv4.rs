//! IPv4 (RFC 791).

use std::net::{IpAddr, Ipv4Addr};

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::ip;
use crate::decode::packet::{Fragment, Ip, Packet};
use crate::net::Transport;

/// Read from the 20 fixed bytes rather than by etherparse, whose slice wants the options too: a header cut within them still names its ends.
#[inline(always)]
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(header) = at.head::<20>() else { return packet.short(Layer::Ipv4, 20, &at) };
    if header[0] >> 4 != 4 {
        return packet.stop(Layer::Ipv4, What::BadVersion, &at);
    }
    let header_len = u32::from(header[0] & 0x0f) * 4;
    let total = u32::from(u16::from_be_bytes([header[2], header[3]]));
    // Segmentation offload hands the capture packets whose length the card has yet to fill in.
    let len = if total == 0 { at.wire } else { total };
    let flags = u16::from_be_bytes([header[6], header[7]]);
    let place = Fragment { offset: u32::from(flags & 0x1fff) * 8, more: flags & 0x2000 != 0 };
    let fragment = (place.more || place.offset > 0).then_some(place);
    let fill = |ip: &mut Ip| {
        ip.source = address([header[12], header[13], header[14], header[15]]);
        ip.destination = address([header[16], header[17], header[18], header[19]]);
        ip.ttl = header[8];
        ip.ident = u32::from(u16::from_be_bytes([header[4], header[5]]));
        ip.len = len;
        ip.transport = Transport(header[9]);
        ip.fragment = fragment;
        ip.dont_fragment = flags & 0x4000 != 0;
    };
    let body = at.limit(len).skip(header_len as usize);
    let sound = header_len >= 20 && len >= header_len;
    if sound && fragment.is_none() && header[9] == Transport::TCP.0 && ip::whole_tcp(fill, body, packet) {
        return true;
    }
    let mut ip = Ip::BLANK;
    fill(&mut ip);
    if !sound {
        packet.stop(Layer::Ipv4, What::BadLength, &at);
        return ip::headless(ip, packet);
    }
    if at.bytes.len() < header_len as usize {
        packet.short(Layer::Ipv4, header_len as usize, &at);
    }
    ip::contained(ip, body, packet)
}

#[inline]
fn address(octets: [u8; 4]) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(octets))
}
