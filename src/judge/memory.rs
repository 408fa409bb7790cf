//! A memory of bounded size that forgets what was not met for longest, in two generations: so a run of months knows the present network, and a capture
//! that fits is remembered whole.

use std::collections::HashMap;
use std::hash::Hash;

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
        if !self.recent.contains_key(&key) {
            let known = self.older.remove(&key);
            if self.recent.len() >= (self.room / 2).max(1) {
                self.forgotten += self.older.len() as u64;
                self.older = std::mem::take(&mut self.recent);
            }
            return self.recent.entry(key).or_insert(known.unwrap_or_default());
        }
        self.recent.entry(key).or_default()
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
