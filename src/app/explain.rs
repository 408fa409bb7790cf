//! `portbook explain QUERY`: what the documents say about a port, a protocol, a row, a host name, an address, a role or a vendor, and what the words of
//! reports mean.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use crate::app::row::{brief, cite, promise, role_ids, spoken, tell, where_at};
use crate::app::term;
use crate::net::{self, Transport};
use crate::report::paragraph::{count, labelled, listed, wrapped};
use crate::signature::{Basis, MarkKind, PROTOCOL_NAMES, PortRange, RoleId, Rule, RuleEffect, Service, ServiceId, Signatures, is_protocol_name, nearest};

/// How a query was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Something is written about it.
    Written,
    /// The query is understood, and no document mentions it.
    Nothing,
    /// It is no port, protocol, id, name, address, role, vendor or word of reports; the nearest word was offered.
    NotUnderstood,
}

/// Answers one query.
///
/// # Errors
///
/// Those of the writer.
pub fn explain(signatures: &Signatures, query: &str, out: &mut dyn Write) -> io::Result<Found> {
    let query = query.trim();
    let word = query.to_ascii_lowercase();
    if let Some(id) = signatures.service_id(query).or_else(|| signatures.service_id(&word)) {
        return one_row(signatures, id, out);
    }
    if let Some(rule) = signatures.rules.iter().find(|rule| rule.id == word) {
        return one_rule(signatures, rule, out);
    }
    if let Some(role) = signatures.role_id(&word) {
        return one_role(signatures, role, out);
    }
    if let Some((transport, port)) = port(&word) {
        return one_port(signatures, transport, port, out);
    }
    if let Some((transports, ranges)) = ports(&word) {
        return many_ports(signatures, &transports, &ranges, out);
    }
    if let Ok(address) = word.parse::<IpAddr>() {
        return one_address(signatures, address, out);
    }
    if signatures.documents.iter().any(|document| document.vendor == word) {
        return one_vendor(signatures, &word, out);
    }
    if term::is_known(&word) {
        return term::tell(&word, out).map(|()| Found::Written);
    }
    let said = ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word.as_str(), |(_, name)| name);
    if is_protocol_name(said) || !signatures.speaking(&word).is_empty() {
        return one_protocol(signatures, &word, said, out);
    }
    if word.contains('.') && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return one_host(signatures, &word, out);
    }
    let named: Vec<ServiceId> = signatures.services().filter(|(_, row)| row.name.to_ascii_lowercase() == word).map(|(id, _)| id).collect();
    if let [first, rest @ ..] = named.as_slice() {
        one_row(signatures, *first, out)?;
        for id in rest {
            writeln!(out)?;
            one_row(signatures, *id, out)?;
        }
        return Ok(Found::Written);
    }
    // `22/tcp (ssh)`, as findings are headed that are about no row.
    match word.split_once(" (") {
        Some((place, _)) if port(place).is_some() => explain(signatures, place, out),
        _ => not_understood(signatures, query, &word, out),
    }
}

/// `8883/tcp`, `tcp/8883`, `8883`, `:8883`.
fn port(word: &str) -> Option<(Option<Transport>, u16)> {
    let (left, right) = word.split_once('/').map_or((word, None), |(left, right)| (left, Some(right)));
    match right {
        None => Some((None, left.strip_prefix(':').unwrap_or(left).parse().ok()?)),
        Some(right) => {
            let (number, transport) = if left.bytes().all(|byte| byte.is_ascii_digit()) { (left, right) } else { (right, left) };
            let transport = Transport::from_name(transport).filter(|transport| transport.has_ports())?;
            Some((Some(transport), number.parse().ok()?))
        }
    }
}

/// `6900-6909/tcp`, `80, 443`, `5684/tcp and udp`, `tcp 6900-6909`: as rows and filters print their ports. Without a transport all that have ports are meant.
fn ports(word: &str) -> Option<(Vec<Transport>, Vec<PortRange>)> {
    let (left, right) = word.split_once('/').or_else(|| word.split_once(' ').filter(|(left, _)| Transport::from_name(left).is_some())).unwrap_or((word, ""));
    let (numbers, transports) = if left.starts_with(|first: char| first.is_ascii_digit()) { (left, right) } else { (right, left) };
    let with_ports = |name: &str| Transport::from_name(name.trim()).filter(|transport| transport.has_ports());
    let transports = match transports {
        "" => WITH_PORTS.to_vec(),
        transports => transports.split(" and ").flat_map(|some| some.split(',')).map(with_ports).collect::<Option<_>>()?,
    };
    let range = |text: &str| {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let range = PortRange { low: low.trim().parse().ok()?, high: high.trim().parse().ok()? };
        (range.low <= range.high).then_some(range)
    };
    Some((transports, numbers.split(',').map(range).collect::<Option<_>>()?))
}

