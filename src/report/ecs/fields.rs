//! The sets of fields of the Elastic Common Schema that portbook fills, each named as the schema names it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::LazyLock;

use arrayvec::{ArrayString, ArrayVec};
use serde::Serialize;

use crate::decode::VlanStack;
use crate::flow::{CommunityId, End, Ended};
use crate::identify::wire::hex_digit;
use crate::identify::{DetailValue, Fact, Identified};
use crate::judge::{Confidence, Finding, Judged, Named, Occurrence, Outcome, Reason, Severity, Verdict};
use crate::net::{AddressText, Endpoint, Mac, Transport, is_group, is_private};
use crate::report::compact::{Ready, Word, compact};
use crate::report::frames::file_name;
use crate::report::kind::Kind;
use crate::report::{Report, stated};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// `event.*`
#[derive(Serialize)]
pub(super) struct EventFields<'a> {
    kind: Word,
    category: [Word; 1],
    r#type: ArrayVec<Word, 3>,
    module: Word,
    dataset: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    start: Timestamp,
    end: Timestamp,
    duration: u64,
}

impl<'a> EventFields<'a> {
    fn new(kind: &'static str, dataset: &'static str, r#type: ArrayVec<Word, 3>, (first, last): (Timestamp, Timestamp)) -> Self {
        Self {
            kind: Word(kind),
            category: [Word("network")],
            r#type,
            module: Word("portbook"),
            dataset: Word(dataset),
            action: None,
            outcome: None,
            id: None,
            severity: None,
            reason: None,
            start: first,
            end: last,
            duration: u64::try_from(last.since(first).as_nanos()).unwrap_or(u64::MAX),
        }
    }

    pub fn of_flow(judged: &'a Judged, uid: String) -> Self {
        let flow = &judged.identified.flow;
        // Only where somebody said no: silence is no denial.
        let denied = matches!(judged.outcome, Outcome::RejectedByNetwork | Outcome::BlockedByProxy | Outcome::DnsBlocked).then_some("denied");
        let ended = (flow.ended == Ended::Closed).then_some("end");
        let kinds = ["connection"].into_iter().chain(denied).chain(ended).map(Word).collect();
        Self {
            action: Some("network_flow"),
            outcome: Some(Word(outcome(judged.outcome))),
            id: Some(uid),
            reason: judged.cause.as_ref().map(|cause| cause.says.as_str()),
            ..Self::new("event", "portbook.flow", kinds, (flow.first, flow.last))
        }
    }

    pub fn of_finding(finding: &'a Finding) -> Self {
        // ECS leaves the scale to the source: 4 is the worst.
        let severity = match finding.severity {
            Severity::High => 4,
            Severity::Medium => 3,
            Severity::Low => 2,
            Severity::Info => 1,
        };
        Self {
            action: Some(&finding.rule),
            id: Some(finding.id.clone()),
            severity: Some(severity),
            reason: Some(&finding.says),
            ..Self::new("alert", "portbook.finding", info(), (finding.first, finding.last))
        }
    }

    pub fn of_whole(first: Timestamp, last: Timestamp) -> Self {
        Self::new("metric", "portbook.summary", info(), (first, last))
    }
}

/// The type of what is no connection.
fn info() -> ArrayVec<Word, 3> {
    [Word("info")].into_iter().collect()
}

/// Whether what the client wanted succeeded, in ECS's three words.
const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok | Outcome::OkDegraded | Outcome::OneWayByDesign => "success",
        Outcome::ConnectedNoData | Outcome::ScanNoise | Outcome::Midstream | Outcome::NotObservable | Outcome::CaptureDamaged => "unknown",
        _ => "failure",
    }
}

/// `observer.*`
#[derive(Serialize)]
pub(super) struct Observer {
    vendor: &'static str,
    product: &'static str,
    r#type: &'static str,
    version: &'static str,
}

/// The same in every document.
impl Observer {
    const fn new() -> Self {
        Self { vendor: "portbook", product: "portbook", r#type: "sensor", version: env!("CARGO_PKG_VERSION") }
    }

    pub fn ready() -> Ready<'static, fn() -> Self> {
        static JSON: LazyLock<String> = LazyLock::new(|| compact(&Observer::new()).unwrap_or_default());
        Ready { value: Self::new, json: &JSON }
    }
}

