//! Packets that ICMP errors quote.

use super::super::quoted;
use super::*;
use crate::net::Transport;

#[test]
fn eight_quoted_bytes_give_ports_and_sequence() {
    let packet = ipv4(6, &tcp(50000, 8883, b"never quoted"));
    let quote = quoted(&packet[..28], false).unwrap();
    assert_eq!((quote.source, quote.destination), (address("192.0.2.1"), address("192.0.2.2")));
    assert_eq!((quote.transport, quote.ports, quote.sequence), (Transport::TCP, Some((50000, 8883)), Some(100)));
    assert_eq!((quote.ttl, quote.ident, quote.icmp), (64, 0x1234, None));
}

#[test]
fn a_quoted_echo_request_gives_its_type_and_identifier() {
    let packet = ipv4(1, &[8, 0, 0, 0, 0x12, 0x34, 0, 1]);
    assert_eq!(quoted(&packet, false).unwrap().icmp, Some((8, 0, [0x12, 0x34, 0, 1])));
}

#[test]
fn extension_headers_of_a_quoted_ipv6_packet_are_passed_over() {
    let packet = ipv6(0, &join(&[&[44, 0, 0, 0, 0, 0, 0, 0], &[17, 0, 0, 1, 0, 0, 0, 9], &udp(5, 6, b"")]));
    let quote = quoted(&packet, true).unwrap();
    assert_eq!((quote.transport, quote.ports, quote.ttl), (Transport::UDP, Some((5, 6)), 63));
}

#[test]
fn a_quoted_later_fragment_has_no_ports() {
    let mut packet = ipv4(17, &udp(5, 6, b"abcdefgh"));
    packet[7] = 1;
    assert_eq!(quoted(&packet, false).unwrap().ports, None);
}

#[test]
fn a_quote_cut_within_its_ip_header_is_none() {
    let packet = ipv4(17, &udp(5, 6, b""));
    for len in 0..20 {
        assert_eq!(quoted(&packet[..len], false), None);
    }
    assert_eq!(quoted(&packet[..22], false).unwrap().ports, None);
    assert_eq!(quoted(&packet, true), None);
}
