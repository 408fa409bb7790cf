//! The words of a finding: what is the matter, what it breaks, what to ask for, and who says so.

use crate::judge::elsewhere::Elsewhere;
use crate::judge::ends::Ends;
use crate::judge::finding::{Tied, Trouble};
use crate::judge::gathered::{Gathered, Works};
use crate::judge::{Cited, Outcome, Reason, Severity, Site, Stance, Stated};
use crate::net::Transport;
use crate::signature::{Basis, RoleId, Rule, RuleEffect, Service, ServiceId, Signatures};

/// What there is to say from.
pub(super) struct Advice<'a> {
    pub(super) signatures: &'a Signatures,
    pub(super) site: &'a Site,
    pub(super) trouble: Trouble,
    pub(super) id: Option<ServiceId>,
    pub(super) service: Option<&'a Service>,
    /// Where there is none: rows of one port, each of which may be meant.
    pub(super) meant: &'a [ServiceId],
    pub(super) ends: &'a Ends,
    /// Roles that the site gives to client and server.
    pub(super) roles: [Option<RoleId>; 2],
    /// The service is off unless switched on, and nobody said that it was.
    pub(super) optional: bool,
    /// The site's entry that forbids it, or allowed it once.
    pub(super) stance: Option<Stated>,
    /// What other flows have to do with it.
    pub(super) tied: Tied,
    /// Port of the flow that announced these.
    pub(super) announced_over: Option<(Transport, u16)>,
    pub(super) gathered: &'a Gathered,
}

