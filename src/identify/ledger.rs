//! A book that all shards write and only the judge reads: stamped with packet time, bounded, and the same whoever wrote first.
//!
//! Entries lie in epochs of packet time. An epoch that is full keeps its earliest entries: an entry that is kept for a reader at some moment
//! can then be displaced only by an earlier one, never by what another shard, further ahead, has already met.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use foldhash::fast::RandomState;

use crate::capture::FrameId;
use crate::time::Timestamp;

/// When an entry was learned: the packet's time, its frame, and the place among what that frame said.
pub(super) type Stamp = (Timestamp, FrameId, u32);

/// Entries by key and stamp.
#[derive(Debug)]
pub(super) struct Ledger<K: Eq + Hash, V> {
    epochs: DashMap<i64, Epoch<K, V>, RandomState>,
    /// How many entries each key has in all epochs: most keys that are looked up have none.
    known: DashMap<K, u32, RandomState>,
    length: i64,
    room: usize,
    lost: AtomicU64,
}

#[derive(Debug)]
struct Epoch<K, V> {
    entries: BTreeMap<(K, Stamp), V>,
    order: BTreeSet<(Stamp, K)>,
}

impl<K: Ord + Copy + Hash, V> Ledger<K, V> {
    /// A book whose epochs last `length` and hold `room` entries each.
    pub(super) fn new(length: Duration, room: usize) -> Self {
        let length = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX).max(1);
        Self { epochs: DashMap::default(), known: DashMap::default(), length, room, lost: AtomicU64::new(0) }
    }

    /// Enters a value.
    pub(super) fn add(&self, key: K, stamp: Stamp, value: V) {
        let mut epoch = self.epochs.entry(self.epoch_of(stamp.0)).or_insert_with(|| Epoch { entries: BTreeMap::new(), order: BTreeSet::new() });
        if epoch.entries.insert((key, stamp), value).is_some() {
            return;
        }
        epoch.order.insert((stamp, key));
        *self.known.entry(key).or_default() += 1;
        if epoch.order.len() > self.room
            && let Some((last, its_key)) = epoch.order.pop_last()
        {
            epoch.entries.remove(&(its_key, last));
            self.forget(its_key);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Shows the entries of `key` from `at` back to `reach` before it, newest first, until `take` returns false.
    pub(super) fn look_back(&self, key: K, at: Timestamp, reach: Duration, mut take: impl FnMut(Stamp, &V) -> bool) {
        if !self.known.contains_key(&key) {
            return;
        }
        let (newest, oldest) = (self.epoch_of(at), self.epoch_of(at - reach));
        let (from, to) = ((key, (at - reach, FrameId::default(), 0)), (key, (at, LAST_FRAME, u32::MAX)));
        for number in (oldest..=newest).rev() {
            let Some(epoch) = self.epochs.get(&number) else { continue };
            for ((_, stamp), value) in epoch.entries.range(from..=to).rev() {
                if !take(*stamp, value) {
                    return;
                }
            }
        }
    }

    /// Forgets the epochs that ended before `moment`.
    pub(super) fn forget_before(&self, moment: Timestamp) {
        let oldest = self.epoch_of(moment);
        self.epochs.retain(|number, epoch| {
            let stays = *number >= oldest;
            if !stays {
                epoch.order.iter().for_each(|(_, key)| self.forget(*key));
            }
            stays
        });
    }

    /// One entry less of that key.
    fn forget(&self, key: K) {
        if let dashmap::Entry::Occupied(mut known) = self.known.entry(key) {
            *known.get_mut() = known.get().saturating_sub(1);
            if *known.get() == 0 {
                known.remove();
            }
        }
    }

    /// Entries that found no room.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn epoch_of(&self, time: Timestamp) -> i64 {
        time.nanos().div_euclid(self.length)
    }
}

const LAST_FRAME: FrameId = FrameId { file: u32::MAX, number: u64::MAX };

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(second: i64, number: u64) -> Stamp {
        (Timestamp::from_parts(second, 0), FrameId { file: 0, number }, 0)
    }

    fn read(ledger: &Ledger<u8, u64>, key: u8, second: i64) -> Vec<u64> {
        let mut seen = Vec::new();
        ledger.look_back(key, Timestamp::from_parts(second, 0), Duration::from_secs(100), |_, value| {
            seen.push(*value);
            true
        });
        seen
    }

    #[test]
    fn a_full_book_reads_the_same_in_whatever_order_it_was_written() {
        let entries: Vec<u64> = (0..20).collect();
        let orders = [entries.clone(), entries.iter().rev().copied().collect(), entries.iter().map(|n| n * 7 % 20).collect()];
        for order in orders {
            let ledger = Ledger::new(Duration::from_secs(10), 3);
            for n in order {
                ledger.add(1u8, stamp(n as i64, n), n);
            }
            assert_eq!(read(&ledger, 1, 11), [11, 10, 2, 1, 0]);
            assert_eq!(ledger.lost(), 14);
        }
    }

    #[test]
    fn a_later_entry_and_another_key_are_not_shown() {
        let ledger = Ledger::new(Duration::from_secs(10), 9);
        ledger.add(1, stamp(5, 1), 51);
        ledger.add(2, stamp(5, 2), 52);
        ledger.add(1, stamp(7, 3), 71);
        assert_eq!(read(&ledger, 1, 6), [51]);
        assert_eq!(read(&ledger, 1, 7), [71, 51]);
        assert_eq!(read(&ledger, 1, 105), [71, 51]);
        assert_eq!(read(&ledger, 1, 106), [71]);
        ledger.forget_before(Timestamp::from_parts(10, 0));
        assert!(read(&ledger, 1, 8).is_empty());
    }
}
