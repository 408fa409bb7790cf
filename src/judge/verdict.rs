//! From weighed rows to a verdict: expected, unexpected or undecided, with reasons.

use crate::flow::{Direction as Opened, Flow};
use crate::identify::Identified;
use crate::judge::candidate::{Case, Level, Miss, Weighed, needs_role};
use crate::judge::role::{Plays, Roles};
use crate::judge::{Candidate, Confidence, Reason, Verdict, version};
use crate::net::{Side, is_group};
use crate::signature::{PromiseKind, RoleId, RoleKind, Rule, RuleEffect, Service, ServiceId, Signatures};

/// What the documents say about a flow.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) service: Option<ServiceId>,
    pub(super) verdict: Verdict,
    pub(super) reasons: Vec<Reason>,
    /// How sure it is that the flow belongs to the row.
    pub(super) attribution: Confidence,
    /// The other rows that tell the same service. Where there is no row: those of one port that all miss a connection which never stood.
    pub(super) tied: Vec<ServiceId>,
}

impl Decision {
    /// Takes the flow from its row: it rested on the port alone, and a scanner tries every port; or the row has the flow on the other side of a router.
    pub(super) fn withdraw(&mut self) {
        self.service = None;
        self.tied.clear();
        (self.verdict, self.reasons, self.attribution) = (Verdict::Undecided, vec![Reason::NotCovered], Confidence::Low);
    }

    /// Of a flow against which nothing else speaks: what would have explained it may have been missed.
    pub(super) fn leave_open(&mut self, reason: Reason) {
        if self.verdict == Verdict::Unexpected && self.reasons == [reason] {
            self.verdict = Verdict::Undecided;
            self.reasons.push(Reason::NotEnoughBytes);
            self.reasons.sort_unstable();
        }
    }
}

/// Decides by the rows that touch the flow. `answered`: the server took part.
pub(super) fn decide(case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>, weighed: &[Weighed], answered: bool) -> Decision {
    let fitting = fitting(case, weighed);
    let tied: Vec<&Weighed> = fitting.iter().copied().take_while(|row| fitting.first().is_some_and(|best| best.rank() == row.rank())).collect();
    let mut decision = match tied.as_slice() {
        [] => without_a_row(case, signatures, roles, weighed),
        [best, rest @ ..] if rest.iter().all(|other| same_service(signatures, best.service, other.service)) => {
            // What is seen, or blocked, of a service is so of each row that tells it.
            Decision { tied: rest.iter().map(|row| row.service).collect(), ..by_row(case, signatures, roles, best, answered) }
        }
        [best, ..] => shared(case, signatures, best, &tied),
    };
    if decision.verdict == Verdict::Expected
        && let Some(service_id) = decision.service
    {
        let service = signatures.service(service_id);
        let inbound = inbound_from_outside(case, signatures, roles, service).then_some(Reason::InboundFromOutside);
        // The rows that tell the service from both sides have each side's versions.
        let mut told = tied.iter().map(|row| signatures.service(row.service));
        if let Some(reason) =
            told.find_map(|service| version::lacks(case, signatures, roles, service)).or(inbound).or_else(|| refuses_request(case, signatures, service_id))
        {
            decision.verdict = Verdict::Unexpected;
            decision.reasons.push(reason);
        }
    }
    decision.reasons.sort_unstable();
    decision.reasons.dedup();
    decision
}

/// Rows that fit by more than a coincidence, best first.
fn fitting<'w>(case: &Case<'_>, weighed: &'w [Weighed]) -> Vec<&'w Weighed> {
    let mut fitting: Vec<&Weighed> = weighed.iter().filter(|row| row.fits() && row.is_grounded(case)).collect();
    fitting.sort_by(|a, b| b.rank().cmp(&a.rank()).then(a.service.cmp(&b.service)));
    fitting
}

/// The row, and those that tell the same service from another product's side.
pub fn with_twins(signatures: &Signatures, id: ServiceId) -> Vec<ServiceId> {
    let twins = signatures.services().map(|(other, _)| other).filter(|other| *other != id && same_service(signatures, id, *other));
    [id].into_iter().chain(twins).collect()
}

