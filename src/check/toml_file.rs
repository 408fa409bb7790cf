//! An expectation file as it is written. Doc comments here are the descriptions of the JSON Schema.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use crate::check::Count;
use crate::judge::{Confidence, Coverage, DateWord, Outcome, Reason, Severity, Verdict};
use crate::signature::form::{At, Entry};
use crate::signature::{PortRange, TransportWord};

/// What captures of a network must show. Everything may be left out; what is not said is not checked.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ExpectationFile {
    /// What holds for the whole capture.
    #[schemars(default)]
    pub check: CheckEntry,
    /// How many there must be of something.
    #[schemars(default)]
    pub counts: CountsEntry,
    /// Documented services that must, or must not, be there.
    #[schemars(default)]
    pub services: Vec<ServiceEntry>,
    /// Flows, and what must be true of them.
    #[schemars(default)]
    pub flows: Vec<FlowEntry>,
    /// Findings that must be there.
    #[schemars(default)]
    pub findings: Vec<FindingEntry>,
    /// Findings that may be there, though `no_findings_above` forbids them.
    #[schemars(default)]
    pub allow: Vec<AllowEntry>,
}

/// What holds for the whole capture.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CheckEntry {
    /// What people call this check. It heads what is printed.
    pub name: String,
    /// There may be no finding worse than this, but those of `findings` and `allow`.
    pub no_findings_above: Option<At<Severity>>,
}

impl Entry for CheckEntry {
    const WORD: &'static str = "check";
    const REQUIRED: &'static [&'static str] = &[];
}

/// How many there must be of something: `4`, `"2-5"`, `"1-"` for at least one.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CountsEntry {
    /// Flows in all.
    pub flows: Option<At<Count>>,
    /// Flows that a document expects.
    pub expected: Option<At<Count>>,
    /// Flows that should not be, or not so.
    pub unexpected: Option<At<Count>>,
    /// Flows that nothing can be held against.
    pub undecided: Option<At<Count>>,
    /// Flows with one of the outcomes that are called blocked.
    pub blocked: Option<At<Count>>,
    /// Findings.
    pub findings: Option<At<Count>>,
}

impl Entry for CountsEntry {
    const WORD: &'static str = "counts";
    const REQUIRED: &'static [&'static str] = &[];
}

/// A documented service that must, or must not, be there.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// The row of a document: `spinetix-out-mqtt`.
    pub service: At<String>,
    /// What the capture must show of it; a list means one of these.
    pub is: OneOrMore<Coverage>,
    /// Only flows that have one of these at either end: addresses, networks, roles, names of the site file, `local`, `internet`. Each role, host or
    /// name of the list must show it.
    #[serde(default)]
    pub hosts: Vec<At<String>>,
    /// Only flows that one of these opened, likewise.
    #[serde(default)]
    pub client: Vec<At<String>>,
    /// Only flows to one of these, likewise.
    #[serde(default)]
    pub server: Vec<At<String>>,
}

impl Entry for ServiceEntry {
    const WORD: &'static str = "service";
    const REQUIRED: &'static [&'static str] = &["service", "is"];

    fn help(missing: &str) -> Option<&'static str> {
        (missing == "is").then_some("say what the capture must show of it: is = \"seen\"")
    }
}

/// Flows, and what must be true of them. `id`, `client`, `server`, `transport` and `ports` choose them; all chosen ones must have the rest, and at least
/// one must be chosen.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlowEntry {
    /// The flow of this Community ID: `1:LQU9qZlK+B5F3KDmev6m5PMibrg=`.
    pub id: Option<At<String>>,
    /// Flows that one of these opened: addresses, networks, roles, names of the site file, `local`, `internet`.
    #[serde(default)]
    pub client: Vec<At<String>>,
    /// Flows to one of these, likewise.
    #[serde(default)]
    pub server: Vec<At<String>>,
    /// Flows of this transport.
    pub transport: Option<TransportWord>,
    /// Flows to one of these server ports.
    #[serde(default)]
    pub ports: Vec<At<PortRange>>,
    /// So many of the chosen flows must have the rest, and the others may differ: `4`, `"2-5"`, `"1-"`; `0`: none may have it. Left out: all.
    pub count: Option<At<Count>>,
    /// The row of a document that it belongs to, or `none`.
    pub service: Option<At<String>>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// All reasons of the verdict, in any order.
    pub reasons: Option<Vec<Reason>>,
    /// The outcome; a list means one of these.
    pub outcome: Option<OneOrMore<Outcome>>,
    /// The rule of the decision table that decided: `D20`.
    pub rule: Option<At<String>>,
    /// How sure the outcome is.
    pub confidence: Option<Confidence>,
    /// What the bytes are, outermost first: `["tls", "http"]`; `[]`: not recognised.
    pub protocol: Option<Vec<At<String>>>,
    /// A name that the server has, from DNS, TLS or HTTP.
    pub name: Option<String>,
    /// Words that the sentence on the outcome has.
    pub says: Option<String>,
}

impl Entry for FlowEntry {
    const WORD: &'static str = "flow";
    const REQUIRED: &'static [&'static str] = &[];
}

