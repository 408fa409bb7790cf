//! Rules on datagrams: requests without an answer, handshakes that stall, questions and announcements to groups.

use std::net::IpAddr;
use std::time::Duration;

use crate::identify::{Fact, Step};
use crate::judge::Confidence;
use crate::judge::blocked::{refusal, tunnel};
use crate::judge::ending::{Ending, Group, Instead, stalls_in_initial};
use crate::judge::threshold::{AGAIN, ANSWER_BY, MANY_ATTEMPTS, REPLY_BY, STREAMING, SURE_ECHOES, SURE_REQUESTS, SURELY_AGAIN};
use crate::judge::visibility::Sight;
use crate::net::{Side, Transport, is_group};

/// A request that was repeated without an answer: how sure that is by how often and by what can be seen.
fn repeated(e: &Ending<'_>) -> Option<Confidence> {
    if !e.is_silent_datagram() || !e.answers_due || e.asked < 2 {
        return None;
    }
    // Of the pairs of addresses that ICE checks most lead nowhere, and one is enough (RFC 8445 section 2.2). Who cannot read an identity of IKE's first version, as its
    // pre-shared key is another, need not say so, or says it at the port where the exchange began.
    let is_doubtful = is_one_of_many(e) || is_sealed_identity(e);
    Some(if e.asked >= SURE_REQUESTS && e.sight >= Sight::Likely && !is_doubtful { Confidence::Medium } else { Confidence::Low })
}

/// Whether it checks one pair of addresses among several.
fn is_one_of_many(e: &Ending<'_>) -> bool {
    e.identified.protocol.contains(&"ice")
}

/// Nothing came for three questions or from two resolvers, and no other answers the client either: as sure as it gets.
pub(super) fn resolver(e: &Ending<'_>) -> Option<Confidence> {
    let silent = e.is_silent_datagram() && e.speaks("dns") && e.answers_due;
    // From new ports each time, as some programs ask again, and others the next resolver. Others ask anew for every connection: whoever reaches hosts outside seems to get its names, if not from
    // another resolver, then where this tap does not see it.
    let often = e.luck.again >= SURE_REQUESTS as usize || e.luck.in_vain >= MANY_ATTEMPTS as usize;
    let many = often && !e.worked_before && (e.luck.answered || !e.reaches_outside) && !e.lossy && e.would_be_seen;
    if !silent || e.asked < 2 && !many {
        return None;
    }
    let all = e.asked >= 2 && !e.luck.answered && (e.asked >= SURE_REQUESTS || e.luck.silent >= 2);
    match (all && e.sight >= Sight::Likely, repeated(e)) {
        (true, _) => Some(Confidence::High),
        (false, Some(sure)) => Some(sure),
        (false, None) => Some(if e.luck.answered { Confidence::Low } else { Confidence::Medium }),
    }
}

pub(super) fn says_resolver(e: &Ending<'_>) -> String {
    let again = e.asked.max(u32::try_from(e.luck.again).unwrap_or(u32::MAX));
    let name = match e.denied {
        Some(denied) if again >= 2 => format!(" for {}", denied.name),
        Some(_) => " for one name or another".to_owned(),
        None => String::new(),
    };
    let times = if again >= 2 { again } else { u32::try_from(e.luck.in_vain).unwrap_or(u32::MAX) };
    let others = match (e.luck.answered, e.luck.silent) {
        (true, _) => "; the client got answers at other times or from another resolver",
        (false, 2..) => "; no other resolver answered the client either",
        (false, _) => "",
    };
    format!("{} asked resolver {}{name} {times} times and nothing answered{others}", e.flow.client.endpoint.ip, e.flow.server.endpoint)
}

pub(super) fn dtls(e: &Ending<'_>) -> Option<Confidence> {
    repeated(e).filter(|_| e.speaks("dtls"))
}

pub(super) fn says_dtls(e: &Ending<'_>) -> String {
    format!("{} sent its DTLS ClientHello to {} {} times and nothing answered", e.flow.client.endpoint.ip, e.flow.server.endpoint, e.asked)
}

/// A caller repeats its induction every quarter of a second and gives up after three seconds: a dozen are one call.
pub(super) fn srt(e: &Ending<'_>) -> Option<Confidence> {
    repeated(e).filter(|_| e.speaks("srt"))
}

pub(super) fn says_srt(e: &Ending<'_>) -> String {
    format!("{} called {} (SRT) {} times and nothing answered", e.flow.client.endpoint.ip, e.flow.server.endpoint, e.asked)
}

