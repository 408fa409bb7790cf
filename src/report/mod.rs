//! Writes what was found: one record, one writer a format.
//!
//! Flows pass by one at a time, as they are judged; what a report says of all of them together is kept in a [`Digest`]. [`Report`] is what a run learned beside them;
//! [`record`] turns both into the records of the contract; each writer file prints them its way. To add a format: one file, one line in [`FORMATS`].
//! A format for logs prints each flow as it passes and keeps none; one that is a document prints at the end, of what the report keeps anyway.

mod compact;
pub mod csv;
mod digest;
pub mod draft;
pub mod ecs;
pub mod eve;
pub mod evidence;
pub mod frames;
pub mod html;
pub mod json;
pub mod junit;
mod kind;
pub mod live;
mod mark;
pub mod paragraph;
#[cfg(feature = "parquet")]
mod parquet;
pub mod record;
pub mod rules;
pub mod sarif;
mod sheet;
mod stated;
pub mod table;
mod tap;
pub mod text;
pub mod zeek;

use std::io;
use std::net::IpAddr;

use crate::capture::{CaptureFile, Interface};
use crate::count::Tally;
use crate::flow;
use crate::judge::{Coverage, Finding, Judged, Severity, Shown, Telling, Visibility};
use crate::signature::{RoleId, ServiceId, Signatures};
use crate::time::Timestamp;
pub use digest::{Digest, Together};
pub use live::LiveState;

/// What a run learned, beside the flows themselves.
#[derive(Debug)]
pub struct Report<'a> {
    /// The documents that flows were held against.
    pub signatures: &'a Signatures,
    /// What the site file calls the site; empty where nothing does.
    pub site: String,
    /// Vendors whose documents apply; empty for all.
    pub products: Vec<String>,
    /// The captures, with what stopped their reading.
    pub files: Vec<CaptureFile>,
    /// Where they were captured.
    pub interfaces: Vec<Interface>,
    /// Times of the earliest and the latest frame.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Bytes on the wire of all frames read.
    pub wire_bytes: u64,
    /// The flows, counted.
    pub digest: Digest,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// What the captures say about each documented row.
    pub coverage: Vec<(ServiceId, Coverage)>,
    /// The same of the rows of each role that the site gives.
    pub coverage_by_role: Vec<(RoleId, Vec<(ServiceId, Coverage)>)>,
    /// What this capture point can see.
    pub visibility: Visibility,
    /// Hosts that the site gives no role and that showed one beyond doubt, in order of address.
    pub shown: Vec<(IpAddr, Shown)>,
    /// What is no part of a flow, or was dropped at a bound.
    pub losses: Losses,
    /// What only live capture has to tell.
    pub live: Option<LiveState>,
    /// Reading was ended by a signal.
    pub interrupted: bool,
}

impl Report<'_> {
    /// Frames of all captures.
    pub fn frames(&self) -> u64 {
        self.files.iter().map(|file| file.frames).sum()
    }
}

/// What is no part of a flow, and what was dropped on the way: nothing is lost silently.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// What the flow tables counted: faults of decoding, frames without IP, evictions.
    pub flows: flow::Counts,
    /// Facts beyond those kept of one flow.
    pub facts: u64,
    /// Flows that were read no further, as all together held too much.
    pub given_up: u64,
    /// Names and promises that found no room in the books.
    pub names_and_promises: (u64, u64),
    /// Files in folders that are no captures.
    pub files_skipped: u64,
    /// Flows with something to say that found no room among the findings.
    pub findings: u64,
    /// Live flows that ended while the judge was too busy to hear of them.
    pub not_judged: u64,
}

impl Losses {
    /// Adds another shard's.
    pub fn merge(&mut self, other: Self) {
        self.flows.merge(other.flows);
        self.facts += other.facts;
        self.given_up += other.given_up;
        self.not_judged += other.not_judged;
    }

    /// Decoding faults, by layer and cause.
    pub fn faults(&self) -> Tally<String> {
        let mut all = Tally::default();
        for ((layer, what), many) in self.flows.faults.iter() {
            all.add(format!("{layer}: {what}"), many);
        }
        all
    }

    /// Packets that carry no IP, or whose ends could not be named.
    pub fn without_flow(&self) -> Tally<String> {
        let mut all = Tally::default();
        all.add("arp".to_owned(), self.flows.arp);
        for (kind, many) in self.flows.without_ip.iter() {
            all.add(kind.to_string(), many);
        }
        for (transport, many) in self.flows.without_ends.iter() {
            all.add(format!("{transport} without ports"), many);
        }
        all.add("frames of which nothing was understood".to_owned(), self.flows.not_understood);
        all.add("fragments whose first one never came".to_owned(), self.flows.fragments.without_ports);
        all.add("icmp errors that quote no flow seen".to_owned(), self.flows.errors_without_flow);
        all
    }

    /// Copies that a mirror made of packets, by kind of copy: counted here and in no flow.
    pub fn copies(&self) -> Tally<String> {
        let mut all = Tally::default();
        for (kind, many) in self.flows.duplicates.iter() {
            all.add(format!("{kind} copies of a packet"), many);
        }
        all
    }

