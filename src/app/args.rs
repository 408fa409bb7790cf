//! Arguments as typed. What they mean is settled in [`settings`](super::settings).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::limit::MEMORY_LEAST;

/// Holds captured traffic against vendors' port documents.
#[derive(Debug, Parser)]
#[command(name = "portbook", version, about, long_about = LONG_ABOUT, max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read captures, judge every flow by the documents, print the report
    #[command(after_help = EXIT_CODES)]
    Analyze(Analyze),
    /// Compare captures with what is expected of them, or with an earlier run; exits with 1 on any difference
    #[command(after_help = CHECK_EXIT_CODES)]
    Check(Check),
    /// Watch interfaces live: findings as they become certain, the report at the end
    #[command(after_help = EXIT_CODES)]
    Watch(Watch),
    /// Say what is new, gone or changed between two reports or captures
    #[command(after_help = DIFF_EXIT_CODES)]
    Diff(Diff),
    /// Say what the documents say about a port, protocol, service, role or host name
    #[command(after_help = EXPLAIN_EXIT_CODES)]
    Explain(Explain),
    /// Say of one flow how it was judged: what was seen, each row it was held against, what decided
    #[command(after_help = WHY_EXIT_CODES)]
    Why(Why),
    /// Draft a site file from captures: networks, roles that hosts show, what is on or moved, each line with its reason
    #[command(after_help = DRAFT_EXIT_CODES)]
    Learn(Learn),
    /// Print the firewall rules that the documents ask for at a site; with captures, only what is missing
    #[command(after_help = DRAFT_EXIT_CODES)]
    Rules(Rules),
    /// List, show or check the loaded documents
    #[command(subcommand)]
    Signatures(Signatures),
    /// Measure what each stretch of the road costs a packet, against reading the captures and walking their records
    #[command(hide = true)]
    Bench(Bench),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page (troff; try `portbook man | man -l -`)
    Man,
}

