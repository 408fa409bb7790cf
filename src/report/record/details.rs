//! What a flow's protocols state, in the words of the protocols.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::Value;

use crate::identify::{Detail, Fact};
use crate::report::compact::Word;

/// What a flow's protocols state, as `{"tls":{"version":"1.3"},"http":{...}}`, in the order they state it; a field said twice keeps every different value, as a list.
#[derive(Clone, Copy, Debug)]
pub struct Details<'a>(
    /// Gone through again for each field: there are few, and lists of them would cost more.
    &'a [Fact],
);

impl<'a> Details<'a> {
    /// What these facts state.
    pub fn of(facts: &'a [Fact]) -> Self {
        Self(facts)
    }

    fn all(self) -> impl Iterator<Item = &'a Detail> {
        self.0.iter().filter_map(|fact| match fact {
            Fact::Detail(detail) => Some(&**detail),
            _ => None,
        })
    }

    /// Protocols in the order they were met, each with its fields.
    pub fn protocols(self) -> impl Iterator<Item = (&'static str, Fields<'a>)> {
        let is_first = move |place: usize, protocol: &str| self.all().position(|other| other.key.0 == protocol) == Some(place);
        let protocols = self.all().map(|detail| detail.key.0).enumerate().filter(move |(place, protocol)| is_first(*place, protocol));
        protocols.map(move |(_, protocol)| (protocol, Fields { all: self, protocol }))
    }
}

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.protocols().map(|(protocol, fields)| (Word(protocol), fields)))
    }
}

/// What one protocol states.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    all: Details<'a>,
    protocol: &'static str,
}

impl<'a> Fields<'a> {
    fn said(self) -> impl Iterator<Item = (&'static str, &'a Value)> {
        self.all.all().filter(move |detail| detail.key.0 == self.protocol).map(|detail| (detail.key.1, &detail.value))
    }

    /// Its fields, in the order they were said.
    pub fn iter(self) -> impl Iterator<Item = (&'static str, Cow<'a, Value>)> {
        let is_first = move |place: usize, field: &str| self.said().position(|(other, _)| other == field) == Some(place);
        let fields = self.said().enumerate().filter(move |(place, (field, _))| is_first(*place, field));
        fields.map(move |(place, (field, value))| {
            let mut all = Cow::Borrowed(value);
            self.said().skip(place + 1).filter(|(other, _)| *other == field).for_each(|(_, value)| add(&mut all, value));
            (field, all)
        })
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(field, value)| (Word(field), value)))
    }
}

/// Adds another value of a field.
fn add(known: &mut Cow<'_, Value>, value: &Value) {
    if **known == *value {
        return;
    }
    match known.to_mut() {
        Value::Array(values) if !value.is_array() => {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        first => *first = Value::Array(vec![first.take(), value.clone()]),
    }
}
