//! From the bytes of a frame to the layers they hold. Describes, never judges: what a port means is not known here.

use std::net::IpAddr;

use crate::capture::FrameId;
use crate::limit::{TUNNEL_DEPTH, VLAN_TAGS};
use crate::net::{Mac, Transport};
use crate::time::Timestamp;

/// What decoding understood of a frame, down to the innermost IP packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The frame it came in.
    pub frame: FrameId,
    /// Index of the capture interface.
    pub interface: u32,
    /// When it was captured.
    pub time: Timestamp,
    /// Sender's and receiver's MAC address on this link, where the link has them; of the outermost Ethernet header.
    pub mac: Option<(Mac, Mac)>,
    /// VLAN identifiers of all tag stacks passed, outermost first.
    pub vlan: VlanStack,
    /// Encapsulations passed on the way in, outermost first.
    pub tunnel: TunnelPath,
    /// What the frame holds.
    pub content: Content,
    /// The transport payload that was captured; of a non-first fragment, its bytes after the IP header.
    pub payload: &'a [u8],
    /// The payload's length on the wire, by the IP length field.
    pub payload_len: u32,
    /// Where understanding stopped early.
    pub fault: Option<Fault>,
}

/// What is innermost in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An IP packet.
    Ip(Ip, Header),
    /// ARP, which shows who is alive on the LAN.
    Arp(Arp),
    /// Something else that is recognised and counted by its name: `lldp`, `stp`, `eapol`, `macsec`, `ethertype-0x88b5` ...
    Other(OtherKind),
    /// Nothing could be understood; the fault says why.
    Nothing,
}

/// A recognised frame that carries no IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OtherKind {
    /// By the name that reports print.
    Named(&'static str),
    /// An EtherType without a name here.
    EtherType(u16),
}

/// The fields of an IPv4 or IPv6 header that flows are judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// IPv4 time to live, IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 identification; 0 for IPv6 without a fragment header.
    pub ident: u32,
    /// Length of the whole IP packet on the wire, header included. Where the header says 0 (segmentation offload), what the frame holds.
    pub len: u32,
    /// The transport protocol, after IPv6 extension headers.
    pub transport: Transport,
    /// Where the packet is a fragment.
    pub fragment: Option<Fragment>,
    /// The DF bit.
    pub dont_fragment: bool,
}

/// Place of a fragment in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// In bytes.
    pub offset: u32,
    /// Whether more follow.
    pub more: bool,
}

/// The transport header, where it was captured whole enough to name the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// RFC 9293.
    Tcp(Tcp),
    /// RFC 768, and UDP-Lite.
    Udp {
        /// Sender's port.
        source: u16,
        /// Receiver's port.
        destination: u16,
    },
    /// RFC 9260.
    Sctp {
        /// Sender's port.
        source: u16,
        /// Receiver's port.
        destination: u16,
        /// Type of the first chunk, where captured.
        chunk: Option<u8>,
    },
    /// ICMP and ICMPv6. `payload` begins after the 8-byte header.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// Bytes 4 to 7: identifier and sequence, next-hop MTU, pointer ...
        rest: [u8; 4],
    },
    /// Another protocol, a fragment without its header, or a header cut off.
    None,
}

/// A TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Sender's port.
    pub source: u16,
    /// Receiver's port.
    pub destination: u16,
    /// Sequence number of the first payload byte, or of SYN.
    pub sequence: u32,
    /// Acknowledgment number; meaningful with ACK.
    pub acknowledgment: u32,
    /// FIN, SYN, RST, PSH, ACK, URG, ECE, CWR.
    pub flags: TcpFlags,
    /// Window, unscaled.
    pub window: u16,
    /// Length of the header with options.
    pub header_len: u8,
    /// Maximum segment size option, on SYN.
    pub mss: Option<u16>,
    /// Window scale option, on SYN.
    pub window_scale: Option<u8>,
}

/// The flag bits of RFC 9293 section 3.1, in header order, FIN lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// Acknowledgment field is significant.
    pub const ACK: u8 = 0x10;

    /// Whether any bit of `mask` is set.
    pub const fn has(self, mask: u8) -> bool {
        self.0 & mask != 0
    }

    /// SYN without ACK.
    pub const fn is_syn(self) -> bool {
        self.0 & (Self::SYN | Self::ACK) == Self::SYN
    }

    /// SYN with ACK.
    pub const fn is_syn_ack(self) -> bool {
        self.0 & (Self::SYN | Self::ACK) == Self::SYN | Self::ACK
    }
}

/// An ARP packet for IPv4 over Ethernet (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Sender's MAC address.
    pub sender_mac: Mac,
    /// Sender's IPv4 address.
    pub sender: IpAddr,
    /// Target's IPv4 address.
    pub target: IpAddr,
}

/// VLAN identifiers (12 bits each), outermost first; those beyond the bound are dropped and counted as a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanStack {
    len: u8,
    ids: [u16; VLAN_TAGS],
}

impl VlanStack {
    /// Adds an inner tag; false where the stack is full.
    pub fn push(&mut self, id: u16) -> bool {
        let Some(place) = self.ids.get_mut(usize::from(self.len)) else { return false };
        *place = id;
        self.len += 1;
        true
    }

    /// The identifiers, outermost first.
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.len)).unwrap_or(&self.ids)
    }
}

/// An encapsulation that was passed on the way to the inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// GRE v0 with an IP packet inside, RFC 2784 and 2890.
    Gre,
    /// NVGRE, RFC 7637.
    Nvgre,
    /// ERSPAN type I or II.
    Erspan,
    /// ERSPAN type III.
    Erspan3,
    /// VXLAN, RFC 7348.
    Vxlan,
    /// GENEVE, RFC 8926.
    Geneve,
    /// GTP-U, 3GPP TS 29.281.
    Gtpu,
    /// IP in IP: 4in4, 6in4, 4in6, 6in6 (RFC 2003, 4213, 2473).
    IpInIp,
    /// Teredo, RFC 4380.
    Teredo,
    /// L2TP, RFC 2661 and 3931.
    L2tp,
    /// CAPWAP data, RFC 5415.
    Capwap,
    /// TaZmen Sniffer Protocol.
    Tzsp,
    /// PPP over Ethernet, RFC 2516.
    Pppoe,
    /// MPLS, RFC 3032.
    Mpls,
    /// PPTP's GRE v1, RFC 2637.
    Pptp,
    /// IPsec AH, RFC 4302.
    Ah,
}

/// The encapsulations around a packet, outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelPath {
    len: u8,
    path: [Option<Tunnel>; TUNNEL_DEPTH],
}

impl TunnelPath {
    /// Goes one encapsulation deeper; false where the bound is reached.
    pub fn push(&mut self, tunnel: Tunnel) -> bool {
        let Some(place) = self.path.get_mut(usize::from(self.len)) else { return false };
        *place = Some(tunnel);
        self.len += 1;
        true
    }

    /// The encapsulations, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = Tunnel> + '_ {
        self.path.iter().flatten().copied()
    }

    /// Whether the packet came bare.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Where and why decoding of a frame stopped: counted, never fatal. What was read before it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// The layer that could not be read: `ethernet`, `ipv4`, `tcp`, `vxlan` ...
    pub layer: &'static str,
    /// What was wrong: `truncated by snap length`, `too short`, `bad header length`, `unknown link type` ...
    pub what: &'static str,
    /// Where that layer begins, in bytes from the start of the frame.
    pub offset: u32,
}
