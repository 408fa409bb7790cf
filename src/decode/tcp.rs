//! TCP (RFC 9293).

use etherparse::{TcpOptionElement, TcpOptionsIterator};

use crate::decode::cursor::Cursor;
use crate::decode::fault::{Fault, Layer, What};
use crate::decode::ip::Segment;
use crate::decode::packet::{Header, Tcp, TcpFlags};

/// A segment whose header was captured with its options.
#[inline(always)]
pub(super) fn whole(at: Cursor<'_>) -> Option<Tcp> {
    let header = at.head::<20>()?;
    let mut tcp = fixed(header);
    let len = usize::from(tcp.header_len);
    if len < 20 || len > at.bytes.len() {
        return None;
    }
    if tcp.flags.has(TcpFlags::SYN) {
        (tcp.mss, tcp.window_scale) = options(at.bytes.get(20..len).unwrap_or_default());
    }
    Some(tcp)
}

/// A segment that may be cut anywhere, which snap lengths often do within the options.
pub(super) fn segment(at: Cursor<'_>) -> Segment<'_> {
    if let Some(tcp) = whole(at) {
        return Segment::whole(Header::Tcp(tcp), usize::from(tcp.header_len), at);
    }
    let mut head = [0xff; 20];
    let captured = at.bytes.get(..20).unwrap_or(at.bytes);
    head.iter_mut().zip(captured).for_each(|(to, from)| *to = *from);
    if captured.len() < FLAGS_END {
        return Segment::short(ports(at), Layer::Tcp, 20, at);
    }
    let mut tcp = fixed(&head);
    if tcp.header_len < 20 || u32::from(tcp.header_len) > at.wire {
        let fault = Some(Fault { layer: Layer::Tcp, what: What::BadLength, offset: at.offset });
        return Segment { header: ports(at), payload: &[], payload_len: 0, fault };
    }
    if tcp.flags.has(TcpFlags::SYN) {
        (tcp.mss, tcp.window_scale) = options(at.bytes.get(20..).unwrap_or_default());
    }
    Segment::short(Header::Tcp(tcp), Layer::Tcp, usize::from(tcp.header_len), at)
}

/// The fixed bytes, not by etherparse, whose slice wants the options too.
#[inline(always)]
fn fixed(header: &[u8; 20]) -> Tcp {
    Tcp {
        source: u16::from_be_bytes([header[0], header[1]]),
        destination: u16::from_be_bytes([header[2], header[3]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: TcpFlags(header[13]),
        window: u16::from_be_bytes([header[14], header[15]]),
        header_len: (header[12] >> 4) * 4,
        mss: None,
        window_scale: None,
    }
}

/// Maximum segment size and window scale, which count on SYN. What follows a malformed option is not read.
#[inline(never)]
fn options(bytes: &[u8]) -> (Option<u16>, Option<u8>) {
    let (mut size, mut scale) = (None, None);
    for option in TcpOptionsIterator::from_slice(bytes) {
        match option {
            Ok(TcpOptionElement::MaximumSegmentSize(bytes)) => size = Some(bytes),
            Ok(TcpOptionElement::WindowScale(shift)) => scale = Some(shift),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    (size, scale)
}

/// Up to here a header names its sequence numbers, its length and its flags: what a snap length of 68 leaves of a segment over IPv6. A window that was not captured counts as open.
const FLAGS_END: usize = 14;

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

    /// `tcpdump -s 68` leaves 14 bytes of it behind Ethernet and IPv6.
    #[test]
    fn a_header_cut_behind_its_flags_is_a_segment_whose_window_counts_as_open() {
        let part = segment(Cursor::new(&SYN[..14], 28));
        let Header::Tcp(tcp) = part.header else { panic!("{part:?}") };
        assert_eq!((tcp.sequence, tcp.acknowledgment, tcp.header_len, tcp.window), (1, 0, 28, 0xffff));
        assert!(tcp.flags.is_syn() && part.fault.is_some() && part.payload_len == 0);
        assert!(matches!(segment(Cursor::new(&SYN[..13], 28)).header, Header::Ports { .. }));
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
