//! A page in the making. Markup is the writer's own and known when portbook is built; whatever else is printed is escaped, so no string of a capture, a site file
//! or a document can become markup.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use crate::report::paragraph::shown;
use crate::report::record::append_word;

/// Attributes of an element: name and value.
pub(super) type Attributes<'s> = &'s [(&'static str, &'s dyn Display)];

/// What a column of a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Text,
    Number,
}

/// Writes HTML, and SVG inside it.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    /// What was made and not handed on yet: a page of many cells is many small pieces.
    made: String,
    /// A text in the making, before it is escaped.
    plain: String,
}

impl<'a> Page<'a> {
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out, made: String::new(), plain: String::new() }
    }

    /// Markup as it stands.
    pub fn markup(&mut self, markup: &'static str) -> io::Result<()> {
        self.made.push_str(markup);
        self.hand_on()
    }

    /// Text, escaped; letters that would command a terminal or rearrange the line are written as their codes.
    pub fn text(&mut self, text: impl Display) -> io::Result<()> {
        self.escape(&text)?;
        self.hand_on()
    }

    /// The same of what is a text already: tables of thousands of rows are made of these.
    pub fn words(&mut self, text: &str) {
        escape(text, &mut self.made);
    }

    /// A number as it stands.
    pub fn digits(&mut self, number: u64) {
        self.made.push_str(itoa::Buffer::new().format(number));
    }

    /// An address.
    pub fn ip(&mut self, ip: IpAddr) {
        append_word(&mut self.made, &ip);
    }

    /// A word of a closed list, with blanks for what joins its parts.
    pub fn word(&mut self, value: &impl Serialize) {
        self.plain.clear();
        append_word(&mut self.plain, value);
        for (place, part) in self.plain.split('_').enumerate() {
            self.made.push_str(if place > 0 { " " } else { "" });
            escape(part, &mut self.made);
        }
    }

    /// An element's beginning.
    pub fn open(&mut self, name: &'static str, attributes: Attributes<'_>) -> io::Result<()> {
        self.made.extend(["<", name]);
        for (attribute, value) in attributes {
            self.made.extend([" ", *attribute, "=\""]);
            self.escape(value)?;
            self.made.push('"');
        }
        self.made.push('>');
        self.hand_on()
    }

    /// An element's end.
    pub fn close(&mut self, name: &'static str) -> io::Result<()> {
        self.made.extend(["</", name, ">"]);
        self.hand_on()
    }

    /// Hands on what was made, all of it.
    pub fn finish(&mut self) -> io::Result<()> {
        let answer = self.out.write_all(self.made.as_bytes());
        self.made.clear();
        answer
    }

    /// An element that holds nothing but text.
    pub fn element(&mut self, name: &'static str, attributes: Attributes<'_>, text: impl Display) -> io::Result<()> {
        self.open(name, attributes)?;
        self.text(text)?;
        self.close(name)
    }

    /// A term and what is said of it, in a list of such; nothing where nothing is said.
    pub fn term(&mut self, term: &'static str, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.element("dt", &[], term)?;
        self.element("dd", &[], text)
    }

    /// The beginning of a picture that scales with the page: a name and a description for those who do not see it, its size in units of about a pixel.
    /// It can be scrolled where the page is narrower than `least`.
    pub fn picture(&mut self, id: &str, (name, about): (&str, &str), (width, height): (u32, u32)) -> io::Result<()> {
        self.open("div", &[("class", &"wide"), ("tabindex", &"0"), ("role", &"group"), ("aria-label", &name)])?;
        let labels = (format!("{id}-name"), format!("{id}-about"));
        let view = format!("0 0 {width} {height}");
        self.open(
            "svg",
            &[("role", &"img"), ("aria-labelledby", &labels.0), ("aria-describedby", &labels.1), ("viewBox", &view), ("width", &width), ("height", &height)],
        )?;
        self.element("title", &[("id", &labels.0)], name)?;
        self.element("desc", &[("id", &labels.1)], about)
    }

    /// Its end.
    pub fn end_picture(&mut self) -> io::Result<()> {
        self.markup("</svg></div>\n")
    }

    /// A text in a picture that is cut where it finds no room; the whole stands in its title.
    pub fn label(&mut self, (x, y): (f64, f64), class: &'static str, text: &str, letters: usize) -> io::Result<()> {
        let short = cut(text, letters);
        self.open("text", &[("x", &at(x)), ("y", &at(y)), ("class", &class)])?;
        self.text(&short)?;
        if short != text {
            self.element("title", &[], text)?;
        }
        self.close("text")
    }

    /// A table's head; columns that hold numbers are aligned to the right, and sorted as numbers.
    pub fn heads(&mut self, heads: &[(&'static str, Column)]) -> io::Result<()> {
        self.markup("<thead><tr>")?;
        for (head, column) in heads {
            match column {
                Column::Text => self.element("th", &[("scope", &"col")], head)?,
                Column::Number => self.element("th", &[("scope", &"col"), ("class", &"num")], head)?,
            }
        }
        self.markup("</tr></thead>\n<tbody>\n")
    }

    /// A cell.
    pub fn cell(&mut self, text: impl Display) -> io::Result<()> {
        self.element("td", &[], text)
    }

    /// A cell that holds a number.
    pub fn number(&mut self, text: impl Display) -> io::Result<()> {
        self.element("td", &[("class", &"num")], text)
    }

    fn escape(&mut self, text: &dyn Display) -> io::Result<()> {
        self.plain.clear();
        write!(self.plain, "{text}").map_err(io::Error::other)?;
        escape(&self.plain, &mut self.made);
        Ok(())
    }

    fn hand_on(&mut self) -> io::Result<()> {
        if self.made.len() < PIECE { Ok(()) } else { self.finish() }
    }
}

/// Adds the text as it may stand in markup. Nearly all texts of a table may stand there as they are.
fn escape(text: &str, made: &mut String) {
    let harmless = |byte: u8| matches!(byte, b' '..=b'~') & !matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'');
    if text.bytes().fold(true, |only, byte| only & harmless(byte)) {
        return made.push_str(text);
    }
    for letter in shown(text).chars() {
        match letter {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '"' => made.push_str("&quot;"),
            '\'' => made.push_str("&#39;"),
            other => made.push(other),
        }
    }
}

