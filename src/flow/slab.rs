//! Where live flows lie: slots that are used again, in blocks. Growing moves nothing and takes one block at a time. Empty blocks are given back, as there may
//! have been many flows for a moment.

/// Slots for values, numbered from 0.
#[derive(Debug)]
pub(super) struct Slab<T> {
    blocks: Vec<Option<Block<T>>>,
    /// Blocks with room, the one used next last. Those that have none any more are taken out when they are met.
    roomy: Vec<u32>,
    /// Numbers of blocks that were given back.
    gone: Vec<u32>,
    /// An empty block that is kept, so that none is given back and asked for again and again.
    spare: Option<u32>,
    len: usize,
}

#[derive(Debug)]
struct Block<T> {
    places: Box<[Option<T>]>,
    /// A bit for each place that is taken, or that the block does not have.
    taken: [u64; BLOCK / WORD],
    /// Whether it stands among those with room.
    is_listed: bool,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), roomy: Vec::new(), gone: Vec::new(), spare: None, len: 0 }
    }
}

impl<T> Slab<T> {
    /// Places of a block: as many as fill what an allocator gives without remainder.
    const PLACES: usize = {
        let fit = BLOCK_BYTES / size_of::<Option<T>>();
        if fit < BLOCK { fit } else { BLOCK }
    };
    /// What is marked as taken in an empty block: the places that it does not have.
    const EMPTY: [u64; BLOCK / WORD] = {
        let mut taken = [0; BLOCK / WORD];
        let mut place = Self::PLACES;
        while place < BLOCK {
            taken[place / WORD] |= 1 << (place % WORD);
            place += 1;
        }
        taken
    };

    /// Puts a value into a slot that was given back lately, or a new one; its number.
    pub fn insert(&mut self, value: T) -> u32 {
        let (number, place) = self.vacancy();
        if self.spare == Some(number) {
            self.spare = None;
        }
        if let Some(block) = self.blocks.get_mut(number as usize).and_then(Option::as_mut) {
            block.taken[place / WORD] |= 1 << (place % WORD);
            block.places[place] = Some(value);
            self.len += 1;
        }
        number * BLOCK as u32 + place as u32
    }

    /// How many values there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The value in a slot.
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.blocks.get(slot as usize / BLOCK)?.as_ref()?.places.get(slot as usize % BLOCK)?.as_ref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.blocks.get_mut(slot as usize / BLOCK)?.as_mut()?.places.get_mut(slot as usize % BLOCK)?.as_mut()
    }

    /// Takes a value out and gives its slot back.
    pub fn remove(&mut self, slot: u32) -> Option<T> {
        let (number, place) = (slot / BLOCK as u32, slot as usize % BLOCK);
        let block = self.blocks.get_mut(number as usize)?.as_mut()?;
        let value = block.places.get_mut(place)?.take()?;
        block.taken[place / WORD] &= !(1 << (place % WORD));
        self.len -= 1;
        if !std::mem::replace(&mut block.is_listed, true) {
            self.roomy.push(number);
        }
        if block.taken == Self::EMPTY {
            match self.spare {
                None => self.spare = Some(number),
                Some(_) => self.give_back(number),
            }
        }
        Some(value)
    }

    /// All values with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let blocks = (0..).step_by(BLOCK).zip(&self.blocks);
        blocks
            .flat_map(|(first, block)| (first..).zip(block.iter().flat_map(|block| block.places.iter())))
            .filter_map(|(slot, value)| Some((slot, value.as_ref()?)))
    }

    /// A block with a place that is free in it.
    fn vacancy(&mut self) -> (u32, usize) {
        while let Some(number) = self.roomy.last().copied() {
            if let Some(Some(block)) = self.blocks.get_mut(number as usize) {
                if let Some(place) = block.vacancy() {
                    return (number, place);
                }
                block.is_listed = false;
            }
            self.roomy.pop();
        }
        let block = Block { places: (0..Self::PLACES).map(|_| None).collect(), taken: Self::EMPTY, is_listed: true };
        let number = self.gone.pop().unwrap_or(self.blocks.len() as u32);
        match self.blocks.get_mut(number as usize) {
            Some(place) => *place = Some(block),
            None => self.blocks.push(Some(block)),
        }
        self.roomy.push(number);
        (number, 0)
    }

    /// Gives a block's memory back. Its number is used again before others are made.
    fn give_back(&mut self, number: u32) {
        if let Some(block) = self.blocks.get_mut(number as usize) {
            *block = None;
            self.roomy.retain(|roomy| *roomy != number);
            self.gone.push(number);
        }
    }
}

impl<T> Block<T> {
    /// The first free place.
    fn vacancy(&self) -> Option<usize> {
        let (word, taken) = (0..).zip(self.taken).find(|(_, taken)| *taken != u64::MAX)?;
        Some(word * WORD + taken.trailing_ones() as usize)
    }
}

/// Bytes of a block, at most: a step of the allocator's sizes.
const BLOCK_BYTES: usize = 64 * 1024;
/// Numbers that a block takes of the slots', and places that it has at most.
const BLOCK: usize = 512;
const WORD: usize = u64::BITS as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_given_back_is_the_next_to_be_used_and_others_keep_their_values() {
        let mut slab = Slab::default();
        let slots: Vec<u32> = (0..1_000).map(|value| slab.insert(value)).collect();
        assert_eq!(slots, (0..1_000).collect::<Vec<_>>());
        assert_eq!((slab.remove(300), slab.remove(300), slab.get(300)), (Some(300), None, None));
        assert_eq!((slab.insert(7), slab.get(300), slab.get(999), slab.get(70_000)), (300, Some(&7), Some(&999), None));
        assert_eq!(slab.iter().map(|(slot, value)| u32::from(slot == *value)).sum::<u32>(), 999);
    }

    #[test]
    fn empty_blocks_are_given_back_but_one_and_their_numbers_are_used_again() {
        let mut slab = Slab::default();
        (0..2_048).for_each(|value| assert_eq!(slab.insert(value), value));
        let blocks = |slab: &Slab<u32>| slab.blocks.iter().flatten().count();
        (512..2_048).for_each(|slot| assert_eq!(slab.remove(slot), Some(slot)));
        assert_eq!((blocks(&slab), slab.len(), slab.iter().count(), slab.get(600)), (2, 512, 512, None));
        let mut again: Vec<u32> = (0..1_536).map(|value| slab.insert(value)).collect();
        again.sort_unstable();
        assert_eq!((blocks(&slab), again), (4, (512..2_048).collect()));
        // Values put in and taken out where the last block is full cost no block each time.
        for value in 0..10 {
            let slot = slab.insert(value);
            assert_eq!((slot / 512, slab.remove(slot), blocks(&slab)), (4, Some(value), 5));
        }
    }

    #[test]
    fn a_block_has_as_many_places_as_fit_and_its_last_numbers_stand_for_nothing() {
        let mut slab = Slab::default();
        let slots: Vec<u32> = (0..1_000).map(|value| slab.insert([value; 36])).collect();
        // 65,536 bytes hold 442 of 148, an option of 36 numbers of four bytes.
        let due: Vec<u32> = (0..442).chain(512..954).chain(1_024..1_140).collect();
        assert_eq!((slots, slab.get(450), slab.iter().map(|(slot, _)| slot).collect::<Vec<_>>()), (due.clone(), None, due));
    }
}
