//! Traces in words, and what becomes of them. States and letters are those that Zeek's documentation gives for such traces.

mod again;
mod ahead;
mod close;
mod dates;
mod fragments;
mod keep_alive;
mod legs;
mod lone;
mod resting;
mod tunnels;
mod unopened;

use std::net::IpAddr;

use proptest::prelude::*;

use super::trace::{Piece, Seen, Trace};
use super::*;
use crate::decode::{Content, Packet};

fn told(seen: &Seen) -> (&str, &str) {
    let flow = seen.only();
    (flow.state.unwrap().name(), flow.history.as_str())
}

fn story(seen: &Seen) -> &TcpStory {
    seen.only().tcp.as_ref().unwrap()
}

#[test]
fn a_handshake_an_exchange_and_two_fins_are_sf() {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"ask");
    t.server().ack();
    t.server().data(b"answer");
    t.client().fin();
    t.server().fin();
    t.client().ack();
    let seen = t.run();
    assert_eq!(told(&seen), ("SF", "ShADadFf"));
    let flow = seen.only();
    assert_eq!((flow.client.endpoint.port, flow.client.packets, flow.client.payload_bytes), (50_000, 5, 3));
    assert_eq!((flow.server.endpoint.port, flow.server.packets, flow.server.bytes, flow.server.ttl), (8_883, 4, 166, 57));
    assert_eq!((flow.direction, flow.ended), (Direction::Certain, Ended::Closed));
    assert_eq!((seen.text(Side::Client), seen.text(Side::Server)), ("ask".into(), "answer".into()));
    let story = story(&seen);
    assert!(story.established && !story.midstream);
    assert_eq!((story.acknowledged, story.fins, story.retransmissions), ([3, 6], [true, true], [0, 0]));
}

#[test]
fn a_rst_to_a_syn_is_rej() {
    let mut t = Trace::new();
    t.client().syn();
    t.server().at(0).rst_ack();
    let seen = t.run();
    assert_eq!(told(&seen), ("REJ", "Sr"));
    let reset = story(&seen).reset.as_deref().unwrap();
    assert!(reset.answers_syn && reset.with_ack);
    assert_eq!((reset.from, reset.ttl, reset.client_payload), (Side::Server, 57, 0));
}

#[test]
fn syns_without_answer_are_one_attempt() {
    let mut t = Trace::new();
    t.client().syn();
    for seconds in [1, 2, 4, 8, 16, 32, 64] {
        t.wait(seconds);
        t.client().syn_again();
    }
    let seen = t.run();
    assert_eq!(told(&seen), ("S0", "S"));
    let story = story(&seen);
    assert_eq!((story.syns, story.syn_times.len(), story.same_isn, story.syn_acks), (8, 8, true, 0));
    assert!(!story.established);
}

#[test]
fn a_syn_with_another_initial_sequence_number_is_another_attempt() {
    let mut t = Trace::new();
    t.client().syn();
    t.wait(3);
    t.client().at(77_000).syn();
    let seen = t.run();
    assert_eq!(seen.flows.iter().map(|flow| flow.ended).collect::<Vec<_>>(), [Ended::Reused, Ended::CaptureEnd]);
}

#[test]
fn a_syn_ack_first_makes_the_receiver_the_client() {
    let mut t = Trace::new();
    t.client().at(1_001);
    t.server().syn_ack();
    t.client().ack();
    t.server().data(b"220 ready\r\n");
    let seen = t.run();
    assert_eq!(told(&seen), ("S1", "^hAd"));
    assert_eq!((seen.only().client.endpoint.port, seen.only().direction), (50_000, Direction::Certain));
    assert_eq!(seen.text(Side::Server), "220 ready\r\n");
    assert!(story(&seen).established && !story(&seen).midstream);
}

#[test]
fn a_syn_captured_after_its_syn_ack_joins_it() {
    let mut t = Trace::new();
    t.client().syn();
    t.server().syn_ack();
    t.packets.swap(0, 1);
    t.client().ack();
    let seen = t.run();
    assert_eq!(told(&seen), ("S1", "^hSA"));
}

