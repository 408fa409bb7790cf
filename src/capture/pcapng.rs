//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, each with its type, its length in front and again behind.
//!
//! A section has its own byte order and its own interfaces. Read are SHB, IDB, EPB, SPB, the obsolete PB, NRB and ISB, with their comments; secrets and
//! all other blocks are passed over without being held. Blocks of journals, system calls and extensions carry no packet
//! but have a number in Wireshark.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::notes::{Notes, text};
use super::record::{COPY_AGAIN, Declared, Drops, Endian, Fault, Next, Record, Walked};
use super::{Comment, LinkType};
use crate::limit::{CAPTURE_INTERFACES, FRAME_BYTES, METADATA_BYTES, PACKET_BLOCK_BYTES, TEXT_OF_AN_INTERFACE};
use crate::time::Timestamp;

/// A pcapng file being walked.
#[derive(Debug)]
pub(super) struct Pcapng {
    endian: Endian,
    /// Place in `interfaces` of the section's first one.
    section: usize,
    interfaces: Vec<Declared>,
    counters: Vec<Counter>,
    frames: u64,
    /// Time of the frame before: a simple packet block has none of its own.
    last: Timestamp,
    notes: Notes,
    drops: Drops,
    passed_over: u64,
}

/// What an interface counts.
#[derive(Clone, Copy, Debug)]
struct Counter {
    clock: Clock,
    /// Packets dropped before those captured, as these say, where no statistics block says it for all.
    dropped: u64,
    has_statistics: bool,
    /// Since when the next statistics block counts: the last one, or the first packet.
    since: Option<Timestamp>,
}

/// How an interface counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    unit: Unit,
    /// Seconds to add.
    offset: i64,
}

/// Length of one unit of an interface's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// So many nanoseconds.
    Nanos(i64),
    /// So many units a second.
    PerSecond(i128),
}

impl Pcapng {
    /// A file that begins with a section header; none where it does not.
    pub(super) fn open(head: &[u8]) -> Option<Self> {
        if !head.starts_with(&MAGIC) {
            return None;
        }
        let endian = byte_order(head.get(8..)?.first_chunk()?)?;
        Some(Self {
            endian,
            section: 0,
            interfaces: Vec::new(),
            counters: Vec::new(),
            frames: 0,
            last: Timestamp::default(),
            notes: Notes::default(),
            drops: Drops::default(),
            passed_over: 0,
        })
    }

    pub(super) fn interfaces(&self) -> &[Declared] {
        &self.interfaces
    }

