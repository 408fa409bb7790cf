//! One row of a document, told to a person. Whose word each statement is, is always said.

use std::io::{self, Write};

use crate::net::Transport;
use crate::report::paragraph::{labelled, linked, listed, wrapped};
use crate::signature::{Basis, Citation, Direction, PromiseKind, RoleId, Service, Signatures};

/// Tells a row: who asks whom, since when, what the bytes are, what is written, what stops without it. `port` is the one that was asked for.
pub fn tell(all: &Signatures, service: &Service, port: Option<u16>, out: &mut dyn Write) -> io::Result<()> {
    wrapped(out, "", &heading(service))?;
    labelled(out, "Who", &format!("{}; {}", ends(all, service), direction(service.direction)))?;
    labelled(out, "Port", &port_line(service, port))?;
    labelled(out, "Bytes", &bytes(service))?;
    names(service, out)?;
    cite(all, service.document, service.basis, &service.citation, out)?;
    if let Some(supplement) = &service.supplement {
        labelled(out, "Supplement", &format!("not in the document, but {} says: {}", supplement.url, supplement.says))?;
    }
    if let Some(blocked) = blocked(service) {
        labelled(out, "If blocked", &blocked)?;
    }
    let fallback: Vec<&str> = service.fallback.iter().map(|id| all.service(*id).id.as_str()).collect();
    if !fallback.is_empty() {
        labelled(out, "Then", &format!("{} takes over (our inference)", listed(&fallback, "or")))?;
    }
    let optional = [("Needed", &service.mandatory), ("Firewall", &service.firewall), ("URL res.", &service.url_reservation), ("Ask for", &service.remedy)];
    for (label, text) in optional.iter().filter_map(|(label, text)| Some((label, text.as_ref()?))) {
        let flag = *label != "Needed" && text.len() <= LONGEST_FLAG;
        labelled(out, label, &if flag { format!("the document's column says {text}") } else { (*text).clone() })?;
    }
    if let Some(place) = &service.configurable {
        let lent = service.supplement.as_ref().is_some_and(|supplement| supplement.configurable.is_some());
        labelled(out, "Change at", &format!("{place}{}", if lent { " (by the supplement)" } else { "" }))?;
    }
    service.note.as_ref().map_or(Ok(()), |note| labelled(out, "Note", note))
}

/// The row in two lines: id and name, then port, ends and protocol.
pub fn brief(all: &Signatures, service: &Service, out: &mut dyn Write) -> io::Result<()> {
    wrapped(out, "", &heading(service))?;
    labelled(out, "", &format!("{}; {}; {}", where_at(service), ends(all, service), service.protocol_name))
}

/// `8883/tcp`, `5684/tcp and udp`, `port learned from an SSDP answer`, `icmp, which has no ports`, `port not stated`.
pub fn where_at(service: &Service) -> String {
    let transports: Vec<String> = service.transports.iter().map(ToString::to_string).collect();
    let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
    let learned: Vec<&str> = service.learned_from.iter().map(|kind| promise(*kind)).collect();
    match (ports.is_empty(), learned.is_empty()) {
        (false, _) if transports.is_empty() => ports.join(", "),
        (false, _) => format!("{}/{}", ports.join(", "), listed(&transports, "and")),
        (true, false) => format!("{} port learned from {}", listed(&transports, "and"), listed(&learned, "or")),
        (true, true) if !transports.is_empty() && service.transports.iter().all(|transport| !transport.has_ports()) => {
            format!("{}, which {} no ports", listed(&transports, "and"), if transports.len() == 1 { "has" } else { "have" })
        }
        (true, true) => "port not stated".to_owned(),
    }
}

/// Who asks whom: the roles' names.
pub fn ends(all: &Signatures, service: &Service) -> String {
    let names = |roles: &[RoleId]| roles.iter().map(|role| all.role(*role).name.as_str()).collect::<Vec<_>>();
    format!("{} -> {}", listed(&names(&service.client), "or"), listed(&names(&service.server), "or"))
}

/// The same by the roles' ids.
pub fn role_ids(all: &Signatures, service: &Service) -> String {
    let ids = |roles: &[RoleId]| roles.iter().map(|role| all.role(*role).id.as_str()).collect::<Vec<_>>();
    format!("{} -> {}", listed(&ids(&service.client), "or"), listed(&ids(&service.server), "or"))
}

