//! The names in an X.509 certificate that was sent in clear (RFC 5280): who it is for, who issued it, until when.

use sha2::{Digest, Sha256};

use crate::identify::wire::{Cursor, begins, host_name, printable};
use crate::identify::{Certified, DetailValue, Lines};
use crate::limit;

use super::{Fact, NameSource, Said, Side, ber};

/// What a certificate states.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Common name of the subject, else its organisation.
    pub(super) subject: Box<str>,
    /// Common name of the issuer, else its organisation.
    pub(super) issuer: Box<str>,
    /// DNS names it is for, wildcards included.
    pub(super) names: Vec<Box<str>>,
    /// End of validity as written (UTCTime or GeneralizedTime): `260102030405Z`.
    pub(super) not_after: Box<str>,
    /// Mark of the public key with its algorithm: the first eight bytes of its SHA-256 digest. Certificates with one key have one mark.
    pub(super) key: u64,
    /// The same of the whole certificate as far as it was captured.
    pub(super) whole: u64,
    /// The issuer bears the name of a public authority.
    pub(super) public: bool,
}

/// Says what the sender's own certificate states, the first of the list in a Certificate message (RFC 5246 section 7.4.2); whether there was one. `from` is the side of the flow, `role` what it is in
/// the handshake.
pub(super) fn tell(protocol: &'static str, message: &[u8], from: Side, role: Side, said: &mut Said<'_>) -> bool {
    let mut at = Cursor::new(message);
    let first = at.be24().and_then(|_| at.be24()).and_then(|len| at.take(len as usize));
    let Some(certificate) = first.and_then(|der| Certificate::read(der, said.wants_details())) else { return false };
    let Certificate { subject, issuer, names, not_after, key, whole, public } = certificate;
    let field = if role == Side::Server { "certificate" } else { "client_certificate" };
    if said.wants_details() {
        let names: Lines = names.iter().collect();
        let fields = [("subject", subject.into()), ("issuer", issuer.clone().into()), ("names", names.into()), ("not_after", not_after.into())];
        said.detail(protocol, field, DetailValue::Fields(fields.into()));
    }
    for name in names.into_iter().filter(|name| !name.is_empty() && !name.starts_with("*.")) {
        said.named(from, name, NameSource::Certificate);
    }
    if role == Side::Server {
        said.say(Fact::Certified(Box::new(Certified { issuer, key, whole, public })));
    }
    true
}

impl Certificate {
    /// Reads a DER certificate as far as it goes; what only records print (subject, end, wildcards) where that is wanted.
    pub(super) fn read(der: &[u8], whole: bool) -> Option<Self> {
        let (_, signed) = element(&mut Cursor::new(der))?;
        let (_, body) = element(&mut Cursor::new(signed))?;
        let mut at = Cursor::new(body);
        let mut next = element(&mut at)?;
        if next.0 == EXPLICIT_0 {
            next = element(&mut at)?;
        }
        (next.0 == ber::INTEGER).then_some(())?;
        element(&mut at)?;
        let issuer = attributes(element(&mut at)?.1);
        let (public, issuer) = (is_public(issuer), name_of(issuer));
        let mut validity = Cursor::new(element(&mut at)?.1);
        element(&mut validity)?;
        let not_after = Some(element(&mut validity)?.1).filter(|_| whole).map_or_else(Box::default, printable);
        let subject = Some(element(&mut at)?.1).filter(|_| whole).map_or_else(Box::default, |name| name_of(attributes(name)));
        // What a public authority issued is held against nothing.
        let mark = |bytes: &[u8]| if public { 0 } else { mark(bytes) };
        let key = mark(element(&mut at)?.1);
        let mut certificate = Self { subject, issuer, names: Vec::new(), not_after, key, whole: mark(der), public };
        while let Some((tag, body)) = element(&mut at) {
            if tag == EXPLICIT_3 {
                certificate.names = alternative_names(body, whole).unwrap_or_default();
            }
        }
        Some(certificate)
    }
}

fn mark(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// Tag and content of the next element; of one that is cut short, what is there.
fn element<'a>(at: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    let (head, len) = ber::header(at.rest())?;
    let tag = *at.take(head)?.first()?;
    let there = usize::try_from(len).unwrap_or(usize::MAX).min(at.rest().len());
    Some((tag, at.take(there)?))
}

/// Common name, else organisation.
fn name_of([common, organisation]: [Option<&[u8]>; 2]) -> Box<str> {
    printable(common.or(organisation).unwrap_or_default())
}

/// Whether a public authority's name stands in common name or organisation.
fn is_public(attributes: [Option<&[u8]>; 2]) -> bool {
    attributes.into_iter().flatten().any(holds_authority)
}

