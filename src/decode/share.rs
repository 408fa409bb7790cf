//! For those who take a share of the traffic: most frames of others are left out unread.

use std::ops::DerefMut;

use super::cursor::Cursor;
use super::{Content, Packet, link};
use crate::capture::Frame;

/// [`decode`](super::decode) of those frames, in order, that are `kept`, which says so of each, added to `out`. Of those that are not, a few become
/// [`Content::Elsewhere`], for their time: whoever hears the times of all that is in `out` knows as well what time it is, at each packet, as who hears all frames. Of
/// those that are kept and not [plainly](super::between) between two ends, whoever takes them has to look at what was decoded.
pub fn decode_share<'a>(frames: &[Frame<'a>], kept: &[bool], out: &mut (impl Extend<Packet<'a>> + DerefMut<Target = [Packet<'a>]>)) {
    for (batch, kept) in frames.chunks(u64::BITS as usize).zip(kept.chunks(u64::BITS as usize)) {
        let kept = Members::of(kept.iter().copied());
        let told = Members(kept.0 | !in_between(batch).0 & Members::first(batch.len()).0);
        let start = out.len();
        // In place, as decoding of all frames does it.
        out.extend(told.filter_map(|number| batch.get(number)).map(Packet::of));
        for (number, packet) in told.zip(out.iter_mut().skip(start)) {
            match batch.get(number) {
                Some(frame) if kept.has(number) => _ = link::read(frame.link, Cursor::new(frame.bytes, frame.wire_len), packet),
                _ => packet.content = Content::Elsewhere,
            }
        }
    }
}

/// Frames whose time tells nothing that those around them do not: all are of one second and in order. Two of that second go before, as the first that is far ahead of
/// all others is not believed, and whoever looks around once a second does it at the first that is.
fn in_between(batch: &[Frame<'_>]) -> Members {
    let second = |frame: &Frame<'_>| frame.time.nanos().div_euclid(NANOS);
    let tells_nothing = |frames: &[Frame<'_>]| {
        let [before, last, this, next] = frames else { return false };
        let in_order = (last.time <= this.time) & (this.time <= next.time);
        in_order & (second(before) == second(next)) & (second(last) == second(next))
    };
    Members(Members::of(batch.windows(4).map(tells_nothing)).0 << 2)
}

/// Some of the frames of a batch, a bit for each. Gone through without asking each frame whether it is one of them: which are is not to be foreseen.
#[derive(Clone, Copy)]
struct Members(u64);

impl Members {
    fn of(are: impl Iterator<Item = bool>) -> Self {
        Self(are.zip(0..u64::BITS).fold(0, |all, (is, number)| all | u64::from(is) << number))
    }

    /// So many, from the first.
    fn first(many: usize) -> Self {
        Self(if many < u64::BITS as usize { (1 << many) - 1 } else { u64::MAX })
    }

    fn has(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }
}

impl Iterator for Members {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let first = (self.0 != 0).then(|| self.0.trailing_zeros() as usize);
        self.0 &= self.0.wrapping_sub(1);
        first
    }
}

const NANOS: i64 = 1_000_000_000;
