//! Text of one signature file into its entries, with every mistake of form.

use std::collections::BTreeSet;

use toml::de::DeValue;

use crate::signature::form::{Read, Source, entries, entry, tables, unknown_table};
use crate::signature::mistake::Mistake;
use crate::signature::toml_file::{DocumentEntry, RoleEntry, RuleEntry, ServiceEntry};

/// A file's entries as far as they read.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Which file.
    pub source: Source,
    /// Built in, or the user's.
    pub user: bool,
    /// Its document; none where that did not read.
    pub document: Option<DocumentEntry>,
    /// Its roles.
    pub roles: Vec<Read<RoleEntry>>,
    /// Its services.
    pub services: Vec<Read<ServiceEntry>>,
    /// Its rules.
    pub rules: Vec<Read<RuleEntry>>,
    /// Ids of all entries, also of those that did not read: others may refer to them.
    pub ids: BTreeSet<String>,
}

/// Reads a file; its mistakes are added to the list.
pub fn read(file: &str, text: &str, user: bool, mistakes: &mut Vec<Mistake>) -> Draft {
    let source = Source { file: file.into(), text: text.into() };
    let mut draft = Draft { source, user, document: None, roles: Vec::new(), services: Vec::new(), rules: Vec::new(), ids: BTreeSet::new() };
    let source = draft.source.clone();
    let Some(tables) = tables(&source, mistakes) else { return draft };
    let mut seen_document = false;
    for (key, value) in tables {
        draft.ids.extend(ids(value.get_ref()));
        match key.get_ref().as_ref() {
            "document" => {
                seen_document = true;
                draft.document = entry(&source, value, mistakes).map(|read| read.entry);
            }
            "roles" => draft.roles = entries(&source, &key, value, mistakes),
            "services" => draft.services = entries(&source, &key, value, mistakes),
            "rules" => draft.rules = entries(&source, &key, value, mistakes),
            _ => mistakes.push(unknown_table(&source, &key, "a signature file", TABLES)),
        }
    }
    if !seen_document {
        let help = "begin the file with [document], vendor, name and title".to_owned();
        mistakes.push(draft.source.mistake(0..0, "the file does not say which document it is".to_owned(), Some(help)));
    }
    draft
}

fn ids(list: &DeValue<'_>) -> impl Iterator<Item = String> {
    let items = list.as_array().into_iter().flat_map(|list| list.iter());
    items.filter_map(|item| item.get_ref().as_table()?.get("id")?.get_ref().as_str().map(str::to_owned))
}

const TABLES: &[&str] = &["document", "roles", "services", "rules"];
