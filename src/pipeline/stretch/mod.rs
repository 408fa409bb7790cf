//! The road in stretches, each with all that lies before it: what `portbook bench` and the benches measure.

mod floor;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use smallvec::SmallVec;

use super::{Plan, settings_of, share_of};
use crate::capture::{self, Frame, Options, Progress, Source, SourceError};
use crate::decode::{self, Packet};
use crate::flow::{Data, Flow, FlowTable, Observer, Parties, Slot, Want};
use crate::identify::{Books, Identifier};
use crate::limit::BATCH;
use crate::report::{Format, Style};
use crate::signature::Signatures;
use crate::time::Timestamp;

/// How far the road is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// The documents that portbook carries are read; no capture is.
    Documents,
    /// The files are read and their records walked, nothing else: less work than anybody can do who looks at packets.
    Floor,
    /// Packets are understood.
    Decoded,
    /// They are gathered into flows. Nobody wants their payload, so that putting it in order counts as identification.
    InFlows,
    /// Flows are identified, without the details that only flow records print.
    Identified,
    /// Flows are judged and the text report is written, to nowhere: all that `portbook analyze` does.
    Judged,
}

/// What a stretch is gone with.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Files or folders.
    pub captures: &'a [PathBuf],
    /// Threads, for the whole road only.
    pub workers: usize,
    /// As in [`Plan::memory`].
    pub memory: usize,
}

impl Stretch {
    /// All, in their order.
    pub const ALL: [Self; 6] = [Self::Documents, Self::Floor, Self::Decoded, Self::InFlows, Self::Identified, Self::Judged];

    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Floor => "floor",
            Self::Decoded => "decoded",
            Self::InFlows => "in-flows",
            Self::Identified => "identified",
            Self::Judged => "judged",
        }
    }

    /// Goes that far with all packets of the captures; how many there were.
    ///
    /// # Errors
    /// No capture can be read, or the floor has no meaning for one. Damage further on ends its file, as it does for `portbook analyze`.
    pub fn run(self, load: &Load<'_>) -> Result<u64, SourceError> {
        match self {
            Self::Documents => {
                Signatures::built_in();
                Ok(0)
            }
            Self::Floor => floor::walk(load.captures),
            Self::Decoded => decoded(load),
            Self::InFlows => through_table(load, &mut Keeper::default(), &mut |keeper| keeper.ended.clear()),
            Self::Identified => {
                let books = Books::default();
                let mut identifier = Identifier::new(&books).with_details(false).within(share_of(load.memory, 1) / 4);
                through_table(load, &mut identifier, &mut |identifier| identifier.ended().clear())
            }
            Self::Judged => judged(load),
        }
    }
}

/// Lends all frames, a batch at a time. How many frames there were.
fn read(load: &Load<'_>, each: &mut dyn FnMut(&[Frame<'_>])) -> Result<u64, SourceError> {
    let mut source = capture::open(load.captures, Options { filter: None })?;
    let mut packets = 0;
    loop {
        let step = source.read(&mut |frames| {
            packets += frames.len() as u64;
            each(frames);
        });
        // A file that ends badly is noted in its own record, and the source goes on with the next one.
        if matches!(step, Ok(Progress::End)) {
            return Ok(packets);
        }
    }
}

fn decoded(load: &Load<'_>) -> Result<u64, SourceError> {
    let mut payload = 0;
    let packets = read(load, &mut |frames| {
        let mut packets: SmallVec<[Packet<'_>; BATCH]> = SmallVec::new();
        decode::decode_batch(frames, &mut packets);
        payload += packets.iter().map(|packet| u64::from(packet.payload_len)).sum::<u64>();
    });
    std::hint::black_box(payload);
    packets
}

/// `done` takes what ended, now and then, as the judge would.
fn through_table<O: Observer>(load: &Load<'_>, observer: &mut O, done: &mut dyn FnMut(&mut O)) -> Result<u64, SourceError> {
    let mut table = FlowTable::new(settings_of(share_of(load.memory, 1), &Default::default()));
    let (mut frames_of_round, mut latest, mut ends) = (0, Timestamp::from_nanos(i64::MIN), Vec::new());
    let packets = read(load, &mut |frames| {
        let mut packets: SmallVec<[Packet<'_>; BATCH]> = SmallVec::new();
        decode::decode_batch(frames, &mut packets);
        table.push(&packets, observer);
        latest = frames.iter().map(|frame| frame.time).fold(latest, Timestamp::max);
        frames_of_round += frames.len();
        if frames_of_round >= super::ROUND {
            frames_of_round = 0;
            ends.push(latest);
            done(observer);
        }
    })?;
    table.finish_in_parts(&ends, observer, done);
    Ok(packets)
}

fn judged(load: &Load<'_>) -> Result<u64, SourceError> {
    let stop = AtomicBool::new(false);
    let plan = Plan { workers: load.workers, memory: load.memory, ..Plan::of(load.captures, &stop) };
    let mut nowhere = io::sink();
    let mut writer = Format::named("text").map(|text| text.open(&mut nowhere, Style::default(), plan.signatures));
    let report = super::run(plan, &|_, _| {}, &mut |judged| {
        // Nowhere takes everything.
        let _ = writer.as_mut().map(|writer| writer.flow(judged));
    })?;
    let _ = writer.as_mut().map(|writer| writer.finish(&report));
    Ok(report.frames())
}

/// Wants no payload. It keeps what ended until the round is over, as whoever hands flows on does.
#[derive(Default)]
struct Keeper {
    ended: Vec<Box<Flow>>,
}

impl Observer for Keeper {
    fn opened(&mut self, _: Slot) {}

    fn data(&mut self, _: Slot, _: &Parties, _: Data<'_>) -> Want {
        Want::Nothing
    }

    fn closed(&mut self, _: Slot, flow: Flow) {
        self.ended.push(Box::new(flow));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::MEMORY;

    fn packets(stretch: Stretch, captures: &[PathBuf], workers: usize) -> Result<u64, SourceError> {
        stretch.run(&Load { captures, workers, memory: MEMORY })
    }

    #[test]
    fn every_stretch_meets_the_same_packets() {
        // As its README and Wireshark count them.
        let captures = [PathBuf::from("fixtures/captures/demo/capture.pcap")];
        for stretch in Stretch::ALL.into_iter().skip(1) {
            assert_eq!(packets(stretch, &captures, 1), Ok(189), "{}", stretch.name());
        }
        assert_eq!(packets(Stretch::Judged, &captures, 2), Ok(189));
    }

    #[test]
    fn a_capture_that_is_not_there_is_named() {
        for stretch in Stretch::ALL.into_iter().skip(1) {
            let error = packets(stretch, &[PathBuf::from("no/such.pcap")], 1).unwrap_err();
            assert_eq!(error.path, "no/such.pcap", "{}", stretch.name());
        }
    }
}
