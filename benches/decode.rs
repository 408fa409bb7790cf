//! What decoding costs a packet, on real traffic: plain Ethernet, IPv4 and IPv6, mostly TCP.

#![allow(clippy::print_stdout, reason = "a bench prints what it measures and stops where it cannot")]

use std::path::Path;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use portbook::capture::{Frame, FrameId, LinkType, Options, Progress, Source, open};
use portbook::decode::{Packet, decode, decode_batch};
use portbook::limit::BATCH;
use portbook::time::Timestamp;

fn main() {
    println!("a packet has {} bytes", size_of::<Packet<'_>>());
    divan::main();
}

/// Frames that stay in the second-level cache, in batches as the pipeline has them.
#[divan::bench]
fn batches(bencher: Bencher<'_, '_>) {
    let Some(store) = frames() else { return println!("skipped: no shared captures") };
    let frames: Vec<Frame<'_>> = store.iter().enumerate().map(|(place, (bytes, len))| frame(place, bytes, *len)).collect();
    let mut packets = Vec::with_capacity(BATCH);
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        for batch in frames.chunks(BATCH) {
            packets.clear();
            decode_batch(black_box(batch), &mut packets);
            black_box(&packets);
        }
    });
}

#[divan::bench]
fn one_by_one(bencher: Bencher<'_, '_>) {
    let Some(store) = frames() else { return println!("skipped: no shared captures") };
    let frames: Vec<Frame<'_>> = store.iter().enumerate().map(|(place, (bytes, len))| frame(place, bytes, *len)).collect();
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        for frame in &frames {
            black_box(decode(black_box(frame)));
        }
    });
}

fn frame(place: usize, bytes: &[u8], wire_len: u32) -> Frame<'_> {
    let id = FrameId::new(0, place as u64 + 1);
    Frame { id, interface: 0, link: LinkType::ETHERNET, time: Timestamp::from_nanos(0), wire_len, bytes }
}

/// The first frames of the shared capture, headers only: 2,000 of 128 bytes fit the cache that a reader's block would be in.
fn frames() -> Option<Vec<(Vec<u8>, u32)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/bench/base.pcap");
    let mut source = open(&[path], Options::default()).ok()?;
    let mut frames = Vec::new();
    while frames.len() < FRAMES {
        let read = source.read(&mut |batch| frames.extend(batch.iter().map(|frame| (frame.bytes.iter().take(128).copied().collect(), frame.wire_len))));
        if !matches!(read, Ok(Progress::More)) {
            break;
        }
    }
    frames.truncate(FRAMES);
    Some(frames)
}

const FRAMES: usize = 2_000;
