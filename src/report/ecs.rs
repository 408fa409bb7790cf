//! `ecs`: one JSON object a line with the field names of the Elastic Common Schema, for Elasticsearch, OpenSearch and whatever reads their fields.
//!
//! After ECS 8.17. Flows (`event.kind: event`) as they pass, then findings (`alert`), then one `metric` of the whole. What ECS has no field for stands under `portbook`.

mod fields;

use std::io::{self, Write};

use serde::Serialize;

use crate::flow::community_id;
use crate::judge::{Finding, Judged};
use crate::report::compact::{Line, Ready};
use crate::report::ecs::fields::{Dns, EndFields, EventFields, Http, Network, Observer, Other, Related, Rule, Tls, Url, UserAgent, Whole};
use crate::report::mark::Mark;
use crate::report::{Report, Style, Writer};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// Writes a document a line.
pub fn open<'a>(out: &'a mut dyn Write, _: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Documents { out, signatures, line: Line::default() })
}

struct Documents<'a> {
    out: &'a mut dyn Write,
    signatures: &'a Signatures,
    line: Line,
}

impl Writer for Documents<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        self.write(&Document::flow(judged, self.signatures))
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        for finding in &report.findings {
            self.write(&Document::finding(finding, report))?;
        }
        self.write(&Document::whole(report))
    }
}

impl Documents<'_> {
    fn write(&mut self, document: &impl Serialize) -> io::Result<()> {
        self.line.write(self.out, document, b"\n")
    }
}

/// A document. Sets of fields that it does not have are left out.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    ecs: Version,
    event: EventFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    observer: Ready<'static, fn() -> Observer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<EndFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<EndFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<Dns<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Url<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<UserAgent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Related<'a>>,
    portbook: Other<'a>,
}

/// The version of the schema whose fields these are.
#[derive(Serialize)]
struct Version {
    version: &'static str,
}

impl<'a> Document<'a> {
    /// Without any set of fields that only some have.
    fn new(time: Timestamp, event: EventFields<'a>, portbook: Other<'a>) -> Self {
        Self {
            timestamp: time,
            ecs: Version { version: "8.17.0" },
            event,
            message: None,
            observer: Observer::ready(),
            source: None,
            destination: None,
            network: None,
            dns: None,
            tls: None,
            http: None,
            url: None,
            user_agent: None,
            rule: None,
            related: None,
            portbook,
        }
    }

    fn flow(judged: &'a Judged, signatures: &'a Signatures) -> Self {
        let identified = &judged.identified;
        let flow = &identified.flow;
        let id = community_id(flow);
        let uid = Mark::new(&id, flow.first).uid();
        let has = |protocol: &str| identified.protocol.contains(&protocol);
        let http = has("http").then(|| Http::of(&identified.facts)).flatten();
        Self {
            message: judged.cause.as_ref().map(|cause| cause.says.as_str()),
            source: Some(EndFields::of_flow(&flow.client, &judged.names[0])),
            destination: Some(EndFields::of_flow(&flow.server, &judged.names[1])),
            network: Some(Network::of_flow(identified, id)),
            dns: has("dns").then(|| Dns::of(judged)).flatten(),
            tls: (has("tls") || has("dtls")).then(|| Tls::of(judged)),
            url: http.as_ref().and_then(|_| Url::of(judged)),
            user_agent: http.as_ref().and_then(|_| UserAgent::of(&identified.facts)),
            http,
            related: Some(Related::of_flow(judged)),
            ..Self::new(flow.first, EventFields::of_flow(judged, uid), Other::Flow(Box::new(fields::FlowFields::new(judged, signatures))))
        }
    }

    /// The ends are those of its earliest flow; `related.ip` has those of all that are kept.
    fn finding(finding: &'a Finding, report: &'a Report<'_>) -> Self {
        let earliest = finding.occurrences.first();
        let ends = earliest.map(|occurrence| (occurrence.parties.client, occurrence.parties.server));
        Self {
            message: Some(&finding.says),
            source: ends.map(|(client, _)| EndFields::of_finding(client, &finding.client)),
            destination: ends.map(|(_, server)| EndFields::of_finding(server, &finding.server)),
            network: earliest.map(Network::of_finding),
            rule: Some(Rule::of(finding)),
            related: Some(Related::of_finding(finding)),
            ..Self::new(finding.first, EventFields::of_finding(finding), Other::Finding(Box::new(fields::FindingFields::new(finding, report))))
        }
    }

    fn whole(report: &'a Report<'_>) -> Self {
        let (first, last) = report.span.unwrap_or_default();
        Self::new(last, EventFields::of_whole(first, last), Other::Whole(Whole::new(report)))
    }
}
