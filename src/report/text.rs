//! `text`: for people. What was read, findings worst first, services seen, what could not be judged and why, losses.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Paint};

use crate::count::{counted, grouped};
use crate::judge::{Coverage, Finding, Judged, Reason, Severity, Unknown, hex};
use crate::limit;
use crate::report::frames::numbers;
use crate::report::paragraph::{Page, linked, shown, width, wrapped};
use crate::report::record::word;
use crate::report::table::Table;
use crate::report::{Report, Style, Writer, tap};
use crate::signature::{Basis, ServiceId, Signatures};

/// A writer that prints once all flows have passed.
pub fn open<'a>(out: &'a mut dyn Write, style: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Text { out, style, signatures, flows: Table::new(&["client", "server", "protocol", "verdict", "outcome", "service"], &[]) })
}

struct Text<'a> {
    out: &'a mut dyn Write,
    style: Style,
    signatures: &'a Signatures,
    /// Rows of all flows, where they were asked for.
    flows: Table,
}

impl Writer for Text<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        if self.style.verbose {
            let flow = &judged.identified.flow;
            let service = judged.service.map_or("-", |id| &self.signatures.service(id).id).to_owned();
            let server = format!("{}/{}", flow.server.endpoint, flow.transport);
            let protocol = judged.identified.protocol.join("/");
            self.flows.row([flow.client.endpoint.to_string(), server, protocol, word(&judged.verdict), word(&judged.outcome), service]);
        }
        Ok(())
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        let out = &mut *self.out;
        if !self.style.quiet {
            write_captures(report, out)?;
        }
        write_findings(report, out)?;
        if self.style.quiet {
            return Ok(());
        }
        write_services(report, out)?;
        write_shown(report, out)?;
        write_undecided(report, out)?;
        write_tap(report, out)?;
        write_comments(report, self.style.verbose, out)?;
        if self.style.verbose {
            writeln!(out, "{HEAD}Flows{HEAD:#}")?;
            self.flows.write(out)?;
            writeln!(out)?;
            write_coverage(report, out)?;
            write_drafts(report, out)?;
        }
        write_losses(report, out)
    }
}

fn write_captures(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let frames = report.frames();
    let what = match report.files.as_slice() {
        [one] => one.path.clone(),
        many => format!("{} captures", many.len()),
    };
    wrapped(out, "", &format!("{what}: {}, {}, {}", counted(frames, "packet"), bytes(report.wire_bytes), counted(report.digest.flows, "flow")))?;
    if let Some((first, last)) = report.span {
        wrapped(out, "", &format!("{} to {} ({})", first.clock(), last.clock(), length(last.since(first).as_secs_f64())))?;
    }
    let applies = |vendor: &String| report.products.is_empty() || report.products.contains(vendor);
    let documents = report.signatures.documents.iter().filter(|document| applies(&document.vendor));
    let documents: Vec<String> = documents.map(|document| format!("{} \"{}\"", document.vendor_name, document.title)).collect();
    wrapped(out, "", &format!("held against {}", documents.join(", ")))?;
    if !report.site.is_empty() {
        wrapped(out, "", &format!("site: {}", report.site))?;
    }
    for file in report.files.iter().filter(|file| file.error.is_some()) {
        if let Some(error) = &file.error {
            let label = format!("{WARN}not read to its end:{WARN:#} ");
            wrapped(out, &label, &error.to_string())?;
        }
    }
    for filter in filters(report) {
        wrapped(out, "recorded only: ", &format!("{filter} (the capture's own filter; what it left out cannot be judged)"))?;
    }
    let warnings = tap::warnings(&report.visibility);
    if !warnings.is_empty() {
        wrapped(out, "this tap: ", &format!("{} (told below)", warnings.join(", ")))?;
    }
    writeln!(out)
}

/// The filters that captures were recorded with, each once.
pub(super) fn filters<'a>(report: &'a Report<'_>) -> BTreeSet<&'a str> {
    report.interfaces.iter().filter_map(|interface| interface.filter.as_deref()).collect()
}

