//! What is told of live traffic, and when.

use super::sample::*;
use crate::capture::Pause;
use crate::flow::Ended;
use crate::identify::{Books, Identified};
use crate::judge::{Bulletin, Finding, Gatherer, Judge, Outcome, Phase, Severity, Vigil};
use crate::signature::Signatures;

fn vigil(books: &Books) -> Vigil<'_> {
    let judge = Judge::new(Signatures::built_in(), site(&["spinetix.player=10.1.0.0/24"]), books);
    Vigil::new(judge, Gatherer::new(Signatures::built_in()))
}

/// What is told at that second, where these flows live.
fn told(live: &[Sample], second: f64) -> Vec<String> {
    let books = Books::default();
    let live: Vec<Box<Identified>> = live.iter().map(|sample| sample.0.clone()).collect();
    vigil(&books).board(&live, at(second), &mut |_| {}).findings.into_iter().map(|finding| finding.rule).collect()
}

fn asking(times: &[f64]) -> Sample {
    tcp("10.1.0.2:40000", "203.0.113.7:8883").syns(times).cut_by_the_end()
}

fn talking() -> Sample {
    tcp("10.1.0.2:40001", "203.0.113.7:443").talked(100, 100).speaks(&["tls"]).cut_by_the_end()
}

#[test]
fn a_dropped_port_is_told_two_seconds_after_the_third_syn_though_the_client_goes_on_asking() {
    let linear = [1.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(told(&[asking(&linear[..2]), talking()], 3.5), [""; 0]);
    assert_eq!(told(&[asking(&linear[..4]), talking()], 4.5), [""; 0]);
    assert_eq!(told(&[asking(&linear), talking()], 5.1), ["silent_drop"]);
}

#[test]
fn a_rejected_port_is_told_at_once() {
    assert_eq!(told(&[asking(&[1.0]).icmp("10.1.0.1", 3, 13), talking()], 1.1), ["rejected_by_network"]);
}

#[test]
fn a_syn_that_is_still_on_its_way_is_not_told() {
    assert_eq!(told(&[asking(&[1.0]), talking()], 2.0), [""; 0]);
}

#[test]
fn what_was_asked_right_before_the_machine_fell_asleep_is_not_called_unanswered() {
    let outcome = |sleeps: bool| {
        let books = Books::default();
        let mut vigil = vigil(&books);
        if sleeps {
            vigil.pause(Pause { from: at(1.5), to: at(4000.0) });
        }
        let mut asked = tcp("10.1.0.2:40001", "203.0.113.7:443").talked(100, 0).speaks(&["tls"]);
        asked.0.flow.ended = Ended::Idle;
        let mut awake = talking();
        (awake.0.flow.first, awake.0.flow.last) = (at(4001.0), at(4002.0));
        vigil.hear(asked.0, at(4003.0));
        vigil.hear(awake.0, at(4003.0));
        let mut outcomes = Vec::new();
        vigil.settle(&[], at(5000.0), &mut |judged| outcomes.push(judged.outcome));
        outcomes
    };
    assert_eq!(outcome(false)[0], Outcome::ServerSilent);
    assert_eq!(outcome(true)[0], Outcome::NotObservable);
}

#[test]
fn a_flow_is_judged_for_good_once_and_a_minute_after_it_ended() {
    let books = Books::default();
    let mut vigil = vigil(&books);
    vigil.hear(asking(&[1.0, 2.0, 4.0]).0, at(80.0));
    vigil.hear(talking().0, at(81.0));
    let mut outcomes = Vec::new();
    vigil.settle(&[], at(139.0), &mut |judged| outcomes.push(judged.outcome));
    assert!(outcomes.is_empty());
    vigil.settle(&[], at(140.0), &mut |judged| outcomes.push(judged.outcome));
    assert_eq!(outcomes, [Outcome::SilentDrop]);
    let board = vigil.close(&mut |judged| outcomes.push(judged.outcome));
    assert_eq!((outcomes.len(), board.findings.len()), (2, 1));
}

#[test]
fn what_was_seen_outlives_a_change_of_the_documents_and_flows_that_wait_are_judged_by_the_new_ones() {
    let books = Books::default();
    let mut first = vigil(&books);
    first.hear(asking(&[1.0, 2.0, 4.0]).0, at(80.0));
    first.hear(talking().0, at(81.0));
    let second = Judge::new(Signatures::built_in(), site(&[]), &books);
    let mut second = Vigil::new(second, Gatherer::new(Signatures::built_in())).succeed(first.hand_over());
    let mut roles = Vec::new();
    second.settle(&[], at(200.0), &mut |judged| roles.push((judged.roles[0].len(), judged.outcome)));
    // Without the role it is a hint by the port; that answers can be seen from here is still known.
    assert_eq!(roles[0], (0, Outcome::SilentDrop));
}

fn finding(severity: Severity, flows: u64, last: f64) -> Finding {
    let found = findings(site(&["spinetix.player=10.1.0.0/24"]), &[tcp("10.1.0.2:40000", "203.0.113.7:8883").syns(&[1.0, 2.0, 4.0])]);
    Finding { severity, flows, last: at(last), ..found.into_iter().next().unwrap() }
}

#[test]
fn a_finding_is_told_once_again_where_it_changes_and_a_last_time_when_it_is_over() {
    let mut bulletin = Bulletin::default();
    let mut phases =
        |findings: &[Finding], second: f64| -> Vec<&str> { bulletin.follow(findings, at(second)).into_iter().map(|(phase, _)| phase.name()).collect() };
    assert_eq!(phases(&[finding(Severity::Medium, 1, 5.0)], 6.0), ["new"]);
    assert_eq!(phases(&[finding(Severity::Medium, 1, 5.0)], 7.0), [""; 0]);
    // It counts more: told again after five minutes; it weighs more: at once.
    assert_eq!(phases(&[finding(Severity::Medium, 2, 60.0)], 61.0), [""; 0]);
    assert_eq!(phases(&[finding(Severity::High, 3, 70.0)], 71.0), ["changed"]);
    assert_eq!(phases(&[finding(Severity::High, 9, 380.0)], 381.0), ["changed"]);
    assert_eq!(phases(&[finding(Severity::High, 9, 380.0)], 1279.0), [""; 0]);
    assert_eq!(phases(&[finding(Severity::High, 9, 380.0)], 1281.0), ["closed"]);
    assert_eq!(phases(&[finding(Severity::High, 9, 380.0)], 9000.0), [""; 0]);
    assert_eq!(phases(&[finding(Severity::High, 10, 9001.0)], 9002.0), ["new"]);
    assert_eq!(phases(&[], 9003.0), ["withdrawn"]);
    assert_eq!(Phase::Final.name(), "final");
}