/// Whether two rows are one service, told by its document from two products' sides (the player's list and Elementi's list both have WebDAV on 81):
/// the same document, transports, ports, paths and names, protocols that can be the same, and one end in the same role. Then the earlier row stands:
/// documents tell the general before the special.
pub(super) fn same_service(signatures: &Signatures, one: ServiceId, other: ServiceId) -> bool {
    let (a, b) = (signatures.service(one), signatures.service(other));
    let shares = |x: &[crate::signature::RoleId], y: &[crate::signature::RoleId]| x.iter().any(|role| y.contains(role));
    let begins = |x: &[String], y: &[String]| x.iter().zip(y).all(|(p, q)| p == q);
    let protocols = a.protocols.is_empty() || b.protocols.is_empty() || a.protocols.iter().any(|x| b.protocols.iter().any(|y| begins(x, y)));
    a.document == b.document
        && (&a.transports, &a.ports, &a.paths) == (&b.transports, &b.ports, &b.paths)
        && (a.hosts.is_empty() || b.hosts.is_empty() || a.hosts == b.hosts)
        && protocols
        && (shares(&a.client, &b.client) || shares(&a.server, &b.server))
}

/// Whether a connection was begun and never stood.
fn never_came_about(flow: &Flow) -> bool {
    let said = flow.client.payload_bytes + flow.server.payload_bytes;
    said == 0 && flow.tcp.as_ref().is_some_and(|tcp| !tcp.established && !tcp.midstream)
}

/// Whether two rows of a document stand at the same port of the same hosts, or of hosts with these roles: a connection that does not come about is missed by both.
fn same_door(signatures: &Signatures, one: ServiceId, other: ServiceId, given: [&[RoleId]; 2]) -> bool {
    let (a, b) = (signatures.service(one), signatures.service(other));
    let ends = [(&a.client, &b.client), (&a.server, &b.server)];
    let meet = |(a, b): (&Vec<RoleId>, &Vec<RoleId>), given: &[RoleId]| {
        a == b || given.iter().any(|role| a.contains(role)) && given.iter().any(|role| b.contains(role))
    };
    (a.document, a.direction) == (b.document, b.direction)
        && (&a.transports, &a.ports, &a.hosts) == (&b.transports, &b.ports, &b.hosts)
        && ends.into_iter().zip(given).all(|(ends, given)| meet(ends, given))
        && !same_service(signatures, one, other)
}

fn by_row(case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>, row: &Weighed, answered: bool) -> Decision {
    let mut reasons = Vec::new();
    let mut verdict = Verdict::Expected;
    let service = signatures.service(row.service);
    if row.ends.contains(&Plays::Doubtful) && needs_role(case) && !row.named {
        verdict = Verdict::Undecided;
        reasons.push(Reason::WrongRole);
    }
    if case.is_unknown_content() && !service.protocols.is_empty() {
        verdict = Verdict::Undecided;
        reasons.push(if is_midstream(case.identified) { Reason::Midstream } else { Reason::NotEnoughBytes });
    }
    let switched_on = roles.site().is_switched_on(row.service, case.ip(Side::Server));
    if case.announced.is_some_and(|promise| promise.kind == PromiseKind::UpnpMapping) && row.level == Level::Announced && row.is_off_its_ports() {
        reasons.push(Reason::OutsideAnnouncedRange);
    }
    let wanted = |rule: &&Rule| rule.effect == RuleEffect::OnlyIfWanted && rule.services.contains(&row.service);
    let unasked = || !roles.site().is_local(case.ip(Side::Client)) && signatures.rules.iter().any(|rule| wanted(&rule));
    if answered && !switched_on && (service.default_on == Some(false) || unasked()) {
        reasons.push(Reason::OptionalServiceActive);
    }
    Decision { service: Some(row.service), verdict, reasons, attribution: attribution(case, signatures, row), tied: Vec::new() }
}

