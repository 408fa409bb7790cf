//! A live flow of which nothing is heard: connections are kept open for hours, and a segment each minute keeps a firewall from forgetting them. Such a flow is packed
//! into a fourth of its room, and taken out again when something comes.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::capture::FrameId;
use crate::flow::key::Key;
use crate::flow::live::{Ends, Live};
use crate::flow::packing::{Packer, Packing, Unpacker};
use crate::flow::slab::Slab;
use crate::flow::stacks::{Spot, Stacks};
use crate::flow::table::Settings;
use crate::flow::{Ended, Flow};
use crate::limit::LINKS_SHARED;
use crate::net::Mac;
use crate::time::Timestamp;

/// The live flows of a table: each lies open, as its packets find it, or packed.
#[derive(Debug, Default)]
pub(super) struct Flows {
    places: Slab<Place>,
    /// Those that are packed, by their slots.
    packed: Stacks,
    /// Where a flow is packed.
    buffer: Vec<u8>,
    links: Links,
}

/// MAC addresses that flows went between, in the order in which they were met: one tap sees few pairs of them, and many flows of each.
#[derive(Debug, Default)]
struct Links {
    known: Vec<(Mac, Mac)>,
    numbers: HashMap<(Mac, Mac), u32, RandomState>,
}

/// Where a live flow lies: in sixteen bytes, as each has one.
#[derive(Debug)]
enum Place {
    Awake(Box<Live>),
    Resting(Resting),
}

/// What became of a flow that was to be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is packed now.
    Packed,
    /// Something was heard of it since it was last to be packed.
    Heard,
}

/// A packed flow: what is asked of it most, and where its record lies. There what is asked next has places of its own, the time of its first packet and its key. Behind
/// them are the number of the first packet, when the flow is over, and all else.
#[derive(Clone, Copy, Debug)]
struct Resting {
    spot: Spot,
    /// The second in which it is to be looked at, its low half.
    second: u32,
    marks: Marks,
}

/// What a packed flow is.
#[derive(Clone, Copy, Debug)]
struct Marks {
    is_entered: bool,
    is_telling: bool,
    is_closed: bool,
    client_is_low: bool,
}

/// A live flow that is asked something, wherever it lies.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    /// As its packets find it.
    Awake(&'a Live),
    /// Packed.
    Resting(Packed<'a>),
}

/// A packed flow with its record.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    resting: Resting,
    bytes: &'a [u8],
}

impl Flows {
    /// Puts a flow in, which lies open; its slot.
    pub fn insert(&mut self, live: Box<Live>) -> u32 {
        self.places.insert(Place::Awake(live))
    }

