//! Refusals that were seen of some of many attempts: errors are sent only so often (RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8).

use std::time::Duration;

use super::outcomes::{CLIENT, SERVER, expect, judge};
use super::sample::*;
use crate::flow::Rejection;
use crate::identify::{Fact, NameSource, Resolved};
use crate::judge::{Confidence, Judged, Outcome, Site};
use crate::net::{Side, Transport};

/// Judged beside another attempt of the same client at the same end, which an ICMP error met at second 1.1.
fn beside(silent: Sample, refused: Sample) -> Judged {
    judge_among(Site::default(), &[silent], &[refused, background()]).remove(0)
}

fn refused(kind: u8, code: u8) -> Sample {
    tcp("10.1.0.2:40001", SERVER).icmp("10.1.0.1", kind, code)
}

// curl, thirty times at once, before nft's `reject with icmpx type admin-prohibited`: the kernel tells six of them
#[test]
fn of_many_attempts_those_that_no_error_met_are_refused_like_the_others() {
    let silent = || tcp(CLIENT, SERVER).syns(&[1.0, 2.0, 4.0]);
    for (code, rule, outcome) in [(13, "D27", Outcome::RejectedByNetwork), (3, "D28", Outcome::RejectedByNetwork), (1, "D29", Outcome::Unreachable)] {
        let judged = beside(silent(), refused(3, code));
        expect(&judged, outcome, Confidence::Medium, Some(rule));
        let cause = judged.cause.unwrap();
        assert!(cause.says.contains("sent only so often") && cause.by == "10.1.0.1".parse().ok(), "{cause:?}");
    }
    // A traced route says nothing of others; nor does what was refused long before, or at another port.
    expect(&beside(silent(), refused(11, 0)), Outcome::SilentDrop, Confidence::High, Some("D20"));
    let mut later = tcp(CLIENT, SERVER).syns(&[70.0, 71.0, 73.0]);
    later.0.flow.first = at(70.0);
    let judged = judge_among(Site::default(), &[later], &[refused(3, 13), tcp("10.1.0.9:50000", "198.51.100.9:443").syns(&[200.0])]).remove(0);
    assert_eq!(judged.outcome, Outcome::SilentDrop);
    expect(&beside(silent(), tcp("10.1.0.2:40001", "203.0.113.7:8884").icmp("10.1.0.1", 3, 13)), Outcome::SilentDrop, Confidence::High, Some("D20"));
}

// a device that is polled by SNMP forty times and answers that nothing listens thirteen times
#[test]
fn of_many_questions_at_a_closed_port_those_that_no_error_met_are_no_drop() {
    let ask = |port: u16| udp(&format!("10.1.0.2:{port}"), "10.1.0.9:161").speaks(&["snmp"]);
    let judged = beside(ask(40000), ask(40001).icmp("10.1.0.9", 3, 3));
    expect(&judged, Outcome::RefusedByHost, Confidence::Medium, Some("D71"));
}

#[test]
fn what_works_otherwise_was_not_refused_for_an_error_that_met_another_attempt() {
    let worked = tcp("10.1.0.2:40002", SERVER).talked(300, 900);
    let silent = tcp(CLIENT, SERVER).syns(&[1.0, 2.0, 4.0]);
    let judged = judge_among(Site::default(), &[silent], &[refused(3, 13), worked, background()]).remove(0);
    expect(&judged, Outcome::Unreachable, Confidence::Medium, Some("D32"));
    assert_eq!(judge(tcp(CLIENT, SERVER).talked(300, 900)).outcome, Outcome::Ok);
}

/// An error of which the snap length left nothing of the packet that it quotes.
fn unreadable(seconds: f64) -> Sample {
    let mut error = udp("10.1.0.1:0", "10.1.0.2:0");
    let flow = &mut error.0.flow;
    (flow.transport, flow.icmp) = (Transport::ICMP, Some((3, 13)));
    let (by, to) = (flow.client.endpoint.ip, Side::Server);
    flow.rejections.push(Rejection { by, to, v6: false, kind: 3, code: 13, mtu: None, quoted_ttl: 0, time: at(seconds), frame: frame(8) });
    error
}

// `tcpdump -s 68` of a SYN over IPv6 that a router rejects
#[test]
fn d02_silence_beside_an_error_that_cannot_be_read_may_be_a_refusal() {
    let silent = || tcp(CLIENT, SERVER).syns(&[1.0, 2.0, 4.0]);
    let judged = beside(silent(), unreadable(2.1));
    expect(&judged, Outcome::CaptureDamaged, Confidence::Medium, Some("D02"));
    assert!(judged.cause.unwrap().says.contains("snap length"));
    // An error after the last attempt would have come before another was due.
    expect(&beside(silent(), unreadable(6.0)), Outcome::SilentDrop, Confidence::High, Some("D20"));
}

