//! Reads DNS, multicast DNS and LLMNR: names with their addresses, answers, questions asked twice, announced services.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::identify::wire::{Cursor, Length, Messages, as_host_name, printable, printable_text};
use crate::identify::{AnswerKind, Evidence, Fact, NameSource, Resolved};
use crate::limit;
use crate::net::{Endpoint, Side, Transport, is_group};
use crate::signature::PromiseKind;

use super::dns_message::{self as dns, Message, Question, Record};
use super::dns_name::read_name;
use super::unheard::Unheard;
use super::{Appetite, Piece, Reader, Said};

/// Reads one flow of name questions and answers.
#[derive(Debug)]
pub struct Names {
    /// Questions without an answer yet.
    open: SmallVec<[Open; 1]>,
    /// Of a stream.
    streams: Option<Box<[Messages; 2]>>,
    source: NameSource,
    first: bool,
    one_way: bool,
    accepted: bool,
    unheard: Unheard,
}

/// A question without an answer yet.
#[derive(Debug)]
struct Open {
    /// As it stood on the wire, without pointers: it is compared more often than it is told.
    name: Box<[u8]>,
    id: u16,
    kind: u16,
}

impl Open {
    fn is(&self, message: &Message<'_>, question: Question) -> bool {
        question.kind == self.kind && message.is_named(question.name, &self.name)
    }
}

impl Names {
    /// A reader that says where its names come from: `Dns`, `Mdns` or `Llmnr`.
    pub fn of(source: NameSource) -> Box<dyn Reader> {
        Box::new(Self { source, streams: None, open: SmallVec::new(), first: true, one_way: false, accepted: false, unheard: Unheard::default() })
    }

    fn message(&mut self, bytes: &[u8], piece: &Piece<'_>, said: &mut Said<'_>) {
        // Questions of multicast DNS say no more than that nobody answers to them alone.
        let is_question = bytes.get(2).is_none_or(|flags| flags & 0x80 == 0);
        if self.source == NameSource::Mdns && is_question && self.one_way && !said.wants_details() {
            return;
        }
        let Some(message) = Message::read(bytes) else {
            return said.detail(self.source.name(), "malformed", true);
        };
        let to = piece.receiver().ip;
        if is_group(to) && !self.one_way {
            self.one_way = true;
            said.say(Fact::OneWay);
        }
        if message.header.is_response() {
            self.answer(&message, piece, said);
        } else {
            self.question(&message, piece, said);
        }
    }

    fn question(&mut self, message: &Message<'_>, piece: &Piece<'_>, said: &mut Said<'_>) {
        let Some(question) = message.question else { return };
        if std::mem::take(&mut self.first) && said.wants_details() {
            let key = self.source.name();
            said.detail(key, "query", printable_text(&message.name(question.name)));
            said.detail(key, "type", dns::kind_name(question.kind));
        }
        if self.source == NameSource::Mdns {
            return;
        }
        let id = message.header.id;
        self.unheard.asked(|| mark(id, question.kind, &message.wire_name(question.name)), piece.time);
        if self.open.iter().any(|open| open.id == id && open.is(message, question)) {
            said.say(Fact::Retry);
        } else if self.open.len() < limit::QUESTIONS_OPEN {
            // Most flows ask one or two.
            if self.open.len() == self.open.capacity() {
                self.open.reserve_exact(self.open.len().max(1));
            }
            self.open.push(Open { name: message.wire_name(question.name), id, kind: question.kind });
        }
    }

    fn answer(&mut self, message: &Message<'_>, piece: &Piece<'_>, said: &mut Said<'_>) {
        let (id, question) = (message.header.id, message.question);
        let place = self.open.iter().position(|open| open.id == id && question.is_none_or(|question| open.is(message, question)));
        if let Some(place) = place {
            let open = self.open.swap_remove(place);
            said.believe(Evidence::Dialogue);
            // Who got no more than a failure asks again, and who got a part asks for the whole by TCP.
            if self.source == NameSource::Dns && matches!(message.rcode(), 0 | NO_SUCH_NAME) && message.header.flags & TRUNCATED == 0 {
                self.unheard.answered(mark(open.id, open.kind, &open.name), piece.time);
            }
        }
        self.result(message, piece.from, said);
        self.unresolved(message, said);
        match question {
            Some(question) => said.facts.extend(self.resolved(message, question.name).map(Fact::Resolved)),
            None => self.announced(message, piece, said),
        }
        self.pointers(message, said);
        self.services(message, piece, said);
    }

