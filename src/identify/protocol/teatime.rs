//! TeaTime over TCP, as Open Cobalt speaks it (Open Croquet packages, `TMessageRelay>>sendDatagram:`): the client sends a session id of 16 bytes,
//! then both sides send frames of size, CRC-32, facet id and data.

use super::{Appetite, Evidence, Hit, Opening, Piece, Probe, Protocol, Reader, Said, Side, Strength, Transport};
use crate::identify::wire::{Held, hold, in_hex};
use crate::limit;

/// TeaTime.
#[derive(Debug)]
pub struct TeaTime;

impl Protocol for TeaTime {
    fn name(&self) -> &'static str {
        "teatime"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::TCP]
    }

    fn strength(&self) -> Strength {
        Strength::Magic
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let found = |side: Side, offset, len: usize, evidence, rule, client| {
            let hit = Hit { side, offset, len: u32::try_from(len).unwrap_or(u32::MAX), rule };
            Probe::Found { evidence, hit, client }
        };
        let Opening { client, server, .. } = *opening;
        let (logins, frames) = ([login(client), login(server)], [frame(client), frame(server)]);
        for side in [Side::Client, Side::Server] {
            match (logins[side as usize], frames[side.other() as usize]) {
                (Look::Whole(len), Look::Whole(_)) => return found(side, SESSION as u32, len, Evidence::BothOpenings, LOGIN, Some(side)),
                (Look::Whole(len), _) => return found(side, SESSION as u32, len, Evidence::OneOpening, LOGIN, Some(side)),
                _ => {}
            }
        }
        for side in [Side::Server, Side::Client] {
            if let Look::Whole(len) = frames[side as usize] {
                let client = (!opening.midstream).then_some(side.other());
                return found(side, 0, len, Evidence::OneOpening, FRAME, client);
            }
        }
        // A tick of the router is a whole frame of 32 bytes.
        if let Some(head) = opening.heads.iter().find(|head| opening.midstream && head.len == 32 && frame(&head.bytes) == Look::Whole(32)) {
            return found(head.from, 0, 32, Evidence::OneOpening, FRAME, None);
        }
        let hopeful = logins[0] == Look::Short || client.is_empty() && frames[1] == Look::Short;
        match (hopeful || opening.midstream) && !opening.complete {
            // Any piece of its middle may be a whole frame.
            true if opening.midstream => Probe::NeedMore,
            true => Probe::NotBefore([(HEADER + FACET) as u32; 2]),
            false => Probe::NotForUs,
        }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::<TeaTimeReader>::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    No,
    Short,
    /// A frame of this many bytes, whose checksum agrees.
    Whole(usize),
}

/// The session id and the client's first frame, which is always in clear.
fn login(bytes: &[u8]) -> Look {
    match bytes.get(SESSION..) {
        Some(rest) => frame(rest),
        None => Look::Short,
    }
}

fn frame(bytes: &[u8]) -> Look {
    let Some(size) = bytes.first_chunk().map(|size| u32::from_be_bytes(*size) as usize) else {
        return if bytes.first().is_none_or(|high| *high == 0) { Look::Short } else { Look::No };
    };
    if size > limit::TEATIME_FRAME {
        return Look::No;
    }
    let len = HEADER + FACET + size;
    let (Some(stated), Some(covered)) = (bytes.get(4..).and_then(|rest| rest.first_chunk()), bytes.get(HEADER..len)) else { return Look::Short };
    if crc32fast::hash(covered) == u32::from_be_bytes(*stated) { Look::Whole(len) } else { Look::No }
}

/// Names the session and the way of logging in, and hears whether the dispatcher answers.
#[derive(Debug, Default)]
struct TeaTimeReader {
    held: [Held; 2],
    told: [bool; 2],
}

impl Reader for TeaTimeReader {
    fn held(&self) -> usize {
        self.held.iter().map(Held::capacity).sum()
    }

    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let (side, held) = (piece.from as usize, &mut self.held[piece.from as usize]);
        if self.told[side] {
            return Appetite::Hungry;
        }
        let room = hold(held, piece.bytes, limit::TEATIME_FRAME + HEADER + FACET + SESSION);
        let looks = (login(held), frame(held));
        match looks {
            (Look::Whole(_), _) => session(held, said),
            (_, Look::Whole(_)) if self.told[piece.from.other() as usize] => said.believe(Evidence::Dialogue),
            (_, Look::Whole(_)) => {}
            (Look::No, Look::No) => return Appetite::Full,
            _ if room == 0 => return Appetite::Full,
            _ => return Appetite::Hungry,
        }
        self.held[side] = Held::new();
        self.told[side] = true;
        if self.told == [true, true] { Appetite::Full } else { Appetite::Hungry }
    }
}

