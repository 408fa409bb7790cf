//! Bytes of a stream that were not captured, compared with the server's answers. A client that was refused may have been let in by an answer that was not
//! captured.

use super::{Live, Stage};
use crate::flow::TcpStory;
use crate::identify::protocol::{Appetite, Piece, Reader};
use crate::identify::{Fact, Spoken, Torn};
use crate::net::Side;

/// Tells a piece of a stream, of which so much was read, what it lacks in front of it, be it lost or dropped while nobody knew the protocol; whether its reader would have
/// wanted that. Most pieces lack nothing.
#[inline(always)]
pub(super) fn is_torn(piece: &mut Piece<'_>, read_to: &mut [u64; 2], reader: &dyn Reader) -> bool {
    let read_to = &mut read_to[piece.from as usize];
    piece.missing = piece.offset.saturating_sub(*read_to);
    *read_to = piece.offset.saturating_add(piece.bytes.len() as u64);
    piece.missing > 0 && !reader.passes(piece.from, piece.missing)
}

impl Spoken {
    /// The reader said this of a piece in front of which something is missing, or wants no more. Where it wants no more for what is missing, or for what the client said,
    /// what the server answers from here on is not read.
    #[cold]
    pub(super) fn tear(&mut self, torn: bool, from: Side, said: &[Fact], appetite: Appetite) {
        if torn && from == Side::Server {
            self.torn = Torn::Beyond;
            self.hear(said);
        }
        if appetite == Appetite::Full && (torn || from == Side::Client) && self.torn != Torn::Beyond {
            (self.torn, self.stopped_early) = (Torn::Nowhere, true);
        }
    }

    /// What was missing lies before an answer that is said now.
    pub(super) fn hear(&mut self, said: &[Fact]) {
        if self.torn == Torn::Beyond && said.iter().any(|fact| matches!(fact, Fact::Answer { by: Side::Server, .. })) {
            self.torn = Torn::Before;
        }
    }
}

