//! Answers that come from another address than the one that was asked.

use super::outcomes::expect;
use super::sample::*;
use crate::flow::Rejection;
use crate::identify::Fact;
use crate::judge::{Confidence, Outcome, Site};
use crate::net::Side;

const CLIENT: &str = "10.1.0.2:40000";
const PUBLIC: &str = "203.0.113.1:8080";
const OWN: &str = "10.1.0.3:8080";

/// SYNs without an answer, all with one number.
fn asked(times: &[f64], start: u32) -> Sample {
    let mut sample = tcp(CLIENT, PUBLIC).syns(times);
    sample.0.flow.tcp.as_mut().unwrap().starts[0] = Some(start);
    sample
}

/// SYN-ACKs without a SYN, which acknowledge that number and which the client resets.
fn answered(start: u32) -> Sample {
    let mut sample = tcp(CLIENT, OWN).syns(&[]).syn_acks(3, 4.02);
    let story = sample.0.flow.tcp.as_mut().unwrap();
    (story.same_isn, story.starts[0]) = (false, Some(start));
    sample.0.flow.client.packets = 3;
    sample
}

// a port forward of the router's public address to a server in the client's own network: the server answers its neighbour directly
#[test]
fn d99_a_syn_that_another_address_answers_is_not_dropped() {
    let judged = judge_among(Site::default(), &[asked(&[1.0, 2.0, 4.0], 77), answered(77)], &[background()]);
    expect(&judged[0], Outcome::ReturnPathBroken, Confidence::Medium, Some("D99"));
    let says = &judged[0].cause.as_ref().unwrap().says;
    assert!(says.starts_with("10.1.0.2 asked 203.0.113.1:8080, and 10.1.0.3:8080 answered"), "{says}");
    expect(&judged[1], Outcome::NotObservable, Confidence::High, Some("D01"));
    let says = &judged[1].cause.as_ref().unwrap().says;
    assert_eq!(says, "10.1.0.3:8080 answers here what 10.1.0.2 had asked of 203.0.113.1:8080");
    // Another connection's answer.
    let judged = judge_among(Site::default(), &[asked(&[1.0, 2.0, 4.0], 77), answered(78)], &[background()]);
    assert_eq!(judged[0].outcome, Outcome::SilentDrop);
    assert_ne!(judged[1].outcome, Outcome::NotObservable);
    // Two were asked with the same number, as some probes for open ports have it: whose answer it is is not known.
    let mut other = asked(&[1.0, 2.0, 4.0], 77);
    other.0.flow.server.endpoint = endpoint("203.0.113.9:8080");
    let judged = judge_among(Site::default(), &[asked(&[1.0, 2.0, 4.0], 77), other, answered(77)], &[background()]);
    assert_eq!(judged[0].outcome, Outcome::SilentDrop);
}

// two hosts have the client's address, and the server sends its answers to the other one, which resets them
#[test]
fn d30_answers_that_another_host_with_the_clients_address_gets_do_not_reach_it() {
    let taken_by_another = |times: &[f64], syn_acks: u16| {
        let mut sample = tcp(CLIENT, PUBLIC).syns(times).syn_acks(syn_acks, 4.01).reset(4.02, 64);
        let story = sample.0.flow.tcp.as_mut().unwrap();
        let reset = story.reset.as_mut().unwrap();
        (reset.from, reset.answers_syn) = (Side::Client, false);
        sample
    };
    let judged = judge_among(Site::default(), &[taken_by_another(&[1.0, 2.0, 4.0], 3)], &[background()]).remove(0);
    expect(&judged, Outcome::ReturnPathBroken, Confidence::Medium, Some("D30"));
    let cause = judged.cause.unwrap();
    assert!(
        cause.says.ends_with("the answers do not reach it; somebody resets them in its name") && cause.alternatives[0].contains("the client's address"),
        "{cause:?}"
    );
    // A scanner resets what it was answered, and asks no more.
    let judged = judge_among(Site::default(), &[taken_by_another(&[1.0], 1)], &[background()]).remove(0);
    expect(&judged, Outcome::ConnectedNoData, Confidence::High, Some("D35"));
    // The client's side: a switch sent one answer to all of its ports. One that comes late is acknowledged when it comes.
    let flooded = |times: &[f64]| {
        let mut sample = tcp(CLIENT, PUBLIC).syns(times).syn_acks(1, 1.01);
        sample.0.flow.tcp.as_mut().unwrap().syn_ack_delay = std::num::NonZero::new(10_000_000);
        judge_among(Site::default(), &[sample], &[background()]).remove(0)
    };
    expect(&flooded(&[1.0, 2.0, 4.0, 8.0]), Outcome::ReturnPathBroken, Confidence::Medium, Some("D30"));
    assert_ne!(flooded(&[1.0, 2.0]).outcome, Outcome::ReturnPathBroken);
}

