//! The name book: by which names hosts are known, who said so, and to whom.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::identify::ledger::{Ledger, Place, Room, Stamp};
use crate::identify::wire::host_name_of;
use crate::identify::{Heard, NameSource};
use crate::limit;
use crate::time::Timestamp;

/// What one statement said about one address.
#[derive(Clone, Debug)]
struct Entry {
    /// The name asked for, then the names passed on the way, one a line: in one block, as most statements say one name.
    names: Arc<str>,
    source: NameSource,
    /// Who asked; none where everybody heard it.
    client: Option<IpAddr>,
    /// How long it holds, in seconds.
    lasts: u32,
}

/// Names by address.
#[derive(Debug)]
pub(super) struct Names {
    heard: Ledger<IpAddr, Entry>,
    /// Names that the capture file itself records: true whenever a flow is judged, sorted.
    recorded: OnceLock<DashMap<IpAddr, Vec<Box<str>>, RandomState>>,
    /// Names recorded that found no room.
    refused: AtomicU64,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { heard: Ledger::new(ROOM), recorded: OnceLock::new(), refused: AtomicU64::new(0) }
    }

    /// Enters that `addresses` have `names`, one a line, as `source` told `client`, for `ttl` (held between [`limit::NAME_HOLDS`] bounds).
    pub(super) fn heard(&self, addresses: impl Iterator<Item = IpAddr>, names: &str, source: NameSource, client: Option<IpAddr>, ttl: Duration, stamp: Stamp) {
        let lasts = ttl.clamp(*limit::NAME_HOLDS.start(), *limit::NAME_HOLDS.end());
        let lasts = u32::try_from(lasts.as_secs()).unwrap_or(u32::MAX);
        let mut kept: Option<Arc<str>> = None;
        for (n, address) in (0..).zip(addresses) {
            let stamp = (stamp.0, stamp.1, stamp.2.saturating_add(n));
            self.heard.add(address, stamp, |latest| {
                // A host is mostly called what it was called before.
                let known = || latest.filter(|latest| *latest.names == *names).map_or_else(|| names.into(), |latest| Arc::clone(&latest.names));
                Entry { names: Arc::clone(kept.get_or_insert_with(known)), source, client, lasts }
            });
        }
    }

    /// Enters a name that the capture file records, at most those of [`limit::HOSTS_RECORDED`] hosts. To be told by one shard alone.
    pub(super) fn recorded(&self, address: IpAddr, name: &str) {
        let Some(name) = host_name_of(name) else { return };
        let recorded = self.recorded.get_or_init(DashMap::default);
        if recorded.len() >= limit::HOSTS_RECORDED && !recorded.contains_key(&address) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut names = recorded.entry(address).or_default();
        if let Err(place) = names.binary_search(&name) {
            names.insert(place, name);
            names.truncate(limit::NAMES_OF_A_HOST);
        }
    }

    /// Names of `server` as `client` would say them at that moment, at most [`limit::NAMES_OF_A_HOST`]: what it last asked for (DN-Hunter, Bermudez et al. 2012);
    /// where it asked for none, what anybody said; then what the capture file records.
    pub(super) fn of(&self, client: IpAddr, server: IpAddr, at: Timestamp, tell: &mut dyn FnMut(Heard<'_>)) {
        let recorded = self.recorded.get().and_then(|recorded| recorded.get(&server));
        let recorded = recorded.as_deref().map(Vec::as_slice).unwrap_or_default();
        let heard = self.heard.look_back(server, at + limit::CLOCKS_APART, *limit::NAME_HOLDS.end(), |entries| {
            let mut telling = Telling { told: SmallVec::new(), tell: &mut *tell };
            let (before, after) = entries.split_at(entries.partition_point(|((said, _), _)| said.time() <= at));
            telling.entries(before, at, |entry| entry.client == Some(client));
            if telling.told.is_empty() {
                telling.entries(before, at, |entry| entry.client != Some(client));
            }
            telling.names(recorded.iter().map(|name| &**name), NameSource::Capture, None);
            // An answer may bear a later time than what it led to; what else is said of a host comes later by itself.
            if telling.told.is_empty() {
                telling.entries(after, at, |entry| entry.source == NameSource::Dns);
            }
        });
        if heard.is_none() && !recorded.is_empty() {
            Telling { told: SmallVec::new(), tell }.names(recorded.iter().map(|name| &**name), NameSource::Capture, None);
        }
    }

    /// Whether one of the names that [`of`](Self::of) may give is such; where there are very many, that is not ruled out.
    pub(super) fn any(&self, server: IpAddr, at: Timestamp, is: impl Fn(&str) -> bool) -> bool {
        let heard = |entries: &[(Place, Entry)]| entries.len() > ENTRIES_ASKED || entries.iter().any(|(_, entry)| lines(&entry.names).any(&is));
        self.heard.look_back(server, at, *limit::NAME_HOLDS.end(), heard).unwrap_or(false)
            || self.recorded.get().and_then(|recorded| recorded.get(&server)).is_some_and(|names| names.iter().any(|name| is(name)))
    }

    /// See [`Ledger::settle`].
    pub(super) fn settle(&self, now: Timestamp) {
        self.heard.settle(now);
    }

    pub(super) fn lost(&self) -> u64 {
        self.heard.lost() + self.refused.load(Ordering::Relaxed)
    }
}

