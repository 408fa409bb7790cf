//! From the bytes of a frame to the layers they hold. Describes, never judges: what a port means is not known here.
//!
//! One file a layer. Each layer's `read` takes a cursor, notes in the packet what it understood and hands the rest on;
//! it says whether an IP packet, or ARP, was found inside. What is inner overwrites what is around it, so an encapsulation whose
//! content cannot be read leaves the packet around it in place.
//!
//! Lax throughout: a header that is cut short gives what it still holds, and a [`Fault`]. Bad checksums are no faults:
//! network cards compute them after the capture. etherparse reads the headers that have a fixed form; its composite
//! headers are not used, as they cost several times this whole path.

mod ah;
mod arp;
mod capwap;
mod cooked;
mod cursor;
mod device;
mod ethernet;
mod fault;
mod frame_relay;
mod geneve;
mod glance;
mod gre;
mod gtp;
mod icmp;
mod ip;
mod ipv4;
mod ipv6;
mod l2tp;
mod lan;
mod link;
mod llc;
mod macsec;
mod mpls;
mod nflog;
mod nsh;
mod null;
mod packet;
mod path;
mod ppp;
mod sctp;
mod share;
mod tcp;
mod teredo;
mod tzsp;
mod udp;
mod vlan;
mod vxlan;
mod wlan;

pub use fault::{Fault, Layer, What};
pub use glance::between;
pub use icmp::{Quote, quoted};
pub use ip::{Segment, datagram, transport};
pub use packet::{Arp, Content, Fragment, Header, Ip, OtherKind, Packet, Tcp, TcpFlags};
pub use path::{Tunnel, TunnelPath, VlanStack};
pub use share::decode_share;

use std::ops::DerefMut;

use crate::capture::{Frame, FrameId, LinkType};
use crate::time::Timestamp;
use cursor::Cursor;

/// What `frame` holds, down to the innermost IP packet.
#[inline]
pub fn decode<'a>(frame: &Frame<'a>) -> Packet<'a> {
    let mut packet = Packet::of(frame);
    link::read(frame.link, Cursor::new(frame.bytes, frame.wire_len), &mut packet);
    packet
}

/// [`decode`] of each frame, in order, added to `out`: a vector, or something like it that needs no allocation for each batch.
pub fn decode_batch<'a>(frames: &[Frame<'a>], out: &mut (impl Extend<Packet<'a>> + DerefMut<Target = [Packet<'a>]>)) {
    // In place: a packet that is put together from small writes and then moved stalls the processor on each move.
    let start = out.len();
    out.extend(frames.iter().map(Packet::of));
    for (frame, packet) in frames.iter().zip(out.iter_mut().skip(start)) {
        link::read(frame.link, Cursor::new(frame.bytes, frame.wire_len), packet);
    }
}

/// Why frames of a link are not read: it carries no IP, or is not known here. None where they are read.
pub fn unread(link: LinkType) -> Option<String> {
    let LinkType(number) = link;
    // What an empty frame decodes to depends on its link alone.
    let empty = Frame { id: FrameId::default(), interface: 0, link, time: Timestamp::default(), wire_len: 0, bytes: &[] };
    match decode(&empty) {
        Packet { content: Content::Other(kind), .. } => Some(format!("link type {number} ({kind}) carries no IP that is read here")),
        Packet { fault: Some(Fault { what: What::UnknownLink(_), .. }), .. } => Some(format!("link type {number} is not known here")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
