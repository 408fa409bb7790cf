//! A reused block of a file's bytes, filled by `read()`. Never a memory map: measured five times as dear, and a file cut while it is read ends the process.

use std::io::{self, Read};

/// The bytes of a file between what is done with and what was read.
#[derive(Debug)]
pub(super) struct Window {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Place of `start` in the (decompressed) file.
    offset: u64,
    ended: bool,
    block: usize,
}

impl Window {
    /// An empty window that asks for so many bytes at a time.
    pub(super) fn new(block: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, end: 0, offset: 0, ended: false, block }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The whole buffer; [`start`](Self::start) says where the window begins in it.
    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// How far the (decompressed) file was read.
    pub(super) fn read_to(&self) -> u64 {
        self.offset + (self.end - self.start) as u64
    }

    /// Marks bytes at the front as done with. The buffer keeps them until it is filled again.
    pub(super) fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until at least `need` bytes are there; false where the file ends before. One read, where it brings enough.
    pub(super) fn fill(&mut self, from: &mut dyn Read, need: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = need.max(self.block);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        while self.end < need && !self.ended {
            let Some(free) = self.buffer.get_mut(self.end..) else { break };
            match from.read(free) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end = (self.end + read).min(self.buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.end >= need)
    }

    /// Passes over bytes, read or not; says how many the file did not have.
    pub(super) fn skip(&mut self, from: &mut dyn Read, mut bytes: u64) -> io::Result<u64> {
        while bytes > 0 {
            let here = (self.end - self.start).min(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.consume(here);
            bytes -= here as u64;
            if bytes > 0 && !self.fill(from, 1)? {
                break;
            }
        }
        Ok(bytes)
    }
}
