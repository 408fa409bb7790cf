//! Who reached whom: what worked at another time, where a host answers, who tries in vain.

use std::net::IpAddr;
use std::time::Duration;

use thin_vec::ThinVec;

use crate::flow::{Direction, Flow, Rejection};
use crate::identify::{Fact, Identified};
use crate::judge::ending::weight;
use crate::judge::memory::Marked;
use crate::judge::threshold::{MANY_PACKETS, MUCH_AGAIN, REFUSED_ALIKE, SYN_AGAIN};
use crate::judge::visibility::took_part;
use crate::limit;
use crate::net::{Endpoint, Mac, Side, Transport, is_private};
use crate::time::Timestamp;

/// A client and what it wanted.
type Pair = (IpAddr, Transport, Endpoint);

/// What became of the flows of a pair.
#[derive(Clone, Copy, Debug, Default)]
struct Dealings {
    /// The server took part at least once.
    worked: bool,
    /// What it said then.
    talked: Talk,
    /// Flows without any answer.
    unanswered: u32,
    /// When the server was last heard, in seconds since 1970.
    heard: u32,
    /// Of the flows without any answer those that began after that, as far as it is known in which order they came.
    since: u16,
    /// When the first and the last of them began, in seconds after it.
    began: [u16; 2],
}

/// What a server said to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Talk {
    #[default]
    Nothing,
    /// No more than belongs to a handshake of TLS, after which the client asked nothing.
    Handshake,
    /// More than that.
    More,
}

impl Talk {
    fn of(identified: &Identified, took_part: bool, server: Side) -> Self {
        let flow = &identified.flow;
        let said = if server == Side::Server { flow.server.payload_bytes } else { flow.client.payload_bytes };
        let is_handshake = identified.facts.iter().any(|fact| matches!(fact, Fact::Reached(_)));
        match took_part && said > 0 {
            false => Self::Nothing,
            true if is_handshake => Self::Handshake,
            true => Self::More,
        }
    }
}

impl Dealings {
    /// Enters a flow that began then, and when the server was heard in it, if it was.
    fn note_silence(&mut self, began: Timestamp, heard: Option<Timestamp>, is_silent: bool) {
        if let Some(later) = heard.and_then(|heard| seconds(heard).checked_sub(self.heard)) {
            self.heard = self.heard.saturating_add(later);
            // Flows are not told in the order in which they began; of some that began before and some after this nothing is kept.
            let began = self.began.map(|began| u16::try_from(u32::from(began).saturating_sub(later)).unwrap_or(0));
            (self.since, self.began) = if began[0] > 0 { (self.since, began) } else { (0, [0; 2]) };
        }
        if let Some(after) = seconds(began).checked_sub(self.heard).filter(|after| is_silent && *after > 0) {
            let after = u16::try_from(after).unwrap_or(u16::MAX);
            let [first, last] = if self.since == 0 { [after; 2] } else { self.began };
            (self.since, self.began) = (self.since.saturating_add(1), [first.min(after), last.max(after)]);
        }
    }
}

fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.nanos().div_euclid(1_000_000_000)).unwrap_or(0)
}

/// What ICMP says of the packets of a pair: the error that weighs most, and when the first and the last came.
#[derive(Clone, Debug)]
struct Refused {
    error: Rejection,
    first: Timestamp,
    last: Timestamp,
}

/// What was learned of one end.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// It answered as a server.
    answered: bool,
    /// The most that came to it in datagrams of others.
    apart: Apart,
    /// The hosts that opened flows to it.
    openers: Many,
    /// The ends that it met in flows whose opening was not seen.
    met: Many,
    /// The port at which it last asked a group by datagrams, zero where it did not.
    asked_group: u16,
}

/// What comes to an end from others, of which some may answer what it asked of another port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Apart {
    /// None.
    #[default]
    Nothing,
    /// Datagrams of which it is known what they are, and that they are no such answer.
    Told,
    /// Datagrams to the end that asked, which sent none back: an error, or what does not get there.
    Sent,
    /// An exchange.
    Taken,
}

