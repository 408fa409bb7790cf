//! What reports of the recordings say and advise, as the engineer reads it who has to act on it.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

#[path = "shared/place.rs"]
mod place;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use place::{cases, fixture};

#[test]
fn a_service_that_refuses_or_hangs_behind_an_open_way_is_no_matter_of_a_firewall() {
    for (case, due) in [
        ("ldap-wrong-password", "See at 203.0.113.59 why it refuses 10.1.0.40"),
        ("vnc-wrong-password", "See at 203.0.113.59 why it refuses 10.1.0.40"),
        ("xmpp-unknown-host", "See at 203.0.113.52 why it refuses 10.1.0.40"),
        ("srt-wrong-passphrase", "See at 10.1.0.50 why it refuses 10.3.0.6"),
        ("http-never-read", "See what 203.0.113.10 does with what it is sent"),
        ("download-stops", "See whether 203.0.113.10 still runs"),
        ("teatime-unknown-session", "See at 203.0.113.69 why it refuses 10.1.0.40"),
        ("coap-dtls-wrong-key", "See that 10.3.0.2 and 10.1.0.2 hold the same key"),
    ] {
        let remedy = remedy(case);
        assert!(remedy.starts_with(due) && !remedy.contains("llow"), "{case}: {remedy}");
    }
    // Where a device in between may have done it, what spares the service from such devices is said, too.
    assert!(remedy("mqtt-closed-at-once").contains("exempt it from TLS inspection"));
    assert!(remedy("ftp-active-given-up").contains("with FTP tracking"));
}

#[test]
fn who_can_follow_an_announcement_depends_on_what_announces() {
    for (case, due) in [
        ("ftp-data-dropped", "(an FTP-aware firewall), or open the whole range"),
        ("ftp-tls-data-dropped", "The control connection is encrypted, so no device on the way can follow it: open the whole range"),
        ("sql-browser-instance-dropped", "Hardly any firewall follows the SQL Server Browser: give the instance a port of its own"),
        ("crqt-teatime-dropped", "Hardly any firewall follows this announcement: open the whole range"),
    ] {
        let remedy = remedy(case);
        assert!(remedy.contains(due), "{case}: {remedy}");
    }
}

#[test]
fn what_answers_a_question_to_a_group_was_asked_where_it_was_captured() {
    for case in ["dhcpv6", "ssdp-upnp-mapping", "ipv6-dropped"] {
        let summary = records(case).into_iter().find(|record| record["type"] == "summary").unwrap();
        assert_eq!(summary["visibility"]["unseen_requests"], 0, "{case}");
    }
}

#[test]
fn a_stranger_is_set_beside_the_rows_of_its_name_and_its_port_before_those_of_its_protocol() {
    let unknown = findings("quic").into_iter().find(|finding| finding["rule"] == "undocumented_service").unwrap();
    let nearest = unknown["unknown"]["nearest"].as_array().unwrap();
    assert_eq!(
        (&nearest[0]["service"], &nearest[0]["why"]),
        (&"spinetix-arya-player-https".into(), &"name api.services.spinetix.com; port 443/tcp".into()),
        "{nearest:?}"
    );
}

#[test]
fn an_alternative_of_another_protocol_is_not_offered() {
    let offered = findings("ftp-active-given-up")[0]["alternatives"].to_string();
    assert!(offered.contains("a device on the way that does not follow it") && !offered.contains("MQTT"), "{offered}");
}

#[test]
fn every_report_of_a_recording_reads_well() {
    let mut wrong = Vec::new();
    for case in cases() {
        let text = String::from_utf8(run(&case, "text")).unwrap();
        // Bytes are printed between bars, as letters and dots.
        let one_line = text.lines().filter(|line| !line.ends_with('|')).flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        for slip in [" 1 flows", " 1 packets", " 1 attempts", ".;", "..", " ,", "hosts is ", "(, "] {
            wrong.extend(one_line.contains(slip).then(|| format!("{}: {slip:?}", case.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What the report prints of a recording with the arguments that are due with it.
fn run(case: &Path, format: &str) -> Vec<u8> {
    let due: Value = serde_json::from_slice(&std::fs::read(case.join("expected.json")).unwrap()).unwrap();
    let arguments = due["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    let portbook = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "--format", format]).args(arguments).arg(case.join("capture.pcap")).output();
    portbook.unwrap().stdout
}

fn records(case: &str) -> Vec<Value> {
    String::from_utf8(run(fixture(case).parent().unwrap(), "ndjson")).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn findings(case: &str) -> Vec<Value> {
    records(case).into_iter().filter(|record| record["type"] == "finding").collect()
}

/// What its first finding that tells of a failure advises.
fn remedy(case: &str) -> String {
    let failed = findings(case).into_iter().find(|finding| finding["rule"] != "optional_service_active").unwrap();
    failed["remedy"].as_str().unwrap().to_owned()
}
