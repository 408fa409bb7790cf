//! Sessions that had been served and broke in their middle. One test a rule of the decision table, named after it.

use super::outcomes::{CLIENT, SERVER, expect, judge};
use super::sample::*;
use crate::flow::{Ended, OpenSegment, Rejection};
use crate::identify::{Fact, Step};
use crate::judge::{Confidence, Outcome, Site};
use crate::net::Side;

/// A connection in which both had spoken; the server's packets come with a time to live of 57.
fn served() -> Sample {
    tcp(CLIENT, SERVER).talked(300, 900)
}

// nft's `reject with tcp reset` loaded into a running connection: from the firewall, two hops nearer than the server
#[test]
fn d66_a_reset_from_another_distance_in_a_served_connection_was_made_on_the_way() {
    let judged = judge(served().reset(5.0, 64));
    expect(&judged, Outcome::ResetByMiddlebox, Confidence::Low, Some("D66"));
    let cause = judged.cause.unwrap();
    assert!(cause.says.contains("stood for 4 s") && cause.says.contains("(64) is 7 off"), "{}", cause.says);
    let with = |change: fn(&mut Sample)| {
        let mut sample = served().reset(5.0, 64);
        change(&mut sample);
        judge(sample)
    };
    // A second sign: the server goes on, or the resets contradict each other.
    let goes_on = with(|sample| sample.0.flow.tcp.as_mut().unwrap().reset_contradicted = true);
    expect(&goes_on, Outcome::ResetByMiddlebox, Confidence::Medium, Some("D66"));
    // Who had begun to close may be told so by anybody; and the host's own resets, also with another initial time to live (248 of 255: seven hops, too).
    assert_eq!(with(|sample| sample.0.flow.tcp.as_mut().unwrap().fins[0] = true).outcome, Outcome::Ok);
    for own in [57, 248] {
        assert_eq!(judge(served().reset(5.0, own)).outcome, Outcome::Ok);
    }
}

// a device that cuts SSH for its banner, while that of the server is on its way
#[test]
fn d66_a_server_that_speaks_after_its_reset_did_not_send_it() {
    let mut sample = tcp(CLIENT, SERVER).talked(40, 40).reset(1.15, 200);
    let story = sample.0.flow.tcp.as_mut().unwrap();
    (story.reset.as_mut().unwrap().server_payload, story.reset_contradicted) = (0, true);
    expect(&judge(sample), Outcome::ResetByMiddlebox, Confidence::Medium, Some("D66"));
}

#[test]
fn d66_a_reset_from_another_distance_is_told_of_a_connection_that_is_older_than_the_capture() {
    let mut sample = tcp(CLIENT, SERVER).midstream().talked(300, 900).reset(5.0, 64);
    sample.0.flow.tcp.as_mut().unwrap().ttl = [Some((64, 64)), Some((57, 57))];
    sample.0.flow.tcp.as_mut().unwrap().reset.as_mut().unwrap().answers_syn = false;
    expect(&judge(sample), Outcome::ResetByMiddlebox, Confidence::Low, Some("D66"));
}

fn rejection(seconds: f64, number: u64, by: &str, kind: u8, code: u8) -> Rejection {
    let (by, time, frame) = (by.parse().unwrap(), at(seconds), frame(number));
    Rejection { by, to: Side::Client, v6: false, kind, code, mtu: None, quoted_ttl: 60, time, frame }
}

/// What the client sent last was repeated so often, and never acknowledged.
fn repeated(mut sample: Sample, side: Side, again: u32) -> Sample {
    let (place, story) = (side as usize, sample.0.flow.tcp.as_mut().unwrap());
    let before = story.acknowledged[place];
    story.payload[place] = before + 40;
    story.open_segment[place] = OpenSegment { len: 40, again, end: 1 + before as i64 + 40 };
    sample
}