/// Other request protocols; and echo requests, of which each is another, and which many hosts ignore: nothing about them shows that no answer came, so answers must
/// be seen to come back that way.
pub(super) fn silent(e: &Ending<'_>) -> Option<Confidence> {
    if is_silent_echo(e) && e.flow.client.packets >= SURE_ECHOES && e.sight >= Sight::Likely && e.answers_come_back {
        return Some(Confidence::Low);
    }
    repeated(e).or_else(|| (again_and_again(e) || polls_in_vain(e) || tunnel::one_way(e)).then_some(Confidence::Low))
}

/// Asked for something else each time, or under another number, from one port: as pollers do that wait for an answer no longer than until they ask again.
fn polls_in_vain(e: &Ending<'_>) -> bool {
    e.is_silent_datagram() && e.would_be_seen && e.asks_on()
}

/// Asked once each time, from new ports or after long pauses, and never answered, as programs do that ask for the time or poll a device. Names are asked for anew for
/// every connection: what their silence means, [`resolver`] says.
fn again_and_again(e: &Ending<'_>) -> bool {
    let asks = e.is_silent_datagram() && e.answers_due && !e.speaks("dns");
    asks && e.attempts >= MANY_ATTEMPTS && !e.worked_before && e.would_be_seen
}

fn is_silent_echo(e: &Ending<'_>) -> bool {
    let echo = matches!((e.flow.transport, e.flow.icmp), (Transport::ICMP, Some((8, _))) | (Transport::ICMP6, Some((128, _))));
    echo && e.flow.server.packets == 0 && !e.one_way && e.rejection.is_none()
}

pub(super) fn says_silent(e: &Ending<'_>) -> String {
    if is_silent_echo(e) {
        return format!("{} sent {} echo requests to {} and none was answered", e.flow.client.endpoint.ip, e.flow.client.packets, e.server_ip());
    }
    if tunnel::one_way(e) {
        return tunnel::says_one_way(e);
    }
    let name = e.identified.protocol.first().copied().unwrap_or("datagram");
    if e.asked < 2 && e.asks_on() {
        let (client, server, times) = (e.flow.client.endpoint.ip, e.flow.server.endpoint, e.flow.client.packets);
        return format!("{client} asked {server} ({name}) {times} times over {} s, each time anew, and nothing answered", e.span.as_secs());
    }
    if e.asked < 2 {
        return format!("{} asked {} ({name}) {} times, each time anew, and nothing answered", e.flow.client.endpoint.ip, e.flow.server.endpoint, e.attempts);
    }
    let (client, server, times) = (e.flow.client.endpoint.ip, e.flow.server.endpoint, e.asked);
    if is_one_of_many(e) {
        return format!(
            "{client} checked {times} times whether it reaches {server} (ICE) and nothing answered; that is no harm where another pair of addresses answers"
        );
    }
    let more = if is_sealed_identity(e) {
        "; it is an identity that is encrypted by the pre-shared key (IKE version 1): whoever has another one cannot read it and may be silent"
    } else if came_in_fragments(e) {
        "; it is so large that it came in fragments, which many firewalls drop"
    } else {
        ""
    };
    format!("{client} sent the same {name} request to {server} {times} times and nothing answered{more}")
}

/// Whether it is the first message of IKE's first version that is encrypted.
fn is_sealed_identity(e: &Ending<'_>) -> bool {
    e.speaks("ike") && e.reached(Step::ClientFinished)
}

/// Whether what the client sent came in fragments: the second one of a datagram has no header of UDP (8 bytes) behind that of IPv4, and those of IPv6 have one of their own.
fn came_in_fragments(e: &Ending<'_>) -> bool {
    let sent = &e.flow.client;
    let headers = sent.bytes.saturating_sub(sent.payload_bytes);
    if sent.endpoint.ip.is_ipv6() { headers > sent.packets.saturating_mul(48) } else { headers < sent.packets.saturating_mul(28) }
}

/// Of transports without connections an unanswered packet says nothing, unless the protocol asks for an answer.
pub(super) fn asked_once(e: &Ending<'_>) -> Option<Confidence> {
    let silent = !e.is_tcp() && e.flow.server.packets == 0 && e.rejection.is_none() && !e.is_answered_apart();
    (e.is_silent_syn() || silent || e.flow.is_torn()).then_some(Confidence::Low)
}

pub(super) fn says_asked_once(e: &Ending<'_>) -> String {
    if e.flow.is_torn() {
        return format!("of what {} answered only parts were captured (fragments): whether the rest arrived cannot be told", e.server_ip());
    }
    format!("{} was not seen to answer, but it was not asked the same again either: nothing follows from that", e.server_ip())
}

