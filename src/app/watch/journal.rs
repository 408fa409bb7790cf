//! What survives a crash: findings as they were told, and what was seen of documented rows.
//!
//! A file to which lines are only added, each with a check sum in front, brought to the disk (fdatasync) every few seconds. At a start it is read as far as its
//! lines are whole: a last one that was being written is cut off. Then, and when it has grown large, it is written anew with what still matters and put in the
//! old one's place by a renaming.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::alone;
use crate::judge::{Covered, Phase};
use crate::time::Timestamp;

/// The journal of one watch.
pub struct Journal {
    path: PathBuf,
    file: File,
    len: u64,
    /// The findings that are not over, by their ids, as they were told last.
    findings: BTreeMap<String, Value>,
    covered: Covered,
    /// Lines that are not on the disk yet.
    unsaved: String,
    next: Timestamp,
}

/// What a journal held.
#[derive(Debug, Default)]
pub struct Held {
    /// Findings that were not over.
    pub findings: BTreeMap<String, Value>,
    /// What was seen of documented rows.
    pub covered: Covered,
    /// Bytes at the end that were no whole line.
    pub cut: usize,
}

impl Journal {
    /// Opens the journal in a folder, with what it holds.
    ///
    /// # Errors
    /// It cannot be read or written, or another watch keeps it.
    pub fn open(folder: &Path) -> io::Result<(Self, Held)> {
        let path = folder.join(NAME);
        let before = OpenOptions::new().append(true).open(&path).and_then(|file| alone::claim(&file).map(|()| file));
        if let Err(error) = before
            && error.kind() == io::ErrorKind::ResourceBusy
        {
            return Err(error);
        }
        let held = match fs::read(&path) {
            Ok(bytes) => read(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Held::default(),
            Err(error) => return Err(error),
        };
        let (file, len) = write_anew(&path, &held.findings, &held.covered)?;
        let (findings, covered) = (held.findings.clone(), held.covered.clone());
        Ok((Self { path, file, len, findings, covered, unsaved: String::new(), next: Timestamp::from_nanos(i64::MIN) }, held))
    }

    /// Notes a finding as it was told.
    pub fn told(&mut self, phase: Phase, id: &str, record: Value) {
        if phase.is_over() {
            self.findings.remove(id);
            self.unsaved += &line(&json!({ "over": id }));
        } else {
            self.unsaved += &line(&json!({ "finding": id, "record": record }));
            self.findings.insert(id.to_owned(), record);
        }
    }

    /// Brings what is new to the disk, where that is due.
    ///
    /// # Errors
    /// Those of the disk; what was not written is tried again.
    pub fn save(&mut self, covered: &Covered, now: Timestamp) -> io::Result<()> {
        if now < self.next {
            return Ok(());
        }
        self.next = now + EVERY;
        self.save_now(covered)
    }

    /// Brings what is new to the disk, whether or not that is due: nothing comes after it.
    ///
    /// # Errors
    /// As above.
    pub fn save_now(&mut self, covered: &Covered) -> io::Result<()> {
        if *covered != self.covered {
            self.unsaved += &line(&rows(covered));
            self.covered = covered.clone();
        }
        let is_lost = alone::is_elsewhere(&self.file, &self.path);
        if self.unsaved.is_empty() && !is_lost {
            return Ok(());
        }
        if self.len > LARGE || is_lost {
            (self.file, self.len) = write_anew(&self.path, &self.findings, &self.covered)?;
            self.unsaved.clear();
            return Ok(());
        }
        if let Err(error) = self.file.write_all(self.unsaved.as_bytes()).and_then(|()| self.file.sync_data()) {
            // No half line stays in front of what is written later.
            self.file.set_len(self.len)?;
            return Err(error);
        }
        self.len += self.unsaved.len() as u64;
        self.unsaved.clear();
        Ok(())
    }
}

/// A new file with what matters, put in the place of the old one.
fn write_anew(path: &Path, findings: &BTreeMap<String, Value>, covered: &Covered) -> io::Result<(File, u64)> {
    let mut text = line(&rows(covered));
    for (id, record) in findings {
        text += &line(&json!({ "finding": id, "record": record }));
    }
    let part = path.with_extension("part");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    let file = OpenOptions::new().append(true).open(path)?;
    alone::claim(&file)?;
    Ok((file, text.len() as u64))
}

fn rows(covered: &Covered) -> Value {
    let rows: serde_json::Map<String, Value> = covered.words().map(|(name, word)| (name, word.into())).collect();
    json!({ "rows": rows })
}

fn line(value: &Value) -> String {
    let text = value.to_string();
    format!("{:08x} {text}\n", crc32fast::hash(text.as_bytes()))
}

/// Reads up to the first line that is not whole.
fn read(bytes: &[u8]) -> Held {
    let mut held = Held::default();
    let mut read = 0;
    for whole in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(value) = checked(whole) else { break };
        take(value, &mut held);
        read += whole.len();
    }
    held.cut = bytes.len() - read;
    held
}

