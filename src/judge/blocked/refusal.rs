//! Refusals that were seen: ICMP errors by code and by who sent them, resets by whether they are the host's own.

use crate::flow::Rejection;
use crate::judge::Confidence;
use crate::judge::blocked::middle;
use crate::judge::ending::{Ending, Instead};
use crate::judge::threshold::AGAIN;
use crate::net::Side;

/// The error that refused the client, where it did not get the same by another way: that is told instead.
fn rejection<'a>(e: &Ending<'a>) -> Option<&'a Rejection> {
    e.rejection.filter(|_| !is_served_otherwise(e))
}

/// Whether IPv6, or QUIC, was refused, and the client was served over IPv4, or TCP, as programs are that try both.
pub(super) fn is_served_otherwise(e: &Ending<'_>) -> bool {
    let is_refused = !e.answered && (e.rejection.is_some() || e.refusal.is_some());
    is_refused && (matches!(e.instead, Some(Instead::Ipv4(_))) || e.instead == Some(Instead::Tcp) && e.speaks("quic"))
}

/// What refused it, in words.
pub(super) fn says_refused(e: &Ending<'_>) -> String {
    match e.rejection {
        Some(rejection) => format!("was refused ({} of {})", icmp(Some(rejection)), rejection.by),
        None => "was refused (a reset)".to_owned(),
    }
}

/// Administratively prohibited, by the code's own words (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
pub(super) fn by_policy(e: &Ending<'_>) -> Option<Confidence> {
    rejection(e).filter(|r| matches!((r.v6, r.kind, r.code), (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6)))?;
    Some(sure(e, Confidence::High))
}

/// What an error says of other packets is likely for this one.
fn sure(e: &Ending<'_>, sure: Confidence) -> Confidence {
    if e.refused_alike { sure.min(Confidence::Medium) } else { sure }
}

/// Whose packets the error quotes, where they are others, in words.
fn others(e: &Ending<'_>) -> &'static str {
    if e.refused_alike {
        "; so it said of other packets to this end at that time, and of these nothing came back: such errors are sent only so often"
    } else {
        ""
    }
}

pub(super) fn says_policy(e: &Ending<'_>) -> String {
    format!("{} refused it by policy ({}){}", sender(e), icmp(e.rejection), others(e))
}

pub(super) fn closed_udp(e: &Ending<'_>) -> Option<Confidence> {
    if has_closed(e).is_some() {
        return Some(Confidence::Medium);
    }
    let from_host = |r: &&Rejection| r.by == e.server_ip();
    let rejection = rejection(e).filter(from_host)?;
    let closed = matches!((rejection.v6, rejection.kind, rejection.code), (false, 3, 3) | (true, 1, 4)) && !e.is_tcp();
    let unsupported = matches!((rejection.v6, rejection.kind, rejection.code), (false, 3, 2));
    (closed || unsupported).then_some(sure(e, Confidence::High))
}

/// Of a service that is [no longer heard](middle::alone) its host says since then, again and again, that nobody is there: its program ended.
fn has_closed<'a>(e: &Ending<'a>) -> Option<&'a Rejection> {
    let heard = e.flow.server.last.filter(|_| middle::alone(e).is_some())?;
    let says =
        |r: &&Rejection| r.to == Side::Client && r.by == e.server_ip() && matches!((r.v6, r.kind, r.code), (false, 3, 3) | (true, 1, 4)) && r.time > heard;
    let last = e.flow.rejections.iter().rfind(says)?;
    (e.flow.rejections.iter().filter(says).count() >= AGAIN as usize).then_some(last)
}

/// Port unreachable: of TCP only a filter sends it, as hosts reset instead; of UDP one that is not the host itself.
pub(super) fn port_unreachable(e: &Ending<'_>) -> Option<Confidence> {
    rejection(e).filter(|r| matches!((r.v6, r.kind, r.code), (false, 3, 2 | 3) | (true, 1, 4)))?;
    Some(sure(e, if e.is_tcp() { Confidence::High } else { Confidence::Medium }))
}

