//! `portbook analyze`: captures in, report out.

use std::io::{self, IsTerminal, Write};

use crate::app::args::Analyze;
use crate::app::place::{painted, spare, standard, target};
use crate::app::progress::Progress;
use crate::app::reading::{stop_on_signal, tell_unread};
use crate::app::settings::{self, Basis};
use crate::app::{Exit, Failure, evidence, whole};
use crate::judge::Judged;
use crate::pipeline::{self, Plan};
use crate::report::{Format, Report, Sheet, Style};

/// Reads, judges, prints.
pub fn run(typed: Analyze) -> Result<Exit, Failure> {
    spare(typed.output.as_deref(), &typed.captures, &typed.reading, &[])?;
    let basis = Basis::load(&typed.reading)?;
    evidence::check(&typed.evidence, &typed.captures, typed.output.as_deref())?;
    let stop = stop_on_signal();
    let progress = Progress::new(typed.quiet);
    // The argument parser takes no other name.
    let Some(format) = Format::named(&typed.format) else { return Err(Failure::Usage(format!("--format {}: no such format", typed.format))) };
    let sheet = settings::sheet(typed.table, format)?;
    if format.binary && typed.output.is_none() && io::stdout().is_terminal() {
        return Err(Failure::Usage(format!("--format {}: a terminal cannot show it; write it to a file with --output FILE", format.name)));
    }
    let plan = basis.plan(&typed.reading, &typed.captures, format.telling, &stop);
    let (report, answer) = report(&typed, (format, sheet), plan, &progress)?;
    evidence::write(&typed.evidence, &typed.captures, &report)?;
    answer.map_err(|error| Failure::Output { target: target(typed.output.as_deref()), error })?;
    Ok(verdict(&typed, &report))
}

/// Runs the pipeline into the place that was asked for; the second part is how writing went. A file is written whole or not at all: what cannot be read or
/// written to its end leaves an old report alone.
fn report<'a>(typed: &Analyze, (format, sheet): (Format, Sheet), plan: Plan<'a>, progress: &Progress) -> Result<(Report<'a>, io::Result<()>), Failure> {
    let style = Style { verbose: typed.verbose, quiet: typed.quiet, sheet, fail_on: typed.fail_on.map(settings::threshold) };
    let Some(path) = typed.output.as_deref() else {
        return standard(format.paints, typed.look.color, |out| Ok(read_into(out, (format, style), plan, progress)))
            .map_err(|error| Failure::Output { target: target(None), error })?;
    };
    let mut read = None;
    let put = whole::replace(path, |file| {
        let (report, answer) = if format.paints {
            painted(file, typed.look.color, |out| read_into(out, (format, style), plan, progress))?
        } else {
            read_into(file, (format, style), plan, progress)?
        };
        read = Some(report);
        answer.map_err(Stopped::Output)
    });
    match (put, read) {
        (Ok(()), Some(report)) => Ok((report, Ok(()))),
        (Err(Stopped::Output(error)), Some(report)) => Ok((report, Err(error))),
        (Err(Stopped::Failure(failure)), _) => Err(failure),
        (Err(Stopped::Output(error)), None) => Err(Failure::Output { target: target(Some(path)), error }),
        // Without a failure there is a report.
        (Ok(()), None) => Err(Failure::Output { target: target(Some(path)), error: io::Error::other("nothing was written") }),
    }
}

fn read_into<'a>(out: &mut dyn Write, (format, style): (Format, Style), plan: Plan<'a>, progress: &Progress) -> Result<(Report<'a>, io::Result<()>), Failure> {
    let mut answer = Ok(());
    let mut writer = format.open(out, style, plan.signatures);
    let mut each = |judged: &Judged| {
        if answer.is_ok() {
            answer = writer.flow(judged);
        }
    };
    let several = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    let run = if several && format.prints_flows(style) { pipeline::run_beside } else { pipeline::run };
    let report = run(plan, &|done, all| progress.show(done, all), &mut each).map_err(Failure::Capture);
    progress.clear();
    let report = report?;
    let answer = answer.and_then(|()| writer.finish(&report));
    drop(writer);
    Ok((report, answer.and_then(|()| out.flush())))
}

/// Why a file was not put in its place.
enum Stopped {
    Failure(Failure),
    Output(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The exit code, and a line on standard error for each capture that was not read to its end or not understood.
fn verdict(typed: &Analyze, report: &Report<'_>) -> Exit {
    let fails = typed.fail_on.map(settings::threshold).is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least));
    match (tell_unread(report, typed.reading.filter.as_deref()), fails) {
        (true, _) => Exit::Capture,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Done,
    }
}