    /// Names recorded for addresses since the last call.
    pub(super) fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        self.notes.take_names()
    }

    /// Interface, moments and packets of what was not captured, since the last call.
    pub(super) fn take_drops(&mut self) -> Vec<(u32, [Timestamp; 2], u64)> {
        self.drops.take()
    }

    /// Comments met since the last call.
    pub(super) fn take_comments(&mut self) -> Vec<Comment> {
        self.notes.take_comments()
    }

    /// Blocks of unknown type, and blocks, names and comments beyond a bound, so far.
    pub(super) fn passed_over(&self) -> u64 {
        self.passed_over + self.notes.beyond
    }

    /// Walks all whole blocks of the window.
    pub(super) fn walk(&mut self, window: &[u8], records: &mut Vec<Record>) -> Walked {
        let mut at = 0;
        let next = loop {
            let rest = window.get(at..).unwrap_or_default();
            match self.block(rest, at, records) {
                Ok(len) => at += len,
                Err(next) => break next,
            }
        };
        Walked { consumed: at, next }
    }

    /// Reads the block at the start of `rest`, which is `at` bytes into the window; says how long it is.
    fn block(&mut self, rest: &[u8], at: usize, records: &mut Vec<Record>) -> Result<usize, Next> {
        let Some(head) = rest.first_chunk::<12>() else { return Err(Next::Need(12)) };
        let [a, b, c, d, e, f, g, h, order @ ..] = *head;
        let magic = [a, b, c, d];
        if magic == MAGIC {
            let Some(endian) = byte_order(&order) else { return Err(damaged("a section header without its byte-order magic")) };
            self.endian = endian;
        }
        let kind = self.endian.u32(magic);
        let total = self.endian.u32([e, f, g, h]);
        if total < 12 {
            return Err(damaged(format!("a block of {total} bytes after frame {}", self.frames)));
        }
        // Writers that do not round up to 32 bits pad all the same.
        let total = total.saturating_add(3) & !3;
        if !is_read(kind) || (total > METADATA_BYTES && !is_packet(kind)) {
            return Err(self.pass_over(kind, total));
        }
        if is_packet(kind) && total > PACKET_BLOCK_BYTES {
            return Err(damaged(format!("a packet block of {total} bytes after frame {}", self.frames)));
        }
        let total = total as usize;
        let Some(block) = rest.get(..total) else { return Err(Next::Need(total)) };
        let body = block.get(8..total - 4).unwrap_or_default();
        if self.endian.u32_at(block, total - 4).map(|len| len.saturating_add(3) & !3) != Some(total as u32) {
            return Err(damaged(format!("after frame {}: a block whose two lengths differ", self.frames)));
        }
        match self.understand(kind, body, at + 8, records) {
            Ok(()) => Ok(total),
            Err(what) => Err(what),
        }
    }

    fn understand(&mut self, kind: u32, body: &[u8], at: usize, records: &mut Vec<Record>) -> Result<(), Next> {
        match kind {
            SECTION_HEADER => return self.section(body),
            INTERFACE => return self.interface(body),
            ENHANCED_PACKET | PACKET | SIMPLE_PACKET => {
                let record = self.packet(kind, body, at)?;
                self.last = record.time;
                records.push(record);
            }
            NAME_RESOLUTION => self.name_resolution(body),
            _ => self.statistics(body),
        }
        Ok(())
    }

    /// A block whose content is of no use: its length is left to the reader to skip.
    fn pass_over(&mut self, kind: u32, total: u32) -> Next {
        match kind {
            SECRETS => {}
            kind if is_numbered(kind) => {
                self.frames += 1;
                self.passed_over += 1;
            }
            _ => self.passed_over += 1,
        }
        Next::Skip(u64::from(total))
    }

    fn section(&mut self, body: &[u8]) -> Result<(), Next> {
        let (Some(major), Some(minor)) = (self.endian.u16_at(body, 4), self.endian.u16_at(body, 6)) else {
            return Err(damaged("a section header that is too short"));
        };
        if major != 1 {
            let what = format!("pcapng version {major}.{minor} is not known here (1.x is)");
            return Err(Next::Fault(Fault::new(what, "convert it with: editcap -F pcapng FILE NEW")));
        }
        self.section = self.interfaces.len();
        self.comments(None, body.get(16..).unwrap_or_default());
        Ok(())
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), Next> {
        let (Some(link), Some(snap_len)) = (self.endian.u16_at(body, 0), self.endian.u32_at(body, 4)) else {
            return Err(damaged("an interface description that is too short"));
        };
        if self.interfaces.len() >= CAPTURE_INTERFACES {
            let what = format!("more than {CAPTURE_INTERFACES} interfaces are described in it");
            return Err(Next::Fault(Fault::new(what, "the file is damaged, or split it by section with editcap")));
        }
        let mut declared = Declared::bare(LinkType(link), snap_len);
        let mut clock = Clock { unit: Unit::Nanos(1_000), offset: 0 };
        for (code, value) in Options::new(self.endian, body.get(8..).unwrap_or_default()) {
            match code {
                COMMENT => self.notes.comment(None, value),
                IF_NAME => declared.name = text(value, TEXT_OF_AN_INTERFACE),
                // The first byte says how the filter is written; 0 is a libpcap expression.
                IF_FILTER => declared.filter = value.split_first().filter(|(how, _)| **how == 0).and_then(|(_, filter)| text(filter, TEXT_OF_AN_INTERFACE)),
                IF_TSRESOL => clock.unit = value.first().map_or(clock.unit, |resolution| unit(*resolution)),
                IF_TSOFFSET => clock.offset = self.endian.u64_at(value, 0).map_or(0, |offset| offset as i64),
                _ => {}
            }
        }
        self.interfaces.push(declared);
        self.counters.push(Counter { clock, dropped: 0, has_statistics: false, since: None });
        Ok(())
    }

    fn packet(&mut self, kind: u32, body: &[u8], at: usize) -> Result<Record, Next> {
        let field = |at| self.endian.u32_at(body, at);
        let (id, time, captured, wire_len, start) = match kind {
            ENHANCED_PACKET => (field(0), Some((field(4), field(8))), field(12), field(16), 20),
            // The obsolete block counts its interfaces and its drops with 16 bits each.
            PACKET => (self.endian.u16_at(body, 0).map(u32::from), Some((field(4), field(8))), field(12), field(16), 20),
            _ => (Some(0), None, field(0), field(0), 4),
        };
        let (Some(id), Some(captured), Some(wire_len)) = (id, captured, wire_len) else {
            return Err(damaged(format!("a packet block that is too short after frame {}", self.frames)));
        };
        let place = self.section + id as usize;
        let (Some(interface), Some(counter)) = (self.interfaces.get(place), self.counters.get_mut(place)) else {
            return Err(damaged(format!("frame {} is of interface {id}, which its section does not describe", self.frames + 1)));
        };
        let room = body.len() - start;
        let captured = if time.is_some() { captured } else { simple_len(captured, interface.snap_len, room) };
        if captured > FRAME_BYTES || captured as usize > room {
            return Err(damaged(format!("frame {}: {captured} captured bytes in a block with room for {room}", self.frames + 1)));
        }
        let time = match time {
            Some((Some(high), Some(low))) => counter.clock.time(u64::from(high) << 32 | u64::from(low)),
            _ => self.last,
        };
        counter.since.get_or_insert(time);
        self.frames += 1;
        if kind == PACKET {
            // The obsolete block counts drops in its header; all ones are "not known".
            self.dropped_before(place, time, self.endian.u16_at(body, 2).filter(|drops| *drops != u16::MAX).map_or(0, u64::from));
        }
        if kind != SIMPLE_PACKET
            && let Some(options) = body.get(start + (captured as usize).next_multiple_of(4)..)
            && !options.is_empty()
        {
            self.packet_options(place, time, options);
        }
        let (start, len) = ((at + start) as u32, captured);
        Ok(Record { time, number: self.frames, start, len, wire_len: wire_len.max(len), interface: place as u32 })
    }

    fn packet_options(&mut self, place: usize, time: Timestamp, options: &[u8]) {
        for (code, value) in Options::new(self.endian, options) {
            match code {
                COMMENT => self.notes.comment(Some(self.frames), value),
                EPB_DROPCOUNT => self.dropped_before(place, time, self.endian.u64_at(value, 0).unwrap_or_default()),
                _ => {}
            }
        }
    }

    /// Counts drops that a packet tells of, unless a statistics block counts them all.
    fn dropped_before(&mut self, place: usize, time: Timestamp, drops: u64) {
        let (Some(interface), Some(counter)) = (self.interfaces.get_mut(place), self.counters.get_mut(place)) else { return };
        if drops > 0 && !counter.has_statistics {
            counter.dropped = counter.dropped.saturating_add(drops);
            interface.dropped = Some(counter.dropped);
            self.drops.note(place as u32, [time; 2], drops);
        }
    }

    fn comments(&mut self, frame: Option<u64>, options: &[u8]) {
        for (_, value) in Options::new(self.endian, options).filter(|(code, _)| *code == COMMENT) {
            self.notes.comment(frame, value);
        }
    }

    fn name_resolution(&mut self, body: &[u8]) {
        for (kind, value) in Options::new(self.endian, body) {
            let (ip, names) = match kind {
                1 => (value.first_chunk::<4>().map(|octets| IpAddr::from(Ipv4Addr::from(*octets))), value.get(4..)),
                2 => (value.first_chunk::<16>().map(|octets| IpAddr::from(Ipv6Addr::from(*octets))), value.get(16..)),
                _ => continue,
            };
            let (Some(ip), Some(names)) = (ip, names) else { continue };
            for name in names.split(|byte| *byte == 0) {
                self.notes.name(ip, name);
            }
        }
    }

    fn statistics(&mut self, body: &[u8]) {
        let Some(id) = self.endian.u32_at(body, 0) else { return };
        let (endian, place) = (self.endian, self.section + id as usize);
        self.comments(None, body.get(12..).unwrap_or_default());
        let (Some(interface), Some(counter)) = (self.interfaces.get_mut(place), self.counters.get_mut(place)) else { return };
        // Counts run from the start of the capture, so the last block of an interface stands.
        let drops = Options::new(endian, body.get(12..).unwrap_or_default()).filter(|(code, _)| matches!(*code, ISB_IFDROP | ISB_OSDROP));
        let known: Vec<u64> = drops.filter_map(|(_, value)| endian.u64_at(value, 0)).collect();
        if !known.is_empty() {
            counter.has_statistics = true;
            let dropped = known.iter().fold(0, |sum: u64, drops| sum.saturating_add(*drops));
            let before = interface.dropped.replace(dropped).unwrap_or(0);
            let time = match (endian.u32_at(body, 4), endian.u32_at(body, 8)) {
                (Some(high), Some(low)) if (high, low) != (0, 0) => counter.clock.time(u64::from(high) << 32 | u64::from(low)),
                _ => self.last,
            };
            let since = counter.since.replace(time).unwrap_or(time);
            self.drops.note(place as u32, [since.min(time), time], dropped.saturating_sub(before));
        }
    }
}

