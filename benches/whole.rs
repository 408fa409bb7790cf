//! The whole road against its floor: reading the file and walking its records, nothing else.
//!
//! Rounds of both are interleaved, so that a busy machine slows both; the ratio is the figure. Reads `PORTBOOK_BENCH` where it names a
//! capture (pcap, uncompressed), else the shared bench capture beside the repository, else says that it was skipped.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench prints what it measures and stops where it cannot")]

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use portbook::judge::Site;
use portbook::pipeline::{self, Plan};
use portbook::signature::Signatures;

fn main() {
    let Some(path) = capture() else { return println!("skipped: no capture to read; set PORTBOOK_BENCH") };
    let signatures = Signatures::built_in();
    let packets = floor(&path).0;
    let (mut floors, mut wholes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(timed(|| assert_eq!(floor(&path).0, packets)));
        wholes.push(timed(|| whole(&path, signatures)));
    }
    let (floor, whole) = (median(&mut floors), median(&mut wholes));
    let each = |seconds: f64| seconds * 1e9 / packets as f64;
    println!("{}: {packets} packets, {ROUNDS} interleaved rounds, one worker, median (least)", path.display());
    println!("floor (read and record walk)  {:7.1} ({:.1}) ns a packet", each(floor), each(floors[0]));
    println!("whole (flows judged)          {:7.1} ({:.1}) ns a packet", each(whole), each(wholes[0]));
    println!("ratio                         {:7.2} ({:.2}) times the floor", whole / floor, wholes[0] / floors[0]);
}

fn capture() -> Option<PathBuf> {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/bench/base.pcap");
    std::env::var_os("PORTBOOK_BENCH").map(PathBuf::from).or_else(|| shared.exists().then_some(shared))
}

/// Packets of the file and the sum of their lengths, so that no walk can be left out.
fn floor(path: &PathBuf) -> (u64, u64) {
    let mut file = File::open(path).expect("the capture opens");
    let mut block = vec![0_u8; BLOCK];
    let (mut held, mut packets, mut bytes, mut start) = (0, 0, 0, 24);
    loop {
        let got = file.read(&mut block[held..]).expect("the capture reads");
        held += got;
        if got == 0 {
            return (packets, bytes);
        }
        while let Some(header) = block.get(start..start + 16).filter(|_| start + 16 <= held) {
            let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
            if start + 16 + length > held {
                break;
            }
            packets += 1;
            bytes += length as u64;
            start += 16 + length;
        }
        block.copy_within(start.min(held)..held, 0);
        held -= start.min(held);
        start = 0;
    }
}

fn whole(path: &PathBuf, signatures: &Signatures) {
    let plan = Plan {
        captures: std::slice::from_ref(path),
        filter: None,
        flows: Default::default(),
        workers: 1,
        signatures,
        site: Site::default(),
        stop: &AtomicBool::new(false),
    };
    let report = pipeline::run(plan, &|_, _| {}, &mut |_| {}).expect("the capture opens");
    assert!(report.digest.flows > 0);
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

const BLOCK: usize = 256 * 1024;
const ROUNDS: usize = 7;
