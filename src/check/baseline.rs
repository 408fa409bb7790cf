//! A baseline: the services and findings of an earlier run, named so that two days of one network differ only by what really changed.
//!
//! No time, frame, client port or count is in it. Inside hosts are named by address, all that is outside is `internet`; findings by rule, row and roles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::check::{Comparison, Difference, Example, Kind, frames, lasting};
use crate::judge::{Coverage, Finding, Judged, Severity, Site, Tried, with_twins};
use crate::limit;
use crate::report::Report;
use crate::report::paragraph::listed;
use crate::report::record::word;
use crate::signature::{ServiceId, Signatures};

/// What a run saw, as far as it lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Form of the file: [`FORM`].
    portbook_baseline: u32,
    /// Services by their ends.
    services: Vec<Seen>,
    /// Findings.
    findings: Vec<Found>,
}

/// A service between two ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    pub service: String,
    pub client: String,
    pub server: String,
    pub roles: [Vec<String>; 2],
    pub is: Coverage,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    pub id: String,
    pub rule: String,
    pub severity: Severity,
    pub service: Option<String>,
    pub clients: BTreeSet<String>,
    pub servers: BTreeSet<String>,
}

/// An entry of a baseline, for whoever can show what it rests on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry<'a> {
    Service(&'a Seen),
    /// By its id.
    Finding(&'a str),
}

/// Why a text is no baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Line and column, where there is a place.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub says: String,
}

/// `3:14: ...`
impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        write!(f, "{}; write a new one with --bless", self.says)
    }
}

impl Baseline {
    /// Of these, put in order.
    pub(super) fn of(mut services: Vec<Seen>, mut findings: Vec<Found>) -> Self {
        services.sort_by(|a, b| (&a.service, &a.client, &a.server).cmp(&(&b.service, &b.client, &b.server)));
        findings.sort_by(|a, b| a.id.cmp(&b.id));
        Self { portbook_baseline: FORM, services, findings }
    }

    /// Reads what [`text`](Self::text) wrote.
    ///
    /// # Errors
    /// The text is no baseline, or one of another form.
    pub fn from_text(text: &str) -> Result<Self, Unfit> {
        let unfit = |error: &serde_json::Error| {
            let says = error.to_string();
            let says = says.split(" at line ").next().unwrap_or_default();
            Unfit { place: (error.line() > 0).then(|| (error.line(), error.column())), says: format!("this is no baseline of portbook: {says}") }
        };
        let form: Form = serde_json::from_str(text).map_err(|error| unfit(&error))?;
        if form.portbook_baseline != FORM {
            let says = format!("this baseline has form {}, and this portbook reads form {FORM}", form.portbook_baseline);
            return Err(Unfit { place: None, says });
        }
        serde_json::from_str(text).map_err(|error| unfit(&error))
    }

    /// The baseline as a file: an entry a line, in an order of its own, so that two files compare well.
    pub fn text(&self) -> String {
        let mut text = format!("{{\"portbook_baseline\":{FORM},\"services\":[");
        let mut write = |list: Vec<String>, end: &str| {
            for (place, line) in list.iter().enumerate() {
                text += if place == 0 { "\n" } else { ",\n" };
                text += line;
            }
            text += end;
        };
        // Strings, numbers and lists of them always become JSON.
        write(self.services.iter().filter_map(|entry| serde_json::to_string(entry).ok()).collect(), "\n],\"findings\":[");
        write(self.findings.iter().filter_map(|entry| serde_json::to_string(entry).ok()).collect(), "\n]}\n");
        text
    }

    /// Services and findings that it holds.
    pub fn len(&self) -> (usize, usize) {
        (self.services.len(), self.findings.len())
    }

