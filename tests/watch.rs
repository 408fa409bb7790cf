//! `portbook watch` on real packets: a recorded capture is sent over the loopback interface of a network namespace of its own. What is told is held against the
//! schemas, and the packets that it cites against the capture. Needs root and tcpreplay; without them these tests say that they were skipped. The laboratory
//! (`fixtures/record/live`) goes further.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests stop the test, or say that it was skipped")]

#[path = "shared/place.rs"]
mod place;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use place::{fixture, root};
use portbook::capture::{Captures, Options, Progress, Source, open};
use serde_json::Value;

#[test]
fn what_is_told_live_is_as_its_schema_says_and_the_packets_it_cites_are_those_of_the_capture() {
    let Some((folder, told)) = watched("mqtt-tls-rejected-icmp-admin") else { return };
    let records: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &records {
        let kind = record["type"].as_str().unwrap();
        let schema = schema::closed(serde_json::from_str(&fs::read_to_string(root().join(format!("schemas/{kind}.schema.json"))).unwrap()).unwrap());
        assert_eq!(schema::mistakes(&schema, record), Vec::<String>::new(), "{record}");
    }
    let kinds: BTreeSet<&str> = records.iter().map(|record| record["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["finding", "flow", "summary"]));
    let findings: Vec<&Value> = records.iter().filter(|record| record["type"] == "finding").collect();
    let phases: BTreeSet<&str> = findings.iter().map(|finding| finding["phase"].as_str().unwrap()).collect();
    assert!(phases.is_superset(&BTreeSet::from(["new", "final"])), "{phases:?}");
    assert!(records.iter().filter(|record| record["type"] == "summary").all(|summary| summary["live"]["kernel_drops"] == 0));
    let cited: BTreeSet<u64> =
        findings.iter().flat_map(|finding| finding["evidence"]["frames"].as_array().unwrap()).map(|frame| frame["number"].as_u64().unwrap()).collect();
    let (evidence, sent) = (packets(&folder.path().join("evidence.pcapng")), packets(&fixture("mqtt-tls-rejected-icmp-admin")));
    assert!(!cited.is_empty() && cited.len() == evidence.len(), "{cited:?}");
    assert!(evidence.iter().all(|packet| sent.contains(packet)));
}

/// Sends a fixture past a watching portbook; the folder with its evidence, and what it told. None where that is not possible here.
fn watched(case: &str) -> Option<(tempfile::TempDir, String)> {
    let runs = |script: &str| Command::new("sh").args(["-c", script]).output().is_ok_and(|output| output.status.success());
    if !runs("[ $(id -u) = 0 ] && unshare --net true && command -v tcpreplay ip") {
        println!("skipped: needs root, network namespaces, iproute2 and tcpreplay");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "ip link set lo up; cd \"$FOLDER\"
        \"$PORTBOOK\" watch lo --for 30s --format ndjson --output told --evidence evidence.pcapng --role spinetix.player=10.1.0.0/24 & watch=$!
        until [ -e told ]; do sleep 0.1; done; sleep 1
        tcpreplay -q -i lo \"$CAPTURE\" >&2
        sleep 2; kill -INT $watch; wait $watch";
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", script])
        .envs([("FOLDER", folder.path()), ("PORTBOOK", Path::new(env!("CARGO_BIN_EXE_portbook"))), ("CAPTURE", &fixture(case))])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = fs::read_to_string(folder.path().join("told")).unwrap();
    Some((folder, told))
}

/// The packets of a capture file, by their bytes.
fn packets(path: &Path) -> Vec<Vec<u8>> {
    let mut captures: Captures = open(&[path.to_owned()], Options::default()).unwrap();
    let mut packets = Vec::new();
    while captures.read(&mut |frames| packets.extend(frames.iter().map(|frame| frame.bytes.to_vec()))).unwrap() != Progress::End {}
    packets
}
