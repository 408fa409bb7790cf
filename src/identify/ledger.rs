//! A book that all shards write and only the judge reads: stamped with packet time, bounded, and the same whoever wrote first.
//!
//! Entries lie in epochs of packet time. An epoch that is full keeps its earliest entries: an entry that is kept for a reader at some moment
//! can then be displaced only by an earlier one, never by what another shard, further ahead, has already met. A book that spans more epochs than it can
//! feed keeps less of each, so that a capture of a week has names of every day.

use std::collections::{BTreeMap, BinaryHeap};
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::flow::Moment;
use crate::time::Timestamp;

/// When an entry was learned: the packet's time, its frame, and the place among what that frame said.
pub(super) type Stamp = (Timestamp, FrameId, u32);

/// The same, as it is kept of each entry.
pub(super) type Place = (Moment, u32);

/// How much a book holds. What lies beyond is counted as lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Packet time that one epoch spans.
    pub(super) epoch: Duration,
    /// Entries of one epoch.
    pub(super) an_epoch: usize,
    /// Entries of all epochs that are over together: where there are more epochs than that feeds, each gives up the same share.
    pub(super) in_all: usize,
    /// Epochs that are over and have any entry. The latest stay.
    pub(super) epochs: usize,
}

/// Entries by key and stamp.
#[derive(Debug)]
pub(super) struct Ledger<K: Eq + Hash, V> {
    /// Of each key, in order of their stamps. Most keys that are looked up have none, and many captures none at all.
    entries: OnceLock<Entries<K, V>>,
    epochs: Mutex<Epochs<K>>,
    room: Room,
    /// The epoch of the last [`settle`](Self::settle).
    settled: AtomicI64,
    lost: AtomicU64,
}

type Entries<K, V> = DashMap<K, ThinVec<(Place, V)>, RandomState>;

/// What each epoch has.
#[derive(Debug)]
struct Epochs<K> {
    /// The one that was entered into last, as most of what comes next belongs there, too.
    open: Option<(i64, Epoch<K>)>,
    others: BTreeMap<i64, Epoch<K>>,
}

impl<K: Ord> Epochs<K> {
    fn new() -> Self {
        Self { open: None, others: BTreeMap::new() }
    }

    /// The epoch of that number.
    fn get(&mut self, number: i64) -> &mut Epoch<K> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            let epoch = self.all().remove(&number).unwrap_or_else(Epoch::new);
            self.open = Some((number, epoch));
        }
        &mut self.open.get_or_insert_with(|| (number, Epoch::new())).1
    }

    fn all(&mut self) -> &mut BTreeMap<i64, Epoch<K>> {
        self.others.extend(self.open.take());
        &mut self.others
    }
}

/// What one epoch has. Most never are full: they are put in order once it is asked which entry is the latest.
#[derive(Debug)]
struct Epoch<K> {
    in_order: BinaryHeap<(Place, K)>,
    entered: Vec<(Place, K)>,
}

impl<K: Ord> Epoch<K> {
    const fn new() -> Self {
        Self { in_order: BinaryHeap::new(), entered: Vec::new() }
    }

    fn len(&self) -> usize {
        self.in_order.len() + self.entered.len()
    }

    fn latest_first(&mut self) -> &mut BinaryHeap<(Place, K)> {
        self.in_order.extend(self.entered.drain(..));
        &mut self.in_order
    }
}

impl<K: Ord + Copy + Hash, V> Ledger<K, V> {
    /// An empty book.
    pub(super) fn new(room: Room) -> Self {
        let (entries, epochs) = (OnceLock::new(), Mutex::new(Epochs::new()));
        Self { entries, epochs, room, settled: AtomicI64::new(i64::MIN), lost: AtomicU64::new(0) }
    }

