//! A file of records that begins anew by size or time.
//!
//! The present file bears the name that was asked for. When it is full or old enough it gets its time into its name, by an atomic renaming, and where that is
//! wanted it is compressed under another name first: whoever collects files never meets half a one. It is brought to the disk (fsync) then and at the end, not
//! at each record. A disk that is full costs the records that found no room, which are counted, and no half record is left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;
use flate2::Compression;
use flate2::write::GzEncoder;

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
}

impl Rotating {
    /// Makes the file anew. One that is there is put aside where files are rotated, and overwritten else, as `analyze` does.
    pub fn create(path: &Path, rotation: Rotation, plain: bool) -> io::Result<Self> {
        let mut clock = Clock::start();
        let begun = clock.now();
        let rotates = rotation.size.is_some() || rotation.age.is_some();
        if rotates && fs::metadata(path).is_ok_and(|known| known.is_file() && known.len() > 0) {
            put_aside(path, begun, rotation)?;
        }
        Ok(Self { path: path.to_owned(), file: File::create(path)?, rotation, len: 0, begun, clock, plain })
    }

    /// Writes what comes, until nobody sends any more.
    pub fn take_all(&mut self, records: &Receiver<Vec<u8>>, refused: &AtomicU64) -> io::Result<()> {
        while let Ok(record) = records.recv() {
            if self.is_due()
                && let Err(error) = self.begin_anew()
            {
                anstream::eprintln!("portbook: {}: cannot be rotated: {error}; it grows on", self.path.display());
            }
            self.take(&record, refused)?;
        }
        self.file.sync_all()
    }

    fn take(&mut self, record: &[u8], refused: &AtomicU64) -> io::Result<()> {
        let stripped = self.plain.then(|| anstream::adapter::strip_bytes(record).into_vec());
        let record = stripped.as_deref().unwrap_or(record);
        match self.file.write_all(record) {
            Ok(()) => self.len += record.len() as u64,
            Err(error) if PASSES.contains(&error.kind()) => {
                refused.fetch_add(1, Ordering::Relaxed);
                // A half record would spoil the next one, too. A pipe cannot be cut; nothing else was written there.
                let _ = self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::End(0)));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn is_due(&mut self) -> bool {
        let Rotation { size, age, .. } = self.rotation;
        let now = self.clock.now();
        self.len > 0 && (size.is_some_and(|most| self.len >= most) || age.is_some_and(|most| now.since(self.begun) >= most))
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let now = self.clock.now();
        // From now on, whatever happens: a folder that does not let files be renamed is not asked again with each record.
        self.begun = now;
        put_aside(&self.path, now, self.rotation)?;
        self.file = OpenOptions::new().write(true).create(true).truncate(true).open(&self.path)?;
        self.len = 0;
        Ok(())
    }
}

/// Renames the file, compresses it, and takes away the oldest.
fn put_aside(path: &Path, now: Timestamp, rotation: Rotation) -> io::Result<()> {
    let aside = named_aside(path, now);
    fs::rename(path, &aside)?;
    if rotation.gzip {
        compress(&aside)?;
    }
    if let Some(keep) = rotation.keep {
        let old = files_aside(path)?;
        for file in old.iter().take(old.len().saturating_sub(keep)) {
            fs::remove_file(file)?;
        }
    }
    Ok(())
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
    let mut encoder = GzEncoder::new(File::create(&part)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(&part, &whole)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rotation: Rotation, records: usize) -> (tempfile::TempDir, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.ndjson");
        fs::write(&path, "before\n").unwrap();
        let mut file = Rotating::create(&path, rotation, false).unwrap();
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
        let (folder, names) = written(Rotation { size: Some(20), ..Rotation::default() }, 9);
        // What was there before, three records a file, and the present one.
        assert_eq!(names.len(), 4, "{names:?}");
        let text: String = names.iter().map(|name| fs::read_to_string(folder.path().join(name)).unwrap()).collect();
        let all: Vec<String> = (0..9).map(|n| format!("{{\"n\":{n}}}")).collect();
        assert!(text.starts_with("before\n") && all.iter().all(|record| text.lines().any(|line| line == record)), "{text}");
    }

    #[test]
    fn what_is_put_aside_is_compressed_and_only_so_many_are_kept() {
        let (folder, names) = written(Rotation { size: Some(20), gzip: true, keep: Some(2), ..Rotation::default() }, 30);
        let aside: Vec<&String> = names.iter().filter(|name| name.ends_with(".ndjson.gz")).collect();
        assert_eq!((aside.len(), names.len()), (2, 3), "{names:?}");
        let mut text = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(File::open(folder.path().join(aside[1])).unwrap()), &mut text).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn a_file_that_is_not_rotated_is_made_anew() {
        let (folder, names) = written(Rotation::default(), 2);
        assert_eq!(names, ["findings.ndjson"]);
        assert_eq!(fs::read_to_string(folder.path().join("findings.ndjson")).unwrap(), "{\"n\":0}\n{\"n\":1}\n");
    }

    #[test]
    fn a_full_disk_costs_records_that_are_counted_and_leaves_no_half_one() {
        // Linux refuses every byte that is written there.
        let Ok(mut file) = Rotating::create(Path::new("/dev/full"), Rotation::default(), false) else { return };
        let refused = AtomicU64::new(0);
        file.take(b"one\n", &refused).unwrap();
        file.take(b"two\n", &refused).unwrap();
        assert_eq!(refused.load(Ordering::Relaxed), 2);
    }
}
