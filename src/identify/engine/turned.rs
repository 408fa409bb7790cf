//! Readers of datagrams whose first captured one was an answer. They see client and server as the bytes say, not as the first packet made it look.

use crate::flow::Parties;
use crate::identify::protocol::{Appetite, Piece, Reader, Said};
use crate::identify::{Detail, Fact};

/// A reader of a flow whose client by content is its server so far. What it reads is turned, and what it says is turned back: the flow itself changes places where it ends.
pub(super) struct Turned(pub Box<dyn Reader>);

impl Reader for Turned {
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite {
        let Parties { transport, client, server } = *piece.ends;
        let ends = Parties { transport, client: server, server: client };
        let piece = Piece { from: piece.from.other(), ends: &ends, ..piece };
        let before = Before::of(said);
        let appetite = self.0.read(piece, said);
        before.turn_what_follows(said);
        match appetite {
            Appetite::HandOver { client, server } => Appetite::HandOver { client: server, server: client },
            appetite => appetite,
        }
    }

    fn held(&self) -> usize {
        self.0.held()
    }

    fn finish(&self, said: &mut Said<'_>) {
        let before = Before::of(said);
        self.0.finish(said);
        before.turn_what_follows(said);
    }
}

/// How much had been said before.
struct Before {
    facts: usize,
    details: usize,
}

impl Before {
    fn of(said: &Said<'_>) -> Self {
        Self { facts: said.facts.len(), details: said.details.as_ref().map_or(0, |details| details.len()) }
    }

    fn turn_what_follows(&self, said: &mut Said<'_>) {
        said.facts.iter_mut().skip(self.facts).for_each(Fact::turn);
        said.details.iter_mut().flat_map(|details| details.iter_mut()).skip(self.details).for_each(Detail::turn);
    }
}
