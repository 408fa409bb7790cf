//! The message that DNS, multicast DNS, LLMNR and the NetBIOS name service share (RFC 1035 section 4, RFC 1002 section 4.2).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use smallvec::SmallVec;

use crate::identify::wire::Cursor;
use crate::limit;

/// The header of a message: 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Pairs an answer with its question.
    pub id: u16,
    /// QR, opcode, AA, TC, RD, RA, Z, AD, CD, rcode, from the highest bit down.
    pub flags: u16,
    /// Questions, answers, authority records, additional records.
    pub counts: [u16; 4],
}

impl Header {
    /// Whether it is an answer.
    pub const fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// What is asked: 0 a query, 4 a notify, 5 an update (NetBIOS: 5 a registration).
    pub const fn opcode(self) -> u16 {
        self.flags >> 11 & 15
    }

    /// The lower four bits of the result.
    pub const fn rcode(self) -> u16 {
        self.flags & 15
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where its name begins, for [`Message::name`].
    pub name: usize,
    /// Record type.
    pub kind: u16,
    /// Class; the highest bit is the unicast wish of multicast DNS.
    pub class: u16,
}

/// A resource record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where its owner's name begins, as [`Question::name`].
    pub name: usize,
    /// Record type.
    pub kind: u16,
    /// Class (of an OPT record: the sender's datagram size); the highest bit is the cache flush of multicast DNS.
    pub class: u16,
    /// Time to live in seconds (of an OPT record: extended rcode and flags).
    pub ttl: u32,
    /// Its data.
    pub data: &'a [u8],
    /// Where its data begins in the message, for names inside.
    pub data_at: usize,
    /// 1 answer, 2 authority, 3 additional.
    pub section: usize,
}

/// A message as far as it could be read. Names are made sure of and left where they are: most of them nobody asks for.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// All its bytes.
    pub bytes: &'a [u8],
    /// Its header.
    pub header: Header,
    /// Its questions.
    pub questions: SmallVec<[Question; 1]>,
    /// Its records, at most [`limit::DNS_RECORDS`].
    pub records: SmallVec<[Record<'a>; 4]>,
    /// Whether every count of the header was found and nothing is left over.
    pub whole: bool,
}

