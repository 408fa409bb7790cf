//! Like verdicts gathered into one sentence a person can act on.
//!
//! A broken firewall rule is one finding, however many hosts and retries: flows are gathered by what is wrong, the row it is about, and the roles of the
//! ends. Pairs of hosts are kept apart until the end, because one that worked at another time is intermittent and never blocked.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::identify::Promise;
use crate::judge::advice::Advice;
use crate::judge::claim::is_background;
use crate::judge::coverage::{self, Tried};
use crate::judge::ends::Ends;
use crate::judge::failures::Failures;
use crate::judge::filter::Ends as Met;
use crate::judge::gathered::{Gathered, Works};
use crate::judge::memory::Remembered;
use crate::judge::together::Together;
use crate::judge::{Confidence, Coverage, Covered, Finding, Judge, Judged, Outcome, Reason, Remedy, Severity, Site, Stated, Unknown, Verdict, absent};
use crate::limit;
use crate::net::{Endpoint, Transport};
use crate::signature::{RoleId, Rule, RuleEffect, ServiceId, Signatures};
use crate::time::Timestamp;

/// What is wrong with a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// It did not get through, or not to a good end.
    Failed(Outcome),
    /// It should not be, or not so.
    Broke(Reason),
    /// It failed, but the same pair worked at another time.
    Intermittent,
}

/// What makes flows alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    trouble: Trouble,
    pub(super) service: Option<ServiceId>,
    /// Rows of one port, each of which may be meant.
    tied: Vec<ServiceId>,
    /// Where no row names them: of transfers that were announced, that of the flow that announced them, as their own port is another each time.
    place: Option<(Transport, u16)>,
    announced: bool,
    /// Roles that the site gives to client and server.
    roles: [Option<RoleId>; 2],
    /// The site's entry that forbids it, or allowed it once.
    stance: Option<Stated>,
}

impl Key {
    /// The same of another row.
    pub(super) fn of_row(&self, row: ServiceId) -> Self {
        Self { service: Some(row), ..self.clone() }
    }

    /// `silent_drop/spinetix-out-mqtt/spinetix.player>any`: what is alike has one name, whenever it is seen.
    fn name(&self, signatures: &Signatures, rule: &str) -> String {
        let role = |role: Option<RoleId>| role.map_or("any", |role| &signatures.role(role).id);
        let service = self.service.map(|id| signatures.service(id).id.clone());
        let announced = if self.announced { "announced-" } else { "" };
        let place = || self.place.map(|(transport, port)| format!("{announced}{port}-{transport}"));
        let about = service.or_else(place).unwrap_or_else(|| "any".to_owned());
        let entry = match self.stance {
            Some(Stated::Denied(entry)) => format!("/deny-{entry}"),
            Some(Stated::Static(place)) => format!("/place-{place}"),
            Some(Stated::Expired(entry)) => format!("/allow-{entry}"),
            Some(Stated::Allowed(_) | Stated::Ignored(_)) | None => String::new(),
        };
        format!("{rule}/{about}/{}>{}{entry}", role(self.roles[0]), role(self.roles[1]))
    }
}

/// A client and what it wanted.
pub(super) type Pair = (IpAddr, Transport, Endpoint);

/// When each pair last came to a good end by a row, and when the last connection in which it did began.
type Worked = Remembered<(Option<ServiceId>, Pair), [Timestamp; 2]>;

/// Gathers judged flows.
#[derive(Clone, Debug)]
pub struct Gatherer<'a> {
    signatures: &'a Signatures,
    failed: Failures,
    /// What should not be: it is so whether or not the same pair behaves at another time.
    broke: BTreeMap<Key, Gathered>,
    /// Nothing is gained any more by folding them.
    crowded: bool,
    worked: Worked,
    tried: Vec<Tried>,
    together: Together,
    /// The same by role, where the site gives one to an end that the row is about.
    by_role: BTreeMap<(RoleId, ServiceId), Tried>,
    /// Between which ends flows were met: what a filter must say depends on it.
    met: Met,
    /// Flows with something to say that found no room at a bound.
    dropped: u64,
}

