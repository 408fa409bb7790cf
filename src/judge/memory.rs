//! A memory of bounded size that forgets what was not met for longest, in two generations: so a run of months knows the present network, and a capture
//! that fits is remembered whole.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

use foldhash::fast::RandomState;

/// Values by key, at most `room` of them. Asked by key only: nothing depends on the order in which they lie.
#[derive(Clone, Debug)]
pub(super) struct Remembered<K, V> {
    recent: HashMap<K, V, RandomState>,
    older: HashMap<K, V, RandomState>,
    room: usize,
    forgotten: u64,
}

impl<K: Eq + Hash, V: Default> Remembered<K, V> {
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
        // What was met before is carried over first: the older half goes only for a key that is in neither.
        let known = if self.older.is_empty() { None } else { self.older.remove(&key) };
        if self.recent.len() >= (self.room / 2).max(1) && !self.recent.contains_key(&key) {
            self.forgotten += self.older.len() as u64;
            self.older = std::mem::take(&mut self.recent);
        }
        match self.recent.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(known.unwrap_or_default()),
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

/// Values by key like [`Remembered`], for keys that are only ever asked for: each is kept as a mark of 16 bytes, whatever its own size. Two keys with one mark are not
/// to be met: the marks are keyed anew in each process, so nobody can look for such keys either.
#[derive(Clone, Debug)]
pub(super) struct Marked<K, V> {
    kept: Remembered<(u64, u64), V>,
    marks: [RandomState; 2],
    keys: PhantomData<fn(K)>,
}

impl<K: Hash, V: Default> Marked<K, V> {
    /// An empty memory for so many keys.
    pub(super) fn new(room: usize) -> Self {
        Self { kept: Remembered::new(room), marks: [RandomState::default(), RandomState::default()], keys: PhantomData }
    }

    /// The value of the key, if it is remembered.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.kept.get(&self.mark(key))
    }

    /// Whether the key is remembered.
    pub(super) fn has(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// As [`Remembered::meet`].
    pub(super) fn meet(&mut self, key: &K) -> &mut V {
        self.kept.meet(self.mark(key))
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.kept.forgotten()
    }

    /// A number that stands for something in values of this memory, where few are held against each other; never zero.
    pub(super) fn number(&self, of: impl Hash) -> u32 {
        (self.marks[0].hash_one(of) >> 32) as u32 | 1
    }

    fn mark(&self, key: &K) -> (u64, u64) {
        let [one, other] = &self.marks;
        (one.hash_one(key), other.hash_one(key))
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
