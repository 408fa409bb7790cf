//! What a file format says of one record: where its bytes lie in the window, and how a walk over a window ended.

use super::LinkType;
use crate::time::Timestamp;

/// One frame in a window of the file, by place rather than by reference, so that files can be merged before frames are lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// When it was captured.
    pub time: Timestamp,
    /// The number Wireshark shows.
    pub number: u64,
    /// First byte, counted from the start of the window.
    pub start: u32,
    /// Captured bytes.
    pub len: u32,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// Interface, counted in the order the file declares them.
    pub interface: u32,
}

/// How far a walk came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// Bytes of the window that are done with.
    pub consumed: usize,
    /// What the rest needs.
    pub next: Next,
}

/// What a format needs to go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At least so many bytes after those consumed; the file may end where none are left.
    Need(usize),
    /// At least so many bytes after those consumed; the file is cut off where it ends before.
    Must(usize),
    /// The next so many bytes are of no use.
    Skip(u64),
    /// The file cannot be read on.
    Fault(Fault),
}

/// Why a file cannot be read on, without its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub what: String,
    /// What the user can do.
    pub hint: &'static str,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>, hint: &'static str) -> Self {
        Self { what: what.into(), hint }
    }
}

/// Packets that a file says were not captured, by when.
#[derive(Debug, Default)]
pub(super) struct Drops(Vec<(u32, [Timestamp; 2], u64)>);

impl Drops {
    /// Notes that so many were not captured at an interface of the file between two moments.
    pub(super) fn note(&mut self, interface: u32, [from, to]: [Timestamp; 2], packets: u64) {
        match self.0.last_mut() {
            _ if packets == 0 => {}
            Some((same, [_, last], sum)) if *same == interface && last.minute() == from.minute() && last.minute() == to.minute() => {
                (*last, *sum) = (to.max(*last), sum.saturating_add(packets));
            }
            _ => self.0.push((interface, [from, to], packets)),
        }
    }

    /// Interface, moments and packets of what was noted since the last call.
    pub(super) fn take(&mut self) -> Vec<(u32, [Timestamp; 2], u64)> {
        std::mem::take(&mut self.0)
    }
}

/// An interface as a file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub name: Option<String>,
    pub link: LinkType,
    pub snap_len: u32,
    pub filter: Option<String>,
    pub dropped: Option<u64>,
}

impl Declared {
    /// The one interface of a format that names none.
    pub(super) fn bare(link: LinkType, snap_len: u32) -> Self {
        Self { name: None, link, snap_len, filter: None, dropped: None }
    }
}

/// Byte order of the numbers in a file's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endian {
    Little,
    Big,
}

impl Endian {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The 16-bit number `at` bytes into `bytes`.
    pub(super) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        bytes.get(at..)?.first_chunk().map(|chunk| self.u16(*chunk))
    }

    /// The 32-bit number `at` bytes into `bytes`.
    pub(super) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..)?.first_chunk().map(|chunk| self.u32(*chunk))
    }

    /// The 64-bit number `at` bytes into `bytes`.
    pub(super) fn u64_at(self, bytes: &[u8], at: usize) -> Option<u64> {
        let chunk: &[u8; 8] = bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(*chunk),
            Self::Big => u64::from_be_bytes(*chunk),
        })
    }
}

/// What helps against a file that ends early or is damaged.
pub(super) const COPY_AGAIN: &str = "what came before it was read; copy the file again, or go on with what there is";
