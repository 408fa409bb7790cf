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