/// A role given and the rest fitting leaves little else, unless bytes were seen that the document gives no format for; a port alone is a hint, with a
/// protocol behind it that tells more than "a web server" or "something encrypted" it is more.
fn attribution(case: &Case<'_>, signatures: &Signatures, row: &Weighed) -> Confidence {
    let content = case.identified.protocol.last();
    let given = row.ends.contains(&Plays::Given);
    if row.ends.contains(&Plays::Doubtful) {
        return if given && content.is_some() { Confidence::Medium } else { Confidence::Low };
    }
    let service = signatures.service(row.service);
    let formless = service.protocols.is_empty() && !service.ports.is_empty();
    // What a host shows of itself is a good reason, the operator's word a better one.
    let by_site = (0..2).any(|side| row.ends[side] == Plays::Given && !case.by_itself[side]);
    match (given, row.level) {
        (_, Level::Announced) => Confidence::High,
        // A pattern that half the Internet shares, and nothing else.
        (_, Level::Name) if row.broadly_named => Confidence::Low,
        (true, _) if !by_site => Confidence::Medium,
        (true, _) if row.is_hidden(signatures, case) => Confidence::Medium,
        (true, _) if formless && is_in_period(case, signatures, row.service) => Confidence::High,
        (true, _) if formless && (content.is_some() || case.is_unknown_content()) => Confidence::Medium,
        (true, _) => Confidence::High,
        (false, Level::Content | Level::PortPath) => Confidence::Medium,
        (false, _) if row.named || row.kin || is_told_by_content(case) => Confidence::Medium,
        _ => Confidence::Low,
    }
}

/// Whether the client comes as regularly as a document says of the row's clients.
fn is_in_period(case: &Case<'_>, signatures: &Signatures, service: ServiceId) -> bool {
    let rules = signatures.rules.iter().filter(|rule| rule.effect == RuleEffect::Period && rule.services.contains(&service));
    rules.filter_map(|rule| rule.period).any(|[least, most]| case.period.is_some_and(|period| (least..=most).contains(&period)))
}

/// Rows between which nothing tells. Where they stand at one port of one product and the connection never stood, what was seen is sure of all of them.
fn shared(case: &Case<'_>, signatures: &Signatures, best: &Weighed, tied: &[&Weighed]) -> Decision {
    let given = [case.given[0].as_slice(), case.given[1].as_slice()];
    let meant = |other: &&Weighed| other.service == best.service || same_door(signatures, best.service, other.service, given);
    let in_vain = never_came_about(&case.identified.flow) && best.ends.contains(&Plays::Given) && tied.iter().all(meant);
    let attribution = if in_vain { attribution(case, signatures, best) } else { Confidence::Low };
    let tied = if in_vain { tied.iter().map(|row| row.service).collect() } else { Vec::new() };
    Decision { tied, ..undecided(Reason::SharedPort, attribution) }
}

fn undecided(reason: Reason, attribution: Confidence) -> Decision {
    Decision { service: None, verdict: Verdict::Undecided, reasons: vec![reason], attribution, tied: Vec::new() }
}

fn without_a_row(case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>, weighed: &[Weighed]) -> Decision {
    let undecided = |reason| undecided(reason, Confidence::Low);
    let in_role = case.given.iter().any(|given| roles.is_product(given));
    let nearest = weighed.iter().filter(|row| concerns(case, signatures, roles, row)).min_by_key(|row| (nearness(row), row.service));
    if !in_role {
        return match nearest.filter(|row| row.misses == [Miss::NotEncrypted] && row.claimed && is_told_by_content(case)) {
            Some(row) => broken(row, Confidence::Medium),
            None => undecided(Reason::NotCovered),
        };
    }
    if !case.identified.flow.transport.has_ports() {
        return undecided(Reason::NotCovered);
    }
    let by_site = case.given.iter().zip(case.by_itself).any(|(given, by_itself)| !by_itself && roles.is_product(given));
    let attribution = if by_site { Confidence::High } else { Confidence::Medium };
    if unsupported(case, signatures) {
        return Decision { verdict: Verdict::Unexpected, attribution, ..undecided(Reason::UnsupportedByProduct) };
    }
    let decision = match nearest {
        // The documents' lists of names are not whole, and say themselves that names move; at a port that everybody uses another name is another service.
        Some(row) if row.misses == [Miss::Name] => {
            let service = (!needs_role(case)).then_some(row.service);
            Decision { service, ..undecided(Reason::UnknownName) }
        }
        Some(row) if row.fits() => undecided(Reason::SharedPort),
        Some(row) if row.is_near(case) => broken(row, attribution),
        _ => Decision { verdict: Verdict::Unexpected, attribution, ..undecided(Reason::UndocumentedService) },
    };
    soften(case, decision)
}

