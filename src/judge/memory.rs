//! A memory of bounded size that forgets what was not met for longest, in two generations: so a run of months knows the present network, and a capture
//! that fits is remembered whole.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::net::{Endpoint, Mac, Transport};

/// Values by key, at most `room` of them. Asked by key only: nothing depends on the order in which they lie.
#[derive(Clone, Debug)]
pub(super) struct Remembered<K, V, S = RandomState> {
    recent: HashMap<K, V, S>,
    older: HashMap<K, V, S>,
    room: usize,
    forgotten: u64,
}

impl<K: Eq + Hash, V: Default, S: BuildHasher + Default> Remembered<K, V, S> {
    /// An empty memory for so many keys.
    pub(super) fn new(room: usize) -> Self {
        Self { recent: HashMap::default(), older: HashMap::default(), room, forgotten: 0 }
    }

    /// The value of the key, if it is remembered.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.recent.get(key).or_else(|| self.older.get(key))
    }

    /// Whether the key is remembered.
    pub(super) fn has(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The value of the key to be changed, a new one where it is not remembered. Half the room being taken by what was met since, the half that was not
    /// met again is forgotten.
    pub(super) fn meet(&mut self, key: K) -> &mut V {
        if self.recent.len() >= (self.room / 2).max(1) && !self.recent.contains_key(&key) {
            // What was met before is carried over first: the older half goes only for a key that is in neither.
            let known = self.older.remove(&key);
            self.forgotten += self.older.len() as u64;
            self.older = std::mem::take(&mut self.recent);
            return self.recent.entry(key).or_insert(known.unwrap_or_default());
        }
        match self.recent.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let known = if self.older.is_empty() { None } else { self.older.remove(entry.key()) };
                entry.insert(known.unwrap_or_default())
            }
        }
    }

    /// The keys, in no order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.recent.keys().chain(self.older.keys())
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

/// Values by key like [`Remembered`], for keys that are only ever asked for: each is kept as a mark of eight bytes, whatever its own size. Of a hundred thousand keys two
/// have one mark in one run of three billions: the marks are keyed anew in each process, so nobody can look for such keys either.
#[derive(Clone, Debug)]
pub(super) struct Marked<K, V> {
    kept: Remembered<u64, V, AsItIs>,
    marks: Marks,
    keys: PhantomData<fn(K)>,
}

impl<K: Spelt, V: Default> Marked<K, V> {
    /// An empty memory for so many keys.
    pub(super) fn new(room: usize) -> Self {
        Self { kept: Remembered::new(room), marks: Marks::default(), keys: PhantomData }
    }

    /// The value of the key, if it is remembered.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.kept.get(&self.marks.of(key))
    }

    /// Whether the key is remembered.
    pub(super) fn has(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// As [`Remembered::meet`].
    pub(super) fn meet(&mut self, key: &K) -> &mut V {
        self.kept.meet(self.marks.of(key))
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.kept.forgotten()
    }

    /// The values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.kept.recent.values().chain(self.kept.older.values())
    }

    /// A number that stands for something in values of this memory, where few are held against each other; even, and never zero.
    pub(super) fn number(&self, of: &impl Spelt) -> u32 {
        ((self.marks.of(of) >> 32) as u32 & !1).max(2)
    }

    /// What stands for bytes in this memory's keys and values.
    pub(super) fn digest(&self, bytes: &[u8]) -> u64 {
        self.marks.texts.hash_one(bytes)
    }

    /// What stands for a text in this memory's keys.
    pub(super) fn text(&self, text: &str) -> Text {
        Text(self.marks.texts.hash_one(text.as_bytes()))
    }
}

/// A text in a key of a [`Marked`] memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text(u64);

/// Makes marks.
#[derive(Clone, Debug)]
struct Marks {
    start: u64,
    factor: u64,
    texts: RandomState,
}

impl Default for Marks {
    fn default() -> Self {
        let texts = RandomState::default();
        Self { start: texts.hash_one(0_u8), factor: texts.hash_one(1_u8) | 1, texts }
    }
}

impl Marks {
    fn of(&self, key: &impl Spelt) -> u64 {
        let mut mark = self.start;
        key.spell(&mut |word| {
            let product = u128::from(mark ^ word) * u128::from(self.factor);
            mark = (product >> 64) as u64 ^ product as u64;
        });
        mark
    }
}

/// A key that can be spelt in words of eight bytes, and no two keys of a kind by the same words.
pub(super) trait Spelt {
    /// Gives the words.
    fn spell(&self, word: &mut impl FnMut(u64));
}

impl Spelt for IpAddr {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        match self {
            Self::V4(v4) => word(1 << 32 | u64::from(v4.to_bits())),
            Self::V6(v6) => {
                word((v6.to_bits() >> 64) as u64);
                word(v6.to_bits() as u64);
            }
        }
    }
}

impl Spelt for Endpoint {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        self.ip.spell(word);
        word(self.port.into());
    }
}

impl Spelt for Transport {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        word(self.0.into());
    }
}

impl Spelt for Mac {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        let [a, b, c, d, e, f] = self.0;
        word(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
    }
}

impl Spelt for Text {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        word(self.0);
    }
}

impl Spelt for u64 {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        word(*self);
    }
}

impl Spelt for u16 {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        word((*self).into());
    }
}

impl<A: Spelt, B: Spelt> Spelt for (A, B) {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        self.0.spell(word);
        self.1.spell(word);
    }
}

impl<A: Spelt, B: Spelt, C: Spelt> Spelt for (A, B, C) {
    fn spell(&self, word: &mut impl FnMut(u64)) {
        self.0.spell(word);
        self.1.spell(word);
        self.2.spell(word);
    }
}

/// Hashes a mark, which is a hash.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl BuildHasher for AsItIs {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for AsItIs {
    fn write_u64(&mut self, mark: u64) {
        self.0 = mark;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_remembered_and_what_was_not_met_for_longest_is_forgotten_first() {
        let mut memory: Remembered<u32, u32> = Remembered::new(8);
        for key in 0..8 {
            *memory.meet(key) += 1;
        }
        assert!((0..8).all(|key| memory.has(&key)) && memory.forgotten() == 0);
        *memory.meet(0) += 1;
        for key in 8..12 {
            memory.meet(key);
        }
        assert_eq!((memory.get(&0), memory.has(&1), memory.has(&11)), (Some(&2), false, true));
        assert!(memory.forgotten() > 0 && memory.keys().count() <= 8);
    }
}
