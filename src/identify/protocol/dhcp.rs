//! DHCP for IPv4 (RFC 2131, RFC 2132).

use std::net::Ipv4Addr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::identify::wire::{Cursor, host_name, printable};
use crate::identify::{AnswerKind, Evidence, Fact, NameSource, Resolved};
use crate::limit;
use crate::net::{Mac, is_group};
use crate::time::Timestamp;

use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by operation, hardware type and the magic cookie at byte 236.
pub static DHCP: Known = Known {
    name: "dhcp",
    over: Over::Datagrams(Gate::BytesAnd(&[1..=2], |bytes| bytes.get(236..240) == Some(&COOKIE) || bytes.len() < 240 && is_ethernet(bytes))),
    ask: |opening, bytes| look(opening, bytes, 1),
    answer: Some(|opening, bytes| look(opening, bytes, 2)),
    strength: Strength::Magic,
    reader: || Box::new(Lease::default()),
};

fn look(opening: &Opening<'_>, bytes: &[u8], op: u8) -> Look {
    let hardware = |bytes: &[u8]| bytes.get(2).is_some_and(|len| *len <= 16);
    if bytes.first() != Some(&op) {
        return Look::No;
    }
    // Recorders that keep 128 bytes of each packet leave no cookie.
    if bytes.len() < 240 && opening.cut != [0; 2] && opening.is_at(&[67, 68]) && is_ethernet(bytes) {
        return Look::Yes(0, 44, "BOOTP header at its ports, cut short");
    }
    if hardware(bytes) && bytes.get(236..240) == Some(&COOKIE) { Look::Yes(236, 4, "DHCP magic cookie") } else { Look::No }
}

/// Whether the head of a BOOTP message is one of Ethernet (RFC 951 section 3): an address of six bytes, zeros in the room behind it, and few relays passed.
fn is_ethernet(bytes: &[u8]) -> bool {
    matches!(bytes, [_, 1, 6, 0..=16, ..]) && bytes.get(34..44) == Some(&[0; 10])
}

/// Reads what one host asks for and is given.
#[derive(Debug, Default)]
struct Lease {
    named: bool,
    one_way: bool,
    /// Transaction and message type of the last request that has no answer.
    open: Option<(u32, u8)>,
    answered: Option<u8>,
    /// What hosts without an address ask is one flow, as all of them send from 0.0.0.0.
    searches: SmallVec<[(Mac, Search); 1]>,
}

/// A host that asked everybody for an address and has not gone on to take one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    times: u32,
    first: Timestamp,
    last: Timestamp,
}

impl Search {
    pub(super) const fn new(time: Timestamp) -> Self {
        Self { times: 1, first: time, last: time }
    }

    /// Closer questions are copies of a mirror.
    pub(super) fn again(&mut self, time: Timestamp) {
        if time.since(self.last) >= AGAIN {
            (self.times, self.last) = (self.times.saturating_add(1), time);
        }
    }

    pub(super) const fn is_repeated(&self) -> bool {
        self.times > 1
    }

    pub(super) fn tell(&self, who: &str, said: &mut Said<'_>) {
        let over = u32::try_from(self.last.since(self.first).as_secs()).unwrap_or(u32::MAX);
        said.say(Fact::Unserved { who: who.into(), times: self.times, over });
    }
}

impl Reader for Lease {
    fn finish(&self, said: &mut Said<'_>) {
        if let Some((who, search)) = self.searches.iter().max_by_key(|(_, search)| search.times).filter(|(_, search)| search.is_repeated()) {
            search.tell(&who.to_string(), said);
        }
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let to = piece.receiver().ip;
        if is_group(to) && !std::mem::replace(&mut self.one_way, true) {
            said.say(Fact::OneWay);
        }
        let Some(options) = piece.bytes.get(240..) else { return Appetite::Hungry };
        let Some(kind) = option(options, 53).and_then(|value| value.first().copied()) else { return Appetite::Hungry };
        let number = Cursor::new(piece.bytes.get(4..).unwrap_or_default()).be32().unwrap_or_default();
        if piece.bytes.first() == Some(&1) {
            if let Some(who) = hardware(piece.bytes) {
                if kind == DISCOVER { self.search(who, piece.time) } else { self.searches.retain(|(known, _)| *known != who) }
            }
            self.request(options, (number, kind), &piece, said);
        } else {
            let who = hardware(piece.bytes);
            self.searches.retain(|(known, _)| Some(*known) != who);
            self.reply(options, (number, kind), &piece, said);
        }
        Appetite::Hungry
    }
}

impl Lease {
    fn search(&mut self, who: Mac, time: Timestamp) {
        if let Some((_, search)) = self.searches.iter_mut().find(|(known, _)| *known == who) {
            search.again(time);
        } else if self.searches.len() < limit::SEARCHES {
            self.searches.push((who, Search::new(time)));
        }
    }

