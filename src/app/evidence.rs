//! `--evidence`: a file with the packets that findings cite.

use std::fs;
use std::path::{Path, PathBuf};

use crate::app::args::Evidence;
use crate::app::{Failure, whole};
use crate::capture::{ExcerptError, only_once};
use crate::report::{Report, evidence};

/// Tells what would keep the file from being written, before hours are spent on reading.
pub fn check(typed: &Evidence, captures: &[PathBuf], output: Option<&Path>) -> Result<(), Failure> {
    let Some(target) = &typed.evidence else { return Ok(()) };
    let refuse = |why: String| Err(Failure::Usage(format!("--evidence {}: {why}", target.display())));
    if let Some(once) = only_once(captures) {
        let what = if once.as_os_str() == "-" { "standard input".to_owned() } else { once.display().to_string() };
        return refuse(format!("{what} can be read only once, and the packets are copied in a second reading; save it to a file first"));
    }
    if target.is_dir() {
        return refuse("is a folder; name a file in it".to_owned());
    }
    let Some(place) = whole::folder(target).and_then(|folder| Some(fs::canonicalize(folder).ok()?.join(target.file_name()?))) else {
        return refuse("there is no such folder to write it to".to_owned());
    };
    let place = fs::canonicalize(target).unwrap_or(place);
    if output.is_some_and(|output| output == target) {
        return refuse("the report goes there (--output)".to_owned());
    }
    match captures.iter().find(|capture| fs::canonicalize(capture).is_ok_and(|capture| place.starts_with(capture))) {
        Some(capture) if capture.is_dir() => refuse(format!("lies in {}, where it would be read as a capture; name another folder", capture.display())),
        Some(_) => refuse("is one of the captures; name another file".to_owned()),
        None => Ok(()),
    }
}

/// Writes the file, whole or not at all.
pub fn write(typed: &Evidence, captures: &[PathBuf], report: &Report<'_>) -> Result<(), Failure> {
    let Some(target) = &typed.evidence else { return Ok(()) };
    whole::replace(target, |file| evidence::write(report, captures, file).map(|_| ())).map_err(|error| match error {
        ExcerptError::Source(error) => Failure::Capture(error),
        ExcerptError::Taker(error) => Failure::Output { target: target.display().to_string(), error },
    })
}