impl<'a> Message<'a> {
    /// Reads a message; none where not even header and questions can be understood.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (header, questions, mut place) = asked(bytes)?;
        let mut message = Self { bytes, header, questions, records: SmallVec::new(), whole: false };
        for section in header.counts.iter().enumerate().skip(1).flat_map(|(section, count)| std::iter::repeat_n(section, usize::from(*count))) {
            match read_record(bytes, place, section) {
                Some((record, after)) if message.records.len() < limit::DNS_RECORDS => {
                    message.records.push(record);
                    place = after;
                }
                _ => return Some(message),
            }
        }
        message.whole = place == bytes.len();
        Some(message)
    }

    /// The name at a place that a [`Question`] or [`Record`] of this message gives: lower case, without trailing dot; empty for the root.
    pub fn name(&self, at: usize) -> String {
        read_name(self.bytes, at).map(|(name, _)| name).unwrap_or_default()
    }

    /// Whether the name at such a place is this one.
    pub fn is_named(&self, at: usize, name: &str) -> bool {
        let mut rest = Some(name.as_bytes());
        let passed = walk(self.bytes, at, |label| rest = rest.and_then(|rest| without_label(rest, label, rest.len() == name.len())));
        passed.is_some() && rest.is_some_and(<[u8]>::is_empty)
    }

    /// Whether the names at two such places are one, as where an answer points to its question: what nearly all do.
    fn is_one_name(&self, at: usize, other: usize) -> bool {
        let stands_at = |mut at: usize| {
            while let Some([high @ 0xc0..=0xff, low]) = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk()) {
                let target = usize::from(high & 0x3f) << 8 | usize::from(*low);
                if target >= at {
                    break;
                }
                at = target;
            }
            at
        };
        stands_at(at) == stands_at(other)
    }

    /// The addresses that the answers give to `name`, which stands at that place if it is known, with the names passed on the way and the shortest time to live; at most
    /// [`limit::ADDRESSES_OF_A_NAME`] and [`limit::DNS_ALIASES`].
    pub fn addresses_of(&self, name: &str, place: Option<usize>) -> (Vec<Box<str>>, Vec<IpAddr>, Duration) {
        let is_it = |at: usize| place.is_some_and(|place| self.is_one_name(at, place)) || self.is_named(at, name);
        let (mut aliases, mut passed): (Vec<Box<str>>, Vec<String>) = Default::default();
        let mut ttl = u32::MAX;
        // Each step takes one alias; a chain that bites its tail ends by this count.
        for _ in 0..limit::DNS_ALIASES {
            let is_current = |at: usize| passed.last().map_or_else(|| is_it(at), |current| self.is_named(at, current));
            let alias = self.records.iter().filter(|record| matches!(record.kind, CNAME | SVCB | HTTPS) && is_current(record.name));
            let Some((record, target)) = alias.filter_map(|record| Some((record, self.alias(record)?))).next() else { break };
            ttl = ttl.min(record.ttl);
            if target != name && !aliases.iter().any(|known| **known == *target) {
                aliases.push(target.as_str().into());
            }
            passed.push(target);
        }
        let is_passed = |at| is_it(at) || passed.iter().any(|target| self.is_named(at, target));
        let mut addresses = Vec::new();
        for record in self.records.iter().filter(|record| record.has_addresses() && is_passed(record.name)) {
            for address in record.addresses() {
                ttl = ttl.min(record.ttl);
                if addresses.len() < limit::ADDRESSES_OF_A_NAME && !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        (aliases, addresses, Duration::from_secs(u64::from(if ttl == u32::MAX { 0 } else { ttl })))
    }

    /// Where a CNAME points, or an HTTPS or SVCB record: in alias mode (priority 0, RFC 9460 section 2.4.2) to another name, in service mode to the
    /// host that offers the service (section 2.4.3), the owner itself where the target is empty.
    fn alias(&self, record: &Record<'_>) -> Option<String> {
        match record.kind {
            CNAME => self.name_in(record, 0),
            SVCB | HTTPS => self.name_in(record, 2).filter(|name| !name.is_empty() && !self.is_named(record.name, name)),
            _ => None,
        }
    }

    /// The name that begins `skip` bytes into a record's data.
    pub fn name_in(&self, record: &Record<'_>, skip: usize) -> Option<String> {
        read_name(self.bytes, record.data_at.checked_add(skip)?).map(|(name, _)| name)
    }

    /// Port and target of a SRV record (RFC 2782).
    pub fn service(&self, record: &Record<'_>) -> Option<(u16, String)> {
        if record.kind != SRV {
            return None;
        }
        let mut data = Cursor::new(record.data);
        data.take(4)?;
        let port = data.be16()?;
        self.name_in(record, 6).map(|target| (port, target))
    }

    /// The whole result code, with the upper eight bits from the OPT record (RFC 6891 section 6.1.3).
    pub fn rcode(&self) -> u16 {
        let extended = self.records.iter().find(|record| record.kind == OPT).map_or(0, |record| (record.ttl >> 24) as u16);
        extended << 4 | self.header.rcode()
    }

    /// The extended error: code and text (RFC 8914 section 2).
    pub fn extended_error(&self) -> Option<(u16, &'a [u8])> {
        let opt = self.records.iter().find(|record| record.kind == OPT)?;
        let mut options = Cursor::new(opt.data);
        loop {
            let (code, len) = (options.be16()?, options.be16()?);
            let value = options.take(usize::from(len))?;
            if code == 15 {
                let mut value = Cursor::new(value);
                return Some((value.be16()?, value.rest()));
            }
        }
    }
}

impl Record<'_> {
    /// The addresses in its data, at most [`limit::ADDRESSES_OF_A_NAME`]: of A, AAAA, and the hints of HTTPS and SVCB (RFC 9460 section 7.3).
    pub fn addresses(&self) -> SmallVec<[IpAddr; 2]> {
        match self.kind {
            A => <[u8; 4]>::try_from(self.data).map(IpAddr::from).into_iter().collect(),
            AAAA => <[u8; 16]>::try_from(self.data).map(IpAddr::from).into_iter().collect(),
            SVCB | HTTPS => self.hints().unwrap_or_default(),
            _ => SmallVec::new(),
        }
    }

    /// Whether it is of a kind whose data holds addresses.
    pub const fn has_addresses(&self) -> bool {
        matches!(self.kind, A | AAAA | SVCB | HTTPS)
    }

    fn hints(&self) -> Option<SmallVec<[IpAddr; 2]>> {
        let mut addresses = SmallVec::new();
        let mut data = Cursor::new(self.data);
        data.be16()?;
        // The target name is never compressed here (RFC 9460 section 2.2).
        while let Some(len @ 1..) = data.u8() {
            data.take(usize::from(len))?;
        }
        while let Some(key) = data.be16() {
            let len = data.be16()?;
            let value = data.take(usize::from(len))?;
            match key {
                4 => addresses.extend(value.as_chunks().0.iter().map(|bytes: &[u8; 4]| IpAddr::from(*bytes))),
                6 => addresses.extend(value.as_chunks().0.iter().map(|bytes: &[u8; 16]| IpAddr::from(*bytes))),
                _ => (),
            }
        }
        addresses.truncate(limit::ADDRESSES_OF_A_NAME);
        Some(addresses)
    }
}

