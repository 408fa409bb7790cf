//! The road from interfaces to findings, while the traffic goes on.
//!
//! Workers capture and gather flows, each its share of the address pairs; twice a second of the packets' time each hands over what ended, and a look at what
//! lives. One judge hears all of them and says what there is to say. A worker never waits for the judge: what would make it wait is counted and left out.

mod state;

pub use state::State;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};

use super::recent::Recent;
use super::{LEAST_SHARE, push};
use crate::capture::live::{Cards, Clock, Live};
use crate::capture::{Pause, Source};
use crate::count::Tally;
use crate::flow::{self, FlowTable, Neighbour};
use crate::identify::{Books, Identified, Identifier};
use crate::judge::{Board, Bulletin, Covered, Finding, Gatherer, Handover, Judge, Judged, Phase, Severity, Site, Telling, Vigil, order, put_in_order};
use crate::limit::{FRAGMENT_BYTES, LIVE_ENDED_HELD, LIVE_FLOW_BYTES, LIVE_LOOKED_AT, MEMORY_OF_KNOWLEDGE};
use crate::report::{Digest, LiveState, Losses, Report};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// How to gather flows.
#[derive(Clone, Debug)]
pub struct Manner {
    /// When flows end.
    pub flows: flow::Settings,
    /// Most bytes of memory to use, the kernel's rings and what is kept of recent packets apart.
    pub memory: usize,
    /// What is told of each flow beyond its judgement.
    pub telling: Telling,
    /// Where packets are kept that findings may cite, where that is wanted.
    pub recent: Option<Recent>,
}

/// What happened in about half a second.
#[derive(Default)]
pub struct Tick {
    /// All packets up to this moment were looked at.
    pub now: Timestamp,
    /// Flows that ended, in order of their first packets.
    pub ended: Vec<Box<Identified>>,
    /// Flows that live, as if they ended now; none where they were not looked at.
    pub live: Option<Vec<Box<Identified>>>,
    /// What was said about who is on the links.
    pub neighbours: Vec<Neighbour>,
    /// What was captured and lost so far.
    pub state: State,
    /// Whether the worker ends with it.
    is_last: bool,
}

/// What workers hand over: each a share of every tick.
pub struct Feed {
    shares: Vec<Receiver<Tick>>,
    /// What each worker said last of what it captured, and whether that was its last word.
    states: Vec<State>,
    over: Vec<bool>,
    cards: Cards,
}