/// Whether an authority's name stands anywhere in the text.
fn holds_authority(text: &[u8]) -> bool {
    let begins_at = |place: usize, one: u8, next: u8| {
        let Authorities { first, many, seconds } = OF_LETTER[usize::from(one & LETTER)];
        let named = || PUBLIC_AUTHORITIES.iter().skip(usize::from(first)).take(usize::from(many));
        seconds >> (next & LETTER) & 1 == 1 && text.get(place..).is_some_and(|rest| named().any(|known| begins(rest, known.as_bytes())))
    };
    text.iter().zip(text.iter().skip(1)).enumerate().any(|(place, (one, next))| begins_at(place, *one, *next))
}

/// The authorities whose names begin with a letter: which they are, and a bit for each of their second letters.
#[derive(Clone, Copy)]
struct Authorities {
    first: u8,
    many: u8,
    seconds: u32,
}

/// By the place of the letter in the alphabet, whatever its case.
static OF_LETTER: [Authorities; 32] = {
    let mut all = [Authorities { first: 0, many: 0, seconds: 0 }; 32];
    let mut place = 0;
    while place < PUBLIC_AUTHORITIES.len() {
        let name = PUBLIC_AUTHORITIES[place].as_bytes();
        let of = &mut all[(name[0] & LETTER) as usize];
        if of.many == 0 {
            of.first = place as u8;
        }
        of.many += 1;
        of.seconds |= 1 << (name[1] & LETTER);
        place += 1;
    }
    all
};

/// The bits of a letter that are the same in both cases.
const LETTER: u8 = 0x1f;

/// Common name and organisation of a distinguished name.
fn attributes(name: &[u8]) -> [Option<&[u8]>; 2] {
    let mut found: [Option<&[u8]>; 2] = [None; 2];
    let mut sets = Cursor::new(name);
    while let Some((_, set)) = element(&mut sets) {
        let Some((_, pair)) = element(&mut Cursor::new(set)) else { continue };
        let mut pair = Cursor::new(pair);
        let (Some((_, kind)), Some((_, value))) = (element(&mut pair), element(&mut pair)) else { continue };
        match kind {
            COMMON_NAME => found[0] = Some(value),
            ORGANISATION => found[1] = Some(value),
            _ => {}
        }
    }
    found
}

fn alternative_names(extensions: &[u8], wildcards: bool) -> Option<Vec<Box<str>>> {
    let mut list = Cursor::new(element(&mut Cursor::new(extensions))?.1);
    while let Some((_, extension)) = element(&mut list) {
        let mut at = Cursor::new(extension);
        if element(&mut at)?.1 != SUBJECT_ALT_NAME {
            continue;
        }
        let mut value = element(&mut at)?;
        if value.0 == BOOLEAN {
            value = element(&mut at)?;
        }
        let mut names = Cursor::new(element(&mut Cursor::new(value.1))?.1);
        let mut found = Vec::new();
        while let Some((tag, name)) = element(&mut names) {
            let wildcard = name.strip_prefix(b"*.");
            if tag != DNS_NAME || found.len() >= limit::NAMES_OF_A_HOST {
                continue;
            }
            // Unwanted or not, a wildcard takes one of the places that there are: what is said of the others must not depend on it.
            found.extend(host_name(wildcard.unwrap_or(name)).map(|plain| match wildcard {
                Some(_) if wildcards => format!("*.{plain}").into(),
                Some(_) => Box::default(),
                None => plain,
            }));
        }
        return Some(found);
    }
    None
}

/// Words in the names of authorities that browsers and operating systems trust (Common CA Database), and of those that issue on their behalf. One that is
/// missing here can at worst be taken for a device that opens TLS, if it issues for several owners.
const PUBLIC_AUTHORITIES: &[&str] = &[
    "actalis",
    "affirmtrust",
    "alphassl",
    "amazon",
    "apple",
    "asseco",
    "atos",
    "baltimore",
    "buypass",
    "camerfirma",
    "certainly",
    "certigna",
    "certsign",
    "certum",
    "cfca",
    "chunghwa",
    "cloudflare",
    "comodo",
    "cpanel",
    "cybertrust",
    "d-trust",
    "deutsche telekom",
    "dhimyotis",
    "digicert",
    "disig",
    "docusign",
    "e-szigno",
    "e-tugra",
    "emsign",
    "emudhra",
    "encryption everywhere",
    "entrust",
    "eurodns",
    "fastly",
    "firmaprofesional",
    "gandi",
    "gdca",
    "geant",
    "geotrust",
    "globalsign",
    "globaltrust",
    "go daddy",
    "godaddy",
    "google",
    "gts ",
    "harica",
    "hellenic academic",
    "identrust",
    "incommon",
    "internet security research group",
    "internet2",
    "itrus",
    "izenpe",
    "japan registry",
    "jprs",
    "keynectis",
    "let's encrypt",
    "microsec",
    "microsoft",
    "naver",
    "netlock",
    "network solutions",
    "oiste",
    "opentrust",
    "quovadis",
    "rapidssl",
    "secom",
    "sectigo",
    "securetrust",
    "sheca",
    "ssl corp",
    "ssl.com",
    "starfield",
    "swisssign",
    "symantec",
    "t-systems",
    "taiwan-ca",
    "telekom security",
    "terena",
    "thawte",
    "trustasia",
    "trustcor",
    "trustid",
    "trustwave",
    "twca",
    "unizeto",
    "usertrust",
    "verisign",
    "vikingcloud",
    "wisekey",
    "wosign",
    "wotrus",
    "zerossl",
];

