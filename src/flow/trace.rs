//! Packet traces in words, for tests: `trace.client().syn(); trace.server().syn_ack();`.

use std::net::IpAddr;
use std::time::Duration;

use crate::capture::FrameId;
use crate::decode::{Content, Header, Ip, Packet, Tcp, TcpFlags, TunnelPath, VlanStack};
use crate::flow::{Counts, Data, Direction, End, Ended, Flow, FlowTable, History, Observer, Parties, Settings, Shard, Slot, Want};
use crate::net::{Endpoint, Side, Transport};
use crate::time::Timestamp;

impl Flow {
    /// A flow of which nothing is known but its ends and when it was: at one moment, in one frame.
    pub(crate) fn blank(transport: Transport, client: End, server: End, time: Timestamp, frame: FrameId) -> Self {
        Self {
            transport,
            client,
            server,
            direction: Direction::Certain,
            first: time,
            last: time,
            first_frame: frame,
            last_frame: frame,
            history: History::default(),
            state: None,
            vlan: VlanStack::default(),
            tunnel: TunnelPath::default(),
            interface: 0,
            link: None,
            tcp: None,
            rejections: Default::default(),
            alone: [0; 2],
            icmp: None,
            ended: Ended::Idle,
        }
    }
}

impl End {
    /// An end that sent nothing yet.
    pub(crate) const fn blank(endpoint: Endpoint) -> Self {
        Self { endpoint, packets: 0, bytes: 0, payload_bytes: 0, ttl: 64, mac: None, first: None, last: None }
    }
}

/// Packets in the making. Each comes 10 ms after the one before.
pub(super) struct Trace {
    pub packets: Vec<Packet<'static>>,
    time: Timestamp,
    ends: [Endpoint; 2],
    /// Next sequence number of client and server; what they acknowledge is the other's.
    next: [u32; 2],
    ttl: [u8; 2],
}

/// One end about to send.
pub(super) struct Actor<'a> {
    trace: &'a mut Trace,
    side: Side,
}

impl Trace {
    pub fn new() -> Self {
        let end = |last, port| Endpoint { ip: IpAddr::from([192, 0, 2, last]), port };
        Self { packets: Vec::new(), time: Timestamp::from_parts(1_000, 0), ends: [end(1, 50_000), end(2, 8_883)], next: [1_000, 9_000], ttl: [64, 57] }
    }

    /// Other ends than 192.0.2.1:50000 and 192.0.2.2:8883.
    pub fn between(mut self, client: ([u8; 4], u16), server: ([u8; 4], u16)) -> Self {
        self.ends = [client, server].map(|(ip, port)| Endpoint { ip: IpAddr::from(ip), port });
        self
    }

    pub fn client(&mut self) -> Actor<'_> {
        Actor { trace: self, side: Side::Client }
    }

    pub fn server(&mut self) -> Actor<'_> {
        Actor { trace: self, side: Side::Server }
    }

    /// A connection in which both have spoken, and the client has heard what the server said.
    pub fn served() -> Self {
        let mut trace = Self::new();
        trace.handshake();
        trace.client().data(b"GET / HTTP/1.1\r\n\r\n");
        trace.server().data(b"HTTP/1.1 200 OK\r\n\r\n");
        trace.client().ack();
        trace
    }

    pub fn handshake(&mut self) {
        self.client().syn();
        self.server().syn_ack();
        self.client().ack();
    }

    /// The sequence number that this end goes on with.
    pub fn next(&self, side: Side) -> u32 {
        self.next[side as usize]
    }

    pub fn wait(&mut self, seconds: u64) {
        self.time = self.time + Duration::from_secs(seconds);
    }

    /// Adds packets of another trace behind this one's, in order of time.
    pub fn merge(&mut self, other: Self) {
        self.packets.extend(other.packets);
        self.packets.sort_by_key(|packet| packet.time);
        for (packet, number) in self.packets.iter_mut().zip(1..) {
            packet.frame = FrameId::new(0, number);
        }
    }

    fn send(&mut self, side: Side, transport: Transport, header: Header, payload: &'static [u8], payload_len: usize) {
        self.time = self.time + Duration::from_millis(10);
        let [source, destination] = [self.ends[side as usize].ip, self.ends[side.other() as usize].ip];
        let payload_len = payload_len as u32;
        let ttl = self.ttl[side as usize];
        let ident = self.packets.len() as u32 + 7;
        let ip = Ip { source, destination, ttl, ident, len: 40 + payload_len, transport, fragment: None, dont_fragment: true };
        self.packets.push(Packet {
            frame: FrameId::new(0, self.packets.len() as u64 + 1),
            interface: 0,
            time: self.time,
            mac: None,
            vlan: VlanStack::default(),
            tunnel: TunnelPath::default(),
            content: Content::Ip(ip, header),
            payload,
            payload_len,
            fault: None,
        });
    }
}

