//! The message that DNS, multicast DNS, LLMNR and the NetBIOS name service share (RFC 1035 section 4, RFC 1002 section 4.2).

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::identify::wire::Cursor;
use crate::limit;

use super::dns_name::{Labels, are_one, read_name, reverse_address, walk};

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
    /// The header that a message begins with.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let words = bytes.first_chunk::<12>()?.as_chunks().0;
        let [id, flags, counts @ ..]: [u16; 6] = std::array::from_fn(|n| words.get(n).map_or(0, |word| u16::from_be_bytes(*word)));
        Some(Self { id, flags, counts })
    }

    /// Whether it is an answer.
    pub const fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// What is asked: 0 a query, 4 a notify, 5 an update (NetBIOS: 5 a registration).
    pub const fn opcode(self) -> u16 {
        self.flags >> 11 & 15
    }

    /// Answers, authority records and additional records.
    pub fn records(self) -> u32 {
        let [_, answers, authority, additional] = self.counts;
        u32::from(answers) + u32::from(authority) + u32::from(additional)
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
}

/// A message as far as it could be read. Names are made sure of and left where they are: most of them nobody asks for.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// All its bytes.
    pub bytes: &'a [u8],
    /// Its header.
    pub header: Header,
    /// Its first question: hardly any has another.
    pub question: Option<Question>,
    /// Its records, at most [`limit::DNS_RECORDS`].
    pub records: SmallVec<[Record<'a>; 6]>,
    /// Whether every count of the header was found and nothing is left over.
    pub whole: bool,
}

