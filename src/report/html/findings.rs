//! Findings, worst first: what was seen, what it breaks, who says so, what to do, and where it is in the capture.

use std::io;

use crate::count::{counted, grouped};
use crate::judge::{Cited, Finding, Severity, Unknown, hex};
use crate::limit;
use crate::report::Report;
use crate::report::frames::numbers;
use crate::report::html::kept::Kept;
use crate::report::html::page::{Column, Page};
use crate::report::html::timeline;
use crate::report::record::word;
use crate::report::text::letters;
use crate::signature::Basis;

/// All of them; beyond a bound in one line each, beyond another as a number.
pub(super) fn write(report: &Report<'_>, kept: &Kept, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<section id=\"findings\"><h2>Findings</h2>\n")?;
    if report.findings.is_empty() {
        page.markup("<p>No findings.</p>\n")?;
    }
    let (told, rest) = report.findings.split_at(report.findings.len().min(limit::HTML_FINDINGS));
    if told.len() > 1 {
        write_contents(told, page)?;
    }
    for (place, finding) in (1..).zip(told) {
        write_finding(place, finding, report, kept, page)?;
    }
    if !rest.is_empty() {
        write_rest(rest, told.len(), page)?;
    }
    page.markup("</section>\n")
}

/// What there is to read, a line each.
fn write_contents(findings: &[Finding], page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<ol class=\"contents\">\n")?;
    for (place, finding) in (1..).zip(findings) {
        page.markup("<li>")?;
        write_severity(finding.severity, page)?;
        page.markup(" ")?;
        page.element("a", &[("href", &format!("#finding-{place}"))], title(finding))?;
        page.markup("</li>\n")?;
    }
    page.markup("</ol>\n")
}

fn write_finding(place: usize, finding: &Finding, report: &Report<'_>, kept: &Kept, page: &mut Page<'_>) -> io::Result<()> {
    let (id, label) = (format!("finding-{place}"), format!("finding-{place}-title"));
    page.open("article", &[("id", &id), ("class", &format!("finding {}", severity_class(finding.severity))), ("aria-labelledby", &label)])?;
    page.open("h3", &[("id", &label)])?;
    page.text(format!("{place}. {} ", title(finding)))?;
    write_severity(finding.severity, page)?;
    page.markup("</h3>\n")?;
    page.element("p", &[("class", &"says")], &finding.says)?;
    page.markup("\n<dl>\n")?;
    page.term("Breaks", finding.consequence.as_deref().unwrap_or_default())?;
    if let Some(cited) = &finding.citation {
        write_citation(cited, page)?;
    }
    if let Some(unknown) = &finding.unknown {
        write_unknown(report, unknown, page)?;
    }
    page.term("Do", finding.remedy.as_deref().unwrap_or_default())?;
    page.term("Or else", &finding.alternatives.join("; "))?;
    page.term("Seen", &seen(finding))?;
    write_frames(finding, report, page)?;
    if !finding.display_filter.is_empty() {
        page.markup("<dt>Wireshark filter</dt><dd class=\"filter\">")?;
        page.element("code", &[], &finding.display_filter)?;
        page.markup("</dd>")?;
    }
    if !finding.flow_ids.is_empty() {
        page.markup("<dt>Community IDs</dt>")?;
        page.element("dd", &[("class", &"frames")], finding.flow_ids.iter().map(|id| &**id).collect::<Vec<_>>().join(" "))?;
    }
    page.markup("</dl>\n")?;
    timeline::write(place, finding, report, kept, page)?;
    if let Some(unknown) = &finding.unknown {
        page.markup("<details><summary>A signature for it, for a file of yours</summary>")?;
        page.element("pre", &[], &unknown.draft)?;
        page.markup("</details>\n")?;
    }
    page.markup("</article>\n")
}

fn title(finding: &Finding) -> String {
    format!("{}: {}", finding.about, finding.rule.replace('_', " "))
}

fn write_severity(severity: Severity, page: &mut Page<'_>) -> io::Result<()> {
    page.element("span", &[("class", &format!("severity {}", severity_class(severity)))], word(&severity))
}

/// Whose word it is, where it stands, and the words themselves.
fn write_citation(cited: &Cited, page: &mut Page<'_>) -> io::Result<()> {
    page.element("dt", &[], if cited.basis == Basis::Document { "Document" } else { "Source" })?;
    page.markup("<dd>")?;
    page.element("cite", &[], &cited.document)?;
    if !cited.section.is_empty() {
        page.text(format!(", {}", cited.section))?;
    }
    page.markup(": ")?;
    if cited.verbatim {
        page.element("q", &[], &cited.quote)?;
    } else {
        page.text(&cited.quote)?;
    }
    if let Some(url) = cited.url.as_deref().filter(|url| *url != cited.document) {
        page.markup("<br>")?;
        page.element("span", &[("class", &"url")], url)?;
    }
    page.markup("</dd>")
}

fn write_unknown(report: &Report<'_>, unknown: &Unknown, page: &mut Page<'_>) -> io::Result<()> {
    page.term("Names", &unknown.names.join(", "))?;
    for (term, bytes) in [("Client sent", &unknown.opening[0]), ("Server sent", &unknown.opening[1])] {
        if !bytes.is_empty() {
            page.element("dt", &[], term)?;
            page.markup("<dd>")?;
            page.element("code", &[], format!("{} |{}|", hex(bytes), letters(bytes)))?;
            page.markup("</dd>")?;
        }
    }
    let rows: Vec<String> = unknown.nearest.iter().map(|(id, why)| format!("{} ({why})", report.signatures.service(*id).id)).collect();
    page.term("Nearest", &rows.join(", "))
}

fn seen(finding: &Finding) -> String {
    format!(
        "{}, {}, {} to {}; confidence {}",
        counted(finding.flows, "flow"),
        counted(finding.attempts, "attempt"),
        finding.first.clock(),
        finding.last.clock(),
        word(&finding.confidence)
    )
}

/// The frames by file, and where not all flows are cited how many are.
fn write_frames(finding: &Finding, report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    if finding.frames.is_empty() {
        return Ok(());
    }
    page.markup("<dt>Frames</dt><dd class=\"frames\">")?;
    page.text(numbers(&report.files, &finding.frames))?;
    if finding.selected < finding.flows {
        page.text(format!(" (of {} of the {} flows, and so is the filter)", finding.selected, grouped(finding.flows)))?;
    }
    page.markup("</dd>")
}

/// Findings beyond those told in full.
fn write_rest(rest: &[Finding], before: usize, page: &mut Page<'_>) -> io::Result<()> {
    let (listed, left) = rest.split_at(rest.len().min(limit::HTML_ROWS));
    page.element("h3", &[], format!("{} more, in one line each", listed.len()))?;
    page.markup("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Further findings\"><table class=\"data\"><caption>Further findings")?;
    if !left.is_empty() {
        page.text(format!("; {} more are left out here and are in the json report", grouped(left.len() as u64)))?;
    }
    page.markup("</caption>")?;
    page.heads(&[("no.", Column::Number), ("severity", Column::Text), ("finding", Column::Text), ("flows", Column::Number), ("sentence", Column::Text)])?;
    for (place, finding) in (before + 1..).zip(listed) {
        page.markup("<tr>")?;
        page.number(place)?;
        page.cell(word(&finding.severity))?;
        page.cell(title(finding))?;
        page.number(grouped(finding.flows))?;
        page.cell(&finding.says)?;
        page.markup("</tr>\n")?;
    }
    page.markup("</tbody></table></div>\n")
}

const fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "info",
    }
}
