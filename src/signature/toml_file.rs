//! A signature file as it is written. Doc comments here are the descriptions of the JSON Schema.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::net::Transport;
use crate::signature::form::{At, Entry};
use crate::signature::hint;
use crate::signature::{Consequence, Direction, Instance, Mark, PortRange, PromiseKind, RoleKind, RuleEffect, Since};

/// A vendor's document on network ports: what it says, with the sentence for each statement.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SignatureFile {
    /// Which document it is.
    pub document: DocumentEntry,
    /// What hosts are in this document.
    #[schemars(default)]
    pub roles: Vec<RoleEntry>,
    /// One entry a row of the document.
    #[schemars(default)]
    pub services: Vec<ServiceEntry>,
    /// Sentences about more than one row.
    #[schemars(default)]
    pub rules: Vec<RuleEntry>,
}

/// Which document it is.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DocumentEntry {
    /// Short lower-case name, the first word of every role: `spinetix`.
    pub vendor: At<String>,
    /// The vendor's own spelling.
    pub name: At<String>,
    /// Title of the document.
    pub title: At<String>,
    /// Where it is published.
    pub url: Option<String>,
}

impl Entry for DocumentEntry {
    const WORD: &'static str = "document";
    const REQUIRED: &'static [&'static str] = &["vendor", "name", "title"];
}

/// What a host is in this document.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleEntry {
    /// Vendor, dot, name: `spinetix.player`.
    pub id: At<String>,
    /// Words for people.
    pub name: At<String>,
    /// Which hosts can play it.
    pub kind: RoleKind,
    /// What `since` and `only_in` of its rows call the versions of the product.
    pub versions: Option<String>,
    /// By what a host of this role gives itself away.
    #[serde(default)]
    pub marks: Vec<Mark>,
}

impl Entry for RoleEntry {
    const WORD: &'static str = "role";
    const REQUIRED: &'static [&'static str] = &["id", "name", "kind"];
}

/// One row of the document.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// Unique over all files.
    pub id: At<String>,
    /// Words for people.
    pub name: At<String>,
    /// `document` unless said otherwise; a row of another public source is a `supplement`.
    #[serde(default)]
    pub basis: BasisWord,
    /// Roles that open the connection, or send the first datagram.
    pub client: At<Vec<At<String>>>,
    /// Roles that are asked.
    pub server: At<Vec<At<String>>>,
    /// Direction relative to the product.
    pub direction: Direction,
    /// Transports; left out where the document does not say.
    #[serde(default)]
    pub transports: Vec<TransportWord>,
    /// Server ports: numbers and ranges (`"6900-6909"`); left out where the port is learned or not stated.
    #[serde(default)]
    pub ports: Vec<At<PortRange>>,
    /// Client ports, where the document fixes them.
    #[serde(default)]
    pub client_ports: Vec<At<PortRange>>,
    /// What announces the port.
    #[serde(default)]
    pub learned_from: Vec<PromiseKind>,
    /// Accepted protocol stacks, each outermost first; left out where bytes cannot be held against the row.
    #[serde(default)]
    pub protocols: Vec<Vec<At<String>>>,
    /// What the document calls the protocol.
    pub protocol_name: At<String>,
    /// Whether the document demands encryption (true) or clear text (false).
    pub encrypted: Option<bool>,
    /// Root paths of the URL.
    #[serde(default)]
    pub paths: Vec<At<String>>,
    /// Host names of the server; `*.example.com` matches at any depth.
    #[serde(default)]
    pub hosts: Vec<At<String>>,
    /// Host-name patterns shared with half the Internet: they count for little alone.
    #[serde(default)]
    pub broad_hosts: Vec<At<String>>,
    /// Fixed server addresses.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// `port = base + N`.
    pub instance: Option<At<Instance>>,
    /// On unless switched off (true), off unless switched on (false).
    pub default_on: Option<bool>,
    /// First version that has it.
    pub since: Option<Since>,
    /// The only edition or version that has it.
    pub only_in: Option<String>,
    /// Where to change the port.
    pub configurable: Option<String>,
    /// What the document says about its being mandatory.
    pub mandatory: Option<String>,
    /// What the document says about firewalls for this row.
    pub firewall: Option<String>,
    /// Windows http.sys URL reservation flag.
    pub url_reservation: Option<String>,
    /// What stops working when it is blocked; without `quote` it is our inference.
    pub consequence: Option<Consequence>,
    /// What to ask the firewall's owner for.
    pub remedy: Option<String>,
    /// False for announcements, traps and logs: silence is no failure.
    #[serde(default = "yes")]
    pub answered: bool,
    /// Rows that take over when this one is blocked.
    #[serde(default)]
    pub fallback: Vec<At<String>>,
    /// Anything else a reader should know.
    pub note: Option<String>,
    /// Heading, or place in the document.
    pub section: Option<String>,
    /// The sentence or table row, word for word.
    pub quote: Option<At<String>>,
    /// Instead of `quote` in a supplement: what the source states, in our words.
    pub states: Option<At<String>>,
    /// Where that page is, if not the document's own address; of a supplement, its source.
    pub url: Option<String>,
    /// What another source adds to this row.
    pub supplement: Option<At<SupplementEntry>>,
}