impl Clock {
    /// The moment of so many units. Counts from 2^63 on are taken as negative: no clock has come so far, and some writers put times before 1970 so.
    fn time(self, units: u64) -> Timestamp {
        let units = units as i64;
        if let Unit::Nanos(each) = self.unit
            && self.offset == 0
            && let Some(nanos) = units.checked_mul(each)
        {
            return Timestamp::from_nanos(nanos);
        }
        let units = i128::from(units);
        let (seconds, nanos) = match self.unit {
            Unit::Nanos(each) => {
                let nanos = units * i128::from(each);
                (nanos.div_euclid(NANOS_PER_SECOND), nanos.rem_euclid(NANOS_PER_SECOND))
            }
            Unit::PerSecond(rate) => (units.div_euclid(rate), units.rem_euclid(rate).saturating_mul(NANOS_PER_SECOND) / rate),
        };
        let seconds = i64::try_from(seconds).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX });
        Timestamp::from_parts(seconds.saturating_add(self.offset), i64::try_from(nanos).unwrap_or(0))
    }
}

/// The unit that an `if_tsresol` option means: a negative power of 10, or of 2 where the highest bit is set.
fn unit(resolution: u8) -> Unit {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 != 0 {
        return Unit::PerSecond(if power < 127 { 1 << power } else { i128::MAX });
    }
    match 10_i64.checked_pow(9_u32.saturating_sub(power)) {
        Some(nanos) if power <= 9 => Unit::Nanos(nanos),
        _ => Unit::PerSecond(10_i128.checked_pow(power).unwrap_or(i128::MAX)),
    }
}

