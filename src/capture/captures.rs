//! Several captures as one source, in order of time.
//!
//! The first frame of each file is looked at when a run begins; a file is opened when its turn comes and closed at its end. So rotated files are read
//! one after another and overlapping ones interleave. Frames within a file keep the file's order, whatever their times say.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::filter::Filter;
use super::find::{Found, find};
use super::memory::Memory;
use super::portion::Portion;
use super::reader::{Manner, Origin, Reader, Refusal};
use super::record::Record;
use super::{CaptureFile, Dropped, Frame, Interface, Pause, Progress, Source, SourceError};
use crate::limit::{
    BLOCK_BYTES, CAPTURE_FILES, COMMENTS_KEPT, FULL_BLOCKS, GAP_IN_A_CAPTURE, INTERFACES_OF_A_RUN, OPEN_CAPTURES, OVERLAPPING_CAPTURES, SMALL_BLOCK_BYTES,
};
use crate::time::Timestamp;

/// How captures are to be read.
#[derive(Default)]
pub struct Options {
    /// Lends only the frames that pass. The others keep their numbers and are counted.
    pub filter: Option<Filter>,
}

/// Capture files, read in order of time.
pub struct Captures {
    files: Vec<CaptureFile>,
    interfaces: Vec<Interface>,
    origins: Vec<Origin>,
    /// Files whose turn is to come, the first one last.
    waiting: Vec<(Timestamp, u32)>,
    open: Vec<Reader>,
    /// Faults that are still to be told.
    faults: VecDeque<SourceError>,
    /// Time of the last frame of each file.
    last: Vec<Option<Timestamp>>,
    /// The latest of these times.
    latest: Option<Timestamp>,
    filter: Option<Filter>,
    names: Vec<(IpAddr, String)>,
    pauses: Vec<Pause>,
    drops: Vec<Dropped>,
    /// Time of the latest frame that was lent.
    lent: Option<Timestamp>,
    /// Comments kept of all files.
    comments: usize,
    counter: Arc<AtomicU64>,
    memory: Memory,
    total: Option<u64>,
    skipped: u64,
    turn: u64,
}

/// Opens captures: files, folders (walked, in the order of their names) and `-` for standard input; pcap, pcapng, snoop and Network Monitor, plain or compressed with gzip,
/// zstd, lz4 or xz, recognised by content.
///
/// Files in a folder that are no captures are skipped and [counted](Captures::skipped). Where some of the named captures cannot be read,
/// [`Source::read`] tells it and goes on with the others.
///
/// # Errors
/// None of the captures can be read, a folder holds none, or there are too many; one line that says what to do.
pub fn open(paths: &[PathBuf], options: Options) -> Result<Captures, SourceError> {
    let mut captures = Captures {
        files: Vec::new(),
        interfaces: Vec::new(),
        origins: Vec::new(),
        waiting: Vec::new(),
        open: Vec::new(),
        faults: VecDeque::new(),
        last: Vec::new(),
        latest: None,
        filter: options.filter,
        names: Vec::new(),
        pauses: Vec::new(),
        drops: Vec::new(),
        lent: None,
        comments: 0,
        counter: Arc::default(),
        memory: Memory::default(),
        total: Some(0),
        skipped: 0,
        turn: 0,
    };
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        let what = "is named twice, and can be read once".to_owned();
        return Err(SourceError { path: "standard input".to_owned(), what, hint: "name - once".to_owned() });
    }
    for path in paths {
        match find(path) {
            Ok(Found::Named(origin)) => captures.add_named(origin, paths.len() == 1)?,
            Ok(Found::Folder(origins)) => captures.add_folder(&path.display().to_string(), origins)?,
            Err(error) => captures.add_refused(&path.display().to_string(), error),
        }
    }
    captures.waiting.sort_unstable_by_key(|waiting| Reverse(*waiting));
    if captures.open.is_empty()
        && captures.waiting.is_empty()
        && let Some(fault) = captures.faults.pop_front()
    {
        return Err(fault);
    }
    Ok(captures)
}

impl Captures {
    /// Files in folders that were skipped because they are no captures.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether any of them is compressed.
    pub fn is_compressed(&self) -> bool {
        self.files.iter().any(|file| file.compression.is_some())
    }

