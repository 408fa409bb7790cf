//! What the tap sees: at each capture point which hosts were heard and reached, over which links answers came, and how much was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::decode::VlanStack;
use crate::flow::{End, Ended, Flow, Moment};
use crate::identify::Identified;
use crate::judge::memory::{Marked, Remembered};
use crate::judge::visibility::stretches::Stretches;
use crate::judge::visibility::went_on_unanswered;
use crate::limit;
use crate::net::{Mac, is_group, is_private};
use crate::time::Timestamp;

/// What this tap can see, for the report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Visibility {
    /// Flows in which both ends were heard.
    pub two_way: u64,
    /// Flows between single hosts in which one end alone was heard.
    pub one_way: u64,
    /// Flows whose opener went on as if answered, though no answer was captured: proof that answers pass elsewhere.
    pub unseen_answers: u64,
    /// Flows of which answers alone were captured: what was asked passes elsewhere.
    pub unseen_requests: u64,
    /// TCP connections that were open before the capture began.
    pub began_before: u64,
    /// Flows that were still open when the capture ended.
    pub cut_by_the_end: u64,
    /// TCP bytes that were acknowledged, and how many of them were never captured.
    pub acknowledged_bytes: u64,
    /// See above.
    pub missed_bytes: u64,
    /// Packets that the capture itself says it lost, as far as it counts them.
    pub dropped_by_the_capture: u64,
    /// The capture points, in order; at most [`limit::POINTS_REMEMBERED`].
    pub points: Vec<CapturePoint>,
    /// Hosts whose answers demonstrably passed elsewhere and that were never heard, in order of address.
    pub unheard: Vec<IpAddr>,
    /// Flows that are the other side of another one's conversation, behind or before a router that translates addresses.
    #[serde(skip_serializing_if = "is_zero")]
    pub translated: u64,
    /// What found no room in memory at a bound, or was forgotten there: hosts, ends, pairs, names.
    pub forgotten: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What one capture point saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CapturePoint {
    /// Number of the capture interface, in the order the captures declare them.
    pub interface: u32,
    /// VLAN identifiers, outermost first.
    pub vlan: Vec<u16>,
    /// As in [`Visibility`], of this point alone.
    pub two_way: u64,
    /// See above.
    pub one_way: u64,
    /// See above.
    pub unseen_answers: u64,
    /// See above.
    pub unseen_requests: u64,
    /// See above.
    pub acknowledged_bytes: u64,
    /// See above.
    pub missed_bytes: u64,
    /// Links (pairs of MAC addresses) over which both directions were seen, and over which one alone.
    pub links_two_way: u64,
    /// See above.
    pub links_one_way: u64,
}

impl Visibility {
    /// Share of acknowledged bytes that were never captured, in parts per thousand.
    pub fn loss_per_mille(&self) -> u64 {
        per_mille(self.missed_bytes, self.acknowledged_bytes)
    }
}

/// Whether an answer would have been seen here. Ordered: later is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::judge) enum Sight {
    /// Answers demonstrably pass elsewhere.
    Blind,
    /// Nothing shows it either way.
    Open,
    /// Answers of the same kind to other hosts, or over the same link, were seen at this capture point.
    Likely,
    /// The server, or somebody beside it, was heard by this very client.
    Shown,
}

/// Where a flow was captured: interface and VLANs.
type Place = (u32, VlanStack);

/// The number of a place, in the order in which places were met.
type Point = u16;

/// What was learned at one point.
#[derive(Clone, Debug, Default)]
struct Counts {
    at: Place,
    place: CapturePoint,
    /// Packets heard from inside, from outside.
    heard: [u64; 2],
}

/// What was learned of a host at one point.
#[derive(Clone, Copy, Debug)]
struct Met {
    /// When it last sent something; [`NEVER`] where it did not.
    heard: Timestamp,
    /// Whether it received something from inside, from outside.
    reached: [bool; 2],
}

impl Default for Met {
    fn default() -> Self {
        Self { heard: NEVER, reached: [false; 2] }
    }
}

/// Before all packets.
const NEVER: Timestamp = Timestamp::from_nanos(i64::MIN);

/// What one link carried.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    point: Point,
    two_way: u64,
    unseen: u64,
    one_way: u64,
}

