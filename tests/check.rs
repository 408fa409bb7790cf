//! `portbook check` as its user meets it: the gate holds where all is as written and only there, drafts and baselines hold what they were made from, and a
//! mistake is answered with its place and what would be right.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests stop the test")]

#[path = "shared/place.rs"]
mod place;
#[path = "check/truth.rs"]
mod truth;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use place::fixture;
use serde_json::Value;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/checks/demo.toml");
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/checks/sample.toml");
const PLAYERS: [&str; 2] = ["--role", "spinetix.player=10.1.0.0/24"];

#[test]
fn the_demos_expectations_hold_and_only_with_what_is_known_of_the_site() {
    let run = check(&["--expect", DEMO, PLAYERS[0], PLAYERS[1]], &fixture("demo"));
    assert_eq!(run.status.code(), Some(0), "{}", stdout(&run));
    assert!(stdout(&run).contains("No differences."));
    let without = check(&["--expect", DEMO], &fixture("demo"));
    assert_eq!(without.status.code(), Some(1));
    assert!(stdout(&without).contains("differs in confidence"), "{}", stdout(&without));
}

/// What a fixture is that was cut to its header, or recorded on the wrong interface.
#[test]
fn a_capture_without_a_flow_does_not_pass_for_want_of_anything_to_hold_against_it() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pcap");
    fs::write(&empty, &fs::read(fixture("demo")).unwrap()[..24]).unwrap();
    let run = |text: &str, capture: &Path, more: &[&str]| {
        let file = scratch(text);
        check(&[&["--expect", &path(file.path())], more].concat(), capture)
    };
    let bound = "[check]\nname = \"quiet\"\nno_findings_above = \"high\"\n";
    let nothing = run(bound, &empty, &[]);
    assert_eq!(nothing.status.code(), Some(1), "{}", stdout(&nothing));
    let told = stdout(&nothing);
    assert!(told.contains(":3 flows") && told.contains("due  at least 1") && told.contains("flows = 0"), "{told}");
    // Nor does one of which a filter leaves nothing, or one that is held against counts of what is bad.
    assert_eq!(run(bound, &fixture("demo"), &["--filter", "tcp port 1"]).status.code(), Some(1));
    assert_eq!(run("[counts]\nblocked = 0\nfindings = 0\n", &empty, &[]).status.code(), Some(1));
    // Who says that there is none is not told that there is none.
    for due in ["0", "\"0-\""] {
        let run = run(&format!("{bound}[counts]\nflows = {due}\n"), &empty, &[]);
        assert_eq!(run.status.code(), Some(0), "{}", stdout(&run));
    }
}

#[test]
fn nothing_is_no_good_day_to_measure_others_by() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pcap");
    fs::write(&empty, &fs::read(fixture("demo")).unwrap()[..24]).unwrap();
    for kind in ["--expect", "--baseline"] {
        let file = folder.path().join("measure");
        let run = check(&["--bless", kind, &path(&file)], &empty);
        assert_eq!(run.status.code(), Some(1), "{}", stdout(&run));
        assert!(!file.exists() && String::from_utf8_lossy(&run.stderr).contains("is not written"), "{run:?}");
    }
    let kept = folder.path().join("kept");
    assert_eq!(check(&["--bless", "--baseline", &path(&kept)], &fixture("demo")).status.code(), Some(0));
    let before = fs::read(&kept).unwrap();
    assert_eq!(check(&["--baseline", &path(&kept)], &empty).status.code(), Some(1));
    assert_eq!(check(&["--bless", "--baseline", &path(&kept)], &empty).status.code(), Some(1));
    assert_eq!(fs::read(&kept).unwrap(), before);
}