impl<'a> Gatherer<'a> {
    /// Nothing gathered yet.
    pub fn new(signatures: &'a Signatures) -> Self {
        let tried = vec![Tried::default(); signatures.services.len()];
        Self {
            signatures,
            failed: Failures::default(),
            broke: BTreeMap::new(),
            crowded: false,
            worked: Remembered::new(limit::PAIRS_REMEMBERED),
            tried,
            by_role: BTreeMap::new(),
            together: Together::new(signatures),
            met: Met::default(),
            dropped: 0,
        }
    }

    /// Adds a judged flow, in any order.
    pub fn add(&mut self, judged: &Judged) {
        self.cover(judged);
        self.together.add(judged, self.signatures);
        self.met.meet(&judged.identified.flow);
        let flow = &judged.identified.flow;
        let pair = (flow.client.endpoint.ip, flow.transport, flow.server.endpoint);
        // What no document covers is never a finding, so nothing is held against it either.
        let counts = judged.outcome == Outcome::Ok && judged.verdict != Verdict::Unexpected && !judged.reasons.contains(&Reason::NotCovered);
        if counts {
            let [last, began] = self.worked.meet((judged.service, pair));
            (*last, *began) = (flow.last.max(*last), flow.first.max(*began));
        }
        for (trouble, service, attribution) in troubles(judged) {
            let key = self.key(judged, trouble, service);
            let mut gathered = Gathered::of(judged);
            gathered.attribution = attribution;
            gathered.rows = if service == judged.service { judged.rows().collect() } else { service.into_iter().collect() };
            let has_room = match trouble {
                Trouble::Failed(_) | Trouble::Intermittent => self.failed.add(key, pair, gathered),
                Trouble::Broke(_) => self.broke_also(key, gathered),
            };
            self.dropped += u64::from(!has_room);
        }
    }

    /// Adds what should not be; false where there is no room for one more kind of it.
    fn broke_also(&mut self, key: Key, gathered: Gathered) -> bool {
        if self.broke.len() >= limit::KINDS_GATHERED && !self.broke.contains_key(&key) {
            // What is one finding in the end needs the room of one. Where that gains little it is not tried for each flow again.
            if !self.crowded {
                self.broke = fold(std::mem::take(&mut self.broke));
                self.crowded = self.broke.len() > limit::KINDS_GATHERED / 4 * 3;
            }
            if self.broke.len() >= limit::KINDS_GATHERED {
                return false;
            }
        }
        add_to(&mut self.broke, key, gathered);
        true
    }

    /// Enters what the flow says about its row, and about the one whose name a resolver denied.
    fn cover(&mut self, judged: &Judged) {
        let own = judged.rows().map(|id| (id, Tried::of(judged)));
        let denied = judged.denied.map(|id| (id, Tried::denied(judged.outcome)));
        for (id, more) in own.chain(denied) {
            let service = self.signatures.service(id);
            if let Some(tried) = self.tried.get_mut(id.0 as usize) {
                tried.merge(more);
            }
            for role in judged.roles.iter().flatten().filter(|role| service.client.contains(role) || service.server.contains(role)) {
                self.by_role.entry((*role, id)).or_default().merge(more);
            }
        }
    }

    /// What was seen of the rows so far.
    pub fn covered(&self) -> Covered {
        Covered::of(self.signatures, &self.tried, &self.by_role)
    }

    /// Adds what was seen before, or under other documents: of rows that these still have.
    pub fn cover_also(&mut self, covered: &Covered) {
        for (row, tried) in &covered.rows {
            if let Some(known) = self.signatures.service_id(row).and_then(|id| self.tried.get_mut(id.0 as usize)) {
                known.merge(*tried);
            }
        }
        for ((role, row), tried) in &covered.by_role {
            if let (Some(role), Some(row)) = (self.signatures.role_id(role), self.signatures.service_id(row)) {
                self.by_role.entry((role, row)).or_default().merge(*tried);
            }
        }
    }

