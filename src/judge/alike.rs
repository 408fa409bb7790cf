//! Flows that are alike to the documents: their rows are weighed once, and the candidates put into words once.
//!
//! Most flows of a network go to a handful of ports, with the same protocol, between hosts of the same kind. The memory changes nothing that is told: its key,
//! [`Likeness`], holds all that weighing asks of a flow.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::flow::Direction;
use crate::judge::Candidate;
use crate::judge::candidate::{Case, Weighed};
use crate::judge::role::Roles;
use crate::limit::{KINDS_WEIGHED, PATHS_OF_A_KIND};
use crate::net::{Side, Transport, is_broadcast, is_group};
use crate::signature::{PortRange, RoleId, ServiceId, Signatures};

/// Rows that were considered for a flow, best first. Flows that are alike have one list.
#[derive(Clone, Debug, Default)]
pub struct Candidates(Option<Arc<List>>);

/// In cache lines of its own: the judge counts who has it, flow by flow, while another processor reads it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct List {
    rows: Vec<Candidate>,
    printed: OnceLock<Box<str>>,
}

impl Candidates {
    /// What a report makes of the list, made once.
    pub fn printed(&self, print: impl FnOnce(&[Candidate]) -> String) -> &str {
        self.0.as_ref().map_or("", |list| list.printed.get_or_init(|| print(&list.rows).into()))
    }
}

impl From<Vec<Candidate>> for Candidates {
    fn from(rows: Vec<Candidate>) -> Self {
        Self((!rows.is_empty()).then(|| Arc::new(List { rows, printed: OnceLock::new() })))
    }
}

impl Deref for Candidates {
    type Target = [Candidate];

    fn deref(&self) -> &[Candidate] {
        self.0.as_ref().map_or(&[], |list| &list.rows)
    }
}

/// How the rows that touch a flow were weighed.
#[derive(Debug)]
pub(super) struct Weighing {
    rows: Vec<Weighed>,
    candidates: Mutex<ByWinner>,
}

/// Candidates by the row that the flow was found to belong to: seldom more than one.
type ByWinner = SmallVec<[(Option<ServiceId>, Candidates); 1]>;

impl Weighing {
    /// The rows.
    pub(super) fn rows(&self) -> &[Weighed] {
        &self.rows
    }

    /// The candidates beside that row.
    pub(super) fn candidates(&self, winner: Option<ServiceId>, tell: impl FnOnce() -> Vec<Candidate>) -> Candidates {
        let mut known = self.candidates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, candidates)) = known.iter().find(|(row, _)| *row == winner) {
            return candidates.clone();
        }
        let candidates = Candidates::from(tell());
        known.push((winner, candidates.clone()));
        candidates
    }
}

/// The weighings of the kinds of flows met so far.
#[derive(Debug)]
pub(super) struct Alike {
    asked: Arc<Asked>,
    known: RwLock<HashMap<Likeness, Arc<Weighing>, RandomState>>,
}

/// A copy begins anew: nothing it tells depends on what was kept.
impl Clone for Alike {
    fn clone(&self) -> Self {
        Self { asked: Arc::clone(&self.asked), known: RwLock::default() }
    }
}

/// What documents and site ask of addresses and client ports one by one.
#[derive(Debug)]
struct Asked {
    addresses: HashSet<IpAddr, RandomState>,
    client_ports: Vec<PortRange>,
    /// The site tells addresses apart by more than what is inside: by segments, or by the hosts where rows were moved.
    each_address: bool,
}

impl Alike {
    pub(super) fn new(signatures: &Signatures, roles: &Roles<'_>) -> Self {
        let rows = || signatures.services.iter();
        let site = roles.site();
        let asked = Asked {
            addresses: rows().flat_map(|row| row.addresses.iter().copied()).collect(),
            client_ports: rows().flat_map(|row| row.client_ports.iter().copied()).collect(),
            each_address: !site.moved.is_empty() || site.places.iter().any(|place| place.is_segment),
        };
        Self { asked: Arc::new(asked), known: RwLock::default() }
    }

    /// How the rows were weighed that touch a flow like this; `weigh` does it where there was none. Of announced flows nothing is kept, as each has its own
    /// promise, nor of those that asked for much.
    pub(super) fn weighing(&self, case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>, weigh: impl FnOnce() -> Vec<Weighed>) -> Arc<Weighing> {
        let anew = || Arc::new(Weighing { rows: weigh(), candidates: Mutex::default() });
        if case.announced.is_some() || case.paths().map(str::len).sum::<usize>() > PATHS_OF_A_KIND {
            return anew();
        }
        let likeness = self.asked.likeness(case, signatures, roles);
        if let Some(weighing) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&likeness) {
            return Arc::clone(weighing);
        }
        let weighing = anew();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KINDS_WEIGHED {
            known.clear();
        }
        known.insert(likeness, Arc::clone(&weighing));
        weighing
    }
}

/// All that weighing asks of a flow that nothing announced, and putting its candidates into words.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Likeness {
    transport: Transport,
    port: u16,
    /// What is true of the flow, a bit each: one number is sooner hashed than many.
    flags: u32,
    /// Where a document asks for it.
    client_port: Option<u16>,
    protocol: SmallVec<[&'static str; 2]>,
    /// The addresses, where documents or site ask for one.
    ips: [Option<IpAddr>; 2],
    given: [SmallVec<[RoleId; 4]>; 2],
    /// Names of the server, where one of them leads to a row.
    names: Vec<String>,
    /// Paths that were asked for.
    paths: Vec<String>,
}

impl Asked {
    fn likeness(&self, case: &Case<'_>, signatures: &Signatures, roles: &Roles<'_>) -> Likeness {
        let flow = &case.identified.flow;
        let names = &case.names[1];
        let leads = names.iter().any(|named| !signatures.named(&named.name).is_empty());
        let client_port = flow.client.endpoint.port;
        let ips = [Side::Client, Side::Server].map(|side| case.ip(side));
        let of = |ip: IpAddr| [roles.site().is_local(ip), is_group(ip), is_broadcast(ip), ip.is_ipv4()];
        let only_answered = flow.client.packets == 0;
        let whole = [!names.is_empty(), flow.direction == Direction::Certain, case.is_unknown_content(), only_answered];
        let flags = [of(ips[0]), of(ips[1]), whole].into_iter().flatten().chain(case.by_itself);
        Likeness {
            transport: flow.transport,
            port: flow.server.endpoint.port,
            flags: flags.fold(0, |flags, flag| flags << 1 | u32::from(flag)),
            client_port: self.client_ports.iter().any(|range| range.contains(client_port)).then_some(client_port),
            protocol: SmallVec::from_slice(&case.identified.protocol),
            ips: ips.map(|ip| (self.each_address || self.addresses.contains(&ip)).then_some(ip)),
            given: [0, 1].map(|side: usize| SmallVec::from_slice(&case.given[side])),
            names: if leads { names.iter().map(|named| named.name.clone()).collect() } else { Vec::new() },
            paths: case.paths().map(str::to_owned).collect(),
        }
    }
}
