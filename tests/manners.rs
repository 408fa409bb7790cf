//! How the program behaves towards terminals, pipes and files: colour and links where they are wanted, lines as wide as the terminal, silence where nobody listens,
//! files whole or not at all. Terminals are made by script(1) of util-linux.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Variables by which people and terminals say what they want; none of those of whoever runs the tests may count.
const SPOKEN: &[&str] = &[
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "CI",
    "FORCE_HYPERLINK",
    "DOMTERM",
    "VTE_VERSION",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "WT_SESSION",
    "KONSOLE_VERSION",
];
const CAPTURE: &str = "fixtures/captures/mqtt-tls-dropped/capture.pcap";
const ANALYZE: &[&str] = &["analyze", "--role", "spinetix.player=10.1.0.0/24", "-v", CAPTURE];

#[test]
fn colour_is_for_terminals_and_for_who_forces_it() {
    let paints = |said: &[(&str, &str)], more: &[&str]| piped(&[ANALYZE, more].concat(), said).contains("\u{1b}[");
    assert!(!paints(&[], &[]), "a pipe is no terminal");
    assert!(paints(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(!paints(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]));
    assert!(paints(&[("NO_COLOR", "1")], &["--color", "always"]), "what is typed goes first");
    assert!(!paints(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]));
    let Some(plain) = terminal(100, ANALYZE, &[]) else { return };
    assert!(plain.contains("\u{1b}["));
    for said in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        assert!(!terminal(100, ANALYZE, &[said]).expect("a terminal").contains('\u{1b}'), "{said:?}");
    }
    assert!(terminal(100, ANALYZE, &[("NO_COLOR", "")]).expect("a terminal").contains("\u{1b}["), "an empty NO_COLOR says nothing");
}

#[test]
fn no_format_for_machines_is_ever_painted() {
    for format in ["json", "ndjson", "csv", "eve", "zeek", "ecs", "junit", "sarif", "html"] {
        assert!(!piped(&[ANALYZE, &["--format", format]].concat(), &[("CLICOLOR_FORCE", "1")]).contains('\u{1b}'), "{format}");
    }
}

#[test]
fn links_are_for_terminals_that_follow_them() {
    let link = "\u{1b}]8;;https://";
    let knows = [("VTE_VERSION", "7200")];
    assert!(!piped(ANALYZE, &[("VTE_VERSION", "7200"), ("CLICOLOR_FORCE", "1")]).contains("\u{1b}]8"));
    for command in [ANALYZE, &["explain", "8883/tcp"]] {
        let Some(linked) = terminal(100, command, &knows) else { return };
        assert!(linked.contains(link), "{command:?}");
        assert!(!terminal(100, command, &[]).expect("a terminal").contains("\u{1b}]8"), "{command:?}");
        assert!(!terminal(100, command, &[knows[0], ("FORCE_HYPERLINK", "0")]).expect("a terminal").contains("\u{1b}]8"), "{command:?}");
        assert!(!terminal(100, command, &[knows[0], ("NO_COLOR", "1")]).expect("a terminal").contains('\u{1b}'), "{command:?}");
    }
}

#[test]
fn lines_are_as_wide_as_the_terminal_allows() {
    let widest = |text: &str| visible(text).lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let commands: [&[&str]; 4] = [ANALYZE, &["explain", "8883/tcp"], &["signatures", "list"], &["signatures", "show", "spinetix-out-mqtt"]];
    for command in commands {
        assert!(widest(&piped(command, &[])) <= 100, "{command:?}");
        for columns in [48, 72, 180] {
            let Some(text) = terminal(columns, command, &[]) else { return };
            assert!(widest(&text) <= columns, "{command:?} on {columns} columns: {text}");
        }
    }
}

#[test]
fn a_pipe_that_nobody_reads_ends_every_command_quietly() {
    let diff = ["diff", "fixtures/captures/mqtt-tls-allowed/capture.pcap", CAPTURE];
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["--help"],
        vec!["--version"],
        vec!["analyze", "--help"],
        diff.into(),
        [&diff[..], &["--format", "json"]].concat(),
        vec!["check", "--expect", "fixtures/checks/demo.toml", "--role", "spinetix.player=10.1.0.0/24", "fixtures/captures/demo"],
        vec!["explain", "8883/tcp"],
        vec!["why", CAPTURE, "--flow", "10.1.0.2:37228,203.0.113.10:443"],
        vec!["learn", CAPTURE],
        vec!["rules", "--site", "fixtures/sites/spinetix.toml", "--to", "nftables"],
        vec!["signatures", "list"],
        vec!["signatures", "show", "spinetix-out-mqtt"],
        vec!["watch", "--list"],
        vec!["completions", "bash"],
        vec!["man"],
    ];
    for format in ["text", "json", "ndjson", "html", "csv", "eve", "zeek", "ecs", "junit", "sarif"] {
        commands.push([ANALYZE, &["--format", format]].concat());
    }
    for command in commands {
        let mut child = portbook(&command, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("portbook starts");
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        let status = child.wait().expect("it ends");
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{command:?}");
    }
}

