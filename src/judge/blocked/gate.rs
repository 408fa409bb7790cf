//! The gate: what is nobody's failure, and what cannot be judged from here.

use crate::flow::{Ended, TcpStory};
use crate::judge::Confidence;
use crate::judge::blocked::accepted;
use crate::judge::blocked::content::{accepted_in_place, half_asked, is_answered, is_one_sided_talk, was_taken};
use crate::judge::ending::Ending;
use crate::judge::threshold::{ANSWER_BY, HEAVY_LOSS, REPLY_BY, SCAN_PACKETS, SURE_REQUESTS, SURE_SYNS, SURELY_AGAIN};
use crate::judge::visibility::Sight;
use crate::net::{Side, Transport};

pub(super) fn scan(e: &Ending<'_>) -> Option<Confidence> {
    (e.scanning && !e.answered && !e.worked_before && e.flow.client.packets <= SCAN_PACKETS).then_some(Confidence::High)
}

pub(super) fn says_scan(e: &Ending<'_>) -> String {
    format!("{} tried many hosts and ports and hardly any answered: scanning, not a service that fails", e.flow.client.endpoint.ip)
}

/// From a public address to a private one, and nobody answered: what a filter is for. Whoever awaits no answer does not knock, and whom a session from inside told to come
/// (FTP's active data connection) does not come unbidden.
pub(super) fn unsolicited(e: &Ending<'_>) -> Option<Confidence> {
    let knocks = e.from_outside && e.announced.is_none() && !e.one_way;
    (knocks && !e.answered && !e.went_on && !e.worked_before && e.flow.server.packets == 0).then_some(Confidence::Medium)
}

pub(super) fn says_unsolicited(e: &Ending<'_>) -> String {
    format!("{} knocked from outside and was not answered", e.flow.client.endpoint.ip)
}

pub(super) fn one_way(e: &Ending<'_>) -> Option<Confidence> {
    let silent = e.flow.server.packets == 0 && (!e.is_tcp() || e.flow.client.payload_bytes > 0);
    (e.one_way && silent).then_some(Confidence::High)
}

pub(super) fn says_one_way(_: &Ending<'_>) -> String {
    "no answer is due to this sender".to_owned()
}

/// The client went on as if answered, or answers of this host demonstrably pass elsewhere.
pub(super) fn unseen(e: &Ending<'_>) -> Option<Confidence> {
    let silent = e.is_silent_syn() || e.is_silent_datagram();
    let answers_only = e.flow.client.packets == 0 && !e.answers_group;
    (e.went_on || answers_only || e.asked_instead.is_some() || (silent && e.sight == Sight::Blind)).then_some(Confidence::High)
}

pub(super) fn says_unseen(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.server_ip());
    if e.went_on {
        return format!("{client} went on as if {server} had answered, but no answer was captured: this tap sees one direction");
    }
    if let Some(asked) = e.asked_instead {
        return format!("{} answers here what {client} had asked of {asked}", e.flow.server.endpoint);
    }
    if e.flow.client.packets == 0 {
        return format!("only what {server} sent to {client} was captured; the other direction cannot be judged");
    }
    let again = match e.tries.max(e.asked) {
        0 | 1 => String::new(),
        many => format!(" {client} asked {many} times, so no answer that it could use reached it; what was answered, and by whom, cannot be seen."),
    };
    format!("answers of {server} pass where this tap does not see them; silence cannot be judged.{again}").trim_end_matches('.').to_owned()
}

pub(super) fn damaged(e: &Ending<'_>) -> Option<Confidence> {
    if is_headless(e) {
        return Some(Confidence::High);
    }
    if is_refused_unreadably(e) {
        return Some(Confidence::Medium);
    }
    let silent = (e.is_silent_syn() || e.is_silent_datagram()) && e.tries < SURE_SYNS && e.asked < SURE_REQUESTS;
    let unreplied = e.flow.ended != Ended::Closed && was_taken(e) && is_one_sided_talk(e) && half_asked(e).is_none();
    ((silent || unreplied) && e.loss() > HEAVY_LOSS).then_some(Confidence::High)
}

