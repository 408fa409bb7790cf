//! A look at a live flow: what would be said of it if it ended now. Only live capture asks; the flow itself goes on as if nobody had looked.

use std::mem;

use super::{Desk, Identifier, Live, Stage};
use crate::flow::{Flow, Slot};
use crate::identify::Identified;

impl Identifier<'_> {
    /// What is known of the flow in `slot`, of which `flow` is a copy as it stands.
    pub fn glance(&self, slot: Slot, flow: Flow) -> Box<Identified> {
        let mut identified = Box::new(Identified::unknown(flow));
        if let Some((live, stage)) = self.flows.copied(slot.0) {
            let mut desk = Desk { books: self.desk.books, said: Vec::new(), stated: self.desk.stated.as_ref().map(|_| Vec::new()), dropped: 0 };
            live.standing(stage, &identified.flow, &mut desk).conclude(&mut identified, &mut desk);
        }
        identified
    }

    /// Whether a protocol was recognised in the flow of `slot`, as far as its payload has come.
    pub fn is_recognised(&self, slot: Slot) -> bool {
        self.flows.copied(slot.0).is_some_and(|(live, _)| !live.spoken.protocol.is_empty())
    }
}

impl Live {
    /// As the one stands of which this is a copy, and whose stage is this one, or the copy's own: without its reader, which has said what it had held back.
    fn standing(mut self: Box<Self>, stage: Option<&Stage>, flow: &Flow, desk: &mut Desk<'_>) -> Box<Self> {
        let own = mem::replace(&mut self.stage, Stage::Done);
        let reader = match stage.unwrap_or(&own) {
            Stage::Unknown(gathered) => {
                self.stage = Stage::Unknown(gathered.clone());
                return self;
            }
            Stage::Read(reader) => reader,
            Stage::Fresh | Stage::Done => return self,
        };
        reader.finish(&mut desk.said(&mut self.spoken.evidence));
        self.keep_facts(desk, &flow.parties(), (flow.last, flow.last_frame));
        self
    }
}