impl Actor<'_> {
    /// Its next sequence number.
    pub fn at(self, sequence: u32) -> Self {
        self.trace.next[self.side as usize] = sequence;
        self
    }

    pub fn ttl(self, ttl: u8) -> Self {
        self.trace.ttl[self.side as usize] = ttl;
        self
    }

    pub fn syn(self) {
        self.segment(TcpFlags::SYN, b"", 0);
    }

    pub fn syn_again(self) {
        let next = self.trace.next[self.side as usize];
        self.at(next.wrapping_sub(1)).syn();
    }

    pub fn syn_with(self, payload: &'static [u8]) {
        self.segment(TcpFlags::SYN, payload, payload.len());
    }

    pub fn syn_ack(self) {
        self.segment(TcpFlags::SYN | TcpFlags::ACK, b"", 0);
    }

    pub fn ack(self) {
        self.segment(TcpFlags::ACK, b"", 0);
    }

    pub fn data(self, payload: &'static [u8]) {
        self.segment(TcpFlags::ACK | TcpFlags::PSH, payload, payload.len());
    }

    /// Data of which the snap length left only the beginning.
    pub fn cut_data(self, payload: &'static [u8], wire: usize) {
        self.segment(TcpFlags::ACK, payload, wire);
    }

    /// Sends, but nobody captures it.
    pub fn lost(self, payload: &'static [u8]) {
        let (side, trace) = (self.side, self.trace);
        trace.client_or_server(side, TcpFlags::ACK, payload, payload.len(), 512);
        trace.packets.pop();
    }

    /// One byte below what is expected next.
    pub fn keep_alive(self) {
        let next = self.trace.next[self.side as usize];
        self.at(next.wrapping_sub(1)).data(b"\0");
    }

    pub fn fin(self) {
        self.segment(TcpFlags::FIN | TcpFlags::ACK, b"", 0);
    }

    pub fn rst(self) {
        self.segment(TcpFlags::RST, b"", 0);
    }

    pub fn rst_ack(self) {
        self.segment(TcpFlags::RST | TcpFlags::ACK, b"", 0);
    }

    pub fn zero_window(self) {
        self.trace.client_or_server(self.side, TcpFlags::ACK, b"", 0, 0);
    }

    pub fn datagram(self, payload: &'static [u8]) {
        let [source, destination] = [self.side, self.side.other()].map(|side| self.trace.ends[side as usize].port);
        self.trace.send(self.side, Transport::UDP, Header::Udp { source, destination }, payload, payload.len());
    }

    pub fn icmp(self, kind: u8, code: u8, payload: &'static [u8]) {
        self.trace.send(self.side, Transport::ICMP, Header::Icmp { kind, code, rest: [0, 0, 5, 120] }, payload, payload.len());
    }

    /// A segment with these numbers, sensible or not.
    pub fn any(self, flags: u8, sequence: u32, acknowledgment: u32, payload: &'static [u8]) {
        let (side, trace) = (self.side, self.trace);
        trace.next[side.other() as usize] = acknowledgment;
        Actor { trace, side }.at(sequence).segment(flags, payload, payload.len());
    }

    fn segment(self, flags: u8, payload: &'static [u8], wire: usize) {
        self.trace.client_or_server(self.side, flags, payload, wire, 512);
    }
}

