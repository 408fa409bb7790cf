//! The road from captures to a report: the only file that names all the rooms.
//!
//! Workers share nothing on the way of a packet. Each reads the captures and keeps the packets of its shard, an address pair's
//! traffic always in one; what must cross (names, announcements) is written to [`Books`] and read when flows are judged, after
//! the last packet. So the report does not depend on the number of workers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use crate::capture::{self, Captures, Filter, Frame, Progress, Source, SourceError};
use crate::decode::{self, Packet};
use crate::flow::{self, FlowTable};
use crate::identify::{Books, Identified, Identifier};
use crate::judge::{Gatherer, Judge, Judged, Site};
use crate::limit::BATCH;
use crate::net::Endpoint;
use crate::report::{Digest, Losses, Report};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// What to read and how.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Files, folders, `-`.
    pub captures: &'a [PathBuf],
    /// Read only what passes this filter (libpcap's language).
    pub filter: Option<&'a str>,
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

/// Reads the captures, judges every flow and hands it to `each`, in order of the flows' first packets.
///
/// # Errors
/// No capture could be opened, or the filter is none. A capture that ends badly is reported in [`Report::files`].
pub fn run<'a>(plan: Plan<'a>, progress: OnProgress<'_>, each: &mut dyn FnMut(&Judged)) -> Result<Report<'a>, SourceError> {
    let books = Books::default();
    let mut read = read_all(&plan, &books, progress)?;
    read.flows.sort_by_cached_key(order);
    let mut judge = Judge::new(plan.signatures, plan.site, &books);
    for identified in &read.flows {
        judge.learn(identified);
    }
    let (mut digest, mut gatherer) = (Digest::default(), Gatherer::new(plan.signatures));
    for identified in read.flows {
        let judged = judge.judge(identified);
        digest.add(&judged);
        gatherer.add(&judged);
        each(&judged);
    }
    let losses = Losses { names_and_promises: books.lost(), findings: gatherer.dropped(), ..read.losses };
    let (findings, coverage) = gatherer.finish(&judge);
    Ok(Report {
        signatures: plan.signatures,
        site: judge.site().name.clone(),
        files: read.files,
        interfaces: read.interfaces,
        span: read.span,
        wire_bytes: read.wire_bytes,
        digest,
        findings,
        coverage,
        visibility: judge.visibility(),
        losses,
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
    losses: Losses,
}

/// Reads with as many workers as help: one, where the captures can be read only once or are compressed.
fn read_all(plan: &Plan<'_>, books: &Books, progress: OnProgress<'_>) -> Result<Read, SourceError> {
    let first = open(plan)?;
    let shards = if first.is_cheap_to_read_again() { plan.workers.max(1) } else { 1 };
    std::thread::scope(|scope| {
        let other = |number| move || open(plan).map(|source| read_shard(plan, books, source, Shard { number, of: shards }, &|_, _| {}));
        let others: Vec<_> = (1..shards).map(|number| scope.spawn(other(number))).collect();
        let mut all = read_shard(plan, books, first, Shard { number: 0, of: shards }, progress);
        for other in others {
            let read = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.flows.extend(read.flows);
            all.losses.merge(read.losses);
        }
        Ok(all)
    })
}

fn open(plan: &Plan<'_>) -> Result<Captures, SourceError> {
    let filter = plan.filter.map(Filter::compile).transpose()?;
    capture::open(plan.captures, capture::Options { filter })
}

/// Which part of the traffic a worker keeps.
#[derive(Clone, Copy)]
struct Shard {
    number: usize,
    of: usize,
}

/// One worker's way through the captures. What is counted of files and frames is the same for every shard; the first one's is kept.
fn read_shard(plan: &Plan<'_>, books: &Books, mut source: Captures, shard: Shard, progress: OnProgress<'_>) -> Read {
    let mut read = Read::default();
    let mut table = FlowTable::new(plan.flows.clone());
    let mut identifier = Identifier::new(books);
    loop {
        let step = source.read(&mut |frames| {
            read.span_and_bytes(frames);
            // On the stack: an allocation of this size makes the allocator tidy up behind all the small ones, batch after batch.
            let mut packets: SmallVec<[Packet<'_>; BATCH]> = SmallVec::new();
            decode::decode_batch(frames, &mut packets);
            if shard.of > 1 {
                packets.retain(|packet| flow::shard_of(packet, shard.of) == shard.number);
            }
            table.push(&packets, &mut identifier);
        });
        // Every worker meets the same ones.
        for (ip, name) in source.take_names().into_iter().filter(|_| shard.number == 0) {
            books.record_name(ip, &name);
        }
        let (done, all) = source.position();
        progress(done, all);
        // A file that ends badly is noted in its own record, and the source goes on with the next one.
        if matches!(step, Ok(Progress::End)) || plan.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if let Some((_, last)) = read.span {
        // The other shards' packets count for what is over, too.
        table.advance(last, &mut identifier);
    }
    table.finish(&mut identifier);
    read.flows = identifier.take_closed();
    read.losses = Losses { flows: table.counts().clone(), facts: identifier.facts_dropped(), files_skipped: source.skipped(), ..Losses::default() };
    read.files = source.files().to_vec();
    read.interfaces = source.interfaces().to_vec();
    read
}

impl Read {
    fn span_and_bytes(&mut self, frames: &[Frame<'_>]) {
        for frame in frames {
            self.wire_bytes += u64::from(frame.wire_len);
            self.span = Some(self.span.map_or((frame.time, frame.time), |(first, last)| (first.min(frame.time), last.max(frame.time))));
        }
    }
}

/// Flows are reported in order of their first packet; the ends decide between flows that begin with one frame.
fn order(identified: &Identified) -> (Timestamp, capture::FrameId, Endpoint, Endpoint) {
    let flow = &identified.flow;
    (flow.first, flow.first_frame, flow.client.endpoint, flow.server.endpoint)
}
