//! What an expectation file asks for, as it is meant.

use crate::check::{Count, Counted};
use crate::judge::{Confidence, Coverage, Judged, Outcome, Reason, Severity, Site, Verdict, Who};
use crate::net::Transport;
use crate::report::record::word;
use crate::signature::{PortRange, RoleId, RoleKind, ServiceId, Signatures};
use crate::time::Timestamp;

/// What captures must show. What is not said is not checked; the default says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// The file, as it was named.
    pub file: String,
    /// What people call the check.
    pub name: String,
    /// There may be no finding worse than this, and where that is written.
    pub no_findings_above: Option<(Severity, String)>,
    /// How many of what, and where that is written.
    pub counts: Vec<(Counted, Count, String)>,
    /// What must be seen of services, one for each host that a `[[services]]` entry names.
    pub hosts: Vec<HostDue>,
    /// What must be true of flows.
    pub flows: Vec<FlowDue>,
    /// Findings that must be there.
    pub findings: Vec<FindingDue>,
    /// Findings that may be there.
    pub allow: Vec<AllowDue>,
}

impl Expectations {
    /// How many things are checked.
    pub fn len(&self) -> usize {
        usize::from(self.no_findings_above.is_some()) + self.counts.len() + self.hosts.len() + self.flows.len() + self.findings.len()
    }

    /// Whether nothing is checked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whom an entry means, with the words that said so; nobody named means anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    /// As written.
    pub words: Vec<String>,
    /// As meant.
    pub meant: Vec<Who>,
}

impl Whose {
    /// Whether anybody is named.
    pub fn is_said(&self) -> bool {
        !self.words.is_empty()
    }

    /// ` of players`, or nothing.
    pub(super) fn told(&self, before: &str) -> String {
        if self.is_said() { format!(" {before} {}", self.words.join(" or ")) } else { String::new() }
    }
}

/// A row that an entry asks for: the one that it names first, then those that tell the same service from another product's side. No rows where the entry
/// asks for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(pub Vec<ServiceId>);

impl Rows {
    /// Whether traffic of `row`, between hosts of these roles, is what is asked for. Another side's row counts where it could be this one's traffic: the
    /// document of a peer has the same port once for what it opens and once for what opens to it.
    pub fn hold(&self, row: Option<ServiceId>, roles: [&[RoleId]; 2], signatures: &Signatures) -> bool {
        let (Some(row), Some(asked)) = (row, self.0.first()) else { return row.is_none() && self.0.is_empty() };
        if row == *asked {
            return true;
        }
        if !self.0.contains(&row) {
            return false;
        }
        let service = signatures.service(*asked);
        let open = |role: &RoleId| signatures.role(*role).kind != RoleKind::Product;
        let plays = |host: &[RoleId], asked: &[RoleId]| asked.iter().any(|role| open(role) || host.contains(role));
        roles.iter().all(|roles| roles.is_empty()) || (plays(roles[0], &service.client) && plays(roles[1], &service.server))
    }
}

/// What must be seen of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDue {
    /// Where it is written.
    pub place: String,
    /// The row, as written.
    pub service: String,
    /// The row, as meant.
    pub rows: Rows,
    /// One of these must be true of it.
    pub is: Vec<Coverage>,
    /// Who is at either end.
    pub host: Whose,
    /// Who opens.
    pub client: Whose,
    /// Who is asked.
    pub server: Whose,
}

/// Which flows an entry is about: all that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChosenFlows {
    /// The Community ID.
    pub id: Option<String>,
    /// Who opens.
    pub client: Whose,
    /// Who is asked.
    pub server: Whose,
    /// The transport.
    pub transport: Option<Transport>,
    /// Server ports; none: any.
    pub ports: Vec<PortRange>,
}

impl ChosenFlows {
    /// Whether the flow is one of them.
    pub fn holds(&self, judged: &Judged, site: &Site) -> bool {
        let flow = &judged.identified.flow;
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        self.transport.is_none_or(|transport| transport == flow.transport)
            && (self.ports.is_empty() || self.ports.iter().any(|range| range.contains(server.port)))
            && (!self.client.is_said() || site.is_one_of(&self.client.meant, client.ip, &judged.roles[0]))
            && (!self.server.is_said() || site.is_one_of(&self.server.meant, server.ip, &judged.roles[1]))
            && self.id.as_ref().is_none_or(|id| *id == *crate::flow::community_id(flow))
    }

    /// `flows from 10.1.0.2 to internet, 443/tcp`.
    pub(super) fn told(&self) -> String {
        let id = self.id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
        let ports: Vec<String> = self.ports.iter().map(ToString::to_string).collect();
        let place = match (ports.is_empty(), self.transport) {
            (true, None) => String::new(),
            (true, Some(transport)) => format!(", {transport}"),
            (false, None) => format!(", port {}", ports.join(" or ")),
            (false, Some(transport)) => format!(", {}/{transport}", ports.join(" or ")),
        };
        let ends = format!("{}{}", self.client.told("from"), self.server.told("to"));
        if id.is_empty() && ends.is_empty() && place.is_empty() { "all flows".to_owned() } else { format!("flows{id}{ends}{place}") }
    }
}

/// What must be true of flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowDue {
    /// Where it is written.
    pub place: String,
    /// Of which.
    pub chosen: ChosenFlows,
    /// Of how many; none: of all, and at least of one.
    pub count: Option<Count>,
    /// The row, as written and as meant.
    pub service: Option<(String, Rows)>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// All its reasons, in order.
    pub reasons: Option<Vec<Reason>>,
    /// One of these outcomes.
    pub outcome: Option<Vec<Outcome>>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// How sure the outcome is.
    pub confidence: Option<Confidence>,
    /// What the bytes are.
    pub protocol: Option<Vec<String>>,
    /// A name of the server.
    pub name: Option<String>,
    /// Words of the sentence on the outcome.
    pub says: Option<String>,
}