/// What people wrote into the captures; in a long report all of it.
fn write_comments(report: &Report<'_>, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let all = report.files.iter().flat_map(|file| file.comments.iter().map(move |comment| (file, comment)));
    let many = all.clone().count();
    if many == 0 {
        return Ok(());
    }
    writeln!(out, "{HEAD}Comments in the captures{HEAD:#}")?;
    let shown = if verbose { many } else { many.min(COMMENTS_SHOWN) };
    for (file, comment) in all.take(shown) {
        let of = if report.files.len() > 1 { format!(" of {}", file.path) } else { String::new() };
        let place = comment.frame.map_or_else(|| format!("on the capture{of}"), |frame| format!("frame {frame}{of}"));
        wrapped(out, "  ", &format!("{place}: {}", comment.text))?;
    }
    if shown < many {
        writeln!(out, "  {} more with -v", many - shown)?;
    }
    writeln!(out)
}

fn write_findings(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    match report.findings.len() {
        0 => writeln!(out, "{HEAD}No findings.{HEAD:#}")?,
        many => writeln!(out, "{HEAD}{}{HEAD:#}", counted(many as u64, "finding"))?,
    }
    for (place, finding) in report.findings.iter().enumerate() {
        writeln!(out)?;
        write_finding(report, Some(place + 1), finding, out)?;
    }
    writeln!(out)
}

fn write_finding(report: &Report<'_>, place: Option<usize>, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let paint = paint(finding.severity);
    let title = format!("{}: {}", finding.about, finding.rule.replace('_', " "));
    let place = place.map_or_else(|| INDENT.to_owned(), |place| format!("{place:3}. "));
    let severity = format!("{place}{paint}{:6}{paint:#} ", word(&finding.severity));
    // Colours end with their line, so a heading that takes several has none.
    if width(&severity) + width(&title) <= Page::now().columns {
        writeln!(out, "{severity}{HEAD}{}{HEAD:#}", shown(&title))?;
    } else {
        wrapped(out, &severity, &title)?;
    }
    wrapped(out, INDENT, &finding.says)?;
    labelled(out, "breaks", finding.consequence.as_deref())?;
    if let Some(cited) = &finding.citation {
        let whose = if cited.basis == Basis::Document { "document" } else { "source" };
        let words = if cited.verbatim { format!("\"{}\"", cited.quote) } else { cited.quote.clone() };
        let section = if cited.section.is_empty() { String::new() } else { format!(", {}", cited.section) };
        let fill = " ".repeat(LABEL.saturating_sub(whose.len()));
        wrapped(out, &format!("{INDENT}{}{fill}", linked(whose, cited.url.as_deref())), &format!("{}{section}: {words}", cited.document))?;
    }
    if let Some(unknown) = &finding.unknown {
        write_unknown(report, unknown, out)?;
    }
    labelled(out, "do", finding.remedy.as_deref())?;
    if !finding.alternatives.is_empty() {
        labelled(out, "or else", Some(&finding.alternatives.join("; ")))?;
    }
    let (flows, attempts) = (counted(finding.flows, "flow"), counted(finding.attempts, "attempt"));
    let when = format!("{} to {}", finding.first.clock(), finding.last.clock());
    labelled(out, "seen", Some(&format!("{flows}, {attempts}, {when}; confidence {}", word(&finding.confidence))))?;
    let some = if finding.selected < finding.flows {
        format!(" (of {} of the {} flows, and so is the filter)", finding.selected, grouped(finding.flows))
    } else {
        String::new()
    };
    labelled(out, "frames", Some(&format!("{}{some}", numbers(&report.files, &finding.frames))))?;
    labelled(out, "filter", Some(&finding.display_filter))?;
    let more = finding.flow_ids.len().saturating_sub(1);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    labelled(out, "flow", finding.flow_ids.first().map(|id| format!("{id}{more}")).as_deref())
}

/// A finding of live traffic as it is told: in full where there is something to do, else its heading.
pub(super) fn write_told(report: &Report<'_>, phase: &str, finding: &Finding, in_full: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} {phase} ({})", finding.last.clock(), finding.id)?;
    if in_full {
        return write_finding(report, None, finding, out);
    }
    wrapped(out, INDENT, &finding.says)
}

/// What there is to know of an undocumented service. Its draft is for a file: `-v` prints it after the findings.
fn write_unknown(report: &Report<'_>, unknown: &Unknown, out: &mut dyn Write) -> io::Result<()> {
    labelled(out, "names", Some(&unknown.names.join(", ")))?;
    for (label, bytes) in [("client", &unknown.opening[0]), ("server", &unknown.opening[1])] {
        let bytes = &bytes[..bytes.len().min(BYTES_A_LINE)];
        labelled(out, label, (!bytes.is_empty()).then(|| format!("{} |{}|", hex(bytes), letters(bytes))).as_deref())?;
    }
    let rows: Vec<String> = unknown.nearest.iter().map(|(id, why)| format!("{} ({why})", report.signatures.service(*id).id)).collect();
    labelled(out, "nearest", Some(&rows.join(", ")))
}

