//! JSON on one line, byte for byte as serde_json writes it (its own tests below hold it to that), for records that come by the hundred thousand.
//!
//! serde_json looks at each byte of each field's name as if it could need escaping, and hands every piece of a few bytes to the output by itself; here names of
//! fields are copied, texts looked at eight bytes at a time, and the output gets a record at once. What is rare (escapes, fractions) is serde_json's. The small parts
//! are always inlined, so that the names and commas of a record are constants where they are written.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple};
use serde::ser::{SerializeTupleStruct, SerializeTupleVariant, Serializer};
use serde_json::Error;

/// A line in the making, whose room is used again.
#[derive(Debug, Default)]
pub(super) struct Line(Text);

/// Bytes in the making, with room beyond them that holds whatever was there before. A list that grows looks after its length and its memory at each
/// piece; here a piece of known length is a comparison and a few moves.
#[derive(Debug, Default)]
struct Text {
    room: Vec<u8>,
    /// How many of them are written.
    len: usize,
}

impl Text {
    #[inline(always)]
    fn put(&mut self, piece: &[u8]) {
        self.write_over(piece.len(), |room| room.copy_from_slice(piece));
    }

    /// Lets the next bytes be written over.
    #[inline(always)]
    fn write_over(&mut self, bytes: usize, write: impl FnOnce(&mut [u8])) {
        let (begin, end) = (self.len, self.len + bytes);
        if end > self.room.len() {
            self.grow(end);
        }
        // There is room now; what is written has a length that is known where this is compiled only if nothing else than that can follow.
        if let Some(room) = self.room.get_mut(begin..end) {
            write(room);
            self.len = end;
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, least: usize) {
        self.room.resize(least.next_power_of_two().max(LEAST_ROOM), 0);
    }

    fn written(&self) -> &[u8] {
        &self.room[..self.len]
    }

    /// The text; everything that is put here is one.
    fn into_string(mut self) -> String {
        self.room.truncate(self.len);
        String::from_utf8(self.room).unwrap_or_default()
    }
}

/// For what serde_json writes.
impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A flow's record is seldom longer.
const LEAST_ROOM: usize = 2_048;

impl Line {
    /// Writes the record, and what follows it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, out: &mut dyn Write, record: &impl Serialize, end: &[u8]) -> io::Result<()> {
        self.0.len = 0;
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

/// Appends the word of a value of a closed list, without quotation marks.
pub(super) fn append_word(out: &mut String, value: &impl Serialize) {
    let mut text = Text { room: vec![0; 64], len: 0 };
    // Words are those of our own enums; what is none is left out.
    if append(&mut text, value).is_ok()
        && let Ok(word) = std::str::from_utf8(text.written())
    {
        out.push_str(word.trim_matches('"'));
    }
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

struct Compact<'a> {
    out: &'a mut Text,
    /// The text that comes is JSON already.
    ready: bool,
}

impl Compact<'_> {
    #[inline(always)]
    fn whole(self, number: impl itoa::Integer) -> Result<(), Error> {
        self.out.put(itoa::Buffer::new().format(number).as_bytes());
        Ok(())
    }

    #[inline(always)]
    fn literal(self, text: &'static [u8]) -> Result<(), Error> {
        self.out.put(text);
        Ok(())
    }
}

/// A list or an object that is open. What is in it is followed by a comma each time, and the last one gives way to the end: so nobody needs to know
/// whether anything came before.
struct Open<'a> {
    out: &'a mut Text,
    end: &'static [u8],
}

impl<'a> Open<'a> {
    #[inline(always)]
    fn new(out: &'a mut Text, begin: u8, end: &'static [u8]) -> Self {
        out.put(&[begin]);
        Self { out, end }
    }

    /// `{"Name":` and what is open in it.
    fn named(out: &'a mut Text, variant: &'static str, begin: u8, end: &'static [u8]) -> Self {
        out.put(b"{");
        name(out, variant, b"\":");
        Self::new(out, begin, end)
    }

    #[inline(always)]
    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        append(self.out, value)?;
        self.out.put(b",");
        Ok(())
    }

    #[inline(always)]
    fn field(&mut self, key: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        name(self.out, key, b"\":");
        self.element(value)
    }

    #[inline(always)]
    fn close(self) -> Result<(), Error> {
        // No value ends with a comma of its own.
        if self.out.written().last() == Some(&b',') {
            self.out.len -= 1;
        }
        self.out.put(self.end);
        Ok(())
    }
}

/// Names of fields and variants are ours, and need no escape.
#[inline(always)]
fn name(out: &mut Text, name: &'static str, end: &'static [u8]) {
    out.write_over(1 + name.len() + end.len(), |room| {
        let (begin, rest) = room.split_at_mut(1);
        let (middle, last) = rest.split_at_mut(name.len());
        begin.copy_from_slice(b"\"");
        middle.copy_from_slice(name.as_bytes());
        last.copy_from_slice(end);
    });
}

fn text(out: &mut Text, text: &str) -> Result<(), Error> {
    if !is_plain(text.as_bytes()) {
        return serde_json::to_writer(out, text);
    }
    out.write_over(text.len() + 2, |room| {
        if let [begin, middle @ .., end] = room {
            (*begin, *end) = (b'"', b'"');
            middle.copy_from_slice(text.as_bytes());
        }
    });
    Ok(())
}

/// Whether a text stands in JSON as it is (RFC 8259, section 7).
fn is_plain(text: &[u8]) -> bool {
    let (words, _) = text.as_chunks();
    // The last bytes once more with some of those before them; of a text of fewer than eight, the rest is blank.
    let last = match text.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => text.iter().fold(BLANKS, |word, byte| word << 8 | u64::from(*byte)),
    };
    to_escape(last) == 0 && words.iter().all(|word| to_escape(u64::from_le_bytes(*word)) == 0)
}

/// Not zero where one of the eight bytes is a control, a quotation mark or a backslash. A byte below `n` borrows when `n` is taken from it, and its own
/// highest bit was not set; what is borrowed further up changes nothing where nothing was found.
const fn to_escape(word: u64) -> u64 {
    let (quote, backslash) = (word ^ (EACH * b'"' as u64), word ^ (EACH * b'\\' as u64));
    ((word.wrapping_sub(BLANKS) & !word) | (quote.wrapping_sub(EACH) & !quote) | (backslash.wrapping_sub(EACH) & !backslash)) & (EACH * 0x80)
}

/// One in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;
/// Eight blanks, the first that needs no escape.
const BLANKS: u64 = EACH * b' ' as u64;

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

    #[inline(always)]
    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.whole(value)
    }

    #[inline(always)]
    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.whole(value)
    }

    #[inline(always)]
    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.whole(value)
    }

    #[inline(always)]
    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.whole(value)
    }

    #[inline(always)]
    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.whole(value)
    }

    #[inline(always)]
    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.whole(value)
    }

    #[inline(always)]
    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.whole(value)
    }

    #[inline(always)]
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
        name(self.out, variant, b"\"");
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

impl SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    #[inline(always)]
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeTuple for Open<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    #[inline(always)]
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeTupleStruct for Open<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    #[inline(always)]
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeTupleVariant for Open<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    #[inline(always)]
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let at = self.out.len;
        append(self.out, key)?;
        if self.out.written().get(at) != Some(&b'"') {
            return Err(Error::custom("a key is no text"));
        }
        self.out.put(b":");
        Ok(())
    }

    #[inline(always)]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    #[inline(always)]
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeStruct for Open<'_> {
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

impl SerializeStructVariant for Open<'_> {
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
