//! What speaks for a document without a role: a port that no other loaded document claims, a protocol that no other knows.
//!
//! Computed from the loaded documents. Only the ports that everybody uses, and the protocols that one product alone speaks, are listed here, because no set
//! of documents shows that: of five documents one alone may name PostgreSQL, and half the networks of the world run it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use foldhash::fast::FixedState;

use crate::net::Transport;
use crate::signature::{Basis, PortRange, Service, Signatures, is_protocol_name};

/// What documents claim for themselves alone.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    /// Ports of narrow ranges, with the one document that names them and can be told by the bytes there.
    alone: HashMap<(Transport, u16), u16, FixedState>,
    /// Protocols that rows of one document alone speak.
    distinctive: HashSet<String, FixedState>,
}

impl Claims {
    pub(super) fn new(signatures: &Signatures) -> Self {
        Self { alone: ports_of_one(signatures), distinctive: protocols_of_one(signatures) }
    }

    /// The document that alone claims the port by its own word, unless everybody uses it or the document does not say what is spoken there.
    pub(super) fn alone(&self, transport: Transport, port: u16) -> Option<u16> {
        self.alone.get(&(transport, port)).copied()
    }

    /// Whether the protocol points at one document.
    pub(super) fn is_distinctive(&self, protocol: &str) -> bool {
        self.distinctive.contains(protocol)
    }
}

/// Whether everybody uses the port, so that it tells nothing about the host behind it.
pub(super) fn is_common(transport: Transport, port: u16) -> bool {
    let ports = if transport == Transport::UDP { COMMON_UDP } else { COMMON_TCP };
    ports.iter().any(|range| range.contains(port))
}

/// Whether it is a port of the web, by which any program asks any server.
pub(super) fn is_web(transport: Transport, port: u16) -> bool {
    transport == Transport::TCP && [80, 443].contains(&port)
}

/// Whether only the product whose protocol it is speaks it, so that its bytes alone show the product.
pub(super) fn is_of_one_product(protocol: &str) -> bool {
    OF_ONE_PRODUCT.contains(&protocol)
}

/// Whether any host with an operating system speaks this on that port, without anybody having installed anything for it: documents take it for granted.
pub(super) fn is_background(port: u16, protocol: &[&str]) -> bool {
    // Who is looked for by SSDP answers from any port of its own (UPnP Device Architecture, section 1.3.3).
    let expected = BACKGROUND.binary_search(&port).is_ok() || protocol == ["ssdp"];
    expected && protocol.iter().all(|name| BACKGROUND_PROTOCOLS.contains(name))
}

/// A port counts for every document that names it, but only a row whose document states the port and what is spoken there can claim it: what a supplement
/// adds is another product's port, and behind a port of unknown bytes anybody may stand. A user's own row is about the user's own network.
fn ports_of_one(signatures: &Signatures) -> HashMap<(Transport, u16), u16, FixedState> {
    let mut owners: BTreeMap<(Transport, u16), BTreeSet<u16>> = BTreeMap::new();
    let mut claimed: BTreeSet<(Transport, u16)> = BTreeSet::new();
    for service in signatures.services.iter().filter(|service| service.ports.iter().all(|range| range.width() <= CLAIMED_AT_ONCE)) {
        for (transport, port) in every_port(service) {
            owners.entry((transport, port)).or_default().insert(service.document);
            if can_claim(service, transport, port) {
                claimed.insert((transport, port));
            }
        }
    }
    let single = |(place, documents): ((Transport, u16), BTreeSet<u16>)| match documents.len() {
        1 => documents.first().map(|document| (place, *document)),
        _ => None,
    };
    let told_apart = |place: &(Transport, u16)| claimed.contains(place) && !is_common(place.0, place.1);
    owners.into_iter().filter(|(place, _)| told_apart(place)).filter_map(single).collect()
}

fn can_claim(service: &Service, transport: Transport, port: u16) -> bool {
    match service.port_basis(transport, port) {
        Some(Basis::User) => true,
        Some(Basis::Document) => !service.protocols.is_empty(),
        Some(Basis::Supplement) | None => false,
    }
}

