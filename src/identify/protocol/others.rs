//! Protocols of which little more than the beginning is of use: BGP, WS-Discovery, BitTorrent, SpinetiX Shared Variables.

use memchr::memmem;
use smallvec::SmallVec;

use crate::identify::wire::{Cursor, Lines, may_begin, printable, shown};
use crate::identify::{Evidence, Fact};
use crate::limit;
use crate::net::{Side, Transport};

use super::talk::opens_with;
use super::{Appetite, Confirm, Gate, Head, Hit, Known, Look, Opening, Over, Piece, Probe, Protocol, Reader, Said, Strength};

/// BGP (RFC 4271 section 4.1): sixteen bytes of ones, length, an open message.
pub static BGP: Known = Known { name: "bgp", over: Over::Streams, ask: bgp, answer: None, strength: Strength::Magic, reader: || Confirm::of(&BGP) };

/// WS-Discovery (OASIS WS-DD 1.1): a SOAP envelope of its name space.
pub static WSD: Known = Known {
    name: "wsd",
    over: Over::Datagrams(Gate::Bytes(&[b'<'..=b'<'])),
    ask: |opening, bytes| wsd(opening, bytes, &[b"Probe", b"Resolve", b"Hello", b"Bye"]),
    answer: Some(|opening, bytes| wsd(opening, bytes, &[b"ProbeMatches", b"ResolveMatches"])),
    strength: Strength::Text,
    reader: || Box::new(Discovery),
};

/// Shared Variables of SpinetiX players, the line protocol (vendors.md, sup-spinetix-sv-wire): a command and a quoted name.
pub static SHARED_VARIABLES: Known = Known {
    name: "shared_variables",
    over: Over::Streams,
    ask: |_, bytes| match opens_with(bytes, COMMANDS) {
        Some(true) => {
            let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            // The name comes in quotes, after a time in UPDATE and EVENT.
            let rest = line.splitn(2, |byte| *byte == b' ').nth(1).unwrap_or_default().trim_ascii_start();
            let stamp = rest.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'T' | b'Z' | b'+')).count();
            let quoted = rest.get(stamp..).unwrap_or_default().trim_ascii_start();
            match (quoted.first(), quoted.iter().skip(1).any(|byte| *byte == b'"')) {
                (Some(b'"'), true) => Look::Yes(0, 6, "Shared Variables command with a quoted name"),
                (None | Some(b'"'), false) if bytes.len() < 512 && !bytes.contains(&b'\n') => Look::Short,
                _ => Look::No,
            }
        }
        Some(false) => Look::No,
        None => Look::Short,
    },
    answer: Some(|_, bytes| Look::weakly(opens_with(bytes, COMMANDS), 6, "Shared Variables command")),
    strength: Strength::Text,
    reader: || Box::new(Variables::default()),
};

/// BitTorrent: its handshake (BEP 3), its tables (BEP 5) and its transport over UDP (BEP 29).
pub static BITTORRENT: BitTorrent = BitTorrent;

fn bgp(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes.first_chunk::<19>() {
        Some(header) => {
            let (marker, rest) = header.split_at(16);
            let fits = marker == [0xff; 16] && matches!(rest, [0, 19..=255, 1..=5] | [1..=16, _, 1..=5]);
            Look::when(fits, 19, "BGP marker, length and type")
        }
        None if bytes.iter().take(16).all(|byte| *byte == 0xff) => Look::Short,
        None => Look::No,
    }
}

fn wsd(opening: &Opening<'_>, bytes: &[u8], words: &[&[u8]]) -> Look {
    if bytes.first() != Some(&b'<') {
        return Look::No;
    }
    let envelope = bytes.starts_with(b"<?xml") || memmem::find(bytes.get(..256).unwrap_or(bytes), b"Envelope").is_some();
    let space = || memmem::find(bytes, b"ws/2005/04/discovery").is_some() || memmem::find(bytes, b"ws-dd/ns/discovery").is_some();
    // As an element's name, or at the end of an action.
    let stands = |at: usize, word: &[u8]| {
        let (before, after) = (bytes.get(..at).unwrap_or_default(), bytes.get(at + word.len()..).unwrap_or_default());
        before.ends_with(b":") && after.starts_with(b">") || before.ends_with(b"discovery/") && after.starts_with(b"<")
    };
    let says = || words.iter().any(|word| memmem::find_iter(bytes, word).any(|at| stands(at, word)));
    Look::when(envelope && space() && (opening.is_at(&[3702]) || says()), 5, "WS-Discovery envelope")
}

/// Reads whether an answer is due.
#[derive(Debug)]
struct Discovery;

impl Reader for Discovery {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            if [b"Hello".as_slice(), b"Bye"].iter().any(|word| memmem::find(piece.bytes, &[b"discovery/", *word].concat()).is_some())
                || crate::net::is_group(piece.ends.server.ip)
            {
                said.say(Fact::OneWay);
            }
            return Appetite::Hungry;
        }
        said.believe(Evidence::Dialogue);
        if let Some(at) = memmem::find(piece.bytes, b"XAddrs>") {
            let address = piece.bytes.get(at + 7..).unwrap_or_default();
            said.detail("wsd", "address", printable(address.split(|byte| *byte == b'<').next().unwrap_or_default()));
        }
        Appetite::Full
    }
}

