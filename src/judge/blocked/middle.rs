//! Rules on sessions that had been served and that broke in their middle: a reset or an ICMP error from on the way, one direction that no longer passes, silence.

use std::time::Duration;

use crate::flow::{Moment, OpenSegment, Rejection, Reset, TcpStory};
use crate::judge::Confidence;
use crate::judge::blocked::content::{half_asked, server_ended_first};
use crate::judge::blocked::refusal::{icmp, signs};
use crate::judge::ending::{Ending, stalls_in_initial, weight};
use crate::judge::threshold::{
    ACKNOWLEDGED_BY, AGAIN, ALONE, ANSWER_BY, ASKED_BY, KEPT_ALIVE_BY, KEPT_ALIVE_EACH, KEYS_RENEWED_BY, REPLY_BY, SURE_TO_FIT, SURELY_AGAIN,
};
use crate::net::Side;

/// The reset that ended a connection in which both spoke, and that neither had begun to close.
fn reset<'a>(e: &Ending<'a>) -> Option<&'a Reset> {
    let tcp = e.tcp.filter(|tcp| (tcp.established || tcp.midstream) && tcp.fins == [false, false])?;
    let reset = tcp.reset.as_deref().filter(|reset| !reset.answers_syn)?;
    // Both spoke, though one of them only after the reset, of which it knew nothing.
    let served = reset.client_payload + reset.server_payload > 0 && (tcp.midstream || e.flow.client.payload_bytes > 0 && e.flow.server.payload_bytes > 0);
    // What it is held against must be of this very connection: another may take another path.
    (served && tcp.ttl[reset.from as usize].is_some()).then_some(reset)
}

/// From another distance than all that its host sends; whoever forges resets often sends them both ways, and cannot keep the host from going on.
pub(super) fn reset_by_another(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|_| reset(e).is_some() && e.foreign.is_far())?;
    let second = tcp.reset_contradicted || e.foreign.signs() >= 2;
    Some(if second { Confidence::Medium } else { Confidence::Low })
}

pub(super) fn says_reset_by_another(e: &Ending<'_>) -> String {
    let whose = match reset(e).map(|reset| reset.from) {
        Some(Side::Client) => e.flow.client.endpoint.ip,
        _ => e.server_ip(),
    };
    format!("the connection had stood for {} s when a reset in the name of {whose} ended it, but {}", e.flow.last.since(e.flow.first).as_secs(), signs(e))
}

/// What the client repeated in a session that had been served, until a reset came in the server's name that names what the client acknowledges, and acknowledges nothing itself: so answers
/// a host that does not know the connection (RFC 9293 section 3.5.2). Between the two there was nobody.
pub(super) fn forgotten(e: &Ending<'_>) -> Option<OpenSegment> {
    let tcp = e.tcp.filter(|tcp| (tcp.established || tcp.midstream) && tcp.fins == [false, false] && !tcp.stalled[1])?;
    tcp.reset.as_deref().filter(|reset| reset.from == Side::Server && !reset.with_ack && !reset.answers_syn)?;
    let open = tcp.open_segment[0];
    let served = tcp.acknowledged[0] > 0 && e.flow.server.payload_bytes > 0;
    (served && open.len > 0 && open.again >= SURELY_AGAIN && tcp.is_next(Side::Client)).then_some(open)
}

/// An error that refuses what the client sends in a session that the server had answered.
fn refuses(e: &Ending<'_>, rejection: &Rejection) -> bool {
    let by_policy = weight(rejection) > 2;
    let by_another = weight(rejection) == 2 && (e.is_tcp() || rejection.by != e.server_ip());
    rejection.to == Side::Client && (by_policy || by_another)
}

/// The last that is kept of at least two errors, after which nothing of the client's came through.
pub(super) fn turned_back<'a>(e: &Ending<'a>) -> Option<&'a Rejection> {
    let first = e.flow.rejections.iter().find(|rejection| refuses(e, rejection)).filter(|_| e.answered)?;
    let last = e.flow.rejections.iter().rfind(|rejection| refuses(e, rejection) && rejection.frame != first.frame)?;
    let in_vain = match e.tcp {
        Some(tcp) => tcp.open_segment[0].len > 0 && tcp.open_segment[0].again >= AGAIN && (!tcp.fins[1] || u32::from(tcp.repeats[0].untaken) >= SURELY_AGAIN),
        None => e.flow.server.last.is_some_and(|heard| heard <= first.time),
    };
    in_vain.then_some(last)
}

