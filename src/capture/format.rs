//! Which format a file is, by its first bytes, and what it looks like where it is none that is read.

use std::net::IpAddr;

use super::Comment;
use super::netmon::{self, Netmon};
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::record::{Declared, Record, Walked};
use super::snoop::{self, Snoop};
use crate::time::Timestamp;

/// A capture file being walked.
#[derive(Debug)]
pub(super) enum Format {
    Pcap(Pcap),
    Pcapng(Box<Pcapng>),
    Snoop(Snoop),
    Netmon(Netmon),
}

impl Format {
    /// The format whose file begins like this, and the bytes of its header.
    pub(super) fn open(head: &[u8]) -> Option<(Self, usize)> {
        let pcap = Pcap::open(head).map(|pcap| (Self::Pcap(pcap), pcap::FILE_HEADER));
        let pcapng = || Pcapng::open(head).map(|pcapng| (Self::Pcapng(Box::new(pcapng)), 0));
        let snoop = || Snoop::open(head).map(|snoop| (Self::Snoop(snoop), snoop::FILE_HEADER));
        let netmon = || Netmon::open(head).map(|netmon| (Self::Netmon(netmon), netmon::FILE_HEADER));
        pcap.or_else(pcapng).or_else(snoop).or_else(netmon)
    }

    /// Name in reports.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pcap(pcap) => pcap.format(),
            Self::Pcapng(_) => "pcapng",
            Self::Snoop(_) => "snoop",
            Self::Netmon(_) => "netmon",
        }
    }

    /// Finds the whole records of a window.
    pub(super) fn walk(&mut self, window: &[u8], records: &mut Vec<Record>) -> Walked {
        match self {
            Self::Pcap(pcap) => pcap.walk(window, records),
            Self::Pcapng(pcapng) => pcapng.walk(window, records),
            Self::Snoop(snoop) => snoop.walk(window, records),
            Self::Netmon(netmon) => netmon.walk(window, records),
        }
    }

    /// Interfaces declared so far.
    pub(super) fn interfaces(&self) -> &[Declared] {
        match self {
            Self::Pcap(pcap) => pcap.interfaces(),
            Self::Pcapng(pcapng) => pcapng.interfaces(),
            Self::Snoop(snoop) => snoop.interfaces(),
            Self::Netmon(netmon) => netmon.interfaces(),
        }
    }

    /// Names recorded for addresses since the last call.
    pub(super) fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        match self {
            Self::Pcapng(pcapng) => pcapng.take_names(),
            Self::Pcap(_) | Self::Snoop(_) | Self::Netmon(_) => Vec::new(),
        }
    }

    /// What was not captured and when, as far as it was told since the last call: interface, moments, packets.
    pub(super) fn take_drops(&mut self) -> Vec<(u32, [Timestamp; 2], u64)> {
        match self {
            Self::Pcapng(pcapng) => pcapng.take_drops(),
            Self::Snoop(snoop) => snoop.take_drops(),
            Self::Pcap(_) | Self::Netmon(_) => Vec::new(),
        }
    }

    /// Comments met since the last call.
    pub(super) fn take_comments(&mut self) -> Vec<Comment> {
        match self {
            Self::Pcapng(pcapng) => pcapng.take_comments(),
            Self::Pcap(_) | Self::Snoop(_) | Self::Netmon(_) => Vec::new(),
        }
    }

    /// Blocks, names and notes passed over so far.
    pub(super) fn passed_over(&self) -> u64 {
        match self {
            Self::Pcapng(pcapng) => pcapng.passed_over(),
            Self::Netmon(netmon) => netmon.passed_over(),
            Self::Pcap(_) | Self::Snoop(_) => 0,
        }
    }
}

/// What a file that is no capture looks like, and what to do about it.
pub(super) fn describe(head: &[u8]) -> (String, &'static str) {
    if let Some((_, looks, hint)) = LOOKS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return ((*looks).to_owned(), hint);
    }
    if is_tar(head) {
        return ("is a tar archive".to_owned(), UNPACK);
    }
    let head = head.get(..SHOWN_BYTES).unwrap_or(head);
    let text: String = String::from_utf8_lossy(head).chars().take_while(|letter| !letter.is_control()).collect();
    if text.trim_start().starts_with('<') {
        return ("is not a capture: it begins like a web page".to_owned(), "was an error page saved instead of the download? fetch it again");
    }
    if text.len() >= 4 && !text.contains(char::REPLACEMENT_CHARACTER) {
        return (format!("is not a capture: it begins with the text {text:?}"), GIVE);
    }
    let bytes: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    (format!("is not a capture: it begins with the bytes {}", bytes.join(" ")), GIVE)
}

