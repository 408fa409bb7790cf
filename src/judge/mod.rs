//! Holds identified flows against the documents: expected or not, and what became of them.

mod absent;
mod account;
mod advice;
mod alike;
mod announcer;
mod blocked;
mod bulletin;
mod candidate;
mod claim;
mod coverage;
mod direction;
mod docket;
mod elsewhere;
mod ending;
mod ends;
mod exhibit;
mod failures;
mod filter;
mod finding;
mod gathered;
pub mod glossary;
mod handover;
mod judging;
pub mod learned;
mod memory;
mod occurrence;
pub mod policy;
mod remedy;
mod resolver;
mod rhythm;
mod role;
mod shown;
mod site;
mod stance;
#[cfg(test)]
mod tests;
mod threshold;
mod together;
mod unknown;
mod verdict;
mod version;
mod vigil;
mod visibility;
pub mod words;

pub use account::{Account, Considered, SightWords, Standing};
pub use alike::Candidates;
pub use blocked::{RuleText, rules};
pub use bulletin::{Bulletin, OVER, Phase};
pub use coverage::Tried;
pub use docket::{Called, Docket, order, put_in_order};
pub use filter::{Ends, Selection, display_filter};
pub use finding::Gatherer;
pub use handover::{Covered, Handover};
pub use judging::Judge;
pub use occurrence::Occurrence;
pub use remedy::{Part, Remedy};
pub use shown::Shown;
#[cfg(feature = "schema")]
pub use site::SiteFile;
pub use site::{DateWord, FINDINGS, Moved, Place, Site, Stance, Weight, Who, network};
pub use stance::Stated;
pub use unknown::{Unknown, hex};
pub use verdict::with_twins;
pub use vigil::{Board, Vigil};
pub use visibility::{CapturePoint, Visibility};

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::capture::FrameId;
use crate::flow::{CommunityId, Parties};
use crate::identify::Identified;
use crate::signature::{Basis, Citation, RoleId, ServiceId, Signatures};
use crate::time::Timestamp;

/// A judged flow: everything a flow record says.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The flow and its identification.
    pub identified: Box<Identified>,
    /// Roles of client and server that the flow is judged by: the site's, or where it gives a host none, those that the host shows beyond doubt.
    pub roles: [Vec<RoleId>; 2],
    /// What client and server showed of their roles, all of it.
    pub shown: [Vec<Shown>; 2],
    /// Names of client and server, as far as anybody asks for them (see [`Telling`]).
    pub names: [Vec<Named>; 2],
    /// The document row it belongs to.
    pub service: Option<ServiceId>,
    /// The other rows that tell the same service from another side. Where it belongs to no single row: rows of one port of one product that all miss a
    /// connection which never stood.
    pub tied: Vec<ServiceId>,
    /// Other rows that fit, or nearly fit, each with why.
    pub candidates: Candidates,
    /// Instance number that the port names, where the row has a formula.
    pub instance: Option<u16>,
    /// Expected, unexpected, undecided.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    /// How sure it is that the flow belongs to the row, or that no row covers it.
    pub attribution: Confidence,
    /// What became of it.
    pub outcome: Outcome,
    /// How sure the outcome is.
    pub confidence: Confidence,
    /// One sentence on the outcome with what else it could be; none for plain successes.
    pub cause: Option<Cause>,
    /// The row whose host name this flow asked a resolver for in vain.
    pub denied: Option<ServiceId>,
    /// Frames that show it, at most [`limit::FRAMES_CITED`](crate::limit::FRAMES_CITED); none where nobody is told of it, as with [`Cause::says`].
    pub cited: SmallVec<[FrameId; 6]>,
    /// What the site file says about it.
    pub stance: Option<Stated>,
    /// The same conversation as it was captured on the other side of a router that translates addresses.
    pub translated: Option<Box<Parties>>,
    /// On what the direction rests, where no opening was seen and something else told.
    pub direction_by: Option<&'static str>,
    /// How it was judged, where that was asked for.
    pub account: Option<Box<Account>>,
}

impl Judged {
    /// The rows whose traffic it is, or would have been.
    pub fn rows(&self) -> impl Iterator<Item = ServiceId> {
        self.service.into_iter().chain(self.tied.iter().copied())
    }
}

/// A name of a host, with its source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Named {
    /// Lower case, no trailing dot.
    pub name: String,
    /// The word for who says so: `sni`, `dns` ...
    pub source: &'static str,
    /// Whole seconds between the packet that said so and the flow's first one; none where the flow itself says it, or the capture file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
}

