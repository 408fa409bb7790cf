//! Holds a run against an expectation file: counts while flows pass, compares once they have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::check::expect::{AllowDue, Expectations, FindingDue, HostDue, Rows, Whose, roles};
use crate::check::{Comparison, Counted, Difference, Example, Kind, frames};
use crate::judge::{Coverage, Finding, Judged, Outcome, Site, Tried, Verdict};
use crate::limit;
use crate::report::Report;
use crate::report::paragraph::count;
use crate::report::record::word;
use crate::signature::{RoleId, ServiceId, Signatures};

/// Takes flows as they are judged.
#[derive(Debug)]
pub struct Gate<'a> {
    due: &'a Expectations,
    site: &'a Site,
    signatures: &'a Signatures,
    hosts: Vec<Met>,
    flows: Vec<Chosen>,
}

/// What the flows of a service came to.
#[derive(Clone, Debug, Default)]
struct Met {
    tried: Tried,
    /// Some flow, of whatever service, has the ends that are asked for.
    shown: bool,
    /// How many came to what, and the first of each.
    examples: BTreeMap<Coverage, (u64, Example)>,
}

/// What the chosen flows are.
#[derive(Clone, Debug, Default)]
struct Chosen {
    chosen: u64,
    right: u64,
    /// How many differ in what, and the first of each.
    wrong: BTreeMap<String, (u64, Example)>,
}

impl<'a> Gate<'a> {
    /// Nothing passed yet. `site` is the one that flows are judged by.
    pub fn new(due: &'a Expectations, site: &'a Site, signatures: &'a Signatures) -> Self {
        Self { due, site, signatures, hosts: vec![Met::default(); due.hosts.len()], flows: vec![Chosen::default(); due.flows.len()] }
    }

    /// A judged flow.
    pub fn flow(&mut self, judged: &Judged) {
        for (due, met) in self.due.hosts.iter().zip(&mut self.hosts) {
            met.add(due, judged, self.site, self.signatures);
        }
        for (due, chosen) in self.due.flows.iter().zip(&mut self.flows) {
            if due.chosen.holds(judged, self.site) {
                chosen.chosen += 1;
                let wrong = due.differences(judged, self.signatures).join(", ");
                if wrong.is_empty() {
                    chosen.right += 1;
                } else if chosen.wrong.len() < limit::DIFFERENCES_TOLD || chosen.wrong.contains_key(&wrong) {
                    chosen.wrong.entry(wrong).or_insert_with(|| (0, Example::of(judged))).0 += 1;
                }
            }
        }
    }

    /// What differs, once all flows have passed.
    pub fn finish(self, report: &Report<'_>) -> Comparison {
        let mut differences = Vec::new();
        let mut notes = Vec::new();
        differences.extend(self.due.counts.iter().filter_map(|(what, due, place)| {
            let is = counted(*what, report);
            let told = || unmet(place, word(what), due.to_string(), is.to_string(), Vec::new());
            (!due.holds(is)).then(told)
        }));
        differences.extend(self.due.hosts.iter().zip(&self.hosts).filter_map(|(due, met)| met.difference(due, report)));
        differences.extend(self.due.flows.iter().zip(&self.flows).filter_map(|(due, chosen)| chosen.difference(due, report)));
        differences.extend(self.due.findings.iter().filter_map(|due| self.missing(due, report)));
        differences.extend(self.unwanted(report));
        if differences.is_empty() && !self.due.is_empty() {
            differences.extend(self.nothing_held(report));
        }
        let unused = |entry: &&AllowDue| !report.findings.iter().any(|finding| self.allows(entry, finding, report));
        notes.extend(self.due.allow.iter().filter(unused).map(|entry| format!("{}: the findings that it allows are not there any more", entry.place)));
        if self.due.is_empty() {
            notes.push(format!("{} asks for nothing", self.due.file));
        }
        Comparison { name: self.due.name.clone(), with: self.due.file.clone(), compared: self.due.len(), what: EXPECTATIONS, differences, notes }
    }

    /// Nothing was judged, and nothing in the file says that this may be: that what must not be is not there then shows nothing.
    fn nothing_held(&self, report: &Report<'_>) -> Option<Difference> {
        let due = self.due;
        let may_be_none = due.counts.iter().any(|(what, count, _)| *what == Counted::Flows && count.holds(0));
        if report.digest.flows > 0 || may_be_none {
            return None;
        }
        let bound = due.no_findings_above.iter().map(|(_, place)| place);
        let mut places =
            bound.chain(due.counts.iter().map(|(.., place)| place)).chain(due.flows.iter().map(|due| &due.place)).chain(due.hosts.iter().map(|due| &due.place));
        let place = places.next().unwrap_or(&due.file);
        let told =
            format!("at least 1, so that the {} can be held against something (where there may be none, say so: flows = 0 in [counts])", EXPECTATIONS[1]);
        Some(unmet(place, word(&Counted::Flows), told, "0: nothing was judged".to_owned(), Vec::new()))
    }

