//! SNMP versions 1, 2c and 3 (RFC 1157, RFC 3416, RFC 3412), over UDP and as a BER stream over TCP (RFC 3430).

use crate::identify::wire::{Length, Messages, shown};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::limit;
use crate::net::{Side, Transport};

use super::ber;
use super::{Appetite, Gate, Known, Look, Opening, Over, Piece, Reader, Said, Strength};

/// Told by a sequence as long as the datagram that holds version, community or header, and a PDU.
pub static SNMP: Known = Known {
    name: "snmp",
    over: Over::Either(Gate::Bytes(&[0x30..=0x30])),
    ask: |opening, bytes| look(opening, bytes, false),
    answer: Some(|opening, bytes| look(opening, bytes, true)),
    strength: Strength::Structure,
    reader: || Box::new(Manager::default()),
};

/// The outside of a message.
struct Message<'a> {
    version: i64,
    /// PDU tag; none where it is encrypted.
    pdu: Option<u8>,
    body: &'a [u8],
    /// Version 3: message number and flags.
    header: Option<(i64, u8)>,
}

fn look(opening: &Opening<'_>, bytes: &[u8], response: bool) -> Look {
    if opening.transport == Transport::TCP {
        match ber::length(bytes, ber::SEQUENCE) {
            Length::Is(len) if len > bytes.len() as u64 && len < limit::MESSAGE_KEPT as u64 => return Look::Short,
            Length::Unknown => return Look::Short,
            Length::Wrong => return Look::No,
            Length::Is(_) => (),
        }
    }
    let Some(message) = message(bytes, opening.transport == Transport::UDP) else { return Look::No };
    let answers = matches!(message.pdu, Some(RESPONSE | REPORT));
    // An encrypted PDU hides whether it asks; at the port of the agent the question comes first.
    let fits = message.pdu.is_none() || answers == response;
    Look::when(fits, 5, if response { "SNMP response" } else { "SNMP message with PDU" })
}

fn message(bytes: &[u8], datagram: bool) -> Option<Message<'_>> {
    let whole = ber::read(bytes).filter(|tlv| tlv.tag == ber::SEQUENCE && (!datagram || tlv.len == bytes.len()))?;
    let mut rest = whole.content;
    let version = ber::next_int(&mut rest)?;
    let header = match version {
        0 | 1 => {
            ber::next_of(&mut rest, ber::OCTETS)?;
            None
        }
        3 => {
            let mut header = ber::next_of(&mut rest, ber::SEQUENCE)?;
            let (number, _size) = (ber::next_int(&mut header)?, ber::next_int(&mut header)?);
            let flags = *ber::next_of(&mut header, ber::OCTETS)?.first()?;
            ber::next_int(&mut header)?;
            ber::next_of(&mut rest, ber::OCTETS)?;
            if flags & 2 != 0 {
                ber::next_of(&mut rest, ber::OCTETS)?;
                return Some(Message { version, pdu: None, body: &[], header: Some((number, flags)) });
            }
            rest = ber::next_of(&mut rest, ber::SEQUENCE)?;
            ber::next_of(&mut rest, ber::OCTETS)?;
            ber::next_of(&mut rest, ber::OCTETS)?;
            Some((number, flags))
        }
        _ => return None,
    };
    let pdu = ber::next(&mut rest).filter(|tlv| (0xa0..=0xa8).contains(&tlv.tag))?;
    Some(Message { version, pdu: Some(pdu.tag), body: pdu.content, header })
}

/// Reads questions and answers between a manager and an agent.
#[derive(Debug, Default)]
struct Manager {
    streams: [Messages; 2],
    open: Vec<i64>,
    told: bool,
    set: bool,
    trap: bool,
    retried: bool,
    /// Whether the agent was asked for its engine.
    discovers: bool,
    /// Whether the last question was asked in a user's name, by a key (RFC 3412 section 6.4).
    by_key: bool,
    /// The last answer stated, so that a polled agent states it once.
    answered: Option<u32>,
}

