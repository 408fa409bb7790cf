//! Packs what is known of something that nobody has heard of for a while into few bytes, and takes it out again.
//!
//! A record names its fields once, in a function that goes through them, whether they are packed or taken out: so neither way can forget or exchange one. Numbers take as
//! many bytes as they need; times and frames are those of one before them or counted from it, as most of what a flow knows happened together.

use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::time::Timestamp;

/// Goes through the fields of a record: packs them, or sets them to what was packed.
pub trait Packing {
    /// So many bytes as they are.
    fn bytes(&mut self, bytes: &mut [u8]);

    /// The time and the frame that were last gone through.
    fn last(&mut self) -> &mut Last;

    /// A number, the smaller the shorter.
    fn number(&mut self, value: &mut u64);

    /// The same, which may be negative.
    #[inline]
    fn signed(&mut self, value: &mut i64) {
        let mut folded = fold(*value);
        self.number(&mut folded);
        *value = unfold(folded);
    }

    /// A number that mostly lies close to another.
    #[inline]
    fn near(&mut self, value: &mut i64, near: i64) {
        let mut away = value.wrapping_sub(near);
        self.signed(&mut away);
        *value = near.wrapping_add(away);
    }

    /// A number of 32 bits that is mostly small.
    #[inline]
    fn count(&mut self, value: &mut u32) {
        let mut number = u64::from(*value);
        self.number(&mut number);
        *value = number as u32;
    }

    /// One of 16 bits that is mostly small.
    #[inline]
    fn short(&mut self, value: &mut u16) {
        let mut number = u64::from(*value);
        self.number(&mut number);
        *value = number as u16;
    }

    /// One of 32 bits that may be any.
    #[inline]
    fn word(&mut self, value: &mut u32) {
        let mut bytes = value.to_le_bytes();
        self.bytes(&mut bytes);
        *value = u32::from_le_bytes(bytes);
    }

    /// One of 16 bits that may be any.
    #[inline]
    fn half(&mut self, value: &mut u16) {
        let mut bytes = value.to_le_bytes();
        self.bytes(&mut bytes);
        *value = u16::from_le_bytes(bytes);
    }

    /// A byte.
    #[inline]
    fn byte(&mut self, value: &mut u8) {
        let mut bytes = [*value];
        self.bytes(&mut bytes);
        [*value] = bytes;
    }

    /// At most eight flags, in one byte.
    #[inline]
    fn flags<const N: usize>(&mut self, flags: [&mut bool; N]) {
        const { assert!(N <= 8) }
        let mut all = flags.iter().rev().fold(0_u8, |all, flag| all << 1 | u8::from(**flag));
        self.byte(&mut all);
        for (bit, flag) in flags.into_iter().enumerate() {
            *flag = all >> bit & 1 == 1;
        }
    }

    /// Which of some values something is.
    #[inline]
    fn one_of<T: Copy + PartialEq>(&mut self, value: &mut T, values: &[T]) {
        let mut number = values.iter().position(|one| one == value).unwrap_or(0) as u8;
        self.byte(&mut number);
        *value = values.get(usize::from(number)).copied().unwrap_or(*value);
    }

    /// Bytes of any length.
    fn text(&mut self, bytes: &mut Box<[u8]>) {
        let mut len = bytes.len() as u64;
        self.number(&mut len);
        if bytes.len() as u64 != len {
            *bytes = vec![0; usize::try_from(len).unwrap_or(0)].into();
        }
        self.bytes(bytes);
    }

    /// A text of any length.
    fn written(&mut self, text: &mut Box<str>);

    /// A list, each of its entries taken out into a `blank` one.
    fn list<T>(&mut self, list: &mut ThinVec<T>, blank: impl FnMut() -> T, mut each: impl FnMut(&mut Self, &mut T))
    where
        Self: Sized,
    {
        let mut len = list.len() as u64;
        self.number(&mut len);
        let more = usize::try_from(len).unwrap_or(0).saturating_sub(list.len());
        list.reserve_exact(more);
        list.extend(std::iter::repeat_with(blank).take(more));
        list.iter_mut().for_each(|entry| each(self, entry));
    }

    /// A moment: most are those of a few packets.
    #[inline]
    fn time(&mut self, time: &mut Timestamp) {
        let mut nanos = time.nanos();
        self.recent(&mut nanos, |last| &mut last.times, MICROSECOND);
        *time = Timestamp::from_nanos(nanos);
    }

    /// A frame, likewise.
    #[inline]
    fn frame(&mut self, frame: &mut FrameId) {
        let mut number = ((u64::from(frame.file()) << NUMBER_BITS) | frame.number()).cast_signed();
        self.recent(&mut number, |last| &mut last.frames, 1);
        *frame = FrameId::new((number.cast_unsigned() >> NUMBER_BITS) as u32, number.cast_unsigned() & NUMBERS);
    }

