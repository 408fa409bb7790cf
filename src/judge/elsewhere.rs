//! A port that no row has between these hosts, while the documents of their products have it between others. Most often a host plays one role more than the site
//! says.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::judge::Site;
use crate::judge::claim::{CLAIMED_AT_ONCE, is_background, is_web};
use crate::judge::ends::{End, Ends};
use crate::judge::gathered::Gathered;
use crate::net::Side;
use crate::signature::{Basis, Role, RoleId, RoleKind, Service, Signatures};

/// What would be documented if an end played one role more.
pub(super) struct Elsewhere<'a> {
    row: &'a Service,
    side: Side,
    /// The roles that would do, in the document's order, at most [`ROLES_TOLD`].
    roles: Vec<&'a Role>,
    /// Whether the site gives the end another role already.
    plays_another: bool,
}

impl<'a> Elsewhere<'a> {
    /// By the first port of what was gathered. Ports that every host uses, wide ranges, and what other sources than the document say, tell nothing here.
    pub(super) fn of(signatures: &'a Signatures, site: &Site, gathered: &Gathered, roles: [Option<RoleId>; 2]) -> Option<Self> {
        let &(transport, port) = gathered.ports.first().filter(|(transport, port)| !is_web(*transport, *port) && !is_background(*port, &[]))?;
        let products = roles.into_iter().flatten().map(|id| signatures.role(id)).filter(|role| role.kind == RoleKind::Product);
        let documents: Vec<u16> = products.map(|role| role.document).collect();
        let has_it = |row: &&Service| {
            documents.contains(&row.document)
                && row.port_basis(transport, port) == Some(Basis::Document)
                && row.accepts(&gathered.protocol)
                && row.ports.iter().all(|range| range.width() <= CLAIMED_AT_ONCE)
        };
        let lacks = |row: &Service, side: Side| {
            let (wanted, hosts) = if side == Side::Client { (&row.client, &gathered.clients) } else { (&row.server, &gathered.servers) };
            let given = roles[side as usize].is_some_and(|given| wanted.contains(&given)) || plays(site, hosts, wanted);
            !given && !wanted.is_empty() && wanted.iter().all(|id| signatures.role(*id).kind == RoleKind::Product)
        };
        let mut found: Option<Self> = None;
        for row in signatures.services.iter().filter(has_it) {
            let side = match (lacks(row, Side::Client), lacks(row, Side::Server)) {
                (true, false) => Side::Client,
                (false, true) => Side::Server,
                _ => continue,
            };
            let wanted = if side == Side::Client { &row.client } else { &row.server };
            let known = found.get_or_insert(Self { row, side, roles: Vec::new(), plays_another: roles[side as usize].is_some() });
            for role in wanted.iter().map(|id| signatures.role(*id)).filter(|_| known.side == side) {
                if known.roles.len() < ROLES_TOLD && !known.roles.iter().any(|told| told.id == role.id) {
                    known.roles.push(role);
                }
            }
        }
        found
    }

    /// What stands behind `10.5.0.11 uses 8989/tcp of 10.5.0.5 (http)`.
    pub(super) fn says(&self, signatures: &Signatures) -> String {
        let vendor = signatures.document(self.row.document).vendor_name.as_str();
        let end = if self.side == Side::Client { "from" } else { "at" };
        format!("which the document of {vendor} does not have between these two, but {end} a {}: \"{}\"", self.names(), self.row.name)
    }

    /// What to do first.
    pub(super) fn remedy(&self, ends: &Ends) -> String {
        let end = if self.side == Side::Client { &ends.client } else { &ends.server };
        let ids: Vec<&str> = self.roles.iter().map(|role| role.id.as_str()).collect();
        let how = match (self.plays_another, end) {
            (true, _) => format!("add {} to its roles in the site file", ids.join(" or ")),
            (false, End::Host(host)) => format!("give it that role ({}, or in the site file)", arguments(&ids, *host)),
            (false, End::Role(_) | End::Hosts { .. }) => format!("give them that role ({}, in the site file)", ids.join(" or ")),
        };
        format!("If {end} is a {}, {how}; else find out what it is for.", self.names())
    }

    fn names(&self) -> String {
        self.roles.iter().map(|role| role.name.as_str()).collect::<Vec<_>>().join(" or ")
    }
}

/// The arguments that give the host one of these roles, each as it is to be written.
fn arguments(ids: &[&str], host: IpAddr) -> String {
    ids.iter().map(|id| format!("--role {id}={host}")).collect::<Vec<_>>().join(" or ")
}

/// Whether the site gives each of the hosts one of the roles, which may not be the first of its roles.
fn plays(site: &Site, hosts: &BTreeSet<IpAddr>, wanted: &[RoleId]) -> bool {
    hosts.iter().all(|host| site.roles.iter().any(|(role, network)| wanted.contains(role) && network.contains(host)))
}

/// More roles than this are no hint.
const ROLES_TOLD: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_several_roles_is_an_argument_of_its_own() {
        let host = "10.5.0.5".parse().unwrap();
        assert_eq!(arguments(&["cinegy.a", "cinegy.b"], host), "--role cinegy.a=10.5.0.5 or --role cinegy.b=10.5.0.5");
    }
}
