//! `portbook bench`: what each stretch of the road costs a packet, against the floor.
//!
//! Each run is a process of its own, so that its memory and its processor time are its own, too. Rounds are interleaved: what slows a machine for a while slows all
//! alike, and the ratio to the floor is the figure to hold on to.

mod stopwatch;

use std::io::{self, Write};
use std::num::NonZeroU16;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use self::stopwatch::{Lap, Stopwatch};
use crate::app::args::{Bench as Typed, BenchFormat};
use crate::app::{Exit, Failure, written};
use crate::limit::MEMORY;
use crate::pipeline::stretch::{Load, Stretch};
use crate::report::table::Table;
use crate::signature::Signatures;

/// Measures, or goes one stretch for the process that does.
pub fn run(typed: &Typed) -> Result<Exit, Failure> {
    match &typed.stretch {
        Some(name) => go(typed, stretch(name)?),
        None => measure(typed),
    }
    .map(|()| Exit::Done)
}

fn stretch(name: &str) -> Result<Stretch, Failure> {
    Stretch::ALL.into_iter().find(|stretch| stretch.name() == name).ok_or_else(|| Failure::Usage(format!("--stretch {name}: no such stretch")))
}

/// What one run tells of itself, on a line.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Run {
    packets: u64,
    #[serde(flatten)]
    lap: Lap,
}

/// Goes one stretch once. The documents are read before, as they are a stretch of their own.
fn go(typed: &Typed, stretch: Stretch) -> Result<(), Failure> {
    if stretch == Stretch::Judged {
        Signatures::built_in();
    }
    let workers = typed.workers.first().map_or(1, |workers| workers.get());
    let load = Load { captures: &typed.captures, workers: usize::from(workers), memory: typed.memory.unwrap_or(MEMORY) };
    let stopwatch = Stopwatch::start();
    let packets = stretch.run(&load).map_err(Failure::Capture)?;
    let run = Run { packets, lap: stopwatch.stop() };
    written(serde_json::to_writer(io::stdout().lock(), &run).map_err(io::Error::from).and_then(|()| writeln!(io::stdout())))
}

/// One line of the result: a stretch, and how it went in each round.
struct Row {
    stretch: Stretch,
    workers: u16,
    runs: Vec<Run>,
}

fn measure(typed: &Typed) -> Result<(), Failure> {
    let mut rows: Vec<Row> = Stretch::ALL.into_iter().map(|stretch| Row { stretch, workers: 1, runs: Vec::new() }).collect();
    let more = workers(typed).into_iter().filter(|workers| *workers > 1);
    rows.extend(more.map(|workers| Row { stretch: Stretch::Judged, workers, runs: Vec::new() }));
    for _ in 0..typed.rounds {
        for row in &mut rows {
            row.runs.push(process(typed, row)?);
        }
    }
    let packets = rows.iter().find(|row| row.stretch == Stretch::Floor).and_then(|row| row.runs.first()).map_or(0, |run| run.packets);
    if let Some(other) = rows.iter().find(|row| row.stretch != Stretch::Documents && row.runs.iter().any(|run| run.packets != packets)) {
        let what = format!("{}: another number of packets than on the floor; is a capture damaged, or does it change?", other.stretch.name());
        return Err(Failure::Usage(what));
    }
    if packets == 0 {
        return Err(Failure::Usage("no packets, so nothing can be told of one".to_owned()));
    }
    let measured = Measured { packets, rounds: typed.rounds, rows: figures(&rows, packets) };
    written(match typed.format {
        BenchFormat::Text => measured.write(&mut io::stdout().lock()),
        BenchFormat::Json => serde_json::to_writer_pretty(io::stdout().lock(), &measured).map_err(io::Error::from).and_then(|()| writeln!(io::stdout())),
    })
}

/// As typed, else two workers where there are as many cores.
fn workers(typed: &Typed) -> Vec<u16> {
    match typed.workers.as_slice() {
        [] => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2)).try_into().into_iter().collect(),
        typed => typed.iter().copied().map(NonZeroU16::get).collect(),
    }
}

/// Goes the stretch in a process of its own.
fn process(typed: &Typed, row: &Row) -> Result<Run, Failure> {
    let failed = |what: String| Failure::Usage(format!("{} could not be measured: {what}", row.stretch.name()));
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["bench", "--stretch", row.stretch.name(), "--workers", &row.workers.to_string()]);
    command.args(typed.memory.map(|memory| format!("--memory={memory}"))).arg("--").args(&typed.captures);
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match serde_json::from_slice(&output.stdout) {
        Ok(run) if output.status.success() => Ok(run),
        _ => Err(failed(said.trim().trim_start_matches("portbook: ").to_owned())),
    }
}

/// The result, as it is printed for machines.
#[derive(Debug, Serialize)]
struct Measured {
    packets: u64,
    rounds: u16,
    rows: Vec<Figures>,
}

