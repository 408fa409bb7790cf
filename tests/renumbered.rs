//! A mirror port that shows both sides of a firewall which gives connections other sequence numbers, as Cisco's ASA does: every recorded capture, seen so, is judged as it was recorded.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop the test")]

#[path = "shared/plan.rs"]
mod plan;
#[path = "shared/recorded.rs"]
mod recorded;

use std::collections::HashMap;
use std::path::Path;

use portbook::judge::Telling;
use portbook::signature::Signatures;

use recorded::{Frames, frames_of, recorded, written};

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
