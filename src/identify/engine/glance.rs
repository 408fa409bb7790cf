//! A look at a live flow: what would be said of it if it ended now. Only live capture asks; the flow itself goes on as if nobody had looked.

use super::{Desk, Identifier, Live, Stage};
use crate::flow::{Flow, Slot};
use crate::identify::Identified;
use crate::identify::protocol::Said;

impl Identifier<'_> {
    /// What is known of the flow in `slot`, of which `flow` is a copy as it stands.
    pub fn glance(&self, slot: Slot, flow: Flow) -> Box<Identified> {
        let mut identified = Box::new(Identified::unknown(flow));
        if let Some(live) = self.flows.get(slot.0 as usize).and_then(Option::as_ref) {
            let mut desk = Desk { books: self.books, said: &mut Vec::new(), dropped: &mut 0, details: self.details };
            live.as_it_stands(&identified.flow, &mut desk).conclude(&mut identified, &mut desk);
        }
        identified
    }

    /// Whether a protocol was recognised in the flow of `slot`, as far as its payload has come.
    pub fn is_recognised(&self, slot: Slot) -> bool {
        self.flows.get(slot.0 as usize).and_then(Option::as_ref).is_some_and(|live| !live.spoken.protocol.is_empty())
    }
}

impl Live {
    /// A copy without its reader, which has said what it had held back.
    fn as_it_stands(&self, flow: &Flow, desk: &mut Desk<'_>) -> Self {
        let mut copy = Self { stage: Stage::Done, spoken: self.spoken.clone(), ..*self };
        match &self.stage {
            Stage::Unknown(gathered) => copy.stage = Stage::Unknown(gathered.clone()),
            Stage::Read(reader) => {
                reader.finish(&mut Said { facts: desk.said, evidence: &mut copy.spoken.evidence, wants_details: desk.details });
                copy.keep_facts(desk, &flow.parties(), (flow.last, flow.last_frame));
            }
            Stage::Fresh | Stage::Done => {}
        }
        copy
    }
}
