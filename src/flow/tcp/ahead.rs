//! Segments that were captured before what they answer.

use super::{Connection, FAR, State, WROTE_SYN};
use crate::decode::{Tcp, TcpFlags};
use crate::flow::stream::FIRST;
use crate::net::Side;

impl Connection {
    /// Whether a segment of `side` acknowledges what the other end was not seen to send: that is still to come, or was not captured. Nobody acknowledges what he did
    /// not get, so where both are captured they came in the wrong order.
    #[inline]
    pub fn is_ahead(&self, side: Side, tcp: &Tcp) -> bool {
        if !tcp.flags.has(TcpFlags::ACK) {
            return false;
        }
        let (me, peer) = (&self.ends[side as usize], &self.ends[side.other() as usize]);
        if peer.state == State::Inactive {
            // The other half of the handshake. Who goes on once more without it is seen alone here.
            return me.written == WROTE_SYN && !tcp.flags.has(TcpFlags::SYN) && tcp.acknowledgment != 0;
        }
        let known = peer.start.wrapping_add(peer.last.max(peer.acknowledged) as u32);
        let further = i64::from(tcp.acknowledgment.wrapping_sub(known) as i32);
        // What answers the keep-alive that a connection begins with here acknowledges one more than that showed.
        let answers_keep_alive = self.story.partial && peer.last == FIRST && further == 1;
        (1..=FAR).contains(&further) && !answers_keep_alive
    }

    /// Whether a segment of `side` shows that what it said before was not captured: what one end sends is captured in order, and after these it says nothing more.
    pub fn goes_beyond(&self, side: Side, tcp: &Tcp) -> bool {
        let me = &self.ends[side as usize];
        if me.state == State::Inactive {
            return !tcp.flags.has(TcpFlags::SYN);
        }
        tcp.flags.has(TcpFlags::RST | TcpFlags::FIN) && tcp.sequence.wrapping_sub(me.start.wrapping_add(me.last as u32)) as i32 > 0
    }
}
