//! A look at a live flow: what would be said of it if it ended now. Only live capture asks; the flow itself goes on as if nobody had looked.

use super::resting::Place;
use super::{Desk, Identifier, Live, Stage};
use crate::flow::{Flow, Slot};
use crate::identify::Identified;

impl Identifier<'_> {
    /// What is known of the flow in `slot`, of which `flow` is a copy as it stands.
    pub fn glance(&self, slot: Slot, flow: Flow) -> Box<Identified> {
        let mut identified = Box::new(Identified::unknown(flow));
        if let Some(place) = self.flows.get(slot.0 as usize).and_then(Option::as_ref) {
            let mut stated = Vec::new();
            let mut desk = Desk { books: self.books, said: &mut Vec::new(), stated: self.stated.as_ref().map(|_| &mut stated), dropped: &mut 0 };
            place.copied(&self.shelf).standing(place, &identified.flow, &mut desk).conclude(&mut identified, &mut desk);
        }
        identified
    }

    /// Whether a protocol was recognised in the flow of `slot`, as far as its payload has come.
    pub fn is_recognised(&self, slot: Slot) -> bool {
        self.flows.get(slot.0 as usize).and_then(Option::as_ref).is_some_and(|place| place.is_recognised())
    }
}

impl Live {
    /// As the one there stands of which this is a copy: without its reader, which has said what it had held back.
    fn standing(mut self, place: &Place, flow: &Flow, desk: &mut Desk<'_>) -> Self {
        self.stage = Stage::Done;
        let again;
        let reader = match place.stage() {
            Stage::Unknown(gathered) => {
                self.stage = Stage::Unknown(gathered.clone());
                return self;
            }
            Stage::Read(reader) => reader,
            Stage::Waits(waiting) => {
                again = waiting.reader();
                &again
            }
            Stage::Fresh | Stage::Done => return self,
        };
        reader.finish(&mut desk.said(&mut self.spoken.evidence));
        self.keep_facts(desk, &flow.parties(), (flow.last, flow.last_frame));
        self
    }
}
