//! What hosts show of themselves: roles by the marks that documents give, and the versions of their products.
//!
//! Learned from flows as they end, a while before they are judged. Only a mark that nobody else can show, at a host inside that does not hand on what others show, gives a
//! role that a flow is judged by; everything else is told and no more.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::capture::FrameId;
use crate::identify::{Fact, Identified, NameSource};
use crate::judge::Confidence;
use crate::judge::claim::Claims;
use crate::judge::memory::Remembered;
use crate::judge::version::compare;
use crate::judge::visibility::took_part;
use crate::limit;
use crate::net::{Mac, Side, is_group};
use crate::signature::{Mark, MarkKind, Role, RoleId, RoleKind, Service, Signatures};
use crate::time::Timestamp;

/// A role that a host shows to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The role.
    pub role: RoleId,
    /// Where it shows: a kind of mark (`mac_prefix`, `http_header` ...), or `serves` for a documented row that it answers on.
    pub by: &'static str,
    /// What was seen there.
    pub what: String,
    /// How sure that makes the role.
    pub confidence: Confidence,
    /// Whether flows are judged by it.
    pub counts: bool,
    /// Version of the product, where it tells it.
    pub version: Option<String>,
    /// Where it was first seen.
    pub frame: FrameId,
}

/// What all hosts were seen to show.
#[derive(Clone, Debug)]
pub(super) struct Showing<'a> {
    marks: Vec<(RoleId, &'a Mark)>,
    /// Places of the marks that are protocols, and of those that are what software says.
    spoken: Vec<usize>,
    software: Vec<usize>,
    prefixes: HashMap<[u8; 3], usize, RandomState>,
    hosts: Remembered<IpAddr, Host>,
    /// Hosts that were given by others what a mark shows: proxies hand it on.
    receivers: Remembered<IpAddr, ()>,
    /// Marks beyond those kept of one host.
    beyond: u64,
}

/// By the mark's place, or the role served.
type Key = (RoleId, Option<usize>);

type Host = BTreeMap<Key, Seen>;

#[derive(Clone, Debug)]
struct Seen {
    what: String,
    version: Option<String>,
    first: (Timestamp, FrameId),
}

impl<'a> Showing<'a> {
    /// Of `products`, vendors whose documents apply, the marks alone; of all where none is named.
    pub(super) fn new(signatures: &'a Signatures, products: &[String]) -> Self {
        let applies = |role: &Role| products.is_empty() || products.contains(&signatures.document(role.document).vendor);
        let roles = (0..).map(RoleId).zip(&signatures.roles).filter(|(_, role)| applies(role));
        let marks: Vec<_> = roles.flat_map(|(id, role)| role.marks.iter().map(move |mark| (id, mark))).collect();
        let prefix =
            |(at, (_, mark)): (usize, &(RoleId, &Mark))| prefix_of(&mark.pattern).filter(|_| mark.kind == MarkKind::MacPrefix).map(|prefix| (prefix, at));
        let prefixes = marks.iter().enumerate().filter_map(prefix).collect();
        let of_kinds = |kinds: &[MarkKind]| (0..marks.len()).filter(|at| kinds.contains(&marks[*at].1.kind)).collect();
        let (spoken, software) = (of_kinds(&[MarkKind::Speaks]), of_kinds(&[MarkKind::HttpHeader, MarkKind::Software]));
        Self { marks, spoken, software, prefixes, hosts: Remembered::new(limit::HOSTS_SHOWN), receivers: Remembered::new(limit::HOSTS_SHOWN), beyond: 0 }
    }

    /// Enters what a flow shows of its ends.
    pub(super) fn learn(&mut self, identified: &Identified, signatures: &Signatures, claims: &Claims) {
        let flow = &identified.flow;
        for end in [&flow.client, &flow.server] {
            if let Some((mac, at)) = end.mac.and_then(|mac| Some((mac, self.prefix(mac)?))) {
                self.enter_mark(end.endpoint.ip, at, mac.to_string(), None, identified);
            }
        }
        if self.marks.is_empty() && identified.protocol.is_empty() {
            return;
        }
        for fact in &identified.facts {
            self.fact(fact, identified);
        }
        self.spoken(identified);
        self.served(identified, signatures, claims);
    }

