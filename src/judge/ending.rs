//! How a flow went, in the words the decision table asks for: counted once, so that the table reads like the document it mirrors.

use std::net::IpAddr;
use std::time::Duration;

use crate::capture::FrameId;
use crate::flow::{Ended, Flow, Rejection, Reset, TcpStory};
use crate::identify::{AnswerKind, Fact, Identified};
use crate::judge::resolver::Denied;
use crate::judge::visibility::{Seen, Sight, took_part, went_on_unanswered};
use crate::net::{Side, Transport, is_group};
use crate::signature::Service;

/// One flow's story as the table asks for it.
#[derive(Debug)]
pub(super) struct Ending<'a> {
    pub(super) identified: &'a Identified,
    pub(super) flow: &'a Flow,
    pub(super) tcp: Option<&'a TcpStory>,
    /// Whether an answer would have been seen.
    pub(super) sight: Sight,
    /// The server took part.
    pub(super) answered: bool,
    /// The client went on as if answered though no answer was captured.
    pub(super) went_on: bool,
    /// SYNs that were sent again only after the time that shows that no answer came, the first included.
    pub(super) tries: u32,
    /// Requests of a datagram protocol that were asked again, the first included.
    pub(super) asked: u32,
    /// From first to last packet of the client.
    pub(super) span: Duration,
    /// From the flow's last packet to the end of the capture.
    pub(super) left: Duration,
    /// The ICMP error that refused the client's packet, if the server never took part.
    pub(super) rejection: Option<&'a Rejection>,
    /// A reset by the server that answered a SYN.
    pub(super) refusal: Option<&'a Reset>,
    /// How far the time to live of the server's first reset lies from what the host sent otherwise; none where nothing else of it was seen.
    pub(super) reset_hops_off: Option<u8>,
    /// The last answer of the service itself that was not an acceptance, where none was an acceptance.
    pub(super) refused: Option<Refusal<'a>>,
    /// The name that a resolver was asked for in vain; entered by who knows the resolvers.
    pub(super) denied: Option<Denied<'a>>,
    /// The row's document has TeaTime here.
    pub(super) speaks_teatime: bool,
    /// Answers are due: a request protocol to a single host.
    pub(super) answers_due: bool,
    /// The documents or the bytes say that none are.
    pub(super) one_way: bool,
    /// Worked for this client at another time; this and what follows up to the scan is looked up for flows without an answer only.
    pub(super) worked_before: bool,
    /// The server was silent this time, and said something to this client at another.
    pub(super) talked_before: bool,
    /// Flows of the same client to the same server and port that nothing answered, this one included.
    pub(super) attempts: u32,
    /// Another port on which the server answered.
    pub(super) other_port: Option<(Transport, u16)>,
    /// The client is scanning.
    pub(super) scanning: bool,
    /// From a public address to a private one.
    pub(super) from_outside: bool,
    /// Lost share of the capture, parts per thousand.
    pub(super) loss: u64,
}

/// What a service said instead of serving.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal<'a> {
    pub(super) kind: AnswerKind,
    pub(super) code: u32,
    pub(super) text: &'a str,
    pub(super) by: Side,
}

impl<'a> Ending<'a> {
    /// Reads the flow's story. `service` is the row it belongs to, if any.
    pub(super) fn read(identified: &'a Identified, service: Option<&Service>, seen: &Seen) -> Self {
        let flow = &identified.flow;
        let tcp = flow.tcp.as_deref();
        let answered = took_part(flow);
        let due = service.is_none_or(|service| service.answered);
        let said_one_way = identified.facts.contains(&Fact::OneWay);
        let reset = tcp.and_then(|tcp| tcp.reset.as_ref()).filter(|reset| reset.from == Side::Server);
        Self {
            identified,
            flow,
            tcp,
            sight: seen.sight(flow),
            answered,
            went_on: went_on_unanswered(flow),
            tries: tcp.map_or(0, spaced_syns),
            asked: asked(identified),
            span: flow.client.last.unwrap_or(flow.last).since(flow.client.first.unwrap_or(flow.first)),
            left: seen.end().since(flow.last),
            rejection: flow.rejections.iter().filter(|rejection| rejection.to == Side::Client && !answered && weight(rejection) > 0).max_by_key(|r| weight(r)),
            refusal: reset.filter(|reset| reset.answers_syn),
            reset_hops_off: reset.and_then(|reset| Some(hops_off(reset.ttl, seen.hops(flow.server.endpoint.ip)?))),
            refused: refused(identified),
            denied: None,
            speaks_teatime: service.is_some_and(|service| service.protocols.iter().flatten().any(|name| name == "teatime")),
            answers_due: due && !said_one_way && (identified.protocol.iter().any(|name| ASKING.contains(name))),
            one_way: !due || said_one_way || is_group(flow.server.endpoint.ip) || is_multicast_only(flow),
            worked_before: !answered && seen.worked(flow),
            talked_before: flow.server.payload_bytes == 0 && seen.talked(flow),
            attempts: if answered { 0 } else { seen.unanswered(flow) },
            other_port: if answered { None } else { seen.other_port(flow) },
            scanning: !answered && seen.scans(flow.client.endpoint.ip),
            from_outside: false,
            loss: seen.loss_per_mille(),
        }
    }

    /// Whether the transport is TCP.
    pub(super) fn is_tcp(&self) -> bool {
        self.tcp.is_some()
    }

