//! Tables for looking things up: services, flows, why flows were not judged, hosts that show what they are, comments, what the tap sees and what was left out.

use std::io;

use crate::count::{counted, grouped};
use crate::flow::ConnState;
use crate::judge::Verdict;
use crate::limit;
use crate::net::Endpoint;
use crate::report::frames::{file_name, numbers};
use crate::report::html::kept::{End, Kept, Row};
use crate::report::html::links::verdict_class;
use crate::report::html::page::{Column, Page};
use crate::report::record::word;
use crate::report::text::{explain, left_out};
use crate::report::{Report, tap};
use crate::time::Timestamp;

/// A row for each service, verdict and outcome.
pub(super) fn write_services(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<section id=\"services\"><h2>Documented services seen</h2>\n")?;
    if report.digest.services.is_empty() {
        return page.markup("<p>No flow belongs to a documented service.</p></section>\n");
    }
    let left = report.digest.services.len().saturating_sub(limit::HTML_ROWS);
    begin("Services", "Flows of documented services by what became of them", left, page)?;
    let number = Column::Number;
    page.heads(&[
        ("row", Column::Text),
        ("service", Column::Text),
        ("verdict", Column::Text),
        ("outcome", Column::Text),
        ("flows", number),
        ("clients", number),
        ("servers", number),
    ])?;
    for ((service, verdict, outcome), together) in report.digest.services.iter().take(limit::HTML_ROWS) {
        let hosts = |(many, more): (usize, bool)| format!("{}{}", grouped(many as u64), if more { " and more" } else { "" });
        page.markup("<tr>")?;
        page.element("td", &[("class", &"id")], &report.signatures.service(*service).id)?;
        page.cell(&report.signatures.service(*service).name)?;
        page.element("td", &[("class", &verdict_class(*verdict))], word(verdict))?;
        page.element("td", &[("class", &outcome_class(End::of(*outcome)))], word(outcome).replace('_', " "))?;
        page.number(grouped(together.flows))?;
        page.number(hosts(together.clients.count()))?;
        page.number(hosts(together.servers.count()))?;
        page.markup("</tr>\n")?;
    }
    page.markup("</tbody></table></div></section>\n")
}

/// The flows that were kept, in order of their first packets.
pub(super) fn write_flows(report: &Report<'_>, kept: &mut Kept, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<section id=\"flows\"><h2>Flows</h2>\n")?;
    let mut rows: Vec<Row> = std::mem::take(&mut kept.rows).into_values().collect();
    rows.sort_by_key(|row| (row.first, row.frame));
    let day = one_day(report.span);
    let left = usize::try_from(kept.passed).unwrap_or(usize::MAX).saturating_sub(rows.len());
    let what = if left > 0 { "Flows: those that are unexpected or fail first, then the earliest" } else { "All flows" };
    let when = day.as_ref().map_or_else(String::new, |day| format!(" of {day}"));
    begin("Flows", &format!("{what}{when}"), left, page)?;
    page.heads(&[
        ("begun, UTC", Column::Text),
        ("frame", Column::Number),
        ("client", Column::Text),
        ("server", Column::Text),
        ("protocol", Column::Text),
        ("row", Column::Text),
        ("verdict", Column::Text),
        ("outcome", Column::Text),
        ("state", Column::Text),
        ("bytes", Column::Number),
    ])?;
    for row in &rows {
        write_flow(row, day.is_some(), report, page)?;
    }
    page.markup("</tbody></table></div></section>\n")
}

/// The day, where all of the capture is of one.
fn one_day(span: Option<(Timestamp, Timestamp)>) -> Option<String> {
    let [first, last] = <[Timestamp; 2]>::from(span?).map(|time| time.to_string().get(..10).map(str::to_owned));
    first.filter(|first| last.as_ref() == Some(first))
}

/// Thousands of these make most of a page, so they are put together of texts and numbers without what formats any value.
fn write_flow(row: &Row, without_date: bool, report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<tr><td class=\"id\">")?;
    let moment = row.first.rfc3339();
    if let (false, Some(day)) = (without_date, moment.as_str().get(..10)) {
        page.words(day);
        page.markup(" ")?;
    }
    page.words(moment.as_str().get(11..23).unwrap_or_default());
    page.markup("</td><td class=\"num\">")?;
    page.digits(row.frame.number());
    if report.files.len() > 1 {
        page.element("small", &[], file_name(&report.files, row.frame))?;
    }
    page.markup("</td><td class=\"id\">")?;
    write_end(row, row.client, page)?;
    page.markup("</td><td class=\"id\">")?;
    write_end(row, row.server, page)?;
    page.markup("/")?;
    page.words(&row.transport.name());
    if let Some(name) = &row.name {
        page.markup("<small>")?;
        page.words(name);
        page.markup("</small>")?;
    }
    page.markup("</td><td>")?;
    for (place, protocol) in row.protocol.iter().enumerate() {
        page.words(if place > 0 { "/" } else { "" });
        page.words(protocol);
    }
    page.markup("</td><td class=\"id\">")?;
    page.words(row.service.map_or("", |id| &report.signatures.service(id).id));
    page.markup("</td><td class=\"")?;
    page.markup(verdict_class(row.verdict))?;
    page.markup("\">")?;
    page.word(&row.verdict);
    // What no document is about fails on any network, and is nobody's alarm.
    let end = if row.service.is_none() && row.verdict == Verdict::Undecided { End::Fine } else { End::of(row.outcome) };
    page.markup("</td><td class=\"")?;
    page.markup(outcome_class(end))?;
    page.markup("\">")?;
    page.word(&row.outcome);
    page.markup("</td><td>")?;
    page.words(row.state.map_or("", ConnState::name));
    page.markup("</td><td class=\"num\">")?;
    page.words(&grouped(row.bytes));
    page.markup("</td></tr>\n")
}

