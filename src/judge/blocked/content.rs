//! Rules on what became of a connection after its handshake: cut, or its content lost, or nothing replied, or nothing said.

use std::time::Duration;

use crate::count::bytes;
use crate::flow::{Ended, Moment, OpenSegment, Reset, TcpStory};
use crate::identify::{Fact, Step};
use crate::judge::Confidence;
use crate::judge::blocked::accepted;
use crate::judge::blocked::middle::forgotten;
use crate::judge::blocked::refusal::signs;
use crate::judge::blocked::unended::{asks_by_name, silent_for, unfinished};
use crate::judge::ending::Ending;
use crate::judge::threshold::{AGAIN, ANSWER_BY, FOREIGN_HOPS, IDLE, LEAST_HEADERS, LEFT_AT_ONCE, REPLY_BY, SESSION_ID, SOME_LOSS, SURE_TO_FIT, SURELY_AGAIN};
use crate::limit::CLOCKS_APART;
use crate::net::Side;

pub(super) fn midstream(e: &Ending<'_>) -> Option<Confidence> {
    e.tcp.filter(|tcp| tcp.midstream).map(|_| Confidence::High)
}

pub(super) fn says_midstream(_: &Ending<'_>) -> String {
    "the connection was already open when the capture began".to_owned()
}

/// The client spoke and the server did not; nor did it say something that was not captured, as far as that can be told.
pub(super) fn is_one_sided_talk(e: &Ending<'_>) -> bool {
    let heard_out = e.tcp.is_none_or(|tcp| tcp.missed_bytes[1] == 0);
    !e.one_way && heard_out && e.flow.client.payload_bytes > 0 && e.flow.server.payload_bytes == 0
}

/// The reset by which the server's address cut the connection after the client's first message and before any of its own.
fn cut<'a>(e: &Ending<'a>) -> Option<&'a Reset> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream)?;
    let reset = tcp.reset.as_ref().filter(|reset| reset.from == Side::Server)?;
    // What it answers may bear a later time, or have met it on the way.
    let is_told = reset.client_payload > 0 || tcp.first_data[0].is_some_and(|first| first.time() <= reset.time + CLOCKS_APART);
    (is_one_sided_talk(e) && is_told && reset.server_payload == 0).then_some(reset)
}

/// From another distance than all the host sent otherwise. Resets that contradict each other, a host that goes on after "its" reset, an early one, a
/// strange identification, or another name that is served at the same place are a second sign. The name alone, cut at several addresses that serve others,
/// is one by itself.
pub(super) fn cut_by_another(e: &Ending<'_>) -> Option<Confidence> {
    cut(e)?;
    let contradicted = e.tcp.is_some_and(|tcp| tcp.reset_contradicted);
    let second = contradicted || e.control.is_some() || e.foreign.signs() >= 2;
    match (e.foreign.is_far(), second) {
        (true, true) => Some(Confidence::High),
        (true, false) => Some(Confidence::Medium),
        (false, _) if e.control.is_some() && (e.failures >= 2 || e.foreign.signs() > 0) => Some(Confidence::Medium),
        (false, _) if e.foreign.early && (contradicted || e.foreign.other_counter) => Some(Confidence::Medium),
        _ => None,
    }
}

pub(super) fn says_cut_by_another(e: &Ending<'_>) -> String {
    let name = e.name.map_or_else(String::new, |name| format!(" (which names {name})"));
    format!(
        "after the client's first {}{name} a reset in the name of {} ended the connection, but {}{}",
        bytes(e.flow.client.payload_bytes),
        e.server_ip(),
        signs(e),
        control(e)
    )
}

/// What the control shows, in words.
fn control(e: &Ending<'_>) -> String {
    e.control.map_or_else(String::new, |other| format!("; {other} is served at the same address"))
}

/// The SYN-ACK of a device in between: from another distance than everything that the host says where it talks.
pub(super) fn accepted_in_place(e: &Ending<'_>) -> Option<Confidence> {
    e.tcp.filter(|tcp| tcp.syn_acks > 0 && !tcp.midstream)?;
    (e.flow.server.payload_bytes == 0 && e.syn_ack_off.is_some_and(|off| off >= FOREIGN_HOPS)).then_some(Confidence::Medium)
}

