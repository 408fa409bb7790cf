//! A mistake in a signature file: where it is, what is wrong, what would be right.

use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A mistake in a file that people write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    /// The place: first byte, and the byte after the last.
    pub span: Range<usize>,
    /// What is wrong, one sentence.
    pub says: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Mistake {
    /// Line and column of the place, both from 1; the column counts characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.text.get(..self.span.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// The mistake with a picture of its line.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.text.len();
        let start = self.span.start.min(end);
        let span = start..self.span.end.clamp(start, end);
        let snippet = Snippet::source(&*self.text).path(&*self.file).annotation(AnnotationKind::Primary.span(span));
        let group = Level::ERROR.primary_title(&*self.says).element(snippet);
        let group = match &self.help {
            Some(help) => group.element(Level::HELP.message(&**help)),
            None => group,
        };
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

/// The known word that the given one was probably meant to be: the least edits, at most a third of its letters, at least two allowed.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let allowed = (word.chars().count() / 3).max(2);
    let scored = known.into_iter().map(|candidate| {
        let lower = candidate.to_ascii_lowercase();
        ((strsim::osa_distance(&word, &lower), unlike(&word, &lower)), candidate)
    });
    scored.filter(|((distance, _), _)| *distance <= allowed).min_by_key(|(score, _)| *score).map(|(_, candidate)| candidate)
}

/// Of equally near words, those of the same letters come first (swapped in typing), then the one that begins alike for longest.
fn unlike(word: &str, candidate: &str) -> (bool, Reverse<usize>) {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let alike = word.chars().zip(candidate.chars()).take_while(|(ours, theirs)| ours == theirs).count();
    (sorted(word) != sorted(candidate), Reverse(alike))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_the_one_with_the_least_edits_or_none() {
        assert_eq!(nearest("trasnports", ["ports", "transports"]), Some("transports"));
        assert_eq!(nearest("MQTT", ["http", "mqtt"]), Some("mqtt"));
        assert_eq!(nearest("rtps", ["rtp", "rtsp"]), Some("rtsp"));
        assert_eq!(nearest("htp", ["ntp", "http"]), Some("http"));
        assert_eq!(nearest("colour", ["ports", "transports"]), None);
    }
}
