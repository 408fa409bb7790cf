//! The records of the contract, as JSON prints them. Field order is the contract's.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::capture::{CaptureFile, Interface};
use crate::count::Tally;
use crate::flow::{self, Direction};
use crate::identify::wire::in_hex;
use crate::identify::{Evidence, Fact, Identified, Match, Promise};
use crate::judge::{Candidate, Cited, Confidence, Coverage, Finding, Judged, Named, Outcome, Reason, Severity, Shown, Unknown, Verdict, hex};
use crate::net::Side;
use crate::report::frames::{CitedFrame, FramesRecord};
use crate::report::{LiveState, Report};
use crate::signature::{RoleId, ServiceId, Signatures};

/// A flow record, `"type":"flow"`.
#[derive(Debug, Serialize)]
pub struct FlowRecord<'a> {
    r#type: &'static str,
    id: String,
    first: String,
    last: String,
    transport: String,
    vlan: &'a [u16],
    tunnel: Vec<&'static str>,
    client: EndRecord<'a>,
    server: EndRecord<'a>,
    direction: &'static str,
    history: &'a str,
    state: Option<&'static str>,
    protocol: &'a [&'static str],
    evidence: &'static str,
    matches: Vec<MatchRecord>,
    details: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    announced: Option<AnnouncedRecord>,
    service: Option<&'a str>,
    instance: Option<u16>,
    basis: Option<&'static str>,
    candidates: Vec<CandidateRecord<'a>>,
    verdict: Verdict,
    reasons: &'a [Reason],
    outcome: Outcome,
    confidence: Confidence,
    cause: Option<CauseRecord<'a>>,
    frames: FramesRecord,
}

#[derive(Debug, Serialize)]
struct EndRecord<'a> {
    ip: String,
    port: u16,
    packets: u64,
    bytes: u64,
    payload_bytes: u64,
    roles: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role_evidence: Vec<RoleRecord<'a>>,
    names: &'a [Named],
}

/// A role that a host shows, and by what. `judged`: whether its flows are held against it, unless the site says otherwise.
#[derive(Debug, Serialize)]
struct RoleRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    role: &'a str,
    by: &'static str,
    shows: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    confidence: Confidence,
    judged: bool,
    #[serde(skip_serializing_if = "is_first_file")]
    file: u32,
    frame: u64,
}

impl<'a> RoleRecord<'a> {
    fn new(shown: &'a Shown, signatures: &'a Signatures) -> Self {
        let Shown { role, by, what, confidence, counts, version, frame } = shown;
        let role = role_name(signatures, *role).unwrap_or_default();
        let (version, confidence, file) = (version.as_deref(), *confidence, frame.file);
        Self { ip: None, role, by, shows: what, version, confidence, judged: *counts, file, frame: frame.number }
    }
}

/// What announced the flow: the parent by its Community ID and its ends, and the frame that said so.
#[derive(Debug, Serialize)]
struct AnnouncedRecord {
    by: &'static str,
    flow: String,
    client: String,
    server: String,
    transport: String,
    #[serde(skip_serializing_if = "is_first_file")]
    file: u32,
    frame: u64,
    time: String,
    /// The announcement is encrypted; hosts and range fit.
    #[serde(skip_serializing_if = "is_false")]
    hidden: bool,
}

#[derive(Debug, Serialize)]
struct MatchRecord {
    side: &'static str,
    offset: u32,
    bytes: u32,
    rule: &'static str,
    #[serde(skip_serializing_if = "is_first_file")]
    file: u32,
    frame: u64,
    /// The bytes that matched, in hexadecimal, as far as they were kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    hex: String,
    /// The start of the connection was not seen: the rule is one that holds later, too, and is believed one class less.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    midstream: bool,
}

#[derive(Debug, Serialize)]
struct CandidateRecord<'a> {
    service: &'a str,
    fits: bool,
    why: &'a str,
}