/// Whether the bytes are more than a web page: `mqtt` in clear on 8883 breaks the row, a web server on 9802 is just another one.
fn is_told_by_content(case: &Case<'_>) -> bool {
    case.identified.protocol.last().is_some_and(|name| !TELLS_LITTLE.contains(name))
}

/// Whether a document says that the server's product does not offer this.
fn unsupported(case: &Case<'_>, signatures: &Signatures) -> bool {
    let port = case.identified.flow.server.endpoint.port;
    let rules = signatures.rules.iter().filter(|rule| rule.effect == RuleEffect::Unsupported);
    rules.filter(|rule| rule.roles.iter().any(|role| case.given[1].contains(role))).any(|rule| {
        let spoken = case.identified.protocol.iter().any(|seen| rule.protocols.iter().any(|protocol| protocol == seen));
        // A port says what was meant only where the bytes say nothing: a web server on 22 is no SSH.
        let meant = case.identified.protocol.is_empty() && rule.ports.iter().any(|range| range.contains(port));
        spoken || meant
    })
}

/// Whether a document says that the server's product does not take such requests, though it has the service.
fn refuses_request(case: &Case<'_>, signatures: &Signatures, service: ServiceId) -> Option<Reason> {
    let asked = |method: &str| case.identified.facts.iter().any(|fact| fact.as_request().is_some_and(|(seen, _)| seen == method));
    let about = |rule: &&Rule| rule.effect == RuleEffect::Unsupported && rule.services.contains(&service);
    let given = |rule: &Rule| rule.roles.iter().any(|role| case.given[1].contains(role));
    let refused = signatures.rules.iter().filter(about).any(|rule| given(rule) && rule.requests.iter().any(|method| asked(method)));
    refused.then_some(Reason::UnsupportedByProduct)
}

/// A row that the flow breaks: it stays the flow's service, so that the finding can cite it.
fn broken(row: &Weighed, attribution: Confidence) -> Decision {
    let elsewhere = row.misses.contains(&Miss::Role);
    // Of a row between other hosts nothing else can be broken.
    let reasons = if elsewhere { vec![Reason::WrongRole] } else { row.misses.iter().map(|miss| miss.reason()).collect() };
    let service = (!elsewhere).then_some(row.service);
    Decision { service, verdict: Verdict::Unexpected, reasons, attribution, tied: Vec::new() }
}

/// Whether a row is about a host of this flow that the site knows: by its roles in this flow, or in the flow turned round. Without any role, whether
/// its document alone claims the port.
fn concerns(case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>, row: &Weighed) -> bool {
    if row.misses.contains(&Miss::Port) {
        return false;
    }
    let service = signatures.service(row.service);
    let named = |given: &[crate::signature::RoleId]| service.client.iter().chain(&service.server).any(|role| given.contains(role));
    if case.given.iter().any(|given| roles.is_product(given)) { case.given.iter().any(|given| named(given)) } else { row.claimed }
}

fn nearness(row: &Weighed) -> (Miss, usize) {
    worst(&row.misses)
}

fn worst(misses: &[Miss]) -> (Miss, usize) {
    (misses.iter().max().copied().unwrap_or(Miss::NotAnnounced), misses.len())
}

