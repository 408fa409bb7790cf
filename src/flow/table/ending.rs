//! How flows end: by their packets, by silence, at the bound on memory, and with the capture.

use std::hint::black_box;

use arrayvec::ArrayVec;

use super::{FlowTable, LONE, SLACK, is_lone, spread};
use crate::flow::expiry::second_of;
use crate::flow::key::Key;
use crate::flow::live::Live;
use crate::flow::stream::{Outlet, Ready};
use crate::flow::{Ended, Flow, Observer, Side, Slot};
use crate::limit::{LIVE_FLOW_BYTES, LONE_FLOW_BYTES, TOUCHED_AT_ONCE};
use crate::time::Timestamp;

impl FlowTable {
    /// Ends all flows, in order of their first packets.
    pub fn finish(&mut self, observer: &mut impl Observer) {
        self.finish_in_parts(&[], observer, &mut |_| {});
    }

    /// The same in parts, so that not all of them need be held at once: those that began up to the first of `ends`, which ascend, up to the second, and so
    /// on; `part` is told after each. With the same `ends` for all tables of a capture the parts of all together are in order again.
    pub fn finish_in_parts<O: Observer>(&mut self, ends: &[Timestamp], observer: &mut O, part: &mut dyn FnMut(&mut O)) {
        self.clock.end();
        self.give_up_all(None, observer);
        let fragments = self.fragments.finish();
        if self.shard.number == 0 {
            // All tables gathered the same.
            self.counts.fragments = fragments;
        }
        let (slots, starts) = self.by_part(ends);
        for range in starts.windows(2) {
            let slots = slots.get(range[0]..range[1]).unwrap_or_default();
            let mut live: Vec<_> = slots.iter().filter_map(|slot| Some((self.order(*slot)?, *slot))).collect();
            live.sort_unstable();
            for (number, (_, slot)) in live.iter().copied().enumerate() {
                if number % TOUCHED_AT_ONCE == 0 {
                    self.touch(live[number..].iter().map(|(_, slot)| *slot), observer);
                }
                let ended = self.ending(slot, self.clock.now());
                self.close(slot, ended.unwrap_or(Ended::CaptureEnd), observer);
            }
            part(observer);
        }
    }

    /// All flows, put in order by the part in which they began, and where each part begins: four bytes a flow, as there may be millions.
    fn by_part(&self, ends: &[Timestamp]) -> (Vec<u32>, Vec<usize>) {
        let part = |first: Timestamp| ends.partition_point(|end| *end < first);
        let all = || {
            let live = self.flows.iter().map(|(slot, flow)| (slot, flow.order().0));
            live.chain(self.lone.iter().map(|(slot, lone)| (slot | LONE, lone.order().0)))
        };
        let mut starts = vec![0; ends.len() + 2];
        all().for_each(|(_, first)| starts[part(first) + 1] += 1);
        for part in 1..starts.len() {
            starts[part] += starts[part - 1];
        }
        let (mut slots, mut next) = (vec![0; self.index.len()], starts.clone());
        for (slot, first) in all() {
            let place = &mut next[part(first)];
            if let Some(to) = slots.get_mut(*place) {
                *to = slot;
            }
            *place += 1;
        }
        (slots, starts)
    }

    /// Shows live flows as they stand, as if they ended now, in order of their first packets: at most so many of those with which something may have gone
    /// wrong already, and as many others, the latest of each. How many more there are.
    pub fn look(&self, most: usize, each: &mut dyn FnMut(Slot, Flow)) -> u64 {
        let live = self.flows.iter().map(|(slot, flow)| (flow.is_telling(), flow.order(), slot));
        let all = live.chain(self.lone.iter().map(|(slot, lone)| (false, lone.order(), slot | LONE)));
        let (mut telling, mut others): (Vec<_>, Vec<_>) = all.partition(|(is_telling, ..)| *is_telling);
        let left = telling.len().saturating_sub(most) + others.len().saturating_sub(most);
        for list in [&mut telling, &mut others] {
            if list.len() > most {
                let beyond = list.len() - most;
                list.select_nth_unstable(beyond);
                list.drain(..beyond);
            }
        }
        telling.append(&mut others);
        telling.sort_unstable_by_key(|(_, order, _)| *order);
        for (.., slot) in telling {
            let ended = self.ending(slot, self.clock.now()).unwrap_or(Ended::CaptureEnd);
            let flow = if is_lone(slot) { self.noted(slot).map(|lone| lone.live().into_flow(ended)) } else { self.flows.as_it_stands(slot, ended) };
            if let Some(flow) = flow {
                each(Slot(slot), self.placed(flow));
            }
        }
        left as u64
    }