/// The client has given up QUIC where it reached the same port by TCP.
pub(super) fn quic_to_tcp(e: &Ending<'_>) -> Option<Confidence> {
    if refusal::is_served_otherwise(e) && e.speaks("quic") {
        return Some(Confidence::High);
    }
    let fell_back = e.instead == Some(Instead::Tcp) && e.speaks("quic") && (e.is_silent_datagram() || stalls_in_initial(e.identified));
    fell_back.then_some(if e.asked >= 2 { Confidence::High } else { Confidence::Medium })
}

pub(super) fn says_quic_to_tcp(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.flow.server.endpoint);
    if e.answered {
        return format!(
            "the handshake of QUIC between {client} and {server} got no further than its first packets, and {client} used TCP to the same port instead"
        );
    }
    if refusal::is_served_otherwise(e) {
        return format!("the QUIC of {client} to {server} {}, and {client} used TCP to the same port instead", refusal::says_refused(e));
    }
    format!("{server} did not answer the QUIC of {client}, which used TCP to the same port instead")
}

/// The server answered the first hello with a cookie, the client gave it back again and again, and no ServerHello came.
pub(super) fn dtls_stalls(e: &Ending<'_>) -> Option<Confidence> {
    let stalls = e.speaks("dtls") && e.reached(Step::CookieReturned) && !e.reached(Step::ServerHello);
    (stalls && e.refused.is_none() && e.flow.server.packets > 0 && e.identified.retries >= 1).then_some(Confidence::Low)
}

pub(super) fn says_dtls_stalls(e: &Ending<'_>) -> String {
    format!(
        "{} answered the first DTLS hello of {} with a cookie, and what came back with it was never answered",
        e.flow.server.endpoint, e.flow.client.endpoint.ip
    )
}

/// The first two repetitions of a DTLS flight come after one second and two more (RFC 6347 section 4.2.4.1); what answers the second has one more to come.
const TWICE_AGAIN: Duration = Duration::from_secs(4);

/// The server answered the hello, and what the client ended the handshake with was sent again and never answered.
pub(super) fn dtls_unended(e: &Ending<'_>) -> Option<Confidence> {
    let stalls = e.speaks("dtls") && e.reached(Step::ClientFinished) && e.refused.is_none();
    match e.identified.retries {
        AGAIN if stalls && (!e.may_go_on() || e.span >= TWICE_AGAIN) => Some(Confidence::Low),
        SURELY_AGAIN.. if stalls => Some(Confidence::Medium),
        _ => None,
    }
}

pub(super) fn says_dtls_unended(e: &Ending<'_>) -> String {
    format!(
        "{} answered the DTLS hello of {}, which then ended its part of the handshake {} times; the server never ended its own, nor said why",
        e.flow.server.endpoint,
        e.flow.client.endpoint.ip,
        e.identified.retries.saturating_add(1)
    )
}

pub(super) fn srt_stalls(e: &Ending<'_>) -> Option<Confidence> {
    let concluded = e.speaks("srt") && e.reached(Step::CookieReturned);
    let answered = e.identified.facts.iter().any(|fact| matches!(fact, Fact::Answer { .. }));
    (concluded && !answered && e.flow.server.packets > 0 && e.identified.retries >= 2).then_some(Confidence::Medium)
}

pub(super) fn says_srt_stalls(e: &Ending<'_>) -> String {
    format!("{} answered the SRT call of {} with a cookie, and what came back with it was never answered", e.flow.server.endpoint, e.flow.client.endpoint.ip)
}

/// Players send a packet or two to where the media will come from, and the session goes on long enough for these to come.
pub(super) fn media_missing(e: &Ending<'_>) -> Option<Confidence> {
    let waited = e.flow.last.since(e.flow.first).saturating_add(e.left);
    (e.awaits_media && waited >= REPLY_BY).then_some(Confidence::Low)
}

pub(super) fn says_media_missing(e: &Ending<'_>) -> String {
    let (sender, receiver) = (e.flow.client.endpoint, e.flow.server.endpoint);
    let refused = e.flow.rejections.first().map_or_else(String::new, |rejection| {
        format!("; {} refused what {} sent (ICMP type {} code {})", rejection.by, receiver.ip, rejection.kind, rejection.code)
    });
    format!("the session works, but what {sender} was to send to {receiver} never came, though {} knocked there{refused}", receiver.ip)
}

pub(super) fn nobody_answers(e: &Ending<'_>) -> Option<Confidence> {
    (e.group == Some(Group::Unanswered)).then_some(Confidence::Low)
}

pub(super) fn says_nobody_answers(e: &Ending<'_>) -> String {
    format!("no device was seen to answer the discovery of {}, which is no error by itself", e.flow.client.endpoint.ip)
}