    fn request(&mut self, options: &[u8], (number, kind): (u32, u8), piece: &Piece<'_>, said: &mut Said<'_>) {
        if self.open.replace((number, kind)) == Some((number, kind)) {
            said.say(Fact::Retry);
        }
        // Option 81 begins with flags and two result codes (RFC 4702 section 2); its name is written in ASCII or as DNS labels.
        let full = option(options, 81).and_then(|value| value.get(3..)).and_then(host_name);
        let name = full.or_else(|| option(options, 12).and_then(host_name));
        if let (Some(name), REQUEST, Some(ip)) = (&name, kind, option(options, 50).and_then(ipv4)) {
            // Who has no address yet sends from 0.0.0.0. The one it asks for was offered to it just before.
            said.say(Fact::Resolved(Box::new(Resolved {
                name: name.clone(),
                reverse: false,
                aliases: Vec::new(),
                addresses: vec![ip.into()],
                ttl: Duration::ZERO,
                source: NameSource::Dhcp,
            })));
        }
        if std::mem::replace(&mut self.named, true) {
            return;
        }
        said.detail("dhcp", "type", kind_name(kind));
        if let Some(name) = name {
            said.say(Fact::Name { of: piece.from, name, source: NameSource::Dhcp });
        }
        if let Some(vendor) = option(options, 60).map(printable).filter(|text| !text.is_empty()) {
            said.say(Fact::Software { of: piece.from, text: vendor });
        }
        address(options, 50, "requested", said);
        address(options, 54, "server", said);
    }

    fn reply(&mut self, options: &[u8], (number, kind): (u32, u8), piece: &Piece<'_>, said: &mut Said<'_>) {
        if self.open.take_if(|(open, _)| *open == number).is_some() {
            said.believe(Evidence::Dialogue);
        }
        if self.answered.replace(kind) == Some(kind) {
            return;
        }
        let mut given = Cursor::new(piece.bytes.get(16..).unwrap_or_default());
        if let Some(given) = given.array::<4>().map(Ipv4Addr::from).filter(|ip| !ip.is_unspecified()) {
            said.detail("dhcp", "given", given.to_string());
            // Many servers say the name under which they enter the host.
            if let Some(name) = option(options, 12).and_then(host_name).filter(|_| kind == ACK) {
                let lease = option(options, 51).and_then(|value| Cursor::new(value).be32()).unwrap_or_default();
                let ttl = Duration::from_secs(u64::from(lease));
                said.say(Fact::Resolved(Box::new(Resolved {
                    name,
                    reverse: false,
                    aliases: Vec::new(),
                    addresses: vec![given.into()],
                    ttl,
                    source: NameSource::Dhcp,
                })));
            }
        }
        address(options, 54, "server", said);
        let kind_of = if kind == NAK { AnswerKind::Refused } else { AnswerKind::Accepted };
        if matches!(kind, OFFER | ACK | NAK) {
            said.say(Fact::Answer { kind: kind_of, code: u32::from(kind), text: kind_name(kind).into(), by: piece.from });
        }
    }
}

/// The client's hardware address (RFC 2131 section 2), of Ethernet.
fn hardware(bytes: &[u8]) -> Option<Mac> {
    let [_, 1, 6] = *bytes.first_chunk()? else { return None };
    bytes.get(28..34)?.first_chunk().copied().map(Mac)
}

fn address(options: &[u8], code: u8, field: &'static str, said: &mut Said<'_>) {
    if let Some(ip) = option(options, code).and_then(ipv4) {
        said.detail("dhcp", field, ip.to_string());
    }
}

fn ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

/// The value of an option (RFC 2132 section 2): code, length, value; 0 fills, 255 ends.
fn option(options: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut at = Cursor::new(options);
    loop {
        match at.u8()? {
            0 => (),
            255 => return None,
            code => {
                let len = at.u8()?;
                let value = at.take(usize::from(len))?;
                if code == wanted {
                    return Some(value);
                }
            }
        }
    }
}

fn kind_name(kind: u8) -> &'static str {
    KINDS.get(usize::from(kind)).copied().unwrap_or("other")
}

