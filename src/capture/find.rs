//! From the paths of the command line to capture files: folders are walked, in an order that does not depend on the disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::SourceError;
use super::reader::Origin;
use crate::limit::FOLDER_DEPTH;

/// What a path of the command line stands for.
#[derive(Debug)]
pub(super) enum Found {
    /// A file, a pipe or standard input: the user means it as a capture.
    Named(Origin),
    /// A folder's files, sorted by path: those that are no captures do not matter.
    Folder(Vec<Origin>),
}

/// Looks a path up.
pub(super) fn find(path: &Path) -> Result<Found, SourceError> {
    let shown = path.display().to_string();
    if shown == "-" {
        return Ok(Found::Named(Origin { path: None, shown, len: None }));
    }
    let mut origin = Origin { path: Some(path.to_owned()), shown, len: None };
    let about = fs::metadata(path).map_err(|error| origin.cannot("be opened", &error))?;
    if about.is_dir() {
        let mut files = Vec::new();
        walk(path, 0, &mut files)?;
        return Ok(Found::Folder(files));
    }
    origin.len = about.is_file().then_some(about.len());
    Ok(Found::Named(origin))
}

/// Adds the regular files below a folder, each folder's entries in the order of their names.
fn walk(folder: &Path, depth: usize, files: &mut Vec<Origin>) -> Result<(), SourceError> {
    let named = |path: &Path| Origin { path: Some(path.to_owned()), shown: path.display().to_string(), len: None };
    if depth > FOLDER_DEPTH {
        let what = format!("lies more than {FOLDER_DEPTH} folders deep");
        return Err(SourceError { path: folder.display().to_string(), what, hint: "name the folder with the captures itself".to_owned() });
    }
    let unread = |error| named(folder).cannot("be listed", &error);
    let entries: Result<Vec<PathBuf>, _> = fs::read_dir(folder).map_err(unread)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut entries = entries.map_err(unread)?;
    entries.sort();
    for path in entries {
        // A linked folder may lead back up; a linked file is read.
        let Ok(about) = fs::metadata(&path) else { continue };
        let linked = fs::symlink_metadata(&path).is_ok_and(|itself| itself.is_symlink());
        if about.is_file() {
            files.push(Origin { len: Some(about.len()), ..named(&path) });
        } else if about.is_dir() && !linked {
            walk(&path, depth + 1, files)?;
        }
    }
    Ok(())
}
