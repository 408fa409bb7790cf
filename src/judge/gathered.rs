//! What flows that are alike have in common, from which a finding is told.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::identify::Begun;
use crate::judge::claim::is_background;
use crate::judge::exhibit::Exhibits;
use crate::judge::finding::Trouble;
use crate::judge::threshold::{ASKED_OTHERWISE, STOPPED_FOR, STOPPED_MINUTES};
use crate::judge::visibility::sent_content;
use crate::judge::{Cause, Confidence, Judged, Outcome, Remedy, Verdict, direction};
use crate::limit;
use crate::net::Transport;
use crate::signature::{PromiseKind, ServiceId};
use crate::time::Timestamp;

/// Flows of one key and pair.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub(super) flows: u64,
    pub(super) attempts: u64,
    pub(super) answered: bool,
    /// One of them was more than an opening, so that a name or a path may have been asked for.
    pub(super) stood: bool,
    /// The rows whose traffic they are, or would have been.
    pub(super) rows: BTreeSet<ServiceId>,
    /// Kinds that were made one (see [`fold`](super::finding::fold)).
    pub(super) places: usize,
    /// Somebody got through: the server answered, or its client went on as it only does after an answer.
    pub(super) reached: bool,
    /// None of them got through.
    failed: bool,
    /// Of none of them more is known than the numbers of its ports tell of who asked whom.
    pub(super) guessed: bool,
    /// None of them is unexpected.
    pub(super) expected: bool,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// What became of the flow that shows it best, and why.
    pub(super) outcome: Outcome,
    pub(super) cause: Option<Cause>,
    /// By what its port was announced, and whether that was encrypted, likewise.
    pub(super) announced: Option<(PromiseKind, bool)>,
    pub(super) confidence: Confidence,
    pub(super) attribution: Confidence,
    pub(super) clients: BTreeSet<IpAddr>,
    pub(super) servers: BTreeSet<IpAddr>,
    pub(super) ports: BTreeSet<(Transport, u16)>,
    /// Of clients, servers and ports: there were more than are kept.
    pub(super) more: [bool; 3],
    pub(super) server_names: BTreeSet<String>,
    /// What was recognised, of the flow that tells most.
    pub(super) protocol: Vec<&'static str>,
    /// The row that takes over, and works for one of these clients.
    pub(super) instead: Option<ServiceId>,
    /// One of its servers answered somebody by that row: the service is on, whatever the document's default.
    pub(super) is_on: bool,
    /// When it last worked, where it has failed time and again since and not worked once.
    pub(super) stopped: Option<Timestamp>,
    /// When the same works, where it does.
    pub(super) works: Works,
    /// The latest minutes in which flows began.
    minutes: BTreeSet<i64>,
    /// First bytes of client and server, of the flow that tells most.
    pub(super) opening: [Begun; 2],
    /// How much that flow tells.
    told: Told,
    pub(super) exhibits: Exhibits,
}

/// When something works that failed, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Works {
    /// At other times.
    Otherwise,
    /// Before it failed, for the last time then.
    Before(Timestamp),
    /// At once, when its client asks otherwise: with TLS or without it, at another address of the same host.
    AtOnce,
}

/// How much a flow tells of what is spoken: something was recognised, bytes were seen, how sure its outcome is, the earlier.
type Told = (bool, bool, Confidence, Reverse<Timestamp>);

impl Gathered {
    pub(super) fn of(judged: &Judged) -> Self {
        let flow = &judged.identified.flow;
        let retries = u64::from(judged.identified.retries);
        // Datagrams of an answered conversation are no attempts: a stream has thousands.
        let exhibits = Exhibits::of(flow, judged.confidence, &judged.cited);
        let requests = if flow.tcp.is_some() || flow.server.packets > 0 { 1 } else { flow.client.packets.saturating_sub(retries).max(1) };
        let answered = is_answered(judged);
        Self {
            flows: 1,
            attempts: requests,
            answered,
            stood: flow.tcp.as_ref().is_none_or(|tcp| tcp.established || tcp.midstream),
            rows: BTreeSet::new(),
            places: 1,
            reached: answered || flow.tcp.as_ref().is_some_and(|tcp| tcp.midstream || sent_content(flow)),
            failed: judged.outcome.is_blocked() || [Outcome::RefusedByHost, Outcome::Unreachable].contains(&judged.outcome),
            guessed: direction::is_guess(judged.direction_by),
            expected: judged.verdict != Verdict::Unexpected,
            first: flow.first,
            last: flow.last,
            outcome: judged.outcome,
            cause: judged.cause.clone(),
            announced: judged.identified.announced.as_ref().map(|promise| (promise.kind, promise.is_hidden())),
            confidence: judged.confidence,
            attribution: judged.attribution,
            clients: BTreeSet::from([flow.client.endpoint.ip]),
            servers: BTreeSet::from([flow.server.endpoint.ip]),
            ports: BTreeSet::from([(flow.transport, flow.server.endpoint.port)]),
            more: [false; 3],
            server_names: judged.names[1].iter().map(|named| named.name.clone()).collect(),
            protocol: judged.identified.protocol.to_vec(),
            instead: None,
            is_on: answered,
            stopped: None,
            works: Works::Otherwise,
            minutes: BTreeSet::from([flow.first.minute()]),
            opening: judged.identified.opening.clone(),
            told: (!judged.identified.protocol.is_empty(), has_bytes(&judged.identified.opening), judged.confidence, Reverse(flow.first)),
            // Who is not there is shown by who asked the link for it.
            exhibits: if judged.cause.as_ref().is_some_and(|cause| cause.remedy == Remedy::SwitchOn) { exhibits.with_questions() } else { exhibits },
        }
    }

