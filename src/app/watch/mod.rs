//! `portbook watch`: interfaces in, findings out as they become certain.

mod output;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::output::{Output, Target};
use crate::app::args::Watch as Typed;
use crate::app::reading::{stop_on_signal, tell_unread};
use crate::app::settings::{self, Basis};
use crate::app::{Exit, Failure, choice, stdout, written};
use crate::capture::SourceError;
use crate::capture::live::{self, Clock, Live, Options};
use crate::flow;
use crate::identify::Books;
use crate::judge::{Finding, Judged, Phase};
use crate::limit::{LIVE_BUFFER, MEMORY};
use crate::pipeline::watch::{self, Feed, Listener, Manner, Watch};
use crate::report::live::Manner as Telling;
use crate::report::paragraph::shown;
use crate::report::{Report, Style};
use crate::signature::Signatures;

/// Watches until a signal, or for as long as was asked.
pub fn run(typed: &Typed) -> Result<Exit, Failure> {
    if typed.list {
        return written(list(&mut stdout(typed.look.color))).map(|()| Exit::Done);
    }
    let basis = Basis::load(&typed.reading)?;
    let options = Options { filter: typed.reading.filter.clone(), buffer: typed.buffer.unwrap_or(LIVE_BUFFER), promiscuous: !typed.no_promiscuous };
    let sources = vec![Live::open(&typed.interfaces, &options).map_err(Failure::Capture)?];
    let style = Style { verbose: typed.verbose, quiet: typed.quiet, ..Style::default() };
    let telling = if typed.format == "ndjson" { Telling::Ndjson } else { Telling::Text(style) };
    let name = typed.output.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let failed = |error: io::Error| Failure::Output { target: name.clone(), error };
    let target = Target::open(typed.output.as_ref(), choice(typed.look.color)).map_err(failed)?;
    let stop = stop_on_signal();
    let summary = raised_by_signal();
    let output = Output::start(target, matches!(telling, Telling::Text(_)));
    let flows = flow::Settings { keep_duplicates: typed.reading.keep_duplicates, ..flow::Settings::default() };
    let manner = Manner { flows, memory: typed.reading.memory.unwrap_or(MEMORY), records: telling.tells_flows() };
    let books = Books::default();
    let mut teller = Teller { telling, signatures: &basis.signatures, output, failed: None };
    let session = Session { typed, stop: &stop, summary: &summary };
    let exit = watch::with_workers(sources, &manner, &books, &stop, |feed| {
        let watch = Watch::new(&basis.signatures, basis.site.clone(), &books, manner.records);
        session.go(feed, watch, &mut teller)
    });
    teller.end().map_err(failed)?;
    Ok(exit)
}

/// One run of the command.
struct Session<'a> {
    typed: &'a Typed,
    stop: &'a AtomicBool,
    /// Raised where a summary was asked for.
    summary: &'a AtomicBool,
}

impl Session<'_> {
    fn go(&self, feed: &Feed, mut watch: Watch<'_>, teller: &mut Teller<'_>) -> Exit {
        let mut clock = Clock::start();
        let begun = clock.now();
        let mut next = begun + self.typed.interval;
        let mut faults: Vec<SourceError> = Vec::new();
        while let Some(tick) = feed.next(TICK) {
            if let Some(tick) = tick {
                watch.hear(tick, &mut clock, teller);
                tell_faults(&mut faults, &watch.state().faults);
            }
            let now = clock.now();
            if self.typed.for_.is_some_and(|time| now.since(begun) >= time) || teller.failed.is_some() {
                self.stop.store(true, Ordering::Relaxed);
            }
            let is_due = !self.typed.interval.is_zero() && now >= next;
            if is_due {
                next = now + self.typed.interval;
            }
            if self.summary.swap(false, Ordering::Relaxed) || is_due && !self.typed.quiet {
                teller.summary(watch.summary());
            }
        }
        let report = watch.close(teller);
        self.exit(teller.finish(report))
    }

    fn exit(&self, report: Report<'_>) -> Exit {
        let fails = self.typed.fail_on.map(settings::threshold).is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least));
        match (tell_unread(&report), fails) {
            (true, _) => Exit::Capture,
            (false, true) => Exit::Findings,
            (false, false) => Exit::Done,
        }
    }
}

/// Puts what there is to tell into words and hands it to the output.
struct Teller<'a> {
    telling: Telling,
    signatures: &'a Signatures,
    output: Output,
    /// How the output failed.
    failed: Option<io::Error>,
}

impl Teller<'_> {
    fn tell(&mut self, write: impl FnOnce(Telling, &mut Vec<u8>) -> io::Result<()>) {
        let mut record = Vec::new();
        if self.failed.is_none()
            && let Err(error) = write(self.telling, &mut record).and_then(|()| if record.is_empty() { Ok(()) } else { self.output.send(record) })
        {
            self.failed = Some(error);
        }
    }

    fn summary(&mut self, report: Report<'_>) {
        let report = self.with_drops(report);
        self.tell(|telling, out| telling.summary(&report, out));
    }

    /// Tells all there is to say at the end.
    fn finish<'r>(&mut self, report: Report<'r>) -> Report<'r> {
        let report = self.with_drops(report);
        let mut last = Vec::new();
        if self.failed.is_none()
            && let Err(error) = self.telling.end(&report, &mut last).and_then(|()| self.output.send_surely(last))
        {
            self.failed = Some(error);
        }
        report
    }

    fn end(self) -> io::Result<()> {
        self.failed.map_or_else(|| self.output.finish(), Err)
    }

    fn with_drops<'r>(&self, mut report: Report<'r>) -> Report<'r> {
        if let Some(live) = &mut report.live {
            live.records_dropped = self.output.dropped();
        }
        report
    }
}

impl Listener for Teller<'_> {
    fn flow(&mut self, judged: &Judged) {
        if self.telling.tells_flows() {
            let signatures = self.signatures;
            self.tell(|telling, out| telling.flow(judged, signatures, out));
        }
    }

    fn news(&mut self, news: &[(Phase, Finding)], report: &Report<'_>) {
        for (phase, finding) in news {
            self.tell(|telling, out| telling.finding(*phase, finding, report, out));
        }
    }
}

/// A line on standard error for each interface that cannot be captured on any more, and for each that can again.
fn tell_faults(known: &mut Vec<SourceError>, now: &[SourceError]) {
    for fault in now.iter().filter(|fault| !known.iter().any(|known| known.path == fault.path)) {
        anstream::eprintln!("portbook: {}; trying again", shown(&fault.to_string()));
    }
    for mended in known.iter().filter(|known| !now.iter().any(|fault| fault.path == known.path)) {
        anstream::eprintln!("portbook: {}: captured on again", shown(&mended.path));
    }
    known.clear();
    known.extend_from_slice(now);
}

/// Raised by SIGUSR1.
fn raised_by_signal() -> Arc<AtomicBool> {
    let raised = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    {
        // Where the handler cannot be set the signal keeps its usual meaning.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&raised));
    }
    raised
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    let all = live::list().map_err(io::Error::other)?;
    for one in all {
        let state = if one.running {
            "up"
        } else if one.up {
            "up, not connected"
        } else {
            "down"
        };
        let addresses: Vec<String> = one.addresses.iter().map(ToString::to_string).collect();
        writeln!(out, "{:<16} {:<18} {}", shown(&one.name), state, if addresses.is_empty() { shown(&one.about).into_owned() } else { addresses.join(", ") })?;
    }
    Ok(())
}

/// How long the next tick is waited for before other things are looked after.
const TICK: Duration = Duration::from_millis(500);
