//! Text of an expectation file into [`Expectations`]: words into what they name, and every mistake of form and meaning.

use std::ops::Range;
use std::path::Path;

use crate::check::expect::{AllowDue, ChosenFlows, Expectations, FindingDue, FlowDue, HostDue, Rows, Whose};
use crate::check::toml_file::{AllowEntry, CheckEntry, CountsEntry, FindingEntry, FlowEntry, ServiceEntry};
use crate::check::{Count, Counted};
use crate::judge::words::{self, Wrong};
use crate::judge::{Site, rules};
use crate::signature::form::{At, Read, Source, entries, entry, instead, tables, unknown_table};
use crate::signature::{LoadError, Mistake, Signatures, text_of};

impl Expectations {
    /// Reads an expectation file. `signatures` are those that flows are judged by; `whole` are all that were loaded, so that a row that was left out on
    /// purpose is no mistake: what is due of it falls away. The site's names and the documents' roles may stand for hosts.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or all mistakes in it.
    pub fn load(path: &Path, site: &Site, signatures: &Signatures, whole: &Signatures) -> Result<Self, LoadError> {
        let text = text_of(path).map_err(|error| LoadError::Unreadable { path: path.to_owned(), error })?;
        Self::from_text(&path.display().to_string(), &text, site, signatures, whole)
    }

    /// The same from a text at hand, with the name that mistakes give it.
    ///
    /// # Errors
    ///
    /// All mistakes in the text.
    pub fn from_text(file: &str, text: &str, site: &Site, signatures: &Signatures, whole: &Signatures) -> Result<Self, LoadError> {
        let source = Source { file: file.into(), text: text.into() };
        let mut mistakes = Vec::new();
        let draft = Draft::read(&source, &mut mistakes);
        let mut desk = Desk { source: &source, site, signatures, whole, mistakes };
        let due = desk.expectations(&draft);
        if desk.mistakes.is_empty() {
            return Ok(due);
        }
        desk.mistakes.sort_by_key(|mistake| mistake.span.start);
        Err(LoadError::Mistakes(desk.mistakes))
    }
}

/// The file's entries as far as they read.
#[derive(Default)]
struct Draft {
    check: CheckEntry,
    counts: CountsEntry,
    services: Vec<Read<ServiceEntry>>,
    flows: Vec<Read<FlowEntry>>,
    findings: Vec<Read<FindingEntry>>,
    allow: Vec<Read<AllowEntry>>,
}

impl Draft {
    fn read(source: &Source, mistakes: &mut Vec<Mistake>) -> Self {
        let mut draft = Self::default();
        for (key, value) in tables(source, mistakes).into_iter().flatten() {
            match key.get_ref().as_ref() {
                "check" => draft.check = entry(source, value, mistakes).map(|read| read.entry).unwrap_or_default(),
                "counts" => draft.counts = entry(source, value, mistakes).map(|read| read.entry).unwrap_or_default(),
                "services" => draft.services = entries(source, &key, value, mistakes),
                "flows" => draft.flows = entries(source, &key, value, mistakes),
                "findings" => draft.findings = entries(source, &key, value, mistakes),
                "allow" => draft.allow = entries(source, &key, value, mistakes),
                _ => mistakes.push(unknown_table(source, &key, "an expectation file", TABLES)),
            }
        }
        draft
    }
}

/// Where the file is checked.
struct Desk<'a> {
    source: &'a Source,
    site: &'a Site,
    signatures: &'a Signatures,
    whole: &'a Signatures,
    mistakes: Vec<Mistake>,
}

