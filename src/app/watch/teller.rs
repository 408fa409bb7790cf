//! Puts what there is to tell into words and hands it to the output.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::Value;

use super::evidence::Evidence;
use super::journal::Journal;
use super::output::Output;
use super::rotation::why;
use crate::judge::{Covered, Finding, Judged, OVER, Phase};
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
    /// Findings that were told and are not over, as they were told last.
    open: BTreeMap<String, Value>,
    /// Of those, the ones that an earlier run told, or this one under other documents, and that did not show since.
    before: BTreeSet<String>,
    /// When these were first waited for.
    waited_since: Option<Timestamp>,
    /// Whether a journal that cannot be written was told of.
    complained: bool,
}

impl Teller {
    /// Tells so, to that output, and shows the packets in that file.
    pub const fn new(manner: Manner, output: Output, evidence: Option<Evidence>) -> Self {
        Self { manner, output, failed: None, evidence, journal: None, open: BTreeMap::new(), before: BTreeSet::new(), waited_since: None, complained: false }
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
        for (id, record) in &held {
            self.tell(|manner, out| manner.retold("restored", id, record, out));
        }
        self.open = held;
        self.gather_anew();
        self.journal = Some(journal);
    }

    /// Findings are gathered anew from now on: those that were told are over where they do not show any more.
    pub fn gather_anew(&mut self) {
        (self.before, self.waited_since) = (self.open.keys().cloned().collect(), None);
    }

    /// Does what is due: closes findings from before that do not show any more, begins anew what was taken away, and brings the journal to the disk.
    pub fn tend(&mut self, covered: &Covered, now: Timestamp) {
        self.close_those_before(now);
        let saved = self.journal.as_mut().map(|journal| journal.save(covered, now));
        self.complain(saved);
        if let Some(evidence) = &mut self.evidence {
            evidence.tend(now);
        }
    }

    /// Brings the journal to the disk before watching ends.
    pub fn save(&mut self, covered: &Covered) {
        let saved = self.journal.as_mut().map(|journal| journal.save_now(covered));
        self.complain(saved);
    }

    fn complain(&mut self, saved: Option<io::Result<()>>) {
        match saved {
            Some(Err(error)) if !std::mem::replace(&mut self.complained, true) => {
                anstream::eprintln!("portbook: the journal cannot be written: {}; trying again", why(&error));
            }
            Some(Ok(())) => self.complained = false,
            _ => {}
        }
    }

    fn close_those_before(&mut self, now: Timestamp) {
        if self.before.is_empty() || now.since(*self.waited_since.get_or_insert(now)) < OVER {
            return;
        }
        for id in std::mem::take(&mut self.before) {
            let Some(record) = self.open.remove(&id) else { continue };
            self.tell(|manner, out| manner.retold(Phase::Closed.name(), &id, &record, out));
            if let Some(journal) = &mut self.journal {
                journal.told(Phase::Closed, &id, record);
            }
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
            // It was told before findings were gathered anew.
            let again = self.before.remove(&finding.id) && *phase == Phase::New;
            let phase = if again { Phase::Changed } else { *phase };
            self.tell(|manner, out| manner.finding(phase, finding, report, out));
            let record = serde_json::to_value(FindingRecord::new(finding, report)).unwrap_or_default();
            if let Some(journal) = &mut self.journal {
                journal.told(phase, &finding.id, record.clone());
            }
            if phase.is_over() {
                self.open.remove(&finding.id);
            } else {
                self.open.insert(finding.id.clone(), record);
            }
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.show(news.iter().map(|(_, finding)| finding), report);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use serde_json::json;

    use super::super::output::Target;
    use super::super::rotation::{Rotating, Rotation};
    use super::*;

    fn phases(path: &std::path::Path) -> Vec<(String, String)> {
        let word = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).map(|record: Value| (word(&record, "id"), word(&record, "phase"))).collect()
    }

    #[test]
    fn a_finding_of_an_earlier_run_that_does_not_show_any_more_is_closed_once_and_leaves_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.ndjson");
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        let begun = Timestamp::from_parts(1_000, 0);
        journal.save(&Covered::default(), begun).unwrap();
        // Told after the journal was last saved, and before the run ended in order.
        journal.told(Phase::New, "dropped", json!({ "id": "dropped", "says": "silent" }));
        let target = || Target::File(Rotating::open(&path, Rotation::default(), false).unwrap());
        let mut teller = Teller::new(Manner::Ndjson, Output::start(target(), false), None);
        teller.keep(journal, BTreeMap::new());
        teller.save(&Covered::default());
        teller.end().unwrap();
        let (journal, held) = Journal::open(folder.path()).unwrap();
        let mut teller = Teller::new(Manner::Ndjson, Output::start(target(), false), None);
        teller.keep(journal, held.findings);
        for seconds in [0, 1, 899, 900, 910, 920] {
            teller.tend(&Covered::default(), begun + Duration::from_secs(seconds));
        }
        teller.end().unwrap();
        let told = |phase: &str| ("dropped".to_owned(), phase.to_owned());
        assert_eq!(phases(&path), [told("restored"), told("closed")]);
        let (_, held) = Journal::open(folder.path()).unwrap();
        assert!(held.findings.is_empty(), "{held:?}");
    }

    #[test]
    fn a_finding_that_was_told_before_the_documents_changed_is_closed_where_it_does_not_show_under_the_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.ndjson");
        let target = Target::File(Rotating::open(&path, Rotation::default(), false).unwrap());
        let mut teller = Teller::new(Manner::Ndjson, Output::start(target, false), None);
        teller.open.insert("allowed now".to_owned(), json!({ "id": "allowed now" }));
        let begun = Timestamp::from_parts(1_000, 0);
        teller.tend(&Covered::default(), begun);
        teller.gather_anew();
        for seconds in [5_000, 5_899, 5_900, 6_000] {
            teller.tend(&Covered::default(), begun + Duration::from_secs(seconds));
        }
        teller.end().unwrap();
        assert_eq!(phases(&path), [("allowed now".to_owned(), "closed".to_owned())]);
    }
}
