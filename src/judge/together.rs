//! Rules of documents that tie several rows together: only several flows show whether they are kept.
//!
//! Kept is which hosts used the rows of such rules, and no more. At the bound those who met longest ago are forgotten; what is said then is what would be said of
//! a capture that began after them, and an absence is told only once that is long enough.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::judge::ends::End;
use crate::judge::exhibit::Exhibits;
use crate::judge::filter::Ends;
use crate::judge::verdict::same_service;
use crate::judge::{Cited, Confidence, Finding, Judge, Judged, Outcome, Severity};
use crate::limit;
use crate::net::{Mac, is_self_assigned};
use crate::signature::{MarkKind, RoleId, Rule, RuleEffect, Service, ServiceId, Signatures};
use crate::time::Timestamp;

/// Who met whom over which row, and, where the row has a formula, in which instance.
type Met = (ServiceId, IpAddr, IpAddr, Option<u16>);

/// Flows of one such meeting.
#[derive(Clone, Debug)]
struct Meeting {
    flows: u64,
    /// One of them came to a good end.
    worked: bool,
    /// When flows began; the earliest ones.
    begun: BTreeSet<Timestamp>,
    last: Timestamp,
    exhibits: Exhibits,
}

/// Who met whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Together {
    /// Rows of rules that tie.
    watched: BTreeSet<ServiceId>,
    met: Meetings,
    /// Hosts that took an address by themselves, by hardware address.
    nameless: BTreeMap<Mac, (IpAddr, Meeting)>,
}

/// Meetings, of which a bounded number is remembered.
#[derive(Clone, Debug, Default)]
struct Meetings {
    met: BTreeMap<Met, Meeting>,
    /// The last flow of the latest one that was forgotten.
    forgotten: Option<Timestamp>,
    /// The last flow of all.
    latest: Option<Timestamp>,
}

impl Together {
    pub(super) fn new(signatures: &Signatures) -> Self {
        let rules = signatures.rules.iter().filter(|rule| TIES.contains(&rule.effect));
        Self { watched: rules.flat_map(|rule| rule.services.iter().chain(&rule.expects)).copied().collect(), ..Self::default() }
    }

    /// Enters a flow under its row, and under each row that its name shows it to be of as well.
    pub(super) fn add(&mut self, judged: &Judged, signatures: &Signatures) {
        let flow = &judged.identified.flow;
        for end in [&flow.client, &flow.server].into_iter().filter(|end| end.packets > 0 && is_self_assigned(end.endpoint.ip)) {
            if let Some(mac) = end.mac {
                self.nameless(mac, end.endpoint.ip, flow.last).add(judged);
            }
        }
        let Some(service) = judged.service else { return };
        let named = |row: &Service| row.hosts.iter().any(|host| !host.broad && judged.names[1].iter().any(|named| host.matches(&named.name)));
        let shown = |id: &&ServiceId| named(signatures.service(**id)) && same_service(signatures, service, **id);
        let own = self.watched.get(&service);
        let rows: Vec<ServiceId> = own.into_iter().chain(self.watched.iter().filter(|id| **id != service).filter(shown)).copied().collect();
        for row in rows {
            let met = (row, flow.client.endpoint.ip, flow.server.endpoint.ip, judged.instance);
            self.met.meet(met, flow.last, limit::PAIRS_GATHERED).add(judged);
        }
    }

    /// The host with that hardware address; where there is no room the one that was not met for longest is forgotten.
    fn nameless(&mut self, mac: Mac, ip: IpAddr, at: Timestamp) -> &mut Meeting {
        if self.nameless.len() >= limit::HOSTS_OF_A_FINDING && !self.nameless.contains_key(&mac) {
            let oldest = self.nameless.iter().min_by_key(|(_, (_, meeting))| meeting.last).map(|(mac, _)| *mac);
            oldest.map(|oldest| self.nameless.remove(&oldest));
        }
        &mut self.nameless.entry(mac).or_insert_with(|| (ip, Meeting::new(at))).1
    }

