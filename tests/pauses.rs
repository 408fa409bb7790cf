//! A capture that ends in the middle, and another that begins minutes or days later: of the time between nobody knows anything, so flows in flight are told as they are at the
//! end of the first one alone. Every recorded capture is cut so, at several places.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop the test")]

#[path = "shared/plan.rs"]
mod plan;
#[path = "shared/recorded.rs"]
mod recorded;

use std::path::Path;

use portbook::capture::{self, Options, Progress, Source};
use portbook::judge::Telling;
use portbook::net::Transport;
use portbook::signature::Signatures;

use recorded::{frames_of, recorded, written};

#[test]
fn flows_in_flight_are_told_as_at_the_end_of_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let (alone, paused) = (folder.path().join("alone"), folder.path().join("paused"));
    [&alone, &paused].into_iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let (mut flows, mut cut) = (0, 0);
    for capture in recorded() {
        let frames = frames_of(&capture);
        for parts in 1..CUTS {
            let before = &frames[..frames.len() * parts / CUTS];
            let Some(last) = before.iter().map(|(time, _)| *time).max() else { continue };
            for folder in [&alone, &paused] {
                written(before, &folder.join("a.pcap"));
            }
            let told = judged(&alone);
            for seconds in [70, 600, 86_400] {
                written(&[(last + seconds * SECOND, stranger())], &paused.join("b.pcap"));
                assert_eq!(judged(&paused), told, "{} cut after {} frames, {seconds} s", capture.display(), before.len());
            }
            flows += told.len();
            cut += 1;
        }
    }
    assert!(cut >= 300 && flows > 1_000, "{cut} captures, {flows} flows");
}

#[test]
fn a_short_pause_between_rotated_files_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/demo/capture.pcap");
    let frames = frames_of(&capture);
    let whole = folder.path().join("whole");
    let rotated = folder.path().join("rotated");
    [&whole, &rotated].into_iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    written(&frames, &whole.join("a.pcap"));
    for (number, some) in frames.chunks(20).enumerate() {
        written(some, &rotated.join(format!("{number:02}.pcap")));
    }
    assert_eq!(judged(&rotated), judged(&whole));
}

#[test]
fn the_source_tells_when_nothing_was_captured() {
    let folder = tempfile::tempdir().unwrap();
    let at = |seconds: i64| (seconds * SECOND, stranger());
    // The second one begins while the first one goes on, and ends before it does.
    let files = [vec![at(10), at(20)], vec![at(12), at(15)], vec![at(50), at(51)], vec![at(51), at(52)]];
    for (number, frames) in files.iter().enumerate() {
        written(frames, &folder.path().join(format!("{number}.pcap")));
    }
    let mut source = capture::open(&[folder.path().to_owned()], Options::default()).unwrap();
    let (mut told, mut lent) = (Vec::new(), 0);
    while source.read(&mut |frames| lent += frames.len()).unwrap() == Progress::More {
        told.extend(source.take_pauses().into_iter().map(|pause| (pause.from.nanos() / SECOND, pause.to.nanos() / SECOND, lent)));
    }
    assert_eq!((told, lent), (vec![(20, 50, 4)], 8));
}

#[test]
fn a_gap_of_an_hour_in_a_file_is_a_pause() {
    // The times of frames, and the pause that is told, with how many frames are lent before. One frame alone may have a wrong date.
    let gaps: [(&[i64], _); 3] = [
        (&[10, 20, 3_619, 7_219, 7_220], Some((3_619, 7_219, 3))),
        (&[10, 20, 3_619, 7_218, 7_220], None),
        (&[10, 20, 900_000, 30, 3_629, 7_229, 7_230], Some((3_629, 7_229, 5))),
    ];
    for (times, gap) in gaps {
        let file = tempfile::tempdir().unwrap();
        let frames: Vec<_> = times.iter().map(|seconds| (seconds * SECOND, stranger())).collect();
        written(&frames, &file.path().join("a.pcap"));
        let mut source = capture::open(&[file.path().to_owned()], Options::default()).unwrap();
        let (mut told, mut lent) = (Vec::new(), 0);
        while source.read(&mut |frames| lent += frames.len()).unwrap() == Progress::More {
            told.extend(source.take_pauses().into_iter().map(|pause| (pause.from.nanos() / SECOND, pause.to.nanos() / SECOND, lent)));
        }
        assert_eq!((told, lent), (Vec::from_iter(gap), times.len()));
    }
}

/// A datagram between two hosts that no recorded capture knows, to the discard service (RFC 863).
fn stranger() -> Vec<u8> {
    let frame = etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4([203, 0, 113, 201], [203, 0, 113, 202], 64).udp(40_000, 9);
    let mut bytes = Vec::new();
    frame.write(&mut bytes, b"portbook").unwrap();
    bytes
}

/// What is said of each flow but the stranger's.
fn judged(folder: &Path) -> Vec<String> {
    let mut flows = Vec::new();
    let mut each = |judged: &portbook::judge::Judged| {
        let flow = &judged.identified.flow;
        if (flow.transport, flow.server.endpoint.port) == (Transport::UDP, 9) {
            return;
        }
        let said = (judged.verdict, judged.outcome, judged.confidence, judged.cause.as_ref().map(|cause| cause.rule));
        flows.push(format!("{} {} {} {said:?}", flow.transport, flow.client.endpoint, flow.server.endpoint));
    };
    plan::read(folder, Signatures::built_in(), Vec::new(), Telling::Judgement, &mut each, |_| ()).unwrap();
    flows.sort();
    flows
}

/// Nanoseconds.
const SECOND: i64 = 1_000_000_000;
/// Each capture is cut at so many places, less one.
const CUTS: usize = 8;
