//! Commands that print a page and read no capture: explain, signatures, completions, man.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::args::{Arguments, Explain, Signatures};
use crate::app::explain::Found;
use crate::app::signatures::CheckError;
use crate::app::{Exit, Failure, explain as answers, settings, signatures as lists, stdout, written};

/// `portbook explain QUERY`.
pub fn explain(typed: &Explain) -> Result<Exit, Failure> {
    let loaded = settings::documents(&typed.documents)?;
    written(answers::explain(&loaded, &typed.query, &mut stdout(typed.look.color))).map(exit)
}

/// `portbook signatures ...`.
pub fn signatures(typed: &Signatures) -> Result<Exit, Failure> {
    match typed {
        Signatures::List { documents, look } => {
            let loaded = settings::documents(documents)?;
            written(lists::list(&loaded, &mut stdout(look.color))).map(|()| Exit::Done)
        }
        Signatures::Show { id, documents, look } => {
            let loaded = settings::documents(documents)?;
            written(lists::show(&loaded, id, &mut stdout(look.color))).map(exit)
        }
        Signatures::Check { files, look } => match lists::check(files, &mut stdout(look.color)) {
            Ok(()) => Ok(Exit::Done),
            Err(CheckError::Files(error)) => Err(Failure::Usage(error.to_string())),
            Err(CheckError::Output(error)) => written(Err(error)).map(|()| Exit::Done),
        },
    }
}

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

/// A query that is understood and has no answer is an answer too; one that is not understood is wrong usage.
fn exit(found: Found) -> Exit {
    match found {
        Found::Written | Found::Nothing => Exit::Done,
        Found::NotUnderstood => Exit::Usage,
    }
}

fn print(page: &[u8]) -> Result<Exit, Failure> {
    written(io::Write::write_all(&mut io::stdout().lock(), page)).map(|()| Exit::Done)
}