    /// Whether a flow of one of the rows between the two came to a good end.
    pub(super) fn worked(&self, rows: &[ServiceId], client: IpAddr, server: IpAddr) -> Option<ServiceId> {
        rows.iter().copied().find(|row| self.between(*row, client, server).any(|meeting| meeting.worked))
    }

    fn between(&self, row: ServiceId, client: IpAddr, server: IpAddr) -> impl Iterator<Item = &Meeting> {
        self.met.met.range((row, client, server, None)..=(row, client, server, Some(u16::MAX))).map(|(_, meeting)| meeting)
    }

    /// Meetings of any of the rows.
    fn of<'a>(&'a self, rows: &'a [ServiceId]) -> impl Iterator<Item = (&'a Met, &'a Meeting)> {
        self.met.met.iter().filter(|((row, ..), _)| rows.contains(row))
    }

    /// What the rules say of it all, in the order of the rules.
    pub(super) fn findings(&self, signatures: &Signatures, judge: &Judge<'_>, met: &Ends) -> Vec<Finding> {
        let rules = signatures.rules.iter().filter(|rule| judge.applies_to(rule.document));
        let finding = |rule: &Rule| {
            let finding = self.told(signatures, judge, rule)?.finding(signatures, rule, met);
            let severity = judge.site().severity(&finding.rule, finding.service).unwrap_or(finding.severity);
            Some(Finding { severity, ..finding })
        };
        rules.filter_map(finding).collect()
    }

    fn told(&self, signatures: &Signatures, judge: &Judge<'_>, rule: &Rule) -> Option<Told> {
        match rule.effect {
            // What was not remembered may have been there.
            RuleEffect::Companion | RuleEffect::SameInstance | RuleEffect::EveryPair if !self.met.reaches_back(limit::COMPANION_WITHIN) => None,
            RuleEffect::Companion => self.without_companion(judge, rule),
            RuleEffect::SameInstance => self.instance_alone(rule),
            RuleEffect::EveryPair => self.missing_pairs(signatures, judge, rule),
            RuleEffect::LinkLocalFallback => self.without_address(signatures, judge, rule),
            RuleEffect::Once => self.again_and_again(rule),
            _ => None,
        }
    }

    /// Clients that used the services for long and never tried what belongs to them.
    fn without_companion(&self, judge: &Judge<'_>, rule: &Rule) -> Option<Told> {
        let mut clients: BTreeMap<IpAddr, Vec<(&Met, &Meeting)>> = BTreeMap::new();
        for (met, meeting) in self.of(&rule.services).filter(|(_, meeting)| meeting.worked) {
            clients.entry(met.1).or_default().push((met, meeting));
        }
        let tried: BTreeSet<IpAddr> = self.of(&rule.expects).map(|((_, client, ..), _)| *client).collect();
        let long = |meetings: &[(&Met, &Meeting)]| {
            let first = meetings.iter().filter_map(|(_, meeting)| meeting.begun.first()).min();
            let last = meetings.iter().map(|(_, meeting)| meeting.last).max();
            // Since what is remembered began.
            let since = first.map(|first| self.met.forgotten.map_or(*first, |forgotten| forgotten.max(*first)));
            matches!((since, last), (Some(since), Some(last)) if last.since(since) >= limit::COMPANION_WITHIN)
        };
        let has_it = |client: IpAddr| rule.expects.iter().any(|row| !judge.is_too_old(client, *row));
        let alone: Vec<_> = clients.into_iter().filter(|(client, meetings)| !tried.contains(client) && long(meetings) && has_it(*client)).collect();
        let hosts = alone.iter().map(|(client, _)| *client).collect();
        let says = format!("{} never tried it while this was captured", End::of(&hosts, false, None));
        Told::of(Severity::Info, Confidence::Low, says, alone.into_iter().flat_map(|(_, meetings)| meetings))
    }

    /// Instances of a server that are served by one row and not by the other.
    fn instance_alone(&self, rule: &Rule) -> Option<Told> {
        let whole: BTreeSet<(IpAddr, u16)> = self.of(&rule.expects).filter_map(|((_, _, server, instance), _)| Some((*server, (*instance)?))).collect();
        let alone: Vec<_> =
            self.of(&rule.services).filter(|((_, _, server, instance), _)| instance.is_some_and(|instance| !whole.contains(&(*server, instance)))).collect();
        let named: BTreeSet<String> = alone.iter().filter_map(|((_, _, server, instance), _)| Some(format!("instance {} of {server}", (*instance)?))).collect();
        let named: Vec<String> = named.into_iter().take(limit::FRAMES_CITED).collect();
        Told::of(Severity::Info, Confidence::Low, format!("seen of {} alone", named.join(", ")), alone)
    }

    /// Pairs of hosts between which no flow of the services was seen, though each of the two used them with another, or the site names it as such a host.
    fn missing_pairs(&self, signatures: &Signatures, judge: &Judge<'_>, rule: &Rule) -> Option<Told> {
        let roles: Vec<RoleId> = rule.services.iter().flat_map(|row| &signatures.service(*row).client).copied().collect();
        let plays = |host: &IpAddr| judge.roles_of(*host).iter().any(|role| roles.contains(role));
        let met: Vec<_> = self.of(&rule.services).filter(|((_, client, server, _), _)| plays(client) && plays(server)).collect();
        let pairs: BTreeSet<(IpAddr, IpAddr)> = met.iter().map(|((_, one, other, _), _)| (*one.min(other), *one.max(other))).collect();
        let single = judge.site().roles.iter().filter(|(role, network)| roles.contains(role) && network.prefix_len() == network.max_prefix_len());
        let mut members: BTreeSet<IpAddr> = pairs.iter().flat_map(|(one, other)| [*one, *other]).collect();
        members.extend(single.map(|(_, network)| network.addr()));
        let members: Vec<IpAddr> = members.into_iter().take(limit::HOSTS_OF_A_FINDING).collect();
        let all = members.iter().enumerate().flat_map(|(place, one)| members[place + 1..].iter().map(move |other| (*one, *other)));
        let missing: Vec<String> = all.filter(|pair| !pairs.contains(pair)).map(|(one, other)| format!("{one} and {other}")).collect();
        if missing.is_empty() {
            return None;
        }
        let more = missing.len().saturating_sub(limit::FRAMES_CITED);
        let more = if more == 0 { String::new() } else { format!(", and {more} more pairs") };
        let shown = missing.into_iter().take(limit::FRAMES_CITED).collect::<Vec<_>>().join("; ");
        Told::of(Severity::Info, Confidence::Low, format!("nothing was seen between {shown}{more}"), met)
    }

    /// Hosts of the rule's roles that took an address by themselves.
    fn without_address(&self, signatures: &Signatures, judge: &Judge<'_>, rule: &Rule) -> Option<Told> {
        let row = *rule.services.first()?;
        let marked = |mac: &Mac| {
            let roles = rule.roles.iter().map(|role| signatures.role(*role));
            let mut prefixes = roles.flat_map(|role| &role.marks).filter(|mark| mark.kind == MarkKind::MacPrefix);
            prefixes.any(|mark| mac.to_string().starts_with(&mark.pattern))
        };
        let placed = |mac: &Mac| judge.site().place_of_mac(*mac).is_some_and(|place| place.roles.iter().any(|role| rule.roles.contains(role)));
        let alone: Vec<(Met, &Meeting)> = self
            .nameless
            .iter()
            .filter(|(mac, _)| marked(mac) || placed(mac))
            .map(|(_, (ip, meeting))| ((row, *ip, IpAddr::V4(std::net::Ipv4Addr::BROADCAST), None), meeting))
            .collect();
        let hosts = End::of(&alone.iter().map(|((_, host, ..), _)| *host).collect(), false, None);
        let says = format!("{} one, so no DHCP server answered {}", hosts.does("use"), hosts.one_or_many("it", "them"));
        Told::of(Severity::Medium, Confidence::Medium, says, alone.iter().map(|(met, meeting)| (met, *meeting)))
    }

    /// Pairs that used the services several times after what belongs to them had begun between them, in either direction.
    fn again_and_again(&self, rule: &Rule) -> Option<Told> {
        let begun = |one: IpAddr, other: IpAddr| {
            let both = [(one, other), (other, one)];
            let meetings = both.into_iter().flat_map(|(client, server)| rule.expects.iter().flat_map(move |row| self.between(*row, client, server)));
            meetings.filter(|meeting| meeting.worked).filter_map(|meeting| meeting.begun.first().copied()).min()
        };
        let repeated = |((_, client, server, _), meeting): &(&Met, &Meeting)| {
            begun(*client, *server).is_some_and(|since| meeting.begun.range(since..).count() >= limit::AGAIN_AND_AGAIN)
        };
        let again: Vec<_> = self.of(&rule.services).filter(repeated).collect();
        let named: BTreeSet<String> = again.iter().map(|((_, client, server, _), _)| format!("{client} and {server}")).collect();
        let named: Vec<String> = named.into_iter().take(limit::FRAMES_CITED).collect();
        Told::of(Severity::Low, Confidence::Medium, format!("used again and again between {}", named.join("; ")), again)
    }
}

