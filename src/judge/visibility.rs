//! What other flows show about a flow: whether its answer would have been seen here, whether it works at other times, how its server sends.
//!
//! Nothing is called unanswered where its answer could not have been seen. Every book has a bound; what no longer fits is forgotten, longest unmet first,
//! and counted.

mod asked;
mod manner;
mod namesakes;
mod neighbours;
mod pairs;
mod receivers;
mod stand_ins;
mod stretches;
mod tap;
mod translated;
mod vouchers;

use std::net::IpAddr;
use std::time::Duration;

use crate::capture::Pause;
use crate::flow::{Flow, Neighbour, Rejection, Reset};
use crate::identify::{Fact, Identified, Step};
use crate::judge::threshold::{ANSWER_BY, DATAGRAMS_PAUSE};
use crate::limit::PAUSES_REMEMBERED;
use crate::net::{Endpoint, Mac, Transport, is_group};
use crate::time::Timestamp;

pub(super) use asked::stated;
pub(super) use manner::Foreign;
pub(super) use namesakes::PutOut;
pub(super) use neighbours::Absent;
pub(super) use pairs::Apart;
pub(super) use receivers::Forgotten;
pub(super) use stand_ins::StandIn;
pub(super) use tap::Sight;
pub use tap::{CapturePoint, Visibility};
pub(super) use translated::Leg;
pub(super) use vouchers::{Opener, owner};

use asked::Asked;
use manner::Manners;
use namesakes::Namesakes;
use neighbours::Neighbours;
use pairs::Pairs;
use receivers::Receivers;
use stand_ins::StandIns;
use tap::Tap;
use translated::Translations;
use vouchers::Vouchers;

/// What was learned of all flows.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    tap: Tap,
    pairs: Pairs,
    translations: Translations,
    stand_ins: StandIns,
    manners: Manners,
    asked: Asked,
    namesakes: Namesakes,
    vouchers: Vouchers,
    neighbours: Neighbours,
    receivers: Receivers,
    /// A server was heard that gives addresses: of IPv4, of IPv6.
    leases: [bool; 2],
    /// Time of the first packet of all flows.
    start: Option<Timestamp>,
    /// Time of the last packet of all.
    end: Option<Timestamp>,
    /// When nothing was captured for longer than an answer takes, in order.
    pauses: Vec<Pause>,
}

impl Seen {
    /// Enters one flow. `due`: a document has it between hosts that the site knows, so that whoever opened it does not try at random.
    pub(super) fn learn(&mut self, identified: &Identified, due: bool) {
        let flow = &identified.flow;
        self.start = Some(self.start.map_or(flow.first, |start| start.min(flow.first)));
        self.end = self.end.max(Some(flow.last));
        let answers_group = self.answers_group(identified);
        self.tap.learn(identified, answers_group);
        for (heard, name) in self.leases.iter_mut().zip(["dhcp", "dhcpv6"]) {
            *heard |= identified.protocol.first() == Some(&name) && identified.facts.iter().any(|fact| matches!(fact, Fact::Answer { .. }));
        }
        if !is_group(flow.server.endpoint.ip) {
            self.pairs.learn(identified, due);
            self.manners.learn(flow);
            self.asked.learn(identified);
            self.namesakes.learn(identified);
            self.vouchers.learn(identified);
            self.translations.learn(identified);
            if !answers_group {
                self.stand_ins.learn(identified);
            }
        } else {
            self.pairs.learn_group(flow);
        }
    }

    /// Enters what a packet says about who is on its link.
    pub(super) fn meet(&mut self, neighbour: &Neighbour) {
        self.end = self.end.max(Some(neighbour.time));
        self.neighbours.learn(neighbour);
        self.receivers.learn(neighbour);
    }

    /// Enters when nothing was captured. A short pause keeps nobody's answer away, and rotated files have them all the time.
    pub(super) fn pause(&mut self, pause: Pause) {
        if pause.to.since(pause.from) >= ANSWER_BY {
            if self.pauses.len() >= PAUSES_REMEMBERED {
                self.pauses.drain(..PAUSES_REMEMBERED / 2);
            }
            self.pauses.push(pause);
        }
    }

    /// Time has come to `now`.
    pub(super) fn until(&mut self, now: Timestamp) {
        self.end = self.end.max(Some(now));
    }

    /// Enters how many packets the capture says it lost at an interface.
    pub(super) fn dropped(&mut self, interface: u32, packets: u64) {
        self.tap.dropped(interface, packets);
    }

