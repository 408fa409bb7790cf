//! What a capture says about each documented row: seen, blocked, attempted, never attempted, or not visible here.

use crate::judge::visibility::Visibility;
use crate::judge::{Coverage, Judged, Outcome, Verdict};
use crate::signature::{Service, ServiceId};

/// Best of what one row's flows came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried {
    worked: bool,
    blocked: bool,
    tried: bool,
}

impl Tried {
    /// Enters a flow of the row. One that breaks the row is not its traffic.
    pub(super) fn add(&mut self, judged: &Judged) {
        if judged.verdict == Verdict::Unexpected && !judged.reasons.contains(&crate::judge::Reason::InboundFromOutside) {
            return;
        }
        let flow = &judged.identified.flow;
        let talked = flow.client.payload_bytes > 0 && flow.server.payload_bytes > 0;
        self.tried = true;
        self.worked |= match judged.outcome {
            Outcome::Ok | Outcome::OkDegraded | Outcome::ConnectedNoData | Outcome::OneWayByDesign => true,
            Outcome::Midstream | Outcome::AppRefused => talked,
            _ => false,
        };
        self.blocked |= judged.outcome.is_blocked();
    }

    /// A resolver denied the row's name: it was tried.
    pub(super) fn deny(&mut self, outcome: Outcome) {
        self.tried = true;
        self.blocked |= outcome.is_blocked();
    }

    /// The row's coverage. Success outweighs failure: a row that worked once is not blocked.
    pub(super) fn coverage(self, row: &Service, visibility: &Visibility) -> Coverage {
        match self {
            Self { worked: true, .. } => Coverage::Seen,
            Self { blocked: true, .. } => Coverage::Blocked,
            Self { tried: true, .. } => Coverage::Attempted,
            _ if row.transports.is_empty() && row.ports.is_empty() && row.protocols.is_empty() => Coverage::NotVisibleHere,
            _ if visibility.two_way + visibility.one_way == 0 => Coverage::NotVisibleHere,
            _ => Coverage::NeverAttempted,
        }
    }
}

/// Coverage of every row, in document order.
pub(super) fn of_all(services: &[Service], tried: &[Tried], visibility: &Visibility) -> Vec<(ServiceId, Coverage)> {
    let rows = (0..).map(ServiceId).zip(services);
    rows.map(|(id, row)| (id, tried.get(id.0 as usize).copied().unwrap_or_default().coverage(row, visibility))).collect()
}