/// Each entry of the demo's file, made untrue, is the one difference that is told, with its line.
#[test]
fn an_entry_that_is_not_true_is_told_with_its_line() {
    let text = fs::read_to_string(DEMO).unwrap();
    for (true_one, false_one, says) in [
        ("blocked = 4", "blocked = \"0-3\"", "due  0 to 3"),
        ("is = \"blocked\"", "is = \"seen\"", "4 flows blocked, such as: 10.1.0.2:"),
        ("service = \"spinetix-player-ntp\"", "service = \"spinetix-player-coap\"", "is   never_attempted"),
        ("is = \"never_attempted\"", "is = [\"attempted\", \"seen\"]", "due  attempted or seen"),
        ("hosts = [\"10.1.0.2\"]", "hosts = [\"10.1.0.77\"]", "not_visible_here: no flow of these hosts was captured"),
        ("count = 4", "count = 3", "is   4 of them"),
        ("outcome = \"silent_drop\"", "outcome = \"refused_by_host\"", "4 with outcome silent_drop: "),
        ("rule = \"D22\"", "rule = \"D20\"", "4 with rule D22: "),
        ("outcome = \"ok\"", "outcome = \"ok_degraded\"", "0 of 5 are so"),
        ("protocol = [\"tls\", \"http\"]", "protocol = [\"tls\"]", "5 with protocol tls/http: "),
        ("breaks = \"Slow Sync\"", "breaks = \"nothing\"", "differs in breaks: high silent_drop"),
        ("says = \"ssh\"", "says = \"telnet\"", "differs in says: high unsupported_by_product"),
    ] {
        let line = text.lines().position(|line| line == true_one).unwrap_or_else(|| panic!("{true_one}"));
        let file = scratch(&text.replacen(&format!("\n{true_one}\n"), &format!("\n{false_one}\n"), 1));
        let run = check(&["--expect", &path(file.path()), PLAYERS[0], PLAYERS[1]], &fixture("demo"));
        let told = stdout(&run);
        assert_eq!(run.status.code(), Some(1), "{false_one}: {told}");
        assert!(told.contains(says), "{false_one}: {told}");
        let table = text.lines().take(line + 1).collect::<Vec<_>>().iter().rposition(|line| line.starts_with('[')).unwrap() + 1;
        let place = |line: usize| told.contains(&format!("{}:{line} ", path(file.path())));
        assert!(place(table) || place(line + 1), "{false_one}: {told}");
    }
}

#[test]
fn a_finding_that_nothing_asks_for_is_told_unless_it_is_allowed_and_only_as_long_as_it_is() {
    let arguments = |file: &tempfile::NamedTempFile| ["--expect".to_owned(), path(file.path()), PLAYERS[0].to_owned(), PLAYERS[1].to_owned()];
    let run = |text: &str| {
        let file = scratch(text);
        let arguments = arguments(&file);
        check(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &fixture("demo"))
    };
    let bound = "[check]\nno_findings_above = \"medium\"\n";
    let bare = run(bound);
    assert_eq!(bare.status.code(), Some(1));
    assert!(stdout(&bare).contains("2 differences") && stdout(&bare).contains("filter ip.addr==10.1.0.2"), "{}", stdout(&bare));
    let allow = "[[allow]]\nrule = \"silent_drop\"\nservice = \"spinetix-out-mqtt\"\nreason = \"ticket 1\"\n";
    let scanner = "[[allow]]\nclient = [\"10.3.0.9\"]\nserver = [\"spinetix.player\"]\nreason = \"ticket 2\"\n";
    let both = run(&format!("{bound}{allow}{scanner}"));
    assert_eq!(both.status.code(), Some(0), "{}", stdout(&both));
    // The capture is of 2026-11-21.
    let expired = run(&format!("{bound}{allow}until = 2026-11-20\n{scanner}until = 2026-11-21\n"));
    assert_eq!(expired.status.code(), Some(1));
    assert!(stdout(&expired).contains("one difference") && stdout(&expired).contains("allowed until 2026-11-20"), "{}", stdout(&expired));
    let stale = run(&format!("{bound}{allow}{scanner}[[allow]]\nrule = \"dns_blocked\"\nreason = \"ticket 3\"\n"));
    assert_eq!(stale.status.code(), Some(0));
    assert!(stdout(&stale).contains("the findings that it allows are not there any more"), "{}", stdout(&stale));
}

#[test]
fn one_flow_is_checked_by_its_community_id() {
    let run = Command::new(BINARY).args(["analyze", "--format", "ndjson"]).arg(fixture("mqtt-tls-allowed")).output().unwrap();
    let flow: Value = stdout(&run).lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|record| record["type"] == "flow").unwrap();
    let holds = |id: &str| {
        let file = scratch(&format!("[[flows]]\nid = \"{id}\"\noutcome = \"ok\"\n"));
        check(&["--expect", &path(file.path())], &fixture("mqtt-tls-allowed")).status.code()
    };
    assert_eq!(holds(flow["id"].as_str().unwrap()), Some(0));
    assert_eq!(holds("1:LQU9qZlK+B5F3KDmev6m5PMibrg="), Some(1), "a flow of another capture is not there");
}