    /// Enters that so many of them were lost between two moments.
    pub(super) fn dropped_between(&mut self, interface: u32, times: [Timestamp; 2], packets: u64) {
        self.tap.dropped_between(interface, times, packets);
    }

    /// Enters what flows lost that live, for as long as no others are entered.
    pub(super) fn live(&mut self, flows: &[Box<Identified>]) {
        self.tap.live(flows);
    }

    /// Whether an answer of the flow's server to its client would have been seen where the flow was captured.
    pub(super) fn sight(&self, flow: &Flow) -> Sight {
        self.tap.sight(flow, self.neighbours.hides(flow))
    }

    /// Whether hosts are owed an address by a server (DHCP), and none was heard. Of IPv6 a router of the network says so; many networks have no such server, and hosts look for one all the same.
    pub(super) fn lacks_leases(&self, flow: &Flow) -> bool {
        if flow.client.endpoint.ip.is_ipv6() { self.neighbours.is_managed(flow) && !self.leases[1] } else { !self.leases[0] }
    }

    /// When the flow's server was last heard where the flow was captured, in whichever flow.
    pub(super) fn heard(&self, flow: &Flow) -> Option<Timestamp> {
        self.tap.heard(flow)
    }

    /// That the flow's server is not on the link, if it was asked for there in vain.
    pub(super) fn absent(&self, flow: &Flow) -> Option<&Absent> {
        self.neighbours.absent(flow, self.tap.heard(flow), |host| self.tap.reached(host))
    }

    /// Who received the flow's group and was forgotten when the flow stopped, as nobody asked for receivers.
    pub(super) fn forgotten_receiver(&self, flow: &Flow) -> Option<Forgotten> {
        self.receivers.forgotten(flow)
    }

    /// Hosts that were asked for on their link in vain and not heard since, by address.
    pub(super) fn all_absent(&self) -> Vec<&Absent> {
        self.neighbours.all_absent(|host| self.tap.heard_anywhere(host), |host| self.tap.reached(host))
    }

    /// Whether answers came over the very link that the flow's packets take.
    pub(super) fn answers_come_back(&self, flow: &Flow) -> bool {
        self.tap.answers_come_back(flow)
    }

    /// Whether the flow's server said at that time that it is on the link.
    pub(super) fn is_on_link(&self, flow: &Flow) -> bool {
        self.neighbours.is_here(flow)
    }

    /// Whether whoever takes the flow's packets on was seen to say something to who sends them (ARP, Neighbor Discovery): an answer, which comes the same way, would have
    /// been seen.
    pub(super) fn hears_the_link(&self, flow: &Flow) -> bool {
        self.neighbours.hears(flow)
    }

    /// Lost share where and when the flow was captured, parts per thousand.
    pub(super) fn loss(&self, flow: &Flow) -> u64 {
        self.tap.loss(flow)
    }

    /// By whom the flow's client was put out that is let in by the same name, and how often that happened by this name.
    pub(super) fn put_out(&self, identified: &Identified) -> Option<PutOut> {
        self.namesakes.put_out(identified)
    }

    /// Whether that client reached that server and port at least once.
    pub(super) fn worked(&self, client: IpAddr, transport: Transport, server: Endpoint) -> bool {
        self.pairs.worked(client, transport, server)
    }

    /// Whether one of the two asked the other for a tunnel (IKE: UDP 500, or 4500 where addresses are translated) and was answered.
    pub(super) fn agreed(&self, a: IpAddr, b: IpAddr) -> bool {
        let asked = |client, ip| [500, 4500].iter().any(|port| self.worked(client, Transport::UDP, Endpoint { ip, port: *port }));
        asked(a, b) || asked(b, a)
    }

    /// Whether the flow's server said something to its client on this port at least once.
    pub(super) fn talked(&self, flow: &Flow) -> bool {
        self.pairs.talked(flow)
    }

    /// Whether the flow's server said more to its client on this port at least once than belongs to a handshake of TLS.
    pub(super) fn served(&self, flow: &Flow) -> bool {
        self.pairs.served(flow)
    }

    /// The ICMP error that refused others of this client's packets to this server and port at about the same time, where it never answered.
    pub(super) fn refused_alike(&self, flow: &Flow) -> Option<&Rejection> {
        self.pairs.refused(flow)
    }

    /// Whether an ICMP error of which the snap length left too little came to the flow's client meanwhile.
    pub(super) fn meets_unreadable(&self, flow: &Flow) -> bool {
        self.pairs.meets_unreadable(flow)
    }

    /// Flows of this client to this server and port that nothing answered, this one included.
    pub(super) fn unanswered(&self, flow: &Flow) -> u32 {
        self.pairs.unanswered(flow)
    }

