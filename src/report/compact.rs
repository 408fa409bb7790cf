//! JSON on one line, byte for byte as serde_json writes it (its own tests below hold it to that), for records that come by the hundred thousand.
//!
//! serde_json looks at each byte of each field's name as if it could need escaping, and hands every piece of a few bytes to the output by itself; here names of
//! fields are copied, texts looked at sixteen bytes at a time, and the output gets a record at once. What is rare (escapes, fractions) is serde_json's. The small parts
//! are always inlined, so that the names and commas of a record are constants where they are written.

mod bytes;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple};
use serde::ser::{SerializeTupleStruct, SerializeTupleVariant, Serializer};
use serde_json::Error;

use self::bytes::{Text, text, word};

/// A line in the making, whose room is used again.
#[derive(Debug, Default)]
pub(super) struct Line(Text);

impl Line {
    /// Writes the record, and what follows it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, out: &mut dyn Write, record: &impl Serialize, end: &[u8]) -> io::Result<()> {
        self.0.clear();
        append(&mut self.0, record)?;
        self.0.put(end);
        out.write_all(self.0.written())
    }
}

/// Appends the value.
///
/// # Errors
/// A map whose keys are no texts.
#[inline(always)]
fn append(out: &mut Text, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    value.serialize(Compact { out, ready: false })
}

/// The value as JSON.
///
/// # Errors
/// A map whose keys are no texts.
pub(super) fn compact(value: &impl Serialize) -> Result<String, Error> {
    let mut out = Text::default();
    append(&mut out, value)?;
    Ok(out.into_string())
}

/// A value that is written again and again, with the JSON that was made of it before: that is copied here, and any other serializer has the value made and
/// writes that.
pub(super) struct Ready<'a, F> {
    pub value: F,
    pub json: &'a str,
}

impl<T: Serialize, F: Fn() -> T> Serialize for Ready<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(READY, &Inside(self))
    }
}

/// What stands in the newtype of that name: only [`Compact`] asks for anything else than what people read.
struct Inside<'a, F>(&'a Ready<'a, F>);

impl<T: Serialize, F: Fn() -> T> Serialize for Inside<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { (self.0.value)().serialize(serializer) } else { serializer.serialize_str(self.0.json) }
    }
}

const READY: &str = "$portbook::Ready";

/// A word of ours: one of a closed list, as the name of an enum's variant is. No serializer has to look whether it could need an escape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word(pub &'static str);

impl Serialize for Word {
    #[inline(always)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant("Word", 0, self.0)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Word {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        str::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        str::json_schema(generator)
    }
}

struct Compact<'a> {
    out: &'a mut Text,
    /// The text that comes is JSON already.
    ready: bool,
}

impl Compact<'_> {
    #[inline(always)]
    fn whole(self, number: impl itoa::Integer) -> Result<(), Error> {
        let mut digits = itoa::Buffer::new();
        self.out.put(digits.format(number).as_bytes());
        Ok(())
    }

    #[inline(always)]
    fn literal(self, text: &'static [u8]) -> Result<(), Error> {
        self.out.put(text);
        Ok(())
    }
}

/// A list or an object that is open.
struct Open<'a> {
    out: &'a mut Text,
    /// What comes before the next that is in it: its beginning, later commas. So that is written together with the name of a field.
    before: u8,
    end: &'static [u8],
}

impl<'a> Open<'a> {
    #[inline(always)]
    fn new(out: &'a mut Text, begin: u8, end: &'static [u8]) -> Self {
        Self { out, before: begin, end }
    }

    /// `{"Name":` and what is open in it.
    fn named(out: &'a mut Text, variant: &'static str, begin: u8, end: &'static [u8]) -> Self {
        name(out, b'{', variant);
        Self::new(out, begin, end)
    }

    #[inline(always)]
    fn before(&mut self) -> u8 {
        std::mem::replace(&mut self.before, b',')
    }

    #[inline(always)]
    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let before = self.before();
        self.out.put(&[before]);
        append(self.out, value)
    }

    #[inline(always)]
    fn field(&mut self, key: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let before = self.before();
        name(self.out, before, key);
        append(self.out, value)
    }

    #[inline(always)]
    fn close(self) -> Result<(), Error> {
        if self.before != b',' {
            self.out.put(&[self.before]);
        }
        self.out.put(self.end);
        Ok(())
    }
}

/// A field's name and what comes before it: one constant where it is written. Names are ours, and need no escape.
#[inline(always)]
fn name(out: &mut Text, before: u8, name: &'static str) {
    if let Some([first, quote, middle @ .., end, colon]) = out.take(name.len() + 4) {
        (*first, *quote, *end, *colon) = (before, b'"', b'"', b':');
        middle.copy_from_slice(name.as_bytes());
    }
}

macro_rules! whole_numbers {
    ($($serialize:ident($number:ty))*) => {$(
        #[inline(always)]
        fn $serialize(self, value: $number) -> Result<(), Error> {
            self.whole(value)
        }
    )*};
}

/// What comes in a list, whatever serde calls it.
macro_rules! elements {
    ($($list:ident::$serialize:ident)*) => {$(
        impl $list for Open<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn $serialize<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            #[inline(always)]
            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

/// What comes by its name.
macro_rules! fields {
    ($($object:ident)*) => {$(
        impl $object for Open<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.field(name, value)
            }

            #[inline(always)]
            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
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

    #[inline(always)]
    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.literal(if value { b"true" } else { b"false" })
    }

    whole_numbers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
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

    #[inline(always)]
    fn serialize_str(self, said: &str) -> Result<(), Error> {
        if !self.ready {
            return text(self.out, said);
        }
        self.out.put(said.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.collect_seq(bytes)
    }

    #[inline(always)]
    fn serialize_none(self) -> Result<(), Error> {
        self.literal(b"null")
    }

    #[inline(always)]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    #[inline(always)]
    fn serialize_unit(self) -> Result<(), Error> {
        self.literal(b"null")
    }

    #[inline(always)]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.literal(b"null")
    }

    #[inline(always)]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        word(self.out, variant);
        Ok(())
    }

    #[inline(always)]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(Compact { ready: name == READY, ..self })
    }

    #[inline(always)]
    fn is_human_readable(&self) -> bool {
        !self.ready
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, variant: &'static str, value: &T) -> Result<(), Error> {
        let mut open = Open::new(self.out, b'{', b"}");
        open.field(variant, value)?;
        open.close()
    }

    #[inline(always)]
    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'[', b"]"))
    }

    #[inline(always)]
    fn serialize_tuple(self, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'[', b"]"))
    }

    #[inline(always)]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'[', b"]"))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::named(self.out, variant, b'[', b"]}"))
    }

    #[inline(always)]
    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'{', b"}"))
    }

    #[inline(always)]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::new(self.out, b'{', b"}"))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Open<'a>, Error> {
        Ok(Open::named(self.out, variant, b'{', b"}}"))
    }
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let before = self.before();
        self.out.put(&[before]);
        let at = self.out.written().len();
        append(self.out, key)?;
        if self.out.written().get(at) != Some(&b'"') {
            return Err(Error::custom("a key is no text"));
        }
        self.out.put(b":");
        Ok(())
    }

    #[inline(always)]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        append(self.out, value)
    }

    #[inline(always)]
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

elements! { SerializeSeq::serialize_element SerializeTuple::serialize_element SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field }
fields! { SerializeStruct SerializeStructVariant }
