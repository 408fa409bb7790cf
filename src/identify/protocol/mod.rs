//! One file a protocol; this file says what one is and lists them.

mod opening;

pub use opening::{Confirm, Known, Look, Needs};

use crate::capture::FrameId;
use crate::identify::{Evidence, Fact, Match};
use crate::net::{Endpoint, Side, Transport};
use crate::time::Timestamp;

/// Knows one protocol: first whether a flow is it, then what its messages state.
pub trait Protocol: Sync {
    /// The name that records print: lower case, as in the contract.
    fn name(&self) -> &'static str;

    /// Transports it runs on.
    fn carriers(&self) -> &'static [Transport];

    /// Looks at how a flow begins. Called again whenever the opening has grown, until some protocol matches or all say it is not theirs.
    fn probe(&self, opening: &Opening<'_>) -> Probe;

    /// A reader for a flow that was recognised; it is given the opening first, then what follows.
    fn reader(&self) -> Box<dyn Reader>;
}

/// How a flow begins: what each side has sent so far, in order. Of a datagram transport: the first datagram of each side.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// TCP, UDP ...
    pub transport: Transport,
    /// The opener's bytes, as far as its direction is known; see `midstream`.
    pub client: &'a [u8],
    /// The other side's bytes.
    pub server: &'a [u8],
    /// Ends, for protocols whose bytes mean nothing away from their port or group.
    pub ends: (Endpoint, Endpoint),
    /// Who spoke first.
    pub first: Side,
    /// The start was not seen: only rules that hold in the middle of a stream may match, and sides may be swapped.
    pub midstream: bool,
    /// No more will come: decide.
    pub complete: bool,
    /// Of a datagram transport: the newest datagram and its sender, for protocols that one datagram cannot tell (RTP: same source,
    /// next sequence number). The first datagram of its side where only that has come; empty for streams.
    pub latest: (Side, &'a [u8]),
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It cannot be this protocol, whatever follows.
    NotForUs,
    /// It may be; more bytes or the other side will tell.
    NeedMore,
    /// It is.
    Found {
        /// One opening or both.
        evidence: Evidence,
        /// What matched (`frame` is filled in by the caller).
        hit: Hit,
        /// Who is the client by content; none where content does not say.
        client: Option<Side>,
    },
}

/// The bytes that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Whose.
    pub side: Side,
    /// Where.
    pub offset: u32,
    /// How many.
    pub len: u32,
    /// What about them.
    pub rule: &'static str,
}

impl Hit {
    /// The match that reports cite.
    pub fn at(self, frame: FrameId) -> Match {
        Match { side: self.side, offset: self.offset, len: self.len, rule: self.rule, frame }
    }
}

/// Reads a recognised flow and states facts.
pub trait Reader: Send {
    /// New bytes of one side in order, or one datagram.
    fn read(&mut self, piece: Piece<'_>, said: &mut Said<'_>) -> Appetite;

    /// The flow is over; what was held back may be said now.
    fn finish(&mut self, _said: &mut Said<'_>) {}
}

/// Bytes handed to a reader.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Who sent them.
    pub from: Side,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Stream offset of the first one; of datagrams, how many went before from this side.
    pub offset: u64,
    /// Bytes before these (stream) or after these (datagram) that were not captured.
    pub missing: u64,
    /// When.
    pub time: Timestamp,
    /// Where.
    pub frame: FrameId,
    /// Client and server.
    pub ends: (Endpoint, Endpoint),
    /// TCP, UDP ...
    pub transport: Transport,
}

/// Where a reader puts what it learned.
#[derive(Debug)]
pub struct Said<'a> {
    /// Facts in order. Bounded by [`limit::FACTS_KEPT`](crate::limit::FACTS_KEPT) a flow; the caller drops and counts what is beyond.
    pub facts: &'a mut Vec<Fact>,
    /// Raised, never lowered.
    pub evidence: &'a mut Evidence,
}

impl Said<'_> {
    /// States a fact.
    pub fn say(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Raises the evidence.
    pub fn believe(&mut self, evidence: Evidence) {
        *self.evidence = (*self.evidence).max(evidence);
    }
}

/// Whether a reader wants to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appetite {
    /// Give me what follows.
    Hungry,
    /// I know enough; free me.
    Full,
    /// From this stream offset of that side on (and the other side's present offset) another protocol speaks: look again
    /// (STARTTLS, CONNECT, upgrade).
    HandOver {
        /// Offset in the client's stream.
        client: u64,
        /// Offset in the server's stream.
        server: u64,
    },
}