/// An address, and the port where there is one.
fn write_end(row: &Row, end: Endpoint, page: &mut Page<'_>) -> io::Result<()> {
    let (ports, brackets) = (row.transport.has_ports(), row.transport.has_ports() && end.ip.is_ipv6());
    page.markup(if brackets { "[" } else { "" })?;
    page.ip(end.ip);
    page.markup(if brackets { "]" } else { "" })?;
    if ports {
        page.markup(":")?;
        page.digits(u64::from(end.port));
    }
    Ok(())
}

/// Why flows were left undecided, most frequent first.
pub(super) fn write_undecided(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let mut rows: Vec<_> = report.digest.undecided.iter().collect();
    if rows.is_empty() && report.digest.ignored == 0 {
        return Ok(());
    }
    rows.sort_by_key(|(reasons, many)| (std::cmp::Reverse(*many), *reasons));
    page.markup("<section id=\"not-judged\"><h2>Not judged</h2>\n<dl>\n")?;
    for (reasons, many) in rows {
        let explained: Vec<String> = reasons.iter().map(|reason| explain(*reason)).collect();
        let words: Vec<String> = reasons.iter().map(word).collect();
        page.element("dt", &[], counted(many, "flow"))?;
        page.element("dd", &[], format!("{} ({})", explained.join("; "), words.join(", ")))?;
    }
    if report.digest.ignored > 0 {
        page.element("dt", &[], counted(report.digest.ignored, "flow"))?;
        page.element("dd", &[], "ignored by the site file")?;
    }
    page.markup("</dl></section>\n")
}

/// Hosts that are judged by what they show, as no site says what they are.
pub(super) fn write_shown(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    if report.shown.is_empty() {
        return Ok(());
    }
    page.markup("<section id=\"roles\"><h2>Roles that hosts show</h2>\n")?;
    begin("Roles", "Judged by what they show, as no site says what they are", report.shown.len().saturating_sub(limit::HTML_ROWS), page)?;
    page.heads(&[("host", Column::Text), ("role", Column::Text), ("shows", Column::Text), ("frame", Column::Text)])?;
    for (ip, shown) in report.shown.iter().take(limit::HTML_ROWS) {
        page.markup("<tr>")?;
        page.element("td", &[("class", &"id")], ip)?;
        page.element("td", &[("class", &"id")], &report.signatures.role(shown.role).id)?;
        page.cell(format!("{} {}", shown.by, shown.what))?;
        page.cell(numbers(&report.files, &[shown.frame]))?;
        page.markup("</tr>\n")?;
    }
    page.markup("</tbody></table></div></section>\n")
}

/// What people wrote into the captures.
pub(super) fn write_comments(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let all = report.files.iter().flat_map(|file| file.comments.iter().map(move |comment| (file, comment)));
    let many = all.clone().count();
    if many == 0 {
        return Ok(());
    }
    page.markup("<section id=\"comments\"><h2>Comments in the captures</h2>\n<dl>\n")?;
    for (file, comment) in all.take(limit::HTML_ROWS) {
        let of = if report.files.len() > 1 { format!(" of {}", file.path) } else { String::new() };
        page.element("dt", &[], comment.frame.map_or_else(|| format!("on the capture{of}"), |frame| format!("frame {frame}{of}")))?;
        page.element("dd", &[], &comment.text)?;
    }
    page.markup("</dl>\n")?;
    if let Some(more @ 1..) = many.checked_sub(limit::HTML_ROWS) {
        page.element("p", &[], format!("{} more are in the json report.", grouped(more as u64)))?;
    }
    page.markup("</section>\n")
}

/// What this tap can see, and everything that is in no flow.
pub(super) fn write_tap(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<section id=\"tap\"><h2>What this tap can see</h2>\n<dl>\n")?;
    for (label, sentence) in tap::told(report) {
        page.element("dt", &[], label)?;
        page.element("dd", &[], sentence)?;
    }
    page.markup("</dl></section>\n<section id=\"left-out\"><h2>Left out of the flows</h2>\n")?;
    let lines = left_out(report);
    if lines.is_empty() {
        return page.markup("<p>Nothing: every packet is part of a flow above.</p></section>\n");
    }
    page.markup("<dl>\n")?;
    for (label, sentence) in lines {
        page.term(label, &sentence)?;
    }
    page.markup("</dl></section>\n")
}

/// A table that scrolls where it is wider than the page, and says how many rows it leaves out.
fn begin(label: &'static str, caption: &str, left_out: usize, page: &mut Page<'_>) -> io::Result<()> {
    page.open("div", &[("class", &"wide"), ("tabindex", &"0"), ("role", &"group"), ("aria-label", &label)])?;
    page.markup("<table class=\"data\"><caption>")?;
    page.text(caption)?;
    if left_out > 0 {
        page.text(format!("; {} more are left out here", grouped(left_out as u64)))?;
    }
    page.markup("</caption>")
}

const fn outcome_class(end: End) -> &'static str {
    match end {
        End::Fine => "fine",
        End::Failed => "failed",
        End::Blocked => "blocked",
    }
}
