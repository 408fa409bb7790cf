//! Who receives which groups (IGMP, MLD), and whether anybody asks: a switch that passes a group's datagrams to its receivers alone forgets them where nobody does.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::capture::FrameId;
use crate::flow::{Flow, Neighbour, NeighbourWord};
use crate::judge::memory::Remembered;
use crate::judge::threshold::{ANSWER_BY, MEMBERSHIP, MEMBERSHIP_BLUR};
use crate::limit;
use crate::time::Timestamp;

/// A receiver that was forgotten: its group's datagrams stopped when its membership was over, though it had not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::judge) struct Forgotten {
    /// Who received them.
    pub(in crate::judge) by: IpAddr,
    /// When it last said so.
    pub(in crate::judge) said: Timestamp,
    /// In which frame.
    pub(in crate::judge) frame: FrameId,
}

/// What a host said of a group.
#[derive(Clone, Copy, Debug)]
struct Word {
    time: Timestamp,
    frame: FrameId,
    by: IpAddr,
    receives: bool,
}

/// What was learned.
#[derive(Clone, Debug)]
pub(super) struct Receivers {
    /// By group, in order of time, the latest of them.
    said: Remembered<IpAddr, SmallVec<[Word; 2]>>,
    /// When somebody asked, the latest times.
    asked: SmallVec<[Timestamp; 4]>,
}

impl Default for Receivers {
    fn default() -> Self {
        Self { said: Remembered::new(limit::GROUPS_REMEMBERED), asked: SmallVec::new() }
    }
}

impl Receivers {
    /// Enters what a packet says.
    pub(super) fn learn(&mut self, neighbour: &Neighbour) {
        let Neighbour { time, frame, .. } = *neighbour;
        let (group, by, receives) = match neighbour.says {
            NeighbourWord::AsksReceivers => return push(&mut self.asked, time),
            NeighbourWord::Receives { group, by } => (group, by, true),
            NeighbourWord::Leaves { group, by } => (group, by, false),
            NeighbourWord::Asks { .. } | NeighbourWord::Has(_) | NeighbourWord::ServerGivesAddresses => return,
        };
        if !is_of_the_link(group) {
            push(self.said.meet(group), Word { time, frame, by, receives });
        }
    }

    /// Who was forgotten when the flow to a group stopped: whoever reported last had not left, and its report was so old as memberships become, by whatever clock a switch has
    /// for that. Nobody had asked since, or reports would have followed.
    pub(super) fn forgotten(&self, flow: &Flow) -> Option<Forgotten> {
        let (stopped, said) = (flow.last, self.said.get(&flow.server.endpoint.ip)?);
        let last = said.iter().rfind(|word| word.receives && word.time <= stopped)?;
        let left = said.iter().any(|word| !word.receives && word.time >= last.time && word.time <= stopped + ANSWER_BY);
        // What was asked longer ago than is remembered was asked since.
        let was_asked = self.asked.iter().any(|asked| *asked >= last.time && *asked <= stopped) || self.asked.len() == limit::REPORTS_REMEMBERED;
        let is_over = stopped.since(last.time).abs_diff(MEMBERSHIP) <= MEMBERSHIP_BLUR;
        (is_over && !left && !was_asked).then_some(Forgotten { by: last.by, said: last.time, frame: last.frame })
    }

    /// How many groups were forgotten for want of room.
    pub(super) fn dropped(&self) -> u64 {
        self.said.forgotten()
    }
}

/// Groups that never leave their link are passed to everybody (RFC 4541 section 2.1.2).
fn is_of_the_link(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => matches!(group.octets(), [224, 0, 0, _]),
        IpAddr::V6(group) => group.octets()[1] & 0xf <= 2,
    }
}

/// Adds the latest, in place of the oldest where there is no room.
fn push<T, const N: usize>(all: &mut SmallVec<[T; N]>, latest: T)
where
    [T; N]: smallvec::Array<Item = T>,
{
    if all.len() >= limit::REPORTS_REMEMBERED {
        all.remove(0);
    }
    all.push(latest);
}
