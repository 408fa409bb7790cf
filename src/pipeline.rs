//! The road from captures to a report: the only file that names all the rooms.
//!
//! Workers share nothing on the way of a packet but the bytes of the captures, which are read once. Each is lent all frames and keeps the packets of its shard, an address pair's
//! traffic always in one; what must cross (names, announcements) is written to [`Books`] and read when flows are judged. Flows go to the
//! judge in [rounds](ROUND) of frames: one round of all shards after the other, each in order of the flows' first packets. A flow of a round is judged
//! once every shard has passed it. So the report does not depend on the number of workers.

mod panel;
pub mod recent;
mod shards;
pub mod stretch;
#[cfg(test)]
mod tests;
pub mod watch;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use self::panel::Panel;
use self::shards::Back;
use crate::capture::{self, Dropped, Filter, Frame, Pause, Progress, Share, SourceError};
use crate::decode::{self, Packet};
use crate::flow::{self, FlowTable, Neighbour, Shard};
use crate::identify::{Books, Identified, Identifier};
use crate::judge::{Docket, Gatherer, Judge, Judged, Site, Telling, put_in_order};
use crate::limit::{
    BATCH, BATCHES_JUDGED_AHEAD, FLOWS_AWAKE_FOR_RECORDS, FRAGMENT_BYTES, JUDGED_A_BATCH, LIVE_FLOW_BYTES, MEMORY, MEMORY_LEAST, MEMORY_OF_KNOWLEDGE,
};
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
    /// Most bytes of memory to use, at least [`limit::MEMORY_LEAST`](crate::limit::MEMORY_LEAST): what live flows hold is bounded accordingly.
    pub memory: usize,
    /// The documents.
    pub signatures: &'a Signatures,
    /// What the operator says about the network.
    pub site: Site,
    /// What is told of each flow beyond its judgement.
    pub telling: Telling,
    /// Whether each flow is to be accounted for, row by row: for a single one that somebody asks about.
    pub accounts: bool,
    /// Raised to end reading early; what was read is reported.
    pub stop: &'a AtomicBool,
}

impl<'a> Plan<'a> {
    /// Reads these captures as where no option is given: one worker, the usual bounds, the documents that are built in, of a network of which nothing is known.
    pub fn of(captures: &'a [PathBuf], stop: &'a AtomicBool) -> Self {
        Self {
            captures,
            filter: None,
            flows: flow::Settings::default(),
            workers: 1,
            memory: MEMORY,
            signatures: Signatures::built_in(),
            site: Site::default(),
            telling: Telling::Judgement,
            accounts: false,
            stop,
        }
    }
}

/// Told now and then how many bytes were read, and of how many.
pub type OnProgress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

/// Reads the captures, judges every flow and hands it to `each`, in the order they end; those that end with the capture, and all of a capture of no
/// more than [`limit::FLOWS_AWAITING`](crate::limit::FLOWS_AWAITING) flows, in the order of their first packets.
///
/// # Errors
/// No capture could be opened, or the filter is none. A capture that ends badly is reported in [`Report::files`].
pub fn run<'a>(plan: Plan<'a>, progress: OnProgress<'_>, each: &mut dyn FnMut(&Judged)) -> Result<Report<'a>, SourceError> {
    let (books, mut gathered) = (Books::default(), Gathered::of(&plan));
    let judged = judge_all(&plan, &books, false, progress, &mut |judged, back| {
        gathered.add(&judged);
        each(&judged);
        back.give(back.maker(&judged), judged);
    })?;
    Ok(gathered.report(&plan, &books, judged))
}

