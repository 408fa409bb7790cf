//! TLS in the middle of a stream, where no hello was seen: what records alone show.

use crate::identify::wire::Cursor;
use crate::net::Transport;

use super::home::at_home;
use super::tls::{APPLICATION_DATA, Tls};
use super::tls_look::is_record;
use super::{Head, Hit, Opening, Protocol, Side};

/// In the middle of a stream: three records that follow one another, or two of encrypted data; or both sides begin with a record of encrypted
/// data; or two pieces that are exactly one record each, or one that begins with two short ones; or a record that several pieces carry, behind which another begins; or all that was
/// ever sent is records. At a port of TLS, one piece that begins with a record of encrypted data.
pub(super) fn chain(opening: &Opening<'_>) -> Option<Hit> {
    let walked = [Side::Client, Side::Server].map(|side| Walked::of(opening.side(side)));
    for (side, walk) in [Side::Client, Side::Server].into_iter().zip(&walked) {
        if walk.sound && (walk.records >= 3 || walk.encrypted >= 2) {
            return Some(Hit { side, offset: 0, len: walk.len, rule: "chain of TLS records, hello not seen" });
        }
    }
    if opening.complete && walked.iter().all(|walk| walk.sound && walk.exact) {
        let side = if opening.client.is_empty() { Side::Server } else { Side::Client };
        return Some(Hit { side, offset: 0, len: 5, rule: "TLS records to the last byte, hello not seen" });
    }
    let whole = |head: &&Head| encrypted_record(head) == Some(head.len);
    let encrypted = |side| matches!(opening.side(side), [APPLICATION_DATA, 3, 1..=3, high, ..] if *high <= 0x40);
    let side = if opening.client.is_empty() { Side::Server } else { Side::Client };
    if encrypted(Side::Client) && encrypted(Side::Server) {
        return Some(Hit { side, offset: 0, len: 5, rule: "both sides send TLS application data records, hello not seen" });
    }
    if opening.heads.iter().filter(whole).count() >= 2 {
        return Some(Hit { side, offset: 0, len: 5, rule: "pieces that are one TLS record each, hello not seen" });
    }
    // A change of ciphers and what it is for, or pings of whatever is inside.
    let begins_with_two = |head: &&Head| {
        let kept = head.bytes.get(..head.len as usize).unwrap_or(&head.bytes);
        let walk = Walked::of(kept);
        walk.sound && walk.records >= 2
    };
    if let Some(head) = opening.heads.iter().find(begins_with_two) {
        return Some(Hit { side: head.from, offset: 0, len: 5, rule: "piece that begins with two TLS records, hello not seen" });
    }
    if let Some(side) = [Side::Client, Side::Server].into_iter().find(|side| has_neighbours(opening.heads, *side)) {
        return Some(Hit { side, offset: 0, len: 5, rule: "TLS record that ends where another begins, hello not seen" });
    }
    let one = opening.heads.iter().find(|head| encrypted_record(head).is_some()).filter(|_| is_at_home(opening))?;
    Some(Hit { side: one.from, offset: 0, len: 5, rule: "TLS application data at its port, hello not seen" })
}

/// Whether TLS is at home at one of the ports.
fn is_at_home(opening: &Opening<'_>) -> bool {
    let (one, other) = opening.ends;
    [one.port, other.port].into_iter().any(|port| at_home(Transport::TCP, port).is_some_and(|protocol| protocol.name() == Tls.name()))
}

/// Bytes of the record of encrypted data with which a piece begins, header included.
fn encrypted_record(head: &Head) -> Option<u32> {
    let [kind, major, minor, high, low, ..] = head.bytes;
    let len = u16::from_be_bytes([high, low]);
    (kind == APPLICATION_DATA && minor > 0 && is_record(kind, major, minor, len)).then(|| u32::from(len).saturating_add(5))
}

/// Whether a piece of that side begins with a record of encrypted data that ends where a later piece begins with another.
fn has_neighbours(heads: &[Head], side: Side) -> bool {
    let of_side = || heads.iter().filter(move |head| head.from == side);
    of_side().enumerate().any(|(place, head)| {
        let Some(len) = encrypted_record(head) else { return false };
        let mut sent = 0_u32;
        of_side().skip(place).any(|later| {
            let is_next = sent == len && encrypted_record(later).is_some();
            sent = sent.saturating_add(later.len);
            is_next
        })
    })
}

/// The records at the start of some bytes.
struct Walked {
    records: u8,
    encrypted: u8,
    /// Bytes from the first header to the end of the last.
    len: u32,
    /// Every header that is there is one.
    sound: bool,
    /// The last record ends with the bytes.
    exact: bool,
}

impl Walked {
    fn of(bytes: &[u8]) -> Self {
        let mut at = Cursor::new(bytes);
        let mut walked = Self { records: 0, encrypted: 0, len: 0, sound: true, exact: bytes.is_empty() };
        while let Some([kind, major, minor, high, low]) = at.array() {
            let len = u16::from_be_bytes([high, low]);
            walked.sound = is_record(kind, major, minor, len) && minor > 0;
            if !walked.sound {
                break;
            }
            walked.records = walked.records.saturating_add(1);
            walked.encrypted = walked.encrypted.saturating_add(u8::from(kind == APPLICATION_DATA));
            walked.len = u32::try_from(at.at()).unwrap_or(u32::MAX);
            if at.take(usize::from(len)).is_none() {
                break;
            }
            walked.exact = at.is_empty();
        }
        walked
    }
}

