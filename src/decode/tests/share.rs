//! A share of the traffic: what is left out unread is surely between others.

use std::net::Ipv4Addr;

use super::super::{decode_share, glance};
use super::*;

fn frame(link: u16, bytes: &[u8]) -> Frame<'_> {
    Frame { id: FrameId::default(), interface: 0, link: LinkType(link), time: Timestamp::default(), wire_len: bytes.len() as u32, bytes }
}

/// Whether the glance saw ends; where it did, they are those that decoding finds.
fn agrees(link: u16, bytes: &[u8], what: &str) -> bool {
    let frame = frame(link, bytes);
    let Some((source, destination)) = glance::between(&frame) else { return false };
    let (found, header) = ip(&decode(&frame));
    assert_eq!((found.source, found.destination, found.fragment), (source, destination, None), "{what}");
    assert!(!matches!(header, Header::Icmp { .. }), "{what}");
    true
}

#[test]
fn a_glance_sees_the_ends_that_decoding_finds_in_every_kind_cut_anywhere_and_with_any_byte_changed() {
    let mut seen = 0_u32;
    for (name, link, bytes, _) in kinds::all() {
        for captured in 0..=bytes.len() {
            seen += u32::from(agrees(link, &bytes[..captured], &format!("{name} cut to {captured}")));
        }
        let mut changed = bytes.clone();
        for place in 0..bytes.len().min(120) {
            for by in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                changed[place] = bytes[place] ^ by;
                seen += u32::from(agrees(link, &changed, &format!("{name} with {:#x} at {place}", changed[place])));
            }
            changed[place] = bytes[place];
        }
    }
    assert!(seen > 1_000, "{seen}");
}

#[test]
fn plain_segments_and_datagrams_are_seen_at_a_glance_and_others_are_not() {
    let (segment, datagram) = (tcp(1000, 2000, b"hello"), udp(1000, 2000, b"hi"));
    for (bytes, want) in [
        (ethernet(0x0800, &ipv4(6, &segment)), true),
        (ethernet(0x0800, &ipv4(17, &datagram)), true),
        (ethernet(0x86dd, &ipv6(6, &segment)), true),
        (ethernet(0x86dd, &ipv6(17, &datagram)), true),
        (ethernet(0x8100, &join(&[&[0, 7, 8, 0], &ipv4(6, &segment)])), true),
        // VXLAN's port, ICMP, IP in IP.
        (ethernet(0x0800, &ipv4(17, &udp(1000, 4789, b"hi"))), false),
        (ethernet(0x0800, &ipv4(1, &[8, 0, 0, 0, 0, 1, 0, 1])), false),
        (ethernet(0x0800, &ipv4(4, &inner())), false),
    ] {
        assert_eq!(agrees(1, &bytes, "plain"), want, "{bytes:02x?}");
    }
}

#[test]
fn what_is_plainly_between_others_is_left_unread_and_all_else_is_decoded() {
    let (plain, echo) = (ethernet(0x0800, &ipv4(6, &tcp(1000, 2000, b"hello"))), ethernet(0x0800, &ipv4(1, &[8, 0, 0, 0, 0, 1, 0, 1])));
    let frames = [frame(1, &plain), frame(1, &echo)];
    let content = |keeps: bool| {
        let mut packets = Vec::new();
        let between = |one, other| keeps && one == IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)) && other == IpAddr::from(Ipv4Addr::new(192, 0, 2, 2));
        decode_share(&frames, between, &mut packets);
        packets.iter().map(|packet| packet.content).collect::<Vec<_>>()
    };
    let all = [decode(&frames[0]).content, decode(&frames[1]).content];
    assert_eq!(content(true), all);
    assert_eq!(content(false), [Content::Elsewhere, all[1]]);
}
