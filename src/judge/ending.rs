//! How a flow went, in the terms of the decision table. Each is worked out once, so that the rules read like their documentation.

use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::capture::FrameId;
use crate::flow::{End, Ended, Flow, Moment, Rejection, Reset, TcpStory};
use crate::identify::protocol::is_alert;
use crate::identify::{AnswerKind, Fact, IN_CLEAR, Identified, Promise, Step, Torn};
use crate::judge::Named;
use crate::judge::resolver::{Denied, Luck, Resolvers};
use crate::judge::threshold::{ALONE, ANSWER_BY, INITIAL, MANY_ATTEMPTS, MEDIA_GONE, REPLY_BY, SOME_LOSS, SURELY_AGAIN, SYN_AGAIN};
use crate::judge::visibility::{Absent, Apart, Foreign, Forgotten, Opener, PutOut, Seen, Sight, StandIn, sent_content, stated, took_part, went_on_unanswered};
use crate::net::{Endpoint, Side, Transport, is_group};
use crate::signature::{PromiseKind, Service};
use crate::time::Timestamp;

/// One flow's story as the table asks for it.
#[derive(Debug)]
pub(super) struct Ending<'a> {
    seen: &'a Seen,
    pub(super) identified: &'a Identified,
    pub(super) flow: &'a Flow,
    pub(super) tcp: Option<&'a TcpStory>,
    /// Whether an answer would have been seen.
    pub(super) sight: Sight,
    /// The server took part.
    pub(super) answered: bool,
    /// What came as a flow of its own instead of an answer in this one, as TFTP's does.
    pub(super) apart: Apart,
    /// The client went on as if answered though no answer was captured.
    pub(super) went_on: bool,
    /// SYNs that were sent again only after the time that shows that no answer came, the first included.
    pub(super) tries: u32,
    /// Requests of a datagram protocol that were asked again, the first included.
    pub(super) asked: u32,
    /// From first to last packet of the client.
    pub(super) span: Duration,
    /// From the flow's last packet to the end of the capture, or to a pause in it.
    pub(super) left: Duration,
    /// The ICMP error that refused the client's packet, if the server never took part.
    pub(super) rejection: Option<&'a Rejection>,
    /// That error was about another flow of the same client to the same end: of this one none came, as they are sent only so often.
    pub(super) refused_alike: bool,
    /// An ICMP error came to the client meanwhile, of which the snap length left not what it is about.
    pub(super) unreadable: bool,
    /// A reset by the server that answered a SYN.
    pub(super) refusal: Option<&'a Reset>,
    /// How the first reset differs from what its host sends otherwise.
    pub(super) foreign: Foreign,
    /// How far the SYN-ACK's time to live lies from what the host sends where it talks.
    pub(super) syn_ack_off: Option<u8>,
    /// The last answer of the service itself that was not an acceptance, where none was an acceptance.
    pub(super) refused: Option<Refusal<'a>>,
    /// The alert that ended a TLS handshake inside another protocol (STARTTLS and the like), whatever that had served before.
    pub(super) inner_alert: Option<Refusal<'a>>,
    /// What the service said last, where it had served before and then took its leave.
    pub(super) parted: Option<Refusal<'a>>,
    /// By whom the client was put out that is let in by the same name.
    pub(super) put_out: Option<PutOut>,
    /// The name that a resolver was asked for in vain.
    pub(super) denied: Option<Denied<'a>>,
    /// The client's luck with its resolvers.
    pub(super) luck: Luck,
    /// The name by which the client asked, where it states one.
    pub(super) name: Option<&'a str>,
    /// Another name that was served at the same end, where this one never was.
    pub(super) control: Option<&'a str>,
    /// At how many addresses this name was cut or lost.
    pub(super) failures: usize,
    /// When the server was last heard where this flow was captured, in whichever flow; looked up only where the client repeats what nobody acknowledges.
    pub(super) heard_elsewhere: Option<Timestamp>,
    /// A device that opens this flow's TLS.
    pub(super) opener: Option<Opener<'a>>,
    /// What announced this flow.
    pub(super) announced: Option<&'a Promise>,
    /// Who answered what the client asked, from another address.
    pub(super) stand_in: Option<StandIn>,
    /// Whom the client had asked that is answered here by somebody else.
    pub(super) asked_instead: Option<Endpoint>,
    /// The way on which the client got there instead.
    pub(super) instead: Option<Instead>,
    /// What a multicast or broadcast datagram was about.
    pub(super) group: Option<Group>,
    /// Datagrams of the server alone, which answer what the client asked a group (or, before it had an address, everybody).
    pub(super) answers_group: bool,
    /// A session that was read here from both ends announced that the client sends to the server; the server sent first, to open the way, and nothing else came to it.
    pub(super) awaits_media: bool,
    /// Media of a call that come from its client alone, though both were to send, and none of the server's come to the client otherwise.
    pub(super) one_sided: bool,
    /// Who sent media of a call as steadily as its other end, which then went on alone.
    pub(super) fell_silent: Option<Side>,
    /// The row's document has TeaTime here.
    pub(super) speaks_teatime: bool,
    /// Hosts are owed an address, and no server that gives them was heard, whomever it answers.
    pub(super) lacks_leases: bool,
    /// Answers are due: a request protocol to a single host.
    pub(super) answers_due: bool,
    /// The documents or the bytes say that none are.
    pub(super) one_way: bool,
    /// Worked for this client at another time; this and what follows up to the scan is looked up for flows without an answer only.
    pub(super) worked_before: bool,
    /// It worked for this client, and then not any more: how many flows nothing has answered since, and from the first of them to the last.
    pub(super) stopped: Option<(u16, Duration)>,
    /// The server was silent this time, and said something to this client at another.
    pub(super) talked_before: bool,
    /// The server said more to this client, in whichever connection, than belongs to a handshake of TLS.
    pub(super) served_before: bool,
    /// Flows of the same client to the same server and port that nothing answered, this one included.
    pub(super) attempts: u32,
    /// Another port on which the server answered.
    pub(super) other_port: Option<(Transport, u16)>,
    /// The server was asked for on the link, and did not answer.
    pub(super) absent: Option<&'a Absent>,
    /// Who received the group that the flow goes to, and was forgotten when it stopped.
    pub(super) forgotten: Option<Forgotten>,
    /// The server said that it is on the link.
    pub(super) on_link: bool,
    /// Of ESP: the two ends talked at the ports of IKE.
    pub(super) tunnel_agreed: bool,
    /// Answers came over the link that this flow's packets take, or its server is on that link.
    pub(super) answers_come_back: bool,
    /// An answer would have been seen: others were, or who takes the flow's packets on was seen to speak to who sends them.
    pub(super) would_be_seen: bool,
    /// Somebody outside answered the client in another flow, who is no resolver.
    pub(super) reaches_outside: bool,
    /// The path of the client's connections loses an answer now and then.
    pub(super) lossy: bool,
    /// The client is scanning.
    pub(super) scanning: bool,
    /// Of client and server: whether its SYNs and resets were captured on both sides of a router, all of them or none; where others between the two were.
    pub(super) crossed: [Option<bool>; 2],
    /// From a public address to a private one.
    pub(super) from_outside: bool,
}