    /// What was left out because a part of it never came, or at our own bounds.
    pub fn dropped(&self) -> Tally<String> {
        let (names, promises) = self.names_and_promises;
        let fragments = &self.flows.fragments;
        let mut all = Tally::default();
        for (what, many) in [
            ("flows put out because too many were live", self.flows.evicted),
            ("icmp errors beyond those kept of a flow", self.flows.errors_not_kept),
            ("fragmented datagrams of which a part never came", fragments.incomplete),
            ("fragmented datagrams whose parts contradict each other", fragments.spoiled),
            ("fragmented datagrams put out because too many were being gathered", fragments.evicted),
            ("facts beyond those kept of a flow", self.facts),
            ("flows read no further because openings held too much memory", self.given_up),
            ("names beyond those kept", names),
            ("announcements beyond those kept", promises),
            ("files that are no captures", self.files_skipped),
            ("flows beyond those gathered into findings", self.findings),
            ("flows not judged, as the judge was too busy", self.not_judged),
        ] {
            all.add(what.to_owned(), many);
        }
        all
    }
}

/// How a report is printed.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What `--format` takes.
    pub name: &'static str,
    /// For `--help`.
    pub about: &'static str,
    /// Whether it holds colour codes.
    pub paints: bool,
    /// What it prints of each flow beyond its judgement.
    pub telling: Telling,
    /// Whether it is one table of several: it prints the [`Sheet`] that [`Style`] names.
    pub sheets: bool,
    /// Whether it is nothing that a terminal could show.
    pub binary: bool,
    /// Whether it prints a record of each flow, as it passes.
    records: bool,
    open: Open,
}

type Open = for<'a> fn(&'a mut dyn io::Write, Style, &'a Signatures) -> Box<dyn Writer + 'a>;

impl Format {
    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|format| format.name == name).copied()
    }

    /// Whether it prints something of each flow that passes: then the time it takes grows with their number.
    pub fn prints_flows(&self, style: Style) -> bool {
        self.records && (!self.sheets || style.sheet == Sheet::Flows)
    }

    /// A writer to `out`.
    pub fn open<'a>(&self, out: &'a mut dyn io::Write, style: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
        (self.open)(out, style, signatures)
    }
}

/// Prints one report: its flows in order, then the rest.
pub trait Writer {
    /// A judged flow.
    ///
    /// # Errors
    /// Whatever the output answers; a closed pipe is the caller's to forgive.
    fn flow(&mut self, judged: &Judged) -> io::Result<()>;

    /// What was learned of all of them.
    ///
    /// # Errors
    /// Whatever the output answers.
    fn finish(&mut self, report: &Report<'_>) -> io::Result<()>;
}

/// How much a report says. Colours are written always; the stream takes them out where they are not wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Every flow and every documented row, not only those that matter.
    pub verbose: bool,
    /// Findings only.
    pub quiet: bool,
    /// The table to print, of formats that are one table.
    pub sheet: Sheet,
    /// From which severity on a finding counts as a failure, of formats that know failures; none where nobody said.
    pub fail_on: Option<Severity>,
}

/// A table of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sheet {
    /// A row a flow.
    #[default]
    Flows,
    /// A row a finding.
    Findings,
    /// A row for each documented service, of the whole capture and of each role that the site gives.
    Coverage,
}

/// Every format, in the order `--help` lists them.
pub const FORMATS: &[Format] = &[
    Format { paints: true, ..format("text", "for people: findings worst first, services seen, what could not be judged", text::open) },
    Format { telling: Telling::Everything, records: true, ..format("json", "one document: flows, findings, summary", json::open_document) },
    Format { telling: Telling::Everything, records: true, ..format("ndjson", "one JSON object a line: flows, findings, summary", json::open_lines) },
    Format {
        telling: Telling::ServerNames,
        ..format("html", "one page to forward: findings, pictures, tables; needs nothing beside it, no network and no script", html::open)
    },
    Format { telling: Telling::Names, sheets: true, records: true, ..format("csv", "one table for spreadsheets (RFC 4180); --table says which", csv::open) },
    #[cfg(feature = "parquet")]
    Format {
        telling: Telling::Names,
        sheets: true,
        binary: true,
        records: true,
        ..format("parquet", "one table as an Apache Parquet file, for DuckDB, pandas and the like; --table says which", parquet::open)
    },
    Format {
        telling: Telling::Statements,
        records: true,
        ..format("eve", "events as Suricata's eve.json has them: flow, dns, tls, quic, http, mqtt, then alert and stats", eve::open)
    },
    Format {
        records: true,
        ..format("zeek", "a log like Zeek's conn.log, tab-separated, with what portbook says of each flow in further columns", zeek::open)
    },
    Format {
        telling: Telling::Statements,
        records: true,
        ..format("ecs", "one JSON object a line with the field names of the Elastic Common Schema: flows, then findings as alerts", ecs::open)
    },
    format(
        "junit",
        "test results for CI: a case for each documented row, failed by findings of --fail-on (medium where it is not given) or worse",
        junit::open,
    ),
    format("sarif", "SARIF 2.1.0 for code scanning: a result a finding, the capture's frames as lines", sarif::open),
];

/// A format without colours, records and tables.
const fn format(name: &'static str, about: &'static str, open: Open) -> Format {
    Format { name, about, paints: false, telling: Telling::Judgement, sheets: false, binary: false, records: false, open }
}
