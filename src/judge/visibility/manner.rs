//! How hosts send: from how far away (time to live), how fast. A packet that somebody else sends in a host's name differs from that.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::flow::{Flow, Reset};
use crate::judge::memory::Marked;
use crate::judge::threshold;
use crate::limit;
use crate::net::Side;

/// Lowest and highest time to live.
type Ttls = (u8, u8);

/// What is known of one host.
#[derive(Clone, Copy, Debug, Default)]
struct Manner {
    /// Of all its TCP packets besides resets.
    all: Option<Ttls>,
    /// Of its packets in connections in which it said something.
    talking: Option<Ttls>,
    /// Its fastest SYN-ACK, in nanoseconds after the SYN.
    fastest: Option<NonZeroU64>,
}

/// What is known of hosts.
#[derive(Clone, Debug)]
pub(super) struct Manners(Marked<IpAddr, Manner>);

impl Default for Manners {
    fn default() -> Self {
        Self(Marked::new(limit::HOSTS_REMEMBERED))
    }
}

/// How a reset differs from what its host sends otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::judge) struct Foreign {
    /// How far its time to live lies from all that the host sent otherwise; none where nothing else of it was seen.
    pub(in crate::judge) hops_off: Option<u8>,
    /// It came earlier than the host can answer.
    pub(in crate::judge) early: bool,
    /// Its identification belongs to another counter.
    pub(in crate::judge) other_counter: bool,
}

impl Foreign {
    /// How many signs show that somebody else sent it.
    pub(in crate::judge) fn signs(self) -> u8 {
        u8::from(self.is_far()) + u8::from(self.early) + u8::from(self.other_counter)
    }

    /// Whether it comes from another distance.
    pub(in crate::judge) fn is_far(self) -> bool {
        self.hops_off.is_some_and(|off| off >= threshold::FOREIGN_HOPS)
    }
}

impl Manners {
    /// Enters a flow between single hosts.
    pub(super) fn learn(&mut self, flow: &Flow) {
        let Some(tcp) = &flow.tcp else { return };
        for (end, ttls, delay) in [(&flow.client, tcp.ttl[0], None), (&flow.server, tcp.ttl[1], tcp.syn_ack_delay)] {
            let ttls = ttls.filter(|(low, _)| *low > threshold::CHOSEN_TTL);
            if ttls.is_none() && delay.is_none() {
                continue;
            }
            let manner = self.0.meet(&end.endpoint.ip);
            if let Some(ttls) = ttls {
                manner.all = Some(wider(manner.all, ttls));
                if end.payload_bytes > 0 {
                    manner.talking = Some(wider(manner.talking, ttls));
                }
            }
            if let Some(delay) = delay {
                manner.fastest = Some(manner.fastest.map_or(delay, |known| known.min(delay)));
            }
        }
    }

    /// How the reset differs from what its host sends otherwise. `waited`: from the packet that it answers.
    pub(super) fn foreign(&self, flow: &Flow, reset: &Reset, waited: Option<Duration>) -> Foreign {
        let host = if reset.from == Side::Server { flow.server.endpoint.ip } else { flow.client.endpoint.ip };
        let Some(manner) = self.0.get(&host) else { return Foreign::default() };
        let early = manner
            .fastest
            .map(|fastest| Duration::from_nanos(fastest.get()))
            .zip(waited)
            .is_some_and(|(fastest, waited)| waited < fastest / 2 && fastest - waited >= threshold::CLEARLY_EARLIER);
        let numbers = (u16::try_from(reset.ident).unwrap_or(0), reset.ident_before);
        let ahead = numbers.0.wrapping_sub(numbers.1);
        let distance = ahead.min(ahead.wrapping_neg());
        let other_counter = numbers.0 != 0 && numbers.1 != 0 && distance > threshold::SAME_COUNTER;
        Foreign { hops_off: manner.all.map(|ttls| hops_off(reset.ttl, ttls)), early, other_counter }
    }

    /// How far the SYN-ACK's time to live lies from what the host sends where it talks; none where it was never heard talking.
    pub(super) fn syn_ack_off(&self, flow: &Flow) -> Option<u8> {
        let ttl = flow.tcp.as_ref()?.syn_ack_ttl?;
        Some(hops_off(ttl, self.0.get(&flow.server.endpoint.ip)?.talking?))
    }

    /// How many were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.0.forgotten()
    }
}

fn wider(known: Option<Ttls>, (low, high): Ttls) -> Ttls {
    known.map_or((low, high), |(lowest, highest)| (lowest.min(low), highest.max(high)))
}

/// How far the time to live lies outside of what the host sent otherwise. Some hosts send resets with another initial time to live than data, so the
/// distance that it tells must differ, too.
fn hops_off(ttl: u8, (low, high): Ttls) -> u8 {
    let outside = |value: u8, low: u8, high: u8| if value < low { low - value } else { value.saturating_sub(high) };
    outside(ttl, low, high).min(outside(hops(ttl), hops(low).min(hops(high)), hops(low).max(hops(high))))
}

/// Hops that a packet has passed, by the initial times to live in use: 32, 64, 128, 255.
fn hops(ttl: u8) -> u8 {
    [32, 64, 128].into_iter().find(|initial| ttl <= *initial).unwrap_or(u8::MAX) - ttl
}