impl Desk<'_> {
    fn expectations(&mut self, draft: &Draft) -> Expectations {
        Expectations {
            file: self.source.file.to_string(),
            name: draft.check.name.clone(),
            no_findings_above: draft.check.no_findings_above.as_ref().map(|severity| (severity.value, self.place(&severity.span))),
            counts: self.counts(&draft.counts),
            hosts: draft.services.iter().flat_map(|read| self.services(read)).collect(),
            flows: draft.flows.iter().filter_map(|read| self.flow(read)).collect(),
            findings: draft.findings.iter().filter_map(|read| self.finding(read)).collect(),
            allow: draft.allow.iter().filter_map(|read| self.allow(read)).collect(),
        }
    }

    fn counts(&self, entry: &CountsEntry) -> Vec<(Counted, Count, String)> {
        let all = [
            (Counted::Flows, &entry.flows),
            (Counted::Expected, &entry.expected),
            (Counted::Unexpected, &entry.unexpected),
            (Counted::Undecided, &entry.undecided),
            (Counted::Blocked, &entry.blocked),
            (Counted::Findings, &entry.findings),
        ];
        all.into_iter().filter_map(|(what, due)| due.as_ref().map(|due| (what, due.value, self.place(&due.span)))).collect()
    }

    /// One for each word of `hosts`; one where it names none.
    fn services(&mut self, Read { entry, span, .. }: &Read<ServiceEntry>) -> Vec<HostDue> {
        let (client, server) = (self.whose(&entry.client), self.whose(&entry.server));
        let hosts: Vec<Whose> = entry.hosts.iter().map(|host| self.whose(std::slice::from_ref(host))).collect();
        let Some(rows) = self.row(&entry.service) else { return Vec::new() };
        let due = |host: Whose| HostDue {
            place: self.place(span),
            service: entry.service.value.clone(),
            rows: rows.clone(),
            is: entry.is.0.clone(),
            host,
            client: client.clone(),
            server: server.clone(),
        };
        if hosts.is_empty() { vec![due(Whose::default())] } else { hosts.into_iter().map(due).collect() }
    }

    /// Complains of an entry that chooses no flows, says nothing of them, or names what there is not.
    fn check_flow(&mut self, Read { entry, span, damaged }: &Read<FlowEntry>) {
        let chooses = entry.id.is_some() || !entry.client.is_empty() || !entry.server.is_empty() || entry.transport.is_some() || !entry.ports.is_empty();
        let says = entry.service.is_some() || entry.verdict.is_some() || entry.reasons.is_some() || entry.outcome.is_some() || entry.rule.is_some();
        let says = says || entry.confidence.is_some() || entry.protocol.is_some() || entry.name.is_some() || entry.says.is_some();
        if !damaged && !chooses && entry.count.is_none() {
            let help = "choose them by id, client, server, transport or ports, or say with `count` how many of all flows must be so";
            self.complain(span, "the entry chooses no flows".to_owned(), Some(help.to_owned()));
        }
        if !damaged && !says && entry.count.is_none() {
            let help = "write what must be true of them, such as outcome = \"ok\", or how many there must be: count = \"1-\"";
            self.complain(span, "the entry says nothing about its flows".to_owned(), Some(help.to_owned()));
        }
        if let Some(id) = &entry.id
            && !(id.value.starts_with("1:") && id.value.len() == COMMUNITY_ID)
        {
            let help = "flow records print it as `id`: \"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\"";
            self.complain(&id.span, format!("`{}` is no Community ID", id.value), Some(help.to_owned()));
        }
        for protocol in entry.protocol.iter().flatten() {
            self.known(&protocol.span, words::protocol(&protocol.value));
        }
        if let Some(rule) = &entry.rule
            && !rules().any(|known| known.id == rule.value)
        {
            let known: Vec<&str> = rules().map(|known| known.id).collect();
            self.complain(&rule.span, format!("the decision table has no rule `{}`", rule.value), Some(instead(&rule.value, &known)));
        }
    }

    fn flow(&mut self, read: &Read<FlowEntry>) -> Option<FlowDue> {
        self.check_flow(read);
        let Read { entry, span, .. } = read;
        let (client, server) = (self.whose(&entry.client), self.whose(&entry.server));
        let service = match &entry.service {
            None => None,
            Some(service) => Some((service.value.clone(), self.row_or_none(service)?)),
        };
        Some(FlowDue {
            place: self.place(span),
            chosen: ChosenFlows {
                id: entry.id.as_ref().map(|id| id.value.clone()),
                client,
                server,
                transport: entry.transport.map(|word| word.0),
                ports: entry.ports.iter().map(|range| range.value).collect(),
            },
            count: entry.count.as_ref().map(|count| count.value),
            service,
            verdict: entry.verdict,
            reasons: entry.reasons.clone().map(|mut reasons| {
                reasons.sort_unstable();
                reasons.dedup();
                reasons
            }),
            outcome: entry.outcome.as_ref().map(|outcomes| outcomes.0.clone()),
            rule: entry.rule.as_ref().map(|rule| rule.value.clone()),
            confidence: entry.confidence,
            protocol: entry.protocol.as_ref().map(|stack| stack.iter().map(|name| name.value.clone()).collect()),
            name: entry.name.as_ref().map(|name| name.to_ascii_lowercase()),
            says: entry.says.clone(),
        })
    }

    fn finding(&mut self, Read { entry, span, damaged }: &Read<FindingEntry>) -> Option<FindingDue> {
        let says = entry.rule.is_some() || entry.service.is_some() || entry.severity.is_some() || entry.says.is_some() || entry.breaks.is_some();
        if !damaged && !says && entry.client.is_empty() && entry.server.is_empty() {
            self.complain(span, "the entry is about any finding".to_owned(), Some("name its `rule` or its `service`".to_owned()));
        }
        self.rule(entry.rule.as_ref());
        let (client, server) = (self.whose(&entry.client), self.whose(&entry.server));
        let service = match &entry.service {
            None => None,
            Some(service) => Some((service.value.clone(), self.row_or_none(service)?)),
        };
        Some(FindingDue {
            place: self.place(span),
            rule: entry.rule.as_ref().map(|rule| rule.value.clone()),
            service,
            severity: entry.severity,
            confidence: entry.confidence,
            client,
            server,
            flows: entry.flows,
            says: entry.says.clone(),
            breaks: entry.breaks.clone(),
        })
    }

    fn allow(&mut self, Read { entry, span, damaged }: &Read<AllowEntry>) -> Option<AllowDue> {
        if !damaged && entry.rule.is_none() && entry.service.is_none() && entry.client.is_empty() && entry.server.is_empty() {
            let help = "name one of: rule, service, client, server".to_owned();
            self.complain(span, "the entry allows every finding".to_owned(), Some(help));
        }
        if entry.reason.value.trim().is_empty() {
            self.complain(&entry.reason.span, "the reason is empty".to_owned(), Some("write a ticket number or a sentence".to_owned()));
        }
        self.rule(entry.rule.as_ref());
        let (client, server) = (self.whose(&entry.client), self.whose(&entry.server));
        let rows = match &entry.service {
            None => None,
            Some(service) => Some(self.row_or_none(service)?),
        };
        Some(AllowDue {
            place: self.place(span),
            rule: entry.rule.as_ref().map(|rule| rule.value.clone()),
            rows,
            client,
            server,
            reason: entry.reason.value.clone(),
            until: entry.until.map(|date| date.0),
        })
    }

    /// A finding's rule: the contract's word for a reason or outcome, or the id of a document's rule.
    fn rule(&mut self, rule: Option<&At<String>>) {
        if let Some(rule) = rule {
            self.known(&rule.span, words::finding(&rule.value, self.whole.rules.iter().map(|known| known.id.as_str())));
        }
    }

    /// The rows of the word; no rows for `none`.
    fn row_or_none(&mut self, service: &At<String>) -> Option<Rows> {
        if service.value == "none" { Some(Rows::default()) } else { self.row(service) }
    }

    /// The row of that id, and those that tell the same service from another product's side; none where it was left out on purpose, or is unknown.
    fn row(&mut self, service: &At<String>) -> Option<Rows> {
        self.known(&service.span, words::row(&service.value, self.signatures, self.whole)).flatten().map(Rows)
    }

    fn whose(&mut self, list: &[At<String>]) -> Whose {
        let mut whose = Whose::default();
        for At { value: word, span } in list {
            if let Some(these) = self.known(span, words::who(word, self.site.named(), self.signatures)) {
                whose.words.push(word.clone());
                whose.meant.extend(these);
            }
        }
        whose
    }

    /// What a word names; a complaint where it names nothing.
    fn known<T>(&mut self, span: &Range<usize>, named: Result<T, Wrong>) -> Option<T> {
        named.map_err(|Wrong { says, help }| self.complain(span, says, Some(help))).ok()
    }

    fn place(&self, span: &Range<usize>) -> String {
        let (line, _) = self.source.mistake(span.clone(), String::new(), None).line_column();
        format!("{}:{line}", self.source.file)
    }

    fn complain(&mut self, span: &Range<usize>, says: String, help: Option<String>) {
        self.mistakes.push(self.source.mistake(span.clone(), says, help));
    }
}

const TABLES: &[&str] = &["check", "counts", "services", "flows", "findings", "allow"];
/// Characters of a Community ID of version 1: its number, and 20 bytes in base64.
const COMMUNITY_ID: usize = 30;
