//! Judging while the traffic goes on: what can be said at this moment, of flows that have ended and of those that live.
//!
//! At any moment it says what would be said of a capture that ended now. So what is told of live traffic is what a capture of it shows, and nothing that
//! would be said of no capture. Flows are judged for good a while after they ended, in the light of what came before and in that while.

use std::collections::VecDeque;

use crate::capture::Pause;
use crate::flow::{Ended, Flow, Neighbour};
use crate::identify::Identified;
use crate::judge::docket::put_in_order;
use crate::judge::threshold::{ANSWER_BY, REPLY_BY, SURE_SYNS};
use crate::judge::{Confidence, Coverage, Covered, Finding, Gatherer, Handover, Judge, Judged, Shown, Telling, Visibility};
use crate::limit::{FLOWS_AWAITING, LIVE_AWAITS, LIVE_FINDING_KEPT, LIVE_SETTLES};
use crate::signature::{RoleId, ServiceId};
use crate::time::Timestamp;

/// The judge of live traffic, with the flows that ended lately.
pub struct Vigil<'a> {
    judge: Judge<'a>,
    gatherer: Gatherer<'a>,
    /// Flows that have ended, each with the moment when that was heard.
    waiting: VecDeque<(Timestamp, Box<Identified>)>,
}

/// What there is to say at one moment.
#[derive(Debug)]
pub struct Board {
    /// Worst first.
    pub findings: Vec<Finding>,
    /// What was seen of every documented row.
    pub coverage: Vec<(ServiceId, Coverage)>,
    /// The same of the rows of each role that the site gives.
    pub coverage_by_role: Vec<(RoleId, Vec<(ServiceId, Coverage)>)>,
    /// What this capture point can see.
    pub visibility: Visibility,
    /// Hosts that showed what they are.
    pub shown: Vec<(std::net::IpAddr, Shown)>,
    /// What was seen of the rows, as a journal keeps it.
    pub covered: Covered,
    /// Flows with something to say that found no room.
    pub dropped: u64,
}

impl<'a> Vigil<'a> {
    /// Nothing was heard yet.
    pub const fn new(judge: Judge<'a>, gatherer: Gatherer<'a>) -> Self {
        Self { judge, gatherer, waiting: VecDeque::new() }
    }

    /// Goes on where another one stopped.
    pub fn succeed(mut self, before: Handover) -> Self {
        self.judge.succeed(before.knowledge, before.waiting.iter().map(|(_, identified)| &**identified));
        self.gatherer.cover_also(&before.covered);
        self.waiting = before.waiting;
        self
    }

    /// Stops, for another one to go on.
    pub fn hand_over(self) -> Handover {
        Handover { covered: self.gatherer.covered(), knowledge: self.judge.into_knowledge(), waiting: self.waiting }
    }

    /// Adds what was seen of them before.
    pub fn cover_also(&mut self, covered: &Covered) {
        self.gatherer.cover_also(covered);
    }

    /// Hears at `now` that a flow has ended.
    pub fn hear(&mut self, identified: Box<Identified>, now: Timestamp) {
        self.judge.learn(&identified);
        self.waiting.push_back((now, identified));
    }

    /// Learns what a packet says about who is on its link.
    pub fn meet(&mut self, neighbour: &Neighbour) {
        self.judge.meet(neighbour);
    }

    /// Learns how many packets were lost at an interface so far.
    pub fn capture_lost(&mut self, interface: u32, packets: u64) {
        self.judge.capture_lost(interface, packets);
    }

    /// Learns that so many of them were lost between two moments.
    pub fn capture_dropped(&mut self, interface: u32, times: [Timestamp; 2], packets: u64) {
        self.judge.capture_dropped(interface, times, packets);
    }

    /// Learns when nobody captured.
    pub fn pause(&mut self, pause: Pause) {
        self.judge.pause(pause);
    }

