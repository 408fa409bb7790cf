//! The laboratory's traffic as worse mirror ports would have shown it: one direction, 5 % lost, everything twice, cut at both ends, each packet cut short,
//! joined when its connections were there, by two cards whose clocks differ, put together by the recorder's card, sent on in a tunnel, by `tcpdump -i any`, and
//! without one frame or a few in a row, at every place (a plain run takes a sample, `make hostile` all).
//!
//! What was healthy is never called blocked or failed, nothing is taken for another protocol, what was blocked is never called healthy, and what can no longer be
//! said is said so. The truth is that of the whole capture, which `tests/fixtures.rs` holds against the firewall's configuration.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests stop the test, and say what they did")]

#[path = "shared/place.rs"]
mod place;
#[path = "distortion/traffic.rs"]
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portbook::identify::Fact;
use portbook::judge::{Confidence, Judged, Outcome, Site, Telling, Verdict, Visibility};
use portbook::net::{Endpoint, Transport, is_group};
use portbook::pipeline::{self, Plan};
use portbook::signature::{RoleId, Signatures};
use serde_json::Value;

use traffic::{Distortion, Traffic, distortions, holes};

#[test]
fn distorted_traffic_is_never_falsely_blocked_nor_falsely_fine() {
    let cases = place::cases();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Found::default();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.case(case);
        }
        found
    };
    let found = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut found = work();
        found.merge(other.join().unwrap());
        found
    });
    println!("{} distorted captures of {} cases, {} flows", found.runs, cases.len(), found.flows);
    assert!(found.wrong.is_empty(), "{} of {} flows:\n{}", found.wrong.len(), found.flows, found.wrong.iter().cloned().collect::<Vec<_>>().join("\n"));
}