#[test]
fn midstream_traffic_is_oth_and_a_usual_server_port_tells_its_server() {
    let mut t = Trace::new().between(([192, 0, 2, 1], 50_000), ([192, 0, 2, 2], 443));
    t.server().data(b"middle");
    t.client().ack();
    let seen = t.run();
    assert_eq!(told(&seen), ("OTH", "^dA"));
    assert_eq!((seen.only().client.endpoint.port, seen.only().direction), (50_000, Direction::Likely));
    assert!(story(&seen).midstream);
    assert_eq!(story(&seen).missed_bytes, [0, 0]);

    let mut t = Trace::new().between(([192, 0, 2, 1], 50_000), ([192, 0, 2, 2], 50_001));
    t.server().data(b"middle");
    let seen = t.run();
    assert_eq!((seen.only().client.endpoint.port, seen.only().direction), (50_001, Direction::Unknown));
}

#[test]
fn a_simultaneous_open_is_one_connection() {
    let mut t = Trace::new();
    t.client().syn();
    t.server().syn();
    t.client().at(1_000).syn_ack();
    t.server().at(9_000).syn_ack();
    t.client().data(b"both");
    let seen = t.run();
    // A SYN-ACK with the number of its sender's SYN is no new letter to Zeek.
    assert_eq!(told(&seen), ("S1", "SsD"));
    assert_eq!(seen.text(Side::Client), "both");
}

#[test]
fn a_closed_connection_takes_stragglers_in_and_a_new_syn_is_a_new_one() {
    let mut t = Trace::new();
    t.handshake();
    t.client().fin();
    t.server().fin();
    t.wait(1);
    t.client().ack();
    t.client().at(70_000).syn();
    t.server().at(90_000).syn_ack();
    let seen = t.run();
    assert_eq!(seen.flows.len(), 2);
    assert_eq!((seen.flows[0].history.as_str(), seen.flows[0].ended, seen.flows[0].client.packets), ("ShAFf", Ended::Closed, 4));
    assert_eq!((seen.flows[1].history.as_str(), seen.flows[1].ended), ("Sh", Ended::CaptureEnd));
}

#[test]
fn sequence_numbers_wrap() {
    let mut t = Trace::new();
    t.client().at(u32::MAX - 3).syn();
    t.server().at(u32::MAX).syn_ack();
    t.client().data(b"0123456789");
    t.server().data(b"abc");
    t.client().data(b"XYZ");
    t.server().ack();
    let seen = t.run();
    assert_eq!((seen.text(Side::Client), seen.text(Side::Server)), ("0123456789XYZ".into(), "abc".into()));
    assert_eq!(seen.pieces.last().unwrap().offset, 10);
    assert_eq!(told(&seen), ("S1", "ShDda"));
    assert_eq!(story(&seen).acknowledged, [13, 3]);
}

#[test]
fn segments_out_of_order_are_delivered_in_order_and_retransmissions_once() {
    let mut t = Trace::new();
    t.handshake();
    t.client().at(1_004).data(b"DEF");
    t.client().at(1_001).data(b"abc");
    t.client().at(1_001).data(b"xyz");
    t.client().at(1_005).data(b"??ghi");
    let seen = t.run();
    assert_eq!(seen.text(Side::Client), "abcDEFghi");
    assert!(seen.pieces.iter().all(|piece| piece.missing == 0));
    assert_eq!(story(&seen).retransmissions, [2, 0]);
}

#[test]
fn of_overlapping_copies_that_wait_the_first_wins() {
    let mut t = Trace::new();
    t.handshake();
    t.client().at(1_003).data(b"33");
    t.client().at(1_002).data(b"22222");
    t.client().at(1_001).data(b"1");
    assert_eq!(t.run().text(Side::Client), "123322");
}

