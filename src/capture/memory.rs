//! Memory that decompressors share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limit::DECOMPRESSION_BYTES;

/// What the decompressors of a run hold together.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<AtomicUsize>);

impl Memory {
    /// Takes so many bytes until the answer is dropped.
    ///
    /// # Errors
    /// All together would hold more than [`DECOMPRESSION_BYTES`].
    pub(super) fn hold(&self, bytes: usize) -> io::Result<Held> {
        let room = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= DECOMPRESSION_BYTES);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) {
            Ok(_) => Ok(Held { of: self.clone(), bytes }),
            Err(held) => {
                let [more, held, most] = [bytes, held, DECOMPRESSION_BYTES].map(|bytes| bytes.div_ceil(1 << 20));
                let what = format!("it asks for {more} MiB where the files open beside it hold {held} of {most}; decompress some of them first");
                Err(io::Error::new(io::ErrorKind::OutOfMemory, what))
            }
        }
    }
}

/// A share of the memory.
#[derive(Debug)]
pub(super) struct Held {
    of: Memory,
    bytes: usize,
}

impl Held {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
