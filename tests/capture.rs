//! Reading captures from files, folders and several at once: order, counts, and what is said where a capture cannot be read.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

use std::io::Write;
use std::path::{Path, PathBuf};

use portbook::capture::write::Writer;
use portbook::capture::{self, Captures, Filter, Frame, FrameId, LinkType, Options, Progress, Source, SourceError};
use portbook::time::Timestamp;

/// What reading lent, and what it said.
#[derive(Debug, Default)]
struct Read {
    frames: Vec<(FrameId, Timestamp, Vec<u8>)>,
    errors: Vec<SourceError>,
}

fn drain(captures: &mut Captures) -> Read {
    let mut read = Read::default();
    loop {
        let mut keep = |batch: &[Frame<'_>]| read.frames.extend(batch.iter().map(|frame| (frame.id, frame.time, frame.bytes.to_vec())));
        match captures.read(&mut keep) {
            Ok(Progress::More) => {}
            Ok(Progress::End) => return read,
            Err(error) => read.errors.push(error),
        }
    }
}

fn read(paths: &[PathBuf]) -> Read {
    match capture::open(paths, Options::default()) {
        Ok(mut captures) => drain(&mut captures),
        Err(error) => Read { errors: vec![error], ..Read::default() },
    }
}

fn refusal(path: &Path) -> String {
    capture::open(&[path.to_owned()], Options::default()).err().unwrap().to_string()
}

/// A pcap of Ethernet frames, each of one byte, at the given seconds.
fn pcap(seconds: &[u32]) -> Vec<u8> {
    let mut file: Vec<u8> = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].into_iter().flat_map(u32::to_le_bytes).collect();
    for (second, byte) in seconds.iter().zip((0..=255).cycle()) {
        file.extend([*second, 0, 1, 1].into_iter().flat_map(u32::to_le_bytes));
        file.push(byte);
    }
    file
}

/// A pcapng of the same.
fn pcapng(seconds: &[u32]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let interface = writer.interface(LinkType::ETHERNET, 0, Some("eth0")).unwrap();
    for (second, byte) in seconds.iter().zip((0..=255).cycle()) {
        writer.frame(interface, Timestamp::from_parts(i64::from(*second), 0), 1, &[byte], &["why"]).unwrap();
    }
    writer.finish().unwrap()
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let blocks = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(blocks, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_prefix_of_a_capture_lends_the_frames_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    // Bytes up to and including frame n: of pcap 24 + 17 n; of pcapng 28 + 40 for the headers (interface name and resolution), then 48 a frame:
    // 28 + 4 for header and padded byte, 16 for comment and end of options.
    let pcap_ends: Vec<usize> = (0..=5).map(|frames| 24 + 17 * frames).collect();
    let whole = pcapng(&[1, 2, 3, 4, 5]);
    let frame = (whole.len() - pcapng(&[]).len()) / 5;
    let pcapng_ends: Vec<usize> = (0..=5).map(|frames| pcapng(&[]).len() + frame * frames).collect();
    for (whole, ends, clean) in [(pcap(&[1, 2, 3, 4, 5]), pcap_ends.clone(), pcap_ends), (whole, pcapng_ends.clone(), pcapng_ends)] {
        for cut in 0..whole.len() {
            let path = file(folder.path(), "cut", &whole[..cut]);
            let read = read(&[path]);
            let frames = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
            assert_eq!(read.frames.len(), frames, "cut at {cut}");
            let between = cut == 28 && whole[0] == 0x0a;
            assert_eq!(read.errors.is_empty(), clean.contains(&cut) || between, "cut at {cut}: {:?}", read.errors);
        }
    }
}

#[test]
fn compressed_captures_are_known_by_their_content_and_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let plain = pcap(&[1, 2, 3]);
    for (name, bytes) in [("gzip", gzip(&plain)), ("zstd", zstd(&plain)), ("lz4", lz4(&plain)), ("xz", xz(&plain))] {
        let path = file(folder.path(), "capture.pcap", &bytes);
        let mut captures = capture::open(&[path], Options::default()).unwrap();
        assert_eq!(drain(&mut captures).frames.len(), 3, "{name}");
        let about = &captures.files()[0];
        assert_eq!((about.compression, about.format, about.frames, about.bytes), (Some(name), "pcap", 3, 3));
        assert_eq!(captures.position(), (bytes.len() as u64, Some(bytes.len() as u64)));
    }
}

