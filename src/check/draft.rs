//! Drafts an expectation file from what a run saw: what holds today, for a person to read and to correct.

use std::fmt::Write;

use crate::judge::{Coverage, Severity};
use crate::report::Report;
use crate::report::draft::quoted;
use crate::report::paragraph::shown;
use crate::report::record::word;
use crate::signature::ServiceId;

/// The draft. The run that it was made from meets it; `options` are those of that run that judging depends on, as typed.
pub fn draft(report: &Report<'_>, options: &str) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(report, options, &mut text);
    text
}

fn write(report: &Report<'_>, options: &str, out: &mut String) -> std::fmt::Result {
    let captures: Vec<&str> = report.files.iter().map(|file| file.path.as_str()).collect();
    let when = report.span.map_or_else(String::new, |(first, last)| format!(", {first} to {last}"));
    comment(out, &format!("What portbook saw in {}{when}.", captures.join(", ")))?;
    comment(out, "It says what was, not what is right: read each entry, correct what should be otherwise, take away what may change.")?;
    comment(out, "fixtures/checks/sample.toml tells every key.")?;
    if !options.is_empty() {
        comment(out, &format!("It holds with the same options: {options}"))?;
    }
    writeln!(out, "\n[check]\nname = {}", quoted(&report.site))?;
    comment(out, "No other finding than those below may be worse than this.")?;
    writeln!(out, "no_findings_above = \"info\"\n")?;
    match report.coverage_by_role.as_slice() {
        [] => write_rows(report, &report.coverage, None, out)?,
        roles => roles.iter().try_for_each(|(role, rows)| write_rows(report, rows, Some(&report.signatures.role(*role).id), out))?,
    }
    for finding in report.findings.iter().filter(|finding| finding.severity > Severity::Info) {
        comment(out, &finding.says)?;
        writeln!(out, "[[findings]]\nrule = {}", quoted(&finding.rule))?;
        let service = finding.service.map_or("none", |id| &report.signatures.service(id).id);
        writeln!(out, "service = {}\nseverity = {}", quoted(service), quoted(&word(&finding.severity)))?;
        if let Some(host) = finding.hosts[0].first().filter(|_| finding.hosts[0].len() == 1) {
            writeln!(out, "client = [{}]", quoted(&host.to_string()))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What was seen of rows; those that nobody tried are comments.
fn write_rows(report: &Report<'_>, rows: &[(ServiceId, Coverage)], role: Option<&str>, out: &mut String) -> std::fmt::Result {
    let of = |wanted: Coverage| rows.iter().filter(move |(_, is)| *is == wanted).map(|(id, _)| report.signatures.service(*id).id.as_str());
    let named = |id: &ServiceId| report.signatures.service(*id).name.as_str();
    for (id, is) in rows.iter().filter(|(_, is)| matches!(is, Coverage::Seen | Coverage::Blocked | Coverage::Attempted)) {
        comment(out, named(id))?;
        writeln!(out, "[[services]]\nservice = {}\nis = {}", quoted(&report.signatures.service(*id).id), quoted(&word(is)))?;
        if let Some(role) = role {
            writeln!(out, "hosts = [{}]", quoted(role))?;
        }
        writeln!(out)?;
    }
    let never: Vec<&str> = of(Coverage::NeverAttempted).collect();
    if let Some(role) = role.filter(|_| !never.is_empty()) {
        comment(out, &format!("Never attempted by hosts of {role}: {}.", never.join(", ")))?;
        writeln!(out)?;
    }
    Ok(())
}

/// A comment, wrapped. What comes from the wire cannot end it.
fn comment(out: &mut String, text: &str) -> std::fmt::Result {
    let mut line = String::new();
    for word in shown(text).split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > COMMENT_WIDTH {
            writeln!(out, "# {line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    writeln!(out, "# {line}")
}

/// Columns of a comment's text.
const COMMENT_WIDTH: usize = 96;