impl Manager {
    fn message(&mut self, bytes: &[u8], from: Side, said: &mut Said<'_>) {
        let Some(message) = message(bytes, false) else { return };
        if !std::mem::replace(&mut self.told, true) {
            let version = ["1", "2c", "", "3"].get(usize::try_from(message.version).unwrap_or(2)).copied().unwrap_or_default();
            said.detail("snmp", "version", version);
            if message.pdu.is_none() {
                said.say(Fact::Encrypted);
            }
        }
        let number = message.header.map(|(number, _)| number).or_else(|| ber::next_int(&mut { message.body }));
        match message.pdu {
            Some(RESPONSE | REPORT) => {
                self.paired(number, said);
                self.answer(&message, from, said);
            }
            // Encrypted: the same message number comes back from the other side, who let the user in.
            None if number.is_some_and(|number| self.open.contains(&number)) => {
                self.paired(number, said);
                if from == Side::Server {
                    self.state(0, "noError or another status, encrypted", from, said);
                }
            }
            pdu => {
                self.by_key = message.header.is_some_and(|(_, flags)| flags & 1 != 0);
                match pdu {
                    Some(tag) => self.question(tag, &message, number, said),
                    None => self.asked(number, said),
                }
            }
        }
    }

    fn question(&mut self, tag: u8, message: &Message<'_>, number: Option<i64>, said: &mut Said<'_>) {
        if matches!(tag, TRAP_V1 | TRAP_V2) {
            if !std::mem::replace(&mut self.trap, true) {
                said.say(Fact::OneWay);
                said.detail("snmp", "pdu", "trap");
            }
            return;
        }
        let first = self.open.is_empty() && self.answered.is_none() && !self.retried;
        let set = tag == SET && !std::mem::replace(&mut self.set, true);
        if first || set {
            let path = first_variable(message.body).unwrap_or_default();
            said.say(Fact::request(pdu_name(tag), &shown(path.as_bytes())));
        }
        // A get of nothing asks for the engine (RFC 3414 section 4), whatever number it bears.
        if message.version == 3 && tag == GET && first_variable(message.body).is_none() && std::mem::replace(&mut self.discovers, true) && self.open.len() == 1
        {
            self.open.clear();
            self.open.extend(number);
            self.retried = true;
            said.say(Fact::Retry);
            return;
        }
        self.asked(number, said);
    }

    fn asked(&mut self, number: Option<i64>, said: &mut Said<'_>) {
        let Some(number) = number else { return };
        if self.open.contains(&number) {
            self.retried = true;
            said.say(Fact::Retry);
        } else if self.open.len() < limit::QUESTIONS_OPEN {
            self.open.push(number);
        }
    }

    fn paired(&mut self, number: Option<i64>, said: &mut Said<'_>) {
        if let Some(place) = self.open.iter().position(|open| Some(*open) == number) {
            self.open.swap_remove(place);
            said.believe(Evidence::Dialogue);
        }
    }

    fn answer(&mut self, message: &Message<'_>, by: Side, said: &mut Said<'_>) {
        let (code, text) = if message.pdu == Some(REPORT) {
            let oid = first_variable(message.body).unwrap_or_default();
            let known = REPORTS.iter().find(|(known, ..)| oid.starts_with(known));
            // An unknown engine and its time are what discovery asks for (RFC 3414 section 4): neither a failure, nor is anything served yet.
            match known {
                // Who asks by a key names the engine that it takes the agent for.
                Some((_, 0, text @ "usmStatsUnknownEngineIDs")) if self.by_key => (1004, *text),
                Some((_, 0, _)) => return,
                known => known.map_or((0, "report"), |(_, code, text)| (*code, *text)),
            }
        } else {
            let mut body = message.body;
            let status = ber::next_int(&mut body).and_then(|_| ber::next_int(&mut body));
            let Some(status) = status.and_then(|status| u32::try_from(status).ok()) else { return };
            (status, ERRORS.get(status as usize).copied().unwrap_or("error"))
        };
        self.state(code, text, by, said);
    }

