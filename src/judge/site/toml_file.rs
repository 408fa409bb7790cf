//! A site file as it is written. Doc comments here are the descriptions of the JSON Schema.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::judge::Severity;
use crate::net::Mac;
use crate::signature::form::{At, Entry};
use crate::signature::{PortRange, TransportWord};
use crate::time::Timestamp;

/// What the operator of a network says about it. Everything may be left out; what is not said stays open.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SiteFile {
    /// What holds for the whole site.
    #[schemars(default)]
    pub site: SiteEntry,
    /// Network segments.
    #[schemars(default)]
    pub networks: Vec<PlaceEntry>,
    /// Single hosts, or groups of them within a segment. What they say goes before what the networks say.
    #[schemars(default)]
    pub hosts: Vec<PlaceEntry>,
    /// Services that were given other ports than the document's.
    #[schemars(default)]
    pub ports: Vec<MovedEntry>,
    /// Traffic that is right here though no document mentions it, or though one speaks against it.
    #[schemars(default)]
    pub allow: Vec<StanceEntry>,
    /// Traffic that is forbidden here though a document expects it. What is both allowed and denied is denied.
    #[schemars(default)]
    pub deny: Vec<StanceEntry>,
    /// Known noise: it is counted, and no finding is made of it.
    #[schemars(default)]
    pub ignore: Vec<StanceEntry>,
    /// How much findings matter here.
    #[schemars(default)]
    pub severity: Vec<SeverityEntry>,
}

/// What holds for the whole site.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SiteEntry {
    /// What people call the site. Reports print it.
    pub name: String,
    /// Vendors whose documents apply; none named: all.
    pub products: Vec<At<String>>,
    /// Networks that are inside. The Internet is the rest. None named: the addresses that no public network uses (RFC 1918, RFC 6598, RFC 4193,
    /// link-local). The networks and hosts of this file are always inside.
    pub local: Vec<At<NetWord>>,
    /// Rows that are off unless switched on, and that were switched on everywhere here.
    pub services_on: Vec<At<String>>,
}

impl Entry for SiteEntry {
    const WORD: &'static str = "site";
    const REQUIRED: &'static [&'static str] = &[];
}

/// Hosts that have something in common.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlaceEntry {
    /// What people call them. Unique in the file; `allow`, `deny`, `ignore` and `ports` may name it.
    pub name: At<String>,
    /// Networks, or single addresses.
    pub addresses: At<Vec<At<NetWord>>>,
    /// What these hosts are in the documents: `spinetix.player`.
    #[serde(default)]
    pub roles: Vec<At<String>>,
    /// Version or firmware of the product: `4.6.2`.
    pub version: Option<At<String>>,
    /// Edition of the product, as its document calls it: `Elementi X`.
    pub edition: Option<String>,
    /// Whether these hosts have static addresses (true), so that none of them asks for one.
    pub static_addresses: Option<bool>,
    /// Hardware addresses: they tell a host that has no IP address yet.
    #[serde(default)]
    pub macs: Vec<At<MacWord>>,
    /// Rows that are off unless switched on, and that were switched on at these hosts.
    #[serde(default)]
    pub services_on: Vec<At<String>>,
}

impl Entry for PlaceEntry {
    const WORD: &'static str = "network or host";
    const REQUIRED: &'static [&'static str] = &["name", "addresses"];

    fn help(missing: &str) -> Option<&'static str> {
        (missing == "addresses").then_some("say which they are: addresses = [\"10.1.0.0/24\"]")
    }
}

/// A service on other ports than the document's.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MovedEntry {
    /// The row: `spinetix-player-sharedvar`.
    pub service: At<String>,
    /// The server ports that it has here, instead of all those of the document.
    pub ports: At<Vec<At<PortRange>>>,
    /// Servers that it was moved on; left out: everywhere.
    #[serde(default)]
    pub servers: Vec<At<String>>,
}

impl Entry for MovedEntry {
    const WORD: &'static str = "moved port";
    const REQUIRED: &'static [&'static str] = &["service", "ports"];
}