/// Who was to be sent media as well hears nothing, from the beginning or from some moment on: a call with sound one way.
pub(super) fn one_sided(e: &Ending<'_>) -> Option<Confidence> {
    let lasts = e.flow.last.since(e.flow.first);
    (e.fell_silent.is_some() || e.one_sided && lasts >= REPLY_BY && is_steady(e)).then_some(Confidence::Low)
}

pub(super) fn says_one_sided(e: &Ending<'_>) -> String {
    if let Some(side) = e.fell_silent {
        let (goes_on, silent) = if side == Side::Server { (&e.flow.client, &e.flow.server) } else { (&e.flow.server, &e.flow.client) };
        let [spoke, alone] = [e.flow.first, silent.last.unwrap_or(e.flow.first)].map(|since| goes_on.last.unwrap_or(e.flow.last).since(since).as_secs());
        let (sender, receiver) = (goes_on.endpoint, silent.endpoint);
        return format!(
            "the call has media both ways, but after {} s none came from {receiver} any more, while {sender} sent its own for {alone} s",
            spoke.saturating_sub(alone)
        );
    }
    let (sender, receiver, seconds) = (e.flow.client.endpoint, e.flow.server.endpoint, e.flow.last.since(e.flow.first).as_secs());
    format!("the call agreed on media both ways, but for {seconds} s {sender} sent its own and none came back from {receiver}")
}

/// Whether what comes is a stream.
fn is_steady(e: &Ending<'_>) -> bool {
    e.flow.client.packets >= e.flow.last.since(e.flow.first).as_secs().max(1) * STREAMING
}

/// A steady stream to a group stops, and its receiver, which did not leave, was due to be asked whether it receives it still. Switches that listen to IGMP need somebody who asks, a router or one
/// of themselves, or they forget every receiver that was there (RFC 4541 section 2.1.1).
pub(super) fn membership_over(e: &Ending<'_>) -> Option<Confidence> {
    e.forgotten.filter(|_| e.flow.transport == Transport::UDP && e.flow.server.packets == 0)?;
    (is_steady(e) && e.left >= REPLY_BY).then_some(Confidence::Low)
}

pub(super) fn says_membership_over(e: &Ending<'_>) -> String {
    let Some(forgotten) = e.forgotten else { return "the group's datagrams stopped".to_owned() };
    format!(
        "what {} sends to {} stopped {} s after {} last said that it receives it, and did not leave: nobody asked meanwhile who receives the group, so a switch forgets it",
        e.flow.client.endpoint.ip,
        e.flow.server.endpoint,
        e.flow.last.since(forgotten.said).as_secs(),
        forgotten.by
    )
}

/// Who is offered an address asks for it, by broadcast or of the group that it searched, and so it is heard wherever the search is (RFC 2131 section 3.1, RFC 8415 section
/// 18.2.2).
pub(super) fn unserved(e: &Ending<'_>) -> Option<Confidence> {
    // Who has an address already looks for servers that should not be there, or is a relay, and what comes of its question passes at its other end.
    let client = e.flow.client.endpoint.ip;
    let seeks = is_group(e.server_ip()) && (client.is_unspecified() || client.is_ipv6());
    let (_, times, over) = search(e).filter(|_| seeks && e.lacks_leases)?;
    (times >= SURE_REQUESTS && over >= ANSWER_BY).then_some(Confidence::Low)
}

fn search<'a>(e: &Ending<'a>) -> Option<(&'a str, u32, Duration)> {
    e.identified.facts.iter().find_map(|fact| match fact {
        Fact::Unserved { who, times, over } => Some((&**who, *times, Duration::from_secs(u64::from(*over)))),
        _ => None,
    })
}

pub(super) fn says_unserved(e: &Ending<'_>) -> String {
    let (who, times, over) = search(e).unwrap_or_default();
    let (name, due) = match e.flow.client.endpoint.ip {
        IpAddr::V4(_) => ("DHCP", ""),
        IpAddr::V6(_) => ("DHCPv6", ", though a router says that addresses come from one (flag M)"),
    };
    format!("{who} asked for an address ({name}) {times} times over {} s and did not go on to take one; no {name} server was heard{due}", over.as_secs())
}

pub(super) fn lonely_space(e: &Ending<'_>) -> Option<Confidence> {
    matches!(e.group, Some(Group::Space(_))).then_some(Confidence::Low)
}

pub(super) fn says_lonely_space(e: &Ending<'_>) -> String {
    let Some(Group::Space(end)) = e.group else { return "a space is announced".to_owned() };
    format!("a space is announced on {end}; nobody was seen to connect to it")
}
