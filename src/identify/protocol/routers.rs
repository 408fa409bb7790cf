//! What routers and switches tell each other and who watches over them: RIP, BFD, HSRP, sFlow. Nobody answers in the same flow.

use crate::identify::Fact;
use crate::net::{Side, is_group};

use super::exchange::Sent;
use super::{Appetite, Gate, Known, Look, Over, Piece, Reader, Said, Strength};

/// RIP, versions 1 and 2 (RFC 1058 section 3.1, RFC 2453 section 4): routes of twenty bytes each. It says too little to be believed anywhere but at its port.
pub static RIP: Known = Known {
    name: "rip",
    over: Over::Datagrams(Gate::Ports(&[520])),
    ask: |opening, bytes| Look::when(is_rip(bytes, &[1, 2]) && opening.is_at(&[520]), 4, "RIP header"),
    answer: Some(|opening, bytes| Look::when(is_rip(bytes, &[1, 2]) && opening.is_at(&[520]), 4, "RIP header")),
    strength: Strength::Structure,
    reader: || Box::new(Routes),
};

/// RIP for IPv6 (RFC 2080 section 2.1).
pub static RIPNG: Known = Known {
    name: "ripng",
    over: Over::Datagrams(Gate::Ports(&[521])),
    ask: |opening, bytes| Look::when(is_rip(bytes, &[1]) && opening.is_at(&[521]), 4, "RIPng header"),
    answer: Some(|opening, bytes| Look::when(is_rip(bytes, &[1]) && opening.is_at(&[521]), 4, "RIPng header")),
    strength: Strength::Structure,
    reader: || Box::new(Routes),
};

/// BFD control packets (RFC 5880 section 4.1) to the ports of RFC 5881, 5883 and 7130: version 1, a length that is the datagram's, a multiplier and a discriminator
/// that are not zero. Each side sends from a port of its own.
pub static BFD: Known = Known {
    name: "bfd",
    over: Over::Datagrams(Gate::Ports(BFD_PORTS)),
    ask: |opening, bytes| Look::when(is_bfd(bytes) && opening.is_at(BFD_PORTS), 4, "BFD control packet"),
    answer: Some(|_, _| Look::No),
    strength: Strength::Structure,
    reader: || Box::<Liveness>::default(),
};

/// HSRP (RFC 2281 section 5.1), and its version 2, whose state is a field of 40 bytes.
pub static HSRP: Known = Known {
    name: "hsrp",
    over: Over::Datagrams(Gate::Ports(HSRP_PORTS)),
    ask: |opening, bytes| Look::when(hsrp_state(bytes).is_some() && opening.is_at(HSRP_PORTS), 3, "HSRP message"),
    answer: Some(|_, _| Look::No),
    strength: Strength::Structure,
    reader: || Box::<Standby>::default(),
};

/// sFlow version 5 (sFlow.org, "sFlow Version 5" section 5): version, address of the agent, counts, and a first sample of a known format that fits.
pub static SFLOW: Known = Known {
    name: "sflow",
    over: Over::Datagrams(Gate::BytesAnd(&[0..=0], |bytes| matches!(bytes, [0, 0, 0, 5, 0, 0, 0, 1 | 2, ..]))),
    ask: |_, bytes| Look::when(is_sflow(bytes), 8, "sFlow datagram"),
    answer: Some(|_, _| Look::No),
    strength: Strength::Structure,
    reader: || Box::new(Sent),
};

fn is_rip(bytes: &[u8], versions: &[u8]) -> bool {
    matches!(bytes, [1 | 2, version, 0, 0, ..] if versions.contains(version)) && bytes.len() >= 24 && (bytes.len() - 4).is_multiple_of(20)
}

/// Routes are sent to whoever wants them; a neighbour that is asked answers.
#[derive(Debug)]
struct Routes;

impl Reader for Routes {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let asks = piece.bytes.first() == Some(&1);
        if piece.from == Side::Client && (!asks || is_group(piece.receiver().ip)) {
            said.say(Fact::OneWay);
        }
        Appetite::Full
    }
}

