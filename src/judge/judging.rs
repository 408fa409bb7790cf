//! The two passes of the judge. Learning: what a flow that ended shows about the tap and about other flows. Judging: what the documents say of the flow in that
//! light.

use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::capture::Pause;
use crate::flow::{Direction, End, Flow, Neighbour, Parties};
use crate::identify::{Books, Fact, Identified, NameSource, Promise};
use crate::judge::account::{self, Account, Considered};
use crate::judge::alike::Alike;
use crate::judge::announcer::Announcers;
use crate::judge::candidate::{Case, weigh};
use crate::judge::claim::Claims;
use crate::judge::coverage::Presence;
use crate::judge::ending::{Ending, Known};
use crate::judge::handover::Knowledge;
use crate::judge::resolver::Resolvers;
use crate::judge::rhythm::Rhythms;
use crate::judge::role::{Plays, Roles};
use crate::judge::shown::Shown;
use crate::judge::verdict::Decision;
use crate::judge::visibility::{Absent, Seen, Visibility, took_part};
use crate::judge::{Confidence, Judged, Named, Outcome, Reason, Site, Telling, Verdict, blocked, candidate, direction, stance, verdict, version};
use crate::net::{Endpoint, Side, Transport, is_group};
use crate::signature::{RoleId, Service, ServiceId, Signatures};
use crate::time::Timestamp;

/// Judges flows. Each is first [learned](Self::learn) from, and [judged](Self::judge) later: the docket keeps a while between the two, so that flows are judged in
/// the light of those around them.
#[derive(Clone)]
pub struct Judge<'a> {
    signatures: &'a Signatures,
    roles: Roles<'a>,
    books: &'a Books,
    claims: Claims,
    alike: Alike,
    seen: Seen,
    resolvers: Resolvers,
    announcers: Announcers,
    /// What is told of each flow.
    telling: Telling,
    /// Whether each judgement is accounted for.
    accounts: bool,
    rhythms: Rhythms,
    presence: Presence,
}

impl<'a> Judge<'a> {
    /// A judge by these documents, this site and what the books know.
    pub fn new(signatures: &'a Signatures, site: Site, books: &'a Books) -> Self {
        let presence = Presence::of(site.roles.iter().map(|(role, _)| *role));
        let (roles, claims) = (Roles::new(signatures, site), Claims::new(signatures));
        let (alike, rhythms) = (Alike::new(signatures, &roles), Rhythms::new(signatures));
        let (seen, resolvers, announcers) = (Seen::default(), Resolvers::default(), Announcers::default());
        Self { signatures, roles, books, claims, alike, seen, resolvers, announcers, rhythms, presence, telling: Telling::Everything, accounts: false }
    }

    /// What judgements are to tell; everything, unless this says less.
    #[must_use]
    pub const fn telling(mut self, telling: Telling) -> Self {
        self.telling = telling;
        self
    }

    /// Whether judgements are to say how they came about, row by row; they do not unless this says so.
    #[must_use]
    pub const fn with_accounts(mut self, wanted: bool) -> Self {
        self.accounts = wanted;
        self
    }

    /// First pass: what this flow shows about the tap and about the other flows' ends.
    pub fn learn(&mut self, identified: &Identified) {
        self.roles.learn(identified, &self.claims);
        self.seen.learn(identified, !took_part(&identified.flow) && self.is_due(&identified.flow));
        self.rhythms.learn(identified);
        self.resolvers.learn(identified);
        self.announcers.learn(identified);
        if !self.presence.is_empty() {
            let flow = &identified.flow;
            for end in [&flow.client, &flow.server] {
                self.presence.note(&self.roles.of(end), end.packets > 0);
            }
        }
    }

