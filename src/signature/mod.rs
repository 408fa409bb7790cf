//! The vendors' documents as data: roles, services and rules, each with the sentence it comes from.
//!
//! The files in `signatures/` are the knowledge; this room reads, checks and indexes them. A vendor is one file and no Rust.
//!
//! [`Signatures::built_in`] and [`Signatures::load`] give everything checked; [`Signatures::at`], [`named`](Signatures::named),
//! [`learned`](Signatures::learned), [`speaking`](Signatures::speaking) and [`of_role`](Signatures::of_role) find rows without a scan.

mod compile;
pub(crate) mod form;
mod index;
mod load;
mod mistake;
mod names;
mod read;
mod service;
mod toml_file;

use serde::Deserialize;

use crate::net::Transport;

use index::Index;

pub(crate) use load::text_of;
pub use load::{LoadError, Only};
pub use mistake::{Mistake, nearest};
pub use names::{PROTOCOL_NAMES, is_protocol_name};
pub use service::{Basis, Citation, Consequence, Direction, HostPattern, Instance, PortRange, PromiseKind, Service, Since, Supplement, range_of};
#[cfg(feature = "schema")]
pub use toml_file::SignatureFile;
pub(crate) use toml_file::TransportWord;

/// All loaded documents, checked and indexed.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    /// Documents in load order: the user's before the built-in ones.
    pub documents: Vec<Document>,
    /// Roles of all documents; [`RoleId`] counts into it.
    pub roles: Vec<Role>,
    /// Services of all documents, in document order; [`ServiceId`] counts into it.
    pub services: Vec<Service>,
    /// Sentences about a whole product, in document order.
    pub rules: Vec<Rule>,
    index: Index,
}

/// Index into [`Signatures::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

/// Index into [`Signatures::roles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(pub u16);

impl Signatures {
    /// The row. Ids come from these signatures; those of others mean nothing here.
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.0 as usize]
    }

    /// The role, likewise.
    pub fn role(&self, id: RoleId) -> &Role {
        &self.roles[usize::from(id.0)]
    }

    /// The document of a row, role or rule, by its `document` field.
    pub fn document(&self, index: u16) -> &Document {
        &self.documents[usize::from(index)]
    }

    /// All rows with their ids, in document order.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        (0..).map(ServiceId).zip(&self.services)
    }

    /// The row of that id.
    pub fn service_id(&self, id: &str) -> Option<ServiceId> {
        self.index.service(id)
    }

    /// The role of that id: `spinetix.player`.
    pub fn role_id(&self, id: &str) -> Option<RoleId> {
        self.index.role(id)
    }

    /// Rows about this server port, those of the narrowest ranges roughly first. Costs the same for ten rows and for ten thousand.
    ///
    /// A row whose document names no transport is found on every transport that has ports.
    pub fn at(&self, transport: Transport, port: u16) -> impl Iterator<Item = ServiceId> {
        self.index.at(transport, port)
    }

    /// Rows whose host patterns match the name, exact names first, then the longest suffix.
    pub fn named(&self, name: &str) -> Vec<ServiceId> {
        self.index.named(name)
    }

    /// Rows whose port such a promise announces.
    pub fn learned(&self, kind: PromiseKind) -> &[ServiceId] {
        self.index.learned(kind)
    }

    /// Rows that accept this protocol in any place of a stack, or name it in the document's words (`mqtt` finds `MQTT over TLS`).
    pub fn speaking(&self, protocol: &str) -> &[ServiceId] {
        self.index.speaking(protocol)
    }

    /// Rows in which the role is client or server.
    pub fn of_role(&self, role: RoleId) -> &[ServiceId] {
        self.index.of_role(role)
    }

    /// The documents alone: without supplement rows, and without what a supplement adds to a document's row.
    #[must_use]
    pub fn strict(&self) -> Self {
        compile::strict(self)
    }
}

/// A vendor's document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Short lower-case name that `--product` takes: `spinetix`.
    pub vendor: String,
    /// The vendor's own spelling: `SpinetiX`.
    pub vendor_name: String,
    /// Title of the document.
    pub title: String,
    /// Where it is published.
    pub url: Option<String>,
    /// Built in, or from the user's folder.
    pub user: bool,
}

