//! Rules on connections that never came to be: silence, and what is neither silent nor connected.

use std::time::Duration;

use crate::identify::Fact;
use crate::judge::Confidence;
use crate::judge::blocked::{content, middle, refusal};
use crate::judge::ending::{Ending, Instead};
use crate::judge::threshold::{ANSWER_BY, HALF_OPEN, MANY_ATTEMPTS, REPLY_BY, SURE_NEIGHBOUR, SURE_REQUESTS, SURE_SYNS};
use crate::judge::visibility::{Absent, Apart, Sight, sent_content};
use crate::net::Side;
use crate::signature::PromiseKind;

/// Happy Eyeballs (RFC 8305) gives IPv6 a quarter of a second: a single SYN says less than a repeated one.
pub(super) fn v6_to_v4(e: &Ending<'_>) -> Option<Confidence> {
    if refusal::is_served_otherwise(e) && e.is_tcp() {
        return Some(Confidence::High);
    }
    let v4 = matches!(e.instead, Some(Instead::Ipv4(_)));
    (v4 && e.is_silent_syn()).then_some(if e.tries >= 2 { Confidence::High } else { Confidence::Medium })
}

pub(super) fn says_v6_to_v4(e: &Ending<'_>) -> String {
    let v4 = if let Some(Instead::Ipv4(ip)) = e.instead { ip.to_string() } else { "IPv4".to_owned() };
    let how = if refusal::is_served_otherwise(e) { refusal::says_refused(e) } else { "got no answer".to_owned() };
    format!("IPv6 to {} {how}, IPv4 of the same name ({v4}) works and is used", e.flow.server.endpoint)
}

/// What worked once is not blocked.
pub(super) fn at_times(e: &Ending<'_>) -> Option<Confidence> {
    if e.talked_before && content::first_lost(e).is_some() && middle::turned_back(e).is_none() {
        return Some(Confidence::Medium);
    }
    if is_chance(e) {
        return Some(Confidence::Low);
    }
    let again = e.is_silent_syn() && e.tries >= 2 || e.is_silent_datagram() && e.answers_due && e.asked >= 2;
    if again && e.worked_before {
        return Some(Confidence::Medium);
    }
    stopped(e).map(|_| Confidence::Low)
}

/// Asked anew each time, by who has a new port for each question, as programs do that ask for the time or for names: the server answered, and then none of many any more. How many, over which time.
fn stopped(e: &Ending<'_>) -> Option<(u16, Duration)> {
    let is_silent = e.is_silent_syn() || e.is_silent_datagram() && e.answers_due;
    let (times, over) = e.stopped.filter(|_| is_silent && e.would_be_seen)?;
    (u32::from(times) >= MANY_ATTEMPTS && over >= REPLY_BY).then_some((times, over))
}

/// Asked so seldom that a path which loses much may have lost all of it.
fn is_chance(e: &Ending<'_>) -> bool {
    let seldom = e.is_silent_syn() && (2..SURE_SYNS).contains(&e.tries) || e.is_silent_datagram() && e.answers_due && (2..=SURE_REQUESTS).contains(&e.asked);
    e.lossy && seldom
}

pub(super) fn says_at_times(e: &Ending<'_>) -> String {
    if !e.worked_before && !e.talked_before && is_chance(e) {
        return format!(
            "{} did not answer, but much of what {} sends and gets has to come again: the path loses packets",
            e.flow.server.endpoint, e.flow.client.endpoint.ip
        );
    }
    if let Some((times, over)) = stopped(e) {
        let (client, server, seconds) = (e.flow.client.endpoint.ip, e.flow.server.endpoint, over.as_secs());
        return format!("{server} had answered {client}, and then none of {times} that it asked over {seconds} s");
    }
    let server = e.flow.server.endpoint;
    match e.stopped {
        Some(_) => format!("not answered, though the same client had reached {server} before; it was not heard there since"),
        None => format!("not answered this time, but the same client reached {server} at another time"),
    }
}

/// Who sends the client's packets on to the host, or the client itself, asked for it in vain: nobody is there who could have answered.
pub(super) fn absent(e: &Ending<'_>) -> Option<Confidence> {
    let silent = e.flow.server.packets == 0 && e.rejection.is_none() && !e.went_on;
    let absent = e.absent.filter(|_| silent)?;
    Some(if absent.times >= SURE_NEIGHBOUR { Confidence::High } else { Confidence::Medium })
}

pub(super) fn says_absent(e: &Ending<'_>) -> String {
    let Some(absent) = e.absent else { return "nobody answered on the link".to_owned() };
    format!("{}: it is switched off, or not on this link", asked_in_vain(absent))
}

/// Who asked the link for whom, how often.
pub(in crate::judge) fn asked_in_vain(Absent { host, by, times, since, last, .. }: &Absent) -> String {
    let how = if host.is_ipv4() { "ARP" } else { "Neighbor Discovery" };
    let over = last.since(*since).as_secs();
    format!("{by} asked the link for {host} {times} times over {over} s ({how}) and nobody answered")
}