impl<'a> Message<'a> {
    /// Reads a message; none where not even header and questions can be understood.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        Self::read_asking(bytes, |_| ())
    }

    /// The same; `each` is shown every question.
    pub fn read_asking(bytes: &'a [u8], mut each: impl FnMut(&Question)) -> Option<Self> {
        let mut question = None;
        let (header, mut place) = asked(bytes, |asked| {
            question = question.or(Some(*asked));
            each(asked);
        })?;
        let mut message = Self { bytes, header, question, records: SmallVec::new(), whole: false };
        for _ in 0..header.records() {
            match read_record(bytes, place) {
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
    pub fn name(&self, at: usize) -> Box<str> {
        read_name(self.bytes, at).map(|(name, _)| name).unwrap_or_default()
    }

    /// The labels of the name at such a place, as they are on the wire.
    pub fn labels(&self, at: usize) -> impl Iterator<Item = &'a [u8]> {
        let mut labels = Labels::of(self.bytes, at);
        std::iter::from_fn(move || labels.next().filter(|label| !label.is_empty()))
    }

    /// The name at such a place as it is on the wire where nothing is compressed.
    pub fn wire_name(&self, at: usize) -> Box<[u8]> {
        let mut labels = Labels::of(self.bytes, at);
        while labels.next().is_some_and(|label| !label.is_empty()) {}
        match self.bytes.get(at..labels.at) {
            Some(plain) if labels.after.is_none() => plain.into(),
            _ => self.labels(at).flat_map(|label| std::iter::once(label.len() as u8).chain(label.iter().copied())).chain([0]).collect(),
        }
    }

    /// Whether the name at such a place is the one that such bytes are. Nearly always they are the very same.
    pub fn is_named(&self, at: usize, wire_name: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|bytes| bytes.starts_with(wire_name)) || are_one(Labels::of(self.bytes, at), Labels::of(wire_name, 0))
    }

    /// Whether the names at two such places are one.
    pub fn is_one_name(&self, at: usize, other: usize) -> bool {
        are_one(Labels::of(self.bytes, at), Labels::of(self.bytes, other))
    }

    /// The addresses that the answers give to the name at such a place, with the names passed on the way and the shortest time to live; at most
    /// [`limit::ADDRESSES_OF_A_NAME`] and [`limit::DNS_ALIASES`].
    pub fn addresses_of(&self, place: usize) -> (Vec<Box<str>>, Vec<IpAddr>, Duration) {
        let (mut aliases, mut passed): (Vec<Box<str>>, SmallVec<[usize; 4]>) = (Vec::new(), SmallVec::new());
        let (mut current, mut ttl) = (place, u32::MAX);
        passed.push(place);
        for _ in 0..limit::DNS_ALIASES {
            let of_current = self.records.iter().filter(|record| matches!(record.kind, CNAME | SVCB | HTTPS) && self.is_one_name(record.name, current));
            let Some((record, target)) = of_current.filter_map(|record| Some((record, self.alias(record)?))).next() else { break };
            ttl = ttl.min(record.ttl);
            // A chain may bite its tail.
            if passed.iter().any(|known| self.is_one_name(*known, target)) {
                break;
            }
            aliases.push(self.name(target));
            passed.push(target);
            current = target;
        }
        let mut addresses = Vec::new();
        let is_passed = |at: usize| passed.iter().rev().any(|known| self.is_one_name(at, *known));
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

    /// Where the name stands to which a CNAME points, or an HTTPS or SVCB record: in alias mode (priority 0, RFC 9460 section 2.4.2) another name, in
    /// service mode the host that offers the service (section 2.4.3), the owner itself where the target is empty.
    fn alias(&self, record: &Record<'_>) -> Option<usize> {
        match record.kind {
            CNAME => self.place_in(record, 0),
            SVCB | HTTPS => self.place_in(record, 2).filter(|at| self.labels(*at).next().is_some() && !self.is_one_name(record.name, *at)),
            _ => None,
        }
    }

    /// The name that begins `skip` bytes into a record's data.
    pub fn name_in(&self, record: &Record<'_>, skip: usize) -> Option<Box<str>> {
        read_name(self.bytes, record.data_at.checked_add(skip)?).map(|(name, _)| name)
    }

    /// Where that name stands.
    fn place_in(&self, record: &Record<'_>, skip: usize) -> Option<usize> {
        let at = record.data_at.checked_add(skip)?;
        walk(self.bytes, at, |_| ()).map(|_| at)
    }

    /// The address that a name at such a place stands for, below `in-addr.arpa` or `ip6.arpa` (RFC 1035 section 3.5, RFC 3596 section 2.5).
    pub fn reverse_address(&self, at: usize) -> Option<IpAddr> {
        reverse_address(self.labels(at))
    }

    /// Port of a SRV record, and where its target's name stands (RFC 2782).
    pub fn service(&self, record: &Record<'_>) -> Option<(u16, usize)> {
        if record.kind != SRV {
            return None;
        }
        let mut data = Cursor::new(record.data);
        data.take(4)?;
        let port = data.be16()?;
        self.place_in(record, 6).map(|target| (port, target))
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

/// The header of a message, and where its questions end, of which `each` is shown every one; none where they cannot be understood.
pub fn asked(bytes: &[u8], mut each: impl FnMut(&Question)) -> Option<(Header, usize)> {
    let header = Header::read(bytes)?;
    let mut place = HEADER;
    if usize::from(header.counts[0]) > limit::DNS_RECORDS {
        return None;
    }
    for _ in 0..header.counts[0] {
        let (question, after) = read_question(bytes, place)?;
        each(&question);
        place = after;
    }
    Some((header, place))
}

/// The question that begins at this place, and the place after it.
pub fn read_question(bytes: &[u8], at: usize) -> Option<(Question, usize)> {
    let after = walk(bytes, at, |_| ())?;
    let [kind, more, class, last] = *bytes.get(after..)?.first_chunk()?;
    Some((Question { name: at, kind: u16::from_be_bytes([kind, more]), class: u16::from_be_bytes([class, last]) }, after + 4))
}

fn read_record(bytes: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let after = walk(bytes, at, |_| ())?;
    let (fixed, rest) = bytes.get(after..)?.split_first_chunk::<10>()?;
    let [kind, class] = [[fixed[0], fixed[1]], [fixed[2], fixed[3]]].map(u16::from_be_bytes);
    let ttl = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    let data = rest.get(..usize::from(u16::from_be_bytes([fixed[8], fixed[9]])))?;
    let data_at = after + fixed.len();
    Some((Record { name: at, kind, class, ttl, data, data_at }, data_at + data.len()))
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

/// Bytes of a header.
const HEADER: usize = 12;

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
const SVCB: u16 = 64;
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

    /// The address that a name stands for.
    fn reverse_address(name: &str) -> Option<IpAddr> {
        let labels = name.split('.').flat_map(|label| std::iter::once(label.len() as u8).chain(label.bytes()));
        let bytes: Vec<u8> = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0].into_iter().chain(labels).chain([0, 0, 12, 0, 1]).collect();
        let message = Message::read(&bytes).unwrap();
        message.reverse_address(message.question.unwrap().name)
    }

    #[test]
    fn reverse_names_give_addresses() {
        assert_eq!(reverse_address("4.3.2.1.in-addr.arpa"), "1.2.3.4".parse().ok());
        let v6 = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa";
        assert_eq!(reverse_address(v6), "4321:0:1:2:3:4:567:89ab".parse().ok());
        assert_eq!(reverse_address(&v6.to_ascii_uppercase()), reverse_address(v6));
        for other in ["1.in-addr.arpa", "5.4.3.2.1.in-addr.arpa", "256.3.2.1.in-addr.arpa", "in-addr.arpa", "example.com", &v6[2..], &format!("0.{v6}")] {
            assert_eq!(reverse_address(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_one_whatever_their_case_and_wherever_they_stand() {
        // a.b, A.b by a pointer, "a.b" in one label, a.
        let bytes = b"\x01a\x01b\x00\x01A\xc0\x02\x03a.b\x00\x01a\x00";
        let message = Message { bytes, header: Header { id: 0, flags: 0, counts: [0; 4] }, question: None, records: SmallVec::new(), whole: true };
        for (other, same) in [(0, true), (5, true), (9, false), (14, false), (17, false)] {
            assert_eq!((message.is_one_name(0, other), message.is_one_name(other, 0)), (same, same), "{other}");
            assert_eq!(message.is_named(other, b"\x01A\x01b\x00"), same, "{other}");
            assert_eq!(message.wire_name(other).eq_ignore_ascii_case(b"\x01a\x01b\x00"), same, "{other}");
        }
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
            prop_assert_eq!(message.records.iter().map(|r| message.name(r.name).into_string()).collect::<Vec<_>>(), names);
            prop_assert!(message.records.iter().all(|r| *r.addresses() == ["1.2.3.4".parse::<IpAddr>().unwrap()]));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(message) = Message::read(&bytes) {
                for record in &message.records {
                    let _ = (record.addresses(), message.service(record).map(|(_, target)| message.addresses_of(target)), message.addresses_of(record.name), message.reverse_address(record.name));
                }
                let _ = (message.rcode(), message.extended_error());
            }
        }
    }
}
