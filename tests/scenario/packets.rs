//! Frames from words: who opens what to whom, and what they say.

use std::net::IpAddr;

use etherparse::PacketBuilder;

/// One captured frame: nanoseconds since the first one, and its bytes.
pub type Frame = (u64, Vec<u8>);

/// Who says what, in order.
pub type Turns = Vec<(Speaker, Vec<u8>)>;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    Client,
    Server,
}

/// Who opens what to whom.
#[derive(Clone, Debug)]
pub struct Opens {
    pub client: IpAddr,
    pub server: IpAddr,
    pub tcp: bool,
    pub client_port: u16,
    pub server_port: u16,
}

/// A capture in the making.
#[derive(Debug, Default)]
pub struct Wire {
    frames: Vec<Frame>,
    now: u64,
    ident: u16,
}

impl Wire {
    /// The server answers an echo request of the client: it is up, and this capture point sees both directions.
    pub fn ping(&mut self, opens: &Opens) {
        let (IpAddr::V4(client), IpAddr::V4(server)) = (opens.client, opens.server) else { return };
        let request = PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC).ipv4(client.octets(), server.octets(), TTL).icmpv4_echo_request(7, 1);
        let reply = PacketBuilder::ethernet2(SERVER_MAC, CLIENT_MAC).ipv4(server.octets(), client.octets(), TTL).icmpv4_echo_reply(7, 1);
        for builder in [request, reply] {
            let mut bytes = Vec::new();
            builder.write(&mut bytes, b"fixture").unwrap();
            self.put(bytes);
        }
    }

    /// The whole exchange, opened and closed as it should be.
    pub fn exchange(&mut self, opens: &Opens, turns: &[(Speaker, Vec<u8>)]) {
        if opens.tcp {
            self.connection(opens, turns)
        } else {
            self.datagrams(opens, turns)
        }
        self.now += SECOND;
    }

    /// The opener tries and tries; nobody answers.
    pub fn unanswered(&mut self, opens: &Opens, turns: &[(Speaker, Vec<u8>)]) {
        let request = turns.iter().find(|(speaker, _)| *speaker == Speaker::Client).map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
        for wait in RETRIES {
            match opens.tcp {
                true => self.segment(opens, Speaker::Client, [ISN, 0], Flags { syn: true, ..Flags::default() }, &[]),
                false => self.datagram(opens, Speaker::Client, request),
            }
            self.now += wait;
        }
    }

    /// Nothing happens for so many seconds.
    pub fn pause(&mut self, seconds: u64) {
        self.now += seconds * SECOND;
    }

    fn connection(&mut self, opens: &Opens, turns: &[(Speaker, Vec<u8>)]) {
        let mut next = [ISN, SERVER_ISN];
        self.segment(opens, Speaker::Client, [next[0], 0], Flags { syn: true, ..Flags::default() }, &[]);
        next[0] += 1;
        self.segment(opens, Speaker::Server, [next[1], next[0]], Flags { syn: true, ack: true, ..Flags::default() }, &[]);
        next[1] += 1;
        let ack = Flags { ack: true, ..Flags::default() };
        self.segment(opens, Speaker::Client, next, ack, &[]);
        for (speaker, bytes) in turns {
            for piece in bytes.chunks(SEGMENT) {
                self.segment(opens, *speaker, seq_ack(*speaker, next), Flags { psh: true, ..ack }, piece);
                next[*speaker as usize] += u32::try_from(piece.len()).unwrap();
            }
            let other = if *speaker == Speaker::Client { Speaker::Server } else { Speaker::Client };
            self.segment(opens, other, seq_ack(other, next), ack, &[]);
        }
        for speaker in [Speaker::Client, Speaker::Server] {
            self.segment(opens, speaker, seq_ack(speaker, next), Flags { fin: true, ..ack }, &[]);
            next[speaker as usize] += 1;
        }
        self.segment(opens, Speaker::Client, next, ack, &[]);
    }

    fn datagrams(&mut self, opens: &Opens, turns: &[(Speaker, Vec<u8>)]) {
        for (speaker, bytes) in turns {
            self.datagram(opens, *speaker, bytes);
        }
    }

    fn segment(&mut self, opens: &Opens, from: Speaker, [seq, ack]: [u32; 2], flags: Flags, payload: &[u8]) {
        let (source, target) = ports(opens, from);
        let mut tcp = self.ip(opens, from).tcp(source, target, seq, WINDOW);
        if flags.syn {
            tcp = tcp.syn();
        }
        if flags.fin {
            tcp = tcp.fin();
        }
        if flags.psh {
            tcp = tcp.psh();
        }
        if flags.ack {
            tcp = tcp.ack(ack);
        }
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, payload).unwrap();
        self.put(bytes);
    }

    fn datagram(&mut self, opens: &Opens, from: Speaker, payload: &[u8]) {
        let (source, target) = ports(opens, from);
        let mut bytes = Vec::new();
        self.ip(opens, from).udp(source, target).write(&mut bytes, payload).unwrap();
        self.put(bytes);
    }

    fn ip(&mut self, opens: &Opens, from: Speaker) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
        let ((source, target), macs) = match from {
            Speaker::Client => ((opens.client, opens.server), (CLIENT_MAC, mac_of(opens.server))),
            Speaker::Server => ((opens.server, opens.client), (SERVER_MAC, CLIENT_MAC)),
        };
        self.ident = self.ident.wrapping_add(1);
        let ethernet = PacketBuilder::ethernet2(macs.0, macs.1);
        match (source, target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let mut header = etherparse::Ipv4Header::new(0, TTL, etherparse::IpNumber::UDP, source.octets(), target.octets()).unwrap();
                header.identification = self.ident;
                ethernet.ip(etherparse::IpHeaders::Ipv4(header, etherparse::Ipv4Extensions::default()))
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => ethernet.ipv6(source.octets(), target.octets(), TTL),
            _ => panic!("one end has IPv4, the other IPv6"),
        }
    }

    fn put(&mut self, bytes: Vec<u8>) {
        self.frames.push((self.now, bytes));
        self.now += STEP;
    }

    /// The capture as a pcap file, nanosecond resolution.
    pub fn pcap(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0x0004_0000, 1] {
            file.extend(word.to_le_bytes());
        }
        for (at, bytes) in &self.frames {
            let length = u32::try_from(bytes.len()).unwrap();
            let (seconds, rest) = (START + u32::try_from(at / SECOND).unwrap(), u32::try_from(at % SECOND).unwrap());
            for word in [seconds, rest, length, length] {
                file.extend(word.to_le_bytes());
            }
            file.extend(bytes);
        }
        file
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    syn: bool,
    ack: bool,
    psh: bool,
    fin: bool,
}

