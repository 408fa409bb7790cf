//! What the page needs of flows, kept as they pass, each kind within its bound: a row of the table, who talked to whom, what hosts came to over documented rows, and when
//! a flow that may be part of a finding asked and was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::capture::FrameId;
use crate::flow::{ConnState, Flow};
use crate::judge::{Judged, Outcome, Reason, Tried, Verdict};
use crate::limit;
use crate::net::{Endpoint, Side, Transport};
use crate::signature::{RoleId, ServiceId, Signatures};
use crate::time::Timestamp;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Flows that passed.
    pub passed: u64,
    /// Rows of the table of flows: those that matter first, then the earliest.
    pub rows: BTreeMap<(Weight, u64), Row>,
    /// Who talked to whom.
    pub links: BTreeMap<Link, Traffic>,
    /// Flows of links that found no room.
    pub unlinked: u64,
    /// Bytes by protocol stack, of clients and of servers, with the number of flows.
    pub protocols: BTreeMap<(Vec<&'static str>, Transport), Share>,
    /// Hosts seen in each role.
    pub hosts: BTreeMap<RoleId, BTreeSet<IpAddr>>,
    /// What each of them came to over the rows of its role.
    pub tried: BTreeMap<(RoleId, IpAddr, ServiceId), Tried>,
    /// Flows that a finding may cite, by their first frames.
    pub sketches: BTreeMap<FrameId, Sketch>,
}

/// How much a flow matters to somebody who reads a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Blocked, or not expected.
    Wrong,
    /// Not to a good end.
    Failed,
    /// As documented.
    Expected,
    /// Not judged.
    Other,
}

impl Weight {
    fn of(judged: &Judged) -> Self {
        match (judged.verdict, End::of(judged.outcome)) {
            _ if judged.reasons.contains(&Reason::NotCovered) => Self::Other,
            (Verdict::Unexpected, _) | (_, End::Blocked) => Self::Wrong,
            (_, End::Failed) => Self::Failed,
            (Verdict::Expected, _) => Self::Expected,
            (Verdict::Undecided, _) => Self::Other,
        }
    }
}

/// How a flow ended, as coarse as a picture shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// It worked, or nothing speaks against it.
    Fine,
    /// It failed at an end.
    Failed,
    /// It was blocked on its way.
    Blocked,
}

impl End {
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            outcome if outcome.is_blocked() => Self::Blocked,
            Outcome::ServerSilent | Outcome::RefusedByHost | Outcome::Unreachable | Outcome::DnsFailed | Outcome::TlsFailed | Outcome::AppRefused => {
                Self::Failed
            }
            _ => Self::Fine,
        }
    }
}

/// A row of the table of flows.
#[derive(Debug)]
pub(super) struct Row {
    pub first: Timestamp,
    pub frame: FrameId,
    pub transport: Transport,
    pub client: Endpoint,
    pub server: Endpoint,
    pub name: Option<Box<str>>,
    pub protocol: Box<[&'static str]>,
    pub service: Option<ServiceId>,
    pub verdict: Verdict,
    pub outcome: Outcome,
    pub state: Option<ConnState>,
    pub bytes: u64,
}

/// An end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    /// All hosts of a role.
    Role(RoleId),
    /// A host that nobody gives a role.
    Host(IpAddr),
    /// Several such hosts that do the same.
    Hosts(BTreeSet<IpAddr>),
}

/// What goes over a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// A documented row.
    Service(ServiceId),
    /// A protocol stack that no row covers, outermost first.
    Protocol(Transport, Box<[&'static str]>),
    /// Neither.
    Port(Transport, u16),
}

/// Who talks to whom over what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub client: Node,
    pub what: What,
    pub server: Node,
}

/// Flows of a link.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    pub flows: u64,
    pub blocked: u64,
    pub failed: u64,
    pub expected: u64,
    pub unexpected: u64,
    pub bytes: u64,
    /// A name of the server.
    pub name: Option<Box<str>>,
    /// The port asked for, of the first flow.
    pub port: Option<(Transport, u16)>,
}

