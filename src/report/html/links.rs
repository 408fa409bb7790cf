//! Who talks to whom: clients on the left, servers on the right, a line for each service between them. Its colour is the verdict; a line that is broken does not get through.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

use crate::count::{counted, grouped};
use crate::judge::Verdict;
use crate::limit;
use crate::report::Report;
use crate::report::html::kept::{End, Kept, Link, Node, Traffic, What};
use crate::report::html::page::{Column, Page, at};
use crate::report::text::bytes;

/// Draws it, and says the same in a table.
pub(super) fn write(report: &Report<'_>, kept: &mut Kept, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<section id=\"links\"><h2>Who talks to whom</h2>\n")?;
    let links = Links::of(report, kept);
    if links.drawn.is_empty() {
        return page.markup("<p>No flow was seen.</p></section>\n");
    }
    page.markup("<figure>")?;
    page.picture("links", ("Who talks to whom", &links.about()), (WIDTH, links.height() as u32 + 8))?;
    links.draw(page)?;
    page.end_picture()?;
    page.markup("<figcaption>")?;
    page.markup("<span class=\"key expected\">\u{2501} expected</span> <span class=\"key unexpected\">\u{2501} unexpected</span> ")?;
    page.markup("<span class=\"key undecided\">\u{2501} not judged</span> <span class=\"key blocked\">\u{2501} \u{2715} \u{2501} blocked</span> ")?;
    page.markup("<span class=\"key\">\u{2505} fails at an end</span> (gray where no document is about it)")?;
    page.text(links.rest())?;
    page.markup("</figcaption></figure>\n")?;
    links.write_table(page)?;
    page.markup("</section>\n")
}

/// Links in the order in which they are drawn, with the ends as they stand in the two columns.
struct Links<'a> {
    report: &'a Report<'a>,
    hosts: &'a BTreeMap<crate::signature::RoleId, BTreeSet<IpAddr>>,
    drawn: Vec<(Link, Traffic)>,
    /// Links left out, and their flows.
    left_out: (usize, u64),
    /// Flows that found no room among the links.
    unlinked: u64,
    clients: Vec<Placed>,
    servers: Vec<Placed>,
}

/// A node with the links that end at it, and where it begins.
struct Placed {
    node: Node,
    links: Vec<usize>,
    top: f64,
}

impl Placed {
    fn height(&self) -> f64 {
        SLOT * self.links.len() as f64
    }

    /// Where a link meets it.
    fn slot(&self, link: usize) -> f64 {
        let place = self.links.iter().position(|own| *own == link).unwrap_or(0);
        self.top + SLOT * (place as f64 + 0.5)
    }
}

impl<'a> Links<'a> {
    /// Takes the links out of what was kept, the worst and busiest first.
    fn of(report: &'a Report<'a>, kept: &'a mut Kept) -> Self {
        let mut all: Vec<(Link, Traffic)> = gathered(std::mem::take(&mut kept.links)).into_iter().collect();
        // The order of equals is that of the links themselves, as the sort is stable.
        all.sort_by_key(|(link, traffic)| (std::cmp::Reverse(weight(link, traffic)), std::cmp::Reverse(traffic.flows)));
        let rest = all.split_off(all.len().min(limit::HTML_LINKS_DRAWN));
        let left_out = (rest.len(), rest.iter().map(|(_, traffic)| traffic.flows).sum());
        let clients = placed(&all, |link| &link.client, &[]);
        let servers = placed(&all, |link| &link.server, &clients);
        Self { report, hosts: &kept.hosts, drawn: all, left_out, unlinked: kept.unlinked, clients, servers }
    }

    fn height(&self) -> f64 {
        let bottom = |nodes: &[Placed]| nodes.last().map_or(0.0, |node| node.top + node.height());
        bottom(&self.clients).max(bottom(&self.servers))
    }

    fn draw(&self, page: &mut Page<'_>) -> io::Result<()> {
        for (number, (link, traffic)) in self.drawn.iter().enumerate() {
            let from = self.clients.iter().find(|node| node.links.contains(&number)).map_or(0.0, |node| node.slot(number));
            let to = self.servers.iter().find(|node| node.links.contains(&number)).map_or(0.0, |node| node.slot(number));
            self.draw_link((link, traffic), (from, to), page)?;
        }
        for (nodes, left) in [(&self.clients, true), (&self.servers, false)] {
            for node in nodes {
                self.draw_node(node, left, page)?;
            }
        }
        Ok(())
    }

