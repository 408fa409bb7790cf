//! Counting by name: what happened how often, in an order that does not depend on who counted first.

use std::collections::BTreeMap;

/// Counts by key, in key order. Two tallies of the same traffic, added in any order, are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<K: Ord> {
    counts: BTreeMap<K, u64>,
}

impl<K: Ord> Tally<K> {
    /// One more of `key`.
    pub fn one(&mut self, key: K) {
        self.add(key, 1);
    }

    /// One more of `key`, which is made only where it was not counted before.
    pub fn one_of<Q: ?Sized + Ord + ToOwned<Owned = K>>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        match self.counts.get_mut(key) {
            Some(count) => *count += 1,
            None => self.one(key.to_owned()),
        }
    }

    /// `many` more of `key`; nothing is entered for none.
    pub fn add(&mut self, key: K, many: u64) {
        if many > 0 {
            *self.counts.entry(key).or_default() += many;
        }
    }

    /// Adds all that another tally counted.
    pub fn merge(&mut self, other: Self) {
        for (key, many) in other.counts {
            self.add(key, many);
        }
    }

    /// How many of `key`.
    pub fn of(&self, key: &K) -> u64 {
        self.counts.get(key).copied().unwrap_or(0)
    }

    /// All keys together.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Keys with their counts, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(key, many)| (key, *many))
    }
}

impl<K: Ord> Default for Tally<K> {
    fn default() -> Self {
        Self { counts: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_added_in_any_order_are_equal() {
        let (mut a, mut b) = (Tally::default(), Tally::default());
        a.one("x");
        b.add("y", 2);
        b.add("z", 0);
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(b);
        ba.merge(a);
        assert_eq!(ab, ba);
        assert_eq!((ab.total(), ab.of(&"y"), ab.of(&"z")), (3, 2, 0));
    }
}
