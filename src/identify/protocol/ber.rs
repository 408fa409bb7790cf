//! Basic encoding rules, as far as SNMP, LDAP and Kerberos use them: definite lengths, low tag numbers (X.690 section 8.1).

use crate::identify::wire::Length;

/// A tag, its content, and how many bytes both took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Class, constructed bit and number in one byte.
    pub tag: u8,
    /// What it holds.
    pub content: &'a [u8],
    /// Header and content.
    pub len: usize,
}

/// The first element; none where it is not all there.
pub fn read(bytes: &[u8]) -> Option<Tlv<'_>> {
    let tag = *bytes.first()?;
    let (head, len) = header(bytes)?;
    let whole = head.checked_add(usize::try_from(len).ok()?)?;
    Some(Tlv { tag, content: bytes.get(head..whole)?, len: whole })
}

/// Takes the first element off the bytes.
pub fn next<'a>(bytes: &mut &'a [u8]) -> Option<Tlv<'a>> {
    let tlv = read(bytes)?;
    *bytes = bytes.get(tlv.len..)?;
    Some(tlv)
}

/// Takes the first element off the bytes where it has this tag.
pub fn next_of<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    if bytes.first() != Some(&tag) {
        return None;
    }
    next(bytes).map(|tlv| tlv.content)
}

/// Takes an INTEGER or ENUMERATED of at most eight bytes off the bytes.
pub fn next_int(bytes: &mut &[u8]) -> Option<i64> {
    let tlv = read(bytes).filter(|tlv| matches!(tlv.tag, INTEGER | ENUMERATED))?;
    let value = int(tlv.content)?;
    *bytes = bytes.get(tlv.len..)?;
    Some(value)
}

/// Two's complement, big endian, one to eight bytes.
pub fn int(content: &[u8]) -> Option<i64> {
    let first = *content.first().filter(|_| content.len() <= 8)?;
    let start = if first & 0x80 != 0 { -1_i64 } else { 0 };
    Some(content.iter().fold(start, |value, byte| value << 8 | i64::from(*byte)))
}

/// Bytes of tag and length, and the length they tell; none where they are not all there, or the length is indefinite or over 4 bytes.
#[inline]
pub fn header(bytes: &[u8]) -> Option<(usize, u64)> {
    let first = *bytes.get(1)?;
    if first < 0x80 {
        return Some((2, u64::from(first)));
    }
    let many = usize::from(first & 0x7f);
    let len = bytes.get(2..)?.get(..many).filter(|_| (1..=4).contains(&many))?;
    Some((2 + many, len.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))))
}

/// The length of a message in a stream that begins with this tag.
pub fn length(bytes: &[u8], tag: u8) -> Length {
    match bytes {
        [] => Length::Unknown,
        [first, ..] if *first != tag => Length::Wrong,
        [_] => Length::Unknown,
        [_, 0x80 | 0x85.., ..] => Length::Wrong,
        _ => header(bytes).map_or(Length::Unknown, |(head, len)| Length::Is(head as u64 + len)),
    }
}

/// An OBJECT IDENTIFIER in dots; none where it is empty or a part is too large (X.690 section 8.19).
pub fn oid(content: &[u8]) -> Option<String> {
    let (mut parts, mut part): (Vec<u64>, u64) = (Vec::new(), 0);
    for byte in content {
        part = part.checked_mul(128)? + u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if parts.is_empty() {
                let first = (part / 40).min(2);
                parts.push(first);
                part -= first * 40;
            }
            parts.push(part);
            part = 0;
        }
    }
    let whole = content.last().is_some_and(|byte| byte & 0x80 == 0) && parts.len() <= 128;
    whole.then(|| parts.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

/// INTEGER.
pub const INTEGER: u8 = 0x02;
/// OCTET STRING.
pub const OCTETS: u8 = 0x04;
/// OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;
/// ENUMERATED.
const ENUMERATED: u8 = 0x0a;
/// SEQUENCE.
pub const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_lengths_are_read() {
        assert_eq!(read(&[4, 1, 7, 9]), Some(Tlv { tag: 4, content: &[7], len: 3 }));
        assert_eq!(read(&[0x30, 0x84, 0, 0, 0, 1, 7]), Some(Tlv { tag: 0x30, content: &[7], len: 7 }));
        assert_eq!(read(&[0x30, 0x80, 0, 0]), None);
        assert_eq!(read(&[0x30, 5, 1]), None);
        assert_eq!(length(&[0x30, 0x82, 1], 0x30), Length::Unknown);
        assert_eq!(length(&[0x30, 0x82, 1, 0], 0x30), Length::Is(260));
        assert_eq!(length(&[0x31, 0x82, 1, 0], 0x30), Length::Wrong);
    }

    #[test]
    fn integers_keep_their_sign_and_identifiers_their_parts() {
        assert_eq!((int(&[0xff]), int(&[0, 0xff]), int(&[])), (Some(-1), Some(255), None));
        assert_eq!(oid(&[0x2b, 6, 1, 2, 1, 1, 1, 0]).as_deref(), Some("1.3.6.1.2.1.1.1.0"));
        assert_eq!(oid(&[0x88, 0x37, 3]).as_deref(), Some("2.999.3"));
        assert_eq!(oid(&[0x2b, 0x86]), None);
    }
}