/// Rows that have one of several ports.
fn many_ports(all: &Signatures, transports: &[Transport], ranges: &[PortRange], out: &mut dyn Write) -> io::Result<Found> {
    let meets = |row: &Service| row.ports.iter().any(|port| ranges.iter().any(|range| port.low <= range.high && range.low <= port.high));
    let carried = |row: &Service| row.transports.is_empty() || row.transports.iter().any(|transport| transports.contains(transport));
    let rows: Vec<ServiceId> = all.services().filter(|(_, row)| meets(row) && carried(row)).map(|(id, _)| id).collect();
    let asked: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    let by: Vec<String> = transports.iter().map(ToString::to_string).collect();
    let by = if transports == WITH_PORTS { String::new() } else { format!("/{}", listed(&by, "and")) };
    let asked = format!("{}{by}", asked.join(", "));
    if rows.is_empty() {
        writeln!(out, "No row of a document mentions a port of {asked}.")?;
        return Ok(Found::Nothing);
    }
    wrapped(out, "", &format!("{asked}: {} of {}.", count(rows.len(), "row"), listed(&vendors(all, &rows), "and")))?;
    writeln!(out)?;
    rows.iter().try_for_each(|id| brief(all, all.service(*id), out))?;
    writeln!(out, "\nMore on a row: portbook explain ID")?;
    Ok(Found::Written)
}

fn one_port(all: &Signatures, transport: Option<Transport>, port: u16, out: &mut dyn Write) -> io::Result<Found> {
    let asked = transport.map_or_else(|| format!("port {port}"), |transport| format!("{port}/{transport}"));
    let transports: &[Transport] = transport.as_ref().map_or(WITH_PORTS, std::slice::from_ref);
    let found: BTreeSet<ServiceId> = transports.iter().flat_map(|transport| all.at(*transport, port)).collect();
    let mut rows: Vec<ServiceId> = found.iter().copied().collect();
    rows.sort_by_key(|id| (all.service(*id).range_of(port).map(|range| range.width()), all.service(*id).basis, *id));
    if rows.is_empty() {
        writeln!(out, "No row of a document mentions {asked}.")?;
    } else {
        wrapped(out, "", &format!("{asked}: {} of {}.", count(rows.len(), "row"), listed(&vendors(all, &rows), "and")))?;
    }
    for id in &rows {
        writeln!(out)?;
        tell(all, all.service(*id), Some(port), out)?;
    }
    told_apart(all, &rows, port, out)?;
    near(all, transport, port, &found, out)?;
    rules_of(all, &rows, |rule| rule.ports.iter().any(|range| range.contains(port)), out)?;
    Ok(if rows.is_empty() { Found::Nothing } else { Found::Written })
}

/// How rivals on one port are told apart.
fn told_apart(all: &Signatures, rows: &[ServiceId], port: u16, out: &mut dyn Write) -> io::Result<()> {
    if rows.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\nWhat tells them apart")?;
    let rows: Vec<&Service> = rows.iter().map(|id| all.service(*id)).collect();
    let signs: [Sign<'_>; 6] = [
        ("Transport", "any", &|row| row.transports.iter().map(ToString::to_string).collect()),
        ("Announced", "by nothing", &|row| row.learned_from.iter().map(|kind| promise(*kind).to_owned()).collect()),
        ("Bytes", "anything", &|row| row.protocols.iter().flatten().map(|name| spoken(name)).collect()),
        ("Path", "any", &|row| row.paths.iter().filter(|path| *path != "/").cloned().collect()),
        ("Name", "any", &|row| row.hosts.iter().map(|host| host.pattern.clone()).collect()),
        ("Who asks", "", &|row| vec![role_ids(all, row)]),
    ];
    let key = |row: &Service| signs.iter().map(|(_, _, sign)| sign(row)).collect::<Vec<_>>();
    for (label, none, sign) in &signs {
        let mut groups: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
        for row in &rows {
            let says = sign(row);
            match groups.iter_mut().find(|(known, _)| *known == says) {
                Some((_, ids)) => ids.push(&row.id),
                None => groups.push((says, vec![&row.id])),
            }
        }
        for (says, ids) in groups.iter().filter(|_| groups.len() > 1) {
            let says = if says.is_empty() { (*none).to_owned() } else { listed(says, "or") };
            labelled(out, label, &format!("{says}: {}", listed(ids, "or")))?;
        }
    }
    for (nth, row) in rows.iter().enumerate() {
        let alike: Vec<&Service> = rows.iter().copied().filter(|other| key(other) == key(row)).collect();
        if alike.len() > 1 && rows.iter().position(|other| key(other) == key(row)) == Some(nth) {
            tell_alike(&alike, port, out)?;
        }
    }
    Ok(())
}

