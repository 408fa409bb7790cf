//! Commands that print a page and read no capture: explain, signatures, completions, man.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::args::{Arguments, Explain, Signatures};
use crate::app::{Exit, Failure, settings, stdout, written};
use crate::app::{explain as answers, signatures as lists};

/// `portbook explain QUERY`.
pub fn explain(typed: &Explain) -> Result<Exit, Failure> {
    let loaded = settings::documents(&typed.documents)?;
    let mut out = stdout(typed.look.color);
    let found = answers::explain(&loaded, &typed.query, &mut out);
    match found {
        Ok(true) => Ok(Exit::Done),
        Ok(false) => Ok(Exit::Usage),
        Err(error) => written(Err(error)).map(|()| Exit::Done),
    }
}

/// `portbook signatures ...`.
pub fn signatures(typed: &Signatures) -> Result<Exit, Failure> {
    match typed {
        Signatures::List { documents, look } => {
            let loaded = settings::documents(documents)?;
            written(lists::list(&loaded, &mut stdout(look.color)))?;
            Ok(Exit::Done)
        }
        Signatures::Show { id, documents, look } => {
            let loaded = settings::documents(documents)?;
            let found = lists::show(&loaded, id, &mut stdout(look.color)).map_err(|error| Failure::Output { target: "standard output".to_owned(), error })?;
            Ok(if found { Exit::Done } else { Exit::Usage })
        }
        Signatures::Check { files, look } => {
            let sound = lists::check(files, &mut stdout(look.color)).map_err(|error| Failure::Output { target: "standard output".to_owned(), error })?;
            Ok(if sound { Exit::Done } else { Exit::Usage })
        }
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

fn print(page: &[u8]) -> Result<Exit, Failure> {
    written(io::Write::write_all(&mut io::stdout().lock(), page))?;
    Ok(Exit::Done)
}
