//! What this tap can see: which hosts were heard and reached, whether answers can be seen at all, how much the capture lost.
//!
//! Learned over all flows before the first is judged. Nothing is called unanswered where its answer could not have been seen.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use serde::Serialize;

use crate::decode::VlanStack;
use crate::flow::Flow;
use crate::identify::Identified;
use crate::limit;
use crate::net::{Endpoint, Transport, is_group, is_private};
use crate::time::Timestamp;

/// What this tap can see, for the report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Visibility {
    /// Flows in which both ends were heard.
    pub two_way: u64,
    /// Flows between single hosts in which one end alone was heard.
    pub one_way: u64,
    /// Flows whose opener went on as if answered, though no answer was captured: proof that answers pass elsewhere.
    pub unseen_answers: u64,
    /// TCP bytes that were acknowledged, and how many of them were never captured.
    pub acknowledged_bytes: u64,
    /// See above.
    pub missed_bytes: u64,
    /// Hosts whose answers demonstrably passed elsewhere and that were never heard, in order of address.
    pub unheard: Vec<IpAddr>,
    /// What found no room in memory at a bound: hosts, ends and pairs that were not remembered.
    pub forgotten: u64,
}

impl Visibility {
    /// Share of acknowledged bytes that were never captured, in parts per thousand.
    pub fn loss_per_mille(&self) -> u64 {
        self.missed_bytes.saturating_mul(1000).checked_div(self.acknowledged_bytes).unwrap_or(0)
    }
}

/// Whether an answer would have been seen here. Ordered: later is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// Answers demonstrably pass elsewhere.
    Blind,
    /// Nothing shows it either way.
    Open,
    /// Answers of the same kind to other hosts were seen at this capture point.
    Likely,
    /// The server, or somebody beside it, was heard by this very client.
    Shown,
}

/// Where a flow was captured: interface and VLANs.
type Point = (u32, VlanStack);

/// A client and what it wanted.
type Pair = (IpAddr, Transport, Endpoint);

/// What was learned of all flows. Looked up by key only: what the report lists is put in order first.
#[derive(Debug, Default)]
pub(super) struct Seen {
    summary: Visibility,
    /// Hosts that sent something, by capture point.
    heard: HashSet<(Point, IpAddr), RandomState>,
    /// Hosts that received something, by capture point and whether it came from outside.
    reached: HashSet<(Point, IpAddr, bool), RandomState>,
    /// Capture points at which something was received from inside, from outside.
    points: HashMap<Point, [u64; 2], RandomState>,
    /// Servers whose answers passed elsewhere.
    unseen: HashSet<(Point, IpAddr), RandomState>,
    /// Servers that answered, by transport and port.
    servers: HashSet<(Transport, Endpoint), RandomState>,
    /// Of each host the two lowest ports on which it answered, by transport; equal where there is but one.
    answering: HashMap<(Transport, IpAddr), [u16; 2], RandomState>,
    /// Pairs that worked at least once, and whether the server said something then.
    worked: HashMap<Pair, bool, RandomState>,
    /// Flows of a pair without any answer.
    unanswered: HashMap<Pair, u32, RandomState>,
    /// Ends with the hosts that opened flows to them: the first, and whether there was another.
    fan_in: HashMap<(Transport, Endpoint), Openers, RandomState>,
    /// Lowest and highest time to live of what hosts sent by TCP besides resets: a forged reset is held against it.
    hops: HashMap<IpAddr, (u8, u8), RandomState>,
    /// Unanswered targets of a source, and how many of its flows were answered.
    probes: HashMap<IpAddr, Probes, RandomState>,
    /// Time of the last packet of all.
    end: Option<Timestamp>,
}

/// The first host that opened a flow there, and whether there was another.
type Openers = (IpAddr, bool);

/// Unanswered targets (host and port), and how many flows were answered.
type Probes = (BTreeSet<(IpAddr, u16)>, u64);

impl Seen {
    /// Enters one flow.
    pub(super) fn learn(&mut self, identified: &Identified) {
        let flow = &identified.flow;
        self.end = self.end.max(Some(flow.last));
        let point = point(flow);
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        for (sender, receiver) in [(&flow.client, server.ip), (&flow.server, client.ip)] {
            if sender.packets > 0 {
                self.packets(point, sender.endpoint.ip, receiver);
            }
        }
        self.count(flow, point);
        if !is_group(server.ip) {
            self.pair(flow);
        }
        if flow.direction == crate::flow::Direction::Certain {
            self.opened(flow);
        }
    }