impl Meetings {
    /// The meeting; for one that finds no room in `room` the quarter is forgotten that goes back longest.
    fn meet(&mut self, met: Met, at: Timestamp, room: usize) -> &mut Meeting {
        self.latest = self.latest.max(Some(at));
        if self.met.len() >= room && !self.met.contains_key(&met) {
            let mut lasts: Vec<Timestamp> = self.met.values().map(|meeting| meeting.last).collect();
            let (_, until, _) = lasts.select_nth_unstable(room / 4);
            let until = *until;
            self.met.retain(|_, meeting| meeting.last > until);
            self.forgotten = self.forgotten.max(Some(until));
        }
        self.met.entry(met).or_insert_with(|| Meeting::new(at))
    }

    /// Whether everything is remembered, or the last of it for as long.
    fn reaches_back(&self, long: Duration) -> bool {
        self.forgotten.zip(self.latest).is_none_or(|(forgotten, latest)| latest.since(forgotten) >= long)
    }
}

impl Meeting {
    fn new(last: Timestamp) -> Self {
        Self { flows: 0, worked: false, begun: BTreeSet::new(), last, exhibits: Exhibits::default() }
    }

    fn add(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        self.flows += 1;
        let talked = flow.client.payload_bytes > 0 && flow.server.payload_bytes > 0;
        self.worked |= matches!(judged.outcome, Outcome::Ok | Outcome::OkDegraded) || (judged.outcome == Outcome::Midstream && talked);
        self.last = self.last.max(flow.last);
        keep(&mut self.begun, flow.first, limit::MEETINGS_TIMED);
        // They all show the same, so the earliest are the ones to show.
        self.exhibits.add(flow, Confidence::Medium, &[flow.first_frame], limit::FRAMES_CITED);
    }
}

