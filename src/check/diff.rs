//! Two runs side by side: what of a report, read back or just made, says how a network is used, named so that it lasts.
//!
//! A report that was kept and captures that are read now are seen through the same few fields, so either may be held against either.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::check::baseline::{Baseline, Entry, Found, Seen, difference, lasting_id_of};
use crate::check::{Comparison, Difference, Kind, lasting};
use crate::judge::{Coverage, Judged, Outcome, Reason, Severity, Site, Tried, Verdict};
use crate::limit;
use crate::net::Side;
use crate::report::Report;
use crate::report::frames::numbers;
use crate::report::record::word;
use crate::signature::Signatures;

/// What one run saw.
#[derive(Debug)]
pub struct View<'a> {
    name: String,
    site: &'a Site,
    flows: u64,
    /// By row and ends.
    services: BTreeMap<(String, String, String), Use>,
    findings: Vec<(Found, String)>,
    rows: BTreeMap<String, Coverage>,
    /// What the report says of itself: not read to its end, interrupted.
    notes: Vec<String>,
    /// Flows whose row and ends found no room.
    dropped: u64,
}

#[derive(Debug)]
struct Use {
    roles: [BTreeSet<String>; 2],
    tried: Tried,
    example: String,
}

/// Why a file is no report.
#[derive(Debug)]
pub struct Unread {
    /// What is wrong, with the place where there is one.
    pub says: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

impl<'a> View<'a> {
    /// Nothing seen yet. `site` tells what is inside.
    pub fn new(name: String, site: &'a Site) -> Self {
        Self { name, site, flows: 0, services: BTreeMap::new(), findings: Vec::new(), rows: BTreeMap::new(), notes: Vec::new(), dropped: 0 }
    }

    /// What people call it: the file, or the captures.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Flows and findings.
    pub fn len(&self) -> (u64, usize) {
        (self.flows, self.findings.len())
    }

    /// A judged flow.
    pub fn flow(&mut self, judged: &Judged, signatures: &Signatures) {
        let flow = &judged.identified.flow;
        let end = |side: Side| {
            let end = if side == Side::Client { &flow.client } else { &flow.server };
            let roles = judged.roles[side as usize].iter().map(|role| signatures.role(*role).id.clone()).collect();
            EndTold { ip: end.endpoint.ip, port: end.endpoint.port, payload_bytes: end.payload_bytes, roles }
        };
        self.tell_flow(FlowTold {
            service: judged.service.map(|id| signatures.service(id).id.clone()),
            transport: flow.transport.to_string(),
            client: end(Side::Client),
            server: end(Side::Server),
            verdict: judged.verdict,
            reasons: judged.reasons.clone(),
            outcome: judged.outcome,
            cause: judged.cause.as_ref().map(|cause| CauseTold { says: cause.says.clone() }),
        });
    }

    /// What was learned of all of them.
    pub fn finish(&mut self, report: &Report<'_>) {
        for finding in &report.findings {
            let unknown = finding.unknown.as_ref().map(|unknown| (unknown.ports.len(), unknown.protocol.join("-")));
            let service = finding.service.map(|id| report.signatures.service(id).id.clone());
            let shows = format!("{} (frames {})", finding.says, numbers(&report.files, finding.frames.get(..FRAMES_SHOWN).unwrap_or(&finding.frames)));
            let ends = [finding.client.as_str(), finding.server.as_str()];
            self.tell_finding((&finding.id, &finding.rule, finding.severity), service, ends, unknown, shows);
        }
        self.rows = report.coverage.iter().map(|(id, coverage)| (report.signatures.service(*id).id.clone(), *coverage)).collect();
        let broken = report.files.iter().filter(|file| file.error.is_some()).map(|file| file.path.as_str());
        self.tell_state(broken.map(str::to_owned).collect(), report.interrupted);
    }

    /// Whether a file holds a report, plain or gzipped: JSON begins with a brace, and no capture does.
    ///
    /// # Errors
    /// Those of the system.
    pub fn is_report(path: &Path) -> io::Result<bool> {
        if !path.is_file() {
            return Ok(false);
        }
        Ok(opened(path)?.fill_buf()?.trim_ascii_start().starts_with(b"{"))
    }

    /// Reads a report that was kept: what `--format json` or `ndjson` printed.
    ///
    /// # Errors
    /// It cannot be read, or is no such report.
    pub fn read(path: &Path, site: &'a Site) -> Result<Self, Unread> {
        let says =
            |error: &dyn fmt::Display| Unread { says: format!("{}: {error}; diff reads what --format json or ndjson printed, and captures", path.display()) };
        let open = || opened(path).map_err(|error| says(&error));
        let mut view = Self::new(path.display().to_string(), site);
        let mut first = String::new();
        // A line of a report is some kilobytes; a longer first line is no record, and the document is read as one.
        io::Read::take(open()?, FIRST_LINE).read_line(&mut first).map_err(|error| says(&error))?;
        let whole = match serde_json::from_str::<Line>(&first) {
            Ok(_) => view.read_lines(open()?),
            Err(_) => {
                let mut document = serde_json::Deserializer::from_reader(open()?);
                DocumentSeed(&mut view).deserialize(&mut document).and_then(|whole| document.end().map(|()| whole))
            }
        };
        match whole {
            Ok(true) => Ok(view),
            Ok(false) => Err(says(&"there is no summary in it, so it is not whole")),
            Err(error) => Err(says(&error)),
        }
    }

