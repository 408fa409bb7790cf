//! The account of a flow for people: what was seen, what the bytes are, which row, what follows.

use std::io::{self, Write};

use anstyle::Style as Paint;
use serde_json::Value;

use crate::app::row::tell;
use crate::app::term::place_of;
use crate::app::why::words;
use crate::app::why::{Told, findings};
use crate::count::grouped;
use crate::flow::{End, community_id, community_id_of};
use crate::judge::{Account, Judged, Site, Standing, Stated, Verdict, hex, rules};
use crate::net::Side;
use crate::report::Report;
use crate::report::frames::numbers;
use crate::report::paragraph::{count, labelled, shown, wrapped};
use crate::report::record::{Details, evidence, word};
use crate::signature::Signatures;

/// Tells each flow with that name.
pub fn write(told: &Told<'_>, report: &Report<'_>, site: &Site, out: &mut dyn Write) -> io::Result<()> {
    if told.flows.len() > 1 || told.more > 0 {
        let more = if told.more > 0 { format!("; the first {} are told", told.flows.len()) } else { String::new() };
        let many = told.flows.len() as u64 + told.more;
        wrapped(out, "", &format!("{many} flows go by that name: their ports were used again{more}.",))?;
        writeln!(out)?;
    }
    for (place, judged) in told.flows.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        Teller { report, site, judged }.tell(&told.filter(judged), out)?;
    }
    Ok(())
}

struct Teller<'a> {
    report: &'a Report<'a>,
    site: &'a Site,
    judged: &'a Judged,
}