/// `portbook analyze`.
#[derive(Debug, Args)]
pub struct Analyze {
    /// Capture files, folders of them, or - for standard input (pcap, pcapng; plain, gzip, zstd, lz4, xz)
    #[arg(value_name = "CAPTURE", required = true)]
    pub captures: Vec<PathBuf>,
    /// How they are read and judged.
    #[command(flatten)]
    pub reading: Reading,
    /// How to print the report
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format_names())]
    pub format: String,
    /// Which table to print, of formats that are one table of several
    #[arg(long, value_name = "TABLE", default_value = "flows")]
    pub table: Table,
    /// Print to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where the packets go that findings cite.
    #[command(flatten)]
    pub evidence: Evidence,
    /// Exit with 1 where there is a finding of this severity or worse
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// How text looks.
    #[command(flatten)]
    pub look: Look,
    /// Findings only, no progress
    #[arg(long, short)]
    pub quiet: bool,
    /// Every flow and every documented row too
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// `portbook diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// How it was: what analyze --format json or ndjson printed, or a capture, or a folder of captures
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// How it is, likewise
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// How captures are read and judged. What is inside counts for reports, too.
    #[command(flatten)]
    pub reading: Reading,
    /// How to print the differences
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CheckFormat,
    /// Print to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 1 where there is a difference
    #[arg(long)]
    pub fail_on_change: bool,
    /// How text looks.
    #[command(flatten)]
    pub look: Look,
    /// Differences only, no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// `portbook check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Capture files, folders of them, or - for standard input, as analyze takes them
    #[arg(value_name = "CAPTURE", required = true)]
    pub captures: Vec<PathBuf>,
    /// What they must show: an expectation file (GUIDE.md; every key in fixtures/checks/sample.toml)
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub expect: Option<PathBuf>,
    /// What they showed before: a file that --bless wrote
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the file from what these captures show: the baseline, or a draft of expectations to be corrected
    #[arg(long)]
    pub bless: bool,
    /// How they are read and judged.
    #[command(flatten)]
    pub reading: Reading,
    /// How to print the differences
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CheckFormat,
    /// Print to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where the packets go that findings cite.
    #[command(flatten)]
    pub evidence: Evidence,
    /// Exit with 1 also where there is a finding of this severity or worse
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// How text looks.
    #[command(flatten)]
    pub look: Look,
    /// Differences only, no progress
    #[arg(long, short)]
    pub quiet: bool,
    /// The findings too, as analyze prints them
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// `portbook watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// Interfaces that see the traffic (a mirror or SPAN port, a tap's two sides, any); --list shows them
    #[arg(value_name = "INTERFACE", required_unless_present = "list")]
    pub interfaces: Vec<String>,
    /// List the interfaces and end
    #[arg(long)]
    pub list: bool,
    /// End after this time, e.g. 90s, 10m, 8h, 7d [default: at a signal]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub for_: Option<Duration>,
    /// How it is read and judged.
    #[command(flatten)]
    pub reading: Reading,
    /// The kernel's ring for each interface and worker, and one more for each interface that workers share, e.g. 256M [default: 64M]; outside --memory
    #[arg(long, value_name = "SIZE", value_parser = ring)]
    pub buffer: Option<usize>,
    /// Leave interfaces as they are: a mirror port then shows little but broadcasts
    #[arg(long)]
    pub no_promiscuous: bool,
    /// How to print: text for people, ndjson for machines (flows, findings with their phase, summaries)
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "ndjson"])]
    pub format: String,
    /// Print to a file instead of standard output; what an earlier run left there stays
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Begin the output file anew when it has so many bytes, e.g. 100M; the full one gets its time into its name
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "output")]
    pub rotate_size: Option<usize>,
    /// Begin the output file anew when it is this old, e.g. 1h
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "output")]
    pub rotate_time: Option<Duration>,
    /// Compress the files that are put aside
    #[arg(long, requires = "output")]
    pub gzip: bool,
    /// Keep so many of the files that are put aside [default: all]
    #[arg(long, value_name = "N", requires = "output")]
    pub keep: Option<usize>,
    /// Keep a journal of findings and coverage in this folder: after a crash watching goes on from there (at most 6 s are lost)
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Answer Prometheus at this loopback address, e.g. 127.0.0.1:9464 (/metrics, /health)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Become this user once the interfaces are open, where root started it [default: portbook, else nobody]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Keep all rights: an interface that is removed and made anew is then shared out to all workers again
    #[arg(long, conflicts_with = "user")]
    pub keep_rights: bool,
    /// Copy the packets that findings cite into a pcapng file as the findings are told, each with a comment; an eighth of --memory keeps packets of late for it
    #[arg(long, value_name = "FILE.pcapng")]
    pub evidence: Option<PathBuf>,
    /// Print a summary this often, and at SIGUSR1; 0 for never
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub interval: Duration,
    /// End with 1 where there is a finding of this severity or worse at the end
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// How text looks.
    #[command(flatten)]
    pub look: Look,
    /// Findings only
    #[arg(long, short)]
    pub quiet: bool,
    /// Every documented row too, at the end
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// `portbook why`.
#[derive(Debug, Args)]
pub struct Why {
    /// Capture files, folders of them, or - for standard input, as analyze takes them
    #[arg(value_name = "CAPTURE", required = true)]
    pub captures: Vec<PathBuf>,
    /// The flow: its Community ID (1:...=, from any report or from Wireshark), or its ends in any order, e.g. 10.1.0.2:40000,10.2.0.5:8883 (/tcp, /udp to
    /// say which; IPv6 as [2001:db8::1]:443)
    #[arg(long, value_name = "ID")]
    pub flow: String,
    /// How it is read and judged: as for the report that is asked about.
    #[command(flatten)]
    pub reading: Reading,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: WhyFormat,
    /// Print to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How text looks.
    #[command(flatten)]
    pub look: Look,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// How the account of a flow is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhyFormat {
    /// For people.
    Text,
    /// For machines: the flow's record, and beside it what only this command tells.
    Json,
}