/// What a service said instead of serving.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal<'a> {
    pub(super) kind: AnswerKind,
    pub(super) code: u32,
    pub(super) text: &'a str,
    pub(super) by: Side,
}

/// Another way that worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instead {
    /// IPv4, at that address of the same name.
    Ipv4(IpAddr),
    /// TCP, on the same port.
    Tcp,
    /// Another address of the same name.
    Address(IpAddr),
}

/// A datagram to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// A question, to which nobody's answer came back to the asker.
    Unanswered,
    /// A space that is offered at that end, and to which nobody connected.
    Space(Endpoint),
}

/// What is known besides the flow and the other flows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The row it belongs to, if any.
    pub(super) service: Option<&'a Service>,
    pub(super) seen: &'a Seen,
    pub(super) resolvers: &'a Resolvers,
    pub(super) denied: Option<Denied<'a>>,
    pub(super) announced: Option<&'a Promise>,
    /// The call that announced it announced media to its client, too, and that both send.
    pub(super) both_ways: bool,
    /// Names of the server.
    pub(super) names: &'a [Named],
}

impl<'a> Ending<'a> {
    /// Reads the flow's story.
    pub(super) fn read(identified: &'a Identified, known: &Known<'a>) -> Self {
        let (flow, seen) = (&identified.flow, known.seen);
        let tcp = flow.tcp.as_deref();
        let answered = took_part(flow);
        let due = known.service.is_none_or(|service| service.answered) && !is_answered_as_a_relay(identified, seen);
        let said_one_way = identified.facts.contains(&Fact::OneWay);
        let reset = tcp.and_then(|tcp| tcp.reset.as_deref());
        let by_server = reset.filter(|reset| reset.from == Side::Server);
        let name = stated(identified);
        let (client, server) = (flow.client.endpoint, flow.server.endpoint);
        let sight = seen.sight(flow);
        let own = flow.rejections.iter().filter(|rejection| rejection.to == Side::Client && !answered && weight(rejection) > 0).max_by_key(|r| weight(r));
        let alike = if own.is_none() && flow.server.packets == 0 && !went_on_unanswered(identified) { seen.refused_alike(flow) } else { None };
        let speaks_teatime = known.service.is_some_and(|service| service.protocols.iter().flatten().any(|name| name == "teatime"));
        Self {
            seen,
            identified,
            flow,
            tcp,
            sight,
            answered,
            apart: if !answered && identified.protocol.first() == Some(&"tftp") { seen.answered_apart(client) } else { Apart::Nothing },
            went_on: went_on_unanswered(identified),
            tries: tcp.map_or(0, spaced_syns),
            asked: asked(identified),
            span: flow.client.last.unwrap_or(flow.last).since(flow.client.first.unwrap_or(flow.first)),
            left: seen.end_after(flow.last).since(flow.last),
            rejection: own.or(alike),
            unreadable: !answered && own.is_none() && alike.is_none() && seen.meets_unreadable(flow),
            refused_alike: own.is_none() && alike.is_some(),
            refusal: by_server.filter(|reset| reset.answers_syn),
            foreign: reset.map_or_else(Foreign::default, |reset| seen.foreign(flow, reset, tcp.and_then(|tcp| waited(tcp, reset)))),
            syn_ack_off: if flow.server.payload_bytes == 0 { seen.syn_ack_off(flow) } else { None },
            refused: refused(identified),
            inner_alert: inner_alert(identified),
            parted: parted(identified),
            put_out: seen.put_out(identified),
            denied: known.denied,
            luck: known.resolvers.luck(identified),
            name,
            heard_elsewhere: if is_unheeded(flow) { seen.heard(flow) } else { None },
            control: name.filter(|_| flow.server.payload_bytes == 0).and_then(|name| seen.control(flow, name)),
            failures: name.filter(|_| flow.server.payload_bytes == 0).map_or(0, |name| seen.failures(name)),
            opener: seen.opener(identified),
            announced: known.announced,
            stand_in: if answered { None } else { seen.stand_in(identified) },
            asked_instead: if flow.server.packets == 0 || seen.answers_group(identified) { None } else { seen.asked_instead(identified) },
            instead: if answered && !stalls_in_initial(identified) { None } else { instead(flow, known) },
            group: group(identified, seen),
            answers_group: seen.answers_group(identified),
            awaits_media: awaits_media(flow, known),
            one_sided: known.both_ways && flow.server.packets == 0 && !seen.was_told(client),
            fell_silent: fell_silent(flow, known),
            speaks_teatime,
            lacks_leases: seen.lacks_leases(flow),
            answers_due: due && !said_one_way && (identified.protocol.iter().any(|name| ASKING.contains(name))),
            // Of ICMP, what is no question: nobody answers an error (RFC 1122 section 3.2.2), a redirect or an advertisement.
            one_way: !due || said_one_way || is_group(server.ip) || flow.transport == Transport::IGMP || !flow.is_two_way(),
            worked_before: !answered && seen.worked(client.ip, flow.transport, server),
            stopped: if answered { None } else { seen.silent_since(flow) },
            talked_before: flow.server.payload_bytes == 0 && seen.talked(flow),
            served_before: seen.served(flow),
            attempts: if answered { 0 } else { seen.unanswered(flow) },
            other_port: if answered { None } else { seen.other_port(flow) },
            absent: if answered { None } else { seen.absent(flow) },
            forgotten: if answered || !server.ip.is_multicast() { None } else { seen.forgotten_receiver(flow) },
            on_link: !answered && seen.is_on_link(flow),
            tunnel_agreed: flow.transport == Transport::ESP && !answered && seen.agreed(client.ip, server.ip),
            answers_come_back: !answered && (seen.is_on_link(flow) || seen.answers_come_back(flow)),
            would_be_seen: sight >= Sight::Likely || sight == Sight::Open && !answered && seen.hears_the_link(flow),
            reaches_outside: !answered && seen.reaches_outside(client.ip),
            lossy: !answered && seen.loses_much(client.ip),
            scanning: !answered && seen.scans(client.ip),
            crossed: if answered { [None; 2] } else { crossed(flow, seen) },
            from_outside: false,
        }
    }

