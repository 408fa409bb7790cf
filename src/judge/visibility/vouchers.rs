//! Who vouches for servers: a device that opens TLS makes certificates of its own for everything, so that names that have nothing to do with each other
//! share an issuer that no browser knows, and most often one key.
//!
//! Certificates are visible up to TLS 1.2. In TLS 1.3 they are encrypted, and nothing is said of it.

use smallvec::SmallVec;

use crate::identify::{Fact, Identified};
use crate::judge::memory::Remembered;
use crate::judge::threshold;
use crate::judge::visibility::asked::stated;
use crate::limit;
use crate::net::is_private;

/// Owners of names with the mark of a certificate of theirs.
type Vouched = SmallVec<[(Box<str>, u64); 3]>;

/// What was learned of certificates.
#[derive(Clone, Debug)]
pub(super) struct Vouchers {
    /// By the mark of the key.
    keys: Remembered<u64, Vouched>,
    /// By issuer: of servers outside, where no private authority belongs.
    issuers: Remembered<Box<str>, Vouched>,
}

impl Default for Vouchers {
    fn default() -> Self {
        Self { keys: Remembered::new(limit::VOUCHERS_REMEMBERED), issuers: Remembered::new(limit::VOUCHERS_REMEMBERED) }
    }
}

/// A device that opens TLS, as its certificates show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::judge) struct Opener<'a> {
    pub(in crate::judge) issuer: &'a str,
    /// The certificates share one key.
    pub(in crate::judge) one_key: bool,
}

impl Vouchers {
    /// Enters a flow between single hosts.
    pub(super) fn learn(&mut self, identified: &Identified) {
        let Some((issuer, key, whole)) = certified(identified) else { return };
        let Some(owner) = stated(identified).and_then(owner) else { return };
        enter(self.keys.meet(key), owner, whole);
        if !is_private(identified.flow.server.endpoint.ip) {
            enter(self.issuers.meet(issuer.into()), owner, whole);
        }
    }

    /// Who opened this flow's TLS, if its certificate shows that.
    pub(super) fn opener<'a>(&self, identified: &'a Identified) -> Option<Opener<'a>> {
        let (issuer, key, _) = certified(identified)?;
        let many = |vouched: Option<&Vouched>| vouched.is_some_and(|vouched| vouched.len() >= threshold::UNRELATED_NAMES);
        let one_key = many(self.keys.get(&key));
        let outside = !is_private(identified.flow.server.endpoint.ip);
        (one_key || outside && many(self.issuers.get(&Box::from(issuer)))).then_some(Opener { issuer, one_key })
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.keys.forgotten() + self.issuers.forgotten()
    }
}

/// Issuer and marks of a certificate that no public authority issued.
fn certified(identified: &Identified) -> Option<(&str, u64, u64)> {
    identified.facts.iter().find_map(|fact| match fact {
        Fact::Certified { issuer, key, whole, public: false } => Some((&**issuer, *key, *whole)),
        _ => None,
    })
}

/// One certificate for several names is no sign: only other owners with other certificates count.
fn enter(vouched: &mut Vouched, owner: &str, whole: u64) {
    if vouched.len() < threshold::UNRELATED_NAMES && !vouched.iter().any(|(known, mark)| **known == *owner || *mark == whole) {
        vouched.push((owner.into(), whole));
    }
}

/// The part of a name that somebody owns: its last two labels, three under a registry of the second level (`co.uk`). Near enough to tell owners apart.
pub(in crate::judge) fn owner(name: &str) -> Option<&str> {
    let dots: Vec<usize> = name.char_indices().filter(|(_, c)| *c == '.').map(|(place, _)| place).collect();
    let last = *dots.last()?;
    let labels = |many: usize| dots.len().checked_sub(many).map_or(0, |place| dots[place] + 1);
    let second = name.get(labels(2)..last).unwrap_or_default();
    let is_registry = name.len() - last - 1 == 2 && (second.len() <= 3 || second == "gouv");
    let start = if is_registry && dots.len() >= 2 { labels(3) } else { labels(2) };
    name.get(start..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_name_is_told_by_its_last_labels() {
        let owners = ["www.example.com", "example.com", "a.b.example.co.uk", "x.example.de", "localhost"].map(owner);
        assert_eq!(owners, [Some("example.com"), Some("example.com"), Some("example.co.uk"), Some("example.de"), None]);
    }
}
