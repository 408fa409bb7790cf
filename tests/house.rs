//! The rules of the house that a compiler does not check: imports go one way, time comes from packets, files stay readable.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests stop the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Low to high; a file names only rooms of a lower step.
const STEPS: &[&[&str]] = &[
    &["time", "net", "limit", "count"],
    &["capture"],
    &["decode"],
    &["flow"],
    &["signature"],
    &["identify"],
    &["judge"],
    &["report"],
    &["check"],
    &["pipeline"],
    &["app"],
];

/// Files may grow to this many lines, tests included; beyond it there is a second noun in them.
const MOST_LINES: usize = 600;

/// The only files that may look at a clock: what packets are live by, and what runs are measured with, by `portbook bench` and for the progress line (how long, never when).
const CLOCKS: &[&str] = &["src/capture/live/clock.rs", "src/app/bench/stopwatch.rs", "src/app/progress.rs"];

/// systemd kills what asks for a call that the unit does not list, and `@system-service` holds none of these in Debian 12 (systemd 252).
#[test]
fn the_unit_of_systemd_lets_the_program_give_up_its_rights() {
    let unit = fs::read_to_string("packaging/portbook-watch@.service").expect("the unit");
    let allowed: BTreeSet<&str> = unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")).flat_map(str::split_whitespace).collect();
    for call in ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"] {
        assert!(allowed.contains(call), "SystemCallFilter lacks {call}");
    }
}

#[test]
fn a_room_names_only_the_rooms_before_it() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(room) = room(&path) else { continue };
        let own = step(&room).unwrap_or_else(|| panic!("{path}: the room `{room}` has no step in tests/house.rs"));
        for (number, line) in text.lines().enumerate() {
            for named in named_rooms(line) {
                let allowed = named == room || step(&named).is_some_and(|its| its < own || (its == 0 && own == 0));
                if !allowed {
                    wrong.push(format!("{path}:{}: {room} names {named}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports go low to high:\n{}", wrong.join("\n"));
}

#[test]
fn the_import_check_sees_what_it_looks_for() {
    assert_eq!(named_rooms("use crate::judge::{Judge, crate::net::Side};"), ["judge", "net"]);
    assert!(named_rooms("// crate::judge is not meant").is_empty());
    assert_eq!(room("src/identify/protocol/tls.rs").as_deref(), Some("identify"));
    assert_eq!(room("src/pipeline.rs").as_deref(), Some("pipeline"));
    assert_eq!(room("src/lib.rs"), None);
}

#[test]
fn only_live_capture_and_the_stopwatch_read_a_clock() {
    let words = ["SystemTime", "Instant::now", "UNIX_EPOCH"];
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| !CLOCKS.contains(&path.as_str()))
        .flat_map(|(path, text)| words.iter().filter(|word| text.contains(**word)).map(|word| format!("{path}: {word}")).collect::<Vec<_>>())
        .collect();
    assert!(wrong.is_empty(), "time comes from the packet:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| format!("{path}: {lines}"))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<_> = sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "begin these with //!:\n{}", silent.join("\n"));
}

#[test]
fn the_tables_are_sorted() {
    let protocols: Vec<_> = portbook::identify::protocol::PROTOCOLS.iter().map(|protocol| protocol.name()).collect();
    assert!(protocols.is_sorted(), "PROTOCOLS: {protocols:?}");
    assert!(portbook::signature::PROTOCOL_NAMES.is_sorted());
}

/// What `identify` says and what signatures ask for are one vocabulary: a row that asks for a name nobody says would call its own traffic wrong.
#[test]
fn identify_and_signatures_use_the_same_names() {
    let said = said_protocols();
    let unknown: Vec<_> = said.iter().filter(|name| !portbook::signature::is_protocol_name(name)).collect();
    assert!(unknown.is_empty(), "not in signature::PROTOCOL_NAMES: {unknown:?}");
    let never: Vec<_> = portbook::signature::PROTOCOL_NAMES.iter().filter(|name| !said.contains(**name)).collect();
    assert!(never.is_empty(), "a signature may ask for them, identify never says them: {never:?}");
    let signatures = portbook::signature::Signatures::load(&[], portbook::signature::Only::Added).expect("the built-in files load");
    let asked = signatures.services.iter().flat_map(|service| service.protocols.iter().flatten());
    let unheard: BTreeSet<_> = asked.filter(|name| !said.contains(name.as_str())).collect();
    assert!(unheard.is_empty(), "asked for by a signature, never said by identify: {unheard:?}");
}

/// Names of the probes, and of what they say is inside: literals of `Fact::Inner`, and the names that ALPN stands for.
fn said_protocols() -> BTreeSet<String> {
    let mut said: BTreeSet<String> = portbook::identify::protocol::PROTOCOLS.iter().map(|protocol| protocol.name().to_owned()).collect();
    let mut inside: Vec<String> = Vec::new();
    for (_, text) in sources().into_iter().filter(|(path, _)| path.starts_with("src/identify/protocol/")) {
        let after = |mark: &'static str| text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect::<Vec<_>>();
        inside.extend(after("Fact::Inner(\""));
        let alpn = text.split("const INNER").nth(1).and_then(|table| table.split("];").next()).unwrap_or_default();
        inside.extend(alpn.lines().filter_map(|line| line.split('"').nth(3)).map(str::to_owned));
    }
    assert!(inside.len() > 30 && inside.iter().any(|name| name == "turn"), "the search finds what is inside: {inside:?}");
    said.extend(inside);
    said
}

/// Path and text of every Rust file under `src`.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable").flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("source is text")));
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "the walk finds the sources");
    found
}

/// The room a file belongs to; `lib.rs` and `main.rs` stand above all.
fn room(path: &str) -> Option<String> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

fn step(room: &str) -> Option<usize> {
    STEPS.iter().position(|rooms| rooms.contains(&room))
}

/// Rooms named as `crate::room` in a line of code.
fn named_rooms(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let name = |rest: &str| rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect::<String>();
    code.split("crate::").skip(1).map(name).filter(|room| step(room).is_some()).collect()
}
