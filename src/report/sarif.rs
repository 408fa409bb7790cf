//! `sarif`: results as the Static Analysis Results Interchange Format 2.1.0 (OASIS) has them, for code scanning and its viewers.
//!
//! A rule is what is wrong with which documented row, with the document's words as its help; a result is a finding. An artifact is a capture, and a line of it is
//! a frame, numbered as Wireshark numbers it: viewers know lines and no frames.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::capture::{CaptureFile, FrameId};
use crate::judge::{Finding, Judged, Severity};
use crate::report::frames::file_name;
use crate::report::kind::Kind;
use crate::report::record::word;
use crate::report::{Report, Style, Writer};
use crate::signature::{Service, Signatures};

/// A writer that prints once all flows have passed.
pub fn open<'a>(out: &'a mut dyn Write, _: Style, _: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Run { out })
}

struct Run<'a> {
    out: &'a mut dyn Write,
}

impl Writer for Run<'_> {
    fn flow(&mut self, _: &Judged) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        let mut rules: Vec<(String, Value)> = Vec::new();
        let mut results = Vec::new();
        for finding in &report.findings {
            let id = rule_id(finding, report.signatures);
            let place = rules.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
                rules.push((id.clone(), rule(&id, finding, report.signatures)));
                rules.len() - 1
            });
            results.push(result(finding, (&id, place), report));
        }
        let rules: Vec<Value> = rules.into_iter().map(|(_, rule)| rule).collect();
        let version = env!("CARGO_PKG_VERSION");
        let document = json!({
            "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": "portbook", "version": version, "semanticVersion": version, "rules": rules } },
                "invocations": [{
                    "executionSuccessful": report.files.iter().all(|file| file.error.is_none()) && !report.interrupted,
                    "toolExecutionNotifications": report.files.iter().enumerate().filter_map(notification).collect::<Vec<_>>(),
                }],
                "artifacts": report.files.iter().map(artifact).collect::<Vec<_>>(),
                "results": results,
            }],
        });
        serde_json::to_writer_pretty(&mut *self.out, &document)?;
        self.out.write_all(b"\n")
    }
}

/// `silent_drop/spinetix-out-mqtt`; the finding's rule alone where it is about no row, or is a rule of the document itself.
fn rule_id(finding: &Finding, signatures: &Signatures) -> String {
    match finding.service {
        Some(service) if Kind::of(finding) != Kind::Tied => format!("{}/{}", finding.rule, signatures.service(service).id),
        _ => finding.rule.clone(),
    }
}

/// What is the same of all results of a rule: nothing of the hosts at hand.
fn rule(id: &str, finding: &Finding, signatures: &Signatures) -> Value {
    let service = finding.service.map(|id| signatures.service(id));
    let words = finding.rule.replace('_', " ");
    let short = service.map_or_else(|| words.clone(), |service| format!("{}: {words}", service.name));
    let mut rule = json!({
        "id": id,
        "name": name(&finding.rule),
        "shortDescription": { "text": short },
        "fullDescription": { "text": format!("{}. {short}.", Kind::of(finding).about()) },
        "defaultConfiguration": { "level": level(finding.severity) },
    });
    let (text, markdown) = help(&short, service, finding);
    rule["help"] = json!({ "text": text, "markdown": markdown });
    if let Some(url) = finding.citation.as_ref().and_then(|cited| cited.url.as_deref()).filter(|url| url.starts_with("http") && is_uri(url)) {
        rule["helpUri"] = url.into();
    }
    let vendor = service.map(|service| signatures.document(service.document).vendor.as_str());
    let tags: Vec<&str> = ["network"].into_iter().chain(vendor).collect();
    rule["properties"] = json!({ "tags": tags, "problem.severity": problem_severity(finding.severity) });
    rule
}

/// What the document says, as text and as Markdown.
fn help(short: &str, service: Option<&Service>, finding: &Finding) -> (String, String) {
    let mut parts: Vec<(&str, String)> = Vec::new();
    if let Some(service) = service {
        parts.extend(service.consequence.as_ref().map(|consequence| ("What breaks", consequence.says.clone())));
        parts.extend(service.remedy.clone().map(|remedy| ("What to do", remedy)));
    }
    if let Some(cited) = &finding.citation {
        let section = if cited.section.is_empty() { String::new() } else { format!(", {}", cited.section) };
        let words = if cited.verbatim { format!("\"{}\"", cited.quote) } else { cited.quote.clone() };
        parts.push(("What is written", format!("{}{section}: {words}", cited.document)));
    }
    let text = parts.iter().fold(format!("{short}."), |text, (label, part)| format!("{text}\n{label}: {part}"));
    let markdown = parts.iter().fold(format!("{}.", plain(short)), |text, (label, part)| format!("{text}\n\n**{label}**: {}", plain(part)));
    (text, markdown)
}

