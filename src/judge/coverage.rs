//! What a capture says about each documented row: seen, blocked, attempted, never attempted, or not visible here.

use std::collections::BTreeMap;

use crate::judge::visibility::Visibility;
use crate::judge::{Coverage, Judged, Outcome, Reason, Verdict};
use crate::signature::{RoleId, Service, ServiceId};

/// Best of what one row's flows came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    worked: bool,
    blocked: bool,
    tried: bool,
}

impl Tried {
    /// What a flow of the row says. One that breaks the row is not its traffic.
    pub fn of(judged: &Judged) -> Self {
        if Self::is_foreign(judged.verdict, &judged.reasons) {
            return Self::default();
        }
        let flow = &judged.identified.flow;
        Self::by(judged.outcome, flow.client.payload_bytes > 0 && flow.server.payload_bytes > 0)
    }

    /// What a flow of the row says that came to this; `talked`: both ends sent content.
    pub const fn by(outcome: Outcome, talked: bool) -> Self {
        let worked = match outcome {
            Outcome::Ok | Outcome::ConnectedNoData | Outcome::OneWayByDesign => true,
            Outcome::Midstream | Outcome::AppRefused | Outcome::TlsIntercepted => talked,
            _ => false,
        };
        Self { worked, blocked: outcome.is_blocked(), tried: true }
    }

    /// Whether a flow with this verdict breaks its row, so that it is not the row's traffic.
    pub fn is_foreign(verdict: Verdict, reasons: &[Reason]) -> bool {
        verdict == Verdict::Unexpected && !reasons.contains(&Reason::InboundFromOutside)
    }

    /// A resolver denied the row's name: it was tried.
    pub fn denied(outcome: Outcome) -> Self {
        Self { tried: true, blocked: outcome.is_blocked(), worked: false }
    }

    /// One letter for each that is true: worked, blocked, tried.
    pub(super) fn word(self) -> String {
        [(self.worked, 'w'), (self.blocked, 'b'), (self.tried, 't')].into_iter().filter_map(|(holds, letter)| holds.then_some(letter)).collect()
    }

    /// The same read back; none where a letter is unknown.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        let known = word.chars().all(|letter| "wbt".contains(letter));
        known.then(|| Self { worked: word.contains('w'), blocked: word.contains('b'), tried: word.contains('t') })
    }

    /// Adds what another flow says.
    pub fn merge(&mut self, other: Self) {
        self.worked |= other.worked;
        self.blocked |= other.blocked;
        self.tried |= other.tried;
    }

    /// What the flows came to; none where there was none. Success outweighs failure: a row that worked once is not blocked.
    pub const fn came_to(self) -> Option<Coverage> {
        match self {
            Self { worked: true, .. } => Some(Coverage::Seen),
            Self { blocked: true, .. } => Some(Coverage::Blocked),
            Self { tried: true, .. } => Some(Coverage::Attempted),
            Self { .. } => None,
        }
    }

    /// The row's coverage: what its flows came to, or why there were none.
    pub(super) fn coverage(self, row: &Service, visibility: &Visibility, presence: &Presence) -> Coverage {
        match self.came_to() {
            Some(coverage) => coverage,
            None if row.transports.is_empty() && row.ports.is_empty() && row.protocols.is_empty() => Coverage::NotVisibleHere,
            None if visibility.two_way + visibility.one_way == 0 || !presence.shows(row) => Coverage::NotVisibleHere,
            None => Coverage::NeverAttempted,
        }
    }
}

/// Which of the site's roles have hosts that show at this capture point: heard, or only reached.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence(BTreeMap<RoleId, [bool; 2]>);

impl Presence {
    /// The roles that the site gives; no host of theirs seen yet.
    pub(super) fn of(listed: impl Iterator<Item = RoleId>) -> Self {
        Self(listed.map(|role| (role, [false; 2])).collect())
    }

    /// Whether the site gives any role at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A host of these roles was heard, or was sent something.
    pub(super) fn note(&mut self, roles: &[RoleId], heard: bool) {
        for role in roles {
            if let Some(seen) = self.0.get_mut(role) {
                seen[usize::from(!heard)] = true;
            }
        }
    }

    /// The roles that the site gives, in order.
    pub(super) fn roles(&self) -> impl Iterator<Item = RoleId> {
        self.0.keys().copied()
    }

    /// Whether traffic of the row would show here: one of its ends that the site knows does, the opening one by what it sends. Of ends that the site does
    /// not know nothing is held against it.
    fn shows(&self, row: &Service) -> bool {
        let known = |roles: &[RoleId]| -> Vec<[bool; 2]> { roles.iter().filter_map(|role| self.0.get(role).copied()).collect() };
        let (clients, servers) = (known(&row.client), known(&row.server));
        let nobody_known = clients.is_empty() && servers.is_empty();
        nobody_known || clients.iter().any(|[heard, _]| *heard) || servers.iter().any(|seen| seen.contains(&true))
    }
}

/// Coverage of every row, in document order.
pub(super) fn of_all(services: &[Service], tried: &[Tried], visibility: &Visibility, presence: &Presence) -> Vec<(ServiceId, Coverage)> {
    let rows = (0..).map(ServiceId).zip(services);
    rows.map(|(id, row)| (id, tried.get(id.0 as usize).copied().unwrap_or_default().coverage(row, visibility, presence))).collect()
}