/// `source.*` and `destination.*`
#[derive(Serialize)]
pub(super) struct EndFields<'a> {
    address: Address<'a>,
    ip: AddressText,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<ArrayString<17>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

impl<'a> EndFields<'a> {
    pub fn of_flow(end: &End, names: &'a [Named]) -> Self {
        let ip = AddressText::new(end.endpoint.ip);
        Self {
            address: Address::Ip(ip),
            ip,
            port: end.endpoint.port,
            mac: end.mac.map(mac),
            domain: names.first().map(|named| named.name.as_str()),
            packets: Some(end.packets),
            bytes: Some(end.bytes),
        }
    }

    /// `address` is what the finding says: an address, a network or a role.
    pub fn of_finding(end: Endpoint, said: &'a str) -> Self {
        Self { address: Address::Said(said), ip: AddressText::new(end.ip), port: end.port, mac: None, domain: None, packets: None, bytes: None }
    }
}

/// What stands under `address`: what the flow or the finding says.
#[derive(Serialize)]
#[serde(untagged)]
enum Address<'a> {
    Ip(AddressText),
    Said(&'a str),
}

/// As RFC 7042 writes it and ECS asks: upper case, hyphens.
fn mac(mac: Mac) -> ArrayString<17> {
    let mut text = *b"00-00-00-00-00-00";
    for (place, byte) in text.chunks_mut(3).zip(mac.0) {
        for (digit, nibble) in place.iter_mut().zip([byte >> 4, byte & 0x0f]) {
            *digit = (hex_digit(nibble) as u8).to_ascii_uppercase();
        }
    }
    // Digits and hyphens.
    ArrayString::from_byte_string(&text).unwrap_or_default()
}

/// `network.*`
#[derive(Serialize)]
pub(super) struct Network<'a> {
    r#type: Word,
    transport: Cow<'static, str>,
    iana_number: ArrayString<3>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    direction: Word,
    community_id: CommunityId,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vlan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner: Option<Inner>,
}

#[derive(Serialize)]
struct Vlan {
    id: String,
}

#[derive(Serialize)]
struct Inner {
    vlan: Vlan,
}

impl<'a> Network<'a> {
    fn between(transport: Transport, client: Endpoint, server: Endpoint, community_id: CommunityId) -> Self {
        let transport_name = if transport == Transport::ICMP6 { "ipv6-icmp".into() } else { transport.name() };
        Self {
            r#type: Word(if client.ip.is_ipv4() { "ipv4" } else { "ipv6" }),
            transport: transport_name,
            iana_number: ArrayString::from(itoa::Buffer::new().format(transport.0)).unwrap_or_default(),
            protocol: None,
            direction: Word(direction(client.ip, server.ip)),
            community_id,
            packets: None,
            bytes: None,
            vlan: None,
            inner: None,
        }
    }

    pub fn of_flow(identified: &'a Identified, community_id: CommunityId) -> Self {
        let flow = &identified.flow;
        let vlan = |stack: &VlanStack, place: usize| stack.ids().get(place).map(|id| Vlan { id: id.to_string() });
        Self {
            protocol: identified.protocol.last().copied(),
            packets: Some(flow.client.packets + flow.server.packets),
            bytes: Some(flow.client.bytes + flow.server.bytes),
            vlan: vlan(&flow.vlan, 0),
            inner: vlan(&flow.vlan, 1).map(|vlan| Inner { vlan }),
            ..Self::between(flow.transport, flow.client.endpoint, flow.server.endpoint, community_id)
        }
    }

    pub fn of_finding(occurrence: &Occurrence) -> Self {
        let parties = occurrence.parties;
        Self::between(parties.transport, parties.client, parties.server, occurrence.id)
    }
}

/// Seen from the private addresses.
fn direction(client: IpAddr, server: IpAddr) -> &'static str {
    match (is_private(client), is_private(server) || is_group(server)) {
        (true, true) => "internal",
        (true, false) => "outbound",
        (false, true) => "inbound",
        (false, false) => "external",
    }
}

