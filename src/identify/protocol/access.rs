//! Access and tunnels: RADIUS, TACACS+, WireGuard, OpenVPN, SOCKS.

use crate::identify::wire::{Cursor, Held, hold, host_name, shown};
use crate::identify::{AnswerKind, Evidence, Fact, NameSource};
use crate::limit;
use crate::net::{Side, Transport};

use super::{Appetite, Confirm, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// RADIUS (RFC 2865): code, length of the datagram, attributes that fill it.
pub static RADIUS: Known = Known {
    name: "radius",
    over: Over::Datagrams(Gate::BytesAnd(
        &[1..=5, 11..=13, 40..=45],
        |bytes| matches!(bytes, [_, _, a, b, ..] if usize::from(u16::from_be_bytes([*a, *b])).abs_diff(bytes.len()) <= 4),
    )),
    ask: |opening, bytes| radius(opening, bytes, &[1, 4, 12, 40, 43]),
    answer: Some(|opening, bytes| radius(opening, bytes, &[2, 3, 5, 11, 13, 41, 42, 44, 45])),
    strength: Strength::Structure,
    reader: || Box::new(Radius::default()),
};

/// TACACS+ (RFC 8907 section 4.1): version, type, sequence, flags, session, length.
pub static TACACS: Known = Known {
    name: "tacacs",
    over: Over::Streams,
    ask: |opening, bytes| tacacs(bytes, 1).weak_unless_at(opening, &[49]),
    answer: Some(|opening, bytes| tacacs(bytes, 2).weak_unless_at(opening, &[49])),
    strength: Strength::Structure,
    reader: || Confirm::of(&TACACS),
};

/// WireGuard (whitepaper section 5.4): each message type has its length.
pub static WIREGUARD: Known = Known {
    name: "wireguard",
    over: Over::Datagrams(Gate::BytesAnd(&[1..=4], |bytes| matches!(bytes, [_, 0, 0, 0, ..]))),
    ask: |_, bytes| wireguard(bytes),
    answer: Some(|_, bytes| match (bytes.first_chunk(), bytes.len()) {
        (Some([2, 0, 0, 0]), 92) | (Some([3, 0, 0, 0]), 64) => Look::Weak(0, 4, "WireGuard response"),
        _ => wireguard(bytes).weak(),
    }),
    strength: Strength::Structure,
    reader: || Box::new(Tunnel::default()),
};

/// OpenVPN (its protocol description, "network protocol"): hard resets of both sides.
pub static OPENVPN: Known = Known {
    name: "openvpn",
    over: Over::Either(Gate::Bytes(&[0x38..=0x38, 0x40..=0x40, 0x50..=0x50])),
    ask: |opening, bytes| openvpn(opening, bytes, &[0x38, 0x50]),
    answer: Some(|opening, bytes| openvpn(opening, bytes, &[0x40])),
    strength: Strength::Structure,
    // The session stands in clear in front of numbers and digests that are another's each time.
    reader: || Confirm::asking(&OPENVPN, |bytes| bytes.get(..9).unwrap_or(bytes)),
};

/// SOCKS 4, 4a and 5 (RFC 1928): the request names the inner destination, and the inner protocol follows.
pub static SOCKS: Known = Known {
    name: "socks",
    over: Over::Streams,
    ask: |opening, bytes| match bytes {
        [5, many @ 1..=8, methods @ ..] if methods.len() >= usize::from(*many) => {
            // A client waits for the choice before it says more; at the port of SOCKS it may be in a hurry.
            let waits = methods.len() == usize::from(*many) || opening.is_at(&[1080]);
            Look::when(waits && methods.iter().take(usize::from(*many)).all(|method| matches!(method, 0..=9 | 0x80..)), 3, "SOCKS 5 greeting").weak()
        }
        [4, 1 | 2, _, _, rest @ ..] if rest.len() >= 5 => Look::when(rest.iter().skip(4).take(256).any(|byte| *byte == 0), 8, "SOCKS 4 request").weak(),
        [5] | [5, 1..=8, ..] | [4] | [4, 1 | 2, ..] if bytes.len() < 10 => Look::Short,
        _ => Look::No,
    },
    answer: Some(|opening, bytes| match bytes {
        // The choice is one of what was offered, or none.
        [5, method, rest @ ..] => {
            let offered = opening
                .client
                .get(2..)
                .zip(opening.client.get(1))
                .is_some_and(|(methods, many)| methods.iter().take(usize::from(*many)).any(|known| known == method));
            Look::when((offered || *method == 0xff) && (rest.is_empty() || opening.is_at(&[1080])) && opening.client.first() == Some(&5), 2, "SOCKS 5 method")
                .weak()
        }
        [0, 90..=93, rest @ ..] if rest.len() >= 6 => Look::when(opening.client.first() == Some(&4), 2, "SOCKS 4 reply").weak(),
        [5] | [0] | [0, 90..=93, ..] => Look::Short,
        _ => Look::No,
    }),
    strength: Strength::Structure,
    reader: || Box::new(Socks::default()),
};

fn radius(opening: &Opening<'_>, bytes: &[u8], codes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(code), Some(_), Some(len), Some(_)) = (at.u8(), at.u8(), at.be16(), at.take(16)) else { return Look::No };
    if !codes.contains(&code) || usize::from(len).abs_diff(bytes.len()) > 4 {
        return Look::No;
    }
    let mut attributes = Cursor::new(bytes.get(20..usize::from(len)).or(bytes.get(20..)).unwrap_or_default());
    let mut many = 0;
    while let (Some(_), Some(size)) = (attributes.u8(), attributes.u8()) {
        if size < 2 || attributes.take(usize::from(size) - 2).is_none() {
            // A login that lost its end: a user's name comes first.
            let named = bytes.get(21).and_then(|len| bytes.get(22..20 + usize::from(*len)));
            let begins = many > 0 && bytes.get(20) == Some(&1) && named.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic));
            return Look::when(begins && opening.is_at(&[1812, 1813]), 22, "RADIUS header and first attribute, the rest damaged");
        }
        many += 1;
    }
    // Requests name a user or a server: they have attributes (RFC 2865 section 4.1, RFC 2866 section 4.1).
    Look::when(attributes.is_empty() && (many > 0 || !matches!(code, 1 | 4)), 20, "RADIUS header and attributes").weak_unless_at(
        opening,
        if (40..=45).contains(&code) {
            DYNAMIC
        } else if many > 1 {
            &[1812, 1813, 1645, 1646]
        } else {
            &[1812, 1813]
        },
    )
}

