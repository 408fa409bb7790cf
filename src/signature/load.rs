//! Where signatures come from: the binary, a user's folder, or both.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::limit;
use crate::signature::Signatures;
use crate::signature::compile::compile;
use crate::signature::mistake::Mistake;
use crate::signature::read::read;

/// Whether a user's files come on top of the built-in ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    /// Added to them; of two entries with the same id the user's stands.
    #[default]
    Added,
    /// Instead of them.
    TheseOnly,
}

/// Why signatures did not load.
#[derive(Debug)]
pub enum LoadError {
    /// A file or folder that cannot be read, or holds no signatures.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What is wrong in the files, in file order.
    Mistakes(Vec<Mistake>),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Mistakes(mistakes) => {
                for (nth, mistake) in mistakes.iter().enumerate() {
                    write!(f, "{}{mistake}", if nth == 0 { "" } else { "\n\n" })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl Signatures {
    /// The documents that portbook carries. They are read once.
    pub fn built_in() -> &'static Self {
        static ALL: OnceLock<Signatures> = OnceLock::new();
        ALL.get_or_init(|| {
            // A mistake in a built-in file is found by a test, never by a user; what reads is used.
            let mut mistakes = Vec::new();
            compile(BUILT_IN.iter().map(|(file, text)| read(file, text, false, &mut mistakes)).collect(), &mut mistakes)
        })
    }

    /// Reads files, and the `.toml` files of folders (not of folders inside them), in name order.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, a folder without signatures, or all mistakes in all files.
    pub fn load(paths: &[PathBuf], only: Only) -> Result<Self, LoadError> {
        let mut texts = Vec::new();
        for path in files(paths)? {
            let text = text_of(&path).map_err(|error| LoadError::Unreadable { path: path.clone(), error })?;
            texts.push((path.display().to_string(), text));
        }
        Self::from_texts(texts.iter().map(|(file, text)| (file.as_str(), text.as_str())), only)
    }

    /// The same from texts at hand, each with the name that mistakes give it.
    ///
    /// # Errors
    ///
    /// All mistakes in all texts.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>, only: Only) -> Result<Self, LoadError> {
        let mut mistakes = Vec::new();
        let mut drafts: Vec<_> = texts.into_iter().map(|(file, text)| read(file, text, true, &mut mistakes)).collect();
        if only == Only::Added {
            drafts.extend(BUILT_IN.iter().map(|(file, text)| read(file, text, false, &mut mistakes)));
        }
        let order: Vec<_> = drafts.iter().map(|draft| draft.source.file.clone()).collect();
        let all = compile(drafts, &mut mistakes);
        if mistakes.is_empty() {
            return Ok(all);
        }
        mistakes.sort_by_key(|mistake| (order.iter().position(|file| *file == mistake.file), mistake.span.start));
        Err(LoadError::Mistakes(mistakes))
    }
}

fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = signature_files(path).map_err(|error| LoadError::Unreadable { path: path.clone(), error })?;
        if found.is_empty() {
            let error = io::Error::new(io::ErrorKind::NotFound, "the folder holds no .toml file");
            return Err(LoadError::Unreadable { path: path.clone(), error });
        }
        files.extend(found);
    }
    Ok(files)
}

fn signature_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a file that people write, up to the most that such a file may have.
pub fn text_of(path: &Path) -> io::Result<String> {
    text_within(path, limit::SIGNATURE_FILE_BYTES)
}

/// The text of a file of at most so many bytes.
pub fn text_within(path: &Path, bytes: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(bytes + 1).read_to_string(&mut text)?;
    if read as u64 > bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {bytes} bytes is no such file")));
    }
    Ok(text)
}

/// The built-in files by name, in the order of their documents.
const BUILT_IN: &[(&str, &str)] = &[
    ("signatures/spinetix.toml", include_str!("../../signatures/spinetix.toml")),
    ("signatures/cayin.toml", include_str!("../../signatures/cayin.toml")),
    ("signatures/cinegy.toml", include_str!("../../signatures/cinegy.toml")),
    ("signatures/spotfire.toml", include_str!("../../signatures/spotfire.toml")),
    ("signatures/cobalt.toml", include_str!("../../signatures/cobalt.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_files_are_without_mistakes() {
        if let Err(error) = Signatures::from_texts(BUILT_IN.iter().copied(), Only::TheseOnly) {
            panic!("{error}");
        }
    }
}
