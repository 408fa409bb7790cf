//! `portbook why CAPTURE... --flow ID`: for one flow, all that a colleague needs to follow its judgement.

mod query;
mod record;
mod text;
mod words;

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::app::args::{Why, WhyFormat};
use crate::app::place::{put, spare};
use crate::app::progress::Progress;
use crate::app::reading::{stop_on_signal, tell_unread};
use crate::app::settings::Basis;
use crate::app::{Exit, Failure};
use crate::flow::community_id;
use crate::judge::{Ends, Finding, Judged, Selection, Telling, display_filter};
use crate::limit::{FLOWS_EXPLAINED, NEIGHBOURS_NAMED};
use crate::pipeline::{self, Plan};
use crate::report::Report;
use query::Query;

/// What was found of the flow that was asked for.
pub struct Told<'a> {
    /// As it was typed.
    asked: &'a str,
    /// The flows with that name, in the order in which they were judged: several where ports were used again.
    flows: Vec<Judged>,
    /// More of them than are told.
    more: u64,
    /// Between which ends flows went at all.
    ends: Ends,
    /// The nearest others, where there is none: how far they are, then in their order.
    neighbours: BTreeMap<(usize, u64), String>,
    /// How many are near.
    near: u64,
}

/// Reads, finds the flow, tells.
pub fn run(typed: &Why) -> Result<Exit, Failure> {
    let query = Query::read(&typed.flow).map_err(|error| Failure::Usage(format!("--flow {}: {error}", typed.flow)))?;
    spare(typed.output.as_deref(), &typed.captures, &typed.reading, &[])?;
    let basis = Basis::load(&typed.reading)?;
    let (stop, progress) = (stop_on_signal(), Progress::new(typed.quiet));
    let plan = Plan { accounts: true, ..basis.plan(&typed.reading, &typed.captures, Telling::Everything, &stop) };
    let mut told = Told { asked: &typed.flow, flows: Vec::new(), more: 0, ends: Ends::default(), neighbours: BTreeMap::new(), near: 0 };
    let report = pipeline::run(plan, &|done, all| progress.show(done, all), &mut |judged| told.hear(&query, judged)).map_err(Failure::Capture);
    progress.clear();
    let report = report?;
    let unread = tell_unread(&report, typed.reading.filter.as_deref());
    if told.flows.is_empty() {
        return Err(Failure::Usage(told.nothing(&query, &report)));
    }
    let text = typed.format == WhyFormat::Text;
    put(typed.output.as_deref(), text, typed.look.color, |out| print(typed, &told, &report, &basis, out))?;
    Ok(if unread { Exit::Capture } else { Exit::Done })
}

fn print(typed: &Why, told: &Told<'_>, report: &Report<'_>, basis: &Basis, mut out: &mut dyn Write) -> io::Result<()> {
    match typed.format {
        WhyFormat::Text => text::write(told, report, &basis.site, &mut out),
        WhyFormat::Json => record::write(told, report, &basis.site, &mut out),
    }
}

impl Told<'_> {
    fn hear(&mut self, query: &Query, judged: &Judged) {
        let flow = &judged.identified.flow;
        self.ends.meet(flow);
        if query.means(flow) {
            if self.flows.len() < FLOWS_EXPLAINED { self.flows.push(judged.clone()) } else { self.more += 1 }
        } else if let Some(distance) = query.distance(flow).filter(|_| self.flows.is_empty()) {
            self.near += 1;
            let name = format!("{} ({} > {}/{})", community_id(flow), flow.client.endpoint, flow.server.endpoint, flow.transport);
            self.neighbours.insert((distance, self.near), name);
            if self.neighbours.len() > NEIGHBOURS_NAMED {
                self.neighbours.pop_last();
            }
        }
    }

    /// One line on a flow that is not there, with the nearest that are.
    fn nothing(&self, query: &Query, report: &Report<'_>) -> String {
        let named: Vec<&str> = self.neighbours.values().map(String::as_str).collect();
        let near = match self.near.saturating_sub(named.len() as u64) {
            _ if named.is_empty() => format!("none of the {} flows is near it; portbook analyze --format ndjson lists them", report.digest.flows),
            0 => format!("{}: {}", query.nearness(), named.join(", ")),
            more => format!("{}: {} and {more} more", query.nearness(), named.join(", ")),
        };
        format!("--flow {}: no such flow; {near}", self.asked)
    }

    /// Selects the flow in Wireshark.
    fn filter(&self, judged: &Judged) -> String {
        display_filter(&[Selection::flow(&judged.identified.flow)], &self.ends)
    }
}

/// The findings that cite the flow, by the report's numbers.
fn findings<'r>(report: &'r Report<'_>, judged: &Judged) -> Vec<(usize, &'r Finding)> {
    let id = community_id(&judged.identified.flow);
    let cites = |finding: &Finding| finding.flow_ids.contains(&id) && judged.cited.iter().any(|frame| finding.frames.contains(frame));
    (1..).zip(&report.findings).filter(|(_, finding)| cites(finding)).collect()
}
