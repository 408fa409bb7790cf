//! Which rows of the documents fit a flow, which nearly fit, and why.
//!
//! A row is considered where its port, its announcement, its name pattern or its protocol touches the flow. What does not fit is kept as
//! [`Miss`]es, because the nearest miss is the most useful thing to say about a flow that no row covers.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::flow::Direction as Opened;
use crate::identify::{Fact, Identified, Promise};
use crate::judge::claim::{CLAIMED_AT_ONCE, Claims, is_common, is_of_one_product, is_web, words_of};
use crate::judge::role::{Plays, Roles};
use crate::judge::{Candidate, Named, Reason, Site};
use crate::net::{Side, is_broadcast, is_group};
use crate::signature::{Basis, Direction, HostPattern, PortRange, PromiseKind, RoleId, Service, ServiceId, Signatures, range_of};

/// A flow with what is known of its ends.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) identified: &'a Identified,
    /// Roles that client and server are judged by.
    pub(super) given: &'a [Vec<RoleId>; 2],
    /// Whether they rest on what the host shows, not on the site.
    pub(super) by_itself: [bool; 2],
    /// Names of client and server.
    pub(super) names: &'a [Vec<Named>; 2],
    /// What announced the flow.
    pub(super) announced: Option<&'a Promise>,
    /// The period in which its client comes to its server, in seconds.
    pub(super) period: Option<u64>,
}

impl Case<'_> {
    pub(super) fn ip(&self, side: Side) -> IpAddr {
        match side {
            Side::Client => self.identified.flow.client.endpoint.ip,
            Side::Server => self.identified.flow.server.endpoint.ip,
        }
    }

    fn port(&self) -> u16 {
        self.identified.flow.server.endpoint.port
    }

    /// Paths that were asked for.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.identified.facts.iter().filter_map(Fact::as_request).map(|(_, path)| path)
    }

    fn server_name_fits(&self, patterns: &[HostPattern], broad: bool) -> bool {
        patterns.iter().filter(|pattern| pattern.broad == broad).any(|pattern| self.names[1].iter().any(|named| pattern.matches(&named.name)))
    }

    /// Whether the first bytes of its opener were captured but nothing was recognised in them.
    pub(super) fn is_unknown_content(&self) -> bool {
        self.identified.protocol.is_empty() && self.identified.opening.iter().any(|bytes| !bytes.is_empty())
    }
}

/// By what a row found its flow. Ordered: each is more specific than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// A host-name pattern, or the protocol between the right roles, where the document names no port.
    Name,
    /// A range of ports.
    Range,
    /// Exactly this port.
    Port,
    /// The port and the path.
    PortPath,
    /// The port, and a protocol that only this document knows.
    Content,
    /// Another flow announced this one.
    Announced,
}

/// What keeps a row from fitting. Ordered by how much: the row whose worst miss is least is the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Miss {
    NotAnnounced,
    OutsideAnnouncedRange,
    NotEncrypted,
    UnexpectedlyEncrypted,
    Path,
    Name,
    LeftTheLan,
    Direction,
    Protocol,
    Role,
    Port,
}

impl Miss {
    /// The contract's word for it.
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::NotAnnounced => Reason::NotAnnounced,
            Self::OutsideAnnouncedRange => Reason::OutsideAnnouncedRange,
            Self::NotEncrypted => Reason::NotEncrypted,
            Self::UnexpectedlyEncrypted => Reason::UnexpectedlyEncrypted,
            Self::Path => Reason::UndocumentedPath,
            Self::Name => Reason::UnknownName,
            Self::LeftTheLan => Reason::LeftTheLan,
            Self::Direction => Reason::WrongDirection,
            Self::Protocol => Reason::WrongProtocol,
            Self::Role => Reason::WrongRole,
            Self::Port => Reason::UndocumentedService,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::NotAnnounced => "nothing announced this flow",
            Self::OutsideAnnouncedRange => "the announced port lies outside the documented range",
            Self::NotEncrypted => "documented as encrypted, seen in clear",
            Self::UnexpectedlyEncrypted => "documented in clear, seen encrypted",
            Self::Path => "another path",
            Self::Name => "no documented name",
            Self::LeftTheLan => "discovery that left the LAN",
            Self::Direction => "opened from the other end",
            Self::Protocol => "another protocol",
            Self::Role => "an end plays another role",
            Self::Port => "another port",
        }
    }
}