// recorded with a server whose host is started anew, and with one whose address another takes over (VRRP): what curl had repeated meanwhile meets a host that knows nothing of it
#[test]
fn d65_what_was_repeated_in_vain_and_refused_at_last_met_another_host_or_the_same_one_anew() {
    let refused = |again: u32, with_ack: bool| {
        let mut sample = repeated(served().reset(9.0, 57), Side::Client, again);
        sample.0.flow.tcp.as_mut().unwrap().reset.as_mut().unwrap().with_ack = with_ack;
        sample
    };
    let judged = judge(refused(4, false));
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D65"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("40 bytes of the client were repeated 4 times") && says.contains("started anew"), "{says}");
    // A session that had begun before the capture is lost likewise.
    let mut joined = refused(4, false);
    let story = joined.0.flow.tcp.as_mut().unwrap();
    (story.established, story.midstream, story.syns, story.syn_acks) = (false, true, 0, 0);
    expect(&judge(joined), Outcome::ServerSilent, Confidence::Low, Some("D65"));
    // Loss; a server that ends the connection itself, of which it knows; one that had closed.
    assert_eq!(judge(refused(2, false)).outcome, Outcome::Ok);
    assert_eq!(judge(refused(4, true)).outcome, Outcome::Ok);
    let mut closed = refused(4, false);
    closed.0.flow.tcp.as_mut().unwrap().fins[1] = true;
    assert_eq!(judge(closed).outcome, Outcome::Ok);
}

#[test]
fn d67_errors_that_refuse_what_a_served_client_sends_are_the_networks() {
    let refused = |again: u32, errors: &[Rejection]| {
        let mut sample = repeated(served(), Side::Client, again);
        sample.0.flow.rejections = errors.iter().copied().collect();
        judge(sample)
    };
    let prohibited = |number: u64| rejection(4.0, number, "10.1.0.1", 3, 13);
    let judged = refused(3, &[prohibited(30), prohibited(31)]);
    expect(&judged, Outcome::RejectedByNetwork, Confidence::High, Some("D67"));
    let cause = judged.cause.unwrap();
    assert!(cause.says.contains("10.1.0.1 refused") && cause.by == "10.1.0.1".parse().ok(), "{cause:?}");
    // Of TCP a port is refused by a reset: an error is a filter's, whatever address it bears.
    let port = |number: u64| rejection(4.0, number, "203.0.113.7", 3, 3);
    expect(&refused(3, &[port(30), port(31)]), Outcome::RejectedByNetwork, Confidence::Medium, Some("D67"));
    // One error may be a moment's; and what came through after all was not refused.
    assert_ne!(refused(3, &[prohibited(30)]).outcome, Outcome::RejectedByNetwork);
    assert_eq!(refused(0, &[prohibited(30), prohibited(31)]).outcome, Outcome::Ok);
}

// nft's `reject` of what names a host, where the server talks to the client otherwise
#[test]
fn d67_a_first_message_that_is_refused_is_refused_though_others_pass() {
    let mut sample = repeated(tcp(CLIENT, SERVER).talked(0, 0), Side::Client, 4);
    sample.0.flow.client.payload_bytes = 200;
    sample.0.flow.rejections = [30, 31].into_iter().map(|number| rejection(2.0, number, "10.1.0.1", 3, 13)).collect();
    let talked = tcp("10.1.0.2:39999", SERVER).talked(517, 900);
    let judged = judge_among(Site::default(), &[sample], &[talked, background()]).remove(0);
    expect(&judged, Outcome::RejectedByNetwork, Confidence::High, Some("D67"));
}

#[test]
fn d67_datagrams_are_refused_in_the_middle_where_nothing_came_back_after_the_errors() {
    let refused = |seconds: f64, by: &str, code: u8| {
        let mut sample = udp(CLIENT, "203.0.113.7:4433").talked(9000, 9000).speaks(&["quic"]);
        sample.0.flow.server.last = Some(at(3.0));
        sample.0.flow.rejections = [rejection(seconds, 30, by, 3, code), rejection(seconds + 1.0, 31, by, 3, code)].into_iter().collect();
        judge(sample)
    };
    expect(&refused(4.0, "10.1.0.1", 13), Outcome::RejectedByNetwork, Confidence::High, Some("D67"));
    expect(&refused(4.0, "10.1.0.1", 3), Outcome::RejectedByNetwork, Confidence::Medium, Some("D67"));
    // The server went on; or its program has ended, which it says itself.
    assert_eq!(refused(2.0, "10.1.0.1", 13).outcome, Outcome::Ok);
    assert_eq!(refused(4.0, "203.0.113.7", 3).outcome, Outcome::Ok);
}