    /// Lost share where it was captured, about the time of it, parts per thousand. Looked up where it decides something, as that takes as long as a tenth of the rest.
    pub(super) fn loss(&self) -> u64 {
        self.seen.loss(self.flow)
    }

    /// Whether the transport is TCP.
    pub(super) fn is_tcp(&self) -> bool {
        self.tcp.is_some()
    }

    /// Whether the client asked for a connection and nothing at all came back.
    pub(super) fn is_silent_syn(&self) -> bool {
        self.tcp.is_some_and(|tcp| tcp.syns > 0 && tcp.syn_acks == 0 && tcp.reset.is_none() && !tcp.established)
            && self.flow.server.packets == 0
            && !sent_content(self.flow)
            && self.rejection.is_none()
    }

    /// Whether a datagram exchange stayed without any packet of the server.
    pub(super) fn is_silent_datagram(&self) -> bool {
        !self.is_tcp() && self.flow.transport == Transport::UDP && self.flow.server.packets == 0 && self.rejection.is_none() && !self.is_answered_apart()
    }

    /// Whether the answer came as a flow of its own. Who asks again all the same did not get it.
    pub(super) fn is_answered_apart(&self) -> bool {
        self.apart == Apart::Taken || self.apart == Apart::Sent && self.asked < 2
    }

