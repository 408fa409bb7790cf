//! A file of records that begins anew by size or time.
//!
//! The present file bears the name that was asked for. What an earlier run left there stays: records are added to it, or it is put aside where files are rotated.
//! When it is full or old enough it gets its time into its name, by an atomic renaming, and where that is wanted it is compressed under another name first:
//! whoever collects files never meets half a one. It is brought to the disk (fsync) then and at the end, not at each record. A disk that is full costs the
//! records that found no room, which are counted, and no half record is left. A file that somebody else moves or removes (logrotate) is begun anew, and one that
//! is emptied where it lies goes on from there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{alone, reader};
use crate::capture::live::Clock;
use crate::time::Timestamp;

/// When a file is full or old enough, and what becomes of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// Most bytes.
    pub size: Option<u64>,
    /// Greatest age.
    pub age: Option<Duration>,
    /// Compress what is put aside.
    pub gzip: bool,
    /// Most files put aside that are kept; the oldest go.
    pub keep: Option<usize>,
}

/// The file.
pub struct Rotating {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    len: u64,
    begun: Timestamp,
    clock: Clock,
    /// Whether escape sequences are taken out.
    plain: bool,
    /// When it is looked whether the file still bears its name.
    look: Timestamp,
    /// Before then a rotation that failed is not tried again.
    patience: Timestamp,
}

impl Rotating {
    /// Opens the file. One that is there is put aside where files are rotated, and added to else.
    ///
    /// # Errors
    /// Those of the system, and a file that another watch writes to.
    pub fn open(path: &Path, rotation: Rotation, plain: bool) -> io::Result<Self> {
        let mut clock = Clock::start();
        let begun = clock.now();
        let rotates = rotation.size.is_some() || rotation.age.is_some();
        let (mut file, mut len) = opened(path)?;
        if rotates && len > 0 && file.metadata()?.is_file() {
            put_aside(path, begun, rotation)?;
            (file, len) = opened(path)?;
        }
        Ok(Self { path: path.to_owned(), file, rotation, len, begun, clock, plain, look: begun, patience: begun })
    }