impl Advice<'_> {
    /// What it is about, for a heading.
    pub(super) fn about(&self) -> String {
        match self.service {
            Some(service) => service.name.clone(),
            None if !self.meant.is_empty() => self.either(),
            None if self.gathered.protocol.is_empty() => self.place(),
            None => format!("{} ({})", self.place(), self.gathered.protocol.join("/")),
        }
    }

    /// One sentence.
    pub(super) fn says(&self) -> String {
        match self.trouble {
            Trouble::Failed(Outcome::DnsBlocked | Outcome::DnsFailed) => {
                format!("{} cannot be reached by name from {}{}", self.whose(), self.ends.client, self.because())
            }
            Trouble::Failed(outcome) => {
                let (what, Ends { client, server }) = (self.what(), self.ends);
                format!("{what} from {client} to {server} {}{}{}{}", failed(outcome), self.how_often(), self.because(), self.beside())
            }
            Trouble::Intermittent if self.gathered.stopped.is_some() => {
                let (what, Ends { client, server }) = (self.what(), self.ends);
                format!(
                    "{what} from {client} to {server} has not worked since {}: {} attempts failed after that",
                    self.gathered.stopped.unwrap_or_default().clock(),
                    self.gathered.attempts
                )
            }
            Trouble::Intermittent => {
                let how = match self.gathered.works {
                    Works::Otherwise => "fails now and then: it worked at other times".to_owned(),
                    Works::Before(last) => format!("failed after it had worked until {}", last.clock()),
                    Works::AtOnce => "was refused at first, and served when the client asked otherwise at once".to_owned(),
                };
                format!("{} from {} to {} {how}{}", self.what(), self.ends.client, self.ends.server, self.because())
            }
            Trouble::Broke(reason) => format!("{}{}", self.broke(reason), self.expired()),
        }
    }

    /// The site's entry that allowed it once.
    fn expired(&self) -> String {
        let Some(Stated::Expired(entry)) = self.stance else { return String::new() };
        let allowed = self.site.allow.get(entry).and_then(|entry| Some((entry, entry.until?)));
        allowed.map_or_else(String::new, |(entry, until)| format!("; the site allowed it until {until} ({}: {})", entry.written, entry.reason))
    }

    /// The site's entry that forbids it.
    pub(super) fn forbidding(&self) -> Option<&Stance> {
        match self.stance {
            Some(Stated::Denied(entry)) => self.site.deny.get(entry),
            _ => None,
        }
    }

    /// The sentence that follows tells one attempt.
    fn how_often(&self) -> String {
        match self.gathered.attempts {
            0 | 1 => String::new(),
            many => format!(" in {many} attempts"),
        }
    }

    /// The service with those that its document has under the same names.
    fn whose(&self) -> String {
        let Some(service) = self.service else { return "a server".to_owned() };
        let alike = |other: &&Service| other.document == service.document && other.hosts == service.hosts;
        match self.signatures.services.iter().filter(alike).count() {
            0 | 1 => service.name.clone(),
            many => format!("{}, with {} more of its names,", service.name, many - 1),
        }
    }

    /// TLS that is opened but works is as grave as an outage only where the document says that the service cannot bear it.
    pub(super) fn severity(&self, plain: Severity) -> Severity {
        let bears = matches!(self.trouble, Trouble::Failed(Outcome::TlsIntercepted)) && self.gathered.answered && self.unbearable().is_none();
        if bears { plain.min(Severity::Medium) } else { plain }
    }

    /// The sentence by which this very row cannot bear that TLS is opened.
    pub(super) fn unbearable(&self) -> Option<&Rule> {
        self.rules(RuleEffect::NoInterception).find(|rule| self.id.is_some_and(|id| rule.services.contains(&id)))
    }

    fn because(&self) -> String {
        self.gathered.cause.as_ref().map_or_else(String::new, |cause| format!(": {}", cause.says))
    }

    /// What works beside it.
    fn beside(&self) -> String {
        let name = |id: Option<ServiceId>| id.map(|id| self.signatures.service(id).name.as_str());
        match (name(self.tied.fell_back), name(self.tied.other_way)) {
            (Some(other), _) => format!("; the client has fallen back to \"{other}\", which works"),
            (None, Some(other)) => format!("; the other way round, \"{other}\" works between the two"),
            (None, None) => name(self.gathered.instead)
                .map_or_else(String::new, |other| format!("; meanwhile \"{other}\" works from there and takes over: degraded, not cut off")),
        }
    }

    /// The service with its port, or the port alone.
    fn what(&self) -> String {
        match self.service {
            Some(service) => format!("{} ({})", service.name, self.place()),
            None if !self.meant.is_empty() => format!("{} ({})", self.either(), self.place()),
            None => self.place(),
        }
    }

    /// The rows that may be meant, in order.
    pub(super) fn rows_meant(&self) -> impl Iterator<Item = &Service> {
        self.meant.iter().map(|id| self.signatures.service(*id))
    }

    /// Their names: which of them it was nobody can tell.
    fn either(&self) -> String {
        self.rows_meant().map(|row| row.name.as_str()).collect::<Vec<_>>().join(" or ")
    }

    /// `8883/tcp`, or `21/tcp and 3 others`.
    pub(super) fn place(&self) -> String {
        let named = |(transport, port): (Transport, u16)| if transport.has_ports() { format!("{port}/{transport}") } else { transport.to_string() };
        let first = self.gathered.ports.first().copied().map(named).unwrap_or_default();
        match self.gathered.ports.len() {
            0 | 1 => first,
            many if self.gathered.more[2] => format!("{first} and more than {} others", many - 1),
            many => format!("{first} and {} more", many - 1),
        }
    }

    fn broke(&self, reason: Reason) -> String {
        let (client, server, what) = (&self.ends.client, &self.ends.server, self.what());
        let seen = self.seen();
        let elsewhere = if self.service.is_some_and(|service| service.borrows(|more| more.encrypted.is_some())) { "elsewhere " } else { "" };
        match reason {
            Reason::UndocumentedService if self.gathered.is_background() => {
                format!("{} {server} on {what} ({seen}), which every host does; no row of the document mentions it", self.everyday())
            }
            Reason::UndocumentedService => {
                let mentioned = self.elsewhere().map_or_else(|| "which no document that applies here mentions".to_owned(), |other| other.says(self.signatures));
                match self.gathered.in_vain() {
                    Some(cause) => format!("{client} tried {what} of {server} in vain ({cause}{}), {mentioned}", self.told_by()),
                    None => format!("{} {what} of {server} ({seen}{}), {mentioned}", self.ends.client.does("use"), self.told_by()),
                }
            }
            Reason::WrongDirection => format!("{client} opened {what} to {server}, but the document has it opened from the other end"),
            Reason::WrongProtocol => format!("{what} from {client} to {server} carries {seen}, not {}", self.documented_protocol()),
            Reason::NotEncrypted => {
                format!("{what} from {client} to {server} is in clear ({seen}), documented {elsewhere}as encrypted")
            }
            Reason::UnexpectedlyEncrypted => {
                format!("{what} from {client} to {server} is encrypted ({seen}), documented {elsewhere}in clear")
            }
            Reason::UndocumentedPath => format!("{client} asked {server} on {what} for a path that no row of the document names"),
            Reason::OptionalServiceActive => {
                // Only a row of the document lets the document speak, and only of what it says itself.
                let own = self.service.is_some_and(|service| service.basis == Basis::Document && !service.borrows(|more| more.default_on.is_some()));
                format!("{what} is active on {server}; {}it is not enabled by default", if own { "the document says that " } else { "" })
            }
            Reason::UnknownName => format!("{what} from {client} goes to a name that the document does not know: {}", self.names()),
            Reason::OutsideAnnouncedRange if self.gathered.expected => {
                format!("{what} of {server} was opened by a port mapping, away from the documented range")
            }
            Reason::OutsideAnnouncedRange => format!("{server} sent {client} to {}, outside the documented range", self.place()),
            Reason::NotAnnounced => {
                let how = if self.gathered.in_vain().is_none() { "opened" } else { "tried in vain to open" };
                format!("{client} {how} {} to {server}, a port of the range for announced transfers, but nothing announced it", self.place())
            }
            Reason::LeftTheLan => format!("{what} from {client} to {server} left the local network, where it belongs"),
            Reason::InboundFromOutside => {
                format!("{client} reached {what} of {server} from {}", if self.is_from_outside() { "outside the local network" } else { "another segment" })
            }
            Reason::WrongRole => format!("{what} between {client} and {server}: the document has it between other hosts"),
            Reason::UnsupportedByProduct if self.unsupported_request().is_some() => {
                let rule = self.unsupported_request().map_or("", |rule| rule.says.trim_end_matches('.'));
                format!("{client} sent {server} a request of {what} that it does not take{}: {rule}", self.answered())
            }
            Reason::UnsupportedByProduct => format!("{client} asked {server} for {what} ({seen}), which the product does not support{}", self.answered()),
            Reason::DeniedBySite => self.denied(),
            Reason::VersionTooOld => {
                let since = self.service.and_then(|service| service.since.as_ref());
                let since = since.map_or_else(String::new, |since| format!(", which came with {} {}", since.what, since.version));
                format!("{client} and {server} use {what}{since}; the site gives an older version")
            }
            _ => format!("{what} from {client} to {server}"),
        }
    }

    /// What was recognised.
    fn seen(&self) -> String {
        match self.gathered.protocol.as_slice() {
            [] if self.gathered.has_bytes() => "unrecognised bytes".to_owned(),
            [] => "no bytes seen".to_owned(),
            protocol => protocol.join("/"),
        }
    }

    /// How it is known which end is the server, where that is not plain.
    fn told_by(&self) -> String {
        match self.announced_over {
            Some((transport, port)) => format!("; announced over {port}/{transport}"),
            None if self.gathered.guessed => "; which end asks is guessed by the ports".to_owned(),
            None => String::new(),
        }
    }

    /// The row of their own products' documents that would fit if an end played one role more.
    pub(super) fn elsewhere(&self) -> Option<Elsewhere<'_>> {
        Elsewhere::of(self.signatures, self.site, self.gathered, self.roles)
    }

    pub(super) fn is_from_outside(&self) -> bool {
        self.gathered.clients.iter().any(|client| !self.site.is_local(*client))
    }

    fn denied(&self) -> String {
        let (server, what) = (&self.ends.server, self.what());
        match self.forbidding() {
            Some(_) => format!("{} {what} of {server}, which the site forbids{}", self.ends.client.does("use"), self.answered()),
            None => format!("{} for an address ({what}), though the site says that its address is static", self.ends.client.does("ask")),
        }
    }

    /// What a host does by name lookup, time, addresses or discovery.
    fn everyday(&self) -> String {
        let (does, where_) = match self.gathered.ports.first().map_or(0, |(_, port)| *port) {
            53 => ("look", "up names at"),
            67 | 68 | 546 | 547 => ("ask", "for addresses at"),
            123 => ("take", "the time from"),
            _ => ("look", "for neighbours at"),
        };
        format!("{} {where_}", self.ends.client.does(does))
    }

    /// The rule about requests that the row's product does not take.
    fn unsupported_request(&self) -> Option<&Rule> {
        let row = self.id?;
        self.signatures.rules.iter().find(|rule| rule.effect == RuleEffect::Unsupported && rule.services.contains(&row) && !rule.requests.is_empty())
    }

    fn answered(&self) -> &'static str {
        if self.gathered.answered { "; it was answered" } else { "" }
    }

    fn documented_protocol(&self) -> &str {
        self.service.map_or("the documented protocol", |service| &service.protocol_name)
    }

    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.gathered.server_names.iter().map(String::as_str).collect();
        names.join(", ")
    }

    /// What stops working; inference is marked as ours.
    pub(super) fn consequence(&self) -> Option<String> {
        if !matches!(self.trouble, Trouble::Failed(_) | Trouble::Intermittent) {
            return None;
        }
        let Some(service) = self.service else { return self.consequences() };
        if let Some(rule) = self.unbearable().filter(|_| matches!(self.trouble, Trouble::Failed(Outcome::TlsIntercepted))) {
            return Some(format!("{} The document: \"{}\"", rule.says, rule.citation.quote));
        }
        let mandatory = self.rules(RuleEffect::Mandatory).next().filter(|_| self.tied.mandatory);
        let needed = mandatory.map_or_else(String::new, |rule| format!(" The document: \"{}\"", rule.citation.quote));
        if let Some(consequence) = &service.consequence {
            return Some(match &consequence.quote {
                Some(quote) => format!("{} The document: \"{quote}\"{needed}", consequence.says),
                None => format!("{} (our inference; the document does not say){needed}", consequence.says),
            });
        }
        let rule = self.rules(RuleEffect::Consequence).next()?;
        Some(format!("{} The document: \"{}\"", rule.says, rule.citation.quote))
    }

    /// What may stop working of the rows that may be meant.
    fn consequences(&self) -> Option<String> {
        let mut says: Vec<String> = Vec::new();
        for told in self.rows_meant().filter_map(|row| row.consequence.as_ref()) {
            let told = match &told.quote {
                Some(quote) => format!("{} The document: \"{quote}\"", told.says),
                None => format!("{} (our inference; the document does not say)", told.says),
            };
            if !says.contains(&told) {
                says.push(told);
            }
        }
        (!says.is_empty()).then(|| says.join(" Or: "))
    }

    pub(super) fn alternatives(&self) -> Vec<String> {
        let known = self.gathered.cause.iter().filter(|_| !matches!(self.trouble, Trouble::Broke(_))).flat_map(|cause| cause.alternatives);
        let mut alternatives: Vec<String> = known.filter_map(|words| self.of_its_protocol(words)).map(str::to_owned).collect();
        let fragile = |rule: &&Rule| rule.effect == RuleEffect::NoInterception && self.id.is_some_and(|id| rule.services.contains(&id));
        if matches!(self.trouble, Trouble::Failed(Outcome::TlsFailed | Outcome::ResetByMiddlebox))
            && let Some(rule) = self.signatures.rules.iter().find(fragile)
        {
            alternatives.insert(0, format!("a device that opens TLS: {}", rule.says.trim_end_matches('.')));
        }
        if matches!(self.trouble, Trouble::Failed(_)) && self.optional {
            alternatives.insert(0, "the service is not enabled by default and was never switched on".to_owned());
        }
        alternatives
    }

    /// What else it may be, unless that is so of another protocol (`of FTP, ...`).
    fn of_its_protocol<'w>(&self, words: &'w str) -> Option<&'w str> {
        let Some((protocol, rest)) = words.strip_prefix("of ").and_then(|words| words.split_once(", ")) else { return Some(words) };
        self.gathered.protocol.iter().any(|name| name.eq_ignore_ascii_case(protocol)).then_some(rest)
    }

    /// The sentence by which a document needs name lookup though it has no row for it: hosts outside are matched by name.
    pub(super) fn presupposes(&self) -> Option<&Rule> {
        let lookup = matches!(self.trouble, Trouble::Broke(Reason::UndocumentedService)) && self.gathered.ports.iter().all(|(_, port)| *port == 53);
        let plays = |id: &ServiceId| self.signatures.service(*id).client.iter().any(|role| self.roles[0] == Some(*role));
        let mut rules = self.signatures.rules.iter().filter(|rule| rule.effect == RuleEffect::NamesNotAddresses);
        rules.find(|rule| lookup && self.gathered.is_background() && rule.services.iter().any(plays))
    }

    /// The sentence that stands behind it: of a rule where a rule decided, else of the row.
    pub(super) fn citation(&self) -> Option<Cited> {
        let effect = match self.trouble {
            Trouble::Broke(Reason::InboundFromOutside) => Some(RuleEffect::NoInboundFromOutside),
            Trouble::Broke(Reason::WrongDirection) => Some(RuleEffect::OutgoingOnly),
            // With a row it is the edition that lacks it, and the row says so.
            Trouble::Broke(Reason::UnsupportedByProduct) if self.id.is_none() => Some(RuleEffect::Unsupported),
            _ => None,
        };
        if let (Trouble::Broke(Reason::UnsupportedByProduct), Some(rule)) = (self.trouble, self.unsupported_request()) {
            return Some(Cited::of(self.signatures, rule.document, &rule.citation, rule.basis));
        }
        if let Some(entry) = self.forbidding() {
            let (document, quote) = (entry.written.clone(), entry.reason.clone());
            return Some(Cited { document, section: String::new(), quote, verbatim: true, url: None, basis: Basis::User });
        }
        if let Some(rule) = effect.and_then(|effect| self.rules(effect).next()) {
            return Some(Cited::of(self.signatures, rule.document, &rule.citation, rule.basis));
        }
        if let Some(rule) = self.presupposes() {
            return Some(Cited::of(self.signatures, rule.document, &rule.citation, rule.basis));
        }
        let service = self.service.or_else(|| self.rows_meant().next())?;
        let basis = self.gathered.ports.first().and_then(|(transport, port)| service.port_basis(*transport, *port)).unwrap_or(service.basis);
        Some(Cited::of(self.signatures, service.document, &service.citation, basis))
    }

    /// Rules of that effect about this row or these roles, the row's own before those of all the document.
    pub(super) fn rules(&self, effect: RuleEffect) -> impl Iterator<Item = &Rule> {
        let of_effect = move || self.signatures.rules.iter().filter(move |rule| rule.effect == effect);
        let own = of_effect().filter(|rule| self.id.is_some_and(|id| rule.services.contains(&id)));
        let document = |rule: &Rule| self.service.is_some_and(|service| service.document == rule.document);
        let role = |rule: &Rule| self.roles.iter().flatten().any(|role| rule.roles.contains(role));
        let general = of_effect().filter(move |rule| rule.services.is_empty() && (role(rule) || rule.roles.is_empty() && document(rule)));
        own.chain(general)
    }
}

/// What the outcome means, never who is to blame.
fn failed(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::SilentDrop => "got no answer",
        Outcome::RefusedByHost => "was refused by the host",
        Outcome::RejectedByNetwork => "was rejected on the way",
        Outcome::Unreachable => "did not reach the host",
        Outcome::ReturnPathBroken => "was answered, but not all gets through",
        Outcome::ResetByMiddlebox => "was cut on the way",
        Outcome::BlockedByProxy => "was stopped by a proxy",
        Outcome::TlsFailed => "failed in the TLS handshake",
        Outcome::TlsIntercepted => "met a device that opens TLS",
        Outcome::PmtuBlackhole => "lost its large packets",
        Outcome::IdleDropped => "was cut after idling",
        Outcome::AppRefused => "was refused by the service",
        Outcome::ServerSilent => "was left waiting by the service",
        _ => "failed",
    }
}
