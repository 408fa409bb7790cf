//! `eve`: events as Suricata writes them to `eve.json`, so that its dashboards and recipes read them.
//!
//! After Suricata 7's EVE JSON format. For each flow, as it passes: what its protocols state (`dns`, `tls`, `quic`, `http`, `mqtt`), then `flow`. At the end an
//! `alert` for each flow that a finding keeps ([`Occurrence`]), and `stats`. Bytes are IP bytes; Suricata counts whole frames. What Suricata has no word for stands
//! under `portbook`.

mod application;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::flow::{ConnState, Ended, Flow, Parties, community_id};
use crate::judge::{Confidence, Finding, Judged, Occurrence, Outcome, Reason, Severity, Verdict};
use crate::net::{AddressText, Transport};
use crate::report::compact::Line;
use crate::report::frames::file_name;
use crate::report::kind::Kind;
use crate::report::mark::Mark;
use crate::report::{Report, Style, Writer};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// Writes an event a line.
pub fn open<'a>(out: &'a mut dyn Write, _: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Events { out, signatures, counted: Counted::default(), line: Line::default() })
}

struct Events<'a> {
    out: &'a mut dyn Write,
    signatures: &'a Signatures,
    counted: Counted,
    line: Line,
}

impl Writer for Events<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        let flow = &judged.identified.flow;
        let id = community_id(flow);
        let (first, parties) = (flow.first, flow.parties());
        let app_proto = judged.identified.protocol.first().map(|name| app_proto(name));
        self.counted.add(flow, app_proto);
        let (icmp_type, icmp_code) = flow.icmp.unzip();
        let mut ends = Ends { vlan: flow.vlan.ids(), icmp_type, icmp_code, ..Ends::of(&id, parties) };
        let number = Mark::new(&id, first).number();
        for application in application::events(judged) {
            self.line.write(self.out, &Event::new(application.event_type(), (number, first), &ends, application), b"\n")?;
        }
        ends.app_proto = app_proto;
        self.line.write(self.out, &Event::new("flow", (number, flow.last), &ends, FlowBody::new(judged, self.signatures)), b"\n")
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        for finding in &report.findings {
            for occurrence in &finding.occurrences {
                self.counted.alerts += 1;
                let ends = Ends { pcap_cnt: Some(occurrence.frame.number()), ..Ends::of(&occurrence.id, occurrence.parties) };
                let body = AlertBody::new(finding, occurrence, report);
                let number = Mark::new(&occurrence.id, occurrence.first).number();
                self.line.write(self.out, &Event::new("alert", (number, occurrence.first), &ends, body), b"\n")?;
            }
        }
        let (first, last) = report.span.unwrap_or_default();
        let stats = Stats::new(report, &self.counted, last.since(first).as_secs());
        self.line.write(self.out, &Whole { timestamp: moment(last), event_type: "stats", stats }, b"\n")
    }
}

/// What every event of a flow begins with.
#[derive(Serialize)]
struct Event<'a, B> {
    timestamp: String,
    flow_id: u64,
    event_type: &'static str,
    #[serde(flatten)]
    ends: &'a Ends<'a>,
    #[serde(flatten)]
    body: B,
}

impl<'a, B> Event<'a, B> {
    /// An event of the flow of that number, told at that time.
    fn new(event_type: &'static str, (flow_id, told): (u64, Timestamp), ends: &'a Ends<'a>, body: B) -> Self {
        Self { timestamp: moment(told), flow_id, event_type, ends, body }
    }
}

/// Between whom an event is.
#[derive(Serialize)]
struct Ends<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_cnt: Option<u64>,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    vlan: &'a [u16],
    src_ip: AddressText,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: AddressText,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    community_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'static str>,
}

impl<'a> Ends<'a> {
    fn of(community_id: &'a str, parties: Parties) -> Self {
        let Parties { transport, client, server } = parties;
        let port = |port: u16| transport.has_ports().then_some(port);
        Self {
            pcap_cnt: None,
            vlan: &[],
            src_ip: AddressText::new(client.ip),
            src_port: port(client.port),
            dest_ip: AddressText::new(server.ip),
            dest_port: port(server.port),
            proto: proto(transport),
            icmp_type: None,
            icmp_code: None,
            community_id,
            app_proto: None,
        }
    }
}

#[derive(Serialize)]
struct FlowBody<'a> {
    flow: FlowPart,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpPart>,
    portbook: Verdicts<'a>,
}

#[derive(Serialize)]
struct FlowPart {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: String,
    end: String,
    age: u64,
    state: &'static str,
    reason: &'static str,
}

#[derive(Serialize)]
struct TcpPart {
    syn: bool,
    fin: bool,
    rst: bool,
    ack: bool,
    state: &'static str,
}

