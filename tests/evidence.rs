//! What a finding cites, held against another program's reading: that Wireshark selects by its filter exactly the flows that it names.
//!
//! `tshark` reads the captures as Wireshark does; where it is not installed these tests say that they were skipped. A plain run reads a sample of the recorded
//! captures, as tshark takes its time to start; `PORTBOOK_FIXTURES=fixtures/captures` has all of them read (`make lab` its fresh recordings).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests stop the test, or say that it was skipped")]

#[path = "shared/place.rs"]
mod place;
mod evidence {
    pub mod captures;
    pub mod wireshark;
}

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use evidence::captures::{Taken, in_gre, in_vxlan, read, rewritten, tagged, write};
use evidence::wireshark::{Frame, ends_of, frames, is_installed, numbers, selected, tshark};
use place::fixture;
use portbook::capture::{ExcerptError, FrameId, LinkType, Source, excerpt};
use serde_json::Value;

#[test]
fn every_display_filter_selects_exactly_the_flows_that_its_finding_cites() {
    if !is_installed() {
        return;
    }
    let cases = cases();
    let half = cases.len() / 2;
    let (one, other) = cases.split_at(half);
    let (checked, wrong) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| check(one));
        let (checked, mut wrong) = check(other);
        let (more, others) = beside.join().unwrap();
        wrong.extend(others);
        (checked + more, wrong)
    });
    assert!(checked * 2 > cases.len(), "only {checked} findings in {} captures", cases.len());
    assert!(wrong.is_empty(), "{} of {checked} filters:\n{}", wrong.len(), wrong.join("\n"));
}

/// The innermost packet is the flow's, whatever it travels in.
#[test]
fn the_filters_hold_behind_vlan_tags_and_in_tunnels() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ways: [(&str, Wrap); 3] = [("qinq", |frame| tagged(frame, &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 10])), ("vxlan", in_vxlan), ("gre", in_gre)];
    for name in ["mqtt-tls-rejected-icmp-admin", "mqtt-tls-ipv6-policy-fail"] {
        let case = Case::recorded(fixture(name).parent().unwrap());
        let findings =
            |report: &Value| report["findings"].as_array().unwrap().iter().map(|finding| finding["evidence"]["display_filter"].clone()).collect::<Vec<_>>();
        let plain = findings(&case.report());
        let (taken, _) = read(&case.capture);
        let taken: Vec<Taken> = taken.into_iter().filter(|frame| [[8, 0], [0x86, 0xdd]].contains(&[frame.bytes[12], frame.bytes[13]])).collect();
        for (way, make) in &ways {
            let wrapped = Case { capture: write(&folder.path().join(format!("{name}-{way}")), &rewritten(&taken, make)), ..case.clone() };
            assert!(!plain.is_empty() && findings(&wrapped.report()) == plain, "{name} in {way}: the same filters");
            let (checked, wrong) = check(&[wrapped]);
            assert!(checked > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
        }
    }
}

/// The same ports again, and the other way round, of flows that are none of the finding's: until a day the site allows what it is about.
#[test]
fn the_filter_leaves_out_what_went_between_the_same_ends_at_another_time_or_the_other_way_round() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (taken, _) = read(&fixture("demo"));
    let ssh: Vec<Taken> =
        taken.into_iter().filter(|frame| frame.bytes.get(23) == Some(&6) && frame.bytes.windows(2).skip(34).take(3).any(|port| port == [0, 22])).collect();
    assert!(ssh.len() > 10);
    let days = |frames: &[Taken], days: u64| rewritten(frames, |frame| frame.time = frame.time + Duration::from_secs(days * 86_400));
    let crossed = rewritten(&ssh, |frame| (0..4).for_each(|at| frame.bytes.swap(26 + at, 30 + at)));
    let all = [ssh.clone(), days(&crossed, 1), days(&ssh, 30)].concat();
    let site = folder.path().join("site.toml");
    let until = "[[networks]]\nname = \"players\"\naddresses = [\"10.1.0.0/24\"]\nroles = [\"spinetix.player\"]\n\n\
        [[allow]]\nprotocol = \"ssh\"\nreason = \"moving house\"\nuntil = 2026-12-01\n";
    fs::write(&site, until).unwrap();
    let case = Case { arguments: vec!["--site".to_owned(), site.display().to_string()], capture: write(&folder.path().join("again"), &all) };
    let report = case.report();
    let filter = report["findings"][0]["evidence"]["display_filter"].as_str().unwrap();
    assert!(filter.contains("tcp.srcport==22") && filter.contains("frame.time_epoch>="), "{filter}");
    let (checked, wrong) = check(&[case]);
    assert!(checked == 1 && wrong.is_empty(), "{checked}: {}", wrong.join("\n"));
}

