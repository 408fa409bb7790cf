//! What to do is said by what failed, not by the port alone.

use super::findings::{only, players};
use super::sample::*;
use crate::judge::Finding;

fn tried(port: u16, seconds: &[f64]) -> Sample {
    tcp(&format!("10.1.0.2:{port}"), "203.0.113.7:8883").syns(seconds)
}

fn remedy(finding: Finding) -> String {
    assert_eq!(finding.rule, "unreachable", "{}", finding.says);
    finding.remedy.unwrap()
}

// a host that does not answer ARP behind the router
#[test]
fn where_a_router_knows_no_way_the_host_and_its_routes_are_looked_at_before_any_filter() {
    let remedy = remedy(only(findings(players(), &[tried(40000, &[1.0, 2.0]).icmp("10.1.0.1", 3, 1)])));
    assert!(remedy.contains("203.0.113.7 is switched on") && remedy.contains("route"), "{remedy}");
    assert!(!remedy.contains("allow"), "{remedy}");
}

// RFC 5961 section 4
#[test]
fn who_remembers_an_older_connection_needs_no_opening() {
    let mut stale = tried(40000, &[1.0, 2.0]);
    stale.0.flow.history.push(b'a');
    stale.0.flow.server.packets = 2;
    let remedy = remedy(only(findings(players(), &[stale])));
    assert!(remedy.contains("older connection") && !remedy.contains("allow"), "{remedy}");
}

// a broker of a session that had begun before the capture, and a rule that drops what comes anew
#[test]
fn where_it_had_worked_it_is_asked_what_has_changed_and_not_for_an_opening() {
    let mut before = tcp("10.1.0.2:39999", "203.0.113.7:8883").talked(100, 100);
    before.0.flow.tcp.as_mut().unwrap().midstream = true;
    let found = findings(players(), &[before, tried(40000, &[71.0, 72.0, 74.0])]);
    let remedy = remedy(only(found));
    assert!(remedy.contains("what was different when it worked") && !remedy.contains("allow"), "{remedy}");
}

// a port forward of the router's public address to a server in the client's own network, which answers its neighbour directly
#[test]
fn where_another_address_answers_than_was_asked_who_translates_is_named_and_no_way_back() {
    let mut asked = tried(40000, &[1.0, 2.0, 4.0]);
    asked.0.flow.tcp.as_mut().unwrap().starts[0] = Some(77);
    let mut answered = tcp("10.1.0.2:40000", "10.1.0.3:8883").syns(&[]).syn_acks(3, 4.02);
    let story = answered.0.flow.tcp.as_mut().unwrap();
    (story.same_isn, story.starts[0]) = (false, Some(77));
    answered.0.flow.client.packets = 3;
    let found = findings(players(), &[asked, answered]).into_iter().find(|found| found.rule == "return_path_broken").unwrap();
    let remedy = found.remedy.unwrap();
    assert!(remedy.contains("translates 203.0.113.7") && !remedy.contains("allow") && !remedy.contains("back to"), "{remedy}");
}
