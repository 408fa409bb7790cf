//! What an identifier says of dialogues, piece by piece.

use super::*;
use crate::flow::{End, Ended};
use crate::identify::Evidence;
use crate::net::Endpoint;

pub(super) fn flow(transport: Transport, direction: Direction) -> Flow {
    let end = |host, port| End { packets: 1, ..End::blank(Endpoint { ip: std::net::IpAddr::from([10, 0, 0, host]), port }) };
    let flow = Flow::blank(transport, end(1, 50_000), end(2, 50_001), Timestamp::default(), FrameId::default());
    Flow { direction, ended: Ended::CaptureEnd, ..flow }
}

/// Runs a dialogue of one flow; the frames count from 1.
fn run(flow: &Flow, midstream: bool, dialogue: &[(Side, &[u8])]) -> (Box<Identified>, Vec<Want>, Books) {
    run_with(flow, midstream, dialogue, false)
}

/// The same, the flow being packed after each piece where it `rests`, and looked at.
fn run_with(flow: &Flow, midstream: bool, dialogue: &[(Side, &[u8])], rests: bool) -> (Box<Identified>, Vec<Want>, Books) {
    let books = Books::default();
    let (mut identifier, mut offsets, mut wants) = (Identifier::new(&books), [0u64; 2], Vec::new());
    identifier.opened(Slot(3));
    for (number, (from, bytes)) in (1..).zip(dialogue) {
        let offset = offsets[*from as usize];
        offsets[*from as usize] += if flow.transport == Transport::TCP { bytes.len() as u64 } else { 1 };
        let (time, frame) = (Timestamp::from_parts(number as i64, 0), FrameId::new(0, number));
        wants.push(identifier.data(Slot(3), &flow.parties(), Data { from: *from, bytes, offset, missing: 0, midstream, time, frame, ttl: 64 }));
        let (seen, recognised) = (format!("{:?}", identifier.glance(Slot(3), flow.clone())), identifier.is_recognised(Slot(3)));
        if rests {
            identifier.rested(&[Slot(3)]);
            assert_eq!((format!("{:?}", identifier.glance(Slot(3), flow.clone())), identifier.is_recognised(Slot(3))), (seen, recognised));
        }
    }
    identifier.closed(Slot(3), flow.clone());
    let identified = identifier.ended().remove(0);
    (identified, wants, books)
}

fn hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0]].concat();
    [&[22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8][..], &body].concat()
}

