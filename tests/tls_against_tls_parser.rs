//! ClientHellos of the shared captures as `tls-parser` reads them: server name, ALPN and versions must be ours.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

#[path = "shared/place.rs"]
mod place;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portbook::capture::{self, Options, Progress, Source};
use portbook::decode::decode_batch;
use portbook::flow::{Data, Flow, FlowTable, Observer, Parties, Settings, Slot, Want};
use portbook::identify::{Books, DetailValue, Fact, Identified, Identifier, Lines, NameSource};
use portbook::net::Side;
use tls_parser::{TlsExtension, TlsMessage, TlsMessageHandshake, parse_tls_client_hello_extensions, parse_tls_message_handshake};

/// Keeps the beginning of each client's stream beside what was identified.
struct Both<'b> {
    identifier: Identifier<'b>,
    streams: BTreeMap<Slot, Vec<u8>>,
    tls: Vec<(Vec<u8>, Box<Identified>)>,
}

impl Observer for Both<'_> {
    fn opened(&mut self, slot: Slot) {
        self.streams.insert(slot, Vec::new());
        self.identifier.opened(slot);
    }

    fn data(&mut self, slot: Slot, parties: &Parties, data: Data<'_>) -> Want {
        let stream = self.streams.entry(slot).or_default();
        if data.from == Side::Client && data.offset == stream.len() as u64 && stream.len() < 1 << 16 {
            stream.extend_from_slice(data.bytes);
        }
        self.identifier.data(slot, parties, data)
    }

    fn closed(&mut self, slot: Slot, flow: Flow) {
        self.identifier.closed(slot, flow);
        let stream = self.streams.remove(&slot).unwrap_or_default();
        let identified = self.identifier.ended().remove(0);
        if identified.protocol.first() == Some(&"tls") {
            self.tls.push((stream, identified));
        }
    }
}

/// Server name, ALPN names and the highest version offered.
type Hello = (Option<String>, Vec<String>, String);

#[test]
fn client_hellos_are_read_as_tls_parser_reads_them() {
    let Some(shared) = place::shared() else { return };
    let files = shared.join("files");
    let (mut alike, mut differences) = (0, Vec::new());
    for file in small_files(&files) {
        for (stream, identified) in tls_flows(&file) {
            let Some(theirs) = hello(&stream) else { continue };
            let ours = told(&identified);
            if ours == theirs { alike += 1 } else { differences.push(format!("{}: ours {ours:?}, theirs {theirs:?}", file.display())) }
        }
    }
    println!("{alike} hellos alike");
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(alike > 100, "{alike} hellos were compared");
}

/// The first message of the stream, its records joined, as `tls-parser` reads it; none where it is no whole ClientHello.
fn hello(stream: &[u8]) -> Option<Hello> {
    let (mut rest, mut message) = (stream, Vec::new());
    while let [22, 3, _, high, low, body @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        message.extend_from_slice(body.get(..len)?);
        rest = &body[len..];
    }
    let (_, TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello))) = parse_tls_message_handshake(&message).ok()? else { return None };
    let (_, extensions) = parse_tls_client_hello_extensions(hello.ext.unwrap_or_default()).ok()?;
    let (mut name, mut alpn, mut version) = (None, Vec::new(), hello.version.0);
    for extension in extensions {
        match extension {
            // A wildcard, as one client of the captures sends, is no host name (RFC 6066 section 3), and is not told.
            TlsExtension::SNI(names) => name = names.first().map(|(_, name)| String::from_utf8_lossy(name).to_lowercase()).filter(|name| !name.contains('*')),
            TlsExtension::ALPN(names) => alpn = names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
            TlsExtension::SupportedVersions(versions) => {
                // GREASE (RFC 8701) offers nothing.
                version = versions.iter().map(|version| version.0).filter(|version| version & 0x0f0f != 0x0a0a).max().unwrap_or(version);
            }
            _ => {}
        }
    }
    Some((name, alpn, version_name(version)))
}

fn told(identified: &Identified) -> Hello {
    let detail = |field: &str| identified.details.iter().find(|told| told.key == ("tls", field)).map(|told| &told.value);
    let name = identified.facts.iter().find_map(|fact| match fact {
        Fact::Name { name, source: NameSource::Sni, .. } => Some(name.to_string()),
        _ => None,
    });
    let names = detail("alpn").and_then(|value| if let DetailValue::List(names) = value { Some(names) } else { None });
    let alpn = names.into_iter().flat_map(Lines::iter).map(str::to_owned).collect();
    (name, alpn, detail("offered").and_then(|value| value.as_str()).unwrap_or_default().to_owned())
}

/// As the details of a flow record print it.
fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL 3.0".into(),
        0x0301..=0x0304 => format!("1.{}", version - 0x0301),
        0x7f00..=0x7fff | 0xfb17..=0xfb1a => "1.3".into(),
        other => format!("0x{other:04x}"),
    }
}

fn tls_flows(path: &Path) -> Vec<(Vec<u8>, Box<Identified>)> {
    let books = Books::default();
    let mut both = Both { identifier: Identifier::new(&books), streams: BTreeMap::new(), tls: Vec::new() };
    let mut table = FlowTable::new(Settings::default());
    if let Ok(mut source) = capture::open(&[path.to_owned()], Options::default()) {
        let mut read = |table: &mut FlowTable, both: &mut Both<'_>| {
            source.read(&mut |frames| {
                let mut packets = Vec::new();
                decode_batch(frames, &mut packets);
                table.push(&packets, both);
            })
        };
        while matches!(read(&mut table, &mut both), Ok(Progress::More)) {}
    }
    table.finish(&mut both);
    both.tls
}

/// Captures of at most a megabyte, in the order of their names.
fn small_files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if entry.metadata().is_ok_and(|about| about.len() < 1 << 20) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
