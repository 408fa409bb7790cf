//! A progress line on standard error while a long capture is read: only on a terminal, from two seconds on, and gone before the report. Its clock is a person's at
//! the terminal; nothing of it reaches a report.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The line.
#[derive(Debug)]
pub struct Progress {
    shown: Option<Mutex<Shown>>,
}

#[derive(Debug)]
struct Shown {
    begun: Instant,
    /// When it was drawn last.
    drawn: Option<Instant>,
}

impl Progress {
    /// Shown where standard error is a terminal and nobody asked for quiet.
    pub fn new(quiet: bool) -> Self {
        Self { shown: (!quiet && io::stderr().is_terminal()).then(|| Mutex::new(Shown { begun: Instant::now(), drawn: None })) }
    }

    /// `done` bytes of `all` were read.
    pub fn show(&self, done: u64, all: Option<u64>) {
        let Some(Ok(mut shown)) = self.shown.as_ref().map(Mutex::lock) else { return };
        let now = Instant::now();
        let passed = now.duration_since(shown.begun);
        if passed < PATIENCE || shown.drawn.is_some_and(|drawn| now.duration_since(drawn) < PAUSE) {
            return;
        }
        shown.drawn = Some(now);
        // A progress line that cannot be drawn is not worth a word.
        let _ = write!(io::stderr(), "\r{}\x1b[K", line(done, all, passed));
    }

    /// Wipes the line.
    pub fn clear(&self) {
        if let Some(Ok(shown)) = self.shown.as_ref().map(Mutex::lock)
            && shown.drawn.is_some()
        {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// `[#####               ]  25 % of 1000 MB, 100 MB/s, 8 s left`.
fn line(done: u64, all: Option<u64>, passed: Duration) -> String {
    let a_second = done.saturating_mul(1_000) / u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = format!("{} MB/s", a_second / 1_000_000);
    let Some(all) = all.filter(|all| *all > 0) else { return format!("{} MB read, {rate}", done / 1_000_000) };
    let part = done.min(all).saturating_mul(100) / all;
    let bar = "#".repeat((part / 5) as usize);
    let left = all.saturating_sub(done) / a_second.max(1);
    format!("[{bar:20}] {part:3} % of {} MB, {rate}, {left} s left", all / 1_000_000)
}

/// Whoever waits no longer than this needs no line.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two drawings.
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_from_what_was_read() {
        let seconds = Duration::from_secs;
        assert_eq!(line(250_000_000, Some(1_000_000_000), seconds(5)), "[#####               ]  25 % of 1000 MB, 50 MB/s, 15 s left");
        assert_eq!(line(1_000_000_000, Some(1_000_000_000), seconds(10)), "[####################] 100 % of 1000 MB, 100 MB/s, 0 s left");
        assert_eq!(line(300_000_000, None, seconds(3)), "300 MB read, 100 MB/s");
        assert_eq!(line(0, Some(0), seconds(0)), "0 MB read, 0 MB/s");
    }
}