    /// For how many flows of this client, and for how long, the server has been silent since it last answered there.
    pub(super) fn silent_since(&self, flow: &Flow) -> Option<(u16, Duration)> {
        self.pairs.silent_since(flow)
    }

    /// A port other than the flow's on which its server answered.
    pub(super) fn other_port(&self, flow: &Flow) -> Option<(Transport, u16)> {
        self.pairs.other_port(flow)
    }

    /// Whether the end answered anybody as a server.
    pub(super) fn has_answered(&self, transport: Transport, end: Endpoint) -> bool {
        self.pairs.has_answered(transport, end)
    }

    /// Whether the end answered as a server, or was opened by two hosts or more.
    pub(super) fn is_server(&self, transport: Transport, end: Endpoint) -> bool {
        self.pairs.is_server(transport, end)
    }

    /// Whether the end met several others in connections whose opening was not seen.
    pub(super) fn meets_many(&self, transport: Transport, end: Endpoint) -> bool {
        self.pairs.meets_many(transport, end)
    }

    /// Whether the flow may have begun before the capture did, or while nothing was captured: a conversation that is silent for longer counts as another.
    pub(super) fn may_be_older(&self, flow: &Flow) -> bool {
        let resumed = self.pauses.partition_point(|pause| pause.to <= flow.first).checked_sub(1).and_then(|last| self.pauses.get(last));
        self.start.is_none_or(|start| flow.first.since(resumed.map_or(start, |pause| pause.to)) <= DATAGRAMS_PAUSE)
    }

    /// Whether that end answered somebody whose packets come from that MAC address.
    pub(super) fn reached_from(&self, link: Mac, transport: Transport, server: Endpoint) -> bool {
        self.pairs.reached_from(link, transport, server)
    }

    /// Whether anybody opened a flow to that end.
    pub(super) fn was_opened(&self, transport: Transport, end: Endpoint) -> bool {
        self.pairs.was_opened(transport, end)
    }

    /// Whether datagrams came to that end, from whomever.
    pub(super) fn was_told(&self, end: Endpoint) -> bool {
        self.pairs.was_told(end)
    }

    /// Whether that server said something to that client on this port of TCP at least once.
    pub(super) fn talked_to(&self, client: IpAddr, server: Endpoint) -> bool {
        self.pairs.talked_to(client, server)
    }

    /// Whether what comes from the server alone answers a question to a group. Who has no address yet asks all hosts, and is answered at the address that it is about to
    /// get (RFC 2131 section 4.1); who looks for a neighbour asks a group made of its address (RFC 4861 section 4.3).
    pub(super) fn answers_group(&self, identified: &Identified) -> bool {
        let flow = &identified.flow;
        let told = flow.client.packets == 0 && flow.server.packets > 0;
        told && match flow.transport {
            Transport::UDP => self.pairs.asked_group(flow) || identified.protocol.first() == Some(&"dhcp"),
            Transport::ICMP6 => flow.client.endpoint.port == NEIGHBOR_SOLICITATION,
            _ => false,
        }
    }

    /// What came to that end as a flow of its own, which may answer what it asked of another port.
    pub(super) fn answered_apart(&self, end: Endpoint) -> Apart {
        self.pairs.answered_apart(end)
    }

    /// Whether the client reached anybody in a flow that it opened.
    pub(super) fn reaches_anybody(&self, client: IpAddr) -> bool {
        self.pairs.reaches_anybody(client)
    }

    /// Whether somebody outside who is no resolver answered the client.
    pub(super) fn reaches_outside(&self, client: IpAddr) -> bool {
        self.pairs.reaches_outside(client)
    }

    /// Whether the path of the client's connections loses so much that it loses an answer now and then.
    pub(super) fn loses_much(&self, client: IpAddr) -> bool {
        self.pairs.loses_much(client)
    }

    /// The highest time to live with which packets from one host to the other were captured that came on both sides of a router; none where none were.
    pub(super) fn crosses(&self, from: IpAddr, to: IpAddr) -> Option<u8> {
        self.pairs.crosses(from, to)
    }

    /// The same conversation as it was captured on the other side of a router that translates addresses.
    pub(super) fn other_leg(&self, flow: &Flow) -> Option<&Leg> {
        self.translations.other_leg(flow)
    }

    /// Whether other conversations of the flow's client with its server were captured on both sides of such a router.
    pub(super) fn translates(&self, flow: &Flow) -> bool {
        self.translations.translates(flow)
    }

    /// Who answered what the flow asks in vain, from another address.
    pub(super) fn stand_in(&self, identified: &Identified) -> Option<StandIn> {
        self.stand_ins.stand_in(identified)
    }

