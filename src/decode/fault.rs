//! Where understanding of a frame stopped, and why.

use std::fmt;

/// Where and why decoding of a frame stopped: counted, never fatal. What was read before it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// The layer that could not be read.
    pub layer: Layer,
    /// What was wrong with it.
    pub what: What,
    /// Where that layer begins, in bytes from the start of the frame; of a reassembled datagram, from its start.
    pub offset: u32,
}

/// As people read it: `tcp: truncated by snap length`. The offset differs from frame to frame and is left out.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.what)
    }
}

/// What was wrong with a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// The capture ends before the header does; on the wire it went on.
    Truncated,
    /// The packet itself ends before the header does.
    TooShort,
    /// A version field with a number that this layer cannot have.
    BadVersion,
    /// A length field that contradicts itself or what surrounds it.
    BadLength,
    /// A link type without a decoder here (tcpdump.org number).
    UnknownLink(u16),
    /// An address family without a decoder here.
    UnknownFamily(u32),
    /// More VLAN tags than [`limit::VLAN_TAGS`](crate::limit::VLAN_TAGS): the inner ones were read but not kept.
    TooManyTags,
    /// A frame that aggregates several packets, of which the first was read.
    Several,
    /// More encapsulations than [`limit::TUNNEL_DEPTH`](crate::limit::TUNNEL_DEPTH), or more headers than [`limit::HEADERS`](crate::limit::HEADERS).
    TooDeep,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("truncated by snap length"),
            Self::TooShort => f.write_str("too short"),
            Self::BadVersion => f.write_str("bad version"),
            Self::BadLength => f.write_str("bad length"),
            Self::UnknownLink(number) => write!(f, "unknown link type {number}"),
            Self::UnknownFamily(number) => write!(f, "unknown address family {number}"),
            Self::TooManyTags => f.write_str("too many VLAN tags"),
            Self::Several => f.write_str("only the first of several packets"),
            Self::TooDeep => f.write_str("too many headers"),
        }
    }
}

macro_rules! layers {
    ($($(#[$doc:meta])* $layer:ident = $name:literal,)*) => {
        /// A layer that a fault names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Layer {
            $($(#[$doc])* $layer,)*
        }

        impl Layer {
            /// Its name as Wireshark filters spell it, where Wireshark has one.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$layer => $name,)*
                }
            }
        }
    };
}

layers! {
    /// The link type itself.
    Link = "link",
    /// Ethernet.
    Ethernet = "ethernet",
    /// IEEE 802.1Q and its relatives.
    Vlan = "vlan",
    /// IEEE 802.2 LLC and SNAP.
    Llc = "llc",
    /// IEEE 802.1AE.
    Macsec = "macsec",
    /// Linux cooked capture.
    Cooked = "sll",
    /// BSD loopback.
    Null = "null",
    /// PPP, HDLC framing and PPPoE.
    Ppp = "ppp",
    /// Cisco HDLC.
    Hdlc = "chdlc",
    /// Frame Relay.
    FrameRelay = "fr",
    /// IEEE 802.11 and the pseudo-headers before it.
    Wlan = "wlan",
    /// Netfilter log.
    Nflog = "nflog",
    /// MPLS.
    Mpls = "mpls",
    /// ARP.
    Arp = "arp",
    /// Neither IPv4 nor IPv6 by its version.
    Ip = "ip",
    /// IPv4.
    Ipv4 = "ipv4",
    /// IPv6 and its extension headers.
    Ipv6 = "ipv6",
    /// IPsec authentication header.
    Ah = "ah",
    /// TCP.
    Tcp = "tcp",
    /// UDP.
    Udp = "udp",
    /// SCTP.
    Sctp = "sctp",
    /// ICMP and ICMPv6.
    Icmp = "icmp",
    /// GRE and ERSPAN.
    Gre = "gre",
    /// An encapsulation that was not entered.
    Tunnel = "tunnel",
    /// Network service header.
    Nsh = "nsh",
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
