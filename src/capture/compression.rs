//! gzip, zstd, lz4 and xz, recognised by content and decompressed on a thread of their own.
//!
//! A few bytes can ask a decompressor for a window of many megabytes. What all of a run hold together has a bound: each notes what its file asks for
//! in a [`Memory`] before it is taken.

use std::io::{self, BufReader, Read};

use crossbeam_channel::{Receiver, Sender, bounded};
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::memory::{Held, Memory};
use crate::limit::{BLOCKS_AHEAD, XZ_MEMORY_KIB};

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

    /// Decompresses a file that begins with `head` as it is read, in the reading thread, `block` bytes at a time. What it holds comes out of `memory`.
    ///
    /// # Errors
    /// There is not so much memory left.
    pub(super) fn decode(self, from: Box<dyn Read + Send>, head: &[u8], block: usize, memory: &Memory) -> io::Result<Box<dyn Read + Send>> {
        let from = BufReader::with_capacity(block, from);
        Ok(match self {
            // A window of 32 KiB, which is nothing beside the blocks.
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
            Self::Zstd => {
                Box::new(Zstd { from: Fore::new(from), decoder: FrameDecoder::new(), within: false, primed: false, memory: memory.clone(), held: None })
            }
            Self::Lz4 => Box::new(Holding { held: memory.hold(LZ4_MEMORY)?, from: lz4_flex::frame::FrameDecoder::new(from) }),
            Self::Xz => {
                let kib = xz_memory_kib(head);
                Box::new(Holding { held: memory.hold(kib as usize * 1024)?, from: XzReader::new_mem_limit(from, true, kib) })
            }
        })
    }
}

/// A decompressor and the memory that it was given for as long as it lives.
struct Holding<R> {
    from: R,
    #[expect(dead_code, reason = "gives the memory back when it is dropped")]
    held: Held,
}

impl<R: Read> Read for Holding<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.from.read(to)
    }
}