/// Somebody else answered, and who had asked did not take that: it asked again all the same, or said so.
pub(super) fn answered_in_its_place(e: &Ending<'_>) -> Option<Confidence> {
    let stand_in = e.stand_in?;
    let datagram = e.is_silent_datagram() && (stand_in.is_refused || e.asked.max(e.luck.again as u32) >= 2);
    (datagram || e.is_silent_syn() && e.tries >= 2).then_some(Confidence::Medium)
}

pub(super) fn says_answered_in_its_place(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.flow.server.endpoint);
    let by = e.stand_in.map_or_else(|| "another end".to_owned(), |stand_in| stand_in.by.to_string());
    format!("{client} asked {server}, and {by} answered: from an address that was not asked, which {client} does not take")
}

/// Both ends repeat themselves: the server its SYN-ACK, the client its SYN.
pub(super) fn return_path(e: &Ending<'_>) -> Option<Confidence> {
    let Some(tcp) = e.tcp else {
        if e.identified.facts.contains(&Fact::Unheard) {
            return Some(if e.span >= ANSWER_BY { Confidence::Medium } else { Confidence::Low });
        }
        let in_vain = e.is_silent_datagram() && e.apart == Apart::Sent;
        return in_vain.then_some(if e.asked >= SURE_REQUESTS { Confidence::Medium } else { Confidence::Low });
    };
    let repeated = (tcp.syn_acks >= 2 && e.tries >= 2 || asks_long_after(e)) && !tcp.established && (tcp.reset.is_none() || is_reset_for_another(e));
    (repeated && !sent_content(e.flow) && e.flow.server.payload_bytes == 0)
        .then(|| if middle::answers_refused(e).is_some() { Confidence::High } else { Confidence::Medium })
}

/// Whether the client went on to ask for longer than an answer that comes late is on its way.
fn asks_long_after(e: &Ending<'_>) -> bool {
    let answered = || Some(e.tcp?.syn_times.first()?.0.nanos().saturating_add(i64::try_from(e.tcp?.syn_ack_delay?.get()).ok()?));
    let last = || Some(e.tcp?.syn_times.last()?.0.nanos());
    let after = || i64::try_from(ANSWER_BY.as_nanos()).ok()?.checked_add(answered()?);
    e.tries >= SURE_SYNS && last().zip(after()).is_some_and(|(last, after)| last >= after)
}

/// The SYN-ACKs are reset in the name of a client that asks again with the same number: whoever resets them did not ask.
pub(super) fn is_reset_for_another(e: &Ending<'_>) -> bool {
    e.tries >= 2 && e.tcp.is_some_and(|tcp| tcp.syn_acks >= 2 && !tcp.established && tcp.reset.as_deref().is_some_and(|reset| reset.from == Side::Client))
}

/// What may be behind that.
pub(super) const ANOTHER_HOST: &[&str] =
    &["another host that has the client's address, too", "answers that acknowledge something else, which the client refuses itself"];

pub(super) fn says_return_path(e: &Ending<'_>) -> String {
    let client = e.flow.client.endpoint.ip;
    let whose = if is_reset_for_another(e) { "; somebody resets them in its name" } else { "" };
    format!("{} answered, and {client} asked again all the same: the answers do not reach it{whose}{}", e.server_ip(), middle::says_refuser(e))
}

/// SYNs of both ends and nothing else (RFC 9293 section 3.5 allows it, and holes through translators are opened so).
pub(super) fn crossed(e: &Ending<'_>) -> Option<Confidence> {
    e.tcp.filter(|tcp| tcp.syns > 0 && tcp.syn_acks == 0 && !tcp.established && tcp.reset.is_none())?;
    (e.flow.history.has('s') && !e.flow.history.has('a') && e.tries >= 2 && e.flow.server.payload_bytes == 0).then_some(Confidence::Low)
}

pub(super) fn says_crossed(e: &Ending<'_>) -> String {
    format!("{} and {} opened to each other at the same time, again and again, and neither got an answer", e.flow.client.endpoint, e.flow.server.endpoint)
}

pub(super) fn announced(e: &Ending<'_>) -> Option<Confidence> {
    e.announced?;
    sure(e).or_else(|| likely(e))
}

pub(super) fn says_announced(e: &Ending<'_>) -> String {
    let (how, parent) = e.announced.map_or(("another connection", String::new()), |promise| (announcer(promise.kind), promise.parent.1.to_string()));
    format!("{how} with {parent} works, but the connection that it announced does not: {}", says_syns(e))
}

fn announcer(kind: PromiseKind) -> &'static str {
    match kind {
        PromiseKind::FtpPassive | PromiseKind::FtpActive => "the FTP control connection",
        PromiseKind::SqlBrowser => "the exchange with the SQL Server Browser",
        PromiseKind::Rmi => "the Java RMI registry's answer",
        PromiseKind::Media => "the session",
        _ => "the exchange",
    }
}

