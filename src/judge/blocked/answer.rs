//! Rules on what was answered instead of a service: by TLS, by a resolver, by a web server or a proxy, by the service itself.

use crate::identify::{AnswerKind, Fact};
use crate::judge::Confidence;
use crate::judge::ending::Ending;
use crate::judge::resolver::{Denial, Denied};
use crate::net::Side;

fn outermost<'a>(e: &Ending<'a>) -> &'a str {
    e.identified.protocol.first().copied().unwrap_or_default()
}

fn tls_by(e: &Ending<'_>, side: Side) -> Option<Confidence> {
    let tls = matches!(outermost(e), "tls" | "dtls" | "quic");
    e.refused.filter(|refusal| tls && refusal.by == side && refusal.code != CLOSE_NOTIFY).map(|_| Confidence::High)
}

pub(super) fn tls_by_client(e: &Ending<'_>) -> Option<Confidence> {
    tls_by(e, Side::Client)
}

pub(super) fn tls_by_server(e: &Ending<'_>) -> Option<Confidence> {
    tls_by(e, Side::Server)
}

pub(super) fn says_tls(e: &Ending<'_>) -> String {
    let (who, what) = e.refused.map_or((Side::Server, "alert"), |refusal| (refusal.by, refusal.text));
    format!("the {who} ended the TLS handshake: {what}")
}

/// The resolver says itself that it filters; or it gives an address that no host can have. Of names that no document knows, only the unspecified address
/// counts: blocklists that are asked by DNS answer with loopback addresses (RFC 5782 section 2.1), and `localhost` has one.
pub(super) fn dns_filtered(e: &Ending<'_>) -> Option<Confidence> {
    let denied = e.denied?;
    match denied.how {
        Denial::Policy(_) => Some(Confidence::High),
        Denial::NoHost(address) => (denied.row.is_some() || address.is_unspecified()).then_some(Confidence::Medium),
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
        Denial::Refused => format!("resolver {resolver} refuses to look up {documented}{name}{control}"),
        Denial::NoSuchName => format!("resolver {resolver} says that {documented}{name} does not exist{control}"),
        Denial::Failed => format!("resolver {resolver} failed to look up {documented}{name} (SERVFAIL){control}"),
        Denial::Code(code) => format!("resolver {resolver} answered the question for {documented}{name} with code {code}{control}"),
    }
}

fn http_code(e: &Ending<'_>) -> Option<u32> {
    e.refused.filter(|refusal| outermost(e) == "http" && refusal.by == Side::Server).map(|refusal| refusal.code)
}

/// The mark of a proxy that made the error answer up itself.
fn proxy_mark<'a>(e: &Ending<'a>) -> Option<&'a str> {
    e.identified.facts.iter().find_map(|fact| match fact {
        Fact::Proxied { mark } => Some(&**mark),
        _ => None,
    })
}

/// RFC 9110 section 15.5.8: a proxy says how to log in; a 407 without that is anybody's.
pub(super) fn proxy_wants_login(e: &Ending<'_>) -> Option<Confidence> {
    proxy_mark(e).filter(|_| http_code(e) == Some(407)).map(|_| Confidence::High)
}

/// RFC 6585 section 6.
pub(super) fn captive(e: &Ending<'_>) -> Option<Confidence> {
    (http_code(e)? == 511).then_some(Confidence::High)
}

pub(super) fn says_proxy(e: &Ending<'_>) -> String {
    format!("{} wants a login before it lets anything pass (HTTP {})", e.server_ip(), http_code(e).unwrap_or(0))
}

/// Refused by policy (403, or 451 of RFC 7725), in a proxy's own words. Not more than medium: the service's operator may have put the proxy there.
pub(super) fn block_page(e: &Ending<'_>) -> Option<Confidence> {
    proxy_mark(e).filter(|_| matches!(http_code(e), Some(403 | 451))).map(|_| Confidence::Medium)
}

pub(super) fn says_block_page(e: &Ending<'_>) -> String {
    let (code, text) = e.refused.map_or((0, ""), |refusal| (refusal.code, refusal.text));
    let mark = proxy_mark(e).unwrap_or_default();
    format!("a proxy or filter answered {code} {text} under the address {} ({mark})", e.server_ip())
}

fn refused_by_service(e: &Ending<'_>) -> Option<Confidence> {
    let refusal = e.refused.filter(|refusal| outermost(e) != "dns" && refusal.by == Side::Server)?;
    matches!(refusal.kind, AnswerKind::Refused | AnswerKind::Failed).then_some(Confidence::High)
}

/// A page that is not there, or a method not allowed, is everyday HTTP; a login refused, or a server that fails, is not. Who wrote the answer, the server
/// or something before it, HTTP does not show.
pub(super) fn web_refused(e: &Ending<'_>) -> Option<Confidence> {
    refused_by_service(e).filter(|_| matches!(http_code(e), Some(401 | 403 | 407 | 451 | 500..))).map(|_| Confidence::Medium)
}

pub(super) fn says_web_refused(e: &Ending<'_>) -> String {
    let (code, text) = e.refused.map_or((0, ""), |refusal| (refusal.code, refusal.text));
    let mark = proxy_mark(e).map_or_else(String::new, |mark| format!(", by a proxy ({mark})"));
    format!("a connection was made and answered {code} {text}{mark}")
}

pub(super) fn app_refused(e: &Ending<'_>) -> Option<Confidence> {
    refused_by_service(e).filter(|_| outermost(e) != "http")
}

pub(super) fn says_app_refused(e: &Ending<'_>) -> String {
    let (code, text) = e.refused.map_or((0, ""), |refusal| (refusal.code, refusal.text));
    format!("the network is fine: the service itself answered {code} {text}")
}

/// The TLS alert that ends a connection in good order (RFC 8446 section 6.1).
const CLOSE_NOTIFY: u32 = 0;
