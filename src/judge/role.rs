//! Which roles a host plays, and whether it may stand where a row wants somebody.
//!
//! The site's word comes first. What it leaves open a role's kind decides: anybody may be a browser, only a multicast group is a group.
//! A host of unknown role may stand for a product, but that is an assumption and ranks below what is known.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::flow::End;
use crate::identify::Identified;
use crate::judge::Site;
use crate::judge::claim::Claims;
use crate::judge::shown::{Showing, Shown};
use crate::net::{is_group, is_self_assigned};
use crate::signature::{RoleId, RoleKind, Signatures};

/// How well a host stands where a row wants certain roles. Ordered: later is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Plays {
    /// It cannot be: it is known to be something else, or its address forbids it.
    Refused,
    /// A private address where the document has a host outside: a proxy, split DNS, or another server altogether.
    Doubtful,
    /// Nothing is known of the host; it may be.
    Assumed,
    /// Its address is of the right kind, and the role asks no more.
    Kind,
    /// The site says so, or the host shows it beyond doubt.
    Given,
}

/// The roles of a site.
#[derive(Clone, Debug)]
pub(super) struct Roles<'a> {
    signatures: &'a Signatures,
    site: Site,
    listed: BTreeSet<RoleId>,
    showing: Showing<'a>,
}

impl<'a> Roles<'a> {
    pub(super) fn new(signatures: &'a Signatures, site: Site) -> Self {
        let listed = site.roles.iter().map(|(role, _)| *role).collect();
        let showing = Showing::new(signatures, &site.products);
        Self { signatures, site, listed, showing }
    }

    /// Hears what hosts show of themselves.
    pub(super) fn learn(&mut self, identified: &Identified, claims: &Claims) {
        self.showing.learn(identified, self.signatures, claims);
    }

    /// All that a host shows.
    pub(super) fn shown(&self, ip: IpAddr) -> Vec<Shown> {
        self.showing.of(ip, self.site.is_local(ip))
    }

    /// Hosts that the site gives no role and that show one which they are judged by, in order of address.
    pub(super) fn all_shown(&self) -> Vec<(IpAddr, Shown)> {
        self.showing.counting(|ip| self.site.is_local(ip) && self.given(ip).is_empty())
    }

    /// What hosts showed that found no room.
    pub(super) fn forgotten(&self) -> u64 {
        self.showing.forgotten()
    }

    /// Roles that a host is judged by: the site's, else those that it shows beyond doubt.
    pub(super) fn known(&self, ip: IpAddr) -> Vec<RoleId> {
        let given = self.given(ip);
        if given.is_empty() { self.showing.roles(ip, self.site.is_local(ip)) } else { given }
    }

    /// The same of an end of a flow, and whether the host itself shows them, the site giving it none.
    pub(super) fn played_by(&self, end: &End) -> (Vec<RoleId>, bool) {
        let given = self.of(end);
        if !given.is_empty() {
            return (given, false);
        }
        let ip = end.endpoint.ip;
        let shown = if ip.is_unspecified() { self.showing.roles_of_mac(end.mac) } else { self.showing.roles(ip, self.site.is_local(ip)) };
        let by_itself = !shown.is_empty();
        (shown, by_itself)
    }

    /// The version of the product of that role at a host: the site's, else the host's own word.
    pub(super) fn version(&self, role: RoleId, host: IpAddr) -> Option<&str> {
        let place = self.site.narrowest(host, |place| place.roles.contains(&role) && place.version.is_some());
        place.and_then(|place| place.version.as_deref()).or_else(|| self.showing.version(host, role))
    }

    /// What the operator said.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// Roles that the site gives to the host: those of its narrowest networks that hold the address, in the order given. A group's address lies in a
    /// network as a host's does, but plays a role only where the site names that address itself.
    pub(super) fn given(&self, ip: IpAddr) -> Vec<RoleId> {
        if self.site.roles.is_empty() {
            return Vec::new();
        }
        let group = is_group(ip);
        let means = move |network: &IpNet| network.contains(&ip) && (!group || network.prefix_len() == network.max_prefix_len());
        let holding = || self.site.roles.iter().filter(move |(_, network)| means(network));
        let Some(narrowest) = holding().map(|(_, network)| network.prefix_len()).max() else { return Vec::new() };
        let mut roles = Vec::new();
        for (role, _) in holding().filter(|(_, network)| network.prefix_len() == narrowest) {
            if !roles.contains(role) {
                roles.push(*role);
            }
        }
        roles
    }

    /// The same of an end of a flow: a host that has no address yet is known by its hardware address.
    pub(super) fn of(&self, end: &End) -> Vec<RoleId> {
        let place = end.mac.filter(|_| end.endpoint.ip.is_unspecified() || is_self_assigned(end.endpoint.ip)).and_then(|mac| self.site.place_of_mac(mac));
        place.map_or_else(|| self.given(end.endpoint.ip), |place| place.roles.clone())
    }

    /// How well a host with those given roles stands where `wanted` are wanted; nobody in particular where the document names none.
    /// `named`: the host's name fits the row's patterns, which makes it the outside host that the document means, wherever it stands.
    pub(super) fn plays(&self, ip: IpAddr, given: &[RoleId], wanted: &[RoleId], named: bool) -> Plays {
        if wanted.is_empty() {
            return Plays::Kind;
        }
        wanted.iter().map(|role| self.plays_one(ip, given, *role, named)).max().unwrap_or(Plays::Refused)
    }

    fn plays_one(&self, ip: IpAddr, given: &[RoleId], wanted: RoleId, named: bool) -> Plays {
        if given.contains(&wanted) {
            return Plays::Given;
        }
        let role = self.signatures.role(wanted);
        match role.kind {
            RoleKind::Group if is_group(ip) => Plays::Kind,
            RoleKind::Group => Plays::Refused,
            _ if is_group(ip) => Plays::Refused,
            RoleKind::Anyone => Plays::Kind,
            RoleKind::Local if self.site.is_local(ip) || !given.is_empty() => Plays::Kind,
            RoleKind::Local => Plays::Refused,
            RoleKind::External if !self.site.is_local(ip) || named => Plays::Kind,
            RoleKind::External if given.is_empty() => Plays::Doubtful,
            RoleKind::Product if given.is_empty() && !self.listed.contains(&wanted) && self.site.is_local(ip) => Plays::Assumed,
            RoleKind::External | RoleKind::Product => Plays::Refused,
        }
    }

    /// Whether the site gives a product's role to the host: only then can a missing row be held against a flow.
    pub(super) fn is_product(&self, given: &[RoleId]) -> bool {
        given.iter().any(|role| self.signatures.role(*role).kind == RoleKind::Product)
    }

    /// Whether one of the roles is that of a product of the document.
    pub(super) fn has_product_of(&self, given: &[RoleId], document: u16) -> bool {
        let mut known = given.iter().map(|role| self.signatures.role(*role));
        known.any(|role| role.kind == RoleKind::Product && role.document == document)
    }
}
