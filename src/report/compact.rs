//! JSON on one line, byte for byte as serde_json writes it (its own tests below hold it to that), for records that come by the hundred thousand.
//!
//! serde_json looks at each byte of each field's name as if it could need escaping, and hands every piece of a few bytes to the output by itself; here names of
//! fields are copied, texts looked at as a whole, and the output gets a record at once. A flow record costs less than half so. What is rare (escapes, fractions) is serde_json's.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple};
use serde::ser::{SerializeTupleStruct, SerializeTupleVariant, Serializer};
use serde_json::Error;

/// A line in the making, whose room is used again.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<u8>);

impl Line {
    /// Writes the record, and what follows it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, out: &mut dyn Write, record: &impl Serialize, end: &[u8]) -> io::Result<()> {
        self.0.clear();
        append(&mut self.0, record)?;
        self.0.extend_from_slice(end);
        out.write_all(&self.0)
    }
}

/// Appends the value.
///
/// # Errors
/// A map whose keys are no texts.
pub(super) fn append(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    value.serialize(Compact { out })
}

/// Appends the word of a value of a closed list, without quotation marks.
pub(super) fn append_word(out: &mut String, value: &impl Serialize) {
    let mut text = Vec::with_capacity(32);
    // Words are those of our own enums; what is none is left out.
    if append(&mut text, value).is_ok()
        && let Ok(word) = std::str::from_utf8(&text)
    {
        out.push_str(word.trim_matches('"'));
    }
}

struct Compact<'a> {
    out: &'a mut Vec<u8>,
}

impl Compact<'_> {
    fn whole(self, number: impl itoa::Integer) -> Result<(), Error> {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        Ok(())
    }

    fn literal(self, text: &[u8]) -> Result<(), Error> {
        self.out.extend_from_slice(text);
        Ok(())
    }
}

/// A list or an object that is open.
struct Open<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
    end: &'static [u8],
}

impl<'a> Open<'a> {
    fn new(out: &'a mut Vec<u8>, begin: u8, end: &'static [u8]) -> Self {
        out.push(begin);
        Self { out, begun: false, end }
    }

    /// `{"Name":` and what is open in it.
    fn named(out: &'a mut Vec<u8>, variant: &'static str, begin: u8, end: &'static [u8]) -> Self {
        out.push(b'{');
        field_name(out, variant);
        Self::new(out, begin, end)
    }

    fn comma(&mut self) {
        if self.begun {
            self.out.push(b',');
        }
        self.begun = true;
    }

    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.comma();
        append(self.out, value)
    }

    fn field(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.comma();
        field_name(self.out, name);
        append(self.out, value)
    }

    fn close(self) -> Result<(), Error> {
        self.out.extend_from_slice(self.end);
        Ok(())
    }
}

/// Names of fields and variants are ours, and need no escape.
fn field_name(out: &mut Vec<u8>, name: &'static str) {
    out.reserve(name.len() + 3);
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Whether a text stands in JSON as it is (RFC 8259, section 7).
fn is_plain(text: &str) -> bool {
    // Without a way out in the middle, so that it is done many bytes at a time.
    !text.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
}

impl<'a> Serializer for Compact<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'a>;
    type SerializeTuple = Open<'a>;
    type SerializeTupleStruct = Open<'a>;
    type SerializeTupleVariant = Open<'a>;
    type SerializeMap = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeStructVariant = Open<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.literal(if value { b"true" } else { b"false" })
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.whole(value)
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.whole(value)
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.whole(value)
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.whole(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.whole(value)
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.whole(value)
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.whole(value)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.whole(value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        if !is_plain(text) {
            return serde_json::to_writer(self.out, text);
        }
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.literal(b"null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.literal(b"null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.literal(b"null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, variant: &'static str, value: &T) -> Result<(), Error> {
        let mut open = Open::new(self.out, b'{', b"}");
        open.field(variant, value)?;
        open.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'[', b"]"))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::named(self.out, variant, b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'{', b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'{', b"}"))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::named(self.out, variant, b'{', b"}}"))
    }
}

impl SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeTuple for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeTupleStruct for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeTupleVariant for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.comma();
        let at = self.out.len();
        append(self.out, key)?;
        if self.out.get(at) != Some(&b'"') {
            return Err(Error::custom("a key is no text"));
        }
        self.out.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        append(self.out, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeStructVariant for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Pair(u8, &'static str);

    #[derive(Serialize)]
    struct Wrapped(i64);

    #[derive(Serialize)]
    enum Kind {
        Plain,
        New(u32),
        Tuple(u8, u8),
        Fields { a: Option<u8>, b: () },
    }

    #[derive(Serialize)]
    struct All<'a> {
        kinds: [Kind; 4],
        #[serde(flatten)]
        map: BTreeMap<&'static str, f64>,
        text: &'a str,
        letter: char,
        numbers: (i8, i16, i32, i64, u8, u16, u32, u64, f32),
        flags: Vec<bool>,
        nothing: [Option<Pair>; 2],
        empty: ([u8; 0], Unit, Wrapped),
        address: IpAddr,
        #[serde(skip_serializing_if = "Option::is_none")]
        left_out: Option<u8>,
    }

    fn all(text: &str) -> All<'_> {
        All {
            kinds: [Kind::Plain, Kind::New(7), Kind::Tuple(1, 2), Kind::Fields { a: None, b: () }],
            map: [("x", 0.5), ("y", f64::NAN), ("z", 1e300)].into(),
            text,
            letter: '"',
            numbers: (i8::MIN, i16::MIN, i32::MIN, i64::MIN, u8::MAX, u16::MAX, u32::MAX, u64::MAX, 1.5),
            flags: vec![true, false],
            nothing: [None, Some(Pair(3, "three"))],
            empty: ([], Unit, Wrapped(-1)),
            address: "2001:db8::1".parse().unwrap(),
            left_out: None,
        }
    }

    fn compact(value: &impl Serialize) -> String {
        let mut out = Vec::new();
        append(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_kind_of_value_is_written_as_serde_json_writes_it() {
        for text in ["", "plain", "say \"hi\"\\", "\u{0}\t\n\u{1f}\u{7f}", "gr\u{fc}n \u{1f4a1} \u{2028}"] {
            assert_eq!(compact(&all(text)), serde_json::to_string(&all(text)).unwrap());
        }
        let value = serde_json::json!({"a": [1, -2, 3.25, null, {}], "b\n": {"c": "d\"", "e": [], "f": true}});
        assert_eq!(compact(&value), value.to_string());
    }

    #[test]
    fn a_key_that_is_no_text_is_an_error() {
        assert!(append(&mut Vec::new(), &BTreeMap::from([(1, 2)])).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_escaped_as_serde_json_escapes_it(text in ".*") {
            prop_assert_eq!(compact(&text), serde_json::to_string(&text).unwrap());
        }
    }
}