/// Where the start, the direction or the bytes are missing, nothing is held against a flow.
fn soften(case: &Case<'_>, mut decision: Decision) -> Decision {
    let flow = &case.identified.flow;
    let mut open = Vec::new();
    if flow.direction == Opened::Unknown {
        open.push(Reason::DirectionUnknown);
    }
    if is_midstream(case.identified) && flow.direction != Opened::Certain {
        open.push(Reason::Midstream);
    }
    if !open.is_empty() {
        decision.verdict = Verdict::Undecided;
        decision.reasons.append(&mut open);
    }
    decision
}

fn is_midstream(identified: &Identified) -> bool {
    identified.flow.tcp.as_ref().is_some_and(|tcp| tcp.midstream)
}

/// Opened from outside to a host of a product whose document asks for no inbound opening, by a row that is not for hosts outside; or from another segment
/// by a row that needs no opening in a firewall.
fn inbound_from_outside(case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>, service: &Service) -> bool {
    let (client, server, site) = (case.ip(Side::Client), case.ip(Side::Server), roles.site());
    if is_group(server) || !roles.is_product(&case.given[1]) {
        return false;
    }
    let outside = !site.is_local(client) && case.given[0].is_empty();
    (outside && forbids_inbound(signatures, service) && !is_for_outside(signatures, service))
        || (service.needs_no_opening() && (outside || site.is_between_segments(client, server)))
}

fn forbids_inbound(signatures: &Signatures, service: &Service) -> bool {
    signatures.rules.iter().any(|rule| rule.effect == RuleEffect::NoInboundFromOutside && rule.document == service.document)
}

fn is_for_outside(signatures: &Signatures, service: &Service) -> bool {
    service.client.iter().any(|role| signatures.role(*role).kind == RoleKind::External)
}

/// The rows that fit by more than a coincidence, best first, and the others, nearest first.
pub(super) fn in_order<'w>(case: &Case<'_>, weighed: &'w [Weighed]) -> (Vec<&'w Weighed>, Vec<&'w Weighed>) {
    let fitting = fitting(case, weighed);
    let mut near: Vec<&Weighed> = weighed.iter().filter(|row| !fitting.iter().any(|fit| fit.service == row.service)).collect();
    near.sort_by_key(|row| (!row.fits(), nearness(row), std::cmp::Reverse(row.rank()), row.service));
    (fitting, near)
}

/// The rows worth showing: what fits besides the winner, best first, then the nearest misses.
pub(super) fn candidates(case: &Case<'_>, signatures: &Signatures, weighed: &[Weighed], winner: Option<ServiceId>) -> Vec<Candidate> {
    let (fitting, near) = in_order(case, weighed);
    let shown = fitting.into_iter().chain(near).filter(|row| Some(row.service) != winner);
    let touching = shown.map(|row| row.candidate(signatures, case));
    let elsewhere = if winner.is_none() { moved(case, signatures) } else { Vec::new() };
    touching.chain(elsewhere).take(crate::limit::CANDIDATES_SHOWN).collect()
}

/// Rows of a known end that have this protocol on another port: the service was moved, or this is another one.
pub(super) fn moved(case: &Case<'_>, signatures: &Signatures) -> Vec<Candidate> {
    let flow = &case.identified.flow;
    let Some(spoken) = case.identified.protocol.last().filter(|name| !TELLS_LITTLE.contains(name)) else { return Vec::new() };
    let plays = |roles: &[crate::signature::RoleId], given: &[crate::signature::RoleId]| roles.iter().any(|role| given.contains(role));
    let row = |id: &ServiceId| {
        let service = signatures.service(*id);
        let known = plays(&service.client, &case.given[0]) || plays(&service.server, &case.given[1]);
        let elsewhere = !service.ports.is_empty() && service.port_basis(flow.transport, flow.server.endpoint.port).is_none();
        let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
        (known && elsewhere).then(|| Candidate { service: *id, fits: false, why: format!("{spoken}, documented on port {}", ports.join(", ")) })
    };
    signatures.speaking(spoken).iter().filter_map(row).collect()
}

/// Bytes that any product may send on any port.
const TELLS_LITTLE: &[&str] = &["dtls", "http", "quic", "tls"];