    fn state(&mut self, code: u32, text: &str, by: Side, said: &mut Said<'_>) {
        if self.answered.replace(code) != Some(code) {
            let kind = match code {
                0 => AnswerKind::Accepted,
                5 => AnswerKind::Failed,
                _ => AnswerKind::Refused,
            };
            said.say(Fact::Answer { kind, code, text: text.into(), by });
        }
    }
}

impl Reader for Manager {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if piece.transport == Transport::UDP {
            self.message(piece.bytes, piece.from, said);
            return Appetite::Hungry;
        }
        let side = piece.from as usize;
        let mut rest = piece.bytes;
        while let Some(whole) = self.streams[side].next(&mut rest, |bytes| ber::length(bytes, ber::SEQUENCE)) {
            self.message(&whole, piece.from, said);
        }
        if self.streams[side].is_broken() || piece.missing > 0 { Appetite::Full } else { Appetite::Hungry }
    }
}

/// The object that the first variable binding names.
fn first_variable(mut body: &[u8]) -> Option<String> {
    for _ in 0..3 {
        ber::next_int(&mut body)?;
    }
    let mut list = ber::next_of(&mut body, ber::SEQUENCE)?;
    let mut binding = ber::next_of(&mut list, ber::SEQUENCE)?;
    ber::oid(ber::next_of(&mut binding, ber::OID)?)
}

fn pdu_name(tag: u8) -> &'static str {
    match tag {
        0xa0 => "get",
        0xa1 => "getnext",
        RESPONSE => "response",
        SET => "set",
        TRAP_V1 | TRAP_V2 => "trap",
        0xa5 => "getbulk",
        0xa6 => "inform",
        _ => "report",
    }
}

const GET: u8 = 0xa0;
const RESPONSE: u8 = 0xa2;
const SET: u8 = 0xa3;
const TRAP_V1: u8 = 0xa4;
const TRAP_V2: u8 = 0xa7;
const REPORT: u8 = 0xa8;

