//! Java's own protocols: RMI with its registry (Java RMI specification chapter 10), Hazelcast members and clients, Ignite nodes.

use std::net::IpAddr;
use std::time::Duration;

use crate::identify::wire::{Cursor, Held, hold, host_name, may_begin, printable};
use crate::identify::{AnswerKind, Evidence, Fact, NameSource};
use crate::limit;
use crate::net::{Endpoint, Side, Transport};
use crate::signature::PromiseKind;

use super::{Appetite, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by the stream header of JRMP.
pub static JAVA_RMI: Known = Known {
    name: "java_rmi",
    over: Over::Streams,
    ask: |_, bytes| match bytes {
        [b'J', b'R', b'M', b'I', 0, 1 | 2, 0x4b..=0x4d, ..] => Look::Yes(0, 7, "JRMP header"),
        _ if may_begin(bytes, b"JRMI\0\x02") => Look::Short,
        _ => Look::No,
    },
    answer: Some(|_, bytes| match bytes {
        [0x4e, 0, 1..=253, ..] => Look::Weak(0, 3, "JRMP protocol acknowledgment"),
        [0x4f, ..] => Look::Weak(0, 1, "JRMP protocol not supported"),
        // A single operation is answered at once.
        [0x51, 0xac, 0xed, 0, 5, ..] => Look::Yes(0, 5, "JRMP return data"),
        [0x4e] | [0x4e, 0] | [0x51] => Look::Short,
        [0x51, rest @ ..] if may_begin(rest, &[0xac, 0xed, 0, 5]) => Look::Short,
        _ => Look::No,
    }),
    strength: Strength::Magic,
    reader: || Box::new(Registry::default()),
};

/// Told by three letters and the packet behind them, or by both sides' letters.
pub static HAZELCAST: Known = Known {
    name: "hazelcast",
    over: Over::Streams,
    ask: hazelcast,
    answer: Some(|opening, bytes| match bytes {
        b"HZX" => Look::Yes(0, 3, "Hazelcast: unexpected protocol"),
        // A member answers a client without letters of its own; what it sends is a client message with plausible length and flags.
        [_, _, _, _, _, flags, ..] if !bytes.starts_with(b"HZ") && opening.client.starts_with(b"CP") => {
            Look::when(flags & 0x0f == 0, 6, "Hazelcast client message").weak()
        }
        _ => hazelcast(opening, bytes),
    }),
    strength: Strength::Magic,
    reader: || Box::new(Cluster::default()),
};

/// Told by the header constant of Ignite with what follows it, or at a port of Ignite's.
pub static IGNITE: Known =
    Known { name: "ignite", over: Over::Streams, ask: ignite, answer: None, strength: Strength::Magic, reader: || super::Confirm::of(&IGNITE) };

fn hazelcast(_: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        // Members: version 4 begins a packet (flags, partition, size follow).
        [b'H', b'Z', b'C', 4, ..] => Look::Yes(0, 4, "Hazelcast member protocol and packet"),
        b"HZC" => Look::Weak(0, 3, "Hazelcast member protocol"),
        // Clients: protocol 2 in 5.x and 4.x, then a frame whose length is at least its own header, little endian.
        [b'C', b'P', b'2', a, b, c, d, ..] => {
            Look::when((6..1 << 20).contains(&u32::from_le_bytes([*a, *b, *c, *d])), 7, "Hazelcast client protocol and message")
        }
        // 3.x: protocol "CB2" with the client's type in front of version 1.
        [b'C', b'B', b'2', a, b, c, d, ..] => {
            Look::when((18..1 << 20).contains(&u32::from_le_bytes([*a, *b, *c, *d])), 7, "Hazelcast client protocol and message")
        }
        _ if may_begin(bytes, b"HZC") || may_begin(bytes, b"CP2") || may_begin(bytes, b"CB2") => Look::Short,
        _ => Look::No,
    }
}

fn ignite(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        [0, 0, 0x47, 0x47, 0xac, 0xed, 0, 5, ..] => Look::Yes(0, 8, "Ignite header and Java object"),
        [0, 0, 0x47, 0x47, _, ..] => Look::Yes(0, 4, "Ignite header").weak_unless_at(opening, IGNITE_PORTS),
        // Communication: the acceptor sends its node id first, a direct message of type -1 (little endian).
        [0xff, 0xff, ..] if bytes.len() >= 18 => Look::Weak(0, 2, "Ignite node id message"),
        // Discovery answers with a Java object alone.
        [0xac, 0xed, 0, 5, ..] => Look::Weak(0, 4, "Java object"),
        [0, 0, 0x47, 0x47] | [0, 0, 0x47] | [0, 0] | [0] | [0xff] | [0xac, 0xed] | [0xac] => Look::Short,
        _ => Look::No,
    }
}

