//! What people type who come from tcpdump or Wireshark: the parser's refusal is kept, and its advice becomes what to type here.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The refusal with advice for habits of other programs; as it was where none is known.
pub fn advised(mut error: clap::Error, typed: &[OsString]) -> clap::Error {
    let said = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let advice = match error.kind() {
        ErrorKind::InvalidSubcommand => capture(&said(ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => option(&said(ContextKind::InvalidArg), typed),
        ErrorKind::InvalidValue => format(&said(ContextKind::InvalidArg), &said(ContextKind::InvalidValue), typed),
        ErrorKind::ValueValidation if said(ContextKind::InvalidArg).starts_with("--metrics") => Some("write address and port: 127.0.0.1:9464".to_owned()),
        _ => None,
    };
    if let Some(advice) = advice {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(advice)]));
    }
    error
}

/// A capture in the place of a command.
fn capture(word: &str) -> Option<String> {
    let named = ["pcap", "pcapng", "cap", "gz", "zst", "snoop"].iter().any(|end| Path::new(word).extension().is_some_and(|own| own.eq_ignore_ascii_case(end)));
    (named || Path::new(word).exists()).then(|| format!("to read a capture: portbook analyze {word}"))
}

/// An option that other programs have.
fn option(word: &str, typed: &[OsString]) -> Option<String> {
    // Of an option with its value, what stands behind it.
    let value = typed.iter().skip_while(|known| *known != word).nth(1).map(|value| value.to_string_lossy().into_owned());
    let value = value.filter(|value| !value.starts_with('-'));
    let short = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
    match short.get(..1)? {
        "r" => Some(format!("a capture is named without an option: portbook analyze {}", value.unwrap_or_else(|| "FILE".to_owned()))),
        "i" => Some(format!("an interface is named without an option: portbook watch {}", value.unwrap_or_else(|| "eth1".to_owned()))),
        "w" => Some("packets that findings cite are kept by --evidence FILE.pcapng; to record all of them use tcpdump -w".to_owned()),
        "f" | "Y" | "R" => Some("packets are chosen by --filter EXPRESSION, as tcpdump takes it".to_owned()),
        "D" => Some("interfaces are listed by portbook watch --list".to_owned()),
        "n" => Some("leave it out: no name is looked up".to_owned()),
        _ => None,
    }
}

/// A format that another command, or another build, has.
fn format(argument: &str, value: &str, typed: &[OsString]) -> Option<String> {
    if !argument.starts_with("--format") {
        return None;
    }
    let other = crate::report::FORMATS.iter().any(|format| format.name == value);
    match typed.get(1).and_then(|command| command.to_str()) {
        Some("analyze") if value == "parquet" => {
            Some("this portbook was built without it; cargo install --locked --features parquet --path . builds one that has it".to_owned())
        }
        Some("check" | "diff" | "why" | "watch") if other => Some(format!("portbook analyze --format {value} prints it")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::app::args::Arguments;

    fn told(line: &str) -> String {
        let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        advised(Arguments::try_parse_from(&typed).unwrap_err(), &typed).to_string()
    }

    #[test]
    fn habits_of_other_programs_are_answered_with_what_to_type() {
        for (typed, advice) in [
            ("portbook office.pcapng", "to read a capture: portbook analyze office.pcapng"),
            ("portbook analyze -r office.pcap", "portbook analyze office.pcap"),
            ("portbook watch -i eth1", "portbook watch eth1"),
            ("portbook watch -ieth1", "an interface is named without an option"),
            ("portbook analyze -Y http office.pcap", "--filter EXPRESSION"),
            ("portbook check --format junit --expect a.toml office.pcap", "portbook analyze --format junit"),
            ("portbook watch eth1 --metrics 9464", "127.0.0.1:9464"),
        ] {
            let told = told(typed);
            assert!(told.contains(advice), "{typed}: {told}");
            assert!(!told.contains("to pass '"), "{typed}: {told}");
        }
        assert!(told("portbook analyse x").contains("a similar subcommand exists: 'analyze'"), "the parser's own advice stays");
    }

    #[cfg(not(feature = "parquet"))]
    #[test]
    fn a_format_that_was_not_built_in_says_how_to_have_it() {
        assert!(told("portbook analyze --format parquet a.pcap").contains("--features parquet"));
    }
}