/// Header and questions of a message, and where these end; none where they cannot be understood.
pub fn asked(bytes: &[u8]) -> Option<(Header, SmallVec<[Question; 1]>, usize)> {
    let mut at = Cursor::new(bytes);
    let header = Header { id: at.be16()?, flags: at.be16()?, counts: [at.be16()?, at.be16()?, at.be16()?, at.be16()?] };
    let (mut questions, mut place) = (SmallVec::new(), at.at());
    for _ in 0..header.counts[0] {
        if questions.len() >= limit::DNS_RECORDS {
            return None;
        }
        let (question, after) = read_question(bytes, place)?;
        questions.push(question);
        place = after;
    }
    Some((header, questions, place))
}

/// The name that begins at this place, and the place after it. Lower case; bytes that are no printable ASCII, and dots inside a label, are written as `\DDD`.
pub fn read_name(message: &[u8], at: usize) -> Option<(String, usize)> {
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
        return Some((std::str::from_utf8(plain.get(..len)?).ok()?.to_owned(), after));
    }
    let mut name = Written::new();
    let after = walk(message, at, |label| push_label(&mut name, label))?;
    Some((std::str::from_utf8(&name).ok()?.to_owned(), after))
}

/// Passes the name that begins at this place, label by label; the place after it. Pointers may only point backwards, which ends every loop
/// (RFC 1035 section 4.1.4).
fn walk<'a>(message: &'a [u8], at: usize, mut label: impl FnMut(&'a [u8])) -> Option<usize> {
    let (mut at, mut after, mut wire_len, mut pointers) = (at, None, 0_usize, 0);
    loop {
        let len = *message.get(at)?;
        match len >> 6 {
            0 if len == 0 => return Some(after.unwrap_or(at + 1)),
            0 => {
                let bytes = message.get(at + 1..)?.get(..usize::from(len))?;
                wire_len += bytes.len() + 1;
                if wire_len > 254 {
                    return None;
                }
                label(bytes);
                at += 1 + bytes.len();
            }
            3 => {
                let target = usize::from(len & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                pointers += 1;
                if target >= at || pointers > limit::DNS_POINTERS {
                    return None;
                }
                after = after.or(Some(at + 2));
                at = target;
            }
            _ => return None,
        }
    }
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

/// What is left of a written name behind this label, of which the first follows no dot; none where the name has another there.
fn without_label<'a>(name: &'a [u8], label: &[u8], first: bool) -> Option<&'a [u8]> {
    let name = if first { name } else { name.strip_prefix(b".")? };
    if let Some((head, rest)) = name.split_at_checked(label.len())
        && head.iter().zip(label).all(|(written, byte)| *written == AS_WRITTEN[usize::from(*byte)])
    {
        return Some(rest);
    }
    // It may have bytes that are written longer; nearly no label has.
    if label.iter().all(|byte| AS_WRITTEN[usize::from(*byte)] != 0) {
        return None;
    }
    let mut written = Written::new();
    push_label(&mut written, label);
    name.strip_prefix(&*written)
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

/// The question that begins at this place, and the place after it.
pub fn read_question(bytes: &[u8], at: usize) -> Option<(Question, usize)> {
    let after = walk(bytes, at, |_| ())?;
    let mut rest = Cursor::new(bytes.get(after..)?);
    let question = Question { name: at, kind: rest.be16()?, class: rest.be16()? };
    Some((question, after + rest.at()))
}

fn read_record(bytes: &[u8], at: usize, section: usize) -> Option<(Record<'_>, usize)> {
    let after = walk(bytes, at, |_| ())?;
    let mut rest = Cursor::new(bytes.get(after..)?);
    let (kind, class, ttl, len) = (rest.be16()?, rest.be16()?, rest.be32()?, rest.be16()?);
    let data_at = after + rest.at();
    let data = rest.take(usize::from(len))?;
    Some((Record { name: at, kind, class, ttl, data, data_at, section }, after + rest.at()))
}

/// The address that a name below `in-addr.arpa` or `ip6.arpa` stands for (RFC 1035 section 3.5, RFC 3596 section 2.5).
pub fn reverse_address(name: &str) -> Option<IpAddr> {
    if let Some(quads) = name.strip_suffix(".in-addr.arpa") {
        let parts: Vec<u8> = quads.split('.').rev().map(|part| part.parse().ok()).collect::<Option<_>>()?;
        return <[u8; 4]>::try_from(parts).ok().map(IpAddr::from);
    }
    let nibbles = name.strip_suffix(".ip6.arpa")?;
    let digit = |part: &str| u8::from_str_radix(part, 16).ok().filter(|digit| *digit < 16);
    let digits: Vec<u8> = nibbles.split('.').rev().map(digit).collect::<Option<_>>()?;
    let digits = <[u8; 32]>::try_from(digits).ok()?;
    let mut octets = [0; 16];
    for (octet, pair) in octets.iter_mut().zip(digits.as_chunks().0) {
        let [high, low]: [u8; 2] = *pair;
        *octet = high << 4 | low;
    }
    Some(Ipv6Addr::from(octets).into())
}

/// The usual spelling of a record type; `TYPE123` for one without (RFC 3597 section 5).
pub fn kind_name(kind: u16) -> String {
    let known = KINDS.iter().find(|(number, _)| *number == kind);
    known.map_or_else(|| format!("TYPE{kind}"), |(_, name)| (*name).to_owned())
}

/// The IANA name of a result code.
pub fn rcode_name(rcode: u16) -> Cow<'static, str> {
    let known = RCODES.get(usize::from(rcode)).copied().unwrap_or_default();
    if known.is_empty() { format!("RCODE{rcode}").into() } else { known.into() }
}