/// The number of the first that was met, zero for nobody; its lowest bit says whether there was another.
#[derive(Clone, Copy, Debug, Default)]
struct Many(u32);

impl Many {
    fn meet(&mut self, number: u32) {
        match self.0 & !1 {
            0 => self.0 = number,
            first => self.0 |= u32::from(first != number),
        }
    }

    const fn is_nobody(self) -> bool {
        self.0 == 0
    }

    const fn has_more(self) -> bool {
        self.0 & 1 == 1
    }
}

/// What a source tried.
#[derive(Clone, Debug, Default)]
struct Probes {
    /// Numbers of the targets (host and port) that did not answer, but for those that a document has for hosts like these: a firewall may cut one host off from all of them.
    unanswered: ThinVec<u32>,
    /// Flows that were answered.
    answered: u32,
    /// One of them by somebody outside who is no resolver.
    outside: bool,
    /// Packets of its connections, of both sides, and how many of them came again.
    packets: u32,
    again: u32,
}

/// What was learned of pairs of hosts.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    pairs: Marked<Pair, Dealings>,
    /// From whom to whom SYNs or resets were captured on both sides of a router, and the highest time to live of such flows' first packets.
    crossing: Marked<(IpAddr, IpAddr), u8>,
    refused: Marked<Pair, Option<Box<Refused>>>,
    ends: Marked<(Transport, Endpoint), End>,
    /// Of each host the two lowest ports on which it answered, by transport; equal where there is but one.
    answering: Marked<(Transport, IpAddr), Option<[u16; 2]>>,
    /// Ends that answered somebody whose packets come from that MAC address.
    from_link: Marked<(Mac, Transport, Endpoint), ()>,
    probes: Marked<IpAddr, Probes>,
    /// Hosts to which ICMP errors came of which the snap length left not what they are about, and when they did.
    unreadable: Marked<IpAddr, ThinVec<Timestamp>>,
}

impl Default for Pairs {
    fn default() -> Self {
        let room = limit::PAIRS_REMEMBERED;
        Self {
            pairs: Marked::new(room),
            crossing: Marked::new(limit::PAIRS_REMEMBERED),
            refused: Marked::new(limit::REFUSALS_REMEMBERED),
            ends: Marked::new(room),
            answering: Marked::new(limit::HOSTS_REMEMBERED),
            from_link: Marked::new(room),
            probes: Marked::new(limit::SOURCES_REMEMBERED),
            unreadable: Marked::new(limit::REFUSALS_REMEMBERED),
        }
    }
}

impl Pairs {
    /// Enters a flow between single hosts. `due`: one that a document has between hosts like these.
    pub(super) fn learn(&mut self, identified: &Identified, due: bool) {
        let flow = &identified.flow;
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let took_part = took_part(flow);
        let dealings = self.pairs.meet(&(client.ip, flow.transport, server));
        dealings.worked |= took_part;
        dealings.talked = dealings.talked.max(Talk::of(identified, took_part, Side::Server));
        // A refusal is an answer: whoever met one knows why the next of its connections is not to be had.
        let silent = flow.server.packets == 0 && flow.rejections.is_empty();
        dealings.unanswered = dealings.unanswered.saturating_add(u32::from(silent));
        dealings.note_silence(flow.first, flow.server.last.filter(|_| took_part), silent);
        if took_part && flow.direction == Direction::Unknown {
            // It is settled later who of the two is the server, and may be the other one.
            let dealings = self.pairs.meet(&(server.ip, flow.transport, client));
            dealings.worked = true;
            dealings.talked = dealings.talked.max(Talk::of(identified, took_part, Side::Client));
            dealings.note_silence(flow.first, flow.client.last, false);
        }
        self.note_errors(flow, took_part);
        self.note_crossing(flow);
        if matches!(flow.transport, Transport::ICMP | Transport::ICMP6) {
            self.note_unreadable(flow);
        }
        if took_part {
            self.answers_on(flow.transport, server);
            if let Some(mac) = flow.client.mac.filter(|_| server.ip.is_ipv4()) {
                self.from_link.meet(&(mac, flow.transport, server));
            }
        }
        self.note_probe(flow, took_part, due);
        self.note_ends(flow, took_part);
        if flow.transport == Transport::UDP {
            let told = if flow.client.packets == 0 { client } else { server };
            let end = self.ends.meet(&(flow.transport, told));
            end.apart = end.apart.max(Apart::Told);
        }
        self.note_datagrams(identified);
    }