/// A row that was considered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The row.
    pub service: ServiceId,
    /// Whether all of it fits; else `why` says what does not.
    pub fits: bool,
    /// What speaks for it or against it, in words.
    pub why: String,
}

/// Explains an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Id of the rule that decided: `D20`.
    pub rule: &'static str,
    /// What to do about it.
    pub remedy: Remedy,
    /// What was seen, one sentence; empty where no finding says it and nobody asked for it (see [`Telling`]).
    pub says: String,
    /// What else it could be.
    pub alternatives: &'static [&'static str],
    /// Who rejected it, where an address shows that.
    pub by: Option<IpAddr>,
}

/// What is told of each flow beyond its judgement, for the reports that print it. Each step has all that those before it have, and costs more: the last one more
/// than judging does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Telling {
    /// Nothing more.
    #[default]
    Judgement,
    /// Names of its server, though no row needs them.
    ServerNames,
    /// Why it failed, in a sentence, though no finding says it.
    Causes,
    /// Names of its client, too.
    Names,
    /// What its protocols state: versions, JA4, ALPN lists, certificates.
    Statements,
    /// The rows that nearly fit, in words, and all that its hosts show.
    Everything,
}

/// Whether the documents expect a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A row covers it, in this direction, with this content.
    Expected,
    /// An end has a role and no row covers it, or a row is broken.
    Unexpected,
    /// Nothing can be held against it.
    Undecided,
}

/// Why a verdict is what it is: the contract's closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No row of the documents that apply covers it.
    UndocumentedService,
    /// The row exists, but the other end should have opened it.
    WrongDirection,
    /// The port is documented for another protocol than the bytes show.
    WrongProtocol,
    /// Documented as secure, seen in clear.
    NotEncrypted,
    /// Documented as clear, seen encrypted.
    UnexpectedlyEncrypted,
    /// A documented port, a path no row names.
    UndocumentedPath,
    /// Off unless somebody switched it on.
    OptionalServiceActive,
    /// The server's name fits no documented pattern.
    UnknownName,
    /// Announced, but outside the range the document gives.
    OutsideAnnouncedRange,
    /// In a range that needs an announcement, and none was seen.
    NotAnnounced,
    /// Discovery beyond the LAN.
    LeftTheLan,
    /// Opened from outside the LAN to a product that needs no inbound opening.
    InboundFromOutside,
    /// An end plays another role than the row asks for.
    WrongRole,
    /// The product does not support the protocol.
    UnsupportedByProduct,
    /// The site forbids it.
    DeniedBySite,
    /// The service is younger than the version in use.
    VersionTooOld,
    /// Nothing tells who opened it.
    DirectionUnknown,
    /// Began before the capture.
    Midstream,
    /// Too little was captured to tell.
    NotEnoughBytes,
    /// Several rows fit equally.
    SharedPort,
    /// No document covers either end.
    NotCovered,
}

/// What became of a flow: the contract's closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It worked.
    Ok,
    /// It worked by a fallback.
    OkDegraded,
    /// Connected and never used.
    ConnectedNoData,
    /// Connected, request acknowledged, no answer.
    ServerSilent,
    /// No answer, and the client tried again.
    SilentDrop,
    /// The host refused: closed port.
    RefusedByHost,
    /// A device in between, or a firewall on the host, refused by ICMP or reset.
    RejectedByNetwork,
    /// No route, or the host is down.
    Unreachable,
    /// Answers do not reach the client.
    ReturnPathBroken,
    /// Cut by a device in between after content was seen.
    ResetByMiddlebox,
    /// A proxy or block page answered.
    BlockedByProxy,
    /// The resolver denies the name.
    DnsBlocked,
    /// The resolver failed.
    DnsFailed,
    /// The TLS handshake failed.
    TlsFailed,
    /// A device in between opens TLS.
    TlsIntercepted,
    /// The service answered and refused.
    AppRefused,
    /// Large packets vanish.
    PmtuBlackhole,
    /// Dropped after idling.
    IdleDropped,
    /// No answer is due.
    OneWayByDesign,
    /// Scanning noise.
    ScanNoise,
    /// Began before the capture.
    Midstream,
    /// Answers cannot be seen from here.
    NotObservable,
    /// The capture lost too much to tell.
    CaptureDamaged,
}

