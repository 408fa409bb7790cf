//! SYNs that nothing follows: how long they are kept, and what goes first where there are too many.

use std::time::Duration;

use super::*;
use crate::flow::trace::{Seen, Trace};

/// A SYN from each of `sources` to 198.51.100.1:80, a millisecond apart, with the packets of other traces among them.
fn flooded(sources: u32, others: Vec<Trace>) -> Trace {
    let mut all = Trace::new();
    for source in 0..sources {
        let [_, _, high, low] = source.to_be_bytes();
        let mut one = Trace::new().between(([45, 0, high, low], 1_024 + low as u16), ([198, 51, 100, 1], 80));
        one.client().syn();
        one.packets[0].time = Timestamp::from_parts(1_000, i64::from(source) * 1_000_000);
        all.packets.append(&mut one.packets);
    }
    for other in others {
        all.merge(other);
    }
    all
}

#[test]
fn in_a_flood_of_syns_the_flood_goes_and_what_was_answered_or_asked_again_stays() {
    let mut answered = Trace::new();
    answered.handshake();
    answered.client().data(b"ask");
    answered.wait(6);
    answered.server().data(b"answer");
    // A service that is cut off: asked again after one second, and after two more.
    let mut cut = Trace::new().between(([192, 0, 2, 7], 50_007), ([198, 51, 100, 7], 8_883));
    cut.client().syn();
    for seconds in [1, 2, 4] {
        cut.wait(seconds);
        cut.client().syn_again();
    }
    let t = flooded(10_000, vec![answered, cut]);
    // Room for some 1,300 SYNs, or 1.3 s of them.
    let (seen, table) = t.run_with(Settings { live_flows: 190, ..Settings::default() }, Seen::default());
    let flow = |port| seen.flows.iter().find(|flow| flow.server.endpoint.port == port).unwrap();
    assert_eq!((flow(8_883).history.as_str(), flow(8_883).ended), ("ShADd", Ended::CaptureEnd));
    let cut = seen.flows.iter().find(|flow| flow.client.endpoint.port == 50_007).unwrap();
    assert_eq!((cut.tcp.as_ref().unwrap().syns, cut.ended), (4, Ended::CaptureEnd));
    let flood = seen.flows.iter().filter(|flow| flow.ended == Ended::Evicted).count();
    assert_eq!((seen.flows.len(), table.counts().opened, table.counts().evicted), (10_002, 10_002, flood as u64));
    assert!(flood > 8_000 && table.holds_nothing(), "{flood}");
}

#[test]
fn of_the_syns_of_one_second_the_first_goes_first() {
    // Room for some 300 of them.
    let (seen, _) = flooded(900, Vec::new()).run_with(Settings { live_flows: 48, ..Settings::default() }, Seen::default());
    let (gone, kept): (Vec<_>, Vec<_>) = seen.flows.iter().partition(|flow| flow.ended == Ended::Evicted);
    assert!(gone.len() > 500 && kept.len() > 300, "{} {}", gone.len(), kept.len());
    assert!(gone.iter().map(|flow| flow.first).max() < kept.iter().map(|flow| flow.first).min());
}

#[test]
fn a_full_table_without_a_flood_gives_up_what_is_silent_and_not_a_connection_that_is_being_opened() {
    let mut all = Trace::new();
    for host in 1..=10 {
        let mut one = Trace::new().between(([192, 0, 2, host], 50_000), ([198, 51, 100, 1], 443));
        one.wait(u64::from(host));
        one.handshake();
        all.merge(one);
    }
    let (seen, table) = all.run_with(Settings { live_flows: 4, ..Settings::default() }, Seen::default());
    assert!(seen.flows.iter().all(|flow| flow.history.as_str() == "ShA"), "{:?}", seen.flows);
    assert_eq!((seen.flows.len(), seen.opened, table.counts().evicted), (10, 10, 6));
}

#[test]
fn a_syn_without_an_answer_ends_when_its_time_is_over_and_is_shown_while_it_waits() {
    let mut t = Trace::new();
    t.client().syn();
    let (mut table, mut seen) = (FlowTable::new(Settings::default()), Seen::default());
    table.push(&t.packets, &mut seen);
    let mut shown = Vec::new();
    table.look(8, &mut |_, flow| shown.push(flow));
    assert_eq!((shown.len(), shown[0].history.as_str(), shown[0].state), (1, "S", Some(ConnState::S0)));
    let at = |seconds| t.packets[0].time + Duration::from_secs(seconds);
    table.advance(at(79), &mut seen);
    assert_eq!((seen.flows.len(), table.live()), (0, 1));
    table.advance(at(82), &mut seen);
    assert_eq!((seen.only().ended, seen.only().history.as_str(), table.live()), (Ended::Idle, "S", 0));
}