    /// How long something took, in nanoseconds: most captures have whole microseconds.
    #[inline]
    fn span(&mut self, nanos: &mut u64) {
        let mut code = shorter(*nanos, MICROSECOND).unwrap_or(u64::MAX);
        self.number(&mut code);
        match code {
            u64::MAX => self.number(nanos),
            code => *nanos = longer(code, MICROSECOND),
        }
    }

    /// A number that is often one of those gone through lately, else mostly a multiple of a unit away from the last one.
    #[inline]
    fn recent(&mut self, value: &mut i64, of: fn(&mut Last) -> &mut Recent, unit: u64) {
        let recent = of(self.last());
        let (near, known) = (recent.last, recent.known.iter().position(|known| known == value).map(|place| place as u64));
        let away = value.wrapping_sub(near);
        let away = || shorter(away.unsigned_abs(), unit).map_or(FAR, |size| (size << 1 | u64::from(away < 0)) + AWAY);
        let mut code = known.unwrap_or_else(away);
        self.number(&mut code);
        match code {
            FAR => self.signed(value),
            AWAY.. => {
                let size = longer((code - AWAY) >> 1, unit).cast_signed();
                *value = if (code - AWAY) & 1 == 0 { near.wrapping_add(size) } else { near.wrapping_sub(size) };
            }
            place => *value = of(self.last()).known.get(place as usize).copied().unwrap_or_default(),
        }
        of(self.last()).meet(*value, code >= FAR);
    }
}

/// A signed number as one that is the smaller the nearer it lies to zero.
const fn fold(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unfold(folded: u64) -> i64 {
    (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed()
}

/// A number with its unit left out, where it is a multiple of that, which its last bit says; none of what is too large for more bits.
const fn shorter(size: u64, unit: u64) -> Option<u64> {
    if unit == 1 {
        return if size < 1 << 60 { Some(size) } else { None };
    }
    let (size, odd) = if size.is_multiple_of(unit) { (size / unit, 0) } else { (size, 1) };
    if size < 1 << 60 { Some(size << 1 | odd) } else { None }
}

const fn longer(code: u64, unit: u64) -> u64 {
    if unit == 1 {
        return code;
    }
    if code & 1 == 0 { (code >> 1).wrapping_mul(unit) } else { code >> 1 }
}

/// What is there of something that may be missing, where it is: a `blank` one while it is taken out.
pub fn present<T>(is_there: bool, value: &mut Option<T>, blank: impl FnOnce() -> T) -> Option<&mut T> {
    if is_there { Some(value.get_or_insert_with(blank)) } else { None }
}

/// The times and frames that were gone through lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Last {
    times: Recent,
    frames: Recent,
}

/// Numbers that were gone through lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recent {
    last: i64,
    known: [i64; FAR as usize],
    next: u8,
}

impl Recent {
    /// It was gone through; whether it is a new one.
    fn meet(&mut self, value: i64, is_new: bool) {
        self.last = value;
        if is_new {
            if let Some(place) = self.known.get_mut(usize::from(self.next)) {
                *place = value;
            }
            self.next = (self.next + 1) % FAR as u8;
        }
    }
}

/// Packs.
#[derive(Debug)]
pub struct Packer<'a> {
    out: &'a mut Vec<u8>,
    last: Last,
}

impl<'a> Packer<'a> {
    /// Into a buffer, behind what is in it.
    pub fn into(out: &'a mut Vec<u8>) -> Self {
        Self { out, last: Last::default() }
    }

    /// Counts the first time from this one.
    pub fn after(mut self, time: Timestamp) -> Self {
        self.last.times.meet(time.nanos(), true);
        self
    }
}

impl Packing for Packer<'_> {
    #[inline]
    fn bytes(&mut self, bytes: &mut [u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn last(&mut self) -> &mut Last {
        &mut self.last
    }

    #[inline]
    fn number(&mut self, value: &mut u64) {
        let mut left = *value;
        while left >= 0x80 {
            self.out.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.out.push(left as u8);
    }

    fn written(&mut self, text: &mut Box<str>) {
        self.number(&mut (text.len() as u64));
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// Takes out what was packed, in the same order.
#[derive(Debug)]
pub struct Unpacker<'a> {
    bytes: &'a [u8],
    last: Last,
}

impl<'a> Unpacker<'a> {
    /// From the beginning of these bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, last: Last::default() }
    }

    /// Counts the first time from this one.
    pub fn after(mut self, time: Timestamp) -> Self {
        self.last.times.meet(time.nanos(), true);
        self
    }

    /// What is left, times and frames counted anew.
    pub fn anew(self) -> Self {
        Self::of(self.bytes)
    }
}

impl Packing for Unpacker<'_> {
    #[inline]
    fn bytes(&mut self, bytes: &mut [u8]) {
        if let Some((packed, rest)) = self.bytes.split_at_checked(bytes.len()) {
            bytes.copy_from_slice(packed);
            self.bytes = rest;
        }
    }

    #[inline]
    fn last(&mut self) -> &mut Last {
        &mut self.last
    }

    #[inline]
    fn number(&mut self, value: &mut u64) {
        (*value, self.bytes) = match self.bytes {
            [short @ ..0x80, rest @ ..] => (u64::from(*short), rest),
            bytes => {
                let len = bytes.iter().position(|byte| *byte < 0x80).map_or(bytes.len(), |last| last + 1);
                let (packed, rest) = bytes.split_at(len);
                (packed.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)), rest)
            }
        };
    }

    fn written(&mut self, text: &mut Box<str>) {
        let mut len = 0;
        self.number(&mut len);
        let packed = usize::try_from(len).ok().and_then(|len| self.bytes.split_at_checked(len));
        let (packed, rest) = packed.unwrap_or_default();
        (*text, self.bytes) = (str::from_utf8(packed).unwrap_or_default().into(), rest);
    }
}