    /// Whether the protocol that was recognised first is this one.
    pub(super) fn speaks(&self, protocol: &str) -> bool {
        self.identified.protocol.first() == Some(&protocol)
    }

    /// Whether a handshake came to this step.
    pub(super) fn reached(&self, step: Step) -> bool {
        self.identified.facts.contains(&Fact::Reached(step))
    }

    /// The last step of a handshake that is stated.
    pub(super) fn step(&self) -> Option<Step> {
        let steps = self.identified.facts.iter().filter_map(|fact| if let Fact::Reached(step) = fact { Some(*step) } else { None });
        steps.max()
    }

    /// Who it is about.
    pub(super) fn server_ip(&self) -> IpAddr {
        self.flow.server.endpoint.ip
    }

    /// Frames that show it, in order, at most the bound: how it began and ended, what refused it, each try, what was said first and last.
    pub(super) fn cited(&self) -> SmallVec<[FrameId; 6]> {
        let mut frames = SmallVec::from_slice(&[self.flow.first_frame, self.flow.last_frame]);
        frames.dedup();
        let mut cite = |frame: FrameId| {
            if frames.len() < crate::limit::FRAMES_CITED && !frames.contains(&frame) {
                frames.push(frame);
            }
        };
        self.rejection.filter(|_| !self.refused_alike).or(self.flow.rejections.first()).into_iter().for_each(|rejection| cite(rejection.frame));
        self.absent.iter().for_each(|absent| absent.frames.iter().for_each(|frame| cite(*frame)));
        self.forgotten.iter().for_each(|forgotten| cite(forgotten.frame));
        if let Some(tcp) = self.tcp {
            tcp.reset.iter().for_each(|reset| cite(reset.frame));
            tcp.syn_times.iter().for_each(|(_, frame)| cite(*frame));
            tcp.first_data.iter().flatten().for_each(|moment| cite(moment.frame()));
        }
        self.identified.matches.iter().for_each(|hit| cite(hit.frame));
        self.tcp.iter().flat_map(|tcp| tcp.last_data.iter().flatten()).for_each(|moment| cite(moment.frame()));
        frames.sort_unstable();
        frames
    }