    /// What the capture says about every row of each role that the site gives, in order of the roles.
    pub fn coverage_by_role(&self, judge: &Judge<'_>) -> Vec<(RoleId, Vec<(ServiceId, Coverage)>)> {
        let (visibility, presence) = (judge.visibility(), judge.presence());
        let rows = |role: RoleId| {
            let ids = self.signatures.of_role(role).iter();
            let row = |id: &ServiceId| {
                let service = self.signatures.service(*id);
                (*id, self.by_role.get(&(role, *id)).copied().unwrap_or_default().coverage(service, &visibility, presence))
            };
            ids.map(row).collect()
        };
        presence.roles().map(|role| (role, rows(role))).collect()
    }

    /// Where little room is left, forgets what did not go on after `before`: a run of months keeps the present troubles.
    pub fn make_room(&mut self, before: Timestamp) {
        self.failed.make_room(before);
        if self.broke.len() >= limit::KINDS_GATHERED / 4 * 3 {
            self.broke.retain(|_, gathered| gathered.last >= before);
            self.crowded = false;
        }
    }

    /// Flows with something to say that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The findings, worst first, and what the capture says about every row.
    pub fn finish(self, judge: &Judge<'_>) -> (Vec<Finding>, Vec<(ServiceId, Coverage)>) {
        let mut coverage = coverage::of_all(&self.signatures.services, &self.tried, &judge.visibility(), judge.presence());
        coverage.retain(|(id, _)| judge.applies_to(self.signatures.service(*id).document));
        let mut whole: BTreeMap<Key, Gathered> = BTreeMap::new();
        for (mut key, pair, mut gathered) in self.failed.told_once(self.signatures) {
            if let Trouble::Failed(outcome) = key.trouble
                && !FAILS_IN_PART.contains(&outcome)
                && let Some([last, began]) = worked_at(&self.worked, self.signatures, &key, pair, &gathered)
            {
                key.trouble = Trouble::Intermittent;
                gathered.stopped = gathered.has_failed_since(last).then_some(last);
                gathered.works = gathered.works(outcome, began, last);
            }
            add_to(&mut whole, key, gathered);
        }
        for (mut key, gathered) in self.broke {
            if let Some(Stated::Denied(entry)) = key.stance {
                key.service = judge.site().deny.get(entry).and_then(|entry| entry.services.first().copied());
            }
            add_to(&mut whole, key, gathered);
        }
        let mut whole = fold(whole);
        for (key, gathered) in &mut whole {
            gathered.instead = took_over(self.signatures, key, &gathered.clients, &self.worked);
            gathered.is_on |= is_on(self.signatures, key, &gathered.servers, &self.worked);
        }
        let tell = |(key, gathered): (&Key, &Gathered)| {
            let mut finding = finding(self.signatures, judge.site(), &self.together, key, gathered);
            gathered.exhibits.show(&self.met, &mut finding);
            finding
        };
        let mut findings: Vec<Finding> = whole.iter().map(tell).collect();
        findings.extend(self.together.findings(self.signatures, judge, &self.met));
        let absent = absent::findings(self.signatures, judge, &findings);
        findings.extend(absent);
        // The keys are in order already, and so are the rules; the sort is stable.
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(b.confidence.cmp(&a.confidence)));
        (findings, coverage)
    }

    fn key(&self, judged: &Judged, trouble: Trouble, service: Option<ServiceId>) -> Key {
        let flow = &judged.identified.flow;
        let role = |given: &[RoleId]| given.first().copied();
        let roles = [role(&judged.roles[0]), role(&judged.roles[1])];
        let stance = judged.stance.filter(|_| matches!(trouble, Trouble::Broke(_)));
        // One entry of the site is one finding, whatever ports it covers.
        let forbidden = matches!(stance, Some(Stated::Denied(_)));
        let fresh = |promise: &&Promise| promise.kind.takes_a_new_port();
        let parent = judged.identified.announced.as_deref().filter(fresh).map(|promise| (promise.over, promise.parent.0.port.min(promise.parent.1.port)));
        let nameless = service.is_none() && !forbidden;
        let place = nameless.then(|| parent.unwrap_or((flow.transport, flow.server.endpoint.port)));
        let tied = if service.is_none() { judged.tied.clone() } else { Vec::new() };
        Key { trouble, service, tied, place, announced: nameless && parent.is_some(), roles, stance }
    }
}