/// `portbook learn`.
#[derive(Debug, Args)]
pub struct Learn {
    /// Capture files, folders of them, or - for standard input, as analyze takes them
    #[arg(value_name = "CAPTURE", required = true)]
    pub captures: Vec<PathBuf>,
    /// How they are read and judged; roles that are given already are taken over.
    #[command(flatten)]
    pub reading: Reading,
    /// Print to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// `portbook rules`.
#[derive(Debug, Args)]
pub struct Rules {
    /// Captures of the site: print only rules whose traffic was tried and does not get through
    #[arg(value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// In which language
    #[arg(long, value_name = "SYNTAX", value_parser = syntax_names())]
    pub to: String,
    /// How captures are read and judged.
    #[command(flatten)]
    pub reading: Reading,
    /// Print to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// `portbook bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Captures, or folders of them: pcap and pcapng, not compressed (python3 fixtures/generate makes large ones)
    #[arg(value_name = "CAPTURE", required = true)]
    pub captures: Vec<PathBuf>,
    /// Rounds; each goes every stretch once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub rounds: u16,
    /// With how many workers to go the whole road beside one, e.g. 2,4 [default: 2, where there are as many cores]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub workers: Vec<std::num::NonZeroU16>,
    /// Memory to use at most, as of analyze [default: 512M]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub memory: Option<usize>,
    /// How to print: a table for people, or one JSON object (times in nanoseconds)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: BenchFormat,
    /// Go one stretch once, in this process, and print what it took: documents, floor, decoded, in-flows, identified, judged
    #[arg(long, value_name = "NAME")]
    pub stretch: Option<String>,
}

/// How measurements are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// How differences are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// How traffic is read and judged: the same for every command that does.
#[derive(Debug, Args)]
pub struct Reading {
    /// Which documents apply.
    #[command(flatten)]
    pub documents: Documents,
    /// What is known of the network.
    #[command(flatten)]
    pub site: Site,
    /// Judge by document rows only; rows known from other sources are left out
    #[arg(long)]
    pub strict: bool,
    /// Read only packets that match a libpcap filter, e.g. 'host 10.1.0.2 and not port 22' (write addresses: names are looked up in DNS)
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Count copies that a mirror port makes of one packet as packets of their own
    #[arg(long)]
    pub keep_duplicates: bool,
    /// Threads that classify [default: one a core]; where a capture is compressed one of them decompresses. The report does not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// Memory to use at most, e.g. 512M, 2G [default: 512M]: beyond it the flows nearest to their timeout are put out, and counted
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub memory: Option<usize>,
}

/// Which documents apply.
#[derive(Debug, Args)]
pub struct Documents {
    /// Vendors whose documents apply, separated by commas [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = vendor)]
    pub product: Vec<String>,
    /// Your own signature file, or a folder of them, added to the built-in ones (yours win); repeatable
    #[arg(long, value_name = "PATH")]
    pub signatures: Vec<PathBuf>,
    /// Use only the files of --signatures
    #[arg(long, requires = "signatures")]
    pub only_signatures: bool,
}

/// What is known of the network.
#[derive(Debug, Args)]
pub struct Site {
    /// Site file: networks, roles, what is switched on, moved, allowed, denied (GUIDE.md; templates in fixtures/sites)
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Give hosts of a network a role, e.g. spinetix.player=10.1.0.0/24; repeatable, added to the site file's (roles: portbook signatures list)
    #[arg(long, value_name = "ROLE=NETWORK")]
    pub role: Vec<String>,
}

/// Where the packets go that findings cite.
#[derive(Debug, Args)]
pub struct Evidence {
    /// Copy the packets that findings cite into a pcapng file, each with a comment that says what it shows; reads the captures a second time
    #[arg(long, value_name = "FILE.pcapng")]
    pub evidence: Option<PathBuf>,
}

/// How text looks.
#[derive(Debug, Args)]
pub struct Look {
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// `portbook explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// 8883/tcp, 5684, mqtt, spinetix-out-mqtt, spinetix.player, x.services.spinetix.com, silent_drop, D20 ...
    #[arg(value_name = "QUERY", required = true)]
    pub query: Vec<String>,
    /// Which documents apply.
    #[command(flatten)]
    pub documents: Documents,
    /// How text looks.
    #[command(flatten)]
    pub look: Look,
}

/// `portbook signatures`.
#[derive(Debug, Subcommand)]
pub enum Signatures {
    /// Documents, roles and services, a line each
    List {
        /// Which documents apply.
        #[command(flatten)]
        documents: Documents,
        /// How text looks.
        #[command(flatten)]
        look: Look,
    },
    /// Everything known about a service, a role, a rule or a document
    Show {
        /// Its id
        id: String,
        /// Which documents apply.
        #[command(flatten)]
        documents: Documents,
        /// How text looks.
        #[command(flatten)]
        look: Look,
    },
    /// Check signature files, or folders of them; points at the line and column of a mistake
    Check {
        /// Files to check
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// How text looks.
        #[command(flatten)]
        look: Look,
    },
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

/// A severity, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding.
    Info,
    /// Low or worse.
    Low,
    /// Medium or worse.
    Medium,
    /// High only.
    High,
}

/// A table of the report, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// A row a flow.
    Flows,
    /// A row a finding, with its sentence, citation, remedy and frames.
    Findings,
    /// A row for each documented service: seen, blocked, attempted, never attempted, not visible here; and again for each role of the site.
    Coverage,
}