/// Tells the names of one host, each once, as many as are told of a host.
struct Telling<'a, 't> {
    told: SmallVec<[&'a str; 4]>,
    tell: &'t mut dyn FnMut(Heard<'_>),
}

impl<'a> Telling<'a, '_> {
    /// Names of those of the entries that still hold at that moment, newest first.
    fn entries(&mut self, entries: &'a [(Place, Entry)], at: Timestamp, counts: impl Fn(&Entry) -> bool) {
        for ((said, _), entry) in entries.iter().rev() {
            let age = at.nanos_since(said.time());
            if age <= u64::from(entry.lasts) * NANOS_PER_SECOND && counts(entry) {
                self.names(lines(&entry.names), entry.source, Some(Duration::from_nanos(age)));
                if self.told.len() >= limit::NAMES_OF_A_HOST {
                    break;
                }
            }
        }
    }

    fn names(&mut self, names: impl Iterator<Item = &'a str>, source: NameSource, age: Option<Duration>) {
        for name in names {
            if self.told.len() < limit::NAMES_OF_A_HOST && !self.told.contains(&name) {
                self.told.push(name);
                (self.tell)(Heard { name, source, age });
            }
        }
    }
}

/// The names of an entry. Most have one.
fn lines(names: &str) -> impl Iterator<Item = &str> {
    let end = memchr::memchr(b'\n', names.as_bytes()).unwrap_or(names.len());
    let (first, others) = names.split_at_checked(end).unwrap_or_default();
    std::iter::once(first).chain(others.lines().skip(1))
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// Entries of one host that are asked one by one whether a name of it is of some kind.
const ENTRIES_ASKED: usize = 64;
const ROOM: Room = Room { epoch: limit::NAMES_EPOCH, an_epoch: limit::NAMES_AN_EPOCH, in_all: limit::NAMES_IN_ALL, epochs: limit::NAMES_EPOCHS };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::FrameId;

    /// When, of which address, to whom, which names, for how many seconds.
    type Said<'a> = (i64, &'a str, Option<&'a str>, &'a [&'a str], u64);

    fn book(entries: &[Said<'_>]) -> Names {
        let names = Names::new();
        for (n, (second, address, client, said, ttl)) in (1..).zip(entries) {
            let stamp = (Timestamp::from_parts(*second, 0), FrameId::new(0, n), 0);
            let client = client.map(|ip| ip.parse().unwrap());
            names.heard(std::iter::once(address.parse().unwrap()), &said.join("\n"), NameSource::Dns, client, Duration::from_secs(*ttl), stamp);
        }
        names
    }

    fn of(names: &Names, client: &str, server: &str, second: i64) -> Vec<String> {
        let mut found = Vec::new();
        names.of(client.parse().unwrap(), server.parse().unwrap(), Timestamp::from_parts(second, 0), &mut |heard| found.push(heard.name.to_owned()));
        found
    }

    #[test]
    fn what_a_client_asked_last_comes_first_and_what_others_asked_does_not_come() {
        let names = book(&[
            (1, "203.0.113.9", Some("10.0.0.1"), &["old.example"], 60),
            (2, "203.0.113.9", Some("10.0.0.1"), &["new.example", "alias.cdn.example"], 60),
            (3, "203.0.113.9", Some("10.0.0.2"), &["other.example"], 60),
        ]);
        assert_eq!(of(&names, "10.0.0.1", "203.0.113.9", 9), ["new.example", "alias.cdn.example", "old.example"]);
        assert_eq!(of(&names, "10.0.0.3", "203.0.113.9", 9), ["other.example", "new.example", "alias.cdn.example", "old.example"]);
        assert!(of(&names, "10.0.0.1", "203.0.113.9", 0).is_empty());
    }

    #[test]
    fn an_answer_may_bear_a_slightly_later_time_than_what_it_led_to_but_earlier_ones_go_before() {
        let said = |entries: &[Said<'_>], millis: i64| {
            let (mut found, at) = (Vec::new(), Timestamp::from_parts(1, millis * 1_000_000));
            book(entries).of("10.0.0.1".parse().unwrap(), "203.0.113.9".parse().unwrap(), at, &mut |heard| found.push(heard.name.to_owned()));
            found
        };
        let later: Said<'_> = (2, "203.0.113.9", Some("10.0.0.1"), &["new.example"], 60);
        assert_eq!((said(&[later], 960), said(&[later], 940)), (vec!["new.example".to_owned()], Vec::new()));
        assert_eq!(said(&[(1, "203.0.113.9", None, &["old.example"], 60), later], 960), ["old.example"]);
    }

    #[test]
    fn a_name_ends_an_hour_after_it_was_heard_unless_its_ttl_is_longer() {
        let names = book(&[(0, "203.0.113.9", None, &["short.example"], 1), (0, "203.0.113.8", None, &["long.example"], 7200)]);
        assert_eq!(of(&names, "10.0.0.1", "203.0.113.9", 3600), ["short.example"]);
        assert!(of(&names, "10.0.0.1", "203.0.113.9", 3601).is_empty());
        assert_eq!(of(&names, "10.0.0.1", "203.0.113.8", 7200), ["long.example"]);
    }

    #[test]
    fn a_name_is_as_old_as_the_packet_that_said_it_and_a_recorded_one_has_no_age() {
        let names = book(&[(2, "203.0.113.9", None, &["player.example"], 60)]);
        names.recorded("203.0.113.9".parse().unwrap(), "noted.example");
        let mut ages = Vec::new();
        let at = Timestamp::from_parts(9, 0);
        names.of("10.0.0.1".parse().unwrap(), "203.0.113.9".parse().unwrap(), at, &mut |heard| ages.push((heard.name.to_owned(), heard.age)));
        assert_eq!(ages, [("player.example".to_owned(), Some(Duration::from_secs(7))), ("noted.example".to_owned(), None)]);
    }

    #[test]
    fn a_name_that_the_capture_records_holds_at_any_time() {
        let names = book(&[]);
        names.recorded("10.0.0.9".parse().unwrap(), "Player.Example.");
        names.recorded("10.0.0.9".parse().unwrap(), "\u{1b}[2J");
        assert_eq!(of(&names, "10.0.0.1", "10.0.0.9", -5), ["player.example"]);
    }
}
