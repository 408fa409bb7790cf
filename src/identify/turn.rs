//! Exchanges client and server in all that was said of a flow.

use crate::identify::{Detail, DetailValue, Fact, Identified, Match};
use crate::net::Side;

impl Identified {
    /// Makes the client the server and the server the client, in the flow and in everything that was learned.
    pub fn turn(&mut self) {
        self.flow.flip();
        if let Some(spoken) = self.spoken.as_mut().map(|live| live.shown_mut()) {
            spoken.opening.swap(0, 1);
            spoken.matches.iter_mut().for_each(Match::turn);
            spoken.facts.iter_mut().for_each(Fact::turn);
            spoken.details.iter_mut().for_each(Detail::turn);
        }
    }
}

impl Match {
    fn turn(&mut self) {
        self.side = self.side.other();
    }
}

impl Detail {
    pub(super) fn turn(&mut self) {
        if let DetailValue::End(side) = &mut self.value {
            *side = side.other();
        }
    }
}

impl Fact {
    pub(super) fn turn(&mut self) {
        let side: &mut Side = match self {
            Self::Name { of, .. } | Self::Software { of, .. } | Self::Offers { of, .. } => of,
            Self::Answer { by, .. } => by,
            Self::Speaks { client } => client,
            Self::Inner(_)
            | Self::Resolved(_)
            | Self::Request { .. }
            | Self::Promise(_)
            | Self::Retry
            | Self::Unheard
            | Self::Unresolved { .. }
            | Self::Proxied { .. }
            | Self::Reached(_)
            | Self::Unanswered { .. }
            | Self::Certified(_)
            | Self::SentTo { .. }
            | Self::Session(_)
            | Self::Unserved { .. }
            | Self::Unfinished(_)
            | Self::HalfAsked(_)
            | Self::Awaited
            | Self::OneWay
            | Self::Encrypted
            | Self::Hello(_)
            | Self::Shapes { .. } => {
                return;
            }
        };
        *side = side.other();
    }
}
