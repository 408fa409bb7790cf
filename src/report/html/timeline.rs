//! A finding's time line: when in the capture its flows began, and what happened in each of them from its first packet on.

use std::io;
use std::time::Duration;

use crate::count::grouped;
use crate::judge::{Finding, Occurrence};
use crate::limit;
use crate::report::Report;
use crate::report::html::kept::{Kept, Mark, Sketch};
use crate::report::html::page::{Page, at};
use crate::report::record::word;
use crate::report::text::length;
use crate::time::Timestamp;

/// Draws it; nothing where no flow is cited.
pub(super) fn write(place: usize, finding: &Finding, report: &Report<'_>, kept: &Kept, page: &mut Page<'_>) -> io::Result<()> {
    let Some(span) = report.span.filter(|_| !finding.occurrences.is_empty()) else { return Ok(()) };
    let lanes: Vec<Lane<'_>> =
        finding.occurrences.iter().take(limit::HTML_TIME_LINES).map(|flow| Lane { flow, sketch: kept.sketches.get(&flow.frame) }).collect();
    let longest = lanes.iter().map(Lane::length).max().unwrap_or_default();
    let scale = Scale::of(longest.as_secs_f64());
    let (id, height) = (format!("time-{place}"), TOP + lanes.len() as u32 * LANE + BOTTOM);
    page.markup("<figure class=\"time\">")?;
    page.picture(&id, ("Time line of attempts and answers", &about(&lanes, longest)), (WIDTH, height))?;
    write_strip(finding, span, page)?;
    write_scale(&scale, lanes.len(), page)?;
    for (number, lane) in lanes.iter().enumerate() {
        write_lane(lane, f64::from(TOP) + (number as f64 + 0.5) * f64::from(LANE), &scale, page)?;
    }
    page.end_picture()?;
    write_legend(finding, lanes.len(), page)?;
    page.markup("</figure>\n")
}

/// One flow.
struct Lane<'a> {
    flow: &'a Occurrence,
    /// What was kept of it.
    sketch: Option<&'a Sketch>,
}

impl Lane<'_> {
    fn marks(&self) -> impl Iterator<Item = (Duration, Mark)> {
        let marks = self.sketch.map(|sketch| sketch.marks.as_slice()).unwrap_or_default();
        marks.iter().map(|(time, mark)| (time.since(self.flow.first), *mark))
    }

    fn length(&self) -> Duration {
        self.marks().map(|(after, _)| after).max().unwrap_or_default()
    }
}

/// From time after the first packet to the place in the picture.
struct Scale {
    seconds: f64,
    step: f64,
}

impl Scale {
    /// A scale that holds so many seconds, with at most six steps that people count in: 1, 2 or 5 times a power of ten, or parts of minutes and hours.
    fn of(seconds: f64) -> Self {
        // All at one moment: there is nothing to count.
        if seconds < LEAST_SECONDS {
            return Self { seconds: LEAST_SECONDS, step: 2.0 * LEAST_SECONDS };
        }
        let power = 10_f64.powf((seconds / MOST_STEPS).log10().floor());
        let (by_ten, by_sixty) = ([1.0, 2.0, 5.0, 10.0].map(|part| part * power), STEPS_OF_MINUTES);
        let steps: &[f64] = if seconds > 60.0 { &by_sixty } else { &by_ten };
        let step = steps.iter().copied().find(|step| seconds / step <= MOST_STEPS).unwrap_or(seconds);
        Self { seconds, step }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.seconds * (RIGHT - LEFT)
    }

    fn steps(&self) -> impl Iterator<Item = f64> {
        (0..=(self.seconds / self.step) as u32).map(|step| f64::from(step) * self.step)
    }

    /// `1.5 s`, `20 ms`, `10 min`.
    fn label(&self, seconds: f64) -> String {
        let (unit, name) = match self.step {
            step if step >= 3_600.0 => (3_600.0, "h"),
            step if step >= 60.0 => (60.0, "min"),
            step if step >= 0.1 => (1.0, "s"),
            step if step >= 1e-4 => (1e-3, "ms"),
            _ => (1e-6, "\u{b5}s"),
        };
        format!("{} {name}", at(seconds / unit))
    }
}

/// Where in the capture the flows lie.
fn write_strip(finding: &Finding, (first, last): (Timestamp, Timestamp), page: &mut Page<'_>) -> io::Result<()> {
    let whole = last.since(first).as_secs_f64().max(LEAST_SECONDS);
    let x = |time: Timestamp| LEFT + time.since(first).as_secs_f64() / whole * (RIGHT - LEFT);
    page.label((0.0, STRIP + 4.0), "small", "when in the capture", 40)?;
    line(page, (LEFT, STRIP), (RIGHT, STRIP), "axis")?;
    for flow in &finding.occurrences {
        let x = x(flow.first);
        line(page, (x, STRIP - 6.0), (x, STRIP + 6.0), "when")?;
    }
    page.label((RIGHT + GAP, STRIP + 4.0), "small", &format!("of {}", length(whole)), 20)
}

fn write_scale(scale: &Scale, lanes: usize, page: &mut Page<'_>) -> io::Result<()> {
    let bottom = f64::from(TOP) + lanes as f64 * f64::from(LANE);
    for seconds in scale.steps() {
        let x = scale.x(seconds);
        line(page, (x, f64::from(TOP)), (x, bottom), "grid")?;
        page.open("text", &[("x", &at(x)), ("y", &at(bottom + 14.0)), ("class", &"small mid")])?;
        page.text(scale.label(seconds))?;
        page.close("text")?;
    }
    page.label((0.0, bottom + 14.0), "small", "after its first packet", 40)
}

