//! `portbook analyze`: captures in, report out.

use std::io::{self, BufWriter, Write};

use crate::app::args::Analyze;
use crate::app::progress::Progress;
use crate::app::reading::{stop_on_signal, tell_unread};
use crate::app::settings::{self, Basis};
use crate::app::{Exit, Failure, evidence, output, target};
use crate::pipeline::{self, Plan};
use crate::report::{Format, Report, Sheet, Style};

/// Reads, judges, prints.
pub fn run(typed: Analyze) -> Result<Exit, Failure> {
    let basis = Basis::load(&typed.reading)?;
    evidence::check(&typed.evidence, &typed.captures, typed.output.as_deref())?;
    let stop = stop_on_signal();
    let progress = Progress::new(typed.quiet);
    // The argument parser takes no other name.
    let Some(format) = Format::named(&typed.format) else { return Err(Failure::Usage(format!("--format {}: no such format", typed.format))) };
    let sheet = settings::sheet(typed.table, format)?;
    let plan = basis.plan(&typed.reading, &typed.captures, format.records, &stop);
    let (report, answer) = report(&typed, (format, sheet), plan, &progress)?;
    evidence::write(&typed.evidence, &typed.captures, &report)?;
    answer.map_err(|error| Failure::Output { target: target(typed.output.as_deref()), error })?;
    Ok(verdict(&typed, &report))
}

/// Runs the pipeline into the writer that was asked for; the second part is how writing went.
fn report<'a>(typed: &Analyze, (format, sheet): (Format, Sheet), plan: Plan<'a>, progress: &Progress) -> Result<(Report<'a>, io::Result<()>), Failure> {
    let mut answer = Ok(());
    let mut out = BufWriter::with_capacity(OUTPUT_BUFFER, Late { typed, format, out: None });
    let mut writer =
        format.open(&mut out, Style { verbose: typed.verbose, quiet: typed.quiet, sheet, fail_on: typed.fail_on.map(settings::threshold) }, plan.signatures);
    let report = pipeline::run(plan, &|done, all| progress.show(done, all), &mut |judged| {
        if answer.is_ok() {
            answer = writer.flow(judged);
        }
    })
    .map_err(Failure::Capture)?;
    progress.clear();
    let answer = answer.and_then(|()| writer.finish(&report));
    drop(writer);
    Ok((report, answer.and_then(|()| out.flush())))
}

/// The output, opened when the first byte is written: a capture that cannot be read leaves an old report alone.
struct Late<'a> {
    typed: &'a Analyze,
    format: Format,
    out: Option<Box<dyn Write>>,
}

impl Write for Late<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Some(out) => out.write(bytes),
            None => self.out.insert(output(self.typed.output.as_deref(), self.format.paints, self.typed.look.color)?).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), |out| out.flush())
    }
}

/// The exit code, and a line on standard error for each capture that was not read to its end or not understood.
fn verdict(typed: &Analyze, report: &Report<'_>) -> Exit {
    let fails = typed.fail_on.map(settings::threshold).is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least));
    match (tell_unread(report), fails) {
        (true, _) => Exit::Capture,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Done,
    }
}

/// Reports are written in pieces of this many bytes.
const OUTPUT_BUFFER: usize = 1 << 16;