impl Traffic {
    pub fn merge(&mut self, other: Self) {
        self.flows += other.flows;
        self.blocked += other.blocked;
        self.failed += other.failed;
        self.expected += other.expected;
        self.unexpected += other.unexpected;
        self.bytes += other.bytes;
        self.name = self.name.take().or(other.name);
        self.port = self.port.or(other.port);
    }

    /// How all of them ended: blocked where some were, failed where some did.
    pub fn end(&self) -> End {
        match (self.blocked, self.failed) {
            (1.., _) => End::Blocked,
            (_, 1..) => End::Failed,
            _ => End::Fine,
        }
    }

    /// What the documents say of them: the worst of it.
    pub fn verdict(&self) -> Verdict {
        match (self.unexpected, self.expected) {
            (1.., _) => Verdict::Unexpected,
            (_, 1..) => Verdict::Expected,
            _ => Verdict::Undecided,
        }
    }
}

/// What was sent in one protocol.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub flows: u64,
    /// By clients, by servers; IP bytes.
    pub bytes: [u64; 2],
}

/// When a flow asked and was answered.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    pub marks: Vec<(Timestamp, Mark)>,
    pub outcome: Outcome,
}

/// What happened at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// The client asked: a SYN, or a datagram.
    Asked,
    /// The server sent its first packet.
    Answered,
    /// An end sent content.
    Sent,
    /// A RST, or an ICMP error.
    Refused,
}

impl Kept {
    /// Takes what the page needs of a flow.
    pub fn add(&mut self, judged: &Judged, signatures: &Signatures) {
        self.add_row(judged);
        self.add_link(judged);
        self.add_protocol(judged);
        self.add_hosts(judged, signatures);
        if may_be_cited(judged) && self.sketches.len() < limit::HTML_SKETCHES {
            let flow = &judged.identified.flow;
            self.sketches.insert(flow.first_frame, Sketch { marks: marks(flow), outcome: judged.outcome });
        }
        self.passed += 1;
    }

    fn add_row(&mut self, judged: &Judged) {
        let place = (Weight::of(judged), self.passed);
        let full = self.rows.len() >= limit::HTML_FLOWS;
        if full && self.rows.last_key_value().is_some_and(|(last, _)| *last < place) {
            return;
        }
        let flow = &judged.identified.flow;
        let row = Row {
            first: flow.first,
            frame: flow.first_frame,
            transport: flow.transport,
            client: flow.client.endpoint,
            server: flow.server.endpoint,
            name: name(judged),
            protocol: judged.identified.protocol.iter().copied().collect(),
            service: judged.service,
            verdict: judged.verdict,
            outcome: judged.outcome,
            state: flow.state,
            bytes: flow.client.bytes.saturating_add(flow.server.bytes),
        };
        self.rows.insert(place, row);
        if full {
            self.rows.pop_last();
        }
    }

    fn add_link(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        let node = |side: Side, ip: IpAddr| judged.roles[side as usize].first().map_or(Node::Host(ip), |role| Node::Role(*role));
        let port = flow.transport.has_ports().then_some(flow.server.endpoint.port);
        let what = match (judged.service, judged.identified.protocol.is_empty()) {
            (Some(service), _) => What::Service(service),
            (None, false) => What::Protocol(flow.transport, judged.identified.protocol.iter().copied().collect()),
            (None, true) => What::Port(flow.transport, port.unwrap_or(0)),
        };
        let link = Link { client: node(Side::Client, flow.client.endpoint.ip), what, server: node(Side::Server, flow.server.endpoint.ip) };
        if self.links.len() >= limit::HTML_LINKS && !self.links.contains_key(&link) {
            self.unlinked += 1;
            return;
        }
        let end = End::of(judged.outcome);
        let traffic = Traffic {
            flows: 1,
            blocked: u64::from(end == End::Blocked),
            failed: u64::from(end == End::Failed),
            expected: u64::from(judged.verdict == Verdict::Expected),
            unexpected: u64::from(judged.verdict == Verdict::Unexpected),
            bytes: flow.client.bytes.saturating_add(flow.server.bytes),
            name: name(judged),
            port: port.map(|port| (flow.transport, port)),
        };
        self.links.entry(link).or_default().merge(traffic);
    }

