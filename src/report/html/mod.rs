//! `html`: one page for people who get a file and have no portbook. It needs nothing beside it, asks nothing of any network, is read without its script, and says what
//! it leaves out.
//!
//! Flows pass by and leave what the page needs of them in [`Kept`](kept::Kept), each kind within its bound; the rest is of the report. Every text goes through
//! [`Page`](page::Page), which escapes it. A content security policy lets nothing but the page's own style and script run, by their digests.

mod coverage;
mod findings;
mod head;
mod kept;
mod links;
mod page;
mod protocols;
mod tables;
mod timeline;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::judge::Judged;
use crate::report::{Report, Style, Writer};
use crate::signature::Signatures;
use kept::Kept;
use page::Page;

/// A writer that prints once all flows have passed.
pub fn open<'a>(out: &'a mut dyn Write, style: Style, signatures: &'a Signatures) -> Box<dyn Writer + 'a> {
    Box::new(Html { page: Page::new(out), style, signatures, kept: Kept::default() })
}

struct Html<'a> {
    page: Page<'a>,
    style: Style,
    signatures: &'a Signatures,
    kept: Kept,
}

impl Writer for Html<'_> {
    fn flow(&mut self, judged: &Judged) -> io::Result<()> {
        self.kept.add(judged, self.signatures);
        Ok(())
    }

    fn finish(&mut self, report: &Report<'_>) -> io::Result<()> {
        let (page, kept) = (&mut self.page, &mut self.kept);
        begin(report, page)?;
        head::write(report, page)?;
        page.markup("<main>\n")?;
        if !self.style.quiet {
            page.markup(CONTENTS)?;
        }
        findings::write(report, kept, page)?;
        if !self.style.quiet {
            links::write(report, kept, page)?;
            coverage::write(report, kept, page)?;
            protocols::write(kept, page)?;
            tables::write_services(report, page)?;
            tables::write_shown(report, page)?;
            tables::write_flows(report, kept, page)?;
            tables::write_undecided(report, page)?;
            tables::write_tap(report, page)?;
            tables::write_comments(report, page)?;
        }
        page.markup("</main>\n<footer><p>Written by portbook ")?;
        page.text(env!("CARGO_PKG_VERSION"))?;
        page.markup(". Times are UTC, of the packets. Frames are numbered as Wireshark numbers them, in each file.</p></footer>\n<script>")?;
        page.markup(SCRIPT)?;
        page.markup("</script>\n</body>\n</html>\n")?;
        page.finish()
    }
}

/// All before what is seen. The policy comes first, so that it holds for the rest.
fn begin(report: &Report<'_>, page: &mut Page<'_>) -> io::Result<()> {
    page.markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'", digest(STYLE), digest(SCRIPT));
    page.open("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &policy)])?;
    page.markup("\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")?;
    page.markup("<meta name=\"referrer\" content=\"no-referrer\">\n")?;
    page.element("title", &[], format!("{} \u{2013} portbook", head::name(report)))?;
    page.markup("\n<style>")?;
    page.markup(STYLE)?;
    page.markup("</style>\n</head>\n<body>\n")
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const CONTENTS: &str = "<nav aria-label=\"Contents\"><a href=\"#findings\">Findings</a> <a href=\"#links\">Who talks to whom</a> <a href=\"#coverage\">Documented rows</a> \
<a href=\"#protocols\">Protocols</a> <a href=\"#services\">Services</a> <a href=\"#flows\">Flows</a> <a href=\"#tap\">Tap and losses</a></nav>\n";