    fn draw_node(&self, placed: &Placed, left: bool, page: &mut Page<'_>) -> io::Result<()> {
        let edge = if left { CLIENTS } else { SERVERS };
        let (top, bottom) = (placed.top + 4.0, placed.top + placed.height() - 4.0);
        page.open("path", &[("class", &"node"), ("d", &format!("M{} {}V{}", at(edge), at(top), at(bottom)))])?;
        page.close("path")?;
        let (name, more) = self.name(&placed.node, left);
        let (x, y) = (if left { 0.0 } else { SERVERS + 10.0 }, placed.top + placed.height() / 2.0);
        // An IPv6 address is long, and worth reading whole.
        let (class, letters) = if name.chars().count() > LETTERS_OF_A_NODE { ("name long", LETTERS_OF_A_LONG_NODE) } else { ("name", LETTERS_OF_A_NODE) };
        page.label((x, if more.is_empty() { y + 4.0 } else { y - 2.0 }), class, &name, letters)?;
        if !more.is_empty() {
            page.label((x, y + 13.0), "small", &more, LETTERS_OF_A_LONG_NODE)?;
        }
        Ok(())
    }

    /// A line from client to server: level under its own words, then to where it ends.
    fn draw_link(&self, (link, traffic): (&Link, &Traffic), (from, to): (f64, f64), page: &mut Page<'_>) -> io::Result<()> {
        let (begin, bend, end) = (CLIENTS + 4.0, LEVEL, SERVERS - 11.0);
        let middle = f64::midpoint(bend, end);
        let class = format!("link {} {}", verdict_class(traffic.verdict()), end_class(traffic.end()));
        page.open("g", &[("class", &class)])?;
        page.element("title", &[], self.sentence(link, traffic))?;
        let blocked = traffic.end() == End::Blocked;
        // The break stands where a narrow page still shows it.
        let gap = if blocked { format!("H{} M{} {}", at(CROSS - 10.0), at(CROSS + 10.0), at(from)) } else { String::new() };
        let curve = format!("M{} {1}{gap}H{2}C{3} {1} {3} {4} {5} {4}", at(begin), at(from), at(bend), at(middle), at(to), at(end));
        page.open("path", &[("d", &curve)])?;
        page.close("path")?;
        if blocked {
            page.open("path", &[("class", &"cross"), ("d", &format!("M{} {}l10 10m0-10l-10 10", at(CROSS - 5.0), at(from - 5.0)))])?;
            page.close("path")?;
        }
        page.open("path", &[("class", &"head"), ("d", &format!("M{} {}v8l8-4z", at(end), at(to - 4.0)))])?;
        page.close("path")?;
        let sign = if blocked { "\u{2715} " } else { "" };
        page.label((begin + 8.0, from - 5.0), "on", &format!("{sign}{}", self.what(link, traffic)), LETTERS_OF_A_LINK)?;
        page.label((begin + 8.0, from + 13.0), "small", &counts(traffic), LETTERS_OF_A_LINK)?;
        page.close("g")
    }

    /// What a node is called, and what there is to know beside it.
    fn name(&self, node: &Node, left: bool) -> (String, String) {
        match node {
            Node::Role(id) => {
                let hosts = self.hosts.get(id);
                let hosts = match hosts.and_then(|hosts| Some((hosts.first()?, hosts.len()))) {
                    Some((only, 1)) => only.to_string(),
                    Some((_, many)) => counted(many as u64, "host"),
                    None => String::new(),
                };
                (self.report.signatures.role(*id).name.clone(), hosts)
            }
            Node::Host(ip) => {
                let named = |(link, _): &&(Link, Traffic)| !left && link.server == *node;
                let name = self.drawn.iter().filter(named).find_map(|(_, traffic)| traffic.name.as_deref());
                (ip.to_string(), name.unwrap_or_default().to_owned())
            }
            Node::Hosts(ips) => {
                let first: Vec<String> = ips.iter().take(2).map(ToString::to_string).collect();
                (counted(ips.len() as u64, "host"), format!("{} \u{2026}", first.join(", ")))
            }
        }
    }

