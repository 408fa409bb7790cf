//! Rules on tunnels: keys that two ends do not agree on, and what passes through where they do.

use crate::identify::{IKE_EAP_FAILS, IKE_ENDED, IKE_NO_LOGIN, IKE_NO_TUNNEL};
use crate::judge::Confidence;
use crate::judge::ending::{Ending, Refusal};
use crate::judge::threshold::{REPLY_BY, SURE_TUNNELLED};
use crate::net::Transport;

/// What ended the exchange of keys, as far as it shows through the encryption.
pub(super) fn sealed<'a>(e: &Ending<'a>) -> Option<Refusal<'a>> {
    e.refused.filter(|refusal| e.speaks("ike") && (IKE_NO_LOGIN..=IKE_EAP_FAILS).contains(&refusal.code))
}

/// A notification in the place of a proof says it by itself. What else ended it may have gone on after the capture.
pub(super) fn not_agreed(e: &Ending<'_>) -> Option<Confidence> {
    match sealed(e)?.code {
        IKE_NO_LOGIN => Some(Confidence::High),
        _ if e.may_go_on() => None,
        IKE_NO_TUNNEL => Some(Confidence::Medium),
        _ => Some(Confidence::Low),
    }
}

pub(super) fn says_not_agreed(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.flow.server.endpoint);
    match sealed(e).map_or(IKE_NO_LOGIN, |refusal| refusal.code) {
        IKE_NO_TUNNEL => format!(
            "the network is fine: {server} and {client} know each other (IKE), but no tunnel came of it: they do not agree on its networks or algorithms; the log of {} has the reason",
            server.ip
        ),
        IKE_ENDED => format!(
            "the network is fine: as soon as {server} had proven who it is (IKE), {client} ended it by an encrypted notification: it does not take that key, certificate or name; its log has the reason"
        ),
        IKE_EAP_FAILS => format!(
            "the network is fine: {server} had a last word on the login of {client} (EAP in IKE), and nothing followed: as it is where a password is wrong"
        ),
        _ => format!(
            "the network is fine: {server} answered the login of {client} (IKE) with an encrypted notification instead of its own proof: it does not take the key, certificate or name; its log has \
             the reason"
        ),
    }
}

/// What is sent through a tunnel that both ends agreed upon, and nothing comes back: nearly all that people do there is answered, but not what only one end sends.
pub(super) fn one_way(e: &Ending<'_>) -> bool {
    e.flow.transport == Transport::ESP
        && e.tunnel_agreed
        && e.flow.server.packets == 0
        && e.rejection.is_none()
        && e.flow.client.packets >= SURE_TUNNELLED
        && e.span >= REPLY_BY
}

pub(super) fn says_one_way(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.server_ip());
    format!(
        "{client} and {server} agreed upon a tunnel (IKE over UDP), but of what {client} sends through it ({} packets of ESP, IP protocol 50) nothing comes back: a rule that opens UDP 500 does not \
         let it pass",
        e.flow.client.packets
    )
}
