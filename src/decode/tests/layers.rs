//! What single layers say beyond the way to the inner packet.

use super::super::{Arp, Fragment, Layer, OtherKind, Tunnel, What, datagram, transport};
use super::*;
use crate::net::{Mac, Transport};

#[test]
fn ethernet_padding_is_no_payload() {
    let bytes = join(&[&ethernet(0x0800, &ipv4(6, &tcp(1, 2, b"abc"))), &[0; 20]]);
    let packet = decoded(1, &bytes);
    assert_eq!((packet.payload, packet.payload_len, ip(&packet).0.len), (&b"abc"[..], 3, 43));
    assert_eq!(packet.mac, Some((Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]))));
}

#[test]
fn an_ip_length_of_zero_is_what_the_frame_holds() {
    let mut bytes = ethernet(0x0800, &ipv4(6, &tcp(1, 2, &[7; 3000])));
    bytes[16..18].fill(0);
    assert_eq!(decoded(1, &bytes).payload_len, 3000);
}

#[test]
fn a_payload_cut_by_the_snap_length_keeps_its_length_on_the_wire() {
    let bytes = ethernet(0x0800, &ipv4(6, &tcp(1, 2, &[7; 1000])));
    let packet = cut(1, &bytes, 96);
    assert_eq!((packet.payload.len(), packet.payload_len, packet.fault), (96 - 54, 1000, None));
}

#[test]
fn ip_fields_are_those_of_the_header() {
    let bytes = ethernet(0x0800, &ipv4(6, &tcp(80, 90, b"x")));
    let (ip, header) = ip(&decoded(1, &bytes));
    assert_eq!((ip.ttl, ip.ident, ip.len, ip.dont_fragment, ip.fragment), (64, 0x1234, 41, true, None));
    let Header::Tcp(tcp) = header else { panic!("{header:?}") };
    assert_eq!((tcp.sequence, tcp.acknowledgment, tcp.window, tcp.flags.0, tcp.mss), (100, 200, 256, 0x18, None));
}

#[test]
fn options_of_ipv4_are_passed_over() {
    let mut bytes = ipv4(17, &join(&[&[1; 8], &udp(5, 6, b"z")]));
    bytes[0] = 0x47;
    let packet = decoded(101, &bytes);
    assert_eq!((ip(&packet).1, packet.payload), (Header::Udp { source: 5, destination: 6 }, &b"z"[..]));
}

#[test]
fn ipv6_extension_headers_are_passed_over_in_any_order() {
    let transport = udp(5, 6, b"z");
    let chain = join(&[&[43, 0, 5, 2, 0, 0, 0, 0], &[60, 0, 0, 0, 0, 0, 0, 0], &[17, 1], &[0; 14], &transport]);
    let bytes = ipv6(0, &chain);
    let packet = decoded(229, &bytes);
    assert_eq!((ip(&packet).0.transport, ip(&packet).1), (Transport::UDP, Header::Udp { source: 5, destination: 6 }));
    assert_eq!((packet.payload, packet.fault), (&b"z"[..], None));
}

#[test]
fn an_endless_chain_of_extension_headers_is_a_fault_with_addresses() {
    let bytes = ipv6(60, &[[60, 0, 0, 0, 0, 0, 0, 0]; 100].concat());
    let packet = decoded(229, &bytes);
    assert_eq!(ip(&packet).0.source, address("2001:db8::1"));
    assert_eq!(packet.fault.map(|fault| (fault.layer, fault.what)), Some((Layer::Ipv6, What::TooDeep)));
}

#[test]
fn a_jumbogram_states_its_length_in_an_option() {
    let payload = join(&[&[6, 0, 0xc2, 4, 0, 1, 0x11, 0x70], &tcp(1, 2, &[9; 70_000 - 28])]);
    let mut bytes = ipv6(0, &payload);
    bytes[4..6].fill(0);
    let packet = cut(229, &bytes, 200);
    assert_eq!((ip(&packet).0.len, packet.payload_len), (70_040, 70_000 - 28));
}