impl Outcome {
    /// Whether the contract counts it as blocked.
    pub const fn is_blocked(self) -> bool {
        matches!(
            self,
            Self::SilentDrop
                | Self::RejectedByNetwork
                | Self::ReturnPathBroken
                | Self::ResetByMiddlebox
                | Self::BlockedByProxy
                | Self::DnsBlocked
                | Self::TlsIntercepted
                | Self::PmtuBlackhole
                | Self::IdleDropped
        )
    }
}

/// How sure a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A hint.
    Low,
    /// Likely; alternatives remain.
    Medium,
    /// The packets leave little else.
    High,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look when there is time.
    Low,
    /// Something does not work as documented, or something undocumented is going on.
    Medium,
    /// A documented service does not get through, or something is exposed.
    High,
}

/// Like verdicts gathered into one sentence a person can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Names it among all findings, the same in every run: rule, service or place, roles of the ends.
    pub id: String,
    /// What kind: a reason's or a blocked outcome's name, or a document rule's id.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// The row it is about.
    pub service: Option<ServiceId>,
    /// All rows whose traffic it is about, in order: of a service that its document has in two lists both, of a port that several rows share each that may be meant.
    pub rows: Vec<ServiceId>,
    /// The client: an address, a network or a role.
    pub client: String,
    /// The server, likewise.
    pub server: String,
    /// Addresses of clients and servers, the lowest [`limit::HOSTS_OF_A_FINDING`](crate::limit::HOSTS_OF_A_FINDING) of each.
    pub hosts: [Vec<IpAddr>; 2],
    /// Flows gathered.
    pub flows: u64,
    /// Attempts gathered: connections (a program's retry from a new port is another, a SYN sent again is not), and requests of datagram protocols,
    /// each counted once however often it was sent again.
    pub attempts: u64,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// What it is about, for a heading: the service's name, or the port with what is spoken there.
    pub about: String,
    /// One sentence.
    pub says: String,
    /// What stops working.
    pub consequence: Option<String>,
    /// What else it could be.
    pub alternatives: Vec<String>,
    /// What to do, with the firewall rule to ask for.
    pub remedy: Option<String>,
    /// What is written, with whose word it is.
    pub citation: Option<Cited>,
    /// Frames that show it.
    pub frames: Vec<FrameId>,
    /// Selects in Wireshark the flows that `frames` and `flow_ids` are of, and the ICMP errors about them.
    pub display_filter: String,
    /// Community IDs of those flows, each once: the surest first, then the earliest.
    pub flow_ids: Vec<CommunityId>,
    /// How many flows these are: all, or [`limit::FLOWS_SELECTED`](crate::limit::FLOWS_SELECTED).
    pub selected: u64,
    /// These flows one by one, in order of time.
    pub occurrences: Vec<Occurrence>,
    /// How sure.
    pub confidence: Confidence,
    /// What there is to know of it, where no document mentions it.
    pub unknown: Option<Box<Unknown>>,
}

/// A citation with its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cited {
    /// Vendor and title; of a supplement the address of the source, as the document does not say it.
    pub document: String,
    /// Heading, or place in the document; empty where there is none.
    pub section: String,
    /// Word for word where `verbatim`; else what the source states, in our words.
    pub quote: String,
    /// Whether `quote` may stand in quotation marks.
    pub verbatim: bool,
    /// Address of the page.
    pub url: Option<String>,
    /// Document, supplement or user.
    pub basis: Basis,
}

impl Cited {
    /// The words of a row or rule, whose statement has that basis.
    pub fn of(signatures: &Signatures, document: u16, citation: &Citation, basis: Basis) -> Self {
        let source = signatures.document(document);
        let other = citation.url.clone().filter(|_| basis == Basis::Supplement);
        Self {
            document: other.unwrap_or_else(|| format!("{}, {}", source.vendor_name, source.title)),
            section: citation.section.clone(),
            quote: citation.quote.clone(),
            verbatim: citation.verbatim,
            url: citation.url.clone().or_else(|| source.url.clone()),
            basis,
        }
    }
}

/// What a capture says about a documented row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// It worked at least once.
    Seen,
    /// It was tried and blocked, and never worked.
    Blocked,
    /// It was tried; neither worked nor shown to be blocked.
    Attempted,
    /// Nobody tried.
    NeverAttempted,
    /// It could not be seen from this capture point.
    NotVisibleHere,
}