    /// Whether the capture ends right after the service asked who the client is: its answer to that may have followed.
    pub(super) fn is_cut_before_login(&self) -> bool {
        let asks = self.refused.is_some_and(|refusal| refusal.by == Side::Server && CHALLENGES.contains(&refusal.code));
        // Who closed does not answer any more; and where credentials were given, a reader of STUN says so.
        let closed = self.tcp.is_some_and(|tcp| tcp.fins[0] || tcp.reset.as_deref().is_some_and(|reset| reset.from == Side::Client));
        asks && !closed && !self.speaks("stun") && self.may_go_on()
    }

    /// Whether the flow may have gone on right after the end of the capture, or in a pause that it has.
    pub(super) fn may_go_on(&self) -> bool {
        self.is_open() && self.left < ANSWER_BY
    }

    /// Whether only silence ended it.
    fn is_open(&self) -> bool {
        matches!(self.flow.ended, Ended::CaptureEnd | Ended::Idle)
    }

    /// Whether the flow was cut off by the end of the capture, or by a pause in it, before an answer could be expected. What was said first had all the time since.
    pub(super) fn is_cut_by_the_end(&self) -> bool {
        self.waited_for_an_answer().is_some_and(|waited| waited < ANSWER_BY) && self.tries < 2 && self.asked < 2 && !self.asks_on()
    }

    /// Whether the client went on to poll a device for longer than an answer takes.
    pub(super) fn asks_on(&self) -> bool {
        self.answers_due && POLLED.iter().any(|name| self.speaks(name)) && self.flow.client.packets >= u64::from(MANY_ATTEMPTS) && self.span >= REPLY_BY
    }

