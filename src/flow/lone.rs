//! A SYN that nothing has followed yet. Scanners and floods send little else, and a service that is cut off gets nothing else. So it is kept as its header; the
//! flow is made of it when more is heard, or when its time is over.

use std::net::IpAddr;

use crate::capture::FrameId;
use crate::decode::{Content, Header, Ip, Packet, Tcp, TcpFlags, TunnelPath, VlanStack};
use crate::flow::direction;
use crate::flow::key::{Key, Keyed};
use crate::flow::live::{Live, Weight};
use crate::flow::table::Settings;
use crate::net::{Mac, Transport};
use crate::time::Timestamp;

/// All that is known of a SYN, or of a SYN-ACK whose SYN was not seen.
#[derive(Debug)]
pub(super) struct Lone {
    time: Timestamp,
    frame: FrameId,
    ends: Ends,
    interface: u32,
    ident: u32,
    sequence: u32,
    acknowledgment: u32,
    source: u16,
    destination: u16,
    window: u16,
    len: u16,
    mss: Option<u16>,
    vlan: VlanStack,
    tunnel: TunnelPath,
    mac: Option<(Mac, Mac)>,
    window_scale: Option<u8>,
    header_len: u8,
    flags: TcpFlags,
    ttl: u8,
    dont_fragment: bool,
}

/// Source and destination. Those of IPv6 would make all others larger.
#[derive(Debug)]
enum Ends {
    V4([[u8; 4]; 2]),
    V6(Box<[[u8; 16]; 2]>),
}

impl Lone {
    /// Notes a flow's first packet; none where it says more than that somebody wants a connection.
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        let Content::Ip(ip, Header::Tcp(tcp)) = packet.content else { return None };
        let asks = tcp.flags.has(TcpFlags::SYN) && !tcp.flags.has(TcpFlags::FIN | TcpFlags::RST);
        if !asks || packet.payload_len > 0 || ip.fragment.is_some() || ip.transport != Transport::TCP {
            return None;
        }
        let ends = match (ip.source, ip.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Ends::V4([source.octets(), destination.octets()]),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Ends::V6(Box::new([source.octets(), destination.octets()])),
            _ => return None,
        };
        let Tcp { source, destination, sequence, acknowledgment, flags, window, header_len, mss, window_scale } = tcp;
        let Packet { frame, time, interface, vlan, tunnel, mac, .. } = *packet;
        let Ip { ident, ttl, dont_fragment, .. } = ip;
        let len = u16::try_from(ip.len).ok()?;
        Some(Self {
            time,
            frame,
            ends,
            interface,
            ident,
            sequence,
            acknowledgment,
            source,
            destination,
            window,
            len,
            mss,
            vlan,
            tunnel,
            mac,
            window_scale,
            header_len,
            flags,
            ttl,
            dont_fragment,
        })
    }

    /// The flow that begins with it.
    pub fn live(&self) -> Box<Live> {
        let (ip, tcp) = (self.ip(), self.tcp());
        let Self { time, interface, vlan, tunnel, mac, .. } = *self;
        let packet = Packet {
            frame: self.frame,
            interface,
            time,
            mac,
            vlan,
            tunnel,
            content: Content::Ip(ip, Header::Tcp(tcp)),
            payload: &[],
            payload_len: 0,
            fault: None,
        };
        let keyed = self.keyed();
        let mut live = Box::new(Live::new(keyed, &packet, direction::of_first(&packet), None));
        let side = live.side(keyed.from_low);
        live.count(side, &packet, ip.ttl, Weight::of(&packet));
        if let Some(connection) = &mut live.tcp {
            // It carries nothing, acknowledges nothing that was seen, and closes nothing.
            connection.segment(side, &packet, &ip, &tcp, &mut live.cold.history);
        }
        live
    }

    /// The key it is filed under.
    pub fn key(&self) -> Key {
        self.keyed().key
    }

    /// When the flow is over unless another packet comes.
    pub fn deadline(&self, settings: &Settings) -> Timestamp {
        self.time + settings.attempt
    }

    /// When it was captured, and where, by which flows are put in order.
    pub fn order(&self) -> (Timestamp, FrameId) {
        (self.time, self.frame)
    }

    fn keyed(&self) -> Keyed {
        let (source, destination) = self.addresses();
        Key::of_segment((source, self.source), (destination, self.destination))
    }

    fn addresses(&self) -> (IpAddr, IpAddr) {
        match &self.ends {
            Ends::V4([source, destination]) => ((*source).into(), (*destination).into()),
            Ends::V6(ends) => (ends[0].into(), ends[1].into()),
        }
    }

    fn ip(&self) -> Ip {
        let (source, destination) = self.addresses();
        let Self { ttl, ident, dont_fragment, .. } = *self;
        Ip { source, destination, ttl, ident, len: u32::from(self.len), transport: Transport::TCP, fragment: None, dont_fragment }
    }

    fn tcp(&self) -> Tcp {
        let Self { source, destination, sequence, acknowledgment, flags, window, header_len, mss, window_scale, .. } = *self;
        Tcp { source, destination, sequence, acknowledgment, flags, window, header_len, mss, window_scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::trace::{Seen, Trace};
    use crate::limit::{LIVE_FLOW_BYTES, LONE_FLOW_BYTES};

    #[test]
    fn a_lone_syn_stays_as_small_as_the_bound_on_flows_says() {
        // With its entries in index and agenda, of which half may be vacant.
        assert!(size_of::<Option<Lone>>() + 2 * (8 + 1 + 4) <= LONE_FLOW_BYTES, "{}", size_of::<Option<Lone>>());
        const { assert!(LONE_FLOW_BYTES * 4 < LIVE_FLOW_BYTES) }
    }

    #[test]
    fn a_flow_made_of_a_noted_syn_is_the_one_that_its_packet_would_have_made() {
        for answered in [false, true] {
            let mut t = Trace::new();
            if answered {
                t.server().syn_ack()
            } else {
                t.client().syn()
            }
            let mut packet = t.packets[0];
            packet.mac = Some((Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])));
            packet.vlan.push(20);
            let noted = Lone::of(&packet).unwrap();
            assert_eq!(format!("{:?}", noted.key()), format!("{:?}", crate::flow::key::of_packet(&packet).unwrap().key));
            assert_eq!(Content::Ip(noted.ip(), Header::Tcp(noted.tcp())), packet.content);
            t.packets[0] = packet;
            let mut flow = t.run_with(Settings::default(), Seen::default()).0.flows.remove(0);
            // Of copies the table knows.
            flow.tcp.as_mut().unwrap().crossed = None;
            assert_eq!(format!("{:?}", noted.live().into_flow(flow.ended)), format!("{flow:?}"));
            assert_eq!((flow.history.as_str(), flow.vlan.ids(), flow.first_frame), (if answered { "^h" } else { "S" }, &[20][..], packet.frame));
        }
    }

    #[test]
    fn what_says_more_than_a_syn_is_not_noted() {
        let mut t = Trace::new();
        t.client().syn_with(b"early");
        t.client().ack();
        t.client().rst();
        t.client().fin();
        t.client().datagram(b"x");
        assert!(t.packets.iter().all(|packet| Lone::of(packet).is_none()));
    }
}
