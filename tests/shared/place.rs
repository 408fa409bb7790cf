//! Where captures lie: those that the laboratory recorded, and those of other people in a folder beside the repository.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "not every test needs all of them; helpers of tests stop the test, and say what is skipped"
)]

use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A recorded capture.
pub fn fixture(case: &str) -> PathBuf {
    root().join("fixtures/captures").join(case).join("capture.pcap")
}

/// The folders of the recorded captures whose truth was written down, by name.
pub fn cases() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(root().join("fixtures/captures")).unwrap().map(|folder| folder.unwrap().path());
    let mut cases: Vec<PathBuf> = folders.filter(|folder| folder.join("expected.json").is_file()).collect();
    cases.sort();
    assert!(cases.len() > 90, "the laboratory's cases are there");
    cases
}

/// The folder of the shared captures; none, and said so, where it is not there.
pub fn shared() -> Option<PathBuf> {
    let shared = root().join("../shared/captures");
    let is_there = shared.join("manifest.tsv").is_file();
    if !is_there {
        println!("skipped: no shared captures");
    }
    is_there.then_some(shared)
}

/// Their list: the path of each below `files`, and what is known of it.
pub fn manifest(shared: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(shared.join("manifest.tsv")).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