/// What is written, and by whom.
pub fn cite(all: &Signatures, document: u16, basis: Basis, citation: &Citation, out: &mut dyn Write) -> io::Result<()> {
    let document = all.document(document);
    let words = if citation.verbatim { format!("\"{}\"", citation.quote) } else { citation.quote.clone() };
    let section = if citation.section.is_empty() { String::new() } else { format!(", {}", citation.section) };
    match basis {
        Basis::Document => {
            let label = linked("Document", citation.url.as_deref().or(document.url.as_deref()));
            wrapped(out, &format!("  {label}   "), &format!("the document says: {words} ({}, \"{}\"{section})", document.vendor_name, document.title))
        }
        Basis::User => labelled(out, "Your file", &format!("says: {words} ({}, \"{}\"{section})", document.vendor_name, document.title)),
        Basis::Supplement => {
            let source = citation.url.as_deref().unwrap_or("another source");
            labelled(out, "Supplement", &format!("not in the document; {source} states: {words}"))
        }
    }
}

/// What announces a port, in words.
pub const fn promise(kind: PromiseKind) -> &'static str {
    match kind {
        PromiseKind::FtpPassive => "an FTP 227 or 229 reply",
        PromiseKind::FtpActive => "an FTP PORT or EPRT command",
        PromiseKind::SsdpLocation => "the LOCATION of an SSDP answer",
        PromiseKind::UpnpMapping => "a UPnP AddPortMapping",
        PromiseKind::Crqt => "a CRQT broadcast",
        PromiseKind::SqlBrowser => "SQL Server Browser",
        PromiseKind::Media => "RTSP, SIP or SDP",
        PromiseKind::Rmi => "a Java RMI reference",
        PromiseKind::DnsSrv => "a DNS SRV record",
        PromiseKind::Tftp => "a TFTP request",
    }
}

/// How a protocol is written for people.
pub fn spoken(protocol: &str) -> String {
    let known = SPOKEN.iter().find(|(name, _)| *name == protocol).map(|(_, words)| (*words).to_owned());
    known.unwrap_or_else(|| protocol.to_ascii_uppercase())
}

fn heading(service: &Service) -> String {
    let basis = match service.basis {
        Basis::Document => "",
        Basis::Supplement => " [supplement]",
        Basis::User => " [your file]",
    };
    format!("{} - {}{basis}", service.id, service.name)
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "inbound to the product",
        Direction::Out => "outbound from the product",
        Direction::OutOnly => "outbound only, the other way is excluded",
        Direction::Internal => "between parts of the installation",
        Direction::Discovery => "discovery on the LAN",
        Direction::Unknown => "the direction is not stated, both ways are accepted",
    }
}

fn port_line(service: &Service, port: Option<u16>) -> String {
    let mut line = vec![where_at(service)];
    if !service.ports.is_empty() && !service.learned_from.is_empty() {
        let kinds: Vec<&str> = service.learned_from.iter().map(|kind| promise(*kind)).collect();
        line.push(format!("announced by {}", listed(&kinds, "or")));
    }
    if let (Some(port), Some(instance)) = (port, &service.instance)
        && let Some(number) = service.instance_of(port)
    {
        line.push(format!("{port} is {} {number} ({} + {number})", instance.label, instance.base));
    } else if let Some(instance) = &service.instance {
        line.push(format!("{} + N, N the {} number", instance.base, instance.label));
    }
    if let Some(port) = port
        && service.basis == Basis::Document
        && service.transports.iter().chain([&Transport::TCP]).any(|transport| service.port_basis(*transport, port) == Some(Basis::Supplement))
    {
        line.push(format!("{port} is the supplement's number, not the document's"));
    }
    if let Some(since) = &service.since {
        line.push(format!("since {} {}", since.what, since.version));
    }
    if let Some(only) = &service.only_in {
        line.push(format!("{only} only"));
    }
    let lent = service.supplement.as_ref().is_some_and(|supplement| supplement.default_on.is_some());
    let by = if lent { " (by the supplement)" } else { "" };
    line.push(match service.default_on {
        Some(true) => format!("on by default{by}"),
        Some(false) => format!("off by default{by}"),
        None => "on or off by default: not said".to_owned(),
    });
    line.join("; ")
}

fn bytes(service: &Service) -> String {
    let stacks: Vec<String> = service.protocols.iter().map(|stack| stack.iter().map(|name| spoken(name)).collect::<Vec<_>>().join(" with ")).collect();
    if stacks.is_empty() {
        return format!("{}; no published wire format, so the bytes are not held against it", service.protocol_name);
    }
    let both = ["TLS", "DTLS"].iter().all(|name| stacks.iter().any(|stack| stack == name));
    let fits = if both { "TLS over TCP, DTLS over UDP".to_owned() } else { listed(&stacks, "or") };
    let mut text = if fits.eq_ignore_ascii_case(&service.protocol_name) { fits } else { format!("{}: {fits}", service.protocol_name) };
    match service.encrypted {
        Some(true) => text += ", never in clear",
        Some(false) => text += ", in clear",
        None => {}
    }
    let mut outer: Vec<&str> = service.protocols.iter().filter_map(|stack| stack.first()).map(String::as_str).collect();
    outer.dedup();
    for name in outer {
        if let Some((_, opening)) = OPENINGS.iter().find(|(known, _)| *known == name) {
            text += &format!("; {opening}");
        }
    }
    text
}