#[derive(Serialize)]
struct Verdicts<'a> {
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    protocol: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    verdict: Verdict,
    #[serde(skip_serializing_if = "<[Reason]>::is_empty")]
    reasons: &'a [Reason],
    outcome: Outcome,
    confidence: Confidence,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    history: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

impl<'a> FlowBody<'a> {
    fn new(judged: &'a Judged, signatures: &'a Signatures) -> Self {
        let flow = &judged.identified.flow;
        let state = state(flow);
        let has = |upper: char, lower: char| flow.history.has(upper) || flow.history.has(lower);
        Self {
            flow: FlowPart {
                pkts_toserver: flow.client.packets,
                pkts_toclient: flow.server.packets,
                bytes_toserver: flow.client.bytes,
                bytes_toclient: flow.server.bytes,
                start: moment(flow.first),
                end: moment(flow.last),
                age: flow.last.since(flow.first).as_secs(),
                state,
                reason: match flow.ended {
                    Ended::Closed | Ended::Idle => "timeout",
                    Ended::CaptureEnd => "shutdown",
                    Ended::Reused => "tcp_reuse",
                    Ended::Evicted => "forced",
                },
            },
            tcp: (flow.transport == Transport::TCP).then(|| TcpPart {
                syn: has('S', 's') || has('H', 'h'),
                fin: has('F', 'f'),
                rst: has('R', 'r'),
                ack: has('A', 'a') || has('H', 'h') || has('D', 'd'),
                state: tcp_state(flow),
            }),
            portbook: Verdicts {
                protocol: &judged.identified.protocol,
                service: judged.service.map(|id| signatures.service(id).id.as_str()),
                verdict: judged.verdict,
                reasons: &judged.reasons,
                outcome: judged.outcome,
                confidence: judged.confidence,
                rule: judged.cause.as_ref().map(|cause| cause.rule),
                cause: judged.cause.as_ref().map(|cause| cause.says.as_str()),
                history: flow.history.as_str(),
                state: flow.state.map(ConnState::name),
            },
        }
    }
}

#[derive(Serialize)]
struct AlertBody<'a> {
    alert: Alert<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_filename: Option<&'a str>,
    portbook: Told<'a>,
}

#[derive(Serialize)]
struct Alert<'a> {
    action: &'static str,
    gid: u8,
    signature_id: u32,
    rev: u8,
    signature: String,
    category: &'static str,
    severity: u8,
    metadata: Metadata<'a>,
}

/// Lists, as rules' metadata always are.
#[derive(Serialize)]
struct Metadata<'a> {
    confidence: [&'static str; 1],
    signature_severity: [&'static str; 1],
    portbook_rule: [&'a str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    portbook_service: Vec<&'a str>,
}

#[derive(Serialize)]
struct Told<'a> {
    finding: &'a str,
    flows: u64,
    attempts: u64,
    says: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    consequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<&'a str>,
    display_filter: &'a str,
}

impl<'a> AlertBody<'a> {
    fn new(finding: &'a Finding, occurrence: &Occurrence, report: &'a Report<'_>) -> Self {
        let (severity, word) = match finding.severity {
            Severity::High => (1, "Critical"),
            Severity::Medium => (2, "Major"),
            Severity::Low => (3, "Minor"),
            Severity::Info => (4, "Informational"),
        };
        Self {
            alert: Alert {
                action: "allowed",
                gid: 1,
                signature_id: signature_id(&finding.id),
                rev: 1,
                signature: format!("portbook {}: {}", finding.rule.replace('_', " "), finding.about),
                category: Kind::of(finding).about(),
                severity,
                metadata: Metadata {
                    confidence: [match finding.confidence {
                        Confidence::High => "High",
                        Confidence::Medium => "Medium",
                        Confidence::Low => "Low",
                    }],
                    signature_severity: [word],
                    portbook_rule: [&finding.rule],
                    portbook_service: finding.service.map(|id| report.signatures.service(id).id.as_str()).into_iter().collect(),
                },
            },
            pcap_filename: report.files.get(occurrence.frame.file() as usize).map(|_| file_name(&report.files, occurrence.frame)),
            portbook: Told {
                finding: &finding.id,
                flows: finding.flows,
                attempts: finding.attempts,
                says: &finding.says,
                consequence: finding.consequence.as_deref(),
                remedy: finding.remedy.as_deref(),
                document: finding.citation.as_ref().map(|cited| cited.document.as_str()),
                quote: finding.citation.as_ref().map(|cited| cited.quote.as_str()),
                display_filter: &finding.display_filter,
            },
        }
    }
}

/// What the writer counts of flows for `stats`.
#[derive(Default)]
struct Counted {
    transports: BTreeMap<&'static str, u64>,
    applications: BTreeMap<&'static str, u64>,
    alerts: u64,
}

impl Counted {
    fn add(&mut self, flow: &Flow, app_proto: Option<&'static str>) {
        let transport = match flow.transport {
            Transport::TCP => "tcp",
            Transport::UDP => "udp",
            Transport::ICMP => "icmpv4",
            Transport::ICMP6 => "icmpv6",
            _ => "other",
        };
        for name in ["total", transport] {
            *self.transports.entry(name).or_default() += 1;
        }
        if let Some(name) = app_proto {
            *self.applications.entry(name).or_default() += 1;
        }
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    timestamp: String,
    event_type: &'static str,
    stats: Stats<'a>,
}

#[derive(Serialize)]
struct Stats<'a> {
    uptime: u64,
    capture: CaptureStats,
    decoder: DecoderStats,
    flow: &'a BTreeMap<&'static str, u64>,
    app_layer: AppLayerStats<'a>,
    detect: DetectStats,
}

#[derive(Serialize)]
struct CaptureStats {
    kernel_packets: u64,
    kernel_drops: u64,
}

#[derive(Serialize)]
struct DecoderStats {
    pkts: u64,
    bytes: u64,
    invalid: u64,
}

#[derive(Serialize)]
struct AppLayerStats<'a> {
    flow: &'a BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct DetectStats {
    alert: u64,
}

