//! `parquet`: one [table](crate::report::sheet) as an Apache Parquet file, for DuckDB, pandas, Spark and whatever reads their columns. Its schemas are
//! `schemas/*.parquet.schema`, in Parquet's own words: what is documented there is what is written.
//!
//! A column at a time is what the format asks for, so rows are kept until a [group](crate::limit::PARQUET_ROWS) of them is full.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::{Compression, Encoding, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor, SchemaDescriptor};
use serde::Serialize;

use crate::capture::{CaptureFile, FrameId};
use crate::judge::Judged;
use crate::limit::PARQUET_ROWS;
use crate::report::frames::file_name;
use crate::report::record::append_word;
use crate::report::sheet::{Cells, write_flow, write_rest};
use crate::report::{Report, Sheet, Style, Writer};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// Writes the table that was asked for.
pub fn open<'a>(out: &'a mut dyn Write, style: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Table { sheet: style.sheet, signatures, out, rows: None })
}

/// A table's schema as Parquet writes schemas.
pub(super) const fn schema(sheet: Sheet) -> &'static str {
    match sheet {
        Sheet::Flows => include_str!("../../schemas/flows.parquet.schema"),
        Sheet::Findings => include_str!("../../schemas/findings.parquet.schema"),
        Sheet::Coverage => include_str!("../../schemas/coverage.parquet.schema"),
    }
}

struct Table<'a> {
    sheet: Sheet,
    signatures: &'a Signatures,
    out: &'a mut dyn Write,
    /// None until the first row.
    rows: Option<Rows>,
}

impl Writer for Table<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        if self.sheet != Sheet::Flows {
            return Ok(());
        }
        let rows = begun(&mut self.rows, self.sheet)?;
        write_flow(judged, self.signatures, rows)?;
        rows.drain(self.out)
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        let rows = begun(&mut self.rows, self.sheet)?;
        write_rest(self.sheet, report, rows)?;
        rows.close(self.out)
    }
}

/// The rows, which are begun where there are none yet.
fn begun(rows: &mut Option<Rows>, sheet: Sheet) -> io::Result<&mut Rows> {
    match rows {
        Some(rows) => Ok(rows),
        none => Rows::new(schema(sheet)).map(|rows| none.insert(rows)).map_err(failed),
    }
}

/// Rows of a group in the making, column by column.
struct Rows {
    columns: Vec<Column>,
    /// Texts of the column that is being handed over.
    texts: Vec<ByteArray>,
    /// The column whose cell comes next.
    at: usize,
    many: usize,
    file: SerializedFileWriter<Written>,
    written: Written,
}

impl Rows {
    fn new(schema: &str) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(schema)?);
        let described = SchemaDescriptor::new(schema.clone());
        let columns = described.columns().iter().map(|column| Column::new(column)).collect();
        let written = Written::default();
        let file = SerializedFileWriter::new(written.clone(), schema, Arc::new(properties(&described)))?;
        Ok(Self { columns, texts: Vec::new(), at: 0, many: 0, file, written })
    }

    fn column(&mut self) -> Option<&mut Column> {
        let column = self.columns.get_mut(self.at);
        self.at += 1;
        column
    }

    /// Ends the group. A column whose cells were of another kind than its own has too few, which the library refuses to write.
    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.many == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column()? {
                let (definitions, repetitions) = (column.definitions.as_deref(), column.repetitions.as_deref());
                match &mut column.values {
                    Values::Texts(values) => {
                        values.hand_over(&mut self.texts);
                        writer.typed::<ByteArrayType>().write_batch(&self.texts, definitions, repetitions)?
                    }
                    Values::Short(values) => writer.typed::<Int32Type>().write_batch(values, definitions, repetitions)?,
                    Values::Long(values) => writer.typed::<Int64Type>().write_batch(values, definitions, repetitions)?,
                };
                writer.close()?;
            }
            column.clear();
        }
        self.many = 0;
        group.close().map(|_| ())
    }

    /// Hands over what the library has written, once a group is.
    fn drain(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.many > 0 { Ok(()) } else { self.written.take(out) }
    }

    /// Ends the file.
    fn close(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.flush().map_err(failed)?;
        self.file.finish().map_err(failed)?;
        self.written.take(out)
    }
}

impl Cells for Rows {
    fn text(&mut self, text: &str) {
        if let Some(column) = self.column() {
            column.one(|texts| texts.push_str(text));
        }
    }

    fn maybe(&mut self, text: Option<&str>) {
        match (self.column(), text) {
            (Some(column), Some(text)) => column.one(|texts| texts.push_str(text)),
            (Some(column), None) => column.none(),
            (None, _) => {}
        }
    }

    fn word(&mut self, value: &impl Serialize) {
        if let Some(column) = self.column() {
            column.one(|text| append_word(text, value));
        }
    }

    fn list<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>, _: &str) {
        if let Some(column) = self.column() {
            column.list(values, |value, column| column.push_text(|texts| texts.push_str(value.as_ref())));
        }
    }

    fn numbers(&mut self, values: &[u16]) {
        if let Some(column) = self.column() {
            column.list(values, |value, column| column.push(u64::from(*value)));
        }
    }

    fn number(&mut self, number: u64) {
        if let Some(column) = self.column() {
            column.push(number);
        }
    }

    fn time(&mut self, time: Timestamp) {
        if let Some(column) = self.column() {
            column.push(time.nanos().cast_unsigned());
        }
    }

    fn frames(&mut self, captures: &[CaptureFile], frames: &[FrameId]) {
        self.list(frames.iter().map(|frame| file_name(captures, *frame)), "");
        if let Some(column) = self.column() {
            column.list(frames, |frame, column| column.push(frame.number()));
        }
    }

    fn end(&mut self) -> io::Result<()> {
        (self.at, self.many) = (0, self.many + 1);
        if self.many < PARQUET_ROWS { Ok(()) } else { self.flush().map_err(failed) }
    }
}