/// What was learned of all flows about seeing.
#[derive(Clone, Debug)]
pub(super) struct Tap {
    summary: Visibility,
    places: BTreeMap<Place, Point>,
    points: Vec<Counts>,
    /// What was lost, by time.
    stretches: Stretches,
    /// The same of flows that live, which are not learned from yet.
    living: Option<Box<Stretches>>,
    /// Hosts that sent or received something, by capture point.
    hosts: Marked<(Point, IpAddr), Met>,
    /// Servers whose answers passed elsewhere.
    unseen: Remembered<(Point, IpAddr), ()>,
    /// Links, from the MAC address that the client's packets come from to the one they go to.
    links: Marked<(Point, Mac, Mac), Carried>,
}

impl Default for Tap {
    fn default() -> Self {
        Self {
            summary: Visibility::default(),
            places: BTreeMap::new(),
            points: Vec::new(),
            stretches: Stretches::default(),
            living: None,
            hosts: Marked::new(limit::HOSTS_REMEMBERED),
            unseen: Remembered::new(limit::HOSTS_REMEMBERED),
            links: Marked::new(limit::LINKS_REMEMBERED),
        }
    }
}

impl Tap {
    /// Enters one flow. `answers_group`: its server alone was heard, and answers what went to a group.
    pub(super) fn learn(&mut self, identified: &Identified, answers_group: bool) {
        let flow = &identified.flow;
        self.stretches.learn(flow, loss_of(flow));
        self.summary.began_before += u64::from(flow.tcp.as_ref().is_some_and(|tcp| tcp.midstream));
        self.summary.cut_by_the_end += u64::from(flow.ended == Ended::CaptureEnd);
        let Some(point) = self.point((flow.interface, flow.vlan)) else {
            self.summary.forgotten += 1;
            return;
        };
        for (own, other) in [(&flow.client, &flow.server), (&flow.server, &flow.client)] {
            self.met(point, own, other);
        }
        if !is_group(flow.server.endpoint.ip) {
            self.count(identified, point, answers_group);
        }
    }

    /// Enters how many packets the capture says it lost at an interface.
    pub(super) fn dropped(&mut self, interface: u32, packets: u64) {
        self.summary.dropped_by_the_capture = self.stretches.lost(interface, packets);
    }

    /// Enters that so many of them were lost between two moments.
    pub(super) fn dropped_between(&mut self, interface: u32, times: [Timestamp; 2], packets: u64) {
        self.stretches.dropped(interface, times, packets);
    }

    /// Enters what flows lost that live: it counts until the next ones are entered.
    pub(super) fn live(&mut self, flows: &[Box<Identified>]) {
        self.living = (!flows.is_empty()).then(|| {
            let mut living = Stretches::default();
            flows.iter().for_each(|identified| living.learn(&identified.flow, loss_of(&identified.flow)));
            Box::new(living)
        });
    }

    /// The number of a place, a new one where there is room.
    fn point(&mut self, place: Place) -> Option<Point> {
        if let Some(point) = self.known(&place) {
            return Some(point);
        }
        let point = Point::try_from(self.points.len()).ok().filter(|point| usize::from(*point) < limit::POINTS_REMEMBERED)?;
        let (interface, vlan) = place;
        let place_of = CapturePoint { interface, vlan: vlan.ids().to_vec(), ..CapturePoint::default() };
        self.points.push(Counts { at: (interface, vlan), place: place_of, heard: [0; 2] });
        self.places.insert((interface, vlan), point);
        Some(point)
    }

    /// The number of a place that was met. Most captures have but one.
    fn known(&self, place: &Place) -> Option<Point> {
        let is_first = self.points.first().is_some_and(|counts| counts.at == *place);
        if is_first { Some(0) } else { self.places.get(place).copied() }
    }

    /// Enters what a host sent to another, and got from it.
    fn met(&mut self, point: Point, own: &End, other: &End) {
        let (host, sent) = (own.endpoint.ip, own.packets > 0);
        let got = other.packets > 0 && !is_group(host);
        if sent && let Some(counts) = self.points.get_mut(usize::from(point)) {
            let count = &mut counts.heard[usize::from(!is_private(host))];
            *count = count.saturating_add(1);
        }
        if sent || got {
            let met = self.hosts.meet(&(point, host));
            met.heard = own.last.filter(|_| sent).map_or(met.heard, |last| last.max(met.heard));
            met.reached[usize::from(!is_private(other.endpoint.ip))] |= got;
        }
    }