/// Two files of different link types, one of them compressed: what is written is what was captured, and says where.
#[test]
fn the_evidence_is_the_cited_packets_as_they_were_each_with_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let (taken, _) = read(&fixture("demo"));
    let raw = rewritten(&taken, |frame| {
        (frame.link, frame.time) = (LinkType::RAW, frame.time + Duration::from_secs(3_600));
        frame.bytes.drain(..14.min(frame.bytes.len()));
    });
    let second = write(&folder.path().join("an hour later.pcapng"), &raw);
    let captures = [fixture("mqtt-tls-rejected-icmp-admin"), gzipped(&second)];
    let target = folder.path().join("evidence.pcapng");
    let (captured, evidence) = ([0, 1].map(|at| captures[at].display().to_string()), target.display().to_string());
    let run = portbook(&["analyze", "--format", "json", ROLE[0], ROLE[1], &captured[0], &captured[1], "--evidence", &evidence]);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let due: BTreeSet<(String, u64)> = findings.iter().flat_map(|finding| finding["evidence"]["frames"].as_array().unwrap()).map(place).collect();
    assert!(captured.iter().all(|path| due.iter().any(|(file, _)| file == path)), "both are cited: {due:?}");

    let (written, source) = read(&target);
    let comments = &source.files()[0].comments;
    let originals = captures.each_ref().map(|path| read(path).0);
    let mut seen = BTreeSet::new();
    for frame in &written {
        let said: Vec<&str> = comments.iter().filter(|comment| comment.frame == Some(frame.number)).map(|comment| comment.text.as_str()).collect();
        let from = said.first().and_then(|text| text.rsplit_once(" | frame ")).and_then(|(_, from)| from.split_once(" of ")).unwrap();
        let (number, file): (u64, &str) = (from.0.parse().unwrap(), from.1);
        let original = originals[usize::from(file == captured[1])].iter().find(|original| original.number == number).unwrap();
        assert_eq!(Taken { number, ..frame.clone() }, *original, "frame {number} of {file}");
        seen.insert((file.to_owned(), number));
        let shows = findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| finding["evidence"]["frames"].as_array().unwrap().iter().any(|cited| place(cited) == (file.to_owned(), number)));
        let shows: Vec<String> = shows.map(|(at, finding)| format!("finding {} [{}] {}: ", at + 1, text(&finding["severity"]), text(&finding["id"]))).collect();
        assert!(said.len() == shows.len() && said.iter().zip(&shows).all(|(said, shows)| said.starts_with(shows)), "{said:?} for {shows:?}");
    }
    assert_eq!((seen.len(), &seen), (written.len(), &due), "each cited packet once");
    let links: Vec<LinkType> = source.interfaces().iter().map(|interface| interface.link).collect();
    assert_eq!((links, source.interfaces()[1].name.as_deref()), (vec![LinkType::ETHERNET, LinkType::RAW], Some("tap0")));

    if is_installed() {
        let shown = tshark(&target, &["-T", "fields", "-e", "frame.comment"]);
        let told = String::from_utf8_lossy(&shown.stdout).lines().filter(|line| line.starts_with("finding ")).count();
        assert!(shown.status.success() && told == written.len(), "{}", String::from_utf8_lossy(&shown.stderr));
    }
}

/// A ring of captures cuts connections in two: the first two SYNs are in one file, the others in the next.
#[test]
fn frames_of_a_flow_that_goes_on_in_another_file_say_which_file_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let (taken, _) = read(&fixture("demo"));
    let (before, after) = taken.split_at(46);
    let [one, two] = [("one.pcapng", before), ("two.pcapng", after)].map(|(name, frames)| write(&folder.path().join(name), frames).display().to_string());
    let run = |format: &str| portbook(&["analyze", "--format", format, "-q", ROLE[0], ROLE[1], &one, &two]);
    let report: Value = serde_json::from_slice(&run("json").stdout).unwrap();
    let flow = report["flows"].as_array().unwrap().iter().find(|flow| flow["client"]["port"] == 39_174).unwrap();
    // SYNs in frames 44, 45, 47 and 51 of the whole; the second file begins with frame 47.
    let due = serde_json::json!({"first": 44, "last": 5, "cited": [44, 45, 1, 5], "last_file": 1, "cited_files": [0, 0, 1, 1]});
    assert_eq!(flow["frames"], due);
    let cited: Vec<(String, u64)> = report["findings"][0]["evidence"]["frames"].as_array().unwrap().iter().map(place).take(4).collect();
    assert_eq!(cited, [(one.clone(), 44), (one.clone(), 45), (two.clone(), 1), (two.clone(), 5)]);
    let text = String::from_utf8(run("text").stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("frames 44, 45 of ") && text.contains("one.pcapng; 1, 5, "), "{text}");
}

