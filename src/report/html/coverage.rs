//! The coverage matrix: documented rows down, the whole capture and the hosts of a role across. A cell says in sign and word what the capture shows of the row there.

use std::io;
use std::net::IpAddr;

use crate::count::{counted, grouped};
use crate::judge::{Coverage, Tried};
use crate::limit;
use crate::report::Report;
use crate::report::html::kept::Kept;
use crate::report::html::page::Page;
use crate::report::record::word;
use crate::signature::{RoleId, Service, ServiceId};

/// A table for each role that the site gives, then one of all documents.
pub(super) fn write(report: &Report<'_>, kept: &Kept, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<section id=\"coverage\"><h2>Documented rows</h2>\n")?;
    page.markup("<p class=\"legend\">")?;
    for coverage in ALL {
        page.open("span", &[("class", &format!("key {}", class(coverage)))])?;
        page.text(format!("{} {}", sign(coverage), word(&coverage).replace('_', " ")))?;
        page.markup("</span> ")?;
    }
    page.markup("</p>\n")?;
    for (role, rows) in &report.coverage_by_role {
        write_role(report, kept, *role, rows, page)?;
    }
    write_documents(report, page)?;
    page.markup("</section>\n")
}

/// The rows of a role, by its hosts.
fn write_role(report: &Report<'_>, kept: &Kept, id: RoleId, rows: &[(ServiceId, Coverage)], page: &mut Page<'_>) -> io::Result<()> {
    let role = report.signatures.role(id);
    let hosts: Vec<IpAddr> = kept.hosts.get(&id).into_iter().flatten().copied().collect();
    let shown = &hosts[..hosts.len().min(limit::HTML_HOST_COLUMNS)];
    begin_table(&format!("Rows of {}", role.name), &heading(&role.name, &hosts, shown), page)?;
    page.markup("<th scope=\"col\" class=\"mark\">all</th>")?;
    for host in shown {
        page.open("th", &[("scope", &"col"), ("class", &"mark")])?;
        page.element("span", &[("class", &"host")], host)?;
        page.close("th")?;
    }
    page.markup("<th scope=\"col\">port</th><th scope=\"col\">opened by</th></tr></thead>\n<tbody>\n")?;
    for (service_id, coverage) in rows {
        let service = report.signatures.service(*service_id);
        begin_row(service, page)?;
        write_cell(*coverage, page)?;
        for host in shown {
            let tried = kept.tried.get(&(id, *host, *service_id)).copied();
            write_cell(at_host(tried, *coverage), page)?;
        }
        page.cell(ports(service))?;
        page.cell(match (service.client.contains(&id), service.server.contains(&id)) {
            (true, true) => "either end",
            (true, false) => "this role",
            _ => "the other end",
        })?;
        page.markup("</tr>\n")?;
    }
    page.markup("</tbody></table></div>\n")
}

/// What the capture shows of a row at one host: what its own flows came to, or that it had none.
fn at_host(tried: Option<Tried>, of_role: Coverage) -> Coverage {
    match (tried.and_then(Tried::came_to), of_role) {
        (Some(coverage), _) => coverage,
        (None, Coverage::NotVisibleHere) => Coverage::NotVisibleHere,
        (None, _) => Coverage::NeverAttempted,
    }
}

fn heading(role: &str, hosts: &[IpAddr], shown: &[IpAddr]) -> String {
    match hosts.len() - shown.len() {
        0 => format!("{role}: {}", counted(hosts.len() as u64, "host")),
        more => {
            format!("{role}: {}, of which the first {} have a column and {} do not", counted(hosts.len() as u64, "host"), shown.len(), grouped(more as u64))
        }
    }
}

