//! DHCP for IPv6 (RFC 8415).

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::identify::wire::Cursor;
use crate::identify::{AnswerKind, Evidence, Fact, NameSource};
use crate::net::is_group;

use super::dhcp::Search;
use super::dns_name::read_name;
use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by ports 546 and 547, a message type, and options that fill the datagram to its end.
pub static DHCPV6: Known = Known {
    name: "dhcpv6",
    over: Over::Datagrams(Gate::Ports(&[546, 547])),
    ask: |opening, bytes| look(opening, bytes, REQUESTS),
    answer: Some(|opening, bytes| look(opening, bytes, REPLIES)),
    strength: Strength::Structure,
    reader: || Box::new(Lease::default()),
};

fn look(opening: &Opening<'_>, bytes: &[u8], kinds: &[u8]) -> Look {
    let (a, b) = (opening.ends.0.port, opening.ends.1.port);
    let at_home = [a, b].iter().any(|port| matches!(port, 546 | 547));
    let fits = at_home && bytes.first().is_some_and(|kind| kinds.contains(kind)) && options(bytes).is_some_and(|mut options| fills(&mut options));
    Look::when(fits, 4, "DHCPv6 message whose options fill the datagram")
}

/// The options of a message: after type and transaction, or after the two addresses of a relayed one (RFC 8415 sections 8 and 9).
fn options(bytes: &[u8]) -> Option<Cursor<'_>> {
    let head = if matches!(bytes.first()?, 12 | 13) { 34 } else { 4 };
    bytes.get(head..).map(Cursor::new)
}

fn next<'a>(options: &mut Cursor<'a>) -> Option<(u16, &'a [u8])> {
    let (code, len) = (options.be16()?, options.be16()?);
    Some((code, options.take(usize::from(len))?))
}

/// The message that a relay took in (option 9, RFC 8415 section 21.10), through several of them (section 19.1.2 counts to 8); any other message itself.
fn carried(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    for _ in 0..RELAYS {
        let Some(mut rest) = options(bytes).filter(|_| matches!(bytes.first(), Some(12 | 13))) else { break };
        let inside = std::iter::from_fn(|| next(&mut rest)).find(|(code, _)| *code == RELAYED);
        let Some((_, inside)) = inside else { break };
        bytes = inside;
    }
    bytes
}

/// Zero is no option, and those above a byte are not assigned (IANA "DHCPv6 Option Codes").
fn fills(options: &mut Cursor<'_>) -> bool {
    let (mut any, mut known) = (false, true);
    while let Some((code, _)) = next(options) {
        any = true;
        known &= (1..=255).contains(&code);
    }
    any && known && options.is_empty()
}

/// Reads what one host asks for and is given.
#[derive(Debug, Default)]
struct Lease {
    told: bool,
    /// Whether an answer served, and whether one refused.
    answered: [bool; 2],
    open: Option<[u8; 4]>,
    /// A client looks for a server and has not gone on to ask one for an address: its own address, the search.
    search: Option<(IpAddr, Search)>,
}

impl Reader for Lease {
    fn finish(&self, said: &mut Said<'_>) {
        if let Some((who, search)) = self.search.filter(|(_, search)| search.is_repeated()) {
            search.tell(&who.to_string(), said);
        }
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let to = piece.receiver().ip;
        // What a relay sends has a number inside.
        let Some(head) = carried(piece.bytes).first_chunk::<4>() else { return Appetite::Hungry };
        let kind = piece.bytes.first().copied().unwrap_or_default();
        match kind {
            SOLICIT => match &mut self.search {
                Some((_, search)) => search.again(piece.time),
                None => self.search = Some((piece.sender().ip, Search::new(piece.time))),
            },
            // Settings are asked for without an address.
            INFORMATION_REQUEST => {}
            _ => self.search = None,
        }
        if REQUESTS.contains(&head[0]) {
            if self.open.replace(*head) == Some(*head) {
                said.say(Fact::Retry);
            }
            if !std::mem::replace(&mut self.told, true) {
                said.detail("dhcpv6", "type", kind);
                if is_group(to) {
                    said.say(Fact::OneWay);
                }
                say_name(&piece, said);
            }
        } else if self.open.is_some_and(|open| open[1..] == head[1..]) {
            said.believe(Evidence::Dialogue);
            self.open = None;
            self.answer(&piece, said);
        } else if !self.told && matches!(head[0], 2 | 7) {
            // Who asks all servers (a group) is answered in a flow of its own.
            self.answer(&piece, said);
        }
        Appetite::Hungry
    }
}

impl Lease {
    /// What a server gives, or the first reason why it gives nothing. Who gives nothing at first, as another client's lease has to end, may do so later.
    fn answer(&mut self, piece: &Piece<'_>, said: &mut Said<'_>) {
        let given = Given::of(options(carried(piece.bytes)).unwrap_or(Cursor::new(&[])));
        let code = if given.any { 0 } else { given.status };
        // Whether an address that a client had before is still its own (sections 18.3.3 to 18.3.5): it asks for another one then.
        if !self.told && MOVED.contains(&code) {
            return;
        }
        let kind = if code == 0 { AnswerKind::Accepted } else { AnswerKind::Refused };
        if std::mem::replace(&mut self.answered[usize::from(code != 0)], true) {
            return;
        }
        let text = STATUS.get(usize::from(code)).copied().unwrap_or("status");
        said.say(Fact::Answer { kind, code: u32::from(code), text: text.into(), by: piece.from });
    }
}

