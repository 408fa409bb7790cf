//! Rules on what became of a connection after its handshake: cut, or its content lost, or nothing replied, or nothing said.

use std::time::Duration;

use crate::flow::{Ended, Reset};
use crate::judge::Confidence;
use crate::judge::ending::Ending;
use crate::net::Side;

pub(super) fn midstream(e: &Ending<'_>) -> Option<Confidence> {
    e.tcp.filter(|tcp| tcp.midstream).map(|_| Confidence::High)
}

pub(super) fn says_midstream(_: &Ending<'_>) -> String {
    "the connection was already open when the capture began".to_owned()
}

fn is_one_sided_talk(e: &Ending<'_>) -> bool {
    !e.one_way && e.flow.client.payload_bytes > 0 && e.flow.server.payload_bytes == 0
}

/// The reset by which the server's address cut the connection after the client's first message and before any of its own.
fn cut<'a>(e: &Ending<'a>) -> Option<&'a Reset> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream)?;
    let reset = tcp.reset.as_ref().filter(|reset| reset.from == Side::Server)?;
    (is_one_sided_talk(e) && reset.client_payload > 0 && reset.server_payload == 0).then_some(reset)
}

/// From another distance than all the host sent otherwise. Resets that contradict each other, or a host that goes on after "its" reset, are a second sign.
pub(super) fn cut_by_another(e: &Ending<'_>) -> Option<Confidence> {
    cut(e).filter(|_| e.reset_hops_off.is_some_and(|off| off >= super::FOREIGN_HOPS))?;
    let contradicted = e.tcp.is_some_and(|tcp| tcp.resets_differ || tcp.data_after_reset > 0);
    Some(if contradicted { Confidence::High } else { Confidence::Medium })
}

pub(super) fn says_cut_by_another(e: &Ending<'_>) -> String {
    let (ttl, off) = (cut(e).map_or(0, |reset| reset.ttl), e.reset_hops_off.unwrap_or(0));
    format!(
        "after the client's first {} a reset in the name of {} ended the connection, but its time to live ({ttl}) is {off} off all that the host sent otherwise",
        bytes(e.flow.client.payload_bytes),
        e.server_ip()
    )
}

pub(super) fn cut_after_first(e: &Ending<'_>) -> Option<Confidence> {
    cut(e).map(|_| Confidence::Low)
}

pub(super) fn says_cut_after_first(e: &Ending<'_>) -> String {
    format!("the connection was reset in the name of {} after the client's first {}", e.server_ip(), bytes(e.flow.client.payload_bytes))
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
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.reset.as_ref().is_none_or(gave_up))?;
    let place = side as usize;
    let (len, end) = tcp.open_segment[place];
    let (again, passed) = (tcp.open_again[place], tcp.largest_acknowledged[place]);
    // Bytes of the stream before it: positions count from 1 (the SYN is at 0).
    let before = u64::try_from(end.saturating_sub(i64::from(len)).saturating_sub(1)).ok()?;
    // A mirror that shows a connection twice, once with other sequence numbers, leaves segments far beyond all that was sent.
    let is_wild = before > tcp.payload[place];
    let other_end_heard = if side == Side::Client { e.flow.server.packets > 0 } else { e.flow.client.packets > 0 };
    (other_end_heard && !is_wild && len > passed && tcp.acknowledged[place] <= before && again >= AGAIN).then_some(Lost { side, len, again, passed })
}

/// Larger than any path must carry, and smaller ones pass. Where nothing but the handshake passed, content is as likely a reason.
fn too_large(e: &Ending<'_>) -> Option<Lost> {
    [Side::Server, Side::Client].into_iter().find_map(|side| lost(e, side).filter(|lost| lost.len > SURE_TO_FIT))
}

pub(super) fn large_lost(e: &Ending<'_>) -> Option<Confidence> {
    let lost = too_large(e)?;
    let told_by_router = e.flow.rejections.iter().any(|rejection| rejection.mtu.is_some());
    Some(match lost.passed > 0 || lost.side == Side::Server || told_by_router {
        true if lost.again >= SURELY_AGAIN => Confidence::Medium,
        _ => Confidence::Low,
    })
}

