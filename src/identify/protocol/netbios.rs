//! NetBIOS over UDP and TCP: name service, datagrams, sessions (RFC 1001, RFC 1002).

use std::net::IpAddr;
use std::time::Duration;

use crate::identify::wire::{Cursor, Held, hold, host_name};
use crate::identify::{AnswerKind, Evidence, Fact, NameSource, Resolved};
use crate::limit;
use crate::net::{Side, is_group};

use super::dns_message::{Message, NB, Record, rcode_name};
use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Names at port 137: told by a DNS-like message that names something in NetBIOS half-bytes.
pub static NETBIOS_NS: Known = Known {
    name: "netbios_ns",
    over: Over::Datagrams(Gate::Ports(&[137])),
    ask: |opening, bytes| look_names(opening, bytes, false),
    answer: Some(|opening, bytes| look_names(opening, bytes, true)),
    strength: Strength::Structure,
    reader: || Box::new(Names::default()),
};

/// Datagrams at port 138: told by type, flags, the sender's own address and port in the header.
pub static NETBIOS_DGM: Known = Known {
    name: "netbios_dgm",
    over: Over::Datagrams(Gate::Ports(&[138])),
    ask: look_datagram,
    answer: None,
    strength: Strength::Structure,
    reader: || Box::new(Datagrams::default()),
};

/// Session requests at port 139: told by length and two encoded names; what follows is another protocol.
pub static NETBIOS_SSN: Known = Known {
    name: "netbios_ssn",
    over: Over::Streams,
    ask: |_, bytes| look_session(bytes),
    answer: Some(|_, bytes| match bytes {
        [0x82, 0, 0, 0, ..] => Look::Weak(0, 4, "NetBIOS positive session response"),
        [0x83, 0, 0, 1, ..] => Look::Weak(0, 4, "NetBIOS negative session response"),
        [0x84, 0, 0, 6, ..] => Look::Weak(0, 4, "NetBIOS session retarget"),
        [] | [0x82..=0x84] | [0x82..=0x84, 0] | [0x82..=0x84, 0, 0] => Look::Short,
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Box::new(Session::default()),
};

fn look_names(opening: &Opening<'_>, bytes: &[u8], response: bool) -> Look {
    if !opening.is_at(&[137]) {
        return Look::No;
    }
    let Some(message) = Message::read(bytes) else { return damaged_name(bytes, response) };
    let name = message.question.map(|question| question.name).or(message.records.first().map(|record| record.name));
    let encoded = name.and_then(|at| message.labels(at).next()).is_some_and(|label| decoded(label).is_some());
    let opcode = matches!(message.header.opcode(), 0 | 5..=9 | 15);
    match Look::when(message.header.is_response() == response && opcode && encoded, 12, "NetBIOS name service message") {
        Look::No => damaged_name(bytes, response),
        look => look,
    }
}

/// A question whose name does not decode: its header says one question, perhaps one additional record, and nothing else (RFC 1002 section 4.2.1.1).
fn damaged_name(bytes: &[u8], response: bool) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(_), Some(flags), Some(1), Some(0), Some(0), Some(0 | 1)) = (at.be16(), at.be16(), at.be16(), at.be16(), at.be16(), at.be16()) else {
        return Look::No;
    };
    let plain = flags & 0x806f == 0 && matches!(flags >> 11, 0 | 5..=9 | 15) && !response;
    Look::when(plain && bytes.len() >= 50, 12, "NetBIOS name service header of one question, its name damaged")
}

fn look_datagram(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(kind), Some(flags)) = (at.u8(), at.u8()) else { return Look::No };
    let at_home = opening.is_at(&[138]);
    let names = bytes.get(14).is_some_and(|len| *len == 0x20) && decoded(bytes.get(15..47).unwrap_or_default()).is_some();
    // Queries for a datagram service have the name right behind ten bytes of header.
    let asked = kind > 0x13 && bytes.get(10).is_some_and(|len| *len == 0x20) && decoded(bytes.get(11..43).unwrap_or_default()).is_some();
    let error = kind == 0x13 && bytes.len() == 11;
    // The header repeats the sender's address and port: proof enough where a name does not decode (RFC 1002 section 4.4.1).
    let own = (at.be16(), at.array::<4>().map(IpAddr::from), at.be16());
    let repeats = matches!(own, (Some(_), Some(ip), Some(138)) if ip == opening.ends.0.ip || ip == opening.ends.1.ip) && kind < 0x13;
    let fits = at_home && (0x10..=0x16).contains(&kind) && flags & 0xf0 == 0 && (names && kind < 0x13 || error || repeats || asked);
    Look::when(fits, 14, "NetBIOS datagram header")
}

