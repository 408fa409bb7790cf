//! Puts the frames of several interfaces in order of time. Each ring hands its frames over when a block is full or a tenth of a second old, so those of one come long after
//! later ones of another: an answer before its request, a copy long after its packet. A frame waits until every interface has come as far.

use std::collections::VecDeque;

use super::Record;
use crate::limit::LIVE_IN_ORDER;
use crate::time::Timestamp;

/// Frames that wait for earlier ones of other interfaces.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// In order of time.
    waiting: VecDeque<Record>,
    /// Bytes of what was taken at once, the first of them by its number, and how many of its frames wait.
    blocks: VecDeque<(Vec<u8>, usize)>,
    first: u64,
    /// Bytes of all.
    bytes: usize,
}

impl Order {
    /// Takes frames, whose bytes lie in the block, and leaves an empty one.
    pub(super) fn take(&mut self, records: &mut Vec<Record>, block: &mut Vec<u8>) {
        if records.is_empty() {
            return;
        }
        let number = self.first + self.blocks.len() as u64;
        records.sort_by_key(|record| record.time);
        let is_later = self.waiting.back().zip(records.first()).is_none_or(|(last, next)| last.time <= next.time);
        self.bytes += block.len();
        self.blocks.push_back((std::mem::take(block), records.len()));
        self.waiting.extend(records.drain(..).map(|record| Record { block: number, ..record }));
        if !is_later {
            self.waiting.make_contiguous().sort_by_key(|record| record.time);
        }
    }

    /// Moves the frames up to a moment into `records`, at most so many; more of them where too much waits. Their [bytes](Self::bytes) stay until [`forget`](Self::forget) is called.
    pub(super) fn lend(&mut self, until: Timestamp, most: usize, records: &mut Vec<Record>) {
        while records.len() < most
            && let Some(next) = self.waiting.front()
            && (next.time <= until || self.bytes > LIVE_IN_ORDER)
            && let Some(next) = self.waiting.pop_front()
        {
            records.push(next);
        }
    }

    /// The bytes of a frame that was lent.
    pub(super) fn bytes(&self, record: &Record) -> &[u8] {
        let place = usize::try_from(record.block.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.blocks.get(place).and_then(|(block, _)| block.get(record.from..record.from + record.len)).unwrap_or_default()
    }

    /// The frames were passed on. Gives a block back whose room may be used again.
    pub(super) fn forget(&mut self, records: &[Record]) -> Option<Vec<u8>> {
        for record in records {
            let place = usize::try_from(record.block.saturating_sub(self.first)).unwrap_or(usize::MAX);
            if let Some((_, left)) = self.blocks.get_mut(place) {
                *left -= 1;
            }
        }
        let mut free = None;
        while self.blocks.front().is_some_and(|(_, left)| *left == 0)
            && let Some((mut block, _)) = self.blocks.pop_front()
        {
            self.first += 1;
            self.bytes -= block.len();
            block.clear();
            free = Some(block);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;

    /// Frames of an interface at these milliseconds, each of one byte that is its number.
    fn taken(tap: u32, times: &[(i64, u8)]) -> (Vec<Record>, Vec<u8>) {
        let record = |(from, (time, number)): (usize, &(i64, u8))| Record {
            tap,
            number: (*number).into(),
            link: LinkType::ETHERNET,
            time: Timestamp::from_nanos(time * 1_000_000),
            wire_len: 1,
            block: 0,
            from,
            len: 1,
        };
        (times.iter().enumerate().map(record).collect(), times.iter().map(|(_, number)| *number).collect())
    }

    fn lent(order: &mut Order, until: i64, most: usize) -> Vec<u8> {
        let mut records = Vec::new();
        order.lend(Timestamp::from_nanos(until * 1_000_000), most, &mut records);
        let bytes = records.iter().flat_map(|record| order.bytes(record).to_vec()).collect();
        order.forget(&records);
        bytes
    }

    #[test]
    fn a_frame_waits_until_every_interface_has_come_as_far() {
        let mut order = Order::default();
        let (mut records, mut block) = taken(0, &[(10, 1), (30, 3), (50, 5)]);
        order.take(&mut records, &mut block);
        assert!(records.is_empty() && block.is_empty());
        assert_eq!(lent(&mut order, 10, 9), [1]);
        let (mut records, mut block) = taken(1, &[(20, 2), (40, 4), (60, 6)]);
        order.take(&mut records, &mut block);
        assert_eq!(lent(&mut order, 50, 3), [2, 3, 4]);
        assert_eq!(lent(&mut order, 50, 3), [5]);
        assert_eq!(order.blocks.len(), 1, "what was passed on is not kept");
        assert_eq!(lent(&mut order, 60, 3), [6]);
        assert_eq!((order.blocks.len(), order.bytes, order.waiting.len()), (0, 0, 0));
    }

    #[test]
    fn frames_of_one_moment_stay_in_the_order_in_which_they_came() {
        let mut order = Order::default();
        for (tap, times) in [(0, [(10, 1), (10, 2)]), (1, [(10, 3), (10, 4)])] {
            let (mut records, mut block) = taken(tap, &times);
            order.take(&mut records, &mut block);
        }
        assert_eq!(lent(&mut order, 10, 9), [1, 2, 3, 4]);
    }

    #[test]
    fn no_more_waits_than_there_is_room_for() {
        let mut order = Order::default();
        for number in 0..4 {
            let (mut records, _) = taken(0, &[(10 + i64::from(number), number)]);
            order.take(&mut records, &mut vec![number; LIVE_IN_ORDER / 2]);
        }
        let mut records = Vec::new();
        order.lend(Timestamp::EPOCH, 1, &mut records);
        assert_eq!(records.len(), 1);
        order.forget(&records);
        assert!(order.bytes <= 2 * LIVE_IN_ORDER);
    }
}
