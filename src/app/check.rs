//! `portbook check`: captures in, differences from what is expected out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::app::args::{Check, CheckFormat, Documents};
use crate::app::place::{put, spare, tell};
use crate::app::progress::Progress;
use crate::app::reading::{stop_on_signal, tell_unread};
use crate::app::settings::{self, Basis};
use crate::app::{Exit, Failure, evidence, whole};
use crate::check::{self, Baseline, Census, Comparison, Expectations, Gate};
use crate::judge::{Judged, Telling};
use crate::limit::BASELINE_BYTES;
use crate::pipeline;
use crate::report::paragraph::count;
use crate::report::{Format, Report, Style};
use crate::signature::text_within;

/// Reads, compares, prints; with `--bless` it writes the file.
pub fn run(typed: &Check) -> Result<Exit, Failure> {
    evidence::check(&typed.evidence, &typed.captures, typed.output.as_deref())?;
    spare(typed.output.as_deref(), &typed.captures, &typed.reading, &[typed.expect.as_ref(), typed.baseline.as_ref()])?;
    let basis = Basis::load(&typed.reading)?;
    let stop = stop_on_signal();
    match (&typed.expect, &typed.baseline) {
        (Some(path), _) if typed.bless => draft(typed, &basis, path, &stop),
        (Some(path), _) => expect(typed, &basis, path, &stop),
        (None, Some(path)) => baseline(typed, &basis, path, &stop),
        (None, None) => Err(Failure::Usage("name --expect FILE or --baseline FILE".to_owned())),
    }
}

fn expect(typed: &Check, basis: &Basis, path: &Path, stop: &AtomicBool) -> Result<Exit, Failure> {
    let due = Expectations::load(path, &basis.site, &basis.signatures, basis.whole()).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut gate = Gate::new(&due, &basis.site, &basis.signatures);
    let report = read(typed, basis, stop, &mut |judged| gate.flow(judged))?;
    let comparison = gate.finish(&report);
    told(typed, comparison, &report)
}

/// A draft never takes the place of what people wrote.
fn draft(typed: &Check, basis: &Basis, path: &Path, stop: &AtomicBool) -> Result<Exit, Failure> {
    if path.exists() {
        let path = path.display();
        return Err(Failure::Usage(format!(
            "{path}: is there already, and a draft does not replace what people write (name another file, or move this one away)"
        )));
    }
    let report = read(typed, basis, stop, &mut |_| {})?;
    if tell_unread(&report, typed.reading.filter.as_deref()) || report.interrupted {
        tell_unwritten(path);
        return Ok(Exit::Capture);
    }
    if report.digest.flows == 0 {
        return Ok(tell_nothing(path));
    }
    replace(path, &check::draft(&report, &options(typed)))?;
    tell(format_args!("{} is written: a draft from what was seen, to be read and corrected", path.display()));
    Ok(Exit::Done)
}

fn tell_unwritten(path: &Path) {
    tell(format_args!("{} is not written: --bless takes for the measure only what was read to its end", path.display()));
}

/// A measure of nothing would hold for ever.
fn tell_nothing(path: &Path) -> Exit {
    tell(format_args!("{} is not written: nothing was judged, so there is nothing to hold others against", path.display()));
    Exit::Findings
}

/// The options that judging depends on, as they were typed.
fn options(typed: &Check) -> String {
    let Documents { product, signatures, only_signatures } = &typed.reading.documents;
    let paths = |option: &'static str, paths: &mut dyn Iterator<Item = &PathBuf>| paths.map(|path| format!("{option} {}", path.display())).collect::<Vec<_>>();
    let mut words = paths("--site", &mut typed.reading.site.site.iter());
    words.extend(typed.reading.site.role.iter().map(|role| format!("--role {role}")));
    words.extend((!product.is_empty()).then(|| format!("--product {}", product.join(","))));
    words.extend(paths("--signatures", &mut signatures.iter()));
    words.extend(only_signatures.then(|| "--only-signatures".to_owned()));
    words.extend(typed.reading.strict.then(|| "--strict".to_owned()));
    words.extend(typed.reading.filter.iter().map(|filter| format!("--filter '{filter}'")));
    words.join(" ")
}