/// Cells of a column. Levels are those of Dremel's paper, as Parquet has them: whether a value is there, and whether it goes on with a list.
struct Column {
    values: Values,
    definitions: Option<Vec<i16>>,
    repetitions: Option<Vec<i16>>,
}

enum Values {
    Texts(Texts),
    Short(Vec<i32>),
    Long(Vec<i64>),
}

/// Texts one behind the other: a block for each of them is what writing them cost most.
#[derive(Default)]
struct Texts {
    all: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Texts {
    /// Hands them over as the library takes them, which are parts of one block, and has none any more.
    fn hand_over(&mut self, texts: &mut Vec<ByteArray>) {
        let room = String::with_capacity(self.all.len());
        let all = ByteArray::from(std::mem::replace(&mut self.all, room).into_bytes());
        texts.clear();
        let mut begin = 0;
        texts.extend(self.ends.drain(..).map(|end| {
            let start = std::mem::replace(&mut begin, end);
            all.slice(start, end - start)
        }));
    }
}

impl Column {
    fn new(described: &ColumnDescriptor) -> Self {
        let values = match described.physical_type() {
            Physical::INT32 => Values::Short(Vec::new()),
            Physical::INT64 => Values::Long(Vec::new()),
            _ => Values::Texts(Texts::default()),
        };
        let levels = |most: i16| (most > 0).then(Vec::new);
        Self { values, definitions: levels(described.max_def_level()), repetitions: levels(described.max_rep_level()) }
    }

    /// A text of its own.
    fn one(&mut self, append: impl FnOnce(&mut String)) {
        self.level(1, 0);
        self.push_text(append);
    }

    /// A cell without a value, or an empty list.
    fn none(&mut self) {
        self.level(0, 0);
    }

    fn list<T>(&mut self, values: impl IntoIterator<Item = T>, push: impl Fn(T, &mut Self)) {
        let mut again = 0;
        for value in values {
            self.level(1, std::mem::replace(&mut again, 1));
            push(value, self);
        }
        if again == 0 {
            self.none();
        }
    }

    fn level(&mut self, defined: i16, repeated: i16) {
        if let Some(definitions) = &mut self.definitions {
            definitions.push(defined);
        }
        if let Some(repetitions) = &mut self.repetitions {
            repetitions.push(repeated);
        }
    }

    fn push_text(&mut self, append: impl FnOnce(&mut String)) {
        if let Values::Texts(texts) = &mut self.values {
            append(&mut texts.all);
            texts.ends.push(texts.all.len());
        }
    }

    /// Numbers are unsigned; in 64 bits they keep theirs, as the schema says how to read them.
    fn push(&mut self, number: u64) {
        match &mut self.values {
            Values::Short(values) => values.push(i32::try_from(number).unwrap_or(i32::MAX)),
            Values::Long(values) => values.push(number.cast_signed()),
            Values::Texts(_) => {}
        }
    }

    fn clear(&mut self) {
        match &mut self.values {
            // Handed over.
            Values::Texts(_) => {}
            Values::Short(values) => values.clear(),
            Values::Long(values) => values.clear(),
        }
        for levels in [&mut self.definitions, &mut self.repetitions].into_iter().flatten() {
            levels.clear();
        }
    }
}

/// What the library has written and the report's output has not taken yet: the library wants an output of its own that any thread may have.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = out.write_all(&bytes);
        bytes.clear();
        answer
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How columns are written.
fn properties(described: &SchemaDescriptor) -> WriterProperties {
    // The version of the program is no part of it: the same report is the same file. A group has one page of a column, or few: what readers skip by is known of the group.
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_created_by("portbook".to_owned());
    let properties = properties.set_statistics_enabled(EnabledStatistics::Chunk);
    let set = |properties: WriterPropertiesBuilder, column: &ColumnDescPtr| {
        let path = column.path().clone();
        match column.physical_type() {
            // Most groups have all the texts there are: the least and the most of them skip nothing. An id is another one in each row, and has no order to compress.
            Physical::BYTE_ARRAY if column.name() == "id" => {
                let properties = properties.set_column_dictionary_enabled(path.clone(), false).set_column_compression(path.clone(), Compression::UNCOMPRESSED);
                properties.set_column_statistics_enabled(path, EnabledStatistics::None)
            }
            Physical::BYTE_ARRAY => properties.set_column_statistics_enabled(path, EnabledStatistics::None),
            // Small ones among few large ones, or close to the one before.
            _ => properties.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        }
    };
    described.columns().iter().fold(properties, set).build()
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sheet::columns;

    #[test]
    fn each_table_has_the_columns_that_csv_has() {
        for sheet in [Sheet::Flows, Sheet::Findings, Sheet::Coverage] {
            let parsed = parse_message_type(schema(sheet)).unwrap();
            let names: Vec<&str> = parsed.get_fields().iter().map(|field| field.name()).collect();
            assert_eq!(names, columns(sheet));
        }
    }
}