#[test]
fn d02_a_connection_of_which_only_ports_were_captured_is_not_said_to_work() {
    let mut headless = tcp(CLIENT, SERVER).talked(0, 0);
    headless.0.flow.tcp = None;
    expect(&judge(headless), Outcome::CaptureDamaged, Confidence::High, Some("D02"));
}

// Routers speak BGP to neighbours with a time to live of 1 (RFC 4271, RFC 5082 section 1), and refuse with their system's own
#[test]
fn a_time_to_live_that_a_program_chose_tells_no_distance() {
    let alive = |ttl: u8| {
        let mut alive = tcp("10.1.0.3:40000", "203.0.113.7:179").talked(100, 100);
        alive.0.flow.tcp.as_mut().unwrap().ttl[1] = Some((ttl, ttl));
        alive
    };
    let beside = |ttl: u8| judge_among(Site::default(), &[tcp(CLIENT, SERVER).syns(&[1.0]).reset(1.02, 64)], &[alive(ttl)]).remove(0);
    expect(&beside(1), Outcome::RefusedByHost, Confidence::Medium, Some("D25"));
    expect(&beside(60), Outcome::RejectedByNetwork, Confidence::Medium, Some("D26"));
}

// dig, whose long answer passes a filter that drops all fragments but the first
#[test]
fn d63_a_resolver_of_whose_answers_only_parts_come_is_asked_again() {
    let asked = |times: u8| -> Vec<Sample> {
        let ask = |place: u8| {
            let name = Fact::Unanswered { name: "big.example".into() };
            let mut sample = udp(&format!("10.1.0.2:{}", 40_001 + u16::from(place)), "10.9.0.53:53").speaks(&["dns"]).fact(name);
            let flow = &mut sample.0.flow;
            (flow.client.packets, flow.client.payload_bytes, flow.server.packets) = (1, 60, 1);
            let time = at(1.0 + 2.0 * f64::from(place));
            (flow.first, flow.last, flow.client.first, flow.client.last) = (time, time, Some(time), Some(time));
            flow.history.push(b'D');
            sample
        };
        (0..times).map(ask).collect()
    };
    let judged = judge_among(Site::default(), &asked(3), &[]);
    for torn in judged {
        expect(&torn, Outcome::PmtuBlackhole, Confidence::Low, Some("D63"));
        assert!(torn.cause.unwrap().says.contains("10.1.0.2 asked 10.9.0.53:53 3 times, and of what was answered only parts came"));
    }
    // A capture filter that names a port leaves such a part of every long answer.
    expect(&judge_among(Site::default(), &asked(1), &[])[0], Outcome::NotObservable, Confidence::Low, Some("D33"));
}

// A second password that was taken, of which the capture lost the answer: the FIN alone tells that there was one
#[test]
fn a_refusal_is_less_sure_where_the_servers_fin_tells_of_words_that_were_not_captured() {
    let refused =
        || tcp(CLIENT, SERVER).talked(300, 900).speaks(&["ldap"]).answer(Side::Server, crate::identify::AnswerKind::Refused, 49, "invalidCredentials");
    expect(&judge(refused()), Outcome::AppRefused, Confidence::High, Some("D53"));
    let mut torn = refused();
    torn.0.flow.tcp.as_mut().unwrap().untold = [0, 14];
    expect(&judge(torn), Outcome::AppRefused, Confidence::Medium, Some("D53"));
}

// A mirror that drops packets now and then, beside clients that try a second password
#[test]
fn a_refusal_beside_which_something_was_not_captured_is_unsure_and_one_after_which_the_server_went_on_is_none() {
    use crate::identify::{AnswerKind, Torn};
    let torn = |torn| {
        let mut refused = tcp(CLIENT, SERVER).talked(300, 900).speaks(&["smtp"]).answer(Side::Server, AnswerKind::Refused, 535, "no");
        refused.0.torn = torn;
        refused.0.flow.tcp.as_mut().unwrap().missed_bytes = [0, 30];
        judge(refused)
    };
    for (place, words) in [(Torn::Before, "before was not all captured"), (Torn::Behind, "after that was not captured")] {
        let judged = torn(place);
        expect(&judged, Outcome::AppRefused, Confidence::Low, Some("D53"));
        assert!(judged.cause.unwrap().says.contains(words));
    }
    expect(&torn(Torn::Nowhere), Outcome::AppRefused, Confidence::Medium, Some("D53"));
    expect(&torn(Torn::Beyond), Outcome::Ok, Confidence::Medium, None);
}

