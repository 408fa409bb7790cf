//! Names as DNS messages write them: labels behind their lengths, and pointers to what stands further ahead (RFC 1035 section 4.1.4).

use std::net::IpAddr;

use arrayvec::ArrayVec;
use smallvec::SmallVec;

use crate::limit;

/// The name that begins at this place, and the place after it. Lower case; bytes that are no printable ASCII, and dots inside a label, are written as `\DDD`.
pub fn read_name(message: &[u8], at: usize) -> Option<(Box<str>, usize)> {
    // Nearly all names are of plain letters, and none of these is longer.
    let (mut plain, mut len, mut dots, mut has_room) = ([b'a'; 256], 0, 0_u32, true);
    let after = walk(message, at, |label| {
        if let Some(dot) = plain.get_mut(len).filter(|_| len > 0) {
            *dot = b'.';
            (len, dots) = (len + 1, dots + 1);
        }
        match plain.get_mut(len..len.saturating_add(label.len())) {
            Some(place) => place.copy_from_slice(label),
            None => has_room = false,
        }
        len += label.len();
    })?;
    // Block by block, without a branch a byte; a label that has a dot itself shows by their number.
    let (mut is_plain, mut met) = (has_room, 0_u32);
    for block in plain.as_chunks_mut::<32>().0.iter_mut().take(len.div_ceil(32)) {
        is_plain &= block.iter().fold(true, |plain, byte| plain & (*byte >= 0x20) & (*byte < 0x7f) & (*byte != b'\\'));
        met += u32::from(block.iter().fold(0_u8, |met, byte| met + u8::from(*byte == b'.')));
        block.make_ascii_lowercase();
    }
    if is_plain && met == dots {
        return Some((std::str::from_utf8(plain.get(..len)?).ok()?.into(), after));
    }
    let mut name = Written::new();
    let after = walk(message, at, |label| push_label(&mut name, label))?;
    Some((std::str::from_utf8(&name).ok()?.into(), after))
}

/// Passes the name that begins at this place, label by label; the place after it.
pub fn walk<'a>(message: &'a [u8], at: usize, mut label: impl FnMut(&'a [u8])) -> Option<usize> {
    let mut labels = Labels::of(message, at);
    loop {
        match labels.next()? {
            [] => return Some(labels.after.unwrap_or(labels.at)),
            bytes => label(bytes),
        }
    }
}

/// The labels of a name, of which the last is empty. Pointers may only point backwards, and there may not be many, which ends every loop (RFC 1035 section 4.1.4).
#[derive(Debug)]
pub struct Labels<'a> {
    message: &'a [u8],
    /// Where the next one is.
    pub at: usize,
    /// Where the first pointer ends.
    pub after: Option<usize>,
    wire_len: usize,
    pointers: usize,
}

impl<'a> Labels<'a> {
    /// Those of the name that begins there.
    pub const fn of(message: &'a [u8], at: usize) -> Self {
        Self { message, at, after: None, wire_len: 0, pointers: 0 }
    }

    /// None where the name is broken.
    #[inline]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let [len, rest @ ..] = self.message.get(self.at..)? else { return None };
            match len >> 6 {
                0 => {
                    let label = rest.get(..usize::from(*len))?;
                    self.at += 1 + label.len();
                    self.wire_len += 1 + label.len();
                    return (self.wire_len <= LONGEST).then_some(label);
                }
                3 => {
                    let target = usize::from(len & 0x3f) << 8 | usize::from(*rest.first()?);
                    self.pointers += 1;
                    if target >= self.at || self.pointers > limit::DNS_POINTERS {
                        return None;
                    }
                    self.after = self.after.or(Some(self.at + 2));
                    self.at = target;
                }
                _ => return None,
            }
        }
    }
}

/// Whether both names are one. In a message nearly always one of them soon points to where the other stands.
pub fn are_one(mut one: Labels<'_>, mut two: Labels<'_>) -> bool {
    let in_one_message = std::ptr::eq(one.message, two.message);
    while let (Some(label), Some(same)) = (one.next(), two.next()) {
        if !label.eq_ignore_ascii_case(same) {
            return false;
        }
        if label.is_empty() || in_one_message && one.at == two.at {
            return true;
        }
    }
    false
}

