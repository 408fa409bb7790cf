//! Damaged and invented captures through the whole pipeline: it never panics, it ends, and every frame is accounted for.
//!
//! `PORTBOOK_FUZZ_ROUNDS=N` adds N rounds of mutation (`make fuzz ROUNDS=N`). A round depends on its number alone: `PORTBOOK_FUZZ_FROM` repeats one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test stops at its helpers' mistakes and says what it did")]

#[path = "hostile/mutation.rs"]
mod mutation;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mutation::{Dice, Kept, LINKS};
use portbook::capture::LinkType;
use portbook::flow;
use portbook::judge::Site;
use portbook::pipeline::{self, Plan};
use portbook::report::{FORMATS, Report, Style};
use portbook::signature::{Only, Signatures};
use portbook::time::Timestamp;

#[test]
fn every_prefix_of_a_capture_is_read_to_its_cut() {
    let mut desk = Desk::new();
    let pcap = fs::read(fixture("ntp")).unwrap();
    let pcapng = mutation::pcapng(&mutation::frames(&fixture("snmp-allowed"), usize::MAX));
    for whole in [pcap, pcapng] {
        let mut most = 0;
        for cut in 0..=whole.len() {
            let frames = desk.read(&whole[..cut], 1);
            assert!(frames >= most, "{cut} bytes hold {frames} frames, fewer bytes held {most}");
            most = frames;
        }
        assert!(most >= 4, "the whole capture was read");
    }
}

#[test]
fn a_capture_with_any_one_byte_changed_is_read() {
    let mut desk = Desk::new();
    let whole = fs::read(fixture("mqtt-plain-on-8883")).unwrap();
    let mut dice = Dice::new(1);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= dice.byte() | 1;
        desk.read(&changed, 1);
    }
}

#[test]
fn frames_of_noise_are_accounted_for_whatever_link_they_claim() {
    let mut desk = Desk::new();
    let mut dice = Dice::new(2);
    // An IPv4 header, an IPv6 header, and noise, behind what begins an Ethernet frame or nothing.
    let openings: [&[u8]; 5] = [b"", &[0x45, 0, 0, 60, 0, 1], &[0x60, 0, 0, 0, 0, 40, 17], &[0; 12], &[2, 0, 0, 0, 0x45, 0]];
    for _ in 0..8 {
        let noise = |link: &u16| {
            let opening = openings[dice.below(openings.len())];
            let len = dice.below(200);
            Kept { link: LinkType(*link), time: Timestamp::from_nanos(0), bytes: [opening, &dice.bytes(len)].concat() }
        };
        let mut frames: Vec<Kept> = LINKS.iter().cycle().take(8 * LINKS.len()).map(noise).collect();
        let all = frames.len() as u64;
        assert_eq!(desk.read(&mutation::pcapng(&frames), 1), all);
        frames.truncate(100);
        assert_eq!(desk.read(&mutation::pcapng(&frames), 3), 100);
    }
}

#[test]
fn rounds_of_mutation_find_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|typed| typed.parse::<u64>().ok());
    let Some(rounds) = number("PORTBOOK_FUZZ_ROUNDS") else { return println!("skipped: PORTBOOK_FUZZ_ROUNDS is not set") };
    let from = number("PORTBOOK_FUZZ_FROM").unwrap_or(0);
    let (bases, texts) = (bases(), signature_files());
    println!("{} captures, {} signature files; rounds {from} to {}", bases.len(), texts.len(), from + rounds);
    let mut desk = Desk::new();
    let mut slowest = (Duration::ZERO, 0);
    for round in from..from + rounds {
        let _told = Told(round);
        let began = Instant::now();
        desk.round(&bases, &texts, &mut Dice::new(round));
        let took = began.elapsed();
        slowest = slowest.max((took, round));
        assert!(took < LONGEST_ROUND, "round {round} took {took:?}");
    }
    println!("{} captures were read, {} frames in {} flows; the slowest round, {}, took {:?}", desk.read, desk.frames, desk.flows, slowest.1, slowest.0);
}

/// Says which round to repeat, should it panic.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("repeat it with PORTBOOK_FUZZ_FROM={} PORTBOOK_FUZZ_ROUNDS=1", self.0);
        }
    }
}

