//! Every way that is known here for a packet to be wrapped: the inner packet is found, and the way to it is named.

use super::super::Tunnel::{self, *};
use super::*;

const VXLAN: [u8; 8] = [0x08, 0, 0, 0, 0, 0, 42, 0];

/// A name, the link type, the frame, the tunnels that it names. All hold [`inner`] or [`inner_v6`].
pub(super) type Kind = (&'static str, u16, Vec<u8>, Vec<Tunnel>);

pub(super) fn all() -> Vec<Kind> {
    [links(), tags(), over_ip(), over_udp()].concat()
}

fn links() -> Vec<Kind> {
    let snap = join(&[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner()]);
    let sll2 = join(&[&[0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &inner_v6()]);
    let wlan = join(&[&[0x88, 0x01, 0, 0], &[1; 6], &[2; 6], &[3; 6], &[0, 0, 0, 0], &snap]);
    let padded = join(&[&wlan[..26], &[0, 0], &snap]);
    let nflog = join(&[&[2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0, 34, 0, 9, 0], &inner()]);
    vec![
        ("ethernet", 1, ethernet(0x0800, &inner()), vec![]),
        ("ethernet v6", 1, ethernet(0x86dd, &inner_v6()), vec![]),
        ("802.3 snap", 1, ethernet(snap.len() as u16, &snap), vec![]),
        ("null little endian", 0, join(&[&[2, 0, 0, 0], &inner()]), vec![]),
        ("null big endian, Darwin IPv6", 0, join(&[&[0, 0, 0, 30], &inner_v6()]), vec![]),
        ("loop", 108, join(&[&[0, 0, 0, 24], &inner_v6()]), vec![]),
        ("raw", 101, inner(), vec![]),
        ("raw, OpenBSD", 14, inner_v6(), vec![]),
        ("raw IPv4", 228, inner(), vec![]),
        ("raw IPv6", 229, inner_v6(), vec![]),
        ("sll", 113, join(&[&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], &inner()]), vec![]),
        ("sll2", 276, sll2, vec![]),
        ("ppp", 9, join(&[&[0xff, 3, 0, 0x21], &inner()]), vec![]),
        ("ppp, short protocol", 9, join(&[&[0x57], &inner_v6()]), vec![]),
        ("ppp-hdlc", 50, join(&[&[0xff, 3, 0, 0x57], &inner_v6()]), vec![]),
        ("ppp with direction", 204, join(&[&[1, 0xff, 3, 0, 0x21], &inner()]), vec![]),
        ("cisco hdlc", 104, join(&[&[0x0f, 0, 8, 0], &inner()]), vec![]),
        ("frame relay, RFC 2427", 107, join(&[&[0x18, 0x41, 3, 0xcc], &inner()]), vec![]),
        ("frame relay, snap", 107, join(&[&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], &inner()]), vec![]),
        ("frame relay, cisco", 107, join(&[&[0x18, 0x41, 8, 0], &inner()]), vec![]),
        ("802.11", 105, wlan.clone(), vec![]),
        ("radiotap with padding", 127, join(&[&[0, 0, 17, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20], &padded]), vec![]),
        ("ppi", 192, join(&[&[0, 0, 8, 0, 105, 0, 0, 0], &wlan]), vec![]),
        ("nflog", 239, nflog, vec![]),
        ("fddi", 10, join(&[&[0x50], &[1; 12], &snap]), vec![]),
        ("token ring", 6, join(&[&[0x10, 0x40], &[1; 12], &snap]), vec![]),
        ("arcnet", 129, join(&[&[1, 2, 0, 0, 212, 0, 0, 1], &inner()]), vec![]),
        ("infiniband", 242, join(&[&[0; 40], &[8, 0, 0, 0], &inner()]), vec![]),
        ("dsa", 284, join(&[&ethernet(0, &[])[..12], &[0xc0, 0x10, 5, 0x39, 8, 0], &inner()]), vec![]),
        ("cisco hdlc with direction", 205, join(&[&[1, 0x0f, 0, 8, 0], &inner()]), vec![]),
        ("frame relay with direction", 206, join(&[&[0, 0x18, 0x41, 3, 0xcc], &inner()]), vec![]),
        ("pktap around ethernet", 258, join(&[&[16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 9, 9, 9], &ethernet(0x0800, &inner())]), vec![]),
        (
            "erf, ethernet behind two extension headers",
            197,
            join(&[&erf(0x82), &[0x83, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], &ethernet(0x0800, &inner())]),
            vec![],
        ),
        ("erf, hdlc", 197, join(&[&erf(1), &[0x0f, 0, 8, 0], &inner()]), vec![]),
        ("erf, ipv6", 197, join(&[&erf(23), &inner_v6()]), vec![]),
        ("netanalyzer", 240, join(&[&[0; 4], &ethernet(0x0800, &inner())]), vec![]),
        ("netanalyzer, transparent", 241, join(&[&[0; 4], &[0x55; 7], &[0xd5], &ethernet(0x0800, &inner())]), vec![]),
        ("mpacket", 274, join(&[&[0x55; 7], &[0xd5], &ethernet(0x0800, &inner())]), vec![]),
        ("juniper ethernet", 178, join(&[b"MGC\x80\x00\x02ab", &ethernet(0x0800, &inner())]), vec![]),
    ]
}