    /// Whether a row of the documents that apply is at this port between hosts like these, and one of them plays the product that the row is about.
    fn is_due(&self, flow: &Flow) -> bool {
        let ends = [&flow.client, &flow.server];
        let given: [Vec<RoleId>; 2] = ends.map(|end| self.roles.played_by(end).0);
        if given.iter().all(|given| given.is_empty()) {
            return false;
        }
        let port = flow.server.endpoint.port;
        let rows = self.signatures.at(flow.transport, port).chain(self.roles.site().moved_to(port)).map(|id| self.signatures.service(id));
        rows.filter(|row| self.applies(row)).any(|row| {
            let plays = |side: usize, wanted: &[RoleId]| self.roles.plays(ends[side].endpoint.ip, &given[side], wanted, false);
            let plays = [plays(0, &row.client), plays(1, &row.server)];
            plays.contains(&Plays::Given) && !plays.contains(&Plays::Refused)
        })
    }

    /// What a packet says about who is on its link.
    pub fn meet(&mut self, neighbour: &Neighbour) {
        self.seen.meet(neighbour);
    }

    /// Learns when nothing was captured. In the order of time, and before the flows that were silent meanwhile.
    pub fn pause(&mut self, pause: Pause) {
        self.seen.pause(pause);
    }

    /// What it knows that does not rest on documents.
    pub(super) fn into_knowledge(self) -> Knowledge {
        Knowledge { seen: self.seen, resolvers: self.resolvers, announcers: self.announcers }
    }