/// The same on three threads at least: some read, one judges and gathers flows for the report, and here `each` is called, for the same flows in the same
/// order. Formats that print each flow work long on it; so nobody waits for them, and few flows are packed.
///
/// # Errors
/// Those of [`run`].
pub fn run_beside<'a>(mut plan: Plan<'a>, progress: OnProgress<'_>, each: &mut dyn FnMut(&Judged)) -> Result<Report<'a>, SourceError> {
    plan.flows.awake_flows = FLOWS_AWAKE_FOR_RECORDS;
    let books = Books::default();
    let (judged, gathered) = std::thread::scope(|scope| {
        // Judged flows, each with the number of its maker.
        let (sender, receiver) = crossbeam_channel::bounded::<Vec<(Judged, usize)>>(BATCHES_JUDGED_AHEAD);
        let (giver, given_back) = crossbeam_channel::bounded(BATCHES_JUDGED_AHEAD);
        let (plan, books) = (&plan, &books);
        let judging = scope.spawn(move || {
            let (mut batch, mut gathered) = (Vec::with_capacity(JUDGED_A_BATCH), Gathered::of(plan));
            // Where the taker is gone it has panicked, and its panic is the one to tell.
            let judged = judge_all(plan, books, true, progress, &mut |judged, back| {
                gathered.add(&judged);
                let maker = back.maker(&judged);
                batch.push((judged, maker));
                if batch.len() >= JUDGED_A_BATCH {
                    let mut next: Vec<(Judged, usize)> = given_back.try_recv().unwrap_or_default();
                    next.drain(..).for_each(|(judged, maker)| back.give(maker, judged));
                    let _ = sender.send(std::mem::replace(&mut batch, next));
                }
            });
            let _ = sender.send(batch);
            judged.map(|judged| (judged, gathered))
        });
        for batch in &receiver {
            batch.iter().for_each(|(judged, _)| each(judged));
            let _ = giver.try_send(batch);
        }
        judging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    Ok(gathered.report(&plan, &books, judged))
}

/// Reads the captures, on other threads where `beside` says so, and judges their flows, which are handed to `each` with the way back to whoever made them.
fn judge_all<'a>(
    plan: &Plan<'a>,
    books: &'a Books,
    beside: bool,
    progress: OnProgress<'_>,
    each: &mut dyn FnMut(Judged, &mut Back),
) -> Result<(Arc<Judge<'a>>, Read), SourceError> {
    let docket = Docket::new(Judge::new(plan.signatures, plan.site.clone(), books).telling(plan.telling).with_accounts(plan.accounts));
    read_all(plan, books, beside, progress, Hearing { books, docket, now: Timestamp::from_nanos(i64::MIN), each })
}

/// The judge's end of the road, who takes what ended in each round, of all shards together.
struct Hearing<'a, 'e> {
    books: &'a Books,
    docket: Docket<'a>,
    /// The latest moment of any flow so far.
    now: Timestamp,
    /// Who is told of judged flows, with the way back to whoever made them.
    each: &'e mut dyn FnMut(Judged, &mut Back),
}

/// What one worker has learned in a round beside its flows.
#[derive(Clone, Debug, Default)]
struct Aside {
    /// Names that the captures record.
    names: Vec<(IpAddr, String)>,
    /// When nothing was captured.
    pauses: Vec<Pause>,
    /// Packets that the captures say were not captured.
    drops: Vec<Dropped>,
    /// What was said of neighbours.
    neighbours: Vec<Neighbour>,
}

impl<'a> Hearing<'a, '_> {
    /// Takes flows, and what was learned beside them. It empties the list and leaves it its room: some hundred kilobytes, given back and asked
    /// for again round after round, would keep the allocator and the kernel busy.
    fn round(&mut self, flows: &mut Vec<Box<Identified>>, aside: &Aside, panel: &Panel<'a>, back: &mut Back) {
        let Self { books, docket, now, each } = self;
        aside.names.iter().for_each(|(ip, name)| books.record_name(*ip, name));
        aside.pauses.iter().for_each(|pause| docket.pause(*pause));
        aside.drops.iter().for_each(|dropped| docket.capture_dropped(dropped.interface, dropped.times, dropped.packets));
        aside.neighbours.iter().for_each(|neighbour| docket.meet(neighbour));
        // The flows of a round are the same for any number of shards, and so is their latest moment.
        *now = flows.iter().map(|identified| identified.flow.last).max().map_or(*now, |last| last.max(*now));
        books.settle(*now);
        flows.drain(..).filter_map(|identified| docket.hear(identified)).for_each(|called| panel.judge(called, &mut |judged| each(judged, back)));
    }

    /// All was read: what still waits is judged.
    fn close(self, read: &Read, panel: &Panel<'a>, back: &mut Back) -> Arc<Judge<'a>> {
        let Self { mut docket, each, .. } = self;
        for (number, interface) in (0..).zip(&read.interfaces) {
            docket.capture_lost(number, interface.dropped.unwrap_or(0));
        }
        let (called, judge) = docket.close();
        called.into_iter().for_each(|called| panel.judge(called, &mut |judged| each(judged, back)));
        judge
    }
}

/// What is gathered of judged flows for the report.
struct Gathered<'a> {
    digest: Digest,
    gatherer: Gatherer<'a>,
}

impl<'a> Gathered<'a> {
    fn of(plan: &Plan<'a>) -> Self {
        Self { digest: Digest::default(), gatherer: Gatherer::new(plan.signatures) }
    }

