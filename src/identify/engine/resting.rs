//! Idle flows: what is known of a flow is packed while nothing is heard of it. What many flows showed alike is kept once.

use std::mem;

use super::kinds::Kinds;
use super::{Live, Stage};
use crate::capture::FrameId;
use crate::flow::{Packer, Packing, Spot, Stacks, Unpacker, present};
use crate::identify::Spoken;
use crate::identify::packing::Words;
use crate::identify::protocol::{Reader, Waiting};
use crate::net::Side;

/// What is known of the flows of a table, by their slots.
#[derive(Default)]
pub(super) struct Known {
    places: Vec<Place>,
    shelf: Shelf,
}

/// Where what is known of a flow lies: in sixteen bytes, as each has one.
#[derive(Default)]
enum Place {
    /// Nowhere: it sent no payload.
    #[default]
    Vacant,
    /// As its pieces find it.
    Awake(Box<Live>),
    /// What it showed is packed, behind the frame of its first match; how far its reading has come has no packed form.
    Half(Box<Live<Box<[u8]>>>),
    /// Packed.
    Short([u8; SHORT]),
    /// The same, where it is longer: in the shelf's records.
    Long(Spot),
}

/// What packed flows have in common, and records of those that are not short.
#[derive(Default)]
struct Shelf {
    /// Words of the program's own, by their numbers.
    words: Vec<&'static str>,
    /// What makes readers anew, by their numbers.
    readers: Vec<fn(u64) -> Box<dyn Reader>>,
    kinds: Kinds,
    records: Stacks,
    /// Where what a flow showed is packed.
    shown: Vec<u8>,
    /// Where its record is put together.
    record: Vec<u8>,
}

/// What a packed flow showed: of a kind that many have, or behind the rest of its record. All but the frame of the first match, so that flows that are alike have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Shown {
    kind: Option<u32>,
    frame: FrameId,
}

/// How far the reading of a packed flow has come.
#[derive(Clone, Copy, Debug, Default)]
struct Rested {
    is_done: bool,
    /// The number of what makes its reader anew, and what that knew.
    waits: Option<(u8, u64)>,
}

impl Known {
    /// Nothing is known of the flow that has this slot from now on.
    pub fn open(&mut self, slot: u32) {
        let index = slot as usize;
        match self.places.get(index) {
            Some(Place::Vacant) => {}
            Some(_) => drop(self.take(slot)),
            None => self.places.resize_with(index + 1, Place::default),
        }
    }

    /// The flow as its pieces find it, taken out if it was packed; none where no such slot was opened.
    #[inline(always)]
    pub fn awake(&mut self, slot: u32) -> Option<&mut Live> {
        if !matches!(self.places.get(slot as usize)?, Place::Awake(_)) {
            self.wake(slot);
        }
        if let Place::Awake(live) = self.places.get_mut(slot as usize)? { Some(live) } else { None }
    }

    /// Begins a flow, or takes it out where it was packed. Most pieces find it awake.
    #[inline(never)]
    fn wake(&mut self, slot: u32) {
        let live = self.take(slot).unwrap_or_else(Live::blank);
        if let Some(place) = self.places.get_mut(slot as usize) {
            *place = Place::Awake(live);
        }
    }

    /// Takes a flow out, of which nothing is known from then on.
    #[inline]
    pub fn take(&mut self, slot: u32) -> Option<Box<Live>> {
        match mem::take(self.places.get_mut(slot as usize)?) {
            Place::Vacant => None,
            Place::Awake(live) => Some(live),
            packed => Some(self.unpack(packed)),
        }
    }

    /// What was packed, whose place is another's now.
    #[inline(never)]
    fn unpack(&mut self, packed: Place) -> Box<Live> {
        let (live, kind) = match packed {
            Place::Vacant => (Live::blank(), None),
            Place::Awake(live) => (live, None),
            Place::Half(mut half) => {
                let mut live = self.shelf.unpack_behind(&half);
                live.stage = mem::take(&mut half.stage);
                (live, None)
            }
            Place::Short(record) => self.shelf.unpack(&record),
            Place::Long(spot) => {
                let unpacked = self.shelf.unpack(self.shelf.records.get(spot));
                if let Some(place) = self.shelf.records.remove(spot).and_then(|moved| self.places.get_mut(moved as usize)) {
                    *place = Place::Long(spot);
                }
                unpacked
            }
        };
        kind.into_iter().for_each(|kind| self.shelf.kinds.release(kind));
        live
    }

    /// Packs what is known of a flow, if that can be.
    pub fn rest(&mut self, slot: u32) {
        let Self { places, shelf } = self;
        let Some(place) = places.get_mut(slot as usize) else { return };
        let Place::Awake(live) = place else { return };
        if live.spoken.can_be_packed() {
            *place = match shelf.rested(&live.stage) {
                Some(rested) => shelf.pack(slot, live, rested),
                None => shelf.pack_half(live),
            };
        }
    }

