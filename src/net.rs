//! Words of the network that every room uses: transports, endpoints, sides, address classes. No decisions.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayString;
use serde::{Serialize, Serializer};

/// An IP protocol number (IANA "Assigned Internet Protocol Numbers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transport(pub u8);

impl Transport {
    /// Internet Control Message Protocol, RFC 792.
    pub const ICMP: Self = Self(1);
    /// Internet Group Management Protocol, RFC 9776.
    pub const IGMP: Self = Self(2);
    /// Transmission Control Protocol, RFC 9293.
    pub const TCP: Self = Self(6);
    /// User Datagram Protocol, RFC 768.
    pub const UDP: Self = Self(17);
    /// Generic Routing Encapsulation, RFC 2784.
    pub const GRE: Self = Self(47);
    /// Encapsulating Security Payload, RFC 4303.
    pub const ESP: Self = Self(50);
    /// Authentication Header, RFC 4302.
    pub const AH: Self = Self(51);
    /// ICMP for IPv6, RFC 4443.
    pub const ICMP6: Self = Self(58);
    /// Stream Control Transmission Protocol, RFC 9260.
    pub const SCTP: Self = Self(132);

    /// The transport of that name as records print it, `ip-N` included.
    pub fn from_name(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(_, known)| *known == name).map(|(number, _)| Self(*number));
        known.or_else(|| name.strip_prefix("ip-")?.parse().ok().map(Self))
    }

    /// The name that records print: `tcp`, `udp`, `icmp6` ..., or `ip-N` for a protocol without one.
    pub fn name(self) -> Cow<'static, str> {
        match NAMES.binary_search_by_key(&self.0, |(number, _)| *number) {
            Ok(place) => Cow::Borrowed(NAMES[place].1),
            Err(_) => Cow::Owned(format!("ip-{}", self.0)),
        }
    }

    /// All names, for the schema of the files in which people write them.
    #[cfg(any(test, feature = "schema"))]
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }

    /// Whether its packets carry ports.
    pub fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP)
    }
}

/// Its [name](Transport::name).
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// One end of a flow. `port` is zero where the transport has none; ICMP flows carry type and code there, as Community ID does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address, IPv4-mapped IPv6 kept as it was on the wire.
    pub ip: IpAddr,
    /// The port, host byte order.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

/// An address as text, without an allocation: for records, which have some of these for each flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressText(ArrayString<ADDRESS_LENGTH>);

impl AddressText {
    /// The text of an address, as it is displayed.
    pub fn new(ip: IpAddr) -> Self {
        let mut text = Self::default();
        // There is room for every address.
        let _ = match ip {
            IpAddr::V4(ip) => text.put_v4(ip),
            IpAddr::V6(ip) => write!(text.0, "{ip}"),
        };
        text
    }

    /// Four numbers that the standard library formats one by one take longer than all else that is printed of an end.
    fn put_v4(&mut self, ip: Ipv4Addr) -> fmt::Result {
        let mut number = itoa::Buffer::new();
        for (octet, dot) in ip.octets().into_iter().zip(["", ".", ".", "."]) {
            self.0.write_str(dot)?;
            self.0.write_str(number.format(octet))?;
        }
        Ok(())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for AddressText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Which end of a flow: its client opened it. How sure that is, a flow's direction says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Who opened the flow.
    Client,
    /// Who was asked.
    Server,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The word that records print.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An IEEE 802 MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All zeros, which no card has: stands for the receiver where a link tells its sender alone.
    pub const UNKNOWN: Self = Self([0; 6]);
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Whether the address reaches many hosts: multicast, limited broadcast, or `x.y.z.255`, the usual directed broadcast.
pub fn is_group(ip: IpAddr) -> bool {
    ip.is_multicast() || is_broadcast(ip)
}

/// Whether the address is 255.255.255.255 or ends in 255, the directed broadcast of a /24 and of most wider networks.
pub fn is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.octets()[3] == 255)
}

/// Whether the address belongs to no public network: RFC 1918, RFC 6598, loopback, link-local, unique-local (RFC 4193), unspecified.
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private_v4(v4),
            None => is_private_v6(v6),
        },
    }
}

/// Whether it is an address that a host of an IPv4 network takes where it is given none: 169.254.1.0 to 169.254.254.255 (RFC 3927, section 2.1).
pub fn is_self_assigned(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.is_link_local() && (1..255).contains(&v4.octets()[2]))
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || (a == 100 && (64..128).contains(&b))
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
}

/// Of the longest, an IPv6 address that ends as an IPv4 one does.
const ADDRESS_LENGTH: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".len();

/// Sorted by number; the names are those of the contract, lower case as Wireshark and Zeek print them.
const NAMES: &[(u8, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipip"),
    (6, "tcp"),
    (8, "egp"),
    (17, "udp"),
    (33, "dccp"),
    (41, "ip6"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "icmp6"),
    (88, "eigrp"),
    (89, "ospf"),
    (94, "ipip-94"),
    (103, "pim"),
    (112, "vrrp"),
    (115, "l2tp"),
    (132, "sctp"),
    (136, "udplite"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_names_are_sorted_and_read_back() {
        assert!(NAMES.is_sorted_by_key(|(number, _)| *number));
        for number in 0..=255 {
            assert_eq!(Transport::from_name(&Transport(number).to_string()), Some(Transport(number)));
        }
        assert_eq!(Transport::from_name("nonsense"), None);
    }

    #[test]
    fn an_address_has_one_text_however_it_is_made() {
        for text in ["0.0.0.0", "10.1.20.255", "::", "2001:db8::1", "::ffff:192.0.2.33", "2001:db8:1111:2222:3333:4444:5555:6666"] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!([AddressText::new(ip).as_str(), &ip.to_string()], [text; 2]);
        }
    }

    #[test]
    fn an_ipv6_endpoint_prints_its_address_in_brackets() {
        let end = Endpoint { ip: "2001:db8::1".parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port: 53 };
        assert_eq!(end.to_string(), "[2001:db8::1]:53");
    }
}
