//! What was lost, minute by minute. In a run of weeks a mirror that drops for a minute is nothing, and of what passed in that minute much is missing; and what was lost in
//! a bad hour says nothing of the next day.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::flow::Flow;
use crate::judge::memory::Remembered;
use crate::judge::threshold::{HEAVY_LOSS, REPLY_BY, SAMPLE_BYTES, SAMPLE_CONNECTIONS, TORN_CONNECTIONS};
use crate::judge::visibility::tap::per_mille;
use crate::limit::{MINUTES_AROUND, MINUTES_OF_A_FLOW, MINUTES_REMEMBERED};
use crate::time::Timestamp;

/// What interfaces lost: in all, and in each minute.
#[derive(Clone, Debug)]
pub(super) struct Stretches {
    whole: BTreeMap<u32, Whole>,
    minutes: Remembered<(u32, i64), Lost>,
}

/// What an interface lost in all.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    all: Lost,
    /// Those of the packets dropped of which it is known when.
    timed: u64,
}

/// What was lost.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    /// Packets of flows.
    packets: u64,
    /// Packets that the capture says it lost.
    dropped: u64,
    /// TCP bytes that were acknowledged.
    acknowledged: u64,
    /// Those of them that were not captured.
    missed: u64,
    /// Connections that show it, and those of them that missed something.
    connections: u32,
    torn: u32,
}

impl Default for Stretches {
    fn default() -> Self {
        Self { whole: BTreeMap::new(), minutes: Remembered::new(MINUTES_REMEMBERED) }
    }
}

impl Stretches {
    /// Enters a flow with the bytes of it that were acknowledged, and those of them that were missed. What it missed is of the minutes in which that showed; what it carried
    /// beside that is spread over its life.
    pub(super) fn learn(&mut self, flow: &Flow, [acknowledged, missed]: [u64; 2]) {
        let packets = flow.client.packets.saturating_add(flow.server.packets);
        let all = Lost { packets, acknowledged, missed, connections: (acknowledged > 0).into(), torn: (missed > 0).into(), dropped: 0 };
        self.whole.entry(flow.interface).or_default().all.add(all);
        let life = flow.first.minute()..=flow.last.minute().max(flow.first.minute());
        let noted = flow.tcp.as_ref().filter(|_| missed > 0).map_or(&[][..], |tcp| &tcp.missed);
        if noted.is_empty() {
            // What a connection says that goes on for long may all have been said in other minutes.
            let connections = if life.end() - life.start() <= 1 { all.connections } else { 0 };
            return self.spread(flow.interface, life, Lost { connections, ..all });
        }
        let noted_bytes = noted.iter().fold(0, |sum: u64, noted| sum.saturating_add(noted.bytes));
        let mut rest = acknowledged;
        for noted in noted {
            // What the snap length cut off is among what was noted, and was not missed.
            let missed = (u128::from(missed) * u128::from(noted.bytes)).checked_div(noted_bytes.into()).unwrap_or(0) as u64;
            let [from, to] = noted.acknowledged;
            let carried = to.saturating_sub(from).saturating_add(missed).min(rest);
            rest -= carried;
            let part = Lost { acknowledged: carried, missed, connections: 1, torn: 1, ..Lost::default() };
            self.spread(flow.interface, noted.minutes[0]..=noted.minutes[1], part);
        }
        self.spread(flow.interface, life, Lost { packets, acknowledged: rest, ..Lost::default() });
    }

    /// Enters how many packets the capture says it lost at an interface; how many it lost at all of them.
    pub(super) fn lost(&mut self, interface: u32, packets: u64) -> u64 {
        self.whole.entry(interface).or_default().all.dropped = packets;
        self.whole.values().fold(0, |sum, whole| sum.saturating_add(whole.all.dropped))
    }

    /// Enters that so many of them were lost between two moments. Where these lie far apart nobody knows when.
    pub(super) fn dropped(&mut self, interface: u32, [from, to]: [Timestamp; 2], packets: u64) {
        let (first, last) = (from.minute().min(to.minute()), to.minute());
        if packets > 0 && last - first <= 1 {
            let timed = &mut self.whole.entry(interface).or_default().timed;
            *timed = timed.saturating_add(packets);
            self.spread(interface, first..=last, Lost { dropped: packets, ..Lost::default() });
        }
    }