impl Teller<'_> {
    fn tell(&self, filter: &str, out: &mut dyn Write) -> io::Result<()> {
        let Self { judged, .. } = self;
        let flow = &judged.identified.flow;
        writeln!(out, "{HEAD}{} > {}/{}{HEAD:#}  {}", flow.client.endpoint, flow.server.endpoint, flow.transport, community_id(flow))?;
        let row = judged.service.map_or_else(String::new, |id| format!("; {}", self.signatures().service(id).id));
        wrapped(out, "", &format!("{}, {}{row}", word(&judged.verdict), word(&judged.outcome)))?;
        self.seen(out)?;
        self.bytes(out)?;
        if let Some(account) = &judged.account {
            self.rows(account, out)?;
        }
        self.verdict(out)?;
        self.outcome(out)?;
        self.evidence(filter, out)
    }

    fn signatures(&self) -> &Signatures {
        self.report.signatures
    }

    fn seen(&self, out: &mut dyn Write) -> io::Result<()> {
        let flow = &self.judged.identified.flow;
        heading(out, "What was seen")?;
        let (first, last) = (numbers(&self.report.files, &[flow.first_frame]), numbers(&self.report.files, &[flow.last_frame]));
        let length = flow.last.since(flow.first).as_secs_f64();
        let when = if flow.first_frame == flow.last_frame { format!("frame {first}") } else { format!("for {length:.3} s, frame {first} to frame {last}") };
        labelled(out, "When", &format!("{}, {when}", flow.first))?;
        for (side, end) in [(Side::Client, &flow.client), (Side::Server, &flow.server)] {
            self.end(side, end, out)?;
        }
        labelled(out, "Direction", &words::direction(flow.direction, self.judged.direction_by, flow.transport))?;
        if let Some(state) = flow.state {
            labelled(out, "State", &format!("{}: {}", state.name(), words::state(state, flow.transport)))?;
        }
        let letters = flow.history.as_str();
        if !letters.is_empty() {
            labelled(out, "History", &format!("{letters}: {}", words::history(&flow.history)))?;
        }
        if !flow.vlan.ids().is_empty() {
            labelled(out, "VLAN", &flow.vlan.ids().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))?;
        }
        let tunnels: Vec<&str> = flow.tunnel.iter().map(|tunnel| tunnel.name()).collect();
        if !tunnels.is_empty() {
            labelled(out, "Tunnel", &tunnels.join(", "))?;
        }
        for error in &flow.rejections {
            let frame = numbers(&self.report.files, &[error.frame]);
            let version = if error.v6 { "ICMPv6" } else { "ICMP" };
            labelled(
                out,
                "Error",
                &format!("{version} type {} code {} from {}, about a packet of the {}, frame {frame}", error.kind, error.code, error.by, error.to),
            )?;
        }
        Ok(())
    }

    fn end(&self, side: Side, end: &End, out: &mut dyn Write) -> io::Result<()> {
        let at = side as usize;
        let label = if side == Side::Client { "Client" } else { "Server" };
        let sent = match end.packets {
            0 => "sent nothing that was captured".to_owned(),
            packets => format!("{}, {} bytes, {} of payload, time to live {}", count_of(packets, "packet"), end.bytes, end.payload_bytes, end.ttl),
        };
        let mac = end.mac.map_or_else(String::new, |mac| format!(", from {mac}"));
        labelled(out, label, &format!("{}: {sent}{mac}", end.endpoint))?;
        for named in &self.judged.names[at] {
            let age = named.age.map_or_else(String::new, |age| format!(", {age} s before"));
            labelled(out, "", &format!("is called {} ({}{age})", named.name, named.source.replace('_', " ")))?;
        }
        let known = self.judged.account.iter().flat_map(|account| &account.roles[at]);
        for (role, why) in known {
            labelled(out, "", &format!("is a {}: {why}", self.signatures().role(*role).id))?;
        }
        for shown in &self.judged.shown[at] {
            let role = &self.signatures().role(shown.role).id;
            let judged = if shown.counts { "" } else { ", which is told and not judged by" };
            let frame = numbers(&self.report.files, &[shown.frame]);
            labelled(out, "", &format!("shows {role}: {} {} (frame {frame}{judged})", shown.by.replace('_', " "), shown.what))?;
        }
        if self.judged.roles[at].is_empty() {
            labelled(out, "", "has no role that it is judged by")?;
        }
        Ok(())
    }

    fn bytes(&self, out: &mut dyn Write) -> io::Result<()> {
        let identified = &self.judged.identified;
        heading(out, "What its bytes are")?;
        let protocol = if identified.protocol.is_empty() { "not recognised".to_owned() } else { identified.protocol.join(", in it ") };
        labelled(out, "Protocol", &protocol)?;
        let class = evidence(self.judged);
        labelled(out, "Evidence", &format!("{} ({})", class.name(), words::evidence(class)))?;
        for found in &identified.matches {
            let (bytes, frame) = (identified.matched(found), numbers(&self.report.files, &[found.frame]));
            let bytes = bytes.get(..BYTES_SHOWN).unwrap_or(bytes);
            let seen = if bytes.is_empty() { String::new() } else { format!(": {}", hex(bytes)) };
            labelled(out, "Matched", &format!("{}, {} bytes of the {} at offset {}, frame {frame}{seen}", found.rule, found.len, found.side, found.offset))?;
        }
        if identified.matches.is_empty() {
            for (side, bytes) in [Side::Client, Side::Server].into_iter().zip(&identified.opening).filter(|(_, bytes)| !bytes.is_empty()) {
                labelled(out, "Begins", &format!("the {side} with {}", hex(bytes)))?;
            }
        }
        for (protocol, fields) in Details(&identified.details).protocols() {
            let fields = fields.iter().map(|(field, value)| format!("{} {}", field.replace('_', " "), plain(&value.into_json())));
            labelled(out, "It says", &format!("{protocol}: {}", fields.collect::<Vec<_>>().join(", ")))?;
        }
        if let Some(promise) = &identified.announced {
            let (client, server) = promise.parent;
            let frame = numbers(&self.report.files, &[promise.frame]);
            let parent = community_id_of(promise.over, client, server);
            labelled(
                out,
                "Announced",
                &format!("by {} in frame {frame} of flow {parent} ({client} > {server}/{})", promise.kind.name().replace('_', " "), promise.over),
            )?;
        }
        Ok(())
    }

    fn rows(&self, account: &Account, out: &mut dyn Write) -> io::Result<()> {
        heading(out, "Which rows it was held against")?;
        if account.rows.is_empty() {
            return wrapped(out, "  ", "no row of the documents that apply has its port, its names or its protocol between such hosts");
        }
        for row in &account.rows {
            writeln!(out, "  {} - {}", shown(&self.signatures().service(row.service).id), words::standing(row.standing))?;
            labelled(out, "", &format!("for it: {}", row.speaks_for))?;
            if let Some(against) = &row.against {
                let label = if row.standing == Standing::SameService { "beside" } else { "against it" };
                labelled(out, "", &format!("{label}: {against}"))?;
            }
        }
        let Some(own) = self.judged.service else { return Ok(()) };
        heading(out, "What is written")?;
        tell(self.signatures(), self.signatures().service(own), Some(self.judged.identified.flow.server.endpoint.port), out)
    }

    fn verdict(&self, out: &mut dyn Write) -> io::Result<()> {
        let judged = self.judged;
        heading(out, "Verdict")?;
        let means = match judged.verdict {
            Verdict::Expected => "a row covers it, in this direction, with this content",
            Verdict::Unexpected => "no row covers it, or the one it belongs to is broken",
            Verdict::Undecided => "nothing can be held against it",
        };
        let means = match judged.stance {
            Some(Stated::Allowed(_)) => "the site file allows it",
            _ => means,
        };
        labelled(out, &word(&judged.verdict), means)?;
        for reason in &judged.reasons {
            labelled(out, "Because", &format!("{} ({})", reason.says(), word(reason)))?;
        }
        if let Some(entry) = stated(self.site, judged) {
            labelled(out, "Site file", &entry)?;
        }
        let what = if judged.service.is_some() { "it belongs to the row" } else { "no row covers it" };
        labelled(out, "How sure", &format!("{} that {what}", word(&judged.attribution)))
    }

    fn outcome(&self, out: &mut dyn Write) -> io::Result<()> {
        let judged = self.judged;
        heading(out, "Outcome")?;
        let blocked = if judged.outcome.is_blocked() { "; counted as blocked" } else { "" };
        labelled(out, "Outcome", &format!("{}, confidence {}{blocked}", word(&judged.outcome), word(&judged.confidence)))?;
        match &judged.cause {
            Some(cause) => {
                let (place, about) = place_of(cause.rule);
                labelled(out, "Rule", &format!("{}: {about} (the {place} of {} in the decision table; none before it holds)", cause.rule, rules().count()))?;
                labelled(out, "Seen", &cause.says)?;
                if let Some(by) = cause.by {
                    labelled(out, "By", &by.to_string())?;
                }
                if !cause.alternatives.is_empty() {
                    labelled(out, "Or else", &cause.alternatives.join("; "))?;
                }
            }
            None => labelled(out, "Rule", "none of the decision table holds: it was answered, and nothing was refused")?,
        }
        if let Some(denied) = judged.denied {
            labelled(out, "Concerns", &format!("{}: a name of that row was asked for here, and was not to be had", self.signatures().service(denied).id))?;
        }
        let Some(account) = &judged.account else { return Ok(()) };
        labelled(out, "Visible", &format!("would an answer be seen here? {}", account.sight.says))?;
        let flow = &judged.identified.flow;
        let point = self.report.visibility.points.iter().find(|point| point.interface == flow.interface && point.vlan == flow.vlan.ids());
        if let Some(point) = point {
            let lost = if account.loss_per_mille == 0 { "no loss".to_owned() } else { format!("{} of 1,000 acknowledged bytes lost", account.loss_per_mille) };
            labelled(out, "", &format!("flows heard at this place: {} from both ends, {} from one; {lost}", grouped(point.two_way), grouped(point.one_way)))?;
        }
        Ok(())
    }

    fn evidence(&self, filter: &str, out: &mut dyn Write) -> io::Result<()> {
        heading(out, "To look at it")?;
        labelled(out, "Frames", &numbers(&self.report.files, &self.judged.cited))?;
        labelled(out, "Filter", filter)?;
        let findings = findings(self.report, self.judged);
        if findings.is_empty() {
            return labelled(out, "Findings", "none cites it");
        }
        for (number, finding) in findings {
            labelled(out, "Finding", &format!("{number} [{}] {}: {}", word(&finding.severity), finding.id, finding.says))?;
        }
        Ok(())
    }
}

/// The entry of the site file that spoke.
pub fn stated(site: &Site, judged: &Judged) -> Option<String> {
    let (what, entry) = match judged.stance? {
        Stated::Denied(at) => ("denies it", site.deny.get(at)?),
        Stated::Allowed(at) => ("allows it", site.allow.get(at)?),
        Stated::Ignored(at) => ("ignores it", site.ignore.get(at)?),
        Stated::Expired(at) => ("allowed it, and does no longer", site.allow.get(at)?),
        Stated::Static(at) => return site.places.get(at).map(|place| format!("\"{}\" has static addresses, and it asks for one", place.name)),
    };
    Some(format!("{} {what}: {}", entry.written, entry.reason))
}

/// A value without its quotation marks.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{HEAD}{text}{HEAD:#}")
}

fn count_of(many: u64, what: &str) -> String {
    count(usize::try_from(many).unwrap_or(usize::MAX), what)
}

/// Matched bytes that are printed: a header, or the beginning of a line.
const BYTES_SHOWN: usize = 16;
const HEAD: Paint = Paint::new().bold();