    fn note_crossing(&mut self, flow: &Flow) {
        let Some([asked, answered]) = flow.tcp.as_ref().and_then(|tcp| tcp.crossed) else { return };
        let (client, server) = (&flow.client, &flow.server);
        for (from, to, copies) in [(client, server, asked), (server, client, answered)] {
            if copies > 0 {
                let ttl = self.crossing.meet(&(from.endpoint.ip, to.endpoint.ip));
                *ttl = from.ttl.max(*ttl);
            }
        }
    }

    /// Enters a flow to a group.
    pub(super) fn learn_group(&mut self, flow: &Flow) {
        if flow.transport == Transport::UDP {
            self.ends.meet(&(flow.transport, flow.client.endpoint)).asked_group = flow.server.endpoint.port;
        }
    }

    /// Time exceeded may be a traced route, and says nothing about the packets that are not to trace it.
    fn note_errors(&mut self, flow: &Flow, took_part: bool) {
        let refuses = |error: &&Rejection| error.to == Side::Client && weight(error) > 0 && !matches!((error.v6, error.kind), (false, 11) | (true, 3));
        for error in flow.rejections.iter().filter(refuses).filter(|_| !took_part) {
            let known = self.refused.meet(&(flow.client.endpoint.ip, flow.transport, flow.server.endpoint));
            let refused = known.get_or_insert_with(|| Box::new(Refused { error: *error, first: error.time, last: error.time }));
            (refused.first, refused.last) = (refused.first.min(error.time), refused.last.max(error.time));
            if weight(error) > weight(&refused.error) {
                refused.error = *error;
            }
        }
    }

    fn note_unreadable(&mut self, flow: &Flow) {
        for error in &flow.rejections {
            let host = if error.to == Side::Client { flow.client.endpoint.ip } else { flow.server.endpoint.ip };
            let times = self.unreadable.meet(&host);
            if times.len() < limit::TARGETS_REMEMBERED {
                times.push(error.time);
            }
        }
    }

    fn note_probe(&mut self, flow: &Flow, took_part: bool, due: bool) {
        let server = flow.server.endpoint;
        let target = self.probes.number(&server);
        let Probes { unanswered, answered, outside, packets, again } = self.probes.meet(&flow.client.endpoint.ip);
        if let Some(tcp) = flow.tcp.as_deref().filter(|tcp| tcp.established) {
            // What never arrived may be blocked; what did after all was lost before.
            let vain = tcp.open_segment.iter().fold(0_u32, |sum, open| sum.saturating_add(open.again));
            let repeated = tcp.retransmissions.iter().fold(0_u32, |sum, again| sum.saturating_add(*again));
            *packets = packets.saturating_add(u32::try_from(flow.client.packets + flow.server.packets).unwrap_or(u32::MAX));
            *again = again.saturating_add(repeated.saturating_sub(vain));
        }
        if took_part {
            *answered = answered.saturating_add(1);
            *outside |= !is_private(server.ip) && !RESOLVERS.contains(&server.port);
        } else if !due && unanswered.len() < limit::TARGETS_REMEMBERED && !unanswered.contains(&target) {
            unanswered.push(target);
        }
    }

    /// A server of TFTP answers from a port of its own (RFC 1350 section 4), so that nothing tells whose flow that is, or, of one datagram, what it is.
    fn note_datagrams(&mut self, identified: &Identified) {
        let flow = &identified.flow;
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let is_transfer = identified.protocol.first() == Some(&"tftp");
        let apart = flow.transport == Transport::UDP && client.port != TFTP && server.port != TFTP;
        if apart && (is_transfer || identified.protocol.is_empty() && flow.direction != Direction::Certain) {
            let (how, ends) = if is_transfer && took_part(flow) { (Apart::Taken, &[server, client][..]) } else { (Apart::Sent, &[server][..]) };
            for end in ends {
                let end = self.ends.meet(&(flow.transport, *end));
                end.apart = end.apart.max(how);
            }
        }
    }

