//! UPnP Internet Gateway Device: a mapping that a host asks for announces connections from outside (WANIPConnection:1 section 2.4.16).

use std::net::IpAddr;
use std::time::Duration;

use super::{Endpoint, Piece, Said, Transport};
use crate::limit;
use crate::signature::PromiseKind;

/// Promises the flow that an AddPortMapping request asks for: to the internal client's port, from anyone.
pub(super) fn port_mapping(body: &[u8], piece: &Piece<'_>, said: &mut Said<'_>) {
    let Some(text) = std::str::from_utf8(body).ok().filter(|text| text.contains("AddPortMapping") || text.contains("AddAnyPortMapping")) else { return };
    let number = |name| element(text, name).and_then(|value| value.parse::<u16>().ok()).filter(|port| *port != 0);
    let (Some(inside), Some(outside)) = (number("NewInternalPort"), number("NewExternalPort")) else { return };
    let transport = if element(text, "NewProtocol").is_some_and(|name| name.eq_ignore_ascii_case("UDP")) { Transport::UDP } else { Transport::TCP };
    let asker = piece.ends.client.ip;
    let host: IpAddr = element(text, "NewInternalClient").and_then(|value| value.parse().ok()).unwrap_or(asker);
    let lease = element(text, "NewLeaseDuration").and_then(|value| value.parse().ok()).filter(|seconds| *seconds > 0);
    let lasts = lease.map_or(limit::PROMISE_HOLDS, Duration::from_secs).min(limit::PROMISE_HOLDS);
    said.detail("upnp", "mapping", format!("{transport} {outside} to {host}:{inside}"));
    said.promise(piece, PromiseKind::UpnpMapping, transport, Endpoint { ip: host, port: inside }, None, lasts);
}

/// Text of the first element of that name, whatever its prefix.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.match_indices(name).find(|(at, _)| matches!(text.as_bytes().get(at.wrapping_sub(1)), Some(b'<' | b':')))?.0;
    let after = text.get(start..)?;
    let open = after.find('>')? + 1;
    let close = after.get(open..)?.find('<')?;
    after.get(open..open + close).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::super::testing::read_all;
    use super::super::{Fact, Side, http};
    use super::*;

    #[test]
    fn a_port_mapping_promises_connections_from_anyone() {
        let body = "<?xml version=\"1.0\"?><s:Envelope><s:Body><u:AddPortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">\
            <NewRemoteHost></NewRemoteHost><NewExternalPort>6900</NewExternalPort><NewProtocol>TCP</NewProtocol><NewInternalPort>6901</NewInternalPort>\
            <NewInternalClient>192.0.2.7</NewInternalClient><NewLeaseDuration>0</NewLeaseDuration></u:AddPortMapping></s:Body></s:Envelope>";
        let action = "urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping";
        let request = format!("POST /ctl HTTP/1.1\r\nSOAPAction: \"{action}\"\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let told = read_all(&http::Http, &[(Side::Client, request.as_bytes())]);
        let promise = told.facts.iter().find_map(|fact| if let Fact::Promise(promise) = fact { Some(promise) } else { None }).unwrap();
        assert_eq!((promise.server.to_string().as_str(), promise.transport, promise.client), ("192.0.2.7:6901", Transport::TCP, None));
        assert!(told.says(&Fact::Inner("upnp")));
    }
}