#[derive(Debug, Serialize)]
struct CauseRecord<'a> {
    rule: &'static str,
    says: &'a str,
    alternatives: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

impl<'a> FlowRecord<'a> {
    /// The record of a judged flow.
    pub fn new(judged: &'a Judged, signatures: &'a Signatures) -> Self {
        let identified = &judged.identified;
        let flow = &identified.flow;
        Self {
            r#type: "flow",
            id: flow::community_id(flow),
            first: flow.first.to_string(),
            last: flow.last.to_string(),
            transport: flow.transport.to_string(),
            vlan: flow.vlan.ids(),
            tunnel: flow.tunnel.iter().map(|tunnel| tunnel.name()).collect(),
            client: EndRecord::new(judged, Side::Client, signatures),
            server: EndRecord::new(judged, Side::Server, signatures),
            direction: direction_name(flow.direction),
            history: flow.history.as_str(),
            state: flow.state.map(flow::ConnState::name),
            protocol: &identified.protocol,
            evidence: evidence(judged).name(),
            matches: identified.matches.iter().map(|found| MatchRecord::new(found, identified)).collect(),
            details: details(&identified.facts),
            announced: identified.announced.as_deref().map(AnnouncedRecord::new),
            service: judged.service.map(|id| service_name(signatures, id)),
            instance: judged.instance,
            basis: judged.service.and_then(|id| signatures.services.get(id.0 as usize)).map(|service| service.basis.name()),
            candidates: judged.candidates.iter().map(|candidate| CandidateRecord::new(candidate, signatures)).collect(),
            verdict: judged.verdict,
            reasons: &judged.reasons,
            outcome: judged.outcome,
            confidence: judged.confidence,
            cause: judged.cause.as_ref().map(|cause| CauseRecord {
                rule: cause.rule,
                says: &cause.says,
                alternatives: cause.alternatives,
                by: cause.by.map(|ip| ip.to_string()),
            }),
            frames: FramesRecord::new(judged),
        }
    }
}

impl<'a> EndRecord<'a> {
    fn new(judged: &'a Judged, side: Side, signatures: &'a Signatures) -> Self {
        let flow = &judged.identified.flow;
        let at = side as usize;
        let end = if side == Side::Client { &flow.client } else { &flow.server };
        let (roles, shown, names) = (&judged.roles[at], &judged.shown[at], &judged.names[at]);
        Self {
            ip: end.endpoint.ip.to_string(),
            port: end.endpoint.port,
            packets: end.packets,
            bytes: end.bytes,
            payload_bytes: end.payload_bytes,
            roles: roles.iter().filter_map(|role| role_name(signatures, *role)).collect(),
            role_evidence: shown.iter().map(|shown| RoleRecord::new(shown, signatures)).collect(),
            names,
        }
    }
}

impl AnnouncedRecord {
    fn new(promise: &Promise) -> Self {
        let (client, server) = promise.parent;
        Self {
            by: promise.kind.name(),
            flow: flow::community_id_of(promise.over, client, server),
            client: client.to_string(),
            server: server.to_string(),
            transport: promise.over.to_string(),
            file: promise.frame.file,
            frame: promise.frame.number,
            time: promise.made.to_string(),
            hidden: promise.is_hidden(),
        }
    }
}

impl MatchRecord {
    fn new(found: &Match, identified: &Identified) -> Self {
        let (flow, bytes) = (&identified.flow, identified.matched(found));
        let midstream = flow.tcp.as_ref().is_some_and(|tcp| tcp.midstream);
        let hex = in_hex(bytes.get(..HEX_SHOWN).unwrap_or(bytes));
        Self {
            side: found.side.name(),
            offset: found.offset,
            bytes: found.len,
            rule: found.rule,
            file: found.frame.file,
            frame: found.frame.number,
            hex,
            midstream,
        }
    }
}