#[test]
fn a_gap_is_skipped_once_the_other_side_acknowledges_beyond_it() {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"one");
    t.client().lost(b"lost");
    t.client().data(b"two");
    assert_eq!(t.run().text(Side::Client), "onetwo", "what still waits is delivered at the end");
    t.server().ack();
    t.server().data(b"answer");
    let seen = t.run();
    let [one, two, answer] = seen.pieces.as_slice() else { panic!("{:?}", seen.pieces) };
    assert_eq!((one.offset, one.missing, two.offset, two.missing), (0, 0, 7, 4));
    assert_eq!(answer.bytes, b"answer");
    assert_eq!(told(&seen), ("S1", "ShADaGd"));
    assert_eq!(story(&seen).missed_bytes, [4, 0]);
    let minute = seen.only().last.minute();
    let [missed] = story(&seen).missed[..] else { panic!("{:?}", story(&seen).missed) };
    assert_eq!((missed.minutes, missed.bytes), ([minute; 2], 4));
}

#[test]
fn a_gap_is_skipped_when_too_much_waits_behind_it() {
    let mut t = Trace::new();
    t.handshake();
    t.client().lost(b"lost");
    static BLOCK: [u8; 1_000] = [b'x'; 1_000];
    for _ in 0..66 {
        t.client().data(&BLOCK);
    }
    let (seen, table) = t.run_with(Settings::default(), Seen { wants: usize::MAX, ..Seen::default() });
    assert_eq!(seen.pieces[0].missing, 4);
    assert_eq!(seen.text(Side::Client).len(), 66_000);
    assert_eq!(story(&seen).missed_bytes, [4, 0]);
    assert_eq!(table.live(), 0);
}

#[test]
fn a_keep_alive_is_no_data() {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"hello");
    t.server().ack();
    t.client().keep_alive();
    t.server().ack();
    t.client().data(b" again");
    let seen = t.run();
    assert_eq!(seen.text(Side::Client), "hello again");
    assert_eq!(story(&seen).retransmissions, [0, 0]);
}

#[test]
fn what_the_snap_length_cut_off_is_missing() {
    let mut t = Trace::new();
    t.handshake();
    t.client().cut_data(b"GET /", 500);
    t.client().data(b"more");
    let seen = t.run();
    let piece = |offset, missing, bytes: &[u8]| Piece { from: Side::Client, offset, missing, bytes: bytes.to_vec() };
    assert_eq!(seen.pieces, [piece(0, 0, b"GET /"), piece(500, 495, b"more")]);
    assert_eq!(story(&seen).missed_bytes, [495, 0]);
}

#[test]
fn data_on_a_syn_begins_the_stream() {
    let mut t = Trace::new();
    t.client().syn_with(b"early ");
    t.server().syn_ack();
    t.client().data(b"late");
    let seen = t.run();
    assert_eq!(seen.text(Side::Client), "early late");
    assert_eq!(seen.pieces[0].offset, 0);
}

#[test]
fn an_observer_that_wants_nothing_gets_nothing_while_counters_go_on() {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"one");
    t.client().lost(b"lost");
    t.client().data(b"two");
    t.server().ack();
    let (seen, _) = t.run_with(Settings::default(), Seen { wants: 1, ..Seen::default() });
    assert_eq!(seen.text(Side::Client), "one");
    assert_eq!(told(&seen), ("S1", "ShADaG"));
    assert_eq!((seen.only().client.payload_bytes, story(&seen).missed_bytes), (6, [4, 0]));
}

#[test]
fn a_client_that_gives_up_its_attempt_is_rstos0_and_resets_are_told_apart() {
    let mut t = Trace::new();
    t.client().syn();
    t.client().rst();
    assert_eq!(told(&t.run()), ("RSTOS0", "SR"));

    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"hello");
    t.server().ttl(250).rst();
    t.server().ttl(57).data(b"not mine");
    let seen = t.run();
    assert_eq!(told(&seen), ("RSTR", "ShADrd"));
    let story = story(&seen);
    assert_eq!((story.reset.as_ref().unwrap().ttl, story.ttl[1], story.reset_contradicted), (250, Some((57, 57)), true));
    assert_eq!(story.reset.as_ref().unwrap().client_payload, 5);
}

#[test]
fn zero_windows_are_written_at_the_first_the_tenth_and_the_hundredth() {
    let mut t = Trace::new();
    t.handshake();
    for _ in 0..100 {
        t.server().zero_window();
    }
    let seen = t.run();
    assert_eq!(told(&seen), ("S1", "ShAawww"));
    assert_eq!(story(&seen).zero_windows, [0, 100]);
}

