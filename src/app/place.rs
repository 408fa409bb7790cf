//! Where what is printed goes: standard output or a file, painted or not, as wide as the terminal is. Nothing is said where nobody listens.

use std::fmt::Display;
use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice, StripStream};

use crate::app::args::{Color, Reading};
use crate::app::{Failure, whole};
use crate::capture;
use crate::report::paragraph::Page;

/// Prints to where a report goes. A file is written whole or not at all; formats for machines do not paint, so nothing is taken out of them.
///
/// # Errors
/// Those of the output, and those that `print` meets.
pub fn put(path: Option<&Path>, paints: bool, color: Color, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let answer = match path {
        None => standard(paints, color, print),
        Some(path) => whole::replace(path, |file| if paints { painted(file, color, print) } else { print(file) }),
    };
    answer.map_err(|error| Failure::Output { target: target(path), error })
}

/// Refuses to print over a file that is read, before anything is: a capture cannot be recorded again.
///
/// # Errors
/// Wrong usage, where the place is one of `captures`, lies in a folder of them and is a capture, or is a file of the options.
pub fn spare(path: Option<&Path>, captures: &[PathBuf], typed: &Reading, others: &[Option<&PathBuf>]) -> Result<(), Failure> {
    let Some(there) = path.and_then(|path| fs::canonicalize(path).ok()).filter(|there| there.is_file()) else { return Ok(()) };
    let refuse = || Err(Failure::Usage(format!("--output {}: is read by this very run; name another file", target(path))));
    for capture in captures.iter().filter_map(|capture| fs::canonicalize(capture).ok()) {
        if capture == there || (there.starts_with(&capture) && capture::is_capture(&there)) {
            return refuse();
        }
    }
    let files = typed.site.site.iter().chain(&typed.documents.signatures).chain(others.iter().filter_map(|other| *other));
    for file in files.filter_map(|file| fs::canonicalize(file).ok()) {
        if file == there || (there.starts_with(&file) && there.extension().is_some_and(|end| end == "toml")) {
            return refuse();
        }
    }
    Ok(())
}

/// Prints to standard output, which may be a terminal.
pub fn standard<T>(paints: bool, color: Color, print: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let out = io::stdout().lock();
    if !paints {
        let mut out = BufWriter::with_capacity(BUFFER, out);
        return print(&mut out).and_then(|done| out.flush().map(|()| done));
    }
    fit(color);
    let mut out = BufWriter::with_capacity(BUFFER, AutoStream::new(out, choice(color)));
    print(&mut out).and_then(|done| out.flush().map(|()| done))
}

/// Prints text for people to what is no terminal: with colours only where they are asked for.
pub fn painted<T>(out: &mut (dyn Write + 'static), color: Color, print: impl FnOnce(&mut dyn Write) -> T) -> T {
    if choice(color) == ColorChoice::Always { print(out) } else { print(&mut StripStream::new(out)) }
}

/// What messages call the place where a report goes.
pub fn target(path: Option<&Path>) -> String {
    path.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string())
}

/// What anstream calls the colour asked for.
pub fn choice(color: Color) -> ColorChoice {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
}

/// Fits text to the terminal on standard output, if there is one.
pub fn fit(color: Color) {
    let out = io::stdout();
    if !out.is_terminal() {
        return;
    }
    let columns = terminal_size::terminal_size_of(&out).map(|(width, _)| usize::from(width.0));
    let links = color != Color::Never && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout);
    Page::fit(columns, links);
}

/// A line on standard error, which may be closed.
pub fn tell(what: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "portbook: {what}");
}

/// Reports are written in pieces of this many bytes.
const BUFFER: usize = 1 << 16;
