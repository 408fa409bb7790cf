//! Commands that print a page and read no capture: completions, man.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::args::Arguments;
use crate::app::{Exit, Failure, written};

/// `portbook completions SHELL`.
pub fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "portbook", &mut script);
    print(&script)
}

/// `portbook man`: all commands on one page.
pub fn man() -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let command = Arguments::command();
    written(clap_mangen::Man::new(command.clone()).render(&mut page))?;
    for sub in command.get_subcommands() {
        let sub = sub.clone().display_name(format!("portbook {}", sub.get_name()));
        written(clap_mangen::Man::new(sub).render(&mut page))?;
    }
    print(&page)
}

fn print(page: &[u8]) -> Result<Exit, Failure> {
    written(io::Write::write_all(&mut io::stdout().lock(), page))?;
    Ok(Exit::Done)
}