pub(super) fn says_accepted_in_place(e: &Ending<'_>) -> String {
    let (ttl, off) = (e.tcp.and_then(|tcp| tcp.syn_ack_ttl).unwrap_or(0), e.syn_ack_off.unwrap_or(0));
    format!(
        "something accepted the connection in the name of {}: its time to live ({ttl}) is {off} off all that the host says otherwise, and nothing followed",
        e.server_ip()
    )
}

pub(super) fn cut_after_first(e: &Ending<'_>) -> Option<Confidence> {
    cut(e).map(|_| Confidence::Low)
}

pub(super) fn says_cut_after_first(e: &Ending<'_>) -> String {
    format!("the connection was reset in the name of {} after the client's first {}{}", e.server_ip(), bytes(e.flow.client.payload_bytes), control(e))
}

/// A segment that one side sent again and again and of which nothing was acknowledged till the end, though smaller ones were.
#[derive(Clone, Copy)]
struct Lost {
    side: Side,
    /// Its payload.
    len: u32,
    again: u32,
    /// Largest payload segment of that side that was acknowledged; none beyond the handshake.
    passed: u32,
}

fn lost(e: &Ending<'_>, side: Side) -> Option<Lost> {
    let gave_up = |reset: &Reset| reset.from == side;
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.reset.as_deref().is_none_or(gave_up))?;
    let place = side as usize;
    let (OpenSegment { len, again, .. }, passed) = (tcp.open_segment[place], tcp.largest_acknowledged[place]);
    let other_end_heard = if side == Side::Client { e.flow.server.packets > 0 } else { e.flow.client.packets > 0 };
    (other_end_heard && tcp.is_next(side) && len > passed && again >= AGAIN).then_some(Lost { side, len, again, passed })
}

/// Larger than any path must carry, and smaller ones pass. Where nothing but the handshake passed, content is as likely a reason.
fn too_large(e: &Ending<'_>) -> Option<Lost> {
    [Side::Server, Side::Client].into_iter().find_map(|side| lost(e, side).filter(|lost| lost.len > SURE_TO_FIT))
}

/// A router told the size, more than once or before the last repetition, and the sender goes on with its own (RFC 1191 section 6.3).
pub(super) fn ignores_mtu(e: &Ending<'_>) -> Option<Confidence> {
    let lost = [Side::Server, Side::Client].into_iter().find_map(|side| lost(e, side))?;
    let told = |rejection: &&crate::flow::Rejection| rejection.to == lost.side && rejection.mtu.is_some_and(|mtu| lost.len + LEAST_HEADERS > mtu);
    (e.flow.rejections.iter().filter(told).count() >= 2 && lost.again >= SURELY_AGAIN).then_some(Confidence::High)
}

pub(super) fn says_ignores_mtu(e: &Ending<'_>) -> String {
    let lost = [Side::Server, Side::Client].into_iter().find_map(|side| lost(e, side));
    let told = e.flow.rejections.iter().find_map(|rejection| Some((rejection.by, rejection.mtu?)));
    let (Some(Lost { side, len, again, .. }), Some((by, mtu))) = (lost, told) else { return "a router's word on sizes is ignored".to_owned() };
    format!("{by} says that no more than {mtu} bytes pass, but the {side} sent its segment of {len} bytes again {again} times")
}

/// What a black hole leaves for the receiver's side: small segments of the server, and before them more bytes than any path must carry at once that never came, as the client,
/// which waited for them, never acknowledged them. What the capture alone lost would have been acknowledged. The bytes, and the length of the largest segment that came.
fn hole(e: &Ending<'_>) -> Option<(u64, u32)> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && !tcp.fins[1])?;
    let open = tcp.open_segment[1];
    let (hole, largest) = (open.before()?.checked_sub(tcp.acknowledged[1])?, open.len.max(tcp.largest_acknowledged[1]));
    let is_large = hole > u64::from(SURE_TO_FIT) && tcp.missed_bytes[1] >= hole && tcp.is_next(Side::Server);
    let waited = e.flow.client.last?.since(tcp.last_data[1]?.time());
    (open.len > 0 && is_large && largest <= SURE_TO_FIT && waited >= ANSWER_BY).then_some((hole, largest))
}