    fn fact(&mut self, fact: &Fact, identified: &Identified) {
        let flow = &identified.flow;
        let end = |side: Side| if side == Side::Client { flow.client.endpoint.ip } else { flow.server.endpoint.ip };
        match fact {
            Fact::Software { of, text } => self.software(end(*of), end(of.other()), text, identified),
            Fact::Name { of, name, source } => {
                let kinds: &[MarkKind] = match source {
                    NameSource::Mdns => &[MarkKind::MdnsName, MarkKind::HostName],
                    NameSource::Llmnr | NameSource::Netbios | NameSource::Dhcp => &[MarkKind::HostName],
                    NameSource::Certificate => &[MarkKind::CertificateName],
                    _ => return,
                };
                self.look(end(*of), kinds, name, identified);
            }
            Fact::Offers { of, service } => self.look(end(*of), &[MarkKind::MdnsName], service, identified),
            _ => {}
        }
    }

    /// What an end says that it is; a header field of its own begins with its name.
    fn software(&mut self, host: IpAddr, told: IpAddr, text: &str, identified: &Identified) {
        let (header, value) = text.split_once(' ').unwrap_or((text, ""));
        let lower = text.to_lowercase();
        for nth in 0..self.software.len() {
            let at = self.software[nth];
            let mark = self.marks[at].1;
            match mark.kind {
                MarkKind::HttpHeader if mark.fits(header) => {
                    self.receivers.meet(told);
                    self.enter_mark(host, at, text.to_owned(), mark.version_in(value), identified);
                }
                MarkKind::Software if mark.fits(&lower) => self.enter_mark(host, at, text.to_owned(), mark.version_in(text), identified),
                _ => {}
            }
        }
    }

    fn look(&mut self, host: IpAddr, kinds: &[MarkKind], seen: &str, identified: &Identified) {
        for at in 0..self.marks.len() {
            let mark = self.marks[at].1;
            if kinds.contains(&mark.kind) && mark.fits(seen) {
                self.enter_mark(host, at, seen.to_owned(), mark.version_in(seen), identified);
            }
        }
    }

    /// Protocols that one product alone speaks, at each end that took part.
    fn spoken(&mut self, identified: &Identified) {
        let flow = &identified.flow;
        for nth in 0..self.spoken.len() {
            let at = self.spoken[nth];
            let mark = self.marks[at].1;
            if !identified.protocol.iter().any(|name| mark.fits(name)) {
                continue;
            }
            for end in [&flow.client, &flow.server].into_iter().filter(|end| end.payload_bytes > 0) {
                self.enter_mark(end.endpoint.ip, at, mark.pattern.clone(), None, identified);
            }
        }
    }

    /// A row that its document alone claims, answered with what it documents: a hint that the server is what the row says. Where several of its roles
    /// may stand there, it tells none.
    fn served(&mut self, identified: &Identified, signatures: &Signatures, claims: &Claims) {
        let flow = &identified.flow;
        let (place, seen) = (flow.server.endpoint, identified.protocol.as_slice());
        let Some(document) = claims.alone(flow.transport, place.port).filter(|_| !seen.is_empty() && took_part(flow)) else { return };
        let rows = signatures.at(flow.transport, place.port).map(|id| signatures.service(id));
        let fits = |row: &&Service| row.document == document && !row.protocols.is_empty() && row.accepts(seen);
        let is_product = |role: &RoleId| signatures.role(*role).kind == RoleKind::Product;
        let mut told: Option<(RoleId, &Service)> = None;
        for row in rows.filter(fits) {
            let [role] = row.server.as_slice() else { return };
            if !is_product(role) || told.is_some_and(|(known, _)| known != *role) {
                return;
            }
            told = told.or(Some((*role, row)));
        }
        if let Some((role, row)) = told {
            self.enter(place.ip, (role, None), format!("{} on port {}", row.id, place.port), None, identified);
        }
    }

    fn enter_mark(&mut self, host: IpAddr, at: usize, what: String, version: Option<&str>, identified: &Identified) {
        let role = self.marks[at].0;
        self.enter(host, (role, Some(at)), what, version, identified);
    }

