//! The same captures give the same bytes, for any number of workers and in every format for machines and people. A sample; all of them with `PORTBOOK_ALL=1`,
//! as `make determinism` has it. tests/cli.rs does the same with the bundled captures, read together.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "helpers of tests stop the test, and say what is skipped")]

mod shared;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portbook::judge::Site;
use portbook::pipeline::{self, Plan};
use portbook::report::{Format, Style};
use portbook::signature::Signatures;

#[test]
fn reports_on_shared_captures_do_not_depend_on_the_number_of_workers() {
    let captures = shared::captures(20);
    let read = AtomicUsize::new(0);
    shared::side_by_side(&captures, |capture| {
        // What is no capture is no capture for any number of them.
        let one = reports(capture, 1);
        for workers in [2, 3, 8] {
            let other = reports(capture, workers);
            assert_eq!(one.is_some(), other.is_some(), "{}", capture.display());
            for (format, (one, other)) in FORMATS.iter().zip(one.iter().flatten().zip(other.iter().flatten())) {
                assert!(one == other, "{}: --format {format} differs with {workers} workers:\n{}", capture.display(), difference(one, other));
            }
        }
        read.fetch_add(usize::from(one.is_some_and(|reports| reports.iter().all(|report| report.len() > 500))), Ordering::Relaxed);
    });
    let read = read.into_inner();
    eprintln!("{read} of {} captures compared", captures.len());
    assert!(captures.is_empty() || read * 10 > captures.len() * 9, "most can be read: {read} of {}", captures.len());
}

const FORMATS: [&str; 3] = ["text", "json", "ndjson"];

/// The reports in each format; none where the capture cannot be opened.
fn reports(capture: &Path, workers: usize) -> Option<[Vec<u8>; 3]> {
    let mut reports = [const { Vec::new() }; 3];
    for (name, out) in FORMATS.iter().zip(&mut reports) {
        let format = Format::named(name).expect("a format");
        let stop = AtomicBool::new(false);
        let plan = Plan {
            captures: &[capture.to_owned()],
            filter: None,
            flows: Default::default(),
            workers,
            memory: portbook::limit::MEMORY,
            signatures: Signatures::built_in(),
            site: Site::default(),
            telling: format.telling,
            accounts: false,
            stop: &stop,
        };
        let mut writer = format.open(out, Style { verbose: true, ..Style::default() }, plan.signatures);
        let report = pipeline::run(plan, &|_, _| {}, &mut |judged| writer.flow(judged).expect("memory takes everything")).ok()?;
        writer.finish(&report).expect("memory takes everything");
    }
    Some(reports)
}

/// The first line in which they differ.
fn difference(one: &[u8], other: &[u8]) -> String {
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    differs.map_or_else(|| "one is longer".to_owned(), |(one, other)| format!("{one}\n{other}"))
}
