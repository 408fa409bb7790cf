//! `portbook diff` as its user meets it: what did not change is no difference, whatever the two sides are kept as; what changed is told once, both ways round.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test")]

#[path = "shared/place.rs"]
mod place;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use place::fixture;
use serde_json::Value;

const PLAYERS: [&str; 2] = ["--role", "spinetix.player=10.1.0.0/24"];

#[test]
fn a_capture_and_its_reports_are_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = |format: &str, capture: &Path| {
        let file = folder.path().join(format!("report.{format}"));
        let run = portbook(&["analyze", "--format", format, "--output", &path(&file), PLAYERS[0], PLAYERS[1], &path(capture)]);
        assert!(run.status.success());
        file
    };
    for case in ["demo", "sip-call", "ftp-active-dropped", "dns-filtered-ede", "ssdp-upnp-mapping"] {
        let capture = fixture(case);
        let (json, ndjson) = (kept("json", &capture), kept("ndjson", &capture));
        // As somebody would have it after `jq .`
        let pretty = folder.path().join("pretty.json");
        let value: Value = serde_json::from_slice(&fs::read(&json).expect("the report")).expect("a document");
        fs::write(&pretty, serde_json::to_string_pretty(&value).expect("JSON")).expect("the file can be written");
        let gzipped = folder.path().join("report.ndjson.gz");
        let mut encoder = GzEncoder::new(fs::File::create(&gzipped).expect("a file"), Compression::default());
        std::io::copy(&mut fs::File::open(&ndjson).expect("the report"), &mut encoder).and_then(|_| encoder.finish()).expect("the file can be written");
        for (old, new) in [(&capture, &json), (&json, &ndjson), (&ndjson, &pretty), (&pretty, &gzipped), (&gzipped, &capture)] {
            let run = diff(&["--fail-on-change"], old, new);
            assert_eq!(run.status.code(), Some(0), "{case}, {} and {}: {}", old.display(), new.display(), stdout(&run));
            assert!(stdout(&run).contains("No differences."));
        }
    }
}

#[test]
fn a_service_that_no_longer_gets_through_is_told_with_its_finding_and_its_row() {
    let (old, new) = (fixture("mqtt-tls-allowed"), fixture("mqtt-tls-dropped"));
    let differences = json(&diff(&["--format", "json"], &old, &new));
    let of = |kind: &str| -> Vec<&Value> { differences["differences"].as_array().expect("a list").iter().filter(|one| one["kind"] == kind).collect() };
    assert_eq!(differences["same"], false);
    let new_ones = of("new");
    assert!(new_ones.iter().any(|one| one["about"] == "finding high silent_drop/spinetix-out-mqtt/spinetix.player>any" && one["shows"][0].as_str().is_some()));
    let changed: Vec<_> = of("changed").iter().map(|one| [one["about"].clone(), one["due"].clone(), one["is"].clone()]).collect();
    assert!(changed.contains(&["spinetix-out-mqtt 10.1.0.2 > internet", "seen", "blocked"].map(Value::from)), "{changed:?}");
    assert!(changed.contains(&["documented row spinetix-out-mqtt", "seen", "blocked"].map(Value::from)), "{changed:?}");
    let back = json(&diff(&["--format", "json"], &new, &old));
    let gone = back["differences"].as_array().expect("a list").iter().filter(|one| one["kind"] == "gone").count();
    assert_eq!(gone, new_ones.len(), "the other way round what was new is gone");
    assert_eq!(diff(&["--fail-on-change"], &old, &new).status.code(), Some(1));
    assert_eq!(diff(&[], &old, &new).status.code(), Some(0));
}

/// The same traffic a day later: seconds of every record of the pcap file are moved (draft-ietf-opsawg-pcap, section 5).
#[test]
fn another_day_is_no_difference() {
    let mut bytes = fs::read(fixture("demo")).expect("the demo capture");
    let mut at = 24;
    while let Some(record) = bytes.get(at..at + 16) {
        let word = |place: usize| u32::from_le_bytes([record[place], record[place + 1], record[place + 2], record[place + 3]]);
        let (seconds, length) = (word(0), word(8));
        bytes[at..at + 4].copy_from_slice(&(seconds + 86_400).to_le_bytes());
        at += 16 + length as usize;
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), bytes).expect("the file can be written");
    let run = diff(&["--fail-on-change"], &fixture("demo"), file.path());
    assert_eq!(run.status.code(), Some(0), "{}", stdout(&run));
}

#[test]
fn what_is_no_report_is_answered_with_what_would_be_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = portbook(&["analyze", "--format", "json", &path(&fixture("demo"))]).stdout;
    let lines = portbook(&["analyze", "--format", "ndjson", &path(&fixture("demo"))]).stdout;
    let half = |whole: &[u8]| whole[..whole.len() / 2].to_vec();
    let without_summary: Vec<u8> = lines.split_inclusive(|byte| *byte == b'\n').take(3).flatten().copied().collect();
    for (name, bytes, says) in [
        ("other.json", b"{\"a\": [1, 2]}".to_vec(), "there is no summary in it"),
        ("half.json", half(&report), "EOF"),
        ("half.ndjson", half(&lines), "EOF"),
        ("cut.ndjson", without_summary, "there is no summary in it"),
        ("flows.json", b"{\"flows\":[{\"type\":\"flow\"}]}".to_vec(), "missing field"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, bytes).expect("the file can be written");
        let run = diff(&[], &fixture("demo"), &file);
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(says) && said.contains("diff reads what --format json or ndjson printed") && said.contains(name), "{name}: {said}");
    }
    let run = diff(&[], &fixture("demo"), Path::new("no/such/file"));
    assert_eq!(run.status.code(), Some(3), "{}", String::from_utf8_lossy(&run.stderr));
}

fn diff(arguments: &[&str], old: &Path, new: &Path) -> Output {
    portbook(&[&["diff"], arguments, &PLAYERS, &[&path(old), &path(new)]].concat())
}

fn json(run: &Output) -> Value {
    serde_json::from_slice(&run.stdout).expect("one JSON object")
}

fn portbook(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portbook")).args(arguments).output().expect("portbook runs")
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn stdout(run: &Output) -> String {
    String::from_utf8_lossy(&run.stdout).into_owned()
}
