//! Damaged and invented captures through the whole pipeline: it never panics, it ends, and every frame is accounted for.
//!
//! `PORTBOOK_FUZZ_ROUNDS=N` adds N rounds of mutation and leaves no byte out where a plain run takes a sample (`make hostile ROUNDS=N`). A round depends on its
//! number alone: `PORTBOOK_FUZZ_FROM` repeats one. `PORTBOOK_FUZZ_SEEDS=FOLDER` writes what guided fuzzing begins with (`make fuzz`).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test stops at its helpers' mistakes and says what it did")]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;
#[path = "hostile/mutation.rs"]
mod mutation;
#[path = "shared/place.rs"]
mod place;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fuzz::seeds;
use fuzz::whole::Desk;
use mutation::{Dice, Kept, LINKS};
use place::{fixture, root};
use portbook::capture::LinkType;
use portbook::signature::{Only, Signatures};
use portbook::time::Timestamp;

#[test]
fn every_prefix_of_every_capture_is_read_to_its_cut() {
    side_by_side(&seeds::captures(root()), &|path| {
        let whole = fs::read(path).unwrap();
        let mut most = 0;
        for cut in (0..=whole.len()).rev().step_by(step(41)).collect::<Vec<_>>().into_iter().rev() {
            let frames = fuzz::lend(&whole[..cut], &mut |_| ());
            assert!(frames == most || frames == most + 1, "{cut} bytes of {} hold {frames} frames, fewer held {most}", path.display());
            most = frames;
        }
        assert!(most >= 4, "the whole capture was read");
    });
}

#[test]
fn every_prefix_goes_the_whole_way_to_a_report() {
    let mut desk = Desk::new();
    let pcap = fs::read(fixture("ntp")).unwrap();
    let pcapng = mutation::pcapng(&mutation::frames(&fixture("snmp-allowed"), usize::MAX));
    for whole in [pcap, pcapng] {
        for cut in (0..=whole.len()).step_by(step(3)) {
            desk.read(&whole[..cut], 1);
        }
    }
    assert!(desk.read > 300, "captures were read");
}

#[test]
fn a_capture_with_any_one_byte_changed_is_read() {
    let step = step(199);
    side_by_side(&seeds::captures(root()), &|path| {
        let whole = fs::read(path).unwrap();
        let mut desk = Desk::new();
        let mut dice = Dice::new(whole.len() as u64);
        // Another place to begin in each capture: a sample of all records' bytes.
        for at in (whole.len() % step..whole.len()).step_by(step) {
            let mut changed = whole.clone();
            changed[at] ^= dice.byte() | 1;
            desk.read(&changed, 1);
        }
    });
}

#[test]
fn what_guided_fuzzing_begins_with_and_what_it_found_is_taken_by_every_target() {
    let mutations = if is_thorough() { MUTATIONS_OF_A_SEED } else { 0 };
    for (name, target) in fuzz::TARGETS {
        let seeds = seeds::of(name, root(), false);
        assert!(!seeds.is_empty(), "{name} has seeds");
        side_by_side(&seeds, &|seed| {
            target(seed);
            let mut dice = Dice::new(seed.len() as u64);
            for _ in 0..mutations {
                let mut changed = seed.clone();
                mutation::bytes(&mut changed, &mut dice);
                target(&changed);
            }
        });
    }
}

