//! A recorded capture as a list of frames, and what a worse mirror port would have made of it.

use std::collections::BTreeMap;
use std::path::Path;

/// A classic capture file: its header, and its records as they stand in the file.
#[derive(Clone)]
pub struct Traffic {
    header: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Clone)]
struct Frame {
    /// Microseconds.
    time: u64,
    /// Length on the wire.
    length: u32,
    bytes: Vec<u8>,
}

/// What is done to a capture. A recorder is not perfect: each of these happens on real mirror ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distortion {
    /// Only the frames that the capture's first sender (or the other end of that cable) put on the wire.
    OneDirection { first_sender: bool },
    /// So many frames in a thousand are missing, by this seed.
    Lost { per_mille: u64, seed: u64 },
    /// Each frame comes again after so many microseconds, by a mirror of both of a switch's ports.
    Twice { after: u64 },
    /// As `Twice`, the copy behind a router: other hardware addresses, one hop less.
    RoutedTwice { after: u64 },
    /// The capture began after, and ended before, so many hundredths of its frames.
    Cut { start: usize, end: usize },
    /// Each TCP connection was there before the capture: its handshake and so many segments with data, with all that came before them, are missing.
    Joined { segments: usize },
    /// Of each frame only its first bytes were kept.
    Short { bytes: usize },
    /// The clock of the card that captured the first sender goes so many microseconds ahead of the other one's.
    Apart { micros: i64 },
    /// The recorder's card put segments together that follow each other: up to 60,000 bytes of payload.
    Merged,
    /// A switch far away sends each frame on in ERSPAN II (draft-foschiano-erspan).
    Mirrored,
    /// So many frames in a row, from this one on, were not captured.
    Without { from: usize, many: usize },
    /// Recorded by `tcpdump -i any` on the way: Linux's cooked header in place of Ethernet's, with the sender's address alone.
    Cooked,
}

/// All distortions that every capture goes through.
pub fn distortions() -> Vec<Distortion> {
    let mut all = vec![Distortion::OneDirection { first_sender: true }, Distortion::OneDirection { first_sender: false }];
    all.extend((1..=LOSSES).map(|seed| Distortion::Lost { per_mille: 50, seed }));
    all.extend((1..=2).map(|seed| Distortion::Lost { per_mille: 250, seed }));
    all.extend([0, 40, 900].map(|after| Distortion::Twice { after }));
    all.push(Distortion::RoutedTwice { after: 60 });
    all.extend((1..=4).map(|fifth| Distortion::Cut { start: fifth * 20, end: 0 }));
    all.extend((1..=4).map(|fifth| Distortion::Cut { start: 0, end: fifth * 20 }));
    all.extend((0..=3).map(|segments| Distortion::Joined { segments }));
    // What old habits (`-s 68`, `-s 96`) leave: headers and the first words of a message.
    all.extend([64, 96].map(|bytes| Distortion::Short { bytes }));
    all.extend([200, -1_000, 20_000].map(|micros| Distortion::Apart { micros }));
    all.extend([Distortion::Merged, Distortion::Mirrored, Distortion::Cooked]);
    all.extend([(10, 10), (25, 25), (33, 50), (50, 33)].map(|(start, end)| Distortion::Cut { start, end }));
    all
}

/// One frame to five in a row that were not captured, at every place of a capture of so many; a sample of these where nobody asks for all.
pub fn holes(frames: usize) -> Vec<Distortion> {
    let step = if std::env::var_os("PORTBOOK_FUZZ_ROUNDS").is_some() { 1 } else { SAMPLED };
    let all = (0..frames).flat_map(|from| (1..=5).map(move |many| Distortion::Without { from, many }));
    all.enumerate().filter(|(number, _)| (number + frames).is_multiple_of(step)).map(|(_, hole)| hole).collect()
}