/// `dns.*`
#[derive(Serialize)]
pub(super) struct Dns<'a> {
    question: Question<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resolved_ip: Vec<IpAddr>,
}

#[derive(Serialize)]
struct Question<'a> {
    name: &'a DetailValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a DetailValue>,
}

impl<'a> Dns<'a> {
    /// The first question; none where none was seen.
    pub fn of(judged: &'a Judged) -> Option<Self> {
        let name = stated::details(judged, "dns", "query").next()?;
        let r#type = stated::details(judged, "dns", "type").next();
        let resolved = judged.identified.facts.iter().filter_map(|fact| match fact {
            Fact::Resolved(resolved) if !resolved.reverse => Some(&resolved.addresses),
            _ => None,
        });
        Some(Self { question: Question { name, r#type }, resolved_ip: each_once(resolved.flatten().copied()) })
    }
}

/// `tls.*`
#[derive(Serialize)]
pub(super) struct Tls<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a DetailValue>,
    version_protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_protocol: Option<&'a DetailValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<TlsClient<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<TlsServer<'a>>,
}

#[derive(Serialize)]
struct TlsClient<'a> {
    server_name: &'a str,
}

#[derive(Serialize)]
struct TlsServer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a DetailValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a DetailValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
}

impl<'a> Tls<'a> {
    pub fn of(judged: &'a Judged) -> Self {
        let identified = &judged.identified;
        let datagrams = identified.protocol.contains(&"dtls");
        let carrier = if datagrams { "dtls" } else { "tls" };
        let detail = |field| stated::details(judged, carrier, field).next();
        let certificate = detail("certificate");
        let not_after = |certificate: &DetailValue| certificate.get("not_after").and_then(DetailValue::as_str).and_then(stated::certificate_time);
        Self {
            version: detail("version"),
            version_protocol: carrier,
            next_protocol: detail("alpn_chosen"),
            client: stated::server_name(judged, "sni").map(|server_name| TlsClient { server_name }),
            server: certificate.map(|certificate| TlsServer {
                subject: certificate.get("subject"),
                issuer: certificate.get("issuer"),
                not_after: not_after(certificate).map(|time| time + "Z"),
            }),
        }
    }
}

/// `http.*`
#[derive(Serialize)]
pub(super) struct Http<'a> {
    request: HttpRequest<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<HttpResponse>,
}

#[derive(Serialize)]
struct HttpRequest<'a> {
    method: &'a str,
}

#[derive(Serialize)]
struct HttpResponse {
    status_code: u32,
}

impl<'a> Http<'a> {
    /// The first request, and the answer where there was no other request it could belong to.
    pub fn of(facts: &'a [Fact]) -> Option<Self> {
        let mut requests = stated::requests(facts);
        let (method, _) = requests.next()?;
        let only = requests.next().is_none();
        let response = stated::answer(facts).filter(|_| only).map(|status_code| HttpResponse { status_code });
        Some(Self { request: HttpRequest { method }, response })
    }
}

/// `url.*`
#[derive(Serialize)]
pub(super) struct Url<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    path: &'a str,
}

impl<'a> Url<'a> {
    pub fn of(judged: &'a Judged) -> Option<Self> {
        let (_, path) = stated::requests(&judged.identified.facts).next()?;
        Some(Self { domain: stated::server_name(judged, "host"), path })
    }
}

/// `user_agent.*`
#[derive(Serialize)]
pub(super) struct UserAgent<'a> {
    original: &'a str,
}

impl<'a> UserAgent<'a> {
    pub fn of(facts: &'a [Fact]) -> Option<Self> {
        stated::user_agent(facts).map(|original| Self { original })
    }
}

/// `rule.*`
#[derive(Serialize)]
pub(super) struct Rule<'a> {
    id: &'a str,
    name: String,
    category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ruleset: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
}

impl<'a> Rule<'a> {
    pub fn of(finding: &'a Finding) -> Self {
        let cited = finding.citation.as_ref();
        Self {
            id: &finding.rule,
            name: format!("{}: {}", finding.about, finding.rule.replace('_', " ")),
            category: Kind::of(finding).about(),
            description: cited.map(|cited| cited.quote.as_str()),
            ruleset: cited.map(|cited| cited.document.as_str()),
            reference: cited.and_then(|cited| cited.url.as_deref()),
        }
    }
}

