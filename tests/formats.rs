//! Every format: what it prints of one small capture is kept in `tests/data/formats/` for people to look at, and what the formats promise is held on all recorded
//! captures. `BLESS=1 cargo test --test formats` writes the kept files; look at the difference before it is committed.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test")]

#[path = "shared/csv.rs"]
mod csv;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::csv::csv_rows;

/// Formats that print what they know of a flow as it passes, with the arguments that choose them.
const FLOW_FORMATS: &[&str] = &["ndjson", "csv", "eve", "zeek", "ecs"];

#[test]
fn each_format_prints_what_is_kept_of_it() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats");
    let tables = [("csv", "findings", "findings.csv"), ("csv", "coverage", "coverage.csv"), ("csv", "flows", "flows.csv")];
    let others = [
        ("html", "flows", "report.html"),
        ("eve", "flows", "eve.json"),
        ("zeek", "flows", "conn.log"),
        ("ecs", "flows", "ecs.ndjson"),
        ("junit", "flows", "junit.xml"),
        ("sarif", "flows", "report.sarif"),
    ];
    let mut differing = Vec::new();
    for (format, table, name) in tables.into_iter().chain(others) {
        let printed = analyze(&[&["--format", format, "--table", table], ROLE, &[CAPTURE]].concat());
        let file = kept.join(name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &printed).expect("the file can be written");
        }
        if std::fs::read_to_string(&file).unwrap_or_default() != printed {
            differing.push(name);
        }
    }
    assert!(differing.is_empty(), "other than kept: {differing:?}; BLESS=1 cargo test --test formats writes them");
}

#[test]
fn every_format_tells_of_the_same_flows() {
    for capture in captures() {
        let records = json_lines(&analyze(&["--format", "ndjson", &capture]));
        let ids: Vec<String> = of(&records, "type", "flow").iter().map(|flow| text(&flow["id"])).collect();
        let eve: Vec<Value> = json_lines(&analyze(&["--format", "eve", &capture]));
        assert_eq!(of(&eve, "event_type", "flow").iter().map(|flow| text(&flow["community_id"])).collect::<Vec<_>>(), ids, "eve of {capture}");
        let ecs = json_lines(&analyze(&["--format", "ecs", &capture]));
        let flows = ecs.iter().filter(|event| event["event"]["dataset"] == "portbook.flow");
        assert_eq!(flows.map(|flow| text(&flow["network"]["community_id"])).collect::<Vec<_>>(), ids, "ecs of {capture}");
        let csv = csv_rows(&analyze(&["--format", "csv", &capture]));
        assert_eq!(csv[1..].iter().map(|row| row[0].clone()).collect::<Vec<_>>(), ids, "csv of {capture}");
        let zeek = zeek_rows(&analyze(&["--format", "zeek", &capture]));
        assert_eq!(zeek.iter().map(|row| row[22].clone()).collect::<Vec<_>>(), ids, "zeek of {capture}");
        let uids: BTreeSet<&String> = zeek.iter().map(|row| &row[1]).collect();
        assert_eq!(uids.len(), zeek.len(), "a uid each in {capture}");
    }
}

#[test]
fn each_finding_is_an_alert_with_the_ends_of_a_flow_that_was_told() {
    let arguments = |format| [&["--format", format], ROLE, &[DEMO]].concat();
    let findings = of(&json_lines(&analyze(&arguments("ndjson"))), "type", "finding");
    assert!(findings.len() > 2);
    let eve = json_lines(&analyze(&arguments("eve")));
    let (flows, alerts) = (of(&eve, "event_type", "flow"), of(&eve, "event_type", "alert"));
    let told: BTreeSet<String> = alerts.iter().map(|alert| text(&alert["portbook"]["finding"])).collect();
    assert_eq!(told, findings.iter().map(|finding| text(&finding["id"])).collect::<BTreeSet<_>>());
    for alert in &alerts {
        let same = flows.iter().find(|flow| flow["flow_id"] == alert["flow_id"]).expect("the flow of the alert");
        for key in ["src_ip", "src_port", "dest_ip", "dest_port", "proto", "community_id"] {
            assert_eq!(alert[key], same[key], "{key}");
        }
        assert!((1..=4).contains(&alert["alert"]["severity"].as_u64().expect("a number")));
    }
    let ecs = json_lines(&analyze(&arguments("ecs")));
    let alerts: Vec<_> = ecs.iter().filter(|event| event["event"]["kind"] == "alert").collect();
    assert_eq!(alerts.iter().map(|alert| text(&alert["event"]["id"])).collect::<Vec<_>>(), findings.iter().map(|one| text(&one["id"])).collect::<Vec<_>>());
    let rows = csv_rows(&analyze(&[&["--format", "csv", "--table", "findings"], ROLE, &[DEMO]].concat()));
    assert_eq!(rows[1..].iter().map(|row| row[0].clone()).collect::<Vec<_>>(), findings.iter().map(|one| text(&one["id"])).collect::<Vec<_>>());
}