impl Traffic {
    /// A little-endian classic capture with microseconds, as the recorder writes it.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(bytes[..4], [0xd4, 0xc3, 0xb2, 0xa1], "{} is no little-endian pcap", path.display());
        let (header, mut rest) = bytes.split_at(24);
        let mut frames = Vec::new();
        while rest.len() >= 16 {
            let number = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
            let (seconds, micros, kept, length) = (number(0), number(4), number(8) as usize, number(12));
            frames.push(Frame { time: u64::from(seconds) * 1_000_000 + u64::from(micros), length, bytes: rest[16..16 + kept].to_vec() });
            rest = &rest[16 + kept..];
        }
        Self { header: header.to_vec(), frames }
    }

    pub fn len(&self) -> usize {
        self.frames.len()
    }

    pub fn pcap(&self) -> Vec<u8> {
        let mut out = self.header.clone();
        for frame in &self.frames {
            let kept = u32::try_from(frame.bytes.len()).unwrap();
            let (seconds, micros) = (u32::try_from(frame.time / 1_000_000).unwrap(), u32::try_from(frame.time % 1_000_000).unwrap());
            [seconds, micros, kept, frame.length].iter().for_each(|number| out.extend(number.to_le_bytes()));
            out.extend(&frame.bytes);
        }
        out
    }

    /// What is left of it; none where the distortion leaves nothing or changes nothing, or would have to know another link than Ethernet's.
    pub fn distorted(&self, how: Distortion) -> Option<Self> {
        let knows_all_links = matches!(how, Distortion::Lost { .. } | Distortion::Twice { .. } | Distortion::Cut { .. });
        if !knows_all_links && self.header[20..24] != [1, 0, 0, 0] {
            return None;
        }
        let frames: Vec<Frame> = match how {
            Distortion::OneDirection { first_sender } => {
                let first = self.frames.first()?.sender().to_vec();
                self.only(|_, frame| (frame.sender() == first) == first_sender)
            }
            Distortion::Lost { per_mille, seed } => {
                let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.frames.len() as u64);
                self.only(|_, _| dice.next() % 1000 >= per_mille)
            }
            Distortion::Twice { after } => self.with_copies(after, Frame::clone),
            Distortion::RoutedTwice { after } => self.with_copies(after, Frame::routed),
            Distortion::Cut { start, end } => {
                let (from, to) = (self.len() * start / 100, self.len() - self.len() * end / 100);
                self.only(|place, _| (from..to).contains(&place))
            }
            Distortion::Joined { segments } => self.joined(segments),
            Distortion::Without { from, many } => self.only(|place, _| !(from..from + many).contains(&place)),
            Distortion::Short { bytes } => self.frames.iter().map(|frame| frame.short(bytes)).collect(),
            Distortion::Apart { micros } => self.apart(micros)?,
            Distortion::Merged => self.merged(),
            Distortion::Mirrored => self.frames.iter().zip(1..).map(|(frame, number)| frame.mirrored(number)).collect(),
            Distortion::Cooked => self.frames.iter().map(Frame::cooked).collect(),
        };
        let mut header = self.header.clone();
        if let Distortion::Short { bytes } = how {
            // The snap length (draft-ietf-opsawg-pcap, section 4).
            header[16..20].copy_from_slice(&u32::try_from(bytes).unwrap().to_le_bytes());
        }
        if how == Distortion::Cooked {
            header[20..24].copy_from_slice(&LINUX_SLL.to_le_bytes());
        }
        let is_changed_anyway = matches!(how, Distortion::Apart { .. } | Distortion::Mirrored | Distortion::Cooked);
        let changed = is_changed_anyway || frames.len() != self.len() || header != self.header;
        (changed && !frames.is_empty()).then_some(Self { header, frames })
    }

    fn only(&self, mut keep: impl FnMut(usize, &Frame) -> bool) -> Vec<Frame> {
        self.frames.iter().enumerate().filter(|(place, frame)| keep(*place, frame)).map(|(_, frame)| frame.clone()).collect()
    }

    fn joined(&self, segments: usize) -> Vec<Frame> {
        let mut passed: BTreeMap<[[u8; 6]; 2], usize> = BTreeMap::new();
        self.only(|place, _| {
            let Some((ends, is_syn, has_data)) = self.frames[place].tcp() else { return true };
            let passed = passed.entry(ends).or_default();
            let is_before = is_syn || *passed < segments;
            *passed += usize::from(has_data && is_before);
            !is_before
        })
    }

    fn with_copies(&self, after: u64, copy: impl Fn(&Frame) -> Frame) -> Vec<Frame> {
        let mut all: Vec<Frame> = self.frames.iter().flat_map(|frame| [frame.clone(), Frame { time: frame.time + after, ..copy(frame) }]).collect();
        all.sort_by_key(|frame| frame.time);
        all
    }

    fn apart(&self, micros: i64) -> Option<Vec<Frame>> {
        let first = self.frames.first()?.sender();
        let shifted = |frame: &Frame| {
            let by = if frame.sender() == first { micros } else { 0 };
            Frame { time: frame.time.checked_add_signed(by).unwrap(), ..frame.clone() }
        };
        let mut all: Vec<Frame> = self.frames.iter().map(shifted).collect();
        all.sort_by_key(|frame| frame.time);
        Some(all)
    }

    fn merged(&self) -> Vec<Frame> {
        let mut all: Vec<Frame> = Vec::new();
        for frame in &self.frames {
            if all.last_mut().is_none_or(|last| !last.takes_in(frame)) {
                all.push(frame.clone());
            }
        }
        all
    }
}

impl Frame {
    /// Appends the payload of the next segment, if this one goes right before it.
    fn takes_in(&mut self, next: &Self) -> bool {
        let (Some(mine), Some(payload)) = (self.segment(), next.segment()) else { return false };
        let number = |frame: &Self, at: usize| u32::from_be_bytes(frame.bytes[at..at + 4].try_into().unwrap());
        let (at, len) = (mine.start, mine.len() as u32);
        let tcp = 14 + usize::from(self.bytes[14] & 15) * 4;
        let follows = number(self, tcp + 4).wrapping_add(len) == number(next, tcp + 4) && number(self, tcp + 8) == number(next, tcp + 8);
        let is_same_flow = self.bytes[26..34] == next.bytes[26..34] && self.bytes[tcp..tcp + 4] == next.bytes[tcp..tcp + 4];
        if !is_same_flow || !follows || at != payload.start || mine.len() + payload.len() > 60_000 {
            return false;
        }
        self.bytes.truncate(mine.end);
        self.bytes.extend(&next.bytes[payload]);
        self.bytes[tcp + 13] |= next.bytes[tcp + 13];
        self.length = self.bytes.len() as u32;
        let total = u16::try_from(self.bytes.len() - 14).unwrap();
        self.bytes[16..18].copy_from_slice(&total.to_be_bytes());
        true
    }