/// A row held against a flow.
#[derive(Clone, Debug)]
pub(super) struct Weighed {
    pub(super) service: ServiceId,
    pub(super) level: Level,
    /// Client and server.
    pub(super) ends: [Plays; 2],
    /// The server's name fits one of the row's own patterns.
    pub(super) named: bool,
    /// The server's name fits a pattern that half the Internet shares.
    pub(super) broadly_named: bool,
    /// The row is for servers of certain names.
    for_names: bool,
    /// Segments of the longest path that fits.
    path: usize,
    /// Ports spanned, the fewer the better.
    width: u32,
    basis: Basis,
    /// Its document alone claims the port, or the site moved the row there.
    pub(super) claimed: bool,
    /// Anybody may stand at either end of the row, and the client is a host of the vendor's products: the document is about what these use.
    pub(super) kin: bool,
    /// The site gives it other ports than the document.
    moved: bool,
    /// Sorted, worst last; empty where the row fits.
    pub(super) misses: Vec<Miss>,
}

/// What ranks a fitting row; equal ranks are a tie.
pub(super) type Rank = (Level, bool, [Plays; 2], Plays, usize, u8, std::cmp::Reverse<u32>);

impl Weighed {
    pub(super) fn fits(&self) -> bool {
        self.misses.is_empty()
    }

    /// Whether it is worth telling as the row that the flow breaks. One between other hosts is so only where its service itself was met: nothing but a name
    /// is amiss beside the hosts, and no wide range leads there, nor, at a host that is not known to have the service, a number that everybody uses or
    /// unknown bytes.
    pub(super) fn is_near(&self, case: &Case<'_>) -> bool {
        let only = |misses: &[Miss]| self.misses.iter().all(|miss| misses.contains(miss));
        let telling = || !is_common(case.identified.flow.transport, case.port()) && !case.is_unknown_content();
        let specific = || self.level == Level::Content || self.ends[1] == Plays::Given || telling();
        match self.misses.last() {
            Some(Miss::Role) => only(&[Miss::Name, Miss::Role]) && self.width <= CLAIMED_AT_ONCE && specific(),
            Some(Miss::Port) => false,
            // Of a wide range that the document itself does not state, the bytes must speak for the row, or nothing does.
            Some(Miss::Protocol) if self.basis == Basis::Supplement && self.width > CLAIMED_AT_ONCE => false,
            _ => !self.lacks_its_name(case),
        }
    }

    /// Whether the flow's port is none of the row's.
    pub(super) fn is_off_its_ports(&self) -> bool {
        self.width == u32::MAX
    }

    /// Specificity first; among equals the name, then how sure the ends are, the path, whose word it is, the narrower range.
    pub(super) fn rank(&self) -> Rank {
        let word = match self.basis {
            Basis::User => 2,
            Basis::Document => 1,
            Basis::Supplement => 0,
        };
        let (weaker, stronger) = (self.ends[0].min(self.ends[1]), self.ends[0].max(self.ends[1]));
        (self.level, self.named, [stronger, weaker], weaker, self.path, word, std::cmp::Reverse(self.width))
    }

    /// Whether the flow belongs to the row by more than a coincidence of numbers: a role, a client that is of the vendor's products, a name, bytes or an announcement that only one product makes, or a
    /// port that the document alone claims, unless bytes were seen there that are not what it says.
    pub(super) fn is_grounded(&self, case: &Case<'_>) -> bool {
        let role = (self.kin || self.ends.contains(&Plays::Given)) && !self.lacks_its_name(case);
        let port_counts = case.identified.flow.direction == Opened::Certain || case.port() < EPHEMERAL_FROM;
        let own_bytes = || case.identified.protocol.iter().any(|protocol| is_of_one_product(protocol));
        let by_content = match self.level {
            Level::Announced => own_bytes() || case.announced.is_some_and(|promise| promise.kind == PromiseKind::Crqt) && !case.is_unknown_content(),
            Level::Content => own_bytes(),
            Level::Name | Level::Range | Level::Port | Level::PortPath => false,
        };
        role || self.named || by_content || (self.claimed && port_counts && !case.is_unknown_content())
    }