impl Feed {
    /// Waits for the next tick of all workers; none once all have ended. Not longer than `most`: then it is empty.
    pub fn next(&mut self, most: Duration) -> Option<Option<Tick>> {
        let mut whole: Option<Tick> = None;
        for place in 0..self.shares.len() {
            let Some(share) = self.shares.get(place) else { break };
            if self.over.get(place) == Some(&true) {
                continue;
            }
            // The first of those that go on is waited for no longer than was asked; the others are as far.
            let received = if whole.is_none() { share.recv_timeout(most) } else { share.recv().map_err(|_| RecvTimeoutError::Disconnected) };
            match received {
                Ok(tick) => self.take(place, tick, &mut whole),
                Err(RecvTimeoutError::Timeout) => return Some(None),
                // It has panicked: nothing more can be told of its share.
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        let mut whole = whole?;
        put_in_order(&mut whole.ended);
        whole.live.iter_mut().for_each(|live| put_in_order(live));
        whole.state = self.state();
        Some(Some(whole))
    }

    fn take(&mut self, place: usize, mut tick: Tick, whole: &mut Option<Tick>) {
        if let (Some(over), Some(state)) = (self.over.get_mut(place), self.states.get_mut(place)) {
            (*over, *state) = (tick.is_last, std::mem::take(&mut tick.state));
        }
        match whole {
            None => *whole = Some(tick),
            Some(whole) => whole.merge(tick),
        }
    }

    /// What all workers captured and lost so far, those included that have ended.
    fn state(&mut self) -> State {
        let mut whole = self.states.first().cloned().unwrap_or_default();
        self.states.iter().skip(1).for_each(|state| whole.merge(state));
        for (interface, missed) in whole.interfaces.iter_mut().zip(self.cards.read()) {
            interface.dropped = interface.dropped.map(|dropped| dropped + missed);
            whole.live.interface_drops += missed;
        }
        whole.down = self.cards.down();
        whole
    }
}

/// Starts a worker for each source, which first calls `confine` to give up what rights it needs no more; lets `judge` take what they hand over, and waits for their end.
pub fn with_workers<T>(
    sources: Vec<Live>,
    manner: &Manner,
    books: &Books,
    stop: &AtomicBool,
    confine: &(dyn Fn() + Sync),
    judge: impl FnOnce(&mut Feed) -> T,
) -> T {
    let of = sources.len();
    let names: Vec<String> = sources.iter().take(1).flat_map(|source| source.files().iter().map(|file| file.path.clone())).collect();
    std::thread::scope(|scope| {
        let (mut shares, mut workers) = (Vec::with_capacity(of), Vec::with_capacity(of));
        for (number, source) in sources.into_iter().enumerate() {
            let (sender, receiver) = crossbeam_channel::bounded(TICKS_AHEAD);
            shares.push(receiver);
            workers.push(scope.spawn(move || {
                confine();
                Worker::new(source, manner, books, (number, of)).run(&sender, stop);
            }));
        }
        let (states, over) = (vec![State::default(); of], vec![false; of]);
        let answer = judge(&mut Feed { shares, states, over, cards: Cards::begin(&names) });
        // Where one has panicked the others still go on.
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
        answer
    })
}

/// One worker's way.
struct Worker<'b> {
    source: Live,
    table: FlowTable,
    identifier: Identifier<'b>,
    span: Option<(Timestamp, Timestamp)>,
    wire_bytes: u64,
    live: LiveState,
    /// When ticks ended, by which the flows that are live at the end are handed over in parts.
    ends: Vec<Timestamp>,
    /// Where packets are kept, and this worker's number there.
    recent: Option<(Recent, usize)>,
}

impl<'b> Worker<'b> {
    fn new(source: Live, manner: &Manner, books: &'b Books, (number, of): (usize, usize)) -> Self {
        let fragments = FRAGMENT_BYTES * of.saturating_sub(1);
        let share = manner.memory.saturating_sub(MEMORY_OF_KNOWLEDGE + fragments).max(LEAST_SHARE) / of.max(1);
        let settings = flow::Settings { live_flows: share * 5 / 8 / LIVE_FLOW_BYTES, streams_bytes: share / 8, ..manner.flows.clone() };
        let identifier = Identifier::new(books).with_details(manner.telling >= Telling::Statements).within(share / 4);
        let recent = manner.recent.clone().map(|recent| (recent, number));
        Self { source, table: FlowTable::new(settings), identifier, span: None, wire_bytes: 0, live: LiveState::default(), ends: Vec::new(), recent }
    }

    fn run(mut self, judge: &Sender<Tick>, stop: &AtomicBool) {
        let mut tick = i64::MIN;
        let mut last = None;
        loop {
            self.take();
            if stop.load(Ordering::Relaxed) {
                // What was on its way when the signal came is still taken.
                let end = *last.get_or_insert_with(|| self.source.now());
                if self.source.passed() >= end {
                    break;
                }
            }
            let now = self.source.passed().nanos().div_euclid(TICK);
            if now > tick {
                tick = now;
                self.note_end();
                self.hold_less();
                if !judge.is_full()
                    && let Err(TrySendError::Disconnected(_)) = judge.try_send(self.tick(tick))
                {
                    return;
                }
            }
        }
        self.end(judge);
    }

    /// Ends all flows, as a capture of the same packets would: what was not over by the last of them is cut off there. In parts, so that not all are held at once.
    fn end(mut self, judge: &Sender<Tick>) {
        let tick = self.tick(0);
        let Self { table, identifier, ends, .. } = &mut self;
        table.finish_in_parts(ends, identifier, &mut |identifier| {
            let ended = std::mem::take(identifier.ended());
            // Where the judge is gone it has panicked, and its panic is the one to tell.
            let _ = judge.send(Tick { now: tick.now, ended, live: None, neighbours: Vec::new(), state: tick.state.clone(), is_last: false });
        });
        let _ = judge.send(Tick { live: Some(Vec::new()), is_last: true, ..self.tick(0) });
    }