#[test]
fn a_fragment_gives_its_place_and_all_of_its_bytes() {
    let whole = udp(5, 6, &[7; 24]);
    let (mut first, mut last) = (ipv4(17, &whole[..16]), ipv4(17, &whole[16..]));
    first[6..8].copy_from_slice(&[0x20, 0]);
    last[6..8].copy_from_slice(&[0, 2]);
    let (first, last) = (decoded(101, &first).fragments(), decoded(101, &last).fragments());
    assert_eq!(first, (Some(Fragment { offset: 0, more: true }), Some((5, 6)), 16));
    assert_eq!(last, (Some(Fragment { offset: 16, more: false }), None, 16));
}

impl Packet<'_> {
    fn fragments(&self) -> (Option<Fragment>, Option<(u16, u16)>, u32) {
        assert_eq!(self.payload.len(), self.payload_len as usize);
        (ip(self).0.fragment, ip(self).1.ports(), self.payload_len)
    }
}

#[test]
fn an_ipv6_fragment_is_named_by_its_fragment_header() {
    let whole = udp(5, 6, &[7; 24]);
    let bytes = ipv6(44, &join(&[&[17, 0, 0, 0x11, 0, 0, 0xab, 0xcd], &whole[16..]]));
    let (ip, header) = ip(&decoded(229, &bytes));
    assert_eq!((ip.transport, ip.ident, header), (Transport::UDP, 0xabcd, Header::None));
    assert_eq!(ip.fragment, Some(Fragment { offset: 16, more: true }));
}

#[test]
fn an_atomic_fragment_is_whole() {
    let bytes = ipv6(44, &join(&[&[17, 0, 0, 0, 0, 0, 0, 1], &udp(5, 6, b"z")]));
    assert_eq!(decoded(229, &bytes).fragments_none(), Header::Udp { source: 5, destination: 6 });
}

impl Packet<'_> {
    fn fragments_none(&self) -> Header {
        assert_eq!(ip(self).0.fragment, None);
        ip(self).1
    }
}

#[test]
fn a_tunnel_in_a_reassembled_datagram_is_followed() {
    let whole = join(&[&[0, 0, 8, 0], &inner()]);
    let mut bytes = ipv4(47, &whole[..16]);
    bytes[6..8].copy_from_slice(&[0x20, 0]);
    let piece = decoded(101, &bytes);
    assert!(piece.tunnel.is_empty());
    let packet = datagram(&piece, &whole, whole.len() as u32);
    assert_eq!((ip(&packet).1.ports(), packet.tunnel.is_empty()), (Some((1000, 2000)), false));
}

#[test]
fn a_transport_header_is_read_alone() {
    let bytes = udp(5, 6, b"abc");
    let part = transport(Transport::UDP, &bytes, 11);
    assert_eq!((part.header, part.payload, part.payload_len), (Header::Udp { source: 5, destination: 6 }, &b"abc"[..], 3));
    let sctp = [0, 80, 0, 90, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 4];
    let part = transport(Transport::SCTP, &sctp, 16);
    assert_eq!((part.header, part.payload_len), (Header::Sctp { source: 80, destination: 90, chunk: Some(1) }, 4));
    let part = transport(Transport::ICMP, &[3, 4, 0, 0, 0, 0, 5, 0xdc, 9], 9);
    assert_eq!((part.header, part.payload), (Header::Icmp { kind: 3, code: 4, rest: [0, 0, 5, 0xdc] }, &[9][..]));
}

#[test]
fn arp_names_sender_and_target() {
    let arp = [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 2, 0, 0, 0, 0, 9, 192, 0, 2, 9];
    let bytes = ethernet(0x0806, &arp);
    let want = Arp {
        operation: 2,
        sender_mac: Mac([2, 0, 0, 0, 0, 1]),
        sender: address("192.0.2.1"),
        target_mac: Mac([2, 0, 0, 0, 0, 9]),
        target: address("192.0.2.9"),
    };
    assert_eq!(decoded(1, &bytes).content, Content::Arp(want));
    // Type II, session 1 (draft-foschiano-erspan): what the switch far away saw, not what it sent on.
    let mirrored = join(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 7, 0x10, 1, 0, 1, 0, 0, 0, 0], &bytes]);
    let around = ethernet(0x0800, &ipv4(47, &mirrored));
    let packet = decoded(1, &around);
    assert_eq!((packet.content, packet.mac, packet.payload_len, packet.fault), (Content::Arp(want), decoded(1, &bytes).mac, 0, None));
    assert_eq!(packet.tunnel.iter().collect::<Vec<_>>(), [Tunnel::Erspan]);
}

