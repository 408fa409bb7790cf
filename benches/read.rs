//! What reading costs a packet: the floor (read into a block and walk the records), and the reader that lends frames.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a bench prints what it measures and stops where it cannot")]

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::PathBuf;

use divan::Bencher;
use divan::counter::ItemsCount;
use portbook::capture::{self, Options, Progress, Source};

fn main() {
    if base().is_some() {
        divan::main();
    } else {
        eprintln!("skipped: no shared captures");
    }
}

fn base() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/bench/base.pcap");
    path.exists().then_some(path)
}

fn packets() -> usize {
    floor()
}

/// Reads the file in blocks and walks its record headers; says how many there are.
fn floor() -> usize {
    let mut file = File::open(base().unwrap()).unwrap();
    let (mut block, mut end, mut at, mut records, mut captured) = (vec![0_u8; 256 * 1024], 0, 24, 0, 0_u64);
    loop {
        let read = file.read(&mut block[end..]).unwrap();
        if read == 0 {
            black_box(captured);
            return records;
        }
        end += read;
        while let Some(header) = block[..end].get(at..at + 16) {
            let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
            if at + 16 + len > end {
                break;
            }
            captured += len as u64;
            records += 1;
            at += 16 + len;
        }
        block.copy_within(at..end, 0);
        end -= at;
        at = 0;
    }
}

#[divan::bench]
fn record_walk_floor(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(packets())).bench(floor);
}

#[divan::bench]
fn reader(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(packets())).bench(|| {
        let mut captures = capture::open(&[base().unwrap()], Options::default()).unwrap();
        let mut bytes = 0;
        while captures.read(&mut |frames| bytes += frames.iter().map(|frame| frame.bytes.len() as u64).sum::<u64>()) == Ok(Progress::More) {}
        bytes
    });
}
