//! Who reached whom: what worked at another time, where a host answers, who tries in vain.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::flow::{Direction, Flow};
use crate::judge::memory::Remembered;
use crate::judge::visibility::took_part;
use crate::limit;
use crate::net::{Endpoint, Mac, Transport};

/// A client and what it wanted.
type Pair = (IpAddr, Transport, Endpoint);

/// The first host that opened a flow there, and whether there was another.
type Openers = (Option<IpAddr>, bool);

/// The first end met, and whether there was another.
type Met = (Option<Endpoint>, bool);

/// Unanswered targets (host and port), and how many flows were answered.
type Probes = (BTreeSet<(IpAddr, u16)>, u64);

/// What was learned of pairs of hosts.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    /// Pairs that worked at least once, and whether the server said something then.
    worked: Remembered<Pair, bool>,
    /// Flows of a pair without any answer.
    unanswered: Remembered<Pair, u32>,
    /// Servers that answered, by transport and port.
    servers: Remembered<(Transport, Endpoint), ()>,
    /// Of each host the two lowest ports on which it answered, by transport; equal where there is but one.
    answering: Remembered<(Transport, IpAddr), Option<[u16; 2]>>,
    /// Ends with the hosts that opened flows to them.
    fan_in: Remembered<(Transport, Endpoint), Openers>,
    /// Ends of flows whose opening was not seen, with the ends that they met.
    met: Remembered<(Transport, Endpoint), Met>,
    /// Ends that answered somebody whose packets come from that MAC address.
    from_link: Remembered<(Mac, Transport, Endpoint), ()>,
    /// Unanswered targets of a source, and how many of its flows were answered.
    probes: Remembered<IpAddr, Probes>,
}

impl Default for Pairs {
    fn default() -> Self {
        let room = limit::PAIRS_REMEMBERED;
        Self {
            worked: Remembered::new(room),
            unanswered: Remembered::new(room),
            servers: Remembered::new(room),
            answering: Remembered::new(limit::HOSTS_REMEMBERED),
            fan_in: Remembered::new(room),
            met: Remembered::new(room),
            from_link: Remembered::new(room),
            probes: Remembered::new(limit::SOURCES_REMEMBERED),
        }
    }
}

impl Pairs {
    /// Enters a flow between single hosts.
    pub(super) fn learn(&mut self, flow: &Flow) {
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let pair = (client.ip, flow.transport, server);
        if took_part(flow) {
            *self.worked.meet(pair) |= flow.server.payload_bytes > 0;
            self.servers.meet((flow.transport, server));
            self.answers_on(flow.transport, server);
            if let Some(mac) = flow.client.mac.filter(|_| server.ip.is_ipv4()) {
                self.from_link.meet((mac, flow.transport, server));
            }
            let answered = &mut self.probes.meet(client.ip).1;
            *answered = answered.saturating_add(1);
        } else {
            let count = self.unanswered.meet(pair);
            *count = count.saturating_add(1);
            let targets = &mut self.probes.meet(client.ip).0;
            if targets.len() < limit::TARGETS_REMEMBERED {
                targets.insert((server.ip, server.port));
            }
        }
        if flow.direction == Direction::Certain {
            let (first, more) = self.fan_in.meet((flow.transport, server));
            *more |= *first.get_or_insert(client.ip) != client.ip;
        } else if flow.transport.has_ports() {
            for (end, other) in [(client, server), (server, client)] {
                let (first, more) = self.met.meet((flow.transport, end));
                *more |= *first.get_or_insert(other) != other;
            }
        }
    }

    fn answers_on(&mut self, transport: Transport, server: Endpoint) {
        let port = server.port;
        let ports = self.answering.meet((transport, server.ip)).get_or_insert([port; 2]);
        let [low, high] = *ports;
        *ports = match (low == high, port < low) {
            _ if port == low => return,
            (_, true) => [port, low],
            (true, false) => [low, port],
            (false, false) => [low, high.min(port)],
        };
    }

    /// Whether that client reached that server and port at least once.
    pub(super) fn worked(&self, client: IpAddr, transport: Transport, server: Endpoint) -> bool {
        self.worked.has(&(client, transport, server))
    }

    /// Whether the flow's server said something to its client on this port at least once.
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
            let ports = (*self.answering.get(&(transport, server.ip))?)?;
            ports.iter().map(|port| (transport, *port)).find(|place| *place != (flow.transport, server.port))
        })
    }

    /// Whether the end answered as a server, or was opened by two hosts or more.
    pub(super) fn is_server(&self, transport: Transport, end: Endpoint) -> bool {
        let openers = self.fan_in.get(&(transport, end));
        openers.is_some_and(|(_, more)| *more || self.servers.has(&(transport, end)))
    }

    /// Whether the end met several others in flows whose opening was not seen: clients take a new port for each, servers keep theirs.
    pub(super) fn meets_many(&self, transport: Transport, end: Endpoint) -> bool {
        self.met.get(&(transport, end)).is_some_and(|(_, more)| *more)
    }

    /// Whether that end answered somebody whose packets come from that MAC address.
    pub(super) fn reached_from(&self, link: Mac, transport: Transport, server: Endpoint) -> bool {
        self.from_link.has(&(link, transport, server))
    }

    /// Whether anybody opened a flow to that end.
    pub(super) fn was_opened(&self, transport: Transport, end: Endpoint) -> bool {
        self.fan_in.has(&(transport, end))
    }

    /// Whether the source tried many targets and hardly any answered.
    pub(super) fn scans(&self, source: IpAddr) -> bool {
        self.probes.get(&source).is_some_and(|(targets, answered)| {
            let tried = targets.len() as u64;
            tried >= limit::SCAN_TARGETS as u64 && *answered < tried / 4
        })
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        let pairs = self.worked.forgotten() + self.unanswered.forgotten() + self.fan_in.forgotten() + self.met.forgotten();
        pairs + self.from_link.forgotten() + self.servers.forgotten() + self.answering.forgotten() + self.probes.forgotten()
    }
}
