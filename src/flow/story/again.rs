//! What one end says once more, and whether the other one takes it.

use super::{Story, Told, Trouble};
use crate::decode::TcpFlags;
use crate::flow::OpenSegment;

/// What an end says once more: content that was acknowledged, which it did not hear; or what only asks whether the other end is there (a keep-alive, RFC 9293 section 3.8.4), or
/// tells it good-bye. Whoever goes on has heard of the one, and whoever is heard is there. `paused`: it comes by timeout, if it is content that came before.
pub(super) fn note_again(story: &mut Story, told: &Told<'_>, silence: u64, paused: bool) {
    let (side, len, flags) = (told.side as usize, told.packet.payload_len, told.tcp.flags);
    if let Some(trouble) = &mut story.trouble {
        let is_alone = len == 0 && !flags.has(TcpFlags::SYN | TcpFlags::FIN);
        trouble.acknowledged_by = is_alone.then_some(told.side);
        trouble.unheard[1 - side] = 0;
        if told.advance > 0 {
            trouble.in_vain[side] = 0;
        }
        note_heeding(trouble, &story.open_segment[1 - side], told);
    }
    if told.advance > 0 || flags.has(TcpFlags::SYN) || told.late {
        return;
    }
    let is_keep_alive = len <= 1 && told.advance == i64::from(len) - 1 && !flags.has(TcpFlags::FIN);
    if is_keep_alive || (flags.has(TcpFlags::FIN) && len == 0) {
        let unheard = &mut story.trouble().unheard[side];
        let is_first = *unheard == 0;
        *unheard = unheard.saturating_add(1);
        if is_first && story.open_segment[side].len == 0 {
            story.silence_before[side] = silence;
        }
    } else if len > 0 && paused && told.at.saturating_add(i64::from(len)) <= told.acknowledged {
        let in_vain = &mut story.trouble().in_vain[side];
        *in_vain = in_vain.saturating_add(1);
    }
}

/// Whether who is heard here has taken what the other end says again and again.
fn note_heeding(trouble: &mut Trouble, open: &OpenSegment, told: &Told<'_>) {
    let other = told.side.other();
    let takes_none = open.len > 0 && told.peer_position.saturating_add(i64::from(open.len)) <= open.end;
    if !takes_none {
        trouble.unheeded = trouble.unheeded.filter(|side| *side != other);
    } else if open.again >= UNHEEDED && told.tcp.flags.has(TcpFlags::ACK) && !told.late {
        trouble.unheeded = Some(other);
    }
}

/// So often content must have come again before whoever is heard without having taken it counts: its acknowledgment of an earlier copy would have been here, as timeouts are longer than the
/// way there and back.
const UNHEEDED: u32 = 3;