pub(super) fn large_lost(e: &Ending<'_>) -> Option<Confidence> {
    if hole(e).is_some() {
        return Some(Confidence::Low);
    }
    let lost = too_large(e)?;
    let told_by_router = e.flow.rejections.iter().any(|rejection| rejection.mtu.is_some());
    Some(match lost.passed > 0 || lost.side == Side::Server || told_by_router {
        true if lost.again >= SURELY_AGAIN => Confidence::Medium,
        _ => Confidence::Low,
    })
}

pub(super) fn says_large_lost(e: &Ending<'_>) -> String {
    if let Some((hole, largest)) = hole(e) {
        return format!("segments of the server of up to {largest} bytes came, but {hole} bytes before them never did, and the client never acknowledged them");
    }
    let Some(Lost { side, len, again, .. }) = too_large(e) else { return "large segments were lost".to_owned() };
    let told = e.flow.rejections.iter().find_map(|rejection| Some((rejection.by, rejection.mtu?)));
    let router = match told {
        Some((by, mtu)) => format!("{by} says that no more than {mtu} bytes pass"),
        None => "no ICMP error says why".to_owned(),
    };
    format!("smaller packets pass, but a segment of {len} bytes by the {side} was sent again {again} times and never acknowledged; {router}")
}

/// The client's first message, small enough for any path, vanishes after a handshake that passed. Another name that is served at the same place shows that
/// it is about the name.
pub(super) fn first_lost(e: &Ending<'_>) -> Option<Confidence> {
    if never_came(e).is_some() {
        return Some(Confidence::Low);
    }
    let lost = lost(e, Side::Client).filter(|lost| lost.len <= SURE_TO_FIT)?;
    // Who speaks first (SSH, FTP, mail) has nothing acknowledged by that.
    let stands = |tcp: &TcpStory| e.flow.server.payload_bytes == 0 || !tcp.fins[1];
    let first = e.tcp.is_some_and(|tcp| tcp.acknowledged[0] == 0 && tcp.missed_bytes[1] == 0 && stands(tcp)) && !e.one_way;
    first.then_some(match lost.again >= SURELY_AGAIN {
        true if e.control.is_some() => Confidence::High,
        true => Confidence::Medium,
        false => Confidence::Low,
    })
}

/// All that the client said never came, but for the word that it was all, and the server, which closed after that, did not acknowledge it.
fn never_came(e: &Ending<'_>) -> Option<u64> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.missed_bytes == [0, 0] && tcp.reset.is_none())?;
    let silent = e.flow.client.payload_bytes == 0 && tcp.acknowledged[0] == 0 && tcp.untold[0] > 0 && tcp.fins[1] && !server_ended_first(e);
    (silent && !e.one_way && e.flow.server.last?.since(e.flow.first) >= ANSWER_BY).then_some(tcp.untold[0])
}

pub(super) fn says_first_lost(e: &Ending<'_>) -> String {
    if let Some(untold) = never_came(e) {
        return format!("the handshake passed, and of {} that the client said none came this far, only that it closed", bytes(untold));
    }
    let (len, again) = lost(e, Side::Client).map_or((0, 0), |lost| (lost.len, lost.again));
    format!(
        "the handshake passed, but the client's first message ({}) was sent again {again} times and never acknowledged{}{}",
        bytes(u64::from(len)),
        accepted::says_again(e),
        control(e)
    )
}

