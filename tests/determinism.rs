//! The same captures give the same bytes, for any number of workers and in every format for machines and people. A sample; all of them with `PORTBOOK_ALL=1`,
//! as `make determinism` has it. tests/cli.rs does the same with the bundled captures, read together.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "helpers of tests stop the test, and say what is skipped")]

mod shared;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portbook::capture::SourceError;
use portbook::judge::Judged;
use portbook::pipeline::{self, OnProgress, Plan};
use portbook::report::{Format, Report, Style};

#[test]
fn reports_on_shared_captures_do_not_depend_on_the_number_of_workers() {
    let captures = shared::captures(20);
    let read = AtomicUsize::new(0);
    shared::side_by_side(&captures, |capture| {
        // What is no capture is no capture for any number of them.
        let one = reports(capture, Threads::One);
        for threads in [Threads::Workers(2), Threads::Beside(3), Threads::Workers(8)] {
            let other = reports(capture, threads);
            assert_eq!(one.is_some(), other.is_some(), "{}", capture.display());
            for (format, (one, other)) in FORMATS.iter().zip(one.iter().flatten().zip(other.iter().flatten())) {
                assert!(one == other, "{}: --format {format} differs with {threads:?}:\n{}", capture.display(), difference(one, other));
            }
        }
        read.fetch_add(usize::from(one.is_some_and(|reports| reports.iter().all(|report| report.len() > 500))), Ordering::Relaxed);
    });
    let read = read.into_inner();
    eprintln!("{read} of {} captures compared", captures.len());
    assert!(captures.is_empty() || read * 10 > captures.len() * 9, "most can be read: {read} of {}", captures.len());
}

/// So many that most are judged, written and given back to who made them long before the capture ends.
#[test]
fn reports_of_ten_thousand_flows_are_the_same_whoever_reads_judges_and_writes() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ten-thousand.pcap");
    std::fs::write(&path, queries(10_000)).expect("a file is written");
    let one = reports(&path, Threads::One).expect("a capture");
    let flows = String::from_utf8_lossy(&one[2]).lines().filter(|line| line.starts_with("{\"type\":\"flow\"")).count();
    assert_eq!(flows, 10_000);
    for threads in [Threads::Beside(1), Threads::Beside(3)] {
        let other = reports(&path, threads).expect("a capture");
        for (format, (one, other)) in FORMATS.iter().zip(one.iter().zip(&other)) {
            assert!(one == other, "--format {format} differs with {threads:?}:\n{}", difference(one, other));
        }
    }
    std::fs::remove_file(&path).expect("it was there");
}

/// What can be read only once, or is dear to read, is shared out as well.
#[test]
fn reports_of_a_compressed_capture_are_the_same_for_any_number_of_workers() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ten-thousand.pcap.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&queries(10_000)).expect("memory takes everything");
    std::fs::write(&path, encoder.finish().expect("memory takes everything")).expect("a file is written");
    let one = reports(&path, Threads::One).expect("a capture");
    for threads in [Threads::Workers(2), Threads::Workers(3), Threads::Beside(8)] {
        let other = reports(&path, threads).expect("a capture");
        for (format, (one, other)) in FORMATS.iter().zip(one.iter().zip(&other)) {
            assert!(one == other, "--format {format} differs with {threads:?}:\n{}", difference(one, other));
        }
    }
    std::fs::remove_file(&path).expect("it was there");
}

/// A capture in which each of so many clients sends a datagram, a hundredth of a second after the one before: all flows but the last end by silence.
fn queries(clients: u32) -> Vec<u8> {
    let mut capture = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>();
    for number in 0..clients {
        let [_, a, b, c] = number.to_be_bytes();
        let mut frame = Vec::new();
        let packet = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, a, b, c], [192, 0, 2, 1 + (number % 7) as u8], 64).udp(40_000, 5_684);
        packet.write(&mut frame, &[7; 20]).expect("memory takes everything");
        let lengths = frame.len() as u32;
        capture.extend([1_700_000_000 + number / 100, number % 100 * 10_000, lengths, lengths].into_iter().flat_map(u32::to_le_bytes));
        capture.extend(frame);
    }
    capture
}

type Run = for<'a, 'p, 'e> fn(Plan<'a>, OnProgress<'p>, &'e mut dyn FnMut(&Judged)) -> Result<Report<'a>, SourceError>;

/// Who does the work.
#[derive(Clone, Copy, Debug)]
enum Threads {
    /// One thread does all of it.
    One,
    /// So many read, one judges and writes.
    Workers(usize),
    /// So many read, one judges, one writes.
    Beside(usize),
}

const FORMATS: [&str; 3] = ["text", "json", "ndjson"];

/// The reports in each format; none where the capture cannot be opened.
fn reports(capture: &Path, threads: Threads) -> Option<[Vec<u8>; 3]> {
    let mut reports = [const { Vec::new() }; 3];
    for (name, out) in FORMATS.iter().zip(&mut reports) {
        let format = Format::named(name).expect("a format");
        let stop = AtomicBool::new(false);
        let (run, workers): (Run, usize) = match threads {
            Threads::One => (pipeline::run, 1),
            Threads::Workers(workers) => (pipeline::run, workers),
            Threads::Beside(workers) => (pipeline::run_beside, workers),
        };
        let captures = [capture.to_owned()];
        let plan = Plan { workers, telling: format.telling, ..Plan::of(&captures, &stop) };
        let mut writer = format.open(out, Style { verbose: true, ..Style::default() }, plan.signatures);
        let report = run(plan, &|_, _| {}, &mut |judged| writer.flow(judged).expect("memory takes everything")).ok()?;
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