#[test]
fn all_members_of_a_compressed_file_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let plain = pcap(&[1, 2, 3]);
    let (one, two) = plain.split_at(40);
    let skippable = [&[0x52, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(two)].concat();
    for bytes in [[gzip(one), gzip(two)].concat(), [zstd(one), skippable].concat(), [lz4(one), lz4(two)].concat(), [xz(one), xz(two)].concat()] {
        assert_eq!(read(&[file(folder.path(), "capture", &bytes)]).frames.len(), 3);
    }
}

#[test]
fn a_compressed_capture_cut_off_lends_what_came_before() {
    let folder = tempfile::tempdir().unwrap();
    // Incompressible, so that the cut lies in the middle of the frames.
    let mut noise = 1_u64;
    let seconds: Vec<u32> = (0..20_000)
        .map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 33) as u32
        })
        .collect();
    for (name, whole) in [("gzip", gzip(&pcap(&seconds))), ("lz4", lz4(&pcap(&seconds)))] {
        let read = read(&[file(folder.path(), "cut", &whole[..whole.len() / 2])]);
        assert!((1_000..20_000).contains(&read.frames.len()), "{name}: {}", read.frames.len());
        let said = read.errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(said.len() == 1 && said[0].contains(name), "{said:?}");
    }
}

#[test]
fn overlapping_files_interleave_and_rotated_ones_follow_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let paths =
        [file(folder.path(), "c", &pcap(&[20, 21])), file(folder.path(), "a", &pcapng(&[1, 3, 5, 10])), file(folder.path(), "b", &gzip(&pcap(&[2, 3, 4, 11])))];
    let read = read(&paths);
    let order: Vec<(i64, u32, u64)> = read.frames.iter().map(|(id, time, _)| (time.nanos() / 1_000_000_000, id.file(), id.number())).collect();
    // At second 3 the file given first comes first.
    let expected = [(1, 1, 1), (2, 2, 1), (3, 1, 2), (3, 2, 2), (4, 2, 3), (5, 1, 3), (10, 1, 4), (11, 2, 4), (20, 0, 1), (21, 0, 2)];
    assert_eq!(order, expected);
}

#[test]
fn more_overlapping_files_than_may_be_open_are_read_in_order_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let count = portbook::limit::OPEN_CAPTURES + 20;
    let frames = 2_000;
    let mut paths = Vec::new();
    for place in 0..count {
        // 2,000 frames are more than a small block holds; every file spans the whole time.
        let seconds: Vec<u32> = (0..frames).map(|step| (step * count + place) as u32).collect();
        let bytes = pcap(&seconds);
        paths.push(file(folder.path(), &format!("{place:03}"), &if place % 50 == 7 { gzip(&bytes) } else { bytes }));
    }
    let read = read(&paths);
    assert_eq!((read.frames.len(), read.errors.len()), (count * frames, 0));
    assert!(read.frames.is_sorted_by_key(|(_, time, _)| *time));
}

#[test]
fn frames_out_of_order_are_lent_as_they_lie_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut captures = capture::open(&[file(folder.path(), "a", &pcap(&[5, 3, 4, 4, 9]))], Options::default()).unwrap();
    let numbers: Vec<u64> = drain(&mut captures).frames.iter().map(|(id, ..)| id.number()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(captures.files()[0].out_of_order, 1);
}

#[test]
fn a_folder_is_read_in_the_order_of_names_and_other_files_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    file(folder.path(), "b.pcap", &pcap(&[1]));
    file(&folder.path().join("deep"), "a", &gzip(&pcapng(&[1])));
    file(folder.path(), "notes.txt", b"seen at the customer's");
    file(folder.path(), "notes.gz", &gzip(b"seen at the customer's"));
    file(folder.path(), "empty", b"");
    let mut captures = capture::open(&[folder.path().to_owned()], Options::default()).unwrap();
    let names: Vec<String> = captures.files().iter().map(|about| about.path.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!((names, captures.skipped()), (vec!["b.pcap".to_owned(), "a".to_owned()], 3));
    assert_eq!(drain(&mut captures).frames.len(), 2);
}

