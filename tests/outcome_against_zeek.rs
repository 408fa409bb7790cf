//! Connection states and histories against Zeek's on the shared captures: the comparison of the `outcome` check, with a reason for every difference.
//!
//! Three kinds of reasons: portbook removes the copies that a mirror makes, which Zeek takes for retransmissions; portbook turns a connection round whose opening
//! was not seen and whose content or ports tell who is the client; the rest is listed one by one in `tests/data/zeek-differences.tsv`.
//!
//! `cargo test --test outcome_against_zeek -- --nocapture` lists every difference with its reason.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

#[path = "shared/place.rs"]
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use portbook::flow;
use portbook::judge::Judged;
use portbook::net::{Endpoint, Transport};
use portbook::pipeline::{self, Plan};

/// The lower endpoint first.
type Ends = (Endpoint, Endpoint);

#[test]
fn every_difference_from_zeek_has_its_reason() {
    let Some(shared) = place::shared() else { return };
    let mut listed = listed();
    let (mut all, mut states, mut histories, mut wrong) = (0_u32, 0_u32, 0_u32, Vec::new());
    for (file, connections) in zeek(&shared) {
        let path = shared.join("files").join(&file);
        let flows = connections_of(&path, false);
        let mut with_copies = None;
        for (ends, said) in connections {
            let ours = flows.get(&ends).map_or(&[][..], Vec::as_slice);
            let ([due], [] | [_]) = (said.as_slice(), ours) else { continue };
            let (is, turned_by) = ours.first().map_or_else(|| (NONE.to_owned(), None), |ours| (ours.said.clone(), ours.turned_by));
            all += 1;
            states += u32::from(first_word(due) == first_word(&is));
            histories += u32::from(*due == is);
            if *due == is {
                continue;
            }
            let place = format!("{file}\t{} {}\t{due}\t{is}", ends.0, ends.1);
            let reason = match listed.remove(&place) {
                Some(reason) => Some(reason),
                None if ours.iter().any(|ours| is_turned(ours, due)) => {
                    Some(format!("turned round by {}", turned_by.unwrap_or("Zeek alone, which takes the first sender's port for a server's")))
                }
                None => {
                    let kept = with_copies.get_or_insert_with(|| connections_of(&path, true));
                    kept.get(&ends).filter(|kept| kept.iter().any(|one| one.said == *due || is_turned(one, due))).map(|_| "copies of the mirror".to_owned())
                }
            };
            println!("{place}\t{}", reason.as_deref().unwrap_or("NO REASON"));
            if reason.is_none() {
                wrong.push(place);
            }
        }
    }
    println!("{states} of {all} states agree, {histories} histories");
    assert!(wrong.is_empty(), "differences without a reason:\n{}", wrong.join("\n"));
    assert!(listed.is_empty(), "listed, but no longer so: {listed:#?}");
    assert!(f64::from(states) >= 0.99 * f64::from(all), "{states} of {all} states agree with Zeek");
}

#[test]
fn every_listed_difference_has_a_reason() {
    let listed = listed();
    let reasons: BTreeSet<&String> = listed.values().collect();
    assert!(!listed.is_empty() && reasons.iter().all(|reason| reason.len() > 20), "{reasons:?}");
}

/// What Zeek says, by file and ends: state and history of each connection.
fn zeek(shared: &Path) -> BTreeMap<String, BTreeMap<Ends, Vec<String>>> {
    let mut said: BTreeMap<String, BTreeMap<Ends, Vec<String>>> = BTreeMap::new();
    for row in std::fs::read_to_string(shared.join("truth-zeek.tsv")).unwrap().lines().skip(1) {
        let row: Vec<&str> = row.split('\t').collect();
        if row[6] != "tcp" {
            continue;
        }
        let history = if row[13] == "-" { "" } else { row[13] };
        let ends = ends(end(row[2], row[3]), end(row[4], row[5]));
        said.entry(row[0].to_owned()).or_default().entry(ends).or_default().push(format!("{} {history}", row[11]));
    }
    said
}

fn listed() -> BTreeMap<String, String> {
    let rows = include_str!("data/zeek-differences.tsv").lines().skip(1);
    rows.map(|row| row.rsplit_once('\t').unwrap()).map(|(place, reason)| (place.to_owned(), reason.to_owned())).collect()
}

/// A connection as portbook tells it.
struct Ours {
    said: String,
    /// The same with client and server swapped.
    turned: String,
    /// On what its direction rests where no opening was seen.
    turned_by: Option<&'static str>,
}

impl Ours {
    fn of(judged: &Judged) -> Self {
        let words = |flow: &flow::Flow| format!("{} {}", flow.state.map_or("-", |state| state.name()), flow.history.as_str());
        let mut other = judged.identified.flow.clone();
        other.flip();
        Self { said: words(&judged.identified.flow), turned: words(&other), turned_by: judged.direction_by }
    }
}

fn is_turned(ours: &Ours, due: &str) -> bool {
    ours.turned == *due && is_without_opening(&ours.said)
}

/// Whether neither SYN nor SYN-ACK is in the history.
fn is_without_opening(said: &str) -> bool {
    said.split_once(' ').is_some_and(|(_, history)| !history.contains(['S', 's', 'H', 'h']))
}

fn connections_of(path: &Path, keep_duplicates: bool) -> BTreeMap<Ends, Vec<Ours>> {
    let (captures, stop) = ([path.to_owned()], AtomicBool::new(false));
    let flows = flow::Settings { keep_duplicates, ..flow::Settings::default() };
    let plan = Plan { flows, ..Plan::of(&captures, &stop) };
    let mut connections: BTreeMap<Ends, Vec<Ours>> = BTreeMap::new();
    let mut gather = |judged: &Judged| {
        let flow = &judged.identified.flow;
        if flow.transport == Transport::TCP {
            connections.entry(ends(plain(flow.client.endpoint), plain(flow.server.endpoint))).or_default().push(Ours::of(judged));
        }
    };
    // What cannot be opened is no connection, and is said to be none.
    _ = pipeline::run(plan, &|_, _| {}, &mut gather);
    connections
}

fn first_word(said: &str) -> &str {
    said.split(' ').next().unwrap_or_default()
}

fn ends(one: Endpoint, other: Endpoint) -> Ends {
    (one.min(other), one.max(other))
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

/// Of a connection that only Zeek has.
const NONE: &str = "none";
