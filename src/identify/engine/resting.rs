//! A flow of which nothing is heard for a while: what it showed is packed, and what many flows showed alike is kept once.

use std::hash::BuildHasher;
use std::mem;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::{Live, Stage};
use crate::capture::FrameId;
use crate::flow::{Packer, Unpacker};
use crate::identify::Spoken;
use crate::identify::packing::Words;
use crate::limit::SHOWN_ALIKE;

/// Where what is known of a flow lies. Both take a block of the same size, so that a flow that changes from one to the other stays in its own.
pub(super) enum Place {
    /// As its pieces find it.
    Awake(Live),
    /// Packed.
    Resting(Live<Packed>),
}

/// What a flow showed, packed.
pub(super) struct Packed {
    /// All but the frame of the first match, so that flows that are alike have the same.
    bytes: Arc<[u8]>,
    frame: FrameId,
}

/// What packed flows have in common: words of the program's own, by their numbers, and what was packed lately.
#[derive(Default)]
pub(super) struct Shelf {
    words: Vec<&'static str>,
    lately: Box<[Option<Arc<[u8]>>]>,
    hasher: FixedState,
    /// Where a flow is packed.
    buffer: Vec<u8>,
}

impl Default for Place {
    fn default() -> Self {
        Self::Awake(Live::default())
    }
}

impl Place {
    /// The flow as its pieces find it, taken out if it was packed.
    #[inline]
    pub fn awake(&mut self, shelf: &Shelf) -> &mut Live {
        loop {
            match self {
                Self::Resting(resting) => *self = Self::Awake(resting.taken_out(shelf)),
                Self::Awake(live) => return live,
            }
        }
    }

    /// Packs what the flow showed, if all of it can be.
    pub fn rest(&mut self, shelf: &mut Shelf) {
        if let Self::Awake(live) = self
            && let Some(packed) = shelf.pack(&mut live.spoken)
        {
            let mut resting = live.with(packed);
            resting.stage = mem::take(&mut live.stage).at_rest();
            *self = Self::Resting(resting);
        }
    }

    /// Reads from the flow's own block.
    pub fn touch(&self) -> usize {
        match self {
            Self::Awake(Live { pieces, held, .. }) | Self::Resting(Live { pieces, held, .. }) => usize::from(*pieces) + *held as usize,
        }
    }

    /// Reads from every line of memory of what it showed.
    pub fn touch_shown(&self) -> usize {
        match self {
            Self::Awake(live) => {
                let Spoken { protocol, evidence, matches, facts: _, details: _, retries, opening: [client, server] } = &*live.spoken;
                [protocol.len(), *evidence as usize, matches.len(), *retries as usize, client.len(), server.len()].into_iter().sum()
            }
            Self::Resting(resting) => resting.spoken.bytes.iter().step_by(LINE).map(|byte| usize::from(*byte)).sum(),
        }
    }

    /// Reads how many facts there are, which lie in a block of their own.
    pub fn touch_facts(&self) -> usize {
        if let Self::Awake(live) = self { live.spoken.facts.len() } else { 0 }
    }

    /// The flow, taken out if it was packed.
    pub fn into_live(self, shelf: &Shelf) -> Live {
        match self {
            Self::Awake(live) => live,
            Self::Resting(mut resting) => resting.taken_out(shelf),
        }
    }

    /// A copy of the flow without its stage.
    pub fn copied(&self, shelf: &Shelf) -> Live {
        match self {
            Self::Awake(live) => live.with(live.spoken.clone()),
            Self::Resting(resting) => resting.with(shelf.unpack(&resting.spoken)),
        }
    }

    /// What it showed, where that is packed.
    #[cfg(test)]
    pub fn shown(&self) -> Option<&[u8]> {
        if let Self::Resting(resting) = self { Some(&resting.spoken.bytes) } else { None }
    }

    /// How far its reading has come.
    pub fn stage(&self) -> &Stage {
        match self {
            Self::Awake(live) => &live.stage,
            Self::Resting(resting) => &resting.stage,
        }
    }

    /// Whether a protocol was recognised.
    pub fn is_recognised(&self) -> bool {
        match self {
            Self::Awake(live) => !live.spoken.protocol.is_empty(),
            // The first byte says how many there are.
            Self::Resting(resting) => resting.spoken.bytes.first().is_some_and(|many| *many > 0),
        }
    }
}

impl<S> Live<S> {
    /// The same with what it showed in another form, and without its stage.
    fn with<T>(&self, spoken: T) -> Live<T> {
        let Self { stage: _, spoken: _, base, read_to, client, pieces, midstream, held } = *self;
        Live { stage: Stage::Fresh, spoken, base, read_to, client, pieces, midstream, held }
    }
}

impl Live<Packed> {
    #[cold]
    fn taken_out(&mut self, shelf: &Shelf) -> Live {
        let mut live = self.with(shelf.unpack(&self.spoken));
        live.stage = mem::take(&mut self.stage).awake();
        live
    }
}

impl Shelf {
    /// Packs what a flow showed; none where it showed what has no packed form. Then it stays as it is.
    fn pack(&mut self, spoken: &mut Spoken) -> Option<Packed> {
        if !spoken.can_be_packed() {
            return None;
        }
        let frame = spoken.matches.first().map_or_else(FrameId::default, |first| first.frame);
        let mut buffer = mem::take(&mut self.buffer);
        buffer.clear();
        spoken.pack(frame, &mut Packer::into(&mut buffer), &mut Words::Numbered(&mut self.words));
        let packed = Packed { bytes: self.shared(&buffer), frame };
        self.buffer = buffer;
        #[cfg(debug_assertions)]
        {
            let again = self.unpack(&packed);
            assert!(*again == *spoken, "{again:?}\n{spoken:?}");
        }
        Some(packed)
    }

    fn unpack(&self, packed: &Packed) -> Box<Spoken> {
        let mut spoken = Box::<Spoken>::default();
        spoken.pack(packed.frame, &mut Unpacker::of(&packed.bytes), &mut Words::Known(&self.words));
        spoken
    }

    /// These bytes, which another flow may have, too.
    fn shared(&mut self, bytes: &[u8]) -> Arc<[u8]> {
        if self.lately.is_empty() {
            self.lately = vec![None; SHOWN_ALIKE].into();
        }
        let place = self.hasher.hash_one(bytes) as usize % SHOWN_ALIKE;
        match self.lately.get_mut(place) {
            Some(Some(known)) if **known == *bytes => Arc::clone(known),
            Some(place) => Arc::clone(place.insert(bytes.into())),
            None => bytes.into(),
        }
    }
}

/// Bytes of a line of memory.
const LINE: usize = 64;