fn baseline(typed: &Check, basis: &Basis, path: &Path, stop: &AtomicBool) -> Result<Exit, Failure> {
    let before = before(typed, path)?;
    let mut census = Census::new(&basis.site, &basis.signatures);
    let report = read(typed, basis, stop, &mut |judged| census.flow(judged))?;
    let exit = match &before {
        Some(before) => told(typed, census.compare(before, &path.display().to_string(), &report), &report)?,
        None if tell_unread(&report, typed.reading.filter.as_deref()) => Exit::Capture,
        None => Exit::Done,
    };
    if !typed.bless {
        return Ok(exit);
    }
    if exit == Exit::Capture || report.interrupted {
        tell_unwritten(path);
        return Ok(exit);
    }
    if report.digest.flows == 0 {
        return Ok(tell_nothing(path));
    }
    let now = census.baseline(&report);
    replace(path, &now.text())?;
    let (services, findings) = now.len();
    tell(format_args!("{} is written: {} between hosts, {}", path.display(), count(services, "service"), count(findings, "finding")));
    Ok(Exit::Done)
}

/// The baseline that is there. One that is not may be written; what is something else is never replaced.
fn before(typed: &Check, path: &Path) -> Result<Option<Baseline>, Failure> {
    let text = match text_within(path, BASELINE_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && typed.bless => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::Usage(format!("{}: there is no such file (--bless writes it from what these captures show)", path.display())));
        }
        Err(error) => return Err(Failure::Usage(format!("{}: {error}", path.display()))),
        Ok(text) => text,
    };
    match Baseline::from_text(&text) {
        Ok(before) => Ok(Some(before)),
        // One of another form is replaced by one that can be read.
        Err(unfit) if typed.bless && unfit.place.is_none() => Ok(None),
        Err(unfit) => {
            let place = unfit.place.map_or_else(String::new, |(line, column)| format!("{line}:{column}:"));
            let help = if unfit.place.is_some() { "name another file" } else { "write a new one with --bless" };
            Err(Failure::Usage(format!("{}:{place} {} ({help})", path.display(), unfit.says)))
        }
    }
}

fn read<'a>(typed: &'a Check, basis: &'a Basis, stop: &'a AtomicBool, each: &mut dyn FnMut(&Judged)) -> Result<Report<'a>, Failure> {
    let progress = Progress::new(typed.quiet);
    let plan = basis.plan(&typed.reading, &typed.captures, Telling::Causes, stop);
    let report = pipeline::run(plan, &|done, all| progress.show(done, all), each).map_err(Failure::Capture);
    progress.clear();
    let report = report?;
    evidence::write(&typed.evidence, &typed.captures, &report)?;
    Ok(report)
}

/// Prints the comparison; the exit code that follows from it.
fn told(typed: &Check, mut comparison: Comparison, report: &Report<'_>) -> Result<Exit, Failure> {
    if report.interrupted {
        comparison.notes.push("reading was ended early: what is missing may come later in the captures".to_owned());
    }
    let least = typed.fail_on.map(settings::threshold);
    let failing = least.map_or(0, |least| report.findings.iter().filter(|finding| finding.severity >= least).count());
    let fails = failing > 0;
    if fails {
        comparison.notes.push(format!("--fail-on: {} of that severity or worse, so the exit code is 1; -v prints the findings", count(failing, "finding")));
    }
    let text = typed.format == CheckFormat::Text;
    put(typed.output.as_deref(), text, typed.look.color, |out| print(typed, &comparison, report, out))?;
    Ok(match (tell_unread(report, typed.reading.filter.as_deref()), fails || !comparison.differences.is_empty()) {
        (true, _) => Exit::Capture,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Done,
    })
}

fn print(typed: &Check, comparison: &Comparison, report: &Report<'_>, mut out: &mut dyn Write) -> io::Result<()> {
    match typed.format {
        CheckFormat::Json => check::json(comparison, report, &mut out)?,
        CheckFormat::Text => {
            check::text(comparison, report, Style { verbose: typed.verbose, quiet: typed.quiet, ..Style::default() }, &mut out)?;
            if let Some(format) = Format::named("text").filter(|_| typed.verbose) {
                writeln!(out)?;
                format.open(&mut out, Style { quiet: true, ..Style::default() }, report.signatures).finish(report)?;
            }
        }
    }
    Ok(())
}

fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    whole::replace(path, |file| file.write_all(text.as_bytes())).map_err(|error| Failure::Output { target: path.display().to_string(), error })
}