/// The server had answered, or taken a part of what the client has to say, and then nothing that the client sends arrives any more, without a pause in which anybody would have forgotten the connection. A server that went
/// away looks the same, but for one that is heard elsewhere meanwhile: it would refuse what belongs to no connection of its own.
pub(super) fn cut_in_between(e: &Ending<'_>) -> Option<Confidence> {
    if forgotten(e).is_some() {
        return Some(Confidence::Low);
    }
    let gave_up = |reset: &Reset| reset.from == Side::Client;
    let tcp = e.tcp.filter(|tcp| (tcp.established || tcp.midstream) && tcp.reset.as_deref().is_none_or(gave_up))?;
    let OpenSegment { len, again, .. } = tcp.open_segment[0];
    // A server that waits for the rest of what it is told closes in the end. One that had said something may be through with its client.
    let closes = tcp.fins[1] && again >= SURELY_AGAIN && e.flow.server.payload_bytes == 0;
    if tcp.fins[1] && !closes {
        return None;
    }
    // An answer that stops before its end says more than that its reader left.
    let is_gone = is_alone(tcp) && !(tcp.fins[0] && unfinished(e).is_some());
    let is_lost = len > 0 && again >= SURELY_AGAIN && !tcp.stalled[1] && tcp.is_next(Side::Client) || is_gone;
    // An upload is answered when it is whole, and a log never is; that a part of it was taken shows that it was served.
    // Where its beginning was not seen, nobody knows whether it had ever got beyond its size.
    let served = tcp.acknowledged[0] > 0 && (e.flow.server.payload_bytes > 0 || e.one_way || !tcp.midstream) || is_gone && e.flow.server.payload_bytes > 0;
    let heard = e.flow.server.last?;
    let quiet = e.flow.client.last.is_some_and(|sent| sent.since(heard) >= ANSWER_BY);
    let is_there = e.heard_elsewhere.is_some_and(|elsewhere| elsewhere.since(heard) >= ANSWER_BY);
    (is_lost && served && (quiet || closes)).then_some(if is_there { Confidence::Medium } else { Confidence::Low })
}

pub(super) fn says_cut_in_between(e: &Ending<'_>) -> String {
    if let Some(open) = forgotten(e) {
        return format!(
            "{} had served, then {} of the client were repeated {} times, and reset at last by a host that knows nothing of the connection: it was started anew, had given it up, or another one took its address",
            e.server_ip(),
            bytes(u64::from(open.len)),
            open.again
        );
    }
    let heard = e.flow.server.last.unwrap_or(e.flow.last);
    let elsewhere = match e.heard_elsewhere.is_some_and(|elsewhere| elsewhere.since(heard) >= ANSWER_BY) {
        true => "; the server was heard in other connections meanwhile",
        false if e.tcp.is_some_and(|tcp| tcp.fins[1]) => "; the server waited for the rest, and closed",
        false => "",
    };
    let (server, seconds) = (e.server_ip(), heard.since(e.flow.first).as_secs());
    let so_far = match (e.flow.server.payload_bytes, e.tcp.map_or(0, |tcp| tcp.acknowledged[0])) {
        (0, taken) => format!("{server} took {} in {seconds} s and said nothing", bytes(taken)),
        _ => format!("{server} served for {seconds} s"),
    };
    format!("{so_far}, then {}{elsewhere}", e.tcp.map_or_else(String::new, |tcp| repeated(tcp, Side::Client)))
}

/// Whether the client asks again and again whether the server is there, or takes its leave, and nothing comes back.
fn is_alone(tcp: &TcpStory) -> bool {
    u32::from(tcp.repeats[0].unanswered) >= SURELY_AGAIN
}

/// What one side repeats, and nobody acknowledges, in words.
fn repeated(tcp: &TcpStory, side: Side) -> String {
    let (again, unheard) = (tcp.open_segment[side as usize].again, tcp.repeats[side as usize].unanswered);
    match again < SURELY_AGAIN && u32::from(unheard) >= SURELY_AGAIN {
        true if tcp.fins[side as usize] => format!("the {side} closed, {unheard} times over, and was never answered"),
        true => format!("the {side} asked {unheard} times whether the other end is there (keep-alives) and was never answered"),
        false => format!("what the {side} sent was repeated {again} times and never acknowledged"),
    }
}

/// So many bytes of a request were still to come when nothing more of it came.
pub(super) fn half_asked(e: &Ending<'_>) -> Option<u64> {
    // A client that waits for leave to send the rest (RFC 9110 section 10.1.1) has sent one segment.
    let [first, last] = e.tcp.map(|tcp| [tcp.first_data[0], tcp.last_data[0]])?;
    let due = e.identified.facts.iter().find_map(|fact| if let Fact::HalfAsked(due) = fact { Some(*due) } else { None });
    due.filter(|_| first < last && e.flow.server.payload_bytes == 0)
}

