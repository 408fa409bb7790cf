//! What captures show to be missing: openings whose traffic was tried and does not get through.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::capture::FrameId;
use crate::judge::policy::{Opening, Policy};
use crate::judge::{Judged, Outcome, Verdict};
use crate::limit;

/// Gathers judged flows, in any order, and tells what of a policy is missing.
#[derive(Debug)]
pub struct Gaps {
    policy: Policy,
    pairs: BTreeMap<(usize, IpAddr, IpAddr), Tried>,
    /// Pairs that found no room.
    dropped: u64,
}

/// What captures show of an opening whose traffic was tried and is not shown to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What should pass.
    pub opening: Opening,
    /// The first pair of hosts of which it shows: who asked, and who was asked.
    pub pair: (IpAddr, IpAddr),
    /// How many pairs of hosts there are.
    pub pairs: usize,
    /// How many flows, of all pairs.
    pub flows: u64,
    /// What became of the first pair's.
    pub outcome: Outcome,
    /// Frames that show it, at most [`limit::FRAMES_OF_A_RULE`].
    pub frames: Vec<FrameId>,
}

/// What captures show of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Openings whose traffic does not get through, in the policy's order.
    pub missing: Vec<Gap>,
    /// Openings whose traffic was tried, and of which the captures show neither that it passes nor that it does not.
    pub unsure: Vec<Gap>,
    /// Flows that found no room.
    pub dropped: u64,
}

/// What became of one opening's flows between two hosts.
#[derive(Clone, Debug, Default)]
struct Tried {
    worked: bool,
    blocked: u64,
    other: u64,
    outcome: Option<Outcome>,
    frames: Vec<FrameId>,
}

impl Gaps {
    /// Nothing seen yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, pairs: BTreeMap::new(), dropped: 0 }
    }

    /// Enters a flow of a documented row.
    pub fn add(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let Some(service) = judged.service.filter(|_| judged.verdict != Verdict::Unexpected) else { return };
        let is_about = |opening: &Opening| {
            let ports = opening.ports.is_empty() || opening.ports.iter().any(|range| range.contains(server.port));
            opening.whys.iter().any(|why| why.service == Some(service))
                && opening.transport == Some(flow.transport)
                && ports
                && self.policy.holds(&opening.from.zone, client.ip)
                && self.policy.holds(&opening.to.zone, server.ip)
        };
        let Some(at) = self.policy.openings.iter().position(is_about) else { return };
        let key = (at, client.ip, server.ip);
        if self.pairs.len() >= limit::PAIRS_GATHERED && !self.pairs.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let tried = self.pairs.entry(key).or_default();
        match judged.outcome {
            Outcome::Ok | Outcome::OkDegraded | Outcome::ConnectedNoData | Outcome::OneWayByDesign => tried.worked = true,
            // The host itself, or the service on it, was reached.
            Outcome::RefusedByHost | Outcome::AppRefused | Outcome::TlsFailed | Outcome::ServerSilent => tried.worked = true,
            Outcome::SilentDrop | Outcome::RejectedByNetwork | Outcome::ReturnPathBroken => {
                tried.blocked += 1;
                tried.outcome = tried.outcome.max(Some(judged.outcome));
                tried.frames.extend(judged.cited.iter().copied().take(limit::FRAMES_OF_A_RULE.saturating_sub(tried.frames.len())));
            }
            _ => {
                tried.other += 1;
                tried.outcome = tried.outcome.max(Some(judged.outcome));
            }
        }
    }

    /// The policy with those of its closings that what is missing needs, and what is missing.
    pub fn finish(mut self) -> (Policy, Found) {
        let mut found = Found { dropped: self.dropped, ..Found::default() };
        for (at, opening) in self.policy.openings.iter().enumerate() {
            let pairs: Vec<_> = self.pairs.range((at, MIN, MIN)..).take_while(|((of, ..), _)| *of == at).filter(|(_, tried)| !tried.worked).collect();
            let gap = |pairs: &[(&(usize, IpAddr, IpAddr), &Tried)], flows: u64| {
                let ((_, client, server), first) = pairs.first()?;
                let (pair, outcome, frames) = ((*client, *server), first.outcome?, first.frames.clone());
                Some(Gap { opening: opening.clone(), pair, pairs: pairs.len(), flows, outcome, frames })
            };
            let blocked: Vec<_> = pairs.iter().copied().filter(|(_, tried)| tried.blocked > 0).collect();
            match gap(&blocked, blocked.iter().map(|(_, tried)| tried.blocked).sum()) {
                Some(missing) => found.missing.push(missing),
                None => found.unsure.extend(gap(&pairs, pairs.iter().map(|(_, tried)| tried.other).sum())),
            }
        }
        // What is forbidden within a missing opening goes along with it.
        let local = self.policy.local.clone();
        self.policy.closings.retain(|closing| found.missing.iter().any(|gap| closing.meets(&gap.opening, &local)));
        (self.policy, found)
    }
}

/// Before every address.
const MIN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