impl<'a> Stats<'a> {
    fn new(report: &Report<'_>, counted: &'a Counted, uptime: u64) -> Self {
        let pkts = report.frames();
        let kernel_drops = report.interfaces.iter().filter_map(|interface| interface.dropped).sum();
        Self {
            uptime,
            capture: CaptureStats { kernel_packets: pkts, kernel_drops },
            decoder: DecoderStats { pkts, bytes: report.wire_bytes, invalid: report.losses.faults().total() },
            flow: &counted.transports,
            app_layer: AppLayerStats { flow: &counted.applications },
            detect: DetectStats { alert: counted.alerts },
        }
    }
}

/// `2026-11-20T15:24:54.277296+0000`, as Suricata prints times.
fn moment(time: Timestamp) -> String {
    let text = time.rfc3339();
    [text.as_str().get(..26).unwrap_or_default(), "+0000"].concat()
}

/// Suricata's names: upper case, and its own for ICMPv6.
fn proto(transport: Transport) -> Cow<'static, str> {
    match transport {
        Transport::TCP => "TCP".into(),
        Transport::UDP => "UDP".into(),
        Transport::ICMP6 => "IPv6-ICMP".into(),
        other => other.name().to_ascii_uppercase().into(),
    }
}

/// Suricata's name of an application, where it has another than ours.
fn app_proto(name: &'static str) -> &'static str {
    match name {
        "ethernetip" => "enip",
        "kerberos" => "krb5",
        "postgresql" => "pgsql",
        "bittorrent" => "bittorrent-dht",
        other => other,
    }
}

/// `new` until both ends were heard, then `established`, then `closed`.
fn state(flow: &Flow) -> &'static str {
    match (flow.ended, flow.server.packets) {
        (Ended::Closed, _) if flow.transport == Transport::TCP => "closed",
        (_, 0) => "new",
        _ => "established",
    }
}

/// The state of a TCP session in Suricata's words, by Zeek's for the whole connection.
fn tcp_state(flow: &Flow) -> &'static str {
    match flow.state {
        Some(ConnState::S0) => "syn_sent",
        Some(ConnState::S1 | ConnState::Oth) | None => "established",
        Some(ConnState::S2) => "fin_wait1",
        Some(ConnState::S3) => "close_wait",
        Some(ConnState::Sh | ConnState::Shr) => "fin_wait1",
        Some(ConnState::SF | ConnState::Rej | ConnState::Rsto | ConnState::Rstr | ConnState::Rstos0 | ConnState::Rstrh) => "closed",
    }
}

/// A number for the finding in the range that is left to local rules, 1,000,000 to 1,999,999: what is alike has one number, in every run. (FNV-1a, 32 bits.)
fn signature_id(finding: &str) -> u32 {
    let hash = finding.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    1_000_000 + hash % 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_six_digits_and_an_offset() {
        assert_eq!(moment(Timestamp::from_parts(951_782_400, 123_456_789)), "2000-02-29T00:00:00.123456+0000");
    }

    #[test]
    fn transports_have_suricatas_names() {
        assert_eq!([Transport::TCP, Transport::ICMP6, Transport::ICMP].map(proto), ["TCP", "IPv6-ICMP", "ICMP"]);
    }

    #[test]
    fn a_finding_has_one_number_in_the_range_of_local_rules() {
        let id = signature_id("silent_drop/spinetix-out-mqtt/spinetix.player>any");
        assert_eq!(id, signature_id("silent_drop/spinetix-out-mqtt/spinetix.player>any"));
        assert!((1_000_000..2_000_000).contains(&id));
    }
}
