//! One capture file: opened, decompressed, read a block at a time, its records found.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::compression::{Ahead, Compression};
use super::format::{self, Format, HEAD_BYTES};
use super::memory::Memory;
use super::record::{COPY_AGAIN, Declared, Fault, Next, Record};
use super::window::{Block, Window};
use super::{Comment, LinkType, SourceError};
use crate::time::Timestamp;

/// Where a capture lies.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Path to open; none for standard input.
    pub path: Option<PathBuf>,
    /// Path as messages name it.
    pub shown: String,
    /// Bytes of the file, where it is a regular one: it can be opened again.
    pub len: Option<u64>,
}

/// Why a file was not opened.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It cannot be read, or is a damaged capture.
    Unreadable(SourceError),
    /// It is something else; in a folder that is no error.
    NotACapture(SourceError),
}

impl Refusal {
    pub(super) fn into_error(self) -> SourceError {
        match self {
            Self::Unreadable(error) | Self::NotACapture(error) => error,
        }
    }
}

/// How a file is to be opened.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// Bytes asked for at a time.
    pub block: usize,
    /// Whether decompression gets a thread of its own.
    pub ahead: bool,
    /// Where bytes of the (compressed) file are counted as they are read.
    pub counter: Arc<AtomicU64>,
    /// What decompressors may hold.
    pub memory: Memory,
}

/// An open capture file and the records of its current block.
pub(super) struct Reader {
    /// Index into `Source::files`.
    pub file: u32,
    /// For each declared interface its index into `Source::interfaces`, and its link type.
    pub interfaces: Vec<(u32, LinkType)>,
    /// How often blocks had been read when this one's was: the least recently read is closed first.
    pub turn: u64,
    /// Comments of it that found no room.
    pub comments_beyond: u64,
    origin: Origin,
    manner: Manner,
    feed: Option<Box<dyn Read + Send>>,
    compression: Option<Compression>,
    format: Format,
    window: Window,
    /// Records of the present block that were lent.
    next: usize,
    wanted: Option<Next>,
}

impl Reader {
    /// Opens a file and recognises its format.
    pub(super) fn open(origin: &Origin, file: u32, manner: Manner) -> Result<Self, Refusal> {
        let unreadable = |error: &io::Error| Refusal::Unreadable(origin.cannot("be read", error));
        let (mut feed, compression) = origin.feed(&manner).map_err(|error| Refusal::Unreadable(origin.cannot("be opened", &error)))?;
        let mut window = Window::new(manner.block);
        window.fill(&mut *feed, HEAD_BYTES).map_err(|error| unreadable(&error))?;
        let Some((format, header)) = Format::open(window.bytes()) else { return Err(origin.refuse(window.bytes(), compression)) };
        window.consume(header);
        Ok(Self {
            file,
            interfaces: Vec::new(),
            turn: 0,
            comments_beyond: 0,
            origin: origin.clone(),
            manner,
            feed: Some(feed),
            compression,
            format,
            window,
            next: 0,
            wanted: Some(Next::Need(1)),
        })
    }

    /// Finds the records of the next block; false at the end of the file. All records before must have been lent.
    pub(super) fn refill(&mut self) -> Result<bool, SourceError> {
        self.window.own().records.clear();
        self.next = 0;
        while self.records().is_empty() {
            if !self.advance()? {
                return Ok(false);
            }
            self.wanted = Some(self.window.walk(&mut self.format));
        }
        Ok(true)
    }

