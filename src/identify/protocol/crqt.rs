//! CRQT: the datagram by which an Open Cobalt peer announces a space (Open Croquet packages, `TContact>>createNewBuffer`). Nobody answers it.

use std::time::Duration;

use crate::identify::wire::{Cursor, in_hex, printable};

use super::{Appetite, Endpoint, Fact, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength, Transport};
use crate::identify::Promise;

use crate::signature::PromiseKind;

/// CRQT.
pub static CRQT: Known = Known {
    name: "crqt",
    over: Over::Datagrams(Gate::Bytes(&[b'C'..=b'C'])),
    ask: announcement,
    answer: Some(nothing),
    strength: Strength::Magic,
    reader: || Box::new(CrqtReader),
};

/// Magic, a port, 32 lower-case hexadecimal digits, a name.
fn announcement(_: &Opening<'_>, bytes: &[u8]) -> Look {
    Look::when(read(bytes).is_some(), 38, "CRQT magic, port and session id")
}

fn nothing(_: &Opening<'_>, _: &[u8]) -> Look {
    Look::No
}

/// What a datagram announces.
struct Announcement<'a> {
    port: u16,
    session: Box<[u8]>,
    space: &'a [u8],
}

fn read(bytes: &[u8]) -> Option<Announcement<'_>> {
    let mut at = Cursor::new(bytes);
    (at.array()? == *b"CRQT").then_some(())?;
    let port = at.be16().filter(|port| *port != 0)?;
    let session = session_id(at.take(32)?)?;
    // The listener wants more than 40 bytes.
    (bytes.len() > 40 && bytes.len() <= 2048).then_some(Announcement { port, session, space: at.rest() })
}

fn session_id(digits: &[u8]) -> Option<Box<[u8]>> {
    let value = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    digits.chunks_exact(2).map(|pair| Some(value(&pair[0])? << 4 | value(&pair[1])?)).collect()
}

struct CrqtReader;

impl Reader for CrqtReader {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let Some(Announcement { port, session, space }) = read(piece.bytes) else { return Appetite::Hungry };
        let announcer = piece.sender().ip;
        said.say(Fact::OneWay);
        said.detail("crqt", "space", printable(space));
        said.detail("crqt", "port", port);
        said.detail("crqt", "session", in_hex(&session));
        let (server, made, frame) = (Endpoint { ip: announcer, port }, piece.time, piece.frame);
        let begins = Some(session);
        said.say(Fact::Promise(Box::new(Promise {
            kind: PromiseKind::Crqt,
            transport: Transport::TCP,
            server,
            client: None,
            made,
            lasts: HOLDS,
            frame,
            parent: piece.ends.both(),
            over: piece.transport,
            begins,
            both_ways: false,
        })));
        Appetite::Hungry
    }
}

/// A space is announced every 5 seconds; a person picks it from the list within minutes.
const HOLDS: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::super::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read_all, survives};
    use super::*;
    use crate::identify::Evidence;
    use crate::net::Side;

    /// Port 6900, the well-known id of "Simple World".
    const EXAMPLE: &str = "43525154 1af4 3537316261306536373032383534356666343665623639383963633433656263 53696d706c6520576f726c64";

    #[test]
    fn an_announcement_promises_a_session() {
        let told = read_all(&CRQT, &[(Side::Client, &hex(EXAMPLE))]);
        let promise = told.facts.iter().find_map(|fact| if let Fact::Promise(promise) = fact { Some(promise) } else { None }).unwrap();
        assert_eq!((promise.server.port, promise.begins.as_deref()), (6900, Some(&hex("571ba0e67028545ff46eb6989cc43ebc")[..])));
        assert_eq!(told.detail("crqt", "space"), Some("Simple World".into()));
        assert!(told.says(&Fact::OneWay));
    }

    #[test]
    fn a_digit_in_capitals_a_port_of_zero_or_a_short_name_is_no_announcement() {
        let good = hex(EXAMPLE);
        assert_eq!(evidence(decide(&CRQT, Transport::UDP, 43215, &good, &[])), Evidence::OneOpening);
        for wrong in [[&good[..6], b"A", &good[7..]].concat(), [&good[..4], &[0, 0], &good[6..]].concat(), good[..40].to_vec()] {
            assert_eq!(evidence(decide(&CRQT, Transport::UDP, 43215, &wrong, &[])), Evidence::None);
        }
        survives(&CRQT, Transport::UDP, 43215, &[(Side::Client, &good)]);
        prefixes_never_match_anything_else("crqt", Transport::UDP, &good, &[]);
    }
}
