//! `junit`: test results as CI systems read them: a suite for the documented rows of the site or capture (or of each role that the site gives), a case a row; one
//! for findings that are about no such row; one for the captures themselves.
//!
//! There is no standard; `schemas/junit.xsd` is what is written, the part that Jenkins, GitLab, GitHub's and Azure's readers have in common.

use std::io::{self, Write};

use crate::judge::{Coverage, Finding, Judged, Severity};
use crate::report::frames::numbers;
use crate::report::paragraph::shown;
use crate::report::record::word;
use crate::report::{Report, Style, Writer};
use crate::signature::{ServiceId, Signatures};
use crate::time::Timestamp;

/// A writer that prints once all flows have passed.
pub fn open<'a>(out: &'a mut dyn Write, style: Style, _: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Suites { out, least: style.fail_on.unwrap_or(Severity::Medium) })
}

struct Suites<'a> {
    out: &'a mut dyn Write,
    /// Findings of this severity or worse are failures.
    least: Severity,
}

impl Writer for Suites<'_> {
    fn flow(&mut self, _: &Judged) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        let suites = suites(report, self.least);
        let count = |of: fn(&End) -> bool| suites.iter().map(|suite| suite.count(of)).sum();
        writeln!(self.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(self.out, "<testsuites name=\"portbook\" {}>", counts(suites.iter().map(|suite| suite.cases.len()).sum(), count))?;
        for suite in &suites {
            write_suite(suite, report.span, self.out)?;
        }
        writeln!(self.out, "</testsuites>")
    }
}

/// Cases that belong together.
struct Suite {
    name: String,
    cases: Vec<Case>,
}

impl Suite {
    fn count(&self, of: fn(&End) -> bool) -> usize {
        self.cases.iter().filter(|case| of(&case.end)).count()
    }
}

/// One expectation.
struct Case {
    class: String,
    name: String,
    end: End,
    /// Findings that do not fail it.
    notes: String,
}

