//! Who is on the link: questions that nobody answers, and hosts that say that they are there.

use super::outcomes::expect;
use super::sample::*;
use crate::decode::VlanStack;
use crate::flow::{Neighbour, NeighbourWord};
use crate::identify::{Books, Fact};
use crate::judge::{Confidence, Finding, Gatherer, Judge, Judged, Outcome, Severity, Site};
use crate::net::Mac;
use crate::signature::Signatures;

const CLIENT: &str = "10.1.0.2:40000";
const SERVER: &str = "10.1.0.77:8883";
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ALL: [u8; 6] = [0xff; 6];

fn asks(time: f64, from: [u8; 6], by: &str, target: &str) -> Neighbour {
    let says = NeighbourWord::Asks { target: target.parse().unwrap(), by: by.parse().unwrap() };
    Neighbour { time: at(time), frame: frame((time * 100.0) as u64), vlan: VlanStack::default(), from: Mac(from), to: Some(Mac(ALL)), says }
}

fn has(time: f64, from: [u8; 6], to: [u8; 6], host: &str) -> Neighbour {
    Neighbour {
        time: at(time),
        frame: frame((time * 100.0) as u64),
        vlan: VlanStack::default(),
        from: Mac(from),
        to: Some(Mac(to)),
        says: NeighbourWord::Has(host.parse().unwrap()),
    }
}

/// The client asked for the server at these seconds, and got an answer about its router before.
fn asked_in_vain(times: &[f64]) -> Vec<Neighbour> {
    let mut all = vec![asks(0.1, CLIENT_MAC, "10.1.0.2", "10.1.0.1"), has(0.2, ROUTER_MAC, CLIENT_MAC, "10.1.0.1")];
    all.extend(times.iter().map(|time| asks(*time, CLIENT_MAC, "10.1.0.2", "10.1.0.77")));
    all
}

fn judge_with(neighbours: &[Neighbour], sample: &Sample, others: &[Sample]) -> Judged {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
    neighbours.iter().for_each(|neighbour| judge.meet(neighbour));
    [sample].into_iter().chain(others).chain([&background()]).for_each(|sample| judge.learn(&sample.0));
    judge.judge(sample.0.clone())
}

fn syns(times: &[f64]) -> Sample {
    tcp(CLIENT, SERVER).syns(times).link(CLIENT_MAC, SERVER_MAC)
}

#[test]
fn d23_a_host_that_its_link_was_asked_for_in_vain_is_not_there() {
    let judged = judge_with(&asked_in_vain(&[6.0, 7.0, 8.0]), &syns(&[1.0, 2.0, 4.0, 8.0]), &[]);
    expect(&judged, Outcome::Unreachable, Confidence::High, Some("D23"));
    let says = &judged.cause.as_ref().unwrap().says;
    assert!(says.contains("10.1.0.2 asked the link for 10.1.0.77 3 times over 2 s (ARP) and nobody answered"), "{says}");
    assert!([600, 700, 800].iter().all(|number| judged.cited.contains(&frame(*number))), "{:?}", judged.cited);
    let twice = judge_with(&asked_in_vain(&[6.0, 7.0]), &syns(&[1.0]), &[]);
    expect(&twice, Outcome::Unreachable, Confidence::Medium, Some("D23"));
    let request = udp(CLIENT, "10.1.0.77:161").speaks(&["snmp"]).fact(Fact::Retry).fact(Fact::Retry).link(CLIENT_MAC, SERVER_MAC);
    expect(&judge_with(&asked_in_vain(&[6.0, 7.0, 8.0]), &request, &[]), Outcome::Unreachable, Confidence::High, Some("D23"));
}

#[test]
fn an_answer_of_the_link_may_bear_an_earlier_time_than_its_question() {
    let mut all = asked_in_vain(&[]);
    for second in [1.0, 2.0, 3.0] {
        all.extend([has(second - 0.02, SERVER_MAC, CLIENT_MAC, "10.1.0.77"), asks(second, CLIENT_MAC, "10.1.0.2", "10.1.0.77")]);
    }
    let asked = |more: &[f64]| [all.clone(), asked_in_vain(more)].concat();
    expect(&judge_with(&asked(&[]), &syns(&[1.0, 2.0, 4.0, 8.0]), &[]), Outcome::SilentDrop, Confidence::High, Some("D22"));
    expect(&judge_with(&asked(&[6.0, 7.0, 8.0]), &syns(&[5.0, 6.0, 8.0]), &[]), Outcome::Unreachable, Confidence::High, Some("D23"));
}