    /// The result code; success is stated once a flow, everything else each time.
    fn result(&mut self, message: &Message<'_>, by: Side, said: &mut Said<'_>) {
        let rcode = message.rcode();
        if self.source == NameSource::Mdns || rcode == 0 && std::mem::replace(&mut self.accepted, true) {
            return;
        }
        let mut text = dns::rcode_name(rcode);
        if let Some(question) = message.question.filter(|_| rcode != 0) {
            text = format!("{text} {} {}", printable_text(&message.name(question.name)), dns::kind_name(question.kind)).into();
        }
        if let Some((code, why)) = message.extended_error() {
            text = format!("{text}; EDE {code} {}", printable(why)).into();
        }
        let kind = match rcode {
            0 => AnswerKind::Accepted,
            2 => AnswerKind::Failed,
            _ => AnswerKind::Refused,
        };
        said.say(Fact::Answer { kind, code: u32::from(rcode), text: text.trim_end().into(), by });
    }

    /// A question for an address that ends without one, or with a filter's. Updates, transfers and questions to a server that was not asked to look
    /// any further (RFC 1035 section 4.1.1, RD) say nothing about a name's being had.
    fn unresolved(&self, message: &Message<'_>, said: &mut Said<'_>) {
        let header = message.header;
        let Some(question) = message.question.filter(|question| [dns::A, dns::AAAA, dns::HTTPS].contains(&question.kind)) else { return };
        let asked = self.source == NameSource::Dns && header.opcode() == 0 && header.flags & RECURSION_DESIRED != 0;
        let code = message.rcode();
        let filtered = message.extended_error().map(|(code, _)| code).filter(|code| FILTERED.contains(code));
        let failed = asked && (code != 0 || filtered.is_some());
        if let Some(name) = failed.then(|| as_host_name(message.name(question.name))).flatten() {
            said.say(Fact::Unresolved { name, code, filtered });
        }
    }

    /// What is said of the name at a place.
    fn resolved(&self, message: &Message<'_>, place: usize) -> Option<Box<Resolved>> {
        let (aliases, addresses, ttl) = message.addresses_of(place);
        if addresses.is_empty() && aliases.is_empty() {
            return None;
        }
        let name = as_host_name(message.name(place))?;
        Some(Box::new(Resolved { name, reverse: false, aliases, addresses, ttl, source: self.source }))
    }

    /// Multicast DNS answers carry no question: each name with addresses stands for itself, and the sender's own address names the sender.
    fn announced(&self, message: &Message<'_>, piece: &Piece<'_>, said: &mut Said<'_>) {
        let mut done: SmallVec<[usize; 4]> = SmallVec::new();
        for record in message.records.iter().filter(|record| record.has_addresses() && !record.addresses().is_empty()) {
            if done.iter().any(|known| message.is_one_name(record.name, *known)) {
                continue;
            }
            done.push(record.name);
            let Some(resolved) = self.resolved(message, record.name) else { continue };
            let own = resolved.addresses.contains(&piece.sender().ip).then(|| resolved.name.clone());
            said.say(Fact::Resolved(resolved));
            if let Some(name) = own {
                said.say(Fact::Name { of: piece.from, name, source: self.source });
            }
        }
    }

    /// Reverse lookups give a name to an address.
    fn pointers(&self, message: &Message<'_>, said: &mut Said<'_>) {
        for record in message.records.iter().filter(|record| record.kind == dns::PTR) {
            let Some(address) = message.reverse_address(record.name) else { continue };
            if let Some(name) = message.name_in(record, 0).and_then(as_host_name) {
                let ttl = Duration::from_secs(u64::from(record.ttl));
                let resolved = Resolved { name, reverse: true, aliases: Vec::new(), addresses: vec![address], ttl, source: self.source };
                said.say(Fact::Resolved(Box::new(resolved)));
            }
        }
    }

