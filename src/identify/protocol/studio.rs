//! What studios over IP run beside their media: clocks by PTP (IEEE 1588), and the announcements of streams by SAP (RFC 2974).

use std::time::Duration;

use crate::identify::Fact;
use crate::identify::wire::{Cursor, lines, printable};

use super::calls::media_of_sdp;
use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// PTP over UDP, versions 2 (IEEE 1588-2008 section 13, annexes D and E) and 1 (IEEE 1588-2002 annex D, which Dante uses). Every message goes to the port of its
/// kind, and what answers it to the other one: no flow has an answer.
pub static PTP: Known = Known {
    name: "ptp",
    over: Over::Datagrams(Gate::Ports(PTP_PORTS)),
    ask: ptp,
    answer: Some(|_, _| Look::No),
    strength: Strength::Structure,
    reader: || Box::<Clock>::default(),
};

/// SAP: version 1, a length of what authenticates it that fits, and a session's description behind it.
pub static SAP: Known = Known {
    name: "sap",
    over: Over::Datagrams(Gate::BytesAnd(&[0x20..=0x3f], |bytes| description(bytes).is_some())),
    ask: |_, bytes| match description(bytes) {
        Some(at) => Look::Yes(at as u32, 3, "SAP announcement of a session"),
        None => Look::No,
    },
    answer: Some(|_, _| Look::No),
    strength: Strength::Magic,
    reader: || Box::<Announcements>::default(),
};

fn ptp(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    match bytes {
        [kind, version, len @ ..] if version & 0xf == 2 => {
            // Over IPv6 two bytes follow (annex E.2).
            let whole = matches!(len, [high, low, ..] if (34..=bytes.len()).contains(&usize::from(u16::from_be_bytes([*high, *low]))));
            let port = match kind & 0xf {
                0..=3 => PTP_EVENT,
                8..=0xd => PTP_GENERAL,
                _ => return Look::No,
            };
            Look::when(whole && opening.is_at(&[port]), 4, "PTP version 2 message")
        }
        // Versions of clock and network; behind the name of the subdomain an event or a general message over Ethernet.
        [0, 1, 0, 1, ..] => Look::when(matches!(bytes.get(20..22), Some([1 | 2, 1])) && bytes.len() >= 52, 4, "PTP version 1 message"),
        _ => Look::No,
    }
}

/// Whose time a domain follows.
#[derive(Debug, Default)]
struct Clock {
    told: bool,
}

impl Reader for Clock {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let is_second = piece.bytes.get(1).is_some_and(|version| version & 0xf == 2);
        if !std::mem::replace(&mut self.told, true) {
            said.say(Fact::OneWay);
            said.detail("ptp", "version", if is_second { 2_u8 } else { 1 });
            if let Some(domain) = piece.bytes.get(4).filter(|_| is_second) {
                said.detail("ptp", "domain", *domain);
            }
        }
        // Section 13.5: priorities around the clock's quality, then who it is.
        match (piece.bytes.first().map(|kind| kind & 0xf), piece.bytes.get(53..61)) {
            (Some(ANNOUNCE), Some(identity)) if is_second => {
                let identity: Vec<String> = identity.iter().map(|byte| format!("{byte:02x}")).collect();
                said.detail("ptp", "grandmaster", identity.join(":"));
                Appetite::Full
            }
            _ if is_second => Appetite::Hungry,
            _ => Appetite::Full,
        }
    }
}

/// Where the session's description begins: behind source and authentication, and behind the name of its form, which may be left out (RFC 2974 section 3).
fn description(bytes: &[u8]) -> Option<usize> {
    let (flags, authentication) = (*bytes.first()?, *bytes.get(1)?);
    // Encrypted and compressed ones say nothing.
    (flags >> 5 == 1 && flags & (ENCRYPTED | COMPRESSED) == 0).then_some(())?;
    let source = if flags & IPV6 == 0 { 4 } else { 16 };
    let at = 4 + source + 4 * usize::from(authentication);
    let rest = bytes.get(at..)?;
    let behind = if rest.starts_with(SDP) { at + SDP.len() } else { at };
    bytes.get(behind..)?.starts_with(b"v=0").then_some(behind)
}

/// What is announced: the same sessions again and again.
#[derive(Debug, Default)]
struct Announcements {
    /// Message identifier and source of the last one.
    last: Option<[u8; 6]>,
}

impl Reader for Announcements {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let is_first = self.last.is_none();
        let id = Cursor::new(piece.bytes.get(2..).unwrap_or_default()).array::<6>();
        let (Some(at), Some(id)) = (description(piece.bytes), id) else { return Appetite::Hungry };
        if is_first {
            said.say(Fact::OneWay);
        }
        if self.last.replace(id) != Some(id) && piece.bytes.first().is_some_and(|flags| flags & DELETION == 0) {
            let body = piece.bytes.get(at..).unwrap_or_default();
            if let Some(name) = lines(body).find_map(|line| line.strip_prefix(b"s=")).filter(|_| is_first) {
                said.detail("sap", "session", printable(name));
            }
            media_of_sdp(body, &piece, ANNOUNCED_FOR, said);
        }
        Appetite::Hungry
    }
}