fn look_session(bytes: &[u8]) -> Look {
    let names = |bytes: &[u8]| bytes.get(4) == Some(&0x20) && decoded(bytes.get(5..37).unwrap_or_default()).is_some();
    match bytes {
        [0x81, 0, 0, len, rest @ ..] if rest.len() >= 34 => Look::when((68..=200).contains(len) && names(bytes), 38, "NetBIOS session request"),
        [0x81, 0, 0, ..] | [0x81, 0] | [0x81] if bytes.len() < 38 => Look::Short,
        _ => Look::No,
    }
}

/// The name that 32 letters from `A` to `P` stand for, half a byte each, and its suffix byte (RFC 1001 section 14.1).
fn encoded(letters: &[u8]) -> Option<(Box<str>, u8)> {
    let [name @ .., suffix] = &decoded(letters)?;
    let name = name.iter().position(|byte| matches!(byte, b' ' | 0)).and_then(|end| name.get(..end)).unwrap_or(name);
    Some((host_name(name).unwrap_or_default(), *suffix))
}

/// The bytes that the letters stand for.
fn decoded(letters: &[u8]) -> Option<[u8; 16]> {
    let half = |letter: u8| letter.to_ascii_uppercase().checked_sub(b'A').filter(|half| *half < 16);
    let (pairs, odd) = letters.as_chunks::<2>();
    let pairs: &[[u8; 2]; 16] = pairs.try_into().ok()?;
    let mut bytes = [0; 16];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = half(*high)? << 4 | half(*low)?;
    }
    odd.iter().all(|letter| half(*letter).is_some()).then_some(bytes)
}

/// The name in the first label of the name at a place.
fn name_at(message: &Message<'_>, at: usize) -> Option<(Box<str>, u8)> {
    encoded(message.labels(at).next()?)
}

/// Reads registrations, queries and answers.
#[derive(Debug, Default)]
struct Names {
    one_way: bool,
    named: bool,
    open: Vec<u16>,
}

impl Reader for Names {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let to = piece.receiver().ip;
        if is_group(to) && !std::mem::replace(&mut self.one_way, true) {
            said.say(Fact::OneWay);
        }
        let Some(message) = Message::read(piece.bytes) else { return Appetite::Hungry };
        let id = message.header.id;
        if message.header.is_response() {
            if let Some(place) = self.open.iter().position(|open| *open == id) {
                self.open.swap_remove(place);
                said.believe(Evidence::Dialogue);
            }
            answer(&message, piece.from, said);
            return Appetite::Hungry;
        }
        if self.open.contains(&id) {
            if !is_group(to) {
                said.say(Fact::Retry);
            }
        } else if self.open.len() < limit::QUESTIONS_OPEN {
            self.open.push(id);
        }
        self.registers(&message, piece.from, said);
        Appetite::Hungry
    }
}

impl Names {
    /// Registration, refresh: the sender says its own name. Suffixes 0 and 0x20 are hosts; groups have the highest bit of their flags set.
    fn registers(&mut self, message: &Message<'_>, from: Side, said: &mut Said<'_>) {
        if self.named {
            return;
        }
        let own = matches!(message.header.opcode(), 5 | 8 | 9);
        let group = message.records.first().is_some_and(|record| record.data.first().is_some_and(|flags| flags & 0x80 != 0));
        let Some((name, suffix)) = message.question.and_then(|question| name_at(message, question.name)) else { return };
        if own && !group && matches!(suffix, 0 | 0x20) && !name.is_empty() && !std::mem::replace(&mut self.named, true) {
            said.say(Fact::Name { of: from, name, source: NameSource::Netbios });
        } else if !own && !std::mem::replace(&mut self.named, true) {
            said.detail("netbios_ns", "query", name);
        }
    }
}