    /// Whether the row is for certain names at a port that everybody uses, and the server's name is not known: it may be anybody.
    fn lacks_its_name(&self, case: &Case<'_>) -> bool {
        self.for_names && !self.named && !self.broadly_named && is_common(case.identified.flow.transport, case.port())
    }

    /// Whether the row rests on an announcement that nobody could read: its range, and the control connection between the same hosts.
    pub(super) fn is_hidden(&self, signatures: &Signatures, case: &Case<'_>) -> bool {
        let learned = |promise: &Promise| signatures.service(self.service).learned_from.contains(&promise.kind);
        self.level != Level::Announced && case.announced.is_some_and(|promise| promise.is_hidden() && learned(promise))
    }

    /// The candidate as reports print it.
    pub(super) fn candidate(&self, signatures: &Signatures, case: &Case<'_>) -> Candidate {
        Candidate { service: self.service, fits: self.fits(), why: self.why(signatures, case) }
    }

    fn why(&self, signatures: &Signatures, case: &Case<'_>) -> String {
        let fit = self.speaks_for(signatures, case);
        if self.fits() { fit } else { format!("{fit}; but {}", self.speaks_against(signatures, case)) }
    }

    /// What does not fit, in words.
    pub(super) fn speaks_against(&self, signatures: &Signatures, case: &Case<'_>) -> String {
        self.misses.iter().map(|miss| self.against(*miss, signatures, case)).collect::<Vec<_>>().join(", ")
    }

    /// What fits, in words.
    pub(super) fn speaks_for(&self, signatures: &Signatures, case: &Case<'_>) -> String {
        let mut words = vec![match self.level {
            Level::Announced => "announced by another flow".to_owned(),
            Level::Content => format!("{} on its port", case.identified.protocol.join("/")),
            Level::PortPath => format!("port {} and path", case.port()),
            Level::Port => format!("port {}", case.port()),
            Level::Range if self.is_hidden(signatures, case) => {
                format!("port {} in a documented range, beside a control connection whose announcements are encrypted", case.port())
            }
            Level::Range => format!("port {} in a documented range", case.port()),
            Level::Name if self.named || self.broadly_named => "name of the server".to_owned(),
            Level::Name if case.identified.protocol.is_empty() => format!("protocol {}", case.identified.flow.transport),
            Level::Name => format!("protocol {}", case.identified.protocol.join("/")),
        }];
        if self.named && self.level != Level::Name {
            words.push("the server's name fits".to_owned());
        }
        for (side, plays) in [Side::Client, Side::Server].into_iter().zip(self.ends) {
            match plays {
                Plays::Given if case.by_itself[side as usize] => words.push(format!("the {side} shows what it is")),
                Plays::Given => words.push(format!("the site knows the {side}")),
                Plays::Doubtful => words.push(format!("the {side} has a private address where the document has a host outside")),
                Plays::Assumed | Plays::Kind | Plays::Refused => {}
            }
        }
        words.join(", ")
    }

    fn against(&self, miss: Miss, signatures: &Signatures, case: &Case<'_>) -> String {
        let service = signatures.service(self.service);
        match miss {
            Miss::Port if self.moved => "the site has it on another port".to_owned(),
            Miss::Port if !service.ports.is_empty() => {
                let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
                format!("documented on port {}", ports.join(", "))
            }
            Miss::Protocol => format!("documented as {}, seen {}", service.protocol_name, case.identified.protocol.join("/")),
            Miss::Path => format!("documented path {}", service.paths.join(", ")),
            Miss::Name => {
                let patterns: Vec<&str> = service.hosts.iter().map(|host| host.pattern.as_str()).collect();
                format!("documented for {}", patterns.join(", "))
            }
            _ => miss.words().to_owned(),
        }
    }
}

