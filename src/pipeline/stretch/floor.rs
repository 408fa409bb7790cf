//! The floor: a file read in blocks, its records walked, nothing understood. Whoever classifies packets does this much.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use crate::capture::{self, Options, Source, SourceError};
use crate::limit::BLOCK_BYTES;

/// Walks all records of the captures; how many hold packets.
pub(super) fn walk(captures: &[PathBuf]) -> Result<u64, SourceError> {
    // Folders are looked through, and what is no capture is refused, by the reader that everybody uses.
    let opened = capture::open(captures, Options { filter: None })?;
    let files = opened.files().to_vec();
    drop(opened);
    let mut block = vec![0; BLOCK_BYTES];
    let mut packets = 0;
    for file in files {
        let error = |what: String| SourceError { path: file.path.clone(), what, hint: "the floor is that of pcap and pcapng files, not compressed".to_owned() };
        if let Some(error) = file.error {
            return Err(error);
        }
        let opened = File::open(&file.path).map_err(|cause| error(format!("cannot be opened: {cause}")))?;
        packets += walk_file(opened, &mut block).map_err(|cause| error(format!("cannot be walked: {cause}")))?;
    }
    Ok(packets)
}

/// How records lie one behind the other.
#[derive(Clone, Copy)]
enum Layout {
    /// Sixteen bytes, captured length in the third word (draft-ietf-opsawg-pcap).
    Pcap { big: bool },
    /// Blocks with type and total length in front (draft-ietf-opsawg-pcapng); each section says its byte order.
    Pcapng { big: bool },
}

/// Damage ends the walk, as it ends the reading.
fn walk_file(mut file: impl Read, block: &mut [u8]) -> Result<u64, String> {
    let (mut held, mut at, mut packets, mut lengths, mut layout) = (0, 0, 0, 0_u64, None);
    // Bytes still to be passed over of a record that is longer than the block.
    let mut over = 0;
    loop {
        let got = file.read(block.get_mut(held..).unwrap_or_default()).map_err(|error| error.to_string())?;
        if got == 0 {
            std::hint::black_box(lengths);
            return Ok(packets);
        }
        held += got;
        let passed = over.min(held);
        (at, over) = (at + passed, over - passed);
        let mut walked = match layout {
            Some(layout) => layout,
            None if held < FILE_HEADER => continue,
            None => {
                let (found, header) = layout_of(block)?;
                at = header;
                *layout.insert(found)
            }
        };
        while let Some(length) = record(block.get(at..held).unwrap_or_default(), &mut walked, &mut packets) {
            lengths += length as u64;
            at += length;
        }
        layout = Some(walked);
        if at >= held {
            (over, at, held) = (over + at - held, 0, 0);
        } else {
            block.copy_within(at..held, 0);
            (at, held) = (0, held - at);
            if held == block.len() {
                return Ok(packets);
            }
        }
    }
}

/// Bytes of the record that begins here, of which perhaps only the beginning is there; none where not even its length is.
fn record(bytes: &[u8], layout: &mut Layout, packets: &mut u64) -> Option<usize> {
    match layout {
        Layout::Pcap { big } => {
            let header = bytes.get(..16)?;
            let length = word(header, 8, *big);
            *packets += 1;
            Some(16 + length as usize)
        }
        Layout::Pcapng { big } => {
            let header = bytes.get(..12)?;
            if header.starts_with(&SECTION) {
                *big = header.ends_with(&[0x1a, 0x2b, 0x3c, 0x4d]);
            }
            let length = word(header, 4, *big) as usize;
            *packets += u64::from(PACKETS.contains(&word(header, 0, *big)));
            // No block is shorter; damage must not keep the walk where it is.
            (length >= 12).then_some(length)
        }
    }
}

fn layout_of(bytes: &[u8]) -> Result<(Layout, usize), String> {
    match bytes {
        [0x0a, 0x0d, 0x0d, 0x0a, ..] => Ok((Layout::Pcapng { big: false }, 0)),
        [0xd4, 0xc3, 0xb2, 0xa1, ..] | [0x4d, 0x3c, 0xb2, 0xa1, ..] => Ok((Layout::Pcap { big: false }, FILE_HEADER)),
        [0xa1, 0xb2, 0xc3, 0xd4, ..] | [0xa1, 0xb2, 0x3c, 0x4d, ..] => Ok((Layout::Pcap { big: true }, FILE_HEADER)),
        _ => Err("it is compressed, or of another format".to_owned()),
    }
}

fn word(bytes: &[u8], at: usize, big: bool) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
}

/// Bytes of a pcap file's header, and the least that a pcapng section has in front of anything that could be a packet.
const FILE_HEADER: usize = 24;
/// The type of a section header block, the same in both byte orders.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Types of blocks that hold a packet: the old one, the simple and the enhanced.
const PACKETS: [u32; 3] = [2, 3, 6];

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in small pieces, as pipes do.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let many = into.len().min(7).min(self.0.len());
            into[..many].copy_from_slice(&self.0[..many]);
            self.0 = &self.0[many..];
            Ok(many)
        }
    }

    fn pcap(lengths: &[u32], big: bool) -> Vec<u8> {
        let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut file = [word(0xa1b2_c3d4), word(0x0004_0002), word(0), word(0), word(262_144), word(1)].concat();
        for length in lengths {
            file.extend([word(0), word(0), word(*length), word(*length)].concat());
            file.extend(vec![0xa1; *length as usize]);
        }
        file
    }

    #[test]
    fn records_are_counted_however_they_lie_in_the_block() {
        // Longer than the block, as long as it, and none at all.
        let lengths = [0, 60, 48, 47, 1_000, 49, 0, 64, 63, 200];
        for big in [false, true] {
            let file = pcap(&lengths, big);
            for block in [40, 64, 65, 4_096] {
                assert_eq!(walk_file(&*file, &mut vec![0; block]), Ok(10), "block {block}");
                assert_eq!(walk_file(Dribble(&file), &mut vec![0; block]), Ok(10), "block {block}");
            }
        }
    }

    #[test]
    fn only_blocks_that_hold_packets_count_in_pcapng() {
        let block = |kind: u32, body: &[u8]| {
            let length = (12 + body.len() as u32).to_be_bytes();
            [&kind.to_be_bytes()[..], &length, body, &length].concat()
        };
        let section = block(0x0a0d_0d0a, &[0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        let file = [section, block(1, &[0, 1, 0, 0, 0, 0, 0, 0]), block(6, &[0; 84]), block(4, &[0; 8]), block(3, &[0; 64])].concat();
        assert_eq!(walk_file(&*file, &mut [0; 64]), Ok(2));
        assert_eq!(walk_file(Dribble(&file), &mut [0; 64]), Ok(2));
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        assert!(walk_file(&b"\x1f\x8b a compressed file, for example"[..], &mut [0; 64]).is_err());
    }
}