#[test]
fn a_flow_that_rests_between_any_two_pieces_is_told_like_one_that_does_not() {
    let (client, server) = (Side::Client, Side::Server);
    let hello = hello();
    let dialogues: [&[(Side, &[u8])]; 7] = [
        &[
            (client, b"GET /a HTTP/1.1\r\nHost: device.example\r\nUser-Agent: x/1\r\n\r\n"),
            (server, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: y\r\n\r\nhe"),
            (server, b"llo"),
            (client, b"HEAD /b HTTP/1.1\r\nHost: device.example\r\n\r\n"),
            (server, b"HTTP/1.1 302 Found\r\nContent-Length: 9\r\nLocation: http://other.example/\r\n\r\n"),
            (client, b"GET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n"),
            (server, b"HTTP/1.1 404 Not Found\r\nX-Squid-Error: ERR_X 0\r\nContent-Length: 0\r\n\r\n"),
        ],
        &[
            (client, b"GET /"),
            (client, b" HTTP/1.1\r\nHost: a"),
            (client, b".example\r\n\r\n"),
            (server, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"),
            (server, b"c\r\n0\r\n\r\n"),
        ],
        &[(client, CONNECT), (server, CONNECTED), (client, &hello), (server, &[21, 3, 3, 0, 2, 2, 40])],
        &[
            (server, b"220 mail.example ESMTP\r\n"),
            (client, b"EHLO a.example\r\n"),
            (server, b"250 mail.example\r\n"),
            (client, b"AUTH LOGIN\r\n"),
            (server, b"535 no\r\n"),
        ],
        &[(client, b"nobody knows"), (server, b"this one"), (client, b"or this"), (client, b"either")],
        &[(server, b"SSH-2.0-x\r\n"), (client, b"SSH-2.0-y\r\n")],
        &[
            (client, b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
            (server, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
            (client, &[0x81, 0x80, 0, 0, 0, 0]),
        ],
    ];
    for dialogue in dialogues {
        for midstream in [false, true] {
            let told = |rests| {
                let (identified, wants, _) = run_with(&flow(Transport::TCP, Direction::Certain), midstream, dialogue, rests);
                format!("{identified:#?} {wants:?}")
            };
            assert_eq!(told(true), told(false));
        }
    }
}

#[test]
fn what_flows_showed_alike_is_kept_once() {
    let books = Books::default();
    let mut identifier = Identifier::new(&books);
    let parties = flow(Transport::TCP, Direction::Certain).parties();
    let asks = |path: u32| format!("GET /{path} HTTP/1.1\r\nHost: device.example\r\n\r\n");
    for (number, path) in [1, 1, 1, 2].into_iter().enumerate() {
        let (slot, bytes) = (Slot(number as u32), asks(path));
        identifier.opened(slot);
        let (time, frame) = (Timestamp::from_parts(number as i64, 0), FrameId::new(0, number as u64 + 1));
        identifier.data(slot, &parties, Data { from: Side::Client, bytes: bytes.as_bytes(), offset: 0, missing: 0, midstream: false, time, frame, ttl: 64 });
        identifier.rested(&[slot]);
    }
    assert_eq!(identifier.flows.kinds(), 1);
    let frames: Vec<_> = (0..4).map(|slot| identifier.glance(Slot(slot), flow(Transport::TCP, Direction::Certain)).matches[0].frame.number()).collect();
    assert_eq!(frames, [1, 2, 3, 4]);
}

const CONNECT: &[u8] = b"CONNECT broker.example:8883 HTTP/1.1\r\n\r\n";
const CONNECTED: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

#[test]
fn what_a_reader_held_back_is_said_at_the_end_of_its_flow() {
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01";
    let mut asked = flow(Transport::UDP, Direction::Certain);
    asked.server.endpoint.port = 53;
    assert!(run(&asked, false, &[(Side::Client, question)]).0.facts.contains(&Fact::Unanswered { name: "a.example".into() }));
}

#[test]
fn what_is_known_of_a_live_flow_fits_a_block_that_allocators_have() {
    assert!(size_of::<Live>() <= 224, "{} bytes", size_of::<Live>());
}

#[test]
fn behind_a_proxy_the_inner_protocol_is_found_where_it_begins() {
    let hello = hello();
    for cut in 1..hello.len() {
        let dialogue = [(Side::Client, CONNECT), (Side::Server, CONNECTED), (Side::Client, &hello[..cut]), (Side::Client, &hello[cut..])];
        let (identified, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &dialogue);
        assert_eq!(*identified.protocol, ["http", "tls"], "cut at {cut}");
        assert_eq!(identified.matches[1].offset, CONNECT.len() as u32);
    }
}

#[test]
fn an_opening_in_single_bytes_is_found_and_read_from_its_beginning() {
    let pieces: Vec<_> = CONNECT.chunks(5).map(|piece| (Side::Client, piece)).collect();
    let (identified, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &pieces);
    assert_eq!(*identified.protocol, ["http"]);
    assert!(identified.facts.contains(&Fact::request("CONNECT", "broker.example:8883")));
    assert_eq!(&*identified.opening[0], &CONNECT[..limit::OPENING_KEPT]);
}

#[test]
fn a_server_may_send_lines_of_text_before_its_ssh_version_and_nothing_else() {
    let of = |dialogue: &[(Side, &[u8])]| run(&flow(Transport::TCP, Direction::Certain), false, dialogue).0.protocol.to_vec();
    assert_eq!(of(&[(Side::Server, b"W"), (Side::Server, b"elcome\r\nSSH"), (Side::Server, b"-2.0-x\r\n")]), ["ssh"]);
    assert!(of(&[(Side::Server, b"\0\x18\r\nSSH-2.0-x\r\n")]).is_empty());
    assert!(of(&[(Side::Client, b"Welcome\r\nSSH-2.0-x\r\n")]).is_empty());
}

#[test]
fn a_version_of_sip_and_rtsp_in_small_letters_is_one() {
    let of = |answer: &[u8]| run(&flow(Transport::UDP, Direction::Certain), false, &[(Side::Server, answer)]).0.protocol.to_vec();
    assert_eq!([of(b"sIP/2.0 408 Request Timeout\r\n\r\n"), of(b"rtsp/1.0 200 OK\r\n\r\n")], [["sip"], ["rtsp"]]);
}

#[test]
fn content_turns_a_flow_whose_direction_is_not_certain() {
    let dialogue = [(Side::Client, b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n".as_slice())];
    let (turned, ..) = run(&flow(Transport::TCP, Direction::Unknown), true, &dialogue);
    assert_eq!((turned.flow.client.endpoint.port, turned.flow.direction), (50_001, Direction::Likely));
    assert!(turned.facts.contains(&Fact::Software { of: Side::Server, text: "x".into() }));
    assert_eq!((turned.matches[0].side, turned.opening[1].len()), (Side::Server, dialogue[0].1.len()));
    let (kept, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &dialogue);
    assert_eq!(kept.flow.client.endpoint.port, 50_000);
}

#[test]
fn how_a_long_dialogue_was_refused_at_last_is_kept_beyond_the_bound() {
    let asked: Vec<String> = (0..2 * limit::FACTS_KEPT).map(|n| format!("GET /{n} HTTP/1.1\r\n\r\n")).collect();
    let refusals = ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"];
    let asks = asked.iter().map(|text| (Side::Client, text.as_bytes()));
    let dialogue: Vec<_> = asks.chain(refusals.iter().map(|text| (Side::Server, text.as_bytes()))).collect();
    let (identified, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &dialogue);
    assert_eq!(identified.facts.len(), limit::FACTS_KEPT + 1);
    assert!(matches!(identified.facts.last(), Some(Fact::Answer { code: 403, .. })), "{:?}", identified.facts.last());
}

#[test]
fn a_flow_whose_start_was_not_seen_is_believed_one_class_less() {
    let dialogue = [(Side::Client, CONNECT), (Side::Server, CONNECTED)];
    assert_eq!(run(&flow(Transport::TCP, Direction::Certain), false, &dialogue).0.evidence, Evidence::Dialogue);
    assert_eq!(run(&flow(Transport::TCP, Direction::Certain), true, &dialogue).0.evidence, Evidence::BothOpenings);
}

#[test]
fn a_flow_that_nobody_knows_is_given_up_and_keeps_its_opening() {
    let junk = [0xf5u8; 600];
    let dialogue: Vec<_> = (0..12).map(|n| (if n % 2 == 0 { Side::Client } else { Side::Server }, junk.as_slice())).collect();
    for transport in [Transport::TCP, Transport::UDP] {
        let (identified, wants, _) = run(&flow(transport, Direction::Certain), false, &dialogue);
        assert_eq!((identified.protocol.len(), identified.evidence), (0, Evidence::None));
        assert_eq!(wants.last(), Some(&Want::Nothing));
        assert_eq!(identified.opening.each_ref().map(|kept| kept.len()), [limit::OPENING_KEPT; 2]);
    }
}

#[test]
fn what_a_side_began_with_is_its_first_datagram_that_has_bytes_and_of_streams_goes_on() {
    let dialogue: [(Side, &[u8]); 5] =
        [(Side::Client, b""), (Side::Client, b"\xf5"), (Side::Client, b"\xf6\xf7"), (Side::Server, b"\xf8\xf9"), (Side::Server, b"\xfa")];
    let of = |transport| run(&flow(transport, Direction::Certain), false, &dialogue).0.opening.each_ref().map(|kept| kept.to_vec());
    assert_eq!(of(Transport::UDP), [b"\xf5".to_vec(), b"\xf8\xf9".to_vec()]);
    assert_eq!(of(Transport::TCP), [b"\xf5\xf6\xf7".to_vec(), b"\xf8\xf9\xfa".to_vec()]);
}

#[test]
fn what_openings_hold_together_has_a_bound_and_is_given_back() {
    let books = Books::default();
    let mut identifier = Identifier::new(&books).within(10_000);
    let flow = flow(Transport::UDP, Direction::Certain);
    let junk = [0xf5_u8; 1_000];
    let piece = |number: u64| {
        let (time, frame) = (Timestamp::from_parts(number as i64, 0), FrameId::new(0, number));
        Data { from: Side::Client, bytes: &junk, offset: number, missing: 0, midstream: false, time, frame, ttl: 64 }
    };
    for slot in 0..20 {
        identifier.opened(Slot(slot));
        identifier.data(Slot(slot), &flow.parties(), piece(0));
    }
    // Each takes a thousand bytes and its lists.
    assert!((10..20).contains(&identifier.given_up()), "{}", identifier.given_up());
    (0..20).for_each(|slot| identifier.closed(Slot(slot), flow.clone()));
    assert_eq!(identifier.budget, 10_000);
}

#[test]
fn a_datagram_after_others_that_say_nothing_is_still_found() {
    let announcement = b"NOTIFY * HTTP/1.1\r\nLOCATION: http://10.0.0.9:80/\r\nNT: x\r\n\r\n";
    let (identified, _, books) = run(&flow(Transport::UDP, Direction::Certain), false, &[(Side::Client, &[0xf5; 40]), (Side::Client, announcement)]);
    assert_eq!((identified.protocol.as_slice(), identified.matches[0].frame.number()), (&["ssdp"][..], 2));
    let (anyone, server) = (std::net::IpAddr::from([10, 0, 0, 77]), Endpoint { ip: std::net::IpAddr::from([10, 0, 0, 9]), port: 80 });
    assert!(books.announced(Transport::TCP, anyone, server, Timestamp::from_parts(3, 0)).is_some());
    assert!(books.announced(Transport::TCP, anyone, server, Timestamp::from_parts(1, 0)).is_none());
}

#[test]
fn streams_that_begin_alike_are_told_apart_whoever_came_first() {
    let openings: [(&str, &[u8]); 3] = [
        ("http", b"OPTIONS / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("rtsp", b"OPTIONS rtsp://a.example/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        ("sip", b"OPTIONS sip:a@a.example SIP/2.0\r\nVia: SIP/2.0/TCP a.example\r\nCSeq: 1 OPTIONS\r\n\r\n"),
    ];
    // Who is recognised by its first piece is remembered with all who refuse its first four bytes.
    for (name, bytes) in openings.iter().chain(openings.iter().rev()) {
        let (identified, ..) = run(&flow(Transport::TCP, Direction::Certain), false, &[(Side::Client, *bytes)]);
        assert_eq!(*identified.protocol, [*name]);
    }
}

#[test]
fn details_of_a_protocol_and_a_field_lie_together_in_the_order_they_were_first_said_and_each_once() {
    let mut spoken = Spoken::default();
    let said = [
        ("tls", "version", "1.2"),
        ("http", "server", "a"),
        ("tls", "ja4", "x"),
        ("tls", "version", "1.3"),
        ("http", "server", "a"),
        ("tls", "version", "1.2"),
    ];
    for (protocol, field, value) in said {
        assert!(spoken.keep_detail(Detail { key: (protocol, field), value: value.into() }));
    }
    let first = spoken.details.clone();
    let kept: Vec<_> = first.iter().map(|detail| (detail.key.0, detail.key.1, detail.value.as_str().unwrap())).collect();
    assert_eq!(kept, [("tls", "version", "1.2"), ("tls", "version", "1.3"), ("tls", "ja4", "x"), ("http", "server", "a")]);
    let many = (0..2 * limit::DETAILS_KEPT).filter(|n| spoken.keep_detail(Detail { key: ("dns", "query"), value: n.to_string().into() })).count();
    assert_eq!((many + kept.len(), spoken.details.len()), (limit::DETAILS_KEPT, limit::DETAILS_KEPT));
}

#[test]
fn who_answers_datagrams_is_the_server_whatever_was_captured_first_and_whatever_its_port() {
    // A kiss of death (RFC 5905 section 7.4), and what it answers.
    let (mut request, mut kiss) = ([0_u8; 48], [0_u8; 48]);
    (request[0], kiss[0]) = (0x23, 0xe4);
    request[40..].fill(7);
    kiss[24..32].fill(7);
    kiss[12..16].copy_from_slice(b"RATE");
    for direction in [Direction::Certain, Direction::Likely, Direction::Unknown] {
        let mut first = flow(Transport::UDP, direction);
        (first.client.endpoint.port, first.server.endpoint.port) = (123, 123);
        let server = first.client.endpoint;
        for rests in [false, true] {
            let (told, ..) = run_with(&first, false, &[(Side::Client, &kiss), (Side::Server, &request)], rests);
            let refused = Fact::answer(crate::identify::AnswerKind::Refused, 0, "RATE");
            assert_eq!((told.flow.server.endpoint, told.flow.direction, told.facts.contains(&refused)), (server, Direction::Likely, true), "{direction:?}");
            assert_eq!(told.evidence, Evidence::Dialogue);
        }
        // What goes to a group was asked by nobody there.
        first.server.endpoint.ip = std::net::IpAddr::from([224, 0, 1, 1]);
        let (told, ..) = run(&first, false, &[(Side::Client, &kiss)]);
        assert_eq!(told.flow.client.endpoint == server, direction == Direction::Certain, "{direction:?}");
    }
}
