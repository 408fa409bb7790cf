//! Writes pcapng: one section, interfaces as they are needed, frames with a comment each. For evidence files and fixtures.

use std::io::{self, Write};

use super::LinkType;
use super::pcapng::{ENHANCED_PACKET, IF_NAME, IF_TSRESOL, INTERFACE, SECTION_HEADER};
use crate::limit::FRAME_BYTES;
use crate::time::Timestamp;

/// A pcapng file being written, little-endian, times in nanoseconds.
#[derive(Debug)]
pub struct Writer<W: Write> {
    to: W,
    interfaces: u32,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the section header.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn new(to: W) -> io::Result<Self> {
        Self::begin(to, &[])
    }

    /// Writes the section header, and in it what program wrote the file and what it is.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn with_comment(to: W, program: &str, comment: &str) -> io::Result<Self> {
        let mut options = Vec::new();
        option(&mut options, COMMENT, comment.as_bytes());
        option(&mut options, SHB_USERAPPL, program.as_bytes());
        option(&mut options, END_OF_OPTIONS, &[]);
        Self::begin(to, &options)
    }

    fn begin(to: W, options: &[u8]) -> io::Result<Self> {
        let mut writer = Self { to, interfaces: 0, block: Vec::new() };
        let mut body = Vec::with_capacity(16 + options.len());
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        body.extend_from_slice(options);
        writer.block(SECTION_HEADER, &[&body])?;
        Ok(writer)
    }

    /// Describes an interface and says its number for [`frame`](Self::frame). `snap_len` 0 sets no limit.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn interface(&mut self, link: LinkType, snap_len: u32, name: Option<&str>) -> io::Result<u32> {
        self.described(link, snap_len, name, None)
    }

    /// The same, with words on where or what it is.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn described(&mut self, link: LinkType, snap_len: u32, name: Option<&str>, description: Option<&str>) -> io::Result<u32> {
        let mut body = Vec::new();
        body.extend(link.0.to_le_bytes());
        body.extend([0; 2]);
        body.extend(snap_len.to_le_bytes());
        if let Some(name) = name {
            option(&mut body, IF_NAME, name.as_bytes());
        }
        if let Some(description) = description {
            option(&mut body, IF_DESCRIPTION, description.as_bytes());
        }
        option(&mut body, IF_TSRESOL, &[NANOSECONDS]);
        option(&mut body, END_OF_OPTIONS, &[]);
        self.block(INTERFACE, &[&body])?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Writes a frame with any number of comments. Times before 1970, which the format cannot hold, become 1970.
    ///
    /// # Errors
    /// `InvalidInput` for an interface that was not described or a frame beyond [`FRAME_BYTES`]; else those of the writer below.
    pub fn frame(&mut self, interface: u32, time: Timestamp, wire_len: u32, bytes: &[u8], comments: &[&str]) -> io::Result<()> {
        let len = u32::try_from(bytes.len()).ok().filter(|len| *len <= FRAME_BYTES);
        let (Some(len), true) = (len, interface < self.interfaces) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "frame of an interface that was not described, or too long"));
        };
        let nanos = u64::try_from(time.nanos()).unwrap_or(0);
        let mut head = Vec::with_capacity(20);
        for word in [interface, (nanos >> 32) as u32, nanos as u32, len, wire_len.max(len)] {
            head.extend(word.to_le_bytes());
        }
        let mut tail = vec![0; padding(bytes.len())];
        if !comments.is_empty() {
            comments.iter().for_each(|comment| option(&mut tail, COMMENT, comment.as_bytes()));
            option(&mut tail, END_OF_OPTIONS, &[]);
        }
        self.block(ENHANCED_PACKET, &[&head, bytes, &tail])
    }

    /// The writer below.
    pub const fn below(&self) -> &W {
        &self.to
    }

    /// Flushes and gives the writer below back.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }

    /// Writes a block of parts that are 32-bit aligned together.
    fn block(&mut self, kind: u32, parts: &[&[u8]]) -> io::Result<()> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let total = u32::try_from(len + 12).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.block.clear();
        self.block.extend(kind.to_le_bytes());
        self.block.extend(total.to_le_bytes());
        for part in parts {
            self.block.extend_from_slice(part);
        }
        self.block.extend(total.to_le_bytes());
        self.to.write_all(&self.block)
    }
}

/// Adds an option, cut to the 16-bit length at a character's border.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let mut len = value.len().min(usize::from(u16::MAX));
    while len < value.len() && value.get(len).is_some_and(|byte| byte & 0xc0 == 0x80) {
        len -= 1;
    }
    body.extend(code.to_le_bytes());
    body.extend((len as u16).to_le_bytes());
    body.extend_from_slice(value.get(..len).unwrap_or_default());
    body.extend(std::iter::repeat_n(0, padding(len)));
}

fn padding(len: usize) -> usize {
    len.next_multiple_of(4) - len
}

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_DESCRIPTION: u16 = 3;
/// An `if_tsresol` of 10^-9.
const NANOSECONDS: u8 = 9;
