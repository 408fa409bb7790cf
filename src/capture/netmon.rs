//! Captures of Microsoft Network Monitor 1 and 2 (the latter documented in the help of Network Monitor 3, "Capture File Format"): a header of 128 bytes,
//! records one behind the other, then tables. All numbers are little-endian.
//!
//! The records are read as they lie, up to the first table: that is the order in which the frame table names them, and needs no second way through the file.
//! The header states when the capture began in local time without its zone; it is taken for UTC. From 2.3 on each record has its own time in UTC.

use super::LinkType;
use super::record::{COPY_AGAIN, Declared, Endian, Fault, Next, Record, Walked};
use crate::limit::FRAME_BYTES;
use crate::time::Timestamp;

/// A Network Monitor file being walked.
#[derive(Debug)]
pub(super) struct Netmon {
    version: Version,
    began: Timestamp,
    /// Media type of records that name none.
    media: u16,
    /// Place in the file of the next record.
    at: u64,
    /// Place in the file behind the last record.
    end: u64,
    frames: u64,
    passed_over: u64,
    /// One for each link type met.
    interfaces: Vec<Declared>,
}

/// How records look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// 1.x: milliseconds, 16-bit lengths.
    One,
    /// 2.x: microseconds, 32-bit lengths, and from 2.1 on something behind the frame.
    Two { minor: u8 },
}

/// A record's header.
struct Header {
    /// Nanoseconds since the capture began.
    delta: i64,
    wire_len: u32,
    captured: u32,
}

impl Netmon {
    /// Reads the file header; none where magic or version are not known, the frame table was never written, or all frames are of a medium that is not read.
    pub(super) fn open(head: &[u8]) -> Option<Self> {
        let head: &[u8; FILE_HEADER] = head.first_chunk()?;
        let version = match (head.first_chunk()?, head[5]) {
            (MAGIC_1, 1) => Version::One,
            (MAGIC_2, 2) => Version::Two { minor: head[4] },
            _ => return None,
        };
        let media = Endian::Little.u16_at(head, 6)?;
        let interfaces = if version.names_media() { Vec::new() } else { vec![Declared::bare(link_of(media)?, 0)] };
        let tables = TABLES.into_iter().filter_map(|place| Endian::Little.u32_at(head, place)).map(u64::from);
        let frame_table = Endian::Little.u32_at(head, FRAME_TABLE)?;
        if (frame_table as usize) < FILE_HEADER {
            return None;
        }
        let end = tables.filter(|place| *place >= FILE_HEADER as u64).min()?;
        Some(Self { version, began: began(head)?, media, at: FILE_HEADER as u64, end, frames: 0, passed_over: 0, interfaces })
    }

    pub(super) fn interfaces(&self) -> &[Declared] {
        &self.interfaces
    }

    /// Records that are no frames but notes of Network Monitor's own, and frames of media that are not read.
    pub(super) fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Walks all whole records of the window; behind the last one everything is passed over.
    pub(super) fn walk(&mut self, window: &[u8], records: &mut Vec<Record>) -> Walked {
        let mut at = 0;
        let next = loop {
            if self.at >= self.end {
                return Walked { consumed: window.len(), next: Next::Need(1) };
            }
            let rest = window.get(at..).unwrap_or_default();
            let Some(header) = self.version.header(rest) else { break Next::Must(self.version.header_len()) };
            let len = self.version.header_len() + header.captured as usize + self.version.trailer_len();
            if header.captured > FRAME_BYTES || self.at + len as u64 > self.end {
                let frame = self.frames + 1;
                break Next::Fault(Fault::new(format!("damaged at frame {frame}: {} captured bytes, beyond the frames' end", header.captured), COPY_AGAIN));
            }
            let Some(record) = rest.get(..len) else { break Next::Must(len) };
            self.take(&header, record, at, records);
            at += len;
            self.at += len as u64;
        };
        Walked { consumed: at, next }
    }

    /// Takes a whole record that begins `at` bytes into the window.
    fn take(&mut self, header: &Header, record: &[u8], at: usize, records: &mut Vec<Record>) {
        let trailer = record.get(self.version.header_len() + header.captured as usize..).unwrap_or_default();
        let media = Endian::Little.u16_at(trailer, 0).unwrap_or(self.media);
        if media >= NOTES {
            self.passed_over += 1;
            return;
        }
        self.frames += 1;
        let Some(link) = link_of(media) else {
            self.passed_over += 1;
            return;
        };
        let interface = self.interfaces.iter().position(|known| known.link == link).unwrap_or_else(|| {
            self.interfaces.push(Declared::bare(link, 0));
            self.interfaces.len() - 1
        });
        let since = Timestamp::from_nanos(self.began.nanos().saturating_add(header.delta));
        records.push(Record {
            time: utc(trailer).unwrap_or(since),
            number: self.frames,
            start: (at + self.version.header_len()) as u32,
            len: header.captured,
            wire_len: header.wire_len.max(header.captured),
            interface: interface as u32,
        });
    }
}

