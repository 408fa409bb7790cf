//! Scenarios as they are written: `fixtures/scenarios/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::packets::{Opens, Speaker, Turns};

/// The four ways in which every row is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Expected,
    WrongDirection,
    WrongProtocol,
    Unanswered,
}

pub const KINDS: [Kind; 4] = [Kind::Expected, Kind::WrongDirection, Kind::WrongProtocol, Kind::Unanswered];

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::WrongDirection => "wrong_direction",
            Self::WrongProtocol => "wrong_protocol",
            Self::Unanswered => "unanswered",
        }
    }
}

/// A document's row and its four scenarios.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Id of the row.
    pub id: String,
    client: String,
    server: String,
    opens: String,
    dialogue: String,
    /// Other rows that tell the same service.
    #[serde(default)]
    siblings: Vec<String>,
    /// Exchanges that went before.
    #[serde(default)]
    before: Vec<Exchange>,
    expected: Due,
    wrong_direction: Due,
    wrong_protocol: Due,
    unanswered: Due,
}

/// What is due of one scenario, and in what it differs from the row's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Due {
    /// Why there is no such scenario.
    pub cannot: Option<String>,
    client: Option<String>,
    server: Option<String>,
    opens: Option<String>,
    dialogue: Option<String>,
    /// One of these (`a|b`).
    pub verdict: Option<String>,
    /// One of these (`a|b`).
    pub outcome: Option<String>,
    service: Option<String>,
    /// All of these; each may be `a|b`.
    pub reasons: Vec<String>,
    /// The service, or among the candidates.
    pub candidates: Vec<String>,
    /// Exactly these.
    pub protocol: Option<Vec<String>>,
}

impl Due {
    pub const fn states_something(&self) -> bool {
        self.verdict.is_some() || self.outcome.is_some() || self.service.is_some()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    client: String,
    server: String,
    opens: String,
    dialogue: String,
    /// The opener tries and tries, and nobody answers.
    #[serde(default)]
    pub unanswered: bool,
}

impl Exchange {
    /// Who opens what, and what is said.
    pub fn parts(&self, openings: &Openings) -> (Opens, Turns) {
        (parse_opens(&self.client, &self.server, &self.opens), openings.turns(&self.dialogue))
    }
}

/// A scenario, ready to be built.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub opens: Opens,
    pub turns: Turns,
    pub before: Vec<(Opens, Turns)>,
    /// Roles of hosts, as the operator gives them.
    pub roles: Vec<(String, IpAddr)>,
}

impl Row {
    pub const fn due(&self, kind: Kind) -> &Due {
        match kind {
            Kind::Expected => &self.expected,
            Kind::WrongDirection => &self.wrong_direction,
            Kind::WrongProtocol => &self.wrong_protocol,
            Kind::Unanswered => &self.unanswered,
        }
    }

    /// The rows that may be named; none where anything may. As documented and unanswered it is the row itself or a sibling; otherwise what the scenario says.
    pub fn services(&self, kind: Kind) -> Option<Vec<String>> {
        match (&self.due(kind).service, kind) {
            (Some(words), _) => Some(words.split('|').map(str::to_owned).collect()),
            (None, Kind::Expected | Kind::Unanswered) => Some(std::iter::once(&self.id).chain(&self.siblings).cloned().collect()),
            (None, Kind::WrongDirection | Kind::WrongProtocol) => None,
        }
    }

    pub fn scenario(&self, kind: Kind, openings: &Openings) -> Scenario {
        let due = self.due(kind);
        let (client, server) = if kind == Kind::WrongDirection { (&self.server, &self.client) } else { (&self.client, &self.server) };
        let client = due.client.as_ref().unwrap_or(client);
        let server = due.server.as_ref().unwrap_or(server);
        let opens = due.opens.as_ref().unwrap_or(&self.opens);
        Scenario {
            opens: parse_opens(client, server, opens),
            turns: openings.turns(due.dialogue.as_ref().unwrap_or(&self.dialogue)),
            before: self.before.iter().map(|one| one.parts(openings)).collect(),
            roles: [client, server].into_iter().filter_map(|host| host.split_once(' ').map(|(role, _)| (role.to_owned(), address(host)))).collect(),
        }
    }
}

/// All rows of all vendors' files.
pub fn rows() -> Vec<Row> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        row: Vec<Row>,
    }
    let mut files: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml") && path.file_name().is_some_and(|name| name != "openings.toml"));
    files.sort();
    let read = |path: &PathBuf| toml::from_str::<File>(&fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display())).row;
    files.iter().flat_map(read).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios")
}

/// Of `spinetix.player 10.1.0.2` or `10.1.0.2`.
fn address(host: &str) -> IpAddr {
    let ip = host.rsplit(' ').next().unwrap_or_default();
    ip.parse().unwrap_or_else(|_| panic!("no address in \"{host}\""))
}

/// `tcp 8883`, or `udp 68 from 67`.
fn parse_opens(client: &str, server: &str, words: &str) -> Opens {
    let parts: Vec<&str> = words.split_whitespace().collect();
    let (transport, port, from) = match parts.as_slice() {
        [transport, port] => (*transport, *port, CLIENT_PORT),
        [transport, port, "from", from] => (*transport, *port, *from),
        _ => panic!("\"{words}\" is not like `tcp 8883` or `udp 67 from 68`"),
    };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("no port in \"{words}\""));
    Opens { client: address(client), server: address(server), tcp: transport == "tcp", client_port: number(from), server_port: number(port) }
}

/// The openings by name.
#[derive(Debug)]
pub struct Openings(BTreeMap<String, Opening>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    #[expect(dead_code, reason = "where the bytes come from, for people")]
    source: String,
    turns: Vec<Turn>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Turn {
    Client(Bytes),
    Server(Bytes),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Bytes {
    Hex(String),
    Text(String),
}

impl Openings {
    pub fn load() -> Self {
        Self(toml::from_str(&fs::read_to_string(folder().join("openings.toml")).unwrap()).unwrap())
    }

    fn turns(&self, dialogue: &str) -> Turns {
        if dialogue == "nothing" {
            return Vec::new();
        }
        let (name, values) = match self.0.contains_key(dialogue) {
            true => (dialogue, ""),
            false => dialogue.split_once(' ').unwrap_or((dialogue, "")),
        };
        let opening = self.0.get(name).unwrap_or_else(|| panic!("no opening \"{dialogue}\""));
        let bytes = |bytes: &Bytes| match bytes {
            Bytes::Hex(digits) => unhex(digits),
            Bytes::Text(text) => fill(text, values).into_bytes(),
        };
        let say = |turn: &Turn| match turn {
            Turn::Client(said) => (Speaker::Client, bytes(said)),
            Turn::Server(said) => (Speaker::Server, bytes(said)),
        };
        opening.turns.iter().map(say).collect()
    }
}

fn fill(text: &str, values: &str) -> String {
    let mut text = text.to_owned();
    for (name, value) in values.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs: Vec<u8> =
        digits.bytes().map(|digit| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_else(|| panic!("hex"))).collect();
    pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const CLIENT_PORT: &str = "40112";