    /// How many flows there are.
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// The flow in a slot.
    pub fn get(&self, slot: u32) -> Option<Seen<'_>> {
        self.places.get(slot).map(|place| place.seen(&self.packed))
    }

    /// The flow as packets find it; none while it is packed.
    #[inline]
    pub fn awake(&self, slot: u32) -> Option<&Live> {
        if let Place::Awake(live) = self.places.get(slot)? { Some(live) } else { None }
    }

    /// The same, to be changed.
    #[inline]
    pub fn awake_mut(&mut self, slot: u32) -> Option<&mut Live> {
        if let Place::Awake(live) = self.places.get_mut(slot)? { Some(live) } else { None }
    }

    /// Takes the flow out, if it is packed; whether it was. None where there is no such flow.
    #[inline]
    pub fn wake(&mut self, slot: u32) -> Option<bool> {
        let resting = match self.places.get(slot)? {
            Place::Awake(_) => return Some(false),
            Place::Resting(resting) => *resting,
        };
        let live = self.taken_out(resting);
        *self.places.get_mut(slot)? = Place::Awake(live);
        Some(true)
    }

    /// Packs the flow, unless something was heard of it since this was last asked; none where there is no such flow, or it is packed.
    pub fn rest(&mut self, slot: u32, settings: &Settings) -> Option<Rest> {
        let Self { places, packed, buffer, links } = self;
        let place = places.get_mut(slot)?;
        let Place::Awake(live) = place else { return None };
        if std::mem::take(&mut live.is_heard) {
            return Some(Rest::Heard);
        }
        let marks = Marks::of(live);
        pack(live, settings, links, buffer);
        let resting = Resting { spot: packed.insert(slot, buffer), second: live.entered().1, marks };
        #[cfg(debug_assertions)]
        {
            let mut again = Packed { resting, bytes: packed.get(resting.spot) }.live(links);
            again.is_heard = false;
            assert!(*again == **live, "{again:?}\n{live:?}");
        }
        *place = Place::Resting(resting);
        Some(Rest::Packed)
    }

    /// Takes a flow out and gives its slot back.
    pub fn remove(&mut self, slot: u32) -> Option<Box<Live>> {
        Some(match self.places.remove(slot)? {
            Place::Awake(live) => live,
            Place::Resting(resting) => self.taken_out(resting),
        })
    }

    /// Notes that a flow waits in the agenda for that second.
    pub fn enter(&mut self, slot: u32, second: i64) {
        match self.places.get_mut(slot) {
            Some(Place::Awake(live)) => live.enter(second),
            Some(Place::Resting(resting)) => {
                resting.second = second as u32;
                resting.marks.is_entered = true;
            }
            None => {}
        }
    }

    /// A copy of a flow as it stands, as if it had ended so.
    pub fn as_it_stands(&self, slot: u32, ended: Ended) -> Option<Flow> {
        Some(match self.get(slot)? {
            Seen::Awake(live) => live.as_it_stands(ended),
            Seen::Resting(packed) => packed.live(&self.links).into_flow(ended),
        })
    }

    /// All flows with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Seen<'_>)> {
        self.places.iter().map(|(slot, place)| (slot, place.seen(&self.packed)))
    }

    /// Bytes of the blocks that packed flows lie in.
    #[cfg(test)]
    pub fn packed_bytes(&self) -> usize {
        self.iter().map(|(_, flow)| if let Seen::Resting(packed) = flow { packed.bytes.len() } else { 0 }).sum()
    }

    fn taken_out(&mut self, resting: Resting) -> Box<Live> {
        let live = Packed { resting, bytes: self.packed.get(resting.spot) }.live(&self.links);
        if let Some(moved) = self.packed.remove(resting.spot)
            && let Some(Place::Resting(moved)) = self.places.get_mut(moved)
        {
            moved.spot = resting.spot;
        }
        live
    }
}

impl Place {
    #[inline]
    fn seen<'a>(&'a self, packed: &'a Stacks) -> Seen<'a> {
        match self {
            Self::Awake(live) => Seen::Awake(live),
            Self::Resting(resting) => Seen::Resting(Packed { resting: *resting, bytes: packed.get(resting.spot) }),
        }
    }
}

impl Seen<'_> {
    /// Whether it is filed under that key.
    pub fn is_of(&self, key: &Key) -> bool {
        match self {
            Self::Awake(live) => live.key() == key,
            Self::Resting(packed) => packed.is_of(key),
        }
    }

    /// The key it is filed under.
    pub fn key(&self) -> Key {
        match self {
            Self::Awake(live) => *live.key(),
            Self::Resting(packed) => packed.key(),
        }
    }

    /// Time and number of the first packet, by which flows are put in order.
    pub fn order(&self) -> (Timestamp, FrameId) {
        match self {
            Self::Awake(live) => live.order(),
            Self::Resting(packed) => packed.order(),
        }
    }

    /// When the flow is over unless another packet comes.
    pub fn deadline(&self, settings: &Settings) -> Timestamp {
        match self {
            Self::Awake(live) => live.deadline(settings),
            Self::Resting(packed) => packed.deadline(),
        }
    }

    /// Whether its connection has closed.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Awake(live) => live.is_closed(),
            Self::Resting(packed) => packed.resting.marks.is_closed,
        }
    }

    /// Whether something may have gone wrong with it already.
    pub fn is_telling(&self) -> bool {
        match self {
            Self::Awake(live) => live.is_telling(),
            Self::Resting(packed) => packed.resting.marks.is_telling,
        }
    }

    /// Whether it waits in the agenda for that second.
    pub fn is_entered_for(&self, second: i64) -> bool {
        match self {
            Self::Awake(live) => live.is_entered_for(second),
            Self::Resting(packed) => packed.resting.marks.is_entered && packed.resting.second == second as u32,
        }
    }
}