fn every_port(service: &Service) -> impl Iterator<Item = (Transport, u16)> {
    let ports = || service.ports.iter().flat_map(|range| range.low..=range.high);
    service.transports.iter().flat_map(move |transport| ports().map(|port| (*transport, port)))
}

fn protocols_of_one(signatures: &Signatures) -> HashSet<String, FixedState> {
    let mut owners: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for service in &signatures.services {
        for protocol in words_of(service) {
            owners.entry(protocol).or_default().insert(service.document);
        }
    }
    let told_apart = |(protocol, documents): &(String, BTreeSet<u16>)| documents.len() == 1 && COMMON_PROTOCOLS.binary_search(&protocol.as_str()).is_err();
    owners.into_iter().filter(told_apart).map(|(protocol, _)| protocol).collect()
}

/// Protocols that a row names: the innermost of its stacks, and those in the document's own words (`MQTT`, `Secure CoAP`, `Shared Variables`, the HTTP of
/// `HTTPS`).
pub(super) fn words_of(service: &Service) -> impl Iterator<Item = String> {
    let innermost = service.protocols.iter().filter_map(|stack| stack.last()).cloned();
    let words = service.protocol_name.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase);
    let known = words.filter_map(|word| {
        let plain = word.strip_suffix('s').filter(|plain| is_protocol_name(plain)).map(str::to_owned);
        if is_protocol_name(&word) { Some(word) } else { plain }
    });
    let together: Vec<&str> = service.protocol_name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let together = Some(together.join("_").to_ascii_lowercase()).filter(|name| is_protocol_name(name));
    innermost.chain(known).chain(together)
}

const fn one(port: u16) -> PortRange {
    PortRange { low: port, high: port }
}

const fn range(low: u16, high: u16) -> PortRange {
    PortRange { low, high }
}

/// Widest range by which a document claims ports without a role. Cobalt's VNC range spans 31 and is common; Cinegy's widest instance range spans 16.
/// Ranges of a hundred or ten thousand ports hold other people's servers too.
pub(super) const CLAIMED_AT_ONCE: u32 = 32;