    /// Adds a capture the user named. One that comes alone, and one that cannot be opened twice, is opened for good at once.
    fn add_named(&mut self, origin: Origin, alone: bool) -> Result<(), SourceError> {
        let file = self.add(&origin)?;
        let opened = if alone || origin.len.is_none() {
            Reader::open(&origin, file, self.manner()).map(|reader| self.admit(reader))
        } else {
            peek(&origin, file).map(|looked| self.wait(file, &looked))
        };
        if let Err(refusal) = opened {
            self.fail(file, refusal.into_error());
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &str, origins: Vec<Origin>) -> Result<(), SourceError> {
        let before = self.files.len();
        let mut skipped = 0;
        for origin in origins {
            let next = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
            match peek(&origin, next) {
                Ok(looked) => {
                    let file = self.add(&origin)?;
                    self.wait(file, &looked);
                }
                Err(Refusal::NotACapture(_)) => skipped += 1,
                Err(Refusal::Unreadable(error)) => {
                    let file = self.add(&origin)?;
                    self.fail(file, error);
                }
            }
        }
        self.skipped += skipped;
        if self.files.len() == before {
            let what = format!("holds no captures ({skipped} other files)");
            self.add_refused(folder, SourceError { path: folder.to_owned(), what, hint: "name a folder with pcap or pcapng files".to_owned() });
        }
        Ok(())
    }

    /// Gives a file its index.
    fn add(&mut self, origin: &Origin) -> Result<u32, SourceError> {
        if self.files.len() >= CAPTURE_FILES {
            let what = format!("is capture number {}, more than one run takes", self.files.len() + 1);
            return Err(SourceError { path: origin.shown.clone(), what, hint: "name fewer files, or join them with mergecap".to_owned() });
        }
        self.total = self.total.zip(origin.len).map(|(total, len)| total + len);
        self.files.push(CaptureFile::new(&origin.shown));
        self.origins.push(origin.clone());
        self.last.push(None);
        Ok((self.files.len() - 1) as u32)
    }

    fn add_refused(&mut self, shown: &str, error: SourceError) {
        let origin = Origin { path: None, shown: shown.to_owned(), len: Some(0) };
        match self.add(&origin) {
            Ok(file) => self.fail(file, error),
            Err(too_many) => self.faults.push_back(too_many),
        }
    }

    fn wait(&mut self, file: u32, looked: &Looked) {
        self.waiting.push((looked.first.unwrap_or(FIRST_OF_ALL), file));
        if let Some(about) = self.files.get_mut(file as usize) {
            (about.format, about.compression) = (looked.format, looked.compression);
        }
    }

    fn admit(&mut self, reader: Reader) {
        if let Some(about) = self.files.get_mut(reader.file as usize) {
            (about.format, about.compression) = (reader.format_name(), reader.compression_name());
        }
        self.open.push(reader);
    }

    fn fail(&mut self, file: u32, error: SourceError) {
        if let Some(about) = self.files.get_mut(file as usize) {
            about.error = Some(error.clone());
        }
        self.faults.push_back(error);
    }

    /// Each file whose turn has come costs a window, read or not.
    fn fail_overlapping(&mut self, file: u32) {
        let path = self.files.get(file as usize).map(|about| about.path.clone()).unwrap_or_default();
        let what = format!("overlaps in time with {OVERLAPPING_CAPTURES} others, more than are merged at once");
        self.fail(file, SourceError { path, what, hint: "join some of them with mergecap".to_owned() });
    }

    fn manner(&self) -> Manner {
        let block = if self.open.len() < FULL_BLOCKS { BLOCK_BYTES } else { SMALL_BLOCK_BYTES };
        Manner { block, ahead: true, counter: Arc::clone(&self.counter), memory: self.memory.clone() }
    }

    /// Opens the files whose turn it is, and sees that each open file has a record to lend. Whether nothing was captured between what was lent and what will be.
    fn make_ready(&mut self) -> bool {
        let (mut place, before) = (0, self.pauses.len());
        while let Some(reader) = self.open.get(place) {
            let goes_on = reader.head().is_some() || self.refill(place);
            if goes_on {
                place += 1;
            } else {
                self.open.remove(place);
            }
        }
        while let Some((head, file)) = self.waiting.last().copied() {
            let first_open = self.open.iter().filter_map(|reader| Some((reader.head()?.time, reader.file))).min();
            if first_open.is_some_and(|first| first < (head, file)) {
                break;
            }
            self.waiting.pop();
            if self.open.is_empty() {
                self.pause_until(head);
            }
            self.make_room(usize::MAX);
            if self.open.len() >= OVERLAPPING_CAPTURES {
                self.fail_overlapping(file);
                continue;
            }
            let Some(origin) = self.origins.get(file as usize) else { continue };
            match Reader::open(origin, file, self.manner()) {
                Ok(reader) => {
                    self.open.push(reader);
                    let place = self.open.len() - 1;
                    if !self.refill(place) {
                        self.open.pop();
                    }
                }
                Err(refusal) => self.fail(file, refusal.into_error()),
            }
        }
        self.pauses.len() > before
    }

    /// Notes that no file covers the time up to `head`, where the next one begins.
    fn pause_until(&mut self, head: Timestamp) {
        if let Some(from) = self.latest.filter(|latest| *latest < head) {
            self.pauses.push(Pause { from, to: head });
            self.lent = Some(head);
        }
    }

    /// Reads the next block of an open file that has a record of use; false where it has come to its end.
    fn refill(&mut self, place: usize) -> bool {
        self.make_room(place);
        self.turn += 1;
        let turn = self.turn;
        loop {
            let Some(reader) = self.open.get_mut(place) else { return false };
            reader.turn = turn;
            let (file, more) = (reader.file, reader.refill());
            let passed = self.take_stock(place);
            match (more, passed) {
                (Ok(true), Ok(())) => {}
                (Ok(_), Err(error)) | (Err(error), _) => {
                    self.fail(file, error);
                    return false;
                }
                (Ok(false), Ok(())) => return false,
            }
            if self.open.get(place).is_some_and(|reader| reader.head().is_some()) {
                return true;
            }
        }
    }

    /// Notes what a new block brought, and takes out what the filter refuses.
    fn take_stock(&mut self, place: usize) -> Result<(), SourceError> {
        let Some(reader) = self.open.get_mut(place) else { return Ok(()) };
        let file = reader.file as usize;
        let (Some(about), Some(last)) = (self.files.get_mut(file), self.last.get_mut(file)) else { return Ok(()) };
        for (declared, (number, _)) in reader.declared().iter().zip(&reader.interfaces) {
            if let Some(known) = self.interfaces.get_mut(*number as usize) {
                known.dropped = declared.dropped;
            }
        }
        if self.interfaces.len() + reader.declared().len() - reader.interfaces.len() > INTERFACES_OF_A_RUN {
            let what = format!("describes interface number {}, more than one run takes", INTERFACES_OF_A_RUN + 1);
            return Err(SourceError { path: about.path.clone(), what, hint: "name fewer files at once".to_owned() });
        }
        for declared in reader.declared().get(reader.interfaces.len()..).unwrap_or_default().to_vec() {
            let super::record::Declared { name, link, snap_len, filter, dropped } = declared;
            reader.interfaces.push((self.interfaces.len() as u32, link));
            self.interfaces.push(Interface { file: reader.file, name, link, snap_len, filter, dropped });
        }
        for (place, times, packets) in reader.take_drops() {
            self.drops.extend(reader.interfaces.get(place as usize).map(|(interface, _)| Dropped { interface: *interface, times, packets }));
        }
        self.names.append(&mut reader.take_names());
        let room = COMMENTS_KEPT.saturating_sub(self.comments);
        let mut comments = reader.take_comments();
        let beyond = comments.len().saturating_sub(room);
        comments.truncate(room);
        self.comments += comments.len();
        reader.comments_beyond += beyond as u64;
        about.comments.append(&mut comments);
        about.passed_over = reader.passed_over() + reader.comments_beyond;
        about.frames += reader.records().len() as u64;
        about.first = about.first.or_else(|| reader.records().first().map(|record| record.time));
        for record in reader.records() {
            about.bytes += u64::from(record.len);
            about.out_of_order += u64::from(last.is_some_and(|last| record.time < last));
            *last = Some(record.time);
        }
        self.latest = self.latest.max(*last);
        let block = reader.new_block();
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let (refused, error) = block.retain(|link, bytes| filter.passes(link, bytes));
        about.filtered += refused;
        error.map_or(Ok(()), |error| Err(SourceError { path: about.path.clone(), ..error }))
    }

    /// Sees that one more file can be opened; `keep` stays.
    fn make_room(&mut self, keep: usize) {
        if self.open.len() < OPEN_CAPTURES || self.open.get(keep).is_some_and(Reader::is_at_hand) {
            return;
        }
        while self.open.iter().filter(|reader| reader.is_at_hand()).count() >= OPEN_CAPTURES {
            let others = self.open.iter_mut().enumerate().filter(|(place, reader)| *place != keep && reader.is_at_hand());
            let mut others: Vec<_> = others.map(|(_, reader)| reader).collect();
            others.sort_by_key(|reader| (reader.is_compressed(), reader.turn));
            if !others.into_iter().any(Reader::set_aside) {
                return;
            }
        }
    }

    /// Frames of all open files in order of time, until one of them needs its next block, the turn of a waiting one has come, or there is a gap, which is noted.
    fn portion(&mut self) -> Portion {
        let (mut runs, waiting) = (Vec::new(), self.waiting.last().copied());
        let mut heads: BinaryHeap<_> =
            self.open.iter().enumerate().filter_map(|(place, reader)| Some(Reverse((reader.head()?.time, reader.file, place)))).collect();
        while let Some(Reverse((time, file, place))) = heads.pop() {
            if waiting.is_some_and(|waiting| waiting < (time, file)) {
                break;
            }
            let Some(reader) = self.open.get_mut(place) else { break };
            let other = heads.peek().map(|Reverse((time, file, _))| (*time, *file));
            let records = reader.lend_until(other.into_iter().chain(waiting).min());
            // What a filter does not pass was captured all the same.
            let is_whole = self.filter.is_none();
            if let Some((last, pause)) = is_whole.then(|| gap_in(reader.records().get(records.clone()).unwrap_or_default(), &mut self.lent)).flatten() {
                runs.push((place, records.start..records.start + last));
                reader.take_back(records.start + last);
                self.pauses.push(pause);
                break;
            }
            runs.push((place, records));
            let Some(head) = reader.head() else { break };
            heads.push(Reverse((head.time, file, place)));
        }
        Portion { blocks: self.open.iter().map(|reader| (reader.file, Arc::clone(reader.block()))).collect(), runs }
    }

    /// The next frames; none at the end.
    ///
    /// # Errors
    /// Those of [`Source::read`].
    pub(super) fn next_portion(&mut self) -> Result<Option<Portion>, SourceError> {
        let is_paused = self.faults.is_empty() && self.make_ready();
        if let Some(fault) = self.faults.pop_front() {
            return Err(fault);
        }
        if self.open.is_empty() {
            return Ok(None);
        }
        Ok(Some(if is_paused { Portion::default() } else { self.portion() }))
    }

    /// What [`Source::position`] tells, for those who have no more than a share of this.
    pub(super) fn progress(&self) -> (Arc<AtomicU64>, Option<u64>) {
        (Arc::clone(&self.counter), self.total)
    }
}

/// The first gap of so long a time that two captures may have been joined there: the records before it, and the pause. `lent` is the time of the latest frame before.
fn gap_in(records: &[Record], lent: &mut Option<Timestamp>) -> Option<(usize, Pause)> {
    for (place, record) in records.iter().enumerate() {
        let before = *lent;
        let is_behind = |record: &Record| before.is_some_and(|before| record.time.since(before) >= GAP_IN_A_CAPTURE);
        if !is_behind(record) {
            *lent = before.max(Some(record.time));
        // One frame alone that is far ahead may have a wrong date.
        } else if records.get(place + 1).is_some_and(is_behind) {
            *lent = Some(record.time);
            return before.map(|from| (place, Pause { from, to: record.time }));
        }
    }
    None
}

impl Source for Captures {
    fn read(&mut self, sink: &mut dyn FnMut(&[Frame<'_>])) -> Result<Progress, SourceError> {
        let Some(portion) = self.next_portion()? else { return Ok(Progress::End) };
        portion.lend(sink);
        Ok(Progress::More)
    }

    fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    fn files(&self) -> &[CaptureFile] {
        &self.files
    }

    fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        std::mem::take(&mut self.names)
    }

    fn take_pauses(&mut self) -> Vec<Pause> {
        std::mem::take(&mut self.pauses)
    }

    fn take_drops(&mut self) -> Vec<Dropped> {
        std::mem::take(&mut self.drops)
    }

    fn position(&self) -> (u64, Option<u64>) {
        let read = self.counter.load(Ordering::Relaxed);
        (self.total.map_or(read, |total| read.min(total)), self.total)
    }
}

impl CaptureFile {
    fn new(shown: &str) -> Self {
        Self {
            path: shown.to_owned(),
            format: "unknown",
            compression: None,
            frames: 0,
            bytes: 0,
            first: None,
            out_of_order: 0,
            filtered: 0,
            passed_over: 0,
            comments: Vec::new(),
            error: None,
        }
    }
}

/// What a first look at a file found.
struct Looked {
    first: Option<Timestamp>,
    format: &'static str,
    compression: Option<&'static str>,
}

/// Whether this file would be read as a capture, or tried.
pub fn is_capture(path: &Path) -> bool {
    matches!(find(path), Ok(Found::Named(origin)) if !matches!(peek(&origin, 0), Err(Refusal::NotACapture(_))))
}

fn peek(origin: &Origin, file: u32) -> Result<Looked, Refusal> {
    let manner = Manner { block: SMALL_BLOCK_BYTES, ahead: false, counter: Arc::default(), memory: Memory::default() };
    let reader = Reader::open(origin, file, manner)?;
    let (format, compression) = (reader.format_name(), reader.compression_name());
    Ok(Looked { first: reader.peek(), format, compression })
}

/// Where a file without a readable frame stands: its fault is told before anything is lent.
const FIRST_OF_ALL: Timestamp = Timestamp::from_nanos(i64::MIN);
