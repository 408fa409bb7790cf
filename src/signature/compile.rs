//! Entries of all files into [`Signatures`]: words into indexes, and every mistake of meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use crate::limit;
use crate::signature::form::{At, Read, Source};
use crate::signature::hint;
use crate::signature::index::Index;
use crate::signature::mistake::{Mistake, nearest};
use crate::signature::names::{PROTOCOL_NAMES, is_protocol_name};
use crate::signature::read::Draft;
use crate::signature::toml_file::{BasisWord, RoleEntry, RuleEntry, ServiceEntry, SupplementEntry};
use crate::signature::{Basis, Citation, Document, HostPattern, Role, RoleId, Rule, Service, ServiceId, Signatures, Supplement};

/// Puts the files together. Of entries with the same id the user's stands and the built-in one goes; twice in the same camp is a mistake.
pub fn compile(mut drafts: Vec<Draft>, mistakes: &mut Vec<Mistake>) -> Signatures {
    give_way(&mut drafts);
    let names = Names::new(&drafts, mistakes);
    let mut all = Signatures::default();
    for draft in &drafts {
        let document = u16::try_from(all.documents.len()).unwrap_or(u16::MAX);
        let vendor = draft.document.as_ref().map(|entry| entry.vendor.value.clone());
        let mut desk = Desk { source: &draft.source, user: draft.user, document, vendor, names: &names, mistakes };
        all.documents.push(desk.document(draft));
        all.roles.extend(draft.roles.iter().map(|read| desk.role(&read.entry)));
        all.services.extend(draft.services.iter().map(|read| desk.service(read)));
        all.rules.extend(draft.rules.iter().map(|read| desk.rule(read)));
    }
    all.index = Index::new(&all.services, &all.roles);
    all
}

/// Without what is no document's word.
pub fn strict(all: &Signatures) -> Signatures {
    let mut kept = reduced(all, |service| service.basis != Basis::Supplement, |rule| rule.basis != Basis::Supplement);
    for service in &mut kept.services {
        if let Some(supplement) = service.supplement.take() {
            take_out(service, &supplement);
        }
    }
    kept.index = Index::new(&kept.services, &kept.roles);
    kept
}

/// The rows and sentences of these documents alone. All documents and roles keep their numbers.
pub fn of(all: &Signatures, document: impl Fn(u16) -> bool) -> Signatures {
    reduced(all, |service| document(service.document), |rule| document(rule.document))
}

/// With fewer rows and sentences; what leads to a row that is left out is left out, too.
fn reduced(all: &Signatures, keeps: impl Fn(&Service) -> bool, holds: impl Fn(&Rule) -> bool) -> Signatures {
    let kept: Vec<ServiceId> = all.services().filter(|(_, service)| keeps(service)).map(|(id, _)| id).collect();
    let moved =
        |ids: &[ServiceId]| ids.iter().filter_map(|id| kept.binary_search(id).ok()).filter_map(|at| u32::try_from(at).ok()).map(ServiceId).collect::<Vec<_>>();
    let services = kept.iter().map(|id| all.service(*id).clone()).map(|service| Service { fallback: moved(&service.fallback), ..service });
    let services: Vec<Service> = services.collect();
    let rules = all.rules.iter().filter(|rule| holds(rule)).cloned();
    let rules = rules.map(|rule| Rule { services: moved(&rule.services), expects: moved(&rule.expects), ..rule }).collect();
    let index = Index::new(&services, &all.roles);
    Signatures { documents: all.documents.clone(), roles: all.roles.clone(), services, rules, index }
}

fn take_out(service: &mut Service, supplement: &Supplement) {
    service.transports.retain(|transport| !supplement.transports.contains(transport));
    service.ports.retain(|range| !supplement.ports.contains(range));
    service.protocols.retain(|stack| !supplement.protocols.contains(stack));
    service.paths.retain(|path| !supplement.paths.contains(path));
    service.encrypted = service.encrypted.filter(|_| supplement.encrypted.is_none());
    service.default_on = service.default_on.filter(|_| supplement.default_on.is_none());
    service.configurable = service.configurable.take().filter(|_| supplement.configurable.is_none());
}

