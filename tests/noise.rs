//! Flows of nobody's protocol: dice, text, numbers and records of no published format, half of them at ports where a rule is content with less.
//! Counts what is recognised in them although there is nothing to recognise. `make noise FLOWS=1000000` throws longer.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what was counted")]

#[path = "hostile/mutation.rs"]
#[allow(dead_code, reason = "of the mutations only the dice are thrown here")]
mod mutation;

use std::collections::BTreeMap;

use etherparse::PacketBuilder;
use mutation::Dice;
use portbook::capture::{Frame, FrameId, LinkType};
use portbook::decode::decode_batch;
use portbook::flow::{FlowTable, Settings};
use portbook::identify::{Books, Identified, Identifier};
use portbook::net::{Side, Transport};
use portbook::time::Timestamp;

#[test]
fn nothing_is_recognised_where_there_is_nothing() {
    let flows: usize = std::env::var("PORTBOOK_NOISE_FLOWS").ok().and_then(|text| text.parse().ok()).unwrap_or(FLOWS);
    let rounds = flows.div_ceil(KINDS.len() * ROUND);
    let (mut elsewhere, mut at_ports) = (Vec::new(), 0);
    for kind in KINDS {
        let mut found: BTreeMap<(String, bool), usize> = BTreeMap::new();
        for identified in (0..rounds).flat_map(|round| run(*kind, round)).filter(|identified| !identified.protocol.is_empty()) {
            let rule = identified.matches.first().map_or("", |hit| hit.rule);
            let at_port = PORTS.contains(&identified.flow.server.endpoint.port);
            *found.entry((format!("{}, {rule}", identified.protocol.join("/")), at_port)).or_default() += 1;
        }
        let thrown = rounds * ROUND;
        for ((what, at_port), many) in &found {
            println!("{kind:?}: {what}: {many} of {thrown}{}", if *at_port { ", at a port" } else { "" });
            if *at_port { at_ports += many } else { elsewhere.push(what.clone()) }
        }
    }
    let thrown = rounds * ROUND * KINDS.len();
    let million = |many: usize| many as f64 * 1e6 / thrown as f64;
    println!("{thrown} flows: per million {} recognised at a port, {} elsewhere", million(at_ports), million(elsewhere.len()));
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    assert!(million(at_ports) <= AT_PORTS_PER_MILLION, "{at_ports} of {thrown}");
}

/// What payload is made of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Every byte as likely as any other: encryption without a header.
    Dice,
    /// Small numbers and zeros, as binary headers are full of.
    Small,
    /// A length that fits, in two or four bytes and either order, then a small type and dice.
    Framed,
    /// Words, numbers and ends of lines.
    Text,
    /// Objects and elements of no protocol.
    Markup,
}

const KINDS: &[Kind] = &[Kind::Dice, Kind::Small, Kind::Framed, Kind::Text, Kind::Markup];

/// The flows of one throw.
fn run(kind: Kind, round: usize) -> Vec<Box<Identified>> {
    let mut dice = Dice::new((round as u64) << 8 | kind as u64);
    let books = Books::default();
    let (mut identifier, mut table) = (Identifier::new(&books), FlowTable::new(Settings::default()));
    let mut number = 0_u32;
    for flow in 0..ROUND {
        let frames = frames(kind, flow, &mut dice);
        let frames: Vec<Frame<'_>> = frames
            .iter()
            .map(|bytes| {
                number += 1;
                let time = Timestamp::from_nanos(1_700_000_000_000_000_000 + i64::from(number) * 1000);
                Frame { id: FrameId::new(0, u64::from(number)), interface: 0, link: LinkType::IPV4, time, wire_len: bytes.len() as u32, bytes }
            })
            .collect();
        for batch in frames.chunks(portbook::limit::BATCH) {
            let mut packets = Vec::new();
            decode_batch(batch, &mut packets);
            table.push(&packets, &mut identifier);
        }
    }
    table.finish(&mut identifier);
    let closed = std::mem::take(identifier.ended());
    assert_eq!(closed.len(), ROUND, "every flow was seen");
    closed
}

/// A connection with its handshake, or datagrams; some from the client, some from the server.
fn frames(kind: Kind, flow: usize, dice: &mut Dice) -> Vec<Vec<u8>> {
    let transport = if dice.below(2) == 0 { Transport::TCP } else { Transport::UDP };
    let port = if dice.below(2) == 0 { PORTS[dice.below(PORTS.len())] } else { unremarkable(dice) };
    let ports = [40_000 + dice.below(20_000) as u16, port];
    let address = [10, 1, (flow >> 8) as u8, flow as u8];
    let hosts = [address, [10, 2, 0, 1]];
    let mut frames = Vec::new();
    let mut next = [1_000_u32, 2_000];
    let build = |from: Side, flags: &str, sequence: [u32; 2], payload: &[u8]| {
        let (own, other) = if from == Side::Client { (0, 1) } else { (1, 0) };
        let ip = PacketBuilder::ipv4(hosts[own], hosts[other], 64);
        let mut frame = Vec::new();
        if transport == Transport::UDP {
            ip.udp(ports[own], ports[other]).write(&mut frame, payload).expect("a frame");
        } else {
            let mut tcp = ip.tcp(ports[own], ports[other], sequence[own], 8192);
            if flags.contains('S') {
                tcp = tcp.syn();
            }
            if flags.contains('A') {
                tcp = tcp.ack(sequence[other]);
            }
            tcp.write(&mut frame, payload).expect("a frame");
        }
        frame
    };
    if transport == Transport::TCP {
        frames.push(build(Side::Client, "S", next, &[]));
        next[0] += 1;
        frames.push(build(Side::Server, "SA", next, &[]));
        next[1] += 1;
    }
    for turn in 0..1 + dice.below(5) {
        let from = if turn == 0 || dice.below(2) == 0 { Side::Client } else { Side::Server };
        let payload = payload(kind, dice);
        frames.push(build(from, "A", next, &payload));
        next[from as usize] += payload.len() as u32;
    }
    frames
}

