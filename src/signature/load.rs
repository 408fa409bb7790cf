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
            Self::Unreadable { path, error } => {
                let words = match error.kind() {
                    _ if error.raw_os_error().is_none() => None,
                    io::ErrorKind::NotFound => Some("there is no such file (check the path)"),
                    io::ErrorKind::PermissionDenied => Some("permission denied (run as a user who may read it, or change its mode)"),
                    io::ErrorKind::IsADirectory => Some("is a folder (name a file in it)"),
                    _ => None,
                };
                let shown = path.display();
                match words {
                    Some(words) => write!(f, "{shown}: {words}"),
                    None => write!(f, "{shown}: {error}"),
                }
            }
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

/// The text of a file of at most so many bytes. UTF-16 with its mark is read, too: PowerShell's `>` and Windows' editors write it.
pub fn text_within(path: &Path, bytes: u64) -> io::Result<String> {
    let mut read = Vec::new();
    File::open(path)?.take(bytes + 1).read_to_end(&mut read)?;
    if read.len() as u64 > bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {bytes} bytes is no such file")));
    }
    let wide = |text: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = text.chunks(2).map(|pair| unit([pair[0], pair.get(1).copied().unwrap_or(0)]));
        char::decode_utf16(units).collect::<Result<String, _>>().map_err(|_| not_text("it begins as text in UTF-16, and does not go on so"))
    };
    match read.as_slice() {
        [0xff, 0xfe, text @ ..] => wide(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => wide(text, u16::from_be_bytes),
        _ => String::from_utf8(read).map_err(|error| {
            let (before, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = String::from_utf8_lossy(before).rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            not_text(&format!("line {line}, column {column}: the byte {:02x} is no UTF-8", rest.first().copied().unwrap_or(0)))
        }),
    }
}

fn not_text(says: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{says} (save the file as UTF-8)"))
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

    #[test]
    fn a_file_in_utf_16_reads_and_one_in_latin_1_is_refused_with_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        let text = "name = \"café\"\r\n";
        let units: Vec<u16> = text.encode_utf16().collect();
        for (mark, bytes) in [([0xff, 0xfe], u16::to_le_bytes as fn(u16) -> [u8; 2]), ([0xfe, 0xff], u16::to_be_bytes)] {
            std::fs::write(&path, [mark.to_vec(), units.iter().flat_map(|unit| bytes(*unit)).collect()].concat()).unwrap();
            assert_eq!(text_of(&path).unwrap(), text);
        }
        std::fs::write(&path, b"# \xc3\xa9\nname = \"caf\xe9\"\n").unwrap();
        assert_eq!(text_of(&path).unwrap_err().to_string(), "line 2, column 12: the byte e9 is no UTF-8 (save the file as UTF-8)");
        std::fs::write(&path, b"\xff\xfe\x00\xd8").unwrap();
        assert!(text_of(&path).unwrap_err().to_string().contains("UTF-16"));
    }
}
