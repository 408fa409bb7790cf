//! What the protocols' tests share: probing openings, reading dialogues, cutting them everywhere.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Appetite, Opening, PROTOCOLS, Piece, Probe, Protocol, Said};
use crate::capture::FrameId;
use crate::flow::Parties;
use crate::identify::wire::is_unprintable;
use crate::identify::{Detail, DetailValue, Evidence, Fact, Resolved};
use crate::limit;
use crate::net::{Endpoint, Side, Transport};
use crate::signature::PromiseKind;
use crate::time::Timestamp;

/// 10.0.0.1:50000 asks 10.0.0.2 at this port.
pub fn parties(transport: Transport, port: u16) -> Parties {
    let (client, server) = ends(port);
    Parties { transport, client, server }
}

pub fn ends(port: u16) -> (Endpoint, Endpoint) {
    let end = |last, port| Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port };
    (end(1, 50_000), end(2, port))
}

/// An opening with nothing said yet.
pub fn opening<'a>(transport: Transport, port: u16, client: &'a [u8], server: &'a [u8]) -> Opening<'a> {
    let first = if client.is_empty() { Side::Server } else { Side::Client };
    let latest = if server.is_empty() { (Side::Client, client) } else { (Side::Server, server) };
    Opening { ends: ends(port), first, latest, ..Opening::of(transport, client, server) }
}

/// What a probe says once no more will come.
pub fn decide(protocol: &dyn Protocol, transport: Transport, port: u16, client: &[u8], server: &[u8]) -> Probe {
    protocol.probe(&Opening { complete: true, ..opening(transport, port, client, server) })
}

/// The evidence of what was found; none where nothing was.
pub fn evidence(probe: Probe) -> Evidence {
    match probe {
        Probe::Found { evidence, .. } => evidence,
        _ => Evidence::None,
    }
}

/// What a reader made of a dialogue.
#[derive(Debug)]
pub struct Heard {
    /// Facts in order.
    pub facts: Vec<Fact>,
    /// Details in order.
    pub details: Vec<Detail>,
    /// The evidence it was raised to.
    pub evidence: Evidence,
    /// The last thing the reader wanted.
    pub appetite: Appetite,
}

/// Reads a dialogue to its end, or until the reader has enough.
pub fn read(protocol: &dyn Protocol, transport: Transport, port: u16, dialogue: &[(Side, &[u8])]) -> Heard {
    let whole: Vec<_> = dialogue.iter().map(|(from, bytes)| (*from, 0, *bytes)).collect();
    read_torn(protocol, transport, port, &whole)
}

/// The same, where so many bytes are missing before a piece.
pub fn read_torn(protocol: &dyn Protocol, transport: Transport, port: u16, dialogue: &[(Side, u64, &[u8])]) -> Heard {
    read_spaced(protocol, transport, port, Duration::ZERO, dialogue)
}

/// The same, where each piece comes so long after the one before it.
pub fn read_spaced(protocol: &dyn Protocol, transport: Transport, port: u16, gap: Duration, dialogue: &[(Side, u64, &[u8])]) -> Heard {
    let mut reader = protocol.reader();
    let mut heard = Heard { facts: Vec::new(), details: Vec::new(), evidence: Evidence::None, appetite: Appetite::Hungry };
    let mut passed = [0_u64; 2];
    let mut time = Timestamp::from_nanos(1);
    for (from, missing, bytes) in dialogue {
        time = time + gap;
        let place = &mut passed[usize::from(*from == Side::Server)];
        *place += missing;
        let piece =
            Piece { from: *from, bytes, offset: *place, missing: *missing, time, frame: FrameId::default(), ends: &parties(transport, port), transport };
        *place += if transport == Transport::UDP { 1 } else { bytes.len() as u64 };
        heard.appetite = reader.read(piece, &mut heard.said());
        if heard.appetite != Appetite::Hungry {
            break;
        }
    }
    reader.finish(&mut heard.said());
    heard.facts.iter().for_each(is_tame);
    heard.details.iter().for_each(|detail| is_tame_value(&detail.value));
    heard
}

/// What the wire says may neither flood a report nor reach a terminal as a command, whatever the bytes were.
fn is_tame(fact: &Fact) {
    let text = is_tame_text;
    match fact {
        Fact::Name { name, .. } | Fact::Unresolved { name, .. } | Fact::Unanswered { name } => text(name),
        Fact::Proxied { mark: said } | Fact::SentTo { host: said } | Fact::Session(said) => text(said),
        Fact::Resolved(resolved) => {
            let Resolved { name, aliases, addresses, .. } = &**resolved;
            text(name);
            aliases.iter().for_each(|alias| text(alias));
            assert!(aliases.len() <= limit::DNS_ALIASES && addresses.len() <= limit::ADDRESSES_OF_A_NAME);
        }
        Fact::Request { .. } => fact.as_request().into_iter().for_each(|(method, path)| [method, path].into_iter().for_each(text)),
        Fact::Certified(certified) => text(&certified.issuer),
        Fact::Answer { text: said, .. } | Fact::Software { text: said, .. } | Fact::Offers { service: said, .. } => text(said),
        Fact::Promise(promise) => {
            let encrypted = matches!(promise.kind, PromiseKind::FtpPassive | PromiseKind::FtpActive);
            assert!(encrypted || !promise.is_hidden(), "nobody can open {promise:?}");
        }
        Fact::Unserved { who, .. } => text(who),
        Fact::Unfinished(_)
        | Fact::HalfAsked(_)
        | Fact::Awaited
        | Fact::Inner(_)
        | Fact::Hello(_)
        | Fact::Shapes { .. }
        | Fact::Reached(_)
        | Fact::Retry
        | Fact::Unheard
        | Fact::OneWay
        | Fact::Encrypted
        | Fact::Speaks { .. } => {}
    }
}