#[test]
fn without_findings_the_evidence_is_a_capture_without_packets() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("evidence.pcapng");
    fs::write(&target, "of yesterday").unwrap();
    let run = portbook(&["analyze", &fixture("ntp").display().to_string(), "--evidence", &target.display().to_string()]);
    assert!(run.status.success(), "{}", said(&run));
    let (frames, source) = read(&target);
    assert_eq!((frames.len(), source.files()[0].comments.len()), (0, 1));
}

#[test]
fn what_cannot_be_read_twice_or_would_be_overwritten_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::copy(fixture("demo"), at("demo.pcap")).unwrap();
    let all = folder.path().display().to_string();
    for (arguments, words) in [
        (["-", &at("evidence")], "standard input can be read only once"),
        ([&at("demo.pcap"), &at("demo.pcap")], "is one of the captures"),
        ([&all, &at("evidence")], "where it would be read as a capture"),
        ([&at("demo.pcap"), &all], "is a folder"),
        ([&at("demo.pcap"), &at("none/evidence")], "there is no such folder"),
    ] {
        let run = portbook(&["analyze", arguments[0], "--evidence", arguments[1]]);
        let said = said(&run);
        assert!(run.status.code() == Some(2) && said.contains(words) && said.trim_end().lines().count() == 1 && run.stdout.is_empty(), "{said}");
    }
    assert_eq!(fs::read(at("demo.pcap")).unwrap(), fs::read(fixture("demo")).unwrap());
}

/// A ring of captures goes on while it is read.
#[test]
fn a_capture_that_was_replaced_since_gives_no_evidence() {
    let (_, source) = read(&fixture("demo"));
    let wanted = BTreeSet::from([FrameId::new(0, 3)]);
    let take = |name: &str, wanted: &BTreeSet<FrameId>| {
        let mut taken = Vec::new();
        let answer = excerpt(&[fixture(name)], source.files(), wanted, &mut |frame, _, _| {
            taken.push(frame.id.number());
            Ok(())
        });
        (taken, answer)
    };
    assert!(matches!(take("demo", &wanted), (taken, Ok(())) if taken == [3]));
    assert!(matches!(take("ntp", &wanted), (taken, Err(ExcerptError::Source(error))) if taken.is_empty() && error.what.contains("has changed")));
    let beyond = BTreeSet::from([FrameId::new(0, 1_000_000)]);
    assert!(matches!(take("demo", &beyond), (_, Err(ExcerptError::Source(error))) if error.what.contains("has changed")));
}

/// Findings checked, and what is wrong with them.
fn check(cases: &[Case]) -> (usize, Vec<String>) {
    let (mut checked, mut wrong) = (0, Vec::new());
    for case in cases {
        let report = case.report();
        let findings = report["findings"].as_array().unwrap();
        if findings.is_empty() {
            continue;
        }
        let all = frames(&case.capture);
        for finding in findings {
            checked += 1;
            wrong.extend(
                mistakes(&report, finding, &all, &case.capture).into_iter().map(|what| format!("{}: {}: {what}", case.capture.display(), finding["id"])),
            );
        }
    }
    (checked, wrong)
}

fn mistakes(report: &Value, finding: &Value, all: &[Frame], capture: &Path) -> Vec<String> {
    let evidence = &finding["evidence"];
    let filter = evidence["display_filter"].as_str().unwrap();
    let chosen = match selected(capture, filter) {
        Ok(chosen) => chosen,
        Err(said) => return vec![format!("{filter}: {said}")],
    };
    let cited: BTreeSet<u64> = evidence["frames"].as_array().unwrap().iter().map(|frame| frame["number"].as_u64().unwrap()).collect();
    let due = due(report, evidence, all);
    let mut wrong = Vec::new();
    if cited.is_empty() || !cited.is_subset(&chosen) {
        wrong.push(format!("cites {cited:?}, the filter selects {chosen:?}"));
    }
    if chosen != due {
        let (more, less) = (chosen.difference(&due).collect::<Vec<_>>(), due.difference(&chosen).collect::<Vec<_>>());
        wrong.push(format!("{filter}: selects {more:?} beyond its flows, and lacks {less:?}"));
    }
    wrong
}

