//! ICMP (RFC 792, 4884) and ICMPv6 (RFC 4443), and the packet that an error quotes.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::Ipv6HeaderSlice;

use crate::decode::cursor::Cursor;
use crate::decode::fault::Layer;
use crate::decode::ip::Segment;
use crate::decode::packet::Header;
use crate::limit;
use crate::net::Transport;

/// The packet that an ICMP error quotes, as far as it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Who sent the quoted packet.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// Its transport, after IPv6 extension headers.
    pub transport: Transport,
    /// Source and destination port, where the transport has them and they are quoted. None of a fragment other than the first.
    pub ports: Option<(u16, u16)>,
    /// TCP sequence number, where quoted.
    pub sequence: Option<u32>,
    /// Type, code, and bytes 4 to 7, where the quoted packet is ICMP itself.
    pub icmp: Option<(u8, u8, [u8; 4])>,
    /// Its time to live when it was rejected.
    pub ttl: u8,
    /// Its IPv4 identification.
    pub ident: u16,
}

/// The packet quoted by an ICMP error whose body (after the 8-byte ICMP header) is `payload`; `v6` says which IP.
///
/// Routers quote the IP header and at least 8 bytes of what follows (RFC 792), often more (RFC 1812, RFC 4443); an extension
/// structure (RFC 4884) begins after 128 quoted bytes at the earliest and so never stands where a port is read.
pub fn quoted(payload: &[u8], v6: bool) -> Option<Quote> {
    let at = Cursor::new(payload, 0);
    if v6 { quoted_v6(at) } else { quoted_v4(at) }
}

/// Type, code, checksum, then four bytes that depend on the type.
pub(super) fn segment(at: Cursor<'_>) -> Segment<'_> {
    let Some([kind, code]) = at.head::<2>() else { return Segment::short(Header::None, Layer::Icmp, 8, at) };
    match at.head::<8>() {
        Some([_, _, _, _, rest @ ..]) => Segment::whole(Header::Icmp { kind: *kind, code: *code, rest: *rest }, 8, at),
        None => Segment::short(Header::Icmp { kind: *kind, code: *code, rest: [0; 4] }, Layer::Icmp, 8, at),
    }
}

fn quoted_v4(at: Cursor<'_>) -> Option<Quote> {
    let header = at.head::<20>().filter(|header| header[0] >> 4 == 4 && header[0] & 0x0f >= 5)?;
    let first = u16::from_be_bytes([header[6], header[7]]) & 0x1fff == 0;
    let quote = Quote {
        source: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
        destination: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
        transport: Transport(header[9]),
        ports: None,
        sequence: None,
        icmp: None,
        ttl: header[8],
        ident: u16::from_be_bytes([header[4], header[5]]),
    };
    Some(ends(quote, first, at.skip(usize::from(header[0] & 0x0f) * 4)))
}

fn quoted_v6(at: Cursor<'_>) -> Option<Quote> {
    let header = Ipv6HeaderSlice::from_slice(at.bytes).ok()?;
    let quote = Quote {
        source: IpAddr::V6(header.source_addr()),
        destination: IpAddr::V6(header.destination_addr()),
        transport: Transport(header.next_header().0),
        ports: None,
        sequence: None,
        icmp: None,
        ttl: header.hop_limit(),
        ident: 0,
    };
    let (transport, first, rest) = past_extensions(quote.transport, at.skip(40));
    Some(ends(Quote { transport, ..quote }, first, rest))
}

/// Past hop-by-hop, routing, destination and fragment headers, as far as they are quoted.
fn past_extensions(mut transport: Transport, mut at: Cursor<'_>) -> (Transport, bool, Cursor<'_>) {
    for _ in 0..limit::IPV6_EXTENSIONS {
        let Some(head) = at.head::<4>() else { break };
        match transport.0 {
            0 | 43 | 60 => at = at.skip((usize::from(head[1]) + 1) * 8),
            44 if u16::from_be_bytes([head[2], head[3]]) & 0xfff8 != 0 => return (Transport(head[0]), false, at),
            44 => at = at.skip(8),
            _ => break,
        }
        transport = Transport(head[0]);
    }
    (transport, true, at)
}

fn ends(quote: Quote, first: bool, at: Cursor<'_>) -> Quote {
    let head = at.bytes.first_chunk::<4>().filter(|_| first);
    let word = at.bytes.get(4..).and_then(|rest| rest.first_chunk::<4>()).filter(|_| first);
    let ports = head.filter(|_| quote.transport.has_ports()).map(|[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])));
    let sequence = word.filter(|_| quote.transport == Transport::TCP).map(|word| u32::from_be_bytes(*word));
    let is_icmp = matches!(quote.transport, Transport::ICMP | Transport::ICMP6);
    let icmp = head.filter(|_| is_icmp).map(|[kind, code, ..]| (*kind, *code, word.copied().unwrap_or_default()));
    Quote { ports, sequence, icmp, ..quote }
}