/// All documents: of each the rows of which anything was seen, and how many others it has.
fn write_documents(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    for (number, document) in (0_u16..).zip(&report.signatures.documents) {
        let rows = report.coverage.iter().map(|(id, coverage)| (report.signatures.service(*id), *coverage));
        let rows: Vec<(&Service, Coverage)> = rows.filter(|(service, _)| service.document == number).collect();
        let touched = rows.iter().filter(|(_, coverage)| is_touched(*coverage)).count();
        let open = if touched > 0 && report.coverage_by_role.is_empty() { "<details open><summary>" } else { "<details><summary>" };
        page.markup(open)?;
        page.text(format!("{} \"{}\", whole capture: {}", document.vendor_name, document.title, tally(&rows)))?;
        page.markup("</summary>\n")?;
        begin_table(&document.vendor_name, &document.title, page)?;
        page.markup("<th scope=\"col\" class=\"mark\">whole capture</th><th scope=\"col\">port</th></tr></thead>\n<tbody>\n")?;
        for (service, coverage) in rows {
            begin_row(service, page)?;
            write_cell(coverage, page)?;
            page.cell(ports(service))?;
            page.markup("</tr>\n")?;
        }
        page.markup("</tbody></table></div></details>\n")?;
    }
    Ok(())
}

/// `2 blocked, 5 seen, 12 never attempted`.
fn tally(rows: &[(&Service, Coverage)]) -> String {
    let of = |coverage: Coverage| rows.iter().filter(|(_, known)| *known == coverage).count();
    let parts: Vec<String> =
        ALL.into_iter().filter(|coverage| of(*coverage) > 0).map(|coverage| format!("{} {}", of(coverage), word(&coverage).replace('_', " "))).collect();
    if parts.is_empty() { "no rows".to_owned() } else { parts.join(", ") }
}

fn begin_table(label: &str, caption: &str, page: &mut Page<'_>) -> io::Result<()> {
    page.open("div", &[("class", &"wide"), ("tabindex", &"0"), ("role", &"group"), ("aria-label", &label)])?;
    page.markup("<table class=\"matrix\">")?;
    page.element("caption", &[], caption)?;
    page.markup("<thead><tr><th scope=\"col\">row</th>")
}

fn begin_row(service: &Service, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<tr><th scope=\"row\">")?;
    page.text(&service.name)?;
    page.element("small", &[("class", &"id")], &service.id)?;
    page.markup("</th>")
}

/// `8883/tcp`; of a row without ports its transports.
fn ports(service: &Service) -> String {
    let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
    let transports: Vec<String> = service.transports.iter().map(ToString::to_string).collect();
    match (ports.is_empty(), transports.is_empty()) {
        (true, _) => transports.join(", "),
        (false, true) => ports.join(", "),
        (false, false) => format!("{}/{}", ports.join(", "), transports.join(", ")),
    }
}

/// A sign, and the word for those who do not see it.
fn write_cell(coverage: Coverage, page: &mut Page<'_>) -> io::Result<()> {
    page.open("td", &[("class", &format!("mark {}", class(coverage)))])?;
    page.element("span", &[("aria-hidden", &"true")], sign(coverage))?;
    page.element("span", &[("class", &"unseen")], word(&coverage).replace('_', " "))?;
    page.close("td")
}

const fn is_touched(coverage: Coverage) -> bool {
    matches!(coverage, Coverage::Seen | Coverage::Blocked | Coverage::Attempted)
}

const fn sign(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Seen => "\u{25cf}",
        Coverage::Blocked => "\u{2715}",
        Coverage::Attempted => "\u{25d0}",
        Coverage::NeverAttempted => "\u{25cb}",
        Coverage::NotVisibleHere => "\u{2013}",
    }
}

const fn class(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Seen => "expected",
        Coverage::Blocked => "blocked",
        Coverage::Attempted => "unexpected",
        Coverage::NeverAttempted | Coverage::NotVisibleHere => "undecided",
    }
}

/// In the order in which they are told.
const ALL: [Coverage; 5] = [Coverage::Blocked, Coverage::Attempted, Coverage::Seen, Coverage::NeverAttempted, Coverage::NotVisibleHere];
