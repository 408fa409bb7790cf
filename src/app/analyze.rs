//! `portbook analyze`: captures in, report out.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anstream::{AutoStream, ColorChoice, StripStream};

use crate::app::args::Analyze;
use crate::app::progress::Progress;
use crate::app::{Exit, Failure, choice, settings};
use crate::flow;
use crate::pipeline::{self, Plan};
use crate::report::{Format, Report, Style};

/// Reads, judges, prints.
pub fn run(typed: Analyze) -> Result<Exit, Failure> {
    let signatures = settings::documents(&typed.documents)?;
    let site = settings::site(&typed, &signatures)?;
    let stop = stop_on_signal();
    let progress = Progress::new(typed.quiet);
    let plan = Plan {
        captures: &typed.captures,
        filter: typed.filter.as_deref(),
        flows: flow::Settings::default(),
        workers: settings::workers(&typed),
        signatures: &signatures,
        site,
        stop: &stop,
    };
    let report = pipeline::run(plan, &|done, all| progress.show(done, all)).map_err(Failure::Capture)?;
    progress.clear();
    print(&typed, &report)?;
    Ok(verdict(&typed, &report))
}

/// Raised by the first SIGINT or SIGTERM, so that the report is still finished; a second one ends the program at once.
fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Where a handler cannot be set the signal keeps its usual meaning: the program ends.
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop));
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    stop
}

fn print(typed: &Analyze, report: &Report<'_>) -> Result<(), Failure> {
    // The argument parser takes no other name.
    let Some(format) = Format::named(&typed.format) else { return Err(Failure::Usage(format!("--format {}: no such format", typed.format))) };
    let style = Style { verbose: typed.verbose, quiet: typed.quiet };
    let target = typed.output.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let answer = output(typed, format).and_then(|out| {
        let mut out = BufWriter::with_capacity(OUTPUT_BUFFER, out);
        format.write(report, &style, &mut out)?;
        out.flush()
    });
    answer.map_err(|error| Failure::Output { target, error })
}

/// Where the report goes. Formats for machines hold no colour, so nothing is taken out of them.
fn output(typed: &Analyze, format: Format) -> io::Result<Box<dyn Write>> {
    let color = choice(typed.look.color);
    Ok(match &typed.output {
        None if format.paints => Box::new(AutoStream::new(io::stdout().lock(), color)),
        None => Box::new(io::stdout().lock()),
        Some(path) if format.paints && color != ColorChoice::Always => Box::new(StripStream::new(File::create(path)?)),
        Some(path) => Box::new(File::create(path)?),
    })
}

/// The exit code, and a line on standard error for each capture that was not read to its end.
fn verdict(typed: &Analyze, report: &Report<'_>) -> Exit {
    let broken: Vec<_> = report.files.iter().filter_map(|file| file.error.as_ref()).collect();
    for error in &broken {
        anstream::eprintln!("portbook: {error}");
    }
    let fails = typed.fail_on.map(settings::threshold).is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least));
    match (broken.is_empty(), fails) {
        (false, _) => Exit::Capture,
        (true, true) => Exit::Findings,
        (true, false) => Exit::Done,
    }
}

/// Reports are written in pieces of this many bytes.
const OUTPUT_BUFFER: usize = 1 << 16;
