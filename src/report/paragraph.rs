//! Text for people: paragraphs with a label in front, wrapped at 100 columns, or at a narrower terminal's edge. What comes from the wire or from a file is shown, never obeyed.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::OnceLock;

use crate::identify::wire::is_unprintable;

/// What text for people is fitted to. The same for the whole run, and known to whoever opened the output alone, so it is set once and asked for where lines end.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Columns of a line.
    pub columns: usize,
    /// Whether links are understood (OSC 8).
    links: bool,
}

impl Page {
    /// Fits what is printed from now on to a terminal that has so many columns.
    pub fn fit(columns: Option<usize>, links: bool) {
        // Set already: by the same terminal.
        let _ = PAGE.set(Self { columns: columns.unwrap_or(WIDTH).max(NARROWEST), links });
    }

    /// The terminal's, else a page of [`WIDTH`] columns.
    pub fn now() -> Self {
        PAGE.get().copied().unwrap_or(Self { columns: WIDTH, links: false })
    }
}

/// The text as a link to that address, where links are understood and the address is one: nothing in it may end the link early.
pub fn linked(text: &str, url: Option<&str>) -> String {
    let url = url.filter(|url| url.starts_with("http") && url.bytes().all(|byte| byte.is_ascii_graphic()));
    match url.filter(|_| Page::now().links) {
        Some(url) => format!("\u{1b}]8;;{url}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\"),
        None => text.to_owned(),
    }
}

/// Writes `text`, [shown], wrapped, the first line after `first`, the others after as many spaces. Colour codes may stand in `first` alone.
pub fn wrapped(out: &mut dyn Write, first: &str, text: &str) -> io::Result<()> {
    let text = shown(text);
    let (indent, edge) = (width(first), Page::now().columns.min(WIDTH));
    let mut line = first.to_owned();
    let mut used = indent;
    for word in text.split_whitespace().flat_map(|word| pieces(word, edge.saturating_sub(indent))) {
        let room = width(word);
        if used > indent && used + 1 + room > edge {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(indent);
            used = indent;
        }
        if used > indent {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += room;
    }
    writeln!(out, "{}", line.trim_end())
}

/// A labelled paragraph of a row: two spaces, the label, the text in its own column.
pub fn labelled(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    wrapped(out, &format!("  {label:<LABEL$} "), text)
}

/// A word in pieces that fit: an address is cut after a slash, anything else where the room ends.
fn pieces(word: &str, room: usize) -> Vec<&str> {
    let (mut rest, mut pieces) = (word, Vec::new());
    while let Some((end, _)) = rest.char_indices().nth(room.max(1)) {
        let cut = rest[..end].rfind('/').map_or(end, |slash| slash + 1);
        let (piece, after) = rest.split_at(cut);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// The text with every character that would command a terminal or rearrange the line written as its code, `\u{1b}`; blanks stay blanks.
pub fn shown(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| is_unprintable(c) && !c.is_whitespace();
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Columns a text takes; colour codes take none.
pub fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(|part| part.chars().count()).sum()
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed<T: AsRef<str>>(words: &[T], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [init @ .., end] => {
            let init: Vec<&str> = init.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", init.join(", "), end.as_ref())
        }
    }
}

/// `one row`, `2 rows`.
pub fn count<N: Display + PartialEq + From<u8>>(many: N, what: &str) -> String {
    if many == N::from(1) { format!("one {what}") } else { format!("{many} {what}s") }
}

/// Columns of everything for people: fits a terminal beside another one, and a mail. Longer lines are hard to read, so a wider terminal widens tables alone.
pub const WIDTH: usize = 100;
/// Below this a label leaves no room for words.
const NARROWEST: usize = 40;
static PAGE: OnceLock<Page> = OnceLock::new();
const LABEL: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_a_terminal_would_obey_are_written_out() {
        let mut out = Vec::new();
        wrapped(&mut out, "\u{1b}[1mlabel\u{1b}[0m ", "clear\u{1b}[2J\u{7} the\r\nscreen \u{202e}txt.exe").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\u{1b}[1mlabel\u{1b}[0m clear\\u{1b}[2J\\u{7} the screen \\u{202e}txt.exe\n");
    }

    #[test]
    fn a_link_takes_no_room_and_without_a_terminal_there_is_none() {
        assert_eq!(width("\u{1b}]8;;https://example.org/\u{1b}\\document\u{1b}]8;;\u{1b}\\ "), 9);
        assert_eq!(linked("document", Some("https://example.org/")), "document");
    }

    #[test]
    fn no_line_is_wider_than_100_columns() {
        let mut out = Vec::new();
        labelled(&mut out, "Says", &format!("{}{}", "word ".repeat(60), "long/er".repeat(60))).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        assert!(text.lines().skip(1).all(|line| line.starts_with("             ")), "{text}");
    }
}
