//! What the page begins with: what was read, from when to when, how the flows were judged, what is missing, and what can be seen at all.

use std::io;

use crate::count::{counted, grouped};
use crate::judge::{Outcome, Severity, Verdict};
use crate::limit;
use crate::report::html::page::Page;
use crate::report::record::word;
use crate::report::text::{bytes, filters, left_out, length};
use crate::report::{Report, tap};

/// Title and summary.
pub(super) fn write(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<header><p class=\"kind\">portbook: captured traffic held against the documents</p>\n")?;
    page.element("h1", &[], name(report))?;
    page.element("p", &[("class", &"lead")], lead(report))?;
    page.markup("\n<dl>\n")?;
    page.term("Site", &report.site)?;
    page.term("Read", &read(report))?;
    if let Some((first, last)) = report.span {
        let (from, to) = (first.clock(), last.clock());
        page.term("Time", &format!("{from} to {to} ({})", length(last.since(first).as_secs_f64())))?;
    }
    page.term("Outcomes", &outcomes(report))?;
    page.term("Tap", &visibility(report))?;
    page.term("Left out", &losses(report))?;
    let documents: Vec<String> = report.signatures.documents.iter().map(|document| format!("{} \"{}\"", document.vendor_name, document.title)).collect();
    page.term("Documents", &documents.join(", "))?;
    for filter in filters(report) {
        page.term("Recorded only", &format!("{filter} (the capture's own filter; what it left out cannot be judged)"))?;
    }
    page.markup("</dl>\n")?;
    write_files(report, page)?;
    page.markup("</header>\n")
}

/// What the page is about: the capture, or how many there are.
pub(super) fn name(report: &Report<'_>) -> String {
    match report.files.as_slice() {
        [one] => one.path.clone(),
        many => format!("{} captures", many.len()),
    }
}

/// The answer in one line.
fn lead(report: &Report<'_>) -> String {
    let of = |severity: Severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let parts: Vec<String> = [Severity::High, Severity::Medium, Severity::Low, Severity::Info]
        .into_iter()
        .filter(|severity| of(*severity) > 0)
        .map(|severity| format!("{} {}", of(severity), word(&severity)))
        .collect();
    let findings = match report.findings.len() {
        0 => "No findings".to_owned(),
        number => format!("{} ({})", counted(number as u64, "finding"), parts.join(", ")),
    };
    let digest = &report.digest;
    // What no document is about fails on any network, and is nobody's alarm.
    let blocked: u64 = digest.services.iter().filter(|((.., outcome), _)| outcome.is_blocked()).map(|(_, together)| together.flows).sum();
    let [unexpected, expected, undecided] = [Verdict::Unexpected, Verdict::Expected, Verdict::Undecided].map(|verdict| grouped(digest.verdicts.of(&verdict)));
    let told = format!("{findings}. {}: {expected} expected, {unexpected} unexpected, {undecided} not judged", counted(digest.flows, "flow"));
    if blocked > 0 { format!("{told}; {} of documented services blocked.", grouped(blocked)) } else { format!("{told}.") }
}

fn read(report: &Report<'_>) -> String {
    format!("{}, {}, {}", counted(report.frames(), "packet"), bytes(report.wire_bytes), counted(report.digest.flows, "flow"))
}

/// Most frequent first.
fn outcomes(report: &Report<'_>) -> String {
    let mut all: Vec<(&Outcome, u64)> = report.digest.outcomes.iter().collect();
    all.sort_by_key(|(_, many)| std::cmp::Reverse(*many));
    all.into_iter().map(|(outcome, many)| format!("{} {}", grouped(many), word(outcome).replace('_', " "))).collect::<Vec<_>>().join(", ")
}

/// On what every word about silence rests.
fn visibility(report: &Report<'_>) -> String {
    let told = tap::told(report).into_iter().filter(|(label, _)| matches!(label.as_str(), "directions" | "loss" | "never heard"));
    let all: Vec<String> =
        tap::warnings(&report.visibility).into_iter().map(str::to_owned).chain(told.map(|(label, sentence)| format!("{label}: {sentence}"))).collect();
    all.join("; ")
}

fn losses(report: &Report<'_>) -> String {
    let lines = left_out(report);
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    lines.into_iter().map(|(label, sentence)| format!("{label}: {sentence}")).collect::<Vec<_>>().join("; ")
}

/// Files one by one where there are several, and whatever was not read to its end.
fn write_files(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    for file in &report.files {
        if let Some(error) = &file.error {
            page.element("p", &[("class", &"warning")], format!("Not read to its end: {error}"))?;
        }
    }
    if report.files.len() < 2 {
        return Ok(());
    }
    page.markup("<details><summary>Captures read</summary><ul>\n")?;
    for file in report.files.iter().take(limit::HTML_ROWS) {
        page.element("li", &[], format!("{}: {}", file.path, counted(file.frames, "packet")))?;
    }
    if let Some(more @ 1..) = report.files.len().checked_sub(limit::HTML_ROWS) {
        page.element("li", &[], format!("and {} more", grouped(more as u64)))?;
    }
    page.markup("</ul></details>\n")
}
