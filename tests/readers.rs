//! Programs that expect the originals read what portbook prints: jq recipes for Suricata's `eve.json`, a reader of Zeek's logs, tools for SARIF and JUnit. They are installed by
//! `make readers`; where one is missing, its test says that it was skipped.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

#[path = "shared/place.rs"]
mod place;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
fn a_reader_of_zeeks_logs_reads_the_same_flows() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for capture in captures() {
        let log = folder.path().join("conn.log");
        fs::write(&log, analyze("zeek", &capture)).expect("the log can be written");
        let read = said(Command::new(&python).arg(place::root().join("tests/readers/zeek.py")).arg(&log));
        let read: Value = serde_json::from_str(&read).expect("what the reader prints");
        let flows = flows(&capture);
        let sum = |side: &str, field: &str| flows.iter().filter_map(|flow| flow[side][field].as_u64()).sum::<u64>();
        assert_eq!(read["path"], "conn");
        assert_eq!(read["records"], flows.len(), "{}", capture.display());
        for (column, side, field) in [("orig_pkts", "client", "packets"), ("resp_pkts", "server", "packets"), ("orig_ip_bytes", "client", "bytes")] {
            assert_eq!(read[column], sum(side, field), "{column} of {}", capture.display());
        }
    }
}

/// Zeek's own tool for its logs; Debian has it under the name that it had when Zeek was Bro.
#[test]
fn zeek_cut_prints_a_line_for_each_flow() {
    let Some(cut) = ["zeek-cut", "bro-cut"].into_iter().find(|name| Command::new(name).arg("-h").output().is_ok()) else {
        println!("skipped: neither zeek-cut nor bro-cut is installed");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    for capture in captures() {
        let log = folder.path().join("conn.log");
        fs::write(&log, analyze("zeek", &capture)).expect("the log can be written");
        let cut = said(Command::new(cut).args(["id.orig_h", "id.resp_p", "portbook.verdict"]).stdin(fs::File::open(&log).expect("the log")));
        let due = flows(&capture)
            .iter()
            .map(|flow| format!("{}\t{}\t{}", flow["client"]["ip"], flow["server"]["port"], flow["verdict"]).replace('"', ""))
            .collect::<Vec<_>>();
        assert_eq!(cut.lines().collect::<Vec<_>>(), due, "{}", capture.display());
    }
}

/// Recipes as they stand in guides to `eve.json`: flows by protocol, bytes by talker, alerts by signature, names that were asked for, TLS by server name.
#[test]
fn jq_recipes_for_eve_give_what_portbook_knows() {
    if !runs("jq") {
        println!("skipped: jq is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for capture in captures() {
        let events = folder.path().join("eve.json");
        fs::write(&events, analyze("eve", &capture)).expect("the events can be written");
        let jq = |filter: &str| said(Command::new("jq").args(["-s", "-c", filter]).arg(&events)).trim().to_owned();
        let flows = flows(&capture);
        assert_eq!(jq("[.[] | select(.event_type==\"flow\")] | length"), flows.len().to_string(), "{}", capture.display());
        let bytes: u64 = flows.iter().filter_map(|flow| Some(flow["client"]["bytes"].as_u64()? + flow["server"]["bytes"].as_u64()?)).sum();
        assert_eq!(jq("[.[] | select(.event_type==\"flow\") | .flow.bytes_toserver + .flow.bytes_toclient] | add // 0"), bytes.to_string());
        let tcp = flows.iter().filter(|flow| flow["transport"] == "tcp").count();
        assert_eq!(jq("[.[] | select(.event_type==\"flow\" and .proto==\"TCP\")] | length"), tcp.to_string());
        assert_eq!(jq("[.[] | select(.event_type==\"stats\")][-1].stats.flow.tcp // 0"), tcp.to_string());
        let orphans =
            "[.[] | select(.event_type==\"flow\") | .flow_id] as $ids | [.[] | select(.event_type!=\"stats\" and ([.flow_id] | inside($ids) | not))] | length";
        assert_eq!(jq(orphans), "0", "every event has its flow in {}", capture.display());
        let nameless = "[.[] | select(.event_type==\"alert\" and ((.alert.signature|length) == 0 or .src_ip == null or .alert.signature_id == null))] | length";
        assert_eq!(jq(nameless), "0");
        let times =
            "[.[].timestamp | select(test(\"^\\\\d{4}-\\\\d\\\\d-\\\\d\\\\dT\\\\d\\\\d:\\\\d\\\\d:\\\\d\\\\d\\\\.\\\\d{6}\\\\+0000$\") | not)] | length";
        assert_eq!(jq(times), "0");
    }
}

#[test]
fn sarif_and_junit_are_read_by_their_tools_and_fit_the_standards_own_schema() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for capture in captures().into_iter().step_by(3) {
        let (sarif, junit) = (folder.path().join("report.sarif"), folder.path().join("junit.xml"));
        fs::write(&sarif, analyze("sarif", &capture)).expect("the report can be written");
        fs::write(&junit, analyze("junit", &capture)).expect("the report can be written");
        let read = said(Command::new(&python).arg(place::root().join("tests/readers/ci.py")).args([&sarif, &junit]));
        let read: Value = serde_json::from_str(&read).expect("what the readers print");
        let (flows, findings) = records(&capture);
        assert_eq!(read["results"], findings.len(), "{}", capture.display());
        let severe: Vec<&Value> = findings.iter().filter(|finding| finding["severity"] == "high" || finding["severity"] == "medium").collect();
        let mut failing: BTreeSet<String> =
            severe.iter().map(|finding| if finding["service"].is_null() { &finding["id"] } else { &finding["service"] }.to_string()).collect();
        // A service that is blocked may have a second row: it fits its flows, too.
        let ids: Vec<&Value> = severe.iter().flat_map(|finding| finding["evidence"]["flow_ids"].as_array().into_iter().flatten()).collect();
        let candidates = flows.iter().filter(|flow| ids.contains(&&flow["id"])).flat_map(|flow| flow["candidates"].as_array().into_iter().flatten());
        let fitting: Vec<&Value> = candidates.filter(|row| row["fits"] == true).map(|row| &row["service"]).collect();
        let blocked = coverage(&capture).into_iter().filter(|(_, coverage)| coverage == "blocked").map(|(row, _)| Value::from(row));
        failing.extend(blocked.filter(|row| fitting.contains(&row)).map(|row| row.to_string()));
        assert_eq!(read["failures"], failing.len(), "{}", capture.display());
    }
}

/// Flows, findings and rows as DuckDB reads them out of Parquet files, against the records.
#[cfg(feature = "parquet")]
#[test]
fn duckdb_reads_the_tables_of_parquet_files() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for capture in captures() {
        for table in ["flows", "findings", "coverage"] {
            let path = folder.path().join(format!("{table}.parquet"));
            let arguments = ["analyze", "-q", "--format", "parquet", "--table", table, "-o"];
            let made = Command::new(env!("CARGO_BIN_EXE_portbook")).args(arguments).arg(path).arg(&capture).output().expect("portbook runs");
            assert!(matches!(made.status.code(), Some(0 | 3)), "{table} of {}: {}", capture.display(), String::from_utf8_lossy(&made.stderr));
        }
        let statements = [
            "SELECT id, epoch_ns(first), client_ip, server_port, client_bytes, protocol, service, verdict, reasons, vlan, last_frame FROM 'flows.parquet'",
            "SELECT id, severity, service, epoch_ns(last), alternatives, [frame.number FOR frame IN frames], [frame.file FOR frame IN frames] FROM 'findings.parquet'",
            "SELECT service, coverage FROM 'coverage.parquet' WHERE role IS NULL ORDER BY service",
            "SELECT typeof(first), typeof(server_port), typeof(client_bytes), typeof(vlan), typeof(names) FROM (SELECT *, client_names AS names FROM 'flows.parquet') LIMIT 1",
        ];
        let asked = statements.join("\n");
        let read = said_to(Command::new(&python).arg(place::root().join("tests/readers/query.py")).arg(folder.path()), &asked);
        let read: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).expect("rows")).collect();
        let (flows, findings) = records(&capture);
        let told = |record: &Value, fields: &[&str]| -> Vec<Value> { fields.iter().map(|field| record.pointer(field).cloned().unwrap_or_default()).collect() };
        let fields = ["/id", "/first", "/client/ip", "/server/port", "/client/bytes", "/protocol", "/service", "/verdict", "/reasons", "/vlan", "/frames/last"];
        let due: Vec<Vec<Value>> = flows.iter().map(|flow| told(flow, &fields)).collect();
        assert_eq!(rows(&read[0], 1), due, "flows of {}", capture.display());
        let due: Vec<Vec<Value>> = findings
            .iter()
            .map(|finding| {
                let frames = |field: &str| finding["evidence"]["frames"].as_array().into_iter().flatten().map(|frame| frame[field].clone()).collect::<Vec<_>>();
                let mut row = told(finding, &["/id", "/severity", "/service", "/last", "/alternatives"]);
                row.extend([frames("number").into(), frames("file").into()]);
                row
            })
            .collect();
        assert_eq!(rows(&read[1], 3), due, "findings of {}", capture.display());
        let mut due: Vec<(String, Value)> = coverage(&capture);
        due.sort_by(|(one, _), (other, _)| one.cmp(other));
        assert_eq!(read[2], Value::from_iter(due.into_iter().map(|(service, coverage)| vec![service.into(), coverage])), "rows of {}", capture.display());
        if !flows.is_empty() {
            assert_eq!(read[3][0], serde_json::json!(["TIMESTAMPTZ_NS", "USMALLINT", "UBIGINT", "USMALLINT[]", "VARCHAR[]"]));
        }
    }
}