/// What a host is in a document: `spinetix.player`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Unique over all documents: vendor, dot, name.
    pub id: String,
    /// Words for people: `SpinetiX player`.
    pub name: String,
    /// Index into [`Signatures::documents`].
    pub document: u16,
    /// Who may play it.
    pub kind: RoleKind,
    /// What `since` of its rows calls the versions of the product: `player firmware`.
    pub versions: Option<String>,
    /// HTTP header field in which its hosts tell their version: `x-spinetix-firmware`.
    pub version_header: Option<String>,
    /// By what a host of this role gives itself away.
    pub marks: Vec<Mark>,
}

/// Which hosts a role can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoleKind {
    /// Hosts of the product, or of its installation: given by the site, by `--role`, or by evidence.
    Product,
    /// Any host at all: `LAN client`, `browser`, `monitoring station`, `mail server`.
    Anyone,
    /// Any host on the same local network.
    Local,
    /// Hosts outside: clouds, public servers. A private address is not one.
    External,
    /// A multicast group or broadcast address.
    Group,
}

/// Something on the wire that only hosts of one role show.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Where it is seen.
    pub kind: MarkKind,
    /// What is seen there, lower case; `*` stands for any run of characters.
    pub pattern: String,
    /// Who says so: address or name of the source.
    pub url: String,
}

/// Where a mark is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// First three octets of its hardware address: `00:1d:50`.
    MacPrefix,
    /// Name of a header in its HTTP answers: `x-spinetix-firmware`.
    HttpHeader,
    /// Name it announces by multicast DNS.
    MdnsName,
    /// Name in its TLS certificate.
    CertificateName,
}

/// A sentence of a document about more than one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique over all documents: `spinetix-rule-slow-sync`.
    pub id: String,
    /// Index into [`Signatures::documents`].
    pub document: u16,
    /// Whose word it is.
    pub basis: Basis,
    /// What it means here, one sentence.
    pub says: String,
    /// Services it is about; empty where it is about all of the document.
    pub services: Vec<ServiceId>,
    /// Services that belong to those above: see the effect.
    pub expects: Vec<ServiceId>,
    /// Roles it is about; empty where it is about all of the document.
    pub roles: Vec<RoleId>,
    /// Server ports it is about (`unsupported`).
    pub ports: Vec<PortRange>,
    /// Protocols it is about (`unsupported`).
    pub protocols: Vec<String>,
    /// Requests of its services that it is about (`unsupported`): methods as the protocol names them, `set`.
    pub requests: Vec<String>,
    /// Least and most seconds between connections (`period`).
    pub period: Option<[u64; 2]>,
    /// What portbook does by it.
    pub effect: RuleEffect,
    /// Where it is written.
    pub citation: Citation,
}

/// What a document rule changes in judging or reporting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuleEffect {
    /// Connections from outside the LAN to the product are reported (`inbound_from_outside`).
    NoInboundFromOutside,
    /// Outbound rows are judged as things that should be open.
    OutboundOpen,
    /// Rows are one-directional: the other way is `wrong_direction`.
    OutgoingOnly,
    /// Match by name, never by address; no address rule is offered.
    NamesNotAddresses,
    /// TLS interception breaks the named services.
    NoInterception,
    /// The consequence of a blocked service.
    Consequence,
    /// Direction is the SYN's.
    DirectionBySyn,
    /// Not every row is needed: absence is no finding.
    Optional,
    /// The named services are needed.
    Mandatory,
    /// Announced ports are expected.
    Announced,
    /// Every number is a default that may be changed.
    Defaults,
    /// The named protocols or ports of the named roles, or the named requests of the services, are `unsupported_by_product`.
    Unsupported,
    /// Who uses `services` for long uses `expects` too; that it never tries is worth a word.
    Companion,
    /// An instance that is served by `services` is served by `expects`, too.
    SameInstance,
    /// `services` are used between all their hosts: a pair that never is, is worth a word.
    EveryPair,
    /// `services` come in both directions between the same hosts: where one fails, it is said whether another works.
    BothWays,
    /// Between hosts that used `expects`, `services` are not used again and again.
    Once,
    /// Where `services` fail and `expects` work between the same hosts, the client has fallen back by itself.
    Fallback,
    /// Clients of `services` come in a period: one that does is surer to be one.
    Period,
    /// A host of `roles` that uses a link-local address got none from a DHCP server.
    LinkLocalFallback,
    /// `services` are used from outside only where somebody wants it so.
    OnlyIfWanted,
    /// Printed with the finding, changes nothing.
    Hint,
}
