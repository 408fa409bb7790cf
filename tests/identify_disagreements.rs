//! The list of disagreements with other tools about what flows of the shared captures are, held against those captures: each flow is there, is called what the list
//! says, and shows the bytes that the list judges by.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests stop the test, and say what is skipped")]

#[path = "shared/place.rs"]
mod place;

use std::collections::BTreeMap;
use std::path::Path;

use portbook::capture::{self, Options, Progress, Source};
use portbook::decode::decode_batch;
use portbook::flow::{Data, Flow, FlowTable, Observer, Parties, Settings, Slot, Want};
use portbook::identify::{Books, Identifier};

/// One line of the list.
struct Row<'a> {
    judgement: &'a str,
    file: &'a str,
    flow: Key,
    ours: &'a str,
    bytes: Vec<u8>,
}

/// Transport and both ends, smaller first.
type Key = (String, [String; 2]);

#[test]
fn every_disagreement_with_other_tools_is_in_the_captures_as_listed() {
    let Some(shared) = place::shared() else { return };
    let files = shared.join("files");
    let mut by_file: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
    for row in LIST.lines().filter(|line| !line.starts_with('#')).skip(1).map(row) {
        assert!(["ours_right", "label_right", "undecidable"].contains(&row.judgement), "{}", row.judgement);
        by_file.entry(row.file).or_default().push(row);
    }
    for (file, rows) in by_file {
        let flows = flows(&files.join(file));
        for Row { flow, ours, bytes, .. } in rows {
            let (said, payload) = flows.get(&flow).ok_or_else(|| format!("{file}: no flow {flow:?}")).unwrap();
            assert_eq!(said, ours, "{file}: {flow:?}");
            assert!(bytes.is_empty() || payload.windows(bytes.len()).any(|part| part == bytes), "{file}: {flow:?} does not hold {bytes:02x?}");
        }
    }
}

fn row(line: &str) -> Row<'_> {
    let columns: [&str; 9] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
    let [judgement, file, transport, client, server, _label, ours, bytes, why] = columns;
    assert!(!why.is_empty(), "a judgement has a reason: {line}");
    let bytes = (0..bytes.len() / 2).map(|at| u8::from_str_radix(&bytes[2 * at..2 * at + 2], 16).unwrap()).collect();
    Row { judgement, file, flow: key(transport, client.to_owned(), server.to_owned()), ours, bytes }
}

fn key(transport: &str, a: String, b: String) -> Key {
    let mut ends = [a, b];
    ends.sort();
    (transport.to_owned(), ends)
}

/// Notes the beginning of each flow's payload, both sides in order of arrival.
struct Noted<'b> {
    identifier: Identifier<'b>,
    payload: BTreeMap<Slot, Vec<u8>>,
    flows: BTreeMap<Key, (String, Vec<u8>)>,
}

impl Observer for Noted<'_> {
    fn opened(&mut self, slot: Slot) {
        self.payload.insert(slot, Vec::new());
        self.identifier.opened(slot);
    }

    fn data(&mut self, slot: Slot, parties: &Parties, data: Data<'_>) -> Want {
        let payload = self.payload.entry(slot).or_default();
        if payload.len() < KEPT {
            payload.extend_from_slice(data.bytes);
        }
        self.identifier.data(slot, parties, data)
    }

    fn closed(&mut self, slot: Slot, flow: Flow) {
        // An address and a port are written with one colon between, of either family.
        let end = |end: &portbook::flow::End| format!("{}:{}", end.endpoint.ip, end.endpoint.port);
        let key = key(&flow.transport.to_string(), end(&flow.client), end(&flow.server));
        self.identifier.closed(slot, flow);
        let protocol = self.identifier.ended().remove(0).protocol.join("/");
        let said = if protocol.is_empty() { "-".to_owned() } else { protocol };
        let payload = self.payload.remove(&slot).unwrap_or_default();
        // Of several flows between the same ends the first that says something counts.
        let known = self.flows.entry(key).or_insert_with(|| ("-".to_owned(), Vec::new()));
        if known.0 == "-" {
            known.0 = said;
        }
        known.1.extend(payload);
    }
}

fn flows(path: &Path) -> BTreeMap<Key, (String, Vec<u8>)> {
    let books = Books::default();
    let mut noted = Noted { identifier: Identifier::new(&books), payload: BTreeMap::new(), flows: BTreeMap::new() };
    let mut table = FlowTable::new(Settings::default());
    let mut source = capture::open(&[path.to_owned()], Options::default()).unwrap();
    let mut read = |table: &mut FlowTable, noted: &mut Noted<'_>| {
        source.read(&mut |frames| {
            let mut packets = Vec::new();
            decode_batch(frames, &mut packets);
            table.push(&packets, noted);
        })
    };
    while matches!(read(&mut table, &mut noted), Ok(Progress::More)) {}
    table.finish(&mut noted);
    noted.flows
}

const LIST: &str = include_str!("data/identify_disagreements.tsv");
/// Payload bytes noted of a flow.
const KEPT: usize = 4096;