/// Of one stretch; times in nanoseconds.
#[derive(Debug, Serialize)]
struct Figures {
    stretch: &'static str,
    workers: u16,
    /// Of a round on the clock: the median, the least.
    wall: [u64; 2],
    /// The same of all processors together.
    cpu: [u64; 2],
    /// The least wall time a packet.
    each: Option<f64>,
    /// The median of its rounds' ratios to the floor of the same round.
    times_floor: Option<f64>,
    /// What it adds to the stretch before, a packet: the median of the rounds' differences.
    adds: Option<f64>,
    /// How many times as fast as with one worker: the median of the rounds' ratios.
    times_one_worker: Option<f64>,
    /// Most bytes of memory in any round.
    peak: Option<u64>,
}

fn figures(rows: &[Row], packets: u64) -> Vec<Figures> {
    let floor = rows.iter().find(|row| row.stretch == Stretch::Floor);
    let alone = rows.iter().find(|row| row.stretch == Stretch::Judged);
    let each = |nanos: f64| nanos / packets as f64;
    let of_rounds = |row: &Row, other: Option<&Row>, of: fn(f64, f64) -> f64| {
        let other = other?;
        Some(median(row.runs.iter().zip(&other.runs).map(|(run, other)| of(run.lap.wall as f64, other.lap.wall as f64)).collect()))
    };
    let figures = |(place, row): (usize, &Row)| {
        let on_the_road = row.stretch != Stretch::Documents;
        let before = place.checked_sub(1).and_then(|place| rows.get(place)).filter(|before| before.stretch != Stretch::Documents && row.workers == 1);
        Figures {
            stretch: row.stretch.name(),
            workers: row.workers,
            wall: middle_and_least(row.runs.iter().map(|run| run.lap.wall)),
            cpu: middle_and_least(row.runs.iter().map(|run| run.lap.cpu)),
            each: on_the_road.then(|| each(row.runs.iter().map(|run| run.lap.wall).min().unwrap_or(0) as f64)),
            times_floor: of_rounds(row, floor.filter(|_| on_the_road), |run, floor| run / floor.max(1.0)),
            adds: of_rounds(row, before, |run, before| run - before).map(each),
            times_one_worker: of_rounds(row, alone.filter(|_| row.workers > 1), |run, alone| alone / run.max(1.0)),
            peak: row.runs.iter().filter_map(|run| run.lap.peak).max(),
        }
    };
    rows.iter().enumerate().map(figures).collect()
}

impl Measured {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} packets, {} interleaved rounds, each run a process of its own\n", self.packets, self.rounds)?;
        let headings = ["", "ms, median", "least", "cpu", "ns a packet", "adds", "times floor", "MiB"];
        let mut table = Table::new(&headings, &[1, 2, 3, 4, 5, 6, 7]);
        for row in &self.rows {
            let name = match (row.stretch, row.workers) {
                ("judged", 1) => "judged: all of it, one worker".to_owned(),
                ("judged", workers) => format!("the same, {workers} workers"),
                (name, _) => name.replace('-', " "),
            };
            let millis = |nanos: u64| format!("{:.1}", nanos as f64 / 1e6);
            let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.1}"));
            let [median, least] = row.wall;
            let memory = row.peak.map_or_else(String::new, |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)));
            table.row([name, millis(median), millis(least), millis(row.cpu[0]), number(row.each), number(row.adds), number(row.times_floor), memory]);
        }
        table.write(out)?;
        for row in &self.rows {
            if let Some(times) = row.times_one_worker {
                writeln!(out, "\n  {} workers are {times:.2} times as fast as one.", row.workers)?;
            }
        }
        writeln!(out, "\n  ns a packet: the least of the rounds. Ratios and differences: the median of each round's own.")
    }
}

fn middle_and_least(values: impl Iterator<Item = u64>) -> [u64; 2] {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    [values.get(values.len() / 2).copied().unwrap_or(0), values.first().copied().unwrap_or(0)]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stretch: Stretch, workers: u16, walls: [u64; 3]) -> Row {
        let run = |wall| Run { packets: 10, lap: Lap { wall, cpu: 2 * wall, peak: Some(wall) } };
        Row { stretch, workers, runs: walls.map(run).to_vec() }
    }

    #[test]
    fn a_round_is_held_against_its_own_floor() {
        // The second round was slow, for all alike.
        let rows = [
            row(Stretch::Documents, 1, [5, 5, 5]),
            row(Stretch::Floor, 1, [100, 900, 100]),
            row(Stretch::Decoded, 1, [200, 1_800, 210]),
            row(Stretch::Judged, 1, [400, 3_600, 410]),
            row(Stretch::Judged, 2, [250, 1_800, 205]),
        ];
        let figures = figures(&rows, 10);
        assert_eq!((figures[0].times_floor, figures[1].times_floor, figures[1].adds), (None, Some(1.0), None));
        let decoded = &figures[2];
        assert_eq!((decoded.wall, decoded.cpu, decoded.each), ([210, 200], [420, 400], Some(20.0)));
        assert_eq!((decoded.times_floor, decoded.adds, decoded.peak), (Some(2.0), Some(11.0), Some(1_800)));
        // Differences of 200, 1,800 and 200.
        assert_eq!(figures[3].adds, Some(20.0));
        assert_eq!((figures[4].times_one_worker, figures[4].adds), (Some(2.0), None));
    }
}