/// The row that takes over for a blocked one, if it worked for one of these clients. A row on the same port of the same document is the same to a client:
/// documents tell one service from several sides.
fn took_over(signatures: &Signatures, key: &Key, clients: &BTreeSet<IpAddr>, worked: &Worked) -> Option<ServiceId> {
    let Trouble::Failed(outcome) = key.trouble else { return None };
    let service = key.service.filter(|_| outcome != Outcome::TlsIntercepted).map(|id| signatures.service(id))?;
    let place = |id: ServiceId| {
        let row = signatures.service(id);
        (row.document, &row.transports, &row.ports)
    };
    service.fallback.iter().copied().find(|fallback| {
        let same = |row: ServiceId| row == *fallback || place(row) == place(*fallback);
        worked.keys().any(|(row, (client, ..))| row.is_some_and(same) && clients.contains(client))
    })
}

/// Whether a service that is off unless switched on answered somebody at one of these servers.
fn is_on(signatures: &Signatures, key: &Key, servers: &BTreeSet<IpAddr>, worked: &Worked) -> bool {
    let row = key.service.map(|id| signatures.service(id));
    let asks = matches!(key.trouble, Trouble::Failed(_)) && row.is_some_and(|row| row.default_on == Some(false));
    asks && worked.keys().any(|(row, (.., server))| *row == key.service && servers.contains(&server.ip))
}

/// Makes one of what the same hosts do on many ports without any document: a program that takes what port it gets is one thing to look for.
fn fold(whole: BTreeMap<Key, Gathered>) -> BTreeMap<Key, Gathered> {
    let kind = |key: &Key, gathered: &Gathered| {
        let undocumented = key.trouble == Trouble::Broke(Reason::UndocumentedService) && !gathered.is_background();
        undocumented.then(|| (key.roles, key.stance, key.announced, key.place.map(|(transport, _)| transport), gathered.protocol.clone()))
    };
    let mut many: BTreeMap<_, usize> = BTreeMap::new();
    for (kind, places) in whole.iter().filter_map(|(key, gathered)| Some((kind(key, gathered)?, gathered.places))) {
        *many.entry(kind).or_default() += places;
    }
    let mut first: BTreeMap<_, Key> = BTreeMap::new();
    let mut folded: BTreeMap<Key, Gathered> = BTreeMap::new();
    for (key, gathered) in whole {
        let key = match kind(&key, &gathered).filter(|kind| many.get(kind).is_some_and(|ports| *ports > limit::PORTS_TOLD_APART)) {
            Some(kind) => first.entry(kind).or_insert(key).clone(),
            None => key,
        };
        match folded.entry(key) {
            Entry::Occupied(mut known) => {
                known.get_mut().places += gathered.places;
                known.get_mut().merge(gathered);
            }
            Entry::Vacant(empty) => _ = empty.insert(gathered),
        }
    }
    folded
}

/// Enters what was gathered, to what is there of its kind.
pub(super) fn add_to<K: Ord>(all: &mut BTreeMap<K, Gathered>, key: K, gathered: Gathered) {
    match all.entry(key) {
        Entry::Occupied(mut known) => known.get_mut().merge(gathered),
        Entry::Vacant(empty) => _ = empty.insert(gathered),
    }
}

/// What is worth saying about a flow, each with the row it is about and how sure that is: the flow's own row, or the one whose name a resolver denied.
fn troubles(judged: &Judged) -> Vec<(Trouble, Option<ServiceId>, Confidence)> {
    // A name leads to its document; that the client is of the product only the site says.
    let by_name = if judged.roles[0].is_empty() { Confidence::Medium } else { Confidence::High };
    // A resolver that is silent leaves the name without an address, as one that fails does.
    let outcome = if judged.outcome == Outcome::SilentDrop { Outcome::DnsFailed } else { judged.outcome };
    let denied = judged.denied.map(|row| (Trouble::Failed(outcome), Some(row), by_name));
    own_troubles(judged).into_iter().map(|trouble| (trouble, judged.service, judged.attribution)).chain(denied).collect()
}

