//! The two ends of a finding in words.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use crate::judge::gathered::Gathered;
use crate::signature::{RoleId, RoleKind, Service, Signatures};

/// The ends of a finding.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    pub(super) client: End,
    pub(super) server: End,
}

impl Ends {
    pub(super) fn of(signatures: &Signatures, service: Option<&Service>, roles: [Option<RoleId>; 2], gathered: &Gathered) -> Self {
        // A row that is for any server too does not say that these are the vendor's.
        let vendors = service.filter(|service| service.server.iter().all(|role| is_external(signatures, *role)));
        let outside = vendors.and_then(|service| service.server.first().copied());
        let [client, server] = roles;
        let [more_clients, more_servers, _] = gathered.more;
        let end = |hosts: &BTreeSet<IpAddr>, more: bool, role: Option<RoleId>| End::of(hosts, more, role.map(|role| &signatures.role(role).id));
        Self { client: end(&gathered.clients, more_clients, client), server: end(&gathered.servers, more_servers, server.or(outside)) }
    }
}

/// An end as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Host(IpAddr),
    /// Several hosts of that role.
    Role(String),
    /// Several hosts, and where `more` says so others that were not counted.
    Hosts {
        many: usize,
        more: bool,
    },
}

impl End {
    /// One host is named by its address; several by their role, if they have one. `more`: there were others that are not among them.
    pub(super) fn of(hosts: &BTreeSet<IpAddr>, more: bool, role: Option<&String>) -> Self {
        match (hosts.len(), hosts.first(), role) {
            (1, Some(host), _) => Self::Host(*host),
            (_, _, Some(role)) => Self::Role(role.clone()),
            (many, ..) => Self::Hosts { many, more },
        }
    }

    /// What it does: `10.1.0.2 uses`, `64 hosts use`.
    pub(super) fn does(&self, verb: &str) -> String {
        format!("{self} {}", self.verb(verb))
    }

    /// The same, where it was named before: `it uses`, `they use`.
    pub(super) fn it_does(&self, verb: &str) -> String {
        format!("{} {}", self.one_or_many("it", "they"), self.verb(verb))
    }

    /// What it is: `10.1.0.2 is`, `64 hosts are`.
    pub(super) fn is(&self) -> String {
        format!("{self} {}", self.one_or_many("is", "are"))
    }

    pub(super) fn verb(&self, verb: &str) -> String {
        format!("{verb}{}", self.one_or_many("s", ""))
    }

    /// A word that depends on whether the end is named as one or as many.
    pub(super) fn one_or_many<'w>(&self, one: &'w str, many: &'w str) -> &'w str {
        if matches!(self, Self::Hosts { .. }) { many } else { one }
    }
}

impl Display for End {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Role(role) => f.write_str(role),
            Self::Hosts { many, more: true } => write!(f, "more than {many} hosts"),
            Self::Hosts { many, more: false } => write!(f, "{many} hosts"),
        }
    }
}

fn is_external(signatures: &Signatures, role: RoleId) -> bool {
    signatures.role(role).kind == RoleKind::External
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(last: std::ops::Range<u8>) -> BTreeSet<IpAddr> {
        last.map(|last| IpAddr::from([10, 1, 0, last])).collect()
    }

    #[test]
    fn one_host_or_role_does_and_several_hosts_do() {
        let (role, several) = ("spinetix.player".to_owned(), hosts(2..5));
        let said = |end: End| (end.does("use"), end.it_does("refuse"), end.is(), end.switch_on());
        let (uses, refuses, is, on) = said(End::of(&hosts(2..3), false, Some(&role)));
        assert_eq!((uses.as_str(), refuses.as_str(), is.as_str()), ("10.1.0.2 uses", "it refuses", "10.1.0.2 is"));
        assert!(on.starts_with("See that 10.1.0.2 is switched on, has this address, and is on this network"), "{on}");
        assert_eq!(End::of(&several, false, Some(&role)).does("use"), "spinetix.player uses");
        let (uses, refuses, is, on) = said(End::of(&several, false, None));
        assert_eq!((uses.as_str(), refuses.as_str(), is.as_str()), ("3 hosts use", "they refuse", "3 hosts are"));
        assert!(on.starts_with("See that 3 hosts are switched on, have these addresses, and are on this network"), "{on}");
        assert_eq!(End::of(&several, true, None).to_string(), "more than 3 hosts");
    }
}