    /// The first sight of each mark stays; of versions the highest, as a product may be brought up to date.
    fn enter(&mut self, ip: IpAddr, key: Key, what: String, version: Option<&str>, identified: &Identified) {
        if is_group(ip) || ip.is_unspecified() {
            return;
        }
        let first = (identified.flow.first, identified.flow.first_frame);
        let host = self.hosts.meet(ip);
        let known = host.entry(key).or_insert_with(|| Seen { what: what.clone(), version: None, first });
        if first < known.first {
            (known.what, known.first) = (what, first);
        }
        if let Some(version) = version
            && known.version.as_deref().is_none_or(|known| compare(known, version).then(known.cmp(version)).is_lt())
        {
            known.version = Some(version.to_owned());
        }
        if host.len() > limit::MARKS_OF_A_HOST {
            host.pop_last();
            self.beyond += 1;
        }
    }

    /// All that the host shows, in the order of the documents. `inside`: whether the host is.
    pub(super) fn of(&self, ip: IpAddr, inside: bool) -> Vec<Shown> {
        let Some(host) = self.hosts.get(&ip) else { return Vec::new() };
        let shown = |((role, at), seen): (&Key, &Seen)| {
            let mark = at.and_then(|at| self.marks.get(at)).map(|(_, mark)| *mark);
            let handed_on = mark.is_some_and(|mark| self.is_handed_on(ip, mark));
            let counts = inside && at.is_some_and(|at| self.counts(ip, at));
            let confidence = match mark {
                _ if counts => Confidence::High,
                Some(_) if !handed_on => Confidence::Medium,
                _ => Confidence::Low,
            };
            let by = mark.map_or("serves", |mark| mark.kind.name());
            Shown { role: *role, by, what: seen.what.clone(), confidence, counts, version: seen.version.clone(), frame: seen.first.1 }
        };
        host.iter().map(shown).collect()
    }

    /// Whether the mark makes a host inside what it shows.
    fn counts(&self, ip: IpAddr, at: usize) -> bool {
        self.marks.get(at).is_some_and(|(_, mark)| mark.certain && !self.is_handed_on(ip, mark))
    }

    fn is_handed_on(&self, ip: IpAddr, mark: &Mark) -> bool {
        mark.kind == MarkKind::HttpHeader && self.receivers.has(&ip)
    }

    /// The roles that a host's flows are judged by. `inside`: whether the host is.
    pub(super) fn roles(&self, ip: IpAddr, inside: bool) -> Vec<RoleId> {
        let Some(host) = self.hosts.get(&ip).filter(|_| inside) else { return Vec::new() };
        let mut roles: Vec<RoleId> = host.keys().filter(|(_, at)| at.is_some_and(|at| self.counts(ip, at))).map(|(role, _)| *role).collect();
        roles.dedup();
        roles
    }

    /// The same of a host that has no address yet and shows its hardware address.
    pub(super) fn roles_of_mac(&self, mac: Option<Mac>) -> Vec<RoleId> {
        let at = mac.and_then(|mac| self.prefix(mac));
        at.and_then(|at| self.marks.get(at)).filter(|(_, mark)| mark.certain).map(|(role, _)| *role).into_iter().collect()
    }

    /// The version of the product of that role at that host, where it shows one itself.
    pub(super) fn version(&self, ip: IpAddr, role: RoleId) -> Option<&str> {
        let host = self.hosts.get(&ip).filter(|_| !self.receivers.has(&ip))?;
        let versions = host.iter().filter(|((of, _), _)| *of == role).filter_map(|(_, seen)| seen.version.as_deref());
        versions.max_by(|one, other| compare(one, other).then(one.cmp(other)))
    }

    /// Hosts that showed a role which counts, in order of address.
    pub(super) fn counting(&self, inside: impl Fn(IpAddr) -> bool) -> Vec<(IpAddr, Shown)> {
        let mut hosts: Vec<IpAddr> = self.hosts.keys().copied().filter(|ip| inside(*ip)).collect();
        hosts.sort_unstable();
        hosts.into_iter().filter_map(|ip| self.of(ip, true).into_iter().find(|shown| shown.counts).map(|shown| (ip, shown))).collect()
    }

    /// What found no room.
    pub(super) fn forgotten(&self) -> u64 {
        self.hosts.forgotten() + self.receivers.forgotten() + self.beyond
    }

    fn prefix(&self, mac: Mac) -> Option<usize> {
        if self.prefixes.is_empty() {
            return None;
        }
        let [a, b, c, ..] = mac.0;
        self.prefixes.get(&[a, b, c]).copied()
    }
}

/// Three octets, as `00:1d:50`.
fn prefix_of(pattern: &str) -> Option<[u8; 3]> {
    let octets: Vec<u8> = pattern.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect::<Option<_>>()?;
    octets.try_into().ok()
}