fn write_lane(lane: &Lane<'_>, y: f64, scale: &Scale, page: &mut Page<'_>) -> io::Result<()> {
    let client = lane.flow.parties.client;
    let from = if lane.flow.parties.transport.has_ports() { client.to_string() } else { client.ip.to_string() };
    let moment = lane.flow.first.to_string();
    page.label((0.0, y + 4.0), "small ink", &format!("{} {from}", moment.get(11..19).unwrap_or(&moment)), 32)?;
    line(page, (LEFT, y), (scale.x(lane.length().as_secs_f64()), y), "axis")?;
    if lane.sketch.is_none() {
        mark(page, (LEFT, y), Mark::Asked, Duration::ZERO)?;
    }
    for (after, kind) in lane.marks() {
        mark(page, (scale.x(after.as_secs_f64()), y), kind, after)?;
    }
    let outcome = lane.sketch.map_or_else(|| "begun".to_owned(), |sketch| word(&sketch.outcome).replace('_', " "));
    page.label((RIGHT + GAP, y + 4.0), "small", &outcome, 22)
}

/// Shapes differ as colours do: a triangle asks, a circle answers, a bar is content, a cross refuses.
fn mark(page: &mut Page<'_>, (x, y): (f64, f64), kind: Mark, after: Duration) -> io::Result<()> {
    let (class, path) = match kind {
        Mark::Asked => ("asked", format!("M{} {}v10l8-5z", at(x - 1.0), at(y - 5.0))),
        Mark::Answered => ("answered", format!("M{} {}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z", at(x - 4.5), at(y))),
        Mark::Sent => ("sent", format!("M{} {}v10", at(x), at(y - 5.0))),
        Mark::Refused => ("refused", format!("M{} {}l9 9m0-9l-9 9", at(x - 4.5), at(y - 4.5))),
    };
    page.open("path", &[("class", &class), ("d", &path)])?;
    page.element("title", &[], format!("{} after {}", what(kind), length(after.as_secs_f64())))?;
    page.close("path")
}

const fn what(kind: Mark) -> &'static str {
    match kind {
        Mark::Asked => "asked",
        Mark::Answered => "first answer",
        Mark::Sent => "content",
        Mark::Refused => "reset or ICMP error",
    }
}

/// What the picture shows, for those who do not see it.
fn about(lanes: &[Lane<'_>], longest: Duration) -> String {
    let of = |kind: Mark| lanes.iter().flat_map(Lane::marks).filter(|(_, mark)| *mark == kind).count();
    let (asked, answered, refused) = (of(Mark::Asked), of(Mark::Answered), of(Mark::Refused));
    format!(
        "{} flows over {}: asked {asked} times, {answered} first answers, {refused} resets or ICMP errors. The first began at {}.",
        lanes.len(),
        length(longest.as_secs_f64()),
        lanes.first().map(|lane| lane.flow.first.clock()).unwrap_or_default()
    )
}

fn write_legend(finding: &Finding, drawn: usize, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<figcaption>\u{25b6} asked \u{b7} \u{25cf} first answer \u{b7} | content \u{b7} \u{2715} reset or ICMP error")?;
    let more = finding.flows.saturating_sub(drawn as u64);
    if more > 0 {
        page.text(format!(" \u{b7} {drawn} of {} flows are drawn", grouped(finding.flows)))?;
    }
    page.markup("</figcaption>")
}

fn line(page: &mut Page<'_>, from: (f64, f64), to: (f64, f64), class: &'static str) -> io::Result<()> {
    page.open("path", &[("class", &class), ("d", &format!("M{} {}L{} {}", at(from.0), at(from.1), at(to.0), at(to.1)))])?;
    page.close("path")
}

const MOST_STEPS: f64 = 6.0;
/// Seconds: from a quarter of a minute to a month.
const STEPS_OF_MINUTES: [f64; 14] = [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0, 86_400.0, 432_000.0, 2_592_000.0];
const WIDTH: u32 = 900;
/// Where the first lane begins, and what is below the last.
const TOP: u32 = 34;
const LANE: u32 = 22;
const BOTTOM: u32 = 20;
/// The middle of the strip that stands for the capture.
const STRIP: f64 = 14.0;
/// Between these times are drawn; left of them stands whose flow it is, right of them what became of it.
const LEFT: f64 = 220.0;
const RIGHT: f64 = 740.0;
const GAP: f64 = 14.0;
/// A microsecond: what all of a capture that takes no time is drawn in.
const LEAST_SECONDS: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_few_round_steps_and_names_them() {
        let labels = |seconds: f64| {
            let scale = Scale::of(seconds);
            scale.steps().map(|step| scale.label(step)).collect::<Vec<_>>()
        };
        assert_eq!(labels(3.1), ["0 s", "1 s", "2 s", "3 s"]);
        assert_eq!(labels(0.05), ["0 ms", "10 ms", "20 ms", "30 ms", "40 ms", "50 ms"]);
        assert_eq!(labels(1_500.0), ["0 min", "5 min", "10 min", "15 min", "20 min", "25 min"]);
        assert_eq!(labels(0.0), ["0 \u{b5}s"]);
    }
}
