//! Packed results that many flows have in common, each kept once.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::limit::SHOWN_ALIKE;

/// Packed forms that more than one flow had, by number, each as long as anybody refers to it.
#[derive(Default)]
pub(super) struct Kinds {
    kinds: Vec<Kind>,
    /// Numbers that stand for nothing now.
    free: Vec<u32>,
    lately: Box<[Lately]>,
    hasher: FixedState,
}

#[derive(Default)]
struct Kind {
    bytes: Box<[u8]>,
    /// How many refer to it: flows, and what was met lately.
    known: u32,
}

/// What was met lately, at the place that its hash names.
#[derive(Clone, Copy, Default)]
enum Lately {
    #[default]
    Nothing,
    /// One flow had something with this hash, and keeps it itself: most are like no other.
    Once(u64),
    Kind(u32),
}

impl Kinds {
    /// The kind of a flow that has these bytes, which refers to it from now on; none where no other had them lately.
    pub fn of(&mut self, bytes: &[u8]) -> Option<u32> {
        if self.lately.is_empty() {
            self.lately = vec![Lately::default(); SHOWN_ALIKE].into();
        }
        let hash = self.hasher.hash_one(bytes);
        let place = hash as usize % SHOWN_ALIKE;
        let met = self.lately.get(place).copied().unwrap_or_default();
        let (now, kind) = match met {
            Lately::Kind(known) if self.bytes(known) == bytes => (met, Some(known)),
            // It is made of what is here, whatever the one before had.
            Lately::Once(known) if known == hash => {
                let kind = self.insert(bytes);
                (Lately::Kind(kind), Some(kind))
            }
            _ => (Lately::Once(hash), None),
        };
        if let (Lately::Kind(gone), None) = (met, kind) {
            self.release(gone);
        }
        if let Some(place) = self.lately.get_mut(place) {
            *place = now;
        }
        if let Some(kind) = kind.and_then(|kind| self.kinds.get_mut(kind as usize)) {
            kind.known = kind.known.saturating_add(1);
        }
        kind
    }

    /// Its bytes.
    pub fn bytes(&self, kind: u32) -> &[u8] {
        self.kinds.get(kind as usize).map_or(&[], |kind| &kind.bytes)
    }

    /// Somebody refers to it no more.
    pub fn release(&mut self, number: u32) {
        if let Some(kind) = self.kinds.get_mut(number as usize) {
            kind.known = kind.known.saturating_sub(1);
            if kind.known == 0 {
                *kind = Kind::default();
                self.free.push(number);
            }
        }
    }

    /// Known to what was met lately.
    fn insert(&mut self, bytes: &[u8]) -> u32 {
        let kind = Kind { bytes: bytes.into(), known: 1 };
        match self.free.pop() {
            Some(number) => {
                if let Some(place) = self.kinds.get_mut(number as usize) {
                    *place = kind;
                }
                number
            }
            None => {
                self.kinds.push(kind);
                self.kinds.len().saturating_sub(1) as u32
            }
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.kinds.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_second_flow_has_is_kept_until_nobody_has_it_and_others_were_met() {
        let mut kinds = Kinds::default();
        assert_eq!((kinds.of(b"one"), kinds.of(b"one"), kinds.of(b"two"), kinds.of(b"one")), (None, Some(0), None, Some(0)));
        assert_eq!((kinds.bytes(0), kinds.len()), (&b"one"[..], 1));
        kinds.release(0);
        kinds.release(0);
        assert_eq!((kinds.bytes(0), kinds.len()), (&b"one"[..], 1), "it was met lately");
        let others = |kinds: &mut Kinds| (0..200_000_u32).for_each(|other| assert_eq!(kinds.of(&other.to_le_bytes()), None));
        others(&mut kinds);
        assert_eq!((kinds.bytes(0), kinds.len()), (&b""[..], 0));
        assert_eq!((kinds.of(b"three"), kinds.of(b"three"), kinds.bytes(0)), (None, Some(0), &b"three"[..]));
        others(&mut kinds);
        assert_eq!(kinds.len(), 1, "a flow has it");
    }
}
