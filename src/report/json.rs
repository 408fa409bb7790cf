//! `json`: one document; `ndjson`: one record a line. The records are those of the contract.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::record::{FindingRecord, FlowRecord, SummaryRecord};
use crate::report::{Report, Style};

/// One document with everything, flows one a line so that two documents compare well.
pub fn write_document(report: &Report<'_>, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"findings\":[")?;
    write_list(out, report.findings.iter().map(|finding| FindingRecord::new(finding, report)))?;
    out.write_all(b"],\"flows\":[")?;
    write_list(out, report.flows.iter().map(|judged| FlowRecord::new(judged, report.signatures)))?;
    out.write_all(b"],\"summary\":")?;
    write_record(out, &SummaryRecord::new(report))?;
    out.write_all(b"}\n")
}

/// Flows, then findings, then the summary.
pub fn write_lines(report: &Report<'_>, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    for judged in &report.flows {
        write_line(out, &FlowRecord::new(judged, report.signatures))?;
    }
    for finding in &report.findings {
        write_line(out, &FindingRecord::new(finding, report))?;
    }
    write_line(out, &SummaryRecord::new(report))
}

fn write_list<T: Serialize>(out: &mut dyn Write, records: impl Iterator<Item = T>) -> io::Result<()> {
    for (place, record) in records.enumerate() {
        out.write_all(if place == 0 { b"\n" } else { b",\n" })?;
        write_record(out, &record)?;
    }
    out.write_all(b"\n")
}

fn write_line(out: &mut dyn Write, record: &impl Serialize) -> io::Result<()> {
    write_record(out, record)?;
    out.write_all(b"\n")
}

fn write_record(out: &mut dyn Write, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(out, record).map_err(io::Error::from)
}
