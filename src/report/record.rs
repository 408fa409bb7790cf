//! The records of the contract, as JSON prints them. Field order is the contract's.

mod details;
mod summary;

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::net::IpAddr;

use arrayvec::ArrayString;
use serde::Serialize;
use serde::ser::Serializer;

use crate::decode::TunnelPath;
use crate::flow::{self, CommunityId, Direction, Parties};
use crate::identify::wire::hex_digit;
use crate::identify::{Evidence, Identified, Match, Promise};
use crate::judge::{Candidate, Candidates, Cited, Confidence, Finding, Judged, Named, Outcome, Phase, Reason, Severity, Shown, Unknown, Verdict, hex};
use crate::net::{AddressText, Side};
use crate::report::Report;
use crate::report::compact::{Ready, Word, compact};
use crate::report::frames::{CitedFrame, FramesRecord, is_first_file};
use crate::signature::{RoleId, Signatures};
use crate::time::Timestamp;
pub use details::Details;
pub use summary::SummaryRecord;

/// A flow record, `"type":"flow"`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowRecord<'a> {
    #[cfg_attr(feature = "schema", schemars(extend("const" = "flow")))]
    r#type: Word,
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    id: CommunityId,
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    first: Timestamp,
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    last: Timestamp,
    transport: Cow<'static, str>,
    vlan: &'a [u16],
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Word>"))]
    tunnel: Tunnels,
    client: EndRecord<'a>,
    server: EndRecord<'a>,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["certain", "likely", "unknown"])))]
    direction: Word,
    history: &'a str,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = [null, "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"])))]
    state: Option<Word>,
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Word>"))]
    protocol: Words<'a>,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["announced", "port", "one_opening", "both_openings", "dialogue", "none"])))]
    evidence: Word,
    #[cfg_attr(feature = "schema", schemars(with = "Vec<MatchRecord>"))]
    matches: MatchRecords<'a>,
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, std::collections::BTreeMap<String, serde_json::Value>>"))]
    details: Details<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    announced: Option<AnnouncedRecord>,
    /// The same conversation on the other side of a router that translates addresses; of the two the flow between the ends that talk is judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    translated: Option<TranslatedRecord>,
    service: Option<&'a str>,
    instance: Option<u16>,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = [null, "document", "supplement", "user"])))]
    basis: Option<&'static str>,
    #[cfg_attr(feature = "schema", schemars(with = "Vec<CandidateRecord<'a>>"))]
    candidates: CandidateRecords<'a>,
    verdict: Verdict,
    reasons: &'a [Reason],
    outcome: Outcome,
    confidence: Confidence,
    cause: Option<CauseRecord<'a>>,
    frames: FramesRecord<'a>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct EndRecord<'a> {
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    ip: AddressText,
    port: u16,
    packets: u64,
    bytes: u64,
    payload_bytes: u64,
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    roles: RoleNames<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role_evidence: Vec<RoleRecord<'a>>,
    names: &'a [Named],
}

/// Words of a list. It and its like below are printed as they are gone through, without a list of their own.
#[derive(Debug)]
struct Words<'a>(&'a [&'static str]);

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|word| Word(word)))
    }
}

/// Names of encapsulations, outermost first.
#[derive(Debug)]
struct Tunnels(TunnelPath);

impl Serialize for Tunnels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|tunnel| Word(tunnel.name())))
    }
}

/// The ids of roles.
#[derive(Debug)]
struct RoleNames<'a> {
    roles: &'a [RoleId],
    signatures: &'a Signatures,
}

impl Serialize for RoleNames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.roles.iter().map(|role| &self.signatures.role(*role).id))
    }
}

/// What the bytes of a flow matched.
#[derive(Debug)]
struct MatchRecords<'a>(&'a Identified);

impl Serialize for MatchRecords<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.matches.iter().map(|found| MatchRecord::new(found, self.0)))
    }
}

/// A role that a host shows, and by what. `judged`: whether its flows are held against it, unless the site says otherwise.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
        let role = &signatures.role(*role).id;
        let (version, confidence, file) = (version.as_deref(), *confidence, frame.file());
        Self { ip: None, role, by, shows: what, version, confidence, judged: *counts, file, frame: frame.number() }
    }
}

/// A flow by its Community ID and its ends.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct TranslatedRecord {
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    flow: CommunityId,
    client: String,
    server: String,
}

/// What announced the flow: the parent by its Community ID and its ends, and the frame that said so.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct AnnouncedRecord {
    by: &'static str,
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    flow: CommunityId,
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct MatchRecord {
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["client", "server"])))]
    side: Word,
    offset: u32,
    bytes: u32,
    rule: &'static str,
    #[serde(skip_serializing_if = "is_first_file")]
    file: u32,
    frame: u64,
    /// The bytes that matched, in hexadecimal, as far as they were kept.
    #[serde(skip_serializing_if = "ArrayString::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    hex: ArrayString<{ 2 * HEX_SHOWN }>,
    /// The start of the connection was not seen: the rule is one that holds later, too, and is believed one class less.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    midstream: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct CandidateRecord<'a> {
    service: &'a str,
    fits: bool,
    why: &'a str,
}

/// The candidates of a flow. Most flows have the list of another one before, and with it the JSON that was made of that.
#[derive(Debug)]
struct CandidateRecords<'a> {
    candidates: &'a Candidates,
    signatures: &'a Signatures,
}

