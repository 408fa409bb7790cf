//! Ethernet II and IEEE 802.3, and the EtherType that says what comes next.

use etherparse::Ethernet2HeaderSlice;

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Layer, What};
use crate::decode::packet::{Content, OtherKind, Packet};
use crate::decode::{arp, ip, ipv4, ipv6, llc, macsec, mpls, nsh, ppp, vlan};
use crate::net::Mac;

/// An Ethernet frame without preamble. The frame check sequence, where captured, is padding like any other.
#[inline(always)]
pub(super) fn read<'a>(at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Ok(header) = Ethernet2HeaderSlice::from_slice(at.bytes) else { return packet.short(Layer::Ethernet, 14, &at) };
    // Of the innermost: a mirror that sends frames on in a tunnel wraps them in its own.
    packet.mac = Some((Mac(header.source()), Mac(header.destination())));
    ether_type(header.ether_type().0, at.skip(14), packet)
}

/// What an EtherType announces; up to 1500 it is the length of an IEEE 802.3 frame.
#[inline(always)]
pub(super) fn ether_type<'a>(kind: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match kind {
        IPV4 => ipv4::read(at, packet),
        IPV6 => ipv6::read(at, packet),
        _ => rare(kind, at, packet),
    }
}

#[inline(never)]
fn rare<'a>(kind: u16, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    let Some(at) = at.deeper() else { return packet.stop(Layer::Ethernet, What::TooDeep, &at) };
    match kind {
        0x8100 | 0x88a8 | 0x9100 => vlan::read(at, packet),
        0x0806 => arp::read(at, packet),
        0..=1500 => llc::read(if u32::from(kind) <= at.wire { at.limit(u32::from(kind)) } else { at }, packet),
        0x8847 | 0x8848 => mpls::read(at, packet),
        0x8864 => ppp::read_session(at, packet),
        0x6558 => read(at, packet),
        0x88e5 => macsec::read(at, packet),
        0x894f => nsh::read(at, packet),
        _ => match prefix(kind) {
            Some(Prefix::Type(len)) => after(len, at, packet),
            Some(Prefix::Frame(len)) => read(at.skip(len), packet),
            None => packet.other(Content::Other(named(kind))),
        },
    }
}

/// Headers that stand before another EtherType, whose content does not matter here.
fn prefix(kind: u16) -> Option<Prefix> {
    Some(match kind {
        0x8926 => Prefix::Type(4),  // VNTAG
        0x893f => Prefix::Type(6),  // IEEE 802.1BR
        0x8909 => Prefix::Type(6),  // Cisco metadata, with a security group tag
        0x892f => Prefix::Type(4),  // HSR, IEC 62439-3
        0x88e7 => Prefix::Frame(4), // provider backbone bridging, IEEE 802.1ah
        0x8903 => Prefix::Frame(2), // Cisco FabricPath
        _ => return None,
    })
}

enum Prefix {
    /// So many bytes, then an EtherType.
    Type(usize),
    /// So many bytes, then an Ethernet frame.
    Frame(usize),
}

fn after<'a>(len: usize, at: Cursor<'a>, packet: &mut Packet<'a>) -> bool {
    match at.u16(len) {
        Some(kind) => ether_type(kind, at.skip(len + 2), packet),
        None => packet.short(Layer::Ethernet, len + 2, &at),
    }
}

/// Whether an Ethernet frame with an IP packet in it, tagged or not, begins here: for places where nothing else announces one.
pub(super) fn plausible(at: Cursor<'_>) -> bool {
    let mut place = 12;
    while let Some(kind) = at.u16(place) {
        match kind {
            0x8100 | 0x88a8 | 0x9100 => place += 4,
            IPV4 | IPV6 => return ip::plausible(at.skip(place + 2)),
            _ => return false,
        }
    }
    false
}

fn named(kind: u16) -> OtherKind {
    match NAMED.binary_search_by_key(&kind, |(known, _)| *known) {
        Ok(place) => OtherKind::Named(NAMED.get(place).map_or("ethertype", |(_, name)| name)),
        Err(_) => OtherKind::EtherType(kind),
    }
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// IEEE "EtherType" registrations that networks carry beside IP. Sorted by number.
const NAMED: &[(u16, &str)] = &[
    (0x0842, "wake-on-lan"),
    (0x2000, "cdp"),
    (0x22ea, "srp"),
    (0x22f0, "avtp"),
    (0x22f3, "trill"),
    (0x6000, "dec"),
    (0x6001, "dec-mop"),
    (0x6002, "dec-mop"),
    (0x6003, "decnet"),
    (0x6004, "dec-lat"),
    (0x8035, "rarp"),
    (0x809b, "appletalk"),
    (0x80f3, "aarp"),
    (0x8137, "ipx"),
    (0x86dc, "ipx"),
    (0x8808, "pause"),
    (0x8809, "lacp"),
    (0x880b, "ppp"),
    (0x8863, "pppoe-discovery"),
    (0x886d, "intel-ans"),
    (0x8870, "llc"),
    (0x887b, "homeplug"),
    (0x888e, "eapol"),
    (0x8892, "profinet"),
    (0x8899, "realtek"),
    (0x889a, "hyperscsi"),
    (0x88a2, "aoe"),
    (0x88a4, "ethercat"),
    (0x88ab, "powerlink"),
    (0x88b8, "goose"),
    (0x88b9, "gse"),
    (0x88ba, "sampled-values"),
    (0x88c7, "rsn-preauth"),
    (0x88cc, "lldp"),
    (0x88cd, "sercos"),
    (0x88dc, "wsmp"),
    (0x88e1, "homeplug-av"),
    (0x88e3, "mrp"),
    (0x88e5, "macsec"),
    (0x88f5, "mvrp"),
    (0x88f6, "mmrp"),
    (0x88f7, "ptp"),
    (0x88fb, "prp"),
    (0x8902, "cfm"),
    (0x8906, "fcoe"),
    (0x890d, "tdls"),
    (0x8914, "fip"),
    (0x891d, "ttethernet"),
    (0x892f, "hsr"),
    (0x9000, "loopback"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_ether_types_are_sorted() {
        assert!(NAMED.is_sorted_by_key(|(number, _)| *number));
    }
}