    /// Whether no finding is as due; then the nearest ones are told.
    fn missing(&self, due: &FindingDue, report: &Report<'_>) -> Option<Difference> {
        let alike = |finding: &&Finding| {
            let by_service = due.service.as_ref().is_some_and(|(_, rows)| self.about(rows, finding, report));
            due.rule.as_ref().map_or(by_service, |rule| *rule == finding.rule || by_service)
        };
        if report.findings.iter().any(|finding| self.is_due(due, finding, report)) {
            return None;
        }
        let near = report.findings.iter().filter(alike).take(limit::DIFFERENCES_TOLD);
        let near: Vec<String> = near.map(|finding| format!("differs in {}: {}", self.wrong(due, finding, report).join(", "), brief(finding, report))).collect();
        let is = if near.is_empty() { "no such finding" } else { "none is so" };
        Some(unmet(&due.place, "a finding".to_owned(), due.told(), is.to_owned(), near))
    }

    fn is_due(&self, due: &FindingDue, finding: &Finding, report: &Report<'_>) -> bool {
        self.wrong(due, finding, report).is_empty()
    }

    /// In what the finding is not as due.
    fn wrong(&self, due: &FindingDue, finding: &Finding, report: &Report<'_>) -> Vec<&'static str> {
        let [clients, servers] = &finding.hosts;
        let any = |whose: &Whose, hosts: &[IpAddr]| !whose.is_said() || hosts.iter().any(|host| self.is_one_of(whose, *host, report));
        let breaks = |words: &String| finding.consequence.as_ref().is_some_and(|told| told.contains(words));
        let fits = [
            ("rule", due.rule.as_ref().is_none_or(|rule| *rule == finding.rule)),
            ("service", due.service.as_ref().is_none_or(|(_, rows)| self.about(rows, finding, report))),
            ("severity", due.severity.is_none_or(|severity| severity == finding.severity)),
            ("confidence", due.confidence.is_none_or(|confidence| confidence == finding.confidence)),
            ("client", any(&due.client, clients)),
            ("server", any(&due.server, servers)),
            ("flows", due.flows.is_none_or(|flows| flows.holds(finding.flows))),
            ("says", due.says.as_ref().is_none_or(|says| finding.says.contains(says))),
            ("breaks", due.breaks.as_ref().is_none_or(breaks)),
        ];
        fits.into_iter().filter(|(_, fits)| !fits).map(|(key, _)| key).collect()
    }

    /// Findings that are worse than the file takes, and that it neither asks for nor allows.
    fn unwanted(&self, report: &Report<'_>) -> Vec<Difference> {
        let Some((worst, place)) = &self.due.no_findings_above else { return Vec::new() };
        let wanted = |finding: &Finding| self.due.findings.iter().any(|due| self.is_due(due, finding, report));
        let over = report.findings.iter().filter(|finding| finding.severity > *worst && !wanted(finding));
        let told = |finding: &Finding| {
            let allowed = self.due.allow.iter().filter(|entry| self.allows(entry, finding, report));
            let (holding, expired): (Vec<_>, Vec<_>) = allowed.partition(|entry| entry.until.is_none_or(|until| finding.first <= until));
            if !holding.is_empty() {
                return None;
            }
            let mut shows = vec![finding.says.clone(), format!("{}; filter {}", frames(&finding.frames, report), finding.display_filter)];
            shows.extend(expired.iter().filter_map(|entry| Some(format!("allowed until {} by {}: {}", entry.until?, entry.place, entry.reason))));
            let about = format!("{} {}", finding.rule, finding.service.map_or(finding.about.as_str(), |id| &self.signatures.service(id).id));
            Some(unmet(place, about, format!("no finding above {}", word(worst)), word(&finding.severity), shows))
        };
        over.filter_map(told).collect()
    }

    /// Whether the entry is about the finding, expired or not.
    fn allows(&self, entry: &AllowDue, finding: &Finding, report: &Report<'_>) -> bool {
        let [clients, servers] = &finding.hosts;
        let all = |whose: &Whose, hosts: &[IpAddr]| !whose.is_said() || (!hosts.is_empty() && hosts.iter().all(|host| self.is_one_of(whose, *host, report)));
        entry.rule.as_ref().is_none_or(|rule| *rule == finding.rule)
            && entry.rows.as_ref().is_none_or(|rows| self.about(rows, finding, report))
            && all(&entry.client, clients)
            && all(&entry.server, servers)
    }

    /// Whether a finding is about one of the rows; its first hosts stand for all.
    fn about(&self, rows: &Rows, finding: &Finding, report: &Report<'_>) -> bool {
        let [client, server] = finding.hosts.each_ref().map(|hosts| hosts.first().map_or_else(Vec::new, |host| self.roles_of(*host, report)));
        rows.hold(finding.service, [&client, &server], self.signatures)
    }

    /// Whether a host of a finding is among those meant.
    fn is_one_of(&self, whose: &Whose, host: IpAddr, report: &Report<'_>) -> bool {
        self.site.is_one_of(&whose.meant, host, &self.roles_of(host, report))
    }

    /// Roles that the site gives a host, and those that it shows.
    fn roles_of(&self, host: IpAddr, report: &Report<'_>) -> Vec<RoleId> {
        let given = self.site.roles.iter().filter(|(_, network)| network.contains(&host)).map(|(role, _)| *role);
        let shown = report.shown.iter().filter(|(ip, _)| *ip == host).map(|(_, shown)| shown.role);
        given.chain(shown).collect()
    }
}

impl Met {
    fn add(&mut self, due: &HostDue, judged: &Judged, site: &Site, signatures: &Signatures) {
        let flow = &judged.identified.flow;
        let ends = [flow.client.endpoint.ip, flow.server.endpoint.ip];
        let is = |whose: &Whose, end: usize| site.is_one_of(&whose.meant, ends[end], &judged.roles[end]);
        let either = |whose: &Whose| !whose.is_said() || is(whose, 0) || is(whose, 1);
        self.shown |= either(&due.host) && either(&due.client) && either(&due.server);
        if !either(&due.host) || (due.client.is_said() && !is(&due.client, 0)) || (due.server.is_said() && !is(&due.server, 1)) {
            return;
        }
        let asked = |row: &ServiceId| due.rows.hold(Some(*row), roles(judged), signatures);
        let own = judged.rows().find(asked).map(|_| Tried::of(judged));
        let denied = judged.denied.filter(asked).map(|_| Tried::denied(judged.outcome));
        for tried in own.into_iter().chain(denied) {
            self.tried.merge(tried);
            if let Some(came_to) = tried.came_to() {
                self.examples.entry(came_to).or_insert_with(|| (0, Example::of(judged))).0 += 1;
            }
        }
    }

