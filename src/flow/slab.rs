//! Where live flows lie: slots that are used again, in blocks, so that growing moves nothing and takes no more than one block too much.

/// Slots for values, numbered from 0.
#[derive(Debug)]
pub(super) struct Slab<T> {
    blocks: Vec<Box<[Option<T>; BLOCK]>>,
    vacant: Vec<u32>,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), vacant: Vec::new(), len: 0 }
    }
}

impl<T> Slab<T> {
    /// Puts a value into the slot that was given back last, or a new one; its number.
    pub fn insert(&mut self, value: T) -> u32 {
        if self.vacant.is_empty() {
            self.grow();
        }
        let slot = self.vacant.pop().unwrap_or_default();
        if let Some(place) = self.place(slot) {
            *place = Some(value);
            self.len += 1;
        }
        slot
    }

    /// How many values there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The value in a slot.
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.blocks.get(slot as usize / BLOCK)?.get(slot as usize % BLOCK)?.as_ref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.place(slot)?.as_mut()
    }

    /// Takes a value out and gives its slot back.
    pub fn remove(&mut self, slot: u32) -> Option<T> {
        let value = self.place(slot)?.take()?;
        self.vacant.push(slot);
        self.len -= 1;
        Some(value)
    }

    /// All values with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.blocks.iter().flat_map(|block| block.iter())).filter_map(|(slot, value)| Some((slot, value.as_ref()?)))
    }

    fn place(&mut self, slot: u32) -> Option<&mut Option<T>> {
        self.blocks.get_mut(slot as usize / BLOCK)?.get_mut(slot as usize % BLOCK)
    }

    fn grow(&mut self) {
        let first = self.blocks.len() * BLOCK;
        self.blocks.push(Box::new([const { None }; BLOCK]));
        self.vacant.extend((first..first + BLOCK).rev().filter_map(|slot| u32::try_from(slot).ok()));
    }
}

/// Slots of a block: some 40 KiB of flows.
const BLOCK: usize = 256;

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
}