    /// A copy of the flow, and how far its reading has come where that is not in the copy; none where nothing is known of it.
    pub fn copied(&self, slot: u32) -> Option<(Box<Live>, Option<&Stage>)> {
        match self.places.get(slot as usize)? {
            Place::Vacant => None,
            Place::Awake(live) => Some((live.clone(), Some(&live.stage))),
            Place::Half(half) => Some((self.shelf.unpack_behind(half), Some(&half.stage))),
            Place::Short(record) => Some((self.shelf.unpack(record).0, None)),
            Place::Long(spot) => Some((self.shelf.unpack(self.shelf.records.get(*spot)).0, None)),
        }
    }

    /// Reads from a flow's own place.
    pub fn touch_place(&self, slot: u32) -> usize {
        usize::from(matches!(self.places.get(slot as usize), Some(Place::Awake(_))))
    }

    /// Reads from every line of memory of a flow's own block, and from the first of its record.
    pub fn touch(&self, slot: u32) -> usize {
        match self.places.get(slot as usize) {
            Some(Place::Awake(live)) => live.touch_lines(),
            Some(Place::Half(half)) => half.touch(),
            Some(Place::Long(spot)) => self.shelf.records.get(*spot).first().copied().map_or(0, usize::from),
            Some(Place::Vacant | Place::Short(_)) | None => 0,
        }
    }

    /// Reads from what it showed where that lies behind its block: how many facts there are, or every line of memory of its record.
    pub fn touch_behind(&self, slot: u32) -> usize {
        let each_line = |bytes: &[u8]| bytes.iter().step_by(LINE).map(|byte| usize::from(*byte)).sum();
        match self.places.get(slot as usize) {
            Some(Place::Awake(live)) => live.spoken.facts.len(),
            Some(Place::Half(half)) => each_line(&half.spoken),
            Some(Place::Long(spot)) => each_line(self.shelf.records.get(*spot)),
            Some(Place::Vacant | Place::Short(_)) | None => 0,
        }
    }

    /// How many kinds of what flows showed are kept for more than one.
    #[cfg(test)]
    pub fn kinds(&self) -> usize {
        self.shelf.kinds.len()
    }
}

impl<S> Live<S> {
    /// The same with what it showed in another form, and without its stage.
    pub(super) fn with<T>(&self, spoken: T) -> Live<T> {
        let Self { stage: _, spoken: _, base, read_to, client, pieces, midstream, held } = *self;
        Live { stage: Stage::Fresh, spoken, base, read_to, client, pieces, midstream, held }
    }

    fn touch(&self) -> usize {
        usize::from(self.pieces) + self.held as usize
    }
}

impl Live {
    fn touch_lines(&self) -> usize {
        let Spoken { protocol, evidence, matches, facts: _, details: _, retries, torn, stopped_early: _, opening: [client, server] } = &self.spoken;
        self.touch() + protocol.len() + *evidence as usize + matches.len() + *retries as usize + *torn as usize + client.len() + server.len()
    }
}

impl Live<Shown> {
    /// Packs it, or takes it out.
    fn pack(&mut self, Rested { is_done, waits }: &mut Rested, packing: &mut impl Packing) {
        let Self { stage: _, spoken: Shown { kind, frame }, base, read_to, client, pieces, midstream, held } = self;
        let (mut has_client, mut is_server, mut is_handed_over) = (client.is_some(), *client == Some(Side::Server), *base != [0, 0]);
        let (mut is_of_kind, mut holds, mut is_waiting) = (kind.is_some(), *held > 0, waits.is_some());
        packing.flags([midstream, &mut has_client, &mut is_server, &mut is_handed_over, &mut is_of_kind, &mut holds, is_done, &mut is_waiting]);
        *client = has_client.then_some(if is_server { Side::Server } else { Side::Client });
        packing.byte(pieces);
        read_to.iter_mut().for_each(|read| packing.number(read));
        if is_handed_over {
            base.iter_mut().for_each(|base| packing.count(base));
        }
        if holds {
            packing.count(held);
        }
        if let Some((reader, known)) = present(is_waiting, waits, Default::default) {
            packing.byte(reader);
            packing.number(known);
        }
        packing.frame(frame);
        present(is_of_kind, kind, || 0).into_iter().for_each(|kind| packing.count(kind));
    }
}