    /// Takes what the rings hold.
    fn take(&mut self) {
        let Self { source, table, identifier, span, wire_bytes, recent, .. } = self;
        let mut is_idle = true;
        // A live source tells its faults otherwise.
        let _ = source.read(&mut |frames| {
            is_idle = false;
            for frame in frames {
                *wire_bytes += u64::from(frame.wire_len);
                *span = Some(span.map_or((frame.time, frame.time), |(first, last)| (first.min(frame.time), last.max(frame.time))));
            }
            if let Some((recent, number)) = recent {
                recent.keep(*number, frames);
            }
            push(frames, table, identifier);
        });
        if is_idle {
            table.advance(source.passed(), identifier);
        }
    }

    /// What there is to hand over.
    fn tick(&mut self, number: i64) -> Tick {
        let ended = std::mem::take(self.identifier.ended());
        let neighbours = std::mem::take(self.identifier.neighbours());
        let mut beyond = self.live.not_looked_at;
        let every = (1 + self.table.live() / LOOKED_AT_EACH_TICK).next_power_of_two().min(LEAST_OFTEN);
        let live = (number % every as i64 == 0).then(|| {
            let (identifier, mut live) = (&self.identifier, Vec::new());
            beyond = self.table.look(LIVE_LOOKED_AT, &mut |slot, flow| live.push(identifier.glance(slot, flow)));
            live
        });
        self.live = LiveState {
            kernel_drops: self.source.drops(),
            live_flows: self.table.live() as u64,
            not_looked_at: beyond,
            clock_steps: self.source.clock_steps(),
            ..self.live
        };
        let losses = Losses {
            flows: self.table.counts().clone(),
            facts: self.identifier.facts_dropped(),
            given_up: self.identifier.given_up(),
            not_judged: self.live.not_judged,
            ..Losses::default()
        };
        let state = State {
            files: self.source.files().to_vec(),
            interfaces: self.source.interfaces().to_vec(),
            span: self.span,
            wire_bytes: self.wire_bytes,
            losses,
            live: self.live,
            faults: self.source.faults(),
            down: Vec::new(),
        };
        Tick { now: self.source.passed(), ended, live, neighbours, state, is_last: false }
    }

    fn note_end(&mut self) {
        self.ends.push(self.source.passed());
        if self.ends.len() > TICKS_REMEMBERED {
            // Every other one is enough.
            self.ends = self.ends.iter().copied().skip(1).step_by(2).collect();
        }
    }

    /// A bound of flows waits for the judge, who may be busy.
    fn hold_less(&mut self) {
        let ended = self.identifier.ended();
        self.live.not_judged += ended.len().saturating_sub(LIVE_ENDED_HELD) as u64;
        ended.truncate(LIVE_ENDED_HELD);
    }
}

impl Tick {
    fn merge(&mut self, other: Self) {
        self.now = self.now.min(other.now);
        self.ended.extend(other.ended);
        self.neighbours.extend(other.neighbours);
        self.live = match (self.live.take(), other.live) {
            (Some(live), Some(other)) => Some(live.into_iter().chain(other).collect()),
            _ => None,
        };
    }
}

impl State {
    fn merge(&mut self, other: &Self) {
        for (file, more) in self.files.iter_mut().zip(&other.files) {
            file.frames += more.frames;
            file.bytes += more.bytes;
            file.out_of_order += more.out_of_order;
            file.first = file.first.into_iter().chain(more.first).min();
        }
        for (interface, more) in self.interfaces.iter_mut().zip(&other.interfaces) {
            interface.dropped = interface.dropped.zip(more.dropped).map(|(dropped, more)| dropped + more);
        }
        self.span = match (self.span, other.span) {
            (Some((first, last)), Some((other_first, other_last))) => Some((first.min(other_first), last.max(other_last))),
            (span, other) => span.or(other),
        };
        self.wire_bytes += other.wire_bytes;
        self.losses.merge(other.losses.clone());
        self.live.merge(&other.live);
        self.faults.extend_from_slice(&other.faults);
    }
}

/// Takes what there is to tell.
pub trait Listener {
    /// A flow was judged for good, by these documents.
    fn flow(&mut self, judged: &Judged, signatures: &Signatures);

