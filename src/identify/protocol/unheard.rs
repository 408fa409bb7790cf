//! What is asked again and again though it was answered each time: the answers do not arrive.

use std::time::Duration;

use crate::identify::Fact;
use crate::time::Timestamp;

use super::Said;

/// The last request that was answered, by a mark that no other request of the flow has, and how often it came again after that.
#[derive(Debug, Default)]
pub struct Unheard {
    mark: u64,
    /// When it was answered; none once something was asked after that.
    answered: Option<Timestamp>,
    times: u8,
}

impl Unheard {
    /// The request with that mark was answered.
    pub fn answered(&mut self, mark: u64, time: Timestamp) {
        if self.mark != mark {
            (self.mark, self.times) = (mark, 0);
        }
        self.answered = Some(time);
    }

    /// Something is asked: its mark is needed only where the last question was answered. A client that had two copies on their way asks no third time.
    pub fn asked(&mut self, mark: impl FnOnce() -> u64, time: Timestamp) {
        let Some(answered) = self.answered.take() else { return };
        if mark() == self.mark && time.since(answered) <= ASKED_AGAIN_BY {
            self.times = self.times.saturating_add(1);
        } else {
            *self = Self::default();
        }
    }

    /// Says so at the end of the flow, if nothing else was asked since.
    pub fn tell(&self, said: &mut Said<'_>) {
        if self.times >= TIMES {
            said.say(Fact::Unheard);
        }
    }
}

/// Who waits in vain asks again within so long: resolvers' clients after five seconds (resolv.conf(5)), DTLS after four at its third try (RFC 6347 section 4.2.4.1), SRT
/// four times a second. Who asks the same later asks anew.
const ASKED_AGAIN_BY: Duration = Duration::from_secs(6);
/// One answer may be lost, or be on its way while its question is sent again.
const TIMES: u8 = 2;
