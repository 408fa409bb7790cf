//! Names that clients stated when they connected: which were served where, and which were cut. Another name at the same address is the control that
//! shows whether a cut is about the name.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::flow::Flow;
use crate::identify::{Fact, Identified, NameSource};
use crate::judge::memory::{Marked, Text};
use crate::limit;
use crate::net::{Endpoint, Side};

/// What was learned of stated names.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Names that were served at an end, the first of them.
    served: Marked<Endpoint, SmallVec<[Box<str>; 2]>>,
    /// Addresses at which a name was cut or lost before any answer, the first of them.
    failed: Marked<Text, SmallVec<[IpAddr; 2]>>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { served: Marked::new(limit::NAMES_REMEMBERED), failed: Marked::new(limit::NAMES_REMEMBERED) }
    }
}

impl Asked {
    /// Enters a flow between single hosts.
    pub(super) fn learn(&mut self, identified: &Identified) {
        let flow = &identified.flow;
        let Some(name) = stated(identified) else { return };
        if flow.server.payload_bytes > 0 {
            let served = self.served.meet(&flow.server.endpoint);
            if served.len() < limit::NAMES_AT_AN_END && !served.iter().any(|known| **known == *name) {
                served.push(name.into());
            }
        } else if flow.client.payload_bytes > 0 && flow.tcp.as_ref().is_some_and(|tcp| tcp.established) {
            let failed = self.failed.meet(&self.failed.text(name));
            if failed.len() < limit::NAMES_AT_AN_END && !failed.contains(&flow.server.endpoint.ip) {
                failed.push(flow.server.endpoint.ip);
            }
        }
    }

    /// Another name that was served where this flow's name never was.
    pub(super) fn control(&self, flow: &Flow, name: &str) -> Option<&str> {
        let served = self.served.get(&flow.server.endpoint)?;
        let was_served = served.iter().any(|known| **known == *name);
        served.first().map(|other| &**other).filter(|_| !was_served)
    }

    /// At how many addresses the name was cut or lost.
    pub(super) fn failures(&self, name: &str) -> usize {
        self.failed.get(&self.failed.text(name)).map_or(0, |addresses| addresses.len())
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.served.forgotten() + self.failed.forgotten()
    }
}

/// The name by which the client asked for the server, in TLS or HTTP.
pub(in crate::judge) fn stated(identified: &Identified) -> Option<&str> {
    identified.facts.iter().find_map(|fact| match fact {
        Fact::Name { of: Side::Server, name, source: NameSource::Sni | NameSource::Host } => Some(&**name),
        _ => None,
    })
}