#[test]
fn one_bad_file_among_good_ones_is_told_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let cut = pcap(&[2, 3]);
    let paths = [
        file(folder.path(), "good", &pcap(&[1, 4])),
        folder.path().join("missing"),
        file(folder.path(), "cut", &cut[..cut.len() - 1]),
        file(folder.path(), "text", b"hello, world"),
    ];
    let mut captures = capture::open(&paths, Options::default()).unwrap();
    let read = drain(&mut captures);
    assert_eq!(read.frames.iter().map(|(id, ..)| (id.file(), id.number())).collect::<Vec<_>>(), [(0, 1), (2, 1), (0, 2)]);
    let whose: Vec<&str> = read.errors.iter().map(|error| error.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(whose, ["missing", "text", "cut"]);
    let kept: Vec<bool> = captures.files().iter().map(|about| about.error.is_some()).collect();
    assert_eq!(kept, [false, true, true, true]);
}

#[test]
fn what_cannot_be_read_is_told_in_one_line_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    file(&at("folder"), "readme", b"no captures here");
    let mut version = pcapng(&[]);
    version[12] = 2;
    let mut tar = b"captures/monday.pcap".to_vec();
    tar.resize(100, 0);
    tar.extend(b"0000644\0");
    tar.resize(512, 0);
    let cases = [
        (at("missing"), "cannot be opened: there is no such file (check the path)"),
        (at("folder"), "holds no captures (1 other files)"),
        (file(folder.path(), "empty", b""), "is empty"),
        (file(folder.path(), "page", b"<!DOCTYPE html><html>"), "begins like a web page"),
        (file(folder.path(), "text", b"Dear customer"), "begins with the text \"Dear customer\""),
        (file(folder.path(), "noise", &[1, 2, 3, 4]), "begins with the bytes 01 02 03 04"),
        (file(folder.path(), "zip", b"PK\x03\x04...."), "is a ZIP archive"),
        (file(folder.path(), "tar", &tar), "is a tar archive"),
        (file(folder.path(), "utf16", b"\xff\xfe{\0\"\0"), "is text in UTF-16"),
        (file(folder.path(), "text.gz", &gzip(b"Dear customer")), "once gzip is undone, it is not a capture: it begins with the text"),
        (file(folder.path(), "head", &pcap(&[])[..20]), "is cut off in its file header"),
    ];
    for (path, says) in cases {
        let said = refusal(&path);
        assert!(said.contains(says) && said.starts_with(&path.display().to_string()) && !said.contains('\n'), "{said}");
    }
    let said = read(&[file(folder.path(), "version", &version)]).errors[0].to_string();
    assert!(said.contains("pcapng version 2.0 is not known here") && said.contains("editcap"), "{said}");
}

#[test]
fn refused_frames_keep_their_numbers_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "a", &pcap(&[1, 2, 3]));
    // The frames are one byte: 0, 1, 2.
    let filter = Some(Filter::compile("ether[0] != 1").unwrap());
    let mut captures = capture::open(&[path], Options { filter }).unwrap();
    let numbers: Vec<u64> = drain(&mut captures).frames.iter().map(|(id, ..)| id.number()).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!((captures.files()[0].frames, captures.files()[0].filtered), (3, 1));
}