    /// Where the payload lies of a TCP segment over IPv4 that has any, and neither begins, ends nor cuts a connection.
    fn segment(&self) -> Option<std::ops::Range<usize>> {
        let bytes = &self.bytes;
        let is_whole_tcp = bytes.get(12..14)? == [8, 0] && bytes.get(23)? == &6 && bytes[20] & 0x3f == 0;
        let tcp = 14 + usize::from(bytes[14] & 15) * 4;
        let (from, to) = (tcp + usize::from(bytes.get(tcp + 12)? >> 4) * 4, 14 + usize::from(u16::from_be_bytes([bytes[16], bytes[17]])));
        (is_whole_tcp && bytes[tcp + 13] & 7 == 0 && from < to && to <= bytes.len()).then_some(from..to)
    }

    /// Of a TCP segment over IPv4 without options: its ends, the lower one first, whether it begins a connection, and whether it has data.
    fn tcp(&self) -> Option<([[u8; 6]; 2], bool, bool)> {
        let bytes = &self.bytes;
        let is_tcp = bytes.get(12..15)? == [8, 0, 0x45] && bytes.get(23)? == &6 && bytes[20] & 0x3f == 0;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes.get(26..38)?.first_chunk::<12>()?;
        let mut ends = [[a, b, c, d, i, j], [e, f, g, h, k, l]];
        ends.sort_unstable();
        let (len, header) = (u16::from_be_bytes([bytes[16], bytes[17]]), u16::from(bytes.get(46)? >> 4) * 4);
        is_tcp.then_some((ends, bytes.get(47)? & 2 != 0, len > 20 + header))
    }

    /// Ethernet's source address.
    fn sender(&self) -> &[u8] {
        &self.bytes[6..12]
    }

    fn short(&self, bytes: usize) -> Self {
        let mut frame = self.clone();
        frame.bytes.truncate(bytes);
        frame
    }

    /// In GRE with a sequence number (RFC 2890) and a header of eight bytes: version 1, VLAN 1, session 1.
    fn mirrored(&self, number: u32) -> Self {
        let mirror = [&[0x10, 0, 0x88, 0xbe][..], &number.to_be_bytes(), &[0x10, 1, 0, 1, 0, 0, 0, 0], &self.bytes].concat();
        let mut bytes =
            [&[2, 0, 0, 0, 10, 1, 2, 0, 0, 0, 10, 2, 8, 0][..], &[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 47, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2]].concat();
        bytes[16..18].copy_from_slice(&u16::try_from(mirror.len() + 20).unwrap().to_be_bytes());
        bytes[18..20].copy_from_slice(&number.to_be_bytes()[2..]);
        set_checksum(&mut bytes);
        Self { length: self.length + 50, bytes: [bytes, mirror].concat(), ..*self }
    }

    /// Packet type 0 (to us), hardware type 1 (Ethernet), six bytes of address, two of padding, the EtherType (tcpdump.org, `LINKTYPE_LINUX_SLL`).
    fn cooked(&self) -> Self {
        let bytes = [&[0, 0, 0, 1, 0, 6][..], &self.bytes[6..12], &[0, 0], &self.bytes[12..]].concat();
        Self { length: self.length + 2, bytes, ..*self }
    }

    /// As the next router sends it on; what is not IP stays where it is.
    fn routed(&self) -> Self {
        let mut frame = self.clone();
        let bytes = &mut frame.bytes;
        bytes[..12].copy_from_slice(&[2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2]);
        match (bytes[12], bytes[13]) {
            (0x08, 0x00) if bytes[22] > 1 => {
                bytes[22] -= 1;
                set_checksum(bytes);
            }
            (0x86, 0xdd) if bytes[21] > 1 => bytes[21] -= 1,
            _ => {}
        }
        frame
    }
}

const LINUX_SLL: u32 = 113;

/// Of an IPv4 header without options behind Ethernet's.
fn set_checksum(bytes: &mut [u8]) {
    bytes[24..26].fill(0);
    let words = bytes[14..34].chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    bytes[24..26].copy_from_slice(&(!u16::try_from(folded).unwrap()).to_be_bytes());
}

/// The same numbers for the same seed: splitmix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A plain run takes one hole of so many: no divisor of five, so that each length is met.
const SAMPLED: usize = 13;
/// How often the dice are thrown for losses of 5 %.
const LOSSES: u64 = 4;