    fn add_protocol(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        let key = (judged.identified.protocol.to_vec(), flow.transport);
        let full = self.protocols.len() >= limit::HTML_PROTOCOLS && !self.protocols.contains_key(&key);
        let share = self.protocols.entry(if full { (vec!["others"], flow.transport) } else { key }).or_default();
        share.flows += 1;
        share.bytes[0] = share.bytes[0].saturating_add(flow.client.bytes);
        share.bytes[1] = share.bytes[1].saturating_add(flow.server.bytes);
    }

    fn add_hosts(&mut self, judged: &Judged, signatures: &Signatures) {
        let flow = &judged.identified.flow;
        for (end, roles) in [&flow.client, &flow.server].into_iter().zip(&judged.roles) {
            let ip = end.endpoint.ip;
            for role in roles {
                let hosts = self.hosts.entry(*role).or_default();
                if hosts.len() < limit::ADDRESSES_TOLD_APART {
                    hosts.insert(ip);
                }
                for id in judged.rows().filter(|id| signatures.of_role(*role).contains(id)) {
                    let key = (*role, ip, id);
                    if self.tried.len() < limit::HTML_HOST_ROWS || self.tried.contains_key(&key) {
                        self.tried.entry(key).or_default().merge(Tried::of(judged));
                    }
                }
            }
        }
    }
}

/// Whether a finding may be about the flow: something is wrong with it, or remarkable.
fn may_be_cited(judged: &Judged) -> bool {
    let quiet = matches!(judged.outcome, Outcome::Ok | Outcome::ScanNoise | Outcome::CaptureDamaged);
    !judged.reasons.contains(&Reason::NotCovered) && (!quiet || !judged.reasons.is_empty() || judged.denied.is_some())
}

/// The name of the server that a reader knows it by.
fn name(judged: &Judged) -> Option<Box<str>> {
    judged.names[Side::Server as usize].first().map(|named| named.name.as_str().into())
}

/// When the flow asked, was answered, sent and was refused, in order.
fn marks(flow: &Flow) -> Vec<(Timestamp, Mark)> {
    let mut marks: Vec<(Timestamp, Mark)> = Vec::new();
    match flow.tcp.as_deref() {
        Some(story) => {
            marks.extend(story.syn_times.iter().map(|(time, _)| (*time, Mark::Asked)));
            let sent = story.first_data.iter().chain(&story.last_data).flatten();
            marks.extend(sent.map(|moment| (moment.time(), Mark::Sent)));
            marks.extend(story.reset.as_ref().map(|reset| (reset.time, Mark::Refused)));
            let answered = flow.server.first.filter(|first| story.reset.as_ref().is_none_or(|reset| reset.time != *first));
            marks.extend(answered.map(|time| (time, Mark::Answered)));
        }
        None => {
            let asked = flow.client.first.into_iter().chain(flow.client.last);
            marks.extend(asked.map(|time| (time, Mark::Asked)));
            marks.extend(flow.server.first.map(|time| (time, Mark::Answered)));
            marks.extend(flow.server.last.map(|time| (time, Mark::Sent)));
        }
    }
    marks.extend(flow.rejections.iter().map(|rejection| (rejection.time, Mark::Refused)));
    marks.sort_unstable();
    marks.dedup();
    // What stands at the same moment is one packet: of it the first word is enough.
    marks.dedup_by_key(|(time, _)| *time);
    marks
}
