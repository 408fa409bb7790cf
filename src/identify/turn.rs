//! Changing places: what was said of the client is said of the server, and the other way round.

use crate::flow::{ConnState, Flow};
use crate::identify::{Fact, Identified, Match};
use crate::net::Side;

impl Identified {
    /// Swaps the sides in everything that was learned; the flow itself is swapped by whoever decides that it must be.
    pub fn turn(&mut self) {
        self.opening.swap(0, 1);
        self.matches.iter_mut().for_each(Match::turn);
        self.facts.iter_mut().for_each(Fact::turn);
    }
}

impl Match {
    fn turn(&mut self) {
        self.side = self.side.other();
    }
}

impl Fact {
    fn turn(&mut self) {
        let side: &mut Side = match self {
            Self::Name { of, .. } | Self::Software { of, .. } => of,
            Self::Answer { by, .. } => by,
            Self::Speaks { client } => client,
            Self::Inner(_)
            | Self::Resolved { .. }
            | Self::Request { .. }
            | Self::Promise(_)
            | Self::Retry
            | Self::OneWay
            | Self::Encrypted
            | Self::Detail { .. } => {
                return;
            }
        };
        *side = side.other();
    }
}

/// Swaps the ends of a flow, and all that is told by side.
pub(super) fn turn_flow(flow: &mut Flow) {
    std::mem::swap(&mut flow.client, &mut flow.server);
    flow.history = flow.history.flipped();
    flow.state = flow.state.map(|state| match state {
        ConnState::S2 => ConnState::S3,
        ConnState::S3 => ConnState::S2,
        ConnState::Rsto => ConnState::Rstr,
        ConnState::Rstr => ConnState::Rsto,
        other => other,
    });
    for rejection in &mut flow.rejections {
        rejection.to = rejection.to.other();
    }
    if let Some(story) = &mut flow.tcp {
        story.fins.swap(0, 1);
        story.retransmissions.swap(0, 1);
        story.missed_bytes.swap(0, 1);
        story.zero_windows.swap(0, 1);
        story.acknowledged.swap(0, 1);
        if let Some(reset) = &mut story.reset {
            reset.from = reset.from.other();
            std::mem::swap(&mut reset.client_payload, &mut reset.server_payload);
        }
    }
}