    /// Reads what the format asked for; false at an end where nothing is left over.
    fn advance(&mut self) -> Result<bool, SourceError> {
        let wanted = self.wanted.take().unwrap_or(Next::Need(1));
        let mut feed = match self.feed.take() {
            Some(feed) => feed,
            None => self.reopen().map_err(|error| self.origin.cannot("be opened again", &error))?,
        };
        let may_end = matches!(wanted, Next::Need(_));
        let read = match wanted {
            Next::Fault(fault) => return Err(self.fault(fault)),
            Next::Need(bytes) | Next::Must(bytes) => {
                self.window.fill(&mut *feed, bytes).map(|enough| if enough { 0 } else { bytes - self.window.bytes().len() })
            }
            Next::Skip(bytes) => self.window.skip(&mut *feed, bytes).map(|missing| usize::try_from(missing).unwrap_or(usize::MAX)),
        };
        self.feed = Some(feed);
        let missing = read.map_err(|error| self.broken(&error))?;
        let left = self.window.bytes().len();
        match missing {
            0 => Ok(true),
            _ if left == 0 && may_end => Ok(false),
            _ => Err(self.fault(Fault::new(format!("ends in the middle of a record, {} bytes in", self.window.read_to()), COPY_AGAIN))),
        }
    }

    /// Opens the file again at the place to which it was read.
    fn reopen(&self) -> io::Result<Box<dyn Read + Send>> {
        let read = self.window.read_to();
        if self.compression.is_none()
            && let Some(path) = &self.origin.path
        {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(read))?;
            return Ok(Box::new(Counted { from: file, counter: Arc::clone(&self.manner.counter) }));
        }
        // The bytes that are decompressed again were counted the first time.
        let (mut feed, _) = self.origin.feed(&Manner { counter: Arc::default(), ..self.manner.clone() })?;
        io::copy(&mut (&mut feed).take(read), &mut io::sink())?;
        Ok(feed)
    }

    /// Closes the file until its next block is asked for, where it can be opened again; says whether it was open.
    pub(super) fn set_aside(&mut self) -> bool {
        self.origin.len.is_some() && self.feed.take().is_some()
    }

    /// Whether the file is open at this moment.
    pub(super) fn is_at_hand(&self) -> bool {
        self.feed.is_some()
    }

    /// Whether opening it again means decompressing it again.
    pub(super) fn is_compressed(&self) -> bool {
        self.compression.is_some()
    }

    /// The next record to lend; none where the block is exhausted.
    pub(super) fn head(&self) -> Option<&Record> {
        self.records().get(self.next)
    }

    /// Lends the records up to a time in a file, and says which of the block's these are.
    pub(super) fn lend_until(&mut self, bound: Option<(Timestamp, u32)>) -> Range<usize> {
        let (first, file) = (self.next, self.file);
        let rest = self.records().get(first..).unwrap_or_default();
        let behind = |record: &Record| bound.is_some_and(|bound| bound < (record.time, file));
        self.next = first + rest.iter().position(behind).unwrap_or(rest.len());
        first..self.next
    }

    /// Lends the records from this one on once more.
    pub(super) fn take_back(&mut self, next: usize) {
        self.next = self.next.min(next);
    }

    /// The present block.
    pub(super) fn block(&self) -> &Arc<Block> {
        self.window.block()
    }

    /// The present block, of which nothing was lent yet, to be changed; it tells the interfaces that are known by now.
    pub(super) fn new_block(&mut self) -> &mut Block {
        let block = self.window.own();
        block.interfaces.clone_from(&self.interfaces);
        block
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.block().records
    }

    pub(super) fn declared(&self) -> &[Declared] {
        self.format.interfaces()
    }

    pub(super) fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        self.format.take_names()
    }

    pub(super) fn take_drops(&mut self) -> Vec<(u32, [Timestamp; 2], u64)> {
        self.format.take_drops()
    }

    pub(super) fn take_comments(&mut self) -> Vec<Comment> {
        self.format.take_comments()
    }

    pub(super) fn passed_over(&self) -> u64 {
        self.format.passed_over()
    }

    pub(super) fn format_name(&self) -> &'static str {
        self.format.name()
    }

    pub(super) fn compression_name(&self) -> Option<&'static str> {
        self.compression.map(Compression::name)
    }

    /// Time of the first frame, where the file has one that can be read.
    pub(super) fn peek(mut self) -> Option<Timestamp> {
        self.refill().ok()?;
        self.head().map(|record| record.time)
    }

    fn fault(&self, fault: Fault) -> SourceError {
        SourceError { path: self.origin.shown.clone(), what: fault.what, hint: fault.hint.to_owned() }
    }

    fn broken(&self, error: &io::Error) -> SourceError {
        match self.compression {
            Some(compression) if error.kind() == ErrorKind::UnexpectedEof => {
                self.fault(Fault::new(format!("its {} stream is cut off", compression.name()), COPY_AGAIN))
            }
            Some(compression) => self.fault(Fault::new(format!("its {} stream is damaged or cut off: {error}", compression.name()), COPY_AGAIN)),
            None => self.origin.cannot("be read on", error),
        }
    }
}

