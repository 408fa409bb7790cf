//! Rows of transports that have no ports: ICMP and its like. Vendors' tables have them for supervision.

use super::sample::*;
use crate::identify::Books;
use crate::judge::{Coverage, Finding, Gatherer, Judge, Judged, Outcome, Site, Verdict};
use crate::net::Transport;
use crate::signature::{Only, ServiceId, Signatures};

const SUPERVISED: &str = include_str!("../../../tests/data/supervised.toml");

/// Seven echo requests, each answered or none; the controller is 10.1.0.2, the panel 10.2.0.2.
fn ping(client: &str, server: &str, answered: bool) -> Sample {
    let mut ping = udp(&format!("{client}:8"), &format!("{server}:0"));
    let flow = &mut ping.0.flow;
    (flow.transport, flow.icmp, flow.client.packets, flow.server.packets) = (Transport::ICMP, Some((8, 0)), 7, if answered { 7 } else { 0 });
    (flow.client.payload_bytes, flow.server.payload_bytes) = (7 * 56, if answered { 7 * 56 } else { 0 });
    ping
}

fn told(sample: Sample) -> (Judged, Vec<Finding>, Vec<(ServiceId, Coverage)>) {
    let all = Signatures::from_texts([("acme.toml", SUPERVISED)], Only::TheseOnly).unwrap_or_else(|error| panic!("{error}"));
    let role = |id: &str, network: &str| (all.role_id(id).unwrap(), network.parse().unwrap());
    let site = Site { roles: vec![role("acme.controller", "10.1.0.0/24"), role("acme.panel", "10.2.0.0/24")], ..Site::default() };
    let books = Books::default();
    let mut judge = Judge::new(&all, site, &books);
    // Something else of the panel shows that answers of its network pass here.
    let answered = tcp("10.1.0.2:41000", "10.2.0.2:443").talked(100, 900);
    [&sample, &answered, &background()].into_iter().for_each(|sample| judge.learn(&sample.0));
    let mut gatherer = Gatherer::new(&all);
    let judged = judge.judge(sample.0);
    gatherer.add(&judged);
    let (findings, coverage) = gatherer.finish(&judge);
    (judged, findings, coverage)
}

#[test]
fn a_ping_that_a_row_asks_for_is_the_rows() {
    let (judged, findings, coverage) = told(ping("10.1.0.2", "10.2.0.2", true));
    assert_eq!((judged.service, judged.verdict, judged.outcome), (Some(ServiceId(0)), Verdict::Expected, Outcome::Ok));
    assert_eq!((findings.len(), coverage), (0, vec![(ServiceId(0), Coverage::Seen)]));
}

#[test]
fn a_ping_that_a_row_asks_for_and_that_is_dropped_is_found() {
    let (judged, findings, coverage) = told(ping("10.1.0.2", "10.2.0.2", false));
    assert_eq!((judged.verdict, judged.outcome), (Verdict::Expected, Outcome::SilentDrop));
    assert_eq!(coverage, [(ServiceId(0), Coverage::Blocked)]);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(finding.remedy.as_ref().is_some_and(|remedy| remedy.contains("allow ICMP from 10.1.0.2 to 10.2.0.2")), "{finding:?}");
    assert!(finding.alternatives.iter().any(|other| other.contains("echo")), "no key and no community: {finding:?}");
}

/// Everybody pings everybody: the other way round, or between others, the row says nothing.
#[test]
fn a_ping_that_no_row_asks_for_is_no_finding() {
    for (client, server) in [("10.2.0.2", "10.1.0.2"), ("10.9.0.1", "10.1.0.2"), ("10.2.0.2", "10.2.0.3")] {
        let (judged, findings, _) = told(ping(client, server, false));
        assert_eq!((judged.service, judged.verdict, findings.len()), (None, Verdict::Undecided, 0), "{client} {server}");
    }
}
