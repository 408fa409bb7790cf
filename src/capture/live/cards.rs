//! What the system says of interfaces: whether they are up, and what cards dropped before the kernel had it. libpcap tells some of it, but only where the
//! capturing thread may open files; of an interface that is down and comes up again it says nothing, and goes on.

use crate::capture::SourceError;

/// Counters of interfaces, since they were first read.
#[derive(Debug)]
pub struct Cards(Vec<Card>);

#[derive(Debug)]
struct Card {
    name: String,
    last: u64,
    total: u64,
}

impl Cards {
    /// Begins to count.
    pub fn begin(names: &[String]) -> Self {
        Self(names.iter().map(|name| Card { name: name.clone(), last: missed(name).unwrap_or(0), total: 0 }).collect())
    }

    /// Packets that each has dropped since.
    pub fn read(&mut self) -> impl Iterator<Item = u64> {
        self.0.iter_mut().map(|card| {
            if let Some(now) = missed(&card.name) {
                // An interface that was made anew counts from nothing.
                card.total += now.checked_sub(card.last).unwrap_or(now);
                card.last = now;
            }
            card.total
        })
    }
}

impl Cards {
    /// Interfaces that are down, so that nothing can be captured on them.
    pub fn down(&self) -> Vec<SourceError> {
        self.0.iter().filter_map(|card| down(&card.name, &about(&card.name, "operstate")?, &about(&card.name, "flags")?)).collect()
    }
}

/// What the state of an interface (RFC 2863, the kernel's words for it) and its flags say of one that can hear nothing: it was not set up, or nothing is at the other end of its cable.
fn down(name: &str, state: &str, flags: &str) -> Option<SourceError> {
    let told = |what: &str, hint: String| Some(SourceError { path: name.to_owned(), what: what.to_owned(), hint });
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(0);
    match state.trim() {
        "down" if flags & UP == 0 => told("is down", format!("ip link set {name} up")),
        "down" => told("has no link", "is its cable in, and what is at its other end up?".to_owned()),
        // Of a VLAN, a bond, a tunnel: what is below it has no link.
        "lowerlayerdown" => told("has no link", "the interface below it, or at its other end, is down or has no link".to_owned()),
        _ => None,
    }
}

/// `rx_missed_errors`: packets that found no room on their way from the card (Linux, Documentation/networking/statistics.rst).
fn missed(name: &str) -> Option<u64> {
    about(name, "statistics/rx_missed_errors")?.trim().parse().ok()
}

fn about(name: &str, what: &str) -> Option<String> {
    let is_plain = !name.contains('/') && !name.starts_with('.');
    is_plain.then(|| std::fs::read_to_string(format!("/sys/class/net/{name}/{what}")).ok()).flatten()
}

/// `IFF_UP`: somebody has set the interface up (netdevice(7)).
const UP: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_was_not_set_up_is_told_apart_from_one_whose_cable_is_out() {
        let told = |state: &str, flags: &str| down("eth1", state, flags).map(|fault| fault.to_string());
        assert_eq!(told("down\n", "0x1002\n").as_deref(), Some("eth1: is down (ip link set eth1 up)"));
        // Set up, broadcast, multicast, and promiscuous: all that can be done on this machine was done.
        let unplugged = told("down\n", "0x1103\n").unwrap_or_default();
        assert!(unplugged.starts_with("eth1: has no link (") && !unplugged.contains("ip link"), "{unplugged}");
        assert!(told("lowerlayerdown\n", "0x1003\n").is_some_and(|said| said.starts_with("eth1: has no link (")));
        assert_eq!([told("up\n", "0x1003\n"), told("unknown\n", "0x9\n")], [None, None]);
    }
}