impl FlowDue {
    /// What must be true, in words.
    pub(super) fn told(&self) -> String {
        let mut due = Vec::new();
        let mut add = |key: &str, value: Option<String>| due.extend(value.map(|value| format!("{key} {value}")));
        add("service", self.service.as_ref().map(|(written, _)| written.clone()));
        add("verdict", self.verdict.as_ref().map(word));
        add("reasons", self.reasons.as_ref().map(|reasons| listed(reasons)));
        add("outcome", self.outcome.as_ref().map(|outcomes| outcomes.iter().map(word).collect::<Vec<_>>().join(" or ")));
        add("rule", self.rule.clone());
        add("confidence", self.confidence.as_ref().map(word));
        add("protocol", self.protocol.as_ref().map(|stack| stacked(stack)));
        add("name", self.name.clone());
        add("says", self.says.as_ref().map(|says| format!("\"{says}\"")));
        let what = due.join(", ");
        match (self.count, what.is_empty()) {
            (None, _) => what,
            (Some(count), true) => format!("{count} of them"),
            (Some(count), false) => format!("{count} of them with {what}"),
        }
    }

    /// What is not as due, in words; nothing where all is.
    pub(super) fn differences(&self, judged: &Judged, signatures: &Signatures) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut hold = |fits: bool, key: &str, is: &dyn Fn() -> String| {
            if !fits {
                wrong.push(format!("{key} {}", is()));
            }
        };
        if let Some((_, rows)) = &self.service {
            hold(rows.hold(judged.service, roles(judged), signatures), "service", &|| {
                judged.service.map_or("none", |id| &signatures.service(id).id).to_owned()
            });
        }
        hold(self.verdict.is_none_or(|due| due == judged.verdict), "verdict", &|| word(&judged.verdict));
        if let Some(due) = &self.reasons {
            let mut reasons = judged.reasons.clone();
            reasons.sort_unstable();
            hold(*due == reasons, "reasons", &|| listed(&judged.reasons));
        }
        hold(self.outcome.as_ref().is_none_or(|due| due.contains(&judged.outcome)), "outcome", &|| word(&judged.outcome));
        let cause = judged.cause.as_ref();
        let rule = cause.map_or("none", |cause| cause.rule);
        hold(self.rule.as_ref().is_none_or(|due| due == rule), "rule", &|| rule.to_owned());
        hold(self.confidence.is_none_or(|due| due == judged.confidence), "confidence", &|| word(&judged.confidence));
        let protocol = &judged.identified.protocol;
        hold(self.protocol.as_ref().is_none_or(|due| *due == **protocol), "protocol", &|| stacked(protocol));
        let names = || judged.names[1].iter().map(|named| named.name.as_str());
        hold(self.name.as_ref().is_none_or(|due| names().any(|name| name == due)), "names", &|| names().collect::<Vec<_>>().join(" "));
        let says = cause.map_or("", |cause| &cause.says);
        hold(self.says.as_ref().is_none_or(|due| says.contains(due)), "says", &|| format!("\"{says}\""));
        wrong
    }
}

/// A finding that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingDue {
    /// Where it is written.
    pub place: String,
    /// Its rule.
    pub rule: Option<String>,
    /// The row that it is about, as written and as meant.
    pub service: Option<(String, Rows)>,
    /// How much it matters.
    pub severity: Option<Severity>,
    /// How sure it is.
    pub confidence: Option<Confidence>,
    /// Among its clients.
    pub client: Whose,
    /// Among its servers.
    pub server: Whose,
    /// How many flows it gathers.
    pub flows: Option<Count>,
    /// Words of its sentence.
    pub says: Option<String>,
    /// Words of its consequence.
    pub breaks: Option<String>,
}

impl FindingDue {
    /// What must be there, in words.
    pub(super) fn told(&self) -> String {
        let severity = self.severity.as_ref().map_or_else(String::new, |severity| format!("{} ", word(severity)));
        let rule = self.rule.as_deref().unwrap_or("any finding");
        let service = self.service.as_ref().map_or_else(String::new, |(written, _)| format!(" about {written}"));
        let confidence = self.confidence.as_ref().map_or_else(String::new, |confidence| format!(", confidence {}", word(confidence)));
        let flows = self.flows.map_or_else(String::new, |flows| format!(", {flows} flows"));
        let says = self.says.as_ref().map_or_else(String::new, |says| format!(", says \"{says}\""));
        let breaks = self.breaks.as_ref().map_or_else(String::new, |breaks| format!(", breaks \"{breaks}\""));
        format!("{severity}{rule}{service}{}{}{confidence}{flows}{says}{breaks}", self.client.told("from"), self.server.told("to"))
    }
}

/// A finding that may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowDue {
    /// Where it is written.
    pub place: String,
    /// Its rule.
    pub rule: Option<String>,
    /// The row that it is about.
    pub rows: Option<Rows>,
    /// Who all its clients are among.
    pub client: Whose,
    /// Who all its servers are among.
    pub server: Whose,
    /// Why.
    pub reason: String,
    /// The last moment at which it holds.
    pub until: Option<Timestamp>,
}

/// Roles of both ends.
pub(super) fn roles(judged: &Judged) -> [&[RoleId]; 2] {
    [&judged.roles[0], &judged.roles[1]]
}

fn listed(reasons: &[Reason]) -> String {
    if reasons.is_empty() { "none".to_owned() } else { reasons.iter().map(word).collect::<Vec<_>>().join(" ") }
}

fn stacked<T: AsRef<str>>(stack: &[T]) -> String {
    if stack.is_empty() { "not recognised".to_owned() } else { stack.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("/") }
}
