//! The commands: arguments as typed, settings as meant, one file a command.

mod analyze;
pub mod args;
mod bench;
mod check;
mod diff;
mod evidence;
pub mod explain;
pub mod habit;
mod learn;
mod pages;
pub mod place;
mod progress;
mod reading;
mod row;
mod rules;
mod settings;
pub mod signatures;
mod term;
mod watch;
mod whole;
mod why;

use std::fmt;
use std::io;

use crate::app::args::{Arguments, Command};
use crate::app::place::target;
use crate::capture::SourceError;

/// What the program answers to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, and nothing to fail on.
    Done,
    /// Findings at or above the threshold, or a difference from what is expected.
    Findings,
    /// Wrong usage or signature file.
    Usage,
    /// A capture could not be read, or not to its end.
    Capture,
}

impl Exit {
    /// The contract's number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Capture => 3,
        }
    }
}

/// Why a command could not do its work, sorted by who must act.
#[derive(Debug)]
pub enum Failure {
    /// The operator: an argument or a signature file.
    Usage(String),
    /// The capture.
    Capture(SourceError),
    /// Output could not be written.
    Output {
        /// Where to.
        target: String,
        /// What the system said.
        error: io::Error,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => f.write_str(what),
            Self::Capture(error) => error.fmt(f),
            Self::Output { target, error } if error.raw_os_error().is_some() && error.kind() == io::ErrorKind::NotFound => {
                write!(f, "{target}: cannot write: its folder is not there (make it first)")
            }
            Self::Output { target, error } if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "{target}: cannot write: permission denied (it, or its folder, is another user's: chown it, remove it, or name another file)")
            }
            Self::Output { target, error } => write!(f, "{target}: cannot write: {error}"),
        }
    }
}

impl Failure {
    /// The exit code that goes with it. A closed pipe is no failure.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Capture(_) => Exit::Capture,
            Self::Output { error, .. } if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output { .. } => Exit::Usage,
        }
    }

    /// Whether there is anything to tell.
    pub fn is_quiet(&self) -> bool {
        matches!(self, Self::Output { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Runs the command that was typed.
///
/// # Errors
/// What kept it from its work; see [`Failure`].
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Analyze(typed) => analyze::run(typed),
        Command::Watch(typed) => watch::run(&typed),
        Command::Check(typed) => check::run(&typed),
        Command::Why(typed) => why::run(&typed),
        Command::Diff(typed) => diff::run(&typed),
        Command::Explain(typed) => pages::explain(&typed),
        Command::Learn(typed) => learn::run(&typed),
        Command::Rules(typed) => rules::run(&typed),
        Command::Signatures(typed) => pages::signatures(&typed),
        Command::Bench(typed) => bench::run(&typed),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man => pages::man(),
    }
}

/// Turns an answer of standard output into the command's own.
fn written<T>(answer: io::Result<T>) -> Result<T, Failure> {
    answer.map_err(|error| Failure::Output { target: target(None), error })
}