    /// Whom the client had asked that is answered in the flow by somebody else.
    pub(super) fn asked_instead(&self, identified: &Identified) -> Option<Endpoint> {
        self.stand_ins.asked_instead(identified)
    }

    /// Whether the source tried many targets and hardly any answered.
    pub(super) fn scans(&self, source: IpAddr) -> bool {
        self.pairs.scans(source)
    }

    /// How the reset differs from what its host sends otherwise. `waited`: from the packet that it answers.
    pub(super) fn foreign(&self, flow: &Flow, reset: &Reset, waited: Option<Duration>) -> Foreign {
        self.manners.foreign(flow, reset, waited)
    }

    /// How far the SYN-ACK's time to live lies from what the host sends where it talks; none where it was never heard talking.
    pub(super) fn syn_ack_off(&self, flow: &Flow) -> Option<u8> {
        self.manners.syn_ack_off(flow)
    }

    /// Another name that was served where this flow's name never was.
    pub(super) fn control(&self, flow: &Flow, name: &str) -> Option<&str> {
        self.asked.control(flow, name)
    }

    /// At how many addresses the name was cut or lost.
    pub(super) fn failures(&self, name: &str) -> usize {
        self.asked.failures(name)
    }

    /// Who opened this flow's TLS, if its certificate shows that.
    pub(super) fn opener<'a>(&self, identified: &'a Identified) -> Option<Opener<'a>> {
        self.vouchers.opener(identified)
    }

    /// Until when more would have been seen after `time`: the next pause, or the last packet of the capture.
    pub(super) fn end_after(&self, time: Timestamp) -> Timestamp {
        let next = self.pauses.get(self.pauses.partition_point(|pause| pause.from < time));
        next.map_or(self.end.unwrap_or_default(), |pause| pause.from)
    }

    /// For the report.
    pub(super) fn summary(&self) -> Visibility {
        let mut summary = self.tap.summary();
        summary.forgotten += self.pairs.forgotten() + self.manners.forgotten() + self.asked.forgotten() + self.vouchers.forgotten();
        summary.forgotten += self.neighbours.forgotten() + self.receivers.dropped() + self.namesakes.forgotten() + self.stand_ins.forgotten();
        summary.translated = self.translations.met();
        summary
    }
}

/// Whether the server took part: a SYN-ACK, or any packet that is no reset. A refusal is an answer of the path, not of the service.
pub(super) fn took_part(flow: &Flow) -> bool {
    match &flow.tcp {
        Some(tcp) => tcp.syn_acks > 0 || flow.server.payload_bytes > 0 || (tcp.midstream && flow.server.packets > u64::from(tcp.resets)),
        None => flow.server.packets > 0,
    }
}

/// Whether the client sent content otherwise than on its SYNs, where a client that knows the server may put its request (RFC 7413): nobody needs an answer for those.
pub(super) fn sent_content(flow: &Flow) -> bool {
    let syns = flow.tcp.as_ref().map_or(0, |tcp| u64::from(tcp.syns));
    flow.client.payload_bytes > 0 && flow.client.packets > syns
}

/// Whether the client went on although no answer was captured: it acknowledged or sent data after its SYN, or gave a cookie back. Only an answer makes it
/// do so.
pub(super) fn went_on_unanswered(identified: &Identified) -> bool {
    let flow = &identified.flow;
    if flow.client.packets == 0 || flow.server.packets > 0 {
        return false;
    }
    // Letters A and D are an acknowledgment and data of the client's own; data on a SYN (RFC 7413) is neither.
    match &flow.tcp {
        Some(tcp) => tcp.syns > 0 && (flow.history.has('A') || flow.history.has('D')),
        None => identified.facts.contains(&Fact::Reached(Step::CookieReturned)),
    }
}

/// Type of ICMPv6 (RFC 4861 section 4.3), which stands for a port.
const NEIGHBOR_SOLICITATION: u16 = 135;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_capture_that_pauses_between_any_two_packets_the_last_pauses_are_remembered() {
        let at = |minute: usize| Timestamp::from_parts(60 * minute as i64, 0);
        let mut seen = Seen::default();
        let many = 5 * PAUSES_REMEMBERED;
        for minute in 1..=many {
            seen.pause(Pause { from: at(minute - 1), to: at(minute) });
            assert!(seen.pauses.len() <= PAUSES_REMEMBERED);
        }
        for minute in many - PAUSES_REMEMBERED / 2..many {
            assert_eq!(seen.end_after(at(minute)), at(minute));
        }
    }
}
