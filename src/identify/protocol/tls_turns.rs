//! Whose turn it is behind a TLS handshake: whether what the client asked was answered, as far as lengths and order of records tell.

use super::Side;

/// What followed the handshake. In TLS 1.3 the server's tickets (RFC 8446 section 4.6.1) look like answers: some servers send one, some two of one length at once.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The client's Finished was seen (TLS 1.3).
    finished: bool,
    /// The client said something behind it.
    asked: bool,
    /// Records of the server behind it; and the first one's length.
    records: u8,
    len: u16,
    /// The server answered.
    answered: bool,
    /// A record of the server came after the client had asked.
    replied: bool,
}

impl Turns {
    /// An encrypted record of TLS 1.3.
    pub(super) fn hidden(&mut self, from: Side, len: u16) {
        match from {
            Side::Client if !self.finished => self.finished = FINISHED.contains(&len),
            // Who answers a reply had one.
            Side::Client if len > ENCRYPTED_ALERT => (self.asked, self.answered) = (true, self.answered || self.replied),
            Side::Server if self.finished && len > ENCRYPTED_ALERT => {
                self.records = self.records.saturating_add(1);
                self.replied |= self.asked;
                let is_ticket = len <= LARGEST_TICKET && (self.records == 1 || self.records == 2 && len == self.len);
                self.answered |= self.asked && !is_ticket;
                self.len = len;
            }
            _ => {}
        }
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
/// Length of a record that holds an alert, as that by which an end closes.
const ENCRYPTED_ALERT: u16 = 19;
/// Tickets hold what a server remembers of a session, at most its client's certificate.
const LARGEST_TICKET: u16 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn awaits(records: &[(Side, u16)]) -> bool {
        let mut turns = Turns::default();
        records.iter().for_each(|(from, len)| turns.hidden(*from, *len));
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
        // Certificate and CertificateVerify of the client are part of the handshake.
        assert!(!awaits(&[(S, 900), (C, 800), (C, 280), (C, 69)]));
    }
}
