//! Frames in order of time, by the blocks they lie in, so that several may be lent the same ones.

use std::ops::Range;
use std::sync::Arc;

use super::window::Block;
use super::{Frame, FrameId};
use crate::limit::BATCH;

/// Frames of one or several open files, up to where one of these needs its next block.
#[derive(Debug, Default)]
pub(super) struct Portion {
    /// Blocks and the files they are of.
    pub blocks: Vec<(u32, Arc<Block>)>,
    /// Which records of which block come one after the other.
    pub runs: Vec<(usize, Range<usize>)>,
}

impl Portion {
    /// Lends the frames in batches of at most [`BATCH`].
    pub(super) fn lend(&self, sink: &mut dyn FnMut(&[Frame<'_>])) {
        let mut batch: Vec<Frame<'_>> = Vec::with_capacity(BATCH);
        for (place, records) in &self.runs {
            let Some((file, block)) = self.blocks.get(*place) else { continue };
            for record in block.records.get(records.clone()).unwrap_or_default() {
                let (interface, link) = block.interface_of(record);
                let (id, bytes) = (FrameId::new(*file, record.number), block.bytes_of(record));
                batch.push(Frame { id, interface, link, time: record.time, wire_len: record.wire_len, bytes });
                if batch.len() == BATCH {
                    sink(&batch);
                    batch.clear();
                }
            }
        }
        if !batch.is_empty() {
            sink(&batch);
        }
    }
}
