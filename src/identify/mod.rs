//! What the bytes of a flow are, and which facts they state.
//!
//! A protocol is one file in `protocol/`, one line in [`protocol::PROTOCOLS`], one fixture. It speaks to the house only in
//! neutral [`Fact`]s, so nothing after this room changes when one is added.

mod books;
mod detail;
mod engine;
mod evidence;
mod foreign;
mod gather;
mod ledger;
mod names;
mod packing;
mod promise;
pub mod protocol;
mod turn;
pub mod wire;

pub use books::Books;
pub use detail::{Detail, DetailValue, Lines};
pub use engine::{Identifier, Live};
pub use foreign::{ANOTHER_PROTOCOL, IN_CLEAR};
pub use protocol::{HIDDEN_ALERT, IKE_EAP_FAILS, IKE_ENDED, IKE_NO_LOGIN, IKE_NO_TUNNEL, NO_TLS};

use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;
use std::time::Duration;

use arrayvec::ArrayVec;
use smallvec::SmallVec;
use thin_vec::ThinVec;

use crate::capture::FrameId;
use crate::flow::Flow;
use crate::net::{Endpoint, Side, Transport};
use crate::signature::PromiseKind;
use crate::time::Timestamp;

/// A flow whose bytes were looked at. Sides are those of [`Flow`] as it stands here: content may have swapped them.
///
/// What it speaks is read as if it lay here: `identified.protocol`.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The flow.
    pub flow: Flow,
    /// What its bytes showed, in the block in which that was gathered while it lived, so that it changes hands as it is; none where it sent no payload.
    pub spoken: Option<Box<Live>>,
    /// The promise that announced this flow, if one did.
    pub announced: Option<Box<Promise>>,
}

/// What the bytes of a flow showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spoken {
    /// Protocols, outermost first; empty where nothing was recognised.
    pub protocol: SmallVec<[&'static str; 1]>,
    /// Why we believe it.
    pub evidence: Evidence,
    /// What matched.
    pub matches: SmallVec<[Match; 1]>,
    /// What the bytes state, each once.
    pub facts: ThinVec<Fact>,
    /// What they state for its record alone, each once, those of a protocol and a field together; none where nobody prints it.
    pub details: ThinVec<Detail>,
    /// How often a [`Fact::Retry`] was stated: requests sent again.
    pub retries: u32,
    /// Whether the server said something beside its last [`Fact::Answer`] that was not captured.
    pub torn: Torn,
    /// Its reader stopped before the server's answer, or where something was missing: whether the server went on is known when the flow is over.
    stopped_early: bool,
    /// First payload bytes of client and server, of datagrams those of the first one that has any, at most [`limit::OPENING_KEPT`](crate::limit::OPENING_KEPT) each, for people
    /// to look at.
    pub opening: [Begun; 2],
}

impl Deref for Identified {
    type Target = Spoken;

    fn deref(&self) -> &Spoken {
        self.spoken.as_ref().map_or_else(|| &*NOTHING, |live| live.shown())
    }
}

impl DerefMut for Identified {
    fn deref_mut(&mut self) -> &mut Spoken {
        self.spoken.get_or_insert_default().shown_mut()
    }
}

/// What a flow without payload speaks.
static NOTHING: LazyLock<Spoken> = LazyLock::new(Spoken::default);

impl Identified {
    /// The bytes that matched, as far as they were kept: the beginning of each side's stream, or of its first datagram.
    pub fn matched(&self, found: &Match) -> &[u8] {
        let kept = self.flow.transport == Transport::TCP || found.frame == self.flow.first_frame;
        let (start, opening) = (found.offset as usize, &self.opening[found.side as usize]);
        let end = start.saturating_add(found.len as usize).min(opening.len());
        opening.get(start..end).filter(|_| kept).unwrap_or_default()
    }
}

/// What is missing of a server's stream, seen from its last answer. What readers were not given, or did not read as something was missing in front of it, may have been
/// another answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Torn {
    /// Nothing that could be an answer.
    #[default]
    Nowhere,
    /// Something before it.
    Before,
    /// Something after it, which is the last of what the server said.
    Behind,
    /// Something after it, and the server went on.
    Beyond,
}

/// The first payload bytes of one side, for people to look at.
pub type Begun = ArrayVec<u8, { crate::limit::OPENING_KEPT }>;

/// Why a protocol is believed. Ordered: each is stronger than those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// Nothing.
    #[default]
    None,
    /// The port alone: explains a service, never a protocol.
    Port,
    /// Announced elsewhere: explains a service, never a protocol.
    Announced,
    /// One side's opening bytes.
    OneOpening,
    /// Both sides' opening bytes.
    BothOpenings,
    /// The dialogue was understood: an answer that fits its request.
    Dialogue,
}

impl Evidence {
    /// The contract's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Port => "port",
            Self::Announced => "announced",
            Self::OneOpening => "one_opening",
            Self::BothOpenings => "both_openings",
            Self::Dialogue => "dialogue",
        }
    }
}