    /// Whether nothing was lost at an interface.
    pub(super) fn is_whole(&self, living: Option<&Self>, interface: u32) -> bool {
        [Some(self), living]
            .into_iter()
            .flatten()
            .filter_map(|stretches| stretches.whole.get(&interface))
            .all(|whole| (whole.all.missed, whole.all.dropped) == (0, 0))
    }

    /// The share of what passed an interface about that time that was not captured, parts per thousand: of acknowledged bytes, or of packets by the capture's own count,
    /// whichever is more. `living`: what flows lost that are in no other book yet.
    pub(super) fn share(&self, living: Option<&Self>, interface: u32, time: Timestamp) -> u64 {
        let books = || [Some(self), living].into_iter().flatten();
        let mut whole = Whole::default();
        for Whole { all, timed } in books().filter_map(|stretches| stretches.whole.get(&interface)) {
            whole.all.add(*all);
            whole.timed = whole.timed.saturating_add(*timed);
        }
        let sum = |minutes: RangeInclusive<i64>, lost: &mut Lost| {
            let of = |minute| books().filter_map(move |stretches| stretches.minutes.get(&(interface, minute)));
            minutes.flat_map(of).for_each(|more| lost.add(*more));
        };
        let mut around = Lost::default();
        let (first, last) = (time.minute(), (time + REPLY_BY).minute());
        sum(first..=last, &mut around);
        let untimed = Lost { dropped: whole.all.dropped.saturating_sub(whole.timed), ..whole.all };
        let dropped = around.dropped_share().max(untimed.dropped_share());
        let mut reach = 0;
        while !around.is_sample() && around.acknowledged < whole.all.acknowledged && reach < MINUTES_AROUND {
            let further = 2 * reach + 1;
            sum(first - further..=first - reach - 1, &mut around);
            sum(last + reach + 1..=last + further, &mut around);
            reach = further;
        }
        dropped.max(around.missed_share())
    }

    /// Adds to each of some minutes the same part, to the last one what is left. Of very many only the last ones are told of.
    fn spread(&mut self, interface: u32, minutes: RangeInclusive<i64>, lost: Lost) {
        let (first, last) = (*minutes.start(), *minutes.end());
        if first == last {
            return self.minutes.meet((interface, last)).add(lost);
        }
        let many = last.saturating_sub(first).saturating_add(1).cast_unsigned();
        let part = |all: u64| all / many;
        let Lost { packets, dropped, acknowledged, missed, .. } = lost;
        let each = Lost { packets: part(packets), dropped: part(dropped), acknowledged: part(acknowledged), missed: part(missed), ..lost };
        for minute in first.max(last.saturating_sub(MINUTES_OF_A_FLOW - 1))..last {
            self.minutes.meet((interface, minute)).add(each);
        }
        let left = |all: u64| all / many + all % many;
        let end = Lost { packets: left(packets), dropped: left(dropped), acknowledged: left(acknowledged), missed: left(missed), ..lost };
        self.minutes.meet((interface, last)).add(end);
    }
}

impl Lost {
    fn add(&mut self, more: Self) {
        let Self { packets, dropped, acknowledged, missed, connections, torn } = self;
        for (sum, more) in [(packets, more.packets), (dropped, more.dropped), (acknowledged, more.acknowledged), (missed, more.missed)] {
            *sum = sum.saturating_add(more);
        }
        (*connections, *torn) = (connections.saturating_add(more.connections), torn.saturating_add(more.torn));
    }

    /// Whether it shows how much was lost.
    const fn is_sample(&self) -> bool {
        self.acknowledged >= SAMPLE_BYTES || self.connections >= SAMPLE_CONNECTIONS || self.torn >= TORN_CONNECTIONS
    }

    fn missed_share(&self) -> u64 {
        let share = per_mille(self.missed, self.acknowledged);
        let is_sure = self.acknowledged >= SAMPLE_BYTES || self.torn >= TORN_CONNECTIONS;
        if self.is_sample() && !is_sure { share.min(HEAVY_LOSS) } else { share }
    }

    fn dropped_share(&self) -> u64 {
        per_mille(self.dropped, self.packets.saturating_add(self.dropped))
    }
}