impl Trace {
    fn client_or_server(&mut self, side: Side, flags: u8, payload: &'static [u8], wire: usize, window: u16) {
        let flags = TcpFlags(flags);
        let [source, destination] = [side, side.other()].map(|side| self.ends[side as usize].port);
        let sequence = self.next[side as usize];
        let acknowledgment = if flags.has(TcpFlags::ACK) { self.next[side.other() as usize] } else { 0 };
        let taken = wire as u32 + u32::from(flags.has(TcpFlags::SYN)) + u32::from(flags.has(TcpFlags::FIN));
        self.next[side as usize] = sequence.wrapping_add(taken);
        let tcp = Tcp { source, destination, sequence, acknowledgment, flags, window, header_len: 20, mss: None, window_scale: None };
        self.send(side, Transport::TCP, Header::Tcp(tcp), payload, wire);
    }
}

/// A piece of payload as the observer got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub from: Side,
    pub offset: u64,
    pub missing: u64,
    pub bytes: Vec<u8>,
}

/// What an observer sees; it wants `wants` pieces of each flow.
pub(super) struct Seen {
    pub flows: Vec<Flow>,
    pub pieces: Vec<Piece>,
    pub opened: usize,
    pub rested: usize,
    pub wants: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self { flows: Vec::new(), pieces: Vec::new(), opened: 0, rested: 0, wants: usize::MAX }
    }
}

impl Observer for Seen {
    fn opened(&mut self, _: Slot) {
        self.opened += 1;
    }

    fn data(&mut self, _: Slot, _: &Parties, data: Data<'_>) -> Want {
        let Data { from, offset, missing, bytes, .. } = data;
        self.pieces.push(Piece { from, offset, missing, bytes: bytes.to_vec() });
        if self.pieces.len() < self.wants { Want::More } else { Want::Nothing }
    }

    fn rested(&mut self, slots: &[Slot]) {
        self.rested += slots.len();
    }

    fn closed(&mut self, _: Slot, flow: Flow) {
        self.flows.push(flow);
    }
}

impl Seen {
    /// All that one side's pieces hold.
    pub fn text(&self, from: Side) -> String {
        let bytes: Vec<u8> = self.pieces.iter().filter(|piece| piece.from == from).flat_map(|piece| piece.bytes.clone()).collect();
        String::from_utf8(bytes).unwrap()
    }

    /// The only flow.
    pub fn only(&self) -> &Flow {
        assert_eq!(self.flows.len(), 1, "{:?}", self.flows);
        &self.flows[0]
    }
}

impl Trace {
    pub fn run(&self) -> Seen {
        self.run_with(Settings::default(), Seen::default()).0
    }

    pub fn run_with(&self, settings: Settings, mut seen: Seen) -> (Seen, FlowTable) {
        let mut table = FlowTable::new(settings);
        table.push(&self.packets, &mut seen);
        table.finish(&mut seen);
        (seen, table)
    }

    /// Through `shards` tables; flows in order of their first packets, and what all tables counted.
    pub fn run_sharded(&self, shards: usize) -> (Vec<Flow>, Counts) {
        let (mut flows, mut counts) = (Vec::new(), Counts::default());
        for number in 0..shards {
            let (mut table, mut seen) = (FlowTable::new(Settings::default()).sharing(Shard { number, of: shards }), Seen::default());
            table.push(&self.packets, &mut seen);
            table.finish(&mut seen);
            flows.extend(seen.flows);
            counts.merge(table.counts().clone());
        }
        flows.sort_by_key(|flow| (flow.first, flow.first_frame, flow.client.endpoint));
        (flows, counts)
    }
}