const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// Clients wait for some seconds before they ask again (RFC 2131 section 4.1), the fastest in use for one.
const AGAIN: Duration = Duration::from_millis(500);
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;
const KINDS: &[&str] = &["bootp", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform", "forcerenew"];

#[cfg(test)]
mod tests {
    use super::super::testing::read_spaced;
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// A BOOTP message of this operation and transaction 0x11223344, with these options.
    fn message(op: u8, options: &str) -> Vec<u8> {
        let mut bytes = vec![op, 1, 6, 0, 0x11, 0x22, 0x33, 0x44];
        bytes.resize(16, 0);
        bytes.extend_from_slice(if op == 2 { &[10, 0, 0, 9] } else { &[0; 4] });
        bytes.resize(236, 0);
        bytes.extend(hex("63825363"));
        bytes.extend(hex(options));
        bytes.push(255);
        bytes
    }

    #[test]
    fn a_host_says_its_name_and_is_given_an_address() {
        // request; host name "Player1"; vendor class "udhcp"; requested 10.0.0.9. The ack comes from server 10.0.0.2.
        let request = message(1, "350103 0c07 506c6179657231 3c05 7564686370 3204 0a000009");
        let ack = message(2, "350105 3604 0a000002");
        assert_eq!(evidence(decide(&DHCP, Transport::UDP, 67, &request, &ack)), Evidence::BothOpenings);
        let heard = read(&DHCP, Transport::UDP, 67, &[(Client, &request), (Server, &ack)]);
        assert_eq!(heard.evidence, Evidence::Dialogue);
        assert!(heard.facts.contains(&Fact::Name { of: Client, name: "player1".into(), source: NameSource::Dhcp }));
        assert_eq!(heard.detail("dhcp", "given"), Some("10.0.0.9".into()));
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Accepted, 5, "ack")));
        survives(&DHCP, Transport::UDP, 67, &[(Client, &request), (Server, &ack)]);
    }

    #[test]
    fn a_message_that_was_cut_short_is_told_by_its_head_at_its_ports() {
        let ask = message(1, "350101");
        let probe = |port, kept: usize, cut| {
            let opening = crate::identify::protocol::testing::opening(Transport::UDP, port, &ask[..kept], &[]);
            evidence(super::super::Protocol::probe(&DHCP, &Opening { cut: [cut, 0], complete: true, ..opening }))
        };
        // 128 bytes of a frame leave 86.
        assert_eq!(
            [probe(67, 86, 158), probe(67, 86, 0), probe(6_767, 86, 158), probe(67, 40, 204)],
            [Evidence::OneOpening, Evidence::None, Evidence::None, Evidence::None]
        );
    }

    #[test]
    fn a_host_without_an_address_is_named_at_the_one_it_is_given() {
        let resolved = |facts: &[Fact]| {
            let told = |fact: &Fact| match fact {
                Fact::Resolved(resolved) if resolved.source == NameSource::Dhcp => Some((resolved.name.to_string(), resolved.addresses.clone())),
                _ => None,
            };
            facts.iter().filter_map(told).collect::<Vec<_>>()
        };
        let expected = vec![("player1".to_owned(), vec!["10.0.0.9".parse::<std::net::IpAddr>().unwrap()])];
        let (discover, request) = (message(1, "350101 0c07 506c6179657231"), message(1, "350103 0c07 506c6179657231 3204 0a000009"));
        assert_eq!(resolved(&read(&DHCP, Transport::UDP, 67, &[(Client, &discover), (Client, &request)]).facts), expected);
        // What the server says: option 12 in the ack, a lease of a day; in an offer it is not yet true.
        let told = |kind| resolved(&read(&DHCP, Transport::UDP, 67, &[(Server, &message(2, &format!("3501{kind} 3304 00015180 0c07 506c6179657231")))]).facts);
        assert_eq!((told("05"), told("02")), (expected, Vec::new()));
    }

    #[test]
    fn a_discover_again_is_a_retry_and_a_nak_a_refusal() {
        let discover = message(1, "350101");
        let heard = read(&DHCP, Transport::UDP, 67, &[(Client, &discover), (Client, &discover), (Server, &message(2, "350106"))]);
        assert!(heard.facts.contains(&Fact::Retry));
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 6, "nak")));
    }

    // RFC 2131 sections 3.1 and 4.4.1: who is offered an address asks for it by broadcast
    #[test]
    fn who_asks_for_an_address_again_and_takes_none_is_unserved() {
        let of = |host: u8, kind: &str| {
            let mut asked = message(1, kind);
            asked[28..34].copy_from_slice(&[2, 0, 0, 0, 0, host]);
            asked
        };
        let unserved = |seconds: u64, dialogue: &[&Vec<u8>]| {
            let dialogue: Vec<_> = dialogue.iter().map(|bytes| (Client, 0, bytes.as_slice())).collect();
            let told = read_spaced(&DHCP, Transport::UDP, 67, Duration::from_secs(seconds), &dialogue).facts;
            told.into_iter().filter(|fact| matches!(fact, Fact::Unserved { .. })).collect::<Vec<_>>()
        };
        let (one, other, takes) = (of(1, "350101"), of(2, "350101"), of(1, "350103 3204 0a000009"));
        let again = |who: &str, times, over| vec![Fact::Unserved { who: who.into(), times, over }];
        assert_eq!(unserved(4, &[&one, &one, &one]), again("02:00:00:00:00:01", 3, 8));
        // Another host's request is none of its own.
        assert_eq!(unserved(4, &[&one, &other, &one, &other, &other, &takes]), again("02:00:00:00:00:02", 3, 12));
        assert_eq!(unserved(4, &[&one, &one, &one, &takes]), []);
        // Copies of a mirror.
        assert_eq!(unserved(0, &[&one, &one, &one]), []);
    }

    #[test]
    fn without_the_cookie_it_is_no_dhcp() {
        let mut request = message(1, "350103");
        request[236] = 0;
        assert_eq!(evidence(decide(&DHCP, Transport::UDP, 67, &request, &[])), Evidence::None);
    }
}
