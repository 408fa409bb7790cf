//! Where live records go. A thread of its own writes them: an output that is slow, or stands still, holds up nobody, and what finds no room is counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};

use super::reader;
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
                Target::Standard(color) if paints => write_all(&received, &mut AutoStream::new(io::stdout(), color), || reader::is_gone(&io::stdout())),
                Target::Standard(_) => write_all(&received, &mut io::stdout(), || reader::is_gone(&io::stdout())),
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

    /// Whether nothing is written any more, because it failed or nobody reads it.
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty()
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

/// Writes what comes, and flushes when nothing more waits: a reader at the other end sees each record as soon as it is there. `is_unread`: nobody is there any more.
fn write_all(lines: &Receiver<Vec<u8>>, out: &mut dyn Write, is_unread: impl Fn() -> bool) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    loop {
        match lines.recv_timeout(reader::LOOK) {
            Ok(line) => out.write_all(&line)?,
            Err(RecvTimeoutError::Timeout) if is_unread() => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return out.flush(),
        }
        if lines.is_empty() {
            out.flush()?;
        }
    }
}

fn stalled() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it takes nothing more")
}

/// How long an output that stands still is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_nobody_reads_any_more_ends_though_nothing_is_to_be_written() {
        let (read, mut write) = io::pipe().unwrap();
        let end = write.try_clone().unwrap();
        let (lines, received) = crossbeam_channel::bounded::<Vec<u8>>(1);
        let writer = std::thread::spawn(move || write_all(&received, &mut write, || reader::is_gone(&end)));
        drop(read);
        assert_eq!(writer.join().unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        drop(lines);
    }
}