fn session(bytes: &[u8], said: &mut Said<'_>) {
    let (id, rest) = bytes.split_at(SESSION.min(bytes.len()));
    said.detail("teatime", "session", in_hex(id));
    let facet = rest.get(HEADER..HEADER + FACET).unwrap_or_default();
    let style = match rest.first_chunk().map(|size| u32::from_be_bytes(*size)) {
        _ if facet == EXAMPLE_FACET => "example",
        _ if facet == SESSION_FACET => "session",
        Some(48) => "simple",
        _ => return,
    };
    said.detail("teatime", "login", style);
}

/// Bytes of the session id.
const SESSION: usize = 16;
/// Size and checksum.
const HEADER: usize = 8;
/// Bytes of a facet id.
const FACET: usize = 16;

const LOGIN: &str = "TeaTime session id and a frame whose CRC-32 agrees";
const FRAME: &str = "TeaTime frame whose CRC-32 agrees";

/// Where everybody may log in.
const EXAMPLE_FACET: [u8; 16] = [0xcf, 0xa7, 0x74, 0xf5, 0x32, 0x48, 0xa0, 0xb2, 0x9e, 0x02, 0xe5, 0xc8, 0xc4, 0x3b, 0xa4, 0x8e];
/// Where a user name is asked for.
const SESSION_FACET: [u8; 16] = [0xec, 0x7f, 0xa3, 0xfd, 0xa4, 0x52, 0x47, 0x33, 0xb6, 0x07, 0xf1, 0xec, 0x6f, 0x42, 0xa2, 0x4c];

#[cfg(test)]
mod tests {
    use super::super::testing::{decide, evidence, hex, prefixes_never_match_anything_else, read_all, survives};
    use super::*;

    /// Example login into "Simple World"; its checksum was computed with zlib.
    const HELLO: &str = "571ba0e67028545ff46eb6989cc43ebc 00000010 9be9cbfa cfa774f53248a0b29e02e5c8c43ba48e 000102030405060708090a0b0c0d0e0f";
    /// A tick of the router, likewise.
    const TICK: &str = "00000008 f76dc478 1112131415161718191a1b1c1d1e1f20 42614c9e5a000000";

    fn tick() -> Vec<u8> {
        let mut tick = hex(TICK);
        let crc = crc32fast::hash(&tick[8..]).to_be_bytes();
        tick[4..8].copy_from_slice(&crc);
        tick
    }

    #[test]
    fn a_login_is_told_by_its_checksum_on_any_port() {
        let hello = hex(HELLO);
        assert_eq!(evidence(decide(&TeaTime, Transport::TCP, 7777, &hello, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&TeaTime, Transport::TCP, 7777, &hello, &tick())), Evidence::BothOpenings);
        for place in 16..hello.len() {
            let mut wrong = hello.clone();
            wrong[place] ^= 1;
            assert_eq!(evidence(decide(&TeaTime, Transport::TCP, 6900, &wrong, &[])), Evidence::None, "byte {place}");
        }
    }

    #[test]
    fn the_session_and_the_way_of_logging_in_are_told_however_the_login_is_split() {
        let hello = hex(HELLO);
        let told = read_all(&TeaTime, &[(Side::Client, &hello[..16]), (Side::Client, &hello[16..]), (Side::Server, &tick())]);
        assert_eq!(told.detail("teatime", "session"), Some("571ba0e67028545ff46eb6989cc43ebc".into()));
        assert_eq!(told.detail("teatime", "login"), Some("example".into()));
        assert_eq!(told.evidence, Evidence::Dialogue);
        survives(&TeaTime, Transport::TCP, 6900, &[(Side::Client, &hello), (Side::Server, &tick())]);
        prefixes_never_match_anything_else("teatime", Transport::TCP, &hello, &tick());
    }

    #[test]
    fn ticks_in_the_middle_of_a_session_are_told_by_their_checksum() {
        let heads = [super::super::Head::of(Side::Server, &tick(), 32)];
        let opening = Opening { midstream: true, heads: &heads, ..Opening::of(Transport::TCP, b"", b"rest of a frame") };
        assert!(matches!(TeaTime.probe(&opening), Probe::Found { client: None, .. }));
    }
}