    /// Judges for good the flows that have waited long enough by `now`, where these flows are `live`.
    pub fn settle(&mut self, live: &[Box<Identified>], now: Timestamp, each: &mut dyn FnMut(&Judged)) {
        let is_due = |waiting: &VecDeque<(Timestamp, Box<Identified>)>| {
            waiting.len() > FLOWS_AWAITING || waiting.front().is_some_and(|(heard, _)| now.since(*heard) >= LIVE_AWAITS)
        };
        if is_due(&self.waiting) {
            self.judge.live(live);
        }
        while is_due(&self.waiting)
            && let Some((_, identified)) = self.waiting.pop_front()
        {
            let judged = self.judge.judge(identified);
            self.gatherer.add(&judged);
            each(&judged);
        }
        self.judge.live(&[]);
        self.gatherer.make_room(now - LIVE_FINDING_KEPT);
    }

    /// What there is to say at `now`, where these flows are `live`. `waiting` is shown the flows that have ended and are not judged for good yet.
    pub fn board(&self, live: &[Box<Identified>], now: Timestamp, waiting: &mut dyn FnMut(&Judged)) -> Board {
        let (mut judge, mut gatherer) = (self.judge.clone().telling(Telling::Judgement), self.gatherer.clone());
        live.iter().for_each(|identified| judge.learn(identified));
        judge.until(now);
        for (_, identified) in &self.waiting {
            let judged = judge.judge(identified.clone());
            gatherer.add(&judged);
            waiting(&judged);
        }
        for identified in live.iter().filter(|identified| may_be_ripe(identified, now)) {
            let judged = judge.judge(identified.clone());
            if is_ripe(&judged, now) {
                gatherer.add(&judged);
            }
        }
        Board::of(&judge, gatherer)
    }

    /// Judges all that still wait, in order of their first packets, and says what there is to say at the end.
    pub fn close(self, each: &mut dyn FnMut(&Judged)) -> Board {
        let Self { judge, mut gatherer, waiting } = self;
        let mut waiting: Vec<Box<Identified>> = waiting.into_iter().map(|(_, identified)| identified).collect();
        put_in_order(&mut waiting);
        for identified in waiting {
            let judged = judge.judge(identified);
            gatherer.add(&judged);
            each(&judged);
        }
        Board::of(&judge, gatherer)
    }
}

impl Board {
    fn of(judge: &Judge<'_>, gatherer: Gatherer<'_>) -> Self {
        let (coverage_by_role, covered, dropped) = (gatherer.coverage_by_role(judge), gatherer.covered(), gatherer.dropped());
        let (findings, coverage) = gatherer.finish(judge);
        Self { findings, coverage, coverage_by_role, visibility: judge.visibility(), shown: judge.shown(), covered, dropped }
    }
}

/// Whether the next packet will hardly change what is to be said of a live flow: it is over but for stragglers, it was refused, it has gone on for long, or
/// it has been quiet for as long as an answer takes.
fn may_be_ripe(identified: &Identified, now: Timestamp) -> bool {
    let flow = &identified.flow;
    is_settled(identified, now) || now.since(flow.last) >= ANSWER_BY || is_asked_in_vain(flow, now)
}

/// Whether a client goes on asking, and what it has asked so far was time enough for an answer: some send a SYN every second.
fn is_asked_in_vain(flow: &Flow, now: Timestamp) -> bool {
    let third = flow.tcp.as_ref().and_then(|tcp| tcp.syn_times.get(SURE_SYNS as usize - 1));
    let since = third.map_or(flow.first + REPLY_BY, |(time, _)| *time + ANSWER_BY);
    flow.server.packets == 0 && now >= since
}

/// The same of what was judged: a flow that is only quiet counts where its outcome is sure.
fn is_ripe(judged: &Judged, now: Timestamp) -> bool {
    judged.confidence == Confidence::High || is_settled(&judged.identified, now)
}

fn is_settled(identified: &Identified, now: Timestamp) -> bool {
    let flow = &identified.flow;
    flow.ended != Ended::CaptureEnd || !flow.rejections.is_empty() || now.since(flow.first) >= LIVE_SETTLES
}
