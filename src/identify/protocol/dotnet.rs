//! .NET's own protocols: WCF net.tcp message framing (MC-NMF) and .NET Remoting (MS-NRTP).

use crate::identify::wire::{Cursor, Held, hold, host_name, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact, NameSource};
use crate::limit;
use crate::net::Side;

use super::{Appetite, Known, Look, Over, Piece, Reader, Said, Strength};

/// Told by version record, mode record and a via record with its address.
pub static NET_TCP: Known = Known {
    name: "net_tcp",
    over: Over::Streams,
    ask: |_, bytes| match bytes {
        [0, 1, 0, 1, 1..=4, 2, rest @ ..] => match via(rest) {
            Some(uri) if uri.starts_with(b"net.") => Look::Yes(0, 6, "MC-NMF preamble with net.tcp address"),
            None if rest.len() < 1024 => Look::Short,
            _ => Look::No,
        },
        [0, 1, 0, 1, ..] | [0, 1, 0] | [0, 1] | [0] if bytes.len() < 6 => Look::Short,
        _ => Look::No,
    },
    answer: Some(|_, bytes| Look::when(matches!(bytes.first(), Some(0x0a | 0x0b | 0x08)), 1, "MC-NMF acknowledgment").weak()),
    strength: Strength::Magic,
    reader: || Box::new(Framing::default()),
};

/// Told by ".NET", version 1.0 and a known operation.
pub static DOTNET_REMOTING: Known = Known {
    name: "dotnet_remoting",
    over: Over::Streams,
    ask: |_, bytes| remoting(bytes, &[0, 1]),
    answer: Some(|_, bytes| remoting(bytes, &[2])),
    strength: Strength::Magic,
    reader: || Box::new(Remoting::default()),
};

/// The address in a via record: its length is a variable-length integer of seven-bit groups, least significant first (MC-NMF 2.2.2.1).
fn via(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = Cursor::new(bytes);
    let len = record_length(&mut at)?;
    at.take(len)
}

fn record_length(at: &mut Cursor<'_>) -> Option<usize> {
    let mut len = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let byte = at.u8()?;
        len |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(len);
        }
    }
    None
}

/// Reads the preamble and its acknowledgment.
#[derive(Debug, Default)]
struct Framing {
    client: Held,
    server: Held,
    told: bool,
}

impl Reader for Framing {
    fn held(&self) -> usize {
        self.client.capacity() + self.server.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let held = if piece.from == Side::Client { &mut self.client } else { &mut self.server };
        let room = hold(held, piece.bytes, limit::PREAMBLE_KEPT);
        if !self.told
            && let Some(uri) = self.client.get(6..).and_then(via)
        {
            self.told = true;
            address(uri, said);
        }
        match self.server.as_slice() {
            [0x0b, ..] => {
                said.believe(Evidence::Dialogue);
                Appetite::Full
            }
            // The upgrade that the client asked for begins right behind its request and this answer.
            [0x0a, ..] => {
                said.believe(Evidence::Dialogue);
                upgrade_end(&self.client).map_or(Appetite::Full, |client| Appetite::HandOver { client: client as u64, server: 1 })
            }
            [0x08, fault @ ..] => match via(fault) {
                Some(fault) => {
                    said.believe(Evidence::Dialogue);
                    let word = fault.rsplit(|byte| *byte == b'/').next().unwrap_or(fault);
                    said.say(Fact::answer(AnswerKind::Refused, 8, printable(word)));
                    Appetite::Full
                }
                None if fault.len() < 512 => Appetite::Hungry,
                None => Appetite::Full,
            },
            [] if room > 0 && piece.missing == 0 => Appetite::Hungry,
            _ => Appetite::Full,
        }
    }
}

/// `net.tcp://host:port/path`.
fn address(uri: &[u8], said: &mut Said<'_>) {
    let text = printable(uri);
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    said.say(Fact::request("net.tcp", &format!("/{path}")));
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if let Some(name) = host_name(host.as_bytes()).filter(|name| name.parse::<std::net::IpAddr>().is_err()) {
        said.say(Fact::Name { of: Side::Server, name, source: NameSource::Host });
    }
}