/// What an answer has for its client.
#[derive(Debug, Default)]
struct Given {
    /// An address or a prefix.
    any: bool,
    /// The first status that is no success (RFC 8415 section 21.13), zero where there is none.
    status: u16,
}

impl Given {
    fn of(mut rest: Cursor<'_>) -> Self {
        let mut given = Self::default();
        given.read(&mut rest, 0);
        given
    }

    /// At the top, and inside what was asked for: addresses behind 12 bytes, temporary ones behind 4, prefixes behind 12 (sections 21.4, 21.5, 21.21).
    fn read(&mut self, rest: &mut Cursor<'_>, depth: u8) {
        while let Some((option, value)) = next(rest) {
            match option {
                3 | 25 if depth == 0 => self.read(&mut Cursor::new(value.get(12..).unwrap_or_default()), 1),
                4 if depth == 0 => self.read(&mut Cursor::new(value.get(4..).unwrap_or_default()), 1),
                5 | 26 if depth == 1 => self.any = true,
                13 if self.status == 0 => self.status = Cursor::new(value).be16().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// Client FQDN, option 39 (RFC 4704): flags, then DNS labels, often without the final zero. What a relay took in is not its own name.
fn say_name(piece: &Piece<'_>, said: &mut Said<'_>) {
    let mut rest = options(piece.bytes).unwrap_or(Cursor::new(&[]));
    while let Some((option, value)) = next(&mut rest) {
        if option == 39 {
            let labels = [value.get(1..).unwrap_or_default(), &[0]].concat();
            if let Some((name, _)) = read_name(&labels, 0).filter(|(name, _)| !name.is_empty()) {
                said.say(Fact::Name { of: piece.from, name, source: NameSource::Dhcp });
            }
        }
    }
}

/// Solicit, request, confirm, renew, rebind, release, decline, information-request, relay-forward (RFC 8415 section 7.3).
const REQUESTS: &[u8] = &[1, 3, 4, 5, 6, 8, 9, 11, 12];
/// See above.
const SOLICIT: u8 = 1;
/// See above.
const INFORMATION_REQUEST: u8 = 11;
/// Advertise, reply, reconfigure, relay-reply.
const REPLIES: &[u8] = &[2, 7, 10, 13];
/// Relay message.
const RELAYED: u16 = 9;
/// HOP_COUNT_LIMIT (RFC 8415 section 7.6).
const RELAYS: usize = 8;
/// No binding, not on this link, only by multicast.
const MOVED: RangeInclusive<u16> = 3..=5;
/// RFC 8415 section 21.13.
const STATUS: &[&str] = &["Success", "UnspecFail", "NoAddrsAvail", "NoBinding", "NotOnLink", "UseMulticast", "NoPrefixAvail"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use super::super::testing::read_spaced;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// Solicit 0x0a0b0c with client id and FQDN "pc"; advertise with status NoAddrsAvail.
    const SEEKS: &str = "010a0b0c 0001 0004 00010203 0027 0004 00 02 7063";
    const ADVERTISE: &str = "020a0b0c 0001 0004 00010203 000d 0002 0002";

    #[test]
    fn a_solicit_names_its_sender_and_is_answered() {
        let (solicit, advertise) = (hex(SEEKS), hex(ADVERTISE));
        assert_eq!(evidence(decide(&DHCPV6, Transport::UDP, 547, &solicit, &advertise)), Evidence::BothOpenings);
        let heard = read(&DHCPV6, Transport::UDP, 547, &[(Client, &solicit), (Server, &advertise)]);
        assert!(heard.facts.contains(&Fact::Name { of: Client, name: "pc".into(), source: NameSource::Dhcp }), "{:?}", heard.facts);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 2, "NoAddrsAvail")));
        survives(&DHCPV6, Transport::UDP, 547, &[(Client, &solicit), (Server, &advertise)]);
    }

    /// Kea 2.2 without a pool, and with one: the reason, and the address, are inside the association that was asked for.
    const NOTHING: &str = "02eb2540 0001000e00010001329d052d020000000102 0002000a0002000000090a0b0c0d 0003 0037 00000102 00000000 00000000 000d 0027 0002 \
                           536f7272792c206e6f206164647265737320636f756c6420626520616c6c6f63617465642e";
    const ADDRESS: &str = "025dea45 0001000e00010001329d0512020000000102 0002000a0002000000090a0b0c0d 0003 0028 00000102 00000708 00000b40 0005 0018 \
                           20010db8000100000000000000000100 00000e10 00001c20";

    /// The same through a relay: hops, the address of the clients' network, the client's own, option 9.
    fn relayed(kind: u8, message: &str) -> Vec<u8> {
        let inside = hex(message);
        let mut bytes = vec![kind, 0];
        bytes.extend(hex("20010db8000100000000000000000001 fe8000000000000000000000fe000102 0009"));
        bytes.extend((inside.len() as u16).to_be_bytes());
        bytes.extend(inside);
        bytes
    }

    // dhcrelay -6 in front of a server that does not run: five times the same question of one host, and two of others
    #[test]
    fn a_relay_asks_the_same_again_where_its_client_does() {
        let (asks, other) = (relayed(12, SEEKS), relayed(12, &SEEKS.replace("0a0b0c", "0a0b0d")));
        let heard = read(&DHCPV6, Transport::UDP, 547, &[(Client, &asks), (Client, &other), (Client, &asks)]);
        assert!(!heard.facts.contains(&Fact::Retry), "{:?}", heard.facts);
        let heard = read(&DHCPV6, Transport::UDP, 547, &[(Client, &asks), (Client, &asks), (Server, &relayed(13, ADVERTISE))]);
        assert!(heard.facts.contains(&Fact::Retry), "{:?}", heard.facts);
        assert!(heard.facts.contains(&Fact::Answer { kind: AnswerKind::Refused, code: 2, text: "NoAddrsAvail".into(), by: Server }));
        // The name inside is none of the relay's.
        assert!(!heard.facts.iter().any(|fact| matches!(fact, Fact::Name { .. })));
        // That its clients look for a server is told where they are.
        assert!(!heard.facts.iter().any(|fact| matches!(fact, Fact::Unserved { .. })));
        survives(&DHCPV6, Transport::UDP, 547, &[(Client, &asks), (Server, &relayed(13, ADVERTISE))]);
    }

    // All servers are asked (a group), and one answers as a flow of its own.
    #[test]
    fn an_answer_to_what_a_group_was_asked_says_what_it_gives() {
        let told = |answers: &[&str]| {
            let answers: Vec<Vec<u8>> = answers.iter().map(|answer| hex(answer)).collect();
            read(&DHCPV6, Transport::UDP, 547, &answers.iter().map(|answer| (Server, answer.as_slice())).collect::<Vec<_>>()).facts
        };
        let refused = Fact::answer(AnswerKind::Refused, 2, "NoAddrsAvail");
        let accepted = Fact::answer(AnswerKind::Accepted, 0, "Success");
        assert_eq!(told(&[NOTHING, NOTHING]), std::slice::from_ref(&refused));
        assert_eq!(told(&[NOTHING, ADDRESS]), [refused, accepted.clone()]);
        // An address, and no prefix beside it (status 6 inside option 25).
        let prefix = "0019 0012 00000001 00000000 00000000 000d 0002 0006";
        assert_eq!(told(&[&format!("{ADDRESS} {prefix}")]), [accepted]);
        // A client that moved asks whether its address is good here, and is told that it is not (status 4): it goes on to ask for another.
        assert_eq!(told(&["070a0b0c 0001 0004 00010203 000d 0002 0004"]), []);
        survives(&DHCPV6, Transport::UDP, 547, &[(Server, &hex(NOTHING)), (Server, &hex(ADDRESS))]);
    }

    // RFC 8415 section 18.2.1 and 18.2.2: who was offered an address asks all servers for it, and names one
    #[test]
    fn who_looks_for_a_server_again_and_asks_none_is_unserved() {
        let message = |kind: u8| {
            let mut bytes = hex(SEEKS);
            bytes[0] = kind;
            bytes
        };
        let unserved = |seconds: u64, kinds: &[u8]| {
            let messages: Vec<_> = kinds.iter().map(|kind| message(*kind)).collect();
            let dialogue: Vec<_> = messages.iter().map(|bytes| (Client, 0, bytes.as_slice())).collect();
            let told = read_spaced(&DHCPV6, Transport::UDP, 547, Duration::from_secs(seconds), &dialogue).facts;
            told.iter().filter_map(|fact| if let Fact::Unserved { times, over, .. } = fact { Some((*times, *over)) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!(unserved(4, &[1, 1, 1]), [(3, 8)]);
        assert_eq!(unserved(4, &[1, 11, 1, 1]), [(3, 12)]);
        assert_eq!(unserved(4, &[1, 1, 1, 3]), []);
        assert_eq!(unserved(4, &[11, 11, 11]), []);
        // Copies of a mirror.
        assert_eq!(unserved(0, &[1, 1, 1]), []);
    }

    #[test]
    fn options_that_leave_bytes_over_are_no_dhcpv6() {
        assert_eq!(evidence(decide(&DHCPV6, Transport::UDP, 547, &hex("010a0b0c 0001 0004 000102"), &[])), Evidence::None);
        assert_eq!(evidence(decide(&DHCPV6, Transport::UDP, 53, &hex(SEEKS), &[])), Evidence::None);
    }

    #[test]
    fn options_without_a_number_that_was_assigned_are_no_dhcpv6() {
        let solicit = |option: &str| hex(&format!("010a0b0c {option} 0004 00010203"));
        let seen = ["0001", "0096", "0000", "0100"].map(|option| evidence(decide(&DHCPV6, Transport::UDP, 547, &solicit(option), &[])) > Evidence::None);
        assert_eq!(seen, [true, true, false, false]);
    }
}