/// Traffic that the operator has a word on. All keys that are given must fit.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StanceEntry {
    /// Who opens: names of networks and hosts of this file, roles, addresses, networks, `local`, `internet`.
    #[serde(default)]
    pub client: Vec<At<String>>,
    /// Who is asked, likewise.
    #[serde(default)]
    pub server: Vec<At<String>>,
    /// The row of a document.
    pub service: Option<At<String>>,
    /// `tcp`, `udp` ...
    pub transport: Option<TransportWord>,
    /// Server ports.
    #[serde(default)]
    pub ports: Vec<At<PortRange>>,
    /// A protocol that was recognised in the bytes: `ssh`.
    pub protocol: Option<At<String>>,
    /// Why: a ticket number, a sentence. Findings quote it.
    pub reason: At<String>,
    /// Last day on which it holds (UTC), or the moment it ends. Compared with the time of the packets.
    pub until: Option<DateWord>,
}

impl Entry for StanceEntry {
    const WORD: &'static str = "entry";
    const REQUIRED: &'static [&'static str] = &["reason"];

    fn help(missing: &str) -> Option<&'static str> {
        (missing == "reason").then_some("say why, for whoever reads the finding in a year: reason = \"ticket 4711\"")
    }
}

/// How much a finding matters here.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeverityEntry {
    /// The finding's rule as reports print it: `undocumented_service`, `silent_drop`.
    pub finding: At<String>,
    /// Only about this row.
    pub service: Option<At<String>>,
    /// What it is here.
    pub severity: Severity,
}

impl Entry for SeverityEntry {
    const WORD: &'static str = "severity";
    const REQUIRED: &'static [&'static str] = &["finding", "severity"];
}

/// A network, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetWord(pub IpNet);

/// The network of a text: `10.1.0.0/24`, `10.1.0.2`, `2001:db8::/48`.
///
/// # Errors
/// What is wrong with it, and what would be right. A host written with the length of its network (`10.1.0.5/24`) may mean either, and one of them makes a whole network play
/// the part of one host.
pub fn network(text: &str) -> Result<IpNet, String> {
    let parsed: Option<IpNet> = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let network = parsed.ok_or_else(|| match with_netmask(text) {
        Some(network) => format!("`{text}` has a netmask: write \"{network}\""),
        None => format!("`{text}` is no address or network: write \"10.1.0.2\" or \"10.1.0.0/24\""),
    })?;
    if network != network.trunc() {
        return Err(format!("`{text}` is one address of a network: write \"{}\" for that host, \"{}\" for all of them", network.addr(), network.trunc()));
    }
    Ok(network)
}

/// The network of an address and a netmask, as routers print them.
fn with_netmask(text: &str) -> Option<IpNet> {
    let (address, mask) = text.split_once(['/', ' '])?;
    IpNet::with_netmask(address.trim().parse().ok()?, mask.trim().parse().ok()?).ok().map(|network| network.trunc())
}

impl<'de> Deserialize<'de> for NetWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word("an address or network such as \"10.1.0.0/24\"", |text| network(text).map(NetWord)))
    }
}

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacWord(pub Mac);

impl<'de> Deserialize<'de> for MacWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word("a hardware address such as \"00:1d:50:20:11:02\"", |text| {
            let octets: Option<Vec<u8>> = text.split([':', '-']).map(|octet| u8::from_str_radix(octet, 16).ok().filter(|_| octet.len() == 2)).collect();
            let octets = octets.and_then(|octets| <[u8; 6]>::try_from(octets).ok());
            octets.map(|octets| MacWord(Mac(octets))).ok_or_else(|| format!("`{text}` is no hardware address: write \"00:1d:50:20:11:02\""))
        }))
    }
}

/// The last moment of a day, or the moment written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateWord(pub Timestamp);

impl<'de> Deserialize<'de> for DateWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let unreadable = |_| de::Error::custom("this is no date: write it without quotes, as in 2027-01-31");
        let written = toml::value::Datetime::deserialize(deserializer).map_err(unreadable)?;
        last_moment(&written).map(DateWord).ok_or_else(|| de::Error::custom(format!("`{written}` names no day: write 2027-01-31")))
    }
}

