//! Who is on the links: for whom somebody asked in vain (ARP, IPv6 Neighbor Discovery), and who said to be there. A host that is switched off is told from one
//! whose answers are dropped by a filter.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::capture::FrameId;
use crate::decode::VlanStack;
use crate::flow::{Flow, Neighbour, NeighbourWord};
use crate::judge::memory::{Marked, Remembered};
use crate::judge::threshold::{NEIGHBOUR_AGAIN, NEIGHBOUR_HOLDS, SENT_AFTER_ASKING, SURE_NEIGHBOUR, SYN_AGAIN};
use crate::limit::{self, CLOCKS_APART};
use crate::net::Mac;
use crate::time::Timestamp;

/// A host that was asked for on its link, and did not answer.
#[derive(Clone, Debug)]
pub(in crate::judge) struct Absent {
    /// The host.
    pub(in crate::judge) host: IpAddr,
    /// Who asked.
    pub(in crate::judge) by: IpAddr,
    /// How often since it last answered; requests at least [`NEIGHBOUR_AGAIN`] after the one before.
    pub(in crate::judge) times: u32,
    /// The first of them.
    pub(in crate::judge) since: Timestamp,
    /// The last.
    pub(in crate::judge) last: Timestamp,
    /// The first of them that all of the link was asked by.
    to_all: Option<Timestamp>,
    /// Frames, the earliest.
    pub(in crate::judge) frames: SmallVec<[FrameId; 3]>,
}

/// A host that is there.
#[derive(Clone, Copy, Debug, Default)]
struct Here {
    from: Mac,
    last: Timestamp,
}

/// The IPv4 addresses of a card: the first, and whether there are others. Of IPv6 every card has several.
#[derive(Clone, Copy, Debug, Default)]
struct Cards {
    first: Option<IpAddr>,
    more: bool,
}

/// What was learned.
#[derive(Clone, Debug)]
pub(super) struct Neighbours {
    /// By the card that asked, and for whom.
    asked: Remembered<(Mac, IpAddr), Option<Absent>>,
    here: Marked<IpAddr, Here>,
    /// Cards that were seen to be answered.
    answered: Marked<Mac, ()>,
    /// Pairs of cards, the first of which was seen to say something to the second alone.
    spoken: Marked<(Mac, Mac), ()>,
    cards: Marked<Mac, Cards>,
    /// Networks in which a router said that a server gives the addresses.
    managed: Remembered<VlanStack, ()>,
}

impl Default for Neighbours {
    fn default() -> Self {
        let room = limit::NEIGHBOURS_REMEMBERED;
        Self {
            asked: Remembered::new(room),
            here: Marked::new(room),
            answered: Marked::new(room),
            spoken: Marked::new(room),
            cards: Marked::new(room),
            managed: Remembered::new(limit::POINTS_REMEMBERED),
        }
    }
}

impl Neighbours {
    /// Enters what a packet says.
    pub(super) fn learn(&mut self, neighbour: &Neighbour) {
        if let Some(to) = neighbour.to.filter(|_| !neighbour.is_to_all()) {
            self.spoken.meet(&(neighbour.from, to));
        }
        match neighbour.says {
            NeighbourWord::Asks { target, by } => {
                self.is_at(by, neighbour);
                self.asks(target, by, neighbour);
            }
            NeighbourWord::Has(host) => {
                self.is_at(host, neighbour);
                if let Some(to) = neighbour.to.filter(|_| !neighbour.is_to_all()) {
                    self.answered.meet(&to);
                }
            }
            NeighbourWord::ServerGivesAddresses => *self.managed.meet(neighbour.vlan),
            NeighbourWord::Receives { .. } | NeighbourWord::Leaves { .. } | NeighbourWord::AsksReceivers => {}
        }
    }

    fn is_at(&mut self, host: IpAddr, Neighbour { from, time, .. }: &Neighbour) {
        *self.here.meet(&host) = Here { from: *from, last: *time };
        if host.is_ipv4() {
            let cards = self.cards.meet(from);
            cards.more |= *cards.first.get_or_insert(host) != host;
        }
    }