    /// Adds other flows. The best evidence speaks: the surer, then the earlier.
    pub(super) fn merge(&mut self, other: Self) {
        if (other.confidence, std::cmp::Reverse(other.first)) > (self.confidence, std::cmp::Reverse(self.first)) {
            (self.outcome, self.cause, self.announced) = (other.outcome, other.cause, other.announced);
        }
        if other.told > self.told {
            (self.protocol, self.opening, self.told) = (other.protocol, other.opening, other.told);
        }
        self.flows += other.flows;
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.answered |= other.answered;
        self.is_on |= other.is_on;
        self.reached |= other.reached;
        self.stood |= other.stood;
        self.rows.extend(other.rows);
        self.failed &= other.failed;
        self.guessed &= other.guessed;
        self.expected &= other.expected;
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        (self.confidence, self.attribution) = (self.confidence.max(other.confidence), self.attribution.max(other.attribution));
        self.more[0] |= take(&mut self.clients, other.clients, limit::HOSTS_OF_A_FINDING) || other.more[0];
        self.more[1] |= take(&mut self.servers, other.servers, limit::HOSTS_OF_A_FINDING) || other.more[1];
        self.more[2] |= take(&mut self.ports, other.ports, limit::HOSTS_OF_A_FINDING) || other.more[2];
        take(&mut self.server_names, other.server_names, limit::HOSTS_OF_A_FINDING);
        self.minutes.extend(other.minutes);
        while self.minutes.len() > limit::MINUTES_OF_A_FINDING {
            self.minutes.pop_first();
        }
        // Where one of several pairs fails now and then, so does the service.
        self.stopped = self.stopped.zip(other.stopped).map(|(one, other)| one.max(other));
        self.works = match (self.works, other.works) {
            (Works::Before(one), Works::Before(other)) => Works::Before(one.max(other)),
            (Works::AtOnce, Works::AtOnce) => Works::AtOnce,
            _ => Works::Otherwise,
        };
        self.exhibits.merge(other.exhibits, limit::FLOWS_SELECTED);
    }

    /// When it works for a pair that came to a good end in a connection that began then, and was last used then.
    pub(super) fn works(&self, outcome: Outcome, began: Timestamp, last: Timestamp) -> Works {
        let is_refused = matches!(outcome, Outcome::AppRefused | Outcome::RefusedByHost | Outcome::TlsFailed);
        let apart = began.since(self.last).max(self.last.since(began));
        match (last < self.first, is_refused && began > self.first && apart <= ASKED_OTHERWISE) {
            (true, _) => Works::Before(last),
            (_, true) => Works::AtOnce,
            _ => Works::Otherwise,
        }
    }

    /// Whether any payload was captured.
    pub(super) fn has_bytes(&self) -> bool {
        has_bytes(&self.opening)
    }

    /// What became of it, where nobody got through.
    pub(super) fn in_vain(&self) -> Option<&str> {
        self.cause.as_ref().filter(|_| self.failed && !self.reached).map(|cause| cause.says.as_str())
    }

    /// Whether it is what every host does, and documents take for granted.
    pub(super) fn is_background(&self) -> bool {
        self.ports.iter().all(|(_, port)| is_background(*port, &self.protocol))
    }

    /// Whether its flows show that something has changed since it last worked, and not that it fails now and then.
    pub(super) fn has_failed_since(&self, last: Timestamp) -> bool {
        let mut after = self.minutes.range(last.minute() + 1..);
        let many = after.clone().count() >= STOPPED_MINUTES;
        many && after.next().zip(after.next_back()).is_some_and(|(first, last)| last - first >= STOPPED_FOR)
    }

    /// Of a failure both must hold: that it failed, and that it was this service. Of a broken row the row is what must hold.
    pub(super) fn confidence_of(&self, trouble: Trouble) -> Confidence {
        match trouble {
            Trouble::Failed(_) | Trouble::Intermittent => self.confidence.min(self.attribution),
            Trouble::Broke(_) => self.attribution,
        }
    }
}

/// Whether the server answered. A datagram that nobody was seen to ask for is no answer, unless its bytes are one.
fn is_answered(judged: &Judged) -> bool {
    let flow = &judged.identified.flow;
    let asked = flow.tcp.is_some() || flow.client.packets > 0 || judged.direction_by == Some(direction::CONTENT);
    asked && flow.server.payload_bytes > 0 || flow.tcp.as_ref().is_some_and(|tcp| tcp.syn_acks > 0)
}

fn has_bytes(opening: &[Begun; 2]) -> bool {
    opening.iter().any(|bytes| !bytes.is_empty())
}

/// Keeps the lowest, so that what is kept does not depend on the order. Whether there were more.
fn take<T: Ord>(set: &mut BTreeSet<T>, more: BTreeSet<T>, bound: usize) -> bool {
    set.extend(more);
    let too_many = set.len() > bound;
    while set.len() > bound {
        set.pop_last();
    }
    too_many
}
