//! Live capture: packets of interfaces, by libpcap.
//!
//! On Linux libpcap shares a ring with the kernel (TPACKET_V3): nothing is asked of the kernel for a packet, and a block of them is handed over when it is full
//! or a tenth of a second old. Frames are copied out of the ring before they are lent, so that those of several interfaces can be put in order.

mod cards;
mod clock;
#[cfg(target_os = "linux")]
mod fanout;
mod order;
#[cfg(target_os = "linux")]
mod socket;
mod tap;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use pcap::Device;

pub use self::cards::Cards;
pub use self::clock::Clock;
use self::order::Order;
use self::tap::Tap;
use super::{CaptureFile, Frame, FrameId, Interface, LinkType, Progress, Source, SourceError};
use crate::limit::{BATCH, LIVE_TAKEN};
use crate::time::Timestamp;

/// How to capture.
#[derive(Clone, Debug)]
pub struct Options {
    /// Capture only what passes (libpcap's language; the kernel does it).
    pub filter: Option<String>,
    /// Bytes of the ring that the kernel fills, for each interface and worker.
    pub buffer: usize,
    /// Ask interfaces for packets to others, too.
    pub promiscuous: bool,
    /// Whether handles may be opened later, too: the right to is kept.
    pub reopens: bool,
}

/// An interface as `--list` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What `watch` takes.
    pub name: String,
    /// What libpcap says of it.
    pub about: String,
    /// Up.
    pub up: bool,
    /// Connected.
    pub running: bool,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// The interfaces that can be captured on.
///
/// # Errors
/// libpcap cannot tell them.
pub fn list() -> Result<Vec<Listed>, SourceError> {
    let refused = |error: pcap::Error| SourceError { path: "interfaces".to_owned(), what: tap::words(&error), hint: "is libpcap installed?".to_owned() };
    let listed = |device: Device| Listed {
        up: device.flags.is_up(),
        running: device.flags.is_running(),
        about: device.desc.unwrap_or_default(),
        addresses: device.addresses.into_iter().map(|address| address.addr).collect(),
        name: device.name,
    };
    Ok(Device::list().map_err(refused)?.into_iter().map(listed).collect())
}

/// Interfaces as one source, in order of time.
pub struct Live {
    taps: Vec<Tap>,
    clock: Clock,
    /// Bytes of the frames taken out of the rings.
    block: Vec<u8>,
    records: Vec<Record>,
    /// What waits for other interfaces, where there are several.
    order: Order,
    files: Vec<CaptureFile>,
    interfaces: Vec<Interface>,
    /// All packets up to here were lent.
    passed: Timestamp,
}

/// Which share of an interface's packets a handle gets.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "other systems have one handle an interface"))]
struct Member {
    number: usize,
    of: usize,
    /// Of the interface among those that are captured on: each has a group of its own.
    place: u16,
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "other systems have one handle an interface"))]
impl Member {
    const fn can_share() -> bool {
        cfg!(target_os = "linux")
    }

    /// The number of the group.
    fn group(self) -> u16 {
        (std::process::id() as u16).wrapping_add(self.place.wrapping_mul(GROUPS_APART))
    }

    /// Whether it is the one of its group that goes on alone where the interface is made anew.
    const fn goes_on_alone(self) -> bool {
        self.of > 1 && self.place as usize % self.of == self.number
    }
}

/// A frame taken out of a ring.
#[derive(Clone, Copy, Debug)]
struct Record {
    tap: u32,
    number: u64,
    link: LinkType,
    time: Timestamp,
    wire_len: u32,
    /// Where its bytes lie: the block's number among those that wait, and the place in it.
    block: u64,
    from: usize,
    len: usize,
}

