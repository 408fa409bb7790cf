//! What a pcapng file says beside its packets, block by block as draft-ietf-opsawg-pcapng draws them: sections of both byte orders, interfaces that differ,
//! comments, names, drops, and blocks that are none of our business.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

#[path = "shared/place.rs"]
mod place;

use std::net::IpAddr;
use std::process::Command;

use portbook::capture::{self, Captures, Comment, Interface, LinkType, Options, Progress, Source};
use portbook::limit::{COMMENT_BYTES, COMMENTS_KEPT, METADATA_BYTES, NAME_BYTES, PACKET_BLOCK_BYTES, TEXT_OF_AN_INTERFACE};
use portbook::time::Timestamp;

/// A file being written, block after block, in the byte order of its latest section.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    big: bool,
}

impl File {
    /// Begins a section, whose header has these options.
    fn section(mut self, big: bool, options: &[(u16, &[u8])]) -> Self {
        self.big = big;
        let body = [self.word(0x1a2b_3c4d), self.half(1), self.half(0), vec![0xff; 8], self.options(options)].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    fn interface(self, link: u16, snap_len: u32, options: &[(u16, &[u8])]) -> Self {
        let body = [self.half(link), self.half(0), self.word(snap_len), self.options(options)].concat();
        self.block(1, &body)
    }

    /// An enhanced packet block with so many units of time.
    fn packet(self, interface: u32, units: u64, bytes: &[u8], options: &[(u16, &[u8])]) -> Self {
        let (high, low, len) = (self.word((units >> 32) as u32), self.word(units as u32), self.word(bytes.len() as u32));
        let body = [self.word(interface), high, low, len.clone(), len, padded(bytes), self.options(options)].concat();
        self.block(6, &body)
    }

    fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let total = self.word(12 + body.len().next_multiple_of(4) as u32);
        self.bytes.extend([self.word(kind), total.clone(), padded(body), total].concat());
        self
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        if options.is_empty() {
            return Vec::new();
        }
        let each = options.iter().map(|(code, value)| [self.half(*code), self.half(value.len() as u16), padded(value)].concat());
        [each.collect::<Vec<_>>().concat(), vec![0; 4]].concat()
    }

