//! Findings of live traffic as they were told: each once, again where it changes, and a last time when it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::count::Tally;
use crate::judge::{Finding, Severity};
use crate::time::Timestamp;

/// What was told, by the ids of the findings. Bounded as findings are.
#[derive(Debug, Default)]
pub struct Bulletin {
    told: BTreeMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    finding: Finding,
    at: Timestamp,
    is_open: bool,
}

/// What is new about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Told for the first time, or again after it was over.
    New,
    /// It has grown worse or better, or concerns others.
    Changed,
    /// Nothing was added for a while.
    Closed,
    /// What came later explains it otherwise.
    Withdrawn,
    /// As it stands when watching ends.
    Final,
}

impl Phase {
    /// The word that records print.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Closed => "closed",
            Self::Withdrawn => "withdrawn",
            Self::Final => "final",
        }
    }

    /// Whether there is nothing more to wait for.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Withdrawn)
    }
}

impl Bulletin {
    /// What is to be told of the findings as they stand at `now`, in their order; then what is withdrawn.
    pub fn follow(&mut self, findings: &[Finding], now: Timestamp) -> Vec<(Phase, Finding)> {
        let mut news = Vec::new();
        for finding in findings {
            let phase = match self.told.get(&finding.id) {
                None => Some(Phase::New),
                Some(told) => told.phase_of(finding, now),
            };
            if let Some(phase) = phase {
                let is_open = phase != Phase::Closed;
                self.told.insert(finding.id.clone(), Told { finding: finding.clone(), at: now, is_open });
                news.push((phase, finding.clone()));
            }
        }
        let stands: BTreeSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
        self.told.retain(|id, told| {
            let stays = stands.contains(id.as_str());
            if !stays && told.is_open {
                news.push((Phase::Withdrawn, told.finding.clone()));
            }
            stays
        });
        news
    }

    /// How many were told and are not over, by severity and rule.
    pub fn open(&self) -> Tally<(Severity, String)> {
        let mut open = Tally::default();
        for told in self.told.values().filter(|told| told.is_open) {
            open.one((told.finding.severity, told.finding.rule.clone()));
        }
        open
    }
}

impl Told {
    /// What is new about it. Counts alone are told again now and then, not each time.
    fn phase_of(&self, finding: &Finding, now: Timestamp) -> Option<Phase> {
        let known = &self.finding;
        let goes_on = finding.last > known.last || finding.flows > known.flows;
        if !self.is_open {
            return goes_on.then_some(Phase::New);
        }
        let weight = |finding: &Finding| (finding.severity, finding.confidence, finding.client.clone(), finding.server.clone(), finding.consequence.clone());
        if weight(finding) != weight(known) {
            return Some(Phase::Changed);
        }
        if goes_on {
            return (now.since(self.at) >= AGAIN).then_some(Phase::Changed);
        }
        (now.since(finding.last) >= OVER).then_some(Phase::Closed)
    }
}

/// A finding that only counts more is told again after this time.
const AGAIN: Duration = Duration::from_secs(300);
/// A finding to which nothing was added for this time is over: retries of every product come more often.
pub const OVER: Duration = Duration::from_secs(900);
