//! Segments that were captured before what they answer: by the two cards of a tap, whose clocks differ, or by queues of one card, which are emptied in turn. They wait
//! for it, as otherwise what they acknowledge would be taken for lost, and an answer be read before its question.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::FlowTable;
use crate::decode::{Content, Header, Packet};
use crate::flow::Observer;
use crate::flow::live::{Live, Weight};
use crate::limit::{CLOCKS_APART, QUEUES_APART, SEGMENTS_AHEAD};
use crate::net::Side;
use crate::time::Timestamp;

/// By the slot of their flow, in order of capture.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    flows: HashMap<u32, Vec<Segment>, RandomState>,
    /// A bit for the last six bits of each of these slots, and of those that were there since there was none: nothing waits for most flows, and each packet asks.
    marks: u64,
}

#[derive(Debug)]
struct Segment {
    side: Side,
    /// Without its payload.
    packet: Packet<'static>,
    payload: Box<[u8]>,
    weight: Weight,
}

impl Ahead {
    /// Whether segments of that flow may wait.
    #[inline]
    pub fn may_hold(&self, slot: u32) -> bool {
        self.marks & mark(slot) != 0
    }

    fn push(&mut self, slot: u32, segment: Segment) {
        self.marks |= mark(slot);
        self.flows.entry(slot).or_default().push(segment);
    }

    fn remove(&mut self, slot: u32) -> Option<Vec<Segment>> {
        let removed = self.flows.remove(&slot)?;
        // One by one they would be worked out of all that wait; one too many costs a look.
        if self.flows.is_empty() {
            self.marks = 0;
        }
        Some(removed)
    }
}

const fn mark(slot: u32) -> u64 {
    1 << (slot & 63)
}

impl Segment {
    /// What it takes of the budget that all streams share.
    fn cost(payload: &[u8]) -> usize {
        size_of::<Self>() + payload.len()
    }

    fn packet(&self) -> Packet<'_> {
        Packet { payload: &self.payload, ..self.packet }
    }
}

impl Live {
    /// Whether a packet of `side` was captured before what it answers.
    #[inline]
    pub fn is_ahead(&self, side: Side, packet: &Packet<'_>) -> bool {
        match (&self.tcp, &packet.content) {
            (Some(connection), Content::Ip(ip, Header::Tcp(tcp))) => connection.is_ahead(side, tcp) && ip.fragment.is_none(),
            _ => false,
        }
    }

    /// Whether a packet of `side` shows that what others wait for was not captured.
    fn goes_beyond(&self, side: Side, packet: &Packet<'_>) -> bool {
        match (&self.tcp, &packet.content) {
            (Some(connection), Content::Ip(_, Header::Tcp(tcp))) => connection.goes_beyond(side, tcp),
            _ => false,
        }
    }
}

impl FlowTable {
    /// Takes a packet of `side` into a flow whose packets may have been captured in the wrong order, once it is due.
    #[inline(never)]
    pub(super) fn take_in_turn(&mut self, slot: u32, side: Side, packet: &Packet<'_>, weight: Weight, is_ahead: bool, observer: &mut impl Observer) {
        if !self.holds_back(slot, side, packet, weight, is_ahead, observer) {
            self.take_now(slot, side, packet, weight, observer);
            self.catch_up(slot, observer);
        }
    }

    /// Keeps a packet for later that is ahead, or behind others of its side that are; whether it did. How long is told by packets of the same flow, and once a second
    /// by the clock: so it does not depend on what else this table holds.
    fn holds_back(&mut self, slot: u32, side: Side, packet: &Packet<'_>, weight: Weight, is_ahead: bool, observer: &mut impl Observer) -> bool {
        let waiting = self.ahead.flows.get(&slot).map_or(&[][..], Vec::as_slice);
        let is_behind = waiting.iter().any(|segment| segment.side == side);
        let is_in_vain = || !is_ahead && self.flows.awake(slot).is_some_and(|flow| flow.goes_beyond(side, packet));
        let is_given_up = waiting.first().is_some_and(|first| is_over(first, packet.time) || waiting.len() >= SEGMENTS_AHEAD || !is_behind && is_in_vain());
        if !is_ahead && !is_behind && !is_given_up {
            return false;
        }
        if is_given_up {
            self.give_up(slot, observer);
        }
        let is_to_wait = if is_given_up { self.flows.awake(slot).is_some_and(|flow| flow.is_ahead(side, packet)) } else { true };
        let cost = Segment::cost(packet.payload);
        if !is_to_wait || self.budget < cost {
            self.give_up(slot, observer);
            return false;
        }
        self.budget -= cost;
        let segment = Segment { side, packet: Packet { payload: &[], ..*packet }, payload: packet.payload.into(), weight };
        self.ahead.push(slot, segment);
        true
    }

    /// Takes in what need not wait any more, of each side in order.
    fn catch_up(&mut self, slot: u32, observer: &mut impl Observer) {
        while let Some(waiting) = self.ahead.flows.get_mut(&slot) {
            let Some(flow) = self.flows.awake(slot) else { return };
            let first_of = |side: Side| waiting.iter().position(|segment| segment.side == side);
            let firsts = [Side::Client, Side::Server].into_iter().filter_map(first_of);
            let ready = firsts.filter(|place| !flow.is_ahead(waiting[*place].side, &waiting[*place].packet)).min();
            let Some(ready) = ready else { return };
            let segment = waiting.remove(ready);
            if waiting.is_empty() {
                self.ahead.remove(slot);
            }
            self.take_late(slot, &segment, observer);
        }
    }

    /// Takes in all that waits for one flow: what it waited for was not captured.
    pub(super) fn give_up(&mut self, slot: u32, observer: &mut impl Observer) {
        if !self.ahead.may_hold(slot) {
            return;
        }
        for segment in self.ahead.remove(slot).unwrap_or_default() {
            self.take_late(slot, &segment, observer);
        }
    }

    /// The same of all flows for which it waited long enough by `now`; of all, where the capture has ended.
    pub(super) fn give_up_all(&mut self, now: Option<Timestamp>, observer: &mut impl Observer) {
        let due = |waiting: &&Segment| now.is_none_or(|now| is_over(waiting, now));
        let slots = self.ahead.flows.iter().filter_map(|(slot, waiting)| Some((waiting.first().filter(due)?.packet.frame, *slot)));
        let mut slots: Vec<_> = slots.collect();
        slots.sort_unstable();
        for (_, slot) in slots {
            self.give_up(slot, observer);
        }
    }

    fn take_late(&mut self, slot: u32, segment: &Segment, observer: &mut impl Observer) {
        self.budget += Segment::cost(&segment.payload);
        if self.wake(slot, observer).is_some() {
            self.take_now(slot, segment.side, &segment.packet(), segment.weight, observer);
        }
    }
}

/// Whether what a segment waits for does not come any more, by the time of a later packet. Where times go back it may lie before the segment, but not by much.
fn is_over(waiting: &Segment, time: Timestamp) -> bool {
    let since = waiting.packet.time;
    time.since(since) > CLOCKS_APART || since.since(time) > QUEUES_APART
}