    /// Findings came, changed, or are over. The report is what there is to say at this moment, its counts of flows left out.
    fn news(&mut self, news: &[(Phase, Finding)], report: &Report<'_>);
}

/// What one watch hands to the next where documents or site change.
pub struct Parts {
    handover: Handover,
    digest: Digest,
    /// Names of the rows by the numbers they had.
    services: Vec<String>,
    state: State,
    live: Vec<Box<Identified>>,
    now: Timestamp,
    deaf_since: Option<Timestamp>,
}

/// The judge's side: documents, what was judged by them, what was told.
pub struct Watch<'a> {
    signatures: &'a Signatures,
    site: String,
    /// Vendors whose documents apply; empty for all.
    products: Vec<String>,
    books: &'a Books,
    vigil: Vigil<'a>,
    bulletin: Bulletin,
    digest: Digest,
    /// What was seen of the rows at the last look.
    covered: Covered,
    state: State,
    /// Flows that lived at the last tick.
    live: Vec<Box<Identified>>,
    /// When the next look at everything is due.
    next: Timestamp,
    now: Timestamp,
    /// Since when none of the interfaces could be captured on.
    deaf_since: Option<Timestamp>,
}

impl<'a> Watch<'a> {
    /// Judges by these documents and this site. `telling` as in [`Manner::telling`].
    pub fn new(signatures: &'a Signatures, site: Site, books: &'a Books, telling: Telling) -> Self {
        let (name, products) = (site.name.clone(), site.products.clone());
        let judge = Judge::new(signatures, site, books).telling(telling);
        Self {
            signatures,
            site: name,
            products,
            books,
            vigil: Vigil::new(judge, Gatherer::new(signatures)),
            bulletin: Bulletin::default(),
            digest: Digest::default(),
            covered: Covered::default(),
            state: State::default(),
            live: Vec::new(),
            next: Timestamp::from_nanos(i64::MIN),
            now: Timestamp::from_nanos(i64::MIN),
            deaf_since: None,
        }
    }

    /// Goes on where a watch under other documents, or another site, stopped.
    pub fn succeed(self, before: Parts) -> Self {
        let Parts { handover, mut digest, services, state, live, now, deaf_since } = before;
        digest.renumber(|id| self.signatures.service_id(services.get(id.0 as usize)?));
        Self { vigil: self.vigil.succeed(handover), digest, state, live, next: now, now, deaf_since, ..self }
    }

    /// Stops, for a watch under other documents to go on.
    pub fn hand_over(self) -> Parts {
        let services = self.signatures.services.iter().map(|service| service.id.clone()).collect();
        Parts {
            handover: self.vigil.hand_over(),
            digest: self.digest,
            services,
            state: self.state,
            live: self.live,
            now: self.now,
            deaf_since: self.deaf_since,
        }
    }

    /// Hears of a tick. Where a look at everything is due by then, tells what is new.
    pub fn hear(&mut self, tick: Tick, clock: &mut Clock, listener: &mut dyn Listener) {
        let looked = tick.live.is_some();
        self.take(tick);
        let Self { vigil, digest, live, now, signatures, .. } = self;
        vigil.settle(live, *now, &mut |judged| {
            digest.add(judged);
            listener.flow(judged, signatures);
        });
        if !looked || self.now < self.next {
            return;
        }
        let begun = clock.now();
        let mut board = self.vigil.board(&self.live, self.heard_until(), &mut |_| {});
        self.covered = std::mem::take(&mut board.covered);
        let news = self.bulletin.follow(&board.findings, self.now);
        if !news.is_empty() {
            listener.news(&news, &self.report(board, Digest::default()));
        }
        // A look may take a tenth of the time; it is never put off for longer than a reader would wait.
        self.next = self.now + (clock.now().since(begun) * REST).min(LONGEST_REST);
    }

    /// What there is to say now, flows counted.
    pub fn summary(&self) -> Report<'a> {
        let mut digest = self.digest.clone();
        let board = self.vigil.board(&self.live, self.heard_until(), &mut |judged| digest.add(judged));
        self.report(board, digest)
    }

