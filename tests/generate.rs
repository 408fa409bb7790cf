//! Captures from the generators (fixtures/generate) are what their README says, by our own reader and, where they are installed, capinfos and tshark.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "helpers of tests stop the test")]

#[path = "shared/place.rs"]
mod place;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portbook::capture::{self, Options, Progress, Source};
use serde_json::Value;

#[test]
fn copies_of_a_capture_are_merged_by_time_and_each_is_judged_like_the_first() {
    let Some(made) = Made::new(&["replicate", &demo(), "--times", "3", "--step", "0.5"]) else { return };
    let (once, times) = (summary(&demo()), times_of(&made.path));
    assert_eq!(times.len() as u64, 3 * once["frames"].as_u64().expect("a number"));
    assert!(times.is_sorted(), "out of order");
    let three = summary(&made.name());
    assert_eq!(three["flows"].as_u64(), once["flows"].as_u64().map(|flows| 3 * flows));
    assert!(counts(&once["outcomes"]).values().sum::<u64>() > 10);
    assert_eq!(counts(&three["outcomes"]), counts(&once["outcomes"]).into_iter().map(|(outcome, many)| (outcome, 3 * many)).collect());
}

#[test]
fn the_first_copy_is_the_capture_itself() {
    let Some(made) = Made::new(&["replicate", &demo(), "--times", "1"]) else { return };
    // The fixture is little-endian, as what is made; only the snap length of the file header is the generator's own.
    assert_eq!(fs::read(&made.path).expect("a file")[24..], fs::read(demo()).expect("a file")[24..]);
}

#[test]
fn the_errors_of_a_copy_still_quote_its_own_flows() {
    let rejected = recorded("mqtt-tls-rejected-icmp-admin");
    let Some(made) = Made::new(&["replicate", &rejected, "--times", "2", "--step", "100"]) else { return };
    let outcomes = counts(&summary(&made.name())["outcomes"]);
    let once = counts(&summary(&rejected)["outcomes"]);
    assert!(once["rejected_by_network"] > 0);
    assert_eq!(outcomes["rejected_by_network"], 2 * once["rejected_by_network"]);
}

#[test]
fn checksums_are_mended() {
    let Some(made) = Made::new(&["replicate", &demo(), &recorded("ipv6-dropped"), &recorded("mqtt-tls-rejected-icmp-admin"), "--times", "4"]) else { return };
    let Some(wrong) = wrong_checksums(&made.name()) else { return };
    // What the fixtures themselves have wrong: offload of the recording hosts.
    let before: usize = [demo(), recorded("ipv6-dropped"), recorded("mqtt-tls-rejected-icmp-admin")].iter().filter_map(|path| wrong_checksums(path)).sum();
    assert_eq!(wrong, 4 * before);
    for what in ["flows --flows 500", "flows --flows 500 --protocol udp", "elephant --size 200k", "small --size 50k"] {
        let Some(made) = Made::new(&what.split(' ').collect::<Vec<_>>()) else { return };
        assert_eq!(wrong_checksums(&made.name()), Some(0), "{what}");
    }
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let bytes = |seed: &str| Made::new(&["--seed", seed, "flows", "--flows", "300"]).map(|made| fs::read(&made.path).expect("a file"));
    let (Some(one), Some(again), Some(other)) = (bytes("1"), bytes("1"), bytes("2")) else { return };
    assert!(one == again && one != other && one.len() == other.len());
}

#[test]
fn as_many_connections_as_asked_for_live_at_once_and_all_end_well() {
    let Some(made) = Made::new(&["flows", "--flows", "2k", "--packets", "12"]) else { return };
    let flows = flows(&made.name());
    assert_eq!((flows.len(), times_of(&made.path).len()), (2_000, 24_000));
    assert!(flows.values().all(|flow| flow["state"] == "SF" && flow["protocol"][0] == "http"));
    // Each is there until the last round begins: nobody's first packet comes after anybody's last.
    let latest_first = flows.values().map(|flow| flow["first"].as_str()).max();
    let earliest_last = flows.values().map(|flow| flow["last"].as_str()).min();
    assert!(latest_first < earliest_last, "{latest_first:?} {earliest_last:?}");
}

#[test]
fn short_connections_end_with_a_reset() {
    let Some(made) = Made::new(&["flows", "--flows", "100", "--packets", "6", "--live", "10"]) else { return };
    let flows = flows(&made.name());
    // The client reset a connection that had been established (Zeek's conn_state).
    assert!(flows.len() == 100 && flows.values().all(|flow| flow["state"] == "RSTO" && flow["evidence"] == "dialogue"), "{flows:?}");
}

#[test]
fn flows_live_in_groups_where_that_is_asked_for() {
    let Some(made) = Made::new(&["flows", "--flows", "1k", "--protocol", "udp", "--packets", "2", "--live", "100"]) else { return };
    let flows = flows(&made.name());
    assert!(flows.len() == 1_000 && flows.values().all(|flow| flow["protocol"][0] == "ntp" && flow["server"]["packets"] == 1));
    let latest_first = flows.values().map(|flow| flow["first"].as_str()).max();
    assert!(latest_first > flows.values().map(|flow| flow["last"].as_str()).min());
}

