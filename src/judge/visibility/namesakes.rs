//! Clients that are let in by a name of which there is one at a time (MQTT's client identifier): two of one name put each other out.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::flow::Flow;
use crate::identify::{Fact, Identified};
use crate::judge::memory::{Marked, Text};
use crate::judge::threshold::{AGAIN, ANSWER_BY};
use crate::limit;
use crate::net::Endpoint;
use crate::time::Timestamp;

/// A client that was put out by another one of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::judge) struct PutOut {
    /// The other one.
    pub(in crate::judge) by: IpAddr,
    /// How often that happened by this name, as far as it is remembered.
    pub(in crate::judge) times: u32,
}

/// A connection by a name.
#[derive(Clone, Copy, Debug)]
struct Stay {
    began: Timestamp,
    ended: Timestamp,
    client: IpAddr,
    /// The server closed it, and the client was still there.
    sent_away: bool,
}

/// What was learned.
#[derive(Clone, Debug)]
pub(super) struct Namesakes {
    /// By server and name, the latest of them.
    stays: Marked<(Endpoint, Text), SmallVec<[Stay; 1]>>,
}

impl Stay {
    fn of(flow: &Flow) -> Self {
        Self { began: flow.first, ended: flow.last, client: flow.client.endpoint.ip, sent_away: is_sent_away(flow) }
    }
}

impl Default for Namesakes {
    fn default() -> Self {
        Self { stays: Marked::new(limit::NAMESAKES_REMEMBERED) }
    }
}

impl Namesakes {
    /// Enters a flow between single hosts: of most clients, whom nobody sends away, nothing is kept.
    pub(super) fn learn(&mut self, identified: &Identified) {
        let flow = &identified.flow;
        let Some(name) = name(identified).filter(|_| flow.server.payload_bytes > 0) else { return };
        let (key, stay) = ((flow.server.endpoint, self.stays.text(name)), Stay::of(flow));
        let known = self.stays.get(&key);
        if !stay.sent_away && !known.is_some_and(|stays| stays.iter().any(|other| comes_for(&stay, other))) {
            return;
        }
        let stays = self.stays.meet(&key);
        if stays.len() >= limit::STAYS_REMEMBERED {
            stays.remove(0);
        }
        stays.push(stay);
    }

    /// Who put the flow's client out. Once may be a client that comes by another way, as by a cable, and leaves its old one to the server.
    pub(super) fn put_out(&self, identified: &Identified) -> Option<PutOut> {
        let flow = &identified.flow;
        let stays = self.stays.get(&(flow.server.endpoint, self.stays.text(name(identified)?)))?;
        let by = |stay: &Stay| stays.iter().find(|other| comes_for(other, stay)).map(|other| other.client);
        let own = stays.iter().find(|stay| (stay.began, stay.ended, stay.client) == (flow.first, flow.last, flow.client.endpoint.ip))?;
        let times = stays.iter().filter(|stay| by(stay).is_some()).count();
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        by(own).filter(|_| times >= AGAIN).map(|by| PutOut { by, times })
    }

    /// How many names were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.stays.forgotten()
    }
}

/// Whether one began just before the other one was sent away.
fn comes_for(other: &Stay, stay: &Stay) -> bool {
    stay.sent_away && other.began > stay.began && other.began <= stay.ended && stay.ended.since(other.began) <= ANSWER_BY
}

/// Whether the server closed first, and the client closed upon that.
fn is_sent_away(flow: &Flow) -> bool {
    let letters = flow.history.as_str();
    letters.find('f').zip(letters.find('F')).is_some_and(|(server, client)| server < client)
}

fn name(identified: &Identified) -> Option<&str> {
    identified.facts.iter().find_map(|fact| if let Fact::Session(name) = fact { Some(&**name) } else { None })
}
