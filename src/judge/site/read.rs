//! Text of a site file into a [`Site`]: words into what they name, and every mistake of form and meaning.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use ipnet::IpNet;

use crate::judge::site::toml_file::{MovedEntry, PlaceEntry, SeverityEntry, SiteEntry, StanceEntry};
use crate::judge::site::{Moved, Place, Site, Stance, Weight, Who, network};
use crate::judge::words::{self, Wrong};
use crate::signature::form::{At, Read, Source, entries, entry, tables, unknown_table};
use crate::signature::{LoadError, Mistake, RoleId, ServiceId, Signatures, nearest, text_of};

impl Site {
    /// Reads a site file. `signatures` are those that flows are judged by; `whole` are all that were loaded, so that a row that was left out on purpose
    /// is no mistake: what is said about it falls away.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or all mistakes in it.
    pub fn load(path: &Path, signatures: &Signatures, whole: &Signatures) -> Result<Self, LoadError> {
        let text = text_of(path).map_err(|error| LoadError::Unreadable { path: path.to_owned(), error })?;
        Self::from_text(&path.display().to_string(), &text, signatures, whole)
    }

    /// The same from a text at hand, with the name that mistakes give it.
    ///
    /// # Errors
    ///
    /// All mistakes in the text.
    pub fn from_text(file: &str, text: &str, signatures: &Signatures, whole: &Signatures) -> Result<Self, LoadError> {
        let source = Source { file: file.into(), text: text.into() };
        let mut mistakes = Vec::new();
        let draft = Draft::read(&source, &mut mistakes);
        let mut desk = Desk { source: &source, signatures, whole, named: BTreeMap::new(), mistakes };
        let site = desk.site(&draft);
        if desk.mistakes.is_empty() {
            return Ok(site);
        }
        desk.mistakes.sort_by_key(|mistake| mistake.span.start);
        Err(LoadError::Mistakes(desk.mistakes))
    }
}

/// The file's entries as far as they read.
#[derive(Debug, Default)]
struct Draft {
    site: SiteEntry,
    networks: Vec<Read<PlaceEntry>>,
    hosts: Vec<Read<PlaceEntry>>,
    ports: Vec<Read<MovedEntry>>,
    allow: Vec<Read<StanceEntry>>,
    deny: Vec<Read<StanceEntry>>,
    ignore: Vec<Read<StanceEntry>>,
    severity: Vec<Read<SeverityEntry>>,
}

impl Draft {
    fn read(source: &Source, mistakes: &mut Vec<Mistake>) -> Self {
        let mut draft = Self::default();
        for (key, value) in tables(source, mistakes).into_iter().flatten() {
            match key.get_ref().as_ref() {
                "site" => draft.site = entry(source, value, mistakes).map(|read| read.entry).unwrap_or_default(),
                "networks" => draft.networks = entries(source, &key, value, mistakes),
                "hosts" => draft.hosts = entries(source, &key, value, mistakes),
                "ports" => draft.ports = entries(source, &key, value, mistakes),
                "allow" => draft.allow = entries(source, &key, value, mistakes),
                "deny" => draft.deny = entries(source, &key, value, mistakes),
                "ignore" => draft.ignore = entries(source, &key, value, mistakes),
                "severity" => draft.severity = entries(source, &key, value, mistakes),
                _ => mistakes.push(unknown_table(source, &key, "a site file", TABLES)),
            }
        }
        draft
    }
}

/// Where the file is checked.
struct Desk<'a> {
    source: &'a Source,
    signatures: &'a Signatures,
    whole: &'a Signatures,
    /// Networks by the name of their entry.
    named: BTreeMap<String, Vec<IpNet>>,
    mistakes: Vec<Mistake>,
}