pub(super) fn port(e: &Ending<'_>) -> Option<Confidence> {
    sure(e).filter(|_| e.other_port.is_some() || e.on_link)
}

pub(super) fn says_port(e: &Ending<'_>) -> String {
    let how = match e.other_port {
        Some((transport, port)) => format!("on {port}/{transport}"),
        None => format!("the link ({})", if e.server_ip().is_ipv4() { "ARP" } else { "Neighbor Discovery" }),
    };
    format!("{}; the host is alive (it answers {how})", says_syns(e))
}

pub(super) fn sure(e: &Ending<'_>) -> Option<Confidence> {
    if !e.is_silent_syn() || e.tries < SURE_SYNS {
        return None;
    }
    Some(if e.sight >= Sight::Likely { Confidence::High } else { Confidence::Medium })
}

/// Twice the same SYN; or single SYNs, again and again from new ports, as programs with a short timeout of their own send them.
pub(super) fn likely(e: &Ending<'_>) -> Option<Confidence> {
    if !e.is_silent_syn() {
        return None;
    }
    match (e.tries, e.attempts) {
        (2, _) if e.sight >= Sight::Likely => Some(Confidence::Medium),
        (2, _) => Some(Confidence::Low),
        (_, MANY_ATTEMPTS..) if e.sight >= Sight::Likely && !e.worked_before => Some(Confidence::Low),
        _ => None,
    }
}

pub(super) fn says_syns(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.flow.server.endpoint);
    let syns = e.tcp.map_or(0, |tcp| tcp.syns);
    match e.tries {
        2.. => format!("{client} sent {syns} SYNs to {server} over {} s and nothing answered{}{}", e.span.as_secs(), how_far(e), elsewhere(e)),
        _ => format!("{client} tried {server} in {} connections, with one SYN each, and nothing answered{}", e.attempts, elsewhere(e)),
    }
}

/// Where the client got what it wanted after all, if its name has another address.
fn elsewhere(e: &Ending<'_>) -> String {
    if let Some(Instead::Address(ip)) = e.instead { format!("; it was served at another address of the same name ({ip})") } else { String::new() }
}

/// Where the SYNs died, if both sides of a router were captured.
fn how_far(e: &Ending<'_>) -> &'static str {
    match e.crossed[Side::Client as usize] {
        Some(true) => "; they were captured on both sides of the router between the two, so it let them through",
        Some(false) => "; other packets between the two were captured on both sides of a router, these on one: they did not get past it",
        None => "",
    }
}

/// A challenge acknowledgment, or one for another connection (RFC 5961 section 4): the SYN was neither accepted nor refused.
pub(super) fn stale(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.syns > 0 && tcp.syn_acks == 0 && !tcp.established && !tcp.midstream)?;
    let bare = e.flow.history.has('a') && !e.flow.history.has('s') && !e.flow.history.has('h');
    let refused = tcp.reset.as_deref().is_some_and(|reset| reset.from == Side::Server);
    (bare && !refused && e.flow.server.payload_bytes == 0).then_some(Confidence::Low)
}

pub(super) fn says_stale(e: &Ending<'_>) -> String {
    format!("{} answered the SYN with a packet that belongs to no handshake; no connection came of it", e.flow.server.endpoint)
}

/// A client that does not get the SYN-ACK asks again; one that does neither is gone, or wanted no more than the answer.
pub(super) fn half_open(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.syn_acks > 0 && !tcp.established && !tcp.midstream && e.tries < 2 && tcp.missed_bytes == [0, 0])?;
    let silent = e.flow.client.payload_bytes == 0 && e.flow.server.payload_bytes == 0;
    let reset = tcp.reset.as_deref().is_some_and(|reset| reset.from == Side::Client);
    (silent && (reset || tcp.syn_acks >= HALF_OPEN)).then_some(if reset { Confidence::High } else { Confidence::Medium })
}

pub(super) fn says_half_open(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.flow.server.endpoint);
    match e.tcp.and_then(|tcp| tcp.reset.as_deref()) {
        Some(reset) if reset.from == Side::Client => format!("{server} accepted, and {client} reset the connection before it stood"),
        _ => {
            let times = e.tcp.map_or(0, |tcp| tcp.syn_acks);
            format!("{server} accepted {times} times, and {client} neither acknowledged nor asked again: half-open")
        }
    }
}

/// What no other rule knows, and what is no connection: nothing is claimed of it.
pub(super) fn torn(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| !tcp.established && !tcp.midstream)?;
    (tcp.payload == [0, 0] && e.flow.client.payload_bytes == 0 && e.flow.server.payload_bytes == 0).then_some(Confidence::Low)
}

pub(super) fn says_torn(e: &Ending<'_>) -> String {
    format!("of the connection from {} to {} no handshake was seen to complete: nothing follows from that", e.flow.client.endpoint.ip, e.flow.server.endpoint)
}