const PTP_EVENT: u16 = 319;
const PTP_GENERAL: u16 = 320;
const PTP_PORTS: &[u16] = &[PTP_EVENT, PTP_GENERAL];
const ANNOUNCE: u8 = 0xb;
const IPV6: u8 = 0x10;
const DELETION: u8 = 0x04;
const ENCRYPTED: u8 = 0x02;
const COMPRESSED: u8 = 0x01;
const SDP: &[u8] = b"application/sdp\0";
/// RFC 2974 section 4: a session that has not been announced for an hour is over.
const ANNOUNCED_FOR: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::detail::DetailValue;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::identify::{Evidence, Promise};
    use crate::net::Side::Client;
    use crate::net::Transport;

    // IEEE 1588-2008 tables 18 and 25: domain 127, clock 00:1d:c1:ff:fe:00:00:01.
    fn announce() -> Vec<u8> {
        let header = hex("0b 02 0040 7f 00 0008 0000000000000000 00000000 001dc1fffe000001 0001 0007 05 00");
        [header, hex("00000000000000000000 0025 00 80 f8fe ffff 80 001dc1fffe000001 0000 a0")].concat()
    }

    #[test]
    fn a_clock_says_whose_time_its_domain_follows() {
        assert_eq!(announce().len(), 64);
        let sync = hex("00 02 002c 7f 00 0200 0000000000000000 00000000 001dc1fffe000001 0001 0001 00 00 0000000065432101 00000000");
        assert_eq!(sync.len(), 46);
        assert_eq!(evidence(decide(&PTP, Transport::UDP, 320, &announce(), &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&PTP, Transport::UDP, 319, &sync, &[])), Evidence::OneOpening);
        // Of the other kind, and cut short.
        assert_eq!(evidence(decide(&PTP, Transport::UDP, 319, &announce(), &[])), Evidence::None);
        assert_eq!(evidence(decide(&PTP, Transport::UDP, 320, &announce()[..60], &[])), Evidence::None);
        let told = read(&PTP, Transport::UDP, 320, &[(Client, &announce())]);
        assert!(told.says(&Fact::OneWay));
        assert_eq!(told.detail("ptp", "domain"), Some(DetailValue::Number(127)));
        assert_eq!(told.detail("ptp", "grandmaster"), Some("00:1d:c1:ff:fe:00:00:01".to_owned().into()));
        survives(&PTP, Transport::UDP, 320, &[(Client, &announce())]);
    }

    // IEEE 1588-2002 table D.2: a Sync of the subdomain _DFLT.
    #[test]
    fn clocks_of_version_1_are_known_too() {
        let head = [hex("0001 0001"), b"_DFLT".to_vec(), vec![0; 11], hex("01 01 001dc1000001 0001 0000 00 00 0000")].concat();
        let sync = [head, vec![0; 88]].concat();
        assert_eq!(sync.len(), 124);
        assert_eq!(evidence(decide(&PTP, Transport::UDP, 319, &sync, &[])), Evidence::OneOpening);
        assert_eq!(read(&PTP, Transport::UDP, 319, &[(Client, &sync)]).detail("ptp", "version"), Some(DetailValue::Number(1)));
        survives(&PTP, Transport::UDP, 319, &[(Client, &sync)]);
    }

    #[test]
    fn what_sap_announces_is_promised() {
        let session = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=Stage left\r\nc=IN IP4 239.69.1.2/32\r\nt=0 0\r\nm=audio 5004 RTP/AVP 98\r\n";
        let bare = [hex("20 00 1234 c0000209"), session.to_vec()].concat();
        let named = [hex("20 01 1234 c0000209 aabbccdd"), SDP.to_vec(), session.to_vec()].concat();
        for announcement in [&bare, &named] {
            assert_eq!(evidence(decide(&SAP, Transport::UDP, 9_875, announcement, &[])), Evidence::OneOpening);
            let told = read(&SAP, Transport::UDP, 9_875, &[(Client, announcement)]);
            let places = |promise: &Promise| (promise.server.to_string(), promise.lasts);
            let promised: Vec<_> = told.facts.iter().filter_map(|fact| if let Fact::Promise(promise) = fact { Some(places(promise)) } else { None }).collect();
            let hour = Duration::from_secs(3_600);
            assert_eq!(promised, [("239.69.1.2:5004".to_owned(), hour), ("239.69.1.2:5005".to_owned(), hour)]);
            assert_eq!(told.detail("sap", "session"), Some("Stage left".to_owned().into()));
            survives(&SAP, Transport::UDP, 9_875, &[(Client, announcement)]);
        }
        // The end of a session promises nothing; encrypted ones say nothing.
        let mut over = bare.clone();
        over[0] |= DELETION;
        assert!(!read(&SAP, Transport::UDP, 9_875, &[(Client, &over)]).facts.iter().any(|fact| matches!(fact, Fact::Promise(_))));
        over[0] |= ENCRYPTED;
        assert_eq!(evidence(decide(&SAP, Transport::UDP, 9_875, &over, &[])), Evidence::None);
    }
}
