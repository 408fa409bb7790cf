//! Every row of the five documents in four scenarios: as documented, from the wrong end, with the wrong bytes, without an answer.
//!
//! The scenarios are words in `fixtures/scenarios/*.toml` (its README describes them); frames are built from them here, the pipeline reads them, and the flow
//! record is held against what the document's row makes due.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stop the test")]

#[path = "scenario/packets.rs"]
mod packets;
#[path = "shared/plan.rs"]
mod plan;
#[path = "scenario/sites.rs"]
mod sites;
#[path = "scenario/words.rs"]
mod words;

use std::collections::BTreeSet;
use std::io::Write;

use ipnet::IpNet;
use portbook::judge::{Judged, Telling};
use portbook::report::record::FlowRecord;
use portbook::signature::{RoleId, Signatures};
use serde_json::Value;

use packets::Wire;
use words::{Due, KINDS, Kind, Openings, Row, Scenario, rows};

#[test]
fn every_documented_row_has_all_four_scenarios() {
    let document: Value = serde_json::from_str(include_str!("data/vendors.json")).unwrap();
    let due: BTreeSet<&str> = document["rows"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(due.len(), 92, "rows of the five documents");
    let rows = rows();
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "a row is described twice");
    assert_eq!(unique, due);
    for row in &rows {
        for kind in KINDS {
            let due = row.due(kind);
            assert!(due.cannot.is_some() != due.states_something(), "{} {}: states what is due, or why it cannot be, not both", row.id, kind.word());
        }
    }
}

#[test]
fn every_scenario_is_judged_as_the_document_says() {
    let openings = Openings::load();
    let rows = rows();
    let (mut wrong, mut played) = (Vec::new(), 0);
    for (row, kind) in rows.iter().flat_map(|row| KINDS.map(|kind| (row, kind))).filter(|(row, kind)| row.due(*kind).cannot.is_none()) {
        played += 1;
        wrong.extend(mistakes(row, kind, &row.scenario(kind, &openings)).map(|what| format!("{} {}: {what}", row.id, kind.word())));
    }
    assert!(wrong.is_empty(), "{} of {played} scenarios differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What differs, in one line; none where all is as due.
fn mistakes(row: &Row, kind: Kind, scenario: &Scenario) -> Option<String> {
    let records = judged(scenario, kind);
    let Some(flow) = records.iter().find(|record| is_about(scenario, record)) else {
        return Some("no flow record between the two".to_owned());
    };
    let due = row.due(kind);
    let wrong: Vec<String> = [
        word("verdict", due.verdict.as_deref(), &flow["verdict"]),
        word("outcome", due.outcome.as_deref(), &flow["outcome"]),
        service(row, kind, due, flow),
        candidate(due, flow),
        protocol(due, flow),
        reasons(due, flow),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!wrong.is_empty()).then(|| format!("{} (reasons {}, protocol {})", wrong.join("; "), flow["reasons"], flow["protocol"]))
}

fn word(what: &str, due: Option<&str>, is: &Value) -> Option<String> {
    let due = due?;
    (!due.split('|').any(|word| is == word)).then(|| format!("{what} {is}, due {due}"))
}

fn service(row: &Row, kind: Kind, due: &Due, flow: &Value) -> Option<String> {
    let allowed = row.services(kind)?;
    if due.reasons.iter().any(|reason| reason == "shared_port") && flow["service"].is_null() {
        return None;
    }
    (!allowed.iter().any(|id| flow["service"] == id.as_str() || (id == "none" && flow["service"].is_null())))
        .then(|| format!("service {}, due {}", flow["service"], allowed.join(" or ")))
}

fn candidate(due: &Due, flow: &Value) -> Option<String> {
    let named =
        |id: &String| flow["service"] == id.as_str() || flow["candidates"].as_array().is_some_and(|list| list.iter().any(|one| one["service"] == id.as_str()));
    let missing: Vec<&String> = due.candidates.iter().filter(|id| !named(id)).collect();
    (!missing.is_empty()).then(|| format!("{missing:?} not among the candidates {}", flow["candidates"]))
}

fn protocol(due: &Due, flow: &Value) -> Option<String> {
    let due = due.protocol.as_ref()?;
    (flow["protocol"] != Value::from(due.clone())).then(|| format!("protocol due {due:?}"))
}

fn reasons(due: &Due, flow: &Value) -> Option<String> {
    let said: Vec<&str> = flow["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let missing: Vec<&String> = due.reasons.iter().filter(|due| !due.split('|').any(|reason| said.contains(&reason))).collect();
    (!missing.is_empty()).then(|| format!("reasons due {missing:?}"))
}

fn is_about(scenario: &Scenario, record: &Value) -> bool {
    let opens = &scenario.opens;
    record["type"] == "flow"
        && record["transport"] == if opens.tcp { "tcp" } else { "udp" }
        && record["client"]["ip"] == opens.client.to_string()
        && record["server"]["ip"] == opens.server.to_string()
        && record["server"]["port"] == opens.server_port
}

fn judged(scenario: &Scenario, kind: Kind) -> Vec<Value> {
    let mut file = tempfile::Builder::new().suffix(".pcap").tempfile().unwrap();
    file.write_all(&packets(scenario, kind).pcap()).unwrap();
    let signatures = Signatures::built_in();
    let role = |id: &str| signatures.roles.iter().position(|role| role.id == id).unwrap_or_else(|| panic!("no role {id}"));
    let roles = scenario.roles.iter().map(|(id, ip)| (RoleId(u16::try_from(role(id)).unwrap()), IpNet::from(*ip))).collect();
    let mut records = Vec::new();
    let mut each = |judged: &Judged| records.push(serde_json::to_value(FlowRecord::new(judged, signatures)).unwrap());
    plan::read(file.path(), signatures, roles, Telling::Everything, &mut each, |_| ()).unwrap();
    records
}

fn packets(scenario: &Scenario, kind: Kind) -> Wire {
    let mut wire = Wire::default();
    wire.ping(&scenario.opens);
    for (opens, turns) in &scenario.before {
        wire.exchange(opens, turns);
    }
    match kind {
        Kind::Unanswered => wire.unanswered(&scenario.opens, &scenario.turns),
        _ => wire.exchange(&scenario.opens, &scenario.turns),
    }
    wire
}