/// The 16 bytes of a record of this type.
fn erf(kind: u8) -> Vec<u8> {
    join(&[&[7; 8], &[kind, 4, 0, 90, 0, 0, 0, 60]])
}

fn tags() -> Vec<Kind> {
    let pppoe = join(&[&[0x11, 0, 0, 1, 0, 32, 0, 0x21], &inner()]);
    let pseudowire = join(&[&[0, 1, 0x01, 64, 0, 0, 0, 0], &ethernet(0x0800, &inner())]);
    let service = join(&[&[0, 2, 1, 3, 0, 0, 1, 255], &ethernet(0x0800, &inner())]);
    let mut service = service;
    service[1] = 0x42; // time to live, then a length of two words
    vec![
        ("802.1q", 1, ethernet(0x8100, &join(&[&[0xe0, 100, 8, 0], &inner()])), vec![]),
        ("802.1ad", 1, ethernet(0x88a8, &join(&[&[0, 100, 0x81, 0, 0, 200, 8, 0], &inner()])), vec![]),
        ("0x9100 around 802.1q", 1, ethernet(0x9100, &join(&[&[0, 100, 0x81, 0, 0, 200, 8, 0], &inner()])), vec![]),
        ("vntag", 1, ethernet(0x8926, &join(&[&[0, 0, 0, 0, 8, 0], &inner()])), vec![]),
        ("802.1br", 1, ethernet(0x893f, &join(&[&[0, 0, 0, 0, 0, 0, 8, 0], &inner()])), vec![]),
        ("802.1ah", 1, ethernet(0x88e7, &join(&[&[0, 0, 0, 1], &ethernet(0x0800, &inner())])), vec![]),
        ("fabricpath", 1, ethernet(0x8903, &join(&[&[0, 0], &ethernet(0x0800, &inner())])), vec![]),
        ("macsec in clear", 1, ethernet(0x88e5, &join(&[&[0, 0, 0, 0, 0, 1, 8, 0], &inner()])), vec![]),
        ("mpls", 1, ethernet(0x8847, &join(&[&[0, 1, 0, 64, 0, 2, 0x01, 64], &inner()])), vec![Mpls]),
        ("mpls pseudowire", 1, ethernet(0x8847, &pseudowire), vec![Mpls]),
        ("pppoe", 1, ethernet(0x8864, &pppoe), vec![Pppoe]),
        ("nsh", 1, ethernet(0x894f, &service), vec![Nsh]),
    ]
}

