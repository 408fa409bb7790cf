//! What fuzzing begins with: the repository's own captures and signature files, cut to what each target reads.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use portbook::capture::{Frame, LinkType, Options, Progress, Source, open};
use portbook::decode::decode_batch;
use portbook::flow::{Data, Flow, FlowTable, Observer, Parties, Settings, Slot, Want};
use portbook::net::{Side, Transport};

use super::{Said, script};

/// What a target begins with: the repository's own captures and signature files, and the captures of a folder beside it, where there is one and `beside` asks
/// for it. In the same order every time.
pub fn of(target: &str, root: &Path, beside: bool) -> Vec<Vec<u8>> {
    let mut paths = captures(root);
    if beside {
        paths.extend(captures_beside(root));
    }
    match target {
        "site" => site(root),
        "signature" => files(&root.join("signatures"), &["toml"]).iter().map(|path| fs::read(path).unwrap()).collect(),
        "frame" => paths.iter().flat_map(|path| frames(path)).collect(),
        "dialogue" => paths.iter().flat_map(|path| dialogues(path)).collect(),
        _ => paths.iter().map(|path| fs::read(path).unwrap()).collect(),
    }
}

/// The samples of site and expectation files, as they are and with their examples awake, and a baseline.
fn site(root: &Path) -> Vec<Vec<u8>> {
    let seen = r#"{"service":"spinetix-out-mqtt","client":"10.1.0.2","server":"internet","roles":[["spinetix.player"],[]],"is":"blocked"}"#;
    let mut seeds = vec![format!("{{\"portbook_baseline\":1,\"services\":[{seen}],\"findings\":[]}}").into_bytes()];
    seeds.extend(["fixtures/sites/sample.toml", "fixtures/checks/sample.toml"].iter().flat_map(|sample| asleep_and_awake(&root.join(sample))));
    seeds
}

fn asleep_and_awake(sample: &Path) -> [Vec<u8>; 2] {
    let sample = fs::read_to_string(sample).unwrap();
    let awake = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', ':']) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    [sample.lines().map(awake).collect::<String>().into_bytes(), sample.into_bytes()]
}

/// The recorded captures.
pub fn captures(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root.join("fixtures/captures")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.iter().flat_map(|folder| files(folder, &["pcap", "pcapng"])).collect()
}

/// Captures of a folder beside the repository, small ones.
fn captures_beside(root: &Path) -> Vec<PathBuf> {
    let shared = root.join("../shared/captures");
    let manifest = fs::read_to_string(shared.join("manifest.tsv")).unwrap_or_default();
    let mut all: Vec<PathBuf> = manifest.lines().skip(1).filter_map(|line| Some(shared.join("files").join(line.split('\t').next()?))).collect();
    all.retain(|path| fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() <= LARGEST));
    all.sort();
    all
}

fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    all.retain(|path| path.extension().is_some_and(|found| extensions.iter().any(|extension| found == *extension)));
    all.sort();
    all
}

/// Frames of a capture in groups of a few, by link type.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let mut groups: Vec<(LinkType, Vec<u8>, usize)> = Vec::new();
    each_batch(path, &mut |batch| {
        for frame in batch {
            let len = u16::try_from(frame.bytes.len()).unwrap_or(u16::MAX);
            let place = groups.iter().rposition(|(link, _, held)| *link == frame.link && *held < FRAMES_A_SEED).unwrap_or_else(|| {
                groups.push((frame.link, frame.link.0.to_be_bytes().to_vec(), 0));
                groups.len() - 1
            });
            let (_, seed, held) = &mut groups[place];
            seed.extend(len.to_be_bytes());
            seed.push(10);
            seed.extend(&frame.bytes[..usize::from(len)]);
            *held += 1;
        }
    });
    groups.truncate(SEEDS_A_CAPTURE);
    groups.into_iter().map(|(_, seed, _)| seed).collect()
}

/// What the ends of a capture's flows say to each other.
fn dialogues(path: &Path) -> Vec<Vec<u8>> {
    let mut heard = Heard::default();
    let mut table = FlowTable::new(Settings::default());
    each_batch(path, &mut |batch| {
        let mut packets = Vec::new();
        decode_batch(batch, &mut packets);
        table.push(&packets, &mut heard);
    });
    table.finish(&mut heard);
    heard.scripts.truncate(SEEDS_A_CAPTURE);
    heard.scripts
}

fn each_batch(path: &Path, sink: &mut dyn FnMut(&[Frame<'_>])) {
    let Ok(mut captures) = open(&[path.to_owned()], Options::default()) else { return };
    // A capture that is damaged gives what comes before the damage.
    while matches!(captures.read(sink), Ok(Progress::More)) {}
}

/// Writes down what it hears, in the words of the target `dialogue`.
#[derive(Default)]
struct Heard {
    live: HashMap<Slot, (Option<Parties>, Vec<Said>, usize)>,
    scripts: Vec<Vec<u8>>,
}

impl Observer for Heard {
    fn opened(&mut self, slot: Slot) {
        self.live.insert(slot, (None, Vec::new(), 0));
    }

    fn data(&mut self, slot: Slot, parties: &Parties, data: Data<'_>) -> Want {
        let (known, said, held) = self.live.entry(slot).or_default();
        known.get_or_insert(*parties);
        let bytes = data.bytes[..data.bytes.len().min(SAID_KEPT - *held)].to_vec();
        *held += bytes.len();
        said.push(Said { by_server: data.from == Side::Server, bytes });
        if *held < SAID_KEPT { Want::More } else { Want::Nothing }
    }

    fn closed(&mut self, slot: Slot, _: Flow) {
        if let Some((Some(parties), said, _)) = self.live.remove(&slot) {
            self.scripts.push(script(parties.transport == Transport::UDP, true, parties.server.port, &said));
        }
    }
}

/// Bytes of the largest capture that seeds are taken of.
const LARGEST: u64 = 200_000;
const FRAMES_A_SEED: usize = 4;
const SEEDS_A_CAPTURE: usize = 40;
/// Bytes of one dialogue.
const SAID_KEPT: usize = 8_000;