pub(super) fn says_reject(e: &Ending<'_>) -> String {
    format!("{} rejected it ({}), as the REJECT rule of a Linux packet filter does by default{}", sender(e), icmp(e.rejection), others(e))
}

/// No route, no such host, no way on. Codes about sizes, redirects and header errors refuse nothing.
pub(super) fn no_route(e: &Ending<'_>) -> Option<Confidence> {
    let rejection = rejection(e)?;
    match (rejection.v6, rejection.kind, rejection.code) {
        (false, 3, 0 | 1) | (true, 1, 0 | 3) => Some(sure(e, Confidence::High)),
        (false, 3, 5..=8 | 11 | 12 | 14 | 15) | (true, 1, _) => Some(Confidence::Medium),
        // Time exceeded: a loop, or somebody tracing the route.
        (false, 11, 0) | (true, 3, 0) => Some(Confidence::Low),
        _ => None,
    }
}

pub(super) fn says_no_route(e: &Ending<'_>) -> String {
    // Who is there and says that a host is not.
    if e.rejection.is_some_and(|r| r.by == e.server_ip() && matches!((r.v6, r.kind, r.code), (false, 3, 1) | (true, 1, 3))) {
        let (server, how) = (e.server_ip(), icmp(e.rejection));
        return format!(
            "{server} itself reports that no host is there ({how}): it forwards this to one that is not, or a filter of its own says so{}",
            others(e)
        );
    }
    format!("{} reports that {} cannot be reached ({}){}", sender(e), e.server_ip(), icmp(e.rejection), others(e))
}

/// Fragment reassembly time exceeded (RFC 792 type 11 code 1, RFC 4443 section 3.3); or of what the server answers only a part comes, and the client asks again: a
/// capture filter that names ports leaves such parts, too, but whoever got the answer does not ask again.
pub(super) fn fragments(e: &Ending<'_>) -> Option<Confidence> {
    if e.flow.is_torn() {
        return (times_asked(e) >= AGAIN as usize).then_some(Confidence::Low);
    }
    e.rejection.filter(|r| matches!((r.v6, r.kind, r.code), (false, 11, 1) | (true, 3, 1)))?;
    Some(Confidence::Medium)
}

/// The same, from one port or from new ones.
fn times_asked(e: &Ending<'_>) -> usize {
    e.luck.again.max(e.asked as usize)
}

pub(super) fn says_fragments(e: &Ending<'_>) -> String {
    if e.flow.is_torn() {
        let (client, server, times) = (e.flow.client.endpoint.ip, e.flow.server.endpoint, times_asked(e));
        return format!("{client} asked {server} {times} times, and of what was answered only parts came (fragments)");
    }
    format!("{} waited in vain for the fragments of a datagram of {} ({})", sender(e), e.flow.client.endpoint.ip, icmp(e.rejection))
}

/// Another distance is a sign of its own; an early answer or a strange identification only beside it, or both together.
pub(super) fn foreign_reset(e: &Ending<'_>) -> Option<Confidence> {
    e.refusal.filter(|_| !e.answered && !is_served_otherwise(e))?;
    let on_this_side = e.crossed == [Some(false); 2];
    match (e.foreign.is_far() || on_this_side, e.foreign.signs() + u8::from(on_this_side)) {
        (_, 2..) => Some(Confidence::High),
        (true, _) => Some(Confidence::Medium),
        _ => None,
    }
}

pub(super) fn says_foreign_reset(e: &Ending<'_>) -> String {
    let on_this_side = "the SYN and the reset were captured on one side of a router that others between the two were seen to pass: it let neither through";
    let signs = match (e.crossed == [Some(false); 2], e.foreign.signs()) {
        (true, 0) => on_this_side.to_owned(),
        (true, _) => format!("{}, and {on_this_side}", signs(e)),
        (false, _) => signs(e),
    };
    format!("a reset in the name of {} answered the SYN, but {signs}", e.server_ip())
}