// RFC 4861: the same in IPv6.
#[test]
fn d23_a_host_that_neighbor_discovery_does_not_find_is_not_there() {
    let (client, server, router) = ("2001:db8:1::2", "2001:db8:1::9", "2001:db8:1::1");
    let mut said = vec![asks(0.1, CLIENT_MAC, client, router), has(0.2, ROUTER_MAC, CLIENT_MAC, router)];
    said.extend([6.0, 7.0, 8.0].map(|time| asks(time, CLIENT_MAC, client, server)));
    let syns = tcp("[2001:db8:1::2]:40000", "[2001:db8:1::9]:8883").syns(&[1.0, 2.0, 4.0]).link(CLIENT_MAC, SERVER_MAC);
    let judged = judge_with(&said, &syns, &[]);
    expect(&judged, Outcome::Unreachable, Confidence::High, Some("D23"));
    assert!(judged.cause.unwrap().says.contains("(Neighbor Discovery)"));
}

#[test]
fn questions_for_a_neighbour_prove_nothing_where_answers_to_the_asker_are_not_seen() {
    let unseen: Vec<Neighbour> = [6.0, 7.0, 8.0].map(|time| asks(time, ROUTER_MAC, "10.1.0.1", "10.1.0.77")).to_vec();
    let syns = tcp("10.3.0.2:40000", SERVER).syns(&[1.0, 2.0, 4.0, 8.0]).link(ROUTER_MAC, SERVER_MAC);
    let judged = judge_with(&unseen, &syns, &[]);
    assert_ne!(judged.cause.unwrap().rule, "D23");
}

#[test]
fn a_host_that_answers_its_link_or_is_heard_afterwards_is_there() {
    let syns = syns(&[1.0, 2.0, 4.0, 8.0]);
    let mut answered = asked_in_vain(&[6.0, 7.0, 8.0]);
    answered.push(has(8.1, SERVER_MAC, CLIENT_MAC, "10.1.0.77"));
    let judged = judge_with(&answered, &syns, &[]);
    expect(&judged, Outcome::SilentDrop, Confidence::High, Some("D22"));
    let says = judged.cause.unwrap().says;
    assert!(says.contains("the host is alive (it answers the link (ARP))"), "{says}");
    let mut other = tcp("10.1.0.5:41000", "10.1.0.77:443").talked(100, 1000);
    (other.0.flow.server.last, other.0.flow.last) = (Some(at(30.0)), at(30.0));
    assert_ne!(judge_with(&asked_in_vain(&[6.0, 7.0, 8.0]), &syns, &[other]).cause.unwrap().rule, "D23");
}

// RFC 1027: a router that answers for others has several addresses.
#[test]
fn d22_who_answers_the_link_for_several_hosts_may_stand_in_for_them() {
    let mut said = asked_in_vain(&[3.5]);
    said.extend(["10.1.0.77", "10.1.0.8"].map(|host| has(3.6, SERVER_MAC, CLIENT_MAC, host)));
    expect(&judge_with(&said, &syns(&[1.0, 2.0, 4.0]), &[]), Outcome::SilentDrop, Confidence::High, Some("D20"));
    assert_eq!(judge_with(&said[..4], &syns(&[1.0, 2.0, 4.0]), &[]).cause.unwrap().rule, "D22");
}

#[test]
fn d22_what_a_host_said_before_it_was_called_does_not_show_that_it_is_there() {
    let said = [has(0.5, SERVER_MAC, CLIENT_MAC, "10.1.0.77")];
    assert_eq!(judge_with(&said, &syns(&[1.0, 2.0, 4.0]), &[]).cause.unwrap().rule, "D20");
}

// A packet follows only an answer: where none was seen, answers pass elsewhere.
#[test]
fn d01_a_packet_that_follows_an_unanswered_question_shows_that_answers_pass_elsewhere() {
    let said = [asks(0.9, ROUTER_MAC, "10.1.0.1", "10.1.0.77")];
    let request = udp("10.3.0.2:40000", "10.1.0.77:161").speaks(&["snmp"]).fact(Fact::Retry).fact(Fact::Retry).link(ROUTER_MAC, SERVER_MAC);
    expect(&judge_with(&said, &request, &[]), Outcome::NotObservable, Confidence::High, Some("D01"));
    let router_is_answered = [said[0], has(0.5, CLIENT_MAC, ROUTER_MAC, "10.1.0.2")];
    assert_ne!(judge_with(&router_is_answered, &request, &[]).cause.unwrap().rule, "D01");
}

fn findings_of(site: Site, neighbours: &[Neighbour], samples: &[Sample]) -> Vec<Finding> {
    let books = Books::default();
    let mut judge = Judge::new(Signatures::built_in(), site, &books);
    neighbours.iter().for_each(|neighbour| judge.meet(neighbour));
    samples.iter().for_each(|sample| judge.learn(&sample.0));
    let mut gatherer = Gatherer::new(Signatures::built_in());
    samples.iter().for_each(|sample| gatherer.add(&judge.judge(sample.0.clone())));
    gatherer.finish(&judge).0
}

