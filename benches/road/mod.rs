//! What one stretch of the road adds to the one before, averaged over the shared captures; shared by benches.
//!
//! Three figures, all of processor time and all divided by all packets. The captures are gone through round by round, each twice in a row.
//!
//! * *Cold* is the first of both times: between two visits of a capture lie all others, so that code and memory have left the caches, as where a program is begun for each capture. Half
//!   of the captures have nine packets or fewer, so most code is met for the first time then.
//! * *Warm* is the second, with code and memory as the same capture left them: what the work itself takes. Traffic of many flows is not like it: their memory is cold however long it
//!   goes on, so that identification adds several times as much on 1 GB of real traffic.
//! * *Whole rounds* is the median of what the rounds took, cold, with all that disturbed them.
//!
//! Of cold and warm the least time of each capture counts. Somebody else's work on the machine makes single captures slow in some rounds, and hardly ever one in all of them, so these
//! swing by a nanosecond or two where whole rounds swing by fifteen.
//!
//! Time is that of the thread that goes the road. A compressed capture is unpacked by another one, which takes as long whatever is done with the packets, give or take
//! several nanoseconds a packet.

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
    // What is worked out once a process, and bringing the files into the page cache, is no packet's.
    let packets = captures.iter().map(|capture| once(after, capture).0).sum::<u64>() as f64;
    let (mut lower, mut upper) = (Times::of(captures.len()), Times::of(captures.len()));
    for _ in 0..ROUNDS {
        lower.round(before, &captures);
        upper.round(after, &captures);
    }
    let print = |what: &str, low: f64, high: f64, more: f64| {
        let [low, high, more] = [low, high, more].map(|seconds| seconds * 1e9 / packets);
        println!("{what}\n{low:>8.1}  {}\n{high:>8.1}  {}\n{more:>8.1}  what that adds", before.name(), after.name());
    };
    println!("{} captures, {packets} packets, {ROUNDS} interleaved rounds, ns of processor time a packet", captures.len());
    for (what, low, high) in [("cold: after all other captures", &lower.cold, &upper.cold), ("warm: right after itself", &lower.warm, &upper.warm)] {
        let (low, high): (f64, f64) = (low.iter().sum(), high.iter().sum());
        print(&format!("{what}, the least time of each capture:"), low, high, high - low);
    }
    let differences = lower.rounds.iter().zip(&upper.rounds).map(|(low, high)| high - low).collect();
    print("whole rounds, cold, median:", median(lower.rounds), median(upper.rounds), median(differences));
}

/// Of a stretch, in seconds.
struct Times {
    /// The least of each capture, after all others.
    cold: Vec<f64>,
    /// The same, right after itself.
    warm: Vec<f64>,
    /// Of all captures together, cold, round by round.
    rounds: Vec<f64>,
}

impl Times {
    fn of(captures: usize) -> Self {
        Self { cold: vec![f64::INFINITY; captures], warm: vec![f64::INFINITY; captures], rounds: Vec::new() }
    }

    fn round(&mut self, stretch: Stretch, captures: &[PathBuf]) {
        let mut all = 0.0;
        for ((capture, cold), warm) in captures.iter().zip(&mut self.cold).zip(&mut self.warm) {
            let [first, second] = [(); 2].map(|()| once(stretch, capture).1);
            all += first;
            *cold = cold.min(first);
            *warm = warm.min(second);
        }
        self.rounds.push(all);
    }
}

/// Packets of the capture, none where it cannot be read, and seconds of processor time.
fn once(stretch: Stretch, capture: &PathBuf) -> (u64, f64) {
    let start = processor_time();
    let packets = stretch.run(&Load { captures: std::slice::from_ref(capture), workers: 1, memory: MEMORY }).unwrap_or(0);
    (packets, processor_time() - start)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Of this thread, in seconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
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

const ROUNDS: usize = 21;
