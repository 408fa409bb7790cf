//! The pcap savefile format (draft-ietf-opsawg-pcap), with the variants that are still met.
//!
//! Wire: a 24-byte file header (magic, version, two unused words, snap length, link type), then records of a 16-byte header
//! (seconds, fraction, captured length, wire length) and the captured bytes. The writer's byte order; the magic shows which.
//!
//! Variants: the fraction in nanoseconds (magic a1b23c4d); "modified" by Alexey Kuznetzov's patches (magic a1b2cd34, 8 more bytes a record header);
//! lengths in the other order before version 2.3 and in DG/UX's 543.0; AIX (version 2.2 with an interface type of RFC 1573, nanoseconds).

use super::LinkType;
use super::record::{COPY_AGAIN, Declared, Endian, Fault, Next, Record, Walked};
use crate::limit::FRAME_BYTES;
use crate::time::Timestamp;

/// A pcap file being walked.
#[derive(Debug)]
pub(super) struct Pcap {
    endian: Endian,
    variant: Variant,
    lengths: Lengths,
    /// Nanoseconds in one unit of the fraction.
    unit: i64,
    header_len: usize,
    frames: u64,
    interface: Declared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Plain,
    Modified,
    Aix,
}

/// In which order a record header has the captured and the wire length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    /// Version 2.3 was written both ways: the greater one is the wire's.
    Either,
}

impl Pcap {
    /// Reads the file header; none where the magic is another format's.
    pub(super) fn open(head: &[u8]) -> Option<Self> {
        let (endian, mut variant, mut unit) = magic(head.first_chunk()?)?;
        let (major, minor) = (endian.u16_at(head, 4)?, endian.u16_at(head, 6)?);
        let (snap_len, link) = (endian.u32_at(head, 16)?, endian.u32_at(head, 20)?);
        let mut link = LinkType((link & LINK_TYPE_MASK) as u16);
        if (major, minor) == (2, 2)
            && variant == Variant::Plain
            && let Some(known) = aix_link(link)
        {
            (variant, unit, link) = (Variant::Aix, 1, known);
        }
        let lengths = match (major, minor) {
            (2, 0..=2) | (543, _) => Lengths::WireFirst,
            (2, 3) => Lengths::Either,
            _ => Lengths::CapturedFirst,
        };
        let header_len = if variant == Variant::Modified { MODIFIED_RECORD_HEADER } else { RECORD_HEADER };
        let snap_len = if snap_len > FRAME_BYTES { 0 } else { snap_len };
        Some(Self { endian, variant, lengths, unit, header_len, frames: 0, interface: Declared::bare(link, snap_len) })
    }

    /// The name of the variant in reports.
    pub(super) fn format(&self) -> &'static str {
        match self.variant {
            Variant::Modified => "pcap-modified",
            Variant::Aix => "pcap-aix",
            Variant::Plain if self.unit == 1 => "pcap-ns",
            Variant::Plain => "pcap",
        }
    }

    pub(super) fn interfaces(&self) -> &[Declared] {
        std::slice::from_ref(&self.interface)
    }

    /// Walks all whole records of the window.
    pub(super) fn walk(&mut self, window: &[u8], records: &mut Vec<Record>) -> Walked {
        let mut at = 0;
        let next = loop {
            let Some(header) = window.get(at..).and_then(<[u8]>::first_chunk::<RECORD_HEADER>) else { break Next::Need(self.header_len) };
            let (captured, wire_len) = self.lengths_of(header);
            if captured > FRAME_BYTES {
                break Next::Fault(self.absurd(captured));
            }
            let start = at + self.header_len;
            let end = start + captured as usize;
            if end > window.len() {
                break Next::Need(end - at);
            }
            self.frames += 1;
            let time = self.time_of(header);
            records.push(Record { time, number: self.frames, start: start as u32, len: captured, wire_len: wire_len.max(captured), interface: 0 });
            at = end;
        };
        Walked { consumed: at, next }
    }

    fn time_of(&self, header: &[u8; RECORD_HEADER]) -> Timestamp {
        let [a, b, c, d, e, f, g, h, ..] = *header;
        let (seconds, fraction) = (self.endian.u32([a, b, c, d]), self.endian.u32([e, f, g, h]));
        Timestamp::from_parts(i64::from(seconds), i64::from(fraction) * self.unit)
    }

    /// Captured and wire length.
    fn lengths_of(&self, header: &[u8; RECORD_HEADER]) -> (u32, u32) {
        let [.., a, b, c, d, e, f, g, h] = *header;
        let (first, second) = (self.endian.u32([a, b, c, d]), self.endian.u32([e, f, g, h]));
        match self.lengths {
            Lengths::WireFirst => (second, first),
            Lengths::Either if first > second => (second, first),
            Lengths::CapturedFirst | Lengths::Either => (first, second),
        }
    }

    fn absurd(&self, captured: u32) -> Fault {
        let frame = self.frames + 1;
        Fault::new(format!("damaged at frame {frame}: its header says {captured} captured bytes, more than any capture tool writes"), COPY_AGAIN)
    }
}