// a server of QUIC whose program ends without a word, while its client goes on
#[test]
fn d71_a_host_that_answered_and_says_then_that_nobody_is_there_has_closed() {
    let left = |seconds: f64, by: &str, errors: u64| {
        let mut sample = udp(CLIENT, "203.0.113.7:4433").talked(9000, 9000).speaks(&["quic"]);
        let flow = &mut sample.0.flow;
        (flow.server.last, flow.client.last, flow.last, flow.alone) = (Some(at(3.0)), Some(at(20.0)), at(20.0), [9, 0]);
        flow.rejections = (0..errors).map(|number| rejection(seconds + number as f64, 30 + number, by, 3, 3)).collect();
        judge(sample)
    };
    let judged = left(4.0, "203.0.113.7", 3);
    expect(&judged, Outcome::RefusedByHost, Confidence::Medium, Some("D71"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("answered for 2 s") && says.contains("nothing listens on 4433/udp any more"), "{says}");
    // One may be of a moment; what comes from somebody else is not the host's word, nor is what it said before it answered.
    for other in [left(4.0, "203.0.113.7", 1), left(4.0, "10.1.0.1", 3), left(0.1, "203.0.113.7", 2)] {
        assert_ne!(other.outcome, Outcome::RefusedByHost);
    }
}

// recorded at the server's side of a firewall that drops what the server sends, once the connection stands
#[test]
fn d68_both_ends_that_repeat_themselves_in_a_served_connection_show_that_answers_do_not_arrive() {
    let lost = |again: u32, by_client: u32| {
        let mut sample = repeated(served(), Side::Server, again);
        sample.0.flow.ended = Ended::CaptureEnd;
        sample.0.flow.tcp.as_mut().unwrap().retransmissions = [by_client, again];
        judge(sample)
    };
    let judged = lost(4, 4);
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D68"));
    assert!(judged.cause.unwrap().says.contains("repeated 40 bytes 4 times"));
    // A client that is gone says nothing any more.
    assert_eq!(lost(4, 0).outcome, Outcome::Ok);
    assert_eq!(lost(2, 4).outcome, Outcome::Ok);
}

/// The error that refuses what the server sends.
fn back(number: u64, by: &str, code: u8) -> Rejection {
    Rejection { to: Side::Server, ..rejection(1.2, number, by, 3, code) }
}

// nft's `reject` of what comes back, seen at the server's side
#[test]
fn d68_answers_of_datagrams_that_somebody_refuses_on_the_way_do_not_arrive() {
    let refused = |errors: &[Rejection]| {
        let mut sample = udp(CLIENT, "203.0.113.7:161").talked(40, 90).speaks(&["snmp"]);
        sample.0.flow.rejections = errors.iter().copied().collect();
        judge(sample)
    };
    let judged = refused(&[back(30, "203.0.113.1", 13), back(31, "203.0.113.1", 13)]);
    expect(&judged, Outcome::ReturnPathBroken, Confidence::High, Some("D68"));
    assert!(judged.cause.unwrap().says.contains("203.0.113.1 does not let through what it answers (ICMP type 3 code 13)"));
    expect(&refused(&[back(30, "203.0.113.1", 13)]), Outcome::ReturnPathBroken, Confidence::Medium, Some("D68"));
    let without_route = refused(&[back(30, "203.0.113.1", 1), back(31, "203.0.113.1", 1)]);
    assert_eq!(without_route.outcome, Outcome::Ok, "a client that was switched off");
    // A client that no longer waits, or whose own filter has forgotten that it asked; a moment without a route.
    for fine in [back(30, "10.1.0.2", 3), back(30, "10.1.0.2", 10), back(30, "203.0.113.1", 3), back(30, "203.0.113.1", 0)] {
        assert_eq!(refused(&[fine]).outcome, Outcome::Ok, "{fine:?}");
    }
}

#[test]
fn d30_who_refuses_the_answers_to_a_syn_is_named() {
    let mut sample = tcp(CLIENT, SERVER).syns(&[1.0, 2.0, 4.0]).syn_acks(4, 5.0);
    expect(&judge(sample.clone()), Outcome::ReturnPathBroken, Confidence::Medium, Some("D30"));
    sample.0.flow.rejections = [back(30, "203.0.113.1", 13)].into_iter().collect();
    let judged = judge(sample);
    expect(&judged, Outcome::ReturnPathBroken, Confidence::High, Some("D30"));
    assert!(judged.cause.unwrap().says.contains("203.0.113.1 does not let through"));
}

// coap-client, srt-live-transmit and dig behind a firewall that drops what comes back, recorded beside the server
#[test]
fn d30_what_is_asked_after_each_answer_gets_none_over_datagrams_either() {
    let asked = |protocol: &'static str, until: f64| {
        let mut sample = udp(CLIENT, "203.0.113.7:5684").talked(600, 180).speaks(&[protocol]).fact(Fact::Unheard);
        sample.0.flow.client.last = Some(at(until));
        sample
    };
    for protocol in ["dtls", "srt", "dns"] {
        expect(&judge(asked(protocol, 8.0)), Outcome::ReturnPathBroken, Confidence::Medium, Some("D30"));
        // As long as a very long way takes.
        expect(&judge(asked(protocol, 2.0)), Outcome::ReturnPathBroken, Confidence::Low, Some("D30"));
    }
}

