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
        let is_down = |card: &&Card| about(&card.name, "operstate").is_some_and(|state| state.trim() == "down");
        let told = |card: &Card| SourceError { path: card.name.clone(), what: "is down".to_owned(), hint: format!("ip link set {} up", card.name) };
        self.0.iter().filter(is_down).map(told).collect()
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