/// KiB that the first block of an xz file asks for, as the decoder counts them: its dictionary and its tables. Later blocks get no more. Where the header
/// does not begin as `xz` writes it, as much as any may have.
fn xz_memory_kib(head: &[u8]) -> u32 {
    // Behind the 12-byte stream header: the header's size, flags, sizes where the flags say so, then the one filter LZMA2 (0x21) with one byte of properties.
    let vli = |at: usize| head.iter().skip(at).position(|byte| byte & 0x80 == 0).map_or(at, |len| at + len + 1);
    let flags = head.get(13).copied().unwrap_or(0xff);
    let mut at = 14;
    for size in [0x40, 0x80] {
        at = if flags & size != 0 { vli(at) } else { at };
    }
    match head.get(at..) {
        Some([0x21, 1, bits @ 0..=39, ..]) if flags & 0x03 == 0 => {
            let dictionary = u64::from(2 | (bits & 1)) << (bits / 2 + 11);
            u32::try_from(dictionary / 1024).unwrap_or(u32::MAX).saturating_add(XZ_TABLES_KIB).min(XZ_MEMORY_KIB)
        }
        _ => XZ_MEMORY_KIB,
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
    /// Starts the thread, which reads blocks of so many bytes; it ends with the file, at an error, or when this is dropped.
    pub(super) fn spawn(mut from: Box<dyn Read + Send>, len: usize) -> io::Result<Self> {
        let (full_in, full) = bounded(BLOCKS_AHEAD);
        let (empty, empty_out) = bounded::<Vec<u8>>(BLOCKS_AHEAD + 1);
        std::thread::Builder::new().name("decompress".into()).spawn(move || {
            loop {
                let mut block = empty_out.try_recv().unwrap_or_default();
                let read = fill(&mut *from, &mut block, len);
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
fn fill(from: &mut dyn Read, block: &mut Vec<u8>, len: usize) -> io::Result<()> {
    block.resize(len, 0);
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
    from: Fore<R>,
    decoder: FrameDecoder,
    within: bool,
    primed: bool,
    memory: Memory,
    /// The window of the present frame.
    held: Option<Held>,
}

impl<R: Read> Zstd<R> {
    /// Begins the next frame; false at the end of the file.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            let window = match self.from.look()? {
                [] => return Ok(false),
                header => zstd_window(header),
            };
            // The decoder keeps its buffer from frame to frame and lets it grow.
            if self.held.as_ref().is_none_or(|held| held.bytes() < window) {
                self.held = None;
                self.held = Some(self.memory.hold(window)?);
            }
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
    }
}

/// Bytes that a zstd frame's decoder holds (RFC 8878 section 3.1.1.1): its window, which the header describes or which is the whole content. What asks for
/// more than the decoder takes is left to it to refuse.
fn zstd_window(header: &[u8]) -> usize {
    let Some([0x28, 0xb5, 0x2f, 0xfd, descriptor, rest @ ..]) = header.get(..FRAME_HEADER).or(Some(header)) else { return 0 };
    let window = if descriptor & SINGLE_SEGMENT == 0 {
        rest.first().map_or(0, |byte| {
            let base = 1_u64 << (10 + (byte >> 3));
            base + base / 8 * u64::from(byte & 7)
        })
    } else {
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let len = [1, 2, 4, 8][usize::from(descriptor >> 6)];
        let size = rest.get(dictionary..dictionary + len).unwrap_or_default();
        let bytes = size.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        if len == 2 { bytes + 256 } else { bytes }
    };
    usize::try_from(window.min(ZSTD_WINDOW)).unwrap_or(0)
}

/// A reader that shows the next few bytes before they are read.
struct Fore<R> {
    ahead: [u8; FRAME_HEADER],
    start: usize,
    end: usize,
    from: R,
}

impl<R: Read> Fore<R> {
    fn new(from: R) -> Self {
        Self { ahead: [0; FRAME_HEADER], start: 0, end: 0, from }
    }

    /// The next bytes, as many as a frame header has or as there are.
    fn look(&mut self) -> io::Result<&[u8]> {
        self.ahead.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while let Some(free) = self.ahead.get_mut(self.end..).filter(|free| !free.is_empty()) {
            match self.from.read(free) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.ahead.get(..self.end).unwrap_or_default())
    }
}

impl<R: Read> Read for Fore<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let Some(mut shown) = self.ahead.get(self.start..self.end).filter(|shown| !shown.is_empty()) else { return self.from.read(to) };
        let read = shown.read(to)?;
        self.start += read;
        Ok(read)
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
    // Somewhere below it a file that ends too early says so.
    let mut below: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = below {
        if cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
            return io::ErrorKind::UnexpectedEof.into();
        }
        below = cause.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// Bytes of the longest zstd frame header, with its magic.
const FRAME_HEADER: usize = 18;
/// The bit of the descriptor that says: the window is the whole content.
const SINGLE_SEGMENT: u8 = 0x20;
/// The largest window that the zstd decoder takes.
const ZSTD_WINDOW: u64 = 100 << 20;
/// An lz4 decoder's buffers: a block of at most 4 MiB as it comes and as it goes, and the one before it.
const LZ4_MEMORY: usize = 12 << 20;
/// KiB of an xz decoder beside its dictionary, and a few for the rounding.
const XZ_TABLES_KIB: u32 = 128;
/// Header of a frame with the smallest window, without a block.
const EMPTY_FRAME: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

    #[test]
    fn a_zstd_header_says_how_much_its_frame_needs() {
        let window = |rest: &[u8]| zstd_window(&[&MAGIC[..], rest].concat());
        // RFC 8878 section 3.1.1.1.2: exponent and mantissa; 8 MiB, and 1 KiB with seven eighths more.
        assert_eq!((window(&[0, 13 << 3]), window(&[0, 7])), (8 << 20, 1024 + 7 * 128));
        // A single segment is as long as its content: one byte, two bytes and 256, four behind a dictionary identifier of one.
        assert_eq!((window(&[0x20, 200]), window(&[0x60, 1, 2]), window(&[0xa1, 9, 0, 0, 16, 0])), (200, 0x201 + 256, 1 << 20));
        assert_eq!(window(&[0, 0xff]), 100 << 20, "what the decoder refuses is not held either");
        assert_eq!((window(&[]), zstd_window(&MAGIC[..2]), zstd_window(b"\x50\x2a\x4d\x18\0\0\0\0")), (0, 0, 0));
    }

    #[test]
    fn an_xz_header_says_how_large_its_dictionary_is() {
        let head = |flags: u8, rest: &[u8]| [&[0xfd, b'7', b'z', b'X', b'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46, 2, flags][..], rest].concat();
        // `xz -6` has a dictionary of 8 MiB, 22 in the header; a size in two bytes may stand before it.
        assert_eq!(xz_memory_kib(&head(0, &[0x21, 1, 22])), 8 * 1024 + XZ_TABLES_KIB);
        assert_eq!(xz_memory_kib(&head(0x40, &[0x80, 1, 0x21, 1, 22])), 8 * 1024 + XZ_TABLES_KIB);
        // Another filter first, the largest dictionary, and a header cut off: as much as any may have.
        for odd in [head(1, &[4, 0, 0x21, 1, 22]), head(0, &[0x21, 1, 40]), head(0, &[0x21])] {
            assert_eq!(xz_memory_kib(&odd), XZ_MEMORY_KIB);
        }
    }
}
