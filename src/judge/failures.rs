//! Failures while they are gathered, each kind by its pairs of hosts.

use std::collections::BTreeMap;

use crate::judge::finding::{Key, Pair, add_to};
use crate::judge::gathered::Gathered;
use crate::limit;
use crate::signature::{ServiceId, Signatures};
use crate::time::Timestamp;

/// What failed, by what is alike, then by who wanted what of whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    kinds: BTreeMap<Key, BTreeMap<Pair, Gathered>>,
    pairs: usize,
}

impl Failures {
    /// Adds what failed; false where there is no room for one more pair. What fails for the first time is never without room, however much failed before.
    pub(super) fn add(&mut self, key: Key, pair: Pair, gathered: Gathered) -> bool {
        let is_known = self.kinds.get(&key).map(|pairs| pairs.contains_key(&pair));
        let bound = if is_known.is_none() { 2 * limit::PAIRS_GATHERED } else { limit::PAIRS_GATHERED };
        if is_known != Some(true) {
            if self.pairs >= bound {
                return false;
            }
            self.pairs += 1;
        }
        add_to(self.kinds.entry(key).or_default(), pair, gathered);
        true
    }

    /// Where little room is left, forgets what did not go on after `before`.
    pub(super) fn make_room(&mut self, before: Timestamp) {
        if self.pairs < limit::PAIRS_GATHERED / 4 * 3 {
            return;
        }
        for pairs in self.kinds.values_mut() {
            pairs.retain(|_, gathered| gathered.last >= before);
        }
        self.kinds.retain(|_, pairs| !pairs.is_empty());
        self.pairs = self.kinds.values().map(BTreeMap::len).sum();
    }

    /// All of it, in order. One way to a server is told once: what was tried before the capture told the server's name goes to the row that the name led to later.
    pub(super) fn told_once(self, signatures: &Signatures) -> Vec<(Key, Pair, Gathered)> {
        let mut moved: BTreeMap<(Key, Pair), ServiceId> = BTreeMap::new();
        for (key, pairs) in &self.kinds {
            let named = pairs.iter().filter_map(|(pair, gathered)| Some(((key.clone(), *pair), self.named_later(signatures, key, *pair, gathered)?)));
            moved.extend(named);
        }
        let mut all: BTreeMap<(Key, Pair), Gathered> = BTreeMap::new();
        for (key, pairs) in self.kinds {
            for (pair, gathered) in pairs {
                let row = moved.get(&(key.clone(), pair)).copied();
                add_to(&mut all, (row.map_or_else(|| key.clone(), |row| key.of_row(row)), pair), gathered);
            }
        }
        all.into_iter().map(|((key, pair), gathered)| (key, pair, gathered)).collect()
    }

    /// The row of the same document to which a name led in other tries of the same pair, where these tries were made without one. Only of connections that never stood: what stood
    /// may have asked for another name. Where names lead to several rows nobody can tell which was meant.
    fn named_later(&self, signatures: &Signatures, key: &Key, pair: Pair, gathered: &Gathered) -> Option<ServiceId> {
        if gathered.stood || !gathered.server_names.is_empty() {
            return None;
        }
        let document = |id: ServiceId| signatures.service(id).document;
        let (own, (_, transport, server)) = (key.service?, pair);
        let is_named = |other: &ServiceId| {
            let tries = self.kinds.get(&key.of_row(*other)).and_then(|pairs| pairs.get(&pair));
            tries.is_some_and(|tries| !tries.stood && !tries.server_names.is_empty())
        };
        let mut others = signatures.at(transport, server.port).filter(|other| *other != own && document(*other) == document(own)).filter(is_named);
        let one = others.next()?;
        others.next().is_none().then_some(one)
    }
}