    /// `MQTT to the SpinetiX cloud, 8883/tcp`.
    fn what(&self, link: &Link, traffic: &Traffic) -> String {
        let port = traffic.port.map(|(transport, port)| format!("{port}/{transport}"));
        match &link.what {
            What::Service(id) => {
                let name = &self.report.signatures.service(*id).name;
                port.map_or_else(|| name.clone(), |port| format!("{port} {name}"))
            }
            What::Protocol(transport, stack) => format!("{} {}", port.unwrap_or_else(|| transport.to_string()), stack.join("/")),
            What::Port(transport, _) => port.unwrap_or_else(|| transport.to_string()),
        }
    }

    fn sentence(&self, link: &Link, traffic: &Traffic) -> String {
        let (client, server) = (self.name(&link.client, true).0, self.name(&link.server, false).0);
        format!("{client} to {server}: {}, {}, {}", self.what(link, traffic), verdict_word(traffic.verdict()), counts(traffic))
    }

    /// What is not drawn, in words.
    fn rest(&self) -> String {
        let mut rest = String::new();
        if self.left_out.0 > 0 {
            rest = format!(" \u{b7} not drawn: {} with {}", counted(self.left_out.0 as u64, "more link"), counted(self.left_out.1, "flow"));
        }
        if self.unlinked > 0 {
            rest = format!("{rest} \u{b7} {} of further links", counted(self.unlinked, "flow"));
        }
        rest
    }

    fn about(&self) -> String {
        let of = |end: End| self.drawn.iter().filter(|(_, traffic)| traffic.end() == end).count();
        format!(
            "{} of {} hosts or roles that ask and {} that are asked: {} blocked, {} failing at an end. The table below the picture says the same.",
            counted(self.drawn.len() as u64, "link"),
            self.clients.len(),
            self.servers.len(),
            of(End::Blocked),
            of(End::Failed)
        )
    }

    fn write_table(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.markup("<details><summary>The same as a table</summary>")?;
        page.markup("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Links\"><table class=\"data\"><caption>Links drawn above</caption>")?;
        page.heads(&[
            ("client", Column::Text),
            ("server", Column::Text),
            ("port and service", Column::Text),
            ("row", Column::Text),
            ("verdict", Column::Text),
            ("flows", Column::Number),
            ("blocked", Column::Number),
            ("failed", Column::Number),
            ("bytes", Column::Number),
        ])?;
        for (link, traffic) in &self.drawn {
            page.markup("<tr>")?;
            for (node, left) in [(&link.client, true), (&link.server, false)] {
                let (name, more) = self.name(node, left);
                page.cell(if more.is_empty() { name } else { format!("{name} ({more})") })?;
            }
            page.cell(self.what(link, traffic))?;
            page.cell(if let What::Service(id) = link.what { &self.report.signatures.service(id).id } else { "" })?;
            page.element("td", &[("class", &verdict_class(traffic.verdict()))], verdict_word(traffic.verdict()))?;
            for many in [traffic.flows, traffic.blocked, traffic.failed, traffic.bytes] {
                page.number(grouped(many))?;
            }
            page.markup("</tr>\n")?;
        }
        page.markup("</tbody></table></div></details>\n")
    }
}

/// `4 flows, 4 blocked`.
fn counts(traffic: &Traffic) -> String {
    let parts = [(traffic.blocked, "blocked"), (traffic.failed, "failed")];
    let bad: Vec<String> = parts.into_iter().filter(|(many, _)| *many > 0).map(|(many, what)| format!("{} {what}", grouped(many))).collect();
    let all = format!("{}, {}", counted(traffic.flows, "flow"), bytes(traffic.bytes));
    if bad.is_empty() { all } else { format!("{all}, {}", bad.join(", ")) }
}

/// What is worth drawing first: what is wrong, then what a document is about. Of the rest it does not matter here whether it works.
fn weight(link: &Link, traffic: &Traffic) -> (bool, bool, bool) {
    let covered = matches!(link.what, What::Service(_));
    let judged = traffic.verdict() != Verdict::Undecided;
    (judged && traffic.end() == End::Blocked, traffic.verdict() == Verdict::Unexpected, judged || covered)
}