    fn add(&mut self, judged: &Judged) {
        self.digest.add(judged);
        self.gatherer.add(judged);
    }

    fn report(self, plan: &Plan<'a>, books: &Books, (judge, read): (Arc<Judge<'_>>, Read)) -> Report<'a> {
        let Self { digest, gatherer } = self;
        let losses = Losses { names_and_promises: books.lost(), findings: gatherer.dropped(), ..read.losses };
        let coverage_by_role = gatherer.coverage_by_role(&judge);
        let (findings, coverage) = gatherer.finish(&judge);
        Report {
            signatures: plan.signatures,
            site: judge.site().name.clone(),
            products: judge.site().products.clone(),
            files: read.files,
            interfaces: read.interfaces,
            span: read.span,
            wire_bytes: read.wire_bytes,
            digest,
            findings,
            coverage,
            coverage_by_role,
            visibility: judge.visibility(),
            shown: judge.shown(),
            losses,
            live: None,
            interrupted: plan.stop.load(Ordering::Relaxed),
        }
    }
}

/// What reading yields besides flows, over all shards.
#[derive(Default)]
struct Read {
    files: Vec<capture::CaptureFile>,
    interfaces: Vec<capture::Interface>,
    span: Option<(Timestamp, Timestamp)>,
    wire_bytes: u64,
    losses: Losses,
}

/// Reads with as many workers as there are to be, one less where a thread decompresses. A single one is this thread, unless it is to be one `beside`.
fn read_all<'a>(
    plan: &Plan<'a>,
    books: &Books,
    beside: bool,
    progress: OnProgress<'_>,
    mut hearing: Hearing<'a, '_>,
) -> Result<(Arc<Judge<'a>>, Read), SourceError> {
    let filter = plan.filter.map(Filter::compile).transpose()?;
    let captures = capture::open(plan.captures, capture::Options { filter })?;
    // Decompression keeps a thread of its own busy.
    let workers = plan.workers.saturating_sub(captures.is_compressed().into()).max(1);
    let mut shares = capture::share(captures, workers, owner_of);
    if let (1, false) = (shares.len(), beside)
        && let Some(share) = shares.pop()
    {
        let (alone, mut nowhere) = (Panel::default(), Back::default());
        let mut round = |flows: &mut _, aside: Aside| hearing.round(flows, &aside, &alone, &mut nowhere);
        let read = read_shard(plan, books, share, Shard::ALL, progress, &mut round);
        return Ok((hearing.close(&read, &alone, &mut nowhere), read));
    }
    Ok(shards::read(plan, books, shares, progress, hearing))
}

/// Whose a frame is that is plainly between two ends: of which of so many shards.
fn owner_of(frame: &Frame<'_>, shards: usize) -> Option<usize> {
    decode::between(frame).map(|(one, other)| Shard::of_pair(one, other, shards))
}

/// Takes what ended in a round of one shard, as [`Hearing`] does that of all.
type Ended<'a> = &'a mut dyn FnMut(&mut Vec<Box<Identified>>, Aside);

