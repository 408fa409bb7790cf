//! Whether the version or edition of a product has a service at all: by the site's word, else by the product's own.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::judge::candidate::Case;
use crate::judge::role::Roles;
use crate::judge::{Place, Reason};
use crate::net::Side;
use crate::signature::{RoleId, Service, Signatures};

/// Why the product on one end cannot have the service: it is older than the service, or another edition. None where it can, or nothing is known.
pub(super) fn lacks(case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>, service: &Service) -> Option<Reason> {
    let ends = [(Side::Client, &case.given[0], &service.client), (Side::Server, &case.given[1], &service.server)];
    ends.into_iter().find_map(|(side, given, wanted)| {
        let played = given.iter().filter(|role| wanted.contains(role));
        played.into_iter().find_map(|role| lacks_as(signatures, roles, case.ip(side), *role, service))
    })
}

/// The same of a host that plays one role.
pub(super) fn lacks_as(signatures: &Signatures, roles: &Roles<'_>, ip: IpAddr, role: RoleId, service: &Service) -> Option<Reason> {
    let versions = signatures.role(role).versions.as_deref()?;
    let version = roles.version(role, ip);
    if let (Some(since), Some(version)) = (service.since.as_ref().filter(|since| since.what == versions), version)
        && compare(version, &since.version) == Ordering::Less
    {
        return Some(Reason::VersionTooOld);
    }
    let only_in = service.only_in.as_deref().filter(|edition| edition.contains(versions))?;
    let place = roles.site().narrowest(ip, |place| place.roles.contains(&role) && place.edition.is_some())?;
    (!is_edition(place, version, only_in)).then_some(Reason::UnsupportedByProduct)
}

/// Compares numbers separated by dots, part by part; what is missing is zero, and what follows the numbers says nothing.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| {
        let number = text.split_whitespace().next().unwrap_or_default();
        let mut parts: Vec<u64> =
            number.split('.').map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)).collect();
        while parts.last() == Some(&0) {
            parts.pop();
        }
        parts
    };
    parts(one).cmp(&parts(other))
}

/// Whether all words of an edition are said of the place; a year in it only where a version is known.
fn is_edition(place: &Place, version: Option<&str>, edition: &str) -> bool {
    let said = format!("{} {}", place.edition.as_deref().unwrap_or_default(), version.unwrap_or_default()).to_lowercase();
    let said: Vec<&str> = said.split_whitespace().collect();
    let words = edition.to_lowercase();
    let mut needed = words.split_whitespace().filter(|word| version.is_some() || !word.starts_with(|first: char| first.is_ascii_digit()));
    needed.all(|word| said.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_number_by_number() {
        assert_eq!(compare("4.10.0", "4.9"), Ordering::Greater);
        assert_eq!(compare("4.0", "4.0.0"), Ordering::Equal);
        assert_eq!(compare("4.0.0-rc1", "4.0.1"), Ordering::Less);
        assert_eq!(compare("2018 X", "2016"), Ordering::Greater);
    }
}
