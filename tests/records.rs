//! The records as they are printed, held against the schemas in `schemas/`: every recorded capture, and a share of the shared ones where they are at hand.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests stop the test")]

#[path = "shared/place.rs"]
mod place;
mod schema;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
fn every_record_is_as_its_schema_says_and_has_no_field_that_it_does_not_name() {
    let schemas: Vec<(&str, Value)> = ["flow", "finding", "summary"].map(|kind| (kind, schema::closed(load(kind)))).into();
    let mut held = 0;
    for capture in captures() {
        for line in analyze("ndjson", &capture).lines() {
            let record: Value = serde_json::from_str(line).expect("a line is a JSON value");
            let (_, schema) = schemas.iter().find(|(kind, _)| record["type"] == *kind).expect("a known record");
            assert_eq!(schema::mistakes(schema, &record), Vec::<String>::new(), "{}: {line}", capture.display());
            held += 1;
        }
    }
    assert!(held > 500, "there is something to look at: {held}");
}

#[test]
fn the_document_is_as_its_schema_says() {
    let schema = schema::closed(load("report"));
    for capture in captures().into_iter().step_by(9) {
        let document: Value = serde_json::from_str(&analyze("json", &capture)).expect("JSON");
        assert_eq!(schema::mistakes(&schema, &document), Vec::<String>::new(), "{}", capture.display());
    }
}

#[test]
fn a_record_that_is_wrong_does_not_fit() {
    let schema = schema::closed(load("flow"));
    let records = analyze("ndjson", &captures()[0]);
    let flow: Value = records.lines().filter_map(|line| serde_json::from_str(line).ok()).find(|record: &Value| record["type"] == "flow").expect("a flow");
    assert_eq!(schema::mistakes(&schema, &flow), Vec::<String>::new());
    for (place, wrong) in [("verdict", "maybe"), ("outcome", "blocked"), ("direction", "sure"), ("type", "finding"), ("first", "")] {
        let mut changed = flow.clone();
        changed[place] = if wrong.is_empty() { Value::from(1) } else { wrong.into() };
        assert_eq!(schema::mistakes(&schema, &changed).len(), 1, "{place}");
    }
    let mut changed = flow;
    changed["client"]["more"] = true.into();
    assert_eq!(schema::mistakes(&schema, &changed).len(), 1);
}

fn load(kind: &str) -> Value {
    let file = place::root().join("schemas").join(format!("{kind}.schema.json"));
    serde_json::from_str(&fs::read_to_string(file).expect("the schema")).expect("JSON")
}

fn captures() -> Vec<PathBuf> {
    let mut captures: Vec<PathBuf> = place::cases().iter().map(|case| case.join("capture.pcap")).collect();
    if let Some(shared) = place::shared() {
        let small = place::manifest(&shared).into_iter().filter(|row| row[4].parse::<u64>().is_ok_and(|packets| (1..5_000).contains(&packets)));
        captures.extend(small.step_by(EVERY).map(|row| shared.join("files").join(&row[0])));
    }
    captures
}

fn analyze(format: &str, capture: &Path) -> String {
    let role = ["--role", "spinetix.player=10.1.0.0/24"];
    let output =
        Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "-q", "--format", format]).args(role).arg(capture).output().expect("portbook runs");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}: {}", capture.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Every so many of the shared captures are read.
const EVERY: usize = 40;
