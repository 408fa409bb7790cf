//! Wireshark display filters that select the packets of given flows, in fields that mean the same in every file.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::flow::Flow;
use crate::net::Transport;

/// Selects a flow by its ends: both directions, and the ICMP errors that quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    client: IpAddr,
    server: IpAddr,
    transport: Transport,
    /// Server's and client's, so that retries from new ports stand side by side; none where the transport has no ports.
    ports: Option<(u16, u16)>,
}

impl Selection {
    /// The flow alone.
    pub fn flow(flow: &Flow) -> Self {
        let ports = flow.transport.has_ports().then_some((flow.server.endpoint.port, flow.client.endpoint.port));
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
        let mut client_ports: Vec<u16> = first.ports.iter().map(|(_, client)| *client).collect();
        let alike = |other: &&&Selection| {
            (other.client, other.server, other.transport, other.ports.map(|(server, _)| server))
                == (first.client, first.server, first.transport, first.ports.map(|(server, _)| server))
        };
        while let Some(next) = rest.next_if(|other| alike(&other)) {
            client_ports.extend(next.ports.map(|(_, client)| client));
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
    let Some((server, _)) = first.ports else { return format!("{} && {transport}", first.ends()) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::sample::{Sample, tcp, udp};

    fn filter(samples: &[Sample]) -> String {
        display_filter(&samples.iter().map(|sample| Selection::flow(&sample.0.flow)).collect())
    }

    #[test]
    fn a_flow_is_selected_by_both_addresses_and_both_ports() {
        assert_eq!(filter(&[tcp("10.0.0.1:40000", "10.0.0.2:80")]), "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && tcp.port==40000 && tcp.port==80");
        let v6 = filter(&[udp("[2001:db8::1]:40000", "[2001:db8::2]:53")]);
        assert_eq!(v6, "ipv6.addr==2001:db8::1 && ipv6.addr==2001:db8::2 && udp.port==40000 && udp.port==53");
    }

    #[test]
    fn equal_ports_are_asked_for_on_both_sides() {
        let both = filter(&[udp("10.0.0.1:123", "10.0.0.2:123")]);
        assert_eq!(both, "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && udp.srcport==123 && udp.dstport==123");
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
}
