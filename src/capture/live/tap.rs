//! One interface: its handle, its counters, and what keeps it from being captured on.

use std::time::Duration;

use pcap::{Active, Capture, Precision};

use super::{BLOCK_AGE, Member, Options};
use crate::capture::{CaptureFile, Interface, LinkType, SourceError};
use crate::limit::LIVE_TAKEN;
use crate::time::Timestamp;

/// An interface that is captured on.
pub(super) struct Tap {
    name: String,
    options: Options,
    /// Which share of it, and the number of the group.
    member: (Member, u16),
    handle: Option<Capture<Active>>,
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
    pub(super) fn open(name: &str, options: &Options, member: (Member, u16)) -> Result<Self, SourceError> {
        let (handle, link) = activate(name, options, member)?;
        Ok(Self {
            name: name.to_owned(),
            options: options.clone(),
            member,
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
        if self.fault.is_some() && now < self.again {
            return;
        }
        if self.fault.is_some() {
            self.open_again(now);
        }
        let before = self.frames;
        let Self { member: (member, _), handle: Some(handle), link, frames, bytes, out_of_order, first, latest, .. } = self else { return };
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
        match taken {
            // One that may not be opened again is over its fault when it captures again.
            Ok(_) if self.frames > before => self.fault = None,
            Ok(_) => {}
            Err(error) if self.fault.is_none() => self.fail(refused(&self.name, &error), now),
            Err(_) => self.again = now + AGAIN,
        }
    }

    fn fail(&mut self, fault: SourceError, now: Timestamp) {
        self.fault = Some(fault);
        self.again = now + AGAIN;
    }

    /// An interface that went down and came up again is served by its old handle; one that was made anew needs a new one, and the right to open it.
    fn open_again(&mut self, now: Timestamp) {
        match activate(&self.name, &self.options, self.member) {
            Ok((handle, link)) => {
                self.count_drops();
                (self.handle, self.link, self.fault) = (Some(handle), link, None);
                self.kernel.last = 0;
            }
            // Rights were given up: the old handle is tried.
            Err(fault) if fault.hint == RIGHTS => self.again = now + AGAIN,
            Err(fault) => {
                // The old handle keeps its place in a group that the new one has to join.
                self.handle = None;
                self.fail(fault, now);
            }
        }
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

fn activate(name: &str, options: &Options, member: (Member, u16)) -> Result<(Capture<Active>, LinkType), SourceError> {
    let refused = |error: pcap::Error| refused(name, &error);
    // The pseudo-interface of all cannot be promiscuous; libpcap calls that a warning, and its wrapper an error.
    let promiscuous = options.promiscuous && name != ANY;
    let buffer = i32::try_from(options.buffer).unwrap_or(i32::MAX);
    let opening = Capture::from_device(name).map_err(refused)?.promisc(promiscuous).snaplen(SNAP_LENGTH).buffer_size(buffer);
    let age = i32::try_from(BLOCK_AGE.as_millis()).unwrap_or(i32::MAX);
    let handle = opening.timeout(age).precision(Precision::Nano).open().map_err(refused)?;
    let mut handle = handle.setnonblock().map_err(refused)?;
    if let Some(filter) = &options.filter {
        handle.filter(filter, true).map_err(|error| SourceError {
            path: format!("--filter '{filter}'"),
            what: format!("libpcap cannot compile it for {name}: {}", words(&error)),
            hint: "man 7 pcap-filter has the syntax".to_owned(),
        })?;
    }
    #[cfg(target_os = "linux")]
    if member.0.of > 1 {
        super::fanout::join(&handle, member.1).map_err(|error| SourceError {
            path: name.to_owned(),
            what: format!("cannot share it out to {} workers: {error}", member.0.of),
            hint: "use --workers 1".to_owned(),
        })?;
    }
    let link = link_type(handle.get_datalink().0);
    Ok((handle, link))
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
    } else if lower.contains("no such device") || lower.contains("disappeared") {
        let names: Vec<String> = super::list().unwrap_or_default().into_iter().filter(|listed| listed.up).map(|listed| listed.name).collect();
        format!("interfaces that are up: {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })
    } else if lower.contains("not up") || lower.contains("down") {
        format!("ip link set {name} up")
    } else {
        "portbook watch --list shows the interfaces".to_owned()
    };
    SourceError { path: name.to_owned(), what: format!("cannot capture: {what}"), hint }
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
        let options = Options { filter: None, buffer: 1 << 20, promiscuous: true };
        let error = Tap::open("portbook-none", &options, Member { number: 0, of: 1 }.on(0)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("portbook-none: cannot capture: ") && !error.contains('\n'), "{error}");
    }
}
