//! Fragments of one datagram on their way through a table: the ports of the first count for all, the payload comes once, whole.

use super::*;
use crate::decode::{Fragment, Header, Ip};
use crate::flow::trace::{Seen, Trace};

/// UDP 50000 to 8883, 24 bytes with the header: three fragments of 8 bytes.
static DATAGRAM: [u8; 24] = *b"\xc3\x50\x22\xb3\x00\x18\x00\x00abcdefghijklmnop";
const PORTS: Header = Header::Udp { source: 50_000, destination: 8_883 };

/// The fragment with bytes 8 times `place` of the datagram with that identification, as decoding gives it.
fn fragment(ident: u32, place: usize, number: u64) -> Packet<'static> {
    let payload = &DATAGRAM[place * 8..place * 8 + 8];
    let fragment = Some(Fragment { offset: place as u32 * 8, more: place < 2 });
    let (source, destination) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let ip = Ip { source, destination, ttl: 64, ident, len: 28, transport: Transport::UDP, fragment, dont_fragment: false };
    Packet {
        frame: FrameId::new(0, number),
        interface: 0,
        time: Timestamp::from_parts(1_000, number as i64),
        mac: None,
        vlan: VlanStack::default(),
        tunnel: TunnelPath::default(),
        content: Content::Ip(ip, if place == 0 { PORTS } else { Header::None }),
        payload,
        payload_len: 8,
        fault: None,
    }
}

fn run(packets: Vec<Packet<'static>>) -> (Seen, FlowTable) {
    let mut trace = Trace::new();
    trace.packets = packets;
    trace.run_with(Settings::default(), Seen::default())
}

#[test]
fn a_server_of_which_only_parts_of_datagrams_came_is_torn() {
    let torn = |places: &[usize]| {
        let mut trace = Trace::new().between(([192, 0, 2, 2], 8_883), ([192, 0, 2, 1], 50_000));
        trace.client().datagram(b"question");
        let begun = trace.packets[0].time;
        trace.packets.extend(places.iter().zip(2..).map(|(place, number)| Packet { time: begun, ..fragment(7, *place, number) }));
        let seen = trace.run();
        (seen.only().server.packets, seen.only().is_torn())
    };
    assert_eq!([torn(&[]), torn(&[0]), torn(&[0, 1]), torn(&[0, 1, 2])], [(0, false), (1, true), (2, true), (3, false)]);
}

#[test]
fn a_datagram_in_fragments_is_one_flow_whose_payload_comes_once_whatever_their_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (seen, table) = run(order.into_iter().zip(1..).map(|(place, number)| fragment(7, place, number)).collect());
        let flow = seen.only();
        assert_eq!((flow.client.endpoint.port, flow.server.endpoint.port), (50_000, 8_883), "{order:?}");
        assert_eq!((flow.client.packets, flow.client.bytes, flow.client.payload_bytes), (3, 84, 16), "{order:?}");
        assert_eq!((seen.pieces.len(), seen.text(Side::Client)), (1, "abcdefghijklmnop".to_owned()), "{order:?}");
        assert_eq!((flow.history.as_str(), flow.state), ("D", Some(ConnState::S0)), "{order:?}");
        let counts = table.counts();
        assert_eq!((counts.packets, counts.in_flows, counts.opened), (3, 3, 1), "{order:?}");
        assert_eq!((counts.fragments.fragments, counts.fragments.whole, counts.fragments.without_ports), (3, 1, 0), "{order:?}");
    }
}

#[test]
fn a_datagram_of_which_a_part_never_comes_counts_its_packets_and_gives_no_payload() {
    let (seen, table) = run(vec![fragment(7, 0, 1), fragment(7, 2, 2)]);
    let flow = seen.only();
    assert_eq!((flow.client.packets, flow.client.payload_bytes, seen.pieces.len()), (2, 0, 0));
    assert_eq!((table.counts().fragments.incomplete, table.counts().fragments.whole), (1, 0));
}

#[test]
fn fragments_whose_first_never_comes_are_of_no_flow_and_counted() {
    let (seen, table) = run(vec![fragment(7, 1, 1), fragment(7, 2, 2)]);
    assert!(seen.flows.is_empty());
    assert_eq!((table.counts().in_flows, table.counts().fragments.without_ports, table.counts().fragments.incomplete), (0, 2, 1));
}

#[test]
fn a_repeated_fragment_gives_no_payload_twice() {
    let again = Packet { time: Timestamp::from_parts(1_001, 0), ..fragment(7, 1, 3) };
    let (seen, _) = run(vec![fragment(7, 0, 1), fragment(7, 1, 2), again, fragment(7, 2, 4)]);
    assert_eq!((seen.pieces.len(), seen.only().client.packets, seen.only().client.payload_bytes), (1, 4, 16));
}

#[test]
fn two_datagrams_between_the_same_ends_are_two_pieces_of_one_flow() {
    let numbers = [(7, 0), (8, 0), (8, 1), (7, 1), (8, 2), (7, 2)];
    let (seen, _) = run(numbers.into_iter().zip(1..).map(|((ident, place), number)| fragment(ident, place, number)).collect());
    assert_eq!((seen.pieces.len(), seen.only().client.packets, seen.only().client.payload_bytes), (2, 6, 32));
}