    /// A record a line; whether the summary was among them.
    fn read_lines(&mut self, file: impl BufRead) -> serde_json::Result<bool> {
        let mut whole = false;
        for line in file.lines() {
            let line = line.map_err(serde_json::Error::io)?;
            match serde_json::from_str::<Line>(&line)?.r#type.as_str() {
                "flow" => self.tell_flow(serde_json::from_str(&line)?),
                "finding" => self.tell_record(serde_json::from_str(&line)?),
                "summary" => {
                    self.tell_summary(serde_json::from_str(&line)?);
                    whole = true;
                }
                _ => {}
            }
        }
        Ok(whole)
    }

    fn tell_flow(&mut self, flow: FlowTold) {
        self.flows += 1;
        let Some(service) = flow.service else { return };
        if Tried::is_foreign(flow.verdict, &flow.reasons) {
            return;
        }
        let tried = Tried::by(flow.outcome, flow.client.payload_bytes > 0 && flow.server.payload_bytes > 0);
        let key = (service, lasting(self.site, flow.client.ip), lasting(self.site, flow.server.ip));
        if self.services.len() >= limit::BASELINE_PAIRS && !self.services.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let example = || {
            let because = flow.cause.as_ref().map_or_else(String::new, |cause| format!(": {}", cause.says));
            format!("{} > {} {}/{} {}{because}", flow.client.ip, flow.server.ip, flow.server.port, flow.transport, word(&flow.outcome))
        };
        let entry = self.services.entry(key).or_insert_with(|| Use { roles: Default::default(), tried: Tried::default(), example: example() });
        if entry.tried.came_to().is_some_and(|before| tried.came_to().is_some_and(|now| before > now)) {
            entry.example = example();
        }
        entry.tried.merge(tried);
        for (known, roles) in entry.roles.iter_mut().zip([flow.client.roles, flow.server.roles]) {
            known.extend(roles);
        }
    }

    fn tell_finding(
        &mut self,
        (id, rule, severity): (&str, &str, Severity),
        service: Option<String>,
        ends: [&str; 2],
        unknown: Option<(usize, String)>,
        shows: String,
    ) {
        let [clients, servers] = ends.map(|end| BTreeSet::from([self.lasting_end(end)]));
        let found = Found { id: lasting_id_of(id, rule, unknown), rule: rule.to_owned(), severity, service, clients, servers };
        self.findings.push((found, shows));
    }