/// Server ports in general use, sorted: what the IANA Service Name and Port Number Registry gives to a protocol that many products speak, and the alternates
/// that well-known software listens on. On these one document's claim says nothing about the host. Left out on purpose, as the contract has them claimed:
/// 5684 and 8883, though any CoAP or MQTT broker may listen there.
#[rustfmt::skip]
const COMMON_TCP: &[PortRange] = &[
    range(20, 23), one(25), one(53), one(80), one(81), one(88), one(110), one(111), one(119), one(123), one(135), range(137, 139), one(143), range(161, 162),
    one(179), one(389), one(443), one(445), one(464), one(465), one(502), one(514), one(515), one(554), one(587), one(631), one(636), one(853), one(873),
    range(989, 990), one(993), one(995),
    one(1080),                // SOCKS
    range(1098, 1100),        // Java RMI registry and activation
    one(1194),                // OpenVPN
    one(1234),                // VLC, and what people type when they need a number
    one(1389),                // LDAP without the rights for 389 (OpenDJ, OpenLDAP in containers); 1636 is the same over TLS
    range(1433, 1434), one(1521), // SQL Server, Oracle
    one(1636), one(1723), one(1883), one(1900), one(2049), range(2483, 2484), one(3000), one(3128),
    range(3268, 3269), one(3306), one(3389), one(5000), range(5060, 5061), range(5222, 5223), one(5269), one(5353), one(5355), one(5357),
    one(5432), one(5433),     // PostgreSQL, and its second instance
    one(5480),                // Netezza, and the management of VMware appliances
    range(5671, 5672),        // AMQP
    range(5701, 5704),        // Hazelcast, which many Java products carry inside
    range(5800, 5809), range(5899, 5999), // VNC, by display
    range(5985, 5986), one(6379), one(6443), one(7000),
    one(7222),                // TIBCO EMS
    one(7500), one(7600),     // JGroups
    range(8000, 8100),        // alternates of HTTP: every application server picks one here
    one(8123),                // ClickHouse, Home Assistant
    one(8443), one(8554), one(8555), one(8888), one(8989), // alternates of HTTPS, RTSP, HTTP
    range(9000, 9002), one(9080), range(9090, 9092), one(9100), one(9200), range(9443, 9445), one(9500), one(11211),
    one(20000),               // DNP3
    one(27017),
];
/// The same for UDP.
#[rustfmt::skip]
const COMMON_UDP: &[PortRange] = &[
    one(53), range(67, 69), one(88), one(123), range(137, 138), range(161, 162), one(389), one(443), one(464), one(500), one(514), one(520), range(546, 547),
    one(853), one(1194), one(1434), range(1812, 1813), one(1900), one(3389), one(3478), one(3702), one(4500), one(5004), one(5060), one(5353), one(5355),
    one(20000), one(51820),
];
/// Name lookup, time, addresses and discovery, which every host does.
const BACKGROUND: &[u16] = &[53, 67, 68, 123, 137, 138, 546, 547, 1900, 3702, 5353, 5355];
/// What is spoken there.
const BACKGROUND_PROTOCOLS: &[&str] = &["dhcp", "dhcpv6", "dns", "llmnr", "mdns", "netbios_dgm", "netbios_ns", "ntp", "ssdp", "wsd"];
/// Protocols that carry anything, or that every host speaks: that one loaded document alone names one of them tells nothing. Sorted.
#[rustfmt::skip]
const COMMON_PROTOCOLS: &[&str] = &[
    "dhcp", "dns", "dtls", "ftp", "http", "imap", "kerberos", "ldap", "llmnr", "mdns", "netbios_ssn", "ntp", "pop3", "quic", "rfb", "rtp",
    "rtsp", "smb", "smtp", "snmp", "soap", "ssdp", "ssh", "syslog", "tds", "tftp", "tls", "websocket", "xmpp",
];

/// Protocols of a single product. All others are spoken by many, however few of the loaded documents name them.
const OF_ONE_PRODUCT: &[&str] = &["crqt", "shared_variables", "teatime"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_are_searched_are_sorted() {
        assert!(COMMON_PROTOCOLS.is_sorted() && BACKGROUND.is_sorted());
        for list in [COMMON_TCP, COMMON_UDP] {
            assert!(list.is_sorted_by_key(|range| range.low));
        }
    }

    #[test]
    fn ports_of_daily_use_are_common_and_vendor_ports_are_not() {
        for port in [21, 25, 53, 80, 88, 161, 389, 443, 445, 636, 1099, 1389, 1433, 1434, 1521, 3306, 5222, 5432, 5701, 5900, 20000] {
            assert!(is_common(Transport::TCP, port), "{port}");
        }
        for port in [8883, 5684, 6900, 6905, 9802, 5421, 9995] {
            assert!(!is_common(Transport::TCP, port), "{port}");
        }
        assert!(is_common(Transport::UDP, 68) && !is_common(Transport::UDP, 43215));
    }

    #[test]
    fn only_the_documents_own_word_claims_a_port() {
        let claims = Claims::new(Signatures::built_in());
        for port in [8883, 5684, 6900, 6909, 9802, 9995, 5521] {
            assert!(claims.alone(Transport::TCP, port).is_some(), "{port}");
        }
        // Of supplements: CAYIN's log port, TIBCO EMS over TLS, Cinegy's images. Without a format to hold bytes against: CAYIN commands, Cinegy RPC.
        for port in [35_000, 7243, 12_600, 20_001, 5321, 5437] {
            assert_eq!(claims.alone(Transport::TCP, port), None, "{port}");
        }
    }

    #[test]
    fn every_protocol_of_one_product_is_one_that_signatures_can_name() {
        assert!(OF_ONE_PRODUCT.iter().all(|name| is_protocol_name(name)));
    }
}