    /// What `self`, seen now, has that `before` has not, the other way round, and what became different.
    pub(super) fn differences(&self, before: &Self, signatures: &Signatures, shows: &dyn Fn(Entry<'_>) -> Vec<String>) -> Vec<Difference> {
        let mut all = Vec::new();
        let (is, was) = (by_ends(signatures, &self.services), by_ends(signatures, &before.services));
        for (ends, seen) in &is {
            match was.get(ends) {
                None => all.push(difference(Kind::New, seen.about(), String::new(), word(&seen.is), shows(Entry::Service(seen)))),
                Some(before) => all.extend(seen.changed(before, || shows(Entry::Service(seen)))),
            }
        }
        let gone = was.iter().filter(|(ends, _)| !is.contains_key(*ends));
        all.extend(gone.map(|(_, seen)| difference(Kind::Gone, seen.about(), word(&seen.is), "not seen".to_owned(), Vec::new())));
        let find = |list: &[Found], id: &str| list.iter().find(|found| found.id == id).cloned();
        for found in &self.findings {
            let shows = || shows(Entry::Finding(&found.id));
            match find(&before.findings, &found.id) {
                None => all.push(difference(Kind::New, found.about(), String::new(), found.ends(), shows())),
                Some(before) => all.extend(found.changed(&before, shows)),
            }
        }
        let gone = before.findings.iter().filter(|found| find(&self.findings, &found.id).is_none());
        all.extend(gone.map(|found| difference(Kind::Gone, found.about(), found.ends(), "no such finding".to_owned(), Vec::new())));
        all.sort_by_key(|difference| difference.kind);
        all
    }
}

impl Seen {
    fn about(&self) -> String {
        format!("{} {} > {}", self.service, self.client, self.server)
    }

    fn changed(&self, before: &Self, shows: impl FnOnce() -> Vec<String>) -> Option<Difference> {
        let said = |seen: &Self| {
            let roles = seen.roles.iter().map(|roles| if roles.is_empty() { "no role".to_owned() } else { roles.join(" ") });
            let roles = if self.roles == before.roles { String::new() } else { format!(", {}", roles.collect::<Vec<_>>().join(" > ")) };
            format!("{}{roles}", word(&seen.is))
        };
        let differs = self.is != before.is || self.roles != before.roles;
        differs.then(|| difference(Kind::Changed, self.about(), said(before), said(self), shows()))
    }
}

impl Found {
    fn about(&self) -> String {
        format!("finding {} {}", word(&self.severity), self.id)
    }

    fn ends(&self) -> String {
        let list = |ends: &BTreeSet<String>| listed(&ends.iter().collect::<Vec<_>>(), "and");
        format!("{} > {}", list(&self.clients), list(&self.servers))
    }

    fn changed(&self, before: &Self, shows: impl FnOnce() -> Vec<String>) -> Option<Difference> {
        let severity = self.severity != before.severity;
        let said = |found: &Self| if severity { format!("{}, {}", word(&found.severity), found.ends()) } else { found.ends() };
        let differs = severity || (&self.clients, &self.servers) != (&before.clients, &before.servers);
        differs.then(|| difference(Kind::Changed, format!("finding {}", self.id), said(before), said(self), shows()))
    }
}

/// Gathers what a run sees, as far as it lasts.
#[derive(Debug)]
pub struct Census<'a> {
    site: &'a Site,
    signatures: &'a Signatures,
    /// By row and ends.
    services: BTreeMap<(ServiceId, String, String), Row>,
    /// Flows whose row and ends found no room.
    dropped: u64,
}

#[derive(Clone, Debug)]
struct Row {
    roles: [BTreeSet<String>; 2],
    tried: Tried,
    /// The first flow that came to something.
    example: Example,
}

impl<'a> Census<'a> {
    /// Nothing gathered yet. `site` is the one that flows are judged by.
    pub fn new(site: &'a Site, signatures: &'a Signatures) -> Self {
        Self { site, signatures, services: BTreeMap::new(), dropped: 0 }
    }

    /// A judged flow.
    pub fn flow(&mut self, judged: &Judged) {
        let own = judged.service.map(|id| (id, Tried::of(judged)));
        let denied = judged.denied.map(|id| (id, Tried::denied(judged.outcome)));
        let flow = &judged.identified.flow;
        for (id, tried) in own.into_iter().chain(denied) {
            if tried == Tried::default() {
                continue;
            }
            let server = if judged.service == Some(id) { lasting(self.site, flow.server.endpoint.ip) } else { super::INTERNET.to_owned() };
            let key = (id, lasting(self.site, flow.client.endpoint.ip), server);
            if self.services.len() >= limit::BASELINE_PAIRS && !self.services.contains_key(&key) {
                self.dropped += 1;
                continue;
            }
            let row = self.services.entry(key).or_insert_with(|| Row { roles: Default::default(), tried: Tried::default(), example: Example::of(judged) });
            if row.tried.came_to() > tried.came_to() {
                row.example = Example::of(judged);
            }
            row.tried.merge(tried);
            for (known, roles) in row.roles.iter_mut().zip(&judged.roles) {
                known.extend(roles.iter().map(|role| self.signatures.role(*role).id.clone()));
            }
        }
    }