#[test]
fn the_coverage_table_has_every_row_and_again_those_of_each_role() {
    let arguments = |more: &[&'static str]| [more, ROLE, &[DEMO]].concat();
    let records = json_lines(&analyze(&arguments(&["--format", "ndjson"])));
    let summary = &of(&records, "type", "summary")[0];
    let whole = summary["coverage"].as_object().expect("coverage");
    let role = summary["coverage_by_role"]["spinetix.player"].as_object().expect("of the role");
    let rows = csv_rows(&analyze(&arguments(&["--format", "csv", "--table", "coverage"])));
    assert_eq!(rows.len(), 1 + whole.len() + role.len());
    for row in &rows[1..] {
        let due = if row[0].is_empty() { whole } else { role };
        assert_eq!(row[7], text(&due[&row[1]]), "{row:?}");
    }
}

#[test]
fn no_format_depends_on_the_number_of_workers() {
    for format in FLOW_FORMATS.iter().chain(&["html"]) {
        let with = |workers| analyze(&[&["--format", format, "--workers", workers], ROLE, &[DEMO, "fixtures/captures/quic/capture.pcap"]].concat());
        assert!(with("1") == with("3"), "{format}");
    }
}

#[test]
fn an_empty_capture_has_headers_and_no_flow() {
    // A little-endian pcap header without a packet (draft-ietf-opsawg-pcap, section 4).
    let file = tempfile::NamedTempFile::new().expect("a file");
    let header = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat();
    std::fs::write(file.path(), header).expect("the file can be written");
    let path = file.path().display().to_string();
    assert_eq!(csv_rows(&analyze(&["--format", "csv", &path])).len(), 1);
    assert_eq!(csv_rows(&analyze(&["--format", "csv", "--table", "findings", &path])).len(), 1);
    assert!(zeek_rows(&analyze(&["--format", "zeek", &path])).is_empty());
    let eve = json_lines(&analyze(&["--format", "eve", &path]));
    assert_eq!(eve.iter().map(|event| text(&event["event_type"])).collect::<Vec<_>>(), ["stats"]);
}

#[test]
fn an_event_tells_what_its_own_flow_said() {
    let (one, other) = ("GET /a HTTP/1.1\r\nHost: own.example\r\n\r\n", "GET /b HTTP/1.0\r\n\r\n");
    let told = events(&[tcp(50_000, one.as_bytes()), tcp(50_001, other.as_bytes())]);
    let hosts: Vec<_> = of(&told, "event_type", "http").iter().map(|event| (text(&event["http"]["url"]), event["http"]["hostname"].clone())).collect();
    // The second flow has the name of what the first one said of the same address.
    assert_eq!(hosts, [("/a".to_owned(), Value::from("own.example")), ("/b".to_owned(), Value::Null)]);
}

#[test]
fn who_asks_for_the_name_of_an_address_is_answered_with_a_name() {
    // 7.2.0.192.in-addr.arpa IN PTR (RFC 1035 section 3.5); answered by pc.example for a minute.
    let question = b"\x017\x012\x010\x03192\x07in-addr\x04arpa\0\0\x0c\0\x01";
    let query = [b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0".as_slice(), question].concat();
    let record = b"\xc0\x0c\0\x0c\0\x01\0\0\0\x3c\0\x0c\x02pc\x07example\0";
    let answer = [b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0".as_slice(), question, record].concat();
    let told = events(&[udp([50_000, 53], &query), udp([53, 50_000], &answer)]);
    let dns = of(&told, "event_type", "dns");
    assert_eq!(dns[0]["dns"]["rrtype"], "PTR");
    assert_eq!(dns[1]["dns"]["rrname"], "7.2.0.192.in-addr.arpa");
    assert_eq!(dns[1]["dns"]["grouped"], serde_json::json!({ "PTR": ["pc.example"] }));
}

/// What `eve` tells of packets of IPv4 (LINKTYPE_RAW), a millisecond apart.
fn events(packets: &[Vec<u8>]) -> Vec<Value> {
    let mut capture = [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 101].map(u32::to_be_bytes).concat();
    for (packet, number) in packets.iter().zip(0..) {
        let len = u32::try_from(packet.len()).expect("a small packet");
        capture.extend([[1_700_000_000, number * 1_000, len, len].map(u32::to_be_bytes).concat(), packet.clone()].concat());
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), capture).expect("the file can be written");
    json_lines(&analyze(&["--format", "eve", &file.path().display().to_string()]))
}

/// Of 192.0.2.1 to 192.0.2.2, port 80; the start was not captured.
fn tcp(port: u16, payload: &[u8]) -> Vec<u8> {
    let head = [&port.to_be_bytes()[..], &[0, 80, 0, 0, 0, 9, 0, 0, 0, 9, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]].concat();
    ipv4(6, [1, 2], &[&head, payload].concat())
}

/// Between 192.0.2.1 and 192.0.2.2, whose port is 53.
fn udp([from, to]: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len() + 8).expect("a small datagram");
    let ends = if to == 53 { [1, 2] } else { [2, 1] };
    ipv4(17, ends, &[[from, to, len, 0].map(u16::to_be_bytes).concat(), payload.to_vec()].concat())
}

fn ipv4(protocol: u8, [from, to]: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len() + 20).expect("a small packet").to_be_bytes();
    [&[0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, from, 192, 0, 2, to], payload].concat()
}

