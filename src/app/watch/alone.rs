//! A file that one watch writes to is no other one's: the records of two would run into each other.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// Takes an open file for this process alone, until it is closed.
///
/// # Errors
/// Another one has it. Where the file system knows no locks nobody is refused.
pub fn claim(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::ResourceBusy, "another watch writes to it (end that one, or name another file)")),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Whether a name has come to be another file's than this open one, or nobody's.
#[cfg(unix)]
pub fn is_elsewhere(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(open) = file.metadata().map(|known| (known.is_file(), known.dev(), known.ino())) else { return false };
    match fs::metadata(path) {
        Ok(named) => open.0 && (named.dev(), named.ino()) != (open.1, open.2),
        Err(error) => open.0 && error.kind() == io::ErrorKind::NotFound,
    }
}

/// Elsewhere a file that is open is neither moved nor removed.
#[cfg(not(unix))]
pub fn is_elsewhere(_: &File, _: &Path) -> bool {
    false
}
