//! A progress line on standard error while a long capture is read: only on a terminal, and gone before the report.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

/// The line. Steps, not time, decide when it is drawn again: nothing here reads a clock.
#[derive(Debug)]
pub struct Progress {
    shown: Option<Mutex<u64>>,
}

impl Progress {
    /// Shown where standard error is a terminal and nobody asked for quiet.
    pub fn new(quiet: bool) -> Self {
        Self { shown: (!quiet && io::stderr().is_terminal()).then(|| Mutex::new(0)) }
    }

    /// `done` bytes of `all` were read.
    pub fn show(&self, done: u64, all: Option<u64>) {
        let Some(Ok(mut shown)) = self.shown.as_ref().map(Mutex::lock) else { return };
        if done < *shown + STEP {
            return;
        }
        *shown = done;
        let line = match all {
            Some(all) if all > 0 => format!("{:3} % of {} MB read", done.saturating_mul(100) / all, all / 1_000_000),
            _ => format!("{} MB read", done / 1_000_000),
        };
        // A progress line that cannot be drawn is not worth a word.
        let _ = write!(io::stderr(), "\r{line}\x1b[K");
    }

    /// Wipes the line.
    pub fn clear(&self) {
        if let Some(Ok(shown)) = self.shown.as_ref().map(Mutex::lock)
            && *shown > 0
        {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Bytes between two drawings: about a twentieth of a second of reading; captures below it are done before a line could be read.
const STEP: u64 = 32_000_000;