    fn note_ends(&mut self, flow: &Flow, took_part: bool) {
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let opener = self.ends.number(&client.ip);
        let certain = flow.direction == Direction::Certain;
        if certain || took_part {
            let end = self.ends.meet(&(flow.transport, server));
            end.answered |= took_part;
            if certain {
                end.openers.meet(opener);
            }
        }
        // Who sends a connection's first segment that was seen says nothing about who opened it.
        if !certain && flow.transport == Transport::TCP {
            for (end, other) in [(client, server), (server, client)] {
                let number = self.ends.number(&other);
                self.ends.meet(&(flow.transport, end)).met.meet(number);
            }
        }
    }

    fn answers_on(&mut self, transport: Transport, server: Endpoint) {
        let port = server.port;
        let ports = self.answering.meet(&(transport, server.ip)).get_or_insert([port; 2]);
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
        self.pairs.get(&(client, transport, server)).is_some_and(|dealings| dealings.worked)
    }

    /// Whether the flow's server said something to its client on this port at least once.
    pub(super) fn talked(&self, flow: &Flow) -> bool {
        self.dealings(flow).talked > Talk::Nothing
    }

    /// Whether the flow's server said more to its client on this port at least once than belongs to a handshake of TLS.
    pub(super) fn served(&self, flow: &Flow) -> bool {
        self.dealings(flow).talked == Talk::More
    }

    /// Flows of this client to this server and port that nothing answered, this one included.
    pub(super) fn unanswered(&self, flow: &Flow) -> u32 {
        self.dealings(flow).unanswered
    }

    /// For how many flows of this client, and for how long, this server has been silent on this port since it was last heard; nothing where it never was, or has been since this one began.
    pub(super) fn silent_since(&self, flow: &Flow) -> Option<(u16, Duration)> {
        let Dealings { heard, since, worked, began: [first, last], .. } = self.dealings(flow);
        (worked && seconds(flow.first) > heard).then(|| (since, Duration::from_secs(u64::from(last.saturating_sub(first)))))
    }

    /// The error that refused others of this client's packets to this server and port while the flow went on, or shortly before or after, where it never answered.
    pub(super) fn refused(&self, flow: &Flow) -> Option<&Rejection> {
        let pair = (flow.client.endpoint.ip, flow.transport, flow.server.endpoint);
        let refused = self.refused.get(&pair)?.as_deref().filter(|_| !self.dealings(flow).worked)?;
        let is_near = flow.first.since(refused.last) <= REFUSED_ALIKE && refused.first.since(flow.last) <= REFUSED_ALIKE;
        is_near.then_some(&refused.error)
    }

    /// Whether an ICMP error that nobody can read came to the flow's client while it went on, or before it would have asked once more.
    pub(super) fn meets_unreadable(&self, flow: &Flow) -> bool {
        let errors = self.unreadable.get(&flow.client.endpoint.ip);
        errors.is_some_and(|times| times.iter().any(|time| *time >= flow.first && time.since(flow.last) < SYN_AGAIN))
    }

    fn dealings(&self, flow: &Flow) -> Dealings {
        self.pairs.get(&(flow.client.endpoint.ip, flow.transport, flow.server.endpoint)).copied().unwrap_or_default()
    }

    /// A port other than the flow's on which its server answered.
    pub(super) fn other_port(&self, flow: &Flow) -> Option<(Transport, u16)> {
        let server = flow.server.endpoint;
        [Transport::TCP, Transport::UDP, Transport::SCTP].into_iter().find_map(|transport| {
            let ports = (*self.answering.get(&(transport, server.ip))?)?;
            ports.iter().map(|port| (transport, *port)).find(|place| *place != (flow.transport, server.port))
        })
    }

    /// Whether the end answered anybody as a server.
    pub(super) fn has_answered(&self, transport: Transport, end: Endpoint) -> bool {
        self.ends.get(&(transport, end)).is_some_and(|end| end.answered)
    }