/// Of rows that nothing on the wire tells apart, which goes first: yours, then the document's, then the narrower range.
fn tell_alike(alike: &[&Service], port: u16, out: &mut dyn Write) -> io::Result<()> {
    let place = |row: &Service| (row.basis != Basis::User, row.basis, row.range_of(port).map(|range| range.width()));
    let mut steps: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    alike.iter().for_each(|row| steps.entry(place(row)).or_default().push(&row.id));
    if steps.len() > 1 {
        let order: Vec<String> = steps.values().map(|ids| listed(ids, "or")).collect();
        labelled(out, "Else", &format!("your own row goes first, then the document's, then the narrower range: {}", order.join(", then ")))?;
    }
    for ids in steps.values().filter(|ids| ids.len() > 1) {
        labelled(out, "Nothing", &format!("on the wire tells {} apart", listed(ids, "and")))?;
    }
    Ok(())
}

/// What tells rows apart: its label, the word where a row has none, and how a row shows it.
type Sign<'a> = (&'static str, &'static str, &'a dyn Fn(&Service) -> Vec<String>);

/// Rows just outside, and the same number on another transport.
fn near(all: &Signatures, transport: Option<Transport>, port: u16, found: &BTreeSet<ServiceId>, out: &mut dyn Write) -> io::Result<()> {
    let reach = if found.is_empty() { 10 } else { 1 };
    let beside = |service: &Service| {
        let distance = |low: u16, high: u16| low.saturating_sub(port).max(port.saturating_sub(high));
        service.ports.iter().map(|range| distance(range.low, range.high)).min().is_some_and(|distance| distance <= reach)
    };
    let rows: Vec<&Service> = all.services().filter(|(id, service)| !found.contains(id) && beside(service)).map(|(_, service)| service).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let title = if transport.is_some() { "Just outside, or on another transport" } else { "Just outside" };
    writeln!(out, "\n{title}")?;
    rows.iter().try_for_each(|service| labelled(out, "", &format!("{} ({}): {}", service.id, where_at(service), service.name)))
}

/// Sentences of the documents that name one of the rows, or are otherwise about what was asked.
fn rules_of(all: &Signatures, rows: &[ServiceId], about: impl Fn(&Rule) -> bool, out: &mut dyn Write) -> io::Result<()> {
    let told: Vec<&str> = rows
        .iter()
        .map(|id| all.service(*id))
        .flat_map(|row| [Some(&row.citation.quote), row.consequence.as_ref().and_then(|told| told.quote.as_ref())])
        .flatten()
        .map(String::as_str)
        .collect();
    let named = all.rules.iter().filter(|rule| rule.services.iter().any(|id| rows.contains(id)) || about(rule));
    let named: Vec<&Rule> = named.filter(|rule| rule.effect != RuleEffect::Consequence || !told.contains(&rule.citation.quote.as_str())).collect();
    if named.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWorth knowing")?;
    named.iter().try_for_each(|rule| {
        wrapped(out, "  ", &format!("{} ({})", rule.says, rule.id))?;
        if told.contains(&rule.citation.quote.as_str()) { Ok(()) } else { cite(all, rule.document, rule.basis, &rule.citation, out) }
    })
}