/// Noise and what no document covers is never worth a word.
fn own_troubles(judged: &Judged) -> Vec<Trouble> {
    // Whatever was lost of a connection that stood, it is there.
    let stood = judged.identified.flow.tcp.as_ref().is_some_and(|tcp| tcp.syn_acks > 0);
    let quiet = judged.outcome == Outcome::ScanNoise || judged.outcome == Outcome::CaptureDamaged && !stood;
    let ignored = matches!(judged.stance, Some(Stated::Ignored(_)));
    if ignored || quiet || judged.reasons.contains(&Reason::NotCovered) {
        return Vec::new();
    }
    let hint = judged.attribution == Confidence::Low && judged.roles.iter().all(Vec::is_empty);
    match judged.verdict {
        // A port alone shows neither that the product is there nor that its service is on; that something on its way to it was blocked is worth a word.
        Verdict::Expected | Verdict::Undecided if hint && !judged.outcome.is_blocked() => Vec::new(),
        Verdict::Unexpected => {
            let broke = judged.reasons.iter().filter(|reason| !OPEN.contains(reason)).map(|reason| Trouble::Broke(*reason));
            broke.chain(fails_beside_the_documents(judged).then_some(Trouble::Failed(judged.outcome))).collect()
        }
        Verdict::Expected | Verdict::Undecided => {
            let notices = [Reason::OptionalServiceActive, Reason::OutsideAnnouncedRange];
            let active = judged.reasons.iter().filter(|reason| notices.contains(reason)).map(|reason| Trouble::Broke(*reason));
            let failed = is_failure(judged).then_some(Trouble::Failed(judged.outcome));
            active.chain(failed).collect()
        }
    }
}

/// Whether what fails is nothing that a document mentions, and still all that it mentions hangs on it: name lookup, time, an address, and a proxy on the way.
fn fails_beside_the_documents(judged: &Judged) -> bool {
    let port = judged.identified.flow.server.endpoint.port;
    let everyday = is_background(port, &judged.identified.protocol);
    // A question that is lost now and then is asked again.
    let at_times = judged.cause.as_ref().is_some_and(|cause| cause.remedy == Remedy::AtTimes);
    let failed = judged.outcome.is_blocked() || NEEDED.contains(&port) && NO_SERVICE.contains(&judged.outcome) && !at_times;
    let undocumented = judged.reasons == [Reason::UndocumentedService];
    undocumented && (everyday && failed && judged.outcome != Outcome::DnsBlocked || judged.outcome == Outcome::BlockedByProxy)
}

/// Whether a documented service failed. A resolver that denies a name has answered: what fails is what the name is for. A port that several rows share counts where the site knows an end: one of the rows failed.
fn is_failure(judged: &Judged) -> bool {
    let shared = judged.reasons.contains(&Reason::SharedPort) && judged.roles.iter().any(|roles| !roles.is_empty());
    let wanted = matches!(judged.stance, Some(Stated::Allowed(_)));
    (judged.service.is_some() || shared || wanted)
        && judged.outcome != Outcome::DnsBlocked
        && (judged.outcome.is_blocked() || NO_SERVICE.contains(&judged.outcome))
}