/// Holds every row that touches the flow against it, in document order. Where candidates are not `told`, rows that could not be the flow's are left out.
pub(super) fn weigh(
    case: &Case<'_>,
    signatures: &Signatures,
    roles: &Roles<'_>,
    claims: &Claims,
    told: bool,
    applies: impl Fn(&Service) -> bool,
) -> Vec<Weighed> {
    let touching = touching(case, signatures, roles, claims, told);
    let rows = touching.into_iter().map(|id| (id, signatures.service(id))).filter(|(_, service)| applies(service));
    let mut rows: Vec<Weighed> = rows.filter_map(|(id, service)| weigh_one(case, id, service, roles, claims)).collect();
    lend_names(signatures, &mut rows);
    rows
}

/// Names are the server's, whoever asks: a host that is given a product's role asks by the product's own row, though its document writes the names beside the
/// row that is anybody's (ARYA from Elementi and from a browser).
fn lend_names(signatures: &Signatures, rows: &mut [Weighed]) {
    let row = |weighed: &Weighed| signatures.service(weighed.service);
    let Some(anybodys) = rows.iter().find(|row| row.named && row.fits() && row.ends[0] == Plays::Kind) else { return };
    let (level, lender) = (anybodys.level, row(anybodys));
    if rows.iter().any(|own| own.named && own.fits() && own.ends[0] == Plays::Given) {
        return;
    }
    let alike = |own: &Weighed| row(own).document == lender.document && row(own).server.iter().any(|role| lender.server.contains(role));
    for own in rows.iter_mut().filter(|own| own.fits() && own.level == level && own.ends[0] == Plays::Given && alike(own)) {
        own.named = true;
    }
}

