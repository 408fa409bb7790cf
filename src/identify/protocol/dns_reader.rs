//! Reads DNS, multicast DNS and LLMNR: names with their addresses, answers, questions asked twice, announced services.

use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::identify::wire::{Cursor, Length, Messages, as_host_name, host_name_of, printable, printable_text};
use crate::identify::{AnswerKind, Evidence, Fact, NameSource, Resolved};
use crate::limit;
use crate::net::{Endpoint, Side, Transport, is_group};
use crate::signature::PromiseKind;

use super::dns_message::{self as dns, Message, Record};
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
}

/// A question without an answer yet.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    name: Box<str>,
    id: u16,
    kind: u16,
}

impl Names {
    /// A reader that says where its names come from: `Dns`, `Mdns` or `Llmnr`.
    pub fn of(source: NameSource) -> Box<dyn Reader> {
        Box::new(Self { source, streams: None, open: SmallVec::new(), first: true, one_way: false, accepted: false })
    }

    fn message(&mut self, bytes: &[u8], piece: &Piece<'_>, said: &mut Said<'_>) {
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
            self.question(&message, said);
        }
    }

    fn question(&mut self, message: &Message<'_>, said: &mut Said<'_>) {
        let Some(question) = message.questions.first() else { return };
        if std::mem::take(&mut self.first) && said.wants_details() {
            let key = self.source.name();
            said.detail(key, "query", printable_text(&message.name(question.name)));
            said.detail(key, "type", dns::kind_name(question.kind));
        }
        if self.source == NameSource::Mdns {
            return;
        }
        let asked = Open { name: message.name(question.name).into(), id: message.header.id, kind: question.kind };
        if self.open.contains(&asked) {
            said.say(Fact::Retry);
        } else if self.open.len() < limit::QUESTIONS_OPEN {
            // Most flows ask one or two.
            if self.open.len() == self.open.capacity() {
                self.open.reserve_exact(self.open.len().max(1));
            }
            self.open.push(asked);
        }
    }

    fn answer(&mut self, message: &Message<'_>, piece: &Piece<'_>, said: &mut Said<'_>) {
        let question = message.questions.first();
        let same = |open: &Open| question.is_none_or(|question| question.kind == open.kind && message.is_named(question.name, &open.name));
        let place = self.open.iter().position(|open| open.id == message.header.id && same(open));
        let open = place.map(|place| self.open.swap_remove(place));
        if open.is_some() {
            said.believe(Evidence::Dialogue);
        }
        // A question that was heard has its name read already.
        let asked = question.map(|question| open.map_or_else(|| message.name(question.name).into(), |open| open.name));
        self.result(message, piece.from, said);
        self.unresolved(message, said);
        match asked {
            Some(name) => self.resolved(message, name, question.map(|question| question.name), said),
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
        if let Some(question) = message.questions.first().filter(|_| rcode != 0) {
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
        let Some(question) = message.questions.first().filter(|question| [dns::A, dns::AAAA, dns::HTTPS].contains(&question.kind)) else { return };
        let asked = self.source == NameSource::Dns && header.opcode() == 0 && header.flags & RECURSION_DESIRED != 0;
        let code = message.rcode();
        let filtered = message.extended_error().map(|(code, _)| code).filter(|code| FILTERED.contains(code));
        let failed = asked && (code != 0 || filtered.is_some());
        if let Some(name) = failed.then(|| host_name_of(&message.name(question.name))).flatten() {
            said.say(Fact::Unresolved { name, code, filtered });
        }
    }

    /// What is said of a name, which stands at that place.
    fn resolved(&self, message: &Message<'_>, name: Box<str>, place: Option<usize>, said: &mut Said<'_>) {
        let (aliases, addresses, ttl) = message.addresses_of(&name, place);
        if let Some(name) = Some(name).filter(|_| !addresses.is_empty() || !aliases.is_empty()).and_then(as_host_name) {
            said.say(Fact::Resolved(Box::new(Resolved { name, aliases, addresses, ttl, source: self.source })));
        }
    }

    /// Multicast DNS answers carry no question: each name with addresses stands for itself, and the sender's own address names the sender.
    fn announced(&self, message: &Message<'_>, piece: &Piece<'_>, said: &mut Said<'_>) {
        let mut done: Vec<String> = Vec::new();
        for record in message.records.iter().filter(|record| !record.addresses().is_empty()) {
            let owner = message.name(record.name);
            if done.contains(&owner) {
                continue;
            }
            self.resolved(message, owner.as_str().into(), Some(record.name), said);
            let own = message.addresses_of(&owner, Some(record.name)).1.contains(&piece.sender().ip);
            if let Some(name) = host_name_of(&owner).filter(|_| own) {
                said.say(Fact::Name { of: piece.from, name, source: self.source });
            }
            done.push(owner);
        }
    }

    /// Reverse lookups give a name to an address.
    fn pointers(&self, message: &Message<'_>, said: &mut Said<'_>) {
        for record in message.records.iter().filter(|record| record.kind == dns::PTR) {
            let Some(address) = dns::reverse_address(&message.name(record.name)) else { continue };
            if let Some(name) = message.name_in(record, 0).and_then(|name| host_name_of(&name)) {
                let ttl = Duration::from_secs(u64::from(record.ttl));
                said.say(Fact::Resolved(Box::new(Resolved { name, aliases: Vec::new(), addresses: vec![address], ttl, source: self.source })));
            }
        }
    }

    /// Services: what is offered goes into the details, where it is into promises.
    fn services(&self, message: &Message<'_>, piece: &Piece<'_>, said: &mut Said<'_>) {
        let named = |record: &Record<'_>| printable_text(&message.name(record.name));
        let pointers = || message.records.iter().filter(|record| record.kind == dns::PTR).map(named);
        let browsed = |name: &str| name.contains("._tcp") || name.contains("._udp");
        if let Some(service) = said.wants_details().then(|| pointers().find(|name| browsed(name))).flatten() {
            said.detail(self.source.name(), "service", service);
        }
        if self.source == NameSource::Mdns {
            for service in pointers().filter(|name| browsed(name)).take(limit::LIST_KEPT) {
                said.say(Fact::Offers { of: piece.from, service });
            }
        }
        for record in &message.records {
            let Some((port, target)) = message.service(record) else { continue };
            let transport = if message.name(record.name).contains("._udp") { Transport::UDP } else { Transport::TCP };
            let mut places: Vec<IpAddr> = message.addresses_of(&target, None).1;
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
        let lookups = self.open.iter().filter(|open| self.source == NameSource::Dns && [dns::A, dns::AAAA, dns::HTTPS].contains(&open.kind));
        for name in lookups.filter_map(|open| host_name_of(&open.name)) {
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

/// Over TCP a message follows its length, two bytes (RFC 1035 section 4.2.2).
fn stream_length(bytes: &[u8]) -> Length {
    match Cursor::new(bytes).be16() {
        Some(len @ 12..) => Length::Is(u64::from(len) + 2),
        Some(_) => Length::Wrong,
        None => Length::Unknown,
    }
}

const RECURSION_DESIRED: u16 = 0x0100;
/// Extended errors by which a resolver says that it answers by policy: forged, blocked, censored, filtered, prohibited (RFC 8914 section 4).
const FILTERED: &[u16] = &[4, 15, 16, 17, 18];
