//! Where live flows lie: slots that are used again, in blocks, so that growing moves nothing and takes no more than one block too much. Blocks that are empty are
//! given back: there may have been many flows for a moment.

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
    places: Box<[Option<T>; BLOCK]>,
    /// A bit for each place that is taken.
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
        if block.taken == [0; BLOCK / WORD] {
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
        let block = Block { places: Box::new([const { None }; BLOCK]), taken: [0; BLOCK / WORD], is_listed: true };
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

/// Slots of a block: some 40 KiB of flows.
const BLOCK: usize = 256;
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
        (0..1_024).for_each(|value| assert_eq!(slab.insert(value), value));
        let blocks = |slab: &Slab<u32>| slab.blocks.iter().flatten().count();
        (256..1_024).for_each(|slot| assert_eq!(slab.remove(slot), Some(slot)));
        assert_eq!((blocks(&slab), slab.len(), slab.iter().count(), slab.get(600)), (2, 256, 256, None));
        let mut again: Vec<u32> = (0..768).map(|value| slab.insert(value)).collect();
        again.sort_unstable();
        assert_eq!((blocks(&slab), again), (4, (256..1_024).collect()));
        // Values put in and taken out where the last block is full cost no block each time.
        for value in 0..10 {
            let slot = slab.insert(value);
            assert_eq!((slot / 256, slab.remove(slot), blocks(&slab)), (4, Some(value), 5));
        }
    }
}