#[test]
fn what_the_writer_wrote_is_read_back_by_us_and_by_another_reader() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let ethernet = writer.interface(LinkType::ETHERNET, 96, Some("eth0")).unwrap();
    let raw = writer.interface(LinkType::RAW, 0, None).unwrap();
    let time = Timestamp::from_parts(1_700_000_000, 123_456_789);
    writer.frame(raw, time, 5, b"12345", &[]).unwrap();
    writer.frame(ethernet, time, 1500, b"123456789", &["SYN, never answered – cited"]).unwrap();
    assert!(writer.frame(2, time, 1, b"1", &[]).is_err());
    let bytes = writer.finish().unwrap();

    let mut captures = capture::open(&[file(folder.path(), "a", &bytes)], Options::default()).unwrap();
    let read = drain(&mut captures);
    assert!(read.frames.iter().all(|(_, at, _)| *at == time) && read.errors.is_empty());
    assert_eq!(read.frames.iter().map(|(.., bytes)| bytes.as_slice()).collect::<Vec<_>>(), [&b"12345"[..], b"123456789"]);
    let interfaces: Vec<_> = captures.interfaces().iter().map(|known| (known.name.as_deref(), known.link, known.snap_len)).collect();
    assert_eq!(interfaces, [(Some("eth0"), LinkType::ETHERNET, 96), (None, LinkType::RAW, 0)]);

    let mut comments = Vec::new();
    let mut rest = bytes.as_slice();
    while let Ok((left, block)) = pcap_parser::pcapng::parse_block_le(rest) {
        if let pcap_parser::pcapng::Block::EnhancedPacket(packet) = block {
            assert_eq!((packet.ts_high, packet.ts_low), ((time.nanos() >> 32) as u32, time.nanos() as u32));
            comments.extend(packet.options.iter().filter(|option| option.code.0 == 1).map(|option| option.as_str().unwrap().to_owned()));
        }
        rest = left;
    }
    assert_eq!((rest.len(), comments), (0, vec!["SYN, never answered – cited".to_owned()]));
}

#[test]
fn names_and_drops_of_a_capture_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = pcapng(&[1]);
    let mut block = |kind: u32, body: &[u8]| {
        let total = (body.len() + 12) as u32;
        bytes.extend(kind.to_le_bytes());
        bytes.extend(total.to_le_bytes());
        bytes.extend(body);
        bytes.extend(total.to_le_bytes());
    };
    // Name resolution: one IPv4 record of 10 bytes padded to 12, then the end record.
    block(4, &[1, 0, 10, 0, 192, 0, 2, 1, b'p', b'l', b'a', b'y', b'1', 0, 0, 0, 0, 0, 0, 0]);
    // Statistics of interface 0: 3 dropped by the interface, 4 by the system.
    let statistics = [[0_u32, 0, 0].map(u32::to_le_bytes).concat(), vec![5, 0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 8, 0, 4, 0, 0, 0, 0, 0, 0, 0]].concat();
    block(5, &statistics);
    // Decryption secrets are nobody's business here, and a block of a local type is passed over.
    block(10, &[0; 8]);
    block(0x8000_0001, &[0; 4]);
    let mut captures = capture::open(&[file(folder.path(), "a", &bytes)], Options::default()).unwrap();
    let read = drain(&mut captures);
    assert_eq!((read.frames.len(), read.errors.len()), (1, 0));
    assert_eq!(captures.take_names(), [("192.0.2.1".parse().unwrap(), "play1".to_owned())]);
    assert_eq!((captures.interfaces()[0].dropped, captures.files()[0].passed_over), (Some(7), 1));
}

#[test]
fn decompressors_that_ask_for_more_than_all_together_may_hold_are_refused_and_the_others_read() {
    let folder = tempfile::tempdir().unwrap();
    // A zstd frame with a window of 64 MiB (RFC 8878 section 3.1.1.1.2: 2^(10 + 16)), and 24 packets of 128 KiB of zeros: more than is decompressed ahead.
    let asking = |name: u32| {
        let block = |len: usize, kind: u32, last: bool| ((len as u32) << 3 | kind << 1 | u32::from(last)).to_le_bytes()[..3].to_vec();
        let mut whole = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 16 << 3];
        let raw = |bytes: &[u8]| [&block(bytes.len(), 0, false)[..], bytes].concat();
        whole.extend(raw(&pcap(&[])));
        for packet in 0..24 {
            whole.extend(raw(&[100 * packet + name, 0, 131_072, 131_072].map(u32::to_le_bytes).concat()));
            whole.extend([block(131_072, 1, packet == 23), vec![0]].concat());
        }
        whole
    };
    let paths: Vec<PathBuf> = (0..4_u32).map(|name| file(folder.path(), &name.to_string(), &asking(name))).collect();
    let read = read(&paths);
    let told: Vec<String> = read.errors.iter().map(ToString::to_string).collect();
    assert_eq!((told.len(), read.frames.len()), (2, 48), "{told:?}");
    assert!(told[0].contains("asks for 64 MiB where the files open beside it hold 128 of 160"), "{told:?}");
}