impl<'a> CandidateRecord<'a> {
    fn new(candidate: &'a Candidate, signatures: &'a Signatures) -> Self {
        Self { service: service_name(signatures, candidate.service), fits: candidate.fits, why: &candidate.why }
    }
}

/// A finding record, `"type":"finding"`.
#[derive(Debug, Serialize)]
pub struct FindingRecord<'a> {
    r#type: &'static str,
    /// The same in every run: what is alike has one name.
    id: &'a str,
    rule: &'a str,
    severity: Severity,
    service: Option<&'a str>,
    client: &'a str,
    server: &'a str,
    flows: u64,
    attempts: u64,
    first: String,
    last: String,
    says: &'a str,
    consequence: Option<&'a str>,
    alternatives: &'a [String],
    remedy: Option<&'a str>,
    citation: Option<CitationRecord<'a>>,
    evidence: EvidenceRecord<'a>,
    confidence: Confidence,
    /// What there is to know of a service that no document mentions.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<UnknownRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct UnknownRecord<'a> {
    clients: &'a [IpAddr],
    servers: &'a [IpAddr],
    ports: Vec<String>,
    names: &'a [String],
    protocol: &'a [&'static str],
    client_opening: String,
    server_opening: String,
    nearest: Vec<NearRecord<'a>>,
    draft: &'a str,
}

#[derive(Debug, Serialize)]
struct NearRecord<'a> {
    service: &'a str,
    why: &'a str,
}

impl<'a> UnknownRecord<'a> {
    fn new(unknown: &'a Unknown, signatures: &'a Signatures) -> Self {
        Self {
            clients: &unknown.clients,
            servers: &unknown.servers,
            ports: unknown.ports.iter().map(|(transport, port)| format!("{port}/{transport}")).collect(),
            names: &unknown.names,
            protocol: &unknown.protocol,
            client_opening: hex(&unknown.opening[0]),
            server_opening: hex(&unknown.opening[1]),
            nearest: unknown.nearest.iter().map(|(id, why)| NearRecord { service: service_name(signatures, *id), why }).collect(),
            draft: &unknown.draft,
        }
    }
}

#[derive(Debug, Serialize)]
struct CitationRecord<'a> {
    document: &'a str,
    section: &'a str,
    quote: &'a str,
    verbatim: bool,
    url: Option<&'a str>,
    basis: &'static str,
}

#[derive(Debug, Serialize)]
struct EvidenceRecord<'a> {
    frames: Vec<CitedFrame<'a>>,
    display_filter: &'a str,
    flow_ids: &'a [String],
    /// How many of the finding's flows these are.
    selected: u64,
}

impl<'a> FindingRecord<'a> {
    /// The record of a finding.
    pub fn new(finding: &'a Finding, report: &'a Report<'_>) -> Self {
        Self {
            r#type: "finding",
            id: &finding.id,
            rule: &finding.rule,
            severity: finding.severity,
            service: finding.service.map(|id| service_name(report.signatures, id)),
            client: &finding.client,
            server: &finding.server,
            flows: finding.flows,
            attempts: finding.attempts,
            first: finding.first.to_string(),
            last: finding.last.to_string(),
            says: &finding.says,
            consequence: finding.consequence.as_deref(),
            alternatives: &finding.alternatives,
            remedy: finding.remedy.as_deref(),
            citation: finding.citation.as_ref().map(CitationRecord::new),
            evidence: EvidenceRecord {
                frames: finding.frames.iter().map(|frame| CitedFrame::new(&report.files, *frame)).collect(),
                display_filter: &finding.display_filter,
                flow_ids: &finding.flow_ids,
                selected: finding.selected,
            },
            confidence: finding.confidence,
            unknown: finding.unknown.as_ref().map(|unknown| UnknownRecord::new(unknown, report.signatures)),
        }
    }
}

