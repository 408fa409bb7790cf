//! Reading against references: the shared captures' packet counts as capinfos gives them, and every frame as the pcap-parser crate reads it.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests stop the test, and say what is skipped")]

#[path = "shared/place.rs"]
mod place;

use std::path::{Path, PathBuf};

use portbook::capture::{self, Options, Progress, Source, SourceError};

struct Row {
    path: String,
    packets: Option<u64>,
    format: String,
    flags: String,
}

fn manifest(shared: &Path) -> Vec<Row> {
    let row = |cells: Vec<String>| Row { path: cells[0].clone(), packets: cells[4].parse().ok(), format: cells[5].clone(), flags: cells[9].clone() };
    place::manifest(shared).into_iter().map(row).collect()
}

/// A frame with its bytes.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    nanos: i64,
    wire_len: u32,
    bytes: Vec<u8>,
}

fn read_all(paths: &[PathBuf]) -> (Vec<Kept>, Vec<SourceError>) {
    let (mut frames, mut errors) = (Vec::new(), Vec::new());
    let mut captures = match capture::open(paths, Options::default()) {
        Ok(captures) => captures,
        Err(error) => return (frames, vec![error]),
    };
    loop {
        let mut keep = |batch: &[capture::Frame<'_>]| {
            assert!(!batch.is_empty() && batch.len() <= portbook::limit::BATCH);
            frames.extend(batch.iter().map(|frame| Kept { nanos: frame.time.nanos(), wire_len: frame.wire_len, bytes: frame.bytes.to_vec() }));
        };
        match captures.read(&mut keep) {
            Ok(Progress::More) => {}
            Ok(Progress::End) => return (frames, errors),
            Err(error) => errors.push(error),
        }
    }
}

#[test]
fn every_shared_capture_has_as_many_frames_as_capinfos_counts() {
    let Some(shared) = place::shared() else { return };
    let mut differing = Vec::new();
    for row in manifest(&shared) {
        let (frames, errors) = read_all(&[shared.join("files").join(&row.path)]);
        let Some(packets) = row.packets else { continue };
        let explained = EXPLAINED.iter().find(|(path, ..)| row.path.ends_with(path));
        let expected = explained.map_or(packets, |(_, frames, _)| *frames);
        if frames.len() as u64 != expected {
            differing.push(format!("{}: {} frames, not {expected} ({} {}), {errors:?}", row.path, frames.len(), row.format, row.flags));
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn every_frame_is_what_pcap_parser_reads() {
    let Some(shared) = place::shared() else { return };
    let (mut compared, mut frames_compared) = (0, 0);
    for row in manifest(&shared) {
        let path = shared.join("files").join(&row.path);
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let Some(theirs) = peer(&bytes) else { continue };
        let (ours, errors) = read_all(std::slice::from_ref(&path));
        if !errors.is_empty() {
            continue;
        }
        assert_eq!(ours.len(), theirs.len(), "{}", row.path);
        for (place, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(our, their, "{} frame {}", row.path, place + 1);
        }
        compared += 1;
        frames_compared += ours.len();
    }
    eprintln!("{compared} captures, {frames_compared} frames compared");
    assert!(compared > 900, "only {compared} captures could be compared");
}

/// All frames as pcap-parser reads them; none for what it does not accept, and for what it leaves to its user (times of simple packet blocks).
fn peer(bytes: &[u8]) -> Option<Vec<Kept>> {
    use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};
    let mut reader = create_reader(300_000, bytes).ok()?;
    let (mut frames, mut interfaces, mut nanos_a_unit, mut stuck) = (Vec::new(), Vec::new(), 1_000, false);
    loop {
        match reader.next() {
            Ok((used, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        // Variants whose lengths or times are in another order are not known there.
                        if (header.version_major, header.version_minor) != (2, 4) || header.is_modified_format() {
                            return None;
                        }
                        nanos_a_unit = if header.is_nanosecond_precision() { 1 } else { 1_000 };
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        let nanos = i64::from(packet.ts_sec) * 1_000_000_000 + i64::from(packet.ts_usec) * nanos_a_unit;
                        let wire_len = packet.origlen.max(packet.caplen);
                        frames.push(Kept { nanos, wire_len, bytes: packet.data.to_vec() });
                    }
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(described)) => interfaces.push((described.ts_offset(), described.ts_resolution()?)),
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let (offset, resolution) = *interfaces.get(packet.if_id as usize)?;
                        let units = u128::from(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low));
                        let nanos = (units * 1_000_000_000 / u128::from(resolution)) as i64 + offset * 1_000_000_000;
                        let bytes = packet.data.get(..packet.caplen as usize)?.to_vec();
                        frames.push(Kept { nanos, wire_len: packet.origlen.max(packet.caplen), bytes });
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(_)) => return None,
                    // The obsolete packet block.
                    PcapBlockOwned::NG(Block::Unknown(block)) if block.block_type == 2 => return None,
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(used);
                stuck = false;
            }
            Err(PcapError::Eof) => return Some(frames),
            Err(PcapError::Incomplete(_)) if !stuck => {
                stuck = true;
                reader.refill().ok()?;
            }
            Err(_) => return None,
        }
    }
}

/// Captures whose count differs from the manifest's for a reason: ours, and the reason.
const EXPLAINED: &[(&str, u64, &str)] = &[
    ("output_be/advanced/test102.pcapng", 5, CUSTOM_BLOCKS),
    ("output_be/basic/test018.pcapng", 4, CUSTOM_BLOCKS),
    ("output_be/difficult/test202.pcapng", 8, CUSTOM_BLOCKS),
    ("output_le/advanced/test102.pcapng", 5, CUSTOM_BLOCKS),
    ("output_le/basic/test018.pcapng", 4, CUSTOM_BLOCKS),
    ("output_le/difficult/test202.pcapng", 8, CUSTOM_BLOCKS),
    ("05-vnc-openwall-3.3.pcap", 4032, "capinfos counts 4,032 in the file as it is; the manifest says 3,289"),
    ("test007.ntar", 1, "a simple packet block whose length is not padded; tshark gives the file up"),
    ("crash-pcapng-epb-unbounded-length", 0, "the one packet says more bytes than its block has; tshark gives the file up too"),
];
const CUSTOM_BLOCKS: &str = "Wireshark shows custom blocks as frames; they hold no packet";
