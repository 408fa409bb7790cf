//! Answers that come from another address than the one that was asked: past whoever translated the address of the question, as where a server stands in its client's own
//! network, or from another address of a host that has several. Nobody who asks takes them.
//!
//! Both are flows of their own. A SYN-ACK tells by the number that it acknowledges which SYN it answers; a datagram by the port to which it comes, that from which it comes,
//! its protocol and the time.

use crate::flow::{Flow, TcpStory};
use crate::identify::Identified;
use crate::judge::memory::Marked;
use crate::judge::threshold::ANSWER_BY;
use crate::limit::{CLOCKS_APART, REFUSALS_REMEMBERED};
use crate::net::{Endpoint, Side, Transport};
use crate::time::Timestamp;

/// What was learned of such answers, by who asked, and what its question and the answer have in common.
#[derive(Clone, Debug)]
pub(super) struct StandIns {
    met: Marked<(Transport, Endpoint, u64), Option<Box<Met>>>,
}

/// Questions that nobody answered, and answers to what was not asked.
#[derive(Clone, Debug, Default)]
struct Met {
    asked: Option<Part>,
    answered: Option<Part>,
    /// Several of one kind: which belong together is not known.
    is_mixed: bool,
}

/// One of the two.
#[derive(Clone, Copy, Debug)]
struct Part {
    server: Endpoint,
    protocol: Option<&'static str>,
    first: Timestamp,
    last: Timestamp,
    /// The client said by ICMP that it does not take it.
    is_refused: bool,
}

/// An answer in the place of the one who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::judge) struct StandIn {
    /// Who answered.
    pub(in crate::judge) by: Endpoint,
    /// Who asked said that it does not take it.
    pub(in crate::judge) is_refused: bool,
}

impl Default for StandIns {
    fn default() -> Self {
        Self { met: Marked::new(REFUSALS_REMEMBERED) }
    }
}

impl StandIns {
    /// Enters a flow between single hosts.
    pub(super) fn learn(&mut self, identified: &Identified) {
        let Some((key, is_answer)) = key(&identified.flow) else { return };
        let part = Part::of(identified);
        let met = self.met.meet(&key).get_or_insert_default();
        let known = if is_answer { &mut met.answered } else { &mut met.asked };
        match known {
            Some(known) if known.server == part.server => known.meet(&part),
            Some(_) => met.is_mixed = true,
            None => *known = Some(part),
        }
    }

    /// Who answered what the flow asks in vain, from another address.
    pub(super) fn stand_in(&self, identified: &Identified) -> Option<StandIn> {
        let (asked, answered) = self.both(identified, false)?;
        (answered.server.ip != asked.server.ip).then_some(StandIn { by: answered.server, is_refused: answered.is_refused })
    }

    /// Whom the client had asked that is answered in the flow by somebody else.
    pub(super) fn asked_instead(&self, identified: &Identified) -> Option<Endpoint> {
        let (asked, answered) = self.both(identified, true)?;
        (answered.server.ip != asked.server.ip).then_some(asked.server)
    }

    fn both(&self, identified: &Identified, is_answer: bool) -> Option<(Part, Part)> {
        let (key, _) = key(&identified.flow).filter(|(_, answers)| *answers == is_answer)?;
        let met = self.met.get(&key)?.as_deref().filter(|met| !met.is_mixed)?;
        let (asked, answered) = (met.asked?, met.answered?);
        (identified.flow.transport == Transport::TCP || answered.fits(&asked)).then_some((asked, answered))
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.met.forgotten()
    }
}

impl Part {
    fn of(identified: &Identified) -> Self {
        let flow = &identified.flow;
        let is_refused = flow.rejections.iter().any(|rejection| rejection.to == Side::Server);
        Self { server: flow.server.endpoint, protocol: identified.protocol.first().copied(), first: flow.first, last: flow.last, is_refused }
    }

    fn meet(&mut self, other: &Self) {
        (self.first, self.last, self.is_refused) = (self.first.min(other.first), self.last.max(other.last), self.is_refused || other.is_refused);
    }

    /// Whether an answer by datagrams is one to that question.
    fn fits(&self, asked: &Self) -> bool {
        let in_time = asked.first.since(self.first) <= CLOCKS_APART && self.first.since(asked.last) <= ANSWER_BY;
        self.protocol.is_some() && self.protocol == asked.protocol && in_time
    }
}

/// What question and answer have in common, and whether the flow is an answer to what was not asked; none of a flow in which both were heard.
fn key(flow: &Flow) -> Option<((Transport, Endpoint, u64), bool)> {
    let (client, server) = (flow.client.endpoint, flow.server.endpoint);
    let (common, is_answer) = match flow.tcp.as_deref() {
        Some(tcp) => (u64::from(tcp.starts[Side::Client as usize]?), is_unasked(tcp)?),
        // Who asks from the port that is asked mostly asks a group, too, or serves itself.
        None if flow.transport != Transport::UDP || client.port == server.port => return None,
        None if flow.client.packets == 0 && flow.server.packets > 0 => (server.port.into(), true),
        None if flow.server.packets == 0 && flow.client.packets > 0 => (server.port.into(), false),
        None => return None,
    };
    Some(((flow.transport, client, common), is_answer))
}

/// Whether SYN-ACKs came to who had sent no SYN, or to who resets them, as where the SYN was captured behind the translation, too; none where there is neither a question without
/// an answer nor an answer without a question.
fn is_unasked(tcp: &TcpStory) -> Option<bool> {
    let resets = tcp.reset.as_deref().is_some_and(|reset| reset.from == Side::Client);
    match (tcp.syns, tcp.syn_acks, tcp.established || tcp.midstream) {
        (0, 1.., false) => Some(true),
        (_, 1.., false) if resets => Some(true),
        (2.., 0, false) => Some(false),
        _ => None,
    }
}