    /// How long the client had waited for an answer to what it said first when the capture ended, or a pause in it began; none where the flow ended before.
    pub(super) fn waited_for_an_answer(&self) -> Option<Duration> {
        let first_said = self.tcp.and_then(|tcp| tcp.first_data[0]).map_or(self.flow.last, Moment::time);
        self.is_open().then(|| self.flow.last.since(first_said).saturating_add(self.left))
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

/// From the client's packet that a reset of the server answers: its last SYN, or its last payload.
fn waited(tcp: &TcpStory, reset: &Reset) -> Option<Duration> {
    let provoked: Option<Timestamp> = if reset.answers_syn { tcp.syn_times.last().map(|(time, _)| *time) } else { tcp.last_data[0].map(Moment::time) };
    provoked.filter(|time| reset.from == Side::Server && *time <= reset.time).map(|time| reset.time.since(time))
}

/// A mirror that loses packets shows some on one side alone.
fn crossed(flow: &Flow, seen: &Seen) -> [Option<bool>; 2] {
    let Some(tcp) = flow.tcp.as_deref().filter(|tcp| tcp.syns > 0 && seen.loss(flow) <= SOME_LOSS) else { return [None; 2] };
    if let Some(other) = seen.other_leg(flow) {
        return [all(other.syns, tcp.syns), all(other.resets, tcp.resets)];
    }
    if seen.translates(flow) {
        return [Some(false), (tcp.resets > 0).then_some(false)];
    }
    let Some([asked, answered]) = tcp.crossed else { return [None; 2] };
    // With fewer hops to go than what crossed it is behind the router already.
    let came_before = |from: &End, to: &End| seen.crosses(from.endpoint.ip, to.endpoint.ip).is_some_and(|ttl| from.ttl >= ttl);
    let (syns, resets) = (all(asked.into(), tcp.syns), all(answered.into(), tcp.resets));
    [syns.filter(|_| came_before(&flow.client, &flow.server)), resets.filter(|_| came_before(&flow.server, &flow.client))]
}

/// All, or none, of some were met.
fn all(met: u32, of: u32) -> Option<bool> {
    match met {
        _ if of == 0 => None,
        0 => Some(false),
        met if met >= of => Some(true),
        _ => None,
    }
}

/// How often the same request was sent, as the protocol's reader recognised it; the first included. Never more often than datagrams were.
fn asked(identified: &Identified) -> u32 {
    let client = &identified.flow.client;
    let datagrams = if client.payload_bytes > 0 { u32::try_from(client.packets).unwrap_or(u32::MAX) } else { 0 };
    identified.retries.saturating_add(1).min(datagrams)
}

/// Whether the client repeats what nobody acknowledges, or goes on alone.
fn is_unheeded(flow: &Flow) -> bool {
    let repeats = |tcp: &TcpStory| tcp.open_segment[0].again >= SURELY_AGAIN || u32::from(tcp.repeats[0].unanswered) >= SURELY_AGAIN;
    flow.alone[0] >= ALONE || flow.tcp.as_deref().is_some_and(repeats)
}

/// Whether the client of QUIC got answers and never came beyond its Initial packets, each in a datagram of its full size: what it acknowledges and asks later is
/// smaller.
pub(super) fn stalls_in_initial(identified: &Identified) -> bool {
    let client = &identified.flow.client;
    let times = client.first.zip(client.last).map_or(Duration::ZERO, |(first, last)| last.since(first));
    let stalls = identified.protocol.first() == Some(&"quic") && identified.facts.contains(&Fact::Reached(Step::ClientHello));
    stalls && client.packets > u64::from(SURELY_AGAIN) && client.payload_bytes >= client.packets * INITIAL && times >= ANSWER_BY
}

/// Policy says more than a closed port, and that more than a missing route; what refuses nothing weighs nothing.
pub(super) fn weight(rejection: &Rejection) -> u8 {
    match (rejection.v6, rejection.kind, rejection.code) {
        (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6) => 3,
        (false, 3, 2 | 3) | (true, 1, 4) => 2,
        (false, 3, 4) | (false, 5 | 12, _) | (true, 2 | 4, _) => 0,
        _ => 1,
    }
}

fn refused(identified: &Identified) -> Option<Refusal<'_>> {
    // To change the protocol (RFC 9110 section 15.2.2) is not yet to serve.
    let served = answers(identified).any(|answer| is_served(&answer) && answer.code != 101);
    answers(identified).next_back().filter(|last| !served && !is_superseded(identified, last))
}

/// Whether the server went on after this answer, and what it said next was not captured: whoever is refused tries again. An alert ends TLS, and who began in
/// another protocol goes on in it.
fn is_superseded(identified: &Identified, last: &Refusal<'_>) -> bool {
    let is_final = last.code >= IN_CLEAR || identified.protocol.first() == Some(&"tls");
    identified.torn == Torn::Beyond && last.by == Side::Server && !is_final
}

fn inner_alert(identified: &Identified) -> Option<Refusal<'_>> {
    identified.protocol.iter().skip(1).find(|name| matches!(**name, "tls" | "dtls"))?;
    answers(identified).next_back().filter(|last| !is_served(last) && is_alert(last.code, last.text))
}