    /// Enters a value, which is made beside the latest that is known of the key.
    pub(super) fn add(&self, key: K, stamp: Stamp, value: impl FnOnce(Option<&V>) -> V) {
        let (mut epochs, place) = (self.epochs(), (Moment::new(stamp.0, stamp.1), stamp.2));
        let epoch = epochs.get(self.epoch_of(stamp.0));
        let is_full = epoch.len() >= self.room.an_epoch;
        if is_full && epoch.latest_first().peek().is_none_or(|latest| *latest < (place, key)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if !self.enter(key, place, value) {
            return;
        }
        if is_full {
            self.trim(epoch, self.room.an_epoch.saturating_sub(1));
        }
        epoch.entered.push((place, key));
    }

    /// Puts a value in its place; whether that was free.
    fn enter(&self, key: K, place: Place, value: impl FnOnce(Option<&V>) -> V) -> bool {
        let mut list = self.entries.get_or_init(DashMap::default).entry(key).or_default();
        let value = value(list.last().map(|(_, latest)| latest));
        // Most come in order.
        let at = if list.last().is_none_or(|(last, _)| *last < place) { list.len() } else { list.partition_point(|(known, _)| *known < place) };
        if let Some(known) = list.get_mut(at).filter(|(known, _)| *known == place) {
            known.1 = value;
            return false;
        }
        // Most keys have one entry.
        if list.len() == list.capacity() {
            let more = list.len().max(1);
            list.reserve_exact(more);
        }
        list.insert(at, (place, value));
        true
    }

    /// Makes the epochs that are over at `now` share the room of all: the earliest go where there are too many, and each of the others keeps as much. To be
    /// called with the same moments whoever writes: then what is left depends on what was entered alone.
    pub(super) fn settle(&self, now: Timestamp) {
        let current = self.epoch_of(now);
        if self.settled.swap(current, Ordering::Relaxed) == current {
            return;
        }
        let mut guard = self.epochs();
        let epochs = guard.all();
        let mut over = epochs.range(..current).count();
        while over > self.room.epochs
            && let Some((_, mut earliest)) = epochs.pop_first()
        {
            self.trim(&mut earliest, 0);
            over -= 1;
        }
        let room = self.room_of_each(over);
        if room < self.room.an_epoch {
            epochs.range_mut(..current).for_each(|(_, epoch)| self.trim(epoch, room));
        }
    }

    fn room_of_each(&self, epochs: usize) -> usize {
        self.room.an_epoch.min(self.room.in_all / epochs.max(1))
    }

    /// Takes the latest entries of an epoch away until `room` are left.
    fn trim(&self, epoch: &mut Epoch<K>, room: usize) {
        if epoch.len() <= room {
            return;
        }
        let (epoch, mut gone): (_, Vec<(K, Place)>) = (epoch.latest_first(), Vec::new());
        while epoch.len() > room
            && let Some((place, key)) = epoch.pop()
        {
            gone.push((key, place));
        }
        self.lost.fetch_add(gone.len() as u64, Ordering::Relaxed);
        // What a key loses of an epoch lies together: its latest.
        gone.sort_unstable();
        for of_key in gone.chunk_by(|(one, _), (other, _)| one == other) {
            if let (Some((key, first)), Some((_, last))) = (of_key.first(), of_key.last()) {
                self.forget(*key, *first, *last);
            }
        }
    }

    /// Takes entries of a key away, from one place to another.
    fn forget(&self, key: K, first: Place, last: Place) {
        if let Some(dashmap::Entry::Occupied(mut known)) = self.entries.get().map(|entries| entries.entry(key)) {
            let list = known.get_mut();
            let (from, to) = (list.partition_point(|(place, _)| *place < first), list.partition_point(|(place, _)| *place <= last));
            list.drain(from..to);
            if list.is_empty() {
                known.remove();
            }
        }
    }

    /// Shows the entries of `key` from `at` back to `reach` before it, the newest last; none where there is nothing of that key at any time.
    pub(super) fn look_back<R>(&self, key: K, at: Timestamp, reach: Duration, look: impl FnOnce(&[(Place, V)]) -> R) -> Option<R> {
        let list = self.entries.get()?.get(&key)?;
        let (from, to) = ((Moment::new(at - reach, FrameId::default()), 0), (Moment::new(at, LAST_FRAME), u32::MAX));
        let (from, to) = (list.partition_point(|(place, _)| *place < from), list.partition_point(|(place, _)| *place <= to));
        Some(look(list.get(from..to).unwrap_or_default()))
    }

    /// Entries that found no room.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn epoch_of(&self, time: Timestamp) -> i64 {
        let length = i64::try_from(self.room.epoch.as_nanos()).unwrap_or(i64::MAX).max(1);
        time.nanos().div_euclid(length)
    }

