//! Where packed records lie: those of one length in a stack of their own, without a gap. Whoever is taken out is replaced by the topmost of its stack, so that millions of
//! records which come and go and change their lengths, in any order, take what they are long and no more. An allocator cannot move what it gave: where each of many
//! records grew a little, what it keeps of their old length was as much again.

/// Records of bytes, each of an owner that has a number.
#[derive(Debug, Default)]
pub struct Stacks {
    /// By their [number](number_of).
    stacks: Vec<Stack>,
    /// Records that are longer than those of any stack: few.
    large: Vec<Box<[u8]>>,
    /// Places of [`large`](Self::large) that are free.
    free: Vec<u32>,
    /// Blocks that are empty: those that are kept, so that none is given back and asked for again and again.
    spare: Vec<Block>,
}

/// Records of one length, each behind the number of its owner: blocks that are full, and behind these one that is not empty.
type Stack = Vec<Block>;

/// Records one behind the other, at most [`BLOCK`] bytes: memory behind them is not touched before it is needed.
type Block = Vec<u8>;

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    block: u32,
    place: u16,
    stack: u16,
}

impl Stacks {
    /// Keeps a record; where it lies until it is taken out, or [moved](Self::remove).
    pub fn insert(&mut self, owner: u32, bytes: &[u8]) -> Spot {
        let Some(number) = number_of(bytes.len()) else { return self.insert_large(bytes) };
        while self.stacks.len() <= number {
            self.stacks.push(Stack::default());
        }
        let (size, stack) = (number * STEP, &mut self.stacks[number]);
        if stack.last().is_none_or(|block| block.len() + size > BLOCK) {
            stack.push(self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK)));
        }
        let mut spot = Spot { block: stack.len().saturating_sub(1) as u32, place: 0, stack: number as u16 };
        if let Some(block) = stack.last_mut() {
            let from = block.len();
            spot.place = (from / size) as u16;
            block.extend_from_slice(&owner.to_le_bytes());
            block.extend_from_slice(bytes);
            block.resize(from + size, 0);
        }
        spot
    }

    /// The record there, and at most some bytes behind it that mean nothing.
    pub fn get(&self, spot: Spot) -> &[u8] {
        if spot.stack == LARGE {
            return self.large.get(spot.block as usize).map_or(&[], |bytes| bytes);
        }
        let size = usize::from(spot.stack) * STEP;
        let record = self.stacks.get(usize::from(spot.stack)).and_then(|stack| stack.get(spot.block as usize)?.get(usize::from(spot.place) * size..));
        record.and_then(|record| record.get(OWNER..size)).unwrap_or_default()
    }

    /// Takes a record out. Whose record lies there now, if another took its place.
    #[must_use]
    pub fn remove(&mut self, spot: Spot) -> Option<u32> {
        if spot.stack == LARGE {
            if let Some(bytes) = self.large.get_mut(spot.block as usize) {
                *bytes = Box::default();
                self.free.push(spot.block);
            }
            return None;
        }
        let size = usize::from(spot.stack) * STEP;
        let stack = self.stacks.get_mut(usize::from(spot.stack))?;
        let (last, others) = stack.split_last_mut()?;
        let (from, to) = (last.len().checked_sub(size)?, usize::from(spot.place) * size);
        let owner = if spot.block as usize == others.len() {
            if from != to {
                last.copy_within(from..from + size, to);
            }
            (from != to).then_some(&*last)
        } else {
            let block = others.get_mut(spot.block as usize)?;
            block.get_mut(to..to + size)?.copy_from_slice(last.get(from..from + size)?);
            Some(&*block)
        };
        let owner = owner.and_then(|block| block.get(to..)?.first_chunk()).map(|owner| u32::from_le_bytes(*owner));
        last.truncate(from);
        if last.is_empty() {
            let block = stack.pop();
            self.spare.extend(block.filter(|_| self.spare.len() < SPARE_BLOCKS));
        }
        owner
    }

    /// Bytes of the blocks that it has, and of what has no place in one.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        let blocks = self.stacks.iter().map(Vec::len).sum::<usize>() + self.spare.len();
        blocks * BLOCK + self.large.iter().map(|bytes| bytes.len()).sum::<usize>()
    }

    fn insert_large(&mut self, bytes: &[u8]) -> Spot {
        let free = self.free.pop().unwrap_or(self.large.len() as u32);
        match self.large.get_mut(free as usize) {
            Some(place) => *place = bytes.into(),
            None => self.large.push(bytes.into()),
        }
        Spot { block: free, place: 0, stack: LARGE }
    }
}

