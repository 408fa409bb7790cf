//! Chosen frames of captures that were read before, read once more: nobody keeps the bytes of a frame.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::find::{Found, find};
use super::{CaptureFile, Captures, Frame, FrameId, Interface, Options, Progress, Source, SourceError, open};

/// Why chosen frames were not all handed on.
#[derive(Debug)]
pub enum ExcerptError {
    /// The captures cannot be read again, or are no longer what they were.
    Source(SourceError),
    /// What the taker answered.
    Taker(io::Error),
}

impl From<io::Error> for ExcerptError {
    fn from(error: io::Error) -> Self {
        Self::Taker(error)
    }
}

/// The first of these paths that cannot be read twice: standard input, a pipe, a device.
pub fn only_once(paths: &[PathBuf]) -> Option<&Path> {
    let once = |path: &&PathBuf| matches!(find(path), Ok(Found::Named(origin)) if origin.len.is_none());
    paths.iter().find(once).map(PathBuf::as_path)
}

/// Hands on those frames of captures in the order in which they are read, each with the interface and the file it is of, and reads no further than the
/// last of them. `before` is what the captures were when the frames were chosen.
///
/// # Errors
/// [`ExcerptError`]; frames handed on before are good.
pub fn excerpt(
    paths: &[PathBuf],
    before: &[CaptureFile],
    wanted: &BTreeSet<FrameId>,
    each: &mut dyn FnMut(&Frame<'_>, &Interface, &CaptureFile) -> io::Result<()>,
) -> Result<(), ExcerptError> {
    let mut captures = open(paths, Options::default()).map_err(ExcerptError::Source)?;
    let mut left = wanted.clone();
    while !left.is_empty() {
        let mut due: Vec<Kept> = Vec::new();
        let step = captures.read(&mut |frames| due.extend(frames.iter().filter(|frame| left.remove(&frame.id)).map(Kept::of)));
        for kept in due {
            let (interface, file) = place_of(&captures, before, &kept).map_err(ExcerptError::Source)?;
            each(&kept.frame(), interface, file).map_err(ExcerptError::Taker)?;
        }
        // A capture that ends badly did so the first time, too, and was told.
        if matches!(step, Ok(Progress::End)) {
            break;
        }
    }
    match left.first() {
        None => Ok(()),
        Some(frame) => Err(ExcerptError::Source(changed(before.get(frame.file() as usize).map_or("?", |file| &file.path)))),
    }
}

/// A chosen frame, kept until its interface is known: the source is lent while it lends.
struct Kept {
    id: FrameId,
    interface: u32,
    link: super::LinkType,
    time: crate::time::Timestamp,
    wire_len: u32,
    bytes: Vec<u8>,
}

impl Kept {
    fn of(frame: &Frame<'_>) -> Self {
        let Frame { id, interface, link, time, wire_len, bytes } = *frame;
        Self { id, interface, link, time, wire_len, bytes: bytes.to_vec() }
    }

    fn frame(&self) -> Frame<'_> {
        let Self { id, interface, link, time, wire_len, bytes } = self;
        Frame { id: *id, interface: *interface, link: *link, time: *time, wire_len: *wire_len, bytes }
    }
}

/// Where a frame is from, if that file is still the one that it was.
fn place_of<'c>(captures: &'c Captures, before: &[CaptureFile], kept: &Kept) -> Result<(&'c Interface, &'c CaptureFile), SourceError> {
    let place = kept.id.file() as usize;
    let (file, known) = (captures.files().get(place), before.get(place));
    let same = file.zip(known).filter(|(file, known)| (&file.path, file.first) == (&known.path, known.first)).map(|(file, _)| file);
    same.and_then(|file| Some((captures.interfaces().get(kept.interface as usize)?, file))).ok_or_else(|| changed(known.map_or("?", |known| &known.path)))
}

fn changed(path: &str) -> SourceError {
    let hint = "captures that are still written or rotated have to be copied first".to_owned();
    SourceError { path: path.to_owned(), what: "has changed since it was read, so the frames that findings cite cannot be taken from it".to_owned(), hint }
}
