//! What a flow's protocols state, as Suricata's application events tell it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use serde::Serialize;

use crate::identify::{DetailValue, Fact, Resolved};
use crate::judge::Judged;
use crate::report::stated;

/// One event, named by its protocol.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Application<'a> {
    Dns(Dns<'a>),
    Tls(Tls<'a>),
    Quic(Quic<'a>),
    Http(Http<'a>),
    Mqtt(Mqtt<'a>),
}

impl Application<'_> {
    /// Suricata's `event_type`.
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Tls(_) => "tls",
            Self::Quic(_) => "quic",
            Self::Http(_) => "http",
            Self::Mqtt(_) => "mqtt",
        }
    }
}

#[derive(Serialize)]
pub(super) struct Dns<'a> {
    version: u8,
    r#type: &'static str,
    rrname: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rrtype: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rcode: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    grouped: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Serialize)]
pub(super) struct Tls<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuerdn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notafter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja4: Option<&'a DetailValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_alpns: Option<&'a DetailValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_alpns: Option<[&'a DetailValue; 1]>,
}

#[derive(Serialize)]
pub(super) struct Quic<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a DetailValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja4: Option<&'a DetailValue>,
}

#[derive(Serialize)]
pub(super) struct Http<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_user_agent: Option<&'a str>,
    http_method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct Mqtt<'a> {
    connect: Connect<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connack: Option<Connack>,
}

#[derive(Serialize)]
struct Connect<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a DetailValue>,
}

#[derive(Serialize)]
struct Connack {
    return_code: u32,
}

/// The events of a flow, in the order their protocols lie in each other.
pub(super) fn events(judged: &Judged) -> Vec<Application<'_>> {
    let identified = &judged.identified;
    let mut events = Vec::new();
    for protocol in &identified.protocol {
        match *protocol {
            "dns" => events.extend(dns(judged)),
            "tls" if identified.protocol.first() != Some(&"quic") => events.push(tls(judged)),
            "quic" => events.push(quic(judged)),
            "http" => events.extend(http(judged)),
            "mqtt" => events.extend(mqtt(judged)),
            _ => {}
        }
    }
    events
}

/// Questions and answers. Facts are kept once each, so the type is told where the flow asks for one type only.
fn dns<'a>(judged: &'a Judged) -> Vec<Application<'a>> {
    let mut types = stated::details(judged, "dns", "type").filter_map(DetailValue::as_str);
    let rrtype = types.next().filter(|_| types.next().is_none());
    let event = |kind, rrname: Cow<'a, str>, rcode, grouped| {
        let rrtype = if kind == "query" { rrtype } else { None };
        Application::Dns(Dns { version: 2, r#type: kind, rrname, rrtype, rcode, grouped })
    };
    let queries = stated::details(judged, "dns", "query").filter_map(DetailValue::as_str).map(|name| event("query", name.into(), None, BTreeMap::new()));
    let answers = judged.identified.facts.iter().filter_map(|fact| match fact {
        Fact::Resolved(resolved) if resolved.reverse => {
            let asked = resolved.addresses.first().map(|address| reverse_name(*address))?;
            Some(event("answer", asked.into(), Some("NOERROR"), BTreeMap::from([("PTR", vec![resolved.name.to_string()])])))
        }
        Fact::Resolved(resolved) => {
            let Resolved { name, aliases, addresses, .. } = &**resolved;
            let mut grouped: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
            for address in addresses {
                let kind = if matches!(address, IpAddr::V4(_)) { "A" } else { "AAAA" };
                grouped.entry(kind).or_default().push(address.to_string());
            }
            if !aliases.is_empty() {
                grouped.insert("CNAME", aliases.iter().map(ToString::to_string).collect());
            }
            Some(event("answer", (&**name).into(), Some("NOERROR"), grouped))
        }
        Fact::Unresolved { name, code, .. } => Some(event("answer", (&**name).into(), Some(rcode(*code)), BTreeMap::new())),
        _ => None,
    });
    queries.chain(answers).collect()
}

/// The name under which an address is asked about (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let mut name = address.octets().iter().rev().fold(String::new(), |mut name, byte| {
                // Writing into a text never fails.
                let _ = write!(name, "{:x}.{:x}.", byte & 15, byte >> 4);
                name
            });
            name.push_str("ip6.arpa");
            name
        }
    }
}

fn tls(judged: &Judged) -> Application<'_> {
    let detail = |field| stated::details(judged, "tls", field).next();
    let certificate = |field: &str| detail("certificate").and_then(|certificate| certificate.get(field)).and_then(DetailValue::as_str);
    Application::Tls(Tls {
        subject: certificate("subject"),
        issuerdn: certificate("issuer"),
        sni: stated::server_name(judged, "sni"),
        version: detail("version").and_then(DetailValue::as_str).map(|version| format!("TLS {version}")),
        notafter: certificate("not_after").and_then(stated::certificate_time),
        ja4: detail("ja4"),
        client_alpns: detail("alpn"),
        server_alpns: detail("alpn_chosen").map(|chosen| [chosen]),
    })
}

fn quic(judged: &Judged) -> Application<'_> {
    let detail = |field| stated::details(judged, "quic", field).next();
    Application::Quic(Quic { version: detail("version"), sni: stated::server_name(judged, "sni"), ja4: detail("ja4") })
}

/// An event a request. A status belongs to a request for sure where there was only one.
fn http(judged: &Judged) -> Vec<Application<'_>> {
    let facts = &judged.identified.facts;
    let hostname = stated::server_name(judged, "host");
    let requests: Vec<_> = stated::requests(facts).collect();
    let (http_user_agent, status) = (stated::user_agent(facts), stated::answer(facts).filter(|_| requests.len() == 1));
    let event = |(http_method, url)| Application::Http(Http { hostname, url, http_user_agent, http_method, status });
    requests.into_iter().map(event).collect()
}

/// Where its CONNECT was seen.
fn mqtt(judged: &Judged) -> Option<Application<'_>> {
    let detail = |field| stated::details(judged, "mqtt", field).next();
    // Levels as CONNECT carries them (MQTT 3.1.1 section 3.1.2.2, MQTT 5 section 3.1.2.2).
    let protocol_version = detail("version").and_then(DetailValue::as_str).and_then(|version| match version {
        "3.1" => Some(3),
        "3.1.1" => Some(4),
        "5" | "5.0" => Some(5),
        _ => None,
    });
    let connect = Connect { protocol_version, client_id: detail("client_id") };
    let seen = connect.protocol_version.is_some() || connect.client_id.is_some();
    seen.then(|| Application::Mqtt(Mqtt { connect, connack: stated::answer(&judged.identified.facts).map(|return_code| Connack { return_code }) }))
}

/// Result codes by IANA's names; few are ever met.
const fn rcode(code: u16) -> &'static str {
    match code {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_about_backwards() {
        let names = ["192.0.2.17", "4321:0:1:2:3:4:567:89ab"].map(|address| reverse_name(address.parse().unwrap()));
        assert_eq!(names, ["17.2.0.192.in-addr.arpa", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"]);
    }
}
