//! What a capture says in words: comments that somebody wrote into it, and names for addresses. Held until taken, and no more than a bound of each.

use std::net::IpAddr;

use super::Comment;
use crate::limit::{COMMENT_BYTES, COMMENTS_KEPT, NAME_BYTES, NAMES_HELD};

/// Comments and names met since they were taken last.
#[derive(Debug, Default)]
pub(super) struct Notes {
    names: Vec<(IpAddr, String)>,
    comments: Vec<Comment>,
    /// Names and comments that found no room, so far.
    pub beyond: u64,
}

impl Notes {
    /// Notes a name of an address: UTF-8 that a zero byte or the end of `bytes` ends.
    pub(super) fn name(&mut self, ip: IpAddr, bytes: &[u8]) {
        let Some(name) = text(bytes, NAME_BYTES) else { return };
        if self.names.len() < NAMES_HELD {
            self.names.push((ip, name));
        } else {
            self.beyond += 1;
        }
    }

    /// Notes a comment on a frame, or on the capture as a whole.
    pub(super) fn comment(&mut self, frame: Option<u64>, bytes: &[u8]) {
        let Some(text) = text(bytes, COMMENT_BYTES) else { return };
        if self.comments.len() < COMMENTS_KEPT {
            self.comments.push(Comment { frame, text });
        } else {
            self.beyond += 1;
        }
    }

    pub(super) fn take_names(&mut self) -> Vec<(IpAddr, String)> {
        std::mem::take(&mut self.names)
    }

    pub(super) fn take_comments(&mut self) -> Vec<Comment> {
        std::mem::take(&mut self.comments)
    }
}

/// UTF-8 text up to a zero byte, of which at most so many bytes are kept; none where there is none.
pub(super) fn text(bytes: &[u8], most: usize) -> Option<String> {
    let text = bytes.split(|byte| *byte == 0).next().filter(|text| !text.is_empty())?;
    Some(String::from_utf8_lossy(text.get(..most).unwrap_or(text)).into_owned())
}