    fn packets(&mut self, point: Point, sender: IpAddr, receiver: IpAddr) {
        let outside = !is_private(sender);
        if let Some(count) = self.points.entry(point).or_default().get_mut(usize::from(outside)) {
            *count = count.saturating_add(1);
        }
        let room = self.heard.len().max(self.reached.len()) < limit::HOSTS_REMEMBERED;
        if room {
            self.heard.insert((point, sender));
            if !is_group(receiver) {
                self.reached.insert((point, receiver, outside));
            }
        } else {
            self.summary.forgotten += 1;
        }
    }

    fn count(&mut self, flow: &Flow, point: Point) {
        if is_group(flow.server.endpoint.ip) {
            return;
        }
        match flow.client.packets > 0 && flow.server.packets > 0 {
            true => self.summary.two_way += 1,
            false => self.summary.one_way += 1,
        }
        if went_on_unanswered(flow) {
            self.summary.unseen_answers += 1;
            self.unseen.insert((point, flow.server.endpoint.ip));
        }
        if flow.client.packets > 0 && flow.server.packets > 0 {
            self.loss(flow);
        }
    }

    /// Of flows seen both ways only: where one side is not mirrored at all, that is no loss. A gap is never more than what was acknowledged, whatever
    /// broken sequence numbers say.
    fn loss(&mut self, flow: &Flow) {
        let Some(tcp) = &flow.tcp else { return };
        for (acknowledged, missed) in tcp.acknowledged.into_iter().zip(tcp.missed_bytes) {
            self.summary.acknowledged_bytes = self.summary.acknowledged_bytes.saturating_add(acknowledged);
            self.summary.missed_bytes = self.summary.missed_bytes.saturating_add(missed.min(acknowledged));
        }
    }

    fn pair(&mut self, flow: &Flow) {
        if self.worked.len() + self.unanswered.len() >= limit::PAIRS_REMEMBERED {
            self.summary.forgotten += 1;
            return;
        }
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let pair = (client.ip, flow.transport, server);
        if took_part(flow) {
            *self.worked.entry(pair).or_default() |= flow.server.payload_bytes > 0;
            if self.servers.insert((flow.transport, server)) {
                self.answers_on(flow.transport, server);
            }
            self.probes.entry(client.ip).or_default().1 += 1;
        } else {
            let count = self.unanswered.entry(pair).or_default();
            *count = count.saturating_add(1);
            let targets = &mut self.probes.entry(client.ip).or_default().0;
            if targets.len() < limit::TARGETS_REMEMBERED {
                targets.insert((server.ip, server.port));
            }
        }
        let ranges = flow.tcp.as_ref().map_or([None, None], |tcp| tcp.ttl);
        for (end, range) in [&flow.client, &flow.server].into_iter().zip(ranges) {
            if let Some((lowest, highest)) = range {
                let (low, high) = self.hops.entry(end.endpoint.ip).or_insert((lowest, highest));
                (*low, *high) = ((*low).min(lowest), (*high).max(highest));
            }
        }
    }

    fn answers_on(&mut self, transport: Transport, server: Endpoint) {
        let port = server.port;
        let ports = self.answering.entry((transport, server.ip)).or_insert([port; 2]);
        let [low, high] = *ports;
        *ports = match (low == high, port < low) {
            _ if port == low => return,
            (_, true) => [port, low],
            (true, false) => [low, port],
            (false, false) => [low, high.min(port)],
        };
    }

    fn opened(&mut self, flow: &Flow) {
        let key = (flow.transport, flow.server.endpoint);
        let client = flow.client.endpoint.ip;
        if self.fan_in.len() < limit::PAIRS_REMEMBERED || self.fan_in.contains_key(&key) {
            let (first, more) = self.fan_in.entry(key).or_insert((client, false));
            *more |= *first != client;
        }
    }

    /// Whether an answer of the flow's server to its client would have been seen where the flow was captured.
    pub(super) fn sight(&self, flow: &Flow) -> Sight {
        let point = point(flow);
        let (client, server) = (flow.client.endpoint.ip, flow.server.endpoint.ip);
        let heard = self.heard.contains(&(point, server));
        if self.unseen.contains(&(point, server)) {
            return if heard { Sight::Open } else { Sight::Blind };
        }
        let outside = !is_private(server);
        if heard || self.reached.contains(&(point, client, outside)) {
            return Sight::Shown;
        }
        let from_there = self.points.get(&point).and_then(|counts| counts.get(usize::from(outside))).copied().unwrap_or(0);
        match from_there {
            1.. => Sight::Likely,
            0 if self.summary.two_way == 0 && self.summary.unseen_answers > 0 => Sight::Blind,
            0 => Sight::Open,
        }
    }

