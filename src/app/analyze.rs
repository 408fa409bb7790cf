//! `portbook analyze`: captures in, report out.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anstream::AutoStream;

use crate::app::args::{Analyze, Color};
use crate::app::progress::Progress;
use crate::app::{Exit, Failure, choice, settings};
use crate::capture;
use crate::flow;
use crate::pipeline::{self, Plan};
use crate::report::{Format, Report, Style};

/// Reads, judges, prints.
pub fn run(typed: Analyze) -> Result<Exit, Failure> {
    let signatures = settings::documents(&typed.documents)?;
    let site = settings::site(&typed, &signatures)?;
    let reading = capture::Options { filter: typed.filter.clone(), ..Default::default() };
    let flows = flow::Settings { keep_duplicates: typed.keep_duplicates, ..Default::default() };
    let stop = stop_on_signal();
    let progress = Progress::new(typed.quiet);
    let plan = Plan { captures: &typed.captures, reading, flows, workers: settings::workers(&typed), signatures: &signatures, site, stop: &stop };
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
    let (target, answer) = match &typed.output {
        None => ("standard output".to_owned(), write(format, report, &style, io::stdout().lock(), typed.look.color)),
        Some(path) => {
            let color = if typed.look.color == Color::Always { Color::Always } else { Color::Never };
            (path.display().to_string(), File::create(path).and_then(|file| write(format, report, &style, file, color)))
        }
    };
    answer.map_err(|error| Failure::Output { target, error })
}

fn write(format: Format, report: &Report<'_>, style: &Style, out: impl Write + anstream::stream::RawStream, color: Color) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, AutoStream::new(out, choice(color)));
    format.write(report, style, &mut out)?;
    out.flush()
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