// a firewall that drops the server's datagrams of more than 600 bytes
#[test]
fn d69_a_quic_client_that_never_gets_beyond_its_first_packets_does_not_get_all_answers() {
    let stalled = |packets: u64, bytes: u64, seconds: f64| {
        let mut sample = udp(CLIENT, "203.0.113.7:443").talked(1200, 400).speaks(&["quic", "tls"]).fact(Fact::Reached(Step::ClientHello));
        let client = &mut sample.0.flow.client;
        (client.packets, client.payload_bytes, client.last) = (packets, bytes, Some(at(1.0 + seconds)));
        sample.0.flow.last = at(1.0 + seconds);
        sample
    };
    expect(&judge(stalled(9, 9 * 1200, 12.0)), Outcome::ReturnPathBroken, Confidence::Low, Some("D69"));
    // What follows the handshake is smaller (RFC 9000 section 14.1); and a few may be repeated on a lossy path.
    for passes in [stalled(9, 8 * 1200 + 40, 12.0), stalled(3, 3 * 1200, 12.0), stalled(9, 9 * 1200, 0.5)] {
        assert_eq!(judge(passes).outcome, Outcome::Ok);
    }
    // An upload is of full datagrams, too, but its client came further.
    let mut upload = stalled(9, 9 * 1300, 12.0);
    upload.0.facts.clear();
    assert_eq!(judge(upload).outcome, Outcome::Ok);
    let mut by_tcp = tcp("10.1.0.2:41000", "203.0.113.7:443").talked(500, 900).speaks(&["tls"]);
    by_tcp.0.flow.last = at(20.0);
    let judged = judge_among(Site::default(), &[stalled(9, 9 * 1200, 12.0)], &[by_tcp]).remove(0);
    assert_eq!((judged.outcome, judged.cause.map(|cause| cause.rule)), (Outcome::OkDegraded, Some("D74")));
}