/// What about a reset is not its host's, in words.
pub(super) fn signs(e: &Ending<'_>) -> String {
    let ttl = e.tcp.and_then(|tcp| tcp.reset.as_ref()).map_or(0, |reset| reset.ttl);
    let far = e.foreign.hops_off.filter(|_| e.foreign.is_far());
    let far = far.map(|off| format!("its time to live ({ttl}) is {off} off all that the host sent otherwise"));
    let early = e.foreign.early.then(|| "it came sooner than the host ever answered".to_owned());
    let counter = e.foreign.other_counter.then(|| "its identification is not of the host's count".to_owned());
    let signs: Vec<String> = [far, early, counter].into_iter().flatten().collect();
    if signs.is_empty() { "nothing shows that it is not the host's own".to_owned() } else { signs.join(", and ") }
}

pub(super) fn closed_tcp(e: &Ending<'_>) -> Option<Confidence> {
    let known = e.foreign.hops_off == Some(0) && e.foreign.signs() == 0;
    e.refusal.filter(|_| !e.answered && !is_served_otherwise(e)).map(|_| if known { Confidence::High } else { Confidence::Medium })
}

pub(super) fn says_closed(e: &Ending<'_>) -> String {
    if let Some(last) = has_closed(e) {
        let (server, port) = (e.server_ip(), e.flow.server.endpoint.port);
        let seconds = e.flow.server.last.map_or(0, |heard| heard.since(e.flow.first).as_secs());
        return format!(
            "{server} answered for {seconds} s, and then with {}: it is there, but nothing listens on {port}/{} any more",
            icmp(Some(last)),
            e.flow.transport
        );
    }
    let how = if e.refusal.is_some() { "a reset".to_owned() } else { icmp(e.rejection) };
    if e.rejection.is_some_and(|rejection| !rejection.v6 && (rejection.kind, rejection.code) == (3, 2)) {
        return format!(
            "{} answered with {how}: it is there, but does not take {} (IP protocol {}){}",
            e.server_ip(),
            e.flow.transport,
            e.flow.transport.0,
            others(e)
        );
    }
    let whose = if e.refusal.is_some() { doubt(e) } else { String::new() };
    format!(
        "{} answered with {how}: it is there, but nothing listens on {}/{}{whose}{}",
        e.server_ip(),
        e.flow.server.endpoint.port,
        e.flow.transport,
        others(e)
    )
}

/// What leaves open whether a reset like the host's own is the host's.
fn doubt(e: &Ending<'_>) -> String {
    let ttl = e.tcp.and_then(|tcp| tcp.reset.as_ref()).map_or(0, |reset| reset.ttl);
    if e.crossed[Side::Server as usize] == Some(false) {
        return " (unless the router between the two says so in its name: what the host sends otherwise was captured on both sides of it, the reset on one)"
            .to_owned();
    }
    match (e.foreign.hops_off, e.foreign.early) {
        (None, _) => " (nothing else of it was seen, so a filter cannot be told from the host)".to_owned(),
        // Between segments of one site the filter often is the hop before the host; and who forwards some ports answers for the others.
        (Some(1..), _) => format!(
            " (unless a filter one hop away says so in its name: the time to live of the reset, {ttl}, is one off all that the host sent otherwise. A host that forwards its other ports \
             to somebody behind it looks the same)"
        ),
        (Some(0), true) => " (unless a filter says so in its name: it came sooner than the host ever answered)".to_owned(),
        (Some(0), false) => String::new(),
    }
}

fn sender(e: &Ending<'_>) -> String {
    match e.rejection {
        Some(rejection) if rejection.by == e.server_ip() => format!("{} itself", rejection.by),
        Some(rejection) => format!("{}, which is not {},", rejection.by, e.server_ip()),
        None => "somebody".to_owned(),
    }
}

pub(super) fn icmp(rejection: Option<&Rejection>) -> String {
    let Some(rejection) = rejection else { return "ICMP".to_owned() };
    let family = if rejection.v6 { "ICMPv6" } else { "ICMP" };
    format!("{family} type {} code {}", rejection.kind, rejection.code)
}