/// Error status by number (RFC 3416 section 3).
const ERRORS: &[&str] = &[
    "noError",
    "tooBig",
    "noSuchName",
    "badValue",
    "readOnly",
    "genErr",
    "noAccess",
    "wrongType",
    "wrongLength",
    "wrongEncoding",
    "wrongValue",
    "noCreation",
    "inconsistentValue",
    "resourceUnavailable",
    "commitFailed",
    "undoFailed",
    "authorizationError",
    "notWritable",
    "inconsistentName",
];
/// Counters of the user-based security model that reports carry (RFC 3414 section 5), coded by their last number but one.
const REPORTS: &[(&str, u32, &str)] = &[
    ("1.3.6.1.6.3.15.1.1.1", 1001, "usmStatsUnsupportedSecLevels"),
    ("1.3.6.1.6.3.15.1.1.2", 0, "usmStatsNotInTimeWindows"),
    ("1.3.6.1.6.3.15.1.1.3", 1003, "usmStatsUnknownUserNames"),
    ("1.3.6.1.6.3.15.1.1.4", 0, "usmStatsUnknownEngineIDs"),
    ("1.3.6.1.6.3.15.1.1.5", 1005, "usmStatsWrongDigests"),
    ("1.3.6.1.6.3.15.1.1.6", 1006, "usmStatsDecryptionErrors"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};

    /// get sysDescr.0 with community "public", request 1 (RFC 1157 section 4.1.2), and the answer "x".
    const GET: &str = "3026 020101 0406 7075626c6963 a019 020101 020100 020100 300e 300c 0608 2b06010201010100 0500";
    const ANSWER: &str = "3027 020101 0406 7075626c6963 a21a 020101 020100 020100 300f 300d 0608 2b06010201010100 0401 78";

    #[test]
    fn a_get_and_its_response_are_a_dialogue() {
        let (get, answer) = (hex(GET), hex(ANSWER));
        assert_eq!(evidence(decide(&SNMP, Transport::UDP, 161, &get, &answer)), Evidence::BothOpenings);
        let heard = read(&SNMP, Transport::UDP, 161, &[(Client, &get), (Server, &answer)]);
        assert_eq!(heard.evidence, Evidence::Dialogue);
        assert!(heard.facts.contains(&Fact::request("get", "1.3.6.1.2.1.1.1.0")), "{:?}", heard.facts);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Accepted, 0, "noError")));
        survives(&SNMP, Transport::UDP, 161, &[(Client, &get), (Server, &answer)]);
        survives(&SNMP, Transport::TCP, 161, &[(Client, &get), (Server, &answer)]);
    }

    #[test]
    fn a_capture_that_begins_with_the_answer_makes_its_receiver_the_client() {
        let probe = decide(&SNMP, Transport::UDP, 161, &hex(ANSWER), &[]);
        assert!(matches!(probe, super::super::Probe::Found { client: Some(Server), .. }), "{probe:?}");
    }

    #[test]
    fn a_trap_expects_no_answer_and_an_error_is_a_refusal() {
        // SNMPv2 trap, and a response with error status 16, authorizationError.
        let trap = hex("3026 020101 0406 7075626c6963 a719 020101 020100 020100 300e 300c 0608 2b06010201010300 0500");
        assert!(read(&SNMP, Transport::UDP, 162, &[(Client, &trap)]).facts.contains(&Fact::OneWay));
        let refused = hex("3026 020101 0406 7075626c6963 a219 020101 020110 020101 300e 300c 0608 2b06010201010100 0500");
        let heard = read(&SNMP, Transport::UDP, 161, &[(Client, &hex(GET)), (Server, &refused)]);
        assert!(heard.facts.contains(&Fact::answer(AnswerKind::Refused, 16, "authorizationError")));
    }

    // Recorded of Net-SNMP 5.9 (RFC 3414 section 4): a get of nothing, and a report of usmStatsUnknownEngineIDs.
    const DISCOVERY: &str = "303e020103301102046ae5e723020300ffe30401040201030410300e0400020100020100040004000400301404000400a00e0204715af7380201000201003000";
    const ENGINE: &str = "3071020103301102046ae5e723020300ffe30401000201030421301f041180001f88807a19720ec25a096b00000000020101020108040004000400\
                          3036041180001f88807a19720ec25a096b000000000400a81f0204715af7380201000201003011300f060a2b060106030f01010400410102";

    #[test]
    fn an_engine_that_is_found_has_served_nothing_yet_and_wrong_digests_are_a_refusal() {
        let ask = hex("308185020103301102046ae5e722020300ffe304010702010304363034041180001f88807a19720ec25a096b00000000020101020108040175040c026cf8a8\
             4245c93ba08d460d0408bee1d63e2d50510804355156062688288dededc992d50324dc4b2cb355d46ef1e88193128e9e803521d3c95f96890d62656224c9456c273b1c6215f162532c");
        let wrong = hex(
            "306f020103301102046ae5e722020300ffe304010002010304223020041180001f88807a19720ec25a096b00000000020101020108040175040004003033041180001f88807a1972\
             0ec25a096b000000000400a81c0201000201000201003011300f060a2b060106030f01010500410101",
        );
        let (discovery, engine) = (hex(DISCOVERY), hex(ENGINE));
        let facts = read(&SNMP, Transport::UDP, 161, &[(Client, &discovery), (Server, &engine), (Client, &ask), (Server, &wrong)]).facts;
        let answers: Vec<&Fact> = facts.iter().filter(|fact| matches!(fact, Fact::Answer { .. })).collect();
        assert!(matches!(answers[..], [Fact::Answer { kind: AnswerKind::Refused, code: 1005, .. }]), "{answers:?}");
    }

    // Net-SNMP's snmpget with the engine of an agent that was replaced (-e), then with the right one; its snmpd encrypts what it answers
    #[test]
    fn who_takes_an_agent_for_another_engine_is_refused_until_an_encrypted_answer_comes() {
        let stale =
            hex("3075020103301102041eab6f5d020300ffe3040107020103042f302d040880000000010203040201000201000403626f62040c90d0827878adf1ed48e620380408f5a9db27\
             28d16782042c2ce60581713c2722e4c91f311d743cfda14119ee3c702383770f48ce1dede63c4a66e479465c274b164af0dd");
        let unknown =
            hex("3071020103301102041eab6f5d020300ffe304010002010304243022041180001f8880eaec9553660e0a6b000000000201010201130403626f62040004003033041180001f\
             8880eaec9553660e0a6b000000000400a81c0201000201000201003011300f060a2b060106030f01010400410109");
        let ask =
            hex("3081870201033011020414fe1fab020300ffe304010702010304383036041180001f8880eaec9553660e0a6b000000000201010201030403626f62040ccd19999fae3c9c\
             f9651630d5040855a53946de9e894b043591a2adf10d2e2333f10bc427e686f5ff3d11e368ea8cea28408ba9052c3f581b9da6c18ce7be5ba4d146239ccbe69b945e71cce15e");
        let answer =
            hex("3081c00201033011020414fe1fab020300ffe304010302010304383036041180001f8880eaec9553660e0a6b000000000201010201030403626f62040ce989c8620d8a9\
             8cfd6004ee104080340e3874170f117046ece7ea77c7fb3331b78594761448081426e1493267a32424eeecc973e5ddcd572d252f1076f0ee02b92f438d588cd5d424f0c34766417\
             e5e549f3e24f83503bfe0bf6198478b9b7f35206fa0b1fdb2bf983b9b556038518c21aa79dd8b3ed511627b9d6b1ef18229a4fefcd420cb3");
        let kinds = |dialogue: &[(Side, &[u8])]| {
            survives(&SNMP, Transport::UDP, 161, dialogue);
            let facts = read(&SNMP, Transport::UDP, 161, dialogue).facts;
            facts.iter().filter_map(|fact| if let Fact::Answer { kind, code, .. } = fact { Some((*kind, *code)) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&[(Client, &stale), (Server, &unknown), (Client, &stale), (Server, &unknown)]), [(AnswerKind::Refused, 1004)]);
        let at_last = [(Client, &stale[..]), (Server, &unknown), (Client, &ask), (Server, &answer)];
        assert_eq!(kinds(&at_last), [(AnswerKind::Refused, 1004), (AnswerKind::Accepted, 0)]);
    }

    #[test]
    fn an_engine_that_is_asked_for_again_is_a_retry_whatever_number_that_bears() {
        let mut again = hex(DISCOVERY);
        again[12] += 1;
        let retries = |dialogue: &[(Side, &[u8])]| read(&SNMP, Transport::UDP, 161, dialogue).facts.iter().filter(|fact| **fact == Fact::Retry).count();
        assert_eq!(retries(&[(Client, &hex(DISCOVERY)), (Client, &again), (Client, &hex(DISCOVERY))]), 2);
        assert_eq!(retries(&[(Client, &hex(DISCOVERY)), (Server, &hex(ENGINE)), (Client, &again)]), 0);
    }

    #[test]
    fn ldap_and_a_wrong_length_are_no_snmp() {
        // An LDAP anonymous bind is a sequence with an integer, too.
        let bind = hex("300c 020101 6007 020103 0400 8000");
        assert_eq!(evidence(decide(&SNMP, Transport::UDP, 161, &bind, &[])), Evidence::None);
        let mut longer = hex(GET);
        longer.push(0);
        assert_eq!(evidence(decide(&SNMP, Transport::UDP, 161, &longer, &[])), Evidence::None);
    }
}