/// The stack of records of so many bytes, by their length with the owner's number; none where they are too long for any.
fn number_of(len: usize) -> Option<usize> {
    let number = len.saturating_add(OWNER).div_ceil(STEP);
    (number <= LONGEST / STEP).then_some(number)
}

/// Bytes of an owner's number.
const OWNER: usize = size_of::<u32>();
/// Bytes by which records of neighbouring stacks differ.
const STEP: usize = 4;
/// Bytes of the longest record that has a stack.
const LONGEST: usize = 1_024;
/// Bytes of a block: few enough that a last one of each stack is not much, and so many that little is left over behind its records.
const BLOCK: usize = 16 * 1024;
/// Empty blocks that are kept.
const SPARE_BLOCKS: usize = 8;
/// Stands for no stack: the record is a large one.
const LARGE: u16 = 0;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Takes a record out and notes who was moved.
    fn remove(stacks: &mut Stacks, spots: &mut BTreeMap<u32, Spot>, owner: u32) {
        let spot = spots.remove(&owner).unwrap();
        if let Some(moved) = stacks.remove(spot) {
            assert_ne!(spots.insert(moved, spot), None, "{moved} has a record");
        }
    }

    fn bytes_of(owner: u32, len: usize) -> Vec<u8> {
        (0..len).map(|at| (owner as usize * 7 + at) as u8).collect()
    }

    proptest! {
        #[test]
        fn whoever_comes_and_goes_each_owner_finds_its_own_record(steps in prop::collection::vec((any::<bool>(), any::<u16>(), 0_usize..1_200), 1..600)) {
            let (mut stacks, mut spots, mut lens) = (Stacks::default(), BTreeMap::new(), BTreeMap::new());
            for (owner, (comes, which, len)) in (0_u32..).zip(steps) {
                // Many of few lengths, so that stacks are high.
                let len = if len < 1_000 { len % 3 * 100 } else { len };
                let gone = spots.keys().nth(usize::from(which) % spots.len().max(1)).copied();
                match gone.filter(|_| !comes) {
                    Some(gone) => remove(&mut stacks, &mut spots, gone),
                    None => {
                        spots.insert(owner, stacks.insert(owner, &bytes_of(owner, len)));
                        lens.insert(owner, len);
                    }
                }
                for (owner, spot) in &spots {
                    let (bytes, due) = (stacks.get(*spot), bytes_of(*owner, lens[owner]));
                    prop_assert!(bytes.starts_with(&due) && bytes.len() < due.len() + STEP);
                }
            }
        }
    }

    #[test]
    fn records_that_grow_one_by_one_in_any_order_leave_no_gaps() {
        let (mut stacks, mut spots, many) = (Stacks::default(), BTreeMap::new(), 20_000_u32);
        for len in [100_usize, 117, 130, 161] {
            // In an order that jumps about: 7,919 has no divisor in common with their number.
            for owner in (0..many).map(|number| number * 7_919 % many) {
                if spots.contains_key(&owner) {
                    remove(&mut stacks, &mut spots, owner);
                }
                spots.insert(owner, stacks.insert(owner, &bytes_of(owner, len)));
                let most = many as usize * (len + OWNER + STEP) * 101 / 100 + (SPARE_BLOCKS + 2) * BLOCK;
                assert!(stacks.held() <= most, "{} bytes at {len}", stacks.held());
            }
        }
        (0..many).for_each(|owner| remove(&mut stacks, &mut spots, owner));
        assert!(stacks.held() <= SPARE_BLOCKS * BLOCK, "{}", stacks.held());
    }
}
