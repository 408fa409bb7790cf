//! `portbook learn`: captures in, a draft of a site file out.

use crate::app::args::{Color, Learn};
use crate::app::place::{put, spare};
use crate::app::progress::Progress;
use crate::app::reading::{stop_on_signal, tell_unread};
use crate::app::settings::Basis;
use crate::app::{Exit, Failure};
use crate::judge::Telling;
use crate::judge::learned::Learner;
use crate::pipeline;
use crate::report::draft::Draft;

/// Reads, learns, prints.
pub fn run(typed: &Learn) -> Result<Exit, Failure> {
    spare(typed.output.as_deref(), &typed.captures, &typed.reading, &[])?;
    let basis = Basis::load(&typed.reading)?;
    let (stop, progress) = (stop_on_signal(), Progress::new(typed.quiet));
    let mut learner = Learner::new(&basis.signatures, basis.site.clone());
    let plan = basis.plan(&typed.reading, &typed.captures, Telling::Everything, &stop);
    let report = pipeline::run(plan, &|done, all| progress.show(done, all), &mut |judged| learner.add(judged)).map_err(Failure::Capture)?;
    progress.clear();
    let learned = learner.finish();
    let draft = Draft { signatures: &basis.signatures, learned: &learned, files: &report.files };
    put(typed.output.as_deref(), false, Color::Never, |mut out| draft.write(&mut out))?;
    Ok(if tell_unread(&report, typed.reading.filter.as_deref()) { Exit::Capture } else { Exit::Done })
}