impl Version {
    fn header(self, bytes: &[u8]) -> Option<Header> {
        let little = Endian::Little;
        Some(match self {
            Self::One => Header {
                delta: i64::from(little.u32_at(bytes, 0)?) * 1_000_000,
                wire_len: u32::from(little.u16_at(bytes, 4)?),
                captured: u32::from(little.u16_at(bytes, 6)?),
            },
            Self::Two { .. } => Header {
                delta: little.u64_at(bytes, 0)?.cast_signed().saturating_mul(1_000),
                wire_len: little.u32_at(bytes, 8)?,
                captured: little.u32_at(bytes, 12)?,
            },
        })
    }

    const fn header_len(self) -> usize {
        match self {
            Self::One => 8,
            Self::Two { .. } => 16,
        }
    }

    /// Bytes behind the frame: media type; process; UTC time and time zone.
    const fn trailer_len(self) -> usize {
        match self {
            Self::One | Self::Two { minor: 0 } => 0,
            Self::Two { minor: 1 } => 2,
            Self::Two { minor: 2 } => 6,
            Self::Two { .. } => 15,
        }
    }

    /// Whether each record names its medium; the header then says Ethernet, whatever it is.
    const fn names_media(self) -> bool {
        self.trailer_len() > 0
    }
}

/// When the capture began: year, month, day of the week, day, hour, minute, second and millisecond, 16 bits each.
fn began(head: &[u8]) -> Option<Timestamp> {
    let field = |at| Endian::Little.u16_at(head, at).map(i64::from);
    let (year, month, day) = (field(8)?, field(10)?, field(14)?);
    let seconds = field(16)? * 3_600 + field(18)? * 60 + field(20)?;
    let midnight = Timestamp::from_date(year, month, day)?;
    Some(Timestamp::from_nanos(midnight.nanos().saturating_add(seconds * 1_000_000_000 + field(22)? * 1_000_000)))
}

/// The record's own time, from 2.3 on: tenths of microseconds since 1601.
fn utc(trailer: &[u8]) -> Option<Timestamp> {
    let ticks = Endian::Little.u64_at(trailer, 6)?.checked_sub(EPOCH_IN_TICKS)?;
    i64::try_from(ticks).ok()?.checked_mul(100).map(Timestamp::from_nanos)
}

/// How frames of a media type begin. 4 (ATM), 5 (IEEE 1394) and 6 (802.11 behind a header of its own) are not read.
fn link_of(media: u16) -> Option<LinkType> {
    match media {
        0 | 1 => Some(LinkType::ETHERNET),
        2 => Some(LinkType(6)),
        3 => Some(LinkType(10)),
        7..=9 => Some(LinkType::RAW),
        PCAP_BASE..PCAP_END => Some(LinkType(media - PCAP_BASE)),
        _ => None,
    }
}