    fn count(&mut self, identified: &Identified, point: Point, answers_group: bool) {
        let flow = &identified.flow;
        let both = flow.client.packets > 0 && flow.server.packets > 0;
        let unseen = went_on_unanswered(identified);
        let answers_alone = flow.client.packets == 0 && !answers_group;
        let loss = loss_of(flow);
        let Some(counts) = self.points.get_mut(usize::from(point)) else { return };
        let (all, place) = (&mut self.summary, &mut counts.place);
        for (total, own, more) in [
            (&mut all.two_way, &mut place.two_way, u64::from(both)),
            (&mut all.one_way, &mut place.one_way, u64::from(!both)),
            (&mut all.unseen_answers, &mut place.unseen_answers, u64::from(unseen)),
            (&mut all.unseen_requests, &mut place.unseen_requests, u64::from(answers_alone)),
            (&mut all.acknowledged_bytes, &mut place.acknowledged_bytes, loss[0]),
            (&mut all.missed_bytes, &mut place.missed_bytes, loss[1]),
        ] {
            *total = total.saturating_add(more);
            *own = own.saturating_add(more);
        }
        if unseen {
            self.unseen.meet((point, flow.server.endpoint.ip));
        }
        if let Some(link) = link(flow, point) {
            let carried = self.links.meet(&link);
            carried.point = point;
            carried.two_way += u64::from(both);
            carried.one_way += u64::from(!both);
            carried.unseen += u64::from(unseen);
        }
    }

    /// Whether an answer of the flow's server to its client would have been seen where the flow was captured.
    /// `hidden`: it was sent though nobody was seen to answer the link.
    pub(super) fn sight(&self, flow: &Flow, hidden: bool) -> Sight {
        let Some(point) = self.known(&(flow.interface, flow.vlan)) else { return Sight::Open };
        let Some(counts) = self.points.get(usize::from(point)) else { return Sight::Open };
        let (client, server) = (flow.client.endpoint.ip, flow.server.endpoint.ip);
        let heard = self.heard_at(point, server).is_some();
        if self.unseen.has(&(point, server)) {
            return if heard { Sight::Open } else { Sight::Blind };
        }
        let outside = !is_private(server);
        let carried = link(flow, point).and_then(|link| self.links.get(&link)).copied().unwrap_or_default();
        // What goes out over this link is answered over another that is not tapped.
        if !heard && (carried.unseen > 0 || hidden) && carried.two_way == 0 {
            return Sight::Blind;
        }
        if heard || self.reached_at(point, client)[usize::from(outside)] {
            return Sight::Shown;
        }
        let from_there = counts.heard.get(usize::from(outside)).copied().unwrap_or(0);
        match from_there {
            _ if carried.two_way > 0 => Sight::Likely,
            1.. => Sight::Likely,
            0 if self.summary.two_way == 0 && self.summary.unseen_answers > 0 => Sight::Blind,
            0 => Sight::Open,
        }
    }

    /// Whether answers came over the very link that the flow's packets take; of a capture without both link addresses, whether the client was reached at all.
    pub(super) fn answers_come_back(&self, flow: &Flow) -> bool {
        if flow.link.is_none_or(lacks_receiver) {
            return self.sight(flow, false) == Sight::Shown;
        }
        let point = self.known(&(flow.interface, flow.vlan));
        let carried = point.and_then(|point| link(flow, point)).and_then(|link| self.links.get(&link));
        carried.is_some_and(|carried| carried.two_way > 0)
    }

    /// When the flow's server was last heard where the flow was captured.
    pub(super) fn heard(&self, flow: &Flow) -> Option<Timestamp> {
        self.heard_at(self.known(&(flow.interface, flow.vlan))?, flow.server.endpoint.ip)
    }

    /// When a host was last heard at any capture point.
    pub(super) fn heard_anywhere(&self, host: IpAddr) -> Option<Timestamp> {
        (0..self.points.len()).filter_map(|point| self.heard_at(Point::try_from(point).ok()?, host)).max()
    }

