//! RTP, RTCP and MPEG transport streams over UDP: media (RFC 3550, RFC 5761; ISO 13818-1).

use smallvec::SmallVec;

use crate::identify::wire::Cursor;
use crate::identify::{Evidence, Fact};
use crate::limit;
use crate::net::{Side, Transport};

use super::{Appetite, Gate, Head, Hit, Known, Look, Opening, Over, Piece, Probe, Protocol, Reader, Said, Strength};

/// Told by three datagrams of one source whose sequence numbers follow each other.
pub static RTP: Rtp = Rtp;

/// Told by report packets whose lengths chain to the end of the datagram.
pub static RTCP: Known = Known {
    name: "rtcp",
    over: Over::Datagrams(Gate::Bytes(&[0x80..=0xbf])),
    ask: reports,
    answer: None,
    strength: Strength::Structure,
    reader: || Box::new(Media),
};

/// Told by 188-byte packets that each begin with 0x47.
pub static MPEGTS: Known = Known {
    name: "mpegts",
    over: Over::Datagrams(Gate::BytesAnd(&[0x47..=0x47], |bytes| bytes.get(188) == Some(&0x47))),
    ask: transport_stream,
    answer: Some(|_, _| Look::No),
    strength: Strength::Structure,
    reader: || Box::new(Media),
};

/// RTP is told by no single datagram.
#[derive(Debug)]
pub struct Rtp;

impl Protocol for Rtp {
    fn name(&self) -> &'static str {
        "rtp"
    }

    fn carriers(&self) -> &'static [Transport] {
        &[Transport::UDP]
    }

    fn gate(&self) -> Gate {
        Gate::Bytes(&[0x80..=0xbf])
    }

    fn probe(&self, opening: &Opening<'_>) -> Probe {
        let of = |side: Side| opening.heads.iter().filter(move |head| head.from == side).filter_map(packet).collect::<SmallVec<[_; limit::PIECES_TRIED]>>();
        let sides = [of(Side::Client), of(Side::Server)];
        let flows = sides.each_ref().map(|packets| longest_run(packets));
        let (side, run) = if flows[1] > flows[0] { (Side::Server, flows[1]) } else { (Side::Client, flows[0]) };
        // What completes a run is the newest packet.
        let side = if flows[opening.latest.0 as usize] > 1 { opening.latest.0 } else { side };
        let all = opening.heads.len();
        let fits = sides[0].len() + sides[1].len();
        let enough = run >= RUN || flows == [2, 2];
        if enough && fits * 2 > all {
            let evidence = if flows[0] > 1 && flows[1] > 1 { Evidence::BothOpenings } else { Evidence::OneOpening };
            return Probe::Found { evidence, hit: Hit { side, offset: 0, len: 12, rule: "RTP headers in sequence" }, client: None };
        }
        if fits == 0 || opening.complete { Probe::NotForUs } else { Probe::NeedMore }
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Media)
    }
}

/// Payload type, sequence number, time and source of what may be an RTP packet (RFC 3550 section 5.1).
fn packet(head: &Head) -> Option<(u8, u16, u32)> {
    let mut at = Cursor::new(&head.bytes);
    let (first, second, sequence, _time, source) = (at.u8()?, at.u8()?, at.be16()?, at.be32()?, at.be32()?);
    let kind = second & 0x7f;
    // 72 to 76 would be RTCP (RFC 5761 section 4); 35 to 71 and 77 to 95 are unassigned.
    let known = matches!(kind, 0..=34 | 96..=127);
    let header = 12 + 4 * u32::from(first & 15);
    (first >> 6 == 2 && known && head.len >= header && source != 0).then_some((kind, sequence, source))
}

/// The most packets in a row of one source whose sequence numbers grow by little.
fn longest_run(packets: &[(u8, u16, u32)]) -> usize {
    let (mut best, mut run) = (usize::from(!packets.is_empty()), 1);
    for pair in packets.windows(2) {
        let [(_, a, source), (_, b, same)] = pair else { continue };
        let step = b.wrapping_sub(*a);
        run = if source == same && (1..=4).contains(&step) { run + 1 } else { 1 };
        best = best.max(run);
    }
    best
}

