//! Counting by name: what happened how often, in an order that does not depend on who counted first. Counts as people read them.

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

/// `1 flow`, `12,345 flows`: for people alone.
pub fn counted(many: u64, noun: &str) -> String {
    format!("{} {}", grouped(many), plural(many, noun))
}

/// `1 byte`, `12345 bytes`: in records and files, which programs read, too.
pub fn numbered(many: u64, noun: &str) -> String {
    format!("{many} {}", plural(many, noun))
}

/// `1 byte`, `12345 bytes`, likewise.
pub fn bytes(many: u64) -> String {
    numbered(many, "byte")
}

fn plural(many: u64, noun: &str) -> String {
    if many == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// `12,345,678`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
        assert_eq!([0, 1, 16_380].map(|many| counted(many, "flow")), ["0 flows", "1 flow", "16,380 flows"]);
        assert_eq!([0, 1, 16_380].map(bytes), ["0 bytes", "1 byte", "16380 bytes"]);
    }

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
