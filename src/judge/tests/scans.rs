//! Who asks many in vain: a scanner, or a host of the documents that a firewall cut off from all of them at once.

use super::outcomes::expect;
use super::sample::*;
use crate::judge::{Confidence, Judged, Outcome, Site, Verdict};

const PLAYERS: &[&str] = &["spinetix.player=10.2.0.0/24"];

fn players() -> Site {
    site(PLAYERS)
}

/// A station that asks forty players for their state, and is refused by a router's policy each time.
fn polls() -> Vec<Sample> {
    (1..=40).map(|n| udp("10.1.0.66:40000", &format!("10.2.0.{n}:161")).speaks(&["snmp"]).icmp("10.1.0.1", 3, 13)).collect()
}

/// One probe at each of so many ports of one player.
fn probes(ports: std::ops::Range<u16>) -> Vec<Sample> {
    ports.map(|port| tcp("10.1.0.66:40000", &format!("10.2.0.1:{port}")).syns(&[1.0]).reset(1.01, 64)).collect()
}

fn all_are(judged: &[Judged], outcome: Outcome) {
    let others: Vec<_> = judged.iter().map(|judged| judged.outcome).filter(|other| *other != outcome).collect();
    assert!(!judged.is_empty() && others.is_empty(), "{others:?} of {}", judged.len());
}

// A new rule between the monitoring station's network and the players' is met by every poll, and by nothing else.
#[test]
fn whoever_asks_what_a_document_expects_does_not_scan_however_many_refuse() {
    for judged in judge_all(players(), &polls()) {
        expect(&judged, Outcome::RejectedByNetwork, Confidence::High, Some("D27"));
        assert_eq!((row(&judged), judged.verdict), (Some("spinetix-player-snmp"), Verdict::Expected));
    }
    let findings = findings(players(), &polls());
    assert_eq!(findings.len(), 1, "one rule, one finding");
    assert_eq!((&*findings[0].rule, findings[0].flows), ("rejected_by_network", 40));
}

#[test]
fn a_scanner_meets_documented_ports_among_others_and_stays_one() {
    let both: Vec<Sample> = probes(60..160).into_iter().chain(polls()).collect();
    all_are(&judge_all(players(), &both), Outcome::ScanNoise);
}

#[test]
fn where_nobody_plays_a_role_many_unanswered_hosts_are_a_scan_whatever_the_port() {
    all_are(&judge_all(Site::default(), &polls()), Outcome::ScanNoise);
}
