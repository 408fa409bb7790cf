//! What is gathered of many flows, and what finds room.

use super::sample::*;
use crate::identify::{Books, Fact, NameSource};
use crate::judge::{Finding, Gatherer, Judge, Judged, Severity, Site};
use crate::net::Side;
use crate::signature::Signatures;

fn players() -> Site {
    site(&["spinetix.player=10.1.0.0/16"])
}

/// The findings of judged flows.
fn gathered(flows: impl Iterator<Item = Judged>) -> (Vec<Finding>, u64) {
    let books = Books::default();
    let judge = Judge::new(Signatures::built_in(), players(), &books);
    let mut gatherer = Gatherer::new(Signatures::built_in());
    flows.for_each(|judged| gatherer.add(&judged));
    let dropped = gatherer.dropped();
    (gatherer.finish(&judge).0, dropped)
}

/// The same flow between other hosts, or at another port.
fn elsewhere(judged: &Judged, change: impl FnOnce(&mut crate::flow::Flow)) -> Judged {
    let mut other = judged.clone();
    change(&mut other.identified.flow);
    other
}

fn undocumented() -> Judged {
    judge_one(players(), tcp("10.1.0.3:40000", "93.184.216.34:7070").talked(20, 20))
}

fn silent_mqtt() -> Judged {
    judge_one(players(), tcp("10.1.0.2:40000", "203.0.113.7:8883").syns(&[1.0, 2.0, 4.0]))
}

fn address(number: u32) -> std::net::IpAddr {
    std::net::Ipv4Addr::from(0x5d00_0000 + number).into()
}

#[test]
fn what_is_blocked_is_told_however_much_that_no_document_mentions_went_before_it() {
    let one = undocumented();
    let many = (0..40_000).map(|number| elsewhere(&one, |flow| flow.server.endpoint.ip = address(number)));
    let (findings, dropped) = gathered(many.chain([silent_mqtt()]));
    let told: Vec<(&str, Severity, u64)> = findings.iter().map(|finding| (finding.rule.as_str(), finding.severity, finding.flows)).collect();
    assert_eq!(told, [("silent_drop", Severity::High, 1), ("undocumented_service", Severity::Medium, 40_000)]);
    assert_eq!(dropped, 0);
}

#[test]
fn what_is_blocked_is_told_however_many_pairs_of_another_service_fail_before_it() {
    let one = judge_one(players(), tcp("10.1.0.2:40000", "203.0.113.7:80").syns(&[1.0, 2.0, 4.0]));
    let many = (0..20_000).map(|number| elsewhere(&one, |flow| flow.server.endpoint.ip = address(number)));
    let (findings, dropped) = gathered(many.chain([silent_mqtt()]));
    assert_eq!(findings.iter().map(|finding| finding.rule.as_str()).collect::<Vec<_>>(), ["silent_drop"; 2]);
    assert_eq!(dropped, 20_000 - (1 << 14));
}

#[test]
fn what_is_spoken_on_very_many_ports_is_one_finding_with_all_its_flows() {
    let one = undocumented();
    let many = (0..40_000_u16).map(|number| elsewhere(&one, |flow| flow.server.endpoint.port = 20_000 + number));
    let (findings, dropped) = gathered(many);
    assert_eq!(findings.iter().map(|finding| finding.flows).collect::<Vec<_>>(), [40_000]);
    assert_eq!(dropped, 0);
}

#[test]
fn hosts_and_ports_beyond_those_kept_are_not_said_to_be_all() {
    let one = undocumented();
    let hosts = gathered((0..100).map(|number| elsewhere(&one, |flow| flow.server.endpoint.ip = address(number)))).0;
    assert!(hosts[0].says.contains("7070/tcp of more than 64 hosts"), "{}", hosts[0].says);
    let ports = gathered((0..100).map(|number| elsewhere(&one, |flow| flow.server.endpoint.port = 20_000 + number))).0;
    assert!(ports[0].says.contains("20000/tcp and more than 63 others of 93.184.216.34"), "{}", ports[0].says);
    // Nor where what was seen at several ports is told as one: the hosts that are kept are those of all.
    let many = (0..100).map(|number| (address(number), 20_004)).chain((0..4).map(|port| (address(0), 20_000 + port)));
    let folded = gathered(many.map(|(ip, port)| elsewhere(&one, |flow| (flow.server.endpoint.ip, flow.server.endpoint.port) = (ip, port)))).0;
    assert!(folded[0].says.contains("20000/tcp and 4 more of more than 64 hosts"), "{}", folded[0].says);
    let exact = gathered((0..64).map(|number| elsewhere(&one, |flow| flow.server.endpoint.ip = address(number)))).0;
    assert!(exact[0].says.contains("of 64 hosts"), "{}", exact[0].says);
}

#[test]
fn several_hosts_use_what_one_uses() {
    let one = judge_one(site(&["spinetix.player=10.1.0.0/16"]), tcp("10.9.0.3:40000", "10.1.0.2:7070").talked(20, 20));
    let asks = |number: u8| elsewhere(&one, |flow| flow.client.endpoint.ip = [10, 9, 0, number].into());
    let says = |many: u8| gathered((1..=many).map(asks)).0[0].says.clone();
    assert!(says(1).starts_with("10.9.0.1 uses 7070/tcp of 10.1.0.2"), "{}", says(1));
    assert!(says(3).starts_with("3 hosts use 7070/tcp of 10.1.0.2"), "{}", says(3));
}

/// Three SYNs without an answer, and what the client was told of the server's name before.
fn silent_https(port: u16, name: Option<&str>) -> Sample {
    let silent = tcp(&format!("10.1.0.2:{port}"), "203.0.113.7:443").syns(&[1.0, 2.0, 4.0]);
    match name {
        Some(name) => silent.fact(Fact::Name { of: Side::Server, name: name.into(), source: NameSource::Dns }),
        None => silent,
    }
}

#[test]
fn a_way_whose_servers_name_is_learned_in_the_middle_is_one_finding_by_that_name() {
    let tries = [silent_https(40000, None), silent_https(40001, None), silent_https(40002, Some("a.services.spinetix.com"))];
    let found = findings(players(), &tries);
    let told: Vec<(&str, u64)> = found.iter().map(|finding| (finding.id.as_str(), finding.flows)).collect();
    assert_eq!(told, [("silent_drop/spinetix-arya-player-https/spinetix.player>any", 3)]);
    // It is about the row without names, too, whose flows the first ones are.
    let rows: Vec<&str> = found[0].rows.iter().map(|id| Signatures::built_in().service(*id).id.as_str()).collect();
    assert!(rows.contains(&"spinetix-out-https") && rows.contains(&"spinetix-arya-player-https"), "{rows:?}");
}

#[test]
fn what_was_tried_by_another_name_or_came_to_speak_stays_apart() {
    let named = silent_https(40002, Some("a.services.spinetix.com"));
    let other = findings(players(), &[silent_https(40000, Some("feeds.example.org")), named]);
    assert_eq!(other.len(), 2);
}

#[test]
fn a_port_that_worked_before_its_name_was_known_fails_now_and_then() {
    let worked = tcp("10.1.0.2:39999", "203.0.113.7:443").talked(100, 100).speaks(&["tls"]);
    let found = findings(players(), &[worked, silent_https(40002, Some("a.services.spinetix.com"))]);
    assert_eq!(found.iter().map(|finding| finding.rule.as_str()).collect::<Vec<_>>(), ["intermittent"]);
}
