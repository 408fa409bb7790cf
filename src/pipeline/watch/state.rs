//! What workers say of what they capture.

use crate::capture::live::START_AGAIN;
use crate::capture::{CaptureFile, Interface, SourceError};
use crate::report::{LiveState, Losses};
use crate::time::Timestamp;

/// What was captured and lost so far.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The interfaces, as captures.
    pub files: Vec<CaptureFile>,
    /// The same, as a report describes them.
    pub interfaces: Vec<Interface>,
    /// Times of the earliest and the latest frame.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// What is no part of a flow, and was dropped at bounds.
    pub losses: Losses,
    /// What only live capture has to tell.
    pub live: LiveState,
    /// What keeps interfaces from being captured on: their handles have failed.
    pub faults: Vec<SourceError>,
    /// Interfaces that are down; their handles wait.
    pub down: Vec<SourceError>,
}

impl State {
    /// Whether all interfaces are down or gone, so that nothing can be captured.
    pub(in crate::pipeline) fn is_deaf(&self) -> bool {
        let is_out = |file: &CaptureFile| self.faults.iter().chain(&self.down).any(|error| error.path == file.path);
        !self.files.is_empty() && self.files.iter().all(is_out)
    }

    /// Whether none of the interfaces can be captured on again without a new start, as long as they stay what they are now.
    pub fn needs_a_new_start(&self) -> bool {
        let is_lost = |file: &CaptureFile| self.faults.iter().any(|error| error.path == file.path && error.hint == START_AGAIN);
        !self.files.is_empty() && self.files.iter().all(is_lost)
    }
}