/// An alert of TLS, encrypted or not: 5 bytes of header, 2 of its own, at most 40 of what seals it.
const FAREWELL: u32 = 47;

/// As below; or it ended the handshake, and left at once without having asked anything, as programs do that look at a certificate when that is over. So does who only tests a connection, and who had opened
/// one more than it needed: that one is served in another. Of what was announced (FTP) the server may be the only one who speaks.
pub(super) fn left_handshake(e: &Ending<'_>) -> Option<Confidence> {
    left_unended(e).or_else(|| left_unused(e).then_some(Confidence::Low))
}

fn left_unused(e: &Ending<'_>) -> bool {
    let has_left = e.reached(Step::ClientLeft);
    let is_unused =
        e.speaks("tls") && (has_left || e.reached(Step::ClientFinished)) && e.refused.is_none() && !e.served_before && e.identified.announced.is_none();
    let Some(tcp) = e.tcp.filter(|tcp| is_unused && tcp.established && !tcp.midstream && tcp.missed_bytes == [0, 0]) else { return false };
    let by_client = tcp.fins[0] || tcp.reset.as_deref().is_some_and(|reset| reset.from == Side::Client);
    let over = tcp.first_data[0].zip(e.flow.client.last).map(|(hello, last)| last.since(hello.time()));
    by_client && (has_left || !server_ended_first(e)) && over.is_some_and(|over| over <= LEFT_AT_ONCE)
}

/// The client got the server's hello and certificate whole, and closed without another byte: neither an alert nor the message that ends the handshake (RFC 8446 section
/// 2, RFC 5246 section 7.3). Libraries that do not trust a certificate may leave so.
fn left_unended(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.missed_bytes == [0, 0])?;
    // The server's own farewell, to a client that is gone already. Who closed before the hello came (the slower of two ways that were tried) did not leave for it.
    let is_gone = tcp.fins[0] && tcp.acknowledged[1] > 0 && tcp.reset.as_deref().is_some_and(|reset| reset.from == Side::Client);
    if tcp.open_segment[1].len > if is_gone { FAREWELL } else { 0 } {
        return None;
    }
    let stands = e.speaks("tls") && e.refused.is_none() && matches!(e.step(), Some(Step::ServerHello | Step::ServerCertificate | Step::CertificateAsked));
    let by_client = tcp.fins[0] || tcp.reset.as_deref().is_some_and(|reset| reset.from == Side::Client);
    (stands && by_client && !server_ended_first(e)).then_some(Confidence::Medium)
}

pub(super) fn says_left_handshake(e: &Ending<'_>) -> String {
    let named = e.name.map_or_else(String::new, |name| format!(" (asked for {name})"));
    if left_unended(e).is_none() {
        return format!("the client ended the TLS handshake{named} and left at once, without having asked anything, and is served in no other connection");
    }
    format!("the client closed after the server's hello{named}, without an alert and without ending the TLS handshake")
}

/// Too little to call it lost, and nothing to call it served.
pub(super) fn unacknowledged(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.acknowledged[0] == 0)?;
    (is_one_sided_talk(e) && tcp.reset.is_none()).then_some(Confidence::Low)
}

pub(super) fn says_unacknowledged(e: &Ending<'_>) -> String {
    format!("{} accepted the connection; that it got the client's first message was not seen", e.server_ip())
}

/// Of the documented TeaTime: the client's session id, 16 bytes, then the dispatcher closes without a word (`TConnectionDispatcher`).
pub(super) fn unknown_session(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && e.speaks_teatime)?;
    let asked = e.flow.client.payload_bytes == SESSION_ID && tcp.acknowledged[0] == SESSION_ID && e.flow.server.payload_bytes == 0;
    (asked && server_ended_first(e)).then_some(Confidence::High)
}

pub(super) fn server_ended_first(e: &Ending<'_>) -> bool {
    let letters = e.flow.history.as_str();
    let by_server = letters.find(['f', 'r']);
    let by_client = letters.find(['F', 'R']);
    by_server.is_some_and(|server| by_client.is_none_or(|client| server < client))
}

