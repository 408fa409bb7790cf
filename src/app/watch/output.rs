//! Where live records go. A thread of its own writes them: an output that is slow, or stands still, holds up nobody, and what finds no room is counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::rotation::Rotating;
use crate::limit::LIVE_LINES_AWAITING;

/// The way to the output.
pub struct Output {
    lines: Sender<Vec<u8>>,
    ended: Receiver<io::Result<()>>,
    /// Records that found no room.
    dropped: u64,
    /// Records that a full disk did not take.
    refused: Arc<AtomicU64>,
}

/// What is written to, opened before anything is captured.
pub enum Target {
    /// Standard output.
    Standard(ColorChoice),
    /// A file.
    File(Rotating),
}

impl Output {
    /// Starts to write. `paints`: what is written may hold colours.
    pub fn start(target: Target, paints: bool) -> Self {
        let (lines, received) = crossbeam_channel::bounded::<Vec<u8>>(LIVE_LINES_AWAITING);
        let (end, ended) = crossbeam_channel::bounded(1);
        let refused = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&refused);
        std::thread::spawn(move || {
            let answer = match target {
                Target::Standard(color) if paints => write_all(&received, &mut AutoStream::new(io::stdout(), color)),
                Target::Standard(_) => write_all(&received, &mut io::stdout()),
                Target::File(mut file) => file.take_all(&received, &count),
            };
            // Nobody may be left to be told.
            let _ = end.send(answer);
        });
        Self { lines, ended, dropped: 0, refused }
    }

    /// Hands over a record; where there is no room it is counted. An error once the output has failed.
    pub fn send(&mut self, record: Vec<u8>) -> io::Result<()> {
        if record.is_empty() {
            return Ok(());
        }
        match self.lines.try_send(record) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.dropped += 1;
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => self.failure(),
        }
    }

    /// Hands over what must not be lost: waits for room, but not for ever.
    pub fn send_surely(&mut self, record: Vec<u8>) -> io::Result<()> {
        match self.lines.send_timeout(record, PATIENCE) {
            Ok(()) => Ok(()),
            Err(crossbeam_channel::SendTimeoutError::Timeout(_)) => Err(stalled()),
            Err(crossbeam_channel::SendTimeoutError::Disconnected(_)) => self.failure(),
        }
    }

    /// Records that found no room, or no disk.
    pub fn dropped(&self) -> u64 {
        self.dropped + self.refused.load(Ordering::Relaxed)
    }

    /// Records that wait.
    pub fn waiting(&self) -> usize {
        self.lines.len()
    }

    /// Waits until all is written, but not for ever.
    pub fn finish(self) -> io::Result<()> {
        drop(self.lines);
        self.ended.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(stalled()))
    }

    fn failure(&self) -> io::Result<()> {
        self.ended.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }
}

/// Writes what comes, and flushes when nothing more waits: a reader at the other end sees each record as soon as it is there.
fn write_all(lines: &Receiver<Vec<u8>>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    while let Ok(line) = lines.recv() {
        out.write_all(&line)?;
        if lines.is_empty() {
            out.flush()?;
        }
    }
    out.flush()
}

fn stalled() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it takes nothing more")
}

/// How long an output that stands still is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(10);
