//! Packets on their way into their flows.

use super::{Address, FlowTable};
use crate::decode::{Content, Header, Ip, Packet, Tcp};
use crate::flow::live::{Live, Weight};
use crate::flow::stream::{Outlet, Ready};
use crate::flow::{Data, Neighbour, Observer, Slot, Want};
use crate::net::{Side, Transport};

impl FlowTable {
    /// Takes a packet into its flow. `weight` is what it counts there.
    pub(super) fn take_in(&mut self, packet: &Packet<'_>, address: &Address, weight: Weight, observer: &mut impl Observer) {
        let Content::Ip(ip, header) = &packet.content else { return };
        self.counts.in_flows += weight.packets;
        let Some((slot, is_new)) = self.live_slot(packet, header, address, observer) else { return };
        let Some(flow) = self.flows.awake_mut(slot) else { return };
        let side = flow.side(address.keyed.from_low);
        if !is_new {
            let is_ahead = flow.is_ahead(side, packet);
            if is_ahead || self.ahead.may_hold(slot) {
                return self.take_in_turn(slot, side, packet, weight, is_ahead, observer);
            }
        }
        flow.count(side, packet, ip.ttl, weight);
        self.take_counted(slot, is_new, side, packet, observer);
    }

    /// Takes a packet of `side` into the flow in that slot, which it does not open.
    pub(super) fn take_now(&mut self, slot: u32, side: Side, packet: &Packet<'_>, weight: Weight, observer: &mut impl Observer) {
        let Content::Ip(ip, _) = &packet.content else { return };
        let Some(flow) = self.flows.awake_mut(slot) else { return };
        flow.count(side, packet, ip.ttl, weight);
        self.take_counted(slot, false, side, packet, observer);
    }

    /// Takes in what a packet says that its flow has counted. A call of its own costs the whole road a hundredth.
    #[inline(always)]
    fn take_counted(&mut self, slot: u32, is_new: bool, side: Side, packet: &Packet<'_>, observer: &mut impl Observer) {
        let Content::Ip(ip, header) = &packet.content else { return };
        if is_new {
            observer.opened(Slot(slot));
            if !self.unclaimed.is_empty() {
                self.claim_errors(slot, packet.time);
            }
        }
        let mut is_to_be_entered = is_new;
        match header {
            // Its payload counts once the datagram is whole.
            _ if ip.fragment.is_some() => {}
            Header::Tcp(tcp) => is_to_be_entered |= self.take_segment(slot, side, packet, ip, tcp, observer),
            Header::Udp { .. } | Header::Sctp { .. } => self.take_datagram(slot, side, packet, ip, observer),
            Header::Icmp { .. } => {
                self.take_error(slot, side.other(), packet, observer);
                Neighbour::each_of(packet, &mut |neighbour| observer.neighbour(neighbour));
            }
            Header::None if ip.transport == Transport::IGMP => Neighbour::each_of(packet, &mut |neighbour| observer.neighbour(neighbour)),
            Header::Ports { .. } | Header::None => {}
        }
        if is_to_be_entered {
            self.schedule(slot);
        }
    }

    /// Whether it changed when the connection is over.
    fn take_segment(&mut self, slot: u32, side: Side, packet: &Packet<'_>, ip: &Ip, tcp_header: &Tcp, observer: &mut impl Observer) -> bool {
        let Some(flow) = self.flows.awake_mut(slot) else { return false };
        let Live { ends, tcp, cold, wanted, .. } = flow;
        let Some(connection) = tcp else { return false };
        let before = connection.heard();
        let effect =
            if connection.goes_on(side, packet, ip, tcp_header) { None } else { Some(connection.segment(side, packet, ip, tcp_header, &mut cold.history)) };
        let midstream = connection.is_midstream();
        let mut deliver = |ready: Ready<'_>| observer.data(Slot(slot), &ends.parties(), ready.into_data(midstream));
        let mut outlet = Outlet { from: side, deliver: &mut deliver, wanted: *wanted, budget: &mut self.budget };
        match &effect {
            Some(effect) => connection.payload(side, packet, effect, &mut cold.history, &mut outlet),
            None => connection.next_payload(packet, ip, &mut outlet),
        }
        let still_wanted = outlet.wanted;
        if *wanted && !still_wanted {
            connection.release(&mut self.budget);
        }
        *wanted = still_wanted;
        let changes = connection.straggle(effect.is_some_and(|effect| effect.finished), before, packet.time, self.settings.tcp_linger);
        self.moved |= changes;
        changes
    }

    fn take_datagram(&mut self, slot: u32, side: Side, packet: &Packet<'_>, ip: &Ip, observer: &mut impl Observer) {
        let Some(flow) = self.flows.awake_mut(slot) else { return };
        if flow.is_first_datagram(side) && ip.transport == Transport::UDP {
            flow.cold.history.push(if side == Side::Client { b'D' } else { b'd' });
        }
        if flow.wanted {
            let before = flow.packets(side).saturating_sub(1);
            let missing = u64::from(packet.payload_len).saturating_sub(packet.payload.len() as u64);
            let data =
                Data { from: side, bytes: packet.payload, offset: before, missing, midstream: false, time: packet.time, frame: packet.frame, ttl: ip.ttl };
            flow.wanted = observer.data(Slot(slot), &flow.parties(), data) == Want::More;
        }
    }
}