/// `related.*`
#[derive(Serialize)]
pub(super) struct Related<'a> {
    ip: Vec<AddressText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<&'a str>,
}

impl<'a> Related<'a> {
    pub fn of_flow(judged: &'a Judged) -> Self {
        let flow = &judged.identified.flow;
        let hosts = judged.names.iter().flatten().map(|named| named.name.as_str());
        Self { ip: addresses([flow.client.endpoint.ip, flow.server.endpoint.ip]), hosts: each_once(hosts) }
    }

    pub fn of_finding(finding: &'a Finding) -> Self {
        let ends = finding.occurrences.iter().flat_map(|occurrence| [occurrence.parties.client.ip, occurrence.parties.server.ip]);
        Self { ip: addresses(ends), hosts: Vec::new() }
    }
}

fn addresses(of: impl IntoIterator<Item = IpAddr>) -> Vec<AddressText> {
    each_once(of).into_iter().map(AddressText::new).collect()
}

/// In order, and each once: ECS asks for sets.
fn each_once<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// `portbook.*`: what the schema has no field for.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Other<'a> {
    Flow(Box<FlowFields<'a>>),
    Finding(Box<FindingFields<'a>>),
    Whole(Whole),
}

#[derive(Serialize)]
pub(super) struct FlowFields<'a> {
    protocol: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<&'a str>,
    verdict: Verdict,
    reasons: &'a [Reason],
    outcome: Outcome,
    confidence: Confidence,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    client_roles: Vec<&'a str>,
    server_roles: Vec<&'a str>,
    history: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Word>,
    first_frame: u64,
    last_frame: u64,
}

impl<'a> FlowFields<'a> {
    pub fn new(judged: &'a Judged, signatures: &'a Signatures) -> Self {
        let flow = &judged.identified.flow;
        let service = judged.service.map(|id| signatures.service(id));
        let roles = |side: usize| judged.roles[side].iter().map(|role| signatures.role(*role).id.as_str()).collect();
        Self {
            protocol: &judged.identified.protocol,
            service: service.map(|service| service.id.as_str()),
            vendor: service.map(|service| signatures.document(service.document).vendor.as_str()),
            verdict: judged.verdict,
            reasons: &judged.reasons,
            outcome: judged.outcome,
            confidence: judged.confidence,
            rule: judged.cause.as_ref().map(|cause| cause.rule),
            client_roles: roles(0),
            server_roles: roles(1),
            history: flow.history.as_str(),
            state: flow.state.map(|state| Word(state.name())),
            first_frame: flow.first_frame.number(),
            last_frame: flow.last_frame.number(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct FindingFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    severity: Severity,
    confidence: Confidence,
    flows: u64,
    attempts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    consequence: Option<&'a str>,
    alternatives: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    frames: Vec<FrameFields<'a>>,
    display_filter: &'a str,
    flow_ids: &'a [CommunityId],
}

#[derive(Serialize)]
struct FrameFields<'a> {
    file: &'a str,
    number: u64,
}

impl<'a> FindingFields<'a> {
    pub fn new(finding: &'a Finding, report: &'a Report<'_>) -> Self {
        Self {
            service: finding.service.map(|id| report.signatures.service(id).id.as_str()),
            severity: finding.severity,
            confidence: finding.confidence,
            flows: finding.flows,
            attempts: finding.attempts,
            consequence: finding.consequence.as_deref(),
            alternatives: &finding.alternatives,
            remedy: finding.remedy.as_deref(),
            frames: finding.frames.iter().map(|frame| FrameFields { file: file_name(&report.files, *frame), number: frame.number() }).collect(),
            display_filter: &finding.display_filter,
            flow_ids: &finding.flow_ids,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Whole {
    captures: usize,
    frames: u64,
    bytes: u64,
    flows: u64,
    findings: usize,
}

impl Whole {
    pub fn new(report: &Report<'_>) -> Self {
        Self { captures: report.files.len(), frames: report.frames(), bytes: report.wire_bytes, flows: report.digest.flows, findings: report.findings.len() }
    }
}
