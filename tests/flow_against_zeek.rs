//! Connection states and histories against Zeek's on the shared captures: the same comparison as the `outcome` check, without the rooms after `flow`.
//!
//! Zeek takes mirrored copies for retransmissions; they are kept here so that the letters can be compared.
//!
//! `cargo test --test flow_against_zeek -- --nocapture` lists what differs.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use portbook::capture::{self, Options, Progress, Source};
use portbook::decode::decode_batch;
use portbook::flow::{Data, Flow, FlowTable, Observer, Parties, Settings, Slot, Want};
use portbook::net::{Endpoint, Transport};

type Ends = (String, Endpoint, Endpoint);

/// As Zeek writes them in conn.log.
type StateAndHistory<'a> = (&'a str, &'a str);

#[derive(Default)]
struct Gathered(Vec<Flow>);

impl Observer for Gathered {
    fn opened(&mut self, _: Slot) {}

    fn data(&mut self, _: Slot, _: &Parties, _: Data<'_>) -> Want {
        Want::More
    }

    fn closed(&mut self, _: Slot, flow: Flow) {
        self.0.push(flow);
    }
}

#[test]
fn states_of_tcp_connections_are_zeeks() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let Ok(truth) = std::fs::read_to_string(shared.join("truth-zeek.tsv")) else {
        println!("skipped: no shared captures");
        return;
    };
    let mut said: BTreeMap<&str, BTreeMap<Ends, Vec<StateAndHistory>>> = BTreeMap::new();
    for row in truth.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>()).filter(|row| row[6] == "tcp") {
        let ends = ends("tcp", end(row[2], row[3]), end(row[4], row[5]));
        said.entry(row[0]).or_default().entry(ends).or_default().push((row[11], row[13]));
    }
    let (mut all, mut states, mut histories) = (0_u32, 0_u32, 0_u32);
    let mut differences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, connections) in &said {
        let mut have: BTreeMap<Ends, Vec<Flow>> = BTreeMap::new();
        for flow in flows_of(&shared.join("files").join(file)).into_iter().filter(|flow| flow.transport == Transport::TCP) {
            have.entry(ends("tcp", plain(flow.client.endpoint), plain(flow.server.endpoint))).or_default().push(flow);
        }
        for (ends, zeek) in connections {
            let ours = have.get(ends).map_or(&[][..], Vec::as_slice);
            let ([(state, history)], [] | [_]) = (zeek.as_slice(), ours) else { continue };
            let (our_state, our_history) = ours.first().map_or(("none", ""), |flow| (flow.state.map_or("-", |state| state.name()), flow.history.as_str()));
            let history = if *history == "-" { "" } else { history };
            all += 1;
            states += u32::from(*state == our_state);
            histories += u32::from(history == our_history);
            if *state != our_state || history != our_history {
                let class = if *state == our_state { "history" } else { "STATE" };
                let what = format!("{class} zeek {state} {history} ours {our_state} {our_history}");
                differences.entry(what).or_default().push(format!("{file} {} {}", ends.1, ends.2));
            }
        }
    }
    for (what, places) in &differences {
        println!("{:4} {what}   {}", places.len(), places[0]);
    }
    println!("{states} of {all} states agree, {histories} histories");
    assert!(f64::from(states) >= 0.99 * f64::from(all), "{states} of {all} states agree with Zeek");
}

fn flows_of(path: &Path) -> Vec<Flow> {
    let mut gathered = Gathered::default();
    let mut table = FlowTable::new(Settings { keep_duplicates: true, ..Settings::default() });
    if let Ok(mut source) = capture::open(&[path.to_owned()], Options::default()) {
        let mut read = |table: &mut FlowTable, gathered: &mut Gathered| {
            source.read(&mut |frames| {
                let mut packets = Vec::new();
                decode_batch(frames, &mut packets);
                table.push(&packets, gathered);
            })
        };
        while matches!(read(&mut table, &mut gathered), Ok(Progress::More)) {}
    }
    table.finish(&mut gathered);
    gathered.0
}

fn ends(transport: &str, one: Endpoint, other: Endpoint) -> Ends {
    (transport.to_owned(), one.min(other), one.max(other))
}

fn end(ip: &str, port: &str) -> Endpoint {
    plain(Endpoint { ip: ip.parse().unwrap(), port: port.parse().unwrap() })
}

fn plain(end: Endpoint) -> Endpoint {
    let ip = match end.ip {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(end.ip, IpAddr::V4),
        IpAddr::V4(_) => end.ip,
    };
    Endpoint { ip, ..end }
}
