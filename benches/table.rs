//! What a packet costs in the flow table, at 100,000 and at a million live flows, in batches of 64 that jump between flows at random.
//!
//! Copies of a mirror are looked for in `udp_copies` only. `made` is the cost of making the packets, which the other figures contain.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use portbook::capture::FrameId;
use portbook::decode::{Content, Header, Ip, Packet, Tcp, TcpFlags, TunnelPath, VlanStack};
use portbook::flow::{Data, Flow, FlowTable, Observer, Parties, Settings, Slot, Want};
use portbook::net::Transport;
use portbook::time::Timestamp;

fn main() {
    divan::main();
}

const FLOWS: [u32; 2] = [100_000, 1_000_000];
const BATCH: usize = 64;
/// Packets of one round.
const ROUND: usize = 1 << 18;

struct Nobody;

impl Observer for Nobody {
    fn opened(&mut self, _: Slot) {}

    fn data(&mut self, _: Slot, _: &Parties, _: Data<'_>) -> Want {
        Want::Nothing
    }

    fn closed(&mut self, _: Slot, _: Flow) {}
}

/// Makes packets of flows, each flow's in sequence.
struct Maker {
    transport: Transport,
    random: u64,
    packets: u64,
    /// Packets of each flow, for the sequence number of the next.
    sent: Vec<u32>,
}

impl Maker {
    fn new(transport: Transport) -> Self {
        Self { transport, random: 0x9e37_79b9_7f4a_7c15, packets: 0, sent: vec![0; 1_000_000] }
    }

    fn next(&mut self, flows: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (((self.random >> 32) * u64::from(flows)) >> 32) as u32
    }

    fn packet(&mut self, flow: u32, flags: u8, sequence: u32) -> Packet<'static> {
        self.packets += 1;
        let source = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | (flow >> 4)));
        let (destination, port) = (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000 + (flow & 15) as u16);
        let header = if self.transport == Transport::TCP {
            let flags = TcpFlags(flags);
            let tcp = Tcp { source: port, destination: 443, sequence, acknowledgment: 1, flags, window: 500, header_len: 20, mss: None, window_scale: None };
            Header::Tcp(tcp)
        } else {
            Header::Udp { source: port, destination: 443 }
        };
        let ip = Ip { source, destination, ttl: 64, ident: 0, len: 540, transport: self.transport, fragment: None, dont_fragment: true };
        Packet {
            frame: FrameId::new(0, self.packets),
            interface: 0,
            time: Timestamp::from_parts(1_000, 0) + Duration::from_micros(self.packets),
            mac: None,
            vlan: VlanStack::default(),
            tunnel: TunnelPath::default(),
            content: Content::Ip(ip, header),
            payload: &[0; 100],
            payload_len: 100,
            fault: None,
        }
    }

    /// A table that knows all flows, none of which wants more payload.
    fn warm(&mut self, flows: u32, keep_duplicates: bool) -> FlowTable {
        let mut table = FlowTable::new(Settings { live_flows: 2_000_000, udp_idle: Duration::from_secs(9_999), keep_duplicates, ..Settings::default() });
        for flow in 0..flows {
            let opening = [self.packet(flow, TcpFlags::SYN, 0), self.packet(flow, TcpFlags::ACK, 1)];
            table.push(&opening, &mut Nobody);
        }
        table
    }

    fn round(&mut self, flows: u32, mut take: impl FnMut(&[Packet<'_>])) {
        let mut batch = Vec::with_capacity(BATCH);
        for _ in 0..ROUND / BATCH {
            batch.clear();
            for _ in 0..BATCH {
                let flow = self.next(flows);
                let sequence = self.sent.get_mut(flow as usize).map_or(1, |sent| {
                    *sent += 1;
                    1 + 100 * *sent
                });
                batch.push(self.packet(flow, TcpFlags::ACK, sequence));
            }
            take(&batch);
        }
    }
}

#[divan::bench(args = FLOWS, sample_count = 9, sample_size = 1)]
fn udp(bencher: Bencher, flows: u32) {
    table(bencher, Transport::UDP, flows, true);
}

/// With copies of a mirror looked for.
#[divan::bench(args = FLOWS, sample_count = 9, sample_size = 1)]
fn udp_copies(bencher: Bencher, flows: u32) {
    table(bencher, Transport::UDP, flows, false);
}

#[divan::bench(args = FLOWS, sample_count = 9, sample_size = 1)]
fn tcp(bencher: Bencher, flows: u32) {
    table(bencher, Transport::TCP, flows, true);
}

#[divan::bench(sample_count = 9, sample_size = 1)]
fn made(bencher: Bencher) {
    let mut maker = Maker::new(Transport::TCP);
    bencher.counter(ItemsCount::new(ROUND)).bench_local(|| {
        maker.round(1_000_000, |batch| {
            black_box(batch);
        })
    });
}

/// Flows opened and closed: 65,536 UDP flows of one packet each.
#[divan::bench(sample_count = 9, sample_size = 1)]
fn short_flows(bencher: Bencher) {
    bencher.counter(ItemsCount::new(65_536_usize)).bench_local(|| {
        let mut maker = Maker::new(Transport::UDP);
        let mut table = FlowTable::new(Settings::default());
        for flow in 0..65_536 {
            table.push(&[maker.packet(flow, 0, 0)], &mut Nobody);
        }
        table.finish(&mut Nobody);
    });
}

fn table(bencher: Bencher, transport: Transport, flows: u32, keep_duplicates: bool) {
    let mut maker = Maker::new(transport);
    let mut table = maker.warm(flows, keep_duplicates);
    bencher.counter(ItemsCount::new(ROUND)).bench_local(|| maker.round(flows, |batch| table.push(batch, &mut Nobody)));
}
