//! Simple Service Discovery Protocol (UPnP Device Architecture 1.1 section 1): searches, announcements, and answers that name a LOCATION.

use std::net::IpAddr;
use std::time::Duration;

use crate::identify::wire::{begins, lines, may_begin, printable};

use super::{Appetite, Endpoint, Evidence, Fact, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Side, Strength, Transport};
use crate::identify::AnswerKind;
use crate::limit;
use crate::net::is_group;
use crate::signature::PromiseKind;

/// SSDP.
pub static SSDP: Known = Known {
    name: "ssdp",
    over: Over::Datagrams(Gate::Bytes(&[b'H'..=b'H', b'M'..=b'N', b'h'..=b'h', b'm'..=b'n'])),
    ask: request,
    answer: Some(response),
    strength: Strength::Text,
    reader: || Box::<SsdpReader>::default(),
};

fn request(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    for (word, rule) in [(&b"M-SEARCH * HTTP/1."[..], "SSDP search"), (b"NOTIFY * HTTP/1.", "SSDP announcement")] {
        if begins(bytes, word) {
            return Look::Yes(0, u32::try_from(word.len()).unwrap_or(u32::MAX), rule);
        }
        if may_begin(bytes, word) && opening.wire_len(Side::Client) > bytes.len() {
            return Look::Short;
        }
    }
    Look::No
}

fn response(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let told = || field(bytes, "ST").is_some() || field(bytes, "USN").is_some();
    Look::when(begins(bytes, b"HTTP/1.1 200") && told(), 12, "SSDP answer with ST or USN")
}

/// A header field of a message.
fn field<'a>(message: &'a [u8], name: &str) -> Option<&'a str> {
    let [value] = fields(message, [name]);
    value
}

/// The first header fields of these names, in one go.
fn fields<'a, const N: usize>(message: &'a [u8], names: [&str; N]) -> [Option<&'a str>; N] {
    let mut values = [None; N];
    for line in lines(message).skip(1) {
        let Some(letter) = line.first() else { continue };
        let is_wanted = |name: &str, value: &Option<_>| value.is_none() && name.as_bytes().first().is_some_and(|first| first.eq_ignore_ascii_case(letter));
        for (name, value) in names.iter().zip(&mut values) {
            if is_wanted(name, value) && begins(line, name.as_bytes()) {
                *value = line.get(name.len()..).and_then(|rest| std::str::from_utf8(rest.strip_prefix(b":")?).ok()).map(str::trim);
            }
        }
    }
    values
}

/// Reads every message: each may announce another device.
#[derive(Debug, Default)]
struct SsdpReader {
    searched: [bool; 2],
    messages: u16,
}

impl Reader for SsdpReader {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let bytes = piece.bytes;
        let [target, software, location, kind, control] = fields(bytes, ["ST", "SERVER", "LOCATION", "NTS", "CACHE-CONTROL"]);
        self.messages = self.messages.saturating_add(1);
        if begins(bytes, b"M-SEARCH") {
            self.searched[piece.from as usize] = true;
            let target = printable(target.unwrap_or_default().as_bytes());
            said.say(Fact::request("M-SEARCH", &target));
        } else if begins(bytes, b"HTTP/") {
            if self.searched[piece.from.other() as usize] {
                said.believe(Evidence::Dialogue);
            }
            said.say(Fact::Answer { kind: AnswerKind::Accepted, code: 200, text: "OK".into(), by: piece.from });
        }
        // Answers to a group come from other addresses: between these two ends none is due.
        let to = piece.receiver().ip;
        if begins(bytes, b"NOTIFY") || is_group(to) {
            said.say(Fact::OneWay);
        }
        if let Some(software) = software {
            said.say(Fact::Software { of: piece.from, text: printable(software.as_bytes()) });
        }
        if let Some(url) = location {
            announced(&piece, url, kind, control, said);
        }
        if self.messages >= limit::HTTP_MESSAGES { Appetite::Full } else { Appetite::Hungry }
    }
}

/// Whoever reads this message will fetch the description at LOCATION, and call services there.
fn announced(piece: &Piece<'_>, url: &str, kind: Option<&str>, control: Option<&str>, said: &mut Said<'_>) {
    let Some(server) = authority(url) else { return };
    if said.wants_details() {
        said.detail("ssdp", "location", printable(url.as_bytes()));
    }
    if kind == Some("ssdp:byebye") {
        return;
    }
    let age = control.and_then(|control| control.rsplit('=').next()?.trim().parse().ok());
    let lasts = Duration::from_secs(age.unwrap_or(MAX_AGE)).min(limit::PROMISE_HOLDS);
    said.promise(piece, PromiseKind::SsdpLocation, Transport::TCP, server, None, lasts);
}

/// Address and port of an `http://` URL; none where it names a host by name.
fn authority(url: &str) -> Option<Endpoint> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("HTTP://"))?;
    let authority = rest.split(['/', '?']).next()?;
    if let Ok(socket) = authority.parse::<std::net::SocketAddr>() {
        return Some(Endpoint { ip: socket.ip(), port: socket.port() });
    }
    let ip: IpAddr = authority.trim_matches(['[', ']']).parse().ok()?;
    Some(Endpoint { ip, port: 80 })
}

/// Seconds that an announcement holds where it does not say: UPnP Device Architecture asks for at least 1800.
const MAX_AGE: u64 = 1800;

#[cfg(test)]
mod tests {
    use super::super::testing::{decide, evidence, prefixes_never_match_anything_else, read_all, survives};
    use super::*;

    const SEARCH: &[u8] = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: upnp:rootdevice\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nLocation: http://192.0.2.1:5000/rootDesc.xml\r\nSERVER: MiniUPnPd/2.0\r\nST: upnp:rootdevice\r\n\r\n";

    #[test]
    fn an_answer_promises_a_connection_to_its_location() {
        let told = read_all(&SSDP, &[(Side::Client, SEARCH), (Side::Server, ANSWER)]);
        let promise = told.facts.iter().find_map(|fact| if let Fact::Promise(promise) = fact { Some(promise) } else { None }).unwrap();
        assert_eq!((promise.server.to_string().as_str(), promise.lasts), ("192.0.2.1:5000", Duration::from_secs(120)));
        assert!(told.says(&Fact::Software { of: Side::Server, text: "MiniUPnPd/2.0".into() }));
        assert_eq!(told.evidence, Evidence::Dialogue);
    }

    #[test]
    fn an_http_answer_without_st_or_usn_is_no_ssdp() {
        assert_eq!(evidence(decide(&SSDP, Transport::UDP, 1900, b"HTTP/1.1 200 OK\r\n\r\n", &[])), Evidence::None);
        assert_eq!(evidence(decide(&SSDP, Transport::UDP, 1900, ANSWER, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&SSDP, Transport::UDP, 1900, SEARCH, ANSWER)), Evidence::BothOpenings);
        survives(&SSDP, Transport::UDP, 1900, &[(Side::Client, SEARCH), (Side::Server, ANSWER)]);
        prefixes_never_match_anything_else("ssdp", Transport::UDP, SEARCH, ANSWER);
    }
}