fn finding(signatures: &Signatures, site: &Site, together: &Together, key: &Key, gathered: &Gathered) -> Finding {
    let service = key.service.map(|id| signatures.service(id));
    let ends = Ends::of(signatures, service, key.roles, gathered);
    let switched_on = key.service.is_some_and(|id| gathered.servers.iter().all(|server| site.is_switched_on(id, *server)));
    let optional = service.is_some_and(|service| service.default_on == Some(false)) && !switched_on && !gathered.is_on;
    let tied = Tied::of(signatures, together, key, gathered);
    let Key { trouble, service: id, roles, stance, .. } = *key;
    let announced_over = key.place.filter(|_| key.announced);
    let advice = Advice { signatures, site, trouble, id, service, meant: &key.tied, ends: &ends, roles, optional, stance, tied, announced_over, gathered };
    let confidence = gathered.confidence_of(key.trouble);
    let rule = rule_name(key.trouble);
    let unknown = key.trouble == Trouble::Broke(Reason::UndocumentedService) && !gathered.is_background();
    Finding {
        id: key.name(signatures, &rule),
        unknown: unknown.then(|| Box::new(Unknown::of(signatures, gathered, key.roles))),
        severity: site.severity(&rule, key.service).unwrap_or_else(|| advice.severity(severity(key, gathered, optional, tied))),
        rule,
        service: key.service,
        rows: gathered.rows.iter().copied().collect(),
        client: ends.client.to_string(),
        server: ends.server.to_string(),
        hosts: [&gathered.clients, &gathered.servers].map(|hosts| hosts.iter().copied().collect()),
        flows: gathered.flows,
        attempts: gathered.attempts,
        first: gathered.first,
        last: gathered.last,
        about: advice.about(),
        says: advice.says(),
        consequence: advice.consequence(),
        alternatives: advice.alternatives(),
        remedy: advice.remedy(),
        citation: advice.citation(),
        frames: Vec::new(),
        display_filter: String::new(),
        flow_ids: Vec::new(),
        selected: 0,
        occurrences: Vec::new(),
        confidence,
    }
}

/// What other flows have to do with a failure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tied {
    /// The row to which all its clients have fallen back, and which works.
    pub(super) fell_back: Option<ServiceId>,
    /// The row that works between the same hosts in the other direction.
    pub(super) other_way: Option<ServiceId>,
    /// The document holds the row to be needed.
    pub(super) mandatory: bool,
}

impl Tied {
    fn of(signatures: &Signatures, together: &Together, key: &Key, gathered: &Gathered) -> Self {
        let (Trouble::Failed(_), Some(service)) = (key.trouble, key.service) else { return Self::default() };
        let rules = |effect: RuleEffect| signatures.rules.iter().filter(move |rule| rule.effect == effect && rule.services.contains(&service));
        let fallback = |rule: &Rule| {
            let works = |client: &IpAddr| gathered.servers.iter().find_map(|server| together.worked(&rule.expects, *client, *server));
            gathered.clients.iter().map(works).reduce(Option::and).flatten()
        };
        let back = |rule: &Rule| {
            let pairs = gathered.clients.iter().flat_map(|client| gathered.servers.iter().map(move |server| (*server, *client)));
            pairs.into_iter().find_map(|(from, to)| together.worked(&rule.services, from, to))
        };
        Self {
            fell_back: rules(RuleEffect::Fallback).find_map(fallback),
            other_way: rules(RuleEffect::BothWays).find_map(back),
            mandatory: rules(RuleEffect::Mandatory).next().is_some(),
        }
    }
}

/// When a pair last came to a good end with the row, or with one of those that may be meant. Connections that never stood asked for nothing: whatever row the port was
/// taken for when it worked, it is the same port.
fn worked_at(worked: &Worked, signatures: &Signatures, key: &Key, pair: Pair, gathered: &Gathered) -> Option<[Timestamp; 2]> {
    let (_, transport, server) = pair;
    let others = signatures.at(transport, server.port).map(Some).chain([None]).filter(|_| !gathered.stood);
    let rows = [key.service].into_iter().chain(key.tied.iter().copied().map(Some)).chain(others);
    rows.filter_map(|row| worked.get(&(row, pair))).max().copied()
}

