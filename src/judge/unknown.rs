//! What there is to know of a service that no document mentions: enough to look it up, and a draft of the row that would make it known.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::count::numbered;
use crate::identify::Begun;
use crate::judge::gathered::Gathered;
use crate::limit;
use crate::net::{Transport, is_group};
use crate::signature::{RoleId, RoleKind, ServiceId, Signatures, is_protocol_name};

/// An undocumented service, as far as packets show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Who uses it, at most [`limit::HOSTS_OF_A_FINDING`].
    pub clients: Vec<IpAddr>,
    /// Who is asked, likewise.
    pub servers: Vec<IpAddr>,
    /// On which ports, likewise.
    pub ports: Vec<(Transport, u16)>,
    /// Names of the servers, likewise.
    pub names: Vec<String>,
    /// What was recognised, outermost first.
    pub protocol: Vec<&'static str>,
    /// First bytes of client and server, of one flow.
    pub opening: [Begun; 2],
    /// Documented rows nearest to it, each with what it has in common, at most [`limit::NEAREST_SHOWN`].
    pub nearest: Vec<(ServiceId, String)>,
    /// A signature file that makes it known; `portbook signatures check` accepts it.
    pub draft: String,
}

impl Unknown {
    /// Of flows gathered; `roles` are those that the site gives to client and server.
    pub(super) fn of(signatures: &Signatures, gathered: &Gathered, roles: [Option<RoleId>; 2]) -> Self {
        Self {
            clients: gathered.clients.iter().copied().collect(),
            servers: gathered.servers.iter().copied().collect(),
            ports: gathered.ports.iter().copied().collect(),
            names: gathered.server_names.iter().cloned().collect(),
            protocol: gathered.protocol.clone(),
            opening: gathered.opening.clone(),
            nearest: nearest(signatures, gathered, roles),
            draft: draft(signatures, gathered, roles),
        }
    }
}

/// Rows on that port, then rows of its name, on the same number of another transport, and those that speak its protocol: who has more of these is nearer. Rows of the
/// documents of the hosts' roles come first.
fn nearest(signatures: &Signatures, gathered: &Gathered, roles: [Option<RoleId>; 2]) -> Vec<(ServiceId, String)> {
    let mut near: BTreeMap<ServiceId, (u8, Vec<String>)> = BTreeMap::new();
    let mut add = |id: ServiceId, weight: u8, why: String| {
        let (known, whys) = near.entry(id).or_default();
        // Of several names, ports or layers alike the first speaks.
        if *known & weight == 0 {
            *known |= weight;
            whys.push(why);
        }
    };
    if let Some((transport, port)) = gathered.ports.first() {
        signatures.at(*transport, *port).for_each(|id| add(id, ON_PORT, format!("port {port}/{transport}")));
    }
    for name in &gathered.server_names {
        signatures.named(name).into_iter().for_each(|id| add(id, NAMED, format!("name {name}")));
    }
    if let Some((transport, port)) = gathered.ports.first() {
        let other = if *transport == Transport::UDP { Transport::TCP } else { Transport::UDP };
        signatures.at(other, *port).for_each(|id| add(id, BESIDE, format!("port {port}/{other}")));
    }
    if let Some(name) = gathered.protocol.last() {
        signatures.speaking(name).iter().for_each(|id| add(*id, SPEAKS, format!("speaks {name}")));
    }
    let documents: Vec<u16> = roles.iter().flatten().map(|role| signatures.role(*role).document).collect();
    let own = |id: ServiceId| documents.contains(&signatures.service(id).document);
    let mut rows: Vec<(ServiceId, (u8, Vec<String>))> = near.into_iter().collect();
    rows.sort_by_key(|(id, (weight, _))| (!own(*id), Reverse(*weight)));
    rows.truncate(limit::NEAREST_SHOWN);
    rows.into_iter().map(|(id, (_, whys))| (id, whys.join("; "))).collect()
}

