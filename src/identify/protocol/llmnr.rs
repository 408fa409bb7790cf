//! Link-local multicast name resolution (RFC 4795): one DNS question at port 5355.

use crate::identify::NameSource;
use crate::identify::wire::Cursor;
use crate::net::Transport;

use super::dns_message::Message;
use super::dns_reader::Names;
use super::{Gate, Known, Look, Opening, Over, Strength};

/// Told by a DNS message with exactly one question at port 5355 (RFC 4795 section 2.1).
pub static LLMNR: Known = Known {
    name: "llmnr",
    over: Over::Either(Gate::Ports(&[5355])),
    ask: |opening, bytes| look(opening, bytes, false),
    answer: Some(|opening, bytes| look(opening, bytes, true)),
    strength: Strength::Structure,
    reader: || Names::of(NameSource::Llmnr),
};

fn look(opening: &Opening<'_>, bytes: &[u8], response: bool) -> Look {
    if !opening.is_at(&[5355]) {
        return Look::No;
    }
    if opening.transport == Transport::UDP {
        return judge(bytes, response, 0);
    }
    let mut stream = Cursor::new(bytes);
    match stream.be16().map(usize::from) {
        Some(len @ 12..) => stream.take(len).map_or(Look::Short, |message| judge(message, response, 2)),
        Some(_) => Look::No,
        None => Look::Short,
    }
}

fn judge(bytes: &[u8], response: bool, offset: u32) -> Look {
    let Some(message) = Message::read(bytes) else { return Look::No };
    let header = message.header;
    let fits =
        header.is_response() == response && header.opcode() == 0 && header.counts[0] == 1 && message.question.is_some_and(|question| question.class == 1);
    let rule = if response { "LLMNR answer" } else { "LLMNR question" };
    if fits { Look::Yes(offset, 12, rule) } else { Look::No }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::identify::{Evidence, Fact};
    use crate::net::Side::{Client, Server};

    /// The host "pc" is asked for and answers 10.0.0.2, ttl 30.
    const QUESTION: &str = "0007 0000 0001 0000 0000 0000 02 7063 00 0001 0001";
    const ANSWER: &str = "0007 8000 0001 0001 0000 0000 02 7063 00 0001 0001 c00c 0001 0001 0000001e 0004 0a000002";

    #[test]
    fn an_answer_names_an_address() {
        let (question, answer) = (hex(QUESTION), hex(ANSWER));
        assert_eq!(evidence(decide(&LLMNR, Transport::UDP, 5355, &question, &answer)), Evidence::BothOpenings);
        let heard = read(&LLMNR, Transport::UDP, 5355, &[(Client, &question), (Server, &answer)]);
        assert!(
            heard.facts.iter().any(|fact| matches!(fact, Fact::Resolved(resolved) if &*resolved.name == "pc" && resolved.source == NameSource::Llmnr)),
            "{:?}",
            heard.facts
        );
        survives(&LLMNR, Transport::UDP, 5355, &[(Client, &question), (Server, &answer)]);
    }

    #[test]
    fn two_questions_are_no_llmnr() {
        let two = hex("0007 0000 0002 0000 0000 0000 02 7063 00 0001 0001 02 7064 00 0001 0001");
        assert_eq!(evidence(decide(&LLMNR, Transport::UDP, 5355, &two, &[])), Evidence::None);
        assert_eq!(evidence(decide(&LLMNR, Transport::UDP, 53, &hex(QUESTION), &[])), Evidence::None);
    }
}
