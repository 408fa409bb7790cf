//! Packets of late, kept for a while so that findings of live traffic can show them: a report of files reads the packets that it cites once more, live traffic
//! goes by once.
//!
//! What findings cite is how flows begin, what ends them, and what refuses them. So those packets have room of their own, and long downloads push out only one
//! another. Each worker keeps its own packets; who wants one looks for it with all of them.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::capture::{Frame, FrameId, LinkType};
use crate::decode::{Content, Header, Packet, TcpFlags, decode_batch};
use crate::limit::{BATCH, KEPT_OF_A_BEGINNING};
use crate::net::Transport;
use crate::time::Timestamp;

/// The packets that workers keep.
#[derive(Clone, Debug)]
pub struct Recent(Arc<[Mutex<Shelves>]>);

/// A packet as it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which one.
    pub id: FrameId,
    /// When it was captured.
    pub time: Timestamp,
    /// Of which link.
    pub link: LinkType,
    /// Bytes that it had on the wire.
    pub wire_len: u32,
    /// What was captured of it.
    pub bytes: Box<[u8]>,
}

/// What one worker keeps.
#[derive(Debug)]
struct Shelves {
    /// Beginnings and ends of flows, and errors.
    telling: Shelf,
    /// All other packets.
    others: Shelf,
    /// How many packets each flow had this minute, by a hash of its ends.
    seen: Box<[u8]>,
    minute: i64,
    hashes: RandomState,
}

/// Packets up to a number of bytes, those of each interface in the order of their numbers.
#[derive(Debug, Default)]
struct Shelf {
    interfaces: Vec<VecDeque<Kept>>,
    bytes: usize,
    room: usize,
}

impl Recent {
    /// Room for so many bytes altogether.
    pub fn of(workers: usize, bytes: usize) -> Self {
        Self((0..workers).map(|_| Mutex::new(Shelves::of(bytes / workers.max(1)))).collect())
    }

