//! Tests of the room as a whole: hand-made flows, the built-in documents, what is said of them.

mod account;
mod answers;
mod datagrams;
mod endings;
mod findings;
mod gaps;
mod gathering;
mod groups;
mod guide;
mod hangs;
mod healthy;
mod live;
mod middles;
mod names_and_promises;
mod neighbours;
mod outcomes;
mod refusals;
mod rows;
pub(in crate::judge) mod sample;
mod scans;
mod semantics;
mod semantics_of_sites;
mod shown;
mod site;
mod tunnels;
mod unknown;
mod verdicts;