/// Nothing but the bytes tells then who asked.
#[test]
fn answers_of_datagrams_that_were_captured_before_their_questions_are_told_like_others() {
    let mut compared = 0;
    for case in place::cases() {
        let due: Value = serde_json::from_str(&std::fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
        let whole = Traffic::read(&case.join("capture.pcap"));
        let told = |traffic: &Traffic| -> BTreeMap<Ends, String> {
            let (flows, _) = judge(traffic, &due);
            flows.iter().filter(|flow| has_sides(flow)).map(|flow| (ends(flow), sides_and_all(flow))).collect()
        };
        let known = told(&whole);
        for micros in [20_000, -20_000].into_iter().filter(|_| !known.is_empty()) {
            let Some(early) = whole.distorted(Distortion::Apart { micros }) else { continue };
            compared += known.len();
            assert_eq!(told(&early), known, "{}, {micros}", case.display());
        }
    }
    assert!(compared > 80, "{compared}");
}

/// Whether it is an exchange of datagrams between two that do not play the same part, as senders of media do.
fn has_sides(judged: &Judged) -> bool {
    let flow = &judged.identified.flow;
    let is_media = judged.identified.protocol.iter().any(|name| matches!(*name, "rtp" | "rtcp" | "mpegts"));
    flow.transport == Transport::UDP && flow.client.payload_bytes > 0 && flow.server.payload_bytes > 0 && !is_media
}

/// Who is the client, what they speak, what became of it, and all that was read, in whichever order.
fn sides_and_all(judged: &Judged) -> String {
    let identified = &judged.identified;
    let details: BTreeSet<String> = identified.details.iter().map(|detail| format!("{detail:?}")).collect();
    let names: BTreeSet<String> = identified.facts.iter().filter(|fact| matches!(fact, Fact::Name { .. })).map(|fact| format!("{fact:?}")).collect();
    format!("{} {:?} {:?} {details:?} {names:?}", identified.flow.client.endpoint, identified.protocol, judged.outcome)
}

#[derive(Default)]
struct Found {
    runs: usize,
    flows: usize,
    wrong: BTreeSet<String>,
}

/// A flow without its direction, which a distorted capture may not show.
type Ends = (Transport, Endpoint, Endpoint);

impl Found {
    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.flows += other.flows;
        self.wrong.extend(other.wrong);
    }

    fn case(&mut self, case: &Path) {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let due: Value = serde_json::from_str(&std::fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
        let whole = Traffic::read(&case.join("capture.pcap"));
        let (judged, _) = judge(&whole, &due);
        let truth: BTreeMap<Ends, Truth> = judged.iter().map(|flow| (ends(flow), Truth::of(flow, &due))).collect();
        let uncalled = judged.iter().filter(|flow| flow.outcome.is_blocked() && !truth[&ends(flow)].blocked);
        self.wrong.extend(uncalled.map(|flow| format!("{name}: {}, but expected.json does not call for it", brief(flow))));
        for how in distortions().into_iter().chain(holes(whole.len())) {
            let Some(left) = whole.distorted(how) else { continue };
            let (flows, visibility) = judge(&left, &due);
            self.runs += 1;
            self.flows += flows.len();
            let said = flows.iter().filter_map(|flow| mistake(flow, &truth, how)).chain(unsaid(how, &flows, &visibility));
            self.wrong.extend(said.map(|what| format!("{name}, {how:?}: {what}")));
        }
    }
}

/// What is known of a flow from the whole capture.
#[derive(Clone)]
struct Truth {
    outcome: Outcome,
    confidence: Confidence,
    /// By the firewall's configuration, also where something else worked instead.
    blocked: bool,
    /// What the configuration allows to say.
    due: Vec<String>,
    expected: bool,
    announced: bool,
    /// What it speaks; none where its two ends speak different protocols, so that it is named by whichever was heard.
    protocol: Option<Vec<&'static str>>,
    /// The number of its last frame, from 1.
    last: u64,
}

impl Truth {
    fn of(judged: &Judged, due: &Value) -> Self {
        let flow = &judged.identified.flow;
        let items = due["flows"].as_array().unwrap().iter();
        let about = items.filter(|item| {
            let port = &item["port"];
            item["transport"] == flow.transport.to_string()
                && item["client"] == flow.client.endpoint.ip.to_string()
                && item["server"] == flow.server.endpoint.ip.to_string()
                && (port.is_string() || *port == flow.server.endpoint.port)
        });
        let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let outcomes = about.flat_map(|item| [list(&item["outcome"]), list(&item["in_part"])].concat());
        let due: Vec<String> = outcomes.filter_map(|outcome| outcome.as_str().map(str::to_owned)).collect();
        // Of several alike the whole capture tells which.
        let worked = [Outcome::Ok, Outcome::OneWayByDesign].contains(&judged.outcome);
        let blocked = !worked && due.iter().any(|outcome| BLOCKED.contains(&outcome.as_str()) || outcome == "ok_degraded");
        let due = if worked { Vec::new() } else { due };
        let announced = judged.identified.announced.is_some();
        let is_mixed = judged.cause.as_ref().is_some_and(|cause| matches!(cause.rule, "D85" | "D88"));
        let protocol = (!is_mixed).then(|| judged.identified.protocol.to_vec());
        let (expected, last) = (judged.verdict == Verdict::Expected, flow.last_frame.number());
        Self { outcome: judged.outcome, confidence: judged.confidence, blocked, due, expected, announced, protocol, last }
    }
}

fn mistake(flow: &Judged, truth: &BTreeMap<Ends, Truth>, how: Distortion) -> Option<String> {
    let Some(truth) = truth.get(&ends(flow)) else {
        return Some(format!("{} did not exist", brief(flow)));
    };
    let (was, is) = (truth.outcome, flow.outcome);
    let wrong = match how {
        // Headers are whole, so what was silent or refused without a word of content is as sure as before.
        Distortion::Short { .. } if was == Outcome::SilentDrop && flow.identified.flow.transport == Transport::TCP => {
            is != was && !OPEN.contains(&is) && !is_hedged(flow)
                || is == was && flow.confidence < truth.confidence && flow.identified.flow.client.payload_bytes == 0
        }
        // Copies are no packets of their own, and when packets bear other times, are put together or sent on they say the same.
        Distortion::Twice { .. }
        | Distortion::RoutedTwice { .. }
        | Distortion::Apart { .. }
        | Distortion::Merged
        | Distortion::Mirrored
        | Distortion::Cooked => is != was,
        _ if is == was || OPEN.contains(&is) => false,
        // Who was refused and heard no more may have been let in after that; the end of a flow that was lost with all that followed looks like silence.
        Distortion::Without { from, many }
            if !is.is_blocked() && (flow.confidence == Confidence::Low || (from..=from + many).contains(&(truth.last as usize))) =>
        {
            false
        }
        // Media awaits no answer: without the error that rejected it nothing tells that it did not arrive.
        _ if was == Outcome::RejectedByNetwork && is == Outcome::OneWayByDesign => !flow.identified.flow.rejections.is_empty(),
        _ if truth.due.iter().any(|due| serde_json::to_value(is).unwrap() == due.as_str()) => false,
        _ if is_hedged(flow) => false,
        _ if truth.blocked => !is.is_blocked(),
        // It worked: whatever else is said of it accuses somebody. It failed otherwise: to call that blocked accuses the wrong one.
        _ if WORKED.contains(&was) => !WORKED.contains(&is),
        _ => is.is_blocked() || WORKED.contains(&is),
    };
    // What was announced is not documented where the announcement was lost.
    let unannounced = truth.announced && flow.identified.announced.is_none();
    // Nor is clear what only TLS is left of.
    let is_beheaded = matches!(how, Distortion::Without { .. });
    let accused = truth.expected && !unannounced && !is_beheaded && flow.verdict == Verdict::Unexpected;
    if let Some(spoken) = &truth.protocol
        && let Some(name) = flow.identified.protocol.iter().find(|name| !spoken.contains(name))
    {
        return Some(format!("{} is taken for {name}, was {spoken:?}", brief(flow)));
    }
    match (wrong, accused) {
        (true, _) => Some(format!("{} was {was:?}", brief(flow))),
        (_, true) => Some(format!("{} was expected, is unexpected: {:?}", brief(flow), flow.reasons)),
        _ => None,
    }
}

/// Whether it is said to have worked with reserve: as far as was seen, it had.
fn is_hedged(flow: &Judged) -> bool {
    WORKED.contains(&flow.outcome) && flow.confidence < Confidence::High
}

/// Where one direction of something is missing the report must say so.
fn unsaid(how: Distortion, flows: &[Judged], visibility: &Visibility) -> Option<String> {
    let one_sided = matches!(how, Distortion::OneDirection { .. }) && flows.iter().any(|flow| !is_group(flow.identified.flow.server.endpoint.ip));
    (one_sided && (visibility.two_way > 0 || visibility.one_way == 0)).then(|| format!("the report does not say that one direction is missing: {visibility:?}"))
}

fn brief(flow: &Judged) -> String {
    let parties = &flow.identified.flow;
    let cause = flow.cause.as_ref().map_or("", |cause| cause.rule);
    format!(
        "{} {} > {} {} is {:?} ({:?}) by {cause}",
        parties.transport,
        parties.client.endpoint,
        parties.server.endpoint,
        parties.history.as_str(),
        flow.outcome,
        flow.confidence
    )
}

fn ends(judged: &Judged) -> Ends {
    let flow = &judged.identified.flow;
    let (client, server) = (flow.client.endpoint, flow.server.endpoint);
    (flow.transport, client.min(server), client.max(server))
}

fn judge(traffic: &Traffic, due: &Value) -> (Vec<Judged>, Visibility) {
    let mut file = tempfile::Builder::new().suffix(".pcap").tempfile().unwrap();
    file.write_all(&traffic.pcap()).unwrap();
    let signatures = Signatures::built_in();
    let (captures, stop) = ([file.path().to_owned()], AtomicBool::new(false));
    let plan = Plan { site: site(due, signatures), telling: Telling::Everything, ..Plan::of(&captures, &stop) };
    let mut flows = Vec::new();
    let report = pipeline::run(plan, &|_, _| {}, &mut |judged| flows.push(judged.clone())).unwrap();
    (flows, report.visibility)
}

/// The roles among the arguments of a case.
fn site(due: &Value, signatures: &Signatures) -> Site {
    let words: Vec<&str> = due["arguments"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let roles = words.chunks(2).filter(|pair| pair[0] == "--role").map(|pair| {
        let (id, network) = pair[1].split_once('=').unwrap();
        let place = signatures.roles.iter().position(|role| role.id == id).unwrap_or_else(|| panic!("no role {id}"));
        let network = network.parse().unwrap_or_else(|_| ipnet::IpNet::from(network.parse::<std::net::IpAddr>().unwrap()));
        (RoleId(u16::try_from(place).unwrap()), network)
    });
    Site { roles: roles.collect(), ..Site::default() }
}

/// Nothing is said against the flow.
const WORKED: &[Outcome] = &[Outcome::Ok, Outcome::OkDegraded, Outcome::OneWayByDesign];
/// It is said that nothing, or no more than this, can be said.
const OPEN: &[Outcome] = &[Outcome::NotObservable, Outcome::Midstream, Outcome::CaptureDamaged, Outcome::ConnectedNoData, Outcome::ScanNoise];
/// The contract's list.
#[rustfmt::skip]
const BLOCKED: &[&str] = &[
    "silent_drop", "rejected_by_network", "return_path_broken", "reset_by_middlebox", "blocked_by_proxy", "dns_blocked", "tls_intercepted", "pmtu_blackhole",
    "idle_dropped",
];