/// Reads the first command; updates and events are not answered.
#[derive(Debug, Default)]
struct Variables {
    lines: Lines,
}

impl Reader for Variables {
    fn held(&self) -> usize {
        self.lines.held()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Server {
            return Appetite::Hungry;
        }
        if piece.missing > 0 {
            return Appetite::Full;
        }
        let Some(line) = self.lines.next(&mut { piece.bytes }) else { return Appetite::Hungry };
        let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        let name = line.split(|byte| *byte == b'"').nth(1).unwrap_or_default();
        said.say(Fact::request(&shown(word), &shown(name)));
        if matches!(word, b"UPDATE" | b"EVENT") {
            said.say(Fact::OneWay);
        }
        Appetite::Full
    }
}

/// One name for what three encodings carry.
#[derive(Debug)]
pub struct BitTorrent;

impl Protocol for BitTorrent {
    fn name(&self) -> &'static str {
        "bittorrent"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::TCP, Transport::UDP]
    }

    fn strength(&self) -> Strength {
        Strength::Magic
    }

    fn gate(&self) -> Gate {
        // A tracker's request, uTP by kind and version, a handshake, a search, a dictionary.
        Gate::BytesAnd(&[0x00..=0x01, 0x11..=0x11, 0x13..=0x13, 0x21..=0x21, 0x31..=0x31, 0x41..=0x42, b'd'..=b'd'], has_swarm_head)
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let mut more = false;
        for side in [Side::Client, Side::Server] {
            let bytes = opening.side(side);
            if !bytes.is_empty() {
                match torrent(opening.transport, bytes) {
                    Look::Yes(offset, len, rule) => {
                        return Probe::Found { evidence: Evidence::OneOpening, hit: Hit { side, offset, len, rule }, client: None };
                    }
                    Look::Short => more = true,
                    _ => (),
                }
            }
        }
        if opening.transport == Transport::UDP && utp(opening.heads) {
            let hit = Hit { side: opening.latest.0, offset: 0, len: 20, rule: "uTP packets of one connection" };
            return Probe::Found { evidence: Evidence::BothOpenings, hit, client: None };
        }
        if opening.complete || !(more || opening.transport == Transport::UDP) { Probe::NotForUs } else { Probe::NeedMore }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Swarm)
    }
}

/// What follows the first byte of such a datagram: the rest of a word, or a known extension of uTP.
fn has_swarm_head(bytes: &[u8]) -> bool {
    let inside = || bytes.get(20) == Some(&0x13);
    match bytes {
        [0, rest @ ..] => rest.starts_with(&[0, 4, 0x17]),
        [0x13, rest @ ..] => rest.starts_with(b"Bit"),
        [b'B', rest @ ..] => rest.starts_with(b"T-S"),
        [b'd', rest @ ..] => matches!(rest, [b'1' | b'2', b':', ..]),
        [UTP_DATA, ..] if inside() => true,
        [_, extension, ..] => *extension <= 3,
        _ => true,
    }
}

fn torrent(transport: Transport, bytes: &[u8]) -> Look {
    let handshake = b"\x13BitTorrent protocol";
    if bytes.starts_with(handshake) {
        return Look::Yes(0, 20, "BitTorrent handshake");
    }
    if transport == Transport::TCP {
        return if may_begin(bytes, handshake) { Look::Short } else { Look::No };
    }
    if !matches!(bytes, [b'd' | b'B' | 0 | UTP_DATA, ..]) {
        return Look::No;
    }
    // A dictionary whose first key is a, e, ip, q, r, t, v or y, and that names a message kind.
    let table = [b"d1:ad2:id20:".as_slice(), b"d1:rd2:id20:", b"d1:el", b"d2:ip", b"d1:ad", b"d1:rd"].iter().any(|start| bytes.starts_with(start));
    let kinds = [b"1:y1:q".as_slice(), b"1:y1:r", b"1:y1:e", b"1:q4:ping", b"1:q9:find_node", b"1:q9:get_peers"];
    if table && kinds.iter().any(|word| memmem::find(bytes, word).is_some()) {
        return Look::Yes(0, 12, "BitTorrent table message");
    }
    let local = bytes.starts_with(b"BT-SEARCH * HTTP/1.1\r\n");
    // Connect request to a tracker (BEP 15), and a handshake inside uTP.
    let tracker = bytes.len() == 16 && bytes.starts_with(&[0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0]);
    let inside = bytes.first() == Some(&UTP_DATA) && bytes.get(20..40) == Some(handshake);
    Look::when(local || tracker || inside, 16, "BitTorrent announcement")
}

/// One packet's header (BEP 29): version 1 and a known kind.
#[derive(Clone, Copy)]
struct Utp {
    from: Side,
    kind: u8,
    connection: u16,
    sequence: u16,
    acknowledged: u16,
}