/// Keeps the lowest, so that what is kept does not depend on the order.
fn keep<T: Ord>(set: &mut BTreeSet<T>, one: T, bound: usize) {
    set.insert(one);
    if set.len() > bound {
        set.pop_last();
    }
}

/// What a rule has to say.
struct Told {
    severity: Severity,
    confidence: Confidence,
    says: String,
    clients: BTreeSet<IpAddr>,
    servers: BTreeSet<IpAddr>,
    service: ServiceId,
    shown: Meeting,
}

impl Told {
    /// None where no meeting shows it.
    fn of<'a>(severity: Severity, confidence: Confidence, says: String, meetings: impl IntoIterator<Item = (&'a Met, &'a Meeting)>) -> Option<Self> {
        let mut told: Option<Self> = None;
        for ((row, client, server, _), meeting) in meetings {
            let so_far = told.get_or_insert_with(|| Self {
                severity,
                confidence,
                says: says.clone(),
                clients: BTreeSet::new(),
                servers: BTreeSet::new(),
                service: *row,
                shown: Meeting::new(meeting.last),
            });
            so_far.service = so_far.service.min(*row);
            so_far.clients.insert(*client);
            so_far.servers.insert(*server);
            so_far.shown.merge(meeting);
        }
        told
    }

    fn finding(self, signatures: &Signatures, rule: &Rule, met: &Ends) -> Finding {
        let service = signatures.service(self.service);
        let first = self.shown.begun.first().copied().unwrap_or(self.shown.last);
        let mut finding = Finding {
            id: rule.id.clone(),
            rule: rule.id.clone(),
            severity: self.severity,
            service: Some(self.service),
            rows: vec![self.service],
            client: End::of(&self.clients, false, None).to_string(),
            server: End::of(&self.servers, false, None).to_string(),
            hosts: [&self.clients, &self.servers].map(|hosts| hosts.iter().copied().take(limit::HOSTS_OF_A_FINDING).collect()),
            flows: self.shown.flows,
            attempts: self.shown.flows,
            first,
            last: self.shown.last,
            about: service.name.clone(),
            says: format!("{}: {}", rule.says.trim_end_matches('.'), self.says),
            consequence: None,
            alternatives: vec!["what is missing passed elsewhere, or at another time, and was not captured".to_owned()],
            remedy: None,
            citation: Some(Cited::of(signatures, rule.document, &rule.citation, rule.basis)),
            frames: Vec::new(),
            display_filter: String::new(),
            flow_ids: Vec::new(),
            selected: 0,
            occurrences: Vec::new(),
            confidence: self.confidence,
            unknown: None,
        };
        self.shown.exhibits.show(met, &mut finding);
        finding
    }
}

