//! One run of `watch`, tick by tick: news, summaries, changes of the documents, the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::metrics::Metrics;
use super::reload::Files;
use super::systemd::Manager;
use super::teller::Teller;
use crate::app::args::Watch as Typed;
use crate::app::reading::tell_unread;
use crate::app::settings::{self, Basis};
use crate::app::{Exit, Failure};
use crate::capture::SourceError;
use crate::capture::live::Clock;
use crate::identify::Books;
use crate::judge::{Covered, Telling};
use crate::pipeline::watch::{Feed, Parts, State, Watch};
use crate::report::Report;
use crate::report::paragraph::shown;
use crate::time::Timestamp;

/// What one run works with.
pub struct Session<'a> {
    pub typed: &'a Typed,
    pub stop: &'a AtomicBool,
    pub signals: Signals,
    pub books: &'a Books,
    pub teller: Teller,
    pub metrics: Metrics,
    pub files: Files,
    pub manager: Manager,
    /// What was seen of documented rows before this run.
    pub covered: Covered,
    /// How often documents were read anew, and how often they were refused.
    pub reloads: [u64; 2],
}

/// Raised by signals.
pub struct Signals {
    /// SIGUSR1: a summary is wanted.
    summary: Arc<AtomicBool>,
    /// SIGHUP: documents and site are to be read anew.
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// Where a handler cannot be set its signal keeps its usual meaning.
    pub fn catch() -> Self {
        let signals = Self { summary: Arc::default(), reload: Arc::default() };
        #[cfg(unix)]
        for (signal, raised) in [(signal_hook::consts::SIGUSR1, &signals.summary), (signal_hook::consts::SIGHUP, &signals.reload)] {
            let _ = signal_hook::flag::register(signal, Arc::clone(raised));
        }
        signals
    }
}

/// What ends a watch under the present documents.
enum Next {
    End(Exit),
    Documents(Box<Basis>, Box<Parts>),
}

impl Session<'_> {
    /// Watches until the end, under these documents and those that take their place.
    pub fn go(&mut self, feed: &mut Feed, basis: Basis) -> Exit {
        let mut clock = Clock::start();
        let mut times = Times::from(clock.now(), self.typed);
        let (mut basis, mut parts): (Basis, Option<Parts>) = (basis, None);
        self.manager.tell("READY=1");
        loop {
            let (signatures, site) = (&basis.signatures, basis.site.clone());
            let telling = if self.typed.format == "ndjson" { Telling::Everything } else { Telling::Judgement };
            let mut watch = Watch::new(signatures, site, self.books, telling);
            if let Some(before) = parts.take() {
                watch = watch.succeed(before);
            }
            watch.cover_also(&std::mem::take(&mut self.covered));
            match self.under(feed, watch, &mut clock, &mut times) {
                Next::End(exit) => return exit,
                Next::Documents(next, handed) => (basis, parts) = (*next, Some(*handed)),
            }
        }
    }

    fn under(&mut self, feed: &mut Feed, mut watch: Watch<'_>, clock: &mut Clock, times: &mut Times) -> Next {
        while let Some(tick) = feed.next(TICK) {
            if let Some(tick) = tick {
                watch.hear(tick, clock, &mut self.teller);
                times.tell_faults(watch.state());
                self.metrics.update(&watch, (self.teller.dropped(), self.teller.waiting()), self.reloads);
            }
            let now = clock.now();
            self.manager.alive(now);
            self.teller.tend(watch.covered(), now);
            if times.is_over(now) || self.teller.has_failed() {
                self.stop.store(true, Ordering::Relaxed);
            }
            if times.are_lost(watch.state(), now) && !self.stop.swap(true, Ordering::Relaxed) {
                anstream::eprintln!("portbook: every interface is another kind of link now: the watch ends");
            }
            let is_due = times.summary_is_due(now) && !self.typed.quiet;
            if self.signals.summary.swap(false, Ordering::Relaxed) || is_due {
                self.teller.summary(watch.summary());
            }
            if let Some(basis) = self.reload(now) {
                return Next::Documents(Box::new(basis), Box::new(watch.hand_over()));
            }
        }
        self.manager.tell("STOPPING=1");
        self.teller.save(watch.covered());
        let report = watch.close(&mut self.teller);
        let report = self.teller.finish(report);
        Next::End(self.exit(&report))
    }

    /// Documents and site read anew, where that is due; those that have mistakes are told and the old ones stay.
    fn reload(&mut self, now: Timestamp) -> Option<Basis> {
        let asked = self.signals.reload.swap(false, Ordering::Relaxed);
        if asked {
            self.files.are_known();
        } else if !self.files.have_changed(now) {
            return None;
        }
        match Basis::load(&self.typed.reading) {
            Ok(basis) => {
                self.reloads[0] += 1;
                let (documents, rows) = (basis.signatures.documents.len(), basis.signatures.services.len());
                anstream::eprintln!("portbook: read anew: {documents} documents with {rows} rows; findings are gathered anew, no flow is lost");
                self.teller.gather_anew();
                Some(basis)
            }
            Err(failure) => {
                self.reloads[1] += 1;
                let what = if let Failure::Usage(what) = &failure { what.clone() } else { failure.to_string() };
                anstream::eprintln!("portbook: {what}\nportbook: the documents and the site from before stay in force");
                None
            }
        }
    }

    fn exit(&self, report: &Report<'_>) -> Exit {
        // That nobody reads any more, or that it cannot be written, is told by whoever writes.
        if self.teller.has_failed() {
            return Exit::Done;
        }
        let fails = self.typed.fail_on.map(settings::threshold).is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least));
        match (tell_unread(report, self.typed.reading.filter.as_deref()), fails) {
            (true, _) => Exit::Capture,
            (false, true) => Exit::Findings,
            (false, false) => Exit::Done,
        }
    }
}

