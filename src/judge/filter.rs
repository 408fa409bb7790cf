//! Wireshark display filters that select the packets of given flows, in fields that mean the same in every file.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::net::IpAddr;

use crate::flow::Flow;
use crate::judge::absent;
use crate::judge::memory::Remembered;
use crate::limit;
use crate::net::{Endpoint, Transport};
use crate::time::Timestamp;

/// What makes a flow of ICMP messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Icmp {
    /// A type and the type that answers it.
    Exchange(u16, u16),
    /// Type and code of a message that has no answer.
    Message(u16, u16),
}

/// Selects a flow: both directions, and the ICMP errors that quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    client: IpAddr,
    server: IpAddr,
    transport: Transport,
    /// Server's and client's, so that retries from new ports stand side by side; none where the transport has no ports.
    ports: Option<(u16, u16)>,
    icmp: Option<Icmp>,
    /// The link was asked for the server in vain.
    absent: bool,
    /// From its first packet to its last, or to the last ICMP error about it.
    span: (Timestamp, Timestamp),
}

impl Selection {
    /// The flow alone.
    pub fn flow(flow: &Flow) -> Self {
        let ports = flow.transport.has_ports().then_some((flow.server.endpoint.port, flow.client.endpoint.port));
        let errors = flow.rejections.iter().map(|rejection| rejection.time);
        let last = errors.fold(flow.last, Timestamp::max);
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let kind = if flow.is_two_way() { Icmp::Exchange } else { Icmp::Message };
        let icmp = flow.icmp.map(|_| kind(client.port, server.port));
        Self { client: client.ip, server: server.ip, transport: flow.transport, ports, icmp, absent: false, span: (flow.first, last) }
    }

    /// With the questions of the link for its server.
    #[must_use]
    pub const fn with_questions(mut self) -> Self {
        self.absent = true;
        self
    }

    /// The same addresses, transport and ports.
    fn has_the_ends_of(&self, other: &Self) -> bool {
        self.place() == other.place() && self.ports == other.ports
    }

    /// What it can stand in one clause with: the same hosts and server port, other ports of the client.
    fn place(&self) -> (IpAddr, IpAddr, Transport, Option<u16>) {
        (self.client, self.server, self.transport, self.ports.map(|(server, _)| server))
    }

    /// The field of an address: of either end, of the source, of the destination.
    fn address(&self, which: &str) -> String {
        format!("{}.{which}", if self.client.is_ipv4() { "ip" } else { "ipv6" })
    }

    fn hosts(&self) -> String {
        if self.client == self.server {
            return format!("{}=={} && {}=={}", self.address("src"), self.client, self.address("dst"), self.server);
        }
        let either = self.address("addr");
        format!("{either}=={} && {either}=={}", self.client, self.server)
    }

    /// The name by which Wireshark knows the transport, and its fields begin.
    fn protocol(&self) -> String {
        match self.transport {
            Transport::ICMP6 => "icmpv6".to_owned(),
            transport => transport.to_string(),
        }
    }
}

/// How often ends were met: Wireshark's fields name no flow, so a filter by addresses and ports selects whatever went between them.
#[derive(Clone, Debug)]
pub struct Ends {
    /// By a hash of the ends. Two ends with one hash would get a clause more than they need, and select the same.
    met: Remembered<u32, u32>,
    hasher: foldhash::fast::FixedState,
}

impl Default for Ends {
    fn default() -> Self {
        Self { met: Remembered::new(limit::PAIRS_REMEMBERED), hasher: foldhash::fast::FixedState::default() }
    }
}

impl Ends {
    /// Enters a flow, whichever way round it was opened.
    pub fn meet(&mut self, flow: &Flow) {
        if flow.transport.has_ports() {
            let key = self.key(flow.transport, flow.client.endpoint, flow.server.endpoint);
            *self.met.meet(key) += 1;
        }
    }

    /// Flows between the same ends.
    fn alike(&self, selection: &Selection) -> u32 {
        let Some((server, client)) = selection.ports else { return 0 };
        self.count(selection, client, server)
    }

    /// Flows between the same hosts and ports, where each host has the other's port.
    fn crossed(&self, selection: &Selection) -> u32 {
        let differ = |(server, client): &(u16, u16)| server != client && selection.client != selection.server;
        let Some((server, client)) = selection.ports.filter(differ) else { return 0 };
        self.count(selection, server, client)
    }

    fn count(&self, selection: &Selection, client: u16, server: u16) -> u32 {
        let end = |ip, port| Endpoint { ip, port };
        let key = self.key(selection.transport, end(selection.client, client), end(selection.server, server));
        self.met.get(&key).copied().unwrap_or(0)
    }

    fn key(&self, transport: Transport, one: Endpoint, other: Endpoint) -> u32 {
        (self.hasher.hash_one((transport, one.min(other), one.max(other))) >> 32) as u32
    }
}