/// Packs a flow into a buffer.
fn pack(live: &mut Live, settings: &Settings, links: &mut Links, buffer: &mut Vec<u8>) {
    buffer.clear();
    let (first, mut first_frame) = live.order();
    buffer.extend_from_slice(&first.nanos().to_le_bytes());
    live.key().put(buffer);
    let mut packer = Packer::into(buffer).after(first);
    packer.frame(&mut first_frame);
    packer.time(&mut live.deadline(settings));
    // One more than its number.
    let mut link = live.link().map_or(0, |link| links.number(link));
    packer.count(&mut link);
    live.pack(link > 0, &mut packer);
}

impl Packed<'_> {
    fn live(&self, links: &Links) -> Box<Live> {
        let (marks, mut rest) = (self.resting.marks, self.rest());
        let mut first_frame = FrameId::default();
        rest.frame(&mut first_frame);
        rest.time(&mut Timestamp::default());
        let mut link = 0;
        rest.count(&mut link);
        let mut live = Box::new(Live::blank(Ends { key: self.key(), client_is_low: marks.client_is_low }, self.first(), first_frame));
        if marks.is_entered {
            live.enter(i64::from(self.resting.second));
        }
        if let Some(link) = links.link(link) {
            *live.link() = Some(link);
        }
        live.pack(link > 0, &mut rest);
        live
    }

    fn first(&self) -> Timestamp {
        self.bytes.first_chunk().map_or(Timestamp::EPOCH, |bytes| Timestamp::from_nanos(i64::from_le_bytes(*bytes)))
    }

    fn key(&self) -> Key {
        self.bytes.get(KEY..).map_or(Ends::BLANK.key, Key::get)
    }

    fn is_of(&self, key: &Key) -> bool {
        self.bytes.get(KEY..).is_some_and(|bytes| key.is_at(bytes))
    }

    /// What lies behind the key.
    fn rest(&self) -> Unpacker<'_> {
        Unpacker::of(self.bytes.get(KEY..).and_then(|bytes| bytes.get(Key::len_at(bytes)..)).unwrap_or_default()).after(self.first())
    }

    fn order(&self) -> (Timestamp, FrameId) {
        let mut frame = FrameId::default();
        self.rest().frame(&mut frame);
        (self.first(), frame)
    }

    fn deadline(&self) -> Timestamp {
        let (mut over, mut rest) = (Timestamp::default(), self.rest());
        rest.frame(&mut FrameId::default());
        rest.time(&mut over);
        over
    }
}

impl Links {
    /// One more than the number of that link; zero where there is no room for it.
    fn number(&mut self, link: (Mac, Mac)) -> u32 {
        if let Some(number) = self.numbers.get(&link) {
            return *number;
        }
        if self.known.len() >= LINKS_SHARED {
            return 0;
        }
        self.known.push(link);
        let number = self.known.len() as u32;
        self.numbers.insert(link, number);
        number
    }

    fn link(&self, number: u32) -> Option<(Mac, Mac)> {
        self.known.get((number as usize).checked_sub(1)?).copied()
    }
}

impl Marks {
    fn of(live: &Live) -> Self {
        Self { is_entered: live.entered().0, is_telling: live.is_telling(), is_closed: live.is_closed(), client_is_low: live.ends.client_is_low }
    }
}

/// Where the key lies of a packed flow, behind the time of its first packet.
const KEY: usize = size_of::<i64>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_live_flow_takes_sixteen_bytes() {
        assert_eq!(size_of::<Option<Place>>(), 16);
    }
}
