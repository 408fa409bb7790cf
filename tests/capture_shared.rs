//! Reading against references: the shared captures' packet counts as capinfos gives them, and every frame as the pcap-parser crate reads it.

use std::path::{Path, PathBuf};

use portbook::capture::{self, Options, Progress, Source, SourceError};

struct Row {
    path: String,
    packets: Option<u64>,
    format: String,
    flags: String,
}

fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    if !shared.join("manifest.tsv").exists() {
        eprintln!("skipped: no shared captures");
        return None;
    }
    Some(shared)
}

fn manifest(shared: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(shared.join("manifest.tsv")).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            Row { path: columns[0].to_owned(), packets: columns[4].parse().ok(), format: columns[5].to_owned(), flags: columns[9].to_owned() }
        })
        .collect()
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
    let Some(shared) = shared() else { return };
    let mut differing = Vec::new();
    for row in manifest(&shared) {
        let (frames, errors) = read_all(&[shared.join("files").join(&row.path)]);
        let Some(packets) = row.packets else { continue };
        if frames.len() as u64 != packets {
            differing.push(format!("{}: {} frames, manifest {packets} ({} {}), {errors:?}", row.path, frames.len(), row.format, row.flags));
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}