/// One filter for several flows. Flows of one pair and server port are joined, the client's ports as a set; where others went between the same ends, or
/// the other way round between the same ports, it says when, or in which direction.
pub fn display_filter(selections: &[Selection], ends: &Ends) -> String {
    let mut selections = selections.to_vec();
    selections.sort_unstable();
    let mut clauses: Vec<String> = Vec::new();
    let mut rest = selections.iter().peekable();
    while let Some(first) = rest.next() {
        if let Some(alone) = alone(first, &selections, ends) {
            clauses.push(alone);
            continue;
        }
        let mut client_ports: Vec<u16> = first.ports.iter().map(|(_, client)| *client).collect();
        while let Some(next) = rest.next_if(|other| other.place() == first.place() && alone(other, &selections, ends).is_none()) {
            client_ports.extend(next.ports.map(|(_, client)| client));
        }
        client_ports.dedup();
        clauses.push(joined(first, &client_ports));
    }
    let absent: BTreeSet<IpAddr> = selections.iter().filter(|one| one.absent).map(|one| one.server).collect();
    clauses.extend(absent.into_iter().map(absent::display_filter));
    clauses.dedup();
    match clauses.as_slice() {
        [one] => one.clone(),
        many => many.iter().map(|clause| format!("({clause})")).collect::<Vec<_>>().join(" || "),
    }
}

/// The clause of a flow that cannot be joined with others.
fn alone(one: &Selection, all: &[Selection], ends: &Ends) -> Option<String> {
    let Some((server, client)) = one.ports else { return Some(without_ports(one)) };
    let named = all.iter().filter(|other| one.has_the_ends_of(other)).count();
    let others = usize::try_from(ends.alike(one)).is_ok_and(|alike| alike > named);
    let mut clause = if ends.crossed(one) > 0 {
        let [source, destination] = ["src", "dst"].map(|which| one.address(which));
        let way = |from: (IpAddr, u16), to: (IpAddr, u16)| {
            let transport = one.protocol();
            format!("{source}=={} && {transport}.srcport=={} && {destination}=={} && {transport}.dstport=={}", from.0, from.1, to.0, to.1)
        };
        let (client, server) = ((one.client, client), (one.server, server));
        format!("(({}) || ({}))", way(client, server), way(server, client))
    } else if server == client {
        // Both ends on one port: the field matches either, so both have to be asked.
        let transport = one.protocol();
        format!("{} && {transport}.srcport=={server} && {transport}.dstport=={server}", one.hosts())
    } else if others {
        joined(one, &[client])
    } else {
        return None;
    };
    if others {
        let (first, last) = one.span;
        clause = format!("{clause} && frame.time_epoch>={} && frame.time_epoch<={}", first.epoch(), last.epoch());
    }
    Some(clause)
}

fn joined(first: &Selection, client_ports: &[u16]) -> String {
    let (hosts, transport) = (first.hosts(), first.protocol());
    let server = first.ports.map_or(0, |(server, _)| server);
    match client_ports {
        [client] => format!("{hosts} && {transport}.port=={client} && {transport}.port=={server}"),
        many => {
            let set: Vec<String> = many.iter().map(ToString::to_string).collect();
            format!("{hosts} && {transport}.port=={server} && {transport}.port in {{{}}}", set.join(", "))
        }
    }
}

/// A flow of ICMP is its type with the type that answers it, or type and code in one direction; of any other transport all between two hosts is one flow.
fn without_ports(one: &Selection) -> String {
    let hosts = one.hosts();
    match (one.transport, one.icmp) {
        (Transport(number), None) if !is_field(one.transport) && one.client.is_ipv4() => format!("{hosts} && ip.proto=={number}"),
        (Transport(number), None) if !is_field(one.transport) => format!("{hosts} && ipv6.nxt=={number}"),
        (_, None) => format!("{hosts} && {}", one.protocol()),
        (_, Some(Icmp::Exchange(kind, answer))) => format!("{hosts} && {}.type in {{{kind}, {answer}}}", one.protocol()),
        (_, Some(Icmp::Message(kind, code))) => {
            let (source, destination, transport) = (one.address("src"), one.address("dst"), one.protocol());
            format!("{source}=={} && {destination}=={} && {transport}.type=={kind} && {transport}.code=={code}", one.client, one.server)
        }
    }
}