impl Live {
    /// The stream is over: whether the server said more than its reader was given. What the snap length cut off is the end of what was read.
    pub(super) fn tell_torn(&mut self, tcp: &TcpStory) {
        let reads = matches!(self.stage, Stage::Read(_));
        let read = u64::from(self.base[1]).saturating_add(self.read_to[1]);
        let unread = tcp.acknowledged[1].saturating_sub(read) > u64::from(tcp.cut_bytes) || tcp.untold[1] > 0;
        let lost = tcp.missed_bytes.iter().sum::<u64>() > u64::from(tcp.cut_bytes) || tcp.untold[1] > 0;
        // Without the SYN-ACK it is not known where the server's stream begins.
        let begins_late = tcp.syn_acks == 0 && !self.spoken.opening[1].is_empty();
        let Spoken { torn, stopped_early, .. } = &mut self.spoken;
        *torn = match *torn {
            Torn::Nowhere if *stopped_early && unread && lost => Torn::Beyond,
            Torn::Nowhere if *stopped_early && tcp.missed_bytes[1] > 0 => Torn::Before,
            Torn::Nowhere | Torn::Before if reads && unread => Torn::Behind,
            Torn::Nowhere if begins_late => Torn::Before,
            known => known,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::FrameId;
    use crate::flow::{Data, Observer, Slot};
    use crate::identify::engine::Identifier;
    use crate::identify::engine::tests::flow;
    use crate::identify::{AnswerKind, Books};
    use crate::net::Side::{Client, Server};
    use crate::net::Transport;
    use crate::time::Timestamp;

    /// Where something is missing beside the last answer of a dialogue of which the pieces at these places were not captured, and how the answers went.
    fn torn(dialogue: &[(Side, &str)], lost: &[usize]) -> (Torn, Vec<AnswerKind>) {
        let books = Books::default();
        let mut flow = flow(Transport::TCP, crate::flow::Direction::Certain);
        let (mut identifier, mut offsets, mut missing, mut missed) = (Identifier::new(&books), [0u64; 2], [0u64; 2], [0u64; 2]);
        identifier.opened(Slot(3));
        for (place, (from, text)) in dialogue.iter().enumerate() {
            let (side, len) = (*from as usize, text.len() as u64);
            let (offset, bytes) = (offsets[side], text.as_bytes());
            offsets[side] += len;
            if lost.contains(&place) {
                missing[side] += len;
                missed[side] += len;
                continue;
            }
            let (missing, time, frame) = (std::mem::take(&mut missing[side]), Timestamp::default(), FrameId::default());
            identifier.data(Slot(3), &flow.parties(), Data { from: *from, bytes, offset, missing, midstream: false, time, frame, ttl: 64 });
            identifier.rested(&[Slot(3)]);
        }
        flow.tcp = Some(Box::new(TcpStory { syn_acks: 1, established: true, acknowledged: offsets, missed_bytes: missed, ..TcpStory::default() }));
        identifier.closed(Slot(3), flow);
        let identified = identifier.ended().remove(0);
        let kind = |fact: &Fact| if let Fact::Answer { kind, .. } = fact { Some(*kind) } else { None };
        (identified.torn, identified.facts.iter().filter_map(kind).collect())
    }

    use AnswerKind::{Accepted, Refused};

    const LOGIN: &[(Side, &str)] = &[
        (Server, "220 FTP server\r\n"),
        (Client, "USER bob\r\n"),
        (Server, "530 no\r\n"),
        (Client, "USER anonymous\r\n"),
        (Server, "230 in\r\n"),
        (Client, "SYST\r\n"),
        (Server, "215 UNIX\r\n"),
        (Client, "QUIT\r\n"),
        (Server, "221 bye\r\n"),
    ];

    #[test]
    fn what_is_missing_lies_before_behind_or_beyond_the_last_answer() {
        assert_eq!(torn(LOGIN, &[]), (Torn::Nowhere, vec![Refused, Accepted]));
        assert_eq!(torn(LOGIN, &[0]), (Torn::Before, vec![Refused, Accepted]));
        assert_eq!(torn(LOGIN, &[2]), (Torn::Before, vec![Accepted]));
        assert_eq!(torn(LOGIN, &[4]), (Torn::Beyond, vec![Refused]));
        assert_eq!(torn(LOGIN, &[4, 5, 6, 7, 8]), (Torn::Behind, vec![Refused]));
        // What the client said changes no answer.
        assert_eq!(torn(LOGIN, &[1, 3, 5]), (Torn::Nowhere, vec![Refused, Accepted]));
    }

    // A page of a server that wants a login, of which the middle was not captured
    #[test]
    fn what_is_missing_of_content_whose_length_was_told_was_no_answer() {
        let wants = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\n";
        let asks = (Client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(torn(&[asks, (Server, wants), (Server, "abc"), (Server, "def"), (Server, "ghi")], &[3]), (Torn::Nowhere, vec![Refused]));
        let served = (Server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let again = [asks, (Server, wants), (Server, "abcdefghi"), asks, served, asks, served];
        assert_eq!(torn(&again, &[4, 6]), (Torn::Behind, vec![Refused]));
        assert_eq!(torn(&again, &[2, 4]), (Torn::Before, vec![Refused, Accepted]));
    }

    // A reader that stops where its client's words are missing does not hear the answer
    #[test]
    fn what_nobody_reads_behind_words_that_are_missing_may_have_been_an_answer() {
        let stream: &[(Side, &str)] = &[
            (Client, "DESCRIBE rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
            (Server, "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n"),
            (Client, "DESCRIBE rtsp://a/b RTSP/1.0\r\nCSeq: 2\r\n\r\n"),
            (Client, "SETUP rtsp://a/b RTSP/1.0\r\nCSeq: 3\r\n\r\n"),
            (Server, "RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n"),
        ];
        assert_eq!(torn(stream, &[2]), (Torn::Beyond, vec![Refused]));
        assert_eq!(torn(&stream[..4], &[2]), (Torn::Nowhere, vec![Refused]));
    }
}
