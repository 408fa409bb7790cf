//! Prints a comparison: for people, and as one JSON object.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Paint};
use serde::Serialize;

use crate::check::{Comparison, Difference, Kind, View};
use crate::report::paragraph::{count, wrapped};
use crate::report::{Report, Style};

/// For people: what was read, then every difference with what is due, what is, and what shows it.
///
/// # Errors
/// Those of the writer.
pub fn text(comparison: &Comparison, report: &Report<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if !style.quiet {
        let frames = report.frames();
        let what = match report.files.as_slice() {
            [one] => one.path.clone(),
            many => count(many.len(), "capture"),
        };
        wrapped(out, "", &format!("{what}: {frames} packets, {}", count(usize::try_from(report.digest.flows).unwrap_or(usize::MAX), "flow")))?;
        let name = if comparison.name.is_empty() { String::new() } else { format!(" \"{}\"", comparison.name) };
        wrapped(
            out,
            "",
            &format!("held against {}{name}: {} {}", comparison.with, comparison.compared, comparison.what[usize::from(comparison.compared != 1)]),
        )?;
        writeln!(out)?;
    }
    write_all(comparison, out)
}

/// For people: what was compared, then every difference with what was, what is, and what shows it.
///
/// # Errors
/// Those of the writer.
pub fn diff_text(comparison: &Comparison, [old, new]: [&View<'_>; 2], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if !style.quiet {
        for (label, view) in [("old: ", old), ("new: ", new)] {
            let (flows, findings) = view.len();
            let flows = count(usize::try_from(flows).unwrap_or(usize::MAX), "flow");
            wrapped(out, label, &format!("{}: {flows}, {}", view.name(), count(findings, "finding")))?;
        }
        writeln!(out)?;
    }
    write_all(comparison, out)
}

/// One JSON object, `"type":"diff"`.
///
/// # Errors
/// Those of the writer.
pub fn diff_json(comparison: &Comparison, views: [&View<'_>; 2], out: &mut dyn Write) -> io::Result<()> {
    let [old, new] = views.map(|view| {
        let (flows, findings) = view.len();
        Compared { name: view.name(), flows, findings }
    });
    let Comparison { compared, differences, notes, .. } = comparison;
    let record = Diff { r#type: "diff", portbook: env!("CARGO_PKG_VERSION"), old, new, compared: *compared, same: differences.is_empty(), differences, notes };
    serde_json::to_writer(&mut *out, &record).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Diff<'a> {
    r#type: &'static str,
    portbook: &'static str,
    old: Compared<'a>,
    new: Compared<'a>,
    compared: usize,
    same: bool,
    differences: &'a [Difference],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

#[derive(Serialize)]
struct Compared<'a> {
    name: &'a str,
    flows: u64,
    findings: usize,
}

fn write_all(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    match comparison.differences.len() {
        0 => writeln!(out, "{GOOD}No differences.{GOOD:#}")?,
        many => writeln!(out, "{HEAD}{}{HEAD:#}", count(many, "difference"))?,
    }
    let mut kind = None;
    for difference in &comparison.differences {
        if kind != Some(difference.kind) && difference.kind != Kind::Unmet {
            writeln!(out, "\n{HEAD}{}{HEAD:#}", heading(difference.kind))?;
        }
        kind = Some(difference.kind);
        write_difference(difference, out)?;
    }
    if !comparison.notes.is_empty() {
        writeln!(out)?;
    }
    comparison.notes.iter().try_for_each(|note| wrapped(out, "note: ", note))
}

/// One JSON object, `"type":"check"`.
///
/// # Errors
/// Those of the writer.
pub fn json(comparison: &Comparison, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let record = Record {
        r#type: "check",
        portbook: env!("CARGO_PKG_VERSION"),
        name: &comparison.name,
        with: &comparison.with,
        captures: report.files.iter().map(|file| file.path.as_str()).collect(),
        frames: report.frames(),
        flows: report.digest.flows,
        compared: comparison.compared,
        holds: comparison.differences.is_empty(),
        differences: &comparison.differences,
        notes: &comparison.notes,
    };
    serde_json::to_writer(&mut *out, &record).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Record<'a> {
    r#type: &'static str,
    portbook: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    with: &'a str,
    captures: Vec<&'a str>,
    frames: u64,
    flows: u64,
    compared: usize,
    holds: bool,
    differences: &'a [Difference],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

fn write_difference(difference: &Difference, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    let place = difference.place.as_ref().map_or_else(String::new, |place| format!("{place}  "));
    wrapped(out, "  ", &format!("{place}{}", difference.about))?;
    let due = if difference.kind == Kind::Unmet { "due" } else { "was" };
    if !difference.due.is_empty() {
        wrapped(out, &format!("{INDENT}{due:5}"), &difference.due)?;
    }
    wrapped(out, &format!("{INDENT}{BAD}is{BAD:#}   "), &difference.is)?;
    difference.shows.iter().try_for_each(|line| wrapped(out, &format!("{INDENT}see  "), line))
}

const fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Unmet => "Not as expected",
        Kind::New => "New",
        Kind::Gone => "Gone",
        Kind::Changed => "Changed",
    }
}

const INDENT: &str = "      ";
const HEAD: Paint = Paint::new().bold();
const GOOD: Paint = Paint::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Paint = Paint::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
