//! What resolvers deny: names that a flow asked for in vain, and whether a document knows them.
//!
//! Learned from flows as they end, a while before they are judged: a resolver that gives other names their addresses is a working one, and a name that the same client
//! got from anybody was not denied to it.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::identify::{Fact, Identified};
use crate::judge::memory::{Marked, Text};
use crate::judge::threshold;
use crate::judge::visibility::{owner, took_part};
use crate::limit;
use crate::net::{is_group, is_private};
use crate::signature::{Service, ServiceId, Signatures};
use crate::time::Timestamp;

/// What resolvers were heard to give.
#[derive(Clone, Debug)]
pub(super) struct Resolvers {
    /// Resolvers that gave some name an address that a host can have.
    answering: Marked<IpAddr, ()>,
    /// Clients with the names that they got addresses of.
    given: Marked<(IpAddr, Text), ()>,
    /// IPv4 addresses of names, whoever asked.
    ipv4: Marked<Text, SmallVec<[IpAddr; 2]>>,
    /// Private addresses with the owners of the names that were given them.
    shared: Marked<IpAddr, SmallVec<[Box<str>; 3]>>,
    /// Of each client: whether any resolver answered it, and those that did not.
    clients: Marked<IpAddr, (bool, SmallVec<[IpAddr; 2]>)>,
    /// When a client asked a resolver for a name in flows without an answer, the earliest.
    asked: Marked<(IpAddr, IpAddr, Text), SmallVec<[Timestamp; 3]>>,
}

impl Default for Resolvers {
    fn default() -> Self {
        Self {
            answering: Marked::new(limit::HOSTS_REMEMBERED),
            given: Marked::new(limit::NAMES_REMEMBERED),
            ipv4: Marked::new(limit::NAMES_REMEMBERED),
            shared: Marked::new(limit::HOSTS_REMEMBERED),
            clients: Marked::new(limit::HOSTS_REMEMBERED),
            asked: Marked::new(limit::NAMES_REMEMBERED),
        }
    }
}

/// A name that a flow asked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Denied<'a> {
    pub(super) name: &'a str,
    pub(super) how: Denial,
    /// The row whose own host pattern the name fits.
    pub(super) row: Option<ServiceId>,
    /// The same resolver gave other names their addresses.
    pub(super) answers_others: bool,
}

/// In which way. Ordered: later says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Denial {
    /// Another result code.
    Code(u16),
    /// No answer.
    Silence,
    /// NXDOMAIN.
    NoSuchName,
    /// SERVFAIL.
    Failed,
    /// REFUSED.
    Refused,
    /// A private address that names of several owners were given.
    Shared(IpAddr),
    /// An address that no host has: the unspecified one, or the asker's own (loopback).
    NoHost(IpAddr),
    /// The resolver says itself that it answers by policy: the info code of RFC 8914.
    Policy(u16),
}

/// A client's luck with its resolvers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Luck {
    /// A resolver answered it.
    pub(super) answered: bool,
    /// Resolvers that did not.
    pub(super) silent: usize,
    /// How often the client asked this resolver for the flow's name in flows without an answer, each after it could have had one.
    pub(super) again: usize,
    /// The same for whatever name.
    pub(super) in_vain: usize,
}

impl Resolvers {
    /// Enters what a flow's answers gave.
    pub(super) fn learn(&mut self, identified: &Identified) {
        if !is_lookup(identified) {
            return;
        }
        let (client, resolver) = (identified.flow.client.endpoint.ip, identified.flow.server.endpoint.ip);
        let (answered, silent) = self.clients.meet(&client);
        *answered |= took_part(&identified.flow);
        if !took_part(&identified.flow) && silent.len() < limit::NAMES_AT_AN_END && !silent.contains(&resolver) {
            silent.push(resolver);
        }
        if !took_part(&identified.flow) || identified.flow.is_torn() {
            // The empty name stands for all of them.
            for name in identified.facts.iter().filter_map(unanswered).chain([""]) {
                let times = self.asked.meet(&(client, resolver, self.asked.text(name)));
                if times.len() < limit::QUESTIONS_TIMED {
                    times.push(identified.flow.first);
                }
            }
        }
        for (name, addresses) in given(identified) {
            self.answering.meet(&resolver);
            self.given.meet(&(client, self.given.text(name)));
            for address in addresses.iter().filter(|address| address.is_ipv4() && !is_nobodys(**address)) {
                let known = self.ipv4.meet(&self.ipv4.text(name));
                if known.len() < limit::NAMES_AT_AN_END && !known.contains(address) {
                    known.push(*address);
                }
            }
            for address in addresses.iter().filter(|address| is_private(**address) && !is_nobodys(**address)) {
                let Some(owner) = owner(name) else { continue };
                let owners = self.shared.meet(address);
                if owners.len() < threshold::UNRELATED_NAMES && !owners.iter().any(|known| **known == *owner) {
                    owners.push(owner.into());
                }
            }
        }
    }