    /// An end as findings name it: an address lasts as addresses do, of several hosts it does not count how many.
    fn lasting_end(&self, said: &str) -> String {
        match said.parse::<IpAddr>() {
            Ok(ip) => lasting(self.site, ip),
            Err(_) => said.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ' ').to_owned(),
        }
    }

    fn tell_record(&mut self, finding: FindingTold) {
        let frames = finding.evidence.frames.iter().take(FRAMES_SHOWN).map(|frame| frame.number.to_string()).collect::<Vec<_>>().join(", ");
        let shows = format!("{} (frames {frames})", finding.says);
        let unknown = finding.unknown.map(|unknown| (unknown.ports.len(), unknown.protocol.join("-")));
        let ends = [finding.client.as_str(), finding.server.as_str()];
        self.tell_finding((&finding.id, &finding.rule, finding.severity), finding.service, ends, unknown, shows);
    }

    fn tell_summary(&mut self, summary: SummaryTold) {
        self.rows = summary.coverage;
        let broken = summary.captures.into_iter().filter(|capture| capture.error.is_some()).map(|capture| capture.path);
        self.tell_state(broken.collect(), summary.interrupted);
    }

    fn tell_state(&mut self, broken: Vec<String>, interrupted: bool) {
        let name = &self.name;
        self.notes.extend(broken.iter().map(|path| format!("{name}: {path} was not read to its end; what is missing may be in the rest")));
        self.notes.extend(interrupted.then(|| format!("{name}: reading was ended early; what is missing may come later in the captures")));
    }

    /// What differs from an earlier view.
    pub fn compare(&self, before: &Self, signatures: &Signatures) -> Comparison {
        let (is, was) = (self.baseline(), before.baseline());
        let shows = |entry: Entry<'_>| match entry {
            Entry::Service(seen) => {
                let key = (seen.service.clone(), seen.client.clone(), seen.server.clone());
                self.services.get(&key).map(|seen| seen.example.clone()).into_iter().collect()
            }
            Entry::Finding(id) => self.findings.iter().filter(|(found, _)| found.id == id).map(|(_, shows)| shows.clone()).collect(),
        };
        let mut differences = is.differences(&was, signatures, &shows);
        differences.extend(self.rows_changed(before));
        differences.sort_by_key(|difference| difference.kind);
        let ((services, findings), rows) = (was.len(), before.rows.len());
        let dropped = [before, self]
            .into_iter()
            .filter(|view| view.dropped > 0)
            .map(|view| format!("{}: {} flows belong to services between more pairs of hosts than are held apart", view.name, view.dropped));
        Comparison {
            name: String::new(),
            with: before.name.clone(),
            compared: services + findings + rows,
            what: ["service, finding or row", "services, findings and rows"],
            differences,
            notes: before.notes.iter().chain(&self.notes).cloned().chain(dropped).collect(),
        }
    }

    fn baseline(&self) -> Baseline {
        let seen = |((service, client, server), seen): (&(String, String, String), &Use)| {
            let roles = seen.roles.clone().map(|roles| roles.into_iter().collect());
            Some(Seen { service: service.clone(), client: client.clone(), server: server.clone(), roles, is: seen.tried.came_to()? })
        };
        Baseline::of(self.services.iter().filter_map(seen).collect(), self.findings.iter().map(|(found, _)| found.clone()).collect())
    }

    /// Documented rows of which the whole capture says something else. That nobody tried and that nobody could be seen to is the same here: captures of two
    /// days differ in that by chance.
    fn rows_changed(&self, before: &Self) -> Vec<Difference> {
        let silent = |coverage: Coverage| matches!(coverage, Coverage::NeverAttempted | Coverage::NotVisibleHere);
        let changed = self.rows.iter().filter_map(|(row, is)| {
            let was = before.rows.get(row)?;
            let differs = is != was && !(silent(*is) && silent(*was));
            differs.then(|| difference(Kind::Changed, format!("documented row {row}"), word(was), word(is), Vec::new()))
        });
        let only_in = |one: &Self, other: &Self| one.rows.keys().filter(|row| !other.rows.contains_key(*row)).cloned().collect::<Vec<_>>();
        let about = |row: String| format!("documented row {row}");
        let new = only_in(self, before).into_iter().map(|row| difference(Kind::New, about(row), String::new(), "in the documents now".to_owned(), Vec::new()));
        let gone =
            only_in(before, self).into_iter().map(|row| difference(Kind::Gone, about(row), String::new(), "no longer in the documents".to_owned(), Vec::new()));
        changed.chain(new).chain(gone).collect()
    }
}

/// A report that was kept: plain, or as `gzip` and `watch --gzip` leave it.
fn opened(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    let gzipped = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// The fields of the records that tell what lasts; everything else is passed over.
#[derive(Deserialize)]
struct Line {
    r#type: String,
}

#[derive(Deserialize)]
struct FlowTold {
    service: Option<String>,
    transport: String,
    client: EndTold,
    server: EndTold,
    verdict: Verdict,
    reasons: Vec<Reason>,
    outcome: Outcome,
    cause: Option<CauseTold>,
}

#[derive(Deserialize)]
struct EndTold {
    ip: IpAddr,
    port: u16,
    payload_bytes: u64,
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct CauseTold {
    says: String,
}

#[derive(Deserialize)]
struct FindingTold {
    id: String,
    rule: String,
    severity: Severity,
    service: Option<String>,
    client: String,
    server: String,
    says: String,
    evidence: EvidenceTold,
    unknown: Option<UnknownTold>,
}

#[derive(Deserialize)]
struct EvidenceTold {
    frames: Vec<FrameTold>,
}

#[derive(Deserialize)]
struct FrameTold {
    number: u64,
}

#[derive(Deserialize)]
struct UnknownTold {
    ports: Vec<String>,
    protocol: Vec<String>,
}

#[derive(Deserialize)]
struct SummaryTold {
    captures: Vec<CaptureTold>,
    coverage: BTreeMap<String, Coverage>,
    interrupted: bool,
}

#[derive(Deserialize)]
struct CaptureTold {
    path: String,
    error: Option<String>,
}

/// Reads a whole document record by record, as it may be larger than memory; whether the summary was in it.
struct DocumentSeed<'v, 'a>(&'v mut View<'a>);

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report: flows, findings, summary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut whole = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "flows" => map.next_value_seed(Each(&mut |flow| self.0.tell_flow(flow)))?,
                "findings" => map.next_value_seed(Each(&mut |finding| self.0.tell_record(finding)))?,
                "summary" => {
                    self.0.tell_summary(map.next_value()?);
                    whole = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(whole)
    }
}

/// Hands on a list's items one by one.
struct Each<'f, T>(&'f mut dyn FnMut(T));

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Each<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}

/// Frames named of a finding.
const FRAMES_SHOWN: usize = 6;
/// Bytes of a line that is looked at to tell records from a document.
const FIRST_LINE: u64 = 1 << 20;
