//! A live flow of which nothing is heard: connections are kept open for hours, and a segment each minute keeps a firewall from forgetting them. Such a flow is packed
//! into a fourth of its room, and taken out again when something comes.

use crate::capture::FrameId;
use crate::flow::key::Key;
use crate::flow::live::{Ends, Live};
use crate::flow::packing::{Packer, Packing, Unpacker};
use crate::flow::table::Settings;
use crate::flow::{Ended, Flow};
use crate::time::Timestamp;

/// Where a live flow lies.
#[derive(Debug)]
pub(super) enum Place {
    /// As its packets find it.
    Awake(Box<Live>),
    /// Packed.
    Resting(Resting),
}

/// What became of a flow that was to be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is packed now.
    Packed,
    /// Something was heard of it since it was last to be packed.
    Heard,
    /// It was packed before.
    Before,
}

/// A packed flow. What is asked of it most lies at places of its own: [marks](Marks), the second in which it is to be looked at, the time of its first packet, its
/// key. Behind them are the number of the first packet, when the flow is over, and all else.
#[derive(Debug)]
pub(super) struct Resting(Box<[u8]>);

/// What a packed flow is, in a byte.
struct Marks {
    is_entered: bool,
    is_telling: bool,
    is_closed: bool,
    client_is_low: bool,
}

impl Place {
    /// The flow as packets find it; none while it is packed.
    pub fn awake(&self) -> Option<&Live> {
        if let Self::Awake(live) = self { Some(live) } else { None }
    }

    /// The same, to be changed.
    pub fn awake_mut(&mut self) -> Option<&mut Live> {
        if let Self::Awake(live) = self { Some(live) } else { None }
    }

    /// Takes the flow out, if it is packed; whether it was.
    pub fn wake(&mut self) -> bool {
        let Self::Resting(resting) = self else { return false };
        *self = Self::Awake(resting.live());
        true
    }

    /// Packs the flow, unless something was heard of it since this was last asked.
    pub fn rest(&mut self, settings: &Settings, buffer: &mut Vec<u8>) -> Rest {
        let Self::Awake(live) = self else { return Rest::Before };
        if std::mem::take(&mut live.is_heard) {
            return Rest::Heard;
        }
        *self = Self::Resting(Resting::of(live, settings, buffer));
        Rest::Packed
    }

    /// The flow, taken out.
    pub fn into_live(self) -> Box<Live> {
        match self {
            Self::Awake(live) => live,
            Self::Resting(resting) => resting.live(),
        }
    }

    /// Whether it is filed under that key.
    pub fn is_of(&self, key: &Key) -> bool {
        match self {
            Self::Awake(live) => live.key() == key,
            Self::Resting(resting) => resting.is_of(key),
        }
    }

    /// The key it is filed under.
    pub fn key(&self) -> Key {
        match self {
            Self::Awake(live) => *live.key(),
            Self::Resting(resting) => resting.key(),
        }
    }

    /// Time and number of the first packet, by which flows are put in order.
    pub fn order(&self) -> (Timestamp, FrameId) {
        match self {
            Self::Awake(live) => live.order(),
            Self::Resting(resting) => resting.order(),
        }
    }

    /// When the flow is over unless another packet comes.
    pub fn deadline(&self, settings: &Settings) -> Timestamp {
        match self {
            Self::Awake(live) => live.deadline(settings),
            Self::Resting(resting) => resting.deadline(),
        }
    }

    /// Whether its connection has closed.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Awake(live) => live.is_closed(),
            Self::Resting(resting) => resting.marks().is_closed,
        }
    }

    /// Whether something may have gone wrong with it already.
    pub fn is_telling(&self) -> bool {
        match self {
            Self::Awake(live) => live.is_telling(),
            Self::Resting(resting) => resting.marks().is_telling,
        }
    }

    /// Whether it waits in the agenda for that second.
    pub fn is_entered_for(&self, second: i64) -> bool {
        match self {
            Self::Awake(live) => live.is_entered_for(second),
            Self::Resting(resting) => resting.marks().is_entered && resting.second() == second as u32,
        }
    }

    /// Notes that it waits in the agenda for that second.
    pub fn enter(&mut self, second: i64) {
        match self {
            Self::Awake(live) => live.enter(second),
            Self::Resting(resting) => resting.enter(second),
        }
    }

    /// A copy of the flow as it stands, as if it had ended so.
    pub fn as_it_stands(&self, ended: Ended) -> Flow {
        match self {
            Self::Awake(live) => live.as_it_stands(ended),
            Self::Resting(resting) => resting.live().into_flow(ended),
        }
    }
}

