//! The decision table against what is written: every rule in the guide, every rule with its test, every rule of the reference accounted for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::judge::glossary::{ELSEWHERE, Place, meanings, terms};
use crate::judge::{Coverage, FINDINGS, Outcome, Reason, Remedy, Verdict, rules};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Ids by the tests that bear them in their names, as `d20_...` or `d46_d47_...`.
fn tested() -> BTreeSet<String> {
    let tests = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/judge/tests")).unwrap();
    let mut files: Vec<PathBuf> = tests.map(|file| file.unwrap().path()).collect();
    files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/flow/duplicates.rs"));
    let mut ids = BTreeSet::new();
    for file in files {
        for name in fs::read_to_string(file).unwrap().lines().filter_map(|line| line.trim().strip_prefix("fn ")) {
            let is_id = |word: &&str| word.len() == 3 && word.starts_with('d') && word[1..].bytes().all(|byte| byte.is_ascii_digit());
            ids.extend(name.split('_').take_while(is_id).map(str::to_uppercase));
        }
    }
    ids
}

fn word(outcome: Outcome) -> String {
    serde_json::to_value(outcome).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn every_rule_has_its_own_id() {
    let ids: BTreeSet<&str> = rules().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules().count());
}

#[test]
fn every_rule_names_another_explanation() {
    let bare: Vec<&str> = rules().filter(|rule| rule.alternatives.is_empty()).map(|rule| rule.id).collect();
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn a_rule_says_what_helps_where_it_finds_a_failure_and_only_there() {
    let unserved = [Outcome::RefusedByHost, Outcome::Unreachable, Outcome::DnsFailed, Outcome::TlsFailed, Outcome::AppRefused, Outcome::ServerSilent];
    let fails = |outcome: Outcome| outcome.is_blocked() || unserved.contains(&outcome);
    let wrong: Vec<&str> = rules().filter(|rule| fails(rule.outcome) == (rule.remedy == Remedy::Nothing)).map(|rule| rule.id).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_rule_has_a_test_that_bears_its_id() {
    let tested = tested();
    let missing: Vec<&str> = rules().map(|rule| rule.id).filter(|id| !tested.contains(*id)).collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
    let missing: Vec<&str> = ELSEWHERE.iter().map(|(id, _)| *id).filter(|id| !tested.contains(*id)).collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
}

/// The reference is not part of the repository; where it lies beside it, every rule of it must be known here, and every rule here that is not the
/// reference's must be one of our own.
#[test]
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn every_rule_of_the_reference_is_a_line_of_the_table_or_told_elsewhere() {
    let Ok(reference) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/protocols.md")) else {
        eprintln!("skipped: the reference does not lie beside the repository");
        return;
    };
    let theirs: BTreeSet<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| D"))
        .filter_map(|rest| rest.get(..2))
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    let ours: BTreeSet<&str> = rules().map(|rule| rule.id).chain(ELSEWHERE.iter().map(|(id, _)| *id)).filter_map(|id| id.get(1..)).collect();
    assert!(theirs.len() > 50, "{theirs:?}");
    assert_eq!(theirs.difference(&ours).collect::<Vec<_>>(), Vec::<&&str>::new(), "rules of the reference that nothing here knows");
    let own = [
        "05", "06", "32", "33", "34", "35", "36", "37", "38", "39", "56", "57", "58", "59", "63", "64", "65", "66", "67", "68", "69", "84", "85", "86", "87",
        "88", "89", "90", "91", "92", "93", "94", "95", "96", "97", "98", "99",
    ];
    assert_eq!(ours.difference(&theirs).copied().collect::<Vec<_>>(), own);
}

#[test]
fn the_guide_lists_every_rule_as_the_table_has_it() {
    let guide = read("GUIDE.md");
    let due: Vec<String> = rules().map(|rule| format!("| {} | `{}` | {} |", rule.id, word(rule.outcome), rule.about)).collect();
    let elsewhere: Vec<String> = ELSEWHERE.iter().map(|(id, about)| format!("| {id} | | {about} |")).collect();
    let missing: Vec<String> = due.into_iter().chain(elsewhere).filter(|line| !guide.contains(line)).collect();
    assert!(missing.is_empty(), "GUIDE.md lacks:\n{}", missing.join("\n"));
}

/// All values of an enum that records print, as they print them.
fn words<T: serde::de::DeserializeOwned>() -> Vec<String> {
    let Err(error) = serde_json::from_str::<T>("\"?\"") else { return Vec::new() };
    error.to_string().split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

fn stands(word: &str, places: &[Place]) -> bool {
    meanings(word).any(|term| places.contains(&term.place))
}

#[test]
fn every_word_of_reports_has_its_meaning() {
    let all = [
        (words::<Outcome>(), &[Place::Outcome][..]),
        (words::<Reason>(), &[Place::Finding, Place::Open]),
        (words::<Verdict>(), &[Place::Verdict]),
        (words::<Coverage>(), &[Place::Coverage]),
        (FINDINGS.iter().map(|word| (*word).to_owned()).collect(), &[Place::Finding, Place::Outcome]),
    ];
    for (words, places) in &all {
        assert!(words.len() > 2, "{words:?}");
        let missing: Vec<&String> = words.iter().filter(|word| !stands(word, places)).collect();
        assert!(missing.is_empty(), "no meaning is given for {missing:?} ({places:?})");
    }
    let used: BTreeSet<&String> = all.iter().flat_map(|(words, _)| words).collect();
    let strange: Vec<&str> = terms().map(|term| term.word).filter(|word| !used.contains(&(*word).to_owned())).collect();
    assert!(strange.is_empty(), "no report prints {strange:?}");
    let findings: Vec<&str> = terms().filter(|term| term.place == Place::Finding).map(|term| term.word).collect();
    assert!(findings.iter().all(|word| FINDINGS.contains(word)), "{findings:?}");
}

#[test]
fn the_guide_explains_every_word_as_the_program_does() {
    let guide = read("GUIDE.md");
    let due = terms().map(|term| match term.place {
        Place::Outcome => format!("| `{}` | {} | {} | {} |", term.word, term.when, term.is_not, term.next),
        _ => format!("| `{}` | {} | {} |", term.word, term.when, term.next),
    });
    let missing: Vec<String> = due.filter(|line| !guide.lines().any(|known| known == line)).collect();
    assert!(missing.is_empty(), "GUIDE.md lacks:\n{}", missing.join("\n"));
}