impl Desk<'_> {
    fn site(&mut self, draft: &Draft) -> Site {
        let entry = &draft.site;
        let mut site = Site {
            name: entry.name.clone(),
            products: entry.products.iter().filter_map(|product| self.product(product)).collect(),
            local: entry.local.iter().map(|network| network.value.0).collect(),
            switched_on: self.rows(&entry.services_on).into_iter().map(|row| (row, Vec::new())).collect(),
            ..Site::default()
        };
        let places = draft.networks.iter().map(|read| (read, true)).chain(draft.hosts.iter().map(|read| (read, false)));
        for (read @ Read { entry, .. }, is_segment) in places {
            let place = self.place(read, is_segment);
            site.roles.extend(place.roles.iter().flat_map(|role| place.networks.iter().map(|network| (*role, *network))));
            site.switched_on.extend(self.rows(&entry.services_on).into_iter().map(|row| (row, place.networks.clone())));
            site.places.push(place);
        }
        site.moved = draft.ports.iter().filter_map(|read| self.moved(read)).collect();
        site.allow = self.stances(&draft.allow);
        site.deny = self.stances(&draft.deny);
        site.ignore = self.stances(&draft.ignore);
        site.severities = draft.severity.iter().filter_map(|read| self.weight(&read.entry)).collect();
        site
    }

    fn place(&mut self, Read { entry, damaged, .. }: &Read<PlaceEntry>, is_segment: bool) -> Place {
        let networks: Vec<IpNet> = entry.addresses.value.iter().map(|network| network.value.0).collect();
        if networks.is_empty() && !damaged {
            self.complain(&entry.addresses.span, "`addresses` names nobody".to_owned(), Some("write addresses = [\"10.1.0.0/24\"]".to_owned()));
        }
        if self.named.insert(entry.name.value.clone(), networks.clone()).is_some() {
            let help = "give each network and host a name of its own".to_owned();
            self.complain(&entry.name.span, format!("the name `{}` is there twice", entry.name.value), Some(help));
        }
        // A network may be called by its own address, as drafts do.
        let is_taken = network(&entry.name.value).is_ok_and(|means| !networks.contains(&means));
        if is_taken || ["local", "internet"].contains(&entry.name.value.as_str()) {
            let help = "`local`, `internet` and addresses mean themselves wherever an entry names its ends: give it a name of its own".to_owned();
            self.complain(&entry.name.span, format!("`{}` is no name for it", entry.name.value), Some(help));
        }
        if let Some(version) = &entry.version
            && !version.value.starts_with(|first: char| first.is_ascii_digit())
        {
            let help = "write its number: version = \"4.6.2\"; what is no number is an `edition`".to_owned();
            self.complain(&version.span, format!("`{}` cannot be compared with the documents' versions", version.value), Some(help));
        }
        Place {
            name: entry.name.value.clone(),
            is_segment,
            networks,
            roles: entry.roles.iter().filter_map(|role| self.role(role)).collect(),
            version: entry.version.as_ref().map(|version| version.value.clone()),
            edition: entry.edition.clone(),
            static_addresses: entry.static_addresses,
            macs: entry.macs.iter().map(|mac| mac.value.0).collect(),
        }
    }

    fn moved(&mut self, Read { entry, damaged, .. }: &Read<MovedEntry>) -> Option<Moved> {
        let ports: Vec<_> = entry.ports.value.iter().map(|range| range.value).collect();
        if ports.is_empty() && !damaged {
            self.complain(&entry.ports.span, "`ports` names no port".to_owned(), Some("write ports = [5555]".to_owned()));
        }
        let servers = self.whose(&entry.servers);
        let services = self.service(Some(&entry.service))?;
        Some(Moved { services, ports, servers })
    }

    fn stances(&mut self, list: &[Read<StanceEntry>]) -> Vec<Stance> {
        list.iter().filter_map(|read| self.stance(read)).collect()
    }

    fn stance(&mut self, Read { entry, damaged, .. }: &Read<StanceEntry>) -> Option<Stance> {
        let says_nothing = entry.client.is_empty() && entry.server.is_empty() && entry.service.is_none() && entry.ports.is_empty();
        if says_nothing && entry.transport.is_none() && entry.protocol.is_none() && !damaged {
            let help = "name one of: client, server, service, transport, ports, protocol".to_owned();
            self.complain(&entry.reason.span, "the entry is about everything".to_owned(), Some(help));
        }
        if entry.reason.value.trim().is_empty() {
            self.complain(&entry.reason.span, "the reason is empty".to_owned(), Some("write a ticket number or a sentence".to_owned()));
        }
        if let Some(protocol) = &entry.protocol {
            self.known(&protocol.span, words::protocol(&protocol.value));
        }
        let (client, server) = (self.whose(&entry.client), self.whose(&entry.server));
        let services = self.service(entry.service.as_ref())?;
        let (line, _) = self.source.mistake(entry.reason.span.clone(), String::new(), None).line_column();
        Some(Stance {
            client,
            server,
            services,
            transport: entry.transport.map(|word| word.0),
            ports: entry.ports.iter().map(|range| range.value).collect(),
            protocol: entry.protocol.as_ref().map(|protocol| protocol.value.clone()),
            reason: entry.reason.value.clone(),
            until: entry.until.map(|date| date.0),
            written: format!("{}:{line}", self.source.file),
        })
    }

    fn weight(&mut self, entry: &SeverityEntry) -> Option<Weight> {
        let finding = &entry.finding;
        self.known(&finding.span, words::finding(&finding.value, self.whole.rules.iter().map(|known| known.id.as_str())));
        let services = self.service(entry.service.as_ref())?;
        Some(Weight { finding: finding.value.clone(), services, severity: entry.severity })
    }

    fn product(&mut self, product: &At<String>) -> Option<String> {
        let known = || self.whole.documents.iter().map(|document| document.vendor.as_str());
        if known().any(|vendor| vendor == product.value) {
            return Some(product.value.clone());
        }
        let help = nearest(&product.value, known()).map_or_else(|| format!("there are {}", known().collect::<Vec<_>>().join(", ")), did_you_mean);
        self.complain(&product.span, format!("there is no document of `{}`", product.value), Some(help));
        None
    }

    fn role(&mut self, role: &At<String>) -> Option<RoleId> {
        let found = self.signatures.role_id(&role.value);
        if found.is_none() {
            let near = nearest(&role.value, self.signatures.roles.iter().map(|known| known.id.as_str()));
            let help = near.map_or_else(|| "portbook signatures list prints the roles".to_owned(), did_you_mean);
            self.complain(&role.span, format!("there is no role `{}`", role.value), Some(help));
        }
        found
    }

    fn rows(&mut self, list: &[At<String>]) -> Vec<ServiceId> {
        list.iter().flat_map(|service| self.row(service).unwrap_or_default()).collect()
    }

    /// The rows of an entry, none where it names none; `None` where the entry falls away, as its row is not known or was left out.
    fn service(&mut self, service: Option<&At<String>>) -> Option<Vec<ServiceId>> {
        service.map_or(Some(Vec::new()), |service| self.row(service))
    }

    /// The row of that id, and those that tell the same service from another product's side.
    fn row(&mut self, service: &At<String>) -> Option<Vec<ServiceId>> {
        self.known(&service.span, words::row(&service.value, self.signatures, self.whole)).flatten()
    }

    /// Whom words mean: what the file names goes before roles, and these before addresses.
    fn whose(&mut self, list: &[At<String>]) -> Vec<Who> {
        let mut meant = Vec::new();
        for At { value: word, span } in list {
            let named = self.named.iter().map(|(name, networks)| (name.as_str(), networks.as_slice()));
            let these = words::who(word, named, self.signatures);
            meant.extend(self.known(span, these).unwrap_or_default());
        }
        meant
    }

    /// What a word names; a complaint where it names nothing.
    fn known<T>(&mut self, span: &Range<usize>, named: Result<T, Wrong>) -> Option<T> {
        named.map_err(|Wrong { says, help }| self.complain(span, says, Some(help))).ok()
    }

    fn complain(&mut self, span: &Range<usize>, says: String, help: Option<String>) {
        self.mistakes.push(self.source.mistake(span.clone(), says, help));
    }
}

fn did_you_mean(right: &str) -> String {
    format!("did you mean `{right}`?")
}

const TABLES: &[&str] = &["site", "networks", "hosts", "ports", "allow", "deny", "ignore", "severity"];