/// Captured bytes of a simple packet block, which only gives the length on the wire.
fn simple_len(wire_len: u32, snap_len: u32, room: usize) -> u32 {
    let limit = if snap_len == 0 { u32::MAX } else { snap_len };
    wire_len.min(limit).min(u32::try_from(room).unwrap_or(u32::MAX))
}

/// Options, or the records of a name resolution block: a code, a length, a value padded to 32 bits.
struct Options<'a> {
    endian: Endian,
    rest: &'a [u8],
}

impl<'a> Options<'a> {
    fn new(endian: Endian, rest: &'a [u8]) -> Self {
        Self { endian, rest }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (code, len) = (self.endian.u16_at(self.rest, 0)?, usize::from(self.endian.u16_at(self.rest, 2)?));
        if code == END_OF_OPTIONS {
            return None;
        }
        let value = self.rest.get(4..4 + len)?;
        self.rest = self.rest.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

fn byte_order(bytes: &[u8; 4]) -> Option<Endian> {
    match *bytes {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(Endian::Big),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(Endian::Little),
        _ => None,
    }
}

fn damaged(what: impl Into<String>) -> Next {
    Next::Fault(Fault::new(format!("damaged: {}", what.into()), COPY_AGAIN))
}

fn is_read(kind: u32) -> bool {
    is_packet(kind) || matches!(kind, SECTION_HEADER | INTERFACE | NAME_RESOLUTION | STATISTICS)
}

/// Blocks without a packet that Wireshark shows as a frame of their own: journal entries, system calls, custom blocks.
fn is_numbered(kind: u32) -> bool {
    let syscall =
        matches!(kind, SYSCALL_EVENT | SYSCALL_EVENT_FLAGS | SYSCALL_EVENT_V2 | SYSCALL_EVENT_V2_FLAGS | SYSCALL_EVENT_V2_LARGE | SYSCALL_EVENT_V2_FLAGS_LARGE);
    syscall || matches!(kind, JOURNAL | CUSTOM | CUSTOM_NOT_COPIED)
}

fn is_packet(kind: u32) -> bool {
    matches!(kind, PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
}

/// Type of a section header block, the same in both byte orders: the first bytes of a file.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
pub(super) const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAME_RESOLUTION: u32 = 4;
const STATISTICS: u32 = 5;
pub(super) const ENHANCED_PACKET: u32 = 6;
const JOURNAL: u32 = 9;
const SECRETS: u32 = 10;
const CUSTOM: u32 = 0xbad;
const CUSTOM_NOT_COPIED: u32 = 0x4000_0bad;
const SYSCALL_EVENT: u32 = 0x204;
const SYSCALL_EVENT_FLAGS: u32 = 0x208;
const SYSCALL_EVENT_V2: u32 = 0x216;
const SYSCALL_EVENT_V2_FLAGS: u32 = 0x217;
const SYSCALL_EVENT_V2_LARGE: u32 = 0x221;
const SYSCALL_EVENT_V2_FLAGS_LARGE: u32 = 0x222;
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const EPB_DROPCOUNT: u16 = 4;
pub(super) const IF_NAME: u16 = 2;
pub(super) const IF_TSRESOL: u16 = 9;
const IF_FILTER: u16 = 11;
const IF_TSOFFSET: u16 = 14;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(resolution: u8, offset: i64, units: u64) -> i64 {
        Clock { unit: unit(resolution), offset }.time(units).nanos()
    }

    #[test]
    fn a_clock_counts_in_powers_of_ten_or_two() {
        // 1.5 s in the default microseconds, in seconds, nanoseconds and picoseconds, and in 2^-10 and 2^-20 s.
        assert_eq!(nanos(6, 0, 1_500_000), 1_500_000_000);
        assert_eq!(nanos(0, 0, 3), 3_000_000_000);
        assert_eq!(nanos(9, 0, 1_500_000_001), 1_500_000_001);
        assert_eq!(nanos(12, 0, 1_500_000_000_999), 1_500_000_000);
        assert_eq!(nanos(0x80 | 10, 0, 1536), 1_500_000_000);
        assert_eq!(nanos(0x80 | 20, 0, 1_572_864), 1_500_000_000);
    }

    #[test]
    fn an_offset_is_added_in_seconds_and_may_be_negative() {
        assert_eq!(nanos(6, 10, 1_500_000), 11_500_000_000);
        assert_eq!(nanos(6, -2, 1_500_000), -500_000_000);
    }

    #[test]
    fn a_count_with_the_highest_bit_set_is_a_time_before_1970() {
        assert_eq!(nanos(6, 0, 1_u64.wrapping_neg()), -1_000);
        assert_eq!(nanos(0x80 | 10, 0, 1536_u64.wrapping_neg()), -1_500_000_000);
    }

    #[test]
    fn no_clock_overflows() {
        for resolution in 0..=255 {
            for units in [0, 1, u64::MAX] {
                nanos(resolution, i64::MAX, units);
                nanos(resolution, i64::MIN, units);
            }
        }
        assert_eq!(nanos(0, 0, i64::MAX as u64), i64::MAX);
        // 2^-127 s: the greatest count is still less than a nanosecond.
        assert_eq!(nanos(0xff, 0, i64::MAX as u64), 0);
    }

    #[test]
    fn a_simple_packet_is_as_long_as_wire_snap_length_and_block_allow() {
        assert_eq!((simple_len(60, 0, 60), simple_len(1500, 96, 96), simple_len(1500, 0, 96)), (60, 96, 96));
    }

    #[test]
    fn options_end_where_their_length_runs_past_the_block() {
        let options = |bytes| Options::new(Endian::Big, bytes).map(|(code, value)| (code, value.len())).collect::<Vec<_>>();
        assert_eq!(options(&[0, 2, 0, 3, b'e', b't', b'h', 0, 0, 9, 0, 1, 9, 0, 0, 0]), [(2, 3), (9, 1)]);
        assert_eq!(options(&[0, 2, 0, 3, b'e', b't', b'h', 0, 0, 9, 0, 200, 9]), [(2, 3)]);
        assert_eq!(options(&[0, 0, 0, 0, 0, 2, 0, 0]), []);
    }
}