#[test]
fn a_silence_is_noted_before_the_segment_that_stays_open_and_before_a_reset() {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"hello");
    t.server().ack();
    t.wait(600);
    t.client().data(b"anybody?");
    t.wait(2);
    t.client().at(1_006).data(b"anybody?");
    t.wait(5);
    t.server().rst();
    let seen = t.run();
    let story = story(&seen);
    let seconds = |nanos: u64| nanos / 1_000_000_000;
    assert_eq!((story.silence_before.map(seconds), story.open_segment[0].again), ([600, 0], 1));
    assert_eq!(story.reset.as_ref().map(|reset| (seconds(reset.after_silence), reset.ident_before)), Some((5, story.ident[1])));
}

#[test]
fn a_window_that_stays_closed_is_stalled_and_one_that_opens_again_is_not() {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"hello");
    t.server().zero_window();
    assert_eq!(story(&t.run()).stalled, [false, true]);
    let mut t = Trace::new();
    t.handshake();
    t.server().zero_window();
    t.server().ack();
    assert_eq!(story(&t.run()).stalled, [false, false]);
}

#[test]
fn the_largest_segment_without_acknowledgment_stays_open() {
    static LARGE: [u8; 1_460] = [b'x'; 1_460];
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"small");
    t.server().ack();
    t.client().data(&LARGE);
    t.client().at(1_006).data(&LARGE);
    let seen = t.run();
    assert_eq!((story(&seen).largest_acknowledged[0], story(&seen).open_segment[0].len, story(&seen).retransmissions[0]), (5, 1_460, 1));
}

