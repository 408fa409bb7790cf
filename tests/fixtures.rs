//! Holds portbook against the recorded captures: what each case's firewall, programs and documents say must be what portbook says.
//!
//! `fixtures/record/README.md` describes `expected.json`. `PORTBOOK_FIXTURES` names another folder of cases (the laboratory's fresh recordings).

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stop the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
fn every_recorded_capture_is_judged_as_its_firewall_was_configured() {
    let cases = cases();
    assert!(!cases.is_empty(), "no case in {}", folder().display());
    let wrong: Vec<String> = cases.iter().flat_map(|case| differing(case).into_iter().map(|what| format!("{}: {what}", name(case)))).collect();
    assert!(wrong.is_empty(), "{} differences in {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// A case of blocking says how sure the packets make it, and in which words: of a finding, or where no document is about it of the flow.
#[test]
fn every_way_of_blocking_states_its_confidence_and_its_sentence() {
    let blocked = |item: &Value| BLOCKED.iter().any(|outcome| item["outcome"] == *outcome || list(&item["outcome"]).iter().any(|one| one == outcome));
    let mut cases_of_blocking = 0;
    let mut bare = Vec::new();
    for case in cases() {
        let due: Value = serde_json::from_str(&fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
        let items: Vec<&Value> = list(&due["flows"]).iter().filter(|item| blocked(item)).collect();
        cases_of_blocking += usize::from(!items.is_empty());
        let said = list(&due["findings"]).iter().any(|finding| finding["says_contains"].is_string());
        let exact = |item: &&Value| item["outcome"].is_string() && item["confidence"].is_string() && (said || item["says_contains"].is_string());
        bare.extend(items.iter().filter(|item| !exact(item)).map(|item| format!("{}: {item}", name(&case))));
    }
    assert!(bare.is_empty(), "without confidence or sentence:\n{}", bare.join("\n"));
    assert!(std::env::var_os("PORTBOOK_FIXTURES").is_some() || cases_of_blocking >= 50, "{cases_of_blocking}");
}

#[test]
fn every_case_is_small_and_says_where_it_comes_from() {
    for case in cases() {
        let capture = fs::metadata(case.join("capture.pcap")).unwrap_or_else(|error| panic!("{}: {error}", name(&case)));
        assert!(capture.len() <= LARGEST_CAPTURE, "{} has {} bytes", name(&case), capture.len());
        let readme = fs::read_to_string(case.join("README.md")).unwrap_or_else(|error| panic!("{}: {error}", name(&case)));
        for heading in ["## What ran", "## The firewall's rules", "## What is true"] {
            assert!(readme.contains(heading), "{}: README.md lacks \"{heading}\"", name(&case));
        }
    }
}

fn folder() -> PathBuf {
    std::env::var_os("PORTBOOK_FIXTURES").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures"), PathBuf::from)
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap_or_else(|error| panic!("{}: {error}", folder().display()));
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("expected.json").is_file()).collect();
    cases.sort();
    cases
}

fn name(case: &Path) -> String {
    case.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What differs from what is due; of a case that awaits something to be learned, that it has been learned.
fn differing(case: &Path) -> Vec<String> {
    let due: Value = serde_json::from_str(&fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
    let mistakes = mistakes(case, &due);
    match due["awaits"].as_str() {
        None => mistakes,
        Some(what) if mistakes.is_empty() => vec![format!("all is as due: take away that it awaits {what}")],
        Some(_) => Vec::new(),
    }
}

/// All that differs between what is due and what portbook says, in words.
fn mistakes(case: &Path, due: &Value) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portbook"));
    command.args(["analyze", "--format", "ndjson", "-q"]).args(list(&due["arguments"]).iter().filter_map(Value::as_str)).arg(case.join("capture.pcap"));
    let output = command.output().unwrap();
    if !matches!(output.status.code(), Some(0 | 1)) {
        return vec![format!("portbook ends with {:?}: {}", output.status.code(), String::from_utf8_lossy(&output.stderr).trim())];
    }
    let records: Vec<Value> = String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_type = |kind: &str| records.iter().filter(|record| record["type"] == kind).collect::<Vec<_>>();
    let mut wrong = flow_mistakes(list(&due["flows"]), &of_type("flow"));
    wrong.extend(orphans(&of_type("flow")));
    wrong.extend(finding_mistakes(due, &of_type("finding")));
    wrong
}

fn flow_mistakes(due: &[Value], flows: &[&Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    for item in due {
        let what = format!("{} {} > {} port {}", text(&item["transport"]), text(&item["client"]), text(&item["server"]), item["port"]);
        let chosen: Vec<&&Value> = flows.iter().filter(|flow| is_about(item, flow)).collect();
        let differences: Vec<Vec<String>> = chosen.iter().map(|flow| differences(item, flow)).collect();
        let right = differences.iter().filter(|list| list.is_empty()).count();
        let needed = item["count"].as_u64().map_or(chosen.len().max(1), |count| usize::try_from(count).unwrap_or(usize::MAX));
        if right != needed {
            let mut said: Vec<String> = differences.into_iter().filter(|list| !list.is_empty()).map(|list| list.join(", ")).collect();
            said.dedup();
            wrong.push(format!("{what}: {right} of {needed} as due, {} seen; {}", chosen.len(), said.join(" / ")));
        }
    }
    wrong
}

fn is_about(item: &Value, flow: &Value) -> bool {
    let port = flow["server"]["port"].as_u64().unwrap_or(0);
    flow["transport"] == item["transport"] && flow["client"]["ip"] == item["client"] && flow["server"]["ip"] == item["server"] && has_port(&item["port"], port)
}

fn has_port(due: &Value, port: u64) -> bool {
    match due.as_str().and_then(|range| range.split_once('-')) {
        Some((low, high)) => (low.parse().unwrap()..=high.parse().unwrap()).contains(&port),
        None => due.as_u64() == Some(port),
    }
}

fn differences(item: &Value, flow: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, due) in item.as_object().unwrap() {
        let (is, fits) = match key.as_str() {
            "transport" | "client" | "server" | "port" | "count" | "in_part" => continue,
            "service" | "outcome" if due.is_array() => (flow[key].clone(), list(due).contains(&flow[key])),
            "reasons_include" => (flow["reasons"].clone(), list(due).iter().all(|reason| list(&flow["reasons"]).contains(reason))),
            "says_contains" => (flow["cause"]["says"].clone(), text(&flow["cause"]["says"]).contains(text(due))),
            "server_names" => names_of(flow, "name", due),
            "name_sources" => names_of(flow, "source", due),
            "announced" => (flow[key].clone(), is_announced(&flow[key], due)),
            _ => (flow[key].clone(), flow[key] == *due),
        };
        if !fits {
            wrong.push(format!("{key} is {is}, due {due}"));
        }
    }
    wrong
}

/// Whether the announcement has what is due of it; `address:*` leaves a port open.
fn is_announced(announced: &Value, due: &Value) -> bool {
    let fits = |key: &str, due: &Value| match due.as_str().and_then(|end| end.strip_suffix('*')) {
        Some(host) => text(&announced[key]).starts_with(host),
        None => announced[key] == *due,
    };
    due.as_object().unwrap().iter().all(|(key, due)| fits(key, due))
}

/// An announced flow names its parent: by an id that a flow of the report has.
fn orphans(flows: &[&Value]) -> Vec<String> {
    let known = |id: &Value| flows.iter().any(|flow| flow["id"] == *id);
    let announced = flows.iter().filter(|flow| !flow["announced"].is_null() && !known(&flow["announced"]["flow"]));
    announced.map(|flow| format!("{} is announced by a flow that is not there: {}", flow["id"], flow["announced"])).collect()
}

fn names_of(flow: &Value, field: &str, due: &Value) -> (Value, bool) {
    let names = &flow["server"]["names"];
    (names.clone(), list(due).iter().all(|want| list(names).iter().any(|name| name[field] == *want)))
}

fn finding_mistakes(due: &Value, findings: &[&Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expected = vec![false; findings.len()];
    for item in list(&due["findings"]) {
        let mut any = false;
        for (seen, finding) in expected.iter_mut().zip(findings) {
            let due = is_due(item, finding);
            any |= due;
            *seen |= due;
        }
        if !any {
            wrong.push(format!("no finding like {item}; there are: {}", findings.iter().map(|finding| brief(finding)).collect::<Vec<_>>().join(" / ")));
        }
    }
    let bound = severity(&due["no_other_findings_above"]);
    let others = findings.iter().zip(&expected).filter(|(finding, seen)| !**seen && severity(&finding["severity"]) > bound);
    wrong.extend(others.map(|(finding, _)| format!("finding that nothing calls for: {}", brief(finding))));
    wrong
}

fn is_due(item: &Value, finding: &Value) -> bool {
    let contains = |key: &str, is: &Value| item[key].as_str().is_none_or(|words| is.as_str().is_some_and(|is| is.contains(words)));
    let port = item["port"]
        .as_u64()
        .is_none_or(|port| text(&finding["evidence"]["display_filter"]).split(|c: char| !c.is_ascii_digit()).any(|number| number == port.to_string()));
    (item["service"].is_null() || item["service"] == finding["service"])
        && (item["rule"].is_null() || item["rule"] == finding["rule"])
        && severity(&finding["severity"]) >= severity(&item["severity_at_least"])
        && (item["severity"].is_null() || item["severity"] == finding["severity"])
        && (item["confidence"].is_null() || item["confidence"] == finding["confidence"])
        && contains("says_contains", &finding["says"])
        && contains("consequence_contains", &finding["consequence"])
        && port
}

fn brief(finding: &Value) -> String {
    format!("[{} {} {}] {}", text(&finding["severity"]), text(&finding["rule"]), finding["service"], text(&finding["says"]))
}

fn severity(word: &Value) -> usize {
    ["info", "low", "medium", "high"].iter().position(|known| word == known).unwrap_or_else(|| panic!("no severity: {word}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The contract's outcomes that are called blocked.
const BLOCKED: &[&str] = &[
    "silent_drop",
    "rejected_by_network",
    "return_path_broken",
    "reset_by_middlebox",
    "blocked_by_proxy",
    "dns_blocked",
    "tls_intercepted",
    "pmtu_blackhole",
    "idle_dropped",
];
/// A fixture is read by people, too.
const LARGEST_CAPTURE: u64 = 200_000;