/// A name as it is written.
type Written = SmallVec<[u8; 256]>;

/// Adds ASCII only.
fn push_label(name: &mut Written, label: &[u8]) {
    if !name.is_empty() {
        name.push(b'.');
    }
    let start = name.len();
    let mut plain = true;
    name.extend(label.iter().map(|byte| {
        let written = AS_WRITTEN[usize::from(*byte)];
        plain &= written != 0;
        written
    }));
    // Nearly all labels are.
    if plain {
        return;
    }
    name.truncate(start);
    for byte in label {
        match AS_WRITTEN[usize::from(*byte)] {
            0 => name.extend_from_slice(format!("\\{byte:03}").as_bytes()),
            written => name.push(written),
        }
    }
}

/// How a byte of a label is written: lower case; zero where it is no printable ASCII, a dot or a backslash.
const AS_WRITTEN: [u8; 256] = {
    let mut written = [0; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        if byte != b'.' && byte != b'\\' {
            written[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    written
};

/// The address that a name of such labels stands for, below `in-addr.arpa` or `ip6.arpa` (RFC 1035 section 3.5, RFC 3596 section 2.5).
pub fn reverse_address<'a>(name: impl Iterator<Item = &'a [u8]>) -> Option<IpAddr> {
    let mut labels: ArrayVec<&[u8], REVERSE_LABELS> = ArrayVec::new();
    for label in name {
        labels.try_push(label).ok()?;
    }
    let [parts @ .., zone, top] = labels.as_slice() else { return None };
    match () {
        () if !top.eq_ignore_ascii_case(b"arpa") => None,
        () if zone.eq_ignore_ascii_case(b"in-addr") => reverse_quads(parts),
        () if zone.eq_ignore_ascii_case(b"ip6") => reverse_nibbles(parts),
        () => None,
    }
}

/// A number of decimal digits for each byte, the last byte first.
fn reverse_quads(parts: &[&[u8]]) -> Option<IpAddr> {
    let mut octets = [0_u8; 4];
    if parts.len() != octets.len() {
        return None;
    }
    for (octet, part) in octets.iter_mut().rev().zip(parts) {
        *octet = std::str::from_utf8(part).ok()?.parse().ok()?;
    }
    Some(octets.into())
}

/// A hexadecimal digit for each half byte, the last one first.
fn reverse_nibbles(parts: &[&[u8]]) -> Option<IpAddr> {
    let mut octets = [0_u8; 16];
    if parts.len() != 2 * octets.len() {
        return None;
    }
    for (octet, pair) in octets.iter_mut().rev().zip(parts.as_chunks().0) {
        let [[low], [high]]: [&[u8]; 2] = *pair else { return None };
        let [low, high] = [*low, *high].map(|digit| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
        *octet = high? << 4 | low?;
    }
    Some(octets.into())
}

/// Bytes of a name on the wire, RFC 1035 section 2.3.4.
const LONGEST: usize = 255;
/// Labels of an IPv6 address's name.
const REVERSE_LABELS: usize = 34;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_that_points_at_itself_or_forward_ends_the_name() {
        assert_eq!(read_name(&[0xc0, 0], 0), None);
        assert_eq!(read_name(&[0xc0, 2, 0], 0), None);
        assert_eq!(read_name(&[1, b'a', 0xc0, 0], 0), None);
        assert_eq!(read_name(&[0, 1, b'B', 0xc0, 0], 1), Some(("b".into(), 5)));
    }

    #[test]
    fn a_name_of_more_than_255_bytes_is_none() {
        let long: Vec<u8> = std::iter::repeat_n([&[63_u8][..], &[b'x'; 63]].concat(), 4).flatten().chain([0]).collect();
        assert_eq!(read_name(&long, 0), None);
    }
}
