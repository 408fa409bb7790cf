//! Packs what is known of something that nobody has heard of for a while into few bytes, and takes it out again.
//!
//! A record names its fields once, in a function that goes through them, whether they are packed or taken out: so neither way can forget or exchange one. Numbers take as
//! many bytes as they need; times and frames are counted from those before them, as most of what a flow knows happened together.

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
        let mut folded = ((*value << 1) ^ (*value >> 63)).cast_unsigned();
        self.number(&mut folded);
        *value = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
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

    /// A moment.
    #[inline]
    fn time(&mut self, time: &mut Timestamp) {
        let (mut nanos, near) = (time.nanos(), self.last().time);
        self.near(&mut nanos, near);
        *time = Timestamp::from_nanos(nanos);
        self.last().time = nanos;
    }

    /// A frame.
    #[inline]
    fn frame(&mut self, frame: &mut FrameId) {
        let (mut number, near) = (((u64::from(frame.file()) << NUMBER_BITS) | frame.number()).cast_signed(), self.last().frame);
        self.near(&mut number, near);
        *frame = FrameId::new((number.cast_unsigned() >> NUMBER_BITS) as u32, number.cast_unsigned() & NUMBERS);
        self.last().frame = number;
    }
}

/// What is there of something that may be missing, where it is: a `blank` one while it is taken out.
pub fn present<T>(is_there: bool, value: &mut Option<T>, blank: impl FnOnce() -> T) -> Option<&mut T> {
    if is_there { Some(value.get_or_insert_with(blank)) } else { None }
}

/// What times and frames are counted from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Last {
    time: i64,
    frame: i64,
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
        self.last.time = time.nanos();
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
        self.last.time = time.nanos();
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
}

/// How many numbers of frames a file has, in bits.
const NUMBER_BITS: u32 = 48;
const NUMBERS: u64 = (1 << NUMBER_BITS) - 1;

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
        times: [Timestamp; 4],
        frames: [FrameId; 3],
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
            times: [1_700_000_000_000_000_000, 1_700_000_000_000_000_300, i64::MIN, i64::MAX].map(Timestamp::from_nanos),
            frames: [FrameId::new(0, 1), FrameId::new(65_535, (1 << 48) - 1), FrameId::new(3, 7)],
            letter: 'z',
        };
        let (before, mut bytes) = (some, Vec::new());
        some.pack(&mut Packer::into(&mut bytes));
        assert_eq!(some, before, "packing changes nothing");
        let zero = Timestamp::default();
        let mut out =
            Some_ { numbers: [0; 5], signed: [0; 5], counts: [0; 3], flags: [false; 3], times: [zero; 4], frames: [FrameId::default(); 3], letter: 'x' };
        let mut unpacker = Unpacker::of(&bytes);
        out.pack(&mut unpacker);
        assert_eq!((out, unpacker.bytes.len()), (before, 0));
        // Cut short it is something else, and nothing worse.
        (0..bytes.len()).for_each(|len| out.pack(&mut Unpacker::of(&bytes[..len])));
    }

    #[test]
    fn what_is_close_to_the_one_before_takes_a_byte_or_two() {
        let mut bytes = Vec::new();
        let mut packer = Packer::into(&mut bytes);
        packer.time(&mut Timestamp::from_nanos(1_700_000_000_000_000_000));
        packer.frame(&mut FrameId::new(3, 1_000_000));
        let before = packer.out.len();
        packer.time(&mut Timestamp::from_nanos(1_700_000_000_000_000_060));
        packer.frame(&mut FrameId::new(3, 999_990));
        assert_eq!(packer.out.len() - before, 2);
    }
}