/// Rows that the flow's port, announcement, names, protocol or roles lead to, in document order.
fn touching(case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>, claims: &Claims, told: bool) -> SmallVec<[ServiceId; 16]> {
    let mut rows: SmallVec<[ServiceId; 16]> = SmallVec::new();
    if told || may_be_by_port(case, claims) {
        rows.extend(signatures.at(case.identified.flow.transport, case.port()));
    }
    rows.extend(roles.site().moved_to(case.port()));
    rows.extend(case.announced.iter().flat_map(|promise| signatures.learned(promise.kind)).copied());
    rows.extend(case.names[1].iter().flat_map(|named| signatures.named(&named.name)));
    let telling = case.identified.protocol.iter().filter(|protocol| claims.is_distinctive(protocol));
    rows.extend(telling.flat_map(|protocol| signatures.speaking(protocol)).copied());
    let played = case.given.iter().flatten().flat_map(|role| signatures.of_role(*role)).copied();
    rows.extend(played.filter(|id| signatures.services[id.0 as usize].ports.is_empty()));
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// Whether a row may touch a flow between hosts of which nothing is known, though no name leads to one: what [`touching`] finds then, or more.
pub(super) fn may_touch(identified: &Identified, signatures: &Signatures, claims: &Claims, site: &Site) -> bool {
    let (transport, port) = (identified.flow.transport, identified.flow.server.endpoint.port);
    let tells = |protocol: &&str| is_of_one_product(protocol) || claims.is_distinctive(protocol) && !signatures.speaking(protocol).is_empty();
    claims.alone(transport, port).is_some() || identified.protocol.iter().any(tells) || site.moved_to(port).next().is_some()
}

/// Whether a row can be the flow's, or be broken by it, for its port and what is spoken there: most flows of an ordinary network go to ports that five rows
/// share, between hosts of which nothing is known. See [`Weighed::is_grounded`]; rows that a name leads to are found by it.
fn may_be_by_port(case: &Case<'_>, claims: &Claims) -> bool {
    case.given.iter().any(|given| !given.is_empty())
        || case.announced.is_some()
        || claims.alone(case.identified.flow.transport, case.port()).is_some()
        || case.identified.protocol.iter().any(|protocol| is_of_one_product(protocol))
}

fn weigh_one(case: &Case<'_>, id: ServiceId, service: &Service, roles: &Roles<'_>, claims: &Claims) -> Option<Weighed> {
    let flow = &case.identified.flow;
    if !service.transports.is_empty() && !service.transports.contains(&flow.transport) {
        return None;
    }
    let named = case.server_name_fits(&service.hosts, false);
    let broadly_named = !named && case.server_name_fits(&service.hosts, true);
    let ends = ends(case, service, roles, named || broadly_named);
    let moved = roles.site().ports_of(id, case.ip(Side::Server), &case.given[1]);
    let ports = moved.unwrap_or(&service.ports);
    let mut misses = Vec::new();
    let (mut level, width) = place(case, service, ports, claims, ends, named || broadly_named, &mut misses)?;
    let path = path_depth(case, service, &mut misses);
    // The root path holds everything and tells nothing.
    if let (Some(1..), Level::Port | Level::Range) = (path, level) {
        level = Level::PortPath;
    }
    if !misses.contains(&Miss::Port) {
        content_misses(case, service, &mut misses);
    }
    if !service.hosts.is_empty() && !case.names[1].is_empty() && !named && !broadly_named {
        misses.push(Miss::Name);
    }
    role_misses(case, service, roles, ends, level, &mut misses);
    misses.sort_unstable();
    misses.dedup();
    let basis = service.port_basis(flow.transport, case.port()).unwrap_or(service.basis);
    let claimed = moved.is_some_and(|ports| range_of(ports, case.port()).is_some()) || claims.alone(flow.transport, case.port()) == Some(service.document);
    let (path, moved) = (path.unwrap_or(0), moved.is_some());
    let for_names = !service.hosts.is_empty();
    let kin = ends == [Plays::Kind; 2] && roles.has_product_of(&case.given[0], service.document);
    Some(Weighed { service: id, level, ends, named, broadly_named, for_names, path, width, basis, claimed, kin, moved, misses })
}

/// By what the row touches the flow, and how many ports it spans; none where it does not touch it.
fn place(
    case: &Case<'_>,
    service: &Service,
    ports: &[PortRange],
    claims: &Claims,
    ends: [Plays; 2],
    named: bool,
    misses: &mut Vec<Miss>,
) -> Option<(Level, u32)> {
    let flow = &case.identified.flow;
    let range = range_of(ports, case.port());
    let clients_fit = service.client_ports.is_empty() || service.client_ports.iter().any(|range| range.contains(flow.client.endpoint.port));
    let width = range.map_or(u32::MAX, |range| range.width());
    let distinctive = speaks_own_protocol(case, service, claims);
    let announced = case.announced.filter(|promise| service.learned_from.contains(&promise.kind));
    if announced.is_some_and(|promise| !promise.is_hidden()) {
        if range.is_none() && must_be_announced(service) && !service.ports.is_empty() {
            misses.push(Miss::OutsideAnnouncedRange);
        }
        return Some((Level::Announced, width));
    }
    if range.is_some() && clients_fit {
        if must_be_announced(service) && announced.is_none() {
            misses.push(Miss::NotAnnounced);
        }
        let by_port = if width == 1 { Level::Port } else { Level::Range };
        return Some((if distinctive { Level::Content } else { by_port }, width));
    }
    let portless = is_portless(service);
    // A row with names and no port is known by a name alone.
    let by_protocol = portless
        && service.hosts.is_empty()
        && !service.protocols.is_empty()
        && accepts_all(service, &case.identified.protocol)
        && ends.contains(&Plays::Given);
    if portless && (named || by_protocol || is_its_transport(case, service, ends)) {
        return Some((Level::Name, width));
    }
    // The port may have been told before the capture began, and the row names none that the bytes would miss.
    if service.ports.is_empty() && !must_be_announced(service) && ends.contains(&Plays::Given) && is_called_so(case, service) {
        return Some((Level::Name, width));
    }
    // Content away from its port, or a name on another port: not this row, but the nearest thing to say.
    (distinctive || (named && !service.ports.is_empty())).then(|| {
        misses.push(Miss::Port);
        (Level::Name, width)
    })
}

/// Whether the document's own word for what the row speaks is what the flow speaks innermost, and says more than that of a carrier.
fn is_called_so(case: &Case<'_>, service: &Service) -> bool {
    case.identified.protocol.last().is_some_and(|seen| !CARRIERS.contains(seen) && *seen != "http" && words_of(service).any(|word| word == *seen))
}

/// Whether a transport without ports, such as ICMP, is all that the row says of its traffic, between the right hosts.
fn is_its_transport(case: &Case<'_>, service: &Service, ends: [Plays; 2]) -> bool {
    let transport = case.identified.flow.transport;
    let says_no_more = service.hosts.is_empty() && service.protocols.is_empty();
    says_no_more && !transport.has_ports() && service.transports.contains(&transport) && ends.contains(&Plays::Given) && !ends.contains(&Plays::Refused)
}

/// Whether the document names no port for the row, nor says where it is learned.
fn is_portless(service: &Service) -> bool {
    service.ports.is_empty() && service.learned_from.is_empty()
}

/// Whether a flow of the row is always announced: media and FTP data have no port of their own. Other announcements only offer another port.
fn must_be_announced(service: &Service) -> bool {
    !service.learned_from.is_empty() && service.learned_from.iter().all(|kind| kind.takes_a_new_port())
}

/// Whether the flow speaks what the row's document alone speaks, and this row too.
fn speaks_own_protocol(case: &Case<'_>, service: &Service, claims: &Claims) -> bool {
    case.identified.protocol.iter().any(|seen| claims.is_distinctive(seen) && words_of(service).any(|word| word == *seen))
}

/// Segments of the longest of the row's paths that a request fits; none where the row has none or no request was seen.
fn path_depth(case: &Case<'_>, service: &Service, misses: &mut Vec<Miss>) -> Option<usize> {
    if service.paths.is_empty() || case.paths().next().is_none() {
        return None;
    }
    let depth = case.paths().filter_map(|path| service.path_depth(path)).max();
    if depth.is_none() {
        misses.push(Miss::Path);
    }
    depth
}

/// Whether one of the row's stacks was seen whole.
fn accepts_all(service: &Service, seen: &[&str]) -> bool {
    service.protocols.iter().any(|stack| stack.len() <= seen.len() && stack.iter().zip(seen).all(|(ours, theirs)| ours == theirs))
}

fn content_misses(case: &Case<'_>, service: &Service, misses: &mut Vec<Miss>) {
    let seen = case.identified.protocol.as_slice();
    let Some(outermost) = seen.first() else { return };
    if is_foreign(service, outermost) {
        misses.push(Miss::Protocol);
    }
    if service.accepts(seen) {
        return;
    }
    let clear = service.encrypted == Some(true) && !ENCRYPTED.contains(outermost);
    if clear {
        misses.push(Miss::NotEncrypted);
    }
    if service.encrypted != Some(true) && CARRIERS.contains(outermost) {
        misses.push(Miss::UnexpectedlyEncrypted);
    } else if !clear || !seen.iter().any(|inner| is_the_inside_of(service, inner)) {
        misses.push(Miss::Protocol);
    }
}

/// Whether the bytes are another product's protocol where the row's own has no published format. What products build their own protocols upon tells
/// nothing, nor does what an announcement leads to (a file may hold anything), nor a row that has a port of general use beside its own.
fn is_foreign(service: &Service, outermost: &str) -> bool {
    let beside = || service.ports.len() > 1 && service.ports.iter().any(|range| service.transports.iter().any(|transport| is_common(*transport, range.low)));
    let known = BUILT_UPON.contains(&outermost) || words_of(service).any(|word| word == outermost);
    service.protocols.is_empty() && !service.ports.is_empty() && service.learned_from.is_empty() && !known && !beside()
}

/// Whether the protocol is what the row has inside its encryption, by its stacks or by the document's own word (`HTTPS` holds `http`). Where neither
/// names anything (`secure communication`), any may be.
fn is_the_inside_of(service: &Service, seen: &str) -> bool {
    let inner = service.protocols.iter().flat_map(|stack| stack.iter().skip(1)).cloned();
    let mut named = inner.chain(words_of(service)).filter(|word| !CARRIERS.contains(&word.as_str())).peekable();
    named.peek().is_none() || named.any(|word| word == seen)
}

fn ends(case: &Case<'_>, service: &Service, roles: &Roles<'_>, named: bool) -> [Plays; 2] {
    let server_ip = case.ip(Side::Server);
    // What was asked of a group is answered by a host: of such a flow only the answer is there.
    let answer = service.direction == Direction::Discovery && case.identified.flow.client.packets == 0;
    let there = answer || is_addressed(service, server_ip);
    let server = if there { roles.plays(server_ip, &case.given[1], &service.server, named) } else { Plays::Refused };
    [roles.plays(case.ip(Side::Client), &case.given[0], &service.client, false), server]
}

/// Whether the row may mean a server at that address: one of those it names, any where it names none. The directed broadcast of a subnet is a broadcast
/// as well as the limited one that documents name.
fn is_addressed(service: &Service, ip: IpAddr) -> bool {
    let is_meant = |address: &IpAddr| *address == ip || is_broadcast(*address) && is_broadcast(ip);
    service.addresses.is_empty() || service.addresses.iter().any(is_meant)
}

fn role_misses(case: &Case<'_>, service: &Service, roles: &Roles<'_>, ends: [Plays; 2], level: Level, misses: &mut Vec<Miss>) {
    if left_the_lan(case, service, roles) {
        misses.push(Miss::LeftTheLan);
        return;
    }
    // Where the row would have to assume a product on one end, but turned round the site knows one of its ends, it is the direction that is wrong.
    if ends.contains(&Plays::Given) && !ends.contains(&Plays::Refused) || ends.iter().all(|plays| *plays == Plays::Kind) {
        return;
    }
    let swapped = [
        roles.plays(case.ip(Side::Server), &case.given[1], &service.client, false),
        roles.plays(case.ip(Side::Client), &case.given[0], &service.server, false),
    ];
    // A row that is for one address only cannot be turned round to another.
    let turns = is_addressed(service, case.ip(Side::Client));
    // A host of the product that asks a web server of which nothing is known, or one outside on a port that everybody uses, asks for that server's
    // service, and does not open its own the wrong way round, unless the bytes are the product's.
    let (transport, server) = (case.identified.flow.transport, case.ip(Side::Server));
    let foreign = case.given[1].is_empty() && level != Level::Content;
    let another = foreign && (is_web(transport, case.port()) || is_common(transport, case.port()) && !roles.site().is_local(server));
    if turns && !swapped.contains(&Plays::Refused) && swapped.contains(&Plays::Given) {
        if service.direction != Direction::Unknown {
            misses.push(if another { Miss::Role } else { Miss::Direction });
        }
        return;
    }
    if !ends.contains(&Plays::Refused) {
        return;
    }
    misses.push(Miss::Role);
}

/// A broadcast protocol to a single host, or discovery to or from an address outside or in another segment.
fn left_the_lan(case: &Case<'_>, service: &Service, roles: &Roles<'_>) -> bool {
    if service.direction != Direction::Discovery {
        return false;
    }
    let (client, server) = (case.ip(Side::Client), case.ip(Side::Server));
    let broadcast_only = !service.addresses.is_empty() && service.addresses.iter().all(|address| is_broadcast(*address));
    let single = !is_group(server);
    let site = roles.site();
    // Hosts of an IPv6 LAN have public addresses, and those of some IPv4 LANs send to groups: an address tells nothing then, unless the site says what is local.
    let telling = single && client.is_ipv4() || !site.local.is_empty();
    (single && (broadcast_only || site.is_between_segments(client, server))) || telling && (single && !site.is_local(server) || !site.is_local(client))
}

/// Whether the port alone says nothing about who is behind it.
pub(super) fn needs_role(case: &Case<'_>) -> bool {
    is_common(case.identified.flow.transport, case.port())
}

/// Where ports begin that hosts pick for their own use (Linux; IANA begins at 49152): a number up there counts only for a certain server.
const EPHEMERAL_FROM: u16 = 32_768;
/// Protocols that carry another one encrypted.
const CARRIERS: &[&str] = &["tls", "dtls", "quic"];
/// Protocols that products carry their own ones in.
#[rustfmt::skip]
const BUILT_UPON: &[&str] = &[
    "dcerpc", "dotnet_remoting", "dtls", "http", "java_rmi", "jsonrpc", "mpegts", "net_tcp", "quic", "rtcp", "rtp", "soap", "tls", "websocket",
];
/// Protocols whose bytes are encrypted, by themselves or as carriers.
const ENCRYPTED: &[&str] = &["tls", "dtls", "quic", "ssh", "wireguard", "openvpn", "ike", "esp"];
