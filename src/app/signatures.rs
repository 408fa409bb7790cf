//! `portbook signatures list`, `show ID`, `check FILE...`: the loaded documents.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::app::explain::{Found, explain};
use crate::app::row::where_at;
use crate::report::paragraph::{count, wrapped};
use crate::signature::{Basis, LoadError, Only, RoleKind, Signatures};

/// Prints all documents with their roles and rows; where vendors are named, theirs alone.
///
/// # Errors
///
/// Those of the writer.
pub fn list(signatures: &Signatures, vendors: &[String], out: &mut dyn Write) -> io::Result<()> {
    let named = (0_u16..).zip(&signatures.documents).filter(|(_, document)| vendors.is_empty() || vendors.contains(&document.vendor));
    for (nth, (at, document)) in named.enumerate() {
        if nth > 0 {
            writeln!(out)?;
        }
        let whose = if document.user { " [your file]" } else { "" };
        wrapped(out, "", &format!("{} - {}, \"{}\"{whose}", document.vendor, document.vendor_name, document.title))?;
        for role in signatures.roles.iter().filter(|role| role.document == at) {
            wrapped(out, &format!("  role  {:<32} ", role.id), &format!("{}, {}", role.name, kind(role.kind)))?;
        }
        for service in signatures.services.iter().filter(|service| service.document == at) {
            let basis = if service.basis == Basis::Supplement { " [supplement]" } else { "" };
            let text = format!("{}, {}{basis}", where_at(service), service.protocol_name);
            wrapped(out, &format!("  row   {:<32} ", service.id), &text)?;
        }
        for rule in signatures.rules.iter().filter(|rule| rule.document == at && rule.basis != Basis::Supplement) {
            writeln!(out, "  rule  {}", rule.id)?;
        }
    }
    Ok(())
}

/// Prints one row, rule, role or vendor in full.
///
/// # Errors
///
/// Those of the writer.
pub fn show(signatures: &Signatures, id: &str, out: &mut dyn Write) -> io::Result<Found> {
    let known = signatures.service_id(id).is_some() || signatures.role_id(id).is_some();
    let known = known || signatures.rules.iter().any(|rule| rule.id == id) || signatures.documents.iter().any(|document| document.vendor == id);
    if known {
        return explain(signatures, id, out);
    }
    let ids = signatures.services.iter().map(|service| service.id.as_str()).chain(signatures.roles.iter().map(|role| role.id.as_str()));
    let ids = ids.chain(signatures.rules.iter().map(|rule| rule.id.as_str())).chain(signatures.documents.iter().map(|document| document.vendor.as_str()));
    let nearest = crate::signature::nearest(id, ids).map_or_else(|| "portbook signatures list prints them all".to_owned(), |near| format!("nearest: {near}"));
    writeln!(out, "there is no row, rule, role or vendor \"{id}\"; {nearest}")?;
    Ok(Found::NotUnderstood)
}

/// Why `check` failed.
#[derive(Debug)]
pub enum CheckError {
    /// The files are wrong, or cannot be read.
    Files(LoadError),
    /// The result could not be written.
    Output(io::Error),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(error) => error.fmt(f),
            Self::Output(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CheckError {}

/// Reads files as `--signatures` would, with the built-in ones, and says what is in them.
///
/// # Errors
///
/// Every mistake of every file; a file that cannot be read; those of the writer.
pub fn check(paths: &[PathBuf], out: &mut dyn Write) -> Result<(), CheckError> {
    let signatures = Signatures::load(paths, Only::Added).map_err(CheckError::Files)?;
    for (at, document) in (0_u16..).zip(&signatures.documents).filter(|(_, document)| document.user) {
        let rows = signatures.services.iter().filter(|service| service.document == at).count();
        let roles = signatures.roles.iter().filter(|role| role.document == at).count();
        let rules = signatures.rules.iter().filter(|rule| rule.document == at).count();
        let (rows, roles, rules) = (count(rows, "row"), count(roles, "role"), count(rules, "rule"));
        let says = format!("{}, \"{}\": {rows}, {roles}, {rules}, no mistakes", document.vendor_name, document.title);
        wrapped(out, "", &says).map_err(CheckError::Output)?;
    }
    Ok(())
}

const fn kind(kind: RoleKind) -> &'static str {
    match kind {
        RoleKind::Product => "a host of the product",
        RoleKind::Anyone => "any host",
        RoleKind::Local => "any host of the same LAN",
        RoleKind::External => "outside",
        RoleKind::Group => "a group address",
    }
}
