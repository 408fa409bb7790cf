//! Where frames come from: capture files, standard input, interfaces.
//!
//! A [`Source`] lends its frames a batch at a time; nobody keeps their bytes. Readers are our own because libpcap refuses
//! legal pcapng files (interfaces that differ in link type or snap length) and costs five times as much a packet.

mod captures;
mod compression;
mod excerpt;
mod filter;
mod find;
mod format;
pub mod live;
mod memory;
mod netmon;
mod notes;
mod pcap;
mod pcapng;
mod portion;
mod reader;
mod record;
mod shared;
mod snoop;
mod window;
pub mod write;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU64;

pub use self::captures::{Captures, Options, is_capture, open};
pub use self::excerpt::{ExcerptError, excerpt, only_once};
pub use self::filter::Filter;
pub use self::shared::{Left, Share, share};
use crate::time::Timestamp;

/// One captured packet as the capture holds it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Which file, and which frame of it.
    pub id: FrameId,
    /// Index into [`Source::interfaces`].
    pub interface: u32,
    /// How the bytes begin.
    pub link: LinkType,
    /// When it was captured.
    pub time: Timestamp,
    /// Length on the wire, which a snap length may have cut.
    pub wire_len: u32,
    /// The captured bytes, from the link header on.
    pub bytes: &'a [u8],
}

/// Names a frame in evidence: the capture file, in the order given, and the number Wireshark shows in that file.
/// Ordered by file, then by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(
    /// One more than the number in its lower 48 bits and the file in the upper 16: every live flow has several of these. A run takes no more files than 16 bits
    /// count, and a file of 2^48 frames is larger than any disk.
    NonZeroU64,
);

impl FrameId {
    /// The frame with a number (1 for the first of its file) in a file (an index into [`Source::files`]). What cannot be counted is held at the greatest that can.
    pub const fn new(file: u32, number: u64) -> Self {
        let file = if file > u16::MAX as u32 { u16::MAX as u64 } else { file as u64 };
        let number = if number < NUMBERS { number } else { NUMBERS };
        Self(NonZeroU64::MIN.saturating_add(file << NUMBER_BITS | number))
    }

    /// Index into [`Source::files`].
    pub const fn file(self) -> u32 {
        ((self.0.get() - 1) >> NUMBER_BITS) as u32
    }

    /// 1 for the first frame of its file.
    pub const fn number(self) -> u64 {
        (self.0.get() - 1) & NUMBERS
    }
}

impl Default for FrameId {
    /// No frame: the one before the first.
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl fmt::Debug for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameId").field("file", &self.file()).field("number", &self.number()).finish()
    }
}

/// Bits of a frame's number in a [`FrameId`].
const NUMBER_BITS: u32 = 48;
const NUMBERS: u64 = (1 << NUMBER_BITS) - 1;

/// A link-layer header type as pcap files write it (tcpdump.org, "Link-layer header types"), not the host's DLT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-byte address family in the capturing host's byte order.
    pub const NULL: Self = Self(0);
    /// IEEE 802.3 Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP; the version nibble decides.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture v1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture v2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// Where frames were captured: a pcap file has one, a pcapng section any number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Index into [`Source::files`].
    pub file: u32,
    /// Name as the capture gives it, else none.
    pub name: Option<String>,
    /// How its frames begin.
    pub link: LinkType,
    /// Most bytes captured of a frame; 0 where the capture sets no limit.
    pub snap_len: u32,
    /// Capture filter as the capture notes it.
    pub filter: Option<String>,
    /// Packets the interface and the kernel dropped, as the capture's statistics say; none where it has none.
    pub dropped: Option<u64>,
}

/// What a capture was and how much of it was read.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct CaptureFile {
    /// Path as given or found; `-` for standard input.
    pub path: String,
    /// `pcap`, `pcap-ns`, `pcapng` ...
    pub format: &'static str,
    /// `gzip`, `zstd`, `lz4`, `xz` or none.
    pub compression: Option<&'static str>,
    /// Frames read, those included that the filter refused.
    pub frames: u64,
    /// Captured bytes read.
    pub bytes: u64,
    /// Time of the first frame.
    pub first: Option<Timestamp>,
    /// Frames whose time was before that of the frame ahead of them.
    pub out_of_order: u64,
    /// Frames that the filter refused.
    pub filtered: u64,
    /// pcapng blocks of unknown type, and blocks, names and comments beyond a bound; Network Monitor's notes, and its frames of media that are not read.
    pub passed_over: u64,
    /// What somebody wrote into the capture.
    pub comments: Vec<Comment>,
    /// Why reading stopped before the end.
    pub error: Option<SourceError>,
}

/// A comment in a capture (pcapng `opt_comment`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The frame it is on, by the number Wireshark shows; none of a comment on a section, an interface or its statistics.
    pub frame: Option<u64>,
    /// As it was written, at most [`COMMENT_BYTES`](crate::limit::COMMENT_BYTES); letters that command a terminal included.
    pub text: String,
}

/// Whether a source has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Call again.
    More,
    /// All frames were lent.
    End,
}

/// Nothing was captured for a while: all files that begin before had ended, and none had begun; or there is so long a gap in one that two may have been joined to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Time of the latest frame before.
    pub from: Timestamp,
    /// Time of the first frame after.
    pub to: Timestamp,
}

/// Packets that were not captured, as the capture counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Number of the interface, as [`Source::interfaces`] counts them.
    pub interface: u32,
    /// Between when they were counted.
    pub times: [Timestamp; 2],
    /// How many.
    pub packets: u64,
}

/// Lends frames in the order of capture.
pub trait Source {
    /// Reads on (about one block) and lends the frames in batches of at most [`limit::BATCH`](crate::limit::BATCH), in order of time across files.
    ///
    /// # Errors
    /// The capture could not be read on. Frames before the fault have been lent; the fault is kept in [`files`](Self::files) too, and where other
    /// files of the same run are readable the source goes on with them and reports their ends.
    fn read(&mut self, sink: &mut dyn FnMut(&[Frame<'_>])) -> Result<Progress, SourceError>;

    /// The interfaces met so far.
    fn interfaces(&self) -> &[Interface];

    /// The files, in the order their indices name them.
    fn files(&self) -> &[CaptureFile];

    /// Names that the capture itself records for addresses (pcapng name resolution blocks), taken since the last call.
    fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        Vec::new()
    }

    /// Pauses between files, and gaps in them, met since the last call; before any frame behind them is lent.
    fn take_pauses(&mut self) -> Vec<Pause> {
        Vec::new()
    }

    /// What was not captured and when, as far as captures tell and it was not taken yet.
    fn take_drops(&mut self) -> Vec<Dropped> {
        Vec::new()
    }

    /// Bytes consumed and bytes there are in all, where that is known: for a progress bar.
    fn position(&self) -> (u64, Option<u64>);
}

/// A capture that could not be read, or not to its end. One line, naming the file, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The file, as given or found.
    pub path: String,
    /// What was being done and what went wrong.
    pub what: String,
    /// What the user can do about it.
    pub hint: String,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.path, self.what, self.hint)
    }
}

impl std::error::Error for SourceError {}
