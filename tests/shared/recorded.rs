//! Recorded captures as lists of frames, and such lists as captures again.

use std::path::{Path, PathBuf};

use portbook::capture::{self, Options, Progress, Source};

/// When, in nanoseconds, and the bytes from the Ethernet header on.
pub type Frames = Vec<(i64, Vec<u8>)>;

/// Those of one file on one Ethernet link.
pub fn recorded() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures")).unwrap();
    let mut captures: Vec<_> = folders.map(|folder| folder.unwrap().path().join("capture.pcap")).filter(|capture| capture.exists()).collect();
    captures.sort();
    captures
}

pub fn frames_of(capture: &Path) -> Frames {
    let mut frames = Vec::new();
    let mut source = capture::open(&[capture.to_owned()], Options { filter: None }).unwrap();
    while !matches!(source.read(&mut |some| frames.extend(some.iter().map(|frame| (frame.time.nanos(), frame.bytes.to_vec())))).unwrap(), Progress::End) {}
    frames
}

/// As a pcap file with nanoseconds.
pub fn written(frames: &[(i64, Vec<u8>)], path: &Path) -> PathBuf {
    let mut file: Vec<u8> = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, 1].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    for (time, bytes) in frames {
        let len = bytes.len() as u32;
        let record = [time.div_euclid(1_000_000_000) as u32, time.rem_euclid(1_000_000_000) as u32, len, len];
        file.extend(record.iter().flat_map(|word| word.to_le_bytes()));
        file.extend(bytes);
    }
    std::fs::write(path, file).unwrap();
    path.to_owned()
}
