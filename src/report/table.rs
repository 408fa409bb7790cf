//! Aligned columns for people.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::report::paragraph::{Page, shown, width};

/// Rows under a heading, each column as wide as its widest cell. Where that is wider than the page, the widest columns of words give way, and what is cut says so.
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
        self.fitted(Page::now().columns, out)
    }

    fn fitted(&self, page: usize, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths: Vec<usize> =
            (0..columns).map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)).collect();
        self.squeeze(&mut widths, page);
        for row in &self.rows {
            let mut line = String::from(" ");
            for (column, cell) in row.iter().enumerate() {
                let room = widths.get(column).copied().unwrap_or(0);
                let cell = cut(cell, room);
                let fill = " ".repeat(room.saturating_sub(width(&cell)));
                line.push(' ');
                match self.right.contains(&column) {
                    true => line.extend([fill.as_str(), &cell]),
                    false => line.extend([&cell, fill.as_str()]),
                }
                line.push(' ');
            }
            writeln!(out, "{}", cut(line.trim_end(), page))?;
        }
        Ok(())
    }

    /// Takes from the widest columns of words what is too much for the page; those of numbers stay.
    fn squeeze(&self, widths: &mut [usize], page: usize) {
        loop {
            // A blank on each side of each column, and the one in front; the last is none.
            let total: usize = widths.iter().map(|width| width + 2).sum();
            let words = widths.iter_mut().enumerate().filter(|(column, _)| !self.right.contains(column));
            match words.max_by_key(|(_, width)| **width) {
                Some((_, widest)) if total > page && *widest > NARROWEST => *widest -= 1,
                _ => return,
            }
        }
    }
}

/// A text that fits so many columns; what is left out is marked.
fn cut(text: &str, room: usize) -> Cow<'_, str> {
    match width(text) <= room {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().take(room.saturating_sub(CUT.len())).chain(CUT.chars()).collect()),
    }
}

/// No column of words is made narrower than this; what is too wide even so is cut at the page's edge.
const NARROWEST: usize = 9;
const CUT: &str = "...";

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", "flows", "ends"], &[1]);
        table.row(["mqtt".to_owned(), "7".to_owned(), "ok".to_owned()]);
        table.row(["a-long-service-name".to_owned(), "1234".to_owned(), "ok".to_owned()]);
        table.row(["w".repeat(150), "1".to_owned(), "blocked".to_owned()]);
        table
    }

    fn lines(page: usize) -> Vec<String> {
        let mut out = Vec::new();
        table().fitted(page, &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_no_line_is_wider_than_the_page() {
        for page in [20, 40, 80, 100, 200] {
            let lines = lines(page);
            assert!(lines.iter().all(|line| line.chars().count() <= page), "{page}: {lines:#?}");
            assert!(lines[0].starts_with("  name"));
        }
        assert!(lines(200)[3].contains(&"w".repeat(150)), "a wide terminal shows it all");
    }

    #[test]
    fn the_widest_column_gives_way_and_the_others_stay_whole() {
        for page in [40, 100] {
            let lines = lines(page);
            assert!(lines[3].contains("ww...") && lines[3].ends_with("1  blocked"), "{lines:#?}");
            assert!(lines[2].ends_with("1234  ok"), "{lines:#?}");
        }
    }
}