impl Utp {
    fn of(head: &Head) -> Option<Self> {
        let mut at = Cursor::new(&head.bytes);
        let (first, extension, connection) = (at.u8()?, at.u8()?, at.be16()?);
        // Two timestamps and the window.
        at.take(12)?;
        let (sequence, acknowledged) = (at.be16()?, at.be16()?);
        let fits = first & 15 == 1 && first >> 4 <= 4 && extension <= 3 && head.len >= 20;
        fits.then_some(Self { from: head.from, kind: first >> 4, connection, sequence, acknowledged })
    }
}

/// A SYN and the state that acknowledges it; or three packets and more, both ways, each way with one connection number, and those are neighbours.
fn utp(heads: &[Head]) -> bool {
    let Some(headers) = heads.iter().map(Utp::of).collect::<Option<SmallVec<[Utp; limit::PIECES_TRIED]>>>() else { return false };
    let of = |side: Side| headers.iter().filter(move |header| header.from == side);
    let (Some(client), Some(server)) = (of(Side::Client).next(), of(Side::Server).next()) else { return false };
    let opened = client.kind == SYN && server.kind == STATE && client.sequence == server.acknowledged && client.connection == server.connection;
    let constant = of(Side::Client).all(|header| header.connection == client.connection || header.kind == SYN)
        && of(Side::Server).all(|header| header.connection == server.connection);
    let neighbours = client.connection.abs_diff(server.connection) == 1 && client.connection != 0;
    opened || headers.len() >= 3 && constant && neighbours
}

/// Nothing more is read.
#[derive(Debug)]
struct Swarm;

impl Reader for Swarm {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            return Appetite::Hungry;
        }
        if matches!(torrent(piece.transport, piece.bytes), Look::Yes(..)) {
            said.believe(Evidence::BothOpenings);
        }
        Appetite::Full
    }
}

/// First byte of a uTP packet with data (BEP 29): kind 0, version 1.
const UTP_DATA: u8 = 1;
/// Kinds of uTP packets: an acknowledgment, and the opening of a connection.
const STATE: u8 = 2;
const SYN: u8 = 4;
const COMMANDS: &[&str] = &["UPDATE", "EVENT", "SUBSCRIBE", "UNSUBSCRIBE"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::Client;

    #[test]
    fn shared_variables_are_told_by_command_and_quoted_name() {
        let line = b"UPDATE \"temperature\" \"21\"\r\n";
        assert_eq!(evidence(decide(&SHARED_VARIABLES, Transport::TCP, 1234, line, b"")), Evidence::OneOpening);
        let heard = read(&SHARED_VARIABLES, Transport::TCP, 1234, &[(Client, line)]);
        assert!(heard.facts.contains(&Fact::request("UPDATE", "temperature")) && heard.facts.contains(&Fact::OneWay));
        survives(&SHARED_VARIABLES, Transport::TCP, 1234, &[(Client, line), (Side::Server, b"EVENT \"temperature\" \"22\"\r\n")]);
        for other in [b"SUBSCRIBE /events HTTP/1.1\r\n".as_slice(), b"UPDATE t SET x = \"1\"\r\n"] {
            assert_eq!(evidence(decide(&SHARED_VARIABLES, Transport::TCP, 1234, other, b"")), Evidence::None);
        }
    }

    #[test]
    fn swarms_are_told_by_their_handshake_tables_and_transport() {
        assert_eq!(evidence(decide(&BITTORRENT, Transport::TCP, 6881, b"\x13BitTorrent protocol\0\0", b"")), Evidence::OneOpening);
        let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
        assert_eq!(evidence(decide(&BITTORRENT, Transport::UDP, 6881, ping, b"")), Evidence::OneOpening);
        assert_eq!(evidence(decide(&BITTORRENT, Transport::UDP, 6881, b"d1:x", b"")), Evidence::None);
        let syn = Head::of(Side::Client, &hex("4100 1234 00000000 00000000 00010000 0001 0000"), 20);
        let state = Head::of(Side::Server, &hex("2100 1234 00000000 00000000 00010000 0001 0001"), 20);
        assert!(utp(&[syn, state]) && !utp(&[syn]) && !utp(&[state, syn, Head::of(Side::Client, &[0; 20], 20)]));
        survives(&BITTORRENT, Transport::UDP, 6881, &[(Client, ping)]);
    }

    #[test]
    fn bgp_and_discovery_are_told_by_their_openings() {
        let open = hex("ffffffffffffffffffffffffffffffff 001d 01 04 fde8 00b4 0a000001 00");
        assert_eq!(evidence(decide(&BGP, Transport::TCP, 179, &open, &open)), Evidence::BothOpenings);
        survives(&BGP, Transport::TCP, 179, &[(Client, &open), (Side::Server, &open)]);
        assert_eq!(evidence(decide(&BGP, Transport::TCP, 179, &hex("ffffffffffffffffffffffffffffffff 0010 01"), &[])), Evidence::None);
        let probe = b"<?xml version=\"1.0\"?><s:Envelope xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\"><d:Probe></d:Probe></s:Envelope>";
        assert_eq!(evidence(decide(&WSD, Transport::UDP, 3702, probe, &[])), Evidence::OneOpening);
        survives(&WSD, Transport::UDP, 3702, &[(Client, probe)]);
    }
}
