//! What one stretch of the road adds to the one before, averaged over the shared captures; shared by benches.

use std::path::{Path, PathBuf};

use portbook::limit::MEMORY;
use portbook::pipeline::stretch::{Load, Stretch};
use portbook::signature::Signatures;
use rustix::time::{ClockId, clock_gettime};

/// As in the program: what a flow costs is in good part its small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs both stretches over every shared capture, one after the other and round by round, and prints what the second adds a packet.
pub fn added(before: Stretch, after: Stretch) {
    let captures = captures();
    if captures.is_empty() {
        return println!("skipped: no shared captures");
    }
    Signatures::built_in();
    let (packets, [mut lower, mut upper, mut differences]) = (all(before, &captures).0, [const { Vec::new() }; 3]);
    for _ in 0..ROUNDS {
        let (low, high) = (all(before, &captures).1, all(after, &captures).1);
        lower.push(low);
        upper.push(high);
        differences.push(high - low);
    }
    let each = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] * 1e9 / packets as f64
    };
    println!("{} captures, {packets} packets, {ROUNDS} interleaved rounds, ns a packet (median):", captures.len());
    println!("{:>8.1}  {}\n{:>8.1}  {}\n{:>8.1}  what that adds", each(&mut lower), before.name(), each(&mut upper), after.name(), each(&mut differences));
}

/// Packets of the captures that can be read, and seconds of processor time: others who use the machine do not count.
fn all(stretch: Stretch, captures: &[PathBuf]) -> (u64, f64) {
    let start = processor_time();
    let run = |capture: &PathBuf| stretch.run(&Load { captures: std::slice::from_ref(capture), workers: 1, memory: MEMORY }).unwrap_or(0);
    (captures.iter().map(run).sum(), processor_time() - start)
}

fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// By path.
fn captures() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/files")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

const ROUNDS: usize = 7;
