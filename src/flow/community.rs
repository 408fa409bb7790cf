//! Community ID v1 (github.com/corelight/community-id-spec), seed 0: the same short name for a flow in every tool.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use arrayvec::{ArrayString, ArrayVec};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use sha1::{Digest, Sha1};

use crate::flow::Flow;
use crate::net::{Endpoint, Transport};

/// A Community ID: `1:` and the base64 of a SHA-1 over seed, ends in order, and transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct CommunityId(ArrayString<LENGTH>);

impl Deref for CommunityId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for CommunityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// The Community ID of a flow.
pub fn community_id(flow: &Flow) -> CommunityId {
    of_ends(flow.transport, flow.client.endpoint, flow.server.endpoint, flow.is_two_way())
}

/// The Community ID of a flow with ports, of which only the ends are known: an announcement's.
pub fn community_id_of(transport: Transport, client: Endpoint, server: Endpoint) -> CommunityId {
    of_ends(transport, client, server, true)
}

/// Ends of one-way ICMP messages keep their order; all others go by address, then port.
fn of_ends(transport: Transport, client: Endpoint, server: Endpoint, two_way: bool) -> CommunityId {
    let (first, second) = if two_way && order(server) < order(client) { (server, client) } else { (client, server) };
    // Gathered first: each piece that is hashed by itself costs as much as making the text.
    let mut hashed: ArrayVec<u8, HASHED> = ArrayVec::new();
    hashed.extend(SEED.to_be_bytes());
    for end in [first, second] {
        match end.ip {
            IpAddr::V4(ip) => hashed.extend(ip.octets()),
            IpAddr::V6(ip) => hashed.extend(ip.octets()),
        }
    }
    hashed.extend([transport.0, 0]);
    if transport.has_ports() || matches!(transport, Transport::ICMP | Transport::ICMP6) {
        hashed.extend(first.port.to_be_bytes());
        hashed.extend(second.port.to_be_bytes());
    }
    let mut text = [0; LENGTH];
    let (begin, digits) = text.split_at_mut(VERSION.len());
    begin.copy_from_slice(VERSION);
    // There is room for all of them, and they are ASCII.
    let _ = STANDARD.encode_slice(Sha1::digest(&hashed), digits);
    CommunityId(ArrayString::from_byte_string(&text).unwrap_or_default())
}

fn order(end: Endpoint) -> (IpAddr, u16) {
    (end.ip, end.port)
}

const SEED: u16 = 0;
/// Seed, two addresses, transport with a zero, two ports.
const HASHED: usize = 2 + 2 * 16 + 2 + 2 * 2;
const VERSION: &[u8] = b"1:";
/// The version, and 20 bytes in base64.
const LENGTH: usize = VERSION.len() + 28;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(transport: Transport, client: (&str, u16), server: (&str, u16)) -> [String; 2] {
        let end = |(ip, port): (&str, u16)| Endpoint { ip: ip.parse().unwrap(), port };
        [of_ends(transport, end(client), end(server), true), of_ends(transport, end(server), end(client), true)].map(|id| id.to_string())
    }

    #[test]
    fn the_ids_are_those_of_the_specification_in_both_directions() {
        let same = |expected: &str| [expected.to_owned(), expected.to_owned()];
        let tcp = id(Transport::TCP, ("128.232.110.120", 34855), ("66.35.250.204", 80));
        assert_eq!(tcp, same("1:LQU9qZlK+B5F3KDmev6m5PMibrg="));
        let udp = id(Transport::UDP, ("192.168.1.52", 54585), ("8.8.8.8", 53));
        assert_eq!(udp, same("1:d/FP5EW3wiY1vCndhwleRRKHowQ="));
        let sctp = id(Transport::SCTP, ("192.168.170.8", 7), ("192.168.170.56", 7));
        assert_eq!(sctp, same("1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="));
        let icmp = id(Transport::ICMP, ("192.168.0.89", 8), ("192.168.0.1", 0));
        assert_eq!(icmp, same("1:X0snYXpgwiv9TZtqg64sgzUn6Dk="));
        let icmp6 = id(Transport::ICMP6, ("fe80::200:86ff:fe05:80da", 133), ("ff02::2", 134));
        assert_eq!(icmp6, same("1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="));
        let rsvp = id(Transport(46), ("10.1.12.1", 0), ("10.1.12.2", 0));
        assert_eq!(rsvp, same("1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="));
    }

    #[test]
    fn a_one_way_icmp_message_keeps_its_direction() {
        let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        let (low, high) = (end([10, 0, 0, 1], 3), end([10, 0, 0, 2], 1));
        assert_ne!(of_ends(Transport::ICMP, low, high, false), of_ends(Transport::ICMP, high, low, false));
    }
}