fn one_row(all: &Signatures, id: ServiceId, out: &mut dyn Write) -> io::Result<Found> {
    let service = all.service(id);
    tell(all, service, None, out)?;
    let mut rivals: BTreeSet<ServiceId> = BTreeSet::new();
    for transport in &service.transports {
        rivals.extend(service.ports.iter().flat_map(|range| [range.low, range.high]).flat_map(|port| all.at(*transport, port)));
    }
    rivals.remove(&id);
    if !rivals.is_empty() {
        writeln!(out, "\nOn the same port")?;
        for rival in rivals {
            let rival = all.service(rival);
            labelled(out, "", &format!("{} ({}): {}", rival.id, where_at(rival), rival.name))?;
        }
    }
    rules_of(all, &[id], |_| false, out)?;
    Ok(Found::Written)
}

fn one_rule(all: &Signatures, rule: &Rule, out: &mut dyn Write) -> io::Result<Found> {
    wrapped(out, "", &format!("{} - {}", rule.id, rule.says))?;
    cite(all, rule.document, rule.basis, &rule.citation, out)?;
    let services: Vec<&str> = rule.services.iter().map(|id| all.service(*id).id.as_str()).collect();
    if !services.is_empty() {
        labelled(out, "About", &services.join(", "))?;
    }
    Ok(Found::Written)
}

fn one_role(all: &Signatures, role: RoleId, out: &mut dyn Write) -> io::Result<Found> {
    let known = all.role(role);
    let document = all.document(known.document);
    wrapped(out, "", &format!("{} - {} ({}, \"{}\")", known.id, known.name, document.vendor_name, document.title))?;
    for mark in &known.marks {
        labelled(out, "Known by", &format!("{} {} (not in the document: {})", seen(mark.kind), mark.pattern, mark.url))?;
    }
    for (title, as_client) in [("Opens", true), ("Is asked", false)] {
        let plays = |service: &Service| if as_client { service.client.contains(&role) } else { service.server.contains(&role) };
        let rows: Vec<&Service> = all.of_role(role).iter().map(|id| all.service(*id)).filter(|service| plays(service)).collect();
        if rows.is_empty() {
            continue;
        }
        writeln!(out, "\n{title}")?;
        rows.iter().try_for_each(|service| brief(all, service, out))?;
    }
    Ok(Found::Written)
}

fn one_vendor(all: &Signatures, vendor: &str, out: &mut dyn Write) -> io::Result<Found> {
    for (at, document) in (0_u16..).zip(&all.documents).filter(|(_, document)| document.vendor == vendor) {
        let rows: Vec<&Service> = all.services.iter().filter(|service| service.document == at).collect();
        let place = document.url.as_deref().unwrap_or("no address");
        wrapped(out, "", &format!("{}, \"{}\": {} ({place})", document.vendor_name, document.title, count(rows.len(), "row")))?;
        writeln!(out)?;
        rows.iter().try_for_each(|service| brief(all, service, out))?;
        writeln!(out, "\nRules")?;
        for rule in all.rules.iter().filter(|rule| rule.document == at) {
            wrapped(out, "  ", &format!("{} [{}] ({})", rule.says, rule.basis.name(), rule.id))?;
        }
    }
    Ok(Found::Written)
}

fn one_protocol(all: &Signatures, word: &str, name: &str, out: &mut dyn Write) -> io::Result<Found> {
    let rows: BTreeSet<ServiceId> = all.speaking(word).iter().chain(all.speaking(name)).copied().collect();
    if rows.is_empty() {
        writeln!(out, "No row of a document mentions {}.", spoken(name))?;
        rules_of(all, &[], |rule| rule.protocols.iter().any(|known| known == name), out)?;
        return Ok(Found::Nothing);
    }
    let ids: Vec<ServiceId> = rows.into_iter().collect();
    wrapped(out, "", &format!("{}: {} of {}.", spoken(name), count(ids.len(), "row"), listed(&vendors(all, &ids), "and")))?;
    writeln!(out)?;
    for service in ids.iter().map(|id| all.service(*id)) {
        if ids.len() <= TOLD_IN_FULL {
            tell(all, service, None, out)?;
            writeln!(out)?;
        } else {
            brief(all, service, out)?;
            cite(all, service.document, service.basis, &service.citation, out)?;
        }
    }
    if ids.len() <= TOLD_IN_FULL {
        rules_of(all, &ids, |rule| rule.protocols.iter().any(|known| known == name), out)?;
    } else {
        writeln!(out, "\nMore on a row: portbook explain ID")?;
    }
    Ok(Found::Written)
}

