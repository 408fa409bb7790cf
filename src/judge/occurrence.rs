//! Flows that a finding points at: enough of each to find it again in the capture and in other tools' logs.

use crate::capture::FrameId;
use crate::flow::{CommunityId, Parties};
use crate::time::Timestamp;

/// One flow of a finding. Ordered by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// Time of its first packet.
    pub first: Timestamp,
    /// Its first frame.
    pub frame: FrameId,
    /// Between whom.
    pub parties: Parties,
    /// Its Community ID.
    pub id: CommunityId,
}