impl Entry for ServiceEntry {
    const WORD: &'static str = "service";
    const REQUIRED: &'static [&'static str] = &["id", "name", "client", "server", "direction", "protocol_name"];

    fn help(missing: &str) -> Option<&'static str> {
        Some(match missing {
            "client" => "name the roles that open the connection: client = [\"vendor.role\"]",
            "server" => "name the roles that are asked: server = [\"vendor.role\"]",
            "direction" => "direction is one of: in, out, out_only, internal, discovery, unknown",
            "protocol_name" => "say what the document calls the protocol: protocol_name = \"HTTPS\"",
            _ => return None,
        })
    }
}

/// What another public source says about a row that the document has lost or never had.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SupplementEntry {
    /// Transports the document does not state.
    #[serde(default)]
    pub transports: Vec<TransportWord>,
    /// Server ports the document does not state.
    #[serde(default)]
    pub ports: Vec<At<PortRange>>,
    /// Protocol stacks the document does not state.
    #[serde(default)]
    pub protocols: Vec<Vec<At<String>>>,
    /// Root paths the document does not state.
    #[serde(default)]
    pub paths: Vec<At<String>>,
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

/// A sentence about more than one row.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    /// Unique over all files.
    pub id: At<String>,
    /// What it means here, one sentence.
    pub says: At<String>,
    /// What portbook does by it.
    pub effect: RuleEffect,
    /// `document` unless said otherwise.
    #[serde(default)]
    pub basis: BasisWord,
    /// Rows it is about; left out where it is about the whole document.
    #[serde(default)]
    pub services: Vec<At<String>>,
    /// Rows that belong to those in `services`: see the effects.
    #[serde(default)]
    pub expects: Vec<At<String>>,
    /// Roles it is about.
    #[serde(default)]
    pub roles: Vec<At<String>>,
    /// Server ports it is about.
    #[serde(default)]
    pub ports: Vec<At<PortRange>>,
    /// Protocols it is about.
    #[serde(default)]
    pub protocols: Vec<At<String>>,
    /// Least and most seconds between the connections of one client.
    pub period: Option<[u64; 2]>,
    /// Requests it is about, as their protocol names them.
    #[serde(default)]
    pub requests: Vec<String>,
    /// Heading, or place in the document.
    pub section: Option<String>,
    /// The sentence, word for word.
    pub quote: Option<At<String>>,
    /// Instead of `quote` in a supplement: what the source states, in our words.
    pub states: Option<At<String>>,
    /// Where that page is, if not the document's own address.
    pub url: Option<String>,
}

impl Entry for RuleEntry {
    const WORD: &'static str = "rule";
    const REQUIRED: &'static [&'static str] = &["id", "says", "effect"];
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BasisWord {
    /// The vendor's document.
    #[default]
    Document,
    /// Another public source.
    Supplement,
}

