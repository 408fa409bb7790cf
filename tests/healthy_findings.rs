//! What is told of the shared captures, which are ordinary traffic of other people, where somebody gives their hosts the roles of products: every finding of
//! medium or higher severity is listed in `tests/data/healthy-findings.tsv`, with why a careful reader of the packets would not call it wrong.
//!
//! They were read beside their packets, those of one kind with one reason. The test fails where one is told that is not listed, or one that is listed is not told any more:
//! `cargo test --test healthy_findings -- --nocapture` prints the rows that differ, `+` and `-` before them. Without any role nothing of the kind is told.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

#[path = "shared/place.rs"]
mod place;
#[path = "shared/plan.rs"]
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use portbook::judge::{Severity, Telling};
use portbook::signature::Signatures;

/// Roles that hosts are given, by the word for it in the list.
const ROLES: &[(&str, &str, &[&str])] = &[
    ("none", "", &[]),
    ("player-everywhere", "spinetix.player", &["0.0.0.0/0", "::/0"]),
    ("player", "spinetix.player", PRIVATE),
    ("cms", "cayin.cms", PRIVATE),
    ("spotfire", "spotfire.server", PRIVATE),
    ("cobalt", "cobalt.peer", PRIVATE),
    ("cinegy", "cinegy.host", PRIVATE),
];
const PRIVATE: &[&str] = &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fe80::/10", "fc00::/7"];

/// Capture, severity, kind and what it is about.
type Told = (String, &'static str, String);

#[test]
fn what_is_told_of_healthy_traffic_is_listed_with_its_reason() {
    let Some(shared) = place::shared() else { return };
    let told = told_of_all(&shared);
    let listed = listed();
    let row = |((file, severity, about), roles): (&Told, &BTreeSet<&str>)| format!("{file}\t{severity}\t{about}\t{}", in_order(roles));
    let is: BTreeSet<String> = told.iter().map(row).collect();
    let due: BTreeSet<String> = listed.keys().cloned().collect();
    let lost: Vec<String> = due.difference(&is).map(|row| format!("- {row}")).collect();
    let found: Vec<String> = is.difference(&due).map(|row| format!("+ {row}")).collect();
    println!("{} rows", is.len());
    let differences: Vec<&String> = lost.iter().chain(&found).collect();
    differences.iter().for_each(|row| println!("{row}"));
    assert!(differences.is_empty(), "{} rows differ; read these findings beside their packets", differences.len());
}

#[test]
fn every_listed_finding_has_a_reason_and_none_is_told_without_a_role() {
    let listed = listed();
    assert!(listed.len() > 100 && listed.values().all(|reason| reason.len() > 10), "{}", listed.len());
    assert!(listed.keys().all(|row| row.split('\t').count() == 4 && !row.contains("\tnone")));
}

fn listed() -> BTreeMap<String, String> {
    let rows = include_str!("data/healthy-findings.tsv").lines().skip(1);
    rows.map(|row| row.rsplit_once('\t').unwrap()).map(|(row, reason)| (row.to_owned(), reason.to_owned())).collect()
}

/// The words in the order of the table, or that it is told with any role.
fn in_order(roles: &BTreeSet<&str>) -> String {
    if ROLES.iter().filter(|(_, role, _)| !role.is_empty()).all(|(word, ..)| roles.contains(word)) {
        return "all".to_owned();
    }
    let given: Vec<&str> = ROLES.iter().map(|(word, ..)| *word).filter(|word| roles.contains(word)).collect();
    given.join(",")
}

/// What is told of each capture of the manifest, with the roles under which it is.
fn told_of_all(shared: &Path) -> BTreeMap<Told, BTreeSet<&'static str>> {
    let files: Vec<String> = place::manifest(shared).into_iter().map(|mut row| row.swap_remove(0)).collect();
    let (next, told) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<Told, BTreeSet<&str>>::new()));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            for (word, role, networks) in ROLES {
                for (severity, about) in told_of(&shared.join("files").join(file), role, networks) {
                    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.entry((file.clone(), severity, about)).or_default().insert(word);
                }
            }
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| _ = scope.spawn(work)));
    told.into_inner().unwrap()
}

/// Findings of medium and higher severity: kind and what it is about, without the roles of the ends.
fn told_of(path: &Path, role: &str, networks: &[&str]) -> Vec<(&'static str, String)> {
    let signatures = Signatures::built_in();
    let roles = networks.iter().map(|network| (signatures.role_id(role).unwrap(), network.parse().unwrap())).collect();
    let told = plan::read(path, signatures, roles, Telling::Judgement, &mut |_| {}, |report| {
        let severe = report.findings.iter().filter(|finding| finding.severity >= Severity::Medium);
        let word = |severity| if severity == Severity::High { "high" } else { "medium" };
        severe.map(|finding| (word(finding.severity), format!("{} {}", finding.rule, about(&finding.id, &finding.about)))).collect()
    });
    // What cannot be opened is no capture.
    told.unwrap_or_default()
}

/// The row, or the port and what is spoken there.
fn about(id: &str, about: &str) -> String {
    let row = id.split('/').nth(1).unwrap_or_default();
    if row.ends_with("-tcp") || row.ends_with("-udp") || row.ends_with("-sctp") { about.to_owned() } else { row.to_owned() }
}
