//! What one end says once more, and whether the other one takes it.

use super::{Story, Told};
use crate::decode::TcpFlags;
use crate::flow::{OpenSegment, Repeats};

/// What an end says once more: content that was acknowledged, which it did not hear; or what only asks whether the other end is there (a keep-alive, RFC 9293 section 3.8.4), or
/// tells it good-bye. Whoever goes on has heard of the one, and whoever is heard is there. `paused`: it comes by timeout, if it is content that came before.
pub(super) fn note_again(story: &mut Story, told: &Told<'_>, silence: u64, paused: bool) {
    let (side, len, flags) = (told.side as usize, told.packet.payload_len, told.tcp.flags);
    if let Some(trouble) = &mut story.trouble {
        let is_alone = len == 0 && !flags.has(TcpFlags::SYN | TcpFlags::FIN);
        trouble.acknowledged_by = is_alone.then_some(told.side);
        if told.advance > 0 {
            trouble.repeats[side].acknowledged = 0;
        }
        hear(&mut trouble.repeats[1 - side], &story.open_segment[1 - side], told);
    }
    if told.advance > 0 || flags.has(TcpFlags::SYN) || told.late {
        return;
    }
    let is_keep_alive = len <= 1 && told.advance == i64::from(len) - 1 && !flags.has(TcpFlags::FIN);
    if is_keep_alive || (flags.has(TcpFlags::FIN) && len == 0) {
        let unanswered = &mut story.trouble().repeats[side].unanswered;
        let is_first = *unanswered == 0;
        *unanswered = unanswered.saturating_add(1);
        if is_first && story.open_segment[side].len == 0 {
            story.silence_before[side] = silence;
        }
    } else if len > 0 && paused && told.at.saturating_add(i64::from(len)) <= told.acknowledged {
        let acknowledged = &mut story.trouble().repeats[side].acknowledged;
        *acknowledged = acknowledged.saturating_add(1);
    }
}

/// What the other end, which is heard here, makes of what was said again.
fn hear(repeats: &mut Repeats, open: &OpenSegment, told: &Told<'_>) {
    repeats.unanswered = 0;
    let takes_none = open.len > 0 && told.peer_position.saturating_add(i64::from(open.len)) <= open.end;
    if !takes_none {
        repeats.untaken = 0;
    } else if told.tcp.flags.has(TcpFlags::ACK) && !told.late {
        repeats.untaken = u8::try_from(open.again).unwrap_or(u8::MAX);
    }
}
