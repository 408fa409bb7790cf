//! Who vouches for servers: a device that opens TLS makes certificates of its own for everything, so that names that have nothing to do with each other
//! share an issuer that no browser knows, and most often one key.
//!
//! Certificates are visible up to TLS 1.2. In TLS 1.3 they are encrypted; there a proxy that its clients know (HTTP CONNECT) is told by its own hello, where the
//! tap sees both its sides: one that opens nothing hands its client's hello on as it is.
//!
//! How a server's hello looks says nothing by itself: servers of many owners stand in one content network, and answer alike. It says something where two clients
//! ask the same names with the same kind of hello: one gets the same answer from all of them, whoever owns them and wherever they stand, and the other gets other
//! answers, and not the same ones.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::identify::{Fact, Identified};
use crate::judge::memory::{Marked, Text};
use crate::judge::threshold;
use crate::judge::visibility::asked::stated;
use crate::limit;
use crate::net::is_private;
use crate::time::Timestamp;

/// Owners of names with the mark of a certificate of theirs.
type Vouched = SmallVec<[(Box<str>, u64); 3]>;

/// Marks of hellos, each with the time of its flow.
type Hellos = SmallVec<[(u64, Timestamp); 2]>;

/// Marks of servers' hellos, each with the client that got it.
type Answers = SmallVec<[(IpAddr, u64); 2]>;

/// What a client got: of which name, from which address, how it looked.
type Got = SmallVec<[(Box<str>, IpAddr, u64); 4]>;

/// What was learned of certificates and hellos.
#[derive(Clone, Debug)]
pub(super) struct Vouchers {
    /// By the mark of the key.
    keys: Marked<u64, Vouched>,
    /// By issuer: of servers outside, where no private authority belongs.
    issuers: Marked<Text, Vouched>,
    /// By the host that sent them, and the name that they ask for.
    hellos: Marked<(IpAddr, Text), Hellos>,
    /// By the kind of hello and the name that it asks for.
    answers: Marked<(u64, Text), Answers>,
    /// By client and the kind of its hello.
    got: Marked<(IpAddr, u64), Got>,
}

impl Default for Vouchers {
    fn default() -> Self {
        Self {
            keys: Marked::new(limit::VOUCHERS_REMEMBERED),
            issuers: Marked::new(limit::VOUCHERS_REMEMBERED),
            hellos: Marked::new(limit::NAMES_REMEMBERED),
            answers: Marked::new(limit::NAMES_REMEMBERED),
            got: Marked::new(limit::NAMES_REMEMBERED),
        }
    }
}

/// A device that opens TLS, and what shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::judge) enum Opener<'a> {
    /// Its certificates share one key.
    Key {
        /// Who issued this flow's.
        issuer: &'a str,
    },
    /// Its certificates share a private issuer.
    Issuer(&'a str),
    /// A proxy that was asked for a tunnel sent the name's server a hello of its own.
    Hello,
    /// All servers answer this client alike, and another one not.
    Shape,
}

impl Vouchers {
    /// Enters a flow between single hosts.
    pub(super) fn learn(&mut self, identified: &Identified) {
        if let Some((mark, name)) = hello(identified) {
            let sent = self.hellos.meet(&(identified.flow.client.endpoint.ip, self.hellos.text(name)));
            // Beyond the bound the last place says that there were more.
            sent.truncate(limit::HELLOS_OF_A_NAME);
            sent.push((mark, identified.flow.first));
        }
        self.learn_shapes(identified);
        let Some((issuer, key, whole)) = certified(identified) else { return };
        let Some(owner) = stated(identified).and_then(owner) else { return };
        enter(self.keys.meet(&key), owner, whole);
        if !is_private(identified.flow.server.endpoint.ip) {
            enter(self.issuers.meet(&self.issuers.text(issuer)), owner, whole);
        }
    }

