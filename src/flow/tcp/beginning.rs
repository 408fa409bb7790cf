//! Where the sequence numbers of an end begin.

use crate::decode::{Tcp, TcpFlags};
use crate::flow::stream::FIRST;
use crate::flow::tcp::{Connection, FAR, Half, SERVER, State};

impl Connection {
    /// Sets where an end's sequence numbers begin.
    pub(super) fn begin(&mut self, me: usize, tcp: &Tcp, taken: i64) {
        let syn = tcp.flags.has(TcpFlags::SYN);
        // The client acknowledged a SYN-ACK that the capture lost.
        let is_known = me == SERVER && self.story.has_syn();
        let is_acknowledged = |end: &Half| is_known && end.start != 0 && (FIRST..FAR).contains(&end.relative(tcp.sequence, 0));
        let end = &mut self.ends[me];
        match end.state {
            State::Inactive if syn => end.begin(tcp.sequence, taken),
            // What lies between was lost with the SYN-ACK.
            State::Inactive if is_acknowledged(end) => end.last = FIRST,
            State::Inactive => end.join(tcp.sequence),
            State::SynSent | State::SynAckSent if syn && tcp.sequence != end.start => end.begin(tcp.sequence, taken),
            // Perhaps nothing had been established, and this SYN begins it.
            State::Established | State::Partial if syn => end.begin(tcp.sequence, taken),
            State::Reset if syn && end.previous == State::Inactive => end.begin(tcp.sequence, taken),
            _ => {}
        }
    }
}

impl Half {
    /// Begins with the first segment that was captured, as if there had been a SYN, so that positions mean the same. What the other end acknowledged before, by a card whose clock
    /// is behind, stays acknowledged.
    fn join(&mut self, sequence: u32) {
        let was_acknowledged = self.start.wrapping_add(FIRST as u32);
        let is_known = self.start != 0;
        self.begin(sequence.wrapping_sub(1), FIRST);
        let position = self.relative(was_acknowledged, FIRST);
        if is_known && (FIRST + 1..FAR).contains(&position) {
            self.acknowledged = position;
        }
    }
}
