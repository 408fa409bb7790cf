//! Zeek's letters and words, and ours, in sentences.

use crate::flow::{ConnState, Direction, History};
use crate::identify::Evidence;
use crate::judge::Standing;
use crate::net::Transport;

/// What a state says, of a connection or of an exchange of datagrams.
pub const fn state(state: ConnState, transport: Transport) -> &'static str {
    if !matches!(transport, Transport::TCP) {
        return match state {
            ConnState::S0 => "the client alone sent something",
            ConnState::SF => "both ends sent something",
            ConnState::Shr => "the server alone sent something",
            _ => "not told for this transport",
        };
    }
    match state {
        ConnState::S0 => "the client tried, and nothing came back",
        ConnState::S1 => "opened, and not closed",
        ConnState::SF => "opened and closed in order",
        ConnState::Rej => "the attempt was rejected",
        ConnState::S2 => "opened; the client closed its side, the server did not",
        ConnState::S3 => "opened; the server closed its side, the client did not",
        ConnState::Rsto => "opened; the client reset it",
        ConnState::Rstr => "the server reset it",
        ConnState::Rstos0 => "the client tried and reset it; no SYN-ACK was seen",
        ConnState::Rstrh => "a SYN-ACK and a reset of the server; no SYN was seen",
        ConnState::Sh => "the client tried and closed; no SYN-ACK was seen",
        ConnState::Shr => "a SYN-ACK and a close of the server; no SYN was seen",
        ConnState::Oth => "its opening was not seen",
    }
}

/// The letters of a history, each once: `S SYN of the client, h SYN-ACK of the server`.
pub fn history(history: &History) -> String {
    let mut told = Vec::new();
    for letter in history.as_str().chars() {
        let event = LETTERS.iter().find(|(known, _)| *known == letter.to_ascii_lowercase()).map(|(_, event)| event);
        let words = match event {
            _ if letter == '^' => "^ client and server changed places after the fact".to_owned(),
            Some(event) => format!("{letter} {event} of the {}", if letter.is_ascii_uppercase() { "client" } else { "server" }),
            None => continue,
        };
        if !told.contains(&words) {
            told.push(words);
        }
    }
    told.join(", ")
}

/// On what the direction rests.
pub fn direction(direction: Direction, by: Option<&'static str>, transport: Transport) -> String {
    match (direction, by) {
        (Direction::Certain, _) if transport == Transport::TCP => "certain: the handshake shows who opened it".to_owned(),
        (Direction::Certain, _) => "certain: its first packet was seen, and is the client's".to_owned(),
        (Direction::Likely, Some(by)) => format!("likely, by what else is known: {by}"),
        (Direction::Likely, None) => "likely, by its ports or its content".to_owned(),
        (Direction::Unknown, _) => "unknown: who sent first is taken for the client".to_owned(),
    }
}

/// What the class of evidence means.
pub const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::None => "no bytes were recognised, and no row explains it",
        Evidence::Port => "the port alone: it explains the service, not the bytes",
        Evidence::Announced => "an announcement elsewhere: it explains the service, not the bytes",
        Evidence::OneOpening => "the opening bytes of one side",
        Evidence::BothOpenings => "the opening bytes of both sides",
        Evidence::Dialogue => "the dialogue: an answer that fits its request",
    }
}

/// What came of a row, as a heading.
pub const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Own => "the flow's own",
        Standing::SameService => "the same service",
        Standing::Broken => "not met in full",
        Standing::Tied => "fits as well",
        Standing::LessSpecific => "fits less well",
        Standing::PortAlone => "by its port alone",
        Standing::Withdrawn => "taken back",
        Standing::Missed => "does not fit",
        Standing::Elsewhere => "on another port",
    }
}

/// Zeek's letters in lower case.
const LETTERS: &[(char, &str)] = &[
    ('s', "SYN"),
    ('h', "SYN-ACK"),
    ('a', "acknowledgment"),
    ('d', "data"),
    ('f', "FIN"),
    ('r', "RST"),
    ('c', "bad checksum"),
    ('g', "gap"),
    ('i', "FIN with RST"),
    ('q', "SYN with FIN or RST"),
    ('t', "retransmission"),
    ('w', "closed window"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_of_a_history_is_told_once_with_its_side() {
        let mut letters = History::default();
        b"^ShADdDttq".iter().for_each(|letter| letters.push(*letter));
        let told = history(&letters);
        assert!(
            told.starts_with("^ client and server changed places after the fact, S SYN of the client, h SYN-ACK of the server, A acknowledgment"),
            "{told}"
        );
        assert!(told.ends_with("d data of the server, t retransmission of the server, q SYN with FIN or RST of the server"), "{told}");
    }
}
