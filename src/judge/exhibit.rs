//! The flows that show a finding: a bounded number, the surest first, each with its frames, its place in the display filter and its Community ID. So
//! all that a finding cites is about the same flows.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::capture::FrameId;
use crate::flow::{CommunityId, Flow, Parties, community_id};
use crate::judge::filter::{Ends, Selection, display_filter};
use crate::judge::{Confidence, Finding, Occurrence};
use crate::limit;
use crate::net::Endpoint;
use crate::time::Timestamp;

/// By what flows are put in order: how sure they are, when they began, their ends.
type Place = (Reverse<Confidence>, Timestamp, FrameId, Endpoint, Endpoint);

/// Flows that show a finding. What is kept does not depend on the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Exhibits(BTreeMap<Place, Exhibit>);

#[derive(Clone, Debug)]
struct Exhibit {
    frames: Box<[FrameId]>,
    selection: Selection,
    parties: Parties,
    id: CommunityId,
}

impl Exhibit {
    fn occurrence(&self, (_, first, frame, ..): Place) -> Occurrence {
        Occurrence { first, frame, parties: self.parties, id: self.id }
    }
}

impl Exhibits {
    /// One flow with the frames that show it.
    pub(super) fn of(flow: &Flow, sure: Confidence, frames: &[FrameId]) -> Self {
        let mut exhibits = Self::default();
        exhibits.add(flow, sure, frames, 1);
        exhibits
    }

    /// With the questions of the link for these flows' servers.
    pub(super) fn with_questions(mut self) -> Self {
        for exhibit in self.0.values_mut() {
            exhibit.selection = exhibit.selection.with_questions();
        }
        self
    }

    /// Adds a flow with the frames that show it, and keeps the best `bound`.
    pub(super) fn add(&mut self, flow: &Flow, sure: Confidence, frames: &[FrameId], bound: usize) {
        let place = (Reverse(sure), flow.first, flow.first_frame, flow.client.endpoint, flow.server.endpoint);
        if self.0.len() >= bound && self.0.last_key_value().is_some_and(|(last, _)| *last < place) {
            return;
        }
        self.0.insert(place, Exhibit { frames: frames.into(), selection: Selection::flow(flow), parties: flow.parties(), id: community_id(flow) });
        self.keep(bound);
    }

    /// Adds those of others, and keeps the best `bound`.
    pub(super) fn merge(&mut self, others: Self, bound: usize) {
        self.0.extend(others.0);
        self.keep(bound);
    }

    /// Writes into a finding what it cites.
    pub(super) fn show(&self, ends: &Ends, finding: &mut Finding) {
        let mut frames: Vec<FrameId> = Vec::new();
        for exhibit in self.0.values() {
            let new = exhibit.frames.iter().filter(|frame| !frames.contains(frame)).copied().collect::<Vec<_>>();
            frames.extend(new.into_iter().take(limit::FRAMES_OF_A_FINDING - frames.len()));
        }
        frames.sort_unstable();
        let mut ids: Vec<CommunityId> = Vec::new();
        for exhibit in self.0.values() {
            if !ids.contains(&exhibit.id) {
                ids.push(exhibit.id);
            }
        }
        let mut occurrences: Vec<Occurrence> = self.0.iter().map(|(place, exhibit)| exhibit.occurrence(*place)).collect();
        occurrences.sort();
        let selections: Vec<Selection> = self.0.values().map(|exhibit| exhibit.selection).collect();
        finding.frames = frames;
        finding.display_filter = display_filter(&selections, ends);
        finding.flow_ids = ids;
        finding.selected = selections.len() as u64;
        finding.occurrences = occurrences;
    }

    fn keep(&mut self, bound: usize) {
        while self.0.len() > bound {
            self.0.pop_last();
        }
    }
}