#[test]
fn d84_a_client_that_goes_on_alone_in_a_protocol_that_acknowledges_is_no_longer_heard() {
    let alone = |protocol: &'static str, packets: u16, seconds: f64| {
        let mut sample = udp(CLIENT, "203.0.113.7:9000").talked(9000, 9000).speaks(&[protocol]);
        let flow = &mut sample.0.flow;
        (flow.server.last, flow.client.last, flow.last) = (Some(at(3.0)), Some(at(3.0 + seconds)), at(3.0 + seconds));
        flow.alone = [packets, 0];
        judge(sample)
    };
    for (protocol, seconds) in [("srt", 5.0), ("quic", 4.0), ("snmp", 12.0), ("wireguard", 20.0)] {
        let judged = alone(protocol, 9, seconds);
        expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D84"));
        assert!(judged.cause.unwrap().says.contains("sent 9 packets"), "{protocol}");
    }
    // wg-quick with `PersistentKeepalive` at one end and nothing to say at the other (recorded with 5 s): what is kept alive is not answered (WireGuard's paper, section 6.5), but keys are renewed.
    for kept_alive in [alone("wireguard", 5, 20.0), alone("wireguard", 5, 110.0), alone("wireguard", 28, 140.0)] {
        assert_eq!(kept_alive.outcome, Outcome::Ok);
    }
    expect(&alone("wireguard", 30, 400.0), Outcome::ServerSilent, Confidence::Low, Some("D84"));
    // One that says goodbye after a pause; one that waits for its answer yet; and media, whose receiver need not say anything.
    for passes in [alone("quic", 1, 30.0), alone("srt", 9, 1.0), alone("snmp", 9, 5.0), alone("rtp", 900, 20.0)] {
        assert_eq!(passes.outcome, Outcome::Ok);
    }
}

// A path of QUIC or SRT that is cut behind the client, seen from the server's side
#[test]
fn d97_a_server_that_tells_a_client_of_quic_or_srt_something_and_hears_nothing_more() {
    let told = |protocol: &'static str, packets: u16, seconds: f64| {
        let mut sample = udp(CLIENT, "203.0.113.7:9000").talked(9000, 9000).speaks(&[protocol]);
        let flow = &mut sample.0.flow;
        (flow.client.last, flow.server.last, flow.last) = (Some(at(3.0)), Some(at(3.0 + seconds)), at(3.0 + seconds));
        flow.alone = [0, packets];
        sample
    };
    for protocol in ["srt", "quic"] {
        let judged = judge(told(protocol, 9, 5.0));
        expect(&judged, Outcome::ReturnPathBroken, Confidence::Low, Some("D97"));
        assert!(judged.cause.unwrap().says.contains("203.0.113.7 sent 9 packets over 5 s and nothing came back"), "{protocol}");
    }
    // What was on its way when the client closed; a program that was ended, whose host says so; media, whose receiver need not say anything.
    let mut ended = told("srt", 9, 5.0);
    let gone = udp(CLIENT, "203.0.113.7:9000").icmp("10.1.0.2", 3, 3);
    ended.0.flow.rejections = gone.0.flow.rejections.iter().map(|error| crate::flow::Rejection { to: Side::Server, ..*error }).collect();
    for passes in [told("quic", 9, 1.0), told("quic", 2, 30.0), ended, told("rtp", 900, 20.0)] {
        assert_eq!(judge(passes).outcome, Outcome::Ok);
    }
}

// A poller with one socket, whose requests have a number each
#[test]
fn d70_a_device_that_is_polled_from_one_port_and_never_answers_is_a_hint() {
    let polls = |protocol: &'static str, times: u64, seconds: f64| {
        let mut sample = udp(CLIENT, "203.0.113.7:161").speaks(&[protocol]);
        let flow = &mut sample.0.flow;
        (flow.client.packets, flow.client.last, flow.last) = (times, Some(at(1.0 + seconds)), at(1.0 + seconds));
        sample
    };
    let judged = judge(polls("snmp", 9, 24.0).cut_by_the_end());
    expect(&judged, Outcome::SilentDrop, Confidence::Low, Some("D70"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("(snmp) 9 times over 24 s, each time anew"), "{says}");
    for few in [polls("snmp", 4, 24.0), polls("snmp", 9, 4.0), polls("stun", 18, 24.0), polls("rtp", 900, 24.0)] {
        assert_ne!(judge(few).outcome, Outcome::SilentDrop);
    }
    // Traps are not answered.
    assert_ne!(judge(polls("snmp", 9, 24.0).fact(Fact::OneWay)).outcome, Outcome::SilentDrop);
}

