//! Holds a run against what is expected of it: an expectation file that people write, or a baseline of an earlier run.
//!
//! Flows pass by one at a time, as they do for a [writer](crate::report::Writer); what is due of them is counted while they pass, and the findings and the
//! coverage are compared once they have. Nothing here decides what a flow is: it compares what was judged.

mod baseline;
mod diff;
mod draft;
mod expect;
mod gate;
mod print;
mod read;
mod toml_file;

use std::net::IpAddr;

use serde::Serialize;

use crate::capture::FrameId;
use crate::judge::{Judged, Site};
use crate::net::is_group;
use crate::report::Report;
use crate::report::frames::numbers;
use crate::report::record::word;
pub use baseline::{Baseline, Census, Unfit};
pub use diff::{Unread, View};
pub use draft::draft;
pub use expect::{AllowDue, ChosenFlows, Expectations, FindingDue, FlowDue, HostDue, Rows, Whose};
pub use gate::Gate;
pub use print::{diff_json, diff_text, json, text};
#[cfg(feature = "schema")]
pub use toml_file::ExpectationFile;

/// What a run differs in from what is expected of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What people call the check; empty where they do not.
    pub name: String,
    /// The file that says what is expected.
    pub with: String,
    /// How many things were compared: expectations, or services and findings of a baseline.
    pub compared: usize,
    /// What they are called: one of them, several.
    pub what: [&'static str; 2],
    /// What differs, in the file's order; of a baseline what is new, then what is gone, then what changed.
    pub differences: Vec<Difference>,
    /// What is worth knowing and no difference.
    pub notes: Vec<String>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of which kind.
    pub kind: Kind,
    /// Where it is written what is due: `office.toml:12`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What it is about.
    pub about: String,
    /// What is due, in words; empty for what is new.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub due: String,
    /// What is.
    pub is: String,
    /// What shows it: flows with their frames, sentences of findings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shows: Vec<String>,
}

/// Kinds of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An expectation does not hold.
    Unmet,
    /// Not in the baseline.
    New,
    /// In the baseline, and no longer there.
    Gone,
    /// There, but not as the baseline has it.
    Changed,
}

/// How many there may be of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// At least.
    pub least: u64,
    /// At most; none: any number.
    pub most: Option<u64>,
}

impl Count {
    /// Whether so many are right.
    pub fn holds(self, many: u64) -> bool {
        many >= self.least && self.most.is_none_or(|most| many <= most)
    }
}

/// `4`, `2 to 5`, `at least 1`.
impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.least, self.most) {
            (least, Some(most)) if least == most => write!(f, "{least}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
            (least, None) => write!(f, "at least {least}"),
        }
    }
}

/// What an expectation file may count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Flows in all.
    Flows,
    /// Flows with the verdict expected.
    Expected,
    /// Flows with the verdict unexpected.
    Unexpected,
    /// Flows with the verdict undecided.
    Undecided,
    /// Flows with an outcome that the contract calls blocked.
    Blocked,
    /// Findings.
    Findings,
}

/// A flow that shows something, in a line.
#[derive(Clone, Debug)]
struct Example {
    says: String,
    frames: Vec<FrameId>,
}

impl Example {
    fn of(judged: &Judged) -> Self {
        let flow = &judged.identified.flow;
        let because = judged.cause.as_ref().map_or_else(String::new, |cause| format!(": {}", cause.says));
        let says = format!("{} > {}/{} {}{because}", flow.client.endpoint, flow.server.endpoint, flow.transport, word(&judged.outcome));
        let frames = if judged.cited.is_empty() { vec![flow.first_frame, flow.last_frame] } else { judged.cited.to_vec() };
        Self { says, frames }
    }

    fn told(&self, report: &Report<'_>) -> String {
        format!("{} ({})", self.says, frames(&self.frames, report))
    }
}

/// `frames 12, 15`, with the file where there are several.
fn frames(cited: &[FrameId], report: &Report<'_>) -> String {
    let shown = cited.get(..FRAMES_SHOWN).unwrap_or(cited);
    let more = if cited.len() > FRAMES_SHOWN { " ..." } else { "" };
    format!("{} {}{more}", if cited.len() == 1 { "frame" } else { "frames" }, numbers(&report.files, shown))
}

/// How a host is named from one day to the next: inside by its address, groups by theirs, and all that is outside as `internet`, because a cloud answers
/// from other addresses every day.
fn lasting(site: &Site, host: IpAddr) -> String {
    if is_group(host) || site.is_local(host) { host.to_string() } else { INTERNET.to_owned() }
}

const INTERNET: &str = "internet";
/// Frames named in a line.
const FRAMES_SHOWN: usize = 6;
