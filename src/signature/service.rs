//! One row of a document, and what it is made of.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::net::Transport;
use crate::signature::{RoleId, ServiceId};

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
    /// Transports; empty where the document does not say and nothing can be held against it. With those of `supplement`.
    pub transports: Vec<Transport>,
    /// Server ports; empty where the port is learned (`learned_from`) or not stated. With those of `supplement`.
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
    pub addresses: Vec<IpAddr>,
    /// `port = base + N`: the instance number that a port names.
    pub instance: Option<Instance>,
    /// On unless switched off; none where the document does not say.
    pub default_on: Option<bool>,
    /// First version that has it.
    pub since: Option<Since>,
    /// The only edition or version that has it: `Elementi 2018 X`.
    pub only_in: Option<String>,
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
    /// Facts of this row that its document has lost or never had. They are part of the fields above; `Signatures::strict` takes them out.
    pub supplement: Option<Supplement>,
    /// Where it is written.
    pub citation: Citation,
}

impl Service {
    /// Whether a fact of the row is its supplement's, and not the document's own.
    pub fn borrows(&self, fact: impl Fn(&Supplement) -> bool) -> bool {
        self.supplement.as_ref().is_some_and(fact)
    }

    /// Whether the row is about this transport and server port at all, and whose word that is.
    ///
    /// None where it is not. A row without ports (a learned or unstated one) has nothing to say here.
    pub fn port_basis(&self, transport: Transport, port: u16) -> Option<Basis> {
        if !self.ports.iter().any(|range| range.contains(port)) || !(self.transports.is_empty() || self.transports.contains(&transport)) {
            return None;
        }
        let lent = |supplement: &Supplement| supplement.ports.iter().any(|range| range.contains(port));
        Some(if self.supplement.as_ref().is_some_and(lent) { Basis::Supplement } else { self.basis })
    }

    /// Whether bytes of this stack fit the row: one of its stacks begins with what was seen, or what was seen begins with it.
    ///
    /// A row that names no stack accepts everything, and so does a flow of which nothing was recognised.
    pub fn accepts(&self, seen: &[&str]) -> bool {
        let fits = |stack: &Vec<String>| stack.iter().zip(seen).all(|(ours, theirs)| ours == theirs);
        self.protocols.is_empty() || self.protocols.iter().any(fits)
    }

    /// The port range that holds the port, the narrowest if several do.
    pub fn range_of(&self, port: u16) -> Option<PortRange> {
        range_of(&self.ports, port)
    }

    /// The instance number that the port names: its distance from the base, inside the row's ranges.
    pub fn instance_of(&self, port: u16) -> Option<u16> {
        let number = port.checked_sub(self.instance.as_ref()?.base)?;
        self.range_of(port).map(|_| number)
    }

    /// The same where the row has other ports than the document's: they begin with instance 0.
    pub fn moved_instance_of(&self, ports: &[PortRange], port: u16) -> Option<u16> {
        let (_, base) = (self.instance.as_ref()?, ports.iter().map(|range| range.low).min()?);
        range_of(ports, port).map(|_| port - base)
    }

    /// Whether the document says that no firewall needs an opening for the row, so that nobody beyond one is expected to use it.
    pub fn needs_no_opening(&self) -> bool {
        self.firewall.as_deref() == Some("No")
    }

    /// Whether a request path lies under one of the row's root paths: whole segments, without case, as Windows http.sys compares them.
    pub fn has_path(&self, path: &str) -> bool {
        self.path_depth(path).is_some()
    }

    /// Segments of the longest root path that the request path lies under; none where no root path fits. The deeper, the more specific.
    pub fn path_depth(&self, path: &str) -> Option<usize> {
        self.paths.iter().filter_map(|root| depth_under(root, path)).max()
    }
}

/// The range that holds the port, the narrowest if several do.
pub fn range_of(ranges: &[PortRange], port: u16) -> Option<PortRange> {
    ranges.iter().copied().filter(|range| range.contains(port)).min_by_key(|range| range.width())
}

fn depth_under(root: &str, path: &str) -> Option<usize> {
    let segments = |text: &'_ str| text.split('/').filter(|segment| !segment.is_empty()).map(str::to_ascii_lowercase).collect::<Vec<_>>();
    let (root, path) = (segments(root), segments(path));
    path.starts_with(&root).then_some(root.len())
}

/// What another public source says about a row of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supplement {
    /// Transports the document does not state.
    pub transports: Vec<Transport>,
    /// Server ports the document does not state.
    pub ports: Vec<PortRange>,
    /// Protocol stacks the document does not state.
    pub protocols: Vec<Vec<String>>,
    /// Root paths the document does not state.
    pub paths: Vec<String>,
    /// Encryption, where the document says neither.
    pub encrypted: Option<bool>,
    /// On or off from the factory, where the document does not say.
    pub default_on: Option<bool>,
    /// Where to change the port, where the document does not say.
    pub configurable: Option<String>,
    /// What the source says, in our words.
    pub says: String,
    /// Address or name of the source.
    pub url: String,
}

/// Where the statement that a service exists comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The vendor's document.
    Document,
    /// Another public source, named in the citation; never printed as "the document says".
    Supplement,
    /// The user's own signature file.
    User,
}

impl Basis {
    /// The contract's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Supplement => "supplement",
            Self::User => "user",
        }
    }
}

/// Direction relative to the product whose document it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Port of instance 0.
    pub base: u16,
    /// What N counts: `Playout Engine instance`.
    pub label: String,
}

/// First version of something that has a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// What the version is of: `player firmware`, `Elementi`.
    pub what: String,
    /// `4.4.0`, `2015`.
    pub version: String,
}

/// What stops working.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
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
    /// The sentence or table row, word for word where `verbatim`; else what the source states, in our words.
    pub quote: String,
    /// Whether `quote` may stand in quotation marks.
    pub verbatim: bool,
    /// Where that page is, if not the document's own address.
    pub url: Option<String>,
}

/// What can announce a flow to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
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

impl PromiseKind {
    /// Whether what it announces is one transfer to a port of its own, and no service that stays where it is.
    pub const fn takes_a_new_port(self) -> bool {
        matches!(self, Self::FtpPassive | Self::FtpActive | Self::Media | Self::Tftp)
    }

    /// The word of signatures and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FtpPassive => "ftp_passive",
            Self::FtpActive => "ftp_active",
            Self::SsdpLocation => "ssdp_location",
            Self::UpnpMapping => "upnp_mapping",
            Self::Crqt => "crqt",
            Self::SqlBrowser => "sql_browser",
            Self::Media => "media",
            Self::Rmi => "rmi",
            Self::DnsSrv => "dns_srv",
            Self::Tftp => "tftp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_path_is_compared_by_whole_segments_and_without_case() {
        assert_eq!(depth_under("/REST", "/rest/Preview"), Some(1));
        assert_eq!(depth_under("/REST", "/Multiviewer/Rest"), None);
        assert_eq!(depth_under("/REST", "/RESTful"), None);
        assert_eq!(depth_under("/", "/anything"), Some(0));
        assert_eq!(depth_under("/control/web/", "/control/web"), Some(2));
    }

    #[test]
    fn a_pattern_matches_any_depth_below_its_domain_but_not_the_domain_itself() {
        let pattern = HostPattern { pattern: "*.services.spinetix.com".into(), broad: false };
        assert!(pattern.matches("a.b.Services.SpinetiX.com."));
        assert!(!pattern.matches("services.spinetix.com"));
        assert!(!pattern.matches("xservices.spinetix.com"));
    }
}
