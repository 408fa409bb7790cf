//! Frames cut anywhere and frames with a wrong bit: no panic, and what was understood before stands.

use super::super::What;
use super::*;

#[test]
fn every_prefix_of_every_kind_says_why_it_stopped_or_knows_the_ends() {
    for (name, link, bytes, _) in kinds::all() {
        for captured in 0..bytes.len() {
            let packet = cut(link, &bytes, captured);
            let understood = packet.fault.is_some() || packet.content != Content::Nothing;
            assert!(understood, "{name} cut to {captured}");
            assert!(packet.fault.is_none_or(|fault| fault.what != What::TooShort), "{name} cut to {captured}: {:?}", packet.fault);
        }
    }
}

#[test]
fn addresses_stand_once_the_ip_header_is_whole() {
    let plain = ethernet(0x0800, &ipv4(6, &tcp(1000, 2000, b"hello")));
    for captured in 34..plain.len() {
        let packet = cut(1, &plain, captured);
        assert_eq!(ip(&packet).0.destination, address("192.0.2.2"));
        assert_eq!(ip(&packet).1.ports(), (captured >= 38).then_some((1000, 2000)), "{captured}");
        assert_eq!(packet.fault.is_some(), captured < 54, "{captured}");
        assert_eq!(packet.payload_len, 5);
    }
    let six = ethernet(0x86dd, &inner_v6());
    for captured in 54..six.len() {
        assert_eq!(ip(&cut(1, &six, captured)).0.source, address("2001:db8::1"));
    }
}

#[test]
fn a_tunnel_cut_before_its_inner_header_leaves_the_outer_packet() {
    for (name, link, bytes, tunnel) in kinds::all() {
        for captured in 0..bytes.len() {
            let packet = cut(link, &bytes, captured);
            if let Content::Ip(_, Header::Udp { destination: 2000, .. }) = packet.content {
                assert_eq!(packet.tunnel.iter().collect::<Vec<_>>(), tunnel, "{name} cut to {captured}");
            }
        }
    }
}

#[test]
fn every_byte_flipped_once_stays_within_the_frame() {
    for (name, link, bytes, _) in kinds::all() {
        for place in 0..bytes.len() {
            for mask in [0x01, 0x80, 0x0f, 0xff] {
                let mut broken = bytes.clone();
                broken[place] ^= mask;
                let packet = decoded(link, &broken);
                let end = packet.payload.as_ptr_range().end;
                assert!(packet.payload.is_empty() || broken.as_ptr_range().end >= end, "{name} at {place}");
                assert!(packet.fault.is_none_or(|fault| fault.offset as usize <= broken.len()), "{name} at {place}: {:?}", packet.fault);
            }
        }
    }
}

#[test]
fn frames_of_nothing_but_one_byte_end() {
    for link in 0..=300 {
        for fill in 0..=255 {
            decoded(link, &[fill; 600]);
        }
    }
}

#[test]
fn a_frame_of_nothing_but_tags_does_not_exhaust_the_stack() {
    let bytes = [0x81, 0].repeat(100_000);
    assert_eq!(decoded(1, &bytes).vlan.ids().len(), crate::limit::VLAN_TAGS);
    let labels = ethernet(0x8847, &[0; 200_000]);
    decoded(1, &labels);
}