#[test]
fn a_websocket_that_closes_with_a_number_of_its_own_is_refused_but_not_as_surely_as_one_that_says_why() {
    let closed = |code| {
        judge(tcp(CLIENT, SERVER).talked(300, 900).speaks(&["http", "websocket"]).answer(Side::Server, crate::identify::AnswerKind::Refused, code, "no"))
    };
    expect(&closed(1008), Outcome::AppRefused, Confidence::High, Some("D53"));
    expect(&closed(4401), Outcome::AppRefused, Confidence::Medium, Some("D53"));
}

/// What leads to IPv4 of `dual.example`: its name is looked up, and whoever has that hardware address is served there.
fn dual(host: [u8; 6]) -> [Sample; 3] {
    let answer = Fact::Resolved(Box::new(Resolved {
        name: "dual.example".into(),
        reverse: false,
        aliases: Vec::new(),
        addresses: vec!["203.0.113.7".parse().unwrap()],
        ttl: Duration::from_secs(60),
        source: NameSource::Dns,
    }));
    let lookup = udp("10.1.0.2:40000", "10.1.0.1:53").talked(40, 40).speaks(&["dns"]).fact(answer);
    [lookup, tcp("10.1.0.2:40001", "203.0.113.7:443").talked(100, 100).link(host, [2, 0, 0, 0, 0, 9]), background()]
}

// curl at a dual-stack host behind a router without a way to IPv6: a third of a millisecond later it asks over IPv4
#[test]
fn d24_what_is_refused_over_ipv6_and_served_over_ipv4_runs_degraded() {
    let host = [2, 0, 0, 0, 0, 1];
    let named = || tcp("[2001:db8::2]:40002", "[2001:db8:1::7]:443").link(host, [2, 0, 0, 0, 0, 9]).named("dual.example");
    for code in [0, 1, 3, 4, 5] {
        let mut refused = named().icmp("2001:db8::1", 1, code);
        refused.0.flow.rejections[0].v6 = true;
        let judged = judge_among(Site::default(), &[refused.clone()], &dual(host)).remove(0);
        expect(&judged, Outcome::OkDegraded, Confidence::High, Some("D24"));
        let cause = judged.cause.unwrap();
        assert!(cause.says.contains(&format!("was refused (ICMPv6 type 1 code {code} of 2001:db8::1)")) && cause.says.contains("203.0.113.7"), "{cause:?}");
        // That another host's IPv4 works says nothing.
        let judged = judge_among(Site::default(), &[refused], &dual([2, 0, 0, 0, 0, 7])).remove(0);
        assert!(matches!(judged.outcome, Outcome::Unreachable | Outcome::RejectedByNetwork), "{:?}", judged.outcome);
    }
    // A server that has an address in IPv6 and listens in IPv4 alone, or a filter that says so in its name.
    let judged = judge_among(Site::default(), &[named().syns(&[1.0]).reset(1.02, 57)], &dual(host)).remove(0);
    expect(&judged, Outcome::OkDegraded, Confidence::High, Some("D24"));
    assert!(judged.cause.unwrap().says.contains("was refused (a reset)"));
}

// `reject` before UDP 443: browsers go on over TCP
#[test]
fn d74_quic_that_is_refused_beside_tcp_that_works_is_degraded() {
    let quic = || udp(CLIENT, "203.0.113.7:443").speaks(&["quic"]);
    let works = tcp("10.1.0.2:40001", "203.0.113.7:443").talked(100, 100);
    for (by, code) in [("10.1.0.1", 13), ("10.1.0.1", 3), ("203.0.113.7", 3)] {
        let judged = beside(quic().icmp(by, 3, code), works.clone());
        expect(&judged, Outcome::OkDegraded, Confidence::High, Some("D74"));
        assert!(judged.cause.unwrap().says.contains(&format!("was refused (ICMP type 3 code {code} of {by})")));
        assert_ne!(judge(quic().icmp(by, 3, code)).outcome, Outcome::OkDegraded);
    }
    // What else is refused at that port has no other way.
    assert_ne!(beside(udp(CLIENT, "203.0.113.7:443").speaks(&["dtls"]).icmp("10.1.0.1", 3, 13), works).outcome, Outcome::OkDegraded);
}
