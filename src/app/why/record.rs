//! The account of a flow for machines: the flow's own record, and beside it what only this command tells.

use std::io::{self, Write};

use serde::Serialize;

use crate::app::why::text::stated;
use crate::app::why::{Told, findings};
use crate::judge::{CapturePoint, Cited, Confidence, Considered, Judged, Outcome, Reason, Severity, SightWords, Site, Standing, rules};
use crate::report::Report;
use crate::report::frames::CitedFrame;
use crate::report::record::FlowRecord;
use crate::signature::RoleId;

/// `{"type":"why", ...}` on one line.
pub fn write(told: &Told<'_>, report: &Report<'_>, site: &Site, out: &mut dyn Write) -> io::Result<()> {
    let flows = told.flows.iter().map(|judged| Explained::new(told, report, site, judged)).collect();
    let captures = report.files.iter().map(|file| file.path.as_str()).collect();
    serde_json::to_writer(&mut *out, &Why { r#type: "why", asked: told.asked, captures, flows, not_told: told.more })?;
    writeln!(out)
}

#[derive(Serialize)]
struct Why<'a> {
    r#type: &'static str,
    asked: &'a str,
    captures: Vec<&'a str>,
    flows: Vec<Explained<'a>>,
    /// Flows with that name beyond those told.
    not_told: u64,
}

#[derive(Serialize)]
struct Explained<'a> {
    flow: FlowRecord<'a>,
    /// On what the direction rests, where no opening was seen.
    direction_by: Option<&'static str>,
    client_roles: Vec<Role<'a>>,
    server_roles: Vec<Role<'a>>,
    rows: Vec<Row<'a>>,
    citation: Option<Cited>,
    reasons: Vec<Meaning>,
    /// How sure it is that the flow belongs to its row, or to none.
    attribution: Confidence,
    site: Option<String>,
    rule: Option<Rule>,
    blocked: bool,
    /// The row whose name was asked for here in vain.
    denied: Option<&'a str>,
    sight: Option<SightWords>,
    loss_per_mille: u64,
    place: Option<&'a CapturePoint>,
    frames: Vec<CitedFrame<'a>>,
    display_filter: String,
    findings: Vec<Cites<'a>>,
}

#[derive(Serialize)]
struct Role<'a> {
    role: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct Row<'a> {
    service: &'a str,
    standing: Standing,
    speaks_for: &'a str,
    against: Option<&'a str>,
}

#[derive(Serialize)]
struct Meaning {
    reason: Reason,
    says: &'static str,
}

/// The line of the decision table that decided.
#[derive(Serialize)]
struct Rule {
    id: &'static str,
    outcome: Outcome,
    about: &'static str,
    alternatives: &'static [&'static str],
}

#[derive(Serialize)]
struct Cites<'a> {
    number: usize,
    id: &'a str,
    severity: Severity,
    says: &'a str,
}

impl<'a> Explained<'a> {
    fn new(told: &Told<'_>, report: &'a Report<'_>, site: &Site, judged: &'a Judged) -> Self {
        let signatures = report.signatures;
        let flow = &judged.identified.flow;
        let account = judged.account.as_deref();
        let roles = |side: usize| {
            let known = account.into_iter().flat_map(move |account| &account.roles[side]);
            let role = |(role, why): &'a (RoleId, String)| Role { role: &signatures.role(*role).id, why };
            known.map(role).collect()
        };
        let row = |row: &'a Considered| Row {
            service: &signatures.service(row.service).id,
            standing: row.standing,
            speaks_for: &row.speaks_for,
            against: row.against.as_deref(),
        };
        let cause = judged.cause.as_ref();
        let rule = cause.and_then(|cause| rules().find(|rule| rule.id == cause.rule));
        Self {
            flow: FlowRecord::new(judged, signatures),
            direction_by: judged.direction_by,
            client_roles: roles(0),
            server_roles: roles(1),
            rows: account.into_iter().flat_map(|account| &account.rows).map(row).collect(),
            citation: judged.service.map(|id| signatures.service(id)).map(|row| Cited::of(signatures, row.document, &row.citation, row.basis)),
            reasons: judged.reasons.iter().map(|reason| Meaning { reason: *reason, says: reason.says() }).collect(),
            attribution: judged.attribution,
            site: stated(site, judged),
            rule: rule.map(|rule| Rule { id: rule.id, outcome: rule.outcome, about: rule.about, alternatives: rule.alternatives }),
            blocked: judged.outcome.is_blocked(),
            denied: judged.denied.map(|id| signatures.service(id).id.as_str()),
            sight: account.map(|account| account.sight),
            loss_per_mille: account.map_or(0, |account| account.loss_per_mille),
            place: report.visibility.points.iter().find(|point| point.interface == flow.interface && point.vlan == flow.vlan.ids()),
            frames: judged.cited.iter().map(|frame| CitedFrame::new(&report.files, *frame)).collect(),
            display_filter: told.filter(judged),
            findings: findings(report, judged)
                .into_iter()
                .map(|(number, finding)| Cites { number, id: &finding.id, severity: finding.severity, says: &finding.says })
                .collect(),
        }
    }
}
