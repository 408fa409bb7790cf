//! The vendors' documents as data: roles, services and rules, each with the sentence it comes from.
//!
//! The files in `signatures/` are the knowledge; this room reads, checks and indexes them. A vendor is one file and no Rust.

use std::fmt;

use crate::net::Transport;

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
}

/// Index into [`Signatures::services`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

/// Index into [`Signatures::roles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(pub u16);

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
}

/// Which hosts a role can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// One row of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unique over all documents: `spinetix-out-mqtt`.
    pub id: String,
    /// Index into [`Signatures::documents`].
    pub document: u16,
    /// Words for people: `MQTT to the SpinetiX cloud`.
    pub name: String,
    /// Document, supplement, or the user's own file.
    pub basis: Basis,
    /// Who opens the connection.
    pub client: Vec<RoleId>,
    /// Who is asked.
    pub server: Vec<RoleId>,
    /// Direction relative to the product.
    pub direction: Direction,
    /// Transports; empty where the document does not say and nothing can be held against it.
    pub transports: Vec<Transport>,
    /// Server ports; empty where the port is learned (`learned_from`) or not stated.
    pub ports: Vec<PortRange>,
    /// Client ports, where the document fixes them (CRQT, DHCP).
    pub client_ports: Vec<PortRange>,
    /// Where the port comes from, if a promise announces it.
    pub learned_from: Vec<PromiseKind>,
    /// Accepted protocol stacks, outermost first (`["tls"]` accepts any TLS, `["http"]` any HTTP); empty where the document names a
    /// protocol without a published wire format.
    pub protocols: Vec<Vec<String>>,
    /// What the document calls the protocol, in its own words: `MQTT`, `WCF SOAP`, `RPC`.
    pub protocol_name: String,
    /// Whether the document demands encryption, or clear text; none where it says neither.
    pub encrypted: Option<bool>,
    /// Root paths, compared by whole segments without case; empty where any path belongs to it.
    pub paths: Vec<String>,
    /// Host-name patterns of the server: `*.services.spinetix.com`.
    pub hosts: Vec<HostPattern>,
    /// Fixed server addresses (8.8.8.8, 239.255.255.250, 255.255.255.255).
    pub addresses: Vec<std::net::IpAddr>,
    /// `port = base + N`: the instance number that a port names.
    pub instance: Option<Instance>,
    /// On unless switched off; none where the document does not say.
    pub default_on: Option<bool>,
    /// First version that has it.
    pub since: Option<Since>,
    /// Where to change the port; empty words are never stored.
    pub configurable: Option<String>,
    /// What the document says about its being mandatory.
    pub mandatory: Option<String>,
    /// What the document says about firewalls for this row (`Yes`, `No`, or a sentence).
    pub firewall: Option<String>,
    /// Windows http.sys URL reservation flag.
    pub url_reservation: Option<String>,
    /// What stops working when it is blocked, and whose word that is.
    pub consequence: Option<Consequence>,
    /// What to ask the firewall's owner for.
    pub remedy: Option<String>,
    /// Whether answers are due: false for announcements, traps and logs, which are never "unanswered".
    pub answered: bool,
    /// Rows that take over when this one is blocked.
    pub fallback: Vec<ServiceId>,
    /// Anything else a reader should know.
    pub note: Option<String>,
    /// Where it is written.
    pub citation: Citation,
}

/// Where the statement that a service exists comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// The vendor's document.
    Document,
    /// Another public source, named in the citation; never printed as "the document says".
    Supplement,
    /// The user's own signature file.
    User,
}

/// Direction relative to the product whose document it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Towards the product.
    In,
    /// From the product.
    Out,
    /// From the product, and the document excludes the other way.
    OutOnly,
    /// Between roles of the installation.
    Internal,
    /// Multicast or broadcast on the LAN.
    Discovery,
    /// The document does not say; both ways are accepted.
    Unknown,
}

/// An inclusive range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// Lowest port.
    pub low: u16,
    /// Highest port.
    pub high: u16,
}

impl PortRange {
    /// Whether the port lies in it.
    pub const fn contains(self, port: u16) -> bool {
        self.low <= port && port <= self.high
    }

    /// How many ports it spans: the fewer, the more specific the row.
    pub const fn width(self) -> u32 {
        self.high as u32 - self.low as u32 + 1
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high { write!(f, "{}", self.low) } else { write!(f, "{}-{}", self.low, self.high) }
    }
}

/// A host name, or `*.` and a domain that matches at any depth below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    /// As written, lower case, without a trailing dot.
    pub pattern: String,
    /// Shared with half the Internet (`*.cloudfront.net`): alone it gives low confidence.
    pub broad: bool,
}

impl HostPattern {
    /// Whether the name matches, without case and without a trailing dot.
    pub fn matches(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        match self.pattern.strip_prefix('*') {
            Some(suffix) => name.len() > suffix.len() && name.get(name.len() - suffix.len()..).is_some_and(|end| end.eq_ignore_ascii_case(suffix)),
            None => name.eq_ignore_ascii_case(&self.pattern),
        }
    }
}

/// `port = base + N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Port of instance 0.
    pub base: u16,
    /// What N counts: `Playout Engine instance`.
    pub label: String,
}

/// First version of something that has a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// What the version is of: `player firmware`, `Elementi`.
    pub what: String,
    /// `4.4.0`, `2015`.
    pub version: String,
}

/// What stops working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// One sentence.
    pub says: String,
    /// Words of the document that say so; none where it is our inference, which reports mark as such.
    pub quote: Option<String>,
}

/// Where a fact is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// Heading, or place in the document.
    pub section: String,
    /// The sentence or table row, word for word.
    pub quote: String,
    /// Where that page is, if not the document's own address.
    pub url: Option<String>,
}

/// A sentence of a document about more than one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique over all documents: `spinetix-rule-slow-sync`.
    pub id: String,
    /// Index into [`Signatures::documents`].
    pub document: u16,
    /// What it means here, one sentence.
    pub says: String,
    /// Services it is about; empty where it is about all of the document.
    pub services: Vec<ServiceId>,
    /// What portbook does by it.
    pub effect: RuleEffect,
    /// Where it is written.
    pub citation: Citation,
}

/// What a document rule changes in judging or reporting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Printed with the finding, changes nothing.
    Hint,
}

/// What can announce a flow to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PromiseKind {
    /// FTP 227 or 229: the client will connect to this port (RFC 959, 2428).
    FtpPassive,
    /// FTP PORT or EPRT: the server will connect to this port.
    FtpActive,
    /// LOCATION of an SSDP answer: SOAP at that address.
    SsdpLocation,
    /// UPnP AddPortMapping: inbound connections to this port.
    UpnpMapping,
    /// CRQT: a TeaTime dispatcher's port and session.
    Crqt,
    /// SQL Server Browser: an instance's TDS port.
    SqlBrowser,
    /// RTSP, SIP or SDP: media ports.
    Media,
    /// A Java RMI reference: host and port of a remote object.
    Rmi,
    /// A DNS SRV record.
    DnsSrv,
    /// TFTP: the server answers from a new port.
    Tftp,
}
