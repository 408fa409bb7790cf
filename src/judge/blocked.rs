//! The decision table: what became of a flow, rule by rule, first match wins.
//!
//! It says what the packets show and how sure that is, never that a firewall blocked it. Ids and order are those of the table this room works by;
//! a rule whose pattern needs more than one flow's story asks for it through [`Ending`].

mod answer;
mod content;

use std::net::IpAddr;

use crate::flow::{Ended, Rejection};
use crate::judge::ending::Ending;
use crate::judge::visibility::Sight;
use crate::judge::{Cause, Confidence, Outcome};

/// What a flow came to.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) outcome: Outcome,
    pub(super) confidence: Confidence,
    pub(super) cause: Option<Cause>,
}

/// One line of the table.
struct Rule {
    id: &'static str,
    outcome: Outcome,
    /// How sure, where the pattern is there.
    holds: Holds,
    says: Says,
    alternatives: &'static [&'static str],
}

type Holds = fn(&Ending<'_>) -> Option<Confidence>;
type Says = fn(&Ending<'_>) -> String;

const fn rule(id: &'static str, outcome: Outcome, holds: Holds, says: Says, alternatives: &'static [&'static str]) -> Rule {
    Rule { id, outcome, holds, says, alternatives }
}

/// Decides by the first rule that holds; a flow that none holds for was answered and worked.
pub(super) fn decide(ending: &Ending<'_>) -> Fate {
    let found = TABLE.iter().find_map(|rule| (rule.holds)(ending).map(|sure| (rule, sure)));
    let Some((rule, sure)) = found else { return worked(ending) };
    let confidence = if rule.outcome.is_blocked() { sure.min(ceiling(ending)) } else { sure };
    let cause = Cause { rule: rule.id, says: (rule.says)(ending), alternatives: rule.alternatives, by: rejecter(rule.outcome, ending) };
    Fate { outcome: rule.outcome, confidence, cause: Some(cause) }
}

fn worked(ending: &Ending<'_>) -> Fate {
    let talked = ending.flow.client.payload_bytes > 0 && ending.flow.server.payload_bytes > 0;
    // What was on its way at the capture's end may never have arrived.
    let hangs = ending.flow.ended == Ended::CaptureEnd && ending.tcp.is_some_and(|tcp| tcp.open_segment.iter().any(|(len, _)| *len > 0));
    let confidence = if talked && !hangs { Confidence::High } else { Confidence::Medium };
    Fate { outcome: Outcome::Ok, confidence, cause: None }
}

/// Loss explains missing answers: above 1 % nothing blocked is more than likely, above 10 % no more than a hint (Zeek warns at 10 %).
fn ceiling(ending: &Ending<'_>) -> Confidence {
    match ending.loss {
        0..=10 => Confidence::High,
        11..=100 => Confidence::Medium,
        _ => Confidence::Low,
    }
}

fn rejecter(outcome: Outcome, ending: &Ending<'_>) -> Option<IpAddr> {
    let shown = matches!(outcome, Outcome::RejectedByNetwork | Outcome::RefusedByHost | Outcome::Unreachable);
    shown.then(|| ending.rejection.map(|rejection| rejection.by)).flatten()
}

/// In order. Refusals that were seen stand first, then what cannot be seen, then silence, then what was said inside a working connection.
#[rustfmt::skip]
const TABLE: &[Rule] = &[
    rule("D80", Outcome::ScanNoise, scan, says_scan, &["monitoring or inventory software"]),
    rule("D27", Outcome::RejectedByNetwork, by_policy, says_policy, &["a filter on the host itself"]),
    rule("D71", Outcome::RefusedByHost, closed_udp, says_closed, &["a filter on the host that answers like a closed port"]),
    rule("D28", Outcome::RejectedByNetwork, port_unreachable, says_reject, &["address translation without a target"]),
    rule("D29", Outcome::Unreachable, no_route, says_no_route, &["a filter that answers like a missing route", "the host is switched off"]),
    rule("D26", Outcome::RejectedByNetwork, foreign_reset, says_foreign_reset, &["a load balancer", "a route that changed"]),
    rule("D25", Outcome::RefusedByHost, closed_tcp, says_closed, &["a filter that answers with the host's address"]),
    rule("D81", Outcome::ScanNoise, unsolicited, says_unsolicited, &["a service that was meant to be reached from outside"]),
    rule("D05", Outcome::OneWayByDesign, one_way, says_one_way, &[]),
    rule("D01", Outcome::NotObservable, unseen, says_unseen, &["asymmetric routing", "a mirror port that copies one direction"]),
    rule("D02", Outcome::CaptureDamaged, damaged, says_damaged, &["an overloaded mirror port", "a snap length"]),
    rule("D06", Outcome::NotObservable, cut_off, says_cut_off, &["the answer came after the capture"]),
    rule("D32", Outcome::Unreachable, at_times, says_at_times, &["packet loss", "a busy server", "a rate limit"]),
    rule("D30", Outcome::ReturnPathBroken, return_path, says_return_path, &["spoofed requests", "a stateful device that saw one direction only"]),
    rule("D22", Outcome::SilentDrop, silent_port, says_silent_port, &["a full accept queue of the service"]),
    rule("D20", Outcome::SilentDrop, silent, says_silent, &["the host is switched off", "no route there or back"]),
    rule("D21", Outcome::SilentDrop, silent_twice, says_silent, &["the client gave up early", "the host is switched off", "no route there or back"]),
    rule("D70", Outcome::SilentDrop, silent_udp, says_silent_udp,
        &["the service is switched off", "a wrong key or community, which many services meet with silence"]),
    rule("D33", Outcome::NotObservable, asked_once, says_asked_once, &["the client gave up", "the answer was not captured"]),
    rule("D46", Outcome::TlsFailed, answer::tls_by_client, answer::says_tls,
        &["a device in between that opens TLS", "a missing root certificate", "a wrong clock"]),
    rule("D47", Outcome::TlsFailed, answer::tls_by_server, answer::says_tls, &["a client certificate is demanded", "no common version or cipher"]),
    rule("D11", Outcome::DnsBlocked, answer::dns_filtered, answer::says_dns, &["the owner of the name gave it that address", "split DNS"]),
    rule("D12", Outcome::DnsBlocked, answer::dns_refused, answer::says_dns, &["the wrong resolver", "an access list of the resolver"]),
    rule("D10", Outcome::DnsBlocked, answer::dns_unknown, answer::says_dns, &["the name was retired", "a mistyped name", "split DNS"]),
    rule("D14", Outcome::DnsFailed, answer::dns_failed, answer::says_dns, &["DNSSEC", "the resolver cannot reach its own servers"]),
    rule("D43", Outcome::BlockedByProxy, answer::proxy_wants_login, answer::says_proxy, &["the server itself plays a proxy"]),
    rule("D44", Outcome::BlockedByProxy, answer::captive, answer::says_proxy, &["the server itself answers so"]),
    rule("D42", Outcome::BlockedByProxy, answer::block_page, answer::says_block_page, &["a proxy that the operator of the service placed before it"]),
    rule("D53", Outcome::AppRefused, answer::app_refused, answer::says_app_refused, &[]),
    rule("D56", Outcome::AppRefused, answer::web_refused, answer::says_web_refused,
        &["the service itself refused", "a filter or proxy in between that answers in its place without saying so"]),
    rule("D04", Outcome::Midstream, content::midstream, content::says_midstream, &["the capture lost the handshake"]),
    rule("D60", Outcome::PmtuBlackhole, content::large_lost, content::says_large_lost, &["a lossy path", "a filter that reads content"]),
    rule("D41", Outcome::SilentDrop, content::first_lost, content::says_first_lost,
        &["a filter that reads content", "packets of that size do not get through", "what the server answers is lost on its way back",
          "a device that accepts connections in the server's place"]),
    rule("D79", Outcome::AppRefused, content::unknown_session, content::says_unknown_session, &["another program on that port"]),
    rule("D40", Outcome::ResetByMiddlebox, content::cut_by_another, content::says_cut_by_another,
        &["a load balancer in front of the server", "a route that changed"]),
    rule("D57", Outcome::AppRefused, content::cut_after_first, content::says_cut_after_first,
        &["a device in between cut it after it had read the first bytes", "the service failed"]),
    rule("D54", Outcome::ServerSilent, content::no_reply, content::says_no_reply, &["a slow service", "a proxy that accepted in its place"]),
    rule("D34", Outcome::NotObservable, content::unacknowledged, content::says_unacknowledged, &["the client gave up", "the answer was not captured"]),
    rule("D31", Outcome::ConnectedNoData, content::nothing_said, content::says_nothing_said,
        &["a connection test", "a proxy that accepted in the server's place"]),
];

fn scan(e: &Ending<'_>) -> Option<Confidence> {
    (e.scanning && !e.answered && !e.worked_before && e.flow.client.packets <= SCAN_PACKETS).then_some(Confidence::High)
}

fn says_scan(e: &Ending<'_>) -> String {
    format!("{} tried many hosts and ports and hardly any answered: scanning, not a service that fails", e.flow.client.endpoint.ip)
}

/// Administratively prohibited, by the code's own words (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
fn by_policy(e: &Ending<'_>) -> Option<Confidence> {
    e.rejection.filter(|r| matches!((r.v6, r.kind, r.code), (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6)))?;
    Some(Confidence::High)
}

fn says_policy(e: &Ending<'_>) -> String {
    format!("{} refused it by policy ({})", sender(e), icmp(e.rejection))
}

fn closed_udp(e: &Ending<'_>) -> Option<Confidence> {
    let from_host = |r: &&Rejection| r.by == e.server_ip();
    let rejection = e.rejection.filter(from_host)?;
    let closed = matches!((rejection.v6, rejection.kind, rejection.code), (false, 3, 3) | (true, 1, 4)) && !e.is_tcp();
    let unsupported = matches!((rejection.v6, rejection.kind, rejection.code), (false, 3, 2));
    (closed || unsupported).then_some(Confidence::High)
}

/// Port unreachable: of TCP only a filter sends it, as hosts reset instead; of UDP one that is not the host itself.
fn port_unreachable(e: &Ending<'_>) -> Option<Confidence> {
    e.rejection.filter(|r| matches!((r.v6, r.kind, r.code), (false, 3, 2 | 3) | (true, 1, 4)))?;
    Some(if e.is_tcp() { Confidence::High } else { Confidence::Medium })
}

fn says_reject(e: &Ending<'_>) -> String {
    format!("{} rejected it ({}), as the REJECT rule of a Linux packet filter does by default", sender(e), icmp(e.rejection))
}

/// No route, no such host, no way on. Codes about sizes, redirects and header errors refuse nothing.
fn no_route(e: &Ending<'_>) -> Option<Confidence> {
    let rejection = e.rejection?;
    match (rejection.v6, rejection.kind, rejection.code) {
        (false, 3, 0 | 1) | (true, 1, 0 | 3) => Some(Confidence::High),
        (false, 3, 5..=8 | 11 | 12 | 14 | 15) | (true, 1, _) => Some(Confidence::Medium),
        // Time exceeded: a loop, or somebody tracing the route.
        (false, 11, 0) | (true, 3, 0) => Some(Confidence::Low),
        _ => None,
    }
}

fn says_no_route(e: &Ending<'_>) -> String {
    format!("{} reports that {} cannot be reached ({})", sender(e), e.server_ip(), icmp(e.rejection))
}

fn foreign_reset(e: &Ending<'_>) -> Option<Confidence> {
    e.refusal.filter(|_| !e.answered && e.reset_hops_off.is_some_and(|off| off >= FOREIGN_HOPS)).map(|_| Confidence::Medium)
}

fn says_foreign_reset(e: &Ending<'_>) -> String {
    let (ttl, off) = (e.refusal.map_or(0, |reset| reset.ttl), e.reset_hops_off.unwrap_or(0));
    format!("a reset in the name of {} answered the SYN, but its time to live ({ttl}) is {off} off all that the host sent otherwise", e.server_ip())
}

fn closed_tcp(e: &Ending<'_>) -> Option<Confidence> {
    let known = e.reset_hops_off == Some(0);
    e.refusal.filter(|_| !e.answered).map(|_| if known { Confidence::High } else { Confidence::Medium })
}

fn says_closed(e: &Ending<'_>) -> String {
    let how = if e.refusal.is_some() { "a reset".to_owned() } else { icmp(e.rejection) };
    format!("{} answered with {how}: it is there, but nothing listens on {}/{}", e.server_ip(), e.flow.server.endpoint.port, e.flow.transport)
}

/// From a public address to a private one, and nobody answered: what a filter is for.
fn unsolicited(e: &Ending<'_>) -> Option<Confidence> {
    (e.from_outside && !e.answered && !e.went_on && !e.worked_before && e.flow.server.packets == 0).then_some(Confidence::Medium)
}

fn says_unsolicited(e: &Ending<'_>) -> String {
    format!("{} knocked from outside and was not answered", e.flow.client.endpoint.ip)
}

fn one_way(e: &Ending<'_>) -> Option<Confidence> {
    let silent = e.flow.server.packets == 0 && (!e.is_tcp() || e.flow.client.payload_bytes > 0);
    (e.one_way && silent).then_some(Confidence::High)
}

fn says_one_way(_: &Ending<'_>) -> String {
    "no answer is due to this sender".to_owned()
}

/// The client went on as if answered, or answers of this host demonstrably pass elsewhere.
fn unseen(e: &Ending<'_>) -> Option<Confidence> {
    let silent = e.is_silent_syn() || e.is_silent_datagram();
    let answers_only = e.flow.client.packets == 0;
    (e.went_on || answers_only || (silent && e.sight == Sight::Blind)).then_some(Confidence::High)
}

fn says_unseen(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.server_ip());
    if e.went_on {
        return format!("{client} went on as if {server} had answered, but no answer was captured: this tap sees one direction");
    }
    if e.flow.client.packets == 0 {
        return format!("only what {server} sent to {client} was captured; the other direction cannot be judged");
    }
    format!("answers of {server} pass where this tap does not see them; silence cannot be judged")
}

fn damaged(e: &Ending<'_>) -> Option<Confidence> {
    let silent = e.is_silent_syn() || e.is_silent_datagram();
    (silent && e.loss > HEAVY_LOSS && e.tries < 3 && e.asked < 3).then_some(Confidence::High)
}

fn says_damaged(e: &Ending<'_>) -> String {
    format!("{}.{} % of the acknowledged data was not captured; the missing answer may be capture loss", e.loss / 10, e.loss % 10)
}

fn cut_off(e: &Ending<'_>) -> Option<Confidence> {
    let waiting = e.tcp.is_some_and(|tcp| tcp.established) && e.flow.client.payload_bytes > 0 && e.flow.server.payload_bytes == 0;
    let silent = e.is_silent_syn() || e.is_silent_datagram() || waiting;
    (silent && e.is_cut_by_the_end()).then_some(Confidence::High)
}

fn says_cut_off(_: &Ending<'_>) -> String {
    "the capture ends before an answer could be expected".to_owned()
}

/// What worked once is not blocked.
fn at_times(e: &Ending<'_>) -> Option<Confidence> {
    if e.talked_before && content::first_lost(e).is_some() {
        return Some(Confidence::Medium);
    }
    ((e.is_silent_syn() && e.tries >= 2 || e.is_silent_datagram() && e.answers_due && e.asked >= 2) && e.worked_before).then_some(Confidence::Medium)
}

fn says_at_times(e: &Ending<'_>) -> String {
    format!("not answered this time, but the same client reached {} at another time: it fails now and then", e.flow.server.endpoint)
}

/// Both ends repeat themselves: the server its SYN-ACK, the client its SYN.
fn return_path(e: &Ending<'_>) -> Option<Confidence> {
    let tcp = e.tcp?;
    let repeated = tcp.syn_acks >= 2 && e.tries >= 2 && !tcp.established && tcp.reset.is_none();
    (repeated && e.flow.client.payload_bytes == 0 && e.flow.server.payload_bytes == 0).then_some(Confidence::Medium)
}

fn says_return_path(e: &Ending<'_>) -> String {
    let client = e.flow.client.endpoint.ip;
    format!("{} answered, and {client} asked again all the same: the answers do not reach it", e.server_ip())
}

fn silent_port(e: &Ending<'_>) -> Option<Confidence> {
    e.other_port?;
    silent(e)
}

fn says_silent_port(e: &Ending<'_>) -> String {
    let other = e.other_port.map_or_else(String::new, |(transport, port)| format!(" (it answers on {port}/{transport})"));
    format!("{}; the host is alive{other}", says_silent(e))
}

fn silent(e: &Ending<'_>) -> Option<Confidence> {
    if !e.is_silent_syn() || e.tries < 3 {
        return None;
    }
    Some(if e.sight >= Sight::Likely { Confidence::High } else { Confidence::Medium })
}

/// Twice the same SYN; or single SYNs, again and again from new ports, as programs with a short timeout of their own send them.
fn silent_twice(e: &Ending<'_>) -> Option<Confidence> {
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

fn says_silent(e: &Ending<'_>) -> String {
    let (client, server) = (e.flow.client.endpoint.ip, e.flow.server.endpoint);
    let syns = e.tcp.map_or(0, |tcp| tcp.syns);
    match e.tries {
        2.. => format!("{client} sent {syns} SYNs to {server} over {} s and nothing answered", e.span.as_secs()),
        _ => format!("{client} tried {server} in {} connections, with one SYN each, and nothing answered", e.attempts),
    }
}

fn silent_udp(e: &Ending<'_>) -> Option<Confidence> {
    if !e.is_silent_datagram() || !e.answers_due || e.asked < 2 {
        return None;
    }
    Some(if e.asked >= 3 && e.sight >= Sight::Likely { Confidence::Medium } else { Confidence::Low })
}

fn says_silent_udp(e: &Ending<'_>) -> String {
    let name = e.identified.protocol.first().copied().unwrap_or("datagram");
    format!("{} sent the same {name} request to {} {} times and nothing answered", e.flow.client.endpoint.ip, e.flow.server.endpoint, e.asked)
}

fn asked_once(e: &Ending<'_>) -> Option<Confidence> {
    (e.is_silent_syn() || e.is_silent_datagram()).then_some(Confidence::Low)
}

fn says_asked_once(e: &Ending<'_>) -> String {
    format!("{} was not seen to answer, but it was not asked the same again either: nothing follows from that", e.server_ip())
}

fn sender(e: &Ending<'_>) -> String {
    match e.rejection {
        Some(rejection) if rejection.by == e.server_ip() => format!("{} itself", rejection.by),
        Some(rejection) => format!("{}, which is not {},", rejection.by, e.server_ip()),
        None => "somebody".to_owned(),
    }
}

fn icmp(rejection: Option<&Rejection>) -> String {
    let Some(rejection) = rejection else { return "ICMP".to_owned() };
    let family = if rejection.v6 { "ICMPv6" } else { "ICMP" };
    format!("{family} type {} code {}", rejection.kind, rejection.code)
}

/// Packets of one probe at most: SYN, a retry or two.
const SCAN_PACKETS: u64 = 3;
/// A reset this many hops off comes from elsewhere; one hop may be a route that changed.
const FOREIGN_HOPS: u8 = 2;
/// Beyond 10 % loss, in parts per thousand, a missing answer means nothing unless the client asked thrice.
const HEAVY_LOSS: u64 = 100;
/// Unrepeated attempts that together are as good as a repeated SYN, at low confidence.
const MANY_ATTEMPTS: u32 = 5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_its_own_id() {
        let ids: BTreeSet<&str> = TABLE.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), TABLE.len());
    }

    #[test]
    fn every_blocked_outcome_names_another_explanation() {
        assert!(TABLE.iter().filter(|rule| rule.outcome.is_blocked()).all(|rule| !rule.alternatives.is_empty()));
    }
}
