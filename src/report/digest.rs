//! All flows together: what a report says about them once they have passed by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::count::Tally;
use crate::judge::{Judged, Outcome, Reason, Stated, Verdict};
use crate::limit;
use crate::signature::ServiceId;

/// Counts of judged flows.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    /// Flows in all.
    pub flows: u64,
    /// By verdict.
    pub verdicts: Tally<Verdict>,
    /// By outcome.
    pub outcomes: Tally<Outcome>,
    /// Why flows were left undecided.
    pub undecided: Tally<Vec<Reason>>,
    /// Flows that the site file ignores.
    pub ignored: u64,
    /// Flows of documented services, by what was said of them.
    pub services: BTreeMap<(ServiceId, Verdict, Outcome), Together>,
}

/// Flows of a service that ended alike.
#[derive(Clone, Debug, Default)]
pub struct Together {
    /// How many.
    pub flows: u64,
    /// Different clients.
    pub clients: Distinct,
    /// Different servers.
    pub servers: Distinct,
}

/// How many different addresses there were, exact up to [`limit::ADDRESSES_TOLD_APART`].
#[derive(Clone, Debug, Default)]
pub struct Distinct {
    known: BTreeSet<IpAddr>,
    more: bool,
}

impl Digest {
    /// Counts a flow.
    pub fn add(&mut self, judged: &Judged) {
        self.flows += 1;
        self.verdicts.one(judged.verdict);
        self.ignored += u64::from(matches!(judged.stance, Some(Stated::Ignored(_))));
        self.outcomes.one(judged.outcome);
        if judged.verdict == Verdict::Undecided {
            self.undecided.one_of(&judged.reasons);
        }
        if let Some(service) = judged.service {
            let together = self.services.entry((service, judged.verdict, judged.outcome)).or_default();
            let flow = &judged.identified.flow;
            together.flows += 1;
            together.clients.add(flow.client.endpoint.ip);
            together.servers.add(flow.server.endpoint.ip);
        }
    }
}

impl Digest {
    /// Gives rows the numbers that they have in other documents; what these do not have is no more told by row.
    pub fn renumber(&mut self, number: impl Fn(ServiceId) -> Option<ServiceId>) {
        let services = std::mem::take(&mut self.services);
        self.services = services.into_iter().filter_map(|((id, verdict, outcome), together)| Some(((number(id)?, verdict, outcome), together))).collect();
    }
}

impl Distinct {
    fn add(&mut self, address: IpAddr) {
        if self.known.len() < limit::ADDRESSES_TOLD_APART || self.known.contains(&address) {
            self.known.insert(address);
        } else {
            self.more = true;
        }
    }

    /// The number, and whether there were more.
    pub fn count(&self) -> (usize, bool) {
        (self.known.len(), self.more)
    }
}
