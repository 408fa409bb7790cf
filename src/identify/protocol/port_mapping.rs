//! What hosts ask a router for that translates addresses: ports of its outer address, by NAT-PMP (RFC 6886) or PCP (RFC 6887).

use std::ops::RangeInclusive;

use crate::identify::wire::{Cursor, Length};
use crate::identify::{AnswerKind, Evidence, Fact};
use crate::net::Side;

use super::exchange::Exchange;
use super::{Appetite, Gate, Known, Look, Over, Piece, Said, Strength};

/// NAT-PMP: a request is of one length for each operation. It says too little to be believed anywhere but at its port.
pub static NAT_PMP: Known = Known {
    name: "nat_pmp",
    over: Over::Datagrams(Gate::Ports(PORTS)),
    ask: |opening, bytes| {
        let fits = matches!(bytes, [0, ADDRESS]) || bytes.len() == 12 && matches!(bytes, [0, 1 | 2, 0, 0, ..]);
        Look::when(fits && opening.is_at(PORTS), 2, "NAT-PMP request")
    },
    answer: Some(|opening, bytes| {
        let result = matches!(bytes, [0, 0x80..=0x82, 0, 0..=5, ..]) && matches!((bytes.get(1), bytes.len()), (_, 8) | (Some(0x80), 12) | (Some(0x81..), 16));
        Look::when(result && opening.is_at(PORTS), 4, "NAT-PMP response")
    }),
    strength: Strength::Structure,
    reader: || Exchange::asking(whole, nat_pmp),
};

/// PCP: version 2, an operation, who asks, and what length the operation and its options have.
pub static PCP: Known = Known {
    name: "pcp",
    over: Over::Datagrams(Gate::Ports(PORTS)),
    ask: |opening, bytes| Look::when(is_pcp(bytes, 0..=2) && matches!(bytes, [_, _, 0, 0, ..]) && opening.is_at(PORTS), 4, "PCP request"),
    answer: Some(|opening, bytes| Look::when(is_pcp(bytes, 0x80..=0x82) && opening.is_at(PORTS), 4, "PCP response")),
    strength: Strength::Structure,
    reader: || Exchange::asking(whole, pcp),
};

fn is_pcp(bytes: &[u8], operations: RangeInclusive<u8>) -> bool {
    let least = match bytes.get(1).map(|operation| operation & 0x7f) {
        Some(0) => 24,
        Some(1) => 60,
        _ => 80,
    };
    // RFC 6887 section 7: a multiple of four, 1,100 bytes at most.
    bytes.first() == Some(&2)
        && bytes.get(1).is_some_and(|operation| operations.contains(operation))
        && bytes.len().is_multiple_of(4)
        && (least..=1_100).contains(&bytes.len())
}

/// One datagram, one message.
fn whole(_: Side, bytes: &[u8]) -> Length {
    Length::Is(bytes.len() as u64)
}

/// RFC 6886 section 3.5.
fn nat_pmp(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let code = Cursor::new(bytes.get(2..).unwrap_or_default()).be16().filter(|_| piece.from == Side::Server);
    let text = match code {
        Some(1) => "unsupported version",
        Some(2) => "not authorized",
        Some(3) => "network failure",
        Some(4) => "out of resources",
        _ => "unsupported opcode",
    };
    tell(code.map(u32::from), text, said)
}

/// RFC 6887 section 7.4.
fn pcp(piece: &Piece<'_>, bytes: &[u8], said: &mut Said<'_>) -> Appetite {
    let code = bytes.get(3).filter(|_| piece.from == Side::Server).copied();
    let text = match code {
        Some(1) => "UNSUPP_VERSION",
        Some(2) => "NOT_AUTHORIZED",
        Some(3) => "MALFORMED_REQUEST",
        Some(4) => "UNSUPP_OPCODE",
        Some(5) => "UNSUPP_OPTION",
        Some(6) => "MALFORMED_OPTION",
        Some(7) => "NETWORK_FAILURE",
        Some(8) => "NO_RESOURCES",
        Some(9) => "UNSUPP_PROTOCOL",
        Some(10) => "USER_EX_QUOTA",
        Some(11) => "CANNOT_PROVIDE_EXTERNAL",
        Some(12) => "ADDRESS_MISMATCH",
        _ => "EXCESSIVE_REMOTE_PEERS",
    };
    tell(code.map(u32::from), text, said)
}

/// Tells how a question was answered, if this was an answer.
fn tell(code: Option<u32>, refusal: &'static str, said: &mut Said<'_>) -> Appetite {
    if let Some(code) = code {
        said.believe(Evidence::BothOpenings);
        let (kind, text) = if code == 0 { (AnswerKind::Accepted, "mapped") } else { (AnswerKind::Refused, refusal) };
        said.say(Fact::answer(kind, code, text));
    }
    Appetite::Hungry
}

/// Of the router and, for what it announces to all, of its clients (RFC 6886 section 3.2.1, RFC 6887 section 14.1.1).
const PORTS: &[u16] = &[5_351, 5_350];
/// The operation that asks for the outer address.
const ADDRESS: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;

    // RFC 6886 sections 3.2 and 3.3: outer address 192.0.2.1; port 4460 mapped to 62000 for two hours.
    #[test]
    fn nat_pmp_is_told_by_its_lengths_at_its_port() {
        let (address, mapping) = (hex("00 00"), hex("0002 0000 116c f230 00001c20"));
        let (of_address, of_mapping) = (hex("0080 0000 00000064 c0000201"), hex("0082 0000 00000064 116c f230 00001c20"));
        for (ask, answer) in [(&address, &of_address), (&mapping, &of_mapping)] {
            assert_eq!(evidence(decide(&NAT_PMP, Transport::UDP, 5_351, ask, answer)), Evidence::BothOpenings);
            assert_eq!(evidence(decide(&NAT_PMP, Transport::UDP, 53, ask, answer)), Evidence::None);
            survives(&NAT_PMP, Transport::UDP, 5_351, &[(Client, ask), (Server, answer)]);
        }
        assert_eq!(evidence(decide(&NAT_PMP, Transport::UDP, 5_351, &mapping[..11], &[])), Evidence::None);
    }

    #[test]
    fn what_a_router_refuses_is_told() {
        let (mapping, refused) = (hex("0002 0000 116c f230 00001c20"), hex("0082 0002 00000064 116c 0000 00000000"));
        let told = read(&NAT_PMP, Transport::UDP, 5_351, &[(Client, &mapping), (Server, &refused)]);
        assert!(told.says(&Fact::answer(AnswerKind::Refused, 2, "not authorized")));
        // RFC 6887 section 7.2: MAP, not authorized.
        let mut ask = hex("02 01 0000 00001c20 00000000 00000000 0000ffff 0a010028");
        ask.extend(hex("0102030405060708090a0b0c 06 000000 116c f230 00000000 00000000 0000ffff 00000000"));
        let mut refused = ask.clone();
        (refused[1], refused[3]) = (0x81, 2);
        let told = read(&PCP, Transport::UDP, 5_351, &[(Client, &ask), (Server, &refused)]);
        assert!(told.says(&Fact::answer(AnswerKind::Refused, 2, "NOT_AUTHORIZED")));
        assert_eq!(evidence(decide(&PCP, Transport::UDP, 5_351, &ask, &refused)), Evidence::BothOpenings);
        assert_eq!(evidence(decide(&PCP, Transport::UDP, 5_351, &ask[..56], &[])), Evidence::None);
        survives(&PCP, Transport::UDP, 5_351, &[(Client, &ask), (Server, &refused)]);
    }
}