/// One worker's way through the captures. What is counted of files and frames is the same for every shard; the first one's is kept.
fn read_shard(plan: &Plan<'_>, books: &Books, mut source: Share, shard: Shard, progress: OnProgress<'_>, sink: Ended<'_>) -> Read {
    let mut read = Read::default();
    let share = share_of(plan.memory, shard.of);
    let mut table = FlowTable::new(settings_of(share, &plan.flows)).sharing(shard);
    let mut identifier = Identifier::new(books).with_details(plan.telling >= Telling::Statements).within(share / 4);
    let mut rounds = Rounds::default();
    let mut aside = Aside::default();
    loop {
        let step = source.read(&mut |mut frames, mut kept| {
            read.span_and_bytes(frames);
            while !frames.is_empty() {
                let room = rounds.room().min(frames.len());
                let (now, later) = frames.split_at(room);
                let (kept_now, kept_later) = kept.split_at(room);
                match shard {
                    Shard::ALL => push(now, &mut table, &mut identifier),
                    _ => push_share(now, kept_now, &mut table, &mut identifier),
                }
                (frames, kept) = (later, kept_later);
                if rounds.count(now) {
                    hand_on(&mut identifier, std::mem::take(&mut aside), sink);
                }
            }
        });
        // Every worker meets the same ones.
        aside.names.extend(source.take_names().into_iter().filter(|_| shard.number == 0));
        aside.pauses.extend(source.take_pauses().into_iter().filter(|_| shard.number == 0));
        aside.drops.extend(source.take_drops().into_iter().filter(|_| shard.number == 0));
        let (done, all) = source.position();
        progress(done, all);
        // A file that ends badly is noted in its own record, and the source goes on with the next one.
        if matches!(step, Ok(Progress::End)) || plan.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    let left = source.leave();
    hand_on(&mut identifier, aside, sink);
    table.finish_in_parts(&rounds.ends, &mut identifier, &mut |identifier| hand_on(identifier, Aside::default(), sink));
    read.losses = Losses {
        flows: table.counts().clone(),
        facts: identifier.facts_dropped(),
        given_up: identifier.given_up(),
        files_skipped: left.skipped,
        ..Losses::default()
    };
    (read.files, read.interfaces) = (left.files, left.interfaces);
    read
}

/// What one of so many shards may take for its live flows. Each has a table of fragments of its own.
fn share_of(memory: usize, shards: usize) -> usize {
    let fragments = FRAGMENT_BYTES * shards.saturating_sub(1);
    memory.max(MEMORY_LEAST).saturating_sub(MEMORY_OF_KNOWLEDGE + fragments).max(LEAST_SHARE) / shards.max(1)
}

/// What a table may hold that has this share of the memory.
fn settings_of(share: usize, wanted: &flow::Settings) -> flow::Settings {
    flow::Settings { live_flows: share * 5 / 8 / LIVE_FLOW_BYTES, streams_bytes: share / 8, ..wanted.clone() }
}

/// A packet's way as far as its flow.
fn push(frames: &[Frame<'_>], table: &mut FlowTable, identifier: &mut Identifier<'_>) {
    // On the stack: an allocation of this size makes the allocator tidy up behind all the small ones, batch after batch.
    let mut packets: SmallVec<[Packet<'_>; BATCH]> = SmallVec::new();
    decode::decode_batch(frames, &mut packets);
    table.push(&packets, identifier);
}

/// The same of a shard's packets; of frames that are not `kept` no more than the time is of use.
fn push_share(frames: &[Frame<'_>], kept: &[bool], table: &mut FlowTable, identifier: &mut Identifier<'_>) {
    let mut packets: SmallVec<[Packet<'_>; BATCH]> = SmallVec::new();
    decode::decode_share(frames, kept, &mut packets);
    table.push(&packets, identifier);
}

/// Hands on what ended and what was learned beside it since the last round.
fn hand_on(identifier: &mut Identifier<'_>, mut aside: Aside, sink: Ended<'_>) {
    aside.neighbours = std::mem::take(identifier.neighbours());
    aside.neighbours.sort_by_key(Neighbour::order);
    let flows = identifier.ended();
    put_in_order(flows);
    sink(flows, aside);
}

/// Counts frames into rounds, which are the same for every shard however the files are read.
struct Rounds {
    /// Frames of the present round.
    frames: usize,
    /// The latest time of any frame.
    latest: Timestamp,
    /// The latest time at the end of each round.
    ends: Vec<Timestamp>,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { frames: 0, latest: Timestamp::from_nanos(i64::MIN), ends: Vec::new() }
    }
}

impl Rounds {
    /// Frames that the present round still takes.
    const fn room(&self) -> usize {
        ROUND - self.frames
    }

    /// Counts frames, no more than there is [`room`](Self::room) for; whether the round is over.
    fn count(&mut self, frames: &[Frame<'_>]) -> bool {
        self.frames += frames.len();
        self.latest = frames.iter().map(|frame| frame.time).fold(self.latest, Timestamp::max);
        let is_over = self.frames >= ROUND;
        if is_over {
            self.frames = 0;
            self.ends.push(self.latest);
            if self.ends.len() > ROUNDS_REMEMBERED {
                // Every other one is enough.
                self.ends = self.ends.iter().copied().skip(1).step_by(2).collect();
            }
        }
        is_over
    }
}

impl Read {
    fn span_and_bytes(&mut self, frames: &[Frame<'_>]) {
        for frame in frames {
            self.wire_bytes += u64::from(frame.wire_len);
            self.span = Some(self.span.map_or((frame.time, frame.time), |(first, last)| (first.min(frame.time), last.max(frame.time))));
        }
    }
}

/// Frames of one round: some milliseconds of work, so that shards seldom wait for each other, and at most as many flows.
const ROUND: usize = 4_096;
/// With very many workers and little memory each still gets some flows.
const LEAST_SHARE: usize = 16 << 20;
/// Ends of rounds remembered, by which the flows that are live at the end of the capture are handed on in parts.
const ROUNDS_REMEMBERED: usize = 4_096;
