//! What live traffic has to tell as it happens: one record, or one paragraph, at a time.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::count::{counted, grouped};
use crate::judge::{Finding, Judged, Phase, Telling};
use crate::report::json::write_line;
use crate::report::paragraph::shown;
use crate::report::record::{FindingRecord, FlowRecord, SummaryRecord};
use crate::report::text::{write_losses, write_told};
use crate::report::{Format, Report, Style};
use crate::signature::Signatures;

/// What only live capture has to tell. Counts are since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveState {
    /// Packets that the kernel dropped, as its ring was full.
    pub kernel_drops: u64,
    /// Packets that interfaces dropped before the kernel had them.
    pub interface_drops: u64,
    /// Flows that ended and were not judged, as the judge was too busy.
    pub not_judged: u64,
    /// Flows live now.
    pub live_flows: u64,
    /// Of those, beyond the number that is looked at every second; they are judged when they end.
    pub not_looked_at: u64,
    /// How often somebody stepped the clock; times are brought back to it slowly.
    pub clock_steps: u64,
    /// Records that found no room, as the output was too slow.
    pub records_dropped: u64,
}

impl LiveState {
    /// Adds another worker's.
    pub fn merge(&mut self, other: &Self) {
        self.kernel_drops += other.kernel_drops;
        self.interface_drops += other.interface_drops;
        self.not_judged += other.not_judged;
        self.live_flows += other.live_flows;
        self.not_looked_at += other.not_looked_at;
        self.clock_steps = self.clock_steps.max(other.clock_steps);
        self.records_dropped += other.records_dropped;
    }
}

/// How live traffic is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// For a terminal: findings as they come, a line now and then, the report at the end.
    Text(Style),
    /// One JSON object a line: flows, findings with a `phase`, summaries.
    Ndjson,
}

impl Manner {
    /// Whether flow records are told.
    pub fn tells_flows(self) -> bool {
        self == Self::Ndjson
    }

    /// What it tells of each flow.
    pub fn tells(self) -> Telling {
        if self.tells_flows() { Telling::Everything } else { Telling::Judgement }
    }

    /// A judged flow.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flow(self, judged: &Judged, signatures: &Signatures, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Ndjson => write_line(out, &FlowRecord::new(judged, signatures)),
            Self::Text(_) => Ok(()),
        }
    }

    /// A finding that came, changed, or is over.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finding(self, phase: Phase, finding: &Finding, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Ndjson => write_line(out, &FindingRecord::new(finding, report).told(phase)),
            Self::Text(_) => write_told(report, phase.name(), finding, matches!(phase, Phase::New | Phase::Changed), out),
        }
    }

    /// A finding as it was told before, by an earlier run or under other documents, and what becomes of it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn retold(self, phase: &str, id: &str, record: &Value, out: &mut dyn Write) -> io::Result<()> {
        match (self, record) {
            (Self::Ndjson, Value::Object(fields)) => {
                let mut fields = fields.clone();
                fields.insert("phase".to_owned(), phase.into());
                write_line(out, &fields)
            }
            (Self::Ndjson, _) => Ok(()),
            (Self::Text(_), _) => writeln!(out, "{phase} ({}): {}", shown(id), shown(record["says"].as_str().unwrap_or_default())),
        }
    }

    /// How things stand.
    ///
    /// # Errors
    /// Those of the output.
    pub fn summary(self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Ndjson => write_line(out, &SummaryRecord::new(report)),
            Self::Text(_) => {
                let frames = report.frames();
                let last = report.span.map_or_else(String::new, |(_, last)| last.to_string());
                let live = report.live.unwrap_or_default();
                let (flows, findings) = (report.digest.flows, report.findings.len() as u64);
                writeln!(
                    out,
                    "{last}  {}, {} ended, {} live, {}",
                    counted(frames, "frame"),
                    counted(flows, "flow"),
                    grouped(live.live_flows),
                    counted(findings, "finding")
                )?;
                write_losses(report, out)
            }
        }
    }

    /// All there is to say at the end; its flows were told before.
    ///
    /// # Errors
    /// Those of the output.
    pub fn end(self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Ndjson => {
                report.findings.iter().try_for_each(|finding| self.finding(Phase::Final, finding, report, out))?;
                self.summary(report, out)
            }
            Self::Text(style) => {
                let Some(text) = Format::named("text") else { return Ok(()) };
                text.open(out, style, report.signatures).finish(report)
            }
        }
    }
}