fn last_moment(written: &toml::value::Datetime) -> Option<Timestamp> {
    let date = written.date?;
    let midnight = Timestamp::from_date(i64::from(date.year), i64::from(date.month), i64::from(date.day))?;
    let Some(time) = written.time else { return Some(midnight + DAY - Duration::from_nanos(1)) };
    let seconds = u64::from(time.hour) * 3600 + u64::from(time.minute) * 60 + u64::from(time.second.unwrap_or(0));
    let local = midnight + Duration::new(seconds, time.nanosecond.unwrap_or(0));
    Some(match written.offset {
        Some(toml::value::Offset::Custom { minutes }) if minutes < 0 => local + Duration::from_secs(u64::from(minutes.unsigned_abs()) * 60),
        Some(toml::value::Offset::Custom { minutes }) => local - Duration::from_secs(u64::from(minutes.unsigned_abs()) * 60),
        Some(toml::value::Offset::Z) | None => local,
    })
}

/// A visitor, not a String made into something: so a mistake points at the word and not at its list.
struct Word<T>(&'static str, fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(E::custom)
    }
}

const DAY: Duration = Duration::from_secs(86_400);

#[cfg(feature = "schema")]
mod schema {
    use super::{DateWord, MacWord, NetWord};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl JsonSchema for NetWord {
        fn schema_name() -> Cow<'static, str> {
            "Network".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "description": "An address, or a network in CIDR notation.", "type": "string", "examples": ["10.1.0.2", "10.1.0.0/24"] })
        }
    }

    impl JsonSchema for MacWord {
        fn schema_name() -> Cow<'static, str> {
            "Mac".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "description": "A hardware address.", "type": "string", "pattern": "^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$" })
        }
    }

    impl JsonSchema for DateWord {
        fn schema_name() -> Cow<'static, str> {
            "Date".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "description": "A TOML date or date and time.", "type": "string", "examples": ["2027-01-31"] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str) -> serde_json::Value {
        let schema: serde_json::Value = serde_json::from_str(include_str!("../../../signatures/site.schema.json")).unwrap();
        schema["$defs"][name].clone()
    }

    #[test]
    fn the_keys_that_may_not_be_missing_are_those_of_the_schema() {
        let entries = [
            ("PlaceEntry", PlaceEntry::REQUIRED),
            ("MovedEntry", MovedEntry::REQUIRED),
            ("StanceEntry", StanceEntry::REQUIRED),
            ("SeverityEntry", SeverityEntry::REQUIRED),
        ];
        for (name, required) in entries {
            assert_eq!(definition(name)["required"], serde_json::json!(required), "{name}");
        }
        assert!(definition("SiteEntry")["required"].is_null());
    }

    #[test]
    fn the_sample_tells_every_table_and_key() {
        let sample = include_str!("../../../fixtures/sites/sample.toml");
        for name in ["SiteEntry", "PlaceEntry", "MovedEntry", "StanceEntry", "SeverityEntry"] {
            for key in definition(name)["properties"].as_object().unwrap().keys() {
                let told = sample.lines().any(|line| line.trim_start_matches('#').split(" =").next() == Some(key));
                assert!(told, "{name}: {key}");
            }
        }
    }

    #[test]
    fn a_day_lasts_to_its_end_and_an_offset_counts() {
        #[derive(Deserialize)]
        struct Written {
            until: DateWord,
        }
        let read = |text: &str| toml::from_str::<Written>(&format!("until = {text}")).unwrap().until.0.to_string();
        assert_eq!(read("2027-01-31"), "2027-01-31T23:59:59.999999999Z");
        assert_eq!(read("2027-01-31T10:00:00+02:00"), "2027-01-31T08:00:00.000000000Z");
        assert_eq!(read("2027-01-31T10:00:00-01:30"), "2027-01-31T11:30:00.000000000Z");
        assert!(toml::from_str::<Written>("until = 10:00:00").is_err());
    }
}
