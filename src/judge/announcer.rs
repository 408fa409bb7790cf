//! Whether a missing announcement could have been seen. A flow is not called unannounced where its announcement may have passed unseen: before the capture, or
//! where packets are missing.
//!
//! Learned from flows as they end, a while before they are judged.

use std::net::IpAddr;
use std::time::Duration;

use crate::flow::Flow;
use crate::identify::Identified;
use crate::judge::memory::Marked;
use crate::limit;
use crate::time::Timestamp;

/// What was heard of conversations that may announce flows.
#[derive(Clone, Debug)]
pub(super) struct Announcers {
    /// By the two hosts, the lower address first: how such conversations were captured.
    heard: Marked<(IpAddr, IpAddr), Heard>,
    /// Time of the capture's first flow.
    start: Option<Timestamp>,
}

/// All conversations of two hosts that may announce.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// One of them was captured in part only.
    in_part: bool,
    /// One of those is known to announce, by its protocol or its port.
    known: bool,
}

impl Default for Announcers {
    fn default() -> Self {
        Self { heard: Marked::new(limit::PAIRS_REMEMBERED), start: None }
    }
}

impl Announcers {
    /// Enters one flow. Conversations that are not recognised for want of their beginning may announce, too.
    pub(super) fn learn(&mut self, identified: &Identified) {
        let flow = &identified.flow;
        self.start = Some(self.start.map_or(flow.first, |start| start.min(flow.first)));
        let unknown = identified.protocol.is_empty();
        let announces = identified.protocol.iter().any(|name| ANNOUNCING.contains(name)) || unknown && PORTS.contains(&flow.server.endpoint.port);
        let in_part = !is_whole(flow);
        let counts = announces || in_part && unknown && flow.tcp.is_some();
        if counts {
            let heard = self.heard.meet(&hosts(flow));
            heard.in_part |= in_part;
            heard.known |= in_part && announces;
        }
    }

    /// Whether an announcement of the flow by one of its hosts to the other may have passed unseen.
    pub(super) fn may_be_missed(&self, flow: &Flow) -> bool {
        let since_start = self.start.map_or(Duration::ZERO, |start| flow.first.since(start));
        self.heard.get(&hosts(flow)).map_or(since_start < ANNOUNCED_WITHIN, |heard| heard.in_part)
    }

    /// How many pairs of hosts were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.heard.forgotten()
    }

    /// Whether unrecognised bytes on a port that no document has may be what one of the hosts told the other, in a part that was not captured.
    pub(super) fn may_have_led_to(&self, identified: &Identified) -> bool {
        let flow = &identified.flow;
        let anywhere = identified.protocol.is_empty() && flow.server.endpoint.port >= PICKED_FROM;
        anywhere && self.heard.get(&hosts(flow)).is_some_and(|heard| heard.known)
    }
}

/// From its beginning, both ends, without gaps. An attempt that nobody answered announces nothing, so nothing of it is missed.
fn is_whole(flow: &Flow) -> bool {
    let both = flow.client.packets > 0 && flow.server.packets > 0;
    match &flow.tcp {
        Some(tcp) if tcp.syns > 0 && !tcp.established && flow.client.payload_bytes == 0 => true,
        Some(tcp) => both && !tcp.midstream && tcp.missed_bytes == [0, 0],
        None => both,
    }
}

fn hosts(flow: &Flow) -> (IpAddr, IpAddr) {
    let (client, server) = (flow.client.endpoint.ip, flow.server.endpoint.ip);
    (client.min(server), client.max(server))
}

/// Protocols that announce flows between their own two hosts.
const ANNOUNCING: &[&str] = &["ftp", "rtsp", "sip", "tftp"];
/// The ports at which these announce.
const PORTS: &[u16] = &[21, 554, 5060];
/// Ports below are the system's (RFC 6335 section 6); nobody announces one that he picked for himself.
const PICKED_FROM: u16 = 1024;
/// A flow follows its announcement within this time: a client that asked for a port connects at once, and gives up its control connection long before a
/// minute without data.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(10);
