//! Reused blocks of a file's bytes, filled by `read()`. Never a memory map: measured five times as dear, and a file cut while it is read ends the process.

use std::io::{self, Read};
use std::sync::Arc;

use super::LinkType;
use super::format::Format;
use super::record::{Next, Record};

/// Bytes of a file as they were read, and the frames that lie whole in them.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    buffer: Vec<u8>,
    /// Where the bytes in which the records were found begin in the buffer.
    base: usize,
    /// Its frames, in the file's order.
    pub records: Vec<Record>,
    /// For each interface that the file has declared its index into `Source::interfaces`, and its link type.
    pub interfaces: Vec<(u32, LinkType)>,
}

impl Block {
    /// The bytes of one of its records.
    pub(super) fn bytes_of(&self, record: &Record) -> &[u8] {
        bytes_of(&self.buffer, self.base, record)
    }

    /// Where a record was captured, and how its bytes begin.
    pub(super) fn interface_of(&self, record: &Record) -> (u32, LinkType) {
        interface_of(&self.interfaces, record)
    }

    /// Keeps the records for which `keep` says so by link type and bytes, and tells how many went.
    pub(super) fn retain<E>(&mut self, mut keep: impl FnMut(LinkType, &[u8]) -> Result<bool, E>) -> (u64, Option<E>) {
        let Self { buffer, base, records, interfaces } = self;
        let (before, mut refused) = (records.len(), None);
        records.retain(|record| {
            keep(interface_of(interfaces, record).1, bytes_of(buffer, *base, record)).unwrap_or_else(|error| {
                refused.get_or_insert(error);
                false
            })
        });
        ((before - records.len()) as u64, refused)
    }
}

fn bytes_of<'b>(buffer: &'b [u8], base: usize, record: &Record) -> &'b [u8] {
    let start = base + record.start as usize;
    buffer.get(start..start + record.len as usize).unwrap_or_default()
}

fn interface_of(interfaces: &[(u32, LinkType)], record: &Record) -> (u32, LinkType) {
    interfaces.get(record.interface as usize).copied().unwrap_or((0, LinkType::NULL))
}

/// The bytes of a file between what is done with and what was read, in a block that may be lent.
#[derive(Debug)]
pub(super) struct Window {
    block: Arc<Block>,
    /// Blocks that were lent before, to be filled again once nobody reads them.
    lent: Vec<Arc<Block>>,
    start: usize,
    end: usize,
    /// Place of `start` in the (decompressed) file.
    offset: u64,
    ended: bool,
    /// Bytes asked for at a time.
    room: usize,
}

impl Window {
    /// An empty window that asks for so many bytes at a time.
    pub(super) fn new(room: usize) -> Self {
        Self { block: Arc::default(), lent: Vec::new(), start: 0, end: 0, offset: 0, ended: false, room }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.block.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The present block.
    pub(super) fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// The present block, to be changed. Where somebody still reads it, it is another one, with a copy of what is not done with.
    pub(super) fn own(&mut self) -> &mut Block {
        if Arc::get_mut(&mut self.block).is_none() {
            let free = self.lent.iter_mut().position(|block| Arc::get_mut(block).is_some());
            let mut next = free.map(|place| self.lent.swap_remove(place)).unwrap_or_default();
            let rest = self.bytes();
            let buffer = &mut Arc::make_mut(&mut next).buffer;
            if buffer.len() < rest.len() {
                buffer.resize(rest.len(), 0);
            }
            if let Some(front) = buffer.get_mut(..rest.len()) {
                front.copy_from_slice(rest);
            }
            (self.start, self.end) = (0, rest.len());
            self.lent.push(std::mem::replace(&mut self.block, next));
        }
        Arc::make_mut(&mut self.block)
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

    /// Finds the whole records of the window, is done with their bytes, and says what the rest needs.
    pub(super) fn walk(&mut self, format: &mut Format) -> Next {
        self.own();
        let (start, end) = (self.start, self.end);
        let Block { buffer, base, records, .. } = self.own();
        *base = start;
        let walked = format.walk(buffer.get(start..end).unwrap_or_default(), records);
        self.consume(walked.consumed);
        walked.next
    }

    /// Reads until at least `need` bytes are there; false where the file ends before. One read, where it brings enough.
    pub(super) fn fill(&mut self, from: &mut dyn Read, need: usize) -> io::Result<bool> {
        self.own();
        let (start, end, room) = (self.start, self.end, need.max(self.room));
        let buffer = &mut Arc::make_mut(&mut self.block).buffer;
        buffer.copy_within(start..end, 0);
        (self.start, self.end) = (0, end - start);
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        while self.end < need && !self.ended {
            let Some(free) = buffer.get_mut(self.end..) else { break };
            match from.read(free) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end = (self.end + read).min(buffer.len()),
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