impl<'a> CitationRecord<'a> {
    fn new(cited: &'a Cited) -> Self {
        Self {
            document: &cited.document,
            section: &cited.section,
            quote: &cited.quote,
            verbatim: cited.verbatim,
            url: cited.url.as_deref(),
            basis: cited.basis.name(),
        }
    }
}

/// The summary record, `"type":"summary"`: one a report, last.
#[derive(Debug, Serialize)]
pub struct SummaryRecord<'a> {
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
    verdicts: Map<String, Value>,
    outcomes: Map<String, Value>,
    faults: Map<String, Value>,
    other_frames: Map<String, Value>,
    drops: Map<String, Value>,
    visibility: &'a crate::judge::Visibility,
    /// Hosts that the site gives no role and that showed one beyond doubt.
    roles: Vec<RoleRecord<'a>>,
    coverage: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    coverage_by_role: Map<String, Value>,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<LiveState>,
}

#[derive(Debug, Serialize)]
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
struct InterfaceRecord<'a> {
    name: Option<&'a str>,
    link_type: u16,
    snap_len: u32,
    filter: Option<&'a str>,
    dropped: Option<u64>,
}

#[derive(Debug, Serialize)]
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
            frames: report.files.iter().map(|file| file.frames).sum(),
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
                .filter_map(|(role, coverage)| Some((role_name(report.signatures, *role)?.to_owned(), rows(report.signatures, coverage).into())))
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

/// The evidence a record prints: what the bytes showed, else what explains the service without them.
pub fn evidence(judged: &Judged) -> Evidence {
    let identified = &judged.identified;
    match (identified.evidence, &identified.announced, judged.service) {
        (Evidence::None, Some(_), _) => Evidence::Announced,
        (Evidence::None, None, Some(_)) => Evidence::Port,
        (evidence, _, _) => evidence,
    }
}

/// A service's id.
pub fn service_name(signatures: &Signatures, id: ServiceId) -> &str {
    signatures.services.get(id.0 as usize).map_or("?", |service| &service.id)
}

/// A role's id.
pub fn role_name(signatures: &Signatures, id: RoleId) -> Option<&str> {
    signatures.roles.get(usize::from(id.0)).map(|role| role.id.as_str())
}

/// The contract's word for a value of a closed list.
pub fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The contract's word for how sure a direction is.
pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Certain => "certain",
        Direction::Likely => "likely",
        Direction::Unknown => "unknown",
    }
}

/// `{"tls":{"version":"1.3"},"http":{...}}`; a field said twice keeps every different value, as a list.
pub fn details(facts: &[Fact]) -> Value {
    let mut all = Map::new();
    for fact in facts {
        let Fact::Detail { key: (protocol, field), value } = fact else { continue };
        let value = value.as_ref();
        let Value::Object(fields) = all.entry(*protocol).or_insert_with(|| Value::Object(Map::new())) else { continue };
        match fields.get_mut(*field) {
            None => {
                fields.insert((*field).to_owned(), value.clone());
            }
            Some(known) if known == value => {}
            Some(Value::Array(values)) if !value.is_array() => {
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
            Some(known) => *known = Value::Array(vec![known.take(), value.clone()]),
        }
    }
    Value::Object(all)
}

/// Rows by id with the word for what was seen of them.
fn rows(signatures: &Signatures, coverage: &[(ServiceId, Coverage)]) -> Map<String, Value> {
    coverage.iter().map(|(id, coverage)| (service_name(signatures, *id).to_owned(), word(coverage).into())).collect()
}

fn counts(tally: &Tally<String>) -> Map<String, Value> {
    tally.iter().map(|(key, many)| (key.clone(), many.into())).collect()
}

fn words<K: Ord + Serialize>(tally: &Tally<K>) -> Map<String, Value> {
    tally.iter().map(|(key, many)| (word(key), many.into())).collect()
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_first_file(file: &u32) -> bool {
    *file == 0
}

/// Matched bytes that are printed: a header, or the beginning of a line.
const HEX_SHOWN: usize = 16;