fn one_host(all: &Signatures, name: &str, out: &mut dyn Write) -> io::Result<Found> {
    let rows = all.named(name);
    if rows.is_empty() {
        writeln!(out, "No document names {name}, and no pattern of one matches it.")?;
        // A role that is spelt another way looks like a name.
        let is_ours = |role: &&str| role.split('.').next() == name.split('.').next();
        if let Some(role) = nearest(name, all.roles.iter().map(|role| role.id.as_str()).filter(is_ours)) {
            writeln!(out, "Nearest: {role}")?;
        }
        return Ok(Found::Nothing);
    }
    wrapped(out, "", &format!("{name} matches {} of {}.", count(rows.len(), "row"), listed(&vendors(all, &rows), "and")))?;
    for service in rows.iter().map(|id| all.service(*id)) {
        let pattern = service.hosts.iter().filter(|host| host.matches(name)).min_by_key(|host| host.broad);
        let by = pattern.map_or_else(String::new, |host| format!("{}{}", host.pattern, if host.broad { " (shared with others, weak alone)" } else { "" }));
        writeln!(out)?;
        tell(all, service, None, out)?;
        labelled(out, "Matches", &by)?;
    }
    rules_of(all, &rows, |_| false, out)?;
    Ok(Found::Written)
}

fn one_address(all: &Signatures, address: IpAddr, out: &mut dyn Write) -> io::Result<Found> {
    let rows: Vec<ServiceId> = all.services().filter(|(_, service)| service.addresses.contains(&address)).map(|(id, _)| id).collect();
    if rows.is_empty() {
        let kind = if net::is_group(address) {
            "a group or broadcast address"
        } else if net::is_private(address) {
            "a private address"
        } else {
            "a public address"
        };
        wrapped(out, "", &format!("No document names {address}, {kind}. Roles are given to addresses by --role."))?;
        return Ok(Found::Nothing);
    }
    for (nth, id) in rows.iter().enumerate() {
        if nth > 0 {
            writeln!(out)?;
        }
        tell(all, all.service(*id), None, out)?;
    }
    rules_of(all, &rows, |_| false, out)?;
    Ok(Found::Written)
}

fn not_understood(all: &Signatures, query: &str, word: &str, out: &mut dyn Write) -> io::Result<Found> {
    let words: Vec<&str> = PROTOCOL_NAMES.iter().copied().chain(term::all()).collect();
    let known = all.services.iter().map(|service| service.id.as_str()).chain(all.roles.iter().map(|role| role.id.as_str()));
    let known = known.chain(all.documents.iter().map(|document| document.vendor.as_str())).chain(words);
    let says = format!("\"{query}\" is no port, protocol, row, role, vendor, host name or address that the documents know, and no word of reports.");
    wrapped(out, "", &says)?;
    match nearest(word, known) {
        Some(right) => writeln!(out, "Nearest: {right}")?,
        None => wrapped(out, "", "Ask for 8883/tcp, 5684, mqtt, spinetix-out-mqtt, spinetix.player, cobalt, x.services.spinetix.com, silent_drop or D20.")?,
    }
    Ok(Found::NotUnderstood)
}

const fn seen(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::MacPrefix => "hardware addresses that begin with",
        MarkKind::HttpHeader => "the HTTP header",
        MarkKind::MdnsName => "the multicast DNS name",
        MarkKind::CertificateName => "the name in its certificate",
        MarkKind::HostName => "the host name",
        MarkKind::Software => "software that says it is",
        MarkKind::Speaks => "the protocol",
    }
}

fn vendors(all: &Signatures, rows: &[ServiceId]) -> Vec<String> {
    let documents: BTreeSet<u16> = rows.iter().map(|id| all.service(*id).document).collect();
    documents.into_iter().map(|document| all.document(document)).map(|document| format!("{}, \"{}\"", document.vendor_name, document.title)).collect()
}

/// Transports whose flows have ports.
const WITH_PORTS: &[Transport] = &[Transport::TCP, Transport::UDP, Transport::SCTP];
/// Rows up to which a protocol's answer tells each in full.
const TOLD_IN_FULL: usize = 3;
/// Words people use for protocols that records name otherwise.
const ALIASES: &[(&str, &str)] =
    &[("bonjour", "mdns"), ("coaps", "coap"), ("https", "tls"), ("jabber", "xmpp"), ("jmx", "java_rmi"), ("mqtts", "mqtt"), ("ssl", "tls"), ("vnc", "rfb")];