/// How many numbers of frames a file has, in bits.
const NUMBER_BITS: u32 = 48;
const NUMBERS: u64 = (1 << NUMBER_BITS) - 1;
/// What stands for a number that was not gone through lately and is far from the last one: as many as are remembered, by their places.
const FAR: u64 = 8;
/// Stands for the last one; what is above it for one that lies so far away.
const AWAY: u64 = FAR + 1;
/// Nanoseconds.
const MICROSECOND: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Some fields.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Some_ {
        numbers: [u64; 5],
        signed: [i64; 5],
        counts: [u32; 3],
        flags: [bool; 3],
        times: [Timestamp; 10],
        frames: [FrameId; 3],
        spans: [u64; 5],
        letter: char,
    }

    impl Some_ {
        fn pack(&mut self, packing: &mut impl Packing) {
            self.numbers.iter_mut().for_each(|number| packing.number(number));
            self.signed.iter_mut().for_each(|number| packing.signed(number));
            let [count, word, half] = &mut self.counts;
            packing.count(count);
            packing.word(word);
            let mut low = *half as u16;
            packing.half(&mut low);
            *half = u32::from(low);
            let [one, two, three] = &mut self.flags;
            packing.flags([one, two, three]);
            self.times.iter_mut().for_each(|time| packing.time(time));
            self.frames.iter_mut().for_each(|frame| packing.frame(frame));
            self.spans.iter_mut().for_each(|span| packing.span(span));
            packing.one_of(&mut self.letter, &['x', 'y', 'z']);
        }
    }

    #[test]
    fn what_was_packed_comes_out_as_it_was() {
        let mut some = Some_ {
            numbers: [0, 127, 128, 1 << 35, u64::MAX],
            signed: [0, -1, 64, i64::MIN, i64::MAX],
            counts: [u32::MAX, 0x0102_0304, 0xfffe],
            flags: [true, false, true],
            times: [
                1_700_000_000_000_000_000,
                1_700_000_000_000_000_300,
                1_700_000_000_000_000_000,
                1_700_000_004_000_000_300,
                i64::MIN,
                i64::MAX,
                0,
                1_700_000_000_000_000_300,
                -1,
                -1,
            ]
            .map(Timestamp::from_nanos),
            frames: [FrameId::new(0, 1), FrameId::new(65_535, (1 << 48) - 1), FrameId::new(3, 7)],
            spans: [0, 1, 5_000_000, u64::MAX, u64::MAX - u64::MAX % 1_000],
            letter: 'z',
        };
        let (before, mut bytes) = (some, Vec::new());
        some.pack(&mut Packer::into(&mut bytes));
        assert_eq!(some, before, "packing changes nothing");
        let zero = Timestamp::default();
        let mut out = Some_ {
            numbers: [0; 5],
            signed: [0; 5],
            counts: [0; 3],
            flags: [false; 3],
            times: [zero; 10],
            frames: [FrameId::default(); 3],
            spans: [0; 5],
            letter: 'x',
        };
        let mut unpacker = Unpacker::of(&bytes);
        out.pack(&mut unpacker);
        assert_eq!((out, unpacker.bytes.len()), (before, 0));
        // Cut short it is something else, and nothing worse.
        (0..bytes.len()).for_each(|len| out.pack(&mut Unpacker::of(&bytes[..len])));
    }

    #[test]
    fn what_is_close_to_one_before_takes_a_byte_or_two() {
        let mut bytes = Vec::new();
        let mut packer = Packer::into(&mut bytes);
        let mut len_of = |micros: i64, number: u64| {
            let before = packer.out.len();
            packer.time(&mut Timestamp::from_nanos(1_700_000_000_000_000_000 + micros * 1_000));
            let time = packer.out.len() - before;
            packer.frame(&mut FrameId::new(3, number));
            (time, packer.out.len() - before - time)
        };
        len_of(0, 1_000_000);
        assert_eq!(len_of(60, 999_990), (2, 1));
        assert_eq!(len_of(5_000_000, 2_000_000), (4, 3));
        assert_eq!((len_of(0, 999_990), len_of(60, 1_000_000), len_of(5_000_000, 2_000_000)), ((1, 1), (1, 1), (1, 1)), "they were met before");
    }
}