#[test]
fn names_of_the_site_file_stand_for_hosts() {
    let site = scratch("[[networks]]\nname = \"lobby\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.player\"]\n");
    let file = scratch("[[services]]\nservice = \"spinetix-out-mqtt\"\nis = \"blocked\"\nhosts = [\"lobby\"]\n");
    assert_eq!(check(&["--expect", &path(file.path()), "--site", &path(site.path())], &fixture("demo")).status.code(), Some(0));
    let unknown = check(&["--expect", &path(file.path())], &fixture("demo"));
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("`lobby` names nobody"), "{}", stderr(&unknown));
}

/// The capture that a draft or a baseline was made from meets it: for every recorded capture.
#[test]
fn every_capture_meets_the_draft_and_the_baseline_that_were_made_from_it() {
    let folder = tempfile::tempdir().unwrap();
    for case in place::cases() {
        let (name, arguments) = (truth::name(&case), truth::arguments(&case));
        for (option, end) in [("--expect", "toml"), ("--baseline", "json")] {
            let file = path(&folder.path().join(format!("{name}.{end}")));
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain([option, &file]).collect();
            let blessed = check(&[&arguments[..], &["--bless"]].concat(), &case.join("capture.pcap"));
            assert_eq!(blessed.status.code(), Some(0), "{name}: {}", stderr(&blessed));
            let run = check(&arguments, &case.join("capture.pcap"));
            assert_eq!(run.status.code(), Some(0), "{name}: {}{}\n{}", stdout(&run), stderr(&run), fs::read_to_string(&file).unwrap());
        }
    }
}

/// The laboratory's truth, said in the product's own words: what `tests/fixtures.rs` finds to be so, `check` finds too, and what is not so it does not.
#[test]
fn the_laboratorys_truth_holds_as_an_expectation_file_and_its_opposite_does_not() {
    for (nth, case) in place::cases().into_iter().filter(|case| !truth::awaits(case)).enumerate() {
        let (name, arguments) = (truth::name(&case), truth::arguments(&case));
        let run = |text: &str| {
            let file = scratch(text);
            let file = path(file.path());
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--expect", &file]).collect();
            check(&arguments, &case.join("capture.pcap"))
        };
        let text = truth::expectations(&case);
        let held = run(&text);
        assert_eq!(held.status.code(), Some(0), "{name}: {}{}\n{text}", stdout(&held), stderr(&held));
        // One a case, each kind in turn: together they are tried often enough.
        let opposites = truth::opposites(&text);
        let opposite = &opposites[nth % opposites.len()];
        let held = run(opposite);
        assert_eq!(held.status.code(), Some(1), "{name}: {}\n{opposite}", stderr(&held));
    }
}

/// The same network a day later: other times, other frame numbers, other client ports, another server of the cloud.
#[test]
fn a_baseline_holds_on_another_day_of_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let (baseline, later) = (path(&folder.path().join("day.json")), folder.path().join("later.pcap"));
    assert_eq!(check(&["--baseline", &baseline, "--bless", PLAYERS[0], PLAYERS[1]], &fixture("demo")).status.code(), Some(0));
    fs::write(&later, truth::another_day(&fs::read(fixture("demo")).unwrap())).unwrap();
    let run = check(&["--baseline", &baseline, PLAYERS[0], PLAYERS[1]], &later);
    assert_eq!(run.status.code(), Some(0), "{}", stdout(&run));
}

