//! Rules on what is accepted and not taken: a window that stays closed, and a SYN-ACK that comes again and again though it was acknowledged.

use crate::count::bytes;
use crate::judge::Confidence;
use crate::judge::ending::Ending;
use crate::judge::threshold::{AGAIN, ANSWER_BY, STALLED, SURELY_AGAIN};
use crate::net::Side;

/// The server takes no more, or nothing from the beginning.
pub(super) fn stalled(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp.filter(|tcp| tcp.established && tcp.stalled[1] && (tcp.zero_windows[1] >= STALLED || never_opened(e).is_some()))?;
    (!tcp.fins[1] && tcp.reset.as_deref().is_none_or(|reset| reset.from == Side::Client)).then_some(Confidence::Medium)
}

/// Who accepts in a server's place (a SYN proxy) keeps the window closed until the server has accepted, too. How often the client asked whether it is open by now.
fn never_opened(e: &Ending<'_>) -> Option<u64> {
    let tcp = e.tcp.filter(|tcp| tcp.syn_acks > 0 && tcp.stalled[1] && e.flow.server.packets == u64::from(tcp.syn_acks))?;
    // The SYNs, what acknowledges, and the close.
    let others = u64::from(tcp.syns) + u64::from(tcp.syn_acks) + u64::from(tcp.fins[0]);
    let asked = e.flow.client.packets.saturating_sub(others);
    (asked >= u64::from(SURELY_AGAIN) && e.span >= ANSWER_BY).then_some(asked)
}

pub(super) fn says_stalled(e: &Ending<'_>) -> String {
    if let Some(asked) = never_opened(e) {
        let (server, client, seconds) = (e.flow.server.endpoint, e.flow.client.endpoint.ip, e.span.as_secs());
        return format!(
            "{server} accepted the connection with a closed window and was not heard again, though {client} asked {asked} times over {seconds} s whether it is open"
        );
    }
    let times = e.tcp.map_or(0, |tcp| tcp.zero_windows[1]);
    format!("{} took {} and no more: it announced a closed window {times} times and never opened it again", e.server_ip(), bytes(e.flow.client.payload_bytes))
}

/// Whether the server still says that it accepts what the client long acknowledged: nothing that comes behind the SYN reaches it, whatever its content and size.
pub(super) fn accepts_again(e: &Ending<'_>) -> bool {
    e.tcp.is_some_and(|tcp| tcp.established && u32::from(tcp.syn_acks) >= AGAIN && tcp.acknowledged[0] == 0 && e.flow.client.payload_bytes > 0)
}

pub(super) fn says_again(e: &Ending<'_>) -> &'static str {
    if accepts_again(e) { "; nor is it heard that the client acknowledged: the server repeats its SYN-ACK" } else { "" }
}

/// What may be behind that.
pub(super) const UNHEARD: &[&str] = &["a stateful device that sees one direction only, as the answers take another way", "a full accept queue of the service"];