/// Letters as they are, everything else as dots, as hex dumps show them.
pub(super) fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect()
}

/// The drafts of undocumented services, each to be put into a file of its own.
fn write_drafts(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    for (place, finding) in report.findings.iter().enumerate() {
        let Some(unknown) = &finding.unknown else { continue };
        writeln!(out, "{HEAD}A signature for finding {}{HEAD:#}, for a file of yours", place + 1)?;
        writeln!(out, "{}", unknown.draft)?;
    }
    Ok(())
}

fn labelled(out: &mut dyn Write, label: &str, text: Option<&str>) -> io::Result<()> {
    match text {
        Some(text) if !text.is_empty() => wrapped(out, &format!("{INDENT}{label:LABEL$}"), text),
        _ => Ok(()),
    }
}

/// A row for each service and outcome: flows and how many clients and servers.
fn write_services(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    if report.digest.services.is_empty() {
        return writeln!(out, "No flow belongs to a documented service.\n");
    }
    writeln!(out, "{HEAD}Documented services seen{HEAD:#}")?;
    let mut table = Table::new(&["service", "verdict", "outcome", "flows", "clients", "servers"], &[3, 4, 5]);
    for ((service, verdict, outcome), together) in &report.digest.services {
        let hosts = |(many, more): (usize, bool)| format!("{}{}", if more { "over " } else { "" }, grouped(many as u64));
        table.row([
            report.signatures.service(*service).id.clone(),
            word(verdict),
            word(outcome),
            grouped(together.flows),
            hosts(together.clients.count()),
            hosts(together.servers.count()),
        ]);
    }
    table.write(out)?;
    writeln!(out)
}

/// Hosts that are judged by what they show, as no site says what they are.
fn write_shown(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    if report.shown.is_empty() {
        return Ok(());
    }
    writeln!(out, "{HEAD}Roles that hosts show{HEAD:#}")?;
    let mut table = Table::new(&["host", "role", "shows"], &[]);
    for (ip, shown) in report.shown.iter().take(limit::HOSTS_TOLD) {
        let role = &report.signatures.role(shown.role).id;
        let what = format!("{} {} (frame {})", shown.by, shown.what, numbers(&report.files, &[shown.frame]));
        table.row([ip.to_string(), role.to_owned(), what]);
    }
    table.write(out)?;
    if let Some(more @ 1..) = report.shown.len().checked_sub(limit::HOSTS_TOLD) {
        wrapped(out, "", &format!("and {} more", counted(more as u64, "host")))?;
    }
    writeln!(out)
}

/// Why flows were left undecided, most frequent first; flows no document covers are one line.
fn write_undecided(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut rows: Vec<_> = report.digest.undecided.iter().collect();
    if report.digest.ignored > 0 {
        wrapped(out, "ignored by the site file: ", &counted(report.digest.ignored, "flow"))?;
        writeln!(out)?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "{HEAD}Not judged{HEAD:#}")?;
    rows.sort_by_key(|(reasons, many)| (std::cmp::Reverse(*many), *reasons));
    for (reasons, many) in rows {
        let explained = reasons.iter().map(|reason| explain(*reason)).collect::<Vec<_>>().join("; ");
        let words = reasons.iter().map(word).collect::<Vec<_>>().join(", ");
        wrapped(out, &format!("{:>9}  ", grouped(many)), &format!("{explained} ({words})"))?;
    }
    writeln!(out)
}

/// A reason in words, for those that leave a flow undecided.
pub(super) fn explain(reason: Reason) -> String {
    let words = match reason {
        Reason::NotCovered => "no document covers either end; give hosts a role with --role to hold them against one",
        Reason::SharedPort => "several documented rows fit equally",
        Reason::Midstream => "began before the capture",
        Reason::DirectionUnknown => "nothing tells who opened it",
        Reason::NotEnoughBytes => "too little was captured to tell the protocol",
        other => return word(&other).replace('_', " "),
    };
    words.to_owned()
}

