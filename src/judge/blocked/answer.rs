//! Rules on what was answered instead of a service: by TLS, by a resolver, by the service itself.

use crate::identify::{ANOTHER_PROTOCOL, AnswerKind, Fact, HIDDEN_ALERT, IN_CLEAR, NO_TLS, Step, Torn};
use crate::judge::Confidence;
use crate::judge::blocked::tunnel;
use crate::judge::ending::{Ending, Refusal};
use crate::judge::resolver::{Denial, Denied};
use crate::judge::threshold::SURELY_AGAIN;
use crate::judge::visibility::{Opener, PutOut};
use crate::net::Side;

pub(super) fn outermost<'a>(e: &Ending<'a>) -> &'a str {
    e.identified.protocol.first().copied().unwrap_or_default()
}

/// A private authority, or one key, for servers of several owners: whoever made those certificates reads what they protect.
pub(super) fn opened(e: &Ending<'_>) -> Option<Confidence> {
    match e.opener? {
        Opener::Key { .. } => Some(Confidence::High),
        Opener::Issuer(_) | Opener::Hello => Some(Confidence::Medium),
        // It is no more than a look; what an end says itself says more.
        Opener::Shape => e.refused.is_none().then_some(Confidence::Low),
    }
}

pub(super) fn says_opened(e: &Ending<'_>) -> String {
    let (issuer, how) = match e.opener {
        Some(Opener::Key { issuer }) => (issuer, "one key"),
        Some(Opener::Issuer(issuer)) => (issuer, "one private issuer"),
        Some(Opener::Shape) => {
            let (name, client) = (e.name.unwrap_or("the server"), e.flow.client.endpoint.ip);
            return format!(
                "{name} and names of other owners in other networks all answer {client} with the same TLS hello, though they answer another client, which asks in the same way, otherwise: a \
                 device in between may open TLS"
            );
        }
        Some(Opener::Hello) | None => {
            let (name, proxy) = (e.name.unwrap_or("the server"), e.server_ip());
            return format!("asked for a tunnel to {name}, the proxy {proxy} sent a TLS hello of its own instead of the client's: it opens TLS");
        }
    };
    let rejected = match e.refused {
        Some(refusal) if refusal.by == Side::Client => format!("; the client refused it ({})", refusal.text),
        _ => String::new(),
    };
    let name = e.name.map_or_else(|| e.server_ip().to_string(), str::to_owned);
    format!("the certificate of {name} was made by \"{issuer}\", as were those of servers of other owners ({how}): a device in between opens TLS{rejected}")
}

/// An alert that ended the handshake, of TLS from the start or of TLS that began inside another protocol.
fn alert<'a>(e: &Ending<'a>) -> Option<Refusal<'a>> {
    let own = e.refused.filter(|refusal| matches!(outermost(e), "tls" | "dtls" | "quic") && refusal.code != CLOSE_NOTIFY);
    let foreign = e.refused.filter(|refusal| refusal.code == IN_CLEAR && refusal.by == Side::Server);
    own.or(foreign).or(e.inner_alert)
}

/// protocol_version, insufficient_security, inappropriate_fallback.
pub(super) fn tls_version(e: &Ending<'_>) -> Option<Confidence> {
    alert(e).filter(|alert| matches!(alert.code, 70 | 71 | 86)).map(|_| Confidence::High)
}

/// unrecognized_name, no_application_protocol, of the server.
pub(super) fn tls_name(e: &Ending<'_>) -> Option<Confidence> {
    alert(e).filter(|alert| alert.by == Side::Server && matches!(alert.code, 112 | 120)).map(|_| Confidence::High)
}

pub(super) fn tls_by_client(e: &Ending<'_>) -> Option<Confidence> {
    alert(e).filter(|alert| alert.by == Side::Client && alert.code < HIDDEN_ALERT).map(|_| Confidence::High)
}

pub(super) fn tls_by_server(e: &Ending<'_>) -> Option<Confidence> {
    alert(e).filter(|alert| alert.by == Side::Server && alert.code < HIDDEN_ALERT).map(|_| Confidence::High)
}

/// The length of the record shows that it is an alert; which, and whether it ended the connection by itself, does not.
pub(super) fn tls_hidden(e: &Ending<'_>) -> Option<Confidence> {
    alert(e).filter(|alert| alert.code == HIDDEN_ALERT && e.flow.ended == crate::flow::Ended::Closed).map(|_| Confidence::Medium)
}

/// The hello was answered, but in another protocol. Where it is not known how the server began, what was seen first may be the middle of a record.
pub(super) fn no_tls(e: &Ending<'_>) -> Option<Confidence> {
    e.tcp.filter(|tcp| !tcp.midstream && tcp.syn_acks > 0 && tcp.missed_bytes[1] == 0)?;
    alert(e).filter(|alert| matches!(alert.code, NO_TLS | IN_CLEAR)).map(|_| Confidence::High)
}

