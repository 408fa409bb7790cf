//! ICMP errors on their way to the flows that they quote.

use std::collections::VecDeque;

use super::FlowTable;
use crate::decode::Packet;
use crate::flow::Observer;
use crate::flow::key::{Key, Keyed};
use crate::flow::unreachable::{self, Failure};
use crate::limit::{CLOCKS_APART, ERRORS_AHEAD, QUEUES_APART};
use crate::net::Side;
use crate::time::Timestamp;

/// Errors that quote no live flow: what they quote may have been captured after them.
#[derive(Debug, Default)]
pub(super) struct Unclaimed {
    errors: VecDeque<Unclaimable>,
}

#[derive(Clone, Copy, Debug)]
struct Unclaimable {
    quoted: Keyed,
    failure: Failure,
    /// Without its payload.
    packet: Packet<'static>,
}

impl Unclaimed {
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether one waits for a flow of which this is the first packet. `now` is the latest time of any packet so far.
    #[inline]
    pub fn has(&self, key: &Key, time: Timestamp, now: Timestamp) -> bool {
        !self.errors.is_empty() && self.errors.iter().any(|error| error.is_of(key, time, now))
    }
}

impl Unclaimable {
    fn is_of(&self, key: &Key, time: Timestamp, now: Timestamp) -> bool {
        let since = self.packet.time;
        self.quoted.key == *key && time.since(since).max(since.since(time)) <= CLOCKS_APART && self.is_remembered(now)
    }

    fn is_remembered(&self, now: Timestamp) -> bool {
        now.since(self.packet.time) <= CLOCKS_APART + QUEUES_APART
    }
}

impl FlowTable {
    /// Ties an ICMP error to the flow that it quotes; where the snap length cut off which that is, to the flow of the error itself, which lies at `own` and has the error's receiver at `to`.
    pub(super) fn take_error(&mut self, own: u32, to: Side, packet: &Packet<'_>, observer: &mut impl Observer) {
        let Some(failure) = unreachable::of_packet(packet) else { return };
        let quoted = failure.quote.and_then(|quote| Key::of_quote(&quote));
        let slot = quoted.and_then(|quoted| self.find(quoted.key.tag(&self.seed), &quoted.key)).and_then(|slot| self.wake(slot, observer));
        match (slot, quoted) {
            (Some(slot), Some(quoted)) => self.keep_error(slot, quoted.from_low, failure, packet),
            (None, Some(quoted)) => {
                self.counts.errors_without_flow += 1;
                self.unclaimed.errors.truncate(ERRORS_AHEAD - 1);
                self.unclaimed.errors.push_front(Unclaimable { quoted, failure, packet: Packet { payload: &[], ..*packet } });
            }
            (_, None) => {
                self.counts.errors_without_flow += 1;
                let cut = Some(failure).filter(|failure| failure.is_cut(packet)).and_then(|failure| failure.rejection(packet, to));
                if let (Some(rejection), Some(flow)) = (cut, self.awake_mut(own)) {
                    flow.reject(rejection);
                }
            }
        }
    }

    /// Gives a flow that has just begun the errors that were captured before it.
    #[inline(never)]
    pub(super) fn claim_errors(&mut self, slot: u32, time: Timestamp) {
        let Some(key) = self.awake(slot).map(|flow| *flow.key()) else { return };
        let now = self.clock.now();
        let mut errors = std::mem::take(&mut self.unclaimed.errors);
        errors.retain(|error| error.is_remembered(now));
        for error in errors.iter().rev().filter(|error| error.is_of(&key, time, now)) {
            self.counts.errors_without_flow -= 1;
            self.keep_error(slot, error.quoted.from_low, error.failure, &error.packet);
        }
        errors.retain(|error| !error.is_of(&key, time, now));
        self.unclaimed.errors = errors;
    }

    fn keep_error(&mut self, slot: u32, from_low: bool, failure: Failure, packet: &Packet<'_>) {
        let Some(flow) = self.awake_mut(slot) else { return };
        let is_kept = failure.rejection(packet, flow.side(from_low)).is_some_and(|rejection| flow.reject(rejection));
        self.counts.errors_not_kept += u64::from(!is_kept);
    }
}