fn question(client: &str, protocol: &'static str) -> Sample {
    udp(client, "203.0.113.11:161").speaks(&[protocol]).fact(Fact::Retry)
}

fn answer(client: &str, protocol: &'static str) -> Sample {
    let mut sample = udp("203.0.113.10:161", client).speaks(&[protocol]);
    let flow = &mut sample.0.flow;
    std::mem::swap(&mut flow.client, &mut flow.server);
    sample
}

// an agent or a resolver on a host with two addresses that answers from the first of them, whichever was asked
#[test]
fn d99_a_datagram_that_another_address_answers_is_not_dropped() {
    let judged = judge_among(Site::default(), &[question(CLIENT, "snmp"), answer(CLIENT, "snmp")], &[background()]);
    expect(&judged[0], Outcome::ReturnPathBroken, Confidence::Medium, Some("D99"));
    assert!(judged[0].cause.as_ref().unwrap().says.contains("and 203.0.113.10:161 answered"));
    expect(&judged[1], Outcome::NotObservable, Confidence::High, Some("D01"));
    // Asked once, and refused by who asked.
    let mut refused = answer(CLIENT, "snmp");
    let by = "10.1.0.2".parse().unwrap();
    refused.0.flow.rejections.push(Rejection { by, to: Side::Server, v6: false, kind: 3, code: 3, mtu: None, quoted_ttl: 60, time: at(1.1), frame: frame(8) });
    let once = udp(CLIENT, "203.0.113.11:161").speaks(&["snmp"]);
    let judged = judge_among(Site::default(), &[once.clone(), refused], &[background()]);
    expect(&judged[0], Outcome::ReturnPathBroken, Confidence::Medium, Some("D99"));
    // Asked once, and taken: programs that look at what is said and not at who says it.
    assert_ne!(judge_among(Site::default(), &[once, answer(CLIENT, "snmp")], &[background()])[0].outcome, Outcome::ReturnPathBroken);
    // By a tap of two cards whose clocks differ; and what was asked of a group, too, from the port of the service (NetBIOS names).
    let mut early = answer(CLIENT, "snmp");
    early.0.flow.first = at(0.98);
    let judged = judge_among(Site::default(), &[question(CLIENT, "snmp"), early], &[background()]);
    expect(&judged[0], Outcome::ReturnPathBroken, Confidence::Medium, Some("D99"));
    let judged = judge_among(Site::default(), &[question("10.1.0.2:161", "snmp"), answer("10.1.0.2:161", "snmp")], &[background()]);
    assert_ne!(judged[0].outcome, Outcome::ReturnPathBroken);
    // Another protocol, another port of the client's, much later.
    let mut late = answer(CLIENT, "snmp");
    let flow = &mut late.0.flow;
    (flow.first, flow.last) = (at(60.0), at(60.0));
    for other in [answer(CLIENT, "tftp"), answer("10.1.0.2:40001", "snmp"), late] {
        assert_eq!(judge_among(Site::default(), &[question(CLIENT, "snmp"), other], &[background()])[0].outcome, Outcome::SilentDrop);
    }
}