#[test]
fn a_cooked_header_tells_the_senders_address_and_that_of_a_loopback_none() {
    let of = |hardware: u8, length: u8| join(&[&[0, 0, 0, hardware, 0, length, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], &inner()]);
    assert_eq!(decoded(113, &of(1, 6)).mac, Some((Mac([2, 0, 0, 0, 0, 1]), Mac::UNKNOWN)));
    assert_eq!((decoded(113, &of(4, 6)).mac, decoded(113, &of(1, 0)).mac), (None, None));
    let second = join(&[&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &inner()]);
    assert_eq!(decoded(276, &second).mac, Some((Mac([2, 0, 0, 0, 0, 1]), Mac::UNKNOWN)));
}

#[test]
fn vlan_tags_are_kept_to_the_bound_and_those_beyond_it_are_a_fault() {
    let tag = |id: u8, next: u16| join(&[&[0, id], &next.to_be_bytes()]);
    let tags = join(&[&tag(1, 0x8100), &tag(2, 0x8100), &tag(3, 0x8100), &tag(4, 0x8100), &tag(5, 0x0800), &inner()]);
    let bytes = ethernet(0x8100, &tags);
    let packet = decoded(1, &bytes);
    assert_eq!((packet.vlan.ids(), ip(&packet).1.ports()), (&[1, 2, 3, 4][..], Some((1000, 2000))));
    assert_eq!(packet.fault.map(|fault| fault.what), Some(What::TooManyTags));
}

#[test]
fn what_carries_no_ip_is_counted_by_name() {
    let name = |link, bytes: &[u8]| match decoded(link, bytes).content {
        Content::Other(kind) => kind.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(name(1, &ethernet(0x88cc, &[0; 40])), "lldp");
    assert_eq!(name(1, &ethernet(0x88b5, &[0; 40])), "ethertype-0x88b5");
    assert_eq!(name(1, &ethernet(38, &[0x42; 40])), "stp");
    assert_eq!(name(1, &ethernet(0x88e5, &[0x2c; 40])), "macsec");
    assert_eq!(name(9, &[0xc0, 0x21, 1, 1]), "lcp");
    assert_eq!(name(105, &[0x80, 0, 0, 0]), "wlan-management");
    assert_eq!(name(105, &join(&[&[0x08, 0x41], &[0; 30]])), "wlan-encrypted");
    assert_eq!(name(195, &[]), "ieee802.15.4");
    assert_eq!(name(220, &[]), "usb");
    assert_eq!(OtherKind::Llc(0x5e).to_string(), "llc-0x5e");
}

#[test]
fn an_unknown_link_type_is_a_fault_that_shows_its_number() {
    let packet = decoded(8224, &[1, 2, 3]);
    assert_eq!((packet.content, packet.fault.map(|fault| fault.to_string())), (Content::Nothing, Some("link: unknown link type 8224".to_owned())));
}

#[test]
fn the_other_packets_of_an_aggregated_frame_are_a_fault() {
    let part = join(&[&[1; 12], &[0, 38, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner(), &[0; 2]]);
    let bytes = join(&[&[0x88, 0x01, 0, 0], &[1; 18], &[0, 0, 0x80, 0], &part, &part]);
    let packet = decoded(105, &bytes);
    assert_eq!(ip(&packet).1.ports(), Some((1000, 2000)));
    assert_eq!(packet.fault.map(|fault| fault.what), Some(What::Several));
}

#[test]
fn a_packet_stays_small() {
    assert!(size_of::<Packet<'_>>() <= 176, "{}", size_of::<Packet<'_>>());
}

#[test]
fn a_frame_that_a_mirror_sends_on_in_a_tunnel_has_its_own_hardware_addresses() {
    let mut outer = ethernet(0x0800, &ipv4(17, &udp(50_000, 4789, &join(&[&[0x08, 0, 0, 0, 0, 0, 42, 0], &ethernet(0x0800, &inner())]))));
    outer[..12].copy_from_slice(&[2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 1]);
    assert_eq!(decoded(1, &outer).mac, Some((Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]))));
}
