//! Holds README.md to its word: what it shows of `make demo` is what portbook prints.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests stop the test")]

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_readme_shows_what_make_demo_prints() {
    let readme = text("README.md");
    let shown = block(&readme, "$ make demo\n").expect("README.md has a console block that begins with `$ make demo`");
    let printed = demo();
    if let Err((line, wanted)) = compare(shown, &printed) {
        panic!("README.md, line {line} of the block, shows \"{wanted}\", which does not follow there. `make demo` prints:\n{printed}");
    }
}

/// Of each console block, the first command with what is shown below it, if that can be run here: a report on a bundled capture, into no other program.
#[test]
fn the_guide_shows_what_its_reports_print() {
    let guide = text("GUIDE.md");
    let blocks = guide.split("```console\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    let mut held = 0;
    for block in blocks {
        let Some((command, shown)) = block.strip_prefix("$ portbook ").and_then(|block| block.split_once('\n')) else { continue };
        let shown = shown.split("$ ").next().unwrap_or_default();
        if shown.is_empty() || !command.contains("fixtures/") || command.contains(" | ") {
            continue;
        }
        held += 1;
        let output = Command::new(env!("CARGO_BIN_EXE_portbook")).args(command.split_whitespace()).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let printed = String::from_utf8(output.expect("portbook runs").stdout).expect("UTF-8");
        if let Err((line, wanted)) = compare(shown, &printed) {
            panic!("GUIDE.md, line {line} below `{command}`, shows \"{wanted}\", which does not follow there. It prints:\n{printed}");
        }
    }
    assert!(held > 3, "the guide shows some reports: {held}");
}

#[test]
fn the_comparison_sees_what_differs() {
    assert_eq!(compare("one\ntwo\n", "one\ntwo\n"), Ok(()));
    assert_eq!(compare("one\n...\nthree\n", "one\ntwo\ntwo\nthree\n"), Ok(()));
    assert_eq!(compare("one\n...\n", "one\ntwo\n"), Ok(()));
    assert_eq!(compare("one t...\ntwo\n", "one two\ntwo\n"), Ok(()));
    assert_eq!(compare("one\ntwo\n", "one\ntwo\nthree\n"), Err((3, "")), "lines left out without a word");
    assert_eq!(compare("one\nthree\n", "one\ntwo\nthree\n"), Err((2, "three")));
    assert_eq!(compare("one\n...\nfour\n", "one\ntwo\nthree\n"), Err((3, "four")));
    assert_eq!(compare("one\ntwo\n", "one\n"), Err((2, "two")));
}

/// What the Makefile's `demo` runs, and what that prints.
fn demo() -> String {
    let makefile = text("Makefile");
    let recipe = makefile.lines().skip_while(|line| !line.starts_with("demo:")).nth(1).expect("the Makefile has a demo");
    let arguments = recipe.trim().strip_prefix("$(PORTBOOK) ").expect("the demo runs portbook").split_whitespace();
    let output = Command::new(env!("CARGO_BIN_EXE_portbook")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("portbook runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    format!("{}\n{}", recipe.trim().replace("$(PORTBOOK)", "target/release/portbook"), String::from_utf8_lossy(&output.stdout))
}

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What follows `begins` in the fenced console block that begins so.
fn block<'a>(page: &'a str, begins: &str) -> Option<&'a str> {
    let mut blocks = page.split("```console\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    blocks.find_map(|block| block.strip_prefix(begins).filter(|rest| !rest.is_empty()))
}

/// Line by line; a line `...` stands for any lines, `...` at a line's end for its rest. Gives the first line that does not follow, from 1.
fn compare<'a>(shown: &'a str, printed: &str) -> Result<(), (usize, &'a str)> {
    let mut left = printed.lines();
    let mut skips = false;
    for (number, line) in shown.lines().enumerate() {
        if line == "..." {
            skips = true;
            continue;
        }
        let same = |other: &str| line.strip_suffix("...").map_or(line == other, |beginning| other.starts_with(beginning));
        let found = if skips { left.by_ref().any(same) } else { left.next().is_some_and(same) };
        if !found {
            return Err((number + 1, line));
        }
        skips = false;
    }
    if skips || left.next().is_none() { Ok(()) } else { Err((shown.lines().count() + 1, "")) }
}