impl Serialize for CandidateRecords<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { candidates, signatures } = self;
        // Records of them have texts for keys, which is all that could go wrong.
        let json = candidates.printed(|rows| compact(&candidate_records(rows, signatures)).unwrap_or_default());
        if json.is_empty() {
            return candidate_records(candidates, signatures).serialize(serializer);
        }
        Ready { value: || candidate_records(candidates, signatures), json }.serialize(serializer)
    }
}

fn candidate_records<'a>(rows: &'a [Candidate], signatures: &'a Signatures) -> Vec<CandidateRecord<'a>> {
    rows.iter().map(|row| CandidateRecord::new(row, signatures)).collect()
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
            r#type: Word("flow"),
            id: flow::community_id(flow),
            first: flow.first,
            last: flow.last,
            transport: flow.transport.name(),
            vlan: flow.vlan.ids(),
            tunnel: Tunnels(flow.tunnel),
            client: EndRecord::new(judged, Side::Client, signatures),
            server: EndRecord::new(judged, Side::Server, signatures),
            direction: Word(direction_name(flow.direction)),
            history: flow.history.as_str(),
            state: flow.state.map(|state| Word(state.name())),
            protocol: Words(&identified.protocol),
            evidence: Word(evidence(judged).name()),
            matches: MatchRecords(identified),
            details: Details(&identified.details),
            announced: identified.announced.as_deref().map(AnnouncedRecord::new),
            translated: judged.translated.as_deref().map(TranslatedRecord::new),
            service: judged.service.map(|id| signatures.service(id).id.as_str()),
            instance: judged.instance,
            basis: judged.service.map(|id| signatures.service(id).basis.name()),
            candidates: CandidateRecords { candidates: &judged.candidates, signatures },
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
            ip: AddressText::new(end.endpoint.ip),
            port: end.endpoint.port,
            packets: end.packets,
            bytes: end.bytes,
            payload_bytes: end.payload_bytes,
            roles: RoleNames { roles, signatures },
            role_evidence: shown.iter().map(|shown| RoleRecord::new(shown, signatures)).collect(),
            names,
        }
    }
}

impl TranslatedRecord {
    fn new(other: &Parties) -> Self {
        let Parties { transport, client, server } = *other;
        Self { flow: flow::community_id_of(transport, client, server), client: client.to_string(), server: server.to_string() }
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
            file: promise.frame.file(),
            frame: promise.frame.number(),
            time: promise.made.to_string(),
            hidden: promise.is_hidden(),
        }
    }
}

impl MatchRecord {
    fn new(found: &Match, identified: &Identified) -> Self {
        let (flow, bytes) = (&identified.flow, identified.matched(found));
        let midstream = flow.tcp.as_ref().is_some_and(|tcp| tcp.midstream);
        let mut hex = ArrayString::new();
        // There is room for as many.
        let digits = bytes.iter().take(HEX_SHOWN).flat_map(|byte| [byte >> 4, byte & 0x0f]);
        let _ = digits.map(hex_digit).try_for_each(|digit| hex.try_push(digit));
        Self {
            side: Word(found.side.name()),
            offset: found.offset,
            bytes: found.len,
            rule: found.rule,
            file: found.frame.file(),
            frame: found.frame.number(),
            hex,
            midstream,
        }
    }
}

impl<'a> CandidateRecord<'a> {
    fn new(candidate: &'a Candidate, signatures: &'a Signatures) -> Self {
        Self { service: &signatures.service(candidate.service).id, fits: candidate.fits, why: &candidate.why }
    }
}

/// A finding record, `"type":"finding"`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingRecord<'a> {
    #[cfg_attr(feature = "schema", schemars(extend("const" = "finding")))]
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
    citation: Option<&'a Cited>,
    evidence: EvidenceRecord<'a>,
    confidence: Confidence,
    /// What there is to know of a service that no document mentions.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<UnknownRecord<'a>>,
    /// What is new about it; of live traffic alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["new", "changed", "closed", "withdrawn", "restored", "final"])))]
    phase: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
            nearest: unknown.nearest.iter().map(|(id, why)| NearRecord { service: &signatures.service(*id).id, why }).collect(),
            draft: &unknown.draft,
        }
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct EvidenceRecord<'a> {
    frames: Vec<CitedFrame<'a>>,
    display_filter: &'a str,
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    flow_ids: &'a [CommunityId],
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
            service: finding.service.map(|id| report.signatures.service(id).id.as_str()),
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
            citation: finding.citation.as_ref(),
            evidence: EvidenceRecord {
                frames: finding.frames.iter().map(|frame| CitedFrame::new(&report.files, *frame)).collect(),
                display_filter: &finding.display_filter,
                flow_ids: &finding.flow_ids,
                selected: finding.selected,
            },
            confidence: finding.confidence,
            unknown: finding.unknown.as_ref().map(|unknown| UnknownRecord::new(unknown, report.signatures)),
            phase: None,
        }
    }

    /// The same as it is told of live traffic.
    #[must_use]
    pub fn told(self, phase: Phase) -> Self {
        Self { phase: Some(phase.name()), ..self }
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

/// The contract's word for a value of a closed list.
pub fn word<T: Serialize>(value: &T) -> String {
    let mut word = String::with_capacity(24);
    append_word(&mut word, value);
    word
}

/// The same behind what is there. Addresses are such words, too; what is no word is left out.
pub(super) fn append_word(out: &mut String, value: &impl Serialize) {
    let _ = write!(out, "{}", Spelled(value));
}

/// A value by the name that it has in records: the standard library's formatter takes these from serde.
struct Spelled<'a, T>(&'a T);

impl<T: Serialize> fmt::Display for Spelled<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(formatter)
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

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Matched bytes that are printed: a header, or the beginning of a line.
const HEX_SHOWN: usize = 16;