/// Bytes in which a page is handed on.
const PIECE: usize = 1 << 14;

/// A coordinate: a tenth of a pixel is enough for any printer.
pub(super) fn at(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The text, or as many letters of it with a sign that there are more.
pub(super) fn cut(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some(_) => text.chars().take(letters.saturating_sub(1)).chain(['\u{2026}']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(write: impl FnOnce(&mut Page<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out);
        write(&mut page).and_then(|()| page.finish()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_text_becomes_markup_and_no_value_leaves_its_quotes() {
        assert_eq!(printed(|page| page.text("</td><script>alert('1')</script>&amp;")), "&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;");
        assert_eq!(printed(|page| page.open("p", &[("title", &"\"onload='x'")])), "<p title=\"&quot;onload=&#39;x&#39;\">");
        assert_eq!(printed(|page| page.element("td", &[], "a\u{202e}b\u{0}")), "<td>a\\u{202e}b\\u{0}</td>");
    }

    #[test]
    fn a_label_that_finds_no_room_says_all_in_its_title() {
        let short = printed(|page| page.label((1.04, 2.0), "name", "<b>&", 10));
        assert_eq!(short, "<text x=\"1\" y=\"2\" class=\"name\">&lt;b&gt;&amp;</text>");
        let long = printed(|page| page.label((0.0, 0.0), "name", "<<<<<", 3));
        assert_eq!(long, "<text x=\"0\" y=\"0\" class=\"name\">&lt;&lt;\u{2026}<title>&lt;&lt;&lt;&lt;&lt;</title></text>");
    }
}
