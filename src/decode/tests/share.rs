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
    let ends = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)].map(IpAddr::from);
    assert_eq!(frames.each_ref().map(glance::between), [Some((ends[0], ends[1])), None]);
    let content = |keeps: bool| {
        let mut packets = Vec::new();
        decode_share(&frames, &[keeps, true], &mut packets);
        packets.iter().map(|packet| packet.content).collect::<Vec<_>>()
    };
    let all = [decode(&frames[0]).content, decode(&frames[1]).content];
    assert_eq!(content(true), all);
    assert_eq!(content(false), [Content::Elsewhere, all[1]]);
}

/// What is decoded of frames of others, and of one that is kept at each of `ours`, at these milliseconds: their times, in order.
fn heard(millis: &[i64], ours: &[usize]) -> Vec<i64> {
    let (foreign, own) = (ethernet(0x0800, &ipv4(6, &tcp(1000, 2000, b"hello"))), ethernet(0x0800, &ipv4(1, &[8, 0, 0, 0, 0, 1, 0, 1])));
    let at = |(number, millis): (usize, &i64)| Frame {
        time: Timestamp::from_nanos(millis * 1_000_000),
        ..frame(1, if ours.contains(&number) { &own } else { &foreign })
    };
    let frames: Vec<_> = millis.iter().enumerate().map(at).collect();
    let mut packets = Vec::new();
    let kept: Vec<_> = (0..frames.len()).map(|number| ours.contains(&number)).collect();
    decode_share(&frames, &kept, &mut packets);
    let is_own = |packet: &Packet<'_>| packet.content != Content::Elsewhere;
    assert_eq!(packets.iter().filter(|packet| is_own(packet)).count(), ours.len());
    packets.iter().map(|packet| packet.time.nanos() / 1_000_000).collect()
}

#[test]
fn of_others_only_those_are_told_whose_time_says_something() {
    assert_eq!(heard(&[1, 2, 3, 4, 5, 6], &[]), [1, 2, 6]);
    assert_eq!(heard(&[1, 2, 3, 4, 5, 6], &[3]), [1, 2, 4, 6]);
    // A second begins, and one that is late.
    assert_eq!(heard(&[1, 2, 3, 4, 1_000, 1_001, 1_002, 1_003], &[]), [1, 2, 4, 1_000, 1_001, 1_003]);
    assert_eq!(heard(&[1, 2, 3, 9, 5, 6, 7], &[]), [1, 2, 9, 5, 7]);
    // One that is far ahead, alone and not.
    assert_eq!(heard(&[1, 2, 3, 9_000_001, 4, 5, 6, 7], &[]), [1, 2, 3, 9_000_001, 4, 5, 7]);
    assert_eq!(heard(&[1, 9_000_001, 9_000_002, 9_000_003, 9_000_004], &[4]), [1, 9_000_001, 9_000_002, 9_000_004]);
    // As many as a batch has, and more: each has a first and a last one.
    assert_eq!(heard(&(1..=64).collect::<Vec<_>>(), &[]), [1, 2, 64]);
    assert_eq!(heard(&(1..=100).collect::<Vec<_>>(), &[98]), [1, 2, 64, 65, 66, 99, 100]);
}
