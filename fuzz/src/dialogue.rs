//! A dialogue in few bytes: what two hosts say to each other, so that mutations change words and not checksums and sequence numbers.

use portbook::capture::{Frame, FrameId, LinkType};
use portbook::decode::decode_batch;
use portbook::flow::{FlowTable, Settings};
use portbook::identify::{Books, Identifier};
use portbook::time::Timestamp;

/// Something that one side says.
#[derive(Clone, Debug)]
pub struct Said {
    /// By the server.
    pub by_server: bool,
    /// Bytes, at most 65,535.
    pub bytes: Vec<u8>,
}

/// A dialogue: one byte of flags (1: UDP, 2: no handshake), two of the server's port, then pieces. A piece is a byte (1: by the server, 2: bytes before it
/// were lost, 4: it comes twice, the rest: time that passes before it), two bytes of length, and what is said.
///
/// It becomes packets and takes the ordinary road through decoding, flows and identification.
pub fn dialogue(bytes: &[u8]) {
    let Some(([flags, a, b], rest)) = bytes.split_first_chunk() else { return };
    let mut wire = Wire::new(flags & 1 != 0, u16::from_be_bytes([*a, *b]));
    if flags & 3 == 0 {
        wire.send(false, SYN, &[]);
        wire.send(true, SYN | ACK, &[]);
        wire.send(false, ACK, &[]);
    }
    let mut rest = rest;
    while let Some(([head, a, b], after)) = rest.split_first_chunk() {
        let (said, after) = after.split_at(usize::from(u16::from_be_bytes([*a, *b])).min(after.len()));
        wire.time = Timestamp::from_nanos(wire.time.nanos() + (1_i64 << (20 + (head >> 4))));
        let by_server = head & 1 != 0;
        if head & 2 != 0 {
            wire.lose(by_server, 7);
        }
        for piece in said.chunks(MOST_CARRIED) {
            wire.send(by_server, ACK, piece);
            if head & 4 != 0 {
                wire.repeat();
            }
        }
        rest = after;
        if wire.frames.len() > MOST_PACKETS {
            break;
        }
    }
    wire.send(false, FIN | ACK, &[]);
    wire.run();
}

/// The input that means this dialogue.
pub fn script(udp: bool, handshake: bool, port: u16, pieces: &[Said]) -> Vec<u8> {
    let mut bytes = vec![u8::from(udp) | if handshake { 0 } else { 2 }];
    bytes.extend(port.to_be_bytes());
    for piece in pieces {
        let len = u16::try_from(piece.bytes.len()).unwrap_or(u16::MAX);
        bytes.push(u8::from(piece.by_server));
        bytes.extend(len.to_be_bytes());
        bytes.extend(&piece.bytes[..usize::from(len)]);
    }
    bytes
}

/// The packets so far.
struct Wire {
    udp: bool,
    port: u16,
    time: Timestamp,
    ident: u16,
    /// Sequence numbers of client and server.
    next: [u32; 2],
    frames: Vec<(Timestamp, Vec<u8>)>,
}

impl Wire {
    fn new(udp: bool, port: u16) -> Self {
        Self { udp, port, time: Timestamp::from_parts(1_700_000_000, 0), ident: 1, next: [1000, 0xffff_fff0], frames: Vec::new() }
    }

    fn send(&mut self, by_server: bool, flags: u8, said: &[u8]) {
        if self.udp && said.is_empty() && flags & FIN != 0 {
            return;
        }
        let (from, to) = if by_server { (self.port, CLIENT_PORT) } else { (CLIENT_PORT, self.port) };
        let mut part = [from.to_be_bytes(), to.to_be_bytes()].concat();
        if self.udp {
            part.extend((8 + said.len() as u16).to_be_bytes());
            part.extend([0; 2]);
        } else {
            let (own, other) = (self.next[usize::from(by_server)], self.next[usize::from(!by_server)]);
            part.extend(own.to_be_bytes());
            part.extend(other.to_be_bytes());
            part.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
            let counted = said.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
            self.next[usize::from(by_server)] = own.wrapping_add(counted);
        }
        part.extend(said);
        self.ident = self.ident.wrapping_add(1).max(1);
        let mut packet = vec![0x45, 0];
        packet.extend((20 + part.len() as u16).to_be_bytes());
        packet.extend(self.ident.to_be_bytes());
        packet.extend([0x40, 0, 64, if self.udp { 17 } else { 6 }, 0, 0]);
        packet.extend(if by_server { [SERVER, CLIENT].concat() } else { [CLIENT, SERVER].concat() });
        packet.extend(part);
        self.time = Timestamp::from_nanos(self.time.nanos() + 100_000);
        self.frames.push((self.time, packet));
    }

    /// Bytes that were sent and not captured.
    fn lose(&mut self, by_server: bool, bytes: u32) {
        let next = &mut self.next[usize::from(by_server)];
        *next = next.wrapping_add(bytes);
    }

    /// The last packet again, as its sender repeats it.
    fn repeat(&mut self) {
        let Some((_, mut again)) = self.frames.last().cloned() else { return };
        self.ident = self.ident.wrapping_add(1).max(1);
        again[4..6].copy_from_slice(&self.ident.to_be_bytes());
        self.time = Timestamp::from_nanos(self.time.nanos() + 200_000_000);
        self.frames.push((self.time, again));
    }

    fn run(&self) {
        let books = Books::default();
        let mut identifier = Identifier::new(&books);
        let mut table = FlowTable::new(Settings::default());
        for (number, (time, bytes)) in (1..).zip(&self.frames) {
            let id = FrameId::new(0, number);
            let frame = Frame { id, interface: 0, link: LinkType::IPV4, time: *time, wire_len: bytes.len() as u32, bytes };
            let mut packets = Vec::new();
            decode_batch(&[frame], &mut packets);
            table.push(&packets, &mut identifier);
        }
        table.finish(&mut identifier);
        for closed in std::mem::take(identifier.ended()) {
            assert!(closed.protocol.iter().all(|name| !name.is_empty()) && closed.facts.len() <= portbook::limit::FACTS_KEPT);
        }
    }
}

const SYN: u8 = 0x02;
const FIN: u8 = 0x01;
const ACK: u8 = 0x10;
const CLIENT_PORT: u16 = 50_000;
const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];
/// What one packet carries at most: a segment that offload put together still fits the length field.
const MOST_CARRIED: usize = 60_000;
const MOST_PACKETS: usize = 256;
