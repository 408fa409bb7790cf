//! DNS over UDP and TCP (RFC 1035, RFC 7766).

use crate::identify::NameSource;
use crate::identify::wire::Cursor;
use crate::net::Transport;

use super::dns_message::{Header, Message, Question, asked, read_question};
use super::dns_name::read_name;
use super::dns_reader::Names;
use super::{Gate, Known, Look, Opening, Over, Strength};

/// Told by a header whose counts fit the datagram and a question that makes sense, away from the ports of its three relatives.
pub static DNS: Known = Known {
    name: "dns",
    over: Over::Either(Gate::PassesAway(has_header, &[53])),
    ask: |opening, bytes| look(opening, bytes, false),
    answer: Some(|opening, bytes| look(opening, bytes, true)),
    strength: Strength::Structure,
    reader: || Names::of(NameSource::Dns),
};

/// Whether opcode, reserved bit and counts are such as every rule below wants away from port 53: one question, and few records.
fn has_header(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, high, low, 0, 1, 0..=2, _, 0, _, 0, _, ..] if matches!(high >> 3 & 15, 0 | 1 | 2 | 4 | 5 | 6) && low & 0x40 == 0)
}

fn look(opening: &Opening<'_>, bytes: &[u8], response: bool) -> Look {
    let at_home = opening.is_at(&[53]);
    if opening.is_at(RELATIVES) && !at_home {
        return Look::No;
    }
    if opening.transport == Transport::UDP {
        return match judge(bytes, response, at_home, 0) {
            Look::No if at_home => match damaged(bytes, response) {
                // Whatever was asked: a server's answer shows what it took it for.
                Look::No if !response => Look::Short,
                look => look,
            },
            look => look,
        };
    }
    let mut stream = Cursor::new(bytes);
    match stream.be16() {
        None => Look::Before(MESSAGE),
        Some(..12) => Look::No,
        Some(_) if stream.rest().len() >= 12 && !header_fits(stream.rest(), response) => Look::No,
        Some(len) => match stream.take(usize::from(len)) {
            Some(message) => judge(message, response, at_home, 2),
            // A message that is longer than the opening kept is told by its header and question.
            None if stream.rest().len() >= LONG && at_home => judge(stream.rest(), response, true, 2),
            None => Look::Before((u32::from(len) + 2).min(LONG as u32 + 2)),
        },
    }
}

fn judge(bytes: &[u8], response: bool, at_home: bool, offset: u32) -> Look {
    if !header_fits(bytes, response) {
        return Look::No;
    }
    let (mut classes, mut kinds) = (true, true);
    let each = |question: &Question| {
        classes &= matches!(question.class, 1 | 3 | 4 | 254 | 255);
        kinds &= question.kind != 0;
    };
    // At the port nobody asks for its records.
    let read = if at_home {
        asked(bytes, each).map(|(header, _)| (header, false))
    } else {
        Message::read_asking(bytes, each).map(|message| (message.header, message.whole))
    };
    let Some((header, whole)) = read else { return Look::No };
    let (questions, records) = (header.counts[0], header.records());
    let asked = questions == 1 && kinds;
    // At port 53 an answer may be cut by the snap length and carry no question; elsewhere everything must fit to the last byte.
    let fits =
        if at_home { asked || (questions == 0 && (response || records == 0 || header.opcode() == 1)) } else { asked && whole && (response || records <= 1) };
    let rule = if response { "DNS answer with its question" } else { "DNS question" };
    if classes && fits { Look::Yes(offset, 12, rule) } else { Look::No }
}

/// Opcode, reserved bit and counts are such as real messages have.
fn header_fits(bytes: &[u8], response: bool) -> bool {
    let Some(header) = Header::read(bytes) else { return false };
    let (flags, [questions, answers, authority, additional]) = (header.flags, header.counts);
    let opcode = flags >> 11 & 15;
    let rcode = flags & 15;
    let plain = (flags & 0x8000 != 0) == response && matches!(opcode, 0 | 1 | 2 | 4 | 5 | 6) && flags & 0x40 == 0;
    let query = response || (rcode == 0 && (answers == 0 || matches!(opcode, 1 | 4 | 5)));
    plain && query && questions <= 2 && answers <= 512 && authority <= 128 && additional <= 128
}

