//! How long work takes, and what it takes: the one file beside `capture/live/clock.rs` that reads a clock. It tells how long, never when.

use std::fs;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Started before the work.
#[derive(Debug)]
pub struct Stopwatch {
    wall: Instant,
    /// Processor time of the process, in nanoseconds.
    cpu: u64,
}

/// What some work took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lap {
    /// Nanoseconds that passed.
    pub wall: u64,
    /// Nanoseconds that processors worked for this process, on all its threads and within the system.
    pub cpu: u64,
    /// Most bytes of memory that the process has had so far, where the system tells it.
    pub peak: Option<u64>,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self { cpu: cpu(), wall: Instant::now() }
    }

    /// What was taken since.
    pub fn stop(self) -> Lap {
        let wall = u64::try_from(self.wall.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Lap { wall, cpu: cpu().saturating_sub(self.cpu), peak: peak() }
    }
}

fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// The resident set at its largest (proc(5), `VmHWM`).
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())?;
    Some(kib << 10)
}
