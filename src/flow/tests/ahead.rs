//! Packets that were captured before what they answer: by cards whose clocks differ, and by queues that were emptied in turn.

use super::*;
use crate::decode::Packet;

/// A connection in which each side asks, answers and closes.
fn talk() -> Trace {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"ask ");
    t.server().ack();
    t.server().data(b"answer ");
    t.client().data(b"again ");
    t.server().data(b"more");
    t.client().fin();
    t.server().fin();
    t.client().ack();
    t
}

fn from_client(packet: &Packet<'_>) -> bool {
    matches!(packet.content, Content::Ip(ip, _) if ip.source == IpAddr::from([192, 0, 2, 1]))
}

/// The packets as two cards would have captured them, the client's one so many milliseconds late; whether they are put in order of time, or lie as they were sent.
fn late(mut t: Trace, millis: i64, is_sorted: bool) -> Trace {
    for packet in t.packets.iter_mut().filter(|packet| from_client(packet)) {
        packet.time = Timestamp::from_nanos(packet.time.nanos() + millis * 1_000_000);
    }
    if is_sorted {
        t.packets.sort_by_key(|packet| packet.time);
    }
    t
}

#[test]
fn an_answer_that_was_captured_before_its_question_waits_for_it() {
    let whole = talk().run();
    for millis in [-45, -15, -5, 5, 15, 45] {
        for is_sorted in [true, false] {
            let seen = late(talk(), millis, is_sorted).run();
            let history = seen.only().history.as_str();
            assert!(["ShADadFf", "^hSADadFf"].contains(&history), "{millis} {history}");
            assert_eq!((seen.only().state, seen.only().last_frame), (whole.only().state, whole.only().last_frame));
            assert_eq!(seen.pieces, whole.pieces, "{millis}");
            let (story, due) = (story(&seen), story(&whole));
            assert_eq!((story.missed_bytes, story.acknowledged, story.retransmissions), ([0, 0], due.acknowledged, [0, 0]));
        }
    }
}

#[test]
fn what_is_acknowledged_by_the_packet_that_joins_a_connection_hangs_no_more() {
    let mut t = Trace::new().between(([192, 0, 2, 1], 50_000), ([192, 0, 2, 2], 443));
    for _ in 0..3 {
        t.client().data(b"ping");
    }
    t.server().ack();
    t.packets.rotate_right(1);
    for sequence in [1_012; 4] {
        t.wait(1);
        t.client().at(sequence).data(b"ping");
    }
    let seen = t.run();
    let story = story(&seen);
    let open = &story.open_segment[0];
    assert_eq!((story.acknowledged[0], story.largest_acknowledged[0], open.len, open.again), (12, 4, 4, 3));
    assert_eq!(story.retransmissions, [3, 0]);
}

#[test]
fn what_was_not_captured_is_not_waited_for_longer_than_clocks_differ() {
    let mut t = Trace::new();
    t.handshake();
    t.client().lost(b"ask ");
    t.server().data(b"answer ");
    t.wait(1);
    t.client().data(b"again ");
    t.server().data(b"more");
    let (seen, table) = t.run_with(Settings::default(), Seen::default());
    assert_eq!((told(&seen).1, story(&seen).missed_bytes), ("ShAdGD", [4, 0]));
    assert_eq!((seen.text(Side::Client), seen.text(Side::Server)), ("again ".into(), "answer more".into()));
    assert!(table.holds_nothing());
}

#[test]
fn what_an_end_says_later_shows_that_what_came_before_was_not_captured() {
    let mut t = Trace::new();
    t.handshake();
    t.server().rst();
    t.packets.remove(1);
    assert_eq!(told(&t.run()).1, "SAr");
    let mut t = Trace::new();
    t.handshake();
    t.client().lost(b"ask ");
    t.server().data(b"answer ");
    t.client().rst();
    assert_eq!(told(&t.run()).1, "ShAdGR");
}

#[test]
fn what_waits_when_the_capture_ends_is_told() {
    let mut t = Trace::new();
    t.handshake();
    t.client().lost(b"ask ");
    t.server().data(b"answer ");
    t.server().fin();
    let seen = t.run();
    assert_eq!((seen.text(Side::Server).as_str(), seen.only().server.packets, story(&seen).fins), ("answer ", 3, [false, true]));
}

#[test]
fn of_a_connection_that_is_seen_in_one_direction_only_the_first_segment_waits() {
    let mut t = talk();
    t.packets.retain(from_client);
    let seen = t.run();
    assert_eq!((seen.text(Side::Client).as_str(), told(&seen).1), ("ask again ", "SADF"));
}