impl Shelf {
    /// How far its reading has come; none of what has no packed form.
    fn rested(&mut self, stage: &Stage) -> Option<Rested> {
        let Waiting { again, known } = match stage {
            Stage::Fresh => return Some(Rested::default()),
            Stage::Done => return Some(Rested { is_done: true, waits: None }),
            Stage::Unknown(_) => return None,
            Stage::Read(reader) => reader.waiting()?,
        };
        let reader = self.readers.iter().position(|reader| std::ptr::fn_addr_eq(*reader, again)).unwrap_or_else(|| {
            self.readers.push(again);
            self.readers.len().saturating_sub(1)
        });
        Some(Rested { is_done: false, waits: Some((u8::try_from(reader).ok()?, known)) })
    }

    fn stage(&self, rested: Rested) -> Stage {
        match rested {
            Rested { is_done: true, .. } => Stage::Done,
            Rested { waits: Some((reader, known)), .. } => self.readers.get(usize::from(reader)).map_or(Stage::Done, |again| Stage::Read(again(known))),
            Rested { waits: None, .. } => Stage::Fresh,
        }
    }

    fn pack(&mut self, slot: u32, live: &mut Live, mut rested: Rested) -> Place {
        self.shown.clear();
        let frame = frame_of(&live.spoken);
        live.spoken.pack(frame, &mut Packer::into(&mut self.shown), &mut Words::Numbered(&mut self.words));
        let kind = self.kinds.of(&self.shown);
        self.record.clear();
        live.with(Shown { kind, frame }).pack(&mut rested, &mut Packer::into(&mut self.record));
        if kind.is_none() {
            self.record.extend_from_slice(&self.shown);
        }
        #[cfg(debug_assertions)]
        {
            let (again, same) = self.unpack(&self.record);
            let all = |live: &Live| (live.base, live.read_to, live.client, live.pieces, live.midstream, live.held);
            assert!(again.spoken == live.spoken && all(&again) == all(live) && same == kind, "{:?}\n{:?}", again.spoken, live.spoken);
        }
        let mut short = [0; SHORT];
        match short.get_mut(..self.record.len()) {
            Some(to) => {
                to.copy_from_slice(&self.record);
                Place::Short(short)
            }
            None => Place::Long(self.records.insert(slot, &self.record)),
        }
    }

    fn pack_half(&mut self, live: &mut Live) -> Place {
        self.record.clear();
        let mut frame = frame_of(&live.spoken);
        Packer::into(&mut self.record).frame(&mut frame);
        live.spoken.pack(frame, &mut Packer::into(&mut self.record), &mut Words::Numbered(&mut self.words));
        #[cfg(debug_assertions)]
        {
            let again = self.unpack_behind(&live.with(self.record.as_slice().into())).spoken;
            assert!(again == live.spoken, "{again:?}\n{:?}", live.spoken);
        }
        let mut half = live.with(self.record.as_slice().into());
        half.stage = mem::take(&mut live.stage);
        Place::Half(Box::new(half))
    }

    /// The flow of a record, and of which kind that is.
    fn unpack(&self, record: &[u8]) -> (Box<Live>, Option<u32>) {
        let (mut packed, mut rested, mut unpacker) = (Live::<Shown>::default(), Rested::default(), Unpacker::of(record));
        packed.pack(&mut rested, &mut unpacker);
        let Shown { kind, frame } = packed.spoken;
        let mut shown = kind.map_or(unpacker.anew(), |kind| Unpacker::of(self.kinds.bytes(kind)));
        let mut live = self.unpack_shown(&packed, frame, &mut shown);
        live.stage = self.stage(rested);
        (live, kind)
    }

    /// The flow without its stage: what it showed was packed behind the frame of its first match.
    fn unpack_behind(&self, half: &Live<Box<[u8]>>) -> Box<Live> {
        let (mut frame, mut unpacker) = (FrameId::default(), Unpacker::of(&half.spoken));
        unpacker.frame(&mut frame);
        self.unpack_shown(half, frame, &mut unpacker.anew())
    }

    /// The same flow with what it showed taken out.
    fn unpack_shown<S>(&self, packed: &Live<S>, frame: FrameId, unpacker: &mut Unpacker<'_>) -> Box<Live> {
        let mut live = Box::new(packed.with(Spoken::default()));
        live.spoken.pack(frame, unpacker, &mut Words::Known(&self.words));
        live
    }
}

/// The frame of the first match, if there is one.
fn frame_of(spoken: &Spoken) -> FrameId {
    spoken.matches.first().map_or_else(FrameId::default, |first| first.frame)
}

/// Bytes of a record that needs no other place than its flow's: as many as there are beside the mark that says so.
const SHORT: usize = 15;
/// Bytes of a line of memory.
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_flow_has_a_place_of_sixteen_bytes() {
        assert_eq!(size_of::<Place>(), 16);
    }
}
