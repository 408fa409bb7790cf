//! What protocols state beyond their facts: fields that only a flow's record prints, under the protocol's name.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::net::Side;

/// A field of a record's `details`.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// Protocol and field: `("tls", "version")`.
    pub key: (&'static str, &'static str),
    /// The value.
    pub value: DetailValue,
}

/// What a field says. A flow states some of these and keeps them until it was judged, so each is one block of memory at most, but for fields within it.
#[derive(Clone, Debug, PartialEq)]
pub enum DetailValue {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u64),
    /// An end of the flow; the other one, once these change places.
    End(Side),
    /// A word of ours, which needs no escape in any format, or what the wire says, made printable.
    Text(Cow<'static, str>),
    /// Several texts.
    List(Lines),
    /// Bytes, as numbers.
    Bytes(Box<[u8]>),
    /// Fields of its own.
    Fields(Box<[(&'static str, DetailValue)]>),
}

impl DetailValue {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::End(side) => Some(side.name()),
            _ => None,
        }
    }

    /// A field of its own.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Fields(fields) = self else { return None };
        fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl Serialize for DetailValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u64(*number),
            // As the name of an enum's variant, which no serializer looks through for what needs an escape.
            Self::End(side) => serializer.serialize_unit_variant("Word", 0, side.name()),
            Self::Text(Cow::Borrowed(word)) => serializer.serialize_unit_variant("Word", 0, word),
            Self::Text(Cow::Owned(text)) => serializer.serialize_str(text),
            Self::List(lines) => serializer.collect_seq(lines.iter()),
            Self::Bytes(bytes) => serializer.collect_seq(bytes.iter()),
            Self::Fields(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

/// Texts, each on a line of its own, in one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines(Box<str>);

impl Lines {
    /// The texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (line, others) = rest.split_at_checked(memchr::memchr(b'\n', rest.as_bytes())?)?;
            rest = others.get(1..)?;
            Some(line)
        })
    }
}

/// Texts that were made printable: none has an end of a line in it.
impl<T: AsRef<str>> FromIterator<T> for Lines {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut lines = String::new();
        for text in texts {
            lines.push_str(text.as_ref());
            lines.push('\n');
        }
        Self(lines.into())
    }
}

impl From<Side> for DetailValue {
    fn from(side: Side) -> Self {
        Self::End(side)
    }
}

impl From<bool> for DetailValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u8> for DetailValue {
    fn from(number: u8) -> Self {
        Self::Number(number.into())
    }
}

impl From<u16> for DetailValue {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<&'static str> for DetailValue {
    fn from(word: &'static str) -> Self {
        Self::Text(Cow::Borrowed(word))
    }
}

impl From<Cow<'static, str>> for DetailValue {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

impl From<Box<str>> for DetailValue {
    fn from(text: Box<str>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }
}

impl From<String> for DetailValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<Lines> for DetailValue {
    fn from(lines: Lines) -> Self {
        Self::List(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_texts_they_were_made_of_also_where_one_is_empty_or_there_is_none() {
        for texts in [&[][..], &[""], &["h2"], &["h2", "", "http/1.1"]] {
            assert_eq!(texts.iter().collect::<Lines>().iter().collect::<Vec<_>>(), texts);
        }
    }

    #[test]
    fn values_are_printed_as_json_has_them_and_fields_in_their_order() {
        let fields = [("subject", "a \"b\"".to_owned().into()), ("names", DetailValue::List(["a", "b"].iter().collect())), ("many", 3_u8.into())];
        let value = DetailValue::Fields(fields.into());
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"subject":"a \"b\"","names":["a","b"],"many":3}"#);
        assert_eq!((value.get("subject").and_then(DetailValue::as_str), value.get("other")), (Some("a \"b\""), None));
        for (value, json) in [(DetailValue::from(true), "true"), ("1.3".into(), r#""1.3""#), (DetailValue::Bytes([0, 1, 0, 0].into()), "[0,1,0,0]")] {
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
        }
    }
}