#[test]
fn flows_that_begin_while_others_wait_are_opened_and_read() {
    let mut t = Trace::new();
    t.handshake();
    t.client().lost(b"ask ");
    t.server().data(b"answer ");
    let start = t.packets.last().map(|packet| packet.time).unwrap();
    for port in 1_000..1_100 {
        let mut other = Trace::new().between(([10, 0, 0, 1], port), ([10, 0, 0, 2], 9_000));
        other.client().datagram(b"hello");
        other.packets.iter_mut().for_each(|packet| packet.time = start);
        t.merge(other);
    }
    let seen = t.run();
    assert_eq!((seen.opened, seen.flows.len(), seen.text(Side::Client).len()), (101, 101, 500));
}

#[test]
fn a_connection_that_acknowledges_ever_more_that_was_not_captured_keeps_within_its_bounds() {
    let mut t = Trace::new();
    t.handshake();
    for _ in 0..500 {
        t.client().lost(b"lost");
        t.packets.last_mut().into_iter().for_each(|packet| packet.time = Timestamp::from_parts(1_000, 40_000_000));
        t.server().data(b"answer ");
        t.packets.last_mut().into_iter().for_each(|packet| packet.time = Timestamp::from_parts(1_000, 50_000_000));
    }
    let (seen, table) = t.run_with(Settings { streams_bytes: 20_000, ..Settings::default() }, Seen::default());
    assert_eq!((seen.only().server.packets, seen.text(Side::Server).len()), (501, 3_500));
    assert_eq!(table.counts().in_flows, 503);
}

#[test]
fn a_reset_that_was_captured_before_the_syn_that_it_answers_refuses_it() {
    let mut t = Trace::new();
    t.client().syn();
    t.server().at(0).rst_ack();
    t.packets.swap(0, 1);
    let seen = t.run();
    assert_eq!(told(&seen), ("REJ", "^rS"));
    assert_eq!((seen.only().client.endpoint.port, story(&seen).reset.as_deref().unwrap().answers_syn), (50_000, true));
}

#[test]
fn an_icmp_error_that_was_captured_before_what_it_quotes_is_of_its_flow() {
    for (millis, is_of_it) in [(40, true), (-40, true), (-400, false)] {
        let mut t = Trace::new().between(([192, 0, 2, 1], 0), ([198, 51, 100, 1], 0));
        t.server().icmp(3, 13, QUOTED);
        let mut asking = Trace::new();
        asking.client().syn();
        asking.packets[0].time = Timestamp::from_nanos(t.packets[0].time.nanos() - millis * 1_000_000);
        t.packets.append(&mut asking.packets);
        let (seen, table) = t.run_with(Settings::default(), Seen::default());
        let rejections = seen.flows.iter().map(|flow| flow.rejections.len()).sum::<usize>();
        assert_eq!((rejections, table.counts().errors_without_flow), (usize::from(is_of_it), u64::from(!is_of_it)), "{millis}");
    }
}

#[test]
fn a_segment_that_the_card_took_apart_behind_the_recorder_is_sent_again_by_its_first_piece() {
    let mut t = Trace::new();
    t.handshake();
    t.client().at(1_001).cut_data(b"", 4_344);
    for again in 0..5 {
        t.wait(1 << again);
        t.client().at(1_001).cut_data(b"", 1_448);
    }
    let OpenSegment { len, again, .. } = story(&t.run()).open_segment[0];
    assert_eq!((len, again), (1_448, 5));
}

/// In debug builds the quick way is held against the long one, which fails where they differ.
#[test]
fn what_goes_on_in_order_tells_as_any_other_segment_that_what_was_acknowledged_before_hangs_no_more() {
    let mut t = talk();
    let packets = t.packets.clone();
    t.packets = [1, 11, 5, 7, 3, 6, 0, 9, 8, 4, 2, 10].iter().filter_map(|place| packets.get(*place).copied()).collect();
    let seen = t.run();
    assert_eq!(seen.only().client.packets + seen.only().server.packets, packets.len() as u64);
}

proptest! {
    #[test]
    fn whatever_order_packets_come_in_they_are_told_once_and_alike_by_any_number_of_tables(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let mut t = talk();
        let packets = t.packets.clone();
        t.packets = order.iter().filter_map(|place| packets.get(*place).copied()).collect();
        let (flows, counts) = t.run_sharded(1);
        prop_assert_eq!(flows.iter().map(|flow| flow.client.packets + flow.server.packets).sum::<u64>(), packets.len() as u64);
        let (other_flows, other_counts) = t.run_sharded(3);
        prop_assert_eq!((format!("{flows:?}"), counts.in_flows), (format!("{other_flows:?}"), other_counts.in_flows));
    }
}