/// Takes out of the built-in files what a user's file says anew.
fn give_way(drafts: &mut [Draft]) {
    let taken: BTreeSet<String> = drafts.iter().filter(|draft| draft.user).flat_map(|draft| draft.ids.iter().cloned()).collect();
    for draft in drafts.iter_mut().filter(|draft| !draft.user) {
        draft.roles.retain(|read| !taken.contains(&read.entry.id.value));
        draft.services.retain(|read| !taken.contains(&read.entry.id.value));
        draft.rules.retain(|read| !taken.contains(&read.entry.id.value));
    }
}

/// Which number each id has, and ids of entries that did not read.
struct Names {
    roles: BTreeMap<String, RoleId>,
    services: BTreeMap<String, ServiceId>,
    unread: BTreeSet<String>,
}

impl Names {
    fn new(drafts: &[Draft], mistakes: &mut Vec<Mistake>) -> Self {
        let mut names = Self { roles: BTreeMap::new(), services: BTreeMap::new(), unread: BTreeSet::new() };
        let mut first: BTreeMap<&str, (&Source, &Range<usize>)> = BTreeMap::new();
        let (mut next_role, mut next_service) = (0_u16, 0_u32);
        for draft in drafts {
            names.unread.extend(draft.ids.iter().cloned());
            let ids = draft.roles.iter().map(|read| &read.entry.id);
            let ids = ids.chain(draft.services.iter().map(|read| &read.entry.id)).chain(draft.rules.iter().map(|read| &read.entry.id));
            for id in ids {
                if let Some((source, span)) = first.get(id.value.as_str()) {
                    let (line, column) = source.mistake((*span).clone(), String::new(), None).line_column();
                    let help = format!("the first one is at {}:{line}:{column}; give this one a name of its own", source.file);
                    mistakes.push(draft.source.mistake(id.span.clone(), format!("the id `{}` is there twice", id.value), Some(help)));
                } else {
                    first.insert(&id.value, (&draft.source, &id.span));
                }
            }
            for read in &draft.roles {
                if names.roles.len() == limit::ROLES {
                    mistakes.push(draft.source.mistake(read.entry.id.span.clone(), format!("more than {} roles", limit::ROLES), None));
                    break;
                }
                names.roles.entry(read.entry.id.value.clone()).or_insert(RoleId(next_role));
                next_role = next_role.saturating_add(1);
            }
            for read in &draft.services {
                names.services.entry(read.entry.id.value.clone()).or_insert(ServiceId(next_service));
                next_service = next_service.saturating_add(1);
            }
        }
        names
    }
}

/// Where one file is checked.
struct Desk<'a> {
    source: &'a Source,
    user: bool,
    document: u16,
    vendor: Option<String>,
    names: &'a Names,
    mistakes: &'a mut Vec<Mistake>,
}

