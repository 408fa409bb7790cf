//! Whose turn it is behind a TLS handshake: whether what the client asked was answered, as far as lengths and order of records tell.

use super::Side;
use crate::identify::Step;

/// What followed the handshake. In TLS 1.3 the server's tickets (RFC 8446 section 4.6.1) look like answers: some servers send one, some two of one length at once.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The client's Finished was seen (TLS 1.3).
    finished: bool,
    /// The client said something behind it.
    asked: bool,
    /// Who closed first.
    left: Option<Side>,
    /// Zeros that the client adds to its records: Java's does.
    padding: u16,
    /// Records of the server behind it; and the first one's length.
    records: u8,
    len: u16,
    /// The server answered.
    answered: bool,
    /// A record of the server came after the client had asked.
    replied: bool,
}

impl Turns {
    /// An encrypted record of TLS 1.3, by a suite whose digest has so many bytes.
    pub(super) fn hidden(&mut self, from: Side, len: u16, digest: u16) {
        match from {
            Side::Client if !self.finished => {
                self.padding = if len == digest + UNPADDED + PADDING { PADDING } else { 0 };
                self.finished = self.padding > 0 || FINISHED.contains(&len);
            }
            Side::Client if len <= ENCRYPTED_ALERT + self.padding => self.closes(from),
            // Who answers a reply had one.
            Side::Client => (self.asked, self.answered) = (true, self.answered || self.replied),
            Side::Server if self.finished && len > ENCRYPTED_ALERT => {
                self.records = self.records.saturating_add(1);
                self.replied |= self.asked;
                let is_ticket = len <= LARGEST_TICKET && (self.records == 1 || self.records == 2 && len == self.len);
                self.answered |= self.asked && !is_ticket;
                self.len = len;
            }
            Side::Server if self.finished => self.closes(from),
            Side::Server => {}
        }
    }

    /// Whether a record of the client is as long as its alerts are.
    pub(super) const fn is_alert(&self, len: u16) -> bool {
        len == ENCRYPTED_ALERT + self.padding
    }

    /// An encrypted alert behind the handshake.
    pub(super) fn closes(&mut self, from: Side) {
        self.left.get_or_insert(from);
    }

    /// How far a client came that asked nothing: by TLS 1.3, or where that is known otherwise. Where the server closes first the client took what it came for.
    pub(super) fn unused(&self, is_known: bool) -> Option<Step> {
        let is_unused = is_known || self.finished && !self.asked && self.records <= MOST_UNASKED;
        let step = match self.left {
            Some(Side::Server) => None,
            Some(Side::Client) => Some(Step::ClientLeft),
            None => Some(Step::ClientFinished),
        };
        step.filter(|_| is_unused)
    }

    /// Whether nothing more is to be learned.
    pub(super) const fn is_over(&self) -> bool {
        self.answered
    }

    /// Whether the client asked, and all that came of the server are tickets. A single record behind the question may be either.
    pub(super) const fn awaits(&self) -> bool {
        self.asked && !self.answered && (!self.replied || self.records == 2)
    }
}

/// Lengths of a record that holds a client's Finished (RFC 8446 section 4.4.4): a header of 4 bytes, a digest of 32 or 48, the inner type, a tag of 8 or 16 (appendix B.4).
const FINISHED: [u16; 4] = [45, 53, 61, 69];
/// What a record that holds it has besides the digest, with the tag of nearly all suites; and so much more by Java.
const UNPADDED: u16 = 21;
const PADDING: u16 = 16;
/// Records that a server sends unasked: tickets, and how it wants to speak (HTTP/2) or who it is (mail). What it sends beyond that is what its client came for (FTP).
const MOST_UNASKED: u8 = 4;
/// Length of a record that holds an alert, as that by which an end closes.
const ENCRYPTED_ALERT: u16 = 19;
/// Tickets hold what a server remembers of a session, at most its client's certificate.
const LARGEST_TICKET: u16 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn awaits(records: &[(Side, u16)]) -> bool {
        let mut turns = Turns::default();
        records.iter().for_each(|(from, len)| turns.hidden(*from, *len, 48));
        turns.awaits()
    }

    #[test]
    fn a_question_that_only_tickets_follow_is_not_answered() {
        use Side::{Client as C, Server as S};
        let begun = [(S, 900), (C, 69)];
        let after = |more: &[(Side, u16)]| awaits(&[&begun[..], more].concat());
        // OpenSSL's two tickets: before the question, around it, behind it; and a server that sends none.
        for tickets in [&[(S, 255), (S, 255), (C, 97)][..], &[(S, 255), (C, 97), (S, 255)], &[(C, 97), (S, 255), (S, 255)], &[(C, 97)]] {
            assert!(after(tickets), "{tickets:?}");
            assert!(after(&[tickets, &[(C, 19)]].concat()), "who leaves asks nothing");
        }
        // Answered; perhaps answered; nothing asked; a page in records of the largest size.
        for answered in [
            &[(C, 97), (S, 255), (S, 255), (S, 80)][..],
            &[(C, 97), (S, 255), (S, 80)],
            &[(C, 97), (S, 255)],
            &[(S, 255), (C, 97), (S, 80)],
            &[(S, 255), (S, 255), (C, 19)],
            &[(C, 97), (S, 16_401), (S, 16_401)],
            &[(C, 97), (S, 255), (C, 97), (S, 255)],
        ] {
            assert!(!after(answered), "{answered:?}");
        }
        // Java, which pads what it sends, closes.
        assert!(!awaits(&[(S, 900), (C, 85), (C, 35)]) && awaits(&[(S, 900), (C, 85), (C, 97)]));
        // Certificate and CertificateVerify of the client are part of the handshake.
        assert!(!awaits(&[(S, 900), (C, 800), (C, 280), (C, 69)]));
    }

    // curl, whom the name of the certificate does not suit; wget, which does not trust it; node; Java
    #[test]
    fn a_client_that_ends_the_handshake_and_asks_nothing_is_told_and_whether_it_took_its_leave() {
        use Side::{Client as C, Server as S};
        let unused = |records: &[(Side, u16)], digest: u16| {
            let mut turns = Turns::default();
            records.iter().for_each(|(from, len)| turns.hidden(*from, *len, digest));
            turns.unused(false)
        };
        assert_eq!(unused(&[(S, 900), (C, 69), (S, 298), (S, 298), (C, 19)], 48), Some(Step::ClientLeft));
        assert_eq!(unused(&[(S, 900), (C, 69), (S, 266), (S, 266)], 48), Some(Step::ClientFinished));
        assert_eq!(unused(&[(S, 900), (C, 69), (C, 35)], 32), Some(Step::ClientLeft));
        // Not ended, or used; or the server closed first, as that of FTP where it has sent a file.
        for others in [
            &[(S, 900), (C, 19)][..],
            &[(S, 900)],
            &[(S, 900), (C, 69), (C, 97), (S, 400), (C, 19)],
            &[(S, 900), (C, 69), (C, 35)],
            &[(S, 900), (C, 69), (S, 80), (S, 19), (C, 19)],
        ] {
            assert_eq!(unused(others, 48), None, "{others:?}");
        }
    }
}
