//! The packed form of what a flow showed, while nothing is heard of it.

use crate::capture::FrameId;
use crate::flow::{Packing, present};
use crate::identify::{AnswerKind, Certified, Evidence, Fact, Match, NameSource, Spoken, Step, Torn};
use crate::limit::OPENING_KEPT;
use crate::net::Side;

/// Words of the program's own, such as names of protocols: packed by their numbers in a list that grows as they are met.
pub(super) enum Words<'a> {
    /// To pack them.
    Numbered(&'a mut Vec<&'static str>),
    /// To take them out.
    Known(&'a [&'static str]),
}

impl Words<'_> {
    fn word(&mut self, text: &mut &'static str, packing: &mut impl Packing) {
        match self {
            Self::Numbered(words) => {
                let known = words.iter().position(|known| std::ptr::eq(*known, *text));
                let mut number = known.unwrap_or_else(|| {
                    words.push(text);
                    words.len() - 1
                }) as u64;
                packing.number(&mut number);
            }
            Self::Known(words) => {
                let mut number = 0;
                packing.number(&mut number);
                *text = usize::try_from(number).ok().and_then(|number| words.get(number)).copied().unwrap_or_default();
            }
        }
    }
}

impl Spoken {
    /// Whether all of it has a packed form. Details have none: where records are printed time is scarcer than memory.
    pub(super) fn can_be_packed(&self) -> bool {
        self.details.is_empty() && self.facts.iter().all(|fact| fact.form().is_some())
    }

    /// Packs it, or takes it out. Its first match was in `frame`, which is not packed.
    pub(super) fn pack(&mut self, frame: FrameId, packing: &mut impl Packing, words: &mut Words<'_>) {
        let Self { protocol, evidence, matches, facts, details: _, retries, torn, stopped_early, opening } = self;
        let mut lens = [protocol.len() as u8, matches.len() as u8];
        packing.bytes(&mut lens);
        protocol.resize(lens[0].into(), "");
        protocol.iter_mut().for_each(|name| words.word(name, packing));
        packing.one_of(evidence, &EVIDENCE);
        matches.resize(lens[1].into(), Match { side: Side::Client, offset: 0, len: 0, rule: "", frame });
        for (number, found) in matches.iter_mut().enumerate() {
            pack_side(&mut found.side, packing);
            packing.count(&mut found.offset);
            packing.count(&mut found.len);
            words.word(&mut found.rule, packing);
            if number > 0 {
                packing.frame(&mut found.frame);
            }
        }
        packing.list(facts, || Fact::OneWay, |packing, fact| fact.pack(packing));
        packing.count(retries);
        let mut tear = (*torn, *stopped_early);
        packing.one_of(&mut tear, &TEARS);
        (*torn, *stopped_early) = tear;
        for opening in opening {
            let mut len = opening.len() as u8;
            packing.byte(&mut len);
            if opening.len() < len.into() {
                *opening = [0; OPENING_KEPT].into();
                opening.truncate(len.into());
            }
            packing.bytes(opening);
        }
    }
}

impl Fact {
    /// The number of its kind; none of those that have no packed form, as they are large and few, or never kept.
    fn form(&self) -> Option<u8> {
        Some(match self {
            Self::OneWay => 0,
            Self::Retry => 1,
            Self::Encrypted => 2,
            Self::Name { .. } => 3,
            Self::Request { .. } => 4,
            Self::Answer { .. } => 5,
            Self::Software { .. } => 6,
            Self::Offers { .. } => 7,
            Self::Unresolved { .. } => 8,
            Self::Proxied { .. } => 9,
            Self::Reached(_) => 10,
            Self::Unanswered { .. } => 11,
            Self::Hello(_) => 12,
            Self::Shapes { .. } => 13,
            Self::SentTo { .. } => 14,
            Self::Speaks { .. } => 15,
            Self::Certified(_) => 16,
            Self::Unheard => 17,
            Self::Session(_) => 18,
            Self::Inner(_) | Self::Resolved(_) | Self::Promise(_) | Self::Unserved { .. } | Self::Unfinished(_) | Self::HalfAsked(_) | Self::Awaited => {
                return None;
            }
        })
    }