/// A datagram at port 53 of which one half makes sense without the other: a header with one question and nothing unusual (eighty bits that are nearly all
/// fixed), or behind a header whose counts are wrong a question of the internet's class. Resolvers get such things, and answer FORMERR.
fn damaged(bytes: &[u8], response: bool) -> Look {
    let mut at = Cursor::new(bytes);
    let (Some(_), Some(flags)) = (at.be16(), at.be16()) else { return Look::No };
    let counts: [u16; 4] = [at.be16(), at.be16(), at.be16(), at.be16()].map(|count| count.unwrap_or(u16::MAX));
    if (flags & 0x8000 != 0) != response || flags & 0x7840 != 0 || flags & 15 > 5 {
        return Look::No;
    }
    let [questions, answers, authority, additional] = counts;
    if questions == 1 && answers <= if response { 32 } else { 0 } && authority <= 16 && additional <= 16 && bytes.len() > 12 {
        return Look::Yes(0, 12, "DNS header of one question, the rest damaged");
    }
    let asked = read_question(bytes, 12).filter(|(question, _)| question.class == 1 && (1..=260).contains(&question.kind));
    match asked.and_then(|_| read_name(bytes, 12)) {
        Some((name, _)) if name.contains('.') => Look::Yes(12, u32::try_from(name.len() + 6).unwrap_or(u32::MAX), "DNS question behind a damaged header"),
        _ => Look::No,
    }
}