    /// Whether the end answered as a server, or was opened by two hosts or more.
    pub(super) fn is_server(&self, transport: Transport, end: Endpoint) -> bool {
        self.ends.get(&(transport, end)).is_some_and(|end| end.openers.has_more() || !end.openers.is_nobody() && end.answered)
    }

    /// Whether the end met several others in connections whose opening was not seen: clients take a new port for each, servers keep theirs.
    pub(super) fn meets_many(&self, transport: Transport, end: Endpoint) -> bool {
        self.ends.get(&(transport, end)).is_some_and(|end| end.met.has_more())
    }

    /// Whether that end answered somebody whose packets come from that MAC address.
    pub(super) fn reached_from(&self, link: Mac, transport: Transport, server: Endpoint) -> bool {
        self.from_link.has(&(link, transport, server))
    }

    /// Whether anybody opened a flow to that end.
    pub(super) fn was_opened(&self, transport: Transport, end: Endpoint) -> bool {
        self.ends.get(&(transport, end)).is_some_and(|end| !end.openers.is_nobody())
    }

    /// Whether datagrams came to that end, from whomever.
    pub(super) fn was_told(&self, end: Endpoint) -> bool {
        self.answered_apart(end) > Apart::Nothing
    }

    /// Whether that server said something to that client on this port of TCP at least once.
    pub(super) fn talked_to(&self, client: IpAddr, server: Endpoint) -> bool {
        self.pairs.get(&(client, Transport::TCP, server)).is_some_and(|dealings| dealings.talked > Talk::Nothing)
    }

    /// Whether the flow's client asked a group at the flow's port, from the very port to which the flow's server sends.
    pub(super) fn asked_group(&self, flow: &Flow) -> bool {
        self.ends.get(&(flow.transport, flow.client.endpoint)).is_some_and(|end| end.asked_group != 0 && end.asked_group == flow.server.endpoint.port)
    }

    /// What came to that end as a flow of its own.
    pub(super) fn answered_apart(&self, end: Endpoint) -> Apart {
        self.ends.get(&(Transport::UDP, end)).map_or(Apart::Nothing, |end| end.apart)
    }

    /// Whether the client reached anybody in a flow that it opened.
    pub(super) fn reaches_anybody(&self, client: IpAddr) -> bool {
        self.probes.get(&client).is_some_and(|probes| probes.answered > 0)
    }

    /// Whether somebody outside who is no resolver answered the client.
    pub(super) fn reaches_outside(&self, client: IpAddr) -> bool {
        self.probes.get(&client).is_some_and(|probes| probes.outside)
    }

    /// Whether so much of what the client's connections sent had to come again that the path loses an answer now and then.
    pub(super) fn loses_much(&self, client: IpAddr) -> bool {
        self.probes
            .get(&client)
            .is_some_and(|Probes { packets, again, .. }| *packets >= MANY_PACKETS && u64::from(*again) * 1000 >= u64::from(*packets) * MUCH_AGAIN)
    }

    /// The highest time to live of what one host sent the other and was captured on both sides of a router.
    pub(super) fn crosses(&self, from: IpAddr, to: IpAddr) -> Option<u8> {
        self.crossing.get(&(from, to)).copied()
    }

    /// Whether the source tried many targets and hardly any answered.
    pub(super) fn scans(&self, source: IpAddr) -> bool {
        self.probes.get(&source).is_some_and(|Probes { unanswered, answered, .. }| {
            let tried = unanswered.len() as u64;
            tried >= limit::SCAN_TARGETS as u64 && u64::from(*answered) < tried / 4
        })
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        let pairs = self.pairs.forgotten() + self.ends.forgotten() + self.answering.forgotten();
        pairs + self.from_link.forgotten() + self.probes.forgotten()
    }
}

/// Where requests of TFTP go (RFC 1350 section 4).
const TFTP: u16 = 69;
/// Ports of DNS in clear and over TLS or QUIC (RFC 7858, RFC 9250).
const RESOLVERS: &[u16] = &[53, 853];