#[test]
fn a_table_goes_with_csv_only() {
    let output = portbook(&["--format", "ecs", "--table", "findings", DEMO]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--table goes with --format csv"));
}

/// The lines of a log, after its headers: as many cells as `#fields` and `#types` say.
fn zeek_rows(text: &str) -> Vec<Vec<String>> {
    let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).expect("a header line").split('\t').count();
    assert!(text.starts_with("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#open\t"));
    assert_eq!(header("#fields\t"), header("#types\t"));
    assert!(text.lines().last().expect("a line").starts_with("#close\t"));
    let rows: Vec<Vec<String>> = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    assert!(rows.iter().all(|row| row.len() == header("#fields\t") && row.iter().all(|cell| !cell.is_empty())));
    rows
}

fn of(records: &[Value], key: &str, value: &str) -> Vec<Value> {
    records.iter().filter(|record| record[key] == value).cloned().collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is a JSON value")).collect()
}

/// A few recorded captures of different protocols.
fn captures() -> Vec<String> {
    let names = ["demo", "dns-names", "ftp-tls-passive", "http-proxy-denies", "mqtt-plain-on-8883", "mqtt-tls-ipv6-policy-fail", "quic", "sip-call"];
    names.iter().map(|name| format!("fixtures/captures/{name}/capture.pcap")).collect()
}

fn analyze(arguments: &[&str]) -> String {
    let output = portbook(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn portbook(arguments: &[&str]) -> std::process::Output {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Command::new(env!("CARGO_BIN_EXE_portbook")).arg("analyze").args(arguments).current_dir(root).output().expect("portbook runs")
}

const ROLE: &[&str] = &["--role", "spinetix.player=10.1.0.0/24"];
const DEMO: &str = "fixtures/captures/demo/capture.pcap";
const CAPTURE: &str = "fixtures/captures/mqtt-tls-dropped/capture.pcap";
