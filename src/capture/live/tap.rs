//! One interface: its handle, its counters, and what keeps it from being captured on.

use std::time::Duration;

use pcap::{Active, Capture, Precision};

#[cfg(target_os = "linux")]
use super::socket;
use super::{BLOCK_AGE, Member, Options, START_AGAIN};
use crate::capture::{CaptureFile, Interface, LinkType, SourceError};
use crate::limit::LIVE_TAKEN;
use crate::time::Timestamp;

/// An interface that is captured on.
pub(super) struct Tap {
    name: String,
    options: Options,
    member: Member,
    handle: Option<Capture<Active>>,
    /// A handle in no group, which takes over where the interface is made anew and no handle can be opened any more.
    #[cfg(target_os = "linux")]
    spare: Option<Capture<Active>>,
    /// The kind of the interface, by the kernel's number.
    #[cfg(target_os = "linux")]
    kind: u16,
    /// Whether others have a share of its packets.
    #[cfg(target_os = "linux")]
    is_in_group: bool,
    link: LinkType,
    fault: Option<SourceError>,
    /// When to try again.
    again: Timestamp,
    frames: u64,
    bytes: u64,
    out_of_order: u64,
    first: Option<i64>,
    latest: i64,
    kernel: Counter,
}

/// A counter of 32 bits that wraps, and begins anew with each handle.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    total: u64,
    last: u32,
}

/// Takes a frame: its number, link type, the kernel's time in nanoseconds, length on the wire, bytes.
pub(super) type OnFrame<'a> = &'a mut dyn FnMut(u64, LinkType, i64, u32, &[u8]);

impl Tap {
    /// Opens an interface.
    pub(super) fn open(name: &str, options: &Options, member: Member) -> Result<Self, SourceError> {
        let (handle, link) = activate(name, options, member)?;
        Ok(Self {
            name: name.to_owned(),
            options: options.clone(),
            member,
            #[cfg(target_os = "linux")]
            spare: spare(name, options, member),
            #[cfg(target_os = "linux")]
            kind: socket::hardware(&handle).unwrap_or_default(),
            #[cfg(target_os = "linux")]
            is_in_group: member.of > 1,
            handle: Some(handle),
            link,
            fault: None,
            again: Timestamp::default(),
            frames: 0,
            bytes: 0,
            out_of_order: 0,
            first: None,
            latest: i64::MIN,
            kernel: Counter::default(),
        })
    }

    /// Takes what the ring holds, a bound at a time. An interface that fails is tried again every second.
    pub(super) fn take(&mut self, now: Timestamp, each: OnFrame<'_>) {
        if self.fault.is_some() && (now < self.again || !self.open_again(now)) {
            return;
        }
        let Self { member, handle: Some(handle), link, frames, bytes, out_of_order, first, latest, .. } = self else { return };
        let taken = handle.dispatch(Some(LIVE_TAKEN), |packet| {
            let header = packet.header;
            let stamp = header.ts.tv_sec.saturating_mul(1_000_000_000).saturating_add(header.ts.tv_usec);
            *frames += 1;
            *bytes += packet.data.len() as u64;
            *out_of_order += u64::from(stamp < *latest);
            first.get_or_insert(stamp);
            *latest = stamp;
            let number = (*frames - 1) * member.of as u64 + member.number as u64 + 1;
            each(number, *link, stamp, header.len, packet.data);
        });
        if let Err(error) = taken {
            self.fail(fault(&self.name, &format!("cannot capture: {}", words(&error)), BACK), now);
        }
    }

    fn fail(&mut self, fault: SourceError, now: Timestamp) {
        self.fault = Some(fault);
        self.again = now + AGAIN;
    }

    /// An interface that went down and came up again is served by its old handle; one that was made anew needs a new one, or the old one bound to it. Whether
    /// it is captured on again.
    fn open_again(&mut self, now: Timestamp) -> bool {
        #[cfg(target_os = "linux")]
        if !self.options.reopens {
            return self.follow(now);
        }
        // The old handle keeps its place in a group that the new one has to join.
        self.count_drops();
        self.handle = None;
        match activate(&self.name, &self.options, self.member) {
            Ok((handle, link)) => {
                (self.handle, self.link, self.fault) = (Some(handle), link, None);
                self.kernel.last = 0;
            }
            Err(fault) => self.fail(fault, now),
        }
        self.fault.is_none()
    }

