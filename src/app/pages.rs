//! Commands that print a page and read no capture: explain, signatures, completions, man.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::args::{Arguments, Color, Explain, Signatures};
use crate::app::explain::Found;
use crate::app::place::standard;
use crate::app::signatures::CheckError;
use crate::app::{Exit, Failure, explain as answers, settings, signatures as lists, written};

/// `portbook explain QUERY`.
pub fn explain(typed: &Explain) -> Result<Exit, Failure> {
    let loaded = settings::documents(&typed.documents)?.of_vendors(&typed.documents.product);
    answer(typed.look.color, |mut out| answers::explain(&loaded, &typed.query.join(" "), &mut out))
}

/// `portbook signatures ...`.
pub fn signatures(typed: &Signatures) -> Result<Exit, Failure> {
    match typed {
        Signatures::List { documents, look } => {
            let loaded = settings::documents(documents)?;
            written(standard(true, look.color, |mut out| lists::list(&loaded, &documents.product, &mut out))).map(|()| Exit::Done)
        }
        Signatures::Show { id, documents, look } => {
            let loaded = settings::documents(documents)?.of_vendors(&documents.product);
            answer(look.color, |mut out| lists::show(&loaded, id, &mut out))
        }
        Signatures::Check { files, look } => match written(standard(true, look.color, |mut out| Ok(lists::check(files, &mut out))))? {
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
        let name = format!("portbook {}", sub.get_name());
        let sub = sub.clone().bin_name(name.clone()).display_name(name);
        written(clap_mangen::Man::new(sub).render(&mut page))?;
    }
    print(&page)
}

/// A query that is understood and has no answer is an answer too; one that is not understood is wrong usage, and told where mistakes are told.
fn answer(color: Color, ask: impl FnOnce(&mut Vec<u8>) -> io::Result<Found>) -> Result<Exit, Failure> {
    let answer = standard(true, color, |out| {
        let mut text = Vec::new();
        match ask(&mut text)? {
            Found::Written | Found::Nothing => out.write_all(&text).map(|()| None),
            Found::NotUnderstood => Ok(Some(text)),
        }
    });
    match written(answer)? {
        None => Ok(Exit::Done),
        Some(text) => Err(Failure::Usage(String::from_utf8_lossy(&text).trim_end().to_owned())),
    }
}

fn print(page: &[u8]) -> Result<Exit, Failure> {
    written(standard(false, Color::Never, |out| out.write_all(page))).map(|()| Exit::Done)
}
