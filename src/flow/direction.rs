//! Who opened a flow, as far as its first packet tells.

use std::net::IpAddr;

use crate::decode::{Content, Header, Packet, TcpFlags};
use crate::flow::Direction;
use crate::flow::key::{icmp_asks, icmp_ports};
use crate::net::{Transport, is_group};

/// Whether the sender of a flow's first packet is its server, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// The first packet is an answer: its receiver is the client. Zeek's `^`.
    pub flipped: bool,
    /// On what that rests.
    pub direction: Direction,
}

/// Reads the first packet of a flow.
pub(super) fn of_first(packet: &Packet<'_>) -> Opening {
    let Content::Ip(ip, header) = &packet.content else { return UNKNOWN };
    match header {
        // Only a segment without ACK is refused with the sequence number 0 (RFC 9293 section 3.5.2): a SYN.
        Header::Tcp(tcp) if tcp.flags.has(TcpFlags::RST) && tcp.flags.has(TcpFlags::ACK) && tcp.sequence == 0 => ANSWER,
        Header::Tcp(tcp) => of_tcp(tcp.flags, tcp.source, tcp.destination),
        // Cut off before its flags.
        Header::Ports { source, destination } => of_tcp(TcpFlags::default(), *source, *destination),
        Header::Udp { source, destination } => of_datagram(ip.transport, *source, *destination, ip.destination),
        Header::Sctp { source, destination, chunk } => match chunk {
            Some(SCTP_INIT) => CERTAIN,
            Some(SCTP_INIT_ACK) => ANSWER,
            _ => of_datagram(ip.transport, *source, *destination, ip.destination),
        },
        Header::Icmp { kind, code, .. } => {
            let (_, _, two_way) = icmp_ports(ip.transport, *kind, *code);
            let is_answer = two_way && !icmp_asks(ip.transport, *kind);
            Opening { flipped: is_answer && !is_group(ip.destination), direction: Direction::Certain }
        }
        Header::None => UNKNOWN,
    }
}

/// SYN and SYN-ACK are proof. Of other segments Zeek's rule: who sends from a usual server port is the server, of two such the lower port.
fn of_tcp(flags: TcpFlags, source: u16, destination: u16) -> Opening {
    if flags.is_syn() {
        return CERTAIN;
    }
    if flags.is_syn_ack() {
        return ANSWER;
    }
    match (is_usual_server(Transport::TCP, source), is_usual_server(Transport::TCP, destination)) {
        (true, true) => Opening { flipped: source < destination, direction: Direction::Likely },
        (true, false) => Opening { flipped: true, direction: Direction::Likely },
        (false, true) => Opening { flipped: false, direction: Direction::Likely },
        (false, false) => UNKNOWN,
    }
}

/// The first sender is the client, unless its packet looks like an answer to something before the capture.
fn of_datagram(transport: Transport, source: u16, destination: u16, to: IpAddr) -> Opening {
    if is_group(to) {
        return Opening { flipped: false, direction: Direction::Certain };
    }
    let usual = (is_usual_server(transport, source), is_usual_server(transport, destination));
    let (from, to) = (class(source), class(destination));
    match usual {
        (true, false) => Opening { flipped: true, direction: Direction::Likely },
        (false, true) => CERTAIN,
        _ if from == PortClass::System && to == PortClass::Ephemeral => Opening { flipped: true, direction: Direction::Likely },
        _ if from > to => CERTAIN,
        _ => Opening { flipped: false, direction: Direction::Likely },
    }
}

/// Ports by who uses them: RFC 6335 section 6, with Linux's ephemeral range (32768 to 60999) taken as ephemeral too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PortClass {
    System,
    User,
    Ephemeral,
}

fn class(port: u16) -> PortClass {
    match port {
        0..1024 => PortClass::System,
        1024..32_768 => PortClass::User,
        _ => PortClass::Ephemeral,
    }
}

fn is_usual_server(transport: Transport, port: u16) -> bool {
    let ports = if transport == Transport::TCP { USUAL_TCP_SERVERS } else { USUAL_UDP_SERVERS };
    ports.binary_search(&port).is_ok()
}

const UNKNOWN: Opening = Opening { flipped: false, direction: Direction::Unknown };
const ANSWER: Opening = Opening { flipped: true, direction: Direction::Certain };
const CERTAIN: Opening = Opening { flipped: false, direction: Direction::Certain };
const SCTP_INIT: u8 = 1;
const SCTP_INIT_ACK: u8 = 2;

/// Zeek's `likely_server_ports` (the `ports` of scripts/base/protocols/*/main.zeek), sorted.
const USUAL_TCP_SERVERS: &[u16] = &[
    21, 22, 25, 53, 79, 80, 81, 88, 110, 135, 139, 143, 389, 443, 445, 502, 563, 585, 587, 614, 631, 636, 989, 990, 992, 993, 995, 1080, 1434, 1883, 2811,
    3128, 3268, 3306, 3389, 5222, 5223, 5269, 5432, 6379, 6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000,
];
/// The same for UDP, sorted.
const USUAL_UDP_SERVERS: &[u16] =
    &[53, 67, 88, 123, 137, 161, 162, 389, 443, 514, 1812, 2123, 2152, 3389, 3544, 4011, 4789, 5060, 5072, 5353, 5355, 6081, 20000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_usual_servers_are_sorted() {
        assert!(USUAL_TCP_SERVERS.is_sorted() && USUAL_UDP_SERVERS.is_sorted());
    }

    #[test]
    fn a_datagram_from_a_low_port_to_an_ephemeral_one_is_an_answer() {
        let to = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(of_datagram(Transport::UDP, 500, 51_000, to), Opening { flipped: true, direction: Direction::Likely });
        assert_eq!(of_datagram(Transport::UDP, 51_000, 500, to), CERTAIN);
        assert_eq!(of_datagram(Transport::UDP, 5_684, 5_684, to), Opening { flipped: false, direction: Direction::Likely });
    }

    #[test]
    fn nothing_is_an_answer_that_goes_to_a_group() {
        assert!(!of_datagram(Transport::UDP, 67, 68, IpAddr::from([255; 4])).flipped);
    }
}
