//! What resolvers deny: names that a flow asked for in vain, and whether a document knows them.
//!
//! Learned over all flows before the first is judged: a resolver that gives other names their addresses is a working one, and a name that the same client
//! got from anybody was not denied to it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::identify::{Fact, Identified};
use crate::limit;
use crate::net::is_group;
use crate::signature::{Service, ServiceId, Signatures};

/// What resolvers were heard to give.
#[derive(Debug, Default)]
pub(super) struct Resolvers {
    /// Resolvers that gave some name an address that a host can have.
    answering: BTreeSet<IpAddr>,
    /// Clients with the documented names that they got addresses of.
    given: BTreeSet<(IpAddr, Box<str>)>,
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
    /// NXDOMAIN.
    NoSuchName,
    /// SERVFAIL.
    Failed,
    /// REFUSED.
    Refused,
    /// An address that no host has: the unspecified one, or the asker's own (loopback).
    NoHost(IpAddr),
    /// The resolver says itself that it answers by policy: the info code of RFC 8914.
    Policy(u16),
}

impl Resolvers {
    /// Enters what a flow's answers gave.
    pub(super) fn learn(&mut self, identified: &Identified, signatures: &Signatures) {
        if !is_lookup(identified) {
            return;
        }
        let (client, resolver) = (identified.flow.client.endpoint.ip, identified.flow.server.endpoint.ip);
        for name in given(identified) {
            if self.answering.len() < limit::HOSTS_REMEMBERED {
                self.answering.insert(resolver);
            }
            if self.given.len() < limit::HOSTS_REMEMBERED && row_of(signatures, name, |_| true).is_some() {
                self.given.insert((client, name.into()));
            }
        }
    }

    /// The name that the flow asked for in vain, documented ones first, then by how much was said. `applies`: which rows may be meant.
    pub(super) fn denied<'a>(&self, identified: &'a Identified, signatures: &Signatures, applies: impl Fn(&Service) -> bool) -> Option<Denied<'a>> {
        if !is_lookup(identified) {
            return None;
        }
        let (client, resolver) = (identified.flow.client.endpoint.ip, identified.flow.server.endpoint.ip);
        let denials = identified.facts.iter().filter_map(denial).filter(|(name, _)| !given(identified).any(|known| known == *name));
        let told = denials.map(|(name, how)| (row_of(signatures, name, &applies), how, name));
        let open = told.filter(|(row, _, name)| row.is_none() || !self.given.contains(&(client, Box::from(*name))));
        let (row, how, name) = open.max_by_key(|(row, how, _)| (row.is_some(), *how))?;
        Some(Denied { name, how, row, answers_others: self.answering.contains(&resolver) })
    }
}

fn is_lookup(identified: &Identified) -> bool {
    identified.protocol.first() == Some(&"dns") && !is_group(identified.flow.server.endpoint.ip)
}

/// Names that got an address.
fn given(identified: &Identified) -> impl Iterator<Item = &str> {
    identified.facts.iter().filter_map(|fact| match fact {
        Fact::Resolved { name, addresses, .. } if addresses.iter().any(|address| !is_nobodys(*address)) => Some(&**name),
        _ => None,
    })
}

fn denial(fact: &Fact) -> Option<(&str, Denial)> {
    match fact {
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
        Fact::Resolved { name, addresses, .. } => {
            addresses.first().filter(|_| addresses.iter().all(|ip| is_nobodys(*ip))).map(|ip| (&**name, Denial::NoHost(*ip)))
        }
        _ => None,
    }
}

/// Whether no host that somebody else means can have the address (RFC 1122 section 3.2.1.3, RFC 4291 sections 2.5.2 and 2.5.3). Private addresses are
/// not among them: a name may have one inside on purpose, and what follows shows whether it serves.
fn is_nobodys(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_loopback()
}

/// The first row with an own pattern for the name, the most exact one; patterns that half the Internet shares say nothing.
fn row_of(signatures: &Signatures, name: &str, applies: impl Fn(&Service) -> bool) -> Option<ServiceId> {
    let own = |service: &Service| service.hosts.iter().any(|pattern| !pattern.broad && pattern.matches(name));
    let row = |id: &ServiceId| signatures.services.get(id.0 as usize).is_some_and(|service| own(service) && applies(service));
    signatures.named(name).into_iter().find(row)
}
