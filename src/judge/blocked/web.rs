//! Rules on what HTTP answers: a proxy or a portal in the server's place, or the server itself.

use crate::identify::Fact;
use crate::judge::Confidence;
use crate::judge::blocked::answer::{outermost, refused_by_service, unheard};
use crate::judge::ending::Ending;
use crate::net::{Side, is_private};

fn code(e: &Ending<'_>) -> Option<u32> {
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
    proxy_mark(e).filter(|_| code(e) == Some(407) && !e.is_cut_before_login()).map(|_| Confidence::High)
}

pub(super) fn says_proxy(e: &Ending<'_>) -> String {
    format!("{} wants a login before it lets anything pass (HTTP {})", e.server_ip(), code(e).unwrap_or(0))
}

/// RFC 6585 section 6; or the question by which systems look for portals is sent elsewhere; or a server outside seems to send to an address inside; or the
/// redirection itself says that a proxy made it up.
pub(super) fn captive(e: &Ending<'_>) -> Option<Confidence> {
    if code(e) == Some(511) {
        return Some(Confidence::High);
    }
    let portal = portal(e)?;
    let asked = e.name?;
    if PROBES.contains(&asked) && portal != asked {
        return Some(Confidence::High);
    }
    let inside = portal.parse().is_ok_and(is_private) && !is_private(e.server_ip());
    let made_up = proxy_mark(e).is_some() && portal != asked;
    (inside || made_up).then_some(Confidence::Medium)
}

/// Where a plain HTTP request was sent instead.
fn portal<'a>(e: &Ending<'a>) -> Option<&'a str> {
    e.identified.facts.iter().find_map(|fact| match fact {
        Fact::SentTo { host } if outermost(e) == "http" => Some(&**host),
        _ => None,
    })
}

pub(super) fn says_captive(e: &Ending<'_>) -> String {
    match (code(e), portal(e), e.name) {
        (Some(code), ..) => format!("{} wants a login before it lets anything pass (HTTP {code})", e.server_ip()),
        (None, Some(portal), Some(asked)) => format!("what was asked of {asked} was sent to {portal}: a portal answers in the server's place"),
        _ => "a portal answers in the server's place".to_owned(),
    }
}

/// Refused by policy (403, or 451 of RFC 7725), in a proxy's own words. Not more than medium: the service's operator may have put the proxy there.
pub(super) fn block_page(e: &Ending<'_>) -> Option<Confidence> {
    proxy_mark(e).filter(|_| matches!(code(e), Some(403 | 451))).map(|_| Confidence::Medium)
}

pub(super) fn says_block_page(e: &Ending<'_>) -> String {
    let (code, text) = e.refused.map_or((0, ""), |refusal| (refusal.code, refusal.text));
    let mark = proxy_mark(e).unwrap_or_default();
    format!("a proxy or filter answered {code} {text} under the address {} ({mark})", e.server_ip())
}

/// A page that is not there, or a method not allowed, is everyday HTTP; a login refused, or a server that fails, is not. Who wrote the answer, the server
/// or something before it, HTTP does not show. Numbers that no status has are errors of HTTP/2 (RFC 9113 section 7).
pub(super) fn refused(e: &Ending<'_>) -> Option<Confidence> {
    refused_by_service(e).filter(|_| matches!(code(e), Some(1..=13 | 401 | 403 | 407 | 451 | 500..=999))).map(|sure| sure.min(Confidence::Medium))
}

pub(super) fn says_refused(e: &Ending<'_>) -> String {
    let (code, text) = e.refused.map_or((0, ""), |refusal| (refusal.code, refusal.text));
    let mark = proxy_mark(e).map_or_else(String::new, |mark| format!(", by a proxy ({mark})"));
    format!("a connection was made and answered {code} {text}{mark}{}", unheard(e))
}

/// Names that systems and browsers ask over plain HTTP to find out whether a portal stands in the way (Android, Apple, Windows, Firefox, GNOME, Ubuntu):
/// their owners never redirect.
const PROBES: &[&str] = &[
    "captive.apple.com",
    "clients3.google.com",
    "connectivity-check.ubuntu.com",
    "connectivitycheck.android.com",
    "connectivitycheck.gstatic.com",
    "detectportal.firefox.com",
    "nmcheck.gnome.org",
    "www.msftconnecttest.com",
    "www.msftncsi.com",
];