/// Makes one node of hosts that do the same: first of servers that one client asks for one thing, then of clients that ask the same servers for it.
fn gathered(links: BTreeMap<Link, Traffic>) -> BTreeMap<Link, Traffic> {
    let by_client = together(links, |link| &link.server, |link, server| Link { server, ..link });
    together(by_client, |link| &link.client, |link, client| Link { client, ..link })
}

fn together(links: BTreeMap<Link, Traffic>, end: fn(&Link) -> &Node, with: fn(Link, Node) -> Link) -> BTreeMap<Link, Traffic> {
    // Links that differ in this end alone, and end alike.
    let mut groups: BTreeMap<(Link, End, Verdict), Vec<(Link, Traffic)>> = BTreeMap::new();
    let mut joined: BTreeMap<Link, Traffic> = BTreeMap::new();
    for (link, traffic) in links {
        if matches!(end(&link), Node::Host(_)) {
            let alike = (with(link.clone(), Node::Hosts(BTreeSet::new())), traffic.end(), traffic.verdict());
            groups.entry(alike).or_default().push((link, traffic));
        } else {
            joined.entry(link).or_default().merge(traffic);
        }
    }
    for ((link, ..), group) in groups {
        let hosts: BTreeSet<IpAddr> = group.iter().filter_map(|(link, _)| if let Node::Host(ip) = end(link) { Some(*ip) } else { None }).collect();
        let many = (hosts.len() > limit::HTML_HOSTS_APART).then(|| with(link, Node::Hosts(hosts)));
        let mut all = Traffic::default();
        for (link, traffic) in group {
            // The hosts of a group are compared once, and not with each of its links.
            if many.is_some() { all.merge(traffic) } else { joined.entry(link).or_default().merge(traffic) }
        }
        if let Some(link) = many {
            joined.entry(link).or_default().merge(all);
        }
    }
    joined
}

/// The nodes of one side from top to bottom, each with its links. Clients stand in the order of their worst links; servers by the middle of where their lines come from.
fn placed(links: &[(Link, Traffic)], end: fn(&Link) -> &Node, others: &[Placed]) -> Vec<Placed> {
    let mut nodes: Vec<Placed> = Vec::new();
    for (number, (link, _)) in links.iter().enumerate() {
        match nodes.iter_mut().find(|placed| placed.node == *end(link)) {
            Some(known) => known.links.push(number),
            None => nodes.push(Placed { node: end(link).clone(), links: vec![number], top: 0.0 }),
        }
    }
    let from = |link: usize| others.iter().find(|node| node.links.contains(&link)).map_or(0.0, |node| node.slot(link));
    if !others.is_empty() {
        for node in &mut nodes {
            node.links.sort_by(|a, b| from(*a).total_cmp(&from(*b)));
        }
        let middle = |node: &Placed| node.links.iter().map(|link| from(*link)).sum::<f64>() / node.links.len() as f64;
        nodes.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
    }
    let mut top = 0.0;
    for node in &mut nodes {
        node.top = top;
        top += node.height() + BETWEEN;
    }
    nodes
}

/// The class of a verdict.
pub(super) const fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Expected => "expected",
        Verdict::Unexpected => "unexpected",
        Verdict::Undecided => "undecided",
    }
}

const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Expected => "expected",
        Verdict::Unexpected => "unexpected",
        Verdict::Undecided => "not judged",
    }
}

const fn end_class(end: End) -> &'static str {
    match end {
        End::Fine => "fine",
        End::Failed => "failed",
        End::Blocked => "blocked",
    }
}

const WIDTH: u32 = 960;
/// Where clients end and servers begin, and up to where a line is level.
const CLIENTS: f64 = 216.0;
const SERVERS: f64 = 740.0;
const LEVEL: f64 = 520.0;
/// Where a blocked one is broken.
const CROSS: f64 = 446.0;
/// Height of a link, and the space between two nodes.
const SLOT: f64 = 40.0;
const BETWEEN: f64 = 10.0;
const LETTERS_OF_A_NODE: usize = 24;
const LETTERS_OF_A_LONG_NODE: usize = 32;
const LETTERS_OF_A_LINK: usize = 36;
