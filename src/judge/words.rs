//! Words that people write in files about what flows and findings are: what each names, or what would be right.

use ipnet::IpNet;

use crate::judge::site::{FINDINGS, Who, network};
use crate::judge::verdict::with_twins;
use crate::signature::form::instead;
use crate::signature::{PROTOCOL_NAMES, ServiceId, Signatures, is_protocol_name, nearest};

/// A word that names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub says: String,
    /// What would be right.
    pub help: String,
}

impl Wrong {
    fn new(says: String, near: Option<&str>, otherwise: &str) -> Self {
        Self { says, help: near.map_or_else(|| otherwise.to_owned(), |right| format!("did you mean `{right}`?")) }
    }
}

/// The row of that id, and those that tell the same service from another product's side; none where it is among `whole` alone: left out on purpose, so that
/// what is said about it falls away.
///
/// # Errors
/// There is no such row.
pub fn row(word: &str, signatures: &Signatures, whole: &Signatures) -> Result<Option<Vec<ServiceId>>, Wrong> {
    match (signatures.service_id(word), whole.service_id(word)) {
        (Some(id), _) => Ok(Some(with_twins(signatures, id))),
        (None, Some(_)) => Ok(None),
        (None, None) => {
            let near = nearest(word, whole.services.iter().map(|known| known.id.as_str()));
            Err(Wrong::new(format!("there is no service `{word}`"), near, "portbook signatures list prints the rows"))
        }
    }
}

/// Checks the name of a protocol.
///
/// # Errors
/// There is no such protocol.
pub fn protocol(word: &str) -> Result<(), Wrong> {
    if is_protocol_name(word) {
        return Ok(());
    }
    let near = nearest(word, PROTOCOL_NAMES.iter().copied());
    Err(Wrong::new(format!("`{word}` is no protocol name"), near, "signatures/README.md lists the names"))
}

/// Checks the rule of a finding, as reports print it: the contract's word for a reason or outcome, or one of the `others`.
///
/// # Errors
/// No finding has that rule.
pub fn finding<'a>(word: &str, others: impl Iterator<Item = &'a str> + Clone) -> Result<(), Wrong> {
    if FINDINGS.binary_search(&word).is_ok() || others.clone().any(|known| known == word) {
        return Ok(());
    }
    let near = nearest(word, FINDINGS.iter().copied().chain(others)).map(str::to_owned);
    let otherwise = instead(word, FINDINGS);
    Err(Wrong::new(format!("no finding is called `{word}`"), near.as_deref(), &otherwise))
}

/// Whom a word means: `named` are the networks and hosts of the site by name. What the site names goes before roles, and these before addresses.
///
/// # Errors
/// It names nobody.
pub fn who<'a>(word: &str, named: impl Iterator<Item = (&'a str, &'a [IpNet])> + Clone, signatures: &Signatures) -> Result<Vec<Who>, Wrong> {
    if let Some((_, networks)) = named.clone().find(|(name, _)| *name == word) {
        return Ok(networks.iter().map(|network| Who::Network(*network)).collect());
    }
    let one = signatures.role_id(word).map(Who::Role).or_else(|| network(word).ok().map(Who::Network)).or(match word {
        "local" => Some(Who::Local),
        "internet" => Some(Who::Internet),
        _ => None,
    });
    one.map(|one| vec![one]).ok_or_else(|| {
        let roles = signatures.roles.iter().map(|known| known.id.as_str());
        let near = nearest(word, named.map(|(name, _)| name).chain(roles).chain(["local", "internet"])).map(str::to_owned);
        let otherwise = "write an address, a network, a role, the name of a network or host of the site file, \"local\" or \"internet\"";
        Wrong::new(format!("`{word}` names nobody"), near.as_deref(), otherwise)
    })
}
