//! Until when a connection that is over takes in what still comes.

use std::time::Duration;

use super::Connection;
use crate::time::Timestamp;

impl Connection {
    /// When it was last heard.
    pub fn heard(&self) -> Timestamp {
        self.story.heard()
    }

    /// Payload before the FIN of client, of server that neither came nor was acknowledged.
    pub(super) fn untold(&self) -> [u64; 2] {
        self.ends.each_ref().map(|end| match end.fin.map(|fin| fin.get() - 1) {
            Some(payload_end) if !self.story.partial && end.acknowledged < payload_end => end.stream.short_of(payload_end),
            _ => 0,
        })
    }

    /// Closes it, unless it is closed already, and takes in stragglers for so long. Whoever repeats itself to somebody who does not hear it waits twice as long each time (RFC 6298
    /// section 5.5): its next repetition belongs here, too. Whether that changed when the connection is over.
    pub fn straggle(&mut self, closes: bool, before: Timestamp, now: Timestamp, linger: Duration) -> bool {
        let waited = now.since(before);
        let until = match self.closed {
            None if closes => now + linger,
            Some(closed) if waited >= REPEATS => closed.max(now + linger + waited.min(LONGEST) * 2),
            _ => return false,
        };
        self.closed = Some(until);
        true
    }
}

/// What comes sooner was on its way.
const REPEATS: Duration = Duration::from_millis(200);
/// The longest that Linux waits before it repeats itself; RFC 6298 section 2.5 allows a minute and more.
const LONGEST: Duration = Duration::from_secs(120);
