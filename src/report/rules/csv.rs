//! A line for each rule and row, for spreadsheets.

use std::io::{self, Write};

use crate::judge::policy::{End, Opening, Why, Zone};
use crate::report::csv::Row;
use crate::report::rules::{Ruleset, address, clean, patterns, ports};

pub(super) fn write(ruleset: &Ruleset<'_>, out: &mut dyn Write) -> io::Result<()> {
    row(out, &HEADINGS.map(str::to_owned))?;
    for closing in &ruleset.policy.closings {
        opening(closing, "deny", "", out)?;
    }
    for (each, gap) in ruleset.openings() {
        let seen = gap.map_or_else(String::new, |gap| ruleset.seen(gap));
        let action = match (each.names().is_some(), each.follows.is_some()) {
            (true, _) => "allow by name",
            (false, true) => "allow by helper",
            (false, false) => "allow",
        };
        opening(each, action, &seen, out)?;
    }
    if let Some(found) = ruleset.found {
        for gap in &found.unsure {
            opening(&gap.opening, "not shown", &ruleset.seen(gap), out)?;
        }
        for without in &found.ruleless {
            let says = &ruleset.signatures.service(without.service).name;
            let (from, to) = (without.pair.0.to_string(), without.pair.1.to_string());
            let cells = [&from, &to, "", "", ruleset.row_of(without), says, "", "", "no rule", &ruleset.without_a_rule(without)];
            row(out, &cells.map(clean))?;
        }
        return Ok(());
    }
    for each in &ruleset.policy.discovery {
        opening(each, "stays on the LAN", "", out)?;
    }
    for left in &ruleset.policy.left_out {
        let cells = ["", "", "", "", &left.id, &left.says, "", "", "no rule", &left.because];
        row(out, &cells.map(clean))?;
    }
    Ok(())
}

fn opening(opening: &Opening, action: &str, seen: &str, out: &mut dyn Write) -> io::Result<()> {
    for why in &opening.whys {
        let transport = opening.transport.map_or_else(|| "any".to_owned(), |transport| transport.to_string());
        let server_ports = if opening.ports.is_empty() { "any".to_owned() } else { ports(&opening.ports, "-", ", ") };
        row(
            out,
            &[
                end(&opening.from, opening),
                end(&opening.to, opening),
                transport,
                server_ports,
                clean(&why.id),
                clean(&why.says),
                clean(&why.citation),
                why.basis.to_owned(),
                action.to_owned(),
                note(opening, why, seen),
            ],
        )?;
    }
    Ok(())
}

fn note(opening: &Opening, why: &Why, seen: &str) -> String {
    let mut words: Vec<String> = why.hints.iter().map(|hint| clean(hint)).collect();
    if !opening.client_ports.is_empty() {
        words.push(format!("From port {}.", ports(&opening.client_ports, "-", ", ")));
    }
    if opening.names().is_some() {
        words.push("By name, never by address: its addresses change.".to_owned());
    }
    words.extend((!seen.is_empty()).then(|| clean(seen)));
    words.join(" ")
}

/// Addresses, and who has them.
fn end(end: &End, opening: &Opening) -> String {
    let place = match &end.zone {
        Zone::Networks(networks) => networks.iter().map(address).collect::<Vec<_>>().join(", "),
        Zone::Local => "local".to_owned(),
        Zone::Internet => "internet".to_owned(),
        Zone::Any => "any".to_owned(),
        Zone::Names(_) => patterns(opening).0.join(", "),
    };
    let who: Vec<String> = end.who.iter().map(|who| clean(who)).collect();
    format!("{place} ({})", who.join("; "))
}

fn row(out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
    let mut row = Row::new(out);
    cells.iter().for_each(|cell| row.text(cell));
    row.end()
}

const HEADINGS: [&str; 10] = ["from", "to", "transport", "ports", "service", "why", "citation", "basis", "action", "note"];