/// A page that is not there, a file that may not be read: in a session that goes on, refusals are everyday. What ends it, or says that its data does not get
/// through, is not; nor is a broker that grants a client nothing.
fn parted(identified: &Identified) -> Option<Refusal<'_>> {
    let served = answers(identified).any(|answer| is_served(&answer));
    let last = answers(identified).next_back().filter(|last| served && last.by == Side::Server && !is_served(last) && !is_superseded(identified, last))?;
    let protocol = identified.protocol.iter().find(|protocol| PARTING.iter().any(|(known, _)| known == *protocol))?;
    let codes = PARTING.iter().find(|(known, _)| known == protocol).map_or(&[][..], |(_, codes)| codes);
    codes.contains(&last.code).then_some(last)
}

fn answers(identified: &Identified) -> impl DoubleEndedIterator<Item = Refusal<'_>> {
    identified.facts.iter().filter_map(|fact| match fact {
        Fact::Answer { kind, code, text, by } => Some(Refusal { kind: *kind, code: *code, text, by: *by }),
        _ => None,
    })
}

fn is_served(answer: &Refusal<'_>) -> bool {
    matches!(answer.kind, AnswerKind::Accepted | AnswerKind::Redirected)
}

/// The way on which the client got to the same service: IPv4 where IPv6 was silent, TCP where QUIC was, another address of its name.
fn instead(flow: &Flow, known: &Known<'_>) -> Option<Instead> {
    let (client, server) = (flow.client.endpoint.ip, flow.server.endpoint);
    if flow.transport == Transport::UDP {
        return known.seen.worked(client, Transport::TCP, server).then_some(Instead::Tcp);
    }
    if !server.ip.is_ipv6() {
        let named = known.names.iter().flat_map(|named| known.resolvers.ipv4(&named.name)).filter(|ip| **ip != server.ip);
        let mut ends = named.map(|ip| Endpoint { ip: *ip, port: server.port });
        return ends.find(|end| known.seen.worked(client, flow.transport, *end)).map(|end| Instead::Address(end.ip));
    }
    // A host has another address of its own in IPv4: it is told by the link that its packets come over.
    let link = flow.client.mac?;
    let v4 = known.names.iter().flat_map(|named| known.resolvers.ipv4(&named.name)).copied();
    v4.map(|ip| Endpoint { ip, port: server.port }).find(|end| known.seen.reached_from(link, flow.transport, *end)).map(|end| Instead::Ipv4(end.ip))
}

/// Whether a relay of DHCP asks here whom it was seen to ask with success: it is answered at the address that it gives, that of its clients' network (RFC 2131 section 4.1), and may ask from
/// another.
fn is_answered_as_a_relay(identified: &Identified, seen: &Seen) -> bool {
    let flow = &identified.flow;
    let asks = flow.client.endpoint.port == DHCP_SERVER && flow.server.endpoint.port == DHCP_SERVER && flow.server.packets == 0;
    asks && identified.protocol.first() == Some(&"dhcp") && seen.has_answered(flow.transport, flow.server.endpoint)
}

/// Whether the client of the flow was to send media, and did not though its receiver knocked. Where the session itself was seen from one end, the media pass elsewhere, too;
/// and control messages, at odd ports (RFC 3550 section 11), not every sender sends.
fn awaits_media(flow: &Flow, known: &Known<'_>) -> bool {
    let Some(promise) = known.announced.filter(|promise| promise.kind == PromiseKind::Media && promise.over == Transport::TCP) else { return false };
    let (asker, sender) = promise.parent;
    let knocks = flow.transport == Transport::UDP && flow.client.packets == 0 && flow.server.packets > 0;
    let from_server = flow.client.endpoint.ip == sender.ip && flow.server.endpoint.ip == asker.ip;
    knocks && from_server && flow.server.endpoint.port.is_multiple_of(2) && known.seen.talked_to(asker.ip, sender) && !known.seen.was_told(flow.server.endpoint)
}

