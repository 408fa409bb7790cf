//! Ordinary traffic read without a site file: the report stays on one screen, and nothing is unexpected for want of a document.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test")]

#[path = "shared/place.rs"]
mod place;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Lines of a large terminal window.
const SCREEN: usize = 50;
/// Every so many of the captures are read: a debug build takes its time.
const EVERY: usize = 15;
/// Bytes of a capture that is read.
const LARGEST: u64 = 200_000;

#[test]
fn ordinary_traffic_without_a_site_file_stays_on_one_screen_and_raises_no_alarm() {
    let Some(shared) = place::shared() else { return };
    let paths = place::manifest(&shared).into_iter().map(|row| shared.join("files").join(&row[0]));
    let small = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.len() <= LARGEST);
    let captures: Vec<PathBuf> = paths.filter(small).step_by(EVERY).collect();
    assert!(captures.len() > 40, "{}", captures.len());
    let mut wrong = Vec::new();
    for capture in &captures {
        let run = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "--workers", "1"]).arg(capture).output().expect("portbook runs");
        let report = String::from_utf8_lossy(&run.stdout);
        let lines = report.lines().count();
        let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
        // The words of a finding for want of a document, and the heading of what was not covered.
        let alarms = ["no document that applies here mentions", "no row of the document mentions"].iter().filter(|words| report.contains(**words)).count();
        let uncovered = report.matches("(not_covered)").count();
        if lines > SCREEN || alarms > 0 || uncovered > 1 {
            wrong.push(format!("{}: {lines} lines, {alarms} alarms, {uncovered} lines on what was not covered", capture.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} captures:\n{}", wrong.len(), captures.len(), wrong.join("\n"));
}