/// The contract's word: a reason's, an outcome's.
fn rule_name(trouble: Trouble) -> String {
    let word = match trouble {
        Trouble::Failed(outcome) => serde_json::to_value(outcome),
        Trouble::Broke(reason) => serde_json::to_value(reason),
        Trouble::Intermittent => return "intermittent".to_owned(),
    };
    word.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A documented service that does not get through is worst; one that is off unless switched on is probably off. What rests on a hint, or on a row
/// whose product nobody said to be there, weighs a step less.
fn severity(key: &Key, gathered: &Gathered, optional: bool, tied: Tied) -> Severity {
    let plain = match key.trouble {
        Trouble::Failed(_) if tied.fell_back.is_some() => Severity::Info,
        Trouble::Failed(_) if optional => Severity::Info,
        // Whoever was answered by the service got through, however much the document needs the port.
        Trouble::Failed(Outcome::AppRefused | Outcome::ServerSilent) => Severity::Low,
        Trouble::Failed(outcome) if outcome.is_blocked() || tied.mandatory => Severity::High,
        Trouble::Failed(_) => Severity::Medium,
        Trouble::Intermittent if gathered.stopped.is_some() => Severity::Medium,
        // A client that asks otherwise then is set so, and served.
        Trouble::Intermittent if gathered.works == Works::AtOnce => Severity::Info,
        Trouble::Intermittent => Severity::Low,
        Trouble::Broke(reason) => severity_of(reason, gathered),
    };
    let unsure = match key.trouble {
        Trouble::Failed(_) => gathered.confidence.min(gathered.attribution) == Confidence::Low,
        Trouble::Broke(reason) => key.roles == [None, None] && reason != Reason::DeniedBySite,
        Trouble::Intermittent => false,
    };
    if unsure { less(plain) } else { plain }
}

fn severity_of(reason: Reason, gathered: &Gathered) -> Severity {
    let background = gathered.is_background();
    let answered = gathered.answered;
    match reason {
        Reason::OptionalServiceActive => Severity::Info,
        Reason::OutsideAnnouncedRange if gathered.expected => Severity::Info,
        Reason::UndocumentedService | Reason::WrongRole if background => Severity::Info,
        Reason::UndocumentedService if answered => Severity::Medium,
        Reason::UndocumentedService => Severity::Low,
        Reason::UndocumentedPath | Reason::UnexpectedlyEncrypted => Severity::Low,
        Reason::WrongDirection | Reason::NotEncrypted | Reason::UnsupportedByProduct if answered => Severity::High,
        Reason::InboundFromOutside if !answered => Severity::Info,
        // What is forbidden and fails is a firewall at work; a version that is too old is likely the site file's.
        Reason::DeniedBySite if answered => Severity::High,
        Reason::DeniedBySite | Reason::VersionTooOld => Severity::Low,
        // Who was turned away broke nothing: a scanner knocks everywhere.
        Reason::WrongRole | Reason::WrongDirection | Reason::UnsupportedByProduct if !gathered.reached => Severity::Low,
        _ => Severity::Medium,
    }
}

fn less(severity: Severity) -> Severity {
    match severity {
        Severity::High => Severity::Medium,
        Severity::Medium => Severity::Low,
        Severity::Low | Severity::Info => Severity::Info,
    }
}

/// What fails though small messages of the same pair pass, names that are denied though others are not, TLS that is opened though it works, connections that
/// are forgotten though new ones are not: that is no failing now and then.
const FAILS_IN_PART: &[Outcome] = &[Outcome::PmtuBlackhole, Outcome::DnsBlocked, Outcome::DnsFailed, Outcome::TlsIntercepted, Outcome::IdleDropped];
/// Outcomes of a service that is not to be had, though nothing is blocked.
const NO_SERVICE: &[Outcome] = &[Outcome::RefusedByHost, Outcome::Unreachable, Outcome::TlsFailed, Outcome::AppRefused, Outcome::ServerSilent];
/// Ports of name lookup, addresses and time.
const NEEDED: &[u16] = &[53, 67, 68, 123, 546, 547];
/// Reasons that leave a flow open instead of breaking something.
const OPEN: &[Reason] =
    &[Reason::DirectionUnknown, Reason::Midstream, Reason::NotEnoughBytes, Reason::SharedPort, Reason::NotCovered, Reason::OptionalServiceActive];
