//! What identification costs a packet, averaged over the shared captures: with it, minus flows alone. Details that only flow records print are off.

#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

mod road;

use portbook::pipeline::stretch::Stretch;

fn main() {
    road::added(Stretch::InFlows, Stretch::Identified);
}
