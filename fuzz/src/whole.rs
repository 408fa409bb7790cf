//! A capture from file to report, and its numbers held against each other.

use std::sync::atomic::AtomicBool;

use portbook::flow::Counts;
use portbook::judge::Telling;
use portbook::pipeline::{self, Plan};
use portbook::report::{FORMATS, Style};
use portbook::signature::Signatures;

/// Where captures are laid down to be read.
pub struct Desk {
    folder: tempfile::TempDir,
    /// Captures that could be read, frames and flows in them.
    pub read: u64,
    pub frames: u64,
    pub flows: u64,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), read: 0, frames: 0, flows: 0 }
    }

    /// Reads a capture, prints it, and holds its numbers against each other; the frames it held.
    pub fn read(&mut self, bytes: &[u8], workers: usize) -> u64 {
        let path = self.folder.path().join("capture");
        super::lay_down(&path, bytes);
        let signatures = Signatures::built_in();
        let (captures, stop) = ([path], AtomicBool::new(false));
        let plan = Plan { workers, telling: Telling::Everything, ..Plan::of(&captures, &stop) };
        // One format after the other: printing all of them takes longer than reading.
        let format = FORMATS[self.read as usize % FORMATS.len()];
        let mut out = Vec::new();
        let mut writer = format.open(&mut out, Style { verbose: true, ..Style::default() }, signatures);
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
        let counts = &report.losses.flows;
        assert_adds_up(counts, report.files.iter().map(|file| file.frames).sum(), in_flows);
        assert_eq!(counts.opened, report.digest.flows, "every flow that was opened was judged");
        self.read += 1;
        self.frames += counts.packets;
        self.flows += report.digest.flows;
        counts.packets
    }
}

/// Packets in flows, packets in none, and copies are all the frames there were.
pub fn assert_adds_up(counts: &Counts, frames: u64, in_flows: u64) {
    assert_eq!(counts.packets, frames, "every frame is a packet");
    assert_eq!(counts.in_flows, in_flows, "flows hold the packets that were counted into them");
    let elsewhere = counts.arp + counts.without_ip.total() + counts.without_ends.total() + counts.not_understood + counts.fragments.without_ports;
    assert_eq!(counts.in_flows - counts.tunnelled + elsewhere + counts.duplicates.total(), frames, "{counts:?}");
}
