//! The summary record: what was read, what was counted, what was left out, and what is known of every documented row.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{RoleRecord, word};
use crate::capture::{CaptureFile, Interface};
use crate::count::Tally;
use crate::judge::{Coverage, Visibility};
use crate::report::{LiveState, Report};
use crate::signature::{ServiceId, Signatures};

/// The summary record, `"type":"summary"`: one a report, last.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SummaryRecord<'a> {
    #[cfg_attr(feature = "schema", schemars(extend("const" = "summary")))]
    r#type: &'static str,
    portbook: &'static str,
    /// What the site file calls the site.
    #[serde(skip_serializing_if = "str::is_empty")]
    site: &'a str,
    captures: Vec<CaptureRecord<'a>>,
    frames: u64,
    bytes: u64,
    first: Option<String>,
    last: Option<String>,
    flows: u64,
    findings: usize,
    /// Flows that the site file ignores.
    ignored: u64,
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, u64>"))]
    verdicts: Map<String, Value>,
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, u64>"))]
    outcomes: Map<String, Value>,
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, u64>"))]
    faults: Map<String, Value>,
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, u64>"))]
    other_frames: Map<String, Value>,
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, u64>"))]
    drops: Map<String, Value>,
    visibility: &'a Visibility,
    /// Hosts that the site gives no role and that showed one beyond doubt.
    roles: Vec<RoleRecord<'a>>,
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, Coverage>"))]
    coverage: Map<String, Value>,
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, std::collections::BTreeMap<String, Coverage>>"))]
    #[serde(skip_serializing_if = "Map::is_empty")]
    coverage_by_role: Map<String, Value>,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<LiveState>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct CaptureRecord<'a> {
    path: &'a str,
    format: &'a str,
    compression: Option<&'a str>,
    frames: u64,
    bytes: u64,
    out_of_order: u64,
    passed_over: u64,
    filtered: u64,
    error: Option<String>,
    interfaces: Vec<InterfaceRecord<'a>>,
    comments: Vec<CommentRecord<'a>>,
}

/// An interface as the capture describes it. A filter set there hides traffic before anybody can miss it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct InterfaceRecord<'a> {
    name: Option<&'a str>,
    link_type: u16,
    snap_len: u32,
    filter: Option<&'a str>,
    dropped: Option<u64>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct CommentRecord<'a> {
    frame: Option<u64>,
    text: &'a str,
}

impl<'a> SummaryRecord<'a> {
    /// The summary of a report.
    pub fn new(report: &'a Report<'_>) -> Self {
        let mut drops = counts(&report.losses.dropped());
        drops.extend(counts(&report.losses.copies()));
        for interface in &report.interfaces {
            if let Some(dropped) = interface.dropped {
                let name = interface.name.as_deref().unwrap_or("interface");
                let key = format!("by the capture at {name}");
                let others = drops.get(&key).and_then(Value::as_u64).unwrap_or_default();
                drops.insert(key, others.saturating_add(dropped).into());
            }
        }
        Self {
            r#type: "summary",
            portbook: env!("CARGO_PKG_VERSION"),
            site: &report.site,
            captures: (0..)
                .zip(&report.files)
                .map(|(place, file)| CaptureRecord::new(file, report.interfaces.iter().filter(move |one| one.file == place)))
                .collect(),
            frames: report.frames(),
            bytes: report.wire_bytes,
            first: report.span.map(|(first, _)| first.to_string()),
            last: report.span.map(|(_, last)| last.to_string()),
            flows: report.digest.flows,
            findings: report.findings.len(),
            ignored: report.digest.ignored,
            verdicts: words(&report.digest.verdicts),
            outcomes: words(&report.digest.outcomes),
            faults: counts(&report.losses.faults()),
            other_frames: counts(&report.losses.without_flow()),
            drops,
            visibility: &report.visibility,
            roles: report.shown.iter().map(|(ip, shown)| RoleRecord { ip: Some(ip.to_string()), ..RoleRecord::new(shown, report.signatures) }).collect(),
            coverage: rows(report.signatures, &report.coverage),
            coverage_by_role: report
                .coverage_by_role
                .iter()
                .map(|(role, coverage)| (report.signatures.role(*role).id.clone(), rows(report.signatures, coverage).into()))
                .collect(),
            interrupted: report.interrupted,
            live: report.live,
        }
    }
}

impl<'a> CaptureRecord<'a> {
    fn new(file: &'a CaptureFile, interfaces: impl Iterator<Item = &'a Interface>) -> Self {
        Self {
            path: &file.path,
            format: file.format,
            compression: file.compression,
            frames: file.frames,
            bytes: file.bytes,
            out_of_order: file.out_of_order,
            passed_over: file.passed_over,
            filtered: file.filtered,
            error: file.error.as_ref().map(ToString::to_string),
            interfaces: interfaces.map(InterfaceRecord::new).collect(),
            comments: file.comments.iter().map(|comment| CommentRecord { frame: comment.frame, text: &comment.text }).collect(),
        }
    }
}

impl<'a> InterfaceRecord<'a> {
    fn new(interface: &'a Interface) -> Self {
        let Interface { name, link, snap_len, filter, dropped, .. } = interface;
        Self { name: name.as_deref(), link_type: link.0, snap_len: *snap_len, filter: filter.as_deref(), dropped: *dropped }
    }
}

/// Rows by id with the word for what was seen of them.
fn rows(signatures: &Signatures, coverage: &[(ServiceId, Coverage)]) -> Map<String, Value> {
    coverage.iter().map(|(id, coverage)| (signatures.service(*id).id.clone(), word(coverage).into())).collect()
}

fn counts(tally: &Tally<String>) -> Map<String, Value> {
    tally.iter().map(|(key, many)| (key.clone(), many.into())).collect()
}

fn words<K: Ord + Serialize>(tally: &Tally<K>) -> Map<String, Value> {
    tally.iter().map(|(key, many)| (word(key), many.into())).collect()
}
