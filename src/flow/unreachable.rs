//! ICMP errors (RFC 792, RFC 4443 section 3): which packet they quote, and so which flow they are about.

use crate::decode::{Content, Header, Packet, Quote, quoted};
use crate::flow::Rejection;
use crate::flow::key::Key;
use crate::net::{Side, Transport};

/// An ICMP error with what it quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// The head of the quoted packet; none where too little is quoted.
    pub quote: Option<Quote>,
    kind: u8,
    code: u8,
    rest: [u8; 4],
}

/// The ICMP error in a packet; none where it is none.
pub(super) fn of_packet(packet: &Packet<'_>) -> Option<Failure> {
    let Content::Ip(ip, Header::Icmp { kind, code, rest }) = packet.content else { return None };
    // Of a fragment the quote is incomplete, and its other fragments have none: they stay together by their addresses.
    if ip.fragment.is_some() {
        return None;
    }
    let v6 = match (ip.transport, kind) {
        (Transport::ICMP, 3 | 4 | 5 | 11 | 12) => false,
        (Transport::ICMP6, 1..=4) => true,
        _ => return None,
    };
    Some(Failure { quote: quoted(packet.payload, v6), kind, code, rest })
}

impl Failure {
    /// Whether what it quotes was cut off by the snap length before it named its ends.
    pub fn is_cut(&self, packet: &Packet<'_>) -> bool {
        self.quote.and_then(|quote| Key::of_quote(&quote)).is_none() && (packet.payload.len() as u64) < u64::from(packet.payload_len)
    }

    /// What to keep of it with the flow whose packet, sent by `to`, it quotes.
    pub fn rejection(&self, packet: &Packet<'_>, to: Side) -> Option<Rejection> {
        let Content::Ip(ip, _) = packet.content else { return None };
        let v6 = ip.transport == Transport::ICMP6;
        let (kind, code, quoted_ttl) = (self.kind, self.code, self.quote.map_or(0, |quote| quote.ttl));
        Some(Rejection { by: ip.source, to, v6, kind, code, mtu: self.next_hop_mtu(v6), quoted_ttl, time: packet.time, frame: packet.frame })
    }

    /// Of "fragmentation needed" (RFC 1191: 16 bits) and of "packet too big" (RFC 4443: 32 bits); routers older than RFC 1191 say 0.
    fn next_hop_mtu(&self, v6: bool) -> Option<u32> {
        let [_, _, high, low] = self.rest;
        let mtu = match (v6, self.kind, self.code) {
            (false, 3, 4) => u32::from(u16::from_be_bytes([high, low])),
            (true, 2, _) => u32::from_be_bytes(self.rest),
            _ => return None,
        };
        (mtu > 0).then_some(mtu)
    }
}