/// What is due when, and how interfaces fare.
struct Times {
    end: Option<Timestamp>,
    interval: Duration,
    summary: Timestamp,
    faults: Vec<SourceError>,
    /// Since when none of the interfaces can be captured on again without a new start.
    lost: Option<Timestamp>,
}

impl Times {
    fn from(begun: Timestamp, typed: &Typed) -> Self {
        let end = typed.for_.map(|time| begun + time);
        Self { end, interval: typed.interval, summary: begun + typed.interval, faults: Vec::new(), lost: None }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|end| now >= end)
    }

    fn summary_is_due(&mut self, now: Timestamp) -> bool {
        let is_due = !self.interval.is_zero() && now >= self.summary;
        if is_due {
            self.summary = now + self.interval;
        }
        is_due
    }

    /// Whether interfaces were replaced by others of another kind and have stayed so: whoever supervises the watch sees it end, and starts it again.
    fn are_lost(&mut self, state: &State, now: Timestamp) -> bool {
        self.lost = state.needs_a_new_start().then(|| self.lost.unwrap_or(now));
        self.lost.is_some_and(|since| now.since(since) >= STAYS)
    }

    /// A line on standard error for each interface that cannot be captured on any more, and for each that can again.
    fn tell_faults(&mut self, state: &State) {
        let mut paths = BTreeSet::new();
        // Each of the workers that share an interface tells of it.
        let now: Vec<SourceError> = state.faults.iter().chain(&state.down).filter(|fault| paths.insert(fault.path.clone())).cloned().collect();
        // What would mend it tells one trouble from another: of an interface that is gone, and then is there again and down, both are told.
        for fault in now.iter().filter(|fault| !self.faults.iter().any(|known| (&known.path, &known.hint) == (&fault.path, &fault.hint))) {
            anstream::eprintln!("portbook: {}; trying again", shown(&fault.to_string()));
        }
        for mended in self.faults.iter().filter(|known| !now.iter().any(|fault| fault.path == known.path)) {
            anstream::eprintln!("portbook: {}: captured on again", shown(&mended.path));
        }
        self.faults = now;
    }
}

/// An interface that is replaced for so long will not come back as it was.
const STAYS: Duration = Duration::from_secs(10);
/// How long the next tick is waited for before other things are looked after.
const TICK: Duration = Duration::from_millis(500);