fn is_tame_text(text: &str) {
    assert!(text.len() <= limit::LINE_KEPT && !text.chars().any(is_unprintable), "{} bytes: {text:?}", text.len());
}

fn is_tame_value(value: &DetailValue) {
    let is_short = |len: usize| assert!(len <= limit::LIST_KEPT, "{len} values");
    match value {
        DetailValue::Text(text) => is_tame_text(text),
        DetailValue::List(lines) => {
            is_short(lines.iter().count());
            lines.iter().for_each(is_tame_text);
        }
        DetailValue::Bytes(bytes) => is_short(bytes.len()),
        DetailValue::Fields(fields) => fields.iter().for_each(|(_, value)| is_tame_value(value)),
        DetailValue::Flag(_) | DetailValue::Number(_) | DetailValue::End(_) => {}
    }
}

/// Probes and reads every prefix of every message, and every message with each byte changed: none may panic. Of streams, reading
/// byte by byte must give the same facts as reading whole.
pub fn survives(protocol: &dyn Protocol, transport: Transport, port: u16, dialogue: &[(Side, &[u8])]) {
    for (turn, (from, bytes)) in dialogue.iter().enumerate() {
        for cut in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[cut] ^= 0xff;
            for part in [&bytes[..cut], &changed] {
                let mut said = dialogue[..turn].to_vec();
                said.push((*from, part));
                read(protocol, transport, port, &said);
                decide(protocol, transport, port, part, &[]);
                decide(protocol, transport, port, &[], part);
                decide(protocol, transport, port, part, part);
            }
        }
    }
    if transport != Transport::UDP {
        for (from, bytes) in dialogue {
            is_patient(protocol, *from, bytes);
        }
        let split: Vec<(Side, &[u8])> = dialogue.iter().flat_map(|(from, bytes)| bytes.chunks(1).map(|byte| (*from, byte))).collect();
        let (whole, split) = (read(protocol, transport, port, dialogue), read(protocol, transport, port, &split));
        assert_eq!((whole.facts, whole.details, whole.appetite), (split.facts, split.details, split.appetite), "split into single bytes");
    }
}

/// What is not to be told before there are so many bytes is not told of fewer, nor what is refused for its first bytes of more.
fn is_patient(protocol: &dyn Protocol, from: Side, bytes: &[u8]) {
    for midstream in [false, true] {
        let probe = |len: usize| {
            let (client, server) = if from == Side::Client { (&bytes[..len], &[][..]) } else { (&[][..], &bytes[..len]) };
            protocol.probe(&Opening { midstream, first: from, anywhere: true, ..Opening::of(Transport::TCP, client, server) })
        };
        for len in 1..bytes.len() {
            let Probe::NotBefore(due) = probe(len) else { continue };
            let due = bytes.len().min(due[from as usize] as usize);
            assert!((len..due).all(|len| !matches!(probe(len), Probe::Found { .. })), "{} is told before {due} bytes", protocol.name());
        }
        // What is refused for one byte, or for four, is refused in streams to come without asking again.
        let told = (5..=bytes.len()).any(|len| matches!(probe(len), Probe::Found { .. }));
        assert!(!told || [1, 4].iter().all(|len| probe(*len) != Probe::NotForUs), "{} refuses the beginning of what it tells", protocol.name());
    }
}

/// Bytes written in hexadecimal, blanks ignored.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl Heard {
    /// Where a reader puts what comes next.
    fn said(&mut self) -> Said<'_> {
        Said { facts: &mut self.facts, evidence: &mut self.evidence, details: Some(&mut self.details) }
    }

    /// Whether it said that.
    pub fn says(&self, fact: &Fact) -> bool {
        self.facts.contains(fact)
    }

    /// The last value it gave a field of the record's details.
    pub fn detail(&self, protocol: &str, field: &str) -> Option<DetailValue> {
        self.details.iter().rev().find(|detail| detail.key == (protocol, field)).map(|detail| detail.value.clone())
    }
}

/// Reads a dialogue over the protocol's first carrier, away from any port it is known by.
pub fn read_all(protocol: &dyn Protocol, dialogue: &[(Side, &[u8])]) -> Heard {
    read(protocol, protocol.carriers()[0], 50_001, dialogue)
}

/// Every prefix of an opening, alone and with the answer, is the protocol's own, or nobody's.
pub fn prefixes_never_match_anything_else(name: &str, transport: Transport, client: &[u8], server: &[u8]) {
    for len in 0..=client.len() {
        for (server, complete) in [(&[][..], false), (server, false), (server, true)] {
            let opening = Opening { complete, ..Opening::of(transport, &client[..len], server) };
            for protocol in PROTOCOLS.iter().filter(|protocol| protocol.carriers().contains(&transport) && protocol.name() != name) {
                assert!(!matches!(protocol.probe(&opening), Probe::Found { .. }), "{} matches {len} bytes of {name}", protocol.name());
            }
        }
    }
}
