//! What captures show to be missing: openings whose traffic was tried and does not get through.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::capture::FrameId;
use crate::judge::policy::{Opening, Policy};
use crate::judge::{Judged, Outcome, Verdict};
use crate::limit;
use crate::signature::ServiceId;

/// Gathers judged flows, in any order, and tells what of a policy is missing.
#[derive(Debug)]
pub struct Gaps {
    policy: Policy,
    /// By opening, who asked whom, and the port where the opening has several that are not announced: a filter may have been opened for some of them.
    pairs: BTreeMap<(usize, IpAddr, IpAddr, u16), Tried>,
    /// Rows of which no opening was made, by who asked whom at which port.
    ruleless: BTreeMap<(ServiceId, IpAddr, IpAddr, u16), Tried>,
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

/// A row whose traffic does not get through between hosts for which no rule was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleless {
    /// The row.
    pub service: ServiceId,
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
    /// Rows whose traffic does not get through, and for which the site's roles make no rule.
    pub ruleless: Vec<Ruleless>,
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
        Self { policy, pairs: BTreeMap::new(), ruleless: BTreeMap::new(), dropped: 0 }
    }

    /// Enters a flow of a documented row.
    pub fn add(&mut self, judged: &Judged) {
        let flow = &judged.identified.flow;
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        if judged.verdict == Verdict::Unexpected {
            return;
        }
        let is_about = |opening: &Opening| {
            let ports = opening.ports.is_empty() || opening.ports.iter().any(|range| range.contains(server.port));
            opening.whys.iter().any(|why| judged.rows().any(|row| why.service == Some(row)))
                && opening.transport == Some(flow.transport)
                && ports
                && self.policy.holds(&opening.from.zone, client.ip)
                && self.policy.holds(&opening.to.zone, server.ip)
        };
        let full = self.pairs.len() + self.ruleless.len() >= limit::PAIRS_GATHERED;
        let known = match self.policy.openings.iter().position(is_about).and_then(|at| Some((at, self.policy.openings.get(at)?))) {
            Some((at, opening)) => {
                let key = (at, client.ip, server.ip, if opening.follows.is_some() { 0 } else { server.port });
                (!full || self.pairs.contains_key(&key)).then(|| self.pairs.entry(key).or_default())
            }
            None => {
                let Some(row) = judged.rows().next() else { return };
                let key = (row, client.ip, server.ip, server.port);
                (!full || self.ruleless.contains_key(&key)).then(|| self.ruleless.entry(key).or_default())
            }
        };
        match known {
            Some(tried) => tried.add(judged),
            None => self.dropped += 1,
        }
    }

    /// The policy with those of its closings that what is missing needs, and what is missing.
    pub fn finish(mut self) -> (Policy, Found) {
        let mut found = Found { dropped: self.dropped, ..Found::default() };
        for (at, opening) in self.policy.openings.iter().enumerate() {
            let of_opening = self.pairs.range((at, MIN, MIN, 0)..).take_while(|((of, ..), _)| *of == at);
            let pairs: Vec<(Ends, &Tried)> =
                of_opening.map(|((_, client, server, _), tried)| ((*client, *server), tried)).filter(|(_, tried)| !tried.worked).collect();
            let gap = |shown: Shown| Gap {
                opening: opening.clone(),
                pair: shown.pair,
                pairs: shown.pairs,
                flows: shown.flows,
                outcome: shown.outcome,
                frames: shown.frames,
            };
            match shown(&pairs, |tried| tried.blocked) {
                Some(missing) => found.missing.push(gap(missing)),
                None => found.unsure.extend(shown(&pairs, |tried| tried.other).map(gap)),
            }
        }
        let mut rows: BTreeMap<ServiceId, Vec<(Ends, &Tried)>> = BTreeMap::new();
        for ((row, client, server, _), tried) in self.ruleless.iter().filter(|(_, tried)| !tried.worked) {
            rows.entry(*row).or_default().push(((*client, *server), tried));
        }
        for (service, pairs) in rows {
            let without =
                |shown: Shown| Ruleless { service, pair: shown.pair, pairs: shown.pairs, flows: shown.flows, outcome: shown.outcome, frames: shown.frames };
            found.ruleless.extend(shown(&pairs, |tried| tried.blocked).map(without));
        }
        // What is forbidden within a missing opening goes along with it.
        let local = self.policy.local.clone();
        self.policy.closings.retain(|closing| found.missing.iter().any(|gap| closing.meets(&gap.opening, &local)));
        (self.policy, found)
    }
}

impl Tried {
    fn add(&mut self, judged: &Judged) {
        match judged.outcome {
            Outcome::Ok | Outcome::OkDegraded | Outcome::ConnectedNoData | Outcome::OneWayByDesign => self.worked = true,
            // The host itself, or the service on it, was reached.
            Outcome::RefusedByHost | Outcome::AppRefused | Outcome::TlsFailed | Outcome::ServerSilent => self.worked = true,
            Outcome::SilentDrop | Outcome::RejectedByNetwork | Outcome::ReturnPathBroken => {
                self.blocked += 1;
                self.outcome = self.outcome.max(Some(judged.outcome));
                self.frames.extend(judged.cited.iter().copied().take(limit::FRAMES_OF_A_RULE.saturating_sub(self.frames.len())));
            }
            _ => {
                self.other += 1;
                self.outcome = self.outcome.max(Some(judged.outcome));
            }
        }
    }
}

/// Who asked, and who was asked.
type Ends = (IpAddr, IpAddr);

/// What pairs of hosts show together.
struct Shown {
    pair: Ends,
    pairs: usize,
    flows: u64,
    outcome: Outcome,
    frames: Vec<FrameId>,
}

/// Of those pairs that have such flows.
fn shown(pairs: &[(Ends, &Tried)], of: impl Fn(&Tried) -> u64) -> Option<Shown> {
    let having = || pairs.iter().filter(|(_, tried)| of(tried) > 0);
    let (pair, first) = having().next()?;
    let hosts: BTreeSet<Ends> = having().map(|(ends, _)| *ends).collect();
    let flows = having().map(|(_, tried)| of(tried)).sum();
    Some(Shown { pair: *pair, pairs: hosts.len(), flows, outcome: first.outcome?, frames: first.frames.clone() })
}

/// Before every address.
const MIN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
