//! What was typed, as it is meant: documents loaded, roles resolved, mistakes told in the operator's words.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use ipnet::IpNet;

use crate::app::Failure;
use crate::app::args::{self, Documents, FailOn, Reading};
use crate::capture::Filter;
use crate::flow;
use crate::judge::{self, Severity, Site, Telling};
use crate::limit::MEMORY;
use crate::pipeline::Plan;
use crate::report::{FORMATS, Format, Sheet};
use crate::signature::{Only, RoleId, Signatures};

/// What traffic is judged by, loaded and checked.
#[derive(Debug)]
pub struct Basis {
    /// The documents that flows are judged by.
    pub signatures: Signatures,
    /// All that were loaded, where some of their rows are left out.
    whole: Option<Signatures>,
    /// What the operator says about the network.
    pub site: Site,
}

impl Basis {
    /// Loads what was typed, and compiles the filter once, so that a mistake is told before anything is read.
    pub fn load(typed: &Reading) -> Result<Self, Failure> {
        let loaded = documents(&typed.documents)?;
        let (signatures, whole) = if typed.strict { (loaded.strict(), Some(loaded)) } else { (loaded, None) };
        let site = site(&typed.site, &typed.documents.product, &signatures, whole.as_ref().unwrap_or(&signatures))?;
        if let Some(expression) = &typed.filter {
            Filter::compile(expression).map_err(|error| Failure::Usage(error.to_string()))?;
        }
        Ok(Self { signatures, whole, site })
    }

    /// All documents that were loaded, also the rows that are left out on purpose.
    pub fn whole(&self) -> &Signatures {
        self.whole.as_ref().unwrap_or(&self.signatures)
    }

    /// The plan to read these captures so; `telling` as in [`Plan::telling`].
    pub fn plan<'a>(&'a self, typed: &'a Reading, captures: &'a [PathBuf], telling: Telling, stop: &'a AtomicBool) -> Plan<'a> {
        Plan {
            captures,
            filter: typed.filter.as_deref(),
            flows: flow::Settings { keep_duplicates: typed.keep_duplicates, ..flow::Settings::default() },
            workers: workers(typed),
            memory: typed.memory.unwrap_or(MEMORY),
            signatures: &self.signatures,
            site: self.site.clone(),
            telling,
            accounts: false,
            stop,
        }
    }
}

/// Loads the documents that apply.
pub fn documents(typed: &Documents) -> Result<Signatures, Failure> {
    let only = if typed.only_signatures { Only::TheseOnly } else { Only::Added };
    let loaded = Signatures::load(&typed.signatures, only).map_err(|error| Failure::Usage(error.to_string()))?;
    for product in &typed.product {
        if !loaded.documents.iter().any(|document| document.vendor == *product) {
            let known: Vec<&str> = loaded.documents.iter().map(|document| document.vendor.as_str()).collect();
            return Err(Failure::Usage(format!("--product {product}: no such document; there are {}", known.join(", "))));
        }
    }
    Ok(loaded)
}

/// What the operator says about the network: the site file, and what was typed on top of it. `signatures` are those that flows are judged by, `whole` all
/// that were loaded.
fn site(typed: &args::Site, products: &[String], signatures: &Signatures, whole: &Signatures) -> Result<Site, Failure> {
    let file = typed.site.as_ref().map(|path| Site::load(path, signatures, whole)).transpose();
    let mut site = file.map_err(|error| Failure::Usage(error.to_string()))?.unwrap_or_default();
    for text in &typed.role {
        site.roles.push(role(text, signatures)?);
    }
    site.products.extend(products.iter().cloned());
    Ok(site)
}

/// `spinetix.player=10.1.0.0/24` or `=10.1.0.2`.
fn role(text: &str, signatures: &Signatures) -> Result<(RoleId, IpNet), Failure> {
    let usage = |what: String| Failure::Usage(format!("--role {text}: {what}"));
    let (role, network) = text.split_once('=').ok_or_else(|| usage("write ROLE=NETWORK, e.g. spinetix.player=10.1.0.0/24".to_owned()))?;
    let id = signatures.role_id(&role.to_ascii_lowercase()).ok_or_else(|| {
        let vendor = role.split('.').next().unwrap_or_default();
        let near: Vec<&str> = signatures.roles.iter().map(|known| known.id.as_str()).filter(|known| known.split('.').next() == Some(vendor)).collect();
        let known = |word: &str| signatures.roles.iter().find(|known| known.id == word || known.id.split_once('.').is_some_and(|(_, name)| name == word));
        let swapped = judge::network(role).is_ok().then(|| known(network)).flatten().map(|known| format!("{}={role}", known.id));
        let hint = match (swapped, known(&role.trim().to_ascii_lowercase())) {
            (Some(right), _) => format!("the role goes first: --role {right}"),
            (_, Some(right)) => format!("did you mean {}?", right.id),
            _ if near.is_empty() => "portbook signatures list prints them".to_owned(),
            _ => format!("{vendor} has {}", near.join(", ")),
        };
        usage(format!("no such role; {hint}"))
    })?;
    if network.contains(',') {
        return Err(usage("give --role once for each address or network".to_owned()));
    }
    judge::network(network).map(|network| (id, network)).map_err(|what| usage(format!("the part after =: {what}")))
}

/// Threads to use: as typed, else one a core.
pub fn workers(typed: &Reading) -> usize {
    typed.workers.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// The table to print.
pub fn sheet(typed: args::Table, format: Format) -> Result<Sheet, Failure> {
    let sheet = match typed {
        args::Table::Flows => Sheet::Flows,
        args::Table::Findings => Sheet::Findings,
        args::Table::Coverage => Sheet::Coverage,
    };
    if sheet != Sheet::default() && !format.sheets {
        let tables: Vec<&str> = FORMATS.iter().filter(|format| format.sheets).map(|format| format.name).collect();
        return Err(Failure::Usage(format!("--table goes with --format {}; {} is not one of several tables", tables.join(" or "), format.name)));
    }
    Ok(sheet)
}

/// The severity that `--fail-on` names.
pub fn threshold(typed: FailOn) -> Severity {
    match typed {
        FailOn::Info => Severity::Info,
        FailOn::Low => Severity::Low,
        FailOn::Medium => Severity::Medium,
        FailOn::High => Severity::High,
    }
}