/// Reads the acknowledgment and where remote objects live.
#[derive(Debug, Default)]
struct Registry {
    from_server: Held,
    promises: usize,
    answered: bool,
}

impl Reader for Registry {
    fn held(&self) -> usize {
        self.from_server.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            return Appetite::Hungry;
        }
        let room = hold(&mut self.from_server, piece.bytes, limit::REGISTRY_KEPT);
        if !self.answered {
            match self.from_server.first() {
                Some(0x4e | 0x51) => said.believe(Evidence::BothOpenings),
                Some(0x4f) => said.say(Fact::answer(AnswerKind::Refused, 0x4f, "protocol not supported")),
                _ => return Appetite::Full,
            }
            self.answered = true;
        }
        if let Some(class) = thrown(&self.from_server) {
            said.believe(Evidence::Dialogue);
            said.say(Fact::answer(AnswerKind::Refused, 0, printable(class)));
            return Appetite::Full;
        }
        let places = references(&self.from_server);
        for (host, port) in places.iter().skip(self.promises) {
            self.promise(host, *port, &piece, said);
        }
        self.promises = self.promises.max(places.len());
        if room == 0 || self.promises > 0 || piece.missing > 0 { Appetite::Full } else { Appetite::Hungry }
    }
}

impl Registry {
    fn promise(&self, host: &[u8], port: u16, piece: &Piece<'_>, said: &mut Said<'_>) {
        said.believe(Evidence::Dialogue);
        // A stub often names the host by a name or an inner address; the registry's own address is where clients really get it.
        let named: Option<IpAddr> = std::str::from_utf8(host).ok().and_then(|text| text.parse().ok());
        let mut places = vec![piece.ends.server.ip];
        places.extend(named.filter(|ip| *ip != piece.ends.server.ip));
        if let (None, Some(name)) = (named, host_name(host)) {
            said.say(Fact::Name { of: Side::Server, name, source: NameSource::Host });
        }
        said.detail("java_rmi", "object", format!("{}:{port}", printable(host)));
        for ip in places {
            said.promise(piece, PromiseKind::Rmi, Transport::TCP, Endpoint { ip, port }, None, OBJECT_LASTS);
        }
    }
}

/// The class of an exception by which the runtime itself refuses a call: behind return data, a block of fifteen bytes whose first says that it was thrown, then the object and
/// its class by name (Java RMI specification section 10.2, Object Serialization Stream Protocol section 6.4).
fn thrown(bytes: &[u8]) -> Option<&[u8]> {
    const THROWN: &[u8] = &[0x51, 0xac, 0xed, 0, 5, 0x77, 15, 2];
    memchr::memmem::find_iter(bytes, THROWN).find_map(|at| {
        let mut object = Cursor::new(bytes.get(at + THROWN.len() + 14..)?);
        let (0x73, 0x72) = (object.u8()?, object.u8()?) else { return None };
        let len = object.be16()?;
        // What a method of the application throws is its own business.
        object.take(usize::from(len)).filter(|class| REFUSALS.contains(class))
    })
}

/// A wrong password of JMX, and a name that nobody is known by.
const REFUSALS: &[&[u8]] = &[b"java.lang.SecurityException", b"java.rmi.AccessException", b"java.rmi.NotBoundException"];

/// Hosts and ports of the references in serialised stubs: `UnicastRef` is written as host (counted text) and port (four bytes);
/// `UnicastRef2` has a format byte before the host (Java RMI, `java.rmi.server.RemoteRef`).
fn references(bytes: &[u8]) -> Vec<(Vec<u8>, u16)> {
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(bytes, b"UnicastRef") {
        let mut place = Cursor::new(bytes.get(at + 10..).unwrap_or_default());
        if place.rest().first() == Some(&b'2') {
            place.take(2);
        }
        let host = place.be16().filter(|len| (1..=255).contains(len)).and_then(|len| place.take(usize::from(len)));
        if let (Some(host), Some(port)) = (host, place.be32())
            && let Ok(port @ 1..) = u16::try_from(port)
        {
            found.push((host.to_vec(), port));
        }
    }
    found
}

/// Reads who answers, and the letters that say "wrong protocol".
#[derive(Debug, Default)]
struct Cluster {
    from_server: Held,
}