pub(super) fn says_unknown_session(e: &Ending<'_>) -> String {
    format!("{} took the session id of 16 bytes and closed: its dispatcher does not know this space", e.server_ip())
}

/// Whether something that the client said was acknowledged. Without the SYN-ACK it is not known where the server's stream begins, and so whether a part of it was acknowledged.
pub(super) fn was_taken(e: &Ending<'_>) -> bool {
    e.tcp.is_some_and(|tcp| tcp.established && !tcp.midstream && tcp.syn_acks > 0 && tcp.acknowledged[0] > 0)
}

/// The request arrived, as it was acknowledged, and nothing came of it.
pub(super) fn no_reply(e: &Ending<'_>) -> Option<Confidence> {
    e.tcp.filter(|_| was_taken(e))?;
    if let Some(waited) = too_late(e) {
        return Some(if waited >= REPLY_BY { Confidence::Medium } else { Confidence::Low });
    }
    if !is_one_sided_talk(e) {
        return awaited(e);
    }
    if half_asked(e).is_some() {
        return None;
    }
    let waited = e.flow.last.since(e.flow.client.last.unwrap_or(e.flow.last)).max(e.left);
    if e.flow.ended != Ended::Closed && waited >= REPLY_BY {
        // A capture that loses packets may have lost the reply with all that came after it, the client's farewell included.
        let is_torn = e.tcp.is_some_and(|tcp| tcp.missed_bytes[0] > u64::from(tcp.cut_bytes));
        return Some(if e.loss() > SOME_LOSS || is_torn { Confidence::Low } else { Confidence::Medium });
    }
    gave_up(e)
}

/// The client closed after it had waited, in a protocol whose first message is always answered: its patience ran out before the server said a word.
fn gave_up(e: &Ending<'_>) -> Option<Confidence> {
    let waited = patience(e)?;
    // What is open still may be answered.
    e.tcp.filter(|tcp| tcp.fins[0] || e.flow.ended == Ended::Closed)?;
    (is_answered(e.identified.protocol.first()) && !server_ended_first(e) && waited >= ANSWER_BY).then_some(if waited >= REPLY_BY {
        Confidence::Medium
    } else {
        Confidence::Low
    })
}

pub(super) fn is_answered(protocol: Option<&&'static str>) -> bool {
    protocol.is_some_and(|protocol| ANSWERED.contains(protocol))
}

/// The reply came when the client had left: its host refuses all of it. How long the client's message lay there.
fn too_late(e: &Ending<'_>) -> Option<Duration> {
    let is_taken = |tcp: &&TcpStory| tcp.acknowledged[0] > 0 && tcp.open_segment[0].len == 0 && tcp.missed_bytes == [0, 0];
    let tcp = e.tcp.filter(is_taken).filter(|tcp| tcp.fins[0] && tcp.acknowledged[1] == 0 && !server_ended_first(e))?;
    tcp.reset.as_deref().filter(|reset| reset.from == Side::Client && reset.server_payload > 0)?;
    let waited = tcp.first_data[1]?.time().since(tcp.last_data[0]?.time());
    (is_answered(e.identified.protocol.first()) && waited >= ANSWER_BY).then_some(waited)
}

/// The same of a later request, where the connection had served others, and of the first one behind a TLS handshake.
fn awaited(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.missed_bytes == [0, 0] && tcp.open_segment[0].len == 0 && !server_ended_first(e))?;
    let by_client = tcp.reset.as_deref().map_or(tcp.fins[0], |reset| reset.from == Side::Client);
    let awaits = e.identified.facts.contains(&Fact::Awaited) && asks_by_name(e) && tcp.last_data[0] > tcp.last_data[1];
    // TLS takes its leave in a message of its own; and what is inside must be known to be answered.
    let (waited, is_due) = match e.speaks("tls") {
        true => (silent_for(e), is_answered(e.identified.protocol.get(1))),
        false => (patience(e)?, true),
    };
    (awaits && by_client && is_due && waited >= REPLY_BY).then_some(Confidence::Low)
}

/// From the client's last message to its last packet.
fn patience(e: &Ending<'_>) -> Option<Duration> {
    Some(e.flow.client.last?.since(e.tcp?.last_data[0]?.time()))
}

