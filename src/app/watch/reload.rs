//! When signatures or the site are read anew: at SIGHUP, and when their files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::args::Reading;
use crate::time::Timestamp;

/// Looks after the files that judging rests on.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    known: Vec<Stamp>,
    /// A change that was seen, to be acted upon once nothing more changes: somebody may be writing.
    changing: Option<Vec<Stamp>>,
    next: Timestamp,
}

/// A file as far as a change shows: which, how long, when it was written.
type Stamp = (PathBuf, u64, Option<FileTime>);

impl Files {
    /// Those that were named.
    pub fn of(typed: &Reading) -> Self {
        let paths: Vec<PathBuf> = typed.site.site.iter().chain(&typed.documents.signatures).cloned().collect();
        Self { known: stamps(&paths), paths, changing: None, next: Timestamp::from_nanos(i64::MIN) }
    }

    /// The folders that must stay readable: of files, as editors put new ones in their places.
    pub fn folders(&self) -> Vec<PathBuf> {
        let folder = |path: &PathBuf| {
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            if path.is_dir() { path } else { path.parent().map(Path::to_owned).unwrap_or(path) }
        };
        self.paths.iter().map(folder).collect()
    }

    /// Whether they have changed since this was said last.
    pub fn have_changed(&mut self, now: Timestamp) -> bool {
        if now < self.next || self.paths.is_empty() {
            return false;
        }
        self.next = now + EVERY;
        let stamps = stamps(&self.paths);
        if stamps == self.known {
            self.changing = None;
            return false;
        }
        if self.changing.as_ref() == Some(&stamps) {
            (self.known, self.changing) = (stamps, None);
            return true;
        }
        self.changing = Some(stamps);
        false
    }

    /// They are read now for another reason.
    pub fn are_known(&mut self) {
        (self.known, self.changing) = (stamps(&self.paths), None);
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let entries = |path: &PathBuf| {
        let inside = fs::read_dir(path).map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect()).unwrap_or_default();
        std::iter::once(path.clone()).chain::<Vec<PathBuf>>(inside)
    };
    let mut all: Vec<PathBuf> = paths.iter().flat_map(entries).collect();
    all.sort();
    all.into_iter().map(stamp).collect()
}

fn stamp(path: PathBuf) -> Stamp {
    let about = fs::metadata(&path).ok();
    let written = about.as_ref().and_then(written);
    (path, about.map_or(0, |about| about.len()), written)
}

/// When a file was written, in seconds and nanoseconds since the epoch, and which file it is: one put in another's place may be as old.
type FileTime = (i64, i64, u64);

#[cfg(unix)]
fn written(about: &fs::Metadata) -> Option<FileTime> {
    use std::os::unix::fs::MetadataExt;
    Some((about.mtime(), about.mtime_nsec(), about.ino()))
}

/// Only its length shows.
#[cfg(not(unix))]
fn written(_: &fs::Metadata) -> Option<FileTime> {
    None
}

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(2);