/// Whether an error that may have refused it was captured, but not what the error is about.
fn is_refused_unreadably(e: &Ending<'_>) -> bool {
    e.unreadable && (e.is_silent_syn() || e.is_silent_datagram()) && !e.one_way
}

/// Whether of no segment more than its ports was captured.
fn is_headless(e: &Ending<'_>) -> bool {
    e.flow.transport == Transport::TCP && e.tcp.is_none()
}

pub(super) fn says_damaged(e: &Ending<'_>) -> String {
    if is_headless(e) {
        return "of no packet more than its ports was captured: the snap length cut off what shows how the connection went".to_owned();
    }
    if is_refused_unreadably(e) {
        return format!(
            "an ICMP error came to {} meanwhile, and the snap length cut off what it is about: it may have refused this",
            e.flow.client.endpoint.ip
        );
    }
    let loss = e.loss();
    format!("{}.{} % of what passed this capture point about that time was not captured; the missing answer may be capture loss", loss / 10, loss % 10)
}

pub(super) fn cut_off(e: &Ending<'_>) -> Option<Confidence> {
    // Who closed or reset has answered.
    let open = e.tcp.is_some_and(|tcp| tcp.established && !tcp.fins[1] && tcp.reset.as_ref().is_none_or(|reset| reset.from == Side::Client));
    // A greeting may be due, too, as long as the client is there.
    let is_new = |tcp: &TcpStory| tcp.syn_acks > 0 && !tcp.midstream && !tcp.fins[0] && tcp.reset.is_none() && tcp.missed_bytes == [0, 0];
    let spoke = e.flow.client.payload_bytes > 0 || e.tcp.is_some_and(is_new);
    let waiting = open && spoke && accepted::stalled(e).is_none() && e.flow.server.payload_bytes == 0;
    let silent = e.is_silent_syn() || e.is_silent_datagram() || waiting;
    (silent && e.is_cut_by_the_end() || waiting && may_be_answered(e) || greets(e)).then_some(Confidence::High)
}

/// What the client asked was taken, and its answer may still come; or it is not whole, so that none is due.
fn may_be_answered(e: &Ending<'_>) -> bool {
    let is_taken = |tcp: &&TcpStory| tcp.acknowledged[0] > 0 && tcp.open_segment[0].len == 0 && !tcp.stalled[1] && tcp.missed_bytes == [0, 0];
    let stands = |tcp: &TcpStory| !tcp.midstream && !tcp.fins[0] && tcp.reset.is_none() && u32::from(tcp.repeats[1].unanswered) < SURELY_AGAIN;
    let is_early = e.waited_for_an_answer().is_some_and(|waited| waited < REPLY_BY || half_asked(e).is_some());
    // Of other protocols nobody knows whether an answer is due: an upload of FTP's is never answered.
    let is_due = is_answered(e.identified.protocol.first());
    is_due && is_early && !e.one_way && accepted_in_place(e).is_none() && e.tcp.filter(is_taken).is_some_and(stands)
}

/// What the server said first is on its way once more, and may be acknowledged yet.
fn greets(e: &Ending<'_>) -> bool {
    let is_new = |tcp: &TcpStory| tcp.established && !tcp.midstream && tcp.fins == [false, false] && tcp.reset.is_none() && tcp.missed_bytes == [0, 0];
    // Who repeats what was acknowledged tells more than the greeting does.
    let hangs =
        |tcp: &&TcpStory| is_new(tcp) && tcp.acknowledged[1] == 0 && tcp.open_segment[1].again > 0 && u32::from(tcp.repeats[0].acknowledged) < SURELY_AGAIN;
    let said = e.tcp.filter(hangs).and_then(|tcp| tcp.first_data[1]);
    e.may_go_on() && said.is_some_and(|said| e.flow.last.since(said.time()).saturating_add(e.left) < ANSWER_BY)
}

pub(super) fn says_cut_off(_: &Ending<'_>) -> String {
    "the capture ends before an answer could be expected".to_owned()
}