    /// Writes what comes, until nobody sends any more.
    ///
    /// # Errors
    /// Those of the system. A disk that is full is one only where it did not take the last record: that one tells how all ended.
    pub fn take_all(&mut self, records: &Receiver<Vec<u8>>, refused: &AtomicU64) -> io::Result<()> {
        let mut last = Ok(());
        loop {
            // Where nothing is to be written a file grows old, is moved away, and a named pipe loses its reader all the same.
            let record = match records.recv_timeout(LOOK) {
                Ok(record) => Some(record),
                Err(RecvTimeoutError::Timeout) if reader::is_gone(&self.file) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let now = self.clock.now();
            if let Err(error) = self.tend(now) {
                anstream::eprintln!("portbook: {}: cannot be begun anew: {}; trying again in {} s", self.path.display(), why(&error), PATIENCE.as_secs());
                self.patience = now + PATIENCE;
            }
            let Some(record) = record else { continue };
            let before = refused.load(Ordering::Relaxed);
            last = self.take(&record, refused)?;
            if let (0, Err(error)) = (before, &last) {
                anstream::eprintln!("portbook: {}: {error}; records that find no room are counted", self.path.display());
            }
        }
        let refused = refused.load(Ordering::Relaxed);
        if refused > 0 {
            anstream::eprintln!("portbook: {}: {refused} records found no room", self.path.display());
        }
        last.and_then(|()| self.file.sync_all())?;
        // What was written to a file that nobody finds any more was not written.
        if alone::is_elsewhere(&self.file, &self.path) {
            opened(&self.path)?;
        }
        Ok(())
    }

    /// Writes a record whole or not at all. An error that goes on is the outer one; the inner one passes.
    fn take(&mut self, record: &[u8], refused: &AtomicU64) -> io::Result<io::Result<()>> {
        let stripped = self.plain.then(|| anstream::adapter::strip_bytes(record).into_vec());
        let record = stripped.as_deref().unwrap_or(record);
        let (written, answer) = written(&mut self.file, record);
        match answer {
            Ok(()) => self.len += record.len() as u64,
            Err(error) if PASSES.contains(&error.kind()) => {
                refused.fetch_add(1, Ordering::Relaxed);
                // A half record would spoil the next one, too. A pipe cannot be cut; nothing else was written there.
                let _ = self.file.metadata().and_then(|now| self.file.set_len(now.len().saturating_sub(written)));
                return Ok(Err(error));
            }
            Err(error) => return Err(error),
        }
        Ok(Ok(()))
    }

    /// Rotates where that is due, and begins anew where the file was taken away.
    fn tend(&mut self, now: Timestamp) -> io::Result<()> {
        let Rotation { size, age, .. } = self.rotation;
        let is_due = self.len > 0 && (size.is_some_and(|most| self.len >= most) || age.is_some_and(|most| now.since(self.begun) >= most));
        if is_due && now >= self.patience {
            self.file.sync_all()?;
            return self.begin_anew(now);
        }
        // A clock that was set back must not put it off for long.
        if now >= self.look || self.look.since(now) > LOOK {
            self.look = now + LOOK;
            if alone::is_elsewhere(&self.file, &self.path) && now >= self.patience {
                (self.file, self.len) = opened(&self.path)?;
                self.begun = now;
            }
        }
        Ok(())
    }

    /// The new file is there before the old one is compressed, which may fail: nothing is written into a file that was put aside.
    fn begin_anew(&mut self, now: Timestamp) -> io::Result<()> {
        let aside = renamed(&self.path, now)?;
        (self.file, self.len) = opened(&self.path)?;
        self.begun = now;
        if let Err(error) = aside.map_or(Ok(()), |aside| tidied(&self.path, &aside, self.rotation)) {
            anstream::eprintln!("portbook: {}: {error}; what was put aside stays as it is", self.path.display());
        }
        Ok(())
    }
}

/// Opens a file to add to it, and says how long it is. A last line that a crash cut off is ended, so that the next record has a line of its own.
fn opened(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let known = file.metadata()?;
    if !known.is_file() {
        return Ok((file, 0));
    }
    alone::claim(&file)?;
    let mut last = [b'\n'];
    if known.len() > 0
        && File::open(path).and_then(|mut there| there.seek(SeekFrom::End(-1)).and_then(|_| there.read_exact(&mut last))).is_ok()
        && last != [b'\n']
    {
        file.write_all(b"\n")?;
    }
    Ok((file, known.len()))
}

/// Why a file cannot be made, and what would help.
pub fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "its folder is gone (make it, and start portbook again)".to_owned(),
        // The right to write was for the folder that was there at the start.
        io::ErrorKind::PermissionDenied => format!("{error} (a folder that was made anew, or is another user's: start portbook again)"),
        _ => error.to_string(),
    }
}

/// How much of it was written, and what hindered the rest.
fn written(file: &mut File, bytes: &[u8]) -> (u64, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match file.write(&bytes[done..]) {
            Ok(0) => return (done as u64, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done as u64, Err(error)),
        }
    }
    (done as u64, Ok(()))
}

/// Puts a file aside that an earlier run left. That it cannot be compressed hinders nobody.
pub fn put_aside(path: &Path, now: Timestamp, rotation: Rotation) -> io::Result<()> {
    if let Some(aside) = renamed(path, now)?
        && let Err(error) = tidied(path, &aside, rotation)
    {
        anstream::eprintln!("portbook: {}: {error}; what was put aside stays as it is", path.display());
    }
    Ok(())
}