fn names(service: &Service, out: &mut dyn Write) -> io::Result<()> {
    if !service.paths.is_empty() {
        labelled(out, "Path", &service.paths.join(", "))?;
    }
    let of = |broad: bool| service.hosts.iter().filter(|host| host.broad == broad).map(|host| host.pattern.as_str()).collect::<Vec<_>>().join(", ");
    let (own, broad) = (of(false), of(true));
    if !own.is_empty() {
        labelled(out, "Names", &own)?;
    }
    if !broad.is_empty() {
        labelled(out, "Names", &format!("{broad} (shared with others, weak alone)"))?;
    }
    let addresses: Vec<String> = service.addresses.iter().map(ToString::to_string).collect();
    if addresses.is_empty() { Ok(()) } else { labelled(out, "Addresses", &addresses.join(", ")) }
}

fn blocked(service: &Service) -> Option<String> {
    let consequence = service.consequence.as_ref()?;
    let whose = match (&consequence.quote, service.basis) {
        (Some(quote), Basis::Document) => format!(" The document says: \"{quote}\""),
        (Some(quote), _) => format!(" \"{quote}\""),
        (None, Basis::User) => " (Your file says so.)".to_owned(),
        (None, _) => " (Our inference, the document does not say.)".to_owned(),
    };
    let silent = if service.answered { "" } else { " No answer is due, so silence proves nothing." };
    Some(format!("{}{whose}{silent}", consequence.says))
}

/// `Yes`, `No`, `N/A`: table cells that say little without their column. Longer texts are sentences.
const LONGEST_FLAG: usize = 3;
/// Sorted by name.
const SPOKEN: &[(&str, &str)] = &[
    ("coap", "CoAP"),
    ("dotnet_remoting", ".NET Remoting"),
    ("grpc", "gRPC"),
    ("hazelcast", "Hazelcast"),
    ("ignite", "Apache Ignite"),
    ("java_rmi", "Java RMI"),
    ("kerberos", "Kerberos"),
    ("mdns", "multicast DNS"),
    ("netbios_ssn", "NetBIOS session"),
    ("oracle_tns", "Oracle TNS"),
    ("postgresql", "PostgreSQL"),
    ("quic", "QUIC"),
    ("syslog", "syslog"),
    ("teatime", "TeaTime"),
    ("upnp", "UPnP"),
    ("webdav", "WebDAV"),
];

/// How a flow of each protocol begins, sorted by name: what a colleague looks for in the first packet with data.
const OPENINGS: &[(&str, &str)] = &[
    ("crqt", "a datagram of \"CRQT\", the dispatcher's TCP port and the session id"),
    ("dhcp", "a message with the cookie 63 82 53 63 at offset 236"),
    ("dns", "a DNS header, over TCP with its length in front"),
    ("dotnet_remoting", "the client begins with 2E 4E 45 54 01 00 (\".NET\")"),
    ("dtls", "the client begins with a DTLS handshake record (16 FE FD or 16 FE FF)"),
    ("ftp", "the server begins with 220"),
    ("http", "the client begins with a method, a path and HTTP/1.x"),
    ("ignite", "the client begins with 00 00 47 47 (unverified)"),
    ("java_rmi", "the client begins with \"JRMI\""),
    ("ldap", "the client begins with a BER sequence (30) and a message id"),
    ("llmnr", "a DNS header, the query to 224.0.0.252 or ff02::1:3"),
    ("mdns", "a DNS header, to 224.0.0.251 or ff02::fb"),
    ("ntp", "48 bytes or more, mode 3 asking and mode 4 answering"),
    ("rfb", "the server begins with \"RFB 003.\""),
    ("smtp", "the server begins with 220, the client with EHLO or HELO"),
    ("snmp", "a BER sequence (30) and the version"),
    ("srt", "a handshake packet (80 00 00 00)"),
    ("ssdp", "M-SEARCH, NOTIFY or HTTP/1.1 200 in one datagram"),
    ("ssrp", "one byte 02, 03 or 04 asking, 05 answering"),
    ("syslog", "a priority in angle brackets: <PRI>"),
    ("tds", "the client begins with a PRELOGIN (12 01)"),
    ("teatime", "the client begins with a 16-byte session id, then frames whose CRC-32 verifies"),
    ("tls", "the client begins with a TLS ClientHello (16 03)"),
    ("xmpp", "the client begins with <?xml or <stream:stream"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_name_known_protocols() {
        for table in [SPOKEN, OPENINGS] {
            assert!(table.is_sorted_by_key(|(name, _)| *name));
            assert!(table.iter().all(|(name, _)| crate::signature::is_protocol_name(name)));
        }
    }
}
