//! What outcomes rest on, gathered segment by segment: who tried how often, who reset, what was never acknowledged.

use std::num::NonZeroU64;

use crate::decode::{Ip, Packet, Tcp, TcpFlags};
use crate::flow::stream::FIRST;
use crate::flow::{Moment, OpenSegment, Reset, TcpStory};
use crate::limit::SYNS_KEPT;
use crate::net::Side;

/// A segment with its place in the connection.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub side: Side,
    pub packet: &'a Packet<'a>,
    pub ip: &'a Ip,
    pub tcp: &'a Tcp,
    /// Its position.
    pub at: i64,
    /// By how much it ends beyond all its sender sent before.
    pub advance: i64,
    /// The position of the other end's stream that it acknowledges.
    pub peer_position: i64,
}

/// Adds a segment to the story.
pub(super) fn tell(story: &mut TcpStory, told: &Told<'_>) {
    let (side, flags) = (told.side as usize, told.tcp.flags);
    if story.is_blank() {
        story.midstream = !flags.has(TcpFlags::SYN);
        story.same_isn = true;
    }
    let silence = note_time(story, told);
    if flags.has(TcpFlags::SYN) {
        note_syn(story, told);
    }
    if flags.has(TcpFlags::RST) {
        note_reset(story, told, silence);
    } else {
        story.ttl[side] = Some(story.ttl[side].map_or((told.ip.ttl, told.ip.ttl), |(low, high)| (low.min(told.ip.ttl), high.max(told.ip.ttl))));
        story.ident[side] = told.ip.ident as u16;
        if story.reset.as_ref().is_some_and(|reset| reset.from == told.side) && told.packet.payload_len > 0 {
            story.data_after_reset = story.data_after_reset.saturating_add(1);
        }
    }
    if !flags.has(TcpFlags::RST) {
        story.stalled[side] = told.tcp.window == 0;
        story.zero_windows[side] = story.zero_windows[side].saturating_add(u32::from(told.tcp.window == 0));
    }
    story.fins[side] |= flags.has(TcpFlags::FIN);
    note_payload(story, told, silence);
    note_acknowledgment(story, told);
}

/// How long the connection had been silent, in nanoseconds.
fn note_time(story: &mut TcpStory, told: &Told<'_>) -> u64 {
    let time = told.packet.time;
    let silence = if story.begun { time.nanos_since(story.last) } else { 0 };
    (story.last, story.begun) = (if story.begun { story.last.max(time) } else { time }, true);
    silence
}

fn note_syn(story: &mut TcpStory, told: &Told<'_>) {
    let (time, frame) = (told.packet.time, told.packet.frame);
    if told.tcp.flags.has(TcpFlags::ACK) {
        if told.side == Side::Server {
            story.syn_acks = story.syn_acks.saturating_add(1);
            story.syn_ack_ttl.get_or_insert(told.ip.ttl);
            let asked = story.syn_times.last().map(|(asked, _)| NonZeroU64::new(time.nanos_since(*asked)).unwrap_or(NonZeroU64::MIN));
            story.syn_ack_delay = story.syn_ack_delay.or(asked);
        }
    } else if told.side == Side::Client {
        story.same_isn &= story.syns == 0 || told.advance <= 0;
        story.syns = story.syns.saturating_add(1);
        if story.syn_times.len() < SYNS_KEPT {
            story.syn_times.push((time, frame));
        }
    }
}

fn note_reset(story: &mut TcpStory, told: &Told<'_>, silence: u64) {
    story.resets = story.resets.saturating_add(1);
    let answers_syn = told.side == Side::Server && story.syns > 0 && story.syn_acks == 0 && !story.established;
    let reset = Reset {
        from: told.side,
        time: told.packet.time,
        frame: told.packet.frame,
        ttl: told.ip.ttl,
        ident: told.ip.ident,
        ident_before: story.ident[told.side as usize],
        after_silence: silence,
        sequence: told.tcp.sequence,
        with_ack: told.tcp.flags.has(TcpFlags::ACK),
        answers_syn,
        client_payload: story.payload[0],
        server_payload: story.payload[1],
    };
    match &story.reset {
        None => story.reset = Some(Box::new(reset)),
        Some(first) => story.resets_differ |= first.sequence != reset.sequence || first.from != reset.from,
    }
}

fn note_payload(story: &mut TcpStory, told: &Told<'_>, silence: u64) {
    let (side, len) = (told.side as usize, told.packet.payload_len);
    if len == 0 || told.tcp.flags.has(TcpFlags::RST) {
        return;
    }
    story.payload[side] = story.payload[side].saturating_add(u64::from(len));
    let moment = Moment::new(told.packet.time, told.packet.frame);
    story.first_data[side].get_or_insert(moment);
    story.last_data[side] = Some(moment);
    let is_keep_alive = len == 1 && told.advance == 0;
    if told.advance <= 0 && !is_keep_alive {
        story.retransmissions[side] = story.retransmissions[side].saturating_add(1);
    }
    let (end, open) = (told.at.saturating_add(i64::from(len)), &mut story.open_segment[side]);
    if (open.len, open.end) == (len, end) {
        open.again = open.again.saturating_add(1);
    } else if len > open.len {
        *open = OpenSegment { len, end, again: 0 };
        story.silence_before[side] = silence;
    }
}

fn note_acknowledgment(story: &mut TcpStory, told: &Told<'_>) {
    let flags = told.tcp.flags;
    if !flags.has(TcpFlags::ACK) || flags.has(TcpFlags::RST) {
        return;
    }
    let peer = told.side.other() as usize;
    let OpenSegment { len, end, .. } = story.open_segment[peer];
    if len > 0 && told.peer_position >= end {
        story.largest_acknowledged[peer] = story.largest_acknowledged[peer].max(len);
        story.open_segment[peer] = OpenSegment::default();
    }
    let goes_on = !flags.has(TcpFlags::SYN) && told.tcp.acknowledgment != 0;
    let shows = match told.side {
        Side::Client => told.peer_position >= FIRST,
        Side::Server => told.packet.payload_len > 0,
    };
    story.established |= goes_on && shows;
}
