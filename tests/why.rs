//! `portbook why`: one flow, and all that a colleague needs to follow its judgement.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stop the test")]

#[path = "evidence/captures.rs"]
#[allow(dead_code, reason = "tests of the evidence use the rest")]
mod captures;
#[path = "shared/place.rs"]
mod place;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use captures::{read, rewritten, write};
use serde_json::Value;

#[test]
fn the_account_has_the_flows_own_record_and_every_row_that_the_record_names() {
    let report = json(&portbook(&["analyze", "--format", "json", ROLE[0], ROLE[1], &demo()]));
    let mut standings = 0;
    for flow in list(&report["flows"]).iter().step_by(3) {
        let why = why(&demo(), &[], text(&flow["id"]));
        let told = &why["flows"][0];
        assert_eq!((&told["flow"], list(&why["flows"]).len()), (flow, 1));
        let rows: Vec<(&str, &str)> = list(&told["rows"]).iter().map(|row| (text(&row["service"]), text(&row["standing"]))).collect();
        match flow["service"].as_str() {
            Some(service) => assert!(rows[0].0 == service && ["own", "broken"].contains(&rows[0].1), "{rows:?}"),
            None => assert!(rows.iter().all(|(_, standing)| !["own", "broken"].contains(standing)), "{rows:?}"),
        }
        for candidate in list(&flow["candidates"]) {
            let row = list(&told["rows"]).iter().find(|row| row["service"] == candidate["service"]).unwrap_or_else(|| panic!("{candidate} is told"));
            assert!(text(&candidate["why"]).starts_with(text(&row["speaks_for"])), "{row} and {candidate}");
            standings += 1;
        }
    }
    assert!(standings > 10);
}

/// The firewall drops MQTT: README.md of the recorded case.
#[test]
fn a_dropped_service_is_told_with_its_rule_its_sentence_and_what_shows_that_answers_are_seen() {
    let case = recorded("mqtt-tls-dropped");
    let report = json(&portbook(&["analyze", "--format", "json", ROLE[0], ROLE[1], &case]));
    let finding = &report["findings"][0];
    let told = why(&case, &[], text(&finding["evidence"]["flow_ids"][0]));
    let flow = &told["flows"][0];
    assert_eq!(flow["flow"]["outcome"], "silent_drop");
    assert_eq!((&flow["rule"]["outcome"], &flow["rule"]["id"], &flow["blocked"]), (&"silent_drop".into(), &flow["flow"]["cause"]["rule"], &true.into()));
    assert!(text(&flow["citation"]["quote"]).contains("8883") && flow["citation"]["basis"] == "document");
    assert!(["likely", "shown"].contains(&text(&flow["sight"]["word"])), "blocked is only said where answers are seen: {}", flow["sight"]);
    assert_eq!((&flow["findings"][0]["number"], &flow["findings"][0]["id"]), (&1.into(), &finding["id"]));
    assert_eq!((&flow["client_roles"][0]["role"], text(&flow["client_roles"][0]["why"])), (&"spinetix.player".into(), "--role says so"));
}

// What another source states is not the document's word
#[test]
fn a_row_of_another_source_is_cited_by_its_address() {
    let run = portbook(&[
        "why",
        "--format",
        "json",
        "--role",
        "cinegy.host=10.0.0.0/8",
        "--flow",
        "1:eeDU0cqGlWnKAD+O8DSgoYiN2EM=",
        &recorded("sql-browser-instance"),
    ]);
    let citation = &json(&run)["flows"][0]["citation"];
    assert_eq!((&citation["basis"], &citation["document"]), (&"supplement".into(), &citation["url"]), "{citation}");
}

#[test]
fn the_account_for_people_fits_100_columns_and_has_every_part() {
    let report = json(&portbook(&["analyze", "--format", "json", ROLE[0], ROLE[1], &demo()]));
    for flow in list(&report["flows"]).iter().step_by(5) {
        let run = portbook(&["why", ROLE[0], ROLE[1], &demo(), "--flow", text(&flow["id"])]);
        let told = String::from_utf8(run.stdout).unwrap();
        assert!(run.status.success() && !told.contains('\u{1b}'));
        let wide: Vec<&str> = told.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "{wide:#?}");
        let headings = ["What was seen", "What its bytes are", "Which rows it was held against", "Verdict", "Outcome", "To look at it"];
        let places: Vec<_> = headings.iter().map(|heading| told.lines().position(|line| line == *heading)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{told}");
    }
}

#[test]
fn a_flow_is_found_by_its_ends_in_any_order_as_by_its_id() {
    let by = |flow: &str| {
        let told = why(&demo(), &[], flow);
        (told["flows"].clone(), list(&told["flows"]).len())
    };
    let (told, many) = by("10.1.0.2:39174,203.0.113.10:8883");
    assert_eq!((many, &told[0]["flow"]["client"]["port"]), (1, &39174.into()));
    let id = text(&told[0]["flow"]["id"]).to_owned();
    for same in ["203.0.113.10:8883,10.1.0.2:39174", "10.1.0.2:39174,203.0.113.10:8883/tcp", &id] {
        assert_eq!(by(same).0, told, "{same}");
    }
}