/// Where servers change and end sessions (RFC 5176 section 2.3, and Cisco's port for it).
const DYNAMIC: &[u16] = &[3799, 1700];

/// Reads how a request was answered.
#[derive(Debug, Default)]
struct Radius {
    open: Option<[u8; 2]>,
}

impl Reader for Radius {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let Some([code, id]) = piece.bytes.first_chunk() else { return Appetite::Hungry };
        let kind = match code {
            2 | 5 | 41 | 44 => AnswerKind::Accepted,
            11 => AnswerKind::Redirected,
            3 | 42 | 45 => AnswerKind::Refused,
            _ => {
                let again = self.open.replace([*code, *id]) == Some([*code, *id]);
                if again {
                    said.say(Fact::Retry);
                }
                return Appetite::Hungry;
            }
        };
        if self.open.take_if(|open| open[1] == *id).is_some() {
            said.believe(Evidence::Dialogue);
            let text = match code {
                2 => "accept",
                3 => "reject",
                5 => "accounting response",
                11 => "challenge",
                _ => "answer",
            };
            said.say(Fact::Answer { kind, code: u32::from(*code), text: text.into(), by: piece.from });
        }
        Appetite::Hungry
    }
}

fn tacacs(bytes: &[u8], sequence: u8) -> Look {
    match bytes.first_chunk::<12>() {
        Some([0xc0 | 0xc1, 1..=3, number, 0 | 1 | 4 | 5, _, _, _, _, 0, 0, high, low]) => {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            Look::when(*number == sequence && (5..4096).contains(&len) && len + 12 >= bytes.len(), 12, "TACACS+ header")
        }
        None if matches!(bytes, [] | [0xc0 | 0xc1] | [0xc0 | 0xc1, 1..=3, ..]) => Look::Short,
        _ => Look::No,
    }
}