/// Whether it begins as a tar archive does (POSIX, `ustar` and older): a name filled up with zeros, then the file's mode in octal digits.
fn is_tar(head: &[u8]) -> bool {
    let (Some(name), Some(mode)) = (head.get(..100), head.get(100..107)) else { return false };
    let text = name.iter().take_while(|byte| **byte != 0).count();
    let printable = name[..text].iter().all(|byte| *byte >= b' ');
    text > 0 && printable && name[text..].iter().all(|byte| *byte == 0) && mode.iter().all(u8::is_ascii_digit)
}

/// Whether the bytes are the beginning of a capture file's header that was cut off.
pub(super) fn is_cut(head: &[u8]) -> bool {
    let whole = |magic: &[u8], len: usize| head.len() < len && head.starts_with(magic);
    PCAP_MAGICS.iter().any(|magic| whole(magic, pcap::FILE_HEADER))
        || whole(&pcapng::MAGIC, 12)
        || whole(snoop::MAGIC, snoop::FILE_HEADER)
        || [netmon::MAGIC_1, netmon::MAGIC_2].iter().any(|magic| whole(&magic[..], netmon::FILE_HEADER))
}

/// Bytes that are enough to recognise a format and read its header.
pub(super) const HEAD_BYTES: usize = netmon::FILE_HEADER;
/// Bytes of a file that is no capture, as a message shows them.
const SHOWN_BYTES: usize = 24;
const GIVE: &str = "give a pcap or pcapng file, plain or compressed with gzip, zstd, lz4 or xz";
const CONVERT: &str = "convert it with: editcap -F pcapng FILE NEW";
const UNPACK: &str = "unpack it first and give the captures in it";
const UTF_16: &str = "a report that diff is to read is written by --output FILE";
const PCAP_MAGICS: [[u8; 4]; 6] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xcd, 0x34],
    [0x34, 0xcd, 0xb2, 0xa1],
];
const LOOKS: &[(&[u8], &str, &str)] = &[
    (b"BZh", "is compressed with bzip2, which is not read", "decompress it first: bzip2 -dk FILE"),
    (b"\x1f\x8b", "is compressed twice", "decompress it once: gzip -dk FILE"),
    (b"\x28\xb5\x2f\xfd", "is compressed twice", "decompress it once: zstd -dk FILE"),
    (b"\x04\x22\x4d\x18", "is compressed twice", "decompress it once: lz4 -dk FILE"),
    (b"\xfd7zXZ\0", "is compressed twice", "decompress it once: xz -dk FILE"),
    (b"PK\x03\x04", "is a ZIP archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive", UNPACK),
    (b"\xff\xfe", "is text in UTF-16, as PowerShell's > writes it", UTF_16),
    (b"\xfe\xff", "is text in UTF-16", UTF_16),
    (b"GMBU", "is a capture of Microsoft Network Monitor that is unfinished, or of a version or medium that is not read", CONVERT),
    (b"RTSS", "is a capture of Microsoft Network Monitor that is unfinished, or of a version or medium that is not read", CONVERT),
    (b"\x1c\0\x01\xac", "is a capture of Ixia's, which is not read", CONVERT),
    (b"\xac\x01\0\x1c", "is a capture of Ixia's, which is not read", CONVERT),
    (b"\x1c\0\x01\xab", "is a capture of Ixia's, which is not read", CONVERT),
    (b"\xab\x01\0\x1c", "is a capture of Ixia's, which is not read", CONVERT),
    (b"TRSNIFF data", "is a capture of Network General Sniffer, which is not read", CONVERT),
    (b"XCP\0", "is a capture of NetXRay, which is not read", CONVERT),
    (b"iptrace ", "is a capture of AIX iptrace, which is not read", CONVERT),
    (b"snoop\0\0\0", "is a snoop capture of a link that is not read", CONVERT),
    (&pcapng::MAGIC, "begins like a pcapng capture, but without its byte-order magic", "the file is damaged; copy it again"),
];