/// A stream's protocols are ruled out by its first byte, a datagram's by its gate; with debug assertions the identifier says where one of them hides a match.
#[test]
fn nothing_that_is_recognised_by_what_follows_is_refused_by_its_first_byte() {
    let mut firsts: Vec<Vec<u8>> = seeds::of("dialogue", root(), is_thorough())
        .into_iter()
        .map(|mut script| {
            let said = script.get(4..6).map_or(0, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
            script.truncate(6 + said);
            script
        })
        .filter(|script| script.len() > 6)
        .collect();
    firsts.sort();
    firsts.dedup_by_key(|script| script.iter().take(100).copied().collect::<Vec<_>>());
    assert!(firsts.len() > 50, "there is something said in the recorded captures");
    let sampled: Vec<_> = firsts.into_iter().step_by(step(16)).collect();
    side_by_side(&sampled, &|script| {
        for first in 0..=u8::MAX {
            let mut changed = script.clone();
            changed[6] = first;
            fuzz::dialogue(&changed);
        }
    });
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
    let Some(rounds) = number("PORTBOOK_FUZZ_ROUNDS") else { return println!("skipped: PORTBOOK_FUZZ_ROUNDS is not set") };
    let from = number("PORTBOOK_FUZZ_FROM").unwrap_or(0);
    let (bases, texts) = (bases(), signature_files());
    let seeds: Vec<Seeds> = fuzz::TARGETS.into_iter().map(|(name, target)| (target, seeds::of(name, root(), false))).collect();
    println!("{} captures, {} signature files; rounds {from} to {}", bases.len(), texts.len(), from + rounds);
    let mut desk = Desk::new();
    let mut slowest = (Duration::ZERO, 0);
    for round in from..from + rounds {
        let _told = Told(round);
        let began = Instant::now();
        self::round(&mut desk, &bases, &texts, &seeds, &mut Dice::new(round));
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

/// Damages one thing and reads it.
fn round(desk: &mut Desk, bases: &[PathBuf], texts: &[(String, String)], seeds: &[Seeds], dice: &mut Dice) {
    let base = &bases[dice.below(bases.len())];
    let workers = 1 + dice.below(3);
    match dice.below(10) {
        0 | 1 => {
            let mut whole = fs::read(base).unwrap();
            mutation::bytes(&mut whole, dice);
            desk.read(&whole, workers);
        }
        2..=4 => {
            let mut frames = mutation::frames(base, MOST_FRAMES);
            mutation::packets(&mut frames, dice);
            desk.read(&mutation::pcapng(&frames), workers);
        }
        5 | 6 => {
            let mut frames = mutation::frames(base, MOST_FRAMES);
            mutation::dialogues(&mut frames, dice);
            desk.read(&mutation::pcapng(&frames), workers);
        }
        7 => {
            let (name, text) = &texts[dice.below(texts.len())];
            let changed = mutation::toml(text, dice);
            if let Err(error) = Signatures::from_texts([(name.as_str(), changed.as_str())], Only::TheseOnly) {
                assert!(!error.to_string().is_empty());
            }
        }
        _ => {
            let (target, seeds) = &seeds[dice.below(seeds.len())];
            let mut seed = seeds[dice.below(seeds.len())].clone();
            mutation::bytes(&mut seed, dice);
            target(&seed);
        }
    }
}

/// A target of guided fuzzing and what it begins with.
type Seeds = (fuzz::Target, Vec<Vec<u8>>);

#[test]
fn seeds_are_written_where_they_are_asked_for() {
    let Ok(folder) = std::env::var("PORTBOOK_FUZZ_SEEDS") else { return println!("skipped: PORTBOOK_FUZZ_SEEDS is not set") };
    for (name, _) in fuzz::TARGETS {
        let own = root().join(&folder).join(name);
        fs::create_dir_all(&own).unwrap();
        for (number, seed) in seeds::of(name, root(), true).iter().enumerate() {
            fs::write(own.join(format!("seed-{number:05}")), seed).unwrap();
        }
    }
}

/// Does the same to each, on as many threads as there are cores.
fn side_by_side<T: Sync>(all: &[T], each: &(dyn Fn(&T) + Sync)) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(one);
                }
            });
        }
    });
}

/// Whether all is to be tried, which takes minutes in a build for speed.
fn is_thorough() -> bool {
    number("PORTBOOK_FUZZ_ROUNDS").is_some()
}

/// Every place, or in a plain run one of so many.
fn step(sampled: usize) -> usize {
    if is_thorough() { 1 } else { sampled }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|typed| typed.parse().ok())
}

/// The recorded captures, and the malformed ones of the shared folder (group D) where there is one.
fn bases() -> Vec<PathBuf> {
    let mut all = seeds::captures(root());
    if let Some(shared) = place::shared() {
        let malformed = place::manifest(&shared).into_iter().filter(|row| row[1].contains('D'));
        all.extend(malformed.map(|row| shared.join("files").join(&row[0])));
    }
    all.retain(|path| fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() <= LARGEST_BASE));
    all.sort();
    all
}

/// The built-in signature files, with their names.
fn signature_files() -> Vec<(String, String)> {
    let folder = root().join("signatures");
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
const MUTATIONS_OF_A_SEED: usize = 40;
