//! Knowledge that crosses shards: names and announced flows. Written as packets come, read only when a flow is judged, so that the answer does
//! not depend on which shard was ahead.

use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::flow::Parties;
use crate::identify::ledger::Stamp;
use crate::identify::names::Names;
use crate::identify::promise::Promises;
use crate::identify::{Fact, Heard, NameSource, Promise, Resolved};
use crate::net::{Endpoint, Side, Transport, is_group};
use crate::time::Timestamp;

/// Names and promises of all shards.
#[derive(Debug)]
pub struct Books {
    names: Names,
    promises: Promises,
}

impl Default for Books {
    fn default() -> Self {
        Self { names: Names::new(), promises: Promises::new() }
    }
}

impl Books {
    /// Tells the names of `server` as `client` would say them at that moment, newest first: what this client asked for; where it asked for none, what anybody
    /// said; then what the capture file records. Aliases follow the name that was asked for. True only once every shard has passed `at`.
    pub fn names_of(&self, client: IpAddr, server: IpAddr, at: Timestamp, tell: &mut dyn FnMut(Heard<'_>)) {
        self.names.of(client, server, at, tell);
    }

    /// Whether one of the names that [`names_of`](Self::names_of) may give, whoever asks, is such. It costs less than the names do, and is no more than a reason to ask for them.
    pub fn any_name(&self, server: IpAddr, at: Timestamp, is: impl Fn(&str) -> bool) -> bool {
        self.names.any(server, at, is)
    }

    /// The newest promise of a flow from `client` to `server` that holds at that moment. True only once every shard has passed `at`.
    pub fn announced(&self, transport: Transport, client: IpAddr, server: Endpoint, at: Timestamp) -> Option<Promise> {
        self.promises.of(transport, client, server, at)
    }

    /// Enters a name that the capture file itself records (pcapng name resolution block).
    pub fn record_name(&self, address: IpAddr, name: &str) {
        self.names.recorded(address, name);
    }

    /// Gives back room that the stretches of time before `now` may no longer have. To be called with the same moments for any number of shards.
    pub fn settle(&self, now: Timestamp) {
        self.names.settle(now);
        self.promises.settle(now);
    }

    /// Enters a promise.
    #[cfg(test)]
    pub(crate) fn announce(&self, promise: Promise) {
        let made = promise.made;
        let frame = promise.frame;
        self.promises.add(promise, (made, frame, 0));
        self.settle(made);
    }

    /// Names and promises that found no room.
    pub fn lost(&self) -> (u64, u64) {
        (self.names.lost(), self.promises.lost())
    }

    /// Enters what a fact of a flow between `ends` says about others than that flow.
    #[inline]
    pub(super) fn learn(&self, fact: &Fact, ends: &Parties, stamp: Stamp) {
        match fact {
            Fact::Resolved(resolved) => self.resolved(resolved, ends, stamp),
            Fact::Name { of, name, source } => {
                let (host, peer) = if *of == Side::Client { (ends.client.ip, ends.server.ip) } else { (ends.server.ip, ends.client.ip) };
                if is_hosts(host) {
                    self.names.heard(std::iter::once(host), name, *source, is_hosts(peer).then_some(peer), Duration::ZERO, stamp);
                }
            }
            Fact::Promise(promise) => self.promises.add(promise.as_ref().clone(), stamp),
            // Most say nothing of others.
            _ => {}
        }
    }

    fn resolved(&self, resolved: &Resolved, ends: &Parties, stamp: Stamp) {
        let Resolved { name, aliases, addresses, ttl, source, .. } = resolved;
        let addresses = addresses.iter().copied().filter(|ip| is_hosts(*ip));
        // A group hears the answers of multicast DNS and LLMNR: nobody in particular asked.
        let asked = (*source == NameSource::Dns && !is_group(ends.server.ip)).then_some(ends.client.ip);
        // Most have no other.
        if aliases.is_empty() {
            return self.names.heard(addresses, name, *source, asked, *ttl, stamp);
        }
        let names: SmallVec<[&str; 8]> = std::iter::once(name).chain(aliases).map(|name| &**name).collect();
        self.names.heard(addresses, &names.join("\n"), *source, asked, *ttl, stamp);
    }
}

/// Whether a host can have the address: groups have no names, and who has no address yet (DHCP) shares it with everybody else.
fn is_hosts(ip: IpAddr) -> bool {
    !is_group(ip) && !ip.is_unspecified()
}