/// The offset behind the client's upgrade request: after the via record come the encoding (3 or 4) and the request (9).
fn upgrade_end(client: &[u8]) -> Option<usize> {
    let mut at = Cursor::new(client);
    at.take(6)?;
    let len = record_length(&mut at)?;
    at.take(len)?;
    loop {
        match at.u8()? {
            3 => {
                at.u8()?;
            }
            kind @ (4 | 9) => {
                let len = record_length(&mut at)?;
                at.take(len)?;
                if kind == 9 {
                    return Some(at.at());
                }
            }
            _ => return None,
        }
    }
}

fn remoting(bytes: &[u8], operations: &[u8]) -> Look {
    match bytes {
        [b'.', b'N', b'E', b'T', 1, 0, operation, 0, 0 | 1, 0, ..] => Look::when(operations.contains(operation), 10, ".NET Remoting header"),
        _ if bytes.len() < 10 && may_begin(bytes, b".NET\x01\0") => Look::Short,
        _ => Look::No,
    }
}

/// Reads the address of the first request; message frames have no length of their own.
#[derive(Debug, Default)]
struct Remoting {
    client: Held,
    told: bool,
}

impl Reader for Remoting {
    fn held(&self) -> usize {
        self.client.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Server {
            said.believe(Evidence::Dialogue);
            return Appetite::Full;
        }
        hold(&mut self.client, piece.bytes, limit::PREAMBLE_KEPT);
        if !self.told
            && let Some(uri) = request_address(&self.client)
        {
            self.told = true;
            let text = printable(uri);
            let path = text.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
            said.say(Fact::request("remoting", &format!("/{path}")));
        }
        Appetite::Hungry
    }
}

/// The request address among the headers (token 4): value type 1, encoding 1, length in four bytes, text (MS-NRTP 2.2.3.3.3.2).
fn request_address(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = Cursor::new(bytes);
    at.take(8)?;
    if at.le16()? == 0 {
        at.le32()?;
    }
    let (token, kind, encoding) = (at.le16()?, at.u8()?, at.u8()?);
    let len = at.le32()?;
    (token == 4 && kind == 1 && encoding == 1).then(|| at.take(len as usize)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    #[test]
    fn a_preamble_names_its_service_and_upgrades_to_tls() {
        // Duplex, via net.tcp://h:8000/a, binary encoding with dictionary, upgrade to application/ssl-tls, answered.
        let client = [hex("000100 0102 02 12"), b"net.tcp://h:8000/a".to_vec(), hex("0308 09 13"), b"application/ssl-tls".to_vec()].concat();
        let dialogue: &[(Side, &[u8])] = &[(Client, &client), (Server, &[0x0a])];
        assert_eq!(evidence(decide(&NET_TCP, Transport::TCP, 8000, &client, &[0x0a])), Evidence::BothOpenings);
        let heard = read(&NET_TCP, Transport::TCP, 8000, dialogue);
        assert_eq!(heard.appetite, Appetite::HandOver { client: client.len() as u64, server: 1 });
        assert!(heard.facts.contains(&Fact::request("net.tcp", "/a")));
        survives(&NET_TCP, Transport::TCP, 8000, dialogue);
        assert_eq!(evidence(decide(&NET_TCP, Transport::TCP, 8000, &hex("000100 0102 02 03 666f6f"), &[])), Evidence::None);
    }

    #[test]
    fn remoting_requests_are_told_from_their_replies() {
        // The request quoted in protocols.md section 1.5.
        let request = [hex("2e4e4554 0100 0000 0000 8d000000 0400 01 01 1a000000"), b"tcp://localhost:8888/rMath".to_vec(), hex("0000")].concat();
        let reply = hex("2e4e4554 0100 0200 0000 20000000 0000 0001");
        assert_eq!(evidence(decide(&DOTNET_REMOTING, Transport::TCP, 9995, &request, &reply)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&DOTNET_REMOTING, Transport::TCP, 9995, &reply, &request)), Evidence::None);
        let heard = read(&DOTNET_REMOTING, Transport::TCP, 9995, &[(Client, &request)]);
        assert!(heard.facts.contains(&Fact::request("remoting", "/rMath")), "{:?}", heard.facts);
        survives(&DOTNET_REMOTING, Transport::TCP, 9995, &[(Client, &request), (Server, &reply)]);
    }
}
