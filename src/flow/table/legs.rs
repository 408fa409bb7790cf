//! Packets of connections that firewalls give other sequence numbers.

use super::{Address, FlowTable, SLACK, Weight};
use crate::decode::{Content, Header, Ip, Packet, Tcp, TcpFlags};
use crate::flow::legs::Told;
use crate::flow::live::Live;
use crate::flow::{DuplicateKind, Observer};
use crate::limit::JOINED_LOOKED_AT;
use crate::time::Timestamp;

/// Whether packets are asked for the legs of their connections.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LegsLookedFor {
    is_asked: bool,
    /// A connection was seen with several sequence numbers.
    is_known: bool,
    /// Until when connections that were there before the capture are looked at.
    until: Timestamp,
}

impl LegsLookedFor {
    /// Leaves off where nothing is to be looked for any more.
    pub fn advance(&mut self, now: Timestamp) {
        self.is_asked = self.is_known || now <= self.until;
    }
}

impl FlowTable {
    /// Takes a packet into its flow, with the numbers that the flow goes by. `weight` is what it counts there.
    pub(super) fn take(&mut self, packet: &Packet<'_>, address: &Address, weight: Weight, observer: &mut impl Observer) {
        let told = match &packet.content {
            Content::Ip(_, Header::Tcp(tcp)) if tcp.flags.has(TcpFlags::SYN) || self.may_have_legs(address) => self.renumber(packet, tcp, address, observer),
            _ => Told::Own,
        };
        match (told, packet.content) {
            (Told::As(tcp), Content::Ip(ip, _)) => {
                let told = Packet { content: Content::Ip(ip, Header::Tcp(tcp)), ..*packet };
                self.take_in(&told, address, weight, observer);
            }
            (Told::Copy, _) => self.counts.duplicates.one(DuplicateKind::Renumbered),
            _ => self.take_in(packet, address, weight, observer),
        }
    }

    /// Whether the flow of a packet without a SYN may be known with several sequence numbers. Most are not, also while some are.
    fn may_have_legs(&self, address: &Address) -> bool {
        self.legs.is_asked && self.busy(address).is_none_or(|(_, flow)| flow.legs.is_some())
    }

    /// What a packet is by the legs of its connection, which are learned of packets with a SYN.
    #[inline(never)]
    fn renumber(&mut self, packet: &Packet<'_>, tcp: &Tcp, address: &Address, observer: &mut impl Observer) -> Told {
        let Content::Ip(ip, _) = &packet.content else { return Told::Own };
        if self.settings.keep_duplicates || ip.fragment.is_some() {
            return Told::Own;
        }
        let is_there = |slot: &u32| !self.moved || self.holds(*slot, &address.keyed.key);
        let found = address.slot.filter(is_there).or_else(|| self.find(address.tag, &address.keyed.key));
        let Some(slot) = found.and_then(|slot| self.wake(slot, observer)) else { return Told::Own };
        let (settings, now) = (&self.settings, self.clock.now());
        let Some(flow) = self.flows.awake_mut(slot).filter(|flow| flow.deadline(settings) >= packet.time) else { return Told::Own };
        let told = flow.renumber(flow.side(address.keyed.from_low), packet, ip, tcp, now);
        if told != Told::Own {
            self.legs = LegsLookedFor { is_asked: true, is_known: true, ..self.legs };
        }
        told
    }

    /// Has the legs looked for of a connection that begins in its middle with this packet.
    pub(super) fn look_for_legs(&mut self, live: &mut Live, address: &Address, packet: &Packet<'_>, ip: &Ip, tcp: &Tcp) {
        let begins = !tcp.flags.has(TcpFlags::SYN | TcpFlags::RST) && tcp.flags.has(TcpFlags::ACK);
        if begins && ip.fragment.is_none() && !self.settings.keep_duplicates {
            live.look_for_legs(live.side(address.keyed.from_low), packet, ip, tcp);
            self.legs.is_asked = true;
            self.legs.until = self.legs.until.max(self.clock.now().max(packet.time) + JOINED_LOOKED_AT + SLACK);
        }
    }
}