    /// A blank one of that kind.
    fn blank(form: u8) -> Self {
        let (of, by, text) = (Side::Client, Side::Client, Box::default());
        match form {
            1 => Self::Retry,
            2 => Self::Encrypted,
            3 => Self::Name { of, name: text, source: NameSource::Dns },
            4 => Self::Request { text, method: 0 },
            5 => Self::Answer { kind: AnswerKind::Accepted, code: 0, text, by },
            6 => Self::Software { of, text },
            7 => Self::Offers { of, service: text },
            8 => Self::Unresolved { name: text, code: 0, filtered: None },
            9 => Self::Proxied { mark: text },
            10 => Self::Reached(Step::ClientHello),
            11 => Self::Unanswered { name: text },
            12 => Self::Hello(0),
            13 => Self::Shapes { asked: 0, answered: 0 },
            14 => Self::SentTo { host: text },
            15 => Self::Speaks { client: of },
            16 => Self::Certified(Box::new(Certified { issuer: text, key: 0, whole: 0, public: false })),
            17 => Self::Unheard,
            18 => Self::Session(text),
            _ => Self::OneWay,
        }
    }

    fn pack(&mut self, packing: &mut impl Packing) {
        let mut form = self.form().unwrap_or_default();
        packing.byte(&mut form);
        if self.form() != Some(form) {
            *self = Self::blank(form);
        }
        match self {
            Self::OneWay
            | Self::Retry
            | Self::Unheard
            | Self::Encrypted
            | Self::Inner(_)
            | Self::Resolved(_)
            | Self::Promise(_)
            | Self::Unserved { .. }
            | Self::Unfinished(_)
            | Self::HalfAsked(_)
            | Self::Awaited => {}
            Self::Name { of, name, source } => {
                pack_side(of, packing);
                packing.written(name);
                packing.one_of(source, &SOURCES);
            }
            Self::Request { text, method } => {
                packing.written(text);
                packing.short(method);
            }
            Self::Answer { kind, code, text, by } => {
                packing.one_of(kind, &[AnswerKind::Accepted, AnswerKind::Refused, AnswerKind::Redirected, AnswerKind::Failed]);
                packing.count(code);
                packing.written(text);
                pack_side(by, packing);
            }
            Self::Software { of, text } | Self::Offers { of, service: text } => {
                pack_side(of, packing);
                packing.written(text);
            }
            Self::Unresolved { name, code, filtered } => {
                let mut is_filtered = filtered.is_some();
                packing.flags([&mut is_filtered]);
                packing.written(name);
                packing.short(code);
                present(is_filtered, filtered, || 0).into_iter().for_each(|filtered| packing.short(filtered));
            }
            Self::Proxied { mark: text } | Self::Unanswered { name: text } | Self::SentTo { host: text } | Self::Session(text) => packing.written(text),
            Self::Reached(step) => packing.one_of(step, &STEPS),
            Self::Hello(mark) => pack_mark(mark, packing),
            Self::Shapes { asked, answered } => [asked, answered].into_iter().for_each(|mark| pack_mark(mark, packing)),
            Self::Speaks { client } => pack_side(client, packing),
            Self::Certified(certified) => {
                let Certified { issuer, key, whole, public } = &mut **certified;
                packing.written(issuer);
                [key, whole].into_iter().for_each(|mark| pack_mark(mark, packing));
                packing.flags([public]);
            }
        }
    }
}

fn pack_side(side: &mut Side, packing: &mut impl Packing) {
    packing.one_of(side, &[Side::Client, Side::Server]);
}

fn pack_mark(mark: &mut u64, packing: &mut impl Packing) {
    let mut bytes = mark.to_le_bytes();
    packing.bytes(&mut bytes);
    *mark = u64::from_le_bytes(bytes);
}

/// Where something is missing, and whether the reader stopped early: then nothing more is known of that.
const TEARS: [(Torn, bool); 5] = [(Torn::Nowhere, false), (Torn::Before, false), (Torn::Behind, false), (Torn::Beyond, false), (Torn::Nowhere, true)];
const EVIDENCE: [Evidence; 6] = [Evidence::None, Evidence::Port, Evidence::Announced, Evidence::OneOpening, Evidence::BothOpenings, Evidence::Dialogue];
const SOURCES: [NameSource; 10] = [
    NameSource::Dns,
    NameSource::Mdns,
    NameSource::Llmnr,
    NameSource::Netbios,
    NameSource::Dhcp,
    NameSource::Sni,
    NameSource::Host,
    NameSource::Certificate,
    NameSource::Capture,
    NameSource::Ssdp,
];
const STEPS: [Step; 8] = [
    Step::ClientHello,
    Step::CookieReturned,
    Step::ServerHello,
    Step::ServerCertificate,
    Step::CertificateAsked,
    Step::ClientCertificate,
    Step::ClientFinished,
    Step::ClientLeft,
];
