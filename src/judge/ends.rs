//! The two ends of a finding in words.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::judge::gathered::Gathered;
use crate::signature::{RoleId, RoleKind, Service, Signatures};

/// The ends of a finding as people name them.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// An address, a role, or how many hosts.
    pub(super) client: String,
    pub(super) server: String,
    /// Client, server are a number of hosts.
    several: [bool; 2],
}

impl Ends {
    pub(super) fn of(signatures: &Signatures, service: Option<&Service>, roles: [Option<RoleId>; 2], gathered: &Gathered) -> Self {
        // A row that is for any server too does not say that these are the vendor's.
        let vendors = service.filter(|service| service.server.iter().all(|role| is_external(signatures, *role)));
        let outside = vendors.and_then(|service| service.server.first().copied());
        let [client, server] = roles;
        let [more_clients, more_servers, _] = gathered.more;
        let client = end(signatures, &gathered.clients, more_clients, client);
        let server = end(signatures, &gathered.servers, more_servers, server.or(outside));
        Self { several: [&client, &server].map(|end| end.ends_with(" hosts")), client, server }
    }

    /// The client with what it does: `10.1.0.2 uses`, `64 hosts use`.
    pub(super) fn client_does(&self, verb: &str) -> String {
        format!("{} {verb}{}", self.client, if self.several[0] { "" } else { "s" })
    }

    /// The server with what it should be: `10.1.0.2 is meant`, `2 hosts are meant`.
    pub(super) fn servers_are(&self) -> String {
        format!("{} {} meant", self.server, if self.several[1] { "are" } else { "is" })
    }
}

/// One host is named by its address; several by their role, if they have one. `more`: there were others that are not among them.
fn end(signatures: &Signatures, hosts: &BTreeSet<IpAddr>, more: bool, role: Option<RoleId>) -> String {
    match (hosts.len(), hosts.first(), role.map(|role| signatures.role(role))) {
        (1, Some(host), _) => host.to_string(),
        (_, _, Some(role)) => role.id.clone(),
        (many, ..) if more => format!("more than {many} hosts"),
        (many, ..) => format!("{many} hosts"),
    }
}

fn is_external(signatures: &Signatures, role: RoleId) -> bool {
    signatures.role(role).kind == RoleKind::External
}
