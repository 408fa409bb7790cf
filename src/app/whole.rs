//! Files that are written whole or not at all: beside their place first, then put there at once.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// Fills a file, and puts it in the place of the one that is there. Where filling fails, that one stays. A device or a pipe is written to as it is, as
/// nothing can be put in its place; of a link the file that it leads to is replaced.
///
/// # Errors
/// The filler's, and those of the system.
pub fn replace<E: From<io::Error>>(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>) -> Result<(), E> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
        return filled(OpenOptions::new().write(true).open(&path)?, fill).map(|_| ());
    }
    let beside = beside(&path);
    // Nobody else's file is written to, not even through a link.
    let file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
    let put = filled(file, fill).and_then(|file| {
        file.sync_all()?;
        Ok(fs::rename(&beside, &path)?)
    });
    if put.is_err() {
        // What was begun is of no use; if it cannot be removed either, the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    put
}

/// The folder in which a file lies or would lie, if there is such a folder.
pub fn folder(path: &Path) -> Option<&Path> {
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
    folder.is_dir().then_some(folder)
}

fn filled<E: From<io::Error>>(file: File, fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>) -> Result<File, E> {
    let mut out = BufWriter::with_capacity(BUFFER, file);
    fill(&mut out)?;
    Ok(out.into_inner().map_err(io::IntoInnerError::into_error)?)
}

/// A name in the same folder, so that the file can be put in its place at once.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

/// Files are written in pieces of this many bytes.
const BUFFER: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_cannot_be_written_whole_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        replace(&path, |out| out.write_all(b"old")).unwrap();
        let failed = replace(&path, |out| out.write_all(b"half").and(Err(io::Error::other("full"))));
        assert_eq!((failed.unwrap_err().to_string(), fs::read(&path).unwrap()), ("full".to_owned(), b"old".to_vec()));
        replace(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read_dir(folder.path()).unwrap().count()), (b"new".to_vec(), 1));
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        replace(Path::new("/dev/null"), |out| out.write_all(b"gone")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
