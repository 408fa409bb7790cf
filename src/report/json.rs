//! `json`: one document; `ndjson`: one record a line. The records are those of the contract.

use std::io::{self, Write};

use serde::Serialize;

use crate::judge::Judged;
use crate::report::compact::Line;
use crate::report::record::{FindingRecord, FlowRecord, SummaryRecord};
use crate::report::{Report, Style, Writer};
use crate::signature::Signatures;

/// `{"flows":[...],"findings":[...],"summary":{...}}`, a record a line so that two documents compare well.
pub fn open_document<'a>(out: &'a mut dyn Write, _: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Document { out, signatures, begun: false, line: Line::default() })
}

/// Flows, then findings, then the summary, each on a line of its own.
pub fn open_lines<'a>(out: &'a mut dyn Write, _: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Lines { out, signatures, line: Line::default() })
}

/// The document that [`open_document`] prints, for its schema.
#[cfg(feature = "schema")]
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(title = "ReportDocument")]
pub struct ReportDocument<'a> {
    flows: Vec<FlowRecord<'a>>,
    findings: Vec<FindingRecord<'a>>,
    summary: SummaryRecord<'a>,
}

struct Document<'a> {
    out: &'a mut dyn Write,
    signatures: &'a Signatures,
    begun: bool,
    line: Line,
}

impl Writer for Document<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        self.out.write_all(if self.begun { b",\n" } else { b"{\"flows\":[\n" })?;
        self.begun = true;
        self.line.write(self.out, &FlowRecord::new(judged, self.signatures), b"")
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        self.out.write_all(if self.begun { b"\n],\"findings\":[" } else { b"{\"flows\":[\n],\"findings\":[" })?;
        for (place, finding) in report.findings.iter().enumerate() {
            self.out.write_all(if place == 0 { b"\n" } else { b",\n" })?;
            self.line.write(self.out, &FindingRecord::new(finding, report), b"")?;
        }
        self.out.write_all(b"\n],\"summary\":")?;
        self.line.write(self.out, &SummaryRecord::new(report), b"}\n")
    }
}

struct Lines<'a> {
    out: &'a mut dyn Write,
    signatures: &'a Signatures,
    line: Line,
}

impl Writer for Lines<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        self.line.write(self.out, &FlowRecord::new(judged, self.signatures), b"\n")
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        for finding in &report.findings {
            self.line.write(self.out, &FindingRecord::new(finding, report), b"\n")?;
        }
        self.line.write(self.out, &SummaryRecord::new(report), b"\n")
    }
}

/// A single record on a line.
pub(super) fn write_line(out: &mut dyn Write, record: &impl Serialize) -> io::Result<()> {
    Line::default().write(out, record, b"\n")
}
