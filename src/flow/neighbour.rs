//! Who is on a link, by ARP (RFC 826) and by IPv6 Neighbor Discovery (RFC 4861): for whom somebody asked, and who answered; and who receives a group there.
//!
//! These packets come before any flow, and where nobody answers there is none: they are told to the observer as they come.

use std::net::{IpAddr, Ipv6Addr};

use super::membership;
use crate::capture::FrameId;
use crate::decode::{Content, Header, Packet, VlanStack};
use crate::net::{Mac, Transport};
use crate::time::Timestamp;

/// What one packet says about who is on its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// When it was captured.
    pub time: Timestamp,
    /// In which frame.
    pub frame: FrameId,
    /// The network in which it was said.
    pub vlan: VlanStack,
    /// The card that says it.
    pub from: Mac,
    /// To whom; a group address where it is said to all, none where the link does not tell (Linux cooked captures).
    pub to: Option<Mac>,
    /// What it says.
    pub says: NeighbourWord,
}

/// What is said of neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighbourWord {
    /// A host asks who has an address.
    Asks {
        /// The address.
        target: IpAddr,
        /// The host that asks.
        by: IpAddr,
    },
    /// The sender has this address.
    Has(IpAddr),
    /// A host receives what is sent to a group (IGMP, MLD).
    Receives {
        /// The group.
        group: IpAddr,
        /// The host.
        by: IpAddr,
    },
    /// A host no longer receives what is sent to a group.
    Leaves {
        /// The group.
        group: IpAddr,
        /// The host.
        by: IpAddr,
    },
    /// Somebody asks who receives a group, or which groups are received.
    AsksReceivers,
    /// A router says that a server gives the addresses of its link (DHCPv6).
    ServerGivesAddresses,
}

impl Neighbour {
    /// By what they are put in order.
    pub const fn order(&self) -> (Timestamp, FrameId) {
        (self.time, self.frame)
    }

    /// Whether it went to all of the link, and not to one card.
    pub fn is_to_all(&self) -> bool {
        self.to.is_some_and(|to| to.0[0] & 1 == 1)
    }

    /// Everything that the packet says: of who is on its link, and of who receives a group there.
    pub(super) fn each_of(packet: &Packet<'_>, hear: &mut impl FnMut(&Self)) {
        match Self::of_packet(packet) {
            Some(neighbour) => hear(&neighbour),
            None => membership::of_packet(packet, hear),
        }
    }

    /// What the packet says; none where it says nothing of the kind. A host that makes sure that nobody has its own address (RFC 5227, RFC 4862 section
    /// 5.4) hopes for no answer: that asks for nobody.
    fn of_packet(packet: &Packet<'_>) -> Option<Self> {
        let mut ends = packet.mac.map(|(from, to)| (from, Some(to).filter(|to| *to != Mac::UNKNOWN)));
        let says = match packet.content {
            Content::Arp(arp) => {
                let (from, to) = ends.unwrap_or((arp.sender_mac, None));
                ends = Some((from, to.or_else(|| (arp.operation == REPLY).then_some(arp.target_mac))));
                match arp.operation {
                    _ if arp.sender.is_unspecified() => return None,
                    REQUEST if arp.sender != arp.target => NeighbourWord::Asks { target: arp.target, by: arp.sender },
                    REQUEST | REPLY => NeighbourWord::Has(arp.sender),
                    _ => return None,
                }
            }
            // A hop limit of 255 shows that it comes from the link itself (RFC 4861 section 7.1).
            // Where IP itself is tunnelled, hardware addresses are those of the tunnel's ends.
            Content::Ip(ip, Header::Icmp { kind, rest, .. }) if ip.transport == Transport::ICMP6 && ip.ttl == u8::MAX && packet.tunnel.ends_on_a_link() => {
                let target = || packet.payload.first_chunk::<16>().map(|octets| IpAddr::V6(Ipv6Addr::from(*octets)));
                match kind {
                    SOLICITATION if !ip.source.is_unspecified() => NeighbourWord::Asks { target: target()?, by: ip.source },
                    ADVERTISEMENT => NeighbourWord::Has(target()?),
                    ROUTER if rest[1] & MANAGED != 0 => NeighbourWord::ServerGivesAddresses,
                    _ => return None,
                }
            }
            _ => return None,
        };
        let (from, to) = ends?;
        Some(Self { time: packet.time, frame: packet.frame, vlan: packet.vlan, from, to, says })
    }
}

/// ARP operations (RFC 826).
const REQUEST: u16 = 1;
/// See above.
const REPLY: u16 = 2;
/// ICMPv6 types (RFC 4861 sections 4.3 and 4.4).
const SOLICITATION: u8 = 135;
/// See above.
const ADVERTISEMENT: u8 = 136;
/// Router Advertisement, and the flag behind its hop limit (RFC 4861 section 4.2).
const ROUTER: u8 = 134;
/// See above.
const MANAGED: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Frame, LinkType};
    use crate::decode::decode;

    /// Of a link type, with one packet.
    fn said(link: u16, bytes: &[u8]) -> Option<Neighbour> {
        let wire_len = bytes.len() as u32;
        Neighbour::of_packet(&decode(&Frame { id: FrameId::default(), interface: 0, link: LinkType(link), time: Timestamp::EPOCH, wire_len, bytes }))
    }

    #[test]
    fn where_a_cooked_capture_names_no_receiver_arp_names_both_itself() {
        let cooked = |operation: u8, arp: &[u8]| [&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, arp[5], 0, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0, operation][..], arp].concat();
        let (host, by) = (IpAddr::from([192, 0, 2, 9]), IpAddr::from([192, 0, 2, 1]));
        let asks = said(113, &cooked(1, &[2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 9])).unwrap();
        assert_eq!((asks.from, asks.to, asks.says), (Mac([2, 0, 0, 0, 0, 1]), None, NeighbourWord::Asks { target: host, by }));
        let has = said(113, &cooked(2, &[2, 0, 0, 0, 0, 9, 192, 0, 2, 9, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1])).unwrap();
        assert_eq!((has.from, has.to, has.says), (Mac([2, 0, 0, 0, 0, 9]), Some(Mac([2, 0, 0, 0, 0, 1])), NeighbourWord::Has(host)));
    }
    #[test]
    fn a_router_says_whether_a_server_gives_the_addresses_of_its_link() {
        let advertises = |hops: u8, flags: u8| {
            let mut ip = vec![0x60, 0, 0, 0, 0, 16, 58, hops];
            ip.extend(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).octets());
            ip.extend(std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).octets());
            let router = [134, 0, 0, 0, 64, flags, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
            said(1, &[&[0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd][..], &ip, &router].concat()).map(|neighbour| neighbour.says)
        };
        assert_eq!(advertises(255, 0xc0), Some(NeighbourWord::ServerGivesAddresses));
        // Settings alone come from a server; not of the link.
        assert_eq!((advertises(255, 0x40), advertises(64, 0x80)), (None, None));
    }
}
