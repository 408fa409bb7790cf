//! The whole road, stretch by stretch: `portbook bench` on `PORTBOOK_BENCH` where it names a capture, else on the shared bench capture beside the repository.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a bench prints what it measures and stops where it cannot")]

use std::path::PathBuf;
use std::process::Command;

fn main() {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/bench/base.pcap");
    let Some(capture) = std::env::var_os("PORTBOOK_BENCH").map(PathBuf::from).or_else(|| shared.exists().then_some(shared)) else {
        return println!("skipped: no capture to read; set PORTBOOK_BENCH");
    };
    println!("{}", capture.display());
    let done = Command::new(env!("CARGO_BIN_EXE_portbook")).args(["bench", "--rounds", "7"]).arg(capture).status().expect("portbook runs");
    assert!(done.success(), "{done}");
}
