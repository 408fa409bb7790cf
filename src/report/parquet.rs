//! `parquet`: one [table](crate::report::sheet) as an Apache Parquet file, for DuckDB, pandas, Spark and whatever reads their columns. Its schemas are
//! `schemas/*.parquet.schema`, in Parquet's own words: what is documented there is what is written.
//!
//! A column at a time is what the format asks for, so rows are kept until a [group](crate::limit::PARQUET_ROWS) of them is full.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::{Compression, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use serde::Serialize;

use crate::capture::{CaptureFile, FrameId};
use crate::judge::Judged;
use crate::limit::PARQUET_ROWS;
use crate::report::frames::file_name;
use crate::report::record::word;
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
        let mut rows = self.take_rows()?;
        write_flow(judged, self.signatures, &mut rows)?;
        rows.drain(self.out)?;
        self.rows = Some(rows);
        Ok(())
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        let mut rows = self.take_rows()?;
        write_rest(self.sheet, report, &mut rows)?;
        rows.close(self.out)
    }
}

impl Table<'_> {
    fn take_rows(&mut self) -> io::Result<Rows> {
        self.rows.take().map_or_else(|| Rows::new(schema(self.sheet)).map_err(failed), Ok)
    }
}

/// Rows of a group in the making, column by column.
struct Rows {
    columns: Vec<Column>,
    /// The column whose cell comes next.
    at: usize,
    many: usize,
    file: SerializedFileWriter<Written>,
    written: Written,
}

impl Rows {
    fn new(schema: &str) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(schema)?);
        let columns = SchemaDescriptor::new(schema.clone()).columns().iter().map(|column| Column::new(column)).collect();
        // The version of the program is no part of it: the same report is the same file.
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_created_by("portbook".to_owned()).build();
        let written = Written::default();
        let file = SerializedFileWriter::new(written.clone(), schema, Arc::new(properties))?;
        Ok(Self { columns, at: 0, many: 0, file, written })
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
                match &column.values {
                    Values::Texts(values) => writer.typed::<ByteArrayType>().write_batch(values, definitions, repetitions)?,
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

    /// Hands over what the library has written.
    fn drain(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.written.take(out)
    }

    fn close(mut self, out: &mut dyn Write) -> io::Result<()> {
        self.flush().map_err(failed)?;
        self.file.close().map_err(failed)?;
        self.written.take(out)
    }
}

impl Cells for Rows {
    fn text(&mut self, text: &str) {
        if let Some(column) = self.column() {
            column.one(text);
        }
    }

    fn maybe(&mut self, text: Option<&str>) {
        match (self.column(), text) {
            (Some(column), Some(text)) => column.one(text),
            (Some(column), None) => column.none(),
            (None, _) => {}
        }
    }

    fn word(&mut self, value: &impl Serialize) {
        self.text(&word(value));
    }

    fn list<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>, _: &str) {
        if let Some(column) = self.column() {
            column.list(values, |value, column| column.push_text(value.as_ref()));
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
    Texts(Vec<ByteArray>),
    Short(Vec<i32>),
    Long(Vec<i64>),
}

impl Column {
    fn new(described: &ColumnDescriptor) -> Self {
        let values = match described.physical_type() {
            Physical::INT32 => Values::Short(Vec::new()),
            Physical::INT64 => Values::Long(Vec::new()),
            _ => Values::Texts(Vec::new()),
        };
        let levels = |most: i16| (most > 0).then(Vec::new);
        Self { values, definitions: levels(described.max_def_level()), repetitions: levels(described.max_rep_level()) }
    }

    /// A text of its own.
    fn one(&mut self, text: &str) {
        self.level(1, 0);
        self.push_text(text);
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

    fn push_text(&mut self, text: &str) {
        if let Values::Texts(values) = &mut self.values {
            values.push(text.into());
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
            Values::Texts(values) => values.clear(),
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
