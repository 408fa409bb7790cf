//! The formats for CI, held against their schemas on every recorded capture: JUnit's by xmllint, where it is installed, SARIF's by the checker of `tests/schema`.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

mod schema;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
fn junit_is_as_its_schema_says() {
    if Command::new("xmllint").arg("--version").output().is_err() {
        println!("skipped: xmllint is not installed (Debian: libxml2-utils)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut written = Vec::new();
    for (place, capture) in captures().iter().enumerate() {
        let more = [ROLE, &[][..], &["--fail-on", "info"]][place % 3];
        let file = folder.path().join(format!("{place}.xml"));
        fs::write(&file, portbook(&[&["--format", "junit", capture], more].concat()).1).expect("the file can be written");
        written.push(file);
    }
    let lint = Command::new("xmllint").args(["--noout", "--schema", "schemas/junit.xsd"]).args(&written).current_dir(root()).output().expect("xmllint runs");
    assert!(
        lint.status.success(),
        "{}",
        String::from_utf8_lossy(&lint.stderr).lines().filter(|line| !line.ends_with("validates")).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn each_documented_row_is_a_case_and_what_fails_is_what_fail_on_asks_for() {
    let counts = |arguments: &[&str]| {
        let (code, text) = portbook(&[&["--format", "junit"], arguments].concat());
        let attribute = |name: &str| {
            let whole = text.lines().find(|line| line.starts_with("<testsuites")).expect("the whole");
            whole
                .split(&format!(" {name}=\""))
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .and_then(|digits| digits.parse::<usize>().ok())
                .expect("a number")
        };
        let elements = |name: &str| text.matches(name).count();
        let told = [attribute("tests"), attribute("failures"), attribute("errors"), attribute("skipped")];
        assert_eq!(told, [elements("<testcase "), elements("<failure "), elements("<error "), elements("<skipped ")]);
        (code, told)
    };
    let arguments = |more: &[&'static str]| [more, ROLE, &[DEMO]].concat();
    let records = portbook(&arguments(&["--format", "json"])).1;
    let report: Value = serde_json::from_str(&records).expect("a report");
    let rows = report["summary"]["coverage_by_role"]["spinetix.player"].as_object().expect("rows").len();
    let findings = report["findings"].as_array().expect("findings");
    let about_no_row = findings.iter().filter(|finding| finding["service"].is_null()).count();
    let of = |severities: &[&str]| findings.iter().filter(|finding| severities.iter().any(|severity| finding["severity"] == *severity)).count();
    // The demo's findings are about different rows, so each fails a case of its own; MQTT, which is blocked, has a second row: ARYA's broker.
    assert_eq!(counts(&arguments(&[])).1[..2], [rows + about_no_row + 1, of(&["high", "medium"]) + 1]);
    assert_eq!(counts(&arguments(&["--fail-on", "high"])), (Some(1), [rows + about_no_row + 1, of(&["high"]) + 1, 0, counts(&arguments(&[])).1[3]]));
    assert_eq!(counts(&arguments(&["--fail-on", "info"])).1[1], findings.len() + 1);
}

#[test]
fn a_service_that_its_document_lists_twice_fails_in_both_rows_where_it_is_blocked() {
    let (code, text) = portbook(&[&["--format", "junit", "fixtures/captures/mqtt-tls-dropped/capture.pcap"], ROLE].concat());
    let ends: Vec<&str> = ["spinetix-out-mqtt: ", "spinetix-arya-player-mqtt: "]
        .iter()
        .map(|row| {
            text.split(&format!("name=\"{row}")).nth(1).and_then(|case| case.split(['<', ' ']).find(|word| ["failure", "skipped", "/testcase"].contains(word)))
        })
        .map(|end| end.expect("a case with an end"))
        .collect();
    assert_eq!((code, ends.as_slice()), (Some(0), &["failure", "failure"][..]), "{text}");
    // What two cases tell is not told a third time among what is about no row.
    assert!(!text.contains("findings about no row"), "{text}");
}

#[test]
fn a_capture_that_breaks_off_is_an_error_and_its_findings_are_still_there() {
    let whole = fs::read(root().join(DEMO)).expect("the demo capture");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), &whole[..whole.len() - 10]).expect("the file can be written");
    let path = file.path().display().to_string();
    let (code, text) = portbook(&[&["--format", "junit", &path], ROLE].concat());
    assert_eq!((code, text.matches("<error ").count()), (Some(3), 1));
    assert!(text.contains("<failure type=\"silent_drop\""));
    let (code, text) = portbook(&[&["--format", "sarif", &path], ROLE].concat());
    let sarif: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &sarif["runs"][0]["invocations"][0]["executionSuccessful"]), (Some(3), &Value::Bool(false)));
    assert_eq!(schema::mistakes(&sarif_schema(), &sarif), Vec::<String>::new());
}

#[test]
fn sarif_is_as_its_standard_says_and_its_indexes_lead_somewhere() {
    let schema = sarif_schema();
    let mut results = 0;
    for capture in captures() {
        let (_, text) = portbook(&[&["--format", "sarif", &capture, "fixtures/captures/demo/capture.pcap"], ROLE].concat());
        let sarif: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(schema::mistakes(&schema, &sarif), Vec::<String>::new(), "{capture}");
        let run = &sarif["runs"][0];
        for result in run["results"].as_array().expect("results") {
            results += 1;
            let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().expect("an index") as usize];
            assert_eq!(rule["id"], result["ruleId"]);
            for location in result["locations"].as_array().into_iter().chain(result["relatedLocations"].as_array()).flatten() {
                let at = &location["physicalLocation"]["artifactLocation"];
                let artifact = &run["artifacts"][at["index"].as_u64().expect("an index") as usize];
                assert_eq!(artifact["location"]["uri"], at["uri"]);
            }
        }
    }
    assert!(results > 100, "there is something to look at: {results}");
}

