//! Flows that wait for their judgement. While they wait, the flows around them show what is needed to judge them: roles, names, what can be seen from this tap.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::capture::{FrameId, Pause};
use crate::flow::Neighbour;
use crate::identify::Identified;
use crate::judge::{Judge, Judged};
use crate::limit::{FLOWS_AWAITING, FLOWS_CALLED};
use crate::net::Endpoint;
use crate::time::Timestamp;

/// Flows in the order they were heard, and the judge. When [`FLOWS_AWAITING`] of them wait, the [oldest](FLOWS_CALLED) are called, and at the end all: so a capture with
/// fewer flows than that is judged in the light of all of it, and a longer one in the light of what came before and a good while after, in memory that does not
/// grow with it.
pub struct Docket<'a> {
    judge: Arc<Judge<'a>>,
    waiting: VecDeque<Box<Identified>>,
}

/// Flows whose turn has come, and the judge as he is then. Judging changes nothing, so they may be judged in parts and by several threads; the docket learns nothing
/// until all of them are done.
pub struct Called<'a> {
    judge: Arc<Judge<'a>>,
    flows: Vec<Box<Identified>>,
}

impl<'a> Docket<'a> {
    /// Nobody waits yet.
    pub fn new(judge: Judge<'a>) -> Self {
        // Room is asked for at once: growing would copy what waits again and again, and what is not used of it costs nothing.
        Self { judge: Arc::new(judge), waiting: VecDeque::with_capacity(FLOWS_AWAITING) }
    }

    /// Hears a flow that has ended, and calls those whose turn that makes it.
    pub fn hear(&mut self, identified: Box<Identified>) -> Option<Called<'a>> {
        self.judge().learn(&identified);
        self.waiting.push_back(identified);
        let flows = (self.waiting.len() >= FLOWS_AWAITING).then(|| self.waiting.drain(..FLOWS_CALLED).collect())?;
        Some(Called { judge: Arc::clone(&self.judge), flows })
    }

    /// Learns what a packet says about who is on its link.
    pub fn meet(&mut self, neighbour: &Neighbour) {
        self.judge().meet(neighbour);
    }

    /// Learns when nothing was captured.
    pub fn pause(&mut self, pause: Pause) {
        self.judge().pause(pause);
    }

    /// Learns how many packets the capture itself says it lost at an interface: captures say so at their end.
    pub fn capture_lost(&mut self, interface: u32, packets: u64) {
        self.judge().capture_lost(interface, packets);
    }

    /// Learns that so many of them were lost between two moments.
    pub fn capture_dropped(&mut self, interface: u32, times: [Timestamp; 2], packets: u64) {
        self.judge().capture_dropped(interface, times, packets);
    }

    /// Calls all that still wait, in order of their first packets, and gives the judge back.
    pub fn close(self) -> (Vec<Called<'a>>, Arc<Judge<'a>>) {
        let Self { judge, waiting } = self;
        let mut waiting = Vec::from(waiting);
        put_in_order(&mut waiting);
        (Called { judge: Arc::clone(&judge), flows: waiting }.in_parts(FLOWS_CALLED), judge)
    }

    /// All that were called are judged by now; else those who judge them keep the judge as he was.
    fn judge(&mut self) -> &mut Judge<'a> {
        Arc::make_mut(&mut self.judge)
    }
}

impl<'a> Called<'a> {
    /// The same flows in parts of so many, in order.
    pub fn in_parts(self, size: usize) -> Vec<Self> {
        let Self { judge, flows } = self;
        let mut flows = flows.into_iter().peekable();
        let part = || flows.peek().is_some().then(|| Self { judge: Arc::clone(&judge), flows: flows.by_ref().take(size).collect() });
        std::iter::from_fn(part).collect()
    }

    /// Judges them, one after the other.
    pub fn judge(self, judged: &mut dyn FnMut(Judged)) {
        let Self { judge, flows } = self;
        flows.into_iter().for_each(|identified| judged(judge.judge(identified)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::Books;
    use crate::judge::Site;
    use crate::judge::tests::sample::udp;
    use crate::signature::Signatures;

    fn flow(port: usize) -> Box<Identified> {
        udp(&format!("10.0.0.1:{port}"), "10.0.0.2:53").0
    }

    #[test]
    fn flows_are_called_in_the_order_they_were_heard_once_enough_others_wait() {
        let (signatures, books) = (Signatures::built_in(), Books::default());
        let mut docket = Docket::new(Judge::new(signatures, Site::default(), &books));
        let mut ports = Vec::new();
        for number in 1..FLOWS_AWAITING {
            assert!(docket.hear(flow(number)).is_none(), "{number}");
        }
        let called = docket.hear(flow(FLOWS_AWAITING)).unwrap();
        assert!(docket.hear(flow(FLOWS_AWAITING + 1)).is_none());
        called.judge(&mut |judged| ports.push(usize::from(judged.identified.flow.client.endpoint.port)));
        assert_eq!(ports, (1..=FLOWS_CALLED).collect::<Vec<_>>());
        let (rest, _) = docket.close();
        rest.into_iter().for_each(|called| called.judge(&mut |judged| ports.push(usize::from(judged.identified.flow.client.endpoint.port))));
        assert_eq!(ports.len(), FLOWS_AWAITING + 1);
    }

    #[test]
    fn what_is_learned_after_flows_were_called_is_not_held_against_them() {
        let (signatures, books) = (Signatures::built_in(), Books::default());
        let mut docket = Docket::new(Judge::new(signatures, Site::default(), &books));
        let called = (1..=FLOWS_AWAITING).find_map(|number| docket.hear(flow(number))).unwrap();
        docket.capture_lost(0, 1_000_000);
        let mut rules = Vec::new();
        let (now, then) = (docket.close().0, called);
        for called in now.into_iter().take(1).chain([then]) {
            called.judge(&mut |judged| rules.push(judged.cause.map(|cause| cause.rule)));
        }
        assert_ne!(rules.first(), rules.last());
    }
}
