//! Some minutes at each of the five sample sites: one thing is wrong, and it is the one finding that matters.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portbook::judge::{Finding, Severity, Site};
use portbook::pipeline::{self, Plan};
use portbook::report::record::word;
use portbook::signature::Signatures;
use serde::Deserialize;

use super::packets::Wire;
use super::words::{Exchange, Openings};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Days {
    day: Vec<Day>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    vendor: String,
    wrong: Wrong,
    exchanges: Vec<Exchange>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrong {
    rule: String,
    service: String,
    severity: String,
}

#[test]
fn every_vendor_has_a_sample_site_with_some_traffic() {
    let vendors: BTreeSet<String> = days().into_iter().map(|day| day.vendor).collect();
    assert_eq!(vendors, Signatures::built_in().documents.iter().map(|document| document.vendor.clone()).collect());
    for day in days() {
        site(&day);
    }
}

#[test]
fn the_captures_beside_the_sample_sites_are_those_of_the_words() {
    for day in days() {
        let (capture, path) = (capture(&day, day.exchanges.len()), folder().join(format!("{}.pcap", day.vendor)));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &capture).unwrap();
        }
        assert!(fs::read(&path).unwrap_or_default() == capture, "{}: BLESS=1 cargo test --test scenarios writes it", path.display());
    }
}

#[test]
fn the_one_thing_that_is_wrong_at_a_site_is_its_one_finding_that_matters() {
    for day in days() {
        let found = findings(&day, day.exchanges.len());
        let told: Vec<(&str, Option<&str>, String)> = found
            .iter()
            .map(|finding| (finding.rule.as_str(), finding.service.map(|id| Signatures::built_in().service(id).id.as_str()), word(&finding.severity)))
            .collect();
        let wrong = &day.wrong;
        assert_eq!(told, [(wrong.rule.as_str(), Some(wrong.service.as_str()), wrong.severity.clone())], "{}: {found:#?}", day.vendor);
    }
}

#[test]
fn without_it_nothing_is_wrong() {
    for day in days() {
        let healthy = day.exchanges.iter().position(|exchange| exchange.unanswered).unwrap_or(day.exchanges.len() - 1);
        assert_eq!(findings(&day, healthy), [], "{}", day.vendor);
    }
}

fn days() -> Vec<Day> {
    toml::from_str::<Days>(&fs::read_to_string(folder().join("days.toml")).unwrap()).unwrap_or_else(|error| panic!("{error}")).day
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sites")
}

fn site(day: &Day) -> Site {
    let all = Signatures::built_in();
    Site::load(&folder().join(format!("{}.toml", day.vendor)), all, all).unwrap_or_else(|error| panic!("{error}"))
}

/// The first exchanges of the day, some seconds apart.
fn capture(day: &Day, exchanges: usize) -> Vec<u8> {
    let (mut wire, openings) = (Wire::default(), Openings::load());
    for exchange in &day.exchanges[..exchanges] {
        let (opens, turns) = exchange.parts(&openings);
        if exchange.unanswered {
            wire.ping(&opens);
            wire.unanswered(&opens, &turns);
        } else {
            wire.exchange(&opens, &turns);
        }
        wire.pause(BETWEEN);
    }
    wire.pcap()
}

/// Findings of medium severity and above.
fn findings(day: &Day, exchanges: usize) -> Vec<Finding> {
    let file = tempfile::Builder::new().suffix(".pcap").tempfile().unwrap();
    fs::write(file.path(), capture(day, exchanges)).unwrap();
    let (captures, stop) = ([file.path().to_owned()], std::sync::atomic::AtomicBool::new(false));
    let plan = Plan { site: site(day), ..Plan::of(&captures, &stop) };
    let report = pipeline::run(plan, &|_, _| {}, &mut |_| {}).unwrap();
    report.findings.into_iter().filter(|finding| finding.severity >= Severity::Medium).collect()
}

/// Between two exchanges, in seconds.
const BETWEEN: u64 = 20;