/// A finding that must be there.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FindingEntry {
    /// Its rule, as reports print it: `silent_drop`.
    pub rule: Option<At<String>>,
    /// The row of a document that it is about, or `none`.
    pub service: Option<At<String>>,
    /// How much it matters.
    pub severity: Option<Severity>,
    /// How sure it is.
    pub confidence: Option<Confidence>,
    /// One of these is among its clients: addresses, networks, roles, names of the site file, `local`, `internet`.
    #[serde(default)]
    pub client: Vec<At<String>>,
    /// One of these is among its servers, likewise.
    #[serde(default)]
    pub server: Vec<At<String>>,
    /// How many flows it gathers.
    pub flows: Option<Count>,
    /// Words that its sentence has.
    pub says: Option<String>,
    /// Words that its consequence has.
    pub breaks: Option<String>,
}

impl Entry for FindingEntry {
    const WORD: &'static str = "finding";
    const REQUIRED: &'static [&'static str] = &[];
}

/// A finding that may be there.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AllowEntry {
    /// Its rule, as reports print it: `silent_drop`.
    pub rule: Option<At<String>>,
    /// The row of a document that it is about, or `none`.
    pub service: Option<At<String>>,
    /// All its clients are among these: addresses, networks, roles, names of the site file, `local`, `internet`.
    #[serde(default)]
    pub client: Vec<At<String>>,
    /// All its servers are among these, likewise.
    #[serde(default)]
    pub server: Vec<At<String>>,
    /// Why: a ticket number, a sentence.
    pub reason: At<String>,
    /// Last day on which it holds (UTC), or the moment it ends. Compared with the time of the packets.
    pub until: Option<DateWord>,
}

impl Entry for AllowEntry {
    const WORD: &'static str = "entry";
    const REQUIRED: &'static [&'static str] = &["reason"];

    fn help(missing: &str) -> Option<&'static str> {
        (missing == "reason").then_some("say why, for whoever reads it in a year: reason = \"ticket 4711\"")
    }
}

/// A word, or a list of which one is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words(PhantomData))
    }
}

struct Words<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Words<T> {
    type Value = OneOrMore<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word, or a list of words")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
        T::deserialize(StrDeserializer::new(word)).map(|word| OneOrMore(vec![word]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = list.next_element()? {
            words.push(word);
        }
        if words.is_empty() { Err(de::Error::custom("the list is empty: name one word")) } else { Ok(OneOrMore(words)) }
    }
}

/// `4`, `"4"`, `"2-5"` or `"1-"`.
impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 4, or a range such as \"2-5\" or \"1-\"")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Count, E> {
        let number = u64::try_from(number).map_err(|_| E::custom("there cannot be less than none: write 0 or more"))?;
        Ok(Count { least: number, most: Some(number) })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
        let number = |word: &str| {
            let wrong = |_| E::custom(format!("`{text}` is no number or range: write 4, \"2-5\" or \"1-\""));
            word.trim().parse::<u64>().map_err(wrong)
        };
        let (least, most) = match text.split_once('-') {
            None => (number(text)?, Some(number(text)?)),
            Some((least, most)) if most.trim().is_empty() => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        match most {
            Some(most) if most < least => Err(E::custom(format!("the range {least}-{most} runs backwards: write \"{most}-{least}\""))),
            _ => Ok(Count { least, most }),
        }
    }
}

#[cfg(feature = "schema")]
mod schema {
    use super::{Count, OneOrMore};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            format!("OneOrMore{}", T::schema_name()).into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let one = generator.subschema_for::<T>();
            json_schema!({ "oneOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
        }
    }

    impl JsonSchema for Count {
        fn schema_name() -> Cow<'static, str> {
            "Count".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A number, or a range in quotes; without its end: at least so many.",
                "oneOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+(-[0-9]*)?$" }]
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str) -> serde_json::Value {
        let schema: serde_json::Value = serde_json::from_str(include_str!("../../signatures/expect.schema.json")).unwrap();
        schema["$defs"][name].clone()
    }

    #[test]
    fn the_keys_that_may_not_be_missing_are_those_of_the_schema() {
        for (name, required) in [("ServiceEntry", ServiceEntry::REQUIRED), ("AllowEntry", AllowEntry::REQUIRED)] {
            assert_eq!(definition(name)["required"], serde_json::json!(required), "{name}");
        }
        for name in ["CheckEntry", "CountsEntry", "FlowEntry", "FindingEntry"] {
            assert!(definition(name)["properties"].is_object() && definition(name)["required"].is_null(), "{name}");
        }
    }

    #[test]
    fn the_sample_tells_every_table_and_key() {
        let sample = include_str!("../../fixtures/checks/sample.toml");
        for name in ["CheckEntry", "CountsEntry", "ServiceEntry", "FlowEntry", "FindingEntry", "AllowEntry"] {
            for key in definition(name)["properties"].as_object().unwrap().keys() {
                let told = sample.lines().any(|line| line.trim_start_matches('#').split(" =").next() == Some(key));
                assert!(told, "{name}: {key}");
            }
        }
    }
}
