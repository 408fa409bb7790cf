//! Frames with a wrong date among others.

use std::time::Duration;

use super::*;
use crate::flow::trace::{Seen, Trace};

/// Thirty datagrams of one conversation, ten seconds apart, with another host's datagram after the fifteenth that is dated a year ahead.
fn with_one_far_ahead() -> Trace {
    let mut t = Trace::new();
    for _ in 0..30 {
        t.client().datagram(b"again");
        t.wait(10);
    }
    let mut other = Trace::new().between(([192, 0, 2, 7], 50_000), ([192, 0, 2, 8], 9_999));
    other.wait(365 * 86_400);
    other.client().datagram(b"wrong");
    t.packets.insert(15, other.packets[0]);
    t
}

#[test]
fn one_frame_dated_far_ahead_ends_no_flow_but_its_own() {
    let flows = with_one_far_ahead().run().flows;
    assert_eq!(flows.iter().map(|flow| flow.client.packets).collect::<Vec<_>>(), [30, 1]);
    assert_eq!(with_one_far_ahead().run_sharded(3).0.len(), 2);
}

#[test]
fn copies_are_known_after_a_frame_dated_far_ahead() {
    let mut t = with_one_far_ahead();
    let twice = t.packets.iter().flat_map(|packet| [*packet, Packet { time: packet.time + Duration::from_micros(5), ..*packet }]);
    t.packets = twice.filter(|packet| packet.payload != b"wrong" || packet.time.nanos() % 10_000_000 == 0).collect();
    let (seen, table) = t.run_with(Settings::default(), Seen::default());
    assert_eq!((seen.flows.len(), table.counts().duplicates.total()), (2, 30));
}

/// How many copies are found where these packets come in batches that end anywhere, as those of a shard do.
fn copies_in_any_batches(packets: &[Packet<'_>]) -> Vec<u64> {
    let ways = (0_u32..1 << (packets.len() - 1)).map(|ends| {
        let mut table = FlowTable::new(Settings::default());
        let mut batch = Vec::new();
        for (number, packet) in packets.iter().enumerate() {
            batch.push(*packet);
            if ends >> number & 1 == 1 || number + 1 == packets.len() {
                table.push(&batch, &mut Seen::default());
                batch.clear();
            }
        }
        table.counts().duplicates.total()
    });
    ways.collect()
}

#[test]
fn copies_do_not_depend_on_where_batches_end_when_time_leaps() {
    let mut before = Trace::new();
    (0..2).for_each(|_| before.client().datagram(b"before"));
    let mut later = Trace::new().between(([192, 0, 2, 7], 50_000), ([192, 0, 2, 8], 9_999));
    later.wait(7_200);
    (0..2).for_each(|_| later.client().datagram(b"later"));
    let ([one, two], [far, other]) = ([before.packets[0], before.packets[1]], [later.packets[0], later.packets[1]]);
    let again = |micros: u64| Packet { time: far.time + Duration::from_micros(micros), ..far };
    // The first packet of another day, captured twice: the copy shows that its date is right.
    assert_eq!(copies_in_any_batches(&[one, far, again(5), other]), [1; 8]);
    // Here the next packet shows that it was wrong; so it is not what the same one is a copy of when that day comes.
    assert_eq!(copies_in_any_batches(&[one, far, two, again(5), other, again(9)]), [1; 32]);
}

#[test]
fn time_leaps_once_two_packets_in_a_row_are_far_ahead() {
    let mut t = Trace::new();
    t.client().datagram(b"before");
    t.wait(7_200);
    let mut later = Trace::new().between(([192, 0, 2, 7], 50_000), ([192, 0, 2, 8], 9_999));
    later.wait(7_200);
    later.client().datagram(b"one");
    later.client().datagram(b"two");
    let (mut table, mut seen) = (FlowTable::new(Settings::default()), Seen::default());
    for (packets, ended) in [(&t.packets[..], 0), (&later.packets[..1], 0), (&later.packets[1..], 1)] {
        table.push(packets, &mut seen);
        assert_eq!(seen.flows.len(), ended);
    }
    assert_eq!(seen.flows[0].ended, Ended::Idle);
}