    fn asks(&mut self, target: IpAddr, by: IpAddr, neighbour: &Neighbour) {
        let Neighbour { time, frame, .. } = *neighbour;
        let heard = self.here.get(&target).map(|here| here.last);
        let known = self.asked.meet((neighbour.from, target));
        // Answered since, though the answer may bear an earlier time, or another matter by now.
        if known.as_ref().is_some_and(|known| heard.is_some_and(|heard| heard + CLOCKS_APART >= known.last) || time.since(known.last) > NEIGHBOUR_HOLDS) {
            *known = None;
        }
        let is_new = known.is_none();
        let series = known.get_or_insert_with(|| Absent { host: target, by, times: 0, since: time, last: time, to_all: None, frames: SmallVec::new() });
        if is_new || time.since(series.last) >= NEIGHBOUR_AGAIN {
            series.times = series.times.saturating_add(1);
            series.last = time;
            if series.frames.len() < limit::FRAMES_CITED / 2 {
                series.frames.push(frame);
            }
        }
        if neighbour.is_to_all() {
            series.to_all.get_or_insert(time);
        }
    }

    /// That the flow's server is not on the link: who sends its packets there, or takes them on, asked for it at that time, and nobody answered. Whoever asks must be
    /// seen to get answers, as only then this one is missing. `heard` is when the server last sent something, `reached` whether anything to a host was seen.
    pub(super) fn absent(&self, flow: &Flow, heard: Option<Timestamp>, reached: impl Fn(IpAddr) -> bool) -> Option<&Absent> {
        let (from, to) = flow.link?;
        let host = flow.server.endpoint.ip;
        [from, to].into_iter().find_map(|card| {
            let series = self.series(card, host, heard).filter(|series| self.answered.has(&card) || reached(series.by))?;
            let near = series.last + NEIGHBOUR_HOLDS >= flow.first && series.since <= flow.last + NEIGHBOUR_HOLDS;
            (near && series.times >= 2).then_some(series)
        })
    }

    /// Hosts that were asked for again and again, by hosts that were seen to get answers, and that were not heard since; by address, each once.
    pub(super) fn all_absent(&self, heard: impl Fn(IpAddr) -> Option<Timestamp>, reached: impl Fn(IpAddr) -> bool) -> Vec<&Absent> {
        let asked = |(card, host): &(Mac, IpAddr)| self.series(*card, *host, heard(*host)).filter(|series| self.answered.has(card) || reached(series.by));
        let series = self.asked.keys().filter_map(asked);
        let mut all: Vec<&Absent> = series.filter(|series| series.times >= SURE_NEIGHBOUR).collect();
        all.sort_by_key(|series| (series.host, std::cmp::Reverse(series.times), series.since, series.by));
        all.dedup_by_key(|series| series.host);
        all
    }

    fn series(&self, card: Mac, host: IpAddr, heard: Option<Timestamp>) -> Option<&Absent> {
        let said = self.here.get(&host).map(|here| here.last);
        self.asked.get(&(card, host))?.as_ref().filter(|series| said.max(heard).is_none_or(|last| last + CLOCKS_APART < series.since))
    }

    /// Whether the flow's packets went out though nobody was seen to answer who sends them: the answer was there, and does not pass here.
    pub(super) fn hides(&self, flow: &Flow) -> bool {
        let Some((card, _)) = flow.link else { return false };
        let sent = |asked: Timestamp| asked <= flow.first && flow.first.since(asked) <= SENT_AFTER_ASKING;
        let asked = self.series(card, flow.server.endpoint.ip, None).and_then(|series| series.to_all);
        asked.is_some_and(sent) && !self.answered.has(&card)
    }

    /// Whether the card to which the flow's packets go was seen to say something to the card that they come from: what comes back that way is captured.
    pub(super) fn hears(&self, flow: &Flow) -> bool {
        flow.link.is_some_and(|(from, to)| self.spoken.has(&(to, from)))
    }

    /// Whether the flow's server said that it is at the card to which the flow's packets go, when it could have answered the first of them or soon after the last. What it said
    /// before shows only that it was there then. A card that has several addresses may stand in for others.
    pub(super) fn is_here(&self, flow: &Flow) -> bool {
        let (Some((_, to)), Some(here)) = (flow.link, self.here.get(&flow.server.endpoint.ip)) else { return false };
        let near = here.last >= flow.first + SYN_AGAIN && here.last <= flow.last + NEIGHBOUR_HOLDS;
        here.from == to && near && !self.cards.get(&to).is_some_and(|cards| cards.more)
    }

    /// Whether a router of the flow's network said that a server gives the addresses there.
    pub(super) fn is_managed(&self, flow: &Flow) -> bool {
        self.managed.has(&flow.vlan)
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.asked.forgotten() + self.here.forgotten() + self.answered.forgotten() + self.spoken.forgotten() + self.cards.forgotten() + self.managed.forgotten()
    }
}
