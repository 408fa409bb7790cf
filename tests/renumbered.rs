//! A mirror port that shows both sides of a firewall which gives connections other sequence numbers, as Cisco's ASA does: every recorded capture, seen so, is judged as it was recorded.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop the test")]

#[path = "shared/plan.rs"]
mod plan;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use portbook::capture::{self, Options, Progress, Source};
use portbook::judge::Telling;
use portbook::signature::Signatures;

/// When, in nanoseconds, and the bytes from the Ethernet header on.
type Frames = Vec<(i64, Vec<u8>)>;

#[test]
fn what_both_sides_show_is_judged_as_what_one_shows() {
    let folder = tempfile::tempdir().unwrap();
    let mut held = 0;
    for capture in recorded() {
        let frames = frames_of(&capture);
        let alone = judged(&written(&frames, &folder.path().join("alone.pcap")));
        for (number, added) in [[0x9123_4567, 0x4321_0fed], [0xffff_0000, 0], [0, 77_000]].into_iter().enumerate() {
            // Nothing tells of other numbers of a server that is not heard.
            if added[0] == 0 && capture.ends_with("mqtt-tls-one-sided/capture.pcap") {
                continue;
            }
            let both = judged(&written(&both_sides(&frames, added), &folder.path().join(format!("both{number}.pcap"))));
            assert_eq!(both, alone, "{} {added:x?}", capture.display());
        }
        held += alone.0.iter().filter(|flow| flow.starts_with("tcp")).count();
    }
    // Outcomes of every kind, blocked ones among them.
    assert!(held > 150, "{held}");
}

/// Those of one file on one Ethernet link.
fn recorded() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures")).unwrap();
    let mut captures: Vec<_> = folders.map(|folder| folder.unwrap().path().join("capture.pcap")).filter(|capture| capture.exists()).collect();
    captures.sort();
    captures
}

fn frames_of(capture: &Path) -> Frames {
    let mut frames = Vec::new();
    let mut source = capture::open(&[capture.to_owned()], Options { filter: None }).unwrap();
    while !matches!(source.read(&mut |some| frames.extend(some.iter().map(|frame| (frame.time.nanos(), frame.bytes.to_vec())))).unwrap(), Progress::End) {}
    frames
}

/// Each TCP packet once more two microseconds later. What is added to the numbers of client and server on their way out changes what is seen outside, where other MAC addresses are.
fn both_sides(frames: &Frames, added: [u32; 2]) -> Frames {
    // By its ends, who sent the first packet of each, and whether the other one named its number: who refuses has none.
    let mut openers: HashMap<[[u8; 6]; 2], ([u8; 6], bool)> = HashMap::new();
    let mut seen = Frames::new();
    for (time, inside) in frames {
        let Some(at) = tcp_of(inside) else {
            seen.push((*time, inside.clone()));
            continue;
        };
        let end = |address: usize, port: usize| -> [u8; 6] { [&inside[address..address + 4], &inside[port..port + 2]].concat().try_into().unwrap() };
        let (from, to) = (end(26, at), end(30, at + 2));
        let mut ends = [from, to];
        ends.sort_unstable();
        let (opener, is_named) = openers.entry(ends).or_insert((from, false));
        let is_client = *opener == from;
        *is_named |= !is_client && inside[at + 13] & 2 != 0;
        let server = if *is_named { added[1] } else { 0 };
        let [own, other] = if is_client { [added[0], server] } else { [server, added[0]] };
        let mut outside = inside.clone();
        (outside[3], outside[9]) = (outside[3] ^ 0x55, outside[9] ^ 0x55);
        let mut add = |place: usize, more: u32| {
            let number = u32::from_be_bytes(outside[place..place + 4].try_into().unwrap()).wrapping_add(more);
            outside[place..place + 4].copy_from_slice(&number.to_be_bytes());
        };
        add(at + 4, own);
        // What acknowledges nothing has zero there.
        if inside[at + 13] & 0x10 != 0 {
            add(at + 8, other);
        }
        let (first, second) = if is_client { (inside.clone(), outside) } else { (outside, inside.clone()) };
        seen.extend([(*time, first), (time + 2_000, second)]);
    }
    seen.sort_by_key(|(time, _)| *time);
    seen
}

/// Where the header of an unfragmented TCP packet over IPv4 begins.
fn tcp_of(frame: &[u8]) -> Option<usize> {
    let is_tcp = frame.get(12..14)? == [8, 0] && frame.get(23)? == &6 && frame.get(20)? & 0x3f == 0 && frame.get(21)? == &0;
    let at = 14 + usize::from(frame[14] & 15) * 4;
    (is_tcp && frame.len() >= at + 20).then_some(at)
}

/// As a pcap file with nanoseconds.
fn written(frames: &Frames, path: &Path) -> PathBuf {
    let mut file: Vec<u8> = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, 1].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    for (time, bytes) in frames {
        let len = bytes.len() as u32;
        let record = [time.div_euclid(1_000_000_000) as u32, time.rem_euclid(1_000_000_000) as u32, len, len];
        file.extend(record.iter().flat_map(|word| word.to_le_bytes()));
        file.extend(bytes);
    }
    std::fs::write(path, file).unwrap();
    path.to_owned()
}

/// What is said of each flow, and how many findings of which flows there are.
fn judged(capture: &Path) -> (Vec<String>, Vec<usize>) {
    let mut flows = Vec::new();
    let mut each = |judged: &portbook::judge::Judged| {
        let flow = &judged.identified.flow;
        // A reset without an identification counts twice where only its MAC addresses tell its copies apart, as it does without such a firewall.
        let sent = [&flow.client, &flow.server].map(|end| end.payload_bytes);
        let (history, protocols) = (flow.history.as_str(), &judged.identified.protocol);
        let said = (history, protocols, judged.identified.evidence, judged.verdict, &judged.outcome);
        flows.push(format!("{} {} {} {sent:?} {said:?}", flow.transport, flow.client.endpoint, flow.server.endpoint));
    };
    let findings = plan::read(capture, Signatures::built_in(), Vec::new(), Telling::Judgement, &mut each, |report| {
        report.findings.iter().map(|finding| finding.flows as usize).collect()
    });
    flows.sort();
    (flows, findings.unwrap())
}