impl Live {
    /// Opens the interfaces for so many workers, each of which gets its share of the address pairs; fewer, where the system cannot share them out.
    ///
    /// # Errors
    /// One of them is not there or may not be captured on; the filter is none; one line that says what to do.
    pub fn open(names: &[String], options: &Options, workers: usize) -> Result<Vec<Self>, SourceError> {
        let mut named = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !named.insert(*name)) {
            let what = "is named twice, and each packet would count as two".to_owned();
            return Err(SourceError { path: twice.clone(), what, hint: "name each interface once".to_owned() });
        }
        let of = if Member::can_share() { workers.max(1) } else { 1 };
        let members = (0..of).map(|number| Self::open_member(names, options, (number, of)));
        match members.collect() {
            // A kernel that cannot share out an interface still serves one worker.
            Err(_) if of > 1 => Ok(vec![Self::open_member(names, options, (0, 1))?]),
            opened => opened,
        }
    }

    fn open_member(names: &[String], options: &Options, (number, of): (usize, usize)) -> Result<Self, SourceError> {
        let taps = names.iter().zip(0..).map(|(name, place)| Tap::open(name, options, Member { number, of, place })).collect::<Result<Vec<_>, _>>()?;
        let mut clock = Clock::start();
        let passed = clock.now();
        let mut live = Self { taps, clock, block: Vec::new(), records: Vec::new(), order: Order::default(), files: Vec::new(), interfaces: Vec::new(), passed };
        live.take_stock();
        Ok(live)
    }

    /// The moment up to which everything was lent: timeouts may advance to it though nothing came.
    pub const fn passed(&self) -> Timestamp {
        self.passed
    }

    /// The time, whether anything came or not.
    pub fn now(&mut self) -> Timestamp {
        self.clock.now()
    }

    /// How often the clock on the wall was stepped.
    pub const fn clock_steps(&self) -> u64 {
        self.clock.steps()
    }

    /// Packets that the kernel dropped for want of room in the ring, of all interfaces.
    pub fn drops(&mut self) -> u64 {
        self.take_stock();
        self.taps.iter().map(Tap::drops).sum()
    }

    /// What keeps interfaces from being captured on at present.
    pub fn faults(&self) -> Vec<SourceError> {
        self.taps.iter().filter_map(|tap| tap.fault().cloned()).collect()
    }

    /// Brings counters up to date.
    fn take_stock(&mut self) {
        self.taps.iter_mut().for_each(Tap::count_drops);
        self.files = self.taps.iter().map(Tap::file).collect();
        self.interfaces = (0..).zip(&self.taps).map(|(place, tap)| tap.interface(place)).collect();
    }

    /// Takes what the rings hold, at most [`limit::LIVE_TAKEN`](crate::limit::LIVE_TAKEN) frames of each; whether any of them held something.
    fn fill(&mut self) -> bool {
        self.block.clear();
        self.records.clear();
        let now = self.clock.now();
        let mut horizon = now;
        let (block, records, clock) = (&mut self.block, &mut self.records, &self.clock);
        for (place, tap) in (0..).zip(&mut self.taps) {
            let before = records.len();
            tap.take(now, &mut |number, link, stamp, wire_len, bytes| {
                let (from, len) = (block.len(), bytes.len());
                block.extend_from_slice(bytes);
                records.push(Record { tap: place, number, link, time: clock.of_packet(stamp), wire_len, block: 0, from, len });
            });
            // A ring that has more is as far as its last frame; the others hide nothing that is older than a block may grow.
            let last = records.get(before..).and_then(<[Record]>::last).map(|record| record.time);
            let is_full = records.len() - before >= LIVE_TAKEN;
            horizon = horizon.min(last.filter(|last| is_full || *last > now - BLOCK_AGE * 2).unwrap_or(now - BLOCK_AGE * 2));
        }
        // Of one interface the order of arrival stays.
        if self.taps.len() > 1 {
            self.order.take(&mut self.records, &mut self.block);
            self.order.lend(horizon, LIVE_TAKEN * self.taps.len(), &mut self.records);
        }
        let last = self.records.iter().map(|record| record.time).max();
        // What is newer than a block's age may still be on its way out of the kernel.
        let idle = if self.records.is_empty() { Some(horizon.min(now - BLOCK_AGE * 2)) } else { None };
        self.passed = self.passed.max(last.or(idle).unwrap_or(self.passed));
        !self.records.is_empty()
    }
}

impl Source for Live {
    /// Waits for packets for about a tenth of a second. Never ends and never fails: an interface that is gone is [told](Self::faults) and tried again.
    fn read(&mut self, sink: &mut dyn FnMut(&[Frame<'_>])) -> Result<Progress, SourceError> {
        if !self.fill() {
            tap::wait(&self.taps, BLOCK_AGE);
            self.fill();
        }
        let in_order = self.taps.len() > 1;
        for records in self.records.chunks(BATCH) {
            let frames = records.iter().map(|record| Frame {
                id: FrameId::new(record.tap, record.number),
                interface: record.tap,
                link: record.link,
                time: record.time,
                wire_len: record.wire_len,
                bytes: if in_order { self.order.bytes(record) } else { self.block.get(record.from..record.from + record.len).unwrap_or_default() },
            });
            let frames: smallvec::SmallVec<[Frame<'_>; BATCH]> = frames.collect();
            sink(&frames);
        }
        if let Some(free) = self.order.forget(if in_order { &self.records } else { &[] }) {
            self.block = free;
        }
        Ok(Progress::More)
    }

    fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    fn files(&self) -> &[CaptureFile] {
        &self.files
    }

    fn position(&self) -> (u64, Option<u64>) {
        (self.files.iter().map(|file| file.bytes).sum(), None)
    }
}

/// What helps where an interface came to be another kind of link: an open handle reads no other.
pub const START_AGAIN: &str = "start portbook again";
/// Numbers of groups of one process lie so far apart that those of two started one after the other hardly meet.
const GROUPS_APART: u16 = 4_099;
/// How old a block of the ring may grow before the kernel hands it over.
const BLOCK_AGE: Duration = Duration::from_millis(100);