pub(super) fn says_large_lost(e: &Ending<'_>) -> String {
    let Some(Lost { side, len, again, .. }) = too_large(e) else { return "large segments were lost".to_owned() };
    let told = e.flow.rejections.iter().find_map(|rejection| Some((rejection.by, rejection.mtu?)));
    let router = match told {
        Some((by, mtu)) => format!("{by} says that no more than {mtu} bytes pass"),
        None => "no ICMP error says why".to_owned(),
    };
    format!("smaller packets pass, but a segment of {len} bytes by the {side} was sent again {again} times and never acknowledged; {router}")
}

/// The client's first message, small enough for any path, vanishes after a handshake that passed.
pub(super) fn first_lost(e: &Ending<'_>) -> Option<Confidence> {
    let lost = lost(e, Side::Client).filter(|lost| lost.len <= SURE_TO_FIT)?;
    let first = e.tcp.is_some_and(|tcp| tcp.acknowledged[0] == 0) && is_one_sided_talk(e);
    first.then_some(if lost.again >= SURELY_AGAIN { Confidence::Medium } else { Confidence::Low })
}

pub(super) fn says_first_lost(e: &Ending<'_>) -> String {
    let (len, again) = lost(e, Side::Client).map_or((0, 0), |lost| (lost.len, lost.again));
    format!("the handshake passed, but the client's first message ({}) was sent again {again} times and never acknowledged", bytes(u64::from(len)))
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

fn server_ended_first(e: &Ending<'_>) -> bool {
    let letters = e.flow.history.as_str();
    let by_server = letters.find(['f', 'r']);
    let by_client = letters.find(['F', 'R']);
    by_server.is_some_and(|server| by_client.is_none_or(|client| server < client))
}

pub(super) fn says_unknown_session(e: &Ending<'_>) -> String {
    format!("{} took the session id of 16 bytes and closed: its dispatcher does not know this space", e.server_ip())
}

/// The request arrived, as it was acknowledged, and nothing came of it.
pub(super) fn no_reply(e: &Ending<'_>) -> Option<Confidence> {
    e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.acknowledged[0] > 0)?;
    let waited = e.flow.last.since(e.flow.client.last.unwrap_or(e.flow.last)).max(e.left);
    (is_one_sided_talk(e) && e.flow.ended != Ended::Closed && waited >= REPLY_BY).then_some(Confidence::Medium)
}

pub(super) fn says_no_reply(e: &Ending<'_>) -> String {
    format!("{} accepted the connection and took {} but did not reply", e.server_ip(), bytes(e.flow.client.payload_bytes))
}

pub(super) fn nothing_said(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| !tcp.midstream && tcp.syn_acks > 0)?;
    let silent = e.flow.client.payload_bytes == 0 && e.flow.server.payload_bytes == 0;
    silent.then_some(if tcp.established { Confidence::High } else { Confidence::Medium })
}

pub(super) fn says_nothing_said(e: &Ending<'_>) -> String {
    format!("{} accepted the connection, and neither side sent anything", e.server_ip())
}

fn bytes(count: u64) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// Payload of a TCP segment that every path carries: the least that IPv6 asks of a link (1280 bytes, RFC 8200 section 5), less 40 of IPv6, 20 of TCP, and 12
/// of the timestamps that most segments have.
const SURE_TO_FIT: u32 = 1208;
/// Retransmissions from which on a segment counts as lost for good: one is loss, two in a row are seldom.
const AGAIN: u32 = 2;
/// With backoff three take over a second and a half (RFC 6298 sections 2.4 and 5.5, with the 200 ms floor in use): longer than queues hold anything.
const SURELY_AGAIN: u32 = 3;
/// The session id that opens TeaTime: 128 bits.
const SESSION_ID: u64 = 16;
/// A service that has not replied to a whole request by then is silent; web servers and brokers allow themselves half a minute, people do not wait as long.
const REPLY_BY: Duration = Duration::from_secs(10);