    /// A worker that panicked ends the run anyway; what it left behind is whole.
    fn epochs(&self) -> MutexGuard<'_, Epochs<K>> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LAST_FRAME: FrameId = FrameId::new(u32::MAX, u64::MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(second: i64, number: u64) -> Stamp {
        (Timestamp::from_parts(second, 0), FrameId::new(0, number), 0)
    }

    fn read(ledger: &Ledger<u8, u64>, key: u8, second: i64) -> Vec<u64> {
        let newest_first = |entries: &[(Place, u64)]| entries.iter().rev().map(|(_, value)| *value).collect();
        ledger.look_back(key, Timestamp::from_parts(second, 0), Duration::from_secs(100), newest_first).unwrap_or_default()
    }

    fn room(an_epoch: usize, in_all: usize, epochs: usize) -> Room {
        Room { epoch: Duration::from_secs(10), an_epoch, in_all, epochs }
    }

    /// The same numbers forwards, backwards and mixed up (7 has no divisor in common with their number).
    fn orders(many: u64) -> [Vec<u64>; 3] {
        [(0..many).collect(), (0..many).rev().collect(), (0..many).map(|n| n * 7 % many).collect()]
    }

    #[test]
    fn a_full_book_reads_the_same_in_whatever_order_it_was_written() {
        for order in orders(20) {
            let ledger = Ledger::new(room(3, 100, 100));
            for n in order {
                ledger.add(1u8, stamp(n as i64, n), |_| n);
            }
            assert_eq!(read(&ledger, 1, 11), [11, 10, 2, 1, 0]);
            assert_eq!(ledger.lost(), 14);
        }
    }

    #[test]
    fn more_epochs_than_a_book_can_feed_share_its_room_evenly() {
        for order in orders(40) {
            // Four epochs of ten entries, eight in all: the two earliest of each.
            let ledger = Ledger::new(room(5, 8, 100));
            for n in order {
                ledger.add(1u8, stamp(n as i64, n), |_| n);
            }
            ledger.settle(Timestamp::from_parts(40, 0));
            assert_eq!(read(&ledger, 1, 50), [31, 30, 21, 20, 11, 10, 1, 0]);
            assert_eq!(ledger.lost(), 32);
        }
    }

    #[test]
    fn of_too_many_epochs_the_latest_stay_and_what_goes_is_counted() {
        for order in orders(40) {
            let ledger = Ledger::new(room(3, 100, 2));
            for n in order {
                ledger.add(1u8, stamp(n as i64, n), |_| n);
            }
            ledger.settle(Timestamp::from_parts(40, 0));
            assert_eq!(read(&ledger, 1, 50), [32, 31, 30, 22, 21, 20]);
            assert_eq!(ledger.lost(), 34);
            assert_eq!(ledger.entries.get().and_then(|entries| entries.get(&1)).map(|list| list.len()), Some(6));
        }
    }

    #[test]
    fn the_present_epoch_is_left_alone_and_what_a_writer_far_ahead_entered_costs_nobody_anything() {
        let ledger = Ledger::new(room(5, 4, 100));
        (0..40).for_each(|n| ledger.add(1u8, stamp(n as i64, n), |_| n));
        // At second 15 one epoch is over: it may keep four of all.
        ledger.settle(Timestamp::from_parts(15, 0));
        assert_eq!(read(&ledger, 1, 19), [14, 13, 12, 11, 10, 3, 2, 1, 0]);
        ledger.settle(Timestamp::from_parts(25, 0));
        assert_eq!(read(&ledger, 1, 29), [24, 23, 22, 21, 20, 11, 10, 1, 0]);
    }

    #[test]
    fn a_later_entry_and_another_key_are_not_shown() {
        let ledger = Ledger::new(room(9, 100, 100));
        ledger.add(1, stamp(5, 1), |_| 51);
        ledger.add(2, stamp(5, 2), |_| 52);
        ledger.add(1, stamp(7, 3), |_| 71);
        assert_eq!(read(&ledger, 1, 6), [51]);
        assert_eq!(read(&ledger, 1, 7), [71, 51]);
        assert_eq!(read(&ledger, 1, 105), [71, 51]);
        assert_eq!(read(&ledger, 1, 106), [71]);
    }
}
