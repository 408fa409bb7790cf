//! Multicast DNS (RFC 6762): DNS messages at port 5353.

use crate::identify::NameSource;

use super::dns_message::{Header, Message, read_question};
use super::dns_reader::Names;
use super::{Gate, Known, Look, Opening, Over, Strength};

/// Told by a DNS message between or to ports 5353; queries and answers look alike, so no side is a client by content.
pub static MDNS: Known = Known {
    name: "mdns",
    over: Over::Datagrams(Gate::Ports(&[5353])),
    ask: look,
    answer: None,
    strength: Strength::Structure,
    reader: || Names::of(NameSource::Mdns),
};

fn look(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    // A resolver may ask from port 5353.
    if !opening.is_at(&[5353]) || opening.is_at(&[53]) {
        return Look::No;
    }
    let mut classes = true;
    let message = Message::read_asking(bytes, |question| classes &= matches!(question.class & 0x7fff, 1 | 255));
    let fits = message.is_some_and(|message| {
        // RFC 6762 section 18: opcode and rcode are zero. Later fragments of a known-answer list may hold no question.
        message.header.opcode() == 0 && message.header.rcode() == 0 && (message.question.is_some() || !message.records.is_empty())
    });
    if !fits && opening.cut != [0; 2] {
        return Look::when(begins_like_one(bytes), 12, "multicast DNS header and name, cut short");
    }
    Look::when(fits && classes, 12, "multicast DNS message")
}

/// Of a message that was cut short: its header, and the name that it begins with. It ends where a type and a class fit that are multicast DNS's, or with what was kept:
/// names of services are long.
fn begins_like_one(bytes: &[u8]) -> bool {
    let Some(header) = Header::read(bytes).filter(|header| header.opcode() == 0 && header.rcode() == 0) else { return false };
    // No message of 9,000 bytes (RFC 6762 section 17) holds more.
    if !(1..=800).contains(&(u32::from(header.counts[0]) + header.records())) {
        return false;
    }
    match read_question(bytes, 12) {
        Some((first, _)) => matches!(first.class & 0x7fff, 1 | 255),
        // Sent to the group its number is zero (section 18.1).
        None => header.id == 0 && is_long_name(bytes.get(12..).unwrap_or_default()),
    }
}

/// Whether it is labels as far as it goes, a whole one at least, and nothing that ends them.
fn is_long_name(mut bytes: &[u8]) -> bool {
    let mut labels = 0;
    while let [len @ 1..=63, rest @ ..] = bytes {
        let label = rest.get(..usize::from(*len)).unwrap_or(rest);
        if label.iter().any(u8::is_ascii_control) {
            return false;
        }
        bytes = rest.get(usize::from(*len)..).unwrap_or_default();
        labels += usize::from(label.len() == usize::from(*len));
    }
    labels > 0 && bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::identify::{Evidence, Fact};
    use crate::net::Side::Client;
    use crate::net::Transport;

    /// An announcement: player.local A 10.0.0.1 with the cache-flush bit, ttl 120 (RFC 6762 section 8.3).
    const ANNOUNCEMENT: &str = "0000 8400 0000 0001 0000 0000 06706c61796572 056c6f63616c 00 0001 8001 00000078 0004 0a000001";

    #[test]
    fn an_announcement_names_its_sender() {
        let bytes = hex(ANNOUNCEMENT);
        assert_eq!(evidence(decide(&MDNS, Transport::UDP, 5353, &bytes, &[])), Evidence::OneOpening);
        let heard = read(&MDNS, Transport::UDP, 5353, &[(Client, &bytes)]);
        assert!(heard.facts.contains(&Fact::Name { of: Client, name: "player.local".into(), source: NameSource::Mdns }), "{:?}", heard.facts);
        survives(&MDNS, Transport::UDP, 5353, &[(Client, &bytes)]);
    }

    #[test]
    fn a_service_that_is_announced_is_stated() {
        // PTR _spx-hmp._tcp.local -> x._spx-hmp._tcp.local (RFC 6763 section 4.1).
        let bytes = hex("0000 8400 0000 0001 0000 0000 085f7370782d686d70 045f746370 056c6f63616c 00 000c 0001 00000078 0004 0178c00c");
        let heard = read(&MDNS, Transport::UDP, 5353, &[(Client, &bytes)]);
        assert!(heard.facts.contains(&Fact::Offers { of: Client, service: "_spx-hmp._tcp.local".into() }), "{:?}", heard.facts);
    }

    #[test]
    fn a_record_of_thousands_of_addresses_names_a_few_of_them() {
        // HTTPS record of player.local in service mode with 8,000 ipv4hint addresses (RFC 9460 section 7.3).
        let mut bytes = hex("0000 8400 0000 0001 0000 0000 06706c61796572 056c6f63616c 00 0041 0001 00000078 7d07 0001 00 0004 7d00");
        (0..8_000_u32).for_each(|n| bytes.extend((0x0a00_0000 + n).to_be_bytes()));
        let heard = read(&MDNS, Transport::UDP, 5353, &[(Client, &bytes)]);
        assert!(heard.facts.iter().any(|fact| matches!(fact, Fact::Resolved(_))), "{:?}", heard.facts);
    }

    // A recorder that keeps 64 bytes leaves 22 of the message, behind Ethernet, IPv4 and UDP; 128 hold a name that is not long.
    #[test]
    fn a_message_that_was_cut_short_is_told_by_its_first_name() {
        let bytes = hex(ANNOUNCEMENT);
        let probe = |kept: usize, cut: u32| {
            let opening = Opening { cut: [cut, 0], ..crate::identify::protocol::testing::opening(Transport::UDP, 5353, &bytes[..kept], &[]) };
            evidence(super::super::Protocol::probe(&MDNS, &Opening { complete: true, ..opening }))
        };
        assert_eq!([probe(16, 25), probe(30, 0), probe(36, 11)], [Evidence::None, Evidence::None, Evidence::OneOpening]);
        // Between its first label and the end of its name; a name that has ended with what was kept says no type.
        assert_eq!([probe(22, 25), probe(27, 20)], [Evidence::OneOpening, Evidence::None]);
    }

    #[test]
    fn the_same_bytes_at_another_port_are_not_multicast_dns() {
        assert_eq!(evidence(decide(&MDNS, Transport::UDP, 53, &hex(ANNOUNCEMENT), &[])), Evidence::None);
        assert_eq!(evidence(decide(&MDNS, Transport::UDP, 5353, b"M-SEARCH * HTTP/1.1\r\n", &[])), Evidence::None);
    }
}