impl Desk<'_> {
    fn complain(&mut self, span: &Range<usize>, says: String, help: Option<String>) {
        self.mistakes.push(self.source.mistake(span.clone(), says, help));
    }

    fn document(&mut self, draft: &Draft) -> Document {
        let Some(entry) = &draft.document else {
            return Document { vendor: String::new(), vendor_name: String::new(), title: String::new(), url: None, user: self.user };
        };
        let vendor = &entry.vendor;
        let is_right = !vendor.value.is_empty() && vendor.value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !is_right {
            let help = format!("write `{}`: lower-case letters, digits and hyphens, as it is typed after --product", simple(&vendor.value));
            self.complain(&vendor.span, format!("`{}` cannot be a vendor's short name", vendor.value), Some(help));
        }
        // By the name as it will be, so that one mistake is told once.
        let short = if is_right { vendor.value.clone() } else { simple(&vendor.value) };
        for role in &draft.roles {
            let id = &role.entry.id;
            let named = id.value.strip_prefix(&*short).and_then(|rest| rest.strip_prefix('.')).is_some_and(|name| !name.is_empty());
            if !named {
                let name = simple(id.value.rsplit('.').next().unwrap_or_default());
                let name = name.strip_prefix(&*short).map(|rest| rest.trim_start_matches('-')).filter(|rest| !rest.is_empty()).unwrap_or(&name);
                let help = format!("write `{short}.{name}`");
                self.complain(&id.span, format!("the role `{}` does not begin with its vendor", id.value), Some(help));
            }
        }
        Document {
            vendor: vendor.value.clone(),
            vendor_name: entry.name.value.clone(),
            title: entry.title.value.clone(),
            url: entry.url.clone(),
            user: self.user,
        }
    }

    fn role(&mut self, entry: &RoleEntry) -> Role {
        Role {
            id: entry.id.value.clone(),
            name: entry.name.value.clone(),
            document: self.document,
            kind: entry.kind,
            versions: entry.versions.clone(),
            marks: entry.marks.clone(),
        }
    }

    fn service(&mut self, read: &Read<ServiceEntry>) -> Service {
        let entry = &read.entry;
        let basis = self.basis(entry.basis);
        let supplement = entry.supplement.as_ref().map(|added| self.supplement(entry, added));
        let mut service = Service {
            id: entry.id.value.clone(),
            document: self.document,
            name: entry.name.value.clone(),
            basis,
            client: self.roles("client", &entry.client),
            server: self.roles("server", &entry.server),
            direction: entry.direction,
            transports: entry.transports.iter().map(|word| word.0).collect(),
            ports: entry.ports.iter().map(|range| range.value).collect(),
            client_ports: entry.client_ports.iter().map(|range| range.value).collect(),
            learned_from: entry.learned_from.clone(),
            protocols: entry.protocols.iter().map(|stack| self.stack(stack)).collect(),
            protocol_name: entry.protocol_name.value.clone(),
            encrypted: entry.encrypted,
            paths: self.paths(&entry.paths),
            hosts: self.hosts(&entry.hosts, false).into_iter().chain(self.hosts(&entry.broad_hosts, true)).collect(),
            addresses: entry.addresses.clone(),
            instance: entry.instance.as_ref().map(|instance| instance.value.clone()),
            default_on: entry.default_on,
            since: entry.since.clone(),
            only_in: entry.only_in.clone(),
            configurable: entry.configurable.clone(),
            mandatory: entry.mandatory.clone(),
            firewall: entry.firewall.clone(),
            url_reservation: entry.url_reservation.clone(),
            consequence: entry.consequence.clone(),
            remedy: entry.remedy.clone(),
            answered: entry.answered,
            fallback: self.services(&entry.fallback),
            note: entry.note.clone(),
            supplement: None,
            citation: self.citation(read.damaged, entry.basis, &entry.id, (&entry.section, &entry.quote, &entry.states, &entry.url)),
        };
        if let Some(supplement) = supplement {
            put_in(&mut service, supplement);
        }
        self.check_whole(read, &service);
        service
    }

    /// What only the whole row shows.
    fn check_whole(&mut self, read: &Read<ServiceEntry>, service: &Service) {
        let entry = &read.entry;
        if let Some(transport) = service.transports.iter().find(|transport| !transport.has_ports())
            && let Some(range) = entry.ports.first()
        {
            self.complain(&range.span, format!("{transport} has no ports"), Some("leave out `ports`, or name tcp or udp".to_owned()));
        }
        if let Some(instance) = &entry.instance
            && service.range_of(instance.value.base).is_none()
        {
            let ranges = service.ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let help = format!("base is the port of instance 0, in one of the row's ranges: {ranges}");
            self.complain(&instance.span, format!("the base {} is no port of this row", instance.value.base), Some(help));
        }
        let secure = |stack: &Vec<String>| stack.iter().any(|name| ENCRYPTING.contains(&name.as_str()));
        let contradicts = match service.encrypted {
            Some(true) => !service.protocols.is_empty() && !service.protocols.iter().any(secure),
            Some(false) => !service.protocols.is_empty() && service.protocols.iter().all(secure),
            None => false,
        };
        if contradicts && !read.damaged {
            let help = format!("encrypted stacks hold one of: {}", ENCRYPTING.join(", "));
            self.complain(&entry.id.span, format!("`{}`: `encrypted` and `protocols` contradict each other", service.id), Some(help));
        }
    }

    fn supplement(&mut self, entry: &ServiceEntry, added: &At<SupplementEntry>) -> Supplement {
        let At { value, span } = added;
        let said = [
            ("encrypted", value.encrypted.is_some() && entry.encrypted.is_some()),
            ("default_on", value.default_on.is_some() && entry.default_on.is_some()),
            ("configurable", value.configurable.is_some() && entry.configurable.is_some()),
        ];
        for (key, _) in said.iter().filter(|(_, twice)| *twice) {
            self.complain(span, format!("the document already says `{key}`: a supplement cannot"), None);
        }
        if entry.basis == BasisWord::Supplement {
            let help = "a row with basis = \"supplement\" says everything itself".to_owned();
            self.complain(span, "a supplement of a supplement".to_owned(), Some(help));
        }
        Supplement {
            transports: value.transports.iter().map(|word| word.0).collect(),
            ports: value.ports.iter().map(|range| range.value).collect(),
            protocols: value.protocols.iter().map(|stack| self.stack(stack)).collect(),
            paths: self.paths(&value.paths),
            encrypted: value.encrypted,
            default_on: value.default_on,
            configurable: value.configurable.clone(),
            says: value.says.clone(),
            url: value.url.clone(),
        }
    }

    fn rule(&mut self, read: &Read<RuleEntry>) -> Rule {
        let entry = &read.entry;
        Rule {
            id: entry.id.value.clone(),
            document: self.document,
            basis: self.basis(entry.basis),
            says: entry.says.value.clone(),
            services: self.services(&entry.services),
            expects: self.services(&entry.expects),
            roles: entry.roles.iter().filter_map(|role| self.role_id(role)).collect(),
            ports: entry.ports.iter().map(|range| range.value).collect(),
            protocols: self.stack(&entry.protocols),
            requests: entry.requests.clone(),
            period: entry.period,
            effect: entry.effect,
            citation: self.citation(read.damaged, entry.basis, &entry.id, (&entry.section, &entry.quote, &entry.states, &entry.url)),
        }
    }

    /// A user's file is the user's word, also where it copies a vendor's.
    fn basis(&self, word: BasisWord) -> Basis {
        match word {
            BasisWord::Supplement => Basis::Supplement,
            BasisWord::Document if self.user => Basis::User,
            BasisWord::Document => Basis::Document,
        }
    }

    fn citation(&mut self, damaged: bool, basis: BasisWord, id: &At<String>, parts: Parts<'_>) -> Citation {
        let (section, quote, states, url) = parts;
        let wrong = match (basis, quote, states) {
            _ if damaged => None,
            (_, Some(_), Some(_)) => Some(("says both `quote` and `states`", "a document is quoted; what another source states is told in our words")),
            (_, Some(words), _) | (_, _, Some(words)) if words.value.trim().is_empty() => Some(("has an empty quote", QUOTE_HELP)),
            (BasisWord::Document, None, _) => Some(("has no `quote`", QUOTE_HELP)),
            (BasisWord::Supplement, None, None) => Some(("says neither `quote` nor `states`", "say what the source states: states = \"...\"")),
            (BasisWord::Supplement, ..) if url.is_none() => Some(("has no `url`", "name the source of the supplement: url = \"...\"")),
            _ => None,
        };
        if let Some((says, help)) = wrong {
            self.complain(&id.span, format!("`{}` {says}", id.value), Some(help.to_owned()));
        }
        let words = quote.as_ref().or(states.as_ref()).map_or_else(String::new, |words| words.value.clone());
        Citation { section: section.clone().unwrap_or_default(), quote: words, verbatim: quote.is_some(), url: url.clone() }
    }

    fn roles(&mut self, key: &str, list: &At<Vec<At<String>>>) -> Vec<RoleId> {
        if list.value.is_empty() {
            self.complain(&list.span, format!("`{key}` names no role"), Some("name who it is; a role of kind \"anyone\" stands for any host".to_owned()));
        }
        list.value.iter().filter_map(|role| self.role_id(role)).collect()
    }

    fn role_id(&mut self, role: &At<String>) -> Option<RoleId> {
        let found = self.names.roles.get(&role.value).copied();
        if found.is_none() && !self.names.unread.contains(&role.value) {
            // A role without its vendor is one of this file first.
            let within = self.vendor.as_ref().map(|vendor| format!("{vendor}.{}", role.value)).filter(|id| self.names.roles.contains_key(id));
            let near = within.as_deref().or_else(|| nearest(&role.value, self.names.roles.keys().map(String::as_str)));
            let help = match near {
                Some(right) => format!("did you mean `{right}`?"),
                None if ANYBODY.contains(&role.value.to_ascii_lowercase().as_str()) => {
                    "declare a role for it in [[roles]]: one of kind \"anyone\" stands for any host".to_owned()
                }
                None => "declare it in [[roles]], with id, name and kind".to_owned(),
            };
            self.complain(&role.span, format!("there is no role `{}`", role.value), Some(help));
        }
        found
    }

    fn services(&mut self, list: &[At<String>]) -> Vec<ServiceId> {
        list.iter().filter_map(|service| self.service_id(service)).collect()
    }

    fn service_id(&mut self, service: &At<String>) -> Option<ServiceId> {
        let found = self.names.services.get(&service.value).copied();
        if found.is_none() && !self.names.unread.contains(&service.value) {
            let near = nearest(&service.value, self.names.services.keys().map(String::as_str));
            let help = near.map_or_else(|| "it is no id of [[services]] in any loaded file".to_owned(), |right| format!("did you mean `{right}`?"));
            self.complain(&service.span, format!("there is no service `{}`", service.value), Some(help));
        }
        found
    }

    fn stack(&mut self, stack: &[At<String>]) -> Vec<String> {
        for name in stack.iter().filter(|name| !is_protocol_name(&name.value)) {
            let near = || nearest(&name.value, PROTOCOL_NAMES.iter().copied()).map(|right| format!("did you mean `{right}`?"));
            let help = hint::protocol(&name.value).map(str::to_owned).or_else(near);
            let help = help.unwrap_or_else(|| "signatures/README.md lists the names; leave `protocols` out where none fits".to_owned());
            self.complain(&name.span, format!("`{}` is no protocol name", name.value), Some(help));
        }
        stack.iter().map(|name| name.value.clone()).collect()
    }

    fn paths(&mut self, paths: &[At<String>]) -> Vec<String> {
        for path in paths.iter().filter(|path| !path.value.starts_with('/')) {
            // Of a whole address, as tables have it (`http://+:80/REST`), what comes after the port.
            let own = path.value.split_once("://").map_or(path.value.as_str(), |(_, rest)| rest.split_once('/').map_or("", |(_, own)| own));
            self.complain(&path.span, format!("`{}` is no root path", path.value), Some(format!("write \"/{own}\"")));
        }
        paths.iter().map(|path| path.value.clone()).collect()
    }

    fn hosts(&mut self, hosts: &[At<String>], broad: bool) -> Vec<HostPattern> {
        let mut patterns = Vec::with_capacity(hosts.len());
        for host in hosts {
            let pattern = host.value.strip_suffix('.').unwrap_or(&host.value).to_ascii_lowercase();
            let domain = pattern.strip_prefix("*.").unwrap_or(&pattern);
            let name = domain.split_once("://").map_or(domain, |(_, rest)| rest);
            let name = name.split(['/', ':']).next().unwrap_or_default();
            if domain.parse::<IpAddr>().is_ok() {
                self.complain(&host.span, format!("`{}` is an address", host.value), Some("addresses go into `addresses`".to_owned()));
            } else if domain.is_empty() || domain.contains(['*', '/', ':', ' ', ',']) || domain.split('.').any(str::is_empty) {
                let help = if name.contains('.') && name != domain && !name.contains(['*', ' ', ',']) {
                    format!("write the name alone: \"{name}\"; ports and paths have keys of their own")
                } else {
                    "write a whole name, or \"*.\" and a domain".to_owned()
                };
                self.complain(&host.span, format!("`{}` is no host-name pattern", host.value), Some(help));
            }
            patterns.push(HostPattern { pattern, broad });
        }
        patterns
    }
}

/// The name as a file may have it: lower-case letters, digits and hyphens.
fn simple(name: &str) -> String {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn put_in(service: &mut Service, supplement: Supplement) {
    service.transports.extend(&supplement.transports);
    service.ports.extend(&supplement.ports);
    service.protocols.extend(supplement.protocols.iter().cloned());
    service.paths.extend(supplement.paths.iter().cloned());
    service.encrypted = service.encrypted.or(supplement.encrypted);
    service.default_on = service.default_on.or(supplement.default_on);
    service.configurable = service.configurable.take().or_else(|| supplement.configurable.clone());
    service.supplement = Some(supplement);
}

/// Section, quote, statement and address of an entry.
type Parts<'a> = (&'a Option<String>, &'a Option<At<String>>, &'a Option<At<String>>, &'a Option<String>);

/// What tables say where any host is meant.
const ANYBODY: &[&str] = &["any", "anyone", "all", "*", "host", "client", "user", "internet"];
const QUOTE_HELP: &str = "copy the sentence or table row word for word: quote = \"...\"";
const ENCRYPTING: &[&str] = &["tls", "dtls", "quic", "ssh", "wireguard", "openvpn", "ike", "esp"];