fn seq_ack(speaker: Speaker, next: [u32; 2]) -> [u32; 2] {
    if speaker == Speaker::Client { next } else { [next[1], next[0]] }
}

fn ports(opens: &Opens, from: Speaker) -> (u16, u16) {
    if from == Speaker::Client { (opens.client_port, opens.server_port) } else { (opens.server_port, opens.client_port) }
}

fn mac_of(ip: IpAddr) -> [u8; 6] {
    match ip {
        IpAddr::V4(ip) if ip.is_broadcast() => [0xff; 6],
        IpAddr::V4(ip) if ip.is_multicast() => [0x01, 0x00, 0x5e, ip.octets()[1] & 0x7f, ip.octets()[2], ip.octets()[3]],
        _ => SERVER_MAC,
    }
}

const CLIENT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0c];
const SERVER_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x05];
const TTL: u8 = 64;
const ISN: u32 = 1_000_000;
const SERVER_ISN: u32 = 9_000_000;
const WINDOW: u16 = 64_240;
const SEGMENT: usize = 1_400;
const SECOND: u64 = 1_000_000_000;
/// Between two frames of an exchange.
const STEP: u64 = 5_000_000;
/// A SYN's schedule (RFC 6298, 5: one second, doubling), good for requests by datagram too: four tries.
const RETRIES: [u64; 4] = [SECOND, 2 * SECOND, 4 * SECOND, SECOND];
/// 2026-11-20 12:00:00 UTC.
const START: u32 = 1_795_176_000;
