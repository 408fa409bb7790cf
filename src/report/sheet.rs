//! The tables of a report, cell by cell: what `csv` and `parquet` have in common. Each writes cells its own way.

use std::io;

use serde::Serialize;

use crate::capture::{CaptureFile, FrameId};
use crate::flow::{self, ConnState, End};
use crate::judge::{Coverage, Finding, Judged};
use crate::net::AddressText;
use crate::report::record::{direction_name, evidence, word};
use crate::report::{Report, Sheet};
use crate::signature::{RoleId, ServiceId, Signatures};
use crate::time::Timestamp;

/// Takes the cells of one row after the other, in the order of [`columns`].
pub(super) trait Cells {
    /// A text that is always there.
    fn text(&mut self, text: &str);

    /// A text that may be missing.
    fn maybe(&mut self, text: Option<&str>);

    /// A word of a closed list, or an address.
    fn word(&mut self, value: &impl Serialize);

    /// Any number of texts; a format without lists parts them by `between`.
    fn list<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>, between: &str);

    /// Any number of numbers.
    fn numbers(&mut self, values: &[u16]);

    /// A number.
    fn number(&mut self, number: u64);

    /// A moment.
    fn time(&mut self, time: Timestamp);

    /// Frames, each with the capture that it is of.
    fn frames(&mut self, captures: &[CaptureFile], frames: &[FrameId]);

    /// The row is whole.
    ///
    /// # Errors
    /// Those of the output.
    fn end(&mut self) -> io::Result<()>;
}

/// Names of a table's columns.
pub(super) const fn columns(sheet: Sheet) -> &'static [&'static str] {
    match sheet {
        Sheet::Flows => FLOW_COLUMNS,
        Sheet::Findings => FINDING_COLUMNS,
        Sheet::Coverage => COVERAGE_COLUMNS,
    }
}

/// A row of the table of flows.
pub(super) fn write_flow(judged: &Judged, signatures: &Signatures, row: &mut impl Cells) -> io::Result<()> {
    let identified = &judged.identified;
    let flow = &identified.flow;
    row.text(&flow::community_id(flow));
    row.time(flow.first);
    row.time(flow.last);
    row.text(&flow.transport.name());
    for (side, end) in [&flow.client, &flow.server].into_iter().enumerate() {
        write_end(end, row);
        row.list(judged.roles[side].iter().map(|role| &signatures.role(*role).id), " ");
        row.list(judged.names[side].iter().map(|named| named.name.as_str()), " ");
    }
    row.numbers(flow.vlan.ids());
    row.list(flow.tunnel.iter().map(|tunnel| tunnel.name()), " ");
    row.text(direction_name(flow.direction));
    row.text(flow.history.as_str());
    row.maybe(flow.state.map(ConnState::name));
    row.list(identified.protocol.iter().copied(), "/");
    row.text(evidence(judged).name());
    let service = judged.service.map(|id| signatures.service(id));
    row.maybe(service.map(|service| service.id.as_str()));
    row.maybe(service.map(|service| service.name.as_str()));
    row.maybe(service.map(|service| service.basis.name()));
    row.word(&judged.verdict);
    row.list(judged.reasons.iter().map(word), " ");
    row.word(&judged.outcome);
    row.word(&judged.confidence);
    row.maybe(judged.cause.as_ref().map(|cause| cause.rule));
    row.maybe(judged.cause.as_ref().map(|cause| cause.says.as_str()));
    for number in [u64::from(flow.first_frame.file()), flow.first_frame.number(), flow.last_frame.number()] {
        row.number(number);
    }
    row.end()
}

fn write_end(end: &End, row: &mut impl Cells) {
    row.word(&AddressText::new(end.endpoint.ip));
    for number in [u64::from(end.endpoint.port), end.packets, end.bytes, end.payload_bytes] {
        row.number(number);
    }
}

/// All rows of a table that is known at the end; flows pass one by one.
pub(super) fn write_rest(sheet: Sheet, report: &Report<'_>, row: &mut impl Cells) -> io::Result<()> {
    match sheet {
        Sheet::Flows => Ok(()),
        Sheet::Findings => report.findings.iter().try_for_each(|finding| write_finding(finding, report, row)),
        Sheet::Coverage => write_coverage(report, row),
    }
}

fn write_finding(finding: &Finding, report: &Report<'_>, row: &mut impl Cells) -> io::Result<()> {
    row.text(&finding.id);
    row.text(&finding.rule);
    row.word(&finding.severity);
    row.word(&finding.confidence);
    row.maybe(finding.service.map(|id| report.signatures.service(id).id.as_str()));
    row.text(&finding.about);
    row.text(&finding.client);
    row.text(&finding.server);
    row.number(finding.flows);
    row.number(finding.attempts);
    row.time(finding.first);
    row.time(finding.last);
    row.text(&finding.says);
    row.maybe(finding.consequence.as_deref());
    row.list(&finding.alternatives, "; ");
    row.maybe(finding.remedy.as_deref());
    let cited = finding.citation.as_ref();
    row.maybe(cited.map(|cited| cited.document.as_str()));
    row.maybe(cited.map(|cited| cited.section.as_str()));
    row.maybe(cited.map(|cited| cited.quote.as_str()));
    row.maybe(cited.and_then(|cited| cited.url.as_deref()));
    row.maybe(cited.map(|cited| cited.basis.name()));
    row.frames(&report.files, &finding.frames);
    row.text(&finding.display_filter);
    row.list(finding.flow_ids.iter().map(|id| &**id), " ");
    row.end()
}

/// Rows of the whole capture, then those of each role that the site gives.
fn write_coverage(report: &Report<'_>, row: &mut impl Cells) -> io::Result<()> {
    let of_all = report.coverage.iter().map(|one| (None, one));
    let of_roles = report.coverage_by_role.iter().flat_map(|(role, rows)| rows.iter().map(move |one| (Some(*role), one)));
    of_all.chain(of_roles).try_for_each(|(role, (id, coverage))| write_covered(role, *id, *coverage, report.signatures, row))
}

fn write_covered(role: Option<RoleId>, id: ServiceId, coverage: Coverage, signatures: &Signatures, row: &mut impl Cells) -> io::Result<()> {
    let service = signatures.service(id);
    row.maybe(role.map(|role| signatures.role(role).id.as_str()));
    row.text(&service.id);
    row.text(&service.name);
    row.text(&signatures.document(service.document).vendor);
    row.text(service.basis.name());
    row.list(service.transports.iter().map(ToString::to_string), " ");
    row.list(service.ports.iter().map(ToString::to_string), " ");
    row.word(&coverage);
    row.end()
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