fn over_ip() -> Vec<Kind> {
    let frame = ethernet(0x0800, &inner());
    let mut kinds = Vec::new();
    let mut add = |name, protocol, payload: Vec<u8>, tunnel: Vec<Tunnel>| kinds.push((name, 101, ipv4(protocol, &payload), tunnel));
    add("4in4", 4, inner(), vec![IpInIp]);
    add("6in4", 41, inner_v6(), vec![IpInIp]);
    add("gre", 47, join(&[&[0, 0, 8, 0], &inner()]), vec![Gre]);
    add("gre with checksum, key, sequence", 47, join(&[&[0xb0, 0, 0x86, 0xdd], &[9; 12], &inner_v6()]), vec![Gre]);
    add("nvgre", 47, join(&[&[0x20, 0, 0x65, 0x58, 0, 0, 42, 0], &frame]), vec![Nvgre]);
    add("pptp", 47, join(&[&[0x30, 0x81, 0x88, 0x0b, 0, 34, 0, 1], &[0; 8], &[0xff, 3, 0, 0x21], &inner()]), vec![Pptp]);
    add("erspan I", 47, join(&[&[0, 0, 0x88, 0xbe], &frame]), vec![Erspan]);
    add("erspan II", 47, join(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0], &frame]), vec![Erspan]);
    add("erspan III", 47, join(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[0; 8], &frame]), vec![Erspan3]);
    add("etherip", 97, join(&[&[0x30, 0], &frame]), vec![EtherIp]);
    add("l2tpv3 with a cookie of 8", 115, join(&[&[0, 0, 0, 7], &[0xee; 8], &frame]), vec![L2tp]);
    add("ah", 51, join(&[&[17, 4, 0, 0], &[0; 20], &udp(1000, 2000, b"hi")]), vec![Ah]);
    add("ah around a tunnel", 51, join(&[&[4, 4, 0, 0], &[0; 20], &inner()]), vec![Ah, IpInIp]);
    kinds.push(("4in6", 101, ipv6(4, &inner()), vec![IpInIp]));
    kinds
}

fn over_udp() -> Vec<Kind> {
    let frame = ethernet(0x0800, &inner());
    let mut wlan = join(&[&[0x02, 0x08, 0, 0], &[1; 6], &[2; 6], &[3; 6], &[0, 0], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner()]);
    let capwap = join(&[&[0, 0x10, 0x03, 0, 0, 0, 0, 0], &wlan]);
    wlan.swap(0, 1);
    let capwap_standard = join(&[&[0, 0x10, 0x03, 0, 0, 0, 0, 0], &wlan]);
    let teredo = join(&[&[0, 1, 0, 0], &[0; 9], &[0, 0, 0, 0, 0, 0, 0, 0], &inner_v6()]);
    let gtp = join(&[&[0x34, 255, 0, 38, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0], &inner()]);
    let twice = join(&[&VXLAN, &ethernet(0x0800, &ipv4(17, &udp(50000, 4789, &join(&[&VXLAN, &frame]))))]);
    let wrapped = |name, port, payload: Vec<u8>, tunnel: Vec<Tunnel>| (name, 1, ethernet(0x0800, &ipv4(17, &udp(50000, port, &payload))), tunnel);
    vec![
        wrapped("vxlan", 4789, join(&[&VXLAN, &frame]), vec![Vxlan]),
        wrapped("vxlan, Linux port", 8472, join(&[&VXLAN, &frame]), vec![Vxlan]),
        wrapped("vxlan in vxlan", 4789, twice, vec![Vxlan, Vxlan]),
        wrapped("vxlan-gpe", 4790, join(&[&[0x0c, 0, 0, 1, 0, 0, 42, 0], &inner()]), vec![Vxlan]),
        wrapped("geneve with an option", 6081, join(&[&[1, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 3, 0], &frame]), vec![Geneve]),
        wrapped("gtp-u", 2152, join(&[&[0x30, 255, 0, 30, 0, 0, 0, 1], &inner()]), vec![Gtpu]),
        wrapped("gtp-u with an extension", 2152, gtp, vec![Gtpu]),
        wrapped("teredo", 3544, teredo, vec![Teredo]),
        wrapped("l2tp", 1701, join(&[&[0x48, 2, 0, 42, 0, 1, 0, 2, 0, 0, 0, 0, 0xff, 3, 0, 0x21], &inner()]), vec![L2tp]),
        wrapped("capwap, swapped control", 5247, capwap, vec![Capwap]),
        wrapped("capwap", 5247, capwap_standard, vec![Capwap]),
        wrapped("tzsp", 37008, join(&[&[1, 0, 0, 1, 0, 0x0a, 1, 0xc0, 1], &frame]), vec![Tzsp]),
        wrapped("mpls over udp", 6635, join(&[&[0, 1, 0x01, 64], &inner()]), vec![Mpls]),
        wrapped("hp mirror", 7932, join(&[&[0; 12], &frame]), vec![HpMirror]),
    ]
}