#[test]
fn d23_a_named_host_that_nobody_can_send_to_is_a_finding_without_a_flow() {
    let said = asked_in_vain(&[6.0, 7.0, 8.0]);
    let findings = findings_of(site(&["spinetix.player=10.1.0.77/32"]), &said, &[]);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.rule.as_str(), finding.severity, finding.flows, finding.attempts), ("unreachable", Severity::Medium, 0, 3));
    assert!(finding.says.contains("The site has it as spinetix.player") && finding.display_filter == "arp.dst.proto_ipv4==10.1.0.77", "{finding:?}");
    assert_eq!(finding.frames, [frame(600), frame(700), frame(800)]);
    // That a network has players does not say that there is one at every address.
    assert!(findings_of(site(&["spinetix.player=10.1.0.0/24"]), &asked_in_vain(&[6.0, 7.0]), &[]).is_empty());
    assert!(findings_of(Site::default(), &said, &[]).is_empty());
}

#[test]
fn a_host_of_a_role_whose_gateway_does_not_answer_is_told_what_that_means() {
    let said = asked_in_vain(&[6.0, 7.0, 8.0]);
    let player = || site(&["spinetix.player=10.1.0.2/32"]);
    let findings = findings_of(player(), &said, &[]);
    assert!(findings.len() == 1 && findings[0].severity == Severity::Medium && findings[0].says.contains("if that is its gateway"), "{findings:?}");
    let reached = tcp(CLIENT, "203.0.113.7:443").talked(100, 100).speaks(&["tls"]);
    let findings = findings_of(player(), &said, &[reached]);
    let about: Vec<&Finding> = findings.iter().filter(|finding| finding.rule == "unreachable").collect();
    assert!(about.len() == 1 && about[0].severity == Severity::Low && !about[0].says.contains("gateway"), "{findings:?}");
    // A router asks for whoever others want, and a network of players has routers, too.
    let findings = findings_of(site(&["spinetix.player=10.1.0.0/24"]), &said, &[]);
    assert!(findings.len() == 1 && findings[0].severity == Severity::Low && !findings[0].says.contains("gateway"), "{findings:?}");
    let many: Vec<Neighbour> =
        (10..60).flat_map(|host| [6.0, 7.0, 8.0].map(|time| asks(time, CLIENT_MAC, "10.1.0.2", &format!("10.1.0.{host}")))).chain(said).collect();
    assert!(findings_of(player(), &many, &[]).is_empty(), "who takes stock of a network asks for many");
}

#[test]
fn copies_of_one_question_are_one_question() {
    let said = asked_in_vain(&[6.0, 6.0001, 6.0002]);
    assert_ne!(judge_with(&said, &syns(&[1.0]), &[]).cause.unwrap().rule, "D23");
    // Who is asked again long after is another matter.
    let said = asked_in_vain(&[6.0, 200.0]);
    assert_ne!(judge_with(&said, &syns(&[1.0]), &[]).cause.unwrap().rule, "D23");
}

// dig and ntpdig ask from a new port each time; the router's answer to ARP comes the way that theirs would have come
#[test]
fn d13_and_d70_what_the_link_says_shows_that_answers_would_have_been_seen() {
    let asked = |protocol: &'static str, port: u16| {
        let ask = move |place: u16| {
            let mut ask = udp(&format!("10.1.0.2:{}", 40_000 + place), &format!("203.0.113.10:{port}")).speaks(&[protocol]).link(CLIENT_MAC, ROUTER_MAC);
            (ask.0.flow.first, ask.0.flow.last) = (at(1.0 + f64::from(place) * 2.0), at(1.0 + f64::from(place) * 2.0));
            ask.fact(Fact::Unanswered { name: format!("{place}.example").into() })
        };
        (0..6).map(ask).collect::<Vec<_>>()
    };
    // Nothing else is captured.
    let judged = |neighbours: &[Neighbour], samples: &[Sample]| {
        let books = Books::default();
        let mut judge = Judge::new(Signatures::built_in(), Site::default(), &books);
        neighbours.iter().for_each(|neighbour| judge.meet(neighbour));
        samples.iter().for_each(|sample| judge.learn(&sample.0));
        judge.judge(samples[0].0.clone())
    };
    let from_router = asked_in_vain(&[]);
    expect(&judged(&from_router, &asked("dns", 53)), Outcome::SilentDrop, Confidence::Medium, Some("D13"));
    expect(&judged(&from_router, &asked("ntp", 123)), Outcome::SilentDrop, Confidence::Low, Some("D70"));
    // What the client alone says shows nothing of the other direction.
    let one_way = [asks(0.1, CLIENT_MAC, "10.1.0.2", "10.1.0.1"), has(0.2, CLIENT_MAC, ROUTER_MAC, "10.1.0.2")];
    for samples in [asked("dns", 53), asked("ntp", 123)] {
        expect(&judged(&one_way, &samples), Outcome::NotObservable, Confidence::Low, Some("D33"));
    }
}
