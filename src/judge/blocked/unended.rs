//! Rules on answers of HTTP that do not come to their end, or not at all, in a connection that had served: nothing more comes, or the server closes.

use std::time::Duration;

use crate::count::bytes;
use crate::flow::{Moment, Reset};
use crate::identify::Fact;
use crate::judge::Confidence;
use crate::judge::blocked::content::server_ended_first;
use crate::judge::ending::Ending;
use crate::judge::threshold::{ANSWER_BY, REPLY_BY};
use crate::net::Side;

/// An answer that says how long it is stops before its end, though its reader takes more: nothing of the server's comes for longer than a service may take, until the
/// client gives up. Some protocols put streams without an end into answers of a great length, and ask for them in words of their own (Outlook's
/// `RPC_OUT_DATA`).
pub(super) fn stops(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.missed_bytes == [0, 0])?;
    unfinished(e)?;
    let gave_up = !server_ended_first(e) && tcp.reset.as_deref().is_none_or(|reset| reset.from == Side::Client);
    // A reader that takes no more, or that took no more for a while, may be why.
    let takes = tcp.zero_windows[0] == 0 && tcp.open_segment[1].len == 0;
    (gave_up && takes && is_in_answer(e) && asks_by_name(e) && silent_for(e) >= REPLY_BY).then_some(Confidence::Low)
}

/// Whether the server spoke last.
fn is_in_answer(e: &Ending<'_>) -> bool {
    let [asked, answered] = e.tcp.map_or([None; 2], |tcp| tcp.last_data.map(|last| last.map(Moment::time)));
    asked.zip(answered).is_some_and(|(asked, answered)| asked < answered)
}

/// Whether all that was asked is asked in HTTP's own words, each of which has its answer.
pub(super) fn asks_by_name(e: &Ending<'_>) -> bool {
    e.identified.facts.iter().all(|fact| fact.as_request().is_none_or(|(method, _)| METHODS.contains(&method)))
}

/// The bytes of an answer that were still to come, where it said how long it is.
pub(super) fn unfinished(e: &Ending<'_>) -> Option<u64> {
    due(e).filter(|due| *due > 0)
}

/// The same, or zero where only an answer's last chunk would have told its end.
fn due(e: &Ending<'_>) -> Option<u64> {
    e.identified.facts.iter().find_map(|fact| if let Fact::Unfinished(due) = fact { Some(*due) } else { None })
}

/// From the server's last payload to the client's last word, by which it gave up or showed that it still waits: what follows may not have been captured.
pub(super) fn silent_for(e: &Ending<'_>) -> Duration {
    let said = e.tcp.and_then(|tcp| tcp.last_data[1]).map_or(e.flow.last, Moment::time);
    e.flow.client.last.unwrap_or(said).since(said)
}

pub(super) fn says_stops(e: &Ending<'_>) -> String {
    let due = unfinished(e).unwrap_or_default();
    format!("{} stopped in the middle of an answer: nothing came for {} s, and {} were still to come", e.server_ip(), silent_for(e).as_secs(), bytes(due))
}

/// The server ends the connection, by a FIN or a reset, in the middle of an answer, or behind a later request that it had taken: neither its last answer nor its next one
/// is whole (RFC 9112 section 8). Who closes while a request is on its way to it has not heard that, and is asked again.
pub(super) fn broken_off(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established && !tcp.midstream && tcp.missed_bytes == [0, 0])?;
    let reset = tcp.reset.as_deref().filter(|reset| reset.from == Side::Server);
    let cut = reset.filter(|_| tcp.fins == [false, false]);
    // Who resets may have been told something that it did not want; by a FIN it takes its leave by itself.
    let ended = cut.is_some() || tcp.fins[1] && server_ended_first(e);
    // A reader that takes no more, or that took no more for a while, may be why.
    let takes = tcp.zero_windows[0] == 0;
    let torn = due(e).is_some() && is_in_answer(e);
    let unserved = e.identified.facts.contains(&Fact::Awaited) && !is_in_answer(e) && e.flow.server.payload_bytes > 0;
    let heard = match cut {
        Some(reset) => tcp.open_segment[0].len == 0 && waited(e, reset).is_some_and(|waited| waited >= ANSWER_BY),
        None => tcp.heard_out && reset.is_none(),
    };
    (ended && takes && asks_by_name(e) && (torn || unserved && heard)).then_some(Confidence::Low)
}

/// From the client's last message to the reset.
fn waited(e: &Ending<'_>, reset: &Reset) -> Option<Duration> {
    Some(reset.time.since(e.tcp?.last_data[0]?.time()))
}

pub(super) fn says_broken_off(e: &Ending<'_>) -> String {
    let how = if e.tcp.is_some_and(|tcp| tcp.fins[1]) { "closed" } else { "reset the connection" };
    let server = e.server_ip();
    match due(e) {
        Some(0) => format!("{server} {how} in the middle of an answer, before its last chunk"),
        Some(due) => format!("{server} {how} in the middle of an answer: {} were still to come", bytes(due)),
        None => format!("{server} had answered, took another request, and {how} without a word"),
    }
}

/// Methods of HTTP (RFC 9110 section 9, RFC 5789, RFC 4918) whose answers are due as soon as they can be given.
const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT"];
