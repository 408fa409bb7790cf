//! Connections seen on both sides of a firewall that gives them other sequence numbers: what is told is what either side alone shows.

use super::*;
use crate::decode::{Header, TcpFlags};
use crate::flow::DuplicateKind;
use crate::net::Mac;

/// What the firewall adds to the numbers of client and server on its way out.
#[derive(Clone, Copy, Debug)]
struct Firewall([u32; 2]);

const WAYS: [Firewall; 3] = [Firewall([0x9123_4567, 0x4321_0fed]), Firewall([0xffff_0000, 0]), Firewall([0, 77_000])];
const INSIDE: (Mac, Mac) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
const OUTSIDE: (Mac, Mac) = (Mac([2, 0, 0, 0, 1, 1]), Mac([2, 0, 0, 0, 1, 2]));

impl Firewall {
    /// A packet as it is seen inside or outside: with the addresses of that link, and outside with other numbers.
    fn leg(self, packet: &Packet<'static>, is_outside: bool) -> Packet<'static> {
        let mut seen = *packet;
        let Content::Ip(ip, Header::Tcp(tcp)) = &mut seen.content else { panic!("no segment") };
        let is_client = tcp.destination == 8_883;
        let (from, to) = if is_outside { OUTSIDE } else { INSIDE };
        seen.mac = Some(if is_client { (from, to) } else { (to, from) });
        // Linux answers a SYN without an identification.
        ip.ident = if tcp.flags.has(TcpFlags::SYN) && !is_client { 0 } else { ip.ident };
        if is_outside {
            let [own, other] = if is_client { self.0 } else { [self.0[1], self.0[0]] };
            tcp.sequence = tcp.sequence.wrapping_add(own);
            tcp.acknowledgment = if tcp.flags.has(TcpFlags::ACK) { tcp.acknowledgment.wrapping_add(other) } else { 0 };
        }
        seen
    }

    /// All packets, those that the firewall let through seen on both sides, a millisecond apart.
    fn both_sides(self, trace: &Trace, passes: impl Fn(usize) -> bool) -> Vec<Packet<'static>> {
        let mut packets = Vec::new();
        for (number, packet) in trace.packets.iter().enumerate() {
            let from_outside = matches!(packet.content, Content::Ip(_, Header::Tcp(tcp)) if tcp.source == 8_883);
            let passes = passes(number);
            packets.push(self.leg(packet, from_outside && passes));
            if passes {
                let mut second = self.leg(packet, !from_outside);
                second.time = packet.time + std::time::Duration::from_millis(1);
                packets.push(second);
            }
        }
        packets
    }
}

fn run(packets: &[Packet<'static>]) -> (Seen, Counts) {
    let (mut table, mut seen) = (FlowTable::new(Settings::default()), Seen::default());
    table.push(packets, &mut seen);
    table.finish(&mut seen);
    seen.flows.sort_by_key(|flow| flow.client.endpoint);
    (seen, table.counts().clone())
}

/// What is told of the flows beside when and where.
fn said(seen: &Seen) -> Vec<String> {
    let of = |flow: &Flow| {
        let tcp = flow.tcp.as_ref().unwrap();
        let sent = [&flow.client, &flow.server].map(|end| (end.packets, end.bytes, end.payload_bytes));
        let story = (tcp.syns, tcp.same_isn, tcp.retransmissions, tcp.missed_bytes, tcp.established, tcp.acknowledged);
        format!("{} {:?} {} {sent:?} {story:?}", flow.client.endpoint, flow.state, flow.history.as_str())
    };
    seen.flows.iter().map(of).collect()
}

fn inside(trace: &Trace) -> Vec<Packet<'static>> {
    trace.packets.iter().map(|packet| Firewall([0; 2]).leg(packet, false)).collect()
}

/// Holds both sides together against the inside alone.
fn is_as_inside(trace: &Trace, passes: impl Fn(usize) -> bool + Copy) {
    let alone = run(&inside(trace)).0;
    for firewall in WAYS {
        let (both, counts) = run(&firewall.both_sides(trace, passes));
        assert_eq!(said(&both), said(&alone), "{firewall:?}");
        assert_eq!([Side::Client, Side::Server].map(|side| both.text(side)), [Side::Client, Side::Server].map(|side| alone.text(side)), "{firewall:?}");
        let copies: u64 = counts.duplicates.iter().map(|(_, many)| many).sum();
        assert_eq!(copies, (0..trace.packets.len()).filter(|number| passes(*number)).count() as u64, "{firewall:?}");
    }
}

fn talk() -> Trace {
    let mut t = Trace::new();
    t.handshake();
    t.client().data(b"ask");
    t.server().ack();
    t.server().data(b"answer");
    t.client().ack();
    t.client().data(b" more");
    t.server().data(b" and more");
    t.client().fin();
    t.server().fin();
    t.client().ack();
    t
}

#[test]
fn a_connection_on_both_sides_of_it_is_told_as_one_side_shows_it() {
    is_as_inside(&talk(), |_| true);
}

#[test]
fn a_connection_that_was_there_before_the_capture_is_told_as_one_side_shows_it() {
    for joined_at in 3..10 {
        let mut joined = talk();
        joined.packets.drain(..joined_at);
        is_as_inside(&joined, |_| true);
    }
    // Of what the firewall does not let through any more it sees each side once.
    let mut dropped = talk();
    dropped.packets.drain(..3);
    for seconds in [1, 2, 4] {
        dropped.wait(seconds);
        dropped.client().at(1_009).data(b"lost");
    }
    is_as_inside(&dropped, |number| number < 9);
}