/// Transports whose name is a Wireshark protocol field.
fn is_field(transport: Transport) -> bool {
    matches!(transport, Transport::ICMP | Transport::ICMP6 | Transport::IGMP | Transport::TCP | Transport::UDP | Transport::SCTP)
        || matches!(transport, Transport::GRE | Transport::ESP | Transport::AH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::sample::{Sample, at, tcp, udp};

    /// The filter for the first `many` of the flows, the others being there too.
    fn filter_of(samples: &[Sample], many: usize) -> String {
        let mut ends = Ends::default();
        samples.iter().for_each(|sample| ends.meet(&sample.0.flow));
        let selections: Vec<Selection> = samples[..many].iter().map(|sample| Selection::flow(&sample.0.flow)).collect();
        display_filter(&selections, &ends)
    }

    fn filter(samples: &[Sample]) -> String {
        filter_of(samples, samples.len())
    }

    #[test]
    fn a_flow_is_selected_by_both_addresses_and_both_ports() {
        assert_eq!(filter(&[tcp("10.0.0.1:40000", "10.0.0.2:80")]), "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && tcp.port==40000 && tcp.port==80");
        let v6 = filter(&[udp("[2001:db8::1]:40000", "[2001:db8::2]:53")]);
        assert_eq!(v6, "ipv6.addr==2001:db8::1 && ipv6.addr==2001:db8::2 && udp.port==40000 && udp.port==53");
        let itself = filter(&[tcp("127.0.0.1:40000", "127.0.0.1:80")]);
        assert_eq!(itself, "ip.src==127.0.0.1 && ip.dst==127.0.0.1 && tcp.port==40000 && tcp.port==80");
    }

    #[test]
    fn equal_ports_are_asked_for_on_both_sides() {
        let both = "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && udp.srcport==123 && udp.dstport==123";
        assert_eq!(filter(&[udp("10.0.0.1:123", "10.0.0.2:123")]), both);
        // In a set with others 123 would be the server's port too, and any flow to it would do.
        let other = "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && udp.port==50000 && udp.port==123";
        assert_eq!(filter(&[udp("10.0.0.1:123", "10.0.0.2:123"), udp("10.0.0.1:50000", "10.0.0.2:123")]), format!("({both}) || ({other})"));
    }

    #[test]
    fn retries_from_new_ports_are_one_clause_and_other_pairs_another() {
        let retries = [tcp("10.0.0.1:40000", "10.0.0.2:80"), tcp("10.0.0.1:40007", "10.0.0.2:80")];
        let one = "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && tcp.port==80 && tcp.port in {40000, 40007}";
        assert_eq!(filter(&retries), one);
        let other = tcp("10.0.0.3:40000", "10.0.0.2:80");
        let two = format!("({one}) || (ip.addr==10.0.0.3 && ip.addr==10.0.0.2 && tcp.port==40000 && tcp.port==80)");
        assert_eq!(filter(&[retries[0].clone(), retries[1].clone(), other]), two);
    }

    #[test]
    fn where_the_same_ports_were_used_again_the_filter_says_when() {
        let mut later = udp("10.0.0.1:40000", "10.0.0.2:161");
        (later.0.flow.first, later.0.flow.last) = (at(900.5), at(901.0));
        let both = [later, udp("10.0.0.1:40000", "10.0.0.2:161")];
        let ends = "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && udp.port==40000 && udp.port==161";
        assert_eq!(filter_of(&both, 1), format!("{ends} && frame.time_epoch>=900.500000000 && frame.time_epoch<=901.000000000"));
        assert_eq!(filter(&both), ends, "all that went between them is meant");
    }

    #[test]
    fn where_the_other_host_has_the_same_ports_the_filter_says_in_which_direction() {
        let both = [tcp("10.0.0.1:40000", "10.0.0.2:80"), tcp("10.0.0.2:40000", "10.0.0.1:80")];
        let way = |from: &str, to: &str| {
            let ((from, port), (to, other)) = (from.split_once(':').unwrap(), to.split_once(':').unwrap());
            format!("(ip.src=={from} && tcp.srcport=={port} && ip.dst=={to} && tcp.dstport=={other})")
        };
        let (there, back) = (way("10.0.0.1:40000", "10.0.0.2:80"), way("10.0.0.2:80", "10.0.0.1:40000"));
        assert_eq!(filter_of(&both, 1), format!("({there} || {back})"));
    }

    #[test]
    fn an_echo_is_selected_by_its_two_types_and_a_message_without_answer_by_its_direction() {
        let icmp = |client: &str, server: &str, kind, code| {
            let mut sample = udp(client, server);
            (sample.0.flow.transport, sample.0.flow.icmp) = (Transport::ICMP, Some((kind, code)));
            filter(&[sample])
        };
        // The numbers that stand for ports are those of Community ID.
        assert_eq!(icmp("10.0.0.1:8", "10.0.0.2:0", 8, 0), "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && icmp.type in {8, 0}");
        assert_eq!(icmp("10.0.0.1:5", "10.0.0.2:1", 5, 1), "ip.src==10.0.0.1 && ip.dst==10.0.0.2 && icmp.type==5 && icmp.code==1");
    }
}
