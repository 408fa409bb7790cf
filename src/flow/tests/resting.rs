//! Flows that are packed after every packet and taken out for the next are told like those that never are.

use std::net::Ipv6Addr;

use super::*;
use crate::decode::Tunnel;
use crate::flow::trace::{Seen, Trace};
use crate::net::Mac;

/// All that is told of a trace, and how often a flow was packed.
fn told_with(t: &Trace, awake_flows: usize) -> (String, usize) {
    let mut table = FlowTable::new(Settings { awake_flows, ..Settings::default() });
    let mut seen = Seen::default();
    t.packets.chunks(1).for_each(|packet| table.push(packet, &mut seen));
    table.finish(&mut seen);
    assert!(table.holds_nothing());
    (format!("{:#?}\n{:#?}\n{:?}", seen.flows, seen.pieces, table.counts()), seen.rested)
}

fn is_told_the_same(t: &Trace) {
    let ((awake, never), (resting, often)) = (told_with(t, usize::MAX), told_with(t, 0));
    assert_eq!(resting, awake);
    assert!(never == 0 && often > 0, "{never} {often}");
}

/// Its packets on a VLAN, in a tunnel, with hardware addresses, on another interface; the first and the second of IPv6.
fn wrapped(mut t: Trace, v6: bool) -> Trace {
    for packet in &mut t.packets {
        packet.vlan.push(20);
        packet.tunnel.push(Tunnel::Vxlan);
        packet.tunnel.push(Tunnel::HpMirror);
        packet.interface = 3;
        packet.mac = Some((Mac([2, 0, 0, 0, 0, packet.frame.number() as u8]), Mac([2, 0, 0, 0, 0, 9])));
        if let (true, Content::Ip(ip, _)) = (v6, &mut packet.content) {
            let wide = |ip| {
                if let IpAddr::V4(v4) = ip {
                    IpAddr::V6(Ipv6Addr::from([[0x20, 1, 0xd, 0xb8], [0; 4], [7; 4], v4.octets()].concat().try_into().unwrap_or([0; 16])))
                } else {
                    ip
                }
            };
            (ip.source, ip.destination) = (wide(ip.source), wide(ip.destination));
        }
    }
    t
}

#[test]
fn connections_datagrams_and_errors_rest_between_any_two_packets() {
    is_told_the_same(&Trace::served());
    is_told_the_same(&wrapped(Trace::served(), false));
    is_told_the_same(&wrapped(Trace::served(), true));
    let mut t = Trace::served();
    t.wait(40);
    t.server().fin();
    t.client().fin();
    t.server().rst();
    t.client().rst_ack();
    t.client().data(b"late");
    is_told_the_same(&t);
    let mut t = Trace::new();
    t.client().syn();
    t.client().syn_again();
    t.server().syn_ack();
    t.client().ack();
    t.client().zero_window();
    // Ahead of its turn, and what is missing comes later.
    t.client().at(1_004).data(b"def");
    t.client().at(1_001).data(b"abc");
    t.client().at(1_010).data(b"jkl");
    t.client().at(1_010).data(b"jkl");
    t.server().icmp(3, 4, b"");
    is_told_the_same(&t);
    let mut t = Trace::new();
    t.server().datagram(b"answer");
    t.client().datagram(b"question");
    t.client().icmp(8, 0, b"ping");
    t.server().icmp(0, 0, b"ping");
    is_told_the_same(&t);
    is_told_the_same(&wrapped(t, true));
}

#[test]
fn what_a_live_flow_is_asked_is_answered_without_taking_it_out() {
    let mut t = Trace::served();
    t.wait(10);
    t.client().datagram(b"x");
    let look = |awake_flows| {
        let mut table = FlowTable::new(Settings { awake_flows, ..Settings::default() });
        let mut seen = Seen::default();
        t.packets.chunks(1).for_each(|packet| table.push(packet, &mut seen));
        let mut shown = String::new();
        let beyond = table.look(1, &mut |slot, flow| shown += &format!("{slot:?} {flow:?}\n"));
        (shown, beyond)
    };
    assert_eq!(look(0), look(usize::MAX));
}

#[test]
fn a_connection_that_rests_takes_a_fifth_of_its_room() {
    let mut table = FlowTable::new(Settings { awake_flows: 0, ..Settings::default() });
    Trace::served().packets.chunks(1).for_each(|packet| table.push(packet, &mut Seen::default()));
    let bytes = table.resting_bytes();
    assert!((80..=128).contains(&bytes), "{bytes}");
}

#[test]
fn the_list_of_open_flows_does_not_grow_with_the_capture_however_many_may_be_open() {
    let mut t = Trace::new();
    for _ in 0..200 {
        t.client().datagram(b"x");
        t.wait(120);
    }
    let mut table = FlowTable::new(Settings { awake_flows: usize::MAX, live_flows: 8, ..Settings::default() });
    let mut seen = Seen::default();
    t.packets.chunks(1).for_each(|packet| table.push(packet, &mut seen));
    assert!(seen.flows.len() >= 198, "{}", seen.flows.len());
    assert!(table.listed_awake() <= 9, "{}", table.listed_awake());
}

proptest! {
    #[test]
    fn whatever_comes_a_flow_that_rested_is_told_like_one_that_did_not(segments in prop::collection::vec((any::<bool>(), any::<u8>(), 0_u32..3_000, any::<u32>(), 0_usize..256, 0_u64..200), 1..30)) {
        let mut t = Trace::new();
        t.handshake();
        for (client, flags, sequence, acknowledgment, len, wait) in segments {
            t.wait(wait);
            let actor = if client { t.client() } else { t.server() };
            actor.any(flags, sequence, acknowledgment, &STREAM[..len]);
        }
        is_told_the_same(&t);
    }
}