#[test]
fn a_burst_that_is_seen_on_both_sides_where_a_connection_is_joined_is_told_as_one_side_shows_it() {
    let mut burst = Trace::new();
    for _ in 0..5 {
        burst.server().data(b"a part of a file");
    }
    burst.client().ack();
    let at_once = |packets: &mut [Packet<'static>]| packets.iter_mut().for_each(|packet| packet.time = Timestamp::from_parts(1_000, 0));
    for firewall in WAYS {
        let both = firewall.both_sides(&burst, |_| true);
        let side = |number: usize| both.iter().skip(number).step_by(2).copied();
        let (mut seen, mut alone) = (side(0).take(5).chain(side(1).take(5)).chain([both[10], both[11]]).collect::<Vec<_>>(), inside(&burst));
        [&mut seen, &mut alone].into_iter().for_each(|packets| at_once(packets));
        assert_eq!(said(&run(&seen).0), said(&run(&alone).0), "{firewall:?}");
    }
}

#[test]
fn packets_of_one_stream_over_two_links_are_no_legs_of_it() {
    // Whose sender counts nothing, and another who counts at random: two have the same number by chance, on one link.
    let mut t = Trace::new();
    for _ in 0..4 {
        t.server().data(b"a part of a file");
    }
    for (idents, links) in [([0; 4], [false, true, false, true]), ([9, 7, 9, 8], [true, true, true, true])] {
        let mut packets = Vec::new();
        for ((packet, ident), is_outside) in t.packets.iter().zip(idents).zip(links) {
            let mut seen = Firewall([0; 2]).leg(packet, is_outside);
            let Content::Ip(ip, _) = &mut seen.content else { panic!("no segment") };
            ip.ident = ident;
            seen.time = Timestamp::from_parts(1_000, 0);
            packets.push(seen);
        }
        let (seen, counts) = run(&packets);
        assert_eq!((seen.only().client.packets + seen.only().server.packets, counts.duplicates.iter().count()), (4, 0));
    }
}

#[test]
fn copies_are_counted_as_renumbered() {
    let counts = run(&WAYS[0].both_sides(&talk(), |_| true)).1;
    assert_eq!(counts.duplicates.iter().collect::<Vec<_>>(), [(&DuplicateKind::Renumbered, 12)]);
}

#[test]
fn what_it_lets_no_further_is_told_as_one_side_shows_it() {
    let mut attempts = Trace::new();
    for _ in 0..4 {
        attempts.client().at(1_000).syn();
        attempts.wait(1);
    }
    is_as_inside(&attempts, |_| false);
    // The second try is let through and not answered.
    is_as_inside(&attempts, |number| number == 1);
    let mut hello = Trace::new();
    hello.handshake();
    for _ in 0..3 {
        hello.client().at(1_001).data(b"hello");
        hello.wait(1);
    }
    is_as_inside(&hello, |number| number < 3);
    // It answers for the server.
    hello.server().rst();
    is_as_inside(&hello, |number| number < 3);
}

#[test]
fn a_syn_that_was_captured_on_one_side_alone_does_not_hide_the_other() {
    let trace = talk();
    let both = WAYS[0].both_sides(&trace, |_| true);
    let (seen, _) = run(&both[..1].iter().chain(&both[2..]).copied().collect::<Vec<_>>());
    assert_eq!(said(&seen), said(&run(&inside(&trace)).0));
}

#[test]
fn many_at_once_are_told_as_one_side_shows_them() {
    // More than a build with debug assertions keeps open.
    let mut all = Trace::new();
    for port in 0..20 {
        let mut t = Trace::new().between(([192, 0, 2, 1], 50_000 + port), ([192, 0, 2, 2], 8_883));
        t.handshake();
        t.client().data(b"ask");
        t.wait(u64::from(port % 7));
        t.server().data(b"answer");
        t.client().ack();
        all.merge(t);
    }
    let alone = run(&inside(&all)).0;
    for firewall in WAYS {
        let mut both = firewall.both_sides(&all, |_| true);
        both.sort_by_key(|packet| packet.time);
        assert_eq!(said(&run(&both).0), said(&alone), "{firewall:?}");
    }
}

#[test]
fn another_connection_between_the_same_ends_is_no_leg() {
    // From the same place at once, and from elsewhere later.
    for (is_outside, millis) in [(false, 1), (true, 500)] {
        let mut t = Trace::new();
        t.client().syn();
        t.client().at(70_000).syn();
        let mut second = Firewall([0; 2]).leg(&t.packets[1], is_outside);
        second.time = t.packets[0].time + std::time::Duration::from_millis(millis);
        let (seen, counts) = run(&[Firewall([0; 2]).leg(&t.packets[0], false), second]);
        assert_eq!((seen.flows.len(), counts.duplicates.iter().count()), (2, 0));
    }
}

#[test]
fn whoever_wants_copies_gets_them() {
    let settings = Settings { keep_duplicates: true, ..Settings::default() };
    let (mut table, mut seen) = (FlowTable::new(settings), Seen::default());
    table.push(&WAYS[0].both_sides(&talk(), |_| true), &mut seen);
    table.finish(&mut seen);
    assert_eq!((table.counts().in_flows, table.counts().duplicates.iter().count()), (24, 0));
}
