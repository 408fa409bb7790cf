//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use portbook::app::{self, args::Arguments};

fn main() -> ExitCode {
    match app::run(Arguments::parse()) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            if !failure.is_quiet() {
                anstream::eprintln!("portbook: {failure}");
            }
            ExitCode::from(failure.exit().code())
        }
    }
}
