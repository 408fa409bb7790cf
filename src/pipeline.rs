//! The road from captures to a report: the only file that names all the rooms.
//!
//! Workers share nothing on the way of a packet. Each reads the captures and keeps the packets of its shard, an address pair's
//! traffic always in one; what must cross (names, announcements) is written to [`Books`] and read when flows are judged, after
//! the last packet. So the report does not depend on the number of workers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::capture::{self, Captures, Frame, Progress, Source, SourceError};
use crate::count::Tally;
use crate::decode::{self, Content};
use crate::flow::{self, FlowTable};
use crate::identify::{Books, Identified, Identifier};
use crate::judge::{Gatherer, Judge, Site};
use crate::net::Endpoint;
use crate::report::Report;
use crate::signature::Signatures;
use crate::time::Timestamp;

/// What to read and how.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Files, folders, `-`.
    pub captures: &'a [PathBuf],
    /// How to read them.
    pub reading: capture::Options,
    /// How to gather flows.
    pub flows: flow::Settings,
    /// Most threads to use.
    pub workers: usize,
    /// The documents.
    pub signatures: &'a Signatures,
    /// What the operator says about the network.
    pub site: Site,
    /// Raised to end reading early; what was read is reported.
    pub stop: &'a AtomicBool,
}

/// Told now and then how many bytes were read, and of how many.
pub type OnProgress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

/// Reads the captures and judges every flow.
///
/// # Errors
/// No capture could be opened. A capture that ends badly is reported in [`Report::files`].
pub fn run<'a>(plan: Plan<'a>, progress: OnProgress<'_>) -> Result<Report<'a>, SourceError> {
    let books = Books::default();
    let mut read = read_all(&plan, &books, progress)?;
    read.flows.sort_by_cached_key(order);
    let mut judge = Judge::new(plan.signatures, plan.site, &books);
    for identified in &read.flows {
        judge.learn(identified);
    }
    let mut gatherer = Gatherer::new(plan.signatures);
    let mut flows = Vec::with_capacity(read.flows.len());
    for identified in read.flows {
        let judged = judge.judge(identified);
        gatherer.add(&judged);
        flows.push(judged);
    }
    let (findings, coverage) = gatherer.finish(&judge);
    Ok(Report {
        signatures: plan.signatures,
        files: read.files,
        interfaces: read.interfaces,
        span: read.span,
        wire_bytes: read.wire_bytes,
        flows,
        findings,
        coverage,
        visibility: judge.visibility(),
        faults: read.faults,
        other_frames: read.other_frames,
        notes: read.notes,
        interrupted: plan.stop.load(Ordering::Relaxed),
    })
}

/// What reading yields, over all shards.
#[derive(Default)]
struct Read {
    files: Vec<capture::CaptureFile>,
    interfaces: Vec<capture::Interface>,
    span: Option<(Timestamp, Timestamp)>,
    wire_bytes: u64,
    flows: Vec<Identified>,
    faults: Tally<String>,
    other_frames: Tally<String>,
    notes: Tally<String>,
}

/// Reads with as many workers as help: one, where the captures can only be read once or are compressed.
fn read_all(plan: &Plan<'_>, books: &Books, progress: OnProgress<'_>) -> Result<Read, SourceError> {
    let first = capture::open(plan.captures, &plan.reading)?;
    let shards = if first.is_rereadable() { plan.workers.max(1) } else { 1 };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..shards)
            .map(|shard| {
                scope.spawn(move || {
                    let source = capture::open(plan.captures, &plan.reading)?;
                    Ok(read_shard(plan, books, source, Shard { number: shard, of: shards }, &|_, _| {}))
                })
            })
            .collect();
        let mut all = read_shard(plan, books, first, Shard { number: 0, of: shards }, progress);
        for other in others {
            let read: Read = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.flows.extend(read.flows);
            all.notes.merge(read.notes);
        }
        Ok(all)
    })
}

#[derive(Clone, Copy)]
struct Shard {
    number: usize,
    of: usize,
}

/// One worker's way through the captures. What is counted of frames, the first shard counts for all.
fn read_shard(plan: &Plan<'_>, books: &Books, mut source: Captures, shard: Shard, progress: OnProgress<'_>) -> Read {
    let mut read = Read::default();
    let mut table = FlowTable::new(plan.flows.clone());
    let mut identifier = Identifier::new(books);
    loop {
        let step = source.read(&mut |frames: &[Frame<'_>]| {
            let mut packets = Vec::with_capacity(frames.len());
            decode::decode_batch(frames, &mut packets);
            if shard.number == 0 {
                read.count(frames, &packets);
            }
            if shard.of > 1 {
                packets.retain(|packet| flow::shard_of(packet, shard.of) == shard.number);
            }
            table.push(&packets, &mut identifier);
        });
        for (ip, name) in source.take_names() {
            books.name_from_capture(ip, &name);
        }
        let (done, all) = source.position();
        progress(done, all);
        // A file that ends badly is noted in its own record; the source goes on with the next one.
        if matches!(step, Ok(Progress::End)) || plan.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    table.finish(&mut identifier);
    read.flows = identifier.take_closed();
    read.notes.merge(table.notes());
    read.notes.merge(identifier.notes());
    read.files = source.files().to_vec();
    read.interfaces = source.interfaces().to_vec();
    read
}

impl Read {
    fn count(&mut self, frames: &[Frame<'_>], packets: &[decode::Packet<'_>]) {
        for frame in frames {
            self.wire_bytes += u64::from(frame.wire_len);
            self.span = Some(self.span.map_or((frame.time, frame.time), |(first, last)| (first.min(frame.time), last.max(frame.time))));
        }
        for packet in packets {
            if let Some(fault) = &packet.fault {
                self.faults.one(fault.to_string());
            }
            match packet.content {
                Content::Ip(..) | Content::Nothing => {}
                Content::Arp(_) => self.other_frames.one("arp".to_owned()),
                Content::Other(kind) => self.other_frames.one(kind.to_string()),
            }
        }
    }
}

/// Flows are reported in order of their first packet; the ends decide between flows that begin with one frame.
fn order(identified: &Identified) -> (Timestamp, capture::FrameId, Endpoint, Endpoint) {
    let flow = &identified.flow;
    (flow.first, flow.first_frame, flow.client.endpoint, flow.server.endpoint)
}