#[test]
fn all_flows_are_told_where_ports_were_used_again_each_with_a_filter_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (taken, _) = read(Path::new(&demo()));
    let later = rewritten(&taken, |frame| frame.time = frame.time + Duration::from_secs(7_200));
    let again = write(&folder.path().join("again.pcapng"), &later).display().to_string();
    let told = why(&demo(), &[&again], "10.1.0.2:39174,203.0.113.10:8883");
    let flows = list(&told["flows"]);
    assert_eq!((flows.len(), &flows[0]["flow"]["id"]), (2, &flows[1]["flow"]["id"]));
    assert_eq!((&flows[0]["frames"][0]["file"], &flows[1]["frames"][0]["file"]), (&demo().into(), &again.clone().into()));
    let filters: Vec<&str> = flows.iter().map(|flow| text(&flow["display_filter"])).collect();
    assert!(filters[0] != filters[1] && filters.iter().all(|filter| filter.contains("frame.time_epoch>=")), "{filters:?}");
    let run = portbook(&["why", &demo(), &again, "--flow", "10.1.0.2:39174,203.0.113.10:8883"]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.starts_with("2 flows go by that name") && text.matches("What was seen").count() == 2, "{text}");
}

#[test]
fn an_unknown_flow_is_answered_with_the_nearest_ones() {
    let said = |flow: &str| {
        let run = portbook(&["why", &demo(), "--flow", flow]);
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.code() == Some(2) && run.stdout.is_empty() && said.trim_end().lines().count() == 1, "{said}");
        said
    };
    let near = said("10.1.0.2:39175,203.0.113.10:8883");
    let first = near.split("between these hosts there are: ").nth(1).unwrap();
    assert!(first.contains("10.1.0.2:39174 > 203.0.113.10:8883/tcp") && first.contains(" more"), "{near}");
    let id = text(&why(&demo(), &[], "10.1.0.2:39174,203.0.113.10:8883")["flows"][0]["flow"]["id"]).to_owned();
    assert!(said(&id[..10]).contains(&format!("ids like it: {id}")), "one that was cut off");
    assert!(said("1:AAAAAAAAAAAAAAAAAAAAAAAAAAA=").contains("none of the 24 flows is near it"));
    assert!(said("192.0.2.1:1,192.0.2.2:2").contains("none of the 24 flows is near it"));
    assert!(said("8883/tcp").contains("write a Community ID"));
}

#[test]
fn the_account_does_not_depend_on_the_number_of_workers() {
    let with =
        |workers: &str| portbook(&["why", ROLE[0], ROLE[1], &demo(), "--workers", workers, "--format", "json", "--flow", "10.1.0.2:39174,203.0.113.10:8883"]);
    let one = with("1");
    assert!(one.status.success());
    assert!(["2", "3", "8"].iter().all(|workers| with(workers).stdout == one.stdout));
}

#[test]
fn the_options_of_a_report_hold_here_too() {
    let report = json(&portbook(&["analyze", "--format", "json", ROLE[0], ROLE[1], &demo()]));
    let ssh = list(&report["flows"]).iter().find(|flow| flow["server"]["port"] == 22).unwrap();
    let reasons = |more: &[&str]| why(&demo(), more, text(&ssh["id"]))["flows"][0]["reasons"][0]["reason"].clone();
    assert_eq!((reasons(&[]), reasons(&["--strict"])), ("unsupported_by_product".into(), "undocumented_service".into()));
    let allowed = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(allowed.path(), "[[allow]]\nprotocol = \"ssh\"\nreason = \"ticket 4711\"\n").unwrap();
    let told = why(&demo(), &["--site", &allowed.path().display().to_string()], text(&ssh["id"]));
    assert!(text(&told["flows"][0]["site"]).contains("ticket 4711"), "{}", told["flows"][0]["site"]);
    assert_eq!(told["flows"][0]["flow"]["verdict"], "expected");
}

#[test]
fn a_capture_that_ends_early_is_told_with_what_was_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let whole = std::fs::read(demo()).unwrap();
    std::fs::write(file.path(), &whole[..whole.len() - 10]).unwrap();
    let run = portbook(&["why", &file.path().display().to_string(), "--flow", "10.1.0.2:39174,203.0.113.10:8883"]);
    assert_eq!(run.status.code(), Some(3));
    assert!(!run.stdout.is_empty() && String::from_utf8_lossy(&run.stderr).contains("ends in the middle of a record"));
    assert_eq!(portbook(&["why", "no/such/file", "--flow", "1:abc"]).status.code(), Some(3));
}

fn why(capture: &str, more: &[&str], flow: &str) -> Value {
    let run = portbook(&[&["why", "--format", "json", ROLE[0], ROLE[1], "--flow", flow, capture], more].concat());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    json(&run)
}

fn portbook(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portbook")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn json(run: &Output) -> Value {
    serde_json::from_slice(&run.stdout).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn recorded(case: &str) -> String {
    place::fixture(case).display().to_string()
}

fn demo() -> String {
    recorded("demo")
}

const ROLE: [&str; 2] = ["--role", "spinetix.player=10.1.0.0/24"];
