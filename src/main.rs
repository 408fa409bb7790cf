//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use portbook::app::{self, args::Arguments};

/// Flows come and go by the hundred thousand, each with a few small parts: the C library's allocator takes a quarter of the time of a run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match app::run(Arguments::parse()) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            if !failure.is_quiet() {
                app::place::tell(&failure);
            }
            ExitCode::from(failure.exit().code())
        }
    }
}