impl Reader for Cluster {
    fn held(&self) -> usize {
        self.from_server.capacity()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.from == Side::Client {
            return Appetite::Hungry;
        }
        hold(&mut self.from_server, piece.bytes, 4);
        match self.from_server.as_slice() {
            [b'H', b'Z', b'X', ..] => {
                said.believe(Evidence::Dialogue);
                said.say(Fact::answer(AnswerKind::Refused, 0, "HZX: unexpected protocol"));
                Appetite::Full
            }
            [_, _, _, ..] => {
                said.believe(Evidence::BothOpenings);
                Appetite::Full
            }
            _ => Appetite::Hungry,
        }
    }
}

/// Stubs are looked up and used at once; JMX consoles keep trying for a while.
const OBJECT_LASTS: Duration = Duration::from_secs(300);
/// Discovery, communication, and the ports Spotfire sets (protocols.md section 1.5).
const IGNITE_PORTS: &[u16] = &[47100, 47500, 47501, 47502, 5701, 5702, 5703];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    #[test]
    fn a_registry_announces_the_second_port() {
        // Return data with a stub that ends in UnicastRef, host "10.0.0.2", port 40001.
        let client = hex("4a524d49 0002 4b");
        let server = [hex("4e 0009 31302e302e302e312e 0000c350 51aced0005"), b"UnicastRef\0\x08".to_vec(), b"10.0.0.2".to_vec(), hex("00009c41")].concat();
        let dialogue: &[(Side, &[u8])] = &[(Client, &client), (Server, &server)];
        assert_eq!(evidence(decide(&JAVA_RMI, Transport::TCP, 1099, &client, &server)), Evidence::BothOpenings);
        let heard = read(&JAVA_RMI, Transport::TCP, 1099, dialogue);
        assert!(heard.facts.iter().any(|fact| matches!(fact, Fact::Promise(promise) if promise.server.to_string() == "10.0.0.2:40001")), "{:?}", heard.facts);
        survives(&JAVA_RMI, Transport::TCP, 1099, dialogue);
    }

    // OpenJDK's JMX agent with a password file to a client that knows a wrong one
    #[test]
    fn a_login_that_throws_is_refused() {
        let client = hex("4a524d49 0002 4b");
        let throws = |class: &str| [hex("51aced0005 770f 02 20be6672000001a21d3a5580800d 7372"), vec![0, class.len() as u8], class.into()].concat();
        let told = |class: &str| {
            let (hello, throws) = (hex("4e 0009 31302e302e302e312e 0000c350"), throws(class));
            let dialogue: &[(Side, &[u8])] = &[(Client, &client), (Server, &hello), (Server, &throws)];
            survives(&JAVA_RMI, Transport::TCP, 1098, dialogue);
            read(&JAVA_RMI, Transport::TCP, 1098, dialogue).facts
        };
        let refused = Fact::answer(AnswerKind::Refused, 0, "java.lang.SecurityException");
        assert_eq!(told("java.lang.SecurityException"), [refused]);
        assert!(told("com.example.OrderException").is_empty());
    }

    #[test]
    fn a_member_that_gets_the_wrong_protocol_says_so() {
        let dialogue: &[(Side, &[u8])] = &[(Client, b"HZC"), (Server, b"HZX")];
        assert_eq!(evidence(decide(&HAZELCAST, Transport::TCP, 5701, b"HZC", b"HZX")), Evidence::BothOpenings);
        assert!(read(&HAZELCAST, Transport::TCP, 5701, dialogue).facts.iter().any(|fact| matches!(fact, Fact::Answer { kind: AnswerKind::Refused, .. })));
        assert_eq!(evidence(decide(&HAZELCAST, Transport::TCP, 5701, b"HZC\x04\0\x01", b"")), Evidence::OneOpening);
        assert_eq!(evidence(decide(&HAZELCAST, Transport::TCP, 5701, b"HZC", b"")), Evidence::None);
        survives(&HAZELCAST, Transport::TCP, 5701, dialogue);
    }

    #[test]
    fn four_bytes_of_ignite_need_a_port_or_the_other_side() {
        let hello = hex("00004747 aced0005 7372");
        assert_eq!(evidence(decide(&IGNITE, Transport::TCP, 9999, &hello, b"")), Evidence::OneOpening);
        assert_eq!(evidence(decide(&IGNITE, Transport::TCP, 9999, &hex("00004747 01"), b"")), Evidence::None);
        assert_eq!(evidence(decide(&IGNITE, Transport::TCP, 5701, &hex("00004747 01"), b"")), Evidence::OneOpening);
        survives(&IGNITE, Transport::TCP, 5701, &[(Client, &hello), (Server, &hello)]);
    }
}
