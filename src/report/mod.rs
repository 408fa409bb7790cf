//! Writes what was found: one record, one writer a format.
//!
//! [`Report`] is everything a run learned; [`record`] turns it into the records of the contract; each writer file prints them its
//! way. To add a format: one file, one line in [`FORMATS`].

pub mod json;
pub mod record;
pub mod table;
pub mod text;

use std::io;

use crate::capture::{CaptureFile, Interface};
use crate::count::Tally;
use crate::judge::{Coverage, Finding, Judged, Visibility};
use crate::signature::{ServiceId, Signatures};
use crate::time::Timestamp;

/// Everything a run learned.
#[derive(Debug)]
pub struct Report<'a> {
    /// The documents that flows were held against.
    pub signatures: &'a Signatures,
    /// The captures, with what stopped their reading.
    pub files: Vec<CaptureFile>,
    /// Where they were captured.
    pub interfaces: Vec<Interface>,
    /// Times of the earliest and the latest frame.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Bytes on the wire of all frames read.
    pub wire_bytes: u64,
    /// Judged flows in order of their first packet.
    pub flows: Vec<Judged>,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// What the captures say about each documented row.
    pub coverage: Vec<(ServiceId, Coverage)>,
    /// What this capture point can see.
    pub visibility: Visibility,
    /// What decoding stumbled over, by layer and cause.
    pub faults: Tally<String>,
    /// Frames that carry no IP packet, by what they are.
    pub other_frames: Tally<String>,
    /// What was dropped, evicted, skipped or removed, by name.
    pub notes: Tally<String>,
    /// Reading was ended by a signal.
    pub interrupted: bool,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// What `--format` takes.
    pub name: &'static str,
    /// For `--help`.
    pub about: &'static str,
    write: Write,
}

type Write = fn(&Report<'_>, &Style, &mut dyn io::Write) -> io::Result<()>;

impl Format {
    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|format| format.name == name).copied()
    }

    /// Prints the report.
    ///
    /// # Errors
    /// Whatever `out` answers; a closed pipe is the caller's to forgive.
    pub fn write(&self, report: &Report<'_>, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
        (self.write)(report, style, out)
    }
}

/// How much a text report says. Colours are written always; the stream takes them out where they are not wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Every flow and every documented row, not only those that matter.
    pub verbose: bool,
    /// Findings only.
    pub quiet: bool,
}

/// Every format, in the order `--help` lists them.
pub const FORMATS: &[Format] = &[
    Format { name: "text", about: "for people: findings worst first, services seen, what could not be judged", write: text::write },
    Format { name: "json", about: "one document: findings, flows, summary", write: json::write_document },
    Format { name: "ndjson", about: "one JSON object a line: flows, findings, summary", write: json::write_lines },
];