impl Origin {
    /// The file's bytes, decompressed where that is needed.
    fn feed(&self, manner: &Manner) -> io::Result<(Box<dyn Read + Send>, Option<Compression>)> {
        let from: Box<dyn Read + Send> = match &self.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(io::stdin()),
        };
        let mut from = Counted { from, counter: Arc::clone(&manner.counter) };
        let mut head = Vec::with_capacity(HEAD_BYTES);
        (&mut from).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        let compression = Compression::recognise(&head);
        let whole = Box::new(Cursor::new(head.clone()).chain(from));
        let Some(known) = compression else { return Ok((whole, None)) };
        let decoded = known.decode(whole, &head, manner.block, &manner.memory)?;
        if manner.ahead { Ok((Box::new(Ahead::spawn(decoded, manner.block)?), compression)) } else { Ok((decoded, compression)) }
    }

    /// Why a file that begins like this is not read.
    fn refuse(&self, head: &[u8], compression: Option<Compression>) -> Refusal {
        let error = |what: String, hint: &str| SourceError { path: self.shown.clone(), what, hint: hint.to_owned() };
        if format::is_cut(head) {
            return Refusal::Unreadable(error("is cut off in its file header".to_owned(), "nothing of it can be read; record or copy it again"));
        }
        if head.is_empty() {
            return Refusal::NotACapture(error("is empty".to_owned(), "nothing was recorded, or the copy failed; record or copy it again"));
        }
        let (what, hint) = format::describe(head);
        match compression {
            Some(compression) => Refusal::NotACapture(error(format!("once {} is undone, it {what}", compression.name()), hint)),
            None => Refusal::NotACapture(error(what, hint)),
        }
    }

    /// An error of the operating system in words.
    pub(super) fn cannot(&self, what: &str, error: &io::Error) -> SourceError {
        let (why, hint) = match error.kind() {
            ErrorKind::NotFound if is_interface(&self.shown) => ("there is no such file".to_owned(), "it is an interface: portbook watch captures on it"),
            ErrorKind::NotFound if self.shown.contains('*') => ("there is no such file".to_owned(), "nothing matches the pattern; a folder may be named, too"),
            ErrorKind::NotFound => ("there is no such file".to_owned(), "check the path"),
            ErrorKind::PermissionDenied => ("permission denied".to_owned(), "run as a user who may read it, or change its mode"),
            ErrorKind::UnexpectedEof => ("it ends too early".to_owned(), "the file is cut off; copy it again"),
            ErrorKind::InvalidData => (error.to_string(), "the file is damaged; copy it again"),
            _ if error.raw_os_error() == Some(TOO_MANY_OPEN) => ("too many files are open".to_owned(), "let the program open more: ulimit -n 1024"),
            _ => (error.to_string(), "check the disk or the connection it comes from"),
        };
        SourceError { path: self.shown.clone(), what: format!("cannot {what}: {why}"), hint: hint.to_owned() }
    }
}

/// `EMFILE`: the bound of the process, of Linux and the BSDs alike.
const TOO_MANY_OPEN: i32 = 24;

/// Whether a name that no file has is that of an interface, where the system tells it so.
fn is_interface(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('/') && Path::new("/sys/class/net").join(name).exists()
}

/// Counts the bytes that pass.
struct Counted<R> {
    from: R,
    counter: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        self.counter.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
