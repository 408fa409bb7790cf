//! `watch --evidence`: the packets that findings cite, written as the findings are told.
//!
//! The file grows block by block and is whole after each, so it can be opened at any time. One that somebody moves, removes or empties is begun anew, within a second.
//! Of a packet that several findings cite the comment names those that were
//! told when it was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::alone;
use super::rotation::{LOOK, PATIENCE, Rotation, put_aside, why};
use crate::capture::FrameId;
use crate::capture::live::Clock;
use crate::capture::write::Writer;
use crate::judge::Finding;
use crate::limit::{EVIDENCE_BYTES, EVIDENCE_REMEMBERED};
use crate::pipeline::recent::{Kept, Recent};
use crate::report::Report;
use crate::report::evidence::says;
use crate::report::paragraph::shown;
use crate::time::Timestamp;

/// The file and what is in it.
pub struct Evidence {
    path: PathBuf,
    recent: Recent,
    writer: Writer<Blocks>,
    /// Numbers of the interfaces that are described in it, by interface and link.
    interfaces: BTreeMap<(u32, u16), u32>,
    /// Packets that are in it, or were looked for in vain.
    known: BTreeSet<FrameId>,
    /// Packets that were no longer kept.
    gone: u64,
    /// Packets that the file did not take.
    refused: u64,
    /// Whether a file that cannot be written was told of.
    complained: bool,
    /// When it is looked whether the file still bears its name.
    look: Timestamp,
}

/// A file to which whole blocks are added, or nothing.
struct Blocks {
    file: File,
    len: u64,
}

impl Evidence {
    /// Makes the file anew; one with packets of an earlier run gets the time into its name. Packets will be taken from `recent`.
    ///
    /// # Errors
    /// Those of the system, and a file that another watch writes to.
    pub fn create(path: &Path, recent: Recent) -> io::Result<Self> {
        let writer = begun(made_anew(path)?)?;
        let (interfaces, known, look) = (BTreeMap::new(), BTreeSet::new(), Timestamp::from_nanos(i64::MIN));
        Ok(Self { path: path.to_owned(), recent, writer, interfaces, known, gone: 0, refused: 0, complained: false, look })
    }

    /// Begins the file anew where it was taken away: what findings cite from then on is in it, whether or not it was in the old one.
    pub fn tend(&mut self, now: Timestamp) {
        // A clock that was set back must not put it off for long.
        if now < self.look && self.look.since(now) <= PATIENCE {
            return;
        }
        self.look = now + LOOK;
        let anew = match self.writer.below() {
            blocks if blocks.is_emptied() => blocks.file.try_clone().and_then(emptied),
            blocks if alone::is_elsewhere(&blocks.file, &self.path) => made_anew(&self.path),
            _ => return,
        };
        match anew.and_then(begun) {
            Ok(writer) => {
                self.writer = writer;
                self.interfaces.clear();
                self.known.clear();
                self.complained = false;
            }
            Err(error) => {
                anstream::eprintln!("portbook: {}: cannot be begun anew: {}; trying again in {} s", self.path.display(), why(&error), PATIENCE.as_secs());
                self.look = now + PATIENCE;
            }
        }
    }

    /// Adds the packets that these findings cite, as far as they are not in it and still kept.
    pub fn show<'f>(&mut self, findings: impl IntoIterator<Item = &'f Finding>, report: &Report<'_>) {
        let mut shows: BTreeMap<FrameId, Vec<String>> = BTreeMap::new();
        for finding in findings {
            for frame in finding.frames.iter().filter(|frame| !self.known.contains(frame)) {
                shows.entry(*frame).or_default().push(says(finding));
            }
        }
        for (frame, says) in shows {
            if self.known.len() >= EVIDENCE_REMEMBERED {
                self.known.pop_first();
            }
            self.known.insert(frame);
            match self.recent.get(frame) {
                None => self.gone += 1,
                Some(kept) => {
                    if let Err(error) = self.add(&kept, &says, report) {
                        self.refuse(&error);
                    }
                }
            }
        }
    }

    fn add(&mut self, kept: &Kept, says: &[String], report: &Report<'_>) -> io::Result<()> {
        if self.writer.below().len >= EVIDENCE_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {} MiB, and is not let grow further", EVIDENCE_BYTES >> 20)));
        }
        let name = report.files.get(kept.id.file() as usize).map_or("?", |file| &file.path);
        let number = match self.interfaces.get(&(kept.id.file(), kept.link.0)) {
            Some(number) => *number,
            None => {
                let number = self.writer.interface(kept.link, 0, Some(name))?;
                self.interfaces.insert((kept.id.file(), kept.link.0), number);
                number
            }
        };
        let from = format!("frame {} of {name}", kept.id.number());
        let said: Vec<String> = says.iter().map(|says| format!("finding {says} | {}", shown(&from))).collect();
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        self.writer.frame(number, kept.time, kept.wire_len, &kept.bytes, &said)
    }

    fn refuse(&mut self, error: &io::Error) {
        self.refused += 1;
        if !std::mem::replace(&mut self.complained, true) {
            anstream::eprintln!("portbook: {}: {error}; packets that find no room are counted", self.path.display());
        }
    }

    /// Brings it to the disk, and tells what is missing.
    pub fn end(self) {
        if self.gone + self.refused > 0 {
            let (path, gone, refused) = (self.path.display(), self.gone, self.refused);
            anstream::eprintln!("portbook: {path}: of the packets that findings cite {gone} were no longer kept, and {refused} found no room");
        }
        if let Err(error) = self.writer.finish().and_then(|blocks| blocks.file.sync_all()) {
            anstream::eprintln!("portbook: {}: {error}", self.path.display());
        }
    }
}