/// What became of it.
enum End {
    Passed,
    Skipped(&'static str),
    /// Kind, sentence, all that there is to say.
    Failed(String, String, String),
    /// Kind, sentence.
    Broken(&'static str, String),
}

fn suites(report: &Report<'_>, least: Severity) -> Vec<Suite> {
    let captures: Vec<&str> = report.files.iter().map(|file| file.path.as_str()).collect();
    let place = match captures.as_slice() {
        _ if !report.site.is_empty() => report.site.clone(),
        [one] => (*one).to_owned(),
        many => format!("{} captures", many.len()),
    };
    let rows = |rows: &[(ServiceId, Coverage)]| rows.iter().map(|row| row_case(*row, report, least)).collect::<Vec<_>>();
    let mut suites: Vec<Suite> = match report.coverage_by_role.as_slice() {
        [] => vec![Suite { name: place.clone(), cases: rows(&report.coverage) }],
        roles => {
            let name = |role| format!("{place}: {}", report.signatures.role(role).id);
            roles.iter().map(|(role, of_role)| Suite { name: name(*role), cases: rows(of_role) }).collect()
        }
    };
    let told = |finding: &Finding| listed(report).any(|row| is_about(finding, row));
    let others = report.findings.iter().filter(|finding| !told(finding)).map(|finding| finding_case(finding, report, least)).collect();
    suites.push(Suite { name: format!("{place}: findings about no row of these"), cases: others });
    suites.push(Suite { name: "captures".to_owned(), cases: report.files.iter().map(capture_case).collect() });
    suites.retain(|suite| !suite.cases.is_empty());
    suites
}

/// The rows that have a case of their own, with what was seen of each.
fn listed<'r>(report: &'r Report<'_>) -> impl Iterator<Item = (ServiceId, Coverage)> + 'r {
    let whole = report.coverage.iter().filter(|_| report.coverage_by_role.is_empty());
    whole.chain(report.coverage_by_role.iter().flat_map(|(_, rows)| rows)).copied()
}

/// Whether a finding tells what became of a row: it names it, or the row is blocked, and the finding is of its traffic though it names another row of the port, or none.
fn is_about(finding: &Finding, (id, coverage): (ServiceId, Coverage)) -> bool {
    finding.service == Some(id) || coverage == Coverage::Blocked && finding.rows.contains(&id)
}

/// A documented row: failed by the worst finding about it, passed where it was seen to work.
fn row_case((id, coverage): (ServiceId, Coverage), report: &Report<'_>, least: Severity) -> Case {
    let service = report.signatures.service(id);
    let vendor = &report.signatures.document(service.document).vendor;
    let about: Vec<&Finding> = report.findings.iter().filter(|finding| is_about(finding, (id, coverage))).collect();
    let (failing, minor): (Vec<&Finding>, Vec<&Finding>) = about.into_iter().partition(|finding| finding.severity >= least);
    let end = match (failing.as_slice(), coverage) {
        ([worst, ..], _) => failure(worst, &failing, report),
        ([], Coverage::Seen) => End::Passed,
        ([], Coverage::Blocked) => End::Skipped("blocked; no finding about it is severe enough to fail"),
        ([], Coverage::Attempted) => End::Skipped("attempted; neither worked nor shown to be blocked"),
        ([], Coverage::NeverAttempted) => End::Skipped("never attempted in these captures"),
        ([], Coverage::NotVisibleHere) => End::Skipped("cannot be seen from this capture point"),
    };
    let notes = minor.iter().map(|finding| account(finding, report)).collect::<Vec<_>>().join("\n");
    Case { class: vendor.clone(), name: format!("{}: {}", service.id, service.name), end, notes }
}

fn finding_case(finding: &Finding, report: &Report<'_>, least: Severity) -> Case {
    let (end, notes) = if finding.severity >= least { (failure(finding, &[finding], report), String::new()) } else { (End::Passed, account(finding, report)) };
    Case { class: finding.rule.clone(), name: finding.id.clone(), end, notes }
}

fn capture_case(file: &crate::capture::CaptureFile) -> Case {
    let end = file.error.as_ref().map_or(End::Passed, |error| End::Broken("not read to its end", error.to_string()));
    Case { class: "capture".to_owned(), name: file.path.clone(), end, notes: String::new() }
}

fn failure(worst: &Finding, all: &[&Finding], report: &Report<'_>) -> End {
    let accounts: Vec<String> = all.iter().map(|finding| account(finding, report)).collect();
    End::Failed(worst.rule.clone(), worst.says.clone(), accounts.join("\n"))
}

/// What a person needs to act on it, a line each.
fn account(finding: &Finding, report: &Report<'_>) -> String {
    let cited = finding.citation.as_ref().map(|cited| format!("{}, {}: {}", cited.document, cited.section, cited.quote));
    let lines = [
        (word(&finding.severity).as_str(), Some(finding.says.as_str())),
        ("breaks", finding.consequence.as_deref()),
        ("written", cited.as_deref()),
        ("do", finding.remedy.as_deref()),
        ("or else", Some(finding.alternatives.join("; ").as_str())),
        ("frames", Some(numbers(&report.files, &finding.frames).as_str())),
        ("filter", Some(finding.display_filter.as_str())),
    ]
    .map(|(label, text)| text.filter(|text| !text.is_empty()).map(|text| format!("{label}: {text}\n")));
    lines.into_iter().flatten().collect()
}

fn write_suite(suite: &Suite, span: Option<(Timestamp, Timestamp)>, out: &mut dyn Write) -> io::Result<()> {
    let (first, last) = span.unwrap_or_default();
    let time = last.since(first).as_secs_f64();
    let timestamp = first.to_string();
    let timestamp = timestamp.get(..19).unwrap_or_default();
    let counts = counts(suite.cases.len(), |of| suite.count(of));
    writeln!(out, "  <testsuite name=\"{}\" {counts} time=\"{time:.3}\" timestamp=\"{timestamp}\">", escaped(&suite.name))?;
    for case in &suite.cases {
        write_case(case, out)?;
    }
    writeln!(out, "  </testsuite>")
}

/// The four counts that suites and the whole have.
fn counts(tests: usize, count: impl Fn(fn(&End) -> bool) -> usize) -> String {
    let failures = count(|end| matches!(end, End::Failed(..)));
    let errors = count(|end| matches!(end, End::Broken(..)));
    let skipped = count(|end| matches!(end, End::Skipped(_)));
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn write_case(case: &Case, out: &mut dyn Write) -> io::Result<()> {
    let head = format!("    <testcase classname=\"{}\" name=\"{}\" time=\"0.000\"", escaped(&case.class), escaped(&case.name));
    if matches!(case.end, End::Passed) && case.notes.is_empty() {
        return writeln!(out, "{head}/>");
    }
    writeln!(out, "{head}>")?;
    match &case.end {
        End::Passed => {}
        End::Skipped(why) => writeln!(out, "      <skipped message=\"{}\"/>", escaped(why))?,
        End::Failed(kind, says, account) => {
            writeln!(out, "      <failure type=\"{}\" message=\"{}\">{}</failure>", escaped(kind), escaped(says), escaped(account))?;
        }
        End::Broken(kind, says) => writeln!(out, "      <error type=\"{}\" message=\"{}\"/>", escaped(kind), escaped(says))?,
    }
    if !case.notes.is_empty() {
        writeln!(out, "      <system-out>{}</system-out>", escaped(&case.notes))?;
    }
    writeln!(out, "    </testcase>")
}

/// Text and attribute values (XML 1.0, sections 2.2 and 2.4). What would command a terminal, which is most of what XML cannot hold, is written as its code.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in shown(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_what_xml_cannot_hold_is_written_otherwise() {
        assert_eq!(escaped("<a href=\"x\">&</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
        let written = escaped("\u{0}\u{8}\u{b}\u{c}\u{1f}\u{7f}\u{85}\u{fffe}\u{ffff}]]>");
        assert!(written.chars().all(|letter| matches!(letter, ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')), "{written}");
        assert!(written.ends_with("]]&gt;"));
    }
}