    /// Whether this client reached this server and port at least once.
    pub(super) fn worked(&self, flow: &Flow) -> bool {
        self.worked.contains_key(&(flow.client.endpoint.ip, flow.transport, flow.server.endpoint))
    }

    /// Whether this server said something to this client on this port at least once.
    pub(super) fn talked(&self, flow: &Flow) -> bool {
        self.worked.get(&(flow.client.endpoint.ip, flow.transport, flow.server.endpoint)).is_some_and(|talked| *talked)
    }

    /// Flows of this client to this server and port that nothing answered, this one included.
    pub(super) fn unanswered(&self, flow: &Flow) -> u32 {
        self.unanswered.get(&(flow.client.endpoint.ip, flow.transport, flow.server.endpoint)).copied().unwrap_or(0)
    }

    /// A port other than the flow's on which its server answered.
    pub(super) fn other_port(&self, flow: &Flow) -> Option<(Transport, u16)> {
        let server = flow.server.endpoint;
        [Transport::TCP, Transport::UDP, Transport::SCTP].into_iter().find_map(|transport| {
            let ports = self.answering.get(&(transport, server.ip))?;
            ports.iter().map(|port| (transport, *port)).find(|place| *place != (flow.transport, server.port))
        })
    }

    /// Whether the end answered as a server, or was opened by two hosts or more.
    pub(super) fn is_server(&self, transport: Transport, end: Endpoint) -> bool {
        self.servers.contains(&(transport, end)) && self.fan_in.contains_key(&(transport, end))
            || self.fan_in.get(&(transport, end)).is_some_and(|(_, more)| *more)
    }

    /// Lowest and highest time to live of what the host sent by TCP besides resets.
    pub(super) fn hops(&self, host: IpAddr) -> Option<(u8, u8)> {
        self.hops.get(&host).copied()
    }

    /// Whether the source tried many targets and hardly any answered.
    pub(super) fn scans(&self, source: IpAddr) -> bool {
        self.probes.get(&source).is_some_and(|(targets, answered)| {
            let tried = targets.len() as u64;
            tried >= limit::SCAN_TARGETS as u64 && *answered < tried / 4
        })
    }

    /// Time of the last packet of the capture.
    pub(super) fn end(&self) -> Timestamp {
        self.end.unwrap_or_default()
    }

    /// For the report.
    pub(super) fn summary(&self) -> Visibility {
        let unseen: BTreeSet<IpAddr> = self.unseen.iter().map(|(_, host)| *host).collect();
        let is_heard = |host: &IpAddr| self.points.keys().any(|point| self.heard.contains(&(*point, *host)));
        Visibility { unheard: unseen.into_iter().filter(|host| !is_heard(host)).collect(), ..self.summary.clone() }
    }

    /// Share of acknowledged bytes that were never captured, in parts per thousand.
    pub(super) fn loss_per_mille(&self) -> u64 {
        self.summary.loss_per_mille()
    }
}

/// Whether the server took part: a SYN-ACK, or any packet that is no reset. A refusal is an answer of the path, not of the service.
pub(super) fn took_part(flow: &Flow) -> bool {
    match &flow.tcp {
        Some(tcp) => tcp.syn_acks > 0 || flow.server.payload_bytes > 0 || (tcp.midstream && flow.server.packets > u64::from(tcp.resets)),
        None => flow.server.packets > 0,
    }
}

/// Whether the client went on although no answer was captured: it acknowledged or sent data after its SYN. Only an answer makes it do so.
pub(super) fn went_on_unanswered(flow: &Flow) -> bool {
    // Letters A and D are an acknowledgment and data of the client's own; data on a SYN (RFC 7413) is neither.
    let one_sided = flow.client.packets > 0 && flow.server.packets == 0;
    one_sided && flow.tcp.as_ref().is_some_and(|tcp| tcp.syns > 0) && (flow.history.has('A') || flow.history.has('D'))
}

fn point(flow: &Flow) -> Point {
    (flow.interface, flow.vlan)
}