/// Gives the file its time into its name. None where somebody has taken it away.
fn renamed(path: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let aside = named_aside(path, now);
    match fs::rename(path, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes away the oldest, which may make room, and compresses what was put aside last.
fn tidied(path: &Path, aside: &Path, rotation: Rotation) -> io::Result<()> {
    if let Some(keep) = rotation.keep {
        let old = files_aside(path)?;
        for file in old.iter().take(old.len().saturating_sub(keep)) {
            fs::remove_file(file)?;
        }
    }
    if rotation.gzip && aside.exists() { compress(aside) } else { Ok(()) }
}

/// `findings.ndjson` of that time: `findings.2026-11-25T18-50-00.123456789Z.ndjson`. Names sort as times do.
fn named_aside(path: &Path, now: Timestamp) -> PathBuf {
    let (stem, end) = parts(path);
    path.with_file_name(format!("{stem}.{}{end}", now.to_string().replace(':', "-")))
}

/// Name up to its last dot, and the rest.
fn parts(path: &Path) -> (String, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.rfind('.').filter(|at| *at > 0) {
        Some(at) => (name[..at].to_owned(), name[at..].to_owned()),
        None => (name, String::new()),
    }
}

fn compress(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (part, whole) = (path.with_file_name(format!("{name}.gz.part")), path.with_file_name(format!("{name}.gz")));
    let fill = || {
        let mut encoder = GzEncoder::new(File::create(&part)?, Compression::default());
        io::copy(&mut File::open(path)?, &mut encoder)?;
        encoder.finish()?.sync_all()?;
        fs::rename(&part, &whole)
    };
    if let Err(error) = fill() {
        // On a full disk the half file would hold the room that the next records need.
        let _ = fs::remove_file(&part);
        return Err(io::Error::new(error.kind(), format!("cannot be compressed: {error}")));
    }
    fs::remove_file(path)
}

/// Files that were put aside, the oldest first.
fn files_aside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (stem, end) = parts(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_aside = |name: &str| {
        let rest = name.strip_prefix(&format!("{stem}.")).map(|rest| rest.strip_suffix(".gz").unwrap_or(rest));
        let time = rest.and_then(|rest| rest.strip_suffix(end.as_str()));
        time.is_some_and(|time| time.ends_with('Z') && time.starts_with(|c: char| c.is_ascii_digit()))
    };
    let entries = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|file| file.file_name().is_some_and(|name| is_aside(&name.to_string_lossy()))).collect();
    files.sort();
    Ok(files)
}

/// Faults of a disk that pass.
const PASSES: &[io::ErrorKind] = &[io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];

/// How often it is looked whether the file still bears its name: what was moved away gets this much more.
pub const LOOK: Duration = Duration::from_secs(1);

/// How long after one that failed the next rotation is tried.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn named(before: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.ndjson");
        fs::write(&path, before).unwrap();
        (folder, path)
    }

    fn run(rotation: Rotation, records: usize) -> (tempfile::TempDir, Vec<String>) {
        let (folder, path) = named("before\n");
        let mut file = Rotating::open(&path, rotation, false).unwrap();
        let (sender, receiver) = crossbeam_channel::unbounded();
        (0..records).for_each(|n| sender.send(format!("{{\"n\":{n}}}\n").into_bytes()).unwrap());
        drop(sender);
        file.take_all(&receiver, &AtomicU64::new(0)).unwrap();
        let mut names: Vec<String> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        (folder, names)
    }

    #[test]
    fn a_full_file_is_put_aside_whole_and_no_record_is_lost() {
        let (folder, names) = run(Rotation { size: Some(20), ..Rotation::default() }, 9);
        // What was there before, three records a file, and the present one.
        assert_eq!(names.len(), 4, "{names:?}");
        let text: String = names.iter().map(|name| fs::read_to_string(folder.path().join(name)).unwrap()).collect();
        let all: Vec<String> = (0..9).map(|n| format!("{{\"n\":{n}}}")).collect();
        assert!(text.starts_with("before\n") && all.iter().all(|record| text.lines().any(|line| line == record)), "{text}");
    }

    #[test]
    fn what_is_put_aside_is_compressed_and_only_so_many_are_kept() {
        let (folder, names) = run(Rotation { size: Some(20), gzip: true, keep: Some(2), ..Rotation::default() }, 30);
        let aside: Vec<&String> = names.iter().filter(|name| name.ends_with(".ndjson.gz")).collect();
        assert_eq!((aside.len(), names.len()), (2, 3), "{names:?}");
        let mut text = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(File::open(folder.path().join(aside[1])).unwrap()), &mut text).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn what_an_earlier_run_wrote_into_a_file_that_is_not_rotated_stays_in_front() {
        let (folder, names) = run(Rotation::default(), 2);
        assert_eq!(names, ["findings.ndjson"]);
        assert_eq!(fs::read_to_string(folder.path().join("findings.ndjson")).unwrap(), "before\n{\"n\":0}\n{\"n\":1}\n");
    }

    #[test]
    fn a_line_that_a_crash_cut_off_does_not_swallow_the_next_record() {
        let (_folder, path) = named("{\"n\":0}\n{\"n\":");
        let mut file = Rotating::open(&path, Rotation::default(), false).unwrap();
        file.take(b"{\"n\":1}\n", &AtomicU64::new(0)).unwrap().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"n\":0}\n{\"n\":\n{\"n\":1}\n");
    }

    #[test]
    fn a_file_that_is_old_enough_is_put_aside_though_nothing_more_is_to_be_written() {
        let (folder, path) = named("");
        let mut file = Rotating::open(&path, Rotation { age: Some(Duration::from_millis(10)), ..Rotation::default() }, false).unwrap();
        let (sender, receiver) = crossbeam_channel::unbounded();
        sender.send(b"{\"n\":0}\n".to_vec()).unwrap();
        let writer = std::thread::spawn(move || file.take_all(&receiver, &AtomicU64::new(0)));
        let files = || fs::read_dir(folder.path()).unwrap().count();
        let waited = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            files() == 2
        });
        drop(sender);
        writer.join().unwrap().unwrap();
        // An empty file is not put aside in its turn.
        assert!(waited && files() == 2 && fs::read(&path).unwrap().is_empty());
    }

    #[test]
    fn two_watches_do_not_write_to_one_file() {
        let (_folder, path) = named("before\n");
        let first = Rotating::open(&path, Rotation::default(), false).unwrap();
        let rotation = Rotation { size: Some(20), ..Rotation::default() };
        for rotation in [Rotation::default(), rotation] {
            let second = Rotating::open(&path, rotation, false).err().unwrap();
            assert_eq!(second.kind(), io::ErrorKind::ResourceBusy, "{second}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
        drop(first);
        assert!(Rotating::open(&path, rotation, false).is_ok());
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_somebody_moves_or_removes_is_begun_anew() {
        let (folder, path) = named("");
        let mut file = Rotating::open(&path, Rotation::default(), false).unwrap();
        let mut add = |record: &str| {
            let later = file.look + LOOK;
            file.tend(later).unwrap();
            file.take(record.as_bytes(), &AtomicU64::new(0)).unwrap().unwrap();
        };
        add("one\n");
        fs::rename(&path, folder.path().join("moved")).unwrap();
        add("two\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        fs::remove_file(&path).unwrap();
        add("three\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        assert_eq!(fs::read_to_string(folder.path().join("moved")).unwrap(), "one\n");
    }

    #[test]
    #[cfg(unix)]
    fn a_report_that_went_into_a_file_whose_folder_is_gone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let mut file = Rotating::open(&inner.join("findings.ndjson"), Rotation::default(), false).unwrap();
        fs::remove_dir_all(&inner).unwrap();
        let (sender, receiver) = crossbeam_channel::unbounded();
        sender.send(b"{}\n".to_vec()).unwrap();
        drop(sender);
        assert_eq!(file.take_all(&receiver, &AtomicU64::new(0)).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_is_emptied_where_it_lies_goes_on_from_there() {
        let (_folder, path) = named("");
        let mut file = Rotating::open(&path, Rotation::default(), false).unwrap();
        file.take(b"one\n", &AtomicU64::new(0)).unwrap().unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        file.take(b"two\n", &AtomicU64::new(0)).unwrap().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn where_what_is_put_aside_cannot_be_compressed_the_next_records_still_go_into_a_new_file() {
        let (folder, path) = named("");
        let mut file = Rotating::open(&path, Rotation { size: Some(4), gzip: true, ..Rotation::default() }, false).unwrap();
        file.take(b"one\n", &AtomicU64::new(0)).unwrap().unwrap();
        let now = file.clock.now();
        // A folder stands where the compressed file would be written.
        let aside = named_aside(&path, now);
        fs::create_dir(folder.path().join(format!("{}.gz.part", aside.file_name().unwrap().to_string_lossy()))).unwrap();
        file.tend(now).unwrap();
        file.take(b"two\n", &AtomicU64::new(0)).unwrap().unwrap();
        assert_eq!((fs::read_to_string(&aside).unwrap(), fs::read_to_string(&path).unwrap()), ("one\n".to_owned(), "two\n".to_owned()));
    }

    #[test]
    fn a_full_disk_costs_records_that_are_counted_and_that_the_last_one_found_no_room_is_an_error() {
        // Linux refuses every byte that is written there.
        let Ok(mut file) = Rotating::open(Path::new("/dev/full"), Rotation::default(), false) else { return };
        let refused = AtomicU64::new(0);
        let (sender, receiver) = crossbeam_channel::unbounded();
        ["one\n", "two\n"].into_iter().for_each(|record| sender.send(record.as_bytes().to_vec()).unwrap());
        drop(sender);
        let ended = file.take_all(&receiver, &refused).unwrap_err();
        assert_eq!((refused.load(Ordering::Relaxed), ended.kind()), (2, io::ErrorKind::StorageFull));
    }
}
