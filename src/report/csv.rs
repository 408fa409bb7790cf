//! `csv`: one table, as RFC 4180 writes it. What comes from the wire cannot become a formula where a spreadsheet opens it.

use std::io::{self, Write};

use serde::Serialize;

use crate::flow::{self, ConnState, End};
use crate::judge::{Finding, Judged};
use crate::report::frames::numbers;
use crate::report::paragraph::shown;
use crate::report::record::{direction_name, evidence, role_name, service_name, word};
use crate::report::{Report, Sheet, Style, Writer};
use crate::signature::{RoleId, ServiceId, Signatures};

/// Writes the table that was asked for: flows as they pass, the others at the end.
pub fn open<'a>(out: &'a mut dyn Write, style: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Csv { sheet: style.sheet, signatures, begun: false, row: Row::new(out) })
}

struct Csv<'a> {
    sheet: Sheet,
    signatures: &'a Signatures,
    begun: bool,
    row: Row<'a>,
}

impl Writer for Csv<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        if self.sheet != Sheet::Flows {
            return Ok(());
        }
        self.begin()?;
        write_flow(judged, self.signatures, &mut self.row)
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        self.begin()?;
        match self.sheet {
            Sheet::Flows => Ok(()),
            Sheet::Findings => report.findings.iter().try_for_each(|finding| write_finding(finding, report, &mut self.row)),
            Sheet::Coverage => write_coverage(report, &mut self.row),
        }
    }
}

impl Csv<'_> {
    /// The header line, also over an empty table.
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let columns = match self.sheet {
            Sheet::Flows => FLOW_COLUMNS,
            Sheet::Findings => FINDING_COLUMNS,
            Sheet::Coverage => COVERAGE_COLUMNS,
        };
        columns.iter().for_each(|column| self.row.text(column));
        self.row.end()
    }
}

fn write_flow(judged: &Judged, signatures: &Signatures, row: &mut Row<'_>) -> io::Result<()> {
    let identified = &judged.identified;
    let flow = &identified.flow;
    row.text(&flow::community_id(flow));
    row.text(&flow.first.to_string());
    row.text(&flow.last.to_string());
    row.text(&flow.transport.to_string());
    for (side, end) in [&flow.client, &flow.server].into_iter().enumerate() {
        write_end(end, row);
        row.list(judged.roles[side].iter().filter_map(|role| role_name(signatures, *role)), " ");
        row.list(judged.names[side].iter().map(|named| named.name.as_str()), " ");
    }
    row.list(flow.vlan.ids().iter().map(ToString::to_string), " ");
    row.list(flow.tunnel.iter().map(|tunnel| tunnel.name()), " ");
    row.text(direction_name(flow.direction));
    row.text(flow.history.as_str());
    row.text(flow.state.map_or("", ConnState::name));
    row.list(identified.protocol.iter().copied(), "/");
    row.text(evidence(judged).name());
    let service = judged.service.and_then(|id| signatures.services.get(id.0 as usize));
    row.text(service.map_or("", |service| &service.id));
    row.text(service.map_or("", |service| &service.name));
    row.text(service.map_or("", |service| service.basis.name()));
    row.word(&judged.verdict);
    row.list(judged.reasons.iter().map(word), " ");
    row.word(&judged.outcome);
    row.word(&judged.confidence);
    row.text(judged.cause.as_ref().map_or("", |cause| cause.rule));
    row.text(judged.cause.as_ref().map_or("", |cause| &cause.says));
    for number in [u64::from(flow.first_frame.file), flow.first_frame.number, flow.last_frame.number] {
        row.text(&number.to_string());
    }
    row.end()
}

fn write_end(end: &End, row: &mut Row<'_>) {
    row.text(&end.endpoint.ip.to_string());
    for number in [u64::from(end.endpoint.port), end.packets, end.bytes, end.payload_bytes] {
        row.text(&number.to_string());
    }
}

fn write_finding(finding: &Finding, report: &Report<'_>, row: &mut Row<'_>) -> io::Result<()> {
    row.text(&finding.id);
    row.text(&finding.rule);
    row.word(&finding.severity);
    row.word(&finding.confidence);
    row.text(finding.service.map_or("", |id| service_name(report.signatures, id)));
    row.text(&finding.about);
    row.text(&finding.client);
    row.text(&finding.server);
    row.text(&finding.flows.to_string());
    row.text(&finding.attempts.to_string());
    row.text(&finding.first.to_string());
    row.text(&finding.last.to_string());
    row.text(&finding.says);
    row.text(finding.consequence.as_deref().unwrap_or_default());
    row.list(&finding.alternatives, "; ");
    row.text(finding.remedy.as_deref().unwrap_or_default());
    let cited = finding.citation.as_ref();
    row.text(cited.map_or("", |cited| &cited.document));
    row.text(cited.map_or("", |cited| &cited.section));
    row.text(cited.map_or("", |cited| &cited.quote));
    row.text(cited.and_then(|cited| cited.url.as_deref()).unwrap_or_default());
    row.text(cited.map_or("", |cited| cited.basis.name()));
    row.text(&numbers(&report.files, &finding.frames));
    row.text(&finding.display_filter);
    row.list(&finding.flow_ids, " ");
    row.end()
}