impl Resting {
    fn of(live: &mut Live, settings: &Settings, buffer: &mut Vec<u8>) -> Self {
        buffer.clear();
        let ((is_entered, second), (first, mut first_frame)) = (live.entered(), live.order());
        let marks = Marks { is_entered, is_telling: live.is_telling(), is_closed: live.is_closed(), client_is_low: live.ends.client_is_low };
        buffer.push(marks.byte());
        buffer.extend_from_slice(&second.to_le_bytes());
        buffer.extend_from_slice(&first.nanos().to_le_bytes());
        live.key().put(buffer);
        let mut packer = Packer::into(buffer).after(first);
        packer.frame(&mut first_frame);
        let mut over = live.deadline(settings).nanos();
        packer.near(&mut over, first.nanos());
        live.pack(&mut packer);
        let packed = Self(buffer.as_slice().into());
        #[cfg(debug_assertions)]
        {
            let mut again = packed.live();
            again.is_heard = false;
            assert!(*again == *live, "{again:?}\n{live:?}");
        }
        packed
    }

    fn live(&self) -> Box<Live> {
        let (marks, mut rest) = (self.marks(), self.rest());
        let mut first_frame = FrameId::default();
        rest.frame(&mut first_frame);
        rest.near(&mut 0, 0);
        let mut live = Box::new(Live::blank(Ends { key: self.key(), client_is_low: marks.client_is_low }, self.first(), first_frame));
        if marks.is_entered {
            live.enter(i64::from(self.second()));
        }
        live.pack(&mut rest);
        live
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn marks(&self) -> Marks {
        Marks::of(self.0.first().copied().unwrap_or(0))
    }

    fn second(&self) -> u32 {
        self.0.get(SECOND..FIRST).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    fn first(&self) -> Timestamp {
        self.0.get(FIRST..KEY).and_then(|bytes| bytes.try_into().ok()).map_or(Timestamp::EPOCH, |bytes| Timestamp::from_nanos(i64::from_le_bytes(bytes)))
    }

    fn key(&self) -> Key {
        self.0.get(KEY..).map_or(Ends::BLANK.key, Key::get)
    }

    fn is_of(&self, key: &Key) -> bool {
        self.0.get(KEY..).is_some_and(|bytes| key.is_at(bytes))
    }

    /// What lies behind the key.
    fn rest(&self) -> Unpacker<'_> {
        Unpacker::of(self.0.get(KEY..).and_then(|bytes| bytes.get(Key::len_at(bytes)..)).unwrap_or_default()).after(self.first())
    }

    fn order(&self) -> (Timestamp, FrameId) {
        let mut frame = FrameId::default();
        self.rest().frame(&mut frame);
        (self.first(), frame)
    }

    fn deadline(&self) -> Timestamp {
        let (mut over, mut rest) = (0, self.rest());
        rest.frame(&mut FrameId::default());
        rest.near(&mut over, self.first().nanos());
        Timestamp::from_nanos(over)
    }

    fn enter(&mut self, second: i64) {
        let marks = Marks { is_entered: true, ..self.marks() };
        if let Some([first, place @ ..]) = self.0.get_mut(..FIRST) {
            *first = marks.byte();
            place.copy_from_slice(&(second as u32).to_le_bytes());
        }
    }
}

impl Marks {
    fn byte(&self) -> u8 {
        let Self { is_entered, is_telling, is_closed, client_is_low } = *self;
        [is_entered, is_telling, is_closed, client_is_low].into_iter().rev().fold(0, |all, mark| all << 1 | u8::from(mark))
    }

    fn of(byte: u8) -> Self {
        let [is_entered, is_telling, is_closed, client_is_low] = [1, 2, 4, 8].map(|bit| byte & bit > 0);
        Self { is_entered, is_telling, is_closed, client_is_low }
    }
}

/// Where the second lies in which the flow is to be looked at.
const SECOND: usize = 1;
/// Where the time of its first packet lies.
const FIRST: usize = SECOND + size_of::<u32>();
/// Where its key lies.
const KEY: usize = FIRST + size_of::<i64>();