// Net-SNMP with a wrong privacy password: the agent tells its engine to everybody, and does not answer what it cannot decrypt.
#[test]
fn d84_an_agent_of_snmp_3_that_tells_its_engine_and_nothing_else_does_not_know_the_client() {
    let asked = |times: u16, seconds: f64, answers: u64| {
        let mut sample = udp(CLIENT, "203.0.113.7:161").talked(900, 105).speaks(&["snmp"]).fact(Fact::request("get", ""));
        let flow = &mut sample.0.flow;
        (flow.server.last, flow.client.last, flow.last) = (Some(at(0.0)), Some(at(seconds)), at(seconds));
        (flow.alone, flow.server.packets) = ([times, 0], answers);
        judge(sample)
    };
    let judged = asked(6, 5.0, 1);
    expect(&judged, Outcome::ServerSilent, Confidence::Low, Some("D84"));
    assert!(judged.cause.unwrap().says.contains("told its SNMP engine, and answered none of the 6 requests"));
    // One that takes its time, and one that had answered other questions.
    for passes in [asked(2, 5.0, 1), asked(6, 2.0, 1), asked(6, 5.0, 2)] {
        assert_eq!(passes.outcome, Outcome::Ok);
    }
}

/// Of the same client's connections so many packets, of which so many had to come again.
fn path(packets: u64, again: u32) -> Sample {
    let mut sample = tcp("10.1.0.2:41000", "203.0.113.7:443").talked(9000, 9000);
    sample.0.flow.client.packets = packets;
    sample.0.flow.tcp.as_mut().unwrap().retransmissions = [again, 0];
    sample.0.flow.last = at(60.0);
    sample
}

// 20 % of all packets lost each way: 36 of 100 questions are not answered, and 5 of 100 are not in three tries
#[test]
fn d32_few_questions_without_an_answer_are_chance_where_the_path_loses_much() {
    let asked = |times: u32, again: u32| {
        let silent = (1..times).fold(udp("10.1.0.2:50000", "203.0.113.7:161").speaks(&["snmp"]), |silent, _| silent.fact(Fact::Retry));
        judge_among(Site::default(), &[silent], &[path(200, again)]).remove(0)
    };
    let judged = asked(3, 30);
    expect(&judged, Outcome::Unreachable, Confidence::Low, Some("D32"));
    assert!(judged.cause.unwrap().says.contains("loses packets"));
    assert_eq!(asked(3, 2).outcome, Outcome::SilentDrop);
    assert_eq!(asked(4, 30).outcome, Outcome::SilentDrop, "that is no chance any more");
    let opened = |syns: &[f64]| judge_among(Site::default(), &[tcp(CLIENT, SERVER).syns(syns)], &[path(200, 30)]).remove(0);
    assert_eq!(opened(&[1.0, 2.0]).outcome, Outcome::Unreachable);
    assert_eq!(opened(&[1.0, 2.0, 4.0, 8.0]).outcome, Outcome::SilentDrop, "that is no chance any more");
}

#[test]
fn d92_a_dtls_handshake_that_only_the_client_ends_has_failed() {
    let ended = |again: u32| {
        let hello =
            udp(CLIENT, "10.1.0.2:5684").talked(200, 60).speaks(&["dtls"]).fact(Fact::Reached(Step::ServerHello)).fact(Fact::Reached(Step::ClientFinished));
        (0..again).fold(hello, |sample, _| sample.fact(Fact::Retry))
    };
    expect(&judge(ended(3)), Outcome::TlsFailed, Confidence::Medium, Some("D92"));
    let judged = judge(ended(2));
    expect(&judged, Outcome::TlsFailed, Confidence::Low, Some("D92"));
    let cause = judged.cause.unwrap();
    assert!(cause.says.contains("3 times") && cause.alternatives.iter().any(|other| other.contains("wrong key")), "{cause:?}");
    assert_eq!(judge(ended(1)).outcome, Outcome::Ok);
}