/// A transport by the name that records print.
#[derive(Clone, Copy, Debug)]
pub struct TransportWord(pub Transport);

impl<'de> Deserialize<'de> for TransportWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TransportVisitor)
    }
}

/// A visitor, not a String made into a transport: so a mistake points at the word and not at its list.
struct TransportVisitor;

impl Visitor<'_> for TransportVisitor {
    type Value = TransportWord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a transport such as \"tcp\"")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<TransportWord, E> {
        let known = Transport::from_name(word).map(TransportWord);
        known.ok_or_else(|| E::unknown_variant(word, &["tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "gre", "esp"]))
    }
}

/// `443`, `"443"` or `"6900-6909"`.
impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortVisitor)
    }
}

struct PortVisitor;

impl Visitor<'_> for PortVisitor {
    type Value = PortRange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port such as 443 or a range such as \"6900-6909\"")
    }

    fn visit_i64<E: de::Error>(self, port: i64) -> Result<PortRange, E> {
        let port = u16::try_from(port).map_err(|_| E::custom(format!("{port} is no port: they run from 0 to 65535")))?;
        Ok(PortRange { low: port, high: port })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PortRange, E> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let number = |word: &str| word.trim().parse::<u16>().map_err(|_| E::custom(format!("`{text}` is no port range: {}", hint::ports(text))));
        let (low, high) = (number(low)?, number(high)?);
        if low > high {
            return Err(E::custom(format!("the port range {low}-{high} runs backwards: write \"{high}-{low}\"")));
        }
        Ok(PortRange { low, high })
    }
}

fn yes() -> bool {
    true
}

#[cfg(feature = "schema")]
mod schema {
    use super::{PortRange, TransportWord};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl JsonSchema for TransportWord {
        fn schema_name() -> Cow<'static, str> {
            "Transport".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let names: Vec<&str> = crate::net::Transport::names().collect();
            json_schema!({
                "description": "A transport by the name that records print, or `ip-N`.",
                "anyOf": [{ "type": "string", "enum": names }, { "type": "string", "pattern": "^ip-[0-9]{1,3}$" }]
            })
        }
    }

    impl JsonSchema for PortRange {
        fn schema_name() -> Cow<'static, str> {
            "PortRange".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A port, or an inclusive range in quotes.",
                "oneOf": [{ "type": "integer", "minimum": 0, "maximum": 65535 }, { "type": "string", "pattern": "^[0-9]+(-[0-9]+)?$" }]
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str) -> serde_json::Value {
        let schema: serde_json::Value = serde_json::from_str(include_str!("../../signatures/schema.json")).unwrap();
        schema["$defs"][name].clone()
    }

    #[test]
    fn the_keys_that_may_not_be_missing_are_those_of_the_schema() {
        let entries = [
            ("DocumentEntry", DocumentEntry::REQUIRED),
            ("RoleEntry", RoleEntry::REQUIRED),
            ("ServiceEntry", ServiceEntry::REQUIRED),
            ("RuleEntry", RuleEntry::REQUIRED),
        ];
        for (name, required) in entries {
            assert_eq!(definition(name)["required"], serde_json::json!(required), "{name}");
        }
    }

    /// An editor refuses what the check refuses, and offers what it takes.
    #[test]
    fn the_schema_names_the_transports() {
        let named = definition("Transport")["anyOf"][0]["enum"].clone();
        assert_eq!(named, serde_json::json!(Transport::names().collect::<Vec<_>>()));
        assert!(Transport::names().all(|name| Transport::from_name(name).is_some()));
    }

    #[test]
    fn the_readme_tells_every_key() {
        let readme = include_str!("../../signatures/README.md");
        for name in ["DocumentEntry", "RoleEntry", "ServiceEntry", "SupplementEntry", "RuleEntry"] {
            for key in definition(name)["properties"].as_object().unwrap().keys() {
                assert!(readme.contains(&format!("`{key}`")), "{name}: {key}");
            }
        }
    }
}