/// Multicast DNS, LLMNR and NetBIOS names: like DNS, and files of their own.
const RELATIVES: &[u16] = &[137, 5353, 5355];
/// Bytes of a long message over TCP that hold any header and question.
const LONG: usize = 300;
/// The least that a stream has of a message: its length, and a header.
const MESSAGE: u32 = 14;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::Protocol;
    use crate::identify::protocol::testing::{decide, evidence, hex, opening, read, survives};
    use crate::identify::{AnswerKind, Evidence, Fact, Resolved};
    use crate::net::Side::{Client, Server};

    /// www.example.com A, id 0x1234, recursion desired (RFC 1035 section 4.1).
    const QUERY: &str = "1234 0100 0001 0000 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001";
    /// The answer: CNAME to edge.example.com, ttl 300, which has 192.0.2.7, ttl 60.
    const ANSWER: &str = "1234 8180 0001 0002 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001
        c00c 0005 0001 0000012c 0007 0465646765 c010  c02d 0001 0001 0000003c 0004 c0000207";

    #[test]
    fn a_chain_of_aliases_keeps_the_name_that_was_asked_for() {
        let (query, answer) = (hex(QUERY), hex(ANSWER));
        assert_eq!(evidence(decide(&DNS, Transport::UDP, 53, &query, &answer)), Evidence::BothOpenings);
        let heard = read(&DNS, Transport::UDP, 53, &[(Client, &query), (Server, &answer)]);
        assert_eq!(heard.evidence, Evidence::Dialogue);
        let expected = Fact::Resolved(Box::new(Resolved {
            name: "www.example.com".into(),
            reverse: false,
            aliases: vec!["edge.example.com".into()],
            addresses: vec!["192.0.2.7".parse().unwrap()],
            ttl: std::time::Duration::from_secs(60),
            source: NameSource::Dns,
        }));
        assert!(heard.facts.contains(&expected), "{:?}", heard.facts);
        survives(&DNS, Transport::UDP, 53, &[(Client, &query), (Server, &answer)]);
    }

    /// The addresses and names that an answer to a question of this type gives.
    fn resolved(kind: &str, answer: &str) -> Vec<(String, Vec<String>, Vec<String>)> {
        let query = QUERY.replace("0001 0001", &format!("{kind} 0001")).replacen(&format!("{kind} 0001 0000 0000 0000"), "0001 0000 0000 0000", 1);
        let heard = read(&DNS, Transport::UDP, 53, &[(Client, &hex(&query)), (Server, &hex(answer))]);
        let told = |fact: Fact| match fact {
            Fact::Resolved(resolved) => {
                let Resolved { name, aliases, addresses, .. } = *resolved;
                Some((name.into(), aliases.into_iter().map(Into::into).collect(), addresses.iter().map(ToString::to_string).collect()))
            }
            _ => None,
        };
        heard.facts.into_iter().filter_map(told).collect()
    }

    #[test]
    fn hints_of_a_service_binding_and_the_addresses_of_its_target_are_the_names() {
        // HTTPS 1 edge.example.com ipv4hint=192.0.2.9 ipv6hint=2001:db8::9 (RFC 9460 section 2.2), and the target's own A record behind it.
        let answer = "1234 8180 0001 0001 0000 0001 03777777 076578616d706c65 03636f6d 00 0041 0001
            c00c 0041 0001 0000012c 0030 0001 0465646765 076578616d706c65 03636f6d 00 0004 0004 c0000209 0006 0010 20010db8000000000000000000000009
            0465646765 076578616d706c65 03636f6d 00 0001 0001 0000003c 0004 c0000207";
        let expected =
            ("www.example.com".to_owned(), vec!["edge.example.com".to_owned()], ["192.0.2.9", "2001:db8::9", "192.0.2.7"].map(String::from).to_vec());
        assert_eq!(resolved("0041", answer), [expected]);
    }

    #[test]
    fn an_alias_of_an_alias_and_a_pointer_from_an_address_are_followed() {
        // www -> a.example.com -> b.example.com, which has 2001:db8::7.
        let chain = "1234 8180 0001 0003 0000 0000 03777777 076578616d706c65 03636f6d 00 001c 0001
            c00c 0005 0001 0000012c 0004 0161c010  c02d 0005 0001 0000012c 0004 0162c010  c03d 001c 0001 0000003c 0010 20010db8000000000000000000000007";
        let names = vec!["a.example.com".to_owned(), "b.example.com".to_owned()];
        assert_eq!(resolved("001c", chain), [("www.example.com".to_owned(), names, vec!["2001:db8::7".to_owned()])]);
        let reverse = "1234 8180 0001 0001 0000 0000 0137 0132 0130 03313932 07696e2d61646472 0461727061 00 000c 0001
            c00c 000c 0001 0000012c 0010 06706c61796572 076578616d706c65 00";
        let told = resolved("000c", reverse);
        assert_eq!(told, [("player.example".to_owned(), Vec::new(), vec!["192.0.2.7".to_owned()])]);
    }

    #[test]
    fn over_tcp_a_message_follows_its_length() {
        let framed = |text| {
            let message = hex(text);
            [&(message.len() as u16).to_be_bytes()[..], &message].concat()
        };
        let (query, answer) = (framed(QUERY), framed(ANSWER));
        assert_eq!(evidence(decide(&DNS, Transport::TCP, 53, &query, &answer)), Evidence::BothOpenings);
        survives(&DNS, Transport::TCP, 53, &[(Client, &query), (Server, &answer)]);
    }

    #[test]
    fn the_same_question_again_before_an_answer_is_a_retry() {
        let query = hex(QUERY);
        let heard = read(&DNS, Transport::UDP, 53, &[(Client, &query), (Client, &query), (Client, &query)]);
        assert_eq!(heard.facts.iter().filter(|fact| **fact == Fact::Retry).count(), 2);
        let unanswered = Fact::Unanswered { name: "www.example.com".into() };
        assert!(heard.facts.contains(&unanswered));
        assert!(!read(&DNS, Transport::UDP, 53, &[(Client, &query), (Server, &hex(ANSWER))]).facts.contains(&unanswered));
    }

    #[test]
    fn the_same_question_again_after_each_answer_was_never_heard_of() {
        let (query, answer) = (hex(QUERY), hex(ANSWER));
        let mut failed = answer.clone();
        failed[3] |= 2;
        let mut another = query.clone();
        another[1] ^= 1;
        let unheard = |asked: &[u8], answer: &[u8]| {
            let dialogue = [(Client, query.as_slice()), (Server, answer), (Client, &query), (Server, answer), (Client, asked), (Server, answer)];
            read(&DNS, Transport::UDP, 53, &dialogue).facts.contains(&Fact::Unheard)
        };
        assert!(unheard(&query, &answer));
        // Another question shows that the one before came to an end, and one that failed is asked again.
        assert!(!unheard(&another, &answer));
        assert!(!unheard(&query, &failed));
    }

    #[test]
    fn a_filtered_name_is_refused_with_its_extended_error() {
        // NXDOMAIN with OPT, option 15: info code 15 (Blocked), text "blocked".
        let answer = hex("1234 8183 0001 0000 0000 0001 03777777 076578616d706c65 03636f6d 00 0001 0001
            00 0029 04d0 00000000 000d 000f 0009 000f 626c6f636b6564");
        let heard = read(&DNS, Transport::UDP, 53, &[(Client, &hex(QUERY)), (Server, &answer)]);
        let text = "NXDOMAIN www.example.com A; EDE 15 blocked";
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 3, text)), "{:?}", heard.facts);
    }

    #[test]
    fn a_name_that_is_not_to_be_had_is_stated_with_the_policy_behind_it() {
        let told = |answer: &str| {
            let heard = read(&DNS, Transport::UDP, 53, &[(Client, &hex(QUERY)), (Server, &hex(answer))]);
            heard.facts.into_iter().filter(|fact| matches!(fact, Fact::Unresolved { .. })).collect::<Vec<_>>()
        };
        let unresolved = |code, filtered| vec![Fact::Unresolved { name: "www.example.com".into(), code, filtered }];
        let question = "03777777 076578616d706c65 03636f6d 00 0001 0001";
        assert_eq!(told(&format!("1234 8185 0001 0000 0000 0000 {question}")), unresolved(5, None));
        // NOERROR with EDE 17, filtered; EDE 3, a stale answer, is no policy.
        let extended = |info: &str| told(&format!("1234 8180 0001 0000 0000 0001 {question} 00 0029 04d0 00000000 0006 000f 0002 {info}"));
        assert_eq!(extended("0011"), unresolved(0, Some(17)));
        assert_eq!(extended("0003"), []);
        // A refused update (opcode 5), and an answer to a question without recursion.
        assert_eq!(told(&format!("1234 a985 0001 0000 0000 0000 {question}")), []);
        assert_eq!(told(&format!("1234 8005 0001 0000 0000 0000 {question}")), []);
    }

    #[test]
    fn other_datagrams_are_no_dns() {
        let ntp = [0x23_u8; 48];
        assert_eq!(evidence(decide(&DNS, Transport::UDP, 123, &ntp, &[])), Evidence::None);
        let mut longer = hex(QUERY);
        longer.push(0);
        assert_eq!(evidence(decide(&DNS, Transport::UDP, 4000, &longer, &[])), Evidence::None);
        assert_eq!(evidence(decide(&DNS, Transport::UDP, 5353, &hex(QUERY), &[])), Evidence::None);
    }

    /// Datagrams as a resolver of the shared capture "fuzz-2006-06-26-2594" got them, and Zeek's "dns-invalid-names".
    #[test]
    fn at_port_53_half_a_message_is_enough_and_elsewhere_it_is_not() {
        let header = "b2d0 0100 0001 0000 0000 0000 cf037369700963796265726369747902646b0000010001";
        let question = "2bf6 0100 0001 0000 7600 0000 045f736970045f756470037369700963796265726369747902646b0000210001";
        let many = "abcd 0100 000a 0000 0000 0000 076578616d706c6503636f6d0000010001 076578616d706c65";
        let inverse = "77fc 0900 0000 0001 0000 0000 03323136 023538 023230 0134 00 0001 0001 00000000 0000";
        for text in [header, question, many, inverse, "2222 0100 0001 0000 0000 0000 0361"] {
            assert_eq!(evidence(decide(&DNS, Transport::UDP, 53, &hex(text), &[])), Evidence::OneOpening, "{text}");
            assert_eq!(evidence(decide(&DNS, Transport::UDP, 4000, &hex(text), &[])), Evidence::None, "{text}");
        }
        // A tunnel of a virtual private network to port 53, and a header alone.
        for text in ["b2d0 ff00 0001 0000 0000 0000 0377", "b2d0 0100 0001 0000 0000 0000", "5b01dfc0fe62c640773cdecefe01c64578ae81466077"] {
            assert_eq!(evidence(decide(&DNS, Transport::UDP, 53, &hex(text), &[])), Evidence::None, "{text}");
        }
        // Nine bytes that were a question, frame 311 there, and the answer to it.
        let (ask, answer) = (hex("2bf600000001000000"), hex("2bf6 8000 0001 0000 0000 0000 0131 013000 000c 0001"));
        assert_eq!(evidence(DNS.probe(&opening(Transport::UDP, 53, &ask, &answer))), Evidence::OneOpening);
        let heard = read(&DNS, Transport::UDP, 53, &[(Client, &hex(header))]);
        assert_eq!(heard.detail("dns", "malformed"), Some(true.into()));
    }
}