    /// What a flow has ended with by `now`; none while it goes on.
    pub(super) fn ending(&self, slot: u32, now: Timestamp) -> Option<Ended> {
        match self.flow(slot) {
            Some(flow) if flow.is_closed() => Some(Ended::Closed),
            _ => (self.deadline(slot)? < now).then_some(Ended::Idle),
        }
    }

    /// When a flow is over unless another packet comes.
    fn deadline(&self, slot: u32) -> Option<Timestamp> {
        if is_lone(slot) { Some(self.noted(slot)?.deadline(&self.settings)) } else { Some(self.flow(slot)?.deadline(&self.settings)) }
    }

    /// Time and number of a flow's first packet.
    fn order(&self, slot: u32) -> Option<(Timestamp, crate::capture::FrameId)> {
        if is_lone(slot) { Some(self.noted(slot)?.order()) } else { Some(self.flow(slot)?.order()) }
    }

    /// Whether an entry of the agenda for that second is the flow's, and not of one that had its slot before.
    fn is_due(&self, second: i64, slot: u32) -> bool {
        if is_lone(slot) {
            self.noted(slot).is_some_and(|lone| second_of(lone.deadline(&self.settings)) == second)
        } else {
            self.flow(slot).is_some_and(|flow| flow.is_entered_for(second))
        }
    }

    /// Ends the flows whose time was over a while before `now`. Seldom: within whoever asks for every packet, it would have registers saved for every packet.
    #[inline(never)]
    pub(super) fn expire(&mut self, now: Timestamp, observer: &mut impl Observer) {
        self.give_up_all(Some(now), observer);
        self.legs.advance(now);
        let now = now - SLACK;
        while let Some((second, mut slots)) = self.agenda.due(now).or_else(|| self.attempts.due(now)) {
            slots.retain(|slot| self.is_due(second, *slot));
            slots.sort_by_cached_key(|slot| self.order(*slot));
            slots.dedup();
            for (number, slot) in slots.iter().copied().enumerate() {
                if number % TOUCHED_AT_ONCE == 0 {
                    self.touch(slots[number..].iter().copied(), observer);
                }
                let Some(deadline) = self.deadline(slot) else { continue };
                match self.ending(slot, now).filter(|_| deadline < now) {
                    Some(ended) => self.close(slot, ended, observer),
                    None => self.enter(slot, deadline),
                }
            }
        }
    }

    /// What ending the next flows reads is touched before any of them ends: most were last heard of long ago, and so their cache misses overlap.
    fn touch(&self, next: impl Iterator<Item = u32>, observer: &mut impl Observer) {
        let next: ArrayVec<u32, TOUCHED_AT_ONCE> = next.take(TOUCHED_AT_ONCE).collect();
        let tags: ArrayVec<u32, TOUCHED_AT_ONCE> = next.iter().map(|slot| self.key(*slot).map_or(0, |key| key.tag(&self.seed))).collect();
        let is_filed = |(slot, tag): (&u32, &u32)| self.index.find(spread(*tag), |(_, known)| known == slot).is_some();
        black_box(next.iter().zip(&tags).filter(|filed| is_filed(*filed)).count());
        let slots: ArrayVec<Slot, TOUCHED_AT_ONCE> = next.iter().map(|slot| Slot(*slot)).collect();
        observer.closing(&slots);
    }

    /// The key that a flow is filed under.
    fn key(&self, slot: u32) -> Option<Key> {
        if is_lone(slot) { Some(self.noted(slot)?.key()) } else { Some(self.flow(slot)?.key()) }
    }