    /// Whether anything to this host was seen at any capture point.
    pub(super) fn reached(&self, host: IpAddr) -> bool {
        (0..self.points.len()).filter_map(|point| Point::try_from(point).ok()).any(|point| self.reached_at(point, host) != [false; 2])
    }

    fn heard_at(&self, point: Point, host: IpAddr) -> Option<Timestamp> {
        self.hosts.get(&(point, host)).map(|met| met.heard).filter(|heard| *heard != NEVER)
    }

    fn reached_at(&self, point: Point, host: IpAddr) -> [bool; 2] {
        self.hosts.get(&(point, host)).map_or([false; 2], |met| met.reached)
    }

    /// Lost share at the flow's interface, parts per thousand, about the time when its client last said something, or when it ended, whichever is more: so much of what
    /// it may have been answered was not captured.
    pub(super) fn loss(&self, flow: &Flow) -> u64 {
        let said = flow.tcp.as_ref().and_then(|tcp| tcp.last_data[0]).map(Moment::time).or(flow.client.last);
        let share = |time| self.stretches.share(self.living.as_deref(), flow.interface, time);
        if self.stretches.is_whole(self.living.as_deref(), flow.interface) { 0 } else { share(flow.last).max(said.map_or(0, share)) }
    }

    /// For the report.
    pub(super) fn summary(&self) -> Visibility {
        let unseen: BTreeSet<IpAddr> = self.unseen.keys().map(|(_, host)| *host).collect();
        let is_heard = |host: &IpAddr| self.places.values().any(|point| self.heard_at(*point, *host).is_some());
        let mut points: Vec<CapturePoint> = self.points.iter().map(|counts| counts.place.clone()).collect();
        for carried in self.links.values() {
            let Some(place) = points.get_mut(usize::from(carried.point)) else { continue };
            place.links_two_way += u64::from(carried.two_way > 0);
            place.links_one_way += u64::from(carried.two_way == 0 && carried.one_way > 0);
        }
        let forgotten = self.hosts.forgotten() + self.unseen.forgotten() + self.links.forgotten();
        Visibility {
            unheard: unseen.into_iter().filter(|host| !is_heard(host)).collect(),
            points: self.places.values().filter_map(|point| points.get(usize::from(*point)).cloned()).collect(),
            forgotten: self.summary.forgotten.saturating_add(forgotten),
            ..self.summary.clone()
        }
    }
}

/// The link that the client's packets take; none where the first packet was the server's, or the capture does not have both link addresses.
fn link(flow: &Flow, point: Point) -> Option<(Point, Mac, Mac)> {
    let by_client = flow.client.packets > 0 && flow.client.first.is_some_and(|first| first <= flow.server.first.unwrap_or(first));
    flow.link.filter(|link| by_client && !lacks_receiver(*link)).map(|(from, to)| (point, from, to))
}

/// On a loopback interface both addresses are zeros.
fn lacks_receiver((from, to): (Mac, Mac)) -> bool {
    to == Mac::UNKNOWN && from != Mac::UNKNOWN
}

/// Acknowledged and missed bytes of a flow seen both ways: where one side is not mirrored at all, that is no loss. A gap is never more than what was
/// acknowledged, whatever broken sequence numbers say. What a snap length cut off was there: no answer is missing for it.
fn loss_of(flow: &Flow) -> [u64; 2] {
    let both = flow.client.packets > 0 && flow.server.packets > 0;
    let Some(tcp) = flow.tcp.as_deref().filter(|_| both && !is_group(flow.server.endpoint.ip)) else { return [0; 2] };
    // Scanners acknowledge what nobody ever sent.
    if tcp.payload == [0, 0] && !tcp.established {
        return [0; 2];
    }
    let both = tcp.acknowledged.into_iter().zip(tcp.missed_bytes);
    let [all, lost] =
        both.fold([0_u64; 2], |[all, lost], (acknowledged, missed)| [all.saturating_add(acknowledged), lost.saturating_add(missed.min(acknowledged))]);
    [all, lost.saturating_sub(u64::from(tcp.cut_bytes))]
}

pub(super) fn per_mille(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1000).checked_div(whole).unwrap_or(0)
}