/// Rows as a query gave them, the nanoseconds in that column written as records write times.
#[cfg(feature = "parquet")]
fn rows(read: &Value, time: usize) -> Vec<Vec<Value>> {
    let mut rows: Vec<Vec<Value>> = serde_json::from_value(read.clone()).expect("rows");
    for row in &mut rows {
        row[time] = portbook::time::Timestamp::from_nanos(row[time].as_i64().expect("nanoseconds")).to_string().into();
    }
    rows
}

/// Documented rows and what was seen of each.
fn coverage(capture: &Path) -> Vec<(String, Value)> {
    let summary = analyze("ndjson", capture).lines().last().map(|line| serde_json::from_str::<Value>(line).expect("the summary")).expect("a line");
    summary["coverage"].as_object().expect("rows").iter().map(|(service, coverage)| (service.clone(), coverage.clone())).collect()
}

/// What a program says to what it is given.
#[cfg(feature = "parquet")]
fn said_to(command: &mut Command, given: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the reader starts");
    child.stdin.take().expect("a pipe").write_all(given.as_bytes()).expect("it listens");
    let output = child.wait_with_output().expect("the reader ends");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The Python that `make readers` prepared.
fn python() -> Option<PathBuf> {
    let python = place::root().join("target/readers/bin/python");
    if !python.exists() {
        println!("skipped: make readers was not run");
        return None;
    }
    Some(python)
}

/// Recorded captures, and a share of the shared ones where they are at hand.
fn captures() -> Vec<PathBuf> {
    let mut captures: Vec<PathBuf> = ["demo", "quic", "ftp-active", "http-proxy-denies"].map(place::fixture).into();
    if let Some(shared) = place::shared() {
        let is_small = |row: &Vec<String>| row[9].is_empty() && row[4].parse::<u64>().is_ok_and(|packets| (1..20_000).contains(&packets));
        let small = place::manifest(&shared).into_iter().filter(is_small);
        captures.extend(small.step_by(EVERY).map(|row| shared.join("files").join(&row[0])));
    }
    captures
}

fn flows(capture: &Path) -> Vec<Value> {
    records(capture).0
}

/// Flows and findings.
fn records(capture: &Path) -> (Vec<Value>, Vec<Value>) {
    let records: Vec<Value> = analyze("ndjson", capture).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |kind: &str| records.iter().filter(|record| record["type"] == kind).cloned().collect();
    (of("flow"), of("finding"))
}

fn analyze(format: &str, capture: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "-q", "--format", format]).arg(capture).output().expect("portbook runs");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}: {}", capture.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn said(command: &mut Command) -> String {
    let output = command.output().expect("the reader runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Every so many of the shared captures are read: a few dozen of all kinds.
const EVERY: usize = 30;
