//! Puts what there is to tell into words and hands it to the output.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::Value;

use super::evidence::Evidence;
use super::journal::Journal;
use super::output::Output;
use crate::judge::{Covered, Finding, Judged, Phase};
use crate::pipeline::watch::Listener;
use crate::report::Report;
use crate::report::live::Manner;
use crate::report::record::FindingRecord;
use crate::signature::Signatures;
use crate::time::Timestamp;

/// The one who tells.
pub struct Teller {
    manner: Manner,
    output: Output,
    /// How the output failed.
    failed: Option<io::Error>,
    evidence: Option<Evidence>,
    journal: Option<Journal>,
    /// Findings that an earlier run told and that were not over.
    before: BTreeSet<String>,
    /// Whether a journal that cannot be written was told of.
    complained: bool,
}

impl Teller {
    /// Tells so, to that output, and shows the packets in that file.
    pub const fn new(manner: Manner, output: Output, evidence: Option<Evidence>) -> Self {
        Self { manner, output, failed: None, evidence, journal: None, before: BTreeSet::new(), complained: false }
    }

    /// Whether the output has failed for good.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some() || self.output.has_ended()
    }

    /// Records that found no room, or no disk.
    pub fn dropped(&self) -> u64 {
        self.output.dropped()
    }

    /// Records that wait for the output.
    pub fn waiting(&self) -> usize {
        self.output.waiting()
    }

    /// Keeps a journal from now on, and tells what it held.
    pub fn keep(&mut self, journal: Journal, held: BTreeMap<String, Value>) {
        for (id, record) in held {
            self.tell(|manner, out| manner.restored(&id, &record, out));
            self.before.insert(id);
        }
        self.journal = Some(journal);
    }

    /// Brings the journal to the disk, where that is due.
    pub fn save(&mut self, covered: &Covered, now: Timestamp) {
        let Some(journal) = &mut self.journal else { return };
        match journal.save(covered, now) {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                anstream::eprintln!("portbook: the journal cannot be written: {error}; trying again");
            }
            Err(_) => {}
        }
    }

    /// Tells how things stand.
    pub fn summary(&mut self, report: Report<'_>) {
        let report = self.with_drops(report);
        self.tell(|manner, out| manner.summary(&report, out));
    }

    /// Tells all there is to say at the end.
    pub fn finish<'r>(&mut self, report: Report<'r>) -> Report<'r> {
        let report = self.with_drops(report);
        let mut last = Vec::new();
        if self.failed.is_none()
            && let Err(error) = self.manner.end(&report, &mut last).and_then(|()| self.output.send_surely(last))
        {
            self.failed = Some(error);
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.show(&report.findings, &report);
        }
        report
    }

    /// Waits until all is written.
    pub fn end(self) -> io::Result<()> {
        self.evidence.into_iter().for_each(Evidence::end);
        self.failed.map_or_else(|| self.output.finish(), Err)
    }

    fn tell(&mut self, write: impl FnOnce(Manner, &mut Vec<u8>) -> io::Result<()>) {
        let mut record = Vec::new();
        if self.failed.is_none()
            && let Err(error) = write(self.manner, &mut record).and_then(|()| self.output.send(record))
        {
            self.failed = Some(error);
        }
    }

    fn with_drops<'r>(&self, mut report: Report<'r>) -> Report<'r> {
        if let Some(live) = &mut report.live {
            live.records_dropped = self.output.dropped();
        }
        report
    }
}

impl Listener for Teller {
    fn flow(&mut self, judged: &Judged, signatures: &Signatures) {
        if self.manner.tells_flows() {
            self.tell(|manner, out| manner.flow(judged, signatures, out));
        }
    }

    fn news(&mut self, news: &[(Phase, Finding)], report: &Report<'_>) {
        for (phase, finding) in news {
            // Told before this run began.
            let again = *phase == Phase::New && self.before.remove(&finding.id);
            let phase = if again { Phase::Changed } else { *phase };
            self.tell(|manner, out| manner.finding(phase, finding, report, out));
            if let Some(journal) = &mut self.journal {
                journal.told(phase, &finding.id, serde_json::to_value(FindingRecord::new(finding, report)).unwrap_or_default());
            }
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.show(news.iter().map(|(_, finding)| finding), report);
        }
    }
}