fn wireguard(bytes: &[u8]) -> Look {
    let handshake = |len: usize| {
        // The second code is zero but for a server under load: with the length, twenty fixed bytes. Else the other side has to help.
        let look = Look::when(bytes.len() == len, 4, "WireGuard handshake");
        if bytes.last_chunk() == Some(&[0; 16]) { look } else { look.weak() }
    };
    match bytes {
        [1, 0, 0, 0, ..] => handshake(148),
        [2, 0, 0, 0, ..] => handshake(92),
        // Data alone is four bytes and a length: too little without the other side.
        [4, 0, 0, 0, _, _, _, _, _, _, _, _, 0, 0, 0, 0, ..] if bytes.len() >= 32 && bytes.len().is_multiple_of(16) => Look::Weak(0, 4, "WireGuard data"),
        _ => Look::No,
    }
}

/// Pairs a response with the index of its initiation.
#[derive(Debug, Default)]
struct Tunnel {
    sender: Option<[u8; 4]>,
}

impl Reader for Tunnel {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        match piece.bytes {
            [1, 0, 0, 0, a, b, c, d, ..] => {
                if self.sender.replace([*a, *b, *c, *d]).is_some() {
                    said.say(Fact::Retry);
                }
                Appetite::Hungry
            }
            [2, 0, 0, 0, _, _, _, _, receiver @ ..] => {
                if receiver.first_chunk() == self.sender.as_ref() && self.sender.is_some() {
                    said.believe(Evidence::Dialogue);
                }
                said.say(Fact::Encrypted);
                Appetite::Full
            }
            _ => {
                said.say(Fact::Encrypted);
                Appetite::Full
            }
        }
    }
}

fn openvpn(opening: &Opening<'_>, bytes: &[u8], opcodes: &[u8]) -> Look {
    let (len, body) = if opening.transport == Transport::TCP {
        match Cursor::new(bytes).be16() {
            None => return Look::Before(RESET + 2),
            Some(len) => (usize::from(len), bytes.get(2..).unwrap_or_default()),
        }
    } else {
        (bytes.len(), bytes)
    };
    let Some(first) = body.first() else { return Look::Before(RESET + 2) };
    if !opcodes.contains(first) {
        return Look::No;
    }
    // A reset of 120 bytes at most comes whole, or in pieces that a censor is not to know again.
    if body.len() < len && len < 120 {
        return Look::Before(len as u32 + 2);
    }
    // Opcode and key, session, acknowledgments, message number 0; of the server's answer one acknowledgment with the client's session.
    let (answers, own) = if *first == SERVER_RESET { (true, 26) } else { (false, 14) };
    let numbers = body.get(9..14) == Some(if answers { &[1, 0, 0, 0, 0] } else { &[0; 5] }) && (!answers || body.get(22..26) == Some(&[0; 4]));
    let plain = numbers && len == own;
    // With a shared key a digest and a packet number with its time come in between; with tls-crypt the number follows the session.
    let signed = [16, 20, 28, 32, 64].iter().any(|digest| body.get(9 + digest..13 + digest) == Some(&[0, 0, 0, 1]) && len == own + digest + 8);
    let crypt = body.get(9..13) == Some(&[0, 0, 0, 1]) && (own + 40..own + 60).contains(&len);
    // With tls-crypt-v2 the client's wrapped key ends the datagram, its own length last; before it 54 bytes as with tls-crypt.
    let wrapped =
        *first == 0x50 && opening.transport == Transport::UDP && body.last_chunk().is_some_and(|own| usize::from(u16::from_be_bytes(*own)) + 54 == len);
    // Eight bytes by chance: two zeros among them are one in two thousand.
    let session = body.get(1..9).is_some_and(|session| session.iter().filter(|byte| **byte == 0).count() < 2);
    let hit = Look::when(session && (plain || signed || crypt || wrapped) && (14..1500).contains(&len), 14, "OpenVPN hard reset");
    if plain || signed || wrapped { hit } else { hit.weak_unless_at(opening, &[1194]) }
}

/// P_CONTROL_HARD_RESET_SERVER_V2 with key 0.
const SERVER_RESET: u8 = 0x40;
/// Bytes of the shortest reset, or of as much as is looked at of a longer one: opcode, session, packet number.
const RESET: u32 = 13;

