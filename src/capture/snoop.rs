//! The snoop format of Solaris (RFC 1761): a 16-byte header, then records of a 24-byte header and padded data, all in network byte order.

use super::LinkType;
use super::record::{COPY_AGAIN, Declared, Drops, Endian, Fault, Next, Record, Walked};
use crate::limit::{FRAME_BYTES, METADATA_BYTES};
use crate::time::Timestamp;

/// A snoop file being walked.
#[derive(Debug)]
pub(super) struct Snoop {
    frames: u64,
    interface: Declared,
    drops: Drops,
}

impl Snoop {
    /// Reads the file header; none where the magic, the version or the data link is not known.
    pub(super) fn open(head: &[u8]) -> Option<Self> {
        if !head.starts_with(MAGIC) || Endian::Big.u32_at(head, 8)? != 2 {
            return None;
        }
        let link = match Endian::Big.u32_at(head, 12)? {
            0 | 4 => LinkType::ETHERNET,
            2 => LinkType(6),
            8 => LinkType(10),
            _ => return None,
        };
        Some(Self { frames: 0, interface: Declared::bare(link, 0), drops: Drops::default() })
    }

    pub(super) fn interfaces(&self) -> &[Declared] {
        std::slice::from_ref(&self.interface)
    }

    /// Interface, moments and packets of what was not captured, since the last call.
    pub(super) fn take_drops(&mut self) -> Vec<(u32, [Timestamp; 2], u64)> {
        self.drops.take()
    }

    /// Walks all whole records of the window.
    pub(super) fn walk(&mut self, window: &[u8], records: &mut Vec<Record>) -> Walked {
        let mut at = 0;
        let next = loop {
            let Some(header) = window.get(at..).and_then(<[u8]>::first_chunk::<RECORD_HEADER>) else { break Next::Need(RECORD_HEADER) };
            let [wire_len, captured, record_len, drops, seconds, micros] = words(header);
            if captured > FRAME_BYTES || record_len > METADATA_BYTES || (record_len as usize) < RECORD_HEADER + captured as usize {
                let frame = self.frames + 1;
                break Next::Fault(Fault::new(format!("damaged at frame {frame}: a record of {record_len} bytes with {captured} captured"), COPY_AGAIN));
            }
            let end = at + record_len as usize;
            if end > window.len() {
                break Next::Need(record_len as usize);
            }
            self.frames += 1;
            let time = Timestamp::from_parts(i64::from(seconds), i64::from(micros) * 1_000);
            // Counted since the capture began: the first packet's may be from before.
            let before = self.interface.dropped.replace(u64::from(drops)).unwrap_or(0);
            self.drops.note(0, [time; 2], u64::from(drops).saturating_sub(before));
            let start = (at + RECORD_HEADER) as u32;
            records.push(Record { time, number: self.frames, start, len: captured, wire_len: wire_len.max(captured), interface: 0 });
            at = end;
        };
        Walked { consumed: at, next }
    }
}

/// The six words of a record header: wire length, captured length, record length, drops so far, seconds, microseconds.
fn words(header: &[u8; RECORD_HEADER]) -> [u32; 6] {
    let (words, _) = header.as_chunks::<4>();
    let mut all = [0; 6];
    for (place, word) in all.iter_mut().zip(words) {
        *place = u32::from_be_bytes(*word);
    }
    all
}

/// First bytes of the file.
pub(super) const MAGIC: &[u8] = b"snoop\0\0\0";
/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 16;
const RECORD_HEADER: usize = 24;