/// What `examples/ci/README.md` leads to: its site file, a baseline of a good day, and the commands of both examples on that day and on one when a service is blocked.
#[test]
fn the_examples_fail_on_a_new_blocked_service_and_on_nothing_else() {
    let readme = include_str!("../examples/ci/README.md");
    let site = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a site file");
    let bless = readme.lines().find_map(|line| line.trim().strip_prefix("$ portbook ")).expect("how to make the baseline");
    for example in [include_str!("../examples/ci/github-actions.yml"), include_str!("../examples/ci/gitlab-ci.yml")] {
        let commands: Vec<&str> =
            example.lines().filter_map(|line| line.split_once("portbook ")).map(|(_, typed)| typed).filter(|typed| typed.contains(" captures")).collect();
        assert!(commands.iter().any(|command| command.starts_with("check")) && commands.iter().any(|command| command.contains("--format")));
        // The repository has a second package with programs (`fuzz/`), so cargo wants to be told which.
        let install = example.lines().find(|line| line.contains("cargo install")).expect("how portbook is installed");
        assert!(install.ends_with("cargo install --locked --git \"$PORTBOOK_SOURCE\" portbook"), "{install}");
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("captures")).expect("a folder");
        fs::write(folder.path().join("site.toml"), site.lines().map(|line| format!("{}\n", line.trim())).collect::<String>()).expect("a site file");
        let day = |case: &str| {
            fs::copy(root().join("fixtures/captures").join(case).join("capture.pcap"), folder.path().join("captures/bench.pcap")).expect("a capture");
        };
        let run = |command: &str| {
            let output =
                Command::new(env!("CARGO_BIN_EXE_portbook")).args(command.split_whitespace()).current_dir(folder.path()).output().expect("portbook runs");
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
        };
        day("mqtt-tls-allowed");
        assert_eq!(run(bless).0, Some(0), "{}", run(bless).1);
        for (case, blocked) in [("mqtt-tls-allowed", false), ("mqtt-tls-dropped", true)] {
            day(case);
            for command in &commands {
                let (code, said) = run(command);
                assert_eq!(code, Some(i32::from(blocked && command.starts_with("check"))), "{case}, {command}: {said}");
                if let Some(written) = command.split(' ').skip_while(|word| *word != "--output").nth(1) {
                    let text = fs::read_to_string(folder.path().join(written)).expect("the report");
                    assert_eq!(text.contains("silent_drop"), blocked, "{written} of {case}");
                }
            }
        }
    }
}

#[test]
fn the_checker_of_schemas_sees_what_is_wrong() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": { "a": { "type": ["integer", "null"], "minimum": 1 }, "b": { "type": "array", "items": { "enum": ["x"] } }, "c": { "anyOf": [{ "const": 1 }, { "type": "string" }] } },
    });
    for (value, mistakes) in [
        (serde_json::json!({ "a": 1, "b": ["x"], "c": "y" }), 0),
        (serde_json::json!({ "a": null, "c": 1 }), 0),
        (serde_json::json!({ "b": [] }), 1),
        (serde_json::json!({ "a": 0 }), 1),
        (serde_json::json!({ "a": 1.5, "b": ["y", 1], "d": 1 }), 4),
        (serde_json::json!({ "a": 1, "c": 2 }), 1),
        (serde_json::json!([]), 1),
    ] {
        let found = schema::mistakes(&schema, &value);
        assert_eq!(found.len(), mistakes, "{value}: {found:?}");
    }
}

fn sarif_schema() -> Value {
    serde_json::from_str(include_str!("schema/sarif.json")).expect("a schema")
}

/// Every recorded capture.
fn captures() -> Vec<String> {
    let folder = Path::new("fixtures/captures");
    let mut names: Vec<String> =
        fs::read_dir(root().join(folder)).expect("the fixtures").flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names.iter().map(|name| folder.join(name).join("capture.pcap").display().to_string()).collect()
}

/// Exit code and what is printed.
fn portbook(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "-q"]).args(arguments).current_dir(root()).output().expect("portbook runs");
    assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

const ROLE: &[&str] = &["--role", "spinetix.player=10.1.0.0/24"];
const DEMO: &str = "fixtures/captures/demo/capture.pcap";

/// A job that does not run on what it judges by stays red, or green, after the change that should turn it: a new baseline, for one.
#[test]
fn the_examples_for_ci_run_on_a_change_of_whatever_they_read() {
    for (file, triggers) in [("github-actions.yml", "paths: ["), ("gitlab-ci.yml", "- changes: [")] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(file)).expect("an example");
        let lists: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix(triggers)).collect();
        assert!(!lists.is_empty(), "{file}");
        let commands = text.lines().filter(|line| line.contains("portbook analyze") || line.contains("portbook check"));
        for word in commands.flat_map(str::split_whitespace).filter(|word| word.ends_with(".toml") || word.ends_with(".json") || *word == "captures") {
            assert!(lists.iter().all(|list| list.contains(&format!("\"{word}"))), "{file} does not run when {word} changes");
        }
    }
}