    /// The baseline of the run, once all flows have passed.
    pub fn baseline(&self, report: &Report<'_>) -> Baseline {
        let seen = |((id, client, server), row): (&(ServiceId, String, String), &Row)| {
            Some(Seen {
                service: self.signatures.service(*id).id.clone(),
                client: client.clone(),
                server: server.clone(),
                roles: row.roles.clone().map(|roles| roles.into_iter().collect()),
                is: row.tried.came_to()?,
            })
        };
        let ends = |hosts: &[IpAddr]| hosts.iter().map(|host| lasting(self.site, *host)).collect();
        let found = |finding: &Finding| Found {
            id: lasting_id(finding),
            rule: finding.rule.clone(),
            severity: finding.severity,
            service: finding.service.map(|id| self.signatures.service(id).id.clone()),
            clients: ends(&finding.hosts[0]),
            servers: ends(&finding.hosts[1]),
        };
        Baseline::of(self.services.iter().filter_map(seen).collect(), report.findings.iter().map(found).collect())
    }

    /// What differs from an earlier baseline.
    pub fn compare(&self, before: &Baseline, with: &str, report: &Report<'_>) -> Comparison {
        let now = self.baseline(report);
        let shows = |entry: Entry<'_>| match entry {
            Entry::Service(seen) => self.shows(seen, report),
            Entry::Finding(id) => report.findings.iter().filter(|finding| lasting_id(finding) == id).map(|finding| told(finding, report)).collect(),
        };
        let differences = now.differences(before, self.signatures, &shows);
        let (services, findings) = before.len();
        let notes = (self.dropped > 0).then(|| format!("{} flows belong to services between more pairs of hosts than a baseline holds", self.dropped));
        Comparison { name: String::new(), with: with.to_owned(), compared: services + findings, what: SEEN, differences, notes: notes.into_iter().collect() }
    }

    fn shows(&self, seen: &Seen, report: &Report<'_>) -> Vec<String> {
        let row = |((id, client, server), _): &(&(ServiceId, String, String), &Row)| {
            self.signatures.service(*id).id == seen.service && (client, server) == (&seen.client, &seen.server)
        };
        self.services.iter().find(row).map(|(_, row)| row.example.told(report)).into_iter().collect()
    }
}

/// By what makes two entries the same: rows that tell one service from two products' sides are one.
fn by_ends<'s>(signatures: &Signatures, services: &'s [Seen]) -> BTreeMap<(String, &'s str, &'s str), Seen> {
    let mut all: BTreeMap<(String, &'s str, &'s str), Seen> = BTreeMap::new();
    for seen in services {
        let twins = signatures.service_id(&seen.service).map(|id| with_twins(signatures, id));
        let first = twins.and_then(|twins| twins.into_iter().min()).map_or(seen.service.as_str(), |id| &signatures.service(id).id);
        let entry = all.entry((first.to_owned(), seen.client.as_str(), seen.server.as_str())).or_insert_with(|| seen.clone());
        // Of two sides the one that was better off speaks: coverage is in that order.
        if seen.is < entry.is {
            entry.is = seen.is;
        }
    }
    all
}

/// A finding's id.
fn lasting_id(finding: &Finding) -> String {
    let unknown = finding.unknown.as_ref().map(|unknown| (unknown.ports.len(), unknown.protocol.join("-")));
    lasting_id_of(&finding.id, &finding.rule, unknown)
}

/// What speaks on many ports that it takes as they come is named by what it speaks, as its ports are others tomorrow. Of an unknown service: how many ports, and
/// its protocols joined by hyphens.
pub(super) fn lasting_id_of(id: &str, rule: &str, unknown: Option<(usize, String)>) -> String {
    match unknown {
        Some((ports, protocol)) if ports > limit::PORTS_TOLD_APART => {
            let roles = id.rsplit('/').next().unwrap_or_default();
            let what = if protocol.is_empty() { "unrecognised" } else { &protocol };
            format!("{rule}/{what}-on-many-ports/{roles}")
        }
        _ => id.to_owned(),
    }
}

fn told(finding: &Finding, report: &Report<'_>) -> String {
    format!("{} ({})", finding.says, frames(&finding.frames, report))
}

pub(super) fn difference(kind: Kind, about: String, due: String, is: String, shows: Vec<String>) -> Difference {
    Difference { kind, place: None, about, due, is, shows }
}

const SEEN: [&str; 2] = ["service or finding", "services and findings"];

/// What every form of the file has, whatever else it holds.
#[derive(Deserialize)]
struct Form {
    portbook_baseline: u32,
}

/// The form that is written, and the only one that is read.
const FORM: u32 = 1;