const BOOLEAN: u8 = 0x01;
const DNS_NAME: u8 = 0x82;
const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_3: u8 = 0xa3;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.4.10
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&[tag, 0x82, (body.len() >> 8) as u8, body.len() as u8][..], &body].concat()
    }

    fn name(kind: &[u8], text: &str) -> Vec<u8> {
        der(0x30, &[&der(0x31, &[&der(0x30, &[&der(0x06, &[kind]), &der(0x0c, &[text.as_bytes()])])])])
    }

    fn sample() -> Vec<u8> {
        let dns = |text: &str| der(DNS_NAME, &[text.as_bytes()]);
        let names = der(0x30, &[&dns("Player.example"), &dns("*.cdn.example")]);
        let extensions = der(EXPLICIT_3, &[&der(0x30, &[&der(0x30, &[&der(0x06, &[SUBJECT_ALT_NAME]), &der(0x04, &[&names])])])]);
        let validity = der(0x30, &[&der(0x17, &[b"250101000000Z"]), &der(0x17, &[b"260102030405Z"])]);
        let (algorithm, key) = (der(0x30, &[]), der(0x30, &[]));
        let (issuer, subject) = (name(ORGANISATION, "Some CA"), name(COMMON_NAME, "player.example"));
        let serial = der(ber::INTEGER, &[&[1]]);
        let version = der(EXPLICIT_0, &[&der(ber::INTEGER, &[&[2]])]);
        let body = der(0x30, &[&version, &serial, &algorithm, &issuer, &validity, &subject, &key, &extensions]);
        der(0x30, &[&body, &algorithm])
    }

    #[test]
    fn a_certificate_tells_its_names_its_issuer_and_its_end() {
        let certificate = Certificate::read(&sample(), true).unwrap();
        assert_eq!((&*certificate.subject, &*certificate.issuer, &*certificate.not_after), ("player.example", "Some CA", "260102030405Z"));
        assert_eq!(certificate.names, ["player.example".into(), Box::<str>::from("*.cdn.example")]);
    }

    #[test]
    fn certificates_with_one_key_have_one_mark_and_an_authority_is_public_by_its_name() {
        let certificate = Certificate::read(&sample(), true).unwrap();
        let cut = Certificate::read(&sample()[..sample().len() - 1], true).unwrap();
        assert_eq!((certificate.key, certificate.whole == cut.whole), (cut.key, false));
        assert!(!certificate.public);
        let issuers = ["Let's Encrypt", "GTS CA 1C3", "mitmproxy"].map(|text| is_public(attributes(&name(ORGANISATION, text)[4..])));
        assert_eq!(issuers, [true, true, false]);
    }

    #[test]
    fn a_servers_certificate_is_marked_whether_or_not_details_are_wanted() {
        let sample = sample();
        let three = |len: usize| [(len >> 16) as u8, (len >> 8) as u8, len as u8];
        let message = [&three(sample.len() + 3)[..], &three(sample.len()), &sample].concat();
        let marked = |wants_details: bool, role: Side| {
            let (mut facts, mut details, mut evidence) = (Vec::new(), Vec::new(), crate::identify::Evidence::None);
            let details = wants_details.then_some(&mut details);
            // The role decides, not the side of the flow.
            tell("dtls", &message, Side::Client, role, &mut Said { facts: &mut facts, evidence: &mut evidence, details });
            facts.into_iter().filter(|fact| matches!(fact, Fact::Certified(_))).collect::<Vec<_>>()
        };
        let certificate = Certificate::read(&sample, true).unwrap();
        let due = Fact::Certified(Box::new(Certified { issuer: "Some CA".into(), key: certificate.key, whole: certificate.whole, public: false }));
        assert_eq!([marked(true, Side::Server), marked(false, Side::Server)], [vec![due.clone()], vec![due]]);
        assert_eq!(marked(true, Side::Client), []);
    }

    #[test]
    fn a_certificate_cut_anywhere_is_read_as_far_as_it_goes() {
        let sample = sample();
        let whole = Certificate::read(&sample, true).unwrap();
        let read: Vec<Certificate> = (0..sample.len()).filter_map(|len| Certificate::read(&sample[..len], true)).collect();
        for cut in &read {
            assert_eq!((&cut.subject, &cut.issuer, &cut.not_after), (&whole.subject, &whole.issuer, &whole.not_after));
            assert!(cut.names.iter().zip(&whole.names).all(|(cut, whole)| whole.starts_with(&**cut)), "{:?}", cut.names);
        }
        let mut names: Vec<usize> = read.iter().map(|cut| cut.names.len()).collect();
        names.dedup();
        assert_eq!(names, [0, 1, 2]);
    }
}