pub(super) fn says_no_reply(e: &Ending<'_>) -> String {
    if let Some(waited) = too_late(e) {
        let (server, taken, seconds) = (e.server_ip(), bytes(e.flow.client.payload_bytes), waited.as_secs());
        return format!("{server} accepted the connection and took {taken}, and replied {seconds} s later, when the client had left");
    }
    if e.speaks("tls") && e.flow.server.payload_bytes > 0 {
        let seconds = silent_for(e).as_secs();
        return format!(
            "{} ended the TLS handshake, took a request and did not reply; nothing had come when the client left, {seconds} s later",
            e.server_ip()
        );
    }
    // Who was never answered waited from the first word on, whatever it said later, as that it leaves.
    let spoke = e.tcp.filter(|_| e.flow.server.payload_bytes == 0).and_then(|tcp| tcp.first_data[0]);
    let since_first = spoke.zip(e.flow.client.last).map(|(first, last)| last.since(first.time()));
    let gave_up = match since_first.or_else(|| patience(e)) {
        Some(waited) if e.flow.ended == Ended::Closed || e.tcp.is_some_and(|tcp| tcp.fins[0]) => {
            format!("; nothing had come when the client left, {} s later", waited.as_secs())
        }
        _ => String::new(),
    };
    if e.flow.server.payload_bytes > 0 {
        return format!("{} had answered, took another request and did not reply{gave_up}", e.server_ip());
    }
    format!("{} accepted the connection and took {} but did not reply{gave_up}", e.server_ip(), bytes(e.flow.client.payload_bytes))
}

/// In good order, by the server first, without a byte of its own: a proxy that found no way on, a service that did not like what it read.
pub(super) fn closed_without_reply(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.reset.is_none() && tcp.acknowledged[0] > 0)?;
    // Where a part is missing, the client may have closed first, or got its word.
    let whole = tcp.missed_bytes == [0, 0];
    let is_lost = tcp.open_segment[0].again >= SURELY_AGAIN;
    (whole && !is_lost && is_one_sided_talk(e) && tcp.fins[1] && server_ended_first(e)).then_some(Confidence::Low)
}

pub(super) fn says_closed_without_reply(e: &Ending<'_>) -> String {
    format!("{} took the client's {} and closed without a word{}", e.flow.server.endpoint, bytes(e.flow.client.payload_bytes), control(e))
}

/// Windows that stay closed to the end: what the client has to say is not taken.
/// After a silence in which devices on the way forget a connection: data that nobody acknowledges, or a reset from elsewhere.
pub(super) fn idle(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established || tcp.midstream)?;
    if e.flow.client.packets == 0 || e.flow.server.packets == 0 {
        return None;
    }
    let foreign =
        tcp.reset.as_deref().is_some_and(|reset| e.foreign.is_far() && tcp.silence_before[reset.from.other() as usize].max(reset.after_silence) >= nanos(IDLE));
    if foreign {
        return Some(Confidence::High);
    }
    let unheard = |side: Side| {
        // Servers close at last on clients that were gone long ago.
        let asks = side == Side::Client || !tcp.fins[1];
        asks && u32::from(tcp.repeats[side as usize].unanswered) >= SURELY_AGAIN
            && !tcp.fins[side.other() as usize]
            && tcp.silence_before[side as usize] >= nanos(IDLE)
    };
    if (unheard(Side::Client) || unheard(Side::Server)) && tcp.reset.is_none() {
        return Some(Confidence::Low);
    }
    let unanswered = |side: Side| {
        let (place, other) = (side as usize, side.other());
        let sent = tcp.last_data[place].map(Moment::time);
        let heard = if other == Side::Client { e.flow.client.last } else { e.flow.server.last };
        let quiet = sent.zip(heard).is_some_and(|(sent, heard)| sent > heard && nanos(sent.since(heard)) >= tcp.silence_before[place]);
        let open = tcp.open_segment[place].len > 0 && tcp.open_segment[place].again >= SURELY_AGAIN;
        // Who has closed need not be there any more.
        let left = tcp.fins[other as usize];
        open && quiet && !left && tcp.silence_before[place] >= nanos(IDLE) && tcp.reset.as_deref().is_none_or(|reset| reset.from == side)
    };
    (unanswered(Side::Client) || unanswered(Side::Server)).then_some(Confidence::Medium)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn says_idle(e: &Ending<'_>) -> String {
    let Some(tcp) = e.tcp else { return "cut after idling".to_owned() };
    let reset = tcp.reset.as_deref().filter(|_| e.foreign.is_far());
    let silence = tcp.silence_before[0].max(tcp.silence_before[1]).max(reset.map_or(0, |reset| reset.after_silence));
    let then = match reset {
        Some(_) => format!("a reset came, but {}", signs(e)),
        None => {
            let side = if tcp.silence_before[1] > tcp.silence_before[0] { Side::Server } else { Side::Client };
            match tcp.open_segment[0].again.max(tcp.open_segment[1].again) {
                again @ SURELY_AGAIN.. => format!("what was sent then was repeated {again} times and never acknowledged"),
                _ => repeated(tcp, side),
            }
        }
    };
    format!("the connection was silent for {} s; {then}", silence / 1_000_000_000)
}