    /// Puts flows out until there is room for one that takes so many bytes.
    pub(super) fn make_room(&mut self, bytes: usize, observer: &mut impl Observer) {
        let most = self.settings.live_flows.max(1).saturating_mul(LIVE_FLOW_BYTES);
        while self.flows.len() * LIVE_FLOW_BYTES + self.lone.len() * LONE_FLOW_BYTES + bytes > most {
            // In a flood the flood goes: who wants to be answered asks again, and is no longer alone then. Else a connection that is just being opened
            // is worth more than one that is silent.
            let is_flood = self.lone.len() * LONE_FLOW_BYTES * FLOODED > most;
            let gone = (is_flood && self.put_out_lone(observer)) || self.put_out_nearest(observer) || self.put_out_lone(observer);
            if !gone {
                return;
            }
            self.counts.evicted += 1;
        }
    }

    /// Puts out the flow that is nearest to its timeout; false where there is none but lone SYNs.
    fn put_out_nearest(&mut self, observer: &mut impl Observer) -> bool {
        while let Some((second, slot)) = self.agenda.nearest() {
            let Some(deadline) = self.deadline(slot).filter(|_| self.is_due(second, slot)) else { continue };
            if second_of(deadline) > second {
                self.enter(slot, deadline);
            } else {
                self.close(slot, Ended::Evicted, observer);
                return true;
            }
        }
        false
    }

    /// Puts out one of the oldest lone SYNs; false where there is none.
    fn put_out_lone(&mut self, observer: &mut impl Observer) -> bool {
        while let Some((second, slot)) = self.attempts.nearest() {
            if self.is_due(second, slot) {
                self.close(slot, Ended::Evicted, observer);
                return true;
            }
        }
        false
    }

    fn enter(&mut self, slot: u32, deadline: Timestamp) {
        if is_lone(slot) {
            self.attempts.enter(slot, deadline);
        } else if self.flow(slot).is_some() {
            self.flows.enter(slot, self.agenda.enter(slot, deadline));
        }
    }

    pub(super) fn close(&mut self, slot: u32, ended: Ended, observer: &mut impl Observer) {
        if is_lone(slot) {
            return self.close_lone(slot, ended, observer);
        }
        self.give_up(slot, observer);
        let Some(mut flow) = self.flows.remove(slot) else { return };
        let (wanted, parties) = (flow.wanted, flow.parties());
        if let Some(connection) = &mut flow.tcp {
            let midstream = connection.is_midstream();
            let mut deliver = |ready: Ready<'_>| observer.data(Slot(slot), &parties, ready.into_data(midstream));
            connection.flush(&mut Outlet { from: Side::Client, deliver: &mut deliver, wanted, budget: &mut self.budget });
            connection.end(&mut self.budget);
        }
        self.unfile(flow.key().tag(&self.seed), slot);
        self.tell(slot, flow, ended, observer);
    }

    fn tell(&mut self, slot: u32, flow: Box<Live>, ended: Ended, observer: &mut impl Observer) {
        let flow = self.placed(flow.into_flow(ended));
        self.crossings.forget(&flow.parties());
        observer.closed(Slot(slot), flow);
    }

    /// With what is known of where its packets were captured.
    fn placed(&self, mut flow: Flow) -> Flow {
        let parties = flow.parties();
        if let Some(story) = &mut flow.tcp {
            story.crossed = self.crossings.of(&parties);
        }
        flow
    }

    /// The observer hears of the flow when it is over.
    fn close_lone(&mut self, slot: u32, ended: Ended, observer: &mut impl Observer) {
        let Some(lone) = self.lone.remove(slot & !LONE) else { return };
        self.unfile(lone.key().tag(&self.seed), slot);
        let slot = self.flows.insert(lone.live());
        observer.opened(Slot(slot));
        if let Some(flow) = self.flows.remove(slot) {
            self.tell(slot, flow, ended, observer);
        }
    }

    fn unfile(&mut self, tag: u32, slot: u32) {
        self.moved = true;
        if let Ok(entry) = self.index.find_entry(spread(tag), |(_, known)| *known == slot) {
            entry.remove();
        }
    }
}

/// It is a flood when lone SYNs take more than one in so many bytes of what live flows may.
const FLOODED: usize = 4;
