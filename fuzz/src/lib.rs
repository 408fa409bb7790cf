//! What fuzzing feeds, and what must hold whatever is fed. The files in `targets/` hand these functions to libFuzzer;
//! the repository's `tests/hostile.rs` runs the same functions over the same seeds, without it.

mod dialogue;
pub mod seeds;
pub mod whole;

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use portbook::capture::{CaptureFile, Frame, FrameId, LinkType, Options, Progress, Source, open};
use portbook::check::{Baseline, Expectations};
use portbook::decode::{Content, Packet, decode, decode_batch, quoted};
use portbook::flow::{FlowTable, Settings};
use portbook::identify::{Books, Identifier};
use portbook::judge::Site;
use portbook::limit::{FRAME_BYTES, TUNNEL_DEPTH};
use portbook::signature::{Only, Signatures};
use portbook::time::Timestamp;

pub use dialogue::{Said, dialogue, script};

/// What is done with bytes.
pub type Target = fn(&[u8]);

/// The targets by name, in order.
pub const TARGETS: [(&str, Target); 6] =
    [("capture", |bytes| capture(bytes)), ("frame", frame), ("dialogue", dialogue), ("signature", signature), ("site", site), ("whole", whole)];

/// A capture file of these bytes: it is read to an end, and every frame lies within its bounds.
pub fn capture(bytes: &[u8]) {
    lend(bytes, &mut |frame| check(&decode(frame), frame));
}

/// Lends the frames of a capture file of these bytes, and says how many there were. What is told of them is held against what was lent.
pub fn lend(bytes: &[u8], each: &mut dyn FnMut(&Frame<'_>)) -> u64 {
    let Ok(mut captures) = on_disk(bytes, |path| open(&[path.to_owned()], Options::default())) else { return 0 };
    let (mut frames, mut held, mut last) = (0_u64, 0_u64, 0_u64);
    loop {
        let step = captures.read(&mut |batch| {
            for frame in batch {
                assert!(frame.bytes.len() <= FRAME_BYTES as usize && frame.bytes.len() as u64 <= u64::from(frame.wire_len), "{frame:?}");
                assert!(frame.id.number() > last, "frame numbers rise");
                last = frame.id.number();
                frames += 1;
                held += frame.bytes.len() as u64;
                each(frame);
            }
        });
        for (_, name) in captures.take_names() {
            assert!(!name.is_empty(), "a name without letters");
        }
        match step {
            Ok(Progress::More) => {}
            Ok(Progress::End) => break,
            Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
        }
    }
    let CaptureFile { frames: told, bytes: told_bytes, .. } = captures.files()[0];
    assert_eq!((told, told_bytes), (frames, held), "what was lent is what is told");
    frames
}

/// Frames of one link: two bytes of link type, then for each frame two bytes of length, one of time that passed, and the frame.
pub fn frame(bytes: &[u8]) {
    let Some(([a, b], rest)) = bytes.split_first_chunk() else { return };
    let link = LinkType(u16::from_be_bytes([*a, *b]));
    let frames = frames_of(link, rest);
    let mut packets = Vec::new();
    decode_batch(&frames, &mut packets);
    for (packet, frame) in packets.iter().zip(&frames) {
        check(packet, frame);
    }
    let books = Books::default();
    let mut identifier = Identifier::new(&books);
    let mut table = FlowTable::new(Settings::default());
    table.push(&packets, &mut identifier);
    table.finish(&mut identifier);
    let closed = std::mem::take(identifier.ended());
    let in_flows = closed.iter().map(|one| one.flow.client.packets + one.flow.server.packets).sum();
    whole::assert_adds_up(table.counts(), frames.len() as u64, in_flows);
}

/// A signature file: it is taken, or every mistake in it is told.
pub fn signature(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Signatures::from_texts([("fuzzed.toml", text)], Only::TheseOnly) {
        Ok(signatures) => {
            for (id, service) in signatures.services() {
                assert_eq!(signatures.service(id).id, service.id);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A site file, as [`signature`]; and the same bytes as an expectation file and as a baseline.
pub fn site(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let signatures = Signatures::built_in();
    if let Err(error) = Site::from_text("fuzzed.toml", text, signatures, signatures) {
        assert!(!error.to_string().is_empty());
    }
    if let Err(error) = Expectations::from_text("fuzzed.toml", text, &Site::default(), signatures, signatures) {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(baseline) = Baseline::from_text(text) {
        assert_eq!(Baseline::from_text(&baseline.text()).as_ref(), Ok(&baseline));
    }
}

/// A capture through the whole house, into every report format in turn.
pub fn whole(bytes: &[u8]) {
    thread_local!(static DESK: RefCell<whole::Desk> = RefCell::new(whole::Desk::new()));
    DESK.with_borrow_mut(|desk| desk.read(bytes, 1));
}

fn frames_of(link: LinkType, mut rest: &[u8]) -> Vec<Frame<'_>> {
    let (mut frames, mut time) = (Vec::new(), Timestamp::from_parts(1_700_000_000, 0));
    while let Some(([a, b, passed], after)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([*a, *b]));
        let (bytes, after) = after.split_at(len.min(after.len()));
        // Up to a minute and more: timeouts run out.
        time = Timestamp::from_nanos(time.nanos() + (1_i64 << (*passed % 38)));
        let number = frames.len() as u64 + 1;
        // What the input lacks of a frame is what a snap length cut off.
        frames.push(Frame { id: FrameId::new(0, number), interface: 0, link, time, wire_len: len as u32, bytes });
        rest = after;
        if frames.len() == MOST_FRAMES {
            break;
        }
    }
    frames
}

/// What is said of a packet lies within its frame.
fn check(packet: &Packet<'_>, frame: &Frame<'_>) {
    assert!(packet.payload.is_empty() || frame.bytes.as_ptr_range().contains(&packet.payload.as_ptr()), "the payload is the frame's");
    assert!(packet.payload.len() <= frame.bytes.len() && packet.tunnel.iter().count() <= TUNNEL_DEPTH);
    if let Content::Ip(ip, _) = packet.content {
        for v6 in [false, true] {
            quoted(packet.payload, v6);
        }
        assert_eq!(ip.source.is_ipv6(), ip.destination.is_ipv6());
    }
}

/// Lays the bytes down as a file.
fn on_disk<T>(bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    thread_local!(static FOLDER: (tempfile::TempDir, PathBuf) = {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture");
        (folder, path)
    });
    FOLDER.with(|(_, path)| {
        lay_down(path, bytes);
        read(path)
    })
}

/// Writes a file over the one before. Not by way of an empty file: file systems then wait for the disk, thousands of times.
fn lay_down(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

/// Frames of one input: enough for fragments, copies and a dialogue.
const MOST_FRAMES: usize = 64;
