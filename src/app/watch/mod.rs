//! `portbook watch`: interfaces in, findings out as they become certain.

mod alone;
mod evidence;
mod journal;
mod metrics;
mod output;
mod reader;
mod reload;
mod rights;
mod rotation;
mod session;
mod systemd;
mod teller;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anstream::ColorChoice;

use self::evidence::Evidence;
use self::journal::Journal;
use self::metrics::Metrics;
use self::output::{Output, Target};
use self::reload::Files;
use self::rights::Allowed;
use self::rotation::{Rotating, Rotation};
use self::session::{Session, Signals};
use self::systemd::Manager;
use self::teller::Teller;
use crate::app::args::{Evidence as TypedEvidence, Watch as Typed};
use crate::app::place::{choice, fit, spare, standard};
use crate::app::reading::watch_on_signal;
use crate::app::settings::{self, Basis};
use crate::app::{Exit, Failure, evidence as asked, written};
use crate::capture::live::{self, Live, Options};
use crate::flow;
use crate::identify::Books;
use crate::judge::Covered;
use crate::limit::{LIVE_BUFFER, MEMORY, MEMORY_LEAST, MEMORY_OF_EVIDENCE};
use crate::pipeline::recent::Recent;
use crate::pipeline::watch::{self, Manner};
use crate::report::Style;
use crate::report::live::Manner as Telling;
use crate::report::paragraph::shown;

/// Watches until a signal, or for as long as was asked.
pub fn run(typed: &Typed) -> Result<Exit, Failure> {
    if typed.list {
        return written(standard(true, typed.look.color, |mut out| list(&mut out))).map(|()| Exit::Done);
    }
    asked::check(&TypedEvidence { evidence: typed.evidence.clone() }, &[], typed.output.as_deref())?;
    spare(typed.output.as_deref(), &[], &typed.reading, &[])?;
    let basis = Basis::load(&typed.reading)?;
    let options = Options {
        filter: typed.reading.filter.clone(),
        buffer: typed.buffer.unwrap_or(LIVE_BUFFER),
        promiscuous: !typed.no_promiscuous,
        reopens: typed.keep_rights,
    };
    let sources = Live::open(&typed.interfaces, &options, settings::workers(&typed.reading)).map_err(Failure::Capture)?;
    let telling =
        if typed.format == "ndjson" { Telling::Ndjson } else { Telling::Text(Style { verbose: typed.verbose, quiet: typed.quiet, ..Style::default() }) };
    let paints = matches!(telling, Telling::Text(_));
    let name = typed.output.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let failed = |error: io::Error| Failure::Output { target: name.clone(), error };
    let target = target(typed, paints).map_err(failed)?;
    let mut memory = typed.reading.memory.unwrap_or(MEMORY).max(MEMORY_LEAST);
    let recent = typed.evidence.as_ref().map(|_| Recent::of(sources.len(), memory / MEMORY_OF_EVIDENCE));
    let evidence = evidence(typed, recent.as_ref())?;
    if recent.is_some() {
        memory -= memory / MEMORY_OF_EVIDENCE;
    }
    let told = |error: io::Error| Failure::Usage(format!("--metrics: {error}"));
    let (metrics, listener) = Metrics::listen(typed.metrics).map_err(told)?;
    let refused = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is no such folder (make it first)".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied (it, or the journal in it, is another user's: chown them)".to_owned(),
            _ => error.to_string(),
        };
        Failure::Usage(format!("--state {}: {why}", typed.state.as_deref().unwrap_or(Path::new("")).display()))
    };
    let journal = typed.state.as_ref().map(|folder| Journal::open(folder)).transpose().map_err(refused)?;
    let (files, manager) = (Files::of(&typed.reading), Manager::find());
    let (stop, signals) = (watch_on_signal(), Signals::catch());
    // Before any thread is started: each takes over the rights of the one that starts it.
    if !typed.keep_rights {
        give_up_rights(typed, &files)?;
    }
    metrics.serve(listener);
    let mut teller = Teller::new(telling, Output::start(target, paints), evidence);
    let mut covered = Covered::default();
    if let Some((journal, held)) = journal {
        if held.cut > 0 {
            anstream::eprintln!("portbook: the journal ended in a line that was not written whole; {} bytes were cut off", held.cut);
        }
        teller.keep(journal, held.findings);
        covered = held.covered;
    }
    let flows = flow::Settings { keep_duplicates: typed.reading.keep_duplicates, ..flow::Settings::default() };
    let manner = Manner { flows, memory, telling: telling.tells(), recent };
    let books = Books::default();
    let confine = || {
        if !typed.keep_rights
            && let Err(error) = rights::confine_thread()
        {
            anstream::eprintln!("portbook: a worker keeps the right to open files: {error}");
        }
    };
    let mut session = Session { typed, stop: &stop, signals, books: &books, teller, metrics, files, manager, covered, reloads: [0; 2] };
    let exit = watch::with_workers(sources, &manner, &books, &stop, &confine, |feed| session.go(feed, basis));
    session.teller.end().map_err(failed)?;
    Ok(exit)
}

fn target(typed: &Typed, paints: bool) -> io::Result<Target> {
    let color = choice(typed.look.color);
    let rotation = Rotation { size: typed.rotate_size.map(|size| size as u64), age: typed.rotate_time, gzip: typed.gzip, keep: typed.keep };
    Ok(match &typed.output {
        None => {
            fit(typed.look.color);
            Target::Standard(color)
        }
        Some(path) => Target::File(Rotating::open(path, rotation, paints && color != ColorChoice::Always)?),
    })
}

/// The file for packets, where one is wanted.
fn evidence(typed: &Typed, recent: Option<&Recent>) -> Result<Option<Evidence>, Failure> {
    let Some((path, recent)) = typed.evidence.as_ref().zip(recent) else { return Ok(None) };
    let failed = |error: io::Error| Failure::Output { target: path.display().to_string(), error };
    Evidence::create(path, recent.clone()).map(Some).map_err(failed)
}

/// Everything that is needed is open: what is not needed any more is given up.
fn give_up_rights(typed: &Typed, files: &Files) -> Result<(), Failure> {
    let folder = |path: &PathBuf| path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let mut read = files.folders();
    read.extend(["/sys/class/net", "/sys/devices", "/proc/self"].map(PathBuf::from));
    let allowed =
        Allowed { user: typed.user.clone(), read, write: typed.output.iter().chain(&typed.evidence).map(folder).chain(typed.state.clone()).collect() };
    for missing in rights::give_up(&allowed).map_err(Failure::Usage)? {
        // Many a kernel has no Landlock; whatever else fails somebody should look after.
        if typed.verbose || missing != rights::NO_LANDLOCK {
            anstream::eprintln!("portbook: {missing}");
        }
    }
    Ok(())
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