fn answer(message: &Message<'_>, by: Side, said: &mut Said<'_>) {
    let rcode = message.header.rcode();
    let kind = if rcode == 0 { AnswerKind::Accepted } else { AnswerKind::Refused };
    said.say(Fact::Answer { kind, code: u32::from(rcode), text: rcode_name(rcode).into(), by });
    for record in message.records.iter().filter(|record| record.kind == NB && rcode == 0) {
        let Some((name, _)) = name_at(message, record.name).filter(|(name, _)| !name.is_empty()) else { continue };
        let ttl = Duration::from_secs(u64::from(record.ttl));
        said.say(Fact::Resolved(Box::new(Resolved {
            name,
            reverse: false,
            aliases: Vec::new(),
            addresses: addresses(record),
            ttl,
            source: NameSource::Netbios,
        })));
    }
}

/// Flags and address, six bytes each (RFC 1002 section 4.2.13).
fn addresses(record: &Record<'_>) -> Vec<IpAddr> {
    record.data.as_chunks().0.iter().take(limit::ADDRESSES_OF_A_NAME).map(|[_, _, a, b, c, d]: &[u8; 6]| IpAddr::from([*a, *b, *c, *d])).collect()
}

/// Reads who sends datagrams.
#[derive(Debug, Default)]
struct Datagrams {
    told: bool,
}

impl Reader for Datagrams {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if !std::mem::replace(&mut self.told, true) {
            said.say(Fact::OneWay);
            // Browser announcements are SMB transactions to a mail slot (MS-BRWS section 2.2).
            if memchr::memmem::find(piece.bytes, b"\xffSMB").is_some() {
                said.say(Fact::Inner("smb"));
            }
            let name = encoded(piece.bytes.get(15..47).unwrap_or_default());
            if let Some((name, _)) = name.filter(|(name, suffix)| !name.is_empty() && matches!(suffix, 0 | 0x20)) {
                said.say(Fact::Name { of: piece.from, name, source: NameSource::Netbios });
            }
        }
        Appetite::Full
    }
}

/// Reads a session request and its answer, then hands over.
#[derive(Debug, Default)]
struct Session {
    held: [Held; 2],
}

impl Reader for Session {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let held = &mut self.held[piece.from as usize];
        hold(held, piece.bytes, limit::SESSION_KEPT);
        let [client, server] = &self.held;
        let (Some([0x81, 0, 0, len]), Some([kind, _, _, more])) = (client.first_chunk(), server.first_chunk()) else {
            return if piece.missing > 0 { Appetite::Full } else { Appetite::Hungry };
        };
        let whole = 4 + usize::from(*more);
        match kind {
            0x82 => {
                said.believe(Evidence::Dialogue);
                if let Some((name, _)) = encoded(client.get(5..37).unwrap_or_default()).filter(|(name, _)| !name.is_empty() && &**name != "*smbserver") {
                    said.say(Fact::Name { of: Side::Server, name, source: NameSource::Netbios });
                }
                Appetite::HandOver { client: 4 + u64::from(*len), server: whole as u64 }
            }
            0x83 if server.len() < whole => Appetite::Hungry,
            0x83 => {
                said.believe(Evidence::Dialogue);
                let code = server.get(4).copied().unwrap_or_default();
                said.say(Fact::answer(AnswerKind::Refused, u32::from(code), session_error(code)));
                Appetite::Full
            }
            _ => Appetite::Full,
        }
    }
}