fn reports(opening: &Opening<'_>, bytes: &[u8]) -> Look {
    let mut at = Cursor::new(bytes);
    let mut many = 0;
    while let (Some(first), Some(kind)) = (at.u8(), at.u8()) {
        let Some(words) = at.be16() else { return Look::No };
        let known = first >> 6 == 2 && if many == 0 { matches!(kind, 200 | 201 | 205 | 206) } else { (192..=213).contains(&kind) };
        // A sender report has 6 words of its own, a receiver report one, and both 6 for each block (section 6.4).
        let blocks = 6 * u16::from(first & 31);
        let long_enough = match kind {
            200 => words >= 6 + blocks,
            201 => words > blocks,
            _ => words >= 1,
        };
        if !known || !long_enough || at.take(usize::from(words) * 4).is_none() {
            return Look::No;
        }
        many += 1;
        // Encrypted reports end in an index and a tag that are no packets (RFC 3711 section 3.4).
        if many == 1 && !at.is_empty() && at.rest().first().is_some_and(|byte| byte >> 6 != 2) {
            return Look::No;
        }
    }
    let odd = opening.ends.0.port % 2 == 1 || opening.ends.1.port % 2 == 1;
    match many {
        0 => Look::No,
        1 if !odd => Look::Weak(0, 8, "RTCP report"),
        _ => Look::Yes(0, 8, "RTCP reports that fill the datagram"),
    }
}

fn transport_stream(_: &Opening<'_>, bytes: &[u8]) -> Look {
    let packets = bytes.chunks_exact(188);
    let whole = packets.remainder().is_empty();
    let many = packets.len();
    let fits = whole && many >= 2 && bytes.chunks_exact(188).all(|packet| packet.first() == Some(&0x47));
    Look::when(fits, 4, "MPEG transport stream packets")
}

/// Media is not read: nobody answers it, and reports are optional.
#[derive(Debug)]
struct Media;

impl Reader for Media {
    fn read(&mut self, _: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        said.say(Fact::OneWay);
        Appetite::Full
    }
}

/// Packets in a row that make a flow RTP: five fixed bits, a source of 32 bits three times, and two sequence numbers.
const RUN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::protocol::testing::{decide, evidence, hex, opening, survives};

    fn head(sequence: u16, source: u32) -> Head {
        let mut bytes = vec![0x80, 0x60];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0, 0, 0, 9]);
        bytes.extend(source.to_be_bytes());
        Head::of(Side::Client, &bytes, 172)
    }

    fn probe(heads: &[Head]) -> Evidence {
        evidence(RTP.probe(&Opening { heads, ..opening(Transport::UDP, 5004, &[], &[]) }))
    }

    #[test]
    fn three_packets_in_sequence_are_rtp_and_two_are_not() {
        assert_eq!(probe(&[head(1, 7), head(2, 7), head(3, 7)]), Evidence::OneOpening);
        assert_eq!(probe(&[head(65535, 7), head(0, 7), head(1, 7)]), Evidence::OneOpening);
        assert_eq!(probe(&[head(1, 7), head(2, 7)]), Evidence::None);
        assert_eq!(probe(&[head(1, 7), head(2, 8), head(3, 9)]), Evidence::None);
        assert_eq!(probe(&[head(1, 7), head(900, 7), head(3, 7)]), Evidence::None);
    }

    #[test]
    fn a_compound_report_fills_its_datagram() {
        // Empty receiver report of source 1, then a source description with CNAME "a" (RFC 3550 sections 6.4.2 and 6.5).
        let compound = hex("80c90001 00000001 81ca0002 00000001 01016100");
        assert_eq!(evidence(decide(&RTCP, Transport::UDP, 5005, &compound, &[])), Evidence::OneOpening);
        assert_eq!(evidence(decide(&RTCP, Transport::UDP, 5005, &compound[..19], &[])), Evidence::None);
        survives(&RTCP, Transport::UDP, 5005, &[(Side::Client, &compound)]);
    }

    #[test]
    fn a_transport_stream_has_a_sync_byte_in_every_packet() {
        let mut stream = vec![0; 1316];
        (0..7).for_each(|n| stream[n * 188] = 0x47);
        assert_eq!(evidence(decide(&MPEGTS, Transport::UDP, 1234, &stream, &[])), Evidence::OneOpening);
        stream[188] = 0;
        assert_eq!(evidence(decide(&MPEGTS, Transport::UDP, 1234, &stream, &[])), Evidence::None);
        survives(&MPEGTS, Transport::UDP, 1234, &[(Side::Client, &[0x47; 376])]);
    }
}