pub(super) fn refused_in_between(e: &Ending<'_>) -> Option<Confidence> {
    let rejection = turned_back(e)?;
    Some(if weight(rejection) > 2 { Confidence::High } else { Confidence::Medium })
}

pub(super) fn says_refused_in_between(e: &Ending<'_>) -> String {
    let rejection = turned_back(e);
    let by = rejection.map_or_else(|| "somebody".to_owned(), |rejection| rejection.by.to_string());
    format!("{} had answered, then {by} refused what {} sent ({})", e.server_ip(), e.flow.client.endpoint.ip, icmp(rejection))
}

/// Of the server's segments the one that it sent again and again, and that the client, who takes more, never acknowledged.
fn unacknowledged(tcp: &TcpStory) -> Option<OpenSegment> {
    let open = tcp.open_segment[1];
    let is_lost = open.len > 0 && open.again >= SURELY_AGAIN && !tcp.stalled[0];
    (is_lost && tcp.is_next(Side::Server)).then_some(open)
}

/// The same, where it is small enough for any path, or for this one.
fn unheard(tcp: &TcpStory) -> Option<OpenSegment> {
    unacknowledged(tcp).filter(|open| open.len <= SURE_TO_FIT || open.len <= tcp.largest_acknowledged[1])
}

/// Whether that side repeated to the end what the other had acknowledged.
fn in_vain(tcp: &TcpStory, side: Side) -> bool {
    u32::from(tcp.repeats[side as usize].acknowledged) >= SURELY_AGAIN && !tcp.fins[side as usize] && (tcp.established || tcp.midstream)
}

/// An error by somebody on the way who does not let through what the server answers: prohibited, or no route. A client that is no longer interested says that
/// itself, and that its port is closed.
pub(super) fn answers_refused<'a>(e: &Ending<'a>) -> Option<&'a Rejection> {
    let refuses = |rejection: &&Rejection| {
        rejection.to == Side::Server && rejection.by != e.flow.client.endpoint.ip && matches!(weight(rejection), 1 | 3) && is_no_way(rejection)
    };
    e.flow.rejections.iter().filter(refuses).max_by_key(|rejection| weight(rejection))
}

/// Time exceeded may be a traced route, and what is not named is not judged.
fn is_no_way(rejection: &Rejection) -> bool {
    weight(rejection) == 3 || matches!((rejection.v6, rejection.kind, rejection.code), (false, 3, 0 | 1) | (true, 1, 0 | 3))
}

/// Datagrams whose answers are refused on the way by policy. No route, or no such host, may be a client that was switched off meanwhile.
fn datagrams_refused(e: &Ending<'_>) -> Option<Confidence> {
    let by_policy = |rejection: &&Rejection| rejection.to == Side::Server && weight(rejection) == 3;
    answers_refused(e).filter(by_policy).filter(|_| e.answered)?;
    Some(if e.flow.rejections.iter().filter(by_policy).count() > 1 { Confidence::High } else { Confidence::Medium })
}

/// Both ends repeat themselves though each is heard here: what the server sends does not reach the client.
pub(super) fn answers_lost(e: &Ending<'_>) -> Option<Confidence> {
    let Some(tcp) = e.tcp else { return datagrams_refused(e) };
    let gave_up = tcp.reset.as_deref().is_none_or(|reset| reset.from == Side::Server);
    let is_open = (tcp.established || tcp.midstream) && !tcp.fins[0] && gave_up;
    let both_repeat = unheard(tcp).is_some() && tcp.open_segment[0].len == 0 && tcp.retransmissions[0] >= SURELY_AGAIN;
    (is_open && (both_repeat || in_vain(tcp, Side::Client))).then_some(Confidence::Medium)
}