/// Byte order, variant and nanoseconds a unit of the fraction.
fn magic(bytes: &[u8; 4]) -> Option<(Endian, Variant, i64)> {
    Some(match *bytes {
        [0xa1, 0xb2, 0xc3, 0xd4] => (Endian::Big, Variant::Plain, 1_000),
        [0xd4, 0xc3, 0xb2, 0xa1] => (Endian::Little, Variant::Plain, 1_000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (Endian::Big, Variant::Plain, 1),
        [0x4d, 0x3c, 0xb2, 0xa1] => (Endian::Little, Variant::Plain, 1),
        [0xa1, 0xb2, 0xcd, 0x34] => (Endian::Big, Variant::Modified, 1_000),
        [0x34, 0xcd, 0xb2, 0xa1] => (Endian::Little, Variant::Modified, 1_000),
        _ => return None,
    })
}

/// The link type for the RFC 1573 interface types that AIX writes: Ethernet, token ring, FDDI, loopback.
fn aix_link(kind: LinkType) -> Option<LinkType> {
    match kind.0 {
        6 => Some(LinkType::ETHERNET),
        9 => Some(LinkType(6)),
        15 => Some(LinkType(10)),
        24 => Some(LinkType::NULL),
        _ => None,
    }
}

/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const MODIFIED_RECORD_HEADER: usize = 24;
/// The upper half of the link type word holds the length of the frame check sequence and reserved bits.
const LINK_TYPE_MASK: u32 = 0xffff;

#[cfg(test)]
mod tests {
    use super::*;

    /// A file header of version `major.minor` and one record of 4 captured bytes, with the words given as the file's writer would order them.
    fn file(magic: [u8; 4], big: bool, version: (u16, u16), link: u32, header: [u32; 4], more: &[u8]) -> Vec<u8> {
        let half = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut file = magic.to_vec();
        file.extend(half(version.0));
        file.extend(half(version.1));
        for value in [0, 0, 65_535, link].into_iter().chain(header) {
            file.extend(word(value));
        }
        file.extend(more);
        file.extend([0xde, 0xad, 0xbe, 0xef]);
        file
    }

    fn only_record(file: &[u8]) -> (Pcap, Record) {
        let mut pcap = Pcap::open(file).unwrap();
        let mut records = Vec::new();
        let body = &file[FILE_HEADER..];
        let walked = pcap.walk(body, &mut records);
        assert_eq!((walked.consumed, records.len()), (body.len(), 1), "{walked:?}");
        assert_eq!(&body[records[0].start as usize..][..records[0].len as usize], [0xde, 0xad, 0xbe, 0xef]);
        (pcap, records[0])
    }

    #[test]
    fn both_byte_orders_and_both_resolutions_give_the_same_time() {
        for (magic, big, fraction, name) in [
            ([0xd4, 0xc3, 0xb2, 0xa1], false, 123_456, "pcap"),
            ([0xa1, 0xb2, 0xc3, 0xd4], true, 123_456, "pcap"),
            ([0x4d, 0x3c, 0xb2, 0xa1], false, 123_456_000, "pcap-ns"),
            ([0xa1, 0xb2, 0x3c, 0x4d], true, 123_456_000, "pcap-ns"),
        ] {
            let (pcap, record) = only_record(&file(magic, big, (2, 4), 1, [1_000_000_000, fraction, 4, 60], &[]));
            assert_eq!(record.time.to_string(), "2001-09-09T01:46:40.123456000Z");
            assert_eq!((record.number, record.len, record.wire_len), (1, 4, 60));
            assert_eq!(pcap.format(), name);
        }
    }

    #[test]
    fn the_check_sequence_bits_are_no_part_of_the_link_type() {
        let (pcap, _) = only_record(&file([0xd4, 0xc3, 0xb2, 0xa1], false, (2, 4), 0x3400_0001, [0, 0, 4, 4], &[]));
        assert_eq!(pcap.interface.link, LinkType::ETHERNET);
    }

    #[test]
    fn a_modified_file_has_eight_more_bytes_in_each_record_header() {
        let (pcap, record) = only_record(&file([0x34, 0xcd, 0xb2, 0xa1], false, (2, 4), 1, [7, 1, 4, 60], &[2, 0, 0, 0, 0x08, 0, 4, 0]));
        assert_eq!((pcap.format(), record.len, record.start), ("pcap-modified", 4, 24));
    }

    #[test]
    fn before_version_2_3_the_wire_length_comes_first() {
        for (version, lengths) in [((2, 1), [60, 4]), ((2, 3), [60, 4]), ((2, 3), [4, 60]), ((543, 0), [60, 4])] {
            let (_, record) = only_record(&file([0xd4, 0xc3, 0xb2, 0xa1], false, version, 1, [7, 1, lengths[0], lengths[1]], &[]));
            assert_eq!((record.len, record.wire_len), (4, 60), "{version:?}");
        }
    }

    #[test]
    fn aix_writes_interface_types_and_nanoseconds() {
        let (pcap, record) = only_record(&file([0xa1, 0xb2, 0xc3, 0xd4], true, (2, 2), 6, [0, 5, 60, 4], &[]));
        assert_eq!((pcap.format(), pcap.interface.link, record.time), ("pcap-aix", LinkType::ETHERNET, Timestamp::from_nanos(5)));
    }

    #[test]
    fn an_absurd_length_is_damage_and_what_came_before_stands() {
        let mut bytes = file([0xd4, 0xc3, 0xb2, 0xa1], false, (2, 4), 1, [7, 1, 4, 60], &[]);
        for word in [8_u32, 0, FRAME_BYTES + 1, 60] {
            bytes.extend(word.to_le_bytes());
        }
        let mut records = Vec::new();
        let walked = Pcap::open(&bytes).unwrap().walk(&bytes[FILE_HEADER..], &mut records);
        assert_eq!((walked.consumed, records.len()), (20, 1));
        assert!(matches!(walked.next, Next::Fault(fault) if fault.what.starts_with("damaged at frame 2")));
    }
}