    /// The name that the flow asked for in vain, documented ones first, then by how much was said. `applies`: which rows may be meant.
    pub(super) fn denied<'a>(&self, identified: &'a Identified, signatures: &Signatures, applies: impl Fn(&Service) -> bool) -> Option<Denied<'a>> {
        if !is_lookup(identified) {
            return None;
        }
        let (client, resolver) = (identified.flow.client.endpoint.ip, identified.flow.server.endpoint.ip);
        let has = |name: &str| given(identified).any(|(known, _)| known == name);
        let denials = identified.facts.iter().filter_map(denial).filter(|(name, _)| !has(name));
        let filtered = given(identified).filter_map(|(name, addresses)| Some((name, self.is_filters(addresses)?)));
        let told = denials.chain(filtered).map(|(name, how)| (row_of(signatures, name, &applies), how, name));
        let open = told.filter(|(row, how, name)| row.is_none() || matches!(how, Denial::Shared(_)) || !self.given.has(&(client, self.given.text(name))));
        let (row, how, name) = open.max_by_key(|(row, how, _)| (row.is_some(), *how))?;
        Some(Denied { name, how, row, answers_others: self.answering.has(&resolver) })
    }

    /// Whether all of a name's addresses are one that names of other owners were given, too.
    fn is_filters(&self, addresses: &[IpAddr]) -> Option<Denial> {
        let [address] = addresses else { return None };
        let owners = self.shared.get(address)?;
        (owners.len() >= threshold::UNRELATED_NAMES).then_some(Denial::Shared(*address))
    }

    /// The luck of the flow's client with its resolvers.
    pub(super) fn luck(&self, identified: &Identified) -> Luck {
        let (client, resolver) = (identified.flow.client.endpoint.ip, identified.flow.server.endpoint.ip);
        let again =
            if is_lookup(identified) { identified.facts.iter().filter_map(unanswered).map(|name| self.again(client, resolver, name)).max() } else { None };
        let (answered, silent) = self.clients.get(&client).map_or((false, 0), |(answered, silent)| (*answered, silent.len()));
        let in_vain = if again.is_some() { self.again(client, resolver, "") } else { 0 };
        Luck { answered, silent, again: again.unwrap_or(0), in_vain }
    }

    /// Questions for one name from several ports: those that come together are for its several kinds of address (RFC 8305 section 3).
    fn again(&self, client: IpAddr, resolver: IpAddr, name: &str) -> usize {
        let Some(times) = self.asked.get(&(client, resolver, self.asked.text(name))) else { return 0 };
        let mut times = times.clone();
        times.sort_unstable();
        let spaced = |(count, last): (usize, Option<Timestamp>), time: Timestamp| match last {
            Some(last) if time.since(last) < threshold::SYN_AGAIN => (count, Some(last)),
            _ => (count + 1, Some(time)),
        };
        times.into_iter().fold((0, None), spaced).0
    }

    /// IPv4 addresses of the name, whoever asked for them: the same host asks from an address of either family.
    pub(super) fn ipv4(&self, name: &str) -> &[IpAddr] {
        self.ipv4.get(&self.ipv4.text(name)).map_or(&[], |addresses| addresses.as_slice())
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.answering.forgotten()
            + self.given.forgotten()
            + self.ipv4.forgotten()
            + self.shared.forgotten()
            + self.clients.forgotten()
            + self.asked.forgotten()
    }
}

fn is_lookup(identified: &Identified) -> bool {
    identified.protocol.first() == Some(&"dns") && !is_group(identified.flow.server.endpoint.ip)
}

/// Names that got an address that a host can have.
fn given(identified: &Identified) -> impl Iterator<Item = (&str, &[IpAddr])> {
    identified.facts.iter().filter_map(|fact| match fact {
        Fact::Resolved(resolved) if !resolved.reverse => {
            Some((&*resolved.name, resolved.addresses.as_slice())).filter(|(_, all)| all.iter().any(|address| !is_nobodys(*address)))
        }
        _ => None,
    })
}

/// A name that was asked for and not answered.
fn unanswered(fact: &Fact) -> Option<&str> {
    if let Fact::Unanswered { name } = fact { Some(name) } else { None }
}

fn denial(fact: &Fact) -> Option<(&str, Denial)> {
    match fact {
        Fact::Unanswered { name } => Some((name, Denial::Silence)),
        Fact::Unresolved { name, filtered: Some(code), .. } => Some((name, Denial::Policy(*code))),
        Fact::Unresolved { name, code, .. } => Some((
            name,
            match code {
                2 => Denial::Failed,
                3 => Denial::NoSuchName,
                5 => Denial::Refused,
                other => Denial::Code(*other),
            },
        )),
        Fact::Resolved(resolved) if !resolved.reverse => {
            let addresses = &resolved.addresses;
            addresses.first().filter(|_| addresses.iter().all(|ip| is_nobodys(*ip))).map(|ip| (&*resolved.name, Denial::NoHost(*ip)))
        }
        _ => None,
    }
}

/// Whether no host that somebody else means can have the address (RFC 1122 section 3.2.1.3, RFC 4291 sections 2.5.2 and 2.5.3). One private address alone
/// is not among them: a name may have one inside on purpose, and what follows shows whether it serves.
fn is_nobodys(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_loopback()
}

/// The first row with an own pattern for the name, the most exact one; patterns that half the Internet shares say nothing.
fn row_of(signatures: &Signatures, name: &str, applies: impl Fn(&Service) -> bool) -> Option<ServiceId> {
    let own = |service: &Service| service.hosts.iter().any(|pattern| !pattern.broad && pattern.matches(name));
    signatures.named(name).into_iter().find(|id| own(signatures.service(*id)) && applies(signatures.service(*id)))
}