    /// Who opened this flow's TLS, if its certificate shows that.
    pub(super) fn opener<'a>(&self, identified: &'a Identified) -> Option<Opener<'a>> {
        if self.is_opened_by_proxy(identified) {
            return Some(Opener::Hello);
        }
        let Some((issuer, key, _)) = certified(identified) else { return self.is_opened_by_shape(identified).then_some(Opener::Shape) };
        let many = |vouched: Option<&Vouched>| vouched.is_some_and(|vouched| vouched.len() >= threshold::UNRELATED_NAMES);
        let one_key = many(self.keys.get(&key));
        let outside = !is_private(identified.flow.server.endpoint.ip);
        match one_key {
            true => Some(Opener::Key { issuer }),
            false => (outside && many(self.issuers.get(&self.issuers.text(issuer)))).then_some(Opener::Issuer(issuer)),
        }
    }

    fn learn_shapes(&mut self, identified: &Identified) {
        let (Some((asked, answered)), Some(name)) = (shapes(identified), stated(identified)) else { return };
        let (client, server) = (identified.flow.client.endpoint.ip, identified.flow.server.endpoint.ip);
        if is_private(server) {
            return;
        }
        let answers = self.answers.meet(&(asked, self.answers.text(name)));
        if answers.len() < limit::SHAPES_OF_A_HOST && !answers.contains(&(client, answered)) {
            answers.push((client, answered));
        }
        let got = self.got.meet(&(client, asked));
        let known = got.iter().any(|(known, _, shape)| **known == *name && *shape == answered);
        // What differs is kept beyond the bound of what is alike: one other answer shows that no single device gives them.
        let differs = got.iter().all(|(_, _, shape)| *shape != answered);
        if !known && (got.len() < limit::SHAPES_OF_A_HOST || differs && got.len() < 2 * limit::SHAPES_OF_A_HOST) {
            got.push((name.into(), server, answered));
        }
    }

    /// Whether names of several owners, in several networks, all answer this client alike, and each of them answers another client with the same kind of hello
    /// otherwise, and those answers differ.
    fn is_opened_by_shape(&self, identified: &Identified) -> bool {
        let Some((asked, answered)) = shapes(identified) else { return false };
        let client = identified.flow.client.endpoint.ip;
        let Some(got) = self.got.get(&(client, asked)).filter(|got| got.iter().all(|(_, _, shape)| *shape == answered)) else { return false };
        let (mut owners, mut networks, mut others): (Vec<&str>, Vec<IpAddr>, Vec<u64>) = Default::default();
        for (name, server, _) in got {
            let answers = self.answers.get(&(asked, self.answers.text(name))).into_iter().flatten();
            let other = answers.filter(|(asker, shape)| *asker != client && *shape != answered).map(|(_, shape)| *shape).next();
            let (Some(other), Some(owner)) = (other, owner(name)) else { continue };
            if !owners.contains(&owner) {
                owners.push(owner);
            }
            if !networks.contains(&network(*server)) {
                networks.push(network(*server));
            }
            if !others.contains(&other) {
                others.push(other);
            }
        }
        owners.len() >= threshold::UNRELATED_NAMES && networks.len() >= threshold::UNRELATED_NETWORKS && others.len() >= 2
    }

    /// Whether the tunnel's proxy sent a hello for the same name at that time, and none of its hellos is the client's. Where it sent more than are remembered
    /// the client's may have been among them.
    fn is_opened_by_proxy(&self, identified: &Identified) -> bool {
        let flow = &identified.flow;
        let tunnel = |fact: &Fact| fact.as_request().is_some_and(|(method, _)| method == "CONNECT");
        if identified.protocol.first() != Some(&"http") || !identified.facts.iter().any(tunnel) {
            return false;
        }
        let Some((mark, name)) = hello(identified) else { return false };
        let Some(sent) = self.hellos.get(&(flow.server.endpoint.ip, self.hellos.text(name))) else { return false };
        let near = |time: Timestamp| time >= flow.first && time.since(flow.first) <= threshold::HANDED_ON_BY;
        sent.len() <= limit::HELLOS_OF_A_NAME && !sent.iter().any(|(known, _)| *known == mark) && sent.iter().any(|(_, time)| near(*time))
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.keys.forgotten() + self.issuers.forgotten() + self.hellos.forgotten() + self.answers.forgotten() + self.got.forgotten()
    }
}

/// Marks of both hellos.
fn shapes(identified: &Identified) -> Option<(u64, u64)> {
    identified.facts.iter().find_map(|fact| if let Fact::Shapes { asked, answered } = fact { Some((*asked, *answered)) } else { None })
}

/// The network of an address as wide as one owner's may be: 16 bits of IPv4, 32 of IPv6.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => IpAddr::from([v4.octets()[0], v4.octets()[1], 0, 0]),
        IpAddr::V6(v6) => IpAddr::from([v6.segments()[0], v6.segments()[1], 0, 0, 0, 0, 0, 0]),
    }
}

/// The mark of the client's hello, and the name that it asks for.
fn hello(identified: &Identified) -> Option<(u64, &str)> {
    let mark = identified.facts.iter().find_map(|fact| if let Fact::Hello(mark) = fact { Some(*mark) } else { None })?;
    stated(identified).map(|name| (mark, name))
}

/// Issuer and marks of a certificate that no public authority issued.
fn certified(identified: &Identified) -> Option<(&str, u64, u64)> {
    identified.facts.iter().find_map(|fact| match fact {
        Fact::Certified(certified) if !certified.public => Some((&*certified.issuer, certified.key, certified.whole)),
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