    /// Whether the client asked for a connection and nothing at all came back.
    pub(super) fn is_silent_syn(&self) -> bool {
        self.tcp.is_some_and(|tcp| tcp.syns > 0 && tcp.syn_acks == 0 && tcp.reset.is_none() && !tcp.established)
            && self.flow.server.packets == 0
            && self.flow.client.payload_bytes == 0
            && self.rejection.is_none()
    }

    /// Whether a datagram exchange stayed without any packet of the server.
    pub(super) fn is_silent_datagram(&self) -> bool {
        !self.is_tcp() && self.flow.transport == Transport::UDP && self.flow.server.packets == 0 && self.rejection.is_none()
    }

    /// Who it is about.
    pub(super) fn server_ip(&self) -> IpAddr {
        self.flow.server.endpoint.ip
    }

    /// Frames that show how it went: first, SYNs, the refusal, last; in order, without repeats, at most the bound.
    pub(super) fn cited(&self) -> Vec<FrameId> {
        let mut frames = vec![self.flow.first_frame];
        frames.extend(self.tcp.iter().flat_map(|tcp| tcp.syn_times.iter().map(|(_, frame)| *frame)));
        frames.extend(self.rejection.map(|rejection| rejection.frame));
        frames.extend(self.tcp.and_then(|tcp| tcp.reset).map(|reset| reset.frame));
        frames.extend(self.identified.matches.iter().map(|hit| hit.frame));
        frames.sort_unstable();
        frames.dedup();
        frames.truncate(crate::limit::FRAMES_CITED.saturating_sub(1));
        if !frames.contains(&self.flow.last_frame) {
            frames.push(self.flow.last_frame);
        }
        frames
    }

    /// Whether the flow was cut off by the end of the capture before an answer could be expected.
    pub(super) fn is_cut_by_the_end(&self) -> bool {
        self.flow.ended == Ended::CaptureEnd && self.left < ANSWER_BY && self.tries < 2 && self.asked < 2
    }
}

/// The first SYN, and each that came at least [`SYN_AGAIN`] after the last one counted: closer ones are duplicates of the mirror.
fn spaced_syns(tcp: &TcpStory) -> u32 {
    if !tcp.same_isn {
        return tcp.syn_times.len().min(1) as u32;
    }
    let mut count = 0;
    let mut last = None;
    for (time, _) in &tcp.syn_times {
        if last.is_none_or(|last| time.since(last) >= SYN_AGAIN) {
            count += 1;
            last = Some(*time);
        }
    }
    count
}

/// How often the same request was sent, as the protocol's reader recognised it; the first included. Never more often than datagrams were.
fn asked(identified: &Identified) -> u32 {
    let client = &identified.flow.client;
    let datagrams = if client.payload_bytes > 0 { u32::try_from(client.packets).unwrap_or(u32::MAX) } else { 0 };
    identified.retries.saturating_add(1).min(datagrams)
}

/// Policy says more than a closed port, and that more than a missing route; what refuses nothing weighs nothing.
fn weight(rejection: &Rejection) -> u8 {
    match (rejection.v6, rejection.kind, rejection.code) {
        (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6) => 3,
        (false, 3, 2 | 3) | (true, 1, 4) => 2,
        (false, 3, 4) | (false, 5 | 12, _) | (true, 2 | 4, _) => 0,
        _ => 1,
    }
}

/// How far the time to live lies outside of what the host sent otherwise. Some hosts send resets with another initial time to live than data, so the
/// distance that it tells must differ, too.
fn hops_off(ttl: u8, (low, high): (u8, u8)) -> u8 {
    let outside = |value: u8, low: u8, high: u8| if value < low { low - value } else { value.saturating_sub(high) };
    outside(ttl, low, high).min(outside(hops(ttl), hops(low).min(hops(high)), hops(low).max(hops(high))))
}

/// Hops that a packet has passed, by the initial times to live in use: 32, 64, 128, 255.
fn hops(ttl: u8) -> u8 {
    [32, 64, 128].into_iter().find(|initial| ttl <= *initial).unwrap_or(u8::MAX) - ttl
}

fn refused(identified: &Identified) -> Option<Refusal<'_>> {
    let answers = || {
        identified.facts.iter().filter_map(|fact| match fact {
            Fact::Answer { kind, code, text, by } => Some(Refusal { kind: *kind, code: *code, text, by: *by }),
            _ => None,
        })
    };
    let served = answers().any(|answer| matches!(answer.kind, AnswerKind::Accepted | AnswerKind::Redirected));
    answers().next_back().filter(|_| !served)
}

fn is_multicast_only(flow: &Flow) -> bool {
    flow.transport == Transport::IGMP
}

/// A SYN this long after the one before it was sent again because nothing came: the shortest first timeout in use is 1 s (RFC 6298 section 2.1),
/// less what clocks and mirrors blur.
const SYN_AGAIN: Duration = Duration::from_millis(900);
/// An answer that has not come by then was not on its way: three times the longest usual round trip (satellite, 700 ms).
const ANSWER_BY: Duration = Duration::from_secs(2);
/// Protocols whose requests expect an answer from the host that was asked.
const ASKING: &[&str] = &["coap", "dhcp", "dns", "dtls", "ike", "kerberos", "ldap", "ntp", "quic", "radius", "sip", "snmp", "srt", "stun", "tds", "tftp"];