#[test]
fn the_innermost_packet_is_found_in_every_kind_of_frame() {
    for (name, link, bytes, tunnel) in all() {
        let packet = decoded(link, &bytes);
        let (ip, header) = ip(&packet);
        let (source, destination) = if ip.source.is_ipv6() { ("2001:db8::1", "2001:db8::2") } else { ("192.0.2.1", "192.0.2.2") };
        assert_eq!((ip.source, ip.destination), (address(source), address(destination)), "{name}");
        assert_eq!(header, Header::Udp { source: 1000, destination: 2000 }, "{name}");
        assert_eq!((packet.payload, packet.payload_len, packet.fault), (&b"hi"[..], 2, None), "{name}");
        assert_eq!(packet.tunnel.iter().collect::<Vec<_>>(), tunnel, "{name}");
    }
}

#[test]
fn a_tunnels_port_without_a_tunnel_stays_a_datagram() {
    for port in [1701, 2152, 3544, 4789, 4790, 5247, 6081, 6635, 7932, 8472, 37008] {
        for fill in 0..=255 {
            let bytes = ipv4(17, &udp(port, port, &[fill; 80]));
            let packet = decoded(101, &bytes);
            assert_eq!(ip(&packet).1, Header::Udp { source: port, destination: port });
            assert!(packet.tunnel.is_empty() && packet.fault.is_none() && packet.payload_len == 80, "{port} {fill}: {packet:?}");
        }
    }
}

#[test]
fn a_tunnel_that_carries_no_ip_packet_leaves_the_one_around_it() {
    let arp = ethernet(0x0806, &[0; 28]);
    let bytes = ethernet(0x8100, &join(&[&[0, 5, 8, 0], &ipv4(17, &udp(50000, 4789, &join(&[&VXLAN, &ethernet(0x8100, &join(&[&[0, 9, 8, 6], &arp]))])))]));
    let packet = decoded(1, &bytes);
    assert_eq!(ip(&packet).1, Header::Udp { source: 50000, destination: 4789 });
    assert_eq!((packet.vlan.ids(), packet.tunnel.is_empty(), packet.fault), (&[5][..], true, None));
}

#[test]
fn tunnels_beyond_the_bound_are_a_fault_and_the_last_packet_reached_stands() {
    let mut bytes = inner();
    for _ in 0..10 {
        bytes = ipv4(4, &bytes);
    }
    let packet = decoded(101, &bytes);
    assert_eq!(ip(&packet).0.transport.0, 4);
    assert_eq!(packet.tunnel.iter().count(), crate::limit::TUNNEL_DEPTH);
    assert_eq!(packet.fault.map(|fault| (fault.what, fault.offset)), Some((super::super::What::TooDeep, 140)));
}
