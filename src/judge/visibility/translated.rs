//! Conversations that were captured on both sides of a router that translates addresses, as on itself (`tcpdump -i any`), or by taps of both sides: each side is a flow of its own.
//!
//! Whoever translates addresses leaves the sequence numbers alone that both ends drew, what datagrams hold, and when. So the two sides are told by these and by the end that stays: of the
//! other one they have different addresses, and as one lies behind the other, different times to live.

use std::net::IpAddr;

use crate::flow::{Flow, TcpStory};
use crate::identify::Identified;
use crate::judge::memory::Marked;
use crate::limit::{DUPLICATE_WINDOW, TRANSLATED_PAIRS_REMEMBERED, TRANSLATIONS_AWAITED};
use crate::net::{Endpoint, Side, Transport};
use crate::time::Timestamp;

/// What was learned of such conversations.
#[derive(Clone, Debug)]
pub(super) struct Translations {
    /// Flows of late by what stays the same: the other side of each ends at about the same time.
    late: Marked<(Transport, u64), Option<Leg>>,
    /// The other side of a flow, by the flow's ends and beginning.
    others: Marked<(Endpoint, Endpoint, u64), Option<Box<Leg>>>,
    /// Who opened flows to whom that were captured on the other side of a router as well, on the side of who opened them.
    pairs: Marked<(IpAddr, IpAddr), ()>,
    /// How many conversations were.
    met: u64,
}

/// One side of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    first: Timestamp,
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    ttl: u8,
    /// What the server began with, where it was heard.
    answer: Option<u64>,
    /// Identification of the client's last packet of TCP.
    ident: u16,
    /// SYNs of the client.
    pub(crate) syns: u32,
    /// Resets.
    pub(crate) resets: u32,
}

impl Default for Translations {
    fn default() -> Self {
        let room = TRANSLATED_PAIRS_REMEMBERED;
        Self { late: Marked::new(TRANSLATIONS_AWAITED), others: Marked::new(room), pairs: Marked::new(room), met: 0 }
    }
}

impl Translations {
    /// Enters a flow between single hosts.
    pub(super) fn learn(&mut self, identified: &Identified) {
        let flow = &identified.flow;
        let Some((question, answer)) = self.openings(identified) else { return };
        let tcp = flow.tcp.as_deref();
        let leg = Leg {
            first: flow.first,
            client: flow.client.endpoint,
            server: flow.server.endpoint,
            ttl: flow.client.ttl,
            answer,
            ident: tcp.map_or(0, |tcp| tcp.ident[Side::Client as usize]),
            syns: tcp.map_or(0, |tcp| tcp.syns),
            resets: tcp.map_or(0, |tcp| tcp.resets),
        };
        let known = self.late.meet(&(flow.transport, question));
        let Some(other) = known.replace(leg.clone()).filter(|other| other.is_of_one_with(&leg)) else { return };
        self.met += 1;
        for (one, other) in [(&leg, &other), (&other, &leg)] {
            *self.others.meet(&key(one.client, one.server, one.first)) = Some(Box::new(other.clone()));
            if one.ttl > other.ttl {
                self.pairs.meet(&(one.client.ip, one.server.ip));
            }
        }
    }

    /// The other side of the flow's conversation.
    pub(super) fn other_leg(&self, flow: &Flow) -> Option<&Leg> {
        self.others.get(&key(flow.client.endpoint, flow.server.endpoint, flow.first))?.as_deref()
    }

    /// Whether others of the flow's client to its server were captured on both sides.
    pub(super) fn translates(&self, flow: &Flow) -> bool {
        self.pairs.has(&(flow.client.endpoint.ip, flow.server.endpoint.ip))
    }

    /// How many conversations were captured on both sides.
    pub(super) const fn met(&self) -> u64 {
        self.met
    }

    /// What client and server began with, in numbers that nobody else has by chance; none where nothing was said that tells a conversation from others.
    fn openings(&self, identified: &Identified) -> Option<(u64, Option<u64>)> {
        match (identified.flow.transport, identified.flow.tcp.as_deref()) {
            (Transport::TCP, Some(TcpStory { starts: [Some(client), server], .. })) => Some((u64::from(*client), server.map(u64::from))),
            (Transport::UDP, _) => {
                let [client, server] = &identified.opening;
                let said = |opening: &[u8]| (opening.len() >= TELLING).then(|| self.late.digest(opening));
                Some((said(client)?, said(server)))
            }
            _ => None,
        }
    }
}

impl Leg {
    /// Whether both are sides of one conversation, which began with the same on both.
    fn is_of_one_with(&self, other: &Self) -> bool {
        let apart = self.first.since(other.first).max(other.first.since(self.first));
        let (same_client, same_server) = (self.client == other.client, self.server == other.server);
        let one_end_stays = (same_server && self.client.ip != other.client.ip) || (same_client && self.server.ip != other.server.ip);
        let same_answer = match (self.answer, other.answer) {
            (Some(one), Some(other)) => one == other,
            // Of the client alone: who probes for open ports may begin each time with the same.
            _ => self.ident == other.ident && (self.ident != 0 || self.client.port == other.client.port && same_server),
        };
        apart <= DUPLICATE_WINDOW && one_end_stays && self.ttl != other.ttl && same_answer
    }

    /// Whether the flow, of which this is the other side, is the side whose ends are the ones that talk: nearer the client where the client's address is another one behind the router,
    /// nearer the server where the server's is.
    pub(crate) fn is_behind(&self, flow: &Flow) -> bool {
        if self.server == flow.server.endpoint { self.ttl < flow.client.ttl } else { self.ttl > flow.client.ttl }
    }
}

/// Ends in order, as content may show later who asked.
fn key(one: Endpoint, other: Endpoint, first: Timestamp) -> (Endpoint, Endpoint, u64) {
    let [low, high] = if (one.ip, one.port) <= (other.ip, other.port) { [one, other] } else { [other, one] };
    (low, high, first.nanos().cast_unsigned())
}

/// Bytes of a datagram that are too many to be the same by chance, with the moment and the other end.
const TELLING: usize = 8;