/// Who sends nothing where nobody speaks pauses at other times, too, and comes to fewer packets than who always sends.
fn fell_silent(flow: &Flow, known: &Known<'_>) -> Option<Side> {
    let (goes_on, silent, side) = match flow.alone {
        _ if !known.both_ways || known.seen.was_told(flow.client.endpoint) => return None,
        [(ALONE..), _] => (&flow.client, &flow.server, Side::Server),
        [_, (ALONE..)] => (&flow.server, &flow.client, Side::Client),
        _ => return None,
    };
    let lasted = |end: &End| Some(end.last?.since(end.first?));
    let (spoke, goes_on_for) = (lasted(silent)?, lasted(goes_on)?);
    let is_steady = u128::from(silent.packets) * goes_on_for.as_millis() * 10 >= u128::from(goes_on.packets) * spoke.as_millis() * 9;
    (spoke >= REPLY_BY && is_steady && goes_on.last?.since(silent.last?) >= MEDIA_GONE).then_some(side)
}

/// What a datagram to a group came to.
fn group(identified: &Identified, seen: &Seen) -> Option<Group> {
    let flow = &identified.flow;
    if !is_group(flow.server.endpoint.ip) {
        return None;
    }
    let space = identified.facts.iter().find_map(|fact| match fact {
        Fact::Promise(promise) if promise.kind == PromiseKind::Crqt => Some((promise.transport, promise.server)),
        _ => None,
    });
    match space {
        Some((transport, end)) => (!seen.was_opened(transport, end)).then_some(Group::Space(end)),
        None => {
            let asks = identified.facts.iter().any(|fact| fact.as_request().is_some_and(|(method, _)| method == "M-SEARCH"));
            (asks && !seen.was_told(flow.client.endpoint)).then_some(Group::Unanswered)
        }
    }
}

/// Replies that end a session that was served, or say that its data does not get through: FTP's 421, 425 and 426 (RFC 959 section 4.2.2), SMTP's 421 (RFC 5321
/// section 3.8).
const PARTING: &[(&str, &[u32])] = &[
    ("ftp", &[421, 425, 426]),
    ("mqtt", &[0x80, 0x82, 0x83, 0x87, 0x89, 0x8a, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x95, 0x97, 0x98, 0x99, 0x9b, 0x9d, 0x9e, 0x9f, 0xa1, 0xa2]),
    ("smtp", &[421]),
];
/// Port of servers and relays of DHCP (RFC 2131 section 4.1).
const DHCP_SERVER: u16 = 67;
/// HTTP's, SIP's and RTSP's demands for a login (RFC 9110 section 15.5.2, RFC 3261 section 22), which clients answer by asking again.
const CHALLENGES: &[u32] = &[401, 407];
/// Protocols whose requests expect an answer from the host that was asked.
const ASKING: &[&str] = &[
    "bacnet",
    "coap",
    "dhcp",
    "dhcpv6",
    "dns",
    "dtls",
    "ike",
    "kerberos",
    "knxnet_ip",
    "kpasswd",
    "l2tp",
    "ldap",
    "nfs",
    "ntp",
    "openvpn",
    "quic",
    "radius",
    "rpc",
    "sip",
    "snmp",
    "srt",
    "stun",
    "tds",
    "tftp",
    "wireguard",
];
/// Of these, those in which each datagram is a question of its own, to a host of which its client knows that it is there.
const POLLED: &[&str] = &["bacnet", "ntp", "radius", "snmp"];