// curl's upload, before a firewall that drops what the server answers
#[test]
fn d68_content_that_is_repeated_though_it_was_acknowledged_shows_that_acknowledgments_do_not_arrive() {
    let repeated = |times: u8| {
        let mut sample = served().cut_by_the_end();
        sample.0.flow.tcp.as_mut().unwrap().repeats[0].acknowledged = times;
        sample
    };
    let judged = judge(repeated(3));
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D68"));
    assert!(judged.cause.unwrap().says.contains("10.1.0.2 repeated 3 times what 203.0.113.7 had acknowledged"));
    assert_eq!(judge(repeated(2)).outcome, Outcome::Ok);
    // Who has closed listens no longer.
    let mut closed = repeated(3);
    closed.0.flow.tcp.as_mut().unwrap().fins[0] = true;
    assert_eq!(judge(closed).outcome, Outcome::Ok);
}

// curl's download, whose acknowledgments a firewall drops
#[test]
fn d98_a_server_that_repeats_what_was_acknowledged_does_not_hear_its_client() {
    let repeated = |times: u8| {
        let mut sample = served().cut_by_the_end();
        sample.0.flow.tcp.as_mut().unwrap().repeats[1].acknowledged = times;
        judge(sample)
    };
    let judged = repeated(5);
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D98"));
    assert!(judged.cause.unwrap().says.contains("what 10.1.0.2 sends no longer reaches it"));
    assert_eq!(repeated(2).outcome, Outcome::Ok);
    // Who has closed awaits nothing any more.
    let mut closed = served().cut_by_the_end();
    let story = closed.0.flow.tcp.as_mut().unwrap();
    (story.repeats[1].acknowledged, story.fins[1]) = (6, true);
    assert_eq!(judge(closed).outcome, Outcome::Ok);
    // Who does not repeat what nobody acknowledged is not captured any more.
    let mut lost = served().cut_by_the_end();
    let story = lost.0.flow.tcp.as_mut().unwrap();
    (story.repeats[1].acknowledged, story.open_segment[0]) = (6, OpenSegment { len: 513, again: 0, end: 900 });
    assert_eq!(judge(lost).outcome, Outcome::Ok);
}

// curl's download cut both ways, recorded beside the server
#[test]
fn d97_a_server_that_repeats_itself_to_a_client_that_says_nothing_more_is_not_heard() {
    let cut = |again: u32, seconds: f64| {
        let mut sample = repeated(served(), Side::Server, again).cut_by_the_end();
        sample.0.flow.server.last = Some(at(1.2 + seconds));
        sample
    };
    let judged = judge(cut(4, 6.0));
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Low, Some("D97"));
    let cause = judged.cause.unwrap();
    assert!(
        cause.says.contains("40 bytes of 203.0.113.7 were sent again 4 times") && cause.alternatives.iter().any(|other| other.contains("switched off")),
        "{cause:?}"
    );
    // Loss; a moment's silence; a client that takes no more, that has closed, or that has reset.
    assert_eq!(judge(cut(2, 6.0)).outcome, Outcome::Ok);
    assert_eq!(judge(cut(4, 1.0)).outcome, Outcome::Ok);
    let changes: [fn(&mut crate::flow::TcpStory); 2] = [|story| story.stalled[0] = true, |story| story.fins[0] = true];
    for change in changes {
        let mut spared = cut(4, 6.0);
        change(spared.0.flow.tcp.as_mut().unwrap());
        assert_eq!(judge(spared).outcome, Outcome::Ok);
    }
}

