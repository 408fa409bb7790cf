//! Frames put together from the layouts of their RFCs, one of each kind.

mod broken;
mod kinds;
mod layers;
mod quotes;
mod share;

use std::net::IpAddr;

use super::{Content, Header, Ip, Packet, decode};
use crate::capture::{Frame, FrameId, LinkType};
use crate::time::Timestamp;

fn decoded(link: u16, bytes: &[u8]) -> Packet<'_> {
    cut(link, bytes, bytes.len())
}

/// The frame, of which the first `captured` bytes were captured.
fn cut(link: u16, bytes: &[u8], captured: usize) -> Packet<'_> {
    let id = FrameId::new(0, 1);
    let frame = Frame { id, interface: 0, link: LinkType(link), time: Timestamp::default(), wire_len: bytes.len() as u32, bytes: &bytes[..captured] };
    decode(&frame)
}

/// The bytes of several parts, one after another.
fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// RFC 791, without options; from 192.0.2.1 to 192.0.2.2, time to live 64.
fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let total = (20 + payload.len() as u16).to_be_bytes();
    join(&[&[0x45, 0, total[0], total[1], 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2], payload])
}

/// RFC 8200; from 2001:db8::1 to 2001:db8::2, hop limit 63.
fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let address = |last| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    join(&[&[0x60, 0, 0, 0, length[0], length[1], next, 63], &address(1), &address(2), payload])
}

/// RFC 768.
fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&source.to_be_bytes(), &destination.to_be_bytes(), &(8 + payload.len() as u16).to_be_bytes(), &[0, 0], payload])
}

/// RFC 9293, without options: an acknowledgment with PSH.
fn tcp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&source.to_be_bytes(), &destination.to_be_bytes(), &[0, 0, 0, 100, 0, 0, 0, 200, 0x50, 0x18, 1, 0, 0, 0, 0, 0], payload])
}

/// From 02:00:00:00:00:01 to 02:00:00:00:00:02.
fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], &kind.to_be_bytes(), payload])
}

/// The packet that all others carry: UDP from port 1000 to 2000, `hi`.
fn inner() -> Vec<u8> {
    ipv4(17, &udp(1000, 2000, b"hi"))
}

fn inner_v6() -> Vec<u8> {
    ipv6(17, &udp(1000, 2000, b"hi"))
}

fn ip(packet: &Packet<'_>) -> (Ip, Header) {
    match packet.content {
        Content::Ip(ip, header) => (ip, header),
        other => panic!("{other:?}, {:?}", packet.fault),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}