pub(super) fn says_answers_lost(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.server_ip());
    if let Some(tcp) = e.tcp.filter(|tcp| in_vain(tcp, Side::Client)) {
        let times = tcp.repeats[0].acknowledged;
        return format!("{client} repeated {times} times what {server} had acknowledged: what {server} sends no longer reaches it{}", says_refuser(e));
    }
    let Some(open) = e.tcp.and_then(unheard) else { return format!("{server} answered{}", says_refuser(e)) };
    format!("{server} repeated {} bytes {} times, and {client} what had been answered: the answers do not reach it{}", open.len, open.again, says_refuser(e))
}

/// The client acknowledges, and goes on to do so, and the server repeats all the same: what the client sends no longer reaches it. A client that does not repeat what is not acknowledged is
/// not captured any more.
pub(super) fn acknowledgments_lost(e: &Ending<'_>) -> Option<Confidence> {
    let is_shown = |tcp: &&TcpStory| tcp.open_segment[0].len == 0 || tcp.open_segment[0].again > 0;
    let repeats = e.tcp.filter(|tcp| in_vain(tcp, Side::Server)).is_some_and(|tcp| is_shown(&tcp));
    (repeats || untaken(e).is_some()).then_some(Confidence::Medium)
}

/// What the client sent again and again, so that the server, which was heard after that and may have closed as nothing came, did not get it.
fn untaken(e: &Ending<'_>) -> Option<OpenSegment> {
    let gave_up = |reset: &Reset| reset.from == Side::Client;
    let tcp = e.tcp.filter(|tcp| u32::from(tcp.repeats[0].untaken) >= SURELY_AGAIN && !tcp.stalled[1] && tcp.reset.as_deref().is_none_or(gave_up))?;
    let open = tcp.open_segment[0];
    // What is larger than what had passed may be too large for the path.
    let fits = open.len <= SURE_TO_FIT || open.len <= tcp.largest_acknowledged[0];
    let served = (tcp.established || tcp.midstream) && tcp.acknowledged[0] > 0 && e.flow.server.payload_bytes > 0;
    (served && fits && open.again >= SURELY_AGAIN && tcp.is_next(Side::Client)).then_some(open)
}

pub(super) fn says_acknowledgments_lost(e: &Ending<'_>) -> String {
    let (client, server, times) = (e.flow.client.endpoint.ip, e.server_ip(), e.tcp.map_or(0, |tcp| tcp.repeats[1].acknowledged));
    let lost = format!("what {client} sends no longer reaches it");
    if let Some(open) = untaken(e).filter(|_| u32::from(times) < SURELY_AGAIN) {
        let closed = if e.tcp.is_some_and(|tcp| tcp.fins[1]) { " and closed" } else { "" };
        return format!("{client} repeated {} bytes {} times, and {server}, which was heard after that{closed}, took none of it: {lost}", open.len, open.again);
    }
    format!("{server} repeated {times} times what {client} had acknowledged: {lost}")
}

/// What the server says, or asks to learn whether anybody is there, is repeated, and the client says nothing any more, not even good-bye.
pub(super) fn client_fell_silent(e: &Ending<'_>) -> Option<Confidence> {
    if !e.is_tcp() {
        return told_in_vain(e);
    }
    let gave_up = |reset: &Reset| reset.from == Side::Server;
    let tcp = e.tcp.filter(|tcp| (tcp.established || tcp.midstream) && !tcp.fins[0] && tcp.reset.as_deref().is_none_or(gave_up))?;
    // Servers take their leave of clients that have gone already, but not of one that is telling them something.
    let asks = u32::from(tcp.repeats[1].unanswered) >= SURELY_AGAIN && (!tcp.fins[1] || half_asked(e).is_some());
    let quiet = e.flow.server.last.zip(e.flow.client.last).is_some_and(|(sent, heard)| sent.since(heard) >= ANSWER_BY);
    let refused = answers_refused(e).is_some();
    (quiet && (asks || unacknowledged(tcp).is_some())).then_some(if refused { Confidence::Medium } else { Confidence::Low })
}

