//! `portbook rules`: the firewall rules that the documents ask for at a site; with captures, what is missing of them.

use crate::app::args::{Color, Rules};
use crate::app::place::{put, spare};
use crate::app::progress::Progress;
use crate::app::reading::{stop_on_signal, tell_unread};
use crate::app::settings::Basis;
use crate::app::{Exit, Failure};
use crate::judge::Telling;
use crate::judge::policy::{Gaps, Policy};
use crate::pipeline;
use crate::report::rules::{Ruleset, Syntax};

/// Works out the rules and prints them.
pub fn run(typed: &Rules) -> Result<Exit, Failure> {
    spare(typed.output.as_deref(), &typed.captures, &typed.reading, &[])?;
    let basis = Basis::load(&typed.reading)?;
    if basis.site.roles.is_empty() {
        let what = "nobody has a role, so no document asks for anything; give hosts their roles in the site file (--site) or with --role, or draft one with portbook learn";
        return Err(Failure::Usage(what.to_owned()));
    }
    // The argument parser takes no other name.
    let Some(syntax) = Syntax::named(&typed.to) else { return Err(Failure::Usage(format!("--to {}: no such syntax", typed.to))) };
    let policy = Policy::of(&basis.signatures, &basis.site);
    if typed.captures.is_empty() {
        print(typed, syntax, &Ruleset { policy: &policy, found: None, signatures: &basis.signatures, files: &[] })?;
        return Ok(Exit::Done);
    }
    let (stop, progress) = (stop_on_signal(), Progress::new(typed.quiet));
    let mut gaps = Gaps::new(policy);
    let plan = basis.plan(&typed.reading, &typed.captures, Telling::Judgement, &stop);
    let report = pipeline::run(plan, &|done, all| progress.show(done, all), &mut |judged| gaps.add(judged)).map_err(Failure::Capture)?;
    progress.clear();
    let (policy, found) = gaps.finish();
    print(typed, syntax, &Ruleset { policy: &policy, found: Some(&found), signatures: &basis.signatures, files: &report.files })?;
    Ok(if tell_unread(&report, typed.reading.filter.as_deref()) { Exit::Capture } else { Exit::Done })
}

fn print(typed: &Rules, syntax: Syntax, ruleset: &Ruleset<'_>) -> Result<(), Failure> {
    put(typed.output.as_deref(), false, Color::Never, |mut out| syntax.write(ruleset, &mut out))
}
