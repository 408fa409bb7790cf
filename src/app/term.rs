//! What `explain` says of the words of reports: outcomes, findings, verdicts, coverage, and the rules that decide.

use std::io::{self, Write};

use crate::judge::glossary::{ELSEWHERE, Place, Term, meanings, terms};
use crate::judge::{Outcome, RuleText, rules};
use crate::report::paragraph::{labelled, listed, wrapped};

/// Whether reports have that word: `silent_drop`, `silent drop`, `d20`.
pub fn is_known(asked: &str) -> bool {
    let word = written(asked);
    meanings(&word).next().is_some() || rule(&word).is_some() || elsewhere(&word).is_some()
}

/// All such words, in lower case but for the rules.
pub fn all() -> impl Iterator<Item = &'static str> {
    terms().map(|term| term.word).chain(rules().map(|rule| rule.id))
}

/// Tells a word that [`is_known`].
///
/// # Errors
///
/// Those of the writer.
pub fn tell(asked: &str, out: &mut dyn Write) -> io::Result<()> {
    let word = written(asked);
    for (nth, term) in meanings(&word).enumerate() {
        if nth > 0 {
            writeln!(out)?;
        }
        one_term(term, out)?;
    }
    if let Some(rule) = rule(&word) {
        one_rule(rule, out)?;
    }
    if let Some((id, about)) = elsewhere(&word) {
        wrapped(out, "", &format!("{id} - no outcome of a flow; it is told elsewhere"))?;
        labelled(out, "Told in", about)?;
    }
    Ok(())
}

fn one_term(term: &Term, out: &mut dyn Write) -> io::Result<()> {
    wrapped(out, "", &format!("{} - {}", term.word, term.place.name()))?;
    labelled(out, "When", term.when)?;
    if !term.is_not.is_empty() {
        labelled(out, "Is not", term.is_not)?;
    }
    labelled(out, "Do", term.next)?;
    if term.place != Place::Outcome {
        return Ok(());
    }
    let own: Vec<RuleText> = rules().filter(|rule| name(rule.outcome) == term.word).collect();
    if own.iter().any(|rule| rule.outcome.is_blocked()) {
        labelled(out, "Counts", "as blocked")?;
    }
    for (nth, rule) in own.iter().enumerate() {
        labelled(out, if nth == 0 { "Rules" } else { "" }, &format!("{}: {}", rule.id, rule.about))?;
    }
    Ok(())
}

fn one_rule(rule: RuleText, out: &mut dyn Write) -> io::Result<()> {
    let outcome = name(rule.outcome);
    wrapped(out, "", &format!("{} - {}", rule.id, rule.about))?;
    labelled(out, "Place", &format!("the {} of {} in the decision table, of which the first that holds decides", place_of(rule.id).0, rules().count()))?;
    let blocked = if rule.outcome.is_blocked() { ", which counts as blocked" } else { "" };
    labelled(out, "Outcome", &format!("{outcome}{blocked}"))?;
    labelled(out, "Or else", &listed(&rule.alternatives.iter().map(|words| (*words).to_owned()).collect::<Vec<_>>(), "or"))?;
    writeln!(out)?;
    meanings(&outcome).filter(|term| term.place == Place::Outcome).try_for_each(|term| one_term(term, out))
}

/// As records write it: headings of reports have blanks in it.
fn written(asked: &str) -> String {
    asked.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

fn rule(word: &str) -> Option<RuleText> {
    rules().find(|rule| rule.id.eq_ignore_ascii_case(word))
}

fn elsewhere(word: &str) -> Option<(&'static str, &'static str)> {
    ELSEWHERE.iter().copied().find(|(id, _)| id.eq_ignore_ascii_case(word))
}

/// The outcome as records print it.
fn name(outcome: Outcome) -> String {
    serde_json::to_value(outcome).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The place of a rule in the decision table, as an ordinal, and what it is about.
pub fn place_of(id: &str) -> (String, &'static str) {
    let (place, about) = (1..).zip(rules()).find(|(_, rule)| rule.id == id).map_or((0, ""), |(place, rule)| (place, rule.about));
    let ending = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    (format!("{place}{ending}"), about)
}