/// Where captures are laid down to be read.
struct Desk {
    folder: tempfile::TempDir,
    read: u64,
    frames: u64,
    flows: u64,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), read: 0, frames: 0, flows: 0 }
    }

    /// Damages one thing and reads it.
    fn round(&mut self, bases: &[PathBuf], texts: &[(String, String)], dice: &mut Dice) {
        let base = &bases[dice.below(bases.len())];
        let workers = 1 + dice.below(3);
        match dice.below(8) {
            0 | 1 => {
                let mut whole = fs::read(base).unwrap();
                mutation::bytes(&mut whole, dice);
                self.read(&whole, workers);
            }
            2..=4 => {
                let mut frames = mutation::frames(base, MOST_FRAMES);
                mutation::packets(&mut frames, dice);
                self.read(&mutation::pcapng(&frames), workers);
            }
            5 | 6 => {
                let mut frames = mutation::frames(base, MOST_FRAMES);
                mutation::dialogues(&mut frames, dice);
                self.read(&mutation::pcapng(&frames), workers);
            }
            _ => {
                let (name, text) = &texts[dice.below(texts.len())];
                let changed = mutation::toml(text, dice);
                if let Err(error) = Signatures::from_texts([(name.as_str(), changed.as_str())], Only::TheseOnly) {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    }

    /// Reads a capture, prints it, and holds its numbers against each other; the frames it held.
    fn read(&mut self, bytes: &[u8], workers: usize) -> u64 {
        let path = self.folder.path().join("capture");
        fs::write(&path, bytes).unwrap();
        let signatures = Signatures::built_in();
        let plan = Plan {
            captures: &[path],
            filter: None,
            flows: flow::Settings::default(),
            workers,
            memory: portbook::limit::MEMORY,
            signatures,
            site: Site::default(),
            records: true,
            stop: &AtomicBool::new(false),
        };
        // One format after the other: printing all of them takes longer than reading.
        let format = FORMATS[self.read as usize % FORMATS.len()];
        let mut out = Vec::new();
        let mut writer = format.open(&mut out, Style { verbose: true, quiet: false }, signatures);
        let mut in_flows = 0;
        let read = pipeline::run(plan, &|_, _| {}, &mut |judged| {
            let flow = &judged.identified.flow;
            in_flows += flow.client.packets + flow.server.packets;
            writer.flow(judged).unwrap();
        });
        let report = match read {
            Ok(report) => report,
            Err(error) => {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
                return 0;
            }
        };
        writer.finish(&report).unwrap();
        drop(writer);
        assert!(format.name != "json" || serde_json::from_slice::<serde_json::Value>(&out).is_ok(), "no JSON document");
        assert_adds_up(&report, in_flows);
        self.read += 1;
        self.frames += report.losses.flows.packets;
        self.flows += report.digest.flows;
        report.losses.flows.packets
    }
}

/// Packets in flows, packets in none, and copies are all the frames there were.
fn assert_adds_up(report: &Report<'_>, in_flows: u64) {
    let counts = &report.losses.flows;
    let frames: u64 = report.files.iter().map(|file| file.frames).sum();
    assert_eq!(counts.packets, frames, "every frame is a packet");
    assert_eq!(counts.in_flows, in_flows, "flows hold the packets that were counted into them");
    let elsewhere = counts.arp + counts.without_ip.total() + counts.without_ends.total() + counts.not_understood + counts.fragments.without_ports;
    assert_eq!(counts.in_flows - counts.tunnelled + elsewhere + counts.duplicates.total(), frames, "{counts:?}");
    assert_eq!(counts.opened, report.digest.flows, "every flow that was opened was judged");
}

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures").join(case).join("capture.pcap")
}

/// The recorded captures, and the malformed ones of the shared folder (group D) where there is one.
fn bases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<PathBuf> = fs::read_dir(root.join("fixtures/captures")).unwrap().map(|entry| entry.unwrap().path().join("capture.pcap")).collect();
    let shared = root.join("../shared/captures");
    let manifest = fs::read_to_string(shared.join("manifest.tsv")).unwrap_or_default();
    let malformed = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(|row| row.len() > 3 && row[1].contains('D'));
    all.extend(malformed.map(|row| shared.join("files").join(row[0])));
    all.retain(|path| fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() <= LARGEST_BASE));
    all.sort();
    all
}

/// The built-in signature files, with their names.
fn signature_files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.into_iter().map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

/// Bytes of the largest capture that is damaged, and frames taken of it: rounds are many, not long.
const LARGEST_BASE: u64 = 200_000;
const MOST_FRAMES: usize = 300;
/// No round may take longer, whatever the machine does beside it.
const LONGEST_ROUND: Duration = Duration::from_secs(30);
