//! Words and columns in a width: wrapping and aligned tables for people.

use std::io::{self, Write};

/// Columns of a text report: fits a terminal beside another one, and a mail.
pub const WIDTH: usize = 100;

/// Writes `text` wrapped at [`WIDTH`], the first line after `lead`, the others indented by as many spaces as `lead` is wide.
pub fn wrapped(out: &mut dyn Write, lead: &str, text: &str) -> io::Result<()> {
    let indent = width(lead);
    for (place, line) in lines(text, WIDTH.saturating_sub(indent)).iter().enumerate() {
        match place {
            0 => writeln!(out, "{lead}{line}")?,
            _ => writeln!(out, "{:indent$}{line}", "")?,
        }
    }
    Ok(())
}

/// Breaks text into lines of at most `limit` characters, at spaces; a longer word is cut, as file names and filters can be endless.
pub fn lines(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(20);
    let (mut all, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        if !line.is_empty() && width(&line) + 1 + width(&word) > limit {
            all.push(std::mem::take(&mut line));
        }
        while width(&word) > limit {
            let rest = word.split_off(word.char_indices().nth(limit).map_or(word.len(), |(at, _)| at));
            all.push(std::mem::replace(&mut word, rest));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() || all.is_empty() {
        all.push(line);
    }
    all
}

/// Rows under a heading, each column as wide as its widest cell; the last one takes what is left and is cut there.
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

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
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
            writeln!(out, "{}", line.chars().take(WIDTH).collect::<String>().trim_end())?;
        }
        Ok(())
    }
}

/// Characters shown; colour codes take no room.
fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(|part| part.chars().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_broken_at_spaces_and_a_long_word_where_it_must() {
        assert_eq!(lines("one two three four five six", 20), ["one two three four", "five six"]);
        assert_eq!(lines(&"x".repeat(45), 20).iter().map(String::len).collect::<Vec<_>>(), [20, 20, 5]);
        assert_eq!(lines("", 20), [""]);
    }

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
    }
}