#[test]
fn datagrams_of_both_sides_are_sf_and_come_one_by_one() {
    let mut t = Trace::new();
    t.client().datagram(b"ask");
    t.server().datagram(b"answer");
    t.client().datagram(b"again");
    let seen = t.run();
    assert_eq!(told(&seen), ("SF", "Dd"));
    assert_eq!(seen.pieces.iter().map(|piece| piece.offset).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!((seen.only().direction, seen.only().client.endpoint.port), (Direction::Certain, 50_000));
}

#[test]
fn a_datagram_from_a_usual_server_is_an_answer() {
    let mut t = Trace::new().between(([192, 0, 2, 1], 50_000), ([192, 0, 2, 53], 53));
    t.server().datagram(b"late answer");
    let seen = t.run();
    assert_eq!(told(&seen), ("SHR", "^d"));
    assert_eq!((seen.only().direction, seen.only().client.endpoint.port), (Direction::Likely, 50_000));
}

#[test]
fn a_udp_flow_ends_after_a_minute_of_silence() {
    let mut t = Trace::new();
    t.client().datagram(b"one");
    t.wait(61);
    t.client().datagram(b"two");
    t.wait(59);
    t.client().datagram(b"three");
    let seen = t.run();
    assert_eq!(seen.flows.iter().map(|flow| (flow.client.packets, flow.ended)).collect::<Vec<_>>(), [(1, Ended::Idle), (2, Ended::CaptureEnd)]);
}

#[test]
fn an_echo_request_comes_from_the_client_also_when_the_reply_is_seen_first() {
    let mut t = Trace::new();
    t.client().icmp(8, 0, b"ping");
    t.server().icmp(0, 0, b"ping");
    let seen = t.run();
    assert_eq!((told(&seen), seen.only().client.packets, seen.only().icmp), (("OTH", ""), 1, Some((8, 0))));
    t.packets.reverse();
    let seen = t.run();
    assert_eq!((seen.only().client.endpoint.ip, seen.only().client.endpoint.port), (IpAddr::from([192, 0, 2, 1]), 8));
}

/// IPv4, TCP, 192.0.2.1:50000 to 192.0.2.2:8883, as a router quotes it with a time to live of 1.
const QUOTED: &[u8] = &[0x45, 0, 0, 40, 0, 7, 0x40, 0, 1, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0xc3, 0x50, 0x22, 0xb3, 0, 0, 3, 0xe8];

#[test]
fn an_icmp_error_is_tied_to_the_flow_that_it_quotes_and_is_a_flow_itself() {
    let mut t = Trace::new();
    t.client().syn();
    let mut router = Trace::new().between(([192, 0, 2, 1], 0), ([198, 51, 100, 1], 0));
    router.wait(1);
    router.server().icmp(3, 4, QUOTED);
    t.merge(router);
    let seen = t.run();
    let [tcp, icmp] = seen.flows.as_slice() else { panic!("{:?}", seen.flows) };
    let [rejection] = tcp.rejections.as_slice() else { panic!("{:?}", tcp.rejections) };
    assert_eq!((rejection.by, rejection.to, rejection.quoted_ttl), (IpAddr::from([198, 51, 100, 1]), Side::Client, 1));
    assert_eq!((rejection.kind, rejection.code, rejection.mtu), (3, 4, Some(1_400)));
    assert_eq!((icmp.icmp, icmp.client.endpoint.port, icmp.server.endpoint.port), (Some((3, 4)), 3, 4));
}

#[test]
fn an_icmp_error_about_an_unknown_flow_is_counted() {
    let mut t = Trace::new();
    t.server().icmp(3, 1, QUOTED);
    t.server().icmp(3, 1, b"short");
    let (seen, table) = t.run_with(Settings::default(), Seen::default());
    assert!(seen.flows.iter().all(|flow| flow.transport == Transport::ICMP));
    assert_eq!(table.counts().errors_without_flow, 2);
}

#[test]
fn a_copy_behind_a_router_counts_once_unless_copies_are_kept() {
    let mut t = Trace::new();
    t.handshake();
    let mut copy = t.packets[0];
    if let Content::Ip(ip, _) = &mut copy.content {
        ip.ttl -= 1;
    }
    copy.mac = Some((Mac([2; 6]), Mac([4; 6])));
    t.packets.insert(1, copy);
    let (seen, table) = t.run_with(Settings::default(), Seen::default());
    assert_eq!((seen.only().client.packets, story(&seen).syns), (2, 1));
    assert_eq!((table.counts().duplicates.total(), table.counts().packets, table.counts().in_flows), (1, 4, 3));
    let (seen, _) = t.run_with(Settings { keep_duplicates: true, ..Settings::default() }, Seen::default());
    assert_eq!((seen.only().client.packets, story(&seen).syns), (3, 2));
}

/// A busy minute between several hosts, with errors about one of them.
fn busy() -> Trace {
    let mut all = Trace::new();
    all.handshake();
    for host in 3..20 {
        let mut t = Trace::new().between(([192, 0, 2, host], 40_000), ([192, 0, 2, 2], 8_883));
        t.wait(u64::from(host));
        t.handshake();
        t.client().data(b"hello");
        t.server().data(b"you too");
        t.client().fin();
        t.server().fin();
        t.wait(u64::from(host) * 10);
        t.client().datagram(b"bye");
        all.merge(t);
    }
    let mut router = Trace::new().between(([192, 0, 2, 1], 0), ([198, 51, 100, 1], 0));
    router.wait(2);
    router.server().icmp(3, 1, QUOTED);
    all.merge(router);
    all
}

#[test]
fn three_shards_tell_what_one_tells() {
    let busy = busy();
    let [one, three] = [1, 3].map(|shards| format!("{:#?}", busy.run_sharded(shards)));
    assert_eq!(one, three);
    assert!((0..3).all(|number| busy.packets.iter().any(|packet| Shard { number, of: 3 }.keeps(packet))));
}

#[test]
fn a_packet_far_behind_the_others_finds_the_same_in_any_number_of_shards() {
    let mut all = Trace::new();
    for host in 1..9 {
        let mut t = Trace::new().between(([192, 0, 2, host], 50_000), ([198, 51, 100, host], 8_883));
        t.wait(u64::from(host) * 30);
        t.client().datagram(b"first");
        all.merge(t);
    }
    // Of each flow a copy and another packet, behind packets of the others that are up to four minutes later.
    let late: Vec<_> = all.packets.iter().flat_map(|packet| [*packet, Packet { time: packet.time + std::time::Duration::from_secs(20), ..*packet }]).collect();
    all.packets.extend(late);
    for (packet, number) in all.packets.iter_mut().zip(1..) {
        packet.frame = FrameId::new(0, number);
    }
    let one = format!("{:#?}", all.run_sharded(1));
    for shards in [2, 3, 8] {
        assert_eq!(one, format!("{:#?}", all.run_sharded(shards)), "{shards} shards");
    }
}

#[test]
fn batches_of_any_size_tell_the_same() {
    let busy = busy();
    let in_batches = |size| {
        let (mut table, mut seen) = (FlowTable::new(Settings::default()), Seen::default());
        busy.packets.chunks(size).for_each(|batch: &[Packet<'_>]| table.push(batch, &mut seen));
        table.finish(&mut seen);
        format!("{:#?}", seen.flows)
    };
    assert_eq!(in_batches(1), in_batches(1_000));
}

#[test]
fn at_the_bound_the_flow_nearest_to_its_timeout_goes_first() {
    let mut t = Trace::new();
    for port in 1..=4 {
        let mut one = Trace::new().between(([192, 0, 2, 1], 50_000 + port), ([192, 0, 2, 2], 8_883));
        one.wait(u64::from(port) * 2);
        one.client().datagram(b"x");
        t.merge(one);
    }
    let mut again = Trace::new().between(([192, 0, 2, 1], 50_001), ([192, 0, 2, 2], 8_883));
    again.wait(5);
    again.client().datagram(b"still here");
    t.merge(again);
    let (seen, table) = t.run_with(Settings { live_flows: 2, ..Settings::default() }, Seen::default());
    let ended: Vec<_> = seen.flows.iter().map(|flow| (flow.client.endpoint.port, flow.ended)).collect();
    assert_eq!(ended, [(50_002, Ended::Evicted), (50_001, Ended::Evicted), (50_003, Ended::CaptureEnd), (50_004, Ended::CaptureEnd)]);
    assert_eq!((table.counts().evicted, table.counts().opened), (2, 4));
}

#[test]
fn a_flow_flipped_twice_is_itself() {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"ask");
    t.server().rst();
    let mut flow = t.run().flows.remove(0);
    let before = format!("{flow:?}");
    flow.flip();
    assert_eq!((flow.client.endpoint.port, flow.state, flow.history.as_str()), (8_883, Some(ConnState::Rsto), "^sHadR"));
    assert_eq!(flow.tcp.as_ref().unwrap().reset.as_ref().unwrap().from, Side::Client);
    flow.flip();
    assert_eq!(format!("{flow:?}"), before);
}

static STREAM: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < 256 {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

proptest! {
    #[test]
    fn segments_in_any_order_with_any_overlap_make_the_same_stream(cuts in prop::collection::vec((0_usize..256, 1_usize..64), 1..40)) {
        let mut t = Trace::new();
        t.handshake();
        for (from, len) in cuts {
            let to = (from + len).min(STREAM.len());
            t.client().at(1_001 + from as u32).data(&STREAM[from..to]);
        }
        t.client().at(1_001).data(&STREAM);
        t.server().ack();
        let seen = t.run();
        let delivered: Vec<u8> = seen.pieces.iter().flat_map(|piece| piece.bytes.clone()).collect();
        prop_assert_eq!(delivered, STREAM.to_vec());
        prop_assert_eq!(story(&seen).missed_bytes, [0, 0]);
    }

    #[test]
    fn no_sequence_of_segments_makes_it_stumble(segments in prop::collection::vec((any::<bool>(), any::<u8>(), any::<u32>(), any::<u32>(), 0_usize..256, 0_u64..200), 1..60)) {
        let mut t = Trace::new();
        for (client, flags, sequence, acknowledgment, len, wait) in segments {
            t.wait(wait);
            let actor = if client { t.client() } else { t.server() };
            actor.any(flags, sequence, acknowledgment, &STREAM[..len]);
        }
        let (seen, table) = t.run_with(Settings::default(), Seen::default());
        prop_assert_eq!(seen.flows.len() as u64, table.counts().opened);
        prop_assert_eq!(seen.flows.iter().map(|flow| flow.client.packets + flow.server.packets).sum::<u64>(), t.packets.len() as u64);
        prop_assert!(table.holds_nothing());
    }
}