    /// Binds a handle that is open to the interface that bears the name now, as no other can be opened any more.
    #[cfg(target_os = "linux")]
    fn follow(&mut self, now: Timestamp) -> bool {
        if self.is_in_group {
            self.leave();
        }
        let Some(handle) = &self.handle else {
            // Another member goes on.
            self.fault.take_if(|_| !self.member.goes_on_alone());
            self.again = now + AGAIN;
            return false;
        };
        let bound = socket::index_of(handle, &self.name).and_then(|index| {
            socket::bind(handle, index)?;
            if self.options.promiscuous && self.name != ANY {
                socket::promiscuous(handle, index)?;
            }
            socket::hardware(handle)
        });
        match bound {
            Ok(kind) if kind == self.kind => self.fault = None,
            Ok(_) => self.fail(fault(&self.name, "is another kind of link now", START_AGAIN), now),
            Err(error) => self.fail(fault(&self.name, &format!("is gone: {error}"), BACK), now),
        }
        self.fault.is_none()
    }

    /// Handles in a group cannot be bound anew: the spare takes over, and the members that have none leave all packets to the one that has.
    #[cfg(target_os = "linux")]
    fn leave(&mut self) {
        self.count_drops();
        (self.kernel.last, self.is_in_group) = (0, false);
        let spare = self.spare.take().map(|mut spare| spare.filter(self.options.filter.as_deref().unwrap_or(ALL), true).map(|()| spare));
        self.handle = spare.and_then(Result::ok);
    }

    /// Reads the counter of the kernel.
    pub(super) fn count_drops(&mut self) {
        if let Some(stat) = self.handle.as_mut().and_then(|handle| handle.stats().ok()) {
            self.kernel.read(stat.dropped);
        }
    }

    /// Packets that the kernel dropped.
    pub(super) const fn drops(&self) -> u64 {
        self.kernel.total
    }

    /// Why it cannot be captured on at present.
    pub(super) const fn fault(&self) -> Option<&SourceError> {
        self.fault.as_ref()
    }

    /// As a report names it.
    pub(super) fn file(&self) -> CaptureFile {
        CaptureFile {
            path: self.name.clone(),
            format: "live",
            compression: None,
            frames: self.frames,
            bytes: self.bytes,
            first: self.first.map(Timestamp::from_nanos),
            out_of_order: self.out_of_order,
            filtered: 0,
            passed_over: 0,
            comments: Vec::new(),
            error: self.fault.clone(),
        }
    }

    /// As a report describes it.
    pub(super) fn interface(&self, file: u32) -> Interface {
        let (name, filter, dropped) = (Some(self.name.clone()), self.options.filter.clone(), Some(self.kernel.total));
        Interface { file, name, link: self.link, snap_len: SNAP_LENGTH.unsigned_abs(), filter, dropped }
    }

    fn handle(&self) -> Option<&Capture<Active>> {
        self.handle.as_ref().filter(|_| self.fault.is_none())
    }
}

impl Counter {
    fn read(&mut self, now: u32) {
        self.total += u64::from(now.wrapping_sub(self.last));
        self.last = now;
    }
}

/// Waits until one of the rings has a block, at most so long.
#[cfg(unix)]
pub(super) fn wait(taps: &[Tap], most: Duration) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut descriptors: Vec<PollFd<'_>> = taps.iter().filter_map(Tap::handle).map(|handle| PollFd::new(handle, PollFlags::IN)).collect();
    let time = Timespec { tv_sec: 0, tv_nsec: i64::from(most.subsec_nanos()) };
    // A signal ends the wait; whoever asked for it is looked after by the caller.
    if descriptors.is_empty() || poll(&mut descriptors, Some(&time)).is_err() {
        std::thread::sleep(most / 10);
    }
}

/// Waits a moment: the handles of this system cannot be waited for together.
#[cfg(not(unix))]
pub(super) fn wait(_: &[Tap], most: Duration) {
    std::thread::sleep(most / 10);
}