    /// A judge that has just come to these documents: of flows that were learned from before it learns what rests on documents.
    pub(super) fn succeed<'f>(&mut self, knowledge: Knowledge, flows: impl Iterator<Item = &'f Identified>) {
        for identified in flows {
            self.learn(identified);
        }
        (self.seen, self.resolvers, self.announcers) = (knowledge.seen, knowledge.resolvers, knowledge.announcers);
    }

    /// Which of the site's roles have hosts that show at this capture point.
    pub(super) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// How many packets the capture itself says it lost at an interface: answers may be among them.
    pub fn capture_lost(&mut self, interface: u32, packets: u64) {
        self.seen.dropped(interface, packets);
    }

    /// Learns that so many of them were lost between two moments, as far as the capture tells. Where it counts them at its end alone they may be of any time.
    pub fn capture_dropped(&mut self, interface: u32, times: [Timestamp; 2], packets: u64) {
        self.seen.dropped_between(interface, times, packets);
    }

    /// Learns what flows lost that live, and are not learned from yet; no more of those that it was told before.
    pub(super) fn live(&mut self, flows: &[Box<Identified>]) {
        self.seen.live(flows);
    }

    /// Time has come to `now`, though nothing was heard lately: what has not been answered by then has had that long.
    pub(super) fn until(&mut self, now: Timestamp) {
        self.seen.until(now);
    }

    /// What this tap can see, once all flows were learned.
    pub fn visibility(&self) -> Visibility {
        let mut visibility = self.seen.summary();
        visibility.forgotten += self.resolvers.forgotten() + self.roles.forgotten() + self.announcers.forgotten();
        visibility
    }

    /// Hosts that the site gives no role and that showed one beyond doubt, in order of address: flows are judged by it.
    pub fn shown(&self) -> Vec<(IpAddr, Shown)> {
        self.roles.all_shown()
    }

    /// Second pass: what the documents say about the flow and what became of it.
    pub fn judge(&self, mut identified: Box<Identified>) -> Judged {
        let roles = &self.roles;
        let direction_by = self.settle(&mut identified);
        let flow = &identified.flow;
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let ((of_client, client_shows), (of_server, server_shows)) = (roles.played_by(&flow.client), roles.played_by(&flow.server));
        let (given, by_itself) = ([of_client, of_server], [client_shows, server_shows]);
        let everything = self.telling == Telling::Everything;
        let announced = self.announced(&identified);
        let of_client = if self.telling >= Telling::Names { self.names(&identified, Side::Client) } else { Vec::new() };
        let of_server = if self.needs_names(&identified, &given, announced.is_some()) { self.names(&identified, Side::Server) } else { Vec::new() };
        let names = [of_client, of_server];
        let period = self.rhythms.period(client.ip, flow.transport, server);
        let case = Case { identified: &identified, given: &given, by_itself, names: &names, announced: announced.as_deref(), period };
        let shown = [client.ip, server.ip].map(|ip| if everything { roles.shown(ip) } else { Vec::new() });
        let weigh = || weigh(&case, self.signatures, roles, &self.claims, everything, |service| self.applies(service));
        // What is told of candidates costs more than all else that is told, and is the same for most flows.
        let kept = everything.then(|| self.alike.weighing(&case, self.signatures, roles, weigh));
        let anew = if everything { Vec::new() } else { weigh() };
        let weighed = kept.as_ref().map_or(anew.as_slice(), |kept| kept.rows());
        let mut decision = verdict::decide(&case, self.signatures, roles, weighed, took_part(flow));
        let candidates = || verdict::candidates(&case, self.signatures, weighed, decision.service);
        let candidates = kept.as_ref().map(|kept| kept.candidates(decision.service, candidates)).unwrap_or_default();
        let mut rows = if self.accounts { account::rows(&case, self.signatures, weighed, &decision) } else { Vec::new() };
        self.weaken(&identified, &mut decision, &mut rows);
        let row = |service: Option<ServiceId>| service.map(|id| self.signatures.service(id));
        let asks = |row: &Service| self.applies(row) && roles.plays(client.ip, &given[0], &row.client, false) > Plays::Refused;
        let denied = self.resolvers.denied(&identified, self.signatures, asks);
        let (seen, resolvers) = (&self.seen, &self.resolvers);
        let both_ways = announced.as_deref().is_some_and(|promise| self.is_of_a_call(promise, &identified));
        let known = Known { service: row(decision.service), seen, resolvers, denied, announced: announced.as_deref(), both_ways, names: &names[1] };
        let mut ending = Ending::read(&identified, &known);
        // What a document expects of a host that the site knows did not come unasked; to any other host, filtering it is what one expects.
        ending.from_outside = self.comes_from_outside(&identified) && (decision.verdict, decision.attribution) != (Verdict::Expected, Confidence::High);
        let told = self.telling >= Telling::Causes || denied.is_some() || !decision.reasons.contains(&Reason::NotCovered) || self.site().takes_sides();
        let (fate, cited) = (blocked::decide(&ending, told), if told { ending.cited() } else { SmallVec::new() });
        let (sight, loss_per_mille) = (ending.sight.words(), if self.accounts { ending.loss() } else { 0 });
        let in_vain = matches!(fate.outcome, Outcome::DnsBlocked | Outcome::DnsFailed | Outcome::SilentDrop);
        let denied = ending.denied.filter(|_| in_vain).and_then(|denied| denied.row);
        if fate.outcome == Outcome::ScanNoise && given.iter().all(Vec::is_empty) {
            decision.withdraw();
            account::withdraw(&mut rows, "its client scans: it tries every port, so the number of this one shows nothing");
        }
        let rests_on = |promise: &Promise| !promise.is_hidden() || row(decision.service).is_some_and(|service| service.learned_from.contains(&promise.kind));
        let announced = announced.filter(|promise| rests_on(promise));
        let account = self.accounts.then(|| {
            let told = |side: usize, end: &End| account::roles(roles, end, &given[side], by_itself[side], &shown[side]);
            let roles = [told(0, &flow.client), told(1, &flow.server)];
            Box::new(Account { rows, roles, sight, loss_per_mille })
        });
        let instance = decision.service.and_then(|id| self.instance(id, server, &given[1]));
        let other = seen.other_leg(flow);
        let translated = other.map(|other| Box::new(Parties { client: other.client, server: other.server, ..flow.parties() }));
        identified.announced = announced;
        let mut judged = Judged {
            identified,
            roles: given,
            shown,
            names,
            service: decision.service,
            tied: decision.tied,
            candidates,
            instance,
            verdict: decision.verdict,
            reasons: decision.reasons,
            attribution: decision.attribution,
            outcome: fate.outcome,
            confidence: fate.confidence,
            cause: fate.cause,
            denied,
            cited,
            stance: None,
            translated,
            direction_by,
            account,
        };
        stance::apply(roles.site(), &mut judged);
        judged
    }

    /// The promise that this flow keeps.
    fn announced(&self, identified: &Identified) -> Option<Box<Promise>> {
        let Flow { transport, client, server, first, .. } = &identified.flow;
        let announced = identified.announced.clone().or_else(|| self.books.announced(*transport, client.endpoint.ip, server.endpoint, *first).map(Box::new));
        announced.filter(|promise| keeps(promise, identified))
    }

    /// Leaves open, or takes back, what was decided for a flow that an announcement may have led to, or that a router shows on its other side, too.
    fn weaken(&self, identified: &Identified, decision: &mut Decision, rows: &mut [Considered]) {
        if self.announcers.may_be_missed(&identified.flow) {
            decision.leave_open(Reason::NotAnnounced);
        }
        if self.announcers.may_have_led_to(identified) {
            decision.leave_open(Reason::UndocumentedService);
        }
        if self.is_told_elsewhere(&identified.flow) {
            decision.withdraw();
            account::withdraw(rows, "the other side of the router that translates its addresses shows who talks to whom: the row has that flow");
        }
    }

    /// Which instance of the service this port of the server names, where the site moved it or where the document has it.
    fn instance(&self, service: ServiceId, server: Endpoint, roles: &[RoleId]) -> Option<u16> {
        let row = self.signatures.service(service);
        match self.site().ports_of(service, server.ip, roles) {
            Some(ports) => row.moved_instance_of(ports, server.port),
            None => row.instance_of(server.port),
        }
    }

    /// What the operator said about the network.
    pub fn site(&self) -> &Site {
        self.roles.site()
    }

    /// Whether the flow carries media of a call that agreed on media to both ends, each of which was to send, too, and, where both did, did so to its end: who holds a call says that by
    /// another description (RFC 3264 section 8.4). What is told to a group agrees on nothing.
    fn is_of_a_call(&self, promise: &Promise, identified: &Identified) -> bool {
        let Flow { transport, client, server, first, last, .. } = identified.flow;
        let agreed = promise.both_ways && promise.over == Transport::UDP && identified.protocol.first() == Some(&"rtp");
        let other = || self.books.announced(transport, server.endpoint.ip, client.endpoint, first);
        let stands = |from: IpAddr, to: Endpoint| self.books.announced(transport, from, to, last).is_none_or(|promise| promise.both_ways);
        agreed
            && other().is_some_and(|other| other.both_ways && other.parent == promise.parent)
            && (server.packets == 0 || stands(client.endpoint.ip, server.endpoint) && stands(server.endpoint.ip, client.endpoint))
    }

    /// Hosts that were asked for on their link in vain, by address.
    pub(super) fn absent(&self) -> Vec<&Absent> {
        self.seen.all_absent()
    }

    /// Whether a host reached anybody in a flow that it opened.
    pub(super) fn reaches_anybody(&self, host: IpAddr) -> bool {
        self.seen.reaches_anybody(host)
    }

    /// Roles that a host is judged by.
    pub(super) fn roles_of(&self, host: IpAddr) -> Vec<RoleId> {
        self.roles.known(host)
    }

    /// Whether the product at a host is older than a row that it would use.
    pub(super) fn is_too_old(&self, client: IpAddr, row: ServiceId) -> bool {
        let service = self.signatures.service(row);
        let played = self.roles.known(client).into_iter().filter(|role| service.client.contains(role));
        played.into_iter().any(|role| version::lacks_as(self.signatures, &self.roles, client, role, service).is_some())
    }

    /// Whether a document is among those that the operator asked for.
    pub(super) fn applies_to(&self, document: u16) -> bool {
        let products = &self.roles.site().products;
        products.is_empty() || products.contains(&self.signatures.document(document).vendor)
    }

    /// Whether a flow is the side of a conversation, captured on both sides of a router that translates addresses, that shows not who talks to whom. Where the site gives the ends of one
    /// side alone roles it is the other one.
    fn is_told_elsewhere(&self, flow: &Flow) -> bool {
        let Some(other) = self.seen.other_leg(flow) else { return false };
        let plays = |ends: [Endpoint; 2]| ends.into_iter().any(|end| !self.roles.known(end.ip).is_empty());
        match (plays([flow.client.endpoint, flow.server.endpoint]), plays([other.client, other.server])) {
            (true, false) => false,
            (false, true) => true,
            _ => !other.is_behind(flow),
        }
    }

    fn comes_from_outside(&self, identified: &Identified) -> bool {
        let (client, server) = (identified.flow.client.endpoint.ip, identified.flow.server.endpoint.ip);
        let site = self.site();
        !site.is_local(client) && site.is_local(server) && !is_group(server)
    }

    /// Whether anything rests on the names of a flow's server: a row that it may belong to, a finding, another way on which its client got there. Of most flows of
    /// an ordinary network nothing does, and names are dear.
    fn needs_names(&self, identified: &Identified, given: &[Vec<RoleId>; 2], announced: bool) -> bool {
        let (flow, server) = (&identified.flow, identified.flow.server.endpoint);
        let is_ours = |name: &str| self.signatures.has_name(name);
        let is_lookup = || identified.protocol.first() == Some(&"dns");
        let instead = || server.ip.is_ipv6() && !took_part(flow);
        let by_row =
            || announced || given.iter().any(|given| !given.is_empty()) || candidate::may_touch(identified, self.signatures, &self.claims, self.site());
        let stated = || identified.facts.iter().any(|fact| matches!(fact, Fact::Name { of: Side::Server, name, .. } if is_ours(name)));
        self.telling >= Telling::ServerNames
            || self.site().takes_sides()
            || instead()
            || is_lookup()
            || by_row()
            || stated()
            || self.books.any_name(server.ip, flow.first, is_ours)
    }

    fn settle(&self, identified: &mut Identified) -> Option<&'static str> {
        if identified.flow.direction == Direction::Certain {
            return None;
        }
        let (transport, at) = (identified.flow.transport, identified.flow.first);
        let announced = |client: Endpoint, server: Endpoint| self.books.announced(transport, client.ip, server, at).is_some();
        let documented = |transport: Transport, port: u16| self.claims.alone(transport, port).is_some() || self.site().moved_to(port).next().is_some();
        direction::settle(identified, &self.seen, announced, documented)
    }

    /// Names that the flow itself states, then those that other flows gave the host.
    fn names(&self, identified: &Identified, side: Side) -> Vec<Named> {
        let flow = &identified.flow;
        let (asker, host) = match side {
            Side::Client => (flow.server.endpoint.ip, flow.client.endpoint.ip),
            Side::Server => (flow.client.endpoint.ip, flow.server.endpoint.ip),
        };
        let mut names: Vec<Named> = Vec::new();
        let mut add = |name: &str, source: NameSource, age: Option<Duration>| {
            if !names.iter().any(|known| known.name == name) {
                names.push(Named { name: name.to_owned(), source: source.name(), age: age.map(|age| age.as_secs()) });
            }
        };
        for fact in &identified.facts {
            if let Fact::Name { of, name, source } = fact
                && *of == side
            {
                add(name, *source, None);
            }
        }
        self.books.names_of(asker, host, flow.first, &mut |heard| add(heard.name, heard.source, heard.age));
        names
    }

    fn applies(&self, service: &Service) -> bool {
        self.applies_to(service.document)
    }
}

/// Whether a flow begins as its announcement says, as far as its bytes were captured.
fn keeps(promise: &Promise, identified: &Identified) -> bool {
    let Some(begins) = &promise.begins else { return true };
    identified.opening.iter().all(|opening| opening.is_empty()) || identified.opening.iter().any(|opening| !opening.is_empty() && agrees(opening, begins))
}

fn agrees(opening: &[u8], begins: &[u8]) -> bool {
    opening.iter().zip(begins).all(|(seen, told)| seen == told)
}