/// IPv4 address.
pub const A: u16 = 1;
/// Canonical name of an alias.
pub const CNAME: u16 = 5;
/// Pointer to another name: reverse lookup, service instance.
pub const PTR: u16 = 12;
/// IPv6 address, RFC 3596.
pub const AAAA: u16 = 28;
/// NetBIOS name, RFC 1002 section 4.2.1.3.
pub const NB: u16 = 32;
/// Place of a service, RFC 2782.
pub const SRV: u16 = 33;
/// EDNS, RFC 6891.
pub const OPT: u16 = 41;
/// Service binding, RFC 9460.
pub const SVCB: u16 = 64;
/// Service binding of HTTPS, RFC 9460.
pub const HTTPS: u16 = 65;

const KINDS: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (35, "NAPTR"),
    (43, "DS"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (257, "CAA"),
];

/// By number (IANA "DNS RCODEs").
const RCODES: &[&str] = &[
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
    "DSOTYPENI",
    "",
    "",
    "",
    "",
    "BADVERS",
    "BADKEY",
    "BADTIME",
    "BADMODE",
    "BADNAME",
    "BADALG",
    "BADTRUNC",
    "BADCOOKIE",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    #[test]
    fn reverse_names_give_addresses() {
        assert_eq!(reverse_address("4.3.2.1.in-addr.arpa"), "1.2.3.4".parse().ok());
        let v6 = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa";
        assert_eq!(reverse_address(v6), "4321:0:1:2:3:4:567:89ab".parse().ok());
        assert_eq!(reverse_address("1.in-addr.arpa"), None);
        assert_eq!(reverse_address("example.com"), None);
    }

    proptest! {
        #[test]
        fn what_simple_dns_writes_is_read_back(names in prop::collection::vec("[a-z]{1,10}(\\.[a-z]{1,10}){0,4}", 1..6), id in any::<u16>()) {
            use simple_dns::{rdata, Name, Packet, ResourceRecord, CLASS};
            let mut packet = Packet::new_reply(id);
            for name in &names {
                let data = rdata::RData::A(rdata::A { address: 0x0102_0304 });
                packet.answers.push(ResourceRecord::new(Name::new(name).unwrap().into_owned(), CLASS::IN, 60, data));
            }
            let bytes = packet.build_bytes_vec_compressed().unwrap();
            let message = Message::read(&bytes).unwrap();
            prop_assert!(message.whole && message.header.is_response() && message.header.id == id);
            prop_assert_eq!(message.records.iter().map(|r| message.name(r.name)).collect::<Vec<_>>(), names);
            prop_assert!(message.records.iter().all(|r| *r.addresses() == ["1.2.3.4".parse::<IpAddr>().unwrap()]));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(message) = Message::read(&bytes) {
                for record in &message.records {
                    let _ = (record.addresses(), message.service(record), message.addresses_of(&message.name(record.name), Some(record.name)));
                }
                let _ = (message.rcode(), message.extended_error());
            }
        }
    }
}
