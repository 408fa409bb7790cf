//! Protocols by bytes: a bar for each stack, what clients sent and what servers sent.

use std::io;

use crate::count::{counted, grouped};
use crate::limit;
use crate::report::html::kept::{Kept, Share};
use crate::report::html::page::{Column, Page, at};
use crate::report::text::bytes;

/// Draws them, and says the same in a table.
pub(super) fn write(kept: &Kept, page: &mut Page<'_>) -> io::Result<()> {
    if kept.protocols.is_empty() {
        return Ok(());
    }
    let rows = rows(kept);
    let total: u64 = rows.iter().map(|(_, share)| sum(share)).sum();
    page.markup("<section id=\"protocols\"><h2>Protocols by bytes</h2>\n<figure>")?;
    let about = rows.iter().map(|(name, share)| format!("{name} {}", percent(sum(share), total))).collect::<Vec<_>>().join(", ");
    page.picture("protocols-picture", ("Protocols by bytes", &about), (WIDTH, rows.len() as u32 * ROW + 4))?;
    let most = rows.iter().map(|(_, share)| sum(share)).max().unwrap_or(0).max(1);
    for (place, (name, share)) in rows.iter().enumerate() {
        let y = f64::from(ROW) * place as f64;
        page.label((0.0, y + 16.0), "name", name, LETTERS)?;
        let (mut x, scale) = (LEFT, (RIGHT - LEFT) / most as f64);
        for (class, many) in ["mine", "theirs"].into_iter().zip(share.bytes) {
            let width = many as f64 * scale;
            page.open("rect", &[("class", &class), ("x", &at(x)), ("y", &at(y + 5.0)), ("width", &at(width)), ("height", &14)])?;
            page.close("rect")?;
            x += width;
        }
        let words = format!("{}  {}  {}", bytes(sum(share)), percent(sum(share), total), counted(share.flows, "flow"));
        page.label((x + 8.0, y + 16.0), "small", &words, 60)?;
    }
    page.end_picture()?;
    page.markup("<figcaption><span class=\"key\"><span class=\"mine\">\u{25a0}</span> sent by clients</span> <span class=\"key\"><span class=\"theirs\">\u{25a0}</span> sent by servers</span> ")?;
    page.markup("IP bytes; the stack as far as the bytes show it</figcaption></figure>\n")?;
    write_table(&rows, page)?;
    page.markup("</section>\n")
}

fn write_table(rows: &[(String, Share)], page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<details><summary>The same as a table</summary>")?;
    page.markup("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Protocols\"><table class=\"data\"><caption>Protocols by bytes</caption>")?;
    let number = Column::Number;
    page.heads(&[("protocol", Column::Text), ("flows", number), ("bytes by clients", number), ("bytes by servers", number)])?;
    for (name, share) in rows {
        page.markup("<tr>")?;
        page.cell(name)?;
        page.number(grouped(share.flows))?;
        page.number(grouped(share.bytes[0]))?;
        page.number(grouped(share.bytes[1]))?;
        page.markup("</tr>\n")?;
    }
    page.markup("</tbody></table></div></details>\n")
}

/// The stacks with most bytes, then all others as one.
fn rows(kept: &Kept) -> Vec<(String, Share)> {
    let name = |stack: &[&str], transport: String| if stack.is_empty() { format!("{transport}, not recognised") } else { stack.join("/") };
    let mut rows: Vec<(String, Share)> = Vec::new();
    for ((stack, transport), share) in &kept.protocols {
        let name = name(stack, transport.to_string());
        match rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = merged(*known, share),
            None => rows.push((name, *share)),
        }
    }
    rows.sort_by_key(|(_, share)| std::cmp::Reverse(sum(share)));
    let rest = rows.split_off(rows.len().min(limit::HTML_PROTOCOLS_DRAWN));
    if !rest.is_empty() {
        let all = rest.iter().fold(Share::default(), |all, (_, share)| merged(all, share));
        rows.push((format!("{} more", rest.len()), all));
    }
    rows
}

fn merged(one: Share, other: &Share) -> Share {
    let add = |side: usize| one.bytes[side].saturating_add(other.bytes[side]);
    Share { flows: one.flows + other.flows, bytes: [add(0), add(1)] }
}

fn sum(share: &Share) -> u64 {
    share.bytes[0].saturating_add(share.bytes[1])
}

/// `12 %`, `0.3 %`.
fn percent(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

const WIDTH: u32 = 960;
const ROW: u32 = 24;
const LEFT: f64 = 180.0;
const RIGHT: f64 = 730.0;
const LETTERS: usize = 25;
