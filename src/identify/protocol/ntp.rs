//! Network time protocol (RFC 5905; control messages RFC 9327).

use crate::identify::wire::{Cursor, printable};
use crate::identify::{AnswerKind, Evidence, Fact};

use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by mode and version with a length that fits, at port 123; an answer repeats the time that its request was sent.
pub static NTP: Known = Known {
    name: "ntp",
    over: Over::Datagrams(Gate::Ports(&[123])),
    ask: |opening, bytes| look(opening, bytes, &[1, 3, 5, 6, 7]),
    answer: Some(|opening, bytes| look(opening, bytes, &[2, 4, 6, 7])),
    strength: Strength::Structure,
    reader: || Box::new(Clock::default()),
};

fn look(opening: &Opening<'_>, bytes: &[u8], modes: &[u8]) -> Look {
    let Some(first) = bytes.first().filter(|_| opening.is_at(&[123])) else { return Look::No };
    let (mode, version) = (first & 7, first >> 3 & 7);
    let fits = match mode {
        // 48 bytes, then extension fields and message authentication code, which are multiples of four.
        1..=5 => (1..=4).contains(&version) && bytes.len() >= 48 && bytes.len().is_multiple_of(4) && is_time(bytes),
        6 => (1..=4).contains(&version) && is_control(bytes),
        7 => (1..=4).contains(&version) && is_private(bytes),
        _ => false,
    };
    let turned = mode >= 6 && (opening.ends.1.port != 123) != (modes.contains(&4));
    Look::when(fits && modes.contains(&mode) && !turned, 48.min(bytes.len()) as u32, "NTP header at port 123")
}

/// Stratum up to 16; poll interval and precision as powers of two that a clock can have (0 and 32 stand for none); root delay and dispersion
/// of less than 256 seconds (RFC 5905 section 7.3).
const fn is_time(bytes: &[u8]) -> bool {
    matches!(bytes, [_, 0..=16, 0..=17 | 0xf9..=0xff, 0 | 0x20 | 0xe0..=0xff, 0 | 0xff, _, _, _, 0, ..])
}

/// A known operation (unset trap is 31) and a count of data that the datagram has room for, and hardly more (RFC 9327 section 2).
fn is_control(bytes: &[u8]) -> bool {
    let [_, operation, _, _, _, _, _, _, _, _, high, low, data @ ..] = bytes else { return false };
    let count = usize::from(u16::from_be_bytes([*high, *low]));
    matches!(operation & 0x1f, 0..=12 | 31) && (count..=count + 32).contains(&data.len())
}

/// Requests of ntpdc: an implementation, and items that the datagram has room for (ntp.org, "ntp_request.h").
fn is_private(bytes: &[u8]) -> bool {
    let [_, _, 0 | 2 | 3, code, error_and_many, many, size_high, size_low, data @ ..] = bytes else { return false };
    let many = usize::from(u16::from_be_bytes([error_and_many & 0x0f, *many]));
    let size = usize::from(u16::from_be_bytes([size_high & 0x0f, *size_low]));
    *code <= 63 && size_high & 0xf0 == 0 && error_and_many >> 4 <= 7 && many * size <= data.len()
}

/// Reads modes, and pairs answers with requests, whichever was captured first.
#[derive(Debug, Default)]
struct Clock {
    /// Version and mode of the first packet, of who asks where there is one.
    told: Option<(u8, u8)>,
    /// Transmit timestamp of the last request.
    asked: Option<[u8; 8]>,
    /// An answer to what was not asked yet.
    early: Option<Told>,
    answered: bool,
}

/// What an answer says.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// The transmit timestamp of what it answers.
    origin: [u8; 8],
    stratum: u8,
    reference: [u8; 4],
}

impl Reader for Clock {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let Some(first) = piece.bytes.first() else { return Appetite::Hungry };
        let (version, mode) = (first >> 3 & 7, first & 7);
        let answers = matches!(mode, 2 | 4);
        if self.told.is_none_or(|(_, mode)| matches!(mode, 2 | 4) && !answers) {
            self.told = Some((version, mode));
            if mode == 5 {
                said.say(Fact::OneWay);
            }
        }
        let stamp = |at: usize| piece.bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).copied();
        match mode {
            1 | 3 => {
                // Each poll of a client asks the same, whatever time it bears; peers poll each other whether or not they hear anything.
                let sent = stamp(40);
                if self.asked.is_some() && (mode == 3 || self.asked == sent) {
                    said.say(Fact::Retry);
                }
                self.asked = sent;
            }
            _ if answers => self.early = Told::read(piece.bytes),
            _ => (),
        }
        if let Some(told) = self.early.filter(|told| self.asked == Some(told.origin)) {
            told.tell(said);
            self.answered = true;
        }
        if !self.answered {
            return Appetite::Hungry;
        }
        self.finish(said);
        Appetite::Full
    }

    fn finish(&self, said: &mut Said<'_>) {
        if let Some((version, mode)) = self.told {
            said.detail("ntp", "version", version);
            said.detail("ntp", "mode", MODES.get(usize::from(mode)).copied().unwrap_or_default());
        }
    }
}