/// The same of QUIC and SRT, whose ends acknowledge what they hear. A client whose program is gone says so by ICMP, and one that closed is told nothing more for long.
fn told_in_vain(e: &Ending<'_>) -> Option<Confidence> {
    let (_, by) = TOLD.iter().find(|(known, _)| e.speaks(known))?;
    let is_gone = e.flow.rejections.iter().any(|rejection| rejection.to == Side::Server);
    let alone = e.flow.server.last?.since(e.flow.client.last?);
    (e.flow.alone[1] >= ALONE && alone >= *by && !is_gone && e.refused.is_none()).then_some(Confidence::Low)
}

pub(super) fn says_client_fell_silent(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.server_ip());
    let heard = e.flow.client.last.unwrap_or(e.flow.last).since(e.flow.first).as_secs();
    if !e.is_tcp() {
        let alone = e.flow.server.last.zip(e.flow.client.last).map_or(0, |(sent, heard)| sent.since(heard).as_secs());
        return format!("{client} was heard for {heard} s, then {server} sent {} packets over {alone} s and nothing came back", e.flow.alone[1]);
    }
    let what = match e.tcp.and_then(unacknowledged) {
        Some(open) => format!("{} bytes of {server} were sent again {} times", open.len, open.again),
        None if e.tcp.is_some_and(|tcp| tcp.fins[1]) => {
            let due = half_asked(e).unwrap_or_default();
            format!("nothing came of the last {due} bytes of its request, {server} closed {} times over", e.tcp.map_or(0, |tcp| tcp.repeats[1].unanswered))
        }
        None => format!("{server} asked {} times whether it is there (keep-alives)", e.tcp.map_or(0, |tcp| tcp.repeats[1].unanswered)),
    };
    format!("{client} was heard for {heard} s, then {what} and nothing came back{}", says_refuser(e))
}

/// How often the server sent again what nobody acknowledged; of its first message, which may have come in several segments, any of them.
fn repeated(tcp: &TcpStory) -> Option<u32> {
    let of_first = (tcp.acknowledged[1] == 0 && (1..=SURE_TO_FIT).contains(&tcp.open_segment[1].len)).then_some(tcp.retransmissions[1]);
    unheard(tcp).map(|open| open.again).or(of_first.filter(|again| *again >= SURELY_AGAIN))
}

/// The first bytes that the server said, which never came here, though what follows them did: the client waits for them, so they were lost on the way.
fn never_came(tcp: &TcpStory) -> Option<u64> {
    if tcp.untold[1] > 0 && tcp.first_data[1].is_none() {
        return Some(tcp.untold[1]);
    }
    let open = tcp.open_segment[1];
    let before = open.before()?;
    (open.len > 0 && tcp.acknowledged[1] == 0 && tcp.retransmissions[1] == 0 && (1..=tcp.payload[1]).contains(&before)).then_some(before)
}

/// What the server says comes again and again, or without its beginning, and the client, which is heard after that, acknowledges none of it: a filter let the
/// handshake pass, and cuts what follows. A client that is no longer there is not heard, and one that is no longer interested says so by a reset.
pub(super) fn unheard_by_client(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.missed_bytes == [0, 0] && !tcp.stalled[0])?;
    let gave_up = tcp.reset.as_deref().is_none_or(|reset| reset.from == Side::Server);
    let (again, torn) = (repeated(tcp).is_some(), never_came(tcp).is_some());
    let heard = e.flow.client.last?;
    if tcp.untold[1] > 0 && e.flow.server.payload_bytes == 0 {
        // Of all that it said only that it was all came, before the client closed, too.
        let waits = tcp.fins[0] && server_ended_first(e) && heard.since(e.flow.first) >= ANSWER_BY;
        return (gave_up && !e.lossy && waits).then_some(Confidence::Low);
    }
    let [first, last] = [tcp.first_data[1]?, tcp.last_data[1]?].map(Moment::time);
    match tcp.acknowledged[1] {
        _ if !gave_up || !again && !torn => None,
        0 if heard.since(first) >= ANSWER_BY => Some(if e.lossy { Confidence::Low } else { Confidence::Medium }),
        // One lost segment of many is less sure: the last copy may have arrived.
        _ => (again && heard > last && !e.lossy).then_some(Confidence::Low),
    }
}