    fn half(&self, value: u16) -> Vec<u8> {
        if self.big { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    fn word(&self, value: u32) -> Vec<u8> {
        if self.big { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    fn long(&self, value: u64) -> Vec<u8> {
        if self.big { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
    }

    fn read(&self) -> Read {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture");
        std::fs::write(&path, &self.bytes).unwrap();
        let mut captures = capture::open(&[path], Options::default()).unwrap();
        let (mut frames, mut names) = (Vec::new(), Vec::new());
        loop {
            let step = captures.read(&mut |batch| {
                frames.extend(
                    batch.iter().map(|frame| (frame.id.number(), frame.interface, frame.link, frame.time.to_string(), frame.bytes.to_vec(), frame.wire_len)),
                );
            });
            names.extend(captures.take_names());
            if !matches!(step, Ok(Progress::More)) {
                return Read { frames, names, captures };
            }
        }
    }
}

/// Number, interface, link, time, bytes and length on the wire of each frame; names; what else was learned.
struct Read {
    frames: Vec<(u64, u32, LinkType, String, Vec<u8>, u32)>,
    names: Vec<(IpAddr, String)>,
    captures: Captures,
}

impl Read {
    fn comments(&self) -> Vec<(Option<u64>, &str)> {
        self.captures.files()[0].comments.iter().map(|Comment { frame, text }| (*frame, text.as_str())).collect()
    }

    fn interface(&self, place: usize) -> &Interface {
        &self.captures.interfaces()[place]
    }

    fn error(&self) -> String {
        self.captures.files()[0].error.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(4), 0);
    padded
}

#[test]
fn sections_of_both_byte_orders_count_their_interfaces_from_zero_and_frames_go_on_counting() {
    let file = File::default().section(false, &[]).interface(1, 0, &[(2, b"eth0")]).interface(101, 96, &[(2, b"tun0")]);
    let file = file.packet(1, 0, b"one", &[]).packet(0, 0, b"two", &[]);
    let read = file.section(true, &[]).interface(276, 0, &[]).packet(0, 0, b"three", &[]).read();
    let seen: Vec<_> = read.frames.iter().map(|(number, interface, link, _, bytes, _)| (*number, *interface, *link, bytes.as_slice())).collect();
    let (raw, ethernet, cooked) = (LinkType::RAW, LinkType::ETHERNET, LinkType::LINUX_SLL2);
    assert_eq!(seen, [(1, 1, raw, &b"one"[..]), (2, 0, ethernet, b"two"), (3, 2, cooked, b"three")]);
    assert_eq!((read.interface(0).snap_len, read.interface(1).snap_len, read.interface(1).name.as_deref()), (0, 96, Some("tun0")));
}

#[test]
fn an_interface_has_its_own_clock_and_says_what_was_captured_on_it() {
    let file = File::default().section(true, &[]);
    let offset = file.long(10);
    // Milliseconds, ten seconds added; the default microseconds; 2^-1 seconds.
    let file = file.interface(1, 65_535, &[(9, &[3]), (14, &offset), (11, b"\0tcp port 80")]).interface(1, 0, &[]).interface(
        1,
        0,
        &[(9, &[0x81]), (11, b"\x01\0\0\0\x06")],
    );
    let read = file.packet(0, 1_500, b"a", &[]).packet(1, 1_500_000, b"b", &[]).packet(2, 3, b"c", &[]).read();
    let times: Vec<&str> = read.frames.iter().map(|(_, _, _, time, ..)| time.as_str()).collect();
    assert_eq!(times, ["1970-01-01T00:00:11.500000000Z", "1970-01-01T00:00:01.500000000Z", "1970-01-01T00:00:01.500000000Z"]);
    // The third one's filter is a BPF program, which nobody reads.
    let filters: Vec<_> = (0..3).map(|place| read.interface(place).filter.as_deref()).collect();
    assert_eq!(filters, [Some("tcp port 80"), None, None]);
}

#[test]
fn comments_are_kept_with_the_frame_they_are_on() {
    let file = File::default().section(false, &[(1, b"office, behind the firewall"), (3, b"Linux")]).interface(1, 0, &[(1, b"SPAN of port 7")]);
    let file = file.packet(0, 0, b"odd", &[(2, &[0; 4]), (1, b"here it stops"), (1, "dann f\u{e4}llt es aus".as_bytes())]).packet(0, 0, b"", &[]);
    let read = file.packet(0, 0, b"even", &[(1, b"and here it goes on")]).block(5, &[&[0; 12][..], &[1, 0, 4, 0], b"stop", &[0; 4]].concat()).read();
    let frames = [(Some(1), "here it stops"), (Some(1), "dann f\u{e4}llt es aus"), (Some(3), "and here it goes on")];
    let expected = [&[(None, "office, behind the firewall"), (None, "SPAN of port 7")][..], &frames, &[(None, "stop")]].concat();
    assert_eq!(read.comments(), expected);
}

#[test]
fn comments_beyond_the_bound_are_counted_and_long_ones_cut() {
    let long = vec![b'x'; 4 * COMMENT_BYTES];
    let mut file = File::default().section(false, &[]).interface(1, 0, &[]).packet(0, 0, b"", &[(1, &long)]);
    for _ in 0..COMMENTS_KEPT + 9 {
        file = file.packet(0, 0, b"", &[(1, b"again")]);
    }
    let read = file.read();
    assert_eq!((read.comments().len(), read.captures.files()[0].passed_over), (COMMENTS_KEPT, 10));
    assert_eq!(read.comments()[0].1.len(), COMMENT_BYTES);
}

#[test]
fn the_obsolete_packet_block_and_the_simple_one_are_read() {
    let file = File::default().section(false, &[]).interface(1, 4, &[]).interface(101, 0, &[]);
    // Interface 1 with 16 bits, 7 drops with 16 bits, time, captured, wire; then a comment.
    let body = [&[1, 0, 7, 0, 0, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 60, 0, 0, 0][..], b"old\0", &[1, 0, 3, 0], b"hey\0", &[0; 4]].concat();
    // The simple block tells the length on the wire alone; the snap length of interface 0 says how much was captured.
    let read = file.block(2, &body).block(3, &[&[9, 0, 0, 0][..], b"abcd"].concat()).read();
    let seen: Vec<_> = read.frames.iter().map(|(_, interface, _, time, bytes, wire_len)| (*interface, time.as_str(), bytes.as_slice(), *wire_len)).collect();
    let time = "1970-01-01T00:00:00.000005000Z";
    assert_eq!(seen, [(1, time, &b"old"[..], 60), (0, time, b"abcd", 9)]);
    assert_eq!((read.comments(), read.interface(1).dropped, read.interface(0).dropped), (vec![(Some(1), "hey")], Some(7), None));
}

#[test]
fn drops_are_the_statistics_blocks_and_those_that_packets_tell_where_there_is_none() {
    let file = File::default().section(false, &[]).interface(1, 0, &[]).interface(1, 0, &[]).interface(1, 0, &[]);
    let (two, three, four) = (file.long(2), file.long(3), file.long(4));
    let statistics = |file: &File, options: &[(u16, &[u8])]| [&file.word(1)[..], &[0; 8], &file.options(options)].concat();
    let (first, last) = (statistics(&file, &[(4, &four), (5, &two)]), statistics(&file, &[(5, &three), (7, &four)]));
    let file = file.packet(0, 0, b"", &[(4, &two)]).packet(0, 0, b"", &[(4, &three)]).packet(1, 0, b"", &[(4, &two)]);
    let read = file.block(5, &first).block(5, &last).read();
    // Interface and system dropped 3 and 4 packets since the capture began; option 4 of statistics counts what was received.
    let dropped: Vec<_> = (0..3).map(|place| read.interface(place).dropped).collect();
    assert_eq!(dropped, [Some(5), Some(7), None]);
}

#[test]
fn drops_are_of_the_time_in_which_they_were_counted() {
    let file = File::default().section(false, &[]).interface(1, 0, &[]).interface(1, 0, &[]);
    let counts = |file: &File, seconds: u32, dropped: u64| {
        let dropped = file.long(dropped);
        [file.word(0), file.word(0), file.word(seconds * 1_000_000), file.options(&[(5, &dropped)])].concat()
    };
    let (two, three) = (file.long(2), file.long(3));
    // Every minute statistics of interface 0; interface 1 tells with its packets, twice in a minute.
    let (first, second, last) = (counts(&file, 60, 0), counts(&file, 120, 40), counts(&file, 180, 50));
    let file = file.packet(0, 5_000_000, b"", &[]).block(5, &first).packet(0, 70_000_000, b"", &[]).block(5, &second).block(5, &last);
    let file = file.packet(1, 200_000_000, b"", &[(4, &two)]).packet(1, 210_000_000, b"", &[(4, &three)]).packet(1, 300_000_000, b"", &[(4, &two)]);
    let mut read = file.read();
    let second = |time: Timestamp| time.nanos() / 1_000_000_000;
    let dropped: Vec<_> = read.captures.take_drops().into_iter().map(|dropped| (dropped.interface, dropped.times.map(second), dropped.packets)).collect();
    assert_eq!(dropped, [(0, [60, 120], 40), (0, [120, 180], 10), (1, [200, 210], 5), (1, [300, 300], 2)]);
    assert_eq!([0, 1].map(|place| read.interface(place).dropped), [Some(50), Some(7)]);
}

#[test]
fn names_are_taken_over_and_secrets_and_strangers_are_passed_over() {
    let (long, file) = (vec![b'n'; 2 * NAME_BYTES], File::default().section(true, &[]).interface(1, 0, &[]));
    let names = [(1, [&[192, 0, 2, 1][..], b"host.example\0alias.example\0"].concat()), (2, [&[0x20; 16][..], &long, &[0]].concat()), (77, b"later".to_vec())];
    let records = file.options(&names.each_ref().map(|(kind, value)| (*kind, value.as_slice())));
    let file = file.block(4, &records).block(10, b"TLSK\0\0\0\x08CLIENT_R").block(0x1234_5678, &[0; 40]).packet(0, 0, b"", &[]);
    // What is longer than anybody's table of names is not held.
    let read = file.block(4, &vec![0; METADATA_BYTES as usize]).packet(0, 0, b"end", &[]).read();
    let told: Vec<_> = read.names.iter().map(|(ip, name)| (ip.to_string(), name.len())).collect();
    assert_eq!(told, [("192.0.2.1".into(), 12), ("192.0.2.1".into(), 13), ("2020:2020:2020:2020:2020:2020:2020:2020".into(), NAME_BYTES)]);
    assert_eq!((read.frames.len(), read.captures.files()[0].passed_over, read.error()), (2, 2, String::new()));
}

#[test]
fn what_an_interface_says_of_itself_is_cut_to_a_bound() {
    let long = [b'x'; 2 * TEXT_OF_AN_INTERFACE];
    let read = File::default().section(false, &[]).interface(1, 0, &[(2, &long), (11, &[&[0][..], &long].concat())]).read();
    let Interface { name, filter, .. } = read.interface(0);
    assert_eq!((name.as_ref().unwrap().len(), filter.as_ref().unwrap().len()), (TEXT_OF_AN_INTERFACE, TEXT_OF_AN_INTERFACE));
}

#[test]
fn a_packet_block_longer_than_any_frame_is_damage() {
    let file = File::default().section(false, &[]).interface(1, 0, &[]).packet(0, 0, b"before", &[]);
    let read = file.block(6, &vec![0; PACKET_BLOCK_BYTES as usize]).read();
    assert_eq!(read.frames.len(), 1);
    assert!(read.error().contains("damaged: a packet block of 327692 bytes after frame 1"), "{}", read.error());
}

#[test]
fn interfaces_of_different_link_types_which_libpcap_refuses_are_read() {
    let file = File::default().section(false, &[]).interface(1, 0, &[]).interface(113, 96, &[]).packet(0, 0, &[2; 60], &[]).packet(1, 1, &[3; 60], &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.pcapng");
    std::fs::write(&path, &file.bytes).unwrap();
    let mut libpcap = pcap::Capture::from_file(&path);
    let refused = libpcap.as_mut().map_or(true, |capture| {
        let end = std::iter::repeat_with(|| ()).find_map(|()| capture.next_packet().err());
        end != Some(pcap::Error::NoMorePackets)
    });
    assert!(refused, "libpcap reads it by now: find another reason for a reader of our own");
    let read = file.read();
    let seen: Vec<_> = read.frames.iter().map(|(_, _, link, _, bytes, _)| (*link, bytes.len())).collect();
    assert_eq!((seen, read.error()), (vec![(LinkType::ETHERNET, 60), (LinkType::LINUX_SLL, 60)], String::new()));
}

#[test]
fn every_report_tells_comments_and_the_filter_that_the_capture_was_recorded_with() {
    let file = File::default().section(false, &[(1, b"office")]).interface(1, 0, &[(2, b"eth0"), (11, b"\0tcp port 80")]).packet(
        0,
        0,
        &[2; 60],
        &[(1, b"odd\x1b[2J")],
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noted.pcapng");
    std::fs::write(&path, &file.bytes).unwrap();
    let run = |format: &str| {
        let run = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "--color", "never", "--format", format]).arg(&path).output().unwrap();
        String::from_utf8(run.stdout).unwrap()
    };
    let text = run("text");
    assert!(text.contains("on the capture: office") && text.contains(r"frame 1: odd\u{1b}[2J"), "{text}");
    assert!(text.contains("recorded only: tcp port 80"), "{text}");
    let summary: serde_json::Value = serde_json::from_str(run("ndjson").lines().last().unwrap()).unwrap();
    let capture = &summary["captures"][0];
    assert_eq!(capture["comments"], serde_json::json!([{"frame": null, "text": "office"}, {"frame": 1, "text": "odd\u{1b}[2J"}]));
    let interface = serde_json::json!([{"name": "eth0", "link_type": 1, "snap_len": 0, "filter": "tcp port 80", "dropped": null}]);
    assert_eq!(capture["interfaces"], interface);
}

#[test]
fn a_capture_point_with_a_long_name_does_not_run_into_what_is_said_of_it() {
    let pcap = std::fs::read(place::fixture("ntp")).unwrap();
    let names: [&[u8]; 2] = [b"mirror-of-stage-1", b"mirror-of-stage-no-2"];
    let mut file = names.iter().fold(File::default().section(false, &[]), |file, name| file.interface(1, 0, &[(2, name)]));
    let (mut rest, mut units) = (&pcap[24..], 0_u64);
    while let [_, _, _, _, _, _, _, _, a, b, c, d, _, _, _, _, after @ ..] = rest {
        let (frame, behind) = after.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        // A question and its answer here, the next two there.
        file = file.packet((units / 2_000_000 % 2) as u32, units, frame, &[]);
        (rest, units) = (behind, units + 1_000_000);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("named.pcapng");
    std::fs::write(&path, &file.bytes).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["analyze", "--color", "never"]).arg(&path).output().unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    for name in names.map(|name| std::str::from_utf8(name).unwrap()) {
        let said = text.lines().find_map(|line| line.trim_start().strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(said.starts_with(' '), "{name}{said}");
    }
}