impl Told {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut at = Cursor::new(bytes);
        at.u8()?;
        let stratum = at.u8()?;
        at.take(10)?;
        let reference = at.array()?;
        at.take(8)?;
        Some(Self { origin: at.array()?, stratum, reference })
    }

    /// Stratum 0 in an answer is a kiss of death: its reference id says why in ASCII (RFC 5905 section 7.4). Without such a word it is what its name says, unspecified: the clock
    /// is not set, as chrony has it until it has heard a source.
    fn tell(self, said: &mut Said<'_>) {
        let (kind, text) = match self.stratum {
            0 if self.reference == [0; 4] => (AnswerKind::Failed, "unsynchronised".into()),
            0 => (AnswerKind::Refused, printable(&self.reference)),
            16 => (AnswerKind::Failed, "unsynchronised".into()),
            stratum => (AnswerKind::Accepted, format!("stratum {stratum}").into()),
        };
        said.believe(Evidence::Dialogue);
        said.say(Fact::answer(kind, u32::from(self.stratum), text));
    }
}

const MODES: &[&str] = &["reserved", "symmetric active", "symmetric passive", "client", "server", "broadcast", "control", "private"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, read, survives};
    use crate::net::Side::{self, Client, Server};
    use crate::net::Transport;

    /// A version 4 message: first byte, stratum, origin and transmit timestamps.
    fn message(first: u8, stratum: u8, origin: u8, transmit: u8) -> Vec<u8> {
        let mut bytes = vec![0; 48];
        (bytes[0], bytes[1]) = (first, stratum);
        bytes[24..32].fill(origin);
        bytes[40..48].fill(transmit);
        bytes
    }

    #[test]
    fn an_answer_with_the_requests_time_is_a_dialogue() {
        let (request, answer) = (message(0x23, 0, 0, 7), message(0x24, 2, 7, 9));
        assert_eq!(evidence(decide(&NTP, Transport::UDP, 123, &request, &answer)), Evidence::BothOpenings);
        let heard = read(&NTP, Transport::UDP, 123, &[(Client, &request), (Server, &answer)]);
        assert_eq!((heard.evidence, heard.appetite), (Evidence::Dialogue, Appetite::Full));
        let other = read(&NTP, Transport::UDP, 123, &[(Client, &request), (Server, &message(0x24, 2, 8, 9))]);
        assert_eq!(other.evidence, Evidence::None);
        survives(&NTP, Transport::UDP, 123, &[(Client, &request), (Server, &answer)]);
    }

    // RFC 5905 section 8: a client puts the time of sending into each request.
    #[test]
    fn the_next_poll_of_a_client_that_was_not_answered_asks_again() {
        let polls = [message(0x23, 0, 0, 7), message(0x23, 0, 0, 8), message(0x23, 0, 0, 9)];
        let retries = |dialogue: &[(Side, &[u8])]| read(&NTP, Transport::UDP, 123, dialogue).facts.iter().filter(|fact| **fact == Fact::Retry).count();
        assert_eq!(retries(&[(Client, &polls[0]), (Client, &polls[1]), (Client, &polls[2])]), 2);
        assert_eq!(retries(&[(Client, &polls[0]), (Server, &message(0x24, 2, 7, 9)), (Client, &polls[1])]), 0);
        // Symmetric peers poll on their own (RFC 5905 section 3).
        assert_eq!(retries(&[(Client, &message(0x21, 2, 0, 7)), (Client, &message(0x21, 2, 0, 8))]), 0);
    }

    #[test]
    fn broadcast_expects_no_answer_and_a_kiss_of_death_refuses() {
        assert!(read(&NTP, Transport::UDP, 123, &[(Client, &message(0x25, 1, 0, 7))]).facts.contains(&Fact::OneWay));
        let mut kiss = message(0xe4, 0, 7, 9);
        kiss[12..16].copy_from_slice(b"RATE");
        let heard = read(&NTP, Transport::UDP, 123, &[(Client, &message(0x23, 0, 0, 7)), (Server, &kiss)]);
        let refused = Fact::answer(AnswerKind::Refused, 0, "RATE");
        assert!(heard.facts.contains(&refused));
        // Also where the answer was captured first; one to nobody's request says nothing.
        let early = |transmit| read(&NTP, Transport::UDP, 123, &[(Server, &kiss), (Client, &message(0x23, 0, 0, transmit))]);
        assert!(early(7).facts.contains(&refused) && early(7).evidence == Evidence::Dialogue);
        assert!(!early(8).facts.contains(&refused));
    }

    // chronyd that has heard no source of its own: leap indicator 3, stratum 0, no reference
    #[test]
    fn a_server_whose_clock_is_not_set_says_so_and_refuses_nobody() {
        for unset in [message(0xe4, 0, 7, 9), message(0xe4, 16, 7, 9)] {
            let heard = read(&NTP, Transport::UDP, 123, &[(Client, &message(0x23, 0, 0, 7)), (Server, &unset)]);
            assert!(heard.facts.contains(&Fact::answer(AnswerKind::Failed, u32::from(unset[1]), "unsynchronised")), "{:?}", heard.facts);
        }
    }

    #[test]
    fn the_same_bytes_away_from_port_123_and_odd_lengths_are_no_ntp() {
        assert_eq!(evidence(decide(&NTP, Transport::UDP, 124, &message(0x23, 0, 0, 7), &[])), Evidence::None);
        assert_eq!(evidence(decide(&NTP, Transport::UDP, 123, &message(0x23, 0, 0, 7)[..47], &[])), Evidence::None);
    }
}