fn begun(file: File) -> io::Result<Writer<Blocks>> {
    let about = "packets that findings of portbook watch cite; each says in its comment which it shows";
    Writer::with_comment(Blocks { file, len: 0 }, concat!("portbook ", env!("CARGO_PKG_VERSION")), about)
}

fn made_anew(path: &Path) -> io::Result<File> {
    let made = || OpenOptions::new().write(true).create(true).truncate(false).open(path);
    let mut file = made()?;
    let known = file.metadata()?;
    if !known.is_file() {
        return Ok(file);
    }
    alone::claim(&file)?;
    if known.len() > WITHOUT_PACKETS {
        put_aside(path, Clock::start().now(), Rotation::default())?;
        file = made()?;
        alone::claim(&file)?;
    }
    emptied(file)
}

fn emptied(mut file: File) -> io::Result<File> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

impl Blocks {
    /// Whether somebody emptied the file where it lies (logrotate's `copytruncate`).
    fn is_emptied(&self) -> bool {
        self.file.metadata().is_ok_and(|now| now.is_file() && now.len() < self.len)
    }
}

impl Write for Blocks {
    /// Takes a block whole: the writer above hands over one at a time.
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.file.write_all(block) {
            // A half block would spoil all that follow. A pipe cannot be cut; nothing else was written there.
            let _ = self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::End(0)));
            return Err(error);
        }
        self.len += block.len() as u64;
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The header of a file that begins, and stays without packets, has fewer bytes.
const WITHOUT_PACKETS: u64 = 512;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_file_that_is_moved_removed_or_emptied_is_begun_anew_and_one_that_cannot_be_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("tickets");
        fs::create_dir(&inner).unwrap();
        let path = inner.join("ticket.pcapng");
        let second = |second: i64| Timestamp::from_parts(second, 0);
        let mut evidence = Evidence::create(&path, Recent::of(1, 1 << 20)).unwrap();
        let begun = fs::read(&path).unwrap();
        evidence.known.insert(FrameId::new(0, 1));
        evidence.tend(second(1));
        assert!(evidence.known.len() == 1 && fs::read(&path).unwrap() == begun);
        fs::rename(&path, inner.join("ticket.pcapng.1")).unwrap();
        // It is looked once a second.
        evidence.tend(second(1));
        assert!(!path.exists());
        evidence.tend(second(2));
        assert!(fs::read(&path).unwrap() == begun && evidence.known.is_empty());
        fs::remove_file(&path).unwrap();
        evidence.tend(second(3));
        assert_eq!(fs::read(&path).unwrap(), begun);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        evidence.tend(second(4));
        assert_eq!(fs::read(&path).unwrap(), begun);
        fs::remove_dir_all(&inner).unwrap();
        evidence.tend(second(5));
        fs::create_dir(&inner).unwrap();
        evidence.tend(second(6));
        assert!(!path.exists());
        evidence.tend(second(70));
        assert_eq!(fs::read(&path).unwrap(), begun);
    }

    #[test]
    fn packets_of_an_earlier_run_are_put_aside_and_a_file_without_any_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ticket.pcapng");
        let recent = || Recent::of(1, 1 << 20);
        drop(Evidence::create(&path, recent()).unwrap());
        drop(Evidence::create(&path, recent()).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let before = vec![7; 4096];
        fs::write(&path, &before).unwrap();
        drop(Evidence::create(&path, recent()).unwrap());
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
        assert!(files.len() == 2 && files.contains(&before));
    }
}