    /// Judges what waits, and says what there is to say at the end.
    pub fn close(self, listener: &mut dyn Listener) -> Report<'a> {
        let Self { signatures, site, products, books, vigil, mut digest, state, .. } = self;
        let board = vigil.close(&mut |judged| {
            digest.add(judged);
            listener.flow(judged, signatures);
        });
        report(signatures, (site, products), books, state, board, digest)
    }

    /// Findings that were told and are not over, by severity and rule.
    pub fn open_findings(&self) -> Tally<(Severity, String)> {
        self.bulletin.open()
    }

    /// The flows that were judged for good, counted.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What was seen of documented rows at the last look.
    pub const fn covered(&self) -> &Covered {
        &self.covered
    }

    /// Adds what was seen of them before.
    pub fn cover_also(&mut self, covered: &Covered) {
        self.vigil.cover_also(covered);
    }

    /// What was captured and lost so far.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The moment that was heard of last.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Until when something could be heard: who is silent while no interface is up is not silent.
    fn heard_until(&self) -> Timestamp {
        self.deaf_since.unwrap_or(self.now)
    }

    /// Hears that nothing could be captured by `now`, or that it could: then what was in flight when that began is told as at the end of a capture.
    fn listen(&mut self, is_deaf: bool, now: Timestamp) {
        match self.deaf_since {
            // Within this tick something may have been heard.
            None if is_deaf => self.deaf_since = Some(self.now.max(now)),
            Some(since) if !is_deaf => {
                self.vigil.pause(Pause { from: since, to: now });
                self.deaf_since = None;
            }
            _ => {}
        }
    }

    fn take(&mut self, tick: Tick) {
        let Tick { now, ended, live, mut neighbours, state, .. } = tick;
        // What was in flight when the machine fell asleep is told as at the end of a capture.
        if self.now > Timestamp::default() && now.since(self.now) >= ASLEEP {
            self.vigil.pause(Pause { from: self.now, to: now });
        }
        self.listen(state.is_deaf(), now);
        let since = if self.now == Timestamp::from_nanos(i64::MIN) { now } else { self.now };
        self.now = self.now.max(now);
        self.books.settle(self.now);
        if let Some(live) = live {
            self.live = live;
        } else if !ended.is_empty() {
            // What has ended is no longer among those that live.
            let over: BTreeSet<_> = ended.iter().map(|identified| order(identified)).collect();
            self.live.retain(|identified| !over.contains(&order(identified)));
        }
        neighbours.sort_by_key(Neighbour::order);
        neighbours.iter().for_each(|neighbour| self.vigil.meet(neighbour));
        for identified in ended {
            self.vigil.hear(identified, self.now);
        }
        for (number, interface) in (0..).zip(&state.interfaces) {
            let before = self.state.interfaces.get(number as usize).and_then(|interface| interface.dropped).unwrap_or(0);
            let dropped = interface.dropped.unwrap_or(0);
            self.vigil.capture_lost(number, dropped);
            self.vigil.capture_dropped(number, [since, self.now], dropped.saturating_sub(before));
        }
        self.state = state;
    }

    fn report(&self, board: Board, digest: Digest) -> Report<'a> {
        report(self.signatures, (self.site.clone(), self.products.clone()), self.books, self.state.clone(), board, digest)
    }
}

fn report<'a>(signatures: &'a Signatures, (site, products): (String, Vec<String>), books: &Books, state: State, board: Board, digest: Digest) -> Report<'a> {
    let State { files, interfaces, span, wire_bytes, losses, live, .. } = state;
    let Board { findings, coverage, coverage_by_role, visibility, shown, dropped, .. } = board;
    let losses = Losses { names_and_promises: books.lost(), findings: dropped, ..losses };
    let interrupted = false;
    let live = Some(live);
    Report {
        signatures,
        site,
        products,
        files,
        interfaces,
        span,
        wire_bytes,
        digest,
        findings,
        coverage,
        coverage_by_role,
        visibility,
        shown,
        losses,
        live,
        interrupted,
    }
}

/// Nanoseconds of packet time between two ticks: what is refused is told within that time.
const TICK: i64 = 500_000_000;
/// With so many live flows more, they are looked at less often by a tick, in powers of two so that workers look at the same ticks.
const LOOKED_AT_EACH_TICK: usize = 4_096;
/// However many there are.
const LEAST_OFTEN: usize = 8;
/// Ticks so far apart: nobody captured meanwhile, as the machine slept. However busy it is, they come every few seconds.
const ASLEEP: Duration = Duration::from_secs(10);
/// Ends of ticks remembered.
const TICKS_REMEMBERED: usize = 512;
/// Ticks that a worker may be ahead of the judge.
const TICKS_AHEAD: usize = 2;
/// After a look at everything the judge rests for so many times as long.
const REST: u32 = 9;
/// A look is never put off for longer.
const LONGEST_REST: Duration = Duration::from_secs(5);