/// What matched, so that a colleague can look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Whose bytes.
    pub side: Side,
    /// Place in that side's stream or datagram.
    pub offset: u32,
    /// How many bytes.
    pub len: u32,
    /// What about them: `TLS handshake record with ClientHello`.
    pub rule: &'static str,
    /// Where.
    pub frame: FrameId,
}

/// What a resolver answered: a name and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name, lower case.
    pub name: Box<str>,
    /// The address was asked about, and the name is the answer (PTR).
    pub reverse: bool,
    /// Names passed on the way (CNAME), in order.
    pub aliases: Vec<Box<str>>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Record time to live.
    pub ttl: Duration,
    /// Who says so.
    pub source: NameSource,
}

/// A neutral statement of a protocol about its flow.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A protocol inside the one that says so (`tls` says `mqtt` by ALPN; `http` says `webdav`).
    Inner(&'static str),
    /// By which name an end was reached, or calls itself.
    Name {
        /// Whose name.
        of: Side,
        /// Lower case, no trailing dot.
        name: Box<str>,
        /// Who says so.
        source: NameSource,
    },
    /// A resolver's answer: this name has these addresses. Feeds the name book.
    Resolved(Box<Resolved>),
    /// A request for a resource: HTTP method and target path, CoAP code and Uri-Path ...
    ///
    /// Made by [`Fact::request`], read by [`Fact::as_request`].
    Request {
        /// `GET`, `PROPFIND`, `POST` ..., and behind it the path, without query: one text, as a live flow has some of these.
        text: Box<str>,
        /// How long the method is.
        method: u16,
    },
    /// The server answered at the level of the protocol.
    Answer {
        /// Accepted, refused, redirected.
        kind: AnswerKind,
        /// The protocol's own number: 200, CONNACK code, rcode, alert number ...
        code: u32,
        /// The protocol's own word for it.
        text: Box<str>,
        /// Who gave it.
        by: Side,
    },
    /// A flow to come.
    Promise(Box<Promise>),
    /// Software that an end says it is, with version where it gives one.
    Software {
        /// Which end.
        of: Side,
        /// `Microsoft-HTTPAPI/2.0`, `x-spinetix-firmware 4.7.1` ...
        text: Box<str>,
    },
    /// A service that an end announces to offer: `_spx-hmp._tcp.local`.
    Offers {
        /// Which end.
        of: Side,
        /// Its name, lower case.
        service: Box<str>,
    },
    /// The request was sent again although the first could have been answered: proof that no answer reached the client. Stated each time it is sent
    /// again; kept once and counted in [`Identified::retries`].
    Retry,
    /// The same request came again and again after it had been answered each time, until the flow ended: proof that the answers did not reach the client.
    Unheard,
    /// A resolver's answer that gives nothing: for this name it has no address, or says that what it gives is a filter's.
    Unresolved {
        /// The name that was asked for, lower case.
        name: Box<str>,
        /// Result code (RFC 1035 section 4.1.1, RFC 6891): 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED; 0 where the extended error alone says it.
        code: u16,
        /// Info code of the extended error (RFC 8914) by which the resolver says that it answers so by policy.
        filtered: Option<u16>,
    },
    /// An error answer, or a redirection, that bears the mark of a proxy or filter which answers in the server's place.
    Proxied {
        /// The header fields that show it.
        mark: Box<str>,
    },
    /// How far a handshake came: stated where it ended, or where an answer is proven by it.
    Reached(Step),
    /// A resolver was asked for this name's addresses and had not answered when the flow ended.
    Unanswered {
        /// The name that was asked for, lower case.
        name: Box<str>,
    },
    /// A client's TLS hello, marked by its random (RFC 8446 section 4.1.2), so that it is known again where it is met a second time: behind a proxy that
    /// hands it on.
    Hello(u64),
    /// How a server's hello looks, and to which kind of hello it is the answer: of one kind each server has one answer, until its software changes.
    Shapes {
        /// Mark of the client's hello without its name: what it offers, in any order.
        asked: u64,
        /// Mark of the server's: version, cipher suite, extensions in order.
        answered: u64,
    },
    /// A server's certificate in clear, marked so that several can be held against each other.
    Certified(Box<Certified>),
    /// A redirection to another host than the one that was asked for: a name, or an address.
    SentTo {
        /// Lower case, without port.
        host: Box<str>,
    },
    /// The name by which a client was let in, of which there is one at a time: who comes by the same name puts it out (MQTT 5 section 3.1.4).
    Session(Box<str>),
    /// A host asked everybody for an address again and again (DHCP), and was not seen to go on to take one.
    Unserved {
        /// Its hardware address.
        who: Box<str>,
        /// How often it asked.
        times: u32,
        /// From the first time to the last, in seconds.
        over: u32,
    },
    /// The flow ended in an answer of which so many bytes were still to come (HTTP); none where only its last chunk would have told how many.
    Unfinished(u64),
    /// The flow ended in a request of which so many bytes were still to come (HTTP).
    HalfAsked(u64),
    /// The flow ended after a whole request, and nothing of its answer was seen: others had been answered (HTTP), or the handshake had ended (TLS).
    Awaited,
    /// Messages that expect no answer (a trap, a NOTIFY, a NON, an announcement).
    OneWay,
    /// The bytes after this point are encrypted, or the protocol is one that encrypts.
    Encrypted,
    /// Which end acts as client by content, whoever opened the connection.
    Speaks {
        /// That end, in terms of the flow's present sides.
        client: Side,
    },
}