fn is_bfd(bytes: &[u8]) -> bool {
    match bytes {
        [version, _, multiplier, len, a, b, c, d, ..] => {
            version >> 5 == 1 && *multiplier > 0 && *len >= 24 && usize::from(*len) == bytes.len() && [a, b, c, d].iter().any(|byte| **byte != 0)
        }
        _ => false,
    }
}

/// The last state that a side was in, and why it left the one before.
#[derive(Debug, Default)]
struct Liveness {
    last: Option<(u8, u8)>,
}

impl Reader for Liveness {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if self.last.is_none() {
            said.say(Fact::OneWay);
        }
        if let [first, second, ..] = piece.bytes {
            self.last = Some((second >> 6, first & 0x1f));
        }
        Appetite::Hungry
    }

    fn finish(&self, said: &mut Said<'_>) {
        let Some((state, diagnostic)) = self.last else { return };
        said.detail("bfd", "state", ["admin_down", "down", "init", "up"][usize::from(state & 3)]);
        if let Some(why) = usize::from(diagnostic).checked_sub(1).and_then(|at| BFD_DIAGNOSTICS.get(at)) {
            said.detail("bfd", "diagnostic", *why);
        }
    }
}

/// The state that an HSRP message tells: Initial, Learn, Listen, Speak, Standby, Active.
fn hsrp_state(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0, 0..=3, state, ..] if bytes.len() >= 20 => match state {
            0 => Some("initial"),
            1 => Some("learn"),
            2 => Some("listen"),
            4 => Some("speak"),
            8 => Some("standby"),
            16 => Some("active"),
            _ => None,
        },
        // Type, length, version, operation.
        [1, 40, 2, 0..=3, state, 4 | 6, ..] if bytes.len() >= 42 => {
            ["disabled", "initial", "learn", "listen", "speak", "standby", "active"].get(usize::from(*state)).copied()
        }
        _ => None,
    }
}

/// The last state that a router told.
#[derive(Debug, Default)]
struct Standby {
    last: Option<&'static str>,
}

impl Reader for Standby {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        if self.last.is_none() {
            said.say(Fact::OneWay);
        }
        self.last = hsrp_state(piece.bytes).or(self.last);
        Appetite::Hungry
    }

    fn finish(&self, said: &mut Said<'_>) {
        if let Some(state) = self.last {
            said.detail("hsrp", "state", state);
        }
    }
}