    /// Keeps frames that this worker captured. Only who wants evidence pays for their being decoded twice.
    pub(super) fn keep(&self, worker: usize, frames: &[Frame<'_>]) {
        let Some(shelves) = self.0.get(worker) else { return };
        let mut packets: SmallVec<[Packet<'_>; BATCH]> = SmallVec::new();
        decode_batch(frames, &mut packets);
        let mut shelves = shelves.lock().unwrap_or_else(PoisonError::into_inner);
        frames.iter().zip(&packets).for_each(|(frame, packet)| shelves.keep(frame, packet));
    }

    /// A packet, if it is still kept.
    pub fn get(&self, id: FrameId) -> Option<Kept> {
        self.0.iter().find_map(|shelves| {
            let shelves = shelves.lock().unwrap_or_else(PoisonError::into_inner);
            [&shelves.telling, &shelves.others].into_iter().find_map(|shelf| shelf.get(id)).cloned()
        })
    }
}

impl Shelves {
    fn of(bytes: usize) -> Self {
        let shelf = || Shelf { room: bytes / 2, ..Shelf::default() };
        Self { telling: shelf(), others: shelf(), seen: vec![0; COUNTERS].into(), minute: i64::MIN, hashes: RandomState::default() }
    }

    fn keep(&mut self, frame: &Frame<'_>, packet: &Packet<'_>) {
        let shelf = if self.is_telling(frame.time, packet) { &mut self.telling } else { &mut self.others };
        shelf.put(Kept { id: frame.id, time: frame.time, link: frame.link, wire_len: frame.wire_len, bytes: frame.bytes.into() });
    }

    fn is_telling(&mut self, time: Timestamp, packet: &Packet<'_>) -> bool {
        let Content::Ip(ip, header) = &packet.content else { return false };
        let ports = match header {
            Header::Tcp(tcp) if TELLING.iter().any(|flag| tcp.flags.has(*flag)) => return true,
            Header::Tcp(tcp) => (tcp.source, tcp.destination),
            Header::Udp { source, destination } | Header::Sctp { source, destination, .. } | Header::Ports { source, destination } => (*source, *destination),
            _ if matches!(ip.transport, Transport::ICMP | Transport::ICMP6) => return true,
            _ => (0, 0),
        };
        let minute = time.nanos().div_euclid(MINUTE.as_nanos() as i64);
        if minute != self.minute {
            self.minute = minute;
            self.seen.fill(0);
        }
        let [from, to] = [(ip.source, ports.0), (ip.destination, ports.1)].map(|end| self.hashes.hash_one((end, ip.transport.0)));
        // The same in both directions.
        let place = from.wrapping_add(to) as usize % COUNTERS;
        let Some(seen) = self.seen.get_mut(place) else { return false };
        *seen = seen.saturating_add(1);
        *seen <= KEPT_OF_A_BEGINNING
    }
}

impl Shelf {
    fn put(&mut self, kept: Kept) {
        let place = kept.id.file() as usize;
        if place >= self.interfaces.len() {
            self.interfaces.resize_with(place + 1, VecDeque::new);
        }
        let Some(packets) = self.interfaces.get_mut(place) else { return };
        self.bytes += size_of(&kept);
        packets.push_back(kept);
        while self.bytes > self.room
            && let Some(oldest) = self.oldest().and_then(VecDeque::pop_front)
        {
            self.bytes -= size_of(&oldest);
        }
    }

    /// The packets of the interface that has the oldest.
    fn oldest(&mut self) -> Option<&mut VecDeque<Kept>> {
        self.interfaces.iter_mut().filter(|packets| !packets.is_empty()).min_by_key(|packets| packets.front().map(|packet| packet.time))
    }

    fn get(&self, id: FrameId) -> Option<&Kept> {
        let packets = self.interfaces.get(id.file() as usize)?;
        packets.binary_search_by_key(&id.number(), |kept| kept.id.number()).ok().and_then(|place| packets.get(place))
    }
}

/// Memory that a packet takes, about.
fn size_of(kept: &Kept) -> usize {
    std::mem::size_of::<Kept>() + kept.bytes.len() + ALLOCATION
}

/// Flags of segments that begin or end a connection.
const TELLING: [u8; 3] = [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST];
/// Counters of flows: what two flows count together is kept a little less of.
const COUNTERS: usize = 1 << 16;
/// Counters begin anew after this time, so that a flow of hours is kept a little of every minute.
const MINUTE: Duration = Duration::from_secs(60);
/// What an allocation costs beside its bytes, rounded up on the average.
const ALLOCATION: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ethernet frame of a TCP segment or of a UDP datagram between two hosts.
    fn frame_of(flags: Option<u8>, port: u16, payload: usize) -> Vec<u8> {
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 1, 0, 2], [203, 0, 113, 10], 64);
        let mut bytes = Vec::new();
        match flags {
            Some(flags) => {
                let mut tcp = builder.tcp(port, 443, 1, 1_000);
                if flags & TcpFlags::SYN != 0 {
                    tcp = tcp.syn();
                }
                tcp.write(&mut bytes, &vec![7; payload]).unwrap();
            }
            None => builder.udp(port, 5_004).write(&mut bytes, &vec![7; payload]).unwrap(),
        }
        bytes
    }

    fn keep(recent: &Recent, number: u64, bytes: &[u8]) -> FrameId {
        let (id, time) = (FrameId::new(0, number), Timestamp::from_parts(number as i64 / 1_000, 0));
        let frame = Frame { id, interface: 0, link: LinkType::ETHERNET, time, wire_len: bytes.len() as u32, bytes };
        recent.keep(0, &[frame]);
        id
    }

    #[test]
    fn the_beginning_of_a_flow_outlives_a_download_that_fills_all_the_room_many_times() {
        let recent = Recent::of(1, 1 << 20);
        let syn = keep(&recent, 1, &frame_of(Some(TcpFlags::SYN), 40_000, 0));
        let asked = keep(&recent, 2, &frame_of(None, 50_000, 100));
        for number in 3..20_000 {
            keep(&recent, number, &frame_of(Some(0), 40_001, 1_400));
        }
        let last = FrameId::new(0, 19_999);
        assert_eq!([syn, asked, last].map(|id| recent.get(id).map(|kept| kept.id)), [Some(syn), Some(asked), Some(last)]);
        // Of the download itself the first packets and the latest ones are there.
        let kept = (3..20_000).filter(|number| recent.get(FrameId::new(0, *number)).is_some()).count();
        assert!((300..800).contains(&kept), "{kept}");
    }

    #[test]
    fn a_packet_is_found_with_whichever_worker_and_interface_has_it_and_its_bytes_are_those_captured() {
        let recent = Recent::of(2, 1 << 20);
        let bytes = frame_of(None, 50_000, 30);
        let frame = |file, number| Frame {
            id: FrameId::new(file, number),
            interface: file,
            link: LinkType::ETHERNET,
            time: Timestamp::from_parts(number as i64, 0),
            wire_len: 99,
            bytes: &bytes,
        };
        for (worker, file, number) in [(0, 0, 1), (1, 0, 2), (0, 1, 1), (1, 1, 4), (0, 0, 3)] {
            recent.keep(worker, &[frame(file, number)]);
        }
        for (file, number) in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 4)] {
            let kept = recent.get(FrameId::new(file, number)).unwrap();
            assert_eq!((&*kept.bytes, kept.wire_len), (&*bytes, 99));
        }
        assert_eq!(recent.get(FrameId::new(1, 2)), None);
    }
}
