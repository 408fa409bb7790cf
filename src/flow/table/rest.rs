//! Flows of which nothing was heard for longest are packed.

use std::hint::black_box;

use arrayvec::ArrayVec;

use super::FlowTable;
use crate::flow::live::Live;
use crate::flow::resting::Rest;
use crate::flow::{Observer, Slot};
use crate::limit::TOUCHED_AT_ONCE;

impl FlowTable {
    /// Packs flows of which nothing was heard for longest, where more than enough are awake.
    pub(super) fn rest(&mut self, observer: &mut impl Observer) {
        // No more than can be live, whoever asks for how many: the list has those that ended meanwhile, too, and would grow with the capture.
        let most = self.settings.awake_flows.min(self.settings.live_flows);
        let many = (most / AWAKE_TO_ONE_RESTED).clamp(1, TOUCHED_AT_ONCE);
        while self.awake.len() >= most.saturating_add(many) {
            self.rest_oldest(many, observer);
        }
    }

    /// They have left the caches by now. So all are touched before anything is asked of any: their cache misses overlap.
    #[inline(never)]
    fn rest_oldest(&mut self, many: usize, observer: &mut impl Observer) {
        let oldest: ArrayVec<u32, TOUCHED_AT_ONCE> = self.awake.drain(..many).collect();
        let awake = || oldest.iter().filter_map(|slot| self.awake(*slot));
        black_box(awake().map(Live::touch).fold(0, u64::wrapping_add));
        black_box(awake().filter_map(|flow| flow.tcp.as_ref()).map(|connection| connection.touch()).fold(0, u64::wrapping_add));
        let mut packed = ArrayVec::<Slot, TOUCHED_AT_ONCE>::new();
        for slot in oldest {
            if let Some(flow) = self.flows.awake_mut(slot) {
                flow.forget_legs(self.clock.now());
            }
            match self.flows.rest(slot, &self.settings) {
                Some(Rest::Heard) => self.awake.push_back(slot),
                Some(Rest::Packed) => packed.push(Slot(slot)),
                None => {}
            }
        }
        observer.rested(&packed);
    }
}

/// One in so many that are awake is packed at once, at most.
const AWAKE_TO_ONE_RESTED: usize = 16;
