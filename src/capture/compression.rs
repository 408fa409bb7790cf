//! gzip, zstd, lz4 and xz, recognised by content and decompressed on a thread of their own.

use std::io::{self, BufRead, BufReader, Read};

use crossbeam_channel::{Receiver, Sender, bounded};
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::limit::{BLOCK_BYTES, BLOCKS_AHEAD, XZ_MEMORY_KIB};

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    Xz,
}

impl Compression {
    /// By the first bytes: RFC 1952, RFC 8878 (a skippable frame may come first), the LZ4 frame format, the .xz file format.
    pub(super) fn recognise(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }

    /// Decompresses as it is read, in the reading thread.
    pub(super) fn decode(self, from: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BLOCK_BYTES, from))),
            Self::Zstd => Box::new(Zstd { from: BufReader::with_capacity(BLOCK_BYTES, from), decoder: FrameDecoder::new(), within: false, primed: false }),
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(BufReader::with_capacity(BLOCK_BYTES, from))),
            Self::Xz => Box::new(XzReader::new_mem_limit(BufReader::with_capacity(BLOCK_BYTES, from), true, XZ_MEMORY_KIB)),
        }
    }
}

/// Blocks that a thread of their own reads ahead.
pub(super) struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Ahead {
    /// Starts the thread; it ends with the file, at an error, or when this is dropped.
    pub(super) fn spawn(mut from: Box<dyn Read + Send>) -> io::Result<Self> {
        let (full_in, full) = bounded(BLOCKS_AHEAD);
        let (empty, empty_out) = bounded::<Vec<u8>>(BLOCKS_AHEAD + 1);
        std::thread::Builder::new().name("decompress".into()).spawn(move || {
            loop {
                let mut block = empty_out.try_recv().unwrap_or_default();
                let read = fill(&mut *from, &mut block);
                let (last, filled) = match read {
                    Ok(()) => (block.is_empty(), Ok(block)),
                    // What was decompressed before the damage is lent first.
                    Err(error) if block.is_empty() => (true, Err(error)),
                    Err(error) => {
                        if full_in.send(Ok(block)).is_err() {
                            return;
                        }
                        (true, Err(error))
                    }
                };
                if full_in.send(filled).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(Self { full, empty, block: Vec::new(), at: 0, ended: false })
    }
}

impl Read for Ahead {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.block.len() && !self.ended {
            let gone = io::Error::other("the decompressor stopped");
            let next = self.full.recv().unwrap_or(Err(gone)).inspect_err(|_| self.ended = true)?;
            // Where the thread has ended already nobody wants the block back.
            let _ = self.empty.try_send(std::mem::replace(&mut self.block, next));
            self.at = 0;
            self.ended = self.block.is_empty();
        }
        let mut rest = self.block.get(self.at..).unwrap_or_default();
        let read = rest.read(to)?;
        self.at += read;
        Ok(read)
    }
}

/// Fills a block; shorter only at the end of the file, or at an error, which is told with what came before it.
fn fill(from: &mut dyn Read, block: &mut Vec<u8>) -> io::Result<()> {
    block.resize(BLOCK_BYTES, 0);
    let mut end = 0;
    let result = loop {
        let Some(free) = block.get_mut(end..).filter(|free| !free.is_empty()) else { break Ok(()) };
        match from.read(free) {
            Ok(0) => break Ok(()),
            Ok(read) => end += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    block.truncate(end);
    result
}

/// All frames of a zstd file, one after another; the decoder's own stream reads one.
struct Zstd<R> {
    from: BufReader<R>,
    decoder: FrameDecoder,
    within: bool,
    primed: bool,
}

impl<R: Read> Zstd<R> {
    /// Begins the next frame; false at the end of the file.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.from.fill_buf()?.is_empty() {
            // The decoder holds windows to its bound (100 MiB) from the second frame on; an empty first one makes every real frame a later one.
            if !self.primed {
                self.decoder.init(EMPTY_FRAME).map_err(invalid)?;
                self.primed = true;
            }
            match self.decoder.init(&mut self.from) {
                Ok(()) => {
                    self.within = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut self.from).take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(invalid(error)),
            }
        }
        Ok(false)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        loop {
            if self.within {
                while self.decoder.can_collect() < to.len() && !self.decoder.is_finished() {
                    let wanted = BlockDecodingStrategy::UptoBytes(to.len());
                    self.decoder.decode_blocks(&mut self.from, wanted).map_err(invalid)?;
                }
                let read = self.decoder.read(to)?;
                if read > 0 {
                    return Ok(read);
                }
                self.within = false;
            }
            if !self.begin()? {
                return Ok(0);
            }
        }
    }
}

fn invalid(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// Header of a frame with the smallest window, without a block.
const EMPTY_FRAME: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0, 0];