pub(super) fn says_no_tls(e: &Ending<'_>) -> String {
    let text = alert(e).map_or("", |refusal| refusal.text);
    let named = e.name.map_or_else(String::new, |name| format!(" (asked for {name})"));
    let words = if text.is_empty() { String::new() } else { format!(": \"{text}\"") };
    format!("{} answered the client's TLS hello{named} with something that is no TLS{words}", e.flow.server.endpoint)
}

pub(super) fn says_tls(e: &Ending<'_>) -> String {
    let (who, what) = alert(e).map_or((Side::Server, "alert"), |refusal| (refusal.by, refusal.text));
    // What the server asked for is told by who reads its alert.
    let step = e.step().map(|step| if step == Step::CertificateAsked { Step::ServerCertificate } else { step });
    let after = step.map_or_else(String::new, |step| format!(" after {}", step.name()));
    let named = e.name.map_or_else(String::new, |name| format!(" (asked for {name})"));
    format!("the {who} ended the TLS handshake{after}: {what}{named}")
}

pub(super) fn says_tls_server(e: &Ending<'_>) -> String {
    let requested = e.reached(Step::CertificateAsked);
    let about = match alert(e).map_or(0, |refusal| refusal.code) {
        116 => "; it demands a client certificate and got none",
        42..=46 | 48 => "; it does not accept the client's certificate",
        40 if requested => "; it had asked for a client certificate",
        _ => "",
    };
    format!("{}{about}", says_tls(e))
}

pub(super) fn says_tls_hidden(e: &Ending<'_>) -> String {
    let who = alert(e).map_or(Side::Server, |refusal| refusal.by);
    // In TLS 1.3 a client's certificate is not seen, only that it has none.
    if who == Side::Server && e.reached(Step::ClientCertificate) {
        return "the server ended the TLS 1.3 handshake with an encrypted alert after it had asked for a client certificate and got none".to_owned();
    }
    format!("the {who} ended the TLS 1.3 handshake with an encrypted alert; its reason is not visible, an end's own log has it")
}

/// The resolver says itself that it filters; or it gives an address that no host can have. Of names that no document knows, only the unspecified address
/// counts: blocklists that are asked by DNS answer with loopback addresses (RFC 5782 section 2.1), and `localhost` has one.
pub(super) fn dns_filtered(e: &Ending<'_>) -> Option<Confidence> {
    let denied = e.denied?;
    match denied.how {
        Denial::Policy(_) => Some(Confidence::High),
        Denial::NoHost(address) => (denied.row.is_some() || address.is_unspecified()).then_some(Confidence::Medium),
        // Inside, names of several owners may share a server on purpose; that a documented one is among them is no accident.
        Denial::Shared(_) => denied.row.map(|_| Confidence::Medium),
        _ => None,
    }
}

/// RFC 1035 section 4.1.1: the resolver refuses for policy reasons. Where it refuses everything that was asked, the client may ask the wrong one; and of a
/// name that no document knows, its own servers may have refused.
pub(super) fn dns_refused(e: &Ending<'_>) -> Option<Confidence> {
    let denied = e.denied.filter(|denied| denied.how == Denial::Refused)?;
    Some(if denied.answers_others && denied.row.is_some() { Confidence::Medium } else { Confidence::Low })
}

/// NXDOMAIN is an answer like any other, unless a document has the name and the resolver is shown to work.
pub(super) fn dns_unknown(e: &Ending<'_>) -> Option<Confidence> {
    e.denied.filter(|denied| denied.how == Denial::NoSuchName && denied.row.is_some() && denied.answers_others).map(|_| Confidence::Medium)
}

pub(super) fn dns_failed(e: &Ending<'_>) -> Option<Confidence> {
    e.denied.filter(|denied| denied.how == Denial::Failed).map(|_| Confidence::Medium)
}

pub(super) fn says_dns(e: &Ending<'_>) -> String {
    let Some(Denied { name, how, row, answers_others }) = e.denied else { return "the resolver gave no address".to_owned() };
    let resolver = e.server_ip();
    let documented = if row.is_some() { "the documented name " } else { "" };
    let control = if answers_others { "; it gives other names their addresses" } else { "" };
    match how {
        Denial::Policy(code) => format!("resolver {resolver} says that it filters {documented}{name} (extended DNS error {code})"),
        Denial::NoHost(address) => format!("resolver {resolver} gives {documented}{name} the address {address}, which no host has{control}"),
        Denial::Shared(address) => format!("resolver {resolver} gives {documented}{name} the private address {address}, as it does names of other owners"),
        Denial::Refused => format!("resolver {resolver} refuses to look up {documented}{name}{control}"),
        Denial::NoSuchName => format!("resolver {resolver} says that {documented}{name} does not exist{control}"),
        Denial::Failed => format!("resolver {resolver} failed to look up {documented}{name} (SERVFAIL){control}"),
        Denial::Silence => format!("resolver {resolver} did not answer the question for {documented}{name}"),
        Denial::Code(code) => format!("resolver {resolver} answered the question for {documented}{name} with code {code}{control}"),
    }
}

