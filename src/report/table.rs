//! Aligned columns for people.

use std::io::{self, Write};

use crate::report::paragraph::{WIDTH, shown, width};

/// Rows under a heading, each column as wide as its widest cell; a line that is wider than the page is cut, and says so.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    /// A table with these headings; columns in `right` hold numbers and are aligned to the right.
    pub fn new(headings: &[&str], right: &[usize]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()], right: right.to_vec() }
    }

    /// Adds a row; its cells are [shown].
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| shown(&cell).into_owned()).collect());
    }

    /// Prints it, two spaces in front.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> =
            (0..columns).map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (column, cell) in row.iter().enumerate() {
                let fill = " ".repeat(widths.get(column).copied().unwrap_or(0).saturating_sub(width(cell)));
                line.push(' ');
                match self.right.contains(&column) {
                    true => line.extend([fill.as_str(), cell]),
                    false => line.extend([cell, fill.as_str()]),
                }
                line.push(' ');
            }
            writeln!(out, "{}", cut(line.trim_end()))?;
        }
        Ok(())
    }
}

/// A line that fits the page; what is left out is marked.
fn cut(line: &str) -> String {
    match width(line) <= WIDTH {
        true => line.to_owned(),
        false => line.chars().take(WIDTH - CUT.len()).chain(CUT.chars()).collect(),
    }
}

const CUT: &str = "...";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_no_line_is_wider_than_the_page() {
        let mut table = Table::new(&["name", "flows"], &[1]);
        table.row(["mqtt".to_owned(), "7".to_owned()]);
        table.row(["a-long-service-name".to_owned(), "1234".to_owned()]);
        table.row(["w".repeat(150), "1".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out).expect("a vector takes everything");
        let text = String::from_utf8(out).expect("text");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        let first = text.lines().next().expect("a heading");
        assert!(first.starts_with("  name"));
        assert!(text.lines().last().expect("a row").ends_with("w..."), "a cut is marked");
    }
}