/// Reads greeting, request and reply, then hands over.
#[derive(Debug, Default)]
struct Socks {
    client: Held,
    server: Held,
}

impl Reader for Socks {
    fn held(&self) -> usize {
        self.client.capacity() + self.server.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let held = if piece.from == Side::Client { &mut self.client } else { &mut self.server };
        let room = hold(held, piece.bytes, limit::SOCKS_KEPT);
        let stop = if room == 0 || piece.missing > 0 { Appetite::Full } else { Appetite::Hungry };
        match self.client.first() {
            Some(4) => self.version_4(said).unwrap_or(stop),
            Some(5) => self.version_5(said).unwrap_or(stop),
            _ => stop,
        }
    }
}

impl Socks {
    fn version_4(&mut self, said: &mut Said<'_>) -> Option<Appetite> {
        let mut at = Cursor::new(&self.client);
        at.take(2)?;
        let (port, ip) = (at.be16()?, at.array::<4>()?);
        at.until_nul()?;
        // 4a: an impossible address announces a name.
        let target = if matches!(ip, [0, 0, 0, last] if last > 0) { at.until_nul()?.to_vec() } else { std::net::Ipv4Addr::from(ip).to_string().into_bytes() };
        let end = at.at();
        let reply = self.server.get(..8)?;
        let code = reply.get(1).copied().unwrap_or_default();
        let accepted = code == 90;
        Some(finish((&target, port), (accepted, u32::from(code)), (end, 8), said))
    }

    fn version_5(&mut self, said: &mut Said<'_>) -> Option<Appetite> {
        let method = *self.server.get(1)?;
        if method == 0xff {
            said.believe(Evidence::Dialogue);
            said.say(Fact::answer(AnswerKind::Refused, 0xff, "no acceptable method"));
            return Some(Appetite::Full);
        }
        let mut at = Cursor::new(&self.client);
        let many = usize::from(*at.take(2)?.get(1)?);
        at.take(many)?;
        let mut reply = Cursor::new(&self.server);
        reply.take(2)?;
        if method == 2 {
            // User name and password (RFC 1929).
            at.u8()?;
            for _ in 0..2 {
                let len = usize::from(at.u8()?);
                at.take(len)?;
            }
            if reply.take(2)?.get(1) != Some(&0) {
                said.believe(Evidence::Dialogue);
                said.say(Fact::answer(AnswerKind::Refused, 1, "credentials"));
                return Some(Appetite::Full);
            }
        } else if method != 0 {
            return Some(Appetite::Full);
        }
        at.take(3)?;
        let target = socks_address(&mut at)?;
        let port = at.be16()?;
        let code = *reply.take(3)?.get(1)?;
        socks_address(&mut reply)?;
        reply.be16()?;
        Some(finish((&target, port), (code == 0, u32::from(code)), (at.at(), reply.at()), said))
    }
}

/// Type 1 IPv4, 3 a counted name, 4 IPv6 (RFC 1928 section 5).
fn socks_address(at: &mut Cursor<'_>) -> Option<Vec<u8>> {
    match at.u8()? {
        1 => at.array::<4>().map(|ip| std::net::Ipv4Addr::from(ip).to_string().into_bytes()),
        4 => at.array::<16>().map(|ip| std::net::Ipv6Addr::from(ip).to_string().into_bytes()),
        3 => {
            let len = usize::from(at.u8()?);
            at.take(len).map(<[u8]>::to_vec)
        }
        _ => None,
    }
}

fn finish((target, port): (&[u8], u16), (accepted, code): (bool, u32), (client, server): (usize, usize), said: &mut Said<'_>) -> Appetite {
    said.believe(Evidence::Dialogue);
    said.say(Fact::request("connect", &format!("{}:{port}", shown(target))));
    if let Some(name) = host_name(target).filter(|name| name.parse::<std::net::IpAddr>().is_err()) {
        said.say(Fact::Name { of: Side::Server, name, source: NameSource::Host });
    }
    let kind = if accepted { AnswerKind::Accepted } else { AnswerKind::Refused };
    said.say(Fact::answer(kind, code, socks_reply(code)));
    if accepted { Appetite::HandOver { client: client as u64, server: server as u64 } } else { Appetite::Full }
}

