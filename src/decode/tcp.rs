//! TCP (RFC 9293).

use etherparse::{TcpOptionElement, TcpOptionsIterator};

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Fault, Layer, What};
use crate::decode::ip::Segment;
use crate::decode::packet::{Header, Tcp, TcpFlags};

/// Read from the 20 fixed bytes rather than by etherparse, whose slice wants the options too: snap lengths often cut there.
pub(super) fn segment(at: Cursor<'_>) -> Segment<'_> {
    let Some(header) = at.head::<20>() else { return Segment::short(ports(at), Layer::Tcp, 20, at) };
    let header_len = (header[12] >> 4) * 4;
    if header_len < 20 || u32::from(header_len) > at.wire {
        let fault = Some(Fault { layer: Layer::Tcp, what: What::BadLength, offset: at.offset });
        return Segment { header: ports(at), payload: &[], payload_len: 0, fault };
    }
    let mut tcp = Tcp {
        source: u16::from_be_bytes([header[0], header[1]]),
        destination: u16::from_be_bytes([header[2], header[3]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: TcpFlags(header[13]),
        window: u16::from_be_bytes([header[14], header[15]]),
        header_len,
        mss: None,
        window_scale: None,
    };
    if tcp.flags.has(TcpFlags::SYN) && header_len > 20 {
        options(&mut tcp, at);
    }
    if at.bytes.len() < usize::from(header_len) {
        return Segment::short(Header::Tcp(tcp), Layer::Tcp, usize::from(header_len), at);
    }
    Segment::whole(Header::Tcp(tcp), usize::from(header_len), at)
}

/// The options that count on SYN. What follows a malformed option is not read.
fn options(tcp: &mut Tcp, at: Cursor<'_>) {
    let end = at.bytes.len().min(usize::from(tcp.header_len));
    for option in TcpOptionsIterator::from_slice(at.bytes.get(20..end).unwrap_or_default()) {
        match option {
            Ok(TcpOptionElement::MaximumSegmentSize(size)) => tcp.mss = Some(size),
            Ok(TcpOptionElement::WindowScale(shift)) => tcp.window_scale = Some(shift),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn ports(at: Cursor<'_>) -> Header {
    match at.head::<4>() {
        Some([a, b, c, d]) => Header::Ports { source: u16::from_be_bytes([*a, *b]), destination: u16::from_be_bytes([*c, *d]) },
        None => Header::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Port 55760 to 8883, sequence 1, SYN, window 64240, options MSS 1460, NOP, window scale 7.
    const SYN: [u8; 28] = [
        0xd9, 0xd0, 0x22, 0xb3, 0, 0, 0, 1, 0, 0, 0, 0, 0x70, 0x02, 0xfa, 0xf0, 0, 0, 0, 0, //
        2, 4, 0x05, 0xb4, 1, 3, 3, 7,
    ];

    #[test]
    fn a_syn_gives_its_segment_size_and_window_scale() {
        let part = segment(Cursor::new(&SYN, 28));
        let Header::Tcp(tcp) = part.header else { panic!("{part:?}") };
        assert_eq!((tcp.source, tcp.destination, tcp.sequence, tcp.window), (55760, 8883, 1, 64240));
        assert_eq!((tcp.mss, tcp.window_scale, tcp.header_len), (Some(1460), Some(7), 28));
        assert!(tcp.flags.is_syn() && part.fault.is_none() && part.payload_len == 0);
    }

    #[test]
    fn a_header_cut_after_four_bytes_keeps_its_ports() {
        for captured in 4..20 {
            let part = segment(Cursor::new(&SYN[..captured], 28));
            assert_eq!(part.header.ports(), Some((55760, 8883)));
            assert_eq!(part.fault.map(|fault| (fault.layer, fault.what)), Some((Layer::Tcp, What::Truncated)));
        }
        assert_eq!(segment(Cursor::new(&SYN[..3], 3)).fault.map(|fault| fault.what), Some(What::TooShort));
    }

    #[test]
    fn options_cut_by_the_snap_length_keep_what_was_captured() {
        let part = segment(Cursor::new(&SYN[..24], 128));
        let Header::Tcp(tcp) = part.header else { panic!("{part:?}") };
        assert_eq!((tcp.mss, tcp.window_scale), (Some(1460), None));
        assert_eq!((part.payload, part.payload_len), (&[][..], 100));
    }

    #[test]
    fn a_data_offset_below_five_words_is_a_fault_with_ports() {
        let mut bytes = SYN;
        bytes[12] = 0x40;
        let part = segment(Cursor::new(&bytes, 28));
        assert_eq!(part.header, Header::Ports { source: 55760, destination: 8883 });
        assert_eq!(part.fault.map(|fault| fault.what), Some(What::BadLength));
    }
}