fn result(finding: &Finding, (rule, place): (&str, usize), report: &Report<'_>) -> Value {
    let mut locations = finding.frames.iter().map(|frame| location(*frame, report));
    let remedy = finding.remedy.as_deref().map_or_else(String::new, |remedy| format!("\n{remedy}"));
    let mut result = json!({
        "ruleId": rule,
        "ruleIndex": place,
        "kind": "fail",
        "level": level(finding.severity),
        "message": { "text": format!("{}.{remedy}", finding.says.trim_end_matches('.')) },
        "locations": locations.next().into_iter().collect::<Vec<_>>(),
        "partialFingerprints": { "portbookFinding/v1": finding.id },
        "occurrenceCount": finding.flows.max(1),
        "properties": {
            "severity": word(&finding.severity),
            "confidence": word(&finding.confidence),
            "client": finding.client,
            "server": finding.server,
            "attempts": finding.attempts,
            "first": finding.first.to_string(),
            "last": finding.last.to_string(),
            "alternatives": finding.alternatives,
            "displayFilter": finding.display_filter,
            "flowIds": finding.flow_ids,
        },
    });
    let related: Vec<Value> = locations.collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    result
}

/// A frame of a capture.
fn location(frame: FrameId, report: &Report<'_>) -> Value {
    let uri = uri(file_name(&report.files, frame));
    json!({
        "physicalLocation": { "artifactLocation": { "uri": uri, "index": frame.file() }, "region": { "startLine": frame.number().max(1) } },
        "message": { "text": format!("frame {}", frame.number()) },
    })
}

fn artifact(file: &CaptureFile) -> Value {
    json!({
        "location": { "uri": uri(&file.path) },
        "roles": ["analysisTarget"],
        "mimeType": "application/vnd.tcpdump.pcap",
        "description": { "text": format!("{} frames; a line of this artifact is a frame, numbered as Wireshark numbers it", file.frames) },
    })
}

/// A capture that was not read to its end.
fn notification((place, file): (usize, &CaptureFile)) -> Option<Value> {
    let error = file.error.as_ref()?;
    let at = json!({ "physicalLocation": { "artifactLocation": { "uri": uri(&file.path), "index": place } } });
    Some(json!({ "level": "error", "message": { "text": error.to_string() }, "locations": [at] }))
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The word by which GitHub's code scanning sorts what is no matter of security.
const fn problem_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "recommendation",
    }
}

/// `SilentDrop` of `silent_drop`: names of rules are Pascal case (SARIF section 3.49.7).
fn name(rule: &str) -> String {
    let capitalized = |word: &str| word.chars().take(1).map(|first| first.to_ascii_uppercase()).chain(word.chars().skip(1)).collect::<String>();
    rule.split(['_', '-']).map(capitalized).collect()
}

/// A path as a URI reference (RFC 3986): relative stays relative, so that results of two checkouts are the same.
fn uri(path: &str) -> String {
    let encoded = path.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    });
    if encoded.starts_with('/') { format!("file://{encoded}") } else { encoded }
}

/// Whether an address holds only what a URI may hold.
fn is_uri(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

/// Text that Markdown shows as it is.
fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, letter| {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!') {
            out.push('\\');
        }
        out.push(letter);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris_and_relative_ones_stay_so() {
        let cases = [("captures/a b.pcap", "captures/a%20b.pcap"), ("/srv/x.pcap", "file:///srv/x.pcap"), ("ü#?.pcap", "%C3%BC%23%3F.pcap")];
        for (path, written) in cases {
            assert_eq!(uri(path), written);
        }
    }

    #[test]
    fn names_of_rules_are_pascal_case_and_markdown_holds_no_markup() {
        assert_eq!(["silent_drop", "spinetix-ties-mqtt", "intermittent"].map(name), ["SilentDrop", "SpinetixTiesMqtt", "Intermittent"]);
        assert_eq!(plain("<b> *x* [y](z)"), "\\<b\\> \\*x\\* \\[y\\](z)");
    }
}