/// What a reply says, of version 5 (RFC 1928 section 6) and of version 4.
const fn socks_reply(code: u32) -> &'static str {
    match code {
        0 | 90 => "connect",
        2 => "connection not allowed by ruleset",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        91 => "request rejected or failed",
        92 => "no identd at the client",
        93 => "identd names another user",
        _ => "general SOCKS server failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::identify::protocol::{Probe, Protocol};
    use crate::net::Side::{Client, Server};

    #[test]
    fn a_radius_reject_is_a_refusal() {
        let ask = hex("01 07 0017 000102030405060708090a0b0c0d0e0f 01 03 61");
        let reject = hex("03 07 0014 000102030405060708090a0b0c0d0e0f");
        assert_eq!(evidence(decide(&RADIUS, Transport::UDP, 1812, &ask, &reject)), Evidence::BothOpenings);
        let heard = read(&RADIUS, Transport::UDP, 1812, &[(Client, &ask), (Server, &reject)]);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 3, "reject")));
        survives(&RADIUS, Transport::UDP, 1812, &[(Client, &ask), (Server, &reject)]);
        // RFC 5176 section 2.3: a session is to be changed, its user named.
        let change = hex("2b a6 0019 7fbf02c6662b5990838a5e6e331b3ff0 01 05 626f62");
        for port in [3799, 1700] {
            assert_eq!(evidence(decide(&RADIUS, Transport::UDP, port, &change, &[])), Evidence::OneOpening);
        }
        assert_eq!(evidence(decide(&RADIUS, Transport::UDP, 9_999, &change, &[])), Evidence::None);
        assert_eq!(evidence(decide(&RADIUS, Transport::UDP, 1812, &hex("01 07 0017 000102030405060708090a0b0c0d0e0f 01 04 61"), &[])), Evidence::None);
    }

    // RFC 1928 section 6: the proxy reached the host, and there nothing listened.
    #[test]
    fn what_a_proxy_could_not_do_is_told_in_words() {
        let refused = |reply: &[u8]| {
            let dialogue: &[(Side, &[u8])] = &[(Client, &[5, 1, 0]), (Server, &[5, 0]), (Client, b"\x05\x01\0\x03\x03a.b\0\x50"), (Server, reply)];
            read(&SOCKS, Transport::TCP, 1080, dialogue)
        };
        let told = |code: u32, text: &str| Fact::answer(AnswerKind::Refused, code, text);
        assert!(refused(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).says(&told(5, "connection refused")));
        assert!(refused(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).says(&told(2, "connection not allowed by ruleset")));
    }

    #[test]
    fn a_proxy_hands_over_to_the_inner_protocol() {
        // RFC 1928 sections 3, 4 and 6: no authentication, connect to a.b port 80.
        let dialogue: &[(Side, &[u8])] =
            &[(Client, &[5, 1, 0]), (Server, &[5, 0]), (Client, b"\x05\x01\0\x03\x03a.b\0\x50"), (Server, &[5, 0, 0, 1, 10, 0, 0, 2, 4, 0]), (Client, b"GET")];
        assert_eq!(evidence(decide(&SOCKS, Transport::TCP, 1080, dialogue[0].1, dialogue[1].1)), Evidence::BothOpenings);
        let heard = read(&SOCKS, Transport::TCP, 1080, dialogue);
        assert_eq!(heard.appetite, Appetite::HandOver { client: 13, server: 12 });
        assert!(heard.facts.contains(&Fact::Name { of: Server, name: "a.b".into(), source: NameSource::Host }));
        assert_eq!(evidence(decide(&SOCKS, Transport::TCP, 1080, &[5, 1, 0], b"HTTP")), Evidence::None);
        survives(&SOCKS, Transport::TCP, 1080, &dialogue[..4]);
    }

    #[test]
    fn tunnels_are_told_by_their_lengths() {
        let mut initiation = vec![0; 148];
        initiation[..8].copy_from_slice(&[1, 0, 0, 0, 9, 9, 9, 9]);
        let mut response = vec![0; 92];
        response[..12].copy_from_slice(&[2, 0, 0, 0, 1, 1, 1, 1, 9, 9, 9, 9]);
        assert_eq!(read(&WIREGUARD, Transport::UDP, 51820, &[(Client, &initiation), (Server, &response)]).evidence, Evidence::Dialogue);
        assert_eq!(evidence(decide(&WIREGUARD, Transport::UDP, 51820, &initiation[..147], &[])), Evidence::None);
        survives(&WIREGUARD, Transport::UDP, 51820, &[(Client, &initiation)]);
        let reset = hex("38 0102030405060708 00 00000000");
        assert_eq!(evidence(decide(&OPENVPN, Transport::UDP, 1194, &reset, &[])), Evidence::OneOpening);
        survives(&OPENVPN, Transport::UDP, 1194, &[(Client, &reset)]);
        let start = hex("c0 01 01 00 01020304 00000008 0102030405060708");
        assert_eq!(evidence(decide(&TACACS, Transport::TCP, 49, &start, &[])), Evidence::OneOpening);
        survives(&TACACS, Transport::TCP, 49, &[(Client, &start)]);
    }

    fn asked_again(protocol: &'static Known, port: u16, dialogue: &[(Side, &[u8])]) -> usize {
        read(protocol, Transport::UDP, port, dialogue).facts.iter().filter(|fact| **fact == Fact::Retry).count()
    }

    #[test]
    fn who_asks_for_a_tunnel_again_before_an_answer_is_heard() {
        // Recorded of OpenVPN 2.6 with tls-auth: digest and number differ each time, the session stays.
        let reset = hex("38 e5c64f88f2a3eb08 0d0741a6ab621801b00c0488e997c61f3bffcb6e 00000001 6b095d8c 00 00000000");
        let again = hex("38 e5c64f88f2a3eb08 91099a114673e1dab96b9c8574da414bb6e76eef 00000002 6b095d8c 00 00000000");
        assert_eq!(asked_again(&OPENVPN, 1194, &[(Client, &reset), (Client, &again)]), 1);
        assert_eq!(asked_again(&OPENVPN, 1194, &[(Client, &reset), (Client, &hex("38 50a02bd9af7f3022 00 00000000"))]), 0);
    }

    #[test]
    fn a_reset_over_tcp_may_come_in_pieces() {
        // nDPI's "openvpn_obfuscated": 88 bytes in pieces of nine, with a digest of 64.
        let reset = [hex("0056 38 6a8e6fa7fff86018"), vec![0x51; 64], hex("00000001 66ae3ed6 00 00000000")].concat();
        for len in 3..reset.len() {
            assert!(matches!(OPENVPN.probe(&Opening::of(Transport::TCP, &reset[..len], &[])), Probe::NotBefore(_)), "{len} bytes");
        }
        assert_eq!(evidence(decide(&OPENVPN, Transport::TCP, 443, &reset, &[])), Evidence::OneOpening);
    }

    #[test]
    fn a_wrapped_client_key_ends_a_hard_reset_of_openvpn() {
        // P_CONTROL_HARD_RESET_CLIENT_V3, session, 45 bytes, a wrapped key of 299 bytes that ends in its length, as in nDPI's "openvpn-tlscrypt".
        let mut reset = [hex("50 aae06512392a3d71 0a010001 625a9e97"), vec![0x5a; 336 - 2], hex("012b")].concat();
        reset.truncate(353);
        let len = reset.len();
        reset[len - 2..].copy_from_slice(&[1, 0x2b]);
        assert_eq!(evidence(decide(&OPENVPN, Transport::UDP, 50_001, &reset, &[])), Evidence::OneOpening);
        reset.pop();
        assert_eq!(evidence(decide(&OPENVPN, Transport::UDP, 50_001, &reset, &[])), Evidence::None);
    }

    #[test]
    fn a_radius_request_that_lost_its_end_is_told_at_its_port() {
        // tcpdump's "radius_rfc5447_invalid_length": the header says 57 bytes, 56 came, and a later attribute has no length.
        let ask = hex("014f0039 5bec15a7f3ac1590f65629a9f979c340 01076c75736572 7c0a00000600 0000000001 7d1320200 10db8000000000000000000000000");
        assert_eq!(evidence(decide(&RADIUS, Transport::UDP, 1812, &ask, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&RADIUS, Transport::UDP, 9999, &ask, &[])), Evidence::None);
    }
}
