//! What captures show of a site: its networks, hosts with the roles that they show, services that are on or moved, and what no document knows.
//!
//! It becomes a draft of a site file. What is sure enough to be judged by is told apart from what is a hint and no more.

mod gather;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::capture::FrameId;
use crate::judge::{Confidence, Shown};
use crate::net::{Mac, Transport};
use crate::signature::{RoleId, ServiceId};

pub use gather::Learner;

/// What captures show of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Networks in which hosts inside were heard, in order.
    pub networks: Vec<Seen>,
    /// Hosts that show the same of themselves, in order.
    pub groups: Vec<Group>,
    /// Documented protocols on other ports than the document's, in order.
    pub moved: Vec<Moving>,
    /// What no document knows at a host with a role, in order; at most [`limit::LEARNED_ENTRIES`](crate::limit::LEARNED_ENTRIES).
    pub unknown: Vec<Stranger>,
    /// Hosts that ask many others in vain, and how many flows of theirs were taken for noise.
    pub noise: Vec<(IpAddr, u64)>,
    /// Vendors of whose products there are hosts.
    pub vendors: BTreeSet<String>,
    /// Addresses outside that took part.
    pub outside: usize,
    /// Between the first and the last packet of any flow.
    pub lasted: Duration,
    /// What found no room: hosts, and kinds of flows that no document knows.
    pub dropped: u64,
}

/// A network, and who was heard there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The network: a guess, as packets do not tell where networks end.
    pub network: IpNet,
    /// Hosts heard in it.
    pub hosts: BTreeSet<IpAddr>,
    /// They were heard on one link, each with a hardware address of its own.
    pub on_one_link: bool,
}

/// Hosts that show the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their roles, in the order of the documents.
    pub roles: Vec<RoleId>,
    /// Sure enough to be judged by; else a hint.
    pub sure: bool,
    /// The hosts, each with all that shows it.
    pub hosts: BTreeMap<IpAddr, Host>,
    /// Version of the product, as they tell it.
    pub version: Option<String>,
    /// Rows that are off unless switched on, and that they serve.
    pub on: BTreeSet<ServiceId>,
    /// Whether they ask for their addresses.
    pub asks_for_addresses: bool,
}

/// One host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// What it shows of itself, strongest first.
    pub shown: Vec<Shown>,
    /// Roles that the operator gave already.
    pub given: BTreeSet<RoleId>,
    /// Documented rows that it answered on, by the role that serves them, with the first frame of each.
    pub serves: BTreeMap<RoleId, BTreeMap<ServiceId, FrameId>>,
    /// Hardware addresses of what it sent itself, if no other host has them.
    pub macs: BTreeSet<Mac>,
    /// Where it asked for an address.
    pub asked: Option<FrameId>,
    /// Rows that are off unless switched on, where each was first served.
    pub on: BTreeMap<ServiceId, FrameId>,
}

/// A documented protocol on another port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moving {
    /// The row whose protocol it is.
    pub service: ServiceId,
    /// The server.
    pub server: IpAddr,
    /// Where it is spoken.
    pub place: (Transport, u16),
    /// What was recognised.
    pub protocol: String,
    /// Where it was first seen.
    pub frame: FrameId,
}

/// What no document knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Transport and port of the server.
    pub place: (Transport, u16),
    /// What was recognised, outermost first.
    pub protocol: Vec<&'static str>,
    /// Who asks, at most [`limit::HOSTS_OF_A_FINDING`](crate::limit::HOSTS_OF_A_FINDING).
    pub clients: BTreeSet<IpAddr>,
    /// Who is asked, likewise.
    pub servers: BTreeSet<IpAddr>,
    /// How many flows.
    pub flows: u64,
    /// Where it was first seen.
    pub frame: FrameId,
    /// The reasons that speak against it.
    pub reasons: BTreeSet<crate::judge::Reason>,
}

impl Group {
    /// How sure the roles are: the best that any host shows for the first of them.
    pub fn confidence(&self) -> Confidence {
        self.hosts.values().filter_map(|host| host.shown.iter().map(|shown| shown.confidence).max()).max().unwrap_or(Confidence::Low)
    }
}