fn write_coverage(report: &Report<'_>, row: &mut Row<'_>) -> io::Result<()> {
    let role = |role: &RoleId| role_name(report.signatures, *role).unwrap_or_default();
    let of_roles = report.coverage_by_role.iter().flat_map(|(id, rows)| rows.iter().map(move |one| (role(id), one)));
    for (role, (id, coverage)) in report.coverage.iter().map(|one| ("", one)).chain(of_roles) {
        row.text(role);
        write_service(*id, report.signatures, row);
        row.word(coverage);
        row.end()?;
    }
    Ok(())
}

fn write_service(id: ServiceId, signatures: &Signatures, row: &mut Row<'_>) {
    let Some(service) = signatures.services.get(id.0 as usize) else { return };
    let document = signatures.documents.get(usize::from(service.document));
    row.text(&service.id);
    row.text(&service.name);
    row.text(document.map_or("", |document| &document.vendor));
    row.text(service.basis.name());
    row.list(service.transports.iter().map(ToString::to_string), " ");
    row.list(service.ports.iter().map(ToString::to_string), " ");
}

/// A line of a table in the making.
pub(in crate::report) struct Row<'a> {
    line: String,
    cells: usize,
    out: &'a mut dyn Write,
}

impl<'a> Row<'a> {
    pub(in crate::report) fn new(out: &'a mut dyn Write) -> Self {
        Self { line: String::new(), cells: 0, out }
    }

    /// Adds a cell.
    pub(in crate::report) fn text(&mut self, text: &str) {
        if self.cells > 0 {
            self.line.push(',');
        }
        self.cells += 1;
        let text = shown(text);
        let guard = if is_formula(&text) { "'" } else { "" };
        if text.contains([',', '"', '\r', '\n']) {
            self.line.extend(["\"", guard, &text.replace('"', "\"\""), "\""]);
        } else {
            self.line.extend([guard, &text]);
        }
    }

    /// Adds a cell that holds several values.
    fn list<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>, between: &str) {
        let values: Vec<T> = values.into_iter().collect();
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        self.text(&values.join(between));
    }

    /// Adds a word of a closed list.
    fn word(&mut self, value: &impl Serialize) {
        self.text(&word(value));
    }

    /// Writes the line.
    pub(in crate::report) fn end(&mut self) -> io::Result<()> {
        self.line.push_str("\r\n");
        let answer = self.out.write_all(self.line.as_bytes());
        self.line.clear();
        self.cells = 0;
        answer
    }
}

/// Whether a spreadsheet would take the cell for a formula: it begins with a sign that starts one, in either width. (OWASP, "CSV Injection".)
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

const FLOW_COLUMNS: &[&str] = &[
    "id",
    "first",
    "last",
    "transport",
    "client_ip",
    "client_port",
    "client_packets",
    "client_bytes",
    "client_payload_bytes",
    "client_roles",
    "client_names",
    "server_ip",
    "server_port",
    "server_packets",
    "server_bytes",
    "server_payload_bytes",
    "server_roles",
    "server_names",
    "vlan",
    "tunnel",
    "direction",
    "history",
    "state",
    "protocol",
    "evidence",
    "service",
    "service_name",
    "basis",
    "verdict",
    "reasons",
    "outcome",
    "confidence",
    "cause_rule",
    "cause",
    "file",
    "first_frame",
    "last_frame",
];

const FINDING_COLUMNS: &[&str] = &[
    "id",
    "rule",
    "severity",
    "confidence",
    "service",
    "about",
    "client",
    "server",
    "flows",
    "attempts",
    "first",
    "last",
    "says",
    "consequence",
    "alternatives",
    "remedy",
    "document",
    "section",
    "quote",
    "url",
    "basis",
    "frames",
    "display_filter",
    "flow_ids",
];

const COVERAGE_COLUMNS: &[&str] = &["role", "service", "service_name", "vendor", "basis", "transports", "ports", "coverage"];

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[&str]) -> String {
        let mut out = Vec::new();
        let mut row = Row::new(&mut out);
        cells.iter().for_each(|cell| row.text(cell));
        row.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_asks_and_lines_end_with_crlf() {
        assert_eq!(line(&["a", "b,c", "say \"hi\"", "two\nlines", "d"]), "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",d\r\n");
        assert_eq!(line(&["", "x", ""]), ",x,\r\n", "an empty cell keeps its place, at the beginning too");
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        for cell in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\u{ff1d}1"] {
            let line = line(&[cell]);
            assert!(line.trim_start_matches('"').starts_with('\''), "{line}");
        }
        assert_eq!(line(&["a=b", "2001:db8::1"]), "a=b,2001:db8::1\r\n");
    }

    #[test]
    fn codes_that_a_terminal_would_obey_are_written_out() {
        assert_eq!(line(&["\u{1b}[2Jx"]), "\\u{1b}[2Jx\r\n");
    }
}
