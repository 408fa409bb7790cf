//! What judging and the text report cost a packet, averaged over the shared captures: the whole road, minus identification.

#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

mod road;

use portbook::pipeline::stretch::Stretch;

fn main() {
    road::added(Stretch::Identified, Stretch::Judged);
}
