//! First packets of flows (SYNs, requests) that were captured on both sides of a router. Where others of the same two hosts were seen on both sides, one
//! that was seen on one side only did not pass the router.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::decode::{Content, Header, Packet, TcpFlags};
use crate::flow::Parties;
use crate::limit::CROSSINGS_REMEMBERED;
use crate::net::Endpoint;

/// Routed copies of SYNs, SYN-ACKs and resets of live connections, by sender and receiver.
#[derive(Debug, Default)]
pub(super) struct Crossings {
    copies: HashMap<(Endpoint, Endpoint), u8, RandomState>,
    /// Some found no room: from now on nothing can be said of those that are missing.
    is_full: bool,
}

impl Crossings {
    /// A copy from the other side of a router.
    pub fn note(&mut self, packet: &Packet<'_>) {
        let Content::Ip(ip, Header::Tcp(tcp)) = &packet.content else { return };
        if !tcp.flags.has(TcpFlags::SYN) && !tcp.flags.has(TcpFlags::RST) {
            return;
        }
        let ends = (Endpoint { ip: ip.source, port: tcp.source }, Endpoint { ip: ip.destination, port: tcp.destination });
        if self.copies.len() >= CROSSINGS_REMEMBERED && !self.copies.contains_key(&ends) {
            self.is_full = true;
            return;
        }
        let copies = self.copies.entry(ends).or_default();
        *copies = copies.saturating_add(1);
    }

    /// How many there were of client and of server; none where that is not known.
    pub fn of(&self, parties: &Parties) -> Option<[u8; 2]> {
        let Parties { client, server, .. } = *parties;
        let copies = |from, to| self.copies.get(&(from, to)).copied().unwrap_or_default();
        (!self.is_full).then(|| [copies(client, server), copies(server, client)])
    }

    /// The connection is over.
    pub fn forget(&mut self, parties: &Parties) {
        let Parties { client, server, .. } = *parties;
        if !self.copies.is_empty() {
            self.copies.remove(&(client, server));
            self.copies.remove(&(server, client));
        }
    }
}
