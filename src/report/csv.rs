//! `csv`: one [table](crate::report::sheet), as RFC 4180 writes it. What comes from the wire cannot become a formula where a spreadsheet opens it.

use std::io::{self, Write};

use serde::Serialize;

use crate::capture::{CaptureFile, FrameId};
use crate::judge::Judged;
use crate::report::frames;
use crate::report::paragraph::shown;
use crate::report::record::append_word;
use crate::report::sheet::{Cells, columns, write_flow, write_rest};
use crate::report::{Report, Sheet, Style, Writer};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// Writes the table that was asked for: flows as they pass, the others at the end.
pub fn open<'a>(out: &'a mut dyn Write, style: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Csv { sheet: style.sheet, signatures, begun: false, row: Row::new(out) })
}

struct Csv<'a> {
    sheet: Sheet,
    signatures: &'a Signatures,
    begun: bool,
    row: Row<'a>,
}

impl Writer for Csv<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        if self.sheet != Sheet::Flows {
            return Ok(());
        }
        self.begin()?;
        write_flow(judged, self.signatures, &mut self.row)
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        self.begin()?;
        write_rest(self.sheet, report, &mut self.row)
    }
}

impl Csv<'_> {
    /// The header line, also over an empty table.
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        columns(self.sheet).iter().for_each(|column| self.row.text(column));
        self.row.end()
    }
}

/// A line of a table in the making.
pub(in crate::report) struct Row<'a> {
    line: String,
    cells: usize,
    out: &'a mut dyn Write,
}

impl<'a> Row<'a> {
    pub(in crate::report) fn new(out: &'a mut dyn Write) -> Self {
        Self { line: String::new(), cells: 0, out }
    }

    /// Adds a cell.
    pub(in crate::report) fn text(&mut self, text: &str) {
        self.next();
        if is_plain(text) {
            return self.line.push_str(text);
        }
        let text = shown(text);
        let guard = if is_formula(&text) { "'" } else { "" };
        if text.contains([',', '"', '\r', '\n']) {
            self.line.extend(["\"", guard, &text.replace('"', "\"\""), "\""]);
        } else {
            self.line.extend([guard, &text]);
        }
    }

    /// Goes on to the next cell.
    fn next(&mut self) {
        if self.cells > 0 {
            self.line.push(',');
        }
        self.cells += 1;
    }

    /// Writes the line.
    pub(in crate::report) fn end(&mut self) -> io::Result<()> {
        self.line.push_str("\r\n");
        let answer = self.out.write_all(self.line.as_bytes());
        self.line.clear();
        self.cells = 0;
        answer
    }
}

impl Cells for Row<'_> {
    fn text(&mut self, text: &str) {
        Row::text(self, text);
    }

    fn maybe(&mut self, text: Option<&str>) {
        Row::text(self, text.unwrap_or_default());
    }

    fn word(&mut self, value: &impl Serialize) {
        // Nothing in it needs an escape.
        self.next();
        append_word(&mut self.line, value);
    }

    fn list<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>, between: &str) {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return self.next() };
        let Some(second) = values.next() else { return Row::text(self, first.as_ref()) };
        let mut all = [first.as_ref(), between, second.as_ref()].concat();
        values.for_each(|value| all.extend([between, value.as_ref()]));
        Row::text(self, &all);
    }

    fn numbers(&mut self, values: &[u16]) {
        self.list(values.iter().map(ToString::to_string), " ");
    }

    fn number(&mut self, number: u64) {
        self.next();
        self.line.push_str(itoa::Buffer::new().format(number));
    }

    fn time(&mut self, time: Timestamp) {
        Row::text(self, &time.to_string());
    }

    fn frames(&mut self, captures: &[CaptureFile], cited: &[FrameId]) {
        Row::text(self, &frames::numbers(captures, cited));
    }

    fn end(&mut self) -> io::Result<()> {
        Row::end(self)
    }
}

/// Whether a text stands in a cell as it is: nothing in it ends a cell or a line, commands a terminal, or starts a formula.
fn is_plain(text: &str) -> bool {
    let only = text.bytes().fold(true, |only, byte| only & matches!(byte, b' '..=b'~') & (byte != b',') & (byte != b'"'));
    only && !text.starts_with(['=', '+', '-', '@'])
}

/// Whether a spreadsheet would take the cell for a formula: it begins with a sign that starts one, in either width. (OWASP, "CSV Injection".)
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[&str]) -> String {
        let mut out = Vec::new();
        let mut row = Row::new(&mut out);
        cells.iter().for_each(|cell| row.text(cell));
        row.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_asks_and_lines_end_with_crlf() {
        assert_eq!(line(&["a", "b,c", "say \"hi\"", "two\nlines", "d"]), "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",d\r\n");
        assert_eq!(line(&["", "x", ""]), ",x,\r\n", "an empty cell keeps its place, at the beginning too");
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        for cell in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\u{ff1d}1"] {
            let line = line(&[cell]);
            assert!(line.trim_start_matches('"').starts_with('\''), "{line}");
        }
        assert_eq!(line(&["a=b", "2001:db8::1"]), "a=b,2001:db8::1\r\n");
    }

    #[test]
    fn codes_that_a_terminal_would_obey_are_written_out() {
        assert_eq!(line(&["\u{1b}[2Jx"]), "\\u{1b}[2Jx\r\n");
    }
}