/// The frames of the finding's flows, by their ends and times alone: the innermost packet is theirs, or the one that an ICMP error quotes, also behind the last of them. Where it cites questions of the
/// link for a host, all questions for that host.
fn due(report: &Value, evidence: &Value, all: &[Frame]) -> BTreeSet<u64> {
    let cited: BTreeSet<u64> = numbers(&evidence["frames"], "number");
    let ids: Vec<&str> = evidence["flow_ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let flows = report["flows"].as_array().unwrap().iter().filter(|flow| ids.contains(&flow["id"].as_str().unwrap()));
    let asked: BTreeSet<&String> = all.iter().filter(|frame| cited.contains(&frame.number)).filter_map(|frame| frame.asks_for.as_ref()).collect();
    let mut due: BTreeSet<u64> =
        all.iter().filter(|frame| frame.asks_for.as_ref().is_some_and(|host| asked.contains(host))).map(|frame| frame.number).collect();
    for flow in flows {
        // Of several flows with one id those are meant that have cited frames.
        let own: BTreeSet<u64> = flow["frames"]["cited"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        if own.is_disjoint(&cited) {
            continue;
        }
        let ends = ends_of(flow);
        let (first, last) = (flow["frames"]["first"].as_u64().unwrap(), flow["frames"]["last"].as_u64().unwrap().max(own.last().copied().unwrap_or(0)));
        let mine = || all.iter().filter(|frame| frame.ends == ends);
        due.extend(mine().filter(|frame| (first..=last).contains(&frame.number)).map(|frame| frame.number));
        // Errors that answer its last packet come behind it, and copies.
        let ident = mine().find(|frame| frame.number == last).and_then(|frame| frame.ident.as_ref());
        let is_behind = |frame: &&Frame| frame.is_error || ident.is_some() && frame.ident.as_ref() == ident;
        due.extend(mine().skip_while(|frame| frame.number <= last).take_while(is_behind).map(|frame| frame.number));
    }
    due
}

/// Puts a frame into something.
type Wrap = fn(&mut Taken);

/// A capture and how its fixture has it read.
#[derive(Clone)]
struct Case {
    arguments: Vec<String>,
    capture: PathBuf,
}

impl Case {
    fn recorded(folder: &Path) -> Self {
        let due: Value = serde_json::from_str(&fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
        let words = due["arguments"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self { arguments: words.iter().map(|word| text(word).to_owned()).collect(), capture: folder.join("capture.pcap") }
    }

    fn report(&self) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "--format", "json", "-q"]).args(&self.arguments).arg(&self.capture).output();
        serde_json::from_slice(&output.unwrap().stdout).unwrap()
    }
}

/// The recorded captures, and the sample sites'.
fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let (folder, step) = std::env::var_os("PORTBOOK_FIXTURES").map_or((root.join("captures"), SAMPLE), |folder| (folder.into(), 1));
    let entries = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<BTreeSet<PathBuf>>();
    let recorded = entries(folder).into_iter().step_by(step).filter(|case| case.join("expected.json").is_file()).map(|case| Case::recorded(&case));
    let sites = entries(root.join("sites")).into_iter().filter(|file| file.extension().is_some_and(|end| end == "pcap")).map(|capture| {
        let site = capture.with_extension("toml").display().to_string();
        Case { arguments: vec!["--site".to_owned(), site], capture }
    });
    recorded.chain(sites).collect()
}

/// The file, compressed beside itself.
fn gzipped(path: &Path) -> PathBuf {
    let target = path.with_extension("pcapng.gz");
    let mut encoder = flate2::write::GzEncoder::new(fs::File::create(&target).unwrap(), flate2::Compression::fast());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    encoder.finish().unwrap();
    target
}

fn portbook(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portbook")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn said(run: &Output) -> String {
    String::from_utf8_lossy(&run.stderr).into_owned()
}

/// File and number of a cited frame.
fn place(frame: &Value) -> (String, u64) {
    (text(&frame["file"]).to_owned(), frame["number"].as_u64().unwrap())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

const ROLE: [&str; 2] = ["--role", "spinetix.player=10.1.0.0/24"];
/// One recorded capture of so many is read in a plain run.
const SAMPLE: usize = 5;