pub(super) fn says_unheard_by_client(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.server_ip());
    let said = match (e.tcp.and_then(repeated), e.tcp.and_then(never_came)) {
        (None, Some(len)) => format!("the first {len} bytes that {server} said did not come this far"),
        (again, _) => {
            let what = if e.tcp.is_some_and(|tcp| tcp.acknowledged[1] == 0) { "the first that it said" } else { "what it said" };
            format!("{server} repeated {what} {} times", again.unwrap_or_default())
        }
    };
    format!("the connection stands, but {said}, and {client}, which was heard after that, acknowledged none of it{}", says_refuser(e))
}

/// Who does not let the answers through, in words.
pub(super) fn says_refuser(e: &Ending<'_>) -> String {
    let refused = answers_refused(e).map(|rejection| format!("; {} does not let through what it answers ({})", rejection.by, icmp(Some(rejection))));
    refused.unwrap_or_default()
}

/// The client of QUIC never comes beyond its first packets, though the server answers.
pub(super) fn quic_stalls(e: &Ending<'_>) -> Option<Confidence> {
    (stalls_in_initial(e.identified) && e.refused.is_none() && datagrams_refused(e).is_none()).then_some(Confidence::Low)
}

pub(super) fn says_quic_stalls(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.flow.server.endpoint);
    format!(
        "{server} answered the QUIC of {client}, which sent its first packets {} times all the same: not all that was answered reaches it",
        e.flow.client.packets
    )
}

/// The server had answered, in a protocol in which whoever is there answers, and then the client spoke alone.
pub(super) fn alone(e: &Ending<'_>) -> Option<Confidence> {
    let protocol = e.identified.protocol.first().filter(|_| !e.is_tcp())?;
    let (_, by) = ANSWERING.iter().find(|(known, _)| known == protocol)?;
    let heard = e.flow.server.last?;
    let alone = e.flow.client.last?.since(heard);
    if tells_its_engine_alone(e) {
        return (u32::from(e.flow.alone[0]) >= SURELY_AGAIN && alone >= ASKED_BY).then_some(Confidence::Low);
    }
    let is_there = e.heard_elsewhere.is_some_and(|elsewhere| elsewhere.since(heard) >= ANSWER_BY);
    // WireGuard's keep-alives are not answered, and one end may send them for the other, which has nothing to say, until the keys are renewed (its paper, sections 6.1 and 6.5).
    let is_asked = *protocol != "wireguard" || alone >= KEYS_RENEWED_BY || KEPT_ALIVE_EACH * u32::from(e.flow.alone[0]) >= alone;
    (e.flow.alone[0] >= ALONE && alone >= *by && is_asked).then_some(if is_there { Confidence::Medium } else { Confidence::Low })
}

/// Whether an agent of SNMPv3 told who it is, which it does for everybody (RFC 3414 section 4: a get of nothing), and said nothing else.
fn tells_its_engine_alone(e: &Ending<'_>) -> bool {
    e.speaks("snmp") && e.flow.server.packets == 1 && e.identified.facts.iter().any(|fact| fact.as_request() == Some(("get", "")))
}

pub(super) fn says_alone(e: &Ending<'_>) -> String {
    let heard = e.flow.server.last.unwrap_or(e.flow.last);
    if tells_its_engine_alone(e) {
        let (server, times, seconds) = (e.server_ip(), e.flow.alone[0], e.flow.last.since(heard).as_secs());
        return format!("{server} told its SNMP engine, and answered none of the {times} requests that followed over {seconds} s");
    }
    format!(
        "{} answered for {} s, then {} sent {} packets over {} s and nothing came back",
        e.server_ip(),
        heard.since(e.flow.first).as_secs(),
        e.flow.client.endpoint.ip,
        e.flow.alone[0],
        e.flow.last.since(heard).as_secs()
    )
}

/// Protocols in which a client that is told something says that it heard it, with the time by which it does.
const TOLD: &[(&str, Duration)] = &[("quic", ACKNOWLEDGED_BY), ("srt", ACKNOWLEDGED_BY)];
/// Protocols with the time by which whoever is spoken to is heard.
const ANSWERING: &[(&str, Duration)] =
    &[("ntp", REPLY_BY), ("quic", ACKNOWLEDGED_BY), ("snmp", REPLY_BY), ("srt", ACKNOWLEDGED_BY), ("wireguard", KEPT_ALIVE_BY)];