pub(super) fn nothing_said(e: &Ending<'_>) -> Option<Confidence> {
    // What was acknowledged or skipped was said, though it was not captured.
    let tcp = e.tcp.filter(|tcp| !tcp.midstream && tcp.syn_acks > 0 && (tcp.missed_bytes, tcp.untold) == ([0, 0], [0, 0]))?;
    if greeted(e).is_some() {
        return Some(Confidence::Low);
    }
    let silent = e.flow.client.payload_bytes == 0 && e.flow.server.payload_bytes == 0;
    silent.then_some(if tcp.established { Confidence::High } else { Confidence::Medium })
}

/// The client took what the server said first, and is silent for longer than any client of that protocol takes: what it says may be lost on its way. One that
/// closes itself wanted no more. How long.
fn greeted(e: &Ending<'_>) -> Option<Duration> {
    let tcp = e.tcp.filter(|tcp| tcp.established && tcp.acknowledged[1] > 0 && tcp.open_segment[1].len == 0)?;
    let speaks_at_once = e.identified.protocol.first().is_some_and(|protocol| GREETED.contains(protocol));
    let stays = (tcp.fins == [false, false] && tcp.reset.is_none()) || server_ended_first(e);
    let waited = e.flow.last.since(tcp.last_data[1]?.time()).saturating_add(if e.flow.ended == Ended::Closed { Duration::ZERO } else { e.left });
    (e.flow.client.payload_bytes == 0 && speaks_at_once && stays && waited >= REPLY_BY).then_some(waited)
}

pub(super) fn says_nothing_said(e: &Ending<'_>) -> String {
    let (server, seconds) = (e.server_ip(), e.span.as_secs());
    if let Some(waited) = greeted(e) {
        return format!("{server} said who it is, and {}, which took that, said nothing for {} s", e.flow.client.endpoint.ip, waited.as_secs());
    }
    let ended = e.tcp.filter(|tcp| tcp.established && (tcp.fins != [false, false] || tcp.reset.is_some()));
    match (ended, server_ended_first(e)) {
        (Some(_), true) if seconds == 0 => format!("{server} accepted the connection and closed it at once"),
        (Some(_), true) => format!("{server} accepted the connection and closed it within {} s; neither side sent anything", seconds + 1),
        (Some(_), false) if e.span >= ANSWER_BY => {
            format!("{server} accepted the connection, and neither side sent anything; the client left after {seconds} s")
        }
        _ => format!("{server} accepted the connection, and neither side sent anything"),
    }
}

/// Protocols in which the server speaks first, and programs, not people, go on at once.
const GREETED: &[&str] = &["mysql", "rfb", "smtp", "ssh"];
/// Protocols whose clients speak first, or without waiting, and are always answered.
const ANSWERED: &[&str] =
    &["amqp", "dns", "http", "kerberos", "ldap", "mqtt", "oracle_tns", "postgresql", "rdp", "redis", "rtsp", "sip", "smb", "ssh", "tds", "tls", "xmpp"];