fn checked(line: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, text) = text.split_once(' ')?;
    let is_whole = u32::from_str_radix(sum, 16).ok()? == crc32fast::hash(text.as_bytes());
    is_whole.then(|| serde_json::from_str(text).ok()).flatten()
}

fn take(mut value: Value, held: &mut Held) {
    if let Some(id) = value["over"].as_str() {
        held.findings.remove(id);
    } else if let Some(id) = value["finding"].as_str().map(str::to_owned) {
        held.findings.insert(id, value["record"].take());
    } else if let Some(rows) = value["rows"].as_object() {
        for (name, word) in rows {
            // Of another version's letters nothing is made.
            held.covered.read(name, word.as_str().unwrap_or_default());
        }
    }
}

const NAME: &str = "portbook.journal";
/// How often it is brought to the disk: so many seconds are lost in a crash.
const EVERY: Duration = Duration::from_secs(5);
/// A journal of so many bytes is written anew.
const LARGE: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_parts(second, 0)
    }

    fn seen(rows: &[(&str, &str)]) -> Covered {
        let mut covered = Covered::default();
        assert!(rows.iter().all(|(name, word)| covered.read(name, word)));
        covered
    }

    #[test]
    fn what_was_saved_is_there_after_a_crash_and_what_was_over_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, held) = Journal::open(folder.path()).unwrap();
        assert!(held.findings.is_empty() && held.cut == 0);
        journal.told(Phase::New, "a", json!({ "says": "first" }));
        journal.told(Phase::Changed, "a", json!({ "says": "then" }));
        journal.told(Phase::New, "b", json!({}));
        journal.told(Phase::Closed, "b", json!({}));
        journal.save(&seen(&[("row", "wt"), ("role row", "b")]), second(1)).unwrap();
        // Not yet due.
        journal.told(Phase::New, "c", json!({}));
        journal.save(&Covered::default(), second(2)).unwrap();
        drop(journal);
        let (_, held) = Journal::open(folder.path()).unwrap();
        assert_eq!(held.findings, BTreeMap::from([("a".to_owned(), json!({ "says": "then" }))]));
        assert_eq!(held.covered, seen(&[("row", "wt"), ("role row", "b")]));
    }

    #[test]
    #[cfg(unix)]
    fn a_journal_that_somebody_removes_is_written_anew_with_all_that_matters_and_that_it_cannot_be_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let (mut journal, _) = Journal::open(&inner).unwrap();
        journal.told(Phase::New, "a", json!({}));
        journal.save(&Covered::default(), second(1)).unwrap();
        fs::remove_file(inner.join(NAME)).unwrap();
        journal.save(&Covered::default(), second(10)).unwrap();
        assert!(read(&fs::read(inner.join(NAME)).unwrap()).findings.contains_key("a"));
        fs::remove_dir_all(&inner).unwrap();
        assert!(journal.save(&Covered::default(), second(20)).is_err());
        fs::create_dir(&inner).unwrap();
        journal.save(&Covered::default(), second(30)).unwrap();
        assert!(inner.join(NAME).exists());
    }

    #[test]
    fn a_line_that_was_being_written_is_cut_off_wherever_it_was_torn() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        journal.told(Phase::New, "a", json!({}));
        journal.save(&Covered::default(), second(1)).unwrap();
        assert_eq!(Journal::open(folder.path()).err().unwrap().kind(), io::ErrorKind::ResourceBusy, "two watches do not keep one journal");
        drop(journal);
        let whole = fs::read(folder.path().join(NAME)).unwrap();
        let last = line(&json!({ "finding": "b", "record": {} }));
        for torn in 1..last.len() {
            fs::write(folder.path().join(NAME), [&whole, &last.as_bytes()[..torn]].concat()).unwrap();
            let (_, held) = Journal::open(folder.path()).unwrap();
            assert_eq!((held.findings.len(), held.cut), (1, torn));
            // It is repaired: what is added now is read.
            assert_eq!(read(&fs::read(folder.path().join(NAME)).unwrap()).cut, 0);
        }
    }
}