/// What this tap can see: on it rests every word about silence.
fn write_tap(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{HEAD}What this tap can see{HEAD:#}")?;
    for (label, sentence) in tap::told(report) {
        wrapped(out, &format!("  {label:19} "), &sentence)?;
    }
    writeln!(out)
}

fn write_coverage(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{HEAD}Documented rows{HEAD:#}")?;
    write_rows(report, &report.coverage, out)?;
    for (role, rows) in &report.coverage_by_role {
        writeln!(out, "{HEAD}Documented rows of {}{HEAD:#}", report.signatures.role(*role).id)?;
        write_rows(report, rows, out)?;
    }
    Ok(())
}

fn write_rows(report: &Report<'_>, rows: &[(ServiceId, Coverage)], out: &mut dyn Write) -> io::Result<()> {
    for coverage in [Coverage::Blocked, Coverage::Attempted, Coverage::Seen, Coverage::NotVisibleHere, Coverage::NeverAttempted] {
        let rows: Vec<&str> = rows.iter().filter(|(_, known)| *known == coverage).map(|(id, _)| report.signatures.service(*id).id.as_str()).collect();
        if !rows.is_empty() {
            wrapped(out, &format!("  {:16} ", word(&coverage).replace('_', " ")), &rows.join(", "))?;
        }
    }
    writeln!(out)
}

/// Everything that was not counted as a flow: faults, frames of other kinds, drops.
pub(super) fn write_losses(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let lines = left_out(report);
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "{HEAD}Left out of the flows{HEAD:#}")?;
    for (label, text) in lines {
        wrapped(out, &format!("  {label:20}"), &text)?;
    }
    Ok(())
}

/// The same as a label and a sentence each.
pub(super) fn left_out(report: &Report<'_>) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let losses = &report.losses;
    for (label, tally) in
        [("not decoded", losses.faults()), ("not in a flow", losses.without_flow()), ("removed", losses.copies()), ("dropped or skipped", losses.dropped())]
    {
        if !tally.is_empty() {
            let parts: Vec<String> = tally.iter().map(|(what, many)| format!("{} {what}", grouped(many))).collect();
            lines.push((label, parts.join(", ")));
        }
    }
    let dropped: u64 = report.interfaces.iter().filter_map(|interface| interface.dropped).sum();
    if dropped > 0 {
        lines.push(("lost before us", format!("{}, as the capture itself says; answers may be among them", counted(dropped, "packet"))));
    }
    let out_of_order: u64 = report.files.iter().map(|file| file.out_of_order).sum();
    if out_of_order > 0 {
        lines.push(("out of order", format!("{} earlier than the one before", counted(out_of_order, "packet"))));
    }
    let passed_over: u64 = report.files.iter().map(|file| file.passed_over).sum();
    if passed_over > 0 {
        lines.push(("passed over", format!("{} parts of the captures that hold no packet, or are beyond a bound", grouped(passed_over))));
    }
    if report.interrupted {
        lines.push(("interrupted", "reading was ended by a signal; this is what was read until then".to_owned()));
    }
    lines
}

fn paint(severity: Severity) -> Paint {
    let color = match severity {
        Severity::High => AnsiColor::Red,
        Severity::Medium => AnsiColor::Yellow,
        Severity::Low => AnsiColor::Cyan,
        Severity::Info => AnsiColor::White,
    };
    Paint::new().bold().fg_color(Some(color.into()))
}

pub(super) fn length(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

pub(super) fn bytes(many: u64) -> String {
    match many {
        n if n < 10_000 => format!("{n} bytes"),
        n if n < 10_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        n if n < 10_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        n => format!("{:.1} GB", n as f64 / 1e9),
    }
}

/// Comments of captures that a short report shows.
const COMMENTS_SHOWN: usize = 10;
/// Bytes of a hex dump on one line, as hexdump and Wireshark print them.
const BYTES_A_LINE: usize = 16;
const INDENT: &str = "     ";
const LABEL: usize = 9;
const HEAD: Paint = Paint::new().bold();
const WARN: Paint = Paint::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_well() {
        assert_eq!([0.0123, 61.0, 600.0, 9_000.0].map(length), ["12 ms", "61.0 s", "10 min", "2.5 h"]);
        assert_eq!([512, 20_480, 50_000_000].map(bytes), ["512 bytes", "20.5 kB", "50.0 MB"]);
    }
}
