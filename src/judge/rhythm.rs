//! Clients that come back in a fixed period. A port whose protocol is not known cannot tell a service; a heartbeat can.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::identify::Identified;
use crate::limit;
use crate::net::{Endpoint, Transport};
use crate::signature::{PortRange, RuleEffect, Signatures};
use crate::time::Timestamp;

/// When clients came, at the ports of which a document tells the period.
#[derive(Clone, Debug, Default)]
pub(super) struct Rhythms {
    watched: Vec<(Transport, PortRange)>,
    came: HashMap<(IpAddr, Transport, Endpoint), BTreeSet<Timestamp>, RandomState>,
}

impl Rhythms {
    pub(super) fn new(signatures: &Signatures) -> Self {
        let rules = signatures.rules.iter().filter(|rule| rule.effect == RuleEffect::Period);
        let rows = rules.flat_map(|rule| &rule.services).map(|id| signatures.service(*id));
        let places = rows.flat_map(|row| row.transports.iter().flat_map(|transport| row.ports.iter().map(|range| (*transport, *range))));
        Self { watched: places.collect(), ..Self::default() }
    }

    /// Enters a flow.
    pub(super) fn learn(&mut self, identified: &Identified) {
        let flow = &identified.flow;
        if !self.watches(flow.transport, flow.server.endpoint) {
            return;
        }
        let key = (flow.client.endpoint.ip, flow.transport, flow.server.endpoint);
        if self.came.len() >= limit::HOSTS_REMEMBERED && !self.came.contains_key(&key) {
            return;
        }
        let times = self.came.entry(key).or_default();
        times.insert(flow.first);
        if times.len() > limit::MEETINGS_TIMED {
            times.pop_last();
        }
    }

    /// The period in which a client comes to a server, in seconds; none where it came too seldom or not evenly.
    pub(super) fn period(&self, client: IpAddr, transport: Transport, server: Endpoint) -> Option<u64> {
        if !self.watches(transport, server) {
            return None;
        }
        let times: Vec<&Timestamp> = self.came.get(&(client, transport, server)).filter(|times| times.len() >= BEATS)?.iter().collect();
        let mut gaps: Vec<u64> = times.windows(2).map(|pair| pair[1].since(*pair[0]).as_secs()).collect();
        gaps.sort_unstable();
        let middle = gaps.get(gaps.len() / 2).copied()?;
        let even = |gap: &u64| gap.abs_diff(middle) * UNEVEN <= middle.max(UNEVEN);
        gaps.iter().all(even).then_some(middle)
    }

    fn watches(&self, transport: Transport, server: Endpoint) -> bool {
        self.watched.iter().any(|(of, range)| *of == transport && range.contains(server.port))
    }
}

/// Fewer times show no rhythm.
const BEATS: usize = 5;
/// A gap may differ from the middle one by this part of it: timers drift, connections take their time.
const UNEVEN: u64 = 5;