fn format_names() -> clap::builder::PossibleValuesParser {
    crate::report::FORMATS.iter().map(|format| clap::builder::PossibleValue::new(format.name).help(format.about)).collect::<Vec<_>>().into()
}

fn syntax_names() -> clap::builder::PossibleValuesParser {
    crate::report::rules::SYNTAXES.iter().map(|syntax| clap::builder::PossibleValue::new(syntax.name).help(syntax.about)).collect::<Vec<_>>().into()
}

const LONG_ABOUT: &str = "Holds captured traffic against vendors' port documents: which flow does no document mention, and which documented \
flow does not get through, where does it die, and what does that break?";

/// What libpcap can be asked for.
const MAX_RING: usize = 2047 << 20;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 findings at or above --fail-on; 2 wrong usage, a bad signature or site file, or a report that could not be written; 3 a capture could not be \
read, or not to its end (what was read is still reported).";

const DIFF_EXIT_CODES: &str = "Exit codes: 0 done; 1 a difference, with --fail-on-change; 2 wrong usage, a file that is no report, or an output that could not be written; 3 a capture could not \
be read, or not to its end.";

const CHECK_EXIT_CODES: &str = "Exit codes: 0 no difference; 1 a difference, or a finding at or above --fail-on; 2 wrong usage, a file that is not right or could not be written; 3 a \
capture could not be read, or not to its end (what was read is still compared, and --bless writes nothing).";

/// `90s`, `10m`, `8h`, `7d`, or seconds.
fn duration(typed: &str) -> Result<Duration, String> {
    let digits = typed.len() - typed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = typed.split_at(digits);
    let seconds = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("write a number and s, m, h or d, e.g. 10m".to_owned()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or("write a number and s, m, h or d, e.g. 10m")?;
    Ok(Duration::from_secs(seconds))
}

/// A ring of at least a megabyte: less holds no burst.
fn ring(typed: &str) -> Result<usize, String> {
    let bytes = size(typed)?;
    if (1 << 20..=MAX_RING).contains(&bytes) { Ok(bytes) } else { Err("between 1M and 2047M".to_owned()) }
}

/// A vendor as documents call it: `SpinetiX` and `spinetix, cayin` are understood.
fn vendor(typed: &str) -> Result<String, String> {
    Ok(typed.trim().to_ascii_lowercase())
}

/// Memory for a run.
fn memory(typed: &str) -> Result<usize, String> {
    let bytes = size(typed)?;
    if bytes < MEMORY_LEAST { Err(format!("at least {}M is needed", MEMORY_LEAST >> 20)) } else { Ok(bytes) }
}

const EXPLAIN_EXIT_CODES: &str =
    "Exit codes: 0 done, also where no document mentions it; 2 wrong usage, a query that is not understood, or a bad signature file.";

const DRAFT_EXIT_CODES: &str = "Exit codes: 0 done; 2 wrong usage, a bad signature or site file, or an output that could not be written; 3 a capture could not be read, or not to its end.";

const WHY_EXIT_CODES: &str =
    "Exit codes: 0 done; 2 wrong usage, no such flow, or a bad signature or site file; 3 a capture could not be read, or not to its end.";

/// `512M`, `2G`, `700MiB`, or bytes.
fn size(typed: &str) -> Result<usize, String> {
    let digits = typed.len() - typed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = typed.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err("write a number and K, M or G, e.g. 512M".to_owned()),
    };
    number.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift)).ok_or_else(|| "write a number and K, M or G, e.g. 512M".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }
}
