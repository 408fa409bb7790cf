//! What a flow's protocols state, in the words of the protocols.

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::Value;

use crate::identify::{Detail, DetailValue};
use crate::report::compact::Word;

/// What a flow's protocols state, as `{"tls":{"version":"1.3"},"http":{...}}`, in the order they state it; a field said twice keeps every different value, as a list.
#[derive(Clone, Copy, Debug)]
pub struct Details<'a>(
    /// Those of a protocol and a field together, as [`Spoken`](crate::identify::Spoken) has them.
    pub &'a [Detail],
);

impl<'a> Details<'a> {
    /// Protocols in the order they were met, each with its fields.
    pub fn protocols(self) -> impl Iterator<Item = (&'static str, Fields<'a>)> {
        let protocols = self.0.chunk_by(|one, other| one.key.0 == other.key.0);
        protocols.filter_map(|all| Some((all.first()?.key.0, Fields(all))))
    }
}

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.protocols().map(|(protocol, fields)| (Word(protocol), fields)))
    }
}

/// What one protocol states.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a [Detail]);

impl<'a> Fields<'a> {
    /// Its fields, in the order they were said.
    pub fn iter(self) -> impl Iterator<Item = (&'static str, Stated<'a>)> {
        let fields = self.0.chunk_by(|one, other| one.key.1 == other.key.1);
        fields.filter_map(|all| {
            let (first, others) = all.split_first()?;
            Some((first.key.1, others.iter().fold(Stated::Once(&first.value), |known, detail| known.and(&detail.value))))
        })
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(field, stated)| (Word(field), stated)))
    }
}

/// What was said of a field.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Stated<'a> {
    /// One value.
    Once(&'a DetailValue),
    /// Different ones, in a list.
    Again(Value),
}

impl Stated<'_> {
    fn and(self, value: &DetailValue) -> Self {
        let (known, value) = (self.into_json(), json(value));
        Self::Again(match known {
            known if known == value => known,
            Value::Array(mut values) if !value.is_array() => {
                if !values.contains(&value) {
                    values.push(value);
                }
                Value::Array(values)
            }
            first => Value::Array(vec![first, value]),
        })
    }

    /// As JSON.
    pub fn into_json(self) -> Value {
        match self {
            Self::Once(value) => json(value),
            Self::Again(value) => value,
        }
    }
}

/// Details have nothing that JSON has not.
fn json(value: &DetailValue) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