fn activate(name: &str, options: &Options, member: Member) -> Result<(Capture<Active>, LinkType), SourceError> {
    let mut handle = open(name, options)?;
    if let Some(filter) = &options.filter {
        handle.filter(filter, true).map_err(|error| SourceError {
            path: format!("--filter '{filter}'"),
            what: format!("libpcap cannot compile it for {name}: {}", words(&error)),
            hint: crate::capture::filter::syntax(filter).to_owned(),
        })?;
    }
    #[cfg(target_os = "linux")]
    if member.of > 1 {
        super::fanout::join(&handle, member.group())
            .map_err(|error| fault(name, &format!("cannot share it out to {} workers: {error}", member.of), "use --workers 1"))?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = member;
    let link = link_type(handle.get_datalink().0);
    Ok((handle, link))
}

/// A second handle for the member of a group that is to go on alone, where none can be opened later. It lets nothing in, and has gone where little is.
#[cfg(target_os = "linux")]
fn spare(name: &str, options: &Options, member: Member) -> Option<Capture<Active>> {
    if options.reopens || name == ANY || !member.goes_on_alone() {
        return None;
    }
    let mut spare = open(name, &Options { promiscuous: false, ..options.clone() }).ok()?;
    spare.filter(NONE, true).ok()?;
    let loopback = socket::index_of(&spare, LOOPBACK).ok()?;
    socket::bind(&spare, loopback).ok()?;
    Some(spare)
}

fn open(name: &str, options: &Options) -> Result<Capture<Active>, SourceError> {
    let refused = |error: pcap::Error| refused(name, &error);
    // The pseudo-interface of all cannot be promiscuous; libpcap calls that a warning, and its wrapper an error.
    let promiscuous = options.promiscuous && name != ANY;
    let buffer = i32::try_from(options.buffer).unwrap_or(i32::MAX);
    let opening = Capture::from_device(name).map_err(refused)?.promisc(promiscuous).snaplen(SNAP_LENGTH).buffer_size(buffer);
    let age = i32::try_from(BLOCK_AGE.as_millis()).unwrap_or(i32::MAX);
    let handle = opening.timeout(age).precision(Precision::Nano).open().map_err(refused)?;
    handle.setnonblock().map_err(refused)
}

/// Link-layer header types of files are the host's own numbers but for raw IP.
fn link_type(number: i32) -> LinkType {
    match u16::try_from(number) {
        Ok(12) => LinkType::RAW,
        Ok(number) => LinkType(number),
        Err(_) => LinkType(u16::MAX),
    }
}

fn refused(name: &str, error: &pcap::Error) -> SourceError {
    let what = words(error);
    let lower = what.to_ascii_lowercase();
    let hint = if lower.contains("permi") {
        RIGHTS.to_owned()
    } else if std::path::Path::new(name).is_file() {
        format!("it is a file: portbook analyze {name}")
    } else if lower.contains("no such device") {
        let names: Vec<String> = super::list().unwrap_or_default().into_iter().filter(|listed| listed.up).map(|listed| listed.name).collect();
        format!("interfaces that are up: {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })
    } else if lower.contains("not up") || lower.contains("down") {
        format!("ip link set {name} up")
    } else {
        "portbook watch --list shows the interfaces".to_owned()
    };
    fault(name, &format!("cannot capture: {what}"), &hint)
}

fn fault(name: &str, what: &str, hint: &str) -> SourceError {
    SourceError { path: name.to_owned(), what: what.to_owned(), hint: hint.to_owned() }
}

/// libpcap's words.
pub(super) fn words(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(words) => words.trim().to_owned(),
        other => other.to_string(),
    }
}

/// The pseudo-interface that stands for all.
const ANY: &str = "any";
/// Bytes captured of a packet at most: whole, also where the card has put several into one.
const SNAP_LENGTH: i32 = 262_144;
const RIGHTS: &str = "run it as root, or give the program the right once: setcap cap_net_raw,cap_net_admin=eip /path/to/portbook";
/// What becomes of an interface that fails.
const BACK: &str = "it is captured on again as soon as it is there";
/// libpcap's words for every packet, and for none.
#[cfg(target_os = "linux")]
const ALL: &str = "";
#[cfg(target_os = "linux")]
const NONE: &str = "less 1";
/// An interface that every system has.
#[cfg(target_os = "linux")]
const LOOPBACK: &str = "lo";
/// A failed interface is tried again after this time.
const AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_wraps_goes_on() {
        let mut counter = Counter::default();
        for (now, total) in [(5, 5), (5, 5), (u32::MAX, u64::from(u32::MAX)), (3, u64::from(u32::MAX) + 4)] {
            counter.read(now);
            assert_eq!(counter.total, total);
        }
    }

    #[test]
    fn an_interface_that_is_not_there_is_told_in_one_line() {
        let options = Options { filter: None, buffer: 1 << 20, promiscuous: true, reopens: true };
        let error = Tap::open("portbook-none", &options, Member { number: 0, of: 1, place: 0 }).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("portbook-none: cannot capture: ") && !error.contains('\n'), "{error}");
    }
}
