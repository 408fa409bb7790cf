//! Flows that wait for their judgement: what the flows around them show is known by the time they are called.

use std::collections::VecDeque;

use crate::capture::{FrameId, Pause};
use crate::flow::Neighbour;
use crate::identify::Identified;
use crate::judge::{Judge, Judged};
use crate::limit::FLOWS_AWAITING;
use crate::net::Endpoint;
use crate::time::Timestamp;

/// Flows in the order they were heard, and the judge. A flow is judged when [`FLOWS_AWAITING`] others have ended after it, or at the end: so a capture with
/// no more flows than that is judged in the light of all of it, and a longer one in the light of what came before and a good while after, in memory that does
/// not grow with it.
pub struct Docket<'a> {
    judge: Judge<'a>,
    waiting: VecDeque<Box<Identified>>,
}

impl<'a> Docket<'a> {
    /// Nobody waits yet.
    pub fn new(judge: Judge<'a>) -> Self {
        // Room is asked for at once: growing would copy what waits again and again, and what is not used of it costs nothing.
        Self { judge, waiting: VecDeque::with_capacity(FLOWS_AWAITING) }
    }

    /// Hears a flow that has ended, and judges the one whose turn that makes it.
    pub fn hear(&mut self, identified: Box<Identified>, judged: &mut dyn FnMut(Judged)) {
        self.judge.learn(&identified);
        if self.waiting.len() >= FLOWS_AWAITING
            && let Some(first) = self.waiting.pop_front()
        {
            judged(self.judge.judge(first));
        }
        self.waiting.push_back(identified);
    }

    /// Learns what a packet says about who is on its link.
    pub fn meet(&mut self, neighbour: &Neighbour) {
        self.judge.meet(neighbour);
    }

    /// Learns when nothing was captured.
    pub fn pause(&mut self, pause: Pause) {
        self.judge.pause(pause);
    }

    /// Learns how many packets the capture itself says it lost at an interface: captures say so at their end.
    pub fn capture_lost(&mut self, interface: u32, packets: u64) {
        self.judge.capture_lost(interface, packets);
    }

    /// Judges all that still wait, in order of their first packets, and gives the judge back.
    pub fn close(self, judged: &mut dyn FnMut(Judged)) -> Judge<'a> {
        let Self { judge, waiting } = self;
        let mut waiting = Vec::from(waiting);
        put_in_order(&mut waiting);
        waiting.into_iter().for_each(|identified| judged(judge.judge(identified)));
        judge
    }
}

/// Flows are told in order of their first packet; the ends decide between flows that begin with one frame.
pub fn order(identified: &Identified) -> (Timestamp, FrameId, Endpoint, Endpoint) {
    let flow = &identified.flow;
    (flow.first, flow.first_frame, flow.client.endpoint, flow.server.endpoint)
}

/// Puts flows in that [`order`].
pub fn put_in_order(flows: &mut [Box<Identified>]) {
    // Few begin at the same moment: the rest of what decides would be most of what is moved about.
    flows.sort_by_cached_key(|identified| identified.flow.first);
    for together in flows.chunk_by_mut(|one, other| one.flow.first == other.flow.first).filter(|together| together.len() > 1) {
        together.sort_by_key(|identified| order(identified));
    }
}