fn unremarkable(dice: &mut Dice) -> u16 {
    loop {
        let port = 1024 + dice.below(60_000) as u16;
        if !PORTS.contains(&port) {
            return port;
        }
    }
}

fn payload(kind: Kind, dice: &mut Dice) -> Vec<u8> {
    let len = match dice.below(4) {
        0 => 1 + dice.below(16),
        1 => 16 + dice.below(64),
        2 => 64 + dice.below(200),
        _ => 1 + dice.below(1400),
    };
    match kind {
        Kind::Dice => dice.bytes(len),
        Kind::Small => (0..len).map(|_| [0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 8, 16, 32, 64, 128, 255][dice.below(17)]).collect(),
        Kind::Framed => framed(dice.bytes(len), dice),
        Kind::Text => line(len, dice),
        Kind::Markup => markup(len, dice),
    }
}

fn framed(body: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    let counted = body.len() + [0, 2, 4][dice.below(3)];
    let length = match dice.below(4) {
        0 => (counted as u16).to_be_bytes().to_vec(),
        1 => (counted as u16).to_le_bytes().to_vec(),
        2 => (counted as u32).to_be_bytes().to_vec(),
        _ => (counted as u32).to_le_bytes().to_vec(),
    };
    let any = [dice.byte()];
    let front = [&[][..], &[0], &[1], &any][dice.below(4)];
    [front, &length, &[dice.below(32) as u8, 0][..1 + dice.below(2)], &body].concat()
}

fn line(len: usize, dice: &mut Dice) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < len {
        match dice.below(6) {
            0 => text.extend(dice.below(100_000).to_string().bytes()),
            _ => text.extend(WORDS[dice.below(WORDS.len())].bytes()),
        }
        text.extend([" ", " ", " ", "\r\n", "\n", ": ", "=", ","][dice.below(8)].bytes());
    }
    text
}

fn markup(len: usize, dice: &mut Dice) -> Vec<u8> {
    let mut text = Vec::new();
    let json = dice.below(2) == 0;
    text.extend(if json { "{" } else { ["<", "<?xml version=\"1.0\"?>\n<"][dice.below(2)] }.bytes());
    while text.len() < len {
        let (key, value) = (WORDS[dice.below(WORDS.len())], dice.below(10_000));
        text.extend(if json { format!("\"{key}\":{value},") } else { format!("{key} a=\"{value}\">{value}</{key}><") }.bytes());
    }
    text.extend(if json { "\"end\":0}\n" } else { "end/>\n" }.bytes());
    text
}

/// Flows of an ordinary run, of all kinds together.
const FLOWS: usize = 5_000;
/// Flows at the ports below that may be taken for what belongs there: a byte of 2 to port 1434 is a question to the SQL Server Browser, whoever sends it.
const AT_PORTS_PER_MILLION: f64 = 200.0;
/// Flows that live at once.
const ROUND: usize = 1_000;

/// Words of people and of programs; none is a whole command of a protocol in its own case at the start of a line.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "the", "player", "screen", "schedule", "Update", "version", "hello", "world", "data", "value", "temperature", "ready", "error", "name", "index", "on",
    "off", "True", "None", "login", "user7", "password", "id", "zone", "volume", "input", "power", "query", "ok", "state", "NaN", "ACK", "NAK", "BEGIN", "END",
];

/// Ports at which rules are content with less than elsewhere.
#[rustfmt::skip]
const PORTS: &[u16] = &[
    21, 22, 23, 25, 49, 53, 67, 69, 80, 88, 102, 110, 111, 123, 135, 137, 138, 139, 143, 161, 179, 389, 443, 445, 500, 502, 514, 546, 554, 1080, 1099, 1194, 1389,
    1433, 1434, 1521, 1723, 1812, 1883, 1900, 1935, 2049, 2404, 3306, 3389, 3478, 3702, 4222, 4500, 4840, 5060, 5222, 5353, 5355, 5432, 5671, 5672, 5683, 5684,
    5701, 5900, 5961, 6379, 6667, 6881, 6900, 8080, 8883, 9092, 9995, 10_001, 11_211, 20_000, 27_017, 34_964, 43_215, 44_818, 47_100, 47_500, 47_808, 51_820,
];