#[test]
fn an_elephant_is_one_whole_connection() {
    let Some(made) = Made::new(&["elephant", "--size", "1M"]) else { return };
    let flows = flows(&made.name());
    let flow = flows.values().next().expect("a flow");
    assert_eq!((flows.len(), &flow["state"], &flow["protocol"][0], &flow["outcome"]), (1, &"SF".into(), &"http".into(), &"ok".into()));
    assert!(flow["server"]["payload_bytes"].as_u64() > Some(900_000));
    assert!((950_000..1_050_000).contains(&fs::metadata(&made.path).expect("a file").len()));
}

#[test]
fn small_packets_are_of_64_bytes_and_of_no_protocol() {
    let Some(made) = Made::new(&["small", "--size", "100k", "--flows", "50"]) else { return };
    let mut lengths = Vec::new();
    frames(&made.path, &mut |frame| lengths.push(frame.bytes.len()));
    assert!(lengths.len() > 1_000 && lengths.iter().all(|length| *length == 60));
    let flows = flows(&made.name());
    assert!(flows.len() == 50 && flows.values().all(|flow| flow["protocol"].as_array().is_some_and(Vec::is_empty)));
}

/// What an attack leaves of the account of everybody else.
#[test]
fn what_lies_within_a_flood_is_judged_as_if_there_were_none() {
    let Some(made) = Made::new(&["syn-flood", "--sources", "3k", "--inside", &demo()]) else { return };
    let (without, within) = (flows(&demo()), flows(&made.name()));
    assert!(within.len() == without.len() + 3_000 && without.len() > 10, "{}", within.len());
    for (id, flow) in &without {
        for key in ["service", "verdict", "outcome", "protocol", "state", "reasons"] {
            assert_eq!(within.get(id).map(|within| &within[key]), Some(&flow[key]), "{key} of {id}");
        }
    }
}

#[test]
fn what_cannot_be_copied_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let strange = folder.path().join("strange.pcapng");
    fs::write(&strange, [0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0]).expect("a file");
    let Some(run) = python(&["replicate", &strange.display().to_string(), "--times", "2", "-o", &folder.path().join("out").display().to_string()]) else {
        return;
    };
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && said.contains("not a classic pcap file (editcap -F pcap converts"), "{said}");
}

/// A capture that was made, in a folder of its own.
struct Made {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Made {
    /// None where there is no Python.
    fn new(arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("made.pcap");
        let run = python(&[arguments, &["-o", &path.display().to_string()]].concat())?;
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
        let made = Self { path, _folder: folder };
        if let Ok(said) = Command::new("capinfos").args(["-T", "-r", "-o", &made.name()]).output() {
            assert!(
                String::from_utf8_lossy(&said.stdout).trim().ends_with(",True") || String::from_utf8_lossy(&said.stdout).trim().ends_with("\tTrue"),
                "{said:?}"
            );
        }
        Some(made)
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

fn python(arguments: &[&str]) -> Option<std::process::Output> {
    let run = Command::new("python3").arg("-B").arg(place::root().join("fixtures/generate")).args(arguments).output();
    run.inspect_err(|error| eprintln!("skipped: python3: {error}")).ok()
}

/// Packets with a checksum that tshark calls wrong outside the quotes of ICMP errors; none where there is no tshark.
fn wrong_checksums(path: &str) -> Option<usize> {
    let wrong = "!icmp && !icmpv6 && (ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0) || icmp.checksum.status==0 || icmpv6.checksum.status==0";
    let checks = ["ip", "tcp", "udp"].map(|layer| format!("{layer}.check_checksum:TRUE"));
    let options = checks.iter().flat_map(|check| ["-o", check]);
    let run = Command::new("tshark").args(["-n", "-r", path]).args(options).args(["-Y", wrong]).output();
    let run = run.inspect_err(|error| eprintln!("skipped: tshark: {error}")).ok()?;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(String::from_utf8_lossy(&run.stdout).lines().count())
}

fn frames(path: &Path, each: &mut dyn FnMut(&capture::Frame<'_>)) {
    let mut source = capture::open(&[path.to_owned()], Options::default()).expect("the capture opens");
    while source.read(&mut |frames| frames.iter().for_each(&mut *each)).expect("the capture reads") == Progress::More {}
}

fn times_of(path: &Path) -> Vec<portbook::time::Timestamp> {
    let mut times = Vec::new();
    frames(path, &mut |frame| times.push(frame.time));
    times
}

fn records(path: &str) -> Vec<Value> {
    let run = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "--format", "ndjson", path]).output().expect("portbook runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// Flow records by their client, server and id.
fn flows(path: &str) -> BTreeMap<String, Value> {
    let key = |flow: &Value| format!("{} {} {}", flow["id"], flow["client"]["port"], flow["first"]);
    records(path).into_iter().filter(|record| record["type"] == "flow").map(|flow| (key(&flow), flow)).collect()
}

fn summary(path: &str) -> Value {
    records(path).pop().expect("a summary")
}

fn counts(of: &Value) -> BTreeMap<String, u64> {
    of.as_object().expect("counts").iter().filter_map(|(name, many)| Some((name.clone(), many.as_u64()?))).collect()
}

fn recorded(case: &str) -> String {
    place::fixture(case).display().to_string()
}

fn demo() -> String {
    recorded("demo")
}