#[cfg(test)]
mod tests {
    use crate::identify::Evidence;
    use crate::identify::protocol::tls::Tls;
    use crate::identify::protocol::{Head, Opening, Probe, Protocol};
    use crate::net::{Side, Transport};

    #[test]
    fn records_in_the_middle_of_a_stream_match_only_as_a_chain() {
        let record = |byte: u8| [&[23, 3, 3, 0, 30][..], &[byte; 30]].concat();
        let chain = [record(1), record(2), record(3)].concat();
        let mut opening = Opening::of(Transport::TCP, &chain, &[]);
        assert_eq!(Tls.probe(&opening), Probe::NotForUs);
        opening.midstream = true;
        assert!(matches!(Tls.probe(&opening), Probe::Found { evidence: Evidence::OneOpening, client: None, .. }));
        opening.client = &chain[..36];
        assert_eq!(Tls.probe(&opening), Probe::NeedMore);
        opening.client = &chain[..35];
        opening.complete = true;
        assert!(matches!(Tls.probe(&opening), Probe::Found { .. }));
        opening.client = &chain[..34];
        assert!(!matches!(Tls.probe(&opening), Probe::Found { .. }));
    }

    // A capture that begins in the middle of the server's certificates.
    #[test]
    fn records_of_one_side_are_found_behind_the_rest_of_one_of_the_other() {
        let rest = [0x5a; 700];
        // The client's key exchange, its change of ciphers, what it ends with (RFC 5246 section 7.3).
        let key = [&[22, 3, 3, 0, 70, 16, 0, 0, 66][..], &[7; 66]].concat();
        let ending = [&[20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 40][..], &[9; 40]].concat();
        let client = [key.clone(), ending.clone()].concat();
        let opening = Opening { midstream: true, first: Side::Server, ..Opening::of(Transport::TCP, &[], &rest) };
        assert_eq!(Tls.probe(&opening), Probe::NeedMore);
        assert!(matches!(Tls.probe(&Opening { client: &client, ..opening }), Probe::Found { .. }));
        // The server's answer begins a piece of its own.
        let heads = [Head::of(Side::Server, &rest, 700), Head::of(Side::Server, &ending, ending.len())];
        assert!(matches!(Tls.probe(&Opening { heads: &heads, ..opening }), Probe::Found { .. }));
        assert_eq!(Tls.probe(&Opening { heads: &heads[..1], complete: true, ..opening }), Probe::NotForUs);
        // One record that begins a piece may be chance.
        let one = [Head::of(Side::Server, &rest, 700), Head::of(Side::Client, &key, key.len())];
        assert_eq!(Tls.probe(&Opening { heads: &one, ..opening }), Probe::NeedMore);
    }

    // A download: each record of the server is as long as three segments, one of them short.
    #[test]
    fn a_record_that_several_pieces_carry_is_found_by_the_one_behind_it() {
        let record = [&[23, 3, 3, 0x10, 0x18][..], &[0x5a; 0x1018]].concat();
        let heads = |cut: &[usize]| {
            let mut rest = record.as_slice();
            let head = |len: &usize| {
                let (piece, after) = rest.split_at(*len);
                rest = after;
                Head::of(Side::Server, piece, piece.len())
            };
            let mut heads: Vec<Head> = cut.iter().map(head).collect();
            heads.push(Head::of(Side::Client, b"", 0));
            heads.push(Head::of(Side::Server, &record[..1448], 1448));
            heads
        };
        let opening = Opening { midstream: true, first: Side::Server, ..Opening::of(Transport::TCP, &[], &record[..1448]) };
        let is_found = |heads: &[Head]| matches!(Tls.probe(&Opening { heads, ..opening }), Probe::Found { .. });
        let whole = heads(&[1448, 1448, 1229]);
        assert_eq!((is_found(&whole[..3]), is_found(&whole)), (false, true));
        // A piece was lost, or is another stream's: the next header is not where the record ends.
        assert!(!is_found(&heads(&[1448, 1448])));
    }

    #[test]
    fn one_record_of_encrypted_data_is_enough_at_a_port_of_tls() {
        let record = [&[23, 3, 3, 0x40, 0x11][..], &[0x5a; 1443]].concat();
        let rest = [0x5a; 1448];
        let heads = [&rest[..], &record, &rest].map(|piece| Head::of(Side::Server, piece, piece.len()));
        let opening = |port| Opening { midstream: true, heads: &heads, ..crate::identify::protocol::testing::opening(Transport::TCP, port, &[], &rest) };
        assert!(matches!(Tls.probe(&opening(443)), Probe::Found { .. }));
        assert!(matches!(Tls.probe(&opening(8883)), Probe::Found { .. }));
        assert_eq!(Tls.probe(&opening(9000)), Probe::NeedMore);
        assert_eq!(Tls.probe(&Opening { heads: &heads[..1], ..opening(443) }), Probe::NeedMore);
        // A length that no record has (RFC 8446 section 5.2, RFC 5246 section 6.2.3).
        let long = [Head::of(Side::Server, &[23, 3, 3, 0x5a, 0x5a], 1448)];
        assert_eq!(Tls.probe(&Opening { heads: &long, ..opening(443) }), Probe::NeedMore);
    }
}