/// What a row may have in common with a stranger, the weightier in the higher bit.
const ON_PORT: u8 = 8;
const NAMED: u8 = 4;
const BESIDE: u8 = 2;
const SPEAKS: u8 = 1;

/// The file: what was seen as comments, a row for it, and the roles that the row needs. Rows of several drafts go into one file, under one head.
fn draft(signatures: &Signatures, gathered: &Gathered, roles: [Option<RoleId>; 2]) -> String {
    let place = |word: &str| format!("{VENDOR}.{word}");
    let known = |role: Option<RoleId>| role.map(|role| signatures.role(role).id.clone());
    let to_group = gathered.servers.iter().any(|server| is_group(*server));
    let client = known(roles[0]).unwrap_or_else(|| place("any-host"));
    let server = known(roles[1]).unwrap_or_else(|| place(if to_group { "group" } else { "any-host" }));
    let product = |role: Option<RoleId>| role.is_some_and(|role| signatures.role(role).kind == RoleKind::Product);
    let direction = match (to_group, product(roles[0]), product(roles[1])) {
        (true, ..) => "discovery",
        (false, true, true) => "internal",
        (false, true, false) => "out",
        (false, false, true) => "in",
        (false, false, false) => "unknown",
    };
    let (transport, port) = gathered.ports.first().copied().unwrap_or((Transport::TCP, 0));
    let ports: Vec<String> = gathered.ports.iter().filter(|(other, _)| *other == transport).map(|(_, port)| port.to_string()).collect();
    let spoken = gathered.protocol.last().copied().unwrap_or("unknown");
    let stack: Vec<String> = gathered.protocol.iter().filter(|name| is_protocol_name(name)).map(|name| format!("\"{name}\"")).collect();
    let mut text = String::from(HEAD);
    let _ = write!(text, "\n# Seen: {} from {} to {}.\n", numbered(gathered.flows, "flow"), hosts(&gathered.clients), hosts(&gathered.servers));
    if !gathered.server_names.is_empty() {
        let names: Vec<String> = gathered.server_names.iter().take(limit::NEAREST_SHOWN).map(|name| plain(name)).collect();
        let _ = writeln!(text, "# Names of the server: {}.", names.join(", "));
    }
    for (whose, bytes) in [("client", &gathered.opening[0]), ("server", &gathered.opening[1])].into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let _ = writeln!(text, "# First bytes of the {whose}: {}", hex(bytes));
    }
    let _ = write!(
        text,
        "[[services]]\nid = \"{VENDOR}-{port}-{transport}\"\nname = \"{spoken} on {transport} {port}\"\nclient = [\"{client}\"]\nserver = [\"{server}\"]\n\
         direction = \"{direction}\"\ntransports = [\"{transport}\"]\nports = [{}]\nprotocol_name = \"{spoken}\"\n",
        ports.join(", ")
    );
    if !stack.is_empty() {
        let _ = writeln!(text, "protocols = [[{}]]", stack.join(", "));
    }
    text.push_str("# Who says that it is wanted, word for word:\nquote = \"...\"\n");
    text
}

fn hosts(all: &std::collections::BTreeSet<IpAddr>) -> String {
    let some: Vec<String> = all.iter().take(limit::NEAREST_SHOWN).map(ToString::to_string).collect();
    let more = all.len() - some.len();
    if more == 0 { some.join(", ") } else { format!("{} and {more} more", some.join(", ")) }
}

/// Names come from the wire; in a comment nothing but letters may stand.
fn plain(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_graphic() { letter } else { '?' }).collect()
}

/// `16 03 01`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Whose rows a draft's are.
const VENDOR: &str = "own";
const HEAD: &str = "[document]
vendor = \"own\"
name = \"Own services\"
title = \"What runs here beside the vendors' products\"

[[roles]]
id = \"own.any-host\"
name = \"any host\"
kind = \"anyone\"

[[roles]]
id = \"own.group\"
name = \"a group of hosts\"
kind = \"group\"
";
