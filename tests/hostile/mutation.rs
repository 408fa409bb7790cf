//! Damage that knows what it damages: captures, frames, dialogues and signature files, changed by dice that fall the same way every time.

use portbook::capture::write::Writer;
use portbook::capture::{FrameId, LinkType, Options, Progress, Source, open};
use portbook::decode::decode;
use portbook::time::Timestamp;

/// xorshift64* (Vigna 2016): the same seed, the same run, on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            dice.roll();
        }
        dice
    }

    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        (self.roll() >> 11) as usize % end.max(1)
    }

    pub fn byte(&mut self) -> u8 {
        (self.roll() >> 32) as u8
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }
}

/// A frame out of a capture.
#[derive(Clone)]
pub struct Kept {
    pub link: LinkType,
    pub time: Timestamp,
    pub bytes: Vec<u8>,
}

/// The frames of a capture, at most so many; none where it cannot be read.
pub fn frames(path: &std::path::Path, most: usize) -> Vec<Kept> {
    let mut all = Vec::new();
    let Ok(mut captures) = open(&[path.to_owned()], Options::default()) else { return all };
    while all.len() < most {
        let step = captures.read(&mut |batch| all.extend(batch.iter().map(|frame| Kept { link: frame.link, time: frame.time, bytes: frame.bytes.to_vec() })));
        if !matches!(step, Ok(Progress::More)) {
            break;
        }
    }
    all.truncate(most);
    all
}

/// Frames as a pcapng, an interface for each link type.
pub fn pcapng(frames: &[Kept]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let mut links = Vec::new();
    for frame in frames {
        let interface = links.iter().position(|link| *link == frame.link).unwrap_or_else(|| {
            writer.interface(frame.link, 0, None).unwrap();
            links.push(frame.link);
            links.len() - 1
        });
        writer.frame(interface as u32, frame.time, frame.bytes.len() as u32, &frame.bytes, &[]).unwrap();
    }
    writer.finish().unwrap()
}

/// Changes bytes that nothing is known of.
pub fn bytes(all: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let (at, other) = (dice.below(all.len()), dice.below(all.len()));
        let len = dice.below(64).min(all.len() - at.max(other));
        match dice.below(7) {
            0 if !all.is_empty() => all[at] ^= 1 << dice.below(8),
            1 if !all.is_empty() => all[at] = dice.byte(),
            2 => all.truncate(at),
            3 => drop(all.drain(at..at + len)),
            4 => {
                let copy = all[other..other + len].to_vec();
                all.splice(at..at, copy);
            }
            5 => {
                let noise = dice.bytes(len);
                all.splice(at..at, noise);
            }
            _ => number(all, at, dice),
        }
    }
}

/// Puts a number where lengths, counts and offsets break: at the edges of their range.
fn number(all: &mut [u8], at: usize, dice: &mut Dice) {
    let value = EDGES[dice.below(EDGES.len())].wrapping_add(dice.below(3) as u32).wrapping_sub(1);
    let (big, little) = (value.to_be_bytes(), value.to_le_bytes());
    let written: &[u8] = match dice.below(5) {
        0 => &big,
        1 => &little,
        2 => &big[2..],
        3 => &little[..2],
        _ => &little[..1],
    };
    for (place, byte) in all.iter_mut().skip(at).zip(written) {
        *place = *byte;
    }
}

/// Changes frames: their bytes, their order, their link types, their times.
pub fn packets(all: &mut Vec<Kept>, dice: &mut Dice) {
    for _ in 0..=dice.below(8) {
        let (at, other) = (dice.below(all.len()), dice.below(all.len()));
        if all.is_empty() {
            return;
        }
        match dice.below(9) {
            0..=2 => bytes(&mut all[at].bytes, dice),
            3 => all.swap(at, other),
            4 => {
                let copy = all[other].clone();
                all.insert(at, copy);
            }
            5 => drop(all.remove(at)),
            6 => all[at].link = LinkType(LINKS[dice.below(LINKS.len())]),
            7 => all[at].time = Timestamp::from_nanos((dice.roll() >> dice.below(32)).cast_signed()),
            // The front of one and the end of another.
            _ => {
                let (front, end) = (dice.below(all[at].bytes.len()), dice.below(all[other].bytes.len()));
                let tail = all[other].bytes[end..].to_vec();
                all[at].bytes.truncate(front);
                all[at].bytes.extend(tail);
            }
        }
    }
}

/// Changes what the ends of flows say to each other, and leaves the headers alone, so that it reaches the recognisers.
pub fn dialogues(all: &mut [Kept], dice: &mut Dice) {
    let said: Vec<(usize, usize, usize)> = all.iter().enumerate().filter_map(|(place, frame)| payload(frame).map(|(start, len)| (place, start, len))).collect();
    if said.is_empty() {
        return;
    }
    for _ in 0..=dice.below(6) {
        let (place, start, len) = said[dice.below(said.len())];
        let (other, other_start, other_len) = said[dice.below(said.len())];
        let mut changed = match dice.below(4) {
            // Another flow's words.
            0 => all[other].bytes[other_start..other_start + other_len].to_vec(),
            _ => all[place].bytes[start..start + len].to_vec(),
        };
        bytes(&mut changed, dice);
        // Of the same length, so that the headers stay true.
        changed.resize(len, b' ');
        all[place].bytes[start..start + len].copy_from_slice(&changed);
    }
}

/// Where the innermost payload of a frame lies.
fn payload(frame: &Kept) -> Option<(usize, usize)> {
    let wire_len = frame.bytes.len() as u32;
    let lent = portbook::capture::Frame { id: FrameId::default(), interface: 0, link: frame.link, time: frame.time, wire_len, bytes: &frame.bytes };
    let payload = decode(&lent).payload;
    let start = (payload.as_ptr() as usize).checked_sub(frame.bytes.as_ptr() as usize)?;
    (!payload.is_empty() && start + payload.len() <= frame.bytes.len()).then_some((start, payload.len()))
}

/// Changes a signature file by lines and by letters.
pub fn toml(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=dice.below(6) {
        let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
        match dice.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other].clone()),
            2 => lines.swap(at, other),
            3 => {
                let key = lines[at].split('=').next().unwrap_or_default().to_owned();
                lines[at] = format!("{key}= {}", VALUES[dice.below(VALUES.len())]);
            }
            4 => {
                let mut letters = std::mem::take(&mut lines[at]).into_bytes();
                bytes(&mut letters, dice);
                lines[at] = String::from_utf8_lossy(&letters).into_owned();
            }
            _ => lines.truncate(at.max(1)),
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

const EDGES: &[u32] = &[0, 1, 4, 8, 20, 28, 40, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x4_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const VALUES: &[&str] =
    &["0", "-1", "65536", "[]", "[[]]", "{}", "\"\"", "true", "1979-05-27", "nan", "\"tcp\"", "[\"6900-6909\"]", "\"70000\"", "99999999999999999999"];
/// Link types that are read, and some that are not.
pub const LINKS: &[u16] = &[
    0, 1, 6, 8, 9, 10, 12, 14, 50, 51, 100, 101, 104, 105, 107, 108, 113, 119, 123, 127, 129, 163, 178, 189, 192, 197, 204, 205, 206, 228, 229, 239, 240, 241,
    242, 258, 274, 276, 281, 282, 284, 285, 300, 65_535,
];
