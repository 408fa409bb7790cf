//! The words for what a frame holds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::capture::{Frame, FrameId};
use crate::decode::fault::Fault;
use crate::decode::path::{TunnelPath, VlanStack};
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
    /// Sender's and receiver's MAC address on this link, where the link has them; of the innermost Ethernet header. Linux cooked captures have the sender's alone: there the
    /// receiver's is [`Mac::UNKNOWN`].
    pub mac: Option<(Mac, Mac)>,
    /// VLAN identifiers of all tag stacks passed, outermost first.
    pub vlan: VlanStack,
    /// Encapsulations passed on the way in, outermost first.
    pub tunnel: TunnelPath,
    /// What the frame holds.
    pub content: Content,
    /// The transport payload that was captured; of a fragment, first or not, its bytes after the IP header.
    pub payload: &'a [u8],
    /// The payload's length on the wire, by the IP length field.
    pub payload_len: u32,
    /// Where understanding stopped early.
    pub fault: Option<Fault>,
}

impl<'a> Packet<'a> {
    /// Whether it is a fragment of a datagram.
    pub const fn is_fragment(&self) -> bool {
        matches!(self.content, Content::Ip(Ip { fragment: Some(_), .. }, _))
    }

    /// A packet of which nothing is known but its frame.
    #[inline]
    pub(super) fn of(frame: &Frame<'a>) -> Self {
        Self {
            frame: frame.id,
            interface: frame.interface,
            time: frame.time,
            mac: None,
            vlan: VlanStack::default(),
            tunnel: TunnelPath::default(),
            content: Content::Nothing,
            payload: &[],
            payload_len: 0,
            fault: None,
        }
    }
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
    /// It was not looked at, as it is none of those that were asked for ([`decode_share`](crate::decode::decode_share)): only its time counts.
    Elsewhere,
}

/// A recognised frame that carries no IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OtherKind {
    /// By the name that reports print.
    Named(&'static str),
    /// An EtherType without a name here.
    EtherType(u16),
    /// A PPP protocol number without a name here.
    Ppp(u16),
    /// An IEEE 802.2 destination service access point without a name here.
    Llc(u8),
}

/// As reports print it: the name, or `ethertype-0x88b5`, `ppp-0x00c1`, `llc-0x5e`.
impl fmt::Display for OtherKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::EtherType(number) => write!(f, "ethertype-0x{number:04x}"),
            Self::Ppp(number) => write!(f, "ppp-0x{number:04x}"),
            Self::Llc(number) => write!(f, "llc-0x{number:02x}"),
        }
    }
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
    /// The transport protocol, after IPv6 extension headers; of an IPv6 fragment, what its fragment header names.
    pub transport: Transport,
    /// Where the packet is a fragment.
    pub fragment: Option<Fragment>,
    /// The DF bit.
    pub dont_fragment: bool,
}

impl Ip {
    /// Nothing, to be filled in.
    pub(super) const BLANK: Self = Self {
        source: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        ttl: 0,
        ident: 0,
        len: 0,
        transport: Transport(0),
        fragment: None,
        dont_fragment: false,
    };
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
    /// A TCP header cut off after its ports, or one whose length field is wrong.
    Ports {
        /// Sender's port.
        source: u16,
        /// Receiver's port.
        destination: u16,
    },
    /// Another protocol, a fragment without its header, or a header cut off before it names anything.
    None,
}

impl Header {
    /// Sender's and receiver's port, where the transport has them and they were captured.
    pub const fn ports(&self) -> Option<(u16, u16)> {
        match *self {
            Self::Tcp(Tcp { source, destination, .. })
            | Self::Udp { source, destination }
            | Self::Sctp { source, destination, .. }
            | Self::Ports { source, destination } => Some((source, destination)),
            Self::Icmp { .. } | Self::None => None,
        }
    }
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
    /// Target's MAC address; of a request nothing that means anything (RFC 826).
    pub target_mac: Mac,
    /// Target's IPv4 address.
    pub target: IpAddr,
}