/// First bytes of a file of version 1.
pub(super) const MAGIC_1: &[u8; 4] = b"RTSS";
/// First bytes of a file of version 2.
pub(super) const MAGIC_2: &[u8; 4] = b"GMBU";
/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 128;
/// Where the header says at which place the frame table begins.
const FRAME_TABLE: usize = 24;
/// Where it says so of frame table, user data, comments, process and network information.
const TABLES: [usize; 5] = [FRAME_TABLE, 32, 40, 48, 56];
/// Media types from here on are link types as pcap counts them; a pcap link type beyond 1023 is not assigned.
const PCAP_BASE: u16 = 0xe000;
const PCAP_END: u16 = PCAP_BASE + 1024;
/// Media types from here on are notes that Network Monitor made: events, filters, DNS names.
const NOTES: u16 = 0xffe0;
/// 1970-01-01 in tenths of microseconds since 1601-01-01.
const EPOCH_IN_TICKS: u64 = 116_444_736_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that began on 2005-07-16 at 10:29:29.800, with these records and then a frame table.
    fn file(magic: &[u8; 4], version: [u8; 2], media: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let mut file = [&magic[..], &version, &media.to_le_bytes()].concat();
        for field in [2005_u16, 7, 6, 16, 10, 29, 29, 800] {
            file.extend(field.to_le_bytes());
        }
        let table = FILE_HEADER + records.iter().map(Vec::len).sum::<usize>();
        file.extend((table as u32).to_le_bytes());
        file.resize(FILE_HEADER, 0);
        [file, records.concat(), vec![0; 4 * records.len()]].concat()
    }

    fn record_2(micros: u64, wire: u32, frame: &[u8], trailer: &[u8]) -> Vec<u8> {
        [&micros.to_le_bytes()[..], &wire.to_le_bytes(), &(frame.len() as u32).to_le_bytes(), frame, trailer].concat()
    }

    fn walk(file: &[u8]) -> (Netmon, Vec<Record>, Walked) {
        let mut netmon = Netmon::open(file).unwrap();
        let mut records = Vec::new();
        let walked = netmon.walk(&file[FILE_HEADER..], &mut records);
        (netmon, records, walked)
    }

    #[test]
    fn version_1_counts_milliseconds_from_the_start() {
        let record = [&1_500_u32.to_le_bytes()[..], &60_u16.to_le_bytes(), &4_u16.to_le_bytes(), b"abcd"].concat();
        let (netmon, records, walked) = walk(&file(MAGIC_1, [1, 1], 2, &[record]));
        assert_eq!(records[0].time.to_string(), "2005-07-16T10:29:31.300000000Z");
        assert_eq!((records[0].number, records[0].start, records[0].len, records[0].wire_len), (1, 8, 4, 60));
        assert_eq!((netmon.interfaces()[0].link, walked.next), (LinkType(6), Next::Need(1)));
    }

    #[test]
    fn version_2_0_counts_microseconds_and_the_header_names_the_medium() {
        let (netmon, records, walked) = walk(&file(MAGIC_2, [0, 2], 9, &[record_2(0, 4, b"abcd", b""), record_2(1, 90, b"ef", b"")]));
        assert_eq!(records[1].time.to_string(), "2005-07-16T10:29:29.800001000Z");
        assert_eq!((records[1].start, records[1].len, records[1].wire_len), (20 + 16, 2, 90));
        assert_eq!((netmon.interfaces()[0].link, walked.consumed), (LinkType::RAW, 20 + 18 + 8));
    }

    #[test]
    fn from_version_2_1_on_each_record_names_its_medium_and_notes_are_no_frames() {
        let records = [record_2(0, 1, b"a", &[1, 0]), record_2(0, 1, b"b", &[0xff, 0xff]), record_2(0, 1, b"c", &[9, 0]), record_2(0, 1, b"d", &[6, 0])];
        let (netmon, records, _) = walk(&file(MAGIC_2, [1, 2], 1, &records));
        assert_eq!(records.iter().map(|record| (record.number, record.interface)).collect::<Vec<_>>(), [(1, 0), (2, 1)]);
        assert_eq!((netmon.interfaces()[1].link, netmon.passed_over()), (LinkType::RAW, 2));
    }

    #[test]
    fn from_version_2_3_on_each_record_has_its_own_time() {
        let ticks = EPOCH_IN_TICKS + 15;
        let trailer = [&1_u16.to_le_bytes()[..], &[0; 4], &ticks.to_le_bytes(), &[0]].concat();
        let (_, records, _) = walk(&file(MAGIC_2, [3, 2], 1, &[record_2(7, 1, b"a", &trailer)]));
        assert_eq!(records[0].time, Timestamp::from_nanos(1_500));
    }

    #[test]
    fn a_file_cut_between_records_wants_more_and_a_length_beyond_the_table_is_damage() {
        let whole = file(MAGIC_2, [0, 2], 1, &[record_2(0, 4, b"abcd", b""), record_2(0, 4, b"efgh", b"")]);
        let (_, records, walked) = walk(&whole[..FILE_HEADER + 20]);
        assert_eq!((records.len(), walked.next), (1, Next::Must(16)));
        let mut damaged = whole;
        damaged[FILE_HEADER + 32] = 200;
        let (_, records, walked) = walk(&damaged);
        assert_eq!(records.len(), 1);
        assert!(matches!(walked.next, Next::Fault(fault) if fault.what.starts_with("damaged at frame 2")));
    }

    #[test]
    fn a_file_without_a_frame_table_or_of_a_medium_that_is_not_read_is_refused() {
        let mut unfinished = file(MAGIC_2, [0, 2], 1, &[]);
        unfinished[24..28].fill(0);
        assert!(Netmon::open(&unfinished).is_none());
        assert!(Netmon::open(&file(MAGIC_2, [0, 2], 4, &[])).is_none());
    }
}
