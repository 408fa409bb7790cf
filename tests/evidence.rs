//! What a finding cites, held against another program's reading: that Wireshark selects by its filter exactly the flows that it names.
//!
//! `tshark` reads the captures as Wireshark does; where it is not installed these tests say that they were skipped. A plain run reads a sample of the recorded
//! captures, as tshark takes its time to start; `PORTBOOK_FIXTURES=fixtures/captures` has all of them read (`make lab` its fresh recordings).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests stop the test, or say that it was skipped")]

mod evidence {
    pub mod wireshark;
}

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use evidence::wireshark::{Frame, ends_of, frames, is_installed, numbers, selected};
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

/// The frames of the finding's flows, by their ends and times alone: the innermost packet is theirs, or the one that an ICMP error quotes.
fn due(report: &Value, evidence: &Value, all: &[Frame]) -> BTreeSet<u64> {
    let cited: BTreeSet<u64> = numbers(&evidence["frames"], "number");
    let ids: Vec<&str> = evidence["flow_ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let flows = report["flows"].as_array().unwrap().iter().filter(|flow| ids.contains(&flow["id"].as_str().unwrap()));
    let mut due = BTreeSet::new();
    for flow in flows {
        // Of several flows with one id those are meant that have cited frames.
        let own: BTreeSet<u64> = flow["frames"]["cited"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        if own.is_disjoint(&cited) {
            continue;
        }
        let ends = ends_of(flow);
        let (first, last) = (flow["frames"]["first"].as_u64().unwrap(), flow["frames"]["last"].as_u64().unwrap().max(own.last().copied().unwrap_or(0)));
        due.extend(all.iter().filter(|frame| (first..=last).contains(&frame.number) && frame.ends == ends).map(|frame| frame.number));
    }
    due
}

/// A capture and how its fixture has it read.
struct Case {
    arguments: Vec<String>,
    capture: PathBuf,
}

impl Case {
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
    let recorded = entries(folder).into_iter().step_by(step).filter_map(|case| {
        let due: Value = serde_json::from_str(&fs::read_to_string(case.join("expected.json")).ok()?).unwrap();
        let arguments = due["arguments"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
        Some(Case { arguments, capture: case.join("capture.pcap") })
    });
    let sites = entries(root.join("sites")).into_iter().filter(|file| file.extension().is_some_and(|end| end == "pcap")).map(|capture| {
        let site = capture.with_extension("toml").display().to_string();
        Case { arguments: vec!["--site".to_owned(), site], capture }
    });
    recorded.chain(sites).collect()
}

/// One recorded capture of so many is read in a plain run.
const SAMPLE: usize = 5;
