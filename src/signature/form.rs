//! What all files have in common that people write in TOML: values with their places, tables that are read piece by piece, and every mistake of form.
//!
//! serde stops at the first mistake. So an entry that does not read is read again without the piece that was wrong, until it
//! reads: that gives all its mistakes at once, and its id, so that others may refer to it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::Deserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::limit;
use crate::signature::hint;
use crate::signature::mistake::{Mistake, nearest};

/// One table of such a file.
pub trait Entry: for<'de> Deserialize<'de> {
    /// What the table is called in messages.
    const WORD: &'static str;
    /// Keys that may not be missing.
    const REQUIRED: &'static [&'static str];

    /// What to write for a key that is missing.
    fn help(_missing: &str) -> Option<&'static str> {
        None
    }
}

/// A value with its place in the file, in bytes.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// First byte, and the byte after the last.
    pub span: Range<usize>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(Self { value: spanned.into_inner(), span })
    }
}

/// An entry as far as it read.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// What was read.
    pub entry: T,
    /// Its place in the file, in bytes.
    pub span: Range<usize>,
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

/// The tables of a file by name, in the order of their names; none where the text is no TOML.
pub fn tables<'a>(source: &'a Source, mistakes: &mut Vec<Mistake>) -> Option<DeTable<'a>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    // Only the first: what follows an unclosed bracket is noise.
    if let Some(error) = errors.first() {
        let says = format!("this is not TOML: {}", error.message());
        let place = error.span().unwrap_or(0..0);
        let help = hint::toml(&source.text, &place, error.message());
        mistakes.push(source.mistake(place, says, help));
        return None;
    }
    Some(table.into_inner())
}

/// A table of a name that the file does not have.
pub fn unknown_table(source: &Source, key: &Spanned<Cow<'_, str>>, file: &str, known: &[&str]) -> Mistake {
    let name = key.get_ref();
    source.mistake(key.span(), format!("`{name}` is no table of {file}"), Some(instead(name, known)))
}

/// Reads a list of tables, leaving out what is wrong.
pub fn entries<T: Entry>(source: &Source, key: &Spanned<Cow<'_, str>>, value: Spanned<DeValue<'_>>, mistakes: &mut Vec<Mistake>) -> Vec<Read<T>> {
    match value.into_inner() {
        DeValue::Array(list) => list.into_iter().filter_map(|item| entry(source, item, mistakes)).collect(),
        _ => {
            let name = key.get_ref();
            mistakes.push(source.mistake(key.span(), format!("`{name}` is a list of tables"), Some(format!("write [[{name}]] in double brackets"))));
            Vec::new()
        }
    }
}

/// Reads one entry, leaving out what is wrong with it.
pub fn entry<T: Entry>(source: &Source, value: Spanned<DeValue<'_>>, mistakes: &mut Vec<Mistake>) -> Option<Read<T>> {
    let span = value.span();
    let mut value = value;
    let DeValue::Table(table) = value.get_ref() else {
        mistakes.push(source.mistake(span, format!("a {} is a table of keys", T::WORD), None));
        return None;
    };
    let missing: Vec<&str> = T::REQUIRED.iter().copied().filter(|key| !table.contains_key(*key)).collect();
    let named = table.get("id").and_then(|id| id.get_ref().as_str()).map_or_else(String::new, |id| format!(" `{id}`"));
    let mut damaged = false;
    let mut meant: Vec<String> = Vec::new();
    for _ in 0..limit::MISTAKES_PER_ENTRY {
        let error = match T::deserialize(toml::de::ValueDeserializer::from(value.clone())) {
            Ok(entry) => return Some(Read { entry, span, damaged }),
            Err(error) => error,
        };
        if error.message().starts_with("missing field") && !missing.is_empty() {
            // Not those that an unknown key was probably meant to be: that was told already.
            for key in missing.into_iter().filter(|key| !meant.iter().any(|word| word == key)) {
                mistakes.push(source.mistake(span.clone(), format!("{}{named} has no `{key}`", T::WORD), T::help(key).map(str::to_owned)));
            }
            return None;
        }
        let place = error.span().filter(|place| *place != span).unwrap_or_else(|| span.clone());
        let removed = place != span && remove(value.get_mut(), &place);
        meant.extend(right_key(error.message()).map(str::to_owned));
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
        let help = hint::word(wrong, &known).unwrap_or_else(|| instead(wrong, &known));
        return source.mistake(place, format!("`{wrong}` is no word for this key"), Some(help));
    }
    if let Some((found, wanted)) = message.strip_prefix("invalid type: ").and_then(|types| types.split_once(", expected ")) {
        let written = source.text.get(place.clone()).unwrap_or_default();
        let by_key = hint::value(hint::key(&source.text, &place), wanted, written);
        let (wanted, help) = belongs(wanted, written);
        let help = by_key.or(help);
        return source.mistake(place, format!("{} where {wanted} belongs", kind_of(found)), help);
    }
    if message == BAD_ADDRESS {
        let written = source.text.get(place.clone()).unwrap_or_default().trim_matches(['"', '\'']);
        let help =
            "write one address, as in \"192.0.2.7\"; a port goes into `ports`, and where a whole network is meant the site file gives it a role".to_owned();
        return source.mistake(place, format!("`{written}` is no address"), Some(help));
    }
    source.mistake(place, message.replace("invalid value: ", "wrong value: "), None)
}

/// What the standard library says of a text that is no address.
const BAD_ADDRESS: &str = "invalid IP address syntax";

/// What stands there, from serde's word for it with the value behind.
fn kind_of(found: &str) -> &str {
    let kinds = [
        ("string", "a text"),
        ("integer", "a number"),
        ("floating point", "a number"),
        ("boolean", "`true` or `false`"),
        ("sequence", "a list"),
        ("map", "a table"),
    ];
    kinds.into_iter().find(|(word, _)| found.starts_with(word)).map_or(found, |(_, kind)| kind)
}

/// What should stand there, from serde's word for it, and how to write it.
fn belongs<'w>(wanted: &'w str, written: &str) -> (&'w str, Option<String>) {
    let is_short = !written.is_empty() && !written.contains('\n') && written.len() <= LONGEST_REPEATED;
    match wanted {
        "a sequence" => ("a list", is_short.then(|| format!("write it in brackets: [{written}]"))),
        "a string" => ("a text", is_short.then(|| format!("write it in quotes: \"{}\"", written.trim_matches('\'')))),
        "a boolean" => ("`true` or `false`", Some("write one of them, without quotes".to_owned())),
        "a map" => ("a table", None),
        // A table of this program; people have no use for its name here.
        other if other.starts_with("struct ") => ("a table of keys", None),
        other => (other, None),
    }
}

/// Bytes of a value that are repeated in advice.
const LONGEST_REPEATED: usize = 60;

/// The known key that the unknown one of serde's message was probably meant to be.
fn right_key(message: &str) -> Option<&str> {
    let mut quoted = message.strip_prefix("unknown field")?.split('`').skip(1).step_by(2);
    nearest(quoted.next()?, quoted)
}

/// Advice for a word that is not one of the known ones.
pub fn instead(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("it is one of: {}", known.join(", ")),
    }
}

#[cfg(feature = "schema")]
mod schema {
    use super::At;
    use schemars::{JsonSchema, Schema, SchemaGenerator};
    use std::borrow::Cow;

    impl<T: JsonSchema> JsonSchema for At<T> {
        fn inline_schema() -> bool {
            T::inline_schema()
        }

        fn schema_name() -> Cow<'static, str> {
            T::schema_name()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            T::json_schema(generator)
        }
    }
}