    /// Services: what is offered goes into the details, where it is into promises.
    fn services(&self, message: &Message<'_>, piece: &Piece<'_>, said: &mut Said<'_>) {
        let browsed = || message.records.iter().filter(|record| record.kind == dns::PTR && transport_of(message, record).is_some());
        let named = |record: &Record<'_>| printable_text(&message.name(record.name));
        if let Some(service) = said.wants_details().then(|| browsed().next()).flatten() {
            said.detail(self.source.name(), "service", named(service));
        }
        if self.source == NameSource::Mdns {
            for service in browsed().take(limit::LIST_KEPT) {
                said.say(Fact::Offers { of: piece.from, service: named(service) });
            }
        }
        for record in &message.records {
            let Some((port, target)) = message.service(record) else { continue };
            let transport = transport_of(message, record).unwrap_or(Transport::TCP);
            let mut places: Vec<IpAddr> = message.addresses_of(target).1;
            if places.is_empty() && self.source == NameSource::Mdns {
                places.push(piece.sender().ip);
            }
            for ip in places.into_iter().take(limit::SRV_ADDRESSES) {
                said.promise(piece, PromiseKind::DnsSrv, transport, Endpoint { ip, port }, None, Duration::from_secs(u64::from(record.ttl)));
            }
        }
    }
}

impl Reader for Names {
    /// What was asked and never answered.
    fn finish(&self, said: &mut Said<'_>) {
        self.unheard.tell(said);
        let lookups = self.open.iter().filter(|open| self.source == NameSource::Dns && [dns::A, dns::AAAA, dns::HTTPS].contains(&open.kind));
        for name in lookups.filter_map(|open| read_name(&open.name, 0)).filter_map(|(name, _)| as_host_name(name)) {
            said.say(Fact::Unanswered { name });
        }
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.transport == Transport::UDP {
            self.message(piece.bytes, &piece, said);
            return Appetite::Hungry;
        }
        let side = piece.from as usize;
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let mut rest = piece.bytes;
        let mut streams = self.streams.take().unwrap_or_default();
        while let Some(framed) = streams[side].next(&mut rest, stream_length) {
            self.message(framed.get(2..).unwrap_or_default(), &piece, said);
        }
        let broken = streams[side].is_broken();
        self.streams = Some(streams);
        if broken { Appetite::Full } else { Appetite::Hungry }
    }
}

/// The transport that a service's name has behind its first label (RFC 2782); none of another name.
fn transport_of(message: &Message<'_>, record: &Record<'_>) -> Option<Transport> {
    let (mut transport, behind) = (None, message.labels(record.name).skip(1));
    for head in behind.filter_map(|label| label.first_chunk::<4>()) {
        if head.eq_ignore_ascii_case(b"_udp") {
            return Some(Transport::UDP);
        }
        if head.eq_ignore_ascii_case(b"_tcp") {
            transport = Some(Transport::TCP);
        }
    }
    transport
}

/// Over TCP a message follows its length, two bytes (RFC 1035 section 4.2.2).
fn stream_length(bytes: &[u8]) -> Length {
    match Cursor::new(bytes).be16() {
        Some(len @ 12..) => Length::Is(u64::from(len) + 2),
        Some(_) => Length::Wrong,
        None => Length::Unknown,
    }
}

/// What tells a question from others of its flow.
fn mark(id: u16, kind: u16, name: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one((id, kind, name))
}

const RECURSION_DESIRED: u16 = 0x0100;
/// RFC 1035 section 4.1.1: TC, and the result code of a name that does not exist.
const TRUNCATED: u16 = 0x0200;
const NO_SUCH_NAME: u16 = 3;
/// Extended errors by which a resolver says that it answers by policy: forged, blocked, censored, filtered, prohibited (RFC 8914 section 4).
const FILTERED: &[u16] = &[4, 15, 16, 17, 18];
