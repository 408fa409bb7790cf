//! Text of one signature file into its entries, with every mistake of form.
//!
//! serde stops at the first mistake. So an entry that does not read is read again without the piece that was wrong, until it
//! reads: that gives all its mistakes at once, and its id, so that others may refer to it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::limit;
use crate::signature::mistake::{Mistake, nearest};
use crate::signature::toml_file::{DocumentEntry, Entry, RoleEntry, RuleEntry, ServiceEntry};

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

/// An entry as far as it read.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// What was read.
    pub entry: T,
    /// Pieces were left out: what is missing was complained of already.
    pub damaged: bool,
}

/// A file's name and text.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was named.
    pub file: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

impl Source {
    /// A mistake in this file.
    pub fn mistake(&self, span: Range<usize>, says: String, help: Option<String>) -> Mistake {
        Mistake { file: self.file.clone(), text: self.text.clone(), span, says, help }
    }
}

/// Reads a file; its mistakes are added to the list.
pub fn read(file: &str, text: &str, user: bool, mistakes: &mut Vec<Mistake>) -> Draft {
    let source = Source { file: file.into(), text: text.into() };
    let mut draft = Draft { source, user, document: None, roles: Vec::new(), services: Vec::new(), rules: Vec::new(), ids: BTreeSet::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    // Only the first: what follows an unclosed bracket is noise.
    if let Some(error) = errors.first() {
        let says = format!("this is not TOML: {}", error.message());
        mistakes.push(draft.source.mistake(error.span().unwrap_or(0..0), says, None));
        return draft;
    }
    let mut seen_document = false;
    for (key, value) in table.into_inner() {
        let source = draft.source.clone();
        draft.ids.extend(ids(value.get_ref()));
        match key.get_ref().as_ref() {
            "document" => {
                seen_document = true;
                draft.document = entry(&source, value, mistakes).map(|read| read.entry);
            }
            "roles" => draft.roles = entries(&source, &key, value, mistakes),
            "services" => draft.services = entries(&source, &key, value, mistakes),
            "rules" => draft.rules = entries(&source, &key, value, mistakes),
            other => mistakes.push(source.mistake(key.span(), format!("`{other}` is no table of a signature file"), Some(instead(other, TABLES)))),
        }
    }
    if !seen_document {
        let help = "begin the file with [document], vendor, name and title".to_owned();
        mistakes.push(draft.source.mistake(0..0, "the file does not say which document it is".to_owned(), Some(help)));
    }
    draft
}

fn entries<T: Entry>(source: &Source, key: &Spanned<std::borrow::Cow<'_, str>>, value: Spanned<DeValue<'_>>, mistakes: &mut Vec<Mistake>) -> Vec<Read<T>> {
    match value.into_inner() {
        DeValue::Array(list) => list.into_iter().filter_map(|item| entry(source, item, mistakes)).collect(),
        _ => {
            let name = key.get_ref();
            mistakes.push(source.mistake(key.span(), format!("`{name}` is a list of tables"), Some(format!("write [[{name}]] in double brackets"))));
            Vec::new()
        }
    }
}

fn ids(list: &DeValue<'_>) -> impl Iterator<Item = String> {
    let items = list.as_array().into_iter().flat_map(|list| list.iter());
    items.filter_map(|item| item.get_ref().as_table()?.get("id")?.get_ref().as_str().map(str::to_owned))
}

/// Reads one entry, leaving out what is wrong with it.
fn entry<T: Entry>(source: &Source, value: Spanned<DeValue<'_>>, mistakes: &mut Vec<Mistake>) -> Option<Read<T>> {
    let span = value.span();
    let mut value = value;
    let DeValue::Table(table) = value.get_ref() else {
        mistakes.push(source.mistake(span, format!("a {} is a table of keys", T::WORD), None));
        return None;
    };
    let missing: Vec<&str> = T::REQUIRED.iter().copied().filter(|key| !table.contains_key(*key)).collect();
    let named = table.get("id").and_then(|id| id.get_ref().as_str()).map_or_else(String::new, |id| format!(" `{id}`"));
    let mut damaged = false;
    for _ in 0..limit::MISTAKES_PER_ENTRY {
        let error = match T::deserialize(toml::de::ValueDeserializer::from(value.clone())) {
            Ok(entry) => return Some(Read { entry, damaged }),
            Err(error) => error,
        };
        if error.message().starts_with("missing field") && !missing.is_empty() {
            for key in missing {
                mistakes.push(source.mistake(span.clone(), format!("{}{named} has no `{key}`", T::WORD), required_help(key)));
            }
            return None;
        }
        let place = error.span().filter(|place| *place != span).unwrap_or_else(|| span.clone());
        let removed = place != span && remove(value.get_mut(), &place);
        if removed || !damaged {
            mistakes.push(explained(source, place, error.message()));
        }
        if !removed {
            return None;
        }
        damaged = true;
    }
    None
}

/// Takes the innermost key or element at the place out of the value.
fn remove(value: &mut DeValue<'_>, place: &Range<usize>) -> bool {
    let holds = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    match value {
        DeValue::Table(table) => {
            let found = table.iter().find(|(key, value)| holds(key.span()) || holds(value.span())).map(|(key, value)| (key.clone(), holds(value.span())));
            let Some((key, in_value)) = found else { return false };
            let inner = in_value && table.get_mut(&key).is_some_and(|value| value.span() != *place && remove(value.get_mut(), place));
            inner || table.remove(&key).is_some()
        }
        DeValue::Array(list) => {
            let Some(at) = list.iter().position(|item| holds(item.span())) else { return false };
            let inner = list.get_mut(at).is_some_and(|item| item.span() != *place && remove(item.get_mut(), place));
            if !inner {
                *list = list.clone().into_iter().enumerate().filter(|(nth, _)| *nth != at).map(|(_, item)| item).collect();
            }
            true
        }
        _ => false,
    }
}

/// serde's words, in ours: the words it quotes are the wrong one and the right ones.
fn explained(source: &Source, place: Range<usize>, message: &str) -> Mistake {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (wrong, known) = (quoted.next().unwrap_or_default(), quoted.collect::<Vec<_>>());
    if message.starts_with("unknown field") {
        return source.mistake(place, format!("`{wrong}` is no key here"), Some(instead(wrong, &known)));
    }
    if message.starts_with("unknown variant") {
        return source.mistake(place, format!("`{wrong}` is no word for this key"), Some(instead(wrong, &known)));
    }
    let says = message.replace("invalid type: ", "wrong type: ").replace("invalid value: ", "wrong value: ");
    source.mistake(place, says, None)
}

/// Advice for a word that is not one of the known ones.
fn instead(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("it is one of: {}", known.join(", ")),
    }
}

fn required_help(key: &str) -> Option<String> {
    let help = match key {
        "client" => "name the roles that open the connection: client = [\"vendor.role\"]",
        "server" => "name the roles that are asked: server = [\"vendor.role\"]",
        "direction" => "direction is one of: in, out, out_only, internal, discovery, unknown",
        "protocol_name" => "say what the document calls the protocol: protocol_name = \"HTTPS\"",
        _ => return None,
    };
    Some(help.to_owned())
}

const TABLES: &[&str] = &["document", "roles", "services", "rules"];
