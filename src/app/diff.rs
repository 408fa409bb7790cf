//! `portbook diff`: two reports or captures in, what differs between them out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::app::args::{CheckFormat, Diff};
use crate::app::place::{put, spare};
use crate::app::progress::Progress;
use crate::app::reading::{stop_on_signal, tell_unread};
use crate::app::settings::Basis;
use crate::app::{Exit, Failure};
use crate::check::{self, Comparison, View};
use crate::judge::Telling;
use crate::pipeline;
use crate::report::Style;

/// Reads both, compares, prints.
pub fn run(typed: &Diff) -> Result<Exit, Failure> {
    spare(typed.output.as_deref(), &[typed.old.clone(), typed.new.clone()], &typed.reading, &[])?;
    let basis = Basis::load(&typed.reading)?;
    let stop = stop_on_signal();
    let (old, old_whole) = view(typed, &basis, &typed.old, &stop)?;
    let (new, new_whole) = view(typed, &basis, &typed.new, &stop)?;
    let comparison = new.compare(&old, &basis.signatures);
    let text = typed.format == CheckFormat::Text;
    put(typed.output.as_deref(), text, typed.look.color, |out| print(typed, &comparison, [&old, &new], out))?;
    Ok(match (old_whole && new_whole, typed.fail_on_change && !comparison.differences.is_empty()) {
        (false, _) => Exit::Capture,
        (true, true) => Exit::Findings,
        (true, false) => Exit::Done,
    })
}

/// One side, and whether its captures were read to their end.
fn view<'a>(typed: &Diff, basis: &'a Basis, path: &Path, stop: &AtomicBool) -> Result<(View<'a>, bool), Failure> {
    // What cannot be opened is told when it is read as a capture.
    if View::is_report(path).unwrap_or(false) {
        return View::read(path, &basis.site).map(|view| (view, true)).map_err(|error| Failure::Usage(error.to_string()));
    }
    let captures = [PathBuf::from(path)];
    let mut view = View::new(path.display().to_string(), &basis.site);
    let progress = Progress::new(typed.quiet);
    let plan = basis.plan(&typed.reading, &captures, Telling::Causes, stop);
    let report = pipeline::run(plan, &|done, all| progress.show(done, all), &mut |judged| view.flow(judged, &basis.signatures)).map_err(Failure::Capture);
    progress.clear();
    let report = report?;
    view.finish(&report);
    let whole = !tell_unread(&report, typed.reading.filter.as_deref());
    Ok((view, whole))
}

fn print(typed: &Diff, comparison: &Comparison, views: [&View<'_>; 2], mut out: &mut dyn Write) -> io::Result<()> {
    match typed.format {
        CheckFormat::Json => check::diff_json(comparison, views, &mut out),
        CheckFormat::Text => check::diff_text(comparison, views, Style { quiet: typed.quiet, ..Style::default() }, &mut out),
    }
}
