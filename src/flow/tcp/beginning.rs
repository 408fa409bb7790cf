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
            // As if there had been a SYN, so that positions mean the same.
            State::Inactive => end.begin(tcp.sequence.wrapping_sub(1), FIRST),
            State::SynSent | State::SynAckSent if syn && tcp.sequence != end.start => end.begin(tcp.sequence, taken),
            // Perhaps nothing had been established, and this SYN begins it.
            State::Established | State::Partial if syn => end.begin(tcp.sequence, taken),
            State::Reset if syn && end.previous == State::Inactive => end.begin(tcp.sequence, taken),
            _ => {}
        }
    }
}