#[test]
fn d97_keep_alives_of_a_server_that_nobody_answers_show_that_its_client_is_gone() {
    let asked = |closed: bool| {
        let mut sample = served().cut_by_the_end();
        sample.0.flow.server.last = Some(at(12.0));
        let story = sample.0.flow.tcp.as_mut().unwrap();
        (story.repeats[1].unanswered, story.fins) = (5, [false, closed]);
        judge(sample)
    };
    let judged = asked(false);
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Low, Some("D97"));
    assert!(judged.cause.unwrap().says.contains("asked 5 times whether it is there"));
    // A server that takes its leave of a client that has gone already: everyday.
    expect(&asked(true), Outcome::Ok, Confidence::Medium, None);
}

// mosquitto behind a firewall that refuses what its clients send: their pings are refused, and the broker closes, as its patience is over
#[test]
fn d67_a_server_that_closes_on_a_client_that_is_refused_makes_it_no_less_the_networks() {
    let closed = |untaken: u8| {
        let mut sample = repeated(served(), Side::Client, 4).cut_by_the_end();
        sample.0.flow.rejections = [30, 31].map(|number| rejection(4.0, number, "10.1.0.1", 3, 13)).into_iter().collect();
        sample.0.flow.history.push(b'f');
        let story = sample.0.flow.tcp.as_mut().unwrap();
        (story.fins[1], story.repeats[0].untaken) = (true, untaken);
        judge(sample)
    };
    expect(&closed(3), Outcome::RejectedByNetwork, Confidence::High, Some("D67"));
    // It took all that the client had to say before it closed.
    assert_ne!(closed(0).outcome, Outcome::RejectedByNetwork);
}

// mosquitto behind a firewall that drops what its clients send: a ping comes eight times, and the broker closes, as its patience is over
#[test]
fn d98_a_server_that_is_heard_and_takes_none_of_what_its_client_repeats_does_not_hear_it() {
    let untaken = |change: fn(&mut Sample)| {
        let mut sample = repeated(served(), Side::Client, 4).cut_by_the_end();
        sample.0.flow.history.push(b'f');
        let story = sample.0.flow.tcp.as_mut().unwrap();
        (story.fins[1], story.repeats[0].untaken) = (true, 3);
        change(&mut sample);
        judge(sample)
    };
    let judged = untaken(|_| ());
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D98"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("10.1.0.2 repeated 40 bytes 4 times") && says.contains("which was heard after that and closed, took none of it"), "{says}");
    // It may be through with its client: nothing of it came after what was repeated. Or an earlier copy was on its way still.
    assert_eq!(untaken(|sample| sample.0.flow.tcp.as_mut().unwrap().repeats[0].untaken = 0).outcome, Outcome::Ok);
    assert_eq!(untaken(|sample| sample.0.flow.tcp.as_mut().unwrap().repeats[0].untaken = 2).outcome, Outcome::Ok);
    // Its window was closed; or what was repeated is larger than any path must carry, and than what had passed.
    assert_ne!(untaken(|sample| sample.0.flow.tcp.as_mut().unwrap().stalled[1] = true).cause.map_or("", |cause| cause.rule), "D98");
    let large = untaken(|sample| {
        let story = sample.0.flow.tcp.as_mut().unwrap();
        (story.midstream, story.open_segment[0]) = (true, OpenSegment { len: 1_400, again: 4, end: 1_701 });
    });
    assert_ne!(large.cause.map_or("", |cause| cause.rule), "D98");
}

// What is due there is the way to the server; that of its answers is open
#[test]
fn what_to_do_about_a_server_that_does_not_hear_its_client_is_not_to_let_its_answers_back() {
    let mut sample = repeated(tcp("10.1.0.2:40000", "203.0.113.7:8883").talked(500, 300).speaks(&["tls"]), Side::Client, 4).cut_by_the_end();
    sample.0.flow.history.push(b'f');
    let story = sample.0.flow.tcp.as_mut().unwrap();
    (story.fins[1], story.repeats[0].untaken) = (true, 3);
    let found = findings(site(&["spinetix.player=10.1.0.0/24"]), &[sample]);
    let remedy = found[0].remedy.as_deref().unwrap();
    assert!(remedy.contains("Let what 10.1.0.2 sends reach 203.0.113.7"), "{remedy}");
}