#[test]
fn an_error_that_nobody_reads_keeps_its_exit_code() {
    let cases: [(&[&str], i32); 2] = [(&["analyze", "no/such.pcap"], 3), (&["analyze", "--role", "nobody=10.0.0.1", CAPTURE], 2)];
    for (command, code) in cases {
        let mut child = portbook(command, &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("portbook starts");
        drop(child.stderr.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{command:?}");
    }
}

/// The system refuses every byte (a limit of zero on the size of files), so each command fails while it writes.
#[test]
fn a_file_that_cannot_be_written_whole_stays_as_it_was() {
    let old = "what was there";
    let why = ["why", CAPTURE, "--flow", "10.1.0.2:37228,203.0.113.10:443"];
    let commands: [&[&str]; 7] = [
        ANALYZE,
        &["analyze", "--format", "html", CAPTURE],
        &["diff", "fixtures/captures/mqtt-tls-allowed/capture.pcap", CAPTURE],
        &["check", "--expect", "fixtures/checks/demo.toml", "fixtures/captures/demo"],
        &why,
        &["learn", CAPTURE],
        &["rules", "--site", "fixtures/sites/spinetix.toml", "--to", "nftables"],
    ];
    for command in commands {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("report");
        fs::write(&file, old).expect("a file");
        let command = [command, &["--output", file.to_str().expect("UTF-8")]].concat();
        let limited = format!("trap '' XFSZ; ulimit -f 0; exec {} {}", env!("CARGO_BIN_EXE_portbook"), quoted(&command));
        let output = Command::new("sh").args(["-c", &limited]).current_dir(root()).output().expect("a shell");
        assert_eq!(output.status.code(), Some(2), "{command:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("cannot write"), "{command:?}: {}", stderr(&output));
        assert_eq!(fs::read_to_string(&file).expect("the file"), old, "{command:?}");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "{command:?} leaves nothing beside it");
        let written = portbook(&command, &[]).output().expect("portbook runs");
        assert!(matches!(written.status.code(), Some(0 | 1)), "{command:?}: {}", stderr(&written));
        assert_ne!(fs::read_to_string(&file).expect("the file"), old, "{command:?}");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn what_a_terminal_cannot_show_is_not_sent_to_one() {
    let command = ["analyze", "--format", "parquet", CAPTURE];
    if let Some(said) = terminal(80, &command, &[]) {
        assert!(said.contains("--output FILE") && !said.contains("PAR1"), "{said}");
    }
    assert!(portbook(&command, &[]).output().expect("portbook runs").stdout.starts_with(b"PAR1"));
}

/// What the command prints on a terminal of so many columns; none where there is no script(1) that makes one.
fn terminal(columns: usize, command: &[&str], said: &[(&str, &str)]) -> Option<String> {
    if !Command::new("script").arg("--version").output().is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux")) {
        println!("skipped: no script(1) of util-linux to make a terminal");
        return None;
    }
    let line = format!("stty cols {columns} rows 50; exec {} {}", env!("CARGO_BIN_EXE_portbook"), quoted(command));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(root()).stdin(Stdio::null()).env("TERM", "xterm-256color");
    for name in SPOKEN {
        script.env_remove(name);
    }
    let output = script.envs(said.iter().copied()).output().expect("script runs");
    Some(String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"))
}

fn piped(command: &[&str], said: &[(&str, &str)]) -> String {
    let output = portbook(command, said).output().expect("portbook runs");
    assert!(output.status.success(), "{command:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn portbook(command: &[&str], said: &[(&str, &str)]) -> Command {
    let mut portbook = Command::new(env!("CARGO_BIN_EXE_portbook"));
    portbook.args(command).current_dir(root()).stdin(Stdio::null()).env("TERM", "xterm-256color");
    for name in SPOKEN {
        portbook.env_remove(name);
    }
    portbook.envs(said.iter().copied());
    portbook
}

/// Arguments as a shell takes them.
fn quoted(command: &[&str]) -> String {
    command.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

/// What a reader sees: without colours and links.
fn visible(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
