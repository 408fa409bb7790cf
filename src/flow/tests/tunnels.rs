//! One conversation that reaches the tap by several ways is one flow.

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader};

use super::super::trace::Seen;
use super::super::*;
use crate::capture::{Frame, LinkType};
use crate::decode::{Tunnel, decode};

/// The packets of a handshake between 10.0.0.1:50000 and 10.0.0.2:8883, and the client's first three bytes.
fn handshake() -> Vec<Vec<u8>> {
    let from = |client: bool| if client { ([10, 0, 0, 1], [10, 0, 0, 2], 50_000, 8_883) } else { ([10, 0, 0, 2], [10, 0, 0, 1], 8_883, 50_000) };
    let written = |step: PacketBuilderStep<TcpHeader>, payload: &[u8]| {
        let mut bytes = Vec::new();
        step.write(&mut bytes, payload).unwrap();
        bytes
    };
    let tcp = |client, sequence| {
        let (source, destination, port, to) = from(client);
        PacketBuilder::ipv4(source, destination, 64).tcp(port, to, sequence, 64_000)
    };
    vec![written(tcp(true, 99).syn(), b""), written(tcp(false, 199).syn().ack(100), b""), written(tcp(true, 100).ack(200), b"ask")]
}

fn ethernet(ip: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], ip].concat()
}

/// In VXLAN from one tap to the collector.
fn vxlan(ip: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let inner = [&[8, 0, 0, 0, 0, 0, 42, 0][..], &ethernet(ip)].concat();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 9], 64).udp(50_001, 4_789).write(&mut bytes, &inner).unwrap();
    bytes
}

/// In ERSPAN II from another.
fn erspan(ip: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let inner = [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0][..], &ethernet(ip)].concat();
    PacketBuilder::ipv4([192, 0, 2, 2], [192, 0, 2, 9], 64).write(&mut bytes, etherparse::IpNumber(47), &inner).unwrap();
    bytes
}

fn flows_of(frames: &[Vec<u8>]) -> (Seen, Counts) {
    flows_of_shard(frames, Shard::ALL)
}

fn flows_of_shard(frames: &[Vec<u8>], shard: Shard) -> (Seen, Counts) {
    let mut table = FlowTable::new(Settings::default()).sharing(shard);
    let mut seen = Seen::default();
    for (number, bytes) in (1..).zip(frames) {
        let (id, time) = (FrameId::new(0, number), Timestamp::from_nanos(number as i64 * 1_000));
        let frame = Frame { id, interface: 0, link: LinkType::IPV4, time, wire_len: bytes.len() as u32, bytes };
        table.push(&[decode(&frame)], &mut seen);
    }
    table.finish(&mut seen);
    (seen, table.counts().clone())
}

#[test]
fn a_connection_whose_packets_come_by_two_tunnels_and_bare_is_one_flow_and_names_the_first_way() {
    let packets = handshake();
    let (seen, counts) = flows_of(&[vxlan(&packets[0]), erspan(&packets[1]), packets[2].clone()]);
    let flow = seen.only();
    assert_eq!((flow.client.packets, flow.server.packets, flow.history.as_str(), seen.text(Side::Client)), (2, 1, "ShD", "ask".into()));
    assert_eq!((flow.tunnel.iter().collect::<Vec<_>>(), counts.duplicates.total()), (vec![Tunnel::Vxlan], 0));
}

#[test]
fn the_same_packets_by_both_tunnels_are_counted_once() {
    let packets = handshake();
    let twice: Vec<Vec<u8>> = packets.iter().flat_map(|ip| [vxlan(ip), erspan(ip), ip.clone()]).collect();
    let (seen, counts) = flows_of(&twice);
    let flow = seen.only();
    assert_eq!((flow.client.packets, flow.server.packets, seen.text(Side::Client)), (2, 1, "ask".into()));
    // etherparse leaves the identification 0, so a copy shows by its way alone.
    assert_eq!((counts.packets, counts.duplicates.iter().collect::<Vec<_>>().len(), counts.duplicates.total()), (9, 1, 6));
}

/// The IP packet in two fragments, the first with 24 bytes behind its header.
fn in_fragments(ip: &[u8], ident: u8) -> [Vec<u8>; 2] {
    let (header, payload) = ip.split_at(20);
    let (first, second) = payload.split_at(24);
    [(first, [0x20, 0]), (second, [0, 3])].map(|(payload, flags_and_offset)| {
        let length = [0, 20 + payload.len() as u8];
        [&header[..2], &length, &[0, ident], &flags_and_offset, &header[8..], payload].concat()
    })
}

#[test]
fn what_is_in_fragments_comes_to_the_table_that_keeps_it_however_many_there_are() {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    // Of a connection one packet bare and others in tunnels, and an ICMP error about it from somewhere else, all in fragments.
    let mut error = Vec::new();
    PacketBuilder::ipv4([198, 51, 100, 7], [10, 0, 0, 1], 64).icmpv4_raw(3, 1, [0; 4]).write(&mut error, &handshake()[0]).unwrap();
    let packets = handshake();
    frames.push(packets[0].clone());
    frames.extend(in_fragments(&vxlan(&packets[1]), 1));
    frames.extend(in_fragments(&erspan(&packets[2]), 2));
    frames.extend(in_fragments(&error, 3));
    let told = |shards: usize| {
        let (mut flows, mut counts) = (Vec::new(), Counts::default());
        for number in 0..shards {
            let (seen, counted) = flows_of_shard(&frames, Shard { number, of: shards });
            flows.extend(seen.flows);
            counts.merge(counted);
        }
        flows.sort_by_key(|flow| (flow.first, flow.first_frame, flow.client.endpoint));
        (flows, counts)
    };
    let (flows, counts) = told(1);
    let connection = flows.iter().find(|flow| flow.transport == Transport::TCP).unwrap();
    assert_eq!((connection.history.as_str(), connection.rejections.len(), counts.fragments.whole), ("ShD", 1, 3), "{flows:#?}");
    for shards in [2, 3, 8] {
        assert_eq!(format!("{:#?}", (&flows, &counts)), format!("{:#?}", told(shards)), "{shards} shards");
    }
}
