//! The vendors' documents as data: roles, services and rules, each with the sentence it comes from.
//!
//! The files in `signatures/` are the knowledge; this room reads, checks and indexes them. A vendor is one file and no Rust.
//!
//! [`Signatures::built_in`] and [`Signatures::load`] give everything checked; [`Signatures::at`], [`named`](Signatures::named),
//! [`learned`](Signatures::learned), [`speaking`](Signatures::speaking) and [`of_role`](Signatures::of_role) find rows without a scan.

mod compile;
pub(crate) mod form;
mod hint;
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

pub use load::{LoadError, Only};
pub(crate) use load::{text_of, text_within};
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

    /// Whether the name matches a host pattern of any row.
    pub fn has_name(&self, name: &str) -> bool {
        self.index.has_name(name)
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

    /// The rows and sentences of these vendors' documents alone; of all, where none is named.
    #[must_use]
    pub fn of_vendors(&self, vendors: &[String]) -> Self {
        let named = |document: u16| vendors.contains(&self.document(document).vendor);
        if vendors.is_empty() { self.clone() } else { compile::of(self, named) }
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
    /// Nobody else shows it, and a host that does is an appliance that does nothing else: the role counts as if the site gave it. Else it is told and no more.
    #[serde(default)]
    pub certain: bool,
    /// Where the version of the product stands in what is seen (of a header: in its value): `*` is the version, up to the next blank.
    pub version: Option<String>,
}

impl Mark {
    /// Whether this is what was seen, in lower case.
    pub fn fits(&self, seen: &str) -> bool {
        is_like(seen, &self.pattern)
    }

    /// The version in what was seen.
    pub fn version_in<'a>(&self, seen: &'a str) -> Option<&'a str> {
        let (before, after) = self.version.as_deref()?.split_once('*')?;
        let rest = seen.get(..before.len()).filter(|head| head.eq_ignore_ascii_case(before)).and_then(|_| seen.get(before.len()..))?;
        let version = rest.split(char::is_whitespace).next().unwrap_or_default();
        let version = if after.is_empty() { version } else { version.split_once(after).map_or(version, |(version, _)| version) };
        version.starts_with(|first: char| first.is_ascii_digit()).then_some(version)
    }
}

/// Whether a text is like a pattern in which `*` stands for any run of characters.
fn is_like(text: &str, pattern: &str) -> bool {
    // Most differ in their first letter.
    if pattern.bytes().next() != text.bytes().next() && !pattern.starts_with('*') {
        return false;
    }
    let Some((head, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut rest = rest;
    // Each piece at its first place leaves the most for those after it; the last one belongs to the end.
    while let Some((piece, after)) = rest.split_once('*') {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
        rest = after;
    }
    text.ends_with(rest)
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
    /// Name it gives itself by DHCP, multicast DNS, LLMNR or NetBIOS.
    HostName,
    /// What it says it is: a banner, an HTTP `Server` or `User-Agent`.
    Software,
    /// Protocol it speaks, by the bytes: `crqt`.
    Speaks,
}

impl MarkKind {
    /// The word of signatures and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MacPrefix => "mac_prefix",
            Self::HttpHeader => "http_header",
            Self::MdnsName => "mdns_name",
            Self::CertificateName => "certificate_name",
            Self::HostName => "host_name",
            Self::Software => "software",
            Self::Speaks => "speaks",
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(pattern: &str, version: Option<&str>) -> Mark {
        Mark { kind: MarkKind::Software, pattern: pattern.into(), url: String::new(), certain: false, version: version.map(Into::into) }
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, fits, differs) in [
            ("spx-hmp-001d50*.local", &["spx-hmp-001d50201234.local"][..], &["spx-hmp-001d50.example", "xspx-hmp-001d50.local"][..]),
            ("acme", &["acme"], &["acme ", "acmes", ""]),
            ("*acme*/2*", &["the acme server/2.1", "acme/2"], &["acme/1", "2/acme"]),
            ("*", &["", "anything"], &[]),
        ] {
            assert!(fits.iter().all(|text| mark(pattern, None).fits(text)), "{pattern}");
            assert!(differs.iter().all(|text| !mark(pattern, None).fits(text)), "{pattern}");
        }
    }

    #[test]
    fn the_version_stands_where_the_pattern_has_its_star() {
        assert_eq!(mark("x", Some("*")).version_in("4.7.1 (build 9)"), Some("4.7.1"));
        assert_eq!(mark("x", Some("Acme/*")).version_in("acme/2.0 (Linux)"), Some("2.0"));
        assert_eq!(mark("x", Some("Acme/*;")).version_in("acme/2.0; x"), Some("2.0"));
        assert_eq!(mark("x", Some("*")).version_in("unknown"), None);
        assert_eq!(mark("x", None).version_in("4.7.1"), None);
    }
}