    fn difference(&self, due: &HostDue, report: &Report<'_>) -> Option<Difference> {
        let visible = self.shown && due.rows.0.iter().any(|id| covered(report, *id).is_some_and(|coverage| coverage != Coverage::NotVisibleHere));
        let is = self.tried.came_to().unwrap_or(if visible { Coverage::NeverAttempted } else { Coverage::NotVisibleHere });
        if due.is.contains(&is) {
            return None;
        }
        let shows = self.examples.iter().map(|(coverage, (many, example))| {
            let such = if *many == 1 { "" } else { ", such as" };
            format!("{} {}{such}: {}", count(*many, "flow"), word(coverage), example.told(report))
        });
        let about = format!("{}{}{}{}", due.service, due.host.told("of"), due.client.told("from"), due.server.told("to"));
        let wanted: Vec<String> = due.is.iter().map(word).collect();
        let told = match is {
            Coverage::NotVisibleHere => "not_visible_here: no flow of these hosts was captured, so their silence shows nothing".to_owned(),
            other => word(&other),
        };
        Some(unmet(&due.place, about, wanted.join(" or "), told, shows.collect()))
    }
}

impl Chosen {
    fn difference(&self, due: &crate::check::FlowDue, report: &Report<'_>) -> Option<Difference> {
        let holds = match due.count {
            Some(count) => count.holds(self.right),
            None => self.chosen > 0 && self.right == self.chosen,
        };
        if holds {
            return None;
        }
        let shows = self.wrong.iter().map(|(wrong, (many, example))| format!("{many} with {wrong}: {}", example.told(report)));
        let is = match (self.chosen, due.count) {
            (0, _) => "no such flow".to_owned(),
            (chosen, None) => format!("{} of {chosen} are so", self.right),
            (_, Some(_)) => format!("{} of them", self.right),
        };
        Some(unmet(&due.place, due.chosen.told(), due.told(), is, shows.collect()))
    }
}

fn unmet(place: &str, about: String, due: String, is: String, shows: Vec<String>) -> Difference {
    Difference { kind: Kind::Unmet, place: Some(place.to_owned()), about, due, is, shows }
}

fn covered(report: &Report<'_>, row: ServiceId) -> Option<Coverage> {
    report.coverage.iter().find(|(id, _)| *id == row).map(|(_, coverage)| *coverage)
}

/// A finding in a line.
fn brief(finding: &Finding, report: &Report<'_>) -> String {
    let service = finding.service.map_or("none", |id| &report.signatures.service(id).id);
    let Finding { severity, rule, confidence, flows, says, .. } = finding;
    format!("{} {rule} about {service}, confidence {}, {flows} flows: {says}", word(severity), word(confidence))
}

fn counted(what: Counted, report: &Report<'_>) -> u64 {
    let digest = &report.digest;
    match what {
        Counted::Flows => digest.flows,
        Counted::Expected => digest.verdicts.of(&Verdict::Expected),
        Counted::Unexpected => digest.verdicts.of(&Verdict::Unexpected),
        Counted::Undecided => digest.verdicts.of(&Verdict::Undecided),
        Counted::Blocked => digest.outcomes.iter().filter(|(outcome, _)| Outcome::is_blocked(**outcome)).map(|(_, many)| many).sum(),
        Counted::Findings => report.findings.len() as u64,
    }
}

const EXPECTATIONS: [&str; 2] = ["expectation", "expectations"];