fn is_sflow(bytes: &[u8]) -> bool {
    let word = |at: usize| bytes.get(at..at + 4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    // Behind the agent's address: which part of it, a number, its time, how many samples.
    let counts = if word(4) == Some(1) { 12 } else { 24 };
    let fits = |len: u32| len.is_multiple_of(4) && usize::try_from(len).is_ok_and(|len| len <= bytes.len().saturating_sub(counts + 24));
    // Flow and counter samples, plain and expanded, of the standard's own formats.
    word(0) == Some(5)
        && matches!(word(4), Some(1 | 2))
        && word(counts + 12).is_some_and(|samples| (1..=256).contains(&samples))
        && word(counts + 16).is_some_and(|format| (1..=5).contains(&format))
        && word(counts + 20).is_some_and(fits)
}

/// Single hop, multihop, link aggregates.
const BFD_PORTS: &[u16] = &[3_784, 4_784, 6_784];
/// RFC 5880 section 4.1.
const BFD_DIAGNOSTICS: &[&str] = &[
    "control detection time expired",
    "echo function failed",
    "neighbour signalled session down",
    "forwarding plane reset",
    "path down",
    "concatenated path down",
    "administratively down",
    "reverse concatenated path down",
];
/// Over IPv4, and over IPv6 (IANA).
const HSRP_PORTS: &[u16] = &[1_985, 2_029];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::Evidence;
    use crate::identify::protocol::testing::{decide, evidence, hex, read, survives};
    use crate::net::Side::Client;
    use crate::net::Transport;

    #[test]
    fn routes_are_told_at_rips_port_alone() {
        // RFC 2453 section 4: 10.1.0.0/16, metric 1. RFC 2080 section 2.1: fd00::/8.
        let (rip, ripng) = (hex("02 02 0000 0002 0000 0a010000 ffff0000 00000000 00000001"), hex("02 01 0000 fd000000000000000000000000000000 0000 08 01"));
        for (protocol, port, datagram) in [(&RIP, 520, &rip), (&RIPNG, 521, &ripng)] {
            assert_eq!(evidence(decide(protocol, Transport::UDP, port, datagram, &[])), Evidence::OneOpening);
            assert_eq!(evidence(decide(protocol, Transport::UDP, 5_000, datagram, &[])), Evidence::None);
            assert_eq!(evidence(decide(protocol, Transport::UDP, port, &datagram[..20], &[])), Evidence::None);
            assert!(read(protocol, Transport::UDP, port, &[(Client, datagram)]).says(&Fact::OneWay));
            survives(protocol, Transport::UDP, port, &[(Client, datagram)]);
        }
        // RFC 2453 section 3.9.1: a neighbour is asked for all it knows, and owes an answer.
        let all = hex("01 02 0000 0000 0000 00000000 00000000 00000000 00000010");
        assert!(!read(&RIP, Transport::UDP, 520, &[(Client, &all)]).says(&Fact::OneWay));
    }

    // RFC 5880 section 4.1: up, multiplier 3; then down, as nothing was heard.
    #[test]
    fn a_session_that_is_down_says_why() {
        let (up, down) = (hex("20 c0 03 18 00000001 00000002 000f4240 000f4240 00000000"), hex("21 40 03 18 00000001 00000000 000f4240 000f4240 00000000"));
        assert_eq!(evidence(decide(&BFD, Transport::UDP, 3_784, &up, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&BFD, Transport::UDP, 3_784, &up[..23], &[])), Evidence::None);
        let told = read(&BFD, Transport::UDP, 3_784, &[(Client, &up), (Client, &down)]);
        assert_eq!((told.detail("bfd", "state"), told.detail("bfd", "diagnostic")), (Some("down".into()), Some("control detection time expired".into())));
        assert!(told.says(&Fact::OneWay));
        survives(&BFD, Transport::UDP, 3_784, &[(Client, &up)]);
    }

    // RFC 2281 section 5.1: a Hello of the active router of group 1.
    #[test]
    fn routers_tell_who_stands_by() {
        let hello = [hex("00 00 10 03 0a 64 01 00"), b"cisco\0\0\0".to_vec(), hex("0a010001")].concat();
        let second = [hex("01 28 02 00 05 04 0001 02000000000a 00000064 00000bb8 00002710 0a010001"), vec![0; 12]].concat();
        assert_eq!(second.len(), 42);
        for (message, state) in [(&hello, "active"), (&second, "standby")] {
            assert_eq!(evidence(decide(&HSRP, Transport::UDP, 1_985, message, &[])), Evidence::OneOpening);
            assert_eq!(read(&HSRP, Transport::UDP, 1_985, &[(Client, message)]).detail("hsrp", "state"), Some(state.into()));
            survives(&HSRP, Transport::UDP, 1_985, &[(Client, message)]);
        }
        assert_eq!(evidence(decide(&HSRP, Transport::UDP, 1_986, &hello, &[])), Evidence::None);
    }

    // sFlow version 5: one counter sample of an agent at 10.1.0.1.
    #[test]
    fn samples_are_told_wherever_they_go() {
        let sample = hex("00000002 0000000c 00000001 00000001 00000000");
        let datagram = [hex("00000005 00000001 0a010001 00000000 00000007 000003e8 00000001"), sample].concat();
        assert_eq!(evidence(decide(&SFLOW, Transport::UDP, 6_343, &datagram, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&SFLOW, Transport::UDP, 9_999, &datagram, &[])), Evidence::OneOpening);
        // Cut short, and of version 9 of something else.
        assert_eq!(evidence(decide(&SFLOW, Transport::UDP, 6_343, &datagram[..40], &[])), Evidence::None);
        assert_eq!(
            evidence(decide(&SFLOW, Transport::UDP, 6_343, &hex("00000005 00000001 0a010001 00000000 00000007 000003e8 00000000"), &[])),
            Evidence::None
        );
        survives(&SFLOW, Transport::UDP, 6_343, &[(Client, &datagram)]);
    }
}