impl Fact {
    /// A request for a resource: its method, and its path without query.
    pub fn request(method: &str, path: &str) -> Self {
        let mut text = String::with_capacity(method.len().saturating_add(path.len()));
        text.push_str(method);
        text.push_str(path);
        Self::Request { text: text.into(), method: u16::try_from(method.len()).unwrap_or(0) }
    }

    /// The server's answer.
    pub fn answer(kind: AnswerKind, code: u32, text: impl Into<Box<str>>) -> Self {
        Self::Answer { kind, code, text: text.into(), by: Side::Server }
    }

    /// Method and path, if it is a request.
    pub fn as_request(&self) -> Option<(&str, &str)> {
        if let Self::Request { text, method } = self { text.split_at_checked(usize::from(*method)) } else { None }
    }
}

/// A certificate, as far as several are held against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Issuer's common name, else its organisation.
    pub issuer: Box<str>,
    /// Mark of the public key: the first bytes of its digest; zero where a public authority issued it.
    pub key: u64,
    /// Mark of the whole certificate, likewise.
    pub whole: u64,
    /// The issuer bears the name of an authority that browsers and systems trust.
    pub public: bool,
}

/// A step of a handshake. Ordered: later comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The client's first message.
    ClientHello,
    /// The client gave back the server's cookie (DTLS, SRT).
    CookieReturned,
    /// The server's first message.
    ServerHello,
    /// The server's certificate.
    ServerCertificate,
    /// The server asked for a certificate of the client.
    CertificateAsked,
    /// The client's certificate.
    ClientCertificate,
    /// The client ended its part of the handshake: again and again (DTLS), or and nothing more came of it (TLS).
    ClientFinished,
    /// It closed TLS right behind that.
    ClientLeft,
}

impl Step {
    /// In words, as after `after`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientHello => "ClientHello",
            Self::CookieReturned => "the cookie came back",
            Self::ServerHello => "ServerHello",
            Self::ServerCertificate => "the server's certificate",
            Self::CertificateAsked => "it had asked for a client certificate",
            Self::ClientCertificate => "the client's certificate",
            Self::ClientFinished => "the client had ended its part",
            Self::ClientLeft => "the client had ended its part and closed",
        }
    }
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnswerKind {
    /// Served.
    Accepted,
    /// Refused by the service itself: credentials, policy, unknown object.
    Refused,
    /// Sent elsewhere.
    Redirected,
    /// The service failed.
    Failed,
}

/// Who says that a host has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameSource {
    /// A DNS answer.
    Dns,
    /// Multicast DNS.
    Mdns,
    /// LLMNR.
    Llmnr,
    /// NetBIOS name service.
    Netbios,
    /// DHCP host name option.
    Dhcp,
    /// TLS server name indication (also in QUIC and DTLS).
    Sni,
    /// HTTP Host, or HTTP/2 :authority.
    Host,
    /// Subject or alternative name of a certificate.
    Certificate,
    /// Name resolution block of the capture file.
    Capture,
    /// SSDP LOCATION or SERVER.
    Ssdp,
}

impl NameSource {
    /// The word that records print.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
            Self::Netbios => "netbios",
            Self::Dhcp => "dhcp",
            Self::Sni => "sni",
            Self::Host => "host",
            Self::Certificate => "certificate",
            Self::Capture => "capture",
            Self::Ssdp => "ssdp",
        }
    }
}

/// A name that others gave a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard<'a> {
    /// Lower case, no trailing dot.
    pub name: &'a str,
    /// Who says so.
    pub source: NameSource,
    /// How long before the moment asked about it was said; none of what the capture file records.
    pub age: Option<Duration>,
}

/// An announced flow: who announced it, where it will go, until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What announced it.
    pub kind: PromiseKind,
    /// Its transport.
    pub transport: Transport,
    /// Where the announced flow will be accepted. Port 0 where the announcement itself is encrypted: then a document's range is all that tells the flow.
    pub server: Endpoint,
    /// Who will open it; none where anyone may.
    pub client: Option<IpAddr>,
    /// When it was announced.
    pub made: Timestamp,
    /// How long it holds.
    pub lasts: Duration,
    /// In which frame it was announced.
    pub frame: FrameId,
    /// The announcing flow's client and server, to name the parent.
    pub parent: (Endpoint, Endpoint),
    /// The announcing flow's transport.
    pub over: Transport,
    /// What the flow must begin with, where the announcement says so (TeaTime's session id).
    pub begins: Option<Box<[u8]>>,
    /// Whoever announced it will send to its peer, too (media of a call).
    pub both_ways: bool,
}

impl Promise {
    /// Whether the announced port could not be read.
    pub const fn is_hidden(&self) -> bool {
        self.server.port == 0
    }
}