/// RFC 1002 section 4.3.4.
fn session_error(code: u8) -> &'static str {
    match code {
        0x80 => "not listening on called name",
        0x81 => "not listening for calling name",
        0x82 => "called name not present",
        0x83 => "insufficient resources",
        _ => "unspecified error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    /// "PC" with suffix 0x20, encoded as RFC 1001 section 14.1 says: P is 50 -> FA, C is 43 -> ED, blanks 20 -> CA.
    const NAME: &str = "20 46414544 43414341434143414341434143414341434143414341434143414341 00";

    fn with_name(head: &str, tail: &str) -> Vec<u8> {
        hex(&format!("{head}{NAME}{tail}"))
    }

    #[test]
    fn a_name_query_is_answered_with_an_address() {
        let query = with_name("1234 0110 0001 0000 0000 0000", "0020 0001");
        let answer = with_name("1234 8500 0000 0001 0000 0000", "0020 0001 00000e10 0006 0000 0a000002");
        assert_eq!(evidence(decide(&NETBIOS_NS, Transport::UDP, 137, &query, &answer)), Evidence::BothOpenings);
        let heard = read(&NETBIOS_NS, Transport::UDP, 137, &[(Client, &query), (Server, &answer)]);
        assert_eq!(heard.evidence, Evidence::Dialogue);
        assert!(heard.facts.iter().any(|fact| matches!(fact, Fact::Resolved(resolved) if &*resolved.name == "pc")), "{:?}", heard.facts);
        survives(&NETBIOS_NS, Transport::UDP, 137, &[(Client, &query), (Server, &answer)]);
    }

    #[test]
    fn a_registration_names_its_sender() {
        let registration = with_name("1234 2910 0001 0000 0000 0001", "0020 0001 c00c 0020 0001 000493e0 0006 0000 0a000001");
        let heard = read(&NETBIOS_NS, Transport::UDP, 137, &[(Client, &registration)]);
        assert!(heard.facts.contains(&Fact::Name { of: Client, name: "pc".into(), source: NameSource::Netbios }), "{:?}", heard.facts);
    }

    #[test]
    fn a_session_hands_over_behind_its_answer() {
        let request = with_name("81000044", NAME);
        let dialogue: [(Side, &[u8]); 2] = [(Client, &request), (Server, &[0x82, 0, 0, 0])];
        assert_eq!(evidence(decide(&NETBIOS_SSN, Transport::TCP, 139, &request, dialogue[1].1)), Evidence::BothOpenings);
        assert_eq!(read(&NETBIOS_SSN, Transport::TCP, 139, &dialogue).appetite, Appetite::HandOver { client: 72, server: 4 });
        survives(&NETBIOS_SSN, Transport::TCP, 139, &dialogue);
        let refused = read(&NETBIOS_SSN, Transport::TCP, 139, &[(Client, &request), (Server, &[0x83, 0, 0, 1, 0x82])]);
        assert!(refused.facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Refused, code: 0x82, .. })));
    }

    #[test]
    fn a_datagram_names_its_sender_and_plain_dns_is_no_netbios() {
        let datagram = with_name("11 02 0001 0a000001 008a 0044 0000", NAME);
        assert_eq!(evidence(decide(&NETBIOS_DGM, Transport::UDP, 138, &datagram, &[])), Evidence::OneOpening);
        assert!(read(&NETBIOS_DGM, Transport::UDP, 138, &[(Client, &datagram)]).facts.contains(&Fact::OneWay));
        survives(&NETBIOS_DGM, Transport::UDP, 138, &[(Client, &datagram)]);
        let dns = hex("1234 0100 0001 0000 0000 0000 03777777 00 0001 0001");
        assert_eq!(evidence(decide(&NETBIOS_NS, Transport::UDP, 137, &dns, &[])), Evidence::None);
    }

    /// Datagrams of the shared capture "fuzz-2006-06-26-2594".
    #[test]
    fn a_header_is_enough_where_a_name_is_damaged() {
        let question = hex("853d 0110 0001 0000 0000 0000 20 45464544454a465045454550454e4542454a454f43414341434143f54341424d00 0028 0001");
        assert_eq!(evidence(decide(&NETBIOS_NS, Transport::UDP, 137, &question, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&NETBIOS_NS, Transport::UDP, 5353, &question, &[])), Evidence::None);
        let mut other = question.clone();
        other[6] = 1;
        assert_eq!(evidence(decide(&NETBIOS_NS, Transport::UDP, 137, &other, &[])), Evidence::None);
        // Sent by 10.0.0.1, as its header says; a name with letters that are none.
        let datagram = [hex("110e8527 0a000001 008a 00bb 0000 20"), b"EDDADACDDEDFDFd;CACACACACACACACA".to_vec(), vec![0; 100]].concat();
        assert_eq!(evidence(decide(&NETBIOS_DGM, Transport::UDP, 138, &datagram, &[])), Evidence::OneOpening);
        let mut foreign = datagram.clone();
        foreign[7] = 9;
        assert_eq!(evidence(decide(&NETBIOS_DGM, Transport::UDP, 138, &foreign, &[])), Evidence::None);
    }
}
