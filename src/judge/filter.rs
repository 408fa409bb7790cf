//! Wireshark display filters that select the packets of given flows, in fields that mean the same in every file.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::flow::Flow;
use crate::net::Transport;

/// Selects all packets between two addresses by transport and server port, whatever the client's port: both directions, and the ICMP errors that quote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    client: IpAddr,
    server: IpAddr,
    transport: Transport,
    /// None where the transport has no ports.
    ports: Option<(u16, u16)>,
}

impl Selection {
    /// The flow alone.
    pub fn flow(flow: &Flow) -> Self {
        let ports = flow.transport.has_ports().then_some((flow.client.endpoint.port, flow.server.endpoint.port));
        Self { client: flow.client.endpoint.ip, server: flow.server.endpoint.ip, transport: flow.transport, ports }
    }

    fn ends(&self) -> String {
        let field = if self.client.is_ipv4() { "ip.addr" } else { "ipv6.addr" };
        format!("{field}=={} && {field}=={}", self.client, self.server)
    }

    fn transport(&self) -> String {
        match self.transport {
            Transport::ICMP6 => "icmpv6".to_owned(),
            Transport(number) if !is_field(self.transport) && self.client.is_ipv4() => format!("ip.proto=={number}"),
            Transport(number) if !is_field(self.transport) => format!("ipv6.nxt=={number}"),
            transport => transport.to_string(),
        }
    }
}

/// One filter for several flows: flows of one pair and server port are joined, the client's ports as a set.
pub fn display_filter(selections: &BTreeSet<Selection>) -> String {
    let mut clauses: Vec<String> = Vec::new();
    let mut rest = selections.iter().peekable();
    while let Some(first) = rest.next() {
        let mut client_ports: Vec<u16> = first.ports.iter().map(|(client, _)| *client).collect();
        let alike = |other: &&&Selection| {
            (other.client, other.server, other.transport, other.ports.map(|p| p.1)) == (first.client, first.server, first.transport, first.ports.map(|p| p.1))
        };
        while let Some(next) = rest.next_if(|other| alike(&other)) {
            client_ports.extend(next.ports.map(|(client, _)| client));
        }
        clauses.push(clause(first, &client_ports));
    }
    match clauses.as_slice() {
        [one] => one.clone(),
        many => many.iter().map(|clause| format!("({clause})")).collect::<Vec<_>>().join(" || "),
    }
}

fn clause(first: &Selection, client_ports: &[u16]) -> String {
    let transport = first.transport();
    let Some((_, server)) = first.ports else { return format!("{} && {transport}", first.ends()) };
    match client_ports {
        // Both ends on one port: the field matches either, so both have to be asked.
        [client] if *client == server => format!("{} && {transport}.srcport=={server} && {transport}.dstport=={server}", first.ends()),
        [client] => format!("{} && {transport}.port=={client} && {transport}.port=={server}", first.ends()),
        many => {
            let set: Vec<String> = many.iter().map(ToString::to_string).collect();
            format!("{} && {transport}.port=={server} && {transport}.port in {{{}}}", first.ends(), set.join(", "))
        }
    }
}

/// Transports whose name is a Wireshark protocol field.
fn is_field(transport: Transport) -> bool {
    matches!(transport, Transport::ICMP | Transport::IGMP | Transport::TCP | Transport::UDP | Transport::GRE | Transport::ESP | Transport::AH | Transport::SCTP)
}
