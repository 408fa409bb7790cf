//! The 53 semantics of the truth table: each has a test that is named after its id, or stands in GUIDE.md with the reason why captures cannot show it.

#![allow(clippy::expect_used, reason = "helpers of tests stop the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Section 5 of the truth table numbers them S01 to S53.
const SEMANTICS: u32 = 53;

#[test]
fn every_semantic_has_a_test_of_its_name_or_a_reason_in_the_guide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tested: BTreeSet<u32> = texts(&root.join("src")).iter().flat_map(|text| numbers(text, "fn s")).collect();
    let guide = fs::read_to_string(root.join("GUIDE.md")).expect("the guide");
    let hidden = guide.split("## What cannot be seen on the wire").nth(1).expect("the section");
    let explained: BTreeSet<u32> = numbers(hidden, "(S").collect();
    let lacking: Vec<u32> = (1..=SEMANTICS).filter(|number| !tested.contains(number) && !explained.contains(number)).collect();
    assert!(lacking.is_empty(), "neither tested nor explained: {lacking:?}");
    let both: Vec<&u32> = tested.intersection(&explained).collect();
    assert!(both.is_empty(), "tested, so it can be seen: {both:?}");
}

/// Two digits after each mark: `fn s07_`, `(S23)`.
fn numbers<'a>(text: &'a str, mark: &'static str) -> impl Iterator<Item = u32> + 'a {
    let number = |rest: &str| rest.get(..2).filter(|_| rest.as_bytes().get(2).is_some_and(|next| b"_)".contains(next)))?.parse().ok();
    text.split(mark).skip(1).filter_map(number).filter(|number| (1..=SEMANTICS).contains(number))
}

fn texts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("src is readable").flatten() {
        let path: PathBuf = entry.path();
        if path.is_dir() {
            found.extend(texts(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(fs::read_to_string(&path).expect("source is text"));
        }
    }
    found
}
