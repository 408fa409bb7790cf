//! What a packet costs on each stretch of the road, against the floor: reading the file and walking its records, nothing else.
//!
//! Each stretch is run with all before it. Rounds are interleaved, so that a busy machine slows all alike; the ratio to the floor is the figure. Reads
//! `PORTBOOK_BENCH` where it names a capture (pcap, uncompressed), else the shared bench capture beside the repository, else says that it was skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints what it measures and stops where it cannot"
)]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use portbook::capture::{self, Frame, Progress, Source};
use portbook::decode;
use portbook::flow::{Data, Flow, FlowTable, Observer, Parties, Settings, Slot, Want};
use portbook::identify::{Books, Identifier};
use portbook::judge::Site;
use portbook::pipeline::{self, Plan};
use portbook::signature::Signatures;

fn main() {
    let Some(path) = capture() else { return println!("skipped: no capture to read; set PORTBOOK_BENCH") };
    Signatures::built_in();
    let packets = floor(&path).0;
    let mut times = [const { Vec::new() }; STRETCHES.len()];
    for _ in 0..ROUNDS {
        for ((_, stretch), times) in STRETCHES.iter().zip(&mut times) {
            times.push(timed(|| assert_eq!(stretch(&path), packets)));
        }
    }
    let each = |seconds: f64| seconds * 1e9 / packets as f64;
    println!("{}: {packets} packets, {ROUNDS} interleaved rounds, one worker", path.display());
    println!("{:32} {:>10} {:>10} {:>12}", "ns a packet", "median", "least", "times floor");
    let least_of_floor = times[0].iter().copied().fold(f64::MAX, f64::min);
    for ((name, _), times) in STRETCHES.iter().zip(&mut times) {
        let median = median(times);
        println!("{name:32} {:10.1} {:10.1} {:12.1}", each(median), each(times[0]), times[0] / least_of_floor);
    }
    if let Some(peak) = peak_memory() {
        println!("most memory held: {peak}");
    }
}

/// A name, and a run through a capture that gives how many packets there were.
type Stretch = (&'static str, fn(&Path) -> u64);

/// Ways to run through a capture, each with all that the one before does.
const STRETCHES: &[Stretch] = &[
    ("floor: read and record walk", |path| floor(path).0),
    ("decoded", decoded),
    ("in flows", in_flows),
    ("identified", identified),
    ("judged: the whole road", judged),
];

fn capture() -> Option<PathBuf> {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/bench/base.pcap");
    std::env::var_os("PORTBOOK_BENCH").map(PathBuf::from).or_else(|| shared.exists().then_some(shared))
}

/// Packets of the file and the sum of their lengths, so that no walk can be left out.
fn floor(path: &Path) -> (u64, u64) {
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

fn read(path: &Path, sink: &mut dyn FnMut(&[Frame<'_>])) {
    let mut source = capture::open(&[path.to_owned()], capture::Options { filter: None }).expect("the capture opens");
    while source.read(sink).expect("the capture reads") == Progress::More {}
}

fn decoded(path: &Path) -> u64 {
    let (mut packets, mut payload) = (0, 0);
    read(path, &mut |frames| {
        let mut batch = Vec::with_capacity(frames.len());
        decode::decode_batch(frames, &mut batch);
        packets += batch.len() as u64;
        payload += batch.iter().map(|packet| u64::from(packet.payload_len)).sum::<u64>();
    });
    assert!(payload > 0);
    packets
}

fn in_flows(path: &Path) -> u64 {
    through_table(path, &mut Nobody)
}

fn identified(path: &Path) -> u64 {
    let books = Books::default();
    let mut identifier = Identifier::new(&books);
    let packets = through_table(path, &mut identifier);
    assert!(!identifier.ended().is_empty());
    packets
}

fn through_table(path: &Path, observer: &mut impl Observer) -> u64 {
    let mut table = FlowTable::new(Settings::default());
    read(path, &mut |frames| {
        let mut batch = Vec::with_capacity(frames.len());
        decode::decode_batch(frames, &mut batch);
        table.push(&batch, observer);
    });
    table.finish(observer);
    table.counts().packets
}

fn judged(path: &Path) -> u64 {
    let plan = Plan {
        captures: &[path.to_owned()],
        filter: None,
        flows: Default::default(),
        workers: 1,
        memory: portbook::limit::MEMORY,
        signatures: Signatures::built_in(),
        site: Site::default(),
        records: false,
        accounts: false,
        stop: &AtomicBool::new(false),
    };
    let report = pipeline::run(plan, &|_, _| {}, &mut |_| {}).expect("the capture opens");
    assert!(report.digest.flows > 0);
    report.files.iter().map(|file| file.frames).sum()
}

/// Wants no payload.
struct Nobody;

impl Observer for Nobody {
    fn opened(&mut self, _: Slot) {}

    fn data(&mut self, _: Slot, _: &Parties, _: Data<'_>) -> Want {
        Want::Nothing
    }

    fn closed(&mut self, _: Slot, _: Flow) {}
}

/// The process's high-water mark, where the system tells it.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(|rest| rest.trim().to_owned())
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