/// The firewall's rule was changed between two recordings of the same program: nothing else differs.
#[test]
fn a_baseline_tells_what_became_blocked_and_what_became_free() {
    let folder = tempfile::tempdir().unwrap();
    for (before, after, was, is, finding) in [
        ("mqtt-tls-dropped", "mqtt-tls-allowed", "was  blocked", "is   seen", "Gone"),
        ("mqtt-tls-allowed", "mqtt-tls-dropped", "was  seen", "is   blocked", "New"),
    ] {
        let baseline = path(&folder.path().join(format!("{before}.json")));
        check(&["--baseline", &baseline, "--bless", PLAYERS[0], PLAYERS[1]], &fixture(before));
        let run = check(&["--baseline", &baseline, "--product", "spinetix", PLAYERS[0], PLAYERS[1]], &fixture(after));
        let told = stdout(&run);
        assert_eq!(run.status.code(), Some(1), "{told}");
        for part in ["spinetix-out-mqtt 10.1.0.2 > internet", was, is, finding, "silent_drop/spinetix-out-mqtt/spinetix.player>any"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}

#[test]
fn blessing_replaces_a_baseline_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        path(&file)
    };
    let own = file("own.toml", "# written by hand\n");
    let run = check(&["--expect", &own, "--bless"], &fixture("demo"));
    assert_eq!((run.status.code(), fs::read_to_string(&own).unwrap().as_str()), (Some(2), "# written by hand\n"));
    let other = file("other.json", "{\"flows\":[]}");
    let run = check(&["--baseline", &other, "--bless"], &fixture("demo"));
    assert_eq!((run.status.code(), fs::read_to_string(&other).unwrap().as_str()), (Some(2), "{\"flows\":[]}"));
    let old = file("old.json", "{\"portbook_baseline\":0}");
    assert_eq!(check(&["--baseline", &old], &fixture("demo")).status.code(), Some(2));
    assert_eq!(check(&["--baseline", &old, "--bless"], &fixture("demo")).status.code(), Some(0));
    // Now it is one, and a later run replaces it, telling what differs.
    let run = check(&["--baseline", &old, "--bless"], &fixture("mqtt-tls-allowed"));
    assert_eq!(run.status.code(), Some(0));
    assert!(stdout(&run).contains("Gone"), "{}", stdout(&run));
    assert_eq!(check(&["--baseline", &old], &fixture("mqtt-tls-allowed")).status.code(), Some(0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing else is left in the folder");
}

#[test]
fn a_capture_that_ends_badly_is_compared_but_never_blessed() {
    let folder = tempfile::tempdir().unwrap();
    let (cut, baseline) = (folder.path().join("cut.pcap"), path(&folder.path().join("base.json")));
    let whole = fs::read(fixture("demo")).unwrap();
    fs::write(&cut, &whole[..whole.len() - 10]).unwrap();
    for option in ["--baseline", "--expect"] {
        let run = check(&[option, &baseline, "--bless"], &cut);
        assert!(stderr(&run).contains("is not written: --bless takes"), "{}", stderr(&run));
        assert_eq!((run.status.code(), Path::new(&baseline).exists()), (Some(3), false), "{}", stderr(&run));
    }
    assert_eq!(check(&["--expect", DEMO, PLAYERS[0], PLAYERS[1]], &cut).status.code(), Some(3));
}

#[test]
fn the_answer_is_the_same_for_any_number_of_workers_and_in_json() {
    let run = |workers: &str, format: &str| check(&["--expect", DEMO, "--workers", workers, "--format", format], &fixture("demo"));
    for format in ["text", "json"] {
        let one = run("1", format);
        assert_eq!(one.status.code(), Some(1));
        assert!([run("2", format), run("3", format)].iter().all(|other| other.stdout == one.stdout));
    }
    let json: Value = serde_json::from_slice(&run("1", "json").stdout).unwrap();
    assert_eq!((&json["type"], &json["holds"], json["differences"].as_array().unwrap().len()), (&"check".into(), &false.into(), 2));
    assert_eq!(json["differences"][1]["kind"], "unmet");
}

#[test]
fn the_difference_fits_100_columns_and_holds_no_colour_in_a_pipe() {
    let told = stdout(&check(&["-v", "--expect", DEMO, "--product", "cayin"], &fixture("demo")));
    assert!(!told.contains('\u{1b}') && told.contains("difference"));
    let wide: Vec<_> = told.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn fail_on_counts_beside_the_comparison() {
    let nothing = scratch("");
    let run = |more: &[&str]| check(&[&["--expect", &path(nothing.path()), PLAYERS[0], PLAYERS[1]], more].concat(), &fixture("demo")).status.code();
    assert_eq!((run(&[]), run(&["--fail-on", "high"])), (Some(0), Some(1)));
}

#[test]
fn the_sample_asks_for_nothing_and_its_examples_are_right() {
    let run = check(&["--expect", SAMPLE], &fixture("demo"));
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert!(stdout(&run).contains("asks for nothing"));
    let awake = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', ':']) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    let file = scratch(&fs::read_to_string(SAMPLE).unwrap().lines().map(awake).collect::<String>());
    let run = check(&["--expect", &path(file.path())], &fixture("demo"));
    assert_eq!(run.status.code(), Some(1), "{}", stderr(&run));
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_would_be_right() {
    for (text, place, help) in [
        ("[[services]]\nservice = \"spinetix-out-mqt\"\nis = \"seen\"\n", ":2:11", "did you mean `spinetix-out-mqtt`?"),
        ("[[services]]\nservice = \"spinetix-out-mqtt\"\nis = \"sen\"\n", ":3:6", "did you mean `seen`?"),
        ("[[services]]\nservice = \"spinetix-out-mqtt\"\nis = [\"seen\", \"blokked\"]\n", ":3:15", "did you mean `blocked`?"),
        ("[[services]]\nservice = \"spinetix-out-mqtt\"\n", ":1:1", "say what the capture must show of it"),
        ("[[servces]]\n", ":1:3", "did you mean `services`?"),
        ("[check]\nno_finding_above = \"low\"\n", ":2:1", "did you mean `no_findings_above`?"),
        ("[check]\nno_findings_above = \"hihg\"\n", ":2:21", "did you mean `high`?"),
        ("[counts]\nflows = \"3-1\"\n", ":2:9", "write \"1-3\""),
        ("[counts]\nflows = -1\n", ":2:9", "write 0 or more"),
        ("[[flows]]\noutcome = \"ok\"\n", ":1:1", "choose them by id"),
        ("[[flows]]\nports = [443]\n", ":1:1", "write what must be true of them"),
        ("[[flows]]\nports = [443]\noutcome = \"sillent_drop\"\n", ":3:11", "did you mean `silent_drop`?"),
        ("[[flows]]\nports = [443]\nrule = \"D2\"\n", ":3:8", "did you mean"),
        ("[[flows]]\nports = [443]\nprotocol = [\"tsl\"]\n", ":3:13", "did you mean `tls`?"),
        ("[[flows]]\nid = \"10.1.0.2\"\noutcome = \"ok\"\n", ":2:6", "flow records print it"),
        ("[[flows]]\nclient = [\"spinetix.playr\"]\noutcome = \"ok\"\n", ":2:11", "did you mean `spinetix.player`?"),
        ("[[findings]]\nrule = \"silent_dorp\"\n", ":2:8", "did you mean `silent_drop`?"),
        ("[[findings]]\nseverity = \"height\"\n", ":2:12", "did you mean `high`?"),
        ("[[findings]]\nconfidence = \"high\"\n", ":1:1", "name its `rule` or its `service`"),
        ("[[allow]]\nrule = \"silent_drop\"\n", ":1:1", "say why"),
        ("[[allow]]\nreason = \"ticket\"\n", ":1:1", "name one of"),
        ("[[allow]]\nrule = \"silent_drop\"\nreason = \"ticket\"\nuntil = \"soon\"\n", ":4:9", "2027-01-31"),
    ] {
        let file = scratch(text);
        let run = check(&["--expect", &path(file.path())], &fixture("demo"));
        let told = stderr(&run);
        assert_eq!(run.status.code(), Some(2), "{text}{told}");
        assert!(told.contains(&format!("{}{place}", path(file.path()))) && told.contains(help), "{text}{told}");
        assert!(run.stdout.is_empty());
    }
    let file = scratch("{\"portbook_baseline\":1,\n\"servces\":[]}");
    let told = stderr(&check(&["--baseline", &path(file.path())], &fixture("demo")));
    assert!(told.contains(":2:9: this is no baseline of portbook: unknown field `servces`"), "{told}");
    let missing = check(&["--baseline", "no/such/file.json"], &fixture("demo"));
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("--bless writes it"), "{}", stderr(&missing));
    assert_eq!(check(&[], &fixture("demo")).status.code(), Some(2), "one of --expect and --baseline is needed");
}

fn check(arguments: &[&str], capture: &Path) -> Output {
    Command::new(BINARY).arg("check").args(arguments).arg(capture).output().unwrap()
}

fn scratch(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn stdout(run: &Output) -> String {
    String::from_utf8_lossy(&run.stdout).into_owned()
}

fn stderr(run: &Output) -> String {
    String::from_utf8_lossy(&run.stderr).into_owned()
}

const BINARY: &str = env!("CARGO_BIN_EXE_portbook");