/// Neither end understands the other, whatever it says of it afterwards. Without a handshake, what was seen first may be the middle of something.
pub(super) fn another_protocol(e: &Ending<'_>) -> Option<Confidence> {
    e.tcp.filter(|tcp| !tcp.midstream && tcp.syn_acks > 0)?;
    e.refused.filter(|refusal| refusal.code == ANOTHER_PROTOCOL && refusal.by == Side::Server).map(|_| Confidence::High)
}

pub(super) fn says_another_protocol(e: &Ending<'_>) -> String {
    let text = e.refused.map_or("", |refusal| refusal.text);
    format!("the network is fine: {} speaks another protocol than its client: it began with \"{text}\"", e.flow.server.endpoint)
}

pub(super) fn refused_by_service(e: &Ending<'_>) -> Option<Confidence> {
    let refusal = e.refused.filter(|refusal| outermost(e) != "dns" && refusal.by == Side::Server)?;
    // What was not captured of its words may have been an acceptance; what its reader passes anyway was none.
    let whole = e.tcp.is_none_or(|tcp| (tcp.missed_bytes[1], tcp.untold[1]) == (0, 0));
    let sure = match e.identified.torn {
        Torn::Nowhere if whole => Confidence::High,
        Torn::Nowhere => Confidence::Medium,
        _ => Confidence::Low,
    };
    (matches!(refusal.kind, AnswerKind::Refused | AnswerKind::Failed) && !e.is_cut_before_login()).then_some(sure)
}

pub(super) fn app_refused(e: &Ending<'_>) -> Option<Confidence> {
    let tls = matches!(outermost(e), "tls" | "dtls" | "quic");
    // What is refused inside a WebSocket, or by gRPC, is not the word of the HTTP that carries it.
    let is_http = outermost(e) == "http" && !e.identified.protocol.iter().any(|name| matches!(*name, "grpc" | "websocket"));
    let foreign = e.refused.is_some_and(|refusal| refusal.code >= IN_CLEAR) || tunnel::sealed(e).is_some();
    // What 4000 to 4999 mean to a WebSocket's ends, only they know (RFC 6455 section 7.4.2): mostly that somebody is not let in.
    let is_private = e.identified.protocol.contains(&"websocket") && e.refused.is_some_and(|refusal| (4_000..5_000).contains(&refusal.code));
    let sure = refused_by_service(e).filter(|_| !is_http && !tls && !foreign && e.inner_alert.is_none())?;
    Some(if is_private { sure.min(Confidence::Medium) } else { sure })
}

pub(super) fn says_app_refused(e: &Ending<'_>) -> String {
    let (code, text) = e.refused.map_or((0, ""), |refusal| (refusal.code, refusal.text));
    let beside = unheard(e);
    match code {
        // Of protocols whose refusals are words.
        0 => format!("the network is fine: the service itself answered {text}{beside}"),
        // Of those whose numbers nobody knows but in hexadecimal, the text has it.
        _ if text.ends_with(&format!("{code:#010x}")) => format!("the network is fine: the service itself answered {text}{beside}"),
        _ => format!("the network is fine: the service itself answered {code} {text}{beside}"),
    }
}

/// What makes a refusal less sure.
pub(super) fn unheard(e: &Ending<'_>) -> &'static str {
    match e.identified.torn {
        Torn::Before => "; what it said before was not all captured, and may have been better",
        Torn::Behind => "; what it said after that was not captured, and may have been better",
        _ => "",
    }
}

/// The service is there and let the client in; who kept the data connection from coming about, its reply does not say.
pub(super) fn parted(e: &Ending<'_>) -> Option<Confidence> {
    if let Some(PutOut { times, .. }) = e.put_out {
        return Some(if times >= SURELY_AGAIN { Confidence::Medium } else { Confidence::Low });
    }
    e.parted.map(|_| if e.identified.torn == Torn::Behind { Confidence::Low } else { Confidence::Medium })
}

pub(super) fn says_parted(e: &Ending<'_>) -> String {
    if let Some(PutOut { by, times }) = e.put_out {
        let name = e.identified.facts.iter().find_map(|fact| if let Fact::Session(name) = fact { Some(&**name) } else { None }).unwrap_or_default();
        let (server, client) = (e.server_ip(), e.flow.client.endpoint.ip);
        let whom = if by == client { "another connection of it".to_owned() } else { by.to_string() };
        return format!(
            "{server} let {client} in as \"{name}\", and put it out when {whom} came by the same name, as it did {times} times or more: there are two of this name"
        );
    }
    let (code, text) = e.parted.map_or((0, ""), |refusal| (refusal.code, refusal.text));
    match code {
        425 | 426 => format!("the control connection works, but {} says that the data connection does not: {code} {text}", e.server_ip()),
        _ if outermost(e) == "mqtt" => format!("{} let the client in, and then answered {code} {text}", e.server_ip()),
        _ => format!("{} served and then took its leave: {code} {text}", e.server_ip()),
    }
}

/// The TLS alert that ends a connection in good order (RFC 8446 section 6.1).
const CLOSE_NOTIFY: u32 = 0;
