//! What a record says has matched, held against the frame that it cites: a colleague who opens that finds these bytes in it. And what is shown of how a side of a datagram flow
//! began, for which no frame is cited: some frame has all of it.
//!
//! All shared captures that are small; the others, too, with `PORTBOOK_ALL=1`.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests stop the test, and say what is skipped")]

#[path = "shared/plan.rs"]
mod plan;
mod shared;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use portbook::capture::{self, FrameId, Options, Progress, Source};
use portbook::flow::Flow;
use portbook::judge::{Judged, Telling};
use portbook::net::{Side, Transport};
use portbook::report::Report;
use portbook::signature::Signatures;

/// Bytes of each frame.
type Frames = HashMap<FrameId, Vec<u8>>;

#[test]
fn what_matched_stands_in_the_frame_that_is_cited() {
    let each = |capture: &Path, judged: &Judged, frames: &Frames, seen: &mut Seen| {
        let identified = &judged.identified;
        for found in &identified.matches {
            let bytes = identified.matched(found);
            let is_stream = identified.flow.transport == Transport::TCP;
            let is_in = |frame: &Vec<u8>| stands_in(frame, bytes) || is_stream && begins_at_end_of(frame, bytes);
            let is_there = bytes.is_empty() || frames.get(&found.frame).is_some_and(is_in);
            seen.note(!bytes.is_empty(), is_there, || format!("{}: {} {found:?}", capture.display(), ends(&identified.flow)));
        }
    };
    hold("matches", &each);
}

/// A stream's may come in several segments.
#[test]
fn a_side_of_a_datagram_flow_began_with_bytes_of_one_datagram() {
    let each = |capture: &Path, judged: &Judged, frames: &Frames, seen: &mut Seen| {
        let identified = &judged.identified;
        let openings = [Side::Client, Side::Server].map(|side| (side, &identified.opening[side as usize]));
        for (side, opening) in openings.into_iter().filter(|(_, opening)| identified.flow.transport != Transport::TCP && !opening.is_empty()) {
            let is_there = |frame: &Vec<u8>| stands_in(frame, opening);
            seen.note(true, frames.values().any(is_there), || format!("{}: {} {side:?}", capture.display(), ends(&identified.flow)));
        }
    };
    hold("openings", &each);
}

/// What was looked at, and what was wrong.
#[derive(Default)]
struct Seen {
    held: usize,
    wrong: Vec<String>,
}

impl Seen {
    fn note(&mut self, counts: bool, is_right: bool, what: impl FnOnce() -> String) {
        self.held += usize::from(counts);
        self.wrong.extend((!is_right).then(what));
    }
}

/// Looks at each flow of each capture.
fn hold(what: &str, each: &(dyn Fn(&Path, &Judged, &Frames, &mut Seen) + Sync)) {
    let captures = shared::captures(1);
    if captures.is_empty() {
        return;
    }
    let seen = Mutex::new(Seen::default());
    shared::side_by_side(&captures, |capture| {
        let frames = frames_of(capture);
        let mut here = Seen::default();
        let has_fragments = flows_of(capture, &mut |judged| each(capture, judged, &frames, &mut here));
        // What is gathered from fragments stands in none of them.
        if !has_fragments {
            let mut seen = seen.lock().unwrap();
            seen.held += here.held;
            seen.wrong.append(&mut here.wrong);
        }
    });
    let Seen { held, wrong } = seen.into_inner().unwrap();
    eprintln!("{held} {what} held");
    assert!(held > 1_000, "{held}");
    assert!(wrong.is_empty(), "{} of {held} {what}:\n{}", wrong.len(), wrong.join("\n"));
}

fn stands_in(frame: &[u8], bytes: &[u8]) -> bool {
    frame.windows(bytes.len()).any(|window| window == bytes)
}

/// Whether the frame ends with the first of the bytes: what follows is in the next segment.
fn begins_at_end_of(frame: &[u8], bytes: &[u8]) -> bool {
    (1..bytes.len()).any(|len| frame.ends_with(&bytes[..len]))
}

fn ends(flow: &Flow) -> String {
    format!("{} {} {}", flow.transport, flow.client.endpoint, flow.server.endpoint)
}

fn frames_of(capture: &Path) -> Frames {
    let Ok(mut source) = capture::open(&[capture.to_owned()], Options { filter: None }) else { return Frames::new() };
    let mut frames = Frames::new();
    while let Ok(Progress::More) = source.read(&mut |batch| frames.extend(batch.iter().map(|frame| (frame.id, frame.bytes.to_vec())))) {}
    frames
}

/// Whether there were fragments.
fn flows_of(capture: &Path, each: &mut dyn FnMut(&Judged)) -> bool {
    let has_fragments = |report: Report<'_>| report.losses.flows.fragments.fragments > 0;
    plan::read(capture, Signatures::built_in(), Vec::new(), Telling::Judgement, each, has_fragments).unwrap_or(false)
}