impl Meeting {
    fn merge(&mut self, other: &Self) {
        self.flows += other.flows;
        self.last = self.last.max(other.last);
        other.begun.iter().for_each(|time| keep(&mut self.begun, *time, limit::MEETINGS_TIMED));
        self.exhibits.merge(other.exhibits.clone(), limit::FLOWS_SELECTED);
    }
}

/// Effects for which meetings are remembered.
const TIES: &[RuleEffect] =
    &[RuleEffect::Companion, RuleEffect::SameInstance, RuleEffect::EveryPair, RuleEffect::BothWays, RuleEffect::Once, RuleEffect::Fallback];

#[cfg(test)]
mod tests {
    use super::*;

    fn met(host: u16) -> Met {
        let [high, low] = host.to_be_bytes();
        (ServiceId(0), IpAddr::from([10, 0, high, low]), IpAddr::from([10, 1, 0, 1]), None)
    }

    #[test]
    fn those_who_met_longest_ago_are_forgotten_and_absence_is_told_again_once_what_is_remembered_is_long_enough() {
        let (mut meetings, at) = (Meetings::default(), |second: i64| Timestamp::from_parts(second, 0));
        for host in 0..8 {
            meetings.meet(met(host), at(host.into()), 8);
        }
        assert!(meetings.reaches_back(Duration::from_secs(30)) && meetings.met.len() == 8);
        // Nobody new: nobody goes.
        meetings.meet(met(0), at(8), 8).last = at(8);
        assert_eq!((meetings.met.len(), meetings.forgotten), (8, None));
        meetings.meet(met(8), at(9), 8);
        let remembered: Vec<Met> = meetings.met.keys().copied().collect();
        assert_eq!(remembered, [0, 4, 5, 6, 7, 8].map(met));
        assert_eq!(meetings.forgotten, Some(at(3)));
        assert!(!meetings.reaches_back(Duration::from_secs(30)));
        meetings.meet(met(8), at(33), 8);
        assert!(meetings.reaches_back(Duration::from_secs(30)));
    }
}
